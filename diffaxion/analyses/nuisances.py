"""Limits that profile and marginalise every bound nuisance parameter."""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..constants import G_REF_GEV
from ..inference.limits import Q_95
from ..inference.problem import Expansion, Problem
from ..inference.profile import ProfileResult, profile_limit
from ..parameters.priors import HalfNormalAbove, LogNormal, Normal
from .analysis import Analysis, AnalysisData, strength_moments

# A uniform prior is a box in z; Phi(4) leaves out 3e-5 of it at each end.
_BOX = 4.0
# A parameter without penalty can have several local maxima (the distance of Westerlund 1 has, by
# interference along the line): fits start from each of these values of its z.
_BOX_STARTS = (-1.5, -0.8, 0.0, 0.8, 1.5)
_ITERATIONS = 12
_STEP = 1e-4
# Kish effective sample size of the reweighted draws below which a prior is refused.
KISH_MIN = 400.0
# Density at the end of the prior, relative to the highest one, above which the end would set the
# limit.
_OPEN_END = 1e-3
_BATCHES = 10


def profile_loglike(
    strength: Float[Array, ""], nuisances: Float[Array, " k"], data: tuple[AnalysisData, Array]
) -> Float[Array, ""]:
    """Log likelihood of a strength a and standardised nuisances at one mass.

    Parameters
    ----------
    strength : float array, shape ()
        a = (g/1e-12 GeV^-1)^4, signed.
    nuisances : float array, shape (k,)
        Standard normals of the bound paths.
    data : tuple
        AnalysisData without the coupling and the mass among its paths, and the mass [eV].

    Returns
    -------
    float array, shape ()
        ln L without Gaussian constraint terms; those of one-sided priors, which are not
        quadratic in the standard normal, are included.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    shared, mass = data
    shared = eqx.tree_at(lambda d: d.world.axion.m_a_eV, shared, mass)
    _, responses = shared.responses(nuisances)
    pairs = zip(shared.points, responses, strict=True)
    free = shared.bindings.free_priors
    one_sided = [p.penalty(z) for p, z in zip(free, nuisances) if isinstance(p, HalfNormalAbove)]
    return sum((p.log_prob(strength * r) for p, r in pairs), -sum(one_sided, jnp.zeros(())))


def _expand(
    strength: Float[Array, ""], nuisances: Float[Array, " k"], data: tuple[AnalysisData, Array]
) -> Expansion:
    """Value, gradient, and the Hessian by central differences of the gradient.

    Second derivatives of a sight line by automatic differentiation would take three times as
    long to compile; Newton steps need them to a few digits only.
    """
    x = jnp.concatenate([strength[None], nuisances])
    n = x.shape[0]
    # The log likelihood is exactly quadratic in the strength, so that its step may be large.
    steps = jnp.full(n, _STEP).at[0].set(1.0)
    nudges = jnp.diag(steps)
    value_and_slope = jax.value_and_grad(lambda y: profile_loglike(y[0], y[1:], data))
    values, slopes = jax.lax.map(
        value_and_slope, jnp.concatenate([x[None], x + nudges, x - nudges])
    )
    core = (slopes[1 : n + 1] - slopes[n + 1 :]) / (2.0 * steps[:, None])
    return Expansion(
        values[0], slopes[0], 0.5 * (core + core.T), jnp.zeros((n, 0)), jnp.zeros((0,))
    )


def _without_signal(nuisances: Array, data: tuple[AnalysisData, Array]) -> tuple:
    """Asimov data: what is expected without axions, which is nothing at all."""
    del nuisances
    shared, mass = data
    empty = tuple(p.with_data(jnp.zeros_like(p.data)) for p in shared.points)
    return eqx.tree_at(lambda d: d.points, shared, empty), mass


def profile_over_nuisances(
    analysis: Analysis, m_a_eV: np.ndarray, q_threshold: float = Q_95
) -> ProfileResult:
    """Profile-likelihood limits on a = (g/1e-12 GeV^-1)^4 with all nuisances, at many masses.

    Parameters
    ----------
    analysis : Analysis
        World, priors and data; neither ``axion.u`` nor ``axion.m_a_eV`` may be bound.
    m_a_eV : array, shape (k,)
        Masses [eV].
    q_threshold : float
        z^2.

    Returns
    -------
    ProfileResult
        Fields with a leading axis (k,).

    References
    ----------
    Rolke, Lopez & Conrad 2005, arXiv:physics/0403059; Cowan et al. 2011, arXiv:1007.1727.
    """
    # The solver's own penalty is z^2/2: right for normal and log-normal priors, not for others.
    penalised = np.array(
        [isinstance(p, Normal | LogNormal) for p in analysis.data.bindings.free_priors], bool
    )
    box = np.where(penalised, np.inf, _BOX)
    problem = Problem(profile_loglike, penalised, lower=-box, upper=box, expand=_expand)
    rows = [problem.start()]
    for k in np.flatnonzero(~penalised):
        rows += [problem.start().at[1 + k].set(z) for z in _BOX_STARTS]
    return _profile_masses(
        problem,
        analysis.data,
        jnp.asarray(m_a_eV, float),
        jnp.stack(rows),
        jnp.asarray(q_threshold, float),
    )


@eqx.filter_jit
def _profile_masses(
    problem: Problem,
    shared: AnalysisData,
    m_a_eV: Float[Array, " k"],
    starts: Float[Array, "s n"],
    q_threshold: Float[Array, ""],
) -> ProfileResult:
    def one(mass: Float[Array, ""]) -> ProfileResult:
        return profile_limit(
            problem,
            _without_signal,
            (shared, mass),
            starts=starts,
            crossing_starts=starts,
            q_threshold=q_threshold,
            iterations=_ITERATIONS,
        )

    return jax.lax.map(one, m_a_eV)


@dataclass(frozen=True)
class MarginalLimit:
    """Bayesian limit on g with nuisances (and the mass, where it was free) marginalised.

    Attributes
    ----------
    prior : str
        Prior of the coupling, with its range where that decides the limit.
    g_95_GeV : float
        Limit [GeV^-1]; NaN where refused.
    kish : float
        Effective number of reweighted draws.
    reason : str
        Why the limit was refused, empty if it was not.
    error_GeV : float
        Monte Carlo error of the limit, from ten batches of draws [GeV^-1].
    """

    prior: str
    g_95_GeV: float
    kish: float
    reason: str = ""
    error_GeV: float = float("nan")


class _Conditionals:
    """Posteriors of g/1e-12 GeV^-1 given each draw of the nuisances, on a grid."""

    def __init__(self, score: np.ndarray, information: np.ndarray, common: bool):
        # The largest likelihood over a >= 0: per draw where only ratios count, else of all.
        peak = 0.5 * np.maximum(score, 0.0) ** 2 / information
        self.peak = np.full_like(peak, peak.max()) if common else peak
        self.score, self.information = score, information

    def cumulative(self, g: np.ndarray, density: np.ndarray | float) -> np.ndarray:
        """Integral from g[0] to g of density times likelihood, shape (d, n)."""
        a = g**4
        log = self.score[:, None] * a - 0.5 * self.information[:, None] * a**2
        f = np.exp(log - self.peak[:, None]) * density
        steps = 0.5 * (f[:, 1:] + f[:, :-1]) * np.diff(g)
        return np.concatenate([np.zeros((f.shape[0], 1)), np.cumsum(steps, axis=1)], axis=1)


def marginal_limits(
    score: np.ndarray,
    information: np.ndarray,
    u_max: float,
    level: float = 0.95,
    log10_range: tuple[float, float] = (-14.0, -10.5),
    prior_draws: bool = False,
    nodes: int = 3000,
) -> list[MarginalLimit]:
    """Limits under several priors from draws of the nuisances.

    For draw k the likelihood of the coupling is known in closed form, ln L = S_k a - I_k a^2/2
    with a = u^2. Draws from a run with a prior uniform in u get the weight
    int pi_new L du / int pi_run L du, draws from the prior of the nuisances int pi_new L du; the
    limit is the quantile of the weighted mixture of the one-dimensional posteriors.

    Parameters
    ----------
    score, information : array, shape (d,)
        S_k and I_k of the draws, for a = (g/1e-12 GeV^-1)^4.
    u_max : float
        End of the run's prior in u.
    level : float
        Credibility.
    log10_range : tuple of two floats
        Range of log10(g GeV) of the prior ``log10_g``.
    prior_draws : bool
        Whether the draws are from the prior of the nuisances instead of a run.
    nodes : int
        Nodes of the quadrature in each variable.

    Returns
    -------
    list of MarginalLimit
        One per prior.

    References
    ----------
    Kish 1965, Survey Sampling (effective sample size).
    """
    top = np.sqrt(u_max)
    linear = np.linspace(0.0, top, nodes)
    low, high = (10.0 ** (x + 12.0) for x in log10_range)
    logarithmic = np.geomspace(low, min(high, top), nodes)
    grids: dict[str, tuple[np.ndarray, np.ndarray | float]] = {
        "uniform_g": (linear, 1.0),
        "uniform_g2": (linear, linear),
        "uniform_g4": (linear, linear**3),
        "log10_g": (logarithmic, 1.0 / logarithmic),
    }
    conditionals = _Conditionals(score, information, prior_draws)
    run = np.ones_like(score) if prior_draws else conditionals.cumulative(linear, linear)[:, -1]
    limits = []
    for prior, (g, density) in grids.items():
        cumulative = conditionals.cumulative(g, density)
        weight = cumulative[:, -1] / run
        kish = float(weight.sum() ** 2 / np.sum(weight**2))
        name = prior
        if prior == "log10_g":
            name = f"log10_g in [{log10_range[0]:g}, {np.log10(g[-1]) - 12.0:.4g}]"
        if kish < KISH_MIN:
            reason = f"effective number of reweighted draws {kish:.0f} below {KISH_MIN:.0f}"
            limits.append(MarginalLimit(name, float("nan"), kish, reason))
            continue
        mixture = cumulative / run[:, None]
        # Each grid is even in the variable in which its prior is stated.
        height = np.diff(mixture.sum(axis=0))
        if height[-1] > _OPEN_END * height.max():
            reason = (
                f"the posterior has not fallen off at g = {g[-1]:.3g}e-12 GeV^-1, the end of the "
                "prior: raise coupling.u_max"
            )
            limits.append(MarginalLimit(name, float("nan"), kish, reason))
            continue
        batches = np.array_split(mixture, _BATCHES) if len(mixture) >= 10 * _BATCHES else []
        quantiles = [_quantile(b.sum(axis=0), g, level) for b in batches]
        error = float(np.std(quantiles, ddof=1) / np.sqrt(_BATCHES)) if batches else float("nan")
        g_95 = _quantile(mixture.sum(axis=0), g, level)
        limits.append(MarginalLimit(name, g_95 * G_REF_GEV, kish, "", error * G_REF_GEV))
    return limits


def _quantile(cumulative: np.ndarray, g: np.ndarray, level: float) -> float:
    """g below which a share ``level`` of a distribution lies."""
    return float(np.interp(level, cumulative / cumulative[-1], g))


def uniform_g_draws(
    score: np.ndarray, information: np.ndarray, u_max: float, seed: int, nodes: int = 3000
) -> tuple[np.ndarray, np.ndarray]:
    """Equally weighted draws of the posterior with a prior uniform in g, from a run uniform in u.

    Nuisance draws are resampled by int dg L / int du L, and each then draws g from its exact
    conditional posterior by inversion; plain weights u^(-1/2) would have infinite variance.

    Parameters
    ----------
    score, information : array, shape (d,)
        S_k and I_k of the draws, for a = (g/1e-12 GeV^-1)^4.
    u_max : float
        End of the run's prior in u.
    seed : int
        Seed.
    nodes : int
        Nodes of the quadrature.

    Returns
    -------
    index : int array, shape (d,)
        Which draws of the nuisances to take.
    g_GeV : array, shape (d,)
        Couplings that go with them [GeV^-1].

    References
    ----------
    Kitagawa 1996, J. Comput. Graph. Stat. 5, 1 (systematic resampling).
    """
    rng = np.random.default_rng(seed)
    g = np.linspace(0.0, np.sqrt(u_max), nodes)
    conditionals = _Conditionals(score, information, common=False)
    cumulative = conditionals.cumulative(g, 1.0)
    weight = cumulative[:, -1] / conditionals.cumulative(g, g)[:, -1]
    d = weight.size
    # In random order, because systematic steps could follow a pattern of the draws.
    order = rng.permutation(d)
    steps = (np.arange(d) + rng.uniform()) / d
    places = np.searchsorted(np.cumsum(weight[order]) / weight.sum(), steps)
    index = order[np.minimum(places, d - 1)]
    levels = rng.uniform(size=d)
    values = [np.interp(x, cumulative[k] / cumulative[k, -1], g) for k, x in zip(index, levels)]
    return index, np.array(values) * G_REF_GEV


def bayes_over_masses(
    analysis: Analysis,
    m_a_eV: np.ndarray,
    key: Array,
    u_max: float,
    level: float = 0.95,
    draws: int = 1000,
) -> list[MarginalLimit]:
    """Limits with a prior uniform in g >= 0 at fixed masses, nuisances marginalised.

    Draws of the nuisances from their prior are weighted by their marginal likelihood; where the
    data say little about them, as here, nearly all draws count.

    Parameters
    ----------
    analysis : Analysis
        World, priors and data; neither ``axion.u`` nor ``axion.m_a_eV`` may be bound.
    m_a_eV : array, shape (k,)
        Masses [eV].
    key : PRNG key
        Randomness of the draws, which are common to all masses.
    u_max : float
        End of the prior in u = (g/1e-12 GeV^-1)^2.
    level : float
        Credibility.
    draws : int
        Number of draws.

    Returns
    -------
    list of MarginalLimit
        One per mass [GeV^-1].

    References
    ----------
    Kish 1965, Survey Sampling (effective sample size).
    """
    z = jax.random.normal(key, (draws, len(analysis.names)))
    limits = []
    for mass in np.asarray(m_a_eV, float):
        data = eqx.tree_at(lambda d: d.world.axion.m_a_eV, analysis.data, jnp.asarray(mass))
        score, information = (np.asarray(x) for x in strength_moments(data, z))
        limits.append(marginal_limits(score, information, u_max, level, prior_draws=True)[0])
    return limits
