"""Small screening probes and surrogates that several tests share."""

import functools

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from diffaxion.analyses.recast_probe import recast_probe
from diffaxion.analyses.screening import screening_world
from diffaxion.analyses.screening_config import screening_section
from diffaxion.analyses.surrogate_probe import SurrogateProbe
from diffaxion.environments.halos import halo_grid
from diffaxion.parameters import Bindings, Normal

# A few halos with wide edges: smooth in the mass, but it resolves nothing.
SMALL = {
    "n_z": 5,
    "n_mass": 12,
    "z_range": (0.1, 1.2),
    "mass_range_Msun": (3e10, 2e15),
    "taper_width": 0.6,
}
MASS_EV = 5e-13
SLOPE = "halos.gas.beta.amplitude"


@functools.lru_cache(maxsize=1)
def small():
    """Section, world at 5e-13 eV, and the recast around the published conventions."""
    section = screening_section(**SMALL)
    world = screening_world(section, MASS_EV)
    return section, world, recast_probe(section, world, "paper", ell_nodes=6)


@functools.lru_cache(maxsize=1)
def written_surrogate():
    """A surrogate with coefficients by hand: smooth in the mass, no fit, nothing compiled."""
    _, world, probe = small()
    halos = world.halos
    reference = eqx.filter_jit(halo_grid)(
        world.cosmology, jnp.array([0.5]), jnp.array([1.2e14]), halos.concentration, halos.power
    )
    ln_mass = jnp.linspace(np.log(1.6e-13), np.log(4e-12), 8)
    shape = jnp.linspace(1.0, 0.5, 11)
    value = jnp.stack([jnp.outer(jnp.sin(ln_mass + k), shape) for k in range(3)], axis=1)
    return SurrogateProbe(
        probe,
        (Normal(3.83, 0.19),),
        ln_mass,
        jnp.stack([value, -value], axis=-1),
        jnp.broadcast_to(jnp.array([-20.0, 20.0]), (8, 11, 2)),
        1e-9 * shape,
        jnp.log(jnp.array(3e-13)),
        reference,
        halos.gas,
        jnp.zeros(()),
        (SLOPE,),
        (SLOPE,),
        ((), (0,), (0, 0)),
    )


def small_bindings(world):
    """Priors of every kind of path: exact ones, with derivatives, and one that is prepared anew."""
    return Bindings(
        {
            "halos.gas.rho_0.amplitude": {"dist": "lognormal", "median": 4000.0, "sigma_ln": 0.3},
            SLOPE: {"dist": "normal", "mean": 3.83, "sigma": 0.19},
            "halos.hod.alpha_s": {"dist": "normal", "mean": 1.3039425, "sigma": 0.065},
            "halos.field.ln_amplitude": {"dist": "normal", "mean": 0.0, "sigma": 0.3},
            "cosmology.a_s": {"dist": "lognormal", "median": 2.100583e-9, "sigma_ln": 0.014},
        }
    )
