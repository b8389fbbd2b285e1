"""Upper limits on a signal strength: the closed Gaussian form, bands, power constraint, status.

The strength a (u for a probe of order 1) is the parameter in which a probe is linear. With

    q(a) = 2 [ln L(a_hat) - ln L(a)],   a_95: q = z^2 above a_hat,   z^2 = 2.7055435 (95 %),

a likelihood that is Gaussian in a needs two numbers only, the score and the information at
a = 0: a_hat = score/info, sigma = info^-1/2, a_95 = a_hat + z sigma. Independent targets add
theirs. A strength may be negative; a coupling may not, so that every result carries a status
and never a NaN.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int

from ..likelihoods.gaussian import GaussianPoints
from ..numerics import safe_abs, safe_sqrt

Q_95 = 2.705543454095404
"""Threshold of q for a one-sided 95 % limit, the square of z = 1.6448536."""

Q_95_ROUNDED = 2.71
"""The rounding of the same threshold used in the papers; moves g by 2e-4."""


class LimitStatus(enum.IntEnum):
    """What a limit may be used for, in order of severity: the worst one is kept."""

    OK = 0
    NEGATIVE_LIMIT = 1
    AT_BOUNDARY = 2
    FIELD_STRUCTURE = 3
    EXTRAPOLATED = 4
    NOT_BRACKETED = 5
    NO_SENSITIVITY = 6
    NOT_CONVERGED = 7


class LimitResult(eqx.Module):
    """Limit on a strength a with its expectation; every field has the same shape.

    Attributes
    ----------
    a_hat, sigma : float array, shape (...)
        Maximum of the likelihood and its curvature error, in units of the strength.
    a_95, pcl : float array, shape (...)
        Raw limit, and the power-constrained one, max(a_95, minus1).
    median, minus1, plus1, plus2 : float array, shape (...)
        Limits expected without signal, and their -1, +1, +2 sigma bands.
    ts, z_local : float array, shape (...)
        2 [ln L(a_hat) - ln L(0)] where a_hat > 0, else 0, and its root, the local significance.
    status : int array, shape (...)
        Codes of :class:`LimitStatus`.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727); power constraint: Cowan et al. 2011 (arXiv:1105.3166).
    """

    a_hat: Float[Array, "..."]
    sigma: Float[Array, "..."]
    a_95: Float[Array, "..."]
    pcl: Float[Array, "..."]
    median: Float[Array, "..."]
    minus1: Float[Array, "..."]
    plus1: Float[Array, "..."]
    plus2: Float[Array, "..."]
    ts: Float[Array, "..."]
    z_local: Float[Array, "..."]
    status: Int[Array, "..."]

    def flag(self, status: LimitStatus, where: ArrayLike) -> LimitResult:
        """Mark elements with a status unless theirs is already worse.

        Parameters
        ----------
        status : LimitStatus
            The code to set.
        where : bool array, broadcastable to (...)
            Elements concerned.

        Returns
        -------
        LimitResult
            A copy with the new status.
        """
        code = jnp.where(jnp.asarray(where), int(status), 0)
        return eqx.tree_at(lambda r: r.status, self, jnp.maximum(self.status, code))

    def to_coupling(self, g_ref_GeV: ArrayLike = 1e-12, order: int = 2) -> CouplingLimit:
        """The same limits as couplings, g = g_ref sign(a) |a|^(1/(2 order)).

        Parameters
        ----------
        g_ref_GeV : float array, shape ()
            Coupling at which the response was evaluated [GeV^-1].
        order : int
            1 if the signal is linear in g^2, 2 if linear in g^4.

        Returns
        -------
        CouplingLimit
            Couplings [GeV^-1]; a negative number stands for a negative strength.
        """

        def root(a: Array) -> Array:
            return coupling_from_strength(a, g_ref_GeV, order)

        return CouplingLimit(
            g_95=root(self.a_95),
            pcl=root(self.pcl),
            median=root(self.median),
            minus1=root(self.minus1),
            plus1=root(self.plus1),
            plus2=root(self.plus2),
            status=self.status,
        )


class CouplingLimit(NamedTuple):
    """Limits on g [GeV^-1] with expected bands and status, all of shape (...)."""

    g_95: Array
    pcl: Array
    median: Array
    minus1: Array
    plus1: Array
    plus2: Array
    status: Array


class GaussianMoments(NamedTuple):
    """Score and information of a strength at 0, each of shape (...); independent data add."""

    score: Array
    information: Array


def coupling_from_strength(
    strength: ArrayLike, g_ref_GeV: ArrayLike = 1e-12, order: int = 2
) -> Float[Array, "..."]:
    """Sign-preserving root g = g_ref sign(a) |a|^(1/(2 order)), with zero gradient at a = 0.

    Parameters
    ----------
    strength : float array, shape (...)
        a = (g/g_ref)^4 for order 2, u = (g/g_ref)^2 for order 1; signed.
    g_ref_GeV : float array, shape (...)
        Reference coupling [GeV^-1].
    order : int
        Static, 1 or 2.

    Returns
    -------
    float array, shape (...)
        Coupling [GeV^-1].

    References
    ----------
    The definition of the strengths u and a.
    """
    a = jnp.asarray(strength, float)
    root = safe_sqrt(safe_abs(a))
    for _ in range(order - 1):
        root = safe_sqrt(root)
    return jnp.asarray(g_ref_GeV) * jnp.sign(a) * root


def rescale_response(
    response: Float[Array, "..."], g_from_GeV: ArrayLike, g_to_GeV: ArrayLike, order: int = 2
) -> Float[Array, "..."]:
    """Response at another reference coupling, r (g_to/g_from)^(2 order).

    Parameters
    ----------
    response : float array, shape (...)
        Signal for g = g_from.
    g_from_GeV, g_to_GeV : float array, shape ()
        Couplings [GeV^-1]; only their ratio is raised to a power.
    order : int
        Static, 1 or 2.

    Returns
    -------
    float array, shape (...)
        Signal for g = g_to, unit of the response.

    References
    ----------
    The definition of the strengths u and a.
    """
    return response * (jnp.asarray(g_to_GeV) / jnp.asarray(g_from_GeV)) ** (2 * order)


def linear_moments(response: Float[Array, "... n"], points: GaussianPoints) -> GaussianMoments:
    """Score r^T C^-1 d and information r^T C^-1 r of a strength.

    Parameters
    ----------
    response : float array, shape (..., n)
        Signal per unit strength, unit of the data; leading axes are masses.
    points : GaussianPoints
        Data of n points.

    Returns
    -------
    GaussianMoments
        Both of shape (...), in inverse units of the strength and their square.

    References
    ----------
    The normal equations of linear least squares.
    """
    white = points.whiten(jnp.moveaxis(response, -1, 0))
    data = points.whiten(points.data)
    return GaussianMoments(jnp.tensordot(data, white, axes=1), jnp.sum(white**2, axis=0))


def combine(*moments: GaussianMoments) -> GaussianMoments:
    """Joint moments of independent targets that share one reference coupling.

    Parameters
    ----------
    *moments : GaussianMoments
        One per target.

    Returns
    -------
    GaussianMoments
        The sums, which weight each a_hat by 1/sigma^2.

    References
    ----------
    The product of Gaussian likelihoods.
    """
    return GaussianMoments(
        sum(m.score for m in moments[1:]) + moments[0].score,
        sum(m.information for m in moments[1:]) + moments[0].information,
    )


def moments_limit(moments: GaussianMoments, q_threshold: ArrayLike = Q_95) -> LimitResult:
    """Limit, bands and significance of a likelihood that is Gaussian in the strength.

    a_95 = a_hat + z sigma; bands a_N = sigma (z + N); TS = (a_hat/sigma)^2 where a_hat > 0.

    Parameters
    ----------
    moments : GaussianMoments
        Score and information, shape (...).
    q_threshold : float array, shape ()
        z^2; default the exact 95 % value, ``Q_95_ROUNDED`` for the papers' rounding.

    Returns
    -------
    LimitResult
        Shape (...). Zero information gives an infinite limit and status NO_SENSITIVITY;
        a_95 <= 0 gives NEGATIVE_LIMIT.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727), sections 3.6 and 4.3; arXiv:2008.03305, section III.
    """
    score, info = jnp.broadcast_arrays(*moments)
    sensitive = info > 0.0
    safe = jnp.where(sensitive, info, 1.0)
    a_hat = jnp.where(sensitive, score / safe, 0.0)
    width = jax.lax.rsqrt(safe)
    z = jnp.sqrt(jnp.asarray(q_threshold, float))

    def scaled(factor: Array) -> Array:
        return jnp.where(sensitive, factor, jnp.inf)

    a_95 = scaled(a_hat + z * width)
    minus1 = scaled((z - 1.0) * width)
    significance = jnp.where(a_hat > 0.0, a_hat / width, 0.0)
    status = jnp.where(a_95 > 0.0, int(LimitStatus.OK), int(LimitStatus.NEGATIVE_LIMIT))
    return LimitResult(
        a_hat=a_hat,
        sigma=scaled(width),
        a_95=a_95,
        pcl=power_constrained(a_95, minus1),
        median=scaled(z * width),
        minus1=minus1,
        plus1=scaled((z + 1.0) * width),
        plus2=scaled((z + 2.0) * width),
        ts=significance**2,
        z_local=significance,
        status=jnp.where(sensitive, status, int(LimitStatus.NO_SENSITIVITY)),
    )


def linear_limit(
    response: Float[Array, "... n"],
    data: ArrayLike,
    sigma: ArrayLike,
    q_threshold: ArrayLike = Q_95,
) -> LimitResult:
    """Limit on the strength of a fixed response in Gaussian points; one per leading index.

    Parameters
    ----------
    response : float array, shape (..., n)
        Signal per unit strength, unit of the data; leading axes are masses.
    data : float array, shape (n,)
        Measured values.
    sigma : float array, shape (n,) or (n, n)
        Errors, or the lower Cholesky factor of the covariance.
    q_threshold : float array, shape ()
        Threshold of q.

    Returns
    -------
    LimitResult
        Shape (...), in units of the strength.

    References
    ----------
    arXiv:2008.03305, section III, with Gaussian points instead of pixels.
    """
    return moments_limit(linear_moments(response, GaussianPoints(data, sigma)), q_threshold)


def moments_from_limits(
    limit: ArrayLike, median: ArrayLike, q_threshold: ArrayLike = Q_95
) -> GaussianMoments:
    """Moments behind a published pair of limits, sigma = median/z and a_hat = limit - median.

    Parameters
    ----------
    limit, median : float array, shape (...)
        Observed and expected limit on the strength.
    q_threshold : float array, shape ()
        Threshold that the publication used.

    Returns
    -------
    GaussianMoments
        Shape (...); to be combined with those of other targets.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727), section 4.3, inverted.
    """
    info = jnp.asarray(q_threshold, float) / jnp.asarray(median) ** 2
    return GaussianMoments((jnp.asarray(limit) - jnp.asarray(median)) * info, info)


def constant_bands(
    median: ArrayLike, q_threshold: ArrayLike = Q_95
) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
    """Bands with sigma fixed at the median: a_N = (median/z) (z + N), N = -1, +1, +2.

    Parameters
    ----------
    median : float array, shape (...)
        Expected limit on the strength.
    q_threshold : float array, shape ()
        z^2.

    Returns
    -------
    tuple of float arrays, shape (...)
        The -1, +1 and +2 sigma bands.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727), equation (89).
    """
    z = jnp.sqrt(jnp.asarray(q_threshold, float))
    unit = jnp.asarray(median) / z
    return unit * (z - 1.0), unit * (z + 1.0), unit * (z + 2.0)


def power_constrained(a_95: Array, minus1: Array) -> Float[Array, "..."]:
    """Limit that is never stronger than the -1 sigma expectation, max(a_95, a_-1).

    Parameters
    ----------
    a_95, minus1 : float array, shape (...)
        Raw limit and the -1 sigma band (minimum power 0.16).

    Returns
    -------
    float array, shape (...)
        Power-constrained limit on the strength.

    References
    ----------
    Cowan, Cranmer, Gross, Vitells 2011 (arXiv:1105.3166).
    """
    return jnp.maximum(a_95, minus1)
