"""Shared fixtures: the folder of reference values, and rules on skipping."""

import os
from pathlib import Path

import pytest

# Commands run inside the test process: their persistent cache would stay on for all later tests,
# and JAX has crashed while it wrote one of the thousands of programs of a whole run.
os.environ.setdefault("DIFFAXION_CACHE", "0")

import diffaxion  # noqa: F401  (switches float64 on before any test touches JAX)

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
