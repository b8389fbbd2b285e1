"""Likelihoods: densities of data given a signal, without knowledge of couplings."""

from .bandpower_covariance import (
    DEPROJECTIONS,
    forecast_covariance,
    gaussian_covariance,
    spectrum_at,
    toy_map_spectrum,
)
from .gaussian import GaussianBlocks, GaussianPoints, validate_points
from .poisson import PoissonBlocks, PoissonProfile, TemplatePoisson
from .poisson_checks import validate_templates
from .poisson_merge import merge_empty, merge_similar
from .poisson_packed import PackedPoisson, pack_pixels
from .poisson_points import FluxPoints, flux_points, joint_flux_points
from .recast import (
    RECAST_ASSUMPTIONS,
    RecastLikelihood,
    RecastResponse,
    recast_likelihood,
    warn_shape_mismatch,
)
from .residuals import ResidualTemplates

__all__ = [
    "DEPROJECTIONS",
    "RECAST_ASSUMPTIONS",
    "FluxPoints",
    "GaussianBlocks",
    "GaussianPoints",
    "PackedPoisson",
    "PoissonBlocks",
    "PoissonProfile",
    "RecastLikelihood",
    "RecastResponse",
    "ResidualTemplates",
    "TemplatePoisson",
    "flux_points",
    "forecast_covariance",
    "gaussian_covariance",
    "joint_flux_points",
    "merge_empty",
    "merge_similar",
    "pack_pixels",
    "recast_likelihood",
    "spectrum_at",
    "toy_map_spectrum",
    "validate_points",
    "validate_templates",
    "warn_shape_mismatch",
]
