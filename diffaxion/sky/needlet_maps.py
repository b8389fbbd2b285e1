"""Needlet maps of channels, their combination with weights, and the way back to one map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.healpix_fits import invalid_pixels
from ..errors import DataError
from .needlet_plan import NeedletPlan
from .transforms import Transforms, alm_lmax, alm_size, map_nside, resize_alm, scale_alm

MapLike = np.ndarray | Callable[[], np.ndarray]
# Pixels of a needlet map that are combined together.
_CHUNK = 65536
# HEALPix marks missing pixels with this number.


@dataclass(frozen=True)
class ScaleWeights:
    """Weights of one needlet scale.

    Attributes
    ----------
    channels : int array, shape (k,)
        Channels in use.
    values : float array, shape (npix_grid, k) or (1, k)
        Weights on a RING grid, or one set for all pixels [unit of output per unit of input].
    """

    channels: np.ndarray
    values: np.ndarray

    @property
    def grid(self) -> int:
        """nside of the grid; 0 if the weights are the same everywhere."""
        return 0 if len(self.values) == 1 else map_nside(len(self.values))


def channel_alm(
    source: MapLike,
    name: str,
    lmax: int,
    transforms: Transforms,
    iterations: int,
    needed: int = 0,
) -> np.ndarray:
    """Coefficients of one channel up to ``lmax`` from a map, coefficients, or a function of none.

    Complex arrays are coefficients, others maps; a map of low resolution gives what it holds, at
    least up to ``needed``.
    """
    data = np.asarray(source() if callable(source) else source)
    if data.ndim != 1:
        raise DataError(f"map of channel {name!r} has shape {data.shape}: expected one axis")
    bad = ~np.isfinite(data) if np.iscomplexobj(data) else invalid_pixels(data)
    if bad.any():
        raise DataError(
            f"map of channel {name!r}: {int(bad.sum())} of {data.size} values are missing (UNSEEN) "
            "or not finite: inpaint them or set them to 0 under a mask first"
        )
    if np.iscomplexobj(data):
        _check_reach(alm_lmax(data), needed, name)
        return resize_alm(data.astype(complex), lmax)
    nside = map_nside(data.size, f"map of channel {name!r}")
    top = min(lmax, 3 * nside - 1)
    _check_reach(top, needed, name)
    return resize_alm(transforms.analysis(data.astype(float), top, iterations), lmax)


def _check_reach(top: int, needed: int, name: str) -> None:
    if top < needed:
        raise DataError(
            f"map of channel {name!r} ends at l = {top}, but is to be used up to l = {needed}: "
            "give a map of higher resolution, or leave the channel out at the last scales"
        )


def channel_reach(source: MapLike) -> int | None:
    """Largest multipole that a map holds, None if that is not known without reading it."""
    if callable(source):
        return None
    data = np.asarray(source)
    if data.ndim != 1 or np.iscomplexobj(data):
        return None
    return 3 * map_nside(data.size) - 1


def needlet_alm(alm: np.ndarray, plan: NeedletPlan, scale: int, ratio: np.ndarray) -> np.ndarray:
    """Coefficients of a needlet map: a_lm h_j(l) ratio(l), up to the end of the filter."""
    _, last = plan.band(scale)
    h = plan.filters[scale, : last + 1]
    return scale_alm(alm, np.where(h > 0.0, h * ratio[: last + 1], 0.0), last)


def needlet_maps(alms: Sequence[np.ndarray], nside: int, transforms: Transforms) -> np.ndarray:
    """Maps of needlet coefficients, shape (k, npix), made one after the other."""
    out = np.empty((len(alms), 12 * nside**2))
    for row, alm in zip(out, alms):
        row[:] = transforms.synthesis(alm, nside)
    return out


def beam_ratios(beams: np.ndarray, common: np.ndarray) -> np.ndarray:
    """common/B_i, 0 where a beam has died, shape (n, lmax + 1)."""
    alive = beams > 0.0
    with np.errstate(over="ignore"):
        ratio = np.where(alive, common / np.where(alive, beams, 1.0), 0.0)
    return np.where(np.isfinite(ratio), ratio, 0.0)


def combine(maps: np.ndarray, sets: Sequence[ScaleWeights], mask: np.ndarray | None) -> np.ndarray:
    """Sum of needlet maps (k, npix) with each set of weights, shape (sets, npix).

    Weights on a coarser grid are interpolated bilinearly, by coefficients that add up to 1, which
    keeps every linear constraint on them.
    """
    import healpy

    pixels = maps.shape[1]
    nside = map_nside(pixels)
    out = np.empty((len(sets), pixels))
    coarse = sorted({w.grid for w in sets} - {0, nside})
    for start in range(0, pixels, _CHUNK):
        part = slice(start, min(start + _CHUNK, pixels))
        block = maps[:, part]
        near = {}
        if coarse:
            theta, phi = healpy.pix2ang(nside, np.arange(part.start, part.stop))
            near = {g: healpy.get_interp_weights(g, theta, phi) for g in coarse}
        for row, weights in zip(out, sets):
            if weights.grid == 0:
                row[part] = weights.values[0] @ block
            elif weights.grid == nside:
                row[part] = np.einsum("pk,kp->p", weights.values[part], block)
            else:
                total = np.zeros(block.shape[1])
                for index, share in zip(*near[weights.grid]):
                    total += share * np.einsum("pk,kp->p", weights.values[index], block)
                row[part] = total
    return out if mask is None else out * mask


class Synthesiser:
    """Adds needlet maps of the output to its coefficients.

    Parameters
    ----------
    plan : NeedletPlan
        Scales.
    transforms : Transforms
        Back end.
    iterations : int
        Iterations of the analysis.
    exact : bool
        Whether the analysis goes as far as the reference does.
    """

    def __init__(
        self, plan: NeedletPlan, transforms: Transforms, iterations: int, exact: bool
    ) -> None:
        self.plan, self.transforms = plan, transforms
        self.iterations, self.exact = iterations, exact

    def top(self, scale: int, margin: int) -> int:
        """Largest multipole of the analysis of a scale, as far as its maps have power."""
        _, last = self.plan.band(scale)
        top = min(self.plan.lmax, 3 * int(self.plan.nside[scale]) - 1)
        return top if self.exact else min(top, last + margin)

    def coefficients(self, maps: np.ndarray, scale: int, margin: int) -> np.ndarray:
        """h_j a_lm of maps (sets, npix), up to the end of the filter.

        ``margin`` is by how much products with weights reach beyond the filter.
        """
        _, last = self.plan.band(scale)
        top = self.top(scale, margin)
        h = self.plan.filters[scale, : last + 1]
        return np.stack(
            [
                scale_alm(self.transforms.analysis(m, top, self.iterations, keep=last), h, last)
                for m in maps
            ]
        )

    def add(self, total: np.ndarray, part: np.ndarray) -> None:
        """Add coefficients of a scale to those of the output, in place."""
        total += resize_alm(part, self.plan.lmax)

    def empty(self, sets: int) -> np.ndarray:
        """Coefficients of the output before anything is added."""
        return np.zeros((sets, alm_size(self.plan.lmax)), complex)
