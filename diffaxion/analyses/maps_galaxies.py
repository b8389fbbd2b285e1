"""Galaxies of the map pipeline: an overdensity from a map of counts, or one that is given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.healpix_maps import HealpixMap
from ..errors import DataError
from ..sky.masks import degrade_mask
from ..sky.overdensity import counts_to_overdensity


@dataclass(frozen=True)
class CountedGalaxies:
    """Overdensity from counts.

    Attributes
    ----------
    values, mask : array, shape (npix,)
        Overdensity and its weights, completeness included.
    shot_noise_sr : float
        White spectrum of the shot noise [sr].
    """

    values: np.ndarray
    mask: np.ndarray
    shot_noise_sr: float


def counted_galaxies(
    found: HealpixMap, completeness: np.ndarray, mask: np.ndarray
) -> CountedGalaxies:
    """Overdensity from counts and completeness.

    Masks only weight the overdensity: what they cut softly has all of its galaxies.

    Parameters
    ----------
    found : HealpixMap
        Galaxies per pixel.
    completeness : array, shape (npix,)
        Share of the galaxies that each pixel shows.
    mask : array, shape (npix,)
        Weights of the masks.

    Returns
    -------
    CountedGalaxies
        Overdensity, 0 where its mask is 0.

    Raises
    ------
    DataError
        If counts are negative or missing where the mask is not 0, or no galaxy is left.

    References
    ----------
    Nicola et al. 2021, arXiv:2010.09717.
    """
    inside = mask > 0.0
    counts = np.where(found.valid & inside, found.values, 0.0)
    try:
        made = counts_to_overdensity(counts, np.where(inside, completeness, 0.0))
    except DataError as error:
        raise DataError(f"{found.source}: {error}") from None
    weights = made.mask * mask
    _check_data(found, weights)
    return CountedGalaxies(made.values, weights, made.shot_noise_sr)


def given_overdensity(found: HealpixMap, mask: np.ndarray) -> np.ndarray:
    """An overdensity as it is, 0 where its mask is 0.

    Parameters
    ----------
    found : HealpixMap
        Overdensity.
    mask : array, shape (npix,)
        Weights of the masks.

    Returns
    -------
    array, shape (npix,)
        Overdensity.

    Raises
    ------
    DataError
        If it is missing where the mask is not 0, or nowhere negative, as counts are.

    References
    ----------
    Krolewski et al. 2020, arXiv:1909.07412.
    """
    _check_data(found, mask)
    values = np.where(mask > 0.0, found.values, 0.0)
    if values.min() >= 0.0 < values.max():
        raise DataError(
            f"{found.source}: no value below 0 inside the masks, expected an overdensity, whose "
            'mean is about 0; for counts of galaxies set files.galaxies_kind = "counts"'
        )
    return values


def _check_data(found: HealpixMap, mask: np.ndarray) -> None:
    bad = ~found.valid & (mask > 0.0)
    if bad.any():
        raise DataError(
            f"{found.source}: {bad.sum()} pixels are NaN or UNSEEN where the masks of "
            "files.galaxy_masks are not zero: add a mask that covers them"
        )


def average_galaxies(
    values: np.ndarray, mask: np.ndarray, nside: int, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Map and mask at another resolution: means over what the mask keeps.

    Parameters
    ----------
    values, mask : array, shape (npix,)
        Overdensity and its weights.
    nside : int
        Resolution wanted.
    threshold : float
        Smallest mean of the mask that is kept.

    Returns
    -------
    values, mask : array, shape (12 nside^2,)
        Overdensity, and a mask of 0 and 1.

    Raises
    ------
    DataError
        If nothing is left of the mask.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    import healpy

    weight = healpy.ud_grade(mask, nside)
    total = healpy.ud_grade(values * mask, nside)
    kept = degrade_mask(mask, nside, threshold)
    return np.where(kept > 0.0, total / np.where(weight > 0.0, weight, 1.0), 0.0), kept


def whole_pixels(valid: np.ndarray, nside: int) -> np.ndarray:
    """1 where all of a pixel holds data, at another resolution.

    Parameters
    ----------
    valid : bool array, shape (npix,)
        Whether a pixel holds data.
    nside : int
        Resolution wanted.

    Returns
    -------
    array, shape (12 nside^2,)
        0 or 1.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    import healpy

    return (healpy.ud_grade(valid.astype(float), nside) > 1.0 - 1e-9).astype(float)
