"""Products of a calibration: ``calibration.json``, one table and one figure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..analyses.calibration import SbcResult
from ..analyses.calibration_toys import LEVEL, CoverageRow, tolerance
from ..analyses.injection import InjectionRow
from ..analyses.predictive import PredictiveCheck
from ..constants import G_REF_GEV
from ..errors import DataError
from ..inference.toys import Estimate
from ..provenance import atomic_write, write_json
from .merge import differing_keys

SUMMARY, RANKS = "calibration.json", "ranks.csv"


def _pair(estimate: Estimate) -> dict[str, Any]:
    return {"value": estimate.value, "error": estimate.error, "number": estimate.number}


def sbc_summary(result: SbcResult) -> dict[str, Any]:
    """Numbers of a simulation-based calibration.

    Parameters
    ----------
    result : SbcResult
        Ranks of s simulations.

    Returns
    -------
    dict
        ``kind``, ``simulations``, ``parameters`` (chi2 and p values by name), ``tarp``,
        ``effective_draws`` and the verdict; u_max is u = (g/1e-12 GeV^-1)^2.

    References
    ----------
    Talts et al. 2018, arXiv:1804.06788.
    """
    tests, points = result.tests(), result.coverage()
    low, middle = np.quantile(result.kish, [0.01, 0.5])
    return {
        "kind": "sbc",
        "simulations": len(result.index),
        "draws": result.draws,
        "bank": result.bank,
        "u_max": result.u_max,
        "g_max_GeV": float(np.sqrt(result.u_max)) * G_REF_GEV,
        "m_a_eV": result.m_a_eV,
        "parameters": {
            name: {
                "chi2": t.chi2,
                "bins": len(t.counts),
                "p": t.p,
                "p_bonferroni": t.p_bonferroni,
                "counts": t.counts,
            }
            for name, t in tests.items()
        },
        "smallest_p_bonferroni": min(t.p_bonferroni for t in tests.values()),
        "tarp": {
            "deviation": points.deviation,
            "tolerance": points.tolerance,
            "level": points.level,
            "coverage": points.coverage,
        },
        "effective_draws": {
            "smallest": float(result.kish.min()),
            "q01": float(low),
            "median": float(middle),
            "fraction_too_few": result.few,
        },
        "passed": result.passed,
        "reasons": result.reasons,
    }


def coverage_summary(rows: Sequence[CoverageRow]) -> dict[str, Any]:
    """Numbers of a coverage study.

    Parameters
    ----------
    rows : sequence of CoverageRow
        One per mass [eV] and coupling [GeV^-1].

    Returns
    -------
    dict
        ``kind``, ``points`` and the verdict.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    points = []
    for r in rows:
        error = np.sqrt(LEVEL * (1.0 - LEVEL) / r.coverage.number)
        point: dict[str, Any] = {
            "m_a_eV": r.m_a_eV,
            "g_GeV": r.g_GeV,
            "u": r.u,
            "nuisances": r.nuisances,
            "coverage": _pair(r.coverage),
            "tolerance": tolerance("coverage", float(error)) if r.judged else None,
            "coverage_power_constrained": _pair(r.constrained),
            "negative_limits": r.negative,
            "not_converged": r.unconverged,
            "asimov_u": r.asimov,
        }
        if r.pulls is not None:
            point |= {"pull_mean": _pair(r.pulls.mean), "pull_width": _pair(r.pulls.width)}
        if r.bands is not None and r.band_ratios is not None:
            point["toy_u"] = _pair(r.bands)
            ratio, spread = r.band_ratios
            point["g_toys_over_asimov"] = {"sigmas": [-1, 0, 1], "value": ratio, "error": spread}
        points.append(point)
    reasons = [text for r in rows for text in r.reasons]
    return {"kind": "coverage", "points": points, "passed": not reasons, "reasons": reasons}


def injection_summary(rows: Sequence[InjectionRow]) -> dict[str, Any]:
    """Numbers of injected signals.

    Parameters
    ----------
    rows : sequence of InjectionRow
        One per injected coupling [GeV^-1].

    Returns
    -------
    dict
        ``kind``, ``points`` and the verdict.

    References
    ----------
    Barndorff-Nielsen 1986, Biometrika 73, 307.
    """
    points = [
        {
            "m_a_eV": r.m_a_eV,
            "g_GeV": r.g_GeV,
            "u": r.u,
            "observed": {
                "u_hat": float(r.observed.a_hat[0]),
                "u_95": float(r.observed.a_95[0]),
                "ts": float(r.observed.ts[0]),
            },
            "simulated": {
                "number": r.coverage.number,
                "u_hat_q16_q50_q84": r.u_hat,
                "u_95_q16_q50_q84": r.u_95,
                "ts_median": r.ts,
                "coverage": _pair(r.coverage),
                "pull_mean": _pair(r.pulls.mean),
                "pull_width": _pair(r.pulls.width),
            },
        }
        for r in rows
    ]
    reasons = [text for r in rows for text in r.reasons]
    return {"kind": "inject", "points": points, "passed": not reasons, "reasons": reasons}


