"""Checkpoints of a sampling run: blocks of draws, and two generations of the state behind them.

A folder holds ``block_00000.npz``, ``block_00001.npz``, ... (the draws of each block) and
``state.npz`` with ``state.previous.npz`` (what the next iteration depends on). Every file is
written under a temporary name, flushed and renamed, and carries a JSON header with the identity
of the run and the SHA-256 of its arrays; nothing in it is pickled. A damaged newest file costs
one block; a file of another run is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from ..errors import CheckpointError, DiffaxionError, DiffaxionWarning, OutputExistsError
from ..provenance import atomic_write

FORMAT = 1
STATE, PREVIOUS, NEXT = "state.npz", "state.previous.npz", "state.next.npz"
_BLOCK = re.compile(r"block_\d{5,}\.npz")
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class Checkpoint:
    """Where a run is kept, and what identifies it.

    Attributes
    ----------
    folder : str or Path
        Folder of the blocks; one run each.
    identity : mapping of str to str
        Hashes of model, data and configuration; a resumed run must show the same.
    resume : bool
        Continue what the folder holds; an empty folder starts a new run.
    force : bool
        Continue although the header differs; the result records it.
    seconds : float
        A block ends after this time, or after the sampler's ``chunk`` iterations [s].
    """

    folder: str | Path
    identity: Mapping[str, str] = field(default_factory=dict)
    resume: bool = False
    force: bool = False
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if not self.seconds > 0.0:
            raise CheckpointError(f"seconds must be positive, found {self.seconds}")


def pytree_hash(tree: PyTree) -> str:
    """SHA-256 of the leaves of a pytree, for the identity of a run.

    Parameters
    ----------
    tree : pytree
        Data, or a model; arrays count with shape, type and content, other leaves with ``repr``.

    Returns
    -------
    str
        64 hexadecimal digits.

    References
    ----------
    FIPS 180-4 (SHA-256).
    """
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    arrays = {}
    for path, leaf in leaves:
        name = jax.tree_util.keystr(path)
        is_array = isinstance(leaf, (jax.Array, np.ndarray, np.generic, float, int, bool))
        arrays[name] = _plain(leaf)[0] if is_array else np.array(repr(leaf))
    return _digest(arrays)


def _plain(leaf: Any) -> tuple[np.ndarray, str]:
    """Leaf as a plain array, and the implementation of its random numbers if it is a key."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return np.asarray(jax.random.key_data(leaf)), str(jax.random.key_impl(leaf))
    return np.asarray(leaf), ""


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    found = hashlib.sha256()
    for name in sorted(arrays):
        x = np.ascontiguousarray(arrays[name])
        found.update(f"{name}|{x.dtype.str}|{np.shape(arrays[name])}|".encode())
        found.update(x.tobytes())
    return found.hexdigest()


