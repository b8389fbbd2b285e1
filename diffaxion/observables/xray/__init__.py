"""X-ray observables: photon spectra, instrument response, counts per bin."""

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
    "FoldGrid",
    "Instrument",
    "bin_nodes_keV",
    "default_instrument",
    "fold_grid",
    "fold_weights",
    "photon_spectrum",
    "validate_bins",
]
