"""Simulated skies of the map pipeline: from settings to maps on disk that it takes as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..provenance import atomic_write
from ..sky.passbands import Passbands
from ..sky.simulated_files import write_simulated_sky
from ..sky.simulation import SimulatedSky, simulate_sky
from ..sky.sky_spectra import cib_shells
from ..sky.toy_sky import toy_sky
from .maps_config import MapsConfiguration
from .maps_responses import cleaning_spectra, pipeline_bands

# A common beam beyond two degrees leaves nothing to measure, and no file of bandpowers has one.
_SMALL_NSIDE, _SMALL_FACTOR = 64, 12.0


def simulated_sky(
    settings: MapsConfiguration,
    *,
    seed: int | None = None,
    index: int | None = None,
    fault: str | None = None,
    bands: Passbands | None = None,
) -> SimulatedSky:
    """The sky of the section ``simulation``.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings with that section.
    seed, index : int, optional
        In place of those of the settings.
    fault : str, optional
        In place of that of the settings; see :func:`~diffaxion.sky.toy_sky.toy_sky`.
    bands : Passbands, optional
        In place of those of the settings.

    Returns
    -------
    SimulatedSky
        Maps [K_CMB], galaxies, masks and what was put in.

    Raises
    ------
    ConfigurationError
        If there is no such section or a choice is out of range.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    section = settings.simulation
    if section is None:
        raise ConfigurationError(
            "the configuration has maps on disk and no section [simulation]: nothing to simulate"
        )
    chosen = {
        name: value
        for name in (
            "lmax",
            "beam_factor",
            "noise_factor",
            "galaxies_per_deg2",
            "galactic_cut_deg",
            "galaxy_cut_deg",
        )
        if (value := getattr(section, name)) is not None
    }
    if section.nside < _SMALL_NSIDE:
        chosen.setdefault("beam_factor", _SMALL_FACTOR)
    spectra, choices = toy_sky(
        section.nside,
        section.strength,
        section.fault if fault is None else fault,
        cib_temperature_K=section.cib_temperature_K,
        cib_beta=section.cib_beta,
        components=tuple(section.components),
        counts=section.counts,
        sources=section.sources,
        pixel_windows=section.pixel_windows,
        t_cmb_K=settings.cleaning.t_cmb_K,
        **chosen,
    )
    if section.spectra == "halo-model":
        from .sky_model import halo_sky_spectra

        spectra = halo_sky_spectra(
            choices.top_multipole,
            section.m_a_eV,
            section.g_GeV,
            shells=cib_shells(section.cib_temperature_K, section.cib_beta),
        )
    return simulate_sky(
        spectra,
        pipeline_bands(settings.channels) if bands is None else bands,
        choices,
        seed=settings.seed if seed is None else seed,
        index=section.index if index is None else index,
    )


def write_sky(folder: Path, sky: SimulatedSky, settings: MapsConfiguration) -> Path:
    """A sky as HEALPix files, with a configuration that the pipeline takes as it is.

    Parameters
    ----------
    folder : Path
        Where the maps go.
    sky : SimulatedSky
        The sky.
    settings : MapsConfiguration
        Settings whose other sections are passed on.

    Returns
    -------
    Path
        The configuration, ``maps.toml``. Beside it ``frequency_NNN.fits`` [K_CMB],
        ``galaxies.fits``, ``mask_*.fits`` and ``sky.npz`` with what was put in.

    Raises
    ------
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513 (HEALPix).
    """
    from ..data.healpix_write import write_healpix_map

    comment = sky.nature
    for name, values in zip(sky.names, sky.maps_K):
        write_healpix_map(folder / f"frequency_{name}.fits", values, "K_CMB", comment=comment)
    write_healpix_map(folder / "galaxies.fits", sky.galaxies, "1", comment=comment)
    for name, values in sky.masks.items():
        write_healpix_map(folder / f"mask_{name}.fits", values, "1", comment=comment)
    write_simulated_sky(folder / "sky.npz", sky, truth=tuple(sky.truth))
    values = settings.model_dump(mode="json", exclude={"simulation"}, exclude_none=True)
    section = settings.simulation
    assert section is not None
    cleaning, spectra = values["cleaning"], cleaning_spectra(settings)
    cleaning.setdefault("common_fwhm_arcmin", sky.settings.common_fwhm_arcmin)
    if "peaks" not in cleaning:
        cleaning.setdefault("lmax", sky.lmax)
    cleaning |= {
        "cib": "own",
        "cib_temperature_K": float(spectra.cib_temperature_K),
        "cib_beta": float(spectra.cib_beta),
    }
    values["residuals"].setdefault("cross_uK", cib_cross_uK(sky))
    values["channels"]["fwhm_arcmin"] = {
        n: float(f) for n, f in zip(sky.names, sky.fwhm_arcmin, strict=True)
    }
    values["channels"]["pixel_windows"] = section.pixel_windows
    values["files"] = {
        "temperature": {n: f"frequency_{n}.fits" for n in sky.names},
        "galaxies": "galaxies.fits",
        "shot_noise_sr": sky.shot_noise_sr,
        "fill": ["mask_holes.fits"],
        "temperature_masks": ["mask_temperature.fits"],
        "galaxy_masks": ["mask_galaxies.fits"],
        "nature": sky.nature,
    }
    head = f"# {sky.nature}\n# Clean it: diffaxion maps run {folder / 'maps.toml'}\n"
    return atomic_write(folder / "maps.toml", head + toml_text(values))


def cib_cross_uK(sky: SimulatedSky) -> float:
    """Cross-spectrum of all CIB shells with the galaxies that was put in, at l = 100 [uK].

    Parameters
    ----------
    sky : SimulatedSky
        The sky.

    Returns
    -------
    float
        At 353 GHz.

    References
    ----------
    None: an input of the simulation.
    """
    names = [n for n in sky.spectra.names if n.startswith("cib-")]
    top = min(100, sky.spectra.lmax)
    slope = (top / 100.0) ** -1.2
    return float(sum(sky.spectra.cross("galaxies", n)[top] for n in names) / slope)


def toml_text(values: Mapping[str, Any], path: str = "") -> str:
    """A nested dictionary of plain values as TOML.

    Parameters
    ----------
    values : mapping
        Numbers, text, truth values, lists of these, and mappings.
    path : str
        Name of the table, for tables inside of tables.

    Returns
    -------
    str
        Text that ``tomllib`` reads back; tables without values are left out.

    References
    ----------
    TOML 1.0, https://toml.io/en/v1.0.0.
    """
    plain = {k: v for k, v in values.items() if not isinstance(v, Mapping)}
    lines = [f"{_key(k)} = {json.dumps(v)}" for k, v in plain.items()]
    if path and lines:
        lines.insert(0, f"\n[{path}]")
    text = "".join(f"{line}\n" for line in lines)
    for name, table in values.items():
        if isinstance(table, Mapping):
            text += toml_text(table, f"{path}.{_key(name)}" if path else _key(name))
    return text


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)
