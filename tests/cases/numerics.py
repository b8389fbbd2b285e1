"""Cases of diffaxion.numerics."""

import jax.numpy as jnp
import numpy as np

from diffaxion import numerics as nu

from . import Case

_X = jnp.linspace(0.0, 3.0, 9)
_Y = jnp.sin(_X)
_C = jnp.asarray(nu.spline_curvature(np.asarray(_X), np.asarray(_Y)))


def _name(f):
    return (f"numerics.{f.__name__}",)


CASES = [
    Case(
        "sinc_and_slope",
        nu.sinc_and_slope,
        (jnp.array([0.3, 2.0, 40.0, -7.0]),),
        ((jnp.zeros(3),), (jnp.array([1e-12, 1e-3, 3e5]),)),
        ("numerics.sinc_and_slope",),
    ),
    *[
        Case(
            f.__name__,
            f,
            (jnp.array([0.7, 2.3]),),
            ((jnp.zeros(2),), (jnp.array([-1.0, 1e3]),)),
            _name(f),
        )
        for f in (nu.safe_sqrt, nu.safe_log, nu.safe_abs, nu.safe_norm, nu.sech2)
    ],
    *[
        Case(
            f.__name__,
            f,
            (jnp.array([0.7, -2.3]), jnp.array([1.1, 0.4])),
            ((jnp.zeros(2), jnp.zeros(2)),),
            _name(f),
        )
        for f in (nu.safe_divide, nu.safe_atan2)
    ],
    Case("trapezoid_weights", nu.trapezoid_weights, (_X,), (), ("numerics.trapezoid_weights",)),
    Case(
        "cumulative_trapezoid",
        nu.cumulative_trapezoid,
        (_Y, _X),
        (),
        ("numerics.cumulative_trapezoid",),
    ),
    Case(
        "gauss_legendre",
        lambda lo, hi: nu.gauss_legendre(8, lo, hi),
        (jnp.array(0.2), jnp.array(1.7)),
        ((jnp.array(0.0), jnp.array(0.0)),),
        ("numerics.gauss_legendre",),
    ),
    Case(
        "linear_interpolate",
        nu.linear_interpolate,
        (jnp.array([0.2, 2.01]), _X, _Y),
        ((jnp.array([-1.0, 5.0]), _X, _Y),),
        ("numerics.linear_interpolate",),
    ),
    Case(
        "spline_interpolate",
        nu.spline_interpolate,
        (jnp.array([0.2, 2.01]), _X, _Y, _C),
        ((jnp.array([-1.0, 5.0]), _X, _Y, _C),),
        ("numerics.spline_interpolate", "numerics.spline_curvature"),
    ),
    Case(
        "bracketed_root",
        lambda t: nu.bracketed_root(lambda x, p: jnp.tanh(x) - p, t, -3.0, 3.0),
        (jnp.array(0.4),),
        ((jnp.array(0.0),), (jnp.array(2.0),)),
        ("numerics.bracketed_root",),
    ),
]
