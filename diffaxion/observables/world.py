"""The root tree: every physical object of an analysis, each exactly once."""

from __future__ import annotations

import equinox as eqx

from ..conversion.axion import Axion
from ..environments.cosmology import Cosmology
from ..environments.galaxy.galaxy import Galaxy
from ..environments.halos.model import Halos
from ..environments.stars.clusters import Cluster
from .xray.response import Instrument


class World(eqx.Module):
    """All physics that probes share; probes hold data and choices only.

    A part that no probe of an analysis uses may be left out: it is None then.

    Attributes
    ----------
    axion : Axion
        Mass [eV] and coupling.
    galaxy : Galaxy
        Field [muG], electrons [cm^-3], Sun [kpc], for X-ray probes.
    clusters : dict of str to Cluster
        Sources by name.
    instruments : dict of str to Instrument
        Telescopes by name.
    cosmology : Cosmology
        Background, growth and primordial power, for CMB probes.
    halos : Halos
        Dark-matter halos, for CMB probes.
    """

    axion: Axion
    galaxy: Galaxy = eqx.field(default=None)
    clusters: dict[str, Cluster] = eqx.field(default_factory=dict)
    instruments: dict[str, Instrument] = eqx.field(default_factory=dict)
    cosmology: Cosmology = eqx.field(default=None)
    halos: Halos = eqx.field(default=None)
