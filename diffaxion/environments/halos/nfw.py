"""The profile of Navarro, Frenk and White: enclosed mass, density and truncated transform.

With y = r/r_s the density is rho_s/(y (1+y)^2) and the mass inside r is 4 pi rho_s r_s^3 m(y).
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...numerics import auxiliary_integrals, sin_cos

# Below this truncation radius, in scale radii, the transform is that of a point to 1e-6 for every
# multipole that a survey has, and its closed form loses digits as 1/cut^2.
SMALLEST_CUT = 1e-3


def nfw_mass(y: Float[Array, "..."]) -> Float[Array, "..."]:
    """Dimensionless mass inside y scale radii, m(y) = ln(1 + y) - y/(1 + y).

    Parameters
    ----------
    y : float array, shape (...)
        Radius over scale radius, >= 0.

    Returns
    -------
    float array, shape (...)
        m(y), dimensionless.

    References
    ----------
    Navarro, Frenk & White 1997, ApJ 490, 493 (astro-ph/9611107), eqs. 1-3.
    """
    return jnp.log1p(y) - y / (1.0 + y)


def nfw_density(
    mass_Msun: Float[Array, "..."],
    radius_Mpc: Float[Array, "..."],
    concentration: Float[Array, "..."],
    x: Float[Array, "..."],
) -> Float[Array, "..."]:
    """Density of a halo at x = r/R: rho = M c^3/(4 pi R^3 m(c)) / (y (1+y)^2), y = c x.

    Parameters
    ----------
    mass_Msun : float array, shape (...)
        Mass M inside R [Msun].
    radius_Mpc : float array, shape (...)
        Radius R [Mpc, physical].
    concentration : float array, shape (...)
        c = R/r_s.
    x : float array, shape (...)
        r/R, > 0.

    Returns
    -------
    float array, shape (...)
        rho [Msun Mpc^-3, physical].

    References
    ----------
    Navarro, Frenk & White 1997, ApJ 490, 493 (astro-ph/9611107), eqs. 1-3.
    """
    y = concentration * x
    rho_s = mass_Msun / (4.0 * jnp.pi * nfw_mass(concentration)) * (concentration / radius_Mpc) ** 3
    return rho_s / (y * (1.0 + y) ** 2)


def nfw_transform(q: Float[Array, "..."], cut: Float[Array, "..."]) -> Float[Array, "..."]:
    """Fourier transform of the profile truncated at ``cut`` scale radii, 1 for q -> 0.

    u = int_0^X y/(1+y)^2 sin(qy)/(qy) dy / m(X), with X the cut. In the auxiliary functions of
    the sine and cosine integrals, which leaves no cancellation at large q,

        u m(X) = g(q) - g(p) cos(qX) + (f(p) - 1/p) sin(qX),   p = q (1 + X).

    Parameters
    ----------
    q : float array, shape (...)
        Wave number times scale radius, > 0.
    cut : float array, shape (...)
        X, truncation radius over scale radius; below 1e-3 it counts as 1e-3.

    Returns
    -------
    float array, shape (...)
        u, dimensionless.

    References
    ----------
    Cooray & Sheth 2002, Phys. Rept. 372, 1 (astro-ph/0206508), eq. 81.
    """
    cut = jnp.maximum(cut, SMALLEST_CUT)
    q = jnp.maximum(q, 1e-30)
    p = q * (1.0 + cut)
    _, g_in = auxiliary_integrals(q)
    f_out, g_out = auxiliary_integrals(p)
    sine, cosine = sin_cos(q * cut)
    return (g_in - g_out * cosine + (f_out - 1.0 / p) * sine) / nfw_mass(cut)
