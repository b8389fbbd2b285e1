"""Limit curves of the main job: joint and per experiment, profiled and marginalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..analyses.joint import JointResult, NuisanceCurve
from ..analyses.limit_curves import JOINT
from ..analyses.marginal import KISH_MIN, MarginalLimit
from ..constants import G_REF_GEV
from ..inference.limits import LimitStatus
from .limit_files import LimitCurve, write_limits, write_two_column
from .overlays import load_overlay, published_star_cluster_limits
from .xray import scan_curves

PROFILE, BAYES = "profile-pcl", "bayes"
REFERENCE_MASSES_EV = (1e-13, 3e-13, 5e-13, 1e-12, 3e-12, 1e-11)
_BANDS = ("median", "minus1", "plus1", "plus2")


def profile_curve(curve: NuisanceCurve, name: str = "") -> LimitCurve:
    """Power-constrained profile limits with their bands.

    Parameters
    ----------
    curve : NuisanceCurve
        Limits of one experiment or of all, n masses [eV].
    name : str
        Name of the curve; that of the experiment by default.

    Returns
    -------
    LimitCurve
        Method ``profile-pcl`` [GeV^-1], shape (n,). It exists where the raw limit is negative.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727 and arXiv:1105.3166.
    """
    limit = curve.profile.limit
    coupling = limit.to_coupling(G_REF_GEV, curve.order)
    pcl, status = np.asarray(coupling.pcl), np.asarray(limit.status)
    status = np.where(status == LimitStatus.NEGATIVE_LIMIT, int(LimitStatus.OK), status)
    empty = ~(np.isfinite(pcl) & (pcl > 0.0))
    status = np.where(empty, np.maximum(status, int(LimitStatus.NO_SENSITIVITY)), status)
    bands = (np.asarray(getattr(coupling, b)) for b in _BANDS)
    bands = (np.where(np.isfinite(b) & (b > 0.0), b, np.nan) for b in bands)
    raw = np.where(empty, np.nan, pcl)
    return LimitCurve(name or curve.name, PROFILE, "", curve.m_a_eV, raw, status, *bands)


def bayes_status(limit: MarginalLimit) -> LimitStatus:
    """Status of a Bayesian limit.

    Parameters
    ----------
    limit : MarginalLimit
        Limit [GeV^-1], or why there is none.

    Returns
    -------
    LimitStatus
        NOT_CONVERGED where too few draws count, NOT_BRACKETED where the end of the prior would
        decide the limit.

    References
    ----------
    Kish 1965, Survey Sampling (effective sample size).
    """
    if np.isfinite(limit.g_95_GeV):
        return LimitStatus.OK
    few = not limit.kish >= KISH_MIN or "gates" in limit.reason
    return LimitStatus.NOT_CONVERGED if few else LimitStatus.NOT_BRACKETED


def bayes_curve(curve: NuisanceCurve, name: str = "") -> LimitCurve:
    """Limits with a prior uniform in g, nuisances marginalised.

    Parameters
    ----------
    curve : NuisanceCurve
        Limits of one experiment or of all, n masses [eV].
    name : str
        Name of the curve; that of the experiment by default.

    Returns
    -------
    LimitCurve
        Method ``bayes``, prior ``uniform_g`` [GeV^-1], shape (n,).

    References
    ----------
    Kish 1965, Survey Sampling (effective sample size).
    """
    status = np.array([int(bayes_status(b)) for b in curve.bayes])
    limits = np.array([b.g_95_GeV for b in curve.bayes])
    return LimitCurve(name or curve.name, BAYES, "uniform_g", curve.m_a_eV, limits, status)


def nuisance_curves(result: JointResult) -> list[LimitCurve]:
    """All limits with nuisances, those of other settings last.

    Parameters
    ----------
    result : JointResult
        Limits of ``joint``, ``xray`` and ``cmb`` or of the only experiment.

    Returns
    -------
    list of LimitCurve
        Profiled and marginalised curves of each [eV, GeV^-1]; those of a variant carry its name.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    named = [(c.name, c) for c in result.curves]
    for variant, curves in result.variants.items():
        named += [(f"{c.name}-{variant}", c) for c in curves]
    found = []
    for name, curve in named:
        found.append(profile_curve(curve, name))
        if curve.bayes:
            found.append(bayes_curve(curve, name))
    return found


