"""The local components of YMW16: Gum Nebula, shell of the Local Bubble, Loop I.

Lengths in pc, in the frame of the model (see :mod:`.ymw16_disk`).
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...numerics import safe_abs, safe_atan2, safe_divide, safe_sqrt, sech2
from .base import parameter
from .ymw16_disk import CUTOFF, DEG_PER_RAD

# The Sun of the model sits at (0, 8300, 6) pc.
R_SUN_PC = 8300.0
Z_SUN_PC = 6.0


class GumNebula(eqx.Module):
    """Component 5: ellipsoidal shell, n5 = n exp(-(D/w)^2), D the distance from its surface.

    Attributes
    ----------
    n_cm3 : float array, shape ()
        Density in the shell [cm^-3].
    longitude_deg, latitude_deg, distance_pc : float array, shape ()
        Centre, seen from the Galactic plane below the Sun [deg, deg, pc].
    radius_pc, width_pc : float array, shape ()
        Semi-axis in the plane and width of the shell [pc].
    axis_ratio : float array, shape ()
        Vertical over planar semi-axis.
    """

    n_cm3: Float[Array, ""] = parameter(default=1.84)
    longitude_deg: Float[Array, ""] = parameter(default=264.0)
    latitude_deg: Float[Array, ""] = parameter(default=-4.0)
    distance_pc: Float[Array, ""] = parameter(default=450.0)
    radius_pc: Float[Array, ""] = parameter(default=125.8)
    width_pc: Float[Array, ""] = parameter(default=15.1)
    axis_ratio: Float[Array, ""] = parameter(default=1.4)


class LocalBubble(eqx.Module):
    """Component 6: two patches on the shell of the Local Bubble, a slanted cylinder.

    U = sqrt((c (Y - y) - s Z)^2 + X^2) is the distance from the axis of the cylinder. Each patch is
    n sech^2(V/dl) sech^2((U - U_0)/w) sech^2(Z/h), V the distance in longitude from its middle.

    Attributes
    ----------
    radius_pc, y_axis_pc : float array, shape ()
        Radius U_0 of the bubble and position of its axis on Y at Z = 0 [pc].
    slant_cos, slant_sin : float array, shape ()
        c and s, as published (rounded independently of each other).
    n_cm3, width_pc, height_pc, longitude_deg, half_width_deg : float array, shape (2,)
        Density [cm^-3], radial width w [pc], scale height h [pc], middle [deg] and width dl in
        longitude [deg] of the two patches.
    """

    radius_pc: Float[Array, ""] = parameter(default=110.0)
    y_axis_pc: Float[Array, ""] = parameter(default=8340.0)
    slant_cos: Float[Array, ""] = parameter(default=0.94)
    slant_sin: Float[Array, ""] = parameter(default=0.34)
    n_cm3: Float[Array, "2"] = parameter(default=(1.094, 2.33))
    width_pc: Float[Array, "2"] = parameter(default=(14.2, 15.6))
    height_pc: Float[Array, "2"] = parameter(default=(112.9, 43.6))
    longitude_deg: Float[Array, "2"] = parameter(default=(195.4, 278.2))
    half_width_deg: Float[Array, "2"] = parameter(default=(28.4, 14.7))


class LoopI(eqx.Module):
    """Component 7: spherical cap, n7 = n exp(-((q - R)/w)^2) exp(-(t/dt)^2).

    q is the distance from the centre, t the angle from the axis (cos 40 deg, 0, sin 40 deg).

    Attributes
    ----------
    n_cm3 : float array, shape ()
        Density in the shell [cm^-3].
    x_pc, y_pc, z_pc : float array, shape ()
        Centre [pc].
    radius_pc, width_pc : float array, shape ()
        Radius R and width w of the shell [pc].
    axis_deg, opening_deg : float array, shape ()
        Elevation of the axis and angular width dt of the cap [deg].
    """

    n_cm3: Float[Array, ""] = parameter(default=1.907)
    x_pc: Float[Array, ""] = parameter(default=-10.156)
    y_pc: Float[Array, ""] = parameter(default=8106.206)
    z_pc: Float[Array, ""] = parameter(default=10.467)
    radius_pc: Float[Array, ""] = parameter(default=80.0)
    width_pc: Float[Array, ""] = parameter(default=15.0)
    axis_deg: Float[Array, ""] = parameter(default=40.0)
    opening_deg: Float[Array, ""] = parameter(default=30.0)


def gum_nebula(gum: GumNebula, xyz_pc: Float[Array, "3"]) -> Float[Array, ""]:
    """Density of the Gum Nebula, n5 [cm^-3].

    With rho the planar and dz the vertical distance from the centre, K the axis ratio and A the
    planar semi-axis, S_1 = sqrt(K^2 rho^2 + dz^2) and S_2 = sqrt(K^4 rho^2 + dz^2), the distance
    from the tangent plane where the ray from the centre meets the ellipsoid is
    D = |S_1 - K A| S_1/S_2.

    Parameters
    ----------
    gum : GumNebula
        Parameters.
    xyz_pc : float array, shape (3,)
        Position in the frame of the model [pc].

    Returns
    -------
    float array, shape ()
        n5 [cm^-3].

    References
    ----------
    Yao, Manchester & Wang 2017, ApJ 835, 29, section 3.6.
    """
    l, b = gum.longitude_deg / DEG_PER_RAD, gum.latitude_deg / DEG_PER_RAD
    planar = gum.distance_pc * jnp.cos(b)
    dx = xyz_pc[0] - planar * jnp.sin(l)
    dy = xyz_pc[1] - R_SUN_PC + planar * jnp.cos(l)
    dz = xyz_pc[2] - gum.distance_pc * jnp.sin(b)
    k2 = gum.axis_ratio**2
    rho2, dz2 = k2 * (dx * dx + dy * dy), dz * dz
    s1, s2 = safe_sqrt(rho2 + dz2), safe_sqrt(k2 * rho2 + dz2)
    shell = safe_abs(s1 - gum.axis_ratio * gum.radius_pc) * safe_divide(s1, s2, 1.0)
    depth = shell / gum.width_pc
    return jnp.where(depth <= CUTOFF, gum.n_cm3 * jnp.exp(-(depth**2)), 0.0)


def local_bubble(bubble: LocalBubble, xyz_pc: Float[Array, "3"]) -> tuple[Float[Array, ""], Array]:
    """Density of the shell of the Local Bubble, n6 [cm^-3], and whether the point is inside it.

    Parameters
    ----------
    bubble : LocalBubble
        Parameters.
    xyz_pc : float array, shape (3,)
        Position in the frame of the model [pc].

    Returns
    -------
    n6 : float array, shape ()
        Density [cm^-3].
    inside : bool array, shape ()
        Whether U <= U_0.

    References
    ----------
    Yao, Manchester & Wang 2017, ApJ 835, 29, section 3.7.
    """
    x, y, z = xyz_pc
    toward = R_SUN_PC - y
    c, s = bubble.slant_cos, bubble.slant_sin
    u = safe_sqrt((c * (y - bubble.y_axis_pc) - s * z) ** 2 + x * x)

    longitude = safe_atan2(x, toward) * DEG_PER_RAD
    longitude = jnp.where(longitude < 0.0, longitude + 360.0, longitude)
    offset = longitude - bubble.longitude_deg
    v = jnp.minimum(jnp.abs(offset + 360.0), jnp.abs(offset)) / bubble.half_width_deg
    radial = (u - bubble.radius_pc) / bubble.width_pc
    vertical = jnp.abs(z) / bubble.height_pc
    # The first patch lies within 45 deg of the axis of the bubble, seen from the point.
    axis = bubble.y_axis_pc + s / c * z - y
    dot = x * x + toward * axis
    limit = np.cos(np.pi / 4.0) * safe_sqrt((x * x + toward**2) * (x * x + axis**2))
    facing = jnp.stack([dot >= limit, jnp.asarray(True)])
    inside_cut = (radial <= CUTOFF) & (vertical <= CUTOFF) & (v <= CUTOFF) & facing
    patches = bubble.n_cm3 * sech2(v) * sech2(radial) * sech2(vertical)
    return jnp.sum(jnp.where(inside_cut, patches, 0.0)), u <= bubble.radius_pc


def loop_i(loop: LoopI, xyz_pc: Float[Array, "3"]) -> Float[Array, ""]:
    """Density of Loop I, n7 [cm^-3].

    Parameters
    ----------
    loop : LoopI
        Parameters.
    xyz_pc : float array, shape (3,)
        Position in the frame of the model [pc].

    Returns
    -------
    float array, shape ()
        n7 [cm^-3].

    References
    ----------
    Yao, Manchester & Wang 2017, ApJ 835, 29, section 3.8.
    """
    dx, dy, dz = xyz_pc[0] - loop.x_pc, xyz_pc[1] - loop.y_pc, xyz_pc[2] - loop.z_pc
    angle = loop.axis_deg / DEG_PER_RAD
    c, s = jnp.cos(angle), jnp.sin(angle)
    along = c * dx + s * dz
    across2 = dy * dy + (s * dx - c * dz) ** 2
    # The angle from both components: arccos has no derivative on the axis.
    t = safe_atan2(safe_sqrt(across2), along) * DEG_PER_RAD / loop.opening_deg
    depth = (safe_sqrt(along**2 + across2) - loop.radius_pc) / loop.width_pc
    return jnp.where(jnp.abs(depth) <= CUTOFF, loop.n_cm3 * jnp.exp(-(depth**2) - t**2), 0.0)
