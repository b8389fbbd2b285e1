"""Writing an observation as a user would hold it: FITS images and the list that names them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..provenance import atomic_write
from .events import EventList
from .file_list import FILE_LIST, Place
from .image_stack import ImageStack
from .nustar_files import write_arf, write_events, write_rmf, write_sky_image
from .ogip import AncillaryResponse, Redistribution


def write_observation(
    folder: str | Path,
    stack: ImageStack,
    *,
    target: Place,
    name: str = "",
    reference: Place | None = None,
    exclude: Sequence[Place] = (),
    events: Sequence[EventList] | None = None,
    arf: AncillaryResponse | None = None,
    rmf: Redistribution | None = None,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write images (or event lists), responses and ``observation.toml`` to a folder.

    Parameters
    ----------
    folder : str or Path
        Destination; made if it does not exist.
    stack : ImageStack
        Images of all bins and exposures.
    target : (ra_deg, dec_deg, radius_arcmin)
        Region of interest.
    name : str
        Name of the target.
    reference : (ra_deg, dec_deg, radius_arcsec), optional
        Source for the astrometric alignment.
    exclude : sequence of (ra_deg, dec_deg, radius_arcmin)
        Discs that a reader masks.
    events : sequence of EventList, optional
        Event list of each exposure, written instead of images of counts.
    arf, rmf : AncillaryResponse, Redistribution, optional
        Responses, common to all exposures.
    files : mapping of str to str, optional
        Names, in the folder, of the files ``cluster``, ``stars`` and ``psf`` of the target.

    Returns
    -------
    Path
        ``observation.toml``.

    Raises
    ------
    DataError
        If the number of event lists is not that of the exposures.
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    None: a set of files; each format is cited by its writer.
    """
    folder = Path(folder)
    if events is not None and len(events) != stack.n_exposures:
        raise DataError(f"{folder}: {len(events)} event lists for {stack.n_exposures} exposures")
    lines = [
        f"bins_keV = {np.stack([stack.low_keV, stack.high_keV], -1).tolist()}",
        f"nature = {_text(stack.nature)}",
        *_table("target", target, "radius_arcmin", name),
        *(f"{key} = {_text(value)}" for key, value in (files or {}).items()),
    ]
    if reference is not None:
        lines += _table("reference", reference, "radius_arcsec")
    for place in exclude:
        lines += _table("exclude", place, "radius_arcmin", array=True)
    responses = []
    if arf is not None:
        write_arf(folder / "response.arf", arf)
        responses.append('arf = "response.arf"')
    if rmf is not None:
        write_rmf(folder / "response.rmf", rmf)
        responses.append('rmf = "response.rmf"')
    for k in range(stack.n_exposures):
        lines += _write_exposure(folder, stack, k, events) + responses
    return atomic_write(folder / FILE_LIST, "\n".join(lines) + "\n")


def _write_exposure(
    folder: Path, stack: ImageStack, k: int, events: Sequence[EventList] | None
) -> list[str]:
    """Files of one exposure, and its lines of the list."""
    module, obs_id, grid = stack.modules[k], stack.obs_ids[k], stack.grids[k]
    stem = f"nu{obs_id or k}{module[-1]}01"
    common: dict[str, Any] = {
        "module": module,
        "obs_id": obs_id,
        "nature": stack.nature,
        "exposure_s": float(stack.exposure_s[k]),
    }
    unit = "cm2 s" if stack.exposure_unit == "cm2 s" else "s"
    lines = ["[[exposures]]", f"obs_id = {_text(obs_id)}", f"module = {_text(module)}"]
    one = bool(np.all(stack.exposure[:, k] == stack.exposure[0, k]))
    names: dict[str, list[str]] = {"counts": [], "exposure": [], "background": []}
    for b, band in enumerate(zip(stack.low_keV.tolist(), stack.high_keV.tolist(), strict=True)):
        label = f"{stem}_{band[0]:g}to{band[1]:g}keV"
        for kind, values, ending in (
            ("counts", stack.counts[b, k], "sk"),
            ("exposure", stack.exposure[b, k], "ex"),
            ("background", stack.background[b, k], "bgd"),
        ):
            if (kind == "counts" and events is not None) or (kind == "exposure" and one and b):
                continue
            whole = kind == "exposure" and one
            file = f"{stem if whole else label}_{ending}.img"
            write_sky_image(
                folder / file,
                values,
                grid,
                kind=kind,
                unit=unit if kind == "exposure" else None,
                band_keV=None if whole else band,
                **common,
            )
            names[kind].append(file)
    if events is not None:
        write_events(folder / f"{stem}_cl.evt", events[k])
        lines.append(f"events = {_text(stem + '_cl.evt')}")
        names.pop("counts")
    return lines + [f"{kind} = {json.dumps(files)}" for kind, files in names.items()]


def _text(value: str) -> str:
    """A TOML string; JSON's escapes are valid in it."""
    return json.dumps(value, ensure_ascii=False)


def _table(title: str, place: Place, radius: str, name: str = "", array: bool = False) -> list[str]:
    ra, dec, size = (float(x) for x in place)
    named = [f"name = {_text(name)}"] if name else []
    head = f"[[{title}]]" if array else f"[{title}]"
    return [head, *named, f"ra_deg = {ra!r}", f"dec_deg = {dec!r}", f"{radius} = {size!r}"]
