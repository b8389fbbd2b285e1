"""Lane-Emden function, the quartic, and the Eddington model against an evolutionary track."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from diffaxion import constants as c
from diffaxion.conversion import total_luminosity
from diffaxion.data import read_history
from diffaxion.environments.stars import (
    CentralPolytrope,
    Composition,
    EddingtonStar,
    gas_pressure_ratio,
    lane_emden,
    make_composition,
    population_from_history,
)
from diffaxion.environments.stars.eddington import check_star, lane_emden_table, polytrope_nodes
from diffaxion.errors import ValidityError

ratio = jax.jit(gas_pressure_ratio)
density = jax.jit(lambda star: star.rho_c_g_cm3)
ISOTOPES = ("h1", "he4", "c12", "o16")


def test_lane_emden_values():
    *_, s_1, mu_1 = lane_emden_table()
    assert s_1 == pytest.approx(6.8968486194, rel=1e-10)
    assert mu_1 == pytest.approx(2.0182359510, rel=1e-10)
    assert s_1**3 / (3 * mu_1) == pytest.approx(54.182481, rel=1e-8)
    s = np.array([0.5, 1, 1.5, 2, 3, 4, 5, 6])
    known = [
        0.95983907,
        0.85505757,
        0.71950180,
        0.58285052,
        0.35922650,
        0.20928161,
        0.11081984,
        0.04373798,
    ]
    np.testing.assert_allclose(lane_emden(s), known, atol=6e-9)
    assert lane_emden(np.array([0.0, 7.0, 50.0])).tolist() == [1.0, 0.0, 0.0]
    theta, weight = polytrope_nodes()
    assert weight @ theta**7 == pytest.approx(0.4371519540, rel=1e-9)
    assert weight @ theta**3 == pytest.approx(mu_1, rel=1e-10)


def test_lane_emden_against_scipy():
    start = 1e-4
    solution = solve_ivp(
        lambda s, y: [y[1], -2 * y[1] / s - y[0] ** 3],
        (start, 6.8),
        [1 - start**2 / 6, -start / 3],
        rtol=1e-12,
        atol=1e-13,
        method="DOP853",
        dense_output=True,
    )
    s = np.linspace(0.01, 6.8, 137)
    np.testing.assert_allclose(lane_emden(s), solution.sol(s)[0], atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-3, 1e4), st.floats(0.5, 2.0))
def test_quartic_is_satisfied(mass, mu):
    r = float(ratio(mass, mu))
    beta, one_minus = r / (1 + r), 1 / (1 + r)
    assert one_minus / beta**4 == pytest.approx(0.0029903 * mass**2 * mu**4, rel=5e-5)


def test_implicit_derivative_of_beta():
    mass, mu = jnp.array(20.0), jnp.array(1.3)
    beta = float(ratio(mass, mu) / (1 + ratio(mass, mu)))

    def beta_of(m):
        r = gas_pressure_ratio(m, mu)
        return r / (1 + r)

    expected = -2 / float(mass) / (1 / (1 - beta) + 4 / beta)
    assert float(jax.grad(beta_of)(mass)) == pytest.approx(expected, rel=1e-10)


def star(mass, t_c, fractions=(0.0, 0.3, 0.5, 0.15)):
    return EddingtonStar(mass, t_c, Composition(np.array(fractions), 5.0, ISOTOPES))


def test_zones_carry_the_mass_and_the_ideal_gas():
    model = star(15.0, 15.0)
    zones = model.profile()
    assert float(zones.mass_Msun) == pytest.approx(15.0, rel=1e-10)
    t = model.t_c_keV / c.KELVIN_TO_KEV
    gas = model.rho_c_g_cm3 * c.K_B_ERG_K * t / (model.composition.mu * c.M_U_G)
    radiation = c.RADIATION_CONSTANT_CGS * t**4 / 3
    assert float(gas / (gas + radiation)) == pytest.approx(float(model.beta), rel=1e-10)


def test_central_polytrope_is_the_same_star():
    """Given the model's own centre, hydrostatic equilibrium returns the mass."""
    model = star(15.0, 15.0)
    other = CentralPolytrope(model.t_c_keV, model.rho_c_g_cm3, model.composition)
    assert float(other.profile().mass_Msun) == pytest.approx(15.0, rel=1e-9)
    np.testing.assert_allclose(other.profile().volume_cm3, model.profile().volume_cm3, rtol=1e-9)
    assert not bool(other.outside_validity)
    assert bool(CentralPolytrope(50.0, 1e4, model.composition).outside_validity)


@settings(max_examples=20, deadline=None)
@given(st.floats(1.0, 150.0), st.floats(2.0, 40.0), st.floats(1.1, 3.0))
def test_density_scales_as_temperature_cubed(mass, t_c, factor):
    one, other = density(star(mass, t_c)), density(star(mass, factor * t_c))
    assert float(other / one) == pytest.approx(factor**3, rel=1e-10)


def test_luminosity_is_differentiable_in_everything():
    model = star(15.0, 15.0)
    grad = jax.jit(jax.grad(total_luminosity))(model)
    value = total_luminosity(model)
    # L ~ T_c^4 K(q) and q does not depend on T_c.
    assert float(grad.t_c_keV * 15.0 / value) == pytest.approx(4.0, rel=1e-9)
    leaves = [np.asarray(x) for x in jax.tree.leaves(grad)]
    assert all(np.all(np.isfinite(x)) for x in leaves)
    assert all(np.any(x != 0) for x in leaves)


def test_late_stages_are_flagged_not_clipped():
    edge = 10**8.7 * c.KELVIN_TO_KEV
    assert not bool(star(9.0, 0.999 * edge).outside_validity)
    late = star(9.0, 1.5 * edge)
    assert bool(late.outside_validity)
    assert float(late.t_c_keV) == pytest.approx(1.5 * edge)


def test_central_density_of_the_track(shared):
    history = read_history(shared / "data/ssc/mesa_history.csv")
    keep = history.log_t_c <= 8.7
    x = np.stack([history.center[i][keep] for i in ISOTOPES], axis=1)
    stars = EddingtonStar(
        history.mass_Msun[keep] * c.M_SUN_MESA_G / c.M_SUN_G,
        10.0 ** history.log_t_c[keep] * c.KELVIN_TO_KEV,
        Composition(x, np.full(keep.sum(), 5.0), ISOTOPES),
    )
    model = jax.vmap(lambda s: s.rho_c_g_cm3)(stars)
    found = np.asarray(model) / 10.0 ** history.log_rho_c[keep]
    assert keep.sum() == 355
    assert 0.95 < found.min() < found.max() < 1.20
    late = population_from_history(history, log_t_c_max=10.0)
    assert bool(late.outside_validity[-1])


@pytest.mark.parametrize(
    ("mass", "t_c"), [(0.0, 1e7), (-3.0, 1e7), (30.0, 0.0), (30.0, float("nan"))]
)
def test_impossible_stars(mass, t_c):
    with pytest.raises(ValidityError, match="expected a finite number > 0"):
        check_star(mass, t_c)


def test_massless_star_is_dark():
    model = EddingtonStar(0.0, 10.0, make_composition({"he4": 1.0}))
    assert float(total_luminosity(model)) == 0.0
    assert np.all(np.isfinite(jax.grad(total_luminosity)(model).mass_Msun))
