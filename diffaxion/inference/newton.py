"""The one Newton solver: maxima and level crossings of a likelihood with nuisances.

The objective F and its unknowns x = (a, zeta, A) are those of :mod:`.problem`, the steps those of
:mod:`.steps`. The loop ends at the rounding error of F or after a fixed number of steps.
Derivatives of a solution do not come from the steps but from the implicit function theorem at the
root, as a custom rule that composes to any order; for the crossing this is the envelope theorem,
da/dt = -[d_t F(crossing) - d_t F(maximum)]/F_a.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..numerics import safe_divide
from .problem import Problem
from .steps import (
    LONGEST,
    Goal,
    at_bounds,
    clip,
    eliminate_tail,
    newton_step,
    profile_curvature,
)

_FARTHEST, _FARTHEST_CROSSING = 1e3, 3.0  # longest steps in zeta, however many succeeded
_ALONE = 0.1  # gain in 2 F from the strength alone above which only the strength moves


class Solution(NamedTuple):
    """Where the solver ended.

    Attributes
    ----------
    x : float array, shape (1 + K + h,)
        Strength and nuisances.
    value : float array, shape ()
        F there.
    decrement : float array, shape ()
        Twice the gain in F that one more Newton step promises in the free directions.
    residual : float array, shape ()
        F - F_t for a crossing, else 0.
    held : bool array, shape (1 + K + h,)
        Coordinates held at a bound, or at the given strength.
    curvature : float array, shape ()
        Second derivative of the profile of F in the strength (:func:`profile_curvature`).
    blocked : bool array, shape ()
        Whether the edge of the domain of ln L stopped one of the last steps.
    """

    x: Array
    value: Array
    decrement: Array
    residual: Array
    held: Array
    curvature: Array
    blocked: Array


class _Search(NamedTuple):
    best: Solution
    merit: Array
    promise: Array
    step: Array
    plain: Array
    kind: Array
    fraction: Array
    longest: Array
    low: Array
    high: Array
    refused: Array


_CLIMB, _RIDGE, _MOVE = range(3)  # what a step must do: raise F, raise F or max_a F, be finite


def iterate(problem: Problem, start: Array, data: PyTree, goal: Goal, iterations: int) -> Solution:
    """Newton steps towards a goal, each judged before the next.

    The strength goes first on the way to a maximum: products of strength and factors make curved
    valleys, along which the other steps are judged by F at the best strength. On the way to a
    crossing the nuisances go first, and the strength stays between values known to be too low and
    too high. A point outside the domain, or one that does not climb as promised, costs a pass in
    which the step is shortened. The loop carries no derivative, see :func:`attach`.
    """
    last = jnp.where(goal.crossing, 2 * iterations, iterations)

    def going(carry: tuple[Array, _Search]) -> Array:
        k, (best, *_) = carry
        # Rounding errors of gradient and value are the floor of decrement and residual.
        flat = best.decrement < 1e-22
        level = jnp.abs(best.residual) < 1e-15 * (1.0 + jnp.abs(best.value))
        return (k <= last) & ~(flat & level & (k > 1))

    def advance(carry: tuple[Array, _Search]) -> tuple[Array, _Search]:
        k, old = carry
        x = clip(problem, old.best.x + old.fraction * old.step)
        e = problem.expansion(x, data)
        held = at_bounds(problem, x, e.gradient).at[0].set(~goal.free)
        climbing = goal.free & ~goal.crossing
        height, slope, core, *_ = eliminate_tail(e, held)
        bent = climbing & (core[0, 0] < 0.0)
        pull = jnp.where(bent, slope[0] ** 2 / jnp.where(bent, -core[0, 0], 1.0), 0.0)
        merit = jnp.where(climbing, height + 0.5 * pull, e.value)

        inside = jnp.isfinite(e.value)
        # Below the rounding error of F every step is good enough.
        noise = 1e-12 * (1.0 + jnp.abs(e.value))
        hope = 1e-4 * old.fraction
        climbs = e.value >= old.best.value + hope * old.best.decrement - noise
        climbs |= (old.kind == _RIDGE) & (merit >= old.merit + hope * old.promise - noise)
        good = inside & (climbs | (old.kind == _MOVE) | (k == 0))
        farthest = jnp.where(goal.crossing, _FARTHEST_CROSSING, _FARTHEST)
        longest = jnp.minimum(old.longest * jnp.where(good, 2.0, 0.5), farthest)
        # F above the level proves the strength too low; below it, on the ridge, too high.
        residual = jnp.where(goal.crossing, e.value - goal.top + goal.drop, 0.0)
        low = jnp.where(good & (residual > 0.0), jnp.maximum(old.low, x[0]), old.low)
        now = goal._replace(longest=longest, low=low, high=old.high)
        alone = climbing & (pull > _ALONE)
        step = newton_step(problem, x, e, held, alone, now)
        over = good & ~step.relax & (residual < 0.0)
        high = jnp.where(over, jnp.minimum(old.high, x[0]), old.high)
        # A better branch of the nuisances may lift F where it seemed too low: search on.
        high = jnp.where(high - low <= 1e-6 * (high - goal.origin), jnp.inf, high)

        bend = profile_curvature(problem, e, held)
        here = Solution(x, e.value, step.decrement, residual, held, bend, old.best.blocked)
        chosen = jax.tree.map(lambda new, kept: jnp.where(good, new, kept), here, old.best)
        refused = jnp.where(inside, old.refused, k)
        chosen = chosen._replace(blocked=(refused > last - 4) & (refused > 0))
        # What the strength alone would gain is in the merit already.
        promise = jnp.where(alone, step.decrement, jnp.maximum(step.decrement - pull, 0.0))
        kind = jnp.where(climbing & ~alone, _RIDGE, _CLIMB)
        kind = jnp.where(goal.crossing & ~step.relax, _MOVE, kind)
        return k + 1, _Search(
            best=chosen,
            merit=jnp.where(good, merit, old.merit),
            promise=jnp.where(good, promise, old.promise),
            step=jnp.where(good, step.dx, jnp.where(old.fraction < 0.2, old.plain, old.step)),
            plain=jnp.where(good, step.plain, old.plain),
            kind=jnp.where(good, kind, old.kind),
            fraction=jnp.where(good, 1.0, 0.3 * old.fraction),
            longest=longest,
            low=low,
            high=high,
            refused=refused,
        )

    x, zero, bottom = clip(problem, start), jnp.zeros(()), jnp.asarray(-jnp.inf)
    nothing, nobody = jnp.zeros((), bool), jnp.zeros(x.shape, bool)
    begin = _Search(
        best=Solution(x, bottom, zero, zero, nobody, zero, nothing),
        merit=bottom,
        promise=zero,
        step=jnp.zeros_like(x),
        plain=jnp.zeros_like(x),
        kind=jnp.asarray(_CLIMB),
        fraction=zero,
        longest=jnp.asarray(0.5 * LONGEST),
        low=goal.origin,
        high=-bottom,
        refused=jnp.zeros((), int),
    )
    return jax.lax.while_loop(going, advance, (jnp.zeros((), int), begin))[1].best


def frozen(tree: Any) -> Any:
    return jax.tree.map(lambda v: jax.lax.stop_gradient(v) if eqx.is_array(v) else v, tree)


def maximise(
    problem: Problem,
    start: Float[Array, " n"],
    data: PyTree,
    *,
    fix_strength: bool = False,
    iterations: int = 30,
) -> Solution:
    """Maximum of F from one start; derivatives of x are implicit.

    Parameters
    ----------
    problem : Problem
        Likelihood and nuisances.
    start : float array, shape (1 + K + h,)
        Where to begin; with ``fix_strength`` its first entry stays.
    data : pytree
        Data and model, the arguments with respect to which x is differentiable.
    fix_strength : bool
        Maximise over the nuisances only.
    iterations : int
        Newton steps, static.

    Returns
    -------
    Solution
        With x differentiable in ``data`` and ``problem``, and the rest frozen.

    References
    ----------
    Nocedal & Wright 2006, *Numerical Optimization*, section 3.4 (modified Newton steps).
    """
    zero = jnp.zeros(())
    goal = Goal(jnp.asarray(not fix_strength), jnp.zeros((), bool), *(zero,) * 4)
    p, x0, d = frozen((problem, start, data))
    found = iterate(p, x0, d, goal, iterations)
    return found._replace(x=attach(problem, found, data))


def cross(
    problem: Problem,
    start: Float[Array, " n"],
    data: PyTree,
    top: Float[Array, ""],
    drop: ArrayLike,
    *,
    origin: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
    iterations: int = 30,
) -> Solution:
    """Strength at which the profile of F has fallen by ``drop`` below its top, above the top.

    Parameters
    ----------
    problem : Problem
        Likelihood and nuisances.
    start : float array, shape (1 + K + h,)
        Where to begin, with a strength above the maximum.
    data : pytree
        Data and model.
    top : float array, shape ()
        F at the maximum.
    drop : float array, shape ()
        F_max - F_t, half the threshold of q.
    origin, scale : float array, shape ()
        Strength at the maximum and its error: a step covers at most twice the distance from
        ``origin`` plus ``scale``.
    iterations : int
        Newton steps, static.

    Returns
    -------
    Solution
        With x differentiable in ``data``, ``problem``, ``top`` and ``drop``; the rest is frozen.

    References
    ----------
    Venzon & Moolgavkar 1988, Applied Statistics 37, 87 (profile-likelihood intervals).
    """
    numbers = [jnp.asarray(v, float) for v in (top, drop, origin, scale)]
    yes = jnp.ones((), bool)
    p, x0, d, goal = frozen((problem, start, data, Goal(yes, yes, *numbers)))
    found = iterate(p, x0, d, goal, iterations)
    return found._replace(x=attach(problem, found, data, numbers[0] - numbers[1]))


def attach(
    problem: Problem, found: Solution, data: PyTree, level: Array | None = None
) -> Float[Array, " n"]:
    """The point of a solution, with its derivatives in data, problem and level.

    Parameters
    ----------
    problem : Problem
        Likelihood and nuisances.
    found : Solution
        Where the solver ended; a held strength keeps its value.
    data : pytree
        Data and model.
    level : float array, shape (), optional
        F_t if the solution is a crossing.

    Returns
    -------
    float array, shape (1 + K + h,)
        ``found.x``.
    """
    high = found.x[1:] >= problem.upper
    ends = jnp.where(high, problem.upper, problem.lower)
    ends = jnp.where(found.held[1:], ends, 0.0)
    bound = jnp.concatenate([jnp.where(found.held[:1], found.x[:1], 0.0), ends])
    target = jnp.zeros(()) if level is None else level
    return _implicit(
        jax.lax.stop_gradient(found.x),
        (problem, data, found.held, bound, target),
        level is not None,
    )


def _conditions(x: Array, args: tuple, crossing: bool) -> Array:
    """Equations that a solution satisfies: dF = 0 (held: x = bound), first row F = F_t."""
    problem, data, held, bound, target = args
    value, gradient = jax.value_and_grad(problem.objective)(x, data)
    rows = jnp.where(held, x - bound, gradient)
    return rows.at[0].set(value - target) if crossing else rows


@eqx.filter_custom_jvp
def _implicit(x: Array, args: tuple, crossing: bool) -> Array:
    return x


@_implicit.def_jvp
def _implicit_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    x, args, crossing = primals
    # The output, not the input, enters the rule below: so the next order sees it move too.
    out = _implicit(x, args, crossing)
    matrix = jax.jacfwd(lambda y: _conditions(y, args, crossing))(out)
    problem = args[0]
    # A flat nuisance without any effect leaves its row empty; its derivative is then 0.
    empty = jnp.concatenate([jnp.zeros(1, bool), ~problem.gaussian]) & ~args[2]
    matrix = matrix - jnp.diag(jnp.where(empty, 1e-12, 0.0))
    _, push = eqx.filter_jvp(lambda q: _conditions(out, q, crossing), (args,), (tangents[1],))
    fixed = jax.lax.stop_gradient(matrix)
    columns = safe_divide(jnp.ones(()), jnp.max(jnp.abs(fixed), axis=0), 1.0)
    rows = safe_divide(jnp.ones(()), jnp.max(jnp.abs(fixed * columns), axis=1), 1.0)
    # No sensitivity at all: the strength has an empty column, and no derivative.
    dead = jnp.max(jnp.abs(fixed), axis=0) == 0.0
    scaled = matrix * columns * rows[:, None] + jnp.diag(jnp.where(dead, 1.0, 0.0))
    moved = -columns * jnp.linalg.solve(scaled, rows * push)
    return out, jnp.where(dead, 0.0, moved)
