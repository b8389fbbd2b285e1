"""Automatic derivatives of every public numerical function against central differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.cases import all_cases

CASES = [
    pytest.param(c, id=c.name, marks=[pytest.mark.slow] if c.slow else [])
    for c in all_cases()
    if c.check_fd
]


@pytest.mark.parametrize("case", CASES)
def test_directional_derivative(case):
    params, static = eqx.partition(case.args, eqx.is_inexact_array)
    rng = np.random.default_rng(1)
    direction = jax.tree.map(
        lambda x: jnp.asarray(np.abs(x) * rng.uniform(-1, 1, x.shape)),
        params,
    )

    @jax.jit
    def flat(p):
        out = case.function(*eqx.combine(p, static))
        leaves = [x for x in jax.tree.leaves(out) if eqx.is_inexact_array(x)]
        return jnp.concatenate(
            [jnp.ravel(jnp.real(x)) for x in leaves]
            + [jnp.ravel(jnp.imag(x)) for x in leaves if jnp.iscomplexobj(x)]
        )

    def moved(t):
        return flat(jax.tree.map(lambda x, d: x + t * d, params, direction))

    h = case.fd_step
    coarse = (moved(h) - moved(-h)) / (2 * h)
    fine = (moved(h / 2) - moved(-h / 2)) / h
    expected = (4 * fine - coarse) / 3
    scale = np.max(np.abs(expected)) + np.max(np.abs(flat(params))) * 1e-6
    scale = scale or 1.0  # a function that is zero everywhere, such as a fixed prior
    # Reverse mode once for all outputs: random weights that make every derivative count alike.
    weights = rng.uniform(0.5, 1.5, expected.size) / (np.abs(expected) + 1e-3 * scale)
    (cotangent,) = jax.jit(lambda p, w: jax.vjp(flat, p)[1](w))(params, jnp.asarray(weights))
    along = sum(
        jnp.sum(g * d)
        for g, d in zip(jax.tree.leaves(cotangent), jax.tree.leaves(direction), strict=True)
    )
    size = np.sum(weights * (np.abs(expected) + scale * 1e-3))
    np.testing.assert_allclose(along, np.sum(weights * expected), rtol=0, atol=case.fd_rtol * size)
