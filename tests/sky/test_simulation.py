"""Simulated skies: maps are the sum of what was put in, noise and counts have their spectra."""

import dataclasses

import healpy
import numpy as np
import pytest
from scipy import stats

from diffaxion.data.registry import load_table
from diffaxion.errors import ConfigurationError, DataError, ValidityError
from diffaxion.sky.components import Spectra
from diffaxion.sky.galactic_sky import galactic_maps
from diffaxion.sky.galaxy_counts import galaxy_map
from diffaxion.sky.passbands import planck_passbands
from diffaxion.sky.pixel_window import pixel_window
from diffaxion.sky.responses import component_response
from diffaxion.sky.simulated_files import (
    bundled_simulated_sky,
    read_simulated_sky,
    write_simulated_sky,
)
from diffaxion.sky.simulation import simulate_sky
from diffaxion.sky.simulation_settings import SkySettings
from diffaxion.sky.sky_spectra import sky_spectra
from diffaxion.sky.toy_sky import toy_autos, toy_sky, toy_spectra

NSIDE, SEED = 32, 5
BANDS = planck_passbands()
EVERYTHING = ("cmb", "tsz", "cib", "screening", "dust", "synchrotron", "radio", "noise")
SETTINGS = SkySettings(NSIDE, components=EVERYTHING, sources=3, hole_fwhm=2.0)
LMAX = SETTINGS.top_multipole


def make(strength=30.0, index=0, bands=BANDS, **changes):
    settings = dataclasses.replace(SETTINGS, **changes)
    return simulate_sky(toy_spectra(LMAX, strength), bands, settings, seed=SEED, index=index)


@pytest.fixture(scope="module")
def sky():
    return make()


@pytest.fixture(scope="module")
def quiet():
    return make(components=EVERYTHING[:-1])


def test_maps_are_the_sum_of_their_components(quiet):
    total = sum(quiet.component_maps_K(name) for name in quiet.responses)
    np.testing.assert_allclose(quiet.maps_K, total, rtol=0.0, atol=1e-11 * total.std())
    assert set(quiet.responses) == set(quiet.truth) - {"galaxies"}


def test_components_carry_response_and_beam(quiet):
    """Spectrum of a component's map against that of its a_lm; quadrature errs near 2 nside."""
    l = np.arange(2, int(1.7 * NSIDE))
    sigma = np.radians(quiet.fwhm_arcmin / 60.0) / np.sqrt(8.0 * np.log(2.0))
    for name, unit in (("tsz", 1.0), ("cib-1", 1e-6), ("screening", 1e-6), ("synchrotron", 1e-6)):
        maps = quiet.component_maps_K(name)
        truth = healpy.alm2cl(quiet.truth[name])[l]
        for k in (0, 4, 7):
            beam = np.exp(-l * (l + 1.0) * sigma[k] ** 2)
            expected = (unit * quiet.responses[name][k]) ** 2 * beam * truth
            found = healpy.anafast(maps[k], lmax=LMAX, iter=6)[l]
            np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-9 * expected.max())


def test_responses_are_those_of_the_cleaning(sky):
    first, second = sky.spectra.shells
    for name, shell in (("cib-1", first), ("cib-2", second)):
        sed = Spectra(cib_temperature_K=shell.temperature_K, cib_beta=shell.beta)
        np.testing.assert_array_equal(sky.responses[name], component_response("cib", BANDS, sed))
    for name in ("screening", "tsz", "cmb"):
        np.testing.assert_array_equal(
            sky.responses[name], component_response(name, BANDS, Spectra())
        )
    np.testing.assert_allclose(sky.responses["cmb"], 1.0, rtol=1e-12)
    # The published factor of 143 GHz, -2.785 K per y.
    assert sky.responses["tsz"][4] == pytest.approx(-2.785, abs=2e-3)


def test_beams_and_noise_widen_with_the_pixels(sky):
    np.testing.assert_allclose(sky.fwhm_arcmin[[0, 4]], 12.0 * np.array([32.29, 7.22]))
    np.testing.assert_allclose(sky.noise_uK_arcmin[4], 0.075 * 33.0)
    assert SETTINGS.common_fwhm_arcmin == 120.0
    larger = SkySettings(256)
    assert (larger.beam_factor, larger.noise_factor, larger.lmax) == (3.0, 0.6, 760)
    # The spectra of the toy reach as far as the default of any resolution.
    assert toy_spectra(SkySettings(2048).lmax).lmax == 5000
    assert np.max(load_table("cmb_lensed_tt")["ell"]) == 5000


