"""Bins of multipoles: weighted means over consecutive multipoles, disjoint and increasing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jax.typing import ArrayLike

from ..errors import ConfigurationError

Weighting = Literal["equal", "modes", "l(l+1)"]
WEIGHTINGS: tuple[Weighting, ...] = ("equal", "modes", "l(l+1)")

ELL_FIRST = 2
"""Bins start at the quadrupole: the monopole and the dipole are removed from the maps."""


@dataclass(frozen=True)
class Bins:
    """Disjoint bins of multipoles with weights, checked.

    Attributes
    ----------
    lo, hi : int array, shape (b,)
        First and last multipole of each bin, both included.
    weighting : str
        ``equal``, ``modes`` (2l+1) or ``l(l+1)``; weights of a bin sum to 1.
    """

    lo: np.ndarray
    hi: np.ndarray
    weighting: Weighting = "equal"

    def __post_init__(self) -> None:
        for name in ("lo", "hi"):
            given = np.atleast_1d(np.asarray(getattr(self, name)))
            if given.dtype.kind not in "iuf" or np.any(given != np.round(given)):
                raise ConfigurationError(f"bins: {name} = {given}, expected whole multipoles")
            object.__setattr__(self, name, given.astype(int))
        if self.weighting not in WEIGHTINGS:
            raise ConfigurationError(
                f"bins: weighting {self.weighting!r}, expected one of {', '.join(WEIGHTINGS)}"
            )
        lo, hi = self.lo, self.hi
        if lo.ndim != 1 or lo.shape != hi.shape or lo.size == 0:
            raise ConfigurationError(
                f"bins: first multipoles of shape {lo.shape}, last of {hi.shape}; expected two "
                "lists of the same length, at least one bin"
            )
        for k, (a, b) in enumerate(zip(lo, hi)):
            if b < a:
                raise ConfigurationError(f"bins: bin {k} from {a} to {b} is empty")
            if a < ELL_FIRST:
                raise ConfigurationError(f"bins: bin {k} starts at {a}, expected l >= {ELL_FIRST}")
        overlaps = np.flatnonzero(lo[1:] <= hi[:-1])
        if overlaps.size:
            k = int(overlaps[0])
            raise ConfigurationError(
                f"bins: {k} ({lo[k]}-{hi[k]}) and {k + 1} ({lo[k + 1]}-{hi[k + 1]}) overlap or "
                "are not in increasing order"
            )

    @property
    def size(self) -> int:
        """Number of bins."""
        return int(self.lo.size)

    def mean_matrix(self, lmax: int) -> np.ndarray:
        """Matrix B that takes a spectrum to its means over bins, shape (b, lmax+1).

        Parameters
        ----------
        lmax : int
            Largest multipole of the spectrum.

        Returns
        -------
        array, shape (b, lmax+1)
            Weights; rows sum to 1.

        Raises
        ------
        ConfigurationError
            If a bin ends beyond ``lmax``.

        References
        ----------
        Hivon et al. 2002, astro-ph/0105302, equation 20.
        """
        inside = self.membership(lmax).T
        ell = np.arange(lmax + 1.0)
        weight = {"equal": np.ones_like(ell), "modes": 2.0 * ell + 1.0}.get(
            self.weighting, ell * (ell + 1.0)
        )
        rows = inside * weight
        return rows / rows.sum(axis=1, keepdims=True)

    def membership(self, lmax: int) -> np.ndarray:
        """Matrix U of a spectrum that is constant in each bin, 0 outside, shape (lmax+1, b).

        Parameters
        ----------
        lmax : int
            Largest multipole of the spectrum.

        Returns
        -------
        array, shape (lmax+1, b)
            1 where a multipole belongs to a bin.

        Raises
        ------
        ConfigurationError
            If a bin ends beyond ``lmax``.

        References
        ----------
        Hivon et al. 2002, astro-ph/0105302, equation 21.
        """
        check_bins(self, lmax)
        ell = np.arange(lmax + 1)[:, None]
        return ((ell >= self.lo) & (ell <= self.hi)).astype(float)

    def centres(self) -> np.ndarray:
        """Middle of each bin, shape (b,): for plots, never for theory."""
        return 0.5 * (self.lo + self.hi)


def check_bins(bins: Bins, lmax: int, nside: int | None = None) -> None:
    """Refuse bins beyond the multipoles of a transform or of a map.

    Parameters
    ----------
    bins : Bins
        b bins.
    lmax : int
        Largest multipole of the transform.
    nside : int, optional
        Resolution of the map, which holds multipoles to 3 nside - 1.

    Returns
    -------
    None
        Nothing.

    Raises
    ------
    ConfigurationError
        If a bin ends beyond ``lmax``, or ``lmax`` beyond 3 nside - 1.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    if nside is not None and lmax > 3 * nside - 1:
        raise ConfigurationError(
            f"l_max = {lmax} is beyond 3 nside - 1 = {3 * nside - 1} of maps with nside {nside}"
        )
    beyond = np.flatnonzero(bins.hi > lmax)
    if beyond.size:
        k = int(beyond[0])
        raise ConfigurationError(
            f"bins: bin {k} from {bins.lo[k]} to {bins.hi[k]} ends beyond l_max = {lmax}; raise "
            "l_max (at most 3 nside - 1) or drop the bin"
        )


