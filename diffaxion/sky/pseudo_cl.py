"""Coupled spectra of masked maps, spectra of masks, and the noise in coupled spectra.

The coupled cross-spectrum of two masked maps is Ct_l = sum_m (m_a a)_lm (m_b b)*_lm/(2l+1). Noise
that is white in pixels adds a constant to the coupled spectrum of a map with itself,

    Nt = Omega_pix <m^2 s^2>     (variance s^2 per pixel, mask m),
    Nt = Omega_pix <m>/nbar      (counts of mean nbar m per pixel, delta = N/(nbar m) - 1).
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from jax.typing import ArrayLike

from ..errors import DataError
from .masks import mask_nside, usable_map, validate_mask
from .transforms import Transforms, cross_spectrum, get_transforms

ITERATIONS = 3
"""Corrections of the analysis of maps; fewer lose power at large multipoles."""

MASK_ITERATIONS = 0
"""Corrections for masks: they change bandpowers by 2e-5 where edges are sharp, else by 6e-6."""


def masked_alm(
    values: ArrayLike,
    mask: ArrayLike,
    lmax: int,
    transforms: Transforms | None = None,
    iterations: int = ITERATIONS,
) -> np.ndarray:
    """a_lm of a map times its mask.

    Parameters
    ----------
    values, mask : array, shape (npix,)
        Map, any unit, and weights.
    lmax : int
        Largest multipole, at most 3 nside - 1.
    transforms : Transforms, optional
        From :func:`~diffaxion.sky.transforms.get_transforms`; default healpy.
    iterations : int
        Corrections of the analysis.

    Returns
    -------
    complex array, shape ((lmax+1)(lmax+2)/2,)
        Coefficients, unit of the map.

    Raises
    ------
    DataError
        If map or mask cannot be used.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    pixels, weights = usable_map(values, mask)
    _check_lmax(lmax, mask_nside(pixels))
    backend = get_transforms() if transforms is None else transforms
    return backend.analysis(pixels * weights, lmax, iterations=iterations)


def _check_lmax(lmax: int, nside: int) -> None:
    if not 1 <= lmax <= 3 * nside - 1:
        raise DataError(
            f"l_max = {lmax} of a map with nside {nside}: expected 1 to 3 nside - 1 = "
            f"{3 * nside - 1}"
        )


def pseudo_spectrum(
    map_a: ArrayLike,
    mask_a: ArrayLike,
    map_b: ArrayLike,
    mask_b: ArrayLike,
    lmax: int,
    transforms: Transforms | None = None,
    iterations: int = ITERATIONS,
) -> np.ndarray:
    """Coupled cross-spectrum of two masked maps.

    Parameters
    ----------
    map_a, map_b : array, shape (npix,)
        Maps, any units.
    mask_a, mask_b : array, shape (npix,)
        Weights of each.
    lmax : int
        Largest multipole, at most 3 nside - 1.
    transforms : Transforms, optional
        From :func:`~diffaxion.sky.transforms.get_transforms`; default healpy.
    iterations : int
        Corrections of the analysis.

    Returns
    -------
    array, shape (lmax+1,)
        Ct_l, product of both units.

    Raises
    ------
    DataError
        If a map or a mask cannot be used.

    References
    ----------
    Hivon et al. 2002, astro-ph/0105302, equation 11.
    """
    alms = [
        masked_alm(values, mask, lmax, transforms, iterations)
        for values, mask in ((map_a, mask_a), (map_b, mask_b))
    ]
    return cross_spectrum(alms[0], alms[1])


