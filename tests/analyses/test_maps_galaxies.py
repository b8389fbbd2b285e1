"""Galaxies and units of maps on disk: completeness, masks, resolution, and what is refused."""

import numpy as np
import pytest

from diffaxion.analyses.maps_input import FileInput
from diffaxion.analyses.maps_sections import FilesSection
from diffaxion.data.healpix_write import write_healpix_map
from diffaxion.errors import DataError

NSIDE = 16
NPIX = 12 * NSIDE**2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Counts of 10 per complete pixel, thinned out to 60 % on half of the sky."""
    where = tmp_path_factory.mktemp("maps")
    rng = np.random.default_rng(1)
    complete = np.where(np.arange(NPIX) < NPIX // 2, 1.0, 0.6)
    soft = np.linspace(0.0, 1.0, NPIX)
    noise = rng.normal(size=NPIX)
    for name, values, unit, frame in (
        ("map", 1e-4 * noise, "K_CMB", "G"),
        ("nothing", 1e-4 * noise, "1", "G"),
        ("overdensity", 0.1 * noise, "1", "G"),
        ("counts", 10.0 * complete, "counts", "G"),
        ("complete", complete, "1", "G"),
        ("equatorial", complete, "1", "C"),
        ("large", np.repeat(complete, 4), "1", "G"),
        ("soft", soft, "1", "G"),
    ):
        write_healpix_map(where / f"{name}.fits", values, unit, frame)
    return where


def source(folder, **changes):
    values = {
        "folder": str(folder),
        "temperature": {"545": "map.fits"},
        "galaxies": "counts.fits",
        "galaxies_kind": "counts",
        "completeness": "complete.fits",
    }
    return FileInput(FilesSection(**(values | changes)), ("545",), {"545": 58.0})


def test_soft_masks_weight_the_overdensity_and_change_no_count(folder):
    """Uniform galaxies stay uniform under a mask with weights between 0 and 1."""
    found = source(folder, galaxy_masks=["soft.fits"]).galaxies(NSIDE)
    np.testing.assert_allclose(found.values, 0.0, atol=1e-6)
    soft, complete = np.linspace(0.0, 1.0, NPIX), np.where(np.arange(NPIX) < NPIX // 2, 1.0, 0.6)
    np.testing.assert_allclose(found.galaxy_mask, soft * complete, atol=1e-6)
    assert found.shot_noise_sr == pytest.approx(4.0 * np.pi / NPIX / 10.0, rel=1e-6)


def test_averaged_galaxies_carry_the_window_of_the_larger_pixels(folder):
    assert source(folder).galaxies(NSIDE // 2).nside == NSIDE // 2
    assert source(folder).galaxies(2 * NSIDE).nside == NSIDE


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {
                "completeness": "equatorial.fits",
                "mask_coordinates": {"equatorial.fits": "equatorial"},
            },
            r"equatorial.fits: completeness of nside 16 in equatorial coordinates",
        ),
        ({"completeness": "large.fits"}, r"large.fits: completeness of nside 32.*nside 16"),
        (
            {"galaxies_kind": "overdensity"},
            r'counts.fits: no value below 0.*files.galaxies_kind = "counts"',
        ),
        ({"galaxies": "overdensity.fits"}, r"overdensity.fits: galaxy counts: .* negative"),
    ],
)
def test_unusable_galaxies_are_refused(folder, changes, words):
    with pytest.raises(DataError, match=words):
        source(folder, **changes).galaxies(NSIDE)


def test_frames_may_be_letters(folder):
    """Of maps and of masks alike."""
    given = source(folder, coordinates="G", galaxy_masks=["soft.fits"])
    assert given.galaxies(NSIDE).galaxy_mask.max() == pytest.approx(0.6)


def test_a_map_without_a_temperature_is_refused(folder):
    """Neither by its header nor by the settings; it would be read as K."""
    for changes in ({"temperature": {"545": "nothing.fits"}}, {"units": {"545": "1"}}):
        with pytest.raises(DataError, match=r"unit '1', expected a temperature.*files.units.545"):
            source(folder, **changes).temperature("545")


def test_what_files_are_depends_on_the_conversion_of_their_unit(folder):
    """Coefficients kept from an earlier run must not meet another passband."""
    one = source(folder)
    other = FileInput(one.files, one.names, {"545": 57.0})
    assert one.identity() == source(folder).identity()
    assert one.identity() != other.identity()
