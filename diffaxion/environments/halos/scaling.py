"""Power laws in halo mass and redshift, the form in which profile parameters are published."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..galaxy.base import parameter
from .grid import HaloGrid

PIVOT_MSUN = 1e14


class MassRedshiftScaling(eqx.Module):
    """X = A (M200c/1e14 Msun)^p (1 + z)^q.

    Attributes
    ----------
    amplitude : float array, shape ()
        A > 0, in the unit of X.
    mass_slope : float array, shape ()
        p.
    redshift_slope : float array, shape ()
        q.
    """

    amplitude: Float[Array, ""] = parameter()
    mass_slope: Float[Array, ""] = parameter()
    redshift_slope: Float[Array, ""] = parameter()

    def log(self, m200c_Msun: Float[Array, "n m"], z: Float[Array, " n"]) -> Float[Array, "n m"]:
        """ln X for masses, shape (n, m) [Msun], at redshifts, shape (n,)."""
        mass = jnp.log(m200c_Msun / PIVOT_MSUN)
        return (
            jnp.log(self.amplitude)
            + self.mass_slope * mass
            + self.redshift_slope * jnp.log1p(z)[:, None]
        )

    def __call__(self, grid: HaloGrid) -> Float[Array, "n m"]:
        """X on the grid, shape (n, m)."""
        return jnp.exp(self.log(grid.m200c_Msun, grid.z))


def scaling(amplitude: float, mass_slope: float, redshift_slope: float) -> MassRedshiftScaling:
    """Scaling from published numbers A, p and q."""
    return MassRedshiftScaling(*map(jnp.asarray, (amplitude, mass_slope, redshift_slope)))
