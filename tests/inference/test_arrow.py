"""The solver with a free background per bin: profile limits from the reference counts."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.inference import (
    LimitStatus,
    constant_bands,
    coupling_from_strength,
    profile_limit,
)
from diffaxion.inference.counts import (
    counts_curve,
    counts_problem,
    counts_start,
    expected_counts,
)
from diffaxion.likelihoods import TemplatePoisson
from tests import reference_counts as ref

G_REF = 4e-12


@pytest.fixture(scope="module")
def reference(shared):
    return ref.load(shared)


@pytest.fixture(scope="module")
def likelihood(reference):
    return ref.likelihood(reference)


@pytest.fixture(scope="module")
def curve(reference, likelihood):
    return counts_curve(likelihood, reference["r"], bands="self_consistent")


@pytest.fixture(scope="module")
def one():
    """A limit at one response: any data of the shape of a small set."""

    @jax.jit
    def limit(likelihood, response, threshold):
        return profile_limit(
            counts_problem(2),
            expected_counts,
            (likelihood, response),
            starts=counts_start(likelihood)[None],
            q_threshold=threshold,
        )

    return limit


@pytest.fixture(scope="module")
def small():
    x = np.linspace(-1.0, 1.0, 12)
    signal = np.exp(-0.5 * (x / 0.3) ** 2)
    signal = np.tile(signal / signal.sum(), (2, 1))
    shape = np.array([[6.0], [3.0]]) * (1.0 + 0.2 * x)
    counts = np.random.default_rng(5).poisson(shape)
    return TemplatePoisson.from_maps(counts, signal, shape), jnp.array([10.0, 4.0])


def test_all_masses_of_the_reference(reference, curve):
    limit = curve.limit
    assert set(limit.status.tolist()) == {LimitStatus.OK}
    np.testing.assert_allclose(limit.a_95, reference["aup"], rtol=1e-10)
    np.testing.assert_allclose(limit.a_hat, reference["ahat"], rtol=1e-10)
    clipped = jnp.where(reference["ahat"] > 0.0, reference["TS0"], 0.0)
    np.testing.assert_allclose(limit.ts, clipped, atol=1e-10)
    np.testing.assert_allclose(limit.to_coupling(G_REF).g_95, reference["glim"], rtol=1e-10)
    assert np.max(curve.residual) < 1e-10


def test_numbers_of_the_first_mass(shared, curve):
    want = ref.numbers(shared)
    limit = jax.tree.map(lambda x: x[0], curve.limit)
    asimov = want["asimov_A_null"]
    pairs = {
        "a_hat": want["a_hat"],
        "sigma": want["sigma_hessian"],
        "a_95": want["a_95"],
        "median": asimov["a_median"],
        "minus1": asimov["bands_self_consistent"]["-1"],
        "plus1": asimov["bands_self_consistent"]["1"],
        "plus2": asimov["bands_self_consistent"]["2"],
    }
    for name, value in pairs.items():
        np.testing.assert_allclose(getattr(limit, name), value, rtol=1e-10, err_msg=name)
    np.testing.assert_allclose(limit.ts, want["TS0"], atol=1e-10)
    np.testing.assert_allclose(curve.log_max[0], want["lnL_max"], rtol=1e-13)
    np.testing.assert_allclose(curve.best[0, 1:], want["A_hat"], rtol=1e-10)
    for n, band in zip(("-1", "1", "2"), constant_bands(limit.median), strict=True):
        np.testing.assert_allclose(band, asimov["bands_constant_sigma"][n], rtol=1e-10)
    np.testing.assert_allclose(limit.to_coupling(G_REF).g_95, want["g_95_GeV"], rtol=1e-11)


@pytest.fixture(scope="module")
def derivatives(reference):
    """First and second derivative of a_95 in a tilt of the background, and in the response."""
    tilt = jnp.linspace(-1.0, 1.0, 593)
    problem = counts_problem(14)

    def a_95(t, given):
        counts, signal, shape, response = given
        moved = TemplatePoisson(counts, signal, shape * (1.0 + t[0] * tilt))
        data = (moved, (1.0 + t[1]) * response)
        starts = counts_start(moved)[None]
        return profile_limit(problem, expected_counts, data, starts=starts).limit.a_95

    given = (reference["c"], reference["S"], reference["B"], reference["r"][0])

    @jax.jit
    def both(t, given):
        return jax.jvp(lambda x: jax.grad(a_95)(x, given), (t,), (jnp.array([1.0, 0.0]),))

    return both(jnp.zeros(2), given)


def test_derivatives_of_the_limit(shared, derivatives):
    want = ref.numbers(shared)["derivatives"]
    slope, curve = derivatives
    np.testing.assert_allclose(slope[0], want["da95_dt_tilt"], rtol=1e-10)
    np.testing.assert_allclose(slope[1], want["da95_d_signal_scale"], rtol=1e-10)
    np.testing.assert_allclose(curve[0], want["d2a95_dt2_tilt"], rtol=2e-8)  # digits given
    # a_95 ~ 1/k in the response: the mixed derivative is minus the slope.
    np.testing.assert_allclose(curve[1], -slope[0], rtol=1e-9)


def test_the_edge_of_the_domain_is_reported(small):
    """Empty pixels: without mu >= 0 the fit would run away to negative strength."""
    lit = jnp.tile(jnp.arange(12) < 3, (2, 1))
    dark = TemplatePoisson(jnp.where(lit, 0.0, 3.0), jnp.where(lit, 0.3, 0.0), jnp.ones((2, 12)))
    got = counts_curve(dark, jnp.stack([small[1], 2.0 * small[1]]))
    assert set(got.limit.status.tolist()) == {LimitStatus.AT_BOUNDARY}
    assert not any(np.any(np.isnan(x)) for x in jax.tree.leaves(got.limit))


def test_a_response_of_zero_has_no_limit(small):
    likelihood, response = small
    got = counts_curve(likelihood, jnp.stack([response, jnp.zeros(2)])).limit
    assert got.status.tolist() == [LimitStatus.OK, LimitStatus.NO_SENSITIVITY]
    assert np.isinf(got.a_95[1])


def test_reference_coupling_does_not_matter(one, small):
    likelihood, response = small
    found = [
        coupling_from_strength(one(likelihood, k**4 * response, 2.7).limit.a_95, k * 1e-12)
        for k in (1.0, 1.3)
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-11)


def test_limit_rises_with_the_threshold_and_falls_with_exposure(one, small):
    likelihood, response = small
    limits = [one(likelihood, response, q).limit.a_95 for q in (1.0, 2.7, 3.84)]
    assert limits[0] < limits[1] < limits[2]

    def exposed(k):
        shape = k * likelihood.background_template
        ideal = TemplatePoisson(shape, likelihood.signal_template, shape)
        return one(ideal, k * response, 2.7).limit.a_95

    few, many = exposed(1.0), exposed(4.0)
    assert many < few
    # Four times the exposure: half the error, but for the skewness of the likelihood.
    assert 0.4 < many / few < 0.6


def test_order_of_bins_and_empty_responses_do_not_matter(one, small):
    likelihood, response = small
    first = one(likelihood, response, 2.7).limit
    swapped = one(jax.tree.map(lambda x: x[::-1], likelihood), response[::-1], 2.7).limit
    np.testing.assert_allclose(swapped.a_95, first.a_95, rtol=1e-11)
    alone = one(likelihood, response.at[1].set(0.0), 2.7).limit.a_95
    other = eqx.tree_at(lambda x: x.counts, likelihood, likelihood.counts.at[1].add(1.0))
    np.testing.assert_allclose(
        one(other, response.at[1].set(0.0), 2.7).limit.a_95, alone, rtol=1e-11
    )
