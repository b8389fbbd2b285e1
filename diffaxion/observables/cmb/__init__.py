"""Screening of the CMB by halos as spectra and bandpowers."""

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

__all__ = [
    "BandpowerWindows",
    "bandpower_windows",
    "default_bins",
    "gaussian_beam",
    "inference_multipoles",
    "spline_matrix",
    "top_hat_weights",
    "top_hat_windows",
    "windows_of",
]
