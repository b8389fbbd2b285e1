"""The grid of halos in redshift and mass, with what depends on both: radii and concentrations."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...errors import unknown_name
from ..cosmology import (
    Cosmology,
    LinearPower,
    comoving_distance,
    critical_density,
    growth_factor,
    hubble,
    linear_power,
    mass_sigma,
    matter_fraction,
)
from .concentration import (
    RELATIONS,
    Relation,
    bhattacharya13_concentration,
    duffy08_concentration,
)
from .mass_function import DELTA_COLLAPSE
from .radii import convert_mass, overdensity_radius, virial_overdensity

# Nodes of the Chebyshev series of ln sigma in ln M: 2e-6 over seven decades of mass.
_SIGMA_NODES = 12


class HaloGrid(eqx.Module):
    """Halos of virial mass M at redshift z, on a grid [z, M].

    Attributes
    ----------
    z : float array, shape (n,)
        Redshifts.
    mass_Msun : float array, shape (m,)
        Virial masses, Bryan-Norman [Msun].
    hubble_Mpc : float array, shape (n, 1)
        H(z)/c [1/Mpc].
    chi_Mpc : float array, shape (n, 1)
        Comoving distance [Mpc].
    critical_density : float array, shape (n, 1)
        rho_c(z) [Msun Mpc^-3, physical].
    baryon_fraction : float array, shape ()
        omega_b/omega_m.
    m200c_Msun : float array, shape (n, m)
        Mass inside R200c [Msun].
    r200c_Mpc, rvir_Mpc : float array, shape (n, m)
        Radii of 200 and of Delta_vir times the critical density [Mpc, physical].
    c200c : float array, shape (n, m)
        Concentration R200c/r_s of the mean relation at M200c.
    constants : str
        Set of constants of the cosmology; static.

    References
    ----------
    Bryan & Norman 1998, ApJ 495, 80; Duffy et al. 2008, MNRAS 390, L64.
    """

    z: Float[Array, " n"]
    mass_Msun: Float[Array, " m"]
    hubble_Mpc: Float[Array, "n 1"]
    chi_Mpc: Float[Array, "n 1"]
    critical_density: Float[Array, "n 1"]
    baryon_fraction: Float[Array, ""]
    m200c_Msun: Float[Array, "n m"]
    r200c_Mpc: Float[Array, "n m"]
    rvir_Mpc: Float[Array, "n m"]
    c200c: Float[Array, "n m"]
    constants: str = eqx.field(static=True, default="exact")


def halo_grid(
    cosmology: Cosmology,
    z: Float[Array, " n"],
    mass_Msun: Float[Array, " m"],
    concentration: Relation = "duffy08",
    power: LinearPower | None = None,
) -> HaloGrid:
    """Radii, M200c and concentrations of halos of virial mass M at redshift z.

    c_vir of the relation fixes an NFW profile, on which m(c')/c'^3 = (200/Delta_vir) m(c)/c^3 gives
    M200c = M m(c')/m(c). The concentration kept is that of the relation at M200c, not c'.

    Parameters
    ----------
    cosmology : Cosmology
        Background and constants.
    z : float array, shape (n,)
        Redshifts, > 0.
    mass_Msun : float array, shape (m,)
        Virial masses, increasing [Msun].
    concentration : str
        ``duffy08`` or ``bhattacharya13``; the second uses nu = 1.686/sigma at each mass.
    power : LinearPower, optional
        Linear power of sigma, for ``bhattacharya13`` alone; the accurate one by default.

    Returns
    -------
    HaloGrid
        Arrays of shape (n, 1), (m,) and (n, m) [Msun, Mpc].

    Raises
    ------
    ConfigurationError
        If the relation is unknown.

    References
    ----------
    Bryan & Norman 1998, ApJ 495, 80; Duffy et al. 2008, MNRAS 390, L64 (arXiv:0804.2486);
    Bhattacharya et al. 2013, ApJ 766, 32 (arXiv:1112.5479); Goldstein et al. 2024,
    arXiv:2409.10514 (the use of the relation at M200c).
    """
    if concentration not in RELATIONS:
        raise unknown_name("concentration", concentration, RELATIONS)
    z, mass = jnp.asarray(z, float), jnp.asarray(mass_Msun, float)
    column = z[:, None]
    rho = critical_density(cosmology, column)
    virial = virial_overdensity(matter_fraction(cosmology, column))
    if concentration == "duffy08":
        c_vir = duffy08_concentration(mass, column, cosmology.h, "vir")
        m200c, _ = convert_mass(mass, c_vir, virial, 200.0)
        c200c = duffy08_concentration(m200c, column, cosmology.h, "200c")
    else:
        growth = growth_factor(cosmology, column) / growth_factor(cosmology, jnp.zeros(()))
        power = linear_power("camb") if power is None else power
        heights = _PeakHeights(cosmology, power, z, mass)
        c_vir = bhattacharya13_concentration(heights(mass[None, :]), growth, "vir")
        m200c, _ = convert_mass(mass, c_vir, virial, 200.0)
        c200c = bhattacharya13_concentration(heights(m200c), growth, "200c")
    return HaloGrid(
        z,
        mass,
        hubble(cosmology, column),
        comoving_distance(cosmology, column),
        rho,
        cosmology.baryon_fraction,
        m200c,
        overdensity_radius(m200c, 200.0, rho),
        overdensity_radius(mass, virial, rho),
        c200c,
        constants=cosmology.constants,
    )


class _PeakHeights:
    """nu(M, z) by a Chebyshev series of ln sigma in ln M between a third of the least M and the
    greatest: M200c is never below 0.6 Mvir."""

    def __init__(self, cosmology: Cosmology, power: LinearPower, z: Array, mass: Array) -> None:
        ends = jax.lax.stop_gradient((jnp.log(mass[0] / 3.0), jnp.log(mass[-1])))
        self.centre, self.half = 0.5 * (ends[0] + ends[1]), 0.5 * (ends[1] - ends[0])
        n = _SIGMA_NODES
        angle = np.pi * (np.arange(n) + 0.5) / n
        nodes = jnp.exp(self.centre + self.half * np.cos(angle[::-1]))
        ln_sigma = jnp.log(mass_sigma(cosmology, power, nodes, z))[:, ::-1]
        order = np.arange(n)[:, None]
        self.coefficients = ln_sigma @ (2.0 / n * np.cos(order * angle) / (1 + (order == 0))).T

    def __call__(self, mass: Array) -> Array:
        """nu at masses that broadcast with [z, M]."""
        t = (jnp.log(mass) - self.centre) / self.half
        late, later = jnp.zeros_like(t), jnp.zeros_like(t)
        for k in range(_SIGMA_NODES - 1, 0, -1):
            late, later = 2.0 * t * late - later + self.coefficients[:, k, None], late
        return DELTA_COLLAPSE * jnp.exp(-(t * late - later + self.coefficients[:, 0, None]))
