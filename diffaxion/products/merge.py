"""Results of several runs as one: limit curves of ``--task i/N``, posteriors of other seeds.

Nothing is averaged and nothing is computed again but the convergence gates: the masses of limit
curves are put in order, the chains of posteriors side by side. Whatever does not fit (another
configuration, a task that is missing or there twice, the same seed) is refused, with the file.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..inference.diagnostics import check_gates
from ..inference.posterior import Posterior
from ..inference.scale_out import Task, share_of
from ..provenance import atomic_write, config_hash, jsonable, write_json
from .limit_files import LimitCurve, read_limits, write_limits, write_two_column
from .posterior_files import parameter_summary, write_posterior
from .screening_summary import MAIN_PRIOR

_SAMPLER = ("diverging", "saturated", "energy", "accept_prob", "num_steps")


def _record(folder: Path) -> dict[str, Any]:
    path = folder / "provenance.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        found["config"], found["config_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: expected the provenance of a run of diffaxion ({type(error).__name__}: "
            f"{error})"
        ) from None
    return found


def differing_keys(a: Any, b: Any, path: str = "") -> list[str]:
    """Dotted keys at which two configurations differ.

    Parameters
    ----------
    a, b : mapping or value
        Configurations as they stand in JSON.
    path : str
        Key of what is compared.

    Returns
    -------
    list of str
        In the order of ``a``; empty if they are equal.

    References
    ----------
    None: a comparison.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        keys = [*a, *(k for k in b if k not in a)]
        rows = ((a.get(k), b.get(k), f"{path}.{k}" if path else str(k)) for k in keys)
        return [key for x, y, p in rows for key in differing_keys(x, y, p)]
    return [] if a == b else [path]


def _refuse_difference(first: str, other: str, a: Any, b: Any) -> None:
    differ = differing_keys(a, b)
    if differ:
        shown = ", ".join(differ[:5]) + (", ..." if len(differ) > 5 else "")
        raise DataError(
            f"{other} was made with another configuration than {first}: they differ in {shown}. "
            "Only results of the same configuration can be merged."
        )


@dataclass(frozen=True)
class MergedLimits:
    """Limit curves of all tasks.

    Attributes
    ----------
    curves : list of LimitCurve
        With all masses of the grid [eV, GeV^-1].
    record : dict
        Provenance of the first task, with the folders of all.
    significance : str or None
        Text of ``significance.csv``, where all tasks have one.
    """

    curves: list[LimitCurve]
    record: dict[str, Any]
    significance: str | None


def merge_limits(folders: Sequence[str | Path]) -> MergedLimits:
    """Join the limit curves of all tasks of one command.

    Parameters
    ----------
    folders : sequence of str or Path
        Folders that ``diffaxion limit ... --task i/N`` has written, in any order.

    Returns
    -------
    MergedLimits
        Curves over the whole grid, what a run without ``--task`` would have written.

    Raises
    ------
    DataError
        If a folder is not of a task, configurations differ, a task is missing or there twice, or
        a file does not hold the masses of its task.

    References
    ----------
    None: a union.
    """
    paths = [Path(f) for f in folders]
    records = [_record(p) for p in paths]
    by_task: dict[int, int] = {}
    for k, (path, record) in enumerate(zip(paths, records, strict=True)):
        task = record.get("task")
        if not isinstance(task, dict) or not {"index", "count"} <= set(task):
            raise DataError(
                f"{path / 'provenance.json'}: the run was not one of several tasks; only folders "
                "of `diffaxion limit ... --task i/N` can be merged"
            )
        _refuse_difference(
            str(paths[0] / "provenance.json"),
            str(path / "provenance.json"),
            records[0]["config"],
            record["config"],
        )
        count = records[0]["task"]["count"]
        if task["count"] != count:
            raise DataError(
                f"{path} is one of {task['count']} tasks, {paths[0]} one of {count}: their masses "
                "overlap. Merge tasks of one number."
            )
        if task["index"] in by_task:
            raise DataError(
                f"{path} and {paths[by_task[task['index']]]} are both task {task['index']}/{count}"
            )
        by_task[task["index"]] = k
    count = records[0]["task"]["count"]
    missing = [f"{i}/{count}" for i in range(1, count + 1) if i not in by_task]
    if missing:
        raise DataError(
            f"tasks are missing: {', '.join(missing)}. Run the same command with --task "
            f"{missing[0]}, or give its folder."
        )
    grid = [float(m) for m in records[0]["config"]["masses_eV"]]
    parts: list[list[LimitCurve]] = []
    for index in range(1, count + 1):
        file = paths[by_task[index]] / "limits.csv"
        parts.append(read_limits(file))
        _check_curves(file, parts[-1], parts[0], share_of(grid, Task(index, count)), index, count)
    curves = [_join([part[k] for part in parts]) for k in range(len(parts[0]))]
    record = {k: v for k, v in records[0].items() if k != "task"}
    record["merged"] = [str(paths[by_task[i]]) for i in range(1, count + 1)]
    return MergedLimits(
        curves, record, _merge_significance([p / "significance.csv" for p in paths])
    )


