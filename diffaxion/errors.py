"""Exceptions and warnings of diffaxion.

Every message names the file or parameter, the value found, what was expected and what to do.
The command line maps the kinds to exit codes: 2 for bad input, 1 for a run that failed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DiffaxionError(Exception):
    """Base class of all errors raised on purpose by diffaxion."""

    exit_code = 1


class DataError(DiffaxionError):
    """A file or an array handed in by the user is unusable."""

    exit_code = 2


class ConfigurationError(DiffaxionError):
    """An option, configuration key, prior path or parameter is unknown or inconsistent."""

    exit_code = 2


class ValidityError(DiffaxionError):
    """A physical argument is outside the range in which the model means anything."""

    exit_code = 2


class ConvergenceError(DiffaxionError):
    """A solver or sampler did not reach its gates."""


class CheckpointError(DiffaxionError):
    """A checkpoint is damaged, belongs to another run, or cannot be written.

    ``partial`` holds the draws so far where the run had to stop because of it, else None.
    """

    def __init__(self, message: str, partial: object = None) -> None:
        super().__init__(message)
        self.partial = partial


class RunInterrupted(DiffaxionError):
    """A signal stopped a run that can be resumed; the exit code is 128 + signal."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class OutputExistsError(DiffaxionError):
    """A result is already there and neither ``--overwrite`` nor ``--resume`` was given."""

    exit_code = 2


class DiffaxionWarning(UserWarning):
    """A result is usable but carries a caveat that the user should read."""


def nearest_names(name: str, known: Iterable[str], count: int = 3) -> str:
    """Sentence fragment listing the known names closest to ``name``."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.3)
    shown = close or names[:8]
    lead = "did you mean" if close else "known names are"
    return f"{lead} {', '.join(repr(n) for n in shown)}?" if close else f"{lead} {', '.join(shown)}"


def unknown_name(kind: str, name: str, known: Iterable[str]) -> ConfigurationError:
    """Configuration error for a misspelt name, with the nearest known ones."""
    return ConfigurationError(f"unknown {kind} {name!r}: {nearest_names(name, list(known))}")
