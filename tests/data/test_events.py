"""Event lists: binning, energies, filters, coordinates, and refusals."""

import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from diffaxion.data import nustar_grid, read_events
from diffaxion.data.energy_bins import energy_bins, pi_channels
from diffaxion.data.nustar_files import write_events
from diffaxion.errors import DataError, DiffaxionWarning

from . import nustar


@pytest.fixture
def path(tmp_path):
    write_events(tmp_path / "nu_cl.evt", nustar.events())
    return tmp_path / "nu_cl.evt"


def change_header(path, hdu, **cards):
    with fits.open(path, mode="update") as file:
        header = file[hdu].header
        for key, value in cards.items():
            if value is None:
                del header[key]
            else:
                header[key] = value


def test_images_hold_the_events_one_by_one(path):
    """Every event of the file, counted in a loop: good time, good grade, its pixel and bin."""
    want = nustar.events()
    expected = np.zeros((2, 120, 120))
    for t, pi, x, y, grade in zip(want.time_s, want.pi, want.x, want.y, want.grade, strict=True):
        good = any(a <= t <= b for a, b in want.gti_s) and grade <= 26
        energy = 1.6 + 0.04 * (pi + 0.5)
        for k, (low, high) in enumerate(zip(nustar.LOW, nustar.HIGH, strict=True)):
            if good and low < energy < high:
                expected[k, int(y), int(x)] += 1.0
    found = read_events(path)
    np.testing.assert_array_equal(found.images(nustar.LOW, nustar.HIGH), expected)
    assert expected.sum() > 300
    assert found.exposure_s == 8e3
    assert (found.module, found.obs_id, found.nature) == ("FPMA", "40010005001", "simulated")
    assert read_events(path, grades=(0, 0)).pi.size < 0.1 * found.pi.size


def test_coordinates_are_those_of_the_columns(path):
    """TCTYP, TCRVL, TCRPX and TCDLT of X and Y through astropy.wcs, without our reader."""
    with fits.open(path) as file:
        header = file["EVENTS"].header
        for key in ("RADECSYS", "EQUINOX"):  # a table's frame has other names there
            header.remove(key)
        wcs = WCS(header, keysel=["pixel"], colsel=[4, 5])
        x, y = (np.asarray(file["EVENTS"].data[k][:50], float) for k in ("X", "Y"))
    found = read_events(path, grades=(0, 31))
    grid = found.grid
    np.testing.assert_allclose(grid.world(x - 1.0, y - 1.0), wcs.all_pix2world(x, y, 1), atol=1e-9)


def test_columns_may_be_turned(path):
    change_header(path, "EVENTS", TCROT5=30.0)
    want = nustar.events().grid
    found = read_events(path).grid
    # The angle that Greisen & Calabretta call CROTA2 turns the axes, the second towards east.
    turn = np.array([[np.sqrt(3.0), -1.0], [1.0, np.sqrt(3.0)]]) / 2.0
    np.testing.assert_allclose(found.cd_deg, turn @ want.cd_deg, rtol=1e-9, atol=1e-12)


def test_another_grid_receives_events_by_position(path):
    """The same grid pointed elsewhere, by whole pixels: the image moves, nothing is lost inside."""
    found = read_events(path)
    image = found.images(nustar.LOW, nustar.HIGH)
    moved = found.images(nustar.LOW, nustar.HIGH, found.grid.cut(10, 20, (90, 80)))
    np.testing.assert_array_equal(moved, image[:, 10:100, 20:100])
    coarse = found.images(nustar.LOW, nustar.HIGH, found.grid.rebin(4))
    np.testing.assert_array_equal(coarse, image.reshape(2, 30, 4, 30, 4).sum(axis=(2, 4)))


