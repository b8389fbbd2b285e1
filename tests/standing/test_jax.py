"""Every public numerical function under jit, vmap and grad; float64; no retracing."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.cases import all_cases

CASES = [
    pytest.param(c, id=c.name, marks=[pytest.mark.slow] if c.slow else []) for c in all_cases()
]


def _float_leaves(tree):
    return [x for x in jax.tree.leaves(tree) if eqx.is_inexact_array(x)]


def _total(function):
    """Sum of all float outputs, complex ones by both parts: a scalar to differentiate."""

    def total(args):
        leaves = _float_leaves(function(*args))
        return sum(
            jnp.sum(jnp.real(x)) + (jnp.sum(jnp.imag(x)) if jnp.iscomplexobj(x) else 0.0)
            for x in leaves
        )

    return total


@pytest.mark.parametrize("case", CASES)
def test_jit_grad_vmap(case):
    traces = []

    @eqx.filter_jit
    def value_and_grad(args):
        traces.append(1)
        out = case.function(*args)
        return out, eqx.filter_grad(_total(case.function))(args)

    for args in (case.args, *case.edges):
        out, grad = value_and_grad(args)
        for leaf in _float_leaves(out):
            assert leaf.dtype in (jnp.float64, jnp.complex128)
            assert np.all(np.isfinite(leaf)), f"value not finite at {args}"
        for leaf in _float_leaves(grad):
            assert np.all(np.isfinite(leaf)), f"gradient not finite at {args}"
    before = len(traces)
    scaled = jax.tree.map(lambda x: x * 1.0001 if eqx.is_inexact_array(x) else x, case.args)
    value_and_grad(scaled)
    assert len(traces) == before, "new values of the same shape caused a new trace"

    stacked = jax.tree.map(lambda x: jnp.stack([x, x]) if eqx.is_array(x) else x, case.args)
    mapped = eqx.filter_jit(eqx.filter_vmap(lambda a: case.function(*a)))(stacked)
    plain, _ = value_and_grad(case.args)
    for one, two in zip(_float_leaves(plain), _float_leaves(mapped), strict=True):
        np.testing.assert_allclose(
            two[1], one, rtol=1e-9, atol=1e-300 + 1e-12 * np.max(np.abs(one))
        )
