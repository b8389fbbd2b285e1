"""The one Newton solver: maxima and level crossings of a likelihood with nuisances.

The objective F and its unknowns x = (a, zeta, A) are those of :mod:`.problem`. The tail A is
eliminated first, then zeta by a Schur complement with floored eigenvalues:

    maximum:   da = -(F_a - F_az H_zz^-1 F_z) / (F_aa - F_az H_zz^-1 F_za)
    crossing:  da = 2 (D^1/2 - d^1/2) D^1/2 / (F_a - F_z H_zz^-1 F_za)
               (Newton for D^1/2 = d^1/2; D = F_max - F + F_z H_zz^-1 F_z/2, d = q/2)
    both:      dzeta = -H_zz^-1 (F_z + F_za da).

The loop ends at the rounding error of F or after a fixed number of steps. Derivatives of a
solution do not come from the steps but from the implicit function theorem at the root, as a
custom rule that composes to any order; for the crossing this is the envelope theorem,
da/dt = -[d_t F(crossing) - d_t F(maximum)]/F_a.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, PyTree

from ..numerics import safe_divide, safe_norm
from .problem import Expansion, Problem

_LONGEST = 1.5  # longest step in zeta, in units of its width
_FLOOR_GAUSSIAN, _FLOOR_BOX = 0.3, 0.05  # least curvature in those units along which to step
_FLAT = 1e-3  # curvature above which it is trusted


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


class Goal(NamedTuple):
    """What a step aims at: the maximum, with or without the strength, or a crossing."""

    free: Array
    crossing: Array
    top: Array
    drop: Array
    origin: Array
    scale: Array


def _at_bounds(problem: Problem, x: Array, gradient: Array) -> Array:
    low = (x[1:] <= problem.lower) & (gradient[1:] < 0.0)
    high = (x[1:] >= problem.upper) & (gradient[1:] > 0.0)
    return jnp.concatenate([jnp.zeros(1, bool), low | high])


def _eliminate_tail(e: Expansion, held: Array) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Value, gradient and Hessian of the core at the best tail, and the tail's own pieces."""
    n = e.core.shape[0]
    core_held, tail_held = held[:n], held[n:]
    gradient = jnp.where(held, 0.0, e.gradient)
    slope, tail = gradient[:n], gradient[n:]
    cross = jnp.where(core_held[:, None] | tail_held, 0.0, e.cross)
    curve = jnp.where(tail_held, -1.0, jnp.minimum(e.diagonal, -1e-300))
    core = jnp.where(core_held[:, None] | core_held, 0.0, e.core)
    core = core - jnp.diag(jnp.where(core_held, 1.0, 0.0))
    value = e.value - 0.5 * jnp.sum(tail**2 / curve)
    ratio = cross / curve
    return value, slope - ratio @ tail, core - ratio @ cross.T, tail, cross, curve


def _shifted(e: Expansion, shift: Array) -> Expansion:
    """The same quadratic, expanded around x + shift."""
    n = e.core.shape[0]
    head, rest = shift[:n], shift[n:]
    turn = jnp.concatenate([e.core @ head + e.cross @ rest, head @ e.cross + e.diagonal * rest])
    value = e.value + shift @ (e.gradient + 0.5 * turn)
    return e._replace(value=value, gradient=e.gradient + turn)


def _floored(hessian: Array, floor: Array) -> tuple[Array, Array]:
    """Eigenvalues of -hessian made safe to divide by, and its eigenvectors.

    A clearly positive curvature is used as it is; a flat or negative one is replaced by its
    size, at least ``floor``, so that the step climbs and stays short.
    """
    w, v = jnp.linalg.eigh(-hessian)
    return jnp.where(w > _FLAT, w, jnp.maximum(jnp.abs(w), v.T**2 @ floor)), v


