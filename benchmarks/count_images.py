"""Images of a full observation, regions of other sizes, and many pseudo-experiments.

1. Three observations x two modules x 14 bins of 2.46" pixels within 2': templates, flux points,
   limits at one mass and at 70, with each image its own background and with all images summed.
2. Regions of 1.5', 2', 3' and a masked neighbour, 12" pixels: is an injected signal recovered
   without bias, and does the limit move as it should?
3. A background tilted by 5 % that the template does not know: what the limit does.
4. Pseudo-experiments on the reference data set, with the memory that they take.

Prints one JSON line per part; wall and CPU seconds are separate. All data are simulated.

    python benchmarks/count_images.py ../shared/data/stats/xray_toy_ref.npz [--toys 100000]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import jax
import jax.numpy as jnp
import numpy as np

from diffaxion.analyses import (
    build_counts,
    build_world,
    count_flux,
    count_images,
    world_with_images,
)
from diffaxion.analyses.config import ModelSection
from diffaxion.data.image_stack import ImageStack
from diffaxion.data.sky_grid import SkyGrid
from diffaxion.environments.galaxy import uniform_fractions
from diffaxion.environments.stars import star_field
from diffaxion.inference.counts import CountsToys, counts_curve
from diffaxion.inference.toys import coverage, pseudo_experiments, pull_summary
from diffaxion.likelihoods import TemplatePoisson, merge_empty, merge_similar, pack_pixels
from diffaxion.provenance import versions

TARGET, RA, DEC = "quintuplet", 266.557917, -28.83
LOW = np.arange(10.0, 80.0, 5.0)
FINE, COARSE = 2.4588, 12.0  # arcsec
SECONDS, MASSES, STARS = 39e3 / 3.0, 70, 71
# Counts of the reference data in a region of 2', of one exposure in six.
LEVEL = np.array([1994, 818, 643, 664, 564, 391, 350, 409, 233, 321, 284, 272, 203, 196]) / 6.0


def timed(function, *args) -> tuple:
    """Result, wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = jax.block_until_ready(function(*args))
    return result, time.perf_counter() - wall, time.process_time() - cpu


def twice(function, *args) -> tuple[object, dict]:
    """Result, and seconds of the first and of a warm call."""
    _, first, first_cpu = timed(function, *args)
    result, warm, warm_cpu = timed(function, *args)
    names = ("first_s", "first_cpu_s", "warm_s", "warm_cpu_s")
    return result, dict(zip(names, (first, first_cpu, warm, warm_cpu), strict=True))


def stars():
    """Stars of the size of the target, spread as a cluster is; simulated."""
    rng = np.random.default_rng(0)
    east, north = rng.normal(0.0, 12.0 / 3600.0, (2, STARS))
    ra = RA + east / np.cos(np.radians(DEC))
    return star_field(ra, DEC + north, rng.lognormal(0.0, 0.7, STARS), "simulated stars")


def stack(pixel: float, radius_arcmin: float, exposures: int, seed: int = 1) -> ImageStack:
    """Background counts on a tilted plane, with vignetting; simulated."""
    half = int(np.ceil(60.0 * radius_arcmin / pixel)) + 1
    size, step, rng = 2 * half + 1, pixel / 3600.0, np.random.default_rng(seed)
    cd = np.array([[-step, 0.0], [0.0, step]])
    grid = SkyGrid(RA, DEC, float(half), float(half), cd, (size, size))
    y, x = np.indices((size, size)) - half
    distance = np.hypot(x, y) * pixel / 60.0  # arcmin
    per_pixel = (LEVEL / (np.pi * 4.0)) * (pixel / 60.0) ** 2
    shape = 1.0 + (0.15 * x + 0.10 * y) * pixel / 60.0 / 4.0
    background = np.stack([per_pixel[:, None, None] * shape] * exposures, axis=1)
    vignetting = (1.0 - 0.03 * distance)[None, None] * np.ones((14, exposures, 1, 1)) * SECONDS
    grids = tuple(grid.shifted(0.3 * k, -0.2 * k) for k in range(exposures))
    return ImageStack(
        rng.poisson(background).astype(float),
        vignetting,
        background,
        LOW,
        LOW + 5.0,
        grids,
        np.full(exposures, SECONDS),
        tuple("FPMA" if k % 2 == 0 else "FPMB" for k in range(exposures)),
        tuple(f"simulated{k // 2}" for k in range(exposures)),
        np.stack([distance <= radius_arcmin] * exposures),
        nature="simulated",
    )


