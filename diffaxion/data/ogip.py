"""Spectral responses in OGIP format: effective area (ARF) and redistribution (RMF).

A row of a redistribution matrix says where photons of one energy are counted. It is stored as
groups of neighbouring channels: group k of a row starts at channel F_CHAN[k] and has N_CHAN[k]
values in MATRIX. Channels are numbered from TLMIN of F_CHAN on, 0 for NuSTAR and 1 for others: a
wrong guess shifts a spectrum by a channel, so that it is never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError
from .fits_checks import FitsTable, check_finite, open_fits, text_in

ROW_SUM_MAX = 1.05
_ENERGY_UNITS = ("", "KEV")
_AREA_UNITS = ("", "CM**2", "CM2", "CM^2", "CM 2", "CM+2")
_ARF_TABLES = ("SPECRESP",)
_RMF_TABLES = ("MATRIX", "SPECRESP MATRIX")
_NO_AREA = ("REDIST", "DETECTOR")


@dataclass(frozen=True)
class AncillaryResponse:
    """Effective area in energy bins.

    Attributes
    ----------
    low_keV, high_keV : array, shape (n,)
        Edges of touching energy bins [keV].
    area_cm2 : array, shape (n,)
        Effective area [cm^2].
    module : str
        INSTRUME of the file (FPMA, FPMB), or empty.
    source : str
        File, for messages.
    """

    low_keV: np.ndarray
    high_keV: np.ndarray
    area_cm2: np.ndarray
    module: str = ""
    source: str = "ARF"

    def __post_init__(self) -> None:
        _check_energies(self.source, self.low_keV, self.high_keV)
        _check_not_negative(self.source, "SPECRESP", self.area_cm2)


@dataclass(frozen=True)
class Redistribution:
    """Redistribution matrix as a list of its entries.

    Attributes
    ----------
    low_keV, high_keV : array, shape (n,)
        Edges of touching bins of photon energy, the rows [keV].
    row, channel : array of int, shape (v,)
        Row and channel of each entry, both counted from zero.
    value : array, shape (v,)
        Probability, or effective area [cm^2] where ``includes_area``.
    channel_low_keV, channel_high_keV : array, shape (c,)
        Nominal energies of the channels (EBOUNDS) [keV].
    first_channel : int
        Number that the file gives to channel zero (TLMIN of F_CHAN).
    includes_area : bool
        Whether the matrix is already multiplied by the effective area ("SPECRESP MATRIX").
    source : str
        File, for messages.
    """

    low_keV: np.ndarray
    high_keV: np.ndarray
    row: np.ndarray
    channel: np.ndarray
    value: np.ndarray
    channel_low_keV: np.ndarray
    channel_high_keV: np.ndarray
    first_channel: int = 0
    includes_area: bool = False
    source: str = "RMF"

    def __post_init__(self) -> None:
        where = self.source
        _check_energies(where, self.low_keV, self.high_keV)
        _check_energies(where, self.channel_low_keV, self.channel_high_keV, ("E_MIN", "E_MAX"))
        _check_not_negative(where, "MATRIX", self.value)
        outside = (self.channel < 0) | (self.channel >= self.channel_low_keV.size)
        if outside.any():
            k = int(np.argmax(outside))
            raise DataError(
                f"{where}: row {int(self.row[k]) + 1} of the matrix reaches channel "
                f"{int(self.channel[k]) + self.first_channel}; EBOUNDS has channels "
                f"{self.first_channel} to {self.first_channel + self.channel_low_keV.size - 1}; "
                "is TLMIN of F_CHAN right?"
            )
        sums = self.row_sums()
        if not self.includes_area and np.max(sums) > ROW_SUM_MAX:
            k = int(np.argmax(sums))
            raise DataError(
                f"{where}: MATRIX row {k + 1} ({self.low_keV[k]:g}-{self.high_keV[k]:g} keV) sums "
                f"to {sums[k]:.4g}, expected at most {ROW_SUM_MAX}; does it include the effective "
                "area (then its table should be named 'SPECRESP MATRIX')?"
            )

    def row_sums(self) -> np.ndarray:
        """Sum over the channels of each row.

        Returns
        -------
        array, shape (n,)
            Probability of being counted at all (or area [cm^2] where ``includes_area``).
        """
        return np.bincount(self.row, weights=self.value, minlength=self.low_keV.size)

    def binned(self, low_keV: ArrayLike, high_keV: ArrayLike) -> np.ndarray:
        """Probability that a photon of each energy row is counted in each bin.

        Parameters
        ----------
        low_keV, high_keV : array, shape (b,)
            Bin edges; a channel that one cuts is shared in proportion [keV].

        Returns
        -------
        array, shape (n, b)
            The matrix summed over the channels of each bin.

        Raises
        ------
        DataError
            If a bin leaves the channels.
        """
        low, high = np.asarray(low_keV, float), np.asarray(high_keV, float)
        a, b = self.channel_low_keV, self.channel_high_keV
        slack = 1e-3 * float(np.min(b - a))
        if np.min(low) < a[0] - slack or np.max(high) > b[-1] + slack:
            raise DataError(
                f"{self.source}: bins span {np.min(low):g}-{np.max(high):g} keV but the channels "
                f"cover {a[0]:g}-{b[-1]:g} keV; drop the bins outside"
            )
        inside = np.minimum(b[:, None], high) - np.maximum(a[:, None], low)
        share = np.clip(inside / (b - a)[:, None], 0.0, 1.0)
        # EBOUNDS are 32-bit numbers: edges that agree to that precision do not cut a channel.
        share = np.where(share < 1e-3, 0.0, np.where(share > 1.0 - 1e-3, 1.0, share))
        n = self.low_keV.size
        columns = [np.bincount(self.row, self.value * s[self.channel], n) for s in share.T]
        return np.stack(columns, axis=-1)


def _check_energies(
    where: str, low: np.ndarray, high: np.ndarray, names: tuple[str, str] = ("ENERG_LO", "ENERG_HI")
) -> None:
    """Refuse energy bins that are negative, unordered or do not touch."""
    first, second = names
    check_finite(where, first, low)
    check_finite(where, second, high)
    if low[0] < 0.0:
        raise DataError(f"{where}: {first} starts at {low[0]:g} keV, expected energies >= 0")
    bad = high <= low
    if bad.any():
        k = int(np.argmax(bad))
        raise DataError(
            f"{where}: row {k + 1} has {first} = {low[k]:g} and {second} = {high[k]:g} keV; "
            "expected increasing energies"
        )
    gap = np.abs(low[1:] - high[:-1]) > 1e-2 * (high - low)[1:]
    if gap.any():
        k = int(np.argmax(gap)) + 1
        raise DataError(
            f"{where}: row {k + 1} starts at {first} = {low[k]:g} keV, row {k} ends at "
            f"{high[k - 1]:g} keV; expected energies in order, without gaps or overlap"
        )


def _check_not_negative(where: str, name: str, values: np.ndarray) -> None:
    check_finite(where, name, values)
    if values.size and values.min() < 0.0:
        raise DataError(f"{where}: {name} reaches {values.min():g}, expected values >= 0")
    if not np.any(values > 0.0):
        raise DataError(f"{where}: {name} is zero everywhere")


def _check_unit(table: FitsTable, name: str, accepted: tuple[str, ...]) -> None:
    unit = str(table.keyword("TUNIT", name) or "").strip()
    if unit.upper() not in accepted:
        raise DataError(
            f"{table.where}: TUNIT{table.index(name) + 1} of {name} is {unit!r}, expected "
            f"{accepted[1].lower() if accepted is _AREA_UNITS else 'keV'!r}"
        )


def _energies(table: FitsTable, names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    for name in names:
        _check_unit(table, name, _ENERGY_UNITS)
    return table.column(names[0]), table.column(names[1])


def read_arf(path: str | Path) -> AncillaryResponse:
    """Read an OGIP ancillary response file (``.arf``, ``.arf.gz``).

    Parameters
    ----------
    path : str or Path
        File with a table SPECRESP: ENERG_LO, ENERG_HI [keV], SPECRESP [cm^2].

    Returns
    -------
    AncillaryResponse
        n energy bins [keV, cm^2].

    Raises
    ------
    DataError
        If the file is missing or damaged, lacks the table or a column, or has energies that are
        unordered or negative, other units, or an area that is negative or zero everywhere.

    References
    ----------
    George et al. 1992, Legacy 2, 51 (OGIP memo CAL/GEN/92-002).
    """
    with open_fits(path, "effective area (table SPECRESP)") as file:
        table = file.table(_ARF_TABLES, [("HDUCLAS2", "SPECRESP")])
        low, high = _energies(table, ("ENERG_LO", "ENERG_HI"))
        _check_unit(table, "SPECRESP", _AREA_UNITS)
        area = table.column("SPECRESP")
    return AncillaryResponse(low, high, area, text_in(table.header, "INSTRUME"), str(path))


def read_rmf(path: str | Path, first_channel: int | None = None) -> Redistribution:
    """Read an OGIP redistribution matrix file (``.rmf``, ``.rmf.gz``).

    Parameters
    ----------
    path : str or Path
        File with tables MATRIX (or SPECRESP MATRIX) and EBOUNDS; rows of fixed or variable length.
    first_channel : int, optional
        Number of the first channel, for files whose header lacks TLMIN of F_CHAN.

    Returns
    -------
    Redistribution
        n rows of photon energy and c channels [keV].

    Raises
    ------
    DataError
        If the file is missing or damaged, lacks a table or a column, TLMIN is missing or does not
        agree with EBOUNDS, there are several matrices, energies are unordered, groups leave the
        channels or the row, or a row sums to more than 1.05.

    References
    ----------
    George et al. 1992, Legacy 2, 51 (OGIP memo CAL/GEN/92-002); its addendum CAL/GEN/92-002a.
    """
    with open_fits(path, "redistribution matrix (tables MATRIX and EBOUNDS)") as file:
        matrix = file.table(_RMF_TABLES, [("HDUCLAS2", "RSP_MATRIX")], alone=True)
        bounds = file.table(("EBOUNDS",), [("HDUCLAS2", "EBOUNDS")])
        low, high = _energies(matrix, ("ENERG_LO", "ENERG_HI"))
        channel_low, channel_high = _energies(bounds, ("E_MIN", "E_MAX"))
        first = _first_channel(matrix, bounds, first_channel)
        row, channel, value = _entries(matrix, first)
    kind = text_in(matrix.header, "HDUCLAS3").upper()
    includes = kind == "FULL" or text_in(matrix.header, "EXTNAME").upper() == "SPECRESP MATRIX"
    if includes and kind in _NO_AREA:
        # Older tools give every matrix the name SPECRESP MATRIX.
        includes = bool(np.max(np.bincount(row, value, low.size)) > ROW_SUM_MAX)
    return Redistribution(
        low, high, row, channel, value, channel_low, channel_high, first, includes, str(path)
    )


def _first_channel(matrix: FitsTable, bounds: FitsTable, given: int | None) -> int:
    """Number of the first channel: TLMIN of F_CHAN, which EBOUNDS must confirm."""
    key = f"TLMIN{matrix.index('F_CHAN') + 1}"
    found = matrix.header.get(key)
    if found is None:
        if given is None:
            raise DataError(
                f"{matrix.where}: keyword {key} (number of the first channel of F_CHAN) is "
                "missing; write it into the header (0 for NuSTAR), or pass first_channel=0 or 1 if "
                "you know it"
            )
        found = given
    elif given is not None and given != found:
        raise DataError(f"{matrix.where}: {key} = {found!r}, but first_channel = {given}")
    channel = bounds.column("CHANNEL")
    if found != channel[0]:
        raise DataError(
            f"{matrix.where}: the first channel is {key} = {found!r}, but CHANNEL of EBOUNDS "
            f"starts at {channel[0]:g}; expected the same number"
        )
    if np.any(np.diff(channel) != 1.0):
        raise DataError(f"{bounds.where}: CHANNEL must count up in steps of 1")
    detectors = matrix.header.get("DETCHANS", channel.size)
    if detectors != channel.size:
        raise DataError(
            f"{matrix.where}: DETCHANS = {detectors!r}, but EBOUNDS has {channel.size} channels"
        )
    return int(channel[0])


def _whole(table: FitsTable, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A column of counters, flat, with the number in each row."""
    values, lengths = table.ragged(name)
    if np.any(values != np.round(values)) or np.any(np.abs(values) > 1e9):
        raise DataError(f"{table.where}: column {name} must hold whole numbers")
    return values.astype(np.int64), lengths


