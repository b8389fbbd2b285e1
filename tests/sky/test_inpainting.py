"""Inpainting: the rule against its literal form, edges, corners, bounds, the smooth option."""

import healpy
import numpy as np
import pytest

from diffaxion.errors import ConfigurationError, DataError
from diffaxion.sky import diffusive_inpaint, galactic_mask, inpainting_plan, point_source_mask


def literal(values, valid):
    """The rule as it is stated, on all pixels in every sweep."""
    nside = healpy.npix2nside(values.size)
    near = healpy.get_all_neighbours(nside, np.arange(values.size))
    known, out, sweeps = valid > 0, np.where(valid > 0, values, 0.0), 0
    while not known.all():
        ok = known[near] & (near >= 0)
        count = ok.sum(axis=0)
        for needed in (4, 3, 2, 1):
            now = ~known & (count >= needed)
            if now.any():
                break
        mean = np.sum(np.where(ok, out[near], 0.0), axis=0) / np.maximum(count, 1)
        out, known, sweeps = np.where(now, mean, out), known | now, sweeps + 1
    return out, sweeps


@pytest.fixture(scope="module")
def sources():
    rng = np.random.default_rng(4)
    return point_source_mask(32, rng.uniform(0, 360, 40), rng.uniform(-90, 90, 40), 300.0)


@pytest.mark.parametrize("latitude", [0.0, 7.0, 40.0])
def test_plan_is_the_rule(sources, latitude):
    valid = sources * galactic_mask(32, latitude)
    values = np.random.default_rng(0).normal(size=valid.size)
    expected, sweeps = literal(values, valid)
    plan = inpainting_plan(valid)
    assert plan.sweeps == sweeps
    np.testing.assert_allclose(plan.fill(values), expected, atol=1e-12)


def test_straight_strip_does_not_stall():
    """The plain rule ends after one sweep; this one takes the 17 that are stated for it."""
    plan = inpainting_plan(galactic_mask(128, 5.0))
    assert plan.sweeps == 17
    rng = np.random.default_rng(1)
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, 200)))
    discs = point_source_mask(128, rng.uniform(0, 360, 200), latitude, 60.0)
    assert inpainting_plan(discs).sweeps <= 6


@pytest.mark.parametrize("method", ["front", "laplace"])
def test_values_stay_within_bounds_and_valid_pixels_unchanged(sources, method):
    valid = sources * galactic_mask(32, 5.0)
    maps = np.random.default_rng(2).normal(size=(3, valid.size))
    known = valid > 0
    broken = np.where(known, maps, np.array([np.nan, healpy.UNSEEN, 1e9])[:, None])
    filled = diffusive_inpaint(broken, valid, method)
    np.testing.assert_array_equal(filled[:, known], maps[:, known])
    for before, after in zip(maps, filled):
        assert before[known].min() <= after.min()
        assert after.max() <= before[known].max()
    np.testing.assert_allclose(diffusive_inpaint(0.0 * maps + 3.0, valid, method), 3.0, rtol=1e-12)


def test_laplace_values_are_means_of_their_neighbours(sources):
    """To the tolerance of the solver; harmonic functions come back where they were cut."""
    nside = 32
    values = np.random.default_rng(3).normal(size=sources.size)
    filled = diffusive_inpaint(values, sources, "laplace")
    holes = np.flatnonzero(sources == 0)
    near = healpy.get_all_neighbours(nside, holes)
    mean = np.sum(np.where(near >= 0, filled[near], 0.0), axis=0) / (near >= 0).sum(axis=0)
    np.testing.assert_allclose(filled[holes], mean, atol=1e-9)
    # A linear function of position is nearly harmonic; the front rule is coarser.
    x = healpy.pix2vec(nside, np.arange(sources.size))[0]
    smooth, front = (
        np.std((diffusive_inpaint(x, sources, m) - x)[holes]) for m in ("laplace", "front")
    )
    assert smooth < 0.5 * front
    assert smooth < 0.02


def test_corners_of_base_pixels_have_seven_neighbours():
    """A hole of one pixel at a corner takes the mean of 7 neighbours, -1 does not count."""
    nside = 8
    near = healpy.get_all_neighbours(nside, np.arange(12 * nside**2))
    corners = np.flatnonzero((near < 0).any(axis=0))
    assert corners.size == 24
    values = np.random.default_rng(6).normal(size=12 * nside**2)
    values[-1] = 1e6
    for pixel in corners:
        if pixel == values.size - 1:
            continue
        valid = np.ones(values.size)
        valid[pixel] = 0
        found = diffusive_inpaint(values, valid)[pixel]
        ok = near[:, pixel][near[:, pixel] >= 0]
        assert ok.size == 7
        assert found == pytest.approx(values[ok].mean(), rel=1e-12)


def test_one_plan_serves_all_maps(sources):
    plan = inpainting_plan(sources)
    maps = np.random.default_rng(7).normal(size=(2, 2, sources.size))
    together = diffusive_inpaint(maps, plan)
    np.testing.assert_array_equal(together[1, 0], diffusive_inpaint(maps[1, 0], sources))
    whole = inpainting_plan(np.ones(sources.size, bool))
    assert whole.sweeps == 0
    for method in ("front", "laplace"):
        np.testing.assert_array_equal(diffusive_inpaint(maps, whole, method), maps)


def test_bad_input_is_refused(sources):
    values = np.ones(sources.size)
    with pytest.raises(DataError, match="no valid pixel"):
        inpainting_plan(0.0 * sources)
    with pytest.raises(DataError, match="expected 1"):
        inpainting_plan(0.5 * sources)
    with pytest.raises(DataError, match="resolutions differ"):
        diffusive_inpaint(np.ones(12), sources)
    with pytest.raises(ConfigurationError, match="front, laplace"):
        diffusive_inpaint(values, sources, "biharmonic")
    for bad in (np.nan, healpy.UNSEEN):
        values[np.flatnonzero(sources)[4]] = bad
        with pytest.raises(DataError, match="1 pixels of map 0 are NaN or UNSEEN"):
            diffusive_inpaint(values, sources)
