"""``diffaxion limit screening``: limits from CMB screening in halos, without nuisances."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ..errors import ConfigurationError, ValidityError
from . import screening_options as model_options
from .options import Json, Out, Overwrite, Quiet, parse_masses
from .tasks import TaskText, chosen_task, share_of_masses, task_folder, task_record

if TYPE_CHECKING:
    from ..analyses.screening_data import ScreeningData

# Inside the published curve, whose ends are digitised from its steepest part.
DEFAULT_MASSES_EV = (1.75e-13, 2.55e-12, 70)


def default_masses() -> np.ndarray:
    """About 70 masses of the published curve itself, as even in ln m as it allows [eV]."""
    from ..data.registry import load_table

    known = load_table("limits_planck_unwise")["m_a_eV"]
    wanted = np.geomspace(*DEFAULT_MASSES_EV)
    nearest = np.argmin(np.abs(np.log(wanted[:, None] / known)), axis=1)
    return known[np.unique(nearest)]


def _masses(text: str | None, data: ScreeningData) -> np.ndarray:
    masses = default_masses() if text is None else parse_masses(text)
    if data.recast is not None:
        try:
            data.recast.check_masses(masses)
        except ValidityError as error:
            raise ValidityError(
                f"--masses: {error}; use --data asimov or a file for other masses"
            ) from None
    return masses


def register(app: typer.Typer) -> None:
    """Add the command ``screening`` to a group of commands."""

    @app.command("screening")
    def screening(
        data: Annotated[
            str,
            typer.Option(
                "--data",
                metavar="KIND",
                help="recast (of the published curve), asimov, noise:SEED, or bandpowers FILE.npz.",
            ),
        ] = "recast",
        masses: Annotated[
            str | None,
            typer.Option(
                "--masses",
                metavar="LO:HI:N",
                help="Masses [eV], or a list [default: 70 of the published curve].",
            ),
        ] = None,
        configuration: model_options.ConfigurationName = "default",
        galaxies: model_options.Galaxies = None,
        hod: model_options.Occupation = None,
        gas: model_options.Gas = None,
        field: model_options.Field = None,
        mass_cap: model_options.MassCap = None,
        concentration: model_options.Concentration = None,
        power: model_options.Power = None,
        deprojection: Annotated[
            str | None,
            typer.Option(
                "--deprojection",
                metavar="NAME",
                help="Toy variances: none, tsz, tsz-cib, tsz-cib-dbeta [default: tsz-cib, for the "
                "weights of the recast tsz-cib-dbeta].",
            ),
        ] = None,
        q_threshold: Annotated[
            float | None,
            typer.Option("--q-threshold", help="q at the profile limit [default: 2.7055]."),
        ] = None,
        task: TaskText = None,
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
        as_json: Json = False,
    ) -> None:
        """Limits on the coupling over a mass grid, beside the published Planck x unWISE curve.

        Example: diffaxion limit screening --data asimov --masses 2e-13:2.5e-12:40 --out limits
        """
        from ..analyses.screening import screening_spectrum, screening_world
        from ..analyses.screening_checks import check_tables, warn_tangential
        from ..analyses.screening_limits import screening_limits
        from ..analyses.screening_run import node_spectra, screening_data
        from ..inference.limits import Q_95
        from ..observables.cmb.bandpowers import top_hat_windows
        from ..products import screening as products
        from ..products.citations import collect_references
        from ..products.screening_summary import screening_lines, screening_summary
        from ..provenance import jsonable, prepare_output, provenance_record
        from ..runtime import enable_cache

        threshold = Q_95 if q_threshold is None else q_threshold
        if not 0.0 < threshold < np.inf:
            raise ConfigurationError(f"--q-threshold = {threshold:g}: expected a number > 0")
        kind = model_options.bandpower_source(data)
        if kind.startswith("file:") and deprojection is not None:
            raise ConfigurationError(
                f"--deprojection chooses toy variances; {kind[5:]} has its own covariance"
            )
        source = screening_data(kind, deprojection)
        if mass_cap is not None and not (np.isfinite(mass_cap) and mass_cap > 0.0):
            raise ValidityError(f"--mass-cap = {mass_cap:g} Msun: expected a finite number > 0")
        section, explicit = model_options.chosen_section(
            configuration,
            galaxies=galaxies,
            hod=hod,
            gas=gas,
            field=field,
            field_mass_cap_Msun=mass_cap,
            concentration=concentration,
            power=power,
        )
        section = section.model_copy(update={"nu_GHz": source.nu_GHz})
        whole, share = _masses(masses, source), chosen_task(task)
        grid = share_of_masses(whole, share)
        windows = source.windows or top_hat_windows()
        world = screening_world(section)
        model = screening_spectrum(section, windows.node_ell)
        check_tables(section, world, np.asarray(windows.node_ell))
        folder = prepare_output(task_folder(out, "limit", share), "limit", overwrite=overwrite)
        enable_cache()
        warn_tangential(model, world, grid)
        spectra = node_spectra(section, windows, grid)
        responses = spectra @ np.asarray(windows.matrix).T
        limits = screening_limits(grid, responses, source, q_threshold=threshold)
        options = section.model_dump(mode="json")
        settings: dict[str, Any] = {
            "data": data,
            "deprojection": deprojection,
            "q_threshold": threshold,
            "masses_eV": whole,
        }
        record = provenance_record(source.seed, {"model": options, **settings}) | task_record(share)
        summary = screening_summary(limits, options, explicit)
        papers = collect_references(model, world)
        if source.kind == "noise":
            products.write_realisation(folder / "bandpowers.npz", limits)
        products.write_screening_products(folder, limits, spectra, summary, record, papers)
        if as_json:
            typer.echo(json.dumps(jsonable(summary | {"folder": str(folder)})))
            return
        if not quiet:
            for line in screening_lines(summary):
                typer.echo(line)
        typer.echo(f"results in {folder}")
