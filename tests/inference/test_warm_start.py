"""Where chains start from, and what a 30-dimensional posterior costs."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from diffaxion.errors import ConfigurationError
from diffaxion.inference import Gates, Sampler, WarmStart, svi_warm_start

DESIGN = np.array([[1.0, 0.9], [0.9, 1.0], [1.0, -0.1]])
DATA = np.array([0.5, 0.3, 0.8])


def linear_model(design, data):
    """Two unit normals seen through a design: normal, with known covariance."""
    x = numpyro.sample("x", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
    numpyro.factor("loglike", -0.5 * jnp.sum((data - design @ x) ** 2) / 0.01)


ARGS = (jnp.asarray(DESIGN), jnp.asarray(DATA))
COVARIANCE = np.linalg.inv(DESIGN.T @ DESIGN / 0.01 + np.eye(2))
MEAN = COVARIANCE @ DESIGN.T @ DATA / 0.01


@pytest.fixture(scope="module")
def sampler():
    return Sampler(linear_model, chains=4, warmup=100, draws=200, chunk=50, dense_mass=True)


@pytest.fixture(scope="module")
def laplace():
    return svi_warm_start(linear_model, ARGS, jax.random.key(0), guide="laplace", steps=800)


def test_the_mass_matrix_starts_from_the_laplace_approximation(sampler):
    state = sampler.start(jax.random.key(0), ARGS, initial={"x": MEAN})
    matrix = np.asarray(state.kernel.adapt_state.inverse_mass_matrix)
    np.testing.assert_allclose(matrix, np.broadcast_to(COVARIANCE, (4, 2, 2)), rtol=1e-6)


def test_a_warm_start_replaces_it(sampler, laplace):
    np.testing.assert_allclose(laplace.initial["x"], MEAN, atol=2e-3)
    np.testing.assert_allclose(laplace.covariance, COVARIANCE, rtol=1e-3)
    wide = WarmStart(laplace.initial, 4.0 * laplace.covariance)
    state = sampler.start(jax.random.key(0), ARGS, initial=wide)
    matrix = np.asarray(state.kernel.adapt_state.inverse_mass_matrix[0])
    np.testing.assert_allclose(matrix, 4.0 * COVARIANCE, rtol=1e-3)
    with pytest.raises(ConfigurationError, match="covariance of a warm start"):
        sampler.start(jax.random.key(0), ARGS, initial=WarmStart(laplace.initial, jnp.eye(3)))


def test_chains_pool_what_they_have_seen(sampler):
    """From a wrong matrix, at the end of the first windows all chains share a right one."""
    wrong = WarmStart({"x": jnp.asarray(MEAN)}, 0.05 * jnp.eye(2))
    run = sampler.run(jax.random.key(1), ARGS, initial=wrong, gates=Gates(r_hat=1.1, ess=50))
    assert run.converged, run.reasons
    found = run.adaptation["inverse_mass_matrix"]
    # A window of 75 iterations of 4 chains knows a variance to some 15 %; the start was wrong
    # by a factor of 40 along one direction.
    np.testing.assert_allclose(np.diag(found), np.diag(COVARIANCE), rtol=0.6)
    assert np.sign(found[0, 1]) == np.sign(COVARIANCE[0, 1])


def test_the_normal_guide_knows_the_covariance():
    found = svi_warm_start(linear_model, ARGS, jax.random.key(0), steps=3000)
    np.testing.assert_allclose(found.initial["x"], MEAN, atol=0.05)
    # Stochastic optimisation with four draws per step: variances to some ten per cent.
    np.testing.assert_allclose(np.diag(found.covariance), np.diag(COVARIANCE), rtol=0.3)


def test_unknown_guides_are_refused():
    with pytest.raises(ConfigurationError, match="unknown guide 'flow'"):
        svi_warm_start(linear_model, ARGS, jax.random.key(0), guide="flow")
    with pytest.raises(ConfigurationError, match="steps must be at least 1"):
        svi_warm_start(linear_model, ARGS, jax.random.key(0), steps=0)


SIZE = 28


def long_model(design, data, top):
    """A bounded strength with factors, a banana, and 26 correlated normals: 30 dimensions."""
    u = numpyro.sample("u", dist.Uniform(0.0, top))
    bend = numpyro.sample("bend", dist.Normal(0.0, 1.0))
    z = numpyro.sample("z", dist.Normal(0.0, 1.0).expand([SIZE]).to_event(1))
    signal = u * jnp.exp(0.5 * z[0] + 0.3 * bend)
    loglike = -0.5 * jnp.sum((data - design @ z) ** 2) - 0.5 * (signal - 0.3) ** 2
    numpyro.factor("loglike", loglike - 0.5 * ((z[1] - 0.5 * (bend**2 - 1.0)) / 0.5) ** 2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_thirty_dimensions_pass_the_gates_with_short_trajectories(seed):
    rng = np.random.default_rng(0)
    design = rng.normal(size=(40, SIZE)) * 0.6 * np.exp(0.7 * rng.normal(size=SIZE))
    design[:, :2] = 0.0
    data = design @ rng.normal(size=SIZE) * 0.5 + rng.normal(size=40)
    steps = []
    run = Sampler(
        long_model, chains=4, warmup=300, draws=700, target_accept=0.9, dense_mass=True, chunk=50
    ).run(
        jax.random.key(seed),
        (jnp.asarray(design), jnp.asarray(data), jnp.asarray(30.0)),
        initial={"u": 1.0},
        gates=Gates(ess=1000.0),
        progress=lambda done, total, info: steps.append(info["steps"]),
    )
    assert run.converged, run.reasons
    assert not run.diverging.any()
    # Without pooling, the first windows took up to 200 steps and the mean was 66.
    assert np.mean(steps[:6]) < 30.0
    assert run.num_steps.mean() < 20.0
