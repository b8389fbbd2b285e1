"""X rays and CMB in one analysis: signals of both orders, their profile and their posterior.

The CMB half is a probe with one number, the X-ray half a cluster in a uniform field, so that
every answer follows from quadrature or brute force over a grid.
"""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize

from diffaxion.analyses import (
    Analysis,
    CouplingMoments,
    coupling_moments,
    expected_strength,
    profile_over_nuisances,
)
from diffaxion.environments.cosmology import planck_cosmology
from diffaxion.environments.galaxy import Galaxy, UniformDensity, UniformField, uniform_fractions
from diffaxion.inference import Q_95
from diffaxion.likelihoods import GaussianPoints
from diffaxion.observables.xray import ClusterSpectrum, PublishedShape, fold_grid
from tests import xray_models as models

LN_L, N_S = "clusters.wd1.ln_luminosity", "cosmology.n_s"
CENTRE = 0.9661
U_MAX = 1600.0
MASS = 1e-12


class OneNumber(eqx.Module):
    """A CMB probe whose response is r exp(n_s - 0.9661)."""

    order: ClassVar[int] = 1
    r: jax.Array

    def prepare(self, world, free):
        return {}

    def response(self, world, cache=None):
        return self.r[None] * jnp.exp(world.cosmology.n_s - CENTRE)


def build(u_hat, priors):
    """A limit of u of about 4 from the CMB and 12 from X rays, mean of the CMB at ``u_hat``."""
    galaxy = Galaxy(UniformField(jnp.array([1.0, -2.0, 0.5])), UniformDensity(0.04), 8.3)
    world = eqx.tree_at(lambda w: w.galaxy, models.world(), galaxy)
    world = eqx.tree_at(lambda w: w.axion.m_a_eV, world, jnp.asarray(MASS))
    none = {"is_leaf": lambda x: x is None}
    world = eqx.tree_at(lambda w: w.cosmology, world, planck_cosmology(), **none)
    spectrum = models.spectrum("wd1")
    curve = jnp.asarray(spectrum.curve)
    shape = PublishedShape(curve, jnp.full_like(curve, 1e-5), jnp.array(2.6))
    grid = fold_grid(spectrum.low_keV, spectrum.high_keV, 1)
    probe = ClusterSpectrum("wd1", "nustar", grid, uniform_fractions(24), shape, None, 1)
    r = 0.4
    cmb = GaussianPoints(jnp.array([u_hat * r]), jnp.ones(1))
    return Analysis(world, priors, [probe, OneNumber(jnp.asarray(r))], [spectrum.points, cmb])


@pytest.fixture(scope="module")
def nuisances():
    return {
        LN_L: {"dist": "normal", "mean": 0.0, "sigma": 0.4},
        N_S: {"dist": "normal", "mean": CENTRE, "sigma": 0.3},
    }


@pytest.fixture(scope="module")
def at_centre(nuisances):
    """Moments at the centre of the priors; other nuisances scale them in closed form."""
    found = coupling_moments(build(0.0, nuisances).data, jnp.zeros((1, 2)))
    return CouplingMoments(*(float(x[0]) for x in found))


def scaled(m, ln_l, ln_c, u_hat):
    """Moments at nuisances: responses grow as e^ln_l (X rays) and e^ln_c (CMB)."""
    x, c = np.exp(ln_l), np.exp(ln_c)
    score_u = m.information_u * u_hat * c
    return CouplingMoments(m.score * x, m.information * x**2, score_u, m.information_u * c**2)


def test_moments_are_the_likelihood(nuisances, at_centre):
    data = build(1.5, nuisances).data
    z = jnp.array([[0.7, -1.1]])
    found = CouplingMoments(*(float(x[0]) for x in coupling_moments(data, z)))
    expected = scaled(at_centre, 0.4 * 0.7, 0.3 * -1.1, 1.5)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    values = []
    for u in (-3.0, 0.0, 0.5, 4.0):
        responses = data.responses(z[0])[1]
        values.append(float(data.log_prob(jnp.asarray(u), responses)) - float(found.log_like(u)))
    np.testing.assert_allclose(values, values[0], rtol=1e-9)


