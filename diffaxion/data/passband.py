"""Reader of the passband of an instrument: frequency and transmission."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import DataError

NOISE = 0.01
"""How far below 0 a measured transmission may go, relative to its maximum."""


def read_passband(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read two columns: frequency and transmission.

    Columns are separated by commas or blanks; ``#`` starts a comment, and one line of column
    names (``nu_GHz`` and ``transmission``) may come first.

    Parameters
    ----------
    path : str or Path
        File to read.

    Returns
    -------
    nu_GHz, transmission : array, shape (n,)
        Increasing frequencies [GHz] and the response to spectral radiance, any normalisation.
        Noise of a measured band, down to minus 1 per cent of its maximum, is kept.

    Raises
    ------
    DataError
        If the file cannot be read, a line is not two numbers, there are fewer than two, a value
        is not finite or negative, frequencies do not increase from above 0, or nothing passes.

    References
    ----------
    None: a file format.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"passband {path}: cannot be read ({error})") from None
    rows: list[list[float]] = []
    numbers: list[int] = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split("#")[0].replace(",", " ").split()
        if not cells or (not rows and cells == ["nu_GHz", "transmission"]):
            continue
        try:
            row = [float(x) for x in cells]
        except ValueError:
            row = []
        if len(row) != 2 or not all(np.isfinite(row)) or row[0] <= 0.0:
            raise DataError(
                f"passband {path}, line {number}: {line.strip()!r}; expected a frequency > 0 [GHz] "
                "and a transmission >= 0"
            )
        if rows and row[0] <= rows[-1][0]:
            raise DataError(
                f"passband {path}, line {number}: nu_GHz = {row[0]:g} after {rows[-1][0]:g}; "
                "frequencies must increase"
            )
        rows.append(row)
        numbers.append(number)
    if len(rows) < 2:
        raise DataError(f"passband {path}: {len(rows)} rows, expected two or more")
    nu, transmission = np.array(rows).T
    if not np.any(transmission > 0.0):
        raise DataError(f"passband {path}: the transmission is 0 everywhere")
    low = int(np.argmin(transmission))
    if transmission[low] < -NOISE * transmission.max():
        raise DataError(
            f"passband {path}, line {numbers[low]}: '{nu[low]:g},{transmission[low]:g}'; expected "
            f"a transmission >= 0 (noise below 0 is accepted to {100.0 * NOISE:g} per cent of the "
            "maximum)"
        )
    return nu, transmission
