"""Bayesian limits on a coupling of one dimension, by quadrature, for four named priors.

G = g/g_ref >= 0, u = G^2, a = G^4. Each prior has a density in the variable v that is integrated,

    uniform_g: 1,   uniform_g2: 2 G,   uniform_g4: 4 G^3   (v = G),   log10_g: 1   (v = log10 G),

and the 95 % limit is the root of

    int_{v_min}^{v} L pi dv' = 0.95 int_{v_min}^{v_max} L pi dv'.

``log10_g`` is proper only on a stated range, whose lower end decides the limit: it has no default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, PyTree

from ..errors import ConfigurationError
from ..numerics import bracketed_root, gauss_legendre, safe_divide, safe_log, safe_sqrt
from .limits import LimitStatus

Prior = Literal["uniform_g", "uniform_g2", "uniform_g4", "log10_g"]
PRIORS: tuple[Prior, ...] = ("uniform_g", "uniform_g2", "uniform_g4", "log10_g")

_POWER = {"uniform_g": 1, "uniform_g2": 2, "uniform_g4": 4}
_PANELS, _NODES = 32, 8
_DEPTH = 45.0  # depth in ln L beyond which a Gaussian posterior is cut


class BayesLimit(NamedTuple):
    """A credible upper limit.

    Attributes
    ----------
    G : float array, shape ()
        g/g_ref at the limit.
    u : float array, shape ()
        Its square.
    log_evidence : float array, shape ()
        ln of the integral of L times the density above, for log10_g divided by its range.
    status : int array, shape ()
        NOT_BRACKETED if the posterior has not fallen off at the upper end of the range.
    """

    G: Float[Array, ""]
    u: Float[Array, ""]
    log_evidence: Float[Array, ""]
    status: Int[Array, ""]


def _coupling(v: Array, prior: Prior) -> Array:
    return jnp.exp(jnp.log(10.0) * v) if prior == "log10_g" else v


def _density(v: Array, prior: Prior) -> Array:
    power = _POWER.get(prior, 1)
    return power * v ** (power - 1) if power > 1 else jnp.ones_like(v)


def _variable(strength: Array, prior: Prior, order: int) -> Array:
    """v at a strength G^(2 order)."""
    if prior == "log10_g":
        return safe_log(strength, 1e-200) / (2.0 * order * jnp.log(10.0))
    root = safe_sqrt(strength)
    return root if order == 1 else safe_sqrt(root)


def _log_range(prior: Prior, log10_range: tuple[ArrayLike, ArrayLike] | None) -> tuple | None:
    if prior == "log10_g":
        if log10_range is None:
            raise ConfigurationError(
                "prior log10_g needs log10_range=(low, high) in log10(g/g_ref): the lower end "
                "decides the limit"
            )
        return tuple(jnp.asarray(v, float) for v in log10_range)
    if prior not in PRIORS:
        raise ConfigurationError(f"unknown prior {prior!r}; known are {', '.join(PRIORS)}")
    return None


def gaussian_bayes_limit(
    a_hat: ArrayLike,
    sigma: ArrayLike,
    prior: Prior = "uniform_g",
    *,
    order: int = 2,
    level: ArrayLike = 0.95,
    log10_range: tuple[ArrayLike, ArrayLike] | None = None,
) -> BayesLimit:
    """Credible limit on G from a Gaussian likelihood in the strength.

    ln L = -(s - a_hat)^2/(2 sigma^2) with s = G^(2 order).

    Parameters
    ----------
    a_hat, sigma : float array, shape ()
        Maximum and error of the strength, u for order 1 or a for order 2; a_hat may be negative.
    prior : str
        One of ``PRIORS``, static.
    order : int
        1 if the signal is linear in g^2, 2 if linear in g^4; static.
    level : float array, shape ()
        Credibility.
    log10_range : tuple of float, optional
        Range of log10 G, required by the prior log10_g.

    Returns
    -------
    BayesLimit
        Limit in units of g_ref.

    Raises
    ------
    ConfigurationError
        If the prior is unknown, or log10_g has no range.

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514): uniform in g; the others for comparison.
    """
    bounds = _log_range(prior, log10_range)
    centre, width = jnp.asarray(a_hat, float), jnp.asarray(sigma, float)
    x = jax.lax.stop_gradient(centre / width)
    s = jax.lax.stop_gradient(width)
    # Where ln L is _DEPTH below its maximum on s >= 0.
    top = x + jnp.sqrt(jnp.minimum(x, 0.0) ** 2 + 2.0 * _DEPTH)
    bottom = jnp.maximum(x - jnp.sqrt(2.0 * _DEPTH), 0.0)
    lo, hi = _variable(bottom * s, prior, order), _variable(top * s, prior, order)
    contained = jnp.ones((), bool)
    if bounds is not None:
        low, high = bounds
        contained = hi <= high
        lo, hi = jnp.clip(lo, low, high), jnp.clip(hi, low, high)
    height = -0.5 * jnp.minimum(x, 0.0) ** 2

    def integral(end: Array, theta: tuple[Array, Array]) -> Array:
        c, w = theta
        edges = lo + (end - lo) * jnp.linspace(0.0, 1.0, _PANELS + 1)
        v, weight = jax.vmap(lambda a, b: gauss_legendre(_NODES, a, b))(edges[:-1], edges[1:])
        pull = (_coupling(v, prior) ** (2 * order) - c) / w
        return jnp.sum(weight * _density(v, prior) * jnp.exp(-0.5 * pull**2 - height))

    v, log_integral = _quantile(integral, (centre, width), lo, hi, level)
    return _finish(v, log_integral + height, prior, bounds, contained)


def grid_bayes_limit(
    u: Float[Array, " n"],
    log_like: Float[Array, " n"],
    prior: Prior = "uniform_g",
    *,
    level: ArrayLike = 0.95,
    log10_range: tuple[ArrayLike, ArrayLike] | None = None,
) -> BayesLimit:
    """Credible limit on G from values of ln L on a grid of u = G^2.

    ln L is interpolated by cubic Hermite polynomials in u; each cell is integrated by a
    Gauss-Legendre rule in v.

    Parameters
    ----------
    u : float array, shape (n,)
        Increasing grid, u >= 0, starting at 0 except for log10_g, which may start at its lower end.
    log_like : float array, shape (n,)
        ln L, up to a constant.
    prior : str
        One of ``PRIORS``, static.
    level : float array, shape ()
        Credibility.
    log10_range : tuple of float, optional
        Range of log10 G, required by log10_g and to lie inside the grid.

    Returns
    -------
    BayesLimit
        Limit in units of g_ref; NOT_BRACKETED if ln L at the last node is within 7 of the maximum.

    Raises
    ------
    ConfigurationError
        If the prior is unknown, or log10_g has no range.

    References
    ----------
    As :func:`gaussian_bayes_limit`.
    """
    bounds = _log_range(prior, log10_range)
    u, values = jnp.asarray(u, float), jnp.asarray(log_like, float)
    peak = jax.lax.stop_gradient(jnp.max(values))
    edges = _variable(u, prior, 1)
    if bounds is not None:
        edges = jnp.clip(edges, *bounds)
    slope = _slopes(u, values)

    def integral(end: Array, t: tuple[Array, Array]) -> Array:
        v, weight = jax.vmap(lambda a, b: gauss_legendre(_NODES, a, b))(
            jnp.minimum(edges[:-1], end), jnp.minimum(edges[1:], end)
        )
        like = jnp.exp(_hermite(_coupling(v, prior) ** 2, u, *t) - peak)
        return jnp.sum(weight * _density(v, prior) * like)

    v, log_integral = _quantile(integral, (values, slope), edges[0], edges[-1], level)
    fallen = values[-1] < peak - 7.0
    return _finish(v, log_integral + peak, prior, bounds, fallen)


def _quantile(
    integral: Callable[[Array, PyTree], Array],
    theta: PyTree,
    lo: Array,
    hi: Array,
    level: ArrayLike,
) -> tuple[Array, Array]:
    """v below which the fraction ``level`` of the integral lies, and ln of the integral."""

    def residual(v: Array, t: PyTree) -> Array:
        return safe_divide(integral(v, t), integral(hi, t), 1.0) - level

    return bracketed_root(residual, theta, lo, hi), safe_log(integral(hi, theta))


def _slopes(x: Array, y: Array) -> Array:
    """Derivatives at the nodes from the parabola through three neighbours."""
    h, d = jnp.diff(x), jnp.diff(y) / jnp.diff(x)
    inner = (h[1:] * d[:-1] + h[:-1] * d[1:]) / (h[1:] + h[:-1])
    return jnp.concatenate([(2.0 * d[0] - inner[0])[None], inner, (2.0 * d[-1] - inner[-1])[None]])


def _hermite(at: Array, x: Array, y: Array, slope: Array) -> Array:
    k = jnp.clip(jnp.searchsorted(x, at, side="right") - 1, 0, x.shape[0] - 2)
    h = x[k + 1] - x[k]
    t = jnp.clip((at - x[k]) / h, 0.0, 1.0)
    start = (1.0 + 2.0 * t) * (1.0 - t) ** 2 * y[k] + t * (1.0 - t) ** 2 * h * slope[k]
    return start + t**2 * (3.0 - 2.0 * t) * y[k + 1] - t**2 * (1.0 - t) * h * slope[k + 1]


def _finish(
    v: Array, log_integral: Array, prior: Prior, bounds: tuple | None, contained: Array
) -> BayesLimit:
    G = _coupling(v, prior)
    if bounds is not None:
        log_integral = log_integral - jnp.log(bounds[1] - bounds[0])
    status = jnp.where(contained, int(LimitStatus.OK), int(LimitStatus.NOT_BRACKETED))
    return BayesLimit(G, G**2, log_integral, status)
