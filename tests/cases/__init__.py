"""The registry behind the standing suites: one ``Case`` per public numerical function.

Each room has a module here with a list ``CASES``. ``tests/standing`` runs every case through
jit, vmap, grad, float64, retracing and finite differences, and fails when a public function of
a room has no case, so that a new function cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One function with arguments at which it is exercised.

    ``args`` is a tuple of pytrees of float64 arrays (static choices are closed over);
    ``edges`` are further argument tuples at which value and gradient must be finite;
    ``covers`` are the dotted public names (below ``diffaxion.``) that the case stands for.
    """

    name: str
    function: Callable[..., Any]
    args: tuple
    edges: tuple[tuple, ...] = ()
    covers: tuple[str, ...] = ()
    fd_rtol: float = 2e-6
    fd_step: float = 1e-5
    check_fd: bool = True
    slow: bool = field(default=False)


def all_cases() -> list[Case]:
    """Cases of all rooms."""
    import importlib
    import pkgutil

    found: list[Case] = []
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        found += importlib.import_module(f"{__name__}.{module}").CASES
    return found
