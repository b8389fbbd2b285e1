"""Curves of the map pipeline: responses, needlets, weights, spectra and their variations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .plot_style import OTHERS, SERIES, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)), (0, (8, 2, 2, 2)))
MULTIPOLE = r"multipole $\ell$"
UNIT = 1e6  # uK to 1e-6 uK
_MARKERS = "osD^vP*X"


def look(k: int) -> dict[str, Any]:
    """Colour, dash and marker of the k-th series."""
    colour, marker = SERIES[k % len(SERIES)]
    return {"color": colour, "ls": DASHES[k % len(DASHES)], "marker": marker, "ms": 3.4}


@styled
def plot_needlets(
    filters: np.ndarray, channels: Sequence[Sequence[str]], *, title: str = ""
) -> Figure:
    """Needlet filters, and below them the channels that each scale uses.

    Parameters
    ----------
    filters : array, shape (J, lmax + 1)
        h_j(l).
    channels : sequence of sequences of str
        Channels of each scale.
    title : str
        Title.

    Returns
    -------
    matplotlib Figure
        Two panels that share the axis of multipoles.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, equation S2 and Table S1.
    """
    figure = new_figure(6.4, 4.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.3, 1.0))
    ell = np.arange(filters.shape[1])
    names = list(dict.fromkeys(n for row in channels for n in row))
    for j, h in enumerate(filters):
        style = look(j) | {"marker": None}
        inside = h > 0.0
        above.plot(ell[inside], h[inside], **style)
        peak = int(ell[np.argmax(h)])
        place = (np.clip(peak, 0.01 * ell[-1], 0.985 * ell[-1]), 1.02)
        above.annotate(f"{j}", place, ha="center", va="bottom", fontsize=8.5, color=style["color"])
        # Where a filter is above one half of its square.
        wide = ell[h**2 >= 0.5]
        for name in channels[j]:
            row = names.index(name)
            below.plot([wide[0], wide[-1]], [row, row], color=style["color"], lw=5.0,
                       solid_capstyle="butt")  # fmt: skip
    above.set_ylim(0.0, 1.15)
    above.set_ylabel(r"needlet filter $h_j(\ell)$")
    below.set_yticks(range(len(names)), [n.lstrip("0") for n in names])
    below.tick_params(axis="y", which="minor", left=False, right=False)
    below.set_ylim(-0.7, len(names) - 0.3)
    below.set_ylabel("channels used [GHz]")
    below.set_xlabel(MULTIPOLE)
    below.set_xlim(0, ell[-1])
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


@styled
def plot_weights(
    weights: Mapping[str, Sequence[Mapping[str, float]]], names: Sequence[str], *, title: str = ""
) -> Figure:
    """Mean weights of the channels at each needlet scale, one panel per set of deprojections.

    Parameters
    ----------
    weights : mapping of str to sequence of mapping
        By set, for each scale the mean weight of each channel in use [output per K_CMB, times
        1e-6: without unit].
    names : sequence of str
        All channels, in order.
    title : str
        Title.

    Returns
    -------
    matplotlib Figure
        Panels that share their axes.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (constrained needlet ILC).
    """
    from matplotlib import colormaps

    shades = colormaps["inferno"]
    columns = min(2, len(weights))
    rows = -(-len(weights) // columns)
    figure = new_figure(3.6 * columns, 2.5 * rows + 0.8)
    grid = np.atleast_1d(figure.subplots(rows, columns, sharex=True, squeeze=False)).ravel()
    for axes, (label, scales) in zip(grid, weights.items()):
        axes.axhline(0.0, color=OTHERS, lw=0.7)
        for k, name in enumerate(names):
            at = [j for j, s in enumerate(scales) if name in s]
            # From dark to light with frequency.
            colour = shades(0.85 * k / max(1, len(names) - 1))
            style = {"color": colour, "marker": _MARKERS[k % len(_MARKERS)], "ms": 4.2, "lw": 1.1}
            axes.plot(at, [scales[j][name] for j in at], **style, label=f"{name.lstrip('0')} GHz")
        axes.set_title(label, fontsize=9.5)
        axes.set_ylabel("mean weight")
        axes.set_xticks(range(len(scales)))
        axes.tick_params(axis="x", which="minor", bottom=False, top=False)
    for axes in grid[len(weights) :]:
        axes.set_axis_off()
    for axes in grid[max(0, len(weights) - columns) : len(weights)]:
        axes.set_xlabel("needlet scale")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


@styled
def plot_auto_spectra(
    ell: np.ndarray,
    spectra: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Auto-spectra of cleaned maps, for several sets of deprojections.

    Parameters
    ----------
    ell : array, shape (b,)
        Centres of the bins.
    spectra : mapping of str to array, shape (b,)
        C_l^TT without beam [uK^2].
    reference : mapping of str to array, shape (b,), optional
        Spectra to compare with, drawn in grey [uK^2].
    title : str
        Title.

    Returns
    -------
    matplotlib Figure
        l(l+1) C_l/(2 pi) [uK^2].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S3.
    """
    figure = new_figure(6.0, 4.2)
    axes: Any = figure.subplots()
    factor = ell * (ell + 1.0) / (2.0 * np.pi)
    for k, (label, cl) in enumerate(spectra.items()):
        axes.plot(ell, factor * cl, **look(k), label=label)
    for k, (label, cl) in enumerate((reference or {}).items()):
        axes.plot(ell, factor * cl, color=OTHERS, ls=DASHES[(k + 1) % len(DASHES)], label=label)
    axes.set_yscale("log")
    axes.set_xlabel(MULTIPOLE)
    axes.set_ylabel(r"$\ell(\ell+1)\,C_\ell^{TT}/2\pi$ [$\mu$K$^2$]")
    axes.legend(ncols=2)
    if title:
        axes.set_title(title, fontsize=10)
    return figure


