"""Gas of halos against printed values, NumPy formulas, bisection and finite differences."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import constants as const
from astropy import units as u
from scipy.optimize import brentq

from diffaxion.constants import SCREENING_CONSTANTS
from diffaxion.environments.halos import NFWGas, agn_gas, gas_profile, shock_heated_gas

from .media import halos, parity_cells, resonance_ln_density

GRID = halos([0.01, 0.6, 1.9], [1e11, 3e12, 1e14, 4e15])
EXTREMES = np.log([1e-11, 1e3])


@pytest.fixture(scope="module")
def compiled():
    """Functions that every gas model shares, compiled once per model."""

    def density(gas, grid, x):
        return gas.log_density(grid, x)

    def roots(gas, grid, value):
        return gas.crossings(grid, value)

    return eqx.filter_jit(density), eqx.filter_jit(roots)


MODELS = {"agn": agn_gas(), "sh": shock_heated_gas(), "nfw": NFWGas()}


@pytest.mark.parametrize(
    ("m_a_eV", "x", "slope"),
    [
        (3.10995155e-13, [0.858129, 0.941913], [-2.267772, -2.657027]),
        (1.181581733e-12, [0.162086, 0.268077], [-0.985521, -1.591430]),
    ],
)
def test_crossings_of_the_parity_cells(compiled, m_a_eV, x, slope):
    found = compiled[1](agn_gas(), parity_cells(), resonance_ln_density(m_a_eV))
    assert found.x.shape == (1, 1, 2)
    assert np.all(found.valid)
    # The masses and densities of the cells are printed to seven digits.
    np.testing.assert_allclose(found.x[0, 0], x, rtol=0, atol=6e-7)
    np.testing.assert_allclose(found.slope[0, 0], slope, rtol=0, atol=1.5e-6)


def reference_density(name, grid, x):
    """n_e [cm^-3] in plain NumPy, with m_p and the parsec from astropy."""
    z, mass = np.asarray(grid.z)[:, None], np.asarray(grid.m200c_Msun) / 1e14
    if name == "nfw":
        c = np.asarray(grid.c200c)
        rs = np.asarray(grid.r200c_Mpc) / c
        m = np.log(1 + c) - c / (1 + c)
        rho_s = np.asarray(grid.m200c_Msun) / (4 * np.pi * rs**3 * m)
        rho = rho_s / (x * c * (1 + x * c) ** 2)
    else:
        table = {
            "agn": ((4000, 0.29, -0.66), (0.88, -0.03, 0.19), (3.83, 0.04, -0.025)),
            "sh": ((19000, 0.09, -0.95), (0.70, -0.017, 0.27), (4.43, 0.005, 0.037)),
        }[name]
        rho_0, alpha, beta = (a * mass**p * (1 + z) ** q for a, p, q in table)
        y = 2 * x
        rho = np.asarray(grid.critical_density) * rho_0 * y**-0.2
        rho = rho * (1 + y**alpha) ** (-(beta - 0.2) / alpha)
    mass_density = float(grid.baryon_fraction) * rho * const.M_sun / u.Mpc**3
    return (1.76 / 2 * mass_density / const.m_p).to_value("cm-3")


@pytest.mark.parametrize("name", MODELS)
def test_density_against_numpy_and_slope_against_differences(compiled, name):
    x = np.geomspace(0.03, 5.0, 7)[:, None, None]
    value, slope = compiled[0](MODELS[name], GRID, x)
    assert value.shape == (7, 3, 4)
    # astropy's solar mass and G M_sun/G differ by 2e-5 with the CODATA edition.
    np.testing.assert_allclose(np.exp(value), reference_density(name, GRID, x), rtol=5e-5)
    h = 1e-5
    up, down = (compiled[0](MODELS[name], GRID, x * np.exp(t))[0] for t in (h, -h))
    np.testing.assert_allclose(slope, (up - down) / (2 * h), rtol=1e-8)


def test_density_uses_the_proton_mass_of_the_grid(compiled):
    exact = eqx.tree_at(lambda g: g.z, parity_cells(), jnp.array([0.507755]))
    exact = type(exact)(**{**vars(exact), "constants": "exact"})
    one, _ = compiled[0](agn_gas(), parity_cells(), 0.5)
    two, _ = compiled[0](agn_gas(), exact, 0.5)
    ratio = (
        SCREENING_CONSTANTS["public-code"].proton_mass_Msun
        / SCREENING_CONSTANTS["exact"].proton_mass_Msun
    )
    # ln n_e is about -8 and its last bit 2e-15.
    np.testing.assert_allclose(two - one, np.log(ratio), rtol=0, atol=5e-15)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("ln_density", [np.log(1e-6), np.log(1e-4), np.log(1e-2)])
def test_newton_against_bisection(compiled, name, ln_density):
    found = compiled[1](MODELS[name], GRID, ln_density)
    value, slope = compiled[0](MODELS[name], GRID, found.x)
    np.testing.assert_allclose(found.slope, slope, rtol=1e-12)
    np.testing.assert_allclose(value, ln_density, rtol=0, atol=1e-12)
    i, j = 1, 2

    def residual(ln_x):
        return np.log(reference_density(name, GRID, np.exp(ln_x))[i, j]) - ln_density - offset

    # The reference has astropy's constants: remove that constant difference at one radius.
    here, _ = compiled[0](MODELS[name], GRID, 1.0)
    offset = np.log(reference_density(name, GRID, 1.0)[i, j]) - here[i, j]
    root = brentq(residual, np.log(1e-8), np.log(1e4), xtol=1e-14, rtol=1e-14)
    np.testing.assert_allclose(np.log(found.x[0, i, j]), root, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_finite_at_every_density(compiled, name):
    gas = MODELS[name]
    grad = eqx.filter_jit(
        eqx.filter_grad(lambda a: sum(jnp.sum(x) for x in a[0].crossings(a[1], a[2])[:2]))
    )
    for ln_density in (*EXTREMES, -np.inf, np.inf, -1e4, 1e4):
        value = jnp.asarray(ln_density)
        found = compiled[1](gas, GRID, value)
        leaves = jax.tree.leaves((found[:2], grad((gas, GRID, value))))
        assert all(np.all(np.isfinite(x)) for x in leaves), ln_density
        assert np.all(found.slope < 0.0)
        assert not np.any(found.tangential)
        assert not np.any(found.valid) or np.isfinite(ln_density)
    # Over all masses from 1e-14 to 1e-9 eV the crossing of every density is at a real radius,
    # unless the inner slope -0.2 of this gas would put it inside exp(-30) R200c.
    assert np.all(compiled[1](gas, GRID, jnp.asarray(EXTREMES[0])).valid)


def test_uncommon_parameters_converge(compiled):
    gas = eqx.tree_at(lambda g: (g.gamma, g.alpha.amplitude), agn_gas(), (-0.02, 0.3))
    for ln_density in (*EXTREMES, -9.0):
        found = compiled[1](gas, GRID, jnp.asarray(ln_density))
        value, _ = compiled[0](gas, GRID, found.x)
        np.testing.assert_allclose(
            np.where(found.valid, value, ln_density), ln_density, rtol=0, atol=1e-11
        )


@pytest.mark.parametrize("name", MODELS)
def test_first_and_second_derivatives(compiled, name):
    gas, grid = MODELS[name], parity_cells()
    if name == "nfw":
        where = lambda g: (g.ln_amplitude, g.hydrogen_fraction)  # noqa: E731
        start = jnp.array([0.1, 0.76, -9.0])
    else:
        where = lambda g: (g.beta.amplitude, g.alpha.mass_slope)  # noqa: E731
        start = jnp.array([4.0, 0.02, -9.0])

    def radius(t):
        found = eqx.tree_at(where, gas, (t[0], t[1])).crossings(grid, t[2])
        return jnp.concatenate([jnp.log(found.x).ravel(), found.slope.ravel()])

    value = jax.jit(radius)
    jac = jax.jit(jax.jacfwd(radius))
    reverse = jax.jit(jax.jacrev(radius))(start)
    hessian = jax.jit(jax.jacfwd(jax.jacrev(radius)))(start)
    np.testing.assert_allclose(reverse, jac(start), rtol=1e-12, atol=1e-14)
    for k in range(3):
        h = 1e-4 * jnp.eye(3)[k]
        difference = (value(start + h) - value(start - h)) / 2e-4
        np.testing.assert_allclose(jac(start)[:, k], difference, rtol=0, atol=1e-7)
        # The derivatives themselves are differenced: an error of h^2 = 1e-8 relative.
        difference = (jac(start + h) - jac(start - h)) / 2e-4
        np.testing.assert_allclose(hessian[:, :, k], difference, rtol=5e-8, atol=5e-8)


def test_gas_by_name_has_the_published_numbers():
    assert float(gas_profile("agn").rho_0.amplitude) == 4000.0
    assert float(gas_profile("sh").beta.redshift_slope) == 0.037
    assert isinstance(gas_profile("nfw"), NFWGas)
