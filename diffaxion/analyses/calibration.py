"""Calibration of an analysis by simulated data: posteriors, limits, recovery, replicas.

All data sets of a study share what is expensive: the responses of the probes at draws of the
nuisances from their prior. Given a draw k, ln L is a polynomial in u whose four coefficients are
sums over data points, so that the posterior of any data set follows by importance sampling,

    W_k = int_0^U L(u, zeta_k) du,   then u from L(u, zeta_k)/W_k by inversion,

which is the mixture that the limits under other priors use. Nothing is adapted to a data set, and
the effective number of draws tells for each whether it may be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri

from ..errors import ConfigurationError
from ..inference.calibration import (
    P_MIN,
    PointCoverage,
    RankTest,
    point_coverage,
    predictive_p,
    rank_tests,
    sbc_ranks,
    tarp_ranks,
    weighted_index,
    worst_p,
)
from ..inference.limits import combine, linear_moments
from ..likelihoods.gaussian import GaussianPoints
from .analysis import MASS, STRENGTH, Analysis, AnalysisData
from .marginal import KISH_MIN
from .moments import CouplingMoments
from .profile_nuisances import expected_strength
from .recast_probe import RecastProbe
from .surrogate_probe import SurrogateProbe

LOG_LIKE = "log_likelihood"
# Ends of the prior of the coupling, in units of the expected limit on u, and draws of the bank.
REACH = 3.0
BANK = 20000
# Fraction of data sets that may have fewer effective draws than limits under other priors need.
_FEW = 0.01
_NODES, _FINE = 257, 2049

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

    References
    ----------
    None: a selection.
    """
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


@eqx.filter_jit
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
    return jax.lax.map(lambda draw: data.responses(draw)[1], z, batch_size=32)


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
    values = CouplingMoments(*(x[:, None] for x in m)).log_like(u)
    peak = jnp.max(values, axis=1)
    ends = jnp.ones_like(u).at[0].set(0.5).at[-1].set(0.5)
    return m, peak + jnp.log(jnp.exp(values - peak[:, None]) @ ends)


class Draws(NamedTuple):
    """Posterior of one data set: indices of the bank and couplings, with what it cost.

    Attributes
    ----------
    index : int array, shape (l,)
        Draws of the bank.
    u : array, shape (l,)
        Couplings squared.
    log_like : array, shape (l,)
        ln L - ln L(u = 0).
    kish : float
        Effective number of draws of the bank.
    """

    index: np.ndarray
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


@dataclass(frozen=True)
class SbcResult:
    """Ranks of simulated truths in their posteriors.

    Attributes
    ----------
    names : tuple of str
        ``axion.u``, the bound paths, and ``log_likelihood``.
    draws : int
        Posterior draws of each simulation.
    u_max : float
        Simulated and analysed with u = (g/1e-12 GeV^-1)^2 uniform on [0, u_max].
    m_a_eV : float or None
        Fixed mass [eV]; None if it is among the names, or nothing depends on it.
    bank : int
        Draws of the nuisances.
    index : int array, shape (s,)
        Numbers of the simulations.
    ranks : int array, shape (s, p)
        Of each name.
    tarp : int array, shape (s,)
        Ranks of distances to random points, in standard normals of all parameters.
    kish : array, shape (s,)
        Effective number of draws of the bank.
    """

    names: tuple[str, ...]
    draws: int
    u_max: float
    m_a_eV: float | None
    bank: int
    index: np.ndarray
    ranks: np.ndarray
    tarp: np.ndarray
    kish: np.ndarray

    def tests(self) -> dict[str, RankTest]:
        """Test of uniformity of each name, after Bonferroni for all of them."""
        return dict(zip(self.names, rank_tests(self.ranks, self.draws), strict=True))

    def coverage(self) -> PointCoverage:
        """Coverage of regions around random points."""
        return point_coverage(self.tarp, self.draws)

    @property
    def few(self) -> float:
        """Fraction of simulations with fewer effective draws than a limit needs."""
        return float(np.mean(self.kish < KISH_MIN))

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for each gate that failed."""
        found = [
            f"ranks of {name} are not uniform: chi2 = {t.chi2:.3g}, p = {t.p_bonferroni:.2g}"
            for name, t in self.tests().items()
            if not t.p_bonferroni > P_MIN
        ]
        points = self.coverage()
        if not points.passed:
            found.append(
                f"coverage around random points is off by {points.deviation:.3g}, more than "
                f"{points.tolerance:.3g}"
            )
        if self.few > _FEW:
            found.append(
                f"{100 * self.few:.3g} % of the simulations have fewer than {KISH_MIN:.0f} "
                "effective draws: raise --bank or lower --reach"
            )
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether all gates are met."""
        return not self.reasons


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


