"""Forecasts: configurations by name, the curve of expected limits, and what it depends on.

Everything is an expectation on data without signal (Asimov), and says so in every product.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from ..errors import ConfigurationError, nearest_names

Progress = Callable[[str], None]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class XraySection(_Section):
    """Published NuSTAR spectra with other exposures."""

    exposures_ks: dict[str, PositiveFloat] = {"quintuplet": 39.0, "wd1": 138.0}
    nuisances: bool = True


class CmbSection(_Section):
    """A CMB survey crossed with a galaxy sample."""

    surveys: list[str] = ["planck"]
    deproject: list[str] = ["tsz", "cib"]
    galaxies: str = "unwise-blue"
    f_sky: float = Field(default=0.5, gt=0, le=1)
    noise_scale: float = Field(default=1.0, gt=0)
    ell_max: int = Field(default=1951, ge=451, le=5000)
    configuration: Literal["default", "parity"] = "default"
    n_z: int = Field(default=48, ge=4)
    n_mass: int = Field(default=134, ge=4)


class ForecastConfiguration(_Section):
    """A forecast: X rays, CMB or both, and a grid of masses."""

    title: str = ""
    masses_eV: tuple[PositiveFloat, PositiveFloat] = (2e-13, 2.5e-12)
    points: int = Field(default=30, ge=1)
    reference_mass_eV: float = Field(default=3.2e-13, gt=0)
    xray: XraySection | None = None
    cmb: CmbSection | None = None


@dataclass(frozen=True)
class GradientMap:
    """d ln g_95/d ln x along some axis, at the reference mass.

    Attributes
    ----------
    key : str
        Short name, for files.
    title : str
        What x is.
    axis : str
        Label of the axis with its unit.
    at : array, shape (n,)
        Positions, or 0..n-1 for named entries.
    value : array, shape (n,)
        Derivatives; negative where more of x makes the limit stronger.
    names : tuple of str
        Names of the entries; empty for a continuous axis.
    log_axis : bool
        Whether the axis is logarithmic.
    """

    key: str
    title: str
    axis: str
    at: np.ndarray
    value: np.ndarray
    names: tuple[str, ...] = ()
    log_axis: bool = False


@dataclass(frozen=True)
class ForecastPart:
    """Expected limits of one experiment.

    Attributes
    ----------
    name : str
        ``xray`` or ``cmb``.
    label : str
        Text for figures.
    m_a_eV : array, shape (n,)
        Masses [eV].
    g95_GeV : array, shape (n,)
        Median expected 95 % limit of the profile likelihood [GeV^-1]; infinite for none.
    g95_bayes_GeV : array, shape (n,) or None
        Expected limit for a prior uniform in g >= 0 [GeV^-1], where it is known.
    baseline_GeV : array, shape (n,) or None
        Limit of the present data in the same model [GeV^-1].
    impacts : list of dict
        Nuisances by what they do to the limit at the reference mass.
    maps : tuple of GradientMap
        Derivatives at the reference mass.
    facts : dict
        Numbers and sources to be printed.
    caveats : tuple of str
        Assumptions to be printed.
    references : tuple of str
        Works used.
    """

    name: str
    label: str
    m_a_eV: np.ndarray
    g95_GeV: np.ndarray
    g95_bayes_GeV: np.ndarray | None = None
    baseline_GeV: np.ndarray | None = None
    impacts: list[dict[str, Any]] = field(default_factory=list)
    maps: tuple[GradientMap, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forecast:
    """A whole forecast.

    Attributes
    ----------
    name : str
        Name of the configuration, or file.
    configuration : ForecastConfiguration
        Settings.
    parts : tuple of ForecastPart
        One for each experiment.
    """

    name: str
    configuration: ForecastConfiguration
    parts: tuple[ForecastPart, ...]


def _folder() -> Path:
    return Path(str(files("diffaxion.analyses"))) / "forecast_configurations"


def forecast_names() -> list[str]:
    """Names of the ready configurations.

    Returns
    -------
    list of str
        Sorted (no unit).

    References
    ----------
    None: a list of files.
    """
    return sorted(p.stem for p in _folder().glob("*.toml"))


def _explain(origin: str, error: ValidationError) -> ConfigurationError:
    """One message for all wrong keys, with the nearest known ones."""
    sections: dict[str, type[BaseModel]] = {"xray": XraySection, "cmb": CmbSection}
    lines = []
    for item in error.errors():
        where = [str(x) for x in item["loc"]]
        if item["type"] == "extra_forbidden":
            known = sections.get(where[0], ForecastConfiguration) if len(where) > 1 else None
            fields = (known or ForecastConfiguration).model_fields
            lines.append(f"unknown key {'.'.join(where)!r}: {nearest_names(where[-1], fields)}")
        else:
            lines.append(f"{'.'.join(where)} = {item.get('input')!r}: {item['msg']}")
    return ConfigurationError(f"configuration {origin}: " + "; ".join(lines))


def parse_forecast(values: dict[str, Any], origin: str) -> ForecastConfiguration:
    """Check a nested dictionary against the schema.

    Parameters
    ----------
    values : dict
        Keys of :class:`ForecastConfiguration`; units are in the names [eV, ks].
    origin : str
        File name for messages.

    Returns
    -------
    ForecastConfiguration
        Frozen settings.

    Raises
    ------
    ConfigurationError
        On unknown keys (the nearest are listed), wrong types or ranges, or if neither an X-ray
        nor a CMB section is there.

    References
    ----------
    None: configuration.
    """
    try:
        found = ForecastConfiguration.model_validate(values)
    except ValidationError as error:
        raise _explain(origin, error) from None
    if found.xray is None and found.cmb is None:
        raise ConfigurationError(f"configuration {origin}: expected a section [xray] or [cmb]")
    if found.points > 1 and not found.masses_eV[0] < found.masses_eV[1]:
        raise ConfigurationError(
            f"configuration {origin}: masses_eV = {list(found.masses_eV)}: expected low < high"
        )
    return found


def load_forecast(name: str) -> tuple[str, ForecastConfiguration]:
    """A ready configuration by name, or one from a TOML file.

    Parameters
    ----------
    name : str
        Name of :func:`forecast_names`, or path of a file.

    Returns
    -------
    name : str
        Name for products.
    configuration : ForecastConfiguration
        Settings; units are in the names [eV, ks].

    Raises
    ------
    ConfigurationError
        If the name is neither known nor a readable TOML file; the nearest names are listed.

    References
    ----------
    None: configuration.
    """
    path = Path(name)
    if name in forecast_names():
        path = _folder() / f"{name}.toml"
    elif not path.is_file():
        raise ConfigurationError(
            f"forecast {name!r} is neither a file nor known: "
            f"{nearest_names(name, forecast_names())}"
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"configuration {name}: not readable TOML ({error})") from None
    return path.stem, parse_forecast(values, name)


def run_forecast(
    name: str,
    configuration: ForecastConfiguration,
    m_a_eV: np.ndarray | None = None,
    progress: Progress | None = None,
) -> Forecast:
    """Expected limits of all experiments of a configuration.

    Parameters
    ----------
    name : str
        Name for products.
    configuration : ForecastConfiguration
        Settings.
    m_a_eV : array, shape (n,), optional
        Masses [eV]; default the configured grid.
    progress : callable, optional
        Told what is being done.

    Returns
    -------
    Forecast
        Expected limits [GeV^-1] and their derivatives.

    Raises
    ------
    ConfigurationError
        On unknown targets, surveys, components or samples; the nearest are listed.

    References
    ----------
    Those of the parts.
    """
    from .forecast_cmb import forecast_cmb
    from .forecast_xray import forecast_xray

    grid = np.geomspace(*configuration.masses_eV, configuration.points)
    masses = grid if m_a_eV is None else np.asarray(m_a_eV, float)
    report = progress or (lambda _: None)
    parts = []
    if configuration.xray is not None:
        parts.append(
            forecast_xray(configuration.xray, masses, configuration.reference_mass_eV, report)
        )
    if configuration.cmb is not None:
        parts.append(
            forecast_cmb(configuration.cmb, masses, configuration.reference_mass_eV, report)
        )
    return Forecast(name, configuration, tuple(parts))
