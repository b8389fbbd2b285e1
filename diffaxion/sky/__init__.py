"""The microwave sky: components, channels of surveys, and the harmonic constrained ILC."""

from .channels import Channels, survey_channels, survey_names, white_channels
from .components import (
    COMPONENTS,
    Foregrounds,
    dust_response,
    synchrotron_response,
    tsz_response,
)
from .harmonic_ilc import (
    channel_covariance,
    check_map,
    cmb_spectrum,
    ilc_weights,
    map_spectrum,
)

__all__ = [
    "COMPONENTS",
    "Channels",
    "Foregrounds",
    "channel_covariance",
    "check_map",
    "cmb_spectrum",
    "dust_response",
    "ilc_weights",
    "map_spectrum",
    "survey_channels",
    "survey_names",
    "synchrotron_response",
    "tsz_response",
    "white_channels",
]
