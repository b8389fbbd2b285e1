"""Limits, toys and posteriors from counts against iminuit, pyhf, emcee and blackjax.

All codes see the reference data set (14 bins, 593 pixels, one free background per bin) in the
same run. Prints one JSON line; first and warm calls, wall and CPU seconds are separate.

    python benchmarks/poisson.py ../shared/data/stats/xray_toy_ref.npz [--skip-pyhf]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.diagnostics import effective_sample_size
from scipy import optimize

from diffaxion.inference import Q_95, Sampler, profile_limit
from diffaxion.inference.counts import (
    CountsToys,
    counts_curve,
    counts_problem,
    counts_start,
    expected_counts,
)
from diffaxion.inference.toys import pseudo_experiments
from diffaxion.likelihoods import TemplatePoisson, merge_empty, merge_similar, pack_pixels
from diffaxion.provenance import versions

PEERS = ("iminuit", "pyhf", "emcee", "blackjax", "scipy")
SPREAD, TOP = 0.3, 10.0  # prior of ln A, and upper end of the uniform prior of the strength
WARMUP, DRAWS, CHAINS = 300, 700, 4


def timed(function, *args) -> tuple:
    """Result, wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = jax.block_until_ready(function(*args))
    return result, time.perf_counter() - wall, time.process_time() - cpu


def calls(function, *args, repeat: int = 5) -> tuple[object, dict]:
    """Result and seconds of the first and the best warm call."""
    result, wall, cpu = timed(function, *args)
    warm = [timed(function, *args)[1:] for _ in range(repeat)]
    seconds = {
        "first_s": wall,
        "first_cpu_s": cpu,
        "warm_s": min(w for w, _ in warm),
        "warm_cpu_s": min(c for _, c in warm),
    }
    return result, seconds


@eqx.filter_jit
def limits_alone(toys: CountsToys, responses):
    """Maximum and limit of each response, without Asimov data: what the peers do."""

    def one(r):
        moved = eqx.tree_at(lambda t: t.response, toys, r)
        fit = moved.solve(toys.likelihood.counts, 0.0)
        return fit.a_hat, fit.a_95

    return jax.lax.map(one, responses)


@jax.jit
def limit_gradient(likelihood, response):
    """d a_95/d of all counts, templates and responses: 24920 derivatives in one reverse pass."""

    def a_95(given):
        model, r = given
        starts = counts_start(model)[None]
        data = (model, r)
        found = profile_limit(counts_problem(14), expected_counts, data, starts=starts)
        return found.limit.a_95

    return jax.value_and_grad(a_95)((likelihood, response))


def iminuit_limit(c, t, b, r, low: float = 0.3, high: float = 2.5) -> float:
    """Minuit with the analytic gradient, then Brent's method on q."""
    from iminuit import Minuit

    rt = r[:, None] * t

    def cost(x):
        mu = x[0] * rt + x[1:, None] * b
        return np.sum(mu - c * np.log(np.where(mu > 0.0, mu, 1e-300)))

    def gradient(x):
        mu = x[0] * rt + x[1:, None] * b
        w = 1.0 - c / np.where(mu > 0.0, mu, 1e-300)
        return np.concatenate([[np.sum(rt * w)], np.sum(b * w, axis=1)])

    fit = Minuit(cost, np.concatenate([[0.0], c.sum(1) / b.sum(1)]), grad=gradient)
    fit.errordef, fit.strategy, fit.tol = 0.5, 0, 1e-4
    fit.migrad()
    top, best = fit.fval, fit.values[0]
    fit.fixed[0] = True

    def excess(a):
        fit.values[0] = a
        fit.migrad()
        return 2.0 * (fit.fval - top) - Q_95

    return optimize.brentq(excess, best + low, best + high, xtol=1e-6)


def iminuit_both(c, t, b, r) -> tuple[float, float]:
    """Observed and expected limit, as a curve with bands has them."""
    ideal = b * (c.sum(1) / b.sum(1))[:, None]
    return iminuit_limit(c, t, b, r), iminuit_limit(ideal, t, b, r)


def pyhf_limit(c, t, b, r) -> float:
    """One limit by pyhf with its JAX backend and Minuit."""
    import pyhf

    pyhf.set_backend("jax", pyhf.optimize.minuit_optimizer(), precision="64b")

    def sample(name, values, factor):
        modifier = {"name": factor, "type": "normfactor", "data": None}
        return {"name": name, "data": values.tolist(), "modifiers": [modifier]}

    channels = [
        {
            "name": f"e{i:02d}",
            "samples": [sample("s", r[i] * t[i], "mu"), sample("b", b[i], f"A{i:02d}")],
        }
        for i in range(14)
    ]
    model = pyhf.Model({"channels": channels}, poi_name="mu", validate=False)
    data = jnp.asarray(c.ravel())
    bounds = [list(x) for x in model.config.suggested_bounds()]
    bounds[model.config.poi_index][0] = -2.0
    _, top = pyhf.infer.mle.fit(data, model, par_bounds=bounds, return_fitted_val=True)

    def excess(a):
        fit = pyhf.infer.mle.fixed_poi_fit(
            a, data, model, par_bounds=bounds, return_fitted_val=True
        )
        return float(fit[1] - top) - Q_95

    return optimize.brentq(excess, 0.5, 2.0, xtol=1e-5)


