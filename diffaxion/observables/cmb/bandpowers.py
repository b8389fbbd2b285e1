"""From C_l to bandpowers: windows, and a static matrix that needs C at a few multipoles only.

A bandpower is a weighted mean over multipoles,

    t_b = sum_l F_bl B_l C_l,    F_bl = (2l+1)/sum_{l in b} (2l+1) for a plain bin,

with B_l = exp(-l(l+1) s^2/2), s = FWHM/sqrt(8 ln 2), where the data carry a beam. C is computed at
n nodes and interpolated in between by a cubic spline in ln l of C itself: C may change sign, and
the spline is then linear in C, so that the sum over l and the spline are one matrix, t = A C_nodes.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ...constants import ARCMIN_RAD
from ...data.bandpowers import Bandpowers
from ...errors import ConfigurationError, DataError
from ...numerics import spline_curvature

NODES_MIN = 24
NODES_PER_E_FOLD = 8.0
"""Density of nodes; six per e-fold of l reach 0.1 % on the spectra of Goldstein et al. 2024."""

_EXTENT = 1e-6  # windows below this share of their maximum do not extend the range of the nodes


class BandpowerWindows(eqx.Module):
    """Windows of b bandpowers and the matrix from C at n nodes to them.

    Attributes
    ----------
    ell_lo, ell_hi : float array, shape (b,)
        First and last multipole of each bin.
    window : float array, shape (b, l)
        Weights with the beam folded in; they turn C_l at every l into bandpowers.
    window_ell : float array, shape (l,)
        Multipoles of the windows.
    node_ell : float array, shape (n,)
        Multipoles at which C must be given, increasing; they need not be whole numbers.
    matrix : float array, shape (b, n)
        Bandpowers = matrix @ C(node_ell).

    References
    ----------
    Hivon et al. 2002 (astro-ph/0105302), bandpower windows; de Boor 1978, splines.
    """

    ell_lo: Float[Array, " b"]
    ell_hi: Float[Array, " b"]
    window: Float[Array, "b l"]
    window_ell: Float[Array, " l"]
    node_ell: Float[Array, " n"]
    matrix: Float[Array, "b n"]

    def from_nodes(self, cl_nodes: Float[Array, "... n"]) -> Float[Array, "... b"]:
        """Bandpowers from C at ``node_ell``, t = A C.

        Parameters
        ----------
        cl_nodes : float array, shape (..., n)
            C at the nodes, any unit; leading axes are masses.

        Returns
        -------
        float array, shape (..., b)
            Bandpowers, unit of C.

        References
        ----------
        Hivon et al. 2002 (astro-ph/0105302).
        """
        return jnp.asarray(cl_nodes) @ self.matrix.T

    def from_all(self, cl: Float[Array, "... l"]) -> Float[Array, "... b"]:
        """Bandpowers from C at every multipole of ``window_ell``: the plain sum.

        Parameters
        ----------
        cl : float array, shape (..., l)
            C at every multipole, any unit.

        Returns
        -------
        float array, shape (..., b)
            Bandpowers, unit of C.

        References
        ----------
        Hivon et al. 2002 (astro-ph/0105302).
        """
        return jnp.asarray(cl) @ self.window.T


def default_bins() -> tuple[np.ndarray, np.ndarray]:
    """The eleven bins of the published analysis, as inferred: 302 + 150 b to 451 + 150 b.

    The edges are not stated in the text available to us; these are the round choice with two bins
    below l = 300 and eleven up to l = 2000.

    Returns
    -------
    ell_lo, ell_hi : arrays, shape (11,)
        First and last multipole of each bin.

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514), number of bins and range; edges inferred.
    """
    lo = 302.0 + 150.0 * np.arange(11)
    return lo, lo + 149.0


def gaussian_beam(ell: ArrayLike, fwhm_arcmin: ArrayLike) -> Float[Array, "..."]:
    """Transfer function of a Gaussian beam, exp(-l(l+1) s^2/2) with s = FWHM/sqrt(8 ln 2).

    Parameters
    ----------
    ell : float array, shape (...)
        Multipoles.
    fwhm_arcmin : float array, broadcastable to (...)
        Full width at half maximum [arcmin].

    Returns
    -------
    float array, shape (...)
        B_l, without unit.

    References
    ----------
    White & Srednicki 1995 (astro-ph/9402037).
    """
    l = jnp.asarray(ell, float)
    variance = (jnp.asarray(fwhm_arcmin, float) * ARCMIN_RAD) ** 2 / (8.0 * math.log(2.0))
    return jnp.exp(-0.5 * l * (l + 1.0) * variance)


def inference_multipoles(ell_min: float, ell_max: float, count: int | None = None) -> np.ndarray:
    """Multipoles at which the theory is computed: even in ln l, ends included.

    Parameters
    ----------
    ell_min, ell_max : float
        Range that the windows cover.
    count : int, optional
        Number of nodes; default the larger of 24 and 8 per e-fold.

    Returns
    -------
    array, shape (n,)
        Multipoles, not rounded.

    Raises
    ------
    ConfigurationError
        If the range is empty or fewer than four nodes are asked for.

    References
    ----------
    None: a grid.
    """
    if not 0.0 < ell_min < ell_max < math.inf:
        raise ConfigurationError(
            f"multipoles from {ell_min:g} to {ell_max:g}: expected 0 < lowest < highest"
        )
    if count is None:
        count = max(NODES_MIN, 1 + math.ceil(NODES_PER_E_FOLD * math.log(ell_max / ell_min)))
    if count < 4:
        raise ConfigurationError(f"{count} multipoles: a cubic spline needs at least 4")
    return np.geomspace(ell_min, ell_max, count)


def spline_matrix(node_ell: ArrayLike, ell: ArrayLike) -> np.ndarray:
    """Matrix of the not-a-knot cubic spline in ln l: C(ell) = M C(node_ell).

    Parameters
    ----------
    node_ell : array, shape (n,)
        Increasing nodes, n >= 4.
    ell : array, shape (l,)
        Where the spline is wanted, inside the nodes.

    Returns
    -------
    array, shape (l, n)
        The matrix, without unit.

    Raises
    ------
    ConfigurationError
        If the nodes do not increase, are fewer than four, or do not enclose ``ell``.

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter IV.
    """
    nodes, wanted = np.asarray(node_ell, float), np.asarray(ell, float)
    if nodes.ndim != 1 or nodes.size < 4 or np.any(np.diff(nodes) <= 0) or nodes[0] <= 0:
        raise ConfigurationError(
            "node multipoles: expected at least 4 positive, increasing numbers"
        )
    slack = 1e-9
    if wanted.min() < nodes[0] * (1 - slack) or wanted.max() > nodes[-1] * (1 + slack):
        raise ConfigurationError(
            f"node multipoles span {nodes[0]:g}-{nodes[-1]:g}, the windows need "
            f"{wanted.min():g}-{wanted.max():g}: the spline must not extrapolate"
        )
    x, at = np.log(nodes), np.log(wanted)
    unit = np.eye(nodes.size)
    curvature = spline_curvature(x, unit)
    k = np.clip(np.searchsorted(x, at, side="right") - 1, 0, nodes.size - 2)
    h = x[k + 1] - x[k]
    b = ((at - x[k]) / h)[:, None]
    a, h = 1.0 - b, h[:, None]
    cubic = ((a**3 - a) * curvature[k] + (b**3 - b) * curvature[k + 1]) * h**2 / 6.0
    return a * unit[k] + b * unit[k + 1] + cubic


def bandpower_windows(
    window: ArrayLike,
    window_ell: ArrayLike,
    ell_lo: ArrayLike,
    ell_hi: ArrayLike,
    *,
    fwhm_arcmin: float = 0.0,
    node_ell: ArrayLike | None = None,
) -> BandpowerWindows:
    """Windows given as an array, with the spline matrix computed once in NumPy.

    Parameters
    ----------
    window : array, shape (b, l)
        Weights without the beam.
    window_ell : array, shape (l,)
        Multipoles of the weights; l = 0 and 1 are ignored.
    ell_lo, ell_hi : array, shape (b,)
        First and last multipole of each bin.
    fwhm_arcmin : float
        Gaussian beam of the data [arcmin]; 0 for none.
    node_ell : array, shape (n,), optional
        Multipoles at which the theory will be computed; default :func:`inference_multipoles` over
        the range in which the windows have weight.

    Returns
    -------
    BandpowerWindows
        b bins, l multipoles, n nodes.

    Raises
    ------
    ConfigurationError
        If the nodes do not suit the windows.
    DataError
        If a window holds no weight at l >= 2.

    References
    ----------
    Hivon et al. 2002 (astro-ph/0105302).
    """
    weight, ell = np.asarray(window, float), np.asarray(window_ell, float)
    size = np.max(np.abs(weight), axis=1, keepdims=True)
    used = np.any(np.abs(weight) > _EXTENT * size, axis=0) & (ell >= 2.0)
    if not used.any():
        raise DataError("bandpower windows hold no weight at l >= 2")
    kept = slice(int(np.argmax(used)), ell.size - int(np.argmax(used[::-1])))
    ell = ell[kept]
    weight = weight[:, kept] * np.asarray(gaussian_beam(ell, fwhm_arcmin))
    if node_ell is None:
        node_ell = inference_multipoles(ell[0], max(ell[-1], ell[0] + 1.0))
    nodes = np.asarray(node_ell, float)
    return BandpowerWindows(
        jnp.asarray(ell_lo, float),
        jnp.asarray(ell_hi, float),
        jnp.asarray(weight),
        jnp.asarray(ell),
        jnp.asarray(nodes),
        jnp.asarray(weight @ spline_matrix(nodes, ell)),
    )


def top_hat_windows(
    ell_lo: ArrayLike | None = None,
    ell_hi: ArrayLike | None = None,
    *,
    fwhm_arcmin: float = 0.0,
    node_ell: ArrayLike | None = None,
) -> BandpowerWindows:
    """(2l+1)-weighted means over bins; without arguments the eleven :func:`default_bins`.

    Parameters
    ----------
    ell_lo, ell_hi : array, shape (b,), optional
        First and last multipole of each bin.
    fwhm_arcmin : float
        Gaussian beam of the data [arcmin]; 0 for none.
    node_ell : array, shape (n,), optional
        Multipoles at which the theory will be computed.

    Returns
    -------
    BandpowerWindows
        b bins.

    Raises
    ------
    ConfigurationError
        If only one of the edges is given or a bin is empty.

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514).
    """
    if (ell_lo is None) != (ell_hi is None):
        raise ConfigurationError("ell_lo and ell_hi go together: give both or neither")
    if ell_lo is None or ell_hi is None:
        lo, hi = default_bins()
    else:
        lo, hi = np.atleast_1d(np.asarray(ell_lo, float)), np.atleast_1d(np.asarray(ell_hi, float))
    window, ell = top_hat_weights(lo, hi)
    return bandpower_windows(window, ell, lo, hi, fwhm_arcmin=fwhm_arcmin, node_ell=node_ell)


def top_hat_weights(ell_lo: ArrayLike, ell_hi: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Weights (2l+1)/sum (2l+1) of plain bins, and the multipoles they refer to.

    Parameters
    ----------
    ell_lo, ell_hi : array, shape (b,)
        First and last multipole of each bin, l >= 2.

    Returns
    -------
    window : array, shape (b, l)
        Weights; rows sum to 1.
    window_ell : array, shape (l,)
        Every multipole from the lowest to the highest.

    Raises
    ------
    ConfigurationError
        If the edges have different lengths, a bin is empty, or l < 2.

    References
    ----------
    None: a weighted mean over the 2l+1 modes of each multipole.
    """
    lo, hi = np.asarray(ell_lo, float), np.asarray(ell_hi, float)
    if lo.shape != hi.shape or lo.ndim != 1 or lo.size == 0:
        raise ConfigurationError(f"bins: edges of shapes {lo.shape} and {hi.shape}, expected (b,)")
    if np.any(hi < lo) or np.any(lo < 2):
        raise ConfigurationError("bins: expected 2 <= ell_lo <= ell_hi")
    ell = np.arange(lo.min(), hi.max() + 1.0)
    window = np.where((ell >= lo[:, None]) & (ell <= hi[:, None]), 2.0 * ell + 1.0, 0.0)
    return window / window.sum(axis=1, keepdims=True), ell


def windows_of(data: Bandpowers, node_ell: ArrayLike | None = None) -> BandpowerWindows:
    """Windows of a file of bandpowers, with its beam and transfer function.

    Parameters
    ----------
    data : Bandpowers
        Checked content of ``bandpowers.npz``.
    node_ell : array, shape (n,), optional
        Multipoles at which the theory will be computed.

    Returns
    -------
    BandpowerWindows
        b bins.

    References
    ----------
    Hivon et al. 2002 (astro-ph/0105302).
    """
    return bandpower_windows(
        data.window * data.transfer,
        data.window_ell,
        data.ell_lo,
        data.ell_hi,
        fwhm_arcmin=data.fwhm_arcmin,
        node_ell=node_ell,
    )
