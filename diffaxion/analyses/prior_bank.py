"""Posteriors of many data sets from one bank of prior draws.

All data sets share what is expensive: the responses of the probes at draws of the nuisances from
their prior. Given a draw k, ln L is a polynomial in u whose four coefficients are sums over data
points, so that the posterior of any data set follows by importance sampling,

    W_k = int_0^U L(u, zeta_k) du,   then u from L(u, zeta_k)/W_k by inversion,

which is the mixture that the limits under other priors use. Nothing is adapted to a data set, and
the effective number of draws tells for each whether it may be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import ConfigurationError
from ..inference.calibration import (
    weighted_index,
)
from ..inference.limits import combine, linear_moments
from ..likelihoods.gaussian import GaussianPoints
from .analysis import MASS, STRENGTH, AnalysisData
from .count_points import refuse_counts
from .moments import CouplingMoments
from .profile_nuisances import expected_strength

BANK = 20000  # draws of the nuisances
_NODES, _FINE = 257, 2049
_BLOCK = 64

Report = Callable[[str, float], None]


class Vectors(NamedTuple):
    """Points of the probes with their order, of one analysis."""

    points: tuple[GaussianPoints, ...]
    orders: tuple[int, ...]

    def moments(self, responses: Sequence[Array], data: Sequence[Array]) -> CouplingMoments:
        """Moments of data vectors, for responses of shape (..., n) per probe."""
        found: list[Array] = []
        for order in (2, 1):
            rows = zip(self.orders, self.points, responses, data, strict=True)
            terms = [linear_moments(r, p.with_data(d)) for n, p, r, d in rows if n == order]
            found += list(combine(*terms)) if terms else [jnp.zeros(()), jnp.zeros(())]
        return CouplingMoments(*found)

    def sample(self, key: Array, u: Array, responses: Sequence[Array]) -> tuple[Array, ...]:
        """Simulated data vectors, one per probe, at a signed u and responses of shape (n,)."""
        keys = jax.random.split(key, len(self.points))
        strength = {1: u, 2: u * jnp.abs(u)}
        rows = zip(self.orders, self.points, responses, keys, strict=True)
        return tuple(p.sample(k, strength[n] * r) for n, p, r, k in rows)


def vectors_of(data: AnalysisData) -> Vectors:
    """Points and orders of an analysis.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data.

    Returns
    -------
    Vectors
        One entry per probe; points have shape (n,).

    Raises
    ------
    ConfigurationError
        If some of the data are counts.

    References
    ----------
    None: a selection.
    """
    refuse_counts(data.points, "a calibration from a bank of prior draws")
    return Vectors(data.points, data.orders)


def at_mass(data: AnalysisData, m_a_eV: float | None) -> AnalysisData:
    """The same analysis at another mass [eV]; None leaves it as it is.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data; the mass must not be bound if one is given.
    m_a_eV : float or None
        Mass [eV], shape ().

    Returns
    -------
    AnalysisData
        With the mass in its world.

    Raises
    ------
    ConfigurationError
        If the coupling is bound, or the mass is and another one is given.

    References
    ----------
    None: a substitution.
    """
    if STRENGTH in data.bindings.names:
        raise ConfigurationError(f"calibration draws {STRENGTH} itself: leave it out of the priors")
    if m_a_eV is None:
        return data
    if MASS in data.bindings.paths:
        raise ConfigurationError(f"{MASS} is bound: leave it out of the priors to fix it")
    return eqx.tree_at(lambda d: d.world.axion.m_a_eV, data, jnp.asarray(m_a_eV, float))


def probe_responses(data: AnalysisData, z: Float[Array, "d k"]) -> tuple[Array, ...]:
    """Responses of all probes at many draws.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data.
    z : float array, shape (d, k)
        Standard normals of the bound paths.

    Returns
    -------
    tuple of float array, shape (d, n)
        One per probe, in the unit of its data per u |u|^(order - 1).

    References
    ----------
    None: a map over draws.
    """
    count = z.shape[0]
    # Blocks of one length, so that any number of draws takes the same compiled program.
    padded = jnp.pad(jnp.asarray(z, float), ((0, -count % _BLOCK), (0, 0)))
    blocks = [_responses(data, x) for x in padded.reshape(-1, _BLOCK, z.shape[1])]
    return tuple(jnp.concatenate(x)[:count] for x in zip(*blocks, strict=True))


@eqx.filter_jit
def _responses(data: AnalysisData, z: Float[Array, "d k"]) -> tuple[Array, ...]:
    return jax.lax.map(lambda draw: data.responses(draw)[1], z, batch_size=_BLOCK // 2)


@eqx.filter_jit
def simulate(
    vectors: Vectors, keys: Array, u: Float[Array, " s"], responses: tuple[Array, ...]
) -> tuple[Array, ...]:
    """Simulated data sets, each at its own coupling and responses.

    Parameters
    ----------
    vectors : Vectors
        Errors of the points.
    keys : PRNG keys, shape (s,)
        Randomness.
    u : float array, shape (s,)
        Signed u = (g/1e-12 GeV^-1)^2.
    responses : tuple of float array, shape (s, n)
        One per probe.

    Returns
    -------
    tuple of float array, shape (s, n)
        Data vectors, one per probe.

    References
    ----------
    None: Gaussian noise.
    """
    return jax.vmap(vectors.sample)(keys, u, responses)


@eqx.filter_jit
def _weigh(
    vectors: Vectors, responses: tuple[Array, ...], data: tuple[Array, ...], u: Array
) -> tuple[CouplingMoments, Array]:
    """Moments of a data set at all draws, each (d,), and ln of int L du by the trapezoidal rule."""
    m = vectors.moments(responses, data)
    m = CouplingMoments(*(jnp.broadcast_to(x, responses[0].shape[:1]) for x in m))
    ends = jnp.ones_like(u).at[0].set(0.5).at[-1].set(0.5)

    def one(row: CouplingMoments) -> Array:
        values = row.log_like(u)
        peak = jnp.max(values)
        return peak + jnp.log(jnp.exp(values - peak) @ ends)

    # In blocks that fit into a processor's cache.
    return m, jax.lax.map(one, m, batch_size=256)


class Draws(NamedTuple):
    """Posterior of one data set: indices of the bank and couplings, with what it cost.

    Attributes
    ----------
    rows : int array, shape (l,)
        Draws of the bank.
    u : array, shape (l,)
        Couplings squared.
    log_like : array, shape (l,)
        ln L - ln L(u = 0).
    kish : float
        Effective number of draws of the bank.
    """

    rows: np.ndarray
    u: np.ndarray
    log_like: np.ndarray
    kish: float


def bank_posterior(
    vectors: Vectors,
    responses: tuple[Array, ...],
    data: tuple[Array, ...],
    u_max: float,
    count: int,
    rng: np.random.Generator,
) -> Draws:
    """Independent draws of the posterior, u uniform on [0, u_max], nuisances from their prior.

    Parameters
    ----------
    vectors : Vectors
        Errors of the points.
    responses : tuple of float array, shape (d, n)
        Of a bank of d draws from the prior of the nuisances.
    data : tuple of float array, shape (n,)
        Data vectors, one per probe.
    u_max : float
        End of the prior of u = (g/1e-12 GeV^-1)^2.
    count : int
        Number of draws wanted.
    rng : numpy Generator
        Randomness.

    Returns
    -------
    Draws
        With the effective number of draws they come from.

    References
    ----------
    Rubin 1988 (sampling-importance-resampling).
    """
    moments, log_weight = _weigh(vectors, responses, data, jnp.linspace(0.0, u_max, _NODES))
    index, kish = weighted_index(np.asarray(log_weight), count, rng)
    own = CouplingMoments(*(np.asarray(x)[index] for x in moments))
    column = CouplingMoments(*(x[:, None] for x in own))
    grid = np.linspace(0.0, u_max, _FINE)
    density = column.log_like(grid)
    density = np.exp(density - density.max(axis=1, keepdims=True))
    mass = np.cumsum(0.5 * (density[:, 1:] + density[:, :-1]), axis=1)
    mass = np.concatenate([np.zeros((count, 1)), mass], axis=1)
    levels = rng.uniform(size=count) * mass[:, -1]
    u = np.array([np.interp(x, row, grid) for x, row in zip(levels, mass, strict=True)])
    return Draws(index, u, own.log_like(u), kish)


def expected_u(data: AnalysisData) -> float:
    """Limit on u expected without signal, at the centre of all priors.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data.

    Returns
    -------
    float
        u = (g/1e-12 GeV^-1)^2, shape ().

    Raises
    ------
    ConfigurationError
        If the data say nothing about the coupling at this mass.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727 (Asimov data).
    """
    rows = probe_responses(data, jnp.zeros((1, data.bindings.size)))
    found = vectors_of(data).moments(tuple(r[0] for r in rows), [p.data for p in data.points])
    if not float(found.information + found.information_u) > 0.0:
        raise ConfigurationError(
            f"no data set is sensitive to the coupling at m_a = "
            f"{float(data.world.axion.m_a_eV):.3g} eV: choose another mass"
        )
    return float(expected_strength(found, 1))


def observed_posterior(
    data: AnalysisData, u_max: float, count: int, *, seed: int = 0, bank: int = BANK
) -> tuple[tuple[Array, ...], Draws]:
    """Posterior of the observed data by weights on draws from the prior.

    Parameters
    ----------
    data : AnalysisData
        World, priors and data; ``axion.u`` must not be bound.
    u_max : float
        End of the prior of u = (g/1e-12 GeV^-1)^2, uniform from 0.
    count : int
        Number of draws wanted.
    seed : int
        Seed.
    bank : int
        Draws of the nuisances.

    Returns
    -------
    responses : tuple of float array, shape (count, n)
        Of each probe at the draws.
    draws : Draws
        Couplings and effective number.

    References
    ----------
    As :func:`bank_posterior`.
    """
    rng = np.random.default_rng([seed, 0])
    rows = probe_responses(data, jnp.asarray(rng.normal(size=(bank, data.bindings.size))))
    observed = tuple(p.data for p in data.points)
    draws = bank_posterior(vectors_of(data), rows, observed, u_max, count, rng)
    return tuple(r[draws.rows] for r in rows), draws
