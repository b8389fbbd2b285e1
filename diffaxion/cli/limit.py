"""``diffaxion limit xray``: limit curves without nuisances, as in the paper."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer

from ..errors import ConfigurationError
from . import xray_options as image_options
from .limit_images import limit_images
from .options import Out, Overwrite, Quiet, given_options, parse_masses
from .tasks import TaskText, chosen_task, share_of_masses, task_folder, task_record

# Choices among pixels.
_OF_IMAGES = ("cluster", "stars", "psf", "roi", "rebin", "by", "unmasked", "all_energies")


def register(app: typer.Typer) -> None:
    """Add the command ``xray`` to a group of commands."""

    @app.command("xray")
    def xray(
        context: typer.Context,
        config: Annotated[
            str | None, typer.Argument(metavar="[CONFIG]", help="TOML; default the bundled one.")
        ] = None,
        signal: Annotated[
            str | None,
            typer.Option("--signal", help="published, anchored or ensemble [default: configured]."),
        ] = None,
        masses: Annotated[
            str | None,
            typer.Option("--masses", metavar="LO:HI:N", help="Masses [eV] [default: configured]."),
        ] = None,
        spectrum: Annotated[
            list[str] | None,
            typer.Option(
                "--spectrum",
                metavar="TARGET=FILE",
                help="Flux points in place of the published ones (CSV: energy_keV, "
                "half_width_keV, flux, error).",
            ),
        ] = None,
        data: Annotated[
            list[str] | None,
            typer.Option(
                "--data",
                metavar="DIR",
                help="Count images in place of spectra, one folder per target or more "
                "(`diffaxion xray --help`); the likelihood is that of their pixels.",
            ),
        ] = None,
        cluster: image_options.Cluster = None,
        stars: image_options.Stars = None,
        psf: image_options.Psf = None,
        roi: image_options.Roi = None,
        rebin: image_options.Rebin = 1,
        by: image_options.By = "all",
        unmasked: image_options.Unmasked = False,
        all_energies: image_options.AllEnergies = False,
        task: TaskText = None,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
    ) -> None:
        """Limits on the coupling over a mass grid, for each target and joint.

        Example: diffaxion limit xray --masses 1e-13:1e-9:60 --out limits

        Example: diffaxion limit xray --data quintuplet-sim --data wd1-sim --out limits
        """
        from ..analyses.checks import check_priors, check_spectra
        from ..analyses.config import LikelihoodsSection, check_choice, load_configuration
        from ..analyses.joint import scan_signals
        from ..analyses.joint_model import joint_world
        from ..analyses.star_clusters import published_spectrum, user_spectrum
        from ..products.xray import limit_table, write_scan_products
        from ..provenance import prepare_output, provenance_record, write_json
        from ..runtime import enable_cache

        if not data and not spectrum:
            named = load_configuration(config).likelihoods.xray
            data = named if isinstance(named, list) else None
        if data:
            if spectrum:
                raise ConfigurationError(
                    "--data and --spectrum exclude each other: turn images into flux points with "
                    "`diffaxion xray flux`, or leave --spectrum out"
                )
            choices = {
                "cluster": cluster,
                "stars": stars,
                "psf": psf,
                "radius_arcmin": roi,
                "rebin": rebin,
                "masked": not unmasked,
                "all_energies": all_energies,
            }
            limit_images(data, choices, config, signal, masses, by, task, out, overwrite, quiet)
            return
        if misplaced := given_options(context, _OF_IMAGES):
            raise ConfigurationError(
                f"{misplaced}: a choice about count images; expected --data DIR with it"
            )
        settings = load_configuration(config)
        xray_only = {"likelihoods": LikelihoodsSection(xray=True, cmb="none")}
        settings = settings.model_copy(update=xray_only)
        modes = ("published", "anchored", "ensemble")
        mode = check_choice("--signal", signal or settings.model.signal, modes)
        # The world of the mode `ensemble` holds the stars that were drawn.
        chosen_model = settings.model.model_copy(update={"signal": mode})
        settings = settings.model_copy(update={"model": chosen_model})
        grid = None if masses is None else parse_masses(masses)
        share = chosen_task(task)
        files = {}
        for item in spectrum or []:
            name, _, path = item.partition("=")
            if not path:
                raise ConfigurationError(f"--spectrum {item!r}: expected TARGET=FILE")
            files[check_choice("--spectrum target", name, tuple(settings.model.targets))] = path
        user = {t: user_spectrum(t, path, mode) for t, path in files.items()}
        spectra = [user.get(t) or published_spectrum(t) for t in settings.model.targets]
        world = joint_world(settings)
        check_spectra(world, spectra, mode)
        check_priors(world, settings, spectra)
        if grid is None:
            grid = np.geomspace(*settings.mass.grid_eV, settings.mass.grid_points)
        own = share_of_masses(grid, share)
        folder = prepare_output(task_folder(out, "limit", share), "limit", overwrite=overwrite)
        enable_cache()
        scans = scan_signals(world, settings, spectra, (mode,), own)
        given = {
            t: [np.asarray(s.points.data), np.asarray(s.points.scale)] for t, s in user.items()
        }
        chosen = {"signal": mode, "masses_eV": grid, "spectra": given}
        record = provenance_record(None, settings.model_dump() | chosen) | task_record(share)
        write_scan_products(folder, scans, mode, [f"configuration {record['config_sha256']}"])
        write_json(folder / "provenance.json", record)
        if not quiet:
            lowest = float(scans[mode][0].m_a_eV[0])
            for _, name, limit, median, pull, status in limit_table(scans, lowest):
                typer.echo(
                    f"{name:<12} m_a = {lowest:.3g} eV: g < {limit:.4g}e-12 GeV^-1 (95 %), "
                    f"median {median:.4g}e-12, a_hat/sigma {pull:+.2f}, {status}"
                )
        typer.echo(f"results in {folder}")
