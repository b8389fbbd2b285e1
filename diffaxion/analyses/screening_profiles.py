"""Profiles of gas and magnetic field of single halos, for figures."""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..data.registry import load_table
from ..environments.cosmology import planck_cosmology
from ..environments.halos import (
    ConstantBetaField,
    GasProfile,
    HaloField,
    HaloGrid,
    agn_gas,
    duffy08_concentration,
    gas_profile,
    halo_grid,
    overdensity_radius,
    shock_heated_gas,
    tng_field,
)


@dataclass(frozen=True)
class SimulatedProfile:
    """Mean field of the halos of one bin of mass.

    Attributes
    ----------
    log10_mass : tuple of two floats
        Edges of log10 M200c [Msun].
    n_halos : int
        Number of halos.
    x : array, shape (11,)
        Centres of the shells, r/R200c.
    b_muG, error_muG : array, shape (11,)
        Mean field and its standard error [muG].
    """

    log10_mass: tuple[float, float]
    n_halos: int
    x: np.ndarray
    b_muG: np.ndarray
    error_muG: np.ndarray


def simulated_profiles(z: float) -> list[SimulatedProfile]:
    """Mean profiles of IllustrisTNG halos at one of the bundled redshifts.

    Parameters
    ----------
    z : float
        0, 0.5, 1 or 1.5.

    Returns
    -------
    list of SimulatedProfile
        Eight bins of mass, 10^11 to 10^15 Msun [muG].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S13; Nelson et al. 2019, arXiv:1812.05609.
    """
    table = load_table("halo_field_tng_profiles")
    low = np.unique(table["log10M200c_lo"])
    profiles = []
    for edge in low:
        rows = (table["z"] == z) & (table["log10M200c_lo"] == edge)
        profiles.append(
            SimulatedProfile(
                (float(edge), float(table["log10M200c_hi"][rows][0])),
                int(table["n_halos"][rows][0]),
                table["x_cen"][rows],
                1e6 * table["B_mean_G"][rows],
                1e6 * table["B_sem_G"][rows],
            )
        )
    return profiles


@eqx.filter_jit
def _grid_of(m200c_Msun: Float[Array, " m"], z: Float[Array, " n"]) -> HaloGrid:
    """Halos of given M200c: the virial mass plays no part in gas and field."""
    cosmology = planck_cosmology()
    grid = halo_grid(cosmology, z, m200c_Msun)
    mass = m200c_Msun + jnp.zeros_like(grid.m200c_Msun)
    return eqx.tree_at(
        lambda g: (g.m200c_Msun, g.r200c_Mpc, g.c200c),
        grid,
        (
            mass,
            overdensity_radius(mass, 200.0, grid.critical_density),
            duffy08_concentration(mass, z[:, None], cosmology.h, "200c"),
        ),
    )


@eqx.filter_jit
def _fields(fields: dict[str, HaloField], grid: HaloGrid, x: Array) -> dict[str, Array]:
    return {name: field(grid, x) for name, field in fields.items()}


@eqx.filter_jit
def _densities(gases: dict[str, GasProfile], grid: HaloGrid, x: Array) -> dict[str, Array]:
    return {name: jnp.exp(gas.log_density(grid, x)[0]) for name, gas in gases.items()}


def field_curves(m200c_Msun: ArrayLike, z: float, x: ArrayLike) -> dict[str, np.ndarray]:
    """Field models of the reproduction against radius.

    Parameters
    ----------
    m200c_Msun : array, shape (m,)
        Masses [Msun].
    z : float
        Redshift.
    x : array, shape (r,)
        Radii r/R200c.

    Returns
    -------
    dict of str to array, shape (r, m)
        ``piecewise``, ``smooth``, ``beta = 10``, ``beta = 100`` [muG].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S13.
    """
    fields: dict[str, HaloField] = {
        "piecewise": tng_field("piecewise"),
        "smooth": tng_field("smooth"),
        "beta = 10": ConstantBetaField(jnp.asarray(10.0)),
        "beta = 100": ConstantBetaField(jnp.asarray(100.0)),
    }
    grid = _grid_of(jnp.asarray(m200c_Msun, float), jnp.asarray([z]))
    radii = jnp.asarray(x, float)[:, None, None] * jnp.ones_like(grid.m200c_Msun)
    return {k: np.asarray(v)[:, 0] for k, v in _fields(fields, grid, radii).items()}


def gas_curves(m200c_Msun: float, z: float, x: ArrayLike) -> dict[str, np.ndarray]:
    """Electron densities of one halo by gas model.

    Parameters
    ----------
    m200c_Msun : float
        Mass [Msun].
    z : float
        Redshift.
    x : array, shape (r,)
        Radii r/R200c.

    Returns
    -------
    dict of str to array, shape (r,)
        ``AGN feedback``, ``shock heating`` and ``NFW`` [cm^-3].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S12; Battaglia 2016, arXiv:1607.02442.
    """
    gases: dict[str, GasProfile] = {
        "AGN feedback": agn_gas(),
        "shock heating": shock_heated_gas(),
        "NFW": gas_profile("nfw"),
    }
    grid = _grid_of(jnp.asarray([m200c_Msun]), jnp.asarray([z]))
    radii = jnp.asarray(x, float)[:, None, None]
    found = _densities(gases, grid, radii)
    return {name: np.asarray(found[name])[:, 0, 0] for name in gases}
