"""``diffaxion merge``: tasks of a limit curve, or posteriors of several seeds, as one result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigurationError, DataError
from .options import Out, Overwrite, Quiet


def posterior_files(folders: list[Path]) -> list[str]:
    """Names of the posteriors that every folder has; refuses those that only some have."""
    found = [{p.name for p in f.glob("posterior*.h5")} for f in folders]
    for folder, names in zip(folders, found, strict=True):
        if names != found[0]:
            one, other = (", ".join(sorted(n)) or "no posterior" for n in (names, found[0]))
            raise DataError(f"{folder} has {one}, {folders[0]} has {other}: they cannot be merged")
    return sorted(found[0])


def register(app: typer.Typer) -> None:
    """Add the command ``merge``."""

    @app.command("merge")
    def merge(
        folders: Annotated[
            list[str], typer.Argument(metavar="FOLDER...", help="Folders of results to be merged.")
        ],
        out: Out = None,
        overwrite: Overwrite = False,
        quiet: Quiet = False,
    ) -> None:
        """Join limits of all tasks of `limit ... --task i/N`, or posteriors of different seeds.

        Example: diffaxion merge limits-task-1-of-2 limits-task-2-of-2 --out limits
        """
        from ..products.merge import (
            merge_limits,
            merge_posteriors,
            write_merged_limits,
            write_merged_posterior,
        )
        from ..provenance import prepare_output

        paths = [Path(f) for f in folders]
        for path in paths:
            if not path.is_dir():
                raise DataError(f"{path} is not a folder: give folders of results")
        twice = [str(p) for k, p in enumerate(paths) if p.resolve() in map(Path.resolve, paths[:k])]
        if twice:
            raise ConfigurationError(f"{twice[0]} is given twice")
        names = posterior_files(paths)
        if not names:
            limits = merge_limits(paths)
            folder = prepare_output(out, "merge", overwrite=overwrite)
            write_merged_limits(folder, limits)
            if not quiet:
                size = limits.curves[0].m_a_eV.size
                typer.echo(f"{len(limits.curves)} curves of {size} masses from {len(paths)} tasks")
            typer.echo(f"results in {folder}")
            return
        if len(paths) < 2:
            raise ConfigurationError("posteriors of at least two runs are needed to merge them")
        merged = {n: merge_posteriors([p / n for p in paths]) for n in names}
        folder = prepare_output(out, "merge", overwrite=overwrite)
        failed = False
        for name, result in merged.items():
            write_merged_posterior(folder, Path(name).stem, result)
            chains, draws = result.g_GeV.shape
            if not quiet:
                typer.echo(f"{name}: {chains} chains of {draws} draws")
            if not result.posterior.converged:
                failed = True
                typer.echo(f"{name} did not converge: " + "; ".join(result.posterior.reasons))
        typer.echo(f"results in {folder}")
        if failed:
            raise typer.Exit(1)
