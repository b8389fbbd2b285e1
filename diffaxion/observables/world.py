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

    Attributes
    ----------
    axion : Axion
        Mass [eV] and coupling.
    galaxy : Galaxy
        Field [muG], electrons [cm^-3], Sun [kpc].
    clusters : dict of str to Cluster
        Sources by name.
    instruments : dict of str to Instrument
        Telescopes by name.
    cosmology : Cosmology or None
        Background, growth and primordial power; None without a CMB probe.
    halos : Halos or None
        Dark-matter halos; None without a CMB probe.
    """

    axion: Axion
    galaxy: Galaxy | None = None
    clusters: dict[str, Cluster] = eqx.field(default_factory=dict)
    instruments: dict[str, Instrument] = eqx.field(default_factory=dict)
    cosmology: Cosmology | None = None
    halos: Halos | None = None