def run_sbc(
    analysis: Analysis,
    simulations: Sequence[int],
    *,
    draws: int = 99,
    seed: int = 0,
    m_a_eV: float | None = None,
    u_max: float | None = None,
    reach: float = REACH,
    bank: int = BANK,
    report: Report | None = None,
) -> SbcResult:
    """Simulation-based calibration of coupling and nuisances (and of the mass, if it is bound).

    Simulation s depends on the seed and its number alone.

    Parameters
    ----------
    analysis : Analysis
        World, priors and models; ``axion.u`` must not be bound.
    simulations : sequence of int
        Their numbers.
    draws : int
        Posterior draws of each.
    seed : int
        Seed of truths, noise and bank.
    m_a_eV : float, optional
        Fixed mass [eV]; default that of the world, or sampled if it is bound.
    u_max : float, optional
        End of the prior of u; default ``reach`` times the expected limit on u.
    reach : float
        See ``u_max``.
    bank : int
        Draws of the nuisances, shared by all simulations.
    report : callable, optional
        Called with (step, fraction done).

    Returns
    -------
    SbcResult
        Ranks, and what was effective.

    Raises
    ------
    ConfigurationError
        If a number is out of range, or ``axion.u`` is bound.

    References
    ----------
    Talts et al. 2018, arXiv:1804.06788; Modrak et al. 2023, arXiv:2211.02383 (the likelihood as
    a test quantity); Lemos et al. 2023, arXiv:2302.03026.
    """
    for name, value in (("simulations", len(simulations)), ("draws", draws), ("bank", bank)):
        if value < 1:
            raise ConfigurationError(f"{name} must be at least 1, found {value}")
    tell = report or (lambda step, done: None)
    data, size = at_mass(analysis.data, m_a_eV), len(analysis.names)
    vectors, number = vectors_of(data), len(simulations)
    if u_max is None:
        tell("expected limit", 0.0)
        u_max = reach * expected_u(data)
    streams = [np.random.default_rng([seed, 1, s]) for s in simulations]
    truth_z = np.stack([rng.normal(size=size) for rng in streams])
    truth_u = u_max * np.array([rng.uniform() for rng in streams])
    points = np.stack([rng.normal(size=size + 1) for rng in streams])
    shelf = np.random.default_rng([seed, 0]).normal(size=(bank, size))
    tell("bank of responses", 0.0)
    rows = probe_responses(data, jnp.asarray(np.concatenate([shelf, truth_z])))
    shared, own = tuple(r[:bank] for r in rows), tuple(r[bank:] for r in rows)
    key = jax.random.key(seed)
    keys = jax.vmap(lambda s: jax.random.fold_in(key, s))(jnp.asarray(simulations))
    sets = simulate(vectors, keys, jnp.asarray(truth_u), own)
    known = eqx.filter_jit(jax.vmap(vectors.moments))(own, sets)
    truth_like = np.asarray(known.log_like(jnp.asarray(truth_u)))

    def normal(u: np.ndarray) -> np.ndarray:
        return ndtri(np.clip(u / u_max, 1e-12, 1.0 - 1e-12))

    found = []
    for s, rng in enumerate(streams):
        post = bank_posterior(vectors, shared, tuple(x[s] for x in sets), u_max, draws, rng)
        z = shelf[post.index]
        columns = np.column_stack([post.u, z, post.log_like])
        truth = np.concatenate([[truth_u[s]], truth_z[s], [truth_like[s]]])
        near = np.column_stack([normal(post.u), z])
        rank = tarp_ranks(np.concatenate([[normal(truth_u[s])], truth_z[s]]), near, points[s])
        found.append((sbc_ranks(truth, columns), rank, post.kish))
        if (s + 1) % 50 == 0 or s + 1 == number:
            tell("posteriors", (s + 1) / number)
    ranks, tarp, kish = (np.array(x) for x in zip(*found, strict=True))
    fixed = None if MASS in analysis.names else float(data.world.axion.m_a_eV)
    names = (STRENGTH, *analysis.names, LOG_LIKE)
    return SbcResult(
        names, draws, float(u_max), fixed, bank, np.asarray(simulations), ranks, tarp, kish
    )


