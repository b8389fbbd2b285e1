"""Reading a NuSTAR observation: every exposure cut to one region, aligned on a reference source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .alignment import source_offset
from .discovery import observation_files
from .events import read_events
from .file_list import ExposureFiles, ObservationFiles, Place
from .image_stack import ImageStack
from .image_stack_checks import check_seconds, warn_region
from .sky_grid import SkyGrid
from .sky_images import Box, SkyImage, box_around, check_band, read_sky_image
from .stack_files import HDF5, NPZ, load_stack_file

WCS_TOLERANCE_PIXELS = 0.1
IMAGES = ("counts", "exposure", "background")


def read_image_stack(
    path: str | Path,
    *,
    ra_deg: float | None = None,
    dec_deg: float | None = None,
    radius_arcmin: float | None = None,
    rebin: int | Mapping[str, int] = 1,
    exclude: Sequence[Place] | None = None,
    reference: Place | None = None,
    least_exposure: float = 0.0,
    asimov: bool = False,
) -> ImageStack:
    """Read counts, exposures and backgrounds of an observation, cut to a region of interest.

    Parameters
    ----------
    path : str or Path
        ``observation.toml``, a folder that holds it (or files with the names of
        :mod:`.discovery`), or one ``.npz`` or ``.h5`` file.
    ra_deg, dec_deg, radius_arcmin : float, optional
        Region of interest [deg, arcmin]; the target of the file list by default. A single file
        without a region is taken as it is.
    rebin : int or mapping of str to int
        Side of the blocks of pixels to join; a mapping gives it for ``counts``, ``exposure`` and
        ``background``, whose files may have pixels that differ by a whole factor.
    exclude : sequence of (ra_deg, dec_deg, radius_arcmin), optional
        Discs to mask; those of the file list by default.
    reference : (ra_deg, dec_deg, radius_arcsec), optional
        Source that every exposure is aligned on by its centroid; that of the file list by
        default, and none if neither is given.
    least_exposure : float
        Mask pixels below this fraction of the highest exposure (chip gaps).
    asimov : bool
        Allow counts that are not whole numbers (expected counts).

    Returns
    -------
    ImageStack
        Images of shape (bins, exposures, ny, nx) in the box around the region.

    Raises
    ------
    DataError
        If a file is missing, damaged or unusable; if images of an exposure have other pixels than
        its counts, bins do not agree, the region leaves an image, or the reference source is not
        found.

    References
    ----------
    Dessert, Foster, Safdi 2020 (arXiv:2008.03305), whose stacking of exposures this follows.
    """
    region = None
    if ra_deg is not None or dec_deg is not None or radius_arcmin is not None:
        if ra_deg is None or dec_deg is None or radius_arcmin is None:
            raise DataError(
                f"{path}: a region needs ra_deg, dec_deg and radius_arcmin; found {ra_deg}, "
                f"{dec_deg}, {radius_arcmin}"
            )
        region = (float(ra_deg), float(dec_deg), float(radius_arcmin))
    path = Path(path)
    if path.suffix in NPZ + HDF5:
        stack = load_stack_file(path, asimov)
        if rebin != 1:
            if isinstance(rebin, Mapping):
                raise DataError(f"{path}: rebin is one number for a stack in one file")
            stack = stack.rebin(rebin)
        if reference is not None:
            totals = stack.counts.sum(axis=0)
            offsets = [
                source_offset(c, g, *reference, f"{path}, exposure {k}")[0]
                for k, (c, g) in enumerate(zip(totals, stack.grids, strict=True))
            ]
            stack = stack.aligned(-np.stack(offsets))
        stack = stack if region is None else stack.cut(*region)
    else:
        files = observation_files(path)
        region = region or files.target
        if region is None:
            raise DataError(
                f"{files.path}: has no [target]; give ra_deg, dec_deg and radius_arcmin of the "
                "region of interest"
            )
        stack = _read_exposures(files, region, rebin, reference or files.reference, asimov)
        exclude = files.exclude if exclude is None else exclude
        stack = stack.cut(*region)
    for place in exclude or ():
        stack = stack.exclude(*place)
    if least_exposure > 0.0:
        stack = stack.without_gaps(least_exposure)
    warn_region(stack)
    return stack


@dataclass(frozen=True)
class _Counts:
    """Counts of one exposure: where they come from, whichever the kind of file."""

    grid: SkyGrid
    exposure_s: float
    module: str
    obs_id: str
    nature: str
    images: Callable[[Box], np.ndarray]  # shape (bins, ny, nx)


def _read_exposures(
    files: ObservationFiles,
    region: Place,
    rebin: int | Mapping[str, int],
    reference: Place | None,
    asimov: bool,
) -> ImageStack:
    factors = _factors(files.path, rebin)
    parts = [_read_exposure(files, e, region, factors, reference, asimov) for e in files.exposures]
    side = parts[0]["counts"].shape[1:]
    for part, e in zip(parts, files.exposures, strict=True):
        if part["counts"].shape[1:] != side:
            raise DataError(
                f"{e.label}: the region has {part['counts'].shape[1:]} pixels, in the first "
                f"exposure {side}; exposures need pixels of the same size: rebin them"
            )
    units = {part["unit"] for part in parts}
    if len(units) > 1:
        raise DataError(f"{files.path}: exposures are in different units: {sorted(units)}")
    natures = dict.fromkeys(
        x for x in (files.nature, *(part["nature"] for part in parts)) if x and x != "measured"
    )
    return ImageStack(
        counts=np.stack([p["counts"] for p in parts], axis=1),
        exposure=np.stack([p["exposure"] for p in parts], axis=1),
        background=np.stack([p["background"] for p in parts], axis=1),
        low_keV=files.low_keV,
        high_keV=files.high_keV,
        grids=tuple(p["grid"] for p in parts),
        exposure_s=np.array([p["exposure_s"] for p in parts]),
        modules=tuple(e.module for e in files.exposures),
        obs_ids=tuple(e.obs_id for e in files.exposures),
        shift_arcsec=np.stack([p["shift"] for p in parts]),
        arf=tuple(e.arf for e in files.exposures),
        rmf=tuple(e.rmf for e in files.exposures),
        exposure_unit=units.pop(),
        source=str(files.path),
        nature="; ".join(natures) or "measured",
        asimov=asimov,
    )


def _factors(path: Path, rebin: int | Mapping[str, int]) -> dict[str, int]:
    given = rebin if isinstance(rebin, Mapping) else dict.fromkeys(IMAGES, rebin)
    for key, value in given.items():
        if key not in IMAGES or not isinstance(value, int) or value < 1:
            raise DataError(
                f"{path}: rebin = {rebin!r}; expected a whole number >= 1, or one for each of "
                f"{', '.join(IMAGES)}"
            )
    return {key: given.get(key, 1) for key in IMAGES}


def _read_exposure(
    files: ObservationFiles,
    e: ExposureFiles,
    region: Place,
    factors: dict[str, int],
    reference: Place | None,
    asimov: bool,
) -> dict[str, Any]:
    """Images of one exposure in the box around the region, and what its headers say."""
    open_counts = _open_events if e.events else _open_images
    counts = open_counts(files, e, factors["counts"], asimov)
    for name, listed, found in (
        ("INSTRUME", e.module, counts.module),
        ("OBS_ID", e.obs_id, counts.obs_id),
    ):
        if listed and found and listed != found:
            raise DataError(
                f"{e.label}: the file list says {listed!r}, the counts {name} = {found!r}"
            )
    shift = _shift(e, counts, reference)
    grid = counts.grid.shifted(*shift)
    box = box_around(grid, *region, e.label)
    values = counts.images(box)
    maps: dict[str, list[np.ndarray]] = {"exposure": [], "background": []}
    unit = ""
    for kind, paths in (("exposure", e.exposure), ("background", e.background)):
        for k, path in enumerate(paths):
            image = read_sky_image(
                path, kind, box=partial(_same_box, counts.grid, box, path), rebin=factors[kind]
            )
            if kind == "background" or len(paths) > 1:
                check_band(image, files.low_keV[k], files.high_keV[k])
            if image.module and image.module != e.module:
                raise DataError(f"{path}: INSTRUME = {image.module!r}, expected {e.module!r}")
            if kind == "exposure" and image.obs_id and counts.obs_id not in ("", image.obs_id):
                raise DataError(
                    f"{path}: OBS_ID = {image.obs_id!r}, of the counts {counts.obs_id!r}; expected "
                    "one observation"
                )
            if kind == "exposure":
                unit = _agreed_unit(image, counts.exposure_s, unit)
            maps[kind].append(image.values)
    if len(maps["exposure"]) == 1:
        maps["exposure"] *= files.low_keV.size
    return {
        "counts": values,
        "exposure": np.stack(maps["exposure"]),
        "background": np.stack(maps["background"]),
        "grid": grid.cut(box[0], box[1], box[2:]),
        "exposure_s": counts.exposure_s,
        "nature": counts.nature,
        "unit": unit,
        "shift": np.asarray(shift),
    }


def _shift(e: ExposureFiles, counts: _Counts, reference: Place | None) -> tuple[float, float]:
    """Correction of the astrometry, east and north [arcsec]: given, measured, or none."""
    if e.offset_arcsec is not None:
        return -e.offset_arcsec[0], -e.offset_arcsec[1]
    if reference is None:
        return 0.0, 0.0
    ra, dec, radius = reference
    box = box_around(counts.grid, ra, dec, 3.0 * radius / 60.0, f"{e.label}: reference source")
    near = counts.grid.cut(box[0], box[1], box[2:])
    offset, _ = source_offset(counts.images(box).sum(axis=0), near, ra, dec, radius, e.label)
    return float(-offset[0]), float(-offset[1])


def _same_box(wanted: SkyGrid, box: Box, path: Path, found: SkyGrid) -> Box:
    """The box of the counts, after a check that another image has the same pixels."""
    distance = wanted.distance_pixels(found)
    if not distance <= WCS_TOLERANCE_PIXELS:
        ratio = max(found.pixel_arcsec, wanted.pixel_arcsec) / min(
            found.pixel_arcsec, wanted.pixel_arcsec
        )
        hint = "make it on the grid of the counts"
        if round(ratio) > 1 and abs(ratio - round(ratio)) < 1e-3:
            finer = "this image" if found.pixel_arcsec < wanted.pixel_arcsec else "the counts"
            hint = f"rebin {finer} by {round(ratio)}"
        raise DataError(
            f"{path}: CRVAL, CRPIX or CDELT differ from those of the counts: {found.shape} pixels "
            f"of {found.pixel_arcsec:.5g} arcsec against {wanted.shape} of "
            f"{wanted.pixel_arcsec:.5g}, {distance:.3g} pixels apart, expected at most "
            f"{WCS_TOLERANCE_PIXELS:g}; {hint}"
        )
    return box


def _agreed_unit(image: SkyImage, exposure_s: float, before: str) -> str:
    """Unit of an exposure; what is in seconds, or does not say, must look like seconds."""
    unit = image.unit or "s"
    if unit == "s":
        says = "BUNIT is 's'" if image.unit else "BUNIT is missing"
        check_seconds(f"{image.source}: {says}", float(image.values.max()), exposure_s)
    if before and unit != before:
        raise DataError(f"{image.source}: BUNIT is {unit!r}, of another image {before!r}")
    return unit


def _open_images(files: ObservationFiles, e: ExposureFiles, factor: int, asimov: bool) -> _Counts:
    """Counts of image files; only headers are read until a box is asked for."""
    first = read_sky_image(e.counts[0], "counts", box=(0, 0, 1, 1), rebin=factor, asimov=asimov)
    assert first.exposure_s is not None

    def images(box: Box) -> np.ndarray:
        parts = []
        for k, path in enumerate(e.counts):
            image = read_sky_image(
                path,
                "counts",
                box=partial(_same_box, first.full_grid, box, path),
                rebin=factor,
                asimov=asimov,
            )
            check_band(image, files.low_keV[k], files.high_keV[k])
            if image.exposure_s != first.exposure_s:
                raise DataError(
                    f"{path}: EXPOSURE = {image.exposure_s:g} s, in {e.counts[0].name} "
                    f"{first.exposure_s:g} s; expected one observation"
                )
            parts.append(image.values)
        return np.stack(parts)

    return _Counts(
        first.full_grid, first.exposure_s, first.module, first.obs_id, first.nature, images
    )


def _open_events(files: ObservationFiles, e: ExposureFiles, factor: int, asimov: bool) -> _Counts:
    """Counts of an event list."""
    assert e.events is not None
    events = read_events(e.events)
    grid = events.grid.rebin(factor)

    def images(box: Box) -> np.ndarray:
        return events.images(files.low_keV, files.high_keV, grid.cut(box[0], box[1], box[2:]))

    if not asimov and events.pi.size == 0:
        raise DataError(f"{e.events}: holds no event with a position, an energy and a good grade")
    return _Counts(grid, events.exposure_s, events.module, events.obs_id, events.nature, images)
