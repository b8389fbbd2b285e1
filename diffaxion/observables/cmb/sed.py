"""Spectral shape of a screening signal: by frequency, relative to 353 GHz, and over a passband.

A small optical depth tau takes away tau B_nu(T). In thermodynamic units, the change of the CMB
temperature that would dim the sky by as much,

    Delta T = -tau T (1 - e^-x)/x,    x = h nu/(k T),

with tau proportional to nu for axions and to 1/nu for dark photons.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ...constants import C_CM_S, ERG_PER_KEV, HBAR_EV_S, K_B_EV_K, T_CMB_K
from ...numerics import safe_divide, trapezoid_weights

REFERENCE_GHZ = 353.0
# h nu/k for nu = 1 GHz [K].
_KELVIN_PER_GHZ = 2.0 * math.pi * HBAR_EV_S * 1e9 / K_B_EV_K


def black_body_x(nu_GHz: ArrayLike, temperature_K: ArrayLike = T_CMB_K) -> Float[Array, "..."]:
    """h nu/(k T).

    Parameters
    ----------
    nu_GHz : float array, shape (...)
        Frequency [GHz].
    temperature_K : float array, shape ()
        Temperature [K]; by default that of the CMB.

    Returns
    -------
    float array, shape (...)
        Dimensionless; 6.215860594 at 353 GHz and 2.7255 K.

    References
    ----------
    Planck 1901.
    """
    return _KELVIN_PER_GHZ * jnp.asarray(nu_GHz, float) / temperature_K


def temperature_factor_uK(
    nu_GHz: ArrayLike = REFERENCE_GHZ, t_cmb_K: ArrayLike = T_CMB_K
) -> Float[Array, "..."]:
    """T (1 - e^-x)/x: minus the temperature change per unit optical depth.

    437599.232 uK at 353 GHz for T = 2.7255 K (x = 6.215860594); T itself at nu = 0.

    Parameters
    ----------
    nu_GHz : float array, shape (...)
        Observed frequency [GHz].
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].

    Returns
    -------
    float array, shape (...)
        Factor [uK]; Delta T = -factor * tau.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; derivative of the Planck spectrum.
    """
    x = black_body_x(nu_GHz, t_cmb_K)
    return 1e6 * jnp.asarray(t_cmb_K, float) * safe_divide(-jnp.expm1(-x), x, fill=1.0)


def screening_sed(nu_GHz: ArrayLike, t_cmb_K: ArrayLike = T_CMB_K) -> Float[Array, "..."]:
    """Axion screening in thermodynamic units: s = (1 - e^-x)/(1 - e^-x_353).

    The optical depth grows as nu and the temperature factor falls as (1 - e^-x)/x. Above 217 GHz
    the shape is within 2 per cent of the CMB itself; 30-143 GHz tell them apart.

    Parameters
    ----------
    nu_GHz : float array, shape (...)
        Observed frequency [GHz].
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].

    Returns
    -------
    float array, shape (...)
        Delta T(nu)/Delta T(353 GHz), dimensionless.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; Mondino et al. 2024, arXiv:2405.08059.
    """
    return jnp.expm1(-black_body_x(nu_GHz, t_cmb_K)) / jnp.expm1(
        -black_body_x(REFERENCE_GHZ, t_cmb_K)
    )


def dark_photon_sed(nu_GHz: ArrayLike, t_cmb_K: ArrayLike = T_CMB_K) -> Float[Array, "..."]:
    """Dark-photon screening in thermodynamic units: [(1 - e^-x)/x^2] relative to 353 GHz.

    The optical depth falls as 1/nu, so the signal is 57 times larger at 30 than at 353 GHz.

    Parameters
    ----------
    nu_GHz : float array, shape (...)
        Observed frequency [GHz], > 0 (0 is returned at nu = 0, where the shape diverges).
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].

    Returns
    -------
    float array, shape (...)
        Delta T(nu)/Delta T(353 GHz), dimensionless.

    References
    ----------
    Pirvu, Huang & Johnson 2023, arXiv:2307.15124 (screening by dark photons).
    """
    x, x_353 = black_body_x(nu_GHz, t_cmb_K), black_body_x(REFERENCE_GHZ, t_cmb_K)
    shape = safe_divide(jnp.expm1(-x), x * x)
    return shape * x_353**2 / jnp.expm1(-x_353)


def cmb_slope(nu_GHz: ArrayLike, t_cmb_K: ArrayLike = T_CMB_K) -> Float[Array, "..."]:
    """dB_nu/dT without its constant: x^4 e^x/(e^x - 1)^2, in decaying exponentials only.

    Parameters
    ----------
    nu_GHz : float array, shape (...)
        Observed frequency [GHz], >= 0.
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].

    Returns
    -------
    float array, shape (...)
        Times :func:`cmb_slope_unit_MJy_sr_K` it is dB_nu/dT; x^2 for small x.

    References
    ----------
    Derivative of the Planck spectrum; Planck 2013 results IX, arXiv:1303.5070, equation 8.
    """
    x = black_body_x(nu_GHz, t_cmb_K)
    return x**2 * jnp.exp(-x) * safe_divide(x, jnp.expm1(-x)) ** 2


def cmb_slope_unit_MJy_sr_K(t_cmb_K: ArrayLike = T_CMB_K) -> Float[Array, ""]:
    """Constant of dB_nu/dT, 2 k^3 T^2/(h c)^2.

    Parameters
    ----------
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].

    Returns
    -------
    float array, shape ()
        About 99 [MJy sr^-1 K^-1].

    References
    ----------
    Derivative of the Planck spectrum.
    """
    # eV s^-1 cm^-2 Hz^-1 to W m^-2 Hz^-1 to MJy.
    mjy = ERG_PER_KEV * 1e-3 * 1e-7 * 1e4 * 1e20
    planck_ev_s = 2.0 * math.pi * HBAR_EV_S
    return mjy * 2.0 * K_B_EV_K**3 * jnp.asarray(t_cmb_K, float) ** 2 / (planck_ev_s * C_CM_S) ** 2


def weighted_average(
    sed: Float[Array, "... q"],
    nu_GHz: Float[Array, "... q"],
    weight: Float[Array, "... q"],
    t_cmb_K: ArrayLike = T_CMB_K,
) -> Float[Array, "..."]:
    """Response to a spectrum in thermodynamic units by a quadrature rule of the passband.

    sum w b'(nu) s(nu) / sum w b'(nu) with b' = dB_nu/dT and sum w f = int tau f dnu.

    Parameters
    ----------
    sed : float array, shape (..., q)
        Spectrum s(nu) in thermodynamic units, any unit.
    nu_GHz : float array, shape (..., q)
        Nodes [GHz].
    weight : float array, shape (..., q)
        Weights of the nodes, transmission included, any normalisation.
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].

    Returns
    -------
    float array, shape (...)
        Band average <s>, unit of ``sed``; 0 where all weights vanish.

    References
    ----------
    Planck 2013 results IX, arXiv:1303.5070, section 3 (unit conversion and colour correction).
    """
    slope = weight * cmb_slope(nu_GHz, t_cmb_K)
    return safe_divide(jnp.sum(slope * sed, axis=-1), jnp.sum(slope, axis=-1))


def passband_average(
    sed: Float[Array, "... n"],
    nu_GHz: Float[Array, " n"],
    transmission: Float[Array, " n"],
    t_cmb_K: ArrayLike = T_CMB_K,
) -> Float[Array, "..."]:
    """Response of a map calibrated on the CMB to a spectrum in thermodynamic units.

    <s> = int tau(nu) b'(nu) s(nu) dnu / int tau(nu) b'(nu) dnu with b' = dB_nu/dT, proportional to
    x^4 e^x/(e^x - 1)^2, by the trapezoid on the given points. A pure CMB fluctuation (s = 1)
    keeps the value 1 for any band. Convention: tau is the response to the spectral radiance I_nu
    of a source that fills the beam. A table given per Rayleigh-Jeans temperature, or for a point
    source with a throughput of lambda^2, is first to be multiplied by nu^-2. The normalisation of
    tau drops out.

    Parameters
    ----------
    sed : float array, shape (..., n)
        Spectrum s(nu) in thermodynamic units, such as ``screening_sed(nu_GHz)``, any unit.
    nu_GHz : float array, shape (n,)
        Increasing frequencies of the passband [GHz], > 0.
    transmission : float array, shape (n,)
        Response tau to spectral radiance at these frequencies, any normalisation.
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].

    Returns
    -------
    float array, shape (...)
        Band average <s>, unit of ``sed``; 0 where the transmission vanishes everywhere.

    References
    ----------
    Planck 2013 results IX, arXiv:1303.5070, section 3 (unit conversion and colour correction).
    """
    weight = trapezoid_weights(nu_GHz) * transmission
    return weighted_average(sed, nu_GHz, weight, t_cmb_K)
