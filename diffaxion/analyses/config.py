"""Configuration of an analysis: a TOML file checked key by key.

Unknown keys are refused with the nearest known ones; every value has a stated default.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, field_validator

from ..errors import ConfigurationError, nearest_names
from .ensemble_config import EnsembleSection
from .screening_config import ScreeningSection, screening_section


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSection(_Section):
    """What the world is made of."""

    targets: list[str] = ["quintuplet", "wd1"]
    # TOML files of targets, by name; bundled targets need none.
    clusters: dict[str, str] = {}
    signal: Literal["published", "anchored", "ensemble"] = "published"
    ensemble: EnsembleSection = EnsembleSection()
    field: str = "jf12"
    inner: str = "preset"
    inner_b_z_muG: float | None = None
    density: str = "ymw16"
    turbulence: Literal["none", "jf12", "jf12b"] = "none"
    r_sun_kpc: float = Field(default=8.3, gt=0)


class LikelihoodsSection(_Section):
    """Data that take part."""

    # true: published spectra. A list of folders: count images, see `diffaxion xray --help`; limits
    # with all nuisances profiled take their pixels, posteriors their flux points.
    xray: bool | list[str] = True
    # "none", "recast" of the published curve, "asimov", "noise:SEED", or a file of bandpowers.
    cmb: str = "recast"
    # Where the recast has R = 1: at the fiducial point of this model, or under the paper's
    # conventions.
    anchor: Literal["own", "paper"] = "own"

    @field_validator("xray", mode="before")
    @classmethod
    def _images(cls, value: Any) -> Any:
        """True, false, or names of folders."""
        folders = isinstance(value, list) and all(isinstance(x, str) and x for x in value)
        if isinstance(value, bool) or folders:
            return value
        raise ConfigurationError(
            f"likelihoods.xray = {value!r}: expected a boolean, or a list of folders of count "
            "images"
        )


class MassSection(_Section):
    """Prior of the mass, posteriors to be made, and the grids of the limit curves."""

    # "fixed": at fixed_eV; "sampled": log-uniform in prior_eV.
    posteriors: list[Literal["fixed", "sampled"]] = Field(
        default=["fixed", "sampled"], min_length=1, max_length=2
    )
    fixed_eV: float = Field(default=5e-13, gt=0)
    prior_eV: tuple[float, float] = (1e-13, 1e-11)
    # Limits without nuisances (X rays), and with all of them profiled or marginalised, the latter
    # within prior_eV.
    grid_eV: tuple[float, float] = (1e-13, 1e-9)
    grid_points: int = Field(default=60, ge=1)
    profile_points: int = Field(default=60, ge=1)


class CouplingSection(_Section):
    """Range of the coupling; u = (g/1e-12 GeV^-1)^2 is sampled uniformly on [0, u_max]."""

    u_max: float = Field(default=1600.0, gt=0)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    q_threshold: float | None = Field(default=None, gt=0)


class SamplerSection(_Section):
    """NUTS settings."""

    chains: int = Field(default=4, ge=1)
    warmup: int = Field(default=300, ge=10)
    draws: int = Field(default=1000, ge=10)
    # With the mass sampled, which mixes more slowly.
    draws_sampled: int = Field(default=3000, ge=10)
    chunk: int = Field(default=100, ge=1)
    target_accept: float = Field(default=0.85, gt=0, lt=1)
    max_tree_depth: int = Field(default=8, ge=1, le=12)
    dense_mass: bool = True
    # Run again with a prior uniform in g itself, to confirm the headline.
    confirm: bool = False


class NumericsSection(_Section):
    """Grids of the forward model."""

    nodes: int = Field(default=2000, ge=50)
    energies_per_bin: int = Field(default=5, ge=1, le=20)
    sampler_nodes: int = Field(default=48, ge=16)
    sampler_energies_per_bin: int = Field(default=2, ge=1, le=20)
    smoothing_kpc: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (0.05, 0.1, 0.2)
    field_structure_above_eV: float = Field(default=1e-10, gt=0)


class Configuration(_Section):
    """A whole analysis."""

    model: ModelSection = ModelSection()
    screening: ScreeningSection = ScreeningSection()
    likelihoods: LikelihoodsSection = LikelihoodsSection()
    mass: MassSection = MassSection()
    coupling: CouplingSection = CouplingSection()
    sampler: SamplerSection = SamplerSection()
    numerics: NumericsSection = NumericsSection()
    priors: dict[str, dict[str, Any] | float] = {}
    ties: dict[str, str | dict[str, Any]] = {}
    seed: int = 1

    @field_validator("screening", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """Choices of a named configuration with overrides."""
        try:
            return screening_section(**value) if isinstance(value, dict) else value
        except ConfigurationError as error:
            raise ConfigurationError(f"screening: {error}") from None

    @field_validator("priors", mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        """Neither text nor truth values stand for numbers."""
        for path, prior in value.items() if isinstance(value, dict) else ():
            if isinstance(prior, (bool, str)):
                raise ConfigurationError(
                    f"priors: {path} = {prior!r}: expected a number or a table such as "
                    '{ dist = "normal", mean = 4.6, sigma = 0.3 }'
                )
        return value


def schema_error(path: str, error: ValidationError, tree: type[BaseModel]) -> ConfigurationError:
    """What does not fit a schema, in words, with the nearest known keys.

    Parameters
    ----------
    path : str
        File, for the message.
    error : ValidationError
        What pydantic found.
    tree : type of BaseModel
        The schema.

    Returns
    -------
    ConfigurationError
        To be raised.

    References
    ----------
    None: configuration.
    """
    lines = []
    for item in error.errors():
        where = ".".join(str(x) for x in item["loc"])
        if item["type"] == "extra_forbidden":
            model = tree
            for key in item["loc"][:-1]:
                model = _model_of(model, key)
            near = nearest_names(str(item["loc"][-1]), model.model_fields)
            lines.append(f"unknown key {where!r}: {near}")
        else:
            lines.append(f"{where} = {item.get('input')!r}: {item['msg']}")
    return ConfigurationError(f"configuration {path}: " + "; ".join(lines))


def _model_of(model: type[BaseModel], key: Any) -> type[BaseModel]:
    """Schema of a field, which may be optional or a table of sections."""
    if key not in model.model_fields:
        return model
    stack: list[Any] = [model.model_fields[key].annotation]
    while stack:
        kind = stack.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
        stack += get_args(kind)
    return model


def parse_configuration(values: dict[str, Any], origin: str = "given in Python") -> Configuration:
    """Check a nested dictionary against the schema.

    Parameters
    ----------
    values : dict
        Sections ``model``, ``screening``, ``likelihoods``, ``mass``, ``coupling``, ``sampler``,
        ``numerics``, ``priors``, ``ties`` and the key ``seed``; units are in the names [eV, kpc].
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
        raise schema_error(origin, error, Configuration) from None
    except ConfigurationError as error:
        raise ConfigurationError(f"configuration {origin}: {error}") from None


