"""Thermal pressure of the gas in halos."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...constants import G_MSUN2_MPC4_PA
from ..galaxy.base import parameter
from .grid import HaloGrid
from .scaling import MassRedshiftScaling, scaling


def _published(*values: float) -> Any:
    return eqx.field(default_factory=lambda: scaling(*values))


class BattagliaPressure(eqx.Module):
    """Pressure of the gas of simulated halos with AGN feedback.

    P_th = P_200 P_0 y^gamma (1 + y)^-beta, y = x/x_c, P_200 = 200 G M200c rho_c f_b/(2 R200c).
    The fit was made to massive halos; below about 5e13 Msun it is an extrapolation.

    Attributes
    ----------
    p_0, x_c, beta : MassRedshiftScaling
        Amplitude, core radius over R200c and outer slope (dimensionless).
    gamma : float array, shape ()
        Inner slope.

    References
    ----------
    Battaglia et al. 2012, ApJ 758, 75, arXiv:1109.3711, table 1.
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:1109.3711",)
    p_0: MassRedshiftScaling = _published(18.1, 0.154, -0.758)
    x_c: MassRedshiftScaling = _published(0.497, -0.00865, 0.731)
    beta: MassRedshiftScaling = _published(4.35, 0.0393, 0.415)
    gamma: Float[Array, ""] = parameter(default=-0.3)


def thermal_pressure(
    pressure: BattagliaPressure,
    grid: HaloGrid,
    x: Float[Array, "... n m"],
    mass_cap_Msun: Float[Array, ""] | None = None,
) -> Float[Array, "... n m"]:
    """P_th of all particles.

    Electrons carry (2 + 2 X_H)/(3 + 5 X_H) = 0.518 of it for X_H = 0.76.

    Parameters
    ----------
    pressure : BattagliaPressure
        The profile.
    grid : HaloGrid
        Halos, n redshifts and m masses.
    x : float array, shape (..., n, m)
        Radii r/R200c, > 0.
    mass_cap_Msun : float array, shape (), optional
        M200c is replaced by min(M200c, cap) in P_200, P_0, x_c and beta [Msun], but not in R200c
        and x: the form that one public script uses. Default: no cap.

    Returns
    -------
    float array, shape (..., n, m)
        Pressure [Pa].

    References
    ----------
    Battaglia et al. 2012, arXiv:1109.3711, eqs. 10 and 11.
    """
    mass = grid.m200c_Msun
    if mass_cap_Msun is not None:
        mass = jnp.minimum(mass, mass_cap_Msun)
    density = grid.critical_density * grid.baryon_fraction
    log_p200 = jnp.log(100.0 * G_MSUN2_MPC4_PA * mass * density / grid.r200c_Mpc)
    log_y = jnp.log(x) - pressure.x_c.log(mass, grid.z)
    steep = jnp.exp(pressure.beta.log(mass, grid.z))
    # ln(1 + y) with y = exp(log_y)
    shape = pressure.gamma * log_y - steep * jnp.logaddexp(0.0, log_y)
    return jnp.exp(log_p200 + pressure.p_0.log(mass, grid.z) + shape)
