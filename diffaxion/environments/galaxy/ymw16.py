"""YMW16, the electron density of the Galaxy from pulsar dispersion measures, natively in JAX."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .base import ElectronDensity, parameter
from .ymw16_disk import (
    Disk,
    GalacticCentre,
    SpiralArms,
    ThickDisk,
    ThinDisk,
    disk_components,
    galactic_centre,
)
from .ymw16_local import (
    R_SUN_PC,
    Z_SUN_PC,
    GumNebula,
    LocalBubble,
    LoopI,
    gum_nebula,
    local_bubble,
    loop_i,
)

# The model ends at this distance from the Galactic centre [pc].
R_MAX_PC = 30000.0


class YMW16(ElectronDensity):
    """Electron density of Yao, Manchester & Wang (2017); complete but for the Magellanic Clouds.

    n_e is the background n1 + max(n2, n3) (+ n4 at the Galactic centre), or the Local Bubble's
    shell n6, the Gum Nebula n5 or Loop I n7 where one of them is denser than it. The Sun of the
    model is at 8.3 kpc and 6 pc above the plane, whatever r_sun the magnetic field uses. The
    maxima leave kinks and the cutoffs at six scale lengths small jumps; gradients with respect to
    parameters are finite everywhere.

    Attributes
    ----------
    norm : float array, shape ()
        Factor on the whole density, a nuisance of about 20 per cent.
    norm_gc : float array, shape ()
        Factor on the Galactic-centre component n4.
    disk, thick, thin, arms, centre : Disk, ThickDisk, ThinDisk, SpiralArms, GalacticCentre
        Large-scale components.
    gum, bubble, loop : GumNebula, LocalBubble, LoopI
        Local components.
    bubble_factor : float array, shape ()
        Factor on the thick disk inside the Local Bubble.

    References
    ----------
    Yao, Manchester & Wang 2017, ApJ 835, 29 (arXiv:1610.09448), table 2 and section 3.
    """

    references: ClassVar[tuple[str, ...]] = (
        "Yao, Manchester & Wang 2017, ApJ 835, 29 (arXiv:1610.09448)",
    )
    norm: Float[Array, ""] = parameter(default=1.0)
    norm_gc: Float[Array, ""] = parameter(default=1.0)
    disk: Disk = eqx.field(default_factory=Disk)
    thick: ThickDisk = eqx.field(default_factory=ThickDisk)
    thin: ThinDisk = eqx.field(default_factory=ThinDisk)
    arms: SpiralArms = eqx.field(default_factory=SpiralArms)
    centre: GalacticCentre = eqx.field(default_factory=GalacticCentre)
    gum: GumNebula = eqx.field(default_factory=GumNebula)
    bubble: LocalBubble = eqx.field(default_factory=LocalBubble)
    loop: LoopI = eqx.field(default_factory=LoopI)
    bubble_factor: Float[Array, ""] = parameter(default=0.480)

    def __call__(
        self,
        longitude_deg: Float[Array, ""],
        latitude_deg: Float[Array, ""],
        s_kpc: Float[Array, ""],
    ) -> Float[Array, ""]:
        """n_e [cm^-3] at heliocentric (l, b, s); finite, with finite gradient, at s = 0."""
        return self.at(heliocentric_to_ymw16_pc(longitude_deg, latitude_deg, s_kpc))

    def at(self, xyz_pc: Float[Array, "3"]) -> Float[Array, ""]:
        """n_e [cm^-3] at a position in the frame of the model, shape (3,) [pc]."""
        components, inside = ymw16_components(self, xyz_pc)
        inner = jnp.sum(xyz_pc**2) <= R_MAX_PC**2
        return jnp.where(inner, combine(self, components, inside), 0.0)


def heliocentric_to_ymw16_pc(
    longitude_deg: Float[Array, ""], latitude_deg: Float[Array, ""], s_kpc: Float[Array, ""]
) -> Float[Array, "3"]:
    """Position in the frame of YMW16, with the Sun at (0, 8300, 6) pc.

    Parameters
    ----------
    longitude_deg, latitude_deg : float array, shape ()
        Galactic coordinates [deg].
    s_kpc : float array, shape ()
        Distance from the Sun [kpc].

    Returns
    -------
    float array, shape (3,)
        (X, Y, Z) [pc]: X toward l = 90 deg, Y from the Galactic centre toward the Sun.

    References
    ----------
    Yao, Manchester & Wang 2017, ApJ 835, 29, section 2.
    """
    l, b, s = jnp.deg2rad(longitude_deg), jnp.deg2rad(latitude_deg), 1e3 * s_kpc
    planar = s * jnp.cos(b)
    return jnp.stack(
        [planar * jnp.sin(l), R_SUN_PC - planar * jnp.cos(l), s * jnp.sin(b) + Z_SUN_PC]
    )


def ymw16_components(model: YMW16, xyz_pc: Float[Array, "3"]) -> tuple[Float[Array, "7"], Array]:
    """The seven components of YMW16 before they are combined.

    Parameters
    ----------
    model : YMW16
        Parameters.
    xyz_pc : float array, shape (3,)
        Position in the frame of the model [pc].

    Returns
    -------
    components : float array, shape (7,)
        Thick disk, thin disk, arms, Galactic centre, Gum Nebula, Local Bubble, Loop I [cm^-3].
    inside_bubble : bool array, shape ()
        Whether the point lies inside the Local Bubble.

    References
    ----------
    Yao, Manchester & Wang 2017, ApJ 835, 29, section 3.
    """
    n1, n2, n3 = disk_components(model.disk, model.thick, model.thin, model.arms, xyz_pc)
    n6, inside = local_bubble(model.bubble, xyz_pc)
    n4, n5 = galactic_centre(model.centre, xyz_pc), gum_nebula(model.gum, xyz_pc)
    return jnp.stack([n1, n2, n3, n4, n5, n6, loop_i(model.loop, xyz_pc)]), inside


def combine(model: YMW16, components: Float[Array, "7"], inside_bubble: Array) -> Float[Array, ""]:
    """Electron density from the seven components.

    The background is n0 = n1 + max(n2, n3), with n1 times ``bubble_factor`` inside the Local
    Bubble unless its shell is denser. The shell, the Gum Nebula or Loop I (in this order) replaces
    n0 where it is denser; elsewhere the Galactic centre is added.

    Parameters
    ----------
    model : YMW16
        Parameters.
    components : float array, shape (7,)
        From :func:`ymw16_components` [cm^-3].
    inside_bubble : bool array, shape ()
        From :func:`ymw16_components`.

    Returns
    -------
    float array, shape ()
        n_e [cm^-3].

    References
    ----------
    Yao, Manchester & Wang 2017, ApJ 835, 29, section 3; the order is that of the authors' code.
    """
    n1, n2, n3, n4, n5, n6, n7 = components
    dense = jnp.maximum(n2, n3)
    n0 = n1 + dense
    in_shell = (n6 > n0) & (inside_bubble | (n6 > n5))
    n0 = jnp.where(inside_bubble & ~in_shell, model.bubble_factor * n1 + dense, n0)
    local = jnp.where(n5 > n0, n5, jnp.where(n7 > n0, n7, n0 + model.norm_gc * n4))
    return model.norm * jnp.where(in_shell, n6, local)
