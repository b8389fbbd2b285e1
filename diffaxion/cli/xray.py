"""``diffaxion xray``: images of NuSTAR, fitted, and turned into flux points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ..errors import ConfigurationError
from . import xray_options as options
from .options import Json, Out, Overwrite, Quiet, parse_masses
from .xray_simulate import register_simulate

if TYPE_CHECKING:
    from ..analyses.xray_observation import Observation


def register(app: typer.Typer) -> None:
    """Add the commands below ``xray``."""
    register_simulate(app)
    _register_fit(app)
    _register_flux(app)


def _register_fit(app: typer.Typer) -> None:
    @app.command("fit")
    def fit(
        folders: options.Folders,
        masses: Annotated[
            str,
            typer.Option(
                "--mass", "--masses", metavar="EV|LO:HI:N", help="Masses [eV], or a list."
            ),
        ] = repr(options.MASS_EV),
        cluster: options.Cluster = None,
        stars: options.Stars = None,
        psf: options.Psf = None,
        roi: options.Roi = None,
        rebin: options.Rebin = 1,
        by: options.By = "all",
        unmasked: options.Unmasked = False,
        all_energies: options.AllEnergies = False,
        signal: options.Signal = None,
        config: options.Config = None,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Fit an axion signal to images: strength, error, limit, test statistic, backgrounds.

        Several folders are fitted alone and together.

        Example: diffaxion xray fit wd1-sim --mass 1e-13,3e-11 --out fit
        """
        from ..analyses.xray_fit import fit_counts
        from ..analyses.xray_world import check_observations, observation_world
        from ..products.xray_files import data_record, fit_summary

        grid = parse_masses(masses)
        group, mode = options.grouping(by), options.signal_mode(signal)
        data = options.read_folders(
            folders,
            cluster=cluster,
            stars=stars,
            psf=psf,
            radius_arcmin=roi,
            rebin=rebin,
            masked=not unmasked,
            all_energies=all_energies,
        )
        settings = options.image_settings(config, data, mode)
        check_observations(settings, data)
        chosen = settings.model_dump() | {"masses_eV": grid, "by": by, "data": data_record(data)}
        folder, record = options.prepare("fit", out, overwrite, None, chosen)
        world, images = observation_world(settings, data, group)
        numerics = settings.numerics
        fits = fit_counts(
            world,
            images,
            grid,
            smoothing_kpc=numerics.smoothing_kpc,
            field_structure_above_eV=numerics.field_structure_above_eV,
            **_threshold(settings),
        )
        fitted = fit_summary(fits)
        summary = {"folder": str(folder), "data": chosen["data"], "by": by, "signal": mode}
        _draw_fits(folder, data, fits, images)
        options.finish(folder, summary | {"fits": fitted}, record)
        if as_json:
            typer.echo(json.dumps(summary | {"fits": fitted}))
            return
        if not quiet:
            for name, result in fitted.items():
                for point in result["masses"]:
                    typer.echo(_fit_line(name, point))
        typer.echo(f"results in {folder}")


def _threshold(settings: Any) -> dict[str, float]:
    threshold = settings.coupling.q_threshold
    return {} if threshold is None else {"q_threshold": threshold}


def _fit_line(name: str, point: dict[str, Any]) -> str:
    limit = point["g_95_power_constrained_GeV"]
    flags = f" [{'; '.join(point['flags'])}]" if point["flags"] else ""
    return (
        f"{name:<12} m_a = {point['m_a_eV']:.3g} eV: a = {point['a_hat']:.4g} +- "
        f"{point['sigma_a']:.4g}, TS {point['ts']:.2f}, g < {limit:.4g} GeV^-1 (95 %), expected "
        f"{point['g_95_expected_GeV']:.4g}{flags}"
    )


def _draw_fits(folder: Path, data: list[Observation], fits: Any, images: Any) -> None:
    from ..analyses.xray_simulation import expected_signal
    from ..products.plot_style import save_figure
    from ..products.xray_images import image_view, plot_bin_counts, plot_count_images

    views = []
    for one, (probe, _) in zip(data, images, strict=True):
        grid = probe.spectrum.grid
        flat = np.ones(np.asarray(grid.low_keV).size)
        shape = expected_signal(one.stack, flat, one.stars, one.psf, flat)
        views.append(image_view(one, shape))
    save_figure(plot_count_images(views), folder / "images.png")
    notes = {o.target: o.stack.nature for o in data}
    for result in fits:
        nature = notes.get(result.name, next(iter(notes.values())))
        simulated = "" if nature == "measured" else " (simulated)"
        best = int(np.argmax(np.asarray(result.scan.strength.ts)))
        mass = float(result.scan.m_a_eV[best])
        title = f"{result.name}{simulated}, $m_a$ = {mass:.3g} eV"
        save_figure(plot_bin_counts(result, best, title), folder / f"bins-{result.name}.png")


