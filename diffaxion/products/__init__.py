"""Products of an analysis: limit files, figures, the report and citations."""

from .bibliography import Reference
from .calibration import merge_sbc, write_calibration
from .calibration_plots import plot_coverage, plot_injection, plot_predictive, plot_ranks
from .citations import collect_references, find_reference, format_citations
from .forecast import (
    forecast_curves,
    forecast_summary,
    plot_forecast,
    plot_gradients,
    plot_impacts,
    write_forecast,
)
from .limit_files import (
    LimitCurve,
    limits_csv,
    read_limits,
    write_limits,
    write_two_column,
)
from .maps_curves import plot_auto_spectra, plot_cross_spectra, plot_needlets, plot_weights
from .maps_products import write_cleaned, write_measurement
from .maps_response_figures import plot_redshifts, plot_responses
from .maps_robustness_products import plot_variations, write_robustness
from .maps_sphere import plot_skies
from .merge import (
    MergedLimits,
    MergedPosterior,
    merge_limits,
    merge_posteriors,
    write_merged_limits,
    write_merged_posterior,
)
from .overlays import (
    PublishedLimit,
    load_overlay,
    overlay_names,
    published_star_cluster_limits,
)
from .plots import (
    SpectrumPanel,
    figure_bytes,
    plot_conversion,
    plot_corner,
    plot_limits,
    plot_nuisances,
    plot_spectra,
    published_spectrum_panels,
    save_figure,
)
from .report import Image, Note, Table, Verbatim, build_report, write_report
from .screening_curves import screening_curves
from .xray_files import flux_points_ecsv, write_simulation
from .xray_images import ImageView, image_view, plot_bin_counts, plot_count_images, plot_flux_points

__all__ = [
    "Image",
    "ImageView",
    "LimitCurve",
    "MergedLimits",
    "MergedPosterior",
    "Note",
    "PublishedLimit",
    "Reference",
    "SpectrumPanel",
    "Table",
    "Verbatim",
    "build_report",
    "collect_references",
    "figure_bytes",
    "find_reference",
    "flux_points_ecsv",
    "forecast_curves",
    "forecast_summary",
    "format_citations",
    "image_view",
    "limits_csv",
    "load_overlay",
    "merge_limits",
    "merge_posteriors",
    "merge_sbc",
    "overlay_names",
    "plot_auto_spectra",
    "plot_bin_counts",
    "plot_conversion",
    "plot_corner",
    "plot_count_images",
    "plot_coverage",
    "plot_cross_spectra",
    "plot_flux_points",
    "plot_forecast",
    "plot_gradients",
    "plot_impacts",
    "plot_injection",
    "plot_limits",
    "plot_needlets",
    "plot_nuisances",
    "plot_predictive",
    "plot_ranks",
    "plot_redshifts",
    "plot_responses",
    "plot_skies",
    "plot_spectra",
    "plot_variations",
    "plot_weights",
    "published_spectrum_panels",
    "published_star_cluster_limits",
    "read_limits",
    "save_figure",
    "screening_curves",
    "write_calibration",
    "write_cleaned",
    "write_forecast",
    "write_limits",
    "write_measurement",
    "write_merged_limits",
    "write_merged_posterior",
    "write_report",
    "write_robustness",
    "write_simulation",
    "write_two_column",
]
