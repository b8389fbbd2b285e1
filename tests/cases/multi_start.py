"""Cases of diffaxion.inference.multi_start."""

import jax.numpy as jnp

from diffaxion import inference as inf

from . import Case

_STARTS = jnp.array([[0.5, -0.2], [-1.0, 1.0]])


def _objective(x, data):
    centre, width = data
    return -0.5 * jnp.sum(((x - centre) / width) ** 2)


def _climb(starts, centre, width):
    return inf.multi_start_maximum(_objective, starts, (centre, width), 20)


CASES = [
    Case(
        "multi_start_maximum",
        _climb,
        (_STARTS, jnp.array([0.3, 0.1]), jnp.array([1.0, 1.5])),
        ((jnp.zeros((2, 2)), jnp.zeros(2), jnp.ones(2)),),
        ("inference.multi_start_maximum", "inference.MultiStart"),
    )
]
