"""Stages of the map pipeline on disk: complete or absent, and named by what they were made from.

A stage is a folder with arrays and ``stage.json``, which is written last and holds a hash of the
input and of every setting that matters. Another input or setting has another hash: what an
earlier run left is then not used.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..provenance import atomic_write, config_hash, jsonable, versions, write_json

STAGE = "stage.json"


def stage_done(folder: Path, key: Any) -> dict[str, Any] | None:
    """Record of a finished stage with this key, or None.

    Parameters
    ----------
    folder : Path
        Folder of the stage.
    key : object
        Input and settings, as anything that has a JSON form.

    Returns
    -------
    dict or None
        What :func:`write_stage` was given as record; None where the stage has another key, was
        made by another version or is not complete.

    References
    ----------
    None: a cache.
    """
    try:
        found = json.loads((folder / STAGE).read_text())
    except (OSError, ValueError):
        return None
    if found.get("key") != _key(key):
        return None
    if any(not (folder / name).is_file() for name in found["files"]):
        return None
    return found["record"]


def _key(key: Any) -> str:
    return config_hash({"key": jsonable(key), "diffaxion": versions().get("diffaxion")})


def write_stage(
    folder: Path,
    key: Any,
    files: Mapping[str, Mapping[str, np.ndarray]],
    record: Mapping[str, Any],
) -> None:
    """Write the arrays of a stage and, when all are on disk, its record.

    Parameters
    ----------
    folder : Path
        Folder of the stage; it is made if it does not exist.
    key : object
        Input and settings.
    files : dict of str to dict of str to array
        Arrays of each file, by name ending in ``.npz``.
    record : dict
        Anything that has a JSON form.

    Returns
    -------
    None
        The stage is complete.

    Raises
    ------
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    None: a cache.
    """
    (folder / STAGE).unlink(missing_ok=True)
    for name, arrays in files.items():

        def save(path: Path, arrays: Mapping[str, np.ndarray] = arrays) -> None:
            np.savez(path, allow_pickle=False, **arrays)

        atomic_write(folder / name, save)
    names = sorted(files)
    write_json(folder / STAGE, {"key": _key(key), "files": names, "record": jsonable(record)})


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Arrays of a file of a stage.

    Parameters
    ----------
    path : Path
        File.

    Returns
    -------
    dict of str to array
        By name.

    Raises
    ------
    DataError
        If the file is damaged.

    References
    ----------
    The NumPy .npz format (NumPy Enhancement Proposal 1).
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: cannot be read ({error}); remove its folder and run again"
        ) from None
