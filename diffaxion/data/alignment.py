"""Astrometric alignment: where a reference source appears, and how far that is from where it is."""

from __future__ import annotations

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError
from .sky_grid import SkyGrid

SIGNIFICANCE_MIN = 5.0
_STEPS = 200
_CONVERGED_ARCSEC = 1e-3


def source_offset(
    counts: ArrayLike,
    grid: SkyGrid,
    ra_deg: float,
    dec_deg: float,
    radius_arcsec: float,
    source: str = "counts image",
) -> tuple[np.ndarray, np.ndarray]:
    """Offset of a source from its catalogue position, by its centroid above the local background.

    The background per pixel is the mean in the ring from one to two radii. The centroid of
    counts - background in the disc moves the disc until both have the same centre, so that
    neither a flat background nor the disc's edge pulls it.

    Parameters
    ----------
    counts : array, shape (ny, nx)
        Counts, summed over energies.
    grid : SkyGrid
        Where the pixels are.
    ra_deg, dec_deg : float
        Catalogue position [deg].
    radius_arcsec : float
        Radius of the disc, larger than the offset [arcsec].
    source : str
        File, for messages.

    Returns
    -------
    offset_arcsec : array, shape (2,)
        Measured minus catalogue position, east and north [arcsec]. The grid moved by minus this
        (``grid.shifted(*-offset)``) shows the source in its place.
    error_arcsec : array, shape (2,)
        Standard deviation of the centroid, 1 sigma of counting statistics [arcsec].

    Raises
    ------
    DataError
        If there is no source with five sigma, or it leaves the first disc.

    References
    ----------
    None: a first moment.
    """
    c = np.asarray(counts, float)
    east, north = grid.centres_arcsec(ra_deg, dec_deg)
    at = np.zeros(2)
    for _ in range(_STEPS):
        distance = np.hypot(east - at[0], north - at[1])
        disc, ring = distance <= radius_arcsec, distance > radius_arcsec
        ring &= distance <= 2.0 * radius_arcsec
        level = float(c[ring].mean()) if ring.any() else 0.0
        total, expected = float(c[disc].sum()), level * int(disc.sum())
        net = total - expected
        if not net > SIGNIFICANCE_MIN * np.sqrt(max(total, 1.0)):
            raise DataError(
                f"{source}: no reference source at RA {ra_deg:.5f}, Dec {dec_deg:.5f} deg: "
                f"{total:.0f} counts within {radius_arcsec:g} arcsec, {expected:.1f} expected from "
                f"the ring around; expected an excess of {SIGNIFICANCE_MIN:g} sigma. Give the "
                "offset of this exposure instead (offset_arcsec)"
            )
        excess = c[disc] - level
        points = np.stack([east[disc], north[disc]])
        moved = points @ excess / net
        step = float(np.hypot(*(moved - at)))
        at = moved
        if np.hypot(*at) > radius_arcsec:
            raise DataError(
                f"{source}: the reference source is {np.hypot(*at):.1f} arcsec from RA "
                f"{ra_deg:.5f}, Dec {dec_deg:.5f} deg, more than the radius of {radius_arcsec:g} "
                "arcsec; is it another source?"
            )
        if step < _CONVERGED_ARCSEC:
            break
    spread = np.sum((points - at[:, None]) ** 2 * c[disc], axis=-1)
    return at, np.sqrt(spread) / net
