"""Flux points: the signal of each energy bin fitted alone, with asymmetric errors.

The profile p(S) = max_A ln L(S, A) of one bin is concave, and defined for all S if the background
covers every pixel: a negative signal pushes A up along the edge mu = 0. With N counts,
S sum T + A sum B = N at the maximum, which bounds it:

    -N/(m sum B - sum T) <= S_hat <= N/sum T,      m = max_p T/B.

Where it does not, only S >= 0 is defined.

Several images k of one bin (modules, observations) share the signal as w_k S, with a background
each; the maximum of the sum lies between those of the images alone.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..numerics import bracketed_root, safe_divide
from .poisson import TemplatePoisson

_DROP = 0.5  # fall of ln L at one standard error
_DOUBLINGS = 60


class FluxPoints(NamedTuple):
    """Signals in counts over the whole point-spread function; dF/dE = signal/(exposure dE).

    Attributes
    ----------
    signal, background : float array, shape (bins,)
        S_hat and A_hat; for several images A_hat has shape (images, bins).
    sigma : float array, shape (bins,)
        [-(L_SS - L_SA^2/L_AA)]^(-1/2) at the maximum; infinite without counts.
    plus, minus : float array, shape (bins,)
        Distances above and below S_hat at which the profile has fallen by 1/2.
    a_at_zero, at_boundary : bool array, shape (bins,)
        Whether A_hat = 0, or an empty pixel holds the fit at mu = 0: errors then mean little, and
        ``minus`` ends where the signal does. Of several images, whether one of them is so.
    """

    signal: Array
    background: Array
    sigma: Array
    plus: Array
    minus: Array
    a_at_zero: Array
    at_boundary: Array


@eqx.filter_jit
def flux_points(likelihood: TemplatePoisson) -> FluxPoints:
    """Best signal of each bin with asymmetric errors from the profile likelihood.

    p(S_hat) - p(S_hat + plus) = p(S_hat) - p(S_hat - minus) = 1/2.

    Parameters
    ----------
    likelihood : TemplatePoisson
        Counts and templates; the background template must not vanish where the signal does not.

    Returns
    -------
    FluxPoints
        One point per bin, with first derivatives in counts and templates.

    References
    ----------
    Dessert, Foster, Safdi 2020 (arXiv:2008.03305), section III and figure 2.
    """
    found = joint_flux_points(likelihood, jnp.ones((1, likelihood.counts.shape[0])))
    return found._replace(background=found.background[0])


@eqx.filter_jit
def joint_flux_points(
    likelihood: TemplatePoisson, weights: Float[Array, "images bins"], drop: ArrayLike = _DROP
) -> FluxPoints:
    """Best signal of each bin in several images together, each with its own background.

    Parameters
    ----------
    likelihood : TemplatePoisson
        Rows are images times bins, images first; where a background does not cover the signal,
        that is not negative.
    weights : float array, shape (images, bins)
        Signal of each image for a common signal of 1: with exposures, the common signal is a
        rate; all > 0.
    drop : float array, shape ()
        Fall of ln L that ``plus`` and ``minus`` stand for, 1/2 for one standard error.

    Returns
    -------
    FluxPoints
        One point per bin in the unit of the common signal, with first derivatives in counts,
        templates and weights.

    References
    ----------
    Dessert, Foster, Safdi 2020 (arXiv:2008.03305), section III and figure 2.
    """
    images, bins = weights.shape

    def by_bin(x: Array) -> Array:
        return jnp.moveaxis(x.reshape(images, bins, *x.shape[1:]), 0, 1)

    rows = jax.tree.map(by_bin, likelihood)
    found = jax.vmap(_point, (0, 0, None))(rows, jnp.moveaxis(weights, 0, 1), drop)
    return found._replace(background=jnp.moveaxis(found.background, 0, 1))


def _height(s: Array, theta: PyTree) -> Array:
    model, weight = theta
    return jnp.sum(model.profile(s * weight).value)


def _slope(s: Array, theta: PyTree) -> Array:
    """dp/dS: the envelope theorem inside, along the edge A = -S max(T/B) where that holds A."""
    model, weight = theta
    best = model.profile(s * weight)
    e = model.blocks(s * weight, best.background)
    steepest = jnp.max(safe_divide(model.signal_template, model.background_template), axis=-1)
    each = e.S - jnp.where(best.at_boundary, e.A * steepest, 0.0)
    return jnp.sum(weight * each)


def _point(one: TemplatePoisson, weight: Array, drop: ArrayLike) -> FluxPoints:
    """Flux point of one bin; rows of ``one`` are its images."""
    t, b = one.signal_template, one.background_template
    total, sum_t = jnp.sum(one.counts, axis=-1), jnp.sum(t, axis=-1)
    steepest = jnp.max(safe_divide(t, b), axis=-1)
    # A pixel without background allows no negative signal.
    bare = jnp.any((t > 0.0) & (b == 0.0))
    low = jnp.min(-total / (steepest * jnp.sum(b, axis=-1) - sum_t) / weight)
    low = jnp.where(bare, 0.0, low)
    high = jnp.max(total / sum_t / weight)
    theta = (one, weight)
    # A maximum at the edge of the domain is an end of the bracket, where the slope jumps.
    best = jnp.clip(bracketed_root(_slope, theta, low, high), low, high)
    # An image without counts bends the profile at S = 0, where the slope jumps too.
    blank = total == 0.0
    null = (total / jnp.sum(b, axis=-1))[:, None] * b
    right = jnp.sum(weight * (jnp.sum(safe_divide(t * one.counts, null), axis=-1) - sum_t))
    left = right + jnp.sum(jnp.where(blank, weight * steepest * jnp.sum(b, axis=-1), 0.0))
    best = jnp.where(jnp.any(blank) & (right <= 0.0) & (left >= 0.0), 0.0, best)
    top = one.profile(best * weight)
    e = one.blocks(best * weight, top.background)
    information = -jnp.sum(weight**2 * (e.SS - safe_divide(e.SA**2, e.AA)))
    curved = information > 0.0
    sigma = jnp.where(curved, jax.lax.rsqrt(jnp.where(curved, information, 1.0)), jnp.inf)

    room = jnp.where(bare, jax.lax.stop_gradient(best), jnp.inf)

    def missing(x: Array, given: PyTree) -> Array:
        model, peak, centre, sign = given
        return _height(centre + sign * x, model) - peak + drop

    def error(sign: Array) -> Array:
        given = (theta, jnp.sum(top.value), best, sign)
        fixed = jax.lax.stop_gradient(given)

        def inside(carry: tuple[Array, Array]) -> Array:
            return (carry[0] < _DOUBLINGS) & (missing(carry[1], fixed) > 0.0)

        first = jnp.asarray(drop / jnp.sum(jax.lax.stop_gradient(weight * sum_t)))
        start = (jnp.zeros((), int), first)
        end = jax.lax.while_loop(inside, lambda c: (c[0] + 1, 2.0 * c[1]), start)[1]
        farthest = jnp.where(sign < 0.0, room, jnp.inf)
        root = bracketed_root(missing, given, 0.0, jnp.minimum(end, farthest))
        return jnp.clip(root, 0.0, farthest)

    plus, minus = jax.vmap(error)(jnp.array([1.0, -1.0]))
    return FluxPoints(
        best,
        top.background,
        sigma,
        plus,
        minus,
        jnp.any(top.a_at_zero),
        jnp.any(top.at_boundary) | (bare & (best <= 0.0)),
    )
