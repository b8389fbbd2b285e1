"""Where a result came from, and how it is written: seed, versions, hashes, atomic files.

A product is written under a temporary name in its own folder, flushed to the disk and renamed,
so that a reader sees either the old file or the whole new one. A folder of results carries a
marker file; without it diffaxion neither resumes in a folder nor replaces it.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import re
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ConfigurationError, DiffaxionError, OutputExistsError
from .runtime import describe_devices

MARKER = "diffaxion-run.json"
RECORDED_PACKAGES = (
    "jax",
    "jaxlib",
    "numpyro",
    "equinox",
    "optax",
    "optimistix",
    "numpy",
    "astropy",
    "healpy",
    "ducc0",
    "h5py",
    "matplotlib",
)

Content = bytes | str | Callable[[Path], object]


def _flush(path: Path) -> None:
    """Ask the system to put a file or a folder on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def atomic_write(path: str | Path, content: Content) -> Path:
    """Write a file completely or not at all.

    Parameters
    ----------
    path : str or Path
        Destination; its folder is made if it does not exist.
    content : bytes, str or callable
        The content (text is written as UTF-8), or a function that receives a temporary path
        with the same ending in the same folder and writes it.

    Returns
    -------
    Path
        The destination.

    Raises
    ------
    DiffaxionError
        If the system refuses (disk full, read-only, permission); a file that was there before
        is intact.

    References
    ----------
    POSIX ``rename``: the replacement of a file is atomic within one file system.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(6)}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if isinstance(content, str):
                temporary.write_bytes(content.encode())
            elif isinstance(content, bytes):
                temporary.write_bytes(content)
            else:
                content(temporary)
            _flush(temporary)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        # Some file systems cannot flush a folder; the file itself is already safe.
        with contextlib.suppress(OSError):
            _flush(path.parent)
    except OSError as error:
        raise DiffaxionError(
            f"cannot write {path}: {error.strerror or error}. A file that was there before is "
            "unchanged. Free some space or choose another folder with --out."
        ) from error
    return path


def write_json(path: str | Path, content: Any) -> Path:
    """Write a JSON file atomically; numbers that JSON lacks (NaN, infinities) become null.

    Parameters
    ----------
    path : str or Path
        Destination.
    content : mapping, list, number, text, array or path
        Anything :func:`jsonable` understands.

    Returns
    -------
    Path
        The destination.

    References
    ----------
    RFC 8259, section 6: JSON has no NaN and no infinity.
    """
    text = json.dumps(jsonable(content), indent=2, allow_nan=False)
    return atomic_write(path, text + "\n")


def jsonable(value: Any) -> Any:
    """Plain JSON value of a nested structure of mappings, sequences, arrays, numbers and paths.

    Parameters
    ----------
    value : object
        The structure; NaN and infinities become None.

    Returns
    -------
    dict, list, str, int, float, bool or None
        The plain value.

    Raises
    ------
    ConfigurationError
        If something in it has no JSON form.

    References
    ----------
    RFC 8259.
    """
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return jsonable(np.asarray(value).tolist())
    raise ConfigurationError(f"{value!r} ({type(value).__name__}) cannot be written as JSON")


def config_hash(config: Any) -> str:
    """SHA-256 of a configuration; the order of keys does not matter.

    Parameters
    ----------
    config : mapping, list, number, text, array or path
        Anything :func:`jsonable` understands.

    Returns
    -------
    str
        64 hexadecimal digits.

    References
    ----------
    FIPS 180-4 (SHA-256).
    """
    text = json.dumps(jsonable(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python, diffaxion and the packages that decide a result.

    Returns
    -------
    dict of str to str
        Version by package; a package that is not installed is left out.

    References
    ----------
    Python packaging metadata (PEP 566).
    """
    from . import __version__

    found = {"python": platform.python_version(), "diffaxion": __version__}
    for name in RECORDED_PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def provenance_record(seed: int | None, config: Any) -> dict[str, Any]:
    """What a product must say about its origin.

    Parameters
    ----------
    seed : int or None
        Seed of the random numbers; None if there are none.
    config : mapping
        The complete configuration.

    Returns
    -------
    dict
        ``seed``, ``config``, ``config_sha256``, ``versions``, ``devices`` and ``created_utc``.

    References
    ----------
    None: a record.
    """
    now = datetime.datetime.now(datetime.UTC)
    return {
        "seed": seed,
        "config": jsonable(config),
        "config_sha256": config_hash(config),
        "versions": versions(),
        "devices": describe_devices(),
        "created_utc": now.isoformat(timespec="seconds"),
    }


