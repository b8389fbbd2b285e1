"""Flux points with the axion prediction, and conversion probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.registry import load_table
from ..errors import DataError
from .plot_style import MASKED, MASS_LABEL, SERIES, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class SpectrumPanel:
    """One panel of flux points.

    Attributes
    ----------
    title : str
        Name of the target.
    energy_keV : array, shape (n,)
        Bin centres [keV].
    half_width_keV : float or array, shape (n,)
        Half widths of the bins [keV].
    flux, error : array, shape (n,)
        Flux and its 1-sigma error [1e-4 counts/keV/s].
    prediction : array, shape (n,)
        Predicted axion signal [1e-4 counts/keV/s].
    prediction_label : str
        Text for the legend, naming the coupling.
    used : bool array, shape (n,)
        Bins that enter the analysis; the others are drawn in grey.
    """

    title: str
    energy_keV: np.ndarray
    half_width_keV: float | np.ndarray
    flux: np.ndarray
    error: np.ndarray
    prediction: np.ndarray
    prediction_label: str
    used: np.ndarray

    def __post_init__(self) -> None:
        n = np.shape(self.energy_keV)
        for name in ("flux", "error", "prediction", "used"):
            shape = np.shape(getattr(self, name))
            if shape != n:
                raise DataError(f"spectrum of {self.title}: {name} has shape {shape}, not {n}")


def published_spectrum_panels() -> list[SpectrumPanel]:
    """Panels of the published NuSTAR spectra of Quintuplet and Westerlund 1.

    Returns
    -------
    list of SpectrumPanel
        Two panels of 15 bins [keV, 1e-4 counts/keV/s].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, Fig. 2 and public data release.
    """
    table = load_table("nustar_spectra")
    energy = table["energy_keV"]
    panels = []
    for name, title in (("quintuplet", "Quintuplet"), ("wd1", "Westerlund 1")):
        g = table.meta["axion_g_GeV"][name] / 1e-12
        panels.append(
            SpectrumPanel(
                title,
                energy,
                float(table.meta["half_width_keV"]),
                table[f"{name}_flux"],
                table[f"{name}_error"],
                table[f"{name}_axion"],
                rf"axion, $g_{{a\gamma\gamma}}={g:.1f}\times10^{{-12}}$ GeV$^{{-1}}$",
                energy > table.meta["analysis_from_keV"][name],
            )
        )
    return panels


@styled
def plot_spectra(panels: Sequence[SpectrumPanel], *, title: str = "") -> Figure:
    """Flux points of one or more targets with the predicted axion signal.

    Parameters
    ----------
    panels : sequence of SpectrumPanel
        The targets, drawn side by side.
    title : str
        Title above all panels, empty for none.

    Returns
    -------
    matplotlib Figure
        The figure. Bins that are not analysed are grey; those outside the axis are arrows.

    Raises
    ------
    DataError
        If there is no panel.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, Fig. 2.
    """
    if not panels:
        raise DataError("plot_spectra needs at least one panel")
    figure = new_figure(0.6 + 3.5 * len(panels), 4.2)
    columns: Any = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    highest = max(float(np.max((p.flux + p.error)[p.used])) for p in panels)
    lowest = min(float(np.min((p.flux - p.error)[p.used])) for p in panels)
    span = highest - lowest
    bottom, top = lowest - 0.12 * span, highest + 0.55 * span
    for axes, p in zip(columns, panels):
        half = np.broadcast_to(p.half_width_keV, p.energy_keV.shape)
        edges = np.append(p.energy_keV - half, p.energy_keV[-1] + half[-1])
        for n, k in enumerate(np.flatnonzero(~p.used)):
            axes.axvspan(
                edges[k], edges[k + 1], color="0.92", lw=0, zorder=0,
                label="" if n else "not analysed",
            )  # fmt: skip
        axes.axhline(0.0, color="0.6", lw=0.7, zorder=1)
        axes.stairs(
            p.prediction, edges, baseline=None, color=SERIES[0][0], lw=1.6, zorder=3,
            label=p.prediction_label,
        )  # fmt: skip
        inside = (p.flux > bottom) & (p.flux < top)
        for keep, colour, label in (
            (p.used & inside, "black", "NuSTAR"),
            (~p.used & inside, MASKED, ""),
        ):
            if np.any(keep):
                axes.errorbar(
                    p.energy_keV[keep], p.flux[keep], p.error[keep], half[keep], fmt="o",
                    ms=3.4, color=colour, elinewidth=1.0, zorder=4, label=label,
                )  # fmt: skip
        for k in np.flatnonzero(~inside):
            up = p.flux[k] > top
            at = top - 0.03 * span if up else bottom + 0.03 * span
            axes.plot(
                p.energy_keV[k], at, marker="^" if up else "v", ms=6, color=MASKED, ls="none",
                zorder=4,
            )  # fmt: skip
            axes.annotate(
                f"{p.flux[k]:.1f}", (p.energy_keV[k], at), (0, -7 if up else 7),
                textcoords="offset points", ha="center", va="top" if up else "bottom",
                fontsize=7.5, color="0.35",
            )  # fmt: skip
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(bottom, top)
        axes.set_xlabel("energy [keV]")
        axes.legend(loc="upper right", title=p.title, title_fontsize=9.5, alignment="right")
    columns[0].set_ylabel(r"$dF/dE$ [$10^{-4}$ counts keV$^{-1}$ s$^{-1}$]")
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


@styled
def plot_conversion(
    energy_keV: np.ndarray | None = None,
    by_energy: Mapping[str, np.ndarray] | None = None,
    m_a_eV: np.ndarray | None = None,
    by_mass: Mapping[str, np.ndarray] | None = None,
    *,
    energy_caption: str = "",
    mass_caption: str = "",
    unreliable_above_eV: float | None = 1e-10,
) -> Figure:
    """Conversion probability against energy and against mass, one line for each field model.

    Parameters
    ----------
    energy_keV : array, shape (n,), optional
        Energies of the left panel [keV].
    by_energy : mapping of str to array, shape (n,), optional
        Probability by name of the field model.
    m_a_eV : array, shape (k,), optional
        Masses of the right panel [eV].
    by_mass : mapping of str to array, shape (k,), optional
        Probability by name of the field model.
    energy_caption, mass_caption : str
        What is fixed in each panel, such as the mass, the coupling or the sight line.
    unreliable_above_eV : float, optional
        Mass [eV] above which discontinuities of the field model set p; shaded. None: no shade.

    Returns
    -------
    matplotlib Figure
        One or two panels.

    Raises
    ------
    DataError
        If neither panel has data.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Jansson & Farrar 2012, arXiv:1204.3662.
    """
    panels = [
        (x, lines, kind)
        for x, lines, kind in ((energy_keV, by_energy, "energy"), (m_a_eV, by_mass, "mass"))
        if x is not None and lines
    ]
    if not panels:
        raise DataError("plot_conversion needs probabilities by energy or by mass")
    figure = new_figure(0.6 + 3.5 * len(panels), 4.2)
    columns: Any = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (x, lines, kind) in zip(columns, panels):
        x = np.asarray(x, float)
        for k, (name, p) in enumerate(lines.items()):
            colour, marker = SERIES[k % len(SERIES)]
            every = max(1, x.size // 8)
            axes.plot(
                x, np.asarray(p, float), color=colour, marker=marker, markevery=every, ms=3.6,
                mec="white", mew=0.4, label=name,
            )  # fmt: skip
        axes.set_yscale("log")
        if kind == "energy":
            axes.set_xlabel("energy [keV]")
            axes.set_title(energy_caption, fontsize=9.5)
        else:
            axes.set_xscale("log")
            axes.set_xlabel(MASS_LABEL)
            axes.set_title(mass_caption, fontsize=9.5)
            if unreliable_above_eV is not None and x[-1] > unreliable_above_eV:
                axes.axvspan(
                    unreliable_above_eV, x[-1], color="0.92", lw=0, zorder=0,
                    label="set by field structure",
                )  # fmt: skip
        axes.set_xlim(x[0], x[-1])
        # Above the axes no curve can run through the legend.
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.12), fontsize=8.5)
    columns[0].set_ylabel(r"conversion probability $p_{a\to\gamma}$")
    return figure
