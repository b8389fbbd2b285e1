"""Needlets: band-pass filters h_j(l) with sum_j h_j(l)^2 = 1, and beams as functions of l."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jax.typing import ArrayLike

from ..errors import ConfigurationError
from ..observables.cmb.bandpowers import gaussian_beam as _gaussian_beam

# The 13 scales of Goldstein et al. 2024, Table S1; the last is one above l_max = 4096.
PAPER_PEAKS = (0, 100, 200, 300, 400, 600, 800, 1000, 1250, 1400, 1800, 2200, 4097)
# Small skies, by nside, with the beams of the toy sky.
SCALED_PEAKS = {
    32: (0, 10, 22, 39, 59, 93),
    64: (0, 20, 45, 80, 120, 189),
    128: (0, 30, 60, 110, 180, 260, 381),
    256: (0, 60, 120, 220, 360, 520, 761),
}


def gaussian_beam(fwhm_arcmin: ArrayLike, lmax: int) -> np.ndarray:
    """Gaussian beams B_l = exp(-l (l + 1) sigma^2/2) at all multipoles.

    Parameters
    ----------
    fwhm_arcmin : float array, shape (...)
        Full widths at half maximum [arcmin].
    lmax : int
        Largest multipole.

    Returns
    -------
    float array, shape (..., lmax + 1)
        Dimensionless, 1 at l = 0.

    References
    ----------
    White & Srednicki 1995, astro-ph/9402037.
    """
    width = np.asarray(fwhm_arcmin, float)[..., None]
    return np.array(_gaussian_beam(np.arange(lmax + 1), width))


def _increasing(values: Sequence[int] | np.ndarray, what: str) -> np.ndarray:
    found = np.asarray(values, int)
    if found.ndim != 1 or found.size < 2 or np.any(np.diff(found) <= 0):
        raise ConfigurationError(
            f"{what} {list(np.ravel(values))}: expected at least two, increasing"
        )
    return found


def _ends(values: np.ndarray, lmax: int, what: str) -> None:
    if values[0] != 0 or values[-1] != lmax + 1:
        raise ConfigurationError(
            f"{what} from {values[0]} to {values[-1]}: the first must be 0 and the last "
            f"l_max + 1 = {lmax + 1}, or the scales do not add up to the whole map"
        )


def cosine_needlets(peaks: Sequence[int], lmax: int) -> np.ndarray:
    """Cosine needlets: each filter rises from the peak before to its own and falls to the next.

    Parameters
    ----------
    peaks : sequence of int
        Multipoles l_0 = 0 < l_1 < ... < l_{J-1} = lmax + 1.
    lmax : int
        Largest multipole.

    Returns
    -------
    float array, shape (J, lmax + 1)
        h_j(l), squares adding up to 1.

    Raises
    ------
    ConfigurationError
        If the peaks do not increase or do not begin and end as they must.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, equation S2; Basak & Delabrouille 2012,
    arXiv:1106.5383.
    """
    at = _increasing(peaks, "needlet peaks")
    _ends(at, lmax, "needlet peaks")
    ell = np.arange(lmax + 1)
    filters = np.zeros((at.size, lmax + 1))
    for j in range(at.size - 1):
        inside = (ell >= at[j]) & (ell < at[j + 1])
        phase = 0.5 * np.pi * (ell[inside] - at[j]) / (at[j + 1] - at[j])
        filters[j, inside], filters[j + 1, inside] = np.cos(phase), np.sin(phase)
    return filters


def gaussian_needlets(fwhm_arcmin: Sequence[float], lmax: int) -> np.ndarray:
    """Needlets from differences of Gaussian beams: h_j^2 = B_j^2 - B_{j-1}^2.

    Parameters
    ----------
    fwhm_arcmin : sequence of float
        J - 1 decreasing widths [arcmin].
    lmax : int
        Largest multipole.

    Returns
    -------
    float array, shape (J, lmax + 1)
        h_j(l), squares adding up to 1; the first is a low pass, the last takes the rest.

    Raises
    ------
    ConfigurationError
        If the widths are not positive and decreasing.

    References
    ----------
    Planck 2015 XXII, arXiv:1502.01596, section 3.2 (needlets from Gaussian windows).
    """
    width = np.asarray(fwhm_arcmin, float)
    if width.ndim != 1 or width.size < 1 or np.any(width <= 0) or np.any(np.diff(width) >= 0):
        raise ConfigurationError(
            f"widths {list(np.ravel(width))} arcmin: expected positive numbers that decrease"
        )
    low_pass = np.vstack([np.zeros(lmax + 1), gaussian_beam(width, lmax) ** 2, np.ones(lmax + 1)])
    return np.sqrt(np.diff(low_pass, axis=0))


def top_hat_needlets(edges: Sequence[int], lmax: int) -> np.ndarray:
    """Sharp bands: h_j = 1 for edges[j] <= l < edges[j + 1], else 0.

    Parameters
    ----------
    edges : sequence of int
        0 < ... < lmax + 1, one more than there are bands.
    lmax : int
        Largest multipole.

    Returns
    -------
    float array, shape (J, lmax + 1)
        h_j(l), squares adding up to 1.

    Raises
    ------
    ConfigurationError
        If the edges do not increase or do not begin and end as they must.

    References
    ----------
    Marinucci et al. 2008, arXiv:0707.0844 (what sharp edges do in real space).
    """
    at = _increasing(edges, "edges of bands")
    _ends(at, lmax, "edges of bands")
    ell = np.arange(lmax + 1)
    return ((ell >= at[:-1, None]) & (ell < at[1:, None])).astype(float)


def check_filters(filters: np.ndarray, lmax: int) -> np.ndarray:
    """Filters of the right shape whose squares add up to 1, else a ConfigurationError."""
    h = np.asarray(filters, float)
    if h.ndim != 2 or h.shape[1] != lmax + 1:
        raise ConfigurationError(
            f"needlet filters of shape {h.shape}: expected (scales, l_max + 1 = {lmax + 1})"
        )
    total = np.sum(h**2, axis=0)
    worst = int(np.argmax(np.where(np.isfinite(total), np.abs(total - 1.0), np.inf)))
    if not abs(total[worst] - 1.0) <= 1e-10:
        raise ConfigurationError(
            f"squares of the needlet filters add up to {total[worst]:.6g} at l = {worst}, "
            "expected 1 at all multipoles"
        )
    return h


def taper(lmax: int, width: float) -> np.ndarray:
    """1 - [tanh(0.025 (l - (lmax - width))) + 1]/2, shape (lmax + 1,); 1 if width is 0."""
    if width == 0:
        return np.ones(lmax + 1)
    return 0.5 - 0.5 * np.tanh(0.025 * (np.arange(lmax + 1) - (lmax - width)))
