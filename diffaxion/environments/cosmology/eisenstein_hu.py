"""Matter transfer function of Eisenstein & Hu 1998, with baryon acoustic oscillations.

Equation numbers are theirs. Wave numbers are in 1/Mpc, without h.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...constants import C_KM_S, T_CMB_K
from .background import Cosmology

# Theta = T/2.7 K of the fits. The public screening code keeps 2.726 K of COBE here, next to
# 2.7255 K in the background; another temperature scales it.
_THETA_FIDUCIAL = 2.726 / 2.7
PIVOT_MPC = 0.05


class Scales(NamedTuple):
    """Scales of the transfer function that do not depend on k."""

    k_eq: Array
    z_eq: Array
    z_drag: Array
    r_eq: Array
    r_drag: Array
    sound_horizon: Array
    k_silk: Array


def transfer_scales(cosmology: Cosmology) -> Scales:
    """Equality, drag epoch, sound horizon and Silk scale, equations 2-7."""
    theta = _THETA_FIDUCIAL * cosmology.t_cmb_K / T_CMB_K
    w, wb = cosmology.omega_m, cosmology.omega_b
    k_eq = 7.46e-2 * w / theta**2
    z_eq = 2.5e4 * w / theta**4
    b1 = 0.313 * w**-0.419 * (1.0 + 0.607 * w**0.674)
    b2 = 0.238 * w**0.223
    z_drag = 1291.0 * w**0.251 / (1.0 + 0.659 * w**0.828) * (1.0 + b1 * wb**b2)
    r_eq, r_drag = (31.5 * wb * theta**-4 * 1e3 / z for z in (z_eq, z_drag))
    horizon = (
        2.0
        / (3.0 * k_eq)
        * jnp.sqrt(6.0 / r_eq)
        * jnp.log((jnp.sqrt(1.0 + r_drag) + jnp.sqrt(r_drag + r_eq)) / (1.0 + jnp.sqrt(r_eq)))
    )
    k_silk = 1.6 * wb**0.52 * w**0.73 * (1.0 + (10.4 * w) ** -0.95)
    return Scales(k_eq, z_eq, z_drag, r_eq, r_drag, horizon, k_silk)


def sound_horizon(cosmology: Cosmology) -> Float[Array, ""]:
    """Comoving sound horizon at the drag epoch, equation 6.

    Parameters
    ----------
    cosmology : Cosmology
        Background.

    Returns
    -------
    float array, shape ()
        s [Mpc].

    References
    ----------
    Eisenstein & Hu 1998, ApJ 496, 605 (astro-ph/9709112), eqs. 2-6.
    """
    return transfer_scales(cosmology).sound_horizon


def transfer_function(cosmology: Cosmology, k_Mpc: Float[Array, "..."]) -> Float[Array, "..."]:
    """Transfer function T(k) = f_b T_b + f_c T_c of baryons and cold dark matter.

    Parameters
    ----------
    cosmology : Cosmology
        Background.
    k_Mpc : float array, shape (...)
        Comoving wave numbers, positive [1/Mpc].

    Returns
    -------
    float array, shape (...)
        T, 1 on large scales.

    References
    ----------
    Eisenstein & Hu 1998, ApJ 496, 605 (astro-ph/9709112), eqs. 2-24.
    """
    k = jnp.asarray(k_Mpc, float)
    w, fb = cosmology.omega_m, cosmology.baryon_fraction
    fc = 1.0 - fb
    scales = transfer_scales(cosmology)
    s = scales.sound_horizon
    ks = k * s
    q = k / (13.41 * scales.k_eq)

    # cold dark matter, equations 9-12 and 17-20
    a1 = (46.9 * w) ** 0.670 * (1.0 + (32.1 * w) ** -0.532)
    a2 = (12.0 * w) ** 0.424 * (1.0 + (45.0 * w) ** -0.582)
    alpha_c = a1**-fb * a2 ** -(fb**3)
    strength = 0.944 / (1.0 + (458.0 * w) ** -0.708)
    beta_c = 1.0 / (1.0 + strength * (fc ** ((0.395 * w) ** -0.0266) - 1.0))

    def pressureless(alpha: Array | float, beta: Array | float) -> Array:
        log = jnp.log(math.e + 1.8 * beta * q)
        return log / (log + (14.2 / alpha + 386.0 / (1.0 + 69.9 * q**1.08)) * q**2)

    f = 1.0 / (1.0 + (ks / 5.4) ** 4)
    cold = f * pressureless(1.0, beta_c) + (1.0 - f) * pressureless(alpha_c, beta_c)

    # baryons, equations 13-15 and 21-24
    y = (1.0 + scales.z_eq) / (1.0 + scales.z_drag)
    x = jnp.sqrt(1.0 + y)
    suppression = y * (-6.0 * x + (2.0 + 3.0 * y) * jnp.log((x + 1.0) / (x - 1.0)))
    alpha_b = 2.07 * scales.k_eq * s * (1.0 + scales.r_drag) ** -0.75 * suppression
    beta_b = 0.5 + fb + (3.0 - 2.0 * fb) * jnp.sqrt((17.2 * w) ** 2 + 1.0)
    beta_node = 8.41 * w**0.435
    # k times the shifted sound horizon, written so that k -> 0 divides by nothing small
    shifted = ks**2 / (ks**3 + beta_node**3) ** (1.0 / 3.0)
    smooth = pressureless(1.0, 1.0) / (1.0 + (ks / 5.2) ** 2)
    damped = alpha_b * ks**3 / (ks**3 + beta_b**3) * jnp.exp(-((k / scales.k_silk) ** 1.4))
    baryons = (smooth + damped) * jnp.sinc(shifted / jnp.pi)
    return fb * baryons + fc * cold


def primordial_growing_power(
    cosmology: Cosmology, k_Mpc: Float[Array, "..."]
) -> Float[Array, "..."]:
    """P(k) for T = D = 1: (8 pi^2/25) A_s (c/100 km/s)^4/omega_m^2 k (k/k_p)^(n_s-1) [Mpc^3]."""
    k = jnp.asarray(k_Mpc, float)
    hubble_length4 = (C_KM_S / 100.0) ** 4
    amplitude = 8.0 * jnp.pi**2 / 25.0 * cosmology.a_s * hubble_length4 / cosmology.omega_m**2
    return amplitude * k * (k / PIVOT_MPC) ** (cosmology.n_s - 1.0)
