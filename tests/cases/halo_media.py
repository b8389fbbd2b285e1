"""Cases of gas, pressure and magnetic fields of halos (diffaxion.environments.halos)."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from diffaxion.data import HaloProfiles
from diffaxion.environments import halos as ha

from . import Case

_Z = jnp.array([0.31, 1.2])
_MASS = jnp.array([[2.1e12, 1.3e14], [1.7e12, 0.9e14]])
_DENSITY = jnp.array([[1.9e11], [4.4e11]])
_GRID = ha.HaloGrid(
    z=_Z,
    mass_Msun=jnp.array([2.4e12, 1.5e14]),
    hubble_Mpc=jnp.array([[2.7e-4], [4.5e-4]]),
    chi_Mpc=jnp.array([[1.2e3], [3.8e3]]),
    critical_density=_DENSITY,
    baryon_fraction=jnp.array(0.157),
    m200c_Msun=_MASS,
    r200c_Mpc=(3.0 * _MASS / (800.0 * jnp.pi * _DENSITY)) ** (1.0 / 3.0),
    rvir_Mpc=1.2 * (3.0 * _MASS / (800.0 * jnp.pi * _DENSITY)) ** (1.0 / 3.0),
    c200c=jnp.array([[6.1, 4.2], [4.0, 3.1]]),
)
_X = jnp.array([[0.23, 0.61], [0.42, 0.97]])
_FAR = jnp.array([[0.0, 1e-30], [5.0, 1e30]])
_LEVEL = jnp.array(-9.3)
# n_e of masses far below and above any crossing, and of m = 0.
_LEVELS = [jnp.array(v) for v in (np.log(1e-11), np.log(1e3), -np.inf)]

_RADII = np.geomspace(0.02, 3.0, 12)
_TABLE = HaloProfiles(
    np.array([0.0, 2.0]),
    np.array([11.7, 14.6]),
    _RADII,
    -10.0
    - 1.5 * np.log(_RADII)
    + 1.2 * np.exp(-2.0 * np.log(_RADII / 0.6) ** 2)
    + np.array([[[0.0], [0.3]], [[0.7], [0.8]]]),
)
_GAS = {
    "agn_gas": ha.agn_gas(),
    "nfw_gas": eqx.tree_at(lambda g: g.ln_amplitude, ha.NFWGas(), jnp.array(0.1)),
    "tabulated_gas": eqx.tree_at(
        lambda g: g.ln_amplitude, ha.tabulated_gas(_TABLE), jnp.array(0.1)
    ),
}
_COVERS = {
    "agn_gas": ("GeneralizedNFWGas", "agn_gas", "shock_heated_gas", "MassRedshiftScaling"),
    "nfw_gas": ("NFWGas",),
    "tabulated_gas": ("TabulatedGas", "tabulated_gas"),
}
_NUISANCES = lambda f: (f.ln_amplitude, f.ln_amplitude_massive, f.profile_z)  # noqa: E731
_TNG = {
    scheme: eqx.tree_at(
        _NUISANCES,
        ha.tng_field(scheme, clumping=scheme == "smooth"),
        (jnp.array(0.1), jnp.array(-0.2), jnp.full((4, 8, 11), 0.3)),
    )
    for scheme in ("piecewise", "smooth")
}
_FIELDS = {
    "tng_field": (_TNG["smooth"], ("TNGField", "tng_field")),
    "tng_field_piecewise": (_TNG["piecewise"], ()),
    "constant_beta_field": (
        ha.ConstantBetaField(jnp.array(90.0), mass_cap_Msun=jnp.array(1e14)),
        ("ConstantBetaField",),
    ),
    "constant_field": (ha.ConstantField(jnp.array(0.8)), ("ConstantField",)),
    "tabulated_field": (ha.tabulated_field(_TABLE), ("TabulatedField", "tabulated_field")),
}


def _names(names):
    return tuple(f"environments.halos.{name}" for name in names)


CASES = [
    *[
        Case(
            f"halo_{name}",
            lambda gas, grid, x, level: (
                gas.log_density(grid, x),
                gas.crossings(grid, level)[:2],
            ),
            (gas, _GRID, _X, _LEVEL),
            tuple((gas, _GRID, _FAR, level) for level in _LEVELS),
            _names((*_COVERS[name], *(("Crossings",) if name == "agn_gas" else ()))),
        )
        for name, gas in _GAS.items()
    ],
    Case(
        "halo_thermal_pressure",
        ha.thermal_pressure,
        (ha.BattagliaPressure(), _GRID, _X),
        ((ha.BattagliaPressure(), _GRID, jnp.array([[1e-30, 0.05], [2.0, 1e30]])),),
        _names(("BattagliaPressure", "thermal_pressure")),
    ),
    *[
        Case(
            f"halo_{name}",
            lambda field, grid, x: field(grid, x),
            (field, _GRID, _X),
            ((field, _GRID, _FAR),),
            _names(covers),
        )
        for name, (field, covers) in _FIELDS.items()
    ],
]
