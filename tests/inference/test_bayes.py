"""Bayesian limits by quadrature against tables, closed forms and SciPy."""

import functools
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from diffaxion.errors import ConfigurationError
from diffaxion.inference import (
    PRIORS,
    LimitStatus,
    gaussian_bayes_limit,
    grid_bayes_limit,
    linear_limit,
)

X = jnp.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
TABLE = {
    "uniform_g": [0.7432, 0.8558, 1.0173, 1.2473, 1.5417, 1.8489, 2.1195],
    "uniform_g2": [0.9040, 1.0256, 1.1883, 1.4000, 1.6514, 1.9121, 2.1553],
}


@functools.cache
def compiled(prior, order):
    def one(a_hat, sigma, low, high):
        bounds = (low, high)
        return gaussian_bayes_limit(a_hat, sigma, prior, order=order, log10_range=bounds)

    return jax.jit(one)


@functools.cache
def compiled_grid(prior):
    def one(u, log_like, low, high):
        return grid_bayes_limit(u, log_like, prior, log10_range=(low, high))

    return jax.jit(one)


def limits(prior, order, x, scale=1.0):
    return np.array([compiled(prior, order)(v * scale, scale, -2.0, 1.0).G for v in x])


@pytest.mark.parametrize("prior", sorted(TABLE))
def test_table_of_a_probe_linear_in_u(prior):
    np.testing.assert_allclose(limits(prior, 1, X), TABLE[prior], atol=5.1e-5)


def test_frequentist_column():
    result = jax.vmap(lambda x: linear_limit(jnp.ones(1), x[None], jnp.ones(1)))(X)
    g = result.to_coupling(1.0, order=1).g_95
    np.testing.assert_allclose(g[2:], np.sqrt(X[2:] + stats.norm.ppf(0.95)), rtol=1e-14)
    # The first entry of the reference table is rounded up; it is 0.80303.
    np.testing.assert_allclose(g[2:], [0.8031, 1.2825, 1.6263, 1.9092, 2.1552], atol=8e-5)
    assert result.status.tolist()[:2] == [LimitStatus.NEGATIVE_LIMIT] * 2


def test_prior_dependence_at_zero_signal():
    zero = jnp.zeros(1)
    x_ray = [limits(p, 2, zero)[0] for p in ("uniform_g", "uniform_g2", "uniform_g4")]
    np.testing.assert_allclose(x_ray, [1.045, 1.117, 1.183], atol=5.1e-4)
    cmb = [limits(p, 1, zero)[0] for p in ("uniform_g", "uniform_g2")]
    np.testing.assert_allclose(cmb, [1.247, 1.400], atol=5.1e-4)
    profile = linear_limit(jnp.ones(1), jnp.zeros(1), jnp.ones(1))
    np.testing.assert_allclose(profile.to_coupling(1.0, order=2).g_95, 1.132, atol=5.1e-4)
    np.testing.assert_allclose(profile.to_coupling(1.0, order=1).g_95, 1.283, atol=5.1e-4)


def test_closed_forms():
    x = jnp.linspace(-6.0, 30.0, 13)
    tail = 0.05 * stats.norm.cdf(x)
    want = np.sqrt(x + stats.norm.isf(tail))
    np.testing.assert_allclose(limits("uniform_g2", 1, x), want, rtol=1e-9)
    np.testing.assert_allclose(limits("uniform_g4", 2, x), want**0.5, rtol=1e-9)
    at_zero = (2.0 * special.gammaincinv(0.25, 0.95)) ** 0.25
    np.testing.assert_allclose(limits("uniform_g", 1, jnp.zeros(1)), at_zero, rtol=1e-10)
    at_zero = (2.0 * special.gammaincinv(0.125, 0.95)) ** 0.125
    np.testing.assert_allclose(limits("uniform_g", 2, jnp.zeros(1)), at_zero, rtol=1e-10)


