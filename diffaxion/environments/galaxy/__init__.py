"""The Galactic medium: magnetic fields, electron density, sight lines."""

from .base import ElectronDensity, MagneticField, UniformDensity, UniformField
from .catalogue import (
    fiducial_inner_b_z_muG,
    field_names,
    inner_options,
    magnetic_field,
    with_smooth_edges,
)
from .inner import InnerRegion, NoField, PoloidalField, SumField, VerticalField
from .jf12 import JF12, jf12_lower_limits, jf12_prior_widths
from .ptkn11 import PTKN11
from .sampled import TabulatedDensity, electron_density, ne2001_sightline
from .solenoidal import JF12Solenoidal
from .turbulent import (
    RandomField,
    StriatedField,
    TurbulentField,
    jf12_turbulence,
    jf12b_turbulence,
)
from .uf23 import UF23
from .ymw16 import YMW16, ymw16_components

__all__ = [
    "JF12",
    "PTKN11",
    "UF23",
    "YMW16",
    "ElectronDensity",
    "InnerRegion",
    "JF12Solenoidal",
    "MagneticField",
    "NoField",
    "PoloidalField",
    "RandomField",
    "StriatedField",
    "SumField",
    "TabulatedDensity",
    "TurbulentField",
    "UniformDensity",
    "UniformField",
    "VerticalField",
    "electron_density",
    "fiducial_inner_b_z_muG",
    "field_names",
    "inner_options",
    "jf12_lower_limits",
    "jf12_prior_widths",
    "jf12_turbulence",
    "jf12b_turbulence",
    "magnetic_field",
    "ne2001_sightline",
    "with_smooth_edges",
    "ymw16_components",
]
