"""``diffaxion calibrate``: do posteriors, limits and replicas behave as they should?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigurationError
from .calibrate_setup import (
    analysis_of,
    bank_size,
    chains_of,
    couplings_of,
    data_at,
    draws_of_chains,
    mass_of,
    posterior_file,
    prepare,
    recipe_of,
    settings_of,
    weighted_draws,
)
from .joint import _progress as progress_lines
from .options import Json, Out, Overwrite, Quiet, Seed, parse_masses
from .tasks import chosen_task

if TYPE_CHECKING:
    pass

CONFIG = typer.Argument(
    metavar="[CONFIG]",
    help="joint, xray, screening or a TOML file [default: joint].",
    show_default=False,
)
Config = Annotated[str | None, CONFIG]
Mass = Annotated[
    str | None, typer.Option("--mass", metavar="EV", help="Mass [eV] [default: configured].")
]
Strength = Annotated[
    str | None,
    typer.Option(
        "--strength",
        metavar="G1,G2",
        help="True couplings [GeV^-1], separated by commas [default: in units of the expected "
        "limit].",
    ),
]
Bank = Annotated[
    int | None, typer.Option("--bank", help="Draws of the nuisances [default: 20000].")
]


def register(app: typer.Typer) -> None:
    """Add the commands below ``calibrate``."""
    _register_sbc(app)
    _register_merge(app)
    _register_coverage(app)
    _register_inject(app)
    _register_ppc(app)


def _register_sbc(app: typer.Typer) -> None:
    @app.command("sbc")
    def sbc(
        config: Config = None,
        simulations: Annotated[int, typer.Option("--simulations", min=20)] = 500,
        draws: Annotated[
            int, typer.Option("--draws", help="Posterior draws of each simulation.")
        ] = 99,
        mass: Annotated[
            str | None,
            typer.Option(
                "--mass",
                metavar="EV|sampled",
                help="Fixed mass [eV], or `sampled` from its prior [default: configured].",
            ),
        ] = None,
        reach: Annotated[
            float,
            typer.Option(
                "--reach", help="u is uniform from 0 to this multiple of its expected limit."
            ),
        ] = 3.0,
        bank: Bank = None,
        seed: Seed = 0,
        task: Annotated[
            str | None,
            typer.Option(
                "--task",
                metavar="i/N",
                help="Only the i-th of N shares of the simulations, into OUT-task-i-of-N; "
                "`diffaxion calibrate merge` joins them.",
            ),
        ] = None,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Ranks of simulated truths in their posteriors (simulation-based calibration).

        Parameters are drawn from their priors, data of all probes are simulated and analysed.
        Exit status 1 if ranks are not uniform, or regions around random points do not cover.

        Example: diffaxion calibrate sbc xray --simulations 500 --mass sampled --out sbc
        """
        from ..analyses.calibration import run_sbc
        from ..analyses.prior_bank import BANK, expected_u
        from ..inference.calibration import rank_bins
        from ..inference.scale_out import share_of
        from ..products.calibration import RANKS, ranks_csv, sbc_summary
        from ..products.calibration_plots import plot_ranks

        rank_bins(simulations, draws)
        share = chosen_task(task)
        numbers = share_of(range(simulations), share)
        rank_bins(len(numbers), draws)
        if not 0.0 < reach <= 100.0:
            raise ConfigurationError(f"--reach = {reach:g}: expected 0 < reach <= 100")
        sampled = mass == "sampled"
        size = bank_size(bank, BANK)
        settings = settings_of(config)
        fixed = None if sampled else mass_of(mass, settings)
        options: dict[str, Any] = {
            "simulations": simulations,
            "draws": draws,
            "reach": reach,
            "bank": size,
        }
        options |= {"mass": "sampled" if sampled else fixed}
        folder, record = prepare("sbc", settings, options, seed, out, overwrite, share)
        report = progress_lines(quiet)
        recipe = recipe_of(settings, report)
        centre = mass_of(None, settings) if sampled else fixed
        u_max = reach * expected_u(data_at(recipe, centre))
        analysis = analysis_of(recipe, sampled)
        given: dict[str, Any] = {"m_a_eV": fixed, "u_max": u_max, "bank": size, "report": report}
        result = run_sbc(analysis, numbers, draws=draws, seed=seed, **given)
        summary = sbc_summary(result)
        tables = {RANKS: ranks_csv(result)}
        _finish(folder, summary, record, plot_ranks(result), tables, as_json, _sbc_lines(summary))


