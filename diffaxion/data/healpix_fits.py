"""One column of a HEALPix FITS file as it is: pixels in RING order, and what the header says.

A map is a binary table whose rows, read one after another, are the pixels in RING or NESTED order
(``INDXSCHM = IMPLICIT``), or pairs of pixel number and value (``EXPLICIT``, partial sky). Pixels
without data hold UNSEEN = -1.6375e30 or NaN; here they all hold UNSEEN.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, DiffaxionWarning, nearest_names

UNSEEN = -1.6375e30
"""Value of pixels without data."""

_UNSEEN_BELOW = -1.6e30  # holds for UNSEEN rounded to float32 as well
_ORDERINGS = {"RING": "RING", "NESTED": "NESTED", "NEST": "NESTED"}
_FRAMES = {
    "G": "galactic",
    "GALACTIC": "galactic",
    "C": "equatorial",
    "Q": "equatorial",
    "CELESTIAL": "equatorial",
    "EQUATORIAL": "equatorial",
    "E": "ecliptic",
    "ECLIPTIC": "ecliptic",
}


@dataclass(frozen=True)
class HealpixColumn:
    """A column of a HEALPix file.

    Attributes
    ----------
    values : array, shape (npix,)
        Float64, RING, unit of the file; UNSEEN without data.
    valid : bool array, shape (npix,)
        Whether a pixel holds a finite number.
    nside : int
        Resolution.
    unit : str
        TUNIT of the column, empty if absent.
    coordinates : str
        ``galactic``, ``equatorial``, ``ecliptic``, or empty if the header does not say.
    facts : dict
        File, HDU, column, ordering, indexing, type and NSIDE as found.
    """

    values: np.ndarray
    valid: np.ndarray
    nside: int
    unit: str
    coordinates: str
    facts: dict[str, Any]


def invalid_pixels(values: np.ndarray) -> np.ndarray:
    """Where a map holds no number: NaN, infinite or UNSEEN.

    Parameters
    ----------
    values : array, shape (...)
        Map, any unit.

    Returns
    -------
    bool array, shape (...)
        True where the pixel cannot be used.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513, and the documentation of HEALPix (UNSEEN).
    """
    return ~np.isfinite(values) | (values < _UNSEEN_BELOW)


def frame_name(text: str, path: str | Path) -> str:
    """Full name of a coordinate frame from a letter or a word of a header; empty for empty.

    Parameters
    ----------
    text : str
        Such as ``G``, ``C``, ``galactic`` or ``CELESTIAL``.
    path : str or Path
        File, for the message.

    Returns
    -------
    str
        ``galactic``, ``equatorial``, ``ecliptic`` or empty.

    Raises
    ------
    DataError
        If the frame is not known.

    References
    ----------
    Documentation of HEALPix, keyword COORDSYS.
    """
    key = text.strip().upper()
    if key and key not in _FRAMES:
        raise DataError(
            f"{path}: COORDSYS = {text!r}; expected galactic (G), equatorial (C) or ecliptic (E): "
            "give coordinates="
        )
    return _FRAMES.get(key, "")


def checked_nside(npix: int, path: str | Path, what: str = "") -> int:
    """Resolution for a number of pixels.

    Parameters
    ----------
    npix : int
        Pixels.
    path : str or Path
        File, for the message.
    what : str
        What holds them, for the message.

    Returns
    -------
    int
        nside, a power of two with npix = 12 nside^2.

    Raises
    ------
    DataError
        If there is none.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    nside = round((npix / 12) ** 0.5)
    if npix < 12 or 12 * nside**2 != npix or nside & (nside - 1):
        raise DataError(
            f"{path}{what}: {npix} pixels; expected 12 nside^2 with nside a power of two (a "
            "truncated file, or not a HEALPix map)"
        )
    return nside


