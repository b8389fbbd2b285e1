"""The factorised sums against loops, and their hand-written derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from diffaxion.numerics import simpson_weights, sinc_and_slope
from diffaxion.observables.cmb import limber

RNG = np.random.default_rng(3)
L, Z, M = 5, 3, 4
ELL = np.array([2.0, 30.0, 300.0, 1000.0, 4000.0])
THETA = 10.0 ** RNG.uniform(-5.0, -2.0, (Z, M))
CENTRAL, SATELLITE, BIASED = RNG.normal(size=(3, Z, M))
U, Q = RNG.uniform(0.5, 1.0, (L, Z, M)), RNG.normal(size=(L, Z))


def _f(l, theta):
    a = (l + 0.5) * theta
    return np.sin(a) / a


def test_cross_sums_equal_loops():
    one, two = limber.screening_galaxy_sums(
        *map(jnp.asarray, (ELL, THETA, CENTRAL, SATELLITE, BIASED, U, Q))
    )
    for i, l in enumerate(ELL):
        expected = sum(
            _f(l, THETA[z, m]) * (CENTRAL[z, m] + SATELLITE[z, m] * U[i, z, m])
            for z in range(Z)
            for m in range(M)
        )
        assert float(one[i]) == pytest.approx(expected, rel=1e-12)
        expected = sum(
            Q[i, z] * sum(_f(l, THETA[z, m]) * BIASED[z, m] for m in range(M)) for z in range(Z)
        )
        assert float(two[i]) == pytest.approx(expected, rel=1e-12)


def test_auto_sums_equal_loops():
    theta = np.stack([THETA, 0.3 * THETA])
    depth = RNG.normal(size=(2, Z, M))
    one, two = limber.screening_auto_sums(
        *map(jnp.asarray, (ELL, theta, depth, SATELLITE, BIASED, Q))
    )
    for i, l in enumerate(ELL):
        halo = sum(depth[r] * _f(l, theta[r]) for r in range(2))
        assert float(one[i]) == pytest.approx(np.sum(halo**2 * SATELLITE), rel=1e-12)
        expected = np.sum(Q[i] * np.sum(halo * BIASED, axis=1) ** 2)
        assert float(two[i]) == pytest.approx(expected, rel=1e-12)
    one, two = limber.galaxy_auto_sums(*map(jnp.asarray, (SATELLITE, U, CENTRAL, Q)))
    su = SATELLITE * U
    np.testing.assert_allclose(one, np.sum(CENTRAL * (2 * su + su**2), axis=(1, 2)), rtol=1e-12)
    np.testing.assert_allclose(two, Q.sum(axis=1), rtol=1e-12)


def test_derivatives_of_both_modes_and_orders():
    def function(theta, central, satellite, biased, u, q):
        one, two = limber.screening_galaxy_sums(
            jnp.asarray(ELL), theta, central, satellite, biased, u, q
        )
        return jnp.sum(one**2) + jnp.sum(two * jnp.cos(one))

    args = tuple(map(jnp.asarray, (0.3 + THETA, CENTRAL, SATELLITE, BIASED, U, Q)))
    # Arguments of some hundred radians: steps in theta must stay below 1/l.
    small = jnp.asarray([2.0, 5.0, 9.0, 12.0, 20.0])

    @jax.jit
    def smooth(*x):
        one, two = limber.screening_galaxy_sums(small, *x)
        return jnp.sum(one**2) + jnp.sum(two * jnp.cos(one))

    check_grads(smooth, args, order=1, modes=("fwd",), rtol=2e-5, atol=2e-5, eps=1e-6)
    check_grads(smooth, args, order=2, modes=("rev",), rtol=2e-5, atol=2e-5, eps=1e-6)
    assert all(bool(jnp.all(jnp.isfinite(g))) for g in jax.grad(function, tuple(range(6)))(*args))


def test_blocks_of_multipoles_change_nothing(monkeypatch):
    args = tuple(map(jnp.asarray, (ELL, THETA, CENTRAL, SATELLITE, BIASED, U, Q)))

    def value_and_gradient():
        def total(*x):
            one, two = limber.screening_galaxy_sums(*x)
            return jnp.sum(one * jnp.arange(1.0, L + 1.0)) + jnp.sum(two**2)

        # A fresh function each time, so that it is traced again.
        return jax.jit(jax.value_and_grad(total, (1, 2, 3, 4, 5, 6)))(*args)

    whole = value_and_gradient()
    monkeypatch.setattr(limber, "_CELLS_PER_PASS", 2 * Z * M)
    split = value_and_gradient()
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(split), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_sinc_against_numpy():
    a = np.concatenate([np.linspace(-40.0, 700.0, 20001), np.geomspace(1e-12, 1.0, 400), [0.0]])
    value, slope = sinc_and_slope(jnp.asarray(a))
    np.testing.assert_allclose(value, np.sinc(a / np.pi), rtol=0, atol=5e-16)
    large = np.abs(a) > 1e-2
    expected = (np.cos(a[large]) - np.sinc(a[large] / np.pi)) / a[large]
    np.testing.assert_allclose(slope[large], expected, rtol=0, atol=2e-14)
    small = a[~large]
    np.testing.assert_allclose(slope[~large], -small / 3 + small**3 / 30, rtol=0, atol=3e-13)


@pytest.mark.parametrize("n", [9, 10, 50, 101])
def test_simpson_weights_against_scipy(n):
    from scipy.integrate import simpson

    x = np.sort(RNG.uniform(0.0, 3.0, n))
    y = np.sin(x) + x**2
    assert simpson_weights(x) @ y == pytest.approx(simpson(y, x=x), rel=1e-12)
