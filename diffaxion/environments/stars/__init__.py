"""Stars: composition, structure, populations, and the clusters that hold them."""

from .clusters import Cluster, cluster, luminosity_sigma_ln, target_names, target_row
from .composition import (
    Composition,
    make_composition,
    parse_composition,
)
from .eddington import (
    CentralPolytrope,
    EddingtonStar,
    gas_pressure_ratio,
    lane_emden,
)
from .population import (
    StellarPopulation,
    bundled_population,
    classify_stars,
    population_from_history,
)
from .profile import (
    StellarModel,
    StellarProfile,
    profile_from_mesa,
    shell_volumes,
)
from .star_field import StarField, central_stars, star_field

__all__ = [
    "CentralPolytrope",
    "Cluster",
    "Composition",
    "EddingtonStar",
    "StarField",
    "StellarModel",
    "StellarPopulation",
    "StellarProfile",
    "bundled_population",
    "central_stars",
    "classify_stars",
    "cluster",
    "gas_pressure_ratio",
    "lane_emden",
    "luminosity_sigma_ln",
    "make_composition",
    "parse_composition",
    "population_from_history",
    "profile_from_mesa",
    "shell_volumes",
    "star_field",
    "target_names",
    "target_row",
]
