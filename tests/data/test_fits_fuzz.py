"""Damaged files: whatever is in them, a reader returns sound numbers or raises one of our errors.

The other kinds of failure are: an exception of a library, a warning of a library (the suite makes
them errors), a reader that does not return, and memory that the file does not justify.
"""

import time
import tracemalloc
import warnings

import numpy as np
import pytest

from diffaxion.data import (
    read_arf,
    read_events,
    read_image_stack,
    read_pha,
    read_rmf,
    read_sky_image,
    write_observation,
)
from diffaxion.data.nustar_files import (
    write_arf,
    write_events,
    write_pha,
    write_rmf,
    write_sky_image,
)
from diffaxion.errors import DiffaxionError, DiffaxionWarning

from . import nustar
from .mutations import mutate
from .test_ogip import spectrum

SIDE = 40
SECONDS_MAX = 5.0
BYTES_MAX = 64e6  # the files have 8 to 40 kB; a table of 20000 pixels squared would take 3 GB


def _image(kind):
    def read(path):
        image = read_sky_image(path, kind, box=(2, 3, 20, 20))
        assert np.all(image.values >= 0.0)

    return read


def _events(path):
    found = read_events(path)
    assert np.all(np.isfinite(found.time_s))
    assert np.all(found.pi >= 0)
    if found.grid.shape[0] * found.grid.shape[1] <= 10**6:  # else the image is rightly large
        found.images(nustar.LOW, nustar.HIGH)


def _matrix(path):
    found = read_rmf(path)
    assert np.all(found.value >= 0.0)
    found.row_sums()
    if found.channel_high_keV[-1] > 20.0 and found.channel_low_keV[0] < 10.0:
        assert np.all(found.binned(nustar.LOW, nustar.HIGH) >= 0.0)


def _area(path):
    assert np.all(read_arf(path).area_cm2 >= 0.0)


def _spectrum(path):
    assert np.all(read_pha(path).counts >= 0.0)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """One sound file of each kind, with its reader."""
    folder = tmp_path_factory.mktemp("originals")
    stack, small = nustar.stack(SIDE), nustar.rmf()
    write_rmf(folder / "variable.rmf", small)
    write_rmf(folder / "fixed.rmf", small, variable=False)
    write_arf(folder / "x.arf", nustar.arf())
    write_pha(folder / "x.pha", spectrum())
    write_events(folder / "x.evt", nustar.events(500, side=SIDE))
    for kind in ("counts", "exposure", "background"):
        write_sky_image(
            folder / f"{kind}.img",
            getattr(stack, kind)[0, 0],
            stack.grids[0],
            kind=kind,
            exposure_s=3e4,
        )
    readers = {
        "variable.rmf": _matrix,
        "fixed.rmf": _matrix,
        "x.arf": _area,
        "x.pha": _spectrum,
        "x.evt": _events,
        "counts.img": _image("counts"),
        "exposure.img": _image("exposure"),
        "background.img": _image("background"),
    }
    return {name: ((folder / name).read_bytes(), read) for name, read in readers.items()}


def attack(read, path, content, label):
    """Read a damaged file; whether it was refused."""
    path.write_bytes(content)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DiffaxionWarning)
        tracemalloc.start()
        refusal = ""
        try:
            read(path)
        except DiffaxionError as error:
            refusal = str(error)
        except BaseException as error:
            pytest.fail(f"{label}: {type(error).__name__}: {error}")
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert not refusal or str(path.parent) in refusal, f"{label}: {refusal} does not name the file"
    assert peak < BYTES_MAX, f"{label}: {peak:.3g} bytes of memory"
    seconds = time.perf_counter() - start
    assert seconds < SECONDS_MAX, f"{label}: {seconds:.1f} s"
    return bool(refusal)


def campaign(originals, folder, seed, per_file):
    refused = total = 0
    for k, (name, (content, read)) in enumerate(originals.items()):
        for n in range(per_file):
            kind, damaged = mutate(np.random.default_rng([seed, k, n]), content)
            refused += attack(read, folder / name, damaged, f"{name} [{seed}, {k}, {n}] {kind}")
            total += 1
    return refused, total


def test_sound_files_are_read(originals, tmp_path):
    for name, (content, read) in originals.items():
        assert not attack(read, tmp_path / name, content, name)


def test_damaged_files(originals, tmp_path):
    refused, total = campaign(originals, tmp_path, 1, 30)
    # Damage that no reader needs to see (comments, unused keywords) leaves some files readable.
    assert 0.4 * total < refused < 0.95 * total


@pytest.mark.slow
def test_many_damaged_files(originals, tmp_path):
    refused, total = campaign(originals, tmp_path, 2, 260)
    assert total >= 2000
    assert 0.4 * total < refused < 0.95 * total


def test_damaged_files_in_an_observation(tmp_path):
    """One file of the list is damaged at a time."""
    write_observation(tmp_path, nustar.stack(SIDE), target=(*nustar.CENTRE, 0.5))
    files = sorted(tmp_path.glob("*.img"))
    refused = 0
    for n in range(30):
        rng = np.random.default_rng([3, n])
        path = files[rng.integers(len(files))]
        content = path.read_bytes()
        kind, damaged = mutate(rng, content)
        refused += attack(
            lambda _: read_image_stack(tmp_path), path, damaged, f"{path.name} [3, {n}] {kind}"
        )
        path.write_bytes(content)
    assert refused > 10
