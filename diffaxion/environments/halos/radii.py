"""Radii and masses of halos: virial overdensity and conversion between definitions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .nfw import nfw_mass

_NEWTON_STEPS = 12


def virial_overdensity(matter_fraction: Float[Array, "..."]) -> Float[Array, "..."]:
    """Virial overdensity, 18 pi^2 + 82 u - 39 u^2 times the critical density, u = Omega_m(z) - 1.

    Parameters
    ----------
    matter_fraction : float array, shape (...)
        Omega_m at the redshift of the halo.

    Returns
    -------
    float array, shape (...)
        Delta_vir, relative to the critical density.

    References
    ----------
    Bryan & Norman 1998, ApJ 495, 80 (astro-ph/9710107), eq. 6 (flat, with Lambda).
    """
    u = matter_fraction - 1.0
    return 18.0 * jnp.pi**2 + 82.0 * u - 39.0 * u * u


def overdensity_radius(
    mass_Msun: Float[Array, "..."],
    overdensity: Float[Array, "..."] | float,
    density_Msun_Mpc3: Float[Array, "..."],
) -> Float[Array, "..."]:
    """Radius of the sphere that holds M at Delta times a density, (3M/(4 pi Delta rho))^(1/3).

    Parameters
    ----------
    mass_Msun : float array, shape (...)
        Mass M [Msun].
    overdensity : float array, shape (...)
        Delta.
    density_Msun_Mpc3 : float array, shape (...)
        Density rho that Delta refers to [Msun Mpc^-3].

    Returns
    -------
    float array, shape (...)
        Radius [Mpc], physical for a physical density.

    References
    ----------
    Definition; White 2001, A&A 367, 27 (astro-ph/0011495).
    """
    return jnp.cbrt(3.0 * mass_Msun / (4.0 * jnp.pi * overdensity * density_Msun_Mpc3))


def _residual(ln_c: Array, ln_mean_density: Array) -> tuple[Array, Array]:
    """ln(m(c)/c^3) minus its wanted value, and the derivative in ln c."""
    c = jnp.exp(ln_c)
    mass = nfw_mass(c)
    return jnp.log(mass) - 3.0 * ln_c - ln_mean_density, (c / (1.0 + c)) ** 2 / mass - 3.0


def convert_mass(
    mass_Msun: Float[Array, "..."],
    concentration: Float[Array, "..."],
    overdensity: Float[Array, "..."] | float,
    new_overdensity: Float[Array, "..."] | float,
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Mass and concentration of the same NFW halo at another overdensity.

    c' solves m(c')/c'^3 = (Delta'/Delta) m(c)/c^3 and M' = M m(c')/m(c). The residual is concave
    and falls in ln c', with a slope between -1 and -3, so that Newton steps from ln c converge
    from any side. They run without derivatives; one more step carries the implicit derivative.

    Parameters
    ----------
    mass_Msun : float array, shape (...)
        Mass M [Msun].
    concentration : float array, shape (...)
        c of the first definition.
    overdensity, new_overdensity : float array, shape (...)
        Delta of both definitions, relative to the same density.

    Returns
    -------
    mass, concentration : float array, shape (...)
        M' [Msun] and c' of the second definition.

    References
    ----------
    Hu & Kravtsov 2003, ApJ 584, 702 (astro-ph/0203169), appendix C.
    """
    mass = nfw_mass(concentration)
    wanted = jnp.log(new_overdensity / overdensity * mass) - 3.0 * jnp.log(concentration)
    fixed = jax.lax.stop_gradient(wanted)

    def step(_: int, ln_c: Array) -> Array:
        residual, slope = _residual(ln_c, fixed)
        return ln_c - residual / slope

    start = jnp.broadcast_to(jax.lax.stop_gradient(jnp.log(concentration)), wanted.shape)
    root = jax.lax.stop_gradient(jax.lax.fori_loop(0, _NEWTON_STEPS, step, start))
    residual, slope = _residual(root, wanted)
    new = jnp.exp(root - residual / slope)
    return mass_Msun * nfw_mass(new) / mass, new
