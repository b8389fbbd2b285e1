"""X-ray observables: photon spectra, instrument response, counts per bin."""

from .cluster_counts import ClusterCounts, background_rows, signal_rows
from .cluster_spectrum import ClusterSpectrum, PublishedShape
from .ogip_response import ogip_instrument, response_records
from .psf import (
    ImagePsf,
    PointSpread,
    RadialPointSpread,
    TabulatedPsf,
    TwoComponentPsf,
    image_psf,
    nustar_psf,
    pixel_fractions,
    pixel_samples,
    radial_psf,
)
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
from .templates import (
    ImageTemplates,
    Pointing,
    TangentPlane,
    star_image,
    tangent_offsets,
)

__all__ = [
    "ClusterCounts",
    "ClusterSpectrum",
    "FoldGrid",
    "ImagePsf",
    "ImageTemplates",
    "Instrument",
    "PointSpread",
    "Pointing",
    "PublishedShape",
    "RadialPointSpread",
    "TabulatedPsf",
    "TangentPlane",
    "TwoComponentPsf",
    "background_rows",
    "bin_nodes_keV",
    "default_instrument",
    "fold_grid",
    "fold_weights",
    "image_psf",
    "nustar_psf",
    "ogip_instrument",
    "photon_spectrum",
    "pixel_fractions",
    "pixel_samples",
    "radial_psf",
    "response_records",
    "signal_rows",
    "star_image",
    "tangent_offsets",
    "validate_bins",
]
