"""Priors from the entries of a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigurationError, unknown_name
from .priors import (
    Fixed,
    HalfNormalAbove,
    LogNormal,
    LogUniform,
    Normal,
    Prior,
    Uniform,
    UniformRoot,
)

PRIORS: dict[str, tuple[type[Prior], tuple[str, ...]]] = {
    "normal": (Normal, ("mean", "sigma")),
    "lognormal": (LogNormal, ("median", "sigma_ln")),
    "uniform": (Uniform, ("low", "high")),
    "uniformroot": (UniformRoot, ("low", "high")),
    "loguniform": (LogUniform, ("low", "high")),
    "halfnormalabove": (HalfNormalAbove, ("edge", "sigma")),
    "fixed": (Fixed, ("value",)),
}


def parse_prior(spec: Any, path: str = "prior") -> Prior:
    """Prior from a configuration entry.

    Parameters
    ----------
    spec : Prior, number or mapping
        A prior is returned as it is, a number is :class:`Fixed`, and a mapping has the key
        ``dist`` (``normal``, ``lognormal``, ``uniform``, ``uniformroot``, ``loguniform``,
        ``halfnormalabove``, ``fixed``; case, ``-`` and ``_`` do not matter) and the parameters of
        that prior.
    path : str
        Name of the entry, for error messages.

    Returns
    -------
    Prior
        The prior.

    Raises
    ------
    ConfigurationError
        If the entry is of another kind, or a distribution, a key or a number is wrong.

    References
    ----------
    Betancourt & Girolami 2013, arXiv:1312.0906 (non-centred parametrisation).
    """
    if isinstance(spec, Prior):
        return spec
    if isinstance(spec, (int, float)) and not isinstance(spec, bool):
        return Fixed(spec)
    if not isinstance(spec, Mapping):
        raise ConfigurationError(
            f"{path}: got {spec!r}, expected a number or a table such as "
            '{ dist = "normal", mean = 4.6, sigma = 0.3 }'
        )
    if "dist" not in spec:
        raise ConfigurationError(
            f"{path}: the key 'dist' is missing; it is one of {', '.join(PRIORS)}"
        )
    name = str(spec["dist"]).lower().replace("_", "").replace("-", "")
    if name not in PRIORS:
        raise unknown_name(f"distribution of {path}", str(spec["dist"]), PRIORS)
    kind, wanted = PRIORS[name]
    given = {k: v for k, v in spec.items() if k != "dist"}
    for key in given:
        if key not in wanted:
            raise unknown_name(f"key of {path} ({name})", key, wanted)
    missing = [key for key in wanted if key not in given]
    if missing:
        raise ConfigurationError(f"{path}: {name} needs {', '.join(missing)}")
    try:
        return kind(**given)
    except (TypeError, ValueError, ConfigurationError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
