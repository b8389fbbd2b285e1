"""Options for the inner kiloparsec of the Galaxy, as fields that can be composed."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar, Self

import jax.numpy as jnp
from jaxtyping import Array, Float

from ...numerics import safe_norm, safe_sqrt
from .base import MagneticField, optional_parameter, parameter
from .edges import sphere_crossings, step
from .frame import SightLine

R_INNER_KPC = 1.0
R_STRONG_KPC = 0.4


def _arrays(*values: float | tuple[float, ...]) -> tuple[Array, ...]:
    return tuple(jnp.asarray(v, float) for v in values)


class NoField(MagneticField):
    """B = 0: the conservative choice where nothing is modelled.

    Attributes
    ----------
    references : tuple of str
        Empty.
    """

    references: ClassVar[tuple[str, ...]] = ()

    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        return jnp.zeros_like(position_kpc)


class VerticalField(MagneticField):
    """Uniform vertical field, B = (0, 0, b_z).

    Attributes
    ----------
    b_z_muG : float array, shape ()
        Strength [muG].

    References
    ----------
    Dessert, Foster & Safdi 2020, PRL 125, 261102 (arXiv:2008.03305): about 3 muG in R < 1 kpc.
    """

    references: ClassVar[tuple[str, ...]] = (
        "Dessert, Foster & Safdi 2020, PRL 125, 261102 (arXiv:2008.03305)",
    )
    b_z_muG: Float[Array, ""] = parameter()

    @property
    def linear_paths(self) -> tuple[str, ...]:
        return ("b_z_muG",)

    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        zero = 0.0 * position_kpc[0]
        return jnp.stack([zero, zero, self.b_z_muG + zero])


class PoloidalField(MagneticField):
    """Divergence-free poloidal field of the Galactic-centre region.

    In cylindrical coordinates about the centre, with a = 4 ln 2/height^2, r_1 = 1/(1 + a z^2)
    and B_s = B_1 exp(-r_1 r/L): B_z = r_1^2 B_s and B_r = 2 a r_1^3 r z B_s.

    Attributes
    ----------
    b_1_muG : float array, shape ()
        Field at the centre [muG].
    height_kpc : float array, shape ()
        Vertical extent [kpc].
    length_kpc : float array, shape ()
        Radial scale L [kpc].
    centre_kpc : float array, shape (3,)
        Galactocentric position of the centre [kpc].

    References
    ----------
    Guenduez, Becker Tjus, Ferriere & Dettmar 2020, A&A 644, A71 (arXiv:1906.05211).
    """

    references: ClassVar[tuple[str, ...]] = (
        "Guenduez, Becker Tjus, Ferriere & Dettmar 2020, A&A 644, A71 (arXiv:1906.05211)",
    )
    b_1_muG: Float[Array, ""] = parameter()
    height_kpc: Float[Array, ""] = parameter()
    length_kpc: Float[Array, ""] = parameter()
    centre_kpc: Float[Array, "3"] = parameter()

    @classmethod
    def intercloud(cls, r_sun_kpc: float = 8.3) -> PoloidalField:
        """Intercloud medium about Sgr A*: 10 muG/0.85, height 70 pc, L = 158 pc/ln 2.

        The centre (y, z) = (-8.3, -6.9) pc at 8.5 kpc is rescaled by angle to r_sun [kpc].
        """
        scale = r_sun_kpc / 8.5
        centre = (0.0, -8.3e-3 * scale, -6.9e-3 * scale)
        return cls(*_arrays(10.0 / 0.85, 0.070, 0.158 / math.log(2.0), centre))

    @classmethod
    def radio_arc(cls, r_sun_kpc: float = 8.3) -> PoloidalField:
        """Radio-arc filament toward (l, b) = (0.180, 0.070) deg: 1 mG/0.48, height 70.47 pc.

        L = 9.89 pc/(2 ln 2), for which the field has fallen to one half at half the width of
        9.89 pc. Whether a source lies in front of the arc or behind it is not known.
        """
        l, b = math.radians(0.180), math.radians(0.070)
        centre = (0.0, r_sun_kpc * math.tan(l), r_sun_kpc * math.tan(b) / math.cos(l))
        return cls(*_arrays(1e3 / 0.48, 0.07047, 0.00989 / (2.0 * math.log(2.0)), centre))

    @property
    def linear_paths(self) -> tuple[str, ...]:
        return ("b_1_muG",)

    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        x, y, z = position_kpc - self.centre_kpc
        r = safe_sqrt(x * x + y * y)
        a = 4.0 * math.log(2.0) / self.height_kpc**2
        r_1 = 1.0 / (1.0 + a * z * z)
        b_s = self.b_1_muG * jnp.exp(-r_1 * r / self.length_kpc)
        spread = 2.0 * a * r_1**3 * z * b_s
        return jnp.stack([spread * x, spread * y, r_1 * r_1 * b_s])


class SumField(MagneticField):
    """Sum of fields.

    Attributes
    ----------
    parts : tuple of MagneticField
        The summands; each carries its own references.
    """

    references: ClassVar[tuple[str, ...]] = ()
    parts: tuple[MagneticField, ...]

    @property
    def linear_paths(self) -> tuple[str, ...]:
        return tuple(f"parts[{k}].{p}" for k, f in enumerate(self.parts) for p in f.linear_paths)

    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        return sum((part(position_kpc) for part in self.parts), jnp.zeros(3))

    def crossings_kpc(self, sightline: SightLine) -> Float[Array, " k"]:
        """Crossings of all parts."""
        return jnp.concatenate(
            [jnp.zeros((0,)), *(part.crossings_kpc(sightline) for part in self.parts)]
        )

    def smoothed(self, width_kpc: Float[Array, ""]) -> Self:
        """Smooth every part."""
        return dataclasses.replace(self, parts=tuple(p.smoothed(width_kpc) for p in self.parts))


class InnerRegion(MagneticField):
    """One field inside a sphere about the Galactic centre, another outside.

    B = m B_inner + (1 - m) B_outer, m = 1 for R < radius and 0 beyond, or the logistic
    m = 1/(1 + exp((R - radius)/width)).

    Attributes
    ----------
    outer, inner : MagneticField
        Fields outside and inside the sphere; each carries its own references.
    radius_kpc : float array, shape ()
        Radius of the sphere [kpc].
    edge_width_kpc : float array, shape () or None
        Logistic width of the edge [kpc]; None for a sharp one.
    """

    references: ClassVar[tuple[str, ...]] = ()
    outer: MagneticField
    inner: MagneticField
    radius_kpc: Float[Array, ""] = parameter(default=R_INNER_KPC)
    edge_width_kpc: Float[Array, ""] | None = optional_parameter()

    @property
    def linear_paths(self) -> tuple[str, ...]:
        return (
            *(f"outer.{p}" for p in self.outer.linear_paths),
            *(f"inner.{p}" for p in self.inner.linear_paths),
        )

    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        outside = step(safe_norm(position_kpc) - self.radius_kpc, self.edge_width_kpc)
        inner = self.inner(position_kpc)
        return inner + outside * (self.outer(position_kpc) - inner)

    def crossings_kpc(self, sightline: SightLine) -> Float[Array, " k"]:
        """Crossings of both fields, and those of the sphere if it is sharp."""
        found = [self.outer.crossings_kpc(sightline), self.inner.crossings_kpc(sightline)]
        if self.edge_width_kpc is None:
            found.append(sphere_crossings(self.radius_kpc, sightline))
        return jnp.concatenate(found)

    def smoothed(self, width_kpc: Float[Array, ""]) -> Self:
        """Smooth both fields and the sphere."""
        return dataclasses.replace(
            self,
            outer=self.outer.smoothed(width_kpc),
            inner=self.inner.smoothed(width_kpc),
            edge_width_kpc=width_kpc,
        )
