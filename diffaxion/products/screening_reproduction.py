"""Tables, figures and files of ``diffaxion reproduce screening``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..analyses import screening_rows as rows_of
from ..analyses.reproduce_screening import Z_MAX_TEMPERATURE, ScreeningStudy
from ..analyses.reproduce_xray import Row
from ..analyses.screening_breakdown import breakdown_rows
from ..analyses.screening_reference import (
    DEFAULT_OVER_PARITY,
    REFERENCE_MASSES_EV,
    VARIANT_LIMITS,
    VARIANT_MASSES_EV,
)
from ..likelihoods.bandpower_covariance import DEPROJECTIONS
from ..likelihoods.recast import RECAST_ASSUMPTIONS
from ..provenance import atomic_write, write_json
from . import screening_figures as limits_of
from . import screening_halo_figures as halos_of
from .limit_files import LimitCurve
from .plot_style import save_figure
from .report import Image, Note, Table, write_report
from .reproduction import comparison_table, markdown_table, row_record
from .xray import write_limit_files

REFERENCE = "reference"
NOTE = (
    "No bandpower, covariance or spectrum of arXiv:2409.10514 is public, only its limit curve. "
    "Numbers headed 'reference' come from an independent calculation with the same conventions; "
    "error bars, noise and forecasts are those of a toy sky (Asimov), not a measurement."
)


def reading(study: ScreeningStudy) -> str:
    """What the ratio of the expected to the published limit says, and what remains.

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    str
        A paragraph.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3.
    """
    at = [study.at(m) for m in REFERENCE_MASSES_EV]
    ratio = (study.forecast_GeV["tsz-cib"] / study.published_GeV)[at]
    cost = (study.forecast_GeV["tsz-cib-dbeta"] / study.forecast_GeV["tsz-cib"])[at]
    return (
        "Expected over published limit: with tSZ and CIB deprojected the ratio is "
        f"{ratio.min():.2f} to {ratio.max():.2f} at the eight reference masses. That it is flat "
        "supports the shape of the theory. What remains: the noise is a toy; the published "
        "analysis deprojects dbeta as well, which costs the toy a further factor "
        f"{cost.min():.2f} to {cost.max():.2f}; one observed limit scatters by -18/+23 % about its "
        "expectation; and g goes as the fourth root of the variance, so that 15 % in g is a factor "
        "1.75 in variance. Below 2.2e-13 eV the limit changes by a factor 1.7 to 1.9 per 5 % of "
        "mass, and the ratio there says little."
    )


def disagreements(study: ScreeningStudy) -> list[str]:
    """What differs from the reference by more than the tolerance, or needs a remark, and why.

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    list of str
        Sentences.

    References
    ----------
    ``screening_reference``.
    """
    compared = comparison_rows(study)
    outside = [
        f"{r.quantity}: {r.ours:.4g}, reference {r.published:.4g}"
        for rows in compared.values()
        for r in rows
        if np.isfinite(r.published) and not r.agrees
    ]
    found = study.breakdown
    worst = max(
        abs(found.total_percent[k, j] - value)
        for k, (values, _) in enumerate(DEFAULT_OVER_PARITY)
        for j, value in enumerate(values)
    )
    parity = np.abs(study.recast_ratio["parity"] - 1.0)
    above = study.m_a_eV >= REFERENCE_MASSES_EV[0]
    return [
        "outside the tolerance: " + ("; ".join(outside) if outside else "nothing"),
        f"default/parity: the ratios of C_l agree with the reference to {worst:.2f} % everywhere. "
        "Its ratio of limits at 2.2275e-13 eV would need all weight above l = 1900 to follow from "
        "its ratios of C_l, and is not reached",
        "recast: parity has hard edges and is not smooth in mass; between the masses of its "
        f"bundled table R(parity) is off by up to {100 * parity[above].max():.1f} % above "
        f"2.23e-13 eV and {100 * parity.max():.1f} % below, half of that in g. The rows compare "
        "models computed at the mass itself",
        "shares below a redshift or a mass: the reference adds up whole cells of its grid, half a "
        "cell too much; shares cut at the edge stand in the remarks",
    ]


def comparison_rows(study: ScreeningStudy) -> dict[str, list[Row]]:
    """All compared numbers by heading.

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    dict of str to list of Row
        Units are in the names.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    return {
        "From parity to default": breakdown_rows(study.breakdown),
        "Robustness: g95(variant)/g95(default)": rows_of.variant_rows(study),
        "Occupation: C_l ratios": rows_of.hod_rows(study),
        "Expected against published limit": rows_of.forecast_rows(study),
        "Recast": rows_of.recast_rows(study),
        "One-halo shares, C^gg and C^TT": rows_of.spectrum_rows(study),
        "Contributions by redshift and mass": rows_of.cumulative_rows(study),
        "Logarithmic derivatives": rows_of.derivative_rows(study),
    }


