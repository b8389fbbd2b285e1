"""sigma(M), its slope and sigma_8: stated values, an independent quadrature, CAMB."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

from diffaxion.environments import cosmology as co
from diffaxion.errors import ConfigurationError

from .oracle import camb_results

FIDUCIAL = co.planck_cosmology()
PARITY = co.planck_cosmology("public-code", "hypergeometric")
EH, CAMB = co.linear_power("eisenstein-hu"), co.linear_power("camb")
DECADES = np.geomspace(1e11, 1e15, 5)
sigma = eqx.filter_jit(co.mass_sigma)
slope_of = eqx.filter_jit(co.sigma_slope)
sigma_8_of = eqx.filter_jit(co.sigma_8)
growth = eqx.filter_jit(co.growth_factor)


@pytest.mark.parametrize(
    ("power", "expected", "sigma_8"),
    [
        (EH, [3.0961, 2.2889, 1.5990, 1.0369, 0.6081], 0.8299),
        (CAMB, [3.0834, 2.2840, 1.5951, 1.0309, 0.6019], 0.8233),
    ],
)
def test_stated_values(power, expected, sigma_8):
    """To the printed digits for Eisenstein-Hu; 1e-3 for CAMB, of which the version matters."""
    got = sigma(FIDUCIAL, power, jnp.asarray(DECADES), jnp.zeros(1))[0]
    np.testing.assert_allclose(got, expected, rtol=0, atol=5.1e-5 if power is EH else 4e-4)
    assert float(sigma_8_of(FIDUCIAL, power)) == pytest.approx(sigma_8, abs=1.5e-4)


def test_sigma_8_against_camb():
    expected = camb_results(FIDUCIAL, kmax=10.0).get_sigma8_0()
    assert float(sigma_8_of(FIDUCIAL, CAMB)) == pytest.approx(expected, rel=1e-3)


def test_direct_quadrature():
    """The defining integral, in pieces, without Simpson nodes or shifted wave numbers."""
    cosmology = eqx.tree_at(lambda c: c.omega_c, FIDUCIAL, jnp.asarray(0.13))
    today = jax.jit(lambda k: EH.today(cosmology, k))
    radius = 5.0
    mass = 4 / 3 * np.pi * radius**3 * float(co.matter_density(cosmology, 0.0))

    def integrand(ln_k):
        k = np.exp(ln_k)
        y = k * radius
        window = 3 * (np.sin(y) - y * np.cos(y)) / y**3
        return k**3 * float(today(k)) * window**2 / (2 * np.pi**2)

    edges = np.log([1e-4, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0])
    expected = sum(quad(integrand, a, b, epsrel=1e-8, limit=200)[0] for a, b in pairwise(edges))
    got = sigma(cosmology, EH, jnp.asarray([mass]), jnp.zeros(1))[0, 0]
    # The quadrature stops at 30/Mpc and the argument of the window loses digits below y = 0.01.
    assert float(got) == pytest.approx(np.sqrt(expected), rel=2e-6)


def test_growth_and_factor_scale_sigma():
    mass, z = jnp.asarray(DECADES), jnp.asarray([0.0, 0.7, 1.9])
    plain = sigma(PARITY, EH, mass, z)
    d = growth(PARITY, z) / growth(PARITY, jnp.zeros(1))
    np.testing.assert_allclose(plain, plain[:1] * d[:, None], rtol=1e-12)
    scaled = co.linear_power("eisenstein-hu-camb-normalised")
    factor = np.sqrt(scaled.variance_factor(z))[:, None]
    np.testing.assert_allclose(sigma(PARITY, scaled, mass, z), plain * factor, rtol=1e-12)


def tinker10(nu, z):
    """nu f(nu) for Delta = 200, normalised with its bias from nu = 1e-6 to 100."""
    beta, phi = 0.589 * (1 + z) ** 0.20, -0.729 * (1 + z) ** -0.08
    eta, gamma = -0.243 * (1 + z) ** 0.27, 0.864 * (1 + z) ** -0.01
    y = np.log10(200.0)
    small = np.exp(-((4 / y) ** 4))
    a, b, c = 1 + 0.24 * y * small, 0.44 * y - 0.88, 0.019 + 0.107 * y + 0.19 * small

    def shape(x):
        return (1 + (beta * x) ** (-2 * phi)) * x ** (2 * eta) * np.exp(-gamma * x**2 / 2)

    grid = np.geomspace(1e-6, 1e2, 10_000)
    bias = 1 - a * grid**b / (grid**b + 1.686**b) + 0.183 * grid**1.5 + c * grid**2.4
    return nu * shape(nu) / np.trapezoid(shape(grid) * bias, grid)


def test_cells_of_the_public_code():
    """sigma and n(M) of two cells: the public code takes central differences in ln M."""
    mass = np.geomspace(1e9, 5e15, 100)
    z = np.linspace(0.005, 1.9, 50)[13]
    s = np.asarray(sigma(PARITY, EH, jnp.asarray(mass), jnp.asarray([z])))[0]
    slope = slope_of(PARITY, EH, jnp.asarray(mass), jnp.asarray([z]), "differences")[0]
    cells = [60, 85]
    np.testing.assert_allclose(s[cells], [1.196347, 0.537845], rtol=0, atol=5e-7)
    rho = float(co.matter_density(PARITY, 0.0))
    density = rho * tinker10(1.686 / s, z) * slope / mass**2
    np.testing.assert_allclose(density[np.array(cells)], [1.629022e-17, 9.288377e-22], rtol=5e-7)


def test_analytic_slope():
    """Against differences of ln sigma over narrow steps, and the coarse rule of the grid."""
    mass = jnp.asarray(DECADES)
    step = 1e-3
    z = jnp.asarray([0.0, 1.0])
    up, down = (np.log(sigma(FIDUCIAL, EH, mass * np.exp(x), z)) for x in (step, -step))
    slope = slope_of(FIDUCIAL, EH, mass, z)
    assert slope.shape == (2, 5)
    # 2001 nodes leave 1e-6 in the slope.
    np.testing.assert_allclose(slope, -(up - down) / (2 * step), rtol=3e-6)
    fine = jnp.geomspace(1e11, 1e15, 81)
    coarse = slope_of(FIDUCIAL, EH, fine, z, "differences")
    np.testing.assert_allclose(coarse[:, 20:80:20], slope[:, 1:4], rtol=5e-4)


def test_differences_follow_numpy():
    mass = np.array([1e11, 3e11, 2e12, 5e12, 1e14])
    z = jnp.zeros(1)
    ln_s = -np.log(np.asarray(sigma(FIDUCIAL, EH, jnp.asarray(mass), z)))[0]
    got = slope_of(FIDUCIAL, EH, jnp.asarray(mass), z, "differences")[0]
    np.testing.assert_allclose(got, np.gradient(ln_s, np.log(mass)), rtol=1e-10)


def test_stored_window_and_no_retrace():
    mass, z = jnp.asarray(DECADES), jnp.asarray([0.5])
    window = co.sigma_window(mass)
    np.testing.assert_allclose(
        sigma(FIDUCIAL, CAMB, mass, z, window), sigma(FIDUCIAL, CAMB, mass, z), rtol=1e-13
    )
    with pytest.raises(ConfigurationError, match="differences"):
        co.sigma_slope(FIDUCIAL, EH, mass, z, "difference")


def test_window_series_joins_the_closed_form():
    """W^2 and its slope across y = 0.1, where the series gives way to sines."""
    from diffaxion.environments.cosmology.variance import _top_hat

    y = jnp.asarray([0.1 * (1 - 1e-9), 0.1 * (1 + 1e-9)])
    window, slope = _top_hat(y)
    assert float(window[0]) == pytest.approx(float(window[1]), rel=1e-10)
    assert float(slope[0]) == pytest.approx(float(slope[1]), rel=1e-8)
    got = jax.vmap(jax.grad(lambda x: _top_hat(x)[0]))(y) * y
    np.testing.assert_allclose(got, slope, rtol=1e-6)
