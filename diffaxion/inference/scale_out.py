"""Independent tasks: a share of the work for each of N commands, or an executor for all of it.

Limit curves and pseudo-experiments consist of items that know nothing of each other. ``i/N`` takes
every N-th item, so that each share meets the cheap and the expensive ones alike; what is computed
for an item does not depend on N. An executor is anything like those of ``concurrent.futures``:
threads, processes, or Parsl on a cluster. Results that exist already are not computed again.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import re
import shlex
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from ..errors import CheckpointError, ConfigurationError, unknown_name
from ..provenance import atomic_write

Item = TypeVar("Item")
Result = TypeVar("Result")

EXECUTORS = ("threads", "processes", "parsl")
_TAG = "__run__"


@dataclass(frozen=True)
class Task:
    """Share number ``index`` of ``count`` equal shares.

    Attributes
    ----------
    index, count : int
        1 <= index <= count.

    Raises
    ------
    ConfigurationError
        If the numbers are not of this kind.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if self.count < 1 or not 1 <= self.index <= self.count:
            raise ConfigurationError(
                f"--task {self.index}/{self.count}: expected i/N with 1 <= i <= N; the first of "
                "four tasks is 1/4, the last 4/4"
            )

    @property
    def suffix(self) -> str:
        """End of the name of its folder, such as ``task-2-of-8``."""
        return f"task-{self.index}-of-{self.count}"

    def record(self) -> dict[str, int]:
        """Entry of the provenance."""
        return {"index": self.index, "count": self.count}


def parse_task(text: str) -> Task:
    """Task from ``i/N``.

    Parameters
    ----------
    text : str
        Such as ``2/8``: the second of eight.

    Returns
    -------
    Task
        The share, shape ().

    Raises
    ------
    ConfigurationError
        If the text is not of this form, or i is not between 1 and N.

    References
    ----------
    None: a convention of the command line.
    """
    found = re.fullmatch(r"\s*(-?\d{1,9})\s*/\s*(-?\d{1,9})\s*", text)
    if found is None:
        raise ConfigurationError(
            f"--task {text!r}: expected i/N with 1 <= i <= N, such as 2/8 for the second of eight"
        )
    return Task(int(found[1]), int(found[2]))


def share_of(items: Sequence[Item], task: Task | None) -> list[Item]:
    """Every N-th item, from the one that the task begins with.

    Parameters
    ----------
    items : sequence
        All n items.
    task : Task or None
        Share; None takes all.

    Returns
    -------
    list
        The items, in their order; the shares of all N tasks are disjoint and cover everything.

    Raises
    ------
    ConfigurationError
        If there are fewer items than tasks, so that shares would be empty.

    References
    ----------
    None: a partition.
    """
    if task is None:
        return list(items)
    if task.count > len(items):
        raise ConfigurationError(
            f"--task {task.index}/{task.count}: there are only {len(items)} items to share; "
            f"use at most {len(items)} tasks"
        )
    return list(items[task.index - 1 :: task.count])


class TaskStore(Protocol):
    """Where results of tasks are kept between runs."""

    def load(self, index: int) -> Any | None:
        """Result of a task, or None if there is none."""
        ...

    def save(self, index: int, result: Any) -> None:
        """Keep the result of a task."""
        ...


@dataclass(frozen=True)
class ArrayFolder:
    """Results that are mappings of arrays, one ``.npz`` file for each task.

    Attributes
    ----------
    folder : Path
        Where the files are.
    tag : str
        Hash of everything that decides the results; files of another tag are refused.
    """

    folder: Path
    tag: str

    def path(self, index: int) -> Path:
        """File of a task."""
        return Path(self.folder) / f"task_{index:06d}.npz"

    def load(self, index: int) -> dict[str, np.ndarray] | None:
        """Arrays of a task, or None if it has not been computed, or its file is damaged.

        Raises
        ------
        CheckpointError
            If the file belongs to another run.
        """
        path = self.path(index)
        if not path.exists():
            return None
        try:
            # Opened here, because NumPy leaves a damaged file open.
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}
            tag = str(found.pop(_TAG))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            # A file cut short is as good as none: its task is computed again.
            return None
        if tag != self.tag:
            raise CheckpointError(
                f"{path} was computed with another model, data or configuration (hash {tag[:12]}, "
                f"this run has {self.tag[:12]}): remove the file or choose another folder"
            )
        return found

    def save(self, index: int, result: Mapping[str, Any]) -> None:
        """Write the arrays of a task, completely or not at all."""
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in result.items()}
        arrays[_TAG] = np.array(self.tag)

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.savez(file, **arrays)

        atomic_write(self.path(index), write)


