"""A NuSTAR observation as files: ``observation.toml`` lists which image belongs to which bin.

    bins_keV = [10, 15, 20]                    # edges, or pairs [[10, 15], [15, 20]]
    nature = "measured"                        # optional; simulated data must say so
    [target]                                   # optional: the region of interest
    name = "quintuplet"
    ra_deg = 266.558
    dec_deg = -28.830
    radius_arcmin = 2.0
    cluster = "my-cluster.toml"                # optional: facts of a target that is not bundled
    stars = "stars.csv"                        # optional: ra_deg, dec_deg, class, weight
    psf = "psf.csv"                            # optional: radial table, or a FITS image
    [reference]                                # optional: align every exposure on this source
    ra_deg = 266.579
    dec_deg = -28.731
    radius_arcsec = 30.0
    [[exclude]]                                # optional: other sources
    ra_deg = 266.56
    dec_deg = -28.85
    radius_arcmin = 0.5
    [[exposures]]                              # one per observation and module
    obs_id = "40010005001"
    module = "FPMA"
    counts = ["a_10to15keV_sk.img", "a_15to20keV_sk.img"]   # one per bin; or events = "a_cl.evt"
    exposure = "a_ex.img"                                   # one, or one per bin
    background = ["a_10to15keV_bgd.img", "a_15to20keV_bgd.img"]
    arf = "a.arf"                              # optional
    rmf = "a.rmf"                              # optional
    offset_arcsec = [0.0, 0.0]                 # optional: measured minus true position

Names are relative to the file. The pixels of an exposure's images must agree to 0.1 pixel. A list
without positions ([target] with a name alone) takes region and masks from the description of the
target; a folder without a list may hold files with the names of :mod:`.discovery`.

Nothing may be counted twice. The signal is that of the whole PSF, and templates and exposures say
what part of it a pixel sees: an ARF must not contain the losses of an extraction region or of
gaps, as those of nuproducts do by default (numkarf), and vignetting belongs either into the ARF or
into the exposure images. Without an ARF the bundled template, on axis, of one module, is used.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, nearest_names
from .energy_bins import energy_bins
from .fits_checks import MODULES
from .sky_position import parse_angle

FILE_LIST = "observation.toml"
KEYS = {
    "": ("bins_keV", "nature", "target", "reference", "exclude", "exposures", "provenance"),
    "target": ("name", "ra_deg", "dec_deg", "radius_arcmin", "cluster", "stars", "psf"),
    "reference": ("name", "ra_deg", "dec_deg", "radius_arcsec"),
    "exclude": ("name", "ra_deg", "dec_deg", "radius_arcmin"),
    "exposures": (
        "obs_id",
        "module",
        "counts",
        "events",
        "exposure",
        "background",
        "arf",
        "rmf",
        "offset_arcsec",
    ),
}

FILES_OF_TARGET = ("cluster", "stars", "psf")

Place = tuple[float, float, float]
"""Right ascension and declination [deg], and a radius [arcmin or arcsec]."""


@dataclass(frozen=True)
class ExposureFiles:
    """Files of one observation with one module; see the module's text."""

    label: str
    obs_id: str
    module: str
    counts: tuple[Path, ...]
    events: Path | None
    exposure: tuple[Path, ...]
    background: tuple[Path, ...]
    arf: Path | None
    rmf: Path | None
    offset_arcsec: tuple[float, float] | None


@dataclass(frozen=True)
class ObservationFiles:
    """The content of a file list, checked; positions in degrees."""

    path: Path
    low_keV: np.ndarray
    high_keV: np.ndarray
    exposures: tuple[ExposureFiles, ...]
    target: Place | None = None
    reference: Place | None = None
    exclude: tuple[Place, ...] = ()
    name: str = ""
    nature: str = ""
    cluster: Path | None = None
    stars: Path | None = None
    psf: Path | None = None


def read_file_list(path: str | Path) -> ObservationFiles:
    """Read ``observation.toml``; unknown keys, missing files and unusable bins are errors."""
    path = Path(path)
    path = path / FILE_LIST if path.is_dir() else path
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(
            f"{path}: cannot be read as a list of files ({error}); expected {FILE_LIST}, .npz or "
            ".h5"
        ) from None
    return parse_file_list(path, content)


def parse_file_list(path: Path, content: dict[str, Any]) -> ObservationFiles:
    """Check a file list that was read, or put together, for a path."""
    _known(path, "", content)
    if "bins_keV" not in content:
        raise DataError(f"{path}: bins_keV is missing")
    low, high = energy_bins(content["bins_keV"], f"{path}: bins_keV")
    rows = content.get("exposures")
    if not isinstance(rows, list) or not rows:
        raise DataError(f"{path}: expected one [[exposures]] or more")
    exposures = tuple(_exposure(path, k, row, low.size) for k, row in enumerate(rows))
    _check_once(path, exposures)
    target = content.get("target", {})
    nature = content.get("nature", "")
    return ObservationFiles(
        path,
        low,
        high,
        exposures,
        _place(path, "target", target, "radius_arcmin") if _has_place(path, target) else None,
        _place(path, "reference", content["reference"], "radius_arcsec")
        if "reference" in content
        else None,
        tuple(
            _place(path, "exclude", row, "radius_arcmin")
            for row in _list(path, "exclude", content.get("exclude", []))
        ),
        str(target.get("name", "")),
        str(nature),
        *(_file(path, f"[target] {key}", target.get(key, "")) for key in FILES_OF_TARGET),
    )


