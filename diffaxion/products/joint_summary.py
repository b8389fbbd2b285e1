"""Content of ``summary.json``: parameters, limits, gates, evidence, errors of one posterior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..analyses.impacts import IMPACT_MIN
from ..analyses.joint import JointResult
from ..analyses.joint_posterior import PosteriorRun
from ..analyses.recast_probe import RecastProbe
from ..inference.diagnostics import quantile_with_error
from ..inference.limits import LimitStatus
from .joint_curves import PROFILE, bayes_curve, bayes_status, limit_at, profile_curve
from .posterior_files import fixed_values, parameter_summary


def configuration_name(result: JointResult) -> str:
    """Models of a run in a few words.

    Parameters
    ----------
    result : JointResult
        The run.

    Returns
    -------
    str
        Such as ``xray published/jf12/ymw16 + cmb recast/own/default``.

    References
    ----------
    None: a name.
    """
    c = result.configuration
    parts = []
    if c.likelihoods.xray:
        images = " images" if result.images else ""
        parts.append(f"xray{images} {c.model.signal}/{c.model.field}/{c.model.density}")
    if c.likelihoods.cmb != "none":
        anchor = f"/{c.likelihoods.anchor}" if c.likelihoods.cmb == "recast" else ""
        parts.append(f"cmb {c.likelihoods.cmb}{anchor}/{c.screening.configuration}")
    return " + ".join(parts)


def own_limit(result: JointResult, run: PosteriorRun) -> tuple[str, dict[str, Any]]:
    """Name and entry of the limit at the posterior's own mass.

    Parameters
    ----------
    result : JointResult
        The run.
    run : PosteriorRun
        One posterior.

    Returns
    -------
    name : str
        Such as ``joint@5e-13eV``, or ``joint@sampled``.
    entry : dict
        Bayesian limit of the run, prior uniform in g, and the profile limit between the masses
        of the profile [GeV^-1]; NaN where there is none, or the mass was sampled.

    References
    ----------
    None: a table.
    """
    main = result.curves[0]
    bayes = run.marginal[0]
    sampled = run.m_a_eV is None
    where = "sampled" if sampled else f"{run.m_a_eV:.4g}eV"
    profile = float("nan") if sampled else limit_at(profile_curve(main), float(run.m_a_eV or 0))
    entry = {
        "m_a_eV": run.m_a_eV,
        "g95_bayes": bayes.g_95_GeV,
        "prior": "uniform_g",
        "g95_profile": profile,
        "status": (bayes_status(bayes) if run.posterior.converged else LimitStatus(7)).name,
        "configuration": configuration_name(result),
    }
    if sampled:
        entry["m_a_prior"] = "log-uniform in [{:g}, {:g}] eV".format(
            *result.configuration.mass.prior_eV
        )
    return f"{main.name}@{where}", entry


def limit_entries(result: JointResult, run: PosteriorRun) -> dict[str, dict[str, Any]]:
    """Entries ``limits`` of the summary: the posterior's own, and every mass of every profile.

    Parameters
    ----------
    result : JointResult
        The run.
    run : PosteriorRun
        One posterior.

    Returns
    -------
    dict of str to dict
        ``m_a_eV, g95_bayes, prior, g95_profile, status, configuration`` [eV, GeV^-1]. The status
        is that of the profile limit, or of the Bayesian one where that is worse; a limit is
        NaN where its own status is not OK.

    References
    ----------
    None: a file format.
    """
    name, entry = own_limit(result, run)
    entries = {name: entry}
    for curve in result.curves:
        profile, bayes = profile_curve(curve), bayes_curve(curve)
        for k, mass in enumerate(curve.m_a_eV):
            codes = (LimitStatus[str(c.status[k])] for c in (profile, bayes))
            found = {
                "m_a_eV": float(mass),
                "g95_bayes": float(bayes.limit[k]),
                "prior": "uniform_g",
                "g95_profile": float(profile.limit[k]),
                "status": max(codes).name,
                "configuration": configuration_name(result),
            }
            # The posterior's own entry is the more precise one where both have the same mass.
            entries.setdefault(f"{curve.name}@{mass:.4g}eV", found)
    return entries


def constraining_masses(result: JointResult) -> list[dict[str, Any]]:
    """Where each experiment constrains at all.

    Parameters
    ----------
    result : JointResult
        The run.

    Returns
    -------
    list of dict
        ``experiment``, ``from_eV``, ``to_eV`` and a sentence, ``text``; masses [eV].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Goldstein et al. 2024, arXiv:2409.10514.
    """
    c, rows = result.configuration, []
    if c.likelihoods.xray:
        top = c.numerics.field_structure_above_eV
        rows.append(
            {
                "experiment": "xray",
                "from_eV": 0.0,
                "to_eV": top,
                "text": "X rays of star clusters: constrain from m -> 0, where the conversion no "
                f"longer depends on the mass, up to {top:g} eV, above which edges of the field "
                "model would decide",
            }
        )
    probe = result.recipe.cmb
    if isinstance(probe, RecastProbe):
        low, high = probe.mass_range_eV
        rows.append({"experiment": "cmb", "from_eV": low, "to_eV": high, "text": probe.describe()})
    elif probe is not None:
        low, high = c.mass.prior_eV
        text = f"bandpowers ({c.likelihoods.cmb}): constrain where halos have resonances"
        rows.append({"experiment": "cmb", "from_eV": low, "to_eV": high, "text": text})
    return rows


def prior_rows(result: JointResult, run: PosteriorRun) -> list[dict[str, Any]]:
    """The prior-sensitivity table: priors of one run, the direct run, the profile limit.

    Parameters
    ----------
    result : JointResult
        The run.
    run : PosteriorRun
        One posterior.

    Returns
    -------
    list of dict
        ``prior, g95_GeV, error_GeV, kish_ess, refused`` [GeV^-1].

    References
    ----------
    Kish 1965, Survey Sampling (effective sample size).
    """
    named = [(m.prior, m) for m in run.marginal]
    if run.confirmation is not None:
        named.append(("uniform_g, sampled directly", run.confirmation))
    rows: list[dict[str, Any]] = [
        {
            "prior": name,
            "g95_GeV": m.g_95_GeV,
            "error_GeV": m.error_GeV,
            "kish_ess": m.kish,
            "refused": m.reason,
        }
        for name, m in named
    ]
    profile = own_limit(result, run)[1]["g95_profile"]
    if np.isfinite(profile):
        none = float("nan")
        rows.append(
            {
                "prior": f"none ({PROFILE})",
                "g95_GeV": profile,
                "error_GeV": none,
                "kish_ess": none,
                "refused": "",
            }
        )
    return rows


def joint_summary(
    result: JointResult, run: PosteriorRun, record: Mapping[str, Any]
) -> dict[str, Any]:
    """Content of ``summary.json`` or ``summary_mass.json``.

    Parameters
    ----------
    result : JointResult
        The run.
    run : PosteriorRun
        The posterior that this file is about.
    record : mapping
        Provenance.

    Returns
    -------
    dict
        ``parameters`` (``ess`` is the smaller of ``ess_bulk`` and ``ess_tail``), ``fixed``,
        ``divergence_fraction``, ``converged``, ``reasons``, ``limits``, ``prior_table``,
        ``evidence``, ``model_error``, ``impacts``, ``constrains``, ``wall_s``, ``compile_s``,
        ``seed``, ``versions``; couplings [GeV^-1]. A run that failed the gates has no Bayesian
        limit and no evidence.

    References
    ----------
    None: a file format.
    """
    posterior, c = run.posterior, result.configuration
    ok = posterior.converged
    raw = quantile_with_error(run.g_GeV(), c.coupling.confidence)
    errors = run.errors
    return {
        "posterior": f"mass {run.name}",
        "configuration": configuration_name(result),
        "parameters": parameter_summary(posterior),
        "fixed": fixed_values(posterior),
        "divergence_fraction": float(posterior.diverging.mean()),
        "converged": ok,
        "reasons": list(posterior.reasons),
        "notes": list(run.notes),
        "limits": limit_entries(result, run),
        "prior_table": prior_rows(result, run),
        "g95_run_prior_uniform_g2": {
            "value_GeV": float(raw.value) if ok else None,
            "monte_carlo_error_GeV": float(raw.error) if ok else None,
        },
        "evidence": {
            "ln_b01": run.evidence.log_b01 if ok else None,
            "error": run.evidence.error if ok else None,
            "prior": f"u = (g/1e-12 GeV^-1)^2 uniform on [0, {run.evidence.u_max:g}]; B_01, the "
            "evidence for no signal, is proportional to the end of this prior",
            "u_max": run.evidence.u_max,
        },
        "model_error": None
        if errors is None
        else {
            "draws": errors.draws,
            "shift_ln_g95": errors.shift,
            "probes": {
                name: {"rms": rms, "worst": worst}
                for name, rms, worst in zip(errors.names, errors.rms, errors.worst, strict=True)
            },
        },
        "impacts": [
            {
                "path": r.path,
                "unit": r.unit,
                "m_a_eV": r.m_a_eV,
                "d_ln_g95_d_zeta": r.d_ln_g,
                "posterior_width": r.width,
                "impact": r.impact,
                "counts": r.impact >= IMPACT_MIN,
            }
            for r in result.impacts
        ],
        "constrains": constraining_masses(result),
        "wall_s": float(sum(result.seconds.values())),
        "compile_s": run.compile_s,
        "steps_s": result.seconds,
        "seed": record.get("seed"),
        "versions": record.get("versions"),
    }
