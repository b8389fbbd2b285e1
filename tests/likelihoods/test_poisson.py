"""Counts with templates: reference numbers, identities of the likelihood, edges, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, stats

from diffaxion.errors import DataError
from diffaxion.likelihoods import TemplatePoisson, flux_points, validate_templates
from tests import reference_counts as ref

PIXELS = 30

# Compiled once per shape; most tests share the shape of ``small``.
profile = eqx.filter_jit(TemplatePoisson.profile)
values = eqx.filter_jit(TemplatePoisson.values)
log_prob = eqx.filter_jit(TemplatePoisson.log_prob)
blocks_of = eqx.filter_jit(TemplatePoisson.blocks)
log_marginal = eqx.filter_jit(TemplatePoisson.log_marginal)


@pytest.fixture(scope="module")
def reference(shared):
    return ref.load(shared)


@pytest.fixture(scope="module")
def likelihood(reference):
    return ref.likelihood(reference)


@pytest.fixture(scope="module")
def small():
    """Three bins of 30 pixels: many counts, a few, none in the bright pixels of the signal."""
    x = np.linspace(-1.0, 1.0, PIXELS)
    signal = np.exp(-0.5 * (x / 0.2) ** 2)
    signal = np.tile(0.9 * signal / signal.sum(), (3, 1))
    shape = np.tile(1.0 + 0.2 * x, (3, 1)) * np.array([8.0, 0.4, 0.4])[:, None]
    counts = np.random.default_rng(3).poisson(shape)
    counts[2] = np.abs(np.arange(PIXELS) - 14.5) > 11.0
    return TemplatePoisson.from_maps(counts, signal, shape)


def test_the_data_set_can_be_rebuilt(shared, reference):
    built = ref.rebuild(shared)
    np.testing.assert_array_equal(built["c"], reference["c"])
    np.testing.assert_allclose(built["S"], reference["S"], rtol=1e-12)
    np.testing.assert_allclose(built["ma"], reference["ma"], rtol=1e-14)
    for name in ("B", "r"):
        np.testing.assert_allclose(built[name], reference[name], rtol=3e-8)
    assert (int(built["c"].sum()), int((built["c"] == 0).sum()), built["c"].max()) == (
        7328,
        4117,
        11,
    )
    np.testing.assert_allclose(built["S"].sum(1), 0.964436, atol=5e-7)


def test_values_at_the_maximum_and_without_signal(shared, reference, likelihood):
    want = ref.numbers(shared)
    none = profile(likelihood, jnp.zeros(14))
    best = profile(likelihood, want["a_hat"] * reference["r"][0])
    np.testing.assert_allclose(best.background, want["A_hat"], rtol=1e-12)
    for found, name in ((none, "lnL_null"), (best, "lnL_max")):
        np.testing.assert_allclose(jnp.sum(found.value), want[name], rtol=1e-13)
    constant = jnp.sum(none.value) - log_prob(likelihood, jnp.zeros(14), none.background)
    np.testing.assert_allclose(constant, want["sum_ln_c_factorial"], rtol=1e-13)
    one = profile(likelihood, reference["r"][0])
    q = 2.0 * jnp.sum(best.value - one.value)
    np.testing.assert_allclose(q, want["q_at_1"], atol=1e-10)


def test_log_prob_is_the_product_of_poisson_terms(small):
    s, a = np.array([3.0, 1.0, 0.5]), np.array([0.9, 1.2, 0.4])
    mu = s[:, None] * small.signal_template + a[:, None] * small.background_template
    want = stats.poisson.logpmf(np.asarray(small.counts), np.asarray(mu)).sum()
    np.testing.assert_allclose(log_prob(small, s, a), want, rtol=1e-13)


def test_blocks_are_the_derivatives(small):
    s, a = jnp.array([3.0, -0.2, 0.5]), jnp.array([0.9, 1.2, 0.4])
    blocks = blocks_of(small, s, a)
    slope_s, slope_a = jax.jit(jax.grad(small.log_prob, (0, 1)))(s, a)
    np.testing.assert_allclose(blocks.S, slope_s, rtol=1e-12)
    np.testing.assert_allclose(blocks.A, slope_a, rtol=1e-12)
    (ss, sa), (_, aa) = jax.jit(jax.hessian(small.log_prob, (0, 1)))(s, a)
    for block, full in ((blocks.SS, ss), (blocks.SA, sa), (blocks.AA, aa)):
        np.testing.assert_allclose(jnp.diag(block), full, rtol=1e-12, atol=1e-14)


def test_background_without_signal_is_the_ratio_of_sums(likelihood):
    found = profile(likelihood, jnp.zeros(14)).background
    want = likelihood.counts.sum(1) / likelihood.background_template.sum(1)
    np.testing.assert_allclose(found, want, rtol=1e-12)


@pytest.mark.parametrize("scale", [-0.4, 0.4, 30.0])
def test_counts_are_shared_between_signal_and_background(likelihood, scale):
    """At the best background, sum_p (A B/mu) c = A sum B."""
    s = scale * jnp.linspace(5.0, 20.0, 14)
    best = profile(likelihood, s)
    mu = likelihood.expected(s, best.background)
    b = likelihood.background_template
    share = jnp.sum(best.background[:, None] * b / mu * likelihood.counts, 1)
    np.testing.assert_allclose(share, best.background * b.sum(1), rtol=1e-12)
    assert not jnp.any(best.a_at_zero | best.at_boundary)


def test_best_background_against_scipy(small):
    s = jnp.array([4.0, 2.0, 0.3])
    for k, found in enumerate(profile(small, s).background):
        c, t, b = (np.asarray(x[k]) for x in jax.tree.leaves(small))

        def score(a, c=c, t=t, b=b, s=float(s[k])):
            return np.sum(b * (c / (s * t + a * b) - 1.0))

        want = optimize.brentq(score, 1e-6, 5.0, xtol=1e-15)
        np.testing.assert_allclose(found, want, rtol=1e-12)


def test_best_background_differentiates_to_second_order(small):
    """dA/dS = -L_SA/L_AA; the second derivative against differences of the first."""
    s = jnp.array([4.0, 2.0, 0.3])
    blocks = blocks_of(small, s, profile(small, s).background)

    @jax.jit
    def first(x):
        ones = (jnp.ones(3),)
        return jax.jvp(lambda y: profile(small, y).background, (x,), ones)[1]

    np.testing.assert_allclose(first(s), -blocks.SA / blocks.AA, rtol=1e-11)
    second = jax.jit(lambda x: jax.jvp(first, (x,), (jnp.ones(3),))[1])(s)
    h = 1e-4
    np.testing.assert_allclose(second, (first(s + h) - first(s - h)) / (2 * h), rtol=1e-6)
    tilt = eqx.filter_grad(lambda x: jnp.sum(profile(x, s).background))(small).counts
    blocks_b = small.background_template / small.expected(s, profile(small, s).background)
    np.testing.assert_allclose(tilt, -blocks_b / blocks.AA[:, None], rtol=1e-10)


def test_scales_of_the_templates_do_not_matter(small):
    s, k = jnp.array([4.0, 2.0, 0.3]), 3.7
    best = profile(small, s)
    t, b = small.signal_template, small.background_template
    stretched = profile(TemplatePoisson(small.counts, k * t, b), s / k)
    np.testing.assert_allclose(stretched.value, best.value, rtol=1e-13, atol=1e-12)
    louder = profile(TemplatePoisson(small.counts, t, k * b), s)
    np.testing.assert_allclose(louder.background * k, best.background, rtol=1e-12)
    np.testing.assert_allclose(louder.value, best.value, rtol=1e-13, atol=1e-12)


def test_order_and_grouping_of_pixels_do_not_matter(small):
    s = jnp.array([4.0, 2.0, 0.3])
    best = profile(small, s)
    mixed = jnp.array(np.random.default_rng(0).permutation(PIXELS))
    shuffled = profile(jax.tree.map(lambda x: x[:, mixed], small), s)
    np.testing.assert_allclose(shuffled.value, best.value, rtol=1e-13)
    # Each pixel split in two with equal T/B: ln L changes by a constant, whatever S.
    halves = jax.tree.map(lambda x: jnp.concatenate([0.5 * x, 0.5 * x], axis=1), small)
    for scale in (0.5, 2.0):
        shift = profile(halves, s).value - best.value
        other = profile(halves, scale * s).value - profile(small, scale * s).value
        np.testing.assert_allclose(shift, other, rtol=1e-12)


def test_together_pads_with_masked_pixels(small):
    short = jax.tree.map(lambda x: x[:2, :20], small)
    both = TemplatePoisson.together([small, short])
    assert both.counts.shape == (5, PIXELS)
    s = jnp.array([4.0, 2.0, 0.3, 1.0, 0.2])
    a, b = profile(small, s[:3]), profile(short, s[3:])
    joint = profile(both, s)
    np.testing.assert_allclose(joint.value, jnp.concatenate([a.value, b.value]), rtol=1e-13)
    slope = jax.grad(lambda x: jnp.sum(profile(both, x).value))(s)
    assert np.all(np.isfinite(slope))


def test_an_exposure_may_be_split(small):
    """Thinning one exposure into two with the same templates does not change L(S)/L(0)."""
    first = jnp.floor(small.counts / 2)
    parts = [
        TemplatePoisson(c, 0.5 * small.signal_template, 0.5 * small.background_template)
        for c in (first, small.counts - first)
    ]
    whole, pieces = small, TemplatePoisson(*(jnp.stack(x) for x in zip(*map(_leaves, parts))))

    def ratio(s, a):
        each = jax.vmap(lambda p: jnp.sum(values(p, s, a)))(pieces)
        return jnp.sum(each) - jnp.sum(values(whole, s, a))

    one = ratio(jnp.zeros(3), jnp.ones(3))
    two = ratio(jnp.array([3.0, 1.0, 0.2]), jnp.array([0.9, 1.1, 1.3]))
    np.testing.assert_allclose(one, two, rtol=1e-12)


def _leaves(p):
    return jax.tree.leaves(p)


def test_a_strong_signal_leaves_no_background():
    t = np.array([[0.5, 0.3, 0.2]])
    flat = np.ones((1, 3))
    likelihood = TemplatePoisson.from_maps([[5.0, 3.0, 2.0]], t, flat)
    found = profile(likelihood, jnp.array([40.0]))
    assert found.a_at_zero[0]
    assert not found.at_boundary[0]
    assert found.background[0] == 0.0
    # The condition: sum B (c/(S T) - 1) <= 0, here 3 * 10/40 - ... < 0.
    assert np.sum(flat * (likelihood.counts / (40.0 * t) - 1.0)) <= 0.0
    weak = profile(likelihood, jnp.array([5.0]))
    assert not weak.a_at_zero[0]


def test_a_negative_signal_stops_where_a_pixel_is_empty(small):
    """Bin 2 has no counts in the core: A is held where mu = 0 there."""
    s = jnp.array([-1.0, -0.05, -20.0])
    found = profile(small, s)
    assert found.at_boundary.tolist() == [False, False, True]
    mu = small.expected(s, found.background)
    assert np.min(mu[2]) >= 0.0
    assert np.min(mu[2]) < 1e-12
    assert np.all(np.isfinite(found.value))
    beyond = values(small, s, found.background * jnp.array([1.0, 1.0, 1.0 - 1e-9]))
    assert beyond[2] == -np.inf
    assert np.all(np.isfinite(beyond[:2]))
    # Along the edge A = -S max(T/B).
    slope = jax.jvp(lambda x: profile(small, x).background, (s,), (jnp.ones(3),))[1]
    want = -np.max(small.signal_template[2] / small.background_template[2])
    np.testing.assert_allclose(slope[2], want, rtol=1e-12)


def test_domain_of_the_reference(shared, reference, likelihood):
    """At the fitted backgrounds the strength may fall to -2.909."""
    a_hat = jnp.asarray(ref.numbers(shared)["A_hat"])
    ratio = likelihood.background_template / likelihood.signal_template
    lowest = jnp.max(-a_hat * ratio.min(1) / reference["r"][0])
    np.testing.assert_allclose(lowest, -2.909, atol=5e-4)
    inside, outside = (
        values(likelihood, k * lowest * reference["r"][0], a_hat) for k in (1 - 1e-9, 1 + 1e-9)
    )
    assert np.all(np.isfinite(inside))
    assert np.sum(np.isinf(outside)) == 1


def test_marginal_is_the_integral_over_backgrounds(small):
    """Laplace is exact to O(1/counts); where the background is near zero its cut matters."""
    rich = jax.tree.map(lambda x: x[:1], small)
    grid = jnp.linspace(0.5, 1.6, 401)
    for s in (0.0, 5.0):
        signal = jnp.array([s])
        heights = jax.vmap(lambda a, s=signal: log_prob(rich, s, a[None]))(grid)
        area = integrate.simpson(np.exp(heights - heights.max()), x=grid)
        found = log_marginal(rich, signal) - heights.max()
        # The next order of Laplace's method is about 1/(12 counts).
        np.testing.assert_allclose(found, np.log(area), atol=1.0 / rich.counts.sum())


def test_marginal_of_an_empty_bin():
    t = np.array([[0.6, 0.4, 0.0]])
    likelihood = TemplatePoisson.from_maps(np.zeros((1, 3)), t, np.full((1, 3), 2.0))
    # L = exp(-S sum T - 6 A): the integral is exp(-S)/6.
    found = log_marginal(likelihood, jnp.array([1.5]))
    np.testing.assert_allclose(found, -1.5 - np.log(6.0), atol=1e-7)


def test_expected_and_sampled_counts(small):
    s, a = jnp.array([3.0, 1.0, 0.5]), jnp.array([0.9, 1.2, 0.4])
    mu = small.expected(s, a)
    ideal = blocks_of(small.with_data(mu), s, a)
    np.testing.assert_allclose(ideal.S, 0.0, atol=1e-13)
    np.testing.assert_allclose(ideal.A, 0.0, atol=1e-12)
    keys = jax.random.split(jax.random.key(0), 400)
    drawn = jax.jit(jax.vmap(lambda k: small.sample(k, s, a)))(keys)
    assert drawn.dtype == jnp.float64
    assert np.all(drawn == np.round(drawn))
    # Mean and variance of each pixel are mu: five standard errors of the sums over pixels.
    for moment in (drawn.mean(0), drawn.var(0)):
        error = np.sqrt((mu.sum() + 2.0 * (mu**2).sum()) / 400)
        assert abs(moment.sum() - mu.sum()) < 5.0 * error


@pytest.fixture(scope="module")
def points(small):
    return flux_points(small)


def test_flux_points_maximise_the_profile(small, points):
    blocks = blocks_of(small, points.signal, points.background)
    np.testing.assert_allclose(blocks.S[:2], 0.0, atol=1e-9)
    np.testing.assert_allclose(blocks.A[:2], 0.0, atol=1e-9)
    total = points.signal * small.signal_template.sum(1)
    total += points.background * small.background_template.sum(1)
    np.testing.assert_allclose(total, small.counts.sum(1), rtol=1e-12)
    schur = blocks.SS - blocks.SA**2 / blocks.AA
    np.testing.assert_allclose(points.sigma[:2], (-schur[:2]) ** -0.5, rtol=1e-10)


def test_flux_errors_are_where_the_profile_has_fallen_by_a_half(small, points):
    peak = profile(small, points.signal).value
    for end in (points.signal + points.plus, points.signal - points.minus):
        np.testing.assert_allclose(peak - profile(small, end).value, 0.5, atol=1e-10)
    assert np.all((points.plus > points.minus)[:2])  # skewed as Poisson errors are
    assert points.at_boundary.tolist() == [False, False, True]


def test_flux_point_of_an_empty_bin(small):
    """ln L = -S sum T - A sum B: straight on both sides of its maximum at zero."""
    point = flux_points(small.with_data(small.counts.at[1].set(0.0)))
    t, b = small.signal_template[1], small.background_template[1]
    assert point.signal[1] == 0.0
    assert np.isinf(point.sigma[1])
    np.testing.assert_allclose(point.plus[1], 0.5 / t.sum(), rtol=1e-12)
    # Below zero the background follows: mu sums to |S| (max(T/B) sum B - sum T).
    slope = np.max(t / b) * b.sum() - t.sum()
    np.testing.assert_allclose(point.minus[1], 0.5 / slope, rtol=1e-10)


def test_no_negative_signal_without_background_under_it(small):
    bare = small.background_template.at[:, 15].set(0.0)
    counts = small.counts.at[:, 15].set(0.0)
    found = flux_points(TemplatePoisson(counts, small.signal_template, bare))
    assert np.all(found.signal >= 0.0)
    assert np.all((found.minus >= 0.0) & (found.minus <= found.signal))
    assert found.at_boundary.tolist() == (found.signal == 0.0).tolist()
    assert np.any(found.at_boundary)
    assert np.all((found.plus > 0.0) & np.isfinite(found.plus))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"c": [[-1.0, 2.0, 0.0]]}, r"counts has 1 negative values, the lowest -1, at .*\(0, 0\)"),
        ({"c": [[np.nan, 2.0, 0.0]]}, r"counts has 1 values that are not finite"),
        ({"c": [[0.5, 2.0, 0.0]]}, r"not whole numbers, the first 0.5, .* asimov=True"),
        ({"c": [1.0, 2.0, 0.0]}, r"counts have shape \(3,\), expected \(bins, pixels\)"),
        ({"b": [[1.0, 0.0, 1.0]]}, r"background template is 0 in 1 pixels with counts, .*\(0, 1\)"),
        ({"b": [[1.0, np.inf, 1.0]]}, r"background template has 1 values that are not finite"),
        ({"b": [[1.0, -2.0, 1.0]]}, r"background template has 1 negative values"),
        ({"t": [[0.0, 0.0, 0.0]]}, r"signal template is zero in all 3 pixels of bin 0"),
        ({"t": [[0.5, 0.5]]}, r"signal template has shape \(1, 2\), expected \(1, 3\)"),
        ({"t": [[2.0, 4.0, 6.0]], "b": [[1.0, 2.0, 3.0]]}, r"templates are degenerate in bin 0"),
        ({"c": [[]], "t": [[]], "b": [[]]}, r"ROI holds 0 pixels"),
        (
            {"c": [[0.0, 0.0, 0.0]], "t": [[0.0] * 3], "b": [[0.0] * 3]},
            r"ROI holds 0 pixels in bin 0",
        ),
        (
            {"c": [[0.0, 0.0, 0.0]], "b": [[0.0] * 3]},
            r"background template is zero in all 3 pixels of bin 0",
        ),
    ],
)
def test_refusals(change, message):
    given = {"c": [[1.0, 2.0, 0.0]], "t": [[0.5, 0.3, 0.1]], "b": [[1.0, 1.0, 1.0]]} | change
    with pytest.raises(DataError, match=f"(?s)quintuplet.*{message}"):
        TemplatePoisson.from_maps(given["c"], given["t"], given["b"], source="quintuplet")


def test_asimov_counts_need_a_word():
    maps = ([[0.5, 2.0, 0.0]], [[0.5, 0.3, 0.1]], [[1.0, 1.0, 1.0]])
    assert validate_templates(*maps, asimov=True) is None
    assert TemplatePoisson.from_maps(*maps, asimov=True).counts[0, 0] == 0.5