def _solve(
    problem: Problem, x: Array, e: Expansion, held: Array, goal: Goal
) -> tuple[Array, Array]:
    """Damped step and Newton decrement with the held coordinates staying where they are."""
    value, slope, core, tail, cross, curve = _eliminate_tail(e, held)
    n = core.shape[0]
    steep = jnp.abs(core[0, 0])
    first = jax.lax.rsqrt(jnp.where(steep > 0.0, steep, 1.0))
    unit = jnp.concatenate([first[None], _units(problem)[: n - 1]])
    floor = jnp.where(problem.gaussian[: n - 1], _FLOOR_GAUSSIAN, _FLOOR_BOX)
    floor = jnp.concatenate([jnp.array([_FLOOR_BOX]), floor])
    g, h = slope * unit, core * unit * unit[:, None]
    # A crossing treats the strength apart: its row is cut loose before the nuisances are solved.
    apart = goal.crossing & (jnp.arange(n) == 0)
    loose = jnp.where(apart | apart[:, None], -jnp.eye(n), h)
    w, v = _floored(loose, floor)
    pull = jnp.where(apart, 0.0, g)
    step = v @ ((v.T @ pull) / w)
    decrement = pull @ step
    # Newton for the root of the depth below the top, which is linear in a for a parabola;
    # value + g P g/2 is the height of the profile at a, ga its slope.
    mixed = jnp.where(apart, 0.0, h[0])
    ga = g[0] + mixed @ step
    depth = goal.top - value - 0.5 * decrement
    below = goal.crossing & (depth > 1e-6 * goal.drop) & (ga < 0.0)
    root = jnp.sqrt(jnp.where(below, depth, 1.0))
    missing = 2.0 * (jnp.sqrt(goal.drop) - root) * root
    far = 2.0 * (jnp.abs(x[0] - goal.origin) + goal.scale) / first
    da = jnp.clip(jnp.where(below, missing / jnp.where(below, -ga, 1.0), far), -far, far)
    along = (v @ ((v.T @ mixed) / w)).at[0].set(1.0)
    step = step + jnp.where(goal.crossing, along * da, 0.0)
    shorten = jnp.minimum(1.0, safe_divide(jnp.asarray(_LONGEST), safe_norm(step[1:]), 1.0))
    dcore = step * unit * shorten
    dtail = -(tail + cross.T @ dcore) / curve
    decrement = decrement - jnp.sum(tail**2 / curve)
    return jnp.where(held, 0.0, jnp.concatenate([dcore, dtail])), decrement


def _units(problem: Problem) -> Array:
    """Natural step of each nuisance: its prior width, or half its box."""
    half = 0.5 * (problem.upper - problem.lower)
    box = jnp.where(jnp.isfinite(half), half, 1.0)
    return jnp.where(problem.gaussian, problem.width, box)


def _newton_step(problem: Problem, x: Array, e: Expansion, goal: Goal) -> tuple[Array, ...]:
    """Damped step inside the box, Newton decrement, and the coordinates held at a bound."""
    held = _at_bounds(problem, x, e.gradient).at[0].set(~goal.free)

    def attempt(k: Array, carry: tuple[Array, ...]) -> tuple[Array, ...]:
        # Coordinates that would leave the box go to its face; the others are solved again.
        step, decrement, stay = carry
        inside = _clip(problem, x + step)
        stay = stay | (inside != x + step)
        shift = jnp.where(stay, inside - x, 0.0)
        rest, now = _solve(problem, x, _shifted(e, shift), stay, goal)
        return shift + rest, jnp.where(k == 0, now, decrement), stay

    begin = (jnp.zeros_like(x), jnp.zeros(()), held)
    step, decrement, _ = jax.lax.fori_loop(0, 3, attempt, begin)
    return step, decrement, held


def _clip(problem: Problem, x: Array) -> Array:
    return jnp.concatenate([x[:1], jnp.clip(x[1:], problem.lower, problem.upper)])


class _Search(NamedTuple):
    best: Solution
    step: Array
    fraction: Array
    refused: Array


