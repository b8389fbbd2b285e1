"""How long do coupling matrices, covariances, apodisation and inpainting take?

One processor core, float64. CPU seconds: the first call with compilation, then the best of several.
For l_max 256, 512, 1024 (and 2048) on maps of nside l_max/2, masks to 3 nside - 1 as NaMaster has
them by default: nodes and polynomials, the coupling matrix, the full covariance of coupled spectra,
and what a measurement needs instead (decoupling and covariance of bandpowers without either
matrix). The five transforms of the masks and of their products are timed apart: NaMaster's figures
are quoted, measured elsewhere (pymaster 3.0.1, one core), and whether they hold transforms is not
known; ratios are given without and with ours. They compare different machines.

    python benchmarks/sky_pseudo_cl.py [--lmax 256 512 1024 2048] [--transforms 1024] [--out FILE]
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
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
with contextlib.suppress(AttributeError, OSError):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from diffaxion.sky import (
    MaskSpectra,
    apodise,
    binned_covariance,
    coupled_covariance,
    coupling_matrix,
    decouple,
    diffusive_inpaint,
    galactic_mask,
    inpainting_plan,
    legendre_grid,
    linear_bins,
    point_source_mask,
)
from diffaxion.sky.transforms import get_transforms

# Seconds of NaMaster: matrix, covariance coefficients, apodisation of two masks over 2 degrees.
QUOTED = {1024: (4.1, 7.0, 22.0), 512: (0.67, 0.99, 2.6)}
BIN = 12


def best(function, repeat: int = 5) -> tuple[float, float]:
    """CPU time of the first call and the smallest of the others [s]."""
    times = []
    for _ in range(repeat + 1):
        start = time.process_time()
        jax.block_until_ready(function())
        times.append(time.process_time() - start)
    return round(times[0], 4), round(min(times[1:]), 4)


def sharp_masks(nside: int) -> tuple[np.ndarray, np.ndarray]:
    """A cut in latitude, and a larger one with three wedges in longitude."""
    import healpy

    phi = healpy.pix2ang(nside, np.arange(12 * nside**2))[1]
    return galactic_mask(nside, 20.0), galactic_mask(nside, 25.0) * (np.sin(3 * phi) > -0.9)


def couplings(lmax: int, masks: tuple[np.ndarray, np.ndarray], transforms: bool) -> dict:
    """Times at one l_max."""
    nside, lmask = lmax // 2, 3 * lmax // 2 - 1
    quick = MaskSpectra(lmask)
    mask_cl = np.stack(
        [
            quick.spectrum((masks[0],), (masks[1],)),
            quick.spectrum((masks[0], masks[0]), (masks[1], masks[1])),
            quick.spectrum(masks, masks),
        ]
    )
    ell = np.arange(lmax + 1.0)
    spectra = jnp.asarray(np.outer([1.0, 1.09, 0.3, 0.3], 1.0 / (ell + 10.0) ** 2))
    bins = linear_bins(BIN, lmax)
    out: dict = {"nside": nside, "lmask": lmask, "bins": bins.size}

    start = time.process_time()
    grid = legendre_grid(lmax, lmask)
    out["setup_s"] = round(time.process_time() - start, 4)
    w, kernels = jnp.asarray(mask_cl[0]), jnp.asarray(mask_cl[1:])
    matrix = eqx.filter_jit(coupling_matrix)
    full = eqx.filter_jit(coupled_covariance)
    binned = eqx.filter_jit(binned_covariance)
    k = jnp.asarray(decouple(mask_cl[0], bins, grid).matrix)
    for name, call in (
        ("coupling_matrix", lambda: matrix(grid, w)),
        ("coupled_covariance", lambda: full(grid, spectra, kernels)),
        ("decoupling", lambda: decouple(mask_cl[0], bins, grid).matrix),
        ("bandpower_covariance", lambda: binned(grid, k, k, spectra, kernels)),
    ):
        out[f"{name}_first_s"], out[f"{name}_s"] = best(call)
    exact = np.asarray(k @ full(grid, spectra, kernels) @ k.T)
    short = np.asarray(binned(grid, k, k, spectra, kernels))
    out["difference_of_both_covariances"] = float(np.max(np.abs(exact - short)) / exact.max())
    matrices = out["setup_s"] + out["coupling_matrix_s"] + out["coupled_covariance_s"]
    out["matrix_and_covariance_s"] = round(matrices, 4)
    out["measurement_s"] = round(
        out["setup_s"] + out["decoupling_s"] + out["bandpower_covariance_s"], 4
    )
    quoted = QUOTED.get(lmax, ())
    if quoted:
        out["pymaster_quoted_s"] = {"matrix": quoted[0], "covariance": quoted[1]}
        out["quoted_over_matrix_and_covariance"] = round(sum(quoted[:2]) / matrices, 1)
        out["quoted_over_measurement"] = round(sum(quoted[:2]) / out["measurement_s"], 1)
    if transforms:
        for name in ("healpy", "ducc0"):
            with contextlib.suppress(Exception):
                spectra_of_masks = MaskSpectra(lmask, get_transforms(name))
                start = time.process_time()
                spectra_of_masks.spectrum((masks[0],), (masks[1],))
                spectra_of_masks.spectrum((masks[0], masks[0]), (masks[1], masks[1]))
                spectra_of_masks.spectrum(masks, masks)
                spent = time.process_time() - start
                out[f"five_mask_transforms_{name}_s"] = round(spent, 2)
                if quoted:
                    out[f"quoted_over_all_{name}"] = round(sum(quoted[:2]) / (matrices + spent), 1)
    return out


def fills(nside: int) -> dict:
    """Inpainting of a strip and of discs, 11 % of the sky, and of 8 maps with one plan."""
    rng = np.random.default_rng(1)
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))
    discs = point_source_mask(nside, rng.uniform(0, 360, 300), latitude, 60.0)
    valid = galactic_mask(nside, 5.0) * discs
    maps = rng.normal(size=(8, valid.size))
    plan = inpainting_plan(valid)
    return {
        "nside": nside,
        "share_of_sky": round(float(1.0 - valid.mean()), 3),
        "sweeps": plan.sweeps,
        "plan_s": best(lambda: inpainting_plan(valid), 3)[1],
        "front_s": best(lambda: diffusive_inpaint(maps[0], plan), 3)[1],
        "eight_maps_s": best(lambda: diffusive_inpaint(maps, plan), 3)[1],
        "laplace_s": best(lambda: diffusive_inpaint(maps[0], plan, "laplace"), 3)[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lmax", type=int, nargs="+", default=[256, 512, 1024, 2048])
    parser.add_argument("--transforms", type=int, default=1024, help="up to which l_max")
    parser.add_argument("--out", type=Path, help="write the line to a file as well")
    options = parser.parse_args()
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version(), "numpy": np.__version__}
    for name in ("jax", "jaxlib", "healpy", "scipy", "ducc0"):
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    load = os.getloadavg()[0]
    couple, apodised = {}, {}
    for lmax in options.lmax:
        sharp = sharp_masks(lmax // 2)
        start = time.process_time()
        masks = (apodise(sharp[0], 2.0), apodise(sharp[1], 2.0))
        apodised[lmax // 2] = {"two_masks_s": round(time.process_time() - start, 3)}
        if lmax in QUOTED:
            apodised[lmax // 2]["pymaster_quoted_s"] = QUOTED[lmax][2]
        couple[lmax] = couplings(lmax, masks, lmax <= options.transforms)
    result = {
        "benchmark": "sky_pseudo_cl",
        "coupling": couple,
        "apodisation_C1_2deg": apodised,
        "inpainting": fills(128),
        "quoted": "pymaster 3.0.1, one core of another machine",
        "peak_memory_MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, 1),
        "processor": platform.processor() or platform.machine(),
        "load_average": [round(load, 2), round(os.getloadavg()[0], 2)],
        "versions": versions,
    }
    line = json.dumps(result)
    print(line)
    if options.out:
        options.out.write_text(line + "\n")


if __name__ == "__main__":
    main()
