"""The default X-ray models, built and compiled once for all test modules of one process."""

from __future__ import annotations

import functools

import equinox as eqx

from diffaxion.analyses import build_probe, build_world, published_spectrum
from diffaxion.analyses.config import ModelSection
from diffaxion.environments.galaxy import uniform_fractions

TARGETS = ("quintuplet", "wd1")
# Coupling of the released signal curves [1e-12 GeV^-1] and columns of the released limits.
G_CURVE = {"quintuplet": 4.0, "wd1": 5.0}
COLUMN = {"quintuplet": "quint", "wd1": "wd1"}
P_TABLE = {"quintuplet": "p_quintuplet_jf12_bz3p2.csv", "wd1": "p_wd1_jf12_d2p6.csv"}

response = eqx.filter_jit(lambda probe, world, cache=None: probe.response(world, cache))


@functools.cache
def world():
    """Default world: JF12 with 3.2 muG inside 1 kpc, YMW16, m_a -> 0, u = 1."""
    return build_world(ModelSection())


@functools.cache
def spectrum(target):
    """Released spectrum of a target."""
    return published_spectrum(target)


@functools.cache
def probe(target, mode="published", nodes=2000, energies=5):
    """Forward model on a uniform grid; the default is the grid of the limit curves."""
    return build_probe(spectrum(target), world(), mode, uniform_fractions(nodes), energies)


@functools.cache
def cache(target, mode="published", nodes=2000, energies=5):
    """Everything that does not depend on the mass."""
    return probe(target, mode, nodes, energies).prepare(world())


def replace(tree, **leaves):
    """Tree with leaves replaced by dotted path, ``__`` standing for the dot."""
    from diffaxion.parameters import set_paths

    return set_paths(tree, {path.replace("__", "."): value for path, value in leaves.items()})
