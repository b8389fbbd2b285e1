"""Ranks, coverage around random points and predictive checks on models with exact posteriors."""

import numpy as np
import pytest
from scipy import stats

from diffaxion import inference as inf
from diffaxion.errors import ConfigurationError

DRAWS, SIMULATIONS = 99, 1000
# theta ~ N(0, 1)^2, x = A theta + noise of covariance C.
A = np.array([[1.0, 0.4], [-0.3, 0.8], [0.5, 0.5]])
C = np.diag([0.5, 0.8, 0.3]) + 0.1


def linear_gaussian(shift=0.0, width=1.0, seed=3):
    """Truths, exact posterior draws (shifted and widened, in units of sigma), reference points."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(SIMULATIONS, 2))
    x = truth @ A.T + rng.multivariate_normal(np.zeros(3), C, SIMULATIONS)
    covariance = np.linalg.inv(np.eye(2) + A.T @ np.linalg.solve(C, A))
    mean = x @ np.linalg.solve(C, A) @ covariance
    root = np.linalg.cholesky(covariance)
    noise = rng.normal(size=(SIMULATIONS, DRAWS, 2))
    draws = mean[:, None] + (width * noise + shift) @ root.T
    return truth, draws, rng.normal(size=(SIMULATIONS, 2))


def verdict(**wrong):
    truth, draws, points = linear_gaussian(**wrong)
    tests = inf.rank_tests(inf.sbc_ranks(truth, draws), DRAWS)
    coverage = inf.point_coverage(inf.tarp_ranks(truth, draws, points), DRAWS)
    return min(t.p_bonferroni for t in tests), coverage


def test_an_exact_posterior_passes():
    p, coverage = verdict()
    assert p > inf.P_MIN
    assert coverage.passed
    assert coverage.number == SIMULATIONS


@pytest.mark.parametrize("wrong", [{"shift": 0.3}, {"width": 0.75}, {"width": 1.4}])
def test_a_wrong_posterior_fails(wrong):
    """A bias of 0.3 sigma, and errors a quarter too small or 40 % too large, are seen."""
    p, _ = verdict(**wrong)
    assert p < 1e-4


def test_regions_around_random_points_see_errors_that_are_too_small():
    _, coverage = verdict(width=0.5)
    assert not coverage.passed


def test_ranks_against_a_loop():
    truth, draws, points = (x[:3] for x in linear_gaussian())
    ranks, nearer = inf.sbc_ranks(truth, draws), inf.tarp_ranks(truth, draws, points)
    for s in range(3):
        for k in range(2):
            assert ranks[s, k] == sum(d[k] < truth[s, k] for d in draws[s])
        reach = np.hypot(*(truth[s] - points[s]))
        assert nearer[s] == sum(np.hypot(*(d - points[s])) < reach for d in draws[s])


def test_the_chi_square_is_that_of_scipy():
    rng = np.random.default_rng(0)
    ranks = rng.integers(0, 100, size=(500, 1))
    found = inf.rank_tests(ranks, 99)[0]
    expected = stats.chisquare(found.counts)
    assert len(found.counts) == 20
    assert found.chi2 == pytest.approx(expected.statistic, rel=1e-12)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    assert inf.rank_tests(np.tile(ranks, 3), 99)[1].p_bonferroni == min(1.0, 3 * found.p)


def test_the_band_of_a_bin_is_binomial():
    low, high = inf.rank_band(500, 20, 0.99)
    assert (low, high) == tuple(stats.binom.interval(0.99, 500, 1 / 20))


def test_number_of_bins():
    assert inf.rank_bins(500, 99) == 20
    assert inf.rank_bins(55, 99) == 5
    for simulations, draws in ((500, 96), (19, 99)):
        with pytest.raises(ConfigurationError, match="draws \\+ 1 has divisors"):
            inf.rank_bins(simulations, draws)


def test_uniform_ranks_cover_exactly():
    coverage = inf.point_coverage(np.arange(100).repeat(40), 99)
    assert coverage.deviation < 1e-12
    assert coverage.tolerance == 0.03
    assert inf.point_coverage(np.arange(100), 99).tolerance == pytest.approx(0.1628, abs=1e-3)


def test_weighted_draws():
    """Frequencies follow the weights within four standard errors."""
    weights = np.array([1.0, 0.0, 3.0, 6.0])
    with np.errstate(divide="ignore"):
        logs = np.log(weights) - 700.0
    index, kish = inf.weighted_index(logs, 20000, np.random.default_rng(1))
    assert kish == pytest.approx(100.0 / 46.0)
    share = np.bincount(index, minlength=4) / 20000
    assert share[1] == 0.0
    np.testing.assert_allclose(share, weights / 10.0, atol=4 * 0.5 / np.sqrt(20000))


def test_predictive_p_of_a_gaussian():
    """Replicas of N(0, 1) against 1.2, and the extremes of a set of p values."""
    replicas = np.random.default_rng(2).normal(size=(40000, 1))
    p = inf.predictive_p(np.full((40000, 1), 1.2), replicas)
    np.testing.assert_allclose(p, stats.norm.sf(1.2), atol=4 * 0.32 / 200)
    assert inf.worst_p([0.3, 0.02, 0.9]) == pytest.approx(0.06)
