"""The forward model on a grid of a few halos: sums, scalings, caches, resonances, no resonance."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.constants import SCREENING_CONSTANTS
from diffaxion.data.halo_profiles import HaloProfiles
from diffaxion.environments.cosmology.variance import KAPPA_RANGE_MPC
from diffaxion.environments.halos import halo_field, tabulated_gas
from diffaxion.parameters import get_path, leaf_paths, set_paths
from tests import screening_reference
from tests.screening_models import SMALL_ELL, cells, small, with_mass

TRACES = []


@eqx.filter_jit
def spectrum(model, world, cache=None):
    """Both terms of C_l^Tg; counts how often it is traced."""
    TRACES.append(1)
    return jnp.stack(model.halo_terms(world, cache))


@pytest.fixture(scope="module")
def setting():
    return small()


@pytest.fixture(scope="module")
def side(setting):
    """What does not know gas and field, so that variants of these share it."""
    return setting.cache


def slow_spectrum(setting, m_a_eV):
    """The same spectrum by SciPy and loops."""
    constants = SCREENING_CONSTANTS["public-code"]
    exact = SCREENING_CONSTANTS["exact"].critical_density_h2_Msun_Mpc3
    ratio = constants.critical_density_h2_Msun_Mpc3 / exact
    k = np.geomspace(*KAPPA_RANGE_MPC, 2001) * np.cbrt(ratio)
    galaxies = setting.world.halos.galaxies
    field = setting.world.halos.field
    return screening_reference.spectra(
        m_a_eV,
        SMALL_ELL,
        np.asarray(setting.model.integration.z),
        np.asarray(setting.model.integration.mass_Msun),
        k,
        constants,
        None if field is None else np.asarray(field.coefficients),
        (np.asarray(galaxies.z), np.asarray(galaxies.dndz)),
    )


def without_trim(setting):
    """The model with the profile of satellites at all masses."""
    integration = dataclasses.replace(setting.model.integration, n_low=0)
    return dataclasses.replace(setting.model, integration=integration)


@pytest.mark.parametrize("boson", ["axion", "dark-photon"])
def test_against_a_slow_implementation(boson):
    """1e-10 in both terms, every convention of parity, SciPy for everything."""
    setting = small("parity", boson=boson)
    for m_a_eV in (3e-13, 5e-13):
        expected = slow_spectrum(setting, m_a_eV)
        found = spectrum(without_trim(setting), with_mass(setting.world, m_a_eV))
        np.testing.assert_allclose(found, expected, rtol=1e-10)
        # Screening removes photons; at l = 2000 the sinc of so few halos may have either sign.
        assert np.all(np.asarray(found)[:, :2] < 0.0)


def test_trimmed_masses_screen_nothing(setting, side):
    """T15: screening starts at the floor exactly; only u_l = 1 of light halos is approximate."""
    assert setting.model.integration.n_low == 1
    trimmed = spectrum(setting.model, with_mass(setting.world, 5e-13), side)
    full = spectrum(without_trim(setting), with_mass(setting.world, 5e-13))
    np.testing.assert_allclose(trimmed[0], full[0], rtol=1e-12)
    np.testing.assert_allclose(trimmed[1, 0], full[1, 0], rtol=1e-10)
    np.testing.assert_allclose(trimmed[1], full[1], rtol=5e-8)


def test_strength_of_the_field(setting, side):
    """C ~ A_B^2 exactly: twice the field, four times the signal."""
    world = with_mass(setting.world, 5e-13)
    twice = set_paths(world, {"halos.field.ln_amplitude": jnp.log(2.0)})
    one, four = (spectrum(setting.model, w, side) for w in (world, twice))
    np.testing.assert_allclose(four, 4.0 * one, rtol=1e-13)
    assert four.dtype == jnp.float64


def test_frequency_and_kernel(setting, side):
    """tau ~ nu, the temperature falls by (1 - e^-x)/x of it; the kernel's bias is a factor."""
    world = with_mass(setting.world, 5e-13)
    moved = dataclasses.replace(setting.model, nu_GHz=143.0, kernel_bias=0.9979)
    ratio = spectrum(moved, world, side) / spectrum(setting.model, world, side)
    np.testing.assert_allclose(ratio, 0.9979 * 0.92122, rtol=1e-5)


@pytest.mark.parametrize("m_a_eV", [1e-13, 1e-11])
def test_no_resonance_is_zero(setting, side, m_a_eV):
    """T14: the value vanishes and so does its derivative."""
    found = spectrum(setting.model, with_mass(setting.world, m_a_eV), side)
    np.testing.assert_array_equal(found, 0.0)


def test_many_masses_at_once(setting, side):
    """T14: finite everywhere; vmap, lax.map and single calls agree."""
    masses = jnp.geomspace(1e-14, 1e-9, 60)

    def total(mass):
        one, two = setting.model.halo_terms(with_mass(setting.world, mass), side)
        return one + two

    @jax.jit
    def batched(masses):
        values = jax.vmap(total)(masses)
        slopes = jax.vmap(jax.jacrev(lambda m: total(m)))(masses)
        return values, slopes

    values, slopes = (np.asarray(x) for x in batched(masses))
    assert values.dtype == slopes.dtype == np.float64
    assert np.all(np.isfinite(values))
    assert np.all(np.isfinite(slopes))
    assert np.all(values <= 0.0)
    assert np.any(values < 0.0)
    empty = (np.asarray(masses) < 1.2e-13) | (np.asarray(masses) > 1e-11)
    np.testing.assert_array_equal(values[empty], 0.0)
    np.testing.assert_array_equal(slopes[empty], 0.0)
    np.testing.assert_allclose(setting.curve(masses), values, rtol=1e-11, atol=1e-25)


