"""From coupled spectra to bandpowers: c = K Ct with windows F = K M.

With the means over bins B, spectra constant in bins U and a transfer function T_l (pixel windows,
or a beam that is to be removed) the coupling matrix of what is observed is M diag(T), and

    K = (B M diag(T) U)^-1 B,      F = K M diag(T),      F U = 1.

A bandpower is then c_b = sum_l F_bl C_l of spectra without T. The transfer function multiplies
each multipole in the windows, where theory meets it; it changes the data by one factor per bin.
"""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..errors import ConfigurationError, DataError
from .bins import Bins, check_bins
from .coupling import LegendreGrid, couple_rows

CONDITION_MAX = 1e12
"""Largest condition number of the binned coupling matrix that is inverted."""


class BandpowerOperators(eqx.Module):
    """Matrices that take coupled spectra to bandpowers, and what bandpowers mean.

    Attributes
    ----------
    matrix : float array, shape (b, lmax+1)
        K: bandpowers are K Ct.
    window : float array, shape (b, lmax+1)
        F: their means are F C.
    binned : float array, shape (b, b)
        B M diag(T) U, which was inverted.
    """

    matrix: Float[Array, "b l"]
    window: Float[Array, "b l"]
    binned: Float[Array, "b b"]


def bandpower_operators(
    grid: LegendreGrid,
    mask_cl: Float[Array, " l"],
    mean: Float[Array, "b l"],
    member: Float[Array, "l b"],
    transfer: ArrayLike = 1.0,
) -> BandpowerOperators:
    """K and F of this module for given bins; M itself is never formed.

    Parameters
    ----------
    grid : LegendreGrid
        Nodes and polynomials.
    mask_cl : float array, shape (l,)
        Cross-spectrum of the masks from L = 0.
    mean : float array, shape (b, lmax+1)
        B, means over bins.
    member : float array, shape (lmax+1, b)
        U, 1 where a multipole belongs to a bin.
    transfer : float array, shape (lmax+1,) or ()
        T, factor on the spectrum in the maps.

    Returns
    -------
    BandpowerOperators
        For b bins, differentiable in ``mask_cl`` and ``transfer``.

    References
    ----------
    Hivon et al. 2002, astro-ph/0105302; Alonso et al. 2019, arXiv:1809.09603, section 2.
    """
    rows = couple_rows(grid, mask_cl, mean) * transfer
    binned = rows @ member
    both = jnp.linalg.solve(binned, jnp.concatenate([jnp.asarray(mean), rows], axis=1))
    size = grid.lmax + 1
    return BandpowerOperators(both[:, :size], both[:, size:], binned)


@dataclass(frozen=True)
class Decoupling:
    """Checked operators of one pair of masks, in NumPy.

    Attributes
    ----------
    bins : Bins
        b bins.
    matrix, window : array, shape (b, lmax+1)
        K and F.
    condition : float
        Condition number of the binned coupling matrix.
    """

    bins: Bins
    matrix: np.ndarray
    window: np.ndarray
    condition: float

    def bandpowers(self, coupled: ArrayLike) -> np.ndarray:
        """Bandpowers of a coupled spectrum.

        Parameters
        ----------
        coupled : array, shape (..., lmax+1)
            Coupled spectra, noise subtracted.

        Returns
        -------
        array, shape (..., b)
            K Ct, unit of ``coupled``.

        Raises
        ------
        DataError
            If the spectrum has the wrong length or is not finite.

        References
        ----------
        Hivon et al. 2002, astro-ph/0105302.
        """
        values = np.asarray(coupled, float)
        if values.shape[-1] != self.matrix.shape[1]:
            raise DataError(
                f"coupled spectrum ends at l = {values.shape[-1] - 1}, the coupling matrix at "
                f"{self.matrix.shape[1] - 1}: use one l_max"
            )
        if not np.all(np.isfinite(values)):
            raise DataError(
                f"coupled spectrum: {np.sum(~np.isfinite(values))} values are not finite; look "
                "for NaN in the maps"
            )
        return values @ self.matrix.T


_operators = eqx.filter_jit(bandpower_operators)


def decouple(
    mask_cl: ArrayLike, bins: Bins, grid: LegendreGrid, transfer: ArrayLike = 1.0
) -> Decoupling:
    """Operators for a pair of masks, with their checks.

    Parameters
    ----------
    mask_cl : array, shape (l,)
        Cross-spectrum of the masks, from L = 0 to ``grid.lmask`` at least.
    bins : Bins
        b bins.
    grid : LegendreGrid
        From :func:`~diffaxion.sky.coupling.legendre_grid`.
    transfer : array, shape (lmax+1,) or ()
        Product of both maps' pixel windows and of beams that are to be removed.

    Returns
    -------
    Decoupling
        K, F and the condition number.

    Raises
    ------
    ConfigurationError
        If bins end beyond l_max or are too narrow for the sky fraction.
    DataError
        If the mask spectrum is too short or not finite, or the transfer function vanishes.

    References
    ----------
    Hivon et al. 2002, astro-ph/0105302; Alonso et al. 2019, arXiv:1809.09603.
    """
    check_bins(bins, grid.lmax)
    cl = np.asarray(mask_cl, float)
    if cl.ndim != 1 or cl.size < grid.lmask + 1 or not np.all(np.isfinite(cl)):
        raise DataError(
            f"spectrum of the masks: shape {cl.shape}, finite {bool(np.all(np.isfinite(cl)))}; "
            f"expected finite values at L = 0 to {grid.lmask}"
        )
    factor = np.broadcast_to(np.asarray(transfer, float), (grid.lmax + 1,))
    member = bins.membership(grid.lmax)
    used = factor[member.any(axis=1)]
    if not np.all(np.isfinite(factor)) or np.any(used <= 0.0):
        raise DataError(
            "transfer function: expected finite values, positive inside the bins; smallest "
            f"{used.min():.3g}"
        )
    arrays = (jnp.asarray(v) for v in (cl, bins.mean_matrix(grid.lmax), member, factor))
    found = _operators(grid, *arrays)
    # A transfer function spans decades without making the bins ambiguous: it is scaled out.
    binned = np.asarray(found.binned)
    peak = np.max(np.abs(binned), axis=0, keepdims=True)
    binned = binned / np.where(peak > 0.0, peak, 1.0)
    condition = float(np.linalg.cond(binned)) if np.all(np.isfinite(binned)) else np.inf
    if not condition < CONDITION_MAX:
        raise ConfigurationError(
            f"bins are too narrow for the mask: the binned coupling matrix has condition "
            f"{condition:.3g}, expected below {CONDITION_MAX:g}; widen the bins"
        )
    return Decoupling(bins, np.asarray(found.matrix), np.asarray(found.window), condition)
