"""Weights of the constrained ILC in every pixel, with factorisations unrolled by hand.

With C(p) the covariance of n channels and A (n, c) the responses, the one to keep first,

    w = C^-1 A (A^T C^-1 A)^-1 e_0,    A^T w = e_0.

Matrices are small and pixels many: both Cholesky factorisations, in the form L diag(d) L^T without
square roots, are written out element by element with pixels on the last axis. Channels are scaled
to unit variance and columns of A to norm 1 first, because C spans many decades. A step of
refinement makes the constraint hold to rounding, whatever the condition of C. The same lines run in
JAX and, without compiling, in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import ConfigurationError, ValidityError

# Smallest relative eigenvalue of a mean covariance, channels scaled to unit variance, and smallest
# share of a channel's variance in a pixel that the channels before it may leave.
SINGULAR = 1e-13
_TINY = 1e-300
# Shares of the mean covariance added, in turn, where the local one is not positive definite.
_SHARES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
# Pixels in a pass of JAX and of NumPy: the arrays of a pass stay in the cache.
_BLOCK, _CHUNK = 4096, 8192


def pair_index(a: int, b: int) -> int:
    """Place of element (a, b) of a symmetric matrix in the packed lower triangle."""
    a, b = max(a, b), min(a, b)
    return a * (a + 1) // 2 + b


def unpack(packed: np.ndarray, channels: int) -> np.ndarray:
    """Symmetric matrices (n, n, p) of the packed form (n (n + 1)/2, p)."""
    index = [[pair_index(a, b) for b in range(channels)] for a in range(channels)]
    return packed[np.array(index)]


def _factor(get: Callable[[int, int], Any], n: int, xp: Any) -> tuple[list[list[Any]], list[Any]]:
    """Unit lower factor L and pivots d of a symmetric matrix L diag(d) L^T."""
    low: list[list[Any]] = []
    pivots: list[Any] = []
    inverse: list[Any] = []
    for i in range(n):
        scaled: list[Any] = []
        row: list[Any] = []
        for j in range(i):
            value = get(i, j)
            for k in range(j):
                value = value - scaled[k] * low[j][k]
            scaled.append(value)
            row.append(value * inverse[j])
        pivot = get(i, i)
        for k in range(i):
            pivot = pivot - scaled[k] * row[k]
        low.append(row)
        pivots.append(pivot)
        # The argument is guarded, so that neither value nor gradient is infinite or NaN.
        inverse.append(1.0 / xp.where(xp.abs(pivot) > _TINY, pivot, 1.0))
    return low, [pivots, inverse]


def _forward(low: list[list[Any]], right: list[Any]) -> list[Any]:
    """Solution of L x = b."""
    out: list[Any] = []
    for i, row in enumerate(low):
        value = right[i]
        for k in range(i):
            value = value - row[k] * out[k]
        out.append(value)
    return out


def _backward(low: list[list[Any]], right: list[Any]) -> list[Any]:
    """Solution of L^T x = b."""
    n = len(low)
    out: list[Any] = [None] * n
    for i in reversed(range(n)):
        value = right[i]
        for k in range(i + 1, n):
            value = value - low[k][i] * out[k]
        out[i] = value
    return out


def _dot(a: list[Any], b: list[Any]) -> Any:
    total = a[0] * b[0]
    for x, y in zip(a[1:], b[1:]):
        total = total + x * y
    return total


def _scaled_columns(responses: Any, root: Any, xp: Any) -> tuple[Any, Any]:
    """Columns of A over the rms of the channels, of norm 1, and the norm of column 0."""
    size = xp.max(xp.abs(responses), axis=0)
    rows = responses / size / root[:, None]
    # Columns are scaled once more: a deprojected component may be bright where C is.
    norm = xp.sqrt(xp.sum(rows**2, axis=0))
    return rows / norm, size[0] * norm[0]


def _solve(
    low: list[list[Any]], inverse: list[Any], root: Any, responses: Any, xp: Any, refine: bool
) -> list[Any]:
    """Weights from the factor of the covariance, channels being scaled by ``root``."""
    n, c = responses.shape
    columns, size = _scaled_columns(responses, root, xp)
    half = [_forward(low, [columns[i, k] for i in range(n)]) for k in range(c)]
    light = [[h * d for h, d in zip(column, inverse)] for column in half]
    small, (_, over) = _factor(lambda i, j: _dot(light[i], half[j]), c, xp)
    solved = [_backward(low, column) for column in light]
    by_channel = [[s[i] for s in solved] for i in range(n)]

    def reach(goal: list[Any]) -> list[Any]:
        u = _backward(small, [g * d for g, d in zip(_forward(small, goal), over)])
        return [_dot(s, u) for s in by_channel]

    goal = [1.0 / size] + [0.0] * (c - 1)
    w = reach(goal)
    if refine:
        miss = [g - _dot([columns[i, k] for i in range(n)], w) for k, g in enumerate(goal)]
        w = [x + s for x, s in zip(w, reach(miss))]
    return [x / root[i] for i, x in enumerate(w)]


@eqx.filter_jit
def constrained_weights(
    covariance: Float[Array, "n n p"], responses: Float[Array, "n c"]
) -> Float[Array, "n p"]:
    """Weights of least variance with unit response to the first column and none to the others.

    The derivatives are those of the formula, with respect to both arguments; where a covariance is
    not positive definite the result is finite but meaningless.

    Parameters
    ----------
    covariance : float array, shape (n, n, p)
        Covariance of the channels in every pixel, positive definite [K^2].
    responses : float array, shape (n, c)
        Column 0 is kept, the others are deprojected, c <= n; the unit of column 0 sets that of
        the result, the others drop out.

    Returns
    -------
    float array, shape (n, p)
        Weights, sum_i w_i responses_i = (1, 0, ...).

    References
    ----------
    Remazeilles, Delabrouille & Cardoso 2011, arXiv:1006.5599, equation 13.
    """
    n, pixels = responses.shape[0], covariance.shape[-1]
    block = min(pixels, _BLOCK)
    count = -(-pixels // block)
    padded = jnp.pad(covariance, ((0, 0), (0, 0), (0, count * block - pixels)))
    blocks = jnp.moveaxis(padded.reshape(n, n, count, block), 2, 0)
    variance = jnp.stack([jnp.mean(covariance[i, i]) for i in range(n)])
    # The result does not depend on the scaling, nor does its derivative.
    root = jax.lax.stop_gradient(jnp.sqrt(jnp.where(variance > _TINY, variance, 1.0)))

    def one(_: None, c: Array) -> tuple[None, tuple[Array, ...]]:
        low, (_, inverse) = _factor(lambda i, j: c[i, j] / (root[i] * root[j]), n, jnp)
        # Stacked here, the rows would each be compiled with a copy of all that they share.
        return None, tuple(_solve(low, inverse, root, responses, jnp, refine=False))

    _, rows = jax.lax.scan(one, None, blocks)
    return jnp.stack([r.reshape(-1)[:pixels] for r in rows])


def square_weights(responses: np.ndarray) -> np.ndarray:
    """Weights of as many constraints as channels, A^-T e_0, shape (n,); no data enter."""
    size = np.max(np.abs(responses), axis=0)
    target = np.zeros(len(responses))
    target[0] = 1.0 / size[0]
    return np.linalg.solve((responses / size).T, target)


@dataclass(frozen=True)
class PixelFactors:
    """Factored covariance L diag(d) L^T of every pixel, channels scaled by their rms.

    Attributes
    ----------
    root : float array, shape (n,)
        Scale of the channels.
    packed : float array, shape (n (n + 1)/2, p)
        Scaled covariance as it is used.
    indefinite : float
        Fraction of pixels whose covariance was not positive definite.
    """

    root: np.ndarray
    packed: np.ndarray
    indefinite: float


def _least(packed: np.ndarray, n: int) -> np.ndarray:
    """Smallest variance of a channel given those before it, over its own variance, shape (p,)."""
    _, (pivots, _) = _factor(lambda i, j: packed[pair_index(i, j)], n, np)
    variance = [np.abs(packed[pair_index(i, i)]) for i in range(n)]
    return np.min([d / np.maximum(v, _TINY) for d, v in zip(pivots, variance)], axis=0)


def prepare_covariance(
    packed: np.ndarray,
    n: int,
    *,
    regularise: float = 0.0,
    valid: np.ndarray | None = None,
    repair: bool = True,
    where: str = "",
) -> PixelFactors:
    """Scale a covariance, refuse it if it is singular as a whole, repair it where it rings.

    A smoothed product can fall below zero next to much brighter sky, by the finite accuracy of the
    transforms. There a share of the mean covariance is added, just enough.

    Parameters
    ----------
    packed : float array, shape (n (n + 1)/2, p)
        Lower triangle of the covariance, see :func:`pair_index`; overwritten.
    n : int
        Channels.
    regularise : float
        Fraction of each channel's variance added to the diagonal.
    valid : bool array, shape (p,), optional
        Pixels whose covariance means something; the others get the mean.
    repair : bool
        Whether pixels that are not positive definite are repaired.
    where : str
        For messages, such as ``needlet scale 3``.

    Returns
    -------
    PixelFactors
        The covariance to use.

    Raises
    ------
    ValidityError
        If the mean covariance is singular.

    References
    ----------
    Remazeilles, Delabrouille & Cardoso 2011, arXiv:1006.5599.
    """
    mean = packed.mean(axis=1) if valid is None else packed[:, valid].mean(axis=1)
    variance = np.array([mean[pair_index(i, i)] for i in range(n)])
    root = np.sqrt(np.where(variance > _TINY, variance, 1.0))
    scale = np.array([1.0 / (root[a] * root[b]) for a in range(n) for b in range(a + 1)])
    mean = (mean * scale)[:, None]
    packed *= scale[:, None]
    if valid is not None and not valid.all():
        packed[:, ~valid] = mean
    for i in range(n if regularise else 0):
        for c in (packed, mean):
            c[pair_index(i, i)] *= 1.0 + regularise
    _refuse_singular(mean, n, where)
    bad = np.concatenate(
        [
            ~(_least(packed[:, k : k + _CHUNK], n) > SINGULAR)
            for k in range(0, packed.shape[1], _CHUNK)
        ]
    )
    at = np.flatnonzero(bad)
    if repair:
        for share in _SHARES:
            if not at.size:
                break
            packed[:, at] += share * mean
            at = at[~(_least(packed[:, at], n) > SINGULAR)]
        packed[:, at] = mean
    return PixelFactors(root, packed, float(bad.mean()))


def pixel_weights(factors: PixelFactors, responses: list[np.ndarray]) -> list[np.ndarray]:
    """Weights of several deprojection sets from one covariance, in NumPy.

    Parameters
    ----------
    factors : PixelFactors
        Covariance.
    responses : list of float arrays, shapes (n, c)
        A of each set, c < n.

    Returns
    -------
    list of float arrays, shapes (p, n)
        Weights by pixel, one array per set.

    References
    ----------
    Remazeilles, Delabrouille & Cardoso 2011, arXiv:1006.5599, equation 13.
    """
    n, pixels = factors.root.size, factors.packed.shape[1]
    out = [np.empty((pixels, n)) for _ in responses]
    for start in range(0, pixels, _CHUNK):
        part = slice(start, min(start + _CHUNK, pixels))
        block = factors.packed[:, part]
        low, (_, inverse) = _factor(lambda i, j, b=block: b[pair_index(i, j)], n, np)  # type: ignore[misc]
        for w, a in zip(out, responses):
            w[part] = np.stack(_solve(low, inverse, factors.root, a, np, True), axis=1)
    return out


def inverse_factors(factors: PixelFactors) -> tuple[np.ndarray, np.ndarray]:
    """L^-1 (n, n, p) and the inverse pivots (n, p) of a covariance."""
    n, pixels = factors.root.size, factors.packed.shape[1]
    low, (_, inverse) = _factor(lambda i, j: factors.packed[pair_index(i, j)], n, np)
    out = np.zeros((n, n, pixels))
    for k in range(n):
        unit = [np.full(pixels, float(i == k)) for i in range(n)]
        out[:, k] = _forward(low, unit)
    return out, np.stack(inverse)


def solve_rows(
    inverse: Float[Array, "n n p"],
    pivots: Float[Array, "n p"],
    columns: Float[Array, "n c p"],
    off: Float[Array, "c p"],
) -> Float[Array, "n p"]:
    """C^-1 A (A^T C^-1 A)^-1 e_0 with the inverse of the factor at hand.

    Columns marked in ``off`` are zero and do not count.
    """
    c = columns.shape[1]
    half = jnp.einsum("ikp,kcp->icp", inverse, columns)
    light = half * pivots[:, None]
    gram = jnp.einsum("iap,ibp->abp", half, light)
    small, (_, over) = _factor(lambda i, j: gram[i, j] + (off[i] if i == j else 0.0), c, jnp)
    goal = [jnp.ones_like(off[0])] + [jnp.zeros_like(off[0])] * (c - 1)
    u = jnp.stack(_backward(small, [g * d for g, d in zip(_forward(small, goal), over)]))
    return jnp.einsum("ikp,ip->kp", inverse, jnp.einsum("icp,cp->ip", light, u))


def _refuse_singular(mean: np.ndarray, n: int, where: str) -> None:
    """Error if the mean covariance, channels scaled to unit variance, is singular."""
    matrix = unpack(mean, n)[..., 0]
    if np.all(np.isfinite(matrix)):
        eigen = np.linalg.eigvalsh(matrix)
        if eigen[0] > SINGULAR * eigen[-1]:
            return
        what = f"smallest relative eigenvalue {eigen[0] / max(eigen[-1], _TINY):.2g}"
    else:
        what = "it is not finite"
    raise ValidityError(
        f"the covariance of {n} channels is singular{f' at {where}' if where else ''}: {what}. "
        "Maps without noise, or copies of one another, cannot be told apart: drop channels, add "
        "noise, or allow a fraction of the variance on the diagonal with regularise="
    )


def check_responses(responses: np.ndarray, components: tuple[str, ...], where: str) -> float:
    """Condition number of the column-scaled responses; ConfigurationError if they are no good."""
    n, c = responses.shape
    if c > n:
        raise ConfigurationError(
            f"{where}: {c} constraints ({', '.join(components)}) on {n} channels; an ILC cannot "
            "satisfy more than it has channels: deproject fewer components at this scale"
        )
    if not np.all(np.isfinite(responses)):
        raise ConfigurationError(f"{where}: responses of {', '.join(components)} are not finite")
    size = np.max(np.abs(responses), axis=0)
    for name, value in zip(components, size):
        if value == 0.0:
            raise ConfigurationError(
                f"{where}: no channel in use there responds to {name!r}: take it off the list"
            )
    condition = float(np.linalg.cond(responses / size))
    if not condition < 1e10:
        raise ConfigurationError(
            f"{where}: responses of {', '.join(components)} are degenerate (condition number "
            f"{condition:.2g}): these channels cannot tell them apart; deproject fewer"
        )
    return condition
