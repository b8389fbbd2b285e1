"""Reader of linear matter power spectra P(k, z) from the user's files."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError

COLUMNS = ("z", "k_Mpc", "power_Mpc3")


@dataclass(frozen=True)
class LinearPowerTable:
    """A linear power spectrum on a rectangular grid.

    Attributes
    ----------
    z : array, shape (n,)
        Increasing redshifts.
    k_Mpc : array, shape (k,)
        Increasing comoving wave numbers, without h [1/Mpc].
    power_Mpc3 : array, shape (n, k)
        Positive power [Mpc^3].
    """

    z: np.ndarray
    k_Mpc: np.ndarray
    power_Mpc3: np.ndarray


def validate_linear_power(
    z: np.ndarray, k_Mpc: np.ndarray, power_Mpc3: np.ndarray, where: str = "power spectrum"
) -> LinearPowerTable:
    """Check the arrays of a linear power spectrum.

    Parameters
    ----------
    z : array, shape (n,)
        Redshifts.
    k_Mpc : array, shape (k,)
        Comoving wave numbers, without h [1/Mpc].
    power_Mpc3 : array, shape (n, k)
        Power [Mpc^3].
    where : str
        What the messages call the arrays.

    Returns
    -------
    LinearPowerTable
        The same as float64 arrays; shapes (n,), (k,) and (n, k).

    Raises
    ------
    DataError
        If the shapes do not fit, or a value is not finite, not positive or not sorted.

    References
    ----------
    None: a check of input.
    """
    z, k, power = (np.asarray(x, float) for x in (z, k_Mpc, power_Mpc3))
    for name, nodes, low in (("z", z, 0.0), ("k_Mpc", k, np.nextafter(0.0, 1.0))):
        if nodes.ndim != 1 or nodes.size == 0:
            raise DataError(f"{where}: {name} has shape {nodes.shape}, expected one dimension")
        if not np.all(np.isfinite(nodes) & (nodes >= low)) or np.any(np.diff(nodes) <= 0.0):
            raise DataError(
                f"{where}: {name} from {nodes[0]:g} to {nodes[-1]:g}: expected finite, strictly "
                f"increasing values {'>= 0' if low == 0.0 else '> 0'}"
            )
    if power.shape != (z.size, k.size):
        raise DataError(
            f"{where}: power_Mpc3 has shape {power.shape}, expected {(z.size, k.size)}: one row "
            "per redshift and one column per wave number"
        )
    bad = ~(np.isfinite(power) & (power > 0.0))
    if np.any(bad):
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{where}: P = {power[row, column]} at z = {z[row]:g}, k = {k[column]:g} /Mpc: "
            "expected finite positive values [Mpc^3]"
        )
    return LinearPowerTable(z, k, power)


def read_linear_power(path: str | Path) -> LinearPowerTable:
    """Read P(k, z) from an ``.npz``, ECSV or text file, in units without h.

    ``.npz``: arrays ``z`` (n,), ``k_Mpc`` (k,) and ``power_Mpc3`` (n, k). ``.ecsv``: columns
    ``z``, ``k_Mpc`` and ``power_Mpc3``, one row per point of a rectangular grid in any order.
    Anything else: the same three columns as plain numbers separated by blanks, ``#`` comments.

    Parameters
    ----------
    path : str or Path
        File to read.

    Returns
    -------
    LinearPowerTable
        z, shape (n,); k [1/Mpc], shape (k,); P [Mpc^3], shape (n, k).

    Raises
    ------
    DataError
        If the file cannot be read, an array or column is missing, the shapes do not fit, the
        points do not fill a rectangle, or a value is not finite, not positive or not sorted.

    References
    ----------
    None: a file format.
    """
    path = Path(path)
    where = f"power spectrum {path}"
    try:
        if path.suffix == ".npz":
            z, k, power = _read_npz(path)
            return validate_linear_power(z, k, power, where)
        rows = _read_ecsv(path) if path.suffix == ".ecsv" else np.loadtxt(path, ndmin=2).T
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"power spectrum {path}: cannot be read ({error})") from None
    if len(rows) != len(COLUMNS):
        raise DataError(
            f"power spectrum {path}: {len(rows)} columns, expected {len(COLUMNS)}: "
            f"{', '.join(COLUMNS)}"
        )
    return validate_linear_power(*_rectangle(path, *rows), where=where)


def _read_npz(path: Path) -> list[np.ndarray]:
    # A handle of our own: np.load leaves its own open when the file is no archive.
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
        missing = [name for name in COLUMNS if name not in stored]
        if missing:
            raise DataError(
                f"power spectrum {path}: array {missing[0]!r} is missing (found "
                f"{', '.join(stored.files) or 'none'}); expected {', '.join(COLUMNS)}"
            )
        return [np.asarray(stored[name], float) for name in COLUMNS]


def _read_ecsv(path: Path) -> list[np.ndarray]:
    from astropy.table import Table

    table = Table.read(path, format="ascii.ecsv")
    missing = [name for name in COLUMNS if name not in table.colnames]
    if missing:
        raise DataError(
            f"power spectrum {path}: column {missing[0]!r} is missing (found "
            f"{', '.join(table.colnames)}); expected {', '.join(COLUMNS)}"
        )
    return [np.ma.filled(np.ma.asarray(table[name], float), np.nan) for name in COLUMNS]


def _rectangle(
    path: Path, z: np.ndarray, k: np.ndarray, power: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows (z, k, P) in any order to axes and a matrix."""
    redshifts, i = np.unique(z, return_inverse=True)
    numbers, j = np.unique(k, return_inverse=True)
    shape = (redshifts.size, numbers.size)
    cells = np.bincount(i * numbers.size + j, minlength=shape[0] * shape[1])
    for wrong, what in ((cells == 0, "is missing"), (cells > 1, "appears more than once")):
        if np.any(wrong):
            row, column = divmod(int(np.argmax(wrong)), numbers.size)
            raise DataError(
                f"power spectrum {path}: the point z = {redshifts[row]:g}, k = "
                f"{numbers[column]:g} /Mpc {what}: expected each of {shape[0]} redshifts with each "
                f"of {shape[1]} wave numbers once"
            )
    matrix = np.empty(shape)
    matrix[i, j] = power
    return redshifts, numbers, matrix