class MaskSpectra:
    """Spectra of masks and of products of masks; each product is transformed once.

    Parameters
    ----------
    lmask : int
        Largest multipole. Sharp masks need 3 nside - 1.
    transforms : Transforms, optional
        From :func:`~diffaxion.sky.transforms.get_transforms`; default healpy.
    iterations : int
        Corrections of the analysis.
    """

    def __init__(
        self, lmask: int, transforms: Transforms | None = None, iterations: int = MASK_ITERATIONS
    ) -> None:
        self.lmask = lmask
        self._transforms = get_transforms() if transforms is None else transforms
        self._iterations = iterations
        self._alm: dict[bytes, np.ndarray] = {}

    def alm(self, *masks: np.ndarray) -> np.ndarray:
        """a_lm of a product of masks.

        Parameters
        ----------
        *masks : array, shape (npix,)
            Weights.

        Returns
        -------
        complex array, shape ((lmask+1)(lmask+2)/2,)
            Coefficients.

        Raises
        ------
        DataError
            If ``lmask`` is beyond 3 nside - 1.

        References
        ----------
        Hivon et al. 2002, astro-ph/0105302.
        """
        product = np.ascontiguousarray(math.prod(masks[1:], start=np.asarray(masks[0], float)))
        _check_lmax(self.lmask, mask_nside(product))
        key = hashlib.blake2b(product.tobytes(), digest_size=16).digest()
        if key not in self._alm:
            self._alm[key] = self._transforms.analysis(
                product, self.lmask, iterations=self._iterations
            )
        return self._alm[key]

    def spectrum(self, first: tuple[np.ndarray, ...], second: tuple[np.ndarray, ...]) -> np.ndarray:
        """Cross-spectrum of two products of masks.

        Parameters
        ----------
        first, second : tuple of array, shape (npix,)
            Masks of either product.

        Returns
        -------
        array, shape (lmask+1,)
            W_L.

        References
        ----------
        Hivon et al. 2002, astro-ph/0105302.
        """
        return cross_spectrum(self.alm(*first), self.alm(*second))


def mask_spectrum(
    mask_a: ArrayLike,
    mask_b: ArrayLike | None = None,
    lmask: int | None = None,
    transforms: Transforms | None = None,
    iterations: int = MASK_ITERATIONS,
) -> np.ndarray:
    """Cross-spectrum of two masks.

    Parameters
    ----------
    mask_a, mask_b : array, shape (npix,)
        Weights; the second defaults to the first.
    lmask : int, optional
        Largest multipole; default 3 nside - 1, which sharp masks need.
    transforms : Transforms, optional
        From :func:`~diffaxion.sky.transforms.get_transforms`; default healpy.
    iterations : int
        Corrections of the analysis.

    Returns
    -------
    array, shape (lmask+1,)
        W_L.

    Raises
    ------
    DataError
        If a mask is not one or resolutions differ.

    References
    ----------
    Hivon et al. 2002, astro-ph/0105302.
    """
    first = validate_mask(mask_a)
    nside = mask_nside(first)
    second = first if mask_b is None else validate_mask(mask_b, nside=nside)
    spectra = MaskSpectra(3 * nside - 1 if lmask is None else lmask, transforms, iterations)
    return spectra.spectrum((first,), (second,))


def white_noise_bias(mask: ArrayLike, sigma: ArrayLike) -> float:
    """Coupled spectrum of noise that is white in pixels, Omega_pix <m^2 s^2>.

    Parameters
    ----------
    mask : array, shape (npix,)
        Weights.
    sigma : array, shape (npix,) or ()
        Standard deviation of the noise per pixel, any unit.

    Returns
    -------
    float
        Nt, the same at all l [sr times the unit squared].

    Raises
    ------
    DataError
        If the mask is not one or the noise is negative or not finite inside it.

    References
    ----------
    Alonso et al. 2019, arXiv:1809.09603, section 2.3.
    """
    weights = validate_mask(mask)
    noise = np.where(weights > 0.0, np.broadcast_to(np.asarray(sigma, float), weights.shape), 0.0)
    if not np.all(np.isfinite(noise)) or np.any(noise < 0.0):
        raise DataError("noise per pixel: expected finite values >= 0 inside the mask")
    return float(4.0 * math.pi / weights.size * np.mean((weights * noise) ** 2))


def shot_noise_bias(mask: ArrayLike, mean_per_pixel: float) -> float:
    """Coupled shot noise of an overdensity under its completeness, Omega_pix <m>/nbar.

    Parameters
    ----------
    mask : array, shape (npix,)
        Completeness, which weights the overdensity.
    mean_per_pixel : float
        Mean count of a complete pixel, nbar.

    Returns
    -------
    float
        Nt, the same at all l [sr].

    Raises
    ------
    DataError
        If the mask is not one or the mean count is not positive.

    References
    ----------
    Nicola et al. 2021, arXiv:2010.09717, section 3; counts are Poisson.
    """
    weights = validate_mask(mask)
    if not (mean_per_pixel > 0.0 and math.isfinite(mean_per_pixel)):
        raise DataError(f"mean count per pixel = {mean_per_pixel:g}, expected > 0")
    return float(4.0 * math.pi / weights.size * np.mean(weights) / mean_per_pixel)
