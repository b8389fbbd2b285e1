"""Stars: composition, structure, populations, and the clusters that hold them."""

from .classification import classify_history, classify_stars, classify_stars_geneva
from .clusters import (
    Cluster,
    cluster,
    luminosity_sigma_ln,
    target_label,
    target_names,
    target_row,
)
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
from .ensemble import StellarEnsemble, check_counts, ensemble_from_tracks, ensemble_of
from .population import (
    StellarPopulation,
    bundled_population,
    population_from_history,
)
from .population_model import PopulationModel, StarSample, population_of, track_shares
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
    "PopulationModel",
    "StarField",
    "StarSample",
    "StellarEnsemble",
    "StellarModel",
    "StellarPopulation",
    "StellarProfile",
    "bundled_population",
    "central_stars",
    "check_counts",
    "classify_history",
    "classify_stars",
    "classify_stars_geneva",
    "cluster",
    "ensemble_from_tracks",
    "ensemble_of",
    "gas_pressure_ratio",
    "lane_emden",
    "luminosity_sigma_ln",
    "make_composition",
    "parse_composition",
    "population_from_history",
    "population_of",
    "profile_from_mesa",
    "shell_volumes",
    "star_field",
    "target_label",
    "target_names",
    "target_row",
    "track_shares",
]
