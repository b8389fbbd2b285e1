"""Configuration of the map pipeline: from frequency maps to bandpowers, checked key by key.

A configuration has either a section ``simulation`` (a simulated sky is made first) or a section
``files`` (maps and masks on disk). The other sections have defaults, those of the published
analysis where ``preset = "goldstein2024"`` is set (see :func:`goldstein2024`).
"""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..constants import T_CMB_K
from ..errors import ConfigurationError
from ..sky.components import COMPONENTS
from .config import check_choice, read_toml, schema_error
from .maps_sections import PLANCK_CHANNELS, ROBUSTNESS_TESTS, MapsConfiguration

MAPS_BUNDLED = ("maps", "planck")
"""Bundled configurations of ``diffaxion maps``."""

# Files that further sets would replace.
_RESERVED = ("fiducial", "all_bins")


def goldstein2024() -> dict[str, Any]:
    """Values of the published analysis, by section, as far as they are known.

    ======================================================== =================================
    value                                                    status
    ======================================================== =================================
    eight Planck PR4 channels, 30 to 545 GHz                 text
    common beam of 10 arcmin                                 text
    13 cosine needlets of Table S1                           text
    ILC bias of 1 per cent                                   text
    full passbands, exponent 0                               text, exponent inferred
    tSZ, CIB and its derivative in beta deprojected          text
    CMB not deprojected                                      text
    CIB of 24 K and beta 1.2                                 chosen: the numbers are lost
    T_CMB = 2.7255 K                                         chosen: the number is lost
    two lowest bins left out, 11 used, l = 2000 the largest  text
    bins of width 150 from l = 2                             inferred from these numbers
    Gaussian covariance, improved narrow kernels             text
    masks apodised by C1 over 1 deg, nside 2048              chosen: not given
    l_max = 4096                                             inferred from the last needlet
    Galactic masks of 40, 60, 70 and 80 per cent             chosen, 70 in the text
    grid of CIB spectra                                      chosen
    ======================================================== =================================

    Returns
    -------
    dict
        Values by section and key [GHz, arcmin, K, deg].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; McCarthy & Hill 2024, arXiv:2307.01043 (beams).
    """
    return {
        "channels": {"names": list(PLANCK_CHANNELS), "passbands": "planck"},
        "cleaning": {
            "preserve": "screening",
            "deprojected": ["tsz", "cib", "cib-dbeta"],
            "cib": "planck2014",
            "t_cmb_K": T_CMB_K,
            "nside": 2048,
            "lmax": 4096,
            "peaks": [0, 100, 200, 300, 400, 600, 800, 1000, 1250, 1400, 1800, 2200, 4097],
            "common_fwhm_arcmin": 10.0,
            "bias": 0.01,
        },
        "measurement": {
            "bin_width": 150,
            "first_ell": 2,
            "last_ell": 2000,
            "skip_bins": 2,
            "apodisation_deg": 1.0,
            "apodisation": "C1",
        },
    }


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in over.items():
        old = out.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        out[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return out


def parse_maps_configuration(
    values: dict[str, Any], origin: str = "given in Python"
) -> MapsConfiguration:
    """Check a nested dictionary against the schema and fill in the preset.

    Parameters
    ----------
    values : dict
        Sections as in :class:`MapsConfiguration`; units are in the names.
    origin : str
        File name for messages.

    Returns
    -------
    MapsConfiguration
        Frozen settings.

    Raises
    ------
    ConfigurationError
        On unknown keys (the nearest known ones are listed), wrong types or ranges, or if there is
        not exactly one of the sections ``simulation`` and ``files``.

    References
    ----------
    None: configuration.
    """
    chosen = goldstein2024() if values.get("preset") == "goldstein2024" else {}
    own = values.get("cleaning")
    if chosen and isinstance(own, dict) and "lmax" in own:
        # The needlets of the preset end at its own l_max; others follow from the one given.
        del chosen["cleaning"]["peaks"]
    try:
        found = MapsConfiguration.model_validate(_merged(chosen, values))
    except ValidationError as error:
        raise schema_error(origin, error, MapsConfiguration) from None
    if (found.simulation is None) == (found.files is None):
        which = "neither" if found.files is None else "both"
        raise ConfigurationError(
            f"configuration {origin}: {which} of the sections [simulation] and [files]; expected "
            "exactly one, a sky to be simulated or maps on disk"
        )
    check_maps_settings(found, origin)
    return found


def check_maps_settings(settings: MapsConfiguration, origin: str) -> None:
    """Refuse settings that contradict each other, before anything is read or computed.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings.
    origin : str
        File name for messages.

    Returns
    -------
    None
        Silence is consent.

    Raises
    ------
    ConfigurationError
        If names of channels, components or tests are unknown, or numbers contradict each other.

    References
    ----------
    None: a validation.
    """
    names, cleaning = settings.channels.names, settings.cleaning
    where = f"configuration {origin}: "
    if len(set(names)) != len(names):
        raise ConfigurationError(f"{where}channels.names = {names}: a name stands there twice")
    mentioned: dict[str, list[str]] = {
        "channels.fwhm_arcmin": list(settings.channels.fwhm_arcmin),
        "channels.beam_files": list(settings.channels.beam_files),
        "robustness.drop": [n for group in settings.robustness.drop or [] for n in group],
        "cleaning.channels": [n for row in cleaning.channels or [] for n in row],
        "residuals.channel": [settings.residuals.channel] if settings.residuals.channel else [],
    }
    for key, given in mentioned.items():
        for name in given:
            check_choice(f"{where}{key}: channel", name, tuple(names))
    if settings.files is not None:
        for name in names:
            if name not in settings.files.temperature:
                raise ConfigurationError(
                    f"{where}files.temperature: no map for channel {name!r} of channels.names"
                )
        if settings.files.galaxies_kind == "counts" and settings.files.completeness is None:
            raise ConfigurationError(
                f"{where}files.completeness is missing: counts of galaxies become an overdensity "
                "with the share of galaxies that each pixel shows"
            )
    for name in cleaning.also:
        if name in _RESERVED or not re.fullmatch(r"\w[\w.+-]*", name):
            raise ConfigurationError(
                f"{where}cleaning.also: a set named {name!r}; sets name files, expected letters, "
                f"digits and any of _ . + -, and neither {' nor '.join(_RESERVED)}"
            )
    for name in settings.residuals.alternatives or {}:
        if not name.isidentifier():
            raise ConfigurationError(
                f"{where}residuals.alternatives: {name!r}, expected a name of letters, digits and "
                "underscores, which names a parameter"
            )
    sets = {"deprojected": cleaning.deprojected, **cleaning.also}
    for key, chosen in sets.items():
        for name in deprojected_names(chosen):
            check_choice(f"{where}cleaning, set {key}: component", name, COMPONENTS)
            if name == cleaning.preserve:
                raise ConfigurationError(
                    f"{where}cleaning, set {key}: {name!r} is preserved and cannot be deprojected"
                )
    if (cleaning.cib == "own") != (cleaning.cib_temperature_K is not None) or (
        (cleaning.cib_temperature_K is None) != (cleaning.cib_beta is None)
    ):
        raise ConfigurationError(
            f'{where}cleaning: cib = "own" and the numbers cib_temperature_K and cib_beta go '
            "together"
        )
    check_choice(f"{where}cleaning.cib", cleaning.cib, ("default", "planck2014", "act_dr6", "own"))
    measurement = settings.measurement
    if measurement.last_ell is not None and not measurement.first_ell < measurement.last_ell:
        raise ConfigurationError(
            f"{where}measurement: first_ell = {measurement.first_ell}, last_ell = "
            f"{measurement.last_ell}; expected the first below the last"
        )
    for test in settings.robustness.tests:
        check_choice(f"{where}robustness.tests", test, ROBUSTNESS_TESTS)
    for share in settings.robustness.sky_fractions:
        if not 0.05 <= share <= 1.0:
            raise ConfigurationError(
                f"{where}robustness.sky_fractions: {share:g}, expected 0.05 to 1"
            )


def deprojected_names(chosen: list[str] | list[list[str]]) -> list[str]:
    """Names of a list for all scales, or of lists for each scale, without repetition."""
    flat: list[str] = []
    for item in chosen:
        flat += [item] if isinstance(item, str) else item
    return list(dict.fromkeys(flat))


def maps_configuration_text(name: str = "maps") -> str:
    """A bundled configuration as TOML with comments: ``maps`` or ``planck``."""
    check_choice("configuration", name, MAPS_BUNDLED)
    return (files("diffaxion.analyses") / "configurations" / f"{name}.toml").read_text()


def load_maps_configuration(path: str | Path | None = None) -> MapsConfiguration:
    """Read a TOML configuration of the map pipeline, or the bundled one.

    Parameters
    ----------
    path : str or Path, optional
        File, or the name of a bundled configuration; None takes ``maps``.

    Returns
    -------
    MapsConfiguration
        Frozen settings; relative file names are made absolute.

    Raises
    ------
    ConfigurationError
        If the file is missing, is not TOML or does not fit the schema.

    References
    ----------
    None: configuration.
    """
    name = "maps" if path is None else str(path)
    if name in MAPS_BUNDLED and not Path(name).is_file():
        return parse_maps_configuration(tomllib.loads(maps_configuration_text(name)), name)
    return parse_maps_configuration(_absolute(read_toml(Path(name)), Path(name).parent), name)


def _absolute(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same settings with names of files that start at the folder of the configuration."""
    out = dict(values)
    if isinstance(values.get("files"), dict):
        where = folder / str(values["files"].get("folder", "."))
        out["files"] = values["files"] | {"folder": str(where.resolve())}
    channels = values.get("channels")
    if isinstance(channels, dict):
        changed = dict(channels)
        beams = channels.get("beam_files")
        if isinstance(beams, dict):
            changed["beam_files"] = {k: str((folder / str(v)).resolve()) for k, v in beams.items()}
        bands = channels.get("passbands", "planck")
        if bands not in ("planck", "monochromatic"):
            changed["passbands"] = str((folder / str(bands)).resolve())
        out["channels"] = changed
    return out
