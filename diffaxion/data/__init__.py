"""Readers to plain validated arrays, and the bundled tables; no physics."""

from .flux_points import FluxPoints, read_flux_points
from .halo_profiles import HaloProfiles, read_halo_profiles
from .mesa import (
    MesaHistory,
    MesaProfile,
    read_history,
    read_profile,
)
from .mesa_format import (
    read_profiles_index,
)
from .registry import BundledTable, load_table, table_names

__all__ = [
    "BundledTable",
    "FluxPoints",
    "HaloProfiles",
    "MesaHistory",
    "MesaProfile",
    "load_table",
    "read_flux_points",
    "read_halo_profiles",
    "read_history",
    "read_profile",
    "read_profiles_index",
    "table_names",
]
