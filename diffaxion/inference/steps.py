"""One damped Newton step towards a maximum or a level crossing, inside the box of the nuisances.

The tail A of the unknowns is eliminated first, then zeta by a Schur complement with floored
eigenvalues:

    maximum:   da = -(F_a - F_az H_zz^-1 F_z) / (F_aa - F_az H_zz^-1 F_za)
    crossing:  da = 2 (D^1/2 - d^1/2) D^1/2 / (F_a - F_z H_zz^-1 F_za)
               (Newton for D^1/2 = d^1/2; D = F_max - F + F_z H_zz^-1 F_z/2, d = q/2)
    both:      dzeta = -H_zz^-1 (F_z + F_za da).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..numerics import safe_divide, safe_norm
from .problem import Expansion, Problem

LONGEST = 1.5  # longest first step in zeta, in units of its width; doubled by each success
_FLOOR_GAUSSIAN, _FLOOR_BOX = 0.3, 0.05  # least curvature in those units along which to step
_FLAT = 1e-3  # curvature above which it is trusted
_RELAXED = 0.2  # decrement of the nuisances, in units of the drop, below which a crossing moves


class Goal(NamedTuple):
    """What a step aims at: the maximum, with or without the strength, or a crossing."""

    free: Array
    crossing: Array
    top: Array
    drop: Array
    origin: Array
    scale: Array
    longest: Array | float = LONGEST
    low: Array | float = -float("inf")
    high: Array | float = float("inf")


def at_bounds(problem: Problem, x: Array, gradient: Array) -> Array:
    low = (x[1:] <= problem.lower) & (gradient[1:] < 0.0)
    high = (x[1:] >= problem.upper) & (gradient[1:] > 0.0)
    return jnp.concatenate([jnp.zeros(1, bool), low | high])


def eliminate_tail(e: Expansion, held: Array) -> tuple[Array, Array, Array, Array, Array, Array]:
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
    problem: Problem, x: Array, e: Expansion, held: Array, goal: Goal, relax: Array
) -> tuple[Array, Array, Array]:
    """Damped step, its decrement, and whether nuisances must relax before the strength moves.

    ``held`` coordinates stay where they are. Off its ridge the slope of the profile means little:
    a crossing moves its strength only where the nuisances are near their best, and not at all
    with ``relax``.
    """
    value, slope, core, tail, cross, curve = eliminate_tail(e, held)
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
    gain = pull @ step
    decrement = gain - jnp.sum(tail**2 / curve)
    relax = relax | (goal.crossing & (decrement > _RELAXED * goal.drop))
    # Newton for the root of the depth below the top, which is linear in a for a parabola;
    # value + g P g/2 is the height of the profile at a, ga its slope.
    mixed = jnp.where(apart, 0.0, h[0])
    ga = g[0] + mixed @ step
    depth = goal.top - value - 0.5 * gain
    below = goal.crossing & (depth > 1e-6 * goal.drop) & (ga < 0.0)
    root = jnp.sqrt(jnp.where(below, depth, 1.0))
    missing = 2.0 * (jnp.sqrt(goal.drop) - root) * root
    far = 2.0 * (jnp.abs(x[0] - goal.origin) + goal.scale)
    low = jnp.maximum(-far, 0.9 * (goal.low - x[0])) / first
    high = jnp.minimum(far, 0.9 * (goal.high - x[0])) / first
    da = jnp.where(below, missing / jnp.where(below, -ga, 1.0), far / first)
    da = jnp.where(goal.crossing & ~relax, jnp.clip(da, low, high), 0.0)
    along = (v @ ((v.T @ mixed) / w)).at[0].set(1.0)
    step = step + along * da
    shorten = jnp.minimum(1.0, safe_divide(jnp.asarray(goal.longest), safe_norm(step[1:]), 1.0))
    dcore = step * unit * shorten
    dtail = -(tail + cross.T @ dcore) / curve
    return jnp.where(held, 0.0, jnp.concatenate([dcore, dtail])), decrement, relax


def _units(problem: Problem) -> Array:
    """Natural step of each nuisance: its prior width, or half its box."""
    half = 0.5 * (problem.upper - problem.lower)
    box = jnp.where(jnp.isfinite(half), half, 1.0)
    return jnp.where(problem.gaussian, problem.width, box)


class _Step(NamedTuple):
    dx: Array
    plain: Array  # before it meets the box: surely uphill, if short enough
    decrement: Array
    held: Array
    relax: Array


def newton_step(
    problem: Problem, x: Array, e: Expansion, held: Array, alone: Array, goal: Goal
) -> _Step:
    """Damped step inside the box; of the strength only, if ``alone``."""
    core = (jnp.arange(x.shape[0]) > 0) & (jnp.arange(x.shape[0]) < e.core.shape[0])

    def attempt(k: Array, now: _Step) -> _Step:
        # Coordinates that would leave the box go to its face; the others are solved again.
        inside = clip(problem, x + now.dx)
        stay = now.held | (inside != x + now.dx)
        shift = jnp.where(stay, inside - x, 0.0)
        rest, decrement, relax = _solve(problem, x, _shifted(e, shift), stay, goal, now.relax)
        first = k == 0
        return _Step(
            shift + rest,
            jnp.where(first, rest, now.plain),
            jnp.where(first, decrement, now.decrement),
            stay,
            jnp.where(first, relax, now.relax),
        )

    no = jnp.zeros((), bool)
    begin = _Step(jnp.zeros_like(x), jnp.zeros_like(x), jnp.zeros(()), held | (alone & core), no)
    return jax.lax.fori_loop(0, 3, attempt, begin)


def clip(problem: Problem, x: Array) -> Array:
    return jnp.concatenate([x[:1], jnp.clip(x[1:], problem.lower, problem.upper)])


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
    _, _, core, _, _, _ = eliminate_tail(e, stay)
    if core.shape[0] == 1:
        return core[0, 0]
    flat = jnp.where(problem.gaussian[: core.shape[0] - 1], 0.0, 1e-12)
    inner = core[1:, 1:] - jnp.diag(flat)
    return core[0, 0] - core[0, 1:] @ jnp.linalg.solve(inner, core[1:, 0])
