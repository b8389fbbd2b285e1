"""Automatic derivatives of the forward model: against differences, and the printed ones."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.parameters import get_path, leaf_paths, set_paths
from tests.screening_models import REFERENCE_MASSES, Setting, default, with_mass

# Tables whose elements are moved together, along a random direction.
TABLES = [
    "halos.field.coefficients",
    "halos.field.profile_z",
    "halos.galaxies.dndz",
]
# Choices of the model itself, by name of the leaf below it.
CHOICES = ["cuts.x_lo", "cuts.x_hi", "cuts.floor_Msun", "cuts.width", "nu_GHz", "kernel_bias"]


@pytest.fixture(scope="module")
def setting():
    """Twelve redshifts and forty masses; edges wide enough to hold some of the halos."""
    return Setting("default", [40.0, 500.0, 2000.0], n_z=12, n_mass=40, taper_width=0.4)


@pytest.fixture(scope="module")
def program(setting):
    """Weighted sum of C_l and its derivative in every float of model and world, compiled once."""
    weights = jnp.array([0.3, 1.0, 40.0]) * 1e7

    def total(both):
        model, world = both
        return world.axion.u * jnp.sum(weights * model.response(world))

    return eqx.filter_jit(eqx.filter_value_and_grad(total))


def point(setting, m_a_eV):
    """Model and world away from the special values 0 of the nuisances."""
    world = with_mass(setting.world, m_a_eV)
    rng = np.random.default_rng(3)
    away = {
        "halos.field.ln_amplitude": jnp.array(0.2),
        "halos.field.ln_amplitude_massive": jnp.array(-0.1),
        "halos.field.profile_z": jnp.asarray(rng.normal(size=(4, 8, 11))),
        "halos.mass_function.ln_amplitude": jnp.array(0.05),
        "axion.u": jnp.array(1.7),
    }
    return setting.model, set_paths(world, away)


def names(both):
    """Paths below (model, world) that are moved one by one."""
    world = [p for p in leaf_paths(both[1], elements=False) if get_path(both[1], p).shape == ()]
    # The cosmology at which the power table was made is not a parameter.
    world = [p for p in world if not p.startswith("halos.power.")]
    return [f"[0].{c}" for c in CHOICES] + [f"[1].{p}" for p in (*world, *TABLES)]


@pytest.mark.parametrize("m_a_eV", [3e-13, 1.1e-12])
def test_every_parameter_against_differences(setting, program, m_a_eV):
    """T13: 1e-5 on the same grid, for all scalars and along random directions of tables."""
    both = point(setting, m_a_eV)
    value, slope = program(both)
    rng = np.random.default_rng(1)
    flat = {}
    for name in names(both):
        x = np.asarray(get_path(both, name))
        step = rng.uniform(-1.0, 1.0, x.shape) if x.shape else np.ones(())
        step = step * np.abs(x)

        def moved(t, name=name, x=x, step=step):
            return float(program(set_paths(both, {name: x + t * step}))[0])

        h = 4e-4 if "field" not in name else 2e-3
        coarse, fine = ((moved(d) - moved(-d)) / (2.0 * d) for d in (h, h / 2))
        expected = (4.0 * fine - coarse) / 3.0
        found = float(np.sum(np.asarray(get_path(slope, name)) * step))
        flat[name] = expected
        tolerance = 1e-5 * abs(expected) + 2e-10 * abs(float(value))
        assert abs(found - expected) < tolerance, (name, found, expected)
    # Every one of them acts.
    acting = {name for name, d in flat.items() if abs(d) > 1e-8 * abs(float(value))}
    edge = "[0].cuts.x_hi" if m_a_eV > 1e-12 else "[0].cuts.x_lo"
    assert set(flat) - acting <= {edge, "[0].cuts.floor_Msun"}, set(flat) - acting


def test_finite_at_every_mass(setting, program):
    """T14: value and all derivatives from 1e-14 to 1e-9 eV; zero where nothing resonates."""
    model, world = point(setting, 1e-12)
    for mass in np.geomspace(1e-14, 1e-9, 61):
        value, slope = program((model, with_mass(world, mass)))
        leaves = [np.asarray(x) for x in jax.tree.leaves(slope)]
        assert np.isfinite(float(value)), mass
        assert all(np.all(np.isfinite(x)) for x in leaves), mass
        if not 1.2e-13 < mass < 1e-11:
            assert float(value) == 0.0, mass
            assert all(np.all(x == 0.0) for x in leaves), mass


def test_no_coupling(setting, program):
    """At u = 0 there is no signal and only u itself has a derivative."""
    model, world = point(setting, 5e-13)
    value, slope = program((model, set_paths(world, {"axion.u": jnp.zeros(())})))
    assert float(value) == 0.0
    assert float(get_path(slope, "[1].axion.u")) < 0.0
    assert float(get_path(slope, "[1].halos.gas.gamma")) == 0.0


@pytest.mark.slow
def test_forward_and_reverse_modes_agree(setting, program):
    """Along a random direction of the world and the cuts at once."""
    model, world = point(setting, 5e-13)
    params, static = eqx.partition((model.cuts, world), eqx.is_inexact_array)
    rng = np.random.default_rng(5)
    tangent = jax.tree.map(lambda x: jnp.asarray(x * rng.uniform(-1e-3, 1e-3, x.shape)), params)
    weights = jnp.array([0.3, 1.0, 40.0]) * 1e7

    @jax.jit
    def forward(p, t):
        def total(q):
            cuts, moved = eqx.combine(q, static)
            response = dataclasses.replace(model, cuts=cuts).response(moved)
            return moved.axion.u * jnp.sum(weights * response)

        return jax.jvp(total, (p,), (t,))

    value, along = forward(params, tangent)
    expected, slope = program((model, world))
    assert float(value) == pytest.approx(float(expected), rel=1e-12)
    slopes = jax.tree.leaves((slope[0].cuts, slope[1]))
    total = sum(jnp.sum(a * b) for a, b in zip(slopes, jax.tree.leaves(tangent), strict=True))
    assert float(along) == pytest.approx(float(total), rel=1e-10)


# d ln C/d ln m_a at l = 100, 1000, 2000 (screening, section 9).
IN_MASS = {
    2.227542952e-13: [7.61, 12.07, 13.36],
    3.10995155e-13: [-0.864, -0.515, 0.257],
    6.061898993e-13: [-2.078, -1.903, -1.659],
    1.181581733e-12: [-3.37, -3.07, -2.92],
    2.15443469e-12: [-11.7, -11.3, -10.7],
}
# Derivatives of ln C at the same multipoles, 3.11e-13 and 1.18e-12 eV.
PRINTED = {
    "halos.gas.rho_0.amplitude": ([-0.568, -0.742, -1.129], [0.689, 0.535, 0.459]),
    "halos.gas.alpha.amplitude": ([-1.399, -1.992, -2.935], [1.777, 1.686, 1.466]),
    "halos.gas.beta.amplitude": ([1.435, 2.300, 3.984], [-1.672, -1.765, -1.629]),
    "halos.hod.alpha_s": ([1.031, 2.237, 1.831], [0.962, 2.620, 2.661]),
    "halos.hod.sigma_logM": ([-0.541, -0.887, -0.986], [-0.557, -0.900, -0.984]),
    "halos.hod.log10_m_min": ([0.695, 1.275, 1.398], [0.693, 1.291, 1.418]),
    "halos.hod.log10_m_1": ([-0.768, -1.562, -1.614], [-0.739, -1.613, -1.748]),
    "halos.field.ln_amplitude": ([2.0, 2.0, 2.0], [2.0, 2.0, 2.0]),
}


@pytest.mark.slow
def test_printed_derivatives():
    """T13: section 9 on 96 x 268, 1 % + 0.03; gas amplitudes by their logarithm."""
    fine = default(96, 268)
    model = dataclasses.replace(fine.model, ell=jnp.array([100.0, 1000.0, 2000.0]))
    paths = ["axion.m_a_eV", *PRINTED]
    cache = model.prepare(fine.world, tuple(paths))

    @eqx.filter_jit
    def log_slopes(world, cache):
        values = [get_path(world, p) for p in paths]

        def response(v):
            return model.response(set_paths(world, dict(zip(paths, v, strict=True))), cache)

        return response(values), jax.jacfwd(response)(values)

    for mass, expected in IN_MASS.items():
        world = with_mass(fine.world, mass)
        value, slopes = log_slopes(world, cache)
        found = {p: np.asarray(s / value) for p, s in zip(paths, slopes, strict=True)}
        np.testing.assert_allclose(found["axion.m_a_eV"] * mass, expected, rtol=0.01, atol=0.03)
        at = {REFERENCE_MASSES[1]: 0, REFERENCE_MASSES[5]: 1}.get(mass)
        for path, rows in PRINTED.items() if at is not None else ():
            scale = float(get_path(world, path)) if path.endswith("amplitude") else 1.0
            scale = 1.0 if path.startswith("halos.field") else scale
            np.testing.assert_allclose(
                scale * found[path], rows[at], rtol=0.01, atol=0.03, err_msg=path
            )


@pytest.mark.slow
def test_grid_doubling():
    """T12: 96 x 268 against 48 x 134: 5e-4 above 3e-13 eV, 2e-3 below."""
    masses = np.concatenate([REFERENCE_MASSES, [2.5e-13, 3e-13, 1e-12, 2e-12]])
    change = np.abs(default().curve(masses) / default(96, 268).curve(masses) - 1.0).max(axis=1)
    assert change[masses >= 3e-13].max() < 5e-4, change
    assert change.max() < 2e-3, change
