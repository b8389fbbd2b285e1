"""Limits with nuisances marginalised by quadrature and draws, and profiled."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import truncnorm

from diffaxion.analyses import (
    Analysis,
    CouplingMoments,
    bayes_over_masses,
    build_probe,
    coupling_moments,
    marginal_limits,
    profile_over_nuisances,
    uniform_g_draws,
)
from diffaxion.analyses.marginal import normal_points
from diffaxion.environments.galaxy import uniform_fractions
from diffaxion.inference import Q_95
from tests import xray_models as models

U_MAX = 1600.0
DENSITIES = {
    "uniform_g": lambda g: 1.0,
    "uniform_g2": lambda g: 2.0 * g,
    "uniform_g4": lambda g: 4.0 * g**3,
    "log10_g": lambda g: 1.0 / g,
}
# Strength of the released limits: a_hat and sigma in (g/1e-12 GeV^-1)^4.
A_HAT, SIGMA = 49.0, 163.0


def moments(a_hat, sigma):
    """Score and information of ln L = -(a - a_hat)^2/(2 sigma^2), shape (d,)."""
    information = 1.0 / np.asarray(sigma, float) ** 2
    return np.asarray(a_hat, float) * information, information


def direct(density, scores, informations, low=0.0, level=0.95):
    """Quantile of int over draws of prior(g) L(g | draw), by adaptive quadrature."""
    top = np.sqrt(U_MAX)

    def posterior(g):
        a = g**4
        return density(g) * np.mean(np.exp(scores * a - 0.5 * informations * a**2))

    edges = np.array([low, 0.1, 1.0, 2.0, 4.0, 6.0, 10.0, top])
    edges = edges[edges >= low]

    def integral(g):
        ends = np.append(edges[edges < g], g)
        return sum(quad(posterior, x, y, epsrel=1e-10)[0] for x, y in itertools.pairwise(ends))

    whole = integral(top)
    return brentq(lambda g: integral(g) / whole - level, 0.5, 0.9 * top)


def repeated(values, count=500):
    """The same few draws again and again: enough of them to pass the gate, one answer."""
    return np.tile(values, count)


@pytest.mark.parametrize("a_hat", [-200.0, A_HAT, 600.0])
def test_one_draw_against_quadrature(a_hat):
    """All four priors with an identical likelihood for every draw, to the grid's 1e-4."""
    score, information = moments(a_hat, SIGMA)
    limits = marginal_limits(CouplingMoments(repeated(score), repeated(information)), U_MAX)
    assert [m.prior.split()[0] for m in limits] == list(DENSITIES)
    for limit, (name, density) in zip(limits, DENSITIES.items(), strict=True):
        low = 0.01 if name == "log10_g" else 0.0
        expected = direct(density, score, information, low)
        assert limit.reason == ""
        np.testing.assert_allclose(limit.g_95_GeV / 1e-12, expected, rtol=2e-4)
        np.testing.assert_allclose(limit.kish, 500.0)


def test_closed_form_of_the_uniform_priors():
    """Prior sensitivity at zero signal: 1.045, 1.117, 1.183 in units of sigma_a^(1/4)."""
    limits = marginal_limits(CouplingMoments(*map(repeated, moments(0.0, SIGMA))), U_MAX)
    found = [m.g_95_GeV / 1e-12 / SIGMA**0.25 for m in limits[:3]]
    np.testing.assert_allclose(found, [1.045, 1.117, 1.183], atol=1e-3)
    # With a prior uniform in a = g^4 the posterior is a normal cut at 0.
    limits = marginal_limits(CouplingMoments(*map(repeated, moments(A_HAT, SIGMA))), U_MAX)
    a_95 = truncnorm.ppf(0.95, -A_HAT / SIGMA, np.inf, A_HAT, SIGMA)
    np.testing.assert_allclose(limits[2].g_95_GeV / 1e-12, a_95**0.25, rtol=2e-4)


def test_draws_of_the_prior_against_quadrature():
    """Likelihoods that differ between draws: weights int pi L, the common factor kept."""
    scores, informations = moments([-100.0, 49.0, 400.0], [60.0, 163.0, 500.0])
    limits = marginal_limits(
        CouplingMoments(repeated(scores), repeated(informations)), U_MAX, prior_draws=True
    )
    for limit, (name, density) in zip(limits, DENSITIES.items(), strict=True):
        low = 0.01 if name == "log10_g" else 0.0
        expected = direct(density, scores, informations, low)
        np.testing.assert_allclose(limit.g_95_GeV / 1e-12, expected, rtol=5e-4)


