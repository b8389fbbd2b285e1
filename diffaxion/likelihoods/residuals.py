"""Residual foregrounds: templates whose amplitudes are nuisance parameters.

Bandpowers d with covariance C hold a signal s and k residuals, d = s + sum_k a_k c_k + noise. With
Gaussian priors a_k ~ N(0, sigma_k) the amplitudes can be marginalised exactly,

    C -> C + sum_k sigma_k^2 c_k c_k^T,

and because everything is Gaussian the profile likelihood in which they are fitted with their
penalties is the same function of s up to a constant. Where they shall appear in a posterior, they
are sampled instead: the two ways give the same posterior of everything else.
"""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .gaussian import GaussianPoints


class ResidualTemplates(eqx.Module):
    """Templates of k residual foregrounds in n points.

    Attributes
    ----------
    templates : float array, shape (k, n)
        Contribution to the points per unit amplitude, in the unit of the points.
    sigma : float array, shape (k,)
        Standard deviations of the amplitudes, whose prior is centred on 0.
    names : tuple of str
        Names; static.

    References
    ----------
    Bridle et al. 2002, astro-ph/0112114 (marginalisation over Gaussian nuisances).
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:astro-ph/0112114",)
    templates: Float[Array, "k n"] = eqx.field(converter=lambda x: jnp.asarray(x, float))
    sigma: Float[Array, " k"] = eqx.field(converter=lambda x: jnp.asarray(x, float))
    names: tuple[str, ...] = eqx.field(static=True)

    def background(self, amplitudes: Float[Array, " k"]) -> Float[Array, " n"]:
        """Sum of the templates at given amplitudes, shape (n,)."""
        return jnp.asarray(amplitudes) @ self.templates

    def marginalise(self, points: GaussianPoints) -> GaussianPoints:
        """The points with the amplitudes marginalised: the same data, a larger covariance."""
        scale = points.scale
        covariance = jnp.diag(scale**2) if scale.ndim == 1 else scale @ scale.T
        spread = self.sigma[:, None] * self.templates
        return GaussianPoints(points.data, jnp.linalg.cholesky(covariance + spread.T @ spread))

    def fit(
        self, points: GaussianPoints, signal: Float[Array, " n"]
    ) -> tuple[Float[Array, " k"], Float[Array, "k k"]]:
        """Mean (k,) and covariance (k, k) of the amplitudes for a given signal, priors included."""
        white = points.whiten(self.templates.T)
        precision = jnp.diag(self.sigma**-2) + white.T @ white
        covariance = jnp.linalg.inv(precision)
        return covariance @ (white.T @ points.whiten(points.data - signal)), covariance
