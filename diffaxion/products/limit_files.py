"""Limit curves on disk: the long table ``limits.csv`` and two-column text files.

``limits.csv`` has the columns ``curve, method, prior, m_a_eV, limit, median, minus1, plus1,
plus2, status`` and, after them, ``limit_raw, spread_low, spread_high``. All limits are on g
[GeV^-1]. ``limit`` is empty
where the status is not OK, so that nobody plots by mistake a number that the data do not carry;
``limit_raw`` keeps the number that was computed, for instance where a discontinuity of the field
model rather than physics sets the conversion (``FIELD_STRUCTURE``), and the spread is the range
of that number over the ways of smoothing those discontinuities.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, unknown_name
from ..inference.limits import LimitStatus
from ..provenance import atomic_write

COLUMNS = (
    "curve",
    "method",
    "prior",
    "m_a_eV",
    "limit",
    "median",
    "minus1",
    "plus1",
    "plus2",
    "status",
)
EXTRA_COLUMNS = ("limit_raw", "spread_low", "spread_high")
_NUMBERS = ("limit", "median", "minus1", "plus1", "plus2", *EXTRA_COLUMNS)
_OPTIONAL = ("median", "minus1", "plus1", "plus2", "spread_low", "spread_high")
STATUSES = tuple(status.name for status in LimitStatus)


def _status_names(status: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Status names from names, codes or members of ``LimitStatus``."""
    given = np.atleast_1d(np.asarray(status))
    if given.dtype.kind in "iu":
        names = [LimitStatus(int(code)).name for code in given]
    else:
        names = [getattr(s, "name", str(s)) for s in given]
    for name in names:
        if name not in STATUSES:
            raise unknown_name("limit status", name, STATUSES)
    return np.broadcast_to(np.array(names), shape)


@dataclass(frozen=True)
class LimitCurve:
    """One limit curve with its expected band.

    Attributes
    ----------
    curve : str
        What was analysed, such as ``joint`` or ``quintuplet``.
    method : str
        How, such as ``pcl``, ``profile`` or ``bayes``.
    prior : str
        Prior of a Bayesian limit with its bounds; empty for a frequentist one.
    m_a_eV : array, shape (n,)
        Masses [eV], increasing.
    limit_raw : array, shape (n,)
        95% upper limits on g as computed [GeV^-1]; NaN where there is none.
    status : array of str, shape (n,)
        Names (or codes) of :class:`~diffaxion.inference.LimitStatus`.
    median, minus1, plus1, plus2 : array, shape (n,)
        Expected limits and their bands [GeV^-1]; NaN where there are none.
    spread_low, spread_high : array, shape (n,)
        Range of ``limit_raw`` over smoothing widths of the field [GeV^-1]; NaN where not given.
    """

    curve: str
    method: str
    prior: str
    m_a_eV: np.ndarray
    limit_raw: np.ndarray
    status: np.ndarray = field(default_factory=lambda: np.array("OK"))
    median: np.ndarray | None = None
    minus1: np.ndarray | None = None
    plus1: np.ndarray | None = None
    plus2: np.ndarray | None = None
    spread_low: np.ndarray | None = None
    spread_high: np.ndarray | None = None

    def __post_init__(self) -> None:
        mass = np.atleast_1d(np.asarray(self.m_a_eV, float))
        what = f"limit curve {self.curve!r}"
        if mass.ndim != 1 or not np.all(np.isfinite(mass)) or np.any(mass < 0):
            raise DataError(f"{what}: masses must be a list of finite numbers >= 0 eV")
        if np.any(np.diff(mass) <= 0):
            raise DataError(f"{what}: masses must increase")
        object.__setattr__(self, "m_a_eV", mass)
        object.__setattr__(self, "status", _status_names(self.status, mass.shape))
        for name in ("limit_raw", *_OPTIONAL):
            given = getattr(self, name)
            value = np.full(mass.shape, np.nan) if given is None else np.asarray(given, float)
            if value.shape != mass.shape:
                raise DataError(
                    f"{what}: {name} has shape {value.shape}, the masses have {mass.shape}"
                )
            object.__setattr__(self, name, value)
        bad = self.ok & ~(np.isfinite(self.limit_raw) & (self.limit_raw > 0))
        if np.any(bad):
            k = int(np.argmax(bad))
            raise DataError(
                f"{what}: status OK at m_a = {mass[k]:g} eV, but the limit is "
                f"{self.limit_raw[k]:g} GeV^-1: expected a finite number > 0, or another status"
            )

    @property
    def ok(self) -> np.ndarray:
        """Where the limit may be quoted, shape (n,)."""
        return self.status == "OK"

    @property
    def limit(self) -> np.ndarray:
        """Limits [GeV^-1], NaN where the status is not OK, shape (n,)."""
        return np.where(self.ok, self.limit_raw, np.nan)


def _cell(value: float) -> str:
    return repr(float(value)) if np.isfinite(value) else ""


