"""Cases of the weights of the needlet ILC: two pixels, three channels."""

import jax.numpy as jnp

from diffaxion import sky

from . import Case

_COVARIANCE = jnp.moveaxis(
    jnp.stack([jnp.eye(3) + 0.3, jnp.diag(jnp.array([1.0, 2.0, 30.0])) + 0.1]), 0, 2
)
_RESPONSES = jnp.array([[0.7, 1.0], [0.9, 2.0], [1.0, -1.0]])

# Two scales of three and two pixels; at the second one channel and one component less.
_INVERSE = jnp.stack([jnp.eye(3) + 0.2 * jnp.tril(jnp.ones((3, 3)), -1)] * 3 + [jnp.eye(3)] * 2, 2)
_PIVOTS = jnp.linspace(0.5, 2.0, 15).reshape(3, 5)
_ROOT = jnp.array([[1.0, 2.0, 3.0], [1.5, 1.0, 2.0]])


def _stage(inverse, pivots, root, functional, responses):
    used = jnp.array([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    kept = jnp.array([[1.0, 1.0], [1.0, 0.0]])
    scale = jnp.array([0, 0, 0, 1, 1])
    stage = sky.ILCStage(inverse, pivots, root, used, kept, scale, functional)
    return stage.bandpowers(responses), stage.weights(responses)


CASES = [
    Case(
        "constrained_weights",
        sky.constrained_weights,
        (_COVARIANCE, _RESPONSES),
        # A pixel without data, as under a mask.
        ((_COVARIANCE.at[..., 1].set(0.0), _RESPONSES),),
        ("sky.constrained_weights",),
    ),
    Case(
        "ilc_stage",
        _stage,
        (_INVERSE, _PIVOTS, _ROOT, jnp.linspace(-1.0, 1.0, 30).reshape(2, 3, 5), _RESPONSES),
        (),
        ("sky.ILCStage",),
    ),
]
