"""Writers of NuSTAR-like FITS files with the headers of distributed ones, for simulated data.

Every file says what it is in the keyword NATURE, which the readers carry on into products.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import ArrayLike

from ..errors import unknown_name
from ..provenance import atomic_write
from .energy_bins import PI_CHANNELS
from .events import EventList
from .ogip import AncillaryResponse, Redistribution
from .pha import Spectrum
from .sky_grid import SkyGrid
from .sky_images import KINDS

NUSTAR_PIXEL_DEG = 2.45810736 / 3600.0
"""Side of a sky pixel in distributed event lists (TCDLT) [deg]."""

NUSTAR_SIDE = 1000
_MJDREFI, _MJDREFF = 55197, 7.660185e-4  # 2010-01-01 UTC in TDB
_UNITS = {"counts": "count", "background": "count", "exposure": "s"}


def nustar_grid(ra_deg: float, dec_deg: float, side: int = NUSTAR_SIDE) -> SkyGrid:
    """Grid of a NuSTAR sky image: north up, 2.458 arcsec pixels, the pointing in the middle.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Pointing [deg].
    side : int
        Pixels per side; 1000 in distributed files.

    Returns
    -------
    SkyGrid
        Grid of side x side pixels.

    References
    ----------
    TCRPX and TCDLT of X and Y in NuSTAR event files (500.5, 0.0006828076 deg).
    """
    middle = 0.5 * (side - 1)
    cd = NUSTAR_PIXEL_DEG * np.array([[-1.0, 0.0], [0.0, 1.0]])
    return SkyGrid(ra_deg % 360.0, dec_deg, middle, middle, cd, (side, side))


def _identity(module: str, obs_id: str, nature: str) -> dict[str, Any]:
    from .. import __version__

    return {
        "TELESCOP": "NuSTAR",
        "INSTRUME": module,
        "OBS_ID": obs_id,
        "CREATOR": f"diffaxion {__version__}",
        "NATURE": nature,
    }


def _write(path: str | Path, hdus: list[Any]) -> Path:
    from astropy.io import fits

    return atomic_write(path, lambda p: fits.HDUList(hdus).writeto(p))


def _table(columns: list[Any], header: dict[str, Any]) -> Any:
    from astropy.io import fits

    hdu = fits.BinTableHDU.from_columns(columns)
    hdu.header.update(header)
    return hdu


def write_sky_image(
    path: str | Path,
    values: ArrayLike,
    grid: SkyGrid,
    *,
    kind: str = "counts",
    exposure_s: float | None = None,
    unit: str | None = None,
    band_keV: tuple[float, float] | None = None,
    module: str = "FPMA",
    obs_id: str = "",
    nature: str = "simulated",
) -> Path:
    """Write an image of counts (``_sk.img``), exposure (``_ex.img``) or background.

    Parameters
    ----------
    path : str or Path
        Destination; ``.gz`` compresses.
    values : array, shape (ny, nx)
        Pixel values; whole counts are stored as 32-bit integers, all else as 32-bit floats.
    grid : SkyGrid
        Where the pixels are.
    kind : str
        ``counts``, ``exposure`` or ``background``.
    exposure_s : float, optional
        EXPOSURE [s]; readers require it of counts.
    unit : str, optional
        BUNIT; count, or s of an exposure, by default.
    band_keV : tuple of two floats, optional
        Energies [keV], as E_MIN and E_MAX.
    module, obs_id : str
        INSTRUME and OBS_ID.
    nature : str
        What the image is.

    Returns
    -------
    Path
        The destination.

    Raises
    ------
    ConfigurationError
        If the kind is unknown.
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    FITS standard 4.0 (Pence et al. 2010, A&A 524, A42).
    """
    from astropy.io import fits

    if kind not in KINDS:
        raise unknown_name("kind of image", kind, KINDS)
    v = np.asarray(values, float)
    whole = kind == "counts" and bool(np.all(v == np.round(v)))
    image = fits.PrimaryHDU(v.astype(np.int32 if whole else np.float32))
    image.header.update(_identity(module, obs_id, nature))
    image.header["BUNIT"] = unit or _UNITS[kind]
    if exposure_s is not None:
        image.header["EXPOSURE"] = float(exposure_s)
    if band_keV is not None:
        image.header["E_MIN"], image.header["E_MAX"] = (float(e) for e in band_keV)
    image.header.update(grid.header())
    return _write(path, [image])


def write_events(path: str | Path, events: EventList) -> Path:
    """Write an event list (``_cl.evt``) with EVENTS and GTI.

    Parameters
    ----------
    path : str or Path
        Destination; ``.gz`` compresses.
    events : EventList
        Events; positions are rounded to whole pixels, as in distributed files.

    Returns
    -------
    Path
        The destination.

    Raises
    ------
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    NuSTAR Data Analysis Software Guide, section on event files.
    """
    from astropy.io import fits

    ny, nx = events.grid.shape
    whole = [np.floor(v + 0.5).astype(np.int16) + 1 for v in (events.x, events.y)]
    columns = [
        fits.Column("TIME", "1D", unit="s", array=events.time_s),
        fits.Column("PI", "1J", array=events.pi, null=-1),
        fits.Column("GRADE", "1I", array=events.grade),
        fits.Column("X", "1I", unit="pixel", array=whole[0], null=-1),
        fits.Column("Y", "1I", unit="pixel", array=whole[1], null=-1),
    ]
    gti = np.asarray(events.gti_s, float)
    times = {
        "TIMESYS": "TDB",
        "TIMEUNIT": "s",
        "MJDREFI": _MJDREFI,
        "MJDREFF": _MJDREFF,
        "TSTART": float(gti[0, 0]),
        "TSTOP": float(gti[-1, 1]),
        "ONTIME": float(np.sum(gti[:, 1] - gti[:, 0])),
        "LIVETIME": events.exposure_s,
        "EXPOSURE": events.exposure_s,
    }
    who = _identity(events.module, events.obs_id, events.nature or "simulated")
    grid = events.grid.header()
    sky: dict[str, Any] = {"RADECSYS": grid["RADESYS"], "EQUINOX": grid["EQUINOX"]}
    for axis, k, side in ((1, 4, nx), (2, 5, ny)):
        sky |= {
            f"TLMIN{k}": 1,
            f"TLMAX{k}": side,
            f"TCTYP{k}": grid[f"CTYPE{axis}"],
            f"TCUNI{k}": "deg",
            f"TCRVL{k}": grid[f"CRVAL{axis}"],
            f"TCRPX{k}": grid[f"CRPIX{axis}"],
            f"TCDLT{k}": float(events.grid.cd_deg[axis - 1, axis - 1]),
        }
    classes = {"HDUCLASS": "OGIP", "HDUCLAS1": "EVENTS", "TLMIN2": 0, "TLMAX2": PI_CHANNELS - 1}
    table = _table(columns, {"EXTNAME": "EVENTS"} | who | times | sky | classes)
    intervals = _table(
        [
            fits.Column("START", "1D", unit="s", array=gti[:, 0]),
            fits.Column("STOP", "1D", unit="s", array=gti[:, 1]),
        ],
        {"EXTNAME": "GTI", "HDUCLASS": "OGIP", "HDUCLAS1": "GTI"} | who | times,
    )
    return _write(path, [fits.PrimaryHDU(), table, intervals])


def write_arf(path: str | Path, arf: AncillaryResponse, nature: str = "synthetic") -> Path:
    """Write an effective area in OGIP format.

    Parameters
    ----------
    path : str or Path
        Destination; ``.gz`` compresses.
    arf : AncillaryResponse
        Effective area [cm^2] in energy bins [keV].
    nature : str
        What it is.

    Returns
    -------
    Path
        The destination.

    Raises
    ------
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    George et al. 1992, Legacy 2, 51 (OGIP memo CAL/GEN/92-002).
    """
    from astropy.io import fits

    columns = [
        fits.Column("ENERG_LO", "1E", unit="keV", array=arf.low_keV),
        fits.Column("ENERG_HI", "1E", unit="keV", array=arf.high_keV),
        fits.Column("SPECRESP", "1E", unit="cm**2", array=arf.area_cm2),
    ]
    classes = {"HDUCLASS": "OGIP", "HDUCLAS1": "RESPONSE", "HDUCLAS2": "SPECRESP"}
    header = {"EXTNAME": "SPECRESP"} | _identity(arf.module, "", nature) | classes
    return _write(path, [fits.PrimaryHDU(), _table(columns, header)])


def write_rmf(
    path: str | Path,
    rmf: Redistribution,
    *,
    variable: bool = True,
    module: str = "FPMA",
    nature: str = "synthetic",
) -> Path:
    """Write a redistribution matrix in OGIP format.

    Parameters
    ----------
    path : str or Path
        Destination; ``.gz`` compresses.
    rmf : Redistribution
        The matrix.
    variable : bool
        Rows of variable length; otherwise all have the length of the longest.
    module : str
        INSTRUME.
    nature : str
        What it is.

    Returns
    -------
    Path
        The destination.

    Raises
    ------
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    George et al. 1992, Legacy 2, 51 (OGIP memo CAL/GEN/92-002).
    """
    from astropy.io import fits

    starts, counts, values = _groups(rmf)
    groups = np.array([x.size for x in starts])
    columns = [
        fits.Column("ENERG_LO", "1E", unit="keV", array=rmf.low_keV),
        fits.Column("ENERG_HI", "1E", unit="keV", array=rmf.high_keV),
        fits.Column("N_GRP", "1I", array=groups),
    ]
    for name, code, parts in (
        ("F_CHAN", "I", starts),
        ("N_CHAN", "I", counts),
        ("MATRIX", "E", values),
    ):
        longest = max(1, max(x.size for x in parts))
        if variable:
            array: np.ndarray = np.empty(len(parts), object)
            for k, part in enumerate(parts):
                array[k] = part
            form = f"P{code}({longest})"
        else:
            array = np.stack([np.pad(x, (0, longest - x.size)) for x in parts])
            form = f"{longest}{code}"
        columns.append(fits.Column(name, form, array=array))
    channels = np.arange(rmf.channel_low_keV.size) + rmf.first_channel
    title = "SPECRESP MATRIX" if rmf.includes_area else "MATRIX"
    common = _identity(module, "", nature) | {
        "HDUCLASS": "OGIP",
        "HDUCLAS1": "RESPONSE",
        "CHANTYPE": "PI",
        "DETCHANS": channels.size,
    }
    matrix = _table(
        columns,
        {"EXTNAME": title}
        | common
        | {
            "HDUCLAS2": "RSP_MATRIX",
            "HDUCLAS3": "FULL" if rmf.includes_area else "REDIST",
            "TLMIN4": rmf.first_channel,
            "TLMAX4": int(channels[-1]),
        },
    )
    bounds = _table(
        [
            fits.Column("CHANNEL", "1J", array=channels),
            fits.Column("E_MIN", "1E", unit="keV", array=rmf.channel_low_keV),
            fits.Column("E_MAX", "1E", unit="keV", array=rmf.channel_high_keV),
        ],
        {"EXTNAME": "EBOUNDS"} | common | {"HDUCLAS2": "EBOUNDS"},
    )
    return _write(path, [fits.PrimaryHDU(), bounds, matrix])


def _groups(rmf: Redistribution) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """First channel and length of each run of neighbouring channels, and the values, by row."""
    order = np.lexsort((rmf.channel, rmf.row))
    row, channel, value = rmf.row[order], rmf.channel[order], rmf.value[order]
    ends = np.searchsorted(row, np.arange(rmf.low_keV.size + 1))
    starts, counts, values = [], [], []
    for a, b in pairwise(ends):
        c = channel[a:b]
        new = np.flatnonzero(np.diff(c, prepend=-2) != 1)
        starts.append((c[new] + rmf.first_channel).astype(np.int16))
        counts.append(np.diff(new, append=c.size).astype(np.int16))
        values.append(value[a:b].astype(np.float32))
    return starts, counts, values


def write_pha(path: str | Path, spectrum: Spectrum, nature: str = "simulated") -> Path:
    """Write a spectrum in OGIP format.

    Parameters
    ----------
    path : str or Path
        Destination; ``.gz`` compresses.
    spectrum : Spectrum
        Counts per channel.
    nature : str
        What it is.

    Returns
    -------
    Path
        The destination.

    Raises
    ------
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    Arnaud, George & Tennant 1992, Legacy 2, 65 (OGIP memo OGIP/92-007).
    """
    from astropy.io import fits

    counts = np.asarray(spectrum.counts, float)
    whole = bool(np.all(counts == np.round(counts)))
    columns = [
        fits.Column("CHANNEL", "1J", array=spectrum.channel),
        fits.Column("COUNTS", "1J" if whole else "1D", unit="count", array=counts),
        fits.Column("QUALITY", "1I", array=spectrum.quality),
        fits.Column("GROUPING", "1I", array=spectrum.grouping),
    ]
    header = (
        {"EXTNAME": "SPECTRUM"}
        | _identity(spectrum.module, spectrum.obs_id, nature)
        | {
            "EXPOSURE": spectrum.exposure_s,
            "BACKSCAL": spectrum.backscale,
            "AREASCAL": 1.0,
            "CORRSCAL": 1.0,
            "BACKFILE": spectrum.background_file or "none",
            "RESPFILE": spectrum.rmf_file or "none",
            "ANCRFILE": spectrum.arf_file or "none",
            "HDUCLASS": "OGIP",
            "HDUCLAS1": "SPECTRUM",
            "HDUCLAS2": "TOTAL",
            "HDUCLAS3": "COUNT",
            "CHANTYPE": "PI",
            "POISSERR": True,
            "DETCHANS": counts.size,
            "TLMIN1": int(spectrum.channel[0]),
            "TLMAX1": int(spectrum.channel[-1]),
        }
    )
    return _write(path, [fits.PrimaryHDU(), _table(columns, header)])
