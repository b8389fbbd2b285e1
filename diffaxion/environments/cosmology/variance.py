"""Variance of the linear density field in spheres: sigma(M), its slope, sigma_8.

sigma^2(M, z) = int dk k^2 P(k, z) W^2(kR)/(2 pi^2), R = (3M/(4 pi rho_m0))^(1/3), with
W(y) = 3 (sin y - y cos y)/y^3. The nodes are k = kappa (rho_m0/rho_fid)^(1/3) with fixed kappa, so
that kR depends on the mass alone: the matrix W^2(kR) is the same for all cosmologies, and what
is left of sigma^2 is one product of a matrix with a vector.
"""

from __future__ import annotations

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...constants import SCREENING_CONSTANTS
from ...errors import unknown_name
from .background import Cosmology, matter_density, parameter
from .power import LinearPower, SeparablePower

Scheme = Literal["analytic", "differences"]

# kappa [1/Mpc]: Simpson nodes equal in ln kappa.
KAPPA_RANGE_MPC = (1e-4, 2000.0)
_NODES = 2001
_KAPPA = np.geomspace(*KAPPA_RANGE_MPC, _NODES)
_D_LN_K = float(np.log(KAPPA_RANGE_MPC[1] / KAPPA_RANGE_MPC[0]) / (_NODES - 1))
_SIMPSON = _D_LN_K / 3.0 * np.r_[1.0, np.tile([4.0, 2.0], (_NODES - 3) // 2), 4.0, 1.0]
# Density at which k = kappa [Msun/Mpc^3]: that of omega_m = 0.1425.
_RHO_FIDUCIAL = SCREENING_CONSTANTS["exact"].critical_density_h2_Msun_Mpc3 * 0.1425
_SERIES_BELOW = 0.1


class SigmaWindow(eqx.Module):
    """Top-hat windows of a set of masses on the nodes of the sigma integral.

    They depend on the masses only: compute them once where only the cosmology varies.

    Attributes
    ----------
    square : float array, shape (m, k)
        W^2(kR).
    slope : float array, shape (m, k)
        -(1/3) W dW/dln y, the derivative of -W^2/2 in ln M.
    """

    square: Float[Array, "m k"] = parameter()
    slope: Float[Array, "m k"] = parameter()


def _top_hat(y: Float[Array, "..."]) -> tuple[Array, Array]:
    """W(y) and dW/dln y; power series where the closed form loses digits."""
    small = y < _SERIES_BELOW
    x = jnp.where(small, 1.0, y)
    sin, cos = jnp.sin(x), jnp.cos(x)
    x2, y2 = x * x, jnp.where(small, y, 0.0) ** 2
    window = jnp.where(
        small,
        1.0 - y2 / 10.0 * (1.0 - y2 / 28.0 * (1.0 - y2 / 54.0)),
        3.0 * (sin - x * cos) / (x2 * x),
    )
    slope = jnp.where(
        small,
        -y2 / 5.0 * (1.0 - y2 / 14.0 * (1.0 - y2 / 36.0)),
        3.0 * ((x2 - 3.0) * sin + 3.0 * x * cos) / (x2 * x),
    )
    return window, slope


def sigma_window(mass_Msun: Float[Array, " m"]) -> SigmaWindow:
    """Windows W(kR) of a set of masses, which no cosmological parameter enters.

    Parameters
    ----------
    mass_Msun : float array, shape (m,)
        Masses [Msun].

    Returns
    -------
    SigmaWindow
        Matrices of shape (m, k), for :func:`mass_sigma` and :func:`sigma_slope`.

    References
    ----------
    Peebles 1980, The Large-Scale Structure of the Universe, section 26.
    """
    radius = jnp.cbrt(3.0 * jnp.asarray(mass_Msun, float) / (4.0 * jnp.pi * _RHO_FIDUCIAL))
    window, slope = _top_hat(radius[:, None] * jnp.asarray(_KAPPA))
    return SigmaWindow(window**2, -window * slope / 3.0)


def _nodes(cosmology: Cosmology) -> tuple[Array, Array]:
    """Wave numbers of the sigma integral [1/Mpc] and weights k^3 dln k/(2 pi^2)."""
    k = jnp.asarray(_KAPPA) * jnp.cbrt(matter_density(cosmology, 0.0) / _RHO_FIDUCIAL)
    return k, jnp.asarray(_SIMPSON) * k**3 / (2.0 * jnp.pi**2)


def _spectrum(
    cosmology: Cosmology, power: LinearPower, z: Float[Array, " n"]
) -> tuple[Array, Array]:
    """Integrand without window times weights, (1 or n, k), and the factors (n,) that it lacks."""
    k, measure = _nodes(cosmology)
    factor = power.variance_factor(z)
    if isinstance(power, SeparablePower):
        return (measure * power.today(cosmology, k))[None], factor * power.growth_squared(
            cosmology, z
        )
    return measure * power.power(cosmology, k, z[:, None]), factor


def mass_sigma(
    cosmology: Cosmology,
    power: LinearPower,
    mass_Msun: Float[Array, " m"],
    z: Float[Array, " n"],
    window: SigmaWindow | None = None,
) -> Float[Array, "n m"]:
    """Standard deviation sigma(M, z) of the linear density field in spheres of mass M.

    sigma^2 = int dk k^2 P W^2(kR)/(2 pi^2), by Simpson's rule on 2001 points equal in ln k between
    1e-4 and 2000 /Mpc.

    Parameters
    ----------
    cosmology : Cosmology
        Background.
    power : LinearPower
        Linear power spectrum.
    mass_Msun : float array, shape (m,)
        Masses [Msun].
    z : float array, shape (n,)
        Redshifts.
    window : SigmaWindow, optional
        :func:`sigma_window` of the masses, when it is at hand.

    Returns
    -------
    float array, shape (n, m)
        sigma, dimensionless.

    References
    ----------
    Peebles 1980, The Large-Scale Structure of the Universe, section 26; Tinker et al. 2010,
    ApJ 724, 878 (arXiv:1001.3162), eq. 2.
    """
    z = jnp.asarray(z, float)
    window = sigma_window(mass_Msun) if window is None else window
    spectrum, factor = _spectrum(cosmology, power, z)
    return jnp.sqrt(spectrum @ window.square.T * factor[:, None])


def sigma_and_power(
    cosmology: Cosmology,
    power: LinearPower,
    window: SigmaWindow,
    z: Float[Array, " n"],
    k_Mpc: Float[Array, "l n"],
) -> tuple[Float[Array, "n m"], Float[Array, "l n"]]:
    """sigma(M, z) and P(k, z) together: a separable spectrum and its growth are evaluated once.

    sigma^2 = int dk k^2 P W^2(kR)/(2 pi^2) as in :func:`mass_sigma`.

    Parameters
    ----------
    cosmology : Cosmology
        Background.
    power : LinearPower
        Linear power spectrum.
    window : SigmaWindow
        :func:`sigma_window` of m masses.
    z : float array, shape (n,)
        Redshifts.
    k_Mpc : float array, shape (l, n)
        Comoving wave numbers at each redshift [1/Mpc].

    Returns
    -------
    sigma : float array, shape (n, m)
        sigma, dimensionless.
    power : float array, shape (l, n)
        P(k, z) [Mpc^3].

    References
    ----------
    Peebles 1980, The Large-Scale Structure of the Universe, section 26.
    """
    if not isinstance(power, SeparablePower):
        spectrum, factor = _spectrum(cosmology, power, z)
        at_k = power.power(cosmology, k_Mpc, z)
    else:
        nodes, measure = _nodes(cosmology)
        today = power.today(cosmology, jnp.concatenate([nodes, k_Mpc.reshape(-1)]))
        growth = power.growth_squared(cosmology, z)
        spectrum, factor = (measure * today[:_NODES])[None], power.variance_factor(z) * growth
        at_k = today[_NODES:].reshape(k_Mpc.shape) * growth
    return jnp.sqrt(spectrum @ window.square.T * factor[:, None]), at_k


def sigma_slope(
    cosmology: Cosmology,
    power: LinearPower,
    mass_Msun: Float[Array, " m"],
    z: Float[Array, " n"],
    scheme: Scheme = "analytic",
    window: SigmaWindow | None = None,
) -> Float[Array, "n m"]:
    """Logarithmic slope d ln sigma^-1/d ln M, which the mass function contains.

    ``analytic``: -(1/3) int k^2 P W dW/dln(kR) / int k^2 P W^2, exact on any grid.
    ``differences``: central differences of ln sigma^-1 in ln M on the given masses, second order on
    uneven nodes, one-sided at the two ends; the rule of the public screening code.

    Parameters
    ----------
    cosmology : Cosmology
        Background.
    power : LinearPower
        Linear power spectrum.
    mass_Msun : float array, shape (m,)
        Increasing masses [Msun]; at least two for ``differences``.
    z : float array, shape (n,)
        Redshifts; a separable power has the same slope at all of them.
    scheme : str
        ``analytic`` or ``differences``; static.
    window : SigmaWindow, optional
        :func:`sigma_window` of the masses, when it is at hand.

    Returns
    -------
    float array, shape (n, m)
        d ln sigma^-1/d ln M, positive.

    Raises
    ------
    ConfigurationError
        If the scheme is unknown.

    References
    ----------
    Tinker et al. 2008, ApJ 688, 709 (arXiv:0803.2706), eq. 2.
    """
    if scheme not in ("analytic", "differences"):
        raise unknown_name("scheme of the slope of sigma", scheme, ("analytic", "differences"))
    z = jnp.asarray(z, float)
    window = sigma_window(mass_Msun) if window is None else window
    spectrum, _ = _spectrum(cosmology, power, z)
    variance = spectrum @ window.square.T
    if scheme == "analytic":
        slope = spectrum @ window.slope.T / variance
    else:
        slope = central_differences(-0.5 * jnp.log(variance), jnp.log(mass_Msun))
    return jnp.broadcast_to(slope, (z.shape[0], slope.shape[1]))


def central_differences(f: Float[Array, "n m"], x: Float[Array, " m"]) -> Float[Array, "n m"]:
    """df/dx: weighted mean of the slopes of the two neighbouring intervals, one-sided at ends."""
    h = jnp.diff(x)
    slope = jnp.diff(f, axis=1) / h
    inner = (h[1:] * slope[:, :-1] + h[:-1] * slope[:, 1:]) / (h[1:] + h[:-1])
    return jnp.concatenate([slope[:, :1], inner, slope[:, -1:]], axis=1)


def sigma_8(cosmology: Cosmology, power: LinearPower) -> Float[Array, ""]:
    """Standard deviation of the linear density field today in spheres of 8/h Mpc.

    Parameters
    ----------
    cosmology : Cosmology
        Background.
    power : LinearPower
        Linear power spectrum.

    Returns
    -------
    float array, shape ()
        sigma_8, dimensionless.

    References
    ----------
    Planck Collaboration 2020, A&A 641, A6 (arXiv:1807.06209), table 1.
    """
    volume = 4.0 / 3.0 * jnp.pi * (8.0 / cosmology.h) ** 3
    mass = volume * matter_density(cosmology, 0.0)
    return mass_sigma(cosmology, power, mass[None], jnp.zeros(1))[0, 0]
