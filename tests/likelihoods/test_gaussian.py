"""Gaussian points: the density against SciPy, its derivatives, toys, and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from diffaxion.errors import DataError
from diffaxion.likelihoods import GaussianPoints, validate_points

D = np.array([0.3, -0.2, 1.1])
E = np.array([0.5, 0.2, 0.9])
MIX = np.array([[1.0, 0.0, 0.0], [0.3, 0.8, 0.0], [-0.2, 0.4, 0.6]])
SIGNAL = jnp.array([0.1, 0.4, -0.7])


@pytest.fixture(params=["independent", "correlated"])
def points(request):
    if request.param == "independent":
        return GaussianPoints(D, E), np.diag(E**2)
    return GaussianPoints.from_covariance(D, MIX @ MIX.T), MIX @ MIX.T


def test_log_prob_is_the_normal_density(points):
    likelihood, covariance = points
    expected = stats.multivariate_normal(np.asarray(SIGNAL), covariance).logpdf(D)
    np.testing.assert_allclose(likelihood.log_prob(SIGNAL), expected, rtol=1e-13)


def test_blocks_are_the_derivatives(points):
    likelihood, covariance = points
    blocks = likelihood.blocks(SIGNAL)
    np.testing.assert_allclose(jnp.sum(blocks.value), likelihood.log_prob(SIGNAL), rtol=1e-14)
    np.testing.assert_allclose(blocks.S, jax.grad(likelihood.log_prob)(SIGNAL), rtol=1e-12)
    hessian = jax.hessian(likelihood.log_prob)(SIGNAL)
    full = jnp.diag(blocks.SS) if blocks.SS.ndim == 1 else blocks.SS
    np.testing.assert_allclose(full, hessian, atol=1e-12)
    np.testing.assert_allclose(full, -np.linalg.inv(covariance), atol=1e-12)


def test_whiten_takes_many_columns(points):
    likelihood, covariance = points
    columns = jnp.arange(24.0).reshape(3, 2, 4)
    white = likelihood.whiten(columns)
    assert white.shape == columns.shape
    expected = np.einsum("iab,ij,jcd->abcd", columns, np.linalg.inv(covariance), columns)
    np.testing.assert_allclose(jnp.einsum("iab,icd->abcd", white, white), expected, rtol=1e-11)


def test_toys_scatter_like_the_covariance(points):
    likelihood, covariance = points
    keys = jax.random.split(jax.random.PRNGKey(0), 20000)
    toys = jax.vmap(likelihood.sample, (0, None))(keys, SIGNAL)
    # Standard errors: 0.7 % of a sigma in the mean, 1 % in a variance.
    pull = (toys.mean(0) - SIGNAL) / np.sqrt(np.diag(covariance))
    assert np.max(np.abs(pull)) < 0.03
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert np.max(np.abs(np.cov(toys.T) - covariance) / scale) < 0.04


def test_asimov_data_have_their_maximum_at_the_signal(points):
    likelihood, _ = points
    ideal = likelihood.with_data(likelihood.expected(SIGNAL))
    np.testing.assert_array_equal(ideal.blocks(SIGNAL).S, 0.0)
    assert ideal.log_prob(SIGNAL) > likelihood.log_prob(SIGNAL)


@pytest.mark.parametrize(
    ("data", "sigma", "response", "words"),
    [
        ([1.0, 2.0], [1.0, 0.0], None, "'sigma' must be positive, found 0 at index 1"),
        ([1.0, 2.0], [-3.0, 1.0], None, "'sigma' must be positive, found -3 at index 0"),
        ([1.0, 2.0], [1.0, np.nan], None, "'sigma' has 1 values that are not finite"),
        ([np.inf, 2.0], [1.0, 1.0], None, "'data' has 1 values that are not finite"),
        ([1.0, 2.0], [1.0], None, "'sigma' has shape"),
        ([], [], None, "'data' has shape"),
        ([[1.0]], [[1.0]], None, "'data' has shape"),
        ([1.0, 2.0], [1.0, 1.0], [1.0, 2.0, 3.0], "'response' has shape"),
        ([1.0, 2.0], [1.0, 1.0], [[1.0, np.nan]], "'response' has 1 values"),
    ],
)
def test_bad_points_are_refused_by_name(data, sigma, response, words):
    with pytest.raises(DataError, match=words.replace("(", r"\(")) as error:
        validate_points(data, sigma, response, source="table.ecsv")
    assert "table.ecsv" in str(error.value)


def test_good_points_pass():
    validate_points(D, E, np.ones((4, 3)))


@pytest.mark.parametrize(
    ("covariance", "words"),
    [
        (np.eye(2), "shape"),
        (np.diag([1.0, 1.0, np.nan]), "not finite"),
        (np.eye(3) + np.triu(np.full((3, 3), 0.1), 1), "asymmetric"),
        (np.diag([1.0, 1.0, -0.1]), "smallest eigenvalue -0.1"),
        (np.diag([1.0, 1.0, 1e-13]), "condition"),
    ],
)
def test_bad_covariances_are_refused(covariance, words):
    with pytest.raises(DataError, match=words):
        GaussianPoints.from_covariance(D, covariance)
