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
from .solenoidal import JF12Solenoidal
from .uf23 import UF23

__all__ = [
    "JF12",
    "PTKN11",
    "UF23",
    "ElectronDensity",
    "InnerRegion",
    "JF12Solenoidal",
    "MagneticField",
    "NoField",
    "PoloidalField",
    "SumField",
    "UniformDensity",
    "UniformField",
    "VerticalField",
    "fiducial_inner_b_z_muG",
    "field_names",
    "inner_options",
    "jf12_lower_limits",
    "jf12_prior_widths",
    "magnetic_field",
    "with_smooth_edges",
]
