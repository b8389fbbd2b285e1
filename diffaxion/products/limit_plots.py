"""The exclusion plot: limits on the coupling against the mass, with bands and other experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError, unknown_name
from .limit_files import LimitCurve
from .overlays import PublishedLimit
from .plot_style import (
    BAND_1,
    BAND_2,
    COUPLING_LABEL,
    MASS_LABEL,
    OTHERS,
    SERIES,
    halo,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Between two masses of a curve that is only partly OK, each segment takes the worse status.
_SHOWN = ("OK", "FIELD_STRUCTURE")


def _clip(
    mass: np.ndarray, limit: np.ndarray, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    """A curve cut at the edges of the figure, interpolated in logarithms."""
    finite = np.isfinite(limit) & (limit > 0) & (mass > 0)
    x, y = np.log(mass[finite]), np.log(limit[finite])
    if x.size == 0 or x[0] > np.log(high) or x[-1] < np.log(low):
        return np.empty(0), np.empty(0)
    ends = np.clip(np.log([low, high]), x[0], x[-1])
    nodes = np.unique(np.concatenate([ends, x[(x > ends[0]) & (x < ends[1])]]))
    return np.exp(nodes), np.exp(np.interp(nodes, x, y))


def _draw_band(axes: Axes, curve: LimitCurve) -> None:
    """Median, and the expected bands; below -1 sigma the power constraint leaves no band."""
    assert curve.median is not None
    assert curve.minus1 is not None
    assert curve.plus1 is not None
    assert curve.plus2 is not None
    axes.fill_between(
        curve.m_a_eV, curve.minus1, curve.plus2, color=BAND_2, lw=0, zorder=1.0,
        label=f"{curve.curve}: $2\\sigma$ expected",
    )  # fmt: skip
    axes.fill_between(
        curve.m_a_eV, curve.minus1, curve.plus1, color=BAND_1, lw=0, zorder=1.1,
        label=f"{curve.curve}: $1\\sigma$ expected",
    )  # fmt: skip
    axes.plot(
        curve.m_a_eV, curve.median, color="0.15", lw=0.8, ls="dashdot", zorder=2.0,
        label=f"{curve.curve}: median expected",
    )  # fmt: skip


def _draw_curve(
    axes: Axes, curve: LimitCurve, colour: str, marker: str | None, width: float, label: str
) -> None:
    """Solid where the limit is OK, dashed where the field structure sets it, else a gap."""
    shown = np.isin(curve.status, _SHOWN) & np.isfinite(curve.limit_raw)
    number = np.where(shown, curve.limit_raw, np.nan)
    solid = np.where(curve.ok, number, np.nan)
    axes.plot(
        curve.m_a_eV, solid, color=colour, lw=width, marker=marker, ms=3.6, mec="white",
        mew=0.4, markevery=max(1, curve.m_a_eV.size // 12), zorder=5, label=label,
    )  # fmt: skip
    flagged = shown & ~curve.ok
    if np.any(flagged):
        # The dashes start at the last good mass, so that the line has no gap.
        touching = flagged.copy()
        touching[:-1] |= flagged[1:]
        touching[1:] |= flagged[:-1]
        dashed = np.where(touching & shown, number, np.nan)
        axes.plot(curve.m_a_eV, dashed, color=colour, lw=width, ls=(0, (3, 2)), zorder=4.9)
        assert curve.spread_low is not None
        assert curve.spread_high is not None
        low, high = (np.where(flagged, x, np.nan) for x in (curve.spread_low, curve.spread_high))
        axes.fill_between(curve.m_a_eV, low, high, color=colour, alpha=0.35, lw=0, zorder=4.8)


def _spread(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Positions at least ``gap`` apart and as near as possible to the wanted ones (sorted)."""
    order = np.argsort(wanted)
    placed = wanted[order].copy()
    for _ in range(200):
        overlap = gap - np.diff(placed)
        if np.all(overlap <= 1e-9):
            break
        for k in np.flatnonzero(overlap > 0):
            placed[k] -= 0.5 * overlap[k]
            placed[k + 1] += 0.5 * overlap[k]
    out = np.empty_like(placed)
    out[order] = placed
    return out


def _draw_overlays(axes: Axes, overlays: Sequence[PublishedLimit], gutter: float) -> None:
    """Other limits in grey, labelled in a gutter at the left, or at their minimum."""
    low, high = axes.get_xlim()
    bottom, top = axes.get_ylim()
    left: list[tuple[str, float]] = []
    for overlay in overlays:
        mass, limit = _clip(overlay.m_a_eV, overlay.g_GeV, low * gutter, high)
        if mass.size == 0 or np.min(limit) > top:
            continue
        axes.plot(mass, limit, color=OTHERS, lw=0.9, zorder=3)
        # One opaque grey for all: the union of what is excluded, without stacked shades.
        axes.fill_between(mass, limit, top * 10, color="0.955", lw=0, zorder=0.5)
        if mass[0] <= low * gutter * 1.01:
            left.append((overlay.label, float(limit[0])))
            continue
        k = int(np.argmin(limit))
        axes.annotate(
            overlay.label, (mass[k], limit[k]), (0, -3), textcoords="offset points",
            ha="center", va="top", fontsize=7.5, color="0.25", path_effects=halo(), zorder=7,
        )  # fmt: skip
    if not left:
        return
    height = axes.bbox.height * 72.0 / axes.figure.dpi
    gap = 8.6 / height * np.log(top / bottom)
    wanted = np.log([y for _, y in left])
    placed = np.clip(_spread(wanted, gap), np.log(bottom) + 0.7 * gap, np.log(top) - 0.7 * gap)
    for (label, y), at in zip(left, np.exp(placed)):
        axes.plot([low * gutter**0.93, low * gutter], [at, y], color=OTHERS, lw=0.5, zorder=3)
        axes.text(
            low * gutter**0.9, at, label, ha="right", va="center", fontsize=7.5, color="0.25",
            zorder=7,
        )  # fmt: skip


