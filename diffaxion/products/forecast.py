"""Products of a forecast: tables, the exclusion plot, impacts and gradient maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analyses.forecast import Forecast, ForecastPart, GradientMap
from ..provenance import jsonable, write_json
from .limit_files import LimitCurve, write_limits, write_two_column
from .limit_plots import plot_limits
from .overlays import load_overlay, overlay_names
from .plot_style import SERIES, new_figure, save_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 15  # bars of a chart at most


def forecast_curves(forecast: Forecast) -> list[LimitCurve]:
    """Expected limits as curves, those of the profile likelihood first.

    Parameters
    ----------
    forecast : Forecast
        From :func:`diffaxion.analyses.run_forecast`.

    Returns
    -------
    list of LimitCurve
        Curves of shape (n,) [eV, GeV^-1]; the status says where there is none.

    References
    ----------
    None: assembly.
    """

    def curve(name: str, method: str, prior: str, part: ForecastPart, g: np.ndarray) -> LimitCurve:
        finite = np.isfinite(g)
        status = np.where(finite, "OK", "NO_SENSITIVITY")
        return LimitCurve(name, method, prior, part.m_a_eV, np.where(finite, g, np.nan), status)

    found = [curve(p.name, "expected", "", p, p.g95_GeV) for p in forecast.parts]
    for p in forecast.parts:
        if p.g95_bayes_GeV is not None:
            found.append(curve(p.name, "expected-bayes", "uniform g >= 0", p, p.g95_bayes_GeV))
        if p.baseline_GeV is not None:
            found.append(curve(f"{p.name}-present", "expected", "", p, p.baseline_GeV))
    return found


def plot_forecast(forecast: Forecast) -> Figure:
    """Expected limits over published ones.

    Parameters
    ----------
    forecast : Forecast
        Limits [eV, GeV^-1].

    Returns
    -------
    matplotlib Figure
        The figure.

    Raises
    ------
    DataError
        If no curve has a limit anywhere.

    References
    ----------
    Those of the overlays.
    """
    names = {p.name: p.label for p in forecast.parts}
    names |= {f"{p.name}-present": "present exposures" for p in forecast.parts}
    shown = [
        LimitCurve(names[c.curve], "", "", c.m_a_eV, c.limit_raw, c.status)
        for c in forecast_curves(forecast)
        if c.method == "expected"
    ]
    overlays = [load_overlay(n) for n in overlay_names()]
    return plot_limits(
        shown, overlays=overlays, title="expected 95 % limits, no signal (not a measurement)"
    )


def _bars(axes: Any, names: Sequence[str], value: np.ndarray, colour: str) -> None:
    order = np.argsort(-np.abs(value))[:_SHOWN][::-1]
    axes.barh(np.arange(order.size), value[order], color=colour, height=0.7)
    axes.set_yticks(np.arange(order.size), [names[k] for k in order])
    axes.tick_params(axis="y", which="both", length=0)
    axes.yaxis.set_ticks([], minor=True)
    axes.axvline(0.0, color="0.3", lw=0.8)


@styled
def plot_gradients(part: ForecastPart) -> Figure:
    """What the expected limit depends on: one panel for each map.

    Parameters
    ----------
    part : ForecastPart
        Limits and maps of one experiment.

    Returns
    -------
    matplotlib Figure
        The figure.

    References
    ----------
    None: derivatives.
    """
    maps = part.maps
    rows = -(-len(maps) // 2)
    tall = [max(2.2, 0.25 * min(len(m.names), _SHOWN) + 0.9) for m in maps]
    heights = [max(tall[2 * r : 2 * r + 2]) for r in range(rows)]
    figure = new_figure(9.4, sum(heights) + 0.5)
    grid = figure.subplots(
        rows, 2 if len(maps) > 1 else 1, squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for k, one in enumerate(maps):
        axes = grid[k // 2][k % 2]
        colour = SERIES[1][0]
        if one.names:
            _bars(axes, one.names, one.value, colour)
        else:
            _line(axes, one, colour)
        axes.set_title(one.title, fontsize=10)
    for k in range(len(maps), grid.size):
        grid[k // 2][k % 2].set_axis_off()
    mass = part.facts.get("reference_mass_eV")
    figure.suptitle(f"{part.label}, $m_a$ = {mass:.3g} eV", fontsize=11)
    return figure


def _line(axes: Any, one: GradientMap, colour: str) -> None:
    axes.plot(one.at, one.value, color=colour, marker="o", ms=3)
    axes.axhline(0.0, color="0.3", lw=0.8)
    axes.set_xlabel(one.axis)
    if one.log_axis:
        from matplotlib.ticker import NullFormatter, ScalarFormatter

        axes.set_xscale("log")
        axes.set_xticks([0.1, 0.2, 0.5, 1.0])
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())


@styled
def plot_impacts(part: ForecastPart) -> Figure:
    """Nuisances by what they do to the limit: shift by one prior width, and broadening.

    Parameters
    ----------
    part : ForecastPart
        With impacts.

    Returns
    -------
    matplotlib Figure
        The figure.

    References
    ----------
    None: derivatives.
    """
    rows = part.impacts[:_SHOWN][::-1]
    names = [r["name"] for r in rows]
    figure = new_figure(9.0, 0.3 * len(rows) + 1.3)
    grid = figure.subplots(1, 2, sharey=True)
    panels = (
        ("shift", "change of ln g for one prior width"),
        ("broadening", "d ln g / d ln (prior width)"),
    )
    for axes, (key, title) in zip(grid, panels, strict=True):
        axes.barh(np.arange(len(rows)), [r[key] for r in rows], color=SERIES[0][0], height=0.7)
        axes.set_yticks(np.arange(len(rows)), names)
        axes.tick_params(axis="y", which="both", length=0)
        axes.yaxis.set_ticks([], minor=True)
        axes.axvline(0.0, color="0.3", lw=0.8)
        axes.set_xlabel(title)
    return figure


def forecast_summary(forecast: Forecast) -> dict[str, Any]:
    """Everything of a forecast as plain numbers and texts.

    Parameters
    ----------
    forecast : Forecast
        From :func:`diffaxion.analyses.run_forecast`.

    Returns
    -------
    dict
        For JSON; units are in the names [eV, GeV^-1, ks].

    References
    ----------
    None: assembly.
    """
    parts = {
        p.name: {
            "label": p.label,
            "m_a_eV": p.m_a_eV,
            "g95_GeV": p.g95_GeV,
            "g95_bayes_uniform_g_GeV": p.g95_bayes_GeV,
            "g95_present_GeV": p.baseline_GeV,
            "facts": p.facts,
            "impacts": p.impacts,
            "gradients": {
                m.key: {"title": m.title, "axis": m.axis, "at": m.names or m.at, "value": m.value}
                for m in p.maps
            },
            "caveats": p.caveats,
            "references": p.references,
        }
        for p in forecast.parts
    }
    return jsonable(
        {
            "name": forecast.name,
            "title": forecast.configuration.title,
            "nature": "expected limits without signal: not a measurement",
            "configuration": forecast.configuration.model_dump(),
            "parts": parts,
        }
    )


def write_forecast(folder: str | Path, forecast: Forecast, record: dict[str, Any]) -> list[Path]:
    """Write all products of a forecast.

    Parameters
    ----------
    folder : str or Path
        Existing folder.
    forecast : Forecast
        Limits [eV, GeV^-1] and derivatives.
    record : dict
        Provenance.

    Returns
    -------
    list of Path
        ``forecast.json``, ``limits.csv``, text files of the curves and figures.

    References
    ----------
    None: files.
    """
    out = Path(folder)
    curves = forecast_curves(forecast)
    written = [
        write_json(out / "forecast.json", forecast_summary(forecast) | {"provenance": record}),
        write_limits(out / "limits.csv", curves),
    ]
    note = "expected without signal: not a measurement"
    written += [write_two_column(out / "limits", c, [note]) for c in curves]
    if any(np.any(np.isfinite(p.g95_GeV)) for p in forecast.parts):
        written.append(save_figure(plot_forecast(forecast), out / "forecast.png"))
    for part in forecast.parts:
        if part.maps:
            written.append(save_figure(plot_gradients(part), out / f"gradients_{part.name}.png"))
        if part.impacts:
            written.append(save_figure(plot_impacts(part), out / f"impacts_{part.name}.png"))
    return written