@contextmanager
def opened_fits(path: str | Path) -> Iterator[Any]:
    """The HDUs of a FITS file; whatever is wrong with it is a DataError that names the file.

    Parameters
    ----------
    path : str or Path
        File.

    Returns
    -------
    context manager
        Of the list of HDUs.

    Raises
    ------
    DataError
        If the file is missing, empty, truncated or no FITS.

    References
    ----------
    Pence et al. 2010, A&A 524, A42 (FITS).
    """
    from astropy.io import fits
    from astropy.io.fits.verify import VerifyWarning

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*truncated.*")
            warnings.simplefilter("ignore", VerifyWarning)
            with fits.open(path, memmap=True) as hdus:
                yield hdus
    except (DataError, DiffaxionWarning):
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected FITS with a binary-table HDU") from None
    except (OSError, ValueError, TypeError, UserWarning, KeyError, EOFError) as error:
        raise DataError(
            f"{path}: cannot be read as FITS ({error}); expected a whole file with its data in "
            "a binary-table HDU"
        ) from None


def _table(hdus: Any, path: str | Path) -> tuple[int, Any]:
    """The HDU of the map: the first that says HEALPIX, else the first table."""
    from astropy.io.fits import BinTableHDU

    tables = [(k, h) for k, h in enumerate(hdus) if isinstance(h, BinTableHDU)]
    if not tables:
        raise DataError(
            f"{path}: {len(hdus)} HDU, none of them a binary table; expected a HEALPix map in HDU 1"
        )
    healpix = [t for t in tables if str(t[1].header.get("PIXTYPE", "")).strip() == "HEALPIX"]
    return (healpix or tables)[0]


def _explicit(header: Any) -> bool:
    return str(header.get("INDXSCHM", "IMPLICIT")).strip().upper() == "EXPLICIT"


