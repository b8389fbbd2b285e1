"""Numerical tools without physics: quadrature, interpolation, roots, guarded functions."""

from .gauss import condensed_rule
from .interpolation import linear_interpolate, spline_curvature, spline_interpolate
from .quadrature import cumulative_trapezoid, gauss_legendre, simpson_weights, trapezoid_weights
from .roots import bracketed_root
from .sinc import sinc_and_slope
from .sine_cosine import auxiliary_integrals, cosine_integral, sin_cos, sine_integral
from .special import (
    safe_abs,
    safe_atan2,
    safe_divide,
    safe_log,
    safe_norm,
    safe_sqrt,
    sech2,
)

__all__ = [
    "auxiliary_integrals",
    "bracketed_root",
    "condensed_rule",
    "cosine_integral",
    "cumulative_trapezoid",
    "gauss_legendre",
    "linear_interpolate",
    "safe_abs",
    "safe_atan2",
    "safe_divide",
    "safe_log",
    "safe_norm",
    "safe_sqrt",
    "sech2",
    "simpson_weights",
    "sin_cos",
    "sinc_and_slope",
    "sine_integral",
    "spline_curvature",
    "spline_interpolate",
    "trapezoid_weights",
]
