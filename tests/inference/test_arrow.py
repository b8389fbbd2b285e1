"""The solver with a free background per bin: the simulated Poisson reference data set."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.inference import LimitStatus, Problem, profile_curve, profile_limit
from tests.inference import poisson_toy as toy

BINS = 14


@pytest.fixture(scope="module")
def reference(shared):
    return toy.load(shared)


@pytest.fixture(scope="module")
def data(reference):
    return reference["c"], reference["S"], reference["B"], reference["r"][0]


@pytest.fixture(scope="module")
def result(data):
    return profile_limit(
        toy.problem(BINS),
        toy.asimov,
        data,
        starts=toy.start(data)[None],
        bands="self_consistent",
    )


def test_reference_numbers(result):
    """Values found by three independent routes, to the digits stated."""
    limit = result.limit
    want = {
        "a_hat": 0.22330205342,
        "sigma": 0.50949240237,
        "a_95": 1.09744089650,
        "ts": 0.19668553539,
        "median": 0.88032908,
        "minus1": 0.336265,
        "plus1": 1.451373,
        "plus2": 2.048913,
    }
    for name, value in want.items():
        digits = 0.5 * 10.0 ** -len(str(value).split(".")[1])
        assert abs(getattr(limit, name) - value) < 1.01 * digits, name
    assert limit.status == LimitStatus.OK
    np.testing.assert_allclose(result.log_max, -6211.831461929, atol=1e-9)


def test_automatic_expansion_gives_the_same(data, result):
    automatic = profile_limit(
        toy.problem(BINS, known_derivatives=False),
        toy.asimov,
        data,
        starts=toy.start(data)[None],
    )
    np.testing.assert_allclose(automatic.limit.a_95, result.limit.a_95, rtol=1e-11)
    np.testing.assert_allclose(automatic.crossing, result.crossing, rtol=1e-9)
    for name, value in (("minus1", 0.345127), ("plus1", 1.415531), ("plus2", 1.950733)):
        assert abs(getattr(automatic.limit, name) - value) < 6e-7


def test_derivatives_of_the_limit_in_the_background(data):
    counts, signal, shape, response = data
    tilt = jnp.linspace(-1.0, 1.0, shape.shape[1])

    def a_95(t):
        moved = (counts, signal, shape * (1.0 + t * tilt), response)
        starts = toy.start(data)[None]
        return profile_limit(toy.problem(BINS), toy.asimov, moved, starts=starts).limit.a_95

    slope, curve = jax.jit(lambda t: jax.jvp(jax.grad(a_95), (t,), (1.0,)))(0.0)
    assert abs(slope - 1.0152379128) < 1e-10
    assert abs(curve - 3.84351) < 5e-6


def _split_loglike(strength, background, data):
    return toy.loglike(strength, background, (*data[0], data[1]))


def _split_expand(strength, background, data):
    return toy.expand(strength, background, (*data[0], data[1]))


def _split_asimov(background, data):
    (_, signal, shape), response = data
    return (background[:, None] * shape, signal, shape), response


def test_all_masses_of_the_reference(reference, data):
    problem = Problem(
        _split_loglike,
        jnp.zeros(BINS, bool),
        lower=0.0,
        tail=BINS,
        expand=_split_expand,
    )
    # The response spans ten decades: the same sum at each mass keeps the strength of order 1.
    scale = reference["r"].sum(1) / reference["r"][0].sum()
    curve = profile_curve(
        problem,
        _split_asimov,
        data[:3],
        reference["r"] / scale[:, None],
        start=toy.start(data),
        neighbours=False,
        batch_size=1,
    )
    assert set(curve.limit.status.tolist()) == {LimitStatus.OK}
    np.testing.assert_allclose(curve.limit.a_95 / scale, reference["aup"], rtol=1e-10)
    np.testing.assert_allclose(curve.limit.a_hat / scale, reference["ahat"], rtol=1e-10)
    clipped = jnp.where(reference["ahat"] > 0.0, reference["TS0"], 0.0)
    np.testing.assert_allclose(curve.limit.ts, clipped, atol=1e-10)


def test_the_edge_of_the_domain_is_reported():
    """Empty pixels: without mu >= 0 the fit would run away to negative strength."""
    shape = jnp.ones((1, 40))
    signal = jnp.where(jnp.arange(40) < 4, 0.25, 0.0)[None]
    counts = jnp.where(jnp.arange(40) < 4, 0.0, 1.0)[None]
    data = (counts, signal, shape, jnp.array([10.0]))
    got = profile_limit(toy.problem(1), toy.asimov, data, starts=toy.start(data)[None])
    assert got.limit.status == LimitStatus.AT_BOUNDARY
    assert not any(np.isnan(x) for x in jax.tree.leaves(got.limit))
