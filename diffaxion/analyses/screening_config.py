"""Choices of a screening analysis: two named configurations, every switch of which is separate.

``default`` is physics first: exact constants, P(k) as CAMB gives it, a magnetic field smooth in
mass and redshift, one upper edge with a smooth taper, converged grids. ``parity`` repeats the
public conventions of arXiv:2409.10514 (the code axilotl with hmvec) and serves as a regression
oracle.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConfigurationError, nearest_names


class ScreeningSection(BaseModel):
    """Everything that defines a screening model; numbers have their unit in the name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    configuration: Literal["default", "parity"] = "default"
    # What the universe is made of.
    galaxies: str = "unwise-blue"
    hod: str = "K22"
    gas: str = "agn"
    field: str = "tng-smooth"
    field_mass_cap_Msun: float | None = Field(default=None, gt=0)
    concentration: Literal["duffy08", "bhattacharya13"] = "duffy08"
    boson: Literal["axion", "dark-photon"] = "axion"
    # Conventions.
    constants: Literal["exact", "public-code"] = "exact"
    growth: Literal["radiation", "hypergeometric"] = "radiation"
    power: str = "camb"
    mass_function: Literal["tinker10", "tinker08"] = "tinker10"
    overdensity: Literal["200m", "consistent"] = "200m"
    normalisation: Literal["from-zero", "truncated"] = "from-zero"
    kernel_bias: float = Field(default=1.0, gt=0)
    nu_GHz: float = Field(default=353.0, gt=0)
    # Region of conversion.
    edges: Literal["taper", "hard"] = "taper"
    taper_width: float = Field(default=0.05, gt=0)
    x_lo: float = Field(default=0.1, gt=0)
    x_hi: float = Field(default=1.1, gt=0)
    floor_Msun: float = Field(default=1e11, gt=0)
    # Grids.
    rule: Literal["gauss", "simpson"] = "gauss"
    n_z: int = Field(default=48, ge=4)
    n_mass: int = Field(default=134, ge=4)
    z_range: tuple[float, float] = (0.005, 1.9)
    mass_range_Msun: tuple[float, float] = (1e9, 5e15)


# What `parity` changes; everything else is as in `default`.
PARITY: dict[str, Any] = {
    "configuration": "parity",
    "field": "tng",
    "constants": "public-code",
    "growth": "hypergeometric",
    "power": "eisenstein-hu-camb-normalised",
    "normalisation": "truncated",
    "edges": "hard",
    "rule": "simpson",
    "n_z": 50,
    "n_mass": 100,
}
# A dark photon needs no magnetic field: conversion reaches from next to the centre to the virial
# radius, in all halos of the grid.
DARK_PHOTON: dict[str, Any] = {"x_lo": 1e-4, "x_hi": 10.0, "floor_Msun": 1e9}


def screening_section(configuration: str = "default", **overrides: Any) -> ScreeningSection:
    """Choices of a named configuration, with explicit overrides.

    Parameters
    ----------
    configuration : str
        ``default`` or ``parity``.
    **overrides
        Keys of :class:`ScreeningSection`; None leaves the configuration's choice.

    Returns
    -------
    ScreeningSection
        Frozen choices; units are in the names [Msun, GHz].

    Raises
    ------
    ConfigurationError
        If the configuration or a key is unknown, or a value is out of range.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, and its public code (``parity``).
    """
    known = ("default", "parity")
    if configuration not in known:
        raise ConfigurationError(
            f"configuration {configuration!r} is unknown: {nearest_names(configuration, known)}"
        )
    given = {k: v for k, v in overrides.items() if v is not None}
    unknown = [k for k in given if k not in ScreeningSection.model_fields]
    if unknown:
        raise ConfigurationError(
            f"unknown key {unknown[0]!r}: "
            f"{nearest_names(unknown[0], ScreeningSection.model_fields)}"
        )
    chosen = dict(PARITY) if configuration == "parity" else {}
    if given.get("boson") == "dark-photon":
        chosen |= DARK_PHOTON
    try:
        return ScreeningSection(**(chosen | given))
    except ValidationError as error:
        item = error.errors()[0]
        name = ".".join(str(x) for x in item["loc"])
        raise ConfigurationError(f"{name} = {item.get('input')!r}: {item['msg']}") from None
