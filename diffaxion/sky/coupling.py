"""Coupling of multipoles by a mask, as a matrix product over Gauss-Legendre nodes.

For masks with the cross-spectrum W_L the mean of a coupled spectrum is sum_l' M_ll' C_l' with

    f(x) = sum_L (2L+1)/(4 pi) W_L P_L(x),
    Xi_ll' = (1/2) int_-1^1 P_l(x) P_l'(x) f(x) dx,     M_ll' = (2l'+1) Xi_ll',

the sum of (2L+1)/(4 pi) W_L (l l' L; 0 0 0)^2 over L. The integrand is a polynomial, so that n
nodes are exact when 2 n > 2 l_max + L_mask. Legendre polynomials are even or odd: with the even
and odd part of f,

    Xi_ll' = int_0^1 P_l P_l' f_+ dx  (l + l' even),    int_0^1 P_l P_l' f_- dx  (l + l' odd),

which takes half of the nodes and three blocks instead of four. Whatever is needed of M for few
rows (binned matrices, their covariances) or one vector never forms M itself.
"""

from __future__ import annotations

import functools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import ConfigurationError

_NEWTON_STEPS = 8
_NEWTON_TOLERANCE = 1e-15


class LegendreGrid(eqx.Module):
    """Legendre polynomials at the positive half of n Gauss-Legendre nodes; serves all matrices.

    Attributes
    ----------
    even, odd : float array, shape (k, n/2)
        P_0, P_2, ... and P_1, P_3, ... at the nodes, up to the larger of both multipole limits.
    weight : float array, shape (n/2,)
        Weights of the rule on 0 < x < 1.
    lmax : int
        Largest multipole of the spectra; static.
    lmask : int
        Largest multipole of the masks, at most 2 ``lmax``, beyond which nothing couples; static.
    """

    even: Float[Array, "k n"]
    odd: Float[Array, "k n"]
    weight: Float[Array, " n"]
    lmax: int = eqx.field(static=True)
    lmask: int = eqx.field(static=True)

    @property
    def rows(self) -> int:
        """Number of even multipoles up to ``lmax``."""
        return self.lmax // 2 + 1