def healpix_nside(path: str | Path) -> int:
    """Resolution of a HEALPix file, from its header alone.

    Parameters
    ----------
    path : str or Path
        File.

    Returns
    -------
    int
        nside.

    Raises
    ------
    DataError
        If the file cannot be read or is no HEALPix map.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    with opened_fits(path) as hdus:
        _, hdu = _table(hdus, path)
        return _nside(hdu, path)


def _nside(hdu: Any, path: str | Path) -> int:
    header = hdu.header
    given = header.get("NSIDE")
    if _explicit(header):
        if given is None:
            raise DataError(f"{path}: INDXSCHM = EXPLICIT without NSIDE; expected the keyword")
        return checked_nside(12 * int(given) ** 2, path, ": NSIDE")
    repeat = hdu.columns[0].format.rstrip("ABCDEFGIJKLMPQX") or "1"
    found = checked_nside(int(header["NAXIS2"]) * int(repeat), path)
    if given is not None and int(given) != found:
        raise DataError(
            f"{path}: NSIDE = {given} but the table holds {12 * found**2} pixels, nside {found}; "
            "expected both to agree"
        )
    return found


def _ordering(header: Any, argument: str | None, path: str | Path) -> str:
    """RING or NESTED by the argument, else by the header; unknown is refused."""
    stated = str(header.get("ORDERING", "")).strip()
    known = _ORDERINGS.get(stated.upper(), "")
    if argument is None:
        if not known:
            found = f"ORDERING = {stated!r}" if stated else "no keyword ORDERING"
            raise DataError(
                f"{path}: {found}; expected RING or NESTED: give ordering= (the wrong one "
                "scrambles the sky)"
            )
        return known
    chosen = _ORDERINGS.get(str(argument).upper())
    if chosen is None:
        raise DataError(f"{path}: ordering = {argument!r}; expected RING or NESTED")
    if known and known != chosen:
        warnings.warn(
            f"{path}: ORDERING = {known}, read as {chosen} because ordering= says so",
            DiffaxionWarning,
            stacklevel=5,
        )
    return chosen


def _column(hdu: Any, field: int | str, path: str | Path) -> int:
    names = [n for n in hdu.columns.names if n.upper() != "PIXEL" or not _explicit(hdu.header)]
    if isinstance(field, str):
        upper = [n.upper() for n in names]
        if field.upper() not in upper:
            raise DataError(f"{path}: no column {field!r}; {nearest_names(field, names)}")
        name = names[upper.index(field.upper())]
    elif 0 <= field < len(names):
        name = names[field]
    else:
        raise DataError(
            f"{path}: field = {field}; expected 0 to {len(names) - 1}, columns {', '.join(names)}"
        )
    return hdu.columns.names.index(name)


def _pixels(hdu: Any, index: int, nside: int, bad: float | None, path: str | Path) -> np.ndarray:
    """The pixels of a column in the order of the file, UNSEEN without data."""
    raw = np.asarray(hdu.data.field(index)).ravel()
    if raw.dtype.kind not in "bfiu":
        raise DataError(f"{path}: column {hdu.columns.names[index]} holds no numbers")
    values = raw.astype(np.float64)
    if bad is not None and bad > _UNSEEN_BELOW:
        # BAD_DATA is in decimal digits, the data may be float32.
        values[np.abs(values - bad) <= 1e-5 * abs(bad)] = UNSEEN
    values[invalid_pixels(values)] = UNSEEN
    if not _explicit(hdu.header):
        if values.size != 12 * nside**2:
            raise DataError(
                f"{path}: column {hdu.columns.names[index]} holds {values.size} pixels; expected "
                f"{12 * nside**2}"
            )
        return values
    where = [n.upper() for n in hdu.columns.names]
    if "PIXEL" not in where:
        raise DataError(f"{path}: INDXSCHM = EXPLICIT without a column PIXEL")
    pixel = np.asarray(hdu.data.field(where.index("PIXEL"))).ravel().astype(np.int64)
    if pixel.size != values.size or np.unique(pixel).size != pixel.size:
        raise DataError(
            f"{path}: {values.size} values for {np.unique(pixel).size} different pixels; expected "
            "one each"
        )
    if pixel.size and (pixel.min() < 0 or pixel.max() >= 12 * nside**2):
        raise DataError(
            f"{path}: PIXEL from {pixel.min()} to {pixel.max()}; expected 0 to {12 * nside**2 - 1} "
            f"for NSIDE = {nside}"
        )
    whole = np.full(12 * nside**2, UNSEEN)
    whole[pixel] = values
    return whole


def read_healpix_column(
    path: str | Path, field: int | str = 0, ordering: str | None = None
) -> HealpixColumn:
    """Read a column of a HEALPix file, without any change of unit.

    Parameters
    ----------
    path : str or Path
        FITS file, full or partial sky; ``.gz`` is read as well.
    field : int or str
        Column, by number from 0 (the column PIXEL of partial maps does not count) or name.
    ordering : str, optional
        RING or NESTED, where the header lacks it; if it contradicts the header it wins, with a
        warning.

    Returns
    -------
    HealpixColumn
        Pixels in RING order and what the header says, unit of the file.

    Raises
    ------
    DataError
        If the file is missing, empty, truncated or no FITS, holds no such column, or its number of
        pixels or ordering is not known.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513; Pence et al. 2010, A&A 524, A42 (FITS).
    """
    with opened_fits(path) as hdus:
        number, hdu = _table(hdus, path)
        header, nside = hdu.header, _nside(hdu, path)
        index = _column(hdu, field, path)
        chosen = _ordering(header, ordering, path)
        bad = header.get("BAD_DATA")
        values = _pixels(hdu, index, nside, None if bad is None else float(bad), path)
        facts = {
            "file": str(path),
            "hdu": number,
            "column": hdu.columns.names[index],
            "ordering_in_file": chosen,
            "indexing": "EXPLICIT" if _explicit(header) else "IMPLICIT",
            "dtype_in_file": str(hdu.data.field(index).dtype.newbyteorder("=")),
            "coordsys_in_file": str(header.get("COORDSYS", "")).strip(),
            "nside": nside,
        }
        unit = str(header.get(f"TUNIT{index + 1}", "")).strip()
        stated = facts["coordsys_in_file"]
    if chosen == "NESTED":
        import healpy

        values = np.asarray(healpy.reorder(values, n2r=True))
    return HealpixColumn(
        values, ~invalid_pixels(values), nside, unit, frame_name(stated, path), facts
    )
