"""Products of an analysis: limit files, figures, the report and citations."""

from .bibliography import Reference
from .citations import collect_references, find_reference, format_citations
from .limit_files import (
    LimitCurve,
    limits_csv,
    read_limits,
    write_limits,
    write_two_column,
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

__all__ = [
    "Image",
    "LimitCurve",
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
    "format_citations",
    "limits_csv",
    "load_overlay",
    "overlay_names",
    "plot_conversion",
    "plot_corner",
    "plot_limits",
    "plot_nuisances",
    "plot_spectra",
    "published_spectrum_panels",
    "published_star_cluster_limits",
    "read_limits",
    "save_figure",
    "screening_curves",
    "write_limits",
    "write_report",
    "write_two_column",
]
