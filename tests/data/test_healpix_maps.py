"""Maps and masks of files with headers as distributed, and files that must be refused."""

import healpy
import numpy as np
import pytest
from astropy.io import fits

from diffaxion.data.healpix_fits import invalid_pixels
from diffaxion.data.healpix_maps import (
    UNSEEN,
    healpix_nside,
    read_healpix_map,
    read_mask,
    write_healpix_map,
)
from diffaxion.errors import DataError, DiffaxionError, DiffaxionWarning
from tests.data.healpix_files import DIPOLE_K, toy_sky, write_map, write_planck

NSIDE = 16
NPIX = 12 * NSIDE**2


def test_planck_map_nested_float32(tmp_path):
    """RING, float64, in the values of the file; the third column is not taken for the first."""
    sky = toy_sky(NSIDE)
    path = write_planck(tmp_path / "HFI_SkyMap_143_2048_R3.01_full.fits", sky)
    found = read_healpix_map(path)
    assert found.values.dtype == np.float64
    np.testing.assert_array_equal(found.values, sky.astype(np.float32).astype(float))
    assert (found.nside, found.unit, found.coordinates, found.ordering) == (
        NSIDE,
        "K_CMB",
        "galactic",
        "RING",
    )
    assert found.valid.all()
    r = found.report
    assert (r["ordering_in_file"], r["unit_in_file"], r["dtype_in_file"], r["column"]) == (
        "NESTED",
        "K_CMB",
        "float32",
        "I_STOKES",
    )
    assert r["unseen_pixels"] == 0
    assert r["spread"] == pytest.approx(7e-5, rel=0.05)
    assert not r["solar_dipole"]
    np.testing.assert_array_equal(read_healpix_map(path, field="q_stokes").values, 0.0)
    assert healpix_nside(path) == NSIDE


def test_dipole_left_in_is_reported_not_removed(tmp_path):
    """PR4: amplitude 3.362 mK towards (264, 48); fitted beyond 30 deg of the plane."""
    sky = toy_sky(NSIDE, dipole=True)
    found = read_healpix_map(write_planck(tmp_path / "pr4.fits", sky))
    dipole = found.report["dipole"]
    # Noise of 70 uK on 3072 pixels: 3 uK on each component.
    assert dipole["amplitude"] == pytest.approx(DIPOLE_K, abs=1e-5)
    assert (dipole["lon_deg"], dipole["lat_deg"]) == pytest.approx((264.02, 48.25), abs=0.3)
    assert found.report["solar_dipole"]
    np.testing.assert_allclose(found.values, sky, rtol=1e-6, atol=1e-10)


def test_submillimetre_map_in_intensity(tmp_path):
    """545 GHz of PR3 in MJy/sr: divided by the channel's conversion, refused without it."""
    sky = toy_sky(NSIDE)
    path = write_planck(tmp_path / "545.fits", sky * 58.04, unit="MJy/sr")
    found = read_healpix_map(path, bands_factor=58.04)
    np.testing.assert_allclose(found.values, sky, rtol=1e-6)
    assert (found.unit, found.report["factor"]) == ("K_CMB", 1.0 / 58.04)
    with pytest.raises(DataError, match=r"545\.fits: the map is in MJy/sr; give bands_factor"):
        read_healpix_map(path)
    with pytest.raises(DataError, match="bands_factor = -1"):
        read_healpix_map(path, bands_factor=-1.0)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("K_CMB", 1.0),
        ("Kcmb", 1.0),
        ("K", 1.0),
        ("mK,thermodynamic", 1e-3),
        ("mK", 1e-3),
        ("uK_CMB", 1e-6),
        ("muK", 1e-6),
    ],
)
def test_units_of_temperature(tmp_path, unit, factor):
    path = write_planck(tmp_path / "map.fits", toy_sky(NSIDE) / factor, unit=unit)
    np.testing.assert_allclose(read_healpix_map(path).values, toy_sky(NSIDE), rtol=1e-6)