def build(given: ImageStack, by: str):
    """World, probe and counts."""
    images = count_images(given, RA, DEC, by)
    world = world_with_images(build_world(ModelSection(targets=[TARGET])), TARGET, images, stars())
    probe, points = build_counts(images, world, TARGET, uniform_fractions(200), energies_per_bin=2)
    return world, probe, points


def mock_responses(probe) -> np.ndarray:
    """Counts of each row for 70 masses: a falling spectrum with the phase of a sight line."""
    energy = np.asarray(probe.spectrum.grid.low_keV) + 2.5
    mass = np.logspace(-13, -9, MASSES)
    phase = mass[:, None] ** 2 / (2e3 * energy) * 0.5 * 1.563e26 / 2.0

    def lobe(z):
        return np.sinc(z / np.pi) ** 2

    curve = (0.6 * lobe(0.3 * phase) + 0.4 * lobe(0.11 * phase)) * energy**-1.0
    rows = np.stack([np.asarray(probe.counts(jnp.asarray(c))) for c in curve])
    return rows * 60.0 / rows[0].sum()


def full_size() -> dict:
    """Part 1."""
    given = stack(FINE, 2.0, 6)
    out: dict = {"part": "full_size", "images": 6, "bins": 14, "stars": STARS,
                 "pixels_per_image": int(given.mask[0].sum())}  # fmt: skip
    for by in ("exposure", "all"):
        (_, probe, points), seconds, cpu = timed(build, given, by)
        record: dict = {"rows": points.counts.shape[0], "build_s": seconds, "build_cpu_s": cpu}
        _, record["flux_points"] = twice(count_flux, probe, points)
        (small, groups), record["merge_s"], _ = timed(
            lambda p: (pack_pixels(merge_empty(p)), pack_pixels(merge_similar(p))), points
        )
        record["pixels"] = points.counts.size
        record["pixels_merged"] = [small.counts.size, groups.counts.size]
        responses = jnp.asarray(mock_responses(probe))

        def curve(m, e, r):
            return counts_curve(m, r, expected=e).limit

        for count in (1, MASSES):
            chosen = responses[:count]
            limit, record[f"limits_{count}_masses"] = twice(curve, small, groups, chosen)
        direct, record["one_limit_without_merging"] = twice(
            lambda p, r: counts_curve(p, r).limit, points, responses[:1]
        )
        record["largest_change_by_merging"] = [
            abs(float(getattr(limit, n)[0] / getattr(direct, n)[0] - 1.0))
            for n in ("a_95", "median")
        ]
        out[f"by_{by}"] = record
    return out


