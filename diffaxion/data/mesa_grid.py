"""A user's stellar-evolution runs: many tracks, their profiles, and how each star was born.

A folder of runs holds one folder per run with ``history.data`` (or ``LOGS/history.data``) and
optionally profiles, or MIST tracks ``*.track.eep``. Initial masses and the like come from a
table ``index.csv`` or, without one, from the headers of the files.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import DataError, nearest_names
from .mesa import MesaHistory, read_history
from .mesa_format import read_header, read_profiles_index

INDEX_COLUMNS = ("run", "initial_mass_Msun", "initial_rotation_km_s", "metallicity")
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class StellarTrack:
    """One star through time, and what it was born with.

    Attributes
    ----------
    name : str
        Run, relative to the folder of runs.
    history : MesaHistory
        Its track.
    initial_mass_Msun : float
        Initial mass [solar masses].
    rotation_km_s : float or None
        Initial surface rotation [km/s]; None where unknown.
    metallicity : float or None
        Initial mass fraction of metals; None where unknown.
    profiles : dict of int to Path
        Profile files by the row of the history to which they belong.
    """

    name: str
    history: MesaHistory
    initial_mass_Msun: float
    rotation_km_s: float | None = None
    metallicity: float | None = None
    profiles: dict[int, Path] = field(default_factory=dict)


def _history_file(run: Path) -> Path | None:
    """The track of a run that is a file, or a folder with MESA's output."""
    if run.is_file():
        return run
    places = (run / "history.data", run / "LOGS" / "history.data")
    return next((p for p in places if p.is_file()), None)


def _discover(folder: Path) -> list[Path]:
    if folder.is_file() or _history_file(folder):
        return [folder]
    found = [p for p in sorted(folder.iterdir()) if p.is_dir() and _history_file(p)]
    found += sorted(folder.glob("*.track.eep"))
    if not found:
        raise DataError(
            f"{folder}: no stellar-evolution runs; expected folders with history.data or "
            "LOGS/history.data, files *.track.eep, or a table index.csv that names the runs"
        )
    return found


