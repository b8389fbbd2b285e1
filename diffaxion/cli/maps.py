"""``diffaxion maps``: from frequency maps to bandpowers of screening and galaxies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigurationError
from .maps_options import (
    STORED,
    Config,
    Resume,
    Seed,
    maps_progress,
    maps_record,
    maps_settings,
    planned,
    say_lines,
)
from .options import Json, Out, Overwrite, Quiet

if TYPE_CHECKING:
    from ..analyses.maps_config import MapsConfiguration


def register(app: typer.Typer) -> None:
    """Add the commands ``simulate``, ``clean``, ``measure`` and ``run``."""

    @app.command("simulate")
    def simulate(
        config: Config = "maps",
        seed: Seed = None,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Simulated frequency maps, galaxies and masks, with a configuration to clean them.

        Example: diffaxion maps simulate maps --seed 3 --out sky
        """
        from ..analyses.maps_simulation import simulated_sky, write_sky
        from ..provenance import prepare_output, write_json

        settings = maps_settings(config, seed)
        if settings.simulation is None:
            raise ConfigurationError(
                f"configuration {config}: no section [simulation], nothing to simulate"
            )
        report = maps_progress(quiet)
        report("simulate", 0.0)
        sky = simulated_sky(settings)
        folder = prepare_output(out, "maps-simulate", overwrite=overwrite)
        record = maps_record(settings, folder)
        path = write_sky(folder, sky, settings)
        write_json(folder / "provenance.json", record)
        report("done", 1.0)
        shown = {"folder": str(folder), "configuration": str(path), "nature": sky.nature}
        if as_json:
            typer.echo(json.dumps(shown))
            return
        typer.echo(sky.nature)
        typer.echo(f"maps in {folder}; clean them with: diffaxion maps run {path}")

    @app.command("clean")
    def clean(
        config: Config = "maps",
        seed: Seed = None,
        out: Out = None,
        overwrite: Overwrite = False,
        resume: Resume = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Cleaned maps of screening: prepared channels through the constrained needlet ILC.

        Example: diffaxion maps clean sky/maps.toml --out cleaned
        """
        from ..analyses.maps_pipeline import FIDUCIAL, run_maps
        from ..products.maps_products import write_cleaned
        from ..provenance import prepare_output, write_json
        from ..runtime import enable_cache

        settings = maps_settings(config, seed)
        report = maps_progress(quiet)
        plan = planned(settings, report)
        folder = prepare_output(out, "maps-clean", overwrite=overwrite, resume=resume)
        enable_cache()
        say_lines(plan.lines(), quiet)
        record = maps_record(settings, folder)
        result = run_maps(plan, folder, report, measure=False)
        write_cleaned(folder, result, record)
        write_json(folder / "provenance.json", record)
        report("done", 1.0)
        rms = float(result.cleaned[FIDUCIAL].values[result.measurer.temperature_mask > 0.0].std())
        shown = {
            "folder": str(folder),
            "sets": list(result.cleaned),
            "rms_uK": rms,
            "memory_MiB": plan.memory_MiB,
            "seconds": result.seconds,
        }
        if as_json:
            typer.echo(json.dumps(shown))
            return
        typer.echo(f"cleaned maps of {', '.join(result.cleaned)}; rms {rms:.4g} uK at 353 GHz")
        typer.echo(f"results in {folder}; measure with: diffaxion maps measure {folder}")

    @app.command("measure")
    def measure(
        cleaned: Annotated[
            str, typer.Argument(metavar="FOLDER", help="Folder that diffaxion maps clean wrote.")
        ],
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Bandpowers of cleaned maps with the galaxies: bandpowers.npz with its covariance.

        Example: diffaxion maps measure cleaned --out measured
        """
        from ..analyses.maps_pipeline import run_maps
        from ..products.maps_products import write_measurement
        from ..provenance import prepare_output
        from ..runtime import enable_cache

        source = Path(cleaned)
        settings = stored_settings(source)
        report = maps_progress(quiet)
        plan = planned(settings, report)
        folder = prepare_output(out, "maps-measure", overwrite=overwrite)
        enable_cache()
        record = maps_record(settings, folder)
        result = run_maps(plan, source, report)
        summary = write_measurement(folder, result, record)
        report("done", 1.0)
        _print_summary(summary, folder, as_json)

    @app.command("run")
    def run(
        config: Config = "maps",
        seed: Seed = None,
        out: Out = None,
        overwrite: Overwrite = False,
        resume: Resume = False,
        keep: Annotated[
            bool, typer.Option("--keep", help="Keep the intermediate results of the stages.")
        ] = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """The whole way: maps, cleaned map, bandpowers.npz that limit screening and joint read.

        Example: diffaxion maps run maps --out maps-result
        """
        from ..analyses.maps_pipeline import run_maps
        from ..products.maps_products import write_cleaned, write_measurement
        from ..provenance import prepare_output
        from ..runtime import enable_cache

        settings = maps_settings(config, seed)
        report = maps_progress(quiet)
        plan = planned(settings, report)
        folder = prepare_output(out, "maps-run", overwrite=overwrite, resume=resume)
        enable_cache()
        say_lines(plan.lines(), quiet)
        record = maps_record(settings, folder)
        result = run_maps(plan, folder, report)
        report("products", 0.0)
        write_cleaned(folder, result, record, figures=False)
        summary = write_measurement(folder, result, record)
        if not keep:
            for name in ("prepared", "scales"):
                shutil.rmtree(folder / name, ignore_errors=True)
        report("done", 1.0)
        _print_summary(summary, folder, as_json)


def stored_settings(folder: Path) -> MapsConfiguration:
    """Settings with which a folder of cleaned maps was made.

    Parameters
    ----------
    folder : Path
        Folder that ``diffaxion maps clean`` wrote.

    Returns
    -------
    MapsConfiguration
        Settings.

    Raises
    ------
    ConfigurationError
        If the folder holds no such run.

    References
    ----------
    None: configuration.
    """
    from ..analyses.maps_config import parse_maps_configuration

    path = folder / STORED
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{folder}: no cleaned maps ({error}); expected a folder that `diffaxion maps clean` "
            "wrote"
        ) from None
    if not (folder / "cleaned.json").is_file():
        raise ConfigurationError(
            f"{folder}: its cleaning is not finished (cleaned.json is missing); continue it with "
            "diffaxion maps clean --resume"
        )
    return parse_maps_configuration(values, str(path))


def _print_summary(summary: dict[str, Any], folder: Path, as_json: bool) -> None:
    from ..provenance import jsonable

    if as_json:
        kept = {k: v for k, v in summary.items() if k not in ("scales", "maps")}
        typer.echo(json.dumps(jsonable(kept | {"folder": str(folder)})))
        return
    if summary["nature"]:
        typer.echo(summary["nature"])
    for label, row in summary["sets"].items():
        test = row["null"]
        names = ", ".join(row["deprojected"]) or "nothing"
        typer.echo(
            f"{label} (deprojected: {names}): chi^2 without signal {test['chi2']:.4g} for "
            f"{test['dof']} bandpowers, probability of more {test['pte']:.3g}"
        )
    if "injected" in summary:
        test = summary["injected"]["test"]
        typer.echo(
            f"against what was put in: chi^2 {test['chi2']:.4g} for {test['dof']}, probability of "
            f"more {test['pte']:.3g}"
        )
    hint = f"limits: diffaxion limit screening --data {folder}/bandpowers.npz"
    if summary["preserve"] == "dark-photon":
        hint = "its bandpowers are of dark photons: limit screening would take them for axions"
    typer.echo(f"results in {folder}; {hint}")
