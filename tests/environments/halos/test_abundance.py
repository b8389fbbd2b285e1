"""The parity grid of the public code: check values of the halo model, to printed digits."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.environments.cosmology import (
    linear_power,
    mass_sigma,
    matter_fraction,
    planck_cosmology,
    sigma_slope,
)
from diffaxion.environments.halos import MassFunction, halo_grid, hod, virial_overdensity
from diffaxion.numerics import simpson_weights, trapezoid_weights

PRINTED = 2e-6


@eqx.filter_jit
def _halos(cosmology, power, mass_function, z, mass, slope=None):
    grid = halo_grid(cosmology, z, mass)
    sigma = mass_sigma(cosmology, power, mass, z)
    model = hod("K22")
    centrals, satellites = model.occupation(grid.m200c_Msun)
    return {
        "grid": grid,
        "delta_vir": virial_overdensity(matter_fraction(cosmology, z)),
        "sigma": sigma,
        "density": mass_function.density(cosmology, sigma, mass, z, slope),
        "bias": mass_function.bias(cosmology, sigma, z),
        "centrals": centrals,
        "satellites": satellites,
        "profile": model.satellite_profile(grid, jnp.array([100.0, 1004.0])),
    }


@pytest.fixture(scope="module")
def parity():
    return _halos(
        planck_cosmology("public-code", "hypergeometric"),
        linear_power("eisenstein-hu"),
        MassFunction(normalisation="truncated"),
        jnp.linspace(0.005, 1.9, 50),
        jnp.geomspace(1e9, 5e15, 100),
    )


# index in mass: Mvir, sigma, n, b, M200c, R200c, Rvir, c200c, N_c, N_s, u_100, u_1004
CELLS = {
    60: [
        *(1.148106e13, 1.196347, 1.629022e-17, 1.41633, 1.022741e13, 0.380320, 0.445313),
        *(4.24349, 0.984069, 1.483017, 0.999950, 0.995014),
    ],
    85: [
        *(5.644701e14, 0.537845, 9.288377e-22, 5.61139, 4.922771e14, 1.383451, 1.631366),
        *(3.06477, 1.0, 235.467525, 0.999283, 0.930960),
    ],
}


@pytest.mark.parametrize("j", CELLS)
def test_parity_cells(parity, j):
    grid = parity["grid"]
    arrays = [parity["sigma"], parity["density"], parity["bias"]]
    arrays += [grid.m200c_Msun, grid.r200c_Mpc, grid.rvir_Mpc, grid.c200c]
    arrays += [parity["centrals"], parity["satellites"], *parity["profile"]]
    found = [grid.mass_Msun[j], *(a[13, j] for a in arrays)]
    np.testing.assert_allclose(found, CELLS[j], rtol=PRINTED)


def test_parity_background(parity):
    grid = parity["grid"]
    found = [grid.z[13], grid.chi_Mpc[13, 0], grid.hubble_Mpc[13, 0], grid.critical_density[13, 0]]
    expected = [0.507755, 1980.0542, 2.982198e-4, 2.219215e11, 139.8616]
    np.testing.assert_allclose([*found, parity["delta_vir"][13]], expected, rtol=PRINTED)


def test_number_of_galaxies_and_their_bias(parity):
    """nbar(z) by Simpson's rule in dM, and the effective bias 1.457 at z = 0.5."""
    grid = parity["grid"]
    galaxies = parity["density"] * (parity["centrals"] + parity["satellites"])
    weights = simpson_weights(grid.mass_Msun)
    nbar = galaxies @ weights
    expected = [5.69761e-3, 5.00296e-3, 3.32933e-3]
    np.testing.assert_allclose(nbar[jnp.array([0, 13, 39])], expected, rtol=PRINTED)
    bias = (galaxies * parity["bias"]) @ weights / nbar
    assert np.interp(0.5, grid.z, bias) == pytest.approx(1.457, abs=5e-4)


def test_radii_over_the_masses_of_halos_that_convert(parity):
    """Rvir/R200c between 1e11 and 5e14 Msun, printed ranges widened by half a digit."""
    grid = parity["grid"]
    heavy = (grid.mass_Msun > 1e11) & (grid.mass_Msun < 5e14)
    ratio = np.asarray(grid.rvir_Mpc / grid.r200c_Mpc)[:, heavy]
    ranges = [(0, 1.31, 1.34), (10, 1.18, 1.20), (20, 1.12, 1.14)]
    ranges += [(30, 1.09, 1.105), (40, 1.08, 1.09), (49, 1.07, 1.08)]
    for i, low, high in ranges:
        assert low - 0.005 < ratio[i].min() < ratio[i].max() < high + 0.005, (i, ratio[i])
    assert np.all(grid.m200c_Msun < grid.mass_Msun)


@pytest.fixture(scope="module")
def default():
    """Galaxies and mass functions of ``default``, with the exact slope and with differences."""

    @eqx.filter_jit
    def compute(cosmology, power, mass, z):
        sigma = mass_sigma(cosmology, power, mass, z)
        slope = sigma_slope(cosmology, power, mass, z)
        centrals, satellites = hod("K22").occupation(halo_grid(cosmology, z, mass).m200c_Msun)
        model, scaled = MassFunction("tinker08"), MassFunction("tinker08", ln_amplitude=0.1)
        return {
            "mass": mass,
            "galaxies": MassFunction().density(cosmology, sigma, mass, z, slope)
            * (centrals + satellites),
            "differences": model.density(cosmology, sigma, mass, z),
            "slope": model.density(cosmology, sigma, mass, z, slope),
            "scaled": scaled.density(cosmology, sigma, mass, z, slope),
        }

    z = jnp.array([0.005, 1.0, 1.9])
    return compute(planck_cosmology(), linear_power("camb"), jnp.geomspace(1e9, 5e15, 134), z)


def test_light_halos_hold_galaxies_that_convert_nothing(default):
    """Leaving out the nodes below 1e11 Msun loses 2.2, 4.3 and 6.6% at z = 0.005, 1, 1.9."""
    mass = default["mass"]
    galaxies = default["galaxies"] * mass * trapezoid_weights(jnp.log(mass))
    heavy = np.asarray(mass >= 1e11)
    assert heavy.sum() == 94
    loss = 1.0 - galaxies[:, heavy].sum(axis=1) / galaxies.sum(axis=1)
    np.testing.assert_allclose(loss, [0.022, 0.043, 0.066], rtol=0, atol=1e-3)


def test_differences_approach_the_slope(default):
    """20 nodes per decade; the one-sided ends are worse."""
    found, expected = default["differences"], default["slope"]
    np.testing.assert_allclose(found[:, 1:-1], expected[:, 1:-1], rtol=3e-4)
    np.testing.assert_allclose(found[:, [0, -1]], expected[:, [0, -1]], rtol=0.02)
    np.testing.assert_allclose(default["scaled"] / expected, np.exp(0.1), rtol=1e-12)
