"""Inference: limits, profiles, posteriors and their diagnostics."""

from .bayes import PRIORS, BayesLimit, gaussian_bayes_limit, grid_bayes_limit
from .diagnostics import Gates, Quantile, check_gates, quantile_with_error
from .fisher import Impacts, fisher_information, impacts, strength_sigma
from .limits import (
    Q_95,
    Q_95_ROUNDED,
    CouplingLimit,
    GaussianMoments,
    LimitResult,
    LimitStatus,
    combine,
    constant_bands,
    coupling_from_strength,
    linear_limit,
    linear_moments,
    moments_from_limits,
    moments_limit,
    power_constrained,
    rescale_response,
)
from .newton import Solution, cross, maximise
from .posterior import Posterior
from .problem import Expansion, Problem
from .profile import ProfileResult, profile_curve, profile_limit
from .sample import Sampler

__all__ = [
    "PRIORS",
    "Q_95",
    "Q_95_ROUNDED",
    "BayesLimit",
    "CouplingLimit",
    "Expansion",
    "Gates",
    "GaussianMoments",
    "Impacts",
    "LimitResult",
    "LimitStatus",
    "Posterior",
    "Problem",
    "ProfileResult",
    "Quantile",
    "Sampler",
    "Solution",
    "check_gates",
    "combine",
    "constant_bands",
    "coupling_from_strength",
    "cross",
    "fisher_information",
    "gaussian_bayes_limit",
    "grid_bayes_limit",
    "impacts",
    "linear_limit",
    "linear_moments",
    "maximise",
    "moments_from_limits",
    "moments_limit",
    "power_constrained",
    "profile_curve",
    "profile_limit",
    "quantile_with_error",
    "rescale_response",
    "strength_sigma",
]
