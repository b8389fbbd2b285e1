"""``diffaxion xray simulate``: simulated observations, and signals injected into existing ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
import typer

from ..errors import ConfigurationError
from . import xray_options as options
from .options import Json, Out, Overwrite, Quiet, Seed, given_options, parse_numbers

# What --into takes from the data.
_OF_NEW_DATA = (
    *("exposure", "observations", "modules", "bins", "field", "pixel"),
    *("spread", "tilt", "background", "events"),
)


def register_simulate(app: typer.Typer) -> None:
    """Add the command ``simulate``."""

    @app.command("simulate")
    def simulate(
        context: typer.Context,
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
        mass: Annotated[
            float, typer.Option("--mass", metavar="EV", help="Mass [eV].")
        ] = options.MASS_EV,
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
            if idle := given_options(context, _OF_NEW_DATA):
                raise ConfigurationError(
                    f"{idle}: with --into the data are given; leave these options out"
                )
            source = (into, cluster, stars, psf, roi)
            truth = _inject(source, coupling, mass, settings, seed, out, overwrite)
            if as_json:
                typer.echo(json.dumps(truth))
                return
            if not quiet:
                typer.echo(truth["nature"])
                for (low, high), s in zip(truth["bins_keV"], truth["expected_signal"], strict=True):
                    typer.echo(f"{low:5.1f}-{high:<5.1f} keV  signal {s:8.2f}")
            typer.echo(f"results in {truth['folder']}")
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
        folder, record = options.prepare("simulate", out, overwrite, seed, chosen)
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
        options.finish(folder, {"folder": str(folder), **truth}, record, "simulation.json")
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
    source: tuple[str, str | None, str | None, str | None, float | None],
    coupling: float,
    mass: float,
    settings: Any,
    seed: int,
    out: str | None,
    overwrite: bool,
) -> dict[str, Any]:
    """``xray simulate --into``: a signal on top of existing data, and the truth about it."""
    from ..analyses.count_images import mean_area_cm2
    from ..analyses.xray_simulation import (
        axion_rates,
        check_signal,
        expected_signal,
        inject_signal,
    )
    from ..analyses.xray_world import check_observations, observation_settings, observation_world
    from ..constants import G_REF_GEV
    from ..products.xray_files import check_injection, data_record, write_injected

    if coupling <= 0.0:
        raise ConfigurationError(f"--into needs --coupling > 0 [GeV^-1]; found {coupling:g}")
    into, cluster, stars, psf, roi = source
    (one,) = options.read_folders([into], cluster=cluster, stars=stars, psf=psf, radius_arcmin=roi)
    check_signal(one.facts, coupling, mass, settings.model.signal)
    check_injection(one)
    own = observation_settings(settings, [one], settings.model.signal)
    check_observations(own, [one])
    chosen = own.model_dump() | {"g_GeV": coupling, "m_a_eV": mass, "data": data_record([one])}
    folder, record = options.prepare("simulate", out, overwrite, seed, chosen)
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
    summary = {"folder": str(folder), **truth}
    options.finish(folder, summary, record, "simulation.json")
    return summary
