"""Priors against SciPy, and their behaviour at the edges."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from diffaxion.errors import ConfigurationError
from diffaxion.parameters import (
    Fixed,
    HalfNormalAbove,
    LogNormal,
    LogUniform,
    Normal,
    Uniform,
    UniformRoot,
    parse_prior,
)

PEERS = [
    (Normal(4.6, 0.3), stats.norm(4.6, 0.3)),
    (LogNormal(1.7e35, 0.21), stats.lognorm(0.21, scale=1.7e35)),
    (Uniform(2.2, 4.8), stats.uniform(2.2, 2.6)),
    (LogUniform(3.0, 100.0), stats.loguniform(3.0, 100.0)),
    (UniformRoot(0.0, 1600.0), stats.powerlaw(0.5, scale=1600.0)),
    (HalfNormalAbove(0.5, 2.0), stats.halfnorm(0.5, 2.0)),
]
IDS = [type(p).__name__ for p, _ in PEERS]
Z = np.linspace(-4.0, 4.0, 33)


@pytest.mark.parametrize(("prior", "peer"), PEERS, ids=IDS)
def test_quantiles_and_densities_are_those_of_scipy(prior, peer):
    value = jax.vmap(prior.from_standard)(jnp.asarray(Z))
    # SciPy's ppf(cdf(z)) loses digits towards 1, the survival side towards 0: use the nearer one.
    expected = np.where(Z < 0, peer.ppf(stats.norm.cdf(Z)), peer.isf(stats.norm.sf(Z)))
    np.testing.assert_allclose(value, expected, rtol=1e-9)
    np.testing.assert_allclose(
        jax.vmap(prior.log_prob)(value), peer.logpdf(np.asarray(value)), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(("prior", "peer"), PEERS, ids=IDS)
def test_density_is_the_jacobian_of_the_map(prior, peer):
    """ln p(value) + ln |dvalue/dz| = ln N(z): the map turns N(0, 1) into the prior."""
    del peer

    def both(z):
        return prior.log_prob(prior.from_standard(z)), jax.grad(prior.from_standard)(z)

    density, slope = jax.vmap(both)(jnp.asarray(Z))
    np.testing.assert_allclose(density + np.log(slope), stats.norm.logpdf(Z), rtol=1e-7)


@pytest.mark.parametrize(("prior", "peer"), PEERS, ids=IDS)
def test_inverse_and_finite_edges(prior, peer):
    back = jax.vmap(lambda z: prior.to_standard(prior.from_standard(z)))(jnp.asarray(Z))
    np.testing.assert_allclose(back, Z, rtol=1e-8, atol=1e-8)
    extreme = jnp.array([-60.0, -38.0, 38.0, 60.0])
    value, slope = jax.vmap(jax.value_and_grad(prior.from_standard))(extreme)
    assert np.all(np.isfinite(value))
    assert np.all(np.isfinite(slope))
    low, high = peer.support()
    edges = jnp.array([e for e in (low, high) if np.isfinite(e)])
    if edges.size:
        z, dz = jax.vmap(jax.value_and_grad(prior.to_standard))(edges)
        assert np.all(np.isfinite(z))
        assert np.all(np.isfinite(dz))


def test_outside_the_support_the_density_is_zero_with_a_finite_gradient():
    for prior, value in [
        (Uniform(0.0, 1.0), 1.5),
        (LogUniform(1.0, 2.0), -1.0),
        (LogNormal(1.0, 0.3), -2.0),
        (HalfNormalAbove(0.0, 1.0), -0.1),
    ]:
        density, slope = jax.value_and_grad(prior.log_prob)(jnp.array(value))
        assert density == -jnp.inf
        assert slope == 0.0 or np.isfinite(slope)


def test_penalties_are_auxiliary_measurements_and_boxes_are_free():
    z = jnp.array(1.3)
    assert float(Normal(0.0, 2.0).penalty(z)) == pytest.approx(0.845)
    assert float(LogNormal(3.0, 0.2).penalty(z)) == pytest.approx(0.845)
    half = HalfNormalAbove(1.0, 2.0)
    excess = (half.from_standard(z) - 1.0) / 2.0
    assert float(half.penalty(z)) == pytest.approx(0.5 * float(excess) ** 2)
    assert float(half.penalty(jnp.array(-60.0))) == pytest.approx(0.0, abs=1e-20)
    for box in (Uniform(0.0, 1.0), LogUniform(1.0, 2.0), Fixed(1.0)):
        assert float(box.penalty(z)) == 0.0
        assert not box.penalised


def test_width_and_centre():
    assert float(Normal(4.6, 0.3).width) == pytest.approx(0.3)
    assert float(Normal(4.6, 0.3).centre) == pytest.approx(4.6)
    assert float(Uniform(0.0, 2.0).width) == pytest.approx(0.6826894921)
    assert float(LogNormal(2.0, 0.5).width) == pytest.approx(2.0 * np.sinh(0.5))
    assert float(Fixed(3.0).width) == 0.0
    assert not Fixed(3.0).free


@settings(max_examples=30, deadline=None)
@given(
    low=st.floats(-1e3, 1e3),
    span=st.floats(1e-3, 1e3),
    z=st.floats(-30, 30, allow_subnormal=False),
)
def test_uniform_values_never_leave_the_box(low, span, z):
    prior = Uniform(low, low + span)
    assert low <= float(prior.from_standard(jnp.array(z))) <= float(prior.high)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Normal(0.0, 0.0), "Normal.sigma = 0: expected sigma > 0"),
        (lambda: Normal(float("nan"), 1.0), "Normal.mean = nan"),
        (lambda: LogNormal(-1.0, 0.1), "median > 0"),
        (lambda: Uniform(2.0, 1.0), "Uniform.high = 1: expected high > low"),
        (lambda: LogUniform(0.0, 1.0), "LogUniform.low = 0: expected low > 0"),
        (lambda: HalfNormalAbove(0.0, -1.0), "sigma > 0"),
        (lambda: Fixed(float("inf")), "Fixed.value = inf"),
        (lambda: Normal([1.0, 2.0], 0.1), "expected one number"),
        (lambda: Normal("4.6", 0.3), "expected a number"),
        (lambda: Normal(True, 0.3), "expected a number"),
    ],
)
def test_bad_parameters_are_refused(build, words):
    with pytest.raises(ConfigurationError) as error:
        build()
    assert words in str(error.value)


def test_parameters_of_a_prior_can_be_traced_and_differentiated():
    def density(sigma):
        return Normal(0.0, sigma).log_prob(jnp.array(1.0))

    assert float(jax.jit(jax.grad(density))(2.0)) == pytest.approx(1 / 8 - 1 / 2)
    stacked = eqx.filter_vmap(lambda m: Normal(m, 1.0))(jnp.arange(3.0))
    assert stacked.mean.shape == (3,)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"dist": "normal", "mean": 4.6, "sigma": 0.3}, "Normal(4.6, 0.3)"),
        ({"dist": "Log-Normal", "median": 1e35, "sigma_ln": 0.2}, "LogNormal(1e+35, 0.2)"),
        ({"dist": "log_uniform", "low": 3, "high": 100}, "LogUniform(3, 100)"),
        ({"dist": "uniform", "low": 2.2, "high": 4.8}, "Uniform(2.2, 4.8)"),
        ({"dist": "HalfNormalAbove", "edge": 0, "sigma": 1}, "HalfNormalAbove(0, 1)"),
        ({"dist": "fixed", "value": 3.2}, "Fixed(3.2)"),
        (3.2, "Fixed(3.2)"),
        (Uniform(0, 1), "Uniform(0, 1)"),
    ],
)
def test_parse(spec, expected):
    assert parse_prior(spec).describe() == expected


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"dist": "nomal", "mean": 1, "sigma": 1}, "did you mean 'normal'"),
        ({"dist": "normal", "mean": 1, "sigm": 1}, "did you mean 'sigma'"),
        ({"dist": "normal", "mean": 1}, "needs sigma"),
        ({"mean": 1, "sigma": 1}, "'dist' is missing"),
        ({"dist": "normal", "mean": 1, "sigma": -1}, "galaxy.x: Normal.sigma = -1"),
        ({"dist": "normal", "mean": [1, 2], "sigma": 1}, "expected one number"),
        ({"dist": "normal", "mean": "a", "sigma": 1}, "expected a number"),
        ("normal", "expected a number or a table"),
        (True, "expected a number or a table"),
    ],
)
def test_bad_entries_name_the_path_and_the_key(spec, words):
    with pytest.raises(ConfigurationError) as error:
        parse_prior(spec, "galaxy.x")
    assert words in str(error.value)
    assert "galaxy.x" in str(error.value)