def breakdown_tables(study: ScreeningStudy) -> list[Table]:
    """Change of C_l and of the limit by every step, one table per mass.

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    list of Table
        Percent of C_l, and ratios of limits.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, and its public code (``parity``).
    """
    found = study.breakdown
    tables = []
    for k, mass in enumerate(found.m_a_eV):
        body: list[list[Any]] = [
            [label, *(f"{v:+.2f}" for v in percent), f"{ratio:.3f}"]
            for label, percent, ratio in zip(
                found.labels, found.steps_percent[:, k], found.limit_ratios[:, k], strict=True
            )
        ]
        total = found.g95_GeV[-1, k] / found.g95_GeV[1, k]
        body.append(
            ["all after the first", *(f"{v:+.2f}" for v in found.total_percent[k]), f"{total:.3f}"]
        )
        heads = ["step", *(f"l = {l:g} [%]" for l in found.ell), "g95 ratio"]
        tables.append(Table(heads, body, f"m_a = {mass:.4e} eV; limits with toy tSZ + CIB weights"))
    return tables


def variant_table(study: ScreeningStudy) -> Table:
    """g95(variant)/g95(default) in one table.

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    Table
        Ratios, dimensionless.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Figs. S11 to S15.
    """
    at = [study.at(m) for m in VARIANT_MASSES_EV]
    default = study.expected_GeV["default"]
    body = [
        [name, *(f"{v:.3g}" for v in (study.expected_GeV[name] / default)[at])]
        for name in VARIANT_LIMITS
    ]
    return Table(["variant", *(f"{m:.3g} eV" for m in VARIANT_MASSES_EV)], body)


def forecast_table(study: ScreeningStudy) -> Table:
    """Expected (toy noise) over published limit at the reference masses.

    Parameters
    ----------
    study : ScreeningStudy
        Numbers of the reproduction.

    Returns
    -------
    Table
        Ratios, dimensionless, by deprojection.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3.
    """
    at = [study.at(m) for m in REFERENCE_MASSES_EV]
    body: list[list[Any]] = [
        ["published g95 [1e-12 GeV^-1]", *(f"{1e12 * v:.3f}" for v in study.published_GeV[at])]
    ]
    for name in DEPROJECTIONS:
        ratio = (study.forecast_GeV[name] / study.published_GeV)[at]
        body.append([f"expected/published, {name}", *(f"{v:.3f}" for v in ratio)])
    ratio = (study.recast_GeV["default"] / study.published_GeV)[at]
    body.append(["recast to default/published", *(f"{v:.3f}" for v in ratio)])
    for name in DEPROJECTIONS[2:]:
        gain = study.long_gain[name][at]
        body.append([f"g95(l < 2402)/g95(l < 1952), {name}", *(f"{v:.3f}" for v in gain)])
    return Table(["", *(f"{m:.4g} eV" for m in REFERENCE_MASSES_EV)], body)


def markdown_of(table: Table) -> str:
    """A table of a report as Markdown.

    Parameters
    ----------
    table : Table
        The table.

    Returns
    -------
    str
        The table, with its caption above.

    References
    ----------
    GitHub Flavored Markdown.
    """
    lines = [f"{table.caption}\n"] if table.caption else []
    lines += ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    lines += ["| " + " | ".join(str(c) for c in row) + " |" for row in table.rows]
    return "\n".join(lines) + "\n"


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
        figures[name] = (draw(), caption)
        save_figure(figures[name][0], folder / name)
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
