"""Figures of a calibration; shapes and lightness carry the meaning, not colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..analyses.calibration import SbcResult
from ..analyses.calibration_toys import LEVEL, CoverageRow, tolerance
from ..analyses.injection import InjectionRow
from ..analyses.predictive import PredictiveCheck
from ..constants import G_REF_GEV
from ..inference.calibration import P_MIN, rank_band
from ..parameters.units import latex_label
from .plot_style import SERIES, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BAND, _BARS = "0.82", "#2166ac"
_COLUMNS = 5


@styled
def plot_ranks(result: SbcResult) -> Figure:
    """Histograms of ranks with the 99 % band of uniform ones, and coverage of random regions.

    Parameters
    ----------
    result : SbcResult
        Ranks of s simulations.

    Returns
    -------
    matplotlib Figure
        One panel per parameter, and one for the regions around random points.

    References
    ----------
    Talts et al. 2018, arXiv:1804.06788; Lemos et al. 2023, arXiv:2302.03026.
    """
    tests, points = result.tests(), result.coverage()
    panels = len(tests) + 1
    columns = min(_COLUMNS, int(np.ceil(np.sqrt(panels))))
    lines = -(-panels // columns)
    figure = new_figure(2.3 * columns, 1.75 * lines + 0.5)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis in axes[panels:]:
        axis.set_axis_off()
    for axis, (name, test) in zip(axes, tests.items()):
        bins = len(test.counts)
        edges = np.linspace(0.0, 1.0, bins + 1)
        low, high = rank_band(len(result.index), bins)
        axis.axhspan(low, high, color=_BAND, lw=0)
        axis.axhline(test.expected, color="black", lw=0.8, ls=":")
        axis.stairs(test.counts, edges, color=_BARS, lw=1.4)
        axis.set(xlim=(0, 1), ylim=(0, 1.7 * max(high, test.counts.max())), xticks=[0, 0.5, 1])
        label = r"$\ln L$" if name == "log_likelihood" else latex_label(name)
        axis.text(0.05, 0.94, label, transform=axis.transAxes, va="top", fontsize=8.5)
        axis.text(
            0.95,
            0.8,
            f"p = {test.p:.2g}",
            transform=axis.transAxes,
            ha="right",
            va="top",
            fontsize=7.5,
        )
        axis.tick_params(labelsize=7.5)
    axis = axes[len(tests)]
    axis.fill_between(
        points.level,
        points.level - points.tolerance,
        points.level + points.tolerance,
        color=_BAND,
        lw=0,
    )
    axis.plot(points.level, points.level, color="black", lw=0.8, ls=":")
    axis.plot(points.level, points.coverage, color=_BARS)
    axis.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1])
    axis.set_xlabel("level", fontsize=8)
    axis.set_ylabel("coverage", fontsize=8)
    axis.text(0.05, 0.94, "random regions", transform=axis.transAxes, va="top", fontsize=8.5)
    axis.tick_params(labelsize=7.5)
    figure.suptitle(
        f"Ranks of the truth among {result.draws} draws, {len(result.index)} simulations "
        "(grey: 99 % of uniform ranks)",
        fontsize=10.5,
    )
    figure.supxlabel("rank / number of draws", fontsize=10)
    return figure


@styled
def plot_coverage(rows: Sequence[CoverageRow]) -> Figure:
    """Coverage of the limits against the true coupling.

    Parameters
    ----------
    rows : sequence of CoverageRow
        One per mass [eV] and coupling [GeV^-1].

    Returns
    -------
    matplotlib Figure
        Raw coverage with its standard errors, and power-constrained coverage.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727 and arXiv:1105.3166.
    """
    figure = new_figure(6.4, 4.2)
    axis = figure.subplots()
    worst = max(np.sqrt(LEVEL * (1 - LEVEL) / r.coverage.number) for r in rows)
    most = tolerance("coverage", float(worst))
    axis.axhspan(LEVEL - most, LEVEL + most, color=_BAND, lw=0)
    axis.axhline(LEVEL, color="black", lw=0.8, ls=":")
    groups = list(dict.fromkeys((r.m_a_eV, r.nuisances) for r in rows))
    for k, (mass, nuisances) in enumerate(groups):
        chosen = [r for r in rows if (r.m_a_eV, r.nuisances) == (mass, nuisances)]
        colour, marker = SERIES[k % len(SERIES)]
        x = np.array([r.g_GeV for r in chosen]) / G_REF_GEV
        y = np.array([r.coverage.value for r in chosen])
        error = [r.coverage.error for r in chosen]
        name = f"{mass:.3g} eV, nuisances {nuisances}"
        axis.errorbar(x, y, error, color=colour, marker=marker or "x", ls="-", label=name)
        constrained = [r.constrained.value for r in chosen]
        axis.plot(x, constrained, color=colour, ls="--", marker=marker or "x", mfc="none", lw=0.9)
    axis.set_xlabel(r"true coupling [$10^{-12}$ GeV$^{-1}$]")
    axis.set_ylabel("fraction of limits above the truth")
    axis.set_title("Coverage (dashed: power-constrained; grey: tolerance)", fontsize=10.5)
    axis.legend()
    return figure


@styled
def plot_injection(rows: Sequence[InjectionRow]) -> Figure:
    """Recovered against injected u, in simulated and in the observed data.

    Parameters
    ----------
    rows : sequence of InjectionRow
        One per injected coupling.

    Returns
    -------
    matplotlib Figure
        u = (g/1e-12 GeV^-1)^2 and its limits.

    References
    ----------
    None: a figure.
    """
    figure = new_figure(6.4, 4.2)
    axis = figure.subplots()
    u = np.array([r.u for r in rows])
    for name, colour, marker, values in (
        ("best fit, simulated (68 %)", "#2166ac", "o", [r.u_hat for r in rows]),
        ("95 % limit, simulated (68 %)", "#8b0000", "v", [r.u_95 for r in rows]),
    ):
        low, middle, high = np.array(values).T
        axis.errorbar(
            u,
            middle,
            [middle - low, high - middle],
            color=colour,
            marker=marker,
            ls="none",
            capsize=3,
            label=name,
        )
    observed = [r.observed for r in rows]
    axis.plot(u, [f.a_hat[0] for f in observed], "k+", ms=10, label="best fit, observed + signal")
    axis.plot(u, [f.a_95[0] for f in observed], "kx", ms=8, label="95 % limit, observed + signal")
    ends = np.array([min(u.min(), 0.0), max(u.max(), 1e-3)])
    axis.plot(ends, ends, color="0.4", lw=0.9, ls=":")
    axis.set_xlabel(r"injected $u = (g/10^{-12}\,\mathrm{GeV}^{-1})^2$")
    axis.set_ylabel(r"recovered $u$")
    axis.set_title("Injected signals, nuisances at their centre", fontsize=10.5)
    axis.legend()
    return figure


@styled
def plot_predictive(checks: Sequence[PredictiveCheck]) -> Figure:
    """Fraction of replicas above each observed point.

    Parameters
    ----------
    checks : sequence of PredictiveCheck
        One per probe.

    Returns
    -------
    matplotlib Figure
        All points in their order.

    References
    ----------
    Gelman, Meng & Stern 1996, Statistica Sinica 6, 733.
    """
    figure = new_figure(6.8, 3.8)
    axis = figure.subplots()
    axis.axhspan(P_MIN, 1.0 - P_MIN, color=_BAND, lw=0)
    axis.axhline(0.5, color="black", lw=0.8, ls=":")
    begin = 0
    for k, check in enumerate(checks):
        colour, marker = SERIES[k % len(SERIES)]
        place = begin + np.arange(check.points)
        judged = "" if check.measured else ", not judged"
        label = f"{check.probe}: p = {check.p:.2g}{judged}"
        filled = colour if check.measured else "none"
        axis.plot(
            place,
            check.point_p,
            color=colour,
            marker=marker or "x",
            ls="none",
            mfc=filled,
            label=label,
        )
        begin += check.points
    axis.set(xlim=(-0.8, begin - 0.2), ylim=(-0.02, 1.35), yticks=[0, 0.25, 0.5, 0.75, 1])
    axis.set_xlabel("data point")
    axis.set_ylabel("fraction of replicas above")
    axis.set_title("Replicas from the posterior (grey: 0.01 to 0.99)", fontsize=10.5)
    axis.legend(ncols=2, loc="upper left")
    return figure