def _numbered(base: Path) -> dict[int, Path]:
    """Existing folders or files ``base-NNN`` by number."""
    pattern = re.compile(re.escape(base.name) + r"-(\d{3,})")
    if not base.parent.is_dir():
        return {}
    found = ((pattern.fullmatch(p.name), p) for p in base.parent.iterdir())
    return {int(match[1]): p for match, p in found if match}


def next_free_directory(base: str | Path) -> Path:
    """The path ``base-NNN`` with the number after the largest one in use; nothing is made.

    Parameters
    ----------
    base : str or Path
        Path without the number, such as ``diffaxion-joint``.

    Returns
    -------
    Path
        ``base-001`` if there is none yet.

    References
    ----------
    None: a convention of the command line.
    """
    base = Path(base)
    number = max(_numbered(base), default=0) + 1
    return base.with_name(f"{base.name}-{number:03d}")


def _marker_of(folder: Path) -> dict[str, Any] | None:
    try:
        return json.loads((folder / MARKER).read_text())
    except (OSError, ValueError):
        return None


def _set_aside(folder: Path) -> None:
    """Rename a folder of results to ``<name>.previous``, replacing an older one of ours."""
    aside = folder.with_name(f"{folder.name}.previous")
    if aside.exists():
        if _marker_of(aside) is None:
            raise OutputExistsError(
                f"{aside} exists and was not written by diffaxion: move it away, because "
                "--overwrite keeps the replaced results under that name"
            )
        shutil.rmtree(aside)
    os.replace(folder, aside)


def prepare_output(
    out: str | Path | None, command: str, *, overwrite: bool = False, resume: bool = False
) -> Path:
    """Make the folder for the results of a command, without ever losing older ones.

    Parameters
    ----------
    out : str, Path or None
        Folder; None takes the next free ``diffaxion-<command>-NNN`` (or, with ``resume``, the
        latest one).
    command : str
        Name of the command.
    overwrite : bool
        Replace existing results of diffaxion: the old folder is renamed ``<out>.previous``.
    resume : bool
        Continue in the folder if it holds results of the same command, else start there.

    Returns
    -------
    Path
        The folder; it exists and carries the marker file.

    Raises
    ------
    ConfigurationError
        If both options are given, or there is nothing to resume, or ``out`` is a file.
    OutputExistsError
        If the folder holds results and no option is given, or files that are not of diffaxion.

    References
    ----------
    None: a convention of the command line.
    """
    if overwrite and resume:
        raise ConfigurationError("--overwrite and --resume exclude each other: give one of them")
    base = Path(f"diffaxion-{command}")
    if out is None and resume:
        found = _numbered(base)
        if not found:
            raise ConfigurationError(
                f"nothing to resume: no folder {base}-NNN here. Give the folder with --out."
            )
        folder = found[max(found)]
    else:
        folder = next_free_directory(base) if out is None else Path(out)
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"--out {folder} is a file: give the name of a folder")
    if folder.is_dir() and any(folder.iterdir()):
        marker = _marker_of(folder)
        if marker is None:
            raise OutputExistsError(
                f"{folder} holds files that diffaxion did not write ({MARKER} is missing): "
                "choose an empty or new folder with --out"
            )
        if resume:
            if marker.get("command") != command:
                raise OutputExistsError(
                    f"{folder} holds results of `diffaxion {marker.get('command')}`, not of "
                    f"`diffaxion {command}`: choose another folder with --out"
                )
            return folder
        if not overwrite:
            raise OutputExistsError(
                f"{folder} already holds results: add --overwrite to replace them, --resume to "
                "continue them where the command has it, or choose another folder with --out"
            )
        _set_aside(folder)
    write_json(
        folder / MARKER,
        {
            "command": command,
            "diffaxion": versions().get("diffaxion"),
            "started_utc": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        },
    )
    return folder
