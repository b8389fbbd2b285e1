"""The profile solver against closed forms, SciPy, and finite differences."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from diffaxion.inference import (
    LimitStatus,
    Problem,
    cross,
    linear_limit,
    maximise,
    profile_curve,
    profile_limit,
)
from diffaxion.likelihoods import GaussianPoints

N = 14
RNG = np.random.default_rng(0)
RESPONSE = np.exp(-np.arange(N) / 6.0)
TILT = np.linspace(-0.3, 0.3, N)
ERROR = np.full(N, 0.3)
DATA = 0.3 * RESPONSE + 0.2 * TILT + 0.3 * RNG.normal(size=N)
TRACES = []


def nonlinear(strength, zeta, data):
    """Two log-normal factors, an additive template and a distance in a box."""
    TRACES.append(1)
    points, response = data
    factor = jnp.exp(0.3 * zeta[0] + 0.2 * zeta[1]) / zeta[3] ** 2
    return points.log_prob(strength * response * factor + 0.2 * zeta[2] * TILT)


def nonlinear_asimov(zeta, data):
    points, response = data
    return points.with_data(points.expected(0.2 * zeta[2] * TILT)), response


INF = np.inf
PROBLEM = Problem(
    nonlinear,
    [True, True, True, False],
    lower=[-INF, -INF, -INF, 0.8],
    upper=[INF, INF, INF, 1.5],
)


def points(data=DATA):
    return GaussianPoints(data, ERROR)


@pytest.fixture(scope="module")
def result():
    return profile_limit(PROBLEM, nonlinear_asimov, (points(), jnp.asarray(RESPONSE)))


def _scipy_profile(data, centre, strength):
    """-ln L minimised over the nuisances by SciPy, from three starts of the boxed one."""

    def objective(x, a):
        factor = np.exp(0.3 * x[0] + 0.2 * x[1]) / x[3] ** 2
        pull = (data - a * RESPONSE * factor - 0.2 * x[2] * TILT) / ERROR
        return 0.5 * np.sum(pull**2) + 0.5 * np.sum((x[:3] - centre) ** 2)

    bounds = [(None, None)] * 3 + [(0.8, 1.5)]
    options = {"ftol": 1e-16, "gtol": 1e-11, "maxiter": 10000}
    best = np.inf
    for d in (0.8, 1.1, 1.5):
        start = np.array([0.0, 0.0, 0.0, d])
        if strength is None:

            def free(y):
                return objective(y[1:], y[0])

            found = optimize.minimize(
                free, [0.3, *start], bounds=[(None, None), *bounds], options=options
            )
        else:
            found = optimize.minimize(objective, start, (strength,), bounds=bounds, options=options)
        best = min(best, found.fun)
    return best


def _scipy_limit(data, centre, guess, q):
    top = _scipy_profile(data, centre, None)
    return optimize.brentq(
        lambda a: 2.0 * (_scipy_profile(data, centre, a) - top) - q, *guess, xtol=1e-11
    )


def test_limit_agrees_with_scipy(result):
    assert result.limit.status == LimitStatus.OK
    a_95 = float(result.limit.a_95)
    theirs = _scipy_limit(DATA, 0.0, (0.9 * a_95, 1.1 * a_95), 2.705543454095404)
    np.testing.assert_allclose(a_95, theirs, rtol=1e-6)
    assert result.decrement < 1e-12
    assert result.residual < 1e-12
    # Far out, the box pushes the distance to its end.
    assert result.at_edge.tolist() == [False, False, False, True]


def test_median_agrees_with_scipy_on_asimov_data(result):
    zeta = np.asarray(result.null[1:])
    median = float(result.limit.median)
    ideal = 0.2 * zeta[2] * TILT
    theirs = _scipy_limit(ideal, zeta[:3], (0.9 * median, 1.1 * median), 2.705543454095404)
    np.testing.assert_allclose(median, theirs, rtol=1e-6)


def test_significance_compares_with_the_fit_without_signal(result):
    log_null = PROBLEM.objective(result.null, (points(), jnp.asarray(RESPONSE)))
    np.testing.assert_allclose(result.limit.ts, 2.0 * (result.log_max - log_null), rtol=1e-12)
    drop = _scipy_profile(DATA, 0.0, 0.0) - _scipy_profile(DATA, 0.0, None)
    np.testing.assert_allclose(result.limit.ts, 2.0 * drop, rtol=1e-6)
    np.testing.assert_allclose(result.limit.z_local**2, result.limit.ts, rtol=1e-12)


def test_fits_converge_for_weak_and_strong_signals():
    """Curved valleys of strength and factors, a degenerate box, up to 70 sigma of signal."""
    rng = np.random.default_rng(3)
    signal = np.repeat([0.0, 0.5, 3.0, 30.0, -1.0], 20)[:, None] * RESPONSE
    toys = jnp.asarray(signal + 0.3 * rng.normal(size=signal.shape))

    @jax.jit
    @jax.vmap
    def fit(data):
        return profile_limit(PROBLEM, nonlinear_asimov, (points(data), jnp.asarray(RESPONSE)))

    got = fit(toys)
    assert set(got.limit.status.tolist()) <= {LimitStatus.OK, LimitStatus.NEGATIVE_LIMIT}
    assert np.max(got.decrement) < 1e-10
    assert np.all(got.limit.a_95 > got.limit.a_hat)


def additive(strength, zeta, data):
    likelihood, response, templates = data
    return likelihood.log_prob(strength * response + zeta @ templates)


def additive_asimov(zeta, data):
    likelihood, response, templates = data
    return likelihood.with_data(likelihood.expected(zeta @ templates)), response, templates


def test_linear_nuisances_are_a_wider_covariance():
    templates = np.stack([TILT, 0.3 * TILT**2])
    got = profile_limit(
        Problem(additive, [True, True]),
        additive_asimov,
        (points(), jnp.asarray(RESPONSE), jnp.asarray(templates)),
        bands="self_consistent",
    ).limit
    wide = np.linalg.cholesky(np.diag(ERROR**2) + templates.T @ templates)
    want = linear_limit(RESPONSE, DATA, wide)
    for name in ("a_hat", "sigma", "a_95", "pcl", "median", "minus1", "plus1", "plus2", "ts"):
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), rtol=1e-9, err_msg=name)
    assert got.status == want.status == LimitStatus.OK


def plain(strength, zeta, data):
    likelihood, response = data
    return likelihood.log_prob(strength * response)


def plain_asimov(zeta, data):
    likelihood, response = data
    return likelihood.with_data(likelihood.expected(0.0 * response)), response


NO_NUISANCES = Problem(plain, np.zeros(0, bool))


@pytest.mark.parametrize("shift", [0.0, -0.5, -1.2])
def test_without_nuisances_it_is_the_closed_form(shift):
    data = DATA + shift * RESPONSE
    got = profile_limit(NO_NUISANCES, plain_asimov, (points(data), jnp.asarray(RESPONSE))).limit
    want = linear_limit(RESPONSE, data, ERROR)
    for one, two in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12)
    assert (got.status == LimitStatus.NEGATIVE_LIMIT) == (shift == -1.2)


def test_no_sensitivity_gives_infinity_and_zero_gradient():
    def limit(response):
        found = profile_limit(PROBLEM, nonlinear_asimov, (points(), response)).limit
        return found.a_95, found

    slope, got = jax.jit(jax.grad(limit, has_aux=True))(jnp.zeros(N))
    assert got.status == LimitStatus.NO_SENSITIVITY
    assert np.isposinf(got.a_95)
    assert np.isposinf(got.median)
    assert not any(np.isnan(x) for x in jax.tree.leaves(got))
    np.testing.assert_array_equal(slope, 0.0)


def removable(strength, zeta, data):
    """A boxed factor that may switch the signal off: the profile never falls."""
    likelihood, response = data
    return likelihood.log_prob(strength * zeta[0] * response)


def test_a_profile_that_never_falls_is_not_bracketed():
    problem = Problem(removable, [False], lower=0.0, upper=1.0)
    got = profile_limit(problem, plain_asimov, (points(), jnp.asarray(RESPONSE)))
    assert got.limit.status == LimitStatus.NOT_BRACKETED
    assert not any(np.isnan(x) for x in jax.tree.leaves(got.limit))


def two_wells(strength, zeta, data):
    likelihood, response = data
    bump = -8.0 * (zeta[0] ** 2 - 1.0) ** 2 + 0.5 * zeta[0]
    return likelihood.log_prob(strength * response * (1.0 + 0.5 * zeta[0])) + bump


def test_starts_that_find_different_maxima_are_reported():
    problem = Problem(two_wells, [True])
    starts = jnp.array([[0.0, -1.0], [0.0, 1.0]])
    data = (points(), jnp.asarray(RESPONSE))
    both = profile_limit(problem, plain_asimov, data, starts=starts)
    one = profile_limit(problem, plain_asimov, data, starts=starts[jnp.array([1, 1])])
    assert bool(both.several_maxima)
    assert not bool(one.several_maxima)
    np.testing.assert_allclose(both.best, one.best, rtol=1e-10)
    # The wrong well alone ends lower, and is what a single bad start would return.
    bad = profile_limit(problem, plain_asimov, data, starts=starts[jnp.array([0, 0])])
    assert bad.log_max < both.log_max - 0.5


def _orders(function):
    """Value, first and second derivative at t, forward over forward: one solution."""

    def first(t):
        return jax.jvp(function, (t,), (1.0,))

    def both(t):
        (value, slope), (_, curve) = jax.jvp(first, (t,), (1.0,))
        return value, slope, curve

    return jax.jit(both)


def test_limit_scales_inversely_with_the_response():
    def a_95(k):
        data = (points(), k * jnp.asarray(RESPONSE))
        return profile_limit(PROBLEM, nonlinear_asimov, data).limit.a_95

    value, slope = jax.jit(jax.value_and_grad(a_95))(1.0)
    np.testing.assert_allclose(slope, -value, rtol=1e-10)


def shaped(strength, zeta, data):
    """As above, but the boxed nuisance bends the spectrum too: the maximum is unique."""
    likelihood, response = data
    return nonlinear(strength, zeta, (likelihood, response * jnp.exp(-TILT * (zeta[3] - 1.0))))


def test_first_and_second_derivatives_are_those_of_the_solution():
    wiggle, tug = np.cos(np.arange(N)), np.array([1.0, -1.0, 0.5, 0.0])

    def along(t):
        problem = Problem(
            shaped,
            PROBLEM.gaussian,
            lower=PROBLEM.lower,
            upper=PROBLEM.upper,
            width=1.0 + 0.3 * t * tug,
            centre=0.2 * t * tug[::-1],
        )
        data = (points(DATA + t * wiggle), jnp.asarray(RESPONSE))
        limit = profile_limit(problem, nonlinear_asimov, data).limit
        return jnp.stack([limit.a_hat, limit.sigma, limit.a_95, limit.median, limit.ts])

    orders = _orders(along)
    _, first, second = orders(0.0)
    h = 2e-3

    def richardson(k):
        at = {t: orders(t)[k] for t in (h, -h, h / 2, -h / 2)}
        coarse = (at[h] - at[-h]) / (2 * h)
        return (4 * (at[h / 2] - at[-h / 2]) / h - coarse) / 3

    np.testing.assert_allclose(first, richardson(0), rtol=1e-7)
    np.testing.assert_allclose(second, richardson(1), rtol=1e-6)


def test_maximum_and_crossing_are_available_alone(result):
    @jax.jit
    def fits(data):
        top = maximise(PROBLEM, PROBLEM.start(), data)
        begin, drop = top.x.at[0].add(1.0), 0.5 * 2.705543454095404
        end = cross(PROBLEM, begin, data, top.value, drop, origin=top.x[0], scale=0.3)
        fixed = maximise(PROBLEM, PROBLEM.start().at[0].set(0.7), data, fix_strength=True)
        return top, end, fixed

    top, end, fixed = fits((points(), jnp.asarray(RESPONSE)))
    np.testing.assert_allclose(top.value, result.log_max, rtol=1e-12)
    np.testing.assert_allclose(end.x[0], result.limit.a_95, rtol=1e-10)
    assert fixed.x[0] == 0.7
    want = -_scipy_profile(DATA, 0.0, 0.7) - _scipy_norm()
    np.testing.assert_allclose(fixed.value, want, rtol=1e-8)


def _scipy_norm():
    return np.sum(np.log(ERROR)) + 0.5 * N * np.log(2 * np.pi)


def shared_nonlinear(strength, zeta, data):
    (likelihood,), (response,) = data
    return nonlinear(strength, zeta, (likelihood, response))


def shared_asimov(zeta, data):
    (likelihood,), one = data
    return (nonlinear_asimov(zeta, (likelihood, None))[0],), one


def test_curve_of_sixty_masses_is_fast_and_compiles_once():
    problem = Problem(shared_nonlinear, PROBLEM.gaussian, lower=PROBLEM.lower, upper=PROBLEM.upper)
    scale = np.logspace(0, -6, 60)

    def curve(data):
        per_mass = (jnp.asarray(scale[:, None] * RESPONSE),)
        return profile_curve(problem, shared_asimov, (points(data),), per_mass)

    first = jax.block_until_ready(curve(DATA))
    before = len(TRACES)
    start = time.process_time()
    again = jax.block_until_ready(curve(DATA + 0.05))
    assert time.process_time() - start < 1.0
    assert len(TRACES) == before
    assert first.limit.status.tolist() == [LimitStatus.OK] * 60
    assert again.limit.status.tolist() == [LimitStatus.OK] * 60
    # Only the scale of the response differs between the masses.
    np.testing.assert_allclose(first.limit.a_95 * scale, first.limit.a_95[0], rtol=1e-9)
    np.testing.assert_allclose(first.limit.plus2 * scale, first.limit.plus2[0], rtol=1e-9)
    one = profile_limit(PROBLEM, nonlinear_asimov, (points(), jnp.asarray(RESPONSE)))
    np.testing.assert_allclose(first.limit.a_95[0], one.limit.a_95, rtol=1e-10)
