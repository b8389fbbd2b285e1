"""Whether the region of an observation, its stars and the description of its target agree."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from ..data.cluster_files import ClusterDescription
from ..data.file_list import Place
from ..data.sky_position import separation_arcmin
from ..environments.stars.star_field import StarField
from ..errors import DataError, DiffaxionWarning

ROI_ARCMIN = 2.0
# No cluster and no field of view is as wide as this.
_STARS_ARCMIN = 60.0


def warn_elsewhere(facts: ClusterDescription, region: Place, path: Path) -> None:
    """Warn of a region that does not hold the centre of its target.

    Parameters
    ----------
    facts : ClusterDescription
        Target.
    region : (ra_deg, dec_deg, radius_arcmin)
        Region of interest.
    path : Path
        Data, for the message.

    Returns
    -------
    None
        Called for its warning.

    References
    ----------
    None: a validation.
    """
    away = separation_arcmin((facts.position.ra, facts.position.dec), region[:2])
    if away > max(region[2], ROI_ARCMIN):
        warnings.warn(
            f"{path}: the region of interest is {away:.3g} arcmin from {facts.label}, whose sight "
            "line and luminosity are used; is the target another?",
            DiffaxionWarning,
            stacklevel=3,
        )


def check_stars(stars: StarField, ra_deg: float, dec_deg: float, radius_arcmin: float) -> None:
    """Refuse stars that are not near a region, and warn where most of their light is outside.

    Parameters
    ----------
    stars : StarField
        Stars [deg].
    ra_deg, dec_deg : float
        Centre of the region [deg].
    radius_arcmin : float
        Its radius [arcmin].

    Returns
    -------
    None
        Nothing; stars of the region pass.

    Raises
    ------
    DataError
        If a star of weight is more than a degree away.

    References
    ----------
    None: a validation.
    """
    places = list(zip(np.asarray(stars.ra_deg).tolist(), np.asarray(stars.dec_deg).tolist()))
    share = np.asarray(stars.shares()).reshape(-1, len(places)).mean(axis=0)
    away = np.array([separation_arcmin((ra_deg, dec_deg), place) for place in places])
    where = f"the centre of the region (RA {ra_deg:.5f}, Dec {dec_deg:.5f} deg)"
    far = (away > _STARS_ARCMIN) & (share > 0.0)
    if far.any():
        k = int(np.argmax(far))
        raise DataError(
            f"{stars.label}: {far.sum()} of {far.size} stars are more than 1 deg from {where}, the "
            f"first at RA {places[k][0]:g}, Dec {places[k][1]:g} deg; is ra_deg in hours, a sign "
            "lost, or the list that of another target?"
        )
    inside = float(share[away <= radius_arcmin].sum())
    if inside < 0.5:
        warnings.warn(
            f"{stars.label}: stars with {1.0 - inside:.0%} of the weight are more than "
            f"{radius_arcmin:g} arcmin from {where}; is the list that of this target?",
            DiffaxionWarning,
            stacklevel=3,
        )