def test_pixel_windows_act_on_maps_and_galaxies():
    one = make(components=("cmb",), counts="none", pixel_windows=True)
    window = pixel_window(NSIDE, LMAX)
    assert window[2 * NSIDE] == pytest.approx(0.829, abs=5e-3)  # at l = 2 nside
    cmb = healpy.almxfl(1e-6 * one.truth["cmb"], one.beams()[4] * window)
    galaxies = healpy.almxfl(one.truth["galaxies"], window)
    for found, alm in ((one.maps_K[4], cmb), (one.galaxies, galaxies)):
        expected = healpy.alm2map(alm, NSIDE, lmax=LMAX)
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-10 * expected.std())


def test_noise_is_white_with_the_stated_level(sky, quiet):
    noise = sky.maps_K - quiet.maps_K
    pixel_arcmin2 = 4.0 * np.pi * (10800.0 / np.pi) ** 2 / noise.shape[1]
    z = noise.std(axis=1) / (1e-6 * sky.noise_uK_arcmin / np.sqrt(pixel_arcmin2)) - 1.0
    assert np.all(np.abs(z) < 4.0 / np.sqrt(2.0 * noise.shape[1]))
    correlation = np.corrcoef(noise) - np.eye(8)
    assert np.abs(correlation).max() < 4.0 / np.sqrt(noise.shape[1])
    for k in (0, 7):
        l = np.arange(2, 2 * NSIDE)
        white = (1e-6 * sky.noise_uK_arcmin[k] * np.pi / 10800.0) ** 2
        ratio = healpy.anafast(noise[k], lmax=LMAX, iter=6)[l] / white
        chi2 = np.sum((2 * l + 1) * ratio)
        dof = np.sum(2 * l + 1)
        assert abs(chi2 - dof) < 4.0 * np.sqrt(2.0 * dof)


def test_a_sky_does_not_depend_on_its_neighbours(sky):
    """Alone, with other strengths, channels or components: the same fields and the same noise."""
    np.testing.assert_array_equal(make().maps_K, sky.maps_K)
    assert np.abs(make(index=1).truth["cmb"] - sky.truth["cmb"]).max() > 0.0
    weak = make(strength=1.0)
    for name in ("galaxies", "cmb", "tsz", "cib-1", "dust"):
        np.testing.assert_array_equal(weak.truth[name], sky.truth[name])
    np.testing.assert_array_equal(weak.galaxies, sky.galaxies)
    difference = sky.maps_K - weak.maps_K
    expected = sky.component_maps_K("screening") - weak.component_maps_K("screening")
    np.testing.assert_allclose(difference, expected, rtol=0.0, atol=1e-12 * sky.maps_K.std())
    fewer = make(bands=BANDS.select(("353", "143")))
    np.testing.assert_allclose(fewer.maps_K, sky.maps_K[[6, 4]], rtol=1e-12, atol=1e-15)
    alone = make(components=("screening", "noise"))
    np.testing.assert_array_equal(alone.truth["screening"], sky.truth["screening"])
    assert set(alone.truth) == {"screening", "galaxies"}


def test_calibration_multiplies_the_sky_and_not_the_noise(sky, quiet):
    wrong = make(calibration={"217": 1.02})
    difference = wrong.maps_K - sky.maps_K
    np.testing.assert_array_equal(difference[[0, 1, 2, 3, 4, 6, 7]], 0.0)
    np.testing.assert_allclose(difference[5], 0.02 * quiet.maps_K[5], rtol=1e-6, atol=1e-15)


def test_screening_lowers_the_temperature_near_galaxies(sky):
    cross = healpy.alm2cl(sky.truth["screening"], sky.truth["galaxies"])
    l = np.arange(2, LMAX + 1)
    expected = sky.spectra.cross("screening", "galaxies")
    assert np.sum((2 * l + 1) * cross[2:]) == pytest.approx(
        np.sum((2 * l + 1) * expected[2:]), rel=0.3
    )
    assert np.all(expected[2:] < 0.0)
    assert np.all(sky.responses["screening"] > 0.0)


