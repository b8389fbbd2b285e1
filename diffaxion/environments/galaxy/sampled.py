"""Electron density sampled along a sight line, and the choice of a density model by name."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data.registry import load_table
from ...errors import ConfigurationError, ValidityError, unknown_name
from ...numerics import linear_interpolate
from .base import ElectronDensity, parameter
from .frame import SightLine
from .ymw16 import YMW16

# Targets whose NE2001 sight line is bundled.
NE2001_TARGETS = ("quintuplet", "wd1")
# A sight line may differ from the tabulated one by this angle [deg]; over 8 kpc it is 7 pc.
DIRECTION_TOLERANCE_DEG = 0.05


class TabulatedDensity(ElectronDensity):
    """n_e(s) given at nodes of one sight line; linear between them.

    Below the first node the first value holds. Beyond the last node there is no data:
    :meth:`check` raises, and inside compiled code the last value holds.

    Attributes
    ----------
    s_kpc : float array, shape (n,)
        Increasing distances from the Sun [kpc].
    n_e_cm3 : float array, shape (n,)
        Electron densities at the nodes [cm^-3].
    norm : float array, shape ()
        Factor on the density.
    direction_deg : tuple of two floats or None
        (l, b) of the sight line [deg], None where it does not matter.

    References
    ----------
    Cordes & Lazio 2002, astro-ph/0207156, for the bundled sight lines.
    """

    references: ClassVar[tuple[str, ...]] = ("Cordes & Lazio 2002, astro-ph/0207156",)
    s_kpc: Float[Array, " n"] = parameter()
    n_e_cm3: Float[Array, " n"] = parameter()
    norm: Float[Array, ""] = parameter(default=1.0)
    direction_deg: tuple[float, float] | None = eqx.field(static=True, default=None)

    def __call__(
        self,
        longitude_deg: Float[Array, ""],
        latitude_deg: Float[Array, ""],
        s_kpc: Float[Array, ""],
    ) -> Float[Array, ""]:
        """n_e [cm^-3] at distance s [kpc]; the direction is that of the table."""
        del longitude_deg, latitude_deg
        return self.norm * linear_interpolate(s_kpc, self.s_kpc, self.n_e_cm3)

    def check(self, sightline: SightLine) -> None:
        """Make sure that the table can serve a sight line; call it outside compiled code.

        Parameters
        ----------
        sightline : SightLine
            Sight line with concrete numbers.

        Returns
        -------
        None

        Raises
        ------
        ValidityError
            If the nodes are not increasing, the source lies beyond the last node, or the
            direction is not that of the table.

        References
        ----------
        None; bookkeeping.
        """
        nodes = np.asarray(self.s_kpc)
        if nodes.ndim != 1 or nodes.size < 2 or np.any(np.diff(nodes) <= 0.0):
            raise ValidityError(
                "TabulatedDensity.s_kpc: expected at least two strictly increasing distances [kpc]."
            )
        distance = float(sightline.distance_kpc)
        if distance > nodes[-1] * (1.0 + 1e-12):
            raise ValidityError(
                f"distance_kpc = {distance:g}: the tabulated electron density ends at "
                f"{nodes[-1]:g} kpc and is not extrapolated. Use the model 'ymw16', or a table "
                "that reaches the source."
            )
        if self.direction_deg is None:
            return
        l0, b0 = self.direction_deg
        dl = (float(sightline.longitude_deg) - l0 + 180.0) % 360.0 - 180.0
        db = float(sightline.latitude_deg) - b0
        if np.hypot(dl * np.cos(np.deg2rad(b0)), db) > DIRECTION_TOLERANCE_DEG:
            raise ValidityError(
                f"(l, b) = ({float(sightline.longitude_deg):g}, "
                f"{float(sightline.latitude_deg):g}) deg: the electron density was tabulated "
                f"toward ({l0:g}, {b0:g}) deg. Use the model 'ymw16' for other directions."
            )


def ne2001_sightline(target: str) -> TabulatedDensity:
    """NE2001 toward one of the targets for which it is bundled.

    Parameters
    ----------
    target : str
        ``quintuplet`` or ``wd1``.

    Returns
    -------
    TabulatedDensity
        Nodes [kpc] and densities [cm^-3], thinned to a few per mille.

    Raises
    ------
    ConfigurationError
        For any other target.

    References
    ----------
    Cordes & Lazio 2002, astro-ph/0207156.
    """
    if target not in NE2001_TARGETS:
        raise ConfigurationError(
            f"electron density 'ne2001' with target {target!r}: NE2001 is bundled as tabulated "
            f"sight lines for {' and '.join(NE2001_TARGETS)} only. Use 'ymw16' for this target."
        )
    table = load_table(f"ne2001_{target}")
    direction = (float(table.meta["longitude_deg"]), float(table.meta["latitude_deg"]))
    return TabulatedDensity(
        jnp.asarray(table["s_kpc"]), jnp.asarray(table["n_e_cm3"]), direction_deg=direction
    )


def electron_density(name: str, target: str) -> ElectronDensity:
    """Electron-density model by name.

    Parameters
    ----------
    name : str
        ``ymw16`` (any direction) or ``ne2001`` (targets quintuplet and wd1).
    target : str
        Name of the target; matters for ``ne2001`` only.

    Returns
    -------
    ElectronDensity
        The model.

    Raises
    ------
    ConfigurationError
        If the model is unknown, or does not exist for the target.

    References
    ----------
    Yao, Manchester & Wang 2017, ApJ 835, 29; Cordes & Lazio 2002, astro-ph/0207156.
    """
    if name == "ymw16":
        return YMW16()
    if name == "ne2001":
        return ne2001_sightline(target)
    raise unknown_name("electron density", name, ("ymw16", "ne2001"))
