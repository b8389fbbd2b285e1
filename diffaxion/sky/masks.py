"""Masks of HEALPix maps (RING): checks, unions, discs and cuts, changes of resolution and frame.

A mask holds the weight of each pixel, 0 to 1. The region left by several masks is their product.
Two masks of one analysis are distinct: the pixels that are filled in before a transform, and the
pixels that spectra are measured in, which hold no filled-in pixel.
"""

from __future__ import annotations

import math

import numpy as np
from jax.typing import ArrayLike

from ..data.healpix_fits import UNSEEN as UNSEEN
from ..data.healpix_fits import invalid_pixels
from ..data.healpix_maps import without_rounding
from ..errors import ConfigurationError, DataError
from .transforms import map_nside

_FRAMES = {"galactic": "G", "equatorial": "C", "ecliptic": "E"}


def mask_nside(values: ArrayLike, name: str = "map") -> int:
    """Resolution of one map or mask from its number of pixels.

    Parameters
    ----------
    values : array, shape (npix,)
        Map or mask.
    name : str
        What it is called in messages.

    Returns
    -------
    int
        nside, a power of two.

    Raises
    ------
    DataError
        If no HEALPix map has this shape.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    shape = np.shape(values)
    if len(shape) != 1:
        raise DataError(f"{name}: shape {shape}, expected one map (npix,) in RING order")
    return map_nside(shape[0], name)


def validate_mask(mask: ArrayLike, *, nside: int | None = None, name: str = "mask") -> np.ndarray:
    """A mask as float64, if it is one.

    Parameters
    ----------
    mask : array, shape (npix,)
        Weights.
    nside : int, optional
        Resolution that it must have.
    name : str
        What it is called in messages.

    Returns
    -------
    array, shape (npix,)
        Weights from 0 to 1, not all 0.

    Raises
    ------
    DataError
        If its shape, its resolution or a value is not what it must be, or no sky is left.

    References
    ----------
    Hivon et al. 2002, astro-ph/0105302.
    """
    found = mask_nside(mask, name)
    if nside is not None and found != nside:
        raise DataError(
            f"{name}: nside {found}, expected {nside}; change it with degrade_mask at an explicit "
            "threshold"
        )
    weights = np.asarray(mask)
    if weights.dtype.kind not in "bfiu":
        raise DataError(f"{name}: type {weights.dtype}, expected numbers from 0 to 1")
    weights = without_rounding(weights.astype(float))
    bad = ~np.isfinite(weights) | (weights < 0.0) | (weights > 1.0)
    if bad.any():
        first = int(np.argmax(bad))
        raise DataError(
            f"{name}: {bad.sum()} values outside [0, 1], the first {weights[first]:g} at pixel "
            f"{first}; UNSEEN and NaN must become 0, weights be scaled to at most 1"
        )
    if not weights.any():
        raise DataError(f"{name}: f_sky = 0, no pixel is left")
    return weights


def usable_map(
    values: ArrayLike, mask: ArrayLike, *, extend: bool = False, name: str = "map"
) -> tuple[np.ndarray, np.ndarray]:
    """A map with its mask, as float64, with zeros where the mask is zero.

    Parameters
    ----------
    values : array, shape (npix,)
        Map, any unit.
    mask : array, shape (npix,)
        Weights.
    extend : bool
        Whether pixels without data inside the mask are masked too instead of refused. A mask that
        was apodised should be apodised again.
    name : str
        What the map is called in messages.

    Returns
    -------
    values, mask : arrays, shape (npix,)
        Finite map, unit of the input, and weights.

    Raises
    ------
    DataError
        If map and mask have different resolutions, the mask is not one, or pixels inside it hold
        NaN or UNSEEN.

    References
    ----------
    HEALPix documentation, UNSEEN.
    """
    nside = mask_nside(values, name)
    weights = validate_mask(mask, nside=nside, name=f"mask of {name}")
    pixels = np.asarray(values)
    if pixels.dtype.kind not in "fiu":
        raise DataError(f"{name}: type {pixels.dtype}, expected real numbers")
    pixels = pixels.astype(float)
    inside = weights > 0.0
    bad = invalid_pixels(pixels) & inside
    if bad.any():
        if not extend:
            raise DataError(
                f"{name}: {bad.sum()} pixels ({bad.sum() / inside.sum():.3g} of the masked sky) "
                "are NaN or UNSEEN where the mask is not zero; extend the mask (extend=True) or "
                "fill them in before"
            )
        weights = validate_mask(np.where(bad, 0.0, weights), name=f"mask of {name}, extended")
    return np.where(weights > 0.0, pixels, 0.0), weights


def sky_fraction(mask: ArrayLike) -> float:
    """Mean weight of a mask.

    Parameters
    ----------
    mask : array, shape (npix,)
        Weights.

    Returns
    -------
    float
        f_sky.

    Raises
    ------
    DataError
        If the mask is not one.

    References
    ----------
    Hivon et al. 2002, astro-ph/0105302, equation 10.
    """
    return float(np.mean(validate_mask(mask)))


def union_mask(*masks: ArrayLike) -> np.ndarray:
    """Mask that cuts what any of the masks cuts: their product.

    Parameters
    ----------
    *masks : array, shape (npix,)
        Weights, of one resolution.

    Returns
    -------
    array, shape (npix,)
        Weights.

    Raises
    ------
    ConfigurationError
        If no mask is given.
    DataError
        If one is not a mask, resolutions differ, or nothing is left of the sky.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    if not masks:
        raise ConfigurationError("union of masks: none given")
    product = validate_mask(masks[0], name="mask 0")
    for k, mask in enumerate(masks[1:], 1):
        product = product * validate_mask(mask, nside=mask_nside(product), name=f"mask {k}")
    return validate_mask(product, name="union of the masks")


