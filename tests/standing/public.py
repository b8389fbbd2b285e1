"""Public names of the package: the ``__all__`` of every room."""

from __future__ import annotations

import importlib
import inspect

ROOMS = [
    "numerics",
    "data",
    "environments.cosmology",
    "environments.galaxy",
    "environments.halos",
    "environments.stars",
    "conversion",
    "observables",
    "observables.cmb",
    "observables.xray",
    "sky",
    "parameters",
    "likelihoods",
    "inference",
    "analyses",
    "products",
    "cli",
]
# Rooms whose functions are numerical: each of them needs a Case.
NUMERICAL_ROOMS = [
    "numerics",
    "environments.cosmology",
    "environments.galaxy",
    "environments.halos",
    "environments.stars",
    "conversion",
    "observables",
    "observables.cmb",
    "observables.xray",
    "sky",
    "parameters",
    "likelihoods",
    "inference",
]


def public_objects() -> dict[str, object]:
    """Dotted name (below ``diffaxion.``) to object."""
    found = {}
    for room in ROOMS:
        module = importlib.import_module(f"diffaxion.{room}")
        for name in module.__all__:
            # Decorators such as jit and caches hide the function whose text is checked.
            found[f"{room}.{name}"] = inspect.unwrap(getattr(module, name))
    return found


def signature_line(name: str, thing: object) -> str:
    """One line of the frozen interface."""
    if inspect.isclass(thing) or inspect.isfunction(thing):
        try:
            parameters = inspect.signature(thing).parameters.values()
        except ValueError:
            return name
        shown = ", ".join(
            ("*" if p.kind is p.VAR_POSITIONAL else "**" if p.kind is p.VAR_KEYWORD else "")
            + p.name
            + ("" if p.default is p.empty else "=...")
            for p in parameters
        )
        return f"{name}({shown})"
    return name