def _write(path: Path, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> None:
    text = json.dumps({**header, "sha256": _digest(arrays)}, sort_keys=True)

    def content(temporary: Path) -> None:
        np.savez(temporary, allow_pickle=False, header=np.array(text), **arrays)

    atomic_write(path, content)


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and header of an intact file; any of ``_UNREADABLE`` if it is not."""
    # NumPy leaves a file that it cannot read open.
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(str(arrays.pop("header")))
    if header["sha256"] != _digest(arrays):
        raise ValueError("the arrays do not match their SHA-256")
    return arrays, header


def _mismatches(found: Mapping[str, Any], wanted: Mapping[str, Any], lead: str = "") -> list[str]:
    """Fields of two headers that differ, as ``field: found, here wanted``."""
    wrong = []
    for name in sorted({*found, *wanted}):
        old, new = found.get(name), wanted.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            wrong += _mismatches(old, new, f"{lead}{name}.")
        elif old != new:
            wrong.append(f"{lead}{name}: {old!r} in the checkpoint, {new!r} now")
    return wrong


@dataclass
class CheckpointStore:
    """One run's files, opened with the header that they must carry.

    Attributes
    ----------
    checkpoint : Checkpoint
        Folder and identity.
    header : dict
        Everything that decides the bits of the run.
    forced : list of str
        Differences of headers that were overridden, now or before.
    run : str
        Random name of the run, which its files share.
    """

    checkpoint: Checkpoint
    header: dict[str, Any]
    forced: list[str] = field(default_factory=list)
    run: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def folder(self) -> Path:
        """Folder of the blocks."""
        return Path(self.checkpoint.folder)

    def open(self, template: PyTree) -> tuple[PyTree | None, list[dict[str, np.ndarray]]]:
        """State and blocks to continue from.

        Parameters
        ----------
        template : pytree
            State of the same structure, of arrays or shapes.

        Returns
        -------
        tuple of pytree or None and list of dict
            State (None for a new run) and the arrays of its blocks.

        Raises
        ------
        OutputExistsError
            If the folder holds a run and ``resume`` was not asked for.
        CheckpointError
                If the run is another one, or both generations are damaged.
        """
        blocks = _block_files(self.folder)
        # Between the two renames of `save` only the next and the previous state have a name.
        newest = STATE if (self.folder / STATE).exists() else NEXT
        names = [n for n in (newest, PREVIOUS) if (self.folder / n).exists()]
        if (names or blocks) and not self.checkpoint.resume:
            raise OutputExistsError(
                f"{self.folder} already holds a checkpoint: ask to resume it, or choose another "
                "folder"
            )
        damage: list[str] = []
        for name in names:
            try:
                arrays, header = _read(self.folder / name)
                parts = [self._block(k, header["run"]) for k in range(header["blocks"])]
                if sum(len(next(iter(p.values()))) for p in parts) != header["done"]:
                    raise ValueError("the blocks do not hold as many draws as the state says")
            except _UNREADABLE as error:
                damage.append(f"{name}: {error or type(error).__name__}")
                continue
            # Outside the `try`: a header of another run is no damage.
            self._compare(header)
            state = self._rebuild(arrays, header, template)
            self.run = header["run"]
            for path in blocks[len(parts) :]:
                path.unlink()
            if damage:
                self._warn(damage, f"continuing from the one before, iteration {header['done']}")
            return state, parts
        if len(blocks) > 1:
            raise CheckpointError(
                f"{self.folder}: no generation of the checkpoint is intact "
                f"({'; '.join(damage) or 'there is no state'}); start anew in another folder"
            )
        if damage:
            self._warn(damage, "starting anew")
        return None, []

    def _warn(self, damage: list[str], consequence: str) -> None:
        warnings.warn(
            f"{self.folder}: the newest checkpoint is damaged ({'; '.join(damage)}); {consequence}",
            DiffaxionWarning,
            stacklevel=5,
        )

    def _block(self, k: int, run: str) -> dict[str, np.ndarray]:
        path = self.folder / f"block_{k:05d}.npz"
        try:
            arrays, header = _read(path)
        except _UNREADABLE as error:
            raise ValueError(f"{path.name}: {error or type(error).__name__}") from error
        if header["block"] != k or header["run"] != run:
            raise ValueError(f"{path.name} belongs to another run")
        return arrays

    def _compare(self, found: Mapping[str, Any]) -> None:
        wrong = _mismatches(found["header"], self.header)
        if wrong and not self.checkpoint.force:
            raise CheckpointError(
                f"{self.folder} was written by another run: {'; '.join(wrong)}. Restore what "
                "differs, choose another folder, or force it to continue with draws of both"
            )
        self.forced = [*found["forced"], *wrong]

    def _rebuild(self, arrays: Mapping[str, np.ndarray], header: Any, template: PyTree) -> PyTree:
        leaves, tree = jax.tree.flatten(template)
        kinds = header["kinds"]
        found = [arrays[f"leaf_{k:03d}"] for k in range(len(kinds))]
        state = [
            jax.random.wrap_key_data(jnp.asarray(x), impl=kind) if kind else x
            for x, kind in zip(found, kinds)
        ]
        same = len(state) == len(leaves) and all(
            a.shape == b.shape and a.dtype == b.dtype for a, b in zip(state, leaves)
        )
        if not same:
            raise CheckpointError(
                f"{self.folder}: the arrays of the state have other shapes or types than this "
                "model's; it cannot be continued, also not by force"
            )
        return jax.tree.unflatten(tree, [jnp.asarray(x) for x in state])

    def save(self, k: int, block: Mapping[str, np.ndarray], state: PyTree, done: int) -> None:
        """Write block ``k`` and the state after it; the former state stays as a generation.

        Parameters
        ----------
        k : int
            Number of the block.
        block : mapping of str to array
            Its draws.
        state : pytree
            State after it.
        done : int
            Iterations so far.

        Raises
        ------
        CheckpointError
            If the system refuses; what was there before is intact.
        """
        plain = [_plain(leaf) for leaf in jax.tree.leaves(state)]
        arrays = {f"leaf_{j:03d}": x for j, (x, _) in enumerate(plain)}
        header = {
            "header": self.header,
            "run": self.run,
            "forced": self.forced,
            "blocks": k + 1,
            "done": done,
            "kinds": [kind for _, kind in plain],
        }
        newest, fresh = self.folder / STATE, self.folder / NEXT
        try:
            _write(
                self.folder / f"block_{k:05d}.npz",
                block,
                {"block": k, "run": self.run, "format": FORMAT},
            )
            _write(fresh, arrays, header)
            if newest.exists():
                os.replace(newest, self.folder / PREVIOUS)
            os.replace(fresh, newest)
        except (DiffaxionError, OSError) as error:
            raise CheckpointError(
                f"the checkpoint after {done} iterations could not be written: {error} The "
                "checkpoint before it is intact, and the draws so far are in `partial` of this "
                "error; free some space and resume"
            ) from error


def _block_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if _BLOCK.fullmatch(p.name))


def read_blocks(folder: str | Path) -> list[dict[str, np.ndarray]]:
    """Draws that a running or stopped run has kept so far.

    Parameters
    ----------
    folder : str or Path
        Folder of a :class:`Checkpoint`.

    Returns
    -------
    list of dict of str to array
        Intact blocks in order, up to the first that is damaged; sites as ``site:<name>``.

    Raises
    ------
    CheckpointError
        If the folder holds no intact block.

    References
    ----------
    None: the format is ours.
    """
    found: list[dict[str, np.ndarray]] = []
    for path in _block_files(Path(folder)):
        try:
            found.append(_read(path)[0])
        except _UNREADABLE:
            break
    if not found:
        raise CheckpointError(f"{folder} holds no intact block of draws: give the folder of a run")
    return found
