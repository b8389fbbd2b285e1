"""NFW halos: transform, conversion of masses, concentrations, and colossus as referee."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import bisect

from diffaxion.environments.cosmology import (
    growth_factor,
    linear_power,
    mass_sigma,
    planck_cosmology,
)
from diffaxion.environments.halos import (
    bhattacharya13_concentration,
    convert_mass,
    duffy08_concentration,
    halo_grid,
    hod,
    nfw_density,
    nfw_mass,
    nfw_transform,
    overdensity_radius,
    virial_overdensity,
)
from diffaxion.errors import ConfigurationError

convert = jax.jit(convert_mass)
transform = jax.jit(nfw_transform)
C = np.geomspace(0.3, 60.0, 25)


@pytest.mark.parametrize(("old", "new"), [(100.0, 200.0), (178.0, 200.0), (200.0, 2500.0)])
def test_conversion_there_and_back(old, new):
    mass, c = convert(1e13, C, old, new)
    back, c_back = convert(mass, c, new, old)
    np.testing.assert_allclose(back, 1e13, rtol=1e-10)
    np.testing.assert_allclose(c_back, C, rtol=1e-10)
    assert np.all(mass < 1e13)
    # The mean density inside the new radius, in units of that of the old.
    density = mass / 1e13 / (c / C) ** 3
    np.testing.assert_allclose(density, new / old, rtol=1e-12)


@pytest.mark.parametrize(("old", "new"), [(130.0, 200.0), (2500.0, 50.0)])
def test_newton_against_bisection(old, new):
    _, found = convert(1.0, C, old, new)
    for c, root in zip(C, found, strict=True):
        wanted = np.log(new / old * nfw_mass(c) / c**3)
        expected = bisect(
            lambda x, w=wanted: np.log(np.log1p(x) - x / (1 + x)) - 3 * np.log(x) - w,
            1e-3,
            1e4,
            xtol=1e-14,
            rtol=1e-14,
        )
        assert root == pytest.approx(expected, rel=1e-10)


def test_derivative_of_the_conversion():
    """The implicit derivative in both modes against differences of the bisected root."""
    both = lambda c: convert(1e13, c, 110.0, 200.0)[0]  # noqa: E731
    h = 1e-4
    expected = (both(6.0 + h) - both(6.0 - h)) / (2 * h)
    assert jax.grad(both)(6.0) == pytest.approx(float(expected), rel=1e-7)
    assert jax.jvp(both, (6.0,), (1.0,))[1] == pytest.approx(float(expected), rel=1e-7)


@pytest.mark.parametrize("cut", [0.05, 1.0, 4.6, 27.0])
def test_transform_is_the_integral(cut):
    q = np.array([1e-3, 0.1, 0.7, 3.0, 11.0, 60.0])
    found = transform(q, cut)
    for k, u in zip(q, found, strict=True):
        top = np.log1p(cut)
        points = np.linspace(0.0, top, 2 + int(k * cut / 20.0))
        integrand = lambda s, k=k: -np.expm1(-s) * np.sinc(k * np.expm1(s) / np.pi)  # noqa: E731
        total = sum(quad(integrand, a, b, epsabs=1e-13)[0] for a, b in pairwise(points))
        assert u == pytest.approx(total / float(nfw_mass(cut)), abs=1e-10)


def test_transform_of_small_arguments():
    """u -> 1 for q -> 0, and u = 1 - q^2 <y^2>/6 next to it; a point for a vanishing cut."""
    cut = np.array([1.0, 5.0, 20.0])
    np.testing.assert_allclose(transform(1e-8, cut), 1.0, atol=1e-13)
    q, y = 1e-3, cut
    square = (y * (y**2 - 3 * y - 6) / (2 * (1 + y)) + 3 * np.log1p(y)) / nfw_mass(y)
    np.testing.assert_allclose((1.0 - transform(q, cut)) * 6 / q**2, square, rtol=1e-4)
    np.testing.assert_allclose(transform(np.array([1e-3, 1.0, 10.0]), 1e-12), 1.0, atol=1e-5)


def test_density_holds_the_mass():
    mass, radius, c = 3e13, 0.6, 5.2
    shell = lambda x: 4 * np.pi * radius**3 * x**2 * nfw_density(mass, radius, c, x)  # noqa: E731
    assert quad(shell, 0.0, 1.0)[0] == pytest.approx(mass, rel=1e-10)


def test_satellites_of_far_and_small_halos_are_points():
    @eqx.filter_jit
    def profile(cosmology, z):
        grid = halo_grid(cosmology, z, jnp.array([1e11, 1e12]))
        return hod("K23").satellite_profile(grid, jnp.array([1e-3, 10.0]))

    u = profile(planck_cosmology(), jnp.array([0.3, 1.9]))
    np.testing.assert_allclose(u, 1.0, atol=1e-6)


def test_unknown_names():
    for call in (
        lambda: hod("K24"),
        lambda: halo_grid(planck_cosmology(), jnp.ones(1), jnp.ones(1), "duffy09"),
        lambda: duffy08_concentration(1e13, 0.0, 0.7, "500c"),
        lambda: bhattacharya13_concentration(1.0, 1.0, "500c"),
    ):
        with pytest.raises(ConfigurationError, match=r"did you mean|known names"):
            call()


def test_occupation():
    """Half of the halos of M_min have a central galaxy; M_1 has one satellite per central."""
    for name in ("K22", "K23"):
        model = hod(name)
        centrals, satellites = model.occupation(
            10.0 ** jnp.stack([model.log10_m_min, model.log10_m_1])
        )
        assert centrals[0] == pytest.approx(0.5, abs=1e-12)
        assert satellites[1] / centrals[1] == pytest.approx(1.0, rel=1e-12)


def test_the_relation_of_peak_heights_on_a_grid():
    """The grid's interpolation of sigma against sigma itself at M200c."""
    z, mass = jnp.array([0.2, 1.5]), jnp.geomspace(1e9, 5e15, 30)

    @eqx.filter_jit
    def both(cosmology, power):
        grid = halo_grid(cosmology, z, mass, "bhattacharya13", power)
        growth = growth_factor(cosmology, z) / growth_factor(cosmology, jnp.zeros(()))
        sigma = mass_sigma(cosmology, power, grid.m200c_Msun.ravel(), z)
        own = jnp.stack([sigma[0, :30], sigma[1, 30:]])
        return grid, bhattacharya13_concentration(1.686 / own, growth[:, None])

    grid, direct = both(planck_cosmology(growth="hypergeometric"), linear_power("eisenstein-hu"))
    np.testing.assert_allclose(grid.c200c, direct, rtol=1e-5)
    heavy = grid.c200c[0, np.searchsorted(mass, 1e14)]
    assert 4.0 < heavy < 6.0


