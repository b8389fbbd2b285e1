"""Cases of diffaxion.environments.halos: abundance, radii, profiles and galaxies."""

import jax.numpy as jnp
import numpy as np

from diffaxion import numerics as nu
from diffaxion.environments import halos as ha
from diffaxion.environments.cosmology import linear_power, planck_cosmology

from . import Case

# Growth without radiation compiles faster; the cosmology has its own cases.
_COSMOLOGY = planck_cosmology(growth="hypergeometric")
_POWER = linear_power("eisenstein-hu")
_Z = jnp.array([0.31, 1.3])
_MASS = jnp.array([3e11, 2e13, 6e14])
_EDGE_Z = jnp.array([0.005, 1.9])
_EDGE_MASS = jnp.array([1e9, 1e11, 5e15])
_SIGMA = jnp.array([[2.3, 1.2, 0.5], [1.3, 0.7, 0.3]])
_EDGE_SIGMA = jnp.array([[4.5, 3.1, 0.35], [2.0, 1.4, 0.08]])
_DELTA = jnp.array([230.0, 900.0])
_ELL = jnp.array([30.0, 900.0])
_TABLE_Z = np.linspace(0.0, 2.0, 9)
_TABLE = 0.75 * _TABLE_Z * (2.0 - _TABLE_Z)


def _halos(*names):
    return tuple(f"environments.halos.{name}" for name in names)


def _grid(cosmology, z, mass):
    return ha.halo_grid(cosmology, z, mass)


def _by_peak_height(cosmology, z, mass):
    return ha.halo_grid(cosmology, z, mass, "bhattacharya13", _POWER).c200c


def _abundance(model, cosmology, sigma, mass, z):
    # Densities span many powers of ten: compare logarithms.
    density = model.density(cosmology, sigma, mass, z)
    return jnp.log(density), model.bias(cosmology, sigma, z)


def _galaxies(model, grid, ell):
    return model.occupation(grid.m200c_Msun), model.satellite_profile(grid, ell)


def _plain_grid(z, mass):
    """A grid made by hand, close to the true one, which costs no compilation."""
    z, mass = np.asarray(z), np.asarray(mass)
    column = z[:, None]
    r200c = 0.043 * (mass / 1.4e10) ** (1 / 3) * (1 + column) ** -0.8
    return ha.HaloGrid(
        *map(jnp.asarray, (z, mass, 3e-4 + 0 * column, 4000.0 * column / (1 + 0.4 * column))),
        *map(jnp.asarray, (2e11 + 0 * column, 0.157, 0.9 * mass + 0 * column, r200c)),
        *map(jnp.asarray, (1.2 * r200c, 6.0 * (mass / 1e12) ** -0.1 * (1 + column) ** -0.5)),
    )


def _point_like(name):
    model = ha.hod(name)
    return ha.HOD(model.alpha_s, model.sigma_logM, model.log10_m_min, model.log10_m_1, 1e-9)


