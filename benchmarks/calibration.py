"""Is the joint inference calibrated? Simulation-based calibration, coverage, recovery, replicas.

Whole joint model of the bundled configuration (published spectra of Quintuplet and Westerlund 1,
recast of Planck x unWISE, every nuisance), with simulated data. Prints one JSON line.

    python benchmarks/calibration.py [--configuration joint] [--simulations 3000]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import numpy as np

from diffaxion.analyses.analysis import STRENGTH
from diffaxion.analyses.calibration import REACH, run_sbc
from diffaxion.analyses.calibration_toys import run_coverage
from diffaxion.analyses.config import load_configuration
from diffaxion.analyses.configured import axion_priors
from diffaxion.analyses.injection import run_injection
from diffaxion.analyses.joint_model import joint_recipe, joint_world
from diffaxion.analyses.predictive import predictive_checks
from diffaxion.analyses.prior_bank import at_mass, expected_u, observed_posterior
from diffaxion.analyses.star_clusters import published_spectrum
from diffaxion.products.calibration import (
    coverage_summary,
    injection_summary,
    predictive_summary,
    sbc_summary,
)
from diffaxion.provenance import config_hash, jsonable, versions
from diffaxion.runtime import enable_cache


class Clock:
    """CPU seconds of each step."""

    def __init__(self) -> None:
        self.last = time.process_time()
        self.seconds: dict[str, float] = {}

    def note(self, name: str) -> None:
        now = time.process_time()
        self.seconds[name], self.last = round(now - self.last, 1), now
        print(f"{name}: {self.seconds[name]} CPU s", file=sys.stderr, flush=True)


def without_lists(summary: dict) -> dict:
    """The summary of ranks without its histograms and curves."""
    tarp = {k: summary["tarp"][k] for k in ("deviation", "tolerance")}
    rows = summary["parameters"].items()
    parameters = {n: {k: t[k] for k in ("chi2", "p", "p_bonferroni")} for n, t in rows}
    return {**summary, "tarp": tarp, "parameters": parameters}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configuration", default="joint")
    parser.add_argument("--simulations", type=int, default=3000)
    parser.add_argument("--bank", type=int, default=20000)
    parser.add_argument("--simulations-mass", type=int, default=500)
    parser.add_argument("--bank-mass", type=int, default=100000)
    parser.add_argument("--toys", type=int, default=20000)
    parser.add_argument("--profiled", type=int, default=40)
    given = parser.parse_args()
    enable_cache()
    clock, found = Clock(), {}
    settings = load_configuration(given.configuration)
    world = joint_world(settings)
    spectra = [published_spectrum(t) for t in settings.model.targets]
    recipe = joint_recipe(settings, world, spectra)
    clock.note("models")

    def analysis(sampled: bool):
        priors = axion_priors(settings, sampled)
        return recipe.analysis({k: v for k, v in priors.items() if k != STRENGTH})

    fixed, mass = analysis(False), settings.mass.fixed_eV
    here = at_mass(fixed.data, mass)
    u = expected_u(here)
    if given.simulations:
        result = run_sbc(fixed, range(given.simulations), seed=1, m_a_eV=mass, bank=given.bank)
        found["sbc_mass_fixed"] = without_lists(sbc_summary(result))
        clock.note("sbc, mass fixed")
    if given.simulations_mass:
        numbers, bank = range(given.simulations_mass), given.bank_mass
        result = run_sbc(analysis(True), numbers, seed=2, u_max=REACH * u, bank=bank)
        found["sbc_mass_sampled"] = without_lists(sbc_summary(result))
        clock.note("sbc, mass sampled")
    masses = np.array([2e-13, 5e-13, 2e-12])
    found["coverage"] = coverage_summary(run_coverage(fixed, masses, toys=given.toys, seed=3))
    clock.note("coverage")
    found["inject"] = injection_summary(run_injection(fixed, mass, toys=5000, seed=4))
    clock.note("inject")
    responses, draws = observed_posterior(here, 8.0 * u, 2000, seed=5, bank=given.bank)
    checks = predictive_checks(here, responses, draws.u, 5)
    found["ppc"] = predictive_summary(checks, len(draws.u)) | {"effective_draws": draws.kish}
    clock.note("ppc")
    if given.profiled:
        truths = np.array([0.0, 1e-12 * np.sqrt(u)])
        rows = run_coverage(
            fixed, [mass], g_GeV=truths, toys=1000, seed=6, drawn=True, profiled=given.profiled
        )
        found["coverage_profiled"] = coverage_summary(rows[len(truths) :])
        clock.note("coverage, profiled")
    record = {
        "benchmark": Path(__file__).stem,
        "configuration": given.configuration,
        "config_sha256": config_hash(settings.model_dump(mode="json")),
        **found,
        "cpu_s": clock.seconds,
        "load": os.getloadavg(),
        "cores": os.cpu_count(),
        "versions": versions(),
    }
    print(json.dumps(jsonable(record)))


if __name__ == "__main__":
    main()
