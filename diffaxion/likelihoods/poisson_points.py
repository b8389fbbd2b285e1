"""Flux points: the signal of each energy bin fitted alone, with asymmetric errors.

The profile p(S) = max_A ln L(S, A) of one bin is concave, and defined for all S if the background
covers every pixel: a negative signal pushes A up along the edge mu = 0. With N counts,
S sum T + A sum B = N at the maximum, which bounds it:

    -N/(m sum B - sum T) <= S_hat <= N/sum T,      m = max_p T/B.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from ..numerics import bracketed_root, safe_divide
from .poisson import TemplatePoisson

_DROP = 0.5  # fall of ln L at one standard error
_DOUBLINGS = 60


class FluxPoints(NamedTuple):
    """Signals in counts over the whole point-spread function; dF/dE = signal/(exposure dE).

    Attributes
    ----------
    signal, background : float array, shape (bins,)
        S_hat and A_hat.
    sigma : float array, shape (bins,)
        [-(L_SS - L_SA^2/L_AA)]^(-1/2) at the maximum; infinite without counts.
    plus, minus : float array, shape (bins,)
        Distances above and below S_hat at which the profile has fallen by 1/2.
    a_at_zero, at_boundary : bool array, shape (bins,)
        Whether A_hat = 0, or an empty pixel holds the fit at mu = 0: errors then mean little.
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

    def one(c: Array, t: Array, b: Array) -> FluxPoints:
        return _point(TemplatePoisson(c[None], t[None], b[None]))

    return jax.vmap(one)(
        likelihood.counts, likelihood.signal_template, likelihood.background_template
    )


def _height(s: Array, theta: PyTree) -> Array:
    return theta.profile(s[None]).value[0]


def _slope(s: Array, theta: PyTree) -> Array:
    """dp/dS: the envelope theorem inside, along the edge A = -S max(T/B) where that holds A."""
    best = theta.profile(s[None])
    e = theta.blocks(s[None], best.background)
    steepest = jnp.max(safe_divide(theta.signal_template, theta.background_template), axis=-1)
    return (e.S - jnp.where(best.at_boundary, e.A * steepest, 0.0))[0]


def _point(one: TemplatePoisson) -> FluxPoints:
    t, b = one.signal_template[0], one.background_template[0]
    total, steepest = jnp.sum(one.counts), jnp.max(safe_divide(t, b))
    low = -total / (steepest * jnp.sum(b) - jnp.sum(t))
    high = total / jnp.sum(t)
    # A maximum at the edge of the domain is an end of the bracket, where the slope jumps.
    best = jnp.clip(bracketed_root(_slope, one, low, high), low, high)
    top = one.profile(best[None])
    e = one.blocks(best[None], top.background)
    information = -(e.SS - safe_divide(e.SA**2, e.AA))[0]
    curved = information > 0.0
    sigma = jnp.where(curved, jax.lax.rsqrt(jnp.where(curved, information, 1.0)), jnp.inf)

    def missing(x: Array, theta: PyTree) -> Array:
        model, peak, centre, sign = theta
        return _height(centre + sign * x, model) - peak + _DROP

    def error(sign: float) -> Array:
        theta = (one, top.value[0], best, jnp.asarray(sign))
        fixed = jax.lax.stop_gradient(theta)

        def inside(carry: tuple[Array, Array]) -> Array:
            return (carry[0] < _DOUBLINGS) & (missing(carry[1], fixed) > 0.0)

        first = _DROP / jnp.sum(fixed[0].signal_template)
        start = (jnp.zeros((), int), first)
        end = jax.lax.while_loop(inside, lambda c: (c[0] + 1, 2.0 * c[1]), start)[1]
        return bracketed_root(missing, theta, 0.0, end)

    return FluxPoints(
        best,
        top.background[0],
        sigma,
        error(1.0),
        error(-1.0),
        top.a_at_zero[0],
        top.at_boundary[0],
    )
