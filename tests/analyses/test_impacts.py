"""Impacts of nuisances: the closed root of the limit, and responses with known powers."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from diffaxion.analyses.analysis import AnalysisData
from diffaxion.analyses.impacts import limit_at_fixed_nuisances, nuisance_impacts
from diffaxion.analyses.moments import CouplingMoments
from diffaxion.conversion import Axion
from diffaxion.inference.limits import Q_95
from diffaxion.likelihoods import GaussianPoints
from diffaxion.parameters import Bindings

SCORES = [(0.0, 0.0), (2e-3, -0.01), (-3e-3, 0.02), (4e-3, 0.05), (-2e-3, -0.3)]


class Stars(eqx.Module):
    """Two responses, each with its own logarithmic norm."""

    ln_xray: Array
    ln_cmb: Array
    idle: Array


class Root(eqx.Module):
    stars: Stars
    axion: Axion


class Probe(eqx.Module):
    """Response of one point, exp(ln_xray) of order 2 or exp(ln_cmb) of order 1."""

    base: Array

    def response(self, world, cache=None):
        stars = world.stars
        return (self.base * jnp.exp(stars.ln_xray if self.order == 2 else stars.ln_cmb))[None]


class Xray(Probe):
    order: ClassVar[int] = 2


class Cmb(Probe):
    order: ClassVar[int] = 1


def data_of(probes):
    world = Root(Stars(*jnp.zeros((3,))), Axion(1e-13, 1.0))
    sigma = {"stars.ln_xray": 0.3, "stars.ln_cmb": 0.2, "stars.idle": 1.0}
    priors = {n: {"dist": "normal", "mean": 0.0, "sigma": s} for n, s in sigma.items()}
    points = tuple(GaussianPoints([0.0], [1.0]) for _ in probes)
    return AnalysisData(world, Bindings(priors), probes, points, ({},) * len(probes))


@pytest.mark.parametrize(("s_a", "s_u"), SCORES)
def test_the_root_is_where_the_likelihood_has_fallen(s_a, s_u):
    """Against a fine grid: ln L is z^2/2 below its maximum over u >= 0, and lower beyond."""
    moments = CouplingMoments(*(np.array([x]) for x in (s_a, 4e-5, s_u, 6e-3)))
    (u,) = limit_at_fixed_nuisances(moments)
    top = max(float(moments.log_like(x)[0]) for x in np.linspace(0.0, 60.0, 60_001))
    np.testing.assert_allclose(moments.log_like(u)[0] - top, -0.5 * Q_95, atol=1e-6)
    beyond = np.linspace(u * 1.001, 10 * u, 50)
    assert all(moments.log_like(x)[0] - top < -0.5 * Q_95 for x in beyond)


def test_single_experiments_have_their_closed_forms():
    """Positive best fits: u_hat + z sigma for the CMB, its square root in a for X rays."""
    z = np.sqrt(Q_95)
    none = np.zeros(1)
    cmb = CouplingMoments(none, none, np.array([0.02]), np.array([4e-3]))
    np.testing.assert_allclose(
        limit_at_fixed_nuisances(cmb), 0.02 / 4e-3 + z / np.sqrt(4e-3), rtol=1e-12
    )
    xray = CouplingMoments(np.array([3e-3]), np.array([4e-5]), none, none)
    a = 3e-3 / 4e-5 + z / np.sqrt(4e-5)
    np.testing.assert_allclose(limit_at_fixed_nuisances(xray), np.sqrt(a), rtol=1e-12)
    empty = CouplingMoments(none, none, none, none)
    assert np.isinf(limit_at_fixed_nuisances(empty))


def test_impacts_are_powers_of_the_responses():
    """Alone, g_95 falls as the root of the CMB response and as the fourth root of the X-ray one."""
    width = np.array([0.9, 0.8, 1.0])
    for probe, path, slope in (
        (Cmb(jnp.array(0.1)), "stars.ln_cmb", -0.2 / 2),
        (Xray(jnp.array(0.01)), "stars.ln_xray", -0.3 / 4),
    ):
        rows = nuisance_impacts(data_of((probe,)), np.array([0.3, -0.2, 0.1]), width, 5e-13)
        assert [r.path for r in rows] == ["stars.ln_xray", "stars.ln_cmb", "stars.idle"]
        for k, row in enumerate(rows):
            expected = slope if row.path == path else 0.0
            np.testing.assert_allclose(row.d_ln_g, expected, atol=1e-9)
            np.testing.assert_allclose(row.impact, abs(expected) * width[k], atol=1e-9)
            assert row.m_a_eV == 5e-13


def test_impacts_of_both_add_up_to_the_common_scale():
    """I_2 u^4 + I_1 u^2 = z^2: shares of the two terms weight the exponents."""
    data = data_of((Cmb(jnp.array(0.1)), Xray(jnp.array(0.01))))
    rows = {r.path: r for r in nuisance_impacts(data, np.zeros(3), np.ones(3), 1e-12)}
    i_u, i_a = 0.1**2, 0.01**2
    square = (np.sqrt(i_u**2 + 4 * i_a * Q_95) - i_u) / (2 * i_a)
    weight = 2 * i_a * square**2 + i_u * square
    # The step of 0.05 leaves an error of second order.
    for path, sigma, share in (
        ("stars.ln_cmb", 0.2, i_u * square / weight),
        ("stars.ln_xray", 0.3, i_a * square**2 / weight),
    ):
        np.testing.assert_allclose(rows[path].d_ln_g, -0.5 * sigma * share, rtol=1e-4)
