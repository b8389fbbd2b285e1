"""Sine and cosine, their integrals and the auxiliary functions of those, differentiable.

    Si(x) = pi/2 - f(x) cos x - g(x) sin x,    Ci(x) = f(x) sin x - g(x) cos x,
    f(x) = int_0^inf x e^-u/(x^2 + u^2) du,    g(x) = int_0^inf u e^-u/(x^2 + u^2) du.

f and g are smooth and positive: differences of Ci and Si at large arguments lose no digits when
they are written with them. Below ``SPLIT`` the Taylor series of Si and of Ci - ln x are summed;
above it x f and x^2 g are Chebyshev series in 1/x, whose coefficients follow once, in NumPy, from
the two integrals. On processors the sine and cosine of the libraries take most of the time, hence
:func:`sin_cos`, a polynomial after a reduction by multiples of pi that the compiler vectorises.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

SPLIT = 5.0
_DEGREE = 20
_TERMS = 18


@functools.lru_cache(maxsize=1)
def _large_coefficients() -> tuple[np.ndarray, np.ndarray]:
    """Powers of t = 2 SPLIT/x - 1 in x f(x) and x^2 g(x), lowest first."""
    node, weight = np.polynomial.legendre.leggauss(60)
    edges = np.array([0.0, 1.0, 2.0, 4.0, 7.0, 11.0, 16.0, 22.0, 30.0, 45.0])
    half = 0.5 * np.diff(edges)[:, None]
    u = (edges[:-1, None] + half * (node + 1.0)).ravel()
    measure = (half * weight).ravel() * np.exp(-u)
    t = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
    y2 = (0.5 * (t[:, None] + 1.0) / SPLIT) ** 2  # 1/x^2
    kernel = measure / (1.0 + y2 * u**2)
    fit, powers = np.polynomial.chebyshev.chebfit, np.polynomial.chebyshev.cheb2poly
    return (
        powers(fit(t, kernel.sum(axis=1), _DEGREE)),
        powers(fit(t, (kernel * u).sum(axis=1), _DEGREE)),
    )


# Si(x) = x sum_k a_k x^2k and Ci(x) = gamma + ln x + x^2 sum_k b_k x^2k.
_SI = np.array([(-1.0) ** k / ((2 * k + 1) * math.factorial(2 * k + 1)) for k in range(_TERMS)])
_CI = np.array([(-1.0) ** k / (2 * k * math.factorial(2 * k)) for k in range(1, _TERMS + 1)])
_SIN = np.array([(-1.0) ** k / math.factorial(2 * k + 1) for k in range(_TERMS)])
_COS = np.array([(-1.0) ** k / math.factorial(2 * k) for k in range(_TERMS)])
# pi in three parts, of which the first two have 33 bits: n times them is exact for n < 2^20.
_PI = tuple(
    float.fromhex(x)
    for x in ("0x1.921fb54400000p+1", "0x1.0b4611a600000p-33", "0x1.3198a2e037073p-68")
)
_REDUCED_TERMS = 12  # of the series of sine and cosine for |x| <= pi/2, to the last bit


def _horner(coefficients: np.ndarray, x: Array) -> Array:
    total = jnp.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


def _small_si_ci(x: Array) -> tuple[Array, Array]:
    x2 = x * x
    return x * _horner(_SI, x2), np.euler_gamma + jnp.log(x) + x2 * _horner(_CI, x2)


def _large_fg(x: Array) -> tuple[Array, Array]:
    y = 1.0 / x
    t = 2.0 * SPLIT * y - 1.0
    f, g = _large_coefficients()
    return y * _horner(f, t), y * y * _horner(g, t)


@jax.custom_jvp
def sin_cos(x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """sin x and cos x together, by n = round(x/pi), r = x - n pi and Taylor series in r.

    Parameters
    ----------
    x : float array, shape (...)
        Argument, |x| < 3e6 [rad].

    Returns
    -------
    sine, cosine : float array, shape (...)
        Absolute error below 1e-15.

    References
    ----------
    Cody & Waite 1980, Software Manual for the Elementary Functions, chapter 8 (reduction).
    """
    n = jnp.round(x * (1.0 / np.pi))
    r = ((x - n * _PI[0]) - n * _PI[1]) - n * _PI[2]
    r2 = r * r
    # (-1)^n without integers: n/2 is whole for even n.
    sign = 1.0 - 4.0 * jnp.abs(0.5 * n - jnp.round(0.5 * n))
    sine = r * _horner(_SIN[:_REDUCED_TERMS], r2)
    return sign * sine, sign * _horner(_COS[:_REDUCED_TERMS], r2)


@sin_cos.defjvp
def _sin_cos_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    sine, cosine = sin_cos(x)
    return (sine, cosine), (cosine * dx, -sine * dx)


@jax.custom_jvp
def auxiliary_integrals(
    x: Float[Array, "..."],
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """f(x) and g(x) with Si = pi/2 - f cos x - g sin x and Ci = f sin x - g cos x, for x > 0.

    Their derivatives are f' = -g and g' = f - 1/x.

    Parameters
    ----------
    x : float array, shape (...)
        Argument, > 0 [rad]; smaller than 1e-100 counts as 1e-100.

    Returns
    -------
    f, g : float array, shape (...)
        Auxiliary functions, dimensionless; absolute error below 1e-13.

    References
    ----------
    Abramowitz & Stegun 1964, Handbook of Mathematical Functions, eqs. 5.2.6-5.2.7, 5.2.12-5.2.16.
    """
    x = jnp.maximum(x, 1e-100)
    low = jnp.minimum(x, SPLIT)
    si, ci = _small_si_ci(low)
    low2 = low * low
    sin, cos = low * _horner(_SIN, low2), _horner(_COS, low2)
    rest = 0.5 * jnp.pi - si
    f_large, g_large = _large_fg(jnp.maximum(x, SPLIT))
    large = x > SPLIT
    return (
        jnp.where(large, f_large, ci * sin + rest * cos),
        jnp.where(large, g_large, rest * sin - ci * cos),
    )


@auxiliary_integrals.defjvp
def _auxiliary_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    f, g = auxiliary_integrals(x)
    return (f, g), (-g * dx, (f - 1.0 / jnp.maximum(x, 1e-100)) * dx)


@jax.custom_jvp
def sine_integral(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Si(x) = int_0^x sin t/t dt.

    Parameters
    ----------
    x : float array, shape (...)
        Argument, any real number [rad]; Si is odd.

    Returns
    -------
    float array, shape (...)
        Si(x), dimensionless.

    References
    ----------
    Abramowitz & Stegun 1964, Handbook of Mathematical Functions, eqs. 5.2.1, 5.2.8, 5.2.14.
    """
    size = jnp.abs(x)
    small = jnp.minimum(size, SPLIT)
    large = jnp.maximum(size, SPLIT)
    f, g = _large_fg(large)
    outer = 0.5 * jnp.pi - f * jnp.cos(large) - g * jnp.sin(large)
    return jnp.sign(x) * jnp.where(size > SPLIT, outer, small * _horner(_SI, small * small))


@sine_integral.defjvp
def _sine_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return sine_integral(x), jnp.sinc(x / jnp.pi) * dx


@jax.custom_jvp
def cosine_integral(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Ci(x) = gamma + ln x + int_0^x (cos t - 1)/t dt, for x > 0.

    Parameters
    ----------
    x : float array, shape (...)
        Argument, > 0 [rad]; smaller than 1e-100 counts as 1e-100.

    Returns
    -------
    float array, shape (...)
        Ci(x), dimensionless.

    References
    ----------
    Abramowitz & Stegun 1964, Handbook of Mathematical Functions, eqs. 5.2.2, 5.2.9, 5.2.16.
    """
    x = jnp.maximum(x, 1e-100)
    _, inner = _small_si_ci(jnp.minimum(x, SPLIT))
    large = jnp.maximum(x, SPLIT)
    f, g = _large_fg(large)
    return jnp.where(x > SPLIT, f * jnp.sin(large) - g * jnp.cos(large), inner)


@cosine_integral.defjvp
def _cosine_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    guarded = jnp.maximum(x, 1e-100)
    return cosine_integral(x), jnp.cos(guarded) / guarded * dx