def half_gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Positive nodes and weights of the Gauss-Legendre rule with n nodes, in time n^2.

    Newton's iteration from Tricomi's estimate, all nodes at once.

    Parameters
    ----------
    n : int
        Number of nodes on (-1, 1), even.

    Returns
    -------
    x, weight : arrays, shape (n/2,)
        Nodes in decreasing order, and weights; those of -x are the same.

    Raises
    ------
    ConfigurationError
        If n is odd or below 2.

    References
    ----------
    Abramowitz & Stegun 25.4.29; Tricomi 1950 for the first estimate.
    """
    if n < 2 or n % 2:
        raise ConfigurationError(f"{n} Gauss-Legendre nodes: expected an even number >= 2")
    k = np.arange(1, n // 2 + 1)
    x = (1.0 - (n - 1.0) / (8.0 * n**3)) * np.cos(math.pi * (4 * k - 1) / (4 * n + 2))
    for _ in range(_NEWTON_STEPS):
        below, value = np.ones_like(x), x.copy()
        for l in range(2, n + 1):
            below, value = value, ((2 * l - 1) * x * value - (l - 1) * below) / l
        slope = n * (below - x * value) / ((1.0 - x) * (1.0 + x))
        step = value / slope
        x = x - step
        if np.max(np.abs(step)) < _NEWTON_TOLERANCE:
            break
    return x, 2.0 / ((1.0 - x) * (1.0 + x) * slope**2)


@functools.lru_cache(maxsize=2)
def legendre_grid(lmax: int, lmask: int | None = None) -> LegendreGrid:
    """Nodes and polynomials for spectra to ``lmax`` and masks to ``lmask``; the last two are kept.

    Parameters
    ----------
    lmax : int
        Largest multipole of the spectra, >= 1.
    lmask : int, optional
        Largest multipole of the masks; default and upper limit 2 ``lmax``.

    Returns
    -------
    LegendreGrid
        About (l_max + L_mask) (2 l_max + L_mask)/4 numbers of 8 bytes.

    Raises
    ------
    ConfigurationError
        If a multipole is out of range.

    References
    ----------
    Hivon et al. 2002, astro-ph/0105302, appendix A; the triple product of Legendre polynomials.
    """
    if lmax < 1:
        raise ConfigurationError(f"l_max = {lmax}, expected at least 1")
    lmask = 2 * lmax if lmask is None else min(int(lmask), 2 * lmax)
    if lmask < 0:
        raise ConfigurationError(f"largest multipole of the mask = {lmask}, expected >= 0")
    x, weight = half_gauss_legendre(2 * ((2 * lmax + lmask) // 4 + 1))
    size = max(lmax, lmask) // 2 + 1
    even, odd = np.empty((size, x.size)), np.empty((size, x.size))
    below, value = np.ones_like(x), x
    for l in range(2 * size):
        (odd if l % 2 else even)[l // 2] = below
        below, value = value, ((2 * l + 3) * x * value - (l + 1) * below) / (l + 2)
    with jax.ensure_compile_time_eval():
        arrays = jnp.asarray(even), jnp.asarray(odd), jnp.asarray(weight)
    return LegendreGrid(*arrays, lmax, lmask)


def _split(vector: Array, rows: int) -> tuple[Array, Array]:
    """Entries of even and of odd multipoles along the last axis, each padded to ``rows``."""
    short = 2 * rows - vector.shape[-1]
    pairs = jnp.pad(vector, [(0, 0)] * (vector.ndim - 1) + [(0, short)])
    pairs = pairs.reshape(*vector.shape[:-1], rows, 2)
    return pairs[..., 0], pairs[..., 1]


def _join(even: Array, odd: Array, size: int) -> Array:
    """Inverse of :func:`_split`, cut to ``size``."""
    return jnp.stack([even, odd], axis=-1).reshape(*even.shape[:-1], -1)[..., :size]


def mask_correlation(
    grid: LegendreGrid, mask_cl: Float[Array, " l"]
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Even and odd part of the masks' correlation function f(x), times the weights of the rule.

    Parameters
    ----------
    grid : LegendreGrid
        Nodes.
    mask_cl : float array, shape (l,)
        Cross-spectrum W_L of the masks from L = 0; what lies beyond ``grid.lmask`` is not used.

    Returns
    -------
    even, odd : float array, shape (n/2,)
        w f_+ and w f_- at the positive nodes.

    References
    ----------
    Equation of this module.
    """
    cl = jnp.asarray(mask_cl)[: grid.lmask + 1]
    density = (2.0 * jnp.arange(cl.shape[0]) + 1.0) / (4.0 * math.pi) * cl
    rows = grid.lmask // 2 + 1
    even, odd = _split(density, rows)
    return (even @ grid.even[:rows]) * grid.weight, (odd @ grid.odd[:rows]) * grid.weight


def coupling_kernel(grid: LegendreGrid, mask_cl: Float[Array, " l"]) -> Float[Array, "l l"]:
    """The symmetric matrix Xi of a mask spectrum; covariances are made of it.

    Parameters
    ----------
    grid : LegendreGrid
        Nodes and polynomials.
    mask_cl : float array, shape (l,)
        Cross-spectrum of the masks from L = 0.

    Returns
    -------
    float array, shape (lmax+1, lmax+1)
        Xi, differentiable in ``mask_cl``.

    References
    ----------
    Hivon et al. 2002, astro-ph/0105302; Efstathiou 2004, astro-ph/0307515.
    """
    f_even, f_odd = mask_correlation(grid, mask_cl)
    even, odd = grid.even[: grid.rows], grid.odd[: grid.rows]
    cross = (even * f_odd) @ odd.T
    upper = jnp.stack([(even * f_even) @ even.T, cross], axis=-1)
    lower = jnp.stack([cross.T, (odd * f_even) @ odd.T], axis=-1)
    size = grid.lmax + 1
    return jnp.stack([upper, lower], axis=1).reshape(2 * grid.rows, -1)[:size, :size]