@pytest.mark.parametrize("counts", ["poisson", "gaussian"])
def test_shot_noise(counts):
    """Spectrum of what counting adds: 1/nbar, more where galaxies are missed."""
    size = 12 * 64**2
    generator = np.random.default_rng(3)
    density = 0.1 * generator.standard_normal(size)
    completeness = np.where(np.arange(size) < size // 2, 1.0, 0.5)
    completeness[-100:] = 0.0
    found = galaxy_map(density, 40.0, generator, counts=counts, completeness=completeness)
    shot = 1.0 / (40.0 * (180.0 / np.pi) ** 2)
    assert found.shot_noise_sr == pytest.approx(shot, rel=1e-12)
    per_pixel = 4.0 * np.pi / size / shot
    assert np.all(found.overdensity[-100:] == 0.0)
    for part, m in ((slice(0, size // 2), 1.0), (slice(size // 2, size - 100), 0.5)):
        noise = (found.overdensity - density)[part]
        n = noise.size
        # The kurtosis of counts of about 30 per pixel widens the error by a per cent.
        assert noise.var() * m * per_pixel == pytest.approx(1.0, abs=4.2 * np.sqrt(2.0 / n))
        assert abs(noise.mean()) < 4.0 * noise.std() / np.sqrt(n)


def test_counts_are_counts():
    """Poisson: whole numbers, and skewed; a Gaussian stand-in is not."""
    size = 12 * 32**2
    found = galaxy_map(np.zeros(size), 4.0, np.random.default_rng(1))
    mean = 4.0 * 41252.96 / size
    numbers = (found.overdensity + 1.0) * mean
    np.testing.assert_allclose(numbers, np.rint(numbers), atol=2e-5)
    assert stats.skew(numbers) == pytest.approx(mean**-0.5, abs=4.0 * np.sqrt(6.0 / size))


def test_galaxies_without_noise_are_their_density():
    one = make(counts="none")
    expected = healpy.alm2map(one.truth["galaxies"], NSIDE, lmax=LMAX)
    np.testing.assert_allclose(one.galaxies, expected, rtol=0.0, atol=1e-12)
    assert one.shot_noise_sr == 0.0


def test_contaminated_galaxies_follow_the_dust():
    clean, dirty = make(counts="none"), make(counts="none", dust_contamination=0.05)
    added = dirty.galaxies - clean.galaxies
    assert added.std() == pytest.approx(0.05, rel=1e-9)
    dust = galactic_maps(SETTINGS.galactic, NSIDE, LMAX, SEED).dust_uK
    assert np.corrcoef(added, np.log(dust))[0, 1] == pytest.approx(1.0, abs=1e-9)


def test_unusable_galaxies():
    zero = np.zeros(12)
    generator = np.random.default_rng(0)
    with pytest.raises(ValidityError, match=r"negative in 8\.3 %"):
        galaxy_map(np.where(np.arange(12) == 3, -1.1, 0.0), 10.0, generator)
    with pytest.raises(ConfigurationError, match="poisson"):
        galaxy_map(zero, 10.0, generator, counts="poison")
    with pytest.raises(ConfigurationError, match="0 to 1"):
        galaxy_map(zero, 10.0, generator, completeness=np.full(12, 1.1))


def test_masks(sky):
    cut = np.sin(np.radians(20.0))
    assert np.mean(sky.masks["temperature"]) == pytest.approx(1.0 - cut, abs=0.04)
    z = healpy.pix2vec(NSIDE, np.arange(12 * NSIDE**2))[2]
    np.testing.assert_array_equal(sky.masks["galaxies"], np.abs(z) > np.sin(np.radians(25.0)))
    holes = sky.masks["holes"] == 0.0
    # Three discs of two FWHM of the best beam, 12 x 4.67 arcmin; they may overlap.
    radius = 2.0 * np.radians(12.0 * 4.67 / 60.0)
    assert 1 <= holes.sum() <= 3 * 1.5 * radius**2 / 4.0 * 12 * NSIDE**2
    assert np.all(sky.masks["temperature"][holes] == 0.0)
    # The sources sit in the holes.
    radio = sky.component_maps_K("radio")[7]
    assert np.all(radio[np.argsort(radio)[-3:]] > 0.0)
    assert holes[np.argmax(radio)]


def test_where_no_galaxies_are_seen_their_mask_is_zero():
    """Not where all are seen but none is: an overdensity of 0 there would be a false one."""
    z = healpy.pix2vec(NSIDE, np.arange(12 * NSIDE**2))[2]
    completeness = np.where(z > 0.6, 0.0, 0.7)
    spectra, settings = toy_spectra(LMAX), dataclasses.replace(SETTINGS, components=())
    one = simulate_sky(spectra, BANDS, settings, seed=SEED, completeness=completeness)
    cut = np.abs(z) > np.sin(np.radians(25.0))
    np.testing.assert_array_equal(one.masks["galaxies"], cut & (z <= 0.6))
    assert np.all(one.galaxies[z > 0.6] == 0.0)


def test_varying_index_of_dust_meets_the_constant_one():
    dust = ("dust",)
    constant = make(components=dust)
    nearly = dataclasses.replace(SETTINGS.galactic, dust_beta_rms=1e-7)
    varied = dataclasses.replace(SETTINGS.galactic, dust_beta_rms=0.1)
    same = make(components=dust, galactic=nearly)
    np.testing.assert_allclose(same.maps_K, constant.maps_K, rtol=0.0, atol=1e-5)
    for a, b in zip(same.maps_K, constant.maps_K, strict=True):
        assert (a - b).std() < 1e-6 * b.std()
    other = make(components=dust, galactic=varied)
    high, low = other.maps_K[7] / constant.maps_K[7].std(), other.maps_K[3]
    # No longer one map times a response.
    assert np.corrcoef(high, low)[0, 1] < 0.9999
    assert np.corrcoef(constant.maps_K[5], constant.maps_K[6])[0, 1] > 0.9999


def test_galactic_emission_falls_with_latitude(sky):
    b = np.abs(healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2), lonlat=True)[1])
    dust = healpy.alm2map(sky.truth["dust"], NSIDE, lmax=LMAX)
    assert np.median(dust[b < 10]) > 3.0 * np.median(dust[b > 40]) > 0.0


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"nside": 48}, "power of two"),
        ({"nside": 64, "lmax": 200}, "2 to 191"),
        ({"components": ("cmb", "tzs")}, "tsz"),
        ({"counts": "exact"}, "poisson"),
        ({"noise_factor": -1.0}, "noise_factor = -1"),
        ({"galaxy_cut_deg": 95.0}, "0 to below 90"),
        ({"galaxies_per_deg2": np.inf}, "finite"),
    ],
)
def test_unusable_settings(changes, match):
    with pytest.raises(ConfigurationError, match=match):
        SkySettings(**changes)