def _register_flux(app: typer.Typer) -> None:
    @app.command("flux")
    def flux(
        folder_in: Annotated[str, typer.Argument(metavar="DIR", help="Folder of one target.")],
        cluster: options.Cluster = None,
        stars: options.Stars = None,
        psf: options.Psf = None,
        roi: options.Roi = None,
        rebin: options.Rebin = 1,
        by: options.By = "all",
        unmasked: options.Unmasked = False,
        all_energies: options.AllEnergies = False,
        mass: Annotated[
            float, typer.Option("--mass", metavar="EV", help="Mass of the curve drawn [eV].")
        ] = options.MASS_EV,
        coupling: Annotated[
            float,
            typer.Option("--coupling", metavar="G", help="Coupling of the curve drawn [GeV^-1]."),
        ] = 5e-12,
        config: options.Config = None,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Flux points: the signal of each energy bin with asymmetric errors.

        flux_points.ecsv is input for `limit xray --spectrum TARGET=FILE`, as a Gaussian
        approximation; `limit xray --data DIR` uses the pixels themselves.

        Example: diffaxion xray flux wd1-sim --out flux
        """
        import jax.numpy as jnp

        from ..analyses.count_limits import count_flux
        from ..analyses.limit_curves import response_curve
        from ..analyses.xray_world import observation_world
        from ..constants import G_REF_GEV
        from ..products.plot_style import save_figure
        from ..products.xray_files import data_record, flux_points_ecsv
        from ..products.xray_images import plot_flux_points
        from ..provenance import atomic_write

        group = options.grouping(by)
        if not (mass > 0.0 and np.isfinite(mass) and 0.0 <= coupling < 1e-8):
            raise ConfigurationError(
                f"--mass = {mass:g} eV, --coupling = {coupling:g} GeV^-1: expected numbers > 0"
            )
        data = options.read_folders(
            [folder_in],
            cluster=cluster,
            stars=stars,
            psf=psf,
            radius_arcmin=roi,
            rebin=rebin,
            masked=not unmasked,
            all_energies=all_energies,
        )
        (one,) = data
        # The points need no signal; where none can be predicted, none is drawn beside them.
        shaped = any(one.facts.stars.counts.get(name, 0) > 0 for name in ("WC", "WN"))
        known = one.facts.luminosity is not None and shaped
        settings = options.image_settings(config, data, "anchored" if known else "none")
        chosen = settings.model_dump() | {"by": by, "data": data_record(data)}
        folder, record = options.prepare("flux", out, overwrite, None, chosen)
        world, ((probe, points),) = observation_world(settings, data, group)
        found = count_flux(probe, points)
        meta = {
            "target": one.target,
            "nature": one.stack.nature,
            "exposure_ks": float(one.stack.exposure_s.sum() / 1e3),
        }
        atomic_write(folder / "flux_points.ecsv", flux_points_ecsv(found, meta))
        curves = []
        if known and coupling > 0.0:
            line, at = probe.spectrum, jnp.array([mass])
            rates = np.asarray(response_curve(line, world, {}, at)[0])
            label = f"axion, g = {coupling:.3g} GeV$^{{-1}}$, $m_a$ = {mass:.3g} eV"
            curves.append((label, (coupling / G_REF_GEV) ** 4 * rates))
        simulated = "" if one.stack.nature == "measured" else " (simulated)"
        title = f"{one.facts.label}{simulated}"
        save_figure(plot_flux_points(found, curves, title), folder / "flux_points.png")
        names = ("low_keV", "high_keV", "flux", "plus", "minus", "a_at_zero", "at_boundary")
        table = {name: getattr(found, name).tolist() for name in names}
        summary = {
            "folder": str(folder),
            "unit": "1e-4 counts s^-1 keV^-1",
            **table,
            "by": by,
            "data": chosen["data"],
        }
        options.finish(folder, summary, record)
        if as_json:
            typer.echo(json.dumps(summary))
            return
        if not quiet:
            for a, b, f, up, down in zip(*list(table.values())[:5], strict=True):
                typer.echo(f"{a:5.1f}-{b:<5.1f} keV  {f:+9.4f}  +{up:.4f} -{down:.4f}")
        typer.echo(f"results in {folder}")
