"""sin(a)/a and its derivative, for large arrays."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

from .sine_cosine import sin_cos

_SERIES_BELOW = 1e-3


def sinc_and_slope(
    a: Float[Array, "..."],
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """f(a) = sin(a)/a and f'(a) = (cos(a) - f(a))/a; f(0) = 1, f'(0) = 0.

    Parameters
    ----------
    a : float array, shape (...)
        Argument, dimensionless (radians), |a| < 1e6.

    Returns
    -------
    value, slope : float array, shape (...)
        f and f', dimensionless.

    References
    ----------
    Abramowitz & Stegun 1964, Handbook of Mathematical Functions, section 10.1 (j_0 and -j_1).
    """
    near = jnp.abs(a) < _SERIES_BELOW
    inverse = 1.0 / jnp.where(near, 1.0, a)
    sine, cosine = sin_cos(a)
    square = a * a
    value = jnp.where(near, 1.0 - square / 6.0 * (1.0 - square / 20.0), sine * inverse)
    slope = jnp.where(near, -a / 3.0 * (1.0 - square / 10.0), (cosine - value) * inverse)
    return value, slope
