"""``diffaxion maps robustness``: variations of the analysis, each with its verdict."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ..errors import ConfigurationError
from .maps_options import (
    Config,
    Seed,
    maps_progress,
    maps_record,
    maps_settings,
    planned,
    say_lines,
)
from .options import Json, Out, Overwrite, Quiet


def register(app: typer.Typer) -> None:
    """Add the command ``robustness``."""

    @app.command("robustness")
    def robustness(
        config: Config = "maps",
        tests: Annotated[
            str | None,
            typer.Option(
                "--tests",
                metavar="LIST",
                help="Comma-separated: deprojection, frequencies, beam, masks, cib, moments, "
                "low-l, sample, faults [default: configured].",
            ),
        ] = None,
        null: Annotated[
            bool | None,
            typer.Option(
                "--null/--signal",
                help="Judge the null test, or not [default: judge it unless the simulation has a "
                "signal].",
            ),
        ] = None,
        seed: Seed = None,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """The robustness suite; exit status 1 if a test fails, or a planted fault goes unnoticed.

        Example: diffaxion maps robustness maps --tests cib,masks --out robustness
        """
        from ..analyses.config import check_choice
        from ..analyses.maps_faults import PLANTED, SAMPLE, isw_shift, run_planted
        from ..analyses.maps_robustness import make_suite, run_robustness
        from ..analyses.maps_sections import ROBUSTNESS_TESTS
        from ..analyses.maps_variations import failed_tests
        from ..products.maps_robustness_products import write_robustness
        from ..provenance import prepare_output
        from ..runtime import enable_cache

        settings = maps_settings(config, seed)
        chosen = tuple(settings.robustness.tests)
        if tests is not None:
            chosen = tuple(t.strip() for t in tests.split(","))
            for name in chosen:
                check_choice("--tests", name, ROBUSTNESS_TESTS)
        if not chosen:
            raise ConfigurationError("robustness: no test is left to be run")
        report = maps_progress(quiet)
        plan = planned(settings, report)
        folder = prepare_output(out, "maps-robustness", overwrite=overwrite)
        enable_cache()
        say_lines(plan.lines(), quiet)
        record = maps_record(settings, folder)
        signal = settings.simulation is not None and (
            settings.simulation.strength > 0.0 or settings.simulation.g_GeV > 0.0
        )
        judged = not signal if null is None else null
        suite = make_suite(plan.settings, plan.source, null=judged, progress=report)
        found = run_robustness(suite, chosen)
        faults = [f for f in PLANTED if "faults" in chosen]
        faults += [SAMPLE] if "sample" in chosen else []
        planted = [run_planted(settings, f, progress=report) for f in faults]
        isw = isw_shift(settings, progress=report) if "low-l" in chosen else None
        text = write_robustness(folder, found, planted, isw, plan.source.nature, record)
        report("done", 1.0)
        failed = failed_tests(found)
        unnoticed = [p.fault for p in planted if not p.passed]
        if as_json:
            verdicts = {t.name: t.verdict for t in found}
            shown = {"verdicts": verdicts, "unexpected": unnoticed, "folder": str(folder)}
            typer.echo(json.dumps(shown))
        else:
            if not quiet:
                typer.echo(text)
            typer.echo(f"results in {folder}")
        if failed or unnoticed:
            raise typer.Exit(1)
