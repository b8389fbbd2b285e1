"""The look of the figures, and how they are written.

Figures are made with matplotlib's object interface (no pyplot, no global state), so that they
work without a display and in threads. matplotlib is imported when the first figure is drawn.
Colours differ in lightness and curves also in marker or dash, so that every figure can be read
in grey.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ..provenance import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Plot = TypeVar("Plot", bound=Callable[..., Any])

STYLE: Any = {
    "font.family": "serif",
    "font.serif": ["STIXGeneral", "DejaVu Serif"],
    "mathtext.fontset": "stix",
    "font.size": 10.0,
    "axes.labelsize": 11.0,
    "axes.linewidth": 0.8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "axes.formatter.useoffset": False,
}

# Dark to light, each with a marker, in the order in which curves are drawn.
SERIES: tuple[tuple[str, str | None], ...] = (
    ("#8b0000", None),
    ("#2166ac", "o"),
    ("#e08214", "^"),
    ("#1b7837", "s"),
    ("#762a83", "D"),
    ("#4d4d4d", "v"),
)
BAND_1 = "#7fbf7b"
BAND_2 = "#fdee9b"
OTHERS = "0.45"
MASKED = "0.65"
MASS_LABEL = r"axion mass $m_a$ [eV]"
COUPLING_LABEL = r"coupling $|g_{a\gamma\gamma}|$ [GeV$^{-1}$]"


def styled(plot: Plot) -> Plot:
    """Run a plotting function with the style of this package and no other change."""

    @functools.wraps(plot)
    def inside(*args: Any, **kwargs: Any) -> Any:
        from matplotlib import rc_context

        with rc_context(STYLE):
            return plot(*args, **kwargs)

    return inside  # type: ignore[return-value]


def new_figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """An empty figure of the given size [inch], by default laid out so that nothing is cut off."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def halo(width: float = 2.2) -> list[Any]:
    """White outline that keeps text readable on top of lines."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="white")]


def figure_bytes(figure: Figure, form: str = "png") -> bytes:
    """A figure as the bytes of a file.

    Parameters
    ----------
    figure : matplotlib Figure
        The figure.
    form : str
        ``png``, ``pdf`` or ``svg``.

    Returns
    -------
    bytes
        Content of the file; the same figure gives the same bytes.

    References
    ----------
    matplotlib documentation, ``Figure.savefig``.
    """
    from matplotlib import rc_context

    buffer = io.BytesIO()
    # Dates and version strings in the file would make equal figures differ.
    metadata: dict[str, Any] = {"png": {"Software": None}, "pdf": {"CreationDate": None}}.get(
        form, {"Date": None}
    )
    style: Any = {**STYLE, "svg.hashsalt": "diffaxion"}
    with rc_context(style):
        figure.savefig(buffer, format=form, metadata=metadata)
    return buffer.getvalue()


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure, completely or not at all; the ending of the name decides the format.

    Parameters
    ----------
    figure : matplotlib Figure
        The figure.
    path : str or Path
        Destination, ``.png``, ``.pdf`` or ``.svg``.

    Returns
    -------
    Path
        The destination.

    References
    ----------
    matplotlib documentation, ``Figure.savefig``.
    """
    path = Path(path)
    return atomic_write(path, figure_bytes(figure, path.suffix.lstrip(".") or "png"))
