"""Count images that a configuration names: ``likelihoods.xray`` is a list of folders.

Profile limits with all nuisances take their pixels (:func:`image_recipe`). Posteriors, and all
that follows from closed forms in the coupling, take their flux points with Gaussian errors
(:func:`configured_spectra`).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..data.discovery import bundled_observation
from ..errors import ConfigurationError, DiffaxionWarning
from ..likelihoods.gaussian import GaussianPoints
from .config import Configuration
from .count_limits import count_flux
from .count_points import IMAGE_PARTS
from .joint_model import Recipe, joint_recipe
from .star_clusters import FluxSpectrum, published_spectrum
from .xray_observation import Observation, published_curve, read_observation
from .xray_world import check_observations, image_targets, observation_world


def data_path(folder: str) -> Path:
    """A folder of data; ``bundled`` is the simulated one of the package unless it exists."""
    path = Path(folder)
    return bundled_observation() if folder == "bundled" and not path.exists() else path


def configured_observations(configuration: Configuration) -> list[Observation]:
    """The observations of a configuration.

    Parameters
    ----------
    configuration : Configuration
        Settings.

    Returns
    -------
    list of Observation
        Empty where published spectra or no X rays take part.

    Raises
    ------
    ConfigurationError
        If a folder is named twice, or a target is not known.
    DataError
        If a file is unusable.

    References
    ----------
    None: input.
    """
    named = configuration.likelihoods.xray
    if isinstance(named, bool):
        return []
    if len({data_path(folder).resolve() for folder in named}) != len(named):
        raise ConfigurationError(f"likelihoods.xray = {named}: a folder is named twice")
    found = []
    for folder in named:
        path = data_path(folder)
        one = read_observation(path)
        # A description in the configuration is the one that its priors refer to.
        origin = configuration.model.clusters.get(one.target)
        found.append(one if origin is None else read_observation(path, cluster=origin))
    return found


def with_configured_images(
    configuration: Configuration, observations: Sequence[Observation]
) -> Configuration:
    """The configuration with the targets of its images; unchanged where there are none.

    Parameters
    ----------
    configuration : Configuration
        Settings.
    observations : sequence of Observation
        Of :func:`configured_observations`.

    Returns
    -------
    Configuration
        A copy.

    References
    ----------
    None: configuration.
    """
    return image_targets(configuration, observations) if observations else configuration


def check_flux_points(configuration: Configuration, observations: Sequence[Observation]) -> None:
    """Refuse images whose flux points would not say what a configuration asks.

    Parameters
    ----------
    configuration : Configuration
        Of :func:`with_configured_images`.
    observations : sequence of Observation
        Images.

    Returns
    -------
    None
        Nothing; usable data pass.

    Raises
    ------
    ConfigurationError
        If a target has several observations, or a prior binds stars, PSF or pointings, with which
        flux points do not move.
    DataError
        If bins are not those of the published signal curve in mode ``published``.

    References
    ----------
    None: a validation.
    """
    targets = [one.target for one in observations]
    if len(set(targets)) != len(targets):
        raise ConfigurationError(
            f"likelihoods.xray: several folders of one target ({', '.join(targets)}): list all "
            "their exposures in one observation.toml"
        )
    for path in (*configuration.priors, *configuration.ties):
        if path.split(".")[0] in IMAGE_PARTS:
            raise ConfigurationError(
                f"priors: {path!r} moves the templates of count images, of which posteriors take "
                "the flux points only; `diffaxion limit joint` profiles it with the pixels"
            )
    check_observations(configuration, observations)


def configured_spectra(
    configuration: Configuration, observations: Sequence[Observation] = ()
) -> list[FluxSpectrum]:
    """Spectra of the X-ray likelihood: published ones, or flux points of images.

    Parameters
    ----------
    configuration : Configuration
        Of :func:`with_configured_images`.
    observations : sequence of Observation
        Images.

    Returns
    -------
    list of FluxSpectrum
        One per target [keV, 1e-4 counts s^-1 keV^-1]; empty without X rays.

    Raises
    ------
    ConfigurationError
        If a target has no published spectrum, or several observations.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    if not observations:
        targets = configuration.model.targets if configuration.likelihoods.xray else []
        return [published_spectrum(t) for t in targets]
    check_flux_points(configuration, observations)
    _, images = observation_world(configuration, observations)
    spectra = []
    for one, (probe, points) in zip(observations, images, strict=True):
        flux = count_flux(probe, points)
        keep = np.isfinite(flux.sigma) & ~flux.at_boundary
        if not keep.all():
            warnings.warn(
                f"{one.stack.source}: {int(np.sum(~keep))} bins hold too few counts for a Gaussian "
                "error and are left out; `diffaxion limit xray --data` uses them",
                DiffaxionWarning,
                stacklevel=2,
            )
        published = configuration.model.signal == "published"
        curve = published_curve(one) if published else np.zeros(flux.flux.size)
        spectra.append(
            FluxSpectrum(
                one.target,
                flux.low_keV[keep],
                flux.high_keV[keep],
                GaussianPoints(flux.flux[keep], flux.sigma[keep]),
                curve[keep],
            )
        )
    return spectra


def image_recipe(configuration: Configuration, observations: Sequence[Observation]) -> Recipe:
    """Models of all likelihoods, X rays by the pixels of count images.

    Parameters
    ----------
    configuration : Configuration
        Of :func:`with_configured_images`.
    observations : sequence of Observation
        Images.

    Returns
    -------
    Recipe
        For :func:`~diffaxion.analyses.limits_with_nuisances`, whose profiles are exact; limits
        that need a closed form in the coupling are left out there.

    Raises
    ------
    ConfigurationError
        On unknown names or paths.
    DataError
        If counts and templates do not fit.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    world, images = observation_world(configuration, observations)
    recipe = joint_recipe(configuration, world, [])
    named = tuple(
        (one, probe.spectrum.instrument)
        for one, (probe, _) in zip(observations, images, strict=True)
    )
    return replace(recipe, images=named)
