"""Cases of the weights of the needlet ILC: two pixels, three channels."""

import jax.numpy as jnp

from diffaxion import sky

from . import Case

_COVARIANCE = jnp.moveaxis(
    jnp.stack([jnp.eye(3) + 0.3, jnp.diag(jnp.array([1.0, 2.0, 30.0])) + 0.1]), 0, 2
)
_RESPONSES = jnp.array([[0.7, 1.0], [0.9, 2.0], [1.0, -1.0]])

CASES = [
    Case(
        "constrained_weights",
        sky.constrained_weights,
        (_COVARIANCE, _RESPONSES),
        # A pixel without data, as under a mask.
        ((_COVARIANCE.at[..., 1].set(0.0), _RESPONSES),),
        ("sky.constrained_weights",),
    ),
]
