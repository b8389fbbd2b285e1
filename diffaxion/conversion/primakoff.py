"""Primakoff emission: thermal photons turning into axions in the screened field of a plasma.

Every function takes one datum (scalars; arrays broadcast elementwise) and is finite, value and
gradient, at zero energy, temperature, density and composition weight and at any E/T. Couplings
enter as u = (g/1e-12 GeV^-1)^2, of which every rate is exactly proportional: results are per
unit u. Targets are heavy and static (no recoil), electrons non-relativistic and non-degenerate.
``primakoff_validity`` says where that fails.

Numbers follow Raffelt, Phys. Rev. D 33 (1986) 897 and 37 (1988) 1356.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..constants import (
    ALPHA_EM,
    G_REF_GEV,
    HBAR_C_KEV_CM,
    HBAR_KEV_S,
    KEV4_EMISSIVITY_CGS,
    M_E_KEV,
    M_U_G,
)
from ..numerics import gauss_legendre, safe_divide, safe_sqrt

Scalar = Float[Array, "..."]

# T kappa^2 = 4 pi alpha rho zeta/m_u in natural units [keV^3 per g cm^-3].
T_KAPPA2 = 4.0 * math.pi * ALPHA_EM * HBAR_C_KEV_CM**3 / M_U_G
_G_REF2_KEV = (G_REF_GEV * 1e-6) ** 2

# Below this density times zeta [g cm^-3] a zone counts as vacuum: rho ln(1/rho) has value 0
# but an infinite slope at rho = 0, which no star needs.
_VACUUM = 1e-60
# e^-700 is still a normal float64; cooler zones contribute exactly nothing.
_Y_MAX = 700.0


def primakoff_form_factor(x: Scalar) -> Scalar:
    """Angular factor of screened Primakoff emission for a massless axion.

    F(x) = (1 + 1/x) ln(1 + x) - 1 with x = 4E^2/kappa^2; F -> x/2 for x -> 0 and
    F -> ln x - 1 for x -> infinity.

    Parameters
    ----------
    x : float array, shape (...)
        4 E^2/kappa^2 >= 0, dimensionless.

    Returns
    -------
    float array, shape (...)
        F, dimensionless.

    References
    ----------
    Raffelt 1986, Phys. Rev. D 33, 897; 1988, Phys. Rev. D 37, 1356.
    """
    small = x < 0.02
    s = jnp.where(small, x, 0.0)
    # F = sum_n (-1)^(n+1) x^n/(n(n+1)): eight terms are exact to 1e-15 below 0.02.
    series = jnp.zeros_like(s)
    for n in range(8, 0, -1):
        series = s * ((-1.0) ** (n + 1) / (n * (n + 1)) + series)
    b = jnp.where(small, 1.0, x)
    return jnp.where(small, series, (1.0 + 1.0 / b) * jnp.log1p(b) - 1.0)


def screening_scale_keV(density_g_cm3: Scalar, temperature_keV: Scalar, zeta: Scalar) -> Scalar:
    """Debye-Hueckel screening wave number of ions and electrons.

    kappa^2 = (4 pi alpha/T)(rho/m_u) zeta, zeta = sum_j X_j (Z_j + Z_j^2)/A_j.

    Parameters
    ----------
    density_g_cm3 : float array, shape (...)
        Mass density [g cm^-3].
    temperature_keV : float array, shape (...)
        Temperature [keV].
    zeta : float array, shape (...)
        Composition weight, dimensionless.

    Returns
    -------
    float array, shape (...)
        kappa [keV]; 0 with zero gradient where density, zeta or temperature vanish.

    References
    ----------
    Raffelt 1986, Phys. Rev. D 33, 897.
    """
    return safe_sqrt(safe_divide(T_KAPPA2 * density_g_cm3 * zeta, temperature_keV))


def massive_angular_factor(k_keV: Scalar, q_keV: Scalar, kappa2_keV2: Scalar) -> Scalar:
    """Angular integral of Primakoff conversion for photon momentum k and axion momentum q.

    A = 2 pi (kq)^2 int_-1^1 (1 - c^2)/[(k^2+q^2-2kqc)(k^2+q^2+kappa^2-2kqc)] dc, which is
    pi F(4E^2/kappa^2) for k = q = E. With z = (k^2+q^2)/(2kq) and d = kappa^2/(2kq) the closed
    form is (pi/2)[(2z+d) L(z+d) - 2 - (z^2-1)(L(z) - L(z+d))/d], L(z) = ln((z+1)/(z-1)); it is
    used for z < 2, and 16 Gauss-Legendre nodes (exact to 1e-15 there) above.

    Parameters
    ----------
    k_keV, q_keV : float array, shape (...)
        Momenta of photon and axion [keV]; 0 stands for a closed channel.
    kappa2_keV2 : float array, shape (...)
        Square of the screening wave number [keV^2].

    Returns
    -------
    float array, shape (...)
        A, dimensionless.

    References
    ----------
    Raffelt 1986, Phys. Rev. D 33, 897; Di Lella et al. 2000, Phys. Rev. D 62,
    125011.
    """
    b = 2.0 * k_keV * q_keV
    ok = (b > 0.0) & (kappa2_keV2 > 0.0)
    b = jnp.where(ok, b, 1.0)
    z_minus_1 = jnp.where(ok, (k_keV - q_keV) ** 2, 0.0) / b
    d = jnp.where(ok, kappa2_keV2, 1.0) / b
    near = z_minus_1 < 1.0

    # Closed form; for k = q the last term is 0 (the limit of t ln(1/t)).
    t = jnp.where(near, z_minus_1, 0.5)
    open_ = t > 0.0
    ts = jnp.where(open_, t, 1.0)
    dn = jnp.where(near, d, 1.0)
    z = 1.0 + t
    log_sum = jnp.log1p(2.0 / (t + dn))
    log_difference = jnp.log1p(dn / ts) - jnp.log1p(dn / (ts + 2.0))
    tail = jnp.where(open_, ts * (ts + 2.0) * log_difference / dn, 0.0)
    closed = 0.5 * math.pi * ((2.0 * z + dn) * log_sum - 2.0 - tail)

    c, w = gauss_legendre(16, -1.0, 1.0)
    zf = 1.0 + jnp.where(near, 1.0, z_minus_1)[..., None]
    df = jnp.where(near, 1.0, d)[..., None]
    integral = jnp.sum(w * (1.0 - c * c) / ((zf - c) * (zf + df - c)), axis=-1)
    return jnp.where(ok, jnp.where(near, closed, 0.5 * math.pi * integral), 0.0)


def thermal_factor(energy_keV: Scalar, temperature_keV: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """E^3/(e^{E/T} - 1) without overflow, and a temperature that is safe to divide by.

    Parameters
    ----------
    energy_keV, temperature_keV : float array, shape (...)
        Energy and temperature, in one unit [keV].

    Returns
    -------
    tuple of array, shape (...)
        The factor [keV^3], T or 1 [keV], and whether T > E/700; where not, the factor is 0.
    """
    ok = (temperature_keV > 0.0) & (energy_keV < _Y_MAX * temperature_keV)
    t = jnp.where(ok, temperature_keV, 1.0)
    e = jnp.where(ok, energy_keV, 1.0)
    y = e / t
    small = y < 1e-3
    ys = jnp.where(small, y, 0.0)
    yb = jnp.where(small, 1.0, y)
    # y/(e^y - 1), by series near 0; the next term is y^4/720.
    ratio = jnp.where(small, 1.0 - ys / 2.0 + ys**2 / 12.0, yb * jnp.exp(-yb) / (-jnp.expm1(-yb)))
    return jnp.where(ok, e * e * t * ratio, 0.0), t, ok


def _strength(
    energy_keV: Scalar,
    temperature_keV: Scalar,
    density_g_cm3: Scalar,
    zeta: Scalar,
    m_a_keV: Scalar | None,
    y_e: Scalar | None,
) -> Scalar:
    """T kappa^2 F [keV^3], or T kappa^2 (kq/E^2) A/pi for a massive axion or photon."""
    charge = T_KAPPA2 * density_g_cm3 * zeta
    ok = (density_g_cm3 * zeta > _VACUUM) & (temperature_keV > 0.0)
    t_kappa2 = jnp.where(ok, charge, 1.0)
    t = jnp.where(ok, temperature_keV, 1.0)
    if m_a_keV is None and y_e is None:
        factor = primakoff_form_factor(4.0 * energy_keV**2 * t / t_kappa2)
    else:
        omega2 = 0.0 if y_e is None else T_KAPPA2 / M_E_KEV * density_g_cm3 * y_e
        mass2 = 0.0 if m_a_keV is None else m_a_keV**2
        k = safe_sqrt(energy_keV**2 - omega2)
        q = safe_sqrt(energy_keV**2 - mass2)
        angular = massive_angular_factor(k, q, t_kappa2 / t)
        factor = safe_divide(k * q, energy_keV**2) * angular / math.pi
    return jnp.where(ok, t_kappa2 * factor, 0.0)


def primakoff_rate(
    energy_keV: Scalar,
    temperature_keV: Scalar,
    density_g_cm3: Scalar,
    zeta: Scalar,
    m_a_keV: Scalar | None = None,
    y_e: Scalar | None = None,
) -> Scalar:
    """Rate at which one photon of energy E becomes an axion, per unit u = (g/1e-12 GeV^-1)^2.

    Gamma = g^2 T kappa^2 F(4E^2/kappa^2)/(32 pi); massive: Gamma = g^2 T kappa^2 (q/E) A/(32 pi^2).

    Parameters
    ----------
    energy_keV : float array, shape (...)
        Photon energy = axion energy [keV].
    temperature_keV : float array, shape (...)
        Temperature [keV].
    density_g_cm3 : float array, shape (...)
        Mass density [g cm^-3].
    zeta : float array, shape (...)
        Composition weight, dimensionless.
    m_a_keV : float array, shape (...), optional
        Axion mass [keV]; None means massless.
    y_e : float array, shape (...), optional
        Electrons per baryon; gives the photon its plasma mass. None means a massless photon.

    Returns
    -------
    float array, shape (...)
        Gamma/u [s^-1].

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356; Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    strength = _strength(energy_keV, temperature_keV, density_g_cm3, zeta, m_a_keV, y_e)
    if y_e is not None:
        # The strength carries the photon velocity k/E of the emissivity; the rate does not.
        omega2 = T_KAPPA2 / M_E_KEV * density_g_cm3 * y_e
        strength = safe_divide(strength * energy_keV, safe_sqrt(energy_keV**2 - omega2))
    return _G_REF2_KEV * strength / (32.0 * math.pi) / HBAR_KEV_S


