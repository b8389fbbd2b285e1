"""NUTS on posteriors with known answers, its gates, and one compilation."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.diagnostics import effective_sample_size

from diffaxion.errors import ConfigurationError, ConvergenceError, DiffaxionWarning
from diffaxion.inference import (
    Gates,
    Sampler,
    check_gates,
    gaussian_bayes_limit,
    quantile_with_error,
)
from diffaxion.inference.diagnostics import bulk_ess, quantile_ess, split_r_hat, tail_ess
from diffaxion.inference.sample import sample

MIX = np.array([[1.0, 0.0], [0.8, 0.5]])
PRECISION = np.linalg.inv(MIX @ MIX.T)


def normal_model(data, precision):
    """Two unit normals seen through a correlated measurement: the posterior is normal."""
    x = numpyro.sample("x", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
    pull = data - x
    numpyro.factor("loglike", -0.5 * pull @ precision @ pull)


def limit_model(u_hat, sigma, top):
    """A strength with an upper limit, times a nuisance that the data do not see."""
    u = numpyro.sample("u", dist.Uniform(0.0, top))
    numpyro.sample("zeta", dist.Normal(0.0, 1.0))
    numpyro.deterministic("G", jnp.sqrt(u))
    numpyro.deterministic("top", top * 1.0)
    numpyro.factor("loglike", -0.5 * ((u - u_hat) / sigma) ** 2)


def limit_args(u_hat):
    return jnp.array(u_hat), jnp.array(1.0), jnp.array(30.0)


@pytest.fixture(scope="module")
def limit_sampler():
    return Sampler(limit_model, chains=4, warmup=300, draws=3000, chunk=100)


@pytest.fixture(scope="module")
def limit_run(limit_sampler):
    calls = []
    run = limit_sampler.run(
        jax.random.PRNGKey(3),
        limit_args(0.4),
        initial={"u": 0.5},
        progress=lambda *state: calls.append(state),
    )
    return run, calls


def test_normal_posterior_is_recovered():
    data = np.array([0.7, -0.4])
    run = sample(
        normal_model,
        (jnp.asarray(data), jnp.asarray(PRECISION)),
        jax.random.PRNGKey(0),
        warmup=300,
        draws=2000,
        dense_mass=True,
    )
    assert run.converged, run.reasons
    covariance = np.linalg.inv(PRECISION + np.eye(2))
    mean = covariance @ PRECISION @ data
    x = run.flat("x")
    # At least 4000 effective draws: 5 standard errors of the mean and of a variance.
    np.testing.assert_allclose(x.mean(0), mean, atol=0.08 * np.sqrt(covariance.max()))
    np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.12 * covariance.max())
    assert run.energy.shape == run.diverging.shape == (4, 2000)


def test_upper_limit_in_u_agrees_with_quadrature(limit_run):
    run, _ = limit_run
    assert run.converged, run.reasons
    want = gaussian_bayes_limit(0.4, 1.0, "uniform_g2", order=1)
    got = run.limit("u")
    assert abs(got.value / want.u - 1.0) < 0.02
    # The Monte Carlo error is reported, small enough, and honest.
    assert 0.0 < got.error < 0.02 * got.value
    assert abs(got.value - want.u) < 4.0 * got.error
    np.testing.assert_allclose(run.limit("G").value, np.sqrt(got.value), rtol=1e-3)


def test_deterministic_constants_do_not_fail_the_gates(limit_run):
    run, _ = limit_run
    assert np.all(run.draws["top"] == 30.0)
    assert "top" in run.convergence.r_hat


def test_one_program_serves_warm_up_draws_and_other_data(limit_sampler, limit_run):
    run, calls = limit_run
    assert limit_sampler.traces == 1
    assert calls[-1][:2] == (3300, 3300)
    assert len(calls) == 33
    other = limit_sampler.run(jax.random.PRNGKey(4), limit_args(-1.5))
    assert limit_sampler.traces == 1
    want = gaussian_bayes_limit(-1.5, 1.0, "uniform_g2", order=1)
    assert abs(other.limit("u").value / want.u - 1.0) < 0.03
    assert run.settings["target_accept"] == 0.9


def test_same_seed_same_bits_also_in_pieces(limit_sampler, limit_run):
    run, _ = limit_run
    state = limit_sampler.start(jax.random.PRNGKey(3), limit_args(0.4), initial={"u": 0.5})
    chunks = []
    for _ in range(5):
        # Through plain arrays and back, as a checkpoint would take it.
        leaves, tree = jax.tree.flatten(state)
        state = jax.tree.unflatten(tree, [jnp.asarray(np.array(x)) for x in leaves])
        state, chunk = limit_sampler.advance(state, limit_args(0.4))
        chunks.append(np.asarray(chunk.sites["u"]))
    pieces = np.swapaxes(np.concatenate(chunks)[300:], 0, 1)
    np.testing.assert_array_equal(pieces, run.draws["u"][:, :200])


def test_a_bad_run_gives_no_limit(limit_sampler):
    """Forty draws of each chain from far-off starts, without warm-up."""
    hasty = copy.copy(limit_sampler)
    hasty.warmup, hasty.draws = 0, 40
    state = hasty.start(
        jax.random.PRNGKey(0), limit_args(0.4), initial={"u": 29.0, "zeta": 8.0}, jitter=5.0
    )
    _, chunk = hasty.advance(state, limit_args(0.4))
    run = hasty.collect([chunk])
    assert not run.converged
    text = " ".join(run.reasons)
    for words in ("bulk ESS of 'u'", "tail ESS of 'zeta'"):
        assert words in text
    with pytest.raises(ConvergenceError, match="no limit from this run"):
        run.limit("u")
    with pytest.warns(DiffaxionWarning, match="Monte Carlo error of the 95 % quantile of 'u'"):
        assert run.limit("u", allow_unconverged=True).error > 0.0


def test_starts_are_checked(limit_sampler):
    key = jax.random.PRNGKey(0)
    with pytest.raises(ConfigurationError, match="not on its edge"):
        limit_sampler.start(key, limit_args(0.0), initial={"u": 0.0})
    with pytest.raises(ConfigurationError, match="did you mean 'zeta'"):
        limit_sampler.start(key, limit_args(0.0), initial={"zetta": 0.0})
    with pytest.raises(ConfigurationError, match="chains must be at least 1"):
        Sampler(limit_model, chains=0)


def test_unknown_site_is_an_error(limit_run):
    with pytest.raises(ConfigurationError, match="unknown site 'v'"):
        limit_run[0].quantile("v")


def test_starts_scatter_around_the_given_point(limit_sampler):
    state = limit_sampler.start(
        jax.random.PRNGKey(1), limit_args(0.4), initial={"u": 0.5, "zeta": 0.7}, jitter=1e-6
    )
    np.testing.assert_allclose(state.kernel.z["zeta"], 0.7, atol=1e-5)
    state = limit_sampler.start(jax.random.PRNGKey(1), limit_args(0.4), initial={"u": 0.5})
    assert np.std(state.kernel.z["zeta"]) > 0.1


class TestDiagnostics:
    """Chains whose behaviour is known by construction."""

    rng = np.random.default_rng(0)
    good = rng.normal(size=(4, 1000))
    steady = (np.zeros((4, 1000), bool), np.zeros((4, 1000), bool))

    def verdict(self, x, diverging=None, saturated=None, **settings):
        none = np.zeros(x.shape[:2], bool)
        return check_gates(
            {"x": x},
            none if diverging is None else diverging,
            none if saturated is None else saturated,
            **settings,
        )

    def test_independent_draws_pass(self):
        result = self.verdict(self.good)
        assert result.converged
        assert 0.99 < result.r_hat["x"] < 1.005
        assert 3000 < result.ess_bulk["x"] < 5500
        assert 3000 < result.ess_tail["x"] < 5500

    def test_an_autoregressive_chain_has_its_known_size(self):
        rho, n = 0.9, 20000
        x = np.zeros((4, n))
        noise = self.rng.normal(size=(4, n))
        for k in range(1, n):
            x[:, k] = rho * x[:, k - 1] + np.sqrt(1 - rho**2) * noise[:, k]
        # The estimate of the autocorrelation time itself scatters by some 10 %.
        np.testing.assert_allclose(bulk_ess(x), 4 * n * (1 - rho) / (1 + rho), rtol=0.25)
        assert tail_ess(x) > bulk_ess(x)

    def test_a_shifted_chain_fails(self):
        result = self.verdict(self.good + np.array([0.0, 0.0, 0.0, 0.5])[:, None])
        assert any("R-hat" in r for r in result.reasons)

    def test_a_wide_chain_fails_by_the_folded_draws(self):
        wide = self.good * np.array([1.0, 1.0, 1.0, 2.0])[:, None]
        assert split_r_hat(wide) > 1.01
        assert split_r_hat(self.good**3) < 1.01

    def test_a_drift_within_chains_fails(self):
        assert split_r_hat(self.good + np.linspace(0.0, 2.0, 1000)) > 1.05

    def test_stuck_or_broken_chains_fail(self):
        for x in (
            np.ones((4, 100)),
            np.full((4, 100), np.nan),
            np.arange(4.0)[:, None] + 0 * self.good,
        ):
            result = self.verdict(x)
            assert not result.converged
            assert result.ess_bulk["x"] < 400

    def test_constants_count_only_where_sampled(self):
        one = np.ones((4, 100))
        assert self.verdict(one, fixed=frozenset({"x"})).converged
        assert not self.verdict(one).converged

    def test_divergences_alone_fail(self):
        diverging = self.steady[0].copy()
        diverging[0, :5] = True
        result = self.verdict(self.good, diverging)
        assert result.reasons == ("0.125 % of draws diverged, allowed 0.1",)

    def test_saturation_alone_fails(self):
        saturated = self.steady[1].copy()
        saturated[:, :20] = True
        result = self.verdict(self.good, None, saturated)
        assert len(result.reasons) == 1
        assert "tree depth" in result.reasons[0]

    def test_elements_are_judged_one_by_one(self):
        pair = np.stack([self.good, np.ones_like(self.good)], axis=-1)
        result = self.verdict(pair)
        assert result.r_hat["x"].shape == (2,)
        assert result.r_hat["x"][0] < 1.01
        assert np.isinf(result.r_hat["x"][1])
        assert not result.converged

    def test_gates_can_be_set(self):
        assert not self.verdict(self.good, gates=Gates(ess=1e5)).converged

    def test_equal_draws_share_their_rank(self):
        """Two values: the bulk size is that of the raw draws, whatever the order of ties."""
        coin = (self.good > 0.3).astype(float)
        plain = effective_sample_size(np.concatenate([coin[:, :500], coin[:, 500:]]))
        np.testing.assert_allclose(bulk_ess(coin), plain, rtol=1e-10)

    def test_quantile_error_is_that_of_repeats(self):
        found = [quantile_with_error(self.rng.exponential(size=(4, 500)), 0.95) for _ in range(200)]
        values, errors = np.array([q.value for q in found]), np.array([q.error for q in found])
        # 200 repeats know a standard deviation to 5 %.
        assert np.std(values) == pytest.approx(np.mean(errors), rel=0.2)
        assert np.mean(values) == pytest.approx(-np.log(0.05), rel=0.01)

    def test_a_quantile_without_draws_has_infinite_error(self):
        assert quantile_ess(np.ones((2, 50)), 0.95) == 0.0
        assert np.isinf(quantile_with_error(np.ones((2, 50)), 0.95).error)
