"""``diffaxion limit joint``: limit curves with every nuisance profiled and marginalised."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer

from ..errors import ConfigurationError
from .options import Out, Overwrite, Quiet, parse_masses
from .tasks import TaskText, chosen_task, share_of_masses, task_folder, task_record


def register(app: typer.Typer) -> None:
    """Add the command ``joint`` to a group of commands."""

    @app.command("joint")
    def joint(
        config: Annotated[
            str | None, typer.Argument(metavar="[CONFIG]", help="TOML; default the bundled one.")
        ] = None,
        masses: Annotated[
            str | None,
            typer.Option(
                "--masses",
                metavar="LO:HI:N",
                help="Masses within mass.prior_eV [eV] [default: mass.profile_points of them].",
            ),
        ] = None,
        task: TaskText = None,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
    ) -> None:
        """Limits with all nuisances, joint and of each experiment, without a posterior.

        Every limit is given twice: with the nuisances profiled (power-constrained, with expected
        bands), and with them marginalised for a prior uniform in g >= 0. Where likelihoods.xray
        lists folders of count images, the likelihood is that of their pixels, profiled only.

        Example: diffaxion limit joint --masses 2e-13:2e-12:20 --out limits
        """
        from ..analyses.checks import check_priors, check_spectra
        from ..analyses.config import load_configuration
        from ..analyses.configured_images import (
            configured_observations,
            configured_spectra,
            image_recipe,
            with_configured_images,
        )
        from ..analyses.joint import JointResult, limits_with_nuisances
        from ..analyses.joint_model import joint_recipe, joint_world
        from ..analyses.xray_world import check_observations, observation_world
        from ..products.joint_curves import nuisance_curves, write_joint_limits
        from ..products.joint_figures import limits_figure
        from ..products.plot_style import save_figure
        from ..products.xray_files import data_record
        from ..provenance import prepare_output, provenance_record, write_json
        from ..runtime import enable_cache

        settings = load_configuration(config)
        low, high = settings.mass.prior_eV
        if masses is None:
            grid = np.geomspace(low, high, settings.mass.profile_points)
        else:
            grid = parse_masses(masses)
        # Surrogates and grids are made for this range; the shares of one curve must have the same.
        outside = (grid < low * (1.0 - 1e-9)) | (grid > high * (1.0 + 1e-9))
        if outside.any():
            raise ConfigurationError(
                f"--masses: {grid[outside][0]:g} eV is outside mass.prior_eV = [{low:g}, {high:g}] "
                "eV of the configuration: choose masses inside, or widen that range"
            )
        share = chosen_task(task)
        own = share_of_masses(grid, share)
        images = configured_observations(settings)
        settings = with_configured_images(settings, images)
        world = joint_world(settings)
        spectra = [] if images else configured_spectra(settings)
        outlines = [one.outline for one in images]
        if images:
            check_observations(settings, images)
            world, _ = observation_world(settings, images)
        if outlines or spectra:
            check_spectra(world, outlines or spectra, settings.model.signal)
        check_priors(world, settings, outlines or spectra)
        folder = prepare_output(task_folder(out, "limit", share), "limit", overwrite=overwrite)
        enable_cache()
        if images:
            recipe = image_recipe(settings, images)
        else:
            recipe = joint_recipe(settings, world, spectra)
        curves = limits_with_nuisances(recipe, own)
        result = JointResult(settings, recipe, {}, curves, [])
        chosen = {"masses_eV": grid, "limits": "all nuisances"}
        chosen |= {"data": data_record(images)} if images else {}
        record = provenance_record(settings.seed, settings.model_dump() | chosen)
        record |= task_record(share)
        write_joint_limits(folder, result, f"configuration {record['config_sha256']}")
        # A share may be a single mass, which is no curve.
        if own.size > 1:
            save_figure(limits_figure(result), folder / "limits.png")
        write_json(folder / "provenance.json", record)
        if not quiet:
            for curve in nuisance_curves(result):
                limit = np.where(curve.ok, curve.limit_raw, np.inf)
                best = int(np.argmin(limit))
                if not np.isfinite(limit[best]):
                    typer.echo(f"{curve.curve:<6} {curve.method:<12} no sensitivity at any mass")
                    continue
                typer.echo(
                    f"{curve.curve:<6} {curve.method:<12} strongest: g < {limit[best]:.4g} GeV^-1 "
                    f"(95 %) at m_a = {curve.m_a_eV[best]:.3g} eV"
                )
        typer.echo(f"results in {folder}")