def _scipy(prior, order, x, lo, hi):
    weight = {
        "uniform_g": lambda G: 1.0,
        "uniform_g2": lambda G: 2 * G,
        "uniform_g4": lambda G: 4 * G**3,
        "log10_g": lambda G: 1.0 / (G * np.log(10.0)),
    }[prior]

    def integral(end):
        cuts = np.geomspace(max(lo, 1e-6), end, 24)
        cuts[0] = lo
        return sum(
            integrate.quad(
                lambda G: weight(G) * np.exp(-0.5 * (G ** (2 * order) - x) ** 2), a, b, epsabs=0
            )[0]
            for a, b in pairwise(cuts)
        )

    total = integral(hi)
    return optimize.brentq(lambda v: integral(v) / total - 0.95, 1.01 * max(lo, 1e-3), hi), total


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("prior", PRIORS)
def test_all_priors_agree_with_scipy(prior, order):
    lo, hi = (10**-2.0, 10**0.7) if prior == "log10_g" else (0.0, 12.0 ** (0.5 / order))
    result = compiled(prior, order)(-1.3, 1.0, -2.0, 0.7)
    G, total = _scipy(prior, order, -1.3, lo, hi)
    np.testing.assert_allclose(result.G, G, rtol=1e-7)
    np.testing.assert_allclose(result.u, G**2, rtol=2e-7)
    norm = 2.7 if prior == "log10_g" else 1.0
    np.testing.assert_allclose(result.log_evidence, np.log(total / norm), rtol=1e-7)
    assert result.status == LimitStatus.OK


def test_the_lower_end_decides_the_limit_of_log10_g():
    low = compiled("log10_g", 2)(0.0, 1.0, -6.0, 1.0).G
    high = compiled("log10_g", 2)(0.0, 1.0, -1.0, 1.0).G
    assert low < 0.7 * high


def test_a_range_that_cuts_the_posterior_is_reported():
    got = compiled("log10_g", 1)(5.0, 1.0, -2.0, 0.3)
    assert got.status == LimitStatus.NOT_BRACKETED
    assert got.G <= 10**0.3
    for end, status in ((3.0, LimitStatus.NOT_BRACKETED), (9.0, LimitStatus.OK)):
        grid = jnp.linspace(0.0, end, 160)
        assert compiled_grid("uniform_g")(grid, -0.5 * grid**2, 0.0, 1.0).status == status


@pytest.mark.parametrize("prior", PRIORS)
def test_grid_reproduces_the_gaussian(prior):
    grid = jnp.linspace(0.0, 9.0, 160)
    if prior == "log10_g":
        grid = jnp.concatenate([10.0 ** jnp.linspace(-6.0, -2.5, 20), grid[20:] - grid[19]])
    for x in (-1.0, 0.8):
        got = compiled_grid(prior)(grid, -0.5 * (grid - x) ** 2 - 7.0, -3.0, 0.45)
        want = compiled(prior, 1)(x, 1.0, -3.0, 0.45)
        np.testing.assert_allclose(got.G, want.G, rtol=1e-5)
        np.testing.assert_allclose(got.log_evidence + 7.0, want.log_evidence, atol=1e-5)


def test_derivative_with_respect_to_the_values_on_the_grid():
    grid = jnp.linspace(0.0, 9.0, 160)

    def on_grid(x):
        return grid_bayes_limit(grid, -0.5 * (grid - x) ** 2).G

    def exact(x):
        return gaussian_bayes_limit(x, 1.0, order=1).G

    slope, want = jax.jit(lambda x: (jax.grad(on_grid)(x), jax.grad(exact)(x)))(0.8)
    np.testing.assert_allclose(slope, want, rtol=1e-4)


def test_limit_scales_with_the_error():
    one = limits("uniform_g", 2, X)
    np.testing.assert_allclose(limits("uniform_g", 2, X, 1e-9), one * 1e-9**0.25, rtol=1e-12)
    np.testing.assert_allclose(limits("uniform_g", 2, X, 1e9), one * 1e9**0.25, rtol=1e-12)


def test_misspelt_prior_and_missing_range():
    with pytest.raises(ConfigurationError, match="known are uniform_g"):
        gaussian_bayes_limit(0.0, 1.0, "flat")
    with pytest.raises(ConfigurationError, match="log10_range"):
        gaussian_bayes_limit(0.0, 1.0, "log10_g")
    with pytest.raises(ConfigurationError, match="log10_range"):
        grid_bayes_limit(jnp.arange(5.0), jnp.zeros(5), "log10_g")
