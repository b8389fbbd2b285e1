"""Point-spread functions of users: radial tables and images."""

import re

import numpy as np
import pytest
from astropy.io import fits

from diffaxion.analyses.xray_observation import read_psf_model
from diffaxion.data import read_psf
from diffaxion.errors import DataError, DiffaxionWarning
from diffaxion.observables.xray import nustar_psf

RADII = np.linspace(0.0, 600.0, 601)


@pytest.fixture
def table(tmp_path):
    density = np.asarray(nustar_psf().density(RADII, np.zeros_like(RADII)))
    path = tmp_path / "psf.csv"
    rows = "\n".join(f"{r},{d:.8e}" for r, d in zip(RADII, 7.0 * density, strict=True))
    path.write_text(f"# any unit\nradius_arcsec,density\n{rows}\n")
    return path


def test_a_table_is_a_psf(table):
    """Normalised to the light inside its last radius, whatever its unit."""
    found, label = read_psf_model(table)
    assert label == str(table)
    expected = nustar_psf()
    inside = float(expected.enclosed(600.0))
    for radius in (10.0, 60.0, 120.0):
        share = float(found.enclosed(radius))
        # Straight lines between radii 1 arcsec apart.
        assert share == pytest.approx(float(expected.enclosed(radius)) / inside, rel=2e-3)


def test_a_table_that_ends_early_is_worth_a_warning(table):
    lines = table.read_text().splitlines()
    table.write_text("\n".join(lines[: 2 + 121]))
    # In truth 8.2 per cent are beyond 120 arcsec.
    with pytest.warns(DiffaxionWarning, match=r"ends 120 arcsec .*some 7% of the light"):
        read_psf_model(table)


def test_an_image_is_a_psf(tmp_path):
    y, x = np.indices((201, 201)) - 100.0
    values = np.asarray(nustar_psf().density(3.0 * x, 3.0 * y))
    image = fits.PrimaryHDU(values)
    image.header["CDELT1"] = -3.0 / 3600.0
    image.writeto(tmp_path / "psf.fits")
    found, _ = read_psf_model(tmp_path / "psf.fits")
    ratio = float(found.density(9.0, 12.0)) / float(nustar_psf().density(9.0, 12.0))
    # The image holds the light inside a square of 5 arcmin half side.
    assert 1.0 < ratio < 1.03


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 'radius_arcsec' is missing"),
        ("radius_arcsec,value\n0,1\n", "column 'density' is missing"),
        ("radius_arcsec,density\n0,1\n1\n", "line 3: 1 values, expected 2"),
        ("radius_arcsec,density\n0,one\n", "line 2: not a number"),
        ("radius_arcsec,density\n", "two columns of the same length >= 2"),
        ("radius_arcsec,density\n1,1\n2,1\n", "increase from 0"),
        ("radius_arcsec,density\n0,1\n2,-1\n", "must be >= 0"),
    ],
)
def test_unusable_tables(tmp_path, text, message):
    path = tmp_path / "psf.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read_psf_model(path)
    assert str(path) in str(error.value)


TURNED = 2.0 * np.sqrt(0.5) / 3600.0


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"CDELT1": -2.0 / 3600, "CDELT2": 2.0 / 3600}, 2.0),
        ({"CDELT1": 2.0, "CDELT2": 2.0, "CUNIT1": "arcsec", "CUNIT2": "arcsec"}, 2.0),
        ({"CD1_1": -TURNED, "CD1_2": TURNED, "CD2_1": TURNED, "CD2_2": TURNED}, 2.0),
        ({"CD1_1": 0.0, "CD1_2": 2.0 / 3600, "CD2_1": 2.0 / 3600, "CD2_2": 0.0}, 2.0),
        ({"CDELT1": 1.0, "CDELT2": 1.0, "PC1_1": -2.0 / 3600, "PC2_2": 2.0 / 3600}, 2.0),
        ({"CDELT1": 2.0, "CDELT2": 2.0}, "is CUNIT1 missing"),
        ({"CDELT1": 2.0, "CDELT2": 2.0, "CUNIT1": "mm", "CUNIT2": "mm"}, "expected one of deg"),
        ({"CDELT1": 2.0 / 3600, "CDELT2": 4.0 / 3600}, "2 x 4 arcsec; expected squares"),
    ],
)
def test_sizes_of_pixels(tmp_path, cards, expected):
    """Turned images, and units other than degrees."""
    image = fits.PrimaryHDU(np.pad(np.ones((1, 1)), 10))
    image.header.update(cards)
    image.writeto(tmp_path / "psf.fits")
    if isinstance(expected, float):
        assert read_psf(tmp_path / "psf.fits").pixel_arcsec == pytest.approx(expected)
    else:
        with pytest.raises(DataError, match=expected):
            read_psf(tmp_path / "psf.fits")


def test_a_source_away_from_the_middle_is_worth_a_warning(tmp_path):
    image = fits.PrimaryHDU(np.pad(np.ones((1, 1)), ((4, 16), (10, 10))))
    image.header["CDELT1"] = 2.0 / 3600
    image.writeto(tmp_path / "psf.fits")
    with pytest.warns(DiffaxionWarning, match="12 arcsec from the middle"):
        read_psf(tmp_path / "psf.fits")


def test_unusable_images(tmp_path):
    path = tmp_path / "psf.fits"
    fits.PrimaryHDU(np.ones((5, 5))).writeto(path)
    with pytest.raises(DataError, match="CDELT1"):
        read_psf(path)
    path.write_text("no FITS")
    with pytest.raises(DataError, match="is not a FITS file"):
        read_psf(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_psf(tmp_path / "none.csv")
