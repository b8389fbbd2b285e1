"""Observations that are refused, and the messages: files, lists, regions, stacks in memory."""

import re

import numpy as np
import pytest
from astropy.io import fits

from diffaxion.data import (
    nustar_grid,
    read_image_stack,
    read_sky_image,
    write_image_stack,
    write_observation,
)
from diffaxion.errors import ConfigurationError, DataError, DiffaxionWarning

from . import nustar

REGION = (*nustar.CENTRE, 1.5)


@pytest.fixture
def folder(tmp_path):
    write_observation(tmp_path, nustar.stack(), target=REGION, name="test")
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "cards", "message"),
    [
        ("sk", {"EXPOSURE": None}, "keyword EXPOSURE is missing"),
        ("sk", {"EXPOSURE": 0.0}, "EXPOSURE = 0 s, expected a time > 0"),
        ("sk", {"EXPOSURE": 2e4}, "EXPOSURE = 30000 s, in"),
        ("sk", {"INSTRUME": "FPMB"}, "the file list says 'FPMA', the counts INSTRUME = 'FPMB'"),
        ("sk", {"OBS_ID": "1"}, "the counts OBS_ID = '1'"),
        ("sk", {"E_MIN": 3.0}, "the header names 3-15 keV"),
        ("sk", {"CTYPE1": "GLON-TAN"}, "expected 'RA---TAN'"),
        ("sk", {"pixels": lambda x: x - 1}, "expected counts >= 0; is it a rate"),
        ("sk", {"pixels": lambda x: x * 0.3}, "is it a rate, smoothed or background-subtracted"),
        ("sk", {"pixels": lambda x: x[None]}, "has no two-dimensional image"),
        ("ex", {"BUNIT": "ks"}, "BUNIT = 'ks'; expected an exposure in 's' or 'cm2 s'"),
        ("ex", {"pixels": lambda x: 0 * x}, "the exposure image is zero everywhere"),
        (
            "ex",
            {"pixels": lambda x: 300.0 * x},
            "'s' and the exposure reaches 9e+06, more",
        ),
        (
            "ex",
            {"pixels": lambda x: 1e-3 * x},
            "'s' and the exposure reaches 30, much less",
        ),
        ("ex", {"OBS_ID": "40010005002"}, "of the counts '40010005001'"),
        ("ex", {"pixels": lambda x: -x}, "reaches -30000, expected values >= 0"),
        ("ex", {"pixels": lambda x: np.nan * x}, "values that are not finite"),
        ("ex", {"CRPIX1": 58.0}, "pixels apart, expected at most 0.1; make it on the grid"),
        ("ex", {"CRVAL2": -28.831}, "CRVAL, CRPIX or CDELT differ from those of the counts"),
        ("bgd", {"CDELT1": -1.4e-3}, "CRVAL, CRPIX or CDELT differ"),
        ("bgd", {"E_MAX": 20.0}, "the header names 10-20 keV"),
        ("bgd", {"pixels": lambda x: 0 * x}, "the background image is zero everywhere"),
        ("bgd", {"pixels": lambda x: x[:-1]}, "CRVAL, CRPIX or CDELT differ"),
        ("bgd", {"pixels": lambda x: np.where(np.arange(120) % 3, x, 0)}, "background is 0 in"),
    ],
)
def test_unusable_images(folder, kind, cards, message):
    """Each names the file (or the list) and says what was expected."""
    nustar.change(nustar.first(folder, kind), **cards)
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read_image_stack(folder)
    assert str(folder) in str(error.value)


def test_units_of_exposures(folder):
    """Without BUNIT the values must look like seconds; cm2 s is taken as it is."""
    for path in folder.glob("*_ex.img"):
        nustar.change(path, BUNIT=None)
    assert read_image_stack(folder).exposure_unit == "s"
    for path in folder.glob("*_ex.img"):
        nustar.change(path, pixels=lambda x: x * 300.0)
    with pytest.raises(DataError, match="BUNIT is missing and the exposure reaches 9e"):
        read_image_stack(folder)
    for path in folder.glob("*_ex.img"):
        nustar.change(path, BUNIT="cm**2 s")
    assert read_image_stack(folder).exposure_unit == "cm2 s"
    for path in folder.glob("*_ex.img"):
        nustar.change(path, BUNIT="cm^2 * s")
    assert read_image_stack(folder).exposure_unit == "cm2 s"


def test_other_telescopes_and_coarse_pixels_are_worth_a_warning(folder):
    nustar.change(nustar.first(folder, "sk"), TELESCOP="Chandra")
    with pytest.warns(DiffaxionWarning, match="TELESCOP = 'Chandra'"):
        read_image_stack(folder)
    nustar.change(nustar.first(folder, "sk"), TELESCOP="NuSTAR")
    with pytest.warns(DiffaxionWarning, match=r"pixels of 17.2 arcsec do not resolve"):
        read_image_stack(folder, rebin=7)


