"""The region in which conversion counts: hard cuts, smooth edges, and their difference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.conversion import ConversionCuts, conversion_window, smooth_step
from diffaxion.errors import ConfigurationError, ValidityError

HARD, TAPER = ConversionCuts(edges="hard"), ConversionCuts()


def test_step():
    y = np.linspace(-0.5, 0.5, 41)
    t = y + 0.5
    np.testing.assert_allclose(smooth_step(y), 6 * t**5 - 15 * t**4 + 10 * t**3, atol=1e-14)
    np.testing.assert_allclose(smooth_step(y) + smooth_step(-y), 1.0, atol=1e-14)
    np.testing.assert_array_equal(smooth_step(jnp.array([-3.0, 3.0])), [0.0, 1.0])
    first = jax.vmap(jax.grad(smooth_step))
    second = jax.vmap(jax.grad(jax.grad(smooth_step)))
    near = jnp.array([-0.5 - 1e-9, -0.5 + 1e-9, 0.5 - 1e-9, 0.5 + 1e-9])
    np.testing.assert_allclose(first(near), 0.0, atol=1e-12)
    np.testing.assert_allclose(second(near), 0.0, atol=1e-6)


def test_hard_cuts():
    def at(x, x_virial=1.3, mass=1e12):
        return float(conversion_window(x, x_virial, mass, HARD))

    assert [at(0.1), at(1.1), at(0.5), at(0.5, mass=1e11)] == [1.0] * 4
    assert [at(0.0999999), at(1.1000001), at(0.5, mass=0.999e11), at(0.0), at(-1.0)] == [0.0] * 5
    assert [at(1.05, 1.06), at(1.07, 1.06), at(1.06, 1.06)] == [1.0, 0.0, 0.5]


def test_tapered_edges_sit_on_the_cuts():
    """Half height at each cut, the full width w in logarithm, one upper edge."""
    x_virial = jnp.array([1.3, 1.05])
    edge = jnp.minimum(1.1, x_virial)
    np.testing.assert_allclose(conversion_window(edge, x_virial, 1e13, TAPER), 0.5, rtol=1e-12)
    outside, inside = edge * np.exp(0.0251), edge * np.exp(-0.0251)
    np.testing.assert_array_equal(conversion_window(outside, x_virial, 1e13, TAPER), 0.0)
    np.testing.assert_array_equal(conversion_window(inside, x_virial, 1e13, TAPER), 1.0)
    assert float(conversion_window(0.1, 1.3, 1e13, TAPER)) == pytest.approx(0.5)
    assert float(conversion_window(0.5, 1.3, 1e11, TAPER)) == pytest.approx(0.5)
    quarter = conversion_window(0.5, 1.3, 1e11 * np.exp(0.0125), TAPER)
    assert float(quarter) == pytest.approx(float(smooth_step(0.25)), rel=1e-9)
    # Rvir = 1.1 R200c counts once: not 1/4.
    assert float(conversion_window(1.1, 1.1, 1e13, TAPER)) == pytest.approx(0.5)


def test_tapers_keep_the_integral():
    """In ln x the tapered window has the area of the hard one, whatever the width."""
    ln_x = np.linspace(np.log(0.05), np.log(2.0), 200001)
    for width in (0.02, 0.4):
        window = conversion_window(np.exp(ln_x), 1.2, 1e13, ConversionCuts(width=width))
        assert np.trapezoid(window, ln_x) == pytest.approx(np.log(11.0), rel=1e-6)


def test_moving_edge_is_seen_by_derivatives():
    x = jnp.array(1.1)
    grads = [jax.grad(lambda v, c=c: conversion_window(v, 1.3, 1e13, c))(x) for c in (TAPER, HARD)]
    # S'(0) = 15/8 per width.
    assert float(grads[0]) == pytest.approx(-1.875 / 0.05 / 1.1)
    assert float(grads[1]) == 0.0


def test_no_cuts():
    """Dark photons need neither field nor floor; r < Rvir remains."""
    for edges in ("hard", "taper"):
        cuts = ConversionCuts(x_lo=0.0, x_hi=np.inf, floor_Msun=0.0, edges=edges)
        window = conversion_window(jnp.array([1e-3, 0.5, 1.2, 1.4]), 1.3, 1e9, cuts)
        np.testing.assert_array_equal(window, [1.0, 1.0, 1.0, 0.0])


def test_bad_choices():
    with pytest.raises(ConfigurationError, match="taper"):
        ConversionCuts(edges="tapered")
    with pytest.raises(ValidityError, match="width = 0"):
        ConversionCuts(width=0.0)
