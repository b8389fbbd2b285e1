"""Magnetic fields of halos from simple assumptions, or from the user's table."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...constants import SQRT_2_MU0_GAUSS
from ...data.halo_profiles import HaloProfiles
from ..galaxy.base import optional_parameter, parameter
from .grid import HaloGrid
from .magnetic import HaloField, clip_radius
from .pressure import BattagliaPressure, thermal_pressure
from .profile_table import ProfileTable, make_profile_table


class ConstantBetaField(HaloField):
    """Field whose pressure is a fixed fraction of the thermal one: B^2/(2 mu_0) = P_th/beta.

    Attributes
    ----------
    beta : float array, shape ()
        Plasma beta, > 0.
    pressure : BattagliaPressure
        Thermal pressure of the gas.
    mass_cap_Msun : float array, shape (), optional
        M200c above which the pressure is that of this mass [Msun]; none by default. A public
        script of the authors uses 10^14.5, the paper does not mention it.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; Battaglia et al. 2012, arXiv:1109.3711.
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:2409.10514", "arXiv:1109.3711")
    beta: Float[Array, ""] = parameter(default=100.0)
    pressure: BattagliaPressure = eqx.field(default_factory=BattagliaPressure)
    mass_cap_Msun: Float[Array, ""] | None = optional_parameter()

    def __call__(self, grid: HaloGrid, x: Float[Array, "... n m"]) -> Float[Array, "... n m"]:
        """|B| [muG] at x = r/R200c."""
        pressure = thermal_pressure(self.pressure, grid, clip_radius(x), self.mass_cap_Msun)
        return 1e6 * SQRT_2_MU0_GAUSS * jnp.sqrt(pressure / self.beta)


class ConstantField(HaloField):
    """The same field strength everywhere in every halo.

    Attributes
    ----------
    b_muG : float array, shape ()
        Field strength, >= 0 [muG].
    """

    references: ClassVar[tuple[str, ...]] = ()
    b_muG: Float[Array, ""] = parameter()

    def __call__(self, grid: HaloGrid, x: Float[Array, "... n m"]) -> Float[Array, "... n m"]:
        """|B| [muG], of the shape of x."""
        return self.b_muG * jnp.ones(jnp.broadcast_shapes(jnp.shape(x), grid.m200c_Msun.shape))


class TabulatedField(HaloField):
    """Field from a table: ln B bilinear in (z, log10 M200c), a cubic spline in ln x.

    Beyond the table (in redshift, mass or radius) the edge value holds.

    Attributes
    ----------
    table : ProfileTable
        ln B [muG], shape (a, b, k) at nodes of z, log10 M200c [Msun] and ln(r/R200c).
    ln_amplitude : float array, shape ()
        Shift of ln B.
    """

    references: ClassVar[tuple[str, ...]] = ()
    table: ProfileTable
    ln_amplitude: Float[Array, ""] = parameter(default=0.0)

    def __call__(self, grid: HaloGrid, x: Float[Array, "... n m"]) -> Float[Array, "... n m"]:
        """|B| [muG] at x = r/R200c."""
        ln_x = jnp.log(clip_radius(x)) + jnp.zeros(grid.m200c_Msun.shape)
        value, _ = self.table.evaluate(self.table.splines(grid), ln_x)
        return jnp.exp(value + self.ln_amplitude)


def tabulated_field(profiles: HaloProfiles) -> TabulatedField:
    """Field from the arrays of a file.

    Parameters
    ----------
    profiles : HaloProfiles
        ln B [muG], shape (a, b, k), and its nodes; see
        :func:`diffaxion.data.read_halo_profiles`.

    Returns
    -------
    TabulatedField
        Table of shape (a, b, k) [muG].

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter IV.
    """
    return TabulatedField(
        make_profile_table(profiles.z, profiles.log10_m200c, profiles.x, profiles.ln_value)
    )
