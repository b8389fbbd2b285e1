"""Guarded elementary functions: finite value and gradient at the edges of their domain.

``jnp.where`` guards values but not gradients, because the derivative of the branch that is not
taken is still multiplied by zero. Every function here therefore guards the *argument*.
"""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float


def safe_sqrt(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Square root with sqrt(x) = 0 and zero gradient for x <= 0."""
    ok = x > 0.0
    return jnp.where(ok, jnp.sqrt(jnp.where(ok, x, 1.0)), 0.0)


def safe_log(x: Float[Array, "..."], floor: float = 1e-300) -> Float[Array, "..."]:
    """Natural logarithm, constant (zero gradient) at and below ``floor``."""
    ok = x > floor
    return jnp.log(jnp.where(ok, x, floor))


def safe_divide(
    a: Float[Array, "..."], b: Float[Array, "..."], fill: float = 0.0
) -> Float[Array, "..."]:
    """a / b, with ``fill`` and zero gradient where b = 0."""
    ok = b != 0.0
    return jnp.where(ok, a / jnp.where(ok, b, 1.0), fill)


def safe_abs(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Absolute value with zero gradient at 0."""
    return jnp.where(x > 0.0, x, jnp.where(x < 0.0, -x, 0.0))


def safe_norm(x: Float[Array, "... n"]) -> Float[Array, "..."]:
    """Euclidean norm over the last axis, with zero gradient at the origin."""
    return safe_sqrt(jnp.sum(x * x, axis=-1))


def safe_atan2(y: Float[Array, "..."], x: Float[Array, "..."]) -> Float[Array, "..."]:
    """atan2 with value 0 and zero gradient at the origin."""
    ok = (x != 0.0) | (y != 0.0)
    return jnp.where(ok, jnp.arctan2(jnp.where(ok, y, 0.0), jnp.where(ok, x, 1.0)), 0.0)


def sech2(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """sech^2(x), without overflow for any |x|."""
    e = jnp.exp(-2.0 * jnp.abs(x))
    return 4.0 * e / (1.0 + e) ** 2
