"""Targets of the X-ray search as TOML files: bundled ones, and copies that a user has edited.

A file says where a target is, which stars it holds, how old they are, how bright it is in
axions according to published work, and how it was observed. Everything else of the package
takes these facts from here; no number is written down twice.
"""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    ValidationError,
    field_validator,
    model_validator,
)

from ..errors import DataError, nearest_names, unknown_name
from .sky_position import galactic_coordinates, parse_angle, separation_arcmin

BUNDLED_CLUSTERS = ("quintuplet", "wd1", "arches", "betelgeuse")
RED_SUPERGIANT = "red-supergiant"


# Description and sight line may name different centres of one cluster, not different clusters.
_APART_ARCMIN = 30.0
_STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Section(BaseModel):
    model_config = _STRICT
    source: str = Field(min_length=1)
    unverified: list[str] = []

    @model_validator(mode="after")
    def _known_marks(self) -> Any:
        for key in self.unverified:
            if key not in type(self).model_fields:
                raise ValueError(f"unverified names {key!r}, which is not a key of this table")
        return self


class _Spot(BaseModel):
    """A place on the sky; text is turned into degrees."""

    model_config = _STRICT
    ra: float
    dec: float

    @field_validator("ra", mode="before")
    @classmethod
    def _ra(cls, value: Any) -> float:
        return _degrees(value, "ra", 0.0, 360.0)

    @field_validator("dec", mode="before")
    @classmethod
    def _dec(cls, value: Any) -> float:
        return _degrees(value, "dec", -90.0, 90.0)


def _degrees(value: Any, what: str, low: float, high: float) -> float:
    try:
        angle = parse_angle(value, what, what == "ra")
    except DataError as error:
        raise ValueError(str(error)) from None
    if not low <= angle <= high:
        raise ValueError(f"{what} = {angle:g} deg: expected {low:g}..{high:g}")
    return angle


def _increasing(value: tuple[float, float]) -> tuple[float, float]:
    if not 0.0 <= value[0] < value[1] < float("inf"):
        raise ValueError("expected two increasing numbers >= 0")
    return value


class _Position(_Section, _Spot):
    pass


class _Sightline(_Section):
    longitude_deg: float | None = Field(default=None, ge=-360.0, le=360.0)
    latitude_deg: float | None = Field(default=None, ge=-90.0, le=90.0)
    distance_kpc: float = Field(gt=0.0, le=1000.0)
    distance_range_kpc: tuple[PositiveFloat, PositiveFloat] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Any:
        if (self.longitude_deg is None) != (self.latitude_deg is None):
            raise ValueError("give both longitude_deg and latitude_deg, or neither")
        low, high = self.distance_range_kpc or (self.distance_kpc, self.distance_kpc)
        if not low <= self.distance_kpc <= high:
            raise ValueError(
                f"distance_kpc = {self.distance_kpc:g} is outside distance_range_kpc = "
                f"[{low:g}, {high:g}]"
            )
        return self


class _Stars(_Section):
    modelled: NonNegativeInt = 0
    counts: dict[str, NonNegativeInt] = {}

    @model_validator(mode="after")
    def _counted(self) -> Any:
        total = sum(self.counts.values())
        if self.modelled and total > self.modelled:
            raise ValueError(f"counts add up to {total}, more than the {self.modelled} modelled")
        return self


class _Population(_Section):
    age_Myr: tuple[float, float]
    metallicity: float = Field(default=0.035, gt=0.0, lt=0.2)
    metallicity_range: tuple[float, float] | None = None
    rotation_mean_km_s: float = 150.0
    rotation_sigma_km_s: PositiveFloat = 140.0
    rotation_max_km_s: PositiveFloat = 500.0
    imf_slope: float = Field(default=2.3, gt=-10.0, lt=10.0)
    mass_range_Msun: tuple[float, float] = (15.0, 200.0)

    _windows = field_validator("age_Myr", "mass_range_Msun")(_increasing)


class _Luminosity(_Section):
    band_10_80_erg_s: PositiveFloat
    band_10_80_minus_erg_s: PositiveFloat
    band_10_80_plus_erg_s: PositiveFloat
    total_erg_s: PositiveFloat | None = None
    total_minus_erg_s: PositiveFloat | None = None
    total_plus_erg_s: PositiveFloat | None = None
    metallicity_gain: float | None = Field(default=None, ge=1.0)

    @model_validator(mode="after")
    def _above_zero(self) -> Any:
        if self.band_10_80_minus_erg_s >= self.band_10_80_erg_s:
            raise ValueError("band_10_80_minus_erg_s reaches zero; expected less than the value")
        return self


