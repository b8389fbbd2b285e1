"""Tables and remarks of the screening reproduction."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..analyses import screening_rows as rows_of
from ..analyses.reproduce_screening import ScreeningStudy
from ..analyses.reproduce_xray import Row
from ..analyses.screening_breakdown import breakdown_rows
from ..analyses.screening_reference import (
    DEFAULT_OVER_PARITY,
    REFERENCE_MASSES_EV,
    VARIANT_LIMITS,
    VARIANT_MASSES_EV,
)
from ..likelihoods.bandpower_covariance import DEPROJECTIONS
from .report import Table

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
        [name, *(f"{v:.3f}" for v in (study.expected_GeV[name] / default)[at])]
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
