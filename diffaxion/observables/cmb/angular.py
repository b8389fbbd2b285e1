"""Multipoles of the optical depth of one halo: the image of a thin shell of resonances.

Photons convert on the sphere r = r_res, which is seen under the angle theta_max. A line of sight
at theta < theta_max meets it twice, at a slant that makes the conversion grow as
1/sqrt(1 - (theta/theta_max)^2): the limb is bright. The spherical harmonics of that profile,

    I_l = 2 pi int_0^theta_max P_l(cos t) sin t dt/sqrt(1 - (t/theta_max)^2),

are needed at every (l, z, M) and take most of the time of a spectrum. In the flat sky they have a
closed form with one sine, a vectorised polynomial whose range reduction the derivative shares.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ...numerics import sin_cos

_TWO_PI = 2.0 * math.pi
# Below this a = (l + 1/2) theta the quotient sin(a)/a is 1 to all digits and not formed.
_TINY = 1e-100
# Below this a the combinations that cancel are summed as power series (8 terms: 2e-16).
_SERIES_BELOW = 1.0
# (d/da)(sin a/a)/a = sum_n (-1)^n 2n a^(2n-2)/(2n+1)!, n = 1..8.
_SLOPE_SERIES = tuple((-1) ** n * 2 * n / math.factorial(2 * n + 1) for n in range(1, 9))


def _horner(coefficients: tuple[float, ...], y: Array) -> Array:
    return functools.reduce(lambda total, c: total * y + c, coefficients[::-1], jnp.zeros_like(y))


def _quotient(sine: Array, a: Array) -> Array:
    """sin(a)/a, 1 at a = 0.

    The division by the full array is kept although sin(a) theta/(l + 1/2) would avoid it: XLA then
    leaves this loop vectorised instead of merging it into the scalar loop of a following sum.
    """
    ok = jnp.abs(a) > _TINY
    return jnp.where(ok, sine / jnp.where(ok, a, 1.0), 1.0)


def _slope_over_a(quotient: Array, cosine: Array, a: Array) -> Array:
    """f'(a)/a for f = sin(a)/a: (cos a - f)/a^2, by its series where that cancels."""
    near = jnp.abs(a) < _SERIES_BELOW
    far = jnp.where(near, 1.0, a)
    series = _horner(_SLOPE_SERIES, jnp.where(near, a, 0.0) ** 2)
    return jnp.where(near, series, (cosine - quotient) / (far * far))


def limb_kernel(ell: ArrayLike, theta_max: ArrayLike) -> Float[Array, "..."]:
    """I_l = 2 pi theta_max^2 sin(a)/a with a = (l + 1/2) theta_max.

    From P_l(cos t) = J_0((l + 1/2) t) at small angles and int_0^1 x J_0(a x)/sqrt(1 - x^2) dx =
    sin(a)/a. The total, 2 pi theta_max^2, is twice the solid angle of the disc. Error relative to
    that total: 7e-6 (7e-4) for theta_max = 0.01 (0.1) at l <= 10, below 5e-5 from l = 100 on.

    The derivative in theta_max, 2 pi theta_max (sin(a)/a + cos a), has neither a cancellation nor
    a division by zero and costs one further polynomial. Memory traffic, not arithmetic, limits
    sums over a large (l, z, M): loop over blocks of l that stay in the cache.

    Parameters
    ----------
    ell : float array, shape (...)
        Multipoles l >= 0; shape (l, 1, 1) for the tensor of a spectrum.
    theta_max : float array, shape (...)
        Angular radius of the sphere of resonance [rad], >= 0, with (l + 1/2) theta_max < 1e6.

    Returns
    -------
    float array, shape (...)
        I_l [sr], of the common shape of the arguments.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (the integral); Gradshteyn & Ryzhik, Table of
    Integrals, eq. 6.554.2 (the closed form).
    """
    return _limb_kernel(jnp.asarray(ell, float), jnp.asarray(theta_max, float))


@jax.custom_jvp
def _limb_kernel(ell: Array, theta: Array) -> Array:
    a = (ell + 0.5) * theta
    return _TWO_PI * theta * theta * _quotient(sin_cos(a)[0], a)


def _limb_kernel_jvp(primals, tangents):
    ell, theta = primals
    ell_dot, theta_dot = tangents
    a = (ell + 0.5) * theta
    sine, cosine = sin_cos(a)
    quotient = _quotient(sine, a)
    value = _TWO_PI * theta * theta * quotient
    tangent = jnp.zeros_like(value)
    # Spectra are rarely differentiated in l: the unused branch costs nothing.
    if not isinstance(theta_dot, SymbolicZero):
        tangent = _TWO_PI * theta * (quotient + cosine) * theta_dot
    if not isinstance(ell_dot, SymbolicZero):
        slope = a * _slope_over_a(quotient, cosine, a)
        tangent = tangent + _TWO_PI * theta**3 * slope * ell_dot
    return value, tangent


_limb_kernel.defjvp(_limb_kernel_jvp, symbolic_zeros=True)


def limb_kernel_curved(ell: ArrayLike, theta_max: ArrayLike) -> Float[Array, "..."]:
    """I_l to the next order in the curvature of the sky.

    I_l = 2 pi theta_max^2 [f - (theta_max^2/12) (f + f'/(2a))], f = sin(a)/a, a = (l + 1/2)
    theta_max, where f'/a = (cos a - f)/a^2 is summed as a series for a < 1. It follows from
    Hilb's formula with its second term, sqrt(t/sin t) [J_0 - (1 - t cot t) J_1/(8 t (l + 1/2))],
    expanded to t^2, with f'' = -f - 2 f'/a. Without the second term, as in some notes, the
    bracket has f'/a for f'/(2a) and an error theta_max^2/72 is left at low l. Error relative to
    the total 2 pi theta_max^2: below 1e-3 theta_max^4 (8e-8 for theta_max = 0.1).

    Parameters
    ----------
    ell : float array, shape (...)
        Multipoles l >= 0.
    theta_max : float array, shape (...)
        Angular radius of the sphere of resonance [rad], >= 0, with (l + 1/2) theta_max < 1e6.

    Returns
    -------
    float array, shape (...)
        I_l [sr], of the common shape of the arguments.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (the integral); Gradshteyn & Ryzhik, Table of
    Integrals, eq. 6.554.2; Szego, Orthogonal Polynomials, section 8.21 (Hilb's formula).
    """
    theta = jnp.asarray(theta_max, float)
    a = (jnp.asarray(ell, float) + 0.5) * theta
    sine, cosine = sin_cos(a)
    quotient = _quotient(sine, a)
    correction = quotient + 0.5 * _slope_over_a(quotient, cosine, a)
    theta2 = theta * theta
    return _TWO_PI * theta2 * (quotient - theta2 / 12.0 * correction)
