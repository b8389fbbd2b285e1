"""Spectra in OGIP format (PHA): counts per channel, with the files that belong to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from .fits_checks import (
    FitsTable,
    check_counts,
    exposure_in,
    identity,
    number_in,
    open_fits,
    text_in,
)
from .ogip import Redistribution


@dataclass(frozen=True)
class Spectrum:
    """Counts per channel of one extraction region.

    Attributes
    ----------
    channel : array of int, shape (c,)
        Consecutive channel numbers, as in the file.
    counts : array, shape (c,)
        Counts.
    exposure_s : float
        Exposure, dead time taken off [s].
    backscale : float
        BACKSCAL: size of the extraction region in units of the file's maker.
    grouping, quality : array of int, shape (c,)
        1 starts a group of channels and -1 continues it; quality 0 is good.
    background_file, rmf_file, arf_file : str
        Files that the header names; empty for none.
    module, obs_id : str
        INSTRUME and OBS_ID.
    source : str
        File, for messages.
    """

    channel: np.ndarray
    counts: np.ndarray
    exposure_s: float
    backscale: float
    grouping: np.ndarray
    quality: np.ndarray
    background_file: str = ""
    rmf_file: str = ""
    arf_file: str = ""
    module: str = ""
    obs_id: str = ""
    source: str = "PHA"


def read_pha(path: str | Path, asimov: bool = False) -> Spectrum:
    """Read an OGIP spectrum (``.pha``, ``.pha.gz``).

    Parameters
    ----------
    path : str or Path
        File with a table SPECTRUM: CHANNEL, COUNTS.
    asimov : bool
        Allow counts that are not whole numbers (expected counts).

    Returns
    -------
    Spectrum
        c channels.

    Raises
    ------
    DataError
        If the file is missing or damaged, lacks the table, a column or EXPOSURE, holds rates or a
        background-subtracted spectrum, BACKSCAL changes with the channel, AREASCAL is not 1, or
        counts are negative or not whole numbers.

    References
    ----------
    Arnaud, George & Tennant 1992, Legacy 2, 65 (OGIP memo OGIP/92-007).
    """
    with open_fits(path, "spectrum (table SPECTRUM)") as file:
        table = file.table(("SPECTRUM",), [("HDUCLAS1", "SPECTRUM")])
        head, where = table.header, table.where
        if "COUNTS" not in table.names and "RATE" in table.names:
            raise DataError(
                f"{where}: holds RATE, expected COUNTS: the likelihood needs numbers of photons; "
                "extract the spectrum as counts"
            )
        if text_in(head, "HDUCLAS2").upper() == "NET":
            raise DataError(
                f"{where}: HDUCLAS2 = 'NET': the background is subtracted, so that counts are "
                "not Poisson distributed; expected TOTAL"
            )
        channel, counts = table.column("CHANNEL"), table.column("COUNTS")
        # A quality that all channels share may stand in the header.
        shared = number_in(where, head, "QUALITY", 0)
        grouping, quality = (
            table.column(name) if name in table.names else np.full(counts.size, float(default))
            for name, default in (("GROUPING", 1), ("QUALITY", shared))
        )
        backscale, areascale = (_scale(table, name) for name in ("BACKSCAL", "AREASCAL"))
    check_counts(where, "COUNTS", counts, asimov)
    for name, values in (("CHANNEL", channel), ("GROUPING", grouping), ("QUALITY", quality)):
        if not np.all(np.isfinite(values)) or np.any(np.abs(values) > 1e6):
            raise DataError(f"{where}: column {name} must hold small whole numbers")
    if np.any(np.diff(channel) != 1.0) or channel[0] != np.round(channel[0]):
        raise DataError(f"{where}: CHANNEL must count up in steps of 1")
    detectors = head.get("DETCHANS", channel.size)
    if detectors != channel.size:
        raise DataError(f"{where}: DETCHANS = {detectors!r}, but there are {channel.size} rows")
    if areascale != 1.0:
        raise DataError(
            f"{where}: AREASCAL = {areascale:g}, expected 1: scale the effective area instead"
        )
    module, obs_id = identity(where, head, required=False)
    return Spectrum(
        channel.astype(int),
        counts,
        exposure_in(where, head),
        backscale,
        grouping.astype(int),
        quality.astype(int),
        _file_name(head.get("BACKFILE")),
        _file_name(head.get("RESPFILE")),
        _file_name(head.get("ANCRFILE")),
        module,
        obs_id,
        str(path),
    )


def _scale(table: FitsTable, name: str) -> float:
    """A factor from the header or, where all channels agree, from a column; 1 if not given."""
    found = number_in(table.where, table.header, name, 1.0)
    if name in table.names:
        values = table.column(name)
        if not np.all(values == values[0]):
            raise DataError(
                f"{table.where}: column {name} goes from {values.min():g} to {values.max():g}; "
                "expected one number for all channels"
            )
        found = float(values[0])
    if not 0.0 < found < np.inf:
        raise DataError(f"{table.where}: {name} = {found:g}, expected a finite number > 0")
    return found


def _file_name(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    return "" if text.lower() == "none" else text


def check_spectrum(spectrum: Spectrum, rmf: Redistribution) -> None:
    """Refuse a spectrum whose channels are not those of a redistribution matrix.

    Parameters
    ----------
    spectrum : Spectrum
        Counts per channel, c channels.
    rmf : Redistribution
        Matrix to n rows and c channels.

    Returns
    -------
    None
        Nothing; a spectrum that fits passes.

    Raises
    ------
    DataError
        If the number of channels or the first channel differs.

    References
    ----------
    None: a validation.
    """
    if spectrum.counts.size != rmf.channel_low_keV.size:
        raise DataError(
            f"{spectrum.source} has {spectrum.counts.size} channels, {rmf.source} has "
            f"{rmf.channel_low_keV.size}; expected the same number"
        )
    if spectrum.channel[0] != rmf.first_channel:
        raise DataError(
            f"{spectrum.source} starts at channel {spectrum.channel[0]}, {rmf.source} at "
            f"{rmf.first_channel} (TLMIN of F_CHAN); expected the same number"
        )
