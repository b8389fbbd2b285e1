"""Galactic frames and sight lines.

Galactocentric frame: right-handed (x, y, z) [kpc], Galactic centre at the origin, Sun at
(-r_sun, 0, 0), +y toward l = 90 deg, +z toward the north Galactic pole. The azimuth
phi = atan2(y, x) runs counter-clockwise seen from the north pole.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...numerics import safe_atan2, safe_sqrt

# Nodes never start at the Sun itself: r_sun = 8.3 kpc puts it exactly on a spiral-arm boundary
# of JF12, and angles seen from the Sun are undefined there.
S_MIN_KPC = 1e-7


class SightLine(eqx.Module):
    """Straight line from the Sun to a source.

    Attributes
    ----------
    longitude_deg, latitude_deg : float array, shape ()
        Galactic coordinates of the source [deg].
    distance_kpc : float array, shape ()
        Distance of the source from the Sun [kpc].
    r_sun_kpc : float array, shape ()
        Distance of the Sun from the Galactic centre, used by the magnetic field [kpc]. Electron
        densities are always taken at the same heliocentric (l, b, s).
    """

    longitude_deg: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    latitude_deg: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    distance_kpc: Float[Array, ""] = eqx.field(converter=jnp.asarray)
    r_sun_kpc: Float[Array, ""] = eqx.field(converter=jnp.asarray, default=8.3)

    def angles(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """(l, b) in radians."""
        return jnp.deg2rad(self.longitude_deg), jnp.deg2rad(self.latitude_deg)

    def direction(self) -> Float[Array, "3"]:
        """Unit vector from the Sun to the source, in galactocentric axes."""
        l, b = self.angles()
        return jnp.stack([jnp.cos(b) * jnp.cos(l), jnp.cos(b) * jnp.sin(l), jnp.sin(b)])

    def position_kpc(self, s_kpc: Float[Array, ""]) -> Float[Array, "3"]:
        """Galactocentric position [kpc] at distance s [kpc] from the Sun."""
        sun = jnp.stack([-self.r_sun_kpc, jnp.zeros(()), jnp.zeros(())])
        return sun + s_kpc * self.direction()

    def transverse_basis(self) -> tuple[Float[Array, "3"], Float[Array, "3"]]:
        """Unit vectors (e_l, e_b) of increasing longitude and latitude."""
        l, b = self.angles()
        e_l = jnp.stack([-jnp.sin(l), jnp.cos(l), jnp.zeros(())])
        e_b = jnp.stack([-jnp.cos(l) * jnp.sin(b), -jnp.sin(l) * jnp.sin(b), jnp.cos(b)])
        return e_l, e_b


def cylindrical(
    position_kpc: Float[Array, "3"],
) -> tuple[Float[Array, ""], Float[Array, ""], Float[Array, ""]]:
    """Cylindrical coordinates of a galactocentric position: r = sqrt(x^2 + y^2), phi, z.

    Parameters
    ----------
    position_kpc : float array, shape (3,)
        Galactocentric position [kpc].

    Returns
    -------
    r, phi, z : float array, shape ()
        [kpc, rad, kpc]; phi in (-pi, pi], and 0 with zero gradient on the axis.

    References
    ----------
    Jansson & Farrar 2012, arXiv:1204.3662, section 2 (azimuth of the field models).
    """
    x, y, z = position_kpc
    return safe_sqrt(x * x + y * y), safe_atan2(y, x), z


def from_cylindrical(
    b_r: Float[Array, ""], b_phi: Float[Array, ""], b_z: Float[Array, ""], phi: Float[Array, ""]
) -> Float[Array, "3"]:
    """Cartesian vector of cylindrical components: b_x = b_r cos(phi) - b_phi sin(phi), ...

    Parameters
    ----------
    b_r, b_phi, b_z : float array, shape ()
        Components, any unit.
    phi : float array, shape ()
        Azimuth [rad].

    Returns
    -------
    float array, shape (3,)
        (b_x, b_y, b_z), same unit.

    References
    ----------
    Definition.
    """
    c, s = jnp.cos(phi), jnp.sin(phi)
    return jnp.stack([b_r * c - b_phi * s, b_r * s + b_phi * c, b_z])
