"""Shared fixtures: the folder of reference values, rules on skipping, few memory maps."""

import gc
import os
from pathlib import Path

import jax
import pytest

# Commands run inside the test process: their persistent cache would stay on for all later tests
# and write thousands of programs to the user's folder.
os.environ.setdefault("DIFFAXION_CACHE", "0")

import diffaxion  # noqa: F401  (switches float64 on before any test touches JAX)

# A process may hold 65530 memory maps on Linux; every compiled program takes some, and a process
# that reaches the limit dies.
MAPS_AT_MOST = 25_000

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared():
    """Folder of reference values; absent on a user's machine, required in CI."""
    folder = Path(os.environ.get("DIFFAXION_SHARED", SHARED))
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"reference folder {folder} is missing in CI")
        pytest.skip(f"reference folder {folder} is not there")
    return folder


def drop_programs():
    """Forget compiled programs when they hold too many memory maps (Linux; elsewhere nothing)."""
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MAPS_AT_MOST:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="module", autouse=True)
def _few_memory_maps():
    """After each file: its programs are shared inside of it only."""
    yield
    drop_programs()


def read_csv(path):
    """Columns of a commented CSV reference file as a dict of float arrays."""
    import numpy as np

    lines = [x for x in Path(path).read_text().splitlines() if x and not x.startswith("#")]
    names = lines[0].split(",")
    rows = [x.split(",") for x in lines[1:]]
    out = {}
    for k, name in enumerate(names):
        column = [r[k] for r in rows]
        try:
            out[name] = np.array(column, float)
        except ValueError:
            out[name] = np.array(column)
    return out
