"""Figures of limits and spectra of the screening reproduction (Figs. 2, 3, S11, S12, S15).

The measured bandpowers and their covariance are not public: error bars are those of the bundled toy
sky, and every figure that shows one says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analyses.reproduce_screening import ScreeningStudy
from ..analyses.screening_profiles import gas_curves
from ..analyses.screening_run import toy_covariance
from ..constants import G_REF_GEV
from ..observables.cmb.bandpowers import default_bins
from .limit_plots import _spread as spread_labels
from .overlays import load_overlay
from .plot_style import COUPLING_LABEL, MASS_LABEL, OTHERS, SERIES, halo, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (4, 1, 1, 1)),
    (0, (8, 2, 2, 2)),
    ":",
)
MASS_RANGE_EV = (1.7e-13, 2.65e-12)
DEPROJECTION_LABELS = {
    "none": "nothing deprojected",
    "tsz": "tSZ",
    "tsz-cib": "tSZ + CIB",
    "tsz-cib-dbeta": r"tSZ + CIB + $\mathrm{d}\beta$",
}
# Other searches shown beside the limit.
_OTHERS = (
    "cast",
    "sn1987a",
    "super_star_clusters",
    "chandra_m87",
    "chandra_ngc1275",
    "m82",
    "chandra_h1821643",
)
_SPECTRUM_MASSES = (2.5e-13, 3.11e-13, 5e-13, 1e-12)


def mass_axis(axes: Axes) -> None:
    """Logarithmic axis of the axion's mass with plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    axes.set_xscale("log")
    axes.set_xlim(*MASS_RANGE_EV)
    ticks = [2e-13, 3e-13, 5e-13, 1e-12, 2e-12]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v / 1e-13:.3g}"))
    axes.xaxis.set_minor_locator(FixedLocator([k * 1e-13 for k in (4, 6, 7, 8, 9, 15, 25)]))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(MASS_LABEL.replace("[eV]", r"[$10^{-13}$ eV]"))


def draw_series(
    axes: Axes, x: np.ndarray, curves: Mapping[str, np.ndarray], first: int = 0, **style: Any
) -> None:
    """Curves that differ in colour, lightness, dash and marker."""
    for k, (label, y) in enumerate(curves.items(), start=first):
        colour, marker = SERIES[k % len(SERIES)]
        axes.plot(
            x, y, color=colour, ls=DASHES[k % len(DASHES)], marker=marker, ms=3.4, mec="white",
            mew=0.4, markevery=1 if len(x) < 12 else (2 * k, len(x) // 8), label=label, **style,
        )  # fmt: skip


@styled
def plot_screening_spectra(study: ScreeningStudy) -> Figure:
    """C_l^Tg of ``default`` at several masses for couplings at the published limit (Fig. 2).

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    matplotlib Figure
        l C_l [1e-5 uK] against l, with Asimov points of the toy sky (zero) and their errors.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 2.
    """
    figure = new_figure(6.2, 5.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.1, 1.0))
    low, high = default_bins()
    centre = 0.5 * (low + high)
    for name, shift, colour, form in (
        ("tsz-cib", -14.0, "0.15", "o"),
        ("tsz-cib-dbeta", 14.0, "0.55", "s"),
    ):
        error = 1e6 * centre * np.sqrt(np.diag(toy_covariance(name)))
        above.errorbar(
            centre + shift, np.zeros_like(centre), error, fmt=form, ms=3.2, color=colour,
            elinewidth=1.1, capsize=2.5, zorder=4,
            label=f"Asimov (zero), toy errors: {DEPROJECTION_LABELS[name]}",
        )  # fmt: skip
    shown = study.ell >= 100.0
    curves = {}
    for mass in _SPECTRUM_MASSES:
        k = study.at(mass)
        u = (study.published_GeV[k] / G_REF_GEV) ** 2
        label = rf"$m_a={mass / 1e-13:.3g}\times10^{{-13}}$ eV"
        coupling = rf"$g={study.published_GeV[k] / 1e-12:.2f}\times10^{{-12}}$ GeV$^{{-1}}$"
        values = 1e6 * study.ell[shown] * u * study.spectra["default"][k, shown]
        curves[f"{label}, {coupling}"] = values
    for axes in (above, below):
        draw_series(axes, study.ell[shown], curves)
        axes.axhline(0.0, color="0.4", lw=0.7, zorder=1)
        axes.set_ylabel(r"$\ell\,C_\ell^{T\mathrm{g}}$ [$10^{-6}\,\mu$K]")
    deepest = min(float(v.min()) for v in curves.values())
    below.set(xlim=(100.0, 2050.0), ylim=(1.12 * deepest, -0.06 * deepest))
    below.set_xlabel(r"multipole $\ell$")
    handles, names = above.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=2, handlelength=3.0)
    return figure


