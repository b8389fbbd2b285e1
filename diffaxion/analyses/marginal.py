"""Bayesian limits on the coupling with every nuisance marginalised, under several priors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..constants import G_REF_GEV
from ..inference.bayes import PRIORS
from ..numerics import trapezoid_weights
from .analysis import Analysis
from .moments import CouplingMoments, coupling_moments_at

# Kish effective sample size of the reweighted draws below which a prior is refused.
KISH_MIN = 400.0
# Density at the end of the prior, relative to the highest one, above which the end would set the
# limit.
_OPEN_END = 1e-3
_BATCHES = 10
_PEAK_NODES = 400


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

    def __init__(self, moments: CouplingMoments, top: float, common: bool):
        size = np.shape(moments.score)
        *linear, log_null = (np.broadcast_to(x, size) for x in moments)
        self.moments = np.stack(linear, axis=1)
        # The largest likelihood: per draw where only ratios count, else of all.
        peak = self._log_like(np.linspace(0.0, top, _PEAK_NODES)).max(axis=1)
        null = log_null if common else np.zeros(size)
        self.peak = np.full_like(peak, (peak + null).max()) - null if common else peak

    def _log_like(self, g: np.ndarray) -> np.ndarray:
        """ln L(g) - ln L(0), linear in the moments: one product, shape (d, n)."""
        one_each = CouplingMoments(*np.eye(self.moments.shape[1])[:, :, None])
        return self.moments @ one_each.log_like(g**2)

    def likelihood(self, g: np.ndarray) -> np.ndarray:
        """Likelihood over its peak, shape (d, n)."""
        exponent = self._log_like(g)
        exponent -= self.peak[:, None]
        return np.exp(exponent, out=exponent)

    def cumulative(self, g: np.ndarray, density: np.ndarray | float) -> np.ndarray:
        """Integral from g[0] to g of density times likelihood, shape (d, n)."""
        return _cumulative(self.likelihood(g) * density, g)


def _cumulative(f: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Running trapezoidal integral along the last axis, from 0."""
    steps = 0.5 * (f[:, 1:] + f[:, :-1]) * np.diff(g)
    return np.concatenate([np.zeros((f.shape[0], 1)), np.cumsum(steps, axis=1)], axis=1)


def marginal_limits(
    moments: CouplingMoments,
    u_max: float,
    level: float = 0.95,
    log10_range: tuple[float, float] = (-14.0, -10.5),
    prior_draws: bool = False,
    nodes: int = 3000,
    priors: Sequence[str] = PRIORS,
) -> list[MarginalLimit]:
    """Limits under several priors from draws of the nuisances.

    For draw k the likelihood of the coupling is known in closed form, a polynomial in u. Draws
    from a run with a prior uniform in u get the weight int pi_new L du / int pi_run L du, draws
    from the prior of the nuisances int pi_new L du; the limit is the quantile of the weighted
    mixture of the one-dimensional posteriors.

    Parameters
    ----------
    moments : CouplingMoments
        Of the draws, fields of shape (d,).
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
    priors : sequence of str
        Names of the priors wanted.

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
    conditionals = _Conditionals(moments, float(top), prior_draws)
    draws = len(conditionals.peak)
    likelihood, at = conditionals.likelihood(linear), linear
    run = (
        np.ones(draws)
        if prior_draws
        else likelihood @ (np.asarray(trapezoid_weights(jnp.asarray(linear))) * linear)
    )
    batches = _BATCHES if draws >= 10 * _BATCHES else 1
    # Row b holds 1/run of the draws of batch b, so that one product sums their mixtures.
    member = np.repeat(np.arange(batches), [len(b) for b in np.array_split(run, batches)])
    share = np.where(member == np.arange(batches)[:, None], 1.0 / run, 0.0)
    limits = []
    for prior in priors:
        g, density = grids[prior]
        if g is not at:
            likelihood, at = conditionals.likelihood(g), g
        weight = likelihood @ (np.asarray(trapezoid_weights(jnp.asarray(g))) * density) / run
        kish = float(weight.sum() ** 2 / np.sum(weight**2))
        name = prior
        if prior == "log10_g":
            name = f"log10_g in [{log10_range[0]:g}, {np.log10(g[-1]) - 12.0:.4g}]"
        if kish < KISH_MIN:
            reason = f"effective number of reweighted draws {kish:.0f} below {KISH_MIN:.0f}"
            limits.append(MarginalLimit(name, float("nan"), kish, reason))
            continue
        mixtures = _cumulative((share @ likelihood) * density, g)
        # Each grid is even in the variable in which its prior is stated.
        height = np.diff(mixtures.sum(axis=0))
        if height[-1] > _OPEN_END * height.max():
            reason = (
                f"the posterior has not fallen off at g = {g[-1]:.3g}e-12 GeV^-1, the end of the "
                "prior: raise coupling.u_max"
            )
            limits.append(MarginalLimit(name, float("nan"), kish, reason))
            continue
        quantiles = [_quantile(m, g, level) for m in mixtures]
        error = float(np.std(quantiles, ddof=1) / np.sqrt(batches)) if batches > 1 else np.nan
        g_95 = _quantile(mixtures.sum(axis=0), g, level)
        limits.append(MarginalLimit(name, g_95 * G_REF_GEV, kish, "", error * G_REF_GEV))
    return limits


def mixture_limit(
    moments: CouplingMoments, u_max: float, level: float = 0.95, nodes: int = 3000
) -> float:
    """Limit with a prior uniform in g from few draws of a run uniform in u, without any gate.

    Parameters
    ----------
    moments : CouplingMoments
        Of the draws, fields of shape (d,).
    u_max : float
        End of the run's prior in u.
    level : float
        Credibility.
    nodes : int
        Nodes of the quadrature.

    Returns
    -------
    float
        g/1e-12 GeV^-1; for comparisons on the same draws, its Monte Carlo error is not known.

    References
    ----------
    As :func:`marginal_limits`.
    """
    g = np.linspace(0.0, np.sqrt(u_max), nodes)
    conditionals = _Conditionals(moments, float(g[-1]), common=False)
    cumulative = conditionals.cumulative(g, 1.0)
    run = conditionals.cumulative(g, g)[:, -1]
    return _quantile((cumulative / run[:, None]).sum(axis=0), g, level)


def _quantile(cumulative: np.ndarray, g: np.ndarray, level: float) -> float:
    """g below which a share ``level`` of a distribution lies."""
    return float(np.interp(level, cumulative / cumulative[-1], g))


def uniform_g_draws(
    moments: CouplingMoments, u_max: float, seed: int, nodes: int = 3000
) -> tuple[np.ndarray, np.ndarray]:
    """Equally weighted draws of the posterior with a prior uniform in g, from a run uniform in u.

    Nuisance draws are resampled by int dg L / int du L, and each then draws g from its exact
    conditional posterior by inversion; plain weights u^(-1/2) would have infinite variance.

    Parameters
    ----------
    moments : CouplingMoments
        Of the draws, fields of shape (d,).
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
    conditionals = _Conditionals(moments, float(g[-1]), common=False)
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


