"""What do simulated observations of Quintuplet and Westerlund 1 give, and are their fits unbiased?

Prints one JSON line. For both targets at their real exposures, with backgrounds that reproduce the
published errors: expected limits against the published medians, with the factors in between;
what star positions and a tilted background template do; signed roots of fits in regions of 1.5, 2
and 3 arcmin, with and without the magnetar's mask, over many simulated data sets; and timings.

    python benchmarks/xray_simulated.py [--toys 400]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from diffaxion.analyses import (
    SimulationPlan,
    build_world,
    count_limits,
    expected_background,
    expected_signal,
    fit_counts,
    load_configuration,
    observation_settings,
    observation_world,
    published_background,
    read_observation,
    scan_signals,
    simulate_observation,
    synthetic_stars,
)
from diffaxion.analyses.count_images import count_images
from diffaxion.analyses.count_points import image_points
from diffaxion.analyses.xray_observation import Observation
from diffaxion.analyses.xray_simulation import draw_counts, stars_of
from diffaxion.data import load_cluster
from diffaxion.inference.counts import CountsToys, counts_curve
from diffaxion.inference.toys import pull_summary
from diffaxion.observables.xray import Pointing, nustar_psf
from diffaxion.products import published_star_cluster_limits, write_simulation
from diffaxion.provenance import versions

TARGETS = ("quintuplet", "wd1")

REGIONS = (1.5, 2.0, 3.0)
TILTS = {"east": (0.05, 0.0), "west": (-0.05, 0.0), "north": (0.0, 0.05), "south": (0.0, -0.05)}
MASS = 1e-13


def settings_for(signal: str = "anchored"):
    found = load_configuration("xray")
    return found.model_copy(update={"model": found.model.model_copy(update={"signal": signal})})


def observed(facts, stack, stars=None, radius: float = 2.0, masked: bool = True) -> Observation:
    """A stack in memory as if it had been read."""
    ra, dec = facts.position.ra, facts.position.dec
    stack = stack.cut(ra, dec, radius)
    masks = [(m.ra, m.dec, m.radius_arcmin) for m in facts.nustar.masks] if masked else []
    for mask in masks:
        stack = stack.exclude(*mask)
    region = (ra, dec, radius)
    return Observation(facts, stack, region, stars_of(facts, stars), nustar_psf(), "default")


def modelled(one: Observation, signal: str = "anchored"):
    own = observation_settings(settings_for(signal), [one], signal)
    return observation_world(own, [one])


def published_medians() -> dict:
    curves = published_star_cluster_limits()
    return {t: (c.m_a_eV, np.asarray(c.median)) for t, c in curves.items() if t in TARGETS}


def limits() -> dict:
    """Expected limits of noiseless data, and the factors to the published medians."""
    published = published_medians()
    masses = next(iter(published.values()))[0]
    low = masses <= 2e-11
    plain = load_configuration("xray")
    world = build_world(plain.model)
    gauss = scan_signals(world, plain, None, ("published", "anchored"), masses)
    found: dict = {}
    pairs: dict = {"anchored": [], "published": []}
    for target in TARGETS:
        facts = load_cluster(target)
        stack = expected_background(facts, SimulationPlan(pixel_factor=1))
        one = observed(facts, stack)
        row: dict = {"published_median": float(published[target][1][0])}
        for signal in ("published", "anchored"):
            own, images = modelled(one, signal)
            pairs[signal].append(one)
            scan = count_limits(own, images, masses)[0]
            pixel = np.asarray(scan.coupling.median)
            points = next(c for c in gauss[signal] if c.name == target)
            line = np.asarray(points.coupling.median)
            ratio = pixel / published[target][1]
            row[signal] = {
                "pixels": float(pixel[0]),
                "flux_points": float(line[0]),
                "pixels_over_published": float(ratio[0]),
                "pixels_over_published_to_2e-11_eV": [ratio[low].min(), ratio[low].max()],
                "pixels_over_flux_points": float(pixel[0] / line[0]),
            }
        row["factors"] = {
            "flux_points_of_published_signal_over_published_median": row["published"]["flux_points"]
            / row["published_median"],
            "anchored_over_published_signal": row["anchored"]["flux_points"]
            / row["published"]["flux_points"],
            "pixels_over_flux_points": row["anchored"]["pixels_over_flux_points"],
        }
        row["product_of_factors"] = float(np.prod(list(row["factors"].values())))
        row["counts_in_region"] = one.stack.rows(one.stack.counts)[0].sum(axis=1).tolist()
        level = published_background(facts)
        row["background_per_ks_keV_arcmin2"] = (1e3 * level.brightness).tolist()
        row["spread"] = star_spread(facts, stack, float(row["anchored"]["pixels"]))
        row["tilt"] = tilts(one)
        found[target] = row
    joint = {}
    for signal, observations in pairs.items():
        own = observation_settings(settings_for(signal), observations, signal)
        whole, images = observation_world(own, observations)
        scan = count_limits(whole, images, np.array([MASS]))[-1]
        points = next(c for c in gauss[signal] if c.name == "joint")
        joint[signal] = {
            "pixels": float(scan.coupling.median[0]),
            "flux_points": float(points.coupling.median[0]),
        }
    found["joint"] = joint
    return found


def star_spread(facts, stack, central: float) -> dict:
    """Expected limits over that of stars at the centre, for stars spread over it."""
    found = {}
    for sigma in (10.0, 20.0, 30.0):
        ratios = []
        for seed in range(3):
            own, images = modelled(observed(facts, stack, synthetic_stars(facts, sigma, seed)))
            scan = count_limits(own, images, np.array([MASS]))[0]
            ratios.append(float(scan.coupling.median[0]) / central)
        found[f"{sigma:g} arcsec"] = [min(ratios), max(ratios)]
    return found


def tilts(one: Observation) -> dict:
    """Shift of the best strength and change of limits with a template tilted by 5 per cent."""
    world, ((probe, points),) = modelled(one)
    response = probe.response(world)[None]
    flat = counts_curve(points, response).limit
    names = [n for image in probe.images for n in image.names]
    found = {}
    for name, tilt in TILTS.items():
        moved = {n: Pointing(background_tilt=jnp.array(tilt)) for n in names}
        tilted = image_points(probe, points, replace(world, pointings=moved))
        limit = counts_curve(tilted, response).limit
        found[name] = {
            "a_hat_over_sigma": float(limit.a_hat[0] / limit.sigma[0]),
            "g_95_change": float((limit.a_95[0] / flat.a_95[0]) ** 0.25 - 1.0),
            "g_median_change": float((limit.median[0] / flat.median[0]) ** 0.25 - 1.0),
        }
    return found


@eqx.filter_jit
def solved(toys: CountsToys, counts: jax.Array, strength: jax.Array):
    return jax.lax.map(lambda c: toys.solve(c, strength), counts)


def variants(toys: int) -> dict:
    """Signed roots of fits of the same simulated data in different regions and with masks."""
    found: dict = {}
    for target in TARGETS:
        facts = load_cluster(target)
        stars = synthetic_stars(facts, 20.0, 7)
        plan = SimulationPlan(radius_arcmin=max(REGIONS), pixel_factor=5)
        whole = expected_background(facts, plan)
        chosen = {f"{r:g} arcmin": (r, True) for r in REGIONS}
        if facts.nustar.masks:
            chosen["2 arcmin, magnetar not masked"] = (2.0, False)
        models = {}
        for name, (radius, masked) in chosen.items():
            one = observed(facts, whole, stars, radius, masked)
            world, ((probe, points),) = modelled(one)
            response = probe.response(world)
            median = float(counts_curve(points, response[None]).limit.median[0])
            models[name] = (radius, masked, points, response, median)
        middle = models["2 arcmin"]
        rates = np.asarray(probe.spectrum.response(world))
        unit = expected_signal(whole, rates, stars_of(facts, stars))
        truths = (("no signal", 0.0), ("expected limit", middle[4]))
        rows: dict = {name: {"g_median": 1e-12 * m[4] ** 0.25} for name, m in models.items()}
        for k, (label, strength) in enumerate(truths):
            first = 1_000_000 * (2 * TARGETS.index(target) + k)
            drawn: dict = {name: [] for name in models}
            for n in range(toys):
                data = draw_counts(whole, first + n, strength * unit if strength else None)
                for name, (radius, masked, *_) in models.items():
                    one = observed(facts, data, stars, radius, masked)
                    ra, dec, _ = one.region
                    drawn[name].append(count_images(one.stack, ra, dec).counts[0])
            for name, (_, _, points, response, median) in models.items():
                ones = jnp.ones(response.shape)
                experiment = CountsToys(points, median * response, ones)
                counts = jnp.asarray(np.stack(drawn[name]))
                fit = solved(experiment, counts, jnp.asarray(strength / median))
                fit = jax.tree.map(np.asarray, fit)
                pulls = pull_summary(fit)
                rows[name][label] = {
                    "data_sets": toys,
                    "not_converged": int(np.sum(~fit.good)),
                    "signed_root_mean": [float(pulls.mean.value), float(pulls.mean.error)],
                    "signed_root_width": [float(pulls.width.value), float(pulls.width.error)],
                    "mean_a_hat_over_truth": float(np.mean(fit.a_hat) * median / strength)
                    if strength
                    else None,
                }
        found[target] = rows
    return found


def timings() -> dict:
    """Wall seconds of a full-size case through files: three observations with two modules."""
    facts = load_cluster("wd1")
    clock = time.perf_counter()
    made = simulate_observation(facts, settings_for(), SimulationPlan(half_arcmin=4.0))
    simulated = time.perf_counter() - clock
    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter()
        write_simulation(Path(folder), made)
        written = time.perf_counter() - clock
        clock = time.perf_counter()
        one = read_observation(folder)
        read = time.perf_counter() - clock
    clock = time.perf_counter()
    world, images = modelled(one)
    fit_counts(world, images, np.array([MASS]))
    first = time.perf_counter() - clock
    clock = time.perf_counter()
    fit_counts(world, images, np.array([MASS]))
    return {
        "pixels_per_bin": int(one.stack.mask[0].sum()),
        "exposures": one.stack.n_exposures,
        "simulate_s": simulated,
        "write_s": written,
        "read_s": read,
        "first_fit_s": first,
        "fit_again_s": time.perf_counter() - clock,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toys", type=int, default=400)
    given = parser.parse_args()
    wall, cpu = time.perf_counter(), time.process_time()
    result = {
        "benchmark": "xray_simulated",
        "mass_eV": MASS,
        "limits": limits(),
        "variants": variants(given.toys),
        "timings": timings(),
    }
    result |= {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "versions": versions(),
    }
    print(json.dumps(result, default=float))


if __name__ == "__main__":
    main()