def draw_bandpowers(
    axes: Axes,
    lo: np.ndarray,
    hi: np.ndarray,
    series: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    scaled: bool = True,
) -> None:
    """Bandpowers with errors side by side inside of their bins.

    Parameters
    ----------
    axes : matplotlib Axes
        Where to draw.
    lo, hi : array, shape (b,)
        Bins.
    series : mapping of str to (array, array)
        Values and errors (b,) by label [uK].
    scaled : bool
        Whether values are multiplied by l.

    Returns
    -------
    None
        l C_l [1e-6 uK].

    References
    ----------
    None: a drawing.
    """
    centre = 0.5 * (lo + hi)
    width = hi - lo + 1.0
    count = len(series)
    factor = UNIT * (centre if scaled else 1.0)
    axes.axhline(0.0, color=OTHERS, lw=0.7, zorder=1)
    for k, (label, (value, error)) in enumerate(series.items()):
        colour, marker = SERIES[k % len(SERIES)]
        at = centre + width * 0.7 * ((k + 0.5) / count - 0.5)
        axes.errorbar(
            at, factor * value, factor * error, fmt=marker or "x", ms=3.6, color=colour,
            mfc="white" if k % 2 else colour, elinewidth=1.0, capsize=1.8, ls="none", label=label,
        )  # fmt: skip
    axes.set_xlim(lo[0] - 0.2 * width[0], hi[-1] + 0.2 * width[-1])


@styled
def plot_cross_spectra(
    lo: np.ndarray,
    hi: np.ndarray,
    panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    *,
    skipped: int = 0,
    expected: Mapping[str, np.ndarray] | None = None,
    title: str = "",
    columns: int = 1,
) -> Figure:
    """Bandpowers of cleaned maps with galaxies, panel by panel.

    Parameters
    ----------
    lo, hi : array, shape (b,)
        Bins.
    panels : mapping of str to mapping of str to (array, array)
        Values and errors (b,) [uK] by label, in panels by title.
    skipped : int
        Bins at the left that are shaded: measured and not used.
    expected : mapping of str to array, shape (b,), optional
        Lines that are drawn in every panel [uK].
    title : str
        Title.
    columns : int
        Panels in a row.

    Returns
    -------
    matplotlib Figure
        l C_l [1e-6 uK].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Figs. S6 to S10.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(6.4 if columns == 1 else 3.7 * columns, 2.6 * rows + 1.1)
    grid = np.atleast_1d(figure.subplots(rows, columns, sharex=True, squeeze=False)).ravel()
    centre = 0.5 * (lo + hi)
    for axes, (label, series) in zip(grid, panels.items()):
        draw_bandpowers(axes, lo, hi, series)
        for k, (name, line) in enumerate((expected or {}).items()):
            axes.plot(centre, UNIT * centre * line, color="black", lw=1.0, label=name,
                      ls=DASHES[(k + 1) % len(DASHES)])  # fmt: skip
        if skipped:
            axes.axvspan(lo[0] - 0.5 * (hi[0] - lo[0]), lo[skipped] - 0.5, color="0.9", zorder=0)
        if label:
            axes.set_title(label, fontsize=9.5)
        axes.set_ylabel(r"$\ell\,C_\ell^{Tg}$ [$10^{-6}\,\mu$K]")
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[max(0, len(panels) - columns) : len(panels)]:
        axes.set_xlabel(MULTIPOLE)
    if len({tuple(s) for s in panels.values()}) == 1:
        handles, labels = grid[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)))
    else:
        for axes in grid[: len(panels)]:
            axes.legend(ncols=2, fontsize=7.5)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure
