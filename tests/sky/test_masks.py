"""Masks, apodisation, monopole and dipole, pixel windows, overdensities; what is refused."""

import healpy
import numpy as np
import pytest

from diffaxion.errors import ConfigurationError, DataError
from diffaxion.sky import (
    apodise,
    counts_to_overdensity,
    degrade_mask,
    disc_mask,
    galactic_mask,
    mask_nside,
    pixel_window,
    point_source_mask,
    remove_monopole_dipole,
    rotate_mask,
    shot_noise_bias,
    sky_fraction,
    union_mask,
    usable_map,
    validate_mask,
    white_noise_bias,
)
from diffaxion.sky.masks import UNSEEN

NSIDE = 32
NPIX = 12 * NSIDE**2


def test_apodisation_against_the_reference(shared):
    """1e-6; the reference is in float32. Its two masks are cuts that are rebuilt here."""
    data = np.load(shared / "data" / "sky" / "nmt_ref_ns128.npz", allow_pickle=False)
    theta, phi = healpy.pix2ang(128, np.arange(12 * 128**2))
    b = 90.0 - np.degrees(theta)
    cut = ((np.abs(b) > 25.0) & (np.sin(3 * phi) > -0.9)).astype(float)
    np.testing.assert_allclose(apodise(galactic_mask(128, 20.0), 2.0), data["mask1"], atol=1e-6)
    np.testing.assert_allclose(apodise(cut, 2.0), data["mask2"], atol=1e-6)


@pytest.mark.parametrize(("kind", "scale"), [("C1", 15.0), ("C2", 5.0), ("C1", 80.0)])
def test_apodisation_is_the_distance_to_the_nearest_hole(kind, scale):
    """Against all distances, on a mask with fractions."""
    rng = np.random.default_rng(1)
    mask = point_source_mask(16, rng.uniform(0, 360, 5), rng.uniform(-90, 90, 5), 700.0)
    mask *= rng.uniform(0.5, 1.0, mask.size)
    v = np.stack(healpy.pix2vec(16, np.arange(mask.size)))
    cosine = np.clip(v.T @ v[:, mask == 0], -1, 1).max(axis=1)
    x = np.sqrt((1 - cosine) / (1 - np.cos(np.radians(scale))))
    f = x - np.sin(2 * np.pi * x) / (2 * np.pi) if kind == "C1" else (1 - np.cos(np.pi * x)) / 2
    # Coordinates of the pixels are good to 1e-16, their distances to 1e-8 where they vanish.
    expected = mask * np.where(x < 1, f, 1.0)
    np.testing.assert_allclose(apodise(mask, scale, kind), expected, atol=1e-7)


def test_apodisation_of_a_whole_sky_and_bad_scales():
    np.testing.assert_array_equal(apodise(np.ones(NPIX), 3.0), np.ones(NPIX))
    mask = galactic_mask(NSIDE, 10.0)
    with pytest.raises(ConfigurationError, match="C1, C2"):
        apodise(mask, 3.0, "smooth")
    for scale in (0.0, 91.0, np.nan):
        with pytest.raises(ConfigurationError, match="apodisation scale"):
            apodise(mask, scale)


def test_cuts_have_their_areas():
    """Within the pixels of the rim, 3 %."""
    assert sky_fraction(galactic_mask(NSIDE, 30.0)) == pytest.approx(0.5, rel=0.03)
    disc = disc_mask(NSIDE, 120.0, -40.0, 20.0)
    assert sky_fraction(disc) == pytest.approx(0.5 * (1 - np.cos(np.radians(20.0))), rel=0.02)
    holes = point_source_mask(NSIDE, [0.0, 90.0], [0.0, 45.0], [60.0 * 20.0, 60.0 * 10.0])
    lost = 0.5 * (2 - np.cos(np.radians(20.0)) - np.cos(np.radians(10.0)))
    assert 1.0 - sky_fraction(holes) == pytest.approx(lost, rel=0.03)
    assert disc[healpy.ang2pix(NSIDE, 120.0, -40.0, lonlat=True)] == 1.0
    assert holes[healpy.ang2pix(NSIDE, 90.0, 45.0, lonlat=True)] == 0.0
    both = union_mask(disc, galactic_mask(NSIDE, 30.0), holes)
    np.testing.assert_array_equal(both, disc * galactic_mask(NSIDE, 30.0) * holes)


def test_a_source_smaller_than_its_pixel_is_masked():
    """At nside 32 a pixel has 110 arcmin: no centre lies within 10 arcmin of most positions."""
    rng = np.random.default_rng(3)
    lon, lat = rng.uniform(0.0, 360.0, 40), rng.uniform(-80.0, 80.0, 40)
    mask = point_source_mask(NSIDE, lon, lat, 10.0)
    np.testing.assert_array_equal(mask[healpy.ang2pix(NSIDE, lon, lat, lonlat=True)], 0.0)
    assert np.sum(disc_mask(NSIDE, lon[0], lat[0], 0.1)) == 1.0


def test_degraded_masks_keep_what_is_observed():
    mask = galactic_mask(NSIDE, 20.0)
    whole, half = degrade_mask(mask, 8, 1.0), degrade_mask(mask, 8, 0.5)
    mean = healpy.ud_grade(mask, 8)
    np.testing.assert_array_equal(whole, mean > 1.0 - 1e-9)
    np.testing.assert_array_equal(half, mean >= 0.5)
    assert set(np.unique(half)) == {0.0, 1.0}
    with pytest.raises(ConfigurationError, match="threshold"):
        degrade_mask(mask, 8, 0.0)
    with pytest.raises(DataError, match="f_sky = 0"):
        degrade_mask(disc_mask(NSIDE, 0.0, 0.0, 3.0), 2, 0.9)


def test_rotation_moves_the_galactic_plane():
    """The equatorial plane's cut, in Galactic coordinates, is around the celestial equator."""
    turned = rotate_mask(galactic_mask(NSIDE, 25.0), "equatorial")
    assert sky_fraction(turned) == pytest.approx(1 - np.sin(np.radians(25.0)), rel=0.02)
    # The celestial pole lies at l = 122.93, b = 27.13 deg.
    assert turned[healpy.ang2pix(NSIDE, 122.93, 27.13, lonlat=True)] == 1.0
    galactic_pole_of_equator = healpy.Rotator(coord=["C", "G"])(0.0, 0.0, lonlat=True)
    assert turned[healpy.ang2pix(NSIDE, *galactic_pole_of_equator, lonlat=True)] == 0.0
    with pytest.raises(ConfigurationError, match="ecliptic"):
        rotate_mask(turned, "B1950")


def test_bad_masks_are_refused():
    good = galactic_mask(NSIDE, 10.0)
    for mask, message in (
        (np.ones(13), "12 nside"),
        (np.ones((2, NPIX)), "one map"),
        (np.ones(12 * 9), "power of two"),
        (2.0 * good, r"outside \[0, 1\]"),
        (-good, r"outside \[0, 1\]"),
        (np.where(good == 0, UNSEEN, good), "UNSEEN and NaN must become 0"),
        (np.where(good == 0, np.nan, good), "nan at pixel"),
        (0.0 * good, "f_sky = 0"),
        (good.astype(complex), "type complex"),
    ):
        with pytest.raises(DataError, match=message):
            validate_mask(mask)
    with pytest.raises(DataError, match="nside 32, expected 64"):
        validate_mask(good, nside=64)
    with pytest.raises(ConfigurationError, match="none given"):
        union_mask()
    with pytest.raises(DataError, match="union of the masks: f_sky = 0"):
        union_mask(good, 1.0 - good)
    with pytest.raises(DataError, match="point source 1"):
        point_source_mask(NSIDE, [0.0, 0.0], [0.0, 95.0], 10.0)
    with pytest.raises(DataError, match="radius 0"):
        disc_mask(NSIDE, 0.0, 0.0, 0.0)
    with pytest.raises(ConfigurationError, match="latitude"):
        galactic_mask(NSIDE, 90.0)
    assert mask_nside(good) == NSIDE


def test_rounding_of_weights_is_cut_off():
    """float32 goes 1e-7 beyond 0 and 1, what was smoothed with a_lm 1e-3."""
    good = galactic_mask(NSIDE, 10.0)
    np.testing.assert_array_equal(validate_mask(good * 1.0000001 - 1e-8), good)
    with pytest.raises(DataError, match=r"outside \[0, 1\], the first 1.001"):
        validate_mask(1.001 * good)