def iterate(problem: Problem, start: Array, data: PyTree, goal: Goal, iterations: int) -> Solution:
    """Newton steps towards a goal; a crossing first relaxes its nuisances for a quarter as many.

    Off the ridge of the profile the slope of F in the strength means little. Each pass expands F
    at one point; a point outside the domain, or one that does not climb as promised, costs a pass
    in which the step is shortened. The loop carries no derivative, see :func:`attach`.
    """
    relax = jnp.where(goal.crossing, iterations // 4, 0)
    last = iterations + relax

    def going(carry: tuple[Array, _Search]) -> Array:
        k, (best, *_) = carry
        # Rounding errors of gradient and value are the floor of decrement and residual.
        flat = best.decrement < 1e-22
        level = jnp.abs(best.residual) < 1e-15 * (1.0 + jnp.abs(best.value))
        return (k <= last) & ~(flat & level & (k > relax + 1))

    def advance(carry: tuple[Array, _Search]) -> tuple[Array, _Search]:
        k, search = carry
        best = search.best
        x = _clip(problem, best.x + search.fraction * search.step)
        e = problem.expansion(x, data)
        inside = jnp.isfinite(e.value)
        # Below the rounding error of F every step is good enough.
        noise = 1e-12 * (1.0 + jnp.abs(e.value))
        promised = 1e-4 * search.fraction * best.decrement
        climbs = e.value >= best.value + promised - noise
        good = inside & (climbs | (goal.crossing & (k > relax)) | (k == 0))
        now = goal._replace(crossing=goal.crossing & (k >= relax), free=goal.free & (k >= relax))
        step, decrement, held = _newton_step(problem, x, e, now)
        residual = jnp.where(goal.crossing, e.value - goal.top + goal.drop, 0.0)
        bend = profile_curvature(problem, e, held)
        here = Solution(x, e.value, decrement, residual, held, bend, best.blocked)
        chosen = jax.tree.map(lambda new, old: jnp.where(good, new, old), here, best)
        refused = jnp.where(inside, search.refused, k)
        chosen = chosen._replace(blocked=(refused > last - 4) & (refused > 0))
        fraction = jnp.where(good, 1.0, 0.3 * search.fraction)
        return k + 1, _Search(chosen, jnp.where(good, step, search.step), fraction, refused)

    x, zero = _clip(problem, start), jnp.zeros(())
    nowhere = Solution(
        x, -jnp.inf * jnp.ones(()), zero, zero, jnp.zeros(x.shape, bool), zero, jnp.zeros((), bool)
    )
    begin = _Search(nowhere, jnp.zeros_like(x), zero, jnp.zeros((), int))
    return jax.lax.while_loop(going, advance, (jnp.zeros((), int), begin))[1].best


def frozen(tree: Any) -> Any:
    return jax.tree.map(lambda v: jax.lax.stop_gradient(v) if eqx.is_array(v) else v, tree)


def maximise(
    problem: Problem,
    start: Float[Array, " n"],
    data: PyTree,
    *,
    fix_strength: bool = False,
    iterations: int = 16,
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
    iterations: int = 16,
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


def profile_curvature(problem: Problem, e: Expansion, held: Bool[Array, " n"]) -> Float[Array, ""]:
    """Second derivative of the profile of F in the strength, F_aa - F_az H_zz^-1 F_za.

    Nuisances in a finite box stay where they are: a flat one that is degenerate with the
    strength would make the curvature zero, although its box does bound the strength.

    Parameters
    ----------
    problem : Problem
        Likelihood and nuisances.
    e : Expansion
        At a maximum over the nuisances.
    held : bool array, shape (1 + K + h,)
        Coordinates held at a bound.

    Returns
    -------
    float array, shape ()
        Negative at a maximum; sigma = (-curvature)^(-1/2).
    """
    boxed = ~problem.gaussian & jnp.isfinite(problem.upper - problem.lower)
    stay = held.at[0].set(False) | jnp.concatenate([jnp.zeros(1, bool), boxed])
    _, _, core, _, _, _ = _eliminate_tail(e, stay)
    if core.shape[0] == 1:
        return core[0, 0]
    flat = jnp.where(problem.gaussian[: core.shape[0] - 1], 0.0, 1e-12)
    inner = core[1:, 1:] - jnp.diag(flat)
    return core[0, 0] - core[0, 1:] @ jnp.linalg.solve(inner, core[1:, 0])