def regions(toys: int) -> dict:
    """Part 2."""
    whole, out = stack(COARSE, 3.0, 1), {"part": "regions", "toys": toys, "pixel_arcsec": COARSE}
    rows = []
    for name, radius, excluded in (
        ("1.5 arcmin", 1.5, None),
        ("2 arcmin", 2.0, None),
        ("3 arcmin", 3.0, None),
        ("2 arcmin, neighbour masked", 2.0, (RA, DEC + 1.61 / 60.0, 0.5)),
    ):
        given = whole.cut(RA, DEC, radius)
        given = given if excluded is None else given.exclude(*excluded)
        _, probe, points = build(given, "all")
        response = mock_responses(probe)[0]
        ideal = points.with_data(points.background_template)
        found = counts_curve(ideal, jnp.asarray(response)[None]).limit
        median = float(found.median[0])
        experiment = CountsToys(points, jnp.asarray(response), jnp.ones(14))
        fit = pseudo_experiments(
            experiment.simulate, experiment.solve, median, toys, seed=5, block=500
        )
        pulls, cover = pull_summary(fit), coverage(fit)
        sigma = float(np.std(fit.a_hat))
        flux = count_flux(probe, points)
        rows.append(
            {
                "region": name,
                "pixels": int(points.counts.shape[1]),
                "containment": float(points.signal_template[0].sum()),
                "a_median": median,
                "bias_in_sigma": float(np.mean(fit.a_hat) - median) / sigma,
                "bias_error": float(1.0 / np.sqrt(toys)),
                "signed_root_mean": [float(pulls.mean.value), float(pulls.mean.error)],
                "signed_root_width": [float(pulls.width.value), float(pulls.width.error)],
                "coverage": [float(cover.value), float(cover.error)],
                "observed_total_flux": float(np.sum(flux.flux)),
                "its_error": float(np.sqrt(np.sum(flux.sigma**2))),
            }
        )
    return {**out, "regions": rows}


def tilts() -> dict:
    """Part 3."""
    _, probe, points = build(stack(COARSE, 2.0, 1), "all")
    r = jnp.asarray(mock_responses(probe)[:1])
    across = np.asarray(probe.images[0].across)
    shape = np.asarray(points.background_template)
    limits = {}
    for tilt in (-0.05, 0.0, 0.05):
        true = shape * (1.0 + tilt * across[0])
        limits[tilt] = float(counts_curve(points.with_data(jnp.asarray(true)), r).limit.a_95[0])
    shifts = {str(t): float((a / limits[0.0]) ** 0.25 - 1.0) for t, a in limits.items()}
    return {"part": "tilts", "change_of_g95": shifts}


def many_toys(path: Path, count: int) -> dict:
    """Part 4."""
    with np.load(path, allow_pickle=False) as f:
        c, t, b, r = (f[k] for k in ("c", "S", "B", "r"))
    model = TemplatePoisson.from_maps(c, t, b)
    experiment = CountsToys(model, jnp.asarray(r[0]), jnp.ones(14))
    memory = []

    def watch(done: int, _: int) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
        if not memory or done >= (len(memory)) * count / 10.0:
            memory.append(round(peak, 1))

    pseudo_experiments(experiment.simulate, experiment.solve, 0.0, 250)
    fit, wall, cpu = timed(
        lambda: pseudo_experiments(
            experiment.simulate, experiment.solve, 0.0, count, seed=3, progress=watch
        )
    )
    cover = coverage(fit)
    return {
        "part": "pseudo_experiments",
        "number": count,
        "wall_s": wall,
        "cpu_s": cpu,
        "cpu_s_on_two_cores": cpu / 2.0,
        "per_cpu_s": count / cpu,
        "not_converged": int(np.sum(~fit.good)),
        "coverage": [float(cover.value), float(cover.error)],
        "negative_limits": float(np.mean(fit.a_95 <= 0.0)),
        "peak_memory_MB_at_tenths": memory,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--toys", type=int, default=100000)
    parser.add_argument("--region-toys", type=int, default=4000)
    parser.add_argument("--parts", nargs="+", default=["full", "regions", "tilts", "toys"])
    given = parser.parse_args()
    parts = {
        "full": full_size,
        "regions": lambda: regions(given.region_toys),
        "tilts": tilts,
        "toys": lambda: many_toys(given.reference, given.toys),
    }
    found = []
    for name in given.parts:
        record = parts[name]() | {"load": os.getloadavg()}
        found.append(record)
        print(json.dumps(record), flush=True)
    print(
        json.dumps(
            {
                "benchmark": Path(__file__).stem,
                "parts": found,
                "cores": os.cpu_count(),
                "versions": versions(),
            }
        )
    )


if __name__ == "__main__":
    main()
