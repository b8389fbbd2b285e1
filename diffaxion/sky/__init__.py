"""The microwave sky: components, channels of surveys, and the harmonic constrained ILC."""

from .channels import Channels, survey_channels, survey_names, white_channels
from .components import (
    COMPONENTS,
    Foregrounds,
    Spectra,
    dust_response,
    spectra_preset,
    synchrotron_response,
    tsz_response,
)
from .galactic_sky import GalacticSky
from .harmonic_ilc import (
    channel_covariance,
    check_map,
    cmb_spectrum,
    ilc_weights,
    map_spectrum,
)
from .passbands import (
    PLANCK_CHANNELS,
    ChannelFacts,
    Passbands,
    monochromatic,
    passbands_from_tables,
    planck_channels,
    planck_passbands,
)
from .responses import component_response, mixing_matrix, unit_conversion_MJy_sr
from .simulated_files import bundled_simulated_sky, read_simulated_sky, write_simulated_sky
from .simulation import SimulatedSky, simulate_sky
from .simulation_settings import SKY_COMPONENTS, SkySettings
from .sky_spectra import CIBShell, SkySpectra, cib_shells, sky_spectra
from .toy_sky import SKY_FAULTS, isw_correlation, toy_sky, toy_spectra

__all__ = [
    "COMPONENTS",
    "PLANCK_CHANNELS",
    "SKY_COMPONENTS",
    "SKY_FAULTS",
    "CIBShell",
    "ChannelFacts",
    "Channels",
    "Foregrounds",
    "GalacticSky",
    "Passbands",
    "SimulatedSky",
    "SkySettings",
    "SkySpectra",
    "Spectra",
    "bundled_simulated_sky",
    "channel_covariance",
    "check_map",
    "cib_shells",
    "cmb_spectrum",
    "component_response",
    "dust_response",
    "ilc_weights",
    "isw_correlation",
    "map_spectrum",
    "mixing_matrix",
    "monochromatic",
    "passbands_from_tables",
    "planck_channels",
    "planck_passbands",
    "read_simulated_sky",
    "simulate_sky",
    "sky_spectra",
    "spectra_preset",
    "survey_channels",
    "survey_names",
    "synchrotron_response",
    "toy_sky",
    "toy_spectra",
    "tsz_response",
    "unit_conversion_MJy_sr",
    "white_channels",
    "write_simulated_sky",
]
