"""Simulated observations: brightness of the background, signal, noise, events, injection."""

import re

import numpy as np
import pytest

from diffaxion.analyses import (
    SimulationPlan,
    counts_to_events,
    expected_background,
    expected_signal,
    inject_signal,
    load_configuration,
    published_background,
    published_spectrum,
    simulate_observation,
    synthetic_stars,
)
from diffaxion.analyses.xray_plan import check_plan
from diffaxion.analyses.xray_simulation import check_signal, draw_counts, stars_of
from diffaxion.data import load_cluster
from diffaxion.environments.stars import central_stars
from diffaxion.errors import ConfigurationError, DataError
from diffaxion.observables.xray import nustar_psf

COARSE = SimulationPlan(pixel_factor=5)


def in_region(stack, facts, masked=True):
    """The stack in the region of interest, other sources masked."""
    ra, dec = facts.position.ra, facts.position.dec
    stack = stack.cut(ra, dec, facts.nustar.roi_radius_arcmin)
    for mask in facts.nustar.masks if masked else ():
        stack = stack.exclude(mask.ra, mask.dec, mask.radius_arcmin)
    return stack


@pytest.fixture(scope="module", params=["quintuplet", "wd1"])
def target(request):
    return load_cluster(request.param)


@pytest.fixture(scope="module")
def quintuplet():
    return load_cluster("quintuplet")


@pytest.fixture(scope="module")
def settings():
    found = load_configuration("xray")
    numerics = found.numerics.model_copy(update={"nodes": 100, "energies_per_bin": 1})
    model = found.model.model_copy(update={"signal": "anchored"})
    return found.model_copy(update={"numerics": numerics, "model": model})


def test_fits_have_the_published_errors(target):
    """sigma_S from the curvature of the pixel likelihood, in NumPy, against the release."""
    stack = expected_background(target, SimulationPlan(pixel_factor=2), seed=3)
    stars = central_stars(target.position.ra, target.position.dec)
    signal = expected_signal(stack, np.ones(stack.n_bins), stars)
    counts = in_region(stack.with_counts(signal, asimov=True), target)
    background = in_region(stack, target)
    seconds = target.nustar.exposure_ks * 1e3
    assert stack.exposure_s.sum() == pytest.approx(seconds)
    # Counts for a rate of 1e-4 per second and keV, and the share of each pixel.
    unit = 1e-4 * 5.0 * seconds
    t = counts.rows(counts.counts)[0] / unit
    b = background.rows(background.background)[0]
    information = np.sum(t**2 / b, axis=1) - np.sum(t, axis=1) ** 2 / np.sum(b, axis=1)
    error = information**-0.5 / unit
    published = np.asarray(published_spectrum(target.name).points.scale)
    # Pointings differ from those of the calibration; pixels of 12 arcsec would lose 4 per cent.
    np.testing.assert_allclose(error, published, rtol=0.01)


def test_brightness_in_other_bins(quintuplet):
    level = published_background(quintuplet)
    assert "Quintuplet" in level.origin
    fine = level.in_bins([10.0, 12.0, 14.0], [12.0, 14.0, 20.0])
    whole = level.in_bins([10.0], [20.0])
    assert fine.sum() == pytest.approx(whole[0], rel=1e-12)
    assert whole[0] == pytest.approx(5.0 * level.brightness[:2].sum(), rel=1e-12)
    for low, high in (([5.0], [15.0]), ([70.0], [85.0])):
        with pytest.raises(DataError, match="known for 10-80 keV"):
            level.in_bins(low, high)


def test_a_target_without_published_errors_is_as_bright_as_quintuplet(quintuplet):
    arches = published_background(load_cluster("arches"))
    np.testing.assert_array_equal(arches.brightness, published_background(quintuplet).brightness)
    assert "none are published" in arches.origin


