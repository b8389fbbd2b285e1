"""The published Planck x unWISE limit as a likelihood in the coupling.

No bandpower of that search is public, only its curve g95(m). With a posterior uniform in g and
a mean of zero, the curve fixes the error of u = (g/1e-12 GeV^-1)^2,

    sigma(m) = (g95(m)/1.24728)^2,    ln L = -1/2 [u R(theta, m)/sigma(m)]^2,
    R(theta, m) = sum_b w_b C_b(theta, m) C_b(fid, m) / sum_b w_b C_b(fid, m)^2,

where C_b are bandpowers of the model and of the fiducial model behind the curve, w_b = 1/var_b.
In the common form this is one Gaussian point of data 0 and scale 1 with the response R/sigma.

ln g95 is interpolated linearly in ln m. The digitised curve scatters by 0.5 % about any smooth
line (its slope jumps between -13 and -21 near 1.8e-13 eV), so that a C^2 spline would ring by up to
1.7 % between points without being closer: leaving out every other point, linear and cubic
interpolation both miss the dropped ones by 0.5 % rms and at most 1.7 %.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from ..constants import G_REF_GEV
from ..data.registry import load_table
from ..errors import DataError, DiffaxionWarning, ValidityError
from ..numerics import linear_interpolate, safe_divide, safe_sqrt, spline_curvature
from ..numerics import spline_interpolate as spline
from .gaussian import GaussianBlocks, GaussianPoints

G95_PER_ROOT_SIGMA = 1.2472808716548702
"""(2 gammaincinv(1/4, 0.95))^(1/4) = g95/sqrt(sigma) for mean zero and a prior uniform in g."""

SHAPE_MATCH_MIN = 0.97
"""R/R_norm below which the model's spectrum differs in shape from the fiducial one."""

RECAST_ASSUMPTIONS = (
    "(i) the measurement has mean zero in u: the published curve does not tell its best fit; for "
    "|u_hat| <= sigma the error in g is within -18/+24 %",
    "(ii) the likelihood is Gaussian in u = g^2",
    "(iii) bandpowers are weighted with a toy noise model, not with the published covariance",
    "(iv) a change of the spectrum's shape is projected on the fiducial shape",
    "(v) the multipole bins are inferred, not published",
    "(vi) the published limit is the 95 % quantile for a prior uniform in g >= 0",
)
"""To be printed with every use of the recast likelihood."""


class RecastResponse(NamedTuple):
    """How a model compares with the fiducial model behind the published curve.

    Attributes
    ----------
    ratio : float array, shape ()
        R, the amplitude of the model's bandpowers along the fiducial ones.
    norm : float array, shape ()
        sqrt(sum w C^2/sum w C_fid^2) >= |R|.
    match : float array, shape ()
        R/norm: 1 for the same shape, 1 by convention where the model gives no signal.
    sigma : float array, shape ()
        Error of u for the fiducial model.
    outside : bool array, shape ()
        Whether the mass lies outside the curve or the fiducial table; it was clamped.
    """

    ratio: Float[Array, ""]
    norm: Float[Array, ""]
    match: Float[Array, ""]
    sigma: Float[Array, ""]
    outside: Bool[Array, ""]