def model(likelihood, response):
    a = numpyro.sample("a", dist.Uniform(0.0, TOP))
    z = numpyro.sample("z", dist.Normal(0.0, 1.0).expand([14]).to_event(1))
    numpyro.factor("counts", jnp.sum(likelihood.values(a * response, jnp.exp(SPREAD * z))))


def least_ess(a, z) -> float:
    """Smallest effective sample size of strength and backgrounds, (chains, draws, ...)."""
    return float(min(effective_sample_size(np.asarray(a)), *effective_sample_size(np.asarray(z))))


def ours(likelihood, response) -> dict:
    sampler = Sampler(model, chains=CHAINS, warmup=WARMUP, draws=DRAWS)
    start = {"a": 0.5}
    seconds = []
    for seed in range(2):  # the second run reuses the program of the first
        posterior, wall, cpu = timed(
            lambda s: sampler.run(jax.random.key(s), (likelihood, response), initial=start), seed
        )
        seconds.append((wall, cpu))
    ess = least_ess(posterior.draws["a"], posterior.draws["z"])
    return record(ess, *seconds[0], *seconds[1], np.quantile(posterior.draws["a"], 0.95))


def record(ess, first, first_cpu, warm, warm_cpu, a_95) -> dict:
    return {
        "ess": ess,
        "first_s": first,
        "first_cpu_s": first_cpu,
        "warm_s": warm,
        "warm_cpu_s": warm_cpu,
        "ess_per_cpu_s": ess / warm_cpu,
        "a_95_bayes": float(a_95),
    }


def log_density(x, likelihood, response):
    """Density of (logit(a/TOP), z), with the Jacobian of the first."""
    a = TOP * jax.nn.sigmoid(x[0])
    jacobian = jax.nn.log_sigmoid(x[0]) + jax.nn.log_sigmoid(-x[0])
    counts = jnp.sum(likelihood.values(a * response, jnp.exp(SPREAD * x[1:])))
    return counts + jacobian - 0.5 * jnp.sum(x[1:] ** 2)


def with_blackjax(likelihood, response) -> dict:
    """NUTS with window adaptation, all chains in one compiled program."""
    import blackjax

    @jax.jit
    def run(key, likelihood, response):
        def chain(key):
            def density(x):
                return log_density(x, likelihood, response)

            warm_key, key = jax.random.split(key)
            adapt = blackjax.window_adaptation(blackjax.nuts, density, target_acceptance_rate=0.9)
            begin = jnp.zeros(15).at[0].set(-3.0)
            (state, found), _ = adapt.run(warm_key, begin, num_steps=WARMUP)
            kernel = blackjax.nuts(density, **found)

            def step(state, k):
                new, _ = kernel.step(k, state)
                return new, new.position

            return jax.lax.scan(step, state, jax.random.split(key, DRAWS))[1]

        return jax.vmap(chain)(jax.random.split(key, CHAINS))

    _, first, first_cpu = timed(run, jax.random.key(0), likelihood, response)
    x, warm, warm_cpu = timed(run, jax.random.key(1), likelihood, response)
    a = TOP * jax.nn.sigmoid(x[..., 0])
    ess = least_ess(a, x[..., 1:])
    return record(ess, first, first_cpu, warm, warm_cpu, jnp.quantile(a, 0.95))


