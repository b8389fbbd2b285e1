"""Reader of flux points: a rate with a symmetric error in each energy bin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError, nearest_names

REQUIRED = ("energy_keV", "half_width_keV", "flux", "error")


@dataclass(frozen=True)
class FluxPoints:
    """Rates per bin.

    Attributes
    ----------
    low_keV, high_keV : array, shape (n,)
        Bin edges [keV].
    flux, error : array, shape (n,)
        Rate and its 1 sigma error [1e-4 counts s^-1 keV^-1].
    """

    low_keV: np.ndarray
    high_keV: np.ndarray
    flux: np.ndarray
    error: np.ndarray


def read_flux_points(path: str | Path) -> FluxPoints:
    """Read a CSV with the columns energy_keV, half_width_keV, flux, error.

    Lines that start with ``#`` are comments. Rates and errors are in 1e-4 counts s^-1 keV^-1.

    Parameters
    ----------
    path : str or Path
        File to read.

    Returns
    -------
    FluxPoints
        Columns of shape (n,), in the order of the file [keV, 1e-4 counts s^-1 keV^-1].

    Raises
    ------
    DataError
        If the file cannot be read, a column is missing, a row is malformed, or an error is
        zero, negative or not finite.

    References
    ----------
    None: a file format.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"spectrum {path}: cannot be read ({error})") from None
    lines = [(k, x) for k, x in enumerate(text.splitlines(), 1) if x.strip() and x[0] != "#"]
    if len(lines) < 2:
        raise DataError(f"spectrum {path}: no data rows; expected a header and at least one bin")
    names = [x.strip() for x in lines[0][1].split(",")]
    for name in REQUIRED:
        if name not in names:
            raise DataError(
                f"spectrum {path}: column {name!r} is missing ({nearest_names(name, names)}); "
                f"expected {', '.join(REQUIRED)}"
            )
    rows = []
    for number, line in lines[1:]:
        cells = line.split(",")
        if len(cells) != len(names):
            raise DataError(
                f"spectrum {path}, line {number}: {len(cells)} values, expected {len(names)}"
            )
        try:
            rows.append([float(cells[names.index(name)]) for name in REQUIRED])
        except ValueError:
            raise DataError(f"spectrum {path}, line {number}: not a number in {line!r}") from None
    energy, half, flux, sigma = np.array(rows).T
    for name, column, low in (
        ("energy_keV", energy, 0.0),
        ("half_width_keV", half, 0.0),
        ("flux", flux, -np.inf),
        ("error", sigma, 0.0),
    ):
        bad = ~(np.isfinite(column) & (column > low))
        if np.any(bad):
            k = int(np.argmax(bad))
            bound = " > 0" if low == 0.0 else ""
            raise DataError(
                f"spectrum {path}, line {lines[1 + k][0]}: {name} = {column[k]}: expected a "
                f"finite number{bound}; remove the bin if it has no measurement"
            )
    return FluxPoints(energy - half, energy + half, flux, sigma)
