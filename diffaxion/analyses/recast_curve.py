"""The published limit as a smooth curve, for a mass that is sampled.

The published curve scatters by 0.5 % about any smooth line, and the recast takes it linearly
between its points. Where the mass is sampled sigma(m) must be C^2. Here a cubic spline with 30
knots, placed at equal counts of published points, is fitted to ln g95; that number of knots is
where leaving one point out costs least: 0.49 % rms, as much as linear interpolation.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..errors import ConfigurationError
from ..likelihoods.recast import G95_PER_ROOT_SIGMA, RecastLikelihood
from ..numerics import spline_curvature, spline_interpolate
from ..observables.cmb.bandpowers import spline_matrix

KNOTS = 30


class SmoothLimit(eqx.Module):
    """The published limit as a cubic spline with few knots, C^2 in ln m.

    Attributes
    ----------
    ln_mass : float array, shape (k,)
        Knots ln(m/eV).
    ln_limit : float array, shape (k, 2)
        ln(g95/1e-12 GeV^-1) at the knots and its second derivative in ln m.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (curve); de Boor 1978, A Practical Guide to Splines.
    """

    ln_mass: Float[Array, " k"]
    ln_limit: Float[Array, "k 2"]

    def log(self, m_a_eV: ArrayLike) -> Float[Array, "..."]:
        """ln(g95/1e-12 GeV^-1) at masses [eV], which are clamped to the curve."""
        ln_m = jnp.log(jnp.asarray(m_a_eV, float))
        return spline_interpolate(ln_m, self.ln_mass, self.ln_limit[:, 0], self.ln_limit[:, 1])

    def sigma(self, m_a_eV: ArrayLike) -> Float[Array, "..."]:
        """Error of u behind the curve, (g95/1.24728)^2, at masses [eV]."""
        return jnp.exp(2.0 * self.log(m_a_eV)) / G95_PER_ROOT_SIGMA**2

    def departure(self, recast: RecastLikelihood) -> np.ndarray:
        """ln of the smooth over the published limit at the published masses, shape (points,)."""
        return np.asarray(self.log(jnp.exp(recast.ln_mass)) - recast.ln_limit)


def smooth_limit(recast: RecastLikelihood, knots: int = KNOTS) -> SmoothLimit:
    """Least-squares cubic spline (not-a-knot) through the published curve.

    Parameters
    ----------
    recast : RecastLikelihood
        The curve.
    knots : int
        Number of knots, at least 4, at equal counts of published points.

    Returns
    -------
    SmoothLimit
        Knots ln(m/eV), shape (k,). With 30 of them the departure from the published points is
        0.39 % rms and 1.6 % at worst in g95; 0.24 % and 0.7 % where the taper is 1.

    Raises
    ------
    ConfigurationError
        If there are fewer than four knots, or more than points.

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter XIV.
    """
    ln_m, ln_g = np.asarray(recast.ln_mass), np.asarray(recast.ln_limit)
    if not 4 <= knots <= ln_m.size:
        raise ConfigurationError(
            f"knots = {knots}: expected 4 to {ln_m.size}, the published points"
        )
    at = np.interp(np.linspace(0.0, ln_m.size - 1.0, knots), np.arange(ln_m.size), ln_m)
    value = np.linalg.lstsq(spline_matrix(np.exp(at), np.exp(ln_m)), ln_g, rcond=None)[0]
    return SmoothLimit(
        jnp.asarray(at), jnp.asarray(np.stack([value, spline_curvature(at, value)], axis=-1))
    )
