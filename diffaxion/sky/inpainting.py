"""Filling holes of maps from their rims, as preparation of transforms.

The front rule works in sweeps: a pixel of a hole with at least 4 valid neighbours (of the 7 or 8
that HEALPix gives it) takes their mean, all from the values before the sweep, and is valid from
then on. Along a straight edge no pixel has 4: a sweep that would fill nothing asks for 3, then 2,
then 1, and the next one for 4 again. Which pixel is filled when depends on the mask alone, so that
a plan made once serves all maps with one mask.

``laplace`` starts from there and solves "value = mean of the neighbours" in the holes, which is
smoother. Values of either lie between the smallest and the largest valid pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jax.typing import ArrayLike

from ..errors import ConfigurationError, ConvergenceError, DataError
from .masks import invalid_pixels, mask_nside

InpaintingMethod = Literal["front", "laplace"]
METHODS: tuple[InpaintingMethod, ...] = ("front", "laplace")

_NEEDED = 4
_LAPLACE_TOLERANCE = 1e-12
_LAPLACE_STEPS = 20000


@dataclass(frozen=True)
class InpaintingPlan:
    """In which order the pixels of the holes of a mask are filled, and from what.

    Attributes
    ----------
    nside : int
        Resolution.
    pixels : int array, shape (h,)
        Pixels of the holes in the order in which they are filled, RING.
    neighbours : int array, shape (h, 8)
        Their neighbours; -1 where there is none.
    used : bool array, shape (h, 8)
        Whether a neighbour is valid when the pixel is filled.
    start : int array, shape (sweeps+1,)
        Where each sweep begins in ``pixels``.
    """

    nside: int
    pixels: np.ndarray
    neighbours: np.ndarray
    used: np.ndarray
    start: np.ndarray

    @property
    def sweeps(self) -> int:
        """Number of sweeps."""
        return self.start.size - 1

    def fill(self, values: np.ndarray) -> np.ndarray:
        """A map with its holes filled by the front rule, shape (npix,)."""
        out = np.array(values, float)
        out[self.pixels] = 0.0
        for first, last in zip(self.start[:-1], self.start[1:]):
            used = self.used[first:last]
            # Index -1 reads the last pixel, with weight 0: it was made finite above.
            near = out[self.neighbours[first:last]]
            out[self.pixels[first:last]] = np.sum(near * used, axis=1) / used.sum(axis=1)
        return out


def inpainting_plan(valid: ArrayLike) -> InpaintingPlan:
    """Order of filling for one mask.

    Parameters
    ----------
    valid : array, shape (npix,)
        1 or True where maps hold data, 0 in holes; RING order.

    Returns
    -------
    InpaintingPlan
        Sweeps, for all maps with this mask.

    Raises
    ------
    DataError
        If the mask is not one of zeros and ones or holds no valid pixel.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (diffusive inpainting); the rule of this module.
    """
    import healpy

    nside = mask_nside(valid, "valid pixels")
    given = np.asarray(valid)
    known = given != 0
    if given.dtype.kind not in "biuf" or np.any(given[known] != 1):
        raise DataError("valid pixels: expected 1 (or True) where there is data and 0 in holes")
    if not known.any():
        raise DataError("inpainting: no valid pixel to start from; the mask covers the whole sky")
    holes = np.flatnonzero(~known)
    small = np.int32 if 12 * nside**2 < 2**31 else np.int64
    neighbours = healpy.get_all_neighbours(nside, holes).T.astype(small)
    place = np.full(known.size, -1, dtype=small)
    place[holes] = np.arange(holes.size, dtype=small)
    exists = neighbours >= 0
    used = known[neighbours] & exists
    count = used.sum(axis=1).astype(np.int8)
    filled = np.zeros(holes.size, bool)
    # Only pixels at the front, with a valid neighbour, can be filled.
    front = np.flatnonzero(count > 0)
    sweeps: list[np.ndarray] = []
    while front.size:
        here = count[front]
        now = front[here >= min(_NEEDED, int(here.max()))]
        sweeps.append(now)
        filled[now] = True
        known[holes[now]] = True
        touched = place[neighbours[now][exists[now]]]
        front = np.unique(np.concatenate([front, touched[touched >= 0]]))
        front = front[~filled[front]]
        used[front] = known[neighbours[front]] & exists[front]
        count[front] = used[front].sum(axis=1)
    order = np.concatenate([np.zeros(0, int), *sweeps])
    start = np.concatenate([[0], np.cumsum([s.size for s in sweeps], dtype=int)])
    return InpaintingPlan(nside, holes[order], neighbours[order], used[order], start)


def diffusive_inpaint(
    maps: ArrayLike,
    valid: ArrayLike | InpaintingPlan,
    method: InpaintingMethod = "front",
) -> np.ndarray:
    """Maps with the pixels of holes filled from around them.

    Parameters
    ----------
    maps : array, shape (..., npix)
        Maps of one resolution, RING order, any unit; what they hold in the holes is ignored.
    valid : array, shape (npix,), or InpaintingPlan
        1 where maps hold data, 0 in holes; or the plan made of it.
    method : str
        ``front`` or ``laplace``.

    Returns
    -------
    array, shape (..., npix)
        Maps, unit of the input; valid pixels are unchanged.

    Raises
    ------
    ConfigurationError
        If the method is unknown.
    DataError
        If shapes differ, no pixel is valid, or valid pixels hold NaN or UNSEEN.
    ConvergenceError
        If the linear system of ``laplace`` was not solved.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; the rules of this module.
    """
    if method not in METHODS:
        raise ConfigurationError(f"inpainting {method!r}: expected one of {', '.join(METHODS)}")
    plan = valid if isinstance(valid, InpaintingPlan) else inpainting_plan(valid)
    values = np.asarray(maps, float)
    npix = 12 * plan.nside**2
    if values.ndim == 0 or values.shape[-1] != npix:
        raise DataError(
            f"inpainting: maps of shape {values.shape}, valid pixels of nside {plan.nside} "
            f"({npix} pixels): resolutions differ"
        )
    out = np.empty_like(values)
    for k, one in enumerate(values.reshape(-1, npix)):
        bad = invalid_pixels(one)
        bad[plan.pixels] = False
        if bad.any():
            raise DataError(
                f"inpainting: {bad.sum()} pixels of map {k} are NaN or UNSEEN where it should "
                "hold data; mark them as holes"
            )
        out.reshape(-1, npix)[k] = plan.fill(one)
    return _relax(out, plan) if method == "laplace" and plan.pixels.size else out


def _relax(maps: np.ndarray, plan: InpaintingPlan) -> np.ndarray:
    """Solution of value = mean of neighbours in the holes, from the front rule's values."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import cg

    size = plan.pixels.size
    place = np.full(12 * plan.nside**2, -1)
    place[plan.pixels] = np.arange(size)
    exists = plan.neighbours >= 0
    degree = exists.sum(axis=1).astype(float)
    column = np.where(exists, place[plan.neighbours], -1)
    row, slot = np.nonzero(column >= 0)
    # Degree minus adjacency, made to have unit diagonal: symmetric and positive definite.
    root = 1.0 / np.sqrt(degree)
    index = column[row, slot]
    matrix = csr_matrix((-root[row] * root[index], (row, index)), shape=(size, size))
    matrix.setdiag(1.0)
    rim = exists & (column < 0)
    for one in maps.reshape(-1, maps.shape[-1]):
        source = np.sum(np.where(rim, one[plan.neighbours], 0.0), axis=1)
        solution, flag = cg(
            matrix,
            source * root,
            x0=one[plan.pixels] / root,
            rtol=_LAPLACE_TOLERANCE,
            atol=0.0,
            maxiter=_LAPLACE_STEPS,
        )
        if flag:
            raise ConvergenceError(
                f"inpainting: {_LAPLACE_STEPS} steps do not solve the Laplace equation in holes "
                f"of {size} pixels; use method 'front'"
            )
        one[plan.pixels] = solution * root
    return maps
