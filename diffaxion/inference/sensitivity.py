"""Expected limits from Fisher information, evaluated at the limit, and what they depend on.

The expected limit without nuisances of their own is a = z sigma(a): sigma at the limit itself,
because a nuisance that multiplies the signal leaves no trace in the information at a = 0. The
fixed point is a root with an implicit derivative, so that d ln g_95/d anything (exposures,
backgrounds, widths of priors, fields, noise) comes in one reverse pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..errors import DataError
from ..likelihoods.gaussian import GaussianPoints
from ..numerics.roots import bracketed_root
from .fisher import Impacts, fisher_information, strength_sigma
from .limits import Q_95
from .newton import maximise
from .problem import Problem
from .profile import Asimov

Z_95 = Q_95**0.5
"""One-sided 95 per cent in standard deviations, 1.6448536."""

REACH = 1e4
"""Largest ratio of the limit to z sigma(0) that is looked for."""


class ExpectedStrength(NamedTuple):
    """Expected limit on a strength from information alone.

    Attributes
    ----------
    strength : float array, shape ()
        a with a = z sigma(a); infinite if there is none within ``REACH`` z sigma(0).
    sigma, sigma_at_zero : float array, shape ()
        Error of the strength at the limit, and without signal.
    """

    strength: Array
    sigma: Array
    sigma_at_zero: Array


def counts_information(
    expected: Callable[..., Array],
    theta: Float[Array, " k"],
    *args: Any,
    prior_width: ArrayLike | None = None,
) -> Float[Array, "k k"]:
    """F = sum_p (d_a mu_p)(d_b mu_p)/mu_p + diag(1/width^2) of Poisson counts.

    Parameters
    ----------
    expected : callable
        (theta, *args) -> expected counts mu, shape (p,); empty pixels (0) carry no information.
    theta : float array, shape (k,)
        Strength first, then nuisances and backgrounds.
    *args : pytrees
        Further arguments of the expectation.
    prior_width : float array, shape (k,), optional
        Widths of Gaussian priors; infinite for none.

    Returns
    -------
    float array, shape (k, k)
        Information, in inverse units of theta.

    References
    ----------
    Tegmark, Taylor, Heavens 1997 (arXiv:astro-ph/9603021); Edwards & Weniger 2018,
    arXiv:1704.05458 (Poisson).
    """
    mu = expected(theta, *args)
    filled = mu > 0.0
    weight = jnp.where(filled, 1.0 / jnp.where(filled, mu, 1.0), 0.0)
    jacobian = jax.jacfwd(lambda t: expected(t, *args))(theta)
    information = jacobian.T @ (weight[:, None] * jacobian)
    if prior_width is None:
        return information
    return information + jnp.diag(jnp.asarray(prior_width, float) ** -2)


def strength_at_limit(
    sigma: Callable[[Float[Array, ""], PyTree], Float[Array, ""]],
    args: PyTree,
    z: ArrayLike = Z_95,
) -> ExpectedStrength:
    """The fixed point a = z sigma(a), differentiable in everything that sigma depends on.

    Parameters
    ----------
    sigma : callable
        (strength, args) -> error of the strength when that strength is there.
    args : pytree
        What sigma depends on, the arguments of derivatives.
    z : float array, shape ()
        Standard deviations of the limit.

    Returns
    -------
    ExpectedStrength
        Limit and errors, in the unit of the strength.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727), section 4; the fixed point in place of sigma at zero.
    """
    zero = sigma(jnp.zeros(()), args)
    begin = jnp.log(z * zero)
    finite = jnp.isfinite(begin)
    begin = jax.lax.stop_gradient(jnp.where(finite, begin, 0.0))

    def residual(x: Array, theta: PyTree) -> Array:
        return x - jnp.log(z * sigma(jnp.exp(x), theta))

    far = begin + jnp.log(REACH)
    end = residual(far, jax.lax.stop_gradient(args))
    found = finite & (end > 0.0)
    x = bracketed_root(residual, args, begin - jnp.log(REACH), far)
    strength = jnp.where(found, jnp.exp(jnp.where(found, x, 0.0)), jnp.inf)
    at_limit = jnp.where(found, sigma(jnp.exp(jnp.where(found, x, 0.0)), args), jnp.inf)
    return ExpectedStrength(strength, at_limit, zero)


def signal_sigma(
    strength: Float[Array, ""],
    response: Callable[..., Array],
    nuisances: Float[Array, " k"],
    points: GaussianPoints,
    *args: Any,
    prior_width: ArrayLike = 1.0,
) -> Float[Array, ""]:
    """Error of a strength with all nuisances free, for the signal strength * response(nuisances).

    Parameters
    ----------
    strength : float array, shape ()
        Strength that is there.
    response : callable
        (nuisances, *args) -> signal per unit strength, shape (n,).
    nuisances : float array, shape (k,)
        Nuisances, k >= 0.
    points : GaussianPoints
        Errors of the n points.
    *args : pytrees
        Further arguments of the response.
    prior_width : float array, shape (k,) or ()
        Widths of the Gaussian priors of the nuisances; 1 for standard normals.

    Returns
    -------
    float array, shape ()
        sigma of the strength.

    References
    ----------
    Tegmark, Taylor, Heavens 1997 (arXiv:astro-ph/9603021).
    """
    theta = jnp.concatenate([jnp.asarray(strength, float)[None], nuisances])
    width = jnp.broadcast_to(jnp.asarray(prior_width, float), nuisances.shape)
    width = jnp.concatenate([jnp.full(1, jnp.inf), width])
    information = fisher_information(
        lambda t, *a: t[0] * response(t[1:], *a), theta, points, *args, prior_width=width
    )
    return strength_sigma(information)


@eqx.filter_jit
def asimov_scan(
    problem: Problem,
    asimov: Asimov,
    data: PyTree,
    strengths: Float[Array, " s"],
    start: Float[Array, " n"] | None = None,
) -> Float[Array, " s"]:
    """q_A(a) = 2 [ln L(0) - ln L(a)] on data expected without signal, nuisances profiled.

    Parameters
    ----------
    problem : Problem
        Likelihood and nuisances.
    asimov : callable
        (nuisances, data) -> data with expected instead of measured values, without signal.
    data : pytree
        Data and model.
    strengths : float array, shape (s,)
        Where q is wanted.
    start : float array, shape (1 + K + h,), optional
        Start of the fit without signal; default ``problem.start()``.

    Returns
    -------
    float array, shape (s,)
        q_A; the expected limit lies where it is z^2.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727), section 3.2.
    """
    begin = problem.start() if start is None else jnp.asarray(start).at[0].set(0.0)
    null = maximise(problem, begin, data, fix_strength=True).x
    simulated = asimov(null[1:], data)
    # Asimov data have their maximum at the null fit, around which the constraints are centred.
    centre = jnp.where(problem.gaussian, null[1:], problem.centre)
    around = eqx.tree_at(lambda p: p.centre, problem, centre)
    peak = around.objective(null, simulated)

    def q(a: Array) -> Array:
        x = maximise(around, null.at[0].set(a), simulated, fix_strength=True).x
        return 2.0 * (peak - around.objective(x, simulated))

    return jax.lax.map(q, jnp.asarray(strengths, float))


def elasticities(limit: Callable[..., Array], *args: PyTree) -> Any:
    """d ln limit/d ln x for every number x of the arguments, in one reverse pass.

    Parameters
    ----------
    limit : callable
        (*args) -> limit, a positive scalar.
    *args : pytrees
        Arrays: exposures, errors, widths, field strengths, noise.

    Returns
    -------
    pytree or tuple of pytrees
        x d ln limit/dx, shaped like the argument, or a tuple for several.

    References
    ----------
    None: the chain rule.
    """
    by = jax.grad(lambda a: jnp.log(limit(*a)))(args)
    scaled = jax.tree.map(lambda x, d: x * d, args, by)
    return scaled[0] if len(args) == 1 else scaled


def rank_impacts(names: Sequence[str], found: Impacts) -> list[dict[str, float | str]]:
    """Nuisances in the order of what they do to the limit.

    Parameters
    ----------
    names : sequence of str, length K
        Names of the nuisances.
    found : Impacts
        From :func:`diffaxion.inference.impacts`, fields of shape (K,).

    Returns
    -------
    list of dict
        ``name``, ``shift`` (change of ln g_95 by one posterior width), ``broadening``
        (d ln g_95/d ln prior width) and ``width``, by descending |shift| + |broadening|.

    Raises
    ------
    DataError
        If there are not as many names as nuisances.

    References
    ----------
    None: a list.
    """
    columns = [np.asarray(c, float) for c in (found.shift, found.broadening, found.width)]
    if len(names) != columns[0].size:
        raise DataError(f"{len(names)} names for {columns[0].size} nuisances")
    rows: list[dict[str, float | str]] = [
        {"name": n, "shift": float(s), "broadening": float(b), "width": float(w)}
        for n, s, b, w in zip(names, *columns, strict=True)
    ]
    return sorted(rows, key=lambda r: -abs(float(r["shift"])) - abs(float(r["broadening"])))


class LinearSignal(eqx.Module):
    """Signals of n points, linear in k standardised nuisances: f(u) (r + D z), f = u |u|^(order-1).

    Attributes
    ----------
    response : float array, shape (n,)
        r, signal per unit f at the fiducial point.
    slopes : float array, shape (n, k)
        D = dr/dz.
    error : float array, shape (n,)
        Errors of the points, unit of the signal.
    order : float array, shape (n,)
        1 for points linear in u = g^2, 2 for points linear in u^2.
    """

    response: Float[Array, " n"]
    slopes: Float[Array, "n k"]
    error: Float[Array, " n"]
    order: Float[Array, " n"]


def linear_q(
    signal: LinearSignal, u: Float[Array, ""], width: Float[Array, " k"]
) -> Float[Array, ""]:
    """q_A(u) = s^T (C + f^2 D W^2 D^T)^-1 s, s = f r: Asimov data, nuisances profiled.

    Parameters
    ----------
    signal : LinearSignal
        n points of any orders.
    u : float array, shape ()
        (g/g_ref)^2, >= 0.
    width : float array, shape (k,)
        Widths of the priors of the nuisances, 1 for standard normals.

    Returns
    -------
    float array, shape ()
        q, without unit.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727), section 3.2; Woodbury identity.
    """
    f = u**signal.order / signal.error
    s, d = f * signal.response, f[:, None] * signal.slopes * width
    if d.shape[1] == 0:
        return s @ s
    pull = d.T @ s
    return s @ s - pull @ jnp.linalg.solve(jnp.eye(d.shape[1]) + d.T @ d, pull)


@eqx.filter_jit
def linear_limit_u(
    signal: LinearSignal, width: Float[Array, " k"], z: ArrayLike = Z_95
) -> Float[Array, ""]:
    """Expected limit on u = (g/g_ref)^2, where q_A(u) = z^2; differentiable in everything.

    For one order this is the fixed point a = z sigma(a) of :func:`strength_at_limit`.

    Parameters
    ----------
    signal : LinearSignal
        n points of any orders.
    width : float array, shape (k,)
        Widths of the priors of the nuisances.
    z : float array, shape ()
        Standard deviations of the limit.

    Returns
    -------
    float array, shape ()
        u; infinite without signal, or where the nuisances could hide any.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727), section 3.2.
    """
    rate = jax.lax.stop_gradient((signal.response / signal.error) ** 2)
    second = jnp.sum(jnp.where(signal.order == 2.0, rate, 0.0))
    first = jnp.sum(jnp.where(signal.order == 1.0, rate, 0.0))
    # Without nuisances: second u^4 + first u^2 = z^2, free of cancellation.
    square = 2.0 * z**2 / (first + jnp.sqrt(first**2 + 4.0 * second * z**2))
    sensitive = first + second > 0.0
    begin = 0.5 * jnp.log(jnp.where(sensitive, square, 1.0))

    def residual(x: Array, theta: tuple[LinearSignal, Array]) -> Array:
        return jnp.log(linear_q(theta[0], jnp.exp(x), theta[1])) - 2.0 * jnp.log(z)

    # In u; farther out q is a difference of large numbers.
    far = begin + 0.5 * jnp.log(REACH)
    safe = LinearSignal(
        jnp.where(sensitive, signal.response, 1.0), signal.slopes, signal.error, signal.order
    )
    end = residual(far, jax.lax.stop_gradient((safe, width)))
    found = sensitive & (end > 0.0)
    x = bracketed_root(residual, (safe, width), begin - 0.1, far)
    return jnp.where(found, jnp.exp(jnp.where(found, x, 0.0)), jnp.inf)
