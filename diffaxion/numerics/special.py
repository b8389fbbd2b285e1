"""Guarded elementary functions: finite value and gradient at the edges of their domain.

``jnp.where`` guards values but not gradients, because the derivative of the branch that is not
taken is still multiplied by zero. Every function here therefore guards the *argument*.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def safe_sqrt(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Square root with sqrt(x) = 0 and zero gradient for x <= 0.

    Parameters
    ----------
    x : float array, shape (...)
        Argument, any real number, in the square of the result's unit.

    Returns
    -------
    float array, shape (...)
        sqrt(max(x, 0)).

    References
    ----------
    None: a guarded elementary function.
    """
    ok = x > 0.0
    return jnp.where(ok, jnp.sqrt(jnp.where(ok, x, 1.0)), 0.0)


def safe_log(x: Float[Array, "..."], floor: float = 1e-300) -> Float[Array, "..."]:
    """Natural logarithm, constant (zero gradient) at and below ``floor``.

    Parameters
    ----------
    x : float array, shape (...)
        Argument, dimensionless, any real number.
    floor : float
        Smallest argument, > 0.

    Returns
    -------
    float array, shape (...)
        ln(max(x, floor)), dimensionless.

    References
    ----------
    None: a guarded elementary function.
    """
    ok = x > floor
    return jnp.log(jnp.where(ok, x, floor))


def safe_divide(
    a: Float[Array, "..."], b: Float[Array, "..."], fill: float = 0.0
) -> Float[Array, "..."]:
    """a / b, with ``fill`` and zero gradient where b = 0.

    Parameters
    ----------
    a, b : float array, shape (...)
        Numerator and denominator, any unit.
    fill : float
        Value where b = 0, in the unit of a / b.

    Returns
    -------
    float array, shape (...)
        The quotient.

    References
    ----------
    None: a guarded elementary function.
    """
    ok = b != 0.0
    return jnp.where(ok, a / jnp.where(ok, b, 1.0), fill)


def safe_abs(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Absolute value with zero gradient at 0.

    Parameters
    ----------
    x : float array, shape (...)
        Argument, any real number and unit.

    Returns
    -------
    float array, shape (...)
        |x|, same unit.

    References
    ----------
    None: a guarded elementary function.
    """
    return jnp.where(x > 0.0, x, jnp.where(x < 0.0, -x, 0.0))


def safe_norm(x: Float[Array, "... n"]) -> Float[Array, "..."]:
    """Euclidean norm over the last axis, with zero gradient at the origin.

    Parameters
    ----------
    x : float array, shape (..., n)
        Vectors, any unit.

    Returns
    -------
    float array, shape (...)
        sqrt(sum of x^2), same unit.

    References
    ----------
    None: a guarded elementary function.
    """
    return safe_sqrt(jnp.sum(x * x, axis=-1))


def safe_atan2(y: Float[Array, "..."], x: Float[Array, "..."]) -> Float[Array, "..."]:
    """atan2 with value 0 and zero gradient at the origin.

    Parameters
    ----------
    y, x : float array, shape (...)
        Coordinates, any common unit.

    Returns
    -------
    float array, shape (...)
        Angle between -pi and pi [rad].

    References
    ----------
    None: a guarded elementary function.
    """
    ok = (x != 0.0) | (y != 0.0)
    return jnp.where(ok, jnp.arctan2(jnp.where(ok, y, 0.0), jnp.where(ok, x, 1.0)), 0.0)


def sech2(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """sech^2(x) = 4 e / (1 + e)^2 with e = exp(-2|x|), without overflow for any |x|.

    Parameters
    ----------
    x : float array, shape (...)
        Argument, dimensionless.

    Returns
    -------
    float array, shape (...)
        Between 0 and 1, dimensionless.

    References
    ----------
    Abramowitz & Stegun 1964, Handbook of Mathematical Functions, eq. 4.5.4.
    """
    e = jnp.exp(-2.0 * jnp.abs(x))
    return 4.0 * e / (1.0 + e) ** 2