def linear_bins(
    width: int, lmax: int, first: int = ELL_FIRST, *, weighting: Weighting = "equal"
) -> Bins:
    """Bins of equal width; a last bin that would pass ``lmax`` is dropped.

    Parameters
    ----------
    width : int
        Multipoles per bin.
    lmax : int
        Largest multipole allowed in a bin.
    first : int
        First multipole of the first bin.
    weighting : str
        ``equal``, ``modes`` or ``l(l+1)``.

    Returns
    -------
    Bins
        As many as fit.

    Raises
    ------
    ConfigurationError
        If not even one bin fits.

    References
    ----------
    None: a grid.
    """
    count = 0 if width < 1 else (lmax + 1 - first) // width
    if count < 1:
        raise ConfigurationError(
            f"bins: no bin of {width} multipoles fits between l = {first} and {lmax}"
        )
    lo = first + width * np.arange(count)
    return Bins(lo, lo + width - 1, weighting)


def edge_bins(edges: ArrayLike, *, weighting: Weighting = "equal") -> Bins:
    """Adjacent bins from their edges: bin k holds edges[k] to edges[k+1] - 1.

    Parameters
    ----------
    edges : int array, shape (b+1,)
        Increasing multipoles.
    weighting : str
        ``equal``, ``modes`` or ``l(l+1)``.

    Returns
    -------
    Bins
        b bins.

    Raises
    ------
    ConfigurationError
        If the edges do not make bins.

    References
    ----------
    None: a grid.
    """
    edge = np.asarray(edges)
    if edge.ndim != 1 or edge.size < 2:
        raise ConfigurationError(f"bins: edges of shape {edge.shape}, expected at least two")
    return Bins(edge[:-1], edge[1:] - 1, weighting)


def pad_bins(bins: Bins, lmax: int) -> tuple[Bins, slice]:
    """Add guard bins in front and behind, so that every multipole from 2 to ``lmax`` has a bin.

    Power outside all bins leaks into the nearest bandpowers and makes their windows wide. Guard
    bins take it up; they are computed with the others and then dropped.

    Parameters
    ----------
    bins : Bins
        The bins wanted.
    lmax : int
        Largest multipole.

    Returns
    -------
    padded : Bins
        Guards of about the width of the nearest bin, gaps filled, and the bins wanted.
    kept : slice
        Where those are among them. With gaps between bins the slice would not be enough.

    Raises
    ------
    ConfigurationError
        If a bin ends beyond ``lmax`` or there are gaps between bins.

    References
    ----------
    None: linear algebra.
    """
    check_bins(bins, lmax)
    if np.any(bins.lo[1:] != bins.hi[:-1] + 1):
        raise ConfigurationError("bins: gaps between bins; guards need adjacent bins")

    def split(first: int, last: int, width: int) -> list[int]:
        length = last - first + 1
        count = max(1, round(length / width)) if length > 0 else 0
        return [first + (k * length) // count for k in range(count)]

    widths = bins.hi - bins.lo + 1
    front = split(ELL_FIRST, int(bins.lo[0]) - 1, int(widths[0]))
    behind = split(int(bins.hi[-1]) + 1, lmax, int(widths[-1]))
    lo = np.concatenate([front, bins.lo, behind]).astype(int)
    hi = np.concatenate([lo[1:] - 1, [lmax if behind else bins.hi[-1]]])
    return Bins(lo, hi, bins.weighting), slice(len(front), len(front) + bins.size)