@pytest.fixture(scope="module")
def colossus():
    cosmology = pytest.importorskip("colossus.cosmology.cosmology", reason="colossus is absent")
    parameters = {"flat": True, "H0": 67.32, "Om0": 0.31443, "Ob0": 0.0494, "sigma8": 0.82}
    cosmology.setCosmology("planck-like", ns=0.966, persistence="", **parameters)
    return cosmology


@pytest.mark.parametrize("z", [0.0, 0.7, 1.9])
def test_colossus_has_the_same_halos(colossus, z):
    from colossus.halo import concentration, mass_defs, mass_so

    current = colossus.getCurrent()
    virial = float(virial_overdensity(jnp.asarray(current.Om(z))))
    assert virial == pytest.approx(float(mass_so.deltaVir(z)), rel=1e-12)
    mass, h = np.geomspace(1e11, 1e15, 5), 0.6732
    for definition in ("vir", "200c", "200m"):
        theirs, _ = concentration.modelDuffy08(mass * h, z, definition)
        found = duffy08_concentration(mass, z, h, definition)
        np.testing.assert_allclose(found, theirs, rtol=1e-12)
        theirs, _ = concentration.modelBhattacharya13(mass * h, z, definition)
        from colossus.lss import peaks

        height = peaks.peakHeight(mass * h, z)
        found = bhattacharya13_concentration(height, current.growthFactor(z), definition)
        np.testing.assert_allclose(found, theirs, rtol=1e-12)
    c_vir = np.asarray(duffy08_concentration(mass, z, h, "vir"))
    m200c, radius, c200c = mass_defs.changeMassDefinition(mass * h, c_vir, z, "vir", "200c")
    new_mass, new_c = convert(mass, c_vir, virial, 200.0)
    np.testing.assert_allclose(new_mass, m200c / h, rtol=1e-6)
    np.testing.assert_allclose(new_c, c200c, rtol=1e-6)
    density = current.rho_c(z) * 1e9 * h**2  # Msun h^2 kpc^-3
    found = overdensity_radius(np.asarray(new_mass), 200.0, density)
    np.testing.assert_allclose(found, radius * 1e-3 / h, rtol=1e-6)