def test_pixels_invalid_pixels_are_counted_and_never_scaled(tmp_path):
    """UNSEEN in float32 and NaN; the dipole and the spread are fitted without them."""
    sky = toy_sky(NSIDE, dipole=True) * 1e3
    holes = np.arange(50, 90)
    sky[holes[:30]], sky[holes[30:]] = UNSEEN, np.nan
    found = read_healpix_map(write_planck(tmp_path / "m.fits", sky, unit="mK_CMB"))
    expected = np.ones(NPIX, bool)
    expected[holes] = False
    np.testing.assert_array_equal(found.valid, expected)
    assert found.report["unseen_pixels"] == 40
    assert found.report["unseen_fraction"] == pytest.approx(40 / NPIX)
    assert np.all(found.values[holes] == UNSEEN)
    assert found.report["dipole"]["amplitude"] == pytest.approx(DIPOLE_K, abs=2e-5)
    assert found.report["spread"] < 0.01
    np.testing.assert_array_equal(invalid_pixels(found.values), ~expected)
    # Another value for missing data, named in the header in decimal digits.
    sky[holes] = -9999.1
    own = write_planck(tmp_path / "own.fits", sky, unit="mK_CMB", BAD_DATA=-9999.1)
    np.testing.assert_array_equal(read_healpix_map(own).valid, expected)


def test_ring_and_wide_rows(tmp_path):
    """1024 pixels per row, RING, as healpy writes them."""
    sky = toy_sky(NSIDE)
    path = tmp_path / "ring.fits"
    healpy.write_map(path, sky, coord="G", column_units="K_CMB", dtype=np.float64)
    np.testing.assert_array_equal(read_healpix_map(path).values, sky)
    healpy.write_map(
        tmp_path / "n.fits", sky, nest=True, coord="G", column_units="K_CMB", dtype=np.float64
    )
    found = read_healpix_map(tmp_path / "n.fits")
    np.testing.assert_array_equal(found.values, healpy.reorder(sky, n2r=True))


@pytest.mark.parametrize("nest", [False, True])
def test_partial_sky_with_explicit_pixels(tmp_path, nest):
    sky = toy_sky(NSIDE)
    sky[: NPIX // 2] = UNSEEN
    written = healpy.reorder(sky, r2n=True) if nest else sky
    path = tmp_path / "part.fits"
    healpy.write_map(
        path, written, nest=nest, partial=True, coord="C", column_units="K_CMB", dtype=np.float64
    )
    found = read_healpix_map(path)
    np.testing.assert_array_equal(found.values, sky)
    assert (found.coordinates, found.report["indexing"]) == ("equatorial", "EXPLICIT")
    assert healpix_nside(path) == NSIDE


def test_too_little_sky_for_a_dipole(tmp_path):
    """A map of the Galactic plane alone, and none of the sky beyond the fit's cut."""
    sky = toy_sky(NSIDE)
    latitude = healpy.pix2ang(NSIDE, np.arange(NPIX), lonlat=True)[1]
    sky[np.abs(latitude) > 20.0] = UNSEEN
    report = read_healpix_map(write_planck(tmp_path / "plane.fits", sky)).report
    assert "dipole" not in report
    assert report["spread"] > 0.0


def test_compressed_file(tmp_path):
    path = write_planck(tmp_path / "map.fits.gz", toy_sky(NSIDE))
    np.testing.assert_allclose(read_healpix_map(path).values, toy_sky(NSIDE), rtol=1e-6)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"ordering": None}, ["no keyword ORDERING", "RING or NESTED", "ordering="]),
        ({"ordering": "SPIRAL"}, ["ORDERING = 'SPIRAL'", "RING or NESTED"]),
        ({"unit": None}, ["I_STOKES has no TUNIT", "K_CMB", "unit="]),
        ({"unit": "K_RJ"}, ["unit 'K_RJ'", "K_CMB", "Rayleigh-Jeans"]),
        ({"unit": "mK,antenna"}, ["unit 'mK,antenna'"]),
        ({"coordsys": None}, ["no keyword COORDSYS", "coordinates="]),
        ({"coordsys": "SUPERGAL"}, ["COORDSYS = 'SUPERGAL'"]),
        ({"NSIDE": 32}, ["NSIDE = 32", "3072 pixels, nside 16"]),
    ],
)
def test_unknown_headers_are_refused(tmp_path, extra, words):
    """File, keyword, value found and what is expected."""
    path = write_planck(tmp_path / "map.fits", toy_sky(NSIDE), **extra)
    with pytest.raises(DataError) as caught:
        read_healpix_map(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_the_caller_can_say_what_the_header_lacks(tmp_path):
    path = write_planck(
        tmp_path / "map.fits", toy_sky(NSIDE), ordering=None, unit=None, coordsys=None
    )
    found = read_healpix_map(path, ordering="NESTED", unit="K_CMB", coordinates="C")
    np.testing.assert_allclose(found.values, toy_sky(NSIDE), rtol=1e-6)
    assert found.coordinates == "equatorial"
    with pytest.raises(DataError, match="ordering = 'NESTLE'"):
        read_healpix_map(path, ordering="NESTLE", unit="K_CMB", coordinates="C")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"ordering": "RING"}, "ORDERING = NESTED, read as RING"),
        ({"unit": "mK_CMB"}, "TUNIT = 'K_CMB', read as 'mK_CMB'"),
        ({"coordinates": "equatorial"}, "COORDSYS says galactic, read as equatorial"),
    ],
)
def test_a_contradiction_of_the_header_warns(tmp_path, option, words):
    path = write_planck(tmp_path / "map.fits", toy_sky(NSIDE))
    with pytest.warns(DiffaxionWarning, match=words):
        read_healpix_map(path, **option)


