"""Harmonic ILC on maps: weights that depend on the multipole only, from smoothed spectra."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from ..errors import ConfigurationError, ValidityError
from .harmonic_ilc import ilc_weights
from .needlet_maps import beam_ratios
from .needlet_plan import beam_limit
from .needlets import gaussian_beam
from .transforms import alm_size, cross_spectrum, scale_alm
from .weights import SINGULAR, check_responses


def _running_mean(spectrum: np.ndarray, width: int) -> np.ndarray:
    """Mean over all modes within ``width`` multipoles around each, fewer at the ends."""
    modes = 2.0 * np.arange(spectrum.shape[-1]) + 1.0
    total = np.concatenate(
        [np.zeros((*spectrum.shape[:-1], 1)), np.cumsum(modes * spectrum, axis=-1)], axis=-1
    )
    count = np.concatenate([[0.0], np.cumsum(modes)])
    ell = np.arange(spectrum.shape[-1])
    low = np.maximum(ell - width // 2, 0)
    high = np.minimum(low + width, spectrum.shape[-1])
    return (total[..., high] - total[..., low]) / (count[high] - count[low])


def harmonic_clean(
    alms: Sequence[np.ndarray],
    beams: np.ndarray,
    responses: np.ndarray,
    *,
    common_fwhm_arcmin: float,
    width: int = 30,
    names: Sequence[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Map with unit response to the first component and none to the others, by multipole.

    A channel is used up to the multipole where its beam is 1e-3. The covariance of the channels is
    their spectrum averaged over a running window of multipoles.

    Parameters
    ----------
    alms : sequence of n complex arrays, shape (nalm,)
        Coefficients of the channels, all to the same l_max [any unit].
    beams : float array, shape (n, lmax + 1)
        Beams of the channels, with pixel windows if these are to be divided out.
    responses : float array, shape (n, c)
        Column 0 is kept, the others are deprojected; column 0 sets the unit of the output.
    common_fwhm_arcmin : float
        Gaussian beam of the output [arcmin].
    width : int
        Width of the window [multipoles].
    names : sequence of str, optional
        Names of the components, for messages.

    Returns
    -------
    alm : complex array, shape (nalm,)
        Coefficients with the common beam [unit of the output].
    weights : float array, shape (lmax + 1, n)
        Weights of maps with the common beam.

    Raises
    ------
    ConfigurationError
        If there are more constraints than channels somewhere, or shapes do not fit.
    ValidityError
        If the covariance of the channels is singular.

    References
    ----------
    Tegmark, de Oliveira-Costa & Hamilton 2003, astro-ph/0302496; Remazeilles, Delabrouille &
    Cardoso 2011, arXiv:1006.5599.
    """
    response = np.asarray(beams, float)
    matrix = np.asarray(responses, float)
    lmax = response.shape[-1] - 1
    n = len(alms)
    if response.shape[0] != n or matrix.shape[0] != n or width < 1:
        raise ConfigurationError(
            f"{n} channels, beams of shape {response.shape}, responses of shape {matrix.shape}, "
            f"width {width}: expected one row per channel and a width of at least 1"
        )
    for a in alms:
        if a.shape != (alm_size(lmax),):
            raise ConfigurationError(
                f"coefficients of shape {a.shape}: expected ({alm_size(lmax)},), as the beams end "
                f"at l = {lmax}"
            )
    used = np.arange(lmax + 1)[:, None] <= beam_limit(response)
    labels = (
        tuple(names) if names is not None else tuple(f"column {k}" for k in range(len(matrix[0])))
    )
    for pattern, ell in zip(*np.unique(used, axis=0, return_index=True)):
        check_responses(matrix[pattern], labels, f"multipoles around l = {ell}")
    ratio = np.where(used.T, beam_ratios(response, gaussian_beam(common_fwhm_arcmin, lmax)), 0.0)
    equal = [scale_alm(a, r) for a, r in zip(alms, ratio)]
    covariance = np.empty((lmax + 1, n, n))
    for i in range(n):
        for j in range(i + 1):
            smooth = _running_mean(cross_spectrum(equal[i], equal[j]), width)
            covariance[:, i, j] = covariance[:, j, i] = smooth
    both = used[:, :, None] & used[:, None, :]
    covariance = np.where(both, covariance, np.eye(n))
    _check_spectra(covariance)
    weights = np.asarray(
        ilc_weights(jnp.asarray(covariance), jnp.asarray(matrix), jnp.asarray(used, float))
    )
    return np.sum([scale_alm(a, w) for a, w in zip(equal, weights.T)], axis=0), weights


def _check_spectra(covariance: np.ndarray) -> None:
    variance = np.einsum("lii->li", covariance)
    dead = np.flatnonzero((variance <= 0.0).any(axis=1))
    if dead.size:
        raise ValidityError(f"a channel has no power around l = {dead[0]}: leave it out")
    root = np.sqrt(variance)
    eigen = np.linalg.eigvalsh(covariance / root[:, :, None] / root[:, None, :])
    relative = eigen[:, 0] / eigen[:, -1]
    worst = int(np.argmin(relative))
    if not relative[worst] > SINGULAR:
        raise ValidityError(
            f"the covariance of the channels is singular around l = {worst}: smallest relative "
            f"eigenvalue {relative[worst]:.2g}; drop channels or average over a larger width"
        )
