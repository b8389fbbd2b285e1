"""Fisher information and impacts against closed forms and refits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.inference import (
    Problem,
    fisher_information,
    impacts,
    linear_limit,
    profile_limit,
    strength_sigma,
)
from diffaxion.likelihoods import GaussianPoints

N = 10
RESPONSE = np.exp(-np.arange(N) / 4.0)
TILT = np.linspace(-0.2, 0.4, N)
ERROR = np.linspace(0.2, 0.4, N)
DATA = 0.5 * RESPONSE + 0.2 * np.cos(3.0 * np.arange(N))
POINTS = GaussianPoints(DATA, ERROR)


def signal(theta, response):
    return theta[0] * jnp.exp(0.4 * theta[1]) * response + theta[2] * TILT


def loglike(strength, zeta, data):
    points, response = data
    return points.log_prob(signal(jnp.concatenate([strength[None], zeta]), response))


def asimov(zeta, data):
    points, response = data
    return points.with_data(points.expected(zeta[1] * TILT)), response


PROBLEM = Problem(loglike, [True, True])
ARGS = (POINTS, jnp.asarray(RESPONSE))


def test_one_parameter_is_the_linear_limit():
    fisher = fisher_information(lambda t, r: t[0] * r, jnp.zeros(1), POINTS, ARGS[1])
    want = linear_limit(RESPONSE, DATA, ERROR).sigma
    np.testing.assert_allclose(strength_sigma(fisher), want, rtol=1e-13)


def test_linear_nuisances_are_marginalised():
    def linear(theta, response):
        return theta[0] * response + theta[1] * TILT

    width = jnp.array([jnp.inf, 0.7])
    fisher = fisher_information(linear, jnp.zeros(2), POINTS, ARGS[1], prior_width=width)
    wide = np.linalg.cholesky(np.diag(ERROR**2) + 0.49 * np.outer(TILT, TILT))
    want = linear_limit(RESPONSE, DATA, wide).sigma
    np.testing.assert_allclose(strength_sigma(fisher), want, rtol=1e-12)


def test_information_at_zero_does_not_see_multiplicative_nuisances():
    width = jnp.array([jnp.inf, 1.0, 1.0])

    def sigma(strength):
        theta = jnp.array([strength, 0.0, 0.0])
        fisher = fisher_information(signal, theta, POINTS, ARGS[1], prior_width=width)
        return strength_sigma(fisher)

    def without(strength):
        theta = jnp.array([strength, 0.0])
        fisher = fisher_information(
            lambda t, r: signal(jnp.array([t[0], 0.0, t[1]]), r),
            theta,
            POINTS,
            ARGS[1],
            prior_width=width[jnp.array([0, 2])],
        )
        return strength_sigma(fisher)

    np.testing.assert_allclose(sigma(0.0), without(0.0), rtol=1e-12)
    # At strength a the log-normal factor adds 0.4 a in quadrature.
    np.testing.assert_allclose(sigma(1.5) ** 2 - without(1.5) ** 2, 0.6**2, rtol=1e-9)


def test_correlated_points():
    rng = np.random.default_rng(0)
    mix = np.tril(0.1 * rng.normal(size=(N, N))) + np.diag(ERROR)
    points = GaussianPoints(DATA, mix)
    theta = jnp.array([0.5, 0.1, -0.3])
    jacobian = jax.jacfwd(signal)(theta, ARGS[1])
    want = jacobian.T @ np.linalg.inv(mix @ mix.T) @ jacobian
    np.testing.assert_allclose(fisher_information(signal, theta, points, ARGS[1]), want, rtol=1e-10)


def test_no_information_is_an_infinite_error():
    assert np.isposinf(strength_sigma(jnp.zeros((1, 1))))


@pytest.fixture(scope="module")
def found():
    return impacts(PROBLEM, asimov, ARGS)


@pytest.mark.parametrize("k", [0, 1])
def test_impacts_are_those_of_refits(found, k):
    @jax.jit
    def log_g(centre, width):
        problem = Problem(loglike, [True, True], centre=centre, width=width)
        return 0.25 * jnp.log(profile_limit(problem, asimov, ARGS).limit.a_95)

    h, unit = 1e-3, np.eye(2)[k]
    zero, one = np.zeros(2), np.ones(2)
    by_centre = (log_g(h * unit, one) - log_g(-h * unit, one)) / (2 * h)
    by_width = (log_g(zero, np.exp(h * unit)) - log_g(zero, np.exp(-h * unit))) / (2 * h)
    np.testing.assert_allclose(found.shift[k], by_centre * found.width[k], rtol=1e-5)
    np.testing.assert_allclose(found.broadening[k], by_width, rtol=1e-5)


def test_impacts_have_the_expected_signs(found):
    # A larger expected factor makes the limit stronger; a wider prior makes it weaker.
    assert found.shift[0] < 0.0
    assert found.broadening[0] > 0.0
    assert np.all((found.width > 0.0) & (found.width <= 1.0 + 1e-9))
