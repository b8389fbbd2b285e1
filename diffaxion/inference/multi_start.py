"""The best of many climbs: a maximum where Newton's method from one start did not end."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree


class MultiStart(NamedTuple):
    """Where the climbs ended.

    Attributes
    ----------
    x : float array, shape (n,)
        The best point.
    value : float array, shape ()
        Objective there.
    points : float array, shape (s, n)
        Best point of each climb.
    values : float array, shape (s,)
        Objective at each; -inf where a climb never saw a finite value.
    """

    x: Array
    value: Array
    points: Array
    values: Array


def multi_start_maximum(
    objective: Callable[[Array, PyTree], Array],
    starts: Float[Array, "s n"],
    data: PyTree,
    steps: int = 300,
    *,
    learning_rate: ArrayLike = 0.1,
    lower: ArrayLike = -jnp.inf,
    upper: ArrayLike = jnp.inf,
) -> MultiStart:
    """Climb F(x, data) from many starts by Adam, and keep the best point of all.

    The step size decays as a cosine to 1 % of the first. Points are projected on the box
    [lower, upper]; where F or its gradient is not finite, a climb returns half way to its best
    point. A pure function; its end is a start for Newton's method, good to about
    the last step size times the scale of F, not a maximum to rounding.

    Parameters
    ----------
    objective : callable
        F(x, data) of x with shape (n,); -inf or NaN outside its domain.
    starts : float array, shape (s, n)
        Where the climbs begin, in units in which F varies over about 1.
    data : pytree
        Passed on.
    steps : int
        Steps of each climb.
    learning_rate : float
        First step, in the units of x.
    lower, upper : float or float array, shape (n,)
        The box.

    Returns
    -------
    MultiStart
        Best point, its value, and those of every climb.

    References
    ----------
    Kingma & Ba 2014 (arXiv:1412.6980); Loshchilov & Hutter 2016 (arXiv:1608.03983).
    """
    import optax

    # A start where the gradient is exactly 0 has derivatives, too.
    climb = optax.scale_by_adam(eps_root=1e-16)
    gradient = jax.value_and_grad(objective)
    rates = jnp.asarray(learning_rate) * optax.cosine_decay_schedule(1.0, steps, alpha=0.01)(
        jnp.arange(steps)
    )

    def one(start: Array) -> tuple[Array, Array]:
        begin = jnp.clip(start, lower, upper)

        def step(carry: tuple, rate: Array) -> tuple[tuple, None]:
            x, best, height, state = carry
            value, slope = gradient(x, data)
            inside = jnp.isfinite(value) & jnp.all(jnp.isfinite(slope))
            higher = inside & (value > height)
            best, height = jnp.where(higher, x, best), jnp.where(higher, value, height)
            change, new = climb.update(jnp.where(inside, slope, 0.0), state)
            state = jax.tree.map(lambda a, b: jnp.where(inside, a, b), new, state)
            x = jnp.where(inside, x + rate * change, 0.5 * (x + best))
            return (jnp.clip(x, lower, upper), best, height, state), None

        lowest = jnp.full((), -jnp.inf, begin.dtype)
        carry = (begin, begin, lowest, climb.init(begin))
        (x, best, height, _), _ = jax.lax.scan(step, carry, rates)
        value = objective(x, data)
        higher = jnp.isfinite(value) & (value > height)
        return jnp.where(higher, x, best), jnp.where(higher, value, height)

    points, values = jax.vmap(one)(starts)
    top = jnp.argmax(values)
    return MultiStart(points[top], values[top], points, values)
