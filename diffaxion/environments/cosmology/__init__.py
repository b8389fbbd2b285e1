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

__all__ = [
    "CorrectedPower",
    "Cosmology",
    "EisensteinHuPower",
    "LinearPower",
    "comoving_distance",
    "critical_density",
    "growth_factor",
    "hubble",
    "linear_power",
    "matter_density",
    "matter_fraction",
    "planck_cosmology",
    "sound_horizon",
    "transfer_function",
]
