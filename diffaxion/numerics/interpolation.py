"""Interpolation in one dimension: linear, and a C^2 cubic spline with stored curvatures.

Outside the table both clamp to the edge value with zero gradient; callers that must not
extrapolate check the range outside ``jit`` and raise there.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .special import safe_divide


def _cell(
    x: Float[Array, "..."], xp: Float[Array, " n"], uniform: bool = False
) -> tuple[Array, Array]:
    clipped = jnp.clip(x, xp[0], xp[-1])
    if uniform:
        k = jnp.floor((clipped - xp[0]) * ((xp.shape[0] - 1) / (xp[-1] - xp[0]))).astype(int)
    else:
        k = jnp.searchsorted(xp, clipped, side="right") - 1
    return clipped, jnp.clip(k, 0, xp.shape[0] - 2)


def linear_interpolate(
    x: Float[Array, "..."], xp: Float[Array, " n"], fp: Float[Array, "n ..."]
) -> Float[Array, "..."]:
    """Piecewise-linear interpolation of fp (first axis) at x; clamps outside.

    Parameters
    ----------
    x : float array, shape (...)
        Where to interpolate, unit of xp.
    xp : float array, shape (n,)
        Nodes that do not decrease; two that coincide stand for a jump.
    fp : float array, shape (n, ...)
        Values at the nodes, any unit.

    Returns
    -------
    float array, shape of x followed by that of one value
        Interpolated values, unit of fp.

    References
    ----------
    Abramowitz & Stegun 1964, Handbook of Mathematical Functions, eq. 25.2.1.
    """
    x = jnp.asarray(x)
    clipped, k = _cell(x, xp)
    # Nodes may coincide, on both sides of a jump at the end of a table.
    t = safe_divide(clipped - xp[k], xp[k + 1] - xp[k])
    t = t.reshape(t.shape + (1,) * (fp.ndim - 1))
    return fp[k] + t * (fp[k + 1] - fp[k])


def spline_curvature(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Second derivatives of the not-a-knot cubic spline through (x, y), computed once in NumPy.

    Parameters
    ----------
    x : array, shape (n,)
        Increasing nodes, n >= 4.
    y : array, shape (n, ...)
        Values; the spline runs over the first axis.

    Returns
    -------
    array, shape (n, ...)
        y'' at the nodes, unit of y over that of x squared.

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter IV (not-a-knot).
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    n = x.size
    h = np.diff(x)
    flat = y.reshape(n, -1)
    slope = np.diff(flat, axis=0) / h[:, None]
    matrix = np.zeros((n, n))
    rhs = np.zeros_like(flat)
    rows = np.arange(1, n - 1)
    matrix[rows, rows - 1] = h[:-1]
    matrix[rows, rows] = 2.0 * (h[:-1] + h[1:])
    matrix[rows, rows + 1] = h[1:]
    rhs[1:-1] = 6.0 * np.diff(slope, axis=0)
    # Not-a-knot: the third derivative is continuous at the second and last-but-one node.
    matrix[0, :3] = h[1], -(h[0] + h[1]), h[0]
    matrix[-1, -3:] = h[-1], -(h[-2] + h[-1]), h[-2]
    return np.linalg.solve(matrix, rhs).reshape(y.shape)


def spline_interpolate(
    x: Float[Array, "..."],
    xp: Float[Array, " n"],
    fp: Float[Array, "n ..."],
    curvature: Float[Array, "n ..."],
    uniform: bool = False,
) -> Float[Array, "..."]:
    """Cubic spline with second derivatives from :func:`spline_curvature`; clamps outside.

    Parameters
    ----------
    x : float array, shape (...)
        Where to interpolate, unit of xp.
    xp : float array, shape (n,)
        Increasing nodes.
    fp : float array, shape (n, ...)
        Values at the nodes, any unit.
    curvature : float array, shape (n, ...)
        Second derivatives at the nodes.
    uniform : bool
        Whether the nodes are equally spaced, which saves the search; static.

    Returns
    -------
    float array, shape of x followed by that of one value
        Interpolated values, unit of fp.

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter IV.
    """
    x = jnp.asarray(x)
    clipped, k = _cell(x, xp, uniform)
    h = xp[k + 1] - xp[k]
    b = (clipped - xp[k]) / h
    shape = b.shape + (1,) * (fp.ndim - 1)
    b, h = b.reshape(shape), h.reshape(shape)
    a = 1.0 - b
    cubic = ((a**3 - a) * curvature[k] + (b**3 - b) * curvature[k + 1]) * h**2 / 6.0
    return a * fp[k] + b * fp[k + 1] + cubic
