"""Screening of the CMB by halos as spectra and bandpowers."""

from .angular import limb_kernel, limb_kernel_curved
from .bandpowers import (
    BandpowerWindows,
    bandpower_windows,
    default_bins,
    gaussian_beam,
    inference_multipoles,
    spline_matrix,
    top_hat_weights,
    top_hat_windows,
    windows_of,
)
from .sed import dark_photon_sed, passband_average, screening_sed, temperature_factor_uK

__all__ = [
    "BandpowerWindows",
    "bandpower_windows",
    "dark_photon_sed",
    "default_bins",
    "gaussian_beam",
    "inference_multipoles",
    "limb_kernel",
    "limb_kernel_curved",
    "passband_average",
    "screening_sed",
    "spline_matrix",
    "temperature_factor_uK",
    "top_hat_weights",
    "top_hat_windows",
    "windows_of",
]
