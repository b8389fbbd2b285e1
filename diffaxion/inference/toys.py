"""Pseudo-experiments: coverage, expected bands and injection-recovery of any likelihood.

A calibration is two callables: ``simulate(key, strength) -> data`` and
``solve(data, strength) -> result``. Experiments come in blocks with a random stream of their own,
so that results depend on the seed and the block size alone, not on the number of blocks, their
order, or the process that runs them, and memory stays flat. With

    q(a) = 2 [ln L(a_hat) - ln L(a)],     r = sign(a_hat - a_true) sqrt(q(a_true)),

the limit a_95 should lie above a_true in 95 %, and the signed root r is a standard normal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..errors import ConfigurationError
from ..numerics import safe_sqrt
from .limits import Q_95
from .newton import Solution, frozen, iterate
from .problem import Problem
from .steps import Goal

GENERATORS = ("numpy", "jax")
PRECISIONS = ("float64", "float32")
_NULL, _TRUE, _TOP, _END = range(4)


class ToyFit(NamedTuple):
    """What calibration needs of one fit; of many, with a leading axis.

    Attributes
    ----------
    strength : float array, shape (...)
        The true strength a_true.
    a_hat, sigma, a_95 : float array, shape (...)
        Maximum, curvature error and raw upper limit.
    q_true : float array, shape (...)
        q(a_true).
    ts : float array, shape (...)
        q(0) where a_hat > 0, else 0.
    good : bool array, shape (...)
        Whether all fits converged.
    """

    strength: Array | np.ndarray
    a_hat: Array | np.ndarray
    sigma: Array | np.ndarray
    a_95: Array | np.ndarray
    q_true: Array | np.ndarray
    ts: Array | np.ndarray
    good: Array | np.ndarray


class Estimate(NamedTuple):
    """Numbers from pseudo-experiments, their standard errors, and how many of them entered."""

    value: Any
    error: Any
    number: int


class PullSummary(NamedTuple):
    """Mean and width of the signed roots; both ideal at (0, 1)."""

    mean: Estimate
    width: Estimate


def fit_toy(
    problem: Problem,
    start: Float[Array, " n"],
    data: PyTree,
    strength: ArrayLike,
    *,
    q_threshold: ArrayLike = Q_95,
    iterations: int = 30,
    tolerance: float = 1e-8,
) -> ToyFit:
    """Maximum, limit and q(a_true) of one data set, by four Newton searches without bands.

    Parameters
    ----------
    problem : Problem
        Likelihood and nuisances.
    start : float array, shape (1 + K + h,)
        Start, near the maximum at zero strength.
    data : pytree
        Data and model.
    strength : float array, shape ()
        a_true.
    q_threshold : float array, shape ()
        z^2.
    iterations : int
        Newton steps of each search, static.
    tolerance : float
        Largest Newton decrement and residual of ln L of a good fit.

    Returns
    -------
    ToyFit
        Scalars; without derivatives.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727), section 2; the searches are those of profile_limit.
    """
    problem, start, data = frozen((problem, start, data))
    true, q = (frozen(jnp.asarray(x, start.dtype)) for x in (strength, q_threshold))

    def stage(carry: tuple[Array, Array, Array], k: Array) -> tuple:
        last, top, error = carry
        a = jnp.where(k == _TRUE, true, last[0]) + jnp.where(k == _END, jnp.sqrt(q) * error, 0.0)
        goal = Goal(k >= _TOP, k == _END, top, 0.5 * q, last[0], error)
        found: Solution = iterate(problem, last.at[0].set(a), data, goal, iterations)
        bend = jnp.where(found.curvature < 0.0, -found.curvature, 1.0)
        return (found.x, found.value, jax.lax.rsqrt(bend)), found

    zero = jnp.zeros_like(true)
    begin = (start.at[0].set(0.0), zero, zero)
    fits: Solution = jax.lax.scan(stage, begin, jnp.arange(4))[1]
    top, a_hat = fits.value[_TOP], fits.x[_TOP, 0]
    tests = 2.0 * jnp.maximum(top - fits.value, 0.0)
    good = jnp.all(fits.decrement < tolerance) & jnp.all(jnp.isfinite(fits.value))
    return ToyFit(
        strength=true,
        a_hat=a_hat,
        sigma=jax.lax.rsqrt(jnp.maximum(-fits.curvature[_TOP], 0.0)),
        a_95=fits.x[_END, 0],
        q_true=tests[_TRUE],
        ts=jnp.where(a_hat > 0.0, tests[_NULL], 0.0),
        good=good & (jnp.abs(fits.residual[_END]) < tolerance),
    )


def pseudo_experiments(
    simulate: Callable[[Any, Any], PyTree],
    solve: Callable[[PyTree, Any], PyTree],
    strength: float,
    count: int,
    *,
    seed: int = 0,
    block: int = 250,
    first_block: int = 0,
    generator: Literal["numpy", "jax"] = "numpy",
    precision: Literal["float64", "float32"] = "float64",
    batch_size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PyTree:
    """Simulate and solve many data sets at one true strength.

    Parameters
    ----------
    simulate : callable
        (key, strength) -> data. ``key`` is a NumPy ``Generator`` or a JAX key, by ``generator``.
    solve : callable
        (data, strength) -> result, traceable by JAX. Methods of modules share one compilation
        between calls.
    strength : float
        a_true, handed to both.
    count : int
        Number of experiments; the last block is run in full and cut.
    seed : int
        Block k draws from ``default_rng([seed, k])`` or ``fold_in(key(seed), k)``.
    block : int
        Experiments that are in memory at a time.
    first_block : int
        Number of the first block, for work that is shared or resumed.
    generator : {"numpy", "jax"}
        Where random numbers are made: NumPy is several times faster on a CPU.
    precision : {"float64", "float32"}
        Precision of ``solve``.
    batch_size : int, optional
        Experiments solved at once; default one after the other, best on a CPU. On a GPU a few
        thousand.
    progress : callable, optional
        Called after each block with (done, count).

    Returns
    -------
    pytree of arrays
        Results in NumPy with a leading axis (count,).

    Raises
    ------
    ConfigurationError
        If a number is below 1, or generator or precision is unknown.

    References
    ----------
    Independent streams: Salmon et al. 2011 (counter-based generators, doi:10.1145/2063384.2063405).
    """
    for name, number in (("count", count), ("block", block)):
        if number < 1:
            raise ConfigurationError(f"{name} must be at least 1, found {number}")
    for name, value, known in (
        ("generator", generator, GENERATORS),
        ("precision", precision, PRECISIONS),
    ):
        if value not in known:
            raise ConfigurationError(f"{name} must be one of {', '.join(known)}, found {value!r}")
    parts = []
    for k in range(-(-count // block)):
        number = first_block + k
        with jax.enable_x64(precision == "float64"):
            a = jnp.asarray(strength, float)
            if generator == "numpy":
                rng = np.random.default_rng([seed, number])
                drawn = [simulate(rng, float(strength)) for _ in range(block)]
                data = jax.tree.map(lambda *x: np.stack(x).astype(precision), *drawn)
                result = _solve(_cast(solve, precision), data, a, batch_size)
            else:
                keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), number), block)
                pair = _cast((simulate, solve), precision)
                result = _draw_and_solve(pair, keys, a, batch_size)
            parts.append(jax.device_get(result))
        if progress is not None:
            progress(min((k + 1) * block, count), count)
    return jax.tree.map(lambda *x: np.concatenate(x)[:count], *parts)


@eqx.filter_jit
def _solve(solve: Callable, data: PyTree, strength: Array, batch_size: int | None) -> PyTree:
    return jax.lax.map(lambda d: solve(d, strength), data, batch_size=batch_size)


@eqx.filter_jit
def _draw_and_solve(
    pair: tuple[Callable, Callable], keys: Array, strength: Array, batch_size: int | None
) -> PyTree:
    simulate, solve = pair

    def one(key: Array) -> PyTree:
        return solve(simulate(key, strength), strength)

    return jax.lax.map(one, keys, batch_size=batch_size)


def _cast(tree: PyTree, precision: str) -> PyTree:
    return jax.tree.map(lambda x: x.astype(precision) if eqx.is_inexact_array(x) else x, tree)


def coverage(toys: ToyFit, *, least: float | None = None) -> Estimate:
    """Fraction of experiments whose limit lies at or above the true strength.

    Parameters
    ----------
    toys : ToyFit
        Experiments at one strength; those that did not converge are left out.
    least : float, optional
        Power constraint a_-1: limits are raised to it first.

    Returns
    -------
    Estimate
        Fraction with its binomial standard error.

    References
    ----------
    Cowan et al. 2011 (arXiv:1105.3166), for the power constraint.
    """
    a_95 = toys.a_95[toys.good]
    limit = a_95 if least is None else np.maximum(a_95, least)
    p = np.mean(limit >= toys.strength[toys.good])
    return Estimate(p, np.sqrt(p * (1.0 - p) / limit.size), limit.size)


def band_quantiles(toys: ToyFit, sigmas: Sequence[float] = (-1.0, 0.0, 1.0, 2.0)) -> Estimate:
    """Quantiles of the limit at Phi(N): the bands that Asimov data approximate.

    Parameters
    ----------
    toys : ToyFit
        Experiments without signal.
    sigmas : sequence of float
        N; 0 is the median.

    Returns
    -------
    Estimate
        Limits on the strength, one per N, with standard errors from the neighbouring order
        statistics.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727), section 4.3.
    """
    p = np.asarray(jax.scipy.stats.norm.cdf(np.asarray(sigmas, float)))
    a_95 = toys.a_95[toys.good]
    spread = np.sqrt(p * (1.0 - p) / a_95.size)
    low, middle, high = (
        np.quantile(a_95, np.clip(x, 0.0, 1.0)) for x in (p - spread, p, p + spread)
    )
    return Estimate(middle, 0.5 * (high - low), a_95.size)


def signed_roots(toys: ToyFit) -> np.ndarray:
    """sign(a_hat - a_true) sqrt(q(a_true)) of each converged experiment.

    Parameters
    ----------
    toys : ToyFit
        Experiments.

    Returns
    -------
    float array, shape (n,)
        Standard normal where the asymptotic theory holds; unlike (a_hat - a_true)/sigma it is
        not biased by a sigma that grows with a_hat.

    References
    ----------
    Barndorff-Nielsen 1986, Biometrika 73, 307 (signed likelihood root).
    """
    root = np.asarray(safe_sqrt(jnp.asarray(toys.q_true[toys.good])))
    return np.sign(toys.a_hat - toys.strength)[toys.good] * root


def pull_summary(toys: ToyFit) -> PullSummary:
    """Mean and standard deviation of the signed roots.

    Parameters
    ----------
    toys : ToyFit
        Experiments.

    Returns
    -------
    PullSummary
        With standard errors width/sqrt(n) and width/sqrt(2 n).

    References
    ----------
    As :func:`signed_roots`.
    """
    r = signed_roots(toys)
    width = np.std(r)
    return PullSummary(
        Estimate(np.mean(r), width / np.sqrt(r.size), r.size),
        Estimate(width, width / np.sqrt(2.0 * r.size), r.size),
    )
