"""X-ray observables: photon spectra, instrument response, counts per bin."""

from .cluster_spectrum import ClusterSpectrum, PublishedShape
from .response import (
    FoldGrid,
    Instrument,
    bin_nodes_keV,
    default_instrument,
    fold_grid,
    fold_weights,
    validate_bins,
)
from .spectrum import photon_spectrum

__all__ = [
    "ClusterSpectrum",
    "FoldGrid",
    "Instrument",
    "PublishedShape",
    "bin_nodes_keV",
    "default_instrument",
    "fold_grid",
    "fold_weights",
    "photon_spectrum",
    "validate_bins",
]
