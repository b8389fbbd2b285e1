"""Measured points with Gaussian errors: fluxes in energy bins, bandpowers.

The density of data d with signal s and covariance C is

    ln L(s) = -1/2 (d - s)^T C^-1 (d - s) - 1/2 ln det(2 pi C).

Nothing here knows of couplings: a strength a enters through s = a * response, and signals of
either sign are allowed, because a limit needs the maximum over negative strengths too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, ArrayLike, Float

from ..errors import DataError


class GaussianBlocks(NamedTuple):
    """Pieces of ln L that a Newton step needs.

    Attributes
    ----------
    value : float array, shape (n,)
        Terms that sum to ln L: one per point, or one per whitened point if correlated.
    S : float array, shape (n,)
        d ln L / d signal_i.
    SS : float array, shape (n,) or (n, n)
        Second derivative: its diagonal for independent points, else the full matrix -C^-1.
    """

    value: Array
    S: Array
    SS: Array


class GaussianPoints(eqx.Module):
    """Gaussian likelihood of n measured points.

    Attributes
    ----------
    data : float array, shape (n,)
        Measured values, in the unit of the signal.
    scale : float array, shape (n,) or (n, n)
        Errors of independent points, or the lower Cholesky factor of the covariance.

    References
    ----------
    Dessert, Foster, Safdi 2020 (arXiv:2008.03305), flux points; Goldstein et al. 2024
    (arXiv:2409.10514), bandpowers.
    """

    data: Float[Array, " n"]
    scale: Float[Array, "..."]

    def __init__(self, data: ArrayLike, scale: ArrayLike) -> None:
        self.data = jnp.asarray(data, float)
        self.scale = jnp.asarray(scale, float)

    @classmethod
    def from_covariance(cls, data: ArrayLike, covariance: ArrayLike) -> GaussianPoints:
        """Points with a covariance matrix, checked and factorised in NumPy.

        Parameters
        ----------
        data : array, shape (n,)
            Measured values.
        covariance : array, shape (n, n)
            Symmetric positive-definite covariance, squared unit of the data.

        Returns
        -------
        GaussianPoints
            The likelihood, holding the Cholesky factor.

        Raises
        ------
        DataError
            If the covariance has the wrong shape, is not finite, asymmetric, not positive, or
            has a condition number above 1e12.
        """
        d, c = np.asarray(data, float), np.asarray(covariance, float)
        validate_points(d, np.ones_like(d))
        if c.shape != (d.size, d.size):
            raise DataError(f"covariance has shape {c.shape}, expected {(d.size, d.size)}")
        if not np.all(np.isfinite(c)):
            raise DataError(
                f"covariance holds {np.sum(~np.isfinite(c))} values that are not finite"
            )
        spread = np.max(np.abs(c - c.T))
        if spread > 1e-10 * np.max(np.abs(c)):
            raise DataError(f"covariance is asymmetric: largest |C - C^T| is {spread:.3g}")
        eigen = np.linalg.eigvalsh(c)
        if eigen[0] <= 0.0 or eigen[-1] > 1e12 * eigen[0]:
            raise DataError(
                f"covariance is not usable: smallest eigenvalue {eigen[0]:.3g}, largest "
                f"{eigen[-1]:.3g}; it must be positive definite with condition below 1e12"
            )
        return cls(d, np.linalg.cholesky(c))

    def whiten(self, x: Float[Array, "n ..."]) -> Float[Array, "n ..."]:
        """L^-1 x for C = L L^T, over the first axis: unit-variance residuals or templates.

        Parameters
        ----------
        x : float array, shape (n, ...)
            Residual or columns of derivatives, in the unit of the data.

        Returns
        -------
        float array, same shape
            Whitened values, without unit.
        """
        if self.scale.ndim == 1:
            return x / self.scale.reshape(self.scale.shape + (1,) * (jnp.ndim(x) - 1))
        flat = jnp.reshape(x, (self.data.shape[0], -1))
        return solve_triangular(self.scale, flat, lower=True).reshape(jnp.shape(x))

    def _unwhiten_transposed(self, x: Array) -> Array:
        if self.scale.ndim == 1:
            return x / self.scale
        return solve_triangular(self.scale, x, lower=True, trans="T")

    def _log_norms(self) -> Array:
        root = self.scale if self.scale.ndim == 1 else jnp.diagonal(self.scale)
        return -jnp.log(root) - 0.5 * math.log(2.0 * math.pi)

    def log_prob(self, signal: Float[Array, " n"]) -> Float[Array, ""]:
        """Normalised log density of the data given the signal.

        Parameters
        ----------
        signal : float array, shape (n,)
            Expected values, in the unit of the data.

        Returns
        -------
        float array, shape ()
            ln L.
        """
        return jnp.sum(self.blocks(signal).value)

    def blocks(self, signal: Float[Array, " n"]) -> GaussianBlocks:
        """Terms of ln L with their first and second derivatives in the signal.

        Parameters
        ----------
        signal : float array, shape (n,)
            Expected values, in the unit of the data.

        Returns
        -------
        GaussianBlocks
            value (n,), S (n,) and SS (n,) or (n, n).
        """
        white = self.whiten(self.data - signal)
        value = -0.5 * white**2 + self._log_norms()
        if self.scale.ndim == 1:
            second = -1.0 / self.scale**2
        else:
            inverse = self.whiten(jnp.eye(self.data.shape[0]))
            second = -inverse.T @ inverse
        return GaussianBlocks(value, self._unwhiten_transposed(white), second)

    def expected(self, signal: Float[Array, " n"]) -> Float[Array, " n"]:
        """Asimov data: the values expected for a signal, without scatter.

        Parameters
        ----------
        signal : float array, shape (n,)
            Expected values, in the unit of the data.

        Returns
        -------
        float array, shape (n,)
            The signal itself.
        """
        return jnp.broadcast_to(jnp.asarray(signal, float), self.data.shape)

    def sample(self, key: Array, signal: Float[Array, " n"]) -> Float[Array, " n"]:
        """One pseudo-experiment: signal plus noise with this covariance.

        Parameters
        ----------
        key : PRNG key
            Randomness.
        signal : float array, shape (n,)
            Expected values, in the unit of the data.

        Returns
        -------
        float array, shape (n,)
            Simulated data.
        """
        noise = jax.random.normal(key, self.data.shape, self.data.dtype)
        return self.expected(signal) + (
            self.scale * noise if self.scale.ndim == 1 else self.scale @ noise
        )

    def with_data(self, data: Float[Array, " n"]) -> GaussianPoints:
        """The same errors around other data (Asimov data, a toy).

        Parameters
        ----------
        data : float array, shape (n,)
            New values, in the unit of the data.

        Returns
        -------
        GaussianPoints
            Likelihood of the new data.
        """
        return GaussianPoints(data, self.scale)


def validate_points(
    data: ArrayLike,
    sigma: ArrayLike,
    response: ArrayLike | None = None,
    *,
    source: str = "flux points",
) -> None:
    """Check measured points before they enter compiled code.

    Parameters
    ----------
    data : array, shape (n,)
        Measured values.
    sigma : array, shape (n,)
        Their errors, same unit.
    response : array, shape (..., n), optional
        Signal per unit strength, same unit.
    source : str
        File or table that the message should name.

    Returns
    -------
    None
        Silence is consent.

    Raises
    ------
    DataError
        If a field is empty, has the wrong length, is not finite, or an error is not positive.

    References
    ----------
    None: a check of input.
    """
    d, e = np.asarray(data, float), np.asarray(sigma, float)
    if d.ndim != 1 or d.size == 0:
        raise DataError(f"{source}: field 'data' has shape {d.shape}, expected (n,) with n >= 1")
    if e.shape != d.shape:
        raise DataError(f"{source}: field 'sigma' has shape {e.shape}, expected {d.shape}")
    fields = {"data": d, "sigma": e}
    if response is not None:
        r = np.asarray(response, float)
        if r.shape[-1:] != d.shape:
            raise DataError(
                f"{source}: field 'response' has shape {r.shape}, its last axis must be {d.size}"
            )
        fields["response"] = r
    for name, values in fields.items():
        bad = ~np.isfinite(values)
        if bad.any():
            raise DataError(
                f"{source}: field {name!r} has {bad.sum()} values that are not finite, first at "
                f"index {np.argwhere(bad)[0].tolist()}; remove these points"
            )
    bad = e <= 0.0
    if bad.any():
        k = int(np.argmax(bad))
        raise DataError(
            f"{source}: field 'sigma' must be positive, found {e[k]:g} at index {k}; remove or "
            "correct this point"
        )