def primakoff_emissivity(
    energy_keV: Scalar,
    temperature_keV: Scalar,
    density_g_cm3: Scalar,
    zeta: Scalar,
    m_a_keV: Scalar | None = None,
    y_e: Scalar | None = None,
) -> Scalar:
    """Axion energy emitted per volume, time and energy, per unit u = (g/1e-12 GeV^-1)^2.

    dL/dV/dE = g^2 T kappa^2 E^3 F(4E^2/kappa^2)/(32 pi^3 (e^{E/T} - 1)), both photon
    polarisations included. With ``m_a_keV`` or ``y_e`` it is E^2 k Gamma/(pi^2 (e^{E/T} - 1)),
    k^2 = E^2 - omega_pl^2, q^2 = E^2 - m_a^2, and zero below max(omega_pl, m_a); photon
    coalescence and longitudinal plasmons are omitted.

    Parameters
    ----------
    energy_keV : float array, shape (...)
        Axion energy [keV].
    temperature_keV : float array, shape (...)
        Temperature [keV].
    density_g_cm3 : float array, shape (...)
        Mass density [g cm^-3].
    zeta : float array, shape (...)
        Composition weight sum_j X_j (Z_j + Z_j^2)/A_j, dimensionless.
    m_a_keV : float array, shape (...), optional
        Axion mass [keV]; None means massless.
    y_e : float array, shape (...), optional
        Electrons per baryon; gives the photon its plasma mass. None means a massless photon.

    Returns
    -------
    float array, shape (...)
        dL/dV/dE divided by u [erg cm^-3 s^-1 keV^-1].

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356; Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    planck, t, ok = thermal_factor(energy_keV, temperature_keV)
    # Zones that are too cool are given E = T = 1 so that nothing in them can overflow.
    e = jnp.where(ok, energy_keV, 1.0)
    strength = _strength(e, t, density_g_cm3, zeta, m_a_keV, y_e)
    return _G_REF2_KEV * KEV4_EMISSIVITY_CGS / (32.0 * math.pi**3) * strength * planck
