"""Likelihoods: densities of data given a signal, without knowledge of couplings."""

from .bandpower_covariance import (
    DEPROJECTIONS,
    forecast_covariance,
    gaussian_covariance,
    spectrum_at,
    toy_map_spectrum,
)
from .gaussian import GaussianBlocks, GaussianPoints, validate_points
from .recast import (
    RECAST_ASSUMPTIONS,
    RecastLikelihood,
    RecastResponse,
    recast_likelihood,
    warn_shape_mismatch,
)

__all__ = [
    "DEPROJECTIONS",
    "RECAST_ASSUMPTIONS",
    "GaussianBlocks",
    "GaussianPoints",
    "RecastLikelihood",
    "RecastResponse",
    "forecast_covariance",
    "gaussian_covariance",
    "recast_likelihood",
    "spectrum_at",
    "toy_map_spectrum",
    "validate_points",
    "warn_shape_mismatch",
]
