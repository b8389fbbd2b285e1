"""Gaussian covariance of bandpowers in the improved narrow-kernel approximation.

With c^xy_l = Ct^xy_l/<m_x m_y>, the coupled spectrum over the mean of both masks,
sym(u, v)_ll' = (u_l v_l' + u_l' v_l)/2 and Xi[p, q] the kernel of the maps p and q,

    Cov(Ct^ab_l, Ct^cd_l') = sym(c^ac, c^bd) Xi[m_a m_c, m_b m_d]
                           + sym(c^ad, c^bc) Xi[m_a m_d, m_b m_c],

and K^ab Cov (K^cd)^T for bandpowers. Fields are known by labels, so that the covariance of two
estimates with different maps, masks or samples is the same call. Rows K u need Xi only between
functions of x, sum_l K_bl u_l P_l(x): the covariance over multipoles is never formed.
"""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..errors import ConfigurationError, DataError
from .coupling import LegendreGrid, coupling_kernel, mask_correlation, rows_at_nodes
from .pseudo_cl import MaskSpectra

Pair = tuple[str, str]


def binned_covariance(
    grid: LegendreGrid,
    left: Float[Array, "b l"],
    right: Float[Array, "c l"],
    spectra: Float[Array, "4 l"],
    mask_cl: Float[Array, "2 m"],
) -> Float[Array, "b c"]:
    """Covariance K^ab Cov (K^cd)^T of two sets of bandpowers.

    Parameters
    ----------
    grid : LegendreGrid
        Nodes and polynomials.
    left, right : float array, shapes (b, lmax+1) and (c, lmax+1)
        K^ab and K^cd.
    spectra : float array, shape (4, lmax+1)
        c^ac, c^bd, c^ad, c^bc.
    mask_cl : float array, shape (2, m)
        Cross-spectra of m_a m_c with m_b m_d, and of m_a m_d with m_b m_c, from L = 0.

    Returns
    -------
    float array, shape (b, c)
        Covariance, differentiable in all arrays.

    References
    ----------
    Nicola et al. 2021, arXiv:2010.09717; Garcia-Garcia et al. 2019, arXiv:1906.11765.
    """
    spectra = jnp.asarray(spectra)
    rows = len(left)
    # All rows in one product with the polynomials: K^ab and K^cd times each spectrum.
    stacked = jnp.concatenate([jnp.asarray(left), jnp.asarray(right)])
    weighted = (spectra[:, None, :] * stacked).reshape(-1, grid.lmax + 1)
    even, odd = rows_at_nodes(grid, weighted)
    even = even.reshape(4, len(stacked), -1)
    odd = odd.reshape(4, len(stacked), -1)
    total = jnp.zeros((rows, len(stacked) - rows))
    for term in range(2):
        f_even, f_odd = mask_correlation(grid, jnp.asarray(mask_cl)[term])
        for u, v in ((2 * term, 2 * term + 1), (2 * term + 1, 2 * term)):
            a_even, a_odd = even[u, :rows], odd[u, :rows]
            b_even, b_odd = even[v, rows:], odd[v, rows:]
            total = total + 0.5 * (
                (a_even * f_even + a_odd * f_odd) @ b_even.T
                + (a_even * f_odd + a_odd * f_even) @ b_odd.T
            )
    return total


def coupled_covariance(
    grid: LegendreGrid, spectra: Float[Array, "4 l"], mask_cl: Float[Array, "2 m"]
) -> Float[Array, "l l"]:
    """Covariance of two coupled spectra at every pair of multipoles.

    Parameters
    ----------
    grid : LegendreGrid
        Nodes and polynomials.
    spectra : float array, shape (4, lmax+1)
        c^ac, c^bd, c^ad, c^bc.
    mask_cl : float array, shape (2, m)
        As for :func:`binned_covariance`.

    Returns
    -------
    float array, shape (lmax+1, lmax+1)
        Cov(Ct^ab_l, Ct^cd_l').

    References
    ----------
    Equation of this module.
    """
    spectra = jnp.asarray(spectra)
    total = jnp.zeros((grid.lmax + 1, grid.lmax + 1))
    for term in range(2):
        u, v = spectra[2 * term], spectra[2 * term + 1]
        outer = u[:, None] * v
        total = total + 0.5 * (outer + outer.T) * coupling_kernel(grid, jnp.asarray(mask_cl)[term])
    return total


