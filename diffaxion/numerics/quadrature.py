"""Quadrature rules: Gauss-Legendre nodes, trapezoid and Simpson on any grid."""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


@functools.lru_cache(maxsize=64)
def _leggauss(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(n)


def gauss_legendre(
    n: int, lo: Float[Array, ""] | float, hi: Float[Array, ""] | float
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Nodes and weights of the n-point Gauss-Legendre rule on [lo, hi].

    Parameters
    ----------
    n : int
        Number of nodes, static; exact for polynomials of degree 2n - 1.
    lo, hi : float array, shape ()
        Ends of the interval, any unit.

    Returns
    -------
    nodes : float array, shape (n,)
        Increasing for lo < hi, unit of the ends.
    weights : float array, shape (n,)
        With sum hi - lo, same unit.

    References
    ----------
    Abramowitz & Stegun 1964, Handbook of Mathematical Functions, eq. 25.4.29-30.
    """
    x, w = _leggauss(n)
    half = 0.5 * (hi - lo)
    return lo + half * (jnp.asarray(x) + 1.0), half * jnp.asarray(w)


def trapezoid_weights(x: Float[Array, " n"]) -> Float[Array, " n"]:
    """Weights w with sum(w f) = trapezoid integral of f over the (possibly uneven) grid x.

    Parameters
    ----------
    x : float array, shape (n,)
        Nodes, any unit.

    Returns
    -------
    float array, shape (n,)
        Weights, unit of x.

    References
    ----------
    Abramowitz & Stegun 1964, Handbook of Mathematical Functions, eq. 25.4.1.
    """
    half = 0.5 * jnp.diff(x)
    return jnp.concatenate([half, jnp.zeros(1)]) + jnp.concatenate([jnp.zeros(1), half])


def cumulative_trapezoid(f: Float[Array, " n"], x: Float[Array, " n"]) -> Float[Array, " n"]:
    """Running trapezoid integral of f over x, starting at 0.

    Parameters
    ----------
    f : float array, shape (n,)
        Integrand, any unit.
    x : float array, shape (n,)
        Nodes, any unit.

    Returns
    -------
    float array, shape (n,)
        int_{x_0}^{x_i} f dx, the product of the two units.

    References
    ----------
    Abramowitz & Stegun 1964, Handbook of Mathematical Functions, eq. 25.4.1.
    """
    steps = 0.5 * (f[1:] + f[:-1]) * jnp.diff(x)
    return jnp.concatenate([jnp.zeros(1, steps.dtype), jnp.cumsum(steps)])


def simpson_weights(x: np.ndarray) -> np.ndarray:
    """Weights of the composite Simpson rule on an uneven grid, odd or even number of points.

    Each pair of intervals (h0, h1) integrates the parabola through its three points; with an even
    number of points the last interval integrates the parabola through the last three.

    Parameters
    ----------
    x : array, shape (n,)
        Increasing nodes, n >= 3, any unit; NumPy, because the rule is a static choice.

    Returns
    -------
    array, shape (n,)
        Weights, unit of x.

    References
    ----------
    Cartwright 2017, Journal of Mathematical Sciences and Mathematics Education 12(2), 1
    (correction for an even number of points).
    """
    x = np.asarray(x, float)
    weights = np.zeros_like(x)
    h = np.diff(x)
    for i in range(0, x.size - 2, 2):
        h0, h1 = h[i], h[i + 1]
        sixth = (h0 + h1) / 6.0
        weights[i] += sixth * (2.0 - h1 / h0)
        weights[i + 1] += sixth * (h0 + h1) ** 2 / (h0 * h1)
        weights[i + 2] += sixth * (2.0 - h0 / h1)
    if x.size % 2 == 0:
        h0, h1 = h[-2], h[-1]
        weights[-1] += (2.0 * h1**2 + 3.0 * h0 * h1) / (6.0 * (h0 + h1))
        weights[-2] += (h1**2 + 3.0 * h0 * h1) / (6.0 * h0)
        weights[-3] -= h1**3 / (6.0 * h0 * (h0 + h1))
    return weights
