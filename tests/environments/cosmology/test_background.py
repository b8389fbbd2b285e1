"""Background and growth against stated values, SciPy and CAMB."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.special import hyp2f1

from diffaxion.constants import C_KM_S
from diffaxion.environments import cosmology as co
from diffaxion.errors import ConfigurationError

from .oracle import camb_results

Z = np.array([0.0, 0.5, 1.0, 1.5, 1.9])
DEFAULT = co.planck_cosmology()
PARITY = co.planck_cosmology("public-code", "hypergeometric")
growth = eqx.filter_jit(co.growth_factor)


@pytest.mark.parametrize(
    ("function", "z", "expected"),
    [
        (co.hubble, [0, 0.5, 1, 1.9], [2.245553e-4, 2.968169e-4, 4.018479e-4, 6.492984e-4]),
        (co.comoving_distance, [0.5, 1, 1.9], [1953.9882, 3406.0952, 5169.5395]),
    ],
)
def test_stated_values(function, z, expected):
    """The numbers of the public screening code, to their printed digits."""
    np.testing.assert_allclose(function(DEFAULT, jnp.asarray(z, float)), expected, rtol=3e-7)


def test_derived_numbers():
    assert float(DEFAULT.omega_m) == pytest.approx(0.1425, rel=1e-12)
    assert float(DEFAULT.matter_fraction_today) == pytest.approx(0.1425 / 0.6732**2, rel=1e-12)
    assert float(DEFAULT.baryon_fraction) == pytest.approx(0.0224 / 0.1425, rel=1e-12)


@pytest.mark.parametrize(
    ("cosmology", "unit"), [(DEFAULT, 2.775366272e11), (PARITY, 2.776419881e11)]
)
def test_densities(cosmology, unit):
    """rho_c = unit (H/H_100)^2; cell A of the parity grid has rho_c = 2.219215e11."""
    z = jnp.asarray(Z)
    h2 = (np.asarray(co.hubble(cosmology, z)) * C_KM_S / 100.0) ** 2
    np.testing.assert_allclose(co.critical_density(cosmology, z), unit * h2, rtol=1e-4)
    rho_m = co.matter_density(cosmology, z)
    np.testing.assert_allclose(rho_m, unit * 0.1425 * (1 + Z) ** 3, rtol=1e-4)
    fraction = co.matter_fraction(cosmology, z)
    np.testing.assert_allclose(fraction * co.critical_density(cosmology, z), rho_m, rtol=1e-13)


def test_cell_of_the_public_code():
    z = np.linspace(0.005, 1.9, 50)[13]
    for function, expected in (
        (co.comoving_distance, 1980.0542),
        (co.hubble, 2.982198e-4),
        (co.critical_density, 2.219215e11),
    ):
        np.testing.assert_allclose(function(PARITY, jnp.asarray(z)), expected, rtol=3e-7)


def test_distance_is_the_integral():
    expected = [quad(lambda z: 1.0 / co.hubble(DEFAULT, z), 0.0, z, epsrel=1e-11)[0] for z in Z]
    np.testing.assert_allclose(co.comoving_distance(DEFAULT, jnp.asarray(Z)), expected, rtol=1e-11)


def test_hypergeometric_growth():
    om = float(PARITY.matter_fraction_today)
    a = 1.0 / (1.0 + Z)
    y = (1.0 / om - 1.0) * a**3
    expected = a * np.sqrt(1.0 + y) * hyp2f1(5 / 6, 3 / 2, 11 / 6, -y)
    got = growth(PARITY, jnp.asarray(Z))
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    stated = [0.787485, 0.605640, 0.477957, 0.390466, 0.339446]
    np.testing.assert_allclose(got, stated, rtol=0, atol=5.1e-7)


def test_growth_with_radiation_solves_its_equation():
    """A high-order adaptive solver, started earlier, where D = a + (2/3) a_eq still holds."""
    c = DEFAULT
    matter, radiation, vacuum = (
        float(x) for x in (c.omega_m, c.omega_r, c.h**2 - c.omega_m - c.omega_r)
    )

    def rates(ln_a, state):
        a = np.exp(ln_a)
        total = matter / a**3 + radiation / a**4 + vacuum
        slope = -(3.0 * matter / a**3 + 4.0 * radiation / a**4) / (2.0 * total)
        return [state[1], -(2.0 + slope) * state[1] + 1.5 * matter / a**3 / total * state[0]]

    start, ahead = 1e-4, 2.0 / 3.0 * radiation / matter
    solution = solve_ivp(
        rates,
        [np.log(start), 0.0],
        [start + ahead, start],
        "DOP853",
        rtol=1e-12,
        atol=1e-16,
        dense_output=True,
    )
    z = np.concatenate([np.linspace(0.0, 3.0, 61), [10.0, 100.0, 900.0, 1100.0]])
    expected = solution.sol(-np.log1p(z))[0]
    # 128 Runge-Kutta steps and the Hermite interpolation between them: 1.1e-7.
    np.testing.assert_allclose(growth(c, jnp.asarray(z)), expected, rtol=2e-7)


def test_without_radiation_both_growths_agree():
    cold = eqx.tree_at(lambda c: c.t_cmb_K, DEFAULT, jnp.asarray(1e-3))
    closed = co.Cosmology(
        *(getattr(cold, n) for n in ("h0_km_s_Mpc", "omega_b", "omega_c", "a_s", "n_s", "t_cmb_K")),
        growth="hypergeometric",
    )
    z = jnp.asarray(Z)
    np.testing.assert_allclose(growth(cold, z), growth(closed, z), rtol=2e-7)


def test_unknown_choices():
    with pytest.raises(ConfigurationError, match="public-code"):
        co.planck_cosmology("public-cod")
    with pytest.raises(ConfigurationError, match="radiation"):
        co.planck_cosmology(growth="radiatoin")


@pytest.fixture(scope="module")
def camb_fiducial():
    return camb_results(DEFAULT, redshifts=Z)


def test_background_against_camb(camb_fiducial):
    z = Z[1:]
    np.testing.assert_allclose(
        co.comoving_distance(DEFAULT, jnp.asarray(z)),
        camb_fiducial.comoving_radial_distance(z),
        rtol=1e-7,
    )
    np.testing.assert_allclose(
        co.hubble(DEFAULT, jnp.asarray(Z)), camb_fiducial.h_of_z(Z), rtol=1e-7
    )


def test_growth_against_camb(camb_fiducial):
    """D^2(z)/D^2(0) to 1e-4 with radiation; the closed form is off by up to 5e-4."""
    interpolator = camb_fiducial.get_matter_power_interpolator(
        nonlinear=False, hubble_units=False, k_hunit=False
    )
    k = np.geomspace(0.02, 5.0, 20)
    expected = np.array([interpolator.P(z, k) for z in Z]) / interpolator.P(0.0, k)

    def ratio(cosmology):
        d = np.asarray(growth(cosmology, jnp.asarray(Z)))
        return (d / d[0])[:, None] ** 2

    np.testing.assert_allclose(ratio(DEFAULT) / expected, 1.0, atol=1e-4)
    lead = np.mean(expected / ratio(PARITY) - 1.0, axis=1)[[1, 2, 4]]
    np.testing.assert_allclose(lead, [6e-5, 1.7e-4, 4.6e-4], atol=3e-5)
