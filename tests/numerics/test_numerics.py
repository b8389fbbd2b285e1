"""Numerical tools against SciPy and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid
from scipy.interpolate import CubicSpline

from diffaxion import numerics as nu


def test_spline_is_scipys_not_a_knot():
    x = np.sort(np.random.default_rng(0).uniform(0, 5, 12))
    y = np.stack([np.sin(x), np.exp(-x)], axis=1)
    at = np.linspace(x[0], x[-1], 101)
    got = nu.spline_interpolate(at, jnp.asarray(x), jnp.asarray(y), nu.spline_curvature(x, y))
    np.testing.assert_allclose(got, CubicSpline(x, y)(at), rtol=1e-10, atol=1e-12)


def test_linear_interpolation_is_numpys_and_survives_double_nodes():
    x, y = np.array([0.0, 1.0, 1.0, 2.0, 2.0]), np.array([0.0, 1.0, 5.0, 6.0, 9.0])
    at = np.array([-1.0, 0.25, 0.999, 1.001, 1.7, 3.0])
    np.testing.assert_allclose(
        nu.linear_interpolate(at, jnp.asarray(x), jnp.asarray(y))[:5], np.interp(at, x, y)[:5]
    )
    slope = jax.grad(lambda v: nu.linear_interpolate(v, jnp.asarray(x), jnp.asarray(y)))
    assert np.isfinite(slope(2.0))
    np.testing.assert_allclose(slope(0.25), 1.0)
    np.testing.assert_allclose(slope(5.0), 0.0)


def test_quadratures():
    x, w = nu.gauss_legendre(6, -1.0, 3.0)
    np.testing.assert_allclose(w @ x**11, (3.0**12 - 1.0) / 12.0, rtol=1e-12)
    grid = np.sort(np.random.default_rng(1).uniform(0, 2, 30))
    f = np.cos(grid)
    np.testing.assert_allclose(nu.trapezoid_weights(grid) @ f, np.trapezoid(f, grid), rtol=1e-12)
    np.testing.assert_allclose(
        nu.cumulative_trapezoid(f, grid), cumulative_trapezoid(f, grid, initial=0), rtol=1e-12
    )


def test_root_and_its_implicit_derivative():
    """x tanh(x) = t at any t: value by substitution, slope 1/(tanh x + x sech^2 x)."""
    root = lambda t: nu.bracketed_root(lambda x, p: x * jnp.tanh(x) - p, t, 0.0, 10.0)  # noqa: E731
    x = root(1.3)
    np.testing.assert_allclose(x * np.tanh(x), 1.3, rtol=1e-13)
    slope = 1.0 / (np.tanh(x) + x / np.cosh(x) ** 2)
    np.testing.assert_allclose(jax.grad(root)(1.3), slope, rtol=1e-12)


@pytest.mark.parametrize("x", [0.0, 1e-200, 1.0, 50.0, 800.0])
def test_sech2(x):
    expected = 1.0 / np.cosh(min(x, 350.0)) ** 2 if x < 350 else 0.0
    np.testing.assert_allclose(nu.sech2(x), expected, rtol=1e-13, atol=1e-300)
