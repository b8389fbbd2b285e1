"""Readers to plain validated arrays, and the bundled tables; no physics."""

from .flux_points import FluxPoints, read_flux_points
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
    "MesaHistory",
    "MesaProfile",
    "load_table",
    "read_flux_points",
    "read_history",
    "read_profile",
    "read_profiles_index",
    "table_names",
]