def limits_csv(curves: Iterable[LimitCurve]) -> str:
    """The text of ``limits.csv``.

    Parameters
    ----------
    curves : iterable of LimitCurve
        The curves, in the order to be written.

    Returns
    -------
    str
        One header line and one line for each curve and mass; numbers are written exactly.

    References
    ----------
    RFC 4180.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*COLUMNS, *EXTRA_COLUMNS))
    for c in curves:
        for k, mass in enumerate(c.m_a_eV):
            bands = (c.median, c.minus1, c.plus1, c.plus2)
            writer.writerow(
                (
                    c.curve,
                    c.method,
                    c.prior,
                    _cell(mass),
                    _cell(c.limit[k]),
                    *(_cell(b[k]) for b in bands if b is not None),
                    c.status[k],
                    _cell(c.limit_raw[k]),
                    *(_cell(b[k]) for b in (c.spread_low, c.spread_high) if b is not None),
                )
            )
    return out.getvalue()


def write_limits(path: str | Path, curves: Iterable[LimitCurve]) -> Path:
    """Write ``limits.csv``, completely or not at all.

    Parameters
    ----------
    path : str or Path
        Destination.
    curves : iterable of LimitCurve
        The curves.

    Returns
    -------
    Path
        The destination.

    References
    ----------
    RFC 4180.
    """
    return atomic_write(path, limits_csv(curves))


def read_limits(path: str | Path) -> list[LimitCurve]:
    """Read ``limits.csv`` back into curves.

    Parameters
    ----------
    path : str or Path
        File written by :func:`write_limits`, or one with the same columns.

    Returns
    -------
    list of LimitCurve
        One curve for each combination of curve, method and prior, in the order of the file.

    Raises
    ------
    DataError
        If the file cannot be read, a column is missing, or a cell is not what it must be.

    References
    ----------
    RFC 4180.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the limit file {path}: {error}") from error
    reader = csv.DictReader(io.StringIO(text))
    names = reader.fieldnames or []
    missing = [c for c in COLUMNS if c not in names]
    if missing:
        raise DataError(f"{path}: columns {', '.join(missing)} are missing; found {list(names)}")
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in reader:
        where = f"{path}, line {reader.line_num}"
        if None in row or None in row.values():
            raise DataError(f"{where}: expected {len(names)} cells")
        values: dict[str, Any] = {"status": row["status"]}
        for name in ("m_a_eV", *_NUMBERS):
            cell = row.get(name, "")
            try:
                values[name] = float(cell) if cell else np.nan
            except ValueError:
                raise DataError(f"{where}: {name} = {cell!r}, expected a number") from None
        if (row["status"] == "OK") != np.isfinite(values["limit"]):
            raise DataError(
                f"{where}: limit = {row['limit']!r} with status {row['status']!r}: the limit is "
                "given exactly where the status is OK"
            )
        if row["status"] == "OK":
            values["limit_raw"] = values["limit"]
        groups.setdefault((row["curve"], row["method"], row["prior"]), []).append(values)
    curves = []
    for (curve, method, prior), rows in groups.items():
        column = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        curves.append(
            LimitCurve(
                curve,
                method,
                prior,
                column["m_a_eV"],
                column["limit_raw"],
                column["status"],
                column["median"],
                column["minus1"],
                column["plus1"],
                column["plus2"],
                column["spread_low"],
                column["spread_high"],
            )
        )
    return curves


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-") or "curve"


def write_two_column(folder: str | Path, curve: LimitCurve, comments: Sequence[str] = ()) -> Path:
    """Write ``<folder>/<curve>_<method>.txt``: mass [eV] and limit on g [GeV^-1].

    The file has the form of the AxionLimits collection: comment lines, then two columns. Only
    masses with status OK are written; the header says how many were left out, and why.

    Parameters
    ----------
    folder : str or Path
        Folder, usually ``limits``.
    curve : LimitCurve
        The curve.
    comments : sequence of str
        Further lines of the header, such as the configuration hash.

    Returns
    -------
    Path
        The file.

    References
    ----------
    O'Hare, AxionLimits, https://cajohare.github.io/AxionLimits/.
    """
    left_out = {s: int(np.sum(curve.status == s)) for s in STATUSES[1:] if s in curve.status}
    header = [
        f"{curve.curve}: 95% upper limit on the axion-photon coupling, method {curve.method}"
        + (f", prior {curve.prior}" if curve.prior else ""),
        *(f"left out: {n} masses with status {s}" for s, n in left_out.items()),
        *comments,
        "Columns: m_a [eV], g_agg [GeV^-1]",
    ]
    lines = [f"# {' '.join(line.split())}" for line in header]
    pairs = zip(curve.m_a_eV[curve.ok], curve.limit_raw[curve.ok])
    lines += [f"{mass:.6e} {limit:.6e}" for mass, limit in pairs]
    name = f"{_slug(curve.curve)}_{_slug(curve.method)}.txt"
    return atomic_write(Path(folder) / name, "\n".join(lines) + "\n")
