"""The large-scale components of YMW16: thick and thin disks, spiral arms, Galactic centre.

Lengths in pc, in the frame of the model: X toward l = 90 deg, Y from the Galactic centre toward
the Sun, Z toward the north Galactic pole. Each component vanishes beyond six of its scale lengths,
as in the authors' code.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...numerics import safe_atan2, safe_sqrt, sech2
from .base import parameter

CUTOFF = 6.0
# Degrees per radian as the authors' code rounds them: part of the model at the 1e-6 level.
DEG_PER_RAD = 57.295779


class Disk(eqx.Module):
    """What the thick disk, the thin disk and the arms share: warp, flare and outer edge.

    The mid-plane is lifted to Z = warp_slope (r - r_warp) X/r beyond r_warp; the scale height is
    the polynomial H(r) = 32 + 0.0016 r + 4e-7 r^2 pc; the density falls beyond r_edge as
    g = sech^2((r - r_edge)/edge_width).

    Attributes
    ----------
    warp_slope : float array, shape ()
        Slope of the warp.
    r_warp_pc : float array, shape ()
        Radius at which the warp starts [pc].
    height_pc, height_slope, height_curvature_per_pc : float array, shape ()
        Coefficients of H(r) [pc, 1, pc^-1].
    r_edge_pc, edge_width_pc : float array, shape ()
        Outer edge of all disk components [pc].
    """

    warp_slope: Float[Array, ""] = parameter(default=0.14)
    r_warp_pc: Float[Array, ""] = parameter(default=8400.0)
    height_pc: Float[Array, ""] = parameter(default=32.0)
    height_slope: Float[Array, ""] = parameter(default=0.0016)
    height_curvature_per_pc: Float[Array, ""] = parameter(default=4e-7)
    r_edge_pc: Float[Array, ""] = parameter(default=15000.0)
    edge_width_pc: Float[Array, ""] = parameter(default=2500.0)


class ThickDisk(eqx.Module):
    """Component 1: n1 = n g sech^2(Z_w/h).

    Attributes
    ----------
    n_cm3, height_pc : float array, shape ()
        Density in the mid-plane [cm^-3] and scale height [pc].
    """

    n_cm3: Float[Array, ""] = parameter(default=0.01132)
    height_pc: Float[Array, ""] = parameter(default=1673.0)


class ThinDisk(eqx.Module):
    """Component 2: n2 = n g sech^2((r - r_ring)/w) sech^2(Z_w/(f H)).

    Attributes
    ----------
    n_cm3 : float array, shape ()
        Density at the ring's crest [cm^-3].
    r_ring_pc, width_pc : float array, shape ()
        Radius and width of the ring [pc].
    height_factor : float array, shape ()
        f, in units of the flaring height H(r).
    """

    n_cm3: Float[Array, ""] = parameter(default=0.404)
    r_ring_pc: Float[Array, ""] = parameter(default=4000.0)
    width_pc: Float[Array, ""] = parameter(default=1200.0)
    height_factor: Float[Array, ""] = parameter(default=1.54)


class SpiralArms(eqx.Module):
    """Component 3: five logarithmic arms (Norma-Outer, Perseus, Carina-Sagittarius, Crux, Local).

    n3 = g sech^2((r - r_ring)/w_ring) sech^2(Z_w/(f H)) sum_i n_i m_i sech^2(D_i cos psi_i/w_i),
    with D_i the distance in radius to the nearest turn r_i exp((theta - theta_i + 2 pi k)
    tan psi_i). m_i = 1 but for Carina-Sagittarius, which is modulated in azimuth.

    Attributes
    ----------
    n_arm_cm3 : float array, shape (5,)
        Densities on the crests [cm^-3].
    width_arm_pc, r_arm_pc : float array, shape (5,)
        Widths across the arms and radii at which they start [pc].
    theta_arm_rad, tan_pitch, cos_pitch : float array, shape (5,)
        Azimuths at which they start [rad]; tangent and cosine of the pitch, as published (rounded
        independently of each other).
    theta_local_end_rad : float array, shape ()
        Azimuth at which the local arm ends [rad].
    r_ring_pc, width_ring_pc : float array, shape ()
        Radial envelope of the arms [pc].
    height_factor : float array, shape ()
        f, in units of the flaring height H(r).
    dip, dip_deg, dip_width_deg : float array, shape ()
        Carina-Sagittarius: depth, azimuth and width of its under-density [1, deg, deg].
    bump, bump_deg, bump_width_deg : float array, shape ()
        Carina-Sagittarius: height, azimuth and width of its over-density [1, deg, deg].
    r_bump_pc : float array, shape ()
        Radius beyond which the over-density continues at all larger azimuths [pc].
    z_max_pc : float array, shape ()
        The arms end at this height [pc].
    """

    n_arm_cm3: Float[Array, "5"] = parameter(default=(0.135, 0.129, 0.103, 0.116, 0.0057))
    width_arm_pc: Float[Array, "5"] = parameter(default=(300.0, 500.0, 300.0, 500.0, 300.0))
    r_arm_pc: Float[Array, "5"] = parameter(default=(3350.0, 3707.0, 3560.0, 3670.0, 8210.0))
    theta_arm_rad: Float[Array, "5"] = parameter(default=(0.77, 2.093, 3.81, 5.76, 0.96))
    tan_pitch: Float[Array, "5"] = parameter(default=(0.202, 0.173, 0.183, 0.186, 0.0483))
    cos_pitch: Float[Array, "5"] = parameter(default=(0.98, 0.985, 0.9836, 0.983, 0.9988))
    theta_local_end_rad: Float[Array, ""] = parameter(default=2.0)
    r_ring_pc: Float[Array, ""] = parameter(default=4000.0)
    width_ring_pc: Float[Array, ""] = parameter(default=11680.0)
    height_factor: Float[Array, ""] = parameter(default=5.015)
    dip: Float[Array, ""] = parameter(default=0.626)
    dip_deg: Float[Array, ""] = parameter(default=75.8)
    dip_width_deg: Float[Array, ""] = parameter(default=20.0)
    bump: Float[Array, ""] = parameter(default=2.4)
    bump_deg: Float[Array, ""] = parameter(default=109.0)
    bump_width_deg: Float[Array, ""] = parameter(default=8.2)
    r_bump_pc: Float[Array, ""] = parameter(default=6000.0)
    z_max_pc: Float[Array, ""] = parameter(default=3000.0)


class GalacticCentre(eqx.Module):
    """Component 4: n4 = n exp(-((X - x)^2 + (Y - y)^2)/w^2) sech^2((Z - z)/h).

    Attributes
    ----------
    n_cm3 : float array, shape ()
        Central density [cm^-3].
    x_pc, y_pc, z_pc : float array, shape ()
        Centre [pc].
    width_pc, height_pc : float array, shape ()
        Width in the plane and scale height [pc].
    """

    n_cm3: Float[Array, ""] = parameter(default=6.2)
    x_pc: Float[Array, ""] = parameter(default=50.0)
    y_pc: Float[Array, ""] = parameter(default=0.0)
    z_pc: Float[Array, ""] = parameter(default=-7.0)
    width_pc: Float[Array, ""] = parameter(default=160.0)
    height_pc: Float[Array, ""] = parameter(default=35.0)


def arm_sum(
    arms: SpiralArms, r_pc: Float[Array, ""], theta_rad: Float[Array, ""]
) -> Float[Array, ""]:
    """Sum over the arms of n_i m_i sech^2(D_i cos psi_i/w_i) [cm^-3].

    Parameters
    ----------
    arms : SpiralArms
        Parameters.
    r_pc : float array, shape ()
        Cylindrical radius [pc].
    theta_rad : float array, shape ()
        Azimuth atan2(Y, X) in [0, 2 pi) [rad].

    Returns
    -------
    float array, shape ()
        Density on the ridge-line profile, before the radial and vertical factors [cm^-3].

    References
    ----------
    Yao, Manchester & Wang 2017, ApJ 835, 29, section 3.4 and table 2.
    """
    turn = theta_rad - arms.theta_arm_rad
    before = turn < 0.0
    start = jnp.exp(turn * arms.tan_pitch) * arms.r_arm_pc
    growth = jnp.exp(2.0 * jnp.pi * arms.tan_pitch)
    radii = start * jnp.stack([jnp.ones(5), growth, growth * growth])
    # Which turns exist: k = 0 after the starting azimuth, k = 1 always, k = 2 before it for the
    # two arms that start latest; the local arm is one short segment.
    main = np.array([True, True, True, True, False])
    late = np.array([False, False, True, True, False])
    allowed = jnp.stack(
        [
            ~before & (main | (theta_rad < arms.theta_local_end_rad)),
            jnp.asarray(main),
            before & late,
        ]
    )
    distance = jnp.min(jnp.where(allowed, jnp.abs(r_pc - radii), jnp.inf), axis=0)
    near = distance <= CUTOFF * arms.width_arm_pc
    profile = sech2(jnp.where(near, distance, 0.0) * arms.cos_pitch / arms.width_arm_pc)

    theta_deg = theta_rad * DEG_PER_RAD
    shift = (theta_deg - arms.bump_deg) / arms.bump_width_deg
    flat = (r_pc > arms.r_bump_pc) & (shift > 0.0)
    bump = 1.0 + arms.bump * jnp.where(flat, 1.0, jnp.exp(-(shift**2)))
    dip = 1.0 - arms.dip * jnp.exp(-(((theta_deg - arms.dip_deg) / arms.dip_width_deg) ** 2))
    carina = np.array([False, False, True, False, False])
    modulated = jnp.where(carina, dip * bump, 1.0)
    return jnp.sum(jnp.where(near, arms.n_arm_cm3 * modulated * profile, 0.0))


def disk_components(
    disk: Disk,
    thick: ThickDisk,
    thin: ThinDisk,
    arms: SpiralArms,
    xyz_pc: Float[Array, "3"],
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Thick disk, thin disk and spiral arms (n1, n2, n3) [cm^-3].

    Parameters
    ----------
    disk, thick, thin, arms : Disk, ThickDisk, ThinDisk, SpiralArms
        Parameters.
    xyz_pc : float array, shape (3,)
        Position in the frame of the model [pc].

    Returns
    -------
    tuple of three float arrays, shape ()
        n1, n2, n3 [cm^-3].

    References
    ----------
    Yao, Manchester & Wang 2017, ApJ 835, 29, sections 3.2-3.4.
    """
    x, y, z = xyz_pc
    r = safe_sqrt(x * x + y * y)
    theta = safe_atan2(y, x)
    theta = jnp.where(theta < 0.0, theta + 2.0 * jnp.pi, theta)

    warped = r > disk.r_warp_pc
    lift = disk.warp_slope * (r - disk.r_warp_pc) * x / jnp.where(warped, r, 1.0)
    height = jnp.abs(z - jnp.where(warped, lift, 0.0))
    scale = disk.height_pc + r * (disk.height_slope + disk.height_curvature_per_pc * r)

    beyond = jnp.maximum(r - disk.r_edge_pc, 0.0) / disk.edge_width_pc
    in_disk = (height <= CUTOFF * thick.height_pc) & (beyond <= CUTOFF)
    edge = jnp.where(in_disk, sech2(beyond), 0.0)

    n1 = thick.n_cm3 * edge * sech2(height / thick.height_pc)

    ring = (r - thin.r_ring_pc) / thin.width_pc
    thin_height = height / (thin.height_factor * scale)
    n2 = jnp.where(
        (ring <= CUTOFF) & (thin_height <= CUTOFF),
        thin.n_cm3 * edge * sech2(ring) * sech2(thin_height),
        0.0,
    )

    arm_height = height / (arms.height_factor * scale)
    envelope = sech2((r - arms.r_ring_pc) / arms.width_ring_pc) * sech2(arm_height)
    n3 = jnp.where(
        (height < arms.z_max_pc) & (arm_height <= CUTOFF),
        edge * envelope * arm_sum(arms, r, theta),
        0.0,
    )
    return n1, n2, n3


def galactic_centre(centre: GalacticCentre, xyz_pc: Float[Array, "3"]) -> Float[Array, ""]:
    """Density of the Galactic-centre disk, n4 [cm^-3].

    Parameters
    ----------
    centre : GalacticCentre
        Parameters.
    xyz_pc : float array, shape (3,)
        Position in the frame of the model [pc].

    Returns
    -------
    float array, shape ()
        n4 [cm^-3].

    References
    ----------
    Yao, Manchester & Wang 2017, ApJ 835, 29, section 3.5.
    """
    x, y, z = xyz_pc
    radial = ((x - centre.x_pc) ** 2 + (y - centre.y_pc) ** 2) / centre.width_pc**2
    vertical = (z - centre.z_pc) / centre.height_pc
    inside = (radial <= CUTOFF**2) & (jnp.abs(z) <= CUTOFF * centre.height_pc)
    return jnp.where(inside, centre.n_cm3 * jnp.exp(-radial) * sech2(vertical), 0.0)
