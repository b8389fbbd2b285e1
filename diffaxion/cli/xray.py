"""``diffaxion xray``: images of NuSTAR, simulated, fitted, and turned into flux points."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ..errors import ConfigurationError
from . import xray_options as options
from .options import Json, Out, Overwrite, Quiet, Seed, parse_masses, parse_numbers

if TYPE_CHECKING:
    from ..analyses.xray_observation import Observation

_MASS_EV = 1e-13


def register(app: typer.Typer) -> None:
    """Add the commands below ``xray``."""
    _register_simulate(app)
    _register_fit(app)
    _register_flux(app)


def _register_simulate(app: typer.Typer) -> None:
    @app.command("simulate")
    def simulate(
        cluster: Annotated[
            str | None,
            typer.Option(
                "--cluster",
                metavar="NAME|FILE",
                help="Target: quintuplet, wd1, arches, betelgeuse, or a TOML file "
                "[default: quintuplet].",
            ),
        ] = None,
        exposure: Annotated[
            float | None,
            typer.Option(
                "--exposure",
                metavar="KS",
                help="Sum over observations and modules [default: as observed, else 50].",
            ),
        ] = None,
        observations: Annotated[
            int | None, typer.Option("--observations", min=1, help="[default: as observed]")
        ] = None,
        modules: Annotated[str, typer.Option("--modules", help="A, B or AB.")] = "AB",
        coupling: Annotated[
            float, typer.Option("--coupling", metavar="G", help="Injected g [GeV^-1]; 0: none.")
        ] = 0.0,
        mass: Annotated[float, typer.Option("--mass", metavar="EV", help="Mass [eV].")] = _MASS_EV,
        bins: Annotated[
            str | None,
            typer.Option(
                "--bins",
                metavar="E0,E1,...",
                help="Edges of the energy bins [keV] [default: 5 keV up to 80].",
            ),
        ] = None,
        roi: options.Roi = None,
        field: Annotated[
            float | None,
            typer.Option(
                "--field", metavar="ARCMIN", help="Side of the images [default: 3.2 radii]."
            ),
        ] = None,
        pixel: Annotated[
            int, typer.Option("--pixel", help="NuSTAR pixels (2.458 arcsec) per side of a pixel.")
        ] = 1,
        stars: options.Stars = None,
        spread: Annotated[
            float | None,
            typer.Option(
                "--spread",
                metavar="ARCSEC",
                help="Put synthetic stars at random around the centre, with this deviation.",
            ),
        ] = None,
        psf: options.Psf = None,
        tilt: Annotated[
            str,
            typer.Option(
                "--tilt",
                metavar="X,Y",
                help="Gradient of the background, east and north [1/arcmin].",
            ),
        ] = "0.15,0.10",
        background: Annotated[
            float, typer.Option("--background", help="Factor on the background.")
        ] = 1.0,
        events: Annotated[
            bool, typer.Option("--events", help="Event lists in place of count images.")
        ] = False,
        into: Annotated[
            str | None,
            typer.Option(
                "--into",
                metavar="DIR",
                help="Inject the signal into these data instead: c' = c + Poisson(S).",
            ),
        ] = None,
        signal: options.Signal = None,
        config: options.Config = None,
        seed: Seed = 1,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Write a simulated observation: images or events, backgrounds, exposures, their list.

        The background is as bright as published errors say. With --into, a simulated signal is
        added to existing data. The folder is input for `xray fit`, `xray flux` and `limit xray`.

        Example: diffaxion xray simulate --cluster wd1 --coupling 6e-12 --seed 3 --out wd1-sim
        """
        from ..analyses.config import load_configuration
        from ..analyses.xray_observation import read_psf_model
        from ..analyses.xray_plan import SimulationPlan, check_plan, synthetic_stars
        from ..analyses.xray_simulation import check_signal, simulate_observation
        from ..data.cluster_files import load_cluster
        from ..data.star_list import read_star_list
        from ..products.xray_files import write_simulation

        settings = load_configuration(config)
        mode = options.signal_mode(signal)
        if mode == "published":
            raise ConfigurationError("--signal published: knows no images; use anchored")
        settings = settings.model_copy(
            update={"model": settings.model.model_copy(update={"signal": mode})}
        )
        if stars is not None and spread is not None:
            raise ConfigurationError("--stars and --spread exclude each other: give one of them")
        if into is not None:
            _inject(into, cluster, stars, psf, roi, coupling, mass, settings, seed, out, overwrite)
            return
        facts = load_cluster(cluster or "quintuplet")
        known = tuple(facts.nustar.observations) if facts.nustar else ()
        numbers = known if observations is None else known[:observations]
        numbers += tuple(f"9{k:010d}" for k in range(len(numbers) + 1, (observations or 1) + 1))
        plan = SimulationPlan(
            exposure,
            numbers,
            tuple(modules),
            None if bins is None else parse_numbers(bins, "--bins", "keV"),
            roi,
            None if field is None else 0.5 * field,
            pixel,
            _tilt(tilt),
            background,
            events,
        )
        check_plan(facts, plan)
        check_signal(facts, coupling, mass, mode)
        listed = None if stars is None else read_star_list(stars)
        if spread is not None:
            listed = synthetic_stars(facts, spread, seed)
        model, _ = read_psf_model(psf)
        chosen = settings.model_dump() | {"plan": asdict(plan), "spread_arcsec": spread}
        chosen |= {"target": facts.origin, "g_GeV": coupling, "m_a_eV": mass}
        folder, record = _prepare("simulate", out, overwrite, seed, chosen)
        made = simulate_observation(
            facts,
            settings,
            plan,
            g_GeV=coupling,
            m_a_eV=mass,
            seed=seed,
            stars=listed,
            psf=model,
        )
        truth = write_simulation(folder, made, psf)
        _finish(folder, {"folder": str(folder), **truth}, record, "simulation.json")
        if as_json:
            typer.echo(json.dumps({"folder": str(folder), **truth}))
            return
        if not quiet:
            typer.echo(truth["nature"])
            for (low, high), c, b, s in zip(
                *(truth[k] for k in ("bins_keV", "counts", "expected_background")),
                truth["expected_signal"],
                strict=True,
            ):
                typer.echo(
                    f"{low:5.1f}-{high:<5.1f} keV  counts {c:7.0f}  expected background {b:9.1f}, "
                    f"signal {s:8.2f}"
                )
        typer.echo(f"results in {folder}")


