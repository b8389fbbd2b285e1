"""Do profile limits from counts cover, and are Asimov bands those of pseudo-experiments?

Simulates the reference data set (14 bins, 593 pixels, truth A = 1) at three masses and four
strengths, in units of the expected limit, and prints one JSON line: coverage, bands against
Asimov, signed-root pulls, and a signal injected into the observed counts.

    python benchmarks/poisson_calibration.py ../shared/data/stats/xray_toy_ref.npz [--toys 20000]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import jax.numpy as jnp
import numpy as np

from diffaxion.inference.counts import CountsToys, counts_curve
from diffaxion.inference.toys import (
    ToyFit,
    band_quantiles,
    coverage,
    pseudo_experiments,
    pull_summary,
)
from diffaxion.likelihoods.poisson import TemplatePoisson
from diffaxion.provenance import versions

MASSES, STRENGTHS, SIGMAS = (0, 35, 60), (0.0, 0.5, 1.0, 2.0), (-1.0, 0.0, 1.0, 2.0)


def pair(estimate) -> list:
    return [np.asarray(estimate.value).tolist(), np.asarray(estimate.error).tolist()]


def asimov_bands(likelihood, response) -> tuple[list, list]:
    """(-1, 0, 1, 2) sigma limits expected at A = 1: constant sigma, and self-consistent."""
    truth = likelihood.with_data(likelihood.background_template)
    found = []
    for bands in ("constant", "self_consistent"):
        limit = counts_curve(truth, response[None], bands=bands).limit
        found.append([float(x[0]) for x in (limit.minus1, limit.median, limit.plus1, limit.plus2)])
    return found[0], found[1]


def summary(fit: ToyFit, least: float) -> dict:
    pulls = pull_summary(fit)
    return {
        "toys": len(fit.good),
        "not_converged": int(np.sum(~fit.good)),
        "negative_limits": float(np.mean(fit.a_95 <= 0.0)),
        "coverage": pair(coverage(fit)),
        "coverage_power_constrained": pair(coverage(fit, least=least)),
        "pull_mean": pair(pulls.mean),
        "pull_width": pair(pulls.width),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--toys", type=int, default=20000)
    parser.add_argument("--injections", type=int, default=1000)
    parser.add_argument("--masses", type=int, nargs="+", default=MASSES, help="indices")
    given = parser.parse_args()
    with np.load(given.reference, allow_pickle=False) as f:
        ref = {k: f[k] for k in f.files}
    observed = TemplatePoisson.from_maps(ref["c"], ref["S"], ref["B"])
    ones, wall, cpu = jnp.ones(14), time.perf_counter(), time.process_time()
    points, ran = [], 0
    for mass in given.masses:
        # The same total response at each mass keeps the strength of order 1.
        r = jnp.asarray(ref["r"][mass] * ref["r"][0].sum() / ref["r"][mass].sum())
        constant, consistent = asimov_bands(observed, r)
        toys = CountsToys(observed, r, ones)
        for number, unit in enumerate(STRENGTHS):
            a = unit * constant[1]
            fit = pseudo_experiments(
                toys.simulate, toys.solve, a, given.toys, seed=100 * mass + number
            )
            ran += given.toys
            record = {"mass_index": mass, "a_true": a, "a_true_over_median": unit}
            record |= summary(fit, constant[0])
            if unit == 0.0:
                bands = band_quantiles(fit, SIGMAS)
                record["bands"] = {
                    "toys": pair(bands),
                    "asimov_constant": constant,
                    "asimov_self_consistent": consistent,
                }
            points.append(record)
            print(json.dumps(record), flush=True)
    seconds, cpu = time.perf_counter() - wall, time.process_time() - cpu
    injected = None
    if given.injections:
        mass, a = points[0]["mass_index"], points[2]["a_true"]
        r = jnp.asarray(ref["r"][mass] * ref["r"][0].sum() / ref["r"][mass].sum())
        inject = CountsToys(observed, r, ones, into_observed=True)
        fit = pseudo_experiments(inject.simulate, inject.solve, a, given.injections, seed=7)
        injected = {
            "mass_index": mass,
            "toys": given.injections,
            "a_true": a,
            "a_hat_mean": [
                float(np.mean(fit.a_hat)),
                float(np.std(fit.a_hat) / np.sqrt(given.injections)),
            ],
            "a_hat_observed": float(ref["ahat"][mass] * ref["r"][mass].sum() / ref["r"][0].sum()),
            "fraction_a95_above": float(np.mean(fit.a_95 >= a)),
        }
    print(
        json.dumps(
            {
                "benchmark": Path(__file__).stem,
                "points": points,
                "injected_into_observed": injected,
                "toys_per_s": ran / seconds,
                "toys_per_cpu_s": ran / cpu,
                "load": os.getloadavg(),
                "cores": os.cpu_count(),
                "versions": versions(),
            }
        )
    )


if __name__ == "__main__":
    main()