def _others(axes: Axes) -> None:
    """Other searches in grey, their names at the right of the frame."""
    bottom, top = axes.get_ylim()
    mass = np.geomspace(*MASS_RANGE_EV, 400)
    ends: dict[str, float] = {}
    for name in _OTHERS:
        overlay = load_overlay(name)
        at = np.log(overlay.m_a_eV)
        g = np.exp(np.interp(np.log(mass), at, np.log(overlay.g_GeV), left=np.nan, right=np.nan))
        if np.isfinite(g[-1]) and bottom < g[-1] < top:
            axes.plot(mass, g, color=OTHERS, lw=0.9, ls=(0, (2, 1)), zorder=2)
            ends[overlay.label] = float(g[-1])
    gap = 0.028 * np.log(top / bottom)
    placed = np.exp(spread_labels(np.log(list(ends.values())), gap))
    for (label, value), height in zip(ends.items(), placed, strict=True):
        axes.annotate(
            label, (mass[-1], value), (1.035 * mass[-1], height), ha="left", va="center",
            fontsize=7.5, color="0.2", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": OTHERS, "lw": 0.5, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


@styled
def plot_screening_limits(study: ScreeningStudy) -> Figure:
    """Published, recast and expected limits with other searches (Fig. 3).

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    matplotlib Figure
        Coupling against mass; bands show the inner and the outer cut.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3.
    """
    figure = new_figure(6.8, 5.2)
    axes: Any = figure.subplots()
    axes.set_yscale("log")
    axes.set_ylim(3e-13, 1.5e-10)
    mass, recast = study.m_a_eV, study.recast_GeV
    for pair, colour, hatch, label in (
        (("x_hi = 1.0", "x_hi = 1.3"), "#9ecae1", "", r"outer cut 1.0 to 1.3 $R_{200}$ (recast)"),
        (
            ("x_lo = 0.05", "x_lo = 0.2"),
            "#fdd0a2",
            "////",
            r"inner cut 0.05 to 0.2 $R_{200}$ (recast)",
        ),
    ):
        ends = [np.where(np.isfinite(recast[name]), recast[name], 1e-8) for name in pair]
        axes.fill_between(
            mass, np.minimum(*ends), np.maximum(*ends), facecolor=colour, edgecolor="0.55",
            hatch=hatch, lw=0.0, zorder=1.2, label=label,
        )  # fmt: skip
    published = load_overlay("planck_unwise")
    axes.plot(published.m_a_eV, published.g_GeV, color="black", lw=2.4, zorder=5, label="published")
    axes.plot(
        mass[::4], recast["parity"][::4], "o", ms=4.2, mfc="white", mec="black", mew=0.9, zorder=6,
        label="recast, parity",
    )  # fmt: skip
    axes.plot(
        mass, recast["default"], color=SERIES[0][0], lw=1.6, zorder=5.5, label="recast, default"
    )
    for k, name in enumerate(("tsz-cib", "tsz-cib-dbeta")):
        axes.plot(
            mass, study.forecast_GeV[name], color=SERIES[1 + 2 * k][0], ls=DASHES[1 + k], lw=1.5,
            zorder=4, label=f"expected, toy noise, {DEPROJECTION_LABELS[name]}",
        )  # fmt: skip
    _others(axes)
    mass_axis(axes)
    axes.set_ylabel(COUPLING_LABEL)
    figure.legend(loc="outside upper center", ncols=2, handlelength=2.6, columnspacing=1.4)
    return figure


@styled
def plot_occupation(study: ScreeningStudy) -> Figure:
    """Limits for two occupation models, and the gain of a larger l_max (Fig. S11).

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    matplotlib Figure
        Left: expected limits, K22 and K23. Right: ratio for l < 2402 over l < 1952.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S11.
    """
    figure = new_figure(7.4, 3.6)
    left, right = figure.subplots(1, 2)
    _limit_panel(left, study, {"K22 (default)": "default", "K23": "HOD K23"})
    curves = {DEPROJECTION_LABELS[n]: v for n, v in study.long_gain.items()}
    draw_series(right, study.m_a_eV, curves)
    right.axhline(1.0, color="0.4", lw=0.7)
    right.set_ylim(0.8, 1.03)
    mass_axis(right)
    right.set_ylabel(r"$g_{95}(\ell_{\max}=2401)\,/\,g_{95}(1951)$")
    right.legend(loc="lower left", fontsize=7.5, title="toy noise", title_fontsize=7.5)
    return figure


def _limit_panel(
    axes: Axes, study: ScreeningStudy, names: Mapping[str, str], published: bool = True
) -> None:
    """Expected limits of several models, toy noise with tSZ + CIB deprojected."""
    axes.set_yscale("log")
    curves = {label: study.expected_GeV[name] for label, name in names.items()}
    draw_series(axes, study.m_a_eV, curves)
    if published:
        axes.plot(
            study.m_a_eV, study.published_GeV, color="0.6", lw=2.6, zorder=0.8, label="published"
        )
    axes.set_ylim(7e-13, 6e-11)
    mass_axis(axes)
    axes.set_ylabel(COUPLING_LABEL)
    axes.legend(loc="upper center", fontsize=8, title="expected, toy noise", title_fontsize=7.5)


@styled
def plot_gas(study: ScreeningStudy, m200c_Msun: float = 1e13, z: float = 0.5) -> Figure:
    """Electron densities of one halo by gas model, and the limits (Fig. S12).

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.
    m200c_Msun : float
        Mass of the halo [Msun].
    z : float
        Redshift.

    Returns
    -------
    matplotlib Figure
        Left: n_e(r) with resonant densities of three axion masses. Right: expected limits.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S12.
    """
    from ..conversion.landau_zener import resonance_log_density

    figure = new_figure(7.4, 3.7)
    left, right = figure.subplots(1, 2)
    x = np.geomspace(0.05, 2.0, 60)
    draw_series(left, x, gas_curves(m200c_Msun, z, x))
    left.set(xscale="log", yscale="log", xlim=(0.05, 2.0))
    for edge in (0.1, 1.1):
        left.axvline(edge, color="0.6", lw=0.8, ls=":")
    for mass in (2.5e-13, 5e-13, 1e-12):
        density = float(np.exp(resonance_log_density(mass, "exact")))
        left.axhline(density, color="0.75", lw=0.8, zorder=0.5)
        left.annotate(
            rf"$m_a={mass / 1e-13:g}\times10^{{-13}}$ eV", (0.053, density), (0, 2),
            textcoords="offset points", fontsize=7, color="0.3", path_effects=halo(),
        )  # fmt: skip
    left.set_xlabel(r"$r/R_{200\mathrm{c}}$")
    left.set_ylabel(r"$n_e$ [cm$^{-3}$]")
    power = int(np.log10(m200c_Msun))
    left.set_title(rf"$M_{{200\mathrm{{c}}}}=10^{{{power}}}\,M_\odot$, $z={z:g}$", fontsize=9.5)
    left.legend(loc="lower center", fontsize=8)
    _limit_panel(
        right,
        study,
        {
            "AGN (default)": "default",
            "shock heating": "shock-heating gas",
            "NFW": "NFW gas",
        },
    )
    return figure


@styled
def plot_constant_beta(study: ScreeningStudy) -> Figure:
    """Limits with constant beta beside the simulated field (Fig. S15).

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    matplotlib Figure
        Expected limits against mass.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S15.
    """
    figure = new_figure(5.4, 4.2)
    axes: Any = figure.subplots()
    _limit_panel(
        axes,
        study,
        {
            "TNG, smooth (default)": "default",
            r"$\beta=100$": "beta = 100",
            r"$\beta=100$, $P_\mathrm{th}$ capped": "beta = 100, cap 10^14.5 Msun",
            r"$\beta=10$": "beta = 10",
        },
    )
    axes.set_ylim(3e-13, 6e-11)
    return figure
