"""What axions and photons do in a medium."""

from .absorption import (
    absorption_rate_per_kpc,
    photoelectric_cross_section_cm2,
    transmission,
    uniform_hydrogen_cm3,
)
from .axion import Axion
from .born import born_amplitude, born_probability, phase_rate
from .cluster_shape import (
    AnchoredShape,
    class_spectra,
    node_spectra,
)
from .correlation import (
    Correlation,
    ExponentialCorrelation,
    GaussianCorrelation,
    PowerLawCorrelation,
    RandomCells,
)
from .engine import (
    ConversionFlags,
    conversion_flags,
    conversion_probability,
    probability_over_masses,
    resolve_engine,
)
from .ensemble_spectra import EnsembleSpectra, bin_rule, eddington_spectra, ensemble_spectra
from .galactic import galactic_probability, random_field_probability
from .halo_window import ConversionCuts, conversion_window, smooth_step
from .landau_zener import (
    axion_halo_probability,
    dark_photon_halo_probability,
    landau_zener,
    photon_energy_eV,
    resonance_log_density,
    saturated_conversion,
    transition_width_Mpc,
)
from .luminosity_draws import (
    EnsembleShape,
    LuminosityDraws,
    draw_luminosities,
    ensemble_shape,
    spectrum_modes,
)
from .mixing import exact_probability, transfer_matrix
from .primakoff import (
    massive_angular_factor,
    primakoff_emissivity,
    primakoff_form_factor,
    primakoff_rate,
    screening_scale_keV,
)
from .primakoff_validity import (
    PrimakoffFlags,
    fermi_energy_keV,
    plasma_frequency_keV,
    primakoff_validity,
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
from .turbulence import (
    phase_curvature,
    realisation_caveats,
    realise_field,
    turbulent_probability,
    unit_process,
)
from .universal import (
    eddington_luminosity,
    eddington_spectrum,
    universal_shape,
    universal_total,
)

__all__ = [
    "AnchoredShape",
    "Axion",
    "ConversionCuts",
    "ConversionFlags",
    "Correlation",
    "EnsembleShape",
    "EnsembleSpectra",
    "ExponentialCorrelation",
    "GaussianCorrelation",
    "LuminosityDraws",
    "PowerLawCorrelation",
    "PrimakoffFlags",
    "RandomCells",
    "absorption_rate_per_kpc",
    "axion_halo_probability",
    "axion_rate",
    "band_luminosity",
    "bin_rule",
    "born_amplitude",
    "born_probability",
    "class_spectra",
    "conversion_flags",
    "conversion_probability",
    "conversion_window",
    "dark_photon_halo_probability",
    "draw_luminosities",
    "eddington_luminosity",
    "eddington_spectra",
    "eddington_spectrum",
    "ensemble_shape",
    "ensemble_spectra",
    "exact_probability",
    "fermi_energy_keV",
    "flagged_fractions",
    "galactic_probability",
    "landau_zener",
    "luminosity_spectrum",
    "massive_angular_factor",
    "mean_energy_keV",
    "node_spectra",
    "phase_curvature",
    "phase_rate",
    "photoelectric_cross_section_cm2",
    "photon_energy_eV",
    "plasma_frequency_keV",
    "primakoff_emissivity",
    "primakoff_form_factor",
    "primakoff_rate",
    "primakoff_validity",
    "probability_over_masses",
    "random_field_probability",
    "realisation_caveats",
    "realise_field",
    "resolve_engine",
    "resonance_log_density",
    "saturated_conversion",
    "screening_scale_keV",
    "smooth_step",
    "spectrum_modes",
    "total_luminosity",
    "transfer_matrix",
    "transition_width_Mpc",
    "transmission",
    "turbulent_probability",
    "uniform_hydrogen_cm3",
    "unit_process",
    "universal_shape",
    "universal_total",
    "zone_luminosity",
]