class RecastLikelihood(eqx.Module):
    """Gaussian likelihood of the coupling made from the published limit curve.

    The fiducial bandpowers are kept as ln of their norm and their unit shape, splined in ln m:
    both are smooth where the signal itself changes by orders of magnitude.

    Attributes
    ----------
    ln_mass, ln_limit : float array, shape (k,)
        ln(m/eV) and ln(g95/1e-12 GeV^-1) of the published curve.
    weight : float array, shape (b,)
        1/var_b [uK^-2].
    fiducial_ln_mass : float array, shape (q,)
        ln(m/eV) of the fiducial table.
    fiducial_ln_norm : float array, shape (q, 2)
        ln sqrt(sum_b w C_b^2) and its second derivative in ln m.
    fiducial_shape : float array, shape (q, b, 2)
        C_b/norm [uK] and its second derivatives.

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514), the curve and the method of its limit.
    """

    ln_mass: Float[Array, " k"]
    ln_limit: Float[Array, " k"]
    weight: Float[Array, " b"]
    fiducial_ln_mass: Float[Array, " q"]
    fiducial_ln_norm: Float[Array, "q 2"]
    fiducial_shape: Float[Array, "q b 2"]

    @property
    def mass_range_eV(self) -> tuple[float, float]:
        """Masses at which both the curve and the fiducial table are known [eV]."""
        low = max(float(self.ln_mass[0]), float(self.fiducial_ln_mass[0]))
        high = min(float(self.ln_mass[-1]), float(self.fiducial_ln_mass[-1]))
        return float(np.exp(low)), float(np.exp(high))

    @property
    def points(self) -> GaussianPoints:
        """The one Gaussian point: data 0, scale 1."""
        return GaussianPoints(jnp.zeros(1), jnp.ones(1))

    def sigma(self, m_a_eV: ArrayLike) -> Float[Array, "..."]:
        """Error of u behind the curve, (g95/1.24728)^2; the mass is clamped to the curve.

        Parameters
        ----------
        m_a_eV : float array, shape (...)
            Masses [eV].

        Returns
        -------
        float array, shape (...)
            Error of u = (g/1e-12 GeV^-1)^2.

        References
        ----------
        Goldstein et al. 2024 (arXiv:2409.10514); the quantile of exp(-g^4/2 sigma^2).
        """
        ln_g = linear_interpolate(jnp.log(jnp.asarray(m_a_eV)), self.ln_mass, self.ln_limit)
        return jnp.exp(2.0 * ln_g) / G95_PER_ROOT_SIGMA**2

    def fiducial(self, m_a_eV: ArrayLike) -> Float[Array, "... b"]:
        """Bandpowers of the fiducial model per unit u; the mass is clamped to its table.

        Parameters
        ----------
        m_a_eV : float array, shape (...)
            Masses [eV].

        Returns
        -------
        float array, shape (..., b)
            C_b(fid, m) [uK].

        References
        ----------
        Goldstein et al. 2024 (arXiv:2409.10514).
        """
        norm, shape = self._fiducial(jnp.log(jnp.asarray(m_a_eV, float)))
        return norm[..., None] * shape

    def _fiducial(self, ln_mass: Array) -> tuple[Array, Array]:
        at = self.fiducial_ln_mass
        ln_norm = spline(ln_mass, at, self.fiducial_ln_norm[:, 0], self.fiducial_ln_norm[:, 1])
        shape = spline(ln_mass, at, self.fiducial_shape[..., 0], self.fiducial_shape[..., 1])
        return jnp.exp(ln_norm), shape

    def compare(self, cl_b: Float[Array, " b"], m_a_eV: ArrayLike) -> RecastResponse:
        """R, its diagnostic and sigma at one mass; usable inside ``jit``.

        Parameters
        ----------
        cl_b : float array, shape (b,)
            Bandpowers of the model per unit u [uK].
        m_a_eV : float array, shape ()
            Mass [eV]; outside the tables it is clamped and flagged.

        Returns
        -------
        RecastResponse
            Scalars; vectorise with ``vmap``.

        References
        ----------
        Goldstein et al. 2024 (arXiv:2409.10514).
        """
        ln_m = jnp.log(jnp.asarray(m_a_eV, float))
        size, shape = self._fiducial(ln_m)
        # Scaled by the norm, so that neither tiny nor huge signals lose digits in squares.
        unit = jnp.asarray(cl_b) / size
        shape_power = jnp.sum(self.weight * shape**2)
        ratio = jnp.sum(self.weight * unit * shape) / shape_power
        norm = safe_sqrt(jnp.sum(self.weight * unit**2) / shape_power)
        # A tolerance in ln m keeps the ends of the curve inside after rounding.
        slack = 1e-9
        low = jnp.maximum(self.ln_mass[0], self.fiducial_ln_mass[0]) - slack
        high = jnp.minimum(self.ln_mass[-1], self.fiducial_ln_mass[-1]) + slack
        return RecastResponse(
            ratio=ratio,
            norm=norm,
            match=jnp.where(norm > 0.0, safe_divide(ratio, norm), 1.0),
            sigma=self.sigma(m_a_eV),
            outside=~((ln_m >= low) & (ln_m <= high)),
        )

    def response(self, cl_b: Float[Array, " b"], m_a_eV: ArrayLike) -> Float[Array, " 1"]:
        """R/sigma: the response, per unit u, of the one Gaussian point.

        Parameters
        ----------
        cl_b : float array, shape (b,)
            Bandpowers of the model per unit u [uK].
        m_a_eV : float array, shape ()
            Mass [eV]; clamped, see :meth:`check_masses`.

        Returns
        -------
        float array, shape (1,)
            Positive for a model that screens like the fiducial one.

        References
        ----------
        Goldstein et al. 2024 (arXiv:2409.10514).
        """
        found = self.compare(cl_b, m_a_eV)
        return (found.ratio / found.sigma)[None]

    def log_prob(self, signal: Float[Array, " 1"]) -> Float[Array, ""]:
        """Normalised log density for the signal u R/sigma.

        Parameters
        ----------
        signal : float array, shape (1,)
            u times :meth:`response`.

        Returns
        -------
        float array, shape ()
            -signal^2/2 - ln(2 pi)/2.

        References
        ----------
        The equation of this module.
        """
        return self.points.log_prob(signal)

    def blocks(self, signal: Float[Array, " 1"]) -> GaussianBlocks:
        """Terms of ln L with their derivatives in the signal.

        Parameters
        ----------
        signal : float array, shape (1,)
            u times :meth:`response`.

        Returns
        -------
        GaussianBlocks
            Shape (1,) each.

        References
        ----------
        The equation of this module.
        """
        return self.points.blocks(signal)

    def check_masses(self, m_a_eV: ArrayLike) -> None:
        """Refuse masses outside the curve or the fiducial table, before ``jit``.

        Parameters
        ----------
        m_a_eV : array, shape (...)
            Masses [eV].

        Returns
        -------
        None
            Silence is consent.

        Raises
        ------
        ValidityError
            If a mass is outside: the curve is never extrapolated.

        References
        ----------
        None: a check of input.
        """
        masses = np.atleast_1d(np.asarray(m_a_eV, float))
        low, high = self.mass_range_eV
        bad = ~((masses >= low * (1 - 1e-9)) & (masses <= high * (1 + 1e-9)))
        if bad.any():
            raise ValidityError(
                f"m_a = {masses[bad][0]:g} eV: the published limit can be recast between "
                f"{low:.5g} and {high:.5g} eV only, and is not extrapolated"
            )


