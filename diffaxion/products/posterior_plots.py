"""Figures of posteriors: corner plot, and nuisance parameters against their priors."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from .plot_style import SERIES, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _flat(draws: Mapping[str, np.ndarray]) -> tuple[list[str], np.ndarray]:
    """Names, and draws as a table of shape (samples, parameters)."""
    if not draws:
        raise DataError("there are no draws to plot")
    columns = {name: np.ravel(np.asarray(values, float)) for name, values in draws.items()}
    sizes = {values.size for values in columns.values()}
    if len(sizes) != 1:
        raise DataError(
            f"draws have different lengths: { {n: v.size for n, v in columns.items()} }"
        )
    for name, values in columns.items():
        if not np.all(np.isfinite(values)):
            raise DataError(f"draws of {name!r} contain {np.sum(~np.isfinite(values))} non-finite")
    return list(columns), np.stack(list(columns.values()), axis=-1)


def _levels(counts: np.ndarray, shares: Sequence[float]) -> list[float]:
    """Heights of a histogram above which the given shares of its content lie, increasing."""
    ordered = np.sort(counts.ravel())[::-1]
    summed = np.cumsum(ordered)
    return [float(ordered[np.searchsorted(summed, s * summed[-1])]) for s in sorted(shares)[::-1]]


def _smooth(counts: np.ndarray) -> np.ndarray:
    """A histogram after two passes of the kernel (1, 2, 1)/4 in both directions."""
    for axis in (0, 1, 0, 1):
        lines = np.moveaxis(counts, axis, 0)
        padded = np.concatenate([lines[:1], lines, lines[-1:]])
        counts = np.moveaxis(padded[:-2] + 2.0 * padded[1:-1] + padded[2:], 0, axis) / 4.0
    return counts


def _simple_corner(figure: Figure, table: np.ndarray, texts: list[str]) -> None:
    """Histograms on the diagonal, density with 68% and 95% contours below it."""
    n = table.shape[1]
    # Fixed margins: an automatic layout would draw every panel several times to find them.
    width = figure.get_figwidth()
    left, end = 0.95 / width, 1.0 - 0.12 / width
    grid = figure.add_gridspec(
        n, n, left=left, bottom=left, right=end, top=end, wspace=0.07, hspace=0.07
    )
    ranges = [tuple(np.quantile(table[:, k], (0.001, 0.999))) for k in range(n)]
    ranges = [(a, b) if b > a else (a - 0.5, b + 0.5) for a, b in ranges]
    for row in range(n):
        for column in range(row + 1):
            axes: Any = figure.add_subplot(grid[row, column])
            axes.minorticks_off()
            axes.locator_params(nbins=3)
            axes.tick_params(labelsize=8.5)
            if row == column:
                axes.hist(
                    table[:, row], bins=25, range=ranges[row], histtype="step",
                    color=SERIES[0][0], lw=1.2,
                )  # fmt: skip
                axes.set_yticks([])
            else:
                _pair(axes, table[:, column], table[:, row], [ranges[column], ranges[row]])
                axes.set_ylim(ranges[row])
            axes.set_xlim(ranges[column])
            if row == n - 1:
                axes.set_xlabel(texts[column])
                axes.xaxis.set_label_coords(0.5, -0.36)
                axes.tick_params(axis="x", labelrotation=40)
            else:
                axes.tick_params(labelbottom=False)
            if column == 0 and row > 0:
                axes.set_ylabel(texts[row])
                axes.yaxis.set_label_coords(-0.36, 0.5)
            else:
                axes.tick_params(labelleft=False)


def _pair(axes: Any, x: np.ndarray, y: np.ndarray, ranges: list[tuple[float, ...]]) -> None:
    """Density of two parameters with the contours of 68% and 95%."""
    counts, at_x, at_y = np.histogram2d(x, y, bins=22, range=ranges)
    counts = _smooth(_smooth(counts))
    image = {"origin": "lower", "aspect": "auto", "cmap": "Greys", "interpolation": "nearest"}
    axes.imshow(counts.T, extent=(*at_x[[0, -1]], *at_y[[0, -1]]), **image)
    levels = _levels(counts, (0.68, 0.95))
    if levels[1] > levels[0] > 0:
        centres = (0.5 * (e[1:] + e[:-1]) for e in (at_x, at_y))
        axes.contour(*centres, counts.T, levels, colors=SERIES[0][0], linewidths=1.0)


@styled
def plot_corner(
    draws: Mapping[str, np.ndarray],
    labels: Mapping[str, str] | None = None,
    *,
    use_corner: bool | None = None,
) -> Figure:
    """Marginal posteriors of all pairs of parameters.

    Parameters
    ----------
    draws : mapping of str to array, shape (...)
        Draws by parameter, all with the same number of elements (chains are joined).
    labels : mapping of str to str, optional
        LaTeX label with unit by parameter; the name is the fallback.
    use_corner : bool, optional
        Whether to use the package ``corner``; None: if it is installed.

    Returns
    -------
    matplotlib Figure
        Histograms on the diagonal, 68% and 95% regions below it.

    Raises
    ------
    DataError
        If there are no draws, or they are not finite or differ in length.

    References
    ----------
    Foreman-Mackey 2016, JOSS 1, 24 (corner).
    """
    names, table = _flat(draws)
    texts = [(labels or {}).get(name, name) for name in names]
    if use_corner is None:
        use_corner = importlib.util.find_spec("corner") is not None
    # Many panels are smaller, so that the text of a figure that is scaled to a page stays legible.
    panel = 1.55 if use_corner or len(names) <= 6 else 1.2
    size = 1.2 + panel * len(names)
    figure = new_figure(size, size, layout=None)
    if not use_corner:
        _simple_corner(figure, table, texts)
        return figure
    # corner imports arviz, which warns about its own future on import.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import corner

    constant = np.ptp(table, axis=0) == 0
    corner.corner(
        table,
        fig=figure,
        labels=texts,
        levels=(0.68, 0.95),
        color=SERIES[0][0],
        bins=30,
        quiet=True,
        max_n_ticks=3,
        label_kwargs={"fontsize": 9.5},
        range=[(v - 0.5, v + 0.5) if c else 0.999 for v, c in zip(table[0], constant)],
        plot_datapoints=False,
        fill_contours=True,
        smooth=1.0,
        labelpad=-0.12,
    )
    for axes in figure.axes:
        axes.tick_params(labelsize=7.5)
    return figure


@styled
def plot_nuisances(
    z_draws: Mapping[str, np.ndarray], labels: Mapping[str, str] | None = None
) -> Figure:
    """Posterior of every nuisance parameter in units of its prior.

    Parameters
    ----------
    z_draws : mapping of str to array, shape (...)
        Draws of the standardised parameters (prior N(0, 1)), by path.
    labels : mapping of str to str, optional
        LaTeX label by path; the path is the fallback.

    Returns
    -------
    matplotlib Figure
        Median and central 68% and 95% intervals on top of the 1 and 2 sigma bands of the prior.

    Raises
    ------
    DataError
        If there are no draws, or they are not finite or differ in length.

    References
    ----------
    Betancourt & Girolami 2013, arXiv:1312.0906 (non-centred parametrisation).
    """
    names, table = _flat(z_draws)
    n = len(names)
    figure = new_figure(6.2, 1.0 + 0.27 * n)
    axes: Any = figure.subplots()
    axes.axvspan(-2, 2, color="0.94", lw=0, label=r"prior $2\sigma$")
    axes.axvspan(-1, 1, color="0.86", lw=0, label=r"prior $1\sigma$")
    axes.axvline(0.0, color="0.6", lw=0.7)
    rows = np.arange(n)[::-1]
    q = np.quantile(table, (0.025, 0.15865, 0.5, 0.84135, 0.975), axis=0)
    colour = SERIES[0][0]
    axes.hlines(rows, q[0], q[4], color=colour, lw=0.9, label="posterior 95%")
    axes.hlines(rows, q[1], q[3], color=colour, lw=2.6, label="posterior 68%")
    axes.plot(q[2], rows, "o", color="white", mec=colour, ms=4.2, mew=1.1)
    for row, column in zip(rows, range(n)):
        axes.annotate(
            f"{table[:, column].std():.2f}", (1.005, row), xycoords=("axes fraction", "data"),
            fontsize=7.5, va="center", color="0.3",
        )  # fmt: skip
    axes.set_yticks(rows, [(labels or {}).get(name, name) for name in names], fontsize=8.5)
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.set_ylim(-0.7, n - 0.3)
    widest = max(2.4, 1.08 * float(np.max(np.abs(q))))
    axes.set_xlim(-widest, widest)
    axes.set_xlabel(
        r"standardised parameter $z$ (prior $\mathcal{N}(0,1)$); right: posterior width"
    )
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, columnspacing=1.2)
    return figure
