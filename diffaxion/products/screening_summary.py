"""What limits from screening say, mass by mass and beside the published curve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..analyses.screening_data import ScreeningData
from ..analyses.screening_limits import ScreeningLimits
from ..constants import G_REF_GEV
from .limit_files import LimitCurve
from .overlays import load_overlay

# The prior of the published limit: its curve is drawn, compared and named without addition.
MAIN_PRIOR = "uniform_g"
SAME_SEARCH = "planck_unwise"


def published_screening_limit() -> LimitCurve:
    """The published Planck x unWISE limit, 156 masses from 1.7248e-13 to 2.5848e-12 eV.

    Returns
    -------
    LimitCurve
        95 % one-tailed, prior uniform in g [eV, GeV^-1]; without bands.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3.
    """
    table = load_overlay(SAME_SEARCH)
    return LimitCurve("Planck x unWISE", "bayes", MAIN_PRIOR, table.m_a_eV, table.g_GeV)


def published_at(m_a_eV: np.ndarray) -> np.ndarray:
    """The published limit at masses: ln g linear in ln m, NaN outside the curve.

    Parameters
    ----------
    m_a_eV : array, shape (n,)
        Masses [eV].

    Returns
    -------
    array, shape (n,)
        Limits [GeV^-1].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3.
    """
    curve = published_screening_limit()
    at, known = np.log(m_a_eV), np.log(curve.m_a_eV)
    slack = 1e-9
    inside = (at >= known[0] - slack) & (at <= known[-1] + slack)
    return np.where(inside, np.exp(np.interp(at, known, np.log(curve.limit_raw))), np.nan)


def _finite(value: Any) -> float:
    number = float(value)
    return number if np.isfinite(number) else float("nan")


def screening_summary(
    limits: ScreeningLimits, options: Mapping[str, Any], explicit: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything a reader needs to know about the limits, mass by mass.

    Parameters
    ----------
    limits : ScreeningLimits
        Limits at n masses [eV, GeV^-1].
    options : mapping
        All choices of the model.
    explicit : mapping
        Those that were given on the command line.

    Returns
    -------
    dict
        ``data``, ``assumptions``, ``residuals`` (residual foregrounds that were marginalised, with
        their amplitudes without signal), ``configuration``, ``overrides``, ``options``, ``chi2``,
        ``dof``, ``pte`` (null for the recast, which has no points), ``strongest`` and ``masses``:
        per mass u_hat, sigma, limits for every prior and from the profile, the published limit
        and the ratio to it; for the recast R and R/R_norm.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    published = published_at(limits.m_a_eV)
    main, coupling = limits.bayes[MAIN_PRIOR], limits.coupling
    rows = []
    for k, mass in enumerate(limits.m_a_eV):
        row: dict[str, Any] = {
            "m_a_eV": float(mass),
            "status": limits.status[k],
            "u_hat": _finite(limits.u_hat[k]),
            "sigma_u": _finite(limits.sigma[k]),
            "g95_GeV": {name: _finite(b.limit[k]) for name, b in limits.bayes.items()},
            "g95_expected_GeV": {name: _finite(b.median[k]) for name, b in limits.bayes.items()},
            "profile_GeV": {
                "q": _finite(coupling.g_95[k]),
                "pcl": _finite(coupling.pcl[k]),
                "expected": _finite(coupling.median[k]),
            },
            "published_GeV": _finite(published[k]),
            "ratio_to_published": _finite(main.limit[k] / published[k]),
        }
        if limits.recast is not None:
            row["R"] = _finite(limits.recast.ratio[k])
            row["R_over_R_norm"] = _finite(limits.recast.match[k])
        rows.append(row)
    data, points = limits.data, limits.recast is None
    best = int(np.argmin(main.limit))
    return {
        "data": {"kind": data.kind, "label": data.label, "seed": data.seed, "nu_GHz": data.nu_GHz},
        "assumptions": list(data.caveats),
        "residuals": residual_rows(data),
        "configuration": options["configuration"],
        "overrides": dict(explicit),
        "options": dict(options),
        "priors": {name: b.prior for name, b in limits.bayes.items()},
        "g_unit": "GeV^-1",
        "u": "(g/1e-12 GeV^-1)^2",
        "chi2": limits.chi2_null if points else None,
        "dof": limits.dof if points else None,
        "pte": limits.p_null if points else None,
        "strongest": {"m_a_eV": rows[best]["m_a_eV"], "g95_GeV": rows[best]["g95_GeV"][MAIN_PRIOR]},
        "masses": rows,
    }


def residual_rows(data: ScreeningData) -> list[dict[str, Any]]:
    """Residual foregrounds of the data: prior and, without signal, posterior of each amplitude.

    Parameters
    ----------
    data : ScreeningData
        Bandpowers [uK], with or without residuals.

    Returns
    -------
    list of dict
        ``name``, ``prior_sigma``, ``mean`` and ``sigma``, one per residual.

    References
    ----------
    Bridle et al. 2002, astro-ph/0112114.
    """
    if data.residuals is None:
        return []
    mean, covariance = data.residuals.fit(data.points, jnp.zeros_like(data.points.data))
    return [
        {"name": n, "prior_sigma": float(s), "mean": float(m), "sigma": float(v**0.5)}
        for n, s, m, v in zip(
            data.residuals.names, data.residuals.sigma, mean, jnp.diagonal(covariance)
        )
    ]


def residual_sentence(summary: Mapping[str, Any]) -> str:
    """Which residual foregrounds were marginalised, in words; empty if there are none.

    Parameters
    ----------
    summary : mapping
        Of :func:`screening_summary`.

    Returns
    -------
    str
        One sentence.

    References
    ----------
    None: a sentence.
    """
    rows = summary["residuals"]
    if not rows:
        return ""
    parts = (
        f"{r['name']} (prior 0 +- {r['prior_sigma']:.3g}, without signal {r['mean']:.3g} +- "
        f"{r['sigma']:.3g})"
        for r in rows
    )
    return f"Residual foregrounds marginalised exactly: {', '.join(parts)}."


COLUMNS = (
    "m_a [eV]",
    "g95 [1e-12 GeV^-1]",
    "expected",
    "profile (pcl)",
    "published",
    "ratio to published",
    "u_hat/sigma",
    "status",
)


def summary_table(summary: Mapping[str, Any], count: int = 8) -> list[list[Any]]:
    """Rows for a few masses of a summary, evenly over the grid.

    Parameters
    ----------
    summary : mapping
        Of :func:`screening_summary`.
    count : int
        Largest number of rows.

    Returns
    -------
    list of list
        Mass [eV], limit, expected, profile and published limit [1e-12 GeV^-1], ratio of the
        first to the last, u_hat/sigma, status.

    References
    ----------
    None: a table.
    """
    masses = summary["masses"]
    picked = np.unique(np.linspace(0, len(masses) - 1, min(count, len(masses))).round().astype(int))
    rows = []
    for m in (masses[k] for k in picked):
        g = (
            m["g95_GeV"][MAIN_PRIOR],
            m["g95_expected_GeV"][MAIN_PRIOR],
            m["profile_GeV"]["pcl"],
            m["published_GeV"],
        )
        pull = m["u_hat"] / m["sigma_u"] if np.isfinite(m["sigma_u"]) else float("nan")
        units = [x / G_REF_GEV for x in g]
        rows.append([m["m_a_eV"], *units, m["ratio_to_published"], pull, m["status"]])
    return rows


def summary_sentence(summary: Mapping[str, Any]) -> str:
    """The strongest limit in words.

    Parameters
    ----------
    summary : mapping
        Of :func:`screening_summary`.

    Returns
    -------
    str
        One sentence [GeV^-1, eV].

    References
    ----------
    None: a sentence.
    """
    best = summary["strongest"]
    if not np.isfinite(best["g95_GeV"]):
        return "No mass of the grid resonates in a halo: there is no limit."
    return (
        f"Strongest limit: g < {best['g95_GeV']:.4g} GeV^-1 at m_a = {best['m_a_eV']:.4g} eV "
        "(95 %, prior uniform in g)."
    )


def screening_lines(summary: Mapping[str, Any]) -> list[str]:
    """What the command prints: data, a few masses with the ratio to the published limit, caveats.

    Parameters
    ----------
    summary : mapping
        Of :func:`screening_summary`.

    Returns
    -------
    list of str
        Lines [eV, 1e-12 GeV^-1].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    lines = [f"data: {summary['data']['label']}; model: {summary['configuration']}"]
    for mass, limit, expected, profile, published, ratio, _, status in summary_table(summary):
        if not np.isfinite(limit):
            lines.append(f"m_a = {mass:.4g} eV: no limit, {status}")
            continue
        compared = f", published {published:.4g}e-12, ratio {ratio:.3f}"
        lines.append(
            f"m_a = {mass:.4g} eV: g < {limit:.4g}e-12 GeV^-1 (95 %, uniform in g), expected "
            f"{expected:.4g}e-12, profile {profile:.4g}e-12"
            + (compared if np.isfinite(published) else ", outside the published curve")
        )
    lines.append(summary_sentence(summary))
    if summary["chi2"] is not None:
        lines.append(
            f"chi^2 without signal {summary['chi2']:.4g} for {summary['dof']} bandpowers, "
            f"probability of more {summary['pte']:.3g}"
        )
    if summary["residuals"]:
        lines.append(residual_sentence(summary))
    if summary["assumptions"]:
        lines.append("assumptions of the recast:")
        lines += [f"  {text}" for text in summary["assumptions"]]
    return lines
