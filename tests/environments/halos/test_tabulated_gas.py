"""Gas from tables: agreement with the formula that made the table, and several crossings."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from diffaxion.data import HaloProfiles
from diffaxion.environments.halos import agn_gas, gas_profile, tabulated_gas

from .media import halos

GRID = halos([0.2, 1.1], [2e12, 5e13, 8e14])
NONE = np.zeros(1)
RADII = np.geomspace(0.02, 3.0, 60)


def bump(ln_x):
    """ln n_e of a made-up shell of denser gas at x = 0.6."""
    return -9.0 - 1.5 * ln_x + 2.0 * np.exp(-0.5 * ((ln_x - np.log(0.6)) / 0.2) ** 2)


@pytest.fixture(scope="module")
def roots():
    return eqx.filter_jit(lambda gas, grid, value: gas.crossings(grid, value))


@pytest.fixture(scope="module")
def density():
    return eqx.filter_jit(lambda gas, grid, x: gas.log_density(grid, x))


@pytest.fixture(scope="module")
def shell():
    return tabulated_gas(HaloProfiles(NONE, NONE, RADII, bump(np.log(RADII))[None, None]))


def test_table_of_the_agn_profile_reproduces_it(roots, density):
    z, log10_m = np.array([0.2, 0.7, 1.1]), np.log10([2e12, 5e13, 8e14])
    nodes = halos(z, 10.0**log10_m)
    values, _ = density(agn_gas(), nodes, RADII[:, None, None])
    gas = tabulated_gas(HaloProfiles(z, log10_m, RADII, np.moveaxis(np.asarray(values), 0, -1)))
    assert gas.slots == 1
    table, exact = (density(g, GRID, 0.31) for g in (gas, agn_gas()))
    np.testing.assert_allclose(table[0], exact[0], rtol=0, atol=2e-7)
    np.testing.assert_allclose(table[1], exact[1], rtol=0, atol=2e-5)
    for ln_density in (-11.0, -9.0, -7.0):
        found, true = (roots(g, GRID, jnp.asarray(ln_density)) for g in (gas, agn_gas()))
        inside = (true.x > RADII[0]) & (true.x < RADII[-1])
        np.testing.assert_array_equal(found.valid, inside)
        np.testing.assert_allclose(found.x[inside], true.x[inside], rtol=1e-6)


def test_all_crossings_of_a_shell_are_found(roots, density, shell):
    assert shell.slots == 3
    fine = np.linspace(np.log(RADII[0]), np.log(RADII[-1]), 4001)
    profile = np.asarray(density(shell, GRID, np.exp(fine)[:, None, None])[0][:, 0, 0])
    value = lambda t, level: float(density(shell, GRID, np.exp(t))[0][0, 0]) - level  # noqa: E731
    for ln_density, count in ((-5.0, 1), (-7.2, 3), (-9.0, 1), (-2.0, 0)):
        change = np.flatnonzero(np.diff(profile > ln_density))
        expected = [brentq(value, fine[k], fine[k + 1], (ln_density,)) for k in change]
        assert len(expected) == count
        found = roots(shell, GRID, jnp.asarray(ln_density))
        assert found.x.shape == (3, 2, 3)
        assert not np.any(found.tangential)
        np.testing.assert_array_equal(np.sum(found.valid, axis=0), count)
        np.testing.assert_allclose(np.log(found.x[:count, 1, 2]), expected, rtol=0, atol=1e-11)
    slopes = roots(shell, GRID, jnp.asarray(-7.2)).slope[:, 0, 0]
    assert list(np.sign(slopes)) == [-1.0, 1.0, -1.0]


def test_a_tangential_crossing_is_excluded_and_told(roots, density, shell):
    fine = np.linspace(np.log(0.4), np.log(0.8), 20001)
    top = float(np.max(density(shell, GRID, np.exp(fine)[:, None, None])[0][:, 0, 0]))
    # Near the top ln n_e falls like 25 t^2: slopes 0.01 and 0.3 at 1e-6 and 1e-3 below it.
    for below, pair in ((1e-6, "tangential"), (1e-3, "valid")):
        found = roots(shell, GRID, jnp.asarray(top - below))
        assert np.all(np.sum(found.valid, axis=0) == (3 if pair == "valid" else 1))
        assert np.all(np.sum(found.tangential, axis=0) == (0 if pair == "valid" else 2))
        assert np.all(found.slope != 0.0)


def test_derivatives_of_all_crossings(shell):
    def radii(t):
        gas = eqx.tree_at(lambda g: g.ln_amplitude, shell, t[0])
        gas = eqx.tree_at(lambda g: g.table.values, gas, gas.table.values * t[1])
        found = gas.crossings(GRID, t[2])
        return jnp.concatenate([jnp.log(found.x[:, 0, 0]), found.slope[:, 0, 0]])

    start = jnp.array([0.05, 1.01, -7.25])
    value, jac = jax.jit(radii), jax.jit(jax.jacfwd(radii))
    hessian = jax.jit(jax.jacfwd(jax.jacfwd(radii)))(start)
    # Third derivatives of a cubic spline jump: a small step keeps both sides on one piece.
    for k in range(3):
        h = 1e-5 * jnp.eye(3)[k]
        first = (value(start + h) - value(start - h)) / 2e-5
        np.testing.assert_allclose(jac(start)[:, k], first, rtol=1e-5, atol=1e-5)
        second = (jac(start + h) - jac(start - h)) / 2e-5
        np.testing.assert_allclose(hessian[:, :, k], second, rtol=1e-5, atol=1e-5)


def test_finite_without_a_crossing(shell):
    grad = eqx.filter_jit(
        eqx.filter_grad(lambda a: sum(jnp.sum(x) for x in a[0].crossings(GRID, a[1])[:2]))
    )
    for ln_density in (-30.0, 7.0, -np.inf, np.inf):
        leaves = jax.tree.leaves(grad((shell, jnp.asarray(ln_density))))
        assert all(np.all(np.isfinite(x)) for x in leaves)


def test_more_slots_where_mixing_makes_extrema():
    # Two monotone profiles stay monotone in every mixture; a bump in one row may not.
    ln_x = np.log(RADII)
    plain = np.stack([-9.0 - 1.5 * ln_x, -8.0 - 2.5 * ln_x])[None]
    assert tabulated_gas(HaloProfiles(NONE, np.array([12.0, 14.0]), RADII, plain)).slots == 1
    mixed = np.stack([-9.0 - 1.5 * ln_x, bump(ln_x)])[None]
    assert tabulated_gas(HaloProfiles(NONE, np.array([12.0, 14.0]), RADII, mixed)).slots == 3


def test_gas_from_a_file(tmp_path):
    path = tmp_path / "gas.csv"
    rows = [f"{x:.12g},{y:.12g}" for x, y in zip(RADII, bump(np.log(RADII)))]
    path.write_text("# a shell\nx,ln_n_e_cm3\n" + "\n".join(rows) + "\n")
    gas = gas_profile(path)
    assert gas.slots == 3
    value, _ = gas.log_density(GRID, RADII[30])
    np.testing.assert_allclose(value, bump(np.log(RADII[30])), rtol=1e-10)
