"""Halos for the tests of gas, pressure and fields: the printed cells, and a small grid."""

import jax.numpy as jnp
import numpy as np

from diffaxion.constants import MPC_CM, SCREENING_CONSTANTS
from diffaxion.environments.halos import HaloGrid


def parity_cells():
    """The two cells of the specification, from their printed radii and masses."""
    return HaloGrid(
        z=jnp.array([0.507755]),
        mass_Msun=jnp.array([1.148106e13, 5.644701e14]),
        hubble_Mpc=jnp.array([[2.982198e-4]]),
        chi_Mpc=jnp.array([[1980.0542]]),
        critical_density=jnp.array([[2.219215e11]]),
        baryon_fraction=jnp.array(0.0224 / 0.1425),
        m200c_Msun=jnp.array([[1.022741e13, 4.922771e14]]),
        r200c_Mpc=jnp.array([[0.380320, 1.383451]]),
        rvir_Mpc=jnp.array([[0.445313, 1.631366]]),
        c200c=jnp.array([[4.24349, 3.06477]]),
        constants="public-code",
    )


def halos(z, m200c_Msun):
    """Halos of given M200c, shape (n, m), with round numbers for what fields do not use."""
    z = np.asarray(z, float)
    mass = np.broadcast_to(np.asarray(m200c_Msun, float), (z.size, np.shape(m200c_Msun)[-1]))
    density = (1.28e11 * (0.32 * (1.0 + z) ** 3 + 0.68))[:, None]
    radius = (3.0 * mass / (800.0 * np.pi * density)) ** (1.0 / 3.0)
    return HaloGrid(
        z=jnp.asarray(z),
        mass_Msun=jnp.asarray(1.15 * mass[0]),
        hubble_Mpc=jnp.full((z.size, 1), 3e-4),
        chi_Mpc=jnp.full((z.size, 1), 2e3),
        critical_density=jnp.asarray(density),
        baryon_fraction=jnp.array(0.157),
        m200c_Msun=jnp.asarray(mass),
        r200c_Mpc=jnp.asarray(radius),
        rvir_Mpc=jnp.asarray(1.2 * radius),
        c200c=jnp.asarray(5.7 * (mass / 3e12) ** -0.084 / np.sqrt(1.0 + z)[:, None]),
    )


def resonance_ln_density(m_a_eV, constants="public-code"):
    """ln of n_res [cm^-3] at a mass, from the constants of the specification."""
    per_mpc3 = SCREENING_CONSTANTS[constants].resonance_density_Mpc3_GeV2 * (m_a_eV * 1e-9) ** 2
    return np.log(per_mpc3 / MPC_CM**3)
