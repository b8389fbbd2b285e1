"""Recipes of the joint inference: world, priors, forward models and data of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float

from ..environments.galaxy.sightline import adaptive_fractions, uniform_fractions
from ..errors import ConfigurationError
from ..likelihoods.gaussian import GaussianPoints
from ..observables.world import World
from .analysis import MASS, Analysis
from .config import Configuration
from .configured import configured_bindings, configured_residuals
from .recast_probe import BandpowerProbe, RecastProbe, bandpower_probe, recast_probe
from .recast_surrogate import SurrogateProbe, build_surrogate
from .residual_foregrounds import residual_leaves
from .screening import screening_world
from .screening_run import screening_data
from .star_clusters import FluxSpectrum, build_probe, build_world, check_shape

CmbProbe = RecastProbe | BandpowerProbe


def joint_world(configuration: Configuration) -> World:
    """World of all likelihoods of a configuration, with the values that its priors fix.

    Parameters
    ----------
    configuration : Configuration
        Settings.

    Returns
    -------
    World
        Root tree; parts that no likelihood uses are None, free parameters keep their fiducial
        values.

    Raises
    ------
    ConfigurationError
        On unknown names or paths, or if no likelihood takes part.

    References
    ----------
    None: assembly.
    """
    likelihoods, world = configuration.likelihoods, None
    if likelihoods.xray:
        world = build_world(configuration.model)
    if likelihoods.cmb != "none":
        sky = screening_world(configuration.screening)
        residuals = configured_residuals(configuration)
        sky = eqx.tree_at(lambda w: w.residuals, sky, residual_leaves(residuals))
        world = sky if world is None else _merge(world, sky)
    if world is None:
        raise ConfigurationError(
            "likelihoods: neither xray nor cmb takes part; set xray = true, cmb = 'recast' or both"
        )
    return configured_bindings(configuration, world).apply_values(world, {})


def _merge(world: World, sky: World) -> World:
    def parts(w: World) -> tuple[Any, Any, Any]:
        return w.cosmology, w.halos, w.residuals

    return eqx.tree_at(parts, world, parts(sky), is_leaf=lambda x: x is None)


@dataclass(frozen=True)
class Recipe:
    """What analyses of one configuration share.

    Attributes
    ----------
    configuration : Configuration
        Settings.
    world : World
        Root tree at its fiducial point.
    spectra : list of FluxSpectrum
        X-ray data; empty without them.
    cmb : RecastProbe, BandpowerProbe or None
        Direct forward model of the CMB data.
    cmb_points : GaussianPoints or None
        CMB data.
    surrogate : SurrogateProbe or None
        Its replacement in samplers and profiles, for all masses of the prior.
    images : tuple of (Observation, str)
        X-ray data as count images, each with the key of its instrument.
    """

    configuration: Configuration
    world: World
    spectra: list[FluxSpectrum]
    cmb: CmbProbe | None
    cmb_points: GaussianPoints | None
    surrogate: SurrogateProbe | None
    images: tuple[tuple[Any, str], ...] = ()

    @cached_property
    def plain(self) -> Analysis:
        """Without coupling and mass among the parameters: for profiles and moments."""
        return self.analysis()

    @cached_property
    def direct(self) -> Analysis:
        """The same with full grids and no surrogate."""
        return self.analysis(direct=True)

    def analysis(
        self,
        axion: dict[str, Any] | None = None,
        *,
        direct: bool = False,
        m_a_eV: float | None = None,
    ) -> Analysis:
        """Analysis with these priors of coupling and mass, by path.

        Parameters
        ----------
        axion : dict, optional
            Priors of ``axion.u`` and ``axion.m_a_eV``; none for profiles.
        direct : bool
            Full grids and no surrogate, as a reference.
        m_a_eV : float, optional
            Fixed mass [eV].

        Returns
        -------
        Analysis
            Ready to sample or to profile.
        """
        mass, numerics = self.configuration.mass, self.configuration.numerics
        world = self.world
        if m_a_eV is not None:
            axion = {**(axion or {}), MASS: float(m_a_eV)}
        top = max(mass.prior_eV[1], m_a_eV or 0.0)
        signal = self.configuration.model.signal

        def grids(spectrum: FluxSpectrum) -> tuple[Array, int]:
            if direct:
                return uniform_fractions(numerics.nodes), numerics.energies_per_bin
            nodes = sampler_fractions(world, spectrum, numerics.sampler_nodes, top)
            return nodes, numerics.sampler_energies_per_bin

        probes: list[Any] = []
        points: list[Any] = [s.points for s in self.spectra]
        for spectrum in self.spectra:
            check_shape(world.clusters[spectrum.target], signal)
            probes.append(build_probe(spectrum, world, signal, *grids(spectrum)))
        for one, instrument in self.images:
            probe, counts = one.counts(world, instrument, signal, *grids(one.outline))
            probes.append(probe)
            points.append(counts)
        if self.cmb is not None and self.cmb_points is not None:
            probes.append(self.cmb if direct or self.surrogate is None else self.surrogate)
            points.append(self.cmb_points)
        bindings = configured_bindings(self.configuration, world, axion)
        return Analysis(world, bindings, probes, points)


def joint_recipe(configuration: Configuration, world: World, spectra: list[FluxSpectrum]) -> Recipe:
    """Forward models of all likelihoods, with the surrogate of the CMB response.

    Parameters
    ----------
    configuration : Configuration
        Settings.
    world : World
        From :func:`joint_world`.
    spectra : list of FluxSpectrum
        X-ray data [keV, 1e-4 counts s^-1 keV^-1]; ignored without that likelihood.

    Returns
    -------
    Recipe
        What the analyses of this configuration share.

    Raises
    ------
    ConfigurationError
        On unknown names or paths.
    DataError
        If a file of bandpowers is unusable.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Goldstein et al. 2024, arXiv:2409.10514.
    """
    likelihoods = configuration.likelihoods
    chosen = spectra if likelihoods.xray else []
    if likelihoods.cmb == "none":
        return Recipe(configuration, world, chosen, None, None, None)

    probe: CmbProbe
    if likelihoods.cmb == "recast":
        probe = recast_probe(configuration.screening, world, anchor=likelihoods.anchor)
    else:
        probe = bandpower_probe(configuration.screening, world, screening_data(likelihoods.cmb))
    bindings = configured_bindings(configuration, world)
    surrogate = build_surrogate(probe, world, bindings, np.array(configuration.mass.prior_eV))
    return Recipe(configuration, world, chosen, probe, probe.points, surrogate)


def sampler_fractions(
    world: World, spectrum: FluxSpectrum, nodes: int, m_a_eV: float
) -> Float[Array, " n"]:
    """Base nodes that follow the phase, so that a few of them serve a sampler.

    Parameters
    ----------
    world : World
        Root tree.
    spectrum : FluxSpectrum
        Its lowest energy has the fastest phase [keV].
    nodes : int
        Number n of nodes.
    m_a_eV : float
        Largest mass [eV].

    Returns
    -------
    float array, shape (n,)
        Fractions of the distance.

    References
    ----------
    None: a grid.
    """
    source = world.clusters[spectrum.target]
    line = world.galaxy.sightline(source.longitude_deg, source.latitude_deg, source.distance_kpc)
    density = world.galaxy.density_toward(spectrum.target)
    low = float(np.asarray(spectrum.low_keV)[0])
    return adaptive_fractions(line, density, world.galaxy.field, nodes, m_a_eV, low)
