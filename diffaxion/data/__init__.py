"""Readers to plain validated arrays, and the bundled tables; no physics."""

from .alignment import source_offset
from .bandpowers import Bandpowers, read_bandpowers, write_bandpowers
from .channel_maps import ChannelMaps, change_nside, read_channel_maps
from .cluster_files import BUNDLED_CLUSTERS, ClusterDescription, cluster_text, load_cluster
from .discovery import bundled_observation
from .events import EventList, read_events
from .flux_points import FluxPoints, read_flux_points
from .halo_profiles import HaloProfiles, read_halo_profiles
from .healpix_maps import (
    HealpixMap,
    healpix_nside,
    read_healpix_map,
    read_mask,
    write_healpix_map,
)
from .image_stack import ImageStack
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
from .mesa_grid import StellarTrack, read_track, read_tracks
from .nustar_files import (
    nustar_grid,
    write_arf,
    write_events,
    write_pha,
    write_rmf,
    write_sky_image,
)
from .observation import read_image_stack
from .ogip import AncillaryResponse, Redistribution, check_response, read_arf, read_rmf
from .pha import Spectrum, check_spectrum, read_pha
from .psf_files import PsfFile, read_psf
from .registry import BundledTable, load_table, table_names
from .sky_grid import SkyGrid, grid_from_header, tangent_offsets_arcsec
from .sky_images import SkyImage, read_sky_image
from .stack_files import write_image_stack
from .star_list import StarList, read_star_list
from .write_observation import write_observation

__all__ = [
    "BUNDLED_CLUSTERS",
    "AncillaryResponse",
    "Bandpowers",
    "BundledTable",
    "ChannelMaps",
    "ClusterDescription",
    "EventList",
    "FluxPoints",
    "HaloProfiles",
    "HealpixMap",
    "ImageStack",
    "LinearPowerTable",
    "MesaHistory",
    "MesaProfile",
    "PsfFile",
    "Redistribution",
    "SkyGrid",
    "SkyImage",
    "Spectrum",
    "StarList",
    "StellarTrack",
    "bundled_observation",
    "change_nside",
    "check_response",
    "check_spectrum",
    "cluster_text",
    "grid_from_header",
    "healpix_nside",
    "load_cluster",
    "load_table",
    "nustar_grid",
    "read_arf",
    "read_bandpowers",
    "read_channel_maps",
    "read_events",
    "read_flux_points",
    "read_halo_profiles",
    "read_healpix_map",
    "read_history",
    "read_image_stack",
    "read_linear_power",
    "read_mask",
    "read_pha",
    "read_profile",
    "read_profiles_index",
    "read_psf",
    "read_rmf",
    "read_sky_image",
    "read_star_list",
    "read_track",
    "read_tracks",
    "source_offset",
    "table_names",
    "tangent_offsets_arcsec",
    "validate_linear_power",
    "write_arf",
    "write_bandpowers",
    "write_events",
    "write_healpix_map",
    "write_image_stack",
    "write_observation",
    "write_pha",
    "write_rmf",
    "write_sky_image",
]
