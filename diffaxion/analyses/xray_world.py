"""Observations in a world: targets, stars, PSF, responses and pointings, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..environments.galaxy.sightline import uniform_fractions
from ..environments.stars.star_field import StarField
from ..errors import ConfigurationError
from ..observables.world import World
from ..observables.xray.psf import nustar_psf
from ..observables.xray.response import validate_bins
from .config import Configuration
from .configured import configured_bindings
from .count_images import Grouping, count_images, world_with_images
from .count_limits import Images
from .joint_model import joint_world
from .star_clusters import INSTRUMENT, check_shape
from .xray_observation import Observation, published_curve


def image_targets(settings: Configuration, observations: Sequence[Observation]) -> Configuration:
    """A configuration whose targets are those of observations.

    Parameters
    ----------
    settings : Configuration
        Fields, densities, numerics, priors.
    observations : sequence of Observation
        Data.

    Returns
    -------
    Configuration
        A copy.

    Raises
    ------
    ConfigurationError
        If two descriptions of one target differ.

    References
    ----------
    None: configuration.
    """
    origins: dict[str, str] = {}
    for one in observations:
        before = origins.setdefault(one.target, one.facts.origin)
        if before != one.facts.origin:
            raise ConfigurationError(
                f"target {one.target!r} is described by {before} and by {one.facts.origin}; use "
                "one description, or other names"
            )
    model = settings.model.model_copy(update={"targets": [*origins], "clusters": origins})
    return settings.model_copy(update={"model": model})


def observation_settings(
    settings: Configuration, observations: Sequence[Observation], signal: str | None = None
) -> Configuration:
    """A configuration whose targets are those of observations, with X rays only.

    Parameters
    ----------
    settings : Configuration
        Fields, densities, numerics, priors.
    observations : sequence of Observation
        Data.
    signal : str, optional
        ``anchored`` (default), ``ensemble`` or ``published``.

    Returns
    -------
    Configuration
        A copy.

    Raises
    ------
    ConfigurationError
        If two descriptions of one target differ.

    References
    ----------
    None: configuration.
    """
    own = image_targets(settings, observations)
    model = own.model.model_copy(update={"signal": signal or "anchored"})
    data = own.likelihoods.model_copy(update={"xray": True, "cmb": "none"})
    return own.model_copy(update={"model": model, "likelihoods": data})


def check_observations(settings: Configuration, observations: Sequence[Observation]) -> None:
    """Refuse observations whose signal cannot be predicted, before anything is computed.

    Parameters
    ----------
    settings : Configuration
        Of :func:`observation_settings`.
    observations : sequence of Observation
        Data.

    Returns
    -------
    None
        Nothing; usable data pass.

    Raises
    ------
    ConfigurationError
        If a target has no axion luminosity, or a name in the configuration is unknown.
    DataError
        If bins are not those of the published signal curve in mode ``published``.
    ValidityError
        If a bin leaves the effective area.

    References
    ----------
    None: a validation.
    """
    world, mode = joint_world(settings), settings.model.signal
    for one in observations:
        if mode == "anchored" and one.facts.luminosity is None:
            raise ConfigurationError(
                f"target {one.facts.origin}: no axion luminosity is known; add a table "
                "[luminosity] to its description, or use --signal ensemble"
            )
        check_shape(world.clusters[one.target], mode)
        if mode == "published":
            published_curve(one)
            continue
        area = np.asarray(world.instruments[INSTRUMENT].energy_keV)
        reach = (float(area[0]), float(area[-1]))
        if one.response is not None:
            arf = one.response.arf
            reach = (float(arf.low_keV[0]), float(arf.high_keV[-1]))
        validate_bins(one.stack.low_keV, one.stack.high_keV, reach, str(one.stack.source))


def observation_world(
    settings: Configuration, observations: Sequence[Observation], by: Grouping = "all"
) -> tuple[World, list[Images]]:
    """World, forward models and counts of observations.

    Parameters
    ----------
    settings : Configuration
        Of :func:`observation_settings`.
    observations : sequence of Observation
        Data; several of one target share its stars.
    by : {"exposure", "module", "observation", "all"}
        What has a background of its own.

    Returns
    -------
    world : World
        Root tree with targets, stars, PSF and responses.
    images : list of (ClusterCounts, TemplatePoisson)
        One per observation.

    Raises
    ------
    ConfigurationError
        If two observations of a target have different stars.
    DataError
        If counts and templates do not fit.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    world, names = joint_world(settings), []
    mode, numerics = settings.model.signal, settings.numerics
    for one in observations:
        known = world.stars.get(one.target)
        if known is not None and not _same_stars(known, one.stars):
            raise ConfigurationError(
                f"target {one.target!r}: observations name different stars; give one list with "
                "--stars"
            )
        world, name = _with_instrument(world, one)
        names.append(name)
        ra, dec, _ = one.region
        images = count_images(one.stack, ra, dec, by)
        world = world_with_images(world, one.target, images, one.stars, one.psf, name)
    # Values that priors fix for stars, PSF and pointings, which exist only now.
    world = configured_bindings(settings, world).apply_values(world, {})
    nodes = uniform_fractions(numerics.nodes)
    found = [
        one.counts(world, name, mode, nodes, numerics.energies_per_bin, by)
        for one, name in zip(observations, names, strict=True)
    ]
    return world, found


def _same_stars(a: StarField, b: StarField) -> bool:
    pairs = [(a.ra_deg, b.ra_deg), (a.dec_deg, b.dec_deg), (a.weights, b.weights)]
    return all(x.shape == y.shape and bool(jnp.all(x == y)) for x, y in pairs)


def _with_instrument(world: World, one: Observation) -> tuple[World, str]:
    """The world with the response of an observation, and the key of the latter."""
    default = one.response is None
    if default and eqx.tree_equal(one.psf, world.psf.get(INSTRUMENT, nustar_psf())):
        return world, INSTRUMENT
    keys = (f"{INSTRUMENT}_{one.target}{k or ''}" for k in range(len(world.instruments) + 1))
    name = next(k for k in keys if k not in world.instruments)
    own = world.instruments[INSTRUMENT] if one.response is None else one.response.instrument
    return replace(world, instruments={**world.instruments, name: own}), name