def with_emcee(c, t, b, r, steps: int) -> dict:
    """Ensemble of 32 walkers on the NumPy density; autocorrelation time by emcee itself."""
    import emcee

    rt = r[:, None] * t

    def density(x):
        if not 0.0 < x[0] < TOP:
            return -np.inf
        mu = x[0] * rt + np.exp(SPREAD * x[1:, None]) * b
        return np.sum(c * np.log(mu) - mu) - 0.5 * np.sum(x[1:] ** 2)

    rng = np.random.default_rng(0)
    begin = 0.1 * rng.standard_normal((32, 15))
    begin[:, 0] = rng.uniform(0.1, 1.5, 32)
    np.random.seed(0)  # noqa: NPY002  emcee draws from the global generator
    sampler = emcee.EnsembleSampler(32, 15, density)
    state = sampler.run_mcmc(begin, steps // 2)
    sampler.reset()
    _, wall, cpu = timed(lambda: sampler.run_mcmc(state, steps))
    tau = sampler.get_autocorr_time(tol=0)
    ess = 32 * steps / np.max(tau)
    a = sampler.get_chain(flat=True)[:, 0]
    return record(ess, wall, cpu, wall, cpu, np.quantile(a, 0.95)) | {"steps": steps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--skip-pyhf", action="store_true")
    parser.add_argument("--toys", type=int, default=1000)
    parser.add_argument("--emcee-steps", type=int, default=1500)
    given = parser.parse_args()
    with np.load(given.reference, allow_pickle=False) as f:
        ref = {k: f[k] for k in f.files}
    c, t, b = ref["c"], ref["S"], ref["B"]
    likelihood = TemplatePoisson.from_maps(c, t, b)
    scale = ref["r"][0].sum() / ref["r"].sum(1)
    responses, want = ref["r"] * scale[:, None], ref["aup"] / scale
    r = jnp.asarray(responses[0])
    out: dict = {"benchmark": Path(__file__).stem, "masses": len(responses)}

    curve, out["curve_with_bands"] = calls(counts_curve, likelihood, jnp.asarray(responses))
    out["curve_with_bands"]["largest_error"] = float(np.max(np.abs(curve.limit.a_95 / want - 1)))
    # The same limits from fewer pixels: those without counts merged, for the bands those with T/B
    # equal to 2 %.
    (packed, groups), merging, _ = timed(
        lambda m: (pack_pixels(merge_empty(m)), pack_pixels(merge_similar(m))), likelihood
    )

    def merged(m, g, r):
        return counts_curve(m, r, expected=g)

    small, out["curve_merged"] = calls(merged, packed, groups, jnp.asarray(responses))
    out["curve_merged"] |= {
        "merge_s": merging,
        "largest_error": float(np.max(np.abs(small.limit.a_95 / want - 1))),
        "largest_change_of_median": float(
            np.max(np.abs(small.limit.median / curve.limit.median - 1))
        ),
    }
    (_, a_95), out["limits_alone_merged"] = calls(
        limits_alone, CountsToys(packed, r, jnp.ones(14)), jnp.asarray(responses)
    )
    out["limits_alone_merged"]["largest_error"] = float(np.max(np.abs(a_95 / want - 1)))
    toys = CountsToys(likelihood, r, jnp.ones(14))
    (_, a_95), out["limits_alone"] = calls(limits_alone, toys, jnp.asarray(responses))
    out["limits_alone"]["largest_error"] = float(np.max(np.abs(a_95 / want - 1)))
    with jax.enable_x64(False):
        maps = (np.asarray(x, np.float32) for x in jax.tree.leaves(likelihood))
        some = jnp.ones(14, jnp.float32)
        single = CountsToys(TemplatePoisson(*maps), some, some, iterations=8, tolerance=1e-2)
        (_, a_95), out["limits_alone_float32"] = calls(
            limits_alone, single, jnp.asarray(responses, jnp.float32)
        )
        error = np.abs((np.asarray(a_95) / want) ** 0.25 - 1)
        out["limits_alone_float32"]["largest_error_in_g"] = float(np.max(error))
    (_, slope), out["limit_gradient"] = calls(limit_gradient, likelihood, r)
    out["limit_gradient"]["da95_dlnr"] = float(jnp.sum(slope[1] * r))

    limits, wall, cpu = timed(lambda: [iminuit_limit(c, t, b, x) for x in responses[:70:7]])
    out["iminuit_gradient"] = {
        "s_per_70": 7.0 * wall,
        "cpu_s_per_70": 7.0 * cpu,
        "largest_error": float(np.max(np.abs(np.array(limits) / want[::7] - 1))),
        "times_slower_than_limits_alone": 7.0 * cpu / out["limits_alone"]["warm_cpu_s"],
        "times_slower_than_limits_alone_merged": 7.0
        * cpu
        / out["limits_alone_merged"]["warm_cpu_s"],
        "times_slower_than_curve": 7.0 * cpu / out["curve_with_bands"]["warm_cpu_s"],
    }
    both, _, cpu = timed(lambda: [iminuit_both(c, t, b, x) for x in responses[:70:7]])
    medians = np.asarray(curve.limit.median)[::7]
    out["iminuit_gradient_with_bands"] = {
        "cpu_s_per_70": 7.0 * cpu,
        "largest_error_of_median": float(np.max(np.abs(np.array(both)[:, 1] / medians - 1))),
        "times_slower_than_curve": 7.0 * cpu / out["curve_with_bands"]["warm_cpu_s"],
        "times_slower_than_curve_merged": 7.0 * cpu / out["curve_merged"]["warm_cpu_s"],
    }
    pseudo_experiments(toys.simulate, toys.solve, 0.5, 250)
    _, wall, cpu = timed(
        lambda: pseudo_experiments(toys.simulate, toys.solve, 0.5, given.toys, seed=1)
    )
    out["toys"] = {"per_s": given.toys / wall, "per_cpu_s": given.toys / cpu}

    out["nuts"] = ours(likelihood, r)
    out["blackjax_nuts"] = with_blackjax(likelihood, r)
    out["emcee"] = with_emcee(c, t, b, responses[0], given.emcee_steps)
    if not given.skip_pyhf:
        limit, wall, cpu = timed(pyhf_limit, c, t, b, responses[0])
        out["pyhf_jax_minuit"] = {
            "first_limit_s": wall,
            "first_limit_cpu_s": cpu,
            "error": float(limit / want[0] - 1.0),
        }
    out |= {
        "load": os.getloadavg(),
        "cores": os.cpu_count(),
        "versions": versions() | {p: version(p) for p in PEERS},
    }
    print(json.dumps(out))


if __name__ == "__main__":
    main()
