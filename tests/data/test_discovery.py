"""Folders of data without a list: names that are understood, and what is said of those missing."""

import re
import shutil

import numpy as np
import pytest

from diffaxion.data import bundled_observation, read_image_stack, write_events
from diffaxion.data.discovery import observation_files
from diffaxion.errors import DataError

from . import nustar


@pytest.fixture
def folder(tmp_path):
    """The bundled observation without its list."""
    for path in bundled_observation().glob("*.img"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_names_stand_for_a_list(folder):
    found = observation_files(folder)
    listed = observation_files(bundled_observation())
    np.testing.assert_array_equal(found.low_keV, listed.low_keV)
    np.testing.assert_array_equal(found.high_keV, listed.high_keV)
    assert [e.module for e in found.exposures] == [e.module for e in listed.exposures]
    for ours, theirs in zip(found.exposures, listed.exposures, strict=True):
        for kind in ("counts", "exposure", "background"):
            names = [[p.name for p in getattr(e, kind)] for e in (ours, theirs)]
            assert names[0] == names[1]
    region = {"ra_deg": 266.5579, "dec_deg": -28.83, "radius_arcmin": 1.5}
    ours, theirs = (read_image_stack(p, **region) for p in (folder, bundled_observation()))
    np.testing.assert_array_equal(ours.counts, theirs.counts)


def test_the_bundled_observation_says_that_it_is_simulated():
    stack = read_image_stack(bundled_observation())
    assert stack.nature.startswith("simulated")
    assert sum(p.stat().st_size for p in bundled_observation().iterdir()) < 500e3


def test_events_and_responses_are_recognised(folder):
    for path in folder.glob("*A01*_sk.img"):
        path.unlink()
    write_events(folder / "nu40010005001A01_cl.evt.gz", nustar.events())
    for module in "AB":
        (folder / f"nu40010005001{module}01_sr.arf").touch()
    for mode in ("02", "06"):  # of the processing; nobody made images of them
        (folder / f"nu40010005001A{mode}_cl.evt.gz").touch()
    first, second = observation_files(folder).exposures
    assert first.events.name == "nu40010005001A01_cl.evt.gz"
    assert first.counts == ()
    assert second.events is None
    assert [e.arf.name[-10:] for e in (first, second)] == ["A01_sr.arf", "B01_sr.arf"]


def test_every_missing_file_is_named(folder):
    (folder / "nu40010005001A01_ex.img").unlink()
    (folder / "nu40010005001A01_30to40keV_bgd.img").unlink()
    with pytest.raises(DataError) as error:
        observation_files(folder)
    for name in ("nu40010005001A01_ex.img", "nu40010005001A01_30to40keV_bgd.img", "rename yours"):
        assert name in str(error.value)
    assert "B01" not in str(error.value)


def test_a_folder_of_other_files(tmp_path):
    (tmp_path / "image.fits").touch()
    with pytest.raises(DataError, match=re.escape("nu40010005001A01_10to15keV_sk.img")):
        observation_files(tmp_path)
