"""Analyses: configuration, assembled models, limit curves and the joint run."""

from .adapters import UnitCube, loglike_rows, prior_transform
from .analysis import Analysis, AnalysisData, logdensity, numpyro_model
from .calibration import SbcResult, run_sbc
from .calibration_toys import CoverageRow, run_coverage
from .checks import check_priors, check_spectra
from .cluster_ensembles import (
    ClusterEnsemble,
    cluster_ensemble,
    ensemble_cluster,
    warn_if_far,
)
from .cobaya_likelihood import cobaya_info, cobaya_names, cobaya_params, cobaya_prior
from .config import Configuration, load_configuration, parse_configuration
from .configured import axion_priors, configured_bindings
from .count_images import (
    CountImages,
    build_counts,
    count_images,
    exposure_names,
    mean_area_cm2,
    world_with_images,
)
from .count_limits import CountFlux, count_flux, count_limits
from .coupling_fit import fit_coupling
from .ensemble_config import EnsembleSection
from .evidence import SavageDickey, savage_dickey
from .forecast import (
    Forecast,
    ForecastConfiguration,
    ForecastPart,
    GradientMap,
    forecast_names,
    load_forecast,
    parse_forecast,
    run_forecast,
)
from .forecast_xray import expected_g, linear_signal, linearise
from .impacts import ImpactRow, limit_at_fixed_nuisances, nuisance_impacts, run_impacts
from .information import fisher_matrix
from .injection import InjectionRow, run_injection
from .joint import JointResult, NuisanceCurve, limits_with_nuisances, run_joint, scan_signals
from .joint_model import Recipe, joint_recipe, joint_world
from .joint_posterior import ModelError, PosteriorRun, model_error, run_posterior
from .limit_curves import MassScan, limit_curves, response_curve
from .maps_clean import CleanedSky, Cleaner, Deprojected
from .maps_config import (
    MapsConfiguration,
    goldstein2024,
    load_maps_configuration,
    parse_maps_configuration,
)
from .maps_faults import run_planted
from .maps_pipeline import MapsPlan, MapsResult, maps_summary, plan_maps, run_maps
from .maps_residuals import ResidualBandpowers, mean_shares, residual_bandpowers
from .maps_robustness import make_suite, run_robustness
from .maps_simulation import simulated_sky, write_sky
from .maps_variations import RobustnessTest, Series, Variation
from .marginal import MarginalLimit, bayes_over_masses, marginal_limits, uniform_g_draws
from .moments import (
    CouplingMoments,
    coupling_moments,
    coupling_moments_at,
    expected_strength,
    moments_of,
)
from .predictive import PredictiveCheck, predictive_checks
from .prior_bank import bank_posterior, observed_posterior
from .profile_corrections import profile_corrections
from .profile_nuisances import profile_loglike, profile_over_nuisances
from .recast_curve import SmoothLimit, smooth_limit
from .recast_probe import (
    BandpowerProbe,
    RecastProbe,
    bandpower_probe,
    direct_bandpowers,
    recast_probe,
    screening_part,
)
from .recast_surrogate import build_surrogate
from .sampling import sample_density
from .screening import screening_curve, screening_spectrum, screening_terms, screening_world
from .screening_config import ScreeningSection, screening_section
from .screening_data import (
    ScreeningData,
    asimov_data,
    file_data,
    noise_data,
    parse_data_kind,
    recast_data,
)
from .screening_limits import BayesCurve, ScreeningLimits, null_test, screening_limits
from .screening_nuisances import screening_priors
from .screening_run import (
    bandpower_responses,
    published_recast,
    run_screening_limits,
    screening_data,
    toy_covariance,
)
from .sky_model import halo_sky_spectra
from .star_clusters import (
    FluxSpectrum,
    build_galaxy,
    build_probe,
    build_probes,
    build_world,
    published_shape,
    published_spectrum,
    user_spectrum,
)
from .surrogate_probe import SurrogateProbe, surrogate_error
from .xray_background import BackgroundLevel, published_background
from .xray_fit import CountFit, fit_counts
from .xray_nuisances import SamplerError, sampler_error
from .xray_observation import Observation, read_observation
from .xray_plan import SimulationPlan, expected_background, synthetic_stars
from .xray_simulation import (
    Simulation,
    counts_to_events,
    expected_signal,
    inject_signal,
    simulate_observation,
)
from .xray_world import observation_settings, observation_world

