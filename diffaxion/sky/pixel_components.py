"""Components of a simulated sky that are made in pixels: the Galaxy and radio sources."""

from __future__ import annotations

import numpy as np

from ..constants import ARCMIN_RAD, K_PER_UK
from .galactic_sky import GalacticMaps
from .passbands import Passbands
from .random_fields import stream
from .responses import component_response
from .simulation_settings import SkySettings

_BETA_NODES = 41


def _analysis(values: np.ndarray, lmax: int) -> np.ndarray:
    import healpy

    return healpy.map2alm(values, lmax=lmax, iter=3)


def pixel_components(
    galactic: GalacticMaps, settings: SkySettings, seed: int, index: int
) -> dict[str, np.ndarray]:
    """a_lm of the components that are made in pixels, those of them that are wanted.

    Parameters
    ----------
    galactic : GalacticMaps
        Galaxy of this sky.
    settings : SkySettings
        Choices.
    seed, index : int
        Random numbers.

    Returns
    -------
    dict of str to complex array
        ``dust`` (unless its index varies), ``synchrotron``, ``radio`` [uK at 353, 30, 30 GHz].

    References
    ----------
    A toy.
    """
    lmax, on = settings.top_multipole, settings.components
    found = {}
    if "dust" in on and settings.galactic.dust_beta_rms == 0.0:
        found["dust"] = _analysis(galactic.dust_uK, lmax)
    if "synchrotron" in on:
        found["synchrotron"] = _analysis(galactic.synchrotron_uK, lmax)
    if "radio" in on:
        sources = np.zeros(12 * settings.nside**2)
        random = stream(seed, index, "radio")
        sigma = settings.common_fwhm_arcmin * ARCMIN_RAD / np.sqrt(8.0 * np.log(2.0))
        flux = settings.source_uK * 2.0 * np.pi * sigma**2
        at = source_pixels(settings, seed, index)
        brightness = flux * random.lognormal(0.0, 0.5, at.size) * sources.size / (4.0 * np.pi)
        np.add.at(sources, at, brightness)
        found["radio"] = _analysis(sources, lmax)
    return found


def varying_dust(
    galactic: GalacticMaps, bands: Passbands, settings: SkySettings, calibration: np.ndarray
) -> np.ndarray:
    """a_lm of dust whose index varies over the sky, channel by channel, without beams.

    Parameters
    ----------
    galactic : GalacticMaps
        Galaxy of this sky.
    bands : Passbands
        n channels.
    settings : SkySettings
        Choices.
    calibration : array, shape (n,)
        Factor on each channel.

    Returns
    -------
    complex array, shape (n, a)
        a_lm [K_CMB].

    References
    ----------
    A toy.
    """
    nodes = np.linspace(galactic.dust_beta.min(), galactic.dust_beta.max(), _BETA_NODES)
    seds = [settings.spectra(dust_beta=beta) for beta in nodes]
    rows = [np.log(np.asarray(component_response("dust", bands, sed))) for sed in seds]
    table = np.array(rows)
    maps = [np.exp(np.interp(galactic.dust_beta, nodes, column)) for column in table.T]
    lmax = settings.top_multipole
    return np.array(
        [c * K_PER_UK * _analysis(m * galactic.dust_uK, lmax) for c, m in zip(calibration, maps)]
    )


def source_pixels(settings: SkySettings, seed: int, index: int) -> np.ndarray:
    """Pixels of the bright sources of a sky.

    Parameters
    ----------
    settings : SkySettings
        Choices.
    seed, index : int
        Random numbers.

    Returns
    -------
    array of int, shape (sources,)
        RING.

    References
    ----------
    A toy: uniform over the sky.
    """
    size = 12 * settings.nside**2
    return stream(seed, index, "sources").integers(0, size, settings.sources)