def test_the_background_has_a_gradient_and_scales_with_exposure(quintuplet):
    plan = SimulationPlan(pixel_factor=5, exposure_ks=78.0, tilt=(0.0, 0.0), background_scale=0.5)
    flat = expected_background(quintuplet, plan)
    assert np.ptp(flat.background[0, 0]) == pytest.approx(0.0, abs=1e-12 * flat.background.max())
    tilted = expected_background(quintuplet, COARSE)
    east, north = tilted.grids[0].centres_arcsec(266.5579, -28.83) / 60.0
    design = np.stack([np.ones(east.size), east.ravel(), north.ravel()], axis=-1)
    fit = np.linalg.lstsq(design, tilted.background[0, 0].ravel(), rcond=None)[0]
    np.testing.assert_allclose(fit[1:] / fit[0], [0.15, 0.10], rtol=1e-3)


def test_the_signal_holds_the_light_of_the_psf(quintuplet):
    """0.918 of a star at the centre within 2 arcmin, of rate x exposure x width."""
    stack = expected_background(quintuplet, COARSE)
    stars = central_stars(quintuplet.position.ra, quintuplet.position.dec)
    signal = expected_signal(stack, np.full(stack.n_bins, 3.0), stars)
    inside = in_region(stack.with_counts(signal, asimov=True), quintuplet)
    total = inside.rows(inside.counts)[0].sum(axis=1)
    wanted = 3e-4 * 39e3 * 5.0 * float(nustar_psf().enclosed(120.0))
    assert float(nustar_psf().enclosed(120.0)) == pytest.approx(0.918, abs=1e-3)
    # Edge pixels of 12 arcsec are in or out as a whole.
    np.testing.assert_allclose(total, wanted, rtol=4e-3)


def test_seeds(quintuplet, settings):
    """The same seed gives the same counts; the background does not depend on the signal."""
    plan = SimulationPlan(bins_keV=(10, 20, 40), pixel_factor=5)
    none, again, strong = (
        simulate_observation(quintuplet, settings, plan, g_GeV=g, seed=4) for g in (0, 0, 2e-11)
    )
    other = simulate_observation(quintuplet, settings, plan, seed=5)
    np.testing.assert_array_equal(none.stack.counts, again.stack.counts)
    assert np.any(none.stack.counts != other.stack.counts)
    difference = strong.stack.counts - none.stack.counts
    assert difference.min() >= 0.0
    expected = strong.signal.sum()
    assert abs(difference.sum() - expected) < 5.0 * np.sqrt(expected)
    for made in (none, strong):
        assert made.stack.nature.startswith("simulated: quintuplet")
    assert "g=2e-11/GeV" in strong.stack.nature


def test_the_signal_scales_as_the_fourth_power(quintuplet, settings):
    plan = SimulationPlan(bins_keV=(10, 20, 40), pixel_factor=5)
    weak, strong = (
        simulate_observation(quintuplet, settings, plan, g_GeV=g, seed=4).signal
        for g in (4e-12, 8e-12)
    )
    np.testing.assert_allclose(strong, 16.0 * weak, rtol=1e-12)


def test_noise_is_poisson(quintuplet):
    """Mean and variance of the total counts over 200 seeds."""
    stack = expected_background(quintuplet, SimulationPlan(bins_keV=(70, 80), pixel_factor=8))
    totals = [draw_counts(stack, seed).counts.sum() for seed in range(200)]
    mean = stack.background.sum()
    assert abs(np.mean(totals) - mean) < 4.0 * np.sqrt(mean / 200)
    assert np.var(totals) / mean == pytest.approx(1.0, abs=0.4)


def test_events_have_the_counts(quintuplet):
    plan = SimulationPlan(bins_keV=(10, 20, 40), half_arcmin=2.5, exposure_ks=10.0)
    stack = draw_counts(expected_background(quintuplet, plan), 1)
    events = counts_to_events(stack, 1)
    for k, one in enumerate(events):
        np.testing.assert_array_equal(one.images(stack.low_keV, stack.high_keV), stack.counts[:, k])
        assert one.nature == stack.nature
        assert np.all(np.diff(one.time_s) >= 0.0)
        assert np.all((one.energy_keV > 10.0) & (one.energy_keV < 40.0))


