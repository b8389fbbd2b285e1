"""Fisher information of an analysis in the strength and all nuisances, Gaussian points and counts.

In the strength (a or u), never in g, whose information vanishes at g = 0. Backgrounds of counts
are eliminated, and standardised nuisances carry the unit information of their priors.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ..errors import ConfigurationError
from ..likelihoods.poisson import TemplatePoisson
from ..numerics import safe_divide
from .analysis import MASS, STRENGTH, AnalysisData


def fisher_matrix(
    data: AnalysisData,
    strength: ArrayLike,
    z: Float[Array, " k"] | None = None,
    m_a_eV: ArrayLike | None = None,
    *,
    priors: bool = True,
) -> Float[Array, "n n"]:
    """Information on the strength and the standardised nuisances of an analysis.

    F = sum_p (d mu)(d mu)^T/mu over pixels, backgrounds eliminated, plus J^T C^-1 J over Gaussian
    points, plus 1 for each nuisance.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data; ``axion.u`` must not be bound.
    strength : float array, shape ()
        a = (g/1e-12 GeV^-1)^4 if all probes are of order 2, else u = (g/1e-12 GeV^-1)^2. At 0
        factors on the signal leave no trace: evaluate at the limit.
    z : float array, shape (k,), optional
        Standardised nuisances; 0 by default.
    m_a_eV : float array, shape (), optional
        Mass [eV]; that of the world by default.
    priors : bool
        Whether to add the information of the priors.

    Returns
    -------
    float array, shape (1 + k, 1 + k)
        The strength first, then the nuisances in the order of ``data.bindings.names``; for
        counts at the backgrounds that fit best at this strength.

    Raises
    ------
    ConfigurationError
        If the coupling is bound, or the mass is and another one is given.

    References
    ----------
    Tegmark, Taylor, Heavens 1997 (arXiv:astro-ph/9603021).
    """
    if STRENGTH in data.bindings.names:
        raise ConfigurationError(f"{STRENGTH} is the strength itself: leave it out of the priors")
    if m_a_eV is not None:
        if MASS in data.bindings.paths:
            raise ConfigurationError(f"{MASS} is bound: leave it out of the priors to fix it")
        data = eqx.tree_at(lambda d: d.world.axion.m_a_eV, data, jnp.asarray(m_a_eV, float))
    at = jnp.zeros(data.bindings.size) if z is None else jnp.asarray(z, float)
    theta = jnp.concatenate([jnp.reshape(jnp.asarray(strength, float), 1), at])
    found = _information(data, theta)
    if not priors:
        return found
    return found + jnp.diag(jnp.ones(theta.shape[0]).at[0].set(0.0))


@eqx.filter_jit
def _information(data: AnalysisData, theta: Float[Array, " n"]) -> Float[Array, "n n"]:
    def signals(x: Array) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Signal of each probe, of counts with both templates; and the same as values."""
        world, responses = data.responses(x[1:])
        strength = {1: x[0], 2: x[0] * jnp.abs(x[0])}
        if data.order == 2:
            strength = {2: x[0]}
        parts: list[tuple[Array, ...]] = []
        rows = zip(data.orders, data.points_in(world), responses, strict=True)
        for order, points, response in rows:
            s = strength[order] * response
            if isinstance(points, TemplatePoisson):
                parts.append((s, points.signal_template, points.background_template))
            else:
                # A Gaussian residual is data - signal, and residual foregrounds move the data.
                parts.append((s - points.data,))
        return tuple(parts), tuple(parts)

    slopes, values = jax.jacfwd(signals, has_aux=True)(theta)
    total = jnp.zeros((theta.shape[0], theta.shape[0]))
    for points, slope, value in zip(data.points, slopes, values, strict=True):
        if isinstance(points, TemplatePoisson):
            s, t, b = value
            level = TemplatePoisson(points.counts, t, b).profile(s).background
            mu = s[:, None] * t + level[:, None] * b
            moved = slope[0][:, None] * t[..., None] + s[:, None, None] * slope[1]
            moved = moved + level[:, None, None] * slope[2]
            total = total + _of_counts(moved, mu, b)
        else:
            white = points.whiten(slope[0])
            total = total + white.T @ white
    return total


def _of_counts(slopes: Array, expected: Array, background: Array) -> Array:
    """sum (d mu)(d mu)^T/mu for slopes (rows, p, k), a background scale of each row eliminated."""
    weight = safe_divide(jnp.ones(()), expected)
    both = jnp.einsum("rpk,rp,rp->rk", slopes, weight, background)
    alone = jnp.sum(weight * background**2, axis=-1)
    full = jnp.einsum("rpk,rp,rpl->kl", slopes, weight, slopes)
    return full - both.T @ safe_divide(both, alone[:, None])
