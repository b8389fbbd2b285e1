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
    _, tangent = jax.jvp(flat, (params,), (direction,))
    scale = np.max(np.abs(expected)) + np.max(np.abs(flat(params))) * 1e-6
    np.testing.assert_allclose(tangent, expected, rtol=case.fd_rtol, atol=case.fd_rtol * scale)
    (cotangent,) = jax.vjp(flat, params)[1](jnp.ones_like(tangent))
    along = sum(
        jnp.sum(g * d)
        for g, d in zip(jax.tree.leaves(cotangent), jax.tree.leaves(direction), strict=True)
    )
    np.testing.assert_allclose(along, jnp.sum(tangent), rtol=1e-8, atol=1e-9 * scale * tangent.size)