_binned = eqx.filter_jit(binned_covariance)


def _spectrum(spectra: Mapping[Pair, ArrayLike], pair: Pair, size: int) -> np.ndarray:
    found = spectra.get(pair, spectra.get((pair[1], pair[0])))
    if found is None:
        known = ", ".join(f"{a} x {b}" for a, b in spectra)
        raise ConfigurationError(
            f"covariance: no spectrum of {pair[0]} x {pair[1]} (given: {known or 'none'})"
        )
    values = np.asarray(found, float)
    if values.shape != (size,) or not np.all(np.isfinite(values)):
        raise DataError(
            f"covariance: spectrum of {pair[0]} x {pair[1]} has shape {values.shape} and "
            f"{np.sum(~np.isfinite(values))} values that are not finite; expected ({size},)"
        )
    return values


def narrow_kernel_covariance(
    first: Pair,
    second: Pair,
    matrices: tuple[np.ndarray, np.ndarray],
    spectra: Mapping[Pair, ArrayLike],
    masks: Mapping[str, np.ndarray],
    grid: LegendreGrid,
    mask_spectra: MaskSpectra,
) -> np.ndarray:
    """Covariance of the bandpowers of one pair of labelled fields with those of another.

    Parameters
    ----------
    first, second : pair of str
        Labels (a, b) and (c, d); the same pair twice for the covariance of one estimate.
    matrices : pair of array, shapes (b, lmax+1) and (c, lmax+1)
        K^ab and K^cd, from :func:`~diffaxion.sky.decoupling.decouple`.
    spectra : dict from pairs of labels to array, shape (lmax+1,)
        Coupled spectra over <m_x m_y>, noise and beams included as in the maps, in either order
        of labels. Smooth or from a model: measured ones tie the covariance to the data.
    masks : dict from labels to array, shape (npix,)
        Masks.
    grid : LegendreGrid
        From :func:`~diffaxion.sky.coupling.legendre_grid`.
    mask_spectra : MaskSpectra
        Transforms of products of masks, at least to ``grid.lmask``.

    Returns
    -------
    array, shape (b, c)
        Covariance, symmetric if both estimates are one.

    Raises
    ------
    ConfigurationError
        If a spectrum or a mask is missing.
    DataError
        If a spectrum is unusable.

    References
    ----------
    Nicola et al. 2021, arXiv:2010.09717; Garcia-Garcia et al. 2019, arXiv:1906.11765.
    """
    (a, b), (c, d) = first, second
    size = grid.lmax + 1
    values = np.stack([_spectrum(spectra, p, size) for p in ((a, c), (b, d), (a, d), (b, c))])
    missing = {a, b, c, d} - set(masks)
    if missing:
        raise ConfigurationError(f"covariance: no mask for {', '.join(sorted(missing))}")
    if mask_spectra.lmask < grid.lmask:
        raise ConfigurationError(
            f"covariance: masks are transformed to L = {mask_spectra.lmask}, the grid uses "
            f"{grid.lmask}"
        )
    kernels = np.stack(
        [
            mask_spectra.spectrum((masks[p], masks[q]), (masks[r], masks[s]))
            for p, q, r, s in ((a, c, b, d), (a, d, b, c))
        ]
    )
    kernels = kernels[:, : grid.lmask + 1]
    found = np.asarray(_binned(grid, *map(jnp.asarray, (*matrices, values, kernels))))
    if (a, b) == (c, d) and matrices[0] is matrices[1]:
        return 0.5 * (found + found.T)
    return found
