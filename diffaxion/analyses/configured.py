"""Priors and ties of a configuration, bound to a world."""

from __future__ import annotations

import math
from typing import Any

from ..data.bandpowers import read_bandpowers
from ..errors import ConfigurationError, unknown_name
from ..likelihoods.residuals import ResidualTemplates
from ..observables.world import World
from ..parameters.bind import Bindings, Tie
from .analysis import MASS, STRENGTH
from .config import Configuration
from .count_points import IMAGE_PARTS
from .residual_foregrounds import residual_priors
from .screening_data import file_data, parse_data_kind

# Parts of a world that only some likelihoods need.
_PARTS = ("galaxy", "clusters", "instruments", "cosmology", "halos", "residuals", *IMAGE_PARTS)
_TIE_KEYS = ("source", "scale", "offset")


def configured_priors(configuration: Configuration) -> dict[str, Any]:
    """Priors of nuisances by dotted path.

    Parameters
    ----------
    configuration : Configuration
        Settings; its priors bind paths of the world.

    Returns
    -------
    dict of str to mapping or float
        What :func:`~diffaxion.parameters.parse_prior` accepts, by path.

    Raises
    ------
    ConfigurationError
        If a prior names ``axion.u`` or ``axion.m_a_eV``, which have their own sections.

    References
    ----------
    None: assembly.
    """
    for path, section in ((STRENGTH, "coupling"), (MASS, "mass")):
        if path in configuration.priors:
            raise ConfigurationError(f"priors: {path!r} has its own section [{section}]; remove it")
    return dict(configuration.priors)


def configured_residuals(configuration: Configuration) -> ResidualTemplates | None:
    """Residual foregrounds of the file of bandpowers that a configuration names.

    Parameters
    ----------
    configuration : Configuration
        Settings.

    Returns
    -------
    ResidualTemplates or None
        Templates [uK] with the priors of their amplitudes; None for other data.

    Raises
    ------
    DataError
        If the file is unusable.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    if configuration.likelihoods.cmb == "none":
        return None
    kind, argument = parse_data_kind(configuration.likelihoods.cmb)
    return file_data(read_bandpowers(str(argument))).residuals if kind == "file" else None


def configured_bindings(
    configuration: Configuration, world: World, axion: dict[str, Any] | None = None
) -> Bindings:
    """Priors and ties of a configuration in a world.

    Parameters
    ----------
    configuration : Configuration
        Settings. Priors of parts that no likelihood uses are left out.
    world : World
        Root tree.
    axion : dict, optional
        Priors of coupling and mass, by path.

    Returns
    -------
    Bindings
        In the order of the configuration, coupling and mass last.

    Raises
    ------
    ConfigurationError
        If a prior is not understood, or names coupling or mass, which have their own sections.

    References
    ----------
    None: assembly.
    """
    absent = {part for part in _PARTS if not getattr(world, part)}
    # Those of a file of bandpowers are there unless the configuration has its own.
    priors = residual_priors(configured_residuals(configuration)) | configured_priors(configuration)
    used = {path: prior for path, prior in priors.items() if path.split(".")[0] not in absent}
    ties: dict[str, Any] = {}
    for path, tie in configuration.ties.items():
        if path.split(".")[0] in absent:
            continue
        ties[path] = tie if isinstance(tie, str) else _parse_tie(path, tie)
    return Bindings(used | (axion or {}), ties)


def _parse_tie(path: str, tie: dict[str, Any]) -> Tie:
    """A tie from its table."""
    for key in tie:
        if key not in _TIE_KEYS:
            raise unknown_name(f"key of ties.{path}", key, _TIE_KEYS)
    numbers = [tie.get(key, 0.0) for key in _TIE_KEYS[1:]]
    plain = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in numbers)
    if not isinstance(tie.get("source"), str) or not plain or not all(map(math.isfinite, numbers)):
        raise ConfigurationError(
            f"ties: {path} = {tie!r}: expected the path of another parameter, or "
            "{ source = PATH, scale = NUMBER, offset = NUMBER } with finite numbers"
        )
    return Tie(**tie)


def axion_priors(configuration: Configuration, sampled: bool) -> dict[str, Any]:
    """Priors of the coupling, uniform in u, and of the mass, log-uniform if it is sampled.

    Parameters
    ----------
    configuration : Configuration
        Settings; the mass is in [eV].
    sampled : bool
        Whether the mass is sampled.

    Returns
    -------
    dict of str to mapping
        By path.

    References
    ----------
    None: assembly.
    """
    u = {"dist": "uniform", "low": 0.0, "high": configuration.coupling.u_max}
    low, high = configuration.mass.prior_eV
    mass = {"dist": "log_uniform", "low": low, "high": high}
    return {STRENGTH: u, MASS: mass} if sampled else {STRENGTH: u}