def _tilt(text: str) -> tuple[float, float]:
    values = parse_numbers(text, "--tilt", "1/arcmin")
    if values.size != 2:
        raise ConfigurationError(f"--tilt {text!r}: expected two numbers X,Y [1/arcmin]")
    return float(values[0]), float(values[1])


def _inject(
    into: str,
    cluster: str | None,
    stars: str | None,
    psf: str | None,
    roi: float | None,
    coupling: float,
    mass: float,
    settings: Any,
    seed: int,
    out: str | None,
    overwrite: bool,
) -> None:
    """``xray simulate --into``: a signal on top of existing data."""
    from ..analyses.count_images import mean_area_cm2
    from ..analyses.xray_simulation import (
        axion_rates,
        check_signal,
        expected_signal,
        inject_signal,
    )
    from ..analyses.xray_world import check_observations, observation_settings, observation_world
    from ..constants import G_REF_GEV
    from ..products.xray_files import check_injection, write_injected

    if coupling <= 0.0:
        raise ConfigurationError(f"--into needs --coupling > 0 [GeV^-1]; found {coupling:g}")
    (one,) = options.read_folders([into], cluster=cluster, stars=stars, psf=psf, radius_arcmin=roi)
    check_signal(one.facts, coupling, mass, settings.model.signal)
    check_injection(one)
    own = observation_settings(settings, [one], settings.model.signal)
    check_observations(own, [one])
    folder, record = _prepare("simulate", out, overwrite, seed, own.model_dump())
    world, ((probe, _),) = observation_world(own, [one])
    name = probe.spectrum.instrument
    stack = one.stack
    rates = axion_rates(world, one.target, stack.low_keV, stack.high_keV, mass, own, name)
    area = mean_area_cm2(world.instruments[name], stack.low_keV, stack.high_keV)
    strength = (coupling / G_REF_GEV) ** 4
    added = expected_signal(stack, strength * rates, one.stars, one.psf, area)
    label = f"g={coupling:.4g}/GeV, m_a={mass:.4g} eV"
    injected = inject_signal(stack, added, seed, label)
    write_injected(folder, one, injected)
    truth = {
        "nature": injected.nature,
        "target": one.target,
        "g_GeV": coupling,
        "m_a_eV": mass,
        "seed": seed,
        "into": str(stack.source),
        "bins_keV": np.stack([stack.low_keV, stack.high_keV], -1).tolist(),
        "expected_signal": added.sum(axis=(1, 2, 3)).tolist(),
    }
    _finish(folder, {"folder": str(folder), **truth}, record, "simulation.json")
    typer.echo(f"results in {folder}")


def _register_fit(app: typer.Typer) -> None:
    @app.command("fit")
    def fit(
        folders: options.Folders,
        masses: Annotated[
            str,
            typer.Option(
                "--mass", "--masses", metavar="EV|LO:HI:N", help="Masses [eV], or a list."
            ),
        ] = repr(_MASS_EV),
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
        folder, record = _prepare("fit", out, overwrite, None, chosen)
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
        _finish(folder, summary | {"fits": fitted}, record)
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
        ] = _MASS_EV,
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
        known = one.facts.luminosity is not None
        settings = options.image_settings(config, data, "anchored")
        chosen = settings.model_dump() | {"by": by, "data": data_record(data)}
        folder, record = _prepare("flux", out, overwrite, None, chosen)
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
        _finish(folder, summary, record)
        if as_json:
            typer.echo(json.dumps(summary))
            return
        if not quiet:
            for a, b, f, up, down in zip(*list(table.values())[:5], strict=True):
                typer.echo(f"{a:5.1f}-{b:<5.1f} keV  {f:+9.4f}  +{up:.4f} -{down:.4f}")
        typer.echo(f"results in {folder}")


def _prepare(
    command: str, out: str | None, overwrite: bool, seed: int | None, chosen: dict[str, Any]
) -> tuple[Path, dict[str, Any]]:
    """Folder of the results and their provenance; the cache of compiled programs is on."""
    from ..provenance import prepare_output, provenance_record
    from ..runtime import enable_cache

    folder = prepare_output(out, f"xray-{command}", overwrite=overwrite)
    enable_cache()
    return folder, provenance_record(seed, chosen)


def _finish(
    folder: Path, summary: dict[str, Any], record: dict[str, Any], name: str = "summary.json"
) -> None:
    from ..provenance import write_json

    write_json(folder / name, summary)
    write_json(folder / "provenance.json", record)
