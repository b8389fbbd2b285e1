"""Forward model of the spectra: what each mode is anchored to, and what its caches may change."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from diffaxion.analyses.config import ModelSection
from diffaxion.analyses.star_clusters import build_galaxy
from diffaxion.conversion import (
    born_probability,
    photoelectric_cross_section_cm2,
    random_field_probability,
    stellar,
)
from diffaxion.data import read_profile
from diffaxion.environments.galaxy import sample_path, uniform_fractions
from diffaxion.environments.stars import profile_from_mesa
from diffaxion.errors import ValidityError
from diffaxion.observables import xray
from diffaxion.parameters import set_paths
from tests import xray_models as models
from tests.conftest import read_csv

HERE = "clusters.quintuplet."


def released(shared, target):
    """Released signal curve in the analysed bins, and its coupling."""
    table = read_csv(shared / "data/ssc/nustar_spectra.csv")
    keep = np.isin(table["energy_keV"] - 2.5, models.spectrum(target).low_keV)
    return table[f"{target}_axion"][keep]


def conversion(shared, target):
    """Reference table: masses [eV], energies [keV], p at g = 1e-12 GeV^-1."""
    columns = read_csv(shared / "data/galaxy" / models.P_TABLE[target])
    masses = columns.pop("m_a_eV")
    return masses, np.arange(10.0, 81.0), np.stack(list(columns.values()), axis=1)


def bin_means(values, energy, low):
    """Trapezoid mean over bins of 5 keV that start at ``low``."""
    means = []
    for start in low:
        inside = (energy >= start - 1e-9) & (energy <= start + 5.0 + 1e-9)
        means.append(np.trapezoid(values[inside], energy[inside]) / 5.0)
    return np.array(means)


@pytest.mark.parametrize("target", models.TARGETS)
def test_published_mode_is_the_released_curve(shared, target):
    """Exact at m_a = 0 and g0; each target has its own g0, a factor (5/4)^4 otherwise."""
    massless = set_paths(
        models.world(), {"axion.m_a_eV": 0.0, "axion.u": models.G_CURVE[target] ** 2}
    )
    expected = released(shared, target)
    found = models.response(models.probe(target), massless, models.cache(target))
    np.testing.assert_allclose(massless.axion.a * found, expected, rtol=1e-12)
    assert models.probe(target).order == 2
    # The lightest mass of the released limits, 1e-13 eV, moves the bins by less than 1e-4.
    light = models.response(models.probe(target), models.world(), models.cache(target))
    np.testing.assert_allclose(light, found, rtol=1e-4)


@pytest.mark.parametrize(("target", "tolerance"), [("quintuplet", 1e-3), ("wd1", 1e-4)])
def test_mass_dependence_is_that_of_the_reference_tables(shared, target, tolerance):
    """r(m)/r(0) = mean of p(m) over mean of p(0), by splines through the tables' 1 keV steps.

    The tables are good to 3e-4 (Quintuplet) and 1e-5 (Westerlund 1) at these masses.
    """
    masses, energy, p = conversion(shared, target)
    starts = models.spectrum(target).low_keV

    def mean(values):
        spline = CubicSpline(energy, values)
        return np.array([spline.integrate(e, e + 5.0) / 5.0 for e in starts])

    for k in np.flatnonzero(np.isin(np.round(np.log10(masses), 3), (-12.0, -11.5, -11.0))):
        world = set_paths(models.world(), {"axion.m_a_eV": masses[k]})
        found = models.response(models.probe(target), world, models.cache(target))
        expected = models.spectrum(target).curve * mean(p[k]) / mean(p[0])
        np.testing.assert_allclose(found, expected, rtol=tolerance)


def test_luminosity_distance_and_probability_scale_the_curve():
    """s = curve * pbar/pbar_fid * (d_ref/d)^2 e^delta, pbar by the trapezoid rule on 1601 nodes."""
    moved = set_paths(
        models.world(),
        {
            "clusters.wd1.distance_kpc": 3.3,
            "clusters.wd1.ln_luminosity": 0.3,
            "clusters.wd1.ln_metallicity_gain": 0.1,
            "clusters.wd1.ln_density": -0.2,
            "galaxy.field.outer.norm_x": 1.3,
        },
    )
    probe = models.probe("wd1")
    energy = np.linspace(15.0, 80.0, 13 * 20 + 1)

    @jax.jit
    def probability(world):
        line, fractions = probe.sightline(world), uniform_fractions(1601)
        path = sample_path(line, world.galaxy.field, world.galaxy.density, fractions)
        n_e = path.n_e_cm3 * jnp.exp(world.clusters["wd1"].ln_density)
        path = eqx.tree_at(lambda p: p.n_e_cm3, path, n_e)
        return born_probability(path, jnp.asarray(energy), world.axion.m_a_eV, "trapezoid")

    def mean(world):
        return bin_means(np.asarray(probability(world)), energy, models.spectrum("wd1").low_keV)

    expected = models.spectrum("wd1").curve * mean(moved) / mean(models.world())
    expected *= (2.6 / 3.3) ** 2 * np.exp(0.4)
    found = models.response(probe, moved, probe.prepare(moved))
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize(("target", "mode"), [("quintuplet", "published"), ("wd1", "anchored")])
def test_caches_do_not_change_the_response(target, mode):
    """Everything cached: the same to rounding. Tabulated electrons: linear interpolation."""
    probe, world = models.probe(target, mode), models.world()
    plain = models.response(probe, world)
    whole = models.cache(target, mode)
    assert set(whole) == {"weights", "path"}
    np.testing.assert_allclose(models.response(probe, world, whole), plain, rtol=1e-10)
    partly = probe.prepare(world, ("galaxy.field.outer.norm_x",), reach_kpc=9.0)
    assert set(partly) == {"weights", "electrons"}
    assert float(partly["electrons"][0][-1]) == 9.0
    np.testing.assert_allclose(models.response(probe, world, partly), plain, rtol=2e-5)


def test_what_a_free_path_invalidates():
    probe = models.probe("quintuplet", "anchored")
    assert probe.touched(("axion.u", "axion.m_a_eV", "galaxy.turbulence.coherence_kpc")) == set()
    assert probe.touched((HERE + "ln_luminosity", "clusters.wd1.distance_kpc")) == set()
    assert probe.touched((HERE + "distance_kpc",)) == {"path"}
    assert probe.touched((HERE + "class_counts[1]", "instruments.nustar.ln_area")) == {"weights"}
    assert probe.touched(("galaxy.field.outer.b_arm_muG[3]",)) == {"path"}
    assert probe.touched(("galaxy.density.n_1_cm3",)) == {"path", "electrons"}
    assert probe.touched(("galaxy.r_sun_kpc",)) == {"path", "direction"}
    # Names that merely begin alike are other parameters.
    assert probe.touched((HERE + "tilted", "galaxy.fields")) == set()


def test_halving_core_temperature_or_area_moves_the_anchored_signal_only():
    """L_10-80 is fixed by the publication, so that T_c changes the shape: soft bins up."""
    base = models.world()
    cool = set_paths(base, {HERE + "ln_core_temperature": np.log(0.5)})
    small = set_paths(base, {"instruments.nustar.ln_area": np.log(0.5)})
    for mode in ("anchored", "published"):
        probe = models.probe("quintuplet", mode)
        plain, cooled, halved = (
            np.asarray(models.response(probe, w, probe.prepare(w))) for w in (base, cool, small)
        )
        if mode == "anchored":
            np.testing.assert_allclose(halved, 0.5 * plain, rtol=1e-12)
            ratio = cooled / plain
            assert np.all(np.diff(ratio) < 0.0)
            assert ratio[0] > 1.5
            assert ratio[-1] < 0.5
        else:
            np.testing.assert_array_equal(halved, plain)
            np.testing.assert_array_equal(cooled, plain)


@pytest.mark.parametrize("target", models.TARGETS)
def test_forward_fold_comes_near_the_released_curve(shared, target):
    """T13: spectrum of the WC profile at L_pub, p tables, default area; absolute scale unknown.

    Every bin within a factor 2.6, the sum of the released curve over the fold within 0.6-2.
    """
    star = profile_from_mesa(read_profile(shared / "data/ssc/mesa_profile_wc.csv"), "exact", 0.0)
    energy = np.linspace(10.0, 80.0, 1401)
    shape = np.array(stellar.luminosity_spectrum(star, jnp.asarray(energy)))
    source = models.world().clusters[target]
    spectrum = float(source.luminosity_10_80_erg_s) * shape / np.trapezoid(shape, energy)
    low = np.arange(10.0, 80.0, 5.0)
    grid = xray.fold_grid(low, low + 5.0, 5)
    fine = np.asarray(grid.fine_keV)
    flux = xray.photon_spectrum(np.interp(fine, energy, spectrum), fine, source.distance_kpc)
    weights = xray.fold_weights(models.world().instruments["nustar"], grid, flux)
    _, table_energy, p = conversion(shared, target)
    nodes, _ = xray.bin_nodes_keV(grid.low_keV, grid.high_keV, 5)
    rate = jnp.einsum("ijq,jq->i", weights, jnp.interp(nodes, table_energy, p[0]))
    strength = models.G_CURVE[target] ** 4
    fold = np.asarray(rate)[-len(models.spectrum(target).low_keV) :] * strength / 1e-4
    ratio = released(shared, target) / fold
    assert np.all((ratio < 2.6) & (ratio > 1.0 / 2.6))
    assert 0.6 < released(shared, target).sum() / fold.sum() < 2.0
    # The mode ``anchored`` is the same fold with the spectra of the built-in population, whose WN
    # stars are cooler than the profile: up to 9 % more in the softest bin.
    probe = models.probe(target, "anchored")
    ours = models.response(probe, models.world(), models.cache(target, "anchored"))
    np.testing.assert_allclose(ours * strength, fold, rtol=0.1)


def test_implied_luminosities_differ_by_one_factor(shared):
    """T14: curve/(p ARF/(4 pi d^2 E)), Wd1 over Quintuplet, constant to 5 % above 20 keV."""
    implied = {}
    for target in models.TARGETS:
        instrument = models.world().instruments["nustar"]
        area = np.interp(np.linspace(10.0, 80.0, 1401), instrument.energy_keV, instrument.area_cm2)
        fine = np.linspace(10.0, 80.0, 1401)
        _, energy, p = conversion(shared, target)
        unit = area * np.interp(fine, energy, p[0]) / fine
        unit /= float(models.world().clusters[target].distance_kpc) ** 2
        mean = bin_means(unit, fine, np.arange(20.0, 80.0, 5.0))
        implied[target] = released(shared, target)[-12:] / models.G_CURVE[target] ** 4 / mean
    ratio = implied["wd1"] / implied["quintuplet"]
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, atol=0.05)
    assert 2.3 < ratio.mean() < 2.6


def test_absorption_lowers_the_softest_bins_most():
    """A column of 6e22 cm^-2 spread along the line: percents at 10 keV, nothing at 80 keV."""
    world = set_paths(models.world(), {HERE + "column_1e22_cm2": 6.0})
    clear = models.probe("quintuplet")
    absorbed = dataclasses.replace(clear, absorption=True)
    kept = np.asarray(
        models.response(absorbed, world, absorbed.prepare(world))
        / models.response(clear, world, clear.prepare(world))
    )
    edges = jnp.asarray(models.spectrum("quintuplet").low_keV)
    # Photons made on the way cross part of the column only.
    assert np.all(kept > np.exp(-6e22 * jax.vmap(photoelectric_cross_section_cm2)(edges)))
    assert np.argmin(kept) == 0
    assert kept[0] < 0.99
    assert np.all(kept < 1.0)
    assert np.all(kept[4:] > 0.998)
    # The column counts only where absorption is switched on.
    none = set_paths(world, {HERE + "column_1e22_cm2": 0.0})
    np.testing.assert_allclose(
        models.response(absorbed, none, absorbed.prepare(none)),
        models.response(clear, none, clear.prepare(none)),
        rtol=1e-9,  # another formula for the same integral
    )


def test_turbulence_adds_its_mean_probability():
    base = models.world()
    galaxy = build_galaxy(ModelSection(turbulence="jf12b"))
    stirred = eqx.tree_at(
        lambda w: w.galaxy.turbulence, base, galaxy.turbulence, is_leaf=lambda x: x is None
    )
    probe = models.probe("wd1")
    cache = probe.prepare(base)
    calm, turbulent = (models.response(probe, w, cache) for w in (base, stirred))
    energy = probe.node_energies_keV()
    extra = jax.jit(random_field_probability)(
        galaxy.turbulence,
        probe.sightline(base),
        cache["path"],
        energy.ravel(),
        base.axion.m_a_eV,
    ).reshape(energy.shape)
    added = jnp.einsum("ijq,jq->i", cache["weights"], extra)
    assert np.all(np.asarray(added) > 0.0)
    np.testing.assert_allclose(turbulent, calm + added, rtol=1e-10)


def test_sampled_density_must_reach_the_source():
    """NE2001 is tabulated to 5 kpc toward Westerlund 1."""
    model = ModelSection(targets=["wd1"], density="ne2001")
    world = eqx.tree_at(lambda w: w.galaxy, models.world(), build_galaxy(model))
    probe = models.probe("wd1")
    assert float(jnp.min(probe.prepare(world)["path"].n_e_cm3)) > 0.0
    far = set_paths(world, {"clusters.wd1.distance_kpc": 5.5})
    with pytest.raises(ValidityError, match=r"5\.5"):
        probe.prepare(far)
