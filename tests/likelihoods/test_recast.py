"""The recast of the published curve: constants, projection, ranges and refusals."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from diffaxion.data.registry import load_table
from diffaxion.errors import DataError, DiffaxionWarning, ValidityError
from diffaxion.inference import gaussian_bayes_limit
from diffaxion.likelihoods.bandpower_covariance import forecast_covariance
from diffaxion.likelihoods.recast import (
    G95_PER_ROOT_SIGMA,
    RECAST_ASSUMPTIONS,
    recast_likelihood,
    warn_shape_mismatch,
)
from diffaxion.observables.cmb.bandpowers import top_hat_windows
from tests.screening_toy import GG, GG_ELL, Reference


@pytest.fixture(scope="module")
def setting(shared):
    """Recast with the reference spectra as fiducial model; their bandpowers; variances."""
    reference, windows = Reference(shared), top_hat_windows()
    cl_b = np.asarray(windows.from_nodes(reference.at(windows.node_ell)))
    variance = np.diagonal(forecast_covariance(windows, GG_ELL, GG))
    return recast_likelihood(reference.m_a_eV, cl_b, variance), reference.m_a_eV, cl_b, variance


def test_constant_of_the_quantile():
    exact = (2.0 * special.gammaincinv(0.25, 0.95)) ** 0.25
    assert pytest.approx(exact, rel=1e-12) == G95_PER_ROOT_SIGMA
    assert pytest.approx(1.24728087, rel=1e-8) == G95_PER_ROOT_SIGMA


def test_sigma_at_the_minimum(setting):
    """9.566e-25 GeV^-2 at 3.185e-13 eV, where g95 = 1.2199e-12."""
    assert float(setting[0].sigma(3.185e-13)) == pytest.approx(0.9566, rel=2e-4)


def test_six_assumptions_are_stated():
    assert [text[:5].split(")")[0] for text in RECAST_ASSUMPTIONS] == [
        "(i", "(ii", "(iii", "(iv", "(v", "(vi",
    ]  # fmt: skip


def test_the_fiducial_model_has_ratio_one(setting):
    recast, masses, cl_b, _ = setting
    found = jax.jit(jax.vmap(recast.compare))(jnp.asarray(cl_b), jnp.asarray(masses))
    for value in (found.ratio, found.norm, found.match):
        np.testing.assert_allclose(value, 1.0, rtol=1e-10)
    assert not np.any(found.outside)
    np.testing.assert_allclose(recast.fiducial(masses), cl_b, rtol=1e-10)


def test_ratio_against_the_plain_sums(setting):
    recast, masses, cl_b, variance = setting
    tilt = np.linspace(0.7, 1.2, 11)
    for k, mass in enumerate(masses):
        model, fiducial = cl_b[k] * tilt, cl_b[k]
        found = recast.compare(jnp.asarray(model), mass)
        expected = np.sum(model * fiducial / variance) / np.sum(fiducial**2 / variance)
        norm = np.sqrt(np.sum(model**2 / variance) / np.sum(fiducial**2 / variance))
        assert float(found.ratio) == pytest.approx(expected, rel=1e-9)
        assert float(found.norm) == pytest.approx(norm, rel=1e-9)
        assert float(found.match) == pytest.approx(expected / norm, rel=1e-9)
        assert found.norm >= abs(found.ratio)


def test_fiducial_between_its_masses(setting):
    """Leaving out a mass of the coarse table: the unit shape and ln norm are smooth in ln m."""
    _, masses, cl_b, variance = setting
    kept = np.array([0, 1, 2, 3, 5, 6, 7])
    thinner = recast_likelihood(masses[kept], cl_b[kept], variance)
    np.testing.assert_allclose(thinner.fiducial(masses[4]), cl_b[4], rtol=0.03)


def test_limit_of_the_curve_is_recovered_at_every_mass(setting):
    """T17: with R = 1 the posterior uniform in g gives g95 of the file at all its masses."""
    _, _, cl_b, variance = setting
    table = load_table("limits_planck_unwise")
    m, g = table["m_a_eV"], table["g_GeV"]
    assert m.size == 156

    @jax.jit
    def g95(recast, mass):
        response = recast.response(recast.fiducial(mass), mass)
        # ln L = -(u r)^2/2: error 1/r in u.
        return gaussian_bayes_limit(0.0, 1.0 / response[0], "uniform_g", order=1).G

    # R = 1 wherever the model is its own fiducial model.
    everywhere = recast_likelihood(np.geomspace(m[0], m[-1], 8), cl_b, variance)
    found = np.array([g95(everywhere, x) for x in m]) * 1e-12
    np.testing.assert_allclose(found, g, rtol=1e-7)  # the goal is 1e-3


def test_density_is_the_printed_one(setting):
    recast, masses, cl_b, _ = setting
    response = recast.response(jnp.asarray(1.3 * cl_b[2]), masses[2])
    sigma = float(recast.sigma(masses[2]))
    u = 0.8
    found = recast.log_prob(u * response) - recast.log_prob(0.0 * response)
    assert float(found) == pytest.approx(-0.5 * (u * 1.3 / sigma) ** 2, rel=1e-9)
    blocks = recast.blocks(u * response)
    assert float(blocks.S[0]) == pytest.approx(-u * 1.3 / sigma, rel=1e-9)


def test_no_signal_and_reversed_signal(setting):
    recast, masses, cl_b, _ = setting
    none = recast.compare(jnp.zeros(11), masses[0])
    assert (float(none.ratio), float(none.norm), float(none.match)) == (0.0, 0.0, 1.0)
    assert float(recast.compare(jnp.asarray(-cl_b[0]), masses[0]).match) == pytest.approx(-1.0)


def test_outside_the_curve(setting):
    """An error before compilation; a clamped value and a flag inside."""
    recast, masses, cl_b, variance = setting
    low, high = recast.mass_range_eV
    assert (low, high) == pytest.approx((masses[0], masses[-1]))
    wide = recast_likelihood(np.geomspace(1e-13, 1e-11, 8), cl_b, variance)
    assert wide.mass_range_eV == pytest.approx((1.7248e-13, 2.5848e-12), rel=1e-4)
    recast.check_masses(masses)
    for bad in (1.5e-13, 2.7e-12, np.nan):
        with pytest.raises(ValidityError, match=r"m_a = .*2\.2275e-13 and 2\.1544e-12.*extrapol"):
            recast.check_masses([masses[1], bad])
    found = eqx.filter_jit(recast.compare)(jnp.asarray(cl_b[0]), jnp.asarray(1e-14))
    assert bool(found.outside)
    assert np.all(np.isfinite([found.ratio, found.sigma]))


def test_shape_diagnostic(setting):
    recast, masses, cl_b, _ = setting
    bent = jnp.asarray(cl_b[1] * np.linspace(3.0, 0.0, 11))
    match = float(recast.compare(bent, masses[1]).match)
    assert match < 0.97
    with pytest.warns(DiffaxionWarning, match=r"1 of 2 masses, R/R_norm = 0\.\d+ at 3\.11e-13"):
        warn_shape_mismatch(masses[:2], [1.0, match])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_shape_mismatch(masses[:2], [0.971, 1.0])


M4, C4, V = np.geomspace(2e-13, 2e-12, 4), -np.ones((4, 3)), np.ones(3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((M4[:3], C4[:3], V), "at least 4"),
        ((M4[::-1], C4, V), "must increase"),
        ((-M4, C4, V), "> 0 eV"),
        ((M4, C4[:, :2], V), r"\(4, 2\), expected \(4, 3\)"),
        ((M4, C4 * np.nan, V), "not finite"),
        ((M4, C4, -V), "variance"),
        ((M4, C4 * np.array([1, 0, 1, 1])[:, None], V), "no signal at m_a = 4.3"),
        ((M4, C4, V, (M4, -M4)), "limits must be one finite number > 0"),
        ((M4, C4, V, (M4[:1], M4[:1])), "at least 2"),
    ],
)
def test_refusals(arguments, words):
    with pytest.raises(DataError, match=words):
        recast_likelihood(*arguments)
