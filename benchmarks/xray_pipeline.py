"""How long does a limit curve take, and how long does the full pipeline's gradient compile?

Prints one JSON line: 60 masses with bands for Quintuplet, Westerlund 1 and the joint fit (first
call and warm), and the gradient of the log density with respect to every number of the world
(all parameters of JF12 and YMW16, geometry, luminosities), nothing cached.

    python benchmarks/xray_pipeline.py [--masses 60]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from diffaxion.analyses import (
    Configuration,
    build_probes,
    build_world,
    limit_curves,
)
from diffaxion.observables.xray.cluster_spectrum import responses_together
from diffaxion.provenance import versions


def timed(function, *args):
    """Result, wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = jax.block_until_ready(function(*args))
    return result, time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masses", type=int, default=60)
    count = parser.parse_args().masses
    settings = Configuration()
    world = build_world(settings.model)
    probes, spectra = build_probes(world, settings)
    points = [s.points for s in spectra]
    masses = np.geomspace(1e-13, 1e-9, count)

    def curve():
        curves = limit_curves(world, probes, points, masses)
        return [c.strength.a_95 for c in curves]

    _, first, first_cpu = timed(curve)
    warm = [timed(curve)[1:] for _ in range(5)]

    @eqx.filter_jit
    def gradient(tree):
        def loglike(w):
            responses = responses_together(probes, w, [{} for _ in probes])
            return sum(p.log_prob(w.axion.a * r) for p, r in zip(points, responses, strict=True))

        return eqx.filter_value_and_grad(loglike)(tree)

    _, compile_wall, compile_cpu = timed(gradient, world)
    grad_warm = [timed(gradient, world)[1:] for _ in range(5)]
    leaves = [x for x in jax.tree.leaves(world) if eqx.is_inexact_array(x)]
    print(
        json.dumps(
            {
                "benchmark": Path(__file__).stem,
                "masses": count,
                "limit_curve_first_s": first,
                "limit_curve_first_cpu_s": first_cpu,
                "limit_curve_warm_s": min(w for w, _ in warm),
                "limit_curve_warm_cpu_s": min(c for _, c in warm),
                "pipeline_gradient_compile_s": compile_wall,
                "pipeline_gradient_compile_cpu_s": compile_cpu,
                "pipeline_gradient_warm_s": min(w for w, _ in grad_warm),
                "pipeline_parameters": int(sum(jnp.size(x) for x in leaves)),
                "peak_memory_MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "versions": versions(),
            }
        )
    )


if __name__ == "__main__":
    main()
