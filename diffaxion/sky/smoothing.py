"""Smooth versions of measured spectra, for covariances that should not follow the data's noise.

A local straight line in l is fitted around each multipole with Gaussian weights. Spectra fall over
decades, so that the fit is made twice: s = exp(fit of ln C) gives the shape, and the fit of C/s,
which is flat, the level; s alone would be low, since the mean of ln chi^2 is. A cross-spectrum is
smoothed as its ratio to the root of both shapes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from ..errors import DataError

WIDTH = (2.0, 0.1, 15.0)
"""Standard deviation of the weights: 0.1 l, at least 2, at most 15 multipoles."""

_FIRST = 2  # the monopole and the dipole are not part of the spectrum
_FLOOR = 1e-30  # of the largest value; below are multipoles that a map does not hold


@functools.lru_cache(maxsize=2)
def _smoother(lmax: int) -> np.ndarray:
    """Matrix of the local straight-line fit, l = 2 to lmax."""
    ell = np.arange(_FIRST, lmax + 1.0)
    least, share, most = WIDTH
    width = np.clip(share * ell, least, most)[:, None]
    off = ell - ell[:, None]
    weight = np.exp(-0.5 * (off / width) ** 2)
    s0, s1, s2 = (np.sum(weight * off**k, axis=1, keepdims=True) for k in range(3))
    return weight * (s2 - off * s1) / (s0 * s2 - s1**2)


def smooth_spectra(
    spectra: Mapping[tuple[str, str], np.ndarray],
) -> dict[tuple[str, str], np.ndarray]:
    """Smooth auto- and cross-spectra of labelled fields.

    Parameters
    ----------
    spectra : dict from pairs of labels to array, shape (lmax+1,)
        Spectra, any units; the auto-spectrum of every label must be there.

    Returns
    -------
    dict from pairs of labels to array, shape (lmax+1,)
        Smooth spectra, same units; l = 0 and 1 unchanged.

    Raises
    ------
    DataError
        If an auto-spectrum is missing or not positive, or l_max is below 5.

    References
    ----------
    Cleveland 1979, J. Am. Stat. Assoc. 74, 829 (local regression).
    """
    shape: dict[str, np.ndarray] = {}
    for (a, b), cl in spectra.items():
        if a != b:
            continue
        if cl.size < _FIRST + 4:
            raise DataError(f"spectrum of {a}: l_max = {cl.size - 1}, smoothing needs at least 5")
        values = cl[_FIRST:]
        if not np.all(np.isfinite(values)) or np.max(values) <= 0.0:
            raise DataError(
                f"spectrum of {a} x {a}: expected positive finite values, the largest is "
                f"{np.max(values):.3g}; is the map zero inside its mask?"
            )
        level = np.log(np.maximum(values, _FLOOR * np.max(values)))
        shape[a] = np.exp(_smoother(cl.size - 1) @ level)
    out = {}
    for (a, b), cl in spectra.items():
        if a not in shape or b not in shape:
            raise DataError(f"spectrum of {a} x {b}: smoothing needs the auto-spectra of both")
        root = np.sqrt(shape[a] * shape[b])
        smooth = root * (_smoother(cl.size - 1) @ (cl[_FIRST:] / root))
        if a == b:
            # A straight line through few noisy multipoles may cross zero; the shape does not.
            smooth = np.where(smooth > 0.0, smooth, root)
        out[a, b] = np.concatenate([cl[:_FIRST], smooth])
    return out
