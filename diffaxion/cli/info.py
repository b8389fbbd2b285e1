"""``diffaxion data | cite | init``: what the program carries, rests on and starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import OutputExistsError
from .options import Json


def register(app: typer.Typer) -> None:
    """Add the commands ``data``, ``cite`` and ``init``."""

    @app.command("data")
    def data(
        clusters: Annotated[
            bool, typer.Option("--clusters", help="Targets of the X-ray search instead.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """List the bundled tables with their source, licence and nature, or the targets.

        Example: diffaxion data --clusters
        """
        import json

        from ..data.cluster_files import BUNDLED_CLUSTERS, load_cluster
        from ..data.registry import load_table, table_names

        if clusters:
            targets = {name: load_cluster(name) for name in BUNDLED_CLUSTERS}
            if as_json:
                typer.echo(json.dumps({n: t.model_dump() for n, t in targets.items()}))
                return
            for name, facts in targets.items():
                counts = ", ".join(f"{n} {c}" for c, n in facts.stars.counts.items())
                typer.echo(
                    f"{name}  [{facts.kind}; {facts.label}, "
                    f"{facts.sightline.distance_kpc:g} kpc; {counts}]"
                )
                typer.echo(f"    position: {facts.position.source}")
                typer.echo(f"    stars: {facts.stars.source}")
                if facts.unverified():
                    typer.echo(f"    unverified: {', '.join(facts.unverified())}")
                typer.echo(f"    copy and edit it: diffaxion init my.toml --cluster {name}")
            return
        tables = {name: load_table(name) for name in table_names()}
        if as_json:
            typer.echo(
                json.dumps({n: {k: str(v) for k, v in t.meta.items()} for n, t in tables.items()})
            )
            return
        for name, table in tables.items():
            typer.echo(f"{name}  [{table.meta['nature']}; {table.meta['licence']}]")
            typer.echo(f"    {table.meta['description']}")
            typer.echo(f"    source: {table.meta['source']}")

    @app.command("cite")
    def cite(
        config: Annotated[
            str | None, typer.Argument(help="Configuration; default the bundled one.")
        ] = None,
        bibtex: Annotated[bool, typer.Option("--bibtex", help="BibTeX instead of text.")] = False,
    ) -> None:
        """Print the works that a configuration rests on.

        Example: diffaxion cite --bibtex > diffaxion.bib
        """
        from ..analyses.config import load_configuration
        from ..analyses.joint_model import joint_world
        from ..analyses.recast_probe import recast_probe
        from ..analyses.star_clusters import build_probes
        from ..products.citations import collect_references, format_citations

        settings = load_configuration(config)
        likelihoods, world = settings.likelihoods, joint_world(settings)
        models: list[Any] = []
        papers: list[str] = []
        if likelihoods.xray:
            papers.append("arXiv:2008.03305")
            models += build_probes(world, settings, settings.model.signal)[0]
        if likelihoods.cmb != "none":
            papers.append("arXiv:2409.10514")
            # Under this anchor nothing is computed; the works are the same.
            models.append(recast_probe(settings.screening, world, anchor="paper"))
        references = [*papers, *collect_references(world, models)]
        typer.echo(format_citations(references, "bibtex" if bibtex else "plain"))

    @app.command("init")
    def init(
        path: Annotated[str, typer.Argument(help="File to write.")] = "diffaxion.toml",
        configuration: Annotated[
            str,
            typer.Option("--configuration", help="joint, xray, screening, maps or planck."),
        ] = "joint",
        cluster: Annotated[
            str | None,
            typer.Option(
                "--cluster", help="A target instead: quintuplet, wd1, arches or betelgeuse."
            ),
        ] = None,
    ) -> None:
        """Write a bundled configuration, or the description of a target, to be edited.

        Example: diffaxion init my.toml --configuration xray

        Example: diffaxion init my-cluster.toml --cluster quintuplet
        """
        from ..analyses.config import BUNDLED, check_choice, default_configuration_text
        from ..analyses.maps_config import MAPS_BUNDLED, maps_configuration_text
        from ..data.cluster_files import cluster_text
        from ..provenance import atomic_write

        check_choice("configuration", configuration, (*BUNDLED, *MAPS_BUNDLED))
        use = "joint"
        if cluster is not None:
            use, text = "predict luminosity --cluster", cluster_text(cluster)
        elif configuration in MAPS_BUNDLED:
            use, text = "maps run", maps_configuration_text(configuration)
        else:
            text = default_configuration_text(configuration)
        if Path(path).exists():
            raise OutputExistsError(f"{path} exists already: choose another name or remove it")
        atomic_write(path, text)
        typer.echo(f"wrote {path}; run it with: diffaxion {use} {path}")