__all__ = [
    "Analysis",
    "AnalysisData",
    "BackgroundLevel",
    "BandpowerProbe",
    "BayesCurve",
    "CleanedSky",
    "Cleaner",
    "ClusterEnsemble",
    "Configuration",
    "CountFit",
    "CountFlux",
    "CountImages",
    "CouplingMoments",
    "CoverageRow",
    "Deprojected",
    "EnsembleSection",
    "FluxSpectrum",
    "Forecast",
    "ForecastConfiguration",
    "ForecastPart",
    "GradientMap",
    "ImpactRow",
    "InjectionRow",
    "JointResult",
    "MapsConfiguration",
    "MapsPlan",
    "MapsResult",
    "MarginalLimit",
    "MassScan",
    "ModelError",
    "NuisanceCurve",
    "Observation",
    "PosteriorRun",
    "PredictiveCheck",
    "RecastProbe",
    "Recipe",
    "ResidualBandpowers",
    "RobustnessTest",
    "SamplerError",
    "SavageDickey",
    "SbcResult",
    "ScreeningData",
    "ScreeningLimits",
    "ScreeningSection",
    "Series",
    "Simulation",
    "SimulationPlan",
    "SmoothLimit",
    "SurrogateProbe",
    "UnitCube",
    "Variation",
    "asimov_data",
    "axion_priors",
    "bandpower_probe",
    "bandpower_responses",
    "bank_posterior",
    "bayes_over_masses",
    "build_counts",
    "build_galaxy",
    "build_probe",
    "build_probes",
    "build_surrogate",
    "build_world",
    "check_priors",
    "check_spectra",
    "cluster_ensemble",
    "cobaya_info",
    "cobaya_names",
    "cobaya_params",
    "cobaya_prior",
    "configured_bindings",
    "count_flux",
    "count_images",
    "count_limits",
    "counts_to_events",
    "coupling_moments",
    "coupling_moments_at",
    "direct_bandpowers",
    "ensemble_cluster",
    "expected_background",
    "expected_g",
    "expected_signal",
    "expected_strength",
    "exposure_names",
    "file_data",
    "fisher_matrix",
    "fit_counts",
    "fit_coupling",
    "forecast_names",
    "goldstein2024",
    "halo_sky_spectra",
    "inject_signal",
    "joint_recipe",
    "joint_world",
    "limit_at_fixed_nuisances",
    "limit_curves",
    "limits_with_nuisances",
    "linear_signal",
    "linearise",
    "load_configuration",
    "load_forecast",
    "load_maps_configuration",
    "logdensity",
    "loglike_rows",
    "make_suite",
    "maps_summary",
    "marginal_limits",
    "mean_area_cm2",
    "mean_shares",
    "model_error",
    "moments_of",
    "noise_data",
    "nuisance_impacts",
    "null_test",
    "numpyro_model",
    "observation_settings",
    "observation_world",
    "observed_posterior",
    "parse_configuration",
    "parse_data_kind",
    "parse_forecast",
    "parse_maps_configuration",
    "plan_maps",
    "predictive_checks",
    "prior_transform",
    "profile_corrections",
    "profile_loglike",
    "profile_over_nuisances",
    "published_background",
    "published_recast",
    "published_shape",
    "published_spectrum",
    "read_observation",
    "recast_data",
    "recast_probe",
    "residual_bandpowers",
    "response_curve",
    "run_coverage",
    "run_forecast",
    "run_impacts",
    "run_injection",
    "run_joint",
    "run_maps",
    "run_planted",
    "run_posterior",
    "run_robustness",
    "run_sbc",
    "run_screening_limits",
    "sample_density",
    "sampler_error",
    "savage_dickey",
    "scan_signals",
    "screening_curve",
    "screening_data",
    "screening_limits",
    "screening_part",
    "screening_priors",
    "screening_section",
    "screening_spectrum",
    "screening_terms",
    "screening_world",
    "simulate_observation",
    "simulated_sky",
    "smooth_limit",
    "surrogate_error",
    "synthetic_stars",
    "toy_covariance",
    "uniform_g_draws",
    "user_spectrum",
    "warn_if_far",
    "world_with_images",
    "write_sky",
]
