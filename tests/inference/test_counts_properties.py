"""Properties of limits from counts that hold whatever the data: hypothesis looks for exceptions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffaxion.inference import Q_95, coupling_from_strength, profile_limit
from diffaxion.inference.counts import (
    counts_curve,
    counts_problem,
    counts_start,
    expected_counts,
)
from diffaxion.likelihoods import TemplatePoisson, merge_empty, merge_similar, pack_pixels
from diffaxion.observables.xray import nustar_psf

BINS, PIXELS = 2, 24
FEW = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
SEEDS = st.integers(0, 2**31 - 1)
LEVELS = st.floats(0.5, 30.0)


def limit_of(bins):
    """A limit of data of one shape, compiled once."""

    @jax.jit
    def one(likelihood, response, threshold):
        return profile_limit(
            counts_problem(bins),
            expected_counts,
            (likelihood, response),
            starts=counts_start(likelihood)[None],
            q_threshold=threshold,
        ).limit

    return one


profile = jax.jit(TemplatePoisson.profile)
limit = limit_of(BINS)
limit_four = limit_of(2 * BINS)


def images(seed, level):
    """Simulated counts of a peaked signal on a tilted background, and a response of order one."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1.0, 1.0, PIXELS)
    width = rng.uniform(0.15, 0.4)
    signal = np.exp(-0.5 * ((x - rng.uniform(-0.2, 0.2)) / width) ** 2)
    signal = np.tile(0.9 * signal / signal.sum(), (BINS, 1))
    tilt = rng.uniform(-0.3, 0.3, (BINS, 1))
    shape = level * np.array([[1.0], [0.4]]) * (1.0 + tilt * x)
    counts = rng.poisson(shape)
    counts[:, 0] += 1  # no empty bin
    response = np.array([1.0, 0.6]) * np.sqrt(level) * rng.uniform(3.0, 6.0)
    return TemplatePoisson.from_maps(counts, signal, shape), jnp.asarray(response)


def asimov(likelihood, factor=1.0):
    """Expected counts at A = 1 for a multiple of the exposure."""
    shape = factor * likelihood.background_template
    return TemplatePoisson(shape, likelihood.signal_template, shape)


