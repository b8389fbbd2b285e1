"""Choice of the conversion engine, its warnings and flags."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.constants import DELTA_A_KPC, DELTA_PL_KPC
from diffaxion.conversion.axion import Axion
from diffaxion.conversion.born import born_probability
from diffaxion.conversion.engine import (
    conversion_flags,
    conversion_probability,
    probability_over_masses,
    resolve_engine,
)
from diffaxion.conversion.mixing import exact_probability
from diffaxion.environments.galaxy.sightline import LinePath
from diffaxion.errors import ConfigurationError, DiffaxionWarning, ValidityError

ENERGY = jnp.array([10.0, 80.0])


def path(n_e=None, n=201):
    s = np.linspace(0.0, 8.0, n)
    return LinePath(s, 1 + 0 * s, 0.5 * s, 0.03 + 0 * s if n_e is None else n_e(s))


WEAK = Axion.from_g(1e-12, 1e-12)
STRONG = Axion.from_g(1e-12, 1e-10)


def test_auto_is_born_while_weak_and_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert resolve_engine("auto", path(), WEAK, ENERGY) == "born"
        assert resolve_engine("exact", path(), STRONG, ENERGY) == "exact"


def test_auto_switches_above_one_percent_and_says_so():
    assert float(conversion_flags(path(), STRONG, ENERGY).max_probability) > 1e-2
    with pytest.warns(DiffaxionWarning, match="exact chain"):
        assert resolve_engine("auto", path(), STRONG, ENERGY) == "exact"


def test_born_on_request_above_its_limit_warns():
    with pytest.warns(DiffaxionWarning, match="off by about"):
        assert resolve_engine("born", path(), STRONG, ENERGY) == "born"
    # Signed signals stay with Born: the chain has no negative coupling.
    with pytest.warns(DiffaxionWarning, match="off by about"):
        assert resolve_engine("auto", path(), Axion(1e-12, -1e4), ENERGY) == "born"


def test_exact_refuses_negative_coupling():
    with pytest.raises(ValidityError, match=r"u = -1\.0"):
        resolve_engine("exact", path(), Axion(1e-12, -1.0), ENERGY)


def test_unknown_engine():
    with pytest.raises(ConfigurationError, match="exact"):
        resolve_engine("exakt", path(), WEAK, ENERGY)
    with pytest.raises(ConfigurationError, match="resolve_engine"):
        conversion_probability(path(), WEAK, ENERGY, engine="auto")
    with pytest.raises(ConfigurationError, match="QED"):
        conversion_probability(path(), WEAK, ENERGY, qed=True)


def test_probabilities_are_those_of_the_engines():
    p, m = path(), WEAK.m_a_eV
    born = conversion_probability(p, Axion(m, -3.0), ENERGY)
    np.testing.assert_allclose(born, -3.0 * born_probability(p, ENERGY, m), rtol=1e-14)
    exact = conversion_probability(p, STRONG, ENERGY, engine="exact")
    np.testing.assert_allclose(exact, exact_probability(p, ENERGY, m, STRONG.u), rtol=1e-14)
    assert np.all(np.abs(exact / conversion_probability(p, STRONG, ENERGY) - 1.0) > 1e-3)
    _, slope = jax.jvp(
        lambda u: conversion_probability(p, Axion(m, u), ENERGY, engine="exact", reverse="store"),
        (jnp.array(1e-6),),
        (jnp.array(1.0),),
    )
    np.testing.assert_allclose(slope, born_probability(p, ENERGY, m), rtol=1e-3)


def test_masses_together_equal_masses_one_by_one():
    masses = jnp.array([0.0, 1e-12, 2e-11])
    together = probability_over_masses(path(), WEAK.u, masses, ENERGY, batch_size=2)
    for row, m in zip(together, masses, strict=True):
        one = conversion_probability(path(), Axion(m, WEAK.u), ENERGY)
        np.testing.assert_allclose(row, one, rtol=1e-12)


def test_flags_of_a_resonance():
    """n_e = 0.02 s crosses m = omega_pl once, at s = 4 kpc; slope and phases by hand."""
    m = np.sqrt(DELTA_PL_KPC * 0.08 / DELTA_A_KPC)
    axion = Axion(m, 1.0)
    # The crossing lies inside a cell, not on a node.
    medium = path(lambda s: 0.02 * (s + 0.013))
    flags = conversion_flags(medium, axion, ENERGY)
    h, slope = 0.04, DELTA_PL_KPC * 0.02 / 10.0
    assert int(flags.resonances) == 1
    np.testing.assert_allclose(flags.max_resonance_phase, slope * h**2, rtol=1e-9)
    np.testing.assert_allclose(flags.max_phase_per_cell, slope * h * 3.993, rtol=2e-3)
    assert bool(flags.resonances_resolved)
    assert bool(flags.trapezoid_valid)
    steep = path(lambda s: 200.0 * (s + 0.013))
    heavy = Axion(m * 100.0, 1e-9)
    flags = conversion_flags(steep, heavy, ENERGY)
    assert int(flags.resonances) == 1
    assert not bool(flags.resonances_resolved)
    assert not bool(flags.trapezoid_valid)
    with pytest.warns(DiffaxionWarning, match="not resolved"):
        resolve_engine("born", steep, heavy, ENERGY)