BUNDLED = ("joint", "xray", "screening")


def default_configuration_text(name: str = "joint") -> str:
    """A bundled configuration, as TOML with comments: ``joint``, ``xray`` or ``screening``."""
    check_choice("configuration", name, BUNDLED)
    return (files("diffaxion.analyses") / "configurations" / f"{name}.toml").read_text()


def load_configuration(path: str | Path | None = None) -> Configuration:
    """Read a TOML configuration, or the bundled default.

    Parameters
    ----------
    path : str or Path, optional
        File to read, or the name of a bundled configuration, ``joint``, ``xray`` or
        ``screening``; None takes ``joint``.

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
    name = "joint" if path is None else str(path)
    if name in BUNDLED and not Path(name).is_file():
        return parse_configuration(tomllib.loads(default_configuration_text(name)), name)
    return parse_configuration(read_toml(Path(name)), name)


def read_toml(path: Path) -> dict[str, Any]:
    """Values of a TOML file.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    dict
        By key.

    Raises
    ------
    ConfigurationError
        If the file is missing or is not TOML.

    References
    ----------
    TOML 1.0, https://toml.io/en/v1.0.0.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"configuration {path}: not TOML ({error}); only TOML is read"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"configuration {path}: cannot be read ({error}): expected a TOML file"
        ) from None


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
