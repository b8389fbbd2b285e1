"""Options and parsing that several commands share."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Annotated, Any

import numpy as np
import typer

from ..errors import ConfigurationError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Out = Annotated[
    str | None, typer.Option("--out", help="Folder of the results [default: the next free one].")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing result.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on standard error.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the random numbers.")]


def given_options(context: typer.Context, names: Collection[str]) -> str:
    """Those of some options that stand on the command line, as text.

    Parameters
    ----------
    context : typer.Context
        Call of the command.
    names : collection of str
        Names of parameters.

    Returns
    -------
    str
        Flags, joined by commas; empty if there is none.

    References
    ----------
    https://click.palletsprojects.com/en/stable/api (Context.get_parameter_source).
    """
    found = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in names and source is not None and source.name == "COMMANDLINE":
            found.append(parameter.opts[0])
    return ", ".join(found)


def parse_numbers(text: str, name: str, unit: str) -> np.ndarray:
    """Comma-separated finite numbers of an option, shape (n,)."""
    try:
        values = np.array([float(x) for x in text.split(",")], float)
    except ValueError:
        raise ConfigurationError(
            f"{name} = {text!r}: expected numbers [{unit}] separated by commas"
        ) from None
    if not np.all(np.isfinite(values)):
        raise ConfigurationError(f"{name} = {text!r}: expected finite numbers [{unit}]")
    return values


def parse_masses(text: str) -> np.ndarray:
    """Masses LO:HI:N, N logarithmic steps from LO to HI inclusive [eV], or a comma list."""
    if ":" not in text:
        masses = parse_numbers(text, "--masses", "eV")
    else:
        parts = text.split(":")
        try:
            lo, hi, n = float(parts[0]), float(parts[1]), int(parts[2])
        except (ValueError, IndexError):
            raise ConfigurationError(
                f"--masses = {text!r}: expected LO:HI:N, for example 1e-13:1e-9:60 [eV]"
            ) from None
        span = 0.0 < lo < hi < float("inf") or (n == 1 and 0.0 < lo == hi)
        if not span or n < 1 or len(parts) != 3:
            raise ConfigurationError(
                f"--masses = {text!r}: expected 0 < LO < HI [eV] and N >= 1, as LO:HI:N"
            )
        masses = np.geomspace(lo, hi, n)
    if np.any(masses <= 0.0) or np.any(np.diff(masses) <= 0.0):
        raise ConfigurationError(f"--masses = {text!r}: expected increasing masses > 0 [eV]")
    return masses


def emit(result: dict[str, Any], as_json: bool) -> None:
    """Print a result: one JSON object, or one aligned line per key."""
    if as_json:
        typer.echo(json.dumps(result))
        return
    width = max(len(k) for k in result)
    for key, value in result.items():
        if isinstance(value, list):
            value = "  ".join(f"{v:.6g}" if isinstance(v, float) else str(v) for v in value)
        typer.echo(
            f"{key:<{width}}  {value:.6g}"
            if isinstance(value, float)
            else f"{key:<{width}}  {value}"
        )
