"""The Galactic medium: magnetic fields, electron density, sight lines."""

from .base import ElectronDensity, MagneticField, UniformDensity, UniformField
from .catalogue import (
    fiducial_inner_b_z_muG,
    field_names,
    inner_options,
    magnetic_field,
    with_smooth_edges,
)
from .field_table import FieldTable, tabulate_field
from .frame import SightLine, cylindrical, from_cylindrical
from .galaxy import Galaxy
from .inner import InnerRegion, NoField, PoloidalField, SumField, VerticalField
from .jf12 import JF12, jf12_lower_limits, jf12_prior_widths
from .ptkn11 import PTKN11
from .sampled import TabulatedDensity, electron_density, ne2001_sightline
from .sightline import (
    LinePath,
    adaptive_fractions,
    density_table,
    node_positions,
    sample_path,
    uniform_fractions,
)
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
    "FieldTable",
    "Galaxy",
    "InnerRegion",
    "JF12Solenoidal",
    "LinePath",
    "MagneticField",
    "NoField",
    "PoloidalField",
    "RandomField",
    "SightLine",
    "StriatedField",
    "SumField",
    "TabulatedDensity",
    "TurbulentField",
    "UniformDensity",
    "UniformField",
    "VerticalField",
    "adaptive_fractions",
    "cylindrical",
    "density_table",
    "electron_density",
    "fiducial_inner_b_z_muG",
    "field_names",
    "from_cylindrical",
    "inner_options",
    "jf12_lower_limits",
    "jf12_prior_widths",
    "jf12_turbulence",
    "jf12b_turbulence",
    "magnetic_field",
    "ne2001_sightline",
    "node_positions",
    "sample_path",
    "tabulate_field",
    "uniform_fractions",
    "with_smooth_edges",
    "ymw16_components",
]
