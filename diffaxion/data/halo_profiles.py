"""Reader of radial profiles of halos: gas or magnetic field against x = r/R200c.

A CSV with a column ``x``, one column with the quantity, and optionally ``z`` and ``log10_M200c``
[Msun]. With the latter two the rows form a complete grid with the same radii everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError

# quantity: column name to what turns it into a natural logarithm; None takes the logarithm
COLUMNS: dict[str, dict[str, float | None]] = {
    "electron density": {"n_e_cm3": None, "ln_n_e_cm3": 1.0, "log10_n_e_cm3": np.log(10.0)},
    "magnetic field": {"B_muG": None, "log10_B_muG": np.log(10.0)},
}
COORDINATES = ("z", "log10_M200c", "x")
MINIMUM_RADII = 4


@dataclass(frozen=True)
class HaloProfiles:
    """Profiles on a grid of redshift, mass and radius.

    Attributes
    ----------
    z : array, shape (a,)
        Increasing redshifts; one value where the file has none.
    log10_m200c : array, shape (b,)
        Increasing log10 of M200c [Msun]; one value where the file has none.
    x : array, shape (k,)
        Increasing radii r/R200c, at least four.
    ln_value : array, shape (a, b, k)
        Natural logarithm of n_e [cm^-3] or B [muG].
    """

    z: np.ndarray
    log10_m200c: np.ndarray
    x: np.ndarray
    ln_value: np.ndarray


def read_halo_profiles(path: str | Path, quantity: str) -> HaloProfiles:
    """Read a CSV of profiles; lines that start with ``#`` are comments.

    Parameters
    ----------
    path : str or Path
        File to read.
    quantity : str
        "electron density" (column n_e_cm3, ln_n_e_cm3 or log10_n_e_cm3) or "magnetic field"
        (column B_muG or log10_B_muG).

    Returns
    -------
    HaloProfiles
        Arrays of shape (a,), (b,), (k,) and (a, b, k) [Msun, cm^-3 or muG].

    Raises
    ------
    DataError
        If the file cannot be read, a column is missing, a row is malformed, a value is not
        finite or not positive, fewer than four radii are given or the grid has gaps.

    References
    ----------
    None: a file format.
    """
    names, lines = _cells(path)
    wanted = COLUMNS[quantity]
    for name in names:
        if name not in (*COORDINATES, *wanted):
            raise DataError(
                f"{quantity} {path}: unknown column {name!r}; expected x, one of "
                f"{', '.join(wanted)}, and optionally z and log10_M200c"
            )
    if "x" not in names:
        raise DataError(f"{quantity} {path}: column 'x' (r/R200c) is missing")
    given = [name for name in wanted if name in names]
    if len(given) != 1 or len(set(names)) != len(names):
        raise DataError(
            f"{quantity} {path}: columns {', '.join(names)}; expected each once, and exactly one "
            f"of {', '.join(wanted)}"
        )
    column = given[0]
    table: dict[str, np.ndarray] = {}
    for name in (*COORDINATES, column):
        if name in names:
            table[name] = _numbers(path, quantity, lines, names.index(name), name)
    factor = wanted[column]
    _require(path, quantity, lines, table["x"], "x", "> 0")
    if factor is None:
        _require(path, quantity, lines, table[column], column, "> 0")
    if "z" in table:
        _require(path, quantity, lines, table["z"], "z", ">= 0")
    ln_value = np.log(table[column]) if factor is None else factor * table[column]
    return _gridded(path, quantity, table, ln_value)


def _cells(path: str | Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header names, and each data line as its number and cells."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"profile {path}: cannot be read ({error})") from None
    lines = [(k, x) for k, x in enumerate(text.splitlines(), 1) if x.strip() and x[0] != "#"]
    if len(lines) < 2:
        raise DataError(f"profile {path}: no data rows; expected a header and the radii below it")
    names = [x.strip() for x in lines[0][1].split(",")]
    rows = [(number, line.split(",")) for number, line in lines[1:]]
    for number, cells in rows:
        if len(cells) != len(names):
            raise DataError(
                f"profile {path}, line {number}: {len(cells)} values, expected {len(names)}"
            )
    return names, rows


def _numbers(
    path: str | Path, quantity: str, lines: list[tuple[int, list[str]]], index: int, name: str
) -> np.ndarray:
    """A column as finite numbers."""
    values = []
    for number, cells in lines:
        try:
            values.append(float(cells[index]))
        except ValueError:
            raise DataError(
                f"{quantity} {path}, line {number}: {name} = {cells[index].strip()!r}: expected "
                "a number"
            ) from None
    out = np.array(values)
    _require(path, quantity, lines, out, name)
    return out


def _require(
    path: str | Path,
    quantity: str,
    lines: list[tuple[int, list[str]]],
    column: np.ndarray,
    name: str,
    bound: str = "",
) -> None:
    """Raise for the first value that is not finite or outside the bound ("> 0" or ">= 0")."""
    inside = {"> 0": column > 0.0, ">= 0": column >= 0.0}.get(bound, True)
    bad = ~(np.isfinite(column) & inside)
    if np.any(bad):
        k = int(np.argmax(bad))
        raise DataError(
            f"{quantity} {path}, line {lines[k][0]}: {name} = {column[k]:g}: expected a finite "
            f"number {bound}".rstrip()
        )


def _gridded(
    path: str | Path, quantity: str, table: dict[str, np.ndarray], ln_value: np.ndarray
) -> HaloProfiles:
    """Rows in any order to arrays on the grid that they must fill."""
    n = ln_value.size
    axes, index = [], []
    for name in COORDINATES:
        axis, place = np.unique(table.get(name, np.zeros(n)), return_inverse=True)
        axes.append(axis)
        index.append(place)
    z, log10_m200c, x = axes
    if x.size < MINIMUM_RADII:
        raise DataError(
            f"{quantity} {path}: {x.size} different values of x, expected at least "
            f"{MINIMUM_RADII} radii"
        )
    shape = (z.size, log10_m200c.size, x.size)
    flat = np.ravel_multi_index(tuple(index), shape)
    count = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
    if np.any(count != 1):
        i, j, k = np.argwhere(count != 1)[0]
        raise DataError(
            f"{quantity} {path}: {count[i, j, k]} rows for z = {z[i]:g}, log10_M200c = "
            f"{log10_m200c[j]:g}, x = {x[k]:g}: expected exactly one for every combination of "
            "the redshifts, masses and radii in the file"
        )
    values = np.empty(n)
    values[flat] = ln_value
    return HaloProfiles(z, log10_m200c, x, values.reshape(shape))