CASES = [
    *[
        Case(
            f.__name__,
            f,
            (jnp.array([0.7, 4.9, 23.0]),),
            ((jnp.array([0.0, 5.0, 1e6]),),) if f is not nu.cosine_integral else (),
            (f"numerics.{f.__name__}",),
        )
        for f in (nu.sin_cos, nu.sine_integral, nu.cosine_integral)
    ],
    Case(
        "auxiliary_integrals",
        nu.auxiliary_integrals,
        (jnp.array([0.7, 4.9, 23.0]),),
        ((jnp.array([1e-30, 5.0, 1e6]),),),
        ("numerics.auxiliary_integrals",),
    ),
    Case(
        "virial_overdensity",
        ha.virial_overdensity,
        (jnp.array([0.31, 0.9]),),
        ((jnp.array([0.0, 1.0]),),),
        _halos("virial_overdensity"),
    ),
    Case(
        "overdensity_radius",
        ha.overdensity_radius,
        (_MASS, jnp.array(200.0), jnp.array(1.4e11)),
        (),
        _halos("overdensity_radius"),
    ),
    Case(
        "convert_mass",
        ha.convert_mass,
        (_MASS, jnp.array([11.0, 6.0, 4.0]), jnp.array(110.0), jnp.array(200.0)),
        ((_MASS, jnp.array([0.05, 3.0, 300.0]), jnp.array(200.0), jnp.array(200.0)),),
        _halos("convert_mass"),
    ),
    Case("nfw_mass", ha.nfw_mass, (jnp.array([0.4, 5.0]),), ((jnp.zeros(2),),), _halos("nfw_mass")),
    Case(
        "nfw_density",
        ha.nfw_density,
        (_MASS, jnp.array([0.1, 0.4, 1.4]), jnp.array([9.0, 6.0, 4.0]), jnp.array(0.6)),
        (),
        _halos("nfw_density"),
    ),
    Case(
        "nfw_transform",
        ha.nfw_transform,
        (jnp.array([0.05, 0.9, 7.0]), jnp.array([12.0, 5.0, 3.0])),
        (
            (jnp.array([0.0, 1e-12, 0.3]), jnp.array([0.0, 1e-12, 1e-3])),
            (jnp.array([1e3, 1e-6, 100.0]), jnp.array([0.01, 30.0, 300.0])),
        ),
        _halos("nfw_transform"),
    ),
    Case(
        "duffy08_concentration",
        ha.duffy08_concentration,
        (_MASS, jnp.array(0.5), jnp.array(0.67)),
        ((_EDGE_MASS, jnp.array(0.0), jnp.array(0.67)),),
        _halos("duffy08_concentration"),
    ),
    Case(
        "bhattacharya13_concentration",
        ha.bhattacharya13_concentration,
        (jnp.array([0.6, 1.1, 3.0]), jnp.array(0.8)),
        (),
        _halos("bhattacharya13_concentration"),
    ),
    Case(
        "halo_grid",
        _grid,
        (_COSMOLOGY, _Z, _MASS),
        ((_COSMOLOGY, _EDGE_Z, _EDGE_MASS),),
        _halos("halo_grid", "HaloGrid"),
    ),
    Case(
        "halo_grid_by_peak_height",
        _by_peak_height,
        (_COSMOLOGY, _Z, _MASS),
        ((_COSMOLOGY, _EDGE_Z, _EDGE_MASS),),
        slow=True,
    ),
    Case(
        "tinker08_multiplicity",
        ha.tinker08_multiplicity,
        (jnp.array([0.6, 1.8]), jnp.array([0.2, 1.3]), _DELTA),
        ((jnp.array([0.08, 4.5]), jnp.array([0.0, 3.0]), jnp.array([200.0, 3200.0])),),
        _halos("tinker08_multiplicity"),
    ),
    Case(
        "tinker10_multiplicity",
        ha.tinker10_multiplicity,
        (jnp.array([-0.4, 0.9]), jnp.array([0.2, 1.3]), _DELTA),
        ((jnp.array([-2.0, 3.0]), jnp.array([0.0, 4.0]), jnp.array([200.0, 3200.0])),),
        _halos("tinker10_multiplicity"),
    ),
    Case(
        "tinker10_bias",
        ha.tinker10_bias,
        (jnp.array([-0.4, 0.9]), _DELTA),
        ((jnp.array([-300.0, 3.0]), jnp.array([200.0, 3200.0])),),
        _halos("tinker10_bias"),
    ),
    Case(
        "tinker10_amplitude",
        ha.tinker10_amplitude,
        (jnp.array([0.2, 1.3]), _DELTA),
        ((jnp.array([0.0, 4.0]), jnp.array([200.0, 3200.0])),),
        _halos("tinker10_amplitude"),
    ),
    *[
        Case(
            f"mass_function_{fit}_{overdensity}",
            _abundance,
            (ha.MassFunction(fit, overdensity, ln_amplitude=0.1), _COSMOLOGY, _SIGMA, _MASS, _Z),
            ((ha.MassFunction(fit, overdensity), _COSMOLOGY, _EDGE_SIGMA, _EDGE_MASS, _EDGE_Z),),
            _halos("MassFunction"),
        )
        for fit, overdensity in (("tinker10", "200m"), ("tinker08", "consistent"))
    ],
    Case(
        "hod",
        _galaxies,
        (ha.hod("K22"), _plain_grid(_Z, _MASS), _ELL),
        (
            (_point_like("K22"), _plain_grid(_EDGE_Z, _EDGE_MASS), _ELL),
            (ha.hod("K23"), _plain_grid(_EDGE_Z, _EDGE_MASS), jnp.array([0.0, 4000.0])),
        ),
        _halos("HOD", "hod"),
    ),
    Case(
        "redshift_distribution",
        lambda distribution, z: distribution(z),
        (
            ha.RedshiftDistribution(_TABLE_Z, _TABLE, nu.spline_curvature(_TABLE_Z, _TABLE)),
            jnp.array([0.31, 1.77]),
        ),
        (
            (
                ha.RedshiftDistribution(_TABLE_Z, _TABLE, nu.spline_curvature(_TABLE_Z, _TABLE)),
                jnp.array([-0.1, 2.0]),
            ),
        ),
        _halos("RedshiftDistribution"),
    ),
]