@FEW
@given(SEEDS, LEVELS)
def test_order_of_pixels_and_bins_does_not_matter(seed, level):
    model, response = images(seed, level)
    rng = np.random.default_rng(seed)
    pixels, bins = rng.permutation(PIXELS), rng.permutation(BINS)
    mixed = jax.tree.map(lambda x: x[bins][:, pixels], model)
    first, second = limit(model, response, Q_95), limit(mixed, response[bins], Q_95)
    np.testing.assert_allclose(second.a_95, first.a_95, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(second.median, first.median, rtol=1e-10)


@FEW
@given(SEEDS, LEVELS, st.floats(0.05, 0.95))
def test_an_exposure_may_be_split(seed, level, share):
    """Counts thinned into two exposures with the same templates and one background scale."""
    model, response = images(seed, level)
    rng = np.random.default_rng(seed + 1)
    first = jnp.asarray(rng.binomial(np.asarray(model.counts, int), share).astype(float))
    parts = [(share, first), (1.0 - share, model.counts - first)]

    def total(s, a):
        pieces = [
            TemplatePoisson(c, f * model.signal_template, f * model.background_template)
            for f, c in parts
        ]
        return sum(jnp.sum(p.values(s, a)) for p in pieces) - jnp.sum(model.values(s, a))

    at_zero = total(jnp.zeros(BINS), jnp.ones(BINS))
    elsewhere = total(0.7 * response, jnp.array([0.8, 1.3]))
    np.testing.assert_allclose(elsewhere, at_zero, rtol=1e-11, atol=1e-9)


@FEW
@given(SEEDS, LEVELS)
def test_pixels_with_equal_ratios_may_be_merged(seed, level):
    """Pairs of pixels with the same T and B against their sums: the same limits."""
    model, response = images(seed, level)

    def pairs(x, join):
        return join(x.reshape(BINS, PIXELS // 2, 2))

    def twice(x):
        return jnp.repeat(jnp.mean(x.reshape(BINS, PIXELS // 2, 2), axis=2), 2, axis=1)

    t, b = twice(model.signal_template), twice(model.background_template)
    fine = TemplatePoisson(model.counts, t, b)
    summed = [pairs(x, lambda v: jnp.sum(v, axis=2)) for x in (model.counts, t, b)]
    coarse = TemplatePoisson(*summed).padded(PIXELS)
    first, second = limit(fine, response, Q_95), limit(coarse, response, Q_95)
    for name in ("a_hat", "a_95", "median"):
        want, found = getattr(first, name), getattr(second, name)
        np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-9 * float(first.sigma))
    merged = merge_similar(fine, 1e-6)
    assert merged.counts.shape[1] <= PIXELS // 2 + 1


@FEW
@given(SEEDS, LEVELS, st.floats(0.2, 5.0))
def test_the_reference_coupling_does_not_matter(seed, level, factor):
    model, response = images(seed, level)
    g = [
        coupling_from_strength(limit(model, factor_**4 * response, Q_95).median, factor_ * 1e-12)
        for factor_ in (1.0, factor)
    ]
    np.testing.assert_allclose(g[1], g[0], rtol=1e-10)


@FEW
@given(SEEDS, LEVELS, st.floats(1.1, 8.0))
def test_more_exposure_gives_a_stronger_expected_limit(seed, level, factor):
    model, response = images(seed, level)
    few = limit(asimov(model), response, Q_95).a_95
    many = limit(asimov(model, factor), factor * response, Q_95).a_95
    assert many < few
    # Between the background-free scaling 1/e and the Gaussian one e^(-1/2).
    assert few / factor < many < 1.02 * few / np.sqrt(factor)


@FEW
@given(SEEDS, LEVELS, st.floats(0.5, 2.0), st.floats(1.05, 3.0))
def test_limits_rise_with_the_threshold(seed, level, threshold, factor):
    model, response = images(seed, level)
    low, high = (limit(model, response, q) for q in (threshold, factor * threshold))
    assert low.a_95 < high.a_95
    assert low.median < high.median


@FEW
@given(SEEDS, LEVELS)
def test_copies_of_asimov_data_are_as_good_as_exposure(seed, level):
    model, response = images(seed, level)
    ideal = asimov(model)
    copies = TemplatePoisson.together([ideal, ideal])
    found = limit_four(copies, jnp.tile(response, 2), Q_95)
    want = limit(asimov(model, 2.0), 2.0 * response, Q_95)
    np.testing.assert_allclose(found.a_95, want.a_95, rtol=1e-10)
    np.testing.assert_allclose(found.median, want.median, rtol=1e-10)


@FEW
@given(SEEDS, st.floats(0.05, 2.0), st.floats(-3.0, 4.0))
def test_empty_pixels_may_be_summed(seed, level, strength):
    """Value, best background and flags of the profile, also at the edge of the domain."""
    model, response = images(seed, level)
    signal = strength * response
    merged = merge_empty(model).padded(PIXELS + 3)
    first, second = profile(model, signal), profile(merged, signal)
    np.testing.assert_allclose(second.value, first.value, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(second.background, first.background, rtol=1e-9, atol=1e-12)
    assert second.at_boundary.tolist() == first.at_boundary.tolist()
    assert second.a_at_zero.tolist() == first.a_at_zero.tolist()


blocks_of = jax.jit(lambda model, s, a: model.blocks(s, a))


@FEW
@given(SEEDS, LEVELS, st.floats(-2.0, 4.0), st.floats(0.3, 2.0))
def test_pixels_may_be_packed_in_blocks(seed, level, strength, background):
    """Values and derivatives, also outside the domain, and the backgrounds without signal."""
    model, response = images(seed, level)
    packed = pack_pixels(model, width=5).padded(12)
    where = (strength * response, background * jnp.array([1.0, 0.8]))
    for want, found in zip(blocks_of(model, *where), blocks_of(packed, *where), strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(packed.null_backgrounds(), model.null_backgrounds(), rtol=1e-13)
    np.testing.assert_allclose(packed.expected(*where).sum(), model.expected(*where).sum())


@FEW
@given(SEEDS, LEVELS)
def test_groups_of_similar_pixels_change_expected_limits_little(seed, level):
    """By a fraction width^2/12 of what they are, at most, and never to a stronger limit."""
    model, response = images(seed, level)
    width = 0.5
    full = limit(model, response, Q_95)
    groups = merge_similar(model, width)
    assert groups.counts.shape[1] < PIXELS
    rough = limit(groups.padded(PIXELS), response, Q_95)
    np.testing.assert_allclose(rough.median, full.median, rtol=width**2 / 12.0)
    assert rough.median > full.median


# Square pixels of 12" with centres at -2.1, -1.9, ... 2.1 arcmin, PSF at the centre times area.
@pytest.mark.parametrize(
    ("per_arcmin2", "s_95", "ratio"),
    [(5.0, 7.69, 1.325), (30.0, 16.15, 1.136), (200.0, 38.65, 1.054)],
)
def test_few_counts_make_the_limit_weaker_than_a_gaussian_one(per_arcmin2, s_95, ratio):
    """Asimov data of a flat background, one bin, q = 2.71, A free."""
    x = (np.arange(22) - 10.5) * 12.0
    x, y = np.meshgrid(x, x)
    inside = np.hypot(x, y) <= 120.0
    template = 144.0 * np.asarray(nustar_psf().density(x[inside], y[inside]))[None]
    shape = np.full_like(template, per_arcmin2 * 0.04)
    ideal = TemplatePoisson.from_maps(shape, template, shape, asimov=True)
    found = counts_curve(ideal, jnp.ones((1, 1)), q_threshold=2.71).limit
    np.testing.assert_allclose(found.a_95[0], s_95, rtol=1e-2)
    np.testing.assert_allclose(found.a_95[0] / (np.sqrt(2.71) * found.sigma[0]), ratio, rtol=1e-2)
    np.testing.assert_allclose(0.04 / np.sum(template**2), 2.13, rtol=1e-2)
