"""What must hold for a stack of images: shapes, signs, units, and a background under all counts."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError, DiffaxionWarning
from .energy_bins import energy_bins
from .fits_checks import check_counts, check_finite
from .sky_images import warn_coarse

if TYPE_CHECKING:
    from .image_stack import ImageStack

EXPOSURE_UNITS = ("s", "cm2 s")
GAP_WARNING = 0.5
# A region that sees less than this of the time holds no data; a map in ks or relative to 1 may.
_LEAST_EXPOSED = 0.01
_SHOWN = 5


def fill_defaults(stack: ImageStack) -> None:
    """Defaults that depend on the number of exposures, and types."""
    n = len(stack.grids)
    for name in ("counts", "exposure", "background"):
        object.__setattr__(stack, name, _numbers(stack.source, name, getattr(stack, name)))
    if stack.counts.ndim == 4:  # one exposure or background may stand for all bins
        for name in ("exposure", "background"):
            value = getattr(stack, name)
            if value.ndim == 4 and value.shape[0] == 1:
                value = np.repeat(value, stack.counts.shape[0], axis=0)
                object.__setattr__(stack, name, value)
    times = _numbers(stack.source, "exposure_s", stack.exposure_s)
    object.__setattr__(stack, "exposure_s", times)
    for name, default in (("modules", "FPMA"), ("obs_ids", ""), ("arf", None), ("rmf", None)):
        given = getattr(stack, name)
        object.__setattr__(stack, name, tuple(given) if given else (default,) * n)
    if stack.shift_arcsec is None:
        object.__setattr__(stack, "shift_arcsec", np.zeros((n, 2)))
    if stack.mask is None:
        where = np.all(stack.exposure > 0.0, axis=0)
        object.__setattr__(stack, "mask", where)


def _numbers(source: str, name: str, given: object) -> np.ndarray:
    value = np.asarray(given)
    if value.dtype.kind not in "fiub":
        raise DataError(f"{source}: {name} has type {value.dtype}, expected real numbers")
    return value.astype(float)


def check_shapes(s: ImageStack) -> None:
    if not s.grids:
        raise DataError(f"{s.source}: has no exposure")
    low, high = energy_bins(np.stack([s.low_keV, s.high_keV], -1), s.source)
    object.__setattr__(s, "low_keV", low)
    object.__setattr__(s, "high_keV", high)
    expected = (low.size, len(s.grids), *s.grids[0].shape)
    for name in ("counts", "exposure", "background"):
        found = getattr(s, name).shape
        if found != expected:
            raise DataError(
                f"{s.source}: {name} has shape {found}, expected {expected} "
                "(bins, exposures, rows, columns)"
            )
    n = len(s.grids)
    if s.exposure_s.shape != (n,) or not np.all(np.isfinite(s.exposure_s) & (s.exposure_s > 0.0)):
        raise DataError(
            f"{s.source}: EXPOSURE = {s.exposure_s.tolist()} s, expected {n} finite times > 0"
        )
    if any(g.shape != s.grids[0].shape for g in s.grids):
        raise DataError(f"{s.source}: exposures have boxes of different shape")
    for name in ("modules", "obs_ids", "arf", "rmf"):
        if len(getattr(s, name)) != n:
            raise DataError(f"{s.source}: {name} has {len(getattr(s, name))} entries, expected {n}")
    if np.shape(s.mask) != expected[1:] or np.asarray(s.mask).dtype != bool:
        raise DataError(f"{s.source}: mask must be of type bool and shape {expected[1:]}")
    if np.shape(s.shift_arcsec) != (n, 2):
        raise DataError(f"{s.source}: shift_arcsec must have shape {(n, 2)}")
    if s.exposure_unit not in EXPOSURE_UNITS:
        raise DataError(f"{s.source}: exposure_unit = {s.exposure_unit!r}, expected 's' or 'cm2 s'")


def check_values(s: ImageStack) -> None:
    check_counts(s.source, "counts", s.counts, s.asimov)
    for name in ("exposure", "background"):
        values = getattr(s, name)
        check_finite(s.source, name, values)
        if values.min() < 0.0:
            raise DataError(
                f"{s.source}: {name} reaches {values.min():g} at {_places(values < 0.0)}; "
                "expected values >= 0"
            )
    used = s.mask
    for k in range(s.n_exposures):
        if not used[k].any():
            raise DataError(
                f"{s.source}: ROI holds 0 pixels in exposure {k} ({s.obs_ids[k]} {s.modules[k]}); "
                "check region, exclusions and exposure"
            )
    for name in ("exposure", "background"):
        empty = ~np.any((getattr(s, name) > 0.0) & used, axis=(-2, -1))
        if empty.any():
            b, k = np.argwhere(empty)[0]
            raise DataError(
                f"{s.source}: {name} is zero everywhere in bin {b} "
                f"({s.low_keV[b]:g}-{s.high_keV[b]:g} keV) of exposure {k}"
            )
    dead = used & np.any(s.exposure == 0.0, axis=0)
    if dead.any():
        raise DataError(
            f"{s.source}: {dead.sum()} used pixels have exposure 0; mask them (without_gaps)"
        )
    impossible = (s.background == 0.0) & (s.counts > 0.0) & used
    if impossible.any():
        raise DataError(
            f"{s.source}: background is 0 in {impossible.sum()} pixels with counts, at "
            f"{_places(impossible)}: without signal their likelihood is zero; mask them or use a "
            "background that covers them"
        )


def check_seconds(says: str, top: float, exposure_s: float, most: float = 1.05) -> None:
    """Refuse exposure maps that are said to be in seconds but cannot be, by their highest value."""
    if not _LEAST_EXPOSED * exposure_s <= top <= most * exposure_s:
        side = "more" if top > exposure_s else "much less"
        raise DataError(
            f"{says} and the exposure reaches {top:g}, {side} than EXPOSURE = {exposure_s:g} s of "
            "the counts; expected seconds (neither divided by the time nor multiplied by an area): "
            "correct the values, or set the unit to 'cm2 s'"
        )


def _places(bad: np.ndarray) -> str:
    """The first indices, as text."""
    found = [tuple(int(i) for i in p) for p in np.argwhere(bad)[:_SHOWN]]
    more = int(bad.sum()) - len(found)
    text = "(bin, exposure, row, column) " + ", ".join(map(str, found))
    return text + (f" and {more} more" if more else "")


def warn_region(stack: ImageStack) -> None:
    """Warn of a region that is partly in a chip gap, and of pixels that are too coarse."""
    warn_coarse(stack.grids[0], stack.source)
    low = stack.mask & (stack.relative_exposure() < GAP_WARNING)
    if low.any():
        which = [k for k in range(stack.n_exposures) if low[k].any()]
        warnings.warn(
            f"{stack.source}: {low.sum()} of {stack.mask.sum()} pixels of the region have less "
            f"than {GAP_WARNING:.0%} of the highest exposure (chip gap or edge of the detector; "
            f"exposures {which}); mask them with least_exposure={GAP_WARNING:g} if the exposure "
            "maps are not reliable there",
            DiffaxionWarning,
            stacklevel=3,
        )
