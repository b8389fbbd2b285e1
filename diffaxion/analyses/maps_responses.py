"""Passbands and spectra of the map pipeline, from its settings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..constants import K_PER_UK
from ..data.beam_table import read_beam_table
from ..data.passband import read_passband
from ..errors import ConfigurationError
from ..sky.components import Spectra, spectra_preset
from ..sky.needlets import gaussian_beam
from ..sky.passbands import (
    Passbands,
    monochromatic,
    passbands_from_tables,
    planck_channels,
    planck_passbands,
)
from ..sky.responses import component_response
from .maps_sections import ChannelsSection, CleaningSection, MapsConfiguration

_NODES = 12


def pipeline_bands(channels: ChannelsSection) -> Passbands:
    """Passbands of the channels in their order.

    Parameters
    ----------
    channels : ChannelsSection
        Settings.

    Returns
    -------
    Passbands
        n channels.

    Raises
    ------
    ConfigurationError
        If a channel is unknown or its table is missing.
    DataError
        If a table is unusable.

    References
    ----------
    Planck 2013 results IX, arXiv:1303.5070.
    """
    names = tuple(channels.names)
    if channels.passbands == "monochromatic":
        try:
            return monochromatic(np.array([float(n) for n in names]), names)
        except ValueError:
            raise ConfigurationError(
                f"channels.names = {list(names)}: monochromatic passbands need names that are "
                "frequencies in GHz"
            ) from None
    if channels.passbands == "planck":
        return planck_passbands(
            names, lfi_exponent=channels.lfi_exponent, hfi_exponent=channels.hfi_exponent
        )
    folder = Path(channels.passbands)
    tables = []
    for name in names:
        path = folder / f"{name}.txt"
        if not path.is_file():
            raise ConfigurationError(
                f"channels.passbands = {channels.passbands!r}: no file {path}; expected 'planck', "
                "'monochromatic' or a folder with a table NAME.txt for each channel"
            )
        tables.append(read_passband(path))
    # Short tables keep their points.
    nodes = _NODES if min(nu.size for nu, _ in tables) > 4 * _NODES else None
    return passbands_from_tables(tables, names, nodes=nodes)


def cleaning_spectra(settings: MapsConfiguration) -> Spectra:
    """Spectra of the components as the cleaning assumes them.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings.

    Returns
    -------
    Spectra
        With the CIB of the preset, or the one given [K].

    Raises
    ------
    ConfigurationError
        If the preset is unknown.

    References
    ----------
    Planck 2013 results XXX, arXiv:1309.0382.
    """
    cleaning, sky = settings.cleaning, settings.simulation
    if cleaning.cib == "own":
        assert cleaning.cib_temperature_K is not None
        assert cleaning.cib_beta is not None
        return with_cib(cleaning, cleaning.cib_temperature_K, cleaning.cib_beta)
    if cleaning.cib == "default" and sky is not None:
        return with_cib(cleaning, sky.cib_temperature_K, sky.cib_beta)
    preset = spectra_preset("planck2014" if cleaning.cib == "default" else cleaning.cib)
    return with_cib(cleaning, float(preset.cib_temperature_K), float(preset.cib_beta))


def with_cib(cleaning: CleaningSection, temperature_K: float, beta: float) -> Spectra:
    """Spectra with another CIB.

    Parameters
    ----------
    cleaning : CleaningSection
        Settings, for the temperature of the CMB.
    temperature_K, beta : float
        Modified black body of the CIB [K].

    Returns
    -------
    Spectra
        Leaves are float arrays.

    References
    ----------
    Planck 2013 results XXX, arXiv:1309.0382.
    """
    return Spectra(
        t_cmb_K=cleaning.t_cmb_K,  # type: ignore[arg-type]
        cib_temperature_K=temperature_K,  # type: ignore[arg-type]
        cib_beta=beta,  # type: ignore[arg-type]
    )


def responses_of(
    names: Sequence[str], bands: Passbands, spectra: Spectra, preserve: str
) -> dict[str, np.ndarray]:
    """Responses of all channels to components, with the unit of the output.

    Parameters
    ----------
    names : sequence of str
        Components.
    bands : Passbands
        n channels.
    spectra : Spectra
        Frequency dependence.
    preserve : str
        The component to keep, whose response is K per uK, so that maps in K give uK.

    Returns
    -------
    dict of str to array, shape (n,)
        Responses; Compton y in K, all else relative to its reference channel.

    Raises
    ------
    ConfigurationError
        If a component is unknown.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    found = {
        name: np.asarray(component_response(name, bands, spectra))
        for name in dict.fromkeys((preserve, *names))
    }
    # Maps are in K, products in uK: a response per uK makes the difference.
    found[preserve] = K_PER_UK * found[preserve]
    return found


def channel_beams(channels: ChannelsSection, lmax: int) -> tuple[np.ndarray, np.ndarray]:
    """Beams of the channels, Gaussian or from tables.

    Parameters
    ----------
    channels : ChannelsSection
        Settings.
    lmax : int
        Largest multipole.

    Returns
    -------
    beams : array, shape (n, lmax + 1)
        B_l, 1 at l = 0.
    fwhm_arcmin : array, shape (n,)
        Widths [arcmin]; NaN for tables.

    Raises
    ------
    ConfigurationError
        If a width is not positive, or a channel has neither a width nor a table.
    DataError
        If a table is unusable.

    References
    ----------
    McCarthy & Hill 2024, arXiv:2307.01043, Table I.
    """
    widths = np.full(len(channels.names), np.nan)
    beams = np.ones((len(widths), lmax + 1))
    for k, name in enumerate(channels.names):
        if name in channels.beam_files:
            beams[k] = read_beam_table(channels.beam_files[name], lmax)
            continue
        given = channels.fwhm_arcmin.get(name)
        width = float(planck_channels((name,)).fwhm_arcmin[0]) if given is None else given
        if not (np.isfinite(width) and width > 0.0):
            raise ConfigurationError(
                f"channels.fwhm_arcmin: {name!r} = {width:g}, expected arcmin > 0"
            )
        widths[k], beams[k] = width, gaussian_beam(width, lmax)
    return beams, widths
