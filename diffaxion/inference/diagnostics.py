"""Whether draws may be used: split R-hat, bulk and tail effective sizes, gates, quantile errors.

R-hat and bulk size are computed on rank-normalised split chains (R-hat also on folded ones), the
tail size is the smaller of those of the indicators x < q_05 and x < q_95. R-hat alone misses
chains that diverge; divergences alone miss chains that never mixed: all gates count, always.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jax.scipy.special import ndtri


@dataclass(frozen=True)
class Gates:
    """What a run must satisfy before a limit is quoted.

    Attributes
    ----------
    r_hat : float
        Largest split R-hat.
    ess : float
        Smallest bulk and tail effective sample size.
    divergences : float
        Largest fraction of draws that diverged.
    saturation : float
        Largest fraction of draws whose trajectory hit the maximum tree depth.
    quantile_error : float
        Largest relative Monte Carlo error of a limit; beyond it the limit carries a warning.
    """

    r_hat: float = 1.01
    ess: float = 400.0
    divergences: float = 1e-3
    saturation: float = 1e-2
    quantile_error: float = 2e-2


class Quantile(NamedTuple):
    """A quantile of a posterior with its Monte Carlo error and effective sample size."""

    value: float
    error: float
    ess: float


def _split(x: np.ndarray) -> np.ndarray:
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, x.shape[1] - half :]])


def _normal_scores(x: np.ndarray) -> np.ndarray:
    """Normal quantiles of the ranks over chains and draws; equal values share their mean rank."""
    columns = x.reshape(-1, *x.shape[2:]).reshape(x.shape[0] * x.shape[1], -1)
    ranks = np.empty_like(columns)
    for k, column in enumerate(columns.T):
        _, place, count = np.unique(column, return_inverse=True, return_counts=True)
        ranks[:, k] = (np.cumsum(count) - 0.5 * (count - 1.0))[place]
    scores = np.asarray(ndtri((ranks - 0.375) / (len(columns) + 0.25)))
    return scores.reshape(x.shape)


def _is_constant(x: np.ndarray) -> bool:
    return bool(np.all(x == x.flat[0]))


def split_r_hat(x: np.ndarray) -> float:
    """Rank-normalised split R-hat, the larger of the plain and the folded one.

    Parameters
    ----------
    x : array, shape (chains, draws)
        Draws of one quantity.

    Returns
    -------
    float
        R-hat; infinite for values that are not finite, or that never move.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter, Buerkner 2021 (arXiv:1903.08008).
    """
    from numpyro.diagnostics import split_gelman_rubin

    x = np.asarray(x, float)
    if not np.all(np.isfinite(x)) or _is_constant(x):
        return float("inf")
    folded = np.abs(x - np.median(x))
    return float(max(split_gelman_rubin(_normal_scores(v)) for v in (x, folded)))


def _ess(chains: np.ndarray) -> float:
    return float(_sizes(chains[..., None])[0])


def _sizes(chains: np.ndarray) -> np.ndarray:
    """Effective sizes of the last axis; 0 for values that are not finite or never move."""
    from numpyro.diagnostics import effective_sample_size

    good = np.all(np.isfinite(chains), axis=(0, 1)) & np.any(chains != chains[:1, :1], axis=(0, 1))
    # Chains that each stand still at different values divide 0 by 0 inside.
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = effective_sample_size(np.where(good, chains, 0.0))
    return np.where(good & np.isfinite(sizes), sizes, 0.0)


def chain_ess(x: np.ndarray) -> float:
    """Effective sample size of the mean of one chain.

    Parameters
    ----------
    x : array, shape (draws,)
        Draws of one quantity by one chain.

    Returns
    -------
    float
        Effective number of independent draws, from its two halves.

    References
    ----------
    Geyer 1992 (Statist. Sci. 7, 473).
    """
    return _ess(_split(np.asarray(x, float)[None]))


def bulk_ess(x: np.ndarray) -> float:
    """Effective sample size of the rank-normalised split chains.

    Parameters
    ----------
    x : array, shape (chains, draws)
        Draws of one quantity.

    Returns
    -------
    float
        Effective number of independent draws; 0 if they never move.

    References
    ----------
    Vehtari et al. 2021 (arXiv:1903.08008).
    """
    x = np.asarray(x, float)
    return _ess(_normal_scores(_split(x))) if np.any(x != x.flat[0]) else 0.0


def quantile_ess(x: np.ndarray, level: float) -> float:
    """Effective sample size of a quantile: that of the indicator x <= q.

    Parameters
    ----------
    x : array, shape (chains, draws)
        Draws of one quantity.
    level : float
        Probability of the quantile.

    Returns
    -------
    float
        Effective number of independent draws.

    References
    ----------
    Vehtari et al. 2021 (arXiv:1903.08008), section 4.3.
    """
    x = np.asarray(x, float)
    return _ess((_split(x) <= np.quantile(x, level)).astype(float))


def tail_ess(x: np.ndarray) -> float:
    """The smaller effective sample size of the 5 % and 95 % quantiles.

    Parameters
    ----------
    x : array, shape (chains, draws)
        Draws of one quantity.

    Returns
    -------
    float
        Effective number of independent draws.

    References
    ----------
    Vehtari et al. 2021 (arXiv:1903.08008), section 4.3.
    """
    return min(quantile_ess(x, 0.05), quantile_ess(x, 0.95))


def quantile_with_error(x: np.ndarray, level: float) -> Quantile:
    """Quantile with its Monte Carlo error, sqrt(level (1 - level)/ESS)/density.

    Parameters
    ----------
    x : array, shape (chains, draws)
        Draws of one quantity.
    level : float
        Probability of the quantile.

    Returns
    -------
    Quantile
        Value and error in the unit of x; the error is infinite when ESS is 0.

    References
    ----------
    Vehtari et al. 2021 (arXiv:1903.08008), section 4.4.
    """
    x = np.asarray(x, float)
    ess = quantile_ess(x, level)
    if ess <= 0.0:
        return Quantile(float(np.quantile(x, level)), float("inf"), 0.0)
    step = np.sqrt(level * (1.0 - level) / ess)
    low, value, high = np.quantile(x, np.clip([level - step, level, level + step], 0.0, 1.0))
    return Quantile(float(value), float(0.5 * (high - low)), ess)


def _summaries(x: np.ndarray) -> np.ndarray:
    """R-hat, bulk and tail sizes of the last axis, shape (columns, 3), in one pass."""
    from numpyro.diagnostics import split_gelman_rubin

    finite = np.all(np.isfinite(x), axis=(0, 1))
    moves = np.any(x != x[:1, :1], axis=(0, 1)) & finite
    x = np.where(finite, x, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        r_hat = [
            split_gelman_rubin(_normal_scores(v))
            for v in (x, np.abs(x - np.median(x, axis=(0, 1))))
        ]
    halves = _split(x)
    low, high = np.quantile(x, [0.05, 0.95], axis=(0, 1))
    sizes = [
        _sizes(v) for v in (_normal_scores(halves), (halves <= low) * 1.0, (halves <= high) * 1.0)
    ]
    worst = np.where(moves & ~np.isnan(r_hat[0]), np.fmax(*r_hat), np.inf)
    bulk = np.where(moves, sizes[0], 0.0)
    tail = np.where(moves, np.minimum(sizes[1], sizes[2]), 0.0)
    return np.stack([worst, bulk, tail], axis=-1)


class Convergence(NamedTuple):
    """Diagnostics by site (arrays with the shape of one draw) and the verdict of the gates."""

    r_hat: dict[str, np.ndarray]
    ess_bulk: dict[str, np.ndarray]
    ess_tail: dict[str, np.ndarray]
    converged: bool
    reasons: tuple[str, ...]


def check_gates(
    draws: Mapping[str, np.ndarray],
    diverging: np.ndarray,
    saturated: np.ndarray,
    *,
    fixed: frozenset[str] = frozenset(),
    gates: Gates | None = None,
) -> Convergence:
    """Diagnostics of every element of every site, and the gates they fail.

    Parameters
    ----------
    draws : mapping of str to array, shape (chains, draws, ...)
        Draws by site.
    diverging, saturated : bool array, shape (chains, draws)
        Flags of each draw.
    fixed : frozenset of str
        Sites that are computed, not sampled; elements of theirs that never change are left out.
    gates : Gates, optional
        Thresholds.

    Returns
    -------
    Convergence
        With ``converged`` and, if not, one sentence per failed gate.

    References
    ----------
    Vehtari et al. 2021 (arXiv:1903.08008); the thresholds of divergences and depth are ours.
    """
    gates = Gates() if gates is None else gates
    tables: tuple[dict[str, np.ndarray], ...] = ({}, {}, {})
    reasons: list[str] = []
    for name, values in draws.items():
        x = np.asarray(values, float)
        shape = x.shape[2:]
        columns = x.reshape(*x.shape[:2], -1)
        rows = _summaries(columns)
        moves = np.any(columns != columns[:1, :1], axis=(0, 1))
        counted = rows if name not in fixed else rows[moves]
        for table, column in zip(tables, rows.T, strict=True):
            table[name] = column.reshape(shape)
        if counted.size == 0:
            continue
        worst, bulk, tail = counted[:, 0].max(), counted[:, 1].min(), counted[:, 2].min()
        if not worst < gates.r_hat:
            reasons.append(f"R-hat of {name!r} is {worst:.4g}, must be below {gates.r_hat}")
        if not bulk > gates.ess:
            reasons.append(f"bulk ESS of {name!r} is {bulk:.4g}, must exceed {gates.ess:g}")
        if not tail > gates.ess:
            reasons.append(f"tail ESS of {name!r} is {tail:.4g}, must exceed {gates.ess:g}")
    lost, cut = float(np.mean(diverging)), float(np.mean(saturated))
    if not lost < gates.divergences:
        reasons.append(f"{100 * lost:.3g} % of draws diverged, allowed {100 * gates.divergences:g}")
    if not cut < gates.saturation:
        reasons.append(
            f"{100 * cut:.3g} % of trajectories hit the tree depth, allowed "
            f"{100 * gates.saturation:g}"
        )
    r_hat, bulk_sizes, tail_sizes = tables
    return Convergence(r_hat, bulk_sizes, tail_sizes, not reasons, tuple(reasons))
