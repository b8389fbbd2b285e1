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
        resume: Annotated[
            bool, typer.Option("--resume", help="Continue the run that --out holds.")
        ] = False,
        force: Annotated[
            bool,
            typer.Option("--force", help="Resume although versions or settings differ; recorded."),
        ] = False,
        quiet: Quiet = False,
    ) -> None:
        """Posterior of coupling, mass and nuisances, limits, plots and report.

        Example: diffaxion joint --out result
        """
        from ..analyses.checks import check_priors, check_spectra
        from ..analyses.config import load_configuration
        from ..analyses.configured_images import (
            check_flux_points,
            configured_observations,
            configured_spectra,
            with_configured_images,
        )
        from ..analyses.joint import run_joint
        from ..analyses.joint_model import joint_world
        from ..products.joint_report import write_joint_products
        from ..products.xray_files import data_record
        from ..provenance import prepare_output, provenance_record
        from ..runtime import enable_cache

        settings = load_configuration(config)
        if seed is not None:
            settings = settings.model_copy(update={"seed": seed})
        images = configured_observations(settings)
        settings = with_configured_images(settings, images)
        world = joint_world(settings)
        if images:
            check_flux_points(settings, images)
        spectra = [one.outline for one in images] or configured_spectra(settings)
        if spectra:
            check_spectra(world, spectra, settings.model.signal)
        check_priors(world, settings, spectra)
        chosen = {"data": data_record(images)} if images else {}
        record = provenance_record(settings.seed, settings.model_dump() | chosen)
        folder = prepare_output(out, "joint", overwrite=overwrite, resume=resume)
        enable_cache()
        report = _progress(quiet)
        result = run_joint(settings, report, folder / "checkpoints", resume=resume, force=force)
        report("products", 0.0)
        write_joint_products(folder, result, record)
        if not quiet:
            print(file=sys.stderr)
        for run in result.runs:
            where = "sampled" if run.m_a_eV is None else f"{run.m_a_eV:.3g} eV"
            for limit in run.marginal:
                shown = limit.reason or f"g < {limit.g_95_GeV:.3g} GeV^-1"
                typer.echo(f"mass {where}, 95 % limit, prior {limit.prior}: {shown}")
        typer.echo(f"results in {folder}")
        for run in result.runs:
            if not run.posterior.converged:
                why = "; ".join(run.posterior.reasons)
                typer.echo(f"the posterior with mass {run.name} did not converge: {why}")
        if not result.converged:
            raise typer.Exit(1)
