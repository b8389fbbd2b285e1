"""Linear limits: the published spectra and curves, coverage, statuses, scaling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from diffaxion.inference import (
    Q_95,
    Q_95_ROUNDED,
    GaussianMoments,
    LimitStatus,
    combine,
    constant_bands,
    coupling_from_strength,
    linear_limit,
    linear_moments,
    moments_from_limits,
    moments_limit,
    rescale_response,
)
from diffaxion.likelihoods import GaussianPoints
from tests.conftest import read_csv

Z = stats.norm.ppf(0.95)
G0 = {"quintuplet": 4e-12, "wd1": 5e-12}


@pytest.fixture(scope="module")
def spectra(shared):
    table = read_csv(shared / "data/ssc/nustar_spectra.csv")
    out = {}
    for name, lowest in (("quintuplet", 10.0), ("wd1", 15.0)):
        keep = table["energy_keV"] > lowest
        out[name] = tuple(table[f"{name}_{c}"][keep] for c in ("axion", "flux", "error"))
    return out


@pytest.fixture(scope="module")
def published(shared):
    return read_csv(shared / "data/ssc/published_limits.csv")


def test_threshold():
    np.testing.assert_allclose(Q_95, Z**2, rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "bins", "a_hat", "sigma", "z", "chi2", "limit", "median"),
    [
        ("quintuplet", 14, 0.1919, 0.6380, 0.301, 12.94, 4.223, 4.049),
        ("wd1", 13, -0.0727, 0.5397, -0.135, 9.28, 4.752, 4.854),
    ],
)
def test_published_spectra(spectra, name, bins, a_hat, sigma, z, chi2, limit, median):
    response, data, error = spectra[name]
    assert data.size == bins
    result = linear_limit(response, data, error, Q_95_ROUNDED)
    g = result.to_coupling(G0[name])
    assert result.a_hat == pytest.approx(a_hat, abs=1e-4)
    assert result.sigma == pytest.approx(sigma, rel=1e-3)
    assert result.a_hat / result.sigma == pytest.approx(z, abs=1e-3)
    assert np.sum((data / error) ** 2) == pytest.approx(chi2, abs=0.01)
    assert g.g_95 == pytest.approx(limit * 1e-12, rel=1e-3)
    assert g.median == pytest.approx(median * 1e-12, rel=1e-3)
    # The papers quote Z = 0.3 and 0.
    assert result.z_local == pytest.approx(max(z, 0.0), abs=1e-3)
    assert result.ts == pytest.approx(max(z, 0.0) ** 2, abs=1e-3)


def test_joint_spectra_share_one_reference(spectra):
    def moments(name):
        response, data, error = spectra[name]
        at_ref = rescale_response(jnp.asarray(response), G0[name], 4e-12)
        return linear_moments(at_ref, GaussianPoints(data, error))

    joint = moments_limit(combine(moments("quintuplet"), moments("wd1")), Q_95_ROUNDED)
    g = joint.to_coupling(4e-12)
    assert joint.z_local == pytest.approx(0.212, abs=1e-3)
    assert g.g_95 == pytest.approx(4.065e-12, rel=1e-3)
    assert g.median == pytest.approx(3.944e-12, rel=1e-3)


def test_published_limits_differ_as_stated(spectra, published):
    """The mismatch with the published curve is 7-18 %, known and not understood."""
    for name, short, worse in (("quintuplet", "quint", 10.7), ("wd1", "wd1", 17.8)):
        response, data, error = spectra[name]
        g = linear_limit(response, data, error, Q_95_ROUNDED).to_coupling(G0[name])
        excess = 100.0 * (g.g_95 / published[f"limit_{short}"][0] - 1.0)
        assert excess == pytest.approx(worse, abs=0.1)
        assert abs(g.median / published[f"median_{short}"][0] - 1.0) < 0.10


@pytest.mark.parametrize("name", ["quint", "wd1", "arches"])
@pytest.mark.parametrize("q", [Q_95, Q_95_ROUNDED])
def test_published_bands_have_constant_sigma(published, name, q):
    median = (published[f"median_{name}"] * 1e12) ** 4
    bands = constant_bands(median, q)
    for band, column in zip(bands, ("onedn", "oneup", "twoup"), strict=True):
        ours = coupling_from_strength(band)
        np.testing.assert_allclose(ours, published[f"{column}_{name}"], rtol=1e-3)


def test_published_joint_is_the_gaussian_combination(published):
    def moments(name):
        limit, median = ((published[f"{c}_{name}"] * 1e12) ** 4 for c in ("limit", "median"))
        return moments_from_limits(limit, median)

    joint = moments_limit(combine(moments("quint"), moments("wd1"))).to_coupling()
    ratio = np.asarray(joint.g_95 / published["joint_limit"])
    assert ratio[0] == pytest.approx(0.990, abs=1e-3)
    assert np.max(np.abs(ratio - 1.0)) < 0.015


def test_published_power_constraint(published):
    for name, masses in (("quint", [1e-9]), ("wd1", [1.6681005e-11])):
        limit, down = published[f"limit_{name}"], published[f"onedn_{name}"]
        assert np.all(limit >= down)
        np.testing.assert_array_equal(published["m_a_eV"][limit == down], masses)


def test_power_constraint_of_a_low_fluctuation():
    result = moments_limit(GaussianMoments(jnp.array(-1.4), jnp.array(1.0)))
    assert result.a_95 == pytest.approx(Z - 1.4)
    assert result.pcl == result.minus1 == pytest.approx(Z - 1.0)
    assert result.status == LimitStatus.OK
    result = moments_limit(GaussianMoments(jnp.array(-2.0), jnp.array(1.0)))
    assert result.a_95 < 0.0 < result.pcl
    assert result.status == LimitStatus.NEGATIVE_LIMIT
    g = result.to_coupling()
    assert g.g_95 == pytest.approx(-1e-12 * (2.0 - Z) ** 0.25)
    assert g.status == LimitStatus.NEGATIVE_LIMIT


def test_no_sensitivity_is_infinite_and_flat():
    def a_95(response):
        return linear_limit(response, jnp.array([1.0, 2.0]), jnp.array([1.0, 1.0]))

    result = a_95(jnp.zeros(2))
    assert result.status == LimitStatus.NO_SENSITIVITY
    assert np.isposinf(result.a_95)
    assert np.isposinf(result.to_coupling().pcl)
    assert not any(np.isnan(x) for x in jax.tree.leaves(result))
    slope = jax.grad(lambda r: a_95(r).a_95)(jnp.zeros(2))
    np.testing.assert_array_equal(slope, 0.0)


def test_flags_keep_the_worst_status():
    result = linear_limit(jnp.array([[1.0], [1.0], [0.0]]), [0.1], [1.0])
    result = result.flag(LimitStatus.EXTRAPOLATED, jnp.array([False, True, True]))
    expected = [LimitStatus.OK, LimitStatus.EXTRAPOLATED, LimitStatus.NO_SENSITIVITY]
    assert result.status.tolist() == expected
    result = result.flag(LimitStatus.AT_BOUNDARY, True)
    assert result.status.tolist() == [LimitStatus.AT_BOUNDARY, *expected[1:]]


def test_coverage_of_the_linear_limit():
    """20000 toys: the statistical error of the coverage is 0.15 %, of a quantile 0.01 sigma."""
    rng = np.random.default_rng(5)
    response, error = np.array([1.0, 0.4, 0.1]), np.array([0.5, 0.3, 0.7])
    for a_true in (0.0, 0.8, 3.0):
        toys = a_true * response + error * rng.normal(size=(20000, 3))
        result = jax.vmap(lambda d: linear_limit(response, d, error))(jnp.asarray(toys))
        assert np.mean(result.a_95 >= a_true) == pytest.approx(0.95, abs=0.005)
        assert np.mean(result.pcl >= a_true) >= np.mean(result.a_95 >= a_true)
        low, high = np.quantile(result.a_95 - a_true, [0.15865, 0.84135])
        sigma = float(result.sigma[0])
        assert abs(low - result.minus1[0]) < 0.03 * sigma
        assert abs(high - result.plus1[0]) < 0.03 * sigma
    assert np.mean(result.status == LimitStatus.NEGATIVE_LIMIT) < 0.001


def test_a_twentieth_of_null_data_has_a_negative_limit():
    toys = np.random.default_rng(6).normal(size=(20000, 1))
    result = jax.vmap(lambda d: linear_limit(jnp.ones(1), d, jnp.ones(1)))(jnp.asarray(toys))
    assert np.mean(result.status == LimitStatus.NEGATIVE_LIMIT) == pytest.approx(0.05, abs=0.005)


def test_correlated_points_and_many_masses():
    rng = np.random.default_rng(2)
    mix = np.tril(rng.normal(size=(4, 4))) + 2.0 * np.eye(4)
    covariance = mix @ mix.T
    response, data = rng.normal(size=(5, 4)), rng.normal(size=4)
    result = linear_limit(response, data, np.linalg.cholesky(covariance))
    inverse = np.linalg.inv(covariance)
    info = np.einsum("mi,ij,mj->m", response, inverse, response)
    np.testing.assert_allclose(result.sigma, info**-0.5, rtol=1e-12)
    np.testing.assert_allclose(result.a_hat, response @ inverse @ data / info, rtol=1e-11)


def test_limit_falls_with_the_response_and_ignores_the_reference():
    response, data, error = jnp.array([1.0, 0.5]), jnp.array([0.2, 0.3]), jnp.array([0.4, 0.6])
    slope = jax.grad(lambda k: linear_limit(k * response, data, error).a_95)(1.0)
    a_95 = linear_limit(response, data, error).a_95
    np.testing.assert_allclose(slope, -a_95, rtol=1e-13)
    moved = rescale_response(response, 1e-12, 3e-12)
    g_1 = linear_limit(response, data, error).to_coupling(1e-12).g_95
    g_3 = linear_limit(moved, data, error).to_coupling(3e-12).g_95
    np.testing.assert_allclose(g_1, g_3, rtol=1e-13)


@pytest.mark.parametrize("order", [1, 2])
def test_root_keeps_the_sign_and_is_finite_everywhere(order):
    a = jnp.array([-16.0, -1e-300, 0.0, 1e-300, 16.0, jnp.inf])
    g = coupling_from_strength(a, 2e-12, order)
    expected = 2e-12 * np.sign(a) * np.abs(a) ** (1.0 / (2 * order))
    np.testing.assert_allclose(g, expected, rtol=1e-13)
    slope = jax.vmap(jax.grad(lambda x: coupling_from_strength(x, 2e-12, order)))(a[:-1])
    assert np.all(np.isfinite(slope))
    assert slope[2] == 0.0
