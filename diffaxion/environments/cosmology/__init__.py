"""Cosmology: background, growth, linear power spectra and the variance of the density field."""

from .background import (
    Cosmology,
    comoving_distance,
    critical_density,
    hubble,
    matter_density,
    matter_fraction,
    planck_cosmology,
)
from .eisenstein_hu import sound_horizon, transfer_function
from .growth import growth_factor
from .power import CorrectedPower, EisensteinHuPower, LinearPower, linear_power
from .tabulated import TabulatedPower
from .variance import (
    SigmaWindow,
    mass_sigma,
    sigma_8,
    sigma_and_power,
    sigma_slope,
    sigma_window,
)

__all__ = [
    "CorrectedPower",
    "Cosmology",
    "EisensteinHuPower",
    "LinearPower",
    "SigmaWindow",
    "TabulatedPower",
    "comoving_distance",
    "critical_density",
    "growth_factor",
    "hubble",
    "linear_power",
    "mass_sigma",
    "matter_density",
    "matter_fraction",
    "planck_cosmology",
    "sigma_8",
    "sigma_and_power",
    "sigma_slope",
    "sigma_window",
    "sound_horizon",
    "transfer_function",
]
