"""Calibration of an analysis small enough for exact quadrature, and what it refuses."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from diffaxion import analyses as an
from diffaxion.analyses import calibration, calibration_toys
from diffaxion.analyses.moments import CouplingMoments
from diffaxion.analyses.prior_bank import at_mass, expected_u, probe_responses, vectors_of
from diffaxion.errors import ConfigurationError
from diffaxion.inference import P_MIN, band_quantiles, coverage, pull_summary

from ..toy_analysis import U_MAX, analysis, quadrature

# Enough for all but a few of the data sets of strong signals.
BANK = 8000
U = np.linspace(-40.0, 40.0, 80001)


@pytest.fixture(scope="module")
def toy():
    """Two nuisances, five points of both orders; the coupling is drawn by the calibration."""
    return analysis(1.0)


@pytest.fixture(scope="module")
def ranks(toy):
    return an.run_sbc(toy, range(200), u_max=40.0, bank=BANK)


def moments_of(rng, n, kind):
    scores = rng.normal(size=(2, n)) * 3.0
    informations = 10.0 ** rng.uniform(-0.5, 1.0, size=(2, n))
    keep = {"both": (1, 1), "xray": (1, 0), "cmb": (0, 1)}[kind]
    return CouplingMoments(
        keep[0] * scores[0],
        keep[0] * informations[0],
        keep[1] * scores[1],
        keep[1] * informations[1],
    )


@pytest.mark.parametrize("kind", ["both", "xray", "cmb"])
def test_fits_in_closed_form_against_a_grid(kind):
    """The grid has steps of 0.001; the limit is its last point above the level."""
    m = moments_of(np.random.default_rng(4), 60, kind)
    fit = an.fit_coupling(m, 0.7, 1.0)
    assert fit.good.all()
    for k in range(60):
        one = CouplingMoments(*(np.broadcast_to(x, 60)[k] for x in m))
        like = one.log_like(U)
        top = like.max()
        assert fit.a_hat[k] == pytest.approx(U[like.argmax()], abs=2e-3)
        last = U[np.nonzero(like >= top - 0.5 * 1.6448536**2)[0][-1]]
        assert fit.a_95[k] == pytest.approx(last, abs=2e-3)
        here = 2.0 * (top - one.log_like(0.7))
        assert fit.q_true[k] == pytest.approx(here, abs=1e-4)


def test_a_linear_probe_has_the_textbook_limit():
    m = moments_of(np.random.default_rng(5), 50, "cmb")
    fit = an.fit_coupling(m, 0.0, 1.0)
    u_hat, sigma = m.score_u / m.information_u, m.information_u**-0.5
    np.testing.assert_allclose(fit.a_hat, u_hat, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(fit.sigma, sigma, rtol=1e-12)
    np.testing.assert_allclose(fit.a_95, u_hat + 1.6448536269514722 * sigma, rtol=1e-9)


def test_the_posterior_of_the_bank_is_that_of_quadrature(toy):
    """Coupling by a Kolmogorov-Smirnov test, mean of a nuisance within four standard errors."""
    _, draws = an.observed_posterior(toy.data, U_MAX, 4000, seed=1)
    _, u, cdf, mean_gain = quadrature()
    assert draws.kish > 8000
    assert stats.kstest(draws.u, lambda x: np.interp(x, u, cdf)).pvalue > 0.01
    shelf = np.random.default_rng([1, 0]).normal(size=(20000, 2))
    gain = 0.3 * shelf[draws.rows, 0]
    assert gain.mean() == pytest.approx(mean_gain, abs=4 * 0.3 / np.sqrt(4000))


def test_ranks_of_a_right_model_are_uniform(ranks):
    assert ranks.names == ("axion.u", "sky.ln_gain", "sky.depth_kpc", "log_likelihood")
    assert ranks.passed, ranks.reasons
    assert min(t.p_bonferroni for t in ranks.tests().values()) > P_MIN


def test_a_simulation_depends_on_its_number_alone(toy, ranks):
    few = an.run_sbc(toy, [7, 3], u_max=40.0, bank=BANK)
    np.testing.assert_array_equal(few.ranks, ranks.ranks[[7, 3]])
    np.testing.assert_array_equal(few.tarp, ranks.tarp[[7, 3]])


def test_data_that_scatter_more_than_their_errors_are_seen(toy, monkeypatch):
    right = calibration.simulate

    def noisier(vectors, *rest):
        wide = tuple(eqx.tree_at(lambda p: p.scale, p, 2.0 * p.scale) for p in vectors.points)
        return right(vectors._replace(points=wide), *rest)

    monkeypatch.setattr(calibration, "simulate", noisier)
    found = an.run_sbc(toy, range(200), u_max=40.0, bank=BANK)
    assert not found.passed
    assert any("log_likelihood" in text or "axion.u" in text for text in found.reasons)


def test_few_effective_draws_are_reported(toy):
    found = an.run_sbc(toy, range(40), u_max=40.0, bank=300)
    assert any("effective draws" in text for text in found.reasons)


def alone(toy, order):
    """The analysis of one kind of data, whose likelihood is a parabola in u|u|^(order - 1)."""
    data = toy.data
    keep = [k for k, n in enumerate(data.orders) if n == order]
    chosen = ([x[k] for k in keep] for x in (data.probes, data.points))
    return an.Analysis(data.world, data.bindings, *chosen)


@pytest.mark.parametrize("order", [1, 2])
def test_coverage_and_bands_of_a_parabola(toy, order):
    """Exact then: 4000 data sets reach the gates, which are three standard errors."""
    rows = an.run_coverage(alone(toy, order), [5e-13], toys=4000, seed=2)
    assert [r.reasons for r in rows] == [()] * 4
    assert rows[0].u == 0.0
    assert rows[2].u == pytest.approx(rows[0].asimov[1])
    assert rows[0].constrained.value == 1.0
    ratio, error = rows[0].band_ratios
    np.testing.assert_array_less(np.abs(ratio - 1.0), np.array([0.02, 0.015, 0.02]) + 3 * error)


def test_coverage_of_both_orders_together(toy):
    """Only asymptotically 95 %: five points are few, and 93.9 % is what they give at worst."""
    rows = an.run_coverage(toy, [5e-13], toys=4000, seed=2)
    for r in rows:
        assert 0.93 < r.coverage.value < 0.96
        assert r.constrained.value >= r.coverage.value
        assert bool(r.reasons) == (abs(r.coverage.value - 0.95) > 3 * np.sqrt(0.0475 / 4000))


def test_nuisances_that_differ_from_the_assumed_ones_spoil_the_coverage(toy):
    """Fixed limits do not cover a strong signal of another depth: shown, not judged."""
    rows = an.run_coverage(toy, [5e-13], g_GeV=[6e-12], toys=2000, drawn=True)
    assert rows[0].coverage.value < 0.9
    assert rows[0].reasons == ()


def test_signed_roots_of_one_order_are_standard_normal(toy):
    """ln L is a parabola in a = u|u| then, at any strength."""
    data = toy.data.part(2)
    fit = calibration_toys.fixed_toys(data, 2.0 * expected_u(data), 4000, seed=3)
    roots = pull_summary(fit)
    assert abs(roots.mean.value) < 4.0 * roots.mean.error
    assert abs(roots.width.value - 1.0) < 4.0 * roots.width.error
    assert abs(coverage(fit).value - 0.95) < 4.0 * coverage(fit).error
    assert np.all(np.diff(band_quantiles(fit).value) > 0.0)


def test_a_signal_injected_into_the_observed_data_is_added_to_the_best_fit(toy):
    """With one order the maximum in a moves by exactly the injected a."""
    rows = an.run_injection(alone(toy, 2), 5e-13, g_GeV=[0.0, 3e-12], toys=500)
    before, after = (r.observed.a_hat[0] for r in rows)
    assert after * abs(after) == pytest.approx(before * abs(before) + 81.0, rel=1e-9)
    assert rows[1].observed.a_95[0] > 9.0
    assert rows[1].u == pytest.approx(9.0)
    assert rows[0].reasons == rows[1].reasons == ()


def test_replicas_of_data_that_fit_and_that_do_not(toy):
    rows, draws = an.observed_posterior(toy.data, U_MAX, 1000, bank=4000)
    good = an.predictive_checks(toy.data, rows, draws.u, 1)
    assert [c.probe for c in good] == ["Line", "Screen"]
    assert all(c.passed for c in good)
    far = eqx.tree_at(lambda d: d.points[0].data, toy.data, jnp.array([0.0, 0.0, 7.0]))
    bad = an.predictive_checks(far, rows, draws.u, 1)[0]
    assert not bad.passed
    assert bad.p < P_MIN
    assert bad.point_p[2] == 0.0


def test_responses_do_not_depend_on_the_number_of_draws(toy):
    z = np.random.default_rng(0).normal(size=(70, 2))
    many, one = probe_responses(toy.data, jnp.asarray(z)), probe_responses(toy.data, z[66:67])
    for a, b in zip(many, one, strict=True):
        assert a.shape[0] == 70
        np.testing.assert_array_equal(a[66:67], b)


def test_refusals(toy):
    with pytest.raises(ConfigurationError, match=r"axion\.u itself"):
        at_mass(analysis().data, None)
    with pytest.raises(ConfigurationError, match="bank must be at least 1, found 0"):
        an.run_sbc(toy, [0], bank=0)
    with pytest.raises(ConfigurationError, match="toys >= 1"):
        an.run_coverage(toy, [5e-13], toys=0)
    silent = eqx.tree_at(
        lambda d: tuple(p.template for p in d.probes),
        toy.data,
        tuple(0.0 * p.template for p in toy.data.probes),
    )
    with pytest.raises(ConfigurationError, match="no data set is sensitive"):
        expected_u(silent)
    assert vectors_of(toy.data).orders == (2, 1)
