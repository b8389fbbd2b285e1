"""Electron density of halos, and the radii at which it takes a given value.

x = r/R200c; densities are physical [cm^-3]; arrays have the axes (redshift, mass).
"""

from __future__ import annotations

import abc
import math
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ...constants import MPC_CM, SCREENING_CONSTANTS
from ..galaxy.base import parameter
from .grid import HaloGrid
from .scaling import MassRedshiftScaling, scaling

# Radii are kept inside exp(+-30): far beyond any halo, and nothing overflows downstream.
LN_X_MAX = 30.0
LN_DENSITY_MAX = 300.0
NEWTON_STEPS = 6
# Flatter profiles, |d ln n_e/d ln r| below this, violate the linear crossing and are left out.
MIN_SLOPE = 0.05
# Tangents of the softplus that bound the root from the right: (where, value, slope).
_TANGENTS = [(v, math.log1p(math.exp(v)), 1.0 / (1.0 + math.exp(-v))) for v in (-4.0, -2.0, 0, 2.0)]


class Crossings(NamedTuple):
    """Radii at which the electron density takes a value; the number r of slots is static.

    Attributes
    ----------
    x : float array, shape (r, n, m)
        Radii r/R200c; any finite positive number where not valid.
    slope : float array, shape (r, n, m)
        s = d ln n_e/d ln r there; never zero.
    valid : bool array, shape (r, n, m)
        Whether the slot holds a crossing that a linear (Landau-Zener) treatment may use.
    tangential : bool array, shape (r, n, m)
        Crossings that were excluded because |s| < 0.05: a caller should warn.
    """

    x: Float[Array, "r n m"]
    slope: Float[Array, "r n m"]
    valid: Bool[Array, "r n m"]
    tangential: Bool[Array, "r n m"]


class GasProfile(eqx.Module):
    """Electron density n_e(x) of every halo of a grid.

    Attributes
    ----------
    references : tuple of str
        Papers of what the model contains.
    """

    references: eqx.AbstractClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def log_density(
        self, grid: HaloGrid, x: Float[Array, "..."]
    ) -> tuple[Float[Array, "... n m"], Float[Array, "... n m"]]:
        """ln n_e [cm^-3] and s = d ln n_e/d ln r at x = r/R200c, broadcastable to (n, m)."""

    @abc.abstractmethod
    def crossings(self, grid: HaloGrid, log_density: Float[Array, ""]) -> Crossings:
        """Radii at which ln n_e [cm^-3] takes a value, a scalar."""


def log_electrons_per_mass(grid: HaloGrid, hydrogen_fraction: Float[Array, ""]) -> Float[Array, ""]:
    """ln of n_e [cm^-3] over rho_gas [Msun Mpc^-3] of fully ionised gas: (1 + X_H)/(2 m_p)."""
    proton = SCREENING_CONSTANTS[grid.constants].proton_mass_Msun
    unit = -math.log(2.0 * proton) - 3.0 * math.log(MPC_CM)
    return jnp.log1p(hydrogen_fraction) + unit


