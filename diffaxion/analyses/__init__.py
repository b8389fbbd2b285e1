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
from .screening_limits import (
    BayesCurve,
    ScreeningData,
    ScreeningLimits,
    asimov_data,
    file_data,
    noise_data,
    null_test,
    parse_data_kind,
    recast_data,
    screening_limits,
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
    "analysis_priors",
    "asimov_data",
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
    "published_shape",
    "published_spectrum",
    "recast_data",
    "response_curve",
    "run_joint",
    "scan_signals",
    "screening_limits",
    "strength_moments",
    "uniform_g_draws",
    "user_spectrum",
]
