"""Reader of a beam's transfer function: two columns, l and B_l."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import DataError


def read_beam_table(path: str | Path, lmax: int) -> np.ndarray:
    """Read B_l at all multipoles to ``lmax``.

    Columns are separated by commas or blanks; ``#`` starts a comment, and one line of column
    names may come first. The multipoles are 0, 1, 2, ... in order.

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
    if not values or values[0] <= 0.0:
        shown = f"B_0 = {values[0]:g}" if values else "no rows"
        raise DataError(f"beam {path}: {shown}; expected l = 0, 1, ... with B_0 > 0")
    beam = np.array(values) / values[0]
    if np.abs(beam).max() > 1.5:
        worst = int(np.argmax(np.abs(beam)))
        raise DataError(
            f"beam {path}: B_l/B_0 = {beam[worst]:g} at l = {worst}; expected B_l, not B_l^2 or "
            "its inverse"
        )
    found = np.zeros(lmax + 1)
    count = min(beam.size, lmax + 1)
    found[:count] = np.maximum(beam[:count], 0.0)
    return found
