"""Configuration of an analysis: a TOML file checked key by key.

Unknown keys are refused with the nearest known ones; every value has a stated default.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from ..errors import ConfigurationError, nearest_names


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSection(_Section):
    """What the world is made of."""

    targets: list[str] = ["quintuplet", "wd1"]
    signal: Literal["published", "anchored"] = "published"
    field: str = "jf12"
    inner: str = "preset"
    inner_b_z_muG: float | None = None
    density: str = "ymw16"
    turbulence: Literal["none", "jf12", "jf12b"] = "none"
    r_sun_kpc: float = Field(default=8.3, gt=0)


class MassSection(_Section):
    """Prior of the mass, and the grid of the limit curves."""

    prior_eV: tuple[float, float] = (1e-13, 1e-11)
    fixed_eV: float | None = Field(default=None, gt=0)
    grid_eV: tuple[float, float] = (1e-13, 1e-9)
    grid_points: int = Field(default=60, ge=1)
    profile_points: int = Field(default=16, ge=1)


class CouplingSection(_Section):
    """Range of the coupling; u = (g/1e-12 GeV^-1)^2 is sampled uniformly on [0, u_max]."""

    u_max: float = Field(default=1600.0, gt=0)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    q_threshold: float | None = Field(default=None, gt=0)


class SamplerSection(_Section):
    """NUTS settings."""

    chains: int = Field(default=4, ge=1)
    warmup: int = Field(default=400, ge=10)
    draws: int = Field(default=700, ge=10)
    chunk: int = Field(default=100, ge=1)
    target_accept: float = Field(default=0.9, gt=0, lt=1)
    max_tree_depth: int = Field(default=8, ge=1, le=12)
    dense_mass: bool = True


class NumericsSection(_Section):
    """Grids of the forward model."""

    nodes: int = Field(default=2000, ge=50)
    energies_per_bin: int = Field(default=5, ge=1, le=20)
    sampler_nodes: int = Field(default=96, ge=16)
    sampler_energies_per_bin: int = Field(default=2, ge=1, le=20)
    smoothing_kpc: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.05, 0.1, 0.2)
    field_structure_above_eV: float = Field(default=1e-10, gt=0)


class Configuration(_Section):
    """A whole analysis."""

    model: ModelSection = ModelSection()
    mass: MassSection = MassSection()
    coupling: CouplingSection = CouplingSection()
    sampler: SamplerSection = SamplerSection()
    numerics: NumericsSection = NumericsSection()
    priors: dict[str, dict[str, Any] | float] = {}
    seed: int = 1


def _fail(path: str, error: ValidationError, tree: type[BaseModel]) -> ConfigurationError:
    lines = []
    for item in error.errors():
        where = ".".join(str(x) for x in item["loc"])
        if item["type"] == "extra_forbidden":
            model: Any = tree
            for key in item["loc"][:-1]:
                model = model.model_fields[key].annotation
            near = nearest_names(str(item["loc"][-1]), model.model_fields)
            lines.append(f"unknown key {where!r}: {near}")
        else:
            lines.append(f"{where} = {item.get('input')!r}: {item['msg']}")
    return ConfigurationError(f"configuration {path}: " + "; ".join(lines))


def parse_configuration(values: dict[str, Any], origin: str = "given in Python") -> Configuration:
    """Check a nested dictionary against the schema.

    Parameters
    ----------
    values : dict
        Sections ``model``, ``mass``, ``coupling``, ``sampler``, ``numerics``, ``priors`` and
        the key ``seed``; units are in the names [eV, kpc, muG].
    origin : str
        File name for messages.

    Returns
    -------
    Configuration
        Frozen settings, shape ().

    Raises
    ------
    ConfigurationError
        On unknown keys (the nearest known ones are listed), wrong types or ranges.

    References
    ----------
    None: configuration.
    """
    try:
        return Configuration.model_validate(values)
    except ValidationError as error:
        raise _fail(origin, error, Configuration) from None


def default_configuration_text() -> str:
    """The bundled X-ray configuration, as TOML with comments."""
    return (files("diffaxion.analyses") / "configurations" / "xray.toml").read_text()


def load_configuration(path: str | Path | None = None) -> Configuration:
    """Read a TOML configuration, or the bundled default.

    Parameters
    ----------
    path : str or Path, optional
        File to read; None takes the bundled X-ray configuration.

    Returns
    -------
    Configuration
        Frozen settings, shape (); units are in the names [eV, kpc, muG].

    Raises
    ------
    ConfigurationError
        If the file is missing, is not TOML or does not fit the schema.

    References
    ----------
    None: configuration.
    """
    if path is None:
        return parse_configuration(tomllib.loads(default_configuration_text()), "xray.toml")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"configuration {path}: cannot be read ({error})") from None
    try:
        return parse_configuration(tomllib.loads(text), str(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"configuration {path}: not TOML ({error})") from None


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of the allowed ones.

    Parameters
    ----------
    name : str
        Option or key, for the message.
    value : str
        What was given.
    allowed : tuple of str
        Known values.

    Returns
    -------
    str
        The value.

    Raises
    ------
    ConfigurationError
        If it is unknown; the nearest known ones are listed.

    References
    ----------
    None: a validation.
    """
    if value not in allowed:
        raise ConfigurationError(f"{name} = {value!r} is unknown: {nearest_names(value, allowed)}")
    return value
