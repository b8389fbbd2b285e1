"""Is a posterior calibrated? Ranks, coverage around random points, predictive checks.

With theta* from the prior, data from the likelihood at theta* and L independent draws of the
posterior given those data,

    rank_k  = number of draws with theta_k < theta*_k                    uniform on 0..L,
    rank_TARP = number of draws that are nearer to a random point than theta*   likewise,

whatever the prior and the likelihood. A posterior predictive check asks instead whether data like
the observed ones come out of the fitted model:

    p = P[ D(replica, theta) >= D(observed, theta) ],   theta from the posterior.

Everything here is NumPy on arrays; who simulates and who samples is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.special import bdtr, chdtrc, kolmogi

from ..errors import ConfigurationError

# Probability below which a test fails, after Bonferroni for all of a run.
P_MIN = 0.01
# Largest departure from the diagonal of a coverage around random points, for large numbers.
TARP_MAX = 0.03
_MOST_BINS = 20
_LEAST_PER_BIN = 10


class RankTest(NamedTuple):
    """Uniformity of the ranks of one parameter.

    Attributes
    ----------
    counts : int array, shape (b,)
        Simulations per bin of ranks.
    expected : float
        Simulations per bin if ranks are uniform.
    chi2 : float
        Sum of (counts - expected)^2/expected, with b - 1 degrees of freedom.
    p : float
        Probability of a larger one.
    p_bonferroni : float
        min(1, p times the number of parameters tested together).
    """

    counts: np.ndarray
    expected: float
    chi2: float
    p: float
    p_bonferroni: float


class PointCoverage(NamedTuple):
    """Coverage of credible regions around random points.

    Attributes
    ----------
    level : float array, shape (n,)
        Credibility of the regions.
    coverage : float array, shape (n,)
        Fraction of simulations whose truth lies inside.
    deviation : float
        Largest |coverage - level|.
    tolerance : float
        0.03, or the 99 % quantile of the deviation of an exact posterior, if that is larger.
    number : int
        Simulations.
    """

    level: np.ndarray
    coverage: np.ndarray
    deviation: float
    tolerance: float
    number: int

    @property
    def passed(self) -> bool:
        """Whether the deviation is within the tolerance."""
        return self.deviation <= self.tolerance


def sbc_ranks(truth: Float[np.ndarray, " p"], draws: Float[np.ndarray, "l p"]) -> np.ndarray:
    """Number of draws below the truth, for each parameter.

    Parameters
    ----------
    truth : array, shape (..., p)
        Parameters from which data were simulated, any unit.
    draws : array, shape (..., l, p)
        Independent draws of the posterior given those data, same unit.

    Returns
    -------
    int array, shape (..., p)
        Ranks, 0..l.

    References
    ----------
    Talts et al. 2018, arXiv:1804.06788, section 4.
    """
    return np.sum(np.asarray(draws) < np.asarray(truth)[..., None, :], axis=-2)


def rank_bins(simulations: int, draws: int) -> int:
    """Number of equal bins of the ranks 0..draws: at most 20, at least ten simulations in each.

    Parameters
    ----------
    simulations : int
        Number of simulations.
    draws : int
        Number l of draws of each.

    Returns
    -------
    int
        A divisor of l + 1.

    Raises
    ------
    ConfigurationError
        If there are too few simulations for two bins, or l + 1 has no suitable divisor.

    References
    ----------
    Talts et al. 2018, arXiv:1804.06788, section 5.1 (l + 1 divisible by the number of bins).
    """
    most = min(_MOST_BINS, simulations // _LEAST_PER_BIN)
    fitting = [b for b in range(2, most + 1) if (draws + 1) % b == 0]
    if not fitting:
        raise ConfigurationError(
            f"{simulations} simulations with {draws} draws each cannot be binned: expected at "
            f"least {2 * _LEAST_PER_BIN} simulations and a number of draws such as 99, for which "
            "draws + 1 has divisors up to 20"
        )
    return fitting[-1]


def rank_tests(ranks: Int[np.ndarray, "s p"], draws: int) -> list[RankTest]:
    """Chi-square tests of the uniformity of ranks.

    Parameters
    ----------
    ranks : int array, shape (s, p)
        Of s simulations and p parameters.
    draws : int
        Number l of draws of each simulation.

    Returns
    -------
    list of RankTest
        One per parameter.

    Raises
    ------
    ConfigurationError
        If ranks cannot be binned.

    References
    ----------
    Talts et al. 2018, arXiv:1804.06788, section 5.1.
    """
    ranks = np.asarray(ranks)
    number, parameters = ranks.shape
    bins = rank_bins(number, draws)
    expected, found = number / bins, []
    for column in ranks.T:
        counts = np.bincount(column * bins // (draws + 1), minlength=bins)
        chi2 = float(np.sum((counts - expected) ** 2) / expected)
        p = float(chdtrc(bins - 1, chi2))
        found.append(RankTest(counts, expected, chi2, p, min(1.0, p * parameters)))
    return found


def rank_band(simulations: int, bins: int, level: float = 0.99) -> tuple[int, int]:
    """Central interval of the number of simulations in one bin, if ranks are uniform.

    Parameters
    ----------
    simulations, bins : int
        Numbers of simulations and of equal bins.
    level : float
        Least probability of the interval.

    Returns
    -------
    tuple of two int
        Lowest and highest count.

    References
    ----------
    The binomial distribution.
    """
    below = bdtr(np.arange(simulations + 1), simulations, 1.0 / bins)
    tail = 0.5 * (1.0 - level)
    return int(np.searchsorted(below, tail)), int(np.searchsorted(below, 1.0 - tail))


def tarp_ranks(
    truth: Float[np.ndarray, " p"],
    draws: Float[np.ndarray, "l p"],
    points: Float[np.ndarray, " p"],
) -> np.ndarray:
    """Number of draws that are nearer to a point than the truth is.

    Parameters
    ----------
    truth : array, shape (..., p)
        Parameters from which data were simulated, all in units in which distances make sense.
    draws : array, shape (..., l, p)
        Draws of the posterior given those data.
    points : array, shape (..., p)
        Points that were chosen without knowledge of the truth.

    Returns
    -------
    int array, shape (...)
        Ranks, 0..l.

    References
    ----------
    Lemos et al. 2023, arXiv:2302.03026, section 3.
    """
    centre = np.asarray(points)
    reach = np.sum((np.asarray(truth) - centre) ** 2, axis=-1)
    distance = np.sum((np.asarray(draws) - centre[..., None, :]) ** 2, axis=-1)
    return np.sum(distance < reach[..., None], axis=-1)


def point_coverage(ranks: Int[np.ndarray, " s"], draws: int) -> PointCoverage:
    """Coverage of the regions around random points, at the levels k/(draws + 1).

    Parameters
    ----------
    ranks : int array, shape (s,)
        From :func:`tarp_ranks`.
    draws : int
        Number of draws of each simulation.

    Returns
    -------
    PointCoverage
        Coverage and its largest departure from the level.

    References
    ----------
    Lemos et al. 2023, arXiv:2302.03026; the quantile is that of Kolmogorov's statistic.
    """
    ranks = np.asarray(ranks)
    level = np.arange(draws + 2) / (draws + 1.0)
    below = np.concatenate([[0], np.cumsum(np.bincount(ranks, minlength=draws + 1))])
    coverage = below / ranks.size
    deviation = float(np.max(np.abs(coverage - level)))
    tolerance = max(TARP_MAX, float(kolmogi(P_MIN)) / np.sqrt(ranks.size))
    return PointCoverage(level, coverage, deviation, tolerance, ranks.size)


def predictive_p(
    observed: Float[np.ndarray, "d ..."], replicated: Float[np.ndarray, "d ..."]
) -> np.ndarray:
    """Fraction of posterior draws whose replica is at least as far out as the data.

    Parameters
    ----------
    observed : array, shape (d, ...)
        A figure of merit of the observed data at each of d draws.
    replicated : array, shape (d, ...)
        The same of data simulated at that draw.

    Returns
    -------
    array, shape (...)
        p values; resolution 1/d.

    References
    ----------
    Gelman, Meng & Stern 1996, Statistica Sinica 6, 733.
    """
    return np.mean(np.asarray(replicated) >= np.asarray(observed), axis=0)


def weighted_index(
    log_weights: Float[np.ndarray, " d"], count: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Independent draws, with replacement, from weighted ones.

    Parameters
    ----------
    log_weights : array, shape (d,)
        ln of the weights, up to a constant; -inf for none.
    count : int
        Number of draws wanted.
    rng : numpy Generator
        Randomness.

    Returns
    -------
    index : int array, shape (count,)
        Which to take.
    kish : float
        Effective number of weighted draws, (sum w)^2 / sum w^2.

    References
    ----------
    Rubin 1988 (sampling-importance-resampling); Kish 1965, Survey Sampling.
    """
    log_weights = np.asarray(log_weights)
    weight = np.exp(log_weights - np.max(log_weights))
    sums = np.cumsum(weight)
    kish = float(sums[-1] ** 2 / np.sum(weight**2))
    index = np.searchsorted(sums, rng.uniform(size=count) * sums[-1], side="right")
    return np.minimum(index, weight.size - 1), kish


def worst_p(values: Sequence[float]) -> float:
    """Smallest of several p values, after Bonferroni.

    Parameters
    ----------
    values : sequence of float
        p values.

    Returns
    -------
    float
        min(1, number times the smallest).

    References
    ----------
    Dunn 1961, JASA 56, 52.
    """
    return float(min(1.0, len(values) * np.min(values)))