def _check_once(path: Path, exposures: tuple[ExposureFiles, ...]) -> None:
    """Refuse photons that would be counted twice."""
    names = [f for e in exposures for f in (*e.counts, *([e.events] if e.events else []))]
    for k, name in enumerate(names):
        if name in names[:k]:
            raise DataError(
                f"{path}: {name.name} is named twice as counts or events; expected each photon once"
            )


def _known(path: Path, table: str, content: object) -> None:
    if not isinstance(content, dict):
        raise DataError(f"{path}: [{table}] must be a table of keys")
    for key in content:
        if key not in KEYS[table]:
            where = f" in [{table}]" if table else ""
            raise DataError(
                f"{path}: unknown key {key!r}{where}: {nearest_names(key, KEYS[table])}"
            )


def _list(path: Path, key: str, value: object) -> list[Any]:
    if not isinstance(value, list):
        raise DataError(f"{path}: {key} must be a list, found {value!r}")
    return value


def _number(path: Path, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise DataError(f"{path}: {key} = {value!r}, expected a finite number")
    return float(value)


def _place(path: Path, table: str, row: Any, radius: str) -> Place:
    _known(path, table, row)
    for key in ("ra_deg", "dec_deg", radius):
        if key not in row:
            raise DataError(f"{path}: [{table}] lacks {key}")
    ra = parse_angle(row["ra_deg"], f"{path}: [{table}] ra_deg", hours=True)
    dec = parse_angle(row["dec_deg"], f"{path}: [{table}] dec_deg")
    size = _number(path, f"[{table}] {radius}", row[radius])
    if not -90.0 <= dec <= 90.0 or size <= 0.0:
        raise DataError(f"{path}: [{table}] dec_deg = {dec:g}, {radius} = {size:g}")
    return ra, dec, size


def _has_place(path: Path, target: Any) -> bool:
    """Whether a target says where it is; a name alone leaves that to its description."""
    _known(path, "target", target)
    return any(key in target for key in ("ra_deg", "dec_deg", "radius_arcmin"))


def _file(path: Path, key: str, value: object) -> Path | None:
    """An existing file named relative to the list, or None for no name."""
    if not isinstance(value, str):
        raise DataError(f"{path}: {key} = {value!r}, expected a file name")
    found = path.parent / value if value else None
    if found is not None and not found.is_file():
        raise DataError(f"{path}: {key} = {value!r}: no such file")
    return found


def _exposure(path: Path, k: int, row: Any, bins: int) -> ExposureFiles:
    _known(path, "exposures", row)
    label = f"{path}: [[exposures]] {k + 1}"

    def files(key: str, single: bool = False) -> tuple[Path, ...]:
        value = row.get(key)
        names = [value] if isinstance(value, str) and (single or bins == 1) else value
        if not isinstance(names, list) or not all(isinstance(x, str) and x for x in names):
            raise DataError(
                f"{label}: {key} = {value!r}; expected a list of {bins} file names, one per bin"
                + (", or one for all bins" if single else "")
            )
        if len(names) != bins and not (single and len(names) == 1):
            raise DataError(
                f"{label}: {key} lists {len(names)} files, but there are {bins} energy bins; the "
                "bins of counts, exposure and background must be the same"
            )
        return tuple(path.parent / x for x in names)

    def one(key: str) -> Path | None:
        return _file(path, f"[[exposures]] {k + 1}: {key}", row.get(key, ""))

    if ("counts" in row) == ("events" in row):
        raise DataError(f"{label}: expected either counts (images) or events (an event list)")
    module = str(row.get("module", "")).upper()
    if module not in MODULES:
        raise DataError(f"{label}: module = {module!r}, expected FPMA or FPMB")
    offset = None
    if "offset_arcsec" in row:
        pair = row["offset_arcsec"]
        if not isinstance(pair, list) or len(pair) != 2:
            raise DataError(f"{label}: offset_arcsec = {pair!r}, expected [east, north]")
        offset = (_number(path, "offset_arcsec", pair[0]), _number(path, "offset_arcsec", pair[1]))
    return ExposureFiles(
        label,
        str(row.get("obs_id", "")),
        module,
        files("counts") if "counts" in row else (),
        one("events"),
        files("exposure", single=True),
        files("background"),
        one("arf"),
        one("rmf"),
        offset,
    )
