"""Reader of a beam's transfer function: two columns, l and B_l."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import DataError


def read_beam_table(path: str | Path, lmax: int) -> np.ndarray:
    """Read B_l at all multipoles to ``lmax``.

    Columns are separated by commas or blanks; ``#`` starts a comment, and one line of column
    names may come first (so does ECSV). The multipoles are 0, 1, 2, ... in order. A FITS file, or
    one of its HDUs as ``FILE.fits:HDU``, is read as by
    :func:`~diffaxion.data.planck_instrument.read_beam_fits`.

    Parameters
    ----------
    path : str or Path
        File to read.
    lmax : int
        Largest multipole.

    Returns
    -------
    array, shape (lmax + 1,)
        B_l over B_0; 0 beyond the end of the table, where a map cannot be used.

    Raises
    ------
    DataError
        If the file cannot be read, a line is not two numbers, multipoles do not count from 0, or
        a value is not finite or far from a beam's.

    References
    ----------
    None: a file format.
    """
    name, table, hdu = str(path).partition(".fits:")
    if table or name.endswith((".fits", ".fits.gz", ".fit")):
        from .planck_instrument import read_beam_fits

        return read_beam_fits(f"{name}.fits" if table else path, lmax, hdu=hdu or None)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"beam {path}: cannot be read ({error})") from None
    values: list[float] = []
    started = False
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split("#")[0].replace(",", " ").split()
        if not cells:
            continue
        try:
            row = [float(x) for x in cells]
        except ValueError:
            row = []
        if not row and not started:
            started = True
            continue
        started = True
        if len(row) != 2 or not all(np.isfinite(row)) or row[0] != len(values):
            raise DataError(
                f"beam {path}, line {number}: {line.strip()!r}; expected l = {len(values)} and a "
                "finite B_l"
            )
        values.append(row[1])
    return checked_beam(np.array(values), lmax, path)


def checked_beam(values: np.ndarray, lmax: int, path: str | Path) -> np.ndarray:
    """B_l over B_0 at 0 to lmax, if the values are those of a beam.

    Parameters
    ----------
    values : array, shape (n,)
        B_l at l = 0, 1, ...
    lmax : int
        Largest multipole.
    path : str or Path
        File, for messages.

    Returns
    -------
    array, shape (lmax + 1,)
        Not below 0; 0 beyond the end of the values.

    Raises
    ------
    DataError
        If there are none, one is not finite, or they are far from a beam's.

    References
    ----------
    None: a check of input.
    """
    if not values.size or not values[0] > 0.0:
        shown = f"B_0 = {values[0]:g}" if values.size else "no rows"
        raise DataError(f"beam {path}: {shown}; expected l = 0, 1, ... with B_0 > 0")
    beam = values / values[0]
    if not np.all(np.abs(beam) <= 1.5):
        worst = int(np.argmax(np.where(np.isfinite(beam), np.abs(beam), np.inf)))
        raise DataError(
            f"beam {path}: B_l/B_0 = {beam[worst]:g} at l = {worst}; expected B_l, not B_l^2 or "
            "its inverse"
        )
    found = np.zeros(lmax + 1)
    count = min(beam.size, lmax + 1)
    found[:count] = np.maximum(beam[:count], 0.0)
    return found
