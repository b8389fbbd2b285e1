"""Options of the commands of ``diffaxion maps``, and what all of them do first."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ..analyses.maps_config import MapsConfiguration
    from ..analyses.maps_pipeline import MapsPlan

Config = Annotated[
    str,
    typer.Argument(metavar="CONFIG", help="TOML file, or maps (bundled: a small simulated sky)."),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed [default: configured].")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run that --out holds.")]
STORED = "configuration.json"


def maps_progress(quiet: bool) -> Callable[[str, float], None]:
    """Writer of progress on standard error: one line per step, rewritten on a terminal."""
    start, last = time.perf_counter(), [""]

    def report(step: str, done: float) -> None:
        if quiet:
            return
        text = f"[{time.perf_counter() - start:6.1f} s] {step}"
        live = sys.stderr.isatty()
        if live:
            end = "" if done < 1.0 else "\n"
            print(f"\r{text:<72}", end=end, file=sys.stderr, flush=True)
        elif step != last[0]:
            print(text, file=sys.stderr, flush=True)
        last[0] = step

    return report


def planned(settings: MapsConfiguration, report: Callable[[str, float], None]) -> MapsPlan:
    """The plan of a run, for which a sky may have to be simulated first."""
    from ..analyses.maps_pipeline import plan_maps

    if settings.simulation is not None:
        # A line of its own, because lines of the plan follow.
        report("simulate", 1.0)
    return plan_maps(settings)


def maps_settings(config: str, seed: int | None) -> MapsConfiguration:
    from ..analyses.maps_config import load_maps_configuration

    found = load_maps_configuration(config)
    if seed is None:
        return found
    if seed < 0:
        raise ConfigurationError(f"--seed = {seed}: expected a whole number >= 0")
    return found.model_copy(update={"seed": seed})


def maps_record(settings: MapsConfiguration, folder: Path) -> dict[str, Any]:
    from ..provenance import provenance_record, write_json

    values = settings.model_dump(mode="json", exclude_none=True)
    write_json(folder / STORED, values)
    return provenance_record(settings.seed, values)


def say_lines(lines: list[str], quiet: bool) -> None:
    for line in [] if quiet else lines:
        print(line, file=sys.stderr)
