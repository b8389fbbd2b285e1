"""Tables of the main job's report: priors with their sources, impacts, errors, halves."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any

import numpy as np

from ..analyses.analysis import MASS, STRENGTH
from ..analyses.impacts import IMPACT_MIN
from ..analyses.joint import JointResult
from ..analyses.joint_posterior import PosteriorRun
from ..constants import G_REF_GEV
from .joint_curves import bayes_curve, fixed_curves, limit_at, profile_curve, published_curves
from .joint_figures import ranked_nuisances, standardised_draws
from .report import Table

# Where the width of a prior is from, by path; the first match counts.
PRIOR_SOURCES: tuple[tuple[str, str], ...] = (
    ("clusters.*.ln_luminosity", "arXiv:2008.03305, errors of the 10-80 keV luminosity"),
    ("clusters.*.ln_metallicity_gain", "arXiv:2008.03305, systematic variations"),
    ("clusters.*.spectrum.z*", "draws of the cluster's stars from an ensemble"),
    ("clusters.wd1.distance_kpc", "arXiv:2008.03305, range of distances"),
    ("clusters.*.ln_density", "YMW16 against NE2001; width: choice"),
    ("galaxy.field.*norm*", "width: choice"),
    ("galaxy.field.inner.*", "arXiv:2008.03305, discussion of the inner kiloparsec"),
    ("galaxy.field.*", "Jansson & Farrar 2012, arXiv:1204.3662, fit errors"),
    ("galaxy.density.*", "width: choice"),
    ("halos.hod.*", "centres: arXiv:2409.10514, Table S2; width: choice"),
    ("halos.occupation.*", "centres: arXiv:2409.10514, Table S2; width: choice"),
    ("halos.gas.*", "centres: Battaglia 2016, arXiv:1607.02442; width: choice"),
    ("halos.field.*", "model: arXiv:2409.10514; width: choice"),
    ("halos.*", "width: choice"),
    ("cosmology.*", "Planck 2018, arXiv:1807.06209"),
)


def prior_source(path: str) -> str:
    """Where the prior of a parameter is from.

    Parameters
    ----------
    path : str
        Dotted path.

    Returns
    -------
    str
        Work, or that the width is a choice; ``configuration`` for other paths.

    References
    ----------
    Those of the table.
    """
    return next((s for pattern, s in PRIOR_SOURCES if fnmatch(path, pattern)), "configuration")


def prior_sensitivity_table(rows: list[dict[str, Any]], where: str) -> Table:
    """Limits under several priors of the coupling.

    Parameters
    ----------
    rows : list of dict
        ``prior_table`` of the summary [GeV^-1].
    where : str
        Mass, for the caption.

    Returns
    -------
    Table
        Limits in [1e-12 GeV^-1].

    References
    ----------
    None: a table.
    """
    cells = []
    for r in rows:
        refused = bool(r["refused"])
        limit, error = (r[k] / G_REF_GEV for k in ("g95_GeV", "error_GeV"))
        cells.append(
            [
                r["prior"],
                "refused" if refused else limit,
                None if refused else error,
                r["kish_ess"],
                r["refused"],
            ]
        )
    return Table(
        ["prior of g", "95 % limit [1e-12 GeV^-1]", "Monte Carlo error", "effective draws", ""],
        cells,
        f"{where}: limits with all nuisances marginalised. The lower end of the log-uniform prior "
        "decides its limit.",
    )


def nuisance_table(result: JointResult, run: PosteriorRun) -> Table:
    """Priors, posteriors and impacts of all nuisances, the most important first.

    Parameters
    ----------
    result : JointResult
        The run.
    run : PosteriorRun
        One posterior.

    Returns
    -------
    Table
        Tied and fixed parameters last, without an impact.

    References
    ----------
    Those of the priors.
    """
    explained = {r.path: r for r in run.analysis.data.bindings.explain()}
    z = standardised_draws(run)
    masses = sorted({r.m_a_eV for r in result.impacts})
    impacts = {(r.path, r.m_a_eV): r for r in result.impacts}
    ranked = ranked_nuisances(result, run)
    others = [p for p in explained if p not in ranked and p not in (STRENGTH, MASS)]
    rows = []
    for path in [*ranked, *others]:
        e = explained[path]
        row: list[Any] = [path, e.prior, e.unit]
        free = path in z
        row += [float(np.mean(z[path])), float(np.std(z[path]))] if free else [None, None]
        found = [impacts.get((path, m)) for m in masses]
        # Strings, because small impacts need more than a column of rounded numbers can show.
        row += [None if f is None else f"{f.impact:.2g}" for f in found]
        known = [f.impact for f in found if f is not None]
        idle = known and max(known) < IMPACT_MIN
        row += [f"below {IMPACT_MIN:g}: does not count" if idle else "", prior_source(path)]
        rows.append(row)
    columns = ["parameter", "prior", "unit", "posterior mean of z", "posterior width of z"]
    columns += [f"impact at {m:g} eV" for m in masses]
    caption = (
        "z: standard normal of the prior, so that mean 0 and width 1 are the prior itself. Impact: "
        "|d ln g95/dz| times the posterior width of z, the others fixed at their posterior means."
    )
    return Table([*columns, "remark", "source"], rows, caption)


def parameter_table(summary: Mapping[str, Any]) -> Table:
    """Posterior summaries and diagnostics.

    Parameters
    ----------
    summary : mapping
        Of :func:`joint_summary`.

    Returns
    -------
    Table
        One row per parameter, in its unit.

    References
    ----------
    Vehtari et al. 2021, arXiv:1903.08008.
    """
    keys = ("mean", "sd", "q05", "q50", "q95", "r_hat", "ess_bulk", "ess_tail")
    rows = [[n, *(v[k] for k in keys)] for n, v in summary["parameters"].items()]
    heads = ["parameter", "mean", "sd", "5 %", "50 %", "95 %", "R-hat", "bulk ESS", "tail ESS"]
    return Table(heads, rows, "Posterior with the prior of the run, uniform in u.")


def model_error_table(result: JointResult) -> Table | None:
    """What surrogates and coarse grids cost, for all posteriors.

    Parameters
    ----------
    result : JointResult
        The run.

    Returns
    -------
    Table or None
        Fractional errors [%]; None without any comparison.

    References
    ----------
    None: a table.
    """
    rows = []
    for run in result.runs:
        e = run.errors
        if e is None:
            continue
        for name, rms, worst in zip(e.names, e.rms, e.worst, strict=True):
            rows.append([run.name, name, 100 * rms, 100 * worst, 100 * e.shift, e.draws])
    heads = ["mass", "experiment", "rms [%]", "worst [%]", "shift of g95, all [%]", "draws"]
    text = (
        "Surrogates and coarse grids of the sampler against the direct models, on draws of the "
        "posterior: error of the size of the response, and of the limit."
    )
    return Table(heads, rows, text) if rows else None


def halves_table(result: JointResult) -> Table | None:
    """Each experiment against its own published curve, without and with nuisances.

    Parameters
    ----------
    result : JointResult
        The run.

    Returns
    -------
    Table or None
        Limits [1e-12 GeV^-1]; None where no published curve covers a reference mass.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Goldstein et al. 2024, arXiv:2409.10514.
    """
    c, published = result.configuration, published_curves()
    with_nuisances = {x.name: x for x in result.curves}
    rows: list[list[Any]] = []
    if result.scans:
        fixed = [x for x in fixed_curves(result) if x.method == "pcl" and "-" not in x.curve]
        name = "xray" if len(c.model.targets) > 1 else c.model.targets[0]
        ours = next((x for x in fixed if x.curve == name), None)
        # The published curve is that of both clusters.
        if name == "xray" and ours is not None and set(c.model.targets) == {"quintuplet", "wd1"}:
            shown = with_nuisances.get("xray")
            profile = None if shown is None else profile_curve(shown)
            for m in (1e-13, 1e-12, 1e-11):
                rows.append(_half_row("X rays", m, ours, profile, published["xray"]))
    shown = with_nuisances.get("cmb")
    if shown is not None and c.likelihoods.cmb == "recast":
        for m in (3e-13, 5e-13, 1e-12, 3e-12):
            rows.append(_half_row("CMB", m, None, bayes_curve(shown), published["cmb"]))
    rows = [r for r in rows if r[-1] is not None]
    heads = ["experiment", "m_a [eV]", "nuisances fixed", "with nuisances", "published"]
    text = (
        "95 % limits [1e-12 GeV^-1]. X rays: power-constrained profile limits. CMB: Bayesian "
        "limits, prior uniform in g; with the nuisances fixed at the fiducial point the recast "
        "is the published curve by construction where its anchor is the own model."
    )
    return Table(heads, rows, text) if rows else None


def _half_row(name: str, m: float, fixed: Any, nuisances: Any, published: Any) -> list[Any]:
    def at(curve: Any) -> float | None:
        value = float("nan") if curve is None else limit_at(curve, m) / G_REF_GEV
        return value if np.isfinite(value) else None

    return [name, m, at(fixed), at(nuisances), at(published)]