@styled
def plot_limits(
    curves: Sequence[LimitCurve],
    *,
    band: str | None = None,
    published: Sequence[LimitCurve] = (),
    overlays: Sequence[PublishedLimit] = (),
    mass_range_eV: tuple[float, float] | None = None,
    coupling_range_GeV: tuple[float, float] | None = None,
    title: str = "",
    labels: Mapping[tuple[str, str], str] | None = None,
) -> Figure:
    """Limits on the coupling against the axion mass.

    Solid lines are limits with status OK, dashed ones those of status FIELD_STRUCTURE (set by
    discontinuities of the field model); other statuses leave a gap.

    Parameters
    ----------
    curves : sequence of LimitCurve
        Our limits [eV, GeV^-1]; the first is drawn thick.
    band : str, optional
        Name of the curve whose median and expected bands are drawn; None takes the first that
        has them.
    published : sequence of LimitCurve
        Published limits of the same analysis, drawn dotted.
    overlays : sequence of PublishedLimit
        Limits of other analyses, drawn in grey and labelled.
    mass_range_eV, coupling_range_GeV : tuple of two floats, optional
        Ranges of the axes; the default encloses our curves.
    title : str
        Title, empty for none.
    labels : mapping of (curve, method) to str, optional
        Texts of the legend; by default the name with the method in brackets.

    Returns
    -------
    matplotlib Figure
        The figure; :func:`save_figure` writes it.

    Raises
    ------
    DataError
        If there is no curve, or ``band`` has no expected limits.
    ConfigurationError
        If no curve is called ``band``.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, Fig. 3.
    """
    if not curves:
        raise DataError("plot_limits needs at least one curve")
    banded = [c for c in curves if c.median is not None and np.any(np.isfinite(c.median))]
    if band is not None:
        if band not in [c.curve for c in curves]:
            raise unknown_name("limit curve", band, [c.curve for c in curves])
        banded = [c for c in banded if c.curve == band]
        if not banded:
            raise DataError(f"limit curve {band!r} has no expected limits to draw a band from")

    figure = new_figure(6.6, 5.2)
    axes: Any = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    inner = mass_range_eV or (
        min(float(c.m_a_eV[c.m_a_eV > 0][0]) for c in curves),
        max(float(c.m_a_eV[-1]) for c in curves),
    )
    # Labels of other limits stand in a gutter to the left of the data.
    gutter = (inner[1] / inner[0]) ** 0.27 if overlays else 1.0
    axes.set_xlim(inner[0] / gutter, inner[1])
    if overlays:
        decades = np.arange(np.floor(np.log10(inner[0])), np.ceil(np.log10(inner[1])) + 1)
        minor = np.outer(10.0**decades, np.arange(2, 10)).ravel()
        axes.set_xticks([t for t in 10.0**decades if inner[0] * 0.999 <= t <= inner[1] * 1.001])
        axes.set_xticks([t for t in minor if inner[0] <= t <= inner[1]], minor=True)
    numbers = np.concatenate([c.limit_raw[np.isfinite(c.limit_raw)] for c in curves])
    if numbers.size == 0 and coupling_range_GeV is None:
        raise DataError("no curve has a limit to draw: give coupling_range_GeV")
    axes.set_ylim(
        *(coupling_range_GeV or (np.min(numbers) / (14 if overlays else 5), np.max(numbers) * 3))
    )
    for curve in banded[:1]:
        _draw_band(axes, curve)
    for k, curve in enumerate(curves):
        colour, marker = SERIES[k % len(SERIES)]
        plain = f"{curve.curve} ({curve.method})" if curve.method else curve.curve
        label = (labels or {}).get((curve.curve, curve.method), plain)
        _draw_curve(axes, curve, colour, marker, 2.0 if k == 0 else 1.3, label)
    for k, curve in enumerate(published):
        axes.plot(
            curve.m_a_eV, curve.limit, color="black", lw=1.3, ls=(0, (1, 1 + k)), zorder=6,
            label=f"{curve.curve}, published",
        )  # fmt: skip
    _draw_overlays(axes, overlays, gutter)
    axes.set_xlabel(MASS_LABEL)
    axes.set_ylabel(COUPLING_LABEL)
    if title:
        axes.set_title(title, fontsize=11)
    dashed = any(np.any((c.status == "FIELD_STRUCTURE") & np.isfinite(c.limit_raw)) for c in curves)
    if dashed:
        axes.plot([], [], color="0.3", ls=(0, (3, 2)), lw=1.3, label="set by field structure")
    # Outside the axes no curve can run through the legend.
    figure.legend(loc="outside upper center", ncols=3, handlelength=2.4, columnspacing=1.4)
    return figure