class _Reference(BaseModel):
    model_config = _STRICT
    name: str
    ra: float | None = None
    dec: float | None = None
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _spot(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not {"ra", "dec"} & set(value):
            return value
        spot = _Spot(**{k: value[k] for k in ("ra", "dec") if k in value})
        return {**value, "ra": spot.ra, "dec": spot.dec}


class _Mask(_Spot):
    name: str
    radius_arcmin: PositiveFloat
    source: str = Field(min_length=1)


class _Nustar(_Section):
    exposure_ks: NonNegativeFloat = 0.0
    observations: list[str] = []
    modules: list[Literal["A", "B"]] = ["A", "B"]
    energy_min_keV: PositiveFloat = 10.0
    g_curve_GeV: NonNegativeFloat = 0.0
    roi_radius_arcmin: PositiveFloat = 2.0
    reference: _Reference | None = None
    masks: list[_Mask] = []


class ClusterDescription(BaseModel):
    """Facts of one target, as read from a TOML file; positions are in degrees.

    Attributes
    ----------
    name, label : str
        Key of the target in parameter paths, and its printed name.
    kind : str
        ``cluster``, or ``red-supergiant``, whose structure must come from a profile.
    position : table
        ``ra``, ``dec`` [deg, J2000].
    sightline : table
        Galactic ``longitude_deg``, ``latitude_deg`` (None: those of the position),
        ``distance_kpc`` and ``distance_range_kpc``.
    stars : table
        ``modelled`` stars and their ``counts`` by spectral class.
    population : table or None
        ``age_Myr``, ``metallicity``, ``metallicity_range``, rotation [km/s], ``imf_slope``,
        ``mass_range_Msun``.
    luminosity : table or None
        Published luminosities at g = 1e-12 GeV^-1 [erg/s].
    nustar : table or None
        Exposure [ks], observations, region of interest [arcmin], reference source and masks.
    origin : str
        File or bundled name that the facts come from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    label: str = Field(min_length=1)
    kind: Literal["cluster", "red-supergiant"] = "cluster"
    position: _Position
    sightline: _Sightline
    stars: _Stars
    population: _Population | None = None
    luminosity: _Luminosity | None = None
    nustar: _Nustar | None = None
    origin: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> Any:
        here = galactic_coordinates(self.position.ra, self.position.dec)
        away = separation_arcmin(here, self.galactic_deg())
        if away > _APART_ARCMIN:
            line = self.sightline
            raise ValueError(
                f"sightline.longitude_deg = {line.longitude_deg:g}, latitude_deg = "
                f"{line.latitude_deg:g} is {away / 60.0:.3g} deg from the position, which is at "
                f"l = {here[0]:.4f}, b = {here[1]:.4f}; correct one of them, or leave out "
                "longitude_deg and latitude_deg"
            )
        return self

    def galactic_deg(self) -> tuple[float, float]:
        """Galactic longitude and latitude of the sight line [deg]."""
        line = self.sightline
        if line.longitude_deg is None or line.latitude_deg is None:
            return galactic_coordinates(self.position.ra, self.position.dec)
        return line.longitude_deg, line.latitude_deg

    def unverified(self) -> list[str]:
        """Dotted keys that nobody compared with their source."""
        tables = {n: getattr(self, n) for n in type(self).model_fields}
        marked = ((n, t.unverified) for n, t in tables.items() if isinstance(t, _Section))
        return [f"{name}.{key}" for name, keys in marked for key in keys]


def cluster_text(name: str) -> str:
    """The file of a bundled target, with its comments.

    Parameters
    ----------
    name : str
        One of ``quintuplet``, ``wd1``, ``arches`` and ``betelgeuse``.

    Returns
    -------
    str
        TOML.

    Raises
    ------
    ConfigurationError
        If there is no such target; the nearest names are listed.

    References
    ----------
    Those named in the file.
    """
    if name not in BUNDLED_CLUSTERS:
        raise unknown_name("target", name, BUNDLED_CLUSTERS)
    return (files("diffaxion.data") / "clusters" / f"{name}.toml").read_text(encoding="utf-8")


def load_cluster(name: str | Path) -> ClusterDescription:
    """Read the description of a target.

    Parameters
    ----------
    name : str or Path
        A bundled target, or the path of a TOML file (any name that ends in ``.toml``).

    Returns
    -------
    ClusterDescription
        Checked facts; scalars of shape (), units in the names [deg, kpc, Myr, erg/s, ks, keV].

    Raises
    ------
    ConfigurationError
        If the target is neither bundled nor a file; the nearest names are listed.
    DataError
        If the file cannot be read, is not TOML, lacks a table, has an unknown key (the nearest
        known ones are listed) or a value out of range.

    References
    ----------
    Those named in the file.
    """
    text = str(name)
    if not text.endswith(".toml"):
        return _bundled(text)
    try:
        content = Path(text).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{text}: cannot be read ({error}); expected a TOML file") from None
    return _parse(content, text)


@functools.lru_cache(maxsize=8)
def _bundled(name: str) -> ClusterDescription:
    return _parse(cluster_text(name), name)


def _parse(content: str, origin: str) -> ClusterDescription:
    try:
        values = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{origin}: not TOML ({error})") from None
    if "origin" in values:
        raise DataError(f"{origin}: unknown key 'origin'; remove it")
    try:
        return ClusterDescription(**values, origin=origin)
    except ValidationError as error:
        raise DataError(f"{origin}: {'; '.join(_sentences(error))}") from None


_TABLES: dict[str, type[BaseModel]] = {
    "position": _Position,
    "sightline": _Sightline,
    "stars": _Stars,
    "population": _Population,
    "luminosity": _Luminosity,
    "nustar": _Nustar,
    "reference": _Reference,
    "masks": _Mask,
}


def _sentences(error: ValidationError) -> list[str]:
    """What is wrong, one sentence for each key."""
    lines = []
    for item in error.errors():
        where = ".".join(str(x) for x in item["loc"]) or "the file"
        parents = [str(x) for x in item["loc"][:-1] if str(x) in _TABLES]
        if item["type"] == "extra_forbidden":
            table = _TABLES[parents[-1]] if parents else ClusterDescription
            known = [k for k in table.model_fields if k != "origin"]
            lines.append(f"unknown key {where!r}: {nearest_names(str(item['loc'][-1]), known)}")
        elif item["type"] == "missing":
            lines.append(f"{where!r} is missing; see `diffaxion init FILE --cluster quintuplet`")
        else:
            message = str(item["msg"]).removeprefix("Value error, ")
            shown = item.get("input")
            value = "" if isinstance(shown, dict) else f" = {shown!r}"
            lines.append(f"{where}{value}: {message}")
    return lines
