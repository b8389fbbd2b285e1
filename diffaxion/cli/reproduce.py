"""``diffaxion reproduce xray|screening``: the papers' numbers and figures."""

from __future__ import annotations

import typer

from .options import Out, Overwrite, Quiet


def register(app: typer.Typer) -> None:
    """Add the commands ``xray`` and ``screening`` to a group of commands."""

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
