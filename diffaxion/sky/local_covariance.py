"""Covariance of needlet maps around every pixel: means of products over a Gaussian on the sphere.

    D_a = beta_a - G beta_a,    C_ab(p) = G[D_a D_b](p),

G being the smoothing exp(-l (l + 1) sigma^2/2); with a mask M, G x becomes G(M x)/G(M). Variants:

- ``exact``: as the reference computes it, maps analysed with iterations up to 3 nside - 1;
- ``smooth``: products analysed once, only to l_s = 5.5/sigma, beyond which G is below 3e-7;
- ``interpolated``: as smooth, C on a grid of nside >= 2 l_s, the weights interpolated from it;
- ``coarse``: the same with nside >= l_s.
"""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from .needlet_plan import BLOCK_BYTES, NeedletPlan
from .transforms import Transforms, map_nside, scale_alm

# Share of the kernel that must lie inside the mask for a local covariance to be used.
_LEAST_INSIDE = 1e-3


def checked_mask(mask: np.ndarray | None, nside: int) -> np.ndarray | None:
    """Mask from 0 to 1 of at least that resolution, else a DataError."""
    if mask is None:
        return None
    found = np.asarray(mask, float)
    if found.ndim != 1 or map_nside(found.size, "mask") < nside:
        raise DataError(f"mask of shape {found.shape}: expected a map of nside >= {nside}")
    if not np.all((found >= 0.0) & (found <= 1.0)) or not found.any():
        raise DataError("mask: expected values from 0 to 1, not all of them 0")
    return found


def degrade_binary(mask: np.ndarray, nside: int) -> np.ndarray:
    """Mask at another resolution, 1 where at least half of a pixel is valid, else 0."""
    import healpy

    if map_nside(mask.size, "mask") == nside:
        return (mask >= 0.5).astype(float)
    return (healpy.ud_grade(mask, nside) >= 0.5).astype(float)


class LocalSmoothing:
    """The operator G of one needlet scale and number of deprojections.

    Parameters
    ----------
    plan : NeedletPlan
        Scales and channels.
    scale : int
        Needlet scale.
    variant : str
        exact, smooth, interpolated or coarse.
    transforms : Transforms
        Back end.
    deprojected : int
        Number of deprojections in the rule for sigma.
    iterations : int
        Iterations of the exact variant.
    mask : float array, shape (npix,), optional
        0 or 1 at the resolution of the scale.
    """

    def __init__(
        self,
        plan: NeedletPlan,
        scale: int,
        variant: str,
        transforms: Transforms,
        deprojected: int = 0,
        iterations: int = 3,
        mask: np.ndarray | None = None,
    ) -> None:
        self.nside = int(plan.nside[scale])
        self.grid, self.band = plan.grid(scale, variant, deprojected)
        self.sigma = plan.sigma(scale, deprojected)
        self.transforms = transforms
        self.iterations = iterations if variant == "exact" else 0
        ell = np.arange(self.band + 1)
        self.gain = np.exp(-0.5 * ell * (ell + 1.0) * self.sigma**2)
        self.mask = mask
        if mask is not None:
            kernel = self._coefficients(mask)
            self._fine = self._share(self._map(kernel, self.nside))
            self._coarse = self._share(self._map(kernel, self.grid))

    def _share(self, inside: np.ndarray) -> np.ndarray:
        return np.where(inside > _LEAST_INSIDE, inside, 0.0)

    def _coefficients(self, maps: np.ndarray) -> np.ndarray:
        top = 3 * self.nside - 1 if self.iterations else self.band
        alm = self.transforms.analysis(maps, top, self.iterations, keep=self.band)
        return scale_alm(alm, self.gain)

    def _map(self, alm: np.ndarray, nside: int) -> np.ndarray:
        return self.transforms.synthesis(alm, nside)

    @property
    def valid(self) -> np.ndarray | None:
        """Pixels of the grid at which the covariance means something; None if all."""
        return None if self.mask is None else self._coarse > 0.0

    def remove_mean(self, maps: np.ndarray, alms: list[np.ndarray], first: int) -> np.ndarray:
        """D = beta - G beta, shape (n, npix); ``alms`` are the coefficients of the maps.

        Where the filter begins (``first``) above all multipoles that G keeps, nothing is taken
        away and the maps themselves come back.
        """
        if self.mask is None and not self.iterations and first > self.band:
            return maps
        out = np.empty_like(maps)
        for k, m in enumerate(maps):
            if self.mask is not None:
                mean = self._map(self._coefficients(self.mask * m), self.nside)
                mean /= np.where(self._fine > 0.0, self._fine, 1.0)
            elif self.iterations:
                # As the reference does: a round trip through pixels, also where G vanishes.
                mean = self._map(self._coefficients(m), self.nside)
            else:
                mean = self._map(scale_alm(alms[k], self.gain, self.band), self.nside)
            np.subtract(m, mean, out=out[k])
        return out if self.mask is None else out * self.mask

    def covariance(self, deviations: np.ndarray) -> np.ndarray:
        """Packed lower triangle of C, shape (n (n + 1)/2, 12 grid^2)."""
        n, pixels = deviations.shape
        pairs = [(a, b) for a in range(n) for b in range(a + 1)]
        out = np.empty((len(pairs), 12 * self.grid**2))
        count = max(1, BLOCK_BYTES // (8 * pixels))
        for start in range(0, len(pairs), count):
            chosen = pairs[start : start + count]
            products = np.empty((len(chosen), pixels))
            for row, (a, b) in zip(products, chosen):
                np.multiply(deviations[a], deviations[b], out=row)
            # Pairs come in the order of the packed triangle.
            out[start : start + count] = self._map(self._coefficients(products), self.grid)
        if self.mask is not None:
            out /= np.where(self._coarse > 0.0, self._coarse, 1.0)
        return out
