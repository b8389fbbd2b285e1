"""Figures, table and files of ``diffaxion maps robustness``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analyses.maps_faults import IswShift, PlantedFault
from ..analyses.maps_variations import RobustnessTest, robustness_record
from ..provenance import atomic_write, write_json
from .maps_curves import DASHES, MULTIPOLE, UNIT
from .plot_style import OTHERS, SERIES, figure_bytes, new_figure, styled
from .report import Image, Note, Table, write_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = (
    "test",
    "variation",
    "chi^2 (difference)",
    "probability",
    "chi^2 (no signal)",
    "probability",
    "error over fiducial",
    "verdict",
)
# More variations than this are drawn as lines without error bars.
_FEW = 5


@styled
def plot_variations(test: RobustnessTest, *, title: str = "") -> Figure:
    """Bandpowers of a test, and below them the differences from the fiducial ones.

    Parameters
    ----------
    test : RobustnessTest
        The test.
    title : str
        Title; says that maps are simulated where they are.

    Returns
    -------
    matplotlib Figure
        l C_l [1e-6 uK], and differences in units of the fiducial errors; bins that are left out
        are shaded.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Figs. S6 to S10.
    """
    shown = [v for v in test.variations if v.difference_uK is not None]
    figure = new_figure(6.4, 5.4 if shown else 3.6)
    panels: Any = figure.subplots(2 if shown else 1, 1, sharex=True, squeeze=False)
    above = panels[0, 0]
    base = test.fiducial
    centre, width = 0.5 * (base.lo + base.hi), base.hi - base.lo + 1.0
    factor = UNIT * centre
    above.axhline(0.0, color=OTHERS, lw=0.7, zorder=1)
    above.errorbar(
        centre, factor * base.cl_Tg_uK, factor * base.error_uK, fmt="s", ms=4.0, color="black",
        elinewidth=1.2, capsize=2.5, zorder=5, label="fiducial",
    )  # fmt: skip
    few = len(shown) <= _FEW
    for k, v in enumerate(shown):
        colour, marker = SERIES[k % len(SERIES)]
        # Beside the fiducial point, to the right and to the left in turn.
        side = (k // 2 + 1) * (1 if k % 2 == 0 else -1)
        at = centre + 0.3 * width * side / ((len(shown) + 1) // 2)
        style = {"color": colour, "marker": marker or "x", "ms": 3.6}
        if few:
            above.errorbar(
                at, factor * v.series.cl_Tg_uK, factor * v.series.error_uK, ls="none",
                elinewidth=0.9, capsize=1.5, label=v.label, **style,
            )  # fmt: skip
        else:
            above.plot(centre, factor * v.series.cl_Tg_uK, lw=0.9, label=v.label,
                       ls=DASHES[(k // len(SERIES)) % len(DASHES)], **style)  # fmt: skip
    above.set_ylabel(r"$\ell\,C_\ell^{Tg}$ [$10^{-6}\,\mu$K]")
    if shown:
        _draw_differences(panels[1, 0], test, shown, few)
    first = test.use.indices(base.lo.size)[0]
    for axes in panels[:, 0]:
        if first:
            edge = base.lo[first] - 0.5
            axes.axvspan(base.lo[0] - 0.2 * width[0], edge, color="0.9", zorder=0)
        axes.set_xlim(base.lo[0] - 0.2 * width[0], base.hi[-1] + 0.2 * width[-1])
    panels[-1, 0].set_xlabel(MULTIPOLE)
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    text = f"{test.title}: {test.verdict}"
    figure.suptitle(f"{text}\n{title}" if title else text, fontsize=10)
    return figure


def _draw_differences(axes: Any, test: RobustnessTest, shown: Sequence[Any], few: bool) -> None:
    """Differences in units of the fiducial errors."""
    base, use = test.fiducial, test.use
    centre = (0.5 * (base.lo + base.hi))[use]
    width, error = (base.hi - base.lo + 1.0)[use], base.error_uK[use]
    axes.axhline(0.0, color=OTHERS, lw=0.7)
    axes.axhspan(-1.0, 1.0, color="0.93", zorder=0)
    for k, v in enumerate(shown):
        colour, marker = SERIES[k % len(SERIES)]
        at = centre + width * 0.7 * ((k + 0.5) / len(shown) - 0.5)
        own = np.sqrt(np.diag(v.difference_cov_uK2)) / error
        style = {"color": colour, "marker": marker or "x", "ms": 3.6}
        if few:
            axes.errorbar(at, v.difference_uK / error, own, ls="none", elinewidth=0.9,
                          capsize=1.5, **style)  # fmt: skip
        else:
            axes.plot(centre, v.difference_uK / error, lw=0.9,
                      ls=DASHES[(k // len(SERIES)) % len(DASHES)], **style)  # fmt: skip
    axes.set_ylabel("difference / fiducial error")


@styled
def plot_isw(shift: IswShift) -> Figure:
    """Shift of each bin by an injected ISW effect, in units of the errors of one sky.

    Parameters
    ----------
    shift : IswShift
        The shifts.

    Returns
    -------
    matplotlib Figure
        Against the multipole; bins that are left out are shaded.

    References
    ----------
    Krolewski & Ferraro 2022, arXiv:2110.13959.
    """
    figure = new_figure(5.6, 3.4)
    axes: Any = figure.subplots()
    centre = 0.5 * (shift.lo + shift.hi)
    axes.axhline(0.0, color=OTHERS, lw=0.7)
    axes.bar(centre, shift.shift_uK / shift.error_uK, 0.8 * (shift.hi - shift.lo + 1), color="0.6",
             edgecolor="0.2")  # fmt: skip
    axes.axvspan(shift.lo[0] - 2, shift.lo[shift.first_used] - 0.5, color="0.9", zorder=0)
    axes.set_xlim(shift.lo[0] - 2, shift.hi[-1] + 2)
    axes.set_xlabel(MULTIPOLE)
    axes.set_ylabel("shift / error of one sky")
    axes.set_title(f"injected ISW effect, mean of {shift.skies} simulated skies", fontsize=10)
    return figure


def robustness_rows(tests: Sequence[RobustnessTest]) -> list[list[Any]]:
    """Rows of the table of verdicts.

    Parameters
    ----------
    tests : sequence of RobustnessTest
        The tests.

    Returns
    -------
    list of list
        One row per variation, in the order of :data:`COLUMNS`.

    References
    ----------
    None: a table.
    """
    rows: list[list[Any]] = []
    for test in tests:
        for v in test.variations:
            found, null = v.difference, v.null
            chi2 = "-" if found is None else f"{found.chi2:.3g} / {found.dof}"
            pte = "-" if found is None else f"{found.pte:.3g}"
            ratio = float(np.mean((v.series.error_uK / test.fiducial.error_uK)[test.use]))
            against = f"{null.chi2:.3g} / {null.dof}"
            rows.append(
                [test.name, v.label, chi2, pte, against, f"{null.pte:.3g}", ratio, test.verdict]
            )
    return rows


def markdown_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = (f"{c:.3g}" if isinstance(c, float) else str(c) for c in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_robustness(
    folder: Path,
    tests: Sequence[RobustnessTest],
    planted: Sequence[PlantedFault],
    isw: IswShift | None,
    nature: str,
    record: Mapping[str, Any],
) -> str:
    """Table, numbers and figures of the suite.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    tests : sequence of RobustnessTest
        Tests of the sky at hand.
    planted : sequence of PlantedFault
        What the suite says of simulated skies with faults.
    isw : IswShift or None
        Effect of an injected ISW signal.
    nature : str
        What the maps are if they are no measurement.
    record : mapping
        Provenance.

    Returns
    -------
    str
        The tables in Markdown, as in ``robustness.md``. Writes ``robustness.json``,
        ``robustness_<test>.png``, ``provenance.json`` and ``report.html`` too.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, appendix A.3.
    """
    figures: dict[str, Any] = {}
    for test in tests:
        if test.name != "null":
            name = f"robustness_{test.name.replace('-', '_')}.png"
            figures[name] = plot_variations(test, title=nature)
    for fault in planted:
        for test in fault.tests:
            if test.name == "cib":
                name = f"planted_{fault.fault.replace('-', '_')}.png"
                figures[name] = plot_variations(test, title=f"simulated: {fault.title}")
    if isw is not None:
        figures["isw.png"] = plot_isw(isw)
    images = {name: figure_bytes(figure) for name, figure in figures.items()}
    for name, png in images.items():
        atomic_write(folder / name, png)
    rows = robustness_rows(tests)
    parts = ["# Robustness", nature or "Maps on disk.", markdown_rows(COLUMNS, rows)]
    remarks = [f"{t.name}: {r}" for t in tests for r in t.remarks]
    remarks += [fault.sentence for fault in planted]
    remarks += [isw.sentence] if isw is not None else []
    parts += [f"- {text}" for text in remarks]
    text = "\n\n".join(parts) + "\n"
    atomic_write(folder / "robustness.md", text)
    write_json(
        folder / "robustness.json",
        {
            "nature": nature,
            "tests": [robustness_record(t) for t in tests],
            "planted": [planted_record(f) for f in planted],
            "isw": None if isw is None else isw_record(isw),
        },
    )
    write_json(folder / "provenance.json", dict(record))
    sections: dict[str, Any] = {
        "Verdicts": [Note(nature or "Maps on disk."), Table(COLUMNS, rows, ""), remarks],
        "Figures": [Image(png, name.removesuffix(".png")) for name, png in images.items()],
    }
    write_report(folder / "report.html", "Robustness of the cross-spectrum", sections, dict(record))
    return text


def planted_record(fault: PlantedFault) -> dict[str, Any]:
    """Numbers of a planted fault for ``robustness.json``."""
    return {
        "fault": fault.fault,
        "title": fault.title,
        "skies": fault.skies,
        "must_fail": fault.must_fail,
        "failed": fault.failed,
        "as_it_must": fault.passed,
        "tests": [robustness_record(t) for t in fault.tests],
    }


def isw_record(shift: IswShift) -> dict[str, Any]:
    """Numbers of the ISW effect for ``robustness.json``."""
    return {
        "ell_lo": shift.lo,
        "ell_hi": shift.hi,
        "shift_uK": shift.shift_uK,
        "error_uK": shift.error_uK,
        "skies": shift.skies,
        "first_bin_used": shift.first_used,
    }