class GeneralizedNFWGas(GasProfile):
    """Gas of simulated halos, a generalised NFW profile.

    rho_gas = f_b rho_c(z) rho_0 y^gamma (1 + y^alpha)^(-(beta + gamma)/alpha), y = x/x_core, and
    n_e = (1 + X_H) rho_gas/(2 m_p) for full ionisation. rho_0, alpha and beta scale with M200c and
    z. With gamma < 0 (required) the slope s = gamma - (beta + gamma) y^alpha/(1 + y^alpha) falls
    from gamma to -beta: every density is met once. Scale n_e by ``rho_0.amplitude``.

    Attributes
    ----------
    rho_0, alpha, beta : MassRedshiftScaling
        Amplitude and slopes of the profile (dimensionless).
    gamma : float array, shape ()
        Inner slope, negative.
    x_core : float array, shape ()
        Core radius over R200c.
    hydrogen_fraction : float array, shape ()
        X_H, by mass.

    References
    ----------
    Battaglia 2016, arXiv:1607.02442, with the sign of the second gamma as in the code hmvec.
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:1607.02442",)
    rho_0: MassRedshiftScaling
    alpha: MassRedshiftScaling
    beta: MassRedshiftScaling
    gamma: Float[Array, ""] = parameter(default=-0.2)
    x_core: Float[Array, ""] = parameter(default=0.5)
    hydrogen_fraction: Float[Array, ""] = parameter(default=0.76)

    def _log_normalisation(self, grid: HaloGrid) -> Float[Array, "n m"]:
        """ln n_e [cm^-3] of the profile without its dependence on x."""
        return (
            log_electrons_per_mass(grid, self.hydrogen_fraction)
            + jnp.log(grid.baryon_fraction * grid.critical_density)
            + self.rho_0.log(grid.m200c_Msun, grid.z)
        )

    def log_density(
        self, grid: HaloGrid, x: Float[Array, "..."]
    ) -> tuple[Float[Array, "... n m"], Float[Array, "... n m"]]:
        """ln n_e [cm^-3] and d ln n_e/d ln r at x."""
        u = _log_radius(x) - jnp.log(self.x_core)
        alpha, steep = self.alpha(grid), self.beta(grid) + self.gamma
        value = (
            self._log_normalisation(grid)
            + self.gamma * u
            - steep / alpha * jax.nn.softplus(alpha * u)
        )
        return value, self.gamma - steep * jax.nn.sigmoid(alpha * u)

    def crossings(self, grid: HaloGrid, log_density: Float[Array, ""]) -> Crossings:
        """The one radius at which n_e takes the value, in every halo; r = 1."""
        target = jnp.clip(log_density, -LN_DENSITY_MAX, LN_DENSITY_MAX)
        alpha, steep = self.alpha(grid), self.beta(grid) + self.gamma
        depth = self._log_normalisation(grid) - target
        v = solve_softplus(-self.gamma / alpha, steep / alpha, depth)
        slope = self.gamma - steep * jax.nn.sigmoid(v)
        return _single_crossing(v / alpha + jnp.log(self.x_core), slope)


class NFWGas(GasProfile):
    """Gas that follows the dark matter.

    rho_gas = f_b rho_s/(y (1 + y)^2), y = c200c x, rho_s = M200c c200c^3/(4 pi R200c^3 m(c200c)),
    m(c) = ln(1 + c) - c/(1 + c); n_e = (1 + X_H) rho_gas/(2 m_p).

    Attributes
    ----------
    ln_amplitude : float array, shape ()
        Logarithm of a factor on n_e.
    hydrogen_fraction : float array, shape ()
        X_H, by mass.

    References
    ----------
    Navarro, Frenk & White 1997, arXiv:astro-ph/9611107.
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:astro-ph/9611107",)
    ln_amplitude: Float[Array, ""] = parameter(default=0.0)
    hydrogen_fraction: Float[Array, ""] = parameter(default=0.76)

    def _log_normalisation(self, grid: HaloGrid) -> Float[Array, "n m"]:
        """ln of the electron density f_b rho_s (1 + X_H)/(2 m_p) [cm^-3]."""
        c = grid.c200c
        enclosed = jnp.log1p(c) - c / (1.0 + c)
        rho_s = grid.m200c_Msun * (c / grid.r200c_Mpc) ** 3 / (4.0 * math.pi * enclosed)
        electrons = log_electrons_per_mass(grid, self.hydrogen_fraction) + self.ln_amplitude
        return electrons + jnp.log(grid.baryon_fraction * rho_s)

    def log_density(
        self, grid: HaloGrid, x: Float[Array, "..."]
    ) -> tuple[Float[Array, "... n m"], Float[Array, "... n m"]]:
        """ln n_e [cm^-3] and d ln n_e/d ln r at x."""
        v = _log_radius(x) + jnp.log(grid.c200c)
        value = self._log_normalisation(grid) - v - 2.0 * jax.nn.softplus(v)
        return value, -1.0 - 2.0 * jax.nn.sigmoid(v)

    def crossings(self, grid: HaloGrid, log_density: Float[Array, ""]) -> Crossings:
        """The one radius at which n_e takes the value, in every halo; r = 1."""
        target = jnp.clip(log_density, -LN_DENSITY_MAX, LN_DENSITY_MAX)
        depth = self._log_normalisation(grid) - target
        v = solve_softplus(jnp.ones_like(depth), 2.0 * jnp.ones_like(depth), depth)
        return _single_crossing(v - jnp.log(grid.c200c), -1.0 - 2.0 * jax.nn.sigmoid(v))


