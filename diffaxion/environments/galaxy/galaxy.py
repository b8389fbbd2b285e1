"""The Galaxy of one analysis: regular field, electron density, turbulence, Sun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...errors import unknown_name
from .base import ElectronDensity, MagneticField
from .frame import SightLine


class Galaxy(eqx.Module):
    """Magnetised medium between the sources and the Earth.

    Attributes
    ----------
    field : MagneticField
        Regular magnetic field [muG].
    density : ElectronDensity or mapping of target name to ElectronDensity
        Free electrons [cm^-3]; a mapping where densities are sampled along single sight lines.
    r_sun_kpc : float array, shape ()
        Distance of the Sun from the Galactic centre, used for the field [kpc].
    turbulence : module or None
        Random field whose expected conversion probability is added in closed form.
    """

    field: MagneticField
    density: ElectronDensity | Mapping[str, ElectronDensity]
    r_sun_kpc: Float[Array, ""] = eqx.field(converter=lambda x: jnp.asarray(x, float), default=8.3)
    turbulence: Any = None

    def density_toward(self, target: str) -> ElectronDensity:
        """Electron density along the sight line to ``target``.

        Raises
        ------
        ConfigurationError
            If densities are given per target and this one is not among them.
        """
        if isinstance(self.density, Mapping):
            if target not in self.density:
                raise unknown_name("target of the sampled electron density", target, self.density)
            return self.density[target]
        return self.density

    def sightline(
        self,
        longitude_deg: Float[Array, ""],
        latitude_deg: Float[Array, ""],
        distance_kpc: Float[Array, ""],
    ) -> SightLine:
        """Sight line to (l, b, d) [deg, deg, kpc] seen from this Galaxy's Sun."""
        return SightLine(longitude_deg, latitude_deg, distance_kpc, self.r_sun_kpc)
