"""Products of ``diffaxion limit screening``: limit files, figures, summary and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analyses.screening_limits import ScreeningLimits
from ..data.bandpowers import Bandpowers, write_bandpowers
from ..provenance import atomic_write, write_json
from .citations import format_citations
from .limit_files import LimitCurve, write_limits, write_two_column
from .limit_plots import plot_limits
from .overlays import load_overlay, overlay_names
from .plot_style import figure_bytes
from .report import Image, Note, Table, Verbatim, write_report
from .screening_curves import screening_curves
from .screening_plots import plot_bandpowers
from .screening_summary import (
    COLUMNS,
    MAIN_PRIOR,
    SAME_SEARCH,
    published_screening_limit,
    residual_sentence,
    summary_sentence,
    summary_table,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MASS_TICKS_EV = (2e-13, 3e-13, 5e-13, 1e-12, 2e-12)


def screening_limit_figure(curves: Sequence[LimitCurve], title: str = "") -> Figure:
    """Our curve with its band over the published one and other experiments.

    Parameters
    ----------
    curves : sequence of LimitCurve
        Our curves [eV, GeV^-1], that of the main prior first.
    title : str
        Title; says what kind of data was used.

    Returns
    -------
    matplotlib Figure
        The figure.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3; overlays name their own.
    """
    others = [load_overlay(n) for n in overlay_names() if n != SAME_SEARCH]
    published = published_screening_limit()
    everything = [published, *curves]
    masses = np.concatenate([c.m_a_eV for c in everything])
    numbers = np.concatenate([c.limit[np.isfinite(c.limit)] for c in everything])
    figure = plot_limits(
        curves,
        published=[published],
        overlays=others,
        mass_range_eV=(float(masses.min()), float(masses.max())),
        coupling_range_GeV=(0.3 * float(numbers.min()), 2.0 * float(numbers.max())),
        title=title,
    )
    # Little more than a decade of masses: powers of ten alone would leave one label.
    axes: Any = figure.axes[0]
    if masses.max() < 30.0 * masses.min():
        ticks = [t for t in _MASS_TICKS_EV if masses.min() <= t <= masses.max()]
        axes.set_xticks(ticks, [_tick_label(t) for t in ticks])
    return figure


def _tick_label(mass_eV: float) -> str:
    digit, exponent = f"{mass_eV:.0e}".split("e")
    return rf"${digit}\times10^{{{int(exponent)}}}$"


def write_screening_limit_files(
    folder: Path, limits: ScreeningLimits, comments: Sequence[str] = ()
) -> list[LimitCurve]:
    """``limits.csv`` and ``limits/<curve>_<method>.txt``.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    limits : ScreeningLimits
        Limits at n masses [eV, GeV^-1].
    comments : sequence of str
        Lines for the headers of the text files.

    Returns
    -------
    list of LimitCurve
        All curves. ``_bayes.txt`` is for the prior uniform in g; the text files of other priors
        have the prior in their name, as in ``_bayes-log10_g.txt``.

    References
    ----------
    O'Hare, AxionLimits, https://cajohare.github.io/AxionLimits/ (form of the text files).
    """
    curves = screening_curves(limits)
    write_limits(folder / "limits.csv", curves)
    header = [f"data: {limits.data.label}", *limits.data.caveats, *comments]
    for curve in curves:
        name = curve.prior.split(" ")[0]
        if curve.method == "bayes" and name != MAIN_PRIOR:
            curve = replace(curve, method=f"bayes-{name}")
        if curve.ok.any():
            write_two_column(folder / "limits", curve, header)
    return curves


def write_screening_products(
    folder: Path,
    limits: ScreeningLimits,
    spectra: np.ndarray,
    summary: Mapping[str, Any],
    record: Mapping[str, Any],
    references: Sequence[str],
) -> None:
    """All files of ``diffaxion limit screening`` but the bandpowers.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    limits : ScreeningLimits
        Limits at n masses [eV, GeV^-1].
    spectra : array, shape (n, l)
        C_l^Tg per unit u at the nodes of the data's windows [uK].
    summary : mapping
        Of :func:`screening_summary`.
    record : mapping
        Provenance.
    references : sequence of str
        What to cite.

    Returns
    -------
    None
        Writes ``limits.csv``, ``limits/``, ``limits.png``, ``bandpowers.png``, ``summary.json``,
        ``provenance.json`` and ``report.html``.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    comments = [f"configuration {summary['configuration']}, {record['config_sha256']}"]
    curves = write_screening_limit_files(folder, limits, comments)
    title = f"{limits.data.label}\nmodel {summary['configuration']}"
    drawn = [c for c in curves if c.prior in (MAIN_PRIOR, "") and c.method != "q"]
    figures: dict[str, tuple[Any, str]] = {
        "limits.png": (
            screening_limit_figure(drawn, title),
            "95 % limits; bands: expected without signal; dotted: published.",
        ),
        "bandpowers.png": (
            plot_bandpowers(limits, spectra, title=title),
            f"C_l^Tg at the limits of several masses; points: {limits.data.label}.",
        ),
    }
    images = {name: figure_bytes(figure) for name, (figure, _) in figures.items()}
    for name, png in images.items():
        atomic_write(folder / name, png)
    write_json(folder / "summary.json", summary)
    write_json(folder / "provenance.json", record)
    sections: dict[str, Any] = {
        "Result": [
            Note(f"Data: {limits.data.label}."),
            summary_sentence(summary),
            Table(COLUMNS, summary_table(summary), "Prior uniform in g unless stated."),
        ],
        "Figures": [Image(images[name], text) for name, (_, text) in figures.items()],
        "Data": _data_section(limits, summary),
        "Model": [
            f"Configuration {summary['configuration']}; given explicitly: "
            + (", ".join(f"{k} = {v}" for k, v in summary["overrides"].items()) or "nothing")
            + ".",
            {k: str(v) for k, v in summary["options"].items()},
        ],
        "References": [Verbatim(format_citations(references))],
    }
    write_report(folder / "report.html", "Screening of the CMB: limits", sections, record)


def write_realisation(path: Path, limits: ScreeningLimits) -> None:
    """Simulated bandpowers as a file that ``--data FILE`` reads.

    Parameters
    ----------
    path : Path
        Destination, ``bandpowers.npz``.
    limits : ScreeningLimits
        Limits made from them, with windows that carry no beam.

    Returns
    -------
    None
        The file is written completely or not at all [uK, uK^2].

    References
    ----------
    None: a file format, see :mod:`diffaxion.data.bandpowers`.
    """
    data = limits.data
    assert data.windows is not None
    factor = np.asarray(data.points.scale)
    windows = data.windows
    write_bandpowers(
        path,
        Bandpowers(
            np.asarray(windows.ell_lo),
            np.asarray(windows.ell_hi),
            np.asarray(data.points.data),
            factor @ factor.T,
            np.asarray(windows.window),
            np.asarray(windows.window_ell),
            nu_GHz=data.nu_GHz,
            nature=data.label,
        ),
    )


def _data_section(limits: ScreeningLimits, summary: Mapping[str, Any]) -> list[Any]:
    data = limits.data
    if limits.recast is not None:
        return [
            Note("A recast is made from a published curve, not from data. Its assumptions are:"),
            list(data.caveats),
        ]
    sentence = residual_sentence(summary)
    return [
        f"Without a signal chi^2 = {summary['chi2']:.4g} for {summary['dof']} bandpowers, "
        f"probability of more {summary['pte']:.3g}.",
        *([sentence] if sentence else []),
    ]
