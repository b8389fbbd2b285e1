"""The axion: mass and coupling, the two numbers that every probe shares."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..constants import G_REF_GEV
from ..errors import ValidityError


class Axion(eqx.Module):
    """Axion-like particle with a two-photon coupling L = -(g/4) a F F-dual.

    The coupling is carried as u = (g/1e-12 GeV^-1)^2, signed, because signals are linear in u
    (CMB) or in a = u|u| (X-ray), and because no square root of u may enter a traced model: its
    gradient diverges at g = 0.

    Attributes
    ----------
    m_a_eV : float array, shape ()
        Mass [eV].
    u : float array, shape ()
        (g/1e-12 GeV^-1)^2, dimensionless and signed.
    """

    m_a_eV: Float[Array, ""]
    u: Float[Array, ""]

    def __init__(self, m_a_eV: ArrayLike, u: ArrayLike) -> None:
        self.m_a_eV = jnp.asarray(m_a_eV, float)
        self.u = jnp.asarray(u, float)

    @classmethod
    def from_g(cls, m_a_eV: float, g_GeV: float) -> Axion:
        """Axion of mass m_a [eV] and coupling g >= 0 [GeV^-1].

        Raises
        ------
        ValidityError
            If the mass or the coupling is negative or not finite.
        """
        for name, value, unit in (("m_a_eV", m_a_eV, "eV"), ("g_GeV", g_GeV, "GeV^-1")):
            if not (0.0 <= float(value) < float("inf")):
                raise ValidityError(
                    f"{name} = {value!r} {unit}: expected a finite number >= 0; signed signals "
                    "are expressed in u = (g/1e-12 GeV^-1)^2."
                )
        return cls(m_a_eV, (g_GeV / G_REF_GEV) ** 2)

    @property
    def g_GeV(self) -> Float[Array, ""]:
        """|g| [GeV^-1]; for display, not for use inside a differentiated model."""
        return jnp.sqrt(jnp.abs(self.u)) * G_REF_GEV

    @property
    def a(self) -> Float[Array, ""]:
        """u|u| = (g/1e-12 GeV^-1)^4, signed: the strength of an X-ray signal."""
        return self.u * jnp.abs(self.u)