def test_unusable_skies():
    with pytest.raises(ConfigurationError, match="end at l = 50"):
        simulate_sky(toy_spectra(50), BANDS, SETTINGS, seed=1)
    with pytest.raises(ConfigurationError, match="seed -1"):
        simulate_sky(toy_spectra(LMAX), BANDS, SETTINGS, seed=-1)
    with pytest.raises(ConfigurationError, match="545"):
        make(calibration={"546": 1.1})
    with pytest.raises(ConfigurationError, match="radio"):
        make(components=("cmb", "radio")).component_maps_K("noise")
    loud = toy_autos(LMAX)
    spectra = sky_spectra({"galaxies": 50.0 * loud["galaxies"]})
    with pytest.raises(ValidityError, match="negative"):
        simulate_sky(spectra, BANDS, SkySettings(NSIDE, components=()), seed=1)


def test_files_hold_the_sky(tmp_path, sky):
    path = write_simulated_sky(tmp_path / "sky.npz", sky, truth=("screening", "galaxies", "none"))
    found = read_simulated_sky(path)
    np.testing.assert_allclose(found.maps_K, sky.maps_K, rtol=1e-6)
    np.testing.assert_allclose(found.galaxies, sky.galaxies, rtol=1e-6)
    assert found.settings == sky.settings
    assert (found.names, found.seed, found.nature) == (sky.names, SEED, sky.nature)
    assert found.nature.startswith("simulated")
    assert set(found.truth) == {"screening", "galaxies"}
    np.testing.assert_array_equal(found.spectra.covariance, sky.spectra.covariance)
    assert found.spectra.shells == sky.spectra.shells
    for name in sky.masks:
        np.testing.assert_array_equal(found.masks[name], sky.masks[name])
    np.testing.assert_allclose(
        found.component_maps_K("screening"), sky.component_maps_K("screening"), atol=1e-12
    )


def test_unusable_files(tmp_path, sky):
    path = tmp_path / "sky.npz"
    with pytest.raises(DataError, match="not a readable"):
        read_simulated_sky(path)
    path.write_bytes(b"PK\x03\x04 not much")
    with pytest.raises(DataError, match="not a readable"):
        read_simulated_sky(path)
    np.savez(path, maps_K=np.zeros(3))
    with pytest.raises(DataError, match="format 'none'"):
        read_simulated_sky(path)
    np.savez(path, format=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="not a readable"):
        read_simulated_sky(path)
    write_simulated_sky(path, sky)
    with np.load(path) as stored:
        arrays = {k: stored[k] for k in stored.files if k != "galaxies"}
    np.savez(path, **arrays)
    with pytest.raises(DataError, match="galaxies"):
        read_simulated_sky(path)


def test_bundled_sky_is_what_its_script_makes():
    """Fixed random numbers: the same maps on every machine, to float32."""
    found = bundled_simulated_sky()
    spectra, settings = toy_sky(32, 30.0)
    again = simulate_sky(spectra, BANDS, settings, seed=found.seed, index=found.index)
    assert "simulated" in found.nature
    np.testing.assert_allclose(found.maps_K, again.maps_K, rtol=2e-7, atol=1e-12)
    np.testing.assert_allclose(found.galaxies, again.galaxies, atol=1e-6)
    assert found.settings == again.settings
