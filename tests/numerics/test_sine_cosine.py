"""Sine and cosine integrals against SciPy, and the polynomial sine and cosine against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import sici

from diffaxion.numerics import auxiliary_integrals, cosine_integral, sin_cos, sine_integral

# Both sides of the switch from series to Chebyshev at 5, and far from it.
X = np.concatenate([np.geomspace(1e-8, 1e5, 4001), np.linspace(4.9, 5.1, 201)])


def test_integrals_are_scipys():
    si, ci = sici(X)
    np.testing.assert_allclose(sine_integral(X), si, rtol=0, atol=1e-14)
    np.testing.assert_allclose(sine_integral(-X), -si, rtol=0, atol=1e-14)
    np.testing.assert_allclose(cosine_integral(X), ci, rtol=0, atol=2e-14)


def test_auxiliary_integrals():
    """Against Si and Ci where these determine them, and against their own series far out."""
    f, g = auxiliary_integrals(X)
    si, ci = sici(X)
    near = X < 30.0
    rest = 0.5 * np.pi - si
    np.testing.assert_allclose(f[near], (ci * np.sin(X) + rest * np.cos(X))[near], atol=1e-13)
    np.testing.assert_allclose(g[near], (rest * np.sin(X) - ci * np.cos(X))[near], atol=1e-13)
    far = X > 1e3
    np.testing.assert_allclose(f[far], (1 / X - 2 / X**3)[far], rtol=1e-10)
    np.testing.assert_allclose(g[far], (1 / X**2 - 6 / X**4)[far], rtol=3e-10)


@pytest.mark.parametrize("x", [0.3, 4.99, 5.01, 80.0])
def test_derivatives_are_those_of_the_definition(x):
    """The rules given to autodiff against differences of the values."""
    h = 1e-4
    for function in (
        sine_integral,
        cosine_integral,
        *(lambda y, k=k: auxiliary_integrals(y)[k] for k in (0, 1)),
    ):
        slope = jax.grad(function)(x)
        low, lower, higher, high = function(x + h * jnp.array([-2.0, -1.0, 1.0, 2.0]))
        expected = (8.0 * (higher - lower) - (high - low)) / (12.0 * h)
        np.testing.assert_allclose(slope, expected, rtol=1e-10, atol=1e-11)


def test_sine_and_cosine_are_numpys():
    x = np.concatenate(
        [
            np.linspace(-50.0, 50.0, 5001),
            np.random.default_rng(1).uniform(-3e6, 3e6, 5001),
            np.arange(-500, 500) * 0.5 * np.pi,
        ]
    )
    sine, cosine = jax.jit(sin_cos)(jnp.asarray(x))
    np.testing.assert_allclose(sine, np.sin(x), rtol=0, atol=1e-15)
    np.testing.assert_allclose(cosine, np.cos(x), rtol=0, atol=1e-15)
