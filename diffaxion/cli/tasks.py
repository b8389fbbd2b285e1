"""``--task i/N``: one of N shares of a limit curve, in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ..inference.scale_out import Task, parse_task, share_of

TaskText = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="i/N",
        help="Only the i-th of N shares of the masses, into OUT-task-i-of-N; "
        "`diffaxion merge` joins them.",
    ),
]


def chosen_task(text: str | None) -> Task | None:
    """Task of the option, or None for everything."""
    return None if text is None else parse_task(text)


def share_of_masses(masses: np.ndarray, task: Task | None) -> np.ndarray:
    """Masses of a task [eV], increasing; each limit is the same however many tasks there are."""
    return np.asarray(share_of(list(masses), task), float)


def task_folder(out: str | None, command: str, task: Task | None) -> str | None:
    """Folder of a task: the given one, or ``diffaxion-<command>``, with the suffix of the task."""
    if task is None:
        return out
    base = Path(f"diffaxion-{command}" if out is None else out)
    return str(base.with_name(f"{base.name}-{task.suffix}"))


def task_record(task: Task | None) -> dict[str, dict[str, int]]:
    """Entry ``task`` of the provenance; the hash of the configuration does not depend on it."""
    return {} if task is None else {"task": task.record()}
