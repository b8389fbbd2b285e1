"""Reader of star lists: positions, classes and weights of the stars of a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError, nearest_names

REQUIRED = ("ra_deg", "dec_deg", "class")
WEIGHTS = ("weight", "luminosity")


@dataclass(frozen=True)
class StarList:
    """Stars of a cluster.

    Attributes
    ----------
    ra_deg, dec_deg : array, shape (n,)
        Positions [deg].
    classes : tuple of str
        Spectroscopic class of each star.
    weight : array, shape (n,)
        Relative numbers of photons, or axion luminosities; only ratios count.
    column : str
        Column that the weights are from, ``weight`` or ``luminosity``.
    source : str
        File.
    """

    ra_deg: np.ndarray
    dec_deg: np.ndarray
    classes: tuple[str, ...]
    weight: np.ndarray
    column: str
    source: str


def read_star_list(path: str | Path) -> StarList:
    """Read a CSV with the columns ra_deg, dec_deg, class, and weight or luminosity.

    Lines that start with ``#`` are comments; other columns are ignored.

    Parameters
    ----------
    path : str or Path
        File to read.

    Returns
    -------
    StarList
        Columns of shape (n,) [deg].

    Raises
    ------
    DataError
        If the file cannot be read, a column is missing, both weights are there, a row is
        malformed, a position is not on the sky, or a weight is negative, not finite, or all
        are zero.

    References
    ----------
    None: a file format.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"star list {path}: cannot be read ({error})") from None
    lines = [(k, x) for k, x in enumerate(text.splitlines(), 1) if x.strip() and x[0] != "#"]
    if len(lines) < 2:
        raise DataError(f"star list {path}: no rows; expected a header and at least one star")
    names = [x.strip() for x in lines[0][1].split(",")]
    for name in REQUIRED:
        if name not in names:
            raise DataError(
                f"star list {path}: column {name!r} is missing ({nearest_names(name, names)}); "
                f"expected {', '.join(REQUIRED)}, and weight or luminosity"
            )
    given = [w for w in WEIGHTS if w in names]
    if len(given) != 1:
        raise DataError(
            f"star list {path}: columns {', '.join(names)}; expected exactly one of weight and "
            "luminosity"
        )
    columns = ("ra_deg", "dec_deg", given[0])
    numbers, classes = [], []
    for number, line in lines[1:]:
        cells = [x.strip() for x in line.split(",")]
        if len(cells) != len(names):
            raise DataError(
                f"star list {path}, line {number}: {len(cells)} values, expected {len(names)}"
            )
        try:
            row = [float(cells[names.index(name)]) for name in columns]
        except ValueError:
            raise DataError(f"star list {path}, line {number}: not a number in {line!r}") from None
        _check(row, f"star list {path}, line {number}", given[0])
        numbers.append(row)
        classes.append(cells[names.index("class")])
    ra, dec, weight = np.array(numbers).T
    if not np.any(weight > 0.0):
        raise DataError(f"star list {path}: column {given[0]!r} is 0 for all {weight.size} stars")
    return StarList(ra, dec, tuple(classes), weight, given[0], str(path))


def _check(row: list[float], where: str, column: str) -> None:
    """Refuse a position that is not on the sky, and a weight that is none."""
    ra, dec, weight = row
    if not -360.0 <= ra <= 360.0:
        raise DataError(f"{where}: ra_deg = {ra:g}, expected -360 to 360 [deg]")
    if not -90.0 <= dec <= 90.0:
        raise DataError(f"{where}: dec_deg = {dec:g}, expected -90 to 90 [deg]")
    if not (np.isfinite(weight) and weight >= 0.0):
        raise DataError(f"{where}: {column} = {weight:g}, expected a finite number >= 0")
