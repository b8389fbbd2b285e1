"""Sine and cosine of phases against the library functions."""

import jax
import numpy as np
import pytest

from diffaxion.conversion.phase import sincos

COMPILED = jax.jit(sincos)


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3, 1e6])
def test_matches_numpy_to_rounding(scale):
    phase = np.random.default_rng(2).uniform(-scale, scale, 20000)
    sine, cosine = COMPILED(phase)
    # Two units in the last place of a number below 1.
    np.testing.assert_allclose(sine, np.sin(phase), rtol=0, atol=3e-16)
    np.testing.assert_allclose(cosine, np.cos(phase), rtol=0, atol=3e-16)


def test_quadrant_boundaries():
    phase = 0.25 * np.pi * np.arange(-16.0, 17.0)
    sine, cosine = COMPILED(np.concatenate([phase, np.nextafter(phase, 9e9), phase])[: 2 * 33])
    both = np.concatenate([phase, np.nextafter(phase, 9e9)])
    np.testing.assert_allclose(sine, np.sin(both), rtol=0, atol=3e-16)
    np.testing.assert_allclose(cosine, np.cos(both), rtol=0, atol=3e-16)


def test_large_phases_stay_bounded():
    sine, cosine = COMPILED(np.array([1e9, 1e12, -3e14]))
    np.testing.assert_allclose(sine**2 + cosine**2, 1.0, atol=1e-12)
