"""World coordinates against astropy.wcs, and what moves, cuts and joins pixels."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from diffaxion.data import SkyGrid, grid_from_header, nustar_grid, tangent_offsets_arcsec
from diffaxion.errors import DataError

ANGLE = np.radians(30.0)
TURNED = 7e-4 * np.array([[-np.cos(ANGLE), np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])
GRIDS = [
    nustar_grid(266.5, -28.8),
    nustar_grid(0.001, 89.9, 300),  # right ascensions wrap around, near the pole
    SkyGrid(83.6, 22.0, 10.3, -4.5, TURNED, (40, 60)),
]


def header(grid):
    ny, nx = grid.shape
    return fits.Header({"NAXIS": 2, "NAXIS1": nx, "NAXIS2": ny} | grid.header())


@pytest.mark.parametrize("grid", GRIDS)
def test_positions_agree_with_astropy(grid):
    """Another implementation of the tangential projection, to 1e-7 pixels."""
    wcs = WCS(header(grid))
    y, x = np.indices(grid.shape)[:, ::7, ::7]
    ra, dec = grid.world(x, y)
    expected = wcs.all_pix2world(x, y, 0)
    np.testing.assert_allclose(dec, expected[1], atol=1e-10)
    away = np.mod(ra - expected[0] + 180.0, 360.0) - 180.0
    np.testing.assert_allclose(away * np.cos(np.radians(dec)), 0.0, atol=1e-10)
    np.testing.assert_allclose(grid.pixel(ra, dec), [x, y], atol=1e-7)


@pytest.mark.parametrize("grid", GRIDS)
def test_header_and_back(grid):
    back = grid_from_header(dict(header(grid)), grid.shape, "test")
    assert back.distance_pixels(grid) < 1e-7
    assert back.frame == grid.frame


def test_other_forms_of_the_matrix():
    """CDELT with PC, and with CROTA2, describe the same pixels as CD."""
    want = GRIDS[2]
    base = {k: v for k, v in want.header().items() if not k.startswith("CD")}
    turn = TURNED / np.array([[-7e-4], [7e-4]])
    pc = {f"PC{i + 1}_{j + 1}": turn[i, j] for i in (0, 1) for j in (0, 1)}
    for cards in (
        {"CDELT1": -7e-4, "CDELT2": 7e-4} | pc,
        {"CDELT1": -7e-4, "CDELT2": 7e-4, "CROTA2": -30.0},
    ):
        found = grid_from_header(base | cards, want.shape, "test")
        wcs = WCS(fits.Header({"NAXIS": 2} | base | cards))
        np.testing.assert_allclose(
            found.world(3.0, 5.0), np.array(wcs.all_pix2world(3.0, 5.0, 0)), atol=1e-10
        )
    assert found.distance_pixels(want) < 1e-6


def test_offsets_are_angles_on_the_sky():
    """Small offsets against separation and position angle of astropy."""
    here = SkyCoord(266.5, -28.8, unit="deg")
    there = SkyCoord(266.53, -28.81, unit="deg")
    east, north = tangent_offsets_arcsec(266.53, -28.81, 266.5, -28.8)
    np.testing.assert_allclose(np.hypot(east, north), here.separation(there).arcsec, rtol=1e-6)
    angle = here.position_angle(there).rad
    np.testing.assert_allclose(np.arctan2(east, north) % (2.0 * np.pi), angle, atol=1e-6)
    assert np.isnan(tangent_offsets_arcsec(86.5, 28.8, 266.5, -28.8)).all()  # behind


def test_cut_rebin_and_shift():
    grid = nustar_grid(266.5, -28.8, 100)
    box = grid.cut(20, 30, (10, 12))
    np.testing.assert_allclose(box.world(2, 3), grid.world(32, 23))
    # The centre of a block of 5 x 5 pixels is its third pixel.
    coarse = grid.rebin(5)
    assert coarse.shape == (20, 20)
    np.testing.assert_allclose(coarse.world(4, 6), grid.world(22, 32))
    assert coarse.pixel_area_arcsec2 == pytest.approx(25.0 * grid.pixel_area_arcsec2)
    moved = grid.shifted(12.0, -7.0)
    away = tangent_offsets_arcsec(*moved.world(50, 50), *grid.world(50, 50))
    np.testing.assert_allclose(away, [12.0, -7.0], atol=1e-3)
    assert grid.distance_pixels(moved) == pytest.approx(np.hypot(12, 7) / 2.45810736, rel=1e-3)
    assert grid.distance_pixels(box) == np.inf


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"CTYPE1": "RA---SIN"}, "CTYPE1 = 'RA---SIN', expected 'RA---TAN'"),
        ({"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN"}, "CTYPE1 = 'DEC--TAN'"),
        ({"CUNIT2": "arcsec"}, "CUNIT2 = 'arcsec', expected 'deg'"),
        ({"RADESYS": "GALACTIC"}, "expected FK5"),
        ({"EQUINOX": 1950.0}, "EQUINOX = 1950.0"),
        ({"LONPOLE": 90.0}, "LONPOLE"),
        ({"CDELT1": 0.0}, "pixels without area"),
        ({"CDELT1": -2.458}, "is the unit deg"),
        ({"CRVAL2": 100.0}, "expected a position"),
        ({"CRVAL1": "here"}, "CRVAL1 = 'here', expected a finite number"),
        ({"CRPIX1": float("nan")}, "CRPIX1 = nan"),
        ({"CRPIX2": None}, "keyword CRPIX2 is missing"),
    ],
)
def test_unusable_headers(change, message):
    cards = nustar_grid(266.5, -28.8).header() | change
    cards = {k: v for k, v in cards.items() if v is not None}
    with pytest.raises(DataError, match=r"x\.img") as error:
        grid_from_header(cards, (10, 10), "x.img")
    assert message in str(error.value)
