"""Fisher information at the limit, scans, impacts and exposures against closed forms and refits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.errors import ConfigurationError, DataError
from diffaxion.inference import (
    Z_95,
    Impacts,
    LinearSignal,
    asimov_scan,
    counts_information,
    counts_problem,
    elasticities,
    expected_counts,
    exposed_errors,
    linear_limit_u,
    optimal_split,
    rank_impacts,
    signal_sigma,
    strength_at_limit,
    strength_sigma,
)
from diffaxion.likelihoods import GaussianPoints, TemplatePoisson
from tests import reference_counts as ref

RESPONSE = jnp.exp(-jnp.arange(6.0) / 4.0)
ERROR = jnp.linspace(0.2, 0.4, 6)


def toy_counts(theta, signal, shape, response):
    """Expected counts of the reference data set at strength and backgrounds."""
    mu = theta[0] * response[:, None] * signal + theta[1:, None] * shape
    return mu.ravel()


@pytest.fixture(scope="module")
def reference(shared):
    data = ref.load(shared)
    rows = (data["S"], data["B"], data["r"][0])

    @jax.jit
    def sigma(a, exposure):
        # An exposure multiplies signal and background.
        signal, shape, response = rows
        theta = jnp.concatenate([jnp.asarray(a)[None], jnp.ones(14)])
        return strength_sigma(
            counts_information(toy_counts, theta, signal, exposure * shape, exposure * response)
        )

    return data, sigma


def test_information_of_counts_without_signal(reference):
    """The Hessian on Asimov data c = B, to all digits given."""
    assert float(reference[1](0.0, 1.0)) == pytest.approx(0.5135735549, rel=1e-9)


def test_limit_falls_with_the_eighth_root_of_exposure(reference):
    """dg/de = -g/(8 e) where the background sets the error, -0.05494609 at e = 2 (z = 1.6449)."""
    g = jax.jit(jax.value_and_grad(lambda e: (1.6449 * reference[1](0.0, e)) ** 0.25))
    value, slope = g(jnp.asarray(2.0))
    assert float(slope) == pytest.approx(-0.05494609, rel=1e-7)
    assert float(slope) == pytest.approx(-float(value) / 16.0, rel=1e-12)


def test_information_against_the_asimov_scan(reference):
    """z sigma(0) is 4.2 % below the crossing of q in a, the fixed point 2.6 % above it."""
    data, sigma = reference
    begin = jnp.concatenate([jnp.zeros(1), jnp.ones(14)])
    given = (TemplatePoisson(data["B"], data["S"], data["B"]), data["r"][0])
    a = jnp.array([0.0, 0.88183367, 1.0])
    q = asimov_scan(counts_problem(14), expected_counts, given, a, begin)
    assert float(q[0]) == pytest.approx(0.0, abs=1e-9)
    assert float(q[1]) == pytest.approx(Z_95**2, rel=1e-7)
    assert Z_95 * float(sigma(0.0, 1.0)) / 0.88183367 - 1.0 == pytest.approx(-0.042, abs=5e-4)
    fixed = strength_at_limit(lambda s, e: sigma(s, e), jnp.asarray(1.0))
    assert float(fixed.strength) == pytest.approx(Z_95 * float(fixed.sigma), rel=1e-12)
    assert float(fixed.strength) / 0.88183367 - 1.0 == pytest.approx(0.0262, abs=5e-4)


def scaled(nuisance, scale):
    return RESPONSE * (1.0 + scale * nuisance[0])


def test_multiplicative_nuisance_acts_at_the_limit_only():
    """sigma^2(a) = s^2 + (a w)^2, so that a = z s/sqrt(1 - z^2 w^2), w the relative width."""
    points, w = GaussianPoints(jnp.zeros(6), ERROR), jnp.asarray(0.3)

    @jax.jit
    def sigma(a, width):
        return signal_sigma(a, scaled, jnp.zeros(1), points, width)

    at = strength_at_limit(sigma, w)
    s = float(jnp.sum((RESPONSE / ERROR) ** 2)) ** -0.5
    assert float(at.sigma_at_zero) == pytest.approx(s, rel=1e-13)
    expected = Z_95 * s / np.sqrt(1.0 - (Z_95 * 0.3) ** 2)
    assert float(at.strength) == pytest.approx(expected, rel=1e-12)
    # d a/d w in closed form, and none at all without signal.
    slope = jax.grad(lambda x: strength_at_limit(sigma, x).strength)(w)
    assert float(slope) == pytest.approx(
        expected * Z_95**2 * 0.3 / (1.0 - (Z_95 * 0.3) ** 2), rel=1e-10
    )
    assert float(jax.grad(lambda x: sigma(jnp.zeros(()), x))(w)) == 0.0
    # Wider than 1/z: any strength is within z sigma of nothing.
    wide = strength_at_limit(sigma, jnp.asarray(0.7))
    assert float(wide.strength) == np.inf
    assert np.isfinite(float(jax.grad(lambda x: strength_at_limit(sigma, x).sigma_at_zero)(w)))


def test_limit_of_linear_signals():
    """One order: the fixed point. Two orders without nuisances: root of I_2 u^4 + I_1 u^2 = z^2."""
    slopes, width = 0.3 * RESPONSE[:, None], jnp.ones(1)
    s = float(jnp.sum((RESPONSE / ERROR) ** 2)) ** -0.5
    a = Z_95 * s / np.sqrt(1.0 - (Z_95 * 0.3) ** 2)
    two = LinearSignal(RESPONSE, slopes, ERROR, jnp.full(6, 2.0))
    assert float(linear_limit_u(two, width)) ** 2 == pytest.approx(a, rel=1e-12)
    wide = float(linear_limit_u(two, 3.0 * width))
    assert wide == np.inf
    order = jnp.array([2.0, 2.0, 2.0, 1.0, 1.0, 1.0])
    mixed = LinearSignal(RESPONSE, 0.0 * slopes, ERROR, order)
    rate = np.asarray(RESPONSE / ERROR) ** 2
    roots = np.roots([rate[:3].sum(), rate[3:].sum(), -(Z_95**2)])
    assert float(linear_limit_u(mixed, width)) ** 2 == pytest.approx(roots.max(), rel=1e-10)


def test_ranking_of_impacts():
    found = Impacts(jnp.array([0.01, -0.2, 0.0]), jnp.array([0.02, 0.1, 0.5]), jnp.ones(3))
    rows = rank_impacts(["scale", "tilt", "flat"], found)
    assert [r["name"] for r in rows] == ["flat", "tilt", "scale"]
    assert rows[1] == {"name": "tilt", "shift": -0.2, "broadening": 0.1, "width": 1.0}
    with pytest.raises(DataError, match="1 names for 3"):
        rank_impacts(["scale"], found)


def test_elasticities_add_up():
    """Errors of all bins together scale g by 1/4; responses by -1/4."""

    def g(error, response):
        return jnp.sum((response / error) ** 2) ** -0.125

    by_error, by_response = elasticities(g, ERROR, RESPONSE)
    assert float(by_error.sum()) == pytest.approx(0.25, rel=1e-13)
    np.testing.assert_allclose(by_response, -by_error, rtol=1e-12)
    np.testing.assert_array_equal(elasticities(lambda x: 2.0 * x[0] ** 3, jnp.ones(2)), [3.0, 0.0])


def test_errors_of_a_longer_exposure():
    np.testing.assert_allclose(exposed_errors(ERROR, 156.0, 39.0), 0.5 * ERROR, rtol=1e-15)


def saturating(exposure, args):
    """Limit with information e i/(1 + e i c) of each target: a systematic error of its own."""
    rate, floor = args
    return jnp.sum(exposure * rate / (1.0 + exposure * rate * floor)) ** -0.125


def linear(exposure, args):
    return jnp.sum(exposure * args) ** -0.125


def test_identical_targets_share_equally():
    split = optimal_split(saturating, 100.0, 2, (jnp.array([0.3, 0.3]), jnp.asarray(0.05)))
    np.testing.assert_allclose(split.share, 0.5, atol=1e-12)
    np.testing.assert_allclose(split.gain[0], split.gain[1], rtol=1e-12)
    # Without a systematic error every split is as good: nothing moves.
    even = optimal_split(linear, 100.0, 2, jnp.array([0.3, 0.3]))
    np.testing.assert_allclose(even.share, 0.5, atol=1e-12)


def test_scaled_targets_share_as_lagrange_says():
    """sqrt(i_t)/(1 + e_t i_t c) is the same for all targets at the optimum."""
    rate, c, total = np.array([0.3, 1.2]), 0.05, 100.0
    split = optimal_split(saturating, total, 2, (jnp.asarray(rate), jnp.asarray(c)), steps=600)
    root = np.sqrt(rate)
    level = np.sum(1.0 / root) / (total * c + np.sum(1.0 / rate))
    best = (root / level - 1.0) / (rate * c)
    assert best.sum() == pytest.approx(total)
    np.testing.assert_allclose(split.exposure, best, rtol=1e-3)
    assert float(split.limit) <= float(split.history[0])
    # Without a systematic error all of it belongs to the better target.
    corner = optimal_split(linear, total, 2, jnp.asarray(rate), steps=600, rate=0.5)
    assert float(corner.share[1]) > 0.99
    assert float(corner.gain[1]) > float(corner.gain[0])
    with pytest.raises(ConfigurationError, match="exposure of -1"):
        optimal_split(linear, -1.0, 2, jnp.asarray(rate))
