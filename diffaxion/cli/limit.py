"""``diffaxion limit xray``: limit curves without nuisances, as in the paper."""

from __future__ import annotations

from typing import Annotated

import typer

from ..errors import ConfigurationError
from .options import Out, Overwrite, Quiet, parse_masses


def register(app: typer.Typer) -> None:
    """Add the command ``xray`` to a group of commands."""

    @app.command("xray")
    def xray(
        config: Annotated[
            str | None, typer.Argument(metavar="[CONFIG]", help="TOML; default the bundled one.")
        ] = None,
        signal: Annotated[
            str | None,
            typer.Option("--signal", help="published or anchored [default: configured]."),
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
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
    ) -> None:
        """Limits on the coupling over a mass grid, for each target and joint.

        Example: diffaxion limit xray --masses 1e-13:1e-9:60 --out limits
        """
        from ..analyses.checks import check_priors, check_spectra
        from ..analyses.config import check_choice, load_configuration
        from ..analyses.joint import scan_signals
        from ..analyses.star_clusters import configured_world, published_spectrum, user_spectrum
        from ..products.xray import limit_table, write_scan_products
        from ..provenance import prepare_output, provenance_record, write_json
        from ..runtime import enable_cache

        settings = load_configuration(config)
        mode = check_choice("--signal", signal or settings.model.signal, ("published", "anchored"))
        grid = None if masses is None else parse_masses(masses)
        files = {}
        for item in spectrum or []:
            name, _, path = item.partition("=")
            if not path:
                raise ConfigurationError(f"--spectrum {item!r}: expected TARGET=FILE")
            files[check_choice("--spectrum target", name, tuple(settings.model.targets))] = path
        spectra = [
            user_spectrum(t, files[t], mode) if t in files else published_spectrum(t)
            for t in settings.model.targets
        ]
        world = configured_world(settings)
        check_spectra(world, spectra, mode)
        check_priors(world, settings, spectra)
        folder = prepare_output(out, "limit", overwrite=overwrite)
        enable_cache()
        scans = scan_signals(world, settings, spectra, (mode,), grid)
        record = provenance_record(None, settings.model_dump() | {"signal": mode})
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
