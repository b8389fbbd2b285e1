"""How a limit depends on exposure, and how to share exposure among targets.

Errors of background-limited spectra fall as e^(-1/2), so that a limit on a strength of order n,
g = a^(1/2n), falls as e^(-1/4n): e^(-1/8) for X rays. Shares are a softmax of free numbers, moved
by gradients of the expected limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..errors import ConfigurationError


class Split(NamedTuple):
    """Exposures that minimise a limit.

    Attributes
    ----------
    exposure : float array, shape (t,)
        Exposure of each target; they add up to the total.
    share : float array, shape (t,)
        The same over the total.
    limit : float array, shape ()
        Limit there.
    gain : float array, shape (t,)
        -d ln limit/d ln total if all further exposure went to one target: equal among the
        targets that get any, smaller for the others.
    history : float array, shape (steps,)
        Limit at every step.
    """

    exposure: Array
    share: Array
    limit: Array
    gain: Array
    history: Array


def exposed_errors(
    error: Float[Array, " n"], exposure: ArrayLike, present: ArrayLike
) -> Float[Array, " n"]:
    """Errors of a rate after another exposure, sigma sqrt(present/exposure).

    Parameters
    ----------
    error : float array, shape (n,)
        Errors after the present exposure.
    exposure : float array, shape ()
        New exposure, > 0, unit of ``present``.
    present : float array, shape ()
        Exposure behind ``error``, > 0.

    Returns
    -------
    float array, shape (n,)
        Errors, unit of ``error``.

    References
    ----------
    Counting statistics of a background that grows with the exposure.
    """
    return jnp.asarray(error) * jnp.sqrt(jnp.asarray(present) / jnp.asarray(exposure))


@eqx.filter_jit
def _descend(
    limit: Callable[..., Array], total: Array, args: PyTree, logits: Array, steps: int, rate: float
) -> tuple[Array, Array]:
    schedule = optax.cosine_decay_schedule(rate, steps)
    optimiser = optax.adam(schedule)

    def objective(x: Array) -> Array:
        return jnp.log(limit(total * jax.nn.softmax(x), args))

    def step(carry: tuple, _: None) -> tuple:
        x, state = carry
        value, slope = jax.value_and_grad(objective)(x)
        change, state = optimiser.update(slope, state)
        return (optax.apply_updates(x, change), state), jnp.exp(value)

    begin = (logits, optimiser.init(logits))
    end: tuple[tuple, Array] = jax.lax.scan(step, begin, length=steps)
    return end[0][0], end[1]


def optimal_split(
    limit: Callable[[Float[Array, " t"], PyTree], Float[Array, ""]],
    total: float,
    targets: int,
    args: PyTree = None,
    *,
    steps: int = 400,
    rate: float = 0.1,
) -> Split:
    """Shares of a total exposure with the least expected limit, from equal shares on.

    Parameters
    ----------
    limit : callable
        (exposures, args) -> expected limit, a positive scalar; smooth for exposures > 0.
    total : float
        Sum of the exposures, > 0.
    targets : int
        Number t of targets.
    args : pytree
        Further arguments of the limit.
    steps : int
        Steps of Adam with a cosine schedule.
    rate : float
        Its first step in the logits of the shares.

    Returns
    -------
    Split
        Exposures, unit of ``total``.

    Raises
    ------
    ConfigurationError
        If the total is not positive or there is no target.

    References
    ----------
    Kingma & Ba 2014, arXiv:1412.6980 (Adam).
    """
    if not (0.0 < total < float("inf")) or targets < 1:
        raise ConfigurationError(
            f"exposure of {total:g} for {targets} targets: expected a positive, finite total and "
            "at least one target"
        )
    sum_ = jnp.asarray(total, float)
    logits, history = _descend(limit, sum_, args, jnp.zeros(targets), steps, rate)
    share = jax.nn.softmax(logits)
    value, slope = jax.value_and_grad(lambda e: jnp.log(limit(e, args)))(sum_ * share)
    return Split(sum_ * share, share, jnp.exp(value), -slope * sum_, history)
