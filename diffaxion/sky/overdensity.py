"""From galaxy counts with a completeness to an overdensity, its mask and its shot noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jax.typing import ArrayLike

from ..errors import DataError
from .masks import mask_nside, validate_mask
from .pseudo_cl import shot_noise_bias


@dataclass(frozen=True)
class Overdensity:
    """delta = N/(nbar m) - 1 where the completeness m is above a threshold, 0 elsewhere.

    Attributes
    ----------
    values : array, shape (npix,)
        Overdensity.
    mask : array, shape (npix,)
        Completeness, 0 where it is below the threshold; it weights the overdensity.
    mean_per_pixel : float
        nbar, count of a complete pixel.
    """

    values: np.ndarray
    mask: np.ndarray
    mean_per_pixel: float

    @property
    def shot_noise_sr(self) -> float:
        """Shot noise of the decoupled spectrum of a complete sky, Omega_pix/nbar [sr]."""
        return 4.0 * math.pi / self.values.size / self.mean_per_pixel

    @property
    def coupled_shot_noise_sr(self) -> float:
        """Shot noise of the coupled spectrum under this mask, Omega_pix <m>/nbar [sr]."""
        return shot_noise_bias(self.mask, self.mean_per_pixel)


def counts_to_overdensity(
    counts: ArrayLike, completeness: ArrayLike, *, threshold: float = 0.5
) -> Overdensity:
    """Overdensity of galaxies from counts per pixel.

    Parameters
    ----------
    counts : array, shape (npix,)
        Galaxies per pixel, not corrected for completeness.
    completeness : array, shape (npix,)
        Share of the galaxies of each pixel that were found, 0 to 1.
    threshold : float
        Pixels below this completeness are masked.

    Returns
    -------
    Overdensity
        Overdensity, mask and mean count.

    Raises
    ------
    DataError
        If counts are negative or not finite inside the mask, resolutions differ, the completeness
        is not one, or no galaxy is left.

    References
    ----------
    Nicola et al. 2021, arXiv:2010.09717, section 3.
    """
    nside = mask_nside(counts, "galaxy counts")
    found = validate_mask(completeness, nside=nside, name="completeness")
    if not 0.0 < threshold <= 1.0:
        raise DataError(f"completeness threshold = {threshold:g}, expected 0 < t <= 1")
    mask = validate_mask(np.where(found < threshold, 0.0, found), name="completeness, thresholded")
    inside = mask > 0.0
    number = np.where(inside, np.asarray(counts, float), 0.0)
    bad = ~np.isfinite(number) | (number < 0.0)
    if bad.any():
        raise DataError(
            f"galaxy counts: {bad.sum()} pixels inside the mask are negative, NaN or UNSEEN "
            f"({bad.sum() / inside.sum():.3g} of them); an overdensity map needs no conversion"
        )
    mean = number.sum() / mask.sum()
    if mean == 0.0:
        raise DataError("galaxy counts: no galaxy inside the mask")
    values = np.zeros(number.size)
    values[inside] = number[inside] / (mean * mask[inside]) - 1.0
    return Overdensity(values, mask, float(mean))
