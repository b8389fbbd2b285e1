"""How fast are screening spectra C_l^Tg and their gradients, what do they cost to compile?

One processor core, float64; CPU times, the best of several calls in milliseconds, compile times
CPU seconds. Grids:

- ``full``: 50 redshifts x 100 masses x 209 multipoles (configuration ``default`` otherwise);
- ``inference``: the grids of ``default`` (48 x 134) and the multipoles that the eleven bandpowers
  need, against the sum over every multipole.

The halos below the floor of the field enter nbar and the bias of the galaxies everywhere; the
screening side leaves them out, exactly. ``free`` names what varies and so is not prepared once:

- ``mass``: coupling and m_a; ``field``: these, gas and magnetic field; ``hod``: these and the
  occupation; ``truncation``: these and the radius of satellites; ``cosmology``: these and all
  parameters of the cosmology.

Peers: the same spectrum of ``parity`` in plain NumPy (``screening_numpy.py``), with roots by Newton
steps on all cells or by a bracketing search per cell, timed on a subset and scaled; the mass
function of colossus and hmf. The public code of the authors (arXiv:2409.10514) was not run: the
specification of this project quotes 3-6 s per mass for it, after minutes of set-up.

    python benchmarks/screening.py [--masses 70] [--no-peers]
"""

# ruff: noqa: E402  (threads and affinity must be set before NumPy and JAX start)
from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

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

from diffaxion.analyses.screening import (
    screening_curve,
    screening_spectrum,
    screening_world,
)
from diffaxion.analyses.screening_config import screening_section
from diffaxion.observables.cmb.bandpowers import top_hat_windows
from diffaxion.provenance import versions

FULL = {"n_z": 50, "n_mass": 100}
MASS_EV = 3.1e-13
CURVE_EV = (2e-13, 2.2e-12)
FREE = {
    "mass": ("axion",),
    "field": ("axion", "halos.gas", "halos.field"),
    "hod": (
        *("axion", "halos.gas", "halos.field", "halos.hod.alpha_s", "halos.hod.sigma_logM"),
        *("halos.hod.log10_m_min", "halos.hod.log10_m_1"),
    ),
    "truncation": ("axion", "halos.gas", "halos.field", "halos.hod"),
    "cosmology": ("axion", "halos.gas", "halos.field", "halos.hod", "cosmology"),
}
# Leaves of the field that are tables of its uncertainty, not parameters.
FIXED = ("halos.field.profile_dex", "halos.field.scatter_dex", "halos.field.profile_z")


def at(tree, path: str):
    """The node of a tree at a dotted path."""
    for name in path.split("."):
        tree = getattr(tree, name)
    return tree


def best_ms(function, *args, repeat: int = 40) -> float:
    """Smallest CPU time of a call [ms]."""
    times = []
    for _ in range(repeat):
        start = time.process_time()
        jax.block_until_ready(function(*args))
        times.append(time.process_time() - start)
    return round(1e3 * min(times), 3)


def timed(function, *args) -> dict[str, float]:
    """CPU time of tracing and compiling [s], and of a warm call [ms]."""
    start = time.process_time()
    jax.block_until_ready(function(*args))
    first = time.process_time() - start
    warm = best_ms(function, *args)
    return {"compile_s": round(first - 1e-3 * warm, 2), "ms": warm}


def split(world, free: tuple[str, ...]):
    """The world as free numbers and the rest."""
    mask = jax.tree.map(lambda _: False, world)
    for paths, value in ((free, True), (FIXED, False)):
        for path in paths:
            marked = jax.tree.map(lambda x, v=value: v and eqx.is_inexact_array(x), at(world, path))
            mask = eqx.tree_at(lambda w, p=path: at(w, p), mask, marked)
    return eqx.partition(world, mask)


def log_likelihood(free, rest, model, cache):
    """Something that looks like a likelihood: all multipoles of u C_l count."""
    world = eqx.combine(free, rest)
    return jnp.sum((world.axion.u * model.response(world, cache)) ** 2) / 1e-10


def gradients(world, model) -> dict[str, dict[str, float]]:
    """Forward and value and gradient for each set of free parameters."""
    out = {}
    for name, paths in FREE.items():
        free, rest = split(world, paths)
        cache = model.prepare(world, paths)
        args = free, rest, model, cache
        forward = timed(eqx.filter_jit(log_likelihood), *args)
        both = timed(eqx.filter_jit(eqx.filter_value_and_grad(log_likelihood)), *args)
        out[name] = {
            "parameters": int(sum(x.size for x in jax.tree.leaves(free))),
            "forward_compile_s": forward["compile_s"],
            "forward_ms": forward["ms"],
            "value_gradient_compile_s": both["compile_s"],
            "value_gradient_ms": both["ms"],
            "ratio": round(both["ms"] / forward["ms"], 2),
        }
    return out


def measure(section, ell, masses) -> dict[str, object]:
    """All timings of one grid."""
    world, model = screening_world(section, MASS_EV), screening_spectrum(section, ell)
    start = time.process_time()
    cache = jax.block_until_ready(model.prepare(world))
    first = time.process_time() - start
    out: dict[str, object] = {
        "grid": [model.integration.z.size, model.integration.mass_Msun.size, model.ell.size],
        "screening_masses": model.integration.mass_Msun.size - model.integration.n_low,
        "prepare": {
            "compile_s": round(first, 2),
            "ms": best_ms(lambda: model.prepare(world), repeat=5),
        },
        "curve": {"masses": masses.size, **timed(screening_curve, model, world, cache, masses)},
        "free": gradients(world, model),
    }
    return out