def test_columns_numbered_from_another_pixel(path):
    """TLMIN of X moves the numbering, not the sky."""
    before = read_events(path)
    with fits.open(path, mode="update") as file:
        file["EVENTS"].data["X"] += 100
    change_header(path, "EVENTS", TLMIN4=101, TLMAX4=220, TCRPX4=160.5)
    after = read_events(path)
    np.testing.assert_array_equal(after.x, before.x)
    assert after.grid.distance_pixels(before.grid) < 1e-9


def test_events_without_position_or_energy_are_dropped(path):
    n = read_events(path).pi.size
    good = nustar.events().grade[:500] <= 26
    with fits.open(path, mode="update") as file:
        table = file["EVENTS"].data
        table["X"][:300] = -1
        table["PI"][300:500] = -10
    assert read_events(path).pi.size == n - good.sum()


def test_channels_of_energies():
    """10-15 keV is PI 210..334 inclusive."""
    np.testing.assert_array_equal(
        pi_channels(np.array([10.0, 75.0]), np.array([15.0, 80.0]), "test"),
        [[210, 335], [1835, 1960]],
    )
    with pytest.raises(DataError, match=r"10.03 keV lies inside a channel.*10.04 keV"):
        pi_channels(np.array([10.03]), np.array([15.0]), "test")
    with pytest.raises(DataError, match=r"1.6-165.44 keV"):
        pi_channels(np.array([1.2]), np.array([15.0]), "test")


@pytest.mark.parametrize(
    ("bins", "message"),
    [
        ([10.0, 20.0, 15.0], "bin 1 spans 20-15 keV"),
        ([[10, 15], [14, 20]], "bin 1 (14-20 keV) overlaps bin 0"),
        ([[15, 20], [10, 15]], "comes before it"),
        ([10.0, float("nan")], "expected finite energies"),
        ([10.0], "expected (n + 1,) edges"),
        (["a", "b"], "are not numbers"),
        ([-1.0, 5.0], "expected finite energies > 0"),
    ],
)
def test_unusable_bins(bins, message):
    """Row 7 of the table of bad inputs."""
    with pytest.raises(DataError, match=re.escape(message)):
        energy_bins(bins, "list")


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"EXPOSURE": None}, "keyword EXPOSURE is missing"),
        ({"EXPOSURE": -5.0}, "EXPOSURE = -5 s"),
        ({"EXPOSURE": 2e4}, "exceeds the 9000 s of good time"),
        ({"INSTRUME": "FPMC"}, "INSTRUME = 'FPMC', expected FPMA or FPMB"),
        ({"TCRVL4": None}, "keyword TCRVL4 (sky coordinates of X) is missing"),
        ({"TCTYP5": "DEC--SIN"}, "expected 'DEC--TAN'"),
        ({"TLMAX4": None}, "keyword TLMAX4 is missing"),
        ({"TLMAX4": 10**9}, "expected the first and last pixel"),
        ({"TTYPE2": "PHA"}, "column PI is missing"),
        ({"EXTNAME": "OTHER", "HDUCLAS1": "OTHER"}, "has no table 'EVENTS'"),
    ],
)
def test_unusable_event_lists(path, cards, message):
    change_header(path, "EVENTS", **cards)
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read_events(path)
    assert str(path) in str(error.value)


def test_intervals_out_of_order(path):
    with fits.open(path, mode="update") as file:
        file["GTI"].data["START"][1] = 3000.0
    with pytest.raises(DataError, match="unordered or overlap"):
        read_events(path)


def test_another_telescope_is_worth_a_warning(path):
    change_header(path, "EVENTS", TELESCOP="SWIFT")
    with pytest.warns(DiffaxionWarning, match="TELESCOP = 'SWIFT', expected 'NuSTAR'"):
        read_events(path)


def test_full_grid_is_that_of_distributed_files():
    """1000 pixels of 2.458 arcsec, reference pixel 500.5 (counted from 1)."""
    header = nustar_grid(*nustar.CENTRE).header()
    assert header["CRPIX1"] == header["CRPIX2"] == 500.5
    np.testing.assert_allclose(header["CDELT1"], -0.0006828076, rtol=1e-7)
