"""Covariances from simulations, their combination with a model, and checks of any covariance.

The inverse of a covariance S from n simulations of p bandpowers is biased; (n - p - 2)/(n - 1)
times S^-1 is not. Shrinkage takes

    C = w T + (1 - w) S

between S and a model T with the w that minimises the expected squared error,
w = sum var(S_ij)/sum (S_ij - T_ij)^2, from the scatter of the simulations themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..errors import DataError

CONDITION_MAX = 1e12
_ASYMMETRY = 1e-10


def sample_covariance(samples: Float[Array, "n b"]) -> Float[Array, "b b"]:
    """Covariance of simulated bandpowers, unbiased.

    Parameters
    ----------
    samples : float array, shape (n, b)
        Bandpowers of n independent simulations.

    Returns
    -------
    float array, shape (b, b)
        Sum of outer products of deviations from the mean over n - 1.

    References
    ----------
    Hartlap, Simon & Schneider 2007, astro-ph/0608064.
    """
    off = jnp.asarray(samples) - jnp.mean(samples, axis=0)
    return off.T @ off / (off.shape[0] - 1)


def hartlap_factor(n_simulations: int, n_bins: int) -> float:
    """Factor that removes the bias of the inverse of a sample covariance.

    Parameters
    ----------
    n_simulations : int
        Independent simulations.
    n_bins : int
        Bandpowers, at most ``n_simulations`` - 3.

    Returns
    -------
    float
        (n - p - 2)/(n - 1); divide the covariance by it, or multiply its inverse.

    Raises
    ------
    DataError
        If there are too few simulations.

    References
    ----------
    Hartlap, Simon & Schneider 2007, astro-ph/0608064, equation 17.
    """
    if n_bins < 1 or n_simulations < n_bins + 3:
        raise DataError(
            f"{n_simulations} simulations of {n_bins} bandpowers: the covariance needs at least "
            f"{n_bins + 3}"
        )
    return (n_simulations - n_bins - 2) / (n_simulations - 1)


class ShrunkCovariance(NamedTuple):
    """A covariance between a sample and a model.

    Attributes
    ----------
    covariance : float array, shape (b, b)
        w T + (1 - w) S.
    weight : float array, shape ()
        w, 0 (sample) to 1 (model).
    """

    covariance: Float[Array, "b b"]
    weight: Float[Array, ""]


def shrink_covariance(samples: Float[Array, "n b"], model: Float[Array, "b b"]) -> ShrunkCovariance:
    """Combine the covariance of simulations with a model, by their own scatter.

    Parameters
    ----------
    samples : float array, shape (n, b)
        Bandpowers of n independent simulations.
    model : float array, shape (b, b)
        Covariance of the model, unit of the samples squared.

    Returns
    -------
    ShrunkCovariance
        Combination and weight of the model.

    References
    ----------
    Schafer & Strimmer 2005; Pope & Szapudi 2008, arXiv:0711.2509, equations 10 to 13.
    """
    # In units of the model's errors, so that all bandpowers count alike.
    error = jnp.sqrt(jnp.diagonal(jnp.asarray(model)))
    off = (jnp.asarray(samples) - jnp.mean(samples, axis=0)) / error
    n = off.shape[0]
    products = off[:, :, None] * off[:, None, :]
    sample = jnp.sum(products, axis=0) / (n - 1)
    spread = jnp.sum((products - jnp.mean(products, axis=0)) ** 2) * n / (n - 1.0) ** 3
    target = jnp.asarray(model) / error / error[:, None]
    distance = jnp.sum((sample - target) ** 2)
    weight = spread / jnp.maximum(distance, spread)
    mixed = weight * target + (1.0 - weight) * sample
    return ShrunkCovariance(mixed * error * error[:, None], weight)


def check_covariance(
    covariance: ArrayLike, *, regularise: float | None = None, name: str = "covariance"
) -> np.ndarray:
    """A covariance that can be inverted, or an error that says what is wrong with it.

    Parameters
    ----------
    covariance : array, shape (b, b)
        Covariance, any unit.
    regularise : float, optional
        If given, eigenvalues of the correlation matrix below this share of the largest are raised
        to it. Nothing is changed without it.
    name : str
        What it is called in messages.

    Returns
    -------
    array, shape (b, b)
        Exactly symmetric, positive definite.

    Raises
    ------
    DataError
        If it is not square, not finite, asymmetric, not positive definite, or its condition
        number is above 1e12.

    References
    ----------
    None: linear algebra.
    """
    c = np.asarray(covariance, float)
    if c.ndim != 2 or c.shape[0] != c.shape[1] or c.size == 0:
        raise DataError(f"{name}: shape {c.shape}, expected (b, b)")
    if not np.all(np.isfinite(c)):
        raise DataError(f"{name}: {np.sum(~np.isfinite(c))} values are not finite")
    spread = np.max(np.abs(c - c.T))
    if spread > _ASYMMETRY * np.max(np.abs(c)):
        raise DataError(f"{name}: asymmetric, the largest |C - C^T| is {spread:.3g}")
    c = 0.5 * (c + c.T)
    variance = np.diag(c)
    if np.any(variance <= 0.0):
        k = int(np.argmin(variance))
        raise DataError(
            f"{name}: variance {variance[k]:.3g} of bandpower {k}, smallest eigenvalue "
            f"{np.linalg.eigvalsh(c)[0]:.3g}; expected a positive definite matrix"
        )
    error = np.sqrt(variance)
    values, vectors = np.linalg.eigh(c / np.outer(error, error))
    if regularise is not None:
        if not 1.0 / CONDITION_MAX < regularise < 1.0:
            raise DataError(
                f"{name}: regularise = {regularise:g}, expected a share above "
                f"{1.0 / CONDITION_MAX:g} and below 1"
            )
        values = np.maximum(values, regularise * values[-1])
        c = (vectors * values) @ vectors.T * np.outer(error, error)
        return 0.5 * (c + c.T)
    if values[0] <= 0.0 or values[-1] > CONDITION_MAX * values[0]:
        raise DataError(
            f"{name}: smallest eigenvalue of the correlation matrix {values[0]:.3g}, largest "
            f"{values[-1]:.3g}; expected a positive definite matrix with condition below "
            f"{CONDITION_MAX:g}. Widen the bins, or state regularise= explicitly"
        )
    return c
