"""What a run refuses to quote, and what reaches every curve."""

import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.analyses.analysis import AnalysisData
from diffaxion.analyses.checks import check_priors
from diffaxion.analyses.config import ModelSection, load_configuration, parse_configuration
from diffaxion.analyses.joint_model import joint_world
from diffaxion.analyses.marginal import KISH_MIN, marginal_limits, uniform_g_draws
from diffaxion.analyses.moments import CouplingMoments
from diffaxion.analyses.profile_nuisances import ProfileData, profile_loglike
from diffaxion.analyses.reproduce_xray import Row
from diffaxion.analyses.star_clusters import (
    build_world,
    published_spectrum,
)
from diffaxion.environments.stars.clusters import luminosity_sigma_ln
from diffaxion.errors import ConfigurationError
from diffaxion.inference.bayes import gaussian_bayes_limit
from diffaxion.parameters import Bindings

DRAWS = 1000


def _equal(a_hat, sigma):
    information = np.full(DRAWS, sigma**-2)
    return CouplingMoments(a_hat * information, information)


@pytest.mark.parametrize(("a_hat", "sigma"), [(30.0, 140.0), (-200.0, 140.0), (500.0, 100.0)])
@pytest.mark.parametrize("prior_draws", [False, True])
def test_equal_draws_give_the_closed_form(a_hat, sigma, prior_draws):
    """Without scatter of the nuisances the mixture is one Gaussian in a: quadrature in g."""
    limits = marginal_limits(_equal(a_hat, sigma), u_max=1600.0, prior_draws=prior_draws)
    for found in limits[:3]:
        expected = gaussian_bayes_limit(a_hat, sigma, found.prior)
        np.testing.assert_allclose(found.g_95_GeV, 1e-12 * float(expected.G), rtol=2e-4)
        np.testing.assert_allclose(found.kish, DRAWS, rtol=1e-9)


def test_two_kinds_of_draws_against_direct_quadrature():
    """Half the draws see ten times the signal: weights and mixture by brute force."""
    kind = np.arange(DRAWS) % 2
    response = np.where(kind, 10.0, 1.0)
    score, information = response * 0.01, response**2 * 1e-4
    g = np.linspace(0.0, np.sqrt(1600.0), 40001)
    run, new = np.zeros(2), np.zeros((2, g.size))
    for k, r in enumerate((1.0, 10.0)):
        a = g**4
        like = np.exp(r * 0.01 * a - 0.5 * r**2 * 1e-4 * a**2)
        run[k] = np.trapezoid(like * g, g)
        new[k] = like
    # A run with prior uniform in u visits kind k in proportion to its evidence; equal numbers of
    # draws therefore mean that the prior of the nuisances was 1/run.
    mixture = np.cumsum(new[0] / run[0] + new[1] / run[1])
    expected = np.interp(0.95, mixture / mixture[-1], g) * 1e-12
    found = marginal_limits(CouplingMoments(score, information), u_max=1600.0)[0]
    np.testing.assert_allclose(found.g_95_GeV, expected, rtol=2e-3)
    index, draws = uniform_g_draws(CouplingMoments(score, information), 1600.0, seed=3)
    share = (new[1].sum() / run[1]) / (new[1].sum() / run[1] + new[0].sum() / run[0])
    np.testing.assert_allclose(np.mean(kind[index]), share, atol=0.01)
    np.testing.assert_allclose(np.quantile(draws, 0.95), expected, rtol=0.05)


def test_open_end_of_the_prior_is_refused():
    limits = marginal_limits(CouplingMoments(np.zeros(DRAWS), np.full(DRAWS, 1e-12)), u_max=1600.0)
    for found in limits:
        assert np.isnan(found.g_95_GeV)
        assert "raise coupling.u_max" in found.reason


def test_few_effective_draws_are_refused():
    """One draw in fifty carries nearly all the weight of a prior uniform in g."""
    information = np.where(np.arange(DRAWS) % 50, 1e-2, 1e14)
    found = marginal_limits(CouplingMoments(np.zeros(DRAWS), information), u_max=1600.0)[0]
    assert found.kish < KISH_MIN
    assert "effective number" in found.reason


def test_fixed_values_reach_the_world_of_every_curve():
    settings = parse_configuration(
        {"priors": {"clusters.wd1.distance_kpc": 3.0}, "likelihoods": {"cmb": "none"}}
    )
    world = joint_world(settings)
    np.testing.assert_allclose(world.clusters["wd1"].distance_kpc, 3.0)
    np.testing.assert_allclose(build_world(settings.model).clusters["wd1"].distance_kpc, 2.6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mass": {"prior_eV": [1e-12, 1e-12]}}, "expected 0 < low < high"),
        ({"mass": {"prior_eV": [1e-12, 1e-9]}}, "mass.prior_eV reaches 1e-09 eV"),
        ({"mass": {"fixed_eV": 5e-10}}, "mass.fixed_eV reaches 5e-10 eV"),
        ({"numerics": {"smoothing_kpc": [0.1, 0.1, 0.2]}}, "three increasing widths"),
    ],
)
def test_unusable_configurations(values, message):
    settings = parse_configuration(values)
    with pytest.raises(ConfigurationError, match=message):
        check_priors(build_world(settings.model), settings, [published_spectrum("quintuplet")])


def test_one_sided_prior_has_its_own_penalty_in_a_profile():
    """ln L falls by x^2/2 above the edge, not by z^2/2 around the median."""

    bindings = Bindings(
        {"galaxy.field.outer.r_s_kpc": {"dist": "half_normal_above", "edge": 16.7, "sigma": 2.0}}
    )
    prior = bindings.free_priors[0]
    for x in (0.0, 0.5, 2.0):
        z = prior.to_standard(jnp.asarray(16.7 + 2.0 * x))
        np.testing.assert_allclose(prior.penalty(z), 0.5 * x**2, atol=1e-9)
        shared = AnalysisData(build_world(ModelSection()), bindings, (), (), ())
        data = ProfileData(shared, jnp.asarray(1e-12), jnp.ones(()), 1)
        found = profile_loglike(jnp.ones(()), z[None], data)
        np.testing.assert_allclose(found, -0.5 * x**2, atol=1e-9)


def test_widths_of_the_bundled_configuration():
    priors = load_configuration("xray").priors
    for target in ("quintuplet", "wd1"):
        found = priors[f"clusters.{target}.ln_luminosity"]["sigma"]
        np.testing.assert_allclose(found, luminosity_sigma_ln(target), atol=5e-4)


@pytest.mark.parametrize(
    ("row", "agrees"),
    [
        (Row("a", 1.1, 1.0, 0.15), True),
        (Row("a", 1.2, 1.0, 0.15), False),
        (Row("a", 0.05, 0.0, 0.1, "absolute"), True),
        (Row("a", 0.6, 1.0, 2.0, "factor"), True),
        (Row("a", 0.4, 1.0, 2.0, "factor"), False),
        (Row("a", 0.0, 1.0, 2.0, "factor"), False),
        (Row("a", 11.0, 10.0, 0.0, "at_least"), True),
        (Row("a", 9.0, 10.0, 0.0, "at_least"), False),
    ],
)
def test_rows_can_say_no(row, agrees):
    assert row.agrees is agrees
