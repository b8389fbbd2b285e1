"""Dark-matter halos: abundance, radii, profiles and the galaxies in them."""

from .choices import gas_profile, halo_field
from .concentration import bhattacharya13_concentration, duffy08_concentration
from .constant_fields import ConstantBetaField, ConstantField, TabulatedField, tabulated_field
from .galaxies import (
    RedshiftDistribution,
    read_redshift_distribution,
    redshift_distribution,
    unwise_blue,
)
from .gas import (
    Crossings,
    GasProfile,
    GeneralizedNFWGas,
    NFWGas,
    agn_gas,
    shock_heated_gas,
)
from .grid import HaloGrid, halo_grid
from .magnetic import HaloField, TNGField, tng_field
from .mass_function import (
    MassFunction,
    tinker08_multiplicity,
    tinker10_amplitude,
    tinker10_bias,
    tinker10_multiplicity,
)
from .model import Halos
from .nfw import nfw_density, nfw_mass, nfw_transform
from .occupation import HOD, hod
from .pressure import BattagliaPressure, thermal_pressure
from .radii import convert_mass, overdensity_radius, virial_overdensity
from .scaling import MassRedshiftScaling
from .tabulated_gas import TabulatedGas, tabulated_gas

__all__ = [
    "HOD",
    "BattagliaPressure",
    "ConstantBetaField",
    "ConstantField",
    "Crossings",
    "GasProfile",
    "GeneralizedNFWGas",
    "HaloField",
    "HaloGrid",
    "Halos",
    "MassFunction",
    "MassRedshiftScaling",
    "NFWGas",
    "RedshiftDistribution",
    "TNGField",
    "TabulatedField",
    "TabulatedGas",
    "agn_gas",
    "bhattacharya13_concentration",
    "convert_mass",
    "duffy08_concentration",
    "gas_profile",
    "halo_field",
    "halo_grid",
    "hod",
    "nfw_density",
    "nfw_mass",
    "nfw_transform",
    "overdensity_radius",
    "read_redshift_distribution",
    "redshift_distribution",
    "shock_heated_gas",
    "tabulated_field",
    "tabulated_gas",
    "thermal_pressure",
    "tinker08_multiplicity",
    "tinker10_amplitude",
    "tinker10_bias",
    "tinker10_multiplicity",
    "tng_field",
    "unwise_blue",
    "virial_overdensity",
]
