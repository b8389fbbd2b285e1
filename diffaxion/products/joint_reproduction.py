"""The joint inference beside what it is made of: files of ``diffaxion reproduce joint``."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analyses.analysis import MASS
from ..analyses.reproduce_joint import Halves, expected_couplings
from ..analyses.reproduce_statistics import grid_rows
from ..analyses.reproduce_xray import Row
from ..errors import DataError
from ..provenance import atomic_write, write_json
from .joint_curves import BAYES, published_curves
from .limit_files import LimitCurve, read_limits
from .limit_plots import plot_limits
from .plot_style import save_figure
from .report import Image, write_report
from .reproduction import comparison_table, markdown_table, row_record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REFERENCE = "reference"
"""Heading of the column of published numbers, closed forms and other routes."""

_COLUMNS = ("table", "quantity", "ours", REFERENCE, "tolerance", "kind", "agrees", "remark")
_LABELS = {"joint": "joint", "xray": "X rays", "cmb": "CMB"}


def run_rows(folder: str | Path) -> list[Row]:
    """A finished joint run: the posterior with the mass sampled against the limits per mass.

    Parameters
    ----------
    folder : str or Path
        Folder of ``diffaxion joint``.

    Returns
    -------
    list of Row
        Shares of draws with g < g95(m), by bins of mass and of all, dimensionless, shape ().

    Raises
    ------
    DataError
        If the folder holds no such posterior, or none with the prior uniform in g.

    References
    ----------
    None: an identity of conditional probabilities.
    """
    import h5py

    folder = Path(folder)
    # The posterior with the mass sampled is the second one, or the only one.
    names = ("posterior_mass.h5", "posterior.h5")
    path = next((folder / n for n in names if (folder / n).exists()), folder / names[0])
    try:
        with h5py.File(path) as file:
            group = file["uniform_g"]
            mass, g = (group[n][:] for n in (MASS, "g_GeV"))
    except (OSError, KeyError) as error:
        raise DataError(
            f"{path}: expected a posterior with {MASS} sampled and draws of the prior uniform in g "
            f"({type(error).__name__}: {error}); --from takes the folder of a converged "
            "`diffaxion joint`"
        ) from None
    curves = [c for c in read_limits(folder / "limits.csv") if c.method == BAYES]
    if not curves:
        raise DataError(f"{folder / 'limits.csv'}: expected Bayesian limits at fixed masses")
    # The first one is that of all experiments.
    grid = curves[0]
    return grid_rows(mass, g, grid.m_a_eV, grid.limit)


def expected_figure(halves: Halves) -> Figure:
    """Expected limits of both halves and of the joint fit over the published curves.

    Parameters
    ----------
    halves : Halves
        Both halves, nuisances fixed.

    Returns
    -------
    matplotlib Figure
        Masses [eV], couplings [GeV^-1].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Goldstein et al. 2024, arXiv:2409.10514.
    """
    curves = expected_curves(halves)
    top = 3.0 * float(np.nanmax(curves[0].limit))
    bottom = 0.6 * float(np.nanmin(curves[0].limit))
    return plot_limits(
        curves,
        published=list(published_curves().values()),
        mass_range_eV=(float(halves.m_a_eV[0]), float(halves.m_a_eV[-1])),
        coupling_range_GeV=(bottom, top),
        labels={(c.curve, c.method): f"{_LABELS[c.curve]}, expected" for c in curves},
    )


def expected_curves(halves: Halves) -> list[LimitCurve]:
    """Limits expected without signal at fixed nuisances, as curves.

    Parameters
    ----------
    halves : Halves
        Both halves.

    Returns
    -------
    list of LimitCurve
        ``joint``, ``xray`` and ``cmb``, method ``median`` [eV, GeV^-1].

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    curves = []
    for name, g in expected_couplings(halves).items():
        status = np.where(np.isfinite(g), "OK", "NO_SENSITIVITY")
        limit = np.where(np.isfinite(g), g, np.nan)
        curves.append(LimitCurve(name, "median", "", halves.m_a_eV, limit, status))
    return curves


def rows_csv(tables: Mapping[str, Sequence[Row]]) -> str:
    """All compared numbers, one per line.

    Parameters
    ----------
    tables : mapping of str to sequence of Row
        Compared numbers by heading; units are in their names.

    Returns
    -------
    str
        Text of ``reproduction.csv``.

    References
    ----------
    RFC 4180.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for name, rows in tables.items():
        for r in rows:
            agrees = "" if not np.isfinite(r.published) else "yes" if r.agrees else "no"
            cells = (r.quantity, repr(r.ours), repr(r.published), repr(r.tolerance), r.kind)
            writer.writerow((name, *cells, agrees, r.note))
    return text.getvalue()


def write_joint_reproduction(
    folder: Path, tables: Mapping[str, Sequence[Row]], halves: Halves, record: Mapping[str, Any]
) -> str:
    """All files of ``diffaxion reproduce joint``.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    tables : mapping of str to sequence of Row
        Compared numbers by heading.
    halves : Halves
        Both halves, for the figure.
    record : mapping
        Provenance.

    Returns
    -------
    str
        The tables in Markdown, as written to ``reproduction.md``; also in ``reproduction.csv``,
        ``reproduction.json`` and ``report.html``, with ``expected.png``.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Goldstein et al. 2024, arXiv:2409.10514.
    """
    figure = expected_figure(halves)
    save_figure(figure, folder / "expected.png")
    text = "\n".join(
        f"### {name}\n\n{markdown_table(rows, REFERENCE)}" for name, rows in tables.items()
    )
    atomic_write(folder / "reproduction.md", text)
    atomic_write(folder / "reproduction.csv", rows_csv(tables))
    numbers = {name: [row_record(r, REFERENCE) for r in rows] for name, rows in tables.items()}
    write_json(folder / "reproduction.json", {"tables": numbers, "provenance": record})
    sections: dict[str, Any] = {
        name: [comparison_table(rows, reference=REFERENCE)] for name, rows in tables.items()
    }
    caption = (
        "Limits expected without signal with all nuisances fixed: each half, and both together "
        "(root of I_2 u^4 + I_1 u^2 = z^2), over the published observed limits (dotted)."
    )
    sections["Figure"] = [Image(figure, caption)]
    write_report(folder / "report.html", "The joint inference and its halves", sections, record)
    return text
