"""Apodisation of masks: the weight rises from 0 over a scale around each hole.

With the distance th of a pixel to the centre of the nearest pixel of weight zero, the scale th* and
X = sqrt((1 - cos th)/(1 - cos th*)), the weight is multiplied for X < 1 by

    C1: X - sin(2 pi X)/(2 pi),      C2: (1 - cos(pi X))/2.

X is the ratio of chords, so that distances are straight lines in space and a tree finds them. Only
pixels at the rim of holes can be the nearest ones, and only pixels near the rim are looked at.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from jax.typing import ArrayLike

from ..errors import ConfigurationError
from .masks import mask_nside, validate_mask

ApodisationKind = Literal["C1", "C2"]
KINDS: tuple[ApodisationKind, ...] = ("C1", "C2")

_COARSE = 16  # pixels on a side of the blocks that are skipped or searched together
_PIXEL_REACH = 1.2  # largest distance of a point of a pixel from its centre, times nside [rad]


def apodise(mask: ArrayLike, scale_deg: float, kind: ApodisationKind = "C1") -> np.ndarray:
    """Mask with smooth edges.

    Parameters
    ----------
    mask : array, shape (npix,)
        Weights, RING order; holes are the pixels of weight 0.
    scale_deg : float
        Distance th* over which the weight rises [deg], > 0 and <= 90.
    kind : str
        ``C1`` or ``C2``.

    Returns
    -------
    array, shape (npix,)
        Weights, nowhere above those of ``mask``.

    Raises
    ------
    ConfigurationError
        If the scale or the kind is not one of those allowed.
    DataError
        If the mask is not one, or nothing is left.

    References
    ----------
    Grain, Tristram & Stompor 2009, arXiv:0903.2350, section III; Alonso et al. 2019,
    arXiv:1809.09603, section 3.4.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"apodisation {kind!r}: expected one of {', '.join(KINDS)}")
    if not 0.0 < scale_deg <= 90.0:
        raise ConfigurationError(f"apodisation scale = {scale_deg:g} deg, expected 0 < s <= 90")
    weights = validate_mask(mask)
    rim = _rim(weights)
    if not rim.size:
        return weights
    chord = 2.0 * math.sin(0.5 * math.radians(scale_deg))
    pixels, distance = _near(weights, rim, chord)
    x = distance / chord
    if kind == "C1":
        factor = x - np.sin(2.0 * math.pi * x) / (2.0 * math.pi)
    else:
        factor = 0.5 * (1.0 - np.cos(math.pi * x))
    weights[pixels] *= factor
    return validate_mask(weights, name="apodised mask")


def _rim(weights: np.ndarray) -> np.ndarray:
    """Pixels of weight 0 with a neighbour of other weight."""
    import healpy

    holes = np.flatnonzero(weights == 0.0)
    if not holes.size:
        return holes
    near = healpy.get_all_neighbours(mask_nside(weights), holes)
    return holes[np.any((weights[near] > 0.0) & (near >= 0), axis=0)]


def _vectors(nside: int, pixels: np.ndarray) -> np.ndarray:
    import healpy

    return np.stack(healpy.pix2vec(nside, pixels), axis=-1)


def _near(weights: np.ndarray, rim: np.ndarray, chord: float) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of non-zero weight closer to the rim than a chord, and their distances."""
    import healpy
    from scipy.spatial import cKDTree

    nside = mask_nside(weights)
    tree = cKDTree(_vectors(nside, rim))
    block = max(nside // _COARSE, 1)
    # Blocks whose centre is farther than the chord plus their own size hold no pixel in reach.
    reach = chord + _PIXEL_REACH / block
    blocks = np.arange(12 * block**2)
    far = np.isinf(tree.query(_vectors(block, blocks), distance_upper_bound=reach)[0])
    ratio = (nside // block) ** 2
    nested = healpy.ring2nest(block, blocks[~far])
    inside = (nested[:, None] * ratio + np.arange(ratio)).ravel()
    pixels = healpy.nest2ring(nside, inside)
    pixels = pixels[weights[pixels] > 0.0]
    distance = tree.query(_vectors(nside, pixels), distance_upper_bound=chord)[0]
    found = np.isfinite(distance)
    return pixels[found], distance[found]