def test_regions_outside(folder):
    with pytest.raises(DataError, match="lies outside of the image"):
        read_image_stack(folder, ra_deg=266.0, dec_deg=-28.0, radius_arcmin=2.0)
    with pytest.raises(DataError, match="lies outside of the image"):
        read_image_stack(folder, ra_deg=86.6, dec_deg=28.8, radius_arcmin=2.0)  # behind us
    with pytest.raises(DataError, match="a region needs ra_deg, dec_deg and radius_arcmin"):
        read_image_stack(folder, radius_arcmin=2.0)
    with pytest.raises(DataError, match=r"radius = -2.0 arcmin"):
        read_image_stack(folder, ra_deg=266.558, dec_deg=-28.83, radius_arcmin=-2.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "bins_keV = [[10.0, 15.0], [15.0, 20.0]]",
            "bins_keV = [10, 15, 20, 25]",
            "lists 2 files, but there are 3",
        ),
        (
            "bins_keV = [[10.0, 15.0], [15.0, 20.0]]",
            "bins_keV = [10, 20, 15]",
            "bin 1 spans 20-15 keV",
        ),
        (
            "bins_keV = [[10.0, 15.0], [15.0, 20.0]]",
            "bins_keV = [[10, 16], [15, 20]]",
            "overlaps bin 0",
        ),
        ("bins_keV", "binskeV", "unknown key 'binskeV': did you mean 'bins_keV'"),
        ("radius_arcmin", "radius", "unknown key 'radius' in [target]"),
        ("radius_arcmin = 1.5", "radius_arcmin = -1.5", "radius_arcmin = -1.5"),
        ("ra_deg = 266.558", 'ra_deg = "here"', "ra_deg = 'here'"),
        ('module = "FPMA"', 'module = "A"', "module = 'A', expected FPMA or FPMB"),
        ("counts = [", "events = [", "expected a file name"),
        ("counts = [", "# [", "expected either counts (images) or events"),
        ("15to20keV_sk.img", "10to15keV_sk.img", "10to15keV_sk.img is named twice as counts"),
        ("10to15keV_sk.img", "none.img", "cannot be opened (No such file"),
        ("[[exposures]]", "[[exposure]]", "unknown key 'exposure': did you mean 'exposures'"),
        ("[target]", "[target", "cannot be read as a list of files"),
    ],
)
def test_unusable_lists(folder, old, new, message):
    path = folder / "observation.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read_image_stack(folder)
    assert str(folder) in str(error.value)


def test_positions_may_be_sexagesimal(folder):
    path = folder / "observation.toml"
    text = path.read_text().replace("ra_deg = 266.558", 'ra_deg = "17h46m13.92s"')
    path.write_text(text.replace("dec_deg = -28.83", 'dec_deg = "-28d49m48s"'))
    before = nustar.stack().cut(*REGION)
    np.testing.assert_array_equal(read_image_stack(folder).mask, before.mask)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"counts": -nustar.stack().counts}, "counts reaches"),
        ({"counts": nustar.stack().counts + 0.5}, "not whole numbers"),
        ({"counts": np.full((2, 2, 120, 120), np.nan)}, "not finite"),
        ({"counts": np.zeros((2, 2, 120, 121))}, "counts has shape (2, 2, 120, 121)"),
        ({"counts": np.full((2, 2, 120, 120), "a")}, "expected real numbers"),
        ({"exposure": np.zeros((2, 2, 120, 120))}, "ROI holds 0 pixels"),
        ({"background": np.zeros((2, 2, 120, 120))}, "background is zero everywhere in bin 0"),
        ({"exposure_s": np.array([3e4, -1.0])}, "expected 2 finite times > 0"),
        ({"exposure_unit": "ks"}, "exposure_unit = 'ks'"),
        ({"modules": ("FPMA",)}, "modules has 1 entries, expected 2"),
        ({"mask": np.zeros((2, 120, 120), bool)}, "ROI holds 0 pixels"),
        ({"mask": np.ones((2, 120, 120))}, "mask must be of type bool"),
        ({"high_keV": np.array([16.0, 20.0])}, "overlaps bin 0"),
        ({"grids": ()}, "has no exposure"),
    ],
)
def test_unusable_stacks(fields, message):
    """Rows 3 to 7 of the table of bad inputs, for arrays in memory."""
    with pytest.raises(DataError, match=re.escape(message)):
        nustar.stack(**fields)


def test_background_zero_under_counts_lists_the_pixels():
    background = nustar.stack().background.copy()
    counts = np.zeros_like(background)
    background[1, 0, 7, 9], counts[1, 0, 7, 9] = 0.0, 2.0
    with pytest.raises(
        DataError,
        match=re.escape("in 1 pixels with counts, at (bin, exposure, row, column) (1, 0, 7, 9)"),
    ):
        nustar.stack(counts=counts, background=background)


