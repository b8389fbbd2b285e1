"""Divergence-free variant of JF12 after Kleimann et al. (2018)."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...numerics import bracketed_root, safe_abs, safe_log, safe_sqrt
from .base import parameter
from .edges import on_line, step
from .frame import SightLine
from .jf12 import R_MAX_KPC, R_RING_KPC, R_SPIRAL_KPC, Components, JF12Family, transition
from .spiral import arm_integral, arm_strength, closure, fold


class JF12Solenoidal(JF12Family):
    """JF12 with a divergence-free disk and X field, after Kleimann et al.

    The spiral is closed smoothly within ``delta_kpc`` of r = 5 and 20 kpc, where its flux turns
    azimuthal: B_r = p(r) b sin i, B_phi = p(r) b cos i - (r p)' H sin i with dH/dphi = b; the
    X field has parabolic field lines for |z| < z_s, without the kink of JF12 at z = 0. The
    eighth arm follows from zero net flux with the exact arm fractions, otherwise H would not be
    periodic. Other leaves are described in :class:`~.jf12.JF12Family`.

    Attributes
    ----------
    z_s_kpc : float array, shape ()
        Height below which the X field is rounded [kpc].
    delta_kpc : float array, shape ()
        Width of the transitions of the disk at r = 5 and 20 kpc [kpc].

    References
    ----------
    Kleimann, Schorlepp, Merten & Becker Tjus 2019, ApJ 877, 76 (arXiv:1809.07528).
    """

    references: ClassVar[tuple[str, ...]] = (
        "Jansson & Farrar 2012, ApJ 757, 14 (arXiv:1204.3662)",
        "Kleimann et al. 2019, ApJ 877, 76 (arXiv:1809.07528)",
    )
    z_s_kpc: Float[Array, ""] = parameter(default=0.5, kw_only=True)
    delta_kpc: Float[Array, ""] = parameter(default=3.0, kw_only=True)

    def arm_strengths_muG(self) -> Float[Array, "8"]:
        """b_1..b_8 with b_8 from exact flux closure [muG]."""
        return closure(self.b_arm_muG, self.exact_fractions())

    def _profile(self, r: Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """p(r) and d(r p)/dr on 5 <= r <= 20 kpc, dimensionless."""
        near = r < 0.5 * (R_SPIRAL_KPC + R_MAX_KPC)
        edge = jnp.where(near, R_SPIRAL_KPC, R_MAX_KPC)
        end = jnp.where(near, R_SPIRAL_KPC + self.delta_kpc, R_MAX_KPC - self.delta_kpc)
        f = (edge / end - 2.0) / (edge - end) ** 2
        p = R_SPIRAL_KPC / end * (2.0 - r / end + f * (r - end) ** 2)
        q = 2.0 - 2.0 * r / end + f * (3.0 * r * r - 4.0 * r * end + end * end)
        zone = safe_abs(r - edge) < safe_abs(end - edge)
        return (
            jnp.where(zone, p, R_SPIRAL_KPC / r),
            jnp.where(zone, R_SPIRAL_KPC / end * q, 0.0),
        )

    def disk(self, r: Float[Array, ""], phi: Float[Array, ""], z: Float[Array, ""]) -> Components:
        """(B_r, B_phi) of ring (3 <= r < 5 kpc) and closed spiral (5 <= r <= 20 kpc) [muG]."""
        u, u_arm, period = self.winding(r, phi)
        arms = self.arm_strengths_muG()
        b = arm_strength(u, u_arm, period, arms, self.arm_eps)
        pitch = jnp.deg2rad(self.pitch_deg)
        # On a circle du = -tan i dphi, so that H(phi) - H(0) is an integral over u.
        tan_i = jnp.tan(pitch)
        u_zero = fold(safe_log(jnp.asarray(R_SPIRAL_KPC)) + jnp.pi * tan_i, u_arm, period)
        origin = arm_integral(u_zero, u_arm, period, arms, self.arm_eps)
        h = (origin - arm_integral(u, u_arm, period, arms, self.arm_eps)) / tan_i
        p, q = self._profile(jnp.clip(r, R_SPIRAL_KPC, R_MAX_KPC))
        width = self.edge_width_kpc
        in_spiral = step(r - R_SPIRAL_KPC, width)
        weight = in_spiral * step(R_MAX_KPC - r, width)
        ring = self.b_ring_muG * step(r - R_RING_KPC, width) * (1.0 - in_spiral)
        height = self.norm_disk * (1.0 - transition(z, self.h_disk_kpc, self.w_disk_kpc))
        b_r = weight * p * b * jnp.sin(pitch)
        b_phi = weight * (p * b * jnp.cos(pitch) - q * h * jnp.sin(pitch)) + ring
        return height * b_r, height * b_phi

    def _rounding(self, z: Float[Array, ""]) -> Float[Array, ""]:
        """w = z_s (1 - z^2/z_s^2) for |z| < z_s, else 0 [kpc]."""
        return jnp.maximum(self.z_s_kpc - z * z / self.z_s_kpc, 0.0)

    def x_field(self, r: Float[Array, ""], z: Float[Array, ""]) -> Components:
        """(B_r, B_z) of the X field with rounded field lines at |z| < z_s [muG]."""
        tan_x = jnp.tan(jnp.deg2rad(self.theta_x0_deg))
        height = jnp.maximum(safe_abs(z), self.z_s_kpc)
        # Above z_s, w = 0: both maps are the identity and the factors are 1.
        w = self._rounding(z)
        r_c = self.r_xc_kpc + height / tan_x
        stretch = 1.0 / (1.0 - 0.5 * w / (tan_x * r_c))
        in_r, in_z = self.inside_cone(r * stretch, height)
        shift = 0.5 * w / tan_x
        out_r, out_z = self.outside_cone(r + shift, height)
        grow = 1.0 + shift / jnp.maximum(r, 0.5 * self.r_xc_kpc)
        outer = step(r + shift - r_c, self.edge_width_kpc)
        tilt = jnp.clip(z / self.z_s_kpc, -1.0, 1.0)
        inner = stretch * stretch
        return (
            tilt * (inner * in_r + outer * (grow * out_r - inner * in_r)),
            inner * in_z + outer * (grow * out_z - inner * in_z),
        )

    def cone_crossings_kpc(self, sightline: SightLine) -> Float[Array, "2"]:
        """Distances at which the line crosses r = r_c - w/(2 tan theta), rounded cone [kpc]."""

        def residual(s: Array, theta: tuple[JF12Solenoidal, SightLine]) -> Array:
            model, line = theta
            x, y, z = line.position_kpc(s)
            cot = 1.0 / jnp.tan(jnp.deg2rad(model.theta_x0_deg))
            height = jnp.maximum(safe_abs(z), model.z_s_kpc)
            cone = model.r_xc_kpc + (height - 0.5 * model._rounding(z)) * cot
            return safe_sqrt(x * x + y * y) - cone

        l, b = sightline.angles()
        d = sightline.distance_kpc
        closest = sightline.r_sun_kpc * jnp.cos(l) / jnp.maximum(jnp.cos(b), 1e-6)
        middle = jnp.clip(closest, 0.0, d)
        lo, hi = jnp.stack([jnp.zeros_like(d), middle]), jnp.stack([middle, d])
        theta = (self, sightline)
        root = jax.vmap(lambda a, c: bracketed_root(residual, theta, a, c))(lo, hi)
        at = jax.vmap(residual, in_axes=(0, None))
        changes = at(lo, theta) * at(hi, theta) < 0.0
        return on_line(root, changes, sightline)
