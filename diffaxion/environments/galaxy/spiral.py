"""Field strength of the eight spiral arms as a function of the winding u, sharp or smooth.

A position belongs to the logarithmic spiral u = ln r - (phi - pi) tan i, and u is periodic with
P = 2 pi tan i. The strength b(u) is a step function with values b_1..b_8 below the boundaries
u_1 < ... < u_8, or the same steps smoothed by a logistic of width eps in u. Because b depends on
u alone, an in-plane field b (sin i, cos i) / r is free of divergence either way.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def fold(
    u: Float[Array, ""], u_arm: Float[Array, " n"], period: Float[Array, ""]
) -> Float[Array, ""]:
    """u moved by multiples of the period into (u_n - P, u_n]."""
    return u_arm[-1] - jnp.mod(u_arm[-1] - u, period)


def arm_extent(
    u_arm: Float[Array, " n"], period: Float[Array, ""]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Lower boundary and width of each arm in u."""
    lower = jnp.concatenate([u_arm[-1:] - period, u_arm[:-1]])
    return lower, u_arm - lower


def closure(b_muG: Float[Array, " n"], fraction: Float[Array, " n"]) -> Float[Array, " n"]:
    """Arm strengths with the last one set by zero net flux, sum_j f_j b_j = 0 [muG]."""
    last = -jnp.sum(fraction[:-1] * b_muG[:-1]) / fraction[-1]
    return jnp.concatenate([b_muG[:-1], last[None]])


def _images(
    u: Float[Array, ""],
    u_arm: Float[Array, " n"],
    period: Float[Array, ""],
    eps: Float[Array, ""],
) -> Float[Array, "3 n"]:
    shift = period * jnp.array([[-1.0], [0.0], [1.0]])
    return (u - u_arm - shift) / eps


def arm_strength(
    u: Float[Array, ""],
    u_arm: Float[Array, " n"],
    period: Float[Array, ""],
    b_muG: Float[Array, " n"],
    eps: Float[Array, ""] | None,
) -> Float[Array, ""]:
    """b(u) for a folded u [muG].

    With eps, b(u) = b_1 + sum_j (b_{j+1} - b_j) sum_{k=-1,0,1} S((u - u_j - k P)/eps), S the
    logistic function and b_{n+1} = b_1; without, the limit eps -> 0.
    """
    if eps is None:
        lower, _ = arm_extent(u_arm, period)
        return jnp.sum(jnp.where((u > lower) & (u <= u_arm), b_muG, 0.0))
    steps = jnp.sum(jax.nn.sigmoid(_images(u, u_arm, period, eps)), axis=0)
    return b_muG[0] + jnp.sum((jnp.roll(b_muG, -1) - b_muG) * steps)


def arm_integral(
    u: Float[Array, ""],
    u_arm: Float[Array, " n"],
    period: Float[Array, ""],
    b_muG: Float[Array, " n"],
    eps: Float[Array, ""] | None,
) -> Float[Array, ""]:
    """Antiderivative of :func:`arm_strength` in u, for a folded u [muG].

    Periodic only when the arms carry no net flux.
    """
    lower, width = arm_extent(u_arm, period)
    if eps is None:
        return jnp.sum(b_muG * jnp.clip(u - lower, 0.0, width))
    ramps = eps * jnp.sum(jax.nn.softplus(_images(u, u_arm, period, eps)), axis=0)
    return b_muG[0] * (u - lower[0]) + jnp.sum((jnp.roll(b_muG, -1) - b_muG) * ramps)
