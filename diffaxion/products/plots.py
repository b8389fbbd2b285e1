"""All figures of the products, in one place to import from."""

from .limit_plots import plot_limits
from .plot_style import figure_bytes, save_figure
from .posterior_plots import plot_corner, plot_nuisances
from .spectrum_plots import (
    SpectrumPanel,
    plot_conversion,
    plot_spectra,
    published_spectrum_panels,
)

__all__ = [
    "SpectrumPanel",
    "figure_bytes",
    "plot_conversion",
    "plot_corner",
    "plot_limits",
    "plot_nuisances",
    "plot_spectra",
    "published_spectrum_panels",
    "save_figure",
]