def agreement() -> float:
    """Largest difference of bandpowers from inference multipoles and from all multipoles."""
    section, windows = screening_section("default"), top_hat_windows()
    world, masses = screening_world(section), jnp.geomspace(*CURVE_EV, 12)

    def curve(ell):
        model = screening_spectrum(section, ell)
        return screening_curve(model, world, model.prepare(world), masses)

    # Bin by bin: one compilation, little memory.
    blocks = np.split(np.asarray(windows.window_ell), windows.ell_lo.size)
    a = windows.from_nodes(curve(windows.node_ell))
    b = windows.from_all(jnp.concatenate([curve(block) for block in blocks], axis=1))
    return float(jnp.max(jnp.abs(a / b - 1.0)))


def memory_MB(masses: int) -> dict[str, float]:
    """Peak resident memory of a fresh process that makes a curve."""
    command = [sys.executable, __file__, "--memory", str(masses)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def report_memory(count: int) -> None:
    """Peak memory before and after the curve, in this process."""
    section = screening_section("default", **FULL)
    world, model = screening_world(section), screening_spectrum(section, np.geomspace(10, 4000, 50))
    cache = model.prepare(world)
    masses = jnp.geomspace(*CURVE_EV, count)
    jax.block_until_ready(screening_curve(model, world, cache, masses))
    # Not the resource usage of the process, which begins with that of its parent.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024.0
    print(json.dumps({"masses": count, "peak_MB": round(peak, 1)}))


def numpy_peer(ell) -> dict[str, float]:
    """The same spectrum of ``parity`` without JAX."""
    import screening_numpy as peer

    section = screening_section("parity")
    world, model = screening_world(section, MASS_EV), screening_spectrum(section, ell)
    cache = model.prepare(world)

    def ours():
        return screening_curve(model, world, cache, jnp.array([MASS_EV]))

    value = np.asarray(ours())[0]
    start = time.process_time()
    fixed = peer.setup(ell)
    setup_s = time.process_time() - start
    ln_resonance, every = peer.ln_resonance_density(MASS_EV), 20
    cells = fixed.alpha.size
    subset = best_ms(peer.bracketed_roots, fixed, ln_resonance, every, repeat=3)
    count = len(range(0, cells, every))
    newton = best_ms(peer.newton_roots, fixed, ln_resonance)
    mine, theirs = best_ms(ours), best_ms(peer.spectrum, fixed, MASS_EV, repeat=5)
    bracketed = subset * cells / count
    return {
        "multipoles": ell.size,
        "max_difference": float(np.max(np.abs(peer.spectrum(fixed, MASS_EV) / value - 1.0))),
        "setup_s": round(setup_s, 2),
        "spectrum_ms": theirs,
        "newton_roots_ms": newton,
        "bracketed_roots_ms_scaled_from_subset": round(bracketed, 1),
        "bracketed_cells_timed": count,
        "diffaxion_ms": mine,
        "numpy_over_diffaxion": round(theirs / mine, 2),
        "numpy_with_bracketed_roots_over_diffaxion": round((theirs - newton + bracketed) / mine, 1),
    }


def abundance_peers() -> dict[str, object]:
    """dn/dM on 50 redshifts x 100 masses: ours from sigma(M) on, colossus, hmf."""
    z, mass = np.linspace(0.005, 1.9, 50), np.geomspace(1e9, 5e15, 100)
    world = screening_world(screening_section("default"))
    from diffaxion.environments.cosmology import mass_sigma

    @eqx.filter_jit
    def ours(world, mass, z):
        sigma = mass_sigma(world.cosmology, world.halos.power, mass, z)
        return world.halos.mass_function.density(world.cosmology, sigma, mass, z)

    out: dict[str, object] = {"diffaxion": timed(ours, world, jnp.asarray(mass), jnp.asarray(z))}
    with contextlib.suppress(ImportError):
        from colossus.cosmology import cosmology
        from colossus.lss import mass_function

        cosmology.setCosmology("planck18", persistence="")

        def colossus():
            return [
                mass_function.massFunction(
                    mass, x, mdef="200m", model="tinker08", q_in="M", q_out="dndlnM"
                )
                for x in z
            ]

        colossus()
        out["colossus_tinker08_warm_ms"] = best_ms(colossus, repeat=5)
    with contextlib.suppress(ImportError):
        import hmf

        function = hmf.MassFunction(
            Mmin=9, Mmax=15.7, dlog10m=0.067, transfer_model="EH", hmf_model="Tinker10"
        )

        def by_redshift():
            rows = []
            for x in z:
                function.update(z=float(x))
                rows.append(np.asarray(function.dndm))
            return rows

        by_redshift()
        out["hmf_tinker10_warm_ms"] = best_ms(by_redshift, repeat=3)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--masses", type=int, default=70, help="masses of the curve")
    parser.add_argument("--no-peers", action="store_true", help="skip NumPy, colossus and hmf")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory is not None:
        report_memory(options.memory)
        return
    load = os.getloadavg()[0]
    masses = jnp.geomspace(*CURVE_EV, options.masses)
    multipoles = np.geomspace(10.0, 4000.0, 209)
    result: dict[str, object] = {
        "benchmark": Path(__file__).stem,
        "full": measure(screening_section("default", **FULL), multipoles, masses),
        "inference": measure(screening_section("default"), top_hat_windows().node_ell, masses),
        "inference_max_difference": agreement(),
        "memory": [memory_MB(options.masses), memory_MB(10 * options.masses)],
    }
    if not options.no_peers:
        result["numpy"] = numpy_peer(multipoles)
        result["abundance"] = abundance_peers()
    result["load_average"] = [round(load, 2), round(os.getloadavg()[0], 2)]
    result["versions"] = versions()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
