"""Linear growth of matter, with and without radiation in the expansion."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...numerics import gauss_legendre
from .background import Cosmology

_NODES = 32
# The growth equation is solved in ln a from here on; before, vacuum energy is below 3e-9 of the
# whole and the solution with matter and radiation alone holds.
_LN_A_START = -6.907755278982137
_STEPS = 128


def growth_factor(cosmology: Cosmology, z: Float[Array, "..."] | float) -> Float[Array, "..."]:
    """Linear growth factor D(z), equal to a = 1/(1+z) in the matter era.

    ``hypergeometric``: D = a sqrt(1+y) 2F1(5/6, 3/2; 11/6; -y), y = (1/Omega_m - 1) a^3, the
    solution without radiation. ``radiation``: the growing solution of

        D'' + (2 + d ln H/d ln a) D' = (3/2) Omega_m(a) D,   ' = d/d ln a,

    with radiation in H, which starts as D = a + (2/3) omega_r/omega_m.

    Parameters
    ----------
    cosmology : Cosmology
        Background; its ``growth`` selects the solution.
    z : float array, shape (...)
        Redshifts, z >= 0.

    Returns
    -------
    float array, shape (...)
        D, dimensionless.

    References
    ----------
    Heath 1977, MNRAS 179, 351; Meszaros 1974, A&A 37, 225 (the start with radiation).
    """
    a = 1.0 / (1.0 + jnp.asarray(z, float))
    if cosmology.growth == "hypergeometric":
        return hypergeometric_growth(cosmology, a)
    return radiation_growth(cosmology, a)


def hypergeometric_growth(cosmology: Cosmology, a: Float[Array, "..."]) -> Float[Array, "..."]:
    """D(a) without radiation: a sqrt(1+y) int_0^1 5 v^4 (1 + y v^6)^(-3/2) dv.

    This is Euler's integral of the hypergeometric function with its variable replaced by v^6,
    which leaves an analytic integrand: 32 Gauss-Legendre nodes reach rounding.
    """
    y = ((1.0 / cosmology.matter_fraction_today - 1.0) * a**3)[..., None]
    v, w = gauss_legendre(_NODES, 0.0, 1.0)
    integral = jnp.sum(5.0 * w * v**4 * (1.0 + y * v**6) ** -1.5, axis=-1)
    return a * jnp.sqrt(1.0 + y[..., 0]) * integral


def _coefficients(cosmology: Cosmology, ln_a: Float[Array, " n"]) -> Float[Array, "n 2"]:
    """c of g'' = -c_0 g - c_1 g' for g = D/a, which is smoother than D."""
    a = jnp.exp(ln_a)
    matter, radiation = cosmology.omega_m / a**3, cosmology.omega_r / a**4
    total = matter + radiation + cosmology.h**2 - cosmology.omega_m - cosmology.omega_r
    slope = -(3.0 * matter + 4.0 * radiation) / (2.0 * total)
    return jnp.stack([3.0 + slope - 1.5 * matter / total, 4.0 + slope], axis=-1)


def _rate(c: Float[Array, "2"], state: Float[Array, "2"]) -> Float[Array, "2"]:
    """(g', g'') of the state (g, g')."""
    return jnp.stack([state[1], -c[0] * state[0] - c[1] * state[1]])


def radiation_growth(cosmology: Cosmology, a: Float[Array, "..."]) -> Float[Array, "..."]:
    """D(a) with radiation: 128 Runge-Kutta steps in ln a, Hermite interpolation between them."""
    h = -_LN_A_START / _STEPS
    c = _coefficients(cosmology, jnp.linspace(_LN_A_START, 0.0, 2 * _STEPS + 1))
    equality = cosmology.omega_r / cosmology.omega_m

    def advance(state: Array, c: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        first, middle, last = c
        k1 = _rate(first, state)
        k2 = _rate(middle, state + 0.5 * h * k1)
        k3 = _rate(middle, state + 0.5 * h * k2)
        k4 = _rate(last, state + h * k3)
        moved = state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        return moved, moved

    early = 2.0 / 3.0 * equality * jnp.exp(-_LN_A_START)
    start = jnp.stack([1.0 + early, -early])
    _, states = jax.lax.scan(advance, start, (c[:-1:2], c[1::2], c[2::2]))
    states = jnp.concatenate([start[None], states])

    position = jnp.clip((jnp.log(a) - _LN_A_START) / h, 0.0, _STEPS)
    k = jnp.clip(jnp.floor(position).astype(int), 0, _STEPS - 1)
    t = position - k
    (g0, s0), (g1, s1) = jnp.moveaxis(states[k], -1, 0), jnp.moveaxis(states[k + 1], -1, 0)
    late = (
        g0 * (1.0 + 2.0 * t) * (1.0 - t) ** 2
        + g1 * t**2 * (3.0 - 2.0 * t)
        + h * t * (1.0 - t) * (s0 * (1.0 - t) - s1 * t)
    )
    return jnp.where(jnp.log(a) < _LN_A_START, a + 2.0 / 3.0 * equality, a * late)
