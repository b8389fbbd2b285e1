"""Bandpowers of screening and galaxies with the spectra that the limits allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..analyses.screening_limits import ScreeningLimits
from ..constants import G_REF_GEV
from ..errors import DataError
from .plot_style import SERIES, halo, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DASHES = ("solid", (0, (6, 2)), (0, (3, 1.5)), (0, (1, 1)))
_POINTS = {
    "recast": "toy errors about zero (no bandpowers are public)",
    "asimov": "Asimov data: zero, not a measurement",
    "noise": "simulated noise, not a measurement",
    "file": "bandpowers of the file given",
}


def spread_masses(limits: ScreeningLimits, count: int = 4) -> list[int]:
    """Indices of masses with a limit, evenly over the grid.

    Parameters
    ----------
    limits : ScreeningLimits
        Limits at n masses.
    count : int
        Largest number of indices.

    Returns
    -------
    list of int
        Increasing indices; empty where no mass has a limit.

    References
    ----------
    None: a choice.
    """
    good = np.flatnonzero(np.isfinite(limits.bayes["uniform_g"].limit))
    if good.size == 0:
        return []
    # The ends of a grid are often at the edge of sensitivity: stay inside.
    inside = np.linspace(0, good.size - 1, min(count, good.size) + 2)[1:-1]
    return sorted({int(good[round(k)]) for k in inside})


@styled
def plot_bandpowers(limits: ScreeningLimits, spectra: np.ndarray, *, title: str = "") -> Figure:
    """Bandpowers of the data used, with the spectra of several masses at their limits.

    Parameters
    ----------
    limits : ScreeningLimits
        Limits at n masses, made with bandpower windows.
    spectra : array, shape (n, l)
        C_l^Tg per unit u at the nodes of the windows [uK].
    title : str
        Title, empty for none.

    Returns
    -------
    matplotlib Figure
        l C_l [uK] against l; the legend says what kind the points are.

    Raises
    ------
    DataError
        If the data have no windows, or the spectra do not fit them.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 2.
    """
    data = limits.data
    if data.windows is None:
        raise DataError("bandpowers cannot be drawn: the data have no windows")
    ell = np.asarray(data.windows.node_ell)
    if spectra.shape != (limits.m_a_eV.size, ell.size):
        expected = (limits.m_a_eV.size, ell.size)
        raise DataError(f"spectra of shape {spectra.shape}, expected {expected} (masses, nodes)")
    lo, hi = np.asarray(data.windows.ell_lo), np.asarray(data.windows.ell_hi)
    centre, half = 0.5 * (lo + hi), 0.5 * (hi - lo)
    value, error = point_values(limits)
    # Bandpowers that still carry a beam are compared with binned theory, which carries it too.
    beamed = bool(np.any(np.asarray(data.windows.window).sum(axis=1) < 0.99))

    figure = new_figure(6.6, 4.4)
    axes: Any = figure.subplots()
    axes.axhline(0.0, color="0.5", lw=0.7, zorder=1)
    unit = 1e6  # uK to 1e-6 uK
    axes.errorbar(
        centre, unit * centre * value, yerr=unit * centre * error, xerr=half, fmt="o", ms=4,
        color="black", mfc="white", lw=0.9, capsize=2, zorder=5, label=_POINTS[data.kind],
    )  # fmt: skip
    for k, index in enumerate(spread_masses(limits)):
        g = float(limits.bayes["uniform_g"].limit[index])
        colour, _ = SERIES[k % len(SERIES)]
        at, line = ell, (g / G_REF_GEV) ** 2 * spectra[index]
        if beamed:
            at, line = centre, np.asarray(data.windows.matrix) @ line
        axes.plot(
            at, unit * at * line, color=colour, ls=_DASHES[k % len(_DASHES)], zorder=4,
            label=rf"$m_a={limits.m_a_eV[index] / 1e-13:.3g}\times10^{{-13}}$ eV, "
            rf"$g={g / 1e-12:.3g}\times10^{{-12}}$ GeV$^{{-1}}$",
        )  # fmt: skip
    axes.set_xlim(max(0.0, lo[0] - 0.05 * hi[-1]), hi[-1] * 1.03)
    axes.set_xlabel(r"multipole $\ell$")
    axes.set_ylabel(r"$\ell\, C_\ell^{Tg}$ [$10^{-6}\,\mu$K]")
    axes.text(
        0.99, 0.02, f"{data.nu_GHz:g} GHz", transform=axes.transAxes, ha="right", va="bottom",
        fontsize=8.5, color="0.25", path_effects=halo(),
    )  # fmt: skip
    if title:
        axes.set_title(title, fontsize=10)
    figure.legend(loc="outside lower center", ncols=2, handlelength=3.0)
    return figure


def point_values(limits: ScreeningLimits) -> tuple[np.ndarray, np.ndarray]:
    """Bandpowers of the data and their errors; for a recast zero with the toy errors.

    Parameters
    ----------
    limits : ScreeningLimits
        Limits with their data.

    Returns
    -------
    value, error : array, shape (b,)
        Bandpowers and square roots of their variances [uK].

    References
    ----------
    None: a selection.
    """
    data = limits.data
    if data.recast is not None:
        error = 1.0 / np.sqrt(np.asarray(data.recast.weight))
        return np.zeros(error.shape), error
    # The rows of a Cholesky factor have the standard deviations as their lengths.
    factor = np.asarray(data.points.scale)
    return np.asarray(data.points.data), np.sqrt(np.sum(factor**2, axis=1))
