"""The root tree: every physical object of an analysis, each exactly once."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Float

from ..conversion.axion import Axion
from ..environments.cosmology import Cosmology
from ..environments.galaxy.galaxy import Galaxy
from ..environments.halos.model import Halos
from ..environments.stars.clusters import Cluster
from ..environments.stars.star_field import StarField
from .xray.psf import PointSpread
from .xray.response import Instrument
from .xray.templates import Pointing


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
    residuals : dict of str to float array, shape ()
        Amplitudes of residual foregrounds in measured bandpowers, by name; without unit.
    stars : dict of str to StarField
        Positions and weights of the stars of a cluster, by its name, for count images.
    psf : dict of str to PointSpread
        Point-spread functions, by name of the instrument, for count images.
    pointings : dict of str to Pointing
        Astrometric offset [arcsec] and background tilt of exposures, by name, for count images.
    """

    axion: Axion
    galaxy: Galaxy = eqx.field(default=None)
    clusters: dict[str, Cluster] = eqx.field(default_factory=dict)
    instruments: dict[str, Instrument] = eqx.field(default_factory=dict)
    cosmology: Cosmology = eqx.field(default=None)
    halos: Halos = eqx.field(default=None)
    residuals: dict[str, Float[Array, ""]] = eqx.field(default_factory=dict)
    stars: dict[str, StarField] = eqx.field(default_factory=dict)
    psf: dict[str, PointSpread] = eqx.field(default_factory=dict)
    pointings: dict[str, Pointing] = eqx.field(default_factory=dict)
