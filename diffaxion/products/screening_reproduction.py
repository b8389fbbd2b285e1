"""Tables, figures and files of ``diffaxion reproduce screening``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..analyses.reproduce_screening import Z_MAX_TEMPERATURE, ScreeningStudy
from ..analyses.screening_reference import REFERENCE_MASSES_EV
from ..likelihoods.recast import RECAST_ASSUMPTIONS
from ..provenance import atomic_write, write_json
from . import screening_figures as limits_of
from . import screening_halo_figures as halos_of
from .limit_files import LimitCurve
from .plot_style import figure_bytes
from .report import Image, Note, write_report
from .reproduction import comparison_table, markdown_table, row_record
from .screening_tables import (
    NOTE,
    REFERENCE,
    breakdown_tables,
    comparison_rows,
    disagreements,
    forecast_table,
    markdown_of,
    reading,
    variant_table,
)
from .xray import write_limit_files


def limit_curves_of(study: ScreeningStudy) -> list[LimitCurve]:
    """Every limit of the figures as curves of ``limits.csv``.

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    list of LimitCurve
        Published, recast and expected (toy) limits [GeV^-1].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    groups: tuple[tuple[str, Mapping[str, np.ndarray]], ...] = (
        ("screening-published", {"": study.published_GeV}),
        ("screening-recast", study.recast_GeV),
        ("screening-expected-toy-parity", study.forecast_GeV),
        ("screening-expected-toy-tsz-cib", study.expected_GeV),
    )
    curves = []
    for start, group in groups:
        for name, limit in group.items():
            label = "-".join([start, *_slug(name)])
            status = np.where(np.isfinite(limit), "OK", "NO_SENSITIVITY")
            curves.append(LimitCurve(label, "bayes", "uniform_g", study.m_a_eV, limit, status))
    return curves


def _slug(name: str) -> list[str]:
    """Words of a name that may stand in the name of a file."""
    kept = "".join(c if c.isalnum() or c == "." else " " for c in name)
    return kept.split()


def figures_of(study: ScreeningStudy) -> dict[str, tuple[Callable[[], Any], str]]:
    """Figures by name of their file, each with its caption.

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    dict of str to (callable, str)
        The callable draws the figure.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, figure of the same number.
    """
    toy = "Error bars and noise are those of the toy sky: the measurement is not public."
    return {
        "figure2.png": (
            lambda: limits_of.plot_screening_spectra(study),
            f"Fig. 2: C_l^Tg of `default` for couplings at the published limit. {toy}",
        ),
        "figure3.png": (
            lambda: limits_of.plot_screening_limits(study),
            f"Fig. 3: published, recast and expected limits. Bands: cuts of the halo. {toy}",
        ),
        "breakdown.png": (
            lambda: halos_of.plot_breakdown(study),
            "From parity to default, one switch at a time.",
        ),
        "variants.png": (
            lambda: halos_of.plot_variants(study),
            "Expected limits of variants over the default's; expected over published.",
        ),
        "figureS1.png": (
            halos_of.plot_seds,
            "Fig. S1: spectral shapes. CIB: modified blackbody of 10.7 K and index 1.7.",
        ),
        "figureS3.png": (
            lambda: halos_of.plot_temperature(study),
            f"Fig. S3: C_l^TT of screening, beta = 100 without a cap of the mass, z < "
            f"{Z_MAX_TEMPERATURE:g}, beside toy map spectra. Mass and couplings are our choice.",
        ),
        "figureS11.png": (
            lambda: limits_of.plot_occupation(study),
            "Fig. S11: occupation K22 and K23; reach in l.",
        ),
        "figureS12.png": (
            lambda: limits_of.plot_gas(study),
            "Fig. S12: gas of one halo (mass and redshift are our choice) and limits.",
        ),
        "figureS13.png": (
            halos_of.plot_fields,
            "Fig. S13: simulated magnetic fields. TNG300-1 below 10^14 Msun is not bundled.",
        ),
        "figureS14.png": (
            lambda: halos_of.plot_cumulative(study),
            "Fig. S14: cumulative contributions at 3e-13 eV.",
        ),
        "figureS15.png": (
            lambda: limits_of.plot_constant_beta(study),
            "Fig. S15: constant beta beside the simulated field.",
        ),
    }


def write_screening_reproduction(
    folder: Path, study: ScreeningStudy, record: Mapping[str, Any]
) -> str:
    """All files of ``diffaxion reproduce screening``.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    study : ScreeningStudy
        Numbers of the reproduction [eV, GeV^-1, uK].
    record : mapping
        Provenance.

    Returns
    -------
    str
        The tables in Markdown, as written to ``reproduction.md``.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    write_limit_files(folder, limit_curves_of(study), [NOTE])
    figures = {}
    for name, (draw, caption) in figures_of(study).items():
        png = figure_bytes(draw())
        atomic_write(folder / name, png)
        figures[name] = (png, caption)
    compared = comparison_rows(study)
    wide = {
        "Steps from parity to default": breakdown_tables(study),
        "Robustness of the limit": [variant_table(study)],
        "Expected and published limits": [forecast_table(study)],
    }
    remarks = disagreements(study)
    parts = [NOTE, reading(study), *(f"- {text}" for text in remarks)]
    for name, tables in wide.items():
        parts += [f"### {name}", *(markdown_of(t) for t in tables)]
    parts += [f"### {n}\n\n{markdown_table(rows, REFERENCE)}" for n, rows in compared.items()]
    text = "\n\n".join(parts)
    atomic_write(folder / "reproduction.md", text)
    numbers = {n: [row_record(r, REFERENCE) for r in rows] for n, rows in compared.items()}
    summary = {
        name: [{"caption": t.caption, "columns": t.columns, "rows": t.rows} for t in tables]
        for name, tables in wide.items()
    }
    write_json(
        folder / "reproduction.json",
        {
            "paper": "arXiv:2409.10514",
            "nature": NOTE,
            "tables": numbers,
            "summaries": summary,
            "reading": reading(study),
            "remarks": remarks,
            "spectra": spectra_record(study),
            "provenance": record,
        },
    )
    sections: dict[str, Any] = {
        "What is compared": [Note(NOTE), reading(study), remarks],
        "Figures": [Image(f, c) for f, c in figures.values()],
        **wide,
        **{n: [comparison_table(r, reference=REFERENCE)] for n, r in compared.items()},
        "Assumptions of the recast": [list(RECAST_ASSUMPTIONS)],
    }
    write_report(folder / "report.html", "Goldstein et al. 2024, reproduced", sections, record)
    return text


def spectra_record(study: ScreeningStudy) -> dict[str, Any]:
    """C_l^Tg of the eight reference masses for ``reproduction.json``.

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    dict
        ``m_a_eV``, ``ell`` and, by configuration, C_l^Tg per (g/1e-12 GeV^-1)^2 [uK].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 2.
    """
    at = [study.at(m) for m in REFERENCE_MASSES_EV]
    chosen: Sequence[str] = ("parity", "default")
    return {
        "m_a_eV": list(REFERENCE_MASSES_EV),
        "ell": study.ell,
        "units": "uK per (g/1e-12 GeV^-1)^2",
        **{name: study.spectra[name][at] for name in chosen},
    }