def test_missing_data_inside_a_mask():
    """healpy takes UNSEEN for a number and NaN for all; both are counted, in float32 as well."""
    mask = galactic_mask(NSIDE, 10.0)
    values = np.random.default_rng(0).normal(size=NPIX)
    outside, inside = np.flatnonzero(mask == 0), np.flatnonzero(mask)
    values[outside] = UNSEEN
    clean, _ = usable_map(values, mask)
    assert np.all(clean[outside] == 0.0)
    values[inside[:3]] = UNSEEN
    values[inside[3:5]] = np.nan
    assert np.all(np.isnan(healpy.anafast(np.where(mask > 0, values, 0.0), lmax=8)))
    for kind in (np.float64, np.float32):
        with pytest.raises(DataError, match=f"5 pixels .{5 / inside.size:.3g} of the masked sky"):
            usable_map(values.astype(kind), mask)
    clean, smaller = usable_map(values, mask, extend=True)
    assert np.all(np.isfinite(clean))
    np.testing.assert_array_equal(np.flatnonzero(smaller), inside[5:])
    with pytest.raises(DataError, match="mask of map: nside 64, expected 32"):
        usable_map(values, galactic_mask(64, 10.0))
    with pytest.raises(DataError, match="extended: f_sky = 0"):
        usable_map(np.full(NPIX, UNSEEN), mask, extend=True)
    with pytest.raises(DataError, match="complex"):
        usable_map(values.astype(complex), mask)


def test_monopole_and_dipole_come_off():
    """The dipole of PR4 maps, 3362 uK; what is below the mask does not matter."""
    rng = np.random.default_rng(5)
    vectors = np.stack(healpy.pix2vec(NSIDE, np.arange(NPIX)))
    noise, dipole = rng.normal(size=NPIX), np.array([-200.0, 2100.0, 2600.0])
    mask = galactic_mask(NSIDE, 20.0)
    # The noise without what a fit to it would take.
    noise = remove_monopole_dipole(noise, mask).values
    values = noise + 25.0 + dipole @ vectors
    broken = np.where(mask == 0, 1e4, values)
    broken[np.flatnonzero(mask == 0)[:7]] = UNSEEN
    found = remove_monopole_dipole(broken, mask)
    assert found.monopole == pytest.approx(25.0, abs=1e-9)
    np.testing.assert_allclose(found.dipole, dipole, atol=1e-9)
    np.testing.assert_allclose(found.values[mask > 0], noise[mask > 0], atol=1e-9)
    assert np.all(found.values[np.flatnonzero(mask == 0)[:7]] == UNSEEN)
    expected = healpy.remove_dipole(np.where(mask > 0, values, healpy.UNSEEN), copy=True)
    np.testing.assert_allclose(found.values[mask > 0], expected[mask > 0], atol=1e-6)
    tiny = np.zeros(NPIX)
    tiny[:2] = 1.0
    with pytest.raises(DataError, match="2 pixels of the mask"):
        remove_monopole_dipole(values, tiny)


