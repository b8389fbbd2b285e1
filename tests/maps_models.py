"""Small simulated skies and pipeline runs that several tests share."""

import functools

from diffaxion.analyses.maps_config import parse_maps_configuration
from diffaxion.analyses.maps_pipeline import plan_maps, run_maps
from diffaxion.analyses.maps_simulation import simulated_sky

NSIDE = 32


def settings(**sections):
    """Settings of a small sky with a signal and holes; sections are merged."""
    values = {
        "seed": 3,
        "simulation": {"nside": NSIDE, "strength": 200.0, "sources": 6},
        "cleaning": {"also": {"nothing": []}},
    }
    for name, section in sections.items():
        if isinstance(section, dict):
            values[name] = values.get(name, {}) | section
        else:
            values[name] = section
    return parse_maps_configuration(values)


@functools.lru_cache(maxsize=1)
def sky():
    """The sky of the settings."""
    return simulated_sky(settings())


@functools.lru_cache(maxsize=1)
def result():
    """The pipeline on it, in memory."""
    return run_maps(plan_maps(settings(), sky()))
