"""Grids in redshift and halo mass, with the weights of their quadrature rules.

``gauss`` is the accurate choice: Gauss-Legendre nodes in z, the trapezoid in ln M. ``simpson``
repeats the grids of the public code of arXiv:2409.10514: equal steps in z, equal steps in ln M, and
composite Simpson rules in z and in M (not ln M), both with an even number of points.

Screening needs a magnetic field, which ends at a mass floor, while the number density of galaxies
needs all masses. The first ``n_low`` masses lie below the floor and enter the latter only.
"""

from __future__ import annotations

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...errors import ConfigurationError
from ...numerics import gauss_legendre, simpson_weights, trapezoid_weights

Rule = Literal["gauss", "simpson"]


class HaloIntegration(eqx.Module):
    """Nodes and weights over redshift and virial mass.

    Attributes
    ----------
    z, z_weight : float array, shape (z,)
        Redshifts and weights of dz.
    mass_Msun, mass_weight_Msun : float array, shape (m,)
        Virial masses [Msun] and weights of dM [Msun].
    n_low : int, static
        Number of masses below the floor of the magnetic field.
    """

    z: Float[Array, " z"]
    z_weight: Float[Array, " z"]
    mass_Msun: Float[Array, " m"]
    mass_weight_Msun: Float[Array, " m"]
    n_low: int = eqx.field(static=True)


def halo_integration(
    rule: Rule = "gauss",
    n_z: int = 48,
    n_mass: int = 134,
    z_range: tuple[float, float] = (0.005, 1.9),
    mass_range_Msun: tuple[float, float] = (1e9, 5e15),
    floor_Msun: float = 1e11,
) -> HaloIntegration:
    """Integration grid of a named rule.

    Parameters
    ----------
    rule : str
        ``gauss`` or ``simpson``.
    n_z, n_mass : int
        Numbers of nodes.
    z_range : tuple of float
        Ends in redshift.
    mass_range_Msun : tuple of float
        Ends in virial mass [Msun].
    floor_Msun : float
        M200c below which there is no conversion [Msun]; M200c < Mvir, so that nodes with
        Mvir below it (5 % lower, for the taper of the floor) never screen.

    Returns
    -------
    HaloIntegration
        Nodes and weights, shape (n_z,) and (n_mass,) [Msun].

    Raises
    ------
    ConfigurationError
        If the rule is unknown, a range is empty, or there are fewer than four nodes.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, and its public code (50 redshifts, 100 masses).
    """
    if rule not in ("gauss", "simpson"):
        raise ConfigurationError(f"integration rule {rule!r}: expected 'gauss' or 'simpson'")
    if not (0.0 < z_range[0] < z_range[1]) or not (0.0 < mass_range_Msun[0] < mass_range_Msun[1]):
        raise ConfigurationError(
            f"integration ranges z {z_range}, mass {mass_range_Msun} Msun: expected increasing "
            "positive ends"
        )
    if min(n_z, n_mass) < 4:
        raise ConfigurationError(f"integration grid {n_z} x {n_mass}: expected at least 4 x 4")
    mass = np.geomspace(*mass_range_Msun, n_mass)
    if rule == "gauss":
        z, z_weight = (np.asarray(x) for x in gauss_legendre(n_z, *z_range))
        mass_weight = np.asarray(trapezoid_weights(jnp.log(jnp.asarray(mass)))) * mass
    else:
        z = np.linspace(*z_range, n_z)
        z_weight, mass_weight = simpson_weights(z), simpson_weights(mass)
    n_low = int(np.sum(mass < 0.95 * floor_Msun))
    return HaloIntegration(
        jnp.asarray(z), jnp.asarray(z_weight), jnp.asarray(mass), jnp.asarray(mass_weight), n_low
    )