def _register_merge(app: typer.Typer) -> None:
    @app.command("merge")
    def merge(
        folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...")],
        out: Out = None,
        overwrite: Overwrite = False,
        as_json: Json = False,
    ) -> None:
        """Join the folders of all tasks of `calibrate sbc --task i/N`.

        Example: diffaxion calibrate merge sbc-task-1-of-2 sbc-task-2-of-2 --out sbc
        """
        from ..products.calibration import RANKS, merge_sbc, ranks_csv, sbc_summary
        from ..products.calibration_plots import plot_ranks
        from ..provenance import prepare_output

        result, record = merge_sbc(folders)
        record = {k: v for k, v in record.items() if k != "task"}
        record["merged"] = [str(f) for f in folders]
        folder = prepare_output(out, "calibrate-sbc", overwrite=overwrite)
        summary = sbc_summary(result)
        tables = {RANKS: ranks_csv(result)}
        _finish(folder, summary, record, plot_ranks(result), tables, as_json, _sbc_lines(summary))


def _register_coverage(app: typer.Typer) -> None:
    @app.command("coverage")
    def coverage(
        config: Config = None,
        toys: Annotated[int, typer.Option("--toys", min=1, help="Per mass and coupling.")] = 20000,
        strength: Strength = None,
        masses: Annotated[
            str,
            typer.Option("--masses", metavar="M1,M2|LO:HI:N", help="Masses [eV]."),
        ] = "2e-13,5e-13,2e-12",
        drawn: Annotated[
            bool,
            typer.Option("--drawn", help="Truths with nuisances drawn from their priors."),
        ] = False,
        profiled: Annotated[
            int,
            typer.Option(
                "--profiled", min=0, help="Further data sets with all nuisances profiled (slow)."
            ),
        ] = 0,
        seed: Seed = 0,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Fraction of upper limits above the true coupling, and bands, by pseudo-experiments.

        Limits are those of q = z^2 with nuisances at the centre of their priors. Exit status 1 if
        coverage is off by more than 0.5 % (or three standard errors), or bands differ from Asimov.

        Example: diffaxion calibrate coverage xray --toys 2000 --masses 2e-13,2e-12
        """
        from ..analyses.calibration_toys import run_coverage
        from ..products.calibration import coverage_summary
        from ..products.calibration_plots import plot_coverage

        grid, couplings = parse_masses(masses), couplings_of(strength)
        settings = settings_of(config)
        options = {"toys": toys, "strength": couplings, "masses": grid, "drawn": drawn}
        options |= {"profiled": profiled}
        folder, record = prepare("coverage", settings, options, seed, out, overwrite)
        report = progress_lines(quiet)
        rows = run_coverage(
            analysis_of(recipe_of(settings, report), False),
            grid,
            g_GeV=couplings,
            toys=toys,
            seed=seed,
            drawn=drawn,
            profiled=profiled,
            report=report,
        )
        lines = [
            f"{r.m_a_eV:.3g} eV, g = {r.g_GeV:.3g} GeV^-1, nuisances {r.nuisances}: coverage "
            f"{r.coverage.value:.4f} +- {r.coverage.error:.4f} ({r.coverage.number} data sets), "
            f"power-constrained {r.constrained.value:.4f}"
            for r in rows
        ]
        summary = coverage_summary(rows)
        _finish(folder, summary, record, plot_coverage(rows), {}, as_json, lines)


def _register_inject(app: typer.Typer) -> None:
    @app.command("inject")
    def inject(
        config: Config = None,
        strength: Strength = None,
        mass: Mass = None,
        toys: Annotated[int, typer.Option("--toys", min=1, help="Per coupling.")] = 5000,
        seed: Seed = 0,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Recover signals that were added to the observed data, and to simulated data.

        Exit status 1 if pulls are not standard normal or limits do not cover the injected signal.

        Example: diffaxion calibrate inject xray --strength 3e-12,5e-12
        """
        from ..analyses.injection import run_injection
        from ..products.calibration import injection_summary
        from ..products.calibration_plots import plot_injection

        couplings = couplings_of(strength)
        settings = settings_of(config)
        fixed = mass_of(mass, settings)
        options = {"toys": toys, "strength": couplings, "mass": fixed}
        folder, record = prepare("inject", settings, options, seed, out, overwrite)
        report = progress_lines(quiet)
        analysis = analysis_of(recipe_of(settings, report), False)
        rows = run_injection(analysis, fixed, g_GeV=couplings, toys=toys, seed=seed, report=report)
        lines = [
            f"injected u = {r.u:.4g}: observed data give u = {r.observed.a_hat[0]:.4g}, "
            f"u_95 = {r.observed.a_95[0]:.4g}, TS = {r.observed.ts[0]:.3g}; {toys} simulations "
            f"u = {r.u_hat[1]:.4g}, pull {r.pulls.mean.value:+.4f}, width "
            f"{r.pulls.width.value:.4f}, coverage {r.coverage.value:.4f}"
            for r in rows
        ]
        summary = injection_summary(rows)
        _finish(folder, summary, record, plot_injection(rows), {}, as_json, lines)


def _register_ppc(app: typer.Typer) -> None:
    @app.command("ppc")
    def ppc(
        source: Annotated[
            str | None,
            typer.Argument(
                metavar="[CONFIG|FOLDER]",
                help="A configuration, or a folder of results (or file) with posterior.h5.",
            ),
        ] = None,
        draws: Annotated[int, typer.Option("--draws", min=100, help="Replicas.")] = 2000,
        mass: Mass = None,
        bank: Bank = None,
        seed: Seed = 0,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Replicate the data from posterior draws and compare with what was observed.

        Draws are those of a run of `diffaxion joint`, or, for a configuration, draws from the
        priors weighted by their likelihood. Exit status 1 if a p value is outside [0.01, 0.99].

        Example: diffaxion calibrate ppc diffaxion-joint-001
        """
        from ..analyses.predictive import predictive_checks
        from ..analyses.prior_bank import BANK
        from ..products.calibration import predictive_summary
        from ..products.calibration_plots import plot_predictive

        path = posterior_file(source)
        size = bank_size(bank, BANK)
        options: dict[str, Any] = {"draws": draws}
        if path is None:
            settings, chains = settings_of(source), None
            fixed: float | None = mass_of(mass, settings)
            options |= {"mass": fixed, "bank": size}
        else:
            if mass is not None:
                raise ConfigurationError("--mass: the draws of a posterior have their own mass")
            settings, chains = chains_of(path)
            fixed = None
            options |= {"posterior": path}
        folder, record = prepare("ppc", settings, options, seed, out, overwrite)
        report = progress_lines(quiet)
        recipe = recipe_of(settings, report)
        report("replicas", 0.0)
        if chains is None:
            data, responses, u = weighted_draws(recipe, fixed, draws, seed, size)
        else:
            data, responses, u = draws_of_chains(recipe, chains, draws, seed, path)
        checks = predictive_checks(data, responses, u, seed)
        lines = [
            f"{c.probe}: {c.points} points, mean chi2 {c.deviance:.4g}, p = {c.p:.3f}, smallest "
            f"p of a point {c.worst:.3f}" + ("" if c.measured else " (not judged: a recast)")
            for c in checks
        ]
        summary = predictive_summary(checks, len(u))
        _finish(folder, summary, record, plot_predictive(checks), {}, as_json, lines)


def _sbc_lines(summary: dict[str, Any]) -> list[str]:
    effective = summary["effective_draws"]
    lines = [
        f"{name}: chi2 = {t['chi2']:.3g} in {t['bins']} bins, p = {t['p']:.3g}"
        for name, t in summary["parameters"].items()
    ]
    return [
        *lines,
        f"smallest p after Bonferroni: {summary['smallest_p_bonferroni']:.3g} "
        f"({summary['simulations']} simulations, g up to {summary['g_max_GeV']:.3g} GeV^-1)",
        f"random regions: coverage off by at most {summary['tarp']['deviation']:.3g} "
        f"(tolerance {summary['tarp']['tolerance']:.3g})",
        f"effective draws: median {effective['median']:.0f}, smallest {effective['smallest']:.0f}",
    ]


def _finish(
    folder: Path,
    summary: dict[str, Any],
    record: dict[str, Any],
    figure: Any,
    tables: dict[str, str],
    as_json: bool,
    lines: list[str],
) -> None:
    """Write everything, print, and end with status 1 if a gate failed."""
    from ..products.calibration import write_calibration
    from ..products.plot_style import figure_bytes
    from ..provenance import jsonable

    write_calibration(folder, summary, record, figure_bytes(figure), tables)
    if as_json:
        typer.echo(json.dumps(jsonable({**summary, "folder": folder})))
    else:
        for line in [*lines, *(f"NOT CALIBRATED: {r}" for r in summary["reasons"])]:
            typer.echo(line)
        typer.echo(f"results in {folder}")
    if not summary["passed"]:
        raise typer.Exit(1)
