"""Readers of point-spread functions: a radial table, or an image."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, DiffaxionWarning, nearest_names
from .fits_checks import number_in, open_fits, text_in

COLUMNS = ("radius_arcsec", "density")
_IMAGES = (".fits", ".img", ".fits.gz", ".img.gz")
_UNITS_ARCSEC = {"deg": 3600.0, "arcmin": 60.0, "arcsec": 1.0}
_SIZES_ARCSEC = (0.01, 60.0)
_SQUARE = 1e-3
_CENTRED_ARCSEC = 10.0


@dataclass(frozen=True)
class PsfFile:
    """A point-spread function as a file has it, not normalised.

    Attributes
    ----------
    density : array, shape (n,) or (ny, nx)
        Surface brightness at radii, or per pixel with the source in the middle, any unit.
    radius_arcsec : array, shape (n,), or None
        Radii of a table [arcsec].
    pixel_arcsec : float
        Size of a pixel of an image, 0 for a table [arcsec].
    source : str
        File.
    """

    density: np.ndarray
    radius_arcsec: np.ndarray | None
    pixel_arcsec: float
    source: str


def read_psf(path: str | Path) -> PsfFile:
    """Read a CSV with the columns radius_arcsec and density, or a FITS image.

    Parameters
    ----------
    path : str or Path
        A FITS image (``.fits``, ``.img``, also ``.gz``) whose header has CDELT1 and CDELT2, or a
        CD matrix, in the unit CUNIT1 (deg by default, arcmin or arcsec); any other file is a CSV,
        in which lines that start with ``#`` are comments.

    Returns
    -------
    PsfFile
        Columns of shape (n,) [arcsec], or an image.

    Raises
    ------
    DataError
        If the file cannot be read, a column or the pixel size is missing, pixels are not square or
        not of the size of those of a PSF, or a row is malformed.

    References
    ----------
    None: a file format.
    """
    path = Path(path)
    if path.name.endswith(_IMAGES):
        return _image(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"PSF {path}: cannot be read ({error})") from None
    lines = [(k, x) for k, x in enumerate(text.splitlines(), 1) if x.strip() and x[0] != "#"]
    names = [x.strip() for x in lines[0][1].split(",")] if lines else []
    for name in COLUMNS:
        if name not in names:
            raise DataError(
                f"PSF {path}: column {name!r} is missing ({nearest_names(name, names)}); expected "
                f"{', '.join(COLUMNS)}, or a FITS image"
            )
    rows = []
    for number, line in lines[1:]:
        cells = line.split(",")
        if len(cells) != len(names):
            raise DataError(
                f"PSF {path}, line {number}: {len(cells)} values, expected {len(names)}"
            )
        try:
            rows.append([float(cells[names.index(name)]) for name in COLUMNS])
        except ValueError:
            raise DataError(f"PSF {path}, line {number}: not a number in {line!r}") from None
    table = np.array(rows).reshape(-1, 2)
    return PsfFile(table[:, 1], table[:, 0], 0.0, str(path))


def _image(path: Path) -> PsfFile:
    with open_fits(path, "PSF image") as file:
        head, hdu = file.image()
        values, undefined = file.pixels(hdu)
        size = _pixel_arcsec(file.path, head)
    if undefined.any():
        raise DataError(f"{path}: {undefined.sum()} pixels of the PSF are undefined (BLANK)")
    if values.size and np.isfinite(values).all():
        _warn_off_centre(path, values, size)
    return PsfFile(values, None, size, str(path))


def _warn_off_centre(path: Path, values: np.ndarray, size: float) -> None:
    """Warn of a source that is not in the middle of its image, where a PSF is centred."""
    peak = np.array(np.unravel_index(np.argmax(values), values.shape))
    away = size * float(np.hypot(*(peak - 0.5 * (np.array(values.shape) - 1.0))))
    if away > max(2.0 * size, _CENTRED_ARCSEC):
        warnings.warn(
            f"{path}: the brightest pixel lies {away:.3g} arcsec from the middle of the image, "
            "where the source is taken to be; cut the image around the source",
            DiffaxionWarning,
            stacklevel=4,
        )


def _pixel_arcsec(path: str, head: dict[str, Any]) -> float:
    """Side of a pixel, whichever way the image is turned on the sky [arcsec]."""
    units = {text_in(head, f"CUNIT{i}").lower() or "deg" for i in (1, 2)}
    if len(units) > 1 or not units <= set(_UNITS_ARCSEC):
        raise DataError(
            f"{path}: CUNIT1, CUNIT2 = {', '.join(sorted(units))}; expected one of deg, arcmin, "
            "arcsec for both"
        )
    scale = _UNITS_ARCSEC[units.pop()]
    step = [number_in(path, head, f"CDELT{k}", head.get("CDELT1", 0.0)) for k in (1, 2)]
    sides = []
    for i in (1, 2):
        turned = [number_in(path, head, f"CD{k}_{i}", 0.0) for k in (1, 2)]
        if not any(turned):
            turn = [number_in(path, head, f"PC{k}_{i}", float(k == i)) for k in (1, 2)]
            turned = [a * b for a, b in zip(step, turn, strict=True)]
        sides.append(scale * math.hypot(*turned))
    wide, high = sides
    if wide == 0.0:
        raise DataError(f"{path}: neither CDELT1 nor CD1_1 gives the size of a pixel")
    low, top = _SIZES_ARCSEC
    if not (low <= wide <= top and abs(wide / high - 1.0) <= _SQUARE):
        raise DataError(
            f"{path}: CDELT or CD give pixels of {wide:.4g} x {high:.4g} arcsec; expected squares "
            f"of {low:g} to {top:g} arcsec (is CUNIT1 missing?)"
        )
    return wide
