"""The microwave sky: components, channels of surveys, and the harmonic constrained ILC."""

from .apodisation import apodise
from .bins import Bins, check_bins, edge_bins, linear_bins, pad_bins
from .channels import Channels, survey_channels, survey_names, white_channels
from .comparison import Difference, compare_measurements, cross_covariance
from .components import (
    COMPONENTS,
    Foregrounds,
    Spectra,
    dust_response,
    spectra_preset,
    synchrotron_response,
    tsz_response,
)
from .coupling import (
    LegendreGrid,
    couple_rows,
    couple_spectrum,
    coupling_kernel,
    coupling_matrix,
    half_gauss_legendre,
    legendre_grid,
    mask_correlation,
)
from .covariance import binned_covariance, coupled_covariance, narrow_kernel_covariance
from .covariance_estimates import (
    ShrunkCovariance,
    check_covariance,
    hartlap_factor,
    sample_covariance,
    shrink_covariance,
)
from .cross_measurement import (
    CrossMeasurement,
    MaskedField,
    NullTest,
    field_spectra,
    model_spectra,
    null_test,
)
from .decoupling import BandpowerOperators, Decoupling, bandpower_operators, decouple
from .galactic_sky import GalacticSky
from .harmonic_ilc import (
    channel_covariance,
    check_map,
    cmb_spectrum,
    ilc_weights,
    map_spectrum,
)
from .harmonic_map import harmonic_clean
from .ilc_stage import ILCStage, cross_functional, ilc_stage
from .inpainting import InpaintingPlan, diffusive_inpaint, inpainting_plan
from .masks import (
    degrade_mask,
    disc_mask,
    galactic_mask,
    invalid_pixels,
    mask_nside,
    point_source_mask,
    rotate_mask,
    sky_fraction,
    union_mask,
    usable_map,
    validate_mask,
)
from .measure import measure_cross
from .monopole import WithoutDipole, remove_monopole_dipole
from .needlet_maps import ScaleWeights
from .needlet_plan import NeedletPlan, memory_estimate, needlet_plan
from .needlets import (
    PAPER_PEAKS,
    SCALED_PEAKS,
    cosine_needlets,
    gaussian_beam,
    gaussian_needlets,
    top_hat_needlets,
)
from .nilc import needlet_ilc
from .nilc_result import CleanedMap, Instrument, ScaleReport, apply_weights, push_through
from .nilc_settings import NeedletILC
from .overdensity import Overdensity, counts_to_overdensity
from .passbands import (
    PLANCK_CHANNELS,
    ChannelFacts,
    Passbands,
    monochromatic,
    passbands_from_tables,
    planck_channels,
    planck_passbands,
)
from .pixel_window import pixel_window
from .pseudo_cl import (
    MaskSpectra,
    mask_spectrum,
    masked_alm,
    pseudo_spectrum,
    shot_noise_bias,
    white_noise_bias,
)
from .responses import component_response, mixing_matrix, unit_conversion_MJy_sr
from .simulated_files import bundled_simulated_sky, read_simulated_sky, write_simulated_sky
from .simulation import SimulatedSky, simulate_sky
from .simulation_settings import SKY_COMPONENTS, SkySettings
from .sky_spectra import CIBShell, SkySpectra, cib_shells, sky_spectra
from .smoothing import smooth_spectra
from .toy_sky import SKY_FAULTS, isw_correlation, toy_sky, toy_spectra
from .transforms import Transforms, get_transforms
from .weights import constrained_weights

__all__ = [
    "COMPONENTS",
    "PAPER_PEAKS",
    "PLANCK_CHANNELS",
    "SCALED_PEAKS",
    "SKY_COMPONENTS",
    "SKY_FAULTS",
    "BandpowerOperators",
    "Bins",
    "CIBShell",
    "ChannelFacts",
    "Channels",
    "CleanedMap",
    "CrossMeasurement",
    "Decoupling",
    "Difference",
    "Foregrounds",
    "GalacticSky",
    "ILCStage",
    "InpaintingPlan",
    "Instrument",
    "LegendreGrid",
    "MaskSpectra",
    "MaskedField",
    "NeedletILC",
    "NeedletPlan",
    "NullTest",
    "Overdensity",
    "Passbands",
    "ScaleReport",
    "ScaleWeights",
    "ShrunkCovariance",
    "SimulatedSky",
    "SkySettings",
    "SkySpectra",
    "Spectra",
    "Transforms",
    "WithoutDipole",
    "apodise",
    "apply_weights",
    "bandpower_operators",
    "binned_covariance",
    "bundled_simulated_sky",
    "channel_covariance",
    "check_bins",
    "check_covariance",
    "check_map",
    "cib_shells",
    "cmb_spectrum",
    "compare_measurements",
    "component_response",
    "constrained_weights",
    "cosine_needlets",
    "counts_to_overdensity",
    "couple_rows",
    "couple_spectrum",
    "coupled_covariance",
    "coupling_kernel",
    "coupling_matrix",
    "cross_covariance",
    "cross_functional",
    "decouple",
    "degrade_mask",
    "diffusive_inpaint",
    "disc_mask",
    "dust_response",
    "edge_bins",
    "field_spectra",
    "galactic_mask",
    "gaussian_beam",
    "gaussian_needlets",
    "get_transforms",
    "half_gauss_legendre",
    "harmonic_clean",
    "hartlap_factor",
    "ilc_stage",
    "ilc_weights",
    "inpainting_plan",
    "invalid_pixels",
    "isw_correlation",
    "legendre_grid",
    "linear_bins",
    "map_spectrum",
    "mask_correlation",
    "mask_nside",
    "mask_spectrum",
    "masked_alm",
    "measure_cross",
    "memory_estimate",
    "mixing_matrix",
    "model_spectra",
    "monochromatic",
    "narrow_kernel_covariance",
    "needlet_ilc",
    "needlet_plan",
    "null_test",
    "pad_bins",
    "passbands_from_tables",
    "pixel_window",
    "planck_channels",
    "planck_passbands",
    "point_source_mask",
    "pseudo_spectrum",
    "push_through",
    "read_simulated_sky",
    "remove_monopole_dipole",
    "rotate_mask",
    "sample_covariance",
    "shot_noise_bias",
    "shrink_covariance",
    "simulate_sky",
    "sky_fraction",
    "sky_spectra",
    "smooth_spectra",
    "spectra_preset",
    "survey_channels",
    "survey_names",
    "synchrotron_response",
    "top_hat_needlets",
    "toy_sky",
    "toy_spectra",
    "tsz_response",
    "union_mask",
    "unit_conversion_MJy_sr",
    "usable_map",
    "validate_mask",
    "white_channels",
    "white_noise_bias",
    "write_simulated_sky",
]