def run_tasks(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    executor: Any | None = None,
    *,
    store: TaskStore | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Result]:
    """Apply a function to every item, with results in the order of the items.

    Parameters
    ----------
    function : callable
        Of one item. An executor of other processes needs one that can be imported there.
    items : iterable
        n items.
    executor : executor, optional
        With ``submit(function, item)`` that returns a future; without one the items are computed
        here, one after the other.
    store : TaskStore, optional
        Tasks whose result it has are not computed; new results are kept as they come.
    progress : callable, optional
        Called with (tasks done, n), also for results that existed.

    Returns
    -------
    list
        n results.

    Raises
    ------
    CheckpointError
        If a stored result belongs to another run.

    References
    ----------
    PEP 3148 (futures).
    """
    work = list(items)
    report = progress or (lambda done, total: None)
    results: dict[int, Result] = {}
    if store is not None:
        known = ((k, store.load(k)) for k in range(len(work)))
        results = {k: found for k, found in known if found is not None}
    report(len(results), len(work))

    def keep(k: int, result: Result) -> None:
        if store is not None:
            store.save(k, result)
        results[k] = result
        report(len(results), len(work))

    missing = [k for k in range(len(work)) if k not in results]
    if executor is None:
        for k in missing:
            keep(k, function(work[k]))
    else:
        futures = {executor.submit(function, work[k]): k for k in missing}
        try:
            for future in concurrent.futures.as_completed(futures):
                keep(futures[future], future.result())
        except BaseException:
            # The tasks that have not begun are not worth waiting for; Parsl cannot cancel any.
            with contextlib.suppress(NotImplementedError):
                for future in futures:
                    future.cancel()
            raise
    return [results[k] for k in range(len(work))]


def local_executor(kind: str = "processes", workers: int = 2) -> Any:
    """Executor of this machine.

    Parameters
    ----------
    kind : str
        ``threads`` or ``processes`` of the standard library, or ``parsl``.
    workers : int
        How many.

    Returns
    -------
    concurrent.futures.Executor
        A context manager; new processes are started afresh, because JAX does not survive a fork.

    Raises
    ------
    ConfigurationError
        If the kind is unknown, the number is below 1, or Parsl is not installed.

    References
    ----------
    PEP 3148 (futures); Babuji et al. 2019, arXiv:1905.02158 (Parsl).
    """
    if kind not in EXECUTORS:
        raise unknown_name("executor", kind, EXECUTORS)
    if workers < 1:
        raise ConfigurationError(f"workers = {workers}: expected at least 1")
    if kind == "threads":
        return concurrent.futures.ThreadPoolExecutor(workers)
    if kind == "processes":
        import multiprocessing

        return concurrent.futures.ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn")
        )
    return parsl_executor(workers=workers)


def parsl_executor(
    config: Any | None = None, *, workers: int = 2, folder: str | Path = "parsl-runs"
) -> Any:
    """Executor of Parsl: local workers, or those that a configuration asks a cluster for.

    Parameters
    ----------
    config : parsl.Config, optional
        Site and scheduler; default worker processes of this machine.
    workers : int
        Number of local workers without a configuration.
    folder : str or Path
        Where Parsl keeps its logs without a configuration.

    Returns
    -------
    concurrent.futures.Executor
        A context manager that ends the workers.

    Raises
    ------
    ConfigurationError
        If Parsl is not installed.

    References
    ----------
    Babuji et al. 2019, arXiv:1905.02158.
    """
    try:
        from parsl import Config
        from parsl.concurrent import ParslPoolExecutor
        from parsl.executors import HighThroughputExecutor
        from parsl.providers import LocalProvider
    except ImportError as error:
        raise ConfigurationError(
            f"Parsl cannot be imported ({error}): pip install 'diffaxion[cluster]'"
        ) from None
    if config is None:
        # Scripts of Parsl stand beside the interpreter, which need not be on the path.
        beside = shlex.quote(str(Path(sys.executable).parent))
        config = Config(
            executors=[
                HighThroughputExecutor(
                    label="local",
                    address="127.0.0.1",
                    cores_per_worker=1,
                    max_workers_per_node=workers,
                    interchange_launch_cmd=[
                        sys.executable,
                        "-m",
                        "parsl.executors.high_throughput.interchange",
                    ],
                    provider=LocalProvider(
                        init_blocks=1, max_blocks=1, worker_init=f"export PATH={beside}:$PATH"
                    ),
                )
            ],
            run_dir=str(folder),
            strategy="none",
        )
    return ParslPoolExecutor(config=config)
