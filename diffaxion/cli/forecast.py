"""``diffaxion forecast``: expected limits of future surveys and exposures."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated

import typer

from ..errors import ConfigurationError
from .options import Json, Out, Overwrite, Quiet, parse_masses


def register(app: typer.Typer) -> None:
    """Add the command ``forecast``."""

    @app.command("forecast")
    def forecast(
        config: Annotated[
            str | None,
            typer.Argument(metavar="CONFIG", help="Name of a ready configuration, or a TOML file."),
        ] = None,
        show: Annotated[
            bool, typer.Option("--list", help="List the ready configurations.")
        ] = False,
        masses: Annotated[
            str | None,
            typer.Option("--masses", metavar="LO:HI:N", help="Masses [eV] [default: configured]."),
        ] = None,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Expected limits without signal, and their derivatives, by automatic differentiation.

        Example: diffaxion forecast so-lsst --masses 2e-13:2e-12:20 --out forecast
        """
        from ..analyses.forecast import forecast_names, load_forecast, run_forecast
        from ..products.forecast import forecast_summary, write_forecast
        from ..provenance import prepare_output, provenance_record
        from ..runtime import enable_cache

        if show:
            titles = {n: load_forecast(n)[1].title for n in forecast_names()}
            if as_json:
                typer.echo(json.dumps(titles))
                return
            width = max(map(len, titles))
            for name, title in titles.items():
                typer.echo(f"{name:<{width}}  {title}")
            return
        if config is None:
            raise ConfigurationError(
                f"forecast: name a configuration ({', '.join(forecast_names())}) or a TOML file"
            )
        name, settings = load_forecast(config)
        grid = None if masses is None else parse_masses(masses)
        folder = prepare_output(out, "forecast", overwrite=overwrite)
        enable_cache()
        start = time.perf_counter()

        def report(step: str) -> None:
            if not quiet:
                print(f"[{time.perf_counter() - start:6.1f} s] {step}", file=sys.stderr, flush=True)

        result = run_forecast(name, settings, grid, report)
        report("products")
        options = settings.model_dump(mode="json") | {"masses_eV": grid}
        write_forecast(folder, result, provenance_record(None, options))
        if as_json:
            typer.echo(json.dumps(forecast_summary(result) | {"folder": str(folder)}))
            return
        for part in result.parts:
            mass = part.facts["reference_mass_eV"]
            typer.echo(
                f"{part.label}: expected g < {part.facts['g95_GeV']:.3g} GeV^-1 (95 %) at "
                f"{mass:.3g} eV"
            )
            for caveat in part.caveats:
                typer.echo(f"  {caveat}")
        typer.echo(f"results in {folder}")
