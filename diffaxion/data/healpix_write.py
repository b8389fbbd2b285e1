"""Writer of HEALPix FITS maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..provenance import atomic_write
from .healpix_fits import UNSEEN, checked_nside, frame_name, invalid_pixels

_LETTERS = {"galactic": "G", "equatorial": "C", "ecliptic": "E"}


def write_healpix_map(
    path: str | Path,
    values: np.ndarray,
    unit: str,
    coordinates: str = "G",
    *,
    column: str = "I_STOKES",
    comment: str = "",
    history: Sequence[str] = (),
) -> Path:
    """Write a map completely or not at all, as HEALPix FITS: float64, RING.

    Parameters
    ----------
    path : str or Path
        Destination, ``.fits`` or ``.fits.gz``.
    values : array, shape (npix,)
        Map, RING; NaN and UNSEEN are written as UNSEEN.
    unit : str
        TUNIT, such as ``K_CMB`` or ``uK_CMB``; ``1`` for none.
    coordinates : str
        G, C or E.
    column : str
        Name of the column.
    comment : str
        What the map is; a simulated one must say so here.
    history : sequence of str
        Lines on how it was made: seed, versions, configuration.

    Returns
    -------
    Path
        The destination.

    Raises
    ------
    DataError
        If the number of pixels is not that of a HEALPix map.
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513; Pence et al. 2010, A&A 524, A42 (FITS).
    """
    from astropy.io import fits

    data = np.array(values, dtype=np.float64)
    if data.ndim != 1:
        raise DataError(f"{path}: an array of shape {data.shape}; expected one map (npix,)")
    nside = checked_nside(data.size, path)
    data[invalid_pixels(data)] = UNSEEN
    # Rows of 1024 pixels, as is the custom.
    width = 1024 if data.size % 1024 == 0 else 1
    form, rows = ("1024D", data.reshape(-1, width)) if width > 1 else ("D", data)
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column(name=column, format=form, array=rows, unit=unit)]
    )
    header = hdu.header
    header["PIXTYPE"] = ("HEALPIX", "HEALPIX pixelisation")
    header["ORDERING"] = ("RING", "pixel ordering scheme")
    header["COORDSYS"] = (_LETTERS[frame_name(coordinates, path)], "frame")
    header["NSIDE"] = (nside, "resolution parameter")
    header["FIRSTPIX"], header["LASTPIX"] = 0, data.size - 1
    header["INDXSCHM"] = ("IMPLICIT", "indexing scheme")
    header["OBJECT"] = ("FULLSKY", "sky coverage")
    header["BAD_DATA"] = (UNSEEN, "value of pixels without data")
    header["CREATOR"] = "diffaxion"
    if comment:
        header.add_comment(_ascii(comment))
    for line in history:
        header.add_history(_ascii(line))

    def write(temporary: Path) -> None:
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(temporary)

    return atomic_write(path, write)


def _ascii(text: str) -> str:
    return text.replace("\n", " ").encode("ascii", "replace").decode()