def coupling_matrix(grid: LegendreGrid, mask_cl: Float[Array, " l"]) -> Float[Array, "l l"]:
    """Coupling matrix M: the mean of a coupled spectrum is M C.

    Parameters
    ----------
    grid : LegendreGrid
        Nodes and polynomials.
    mask_cl : float array, shape (l,)
        Cross-spectrum of the masks from L = 0.

    Returns
    -------
    float array, shape (lmax+1, lmax+1)
        M, differentiable in ``mask_cl``; the identity for the whole sky.

    References
    ----------
    Hivon et al. 2002, astro-ph/0105302, equation A31.
    """
    return coupling_kernel(grid, mask_cl) * (2.0 * jnp.arange(grid.lmax + 1) + 1.0)


def rows_at_nodes(
    grid: LegendreGrid, rows: Float[Array, "b l"]
) -> tuple[Float[Array, "b n"], Float[Array, "b n"]]:
    """Rows over multipoles as functions of x, sum_l R_bl P_l(x): even and odd part.

    Parameters
    ----------
    grid : LegendreGrid
        Nodes and polynomials.
    rows : float array, shape (b, lmax+1)
        Weights of multipoles.

    Returns
    -------
    even, odd : float array, shape (b, n/2)
        Both parts at the positive nodes.

    References
    ----------
    Equation of this module.
    """
    even, odd = _split(jnp.asarray(rows), grid.rows)
    return even @ grid.even[: grid.rows], odd @ grid.odd[: grid.rows]


def couple_rows(
    grid: LegendreGrid, mask_cl: Float[Array, " l"], rows: Float[Array, "b l"]
) -> Float[Array, "b l"]:
    """Rows times the coupling matrix, R M, without forming M.

    Parameters
    ----------
    grid : LegendreGrid
        Nodes and polynomials.
    mask_cl : float array, shape (l,)
        Cross-spectrum of the masks from L = 0.
    rows : float array, shape (b, lmax+1)
        Weights of multipoles, as of bins.

    Returns
    -------
    float array, shape (b, lmax+1)
        R M, unit of ``rows``.

    References
    ----------
    Equation of this module.
    """
    f_even, f_odd = mask_correlation(grid, mask_cl)
    even, odd = rows_at_nodes(grid, rows)
    left = (even * f_even + odd * f_odd) @ grid.even[: grid.rows].T
    right = (even * f_odd + odd * f_even) @ grid.odd[: grid.rows].T
    size = grid.lmax + 1
    return _join(left, right, size) * (2.0 * jnp.arange(size) + 1.0)


def couple_spectrum(
    grid: LegendreGrid, mask_cl: Float[Array, " l"], cl: Float[Array, "... l"]
) -> Float[Array, "... l"]:
    """Mean coupled spectrum M C of fields with the spectrum C, without forming M.

    Parameters
    ----------
    grid : LegendreGrid
        Nodes and polynomials.
    mask_cl : float array, shape (l,)
        Cross-spectrum of the masks from L = 0.
    cl : float array, shape (..., lmax+1)
        Spectra, beams included.

    Returns
    -------
    float array, shape (..., lmax+1)
        Coupled spectra, unit of ``cl``.

    References
    ----------
    Equation of this module.
    """
    size = grid.lmax + 1
    modes = 2.0 * jnp.arange(size) + 1.0
    cl = jnp.asarray(cl)
    coupled = couple_rows(grid, mask_cl, (cl * modes).reshape(-1, size)) / modes
    return coupled.reshape(cl.shape)
