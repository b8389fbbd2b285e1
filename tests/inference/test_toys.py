"""Pseudo-experiments: closed forms of a Gaussian, streams of blocks, and counts that cover."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from diffaxion.errors import ConfigurationError
from diffaxion.inference import Q_95, Problem
from diffaxion.inference.counts import CountsToys, counts_curve
from diffaxion.inference.toys import (
    ToyFit,
    band_quantiles,
    coverage,
    fit_toy,
    pseudo_experiments,
    pull_summary,
    signed_roots,
)
from diffaxion.likelihoods import TemplatePoisson
from tests import reference_counts as ref

SIGMA, Z = 0.7, Q_95**0.5


def draw(key, strength):
    """One measurement with error SIGMA, by either generator."""
    if isinstance(key, np.random.Generator):
        return strength + SIGMA * key.standard_normal()
    return strength + SIGMA * jax.random.normal(key)


def closed(data, strength, widen=1.0):
    """The fit of a Gaussian of known error; ``widen`` makes its limit wrong."""
    q = ((data - strength) / SIGMA) ** 2
    zero = (data / SIGMA) ** 2
    ts = jnp.where(data > 0.0, zero, 0.0)
    error = jnp.full_like(data, SIGMA)
    limit = data + widen * Z * error
    return ToyFit(strength, data, error, limit, q, ts, jnp.isfinite(data))


@pytest.fixture(scope="module")
def null():
    return pseudo_experiments(draw, closed, 0.0, 4000, block=500, seed=3)


def test_gaussian_covers(null):
    covered = coverage(null)
    assert covered.number == 4000
    np.testing.assert_allclose(covered.error, np.sqrt(0.05 * 0.95 / 4000), rtol=0.2)
    # Four standard errors, and the power-constrained limit covers zero always.
    assert abs(covered.value - 0.95) < 4.0 * 0.00345
    assert coverage(null, least=SIGMA * (Z - 1.0)).value == 1.0


def test_a_wrong_limit_is_seen():
    short = pseudo_experiments(draw, partial(closed, widen=0.8), 0.0, 4000, block=500)
    assert abs(coverage(short).value - stats.norm.cdf(0.8 * Z)) < 4.0 * 0.0045
    assert coverage(short).value < 0.93


def test_bands_of_a_gaussian(null):
    bands = band_quantiles(null)
    want = SIGMA * (Z + np.array([-1.0, 0.0, 1.0, 2.0]))
    assert np.all(np.abs(bands.value - want) < 4.0 * bands.error)
    np.testing.assert_allclose(bands.error[1], SIGMA * np.sqrt(np.pi / 2 / 4000), rtol=0.3)


def test_pulls_of_a_gaussian(null):
    pulls = pull_summary(null)
    np.testing.assert_allclose(signed_roots(null), null.a_hat / SIGMA, rtol=1e-12)
    assert abs(pulls.mean.value) < 4.0 * pulls.mean.error
    assert abs(pulls.width.value - 1.0) < 4.0 * pulls.width.error


def test_failed_fits_are_left_out_and_counted(null):
    broken = null._replace(good=np.arange(4000) >= 100, a_95=np.where(null.good, null.a_95, 0.0))
    assert coverage(broken).number == 3900
    assert signed_roots(broken).size == 3900


@pytest.mark.parametrize("generator", ["numpy", "jax"])
def test_blocks_have_their_own_streams(generator):
    run = partial(pseudo_experiments, draw, closed, 1.0, block=20, seed=5, generator=generator)
    whole = run(70)
    assert whole.a_hat.shape == (70,)
    np.testing.assert_array_equal(run(45).a_hat, whole.a_hat[:45])
    np.testing.assert_array_equal(run(20, first_block=2).a_hat, whole.a_hat[40:60])
    assert np.unique(whole.a_hat).size == 70
    other = pseudo_experiments(draw, closed, 1.0, 20, block=20, seed=6, generator=generator)
    assert not np.any(other.a_hat == whole.a_hat[:20])


def test_progress_and_refusals():
    seen = []
    pseudo_experiments(draw, closed, 0.0, 50, block=20, progress=lambda *x: seen.append(x))
    assert seen == [(20, 50), (40, 50), (50, 50)]
    for wrong in ({"count": 0}, {"block": 0}, {"generator": "r"}, {"precision": "half"}):
        given = {"count": 10} | wrong
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            pseudo_experiments(draw, closed, 0.0, **given)


def _loglike(strength, nuisances, data):
    return -0.5 * ((data - strength - nuisances[0]) / SIGMA) ** 2


def test_fits_of_any_problem():
    """A Gaussian with an additive constrained nuisance: errors add in quadrature."""
    problem = Problem(_loglike, [True], width=0.4)
    fit = jax.jit(lambda d, a: fit_toy(problem, problem.start(), d, a))(0.9, 0.2)
    total = np.hypot(SIGMA, 0.4)
    np.testing.assert_allclose(
        [fit.a_hat, fit.sigma, fit.a_95, fit.q_true, fit.ts],
        [0.9, total, 0.9 + Z * total, (0.7 / total) ** 2, (0.9 / total) ** 2],
        rtol=1e-9,
    )
    assert fit.good


@pytest.fixture(scope="module")
def reference(shared):
    return ref.load(shared)


@pytest.fixture(scope="module")
def toys(reference):
    return CountsToys(ref.likelihood(reference), reference["r"][0], jnp.ones(14))


@pytest.fixture(scope="module")
def few(toys):
    return pseudo_experiments(toys.simulate, toys.solve, 0.88183367, 40, block=20, seed=1)


def test_counts_of_the_observed_data(shared, toys, few):
    """The fits of a toy are those of the reference if its counts are; ``few`` compiled them."""
    want = ref.numbers(shared)
    counts = toys.likelihood.counts[None].repeat(20, axis=0)

    def same(key, strength):
        return np.asarray(counts[0])

    fit = pseudo_experiments(same, toys.solve, 1.0, 1, block=20)
    found = [float(x[0]) for x in (fit.a_hat, fit.sigma, fit.a_95, fit.q_true, fit.ts)]
    names = ("a_hat", "sigma_hessian", "a_95", "q_at_1", "TS0")
    np.testing.assert_allclose(found, [want[k] for k in names], atol=1e-9)


def test_counts_toys_converge(few):
    assert np.all(few.good)
    assert np.all(few.a_95 > few.a_hat)
    # 40 toys at the median: mean within four standard errors.
    assert abs(np.mean(few.a_hat) - 0.8818) < 4.0 * np.std(few.a_hat) / np.sqrt(40)


def test_injection_adds_to_the_observed_counts(toys):
    inject = eqx.tree_at(lambda t: t.response, toys, toys.response)
    inject = CountsToys(inject.likelihood, inject.response, inject.backgrounds, True)
    rng = np.random.default_rng(0)
    added = np.stack([inject.simulate(rng, 2.0) - inject.likelihood.counts for _ in range(50)])
    assert np.all(added >= 0)
    # 2 a sum r T counts are added, within four Poisson errors.
    want = 2.0 * float(jnp.sum(toys.response[:, None] * toys.likelihood.signal_template))
    assert abs(added.sum() / 50 - want) < 4.0 * np.sqrt(want / 50)
    drawn = jax.jit(lambda k: inject.simulate(k, 0.0))(jax.random.key(0))
    np.testing.assert_array_equal(drawn, toys.likelihood.counts)


@pytest.mark.slow
def test_counts_cover_and_asimov_bands_hold(reference, toys):
    """1000 toys, a twentieth of the stored calibration; all tolerances are 3.5 standard errors."""
    truth = toys.likelihood.with_data(toys.likelihood.background_template)
    limit = counts_curve(truth, reference["r"][:1]).limit
    bands = np.array([limit.minus1[0], limit.median[0], limit.plus1[0]])
    for seed, a in enumerate((0.0, float(bands[1]))):
        fit = pseudo_experiments(toys.simulate, toys.solve, a, 1000, seed=seed)
        assert np.all(fit.good)
        raw, constrained = coverage(fit), coverage(fit, least=bands[0])
        assert abs(raw.value - 0.95) < 3.5 * 0.0069
        assert constrained.value >= raw.value
        pulls = pull_summary(fit)
        assert abs(pulls.mean.value) < 3.5 * pulls.mean.error
        assert abs(pulls.width.value - 1.0) < 3.5 * pulls.width.error
        if a == 0.0:
            assert constrained.value == 1.0
            seen = band_quantiles(fit, (-1.0, 0.0, 1.0))
            # Asimov bands are good to 1.5 % and 2 % in g, four times that in a.
            allowed = np.array([0.08, 0.06, 0.08]) * bands
            assert np.all(np.abs(seen.value - bands) < 3.5 * seen.error + allowed)
            assert abs(np.mean(fit.a_95 <= 0.0) - 0.05) < 3.5 * 0.0069


@pytest.mark.slow
def test_float32_limits(reference, toys):
    """Limits within 1e-3 in g of float64, on toys and on all masses of the reference."""
    single = CountsToys(toys.likelihood, toys.response, toys.backgrounds, False, 8, 1e-2)
    exact, rough = (
        pseudo_experiments(t.simulate, t.solve, 0.88, 250, precision=p, seed=2)
        for t, p in ((toys, "float64"), (single, "float32"))
    )
    assert rough.a_95.dtype == np.float32
    assert np.all(rough.good)
    # 1e-3 in g is 4e-3 in a; a limit near zero is good to 1e-3 of the unit of strength.
    np.testing.assert_allclose(rough.a_95, exact.a_95, rtol=4e-3, atol=1e-3)
    with jax.enable_x64(False):
        given = [np.asarray(x, np.float32) for x in jax.tree.leaves(toys.likelihood)]
        response = np.asarray(reference["r"], np.float32)
        limit = counts_curve(TemplatePoisson(*given), response, iterations=8).limit
    assert limit.a_95.dtype == np.float32
    np.testing.assert_allclose(limit.a_95**0.25, reference["aup"] ** 0.25, rtol=1e-3)
