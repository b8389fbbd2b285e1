"""The error of a sampler's grid: found where it is, and small on the bundled grid."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.analyses import Analysis, build_probe, sampler_error
from diffaxion.analyses.config import NumericsSection
from diffaxion.analyses.joint_model import sampler_fractions
from diffaxion.environments.galaxy import (
    Galaxy,
    SumField,
    UniformDensity,
    UniformField,
    VerticalField,
    jf12_prior_widths,
    uniform_fractions,
)
from diffaxion.observables.xray import ClusterSpectrum, PublishedShape, fold_grid
from diffaxion.parameters import set_paths
from tests import xray_models as models

OUTER = "galaxy.field.outer."
WIDTHS = {
    "clusters.quintuplet.ln_luminosity": 0.209,
    "clusters.wd1.ln_luminosity": 0.137,
    "clusters.quintuplet.ln_density": 0.2,
    "clusters.wd1.ln_density": 0.2,
}
JF12 = ("b_x_muG", *(f"b_arm_muG[{k}]" for k in range(4)), "b_s_muG")


def priors():
    """Nuisances of the X-ray half: norms and strengths of the field together."""
    found = {p: {"dist": "normal", "mean": 0.0, "sigma": s} for p, s in WIDTHS.items()}
    found["clusters.wd1.distance_kpc"] = {"dist": "uniform", "low": 2.2, "high": 4.8}
    for norm in ("norm_x", "norm_disk"):
        found[OUTER + norm] = {"dist": "log_normal", "median": 1.0, "sigma_ln": 0.3}
    for path, (mean, sigma) in jf12_prior_widths().items():
        if path in JF12:
            found[OUTER + path] = {"dist": "normal", "mean": mean, "sigma": sigma}
    return found


def slab(energies):
    """Westerlund 1 behind a uniform medium whose vertical field has a free strength."""
    field = SumField((UniformField(jnp.array([0.5, -1.0, 0.0])), VerticalField(1.0)))
    galaxy = Galaxy(field, UniformDensity(0.04), 8.3)
    world = eqx.tree_at(lambda w: w.galaxy, models.world(), galaxy)
    spectrum = models.spectrum("wd1")
    curve = jnp.asarray(spectrum.curve)
    shape = PublishedShape(curve, jnp.full(curve.shape, 1e-4), jnp.array(2.6))
    grid = fold_grid(spectrum.low_keV, spectrum.high_keV, energies)
    fractions = uniform_fractions(20)
    probe = ClusterSpectrum("wd1", "nustar", grid, fractions, shape, None, energies)
    free = {"galaxy.field.parts[1].b_z_muG": {"dist": "normal", "mean": 1.0, "sigma": 0.5}}
    return Analysis(world, free, [probe], [spectrum.points])


def test_error_of_a_coarse_grid():
    """By NumPy, from the responses of both models at each draw.

    In a uniform medium the Filon rule is exact on any nodes: the error is that of one energy per
    bin, which at this mass misses the oscillations of p.
    """
    coarse, fine = slab(1), slab(5)
    z = jnp.asarray(np.random.default_rng(0).normal(size=(4, 1)))
    masses = np.array([1e-12, 2e-11, 3e-11, 4e-11])
    data, (direct,), (points,) = coarse.data, fine.data.probes, fine.data.points
    found = sampler_error(data, [direct], z, jnp.asarray(masses))
    errors, shifts = [], []
    for draw, mass in zip(z, masses, strict=True):
        world = set_paths(data.bindings.apply(data.world, draw), {"axion.m_a_eV": mass})
        ours, full = (np.asarray(models.response(p, world)) for p in (data.probes[0], direct))
        sigma, flux = np.asarray(points.scale), np.asarray(points.data)
        errors.append(np.linalg.norm((ours - full) / sigma) / np.linalg.norm(full / sigma))
        limits = []
        for r in (ours, full):
            width = np.linalg.norm(r / sigma) ** -1.0
            centre = max(np.sum(r * flux / sigma**2) * width**2, 0.0)
            limits.append((centre + 1.6448536269514722 * width) ** 0.25)
        shifts.append(limits[0] / limits[1] - 1.0)
    assert errors[0] < 5e-3 < 5e-2 < max(errors), errors
    np.testing.assert_allclose(found.response_worst["wd1"], max(errors), rtol=1e-6)
    np.testing.assert_allclose(
        found.response_rms["wd1"], np.sqrt(np.mean(np.square(errors))), rtol=1e-6
    )
    np.testing.assert_allclose(found.g_95_worst, np.max(np.abs(shifts)), rtol=1e-6)
    np.testing.assert_allclose(found.g_95_rms, np.sqrt(np.mean(np.square(shifts))), rtol=1e-6)
    assert found.draws == 4
    assert "on 4 draws: signal wd1" in found.describe()


def test_a_model_has_no_error_against_itself():
    """The cached path and the bound world, in the same program."""
    analysis = slab(5)
    found = sampler_error(analysis.data, analysis.data.probes, jnp.array([[-1.0], [2.0]]))
    assert max(found.response_worst["wd1"], found.g_95_worst) < 1e-10


@pytest.mark.slow
def test_the_bundled_grid_moves_no_limit():
    """g_95 within 0.3 % at every draw of the priors, from 1e-13 to 1e-11 eV; 60 draws a mass."""
    numerics = NumericsSection()
    world = models.world()
    probes = [
        build_probe(
            models.spectrum(t),
            world,
            "published",
            sampler_fractions(world, models.spectrum(t), numerics.sampler_nodes, 1e-11),
            numerics.sampler_energies_per_bin,
        )
        for t in models.TARGETS
    ]
    analysis = Analysis(
        world, priors(), probes, [models.spectrum(t).points for t in models.TARGETS]
    )
    assert all("field" in c for c in analysis.data.caches)
    direct = [models.probe(t) for t in models.TARGETS]
    z = jnp.asarray(np.random.default_rng(2).normal(size=(60, len(analysis.names))))
    for mass in (1e-13, 5e-12, 1e-11):
        found = sampler_error(analysis.data, direct, z, jnp.full(60, mass))
        assert found.g_95_worst < 3e-3, (mass, found.describe())
        assert found.response_rms["quintuplet"] < 1e-2
