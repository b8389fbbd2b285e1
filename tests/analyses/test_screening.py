"""Recipes of screening: sections, worlds, models, and a power spectrum of the user."""

import functools

import equinox as eqx
import jax
import numpy as np
import pytest

from diffaxion.analyses import screening_section, screening_spectrum, screening_world
from diffaxion.analyses.screening_checks import check_tables, warn_tangential
from diffaxion.conversion import resonance_log_density
from diffaxion.data import HaloProfiles
from diffaxion.environments.cosmology import EisensteinHuPower, TabulatedPower
from diffaxion.environments.halos import ConstantBetaField, TNGField, tabulated_gas
from diffaxion.errors import ConfigurationError, DiffaxionWarning, ValidityError
from tests.screening_models import SMALL, Setting, small


def test_every_object_of_the_world_is_there_once():
    """Paths name numbers uniquely: no leaf is shared."""
    for setting in (small(), small("parity")):
        leaves = [x for x in jax.tree.leaves(setting.world) if hasattr(x, "dtype")]
        assert len({id(x) for x in leaves}) == len(leaves)
        assert all(x.dtype == np.float64 for x in leaves)


def test_configurations_differ_in_what_they_say():
    default, parity = small(), small("parity")
    assert default.world.halos.field.scheme == "smooth"
    assert parity.world.halos.field.scheme == "piecewise"
    assert (default.world.cosmology.constants, parity.world.cosmology.constants) == (
        "exact",
        "public-code",
    )
    assert parity.world.halos.power == EisensteinHuPower("camb-large-scale")
    assert (default.model.cuts.edges, parity.model.cuts.edges) == ("taper", "hard")
    assert parity.world.halos.mass_function.normalisation == "truncated"
    full = screening_section("parity")
    assert (full.n_z, full.n_mass, full.rule) == (50, 100, "simpson")


def test_worlds_of_other_choices():
    capped = screening_world(screening_section(field="beta:100", field_mass_cap_Msun=10**14.5))
    assert isinstance(capped.halos.field, ConstantBetaField)
    assert float(capped.halos.field.mass_cap_Msun) == pytest.approx(10**14.5)
    dark = screening_section(boson="dark-photon")
    assert (dark.x_lo, dark.x_hi, dark.floor_Msun) == (1e-4, 10.0, 1e9)
    assert screening_section(boson="dark-photon", x_lo=0.02).x_lo == 0.02
    assert screening_world(dark).halos.field is None
    assert isinstance(screening_world(screening_section("parity")).halos.field, TNGField)


@pytest.mark.parametrize(
    ("options", "lightest"),
    [
        ({}, 1e11),
        ({"floor_Msun": 1e13}, 1e11),  # their satellites have a profile
        ({"floor_Msun": 1e10}, 1e10),
        ({"taper_width": 1.0}, 0.6e11),  # conversion sets in below the floor
        ({"taper_width": 1.0, "edges": "hard"}, 1e11),
    ],
)
def test_masses_without_conversion(options, lightest):
    model = screening_spectrum(screening_section(**options), [100.0])
    first = float(model.integration.mass_Msun[model.integration.n_low])
    assert 0.9 * lightest < first < 1.1 * lightest


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: screening_section("pariti"), ConfigurationError, "'pariti'.*parity"),
        (lambda: screening_section(feild="tng"), ConfigurationError, "'feild'.*field"),
        (lambda: screening_section(n_z=2), ConfigurationError, "n_z = 2"),
        (lambda: screening_section(edges="soft"), ConfigurationError, "edges = 'soft'"),
        (
            lambda: screening_world(screening_section(field_mass_cap_Msun=1e14)),
            ConfigurationError,
            "beta:VALUE.*'tng-smooth'",
        ),
        (lambda: screening_world(screening_section(hod="K24")), ConfigurationError, "K24"),
        (lambda: screening_spectrum(screening_section(), [1.0]), ValidityError, "multipole 1"),
        (lambda: screening_spectrum(screening_section(), [np.nan]), ValidityError, "l >= 2"),
        (lambda: screening_spectrum(screening_section(), [[10.0]]), ValidityError, "l >= 2"),
        (
            lambda: screening_spectrum(screening_section(x_lo=1.2), [100.0]),
            ConfigurationError,
            "x_lo = 1.2, x_hi = 1.1",
        ),
    ],
)
def test_refusals(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_fields_are_not_extrapolated_inwards():
    for field, refused in (("tng-smooth", True), ("beta:100", True), ("constant:1", False)):
        section = screening_section(field=field, x_lo=0.04)
        check = functools.partial(
            check_tables, section, screening_world(section), np.array([100.0])
        )
        if refused:
            with pytest.raises(ValidityError, match=r"x_lo = 0.04.*0.05"):
                check()
        else:
            check()


def test_crossings_that_are_left_out_are_told():
    """A shell of dense gas: at the density of its top n_e is flat, well below it is not."""
    radii = np.geomspace(0.02, 3.0, 60)
    ln_n = -9.0 - 1.5 * np.log(radii) + 2.0 * np.exp(-0.5 * (np.log(radii / 0.6) / 0.2) ** 2)
    gas = tabulated_gas(HaloProfiles(np.zeros(1), np.zeros(1), radii, ln_n[None, None]))
    setting = small()
    world = eqx.tree_at(lambda w: w.halos.gas, setting.world, gas)
    shell = np.linspace(np.log(0.4), np.log(0.8), 20001)
    grid = setting.items(3e-13)["grid"]
    values = gas.log_density(grid, np.exp(shell)[:, None, None])[0][:, 0, 0]
    at_1_eV = float(resonance_log_density(1.0))
    top, below = np.exp(0.5 * (float(np.max(values)) - np.array([1e-6, 1e-2]) - at_1_eV))
    with pytest.warns(DiffaxionWarning, match="at 1 of 2 masses crossings are left out"):
        warn_tangential(setting.model, world, [below, top])
    # Warnings are errors: these are silent.
    warn_tangential(setting.model, world, [below, below])
    warn_tangential(setting.model, setting.world, [top])


@pytest.mark.slow
def test_power_spectrum_of_the_user(tmp_path):
    """A table of the Eisenstein-Hu power in a file gives the spectra of that power."""
    options = {**SMALL, "growth": "hypergeometric"}
    plain = Setting("default", [30.0, 300.0], power="eisenstein-hu", **options)
    z, k = np.linspace(0.0, 2.0, 12), np.geomspace(1e-4, 300.0, 700)
    table = plain.world.halos.power(plain.world.cosmology, k, z[:, None])
    path = tmp_path / "power.npz"
    np.savez(path, z=z, k_Mpc=k, power_Mpc3=np.asarray(table))
    user = Setting("default", [30.0, 300.0], power=str(path), **options)
    assert isinstance(user.world.halos.power, TabulatedPower)
    expected, found = (np.sum(s.terms(5e-13), axis=0) for s in (plain, user))
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert np.all(found != expected)
