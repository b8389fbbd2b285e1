"""The paper's numbers beside ours: tables, figures, files of ``diffaxion reproduce xray``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..analyses.limit_curves import MassScan
from ..analyses.reproduce_xray import Row, sightline_probability
from ..provenance import atomic_write, write_json
from .plot_style import save_figure
from .report import Image, Table, write_report
from .spectrum_plots import plot_conversion, plot_spectra, published_spectrum_panels
from .xray import limit_figure, scan_curve, scan_curves, write_limit_files

_COLUMNS = ("quantity", "ours", "published", "difference", "tolerance", "agrees", "remark")


def _cells(row: Row) -> list[Any]:
    if not np.isfinite(row.published):
        return [row.quantity, row.ours, "", "", "", "", row.note]
    scale, unit = (1.0, "") if row.kind == "absolute" else (100.0, " %")
    allowed = {"factor": f"factor {row.tolerance:g}", "at_least": "at least"}
    return [
        row.quantity,
        row.ours,
        row.published,
        f"{scale * row.difference:+.3g}{unit}",
        allowed.get(row.kind, f"{scale * row.tolerance:.3g}{unit}"),
        "yes" if row.agrees else "no",
        row.note,
    ]


def _headings(reference: str) -> list[str]:
    return [reference if c == "published" else c for c in _COLUMNS]


def comparison_table(rows: Sequence[Row], caption: str = "", reference: str = "published") -> Table:
    """Rows as a table of a report.

    Parameters
    ----------
    rows : sequence of Row
        Compared numbers; units are in their names.
    caption : str
        Caption.
    reference : str
        Heading of the column of numbers that ours are compared with.

    Returns
    -------
    Table
        Seven columns.

    References
    ----------
    None: a table.
    """
    return Table(_headings(reference), [_cells(r) for r in rows], caption)


def markdown_table(rows: Sequence[Row], reference: str = "published") -> str:
    """Rows as a Markdown table.

    Parameters
    ----------
    rows : sequence of Row
        Compared numbers; units are in their names.
    reference : str
        Heading of the column of numbers that ours are compared with.

    Returns
    -------
    str
        The table.

    References
    ----------
    GitHub Flavored Markdown.
    """
    lines = ["| " + " | ".join(_headings(reference)) + " |", "|" + "---|" * len(_COLUMNS)]
    for row in rows:
        cells = (f"{c:.4g}" if isinstance(c, float) else str(c) for c in _cells(row))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def row_record(row: Row, reference: str = "published") -> dict[str, Any]:
    """A row as an entry of ``reproduction.json``.

    Parameters
    ----------
    row : Row
        Compared numbers; the unit is in its name.
    reference : str
        Key of the number that ours is compared with.

    Returns
    -------
    dict
        ``agrees`` is None where there is nothing to compare with.

    References
    ----------
    None: a record.
    """
    return {
        "quantity": row.quantity,
        "ours": row.ours,
        reference: row.published,
        "tolerance": row.tolerance,
        "agrees": row.agrees if np.isfinite(row.published) else None,
    }


def conversion_figure() -> Any:
    """Conversion probabilities of Quintuplet and Westerlund 1 against energy, by field model.

    Returns
    -------
    matplotlib Figure
        p at g = 1e-12 GeV^-1 and m_a -> 0 between 10 and 80 keV.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    energy = np.linspace(10.0, 80.0, 71)
    by_energy = {
        f"{label}, {name.upper()}, inner {inner}": sightline_probability(t, name, inner, energy)
        for t, label, name, inner in (
            ("quintuplet", "Quintuplet", "jf12", "uniform"),
            ("quintuplet", "Quintuplet", "jf12", "mask"),
            ("quintuplet", "Quintuplet", "ptkn11-ass", "mask"),
            ("wd1", "Westerlund 1", "jf12", "uniform"),
        )
    }
    return plot_conversion(energy, by_energy, energy_caption=r"$g=10^{-12}$ GeV$^{-1}$, $m_a\to0$")


def write_reproduction(
    folder: Path,
    tables: Mapping[str, Sequence[Row]],
    scans: Sequence[MassScan],
    record: Mapping[str, Any],
) -> str:
    """All files of ``diffaxion reproduce xray``.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    tables : mapping of str to sequence of Row
        Compared numbers by heading.
    scans : sequence of MassScan
        Limit curves of the published signal [eV, GeV^-1].
    record : mapping
        Provenance.

    Returns
    -------
    str
        The tables in Markdown, as written to ``reproduction.md``.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    write_limit_files(folder, scan_curves({"published": scans}, "published"))
    curves = [scan_curve(s, "published", "published") for s in scans]
    figures = {
        "figure2.png": (plot_spectra(published_spectrum_panels()), "Spectra, as Fig. 2."),
        "figure3.png": (limit_figure(curves), "Limits, as Fig. 3."),
        "conversion.png": (conversion_figure(), "Conversion probabilities by field model."),
    }
    for name, (figure, _) in figures.items():
        save_figure(figure, folder / name)
    text = "\n".join(f"### {name}\n\n{markdown_table(rows)}" for name, rows in tables.items())
    atomic_write(folder / "reproduction.md", text)
    numbers = {name: [row_record(r) for r in rows] for name, rows in tables.items()}
    write_json(folder / "reproduction.json", {"tables": numbers, "provenance": record})
    sections: dict[str, Any] = {name: [comparison_table(rows)] for name, rows in tables.items()}
    sections["Figures"] = [Image(f, c) for f, c in figures.values()]
    write_report(
        folder / "report.html", "Dessert, Foster & Safdi 2020, reproduced", sections, record
    )
    return text