def test_injection(quintuplet):
    stack = draw_counts(expected_background(quintuplet, COARSE), 1)
    signal = np.full(stack.counts.shape, 0.25)
    found = inject_signal(stack, signal, 2, "g=1e-11/GeV")
    added = found.counts - stack.counts
    assert added.min() == 0.0
    assert abs(added.sum() - signal.sum()) < 5.0 * np.sqrt(signal.sum())
    # Other numbers than those of a signal simulated with the same seed.
    with_signal = draw_counts(expected_background(quintuplet, COARSE), 2, signal)
    without = draw_counts(expected_background(quintuplet, COARSE), 2)
    assert np.any(added != with_signal.counts - without.counts)
    assert found.nature == f"{stack.nature} + simulated signal, g=1e-11/GeV, seed 2"
    for bad in (signal[..., :-1], -signal, np.nan * signal):
        with pytest.raises(DataError, match="expected finite counts >= 0 of shape"):
            inject_signal(stack, bad, 2)


def test_synthetic_stars_say_what_they_are(quintuplet):
    stars = synthetic_stars(quintuplet, 20.0, 1)
    assert stars.classes.count("WC") == 13
    assert stars.source.startswith("synthetic")
    assert stars_of(quintuplet, None).label.startswith("synthetic")
    distance = 3600.0 * np.hypot(
        (stars.ra_deg - quintuplet.position.ra) * np.cos(np.radians(stars.dec_deg)),
        stars.dec_deg - quintuplet.position.dec,
    )
    # Rayleigh: root mean square sqrt(2) sigma, of 14 stars.
    assert np.sqrt(np.mean(distance**2)) == pytest.approx(28.3, rel=0.4)
    with pytest.raises(ConfigurationError, match="spread = 0 arcsec"):
        synthetic_stars(quintuplet, 0.0, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exposure_ks": -1.0}, "exposure_ks = -1 ks"),
        ({"exposure_ks": np.inf}, "exposure_ks = inf ks"),
        ({"radius_arcmin": 0.0}, "radius_arcmin = 0 arcmin"),
        ({"background_scale": 0.0}, "background_scale = 0"),
        ({"half_arcmin": 2.0}, "half the side of the images is 2 arcmin: expected 2.3"),
        ({"half_arcmin": 16.0}, "to 15 for a region of 2 arcmin"),
        ({"tilt": (0.4, 0.4)}, "gradient of at most 0.4"),
        ({"pixel_factor": 9}, "pixel factor = 9: expected 1 to 8"),
        ({"pixel_factor": 2, "events": True}, "event lists have pixels of NuSTAR's own size"),
        ({"modules": ("C",)}, "expected A, B or both"),
        ({"observations": ("7",)}, "expected numbers of 11 digits"),
        ({"bins_keV": (5, 10)}, "known for 10-80 keV, not for the bin 5-10 keV"),
        ({"bins_keV": (20, 10)}, "expected edges that increase"),
    ],
)
def test_plans_that_mean_nothing(quintuplet, changes, message):
    with pytest.raises((ConfigurationError, DataError), match=re.escape(message)):
        check_plan(quintuplet, SimulationPlan(**changes))


@pytest.mark.parametrize(
    ("name", "g", "mass", "message"),
    [
        ("wd1", -1e-12, 1e-13, "coupling = -1e-12"),
        ("wd1", np.nan, 1e-13, "coupling = nan"),
        ("wd1", 1e-12, 0.0, "mass = 0 eV"),
        ("arches", 1e-12, 1e-13, "no axion luminosity is known"),
    ],
)
def test_signals_that_mean_nothing(name, g, mass, message):
    with pytest.raises(ConfigurationError, match=message):
        check_signal(load_cluster(name), g, mass, "anchored")
