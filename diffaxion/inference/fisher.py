"""Sensitivity by differentiation: Fisher information and the impact of each nuisance.

Always in the strength (a or u), never in g, whose information vanishes at g = 0. At zero strength
a multiplicative nuisance leaves no trace in the information: evaluate at the limit, or use the
impacts, which differentiate the profile limit itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, PyTree

from ..likelihoods.gaussian import GaussianPoints
from .problem import Problem
from .profile import Asimov, profile_limit


def fisher_information(
    signal: Callable[..., Array],
    theta: Float[Array, " k"],
    points: GaussianPoints,
    *args: Any,
    prior_width: ArrayLike | None = None,
) -> Float[Array, "k k"]:
    """F = J^T C^-1 J + diag(1/width^2) of Gaussian points, J = d signal/d theta.

    Parameters
    ----------
    signal : callable
        (theta, *args) -> expected values, shape (n,).
    theta : float array, shape (k,)
        Strength first, then nuisances.
    points : GaussianPoints
        Their errors; the data are not used.
    *args : pytrees
        Further arguments of the signal.
    prior_width : float array, shape (k,), optional
        Widths of Gaussian priors; infinite for none.

    Returns
    -------
    float array, shape (k, k)
        Information, in inverse units of theta.

    References
    ----------
    Tegmark, Taylor, Heavens 1997 (arXiv:astro-ph/9603021).
    """
    jacobian = points.whiten(jax.jacfwd(lambda t: signal(t, *args))(theta))
    information = jacobian.T @ jacobian
    if prior_width is None:
        return information
    return information + jnp.diag(jnp.asarray(prior_width, float) ** -2)


def strength_sigma(information: Float[Array, "k k"]) -> Float[Array, ""]:
    """Error of the strength with all nuisances free, (F_aa - F_az F_zz^-1 F_za)^(-1/2).

    Parameters
    ----------
    information : float array, shape (k, k)
        Fisher information with the strength first.

    Returns
    -------
    float array, shape ()
        sigma(a); infinite without information.

    References
    ----------
    Tegmark, Taylor, Heavens 1997 (arXiv:astro-ph/9603021).
    """
    left = information[0, 0]
    if information.shape[0] > 1:
        left = left - information[0, 1:] @ jnp.linalg.solve(information[1:, 1:], information[1:, 0])
    ok = left > 0.0
    return jnp.where(ok, jax.lax.rsqrt(jnp.where(ok, left, 1.0)), jnp.inf)


class Impacts(NamedTuple):
    """What each nuisance does to the limit on g; every field of shape (K,).

    Attributes
    ----------
    shift : float array
        d ln g_95/d centre_k times the posterior width: the change of ln g_95 when the constraint
        of nuisance k moves by that much. 0 for nuisances without constraint.
    broadening : float array
        d ln g_95/d ln(prior width_k).
    width : float array
        Posterior width at the limit, from the curvature at fixed strength.
    """

    shift: Array
    broadening: Array
    width: Array


@eqx.filter_jit
def impacts(problem: Problem, asimov: Asimov, data: PyTree, *, order: int = 2) -> Impacts:
    """Impact of every nuisance on the observed limit, in one reverse pass.

    Parameters
    ----------
    problem : Problem
        Likelihood and nuisances.
    asimov : callable
        As for :func:`diffaxion.inference.profile.profile_limit`.
    data : pytree
        Data and model.
    order : int
        1 if the strength is u, 2 if it is a; static.

    Returns
    -------
    Impacts
        To be ranked by ``abs(shift)`` or ``broadening``; 0 where a_95 <= 0.

    References
    ----------
    The envelope theorem, as in :mod:`diffaxion.inference.newton`.
    """

    def log_g(centre: Array, log_width: Array) -> tuple[Array, Array]:
        moved = eqx.tree_at(
            lambda p: (p.centre, p.width), problem, (centre, problem.width * jnp.exp(log_width))
        )
        result = profile_limit(moved, asimov, data)
        a = result.limit.a_95
        positive = (a > 0.0) & jnp.isfinite(a)
        return jnp.log(jnp.where(positive, a, 1.0)) / (2 * order), result.crossing

    by, crossing = jax.grad(log_g, argnums=(0, 1), has_aux=True)(
        problem.centre, jnp.zeros_like(problem.width)
    )
    hessian = jax.hessian(problem.objective)(crossing, data)[1:, 1:]
    # A flat nuisance without effect is as wide as it can be; it has no impact either.
    variance = jnp.diagonal(jnp.linalg.inv(-hessian + 1e-12 * jnp.eye(hessian.shape[0])))
    width = jnp.sqrt(jnp.maximum(variance, 0.0))
    half = 0.5 * (problem.upper - problem.lower)
    width = jnp.where(problem.gaussian, width, jnp.minimum(width, half))
    return Impacts(by[0] * jnp.where(problem.gaussian, width, 0.0), by[1], width)
