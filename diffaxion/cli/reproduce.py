"""``diffaxion reproduce xray|screening|maps|joint``: the papers' numbers beside ours."""

from __future__ import annotations

from typing import Annotated

import typer

from .options import Out, Overwrite, Quiet, Seed


def register(app: typer.Typer) -> None:
    """Add the commands ``xray``, ``screening``, ``maps`` and ``joint`` to a group of commands."""

    @app.command("xray")
    def xray(out: Out = None, overwrite: Overwrite = False, quiet: Quiet = False) -> None:
        """Numbers and figures of Dessert, Foster & Safdi 2020 beside ours.

        Example: diffaxion reproduce xray --out reproduction
        """
        from ..analyses import reproduce_xray as paper
        from ..analyses.config import Configuration
        from ..analyses.joint import scan_signals
        from ..analyses.star_clusters import build_world
        from ..data.registry import load_table
        from ..inference.limits import Q_95_ROUNDED
        from ..products.reproduction import write_reproduction
        from ..provenance import prepare_output, provenance_record
        from ..runtime import enable_cache

        folder = prepare_output(out, "reproduce", overwrite=overwrite)
        enable_cache()
        settings = Configuration.model_validate({"coupling": {"q_threshold": Q_95_ROUNDED}})
        scans = scan_signals(
            build_world(settings.model),
            settings,
            signals=("published",),
            m_a_eV=load_table("nustar_published_limits")["m_a_eV"],
        )["published"]
        tables = {
            "Limits from the published spectra, m_a = 1e-13 eV": paper.flux_point_rows(),
            "Joint limit from the published pairs": paper.published_joint_rows(),
            "Conversion probabilities": paper.probability_rows(),
            "Shape of the expected limits": paper.shape_rows(scans),
            "Absorption": paper.absorption_rows(),
        }
        record = provenance_record(None, settings.model_dump())
        text = write_reproduction(folder, tables, scans, record)
        if not quiet:
            typer.echo(text)
        typer.echo(f"results in {folder}")

    @app.command("screening")
    def screening(out: Out = None, overwrite: Overwrite = False, quiet: Quiet = False) -> None:
        """Numbers and figures of Goldstein et al. 2024 (CMB screening) beside ours.

        Example: diffaxion reproduce screening --out reproduction-screening
        """
        from ..analyses.reproduce_screening import run_study
        from ..analyses.screening_config import screening_section
        from ..products.screening_reproduction import write_screening_reproduction
        from ..provenance import prepare_output, provenance_record
        from ..runtime import enable_cache

        folder = prepare_output(out, "reproduce", overwrite=overwrite)
        enable_cache()
        configurations = {c: screening_section(c).model_dump() for c in ("parity", "default")}
        record = provenance_record(None, configurations)
        text = write_screening_reproduction(folder, run_study(), record)
        if not quiet:
            typer.echo(text)
        typer.echo(f"results in {folder}")

    @app.command("maps")
    def maps(
        nside: Annotated[
            int, typer.Option("--nside", help="Resolution of the simulated sky: 64 is quicker.")
        ] = 128,
        skies: Annotated[
            int, typer.Option("--skies", help="Small skies behind the Green-like sample.")
        ] = 2,
        seed: Seed = 1,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
    ) -> None:
        """The map half of Goldstein et al. 2024 on a simulated sky: Figs. S1 to S10.

        Example: diffaxion reproduce maps --nside 64 --out reproduction-maps
        """
        from ..analyses.reproduce_maps import run_study, study_settings
        from ..errors import ConfigurationError
        from ..products.maps_reproduction import write_maps_reproduction
        from ..provenance import prepare_output, provenance_record
        from ..runtime import enable_cache
        from .maps_options import maps_progress

        if nside not in (32, 64, 128, 256, 512):
            raise ConfigurationError(f"--nside = {nside}: expected 32, 64, 128, 256 or 512")
        if skies < 1:
            raise ConfigurationError(f"--skies = {skies}: expected at least 1")
        settings = study_settings(nside, seed)
        folder = prepare_output(out, "reproduce", overwrite=overwrite)
        enable_cache()
        record = provenance_record(seed, settings.model_dump(mode="json"))
        report = maps_progress(quiet)
        study = run_study(nside, seed, skies, report)
        text = write_maps_reproduction(folder, study, record)
        report("done", 1.0)
        if not quiet:
            typer.echo(text)
        typer.echo(f"results in {folder}")

    @app.command("joint")
    def joint(
        run: Annotated[
            str | None,
            typer.Option("--from", metavar="FOLDER", help="A finished run of diffaxion joint."),
        ] = None,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
    ) -> None:
        """Each half alone through the joint fit, both together, and the statistics.

        With --from also the posterior of a finished run, its mass sampled, against the limits at
        fixed masses.

        Example: diffaxion reproduce joint --from result --out reproduction-joint
        """
        from ..analyses import reproduce_joint as study
        from ..analyses.reproduce_statistics import prior_rows, statistics_rows
        from ..analyses.reproduce_xray import published_joint_rows
        from ..products.joint_reproduction import run_rows, write_joint_reproduction
        from ..provenance import prepare_output, provenance_record
        from ..runtime import enable_cache

        # Before anything is computed: the folder may hold no such run.
        grid = [] if run is None else run_rows(run)
        folder = prepare_output(out, "reproduce", overwrite=overwrite)
        enable_cache()
        halves = study.load_halves()
        tables = {
            "X rays alone, nuisances fixed, m_a = 1e-13 eV": study.xray_rows(halves),
            "CMB alone, nuisances fixed, R = 1 at the own fiducial point": study.cmb_rows(halves),
            "CMB anchored to the paper": study.anchored_rows(halves),
            "Both halves together, without signal": study.together_rows(halves),
            "Statistics": [*statistics_rows(), *published_joint_rows()],
            "Prior of the coupling at zero signal": prior_rows(),
        }
        if grid:
            tables["Posterior with the mass sampled against fixed masses"] = grid
        record = provenance_record(None, halves.configuration.model_dump())
        text = write_joint_reproduction(folder, tables, halves, record)
        if not quiet:
            typer.echo(text)
        typer.echo(f"results in {folder}")
