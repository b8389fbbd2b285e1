"""Limits on the coupling from a screening spectrum, over a grid of masses.

At each mass the bandpowers are linear in u = (g/1e-12 GeV^-1)^2, t = u C_b(m), so that a Gaussian
likelihood is two numbers per mass,

    u_hat = sigma^2 C^T Cov^-1 d,    sigma = (C^T Cov^-1 C)^{-1/2},

and every limit follows in closed form or by one quadrature: the posterior for several priors
(uniform in g is that of the published analysis), and the profile likelihood with q = 2.7055. The
data are a file of bandpowers, Asimov data (zero), a seeded realisation of the noise, or the
recast of the published curve. Only the first kind may be a measurement, and every result says
which kind it is. Residual foregrounds of a file are marginalised exactly (for Gaussian priors of
their amplitudes the profile over them is the same), in the limits as in the test without signal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..constants import G_REF_GEV
from ..errors import ConfigurationError, DataError, unknown_name
from ..inference.bayes import PRIORS, BayesLimit, Prior, gaussian_bayes_limit
from ..inference.limits import (
    Q_95,
    CouplingLimit,
    LimitResult,
    LimitStatus,
    linear_moments,
    moments_limit,
)
from ..likelihoods.gaussian import GaussianPoints
from ..likelihoods.recast import RecastLikelihood, RecastResponse, warn_shape_mismatch
from ..runtime import require_x64
from .screening_data import ScreeningData

LOG10_G_RANGE = (-14.0, -10.5)
"""Default range of log10(g GeV) of the prior log10_g, whose lower end decides its limit."""

_BANDS = (0.0, -1.0, 1.0, 2.0)  # median, minus1, plus1, plus2 in units of sigma


@dataclass(frozen=True)
class BayesCurve:
    """Credible limits under one prior, with those expected without signal.

    Attributes
    ----------
    prior : str
        Name of the prior, with its range if it needs one.
    limit, median, minus1, plus1, plus2 : array, shape (n,)
        95 % limits on g, observed and for u_hat = 0, -sigma, +sigma, +2 sigma [GeV^-1].
    status : list of str
        Names of :class:`LimitStatus`, one per mass.
    """

    prior: str
    limit: np.ndarray
    median: np.ndarray
    minus1: np.ndarray
    plus1: np.ndarray
    plus2: np.ndarray
    status: list[str]


@dataclass(frozen=True)
class ScreeningLimits:
    """Limits on a grid of n masses.

    Attributes
    ----------
    data : ScreeningData
        What they were made from.
    m_a_eV : array, shape (n,)
        Masses [eV].
    profile : LimitResult
        Best fit, error, limit, bands and significance in u, shape (n,).
    coupling : CouplingLimit
        The same limits as g [GeV^-1].
    bayes : dict of str to BayesCurve
        By name of the prior.
    chi2_null, dof, p_null : float
        chi^2 of the data without signal, number of points, and its tail probability.
    recast : RecastResponse or None
        Comparison with the fiducial model, arrays of shape (n,), for the kind ``recast``.
    """

    data: ScreeningData
    m_a_eV: np.ndarray
    profile: LimitResult
    coupling: CouplingLimit
    bayes: dict[str, BayesCurve]
    chi2_null: float
    dof: int
    p_null: float
    recast: RecastResponse | None = None

    @property
    def u_hat(self) -> np.ndarray:
        """Best fits of u, 0 where there is no sensitivity, shape (n,)."""
        return np.asarray(self.profile.a_hat)

    @property
    def sigma(self) -> np.ndarray:
        """Errors of u, infinite where there is no sensitivity, shape (n,)."""
        return np.asarray(self.profile.sigma)

    @property
    def status(self) -> list[str]:
        """Status of the profile limits by name, one per mass."""
        return [LimitStatus(int(s)).name for s in np.asarray(self.profile.status)]


@eqx.filter_jit
def recast_responses(
    recast: RecastLikelihood, m_a_eV: Float[Array, " n"], responses: Float[Array, "n b"]
) -> tuple[Float[Array, "n 1"], RecastResponse]:
    """R/sigma at every mass, with its diagnostics, in one program.

    Parameters
    ----------
    recast : RecastLikelihood
        The published curve.
    m_a_eV : float array, shape (n,)
        Masses [eV]; outside the curve they are clamped and flagged.
    responses : float array, shape (n, b)
        Bandpowers of the model per unit u [uK].

    Returns
    -------
    response : float array, shape (n, 1)
        R/sigma.
    comparison : RecastResponse
        Arrays of shape (n,).

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514).
    """
    found = jax.vmap(recast.compare)(responses, m_a_eV)
    return (found.ratio / found.sigma)[:, None], found


@eqx.filter_jit
def _profile(
    responses: Float[Array, "n b"], points: GaussianPoints, q_threshold: Float[Array, ""]
) -> tuple[LimitResult, CouplingLimit]:
    result = moments_limit(linear_moments(responses, points), q_threshold)
    return result, result.to_coupling(order=1)


@eqx.filter_jit
def bayes_limits(
    u_hat: Float[Array, " n"],
    sigma: Float[Array, " n"],
    prior: Prior,
    log10_range: tuple[Float[Array, ""], Float[Array, ""]],
) -> BayesLimit:
    """Credible limits observed and expected, for every mass in one program.

    Parameters
    ----------
    u_hat, sigma : float array, shape (n,)
        Best fit and error of u; an infinite error gives an infinite limit.
    prior : str
        One of ``inference.PRIORS``; static.
    log10_range : tuple of float arrays, shape ()
        Range of log10(g GeV), used by the prior log10_g.

    Returns
    -------
    BayesLimit
        Shape (5, n): observed, then expected for u_hat/sigma = 0, -1, +1, +2; G = g/1e-12 GeV^-1.

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514): uniform in g.
    """
    sensitive = jnp.isfinite(sigma)
    width = jnp.where(sensitive, sigma, 1.0)
    centres = jnp.stack([jnp.where(sensitive, u_hat, 0.0), *(x * width for x in _BANDS)])
    shift = math.log10(G_REF_GEV)
    bounds = (log10_range[0] - shift, log10_range[1] - shift)

    def one(centre: Array, error: Array) -> BayesLimit:
        return gaussian_bayes_limit(centre, error, prior, order=1, log10_range=bounds)

    found = jax.vmap(jax.vmap(one), in_axes=(0, None))(centres, width)
    none = int(LimitStatus.NO_SENSITIVITY)
    return BayesLimit(
        jnp.where(sensitive, found.G, jnp.inf),
        jnp.where(sensitive, found.u, jnp.inf),
        jnp.where(sensitive, found.log_evidence, 0.0),
        jnp.where(sensitive, found.status, none),
    )


def null_test(points: GaussianPoints) -> tuple[float, int, float]:
    """chi^2 of the data without signal, its degrees of freedom and its tail probability.

    Parameters
    ----------
    points : GaussianPoints
        b points.

    Returns
    -------
    chi2 : float
        d^T C^-1 d.
    dof : int
        b.
    p : float
        Probability of a larger chi^2.

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514): 9.2 for 11 bandpowers.
    """
    chi2 = float(jnp.sum(points.whiten(points.data) ** 2))
    dof = int(points.data.shape[0])
    return chi2, dof, chi2_tail(chi2, dof)


def chi2_tail(chi2: float, dof: int) -> float:
    """Probability of a chi^2 larger than the given one, Q(dof/2, chi2/2).

    Parameters
    ----------
    chi2 : float
        chi^2 >= 0.
    dof : int
        Degrees of freedom.

    Returns
    -------
    float
        Tail probability.

    References
    ----------
    Abramowitz & Stegun 1964, Handbook of Mathematical Functions, eq. 26.4.19.
    """
    return float(jax.scipy.special.gammaincc(0.5 * dof, 0.5 * chi2))


def _prior_label(prior: str, log10_range: tuple[float, float]) -> str:
    if prior != "log10_g":
        return prior
    return f"log10_g in [{log10_range[0]:g}, {log10_range[1]:g}]"


def _check_priors(priors: Sequence[Prior], log10_range: tuple[float, float]) -> None:
    for prior in priors:
        if prior not in PRIORS:
            raise unknown_name("prior", prior, PRIORS)
    if not -np.inf < log10_range[0] < log10_range[1] < np.inf:
        raise ConfigurationError(
            f"range {log10_range} of log10(g GeV): expected two finite numbers, low < high"
        )


def screening_limits(
    m_a_eV: ArrayLike,
    responses: ArrayLike,
    data: ScreeningData,
    *,
    priors: Sequence[Prior] = PRIORS,
    log10_range: tuple[float, float] = LOG10_G_RANGE,
    q_threshold: float = Q_95,
) -> ScreeningLimits:
    """95 % limits at every mass: Bayesian for each prior and from the profile likelihood.

    Parameters
    ----------
    m_a_eV : array, shape (n,)
        Masses [eV], increasing.
    responses : array, shape (n, b)
        Bandpowers of the model per unit u [uK], at the frequency of the data and in its windows;
        negative for screening. A row of zeros means no conversion.
    data : ScreeningData
        From :func:`file_data`, :func:`asimov_data`, :func:`noise_data` or :func:`recast_data`.
    priors : sequence of str
        Priors of the Bayesian limits.
    log10_range : tuple of two floats
        Range of log10(g GeV) of the prior log10_g.
    q_threshold : float
        z^2 of the profile limit.

    Returns
    -------
    ScreeningLimits
        Where the response vanishes limits are infinite and the status is NO_SENSITIVITY.

    Raises
    ------
    DataError
        If shapes disagree, masses do not increase, or a response is not finite.
    ConfigurationError
        If a prior is unknown, the range or the threshold makes no sense, or JAX was switched to
        float32 after the import.
    ValidityError
        If a mass lies outside the published curve of a recast.

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514); Cowan et al. 2011 (arXiv:1007.1727).
    """
    require_x64()
    masses, rows = np.asarray(m_a_eV, float), np.asarray(responses, float)
    n_points = data.recast.weight.shape[0] if data.recast else data.points.data.shape[0]
    _check_input(masses, rows, n_points)
    _check_priors(priors, log10_range)
    if not 0.0 < q_threshold < np.inf:
        raise ConfigurationError(f"threshold of q = {q_threshold:g}, expected a number > 0")
    response, comparison = jnp.asarray(rows), None
    if data.recast is not None:
        data.recast.check_masses(masses)
        response, comparison = recast_responses(data.recast, jnp.asarray(masses), response)
        warn_shape_mismatch(masses, comparison.match)
    points = data.marginalised
    profile, coupling = _profile(response, points, jnp.asarray(q_threshold))
    curves: dict[str, BayesCurve] = {}
    bounds = (jnp.asarray(log10_range[0]), jnp.asarray(log10_range[1]))
    for prior in priors:
        found = bayes_limits(profile.a_hat, profile.sigma, prior, bounds)
        g = np.asarray(found.G) * G_REF_GEV
        names = [LimitStatus(int(s)).name for s in np.asarray(found.status[0])]
        curves[str(prior)] = BayesCurve(
            _prior_label(prior, log10_range), g[0], g[1], g[2], g[3], g[4], names
        )
    chi2, dof, p = null_test(points)
    return ScreeningLimits(data, masses, profile, coupling, curves, chi2, dof, p, comparison)


def _check_input(masses: np.ndarray, rows: np.ndarray, n_points: int) -> None:
    if masses.ndim != 1 or masses.size == 0 or not np.all(np.isfinite(masses) & (masses > 0)):
        raise DataError("screening limits: expected a list of finite masses > 0 eV")
    if np.any(np.diff(masses) <= 0):
        raise DataError("screening limits: masses must increase")
    if rows.shape != (masses.size, n_points):
        raise DataError(
            f"screening limits: responses have shape {rows.shape}, expected "
            f"{(masses.size, n_points)} (masses, bandpowers)"
        )
    bad = ~np.isfinite(rows).all(axis=1)
    if bad.any():
        raise DataError(
            f"screening limits: the response at m_a = {masses[bad][0]:g} eV is not finite"
        )
