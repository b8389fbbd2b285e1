"""One cell of the three-state chain with a constant Hamiltonian, in closed form.

With photon amplitudes written as A = sqrt(u) A^ (A^ regular at u = 0) and the common photon phase
exp(-i int D ds) taken out, a cell of length h depends on the phase y = (D - Delta_a) h/2, the
scaled field v = h (Delta_ag,l, Delta_ag,b)/sqrt(u) and on u alone. With g = u v.v and
z^2 = y^2 + g it maps

    A^' = A^ + v [u K (v.A^) + S a],      a' = u S (v.A^) + P a,
    K = -e (alpha + i beta),  S = -i e sin(z)/z,  P = e (cos z + i y sin(z)/z),  e = exp(iy),
    alpha = (cos y - cos z)/g,   beta = (y sin(z)/z - sin y)/g,

which is exp(-i H h) of Raffelt & Stodolsky 1988 (PRD 37, 1237). K, S and P are even in z, regular
at u = 0, at zero field and at y = 0, and evaluated here without cancellation through
x+- = (z +- y)/2, x+ x- = g/4. With photon damping y is complex.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..numerics import safe_divide
from .phase import sincos


def _sincos(x: Array) -> tuple[Array, Array]:
    return (jnp.sin(x), jnp.cos(x)) if jnp.iscomplexobj(x) else sincos(x)


def _sinc(x: Array, sine: Array) -> Array:
    small = jnp.abs(x) < 1e-4
    return jnp.where(small, 1.0 - x * x / 6.0, sine / jnp.where(small, 1.0, x))


def _divide(a: Array, b: Array) -> Array:
    """a/b with 0 where |b| underflows."""
    ok = jnp.abs(b) > 1e-150
    return jnp.where(ok, a / jnp.where(ok, b, 1.0), 0.0)


def _parts(y: Array, g: Array) -> tuple[Array, ...]:
    """(e, alpha, beta, cos z, sin(z)/z) of the cell."""
    z2 = y * y + g
    ok = jnp.abs(z2) > 1e-300
    z = jnp.where(ok, jnp.sqrt(jnp.where(ok, z2, 1.0)), 0.0)
    # The root with the phase of y, so that z + y does not cancel.
    z = jnp.where(jnp.real(z * jnp.conj(y)) < 0.0, -z, z)
    plus = 0.5 * (z + y)
    minus = _divide(0.25 * g, plus)
    sin_p, cos_p = _sincos(plus)
    sin_m, cos_m = _sincos(minus)
    sinc_p, sinc_m = _sinc(plus, sin_p), _sinc(minus, sin_m)
    sin_y, cos_y = sin_p * cos_m - cos_p * sin_m, cos_p * cos_m + sin_p * sin_m
    e = cos_y + 1j * sin_y
    alpha = 0.5 * sinc_p * sinc_m
    beta = _divide(0.5 * (sinc_m * cos_p - sinc_p * cos_m), z)
    cos_z = cos_p * cos_m - sin_p * sin_m
    sinc_z = _sinc(z, sin_p * cos_m + cos_p * sin_m)
    return e, alpha, beta, cos_z, sinc_z


def _map(y: Array, e: Array, alpha: Array, beta: Array, cos_z: Array, sinc_z: Array):
    return -e * (alpha + 1j * beta), -1j * e * sinc_z, e * (cos_z + 1j * y * sinc_z)


@jax.custom_jvp
def cell_map(y: Array, g: Array) -> tuple[Array, Array, Array]:
    """Coefficients (K, S, P) of one cell.

    Parameters
    ----------
    y : float or complex array, shape (...)
        Half the phase difference, (D - Delta_a) h/2; complex with damping [rad].
    g : float array, shape (...)
        u v.v = (Delta_ag h)^2 >= 0 [rad^2].

    Returns
    -------
    tuple of complex array, shape (...)
        K, S, P of the module's equations.

    References
    ----------
    Raffelt & Stodolsky 1988, PRD 37, 1237.
    """
    return _map(y, *_parts(y, g))


def cell_map_slopes(y: Array, g: Array) -> tuple[tuple[Array, ...], tuple[Array, ...], tuple]:
    """(K, S, P), their derivatives along y, and (g dK/dg, dS/dg, dP/dg), in closed form.

    With s' = d(sin(z)/z)/d(z^2): dalpha/dy = beta, dbeta/dy = -alpha - 2 s',
    g dalpha/dg = sin(z)/(2z) - alpha, g dbeta/dg = y s' - beta.
    """
    e, alpha, beta, cos_z, sinc_z = _parts(y, g)
    z2 = y * y + g
    small = jnp.abs(z2) < 1e-3
    x = jnp.where(small, z2, 0.0)
    series = -1.0 / 6.0 + x * (1.0 / 60.0 + x * (-1.0 / 1680.0 + x / 90720.0))
    slope = jnp.where(small, series, 0.5 * (cos_z - sinc_z) / jnp.where(small, 1.0, z2))
    k, s, p = _map(y, e, alpha, beta, cos_z, sinc_z)
    along_y = (
        2j * e * slope,
        e * sinc_z - 2j * e * y * slope,
        1j * p + e * ((1j - y) * sinc_z + 2j * y * y * slope),
    )
    along_g = (
        -e * (0.5 * sinc_z - alpha + 1j * (y * slope - beta)),
        -1j * e * slope,
        e * (-0.5 * sinc_z + 1j * y * slope),
    )
    return (k, s, p), along_y, along_g


@cell_map.defjvp
def _cell_map_jvp(primals, tangents):
    y, g = primals
    dy, dg = tangents
    values, along_y, (g_k, s_g, p_g) = cell_map_slopes(y, g)
    slopes_g = (safe_divide(g_k, jnp.where(g > 1e-200, g, 0.0)), s_g, p_g)
    return values, tuple(a * dy + b * dg for a, b in zip(along_y, slopes_g, strict=True))