def _identity(curve: LimitCurve) -> tuple[str, str, str]:
    return curve.curve, curve.method, curve.prior


def _check_curves(
    file: Path,
    curves: list[LimitCurve],
    first: list[LimitCurve],
    masses: list[float],
    index: int,
    count: int,
) -> None:
    """Refuse a file with other curves than the first, or other masses than those of its task."""
    if [_identity(c) for c in curves] != [_identity(c) for c in first]:
        raise DataError(f"{file}: its curves are not those of the first task")
    for curve in curves:
        if not np.array_equal(curve.m_a_eV, masses):
            raise DataError(
                f"{file}: curve {curve.curve!r} has {curve.m_a_eV.size} masses from "
                f"{curve.m_a_eV[0]:g} eV that are not the {len(masses)} of task {index}/{count} "
                f"from {masses[0]:g} eV: the file was changed, or belongs to another run"
            )


_COLUMNS = (
    "limit_raw",
    "status",
    "median",
    "minus1",
    "plus1",
    "plus2",
    "spread_low",
    "spread_high",
)


def _join(parts: Sequence[LimitCurve]) -> LimitCurve:
    masses = np.concatenate([p.m_a_eV for p in parts])
    order = np.argsort(masses)
    rows: dict[str, Any] = {
        n: np.concatenate([getattr(p, n) for p in parts])[order] for n in _COLUMNS
    }
    return LimitCurve(*_identity(parts[0]), masses[order], **rows)


def _merge_significance(files: Sequence[Path]) -> str | None:
    """Rows of all tables, curves in the order of the first, masses increasing."""
    if not all(f.exists() for f in files):
        return None
    tables = [list(csv.reader(io.StringIO(f.read_text(encoding="utf-8")))) for f in files]
    header = tables[0][0]
    rows = [row for table in tables for row in table[1:]]
    column = header.index("m_a_eV")
    rank = {key: k for k, key in enumerate(dict.fromkeys(tuple(r[:column]) for r in rows))}
    rows.sort(key=lambda r: (rank[tuple(r[:column])], float(r[column])))
    return "\n".join(",".join(r) for r in [header, *rows]) + "\n"


def write_merged_limits(folder: Path, merged: MergedLimits) -> None:
    """``limits.csv``, ``limits/*.txt``, ``provenance.json`` and, for X rays, ``significance.csv``.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    merged : MergedLimits
        Of :func:`merge_limits`.

    Returns
    -------
    None
        Files are written completely or not at all.

    References
    ----------
    O'Hare, AxionLimits, https://cajohare.github.io/AxionLimits/ (form of the text files).
    """
    write_limits(folder / "limits.csv", merged.curves)
    comments = [f"configuration {merged.record['config_sha256']}"]
    for curve in merged.curves:
        name = curve.prior.split(" ")[0]
        method = curve.method if name in ("", MAIN_PRIOR) else f"{curve.method}-{name}"
        if curve.ok.any():
            named = LimitCurve(
                curve.curve, method, curve.prior, curve.m_a_eV, curve.limit_raw, curve.status
            )
            write_two_column(folder / "limits", named, comments)
    if merged.significance is not None:
        atomic_write(folder / "significance.csv", merged.significance)
    write_json(folder / "provenance.json", merged.record)


@dataclass(frozen=True)
class MergedPosterior:
    """Chains of several runs.

    Attributes
    ----------
    posterior : Posterior
        All chains, judged together.
    g_GeV : array, shape (chains, draws)
        Couplings of the runs [GeV^-1].
    headline : dict of str to array, shape (d,)
        Draws with the headline prior; empty where the gates fail or a run has none.
    record : dict
        Provenance of the first run, with the files and seeds of all.
    """

    posterior: Posterior
    g_GeV: np.ndarray
    headline: dict[str, np.ndarray]
    record: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """Content of ``summary.json``: parameters, gates, limit with the headline prior."""
        g = self.headline.get("g_GeV")
        limit = None if g is None else float(np.quantile(g, 0.95))
        return {
            "parameters": parameter_summary(self.posterior),
            "divergence_fraction": float(self.posterior.diverging.mean()),
            "converged": self.posterior.converged,
            "reasons": list(self.posterior.reasons),
            "limits": {"joint": {"g95_bayes": limit, "prior": MAIN_PRIOR}},
            "chains": int(self.posterior.diverging.shape[0]),
            "seeds": self.record["seeds"],
            "merged": self.record["merged"],
            "versions": self.record.get("versions"),
        }


