"""Forward models of screening that several tests share, compiled once in each process."""

import functools

import jax.numpy as jnp
import numpy as np

from diffaxion.analyses import (
    screening_curve,
    screening_section,
    screening_spectrum,
    screening_terms,
    screening_world,
)
from diffaxion.parameters import set_paths

# Masses [eV] and multipoles of the reference spectra of the public code.
REFERENCE_MASSES = np.fromstring(
    "2.227542952e-13 3.10995155e-13 4.341913423e-13 6.061898993e-13 "
    "8.463231721e-13 1.181581733e-12 1.649648074e-12 2.15443469e-12",
    sep=" ",
)
REFERENCE_ELL = np.fromstring(
    "10 12 14 16 18 22 25 29 34 40 46 54 63 74 86 100 117 136 159 185 216 252 294 342 399 466 543 "
    "633 738 861 1004 1170 1365 1591 1856 2164 2523 2942 3430 4000",
    sep=" ",
)
# Multipoles of the tables of the specification.
TABLE_ELL = np.array([100.0, 300.0, 600.0, 1000.0, 1500.0, 2000.0])
# A grid that is small enough to compile and run in no time; it resolves nothing.
SMALL = {"n_z": 6, "n_mass": 10, "z_range": (0.1, 1.2), "mass_range_Msun": (3e10, 2e15)}
SMALL_ELL = np.array([30.0, 300.0, 2000.0])


class Setting:
    """A section with its world, model and cache for a moving mass; spectra by compiled programs."""

    def __init__(self, configuration, ell, **overrides):
        self.section = screening_section(configuration, **overrides)
        self.world = screening_world(self.section)
        self.model = screening_spectrum(self.section, ell)

    def items(self, m_a_eV):
        """Everything that can be prepared, at one mass; always the same compiled program."""
        return self.model.prepare(with_mass(self.world, m_a_eV), ())

    @functools.cached_property
    def cache(self):
        """What does not depend on the mass."""
        return {k: v for k, v in self.items(3e-13).items() if k != "conversion"}

    def curve(self, masses, kind="Tg"):
        """C_l per unit strength, shape (k, l)."""
        masses = jnp.asarray(masses, float)
        return np.asarray(screening_curve(self.model, self.world, self.cache, masses, kind))

    def terms(self, m_a_eV, kind="Tg"):
        """One- and two-halo terms per unit strength at one mass."""
        world = with_mass(self.world, m_a_eV)
        return [np.asarray(x) for x in screening_terms(self.model, world, self.cache, kind)]


def with_mass(world, m_a_eV):
    """The world with another mass of the boson."""
    return set_paths(world, {"axion.m_a_eV": jnp.asarray(m_a_eV, float)})


@functools.lru_cache(maxsize=8)
def parity(**overrides):
    """The regression oracle, at the multipoles of the reference and of the tables."""
    return Setting("parity", np.concatenate([REFERENCE_ELL, TABLE_ELL[1:]]), **overrides)


@functools.lru_cache(maxsize=8)
def default(n_z=48, n_mass=134):
    """Physics first, at the multipoles of the tables."""
    return Setting("default", TABLE_ELL, n_z=n_z, n_mass=n_mass)


@functools.lru_cache(maxsize=32)
def small(configuration="default", **overrides):
    """Either configuration on a grid of six redshifts, ten masses and three multipoles."""
    return Setting(configuration, SMALL_ELL, **(SMALL | overrides))


def cells(model, items):
    """Contributions of every halo to both terms of C_l^Tg, (l, z, m), in NumPy on prepared items.

    Both terms are linear in the screening side, so that each halo has its share of both.
    """
    low = model.integration.n_low
    grid, conversion, galaxies = items["grid"], items["conversion"], items["galaxies"]
    number, biased = (np.asarray(x)[:, low:] for x in items["abundance"])
    a = (np.asarray(model.ell)[:, None, None, None] + 0.5) * np.asarray(conversion.theta)
    x = 6.215860594  # h 353 GHz/k 2.7255 K
    factor = 2.7255e6 * -np.expm1(-x) / x
    screening = -factor * np.sum(np.asarray(conversion.depth) * np.sinc(a / np.pi), axis=1)
    weight = np.asarray(model.integration.z_weight)
    volume = weight * np.asarray(grid.chi_Mpc[:, 0] ** 2 / grid.hubble_Mpc[:, 0])
    line = volume * np.asarray(galaxies.kernel)
    hosted = np.asarray(galaxies.central) + np.asarray(galaxies.satellite * items["satellites"])
    one = number * hosted * line[:, None]
    two = (
        biased * (np.asarray(items["linear"].power) * np.asarray(galaxies.biased) * line)[..., None]
    )
    return screening * one, screening * two
