"""Event lists of NuSTAR, binned to images: where, when and with which energy photons arrived."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError
from .energy_bins import PI_CHANNELS, PI_STEP_KEV, PI_ZERO_KEV, pi_channels
from .fits_checks import (
    FitsTable,
    check_finite,
    exposure_in,
    identity,
    number_in,
    open_fits,
    text_in,
)
from .sky_grid import SkyGrid, grid_from_header

GRADES = (0, 26)
"""Grades of the standard processing; higher ones are not attributed to photons."""

SIDE_MAX = 20_000


@dataclass(frozen=True)
class EventList:
    """Photons of one observation and focal-plane module.

    Attributes
    ----------
    time_s : array, shape (n,)
        Arrival times [s].
    pi : array of int, shape (n,)
        Energy channels; the lower edge is 1.6 + 0.04 PI keV.
    x, y : array, shape (n,)
        Zero-based sky pixel coordinates on ``grid``.
    grade : array of int, shape (n,)
        Event grades.
    grid : SkyGrid
        The full image that X and Y count.
    gti_s : array, shape (k, 2)
        Good time intervals [s].
    exposure_s : float
        Exposure, dead time taken off [s].
    module, obs_id : str
        FPMA or FPMB, and the observation.
    source, nature : str
        File, and what the events are if they were not measured (NATURE of the header).
    """

    time_s: np.ndarray
    pi: np.ndarray
    x: np.ndarray
    y: np.ndarray
    grade: np.ndarray
    grid: SkyGrid
    gti_s: np.ndarray
    exposure_s: float
    module: str = "FPMA"
    obs_id: str = ""
    source: str = "events"
    nature: str = ""

    @property
    def energy_keV(self) -> np.ndarray:
        """Energy at the middle of each event's channel, shape (n,) [keV]."""
        return PI_ZERO_KEV + PI_STEP_KEV * (self.pi + 0.5)

    def images(
        self, low_keV: ArrayLike, high_keV: ArrayLike, grid: SkyGrid | None = None
    ) -> np.ndarray:
        """Counts per pixel and energy bin.

        Parameters
        ----------
        low_keV, high_keV : array, shape (b,)
            Bin edges, which must be edges of channels [keV].
        grid : SkyGrid, optional
            Pixels to count in; the grid of the events by default. Other grids (another pointing
            or pixel size) receive each event by its position.

        Returns
        -------
        array, shape (b, ny, nx)
            Counts.

        Raises
        ------
        DataError
            If a bin edge lies inside a channel.
        """
        channels = pi_channels(np.asarray(low_keV, float), np.asarray(high_keV, float), self.source)
        x, y = self.x, self.y
        if grid is not None:
            x, y = grid.pixel(*self.grid.world(x, y))
        target = grid or self.grid
        ny, nx = target.shape
        column, row = np.floor(x + 0.5), np.floor(y + 0.5)
        inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
        place = (row[inside] * nx + column[inside]).astype(np.int64)
        pi = self.pi[inside]
        return np.stack(
            [
                np.bincount(place[(pi >= a) & (pi < b)], minlength=ny * nx).reshape(ny, nx)
                for a, b in channels
            ]
        ).astype(float)


