"""The best of many climbs on objectives with known maxima."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.inference import multi_start_maximum


def two_hills(x, data):
    """A wide low hill at -3 and a narrow high one at +3, in two dimensions."""
    low = -0.5 * jnp.sum((x + 3.0) ** 2) / 4.0
    high = data - 0.5 * jnp.sum((x - 3.0) ** 2) / 0.25
    return jnp.logaddexp(low, high)


@pytest.fixture(scope="module")
def climb():
    return jax.jit(lambda starts, data: multi_start_maximum(two_hills, starts, data, 300))


def test_the_higher_of_two_hills_is_found(climb):
    starts = jnp.asarray(np.random.default_rng(0).uniform(-5.0, 5.0, (12, 2)))
    found = climb(starts, jnp.array(2.0))
    np.testing.assert_allclose(found.x, 3.0, atol=1e-3)
    # The low hill adds exp(-9) there.
    np.testing.assert_allclose(found.value, np.logaddexp(2.0, -9.0), atol=1e-6)
    # One start alone may end on the low hill: the climbs differ.
    ends = np.asarray(found.values)
    assert np.sum(np.abs(ends) < 1e-3) > 0
    assert np.sum(np.abs(ends - 2.0) < 1e-3) > 0
    assert np.all(np.abs(ends[:, None] - np.array([0.0, 2.0])).min(1) < 1e-3)


def test_the_winner_follows_the_data(climb):
    starts = jnp.array([[-4.0, -4.0], [4.0, 4.0]])
    found = climb(starts, jnp.array(-2.0))
    np.testing.assert_allclose(found.x, -3.0, atol=1e-2)


def test_the_edge_of_the_domain_and_the_box_hold():
    def half(x, data):
        # Not defined for negative x; the maximum, at x = 0.5, is near the edge.
        return jnp.sum(jnp.log(x) - 2.0 * x) * data

    starts = jnp.array([[3.0, 0.01], [0.001, 2.0], [-1.0, -1.0]])
    found = multi_start_maximum(half, starts, jnp.array(1.0), 400)
    np.testing.assert_allclose(found.x, 0.5, atol=1e-3)
    # A climb that never saw a finite value says so, and does not win.
    assert found.values[2] == -np.inf
    boxed = multi_start_maximum(half, starts[:2], jnp.array(1.0), 400, lower=0.7, upper=2.0)
    np.testing.assert_allclose(boxed.x, 0.7, rtol=1e-12)


def test_nothing_finite_is_said():
    found = multi_start_maximum(lambda x, d: jnp.sum(x) * jnp.nan, jnp.ones((2, 1)), None, 3)
    assert found.value == -np.inf
    assert np.all(np.isfinite(found.x))
