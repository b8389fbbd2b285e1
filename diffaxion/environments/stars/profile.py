"""A star as a list of homogeneous zones, and the rules that give a zone its volume."""

from __future__ import annotations

import abc
import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...constants import KELVIN_TO_KEV, M_SUN_G
from ...data.mesa import MesaProfile
from ...errors import ConfigurationError
from .composition import Composition, check_fractions

SHELL_RULES = ("exact", "thin")


def _leaf(x) -> Array:
    return jnp.asarray(x, float)


class StellarModel(eqx.Module):
    """Anything that can be cut into zones: a tabulated profile or an analytic structure.

    Attributes
    ----------
    references : tuple of str
        Papers of what the model contains (of the class, not a leaf).
    """

    references: eqx.AbstractClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def profile(self) -> StellarProfile:
        """The star as zones."""


class StellarProfile(StellarModel):
    """Zones of a star; integrals over the star are sums over zones weighted by volume.

    The zones may be cells of a stellar-evolution model or nodes of a quadrature rule.

    Attributes
    ----------
    temperature_keV : float array, shape (n,)
        Temperature [keV].
    density_g_cm3 : float array, shape (n,)
        Mass density [g cm^-3].
    zeta : float array, shape (n,)
        Composition weight sum_j X_j (Z_j + Z_j^2)/A_j, dimensionless.
    y_e : float array, shape (n,)
        Electrons per baryon, dimensionless; used for validity flags and the photon mass only.
    volume_cm3 : float array, shape (n,)
        Volume [cm^3].
    """

    references: ClassVar[tuple[str, ...]] = ()
    temperature_keV: Float[Array, " n"] = eqx.field(converter=_leaf)
    density_g_cm3: Float[Array, " n"] = eqx.field(converter=_leaf)
    zeta: Float[Array, " n"] = eqx.field(converter=_leaf)
    y_e: Float[Array, " n"] = eqx.field(converter=_leaf)
    volume_cm3: Float[Array, " n"] = eqx.field(converter=_leaf)

    def profile(self) -> StellarProfile:
        """The profile itself."""
        return self

    @property
    def mass_Msun(self) -> Float[Array, ""]:
        """sum rho V [IAU solar masses]."""
        return jnp.sum(self.density_g_cm3 * self.volume_cm3) / M_SUN_G


def shell_volumes(
    radius_cm: np.ndarray,
    rule: str = "exact",
    dr_cm: np.ndarray | None = None,
    dm_g: np.ndarray | None = None,
    density_g_cm3: np.ndarray | None = None,
) -> np.ndarray:
    """Volumes of the cells of a radial profile, ordered from the surface to the centre.

    ``exact`` takes the first that the columns allow of V = dm/rho and
    V = (4 pi/3)(R_k^3 - R_{k+1}^3) with R the outer faces and 0 below the last cell. ``thin`` is
    V = 4 pi R_k^2 dr_k with R the outer face, which over-estimates the mass by 1.1-1.3 % on
    massive stars and exists only for comparison with work that used it.

    Parameters
    ----------
    radius_cm : array, shape (n,)
        Outer faces of the cells, decreasing [cm].
    rule : str, optional
        ``exact`` or ``thin``.
    dr_cm : array, shape (n,), optional
        Thickness of the cells [cm]; for ``thin``, by default the differences of the faces.
    dm_g : array, shape (n,), optional
        Masses of the cells [g].
    density_g_cm3 : array, shape (n,), optional
        Densities [g cm^-3], needed with ``dm_g``.

    Returns
    -------
    array, shape (n,)
        Volumes [cm^3].

    Raises
    ------
    ConfigurationError
        If the rule is neither ``exact`` nor ``thin``.

    References
    ----------
    Paxton et al. 2011, ApJS 192, 3 (cells of MESA).
    """
    if rule not in SHELL_RULES:
        raise ConfigurationError(f"shells = {rule!r}: expected one of {', '.join(SHELL_RULES)}")
    inner = np.append(radius_cm[1:], 0.0)
    if rule == "thin":
        thickness = radius_cm - inner if dr_cm is None else dr_cm
        return 4.0 * math.pi * radius_cm**2 * thickness
    if dm_g is not None and density_g_cm3 is not None:
        return dm_g / density_g_cm3
    return 4.0 * math.pi / 3.0 * (radius_cm**3 - inner**3)


def profile_from_mesa(
    mesa: MesaProfile,
    shells: str = "exact",
    remainder_zeta: float | None = None,
    zeta_metals: float | None = None,
) -> StellarProfile:
    """Zones of a stellar-evolution profile.

    Parameters
    ----------
    mesa : MesaProfile
        Validated profile from :func:`diffaxion.data.mesa.read_profile`.
    shells : str, optional
        Volume rule, see :func:`shell_volumes`.
    remainder_zeta : float, optional
        Weight zeta of the mass that the listed isotopes leave out; default 0, with a warning
        where they sum to less than 0.98.
    zeta_metals : float, optional
        Weight zeta of all metals; required for, and only for, files that list hydrogen, helium
        and "metals" instead of isotopes.

    Returns
    -------
    StellarProfile
        One zone per cell, surface to centre.

    Raises
    ------
    ConfigurationError
        If the file has no isotopes and ``zeta_metals`` is not given, or the rule is unknown.
    DataError
        If mass fractions sum to more than 1.01.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 (public release: ``thin``).
    """
    names = tuple(mesa.mass_fractions)
    fractions = np.stack([mesa.mass_fractions[n] for n in names], axis=-1)
    if mesa.lumped_metals:
        if zeta_metals is None:
            raise ConfigurationError(
                f"{mesa.source}: has only x/y/z_mass_fraction columns, no isotopes. Add "
                "`add_abundances` to profile_columns.list and rerun MESA, or give zeta_metals, "
                "the weight sum_j X_j (Z_j + Z_j^2)/A_j per unit mass of metals (4 for nitrogen)."
            )
        rest: float = zeta_metals
    else:
        totals = fractions.sum(axis=-1)
        worst = int(np.argmin(totals))
        check_fractions(
            float(totals[worst]),
            float(fractions.min()),
            f"{mesa.source}: zone {worst + 1}",
            remainder_zeta is not None,
        )
        rest = 0.0 if remainder_zeta is None else remainder_zeta
    composition = Composition(jnp.asarray(fractions), jnp.asarray(rest, float), names)
    return StellarProfile(
        temperature_keV=_leaf(mesa.temperature_K * KELVIN_TO_KEV),
        density_g_cm3=_leaf(mesa.density_g_cm3),
        zeta=composition.zeta,
        y_e=composition.y_e,
        volume_cm3=_leaf(
            shell_volumes(mesa.radius_cm, shells, mesa.dr_cm, mesa.dm_g, mesa.density_g_cm3)
        ),
    )