def recast_likelihood(
    fiducial_m_a_eV: ArrayLike,
    fiducial_cl_b: ArrayLike,
    variance: ArrayLike,
    published: tuple[ArrayLike, ArrayLike] | None = None,
) -> RecastLikelihood:
    """Prepare the recast of a published curve, checked, with splines made once in NumPy.

    Parameters
    ----------
    fiducial_m_a_eV : array, shape (q,)
        Masses of the fiducial table [eV], increasing, q >= 4.
    fiducial_cl_b : array, shape (q, b)
        Bandpowers of the fiducial model per unit u [uK]; no row may vanish.
    variance : array, shape (b,)
        Variances of the bandpowers [uK^2], which set the weights only.
    published : tuple of arrays, shape (k,), optional
        Masses [eV] and 95 % limits [GeV^-1]; default the bundled Planck x unWISE curve.

    Returns
    -------
    RecastLikelihood
        The likelihood.

    Raises
    ------
    DataError
        If shapes disagree, masses do not increase, a value is not finite, a variance or limit is
        not positive, or the fiducial model has no signal at some mass.

    References
    ----------
    Goldstein et al. 2024 (arXiv:2409.10514).
    """
    if published is None:
        table = load_table("limits_planck_unwise")
        published = (table["m_a_eV"], table["g_GeV"])
    mass, limit = (np.asarray(v, float) for v in published)
    _check_increasing("published curve", mass, 2)
    if limit.shape != mass.shape or not np.all(np.isfinite(limit) & (limit > 0)):
        raise DataError("published curve: limits must be one finite number > 0 for each mass")
    at, cl = np.asarray(fiducial_m_a_eV, float), np.asarray(fiducial_cl_b, float)
    var = np.asarray(variance, float)
    _check_increasing("fiducial table", at, 4)
    if var.ndim != 1 or not np.all(np.isfinite(var) & (var > 0)):
        raise DataError(f"variance of shape {var.shape}: expected (b,) finite numbers > 0 [uK^2]")
    if cl.shape != (at.size, var.size):
        raise DataError(
            f"fiducial table: bandpowers have shape {cl.shape}, expected {(at.size, var.size)}"
        )
    if not np.all(np.isfinite(cl)):
        raise DataError("fiducial table: a bandpower is not finite")
    norm = np.sqrt(np.sum(cl**2 / var, axis=1))
    if np.any(norm == 0.0):
        raise DataError(
            f"fiducial table: no signal at m_a = {at[np.argmin(norm)]:g} eV; leave such masses out"
        )
    x, shape = np.log(at), cl / norm[:, None]
    return RecastLikelihood(
        jnp.asarray(np.log(mass)),
        jnp.asarray(np.log(limit / G_REF_GEV)),
        jnp.asarray(1.0 / var),
        jnp.asarray(x),
        jnp.asarray(np.stack([np.log(norm), spline_curvature(x, np.log(norm))], axis=-1)),
        jnp.asarray(np.stack([shape, spline_curvature(x, shape)], axis=-1)),
    )


def _check_increasing(what: str, mass: np.ndarray, least: int) -> None:
    if mass.ndim != 1 or mass.size < least or not np.all(np.isfinite(mass)) or mass.min() <= 0:
        raise DataError(f"{what}: expected at least {least} finite masses > 0 eV")
    if np.any(np.diff(mass) <= 0):
        raise DataError(f"{what}: masses must increase")


def warn_shape_mismatch(m_a_eV: ArrayLike, match: ArrayLike) -> None:
    """Warn where the model's spectrum differs in shape from the fiducial one.

    Parameters
    ----------
    m_a_eV : array, shape (n,)
        Masses [eV].
    match : array, shape (n,)
        R/R_norm of :class:`RecastResponse`.

    Returns
    -------
    None
        A :class:`~diffaxion.errors.DiffaxionWarning` if a match is below 0.97.

    References
    ----------
    None: a diagnostic of assumption (iv).
    """
    mass, value = np.atleast_1d(np.asarray(m_a_eV, float)), np.atleast_1d(np.asarray(match))
    bad = value < SHAPE_MATCH_MIN
    if bad.any():
        k = int(np.argmin(value))
        warnings.warn(
            f"recast: the spectrum differs in shape from the fiducial one at {bad.sum()} of "
            f"{mass.size} masses, R/R_norm = {value[k]:.3f} at {mass[k]:.3g} eV (expected >= "
            f"{SHAPE_MATCH_MIN}): the projection loses signal there",
            DiffaxionWarning,
            stacklevel=2,
        )
