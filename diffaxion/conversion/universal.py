"""The universal axion spectrum of an n = 3 polytrope.

Inside it rho/T^3 is constant, so kappa/T =: q is the same at every radius and the spectrum
depends on two numbers, E/T_c and q, times a prefactor from which the density cancels. This is a
second route to the zone sum over :class:`~diffaxion.environments.stars.EddingtonStar`.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..constants import ALPHA_EM, ERG_PER_KEV, G_REF_GEV, HBAR_KEV_S, M_SUN_G, M_U_G
from ..environments.stars.eddington import (
    EddingtonStar,
    lane_emden_table,
    polytrope_nodes,
)
from ..numerics import safe_divide
from .primakoff import primakoff_form_factor, screening_scale_keV, thermal_factor
from .stellar import thermal_nodes

# g^2 alpha/(8 pi^2)/(m_u hbar) for 1 Msun, without 1/mu_1 [erg s^-1 keV^-1 per keV^3].
_PREFACTOR = (
    (G_REF_GEV * 1e-6) ** 2
    * ALPHA_EM
    / (8.0 * math.pi**2)
    * (M_SUN_G / M_U_G)
    / HBAR_KEV_S
    * ERG_PER_KEV
)


def universal_shape(u: Float[Array, "..."], q: Float[Array, "..."]) -> Float[Array, "..."]:
    """u^3 I(u, q) with I = int_0^s1 s^2 theta^3 F(4u^2/(q theta)^2)/(e^(u/theta) - 1) ds.

    Gauss-Legendre in radius with 32 nodes; the theta below which u/theta > 700 add nothing.

    Parameters
    ----------
    u : float array, shape (...)
        E/T_c, dimensionless (not the coupling).
    q : float array, shape (...)
        kappa/T, dimensionless, positive.

    Returns
    -------
    float array, shape (...)
        u^3 I, dimensionless.

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356 (rate); Chandrasekhar 1939, chapter VI (star).
    """
    theta, weight = (jnp.asarray(x) for x in polytrope_nodes())
    u, q = jnp.asarray(u)[..., None], jnp.asarray(q)[..., None]
    planck, t, ok = thermal_factor(u, theta)
    x = safe_divide(4.0 * jnp.where(ok, u, 0.0) ** 2, (q * t) ** 2)
    return jnp.sum(weight * theta**3 * planck * primakoff_form_factor(x), axis=-1)


def universal_total(q: Float[Array, "..."]) -> Float[Array, "..."]:
    """K(q) = int_0^inf y^3 F(4y^2/q^2)/(e^y - 1) dy, by 96 Gauss-Legendre nodes.

    Parameters
    ----------
    q : float array, shape (...)
        kappa/T, dimensionless, positive.

    Returns
    -------
    float array, shape (...)
        K, dimensionless.

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356 (rate); Chandrasekhar 1939, chapter VI (star).
    """
    y, w = (jnp.asarray(x) for x in thermal_nodes())
    q = jnp.asarray(q)[..., None]
    planck, _, _ = thermal_factor(y, jnp.ones_like(y))
    return jnp.sum(w * planck * primakoff_form_factor(safe_divide(4.0 * y**2, q**2)), axis=-1)


def _scale(star: EddingtonStar) -> tuple[Array, Array]:
    """(g^2 alpha/(8 pi^2 mu_1)) (M/m_u) zeta T_c^3/hbar [erg s^-1 keV^-1], and q."""
    *_, mu_1 = lane_emden_table()
    zeta = star.composition.zeta
    kappa = screening_scale_keV(star.rho_c_g_cm3, star.t_c_keV, zeta)
    scale = _PREFACTOR / mu_1 * star.mass_Msun * zeta * star.t_c_keV**3
    return scale, safe_divide(kappa, star.t_c_keV)


def eddington_spectrum(star: EddingtonStar, energy_keV: Float[Array, " n"]) -> Float[Array, " n"]:
    """Axion spectrum of an Eddington star from the universal function, per unit coupling u.

    dL/dE = (g^2 alpha/(8 pi^2 mu_1)) (M/m_u) zeta T_c^3 [x^3 I(x, q)]/hbar with x = E/T_c.

    Parameters
    ----------
    star : EddingtonStar
        The star.
    energy_keV : float array, shape (n,)
        Axion energies [keV].

    Returns
    -------
    float array, shape (n,)
        dL/dE divided by (g/1e-12 GeV^-1)^2 [erg s^-1 keV^-1].

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356 (rate); Chandrasekhar 1939, chapter VI (star).
    """
    scale, q = _scale(star)
    return scale * universal_shape(safe_divide(energy_keV, star.t_c_keV), q)


def eddington_luminosity(star: EddingtonStar) -> Float[Array, ""]:
    """Axion luminosity of an Eddington star over all energies, per unit coupling u.

    L = (g^2 alpha/(8 pi^2 mu_1)) (M/m_u) zeta T_c^4 K(q)/hbar int_0^s1 s^2 theta^7 ds.

    Parameters
    ----------
    star : EddingtonStar
        The star.

    Returns
    -------
    float array, shape ()
        L divided by (g/1e-12 GeV^-1)^2 [erg s^-1].

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356 (rate); Chandrasekhar 1939, chapter VI (star).
    """
    theta, weight = polytrope_nodes()
    scale, q = _scale(star)
    return scale * star.t_c_keV * float(weight @ theta**7) * universal_total(q)
