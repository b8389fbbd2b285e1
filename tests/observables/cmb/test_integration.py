"""Grids of the halo model: their quadrature rules, the masses below the floor, refusals."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from diffaxion.errors import ConfigurationError
from diffaxion.observables.cmb import halo_integration


def test_accurate_rule():
    """Gauss-Legendre in z is exact for polynomials, the trapezoid in ln M for smooth bumps."""
    grid = halo_integration()
    assert grid.z.shape == (48,)
    assert grid.mass_Msun.shape == (134,)
    assert grid.z.dtype == grid.mass_weight_Msun.dtype == jnp.float64
    found = jnp.sum(grid.z_weight * grid.z**31)
    assert float(found) == pytest.approx((1.9**32 - 0.005**32) / 32.0, rel=1e-12)
    y = jnp.log(grid.mass_Msun / 1e12)
    bump = jnp.sum(grid.mass_weight_Msun * jnp.exp(-(y**2)) / grid.mass_Msun)
    assert float(bump) == pytest.approx(np.sqrt(np.pi), rel=1e-12)


def test_rule_of_the_public_code():
    """Simpson in z and in M, not ln M, on even numbers of points, as SciPy has it."""
    grid = halo_integration("simpson", 50, 100)
    np.testing.assert_allclose(grid.z, np.linspace(0.005, 1.9, 50), rtol=1e-14)
    np.testing.assert_allclose(grid.mass_Msun, np.geomspace(1e9, 5e15, 100), rtol=1e-12)
    mass, z = np.asarray(grid.mass_Msun), np.asarray(grid.z)
    f = mass**-1.9 * np.exp(-mass / 1e14)
    assert float(jnp.sum(grid.mass_weight_Msun * f)) == pytest.approx(
        integrate.simpson(f, x=mass), rel=1e-12
    )
    assert float(jnp.sum(grid.z_weight * np.exp(-z))) == pytest.approx(
        integrate.simpson(np.exp(-z), x=z), rel=1e-13
    )


@pytest.mark.parametrize(("floor", "expected"), [(1e11, 40), (1e12, 60), (1e9, 0)])
def test_masses_below_the_floor(floor, expected):
    """Twenty masses per decade; those below 0.95 of the floor hold galaxies only."""
    grid = halo_integration(floor_Msun=floor)
    assert grid.n_low == expected
    mass = np.asarray(grid.mass_Msun)
    assert np.all(mass[: grid.n_low] < 0.95 * floor)
    assert np.all(mass[grid.n_low :] >= 0.95 * floor)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rule": "romberg"}, "'romberg'.*'gauss' or 'simpson'"),
        ({"n_z": 3}, "3 x 134.*at least 4"),
        ({"n_mass": 2}, "48 x 2.*at least 4"),
        ({"z_range": (0.0, 1.0)}, "increasing positive"),
        ({"z_range": (1.0, 0.5)}, "increasing positive"),
        ({"mass_range_Msun": (1e15, 1e9)}, "increasing positive"),
    ],
)
def test_refusals(options, words):
    with pytest.raises(ConfigurationError, match=words):
        halo_integration(**options)
