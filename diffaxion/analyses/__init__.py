"""Analyses: configuration, assembled models, limit curves and the joint run."""

from .analysis import Analysis, AnalysisData, logdensity, numpyro_model, strength_moments
from .checks import analysis_priors, check_priors, check_spectra
from .config import Configuration, load_configuration, parse_configuration
from .joint import JointResult, build_analysis, run_joint, scan_signals
from .limit_curves import MassScan, limit_curves, response_curve
from .nuisances import (
    MarginalLimit,
    bayes_over_masses,
    marginal_limits,
    profile_loglike,
    profile_over_nuisances,
    uniform_g_draws,
)
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
from .screening_run import (
    bandpower_responses,
    published_recast,
    run_screening_limits,
    screening_data,
    toy_covariance,
)
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

__all__ = [
    "Analysis",
    "AnalysisData",
    "BayesCurve",
    "Configuration",
    "FluxSpectrum",
    "JointResult",
    "MarginalLimit",
    "MassScan",
    "ScreeningData",
    "ScreeningLimits",
    "ScreeningSection",
    "analysis_priors",
    "asimov_data",
    "bandpower_responses",
    "bayes_over_masses",
    "build_analysis",
    "build_galaxy",
    "build_probe",
    "build_probes",
    "build_world",
    "check_priors",
    "check_spectra",
    "file_data",
    "limit_curves",
    "load_configuration",
    "logdensity",
    "marginal_limits",
    "noise_data",
    "null_test",
    "numpyro_model",
    "parse_configuration",
    "parse_data_kind",
    "profile_loglike",
    "profile_over_nuisances",
    "published_recast",
    "published_shape",
    "published_spectrum",
    "recast_data",
    "response_curve",
    "run_joint",
    "run_screening_limits",
    "scan_signals",
    "screening_curve",
    "screening_data",
    "screening_limits",
    "screening_section",
    "screening_spectrum",
    "screening_terms",
    "screening_world",
    "strength_moments",
    "toy_covariance",
    "uniform_g_draws",
    "user_spectrum",
]
