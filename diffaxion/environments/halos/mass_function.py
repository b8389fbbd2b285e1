"""Number density and linear bias of halos: Tinker et al. 2008 and 2010.

nu = 1.686/sigma(M, z). The fits depend on the overdensity Delta relative to the mean density; the
parameters of their tables are splined in log10 Delta. ``200m`` uses those of Delta = 200 for virial
masses, as the public screening code does; ``consistent`` those of Delta_vir(z)/Omega_m(z), kept
between 200 and 3200 where the tables end.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...errors import unknown_name
from ...numerics import spline_curvature, spline_interpolate
from ..cosmology import Cosmology, matter_density, matter_fraction
from ..cosmology.variance import central_differences
from ..galaxy.base import parameter
from .radii import virial_overdensity

Fit = Literal["tinker10", "tinker08"]
Overdensity = Literal["200m", "consistent"]
Normalisation = Literal["from-zero", "truncated"]

DELTA_COLLAPSE = 1.686
_CHOICES = {
    "fit": ("tinker10", "tinker08"),
    "overdensity": ("200m", "consistent"),
    "normalisation": ("from-zero", "truncated"),
}
_LOG_DELTA = np.log10([200.0, 300, 400, 600, 800, 1200, 1600, 2400, 3200])
# A, a, b, c of Tinker et al. 2008, Table 2.
_TINKER08 = np.array(
    [
        [0.186, 0.200, 0.212, 0.218, 0.248, 0.255, 0.260, 0.260, 0.260],
        [1.47, 1.52, 1.56, 1.61, 1.87, 2.13, 2.30, 2.53, 2.66],
        [2.57, 2.25, 2.05, 1.87, 1.59, 1.51, 1.46, 1.44, 1.41],
        [1.19, 1.27, 1.34, 1.45, 1.58, 1.80, 1.97, 2.24, 2.44],
    ]
).T
# beta, gamma, phi, eta of Tinker et al. 2010, Table 4.
_TINKER10 = np.array(
    [
        [0.589, 0.585, 0.544, 0.543, 0.564, 0.623, 0.637, 0.673, 0.702],
        [0.864, 0.922, 0.987, 1.09, 1.20, 1.34, 1.50, 1.68, 1.81],
        [-0.729, -0.789, -0.910, -1.05, -1.20, -1.26, -1.45, -1.50, -1.49],
        [-0.243, -0.261, -0.261, -0.273, -0.278, -0.301, -0.301, -0.319, -0.336],
    ]
).T
_CURVATURE08 = spline_curvature(_LOG_DELTA, _TINKER08)
_CURVATURE10 = spline_curvature(_LOG_DELTA, _TINKER10)
_LAST_EVOLUTION_Z = 3.0
_FIRST_DELTA = 200.0

# From zero: nu = exp(w - exp(-w)), which removes the power at nu -> 0, and the trapezoid in w.
_W = np.linspace(-7.5, 2.5, 81)
_LN_NU_ZERO = _W - np.exp(-_W)
_LN_WEIGHT_ZERO = np.log(_W[1] - _W[0]) + _LN_NU_ZERO + np.log1p(np.exp(-_W))
# Truncated: the trapezoid of the public code on 10^4 points from 1e-6 to 100, equal in ln nu.
_NU_CUT = np.geomspace(1e-6, 1e2, 10000)
_LN_WEIGHT_CUT = np.log(
    0.5 * np.diff(_NU_CUT, prepend=_NU_CUT[0]) + 0.5 * np.diff(_NU_CUT, append=_NU_CUT[-1])
)


def _column(overdensity: Float[Array, "..."] | float) -> Float[Array, "... 1"] | float:
    """An array with one more axis; a plain number stays one."""
    return overdensity if isinstance(overdensity, float) else jnp.asarray(overdensity)[..., None]


def _row(
    overdensity: Float[Array, "..."] | float, table: np.ndarray, curvature: np.ndarray
) -> Float[Array, "4 ..."]:
    """Four parameters of a fit at an overdensity; the plain number 200 is the first row."""
    if isinstance(overdensity, float) and overdensity == _FIRST_DELTA:
        return jnp.asarray(table[0])
    row = spline_interpolate(
        jnp.log10(overdensity), jnp.asarray(_LOG_DELTA), jnp.asarray(table), jnp.asarray(curvature)
    )
    return jnp.moveaxis(row, -1, 0)


def tinker10_multiplicity(
    ln_nu: Float[Array, "..."], z: Float[Array, "..."], overdensity: Float[Array, "..."] | float
) -> Float[Array, "..."]:
    """f(nu)/alpha = [1 + (beta nu)^(-2 phi)] nu^(2 eta) exp(-gamma nu^2/2), without its amplitude.

    beta, phi, eta and gamma evolve as (1+z) to the powers 0.20, -0.08, 0.27 and -0.01 up to z = 3.

    Parameters
    ----------
    ln_nu : float array, shape (...)
        ln of nu = 1.686/sigma.
    z : float array, shape (...)
        Redshift.
    overdensity : float array, shape (...)
        Delta relative to the mean density, 200 to 3200.

    Returns
    -------
    float array, shape (...)
        f(nu)/alpha, dimensionless.

    References
    ----------
    Tinker et al. 2010, ApJ 724, 878 (arXiv:1001.3162), eqs. 8-12 and Table 4.
    """
    ln_tail, rise = _tinker10_factors(ln_nu, z, overdensity)
    return rise * jnp.exp(ln_tail)


def _tinker10_factors(ln_nu: Array, z: Array, overdensity: Array | float) -> tuple[Array, Array]:
    """ln of nu^(2 eta) exp(-gamma nu^2/2), which overflows for nu -> 0, and 1 + (beta nu)^..."""
    ln_a = jnp.log1p(jnp.minimum(z, _LAST_EVOLUTION_Z))
    beta, gamma, phi, eta = _row(overdensity, _TINKER10, _CURVATURE10)
    ln_beta = jnp.log(beta) + 0.20 * ln_a
    gamma, phi, eta = (
        p * jnp.exp(k * ln_a) for p, k in ((gamma, -0.01), (phi, -0.08), (eta, 0.27))
    )
    ln_tail = 2.0 * eta * ln_nu - 0.5 * gamma * jnp.exp(2.0 * ln_nu)
    return ln_tail, 1.0 + jnp.exp(-2.0 * phi * (ln_beta + ln_nu))


def tinker08_multiplicity(
    sigma: Float[Array, "..."], z: Float[Array, "..."], overdensity: Float[Array, "..."] | float
) -> Float[Array, "..."]:
    """nu f(nu) = A [(sigma/b)^-a + 1] exp(-c/sigma^2).

    A, a and b evolve as (1+z) to the powers -0.14, -0.06 and -q,
    q = 10^-[0.75/log10(Delta/75)]^1.2.

    Parameters
    ----------
    sigma : float array, shape (...)
        Rms linear fluctuation at the mass of the halo.
    z : float array, shape (...)
        Redshift.
    overdensity : float array, shape (...)
        Delta relative to the mean density, 200 to 3200.

    Returns
    -------
    float array, shape (...)
        nu f(nu), dimensionless.

    References
    ----------
    Tinker et al. 2008, ApJ 688, 709 (arXiv:0803.2706), eqs. 3-8 and Table 2.
    """
    log_delta = jnp.log10(overdensity)
    amplitude, a, b, c = _row(overdensity, _TINKER08, _CURVATURE08)
    q = 10.0 ** (-((0.75 / (log_delta - np.log10(75.0))) ** 1.2))
    a1 = 1.0 + z
    amplitude, a, b = amplitude * a1**-0.14, a * a1**-0.06, b * a1**-q
    return amplitude * ((sigma / b) ** -a + 1.0) * jnp.exp(-c / sigma**2)


def tinker10_bias(
    ln_nu: Float[Array, "..."], overdensity: Float[Array, "..."] | float
) -> Float[Array, "..."]:
    """Linear bias b = 1 - A nu^a/(nu^a + 1.686^a) + 0.183 nu^1.5 + C nu^2.4.

    With y = log10 Delta: A = 1 + 0.24 y e, a = 0.44 y - 0.88, C = 0.019 + 0.107 y + 0.19 e,
    e = exp(-(4/y)^4).

    Parameters
    ----------
    ln_nu : float array, shape (...)
        ln of nu = 1.686/sigma.
    overdensity : float array, shape (...)
        Delta relative to the mean density.

    Returns
    -------
    float array, shape (...)
        b, dimensionless.

    References
    ----------
    Tinker et al. 2010, ApJ 724, 878 (arXiv:1001.3162), eq. 6 and Table 2.
    """
    y = jnp.log10(overdensity)
    e = jnp.exp(-((4.0 / y) ** 4))
    a = 0.44 * y - 0.88
    # nu^a/(nu^a + delta^a) as a logistic function overflows in neither value nor derivative.
    drop = (1.0 + 0.24 * y * e) * jax.nn.sigmoid(a * (ln_nu - np.log(DELTA_COLLAPSE)))
    rise = 0.183 * jnp.exp(1.5 * ln_nu)
    return 1.0 - drop + rise + (0.019 + 0.107 * y + 0.19 * e) * jnp.exp(2.4 * ln_nu)


def tinker10_amplitude(
    z: Float[Array, "..."],
    overdensity: Float[Array, "..."] | float,
    normalisation: Normalisation = "from-zero",
) -> Float[Array, "..."]:
    """alpha(z) of f(nu) from int b f dnu = 1: matter is not biased against itself.

    Parameters
    ----------
    z : float array, shape (...)
        Redshift.
    overdensity : float array, shape (...)
        Delta relative to the mean density, 200 to 3200.
    normalisation : str
        ``from-zero``, over all nu, or ``truncated``, from 1e-6 to 100 as in the public code: 0.05%
        higher at z = 0 and 0.6% at z = 1.9, because f falls only as nu^(2 eta) towards 0.

    Returns
    -------
    float array, shape (...)
        alpha, dimensionless.

    References
    ----------
    Tinker et al. 2010, ApJ 724, 878 (arXiv:1001.3162), eq. 7; Takahasi & Mori 1974, Publ. RIMS 9,
    721 (the quadrature from zero).
    """
    if normalisation == "from-zero":
        ln_nu, ln_weight = jnp.asarray(_LN_NU_ZERO), jnp.asarray(_LN_WEIGHT_ZERO)
    else:
        ln_nu, ln_weight = jnp.asarray(np.log(_NU_CUT)), jnp.asarray(_LN_WEIGHT_CUT)
    z, overdensity = jnp.asarray(z, float)[..., None], _column(overdensity)
    ln_tail, rise = _tinker10_factors(ln_nu, z, overdensity)
    biased = rise * tinker10_bias(ln_nu, overdensity)
    return 1.0 / jnp.sum(biased * jnp.exp(ln_tail + ln_weight), axis=-1)


class MassFunction(eqx.Module):
    """Number density and bias of halos of virial mass.

    dn/dM = exp(ln_amplitude) rho_m0 nu f(nu, z) (d ln sigma^-1/d ln M)/M^2.

    Attributes
    ----------
    fit : str
        ``tinker10`` or ``tinker08`` (the density; the bias is of 2010 in both); static.
    overdensity : str
        ``200m`` or ``consistent``; static.
    normalisation : str
        ``from-zero`` or ``truncated``: how alpha of ``tinker10`` is integrated; static.
    ln_amplitude : float array, shape ()
        Nuisance that multiplies dn/dM by its exponential.

    References
    ----------
    Tinker et al. 2008, ApJ 688, 709 (arXiv:0803.2706); Tinker et al. 2010, ApJ 724, 878
    (arXiv:1001.3162).
    """

    references: ClassVar[tuple[str, ...]] = ("Tinker:2008ff", "Tinker:2010my")
    fit: Fit = eqx.field(static=True, default="tinker10")
    overdensity: Overdensity = eqx.field(static=True, default="200m")
    normalisation: Normalisation = eqx.field(static=True, default="from-zero")
    ln_amplitude: Float[Array, ""] = parameter(default=0.0)

    def __check_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise unknown_name(f"{name} of the mass function", getattr(self, name), known)

    def mean_overdensity(
        self, cosmology: Cosmology, z: Float[Array, "..."]
    ) -> Float[Array, "..."] | float:
        """Delta relative to the mean density at which the fits are taken."""
        if self.overdensity == "200m":
            return _FIRST_DELTA
        fraction = matter_fraction(cosmology, z)
        return jnp.clip(virial_overdensity(fraction) / fraction, 200.0, 3200.0)

    def density(
        self,
        cosmology: Cosmology,
        sigma: Float[Array, "n m"],
        mass_Msun: Float[Array, " m"],
        z: Float[Array, " n"],
        slope: Float[Array, "..."] | None = None,
    ) -> Float[Array, "n m"]:
        """dn/dM [comoving Mpc^-3 Msun^-1] at masses M [Msun].

        ``slope`` is d ln sigma^-1/d ln M, shape (m,) or (n, m); without it, central differences
        of ln sigma on the nodes of ln M, one-sided at the ends.
        """
        if slope is None:
            slope = central_differences(-jnp.log(sigma), jnp.log(mass_Msun))
        delta = self.mean_overdensity(cosmology, z)
        column, delta_column = z[:, None], _column(delta)
        if self.fit == "tinker08":
            multiplicity = tinker08_multiplicity(sigma, column, delta_column)
        else:
            ln_nu = jnp.log(DELTA_COLLAPSE / sigma)
            alpha = tinker10_amplitude(z, delta, self.normalisation)[:, None]
            shape = tinker10_multiplicity(ln_nu, column, delta_column)
            multiplicity = alpha * jnp.exp(ln_nu) * shape
        rho = matter_density(cosmology, jnp.zeros(())) * jnp.exp(self.ln_amplitude)
        return rho / mass_Msun * multiplicity * slope / mass_Msun

    def bias(
        self, cosmology: Cosmology, sigma: Float[Array, "n m"], z: Float[Array, " n"]
    ) -> Float[Array, "n m"]:
        """Linear bias of halos, dimensionless."""
        delta = self.mean_overdensity(cosmology, z)
        return tinker10_bias(jnp.log(DELTA_COLLAPSE / sigma), _column(delta))
