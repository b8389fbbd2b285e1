"""Photoelectric absorption of X rays in neutral interstellar gas.

Scattering (Thomson, dust) is not included: at 10 keV it removes about as much from a narrow beam
as photoelectric absorption, but scatters it to small angles or into the field.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..constants import KPC_CM
from ..data.registry import load_table
from ..errors import ValidityError, unknown_name
from ..numerics import linear_interpolate, safe_divide, safe_log

ABUNDANCES = ("ism", "solar")


@functools.cache
def _log_table(abundances: str) -> tuple[np.ndarray, np.ndarray]:
    if abundances not in ABUNDANCES:
        raise unknown_name("abundances", abundances, ABUNDANCES)
    table = load_table("photoelectric_ism")
    return np.log(table["energy_keV"]), np.log(table[f"sigma_{abundances}_cm2"])


def photoelectric_cross_section_cm2(
    energy_keV: Float[Array, "..."], abundances: str = "ism"
) -> Float[Array, "..."]:
    """Photoelectric cross section per hydrogen atom of neutral gas, 5 to 80 keV.

    sigma(E) = sum over elements of A_Z sigma_Z(E), from a table with nodes on both sides of the
    iron and nickel edges, linear in log-log. The interstellar abundances (the default) give
    0.68 to 0.75 times the cross section for the solar ones of the 1980s, on which columns fitted
    with older absorption models rest: use a column with the abundances it was fitted with.

    Parameters
    ----------
    energy_keV : float array, shape (...)
        Photon energies [keV]. Inside compiled code, energies outside the table are clamped.
    abundances : str
        ``ism`` (Wilms, Allen & McCray 2000) or ``solar`` (Anders & Ebihara 1982).

    Returns
    -------
    float array, shape (...)
        Cross section [cm^2].

    Raises
    ------
    ValidityError
        If a concrete energy lies outside 5-80 keV.
    ConfigurationError
        If the abundances are unknown.

    References
    ----------
    Elam, Ravel & Sieber 2002, Radiat. Phys. Chem. 63, 121; Wilms, Allen & McCray 2000,
    ApJ 542, 914; Morrison & McCammon 1983, ApJ 270, 119.
    """
    log_energy, log_sigma = _log_table(abundances)
    if not isinstance(energy_keV, jax.core.Tracer):
        lo, hi = np.exp(log_energy[0]), np.exp(log_energy[-1])
        found = np.atleast_1d(np.asarray(energy_keV, float))
        bad = found[~((found >= lo * (1 - 1e-12)) & (found <= hi * (1 + 1e-12)))]
        if bad.size:
            raise ValidityError(
                f"energy_keV = {bad[0]:g}: the photoelectric table covers {lo:g}-{hi:g} keV and is "
                "not extrapolated. Restrict the energies."
            )
    x = safe_log(jnp.asarray(energy_keV, float))
    return jnp.exp(linear_interpolate(x, jnp.asarray(log_energy), jnp.asarray(log_sigma)))


def absorption_rate_per_kpc(
    n_h_cm3: Float[Array, "..."], energy_keV: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Absorption rate of the photon intensity, Gamma = n_H sigma(E).

    Parameters
    ----------
    n_h_cm3 : float array, shape (...)
        Hydrogen nuclei [cm^-3]; broadcast against the energies.
    energy_keV : float array, shape (...)
        Photon energies [keV].

    Returns
    -------
    float array, shape (...)
        Gamma [kpc^-1]; the amplitude decays at half this rate.

    Raises
    ------
    ValidityError
        If a concrete energy lies outside 5-80 keV.

    References
    ----------
    Wilms, Allen & McCray 2000, ApJ 542, 914, eq. 1.
    """
    return n_h_cm3 * photoelectric_cross_section_cm2(energy_keV) * KPC_CM


def uniform_hydrogen_cm3(
    column_cm2: Float[Array, ""], s_kpc: Float[Array, " n"]
) -> Float[Array, " n"]:
    """Hydrogen density of a column spread evenly over the sight line, n_H = N_H/d.

    Parameters
    ----------
    column_cm2 : float array, shape ()
        Hydrogen column to the source [cm^-2]; 0 for no absorption.
    s_kpc : float array, shape (n,)
        Nodes of the sight line, the last at the source [kpc].

    Returns
    -------
    float array, shape (n,)
        n_H at the nodes [cm^-3].

    References
    ----------
    Definition of the column density.
    """
    return jnp.full_like(s_kpc, 1.0) * safe_divide(column_cm2, s_kpc[-1] * KPC_CM)


def transmission(
    column_cm2: Float[Array, "..."], energy_keV: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Fraction exp(-N_H sigma(E)) of a beam that passes a whole column.

    A lower bound for photons made along the way, which cross a part of it only.

    Parameters
    ----------
    column_cm2 : float array, shape (...)
        Hydrogen column [cm^-2]; broadcast against the energies.
    energy_keV : float array, shape (...)
        Photon energies [keV].

    Returns
    -------
    float array, shape (...)
        Transmitted fraction.

    Raises
    ------
    ValidityError
        If a concrete energy lies outside 5-80 keV.

    References
    ----------
    Wilms, Allen & McCray 2000, ApJ 542, 914, eq. 1.
    """
    return jnp.exp(-column_cm2 * photoelectric_cross_section_cm2(energy_keV))