def fixed_curves(result: JointResult) -> list[LimitCurve]:
    """X-ray limits with nuisances at their fiducial values, up to higher masses.

    Parameters
    ----------
    result : JointResult
        Scans by signal mode.

    Returns
    -------
    list of LimitCurve
        Methods ``pcl`` and ``q`` of each target, and of all targets under the name ``xray``
        [eV, GeV^-1]; another signal mode than the configured one is appended to the name.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    curves = scan_curves(result.scans, result.configuration.model.signal)
    return [
        replace(c, curve=c.curve.replace(JOINT, "xray", 1)) if _all_targets(c) else c
        for c in curves
    ]


def _all_targets(curve: LimitCurve) -> bool:
    return curve.curve.split("-")[0] == JOINT


def published_curves() -> dict[str, LimitCurve]:
    """The published limits of both halves.

    Returns
    -------
    dict of str to LimitCurve
        ``xray`` and ``cmb`` [eV, GeV^-1].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Goldstein et al. 2024, arXiv:2409.10514.
    """
    stars = published_star_cluster_limits()[JOINT]
    cmb = load_overlay("planck_unwise")
    return {
        "xray": replace(stars, curve="star clusters"),
        "cmb": LimitCurve("Planck x unWISE", "bayes", "uniform_g", cmb.m_a_eV, cmb.g_GeV),
    }


def limit_at(curve: LimitCurve, m_a_eV: float) -> float:
    """A limit between the masses of a curve, linear in logarithms.

    Parameters
    ----------
    curve : LimitCurve
        Limits at n masses [eV].
    m_a_eV : float
        Mass [eV].

    Returns
    -------
    float
        Limit [GeV^-1]; NaN outside the curve, or where a neighbour is not OK.

    References
    ----------
    None: interpolation.
    """
    x, at = np.log(curve.m_a_eV), np.log(m_a_eV)
    slack = 1e-9
    if not x[0] - slack <= at <= x[-1] + slack:
        return float("nan")
    near = int(np.argmin(abs(x - at)))
    if abs(x[near] - at) <= slack:
        return float(curve.limit[near])
    k = int(np.searchsorted(x, at))
    low, high = np.log(curve.limit[k - 1 : k + 1])
    return float(np.exp(low + (high - low) * (at - x[k - 1]) / (x[k] - x[k - 1])))


def reference_table(curves: Sequence[LimitCurve]) -> tuple[list[str], list[list[Any]]]:
    """Limits of several curves at reference masses.

    Parameters
    ----------
    curves : sequence of LimitCurve
        Curves [eV, GeV^-1].

    Returns
    -------
    columns : list of str
        Headings; the first is the mass [eV].
    rows : list of list
        Limits [1e-12 GeV^-1] at the masses that the first curve covers; NaN where there is none.

    References
    ----------
    None: a table.
    """
    first = curves[0].m_a_eV
    inside = [
        m for m in REFERENCE_MASSES_EV if first[0] * (1 - 1e-9) <= m <= first[-1] * (1 + 1e-9)
    ]
    columns = ["m_a [eV]", *(f"{c.curve} {c.method}".strip() for c in curves)]
    rows = [[m, *(limit_at(c, m) / G_REF_GEV for c in curves)] for m in inside]
    return columns, rows


def write_joint_limits(folder: Path, result: JointResult, comment: str) -> list[LimitCurve]:
    """``limits.csv`` and ``limits/<curve>_<method>.txt``.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    result : JointResult
        The run.
    comment : str
        Line for the headers of the text files.

    Returns
    -------
    list of LimitCurve
        What was written [eV, GeV^-1]: curves with nuisances first.

    References
    ----------
    O'Hare, AxionLimits, https://cajohare.github.io/AxionLimits/ (form of the text files).
    """
    groups = {
        "all nuisances of the configuration profiled or marginalised": nuisance_curves(result),
        "nuisances fixed at their fiducial values": fixed_curves(result),
    }
    curves = [c for group in groups.values() for c in group]
    write_limits(folder / "limits.csv", curves)
    for words, group in groups.items():
        for curve in group:
            if curve.ok.any():
                write_two_column(folder / "limits", curve, [words, comment])
    return curves