def predictive_summary(checks: Sequence[PredictiveCheck], draws: int) -> dict[str, Any]:
    """Numbers of posterior predictive checks.

    Parameters
    ----------
    checks : sequence of PredictiveCheck
        One per probe.
    draws : int
        Number of replicas.

    Returns
    -------
    dict
        ``kind``, ``probes`` and the verdict.

    References
    ----------
    Gelman, Meng & Stern 1996, Statistica Sinica 6, 733.
    """
    probes = [
        {
            "probe": c.probe,
            "points": c.points,
            "chi2_observed_mean": c.deviance,
            "p": c.p,
            "point_p": c.point_p,
            "worst_point_p_bonferroni": c.worst,
            "judged": c.measured,
        }
        for c in checks
    ]
    reasons = [
        f"{c.probe}: predictive p = {c.p:.3g}, smallest of its points {c.worst:.3g}"
        for c in checks
        if not c.passed
    ]
    return {
        "kind": "ppc",
        "replicas": draws,
        "probes": probes,
        "passed": not reasons,
        "reasons": reasons,
    }


def ranks_csv(result: SbcResult) -> str:
    """Ranks of every simulation as text.

    Parameters
    ----------
    result : SbcResult
        Ranks of s simulations.

    Returns
    -------
    str
        One line per simulation: number, effective draws, rank of the random point, ranks.

    References
    ----------
    RFC 4180 (CSV).
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["simulation", "effective_draws", "tarp", *result.names])
    for k, ranks, tarp, kish in zip(
        result.index, result.ranks, result.tarp, result.kish, strict=True
    ):
        writer.writerow([k, repr(float(kish)), tarp, *ranks])
    return text.getvalue()


def write_calibration(
    folder: str | Path,
    summary: Mapping[str, Any],
    record: Mapping[str, Any],
    figure: bytes | None = None,
    tables: Mapping[str, str] | None = None,
) -> Path:
    """Write ``calibration.json`` with its provenance, tables and ``calibration.png``.

    Parameters
    ----------
    folder : str or Path
        Destination.
    summary : mapping
        From one of the functions above.
    record : mapping
        Provenance: seed, hash of the configuration, versions.
    figure : bytes, optional
        PNG.
    tables : mapping of str to str, optional
        Text by file name.

    Returns
    -------
    Path
        The JSON file.

    References
    ----------
    None: files.
    """
    folder = Path(folder)
    for name, text in (tables or {}).items():
        atomic_write(folder / name, text)
    if figure is not None:
        atomic_write(folder / "calibration.png", figure)
    return write_json(folder / SUMMARY, {**summary, "provenance": record})


def merge_sbc(folders: Sequence[str | Path]) -> tuple[SbcResult, dict[str, Any]]:
    """Join the simulations of all tasks of one ``calibrate sbc``.

    Parameters
    ----------
    folders : sequence of str or Path
        Folders of the tasks, in any order.

    Returns
    -------
    result : SbcResult
        What a run without ``--task`` gives.
    record : dict
        Provenance of the first task.

    Raises
    ------
    DataError
        If a file is missing or damaged, configurations or seeds differ, or the simulations are
        not 0..s - 1, each once.

    References
    ----------
    None: a union.
    """
    parts = [_read_task(Path(f)) for f in folders]
    head, first = parts[0][0], Path(folders[0]) / SUMMARY
    for folder, (other, _, _) in zip(folders, parts, strict=True):
        mine, theirs = (
            {k: x[k] for k in ("draws", "bank", "u_max", "m_a_eV")}
            | {"config": x["provenance"]["config"], "seed": x["provenance"]["seed"]}
            for x in (head, other)
        )
        differ = differing_keys(mine, theirs)
        if differ:
            raise DataError(
                f"{Path(folder) / SUMMARY} and {first} differ in {', '.join(differ[:5])}: only "
                "tasks of one run can be merged"
            )
    rows = np.concatenate([table for _, table, _ in parts])
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    expected = head["provenance"]["config"]["calibration"]["simulations"]
    if not np.array_equal(rows[:, 0], np.arange(expected)):
        raise DataError(
            f"{len(rows)} simulations in {len(parts)} folders, expected each of 0..{expected - 1} "
            "once: give the folder of every task, once"
        )
    result = SbcResult(
        names=parts[0][2],
        draws=head["draws"],
        u_max=head["u_max"],
        m_a_eV=head["m_a_eV"],
        bank=head["bank"],
        index=rows[:, 0].astype(int),
        ranks=rows[:, 3:].astype(int),
        tarp=rows[:, 2].astype(int),
        kish=rows[:, 1],
    )
    return result, head["provenance"]


def _read_task(folder: Path) -> tuple[dict[str, Any], np.ndarray, tuple[str, ...]]:
    """Summary, table and names of one task."""
    try:
        head = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        lines = list(csv.reader((folder / RANKS).read_text(encoding="utf-8").splitlines()))
        table = np.array(lines[1:], float).reshape(-1, len(lines[0]))
        names = tuple(lines[0][3:])
        if head["kind"] != "sbc" or not np.all(np.isfinite(table)):
            raise ValueError("not ranks of a calibration")
        head["provenance"]["config"]["calibration"]["simulations"]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(
            f"{folder}: expected {SUMMARY} and {RANKS} of `diffaxion calibrate sbc` "
            f"({type(error).__name__}: {error})"
        ) from None
    return head, table, names
