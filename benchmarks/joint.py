"""How fast is the joint inference, and does it stay finite?

Prints one JSON line: seconds of one core to build the surrogate, to compile and to run the
gradient of the log density, effective draws per second, a profile over 60 masses; the limit of a
direct run with a prior uniform in g beside the reweighted one; and how many of 1e5 random points
of the whole space (g, mass, nuisances to 5 sigma) gave a value or gradient that is not finite.
"""

from __future__ import annotations

import json
import os
import resource
import time
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from diffaxion.analyses import (
    axion_priors,
    joint_recipe,
    joint_world,
    load_configuration,
    logdensity,
    profile_over_nuisances,
    published_spectrum,
    run_posterior,
)
from diffaxion.provenance import versions

CHAINS, REPEATS, POINTS, BLOCK = 4, 200, 100_000, 1000


def clock(work):
    """Result, CPU seconds and wall seconds of a piece of work."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    jax.block_until_ready([x for x in jax.tree.leaves(result) if eqx.is_array(x)])
    return result, time.process_time() - cpu, time.perf_counter() - wall


@eqx.filter_jit
def many_gradients(data, x):
    slope = jax.vmap(jax.grad(lambda z: logdensity(data, z)))
    return jax.lax.fori_loop(0, REPEATS, lambda k, y: y + 1e-6 * slope(y), x)


@eqx.filter_jit
def all_finite(data, z):
    value, slope = jax.vmap(jax.value_and_grad(lambda y: logdensity(data, y)))(z)
    return jnp.isfinite(value) & jnp.all(jnp.isfinite(slope), axis=1)


def wide_points(analysis, rng):
    """Couplings 1e-16 to 1e-8 GeV^-1 and 0, masses of the prior and far beyond, nuisances to 5."""
    z = rng.uniform(-5.0, 5.0, (POINTS, len(analysis.names)))
    # The standard normals of coupling and mass reach the ends of their priors long before 40.
    for name in ("axion.u", "axion.m_a_eV"):
        z[:, analysis.names.index(name)] = rng.uniform(-40.0, 40.0, POINTS)
    return jnp.asarray(z)


def main():
    settings = load_configuration("joint")
    world = joint_world(settings)
    spectra = [published_spectrum(t) for t in settings.model.targets]
    found = {"versions": versions(), "cores": os.cpu_count(), "load": os.getloadavg()}
    recipe, cpu, _ = clock(lambda: joint_recipe(settings, world, spectra))
    found["recipe_cpu_s"] = cpu
    analysis = recipe.analysis(axion_priors(settings, sampled=True))
    z = jnp.zeros((CHAINS, len(analysis.names)))
    _, cpu, _ = clock(lambda: many_gradients(analysis.data, z))
    found["gradient_compile_cpu_s"] = cpu
    _, cpu, _ = clock(lambda: many_gradients(analysis.data, z))
    found["gradient_ms_per_chain"] = 1e3 * cpu / REPEATS / CHAINS
    points = wide_points(analysis, np.random.default_rng(0))
    blocks = [all_finite(analysis.data, points[k : k + BLOCK]) for k in range(0, POINTS, BLOCK)]
    found["not_finite"] = int(POINTS - sum(int(b.sum()) for b in blocks))
    found["points"] = POINTS
    masses = np.geomspace(*settings.mass.prior_eV, 60)
    data = recipe.analysis().data
    _, first, _ = clock(lambda: profile_over_nuisances(data, masses).limit.a_95)
    result, cpu, _ = clock(lambda: profile_over_nuisances(data, masses))
    found["profile_60_masses"] = {
        "first_cpu_s": first,
        "warm_cpu_s": cpu,
        "not_ok": int(np.sum(np.asarray(result.limit.status) > 1)),
    }
    confirmed = settings.model_copy(
        update={"sampler": settings.sampler.model_copy(update={"confirm": True})}
    )
    for sampled in (False, True):
        chosen = confirmed if not sampled else settings
        clocks = time.process_time(), time.perf_counter()
        run = run_posterior(replace(recipe, configuration=chosen), sampled, _quiet)
        cpu, wall = time.process_time() - clocks[0], time.perf_counter() - clocks[1]
        gates = run.posterior.convergence
        sizes = [
            min(float(gates.ess_bulk[f"{n}_std"]), float(gates.ess_tail[f"{n}_std"]))
            for n in run.analysis.names
        ]
        found[run.name] = {
            "cpu_s": cpu,
            "wall_s": wall,
            "least_ess": min(sizes),
            "steps": float(run.posterior.num_steps.mean()),
            "divergences": int(run.posterior.diverging.sum()),
            "g95_uniform_g": run.marginal[0].g_95_GeV,
            "g95_error": run.marginal[0].error_GeV,
            "model_shift": run.errors.shift,
        }
        if run.confirmation is not None:
            found[run.name]["g95_direct"] = run.confirmation.g_95_GeV
            found[run.name]["g95_direct_error"] = run.confirmation.error_GeV
    found["peak_memory_MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


def _quiet(step, done):
    del step, done


if __name__ == "__main__":
    main()
