"""Where the Primakoff formula holds: plasma frequency, degeneracy, temperature, screening."""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..constants import HBAR_C_KEV_CM, KELVIN_TO_KEV, M_E_KEV, M_U_G
from ..numerics import safe_divide, safe_sqrt
from .primakoff import T_KAPPA2, screening_scale_keV

Scalar = Float[Array, "..."]

# Number density of baryons [keV^3 per g cm^-3].
_BARYONS_KEV3 = HBAR_C_KEV_CM**3 / M_U_G

# Limits of the flags: conventions of this package, not sharp edges of the physics.
T_RELATIVISTIC_KEV = 10.0**8.7 * KELVIN_TO_KEV
DEGENERACY_LIMIT = 0.3
PLASMA_LIMIT = 3.0
KAPPA_OVER_T_RANGE = (0.05, 1.5)


def plasma_frequency_keV(density_g_cm3: Scalar, y_e: Scalar) -> Scalar:
    """Plasma frequency of non-degenerate electrons, omega_pl^2 = 4 pi alpha n_e/m_e.

    Parameters
    ----------
    density_g_cm3 : float array, shape (...)
        Mass density [g cm^-3].
    y_e : float array, shape (...)
        Electrons per baryon, dimensionless.

    Returns
    -------
    float array, shape (...)
        omega_pl [keV].

    References
    ----------
    Raffelt 1996, Stars as Laboratories for Fundamental Physics, section 6.3.
    """
    return safe_sqrt(T_KAPPA2 / M_E_KEV * density_g_cm3 * y_e)


def fermi_energy_keV(density_g_cm3: Scalar, y_e: Scalar) -> Scalar:
    """Non-relativistic Fermi energy, E_F = (3 pi^2 n_e)^(2/3)/(2 m_e).

    Parameters
    ----------
    density_g_cm3 : float array, shape (...)
        Mass density [g cm^-3].
    y_e : float array, shape (...)
        Electrons per baryon, dimensionless.

    Returns
    -------
    float array, shape (...)
        E_F [keV]; 0 with zero gradient where there are no electrons.

    References
    ----------
    Raffelt 1996, Stars as Laboratories for Fundamental Physics, appendix D.
    """
    n_e = _BARYONS_KEV3 * density_g_cm3 * y_e
    ok = n_e > 0.0
    return jnp.where(
        ok, (3.0 * math.pi**2 * jnp.where(ok, n_e, 1.0)) ** (2.0 / 3.0) / (2.0 * M_E_KEV), 0.0
    )


class PrimakoffFlags(eqx.Module):
    """Where the assumptions of the emission formula fail; True means outside the range.

    Attributes
    ----------
    plasma : bool array, shape (...)
        The lowest energy of interest is below 3 omega_pl: photon mass, longitudinal plasmons.
    degenerate : bool array, shape (...)
        E_F/T > 0.3: screening and scattering by electrons are over-estimated.
    relativistic : bool array, shape (...)
        log10(T/K) > 8.7: relativistic electrons, pairs and recoil.
    screening : bool array, shape (...)
        kappa/T outside 0.05-1.5, the range in which spectra were checked.
    massive : bool array, shape (...)
        m_a > 3 T: photon coalescence, which is omitted, dominates.
    """

    plasma: Bool[Array, "..."]
    degenerate: Bool[Array, "..."]
    relativistic: Bool[Array, "..."]
    screening: Bool[Array, "..."]
    massive: Bool[Array, "..."]


def primakoff_validity(
    temperature_keV: Scalar,
    density_g_cm3: Scalar,
    zeta: Scalar,
    y_e: Scalar,
    lowest_energy_keV: Scalar | float = 10.0,
    m_a_keV: Scalar | float = 0.0,
) -> PrimakoffFlags:
    """Validity flags of the emission formula; never raises, never changes a value.

    Parameters
    ----------
    temperature_keV : float array, shape (...)
        Temperature [keV].
    density_g_cm3 : float array, shape (...)
        Mass density [g cm^-3].
    zeta, y_e : float array, shape (...)
        Composition weight and electrons per baryon, dimensionless.
    lowest_energy_keV : float array, shape (), optional
        Lowest axion energy of interest [keV].
    m_a_keV : float array, shape (), optional
        Axion mass [keV].

    Returns
    -------
    PrimakoffFlags
        Boolean arrays, shape (...).

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356 (degeneracy); Di Lella et al. 2000, Phys. Rev. D 62,
    125011 (coalescence).
    """
    ratio = safe_divide(screening_scale_keV(density_g_cm3, temperature_keV, zeta), temperature_keV)
    lo, hi = KAPPA_OVER_T_RANGE
    return PrimakoffFlags(
        plasma=lowest_energy_keV < PLASMA_LIMIT * plasma_frequency_keV(density_g_cm3, y_e),
        degenerate=fermi_energy_keV(density_g_cm3, y_e) > DEGENERACY_LIMIT * temperature_keV,
        relativistic=temperature_keV > T_RELATIVISTIC_KEV,
        screening=(ratio < lo) | (ratio > hi),
        massive=m_a_keV > 3.0 * temperature_keV,
    )
