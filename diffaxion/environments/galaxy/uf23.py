"""The eight regular Galactic magnetic-field models of Unger & Farrar (2024)."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...constants import KPC_CM, YEAR_S
from ...data.registry import load_table
from ...errors import unknown_name
from ...numerics import safe_abs, safe_divide, safe_log, safe_sqrt, sech2
from .base import MagneticField, optional_parameter, parameter
from .edges import sphere_crossings, step
from .frame import SightLine, cylindrical

VARIANTS = ("base", "expX", "neCL", "twistX", "nebCor", "cre10", "synCG", "spur")
R_MAX_KPC = 30.0
# Elevation that the fit of expX used in place of the rounded z_p: z_p = a_c tan(angle) [deg].
_EXPX_ELEVATION_DEG = 20.926122
_REFERENCE_RADIUS_KPC = {"disk": 5.0, "spur": 8.2}
_KM_S_IN_KPC_MYR = 1e5 * 1e6 * YEAR_S / KPC_CM
# Rotation curve of twistX: v_0 [kpc/Myr], radial and vertical scale [kpc].
_V_0_KPC_MYR = -240.0 * _KM_S_IN_KPC_MYR
_R_V_KPC, _Z_V_KPC = 1.6, 10.0
_SPUR_EDGE_RAD = math.radians(5.0)


def _sigma(
    x: Float[Array, ""], centre: Float[Array, ""] | float, width: Float[Array, ""] | float
) -> Float[Array, ""]:
    """sigma(x; x_0, w) = 1/(1 + exp(-(x - x_0)/w)); without the factor 2 of JF12."""
    return jax.nn.sigmoid((x - centre) / width)


def _power(x: Float[Array, ""], p: Float[Array, ""]) -> Float[Array, ""]:
    """x^p for x >= 0, with value and gradient 0 at x = 0 whatever p."""
    ok = x > 0.0
    return jnp.where(ok, jnp.where(ok, x, 1.0) ** p, 0.0)


def _separation(a: Float[Array, ""], b: Float[Array, ""]) -> Float[Array, ""]:
    """Angle between two azimuths, in [0, pi] [rad]."""
    return safe_abs(jnp.mod(a - b + jnp.pi, 2.0 * jnp.pi) - jnp.pi)


class UF23(MagneticField):
    """Spiral disk (or local spur), toroidal halo and poloidal halo of Unger & Farrar.

    Which parts exist follows from the leaves that are present: the spur replaces the spiral
    when ``l_c_deg`` is given, the twist replaces the toroidal halo when ``t_twist_Myr`` is
    given, and the poloidal profile in a is exp(-a/r_p) when ``w_p_kpc`` is absent.
    B = 0 for R > 30 kpc.

    Attributes
    ----------
    b_disk_muG, phase_deg : float array, shape (3,) or (1,)
        Amplitudes [muG] and phases [deg] of the modes m = 1..3; one of each for the spur.
    pitch_deg, z_d_kpc, w_d_kpc : float array, shape ()
        Pitch angle [deg]; height and width of the transition from disk to halo [kpc].
    b_p_muG, p, z_p_kpc, r_p_kpc : float array, shape ()
        Poloidal halo: amplitude [muG], exponent, scale height and radius [kpc].
    w_p_kpc, a_c_kpc : float array, shape () or None
        Width of the radial cutoff, and radius beyond which field lines straighten [kpc]; no
        a_c stands for infinity.
    b_n_muG, b_s_muG, r_t_kpc, w_t_kpc, z_t_kpc : float array, shape () or None
        Toroidal halo: amplitudes [muG], radius, width and scale height [kpc].
    t_twist_Myr : float array, shape () or None
        Time over which the rotation of the Galaxy sheared the poloidal field [Myr].
    phi_c_deg, l_c_deg, w_s_deg : float array, shape () or None
        Centre, half length and width of the spur [deg].
    edge_width_kpc : float array, shape () or None
        Logistic width of the outer cutoff [kpc]; None for a sharp one.

    References
    ----------
    Unger & Farrar 2024, ApJ 970, 95 (arXiv:2311.12120), sections 5.1-5.3 and Table 3.
    """

    references: ClassVar[tuple[str, ...]] = ("Unger & Farrar 2024, ApJ 970, 95 (arXiv:2311.12120)",)
    b_disk_muG: Float[Array, " m"] = parameter()
    phase_deg: Float[Array, " m"] = parameter()
    pitch_deg: Float[Array, ""] = parameter()
    z_d_kpc: Float[Array, ""] = parameter()
    w_d_kpc: Float[Array, ""] = parameter()
    b_p_muG: Float[Array, ""] = parameter()
    p: Float[Array, ""] = parameter()
    z_p_kpc: Float[Array, ""] = parameter()
    r_p_kpc: Float[Array, ""] = parameter()
    w_p_kpc: Float[Array, ""] | None = optional_parameter()
    a_c_kpc: Float[Array, ""] | None = optional_parameter()
    b_n_muG: Float[Array, ""] | None = optional_parameter()
    b_s_muG: Float[Array, ""] | None = optional_parameter()
    r_t_kpc: Float[Array, ""] | None = optional_parameter()
    w_t_kpc: Float[Array, ""] | None = optional_parameter()
    z_t_kpc: Float[Array, ""] | None = optional_parameter()
    t_twist_Myr: Float[Array, ""] | None = optional_parameter()
    phi_c_deg: Float[Array, ""] | None = optional_parameter()
    l_c_deg: Float[Array, ""] | None = optional_parameter()
    w_s_deg: Float[Array, ""] | None = optional_parameter()
    edge_width_kpc: Float[Array, ""] | None = optional_parameter()

    @classmethod
    def published(cls, variant: str = "base", **overrides: Any) -> UF23:
        """Best-fit model of one of the eight variants, from the table ``uf23_parameters``.

        For expX, z_p = a_c tan(20.926122 deg), of which the printed value is a rounding.

        Raises
        ------
        ConfigurationError
            If the variant is unknown.
        """
        if variant not in VARIANTS:
            raise unknown_name("variant of UF23", variant, VARIANTS)
        table = load_table("uf23_parameters")
        row = [str(v) for v in table["variant"]].index(variant)
        given = {
            name: float(column[row])
            for name, column in table.columns.items()
            if name != "variant" and not math.isnan(column[row])
        }
        given.pop("xi")  # striation of the synchrotron fit, not part of the regular field
        modes = [m for m in (1, 2, 3) if f"b_{m}_muG" in given]
        leaves: dict[str, Any] = {
            "b_disk_muG": [given.pop(f"b_{m}_muG") for m in modes],
            "phase_deg": [given.pop(f"phi_{m}_deg") for m in modes],
            **given,
        }
        if variant == "expX":
            leaves["z_p_kpc"] = given["a_c_kpc"] * math.tan(math.radians(_EXPX_ELEVATION_DEG))
        return cls(**(leaves | overrides))

    def smoothed(self, width_kpc: Float[Array, ""]) -> Self:
        """Smooth the cutoff at R = 30 kpc, the only jump of these models on a sight line."""
        return dataclasses.replace(self, edge_width_kpc=width_kpc)

    @property
    def linear_paths(self) -> tuple[str, ...]:
        halo = () if self.b_n_muG is None else ("b_n_muG", "b_s_muG")
        return ("b_disk_muG", "b_p_muG", *halo)

    def crossings_kpc(self, sightline: SightLine) -> Float[Array, " k"]:
        """Distance at which the line leaves R = 30 kpc, unless the cutoff is smooth."""
        if self.edge_width_kpc is not None:
            return jnp.zeros((0,))
        return sphere_crossings(jnp.asarray(R_MAX_KPC), sightline)[1:]

    def _spiral(self, r: Float[Array, ""], phi: Float[Array, ""]) -> Float[Array, ""]:
        """b g: strength of the spiral in the plane [muG]."""
        r_ref = _REFERENCE_RADIUS_KPC["disk"]
        tan = jnp.tan(jnp.deg2rad(self.pitch_deg))
        phi_0 = phi - (safe_log(r) - math.log(r_ref)) / tan
        m = jnp.arange(1.0, 4.0)
        b = jnp.sum(self.b_disk_muG * jnp.cos(m * (phi_0 - jnp.deg2rad(self.phase_deg))))
        rise = safe_divide(-jnp.expm1(-r * r), r)
        return b * r_ref * rise * _sigma(r, 5.0, 0.5) * (1.0 - _sigma(r, 20.0, 0.5))

    def _spur(self, r: Float[Array, ""], phi: Float[Array, ""]) -> Float[Array, ""]:
        """Strength of the single spur, Gaussian across and cut along its length [muG]."""
        assert self.phi_c_deg is not None
        assert self.l_c_deg is not None
        assert self.w_s_deg is not None
        r_ref = _REFERENCE_RADIUS_KPC["spur"]
        phi = jnp.mod(phi, 2.0 * jnp.pi)
        phi_1, phi_c, l_c, w_s = (
            jnp.deg2rad(a) for a in (self.phase_deg[0], self.phi_c_deg, self.l_c_deg, self.w_s_deg)
        )
        tan = jnp.tan(jnp.deg2rad(self.pitch_deg))
        phi_0 = phi - (safe_log(r) - math.log(r_ref)) / tan
        across = jnp.exp(-0.5 * (_separation(phi_1, phi_0) / w_s) ** 2)
        along = 1.0 - _sigma(_separation(phi_c, phi), l_c, _SPUR_EDGE_RAD)
        turns = 2.0 * jnp.pi * jnp.array([-1.0, 0.0, 1.0])
        gap = safe_abs(r_ref * jnp.exp((phi - phi_1 + turns) * tan) - r)
        nearest = (gap[1] < gap[0]) & (gap[1] < gap[2])
        b = self.b_disk_muG[0] * across * along * r_ref / jnp.maximum(r, 1.0)
        return jnp.where(nearest, b, 0.0)

    def _poloidal(
        self, r: Float[Array, ""], z: Float[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """(B_r, B_z) of the poloidal halo in scale-free form [muG]."""
        height = safe_abs(z)
        zeta = _power(height / self.z_p_kpc, self.p)
        slope = _power(height, self.p - 1.0) / self.z_p_kpc**self.p  # zeta/|z|
        if self.a_c_kpc is None:
            half_sum = root = 1.0 + zeta
            straight = jnp.ones_like(root)
        else:
            rho = _power(r / self.a_c_kpc, self.p)
            t_0 = 1.0 + zeta - rho
            root = safe_sqrt(t_0 * t_0 + 4.0 * rho)
            # (root + t_0)/2 by the form without cancellation on either side of t_0 = 0.
            large = 0.5 * (root + safe_abs(t_0))
            half_sum = jnp.where(t_0 >= 0.0, large, rho / large)
            straight = 1.0 + rho / half_sum
        q = half_sum ** (1.0 / self.p)
        a = r / q
        if self.w_p_kpc is None:
            profile = jnp.exp(-a / self.r_p_kpc)
        else:
            profile = 1.0 - _sigma(a, self.r_p_kpc, self.w_p_kpc)
        b = self.b_p_muG * profile / root
        b_r = b * (a / q) * slope
        return jnp.where(z >= 0.0, b_r, -b_r), b * half_sum / (q * q) * straight

    def _toroidal(self, r: Float[Array, ""], z: Float[Array, ""]) -> Float[Array, ""]:
        """B_phi of the toroidal halo [muG]."""
        assert self.b_n_muG is not None
        assert self.b_s_muG is not None
        assert self.r_t_kpc is not None
        assert self.w_t_kpc is not None
        assert self.z_t_kpc is not None
        height = safe_abs(z)
        amplitude = jnp.where(z >= 0.0, self.b_n_muG, self.b_s_muG)
        return (
            amplitude
            * (1.0 - _sigma(r, self.r_t_kpc, self.w_t_kpc))
            * _sigma(height, self.z_d_kpc, self.w_d_kpc)
            * jnp.exp(-height / self.z_t_kpc)
        )

    def _twist(
        self,
        r: Float[Array, ""],
        z: Float[Array, ""],
        b_r: Float[Array, ""],
        b_z: Float[Array, ""],
    ) -> Float[Array, ""]:
        """B_phi wound up from the poloidal field by differential rotation [muG]."""
        assert self.t_twist_Myr is not None
        height = safe_abs(z)
        rise = -jnp.expm1(-r / _R_V_KPC)
        shear_r = (1.0 - rise) / _R_V_KPC - safe_divide(rise, r, 1.0 / _R_V_KPC)
        # With t = exp(2|z|/z_0): 2/(1 + t) = 1 - tanh and 4t/(1 + t)^2 = sech^2 of |z|/z_0.
        d_r = _V_0_KPC_MYR * shear_r * (1.0 - jnp.tanh(height / _Z_V_KPC))
        d_z = -_V_0_KPC_MYR * rise / _Z_V_KPC * sech2(height / _Z_V_KPC)
        return (b_z * jnp.where(z >= 0.0, d_z, -d_z) + b_r * d_r) * self.t_twist_Myr

    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        x, y, _ = position_kpc
        r, phi, z = cylindrical(position_kpc)
        pitch = jnp.deg2rad(self.pitch_deg)
        plane = self._spiral(r, phi) if self.l_c_deg is None else self._spur(r, phi)
        disk = plane * (1.0 - _sigma(safe_abs(z), self.z_d_kpc, self.w_d_kpc))
        halo_r, b_z = self._poloidal(r, z)
        if self.t_twist_Myr is None:
            halo_phi = self._toroidal(r, z)
        else:
            halo_phi = self._twist(r, z, halo_r, b_z)
        b_r, b_phi = disk * jnp.sin(pitch) + halo_r, disk * jnp.cos(pitch) + halo_phi
        cos, sin = safe_divide(x, r, 1.0), safe_divide(y, r)
        b = jnp.stack([b_r * cos - b_phi * sin, b_r * sin + b_phi * cos, b_z])
        return b * step(R_MAX_KPC - safe_sqrt(r * r + z * z), self.edge_width_kpc)