@pytest.mark.parametrize(("unit", "scale"), [("K_CMB", 1e6), ("uK_CMB", 1.0)])
def test_a_factor_of_a_million_warns(tmp_path, unit, scale):
    """Micro-kelvins that call themselves kelvins, and the reverse."""
    path = write_planck(tmp_path / "map.fits", toy_sky(NSIDE) * scale, unit=unit)
    with pytest.warns(DiffaxionWarning, match=r"varies by .* K_CMB; expected 1e-08 to 10.*1e6"):
        read_healpix_map(path)


def test_files_that_are_no_maps(tmp_path):
    """Missing, empty, not FITS, truncated, without a table, wrong column: path and HDU named."""
    good = write_planck(tmp_path / "good.fits", toy_sky(NSIDE))
    (tmp_path / "empty.fits").write_bytes(b"")
    (tmp_path / "text.fits").write_text("no map")
    (tmp_path / "cut.fits").write_bytes(good.read_bytes()[:-20000])
    fits.PrimaryHDU(np.zeros(4)).writeto(tmp_path / "image.fits")
    for name, words in (
        ("none.fits", "no such file.*HDU"),
        ("empty.fits", "cannot be read as FITS.*binary-table HDU"),
        ("text.fits", "cannot be read as FITS"),
        ("cut.fits", "cannot be read as FITS.*truncated"),
        ("image.fits", "1 HDU, none of them a binary table.*HDU 1"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            read_healpix_map(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(DataError, match=r"no column 'I_STOKE'.*I_STOKES"):
        read_healpix_map(good, field="I_STOKE")
    with pytest.raises(DataError, match="field = 4; expected 0 to 3"):
        read_healpix_map(good, field=4)
    odd = write_map(
        tmp_path / "odd.fits", [("T", "K", np.zeros(100, np.float32))], nside=16, width=1
    )
    with pytest.raises(DataError, match="100 pixels; expected 12 nside"):
        read_healpix_map(odd)
    nothing = write_planck(tmp_path / "nothing.fits", np.full(NPIX, np.nan))
    with pytest.raises(DataError, match="all pixels are UNSEEN or NaN"):
        read_healpix_map(nothing)


@pytest.mark.parametrize(
    ("pixels", "extra", "words"),
    [
        ([0, 1, 1], {}, "3 values for 2 different pixels"),
        ([0, 1, NPIX], {}, f"PIXEL from 0 to {NPIX}; expected 0 to {NPIX - 1}"),
        ([0, 1, 2], {"NSIDE": None}, "EXPLICIT without NSIDE"),
    ],
)
def test_bad_partial_maps(tmp_path, pixels, extra, words):
    columns = [
        ("PIXEL", None, np.array(pixels, np.int32)),
        ("SIGNAL", "K_CMB", np.zeros(3, np.float32)),
    ]
    path = write_map(tmp_path / "p.fits", columns, nside=NSIDE, INDXSCHM="EXPLICIT", **extra)
    with pytest.raises(DataError, match=words):
        read_healpix_map(path)


def test_masks_as_distributed(tmp_path):
    """Bytes, several columns, NESTED; values other than weights and empty masks are refused."""
    keep = (np.abs(healpy.pix2ang(NSIDE, np.arange(NPIX), lonlat=True)[1]) > 20).astype("u1")
    nested = healpy.reorder(keep, r2n=True)
    columns = [
        ("GAL020", None, 0 * nested),
        ("GAL070", None, nested),
        ("BAD", None, 2 * nested.astype("i2")),
    ]
    path = write_map(tmp_path / "HFI_Mask_GalPlane.fits", columns, nside=NSIDE)
    found = read_mask(path, field="GAL070")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, keep)
    with pytest.raises(DataError, match=r"GAL020: f_sky = 0"):
        read_mask(path)
    with pytest.raises(DataError, match=r"outside \[0, 1\], from 0 to 2"):
        read_mask(path, field="BAD")


def test_masks_invalid_pixels_in_places_and_in_other_frames(tmp_path):
    weights = np.full(NPIX, 0.5, np.float32)
    weights[:7], weights[7] = UNSEEN, np.nan
    weights[8], weights[9] = 1.0 + 2e-7, -2e-7  # rounding of float32
    path = write_map(
        tmp_path / "m.fits", [("MASK", None, weights)], nside=NSIDE, ordering="RING", coordsys="C"
    )
    with pytest.raises(DataError, match=r"equatorial coordinates; expected galactic.*rotate"):
        read_mask(path)
    found = read_mask(path, coordinates="equatorial")
    expected = [0.0] * 8 + [1.0, 0.0] + [0.5] * (NPIX - 10)
    np.testing.assert_array_equal(found, expected)


def test_masks_that_are_plain_arrays(tmp_path):
    keep = np.arange(NPIX) % 2 == 0
    np.save(tmp_path / "m.npy", keep)
    found = read_mask(tmp_path / "m.npy", ordering="NESTED", coordinates="G")
    np.testing.assert_array_equal(found, healpy.reorder(keep.astype(float), n2r=True))
    with pytest.raises(DataError, match="give ordering= and coordinates="):
        read_mask(tmp_path / "m.npy", ordering="RING")
    np.save(tmp_path / "object.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read as an array"):
        read_mask(tmp_path / "object.npy", ordering="RING", coordinates="G")


def test_what_is_written_is_read(tmp_path):
    """Value by value, with unit, frame, comment and history; nothing half written is left."""
    sky = toy_sky(NSIDE) * 1e6
    sky[5], sky[6] = np.nan, UNSEEN
    path = write_healpix_map(
        tmp_path / "out" / "map.fits",
        sky,
        "uK_CMB",
        "E",
        comment="simulated: not a measurement, \N{GREEK SMALL LETTER NU} = 353 GHz",
        history=("seed 5", "diffaxion 0"),
    )
    found = read_healpix_map(path)
    keep = np.delete(np.arange(NPIX), [5, 6])
    np.testing.assert_allclose(found.values[keep], sky[keep] * 1e-6, rtol=1e-15)
    np.testing.assert_array_equal(np.flatnonzero(~found.valid), [5, 6])
    assert found.coordinates == "ecliptic"
    header = fits.getheader(path, 1)
    assert "simulated: not a measurement, ? = 353" in str(header["COMMENT"])
    assert "seed 5" in str(header["HISTORY"])
    assert [p.name for p in path.parent.iterdir()] == ["map.fits"]
    # healpy and other readers agree with ours.
    np.testing.assert_allclose(healpy.read_map(path, dtype=np.float64)[keep], sky[keep], rtol=1e-15)


def test_maps_without_unit_and_small_ones_are_written_too(tmp_path):
    counts = np.arange(48.0)
    path = write_healpix_map(tmp_path / "counts.fits.gz", counts, "1")
    found = read_healpix_map(path)
    assert found.unit == "1"
    np.testing.assert_array_equal(found.values, counts)
    with pytest.raises(DataError, match="50 pixels"):
        write_healpix_map(tmp_path / "bad.fits", np.zeros(50), "1")
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(DiffaxionError, match="cannot write"):
        write_healpix_map(tmp_path / "folder" / "map.fits", counts, "1")


def test_real_maps_that_are_not_planck(shared):
    """Smoke test on WMAP (7 years, degraded) and Quaia: no unit and no frame in the headers."""
    folder = shared / "data" / "sky" / "real"
    wmap = folder / "wmap_band_iqumap_r9_7yr_V_v4_udgraded32.fits"
    with pytest.raises(DataError, match="no TUNIT"):
        read_healpix_map(wmap, coordinates="G")
    with pytest.raises(DataError, match="no keyword COORDSYS"):
        read_healpix_map(wmap, unit="mK")
    found = read_healpix_map(wmap, unit="mK", coordinates="G")
    assert found.nside == 32
    assert 2e-5 < found.report["spread"] < 2e-4
    assert not found.report["solar_dipole"]
    with pytest.warns(DiffaxionWarning, match="factor of 1e6"):
        read_healpix_map(wmap, unit="MJy/sr", coordinates="G", bands_factor=1e9)
    mask = read_mask(
        folder / "wmap_temperature_analysis_mask_r9_7yr_v4_udgraded32.fits", coordinates="G"
    )
    assert mask.mean() == pytest.approx(0.619, abs=0.01)
    quaia = read_healpix_map(folder / "sel_quaia.fits", unit="1", coordinates="C")
    assert quaia.coordinates == "equatorial"
    assert quaia.values.max() == pytest.approx(0.96, abs=0.01)
