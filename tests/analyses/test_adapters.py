"""The density as other samplers take it, against exact quadrature."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from diffaxion.analyses import (
    UnitCube,
    coupling_moments,
    logdensity,
    loglike_rows,
    prior_transform,
    savage_dickey,
)
from diffaxion.analyses.moments import CouplingMoments
from diffaxion.errors import ConfigurationError
from tests import toy_analysis as toy


def needs(name):
    """Skip where an optional package is missing."""
    absent = importlib.util.find_spec(name) is None
    return pytest.mark.skipif(absent, reason=f"{name} is not installed (extra `samplers`)")


@pytest.fixture(scope="module")
def data():
    return toy.analysis().data


@pytest.fixture(scope="module")
def run(data):
    """One nested-sampling run with the coupling free."""
    nautilus = pytest.importorskip("nautilus", reason="nautilus is not installed")
    cube = UnitCube(data)
    sampler = nautilus.Sampler(
        cube.prior_transform,
        cube.loglike_values,
        n_dim=cube.size,
        n_live=400,
        n_networks=0,
        vectorized=True,
        pass_dict=False,
        seed=1,
    )
    sampler.run(n_eff=4000)
    return sampler


def test_cube_is_the_prior(data):
    """Uniform points map to the quantiles of the priors; ln L is that of the same z."""
    cube = UnitCube(data)
    x = np.random.default_rng(2).uniform(size=(5, 3))
    z = cube.prior_transform(x)
    np.testing.assert_allclose(z, norm.ppf(x), rtol=1e-12)
    values = cube.values(z)
    np.testing.assert_allclose(values["axion.u"], toy.U_MAX * x[:, 0], rtol=1e-12)
    parabola = toy.polynomial(values["axion.u"], values["sky.ln_gain"], values["sky.depth_kpc"])
    null = norm.logpdf(np.concatenate([toy.LINE_DATA, toy.SCREEN_DATA])).sum()
    np.testing.assert_allclose(cube.loglike(x), null + parabola, rtol=1e-10)
    assert cube.loglike(x[0]).shape == ()
    np.testing.assert_allclose(cube.loglike(x[3]), cube.loglike(x)[3], rtol=1e-13)
    expected = cube.loglike(x[1]) + norm.logpdf(z[1]).sum()
    np.testing.assert_allclose(logdensity(data, jnp.asarray(z[1])), expected, rtol=1e-12)


def test_any_number_of_rows_and_the_edges(data):
    z = np.random.default_rng(3).normal(size=(70, 3))
    many = loglike_rows(data, z)
    assert many.shape == (70,)
    np.testing.assert_allclose(many[40:45], loglike_rows(data, z[40:45]), rtol=1e-13)
    assert loglike_rows(data, np.zeros((0, 3))).shape == (0,)
    corners = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert np.all(np.isfinite(prior_transform(data, corners)))
    assert np.all(np.isfinite(UnitCube(data).loglike(corners)))


@pytest.mark.parametrize(
    ("cube", "message"),
    [
        (np.zeros((2, 4)), r"shape \(2, 4\): expected \(3,\).*axion\.u"),
        (np.full(3, 1.5), r"\[0, 1\]"),
        (np.full(3, np.nan), r"\[0, 1\]"),
    ],
)
def test_points_that_are_no_cube(data, cube, message):
    with pytest.raises(ConfigurationError, match=message):
        prior_transform(data, cube)


@needs("blackjax")
def test_blackjax_samples_the_density(data):
    """NUTS with unit mass matrix; 5 Monte Carlo errors at about 1500 effective draws."""
    import blackjax

    _, u, cdf, mean_gain = toy.quadrature()

    @jax.jit
    def chain(data, key):
        kernel = blackjax.nuts(lambda z: logdensity(data, z), 0.25, jnp.ones(3))

        def step(state, key):
            state, info = kernel.step(key, state)
            return state, (state.position, info.is_divergent)

        # Not the median of the prior, where ln L falls too steeply for this step.
        start = kernel.init(jnp.array([-1.5, 0.0, 0.0]))
        return jax.lax.scan(step, start, jax.random.split(key, 3000))[1]

    z, divergent = chain(data, jax.random.key(5))
    assert float(divergent.mean()) < 1e-3
    values = UnitCube(data).values(np.asarray(z)[200:])
    found = np.interp(np.quantile(values["axion.u"], [0.25, 0.5, 0.95]), u, cdf)
    np.testing.assert_allclose(found, [0.25, 0.5, 0.95], atol=0.055)
    np.testing.assert_allclose(values["sky.ln_gain"].mean(), mean_gain, atol=0.04)


@pytest.mark.slow
@needs("nautilus")
@pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
def test_nautilus_samples_the_density(run, data):
    """Posterior and evidence; the error of ln Z is about 1/sqrt(4000)."""
    log_z, u, cdf, mean_gain = toy.quadrature()
    z, log_weight, _ = run.posterior()
    values, weight = UnitCube(data).values(z), np.exp(log_weight)
    weight /= weight.sum()
    order = np.argsort(values["axion.u"])
    upper = np.interp(0.95, np.cumsum(weight[order]), values["axion.u"][order])
    np.testing.assert_allclose(np.interp(upper, u, cdf), 0.95, atol=0.02)
    np.testing.assert_allclose(weight @ values["sky.ln_gain"], mean_gain, atol=0.02)
    null = float(loglike_rows(data, np.array([-40.0, 0.0, 0.0])))
    np.testing.assert_allclose(run.log_z, null + log_z, atol=0.08)


@pytest.mark.slow
@needs("nautilus")
@pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
def test_savage_dickey_against_nested_sampling(run, data):
    """B_01 = Z(u = 0)/Z(u free); without a signal no nuisance matters, and Z(u = 0) = L(0)."""
    dark = toy.analysis(fixed_u=0.0).data
    null = loglike_rows(dark, np.random.default_rng(1).normal(size=(4, 2)))
    np.testing.assert_allclose(null, null[0], rtol=1e-13)
    z = run.posterior(equal_weight=True)[0]
    found = savage_dickey(coupling_moments(data, jnp.asarray(z)), toy.U_MAX)
    assert found.error < 0.02
    np.testing.assert_allclose(found.log_b01, null[0] - run.log_z, atol=0.08)
    np.testing.assert_allclose(found.log_b01, -toy.quadrature()[0], atol=5 * found.error)


@pytest.mark.parametrize(("x", "factor"), [(-1, 1.5251), (0, 0.7979), (1, 0.2876), (2, 0.05525)])
@pytest.mark.parametrize("scale", [0.5, 20.0])
def test_savage_dickey_in_closed_form(x, factor, scale):
    """Gaussian in u of width s, uniform prior up to U >> s: B_01 = (U/s) phi(x)/Phi(x)."""
    u_max = 50.0 * scale
    score, information = np.full(40, x / scale), np.full(40, scale**-2)
    zero = np.zeros(40)
    found = savage_dickey(CouplingMoments(zero, zero, score, information), u_max)
    np.testing.assert_allclose(np.exp(found.log_b01), 50.0 * factor, rtol=2e-4)
    exact = np.log(50.0) + norm.logpdf(x) - norm.logcdf(x)
    np.testing.assert_allclose(found.log_b01, exact, atol=1e-4)
    assert found.error == pytest.approx(0.0, abs=1e-12)
    assert found.u_max == u_max


def test_savage_dickey_is_proportional_to_the_range_and_averages_over_draws():
    """Beyond the likelihood only the density at zero falls; two kinds of draws are a mean."""
    zero = np.zeros(200)
    width = np.where(np.arange(200) % 2, 1.0, 4.0)
    moments = CouplingMoments(zero, zero, zero, width**-2.0)
    near, far = (savage_dickey(moments, u) for u in (200.0, 400.0))
    np.testing.assert_allclose(far.log_b01 - near.log_b01, np.log(2.0), atol=1e-4)
    expected = 200.0 * np.sqrt(2.0 / np.pi) * np.mean(1.0 / width)
    np.testing.assert_allclose(np.exp(near.log_b01), expected, rtol=1e-3)
