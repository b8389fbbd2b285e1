"""Reader of a redshift distribution: two columns, z and dN/dz."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..numerics import spline_curvature

TOLERANCE = 0.01


def read_redshift_table(
    path: str | Path, normalise: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read columns z and dN/dz, separated by commas or blanks, and check them.

    Lines that start with ``#`` are comments; one line of column names (``z`` and ``dndz``, in
    either order, among others) may come first, as in CSV and ECSV files.

    Parameters
    ----------
    path : str or Path
        File to read.
    normalise : bool
        Divide by the integral, instead of refusing one that differs from 1 by more than 1%.

    Returns
    -------
    z, dndz, curvature : array, shape (n,)
        Redshifts, dN/dz with integral 1, and the second derivatives of its not-a-knot spline.

    Raises
    ------
    DataError
        If the file cannot be read, has fewer than four rows, a row is malformed, a value is
        negative or not finite, z does not increase, or the integral is not 1.

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter IV (not-a-knot).
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"redshift distribution {path}: cannot be read ({error})") from None
    lines = [
        (number, line.replace(",", " ").split())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    columns = (0, 1)
    if lines and not _is_number(lines[0][1][0]):
        names = lines.pop(0)[1]
        if "z" not in names or "dndz" not in names:
            raise DataError(
                f"redshift distribution {path}: columns are {', '.join(names)}; expected z and "
                f"dndz, or two columns without names"
            )
        columns = (names.index("z"), names.index("dndz"))
    if len(lines) < 4:
        raise DataError(
            f"redshift distribution {path}: {len(lines)} rows; a cubic spline needs 4 or more"
        )
    rows = []
    for number, cells in lines:
        try:
            rows.append([float(cells[k]) for k in columns])
        except (ValueError, IndexError):
            raise DataError(
                f"redshift distribution {path}, line {number}: not two numbers in "
                f"{' '.join(cells)!r}"
            ) from None
    z, dndz = np.array(rows).T
    _check_rows(path, [number for number, _ in lines], z, dndz)
    curvature = spline_curvature(z, dndz)
    integral = spline_integral(z, dndz, curvature)
    if not integral > 0.0:
        raise DataError(
            f"redshift distribution {path}: the integral of dndz is {integral:.4g}; expected 1"
        )
    if normalise:
        return z, dndz / integral, curvature / integral
    if abs(integral - 1.0) > TOLERANCE:
        raise DataError(
            f"redshift distribution {path}: the integral of dndz over z is {integral:.4g}; "
            f"expected 1 within 1%. Divide the column by it, or pass normalise=True"
        )
    return z, dndz, curvature


def spline_integral(z: np.ndarray, value: np.ndarray, curvature: np.ndarray) -> float:
    """Integral of the cubic spline with these second derivatives at its nodes."""
    h = np.diff(z)
    ends = 0.5 * h * (value[1:] + value[:-1])
    return float(np.sum(ends - h**3 / 24.0 * (curvature[1:] + curvature[:-1])))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_rows(path: str | Path, numbers: list[int], z: np.ndarray, dndz: np.ndarray) -> None:
    """Refuse values that are negative or not finite, and redshifts that do not increase."""
    for name, column in (("z", z), ("dndz", dndz)):
        for number, value in zip(numbers, column, strict=True):
            if not math.isfinite(value) or value < 0.0:
                raise DataError(
                    f"redshift distribution {path}, line {number}: {name} = {value:g}; expected a "
                    f"finite number >= 0; remove the row or correct it"
                )
    steps = np.diff(z)
    if np.any(steps <= 0.0):
        k = int(np.argmax(steps <= 0.0)) + 1
        raise DataError(
            f"redshift distribution {path}, line {numbers[k]}: z = {z[k]:g} does not exceed "
            f"{z[k - 1]:g} before it; sort the rows by z and remove repetitions"
        )