def _log_radius(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """ln x, kept inside the radii that crossings may return."""
    return jnp.log(jnp.clip(x, math.exp(-LN_X_MAX), math.exp(LN_X_MAX)))


def _single_crossing(ln_x: Float[Array, "n m"], slope: Float[Array, "n m"]) -> Crossings:
    """Crossings of a monotone profile."""
    inside = jnp.abs(ln_x) < LN_X_MAX
    x = jnp.exp(jnp.clip(ln_x, -LN_X_MAX, LN_X_MAX))
    return Crossings(x[None], slope[None], inside[None], jnp.zeros_like(inside)[None])


@jax.custom_jvp
def solve_softplus(
    p: Float[Array, "..."], q: Float[Array, "..."], depth: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Root v of p v + q ln(1 + e^v) = depth for p, q > 0, elementwise.

    The left side is convex and increasing, so that each of its tangents and asymptotes bounds the
    root from above; from the least of them Newton's method is monotone, and six steps reach the
    last bits of float64 for q/p up to 100. The derivative is implicit,
    dv = (d depth - v dp - ln(1 + e^v) dq)/(p + q/(1 + e^-v)), and exact to any order.
    """
    v = jnp.minimum(depth / p, depth / (p + q))
    for where, value, slope in _TANGENTS:
        v = jnp.minimum(v, where + (depth - p * where - q * value) / (p + q * slope))
    for _ in range(NEWTON_STEPS):
        e = jnp.exp(-jnp.abs(v))
        sigmoid = jnp.where(v >= 0.0, 1.0, e) / (1.0 + e)
        residual = p * v + q * (jnp.maximum(v, 0.0) + jnp.log1p(e)) - depth
        v = v - residual / (p + q * sigmoid)
    return v


@solve_softplus.defjvp
def _solve_softplus_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    p, q, depth = primals
    dp, dq, ddepth = tangents
    v = solve_softplus(p, q, depth)
    change = ddepth - v * dp - jax.nn.softplus(v) * dq
    return v, change / (p + q * jax.nn.sigmoid(v))


def agn_gas() -> GeneralizedNFWGas:
    """Gas of halos with feedback by active galactic nuclei, the fiducial choice.

    Returns
    -------
    GeneralizedNFWGas
        Scalar leaves of shape () (dimensionless).

    References
    ----------
    Battaglia 2016, arXiv:1607.02442, set "AGN feedback".
    """
    return GeneralizedNFWGas(
        rho_0=scaling(4000.0, 0.29, -0.66),
        alpha=scaling(0.88, -0.03, 0.19),
        beta=scaling(3.83, 0.04, -0.025),
    )


def shock_heated_gas() -> GeneralizedNFWGas:
    """Gas of halos without feedback, heated by shocks only.

    Returns
    -------
    GeneralizedNFWGas
        Scalar leaves of shape () (dimensionless).

    References
    ----------
    Battaglia 2016, arXiv:1607.02442, set "shock heating".
    """
    return GeneralizedNFWGas(
        rho_0=scaling(19000.0, 0.09, -0.95),
        alpha=scaling(0.70, -0.017, 0.27),
        beta=scaling(4.43, 0.005, 0.037),
    )
