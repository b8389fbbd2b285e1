"""Readers to plain validated arrays, and the bundled tables; no physics."""

from .bandpowers import Bandpowers, read_bandpowers, write_bandpowers
from .cluster_files import BUNDLED_CLUSTERS, ClusterDescription, cluster_text, load_cluster
from .flux_points import FluxPoints, read_flux_points
from .halo_profiles import HaloProfiles, read_halo_profiles
from .linear_power import LinearPowerTable, read_linear_power, validate_linear_power
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
from .star_list import StarList, read_star_list

__all__ = [
    "BUNDLED_CLUSTERS",
    "Bandpowers",
    "BundledTable",
    "ClusterDescription",
    "FluxPoints",
    "HaloProfiles",
    "LinearPowerTable",
    "MesaHistory",
    "MesaProfile",
    "StarList",
    "cluster_text",
    "load_cluster",
    "load_table",
    "read_bandpowers",
    "read_flux_points",
    "read_halo_profiles",
    "read_history",
    "read_linear_power",
    "read_profile",
    "read_profiles_index",
    "read_star_list",
    "table_names",
    "validate_linear_power",
    "write_bandpowers",
]
