"""``diffaxion limit xray --data``: limit curves from the pixels of count images."""

from __future__ import annotations

from typing import Any

import numpy as np
import typer

from . import xray_options as image_options
from .options import parse_masses
from .tasks import chosen_task, share_of_masses, task_folder, task_record


def limit_images(
    folders: list[str],
    choices: dict[str, Any],
    config: str | None,
    signal: str | None,
    masses: str | None,
    by: str,
    task: str | None,
    out: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Limits of every target and of all together, with the files of ``limit xray``.

    Parameters
    ----------
    folders : list of str
        Folders of data.
    choices : dict
        As :func:`~diffaxion.analyses.xray_observation.read_observation` takes them.
    config : str or None
        Configuration; its field, density and numerics are used.
    signal : str or None
        ``anchored`` (default), ``ensemble`` or ``published``.
    masses : str or None
        ``LO:HI:N`` or a list [eV].
    by : str
        What has a background of its own.
    task : str or None
        ``i/N``.
    out : str or None
        Folder of the results.
    overwrite, quiet : bool
        As on the command line.

    Returns
    -------
    None
        Called for the files it writes.

    Raises
    ------
    DiffaxionError
        If input is unusable.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    from ..analyses.count_limits import count_limits
    from ..analyses.xray_world import check_observations, observation_world
    from ..products.xray import limit_table, write_scan_products
    from ..products.xray_files import data_record
    from ..provenance import prepare_output, provenance_record, write_json
    from ..runtime import enable_cache

    mode, group = image_options.signal_mode(signal), image_options.grouping(by)
    grid = None if masses is None else parse_masses(masses)
    share = chosen_task(task)
    data = image_options.read_folders(folders, **choices)
    settings = image_options.image_settings(config, data, mode)
    check_observations(settings, data)
    if grid is None:
        grid = np.geomspace(*settings.mass.grid_eV, settings.mass.grid_points)
    own = share_of_masses(grid, share)
    folder = prepare_output(task_folder(out, "limit", share), "limit", overwrite=overwrite)
    enable_cache()
    world, images = observation_world(settings, data, group)
    numerics, threshold = settings.numerics, settings.coupling.q_threshold
    scans = {
        mode: count_limits(
            world,
            images,
            own,
            smoothing_kpc=numerics.smoothing_kpc,
            field_structure_above_eV=numerics.field_structure_above_eV,
            **({} if threshold is None else {"q_threshold": threshold}),
        )
    }
    chosen = {"signal": mode, "masses_eV": grid, "by": by, "data": data_record(data)}
    record = provenance_record(None, settings.model_dump() | chosen) | task_record(share)
    notes = image_options.natures(data)
    comments = [f"configuration {record['config_sha256']}", *notes]
    title = "simulated data" if any("simulated" in n for n in notes) else ""
    write_scan_products(folder, scans, mode, comments, title)
    write_json(folder / "data.json", chosen["data"])
    write_json(folder / "provenance.json", record)
    if not quiet:
        lowest = float(own[0])
        for _, name, limit, median, pull, status in limit_table(scans, lowest):
            typer.echo(
                f"{name:<12} m_a = {lowest:.3g} eV: g < {limit:.4g}e-12 GeV^-1 (95 %), "
                f"median {median:.4g}e-12, a_hat/sigma {pull:+.2f}, {status}"
            )
        for note in notes:
            typer.echo(f"data: {note}")
    typer.echo(f"results in {folder}")
