"""``diffaxion joint``: the main job."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from .options import Out, Overwrite, Quiet


def _progress(quiet: bool):
    """Writer of one line per step on standard error; rewrites it on a terminal."""
    start = time.perf_counter()
    last = [""]

    def report(step: str, done: float) -> None:
        if quiet:
            return
        text = f"[{time.perf_counter() - start:6.1f} s] {step}" + (
            f" {100 * done:3.0f} %" * (done > 0)
        )
        end = "\n" if step != last[0] and last[0] else ""
        lead = f"{end}\r" if sys.stderr.isatty() else ""
        print(f"{lead}{text}", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)
        last[0] = step

    return report


def register(app: typer.Typer) -> None:
    """Add the command ``joint``."""

    @app.command("joint")
    def joint(
        config: Annotated[
            str | None, typer.Argument(metavar="[CONFIG]", help="TOML; default the bundled one.")
        ] = None,
        seed: Annotated[
            int | None, typer.Option("--seed", help="Seed [default: configured].")
        ] = None,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
    ) -> None:
        """Posterior of coupling, mass and nuisances, limits, plots and report.

        Example: diffaxion joint --out result
        """
        from ..analyses.checks import check_priors, check_spectra
        from ..analyses.config import load_configuration
        from ..analyses.joint import run_joint
        from ..analyses.star_clusters import configured_world, published_spectrum
        from ..products.joint_report import write_joint_products
        from ..provenance import prepare_output, provenance_record
        from ..runtime import enable_cache

        settings = load_configuration(config)
        if seed is not None:
            settings = settings.model_copy(update={"seed": seed})
        world = configured_world(settings)
        spectra = [published_spectrum(t) for t in settings.model.targets]
        check_spectra(world, spectra, settings.model.signal)
        check_priors(world, settings, spectra)
        folder = prepare_output(out, "joint", overwrite=overwrite)
        enable_cache()
        report = _progress(quiet)
        result = run_joint(settings, report)
        report("products", 0.0)
        write_joint_products(
            folder, result, provenance_record(settings.seed, settings.model_dump())
        )
        if not quiet:
            print(file=sys.stderr)
        for limit in result.marginal:
            shown = limit.reason or f"g < {limit.g_95_GeV:.3g} GeV^-1"
            typer.echo(f"95 % limit, prior {limit.prior}: {shown}")
        typer.echo(f"results in {folder}")
        if not result.posterior.converged:
            typer.echo("the posterior did not converge: " + "; ".join(result.posterior.reasons))
            raise typer.Exit(1)
