"""Results of single needlet scales on the disk, named by what they were made from."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DiffaxionWarning
from ..provenance import atomic_write, config_hash

# Changes when the same inputs would give other numbers than an older version of the package.
_FORMAT = 1


def array_digest(values: np.ndarray) -> str:
    """SHA-256 of the type, shape and content of an array."""
    data = np.ascontiguousarray(values)
    digest = hashlib.sha256(f"{data.dtype.str}{data.shape}".encode())
    digest.update(data.view(np.uint8).data)
    return digest.hexdigest()


class ScaleCache:
    """A folder of arrays under content hashes; without a folder it remembers nothing.

    Parameters
    ----------
    folder : str, Path or None
        Where files are kept; made when first needed.
    identity : mapping
        All that decides the results of a run as a whole.
    """

    def __init__(self, folder: str | Path | None, identity: Mapping[str, Any]) -> None:
        self.folder = None if folder is None else Path(folder)
        self.identity = {**identity, "format": _FORMAT} if folder is not None else {}

    def path(self, label: str, detail: Mapping[str, Any]) -> Path:
        """File of one result, in a folder that is given."""
        assert self.folder is not None
        code = config_hash({**self.identity, **detail})[:32]
        return self.folder / f"{label}-{code}.npz"

    def load(self, label: str, detail: Mapping[str, Any]) -> dict[str, np.ndarray] | None:
        """Arrays of an earlier run, None if there are none."""
        if self.folder is None:
            return None
        path = self.path(label, detail)
        if not path.is_file():
            return None
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
                return {k: found[k] for k in found.files}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            warnings.warn(
                f"{path} cannot be read ({error}): the scale is computed again",
                DiffaxionWarning,
                stacklevel=2,
            )
            return None

    def save(self, label: str, detail: Mapping[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Write arrays completely or not at all."""
        if self.folder is not None:
            atomic_write(
                self.path(label, detail), lambda path: np.savez(path, allow_pickle=False, **arrays)
            )