def _check_threshold(threshold: float) -> None:
    if not 0.0 < threshold <= 1.0:
        raise ConfigurationError(f"threshold of a mask = {threshold:g}, expected 0 < t <= 1")


def degrade_mask(mask: ArrayLike, nside: int, threshold: float) -> np.ndarray:
    """Mask at another resolution: means over pixels, then 1 where they reach the threshold.

    Parameters
    ----------
    mask : array, shape (npix,)
        Weights.
    nside : int
        Resolution wanted.
    threshold : float
        Smallest mean that counts as observed, 0 to 1; 1 keeps whole pixels only.

    Returns
    -------
    array, shape (12 nside^2,)
        0 or 1.

    Raises
    ------
    ConfigurationError
        If the threshold is out of range.
    DataError
        If the mask is not one or nothing is left of it.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    import healpy

    _check_threshold(threshold)
    mean = healpy.ud_grade(validate_mask(mask), nside)
    # Means of 0 and 1 are rounded.
    return validate_mask((mean >= threshold - 1e-12).astype(float), name="degraded mask")


def rotate_mask(
    mask: ArrayLike, source: str, target: str = "galactic", *, threshold: float = 0.5
) -> np.ndarray:
    """Mask in another frame: interpolated in pixel space, then 1 where it reaches the threshold.

    Parameters
    ----------
    mask : array, shape (npix,)
        Weights.
    source, target : str
        Frames: ``galactic``, ``equatorial`` or ``ecliptic``.
    threshold : float
        Smallest interpolated weight that counts as observed.

    Returns
    -------
    array, shape (npix,)
        0 or 1, in the frame ``target``.

    Raises
    ------
    ConfigurationError
        If a frame is unknown or the threshold is out of range.
    DataError
        If the mask is not one.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    import healpy

    for frame in (source, target):
        if frame not in _FRAMES:
            raise ConfigurationError(f"coordinates {frame!r}: expected one of {', '.join(_FRAMES)}")
    _check_threshold(threshold)
    rotator = healpy.Rotator(coord=[_FRAMES[source], _FRAMES[target]])
    turned = rotator.rotate_map_pixel(validate_mask(mask))
    return validate_mask((turned >= threshold).astype(float), name="rotated mask")


def galactic_mask(nside: int, latitude_deg: float) -> np.ndarray:
    """1 at latitudes above a cut on both sides of the equator, else 0.

    Parameters
    ----------
    nside : int
        Resolution.
    latitude_deg : float
        Largest latitude that is cut [deg], 0 <= b < 90.

    Returns
    -------
    array, shape (npix,)
        Weights.

    Raises
    ------
    ConfigurationError
        If the latitude is out of range.

    References
    ----------
    None: geometry.
    """
    import healpy

    if not 0.0 <= latitude_deg < 90.0:
        raise ConfigurationError(f"latitude of the cut = {latitude_deg:g} deg, expected 0 to 90")
    z = healpy.pix2vec(nside, np.arange(12 * nside**2))[2]
    return np.where(np.abs(z) > math.sin(math.radians(latitude_deg)), 1.0, 0.0)


def point_source_mask(
    nside: int, lon_deg: ArrayLike, lat_deg: ArrayLike, radius_arcmin: ArrayLike
) -> np.ndarray:
    """0 in discs around positions, else 1.

    A disc holds the pixels whose centres lie in it, and that of its own centre however small it is.

    Parameters
    ----------
    nside : int
        Resolution.
    lon_deg, lat_deg : array, shape (s,)
        Positions, in the frame of the map [deg].
    radius_arcmin : array, shape (s,) or ()
        Radii of the discs [arcmin]; three times the FWHM of a channel is customary.

    Returns
    -------
    array, shape (npix,)
        Weights.

    Raises
    ------
    DataError
        If positions or radii are not finite or out of range.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, preprocessing.
    """
    import healpy

    lon, lat, radius = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, float)) for v in (lon_deg, lat_deg, radius_arcmin))
    )
    good = np.isfinite(lon) & (np.abs(lat) <= 90.0) & (radius > 0.0) & np.isfinite(radius)
    if not good.all():
        k = int(np.argmin(good))
        raise DataError(
            f"point source {k} at ({lon[k]:g}, {lat[k]:g}) deg, radius {radius[k]:g} arcmin: "
            "expected finite positions, |latitude| <= 90 and radius > 0"
        )
    mask = np.ones(12 * nside**2)
    # Small discs hold no centre of a pixel; the pixel of a source is masked all the same.
    mask[healpy.ang2pix(nside, lon, lat, lonlat=True)] = 0.0
    for vector, size in zip(healpy.ang2vec(lon, lat, lonlat=True), radius):
        mask[healpy.query_disc(nside, vector, math.radians(size / 60.0))] = 0.0
    return mask


def disc_mask(nside: int, lon_deg: float, lat_deg: float, radius_deg: float) -> np.ndarray:
    """1 in a disc, else 0.

    Parameters
    ----------
    nside : int
        Resolution.
    lon_deg, lat_deg : float
        Centre [deg].
    radius_deg : float
        Radius [deg].

    Returns
    -------
    array, shape (npix,)
        Weights.

    Raises
    ------
    DataError
        If the position or the radius is out of range.

    References
    ----------
    None: geometry.
    """
    return 1.0 - point_source_mask(nside, lon_deg, lat_deg, 60.0 * radius_deg)