def test_draws_of_a_run_and_of_the_prior_agree():
    """A run samples the nuisance from prior times int du L; reweighting undoes it.

    3000 draws leave a scatter of 0.7 %.
    """
    rng = np.random.default_rng(0)
    log_l = 0.4 * rng.normal(size=3000)

    def at(x):
        # ln of a factor on the luminosity: the response, and so S and sqrt(I), grow with it.
        score, information = moments(A_HAT, SIGMA)
        return score * np.exp(x), information * np.exp(2.0 * x)

    from_prior = marginal_limits(CouplingMoments(*at(log_l)), U_MAX, prior_draws=True)
    u = np.linspace(0.0, 60.0, 600)
    score, information = at(log_l)
    run = np.array(
        [np.trapezoid(np.exp(s * u**2 - 0.5 * i * u**4), u) for s, i in zip(score, information)]
    )
    chosen = rng.choice(log_l.size, 3000, p=run / run.sum())
    from_run = marginal_limits(CouplingMoments(*at(log_l[chosen])), U_MAX)
    for one, two in zip(from_prior, from_run, strict=True):
        assert one.prior == two.prior
        np.testing.assert_allclose(one.g_95_GeV, two.g_95_GeV, rtol=0.02)
    # Draws with the headline prior have the same quantile.
    index, g = uniform_g_draws(CouplingMoments(*at(log_l[chosen])), U_MAX, seed=1)
    assert index.shape == g.shape == (3000,)
    np.testing.assert_allclose(np.quantile(g, 0.95), from_run[0].g_95_GeV, rtol=0.02)
    np.testing.assert_array_equal(
        g, uniform_g_draws(CouplingMoments(*at(log_l[chosen])), U_MAX, seed=1)[1]
    )


def test_few_effective_draws_are_refused():
    """399 equal draws, or many of which few count, give no limit and a reason with the number."""
    few = marginal_limits(CouplingMoments(*(np.full(399, x) for x in moments(A_HAT, SIGMA))), U_MAX)
    assert all(np.isnan(m.g_95_GeV) for m in few)
    assert all("399 below 400" in m.reason for m in few)
    # Draws from the prior of which a handful fit an excess far better than the rest.
    scores, informations = moments(np.full(2000, 3000.0), np.full(2000, 100.0))
    scores[20:], informations[20:] = 1e-3 * scores[20:], 1e-6 * informations[20:]
    lopsided = marginal_limits(CouplingMoments(scores, informations), U_MAX, prior_draws=True)
    assert "below 400" in lopsided[0].reason
    np.testing.assert_allclose(lopsided[0].kish, 20.0, rtol=0.01)


def test_a_posterior_that_does_not_end_is_refused():
    """No information at all: the end of the prior would be the limit."""
    limits = marginal_limits(CouplingMoments(np.zeros(500), np.full(500, 1e-12)), U_MAX)
    for limit in limits[:3]:
        assert np.isnan(limit.g_95_GeV)
        assert "u_max" in limit.reason


NUISANCES = {
    "clusters.wd1.distance_kpc": {"dist": "uniform", "low": 2.2, "high": 4.8},
    "clusters.wd1.ln_luminosity": {"dist": "normal", "mean": 0.0, "sigma": 0.137},
}
MASS = 1e-12


@pytest.fixture(scope="module")
def analysis():
    """Westerlund 1 with its distance and luminosity."""
    spectrum = models.spectrum("wd1")
    probe = build_probe(spectrum, models.world(), "published", uniform_fractions(96), 1)
    return Analysis(models.world(), NUISANCES, [probe], [spectrum.points])


@pytest.fixture(scope="module")
def by_distance(analysis):
    """Score and information on a grid of z of the distance, at ln L = 0 and one mass."""
    data = eqx.tree_at(lambda d: d.world.axion.m_a_eV, analysis.data, jnp.asarray(MASS))
    z = np.linspace(-4.0, 4.0, 401)
    found = coupling_moments(data, jnp.asarray(np.stack([z, 0 * z], axis=1)))
    score, information = found.score, found.information
    return z, np.asarray(score), np.asarray(information)


