"""Checks of a screening model: what tables cover, which masses resonate, which crossings count."""

from __future__ import annotations

import warnings
from types import NoneType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ..conversion.halo_window import conversion_window
from ..conversion.landau_zener import resonance_log_density
from ..environments.cosmology import TabulatedPower, comoving_distance
from ..environments.halos import ConstantField, TabulatedField, TabulatedGas, halo_grid
from ..environments.halos.gas import MIN_SLOPE
from ..environments.halos.magnetic import X_MIN
from ..errors import DiffaxionWarning, ValidityError
from ..observables.cmb.screening import ScreeningSpectrum
from ..observables.world import World
from .screening_config import ScreeningSection

# Beyond these wave numbers P(k) matters little and may go on as a power law [1/Mpc].
_K_RANGE_MPC = (1e-3, 10.0)
_RADII = 65


def check_tables(section: ScreeningSection, world: World, ell: np.ndarray) -> None:
    """Make sure that fields and tables cover the redshifts, radii and scales of a calculation.

    Parameters
    ----------
    section : ScreeningSection
        Choices of the model.
    world : World
        World made from them.
    ell : array, shape (l,)
        Multipoles.

    Returns
    -------
    None
        Silence is consent.

    Raises
    ------
    ValidityError
        If a redshift, radius or wave number [1/Mpc] lies outside a table, or the inner cut inside
        the radii at which fields are defined.

    References
    ----------
    None: a check of input.
    """
    assert world.halos is not None
    assert world.cosmology is not None
    low, high = section.z_range
    for option, name, model in (
        ("--gas", section.gas, world.halos.gas),
        ("--field", section.field, world.halos.field),
    ):
        if not isinstance(model, (TabulatedGas, TabulatedField)):
            continue
        z = np.asarray(model.table.z)
        # A table with one redshift, or none, stands for all of them.
        for value in (low, high) if z.size > 1 else ():
            if not z[0] <= value <= z[-1]:
                raise ValidityError(
                    f"{option} {name}: z = {value:g} is outside the table, which runs from "
                    f"{z[0]:g} to {z[-1]:g}: extend it, or leave out the column z to use one "
                    "profile at all redshifts"
                )
        x = np.exp(np.asarray(model.table.ln_x)[[0, -1]])
        # Gas beyond its table resonates nowhere; a field would have to be extrapolated.
        edges = (section.x_lo, section.x_hi)
        for value in edges if isinstance(model, TabulatedField) else ():
            if not x[0] * (1.0 - 1e-9) <= value <= x[1] * (1.0 + 1e-9):
                raise ValidityError(
                    f"{option} {name}: x = {value:g} is outside the table, which runs from "
                    f"{x[0]:g} to {x[1]:g} in units of R200c; conversion is counted from "
                    f"{edges[0]:g} to {edges[1]:g}: extend it"
                )
    field = world.halos.field
    if not isinstance(field, (ConstantField, NoneType)) and section.x_lo < X_MIN:
        raise ValidityError(
            f"x_lo = {section.x_lo:g}: the field {section.field!r} is known down to {X_MIN:g} "
            "R200c only and is not extrapolated: raise x_lo"
        )
    power = world.halos.power
    if isinstance(power, TabulatedPower):
        chi = np.asarray(comoving_distance(world.cosmology, jnp.asarray([low, high])))
        wanted = np.array([(np.min(ell) + 0.5) / chi[1], (np.max(ell) + 0.5) / chi[0]])
        k = np.clip(np.concatenate([wanted, _K_RANGE_MPC]), *_K_RANGE_MPC)
        power.check(jnp.asarray(k), jnp.asarray(section.z_range))


def resonant_masses(model: ScreeningSpectrum, world: World) -> tuple[float, float]:
    """Range of masses that resonate somewhere in the region of conversion.

    Parameters
    ----------
    model : ScreeningSpectrum
        Forward model with its grids and cuts.
    world : World
        Root tree.

    Returns
    -------
    low, high : float
        Masses [eV] of the plasma frequencies at the thinnest and densest place of any halo,
        including the tapers of the cuts.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; m^2 = 4 pi alpha n_e/m_e.
    """
    assert world.halos is not None
    assert world.cosmology is not None
    ln_n, heavy = _densities(model, world)
    found = np.asarray(ln_n)[:, np.asarray(heavy)]
    at_1_eV = float(resonance_log_density(1.0, world.cosmology.constants))
    low, high = np.exp(0.5 * (np.array([found.min(), found.max()]) - at_1_eV))
    return float(low), float(high)


@eqx.filter_jit
def _densities(model: ScreeningSpectrum, world: Any) -> tuple[Array, Array]:
    """ln n_e [cm^-3] between the cuts, shape (radii, z, m), and which halos lie above the floor."""
    halos, cuts, nodes = world.halos, model.cuts, model.integration
    grid = halo_grid(world.cosmology, nodes.z, nodes.mass_Msun, halos.concentration, halos.power)
    # A taper ends half its width beyond the nominal edge.
    slack = jnp.exp(0.5 * cuts.width) if cuts.edges == "taper" else jnp.ones(())
    inner = cuts.x_lo / slack
    outer = jnp.minimum(cuts.x_hi, grid.rvir_Mpc / grid.r200c_Mpc) * slack
    steps = jnp.linspace(0.0, 1.0, _RADII)[:, None, None]
    ln_n, _ = halos.gas.log_density(grid, inner * (outer / inner) ** steps)
    return ln_n, grid.m200c_Msun >= cuts.floor_Msun / slack


def warn_tangential(model: ScreeningSpectrum, world: World, m_a_eV: ArrayLike) -> None:
    """Warn where crossings are left out because n_e is too flat for the conversion formula.

    Only the gas of a table can be that flat. Call it outside ``jit``.

    Parameters
    ----------
    model : ScreeningSpectrum
        Forward model with its grids and cuts.
    world : World
        Root tree; its mass is not used.
    m_a_eV : float array, shape (k,)
        Masses [eV].

    Returns
    -------
    None
        One :class:`~diffaxion.errors.DiffaxionWarning` for all masses, or nothing.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (the linear crossing).
    """
    assert world.halos is not None
    if not isinstance(world.halos.gas, TabulatedGas):
        return
    masses = np.atleast_1d(np.asarray(m_a_eV, float))
    count = np.asarray(_tangential(model, world, jnp.asarray(masses)))
    if np.any(count):
        k = int(np.argmax(count))
        warnings.warn(
            f"gas: at {np.count_nonzero(count)} of {masses.size} masses crossings are left out "
            f"because |d ln n_e/d ln r| < {MIN_SLOPE:g} there, most at m_a = {masses[k]:.4g} eV "
            f"({count[k]} on the grid of halos): the signal of those halos is missing",
            DiffaxionWarning,
            stacklevel=2,
        )


@eqx.filter_jit
def _tangential(model: ScreeningSpectrum, world: Any, m_a_eV: Array) -> Array:
    """Number of tangential crossings inside the region of conversion, shape (k,)."""
    halos, nodes = world.halos, model.integration
    grid = halo_grid(world.cosmology, nodes.z, nodes.mass_Msun, halos.concentration, halos.power)
    virial = grid.rvir_Mpc / grid.r200c_Mpc

    def one(mass: Array) -> Array:
        found = halos.gas.crossings(grid, resonance_log_density(mass, grid.constants))
        window = conversion_window(found.x, virial, grid.m200c_Msun, model.cuts)
        return jnp.sum(found.tangential & (window > 0.0))

    return jax.lax.map(one, m_a_eV)