def test_pixel_window_against_published_tables():
    """Tables distributed with HEALPix at l = nside/2, nside, 3 nside/2, 2 nside, 3 nside: they
    state 6 digits from pixels of one resolution, hence 1.3e-5, and 3e-5 at nside 64."""
    published = {
        64: (0.98804641, 0.95359399, 0.89860154, 0.82612643, 0.64483513),
        256: (0.98831529, 0.95411379, 0.89934151, 0.82704610, 0.64597103),
        2048: (0.98839417, 0.95426702, 0.89956045, 0.82731875, 0.64630669),
    }
    for nside, expected in published.items():
        ell = [nside // 2, nside, 3 * nside // 2, 2 * nside, 3 * nside]
        found = pixel_window(nside, 3 * nside)[ell]
        np.testing.assert_allclose(found, expected, atol=3e-5 if nside == 64 else 1.3e-5)


def test_pixel_window_is_the_mean_over_pixels():
    """The a_lm of an averaged map against those of the field, 16 fields: 0.4 %.

    Irregular pixels add noise that does not correlate with the field; its part in the ratio is
    below that in groups of 4 multipoles.
    """
    nside, lmax = 16, 40
    rng = np.random.default_rng(9)
    ratio = np.zeros(lmax + 1)
    for _ in range(16):
        alm = rng.normal(size=(lmax + 1) * (lmax + 2) // 2) + 0j
        fine = healpy.alm2map(alm, 8 * nside, lmax=lmax)
        mean = healpy.map2alm(healpy.ud_grade(fine, nside), lmax=lmax, iter=10)
        ratio += healpy.alm2cl(mean, alm) / healpy.alm2cl(alm) / 16
    error = (ratio[:33] - pixel_window(nside, 32))[1:].reshape(8, 4).mean(axis=1)
    assert np.max(np.abs(error)) < 4e-3
    assert pixel_window(nside, 3)[0] == 1.0
    for nside, lmax in ((100, 50), (64, 256), (64, -1)):
        with pytest.raises(ConfigurationError, match="pixel window"):
            pixel_window(nside, lmax)


def test_overdensity_from_counts():
    """Noise-free counts give back the field; Poisson counts the stated shot noise."""
    rng = np.random.default_rng(8)
    completeness = np.clip(rng.uniform(0.2, 1.2, NPIX), 0.0, 1.0) * galactic_mask(NSIDE, 15.0)
    field = rng.normal(size=NPIX) * 0.1
    used = completeness >= 0.6
    field -= np.sum((completeness * field)[used]) / np.sum(completeness[used])
    counts = np.where(completeness > 0, 40.0 * completeness * (1.0 + field), UNSEEN)
    found = counts_to_overdensity(counts, completeness, threshold=0.6)
    assert found.mean_per_pixel == pytest.approx(40.0, rel=1e-12)
    np.testing.assert_allclose(found.values, np.where(used, field, 0.0), atol=1e-12)
    np.testing.assert_array_equal(found.mask, np.where(used, completeness, 0.0))
    assert found.shot_noise_sr == pytest.approx(4 * np.pi / NPIX / 40.0)

    modes, measured = 2.0 * np.arange(10, 61) + 1.0, []
    for _ in range(8):
        poisson = counts_to_overdensity(rng.poisson(40.0 * completeness), completeness)
        cl = healpy.anafast(poisson.values * poisson.mask, lmax=60, iter=0)[10:]
        measured.append(np.sum(modes * cl) / modes.sum() / poisson.coupled_shot_noise_sr)
    # 3600 modes, 0.6 of the sky: 3 % rms each; three times the error of the mean.
    assert np.mean(measured) == pytest.approx(1.0, abs=0.032)

    for bad, message in (
        (-counts, "negative"),
        (np.where(used, np.nan, counts), "NaN"),
        (0.0 * counts, "no galaxy"),
        (counts[:12], "nside 32, expected 1"),
    ):
        with pytest.raises(DataError, match=message):
            counts_to_overdensity(bad, completeness)
    with pytest.raises(DataError, match="threshold"):
        counts_to_overdensity(counts, completeness, threshold=0.0)


def test_noise_of_coupled_spectra():
    """White noise of uneven depth: the mean over l of the spectrum of its masked map."""
    rng = np.random.default_rng(2)
    mask = apodise(galactic_mask(NSIDE, 20.0), 10.0)
    sigma = rng.uniform(0.5, 2.0, NPIX)
    cl = healpy.anafast(mask * sigma * rng.normal(size=NPIX), lmax=60, iter=0)[5:]
    modes = 2.0 * np.arange(5, 61) + 1.0
    found = np.sum(modes * cl) / modes.sum()
    # 3700 modes: 2.3 % rms; four times that.
    assert found == pytest.approx(white_noise_bias(mask, sigma), rel=0.09)
    assert white_noise_bias(mask, 2.0) == pytest.approx(4 * np.pi / NPIX * 4 * np.mean(mask**2))
    assert shot_noise_bias(mask, 5.0) == pytest.approx(4 * np.pi / NPIX * np.mean(mask) / 5.0)
    for value in (-1.0, np.nan):
        with pytest.raises(DataError, match="noise per pixel"):
            white_noise_bias(mask, value)
        with pytest.raises(DataError, match="mean count"):
            shot_noise_bias(mask, value)
