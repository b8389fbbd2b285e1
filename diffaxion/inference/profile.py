"""Profile-likelihood limits with expected bands, for one mass or a curve of masses.

The maximum, the maximum at zero strength and the crossing F = F_max - z^2/2 are three calls of the
Newton solver; the expected limit is the same crossing on Asimov data, that is on the data
expected without signal at the nuisances fitted there. Bands are either of constant sigma,
a_N = (median/z) (z + N), or self-consistent, q_A(a_N) = (z + N)^2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, PyTree

from ..numerics import safe_sqrt
from .limits import Q_95, LimitResult, LimitStatus, constant_bands, power_constrained
from .newton import Solution, attach, frozen, iterate
from .problem import Problem
from .steps import Goal, profile_curvature

TOLERANCE = 1e-8
"""Largest Newton decrement and residual in ln L at which a solution counts as converged."""

_SPREAD = 1e-3  # difference in ln L above which two starts have found different maxima

Asimov = Callable[[Array, PyTree], PyTree]


class ProfileResult(eqx.Module):
    """A profile limit with the fits behind it; fields of a curve have a leading mass axis.

    Attributes
    ----------
    limit : LimitResult
        Limits and bands on the strength, with status.
    best, null, crossing : float array, shape (1 + K + h,)
        Strength and nuisances at the maximum, at zero strength, and at the limit.
    asimov : float array, shape (1 + K + h,)
        The same at the expected limit.
    log_max : float array, shape ()
        Penalised ln L at the maximum.
    decrement, residual : float array, shape ()
        Largest Newton decrement of the fits, and largest |F - F_t| of the crossings.
    at_edge : bool array, shape (K + h,)
        Nuisances that sit on their box at the limit.
    several_maxima : bool array, shape ()
        Whether starts ended in maxima that differ by more than 1e-3 in ln L; the best is used.
    """

    limit: LimitResult
    best: Float[Array, "... n"]
    null: Float[Array, "... n"]
    crossing: Float[Array, "... n"]
    asimov: Float[Array, "... n"]
    log_max: Float[Array, "..."]
    decrement: Float[Array, "..."]
    residual: Float[Array, "..."]
    at_edge: Bool[Array, "... k"]
    several_maxima: Bool[Array, "..."]


_NULL, _TOP, _END, _IDEAL, _MEDIAN = range(5)  # the fits, in the order in which they run


def _stages(
    asimov: Asimov,
    iterations: int,
    problem: Problem,
    data: PyTree,
    starts: Array,
    crossing_starts: Array | None,
    numbers: Array,
    widest: Array | float = jnp.inf,
    tolerance: Array | float = TOLERANCE,
) -> tuple[Solution, Array]:
    """All fits of one limit, as one loop over stages so that the likelihood compiles once.

    ``numbers`` are the z of the crossings on Asimov data; the first is that of the limit too. A
    crossing starts z errors above its maximum, an error being ``widest`` at most.
    Returns the best solution of each stage, and whether the starts disagreed.
    """
    count = _MEDIAN + numbers.shape[0]
    some = jnp.zeros(starts.shape[0])
    no, free = jnp.zeros(some.shape, bool), jnp.zeros(starts.shape, bool)
    blank = Solution(starts, some, some, some, free, some, no)

    def stage(carry: tuple[Solution, Solution, Array], k: Array) -> tuple:
        fits, last, differ = carry
        null, top, ideal = (_pick(fits, j) for j in (_NULL, _TOP, _IDEAL))
        simulated, crossing = k >= _IDEAL, (k == _END) | (k >= _MEDIAN)
        peak = _select(simulated, ideal, top)
        z = numbers[jnp.maximum(k - _MEDIAN, 0)]
        error = jnp.minimum(_error(peak), widest)
        goal = Goal((k == _TOP) | crossing, crossing, peak.value, 0.5 * z**2, peak.x[0], error)
        # A crossing starts at the nuisances of the maximum, and in further rows at those given.
        further, later = last.x, jnp.broadcast_to(null.x, starts.shape)
        if crossing_starts is not None:
            further, later = crossing_starts, crossing_starts.at[0].set(null.x)
        later = jnp.where(k >= _MEDIAN, later, null.x)
        rows = jnp.where(k == _END, further.at[0].set(top.x), later)
        rows = jnp.where(k <= _TOP, starts, rows)
        above = peak.x[0] + z * error
        strength = jnp.where(crossing, above, jnp.where(k == _TOP, rows[:, 0], 0.0))
        rows = rows.at[:, 0].set(strength)
        d = _select(simulated, asimov(null.x[1:], data), data)
        p = _centred(problem, null.x, simulated)
        found = jax.vmap(lambda x: iterate(p, x, d, goal, iterations))(rows)
        best, several = _best(found, crossing, tolerance)
        fits = jax.tree.map(lambda every, one: every.at[k].set(one), fits, best)
        return (fits, found, differ | (several & ~crossing)), None

    begin = jax.tree.map(lambda v: jnp.broadcast_to(v[0], (count, *v.shape[1:])), blank)
    carry = begin, blank, jnp.zeros((), bool)
    (fits, _, differ), _ = jax.lax.scan(stage, carry, jnp.arange(count))
    return fits, differ


class _Points(NamedTuple):
    """The fits of a limit, as numbers or as smooth functions of data and problem."""

    best: Array
    empty: Array
    crossing: Array
    expected: list[Array]
    log_max: Array
    log_null: Array
    information: Array
    sensitive: Array


def _attached(
    problem: Problem,
    asimov: Asimov,
    data: PyTree,
    q: Array,
    numbers: Array,
    found: _Points,
    fits: tuple[Solution, Solution, Solution, list[Solution]],
) -> _Points:
    """The points with their derivatives in data, problem and threshold."""
    null, top, end, expected = fits
    best, empty = attach(problem, top, data), attach(problem, null, data)
    log_max, log_null = problem.objective(best, data), problem.objective(empty, data)
    around_best = problem.expansion(best, data)
    # Asimov data have their maximum at the null fit, around which the constraints are centred.
    around, simulated = _centred(problem, empty, True), asimov(empty[1:], data)
    peak = around.objective(empty, simulated)
    levels = zip(expected, numbers, strict=True)
    return _Points(
        best=best,
        empty=empty,
        crossing=attach(problem, end, data, log_max - 0.5 * q),
        expected=[attach(around, e, simulated, peak - 0.5 * x**2) for e, x in levels],
        log_max=log_max,
        log_null=log_null,
        information=-profile_curvature(problem, around_best, top.held),
        sensitive=(around_best.gradient[0] != 0.0) | (around_best.core[0, 0] != 0.0),
    )


def _pick(tree: Any, k: int | Array) -> Any:
    return jax.tree.map(lambda v: v[k], tree)


def _best(found: Solution, crossing: Array, tolerance: Array | float) -> tuple[Solution, Array]:
    """The best converged solution (or the best of all, if none is), and whether they differ.

    A maximum is judged by its height. The profile is the upper envelope of its branches and
    falls to a level where the last of them does: a crossing is judged by its strength.
    """
    fine = (found.decrement < tolerance) & (jnp.abs(found.residual) < tolerance)
    score = jnp.where(crossing, found.x[:, 0], found.value)
    score = jnp.where(jnp.isfinite(found.value), score, -jnp.inf)
    k = jnp.argmax(jnp.where(fine | ~jnp.any(fine), score, -jnp.inf))
    high = jnp.max(jnp.where(fine, found.value, -jnp.inf))
    low = jnp.min(jnp.where(fine, found.value, jnp.inf))
    return _pick(found, k), high - low > _SPREAD


def _select(condition: Array, yes: PyTree, no: PyTree) -> PyTree:
    def pick(a: Any, b: Any) -> Any:
        return jnp.where(condition, a, b) if eqx.is_array(b) else b

    return jax.tree.map(pick, yes, no)


def _centred(problem: Problem, null: Array, simulated: ArrayLike) -> Problem:
    """The problem with its constraints centred on the null fit, as they are in Asimov data."""
    moved = jnp.where(problem.gaussian & simulated, null[1:], problem.centre)
    return eqx.tree_at(lambda p: p.centre, problem, moved)


def _error(fit: Solution) -> Array:
    return _root(-fit.curvature)


def _root(information: Array) -> Array:
    return jax.lax.rsqrt(jnp.where(information > 0.0, information, 1.0))


@eqx.filter_jit
def profile_limit(
    problem: Problem,
    asimov: Asimov,
    data: PyTree,
    *,
    starts: Float[Array, "s n"] | None = None,
    crossing_starts: Float[Array, "s n"] | None = None,
    q_threshold: ArrayLike = Q_95,
    bands: Literal["constant", "self_consistent"] = "constant",
    iterations: int = 30,
    differentiable: bool = True,
    widest: ArrayLike = jnp.inf,
    tolerance: ArrayLike = TOLERANCE,
) -> ProfileResult:
    """Upper limit on the strength with its expectation, differentiable to any order.

    Parameters
    ----------
    problem : Problem
        Likelihood and nuisances.
    asimov : callable
        (nuisances, data) -> data with the measured values replaced by those expected at zero
        strength; a plain function.
    data : pytree
        Data and model handed to the likelihood: arguments, never closed over.
    starts : float array, shape (s, 1 + K + h), optional
        Starts of the fits; default ``problem.start()``.
    crossing_starts : float array, shape (s, 1 + K + h), optional
        Nuisances at which the crossings start, z sigma above the maximum; those of the maximum
        (on Asimov data, of the null fit) replace the first. Default: where the starts of the
        free fit ended, and the null fit.
    q_threshold : float array, shape ()
        z^2.
    bands : {"constant", "self_consistent"}
        Construction of the bands, static.
    iterations : int
        Newton steps of each fit, static.
    differentiable : bool
        Whether derivatives follow the solutions; without them a long likelihood compiles in half
        the time. Static.
    widest : float array, shape ()
        Largest error of the strength that the start of a crossing may assume, where the maximum
        is flat, as that of a quartic is.
    tolerance : float array, shape ()
        Largest change of ln L that a further Newton step may promise, and largest miss of the
        level of a crossing, in a fit that counts as converged.

    Returns
    -------
    ProfileResult
        Limit, bands, fits and status.

    References
    ----------
    Rolke, Lopez, Conrad 2005 (arXiv:physics/0403059); Cowan et al. 2011 (arXiv:1007.1727).
    """
    rows = problem.start()[None] if starts is None else jnp.asarray(starts)
    q = jnp.asarray(q_threshold, float)
    z = jnp.sqrt(q)
    steps = jnp.zeros(1) if bands == "constant" else jnp.array([0.0, -1.0, 1.0, 2.0])
    numbers = z + steps
    widest, tolerance = jnp.asarray(widest, float), jnp.asarray(tolerance, float)
    fixed = frozen((problem, data, rows, crossing_starts, numbers, widest, tolerance))
    fits, several = _stages(asimov, iterations, *fixed)
    null, top, end, _, *expected = (_pick(fits, k) for k in range(_MEDIAN + numbers.shape[0]))

    found = _Points(
        best=top.x,
        empty=null.x,
        crossing=end.x,
        expected=[e.x for e in expected],
        log_max=top.value,
        log_null=null.value,
        information=-top.curvature,
        sensitive=top.curvature != 0.0,
    )
    if differentiable:
        found = _attached(problem, asimov, data, q, numbers, found, (null, top, end, expected))
    best, empty, crossing, points = found.best, found.empty, found.crossing, found.expected
    log_max, log_null, sensitive = found.log_max, found.log_null, found.sensitive
    sigma = jnp.where(found.information > 0.0, _root(found.information), jnp.inf)
    median = points[0][0]
    if bands == "constant":
        minus1, plus1, plus2 = constant_bands(median, q)
    else:
        minus1, plus1, plus2 = (x[0] for x in points[1:])

    def infinite(a: Array) -> Array:
        return jnp.where(sensitive, a, jnp.inf)

    decrement, residual = jnp.max(fits.decrement), jnp.max(jnp.abs(fits.residual))
    ts = jnp.where(best[0] > 0.0, jnp.maximum(2.0 * (log_max - log_null), 0.0), 0.0)
    a_95 = infinite(crossing[0])
    limit = LimitResult(
        a_hat=best[0],
        sigma=infinite(sigma),
        a_95=a_95,
        pcl=power_constrained(a_95, infinite(minus1)),
        median=infinite(median),
        minus1=infinite(minus1),
        plus1=infinite(plus1),
        plus2=infinite(plus2),
        ts=ts,
        z_local=safe_sqrt(ts),
        status=jnp.where(a_95 > 0.0, int(LimitStatus.OK), int(LimitStatus.NEGATIVE_LIMIT)),
    )
    good = (decrement < tolerance) & (residual < tolerance) & jnp.isfinite(log_max)
    # A search that ran away without an end: the profile does not fall, or hardly.
    beyond = ~good & (jnp.abs(end.x[0] - top.x[0]) > 100.0 * _error(top))
    blocked = (top.blocked | end.blocked) & ~good
    limit = limit.flag(LimitStatus.NO_SENSITIVITY, ~sensitive)
    limit = limit.flag(LimitStatus.AT_BOUNDARY, sensitive & blocked)
    limit = limit.flag(LimitStatus.NOT_BRACKETED, sensitive & beyond)
    limit = limit.flag(LimitStatus.NOT_CONVERGED, sensitive & ~good & ~beyond & ~blocked)
    return ProfileResult(
        limit=limit,
        best=best,
        null=empty,
        crossing=crossing,
        asimov=points[0],
        log_max=log_max,
        decrement=decrement,
        residual=residual,
        at_edge=end.held[1:],
        several_maxima=several,
    )


@eqx.filter_jit
def profile_curve(
    problem: Problem,
    asimov: Asimov,
    shared: PyTree,
    per_mass: PyTree,
    *,
    start: Float[Array, " n"] | None = None,
    q_threshold: ArrayLike = Q_95,
    bands: Literal["constant", "self_consistent"] = "constant",
    iterations: int = 30,
    neighbours: bool = True,
    batch_size: int | None = None,
) -> ProfileResult:
    """Limits at many masses in one program.

    Parameters
    ----------
    problem : Problem
        Likelihood of (strength, nuisances, (shared, one)), ``one`` being a slice of per_mass.
    asimov : callable
        (nuisances, (shared, one)) -> (shared, one) with expected instead of measured values.
    shared : pytree
        Data common to all masses.
    per_mass : pytree
        Arrays with a leading axis of M masses: responses, masses, tables.
    start : float array, shape (1 + K + h,), optional
        Start of all fits; default ``problem.start()``.
    q_threshold : float array, shape ()
        z^2.
    bands : {"constant", "self_consistent"}
        Construction of the bands, static.
    iterations : int
        Newton steps of each fit, static.
    neighbours : bool
        Fit again from the solutions of both neighbouring masses and keep the best, static.
    batch_size : int, optional
        Masses that run at once; default all. Smaller numbers need less memory.

    Returns
    -------
    ProfileResult
        Every field with a leading axis (M,).

    References
    ----------
    As :func:`profile_limit`.
    """
    begin = problem.start() if start is None else jnp.asarray(start)
    count = jax.tree.leaves(per_mass)[0].shape[0]

    def run(one: PyTree, starts: Array, crossings: Array) -> ProfileResult:
        return profile_limit(
            problem,
            asimov,
            (shared, one),
            starts=starts,
            crossing_starts=crossings,
            q_threshold=q_threshold,
            bands=bands,
            iterations=iterations,
        )

    def sweep(starts: tuple[Array, Array]) -> ProfileResult:
        size = count if batch_size is None else batch_size
        return jax.lax.map(lambda a: run(*a), (per_mass, *starts), batch_size=size)

    def around(x: Array) -> Array:
        left, right = jnp.concatenate([x[:1], x[:-1]]), jnp.concatenate([x[1:], x[-1:]])
        return jax.lax.stop_gradient(jnp.stack([x, left, right], axis=1))

    if not neighbours:
        same = jnp.broadcast_to(begin, (count, 1, begin.shape[0]))
        return sweep((same, same))

    def again(starts: tuple[Array, Array], _: None) -> tuple:
        result = sweep(starts)
        return (around(result.best), around(result.crossing)), result

    same = jnp.broadcast_to(begin, (count, 3, begin.shape[0]))
    sweeps: ProfileResult = jax.lax.scan(again, (same, same), length=2)[1]
    return _pick(sweeps, 1)
