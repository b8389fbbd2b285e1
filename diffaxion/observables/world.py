"""The root tree: every physical object of an analysis, each exactly once."""

from __future__ import annotations

import equinox as eqx

from ..conversion.axion import Axion
from ..environments.galaxy.galaxy import Galaxy
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
    """

    axion: Axion
    galaxy: Galaxy
    clusters: dict[str, Cluster]
    instruments: dict[str, Instrument]