def test_bayes_limit_at_one_mass_against_quadrature(analysis, by_distance):
    """2048 points of distance and luminosity against the prior mean by quadrature."""
    z, score, information = by_distance
    x, weight = np.polynomial.hermite_e.hermegauss(9)
    g = np.linspace(0.0, 25.0, 3000)
    posterior = np.zeros_like(g)
    normal = np.exp(-0.5 * z**2)
    for x_l, w_l in zip(x, weight):
        factor = np.exp(0.137 * x_l)
        for s, i, w_d in zip(score * factor, information * factor**2, normal):
            posterior += w_l * w_d * np.exp(s * g**4 - 0.5 * i * g**8)
    share = np.cumsum(posterior) / posterior.sum()
    expected = float(np.interp(0.95, share, g))
    (found,) = bayes_over_masses(analysis, np.array([MASS]), jax.random.key(0), U_MAX)
    np.testing.assert_allclose(found.g_95_GeV / 1e-12, expected, rtol=5e-3)
    assert found.kish > 400.0


def test_points_of_the_priors_are_normal_and_even():
    """Means of 1000 random draws scatter by 0.03; those of 1024 even points by far less."""
    z = normal_points(1000, 27, jax.random.key(4))
    assert z.shape == (1024, 27)
    assert np.all(np.isfinite(z))
    assert np.max(np.abs(z.mean(axis=0))) < 3e-3
    np.testing.assert_allclose(z.var(axis=0), 1.0, rtol=0, atol=0.02)
    correlation = np.corrcoef(z, rowvar=False) - np.eye(27)
    assert np.max(np.abs(correlation)) < 0.12
    other = normal_points(1000, 27, jax.random.key(5))
    assert not np.any(other == z)
    assert normal_points(3, 0, jax.random.key(4)).shape == (4, 0)


def weakest(score, information):
    """Limit on a with both nuisances profiled, by brute force over a grid.

    With b = a e^delta, -2 ln L = min_d [-2 S_d b + I_d b^2] + (delta/0.137)^2.
    """
    delta = 0.137 * np.linspace(-4.0, 4.0, 1601)

    def deviance(a):
        b = a * np.exp(delta)
        free = np.min(-2.0 * score[:, None] * b + information[:, None] * b**2, axis=0)
        return np.min(free + (delta / 0.137) ** 2)

    coarse = np.linspace(-2000.0, 2000.0, 201)
    k = np.argmin([deviance(a) for a in coarse])
    fit = minimize_scalar(deviance, bounds=(coarse[k - 1], coarse[k + 1]), method="bounded")
    # The profile is the lower envelope of branches: the limit is its last crossing.
    outward = np.geomspace(20_000.0, 1.0, 200)
    k = next(k for k, a in enumerate(outward) if deviance(a) < fit.fun + Q_95)
    level = lambda a: deviance(a) - fit.fun - Q_95  # noqa: E731
    return fit.x, brentq(level, outward[k], outward[k - 1], rtol=1e-6)


@pytest.mark.slow
def test_profile_against_brute_force(analysis, by_distance):
    """The limit is that of the weakest signal, though the distance has several local maxima."""
    z, score, information = by_distance
    falling = np.diff(information) < 0.0
    assert np.sum(falling[:-1] & ~falling[1:]) >= 1
    best, expected = weakest(score, information)
    _, median = weakest(np.zeros_like(score), information)
    result = profile_over_nuisances(analysis.data, np.array([MASS]))
    limit = result.limit
    assert limit.status[0] == 0
    np.testing.assert_allclose(limit.a_95[0], expected, rtol=1e-3)
    np.testing.assert_allclose(limit.median[0], median, rtol=1e-3)
    np.testing.assert_allclose(limit.a_hat[0], best, atol=0.01 * expected)
    kpc = [
        float(analysis.data.bindings.values(x)["clusters.wd1.distance_kpc"])
        for x in (result.crossing[0][1:], jnp.array([z[np.argmin(information)], 0.0]))
    ]
    np.testing.assert_allclose(*kpc, atol=0.02)
    # Fixing the distance at any value gives a limit that is not weaker.
    alone = score / information + np.sqrt(Q_95 / information)
    assert np.all(float(limit.a_95[0]) >= alone)
