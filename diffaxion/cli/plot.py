"""``diffaxion plot``: limit curves of one or several results over other experiments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Overwrite

if TYPE_CHECKING:
    from ..products.limit_files import LimitCurve

_FORMATS = (".png", ".pdf", ".svg")


def choose_curves(curves: list[LimitCurve], wanted: list[str], several: bool) -> list[LimitCurve]:
    """Curves of one result: those named ``NAME`` or ``NAME:METHOD``, or a default choice.

    By default those with the method of the file's first curve, from which ``joint`` (else the
    first) alone is taken if there are several results.
    """
    from ..errors import unknown_name

    if not wanted:
        chosen = [c for c in curves if c.method == curves[0].method]
        joint = [c for c in chosen if c.curve == "joint"]
        return (joint or chosen)[:1] if several else chosen
    known = [f"{c.curve}:{c.method}" for c in curves]
    found: list[LimitCurve] = []
    for text in wanted:
        name, _, method = text.partition(":")
        hits = [c for c in curves if c.curve == name and method in ("", c.method)]
        if not hits:
            raise unknown_name("limit curve", text, known)
        found += hits
    return found


def gather_curves(results: list[str], wanted: list[str], most: int) -> list[LimitCurve]:
    """Curves of all results, named after their result where there are several."""
    from ..errors import ConfigurationError, DataError
    from ..products.limit_files import read_limits

    several = len(results) > 1
    found: list[LimitCurve] = []
    for result in results:
        path = Path(result)
        path = path / "limits.csv" if path.is_dir() else path
        curves = read_limits(path)
        if not curves:
            raise DataError(f"{path} has no limit curve")
        chosen = choose_curves(curves, wanted, several)
        source = path.parent.resolve().name if path.name == "limits.csv" else path.stem
        found += [replace(c, curve=f"{source}: {c.curve}") if several else c for c in chosen]
    if len(found) > most:
        names = ", ".join(f"{c.curve}:{c.method}" for c in found)
        raise ConfigurationError(
            f"{len(found)} curves cannot be told apart, at most {most} are drawn: choose some of "
            f"{names} with --curve"
        )
    return found


def register(app: typer.Typer) -> None:
    """Add the command ``plot``."""

    @app.command("plot")
    def plot(
        results: Annotated[
            list[str], typer.Argument(metavar="RESULT...", help="Folders or limits.csv files.")
        ],
        out: Annotated[str, typer.Option("--out", help="Figure to write: .png, .pdf or .svg.")],
        curve: Annotated[
            list[str] | None,
            typer.Option("--curve", help="NAME or NAME:METHOD; may be repeated."),
        ] = None,
        overlay: Annotated[
            str,
            typer.Option("--overlay", help="Other limits, separated by commas, or all or none."),
        ] = "all",
        title: Annotated[str, typer.Option("--title", help="Title of the figure.")] = "",
        overwrite: Overwrite = False,
    ) -> None:
        """Draw limit curves of one or several results over other experiments.

        Example: diffaxion plot diffaxion-joint-001 --overlay cast,m82 --out limits.pdf
        """
        from ..errors import ConfigurationError, OutputExistsError
        from ..products.limit_plots import plot_limits
        from ..products.overlays import load_overlay, overlay_names
        from ..products.plot_style import SERIES, save_figure

        path = Path(out)
        if path.suffix not in _FORMATS:
            raise ConfigurationError(f"--out = {out!r}: expected a name in {', '.join(_FORMATS)}")
        if path.exists() and not overwrite:
            raise OutputExistsError(f"{out} exists already: choose another name or --overwrite")
        curves = gather_curves(results, curve or [], len(SERIES))
        named = [x.strip() for x in overlay.split(",") if x.strip()]
        names = {"all": overlay_names(), "none": []}.get(overlay.strip(), named)
        save_figure(
            plot_limits(curves, overlays=[load_overlay(n) for n in names], title=title), path
        )
        typer.echo(f"wrote {out}: " + ", ".join(f"{c.curve} ({c.method})" for c in curves))