def normal_points(count: int, size: int, key: Array) -> np.ndarray:
    """Standard normals that fill their space evenly: scrambled Sobol points.

    Averages over them converge nearly like 1/d, where those over random draws do like d^(-1/2).

    Parameters
    ----------
    count : int
        Least number of points; the next power of two is taken, where they are balanced.
    size : int
        Number of coordinates.
    key : PRNG key
        Randomness of the scrambling.

    Returns
    -------
    float array, shape (d, size)
        Points, d >= count.

    References
    ----------
    Sobol 1967, USSR Comput. Math. Math. Phys. 7, 86; Matousek 1998, J. Complexity 14, 527
    (scrambling).
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    exponent = max(0, (count - 1).bit_length())
    if size == 0:
        return np.zeros((2**exponent, 0))
    seed = np.random.default_rng(np.asarray(jax.random.bits(key, (4,))).tolist())
    points = qmc.Sobol(size, seed=seed).random_base2(exponent)
    # A point at 0 would lie at minus infinity.
    return ndtri(np.maximum(points, 1e-15))


def bayes_over_masses(
    analysis: Analysis,
    m_a_eV: np.ndarray,
    key: Array,
    u_max: float,
    level: float = 0.95,
    draws: int = 2048,
) -> list[MarginalLimit]:
    """Limits with a prior uniform in g >= 0 at fixed masses, nuisances marginalised.

    Points of the nuisances' prior are weighted by their marginal likelihood; where the data say
    little about them, as here, nearly all count.

    Parameters
    ----------
    analysis : Analysis
        World, priors and data; neither ``axion.u`` nor ``axion.m_a_eV`` may be bound.
    m_a_eV : array, shape (k,)
        Masses [eV].
    key : PRNG key
        Randomness of the points, which are common to all masses.
    u_max : float
        End of the prior in u = (g/1e-12 GeV^-1)^2.
    level : float
        Credibility.
    draws : int
        Least number of points.

    Returns
    -------
    list of MarginalLimit
        One per mass [GeV^-1].

    References
    ----------
    As :func:`normal_points`; Kish 1965, Survey Sampling (effective sample size).
    """
    z = jnp.asarray(normal_points(draws, len(analysis.names), key))
    found = coupling_moments_at(analysis.data.marginalised(), z, jnp.asarray(m_a_eV, float))
    return limits_of_masses(CouplingMoments(*(np.asarray(x) for x in found)), u_max, level)


def limits_of_masses(
    moments: CouplingMoments, u_max: float, level: float = 0.95
) -> list[MarginalLimit]:
    """Limits with a prior uniform in g >= 0 from draws of the nuisances from their priors.

    Parameters
    ----------
    moments : CouplingMoments
        Fields of shape (k, d): masses, draws.
    u_max : float
        End of the prior in u = (g/1e-12 GeV^-1)^2.
    level : float
        Credibility.

    Returns
    -------
    list of MarginalLimit
        One per mass [GeV^-1].

    References
    ----------
    Kish 1965, Survey Sampling (effective sample size).
    """
    rows = zip(*moments, strict=True)
    one = ("uniform_g",)
    return [
        marginal_limits(CouplingMoments(*row), u_max, level, prior_draws=True, priors=one)[0]
        for row in rows
    ]
