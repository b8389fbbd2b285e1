"""`import diffaxion` and its rooms load no plotting, FITS or HDF5 library."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "matplotlib",
    "astropy.io",
    "astropy.table",
    "healpy",
    "ducc0",
    "h5py",
    "corner",
    "arviz",
    "getdist",
)
CODE = """
import importlib, json, sys
for name in {names!r}:
    importlib.import_module(name)
heavy = {heavy!r}
print(json.dumps([m for m in heavy if m in sys.modules]))
"""


def _loaded(names, heavy):
    """Which of the modules are in memory after importing ``names`` in a fresh interpreter."""
    code = CODE.format(names=list(names), heavy=list(heavy))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_package_itself_is_light():
    assert _loaded(["diffaxion"], (*HEAVY, "numpyro", "optax", "optimistix", "astropy")) == []


ROOMS = (
    "diffaxion.parameters",
    "diffaxion.products",
    "diffaxion.analyses",
    "diffaxion.cli",
)


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_load_heavy_libraries_only_when_used(room):
    assert _loaded([room], HEAVY) == []


def test_the_check_can_see_a_heavy_library():
    assert "astropy.table" in _loaded(["astropy.table"], HEAVY)
