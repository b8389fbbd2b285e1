"""Recipes: the world and the forward model of photon-to-axion screening in halos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..conversion.axion import Axion
from ..conversion.halo_window import ConversionCuts
from ..data.linear_power import read_linear_power
from ..environments.cosmology import LinearPower, TabulatedPower, linear_power, planck_cosmology
from ..environments.halos import (
    ConstantBetaField,
    HaloField,
    Halos,
    MassFunction,
    gas_profile,
    halo_field,
    hod,
    redshift_distribution,
)
from ..errors import ConfigurationError, ValidityError
from ..observables.cmb.integration import halo_integration
from ..observables.cmb.screening import Cache, Kind, ScreeningSpectrum
from ..observables.world import World
from .screening_config import ScreeningSection

# Heavier halos hold enough satellites for the profile of these to matter.
LIGHTEST_RESOLVED_MSUN = 1e11


def screening_world(section: ScreeningSection, m_a_eV: float = 3e-13, u: float = 1.0) -> World:
    """World of a screening analysis at its fiducial point.

    Parameters
    ----------
    section : ScreeningSection
        Choices.
    m_a_eV : float
        Mass of the boson [eV].
    u : float
        (g/1e-12 GeV^-1)^2, or the strength of a dark photon.

    Returns
    -------
    World
        With ``axion``, ``cosmology`` and ``halos``.

    Raises
    ------
    ConfigurationError
        On unknown names; the nearest known ones are listed.
    DataError
        If a file of the user is unusable.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    field: HaloField | None = None
    if section.boson == "axion":
        field = halo_field(section.field)
        if section.field_mass_cap_Msun is not None:
            if not isinstance(field, ConstantBetaField):
                raise ConfigurationError(
                    f"field_mass_cap_Msun = {section.field_mass_cap_Msun:g}: only a field "
                    f"beta:VALUE has a cap of the mass, found {section.field!r}"
                )
            field = replace(field, mass_cap_Msun=jnp.asarray(section.field_mass_cap_Msun))
    halos = Halos(
        _power(section.power),
        MassFunction(section.mass_function, section.overdensity, section.normalisation),
        gas_profile(section.gas),
        field,
        hod(section.hod),
        redshift_distribution(section.galaxies),
        section.concentration,
    )
    cosmology = planck_cosmology(section.constants, section.growth)
    return World(Axion(m_a_eV, u), cosmology=cosmology, halos=halos)


def _power(name: str) -> LinearPower:
    """Linear power by name, or from a file: a name with a folder or an ending is one."""
    path = Path(name)
    if path.is_file() or path.suffix or len(path.parts) > 1:
        table = read_linear_power(path)
        return TabulatedPower(table.z, table.k_Mpc, table.power_Mpc3)
    return linear_power(name)


def screening_spectrum(section: ScreeningSection, ell: ArrayLike) -> ScreeningSpectrum:
    """Forward model of a screening analysis.

    Parameters
    ----------
    section : ScreeningSection
        Choices.
    ell : array, shape (l,)
        Multipoles >= 2.

    Returns
    -------
    ScreeningSpectrum
        Model with responses of shape (l,) [uK per unit u].

    Raises
    ------
    ValidityError
        If a multipole is below 2 or not finite, where Limber's approximation has no meaning.
    ConfigurationError
        If the grid is empty or too coarse.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    multipoles = np.atleast_1d(np.asarray(ell, float))
    bad = multipoles[~(np.isfinite(multipoles) & (multipoles >= 2.0))]
    if bad.size or multipoles.ndim != 1:
        raise ValidityError(
            f"multipole {bad[0] if bad.size else multipoles.shape}: expected a list of finite "
            "l >= 2"
        )
    if not section.x_lo < section.x_hi:
        raise ConfigurationError(
            f"x_lo = {section.x_lo}, x_hi = {section.x_hi}: expected x_lo < x_hi, in units of R200c"
        )
    cuts = ConversionCuts(
        section.x_lo, section.x_hi, section.floor_Msun, section.taper_width, section.edges
    )
    # Satellites count as points below the first mass that screens: never beyond 1e11 Msun.
    reach = np.exp(-0.5 * section.taper_width) if section.edges == "taper" else 1.0
    grid = halo_integration(
        section.rule,
        section.n_z,
        section.n_mass,
        section.z_range,
        section.mass_range_Msun,
        min(section.floor_Msun * reach, LIGHTEST_RESOLVED_MSUN),
    )
    return ScreeningSpectrum(
        jnp.asarray(multipoles),
        grid,
        cuts,
        jnp.asarray(section.nu_GHz),
        jnp.asarray(section.kernel_bias),
        section.boson,
    )


@eqx.filter_jit
def screening_terms(
    model: ScreeningSpectrum, world: World, cache: Cache | None, kind: Kind = "Tg"
) -> tuple[Float[Array, " l"], Float[Array, " l"]]:
    """One- and two-halo terms per unit strength, compiled.

    Parameters
    ----------
    model : ScreeningSpectrum
        Forward model.
    world : World
        Root tree.
    cache : dict or None
        Items of ``model.prepare``.
    kind : str
        ``Tg`` [uK], ``TT`` [uK^2] or ``gg``; static.

    Returns
    -------
    one, two : float array, shape (l,)
        Terms of C_l.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    return model.halo_terms(world, cache, kind)


@eqx.filter_jit
def screening_curve(
    model: ScreeningSpectrum,
    world: World,
    cache: Cache | None,
    m_a_eV: Float[Array, " k"],
    kind: Kind = "Tg",
) -> Float[Array, "k l"]:
    """Spectra per unit strength at many masses, one after the other in one program.

    Parameters
    ----------
    model : ScreeningSpectrum
        Forward model.
    world : World
        Root tree; its mass is replaced.
    cache : dict or None
        Items of ``model.prepare``.
    m_a_eV : float array, shape (k,)
        Masses [eV].
    kind : str
        ``Tg`` [uK] or ``TT`` [uK^2]; static.

    Returns
    -------
    float array, shape (k, l)
        C_l; zero where no halo resonates. Memory does not grow with k beyond the result.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """

    def one(mass: Float[Array, ""]) -> Float[Array, " l"]:
        moved = eqx.tree_at(lambda w: w.axion.m_a_eV, world, mass)
        terms = model.halo_terms(moved, cache, kind)
        return terms[0] + terms[1]

    return jax.lax.map(one, m_a_eV)
