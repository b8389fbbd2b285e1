"""How fast is axion-photon conversion, forward and with gradients, against gammaALPs and NumPy?

71 energies (10-80 keV), float64, one processor core; the sight line to the Quintuplet with JF12
and YMW16, m = 1e-12 eV. Times are CPU times (best of several calls) in milliseconds, compile
times wall-clock seconds. Prints one JSON line.

    python benchmarks/conversion.py [--nodes 1000 4000] [--no-peers]
"""

# ruff: noqa: E402  (threads and affinity must be set before NumPy and JAX start)
from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import time

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
with contextlib.suppress(AttributeError, OSError):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import diffaxion  # noqa: F401  (float64)
from diffaxion.constants import DELTA_A_KPC, DELTA_AG_KPC, DELTA_PL_KPC
from diffaxion.conversion.born import born_probability
from diffaxion.conversion.mixing import exact_probability, transfer_matrix
from diffaxion.environments.galaxy.catalogue import magnetic_field
from diffaxion.environments.galaxy.frame import SightLine
from diffaxion.environments.galaxy.sightline import (
    LinePath,
    density_table,
    sample_path,
    uniform_fractions,
)
from diffaxion.environments.galaxy.ymw16 import YMW16

ENERGY = jnp.linspace(10.0, 80.0, 71)
MASS = jnp.array(1e-12)
U = jnp.array(100.0)


def best_ms(function, *args, repeat: int) -> float:
    """Smallest CPU time of a call [ms]."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        jax.block_until_ready(function(*args))
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def timed(function, *args, repeat: int = 15) -> dict[str, float]:
    """Compile time [s] and warm CPU time [ms] of a jitted function."""
    start = time.perf_counter()
    jax.block_until_ready(function(*args))
    compile_s = time.perf_counter() - start
    return {"compile_s": round(compile_s, 2), "ms": best_ms(function, *args, repeat=repeat)}


def with_gradient(scalar, *args, repeat: int = 15) -> dict[str, float]:
    return timed(eqx.filter_jit(eqx.filter_value_and_grad(scalar)), *args, repeat=repeat)


def numpy_born(s, b_l, b_b, n_e, energy, m):
    """The Born integral as one would write it in NumPy: two matrix products."""
    rate = DELTA_A_KPC * m**2 - DELTA_PL_KPC * n_e
    h = np.diff(s)
    phi = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * h)])
    w = np.zeros_like(s)
    w[1:] += 0.5 * h
    w[:-1] += 0.5 * h
    theta = phi / energy[:, None]
    weights = np.stack([b_l * w, b_b * w], axis=1)
    parts = (np.cos(theta) @ weights) ** 2 + (np.sin(theta) @ weights) ** 2
    return DELTA_AG_KPC**2 * parts.sum(axis=1)


def gammaalps_probability(path: LinePath, g_11: float):
    """A callable that evaluates gammaALPs' transfer matrices on the same cells."""
    import scipy.integrate as si

    if not hasattr(si, "simps"):
        si.simps = lambda y, x=None, dx=1.0, axis=-1: si.simpson(y, x=x, dx=dx, axis=axis)
    from gammaALPs.base.transfer import GammaALPTransfer
    from gammaALPs.core import ALP

    def middle(x):
        return 0.5 * (np.asarray(x)[1:] + np.asarray(x)[:-1])[::-1]

    b_l, b_b = middle(path.b_l_muG), middle(path.b_b_muG)
    h = np.diff(np.asarray(path.s_kpc))[::-1]
    alp = ALP(m=float(MASS) * 1e9, g=g_11)

    def run():
        transfer = GammaALPTransfer(
            np.asarray(ENERGY) * 1e-6,
            np.hypot(b_l, b_b),
            np.arctan2(-b_b, b_l),
            middle(path.n_e_cm3),
            h,
            alp,
        )
        matrix = transfer.calc_transfer()
        return np.abs(matrix[:, 0, 2]) ** 2 + np.abs(matrix[:, 1, 2]) ** 2

    return run