@dataclass(frozen=True)
class PredictiveCheck:
    """Replicas of one data set against what was observed.

    Attributes
    ----------
    probe : str
        Target or kind of the data.
    points : int
        Number n of points.
    deviance : float
        Observed chi2, averaged over the draws.
    p : float
        Fraction of replicas with a larger chi2 than observed, at the same draw.
    point_p : array, shape (n,)
        Fraction of replicas above each observed point.
    measured : bool
        False for a recast, whose datum is the published limit itself and has no scatter: it is
        listed, not judged.
    """

    probe: str
    points: int
    deviance: float
    p: float
    point_p: np.ndarray
    measured: bool

    @property
    def worst(self) -> float:
        """Smallest two-sided p value of a point, after Bonferroni."""
        return worst_p(2.0 * np.minimum(self.point_p, 1.0 - self.point_p))

    @property
    def passed(self) -> bool:
        """Whether p lies in [0.01, 0.99], and no point stands out."""
        return not self.measured or (P_MIN <= self.p <= 1.0 - P_MIN and self.worst >= P_MIN)


def predictive_checks(
    data: AnalysisData, responses: tuple[Array, ...], u: Float[np.ndarray, "d"], seed: int
) -> list[PredictiveCheck]:
    """Replicas of all data at draws of the posterior.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, observed data.
    responses : tuple of float array, shape (d, n)
        Of each probe at the draws.
    u : array, shape (d,)
        Couplings of the draws, u = (g/1e-12 GeV^-1)^2.
    seed : int
        Seed of the noise.

    Returns
    -------
    list of PredictiveCheck
        One per probe.

    References
    ----------
    Gelman, Meng & Stern 1996, Statistica Sinica 6, 733.
    """
    vectors, strengths = vectors_of(data), jnp.asarray(u)
    replicas = simulate(
        vectors, jax.random.split(jax.random.key(seed), len(u)), strengths, responses
    )
    found = []
    for order, probe, points, rows, replica in zip(
        data.orders, data.probes, data.points, responses, replicas, strict=True
    ):
        signal = (strengths * jnp.abs(strengths) ** (order - 1))[:, None] * rows

        def chi2(x: Array, signal: Array = signal, points: GaussianPoints = points) -> np.ndarray:
            return np.asarray(jnp.sum(points.whiten((x - signal).T) ** 2, axis=0))

        observed = chi2(jnp.broadcast_to(points.data, signal.shape))
        found.append(
            PredictiveCheck(
                probe=_label(probe),
                points=points.data.shape[0],
                deviance=float(observed.mean()),
                p=float(predictive_p(observed, chi2(replica))),
                point_p=predictive_p(np.asarray(points.data)[None], np.asarray(replica)),
                measured=not _is_recast(probe),
            )
        )
    return found


def _direct(probe: Any) -> Any:
    return probe.probe if isinstance(probe, SurrogateProbe) else probe


def _is_recast(probe: Any) -> bool:
    return isinstance(_direct(probe), RecastProbe)


def _label(probe: Any) -> str:
    direct = _direct(probe)
    if isinstance(direct, RecastProbe):
        return "recast"
    return getattr(direct, "target", type(direct).__name__)


def observed_posterior(
    analysis: Analysis, u_max: float, count: int, *, seed: int = 0, bank: int = BANK
) -> tuple[tuple[Array, ...], Draws]:
    """Posterior of the observed data by weights on draws from the prior.

    Parameters
    ----------
    analysis : Analysis
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
    data, rng = at_mass(analysis.data, None), np.random.default_rng([seed, 0])
    rows = probe_responses(data, jnp.asarray(rng.normal(size=(bank, len(analysis.names)))))
    observed = tuple(p.data for p in data.points)
    draws = bank_posterior(vectors_of(data), rows, observed, u_max, count, rng)
    return tuple(r[draws.index] for r in rows), draws
