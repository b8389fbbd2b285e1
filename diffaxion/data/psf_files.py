"""Readers of point-spread functions: a radial table, or an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError, nearest_names
from .fits_checks import number_in, open_fits

COLUMNS = ("radius_arcsec", "density")
_IMAGES = (".fits", ".img", ".fits.gz", ".img.gz")
_SIZE_DEG = ("CDELT1", "CD1_1")


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
        A FITS image (``.fits``, ``.img``, also ``.gz``) whose header has CDELT1 or CD1_1 [deg];
        any other file is a CSV, in which lines that start with ``#`` are comments.

    Returns
    -------
    PsfFile
        Columns of shape (n,) [arcsec], or an image.

    Raises
    ------
    DataError
        If the file cannot be read, a column or the pixel size is missing, or a row is malformed.

    References
    ----------
    None: a file format.
    """
    path = Path(path)
    if path.name.endswith(_IMAGES):
        return _image(path)
    try:
        text = path.read_text(encoding="utf-8")
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
        sizes = [abs(number_in(file.path, head, key)) for key in _SIZE_DEG if key in head]
    if not sizes:
        raise DataError(f"{path}: neither CDELT1 nor CD1_1 gives the size of a pixel [deg]")
    if undefined.any():
        raise DataError(f"{path}: {undefined.sum()} pixels of the PSF are undefined (BLANK)")
    return PsfFile(values, None, 3600.0 * sizes[0], str(path))