def _read_index(path: Path) -> list[tuple[str, dict[str, float]]]:
    """Runs of an index with their numbers; empty cells are left out."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    rows = [(n, r) for n, r in enumerate(csv.reader(lines), 1) if r and not r[0].startswith("#")]
    if len(rows) < 2:
        raise DataError(f"{path}: expected a line of column names and one line for each run")
    names = [x.strip() for x in rows[0][1]]
    for name in names:
        if name not in INDEX_COLUMNS:
            raise DataError(f"{path}: column {name!r}: {nearest_names(name, INDEX_COLUMNS)}")
    if "run" not in names or len(set(names)) != len(names):
        raise DataError(f"{path}: expected different columns, {INDEX_COLUMNS[0]!r} among them")
    found: list[tuple[str, dict[str, float]]] = []
    for line, cells in rows[1:]:
        if len(cells) != len(names):
            raise DataError(f"{path}: line {line}: {len(cells)} values, expected {len(names)}")
        row = {n: x.strip() for n, x in zip(names, cells, strict=True)}
        run = row.pop("run")
        if not run or run in {r for r, _ in found}:
            raise DataError(f"{path}: line {line}, column 'run': {run!r} is empty or named twice")
        found.append((run, {k: _cell(path, line, k, v) for k, v in row.items() if v}))
    return found


def _cell(path: Path, line: int, column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    lowest = 0.0 if column == "initial_rotation_km_s" else math.ulp(0.0)
    if not lowest <= value < math.inf:
        raise DataError(
            f"{path}: line {line}, column {column!r}: {text!r} is not a number "
            f"{'>= 0' if lowest == 0.0 else '> 0'}"
        )
    return value


def _profiles(run: Path, history: MesaHistory) -> dict[int, Path]:
    """Profile files of a run by row of its history: the model number, or the nearest one."""
    folder = run if (run / "history.data").is_file() else run / "LOGS"
    files = {p.stem.removeprefix("profile"): p for p in folder.glob("profile*.data")}
    files = {k: p for k, p in files.items() if k.isdigit()}
    if not files:
        return {}
    number = history.columns.get("model_number")
    if number is None:
        raise DataError(
            f"{history.source}: no model_number column; it is needed to place the profiles "
            "of this run in its history"
        )
    index = folder / "profiles.index"
    if index.is_file():
        models = {str(k): float(m) for m, k in read_profiles_index(index).items()}
    else:
        models = {}
        for k, path in files.items():
            header = read_header(path)
            if "model_number" not in header:
                raise DataError(
                    f"{path}: no model_number in its header, and {index} does not exist; "
                    "expected one of them"
                )
            models[k] = header["model_number"]
    placed = sorted((models[k], p) for k, p in files.items() if k in models)
    return {int(np.argmin(np.abs(number - m))): p for m, p in placed}


def read_track(
    run: str | Path, name: str | None = None, known: Mapping[str, float] | None = None
) -> StellarTrack:
    """Read one stellar-evolution run.

    Where the index says nothing, the initial mass is ``initial_mass`` of the header of the
    track or of a profile, else the first mass of the track; the metallicity is ``initial_z`` or
    ``Zinit``; and the rotation is the first positive ``surf_avg_v_rot``.

    Parameters
    ----------
    run : str or Path
        Folder with MESA's output, or the file of a track.
    name : str, optional
        Name for messages.
    known : mapping of str to float, optional
        Numbers of an index: ``initial_mass_Msun``, ``initial_rotation_km_s``, ``metallicity``.

    Returns
    -------
    StellarTrack
        Columns of shape (n,).

    Raises
    ------
    DataError
        If there is no track, a file is malformed, or profiles cannot be placed.

    References
    ----------
    MESA documentation, "Output" (docs.mesastar.org); Choi et al. 2016, ApJ 823, 102 (MIST).
    """
    run, known = Path(run), dict(known or {})
    file = _history_file(run)
    if file is None:
        raise DataError(
            f"{run}: no history.data, LOGS/history.data or track file; expected one of them"
        )
    history = read_history(file)
    profiles = {} if run.is_file() else _profiles(run, history)
    header = {**(read_header(next(iter(profiles.values()))) if profiles else {}), **history.header}
    mass = known.get("initial_mass_Msun", header.get("initial_mass", float(history.mass_Msun[0])))
    if not 0.0 < mass < math.inf:
        raise DataError(f"{file}: initial_mass = {mass!r}: expected a number > 0 [Msun]")
    metals = known.get("metallicity", header.get("initial_z", header.get("Zinit")))
    turning = np.zeros(0) if history.v_rot_km_s is None else history.v_rot_km_s
    first = turning[turning > 0.0][:1]
    measured = float(first[0]) if first.size else (0.0 if turning.size else None)
    return StellarTrack(
        name or run.name,
        history,
        mass,
        known.get("initial_rotation_km_s", measured),
        metals,
        profiles,
    )


def read_tracks(
    folder: str | Path, index: str | Path | None = None, progress: Progress | None = None
) -> tuple[StellarTrack, ...]:
    """Read a folder of stellar-evolution runs.

    Parameters
    ----------
    folder : str or Path
        Folder of runs, one run, or the file of one track.
    index : str or Path, optional
        Table with the columns ``run`` (relative to the folder), ``initial_mass_Msun``,
        ``initial_rotation_km_s`` [km/s] and ``metallicity``; by default ``index.csv`` of the
        folder, if there is one. Runs that it does not name are left out.
    progress : callable, optional
        Called with the number of runs read and of all.

    Returns
    -------
    tuple of StellarTrack
        Tracks in the order of the index, or sorted by name.

    Raises
    ------
    DataError
        If there are no runs, or a file is malformed; file, line and column are named.

    References
    ----------
    MESA documentation, "Output" (docs.mesastar.org); Choi et al. 2016, ApJ 823, 102 (MIST).
    """
    folder = Path(folder)
    if not folder.exists():
        raise DataError(f"{folder}: does not exist; expected a folder of stellar-evolution runs")
    default = folder / "index.csv"
    if index is None and folder.is_dir() and default.is_file():
        index = default
    runs: list[tuple[str, Path, dict[str, float]]]
    if index is None:
        runs = [(p.name, p, {}) for p in _discover(folder)]
    else:
        runs = [(name, folder / name, known) for name, known in _read_index(Path(index))]
    tracks = []
    for k, (name, path, known) in enumerate(runs):
        tracks.append(read_track(path, name, known))
        if progress is not None:
            progress(k + 1, len(runs))
    return tuple(tracks)
