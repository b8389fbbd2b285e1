"""Regular Galactic magnetic field of Jansson & Farrar (2012) and its Planck variants."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, ClassVar, Literal, Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...data.registry import load_table
from ...errors import unknown_name
from ...numerics import safe_abs, safe_divide, safe_log, safe_sqrt
from .base import MagneticField, optional_parameter, parameter
from .edges import arm_crossings, cone_crossings, cylinder_crossings, sphere_crossings, step
from .frame import SightLine, cylindrical
from .spiral import arm_extent, arm_strength, closure, fold

# Radii of the molecular ring, of the spiral region and of the whole model [kpc].
R_RING_KPC = 3.0
R_SPIRAL_KPC = 5.0
R_MAX_KPC = 20.0
# Fractions f_j of the circumference at fixed radius, as printed by the authors.
PRINTED_FRACTIONS = (0.130, 0.165, 0.094, 0.122, 0.130, 0.118, 0.084, 0.156)
# A width w [kpc] of the other edges corresponds to w / 8 kpc in u = ln r - ...: the same width
# at the radius of the solar neighbourhood.
SMOOTHING_RADIUS_KPC = 8.0
VARIANTS = ("jf12", "jf12b", "jf12c")

Components = tuple[Float[Array, ""], Float[Array, ""]]


def transition(
    x: Float[Array, ""], height: Float[Array, ""], width: Float[Array, ""]
) -> Float[Array, ""]:
    """L(x; h, w) = 1/(1 + exp(-2(|x| - h)/w)); note the factor 2."""
    return jax.nn.sigmoid(2.0 * (safe_abs(x) - height) / width)


class JF12Family(MagneticField):
    """Leaves and parts shared by :class:`JF12` and its solenoidal variant.

    Attributes
    ----------
    b_arm_muG : float array, shape (8,)
        Arm strengths at r = 5 kpc [muG]; the last is used only with ``arm_8="value"``.
    b_ring_muG : float array, shape ()
        Azimuthal field of the ring 3 <= r < 5 kpc [muG].
    h_disk_kpc, w_disk_kpc : float array, shape ()
        Height and width of the transition from disk to halo [kpc].
    b_n_muG, b_s_muG : float array, shape ()
        Toroidal halo, north and south [muG].
    r_n_kpc, r_s_kpc, w_h_kpc : float array, shape ()
        Radii and width of its radial transitions [kpc].
    z_0_kpc : float array, shape ()
        Scale height of the toroidal halo [kpc].
    b_x_muG, theta_x0_deg, r_xc_kpc, r_x_kpc : float array, shape ()
        X field at the origin [muG], elevation outside r_xc [deg], r_xc and scale length [kpc].
    pitch_deg : float array, shape ()
        Pitch angle of the arms [deg].
    arm_radii_kpc : float array, shape (8,)
        Outer boundaries of the arms on the negative x axis [kpc].
    norm_disk, norm_toroidal, norm_x : float array, shape ()
        Overall factors of the three components, 1 by default.
    arm_eps : float array, shape () or None
        Logistic width of the arm boundaries in u; None for sharp arms.
    edge_width_kpc : float array, shape () or None
        Logistic width of the edges r = 3, 5, 20 kpc, R = 20 kpc and of the cone r = r_c of the
        X field [kpc]; None for sharp edges.
    """

    b_arm_muG: Float[Array, "8"] = parameter()
    b_ring_muG: Float[Array, ""] = parameter()
    h_disk_kpc: Float[Array, ""] = parameter()
    w_disk_kpc: Float[Array, ""] = parameter()
    b_n_muG: Float[Array, ""] = parameter()
    b_s_muG: Float[Array, ""] = parameter()
    r_n_kpc: Float[Array, ""] = parameter()
    r_s_kpc: Float[Array, ""] = parameter()
    w_h_kpc: Float[Array, ""] = parameter()
    z_0_kpc: Float[Array, ""] = parameter()
    b_x_muG: Float[Array, ""] = parameter()
    theta_x0_deg: Float[Array, ""] = parameter()
    r_xc_kpc: Float[Array, ""] = parameter()
    r_x_kpc: Float[Array, ""] = parameter()
    pitch_deg: Float[Array, ""] = parameter()
    arm_radii_kpc: Float[Array, "8"] = parameter()
    norm_disk: Float[Array, ""] = parameter(default=1.0, kw_only=True)
    norm_toroidal: Float[Array, ""] = parameter(default=1.0, kw_only=True)
    norm_x: Float[Array, ""] = parameter(default=1.0, kw_only=True)
    arm_eps: Float[Array, ""] | None = optional_parameter()
    edge_width_kpc: Float[Array, ""] | None = optional_parameter()
    max_arm_crossings: int = eqx.field(static=True, default=16, kw_only=True)

    @classmethod
    def published(cls, variant: str = "jf12", **overrides: Any) -> Self:
        """Best-fit model from the bundled table ``jf12_parameters``.

        Parameters
        ----------
        variant : {"jf12", "jf12b", "jf12c"}
            Original fit, or one of the two adjustments to Planck data.
        **overrides
            Leaves or static choices that differ from the table.

        Returns
        -------
        JF12Family
            The field, of the class on which this is called.

        Raises
        ------
        ConfigurationError
            If the variant is unknown.
        """
        if variant not in VARIANTS:
            raise unknown_name("variant of JF12", variant, VARIANTS)
        table = load_table("jf12_parameters")
        values: dict[str, Any] = {}
        for path, value in zip(table["path"], table[variant], strict=True):
            name, _, index = str(path).partition("[")
            if index:
                values.setdefault(name, []).append(float(value))
            else:
                values[name] = float(value)
        return cls(**(values | overrides))

    def smoothed(self, width_kpc: Float[Array, ""]) -> Self:
        """Smooth arms and edges; the arms get eps = width / 8 kpc."""
        width = jnp.asarray(width_kpc, float)
        return dataclasses.replace(self, arm_eps=width / SMOOTHING_RADIUS_KPC, edge_width_kpc=width)

    @property
    def linear_paths(self) -> tuple[str, ...]:
        return ("b_arm_muG", "b_ring_muG", "b_n_muG", "b_s_muG", "b_x_muG")

    @abc.abstractmethod
    def disk(self, r: Float[Array, ""], phi: Float[Array, ""], z: Float[Array, ""]) -> Components:
        """(B_r, B_phi) of ring and spiral [muG]."""

    @abc.abstractmethod
    def x_field(self, r: Float[Array, ""], z: Float[Array, ""]) -> Components:
        """(B_r, B_z) of the X-shaped halo [muG]."""

    def toroidal(self, r: Float[Array, ""], z: Float[Array, ""]) -> Float[Array, ""]:
        """B_phi of the toroidal halo [muG]."""
        north = self.b_n_muG * (1.0 - transition(r, self.r_n_kpc, self.w_h_kpc))
        south = self.b_s_muG * (1.0 - transition(r, self.r_s_kpc, self.w_h_kpc))
        fall = jnp.exp(-safe_abs(z) / self.z_0_kpc)
        return (
            jnp.where(z >= 0.0, north, south)
            * fall
            * transition(z, self.h_disk_kpc, self.w_disk_kpc)
        )

    def winding(
        self, r: Float[Array, ""], phi: Float[Array, ""]
    ) -> tuple[Float[Array, ""], Float[Array, "8"], Float[Array, ""]]:
        """Folded u of a position, boundaries u_j and period P."""
        tan_i = jnp.tan(jnp.deg2rad(self.pitch_deg))
        period = 2.0 * jnp.pi * tan_i
        u_arm = jnp.log(self.arm_radii_kpc)
        return fold(safe_log(r) - (phi - jnp.pi) * tan_i, u_arm, period), u_arm, period

    def exact_fractions(self) -> Float[Array, "8"]:
        """Fractions f_j = Delta u_j / P of the circumference, from the arm radii."""
        period = 2.0 * jnp.pi * jnp.tan(jnp.deg2rad(self.pitch_deg))
        return arm_extent(jnp.log(self.arm_radii_kpc), period)[1] / period

    def inside_cone(self, r: Float[Array, ""], z: Float[Array, ""]) -> Components:
        """(B_r, B_z) of the X field where the elevation varies, for z >= 0 [muG]."""
        tan_x = jnp.tan(jnp.deg2rad(self.theta_x0_deg))
        shrink = self.r_xc_kpc / (self.r_xc_kpc + z / tan_x)
        r_p = r * shrink
        b = self.norm_x * self.b_x_muG * jnp.exp(-r_p / self.r_x_kpc) * shrink**2
        rise = self.r_xc_kpc * tan_x
        length = jnp.sqrt(r_p * r_p + rise * rise)
        return b * r_p / length, b * rise / length

    def outside_cone(self, r: Float[Array, ""], z: Float[Array, ""]) -> Components:
        """(B_r, B_z) of the X field at constant elevation, for z >= 0 [muG]."""
        theta = jnp.deg2rad(self.theta_x0_deg)
        r_p = r - z / jnp.tan(theta)
        # The floor on r only matters far inside the cone, where this branch has no weight.
        fall = jnp.exp(-r_p / self.r_x_kpc) * r_p / jnp.maximum(r, 0.5 * self.r_xc_kpc)
        b = self.norm_x * self.b_x_muG * fall
        return b * jnp.cos(theta), b * jnp.sin(theta)

    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        x, y, _ = position_kpc
        r, phi, z = cylindrical(position_kpc)
        disk_r, disk_phi = self.disk(r, phi, z)
        x_r, x_z = self.x_field(r, z)
        b_r, b_phi = disk_r + x_r, disk_phi + self.norm_toroidal * self.toroidal(r, z)
        cos, sin = safe_divide(x, r, 1.0), safe_divide(y, r)
        b = jnp.stack([b_r * cos - b_phi * sin, b_r * sin + b_phi * cos, x_z])
        outside = step(safe_sqrt(r * r + z * z) - R_MAX_KPC, self.edge_width_kpc)
        return b * (1.0 - outside)

    def cone_crossings_kpc(self, sightline: SightLine) -> Float[Array, "2"]:
        """Distances at which the line crosses the cone r = r_c, where |B_X| jumps [kpc]."""
        cot = 1.0 / jnp.tan(jnp.deg2rad(self.theta_x0_deg))
        return cone_crossings(self.r_xc_kpc, cot, sightline)

    def crossings_kpc(self, sightline: SightLine) -> Float[Array, " k"]:
        """Arm boundaries in 5 <= r <= 20 kpc, r = 3 and 5 kpc, the cone of X, and R = 20 kpc.

        The plane z = 0, in which the Sun lies, is met at s = 0 only, and r = 20 kpc never before
        R = 20 kpc. Smooth edges and arms have no entries.
        """
        found = [jnp.zeros((0,))]
        if self.arm_eps is None:
            found.append(
                arm_crossings(
                    self.arm_radii_kpc,
                    self.pitch_deg,
                    sightline,
                    R_SPIRAL_KPC,
                    R_MAX_KPC,
                    self.max_arm_crossings,
                )
            )
        if self.edge_width_kpc is None:
            found += [
                cylinder_crossings(jnp.asarray(R_RING_KPC), sightline),
                cylinder_crossings(jnp.asarray(R_SPIRAL_KPC), sightline),
                self.cone_crossings_kpc(sightline),
                sphere_crossings(jnp.asarray(R_MAX_KPC), sightline)[1:],
            ]
        return jnp.concatenate(found)


class JF12(JF12Family):
    """Regular field of Jansson & Farrar: spiral disk, toroidal halo and X-shaped halo.

    B = norm_disk B_disk + norm_toroidal B_tor + norm_x B_X for R <= 20 kpc. The formulas are
    carried into R < 1 kpc, where the published model is undefined; the options of
    :mod:`~diffaxion.environments.galaxy.inner` replace them there. Leaves are described in
    :class:`JF12Family`.

    Attributes
    ----------
    arm_8 : {"printed", "geometric", "value"}
        Strength of the eighth arm: zero net flux with the printed arm fractions (2.755 muG),
        with the exact ones from the arm radii (2.757 muG), or the leaf ``b_arm_muG[7]``.
    ring : {"constant", "inverse_radius"}
        B_phi = b_ring as published, or b_ring 5/r as in CRPropa 3.

    References
    ----------
    Jansson & Farrar 2012, ApJ 757, 14 (arXiv:1204.3662), eqs 5-8 and Table 1.
    Planck Collaboration 2016, A&A 596, A103 (arXiv:1601.00546), for the variants b and c.
    """

    references: ClassVar[tuple[str, ...]] = (
        "Jansson & Farrar 2012, ApJ 757, 14 (arXiv:1204.3662)",
        "Planck Collaboration 2016, A&A 596, A103 (arXiv:1601.00546)",
    )
    arm_8: Literal["printed", "geometric", "value"] = eqx.field(
        static=True, default="printed", kw_only=True
    )
    ring: Literal["constant", "inverse_radius"] = eqx.field(
        static=True, default="constant", kw_only=True
    )

    @classmethod
    def crpropa(cls) -> JF12:
        """The conventions of CRPropa 3: r_s = 17 kpc, ring falling as 1/r, b_8 = 2.7 muG."""
        return cls.published(r_s_kpc=17.0, ring="inverse_radius", arm_8="value")

    def arm_strengths_muG(self) -> Float[Array, "8"]:
        """b_1..b_8 with the chosen rule for b_8 [muG]."""
        if self.arm_8 == "value":
            return self.b_arm_muG
        if self.arm_8 == "printed":
            return closure(self.b_arm_muG, jnp.array(PRINTED_FRACTIONS))
        return closure(self.b_arm_muG, self.exact_fractions())

    def disk(self, r: Float[Array, ""], phi: Float[Array, ""], z: Float[Array, ""]) -> Components:
        """(B_r, B_phi) of ring (3 <= r < 5 kpc) and spiral (5 <= r <= 20 kpc) [muG]."""
        u, u_arm, period = self.winding(r, phi)
        b = arm_strength(u, u_arm, period, self.arm_strengths_muG(), self.arm_eps)
        width = self.edge_width_kpc
        # The floor keeps 1/r finite on the axis, where spiral and ring have no weight.
        fall = R_SPIRAL_KPC / jnp.maximum(r, 1.0)
        in_spiral = step(r - R_SPIRAL_KPC, width)
        spiral = b * fall * in_spiral * step(R_MAX_KPC - r, width)
        ring = self.b_ring_muG * step(r - R_RING_KPC, width) * (1.0 - in_spiral)
        if self.ring == "inverse_radius":
            ring = ring * fall
        pitch = jnp.deg2rad(self.pitch_deg)
        height = self.norm_disk * (1.0 - transition(z, self.h_disk_kpc, self.w_disk_kpc))
        return height * spiral * jnp.sin(pitch), height * (spiral * jnp.cos(pitch) + ring)

    def x_field(self, r: Float[Array, ""], z: Float[Array, ""]) -> Components:
        """(B_r, B_z) of the X field; B_r changes sign at z = 0, B_z does not [muG]."""
        height = safe_abs(z)
        r_c = self.r_xc_kpc + height / jnp.tan(jnp.deg2rad(self.theta_x0_deg))
        outer = step(r - r_c, self.edge_width_kpc)
        in_r, in_z = self.inside_cone(r, height)
        out_r, out_z = self.outside_cone(r, height)
        b_r = in_r + outer * (out_r - in_r)
        return jnp.where(z >= 0.0, b_r, -b_r), in_z + outer * (out_z - in_z)


def jf12_prior_widths(*, free_arm_8: bool = False) -> dict[str, tuple[float, float]]:
    """Gaussian priors on the leaves of JF12 from the published fit errors.

    No covariance is published, so that the priors are independent; the pitch angle and the arm
    radii were fixed in the fit and r_s has a lower limit only (:func:`jf12_lower_limits`).

    Parameters
    ----------
    free_arm_8 : bool
        Include ``b_arm_muG[7]``, for models with ``arm_8="value"``; otherwise b_8 is derived.

    Returns
    -------
    dict of str to (float, float)
        Path below the field -> (mean, standard deviation), in the unit of the leaf.

    References
    ----------
    Jansson & Farrar 2012, ApJ 757, 14, Table 1.
    """
    return {
        path: (mean, sigma)
        for path, mean, sigma, kind in _constraints()
        if kind == "gaussian" or (free_arm_8 and kind == "derived")
    }


def jf12_lower_limits() -> dict[str, float]:
    """Leaves of JF12 that the fit bounds from below only, for one-sided priors.

    Returns
    -------
    dict of str to float
        Path below the field -> lower limit, in the unit of the leaf.

    References
    ----------
    Jansson & Farrar 2012, ApJ 757, 14, Table 1.
    """
    return {path: mean for path, mean, _, kind in _constraints() if kind == "lower_limit"}


def _constraints() -> list[tuple[str, float, float, str]]:
    table = load_table("jf12_parameters")
    columns = (table["path"], table["jf12"], table["sigma"], table["constraint"])
    return [(str(p), float(m), float(s), str(k)) for p, m, s, k in zip(*columns, strict=True)]
