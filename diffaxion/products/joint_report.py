"""Products of the main job: limits, posterior, figures, summary, report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..analyses.analysis import MASS, STRENGTH
from ..analyses.joint import JointResult
from ..analyses.reproduce_xray import flux_point_rows
from ..constants import G_REF_GEV
from ..inference.diagnostics import quantile_with_error
from ..provenance import atomic_write, write_json
from .citations import collect_references, format_citations
from .limit_files import LimitCurve
from .plot_style import save_figure
from .posterior_files import parameter_summary, write_posterior
from .posterior_plots import plot_corner, plot_nuisances
from .report import Image, Note, Table, Verbatim, write_report
from .reproduction import comparison_table
from .xray import (
    limit_figure,
    limit_table,
    scan_curve,
    scan_curves,
    significance_csv,
    write_limit_files,
)

_G_LABEL = r"$g_{a\gamma\gamma}$ [$10^{-12}$ GeV$^{-1}$]"
_M_LABEL = r"$\log_{10}(m_a/\mathrm{eV})$"


def nuisance_curves(result: JointResult) -> list[LimitCurve]:
    """Joint limits with all nuisances: profiled, and marginalised with a prior uniform in g.

    Parameters
    ----------
    result : JointResult
        Profile and Bayesian limits at k masses.

    Returns
    -------
    list of LimitCurve
        Methods ``profile-pcl`` and ``bayes`` [eV, GeV^-1], shape (k,).

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727 and arXiv:1105.3166.
    """
    limit = result.profile.limit
    coupling = limit.to_coupling()
    names = np.asarray(limit.status)
    curves = [
        LimitCurve(
            "joint",
            "profile-pcl",
            "",
            result.profile_masses_eV,
            np.asarray(coupling.pcl),
            np.where(names == 1, 0, names),
            *(
                np.asarray(x)
                for x in (coupling.median, coupling.minus1, coupling.plus1, coupling.plus2)
            ),
        )
    ]
    bayes = np.array([b.g_95_GeV for b in result.bayes])
    status = np.where(np.isfinite(bayes), "OK", "NOT_CONVERGED")
    curves.append(
        LimitCurve("joint", "bayes", "uniform_g", result.profile_masses_eV, bayes, status)
    )
    return curves


def joint_summary(result: JointResult, record: Mapping[str, Any]) -> dict[str, Any]:
    """Content of ``summary.json``.

    Parameters
    ----------
    result : JointResult
        The run.
    record : mapping
        Provenance.

    Returns
    -------
    dict
        ``parameters``, ``divergence_fraction``, ``converged``, ``reasons``, ``limits``,
        ``prior_table``, ``wall_s``, ``compile_s``, ``seed``, ``versions``; couplings [GeV^-1].

    References
    ----------
    None: a file format.
    """
    posterior = result.posterior
    profile = result.profile.limit.to_coupling()
    g = result.g_GeV()
    error = quantile_with_error(g, result.configuration.coupling.confidence)
    model = result.configuration.model
    limits = {
        f"joint@{mass:.4g}eV": {
            "m_a_eV": float(mass),
            "g95_bayes": result.bayes[k].g_95_GeV,
            "prior": "uniform_g",
            "g95_profile": float(profile.pcl[k]),
            "status": nuisance_curves(result)[0].status[k],
            "configuration": f"{model.signal}/{model.field}/{model.density}",
        }
        for k, mass in enumerate(result.profile_masses_eV)
    }
    return {
        "parameters": parameter_summary(posterior),
        "divergence_fraction": float(posterior.diverging.mean()),
        "converged": posterior.converged,
        "reasons": list(posterior.reasons),
        "limits": limits,
        "prior_table": [
            {
                "prior": m.prior,
                "g95_GeV": m.g_95_GeV,
                "error_GeV": m.error_GeV,
                "kish_ess": m.kish,
                "refused": m.reason,
            }
            for m in result.marginal
        ],
        "g95_run_prior_uniform_g2": {
            "value_GeV": float(error.value),
            "monte_carlo_error_GeV": float(error.error),
        },
        "signal": model.signal,
        "wall_s": float(sum(result.seconds.values())),
        "compile_s": result.compile_s,
        "steps_s": result.seconds,
        "seed": record.get("seed"),
        "versions": record.get("versions"),
    }


def corner_draws(result: JointResult) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Draws and labels of the corner plot, with the prior uniform in g.

    Parameters
    ----------
    result : JointResult
        The run.

    Returns
    -------
    draws : dict of str to array, shape (d,)
        g [1e-12 GeV^-1], log10 of the mass [eV], nuisances in their units.
    labels : dict of str to str
        LaTeX labels.

    References
    ----------
    None: a selection.
    """
    found = result.headline or {"g_GeV": result.g_GeV(), **result.posterior.draws}
    draws = {"g": found["g_GeV"] / G_REF_GEV}
    labels = {"g": _G_LABEL, **result.analysis.data.bindings.labels}
    if MASS in result.analysis.names:
        draws["log10_m"] = np.log10(found[MASS])
        labels["log10_m"] = _M_LABEL
    draws |= {n: found[n] for n in result.analysis.names if n not in (MASS, STRENGTH)}
    return draws, labels


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
        ``posterior.h5``, ``limits.csv``, ``significance.csv``, ``limits/*.txt``,
        ``limits.png``, ``signals.png``,
        ``corner.png``, ``nuisances.png``, ``summary.json``, ``report.html``.

    References
    ----------
    Those printed in the report.
    """
    signal = result.configuration.model.signal
    scans = scan_curves(result.scans, signal)
    with_nuisances = nuisance_curves(result)
    write_limit_files(
        folder, [*scans, *with_nuisances], [f"configuration {record.get('config_sha256')}"]
    )
    write_posterior(
        folder / "posterior.h5", result.posterior, result.g_GeV(), result.headline, record
    )
    atomic_write(folder / "significance.csv", significance_csv(result.scans))
    summary = joint_summary(result, record)
    write_json(folder / "summary.json", summary)

    drawn = [scan_curve(s, signal, signal) for s in result.scans[signal]]
    shown = [*drawn, *with_nuisances]
    # The last scan of a mode is the joint one, or that of the only target.
    modes = sorted(result.scans, key=lambda m: m != signal)
    both = [scan_curve(result.scans[m][-1], m, signal) for m in modes]
    draws, labels = corner_draws(result)
    names = [n for n in result.analysis.names if n not in (MASS, STRENGTH)]
    figures = {
        "limits.png": limit_figure(shown),
        "signals.png": limit_figure(both),
        "corner.png": plot_corner(draws, labels),
    }
    if names:
        z = {n: result.posterior.draws[f"{n}_std"] for n in names}
        figures["nuisances.png"] = plot_nuisances(z, labels)
    for name, figure in figures.items():
        save_figure(figure, folder / name)
    write_report(
        folder / "report.html",
        "Axion limits from star clusters",
        _sections(result, summary, figures),
        record,
    )


def _sections(
    result: JointResult, summary: Mapping[str, Any], figures: Mapping[str, Any]
) -> dict[str, Any]:
    """Sections of the report, in reading order."""
    posterior = result.posterior
    verdict = "passed all convergence gates" if posterior.converged else "DID NOT CONVERGE"
    low, high = result.configuration.mass.prior_eV
    mass_text = (
        f"mass log-uniform in [{low:g}, {high:g}] eV"
        if result.configuration.mass.fixed_eV is None
        else f"mass fixed at {result.configuration.mass.fixed_eV:g} eV"
    )
    priors = [
        [
            m.prior,
            "refused" if m.reason else m.g_95_GeV / G_REF_GEV,
            "" if m.reason else m.error_GeV / G_REF_GEV,
            m.kish,
            m.reason,
        ]
        for m in result.marginal
    ]
    parameters = [
        [n, *(v[k] for k in ("mean", "sd", "q05", "q50", "q95", "r_hat", "ess", "ess_tail"))]
        for n, v in summary["parameters"].items()
    ]
    explained = [
        [r.path, r.prior, r.unit, r.width] for r in result.analysis.data.bindings.explain()
    ]
    references = [
        "arXiv:2008.03305",
        *collect_references(result.world, result.analysis.data.probes),
    ]
    posterior_items: list[Any] = [
        f"NUTS with {posterior.settings['chains']} chains of {posterior.settings['draws']} draws "
        f"{verdict}; divergences {100 * summary['divergence_fraction']:.3g} %; {mass_text}. The "
        "coupling is sampled uniformly in u = (g/1e-12 GeV^-1)^2; limits under other priors are "
        "obtained by quadrature in the coupling for every draw of the nuisances.",
        *(Note(reason) for reason in posterior.reasons),
        Table(
            [
                "prior",
                "95 % limit [1e-12 GeV^-1]",
                "Monte Carlo error",
                "effective draws",
                "remark",
            ],
            priors,
            "Bayesian limits with all nuisances and the mass marginalised. The lower end of the "
            "log-uniform prior decides its limit.",
        ),
        Image(
            figures["corner.png"],
            "Posterior of coupling, mass and nuisance parameters, prior uniform in "
            + ("g." if result.headline else "g^2, that of the run."),
        ),
    ]
    if "nuisances.png" in figures:
        posterior_items.append(
            Image(figures["nuisances.png"], "Nuisances in units of their prior widths.")
        )
    posterior_items.append(
        Table(
            ["parameter", "mean", "sd", "5 %", "50 %", "95 %", "R-hat", "ESS", "tail ESS"],
            parameters,
            "Posterior summaries.",
        )
    )
    return {
        "Limits": [
            Image(
                figures["limits.png"],
                "95 % power-constrained limits with expected bands, over the published limit of "
                "the same search and those of other experiments. Dashed: masses at which edges of "
                "the field model would set the conversion. There the edges are smoothed, and what "
                "is left is set by field and density at the two ends of the line; the shaded "
                "spread over three smoothing widths is not the uncertainty of that.",
            ),
            Table(
                ["signal", "target", "limit [1e-12 GeV^-1]", "median", "a_hat/sigma", "status"],
                limit_table(result.scans, 1e-13),
                "At 1e-13 eV. The signal modes differ in what sets the luminosity scale: the "
                "published signal curve, or our stellar spectra anchored to the published 10-80 "
                "keV luminosity and folded with a synthetic effective area (on-axis, one module, "
                "scale uncertain by 15 %; spectra of one 85 Msun track).",
            ),
        ],
        "Published and anchored signals": [
            Image(figures["signals.png"], "Limits of both signal modes."),
        ],
        "Against the published numbers": [
            comparison_table(flux_point_rows()),
            "The limits of the published spectra are 7-18 % weaker than the published limits. The "
            "cause is not understood, and nothing was tuned to remove it.",
        ],
        "Posterior": posterior_items,
        "Priors": [Table(["path", "prior", "unit", "width"], explained)],
        "Works to cite": [Verbatim(format_citations(references))],
    }
