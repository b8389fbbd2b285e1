"""A toy of the Galaxy: dust and synchrotron, falling with latitude, in lognormal clouds.

    dust(353 GHz) = 60 uK e^G/(|sin b| + 0.05)^1.2
    synchrotron(30 GHz) = 20 uK e^G'/(|sin b| + 0.1)

G and G' are independent Gaussian fields with C_l = 0.05 (l/10)^-2.4. The index of the dust may
vary over the sky.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigurationError
from .random_fields import random_alm, stream


@dataclass(frozen=True)
class GalacticSky:
    """Parameters of the toy.

    Attributes
    ----------
    dust_uK, synchrotron_uK : float
        Amplitudes at 353 and 30 GHz [uK_CMB].
    dust_floor, synchrotron_floor : float
        Added to |sin b|.
    dust_power : float
        Exponent of the fall with latitude.
    dust_temperature_K, dust_beta, synchrotron_slope : float
        Spectra: modified black body [K], index of the brightness temperature.
    dust_beta_rms : float
        Standard deviation of the index over the sky, 0 for none.
    cloud_power, cloud_slope : float
        C_l = power (l/10)^slope of the logarithms.

    References
    ----------
    A toy; spectra as in Planck 2015 results X, arXiv:1502.01588.
    """

    dust_uK: float = 60.0
    synchrotron_uK: float = 20.0
    dust_floor: float = 0.05
    synchrotron_floor: float = 0.1
    dust_power: float = 1.2
    dust_temperature_K: float = 19.6
    dust_beta: float = 1.6
    dust_beta_rms: float = 0.0
    synchrotron_slope: float = -3.1
    cloud_power: float = 0.05
    cloud_slope: float = -2.4


@dataclass(frozen=True)
class GalacticMaps:
    """One realisation.

    Attributes
    ----------
    dust_uK : array, shape (p,)
        Dust at 353 GHz [uK_CMB].
    synchrotron_uK : array, shape (p,)
        Synchrotron at 30 GHz [uK_CMB].
    dust_beta : array, shape (p,) or ()
        Index of the dust.

    References
    ----------
    A toy.
    """

    dust_uK: np.ndarray
    synchrotron_uK: np.ndarray
    dust_beta: np.ndarray


def galactic_maps(
    galactic: GalacticSky, nside: int, lmax: int, seed: int, index: int = 0
) -> GalacticMaps:
    """Draw the toy Galaxy.

    Parameters
    ----------
    galactic : GalacticSky
        Parameters.
    nside : int
        Resolution.
    lmax : int
        Largest multipole of the clouds.
    seed, index : int
        Random numbers.

    Returns
    -------
    GalacticMaps
        Maps of 12 nside^2 pixels, RING.

    Raises
    ------
    ConfigurationError
        If an amplitude or a floor is negative.

    References
    ----------
    A toy.
    """
    import healpy

    for name in ("dust_uK", "synchrotron_uK", "dust_beta_rms", "cloud_power"):
        if not getattr(galactic, name) >= 0.0:
            raise ConfigurationError(f"{name} = {getattr(galactic, name)}: expected >= 0")
    for name in ("dust_floor", "synchrotron_floor"):
        if not getattr(galactic, name) > 0.0:
            raise ConfigurationError(
                f"{name} = {getattr(galactic, name)}: expected > 0, the plane would be infinite"
            )
    l = np.arange(lmax + 1.0)
    cl = np.where(
        l >= 2, galactic.cloud_power * (np.maximum(l, 1.0) / 10.0) ** galactic.cloud_slope, 0.0
    )

    def field(name: str) -> np.ndarray:
        alm = random_alm(stream(seed, index, name), lmax)
        return healpy.alm2map(healpy.almxfl(alm, np.sqrt(cl)), nside, lmax=lmax)

    height = np.abs(healpy.pix2vec(nside, np.arange(12 * nside**2))[2])
    dust = np.exp(field("dust")) / (height + galactic.dust_floor) ** galactic.dust_power
    synchrotron = np.exp(field("synchrotron")) / (height + galactic.synchrotron_floor)
    beta = np.asarray(galactic.dust_beta)
    if galactic.dust_beta_rms > 0.0:
        variance = np.sum((2.0 * l + 1.0) * cl) / (4.0 * np.pi)
        beta = beta + galactic.dust_beta_rms * field("dust-beta") / np.sqrt(variance)
    return GalacticMaps(galactic.dust_uK * dust, galactic.synchrotron_uK * synchrotron, beta)