def test_expected_strength_solves_its_equation(at_centre):
    m = at_centre
    for info_a, info_u in ((m.information, m.information_u), (0.0, 0.3), (2e-4, 0.0)):
        u = float(expected_strength(CouplingMoments(0.0, info_a, 0.0, info_u), 1))
        np.testing.assert_allclose(info_a * u**4 + info_u * u**2, Q_95, rtol=1e-9)
    a = float(expected_strength(CouplingMoments(0.0, m.information, 0.0, 0.0), 2))
    np.testing.assert_allclose(a**2 * m.information, Q_95, rtol=1e-9)
    assert float(expected_strength(CouplingMoments(0.0, 0.0, 0.0, 0.0), 1)) == 1.0


def brute_force(m, u_hat, asimov):
    """Maximum and limit of u with both nuisances profiled by SciPy."""

    def deviance(u):
        def cost(z):
            rows = scaled(m, 0.4 * z[0], 0.3 * z[1], u_hat)
            if asimov:
                rows = rows._replace(score=0.0, score_u=0.0)
            return -2.0 * rows.log_like(u) + z @ z

        return min(minimize(cost, s, method="Nelder-Mead", options=TIGHT).fun for s in STARTS)

    grid = np.linspace(-8.0, 8.0, 65)
    values = [deviance(u) for u in grid]
    k = int(np.argmin(values))
    near = np.linspace(grid[max(k - 1, 0)], grid[min(k + 1, 64)], 41)
    fine = [deviance(u) for u in near]
    best, bottom = near[int(np.argmin(fine))], min(fine)
    limit = brentq(lambda u: deviance(u) - bottom - Q_95, max(best, 0.0) + 1e-3, 40.0, xtol=1e-6)
    return best, limit


STARTS = (np.zeros(2), np.array([-1.0, -1.0]))
TIGHT = {"xatol": 1e-7, "fatol": 1e-10}


@pytest.mark.slow
@pytest.mark.parametrize("u_hat", [0.0, 3.0, -3.0])
def test_profile_in_u_against_brute_force(nuisances, at_centre, u_hat):
    result = profile_over_nuisances(build(u_hat, nuisances).data, np.array([MASS]))
    limit = result.limit
    assert int(limit.status[0]) == 0
    best, expected = brute_force(at_centre, u_hat, asimov=False)
    _, median = brute_force(at_centre, u_hat, asimov=True)
    np.testing.assert_allclose(limit.a_95[0], expected, rtol=1e-3)
    np.testing.assert_allclose(limit.median[0], median, rtol=1e-3)
    np.testing.assert_allclose(limit.a_hat[0], best, atol=0.02 * expected)


@pytest.mark.slow
def test_posterior_in_sheared_coordinates_against_quadrature(nuisances, at_centre):
    """The 95 % quantile of u within four Monte Carlo errors, and the nuisances' means too."""
    priors = {**nuisances, "axion.u": {"dist": "uniform", "low": 0.0, "high": U_MAX}}
    posterior = build(3.0, priors).sample(
        jax.random.key(2), chains=4, warmup=300, draws=1500, chunk=300, dense_mass=True
    )
    assert posterior.converged, posterior.reasons
    z, w = np.polynomial.hermite_e.hermegauss(41)
    u = np.linspace(0.0, 60.0, 6001)
    density, mean_l = np.zeros_like(u), 0.0
    for z_l, w_l in zip(z, w):
        for z_c, w_c in zip(z, w):
            like = w_l * w_c * np.exp(scaled(at_centre, 0.4 * z_l, 0.3 * z_c, 3.0).log_like(u))
            density += like
            mean_l += 0.4 * z_l * like.sum()
    share = np.cumsum(density) / density.sum()
    found = posterior.quantile("axion.u")
    assert abs(found.value - np.interp(0.95, share, u)) < 4.0 * found.error
    draws = posterior.flat(LN_L)
    error = draws.std() / np.sqrt(float(posterior.convergence.ess_bulk[f"{LN_L}_std"]))
    assert abs(draws.mean() - mean_l / density.sum()) < 4.0 * error
