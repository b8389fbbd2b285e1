"""Products of the main job: limits, posteriors, figures, summaries and the report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..analyses.joint import JointResult
from ..analyses.joint_posterior import PosteriorRun
from ..analyses.reproduce_xray import flux_point_rows
from ..constants import G_REF_GEV
from ..likelihoods.recast import RECAST_ASSUMPTIONS
from ..provenance import atomic_write, write_json
from .citations import collect_references, format_citations
from .joint_curves import BAYES, nuisance_curves, reference_table, write_joint_limits
from .joint_figures import joint_figures, run_suffix
from .joint_summary import constraining_masses, joint_summary, own_limit
from .joint_tables import (
    halves_table,
    model_error_table,
    nuisance_table,
    parameter_table,
    prior_sensitivity_table,
)
from .plot_style import figure_bytes
from .posterior_files import write_posterior
from .report import Image, Note, Table, Verbatim, write_report
from .reproduction import comparison_table
from .xray import limit_table, significance_csv

TITLE = "Axion limits from star clusters and the microwave sky"


def write_joint_products(folder: Path, result: JointResult, record: Mapping[str, Any]) -> None:
    """All files of ``diffaxion joint``.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    result : JointResult
        The run.
    record : mapping
        Provenance: seed, versions, configuration, devices.

    Returns
    -------
    None
        ``limits.csv``, ``limits/*.txt``, ``limits.png``, with X rays ``significance.csv`` and
        ``signals.png``, and for each posterior ``posterior.h5``, ``summary.json``,
        ``corner.png``, ``nuisances.png`` (those of a second one end in ``_mass``), and
        ``report.html`` about all of them.

    References
    ----------
    Those printed in the report.
    """
    write_joint_limits(folder, result, f"configuration {record.get('config_sha256')}")
    if result.scans:
        atomic_write(folder / "significance.csv", significance_csv(result.scans))
    summaries = []
    for run in result.runs:
        end = run_suffix(result, run)
        path = folder / f"posterior{end}.h5"
        write_posterior(path, run.posterior, run.g_GeV(), run.headline, record)
        summaries.append(joint_summary(result, run, record))
        write_json(folder / f"summary{end}.json", summaries[-1])
    images = {name: figure_bytes(figure) for name, figure in joint_figures(result).items()}
    for name, data in images.items():
        atomic_write(folder / name, data)
    sections = report_sections(result, summaries, images)
    write_report(folder / "report.html", TITLE, sections, record)


def report_sections(
    result: JointResult, summaries: list[dict[str, Any]], images: Mapping[str, bytes]
) -> dict[str, Any]:
    """Sections of the report, in reading order.

    Parameters
    ----------
    result : JointResult
        The run.
    summaries : list of dict
        One per posterior.
    images : mapping of str to bytes
        PNG files by name.

    Returns
    -------
    dict
        Heading to items, as :func:`~diffaxion.products.report.build_report` takes them.

    References
    ----------
    Those printed in the last section.
    """
    sections: dict[str, Any] = {
        "What was done, and the verdict": _verdict(result, summaries),
        "Limits": _limits(result, images),
        "Priors of the coupling": _priors(result, summaries),
    }
    for run, summary in zip(result.runs, summaries, strict=True):
        sections[f"Posterior, {_where(run)}"] = _posterior(result, run, summary, images)
    sections["Nuisance parameters"] = nuisance_table(result, result.runs[0])
    sections["Errors of the model"] = _errors(result)
    sections |= _recast(result)
    sections["Each half against its published curve"] = _halves(result, images)
    sections["Works to cite"] = Verbatim(format_citations(_references(result)))
    return sections


def _where(run: PosteriorRun) -> str:
    return "mass sampled" if run.m_a_eV is None else f"mass fixed at {run.m_a_eV:g} eV"


def _verdict(result: JointResult, summaries: list[dict[str, Any]]) -> list[Any]:
    c = result.configuration
    halves = []
    if c.likelihoods.xray:
        what = "NuSTAR"
        if result.images:
            what = f"flux points of count images with Gaussian errors: {'; '.join(result.images)}"
        halves.append(f"X rays of {', '.join(c.model.targets)} ({what}; {c.model.signal} signal)")
    if c.likelihoods.cmb == "recast":
        halves.append("the recast of the Planck x unWISE screening limit")
    elif c.likelihoods.cmb != "none":
        halves.append(f"screening bandpowers ({c.likelihoods.cmb})")
    free = len(result.runs[0].analysis.names)
    items: list[Any] = [
        f"Data: {' and '.join(halves)}. The coupling, the mass where it is sampled, and all "
        f"nuisances ({free} parameters in the first posterior) are constrained together: "
        "marginalised by NUTS, and profiled. The coupling is sampled uniformly in u = (g/1e-12 "
        "GeV^-1)^2; limits under other priors follow by quadrature in the coupling for every draw "
        "of the nuisances.",
        [row["text"] for row in constraining_masses(result)],
    ]
    for run, summary in zip(result.runs, summaries, strict=True):
        p, settings = run.posterior, run.posterior.settings
        verdict = "passed all convergence gates" if p.converged else "DID NOT CONVERGE"
        text = (
            f"Posterior, {_where(run)}: {settings['chains']} chains of {settings['draws']} draws "
            f"{verdict}; divergences {100 * summary['divergence_fraction']:.3g} %."
        )
        if p.converged:
            name, entry = own_limit(result, run)
            found = [f"g < {entry['g95_bayes'] / G_REF_GEV:.4g}e-12 GeV^-1 (Bayes, uniform g >= 0)"]
            if not np.isfinite(entry["g95_bayes"]):
                found = [f"no Bayesian limit: {run.marginal[0].reason}"]
            if np.isfinite(entry["g95_profile"]):
                found.append(f"g < {entry['g95_profile'] / G_REF_GEV:.4g}e-12 GeV^-1 (profile)")
            items.append(f"{text} 95 % limits, {name}: {'; '.join(found)}.")
        else:
            items.append(Note(f"{text} No Bayesian limit is quoted from it."))
            items.append(list(p.reasons))
        items += [Note(note) for note in run.notes]
    return items


def _limits(result: JointResult, images: Mapping[str, bytes]) -> list[Any]:
    curves = nuisance_curves(result)
    columns, rows = reference_table(curves)
    return [
        Image(
            images["limits.png"],
            "95 % limits with all nuisances: the joint power-constrained profile limit with its "
            "expected bands, the Bayesian one, and the profile limit of each experiment, over the "
            "published curves of both (dotted) and other experiments (grey). A curve stops where "
            "its experiment has no sensitivity.",
        ),
        Table(
            columns,
            rows,
            "95 % limits [1e-12 GeV^-1] at reference masses, between the masses of the profile by "
            "interpolation; empty where the status is not OK.",
        ),
    ]


def _priors(result: JointResult, summaries: list[dict[str, Any]]) -> list[Any]:
    items: list[Any] = []
    for run, summary in zip(result.runs, summaries, strict=True):
        items.append(prior_sensitivity_table(summary["prior_table"], f"Posterior, {_where(run)}"))
        e = summary["evidence"]
        if e["ln_b01"] is not None:
            items.append(
                f"Evidence: ln B01 = {e['ln_b01']:.3f} +- {e['error']:.3f} for no signal against "
                f"one with {e['prior']}."
            )
    return items


def _posterior(
    result: JointResult, run: PosteriorRun, summary: Mapping[str, Any], images: Mapping[str, bytes]
) -> list[Any]:
    end = run_suffix(result, run)
    prior = "g" if run.headline else "g^2, that of the run"
    shown = (
        "Coupling, mass where it is sampled, and the nuisances with the largest impact; 68 % and "
        f"95 % regions, prior uniform in {prior}."
    )
    items: list[Any] = [Image(images[f"corner{end}.png"], shown)]
    if f"nuisances{end}.png" in images:
        text = "All nuisances in units of their prior widths: prior bands, posterior intervals."
        items.append(Image(images[f"nuisances{end}.png"], text))
    return [*items, parameter_table(summary)]


def _errors(result: JointResult) -> list[Any]:
    table = model_error_table(result)
    if table is None:
        return ["No surrogate was compared with its direct model in this run."]
    return [table]


def _recast(result: JointResult) -> dict[str, Any]:
    likelihoods = result.configuration.likelihoods
    if likelihoods.cmb != "recast":
        return {}
    anchors = {
        "own": "R = 1 at the fiducial point of the model used here",
        "paper": "R = 1 under the conventions of the published analysis",
    }
    items: list[Any] = [
        "The published curve enters as one Gaussian point in u, scaled by R, the response of the "
        "model along the fiducial bandpowers. Assumptions:",
        list(RECAST_ASSUMPTIONS),
        f"Anchor of this run: {likelihoods.anchor} ({anchors[likelihoods.anchor]}).",
    ]
    if result.variants:
        main = [c for c in nuisance_curves(result) if c.method == BAYES]
        chosen = [c for c in main if c.curve.split("-")[0] in ("joint", "cmb")]
        columns, rows = reference_table(chosen)
        items.append(
            Table(columns, rows, "Bayesian limits [1e-12 GeV^-1], prior uniform in g >= 0.")
        )
    return {"Assumptions of the recast": items}


def _halves(result: JointResult, images: Mapping[str, bytes]) -> list[Any]:
    items: list[Any] = []
    table = halves_table(result)
    if table is not None:
        items.append(table)
    if result.scans:
        items += [
            Image(
                images["signals.png"],
                "X-ray limits with nuisances fixed, both signal modes. Dashed: masses at which "
                "edges of the field model would set the conversion. There the edges are smoothed, "
                "and what is left is set by field and density at the two ends of the line; the "
                "shaded spread over three smoothing widths is not the uncertainty of that.",
            ),
            Table(
                ["signal", "target", "limit [1e-12 GeV^-1]", "median", "a_hat/sigma", "status"],
                limit_table(result.scans, 1e-13),
                "X rays at 1e-13 eV, nuisances fixed. The signal modes differ in what sets the "
                "luminosity scale: the published signal curve, or our stellar spectra anchored to "
                "the published 10-80 keV luminosity and folded with a synthetic effective area "
                "(on-axis, one module, scale uncertain by 15 %; spectra of one 85 Msun track).",
            ),
            comparison_table(flux_point_rows(), "X-ray numbers against the published ones."),
            "The limits of the published spectra are 7-18 % weaker than the published limits. The "
            "cause is not understood, and nothing was tuned to remove it.",
        ]
    return items or ["No published curve covers the masses of this run."]


def _references(result: JointResult) -> list[str]:
    likelihoods = result.configuration.likelihoods
    first = ["arXiv:2008.03305"] if likelihoods.xray else []
    first += ["arXiv:2409.10514"] if likelihoods.cmb != "none" else []
    probes = [p for run in result.runs for p in run.analysis.data.probes]
    return [*first, *collect_references(result.world, probes, result.recipe.cmb)]
