"""The small tables that travel with the package, with their provenance.

Tables live in ``diffaxion/data/tables/*.ecsv``. The header of each names its columns, units,
``description``, ``source``, ``licence`` and ``nature`` (measured, published-fit, derived,
simulated or synthetic), which products must repeat.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, unknown_name

REQUIRED_META = ("description", "source", "licence", "nature")


@dataclass(frozen=True)
class BundledTable:
    """A bundled table: columns as float64 (or string) arrays, units and provenance.

    Attributes
    ----------
    name : str
        File stem.
    columns : dict of str to array, shape (n,)
        Columns by name.
    units : dict of str to str
        Unit of each column; empty for dimensionless ones.
    meta : dict
        ``description``, ``source``, ``licence``, ``nature`` and further keys of the header.
    """

    name: str
    columns: dict[str, np.ndarray]
    units: dict[str, str]
    meta: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, column: str) -> np.ndarray:
        if column not in self.columns:
            raise unknown_name(f"column of table {self.name}", column, self.columns)
        return self.columns[column]


def _folder() -> Path:
    return Path(str(files("diffaxion.data"))) / "tables"


def table_names() -> list[str]:
    """Names of all bundled tables.

    Returns
    -------
    list of str
        File stems, sorted (no unit).

    References
    ----------
    None: a list of files.
    """
    return sorted(p.stem for p in _folder().glob("*.ecsv"))


@functools.lru_cache(maxsize=64)
def load_table(name: str) -> BundledTable:
    """Read a bundled table.

    Parameters
    ----------
    name : str
        File stem; :func:`table_names` lists them.

    Returns
    -------
    BundledTable
        Columns, shape (n,) each, with units and provenance.

    Raises
    ------
    ConfigurationError
        If no table has this name.
    DataError
        If the header lacks a required provenance key.

    References
    ----------
    Taylor 2020, ECSV 1.0 (Astropy Proposal for Enhancement 6), the format; each table names its
    own source.
    """
    if name not in table_names():
        raise unknown_name("bundled table", name, table_names())
    from astropy.table import Table

    table = Table.read(_folder() / f"{name}.ecsv", format="ascii.ecsv")
    missing = [key for key in REQUIRED_META if key not in table.meta]
    if missing:
        raise DataError(f"table {name}.ecsv: header lacks {', '.join(missing)}")
    columns = {c: np.asarray(table[c]) for c in table.colnames}
    units = {c: "" if table[c].unit is None else str(table[c].unit) for c in table.colnames}
    return BundledTable(name, columns, units, dict(table.meta))