def read_events(path: str | Path, grades: tuple[int, int] = GRADES) -> EventList:
    """Read a NuSTAR event list (``_cl.evt``, ``_cl.evt.gz``).

    Parameters
    ----------
    path : str or Path
        File with tables EVENTS (TIME, PI, X, Y, GRADE) and GTI.
    grades : tuple of two int
        Lowest and highest grade that is kept.

    Returns
    -------
    EventList
        Events inside the good time intervals, with a position and an energy [s, pixel].

    Raises
    ------
    DataError
        If the file is missing or damaged, lacks a table, a column, the sky coordinates of X and Y
        (TCTYP, TCRVL, TCRPX, TCDLT, TLMIN, TLMAX) or EXPOSURE, or the intervals are unordered or
        shorter than the exposure.

    References
    ----------
    NuSTAR Data Analysis Software Guide, section on event files.
    """
    with open_fits(path, "event list (tables EVENTS and GTI)") as file:
        table = file.table(("EVENTS",), [("HDUCLAS1", "EVENTS")])
        columns = {k: table.column(k) for k in ("TIME", "PI", "X", "Y", "GRADE")}
        gti_table = file.table(("GTI", "STDGTI"), [("HDUCLAS1", "GTI")])
        gti = np.stack([gti_table.column("START"), gti_table.column("STOP")], axis=-1)
        corner, grid = _grid(table)
    where, head = table.where, table.header
    module, obs_id = identity(where, head, required=True)
    exposure = exposure_in(where, head)
    _check_intervals(gti_table.where, gti, exposure)
    for name, values in columns.items():
        check_finite(where, name, values)
    pi, grade = columns["PI"], columns["GRADE"]
    for name, values in (("PI", pi), ("GRADE", grade)):
        if np.any(values != np.round(values)) or np.any(np.abs(values) > 1e6):
            raise DataError(f"{where}: column {name} must hold small whole numbers")
    x, y = columns["X"] - corner[0], columns["Y"] - corner[1]
    ny, nx = grid.shape
    # Events without a position carry the null value -1, without an energy a negative channel.
    keep = (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    keep &= (pi >= 0) & (pi < PI_CHANNELS) & (grade >= grades[0]) & (grade <= grades[1])
    k = np.searchsorted(gti[:, 0], columns["TIME"], side="right") - 1
    keep &= (k >= 0) & (columns["TIME"] <= gti[np.maximum(k, 0), 1])
    return EventList(
        columns["TIME"][keep],
        pi[keep].astype(int),
        x[keep],
        y[keep],
        grade[keep].astype(int),
        grid,
        gti,
        exposure,
        module,
        obs_id,
        str(path),
        text_in(head, "NATURE"),
    )


def _grid(table: FitsTable) -> tuple[tuple[float, float], SkyGrid]:
    """First pixel (TLMIN) of X and Y, and their sky coordinates as those of an image."""
    header: dict[str, object] = {
        k: v for k, v in table.header.items() if k in ("RADESYS", "RADECSYS", "EQUINOX")
    }
    corner, sides = [], []
    for axis, name in ((1, "X"), (2, "Y")):
        k = table.index(name) + 1
        low, high = (number_in(table.where, table.header, f"{p}{k}") for p in ("TLMIN", "TLMAX"))
        side = high - low + 1.0
        if not 1.0 <= side <= SIDE_MAX or side != round(side) or abs(low) > SIDE_MAX:
            raise DataError(
                f"{table.where}: TLMIN{k} = {low:g}, TLMAX{k} = {high:g} of {name}; expected the "
                f"first and last pixel of an image of at most {SIDE_MAX} pixels"
            )
        corner.append(low)
        sides.append(int(side))
        for key, prefix in (("CTYPE", "TCTYP"), ("CRVAL", "TCRVL"), ("CDELT", "TCDLT")):
            value = table.header.get(f"{prefix}{k}")
            if value is None:
                raise DataError(
                    f"{table.where}: keyword {prefix}{k} (sky coordinates of {name}) is missing"
                )
            header[f"{key}{axis}"] = value
        header[f"CRPIX{axis}"] = number_in(table.where, table.header, f"TCRPX{k}") - low + 1.0
        if f"TCROT{k}" in table.header:
            header[f"CROTA{axis}"] = table.header[f"TCROT{k}"]
        header[f"CUNIT{axis}"] = text_in(table.header, f"TCUNI{k}") or "deg"
    return (corner[0], corner[1]), grid_from_header(header, (sides[1], sides[0]), table.where)


def _check_intervals(where: str, gti: np.ndarray, exposure_s: float) -> None:
    check_finite(where, "START, STOP", gti)
    if np.any(gti[:, 1] < gti[:, 0]) or np.any(gti[1:, 0] < gti[:-1, 1]):
        raise DataError(f"{where}: good time intervals are unordered or overlap")
    total = float(np.sum(gti[:, 1] - gti[:, 0]))
    # The exposure is the good time less the dead time.
    if exposure_s > 1.01 * total:
        raise DataError(
            f"{where}: EXPOSURE = {exposure_s:g} s exceeds the {total:g} s of good time; do "
            "events and intervals belong together?"
        )
