"""Regular Galactic magnetic field of Pshirkov, Tinyakov, Kronberg & Newton-McGee (2011)."""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...errors import unknown_name
from ...numerics import safe_abs, safe_divide, safe_log
from .base import MagneticField, parameter
from .frame import cylindrical

_COMMON = {
    "d_kpc": -0.6,
    "r_s_kpc": 8.5,
    "r_c_kpc": 5.0,
    "z_disk_kpc": 1.0,
    "b_0_muG": 2.0,
    "b_n_muG": 4.0,
    "r_h_kpc": 8.0,
    "z_h_kpc": 1.3,
    "z_1_below_kpc": 0.25,
    "z_1_above_kpc": 0.40,
}
_VARIANTS: dict[str, dict[str, Any]] = {
    "ass": {"axisymmetric": True, "pitch_deg": -5.0, "b_s_muG": 2.0},
    "bss": {"axisymmetric": False, "pitch_deg": -6.0, "b_s_muG": 4.0},
}


class PTKN11(MagneticField):
    """Axisymmetric (ASS) or bisymmetric (BSS) spiral disk and antisymmetric toroidal halo.

    With the authors' clockwise azimuth theta = pi - phi and b = 1/tan p,
    C = cos(theta - b ln(r/R_s) + phi_0), phi_0 = b ln(1 + d/R_s) - pi/2, and |C| for ASS:
    M = B_0 R_s / (max(r, R_c) cos phi_0) C exp(-|z|/z_d); disk (B_r, B_phi) = M (sin p, -cos p).
    Halo B_phi = (+B_n above, -B_s below) (r/R_h) exp(1 - r/R_h) / (1 + ((|z| - z_h)/z_1)^2).
    There is no vertical component and no cutoff.

    Attributes
    ----------
    pitch_deg : float array, shape ()
        Pitch angle p [deg].
    b_s_muG, b_n_muG : float array, shape ()
        Halo amplitudes, south and north [muG].
    d_kpc : float array, shape ()
        Distance from the Sun to the first reversal [kpc].
    r_s_kpc : float array, shape ()
        Solar radius of the fit; a parameter of the model, not the position of the observer [kpc].
    r_c_kpc : float array, shape ()
        Radius inside which the disk field stops growing [kpc].
    z_disk_kpc, b_0_muG : float array, shape ()
        Scale height [kpc] and local amplitude [muG] of the disk.
    r_h_kpc, z_h_kpc : float array, shape ()
        Radius and height of the halo's maximum [kpc].
    z_1_below_kpc, z_1_above_kpc : float array, shape ()
        Vertical half width of the halo, for |z| < z_h and beyond [kpc].
    axisymmetric : bool
        ASS if true, BSS otherwise.

    References
    ----------
    Pshirkov, Tinyakov, Kronberg & Newton-McGee 2011, ApJ 738, 192 (arXiv:1103.0814).
    """

    references: ClassVar[tuple[str, ...]] = (
        "Pshirkov, Tinyakov, Kronberg & Newton-McGee 2011, ApJ 738, 192 (arXiv:1103.0814)",
    )
    pitch_deg: Float[Array, ""] = parameter()
    b_s_muG: Float[Array, ""] = parameter()
    d_kpc: Float[Array, ""] = parameter()
    r_s_kpc: Float[Array, ""] = parameter()
    r_c_kpc: Float[Array, ""] = parameter()
    z_disk_kpc: Float[Array, ""] = parameter()
    b_0_muG: Float[Array, ""] = parameter()
    b_n_muG: Float[Array, ""] = parameter()
    r_h_kpc: Float[Array, ""] = parameter()
    z_h_kpc: Float[Array, ""] = parameter()
    z_1_below_kpc: Float[Array, ""] = parameter()
    z_1_above_kpc: Float[Array, ""] = parameter()
    axisymmetric: bool = eqx.field(static=True, kw_only=True)

    @classmethod
    def published(cls, variant: str = "ass", **overrides: Any) -> PTKN11:
        """Benchmark model ``"ass"`` or ``"bss"`` of the authors, with leaves replaced at will.

        Raises
        ------
        ConfigurationError
            If the variant is unknown.
        """
        if variant not in _VARIANTS:
            raise unknown_name("variant of PTKN11", variant, _VARIANTS)
        return cls(**(_COMMON | _VARIANTS[variant] | overrides))

    @property
    def linear_paths(self) -> tuple[str, ...]:
        return ("b_0_muG", "b_n_muG", "b_s_muG")

    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        x, y, _ = position_kpc
        r, phi, z = cylindrical(position_kpc)
        height = safe_abs(z)
        pitch = jnp.deg2rad(self.pitch_deg)
        b = 1.0 / jnp.tan(pitch)
        phi_0 = b * jnp.log1p(self.d_kpc / self.r_s_kpc) - 0.5 * jnp.pi
        wave = jnp.cos(jnp.pi - phi - b * (safe_log(r) - jnp.log(self.r_s_kpc)) + phi_0)
        if self.axisymmetric:
            wave = safe_abs(wave)
        fall = self.r_s_kpc / (jnp.maximum(r, self.r_c_kpc) * jnp.cos(phi_0))
        m = self.b_0_muG * fall * wave * jnp.exp(-height / self.z_disk_kpc)
        amplitude = jnp.where(z > 0.0, self.b_n_muG, -self.b_s_muG)
        z_1 = jnp.where(height < self.z_h_kpc, self.z_1_below_kpc, self.z_1_above_kpc)
        rise = r / self.r_h_kpc
        layer = 1.0 + ((height - self.z_h_kpc) / z_1) ** 2
        b_r = m * jnp.sin(pitch)
        b_phi = -m * jnp.cos(pitch) + amplitude * rise * jnp.exp(1.0 - rise) / layer
        cos, sin = safe_divide(x, r, 1.0), safe_divide(y, r)
        return jnp.stack([b_r * cos - b_phi * sin, b_r * sin + b_phi * cos, 0.0 * z])