def _entries(table: FitsTable, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, channel (from zero) and value of every entry of the matrix."""
    groups, _ = _whole(table, "N_GRP")
    if groups.size != table.rows:
        raise DataError(f"{table.where}: column N_GRP must hold one number per row")
    starts, starts_len = _whole(table, "F_CHAN")
    counts, counts_len = _whole(table, "N_CHAN")
    values, values_len = table.ragged("MATRIX")
    bad = (groups < 0) | (groups > starts_len) | (groups > counts_len)
    if bad.any():
        j = int(np.argmax(bad))
        raise DataError(
            f"{table.where}: row {j + 1} announces N_GRP = {groups[j]} groups, F_CHAN has "
            f"{starts_len[j]} and N_CHAN {counts_len[j]}"
        )
    row = np.repeat(np.arange(table.rows), groups)
    k = _within(groups)
    start = starts[_first(starts_len)[row] + k] - first
    count = counts[_first(counts_len)[row] + k]
    if np.any(count < 0):
        raise DataError(f"{table.where}: column N_CHAN holds negative numbers")
    used = np.bincount(row, weights=count, minlength=table.rows)
    short = used > values_len
    if short.any():
        j = int(np.argmax(short))
        raise DataError(
            f"{table.where}: row {j + 1}: N_CHAN announces {used[j]:.0f} values, MATRIX has "
            f"{values_len[j]}"
        )
    # Values of a row follow each other group by group.
    before = np.cumsum(count) - count
    row_start = _first(used.astype(np.int64))[row]
    place = _first(values_len)[row] + before - row_start
    inner = _within(count)
    value = values[np.repeat(place, count) + inner]
    channel = np.repeat(start, count) + inner
    entry_row = np.repeat(row, count)
    keep = value != 0.0
    return entry_row[keep], channel[keep], value[keep]


def _first(lengths: np.ndarray) -> np.ndarray:
    """Where each piece starts in the row of all pieces."""
    return np.cumsum(lengths) - lengths


def _within(lengths: np.ndarray) -> np.ndarray:
    """0, 1, ... inside each piece."""
    return np.arange(int(np.sum(lengths))) - np.repeat(_first(lengths), lengths)


def check_response(arf: AncillaryResponse, rmf: Redistribution) -> None:
    """Refuse an effective area and a redistribution that do not belong together.

    Parameters
    ----------
    arf : AncillaryResponse
        Effective area, n energies.
    rmf : Redistribution
        Redistribution, n rows.

    Returns
    -------
    None
        Nothing; responses that fit pass.

    Raises
    ------
    DataError
        If their energies differ, or the matrix already includes the area.

    References
    ----------
    None: a validation.
    """
    if rmf.includes_area:
        raise DataError(
            f"{rmf.source} already includes the effective area (SPECRESP MATRIX): use it without "
            f"{arf.source}"
        )
    if arf.low_keV.size != rmf.low_keV.size:
        raise DataError(
            f"{arf.source} has {arf.low_keV.size} energies, {rmf.source} has {rmf.low_keV.size}; "
            "expected the same ENERG_LO and ENERG_HI"
        )
    width = rmf.high_keV - rmf.low_keV
    for name in ("low_keV", "high_keV"):
        a, b = getattr(arf, name), getattr(rmf, name)
        off = np.abs(a - b) > 1e-2 * width
        if off.any():
            k = int(np.argmax(off))
            label = "ENERG_LO" if name == "low_keV" else "ENERG_HI"
            raise DataError(
                f"{arf.source} and {rmf.source} have different energies: {label} of row {k + 1} "
                f"is {a[k]:g} and {b[k]:g} keV; expected the same grid"
            )
