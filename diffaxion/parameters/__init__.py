"""Parameters of a model: dotted paths to its leaves, priors bound to them, ties."""

from .bind import Bindings, Explained, Tie
from .parse import parse_prior
from .paths import canonical_path, get_path, leaf_paths, path_exists, set_paths
from .priors import (
    Fixed,
    HalfNormalAbove,
    LogNormal,
    LogUniform,
    Normal,
    Prior,
    Uniform,
    UniformRoot,
)
from .units import latex_label, unit_of

__all__ = [
    "Bindings",
    "Explained",
    "Fixed",
    "HalfNormalAbove",
    "LogNormal",
    "LogUniform",
    "Normal",
    "Prior",
    "Tie",
    "Uniform",
    "UniformRoot",
    "canonical_path",
    "get_path",
    "latex_label",
    "leaf_paths",
    "parse_prior",
    "path_exists",
    "set_paths",
    "unit_of",
]
