"""What axions and photons do in a medium."""

from .cluster_shape import (
    AnchoredShape,
    class_spectra,
    node_spectra,
)
from .primakoff import (
    PrimakoffFlags,
    fermi_energy_keV,
    massive_angular_factor,
    plasma_frequency_keV,
    primakoff_emissivity,
    primakoff_form_factor,
    primakoff_rate,
    primakoff_validity,
    screening_scale_keV,
)
from .stellar import (
    axion_rate,
    band_luminosity,
    flagged_fractions,
    luminosity_spectrum,
    mean_energy_keV,
    total_luminosity,
    zone_luminosity,
)
from .universal import (
    eddington_luminosity,
    eddington_spectrum,
    universal_shape,
    universal_total,
)

__all__ = [
    "AnchoredShape",
    "PrimakoffFlags",
    "axion_rate",
    "band_luminosity",
    "class_spectra",
    "eddington_luminosity",
    "eddington_spectrum",
    "fermi_energy_keV",
    "flagged_fractions",
    "luminosity_spectrum",
    "massive_angular_factor",
    "mean_energy_keV",
    "node_spectra",
    "plasma_frequency_keV",
    "primakoff_emissivity",
    "primakoff_form_factor",
    "primakoff_rate",
    "primakoff_validity",
    "screening_scale_keV",
    "total_luminosity",
    "universal_shape",
    "universal_total",
    "zone_luminosity",
]