def measure(n: int, peers: bool) -> dict[str, object]:
    """All timings with n nodes."""
    line = SightLine(0.164, -0.061, 8.3)
    field, density = magnetic_field("jf12"), YMW16()
    # The crossings add their own nodes to the base grid: the total is n.
    fractions = uniform_fractions(n - 2 * field.crossings_kpc(line).shape[0])
    sampled = eqx.filter_jit(lambda f, d: sample_path(line, f, d, fractions))
    out: dict[str, object] = {"sample_path": timed(sampled, field, density)}
    path = sampled(field, density)
    table = density_table(line, density)

    def log_sum(p):
        return jnp.sum(jnp.log(p))

    def born(rule):
        return eqx.filter_jit(lambda x, e, m: born_probability(x, e, m, rule))

    def exact(x, e, m, u):
        return exact_probability(x, e, m, u)

    def model(parameters, e, m, n_e=None):
        f, d = parameters
        return born_probability(sample_path(line, f, d, fractions, n_e), e, m)

    for rule in ("filon", "trapezoid"):
        out[f"born_{rule}"] = timed(born(rule), path, ENERGY, MASS)
        out[f"born_{rule}_value_gradient"] = with_gradient(
            lambda x, e, m, rule=rule: log_sum(born_probability(x, e, m, rule)), path, ENERGY, MASS
        )
    out["galaxy_born"] = timed(eqx.filter_jit(model), (field, density), ENERGY, MASS)
    out["galaxy_born_value_gradient"] = with_gradient(
        lambda p, e, m: log_sum(model(p, e, m)), (field, density), ENERGY, MASS
    )
    out["field_born_cached_density"] = timed(
        eqx.filter_jit(model), (field, None), ENERGY, MASS, table
    )
    out["field_born_cached_density_value_gradient"] = with_gradient(
        lambda p, e, m, t: log_sum(model(p, e, m, t)), (field, None), ENERGY, MASS, table
    )
    out["exact"] = timed(eqx.filter_jit(exact), path, ENERGY, MASS, U)
    out["exact_value_gradient"] = with_gradient(
        lambda x, e, m, u: log_sum(exact(x, e, m, u)), path, ENERGY, MASS, U
    )
    out["exact_value_gradient_stored"] = with_gradient(
        lambda x, e, m, u: log_sum(exact_probability(x, e, m, u, reverse="store")),
        path,
        ENERGY,
        MASS,
        U,
    )
    out["transfer_tree"] = timed(eqx.filter_jit(transfer_matrix), path, ENERGY, MASS, U, repeat=5)
    arrays = [np.asarray(x) for x in (path.s_kpc, path.b_l_muG, path.b_b_muG, path.n_e_cm3)]
    plain = (*arrays, np.asarray(ENERGY), 1e-12)
    out["numpy_born"] = {"ms": best_ms(numpy_born, *plain, repeat=15)}
    trapezoid = np.asarray(born("trapezoid")(path, ENERGY, MASS))
    out["max_difference_numpy"] = float(np.max(np.abs(numpy_born(*plain) / trapezoid - 1.0)))
    # Peak so far, compilation included, before the peer allocates its own arrays.
    out["peak_memory_MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, 1)
    if peers:
        run = gammaalps_probability(path, 1.0)
        reference = run()
        ours = np.asarray(exact_probability(path, ENERGY, MASS, U, qed=True, cmb=True))
        out["gammaalps_transfer"] = {"ms": best_ms(run, repeat=5)}
        out["max_difference_gammaalps"] = float(np.max(np.abs(ours / reference - 1.0)))

    def ratio(a: str, b: str) -> float:
        return round(out[a]["ms"] / out[b]["ms"], 2)  # type: ignore[index]

    out["ratios"] = {
        "born_filon_gradient": ratio("born_filon_value_gradient", "born_filon"),
        "born_trapezoid_gradient": ratio("born_trapezoid_value_gradient", "born_trapezoid"),
        "galaxy_born_gradient": ratio("galaxy_born_value_gradient", "galaxy_born"),
        "exact_gradient": ratio("exact_value_gradient", "exact"),
        "numpy_born_over_born_trapezoid": ratio("numpy_born", "born_trapezoid"),
    }
    if peers:
        out["ratios"]["gammaalps_over_exact"] = ratio("gammaalps_transfer", "exact")  # type: ignore[index]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1000, 4000])
    parser.add_argument("--no-peers", action="store_true", help="skip gammaALPs")
    options = parser.parse_args()
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version(), "numpy": np.__version__}
    for name in ("jax", "jaxlib", "equinox", "gammaalps"):
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    result = {
        "benchmark": "conversion",
        "energies": ENERGY.size,
        "nodes": {n: measure(n, not options.no_peers) for n in options.nodes},
        "processor": platform.processor() or platform.machine(),
        "versions": versions,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
