"""Photon spectra at Earth from axion spectra of sources."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...constants import ERG_PER_KEV, KPC_CM


def photon_spectrum(
    luminosity_erg_s_keV: Float[Array, "..."],
    energy_keV: Float[Array, "..."],
    distance_kpc: Float[Array, ""],
    probability: Float[Array, "..."] | float = 1.0,
) -> Float[Array, "..."]:
    """Photons at Earth: dN/dE = (dL/dE) p / (4 pi d^2 E).

    The probability sums over both photon polarisations: no factor 1/2.

    Parameters
    ----------
    luminosity_erg_s_keV : float array, shape (...)
        Axion luminosity per energy [erg s^-1 keV^-1].
    energy_keV : float array, shape (...)
        Energies [keV], > 0.
    distance_kpc : float array, shape ()
        Distance [kpc], > 0.
    probability : float array, shape (...)
        Conversion probability.

    Returns
    -------
    float array, shape (...)
        Photon flux density [cm^-2 s^-1 keV^-1].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    area_cm2 = 4.0 * jnp.pi * (distance_kpc * KPC_CM) ** 2
    return luminosity_erg_s_keV * probability / (energy_keV * ERG_PER_KEV * area_cm2)