def test_expected_counts_are_asked_for(folder):
    stack = nustar.stack()
    asimov = stack.with_counts(stack.background, nature="expected counts", asimov=True)
    write_observation(folder, asimov, target=REGION)
    with pytest.raises(DataError, match="asimov=True for expected counts"):
        read_image_stack(folder)
    np.testing.assert_allclose(read_image_stack(folder, asimov=True).counts, 0.5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npz", b"", "cannot be read as a stack of images"),
        ("x.npz", b"PK\x03\x04 rubbish", "cannot be read as a stack of images"),
        ("x.h5", b"", "cannot be read as a stack of images"),
        ("x.h5", b"\x89HDF\r\n\x1a\n rubbish", "cannot be read as a stack of images"),
        ("x.toml", b"\xff\xfe", "cannot be read as a list of files"),
    ],
)
def test_files_that_are_something_else(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        read_image_stack(tmp_path / name)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_image_stack(tmp_path / name)


def test_archives_with_pickle_or_foreign_data(tmp_path):
    """Row 19 of the table of bad inputs: object arrays, links out of the file, false sizes."""
    import h5py

    write_image_stack(tmp_path / "x.npz", nustar.stack())
    with np.load(tmp_path / "x.npz") as archive:
        good = dict(archive)
    np.savez(tmp_path / "y.npz", **(good | {"counts": np.array([{}, {}])}))
    with pytest.raises(DataError, match="no pickle"):
        read_image_stack(tmp_path / "y.npz")
    np.savez(tmp_path / "y.npz", **{k: v for k, v in good.items() if k != "wcs"})
    with pytest.raises(DataError, match="key 'wcs' is missing"):
        read_image_stack(tmp_path / "y.npz")
    write_image_stack(tmp_path / "x.h5", nustar.stack())
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file["counts"]
        file["counts"] = h5py.ExternalLink("other.h5", "counts")
    with pytest.raises(DataError, match="counts is a link"):
        read_image_stack(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file["counts"]
        file.create_dataset("counts", (10**6, 2, 10**3, 10**3), "f8", chunks=(1, 1, 10, 10))
    with pytest.raises(DataError, match="too large to read"):
        read_image_stack(tmp_path / "x.h5")


def test_boxes_and_factors_of_single_images(folder):
    path = nustar.first(folder, "sk")
    image = read_sky_image(path, "counts", box=(3, 4, 10, 20))
    np.testing.assert_array_equal(image.values, nustar.stack().counts[0, 0, 3:13, 4:24])
    assert image.band_keV == (10.0, 15.0)
    with pytest.raises(DataError, match="lie outside of the image"):
        read_sky_image(path, "counts", box=(115, 0, 10, 10))
    with pytest.raises(DataError, match="rebin = 0"):
        read_sky_image(path, "counts", rebin=0)
    with pytest.raises(ConfigurationError, match="unknown kind of image 'count'"):
        read_sky_image(path, "count")


def test_scaled_integers_are_values(tmp_path):
    """BSCALE and BZERO apply (unsigned 16-bit files), BLANK is refused."""
    grid = nustar_grid(*nustar.CENTRE, 20)
    data = np.arange(400, dtype=np.uint16).reshape(20, 20) + 40000
    hdu = fits.PrimaryHDU(data)
    hdu.header.update(grid.header() | {"TELESCOP": "NuSTAR", "INSTRUME": "FPMA", "EXPOSURE": 10.0})
    hdu.writeto(tmp_path / "x.img")
    np.testing.assert_array_equal(read_sky_image(tmp_path / "x.img").values, data)
    hdu = fits.PrimaryHDU(np.where(data == 40007, -1, 3).astype(np.int16))
    hdu.header.update(grid.header() | {"TELESCOP": "NuSTAR", "INSTRUME": "FPMA", "EXPOSURE": 10.0})
    hdu.header["BLANK"] = -1
    hdu.writeto(tmp_path / "y.img")
    with pytest.raises(DataError, match="1 pixels are undefined"):
        read_sky_image(tmp_path / "y.img")


def test_channels_of_xselect_name_the_band(folder):
    """PHALCUT and PHAHCUT, as xselect writes them, must be those of the bin."""
    path = nustar.first(folder, "sk")
    nustar.change(path, E_MIN=None, E_MAX=None, PHALCUT=210, PHAHCUT=334)
    read_image_stack(folder)
    nustar.change(path, PHALCUT=35, PHAHCUT=1909)
    with pytest.raises(DataError, match="the header names 3-78 keV"):
        read_image_stack(folder)
    nustar.change(path, PHALCUT=0, PHAHCUT=4095)  # no such filter was set
    read_image_stack(folder)