def test_new_values_do_not_trace_again(setting, side):
    world = with_mass(setting.world, 5e-13)
    spectrum(setting.model, world, side)
    before = len(TRACES)
    moved = set_paths(
        world,
        {
            "axion.m_a_eV": jnp.array(7e-13),
            "halos.gas.gamma": jnp.array(-0.25),
            "halos.field.ln_amplitude": jnp.array(0.1),
        },
    )
    cuts = dataclasses.replace(setting.model.cuts, x_lo=jnp.array(0.12))
    spectrum(dataclasses.replace(setting.model, cuts=cuts, nu_GHz=143.0), moved, side)
    assert len(TRACES) == before


# --- caches ---------------------------------------------------------------------------------------
def same(a, b):
    """Whether two prepared items agree bit by bit."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def test_every_leaf_invalidates_what_depends_on_it(setting):
    """Each leaf of the world is moved: only items that its path touches may change."""
    world = with_mass(setting.world, 3e-13)
    base, model = setting.items(3e-13), setting.model
    idle = {"axion.u", "halos.field.scatter_dex", "halos.field.profile_dex"}
    seen = {}
    for path in leaf_paths(world, elements=False):
        value = get_path(world, path)
        moved = set_paths(world, {path: value * 1.003 + (value == 0.0) * 0.01})
        items = model.prepare(moved, ())
        changed = {name for name in items if not same(items[name], base[name])}
        touched = model.touched((path,))
        assert changed <= touched, (path, changed - touched)
        assert changed or path in idle or path.startswith("halos.power."), path
        seen[path] = touched
    assert seen["axion.u"] == set()
    assert seen["axion.m_a_eV"] == seen["halos.gas.gamma"] == {"conversion"}
    assert seen["halos.hod.alpha_s"] == seen["halos.galaxies.dndz"] == {"galaxies"}
    assert seen["halos.hod.truncation"] == {"satellites", "galaxies"}
    assert seen["halos.mass_function.ln_amplitude"] == {"abundance", "galaxies"}
    assert seen["cosmology.h0_km_s_Mpc"] == set(base)
    # An element of a leaf, and several at once.
    assert model.touched(("halos.galaxies.dndz[3]", "halos.field.coefficients[0,1,2]")) == {
        "galaxies",
        "conversion",
    }


@pytest.mark.parametrize(
    "free",
    [
        (),
        pytest.param(("halos.hod.alpha_s", "axion.u"), marks=pytest.mark.slow),
        pytest.param(("cosmology.omega_c", "halos.gas.beta.amplitude"), marks=pytest.mark.slow),
    ],
)
def test_prepared_and_plain_responses_agree(setting, free):
    """A free leaf moved after the preparation acts as it does without any."""
    world = with_mass(setting.world, 5e-13)
    moved = set_paths(world, {path: 1.01 * get_path(world, path) for path in free})
    cache = setting.model.prepare(world, free)
    kept = set(setting.model.dependencies()) - setting.model.touched(free)
    assert set(cache) in (kept, kept - {"window"})
    found = spectrum(setting.model, moved, cache)
    np.testing.assert_allclose(found, spectrum(setting.model, moved, {}), rtol=1e-12)


# --- other halos ----------------------------------------------------------------------------------
def test_constant_field(setting, side):
    """C ~ B^2 for the same field everywhere."""
    worlds = [
        eqx.tree_at(lambda w: w.halos.field, with_mass(setting.world, 5e-13), halo_field(f))
        for f in ("constant:1", "constant:3")
    ]
    one, nine = (spectrum(setting.model, w, side) for w in worlds)
    assert np.all(np.asarray(one) < 0.0)
    np.testing.assert_allclose(nine, 9.0 * one, rtol=1e-13)


def test_field_of_constant_beta(setting, side):
    """C ~ 1/beta."""
    worlds = [
        eqx.tree_at(lambda w: w.halos.field, with_mass(setting.world, 5e-13), halo_field(f))
        for f in ("beta:100", "beta:10")
    ]
    hundred, ten = (spectrum(setting.model, w, side) for w in worlds)
    assert np.all(np.asarray(hundred) < 0.0)
    np.testing.assert_allclose(ten, 10.0 * hundred, rtol=1e-12)


def test_several_resonances_add(setting, side):
    """A shell in the gas: each halo converts at up to three radii, and their signals add."""
    x = np.geomspace(0.03, 3.0, 60)
    shell = np.exp(-(((np.log(x) - np.log(0.5)) / 0.25) ** 2))
    ln_n = np.log(3e-4) - 1.5 * np.log(x) + 1.5 * shell
    gas = tabulated_gas(HaloProfiles(np.array([0.5]), np.array([13.0]), x, ln_n[None, None, :]))
    assert gas.slots == 3
    world = eqx.tree_at(lambda w: w.halos.gas, with_mass(setting.world, 1.96e-12), gas)

    @eqx.filter_jit
    def conversion_and_terms(model, world, side):
        conversion = model._conversion(world, side)
        return conversion, model.halo_terms(world, {**side, "conversion": conversion})

    conversion, terms = conversion_and_terms(setting.model, world, side)
    per_root = []
    for r in range(3):
        one_root = jax.tree.map(lambda a, r=r: a[r : r + 1], conversion)
        shares = cells(setting.model, {**side, "conversion": one_root})
        per_root.append(sum(np.sum(x, axis=(1, 2)) for x in shares))
    assert all(np.all(c[:2] < 0.0) for c in per_root)
    np.testing.assert_allclose(terms[0] + terms[1], np.sum(per_root, axis=0), rtol=1e-9)
