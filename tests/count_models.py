"""Small count images of a cluster in a slab of uniform field, for tests of several rooms."""

from __future__ import annotations

import functools

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from diffaxion.analyses.count_images import build_counts, count_images, world_with_images
from diffaxion.data.image_stack import ImageStack
from diffaxion.data.sky_grid import SkyGrid
from diffaxion.environments.galaxy import Galaxy, UniformDensity, UniformField, uniform_fractions
from diffaxion.environments.stars import central_stars, star_field
from tests import xray_models as models

TARGET = "wd1"
RA, DEC = 251.76667, -45.85136
LOW = np.array([15.0, 20.0, 30.0])
HIGH = np.array([20.0, 30.0, 45.0])
PIXEL, HALF = 12.0, 10  # arcsec, pixels
SECONDS = 138e3
MODULES = ("FPMA", "FPMB")


def grid(shift=(0.0, 0.0), pixel=PIXEL, half=HALF):
    """A grid whose middle pixel is on the cluster, moved east and north [arcsec]."""
    step = pixel / 3600.0
    cd = np.array([[-step, 0.0], [0.0, step]])
    size = 2 * half + 1
    return SkyGrid(RA, DEC, float(half), float(half), cd, (size, size)).shifted(*shift)


def stack(level=3.0, shifts=((0.0, 0.0), (0.0, 0.0)), seed=1, radius=120.0, modules=MODULES):
    """Background counts of one observation with several modules; ``level`` per pixel."""
    grids = tuple(grid(s) for s in shifts)
    y, x = np.indices(grids[0].shape)
    tilt = 1.0 + 0.01 * (x - HALF) + 0.005 * (y - HALF)
    scale = level * np.array([1.0, 0.5, 0.2])
    one = scale[:, None, None] * tilt
    background = np.stack([one] * len(grids), axis=1)
    vignetting = 1.0 - 0.02 * np.hypot(x - HALF, y - HALF) / HALF
    drop = np.array([1.0, 0.9, 0.8])
    exposure = SECONDS * vignetting[None] * drop[:, None, None]
    exposure = np.stack([exposure] * len(grids), axis=1)
    counts = np.random.default_rng(seed).poisson(background).astype(float)
    inside = np.hypot(x - HALF, y - HALF) * PIXEL <= radius
    return ImageStack(
        counts,
        exposure,
        background,
        LOW,
        HIGH,
        grids,
        np.full(len(grids), SECONDS),
        tuple(modules[: len(grids)]),
        ("80201050008",) * len(grids),
        np.stack([inside] * len(grids)),
        nature="simulated",
    )


@functools.cache
def slab():
    """World of a uniform field and density."""
    galaxy = Galaxy(UniformField(jnp.array([1.0, -2.0, 0.5])), UniformDensity(0.04), 8.3)
    return eqx.tree_at(lambda w: w.galaxy, models.world(), galaxy)


def stars(number=1):
    """Stars at the centre, or spread over it."""
    if number == 1:
        return central_stars(RA, DEC, TARGET)
    rng = np.random.default_rng(0)
    east, north = rng.normal(0.0, 20.0 / 3600.0, (2, number))
    ra = RA + east / np.cos(np.radians(DEC))
    return star_field(ra, DEC + north, rng.lognormal(0.0, 0.7, number))


def built(by="exposure", number=1, given=None, **choices):
    """World, probe and counts."""
    found = given if given is not None else stack(**choices)
    images = count_images(found, RA, DEC, by)
    world = world_with_images(slab(), TARGET, images, stars(number))
    probe, points = build_counts(images, world, TARGET, uniform_fractions(32), energies_per_bin=1)
    return world, probe, points
