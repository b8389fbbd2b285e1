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
from .integration import HaloIntegration, halo_integration
from .limber import galaxy_auto_sums, screening_auto_sums, screening_galaxy_sums
from .screening import ScreeningSpectrum
from .sed import dark_photon_sed, passband_average, screening_sed, temperature_factor_uK

__all__ = [
    "BandpowerWindows",
    "HaloIntegration",
    "ScreeningSpectrum",
    "bandpower_windows",
    "dark_photon_sed",
    "default_bins",
    "galaxy_auto_sums",
    "gaussian_beam",
    "halo_integration",
    "inference_multipoles",
    "limb_kernel",
    "limb_kernel_curved",
    "passband_average",
    "screening_auto_sums",
    "screening_galaxy_sums",
    "screening_sed",
    "spline_matrix",
    "temperature_factor_uK",
    "top_hat_weights",
    "top_hat_windows",
    "windows_of",
]
