"""Resonant conversion of photons in a halo: the linear (Landau-Zener) level crossing.

Along a sight line the effective photon mass m_gamma^2 = 4 pi alpha n_e/m_e passes the mass m of a
boson that mixes with the photon. Of the two levels' Hamiltonian, in hbar = c = 1, only the
difference dE(l) = (m_gamma^2(l) - m^2)/(2 omega) and the mixing V matter, and if dE is linear
where it vanishes, the probability to change is

    P = 1 - exp(-Gamma),   Gamma = 2 pi V^2/|d dE/dl| = 2 pi V^2 2 omega/|d m_gamma^2/dl|.

Axions: V = g B_T/2, for the polarisation along the transverse field B_T. Dark photons:
V = epsilon m^2/(2 omega), for both polarisations. In halos Gamma is below 1e-4 for every coupling
that is not excluded, so P = Gamma is exact enough, and strictly proportional to g^2 or epsilon^2.

Factors that belong to a sight line, not to a crossing, are kept apart: ``ORIENTATION_AVERAGE``
(axions only) and ``NUMBER_OF_CROSSINGS`` enter the optical depth once.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..constants import G_REF_GEV, MPC_CM, MPC_EV_INV, SCREENING_CONSTANTS, ScreeningConstants
from ..environments.halos.gas import MIN_SLOPE
from ..errors import unknown_name
from ..numerics import gauss_legendre, safe_divide, safe_log, safe_sqrt

# <B_T^2>/B^2 = 2/3 for isotropic directions, and one of two polarisations converts: 1/3.
ORIENTATION_AVERAGE = 1.0 / 3.0
# A sight line that enters the sphere of resonance also leaves it.
NUMBER_OF_CROSSINGS = 2
# Kinetic mixing to which dark-photon probabilities refer.
EPSILON_REF = 1e-8

_FORMS = ("exact", "small")
# Nodes in |cos| of the angle between field and sight line.
_ORIENTATION_NODES = 32


def _constants(name: str) -> ScreeningConstants:
    if name not in SCREENING_CONSTANTS:
        raise unknown_name("set of constants", name, SCREENING_CONSTANTS)
    return SCREENING_CONSTANTS[name]


def landau_zener(
    mixing_eV: ArrayLike,
    omega_eV: ArrayLike,
    dm2_dl_eV2_per_Mpc: ArrayLike,
    form: str = "exact",
) -> Float[Array, "..."]:
    """Probability of a linear crossing, 1 - exp(-Gamma) with Gamma = 4 pi V^2 omega/|d m^2/dl|.

    One function for every boson: only V differs. The ``small`` form is Gamma itself.

    Parameters
    ----------
    mixing_eV : float array, shape (...)
        V, the off-diagonal element of the Hamiltonian [eV].
    omega_eV : float array, shape (...)
        Photon energy at the crossing [eV].
    dm2_dl_eV2_per_Mpc : float array, shape (...)
        Derivative of m_gamma^2 along the path [eV^2 Mpc^-1], either sign; where it is 0 there is
        no linear crossing and 0 is returned.
    form : str
        ``"exact"``, or ``"small"`` for Gamma << 1; static.

    Returns
    -------
    float array, shape (...)
        P, dimensionless.

    Raises
    ------
    ConfigurationError
        If ``form`` is unknown.

    References
    ----------
    Landau 1932, Phys. Z. Sowjetunion 2, 46; Zener 1932, Proc. R. Soc. A 137, 696;
    Parke 1986, Phys. Rev. Lett. 57, 1275 (in a medium).
    """
    if form not in _FORMS:
        raise unknown_name("form of the crossing probability", form, _FORMS)
    slope = jnp.abs(jnp.asarray(dm2_dl_eV2_per_Mpc, float))
    mixing = jnp.asarray(mixing_eV, float)
    scale = (4.0 * math.pi * MPC_EV_INV) * mixing * mixing * omega_eV
    gamma = safe_divide(scale, slope)
    return gamma if form == "small" else -jnp.expm1(-gamma)


def resonance_log_density(m_eV: ArrayLike, constants: str = "exact") -> Float[Array, "..."]:
    """ln n_res with n_res = m^2 m_e/(4 pi alpha), where the plasma frequency equals m.

    Parameters
    ----------
    m_eV : float array, shape (...)
        Mass of the boson [eV], > 0.
    constants : str
        ``"exact"`` or ``"public-code"``; static.

    Returns
    -------
    float array, shape (...)
        ln(n_res/cm^-3); a large negative constant for m = 0.

    Raises
    ------
    ConfigurationError
        If the set of constants is unknown.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (the resonance); CODATA 2022 (constants).
    """
    density = _constants(constants).resonance_density_Mpc3_GeV2 / MPC_CM**3
    return math.log(density * 1e-18) + 2.0 * safe_log(jnp.asarray(m_eV, float), 1e-100)


def photon_energy_eV(
    nu_GHz: ArrayLike, z: ArrayLike, constants: str = "exact"
) -> Float[Array, "..."]:
    """omega = 2 pi hbar nu (1 + z): energy in a halo at z of a photon observed at nu.

    Parameters
    ----------
    nu_GHz : float array, shape (...)
        Observed frequency [GHz].
    z : float array, shape (...)
        Redshift, dimensionless.
    constants : str
        ``"exact"`` or ``"public-code"``; static.

    Returns
    -------
    float array, shape (...)
        omega [eV].

    Raises
    ------
    ConfigurationError
        If the set of constants is unknown.

    References
    ----------
    CODATA 2022 (hbar).
    """
    planck = 2.0 * math.pi * _constants(constants).hbar_eV_s * 1e9
    return planck * jnp.asarray(nu_GHz, float) * (1.0 + jnp.asarray(z, float))


def _crossing(
    m_eV: ArrayLike, x: ArrayLike, slope: ArrayLike, r200c_Mpc: ArrayLike, constants: str
) -> tuple[Array, Array]:
    """|d m_gamma^2/dr| = m^2 |s|/r [eV^2 Mpc^-1] at the resonance, and whether it is a crossing.

    In the set of the public code the product of its two rounded factors is not exactly m^2.
    """
    c = _constants(constants)
    rounding = c.plasma_gradient_GeV3_Mpc4 * c.resonance_density_Mpc3_GeV2 * (MPC_EV_INV * 1e9)
    m, s = jnp.asarray(m_eV, float), jnp.asarray(slope, float)
    r = jnp.asarray(x, float) * r200c_Mpc
    ok = (m > 0.0) & (r > 0.0) & (jnp.abs(s) >= MIN_SLOPE)
    gradient = jnp.where(ok, m, 1.0) ** 2 * jnp.abs(jnp.where(ok, s, 1.0)) / jnp.where(ok, r, 1.0)
    return rounding * gradient, ok


def axion_halo_probability(
    m_a_eV: ArrayLike,
    b_muG: ArrayLike,
    x: ArrayLike,
    slope: ArrayLike,
    r200c_Mpc: ArrayLike,
    z: ArrayLike,
    nu_GHz: ArrayLike,
    constants: str = "exact",
) -> Float[Array, "..."]:
    """P = pi g^2 B^2 omega/|d m_gamma^2/dr| per u, for radial incidence and B_T = B.

    With |d m_gamma^2/dr| = m_a^2 |s|/r at r = x R200c this is 3.04110162e-6 u (B/muG)^2 (1 + z)
    (nu/353 GHz) (r/Mpc) (3e-13 eV/m_a)^2/|s|. The factors 1/3 (``ORIENTATION_AVERAGE``), 2
    (``NUMBER_OF_CROSSINGS``) and the slant of the sight line (``limb_kernel``) are not in it.
    Zero, with zero gradient, without a resonance: |s| < 0.05, x <= 0 or m_a <= 0.

    Parameters
    ----------
    m_a_eV : float array, shape (...)
        Axion mass [eV].
    b_muG : float array, shape (...)
        Field strength |B| at the resonance [muG].
    x : float array, shape (...)
        Radius of the resonance r/R200c, dimensionless.
    slope : float array, shape (...)
        s = d ln n_e/d ln r at the resonance, dimensionless, either sign.
    r200c_Mpc : float array, shape (...)
        R200c, physical [Mpc].
    z : float array, shape (...)
        Redshift of the halo, dimensionless.
    nu_GHz : float array, shape (...)
        Observed frequency [GHz].
    constants : str
        ``"exact"`` or ``"public-code"``; static.

    Returns
    -------
    float array, shape (...)
        P per unit u = (g/1e-12 GeV^-1)^2, dimensionless; the small form of the crossing.

    Raises
    ------
    ConfigurationError
        If the set of constants is unknown.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; Mondino et al. 2024, arXiv:2405.08059.
    """
    gradient, ok = _crossing(m_a_eV, x, slope, r200c_Mpc, constants)
    # g B/2 for g = 1e-12 GeV^-1 and 1 muG [eV].
    unit = 0.5 * G_REF_GEV * 1e-6 * _constants(constants).gauss_GeV2 * 1e9
    omega = photon_energy_eV(nu_GHz, z, constants)
    p = landau_zener(unit * jnp.asarray(b_muG, float), omega, gradient, form="small")
    return jnp.where(ok, p, 0.0)


def dark_photon_halo_probability(
    m_eV: ArrayLike,
    x: ArrayLike,
    slope: ArrayLike,
    r200c_Mpc: ArrayLike,
    z: ArrayLike,
    nu_GHz: ArrayLike,
    constants: str = "exact",
) -> Float[Array, "..."]:
    """P = pi epsilon^2 m^4/(omega |d m_gamma^2/dr|) = (pi epsilon^2 m^2/omega) r/|s|, radial.

    Derivation: with L = -F^2/4 - F'^2/4 + (epsilon/2) F F' + m^2 A'^2/2, the shift A' -> A' +
    epsilon A removes the kinetic mixing to first order and leaves the mass matrix [[m_gamma^2 +
    epsilon^2 m^2, epsilon m^2], [epsilon m^2, m^2]] (the sign is a convention). A relativistic
    wave of energy omega has H = k - M^2/(2 omega), so that V = epsilon m^2/(2 omega) and dE =
    (m_gamma^2 - m^2)/(2 omega): the crossing of an axion with g B_T replaced by epsilon m^2/omega.
    Both transverse polarisations convert, whatever the field: no factor 1/3 in the optical depth.
    omega = omega_0 (1 + z) stands in the denominator.

    Parameters
    ----------
    m_eV : float array, shape (...)
        Mass of the dark photon [eV].
    x : float array, shape (...)
        Radius of the resonance r/R200c, dimensionless.
    slope : float array, shape (...)
        s = d ln n_e/d ln r at the resonance, dimensionless, either sign.
    r200c_Mpc : float array, shape (...)
        R200c, physical [Mpc].
    z : float array, shape (...)
        Redshift of the halo, dimensionless.
    nu_GHz : float array, shape (...)
        Observed frequency [GHz].
    constants : str
        ``"exact"`` or ``"public-code"``; static.

    Returns
    -------
    float array, shape (...)
        P per unit (epsilon/1e-8)^2, dimensionless; zero without a resonance, as for axions.

    Raises
    ------
    ConfigurationError
        If the set of constants is unknown.

    References
    ----------
    Pirvu, Huang & Johnson 2023, arXiv:2307.15124; Mirizzi, Redondo & Sigl 2009, JCAP 03, 026.
    """
    gradient, ok = _crossing(m_eV, x, slope, r200c_Mpc, constants)
    omega = photon_energy_eV(nu_GHz, z, constants)
    mixing = 0.5 * EPSILON_REF * jnp.asarray(m_eV, float) ** 2 * safe_divide(jnp.ones(()), omega)
    return jnp.where(ok, landau_zener(mixing, omega, gradient, form="small"), 0.0)


def transition_width_Mpc(
    m_eV: ArrayLike,
    x: ArrayLike,
    slope: ArrayLike,
    r200c_Mpc: ArrayLike,
    z: ArrayLike,
    nu_GHz: ArrayLike,
    constants: str = "exact",
) -> Float[Array, "..."]:
    """l_res = sqrt(4 pi omega/|d m_gamma^2/dr|), the length over which a crossing happens.

    The phase int dE dl is pi/4 at a distance l_res/2 from the resonance. A diagnostic: n_e, s and
    B are taken at the resonance, which needs l_res << r (it is below 0.8 per cent of r in halos).

    Parameters
    ----------
    m_eV : float array, shape (...)
        Mass of the boson [eV].
    x : float array, shape (...)
        Radius of the resonance r/R200c, dimensionless.
    slope : float array, shape (...)
        s = d ln n_e/d ln r at the resonance, dimensionless, either sign.
    r200c_Mpc : float array, shape (...)
        R200c, physical [Mpc].
    z : float array, shape (...)
        Redshift of the halo, dimensionless.
    nu_GHz : float array, shape (...)
        Observed frequency [GHz].
    constants : str
        ``"exact"`` or ``"public-code"``; static.

    Returns
    -------
    float array, shape (...)
        Width for radial incidence [Mpc], physical; 0 without a resonance.

    Raises
    ------
    ConfigurationError
        If the set of constants is unknown.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (without the 4 pi).
    """
    gradient, ok = _crossing(m_eV, x, slope, r200c_Mpc, constants)
    omega = photon_energy_eV(nu_GHz, z, constants)
    return jnp.where(ok, safe_sqrt(4.0 * math.pi / MPC_EV_INV * omega / gradient), 0.0)


def saturated_conversion(probability: ArrayLike) -> Float[Array, "..."]:
    """Mean loss of unpolarised photons in two crossings, for P that is not small.

    (1/2) int_0^1 dmu 2 p (1 - p), p = 1 - exp(-P (1 - mu^2)): the field makes the angle arccos mu
    with the sight line, the polarisation along B_T converts with p in the first crossing and
    back in the second (with random phase between), the other one not at all. Field strength and
    direction are the same at both crossings. For P << 1 it is ``NUMBER_OF_CROSSINGS *
    ORIENTATION_AVERAGE * P``, which it replaces in the optical depth.

    Parameters
    ----------
    probability : float array, shape (...)
        P = u * ``axion_halo_probability``, dimensionless, >= 0.

    Returns
    -------
    float array, shape (...)
        Mean probability to leave as an axion, below 1/4; relative error 1e-9 for P < 30.

    References
    ----------
    Parke 1986, Phys. Rev. Lett. 57, 1275 (two crossings with averaged phase).
    """
    mu, weight = gauss_legendre(_ORIENTATION_NODES, 0.0, 1.0)
    exponent = jnp.asarray(probability, float)[..., None] * (1.0 - mu * mu)
    return jnp.sum(weight * -jnp.expm1(-exponent) * jnp.exp(-exponent), axis=-1)
