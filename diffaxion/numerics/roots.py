"""Roots by a fixed number of bisection steps, with implicit derivatives.

A fixed count compiles once and vmaps; the derivative comes from the implicit function theorem,
so that it is exact at the root whatever the number of steps.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree


def bracketed_root(
    function: Callable[[Float[Array, ""], PyTree], Float[Array, ""]],
    theta: PyTree,
    lo: Float[Array, ""] | float,
    hi: Float[Array, ""] | float,
    steps: int = 60,
) -> Float[Array, ""]:
    """Root x of function(x, theta) = 0 in [lo, hi].

    Bisection finds the root with gradients stopped; one Newton step whose slope is frozen then
    polishes it and carries the derivative dx/dtheta = -(df/dtheta)/(df/dx).

    Parameters
    ----------
    function : callable
        (x, theta) -> residual, with opposite signs at lo and hi; when the signs agree the end
        with the smaller residual is returned, with its implicit derivative.
    theta : pytree
        Parameters with respect to which the root is differentiable.
    lo, hi : float array, shape ()
        Bracket, same unit as x; no derivative flows through it.
    steps : int
        Bisection steps; 60 reach the last bit of float64.

    Returns
    -------
    float array, shape ()
        The root, same unit as x.

    References
    ----------
    Implicit function theorem; Blondel et al. 2022, arXiv:2105.15183 (derivatives of solvers).
    """
    lo, hi = jax.lax.stop_gradient((jnp.asarray(lo, float), jnp.asarray(hi, float)))
    frozen = jax.lax.stop_gradient(theta)
    sign_lo = jnp.sign(function(lo, frozen))

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        a, b = ends
        mid = 0.5 * (a + b)
        same = jnp.sign(function(mid, frozen)) == sign_lo
        return jnp.where(same, mid, a), jnp.where(same, b, mid)

    a, b = jax.lax.fori_loop(0, steps, halve, (lo, hi))
    x = jax.lax.stop_gradient(0.5 * (a + b))
    slope = jax.lax.stop_gradient(jax.grad(function)(x, frozen))
    slope = jnp.where(slope == 0.0, 1.0, slope)
    return x - function(x, theta) / slope