def read_posterior(path: Path) -> dict[str, Any]:
    """Arrays and provenance of one file."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            # A link could make this file show what lies in another one.
            for name in ("parameters", "standardised", "uniform_g", "sampler"):
                for key in file.get(name, {}):
                    if isinstance(file[name].get(key, getlink=True), h5py.ExternalLink):
                        raise DataError(f"{path}: {name}/{key} is a link to another file: refused")
            record = json.loads(file.attrs["provenance"])
            groups = {
                name: {k: np.asarray(v) for k, v in file[name].items()} if name in file else {}
                for name in ("parameters", "standardised", "uniform_g", "sampler")
            }
        record["config"]
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a posterior of diffaxion ({error})") from None
    lacking = [n for n in _SAMPLER if n not in groups["sampler"]]
    if lacking or "g_GeV" not in groups["parameters"]:
        raise DataError(f"{path}: {', '.join(lacking) or 'parameters/g_GeV'} is missing")
    return groups | {"record": record, "path": path}


def merge_posteriors(files: Sequence[str | Path]) -> MergedPosterior:
    """Put the chains of runs with different seeds side by side and judge them again.

    Parameters
    ----------
    files : sequence of str or Path
        ``posterior.h5`` of two or more runs of one configuration.

    Returns
    -------
    MergedPosterior
        All chains; R-hat and effective sizes are those of all of them together.

    Raises
    ------
    DataError
        If a file is no posterior, configurations differ in more than the seed, two runs have the
        same seed, or chains have different lengths or parameters.

    References
    ----------
    Vehtari et al. 2021, arXiv:1903.08008 (convergence of several chains).
    """
    runs = [read_posterior(Path(f)) for f in files]
    first = runs[0]
    seeds: dict[Any, Path] = {}
    for run in runs:
        path, record = run["path"], run["record"]
        configs = (
            {k: v for k, v in r["config"].items() if k != "seed"} for r in (first["record"], record)
        )
        _refuse_difference(str(first["path"]), str(path), *configs)
        seed = record.get("seed")
        if seed in seeds:
            raise DataError(
                f"{path} and {seeds[seed]} have the same seed {seed}: the same chains would count "
                "twice. Run again with another --seed."
            )
        seeds[seed] = path
        for group in ("parameters", "standardised"):
            if set(run[group]) != set(first[group]):
                raise DataError(f"{path}: its {group} are not those of {first['path']}")
        draws, known = (r["sampler"]["diverging"].shape[1] for r in (run, first))
        if draws != known:
            raise DataError(
                f"{path}: chains of {draws} draws, those of {first['path']} have {known}: runs "
                "must have chains of one length"
            )

    def joined(group: str) -> dict[str, np.ndarray]:
        return {k: np.concatenate([run[group][k] for run in runs]) for k in first[group]}

    values, sampler = joined("parameters"), joined("sampler")
    g = values.pop("g_GeV")
    draws = values | {f"{k}_std": v for k, v in joined("standardised").items()}
    convergence = check_gates(
        draws, sampler["diverging"], sampler["saturated"], fixed=frozenset(values)
    )
    settings = {"chains": g.shape[0], "draws": g.shape[1], "seeds": list(seeds)}
    flags: dict[str, Any] = {name: sampler[name] for name in _SAMPLER}
    posterior = Posterior(draws, convergence=convergence, settings=settings, **flags)
    complete = convergence.converged and all(run["uniform_g"] for run in runs)
    record = {k: v for k, v in first["record"].items() if k != "seed"}
    record |= {"seed": None, "seeds": list(seeds), "merged": [str(r["path"]) for r in runs]}
    config = {k: v for k, v in record["config"].items() if k != "seed"}
    record |= {"config": config, "config_sha256": config_hash(jsonable(config))}
    return MergedPosterior(posterior, g, joined("uniform_g") if complete else {}, record)


def write_merged_posterior(folder: Path, name: str, merged: MergedPosterior) -> None:
    """``NAME.h5`` and its summary.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    name : str
        Name of the file without its ending: ``posterior`` or ``posterior_mass``.
    merged : MergedPosterior
        Of :func:`merge_posteriors`.

    Returns
    -------
    None
        ``posterior_X.h5`` goes with ``summary_X.json``.

    References
    ----------
    The HDF Group, HDF5.
    """
    write_posterior(
        folder / f"{name}.h5", merged.posterior, merged.g_GeV, merged.headline, merged.record
    )
    write_json(folder / f"{name.replace('posterior', 'summary')}.json", merged.summary())
    write_json(folder / "provenance.json", merged.record)
