"""Process-wide switches of JAX: precision, compilation cache, devices.

float64 is switched on when diffaxion is imported, because phases of 1e4 rad and limits at the
1e-4 level do not survive float32. ``DIFFAXION_X64=0`` turns it off for those who know why.
"""

from __future__ import annotations

import os
import platform
import warnings
from pathlib import Path

import jax
import numpy as np

from .errors import ConfigurationError, DiffaxionWarning

_OFF = ("0", "false", "off")


def configure_precision() -> bool:
    """Switch float64 on unless ``DIFFAXION_X64=0``; return whether it is on."""
    want = os.environ.get("DIFFAXION_X64", "1") not in _OFF
    jax.config.update("jax_enable_x64", want)
    return want


def x64_enabled() -> bool:
    """Whether JAX makes 64-bit numbers of Python floats."""
    return jax.dtypes.canonicalize_dtype(float) == np.float64


def require_x64() -> None:
    """Refuse float32 that nobody asked for; warn of float32 that somebody did.

    Entry points of analyses call it before they compute anything.

    Raises
    ------
    ConfigurationError
        If JAX runs in float32 and ``DIFFAXION_X64=0`` was not asked for.

    Warns
    -----
    DiffaxionWarning
        If it was asked for.
    """
    if x64_enabled():
        return
    if os.environ.get("DIFFAXION_X64", "1") not in _OFF:
        raise ConfigurationError(
            "JAX runs in float32 because jax_enable_x64 was turned off after `import diffaxion`. "
            "Remove that call, or set DIFFAXION_X64=0 to accept float32 results."
        )
    warnings.warn(
        "DIFFAXION_X64=0: limits are computed in float32, good to 1e-3 at best; unset it for "
        "float64",
        DiffaxionWarning,
        stacklevel=3,
    )


def enable_cache(path: str | Path | None = None) -> Path | None:
    """Turn on JAX's persistent compilation cache, unless ``DIFFAXION_CACHE=0``.

    Parameters
    ----------
    path : str or Path, optional
        Folder of the cache; default ``$XDG_CACHE_HOME/diffaxion/jax`` or ``~/.cache/...``.

    Returns
    -------
    Path or None
        The folder in use; None if the cache is switched off.
    """
    if os.environ.get("DIFFAXION_CACHE", "1") in _OFF:
        return None
    if path is None:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        path = Path(base) / "diffaxion" / "jax"
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # By default functions that compile in under a second are not stored; most of ours do.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder


def describe_devices() -> dict[str, object]:
    """Backend, devices and host processor, for the provenance of a product."""
    return {
        "backend": jax.default_backend(),
        "devices": [str(d) for d in jax.devices()],
        "machine": platform.machine(),
        "x64": x64_enabled(),
    }
