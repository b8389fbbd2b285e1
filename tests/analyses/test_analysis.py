"""Assembled densities: likelihood plus priors, the same for every sampler, whatever is cached."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer.util import initialize_model
from scipy.stats import norm

from diffaxion.analyses import (
    Analysis,
    Recipe,
    axion_priors,
    build_probe,
    configured_bindings,
    coupling_moments,
    load_configuration,
    logdensity,
    numpyro_model,
)
from diffaxion.environments.galaxy import (
    Galaxy,
    UniformDensity,
    UniformField,
    uniform_fractions,
)
from diffaxion.errors import ConfigurationError
from diffaxion.parameters import Tie, get_path
from tests import xray_models as models

# Single parameters of JF12 and of the inner kiloparsec in place of the bundled norms.
SINGLE = {
    "galaxy.field.outer.b_x_muG": {"dist": "normal", "mean": 4.6, "sigma": 0.3},
    "galaxy.field.outer.b_arm_muG[3]": {"dist": "normal", "mean": -0.8, "sigma": 0.3},
    "galaxy.field.inner.b_z_muG": {"dist": "log_uniform", "low": 3.0, "high": 100.0},
}
NORMS = ("galaxy.field.outer.norm_x", "galaxy.field.outer.norm_disk")
SIZE = 10
ATTEMPTS = 0.8 * np.random.default_rng(4).normal(size=(3, SIZE))
responses = jax.jit(lambda data, z: data.responses(z)[1])
density = jax.jit(logdensity)
gradient = jax.jit(jax.grad(logdensity, argnums=1))


@pytest.fixture(scope="module")
def analysis():
    """The bundled configuration with other parameters of the field, on the sampler's grid."""
    bundled = load_configuration("xray")
    priors = {p: v for p, v in bundled.priors.items() if p not in NORMS} | SINGLE
    configuration = bundled.model_copy(update={"priors": priors})
    spectra = [models.spectrum(t) for t in models.TARGETS]
    recipe = Recipe(configuration, models.world(), spectra, None, None, None)
    return recipe.analysis(axion_priors(configuration, sampled=True))


@pytest.fixture(scope="module")
def slab():
    """Uniform field and density: where only the bookkeeping of paths matters."""
    galaxy = Galaxy(UniformField(jnp.array([1.0, -2.0, 0.5])), UniformDensity(0.04), 8.3)
    return eqx.tree_at(lambda w: w.galaxy, models.world(), galaxy)


def assemble(world, priors, ties=None, mode="published"):
    """Analysis of Westerlund 1 in some world."""
    spectrum = models.spectrum("wd1")
    probe = build_probe(spectrum, world, mode, uniform_fractions(64), 2)
    return Analysis(world, priors, [probe], [spectrum.points], ties)


def compare(data, z, *tolerance):
    """Cached responses against those of the bound world without a cache."""
    world = data.bindings.apply(data.world, jnp.asarray(z))
    found = responses(data, jnp.asarray(z))
    for probe, cached, allowed in zip(data.probes, found, tolerance, strict=True):
        np.testing.assert_allclose(cached, models.response(probe, world), rtol=allowed)
    return world


def test_log_density_is_likelihood_plus_priors(analysis):
    data = analysis.data
    for z in ATTEMPTS:
        world = data.bindings.apply(data.world, jnp.asarray(z))
        expected = norm.logpdf(z).sum()
        for probe, signal in zip(data.probes, responses(data, z), strict=True):
            points = models.spectrum(probe.target).points
            expected += norm.logpdf(points.data, float(world.axion.a) * signal, points.scale).sum()
        np.testing.assert_allclose(density(data, z), expected, rtol=1e-10)


def test_numpyro_has_the_same_density(analysis):
    """The potential is minus the log density of z, without any constant."""
    info = initialize_model(
        jax.random.key(0),
        numpyro_model,
        dynamic_args=True,
        model_args=(analysis.data,),
        validate_grad=False,
    )
    assert set(info.param_info.z) == {f"{name}_std" for name in analysis.names}
    potential = jax.jit(lambda data, z: info.potential_fn(data)(z))
    for z in ATTEMPTS:
        sites = {f"{name}_std": z[k] for k, name in enumerate(analysis.names)}
        np.testing.assert_allclose(
            potential(analysis.data, sites), -density(analysis.data, z), rtol=1e-12
        )


def test_gradient_against_differences_and_at_the_edges(analysis):
    """Near u = 0, at both ends of the mass, of the distance, and 5 sigma out."""
    names, step = analysis.names, 1e-5
    z = 0.3 * ATTEMPTS[0]
    # Where the likelihood neither is flat nor overwhelms the differences.
    z[names.index("axion.u")] = -2.2
    slope = np.asarray(gradient(analysis.data, z))
    for k in range(len(names)):
        ends = (density(analysis.data, z + s * step * np.eye(SIZE)[k]) for s in (1, -1))
        numeric = float(np.subtract(*ends)) / (2 * step)
        np.testing.assert_allclose(slope[k], numeric, rtol=1e-5, atol=1e-5, err_msg=names[k])
    for name, values in {
        "axion.u": (-40.0, -8.0, 5.0),
        "axion.m_a_eV": (-9.0, 9.0),
        "clusters.wd1.distance_kpc": (-9.0, 9.0),
        "galaxy.field.outer.b_x_muG": (-5.0, 5.0),
        "clusters.quintuplet.ln_density": (-5.0, 5.0),
    }.items():
        for value in values:
            there = np.where(np.arange(SIZE) == names.index(name), value, z)
            assert np.isfinite(density(analysis.data, there)), (name, value)
            assert np.all(np.isfinite(gradient(analysis.data, there))), (name, value)
    # Without axions the data know nothing: the gradient is that of the prior.
    dark = np.where(np.arange(SIZE) == names.index("axion.u"), -40.0, z)
    np.testing.assert_allclose(gradient(analysis.data, dark), -dark, atol=1e-10)


def test_explain_lists_priors_and_what_is_cached(analysis):
    *rows, last = analysis.explain()
    kept = [p for p in load_configuration("xray").priors if p not in NORMS]
    assert [r["path"] for r in rows] == [*kept, *SINGLE, "axion.u", "axion.m_a_eV"]
    by_path = {r["path"]: r for r in rows}
    assert by_path["clusters.quintuplet.ln_luminosity"]["width"] == pytest.approx(0.209)
    assert by_path["clusters.wd1.distance_kpc"]["unit"] == "kpc"
    assert by_path["clusters.wd1.distance_kpc"]["prior"] == "Uniform(2.2, 4.8)"
    assert last["cached"] == {t: ["electrons", "field", "weights"] for t in models.TARGETS}


def test_moments_describe_the_likelihood_exactly(analysis):
    """ln L(a) = const + S a - I a^2/2 at fixed nuisances and mass."""
    found = coupling_moments(analysis.data, jnp.asarray(ATTEMPTS))
    score, information = found.score, found.information
    column = analysis.names.index("axion.u")
    for k, z in enumerate(ATTEMPTS):
        values = []
        for z_u in (-40.0, -2.5, -1.8):
            there = np.where(np.arange(SIZE) == column, z_u, z)
            a = float(analysis.data.bindings.apply(analysis.data.world, there).axion.a)
            parabola = float(score[k]) * a - 0.5 * float(information[k]) * a**2
            loglike = float(density(analysis.data, there)) - norm.logpdf(there).sum()
            values.append(loglike - parabola)
        np.testing.assert_allclose(values[1:], values[0], rtol=1e-9)


def test_tabulated_fields_follow_amplitudes_and_distance(analysis):
    """B is affine in three amplitudes; the Wd1 distance moves along the table.

    Electrons come from a linear table of 4001 nodes: 1e-5 for the Quintuplet, 1e-7 for Wd1.
    """
    fields = [cache["field"] for cache in analysis.data.caches]
    # The inner kiloparsec is on the way to the Quintuplet only.
    assert [f.shapes_muG.shape[-1] for f in fields] == [3, 2]
    for z in ATTEMPTS:
        world = compare(analysis.data, z, 2e-5, 1e-6)
    for name in ("galaxy.field.inner.b_z_muG", "clusters.wd1.distance_kpc", *SINGLE):
        k = analysis.names.index(name)
        expected = analysis.data.bindings.free_priors[k].from_standard(ATTEMPTS[-1][k])
        np.testing.assert_allclose(get_path(world, name), expected)


def test_scale_lengths_and_densities_are_not_tabulated():
    """B is not affine in a scale length; with a free density nothing along the line is fixed."""
    length = {"galaxy.field.outer.r_x_kpc": {"dist": "normal", "mean": 2.9, "sigma": 0.1}}
    thick = {"galaxy.density.thick.n_cm3": {"dist": "normal", "mean": 0.01132, "sigma": 0.001}}
    for priors, cached in ((length, {"electrons", "weights"}), (length | thick, {"weights"})):
        (cache,) = assemble(models.world(), priors).data.caches
        assert set(cache) == cached


def test_fixed_and_tied_distances_reach_the_caches(slab):
    """Both move the source, and with it the nodes."""
    fixed = assemble(slab, {"clusters.wd1.distance_kpc": 3.3})
    assert set(fixed.data.caches[0]) == {"path", "weights"}
    world = compare(fixed.data, [], 1e-10)
    assert float(world.clusters["wd1"].distance_kpc) == 3.3
    tied = assemble(
        slab,
        {"clusters.quintuplet.distance_kpc": {"dist": "normal", "mean": 8.3, "sigma": 0.2}},
        {"clusters.wd1.distance_kpc": Tie("clusters.quintuplet.distance_kpc", -1.0, 11.2)},
    )
    assert float(tied.data.caches[0]["electrons"][0][-1]) > 4.4
    world = compare(tied.data, [-1.5], 1e-10)
    assert float(world.clusters["wd1"].distance_kpc) == pytest.approx(3.2)


def test_a_bound_column_absorbs(slab):
    """The probe was built for a world without hydrogen."""
    prior = {"dist": "uniform", "low": 0.0, "high": 10.0}
    data = assemble(slab, {"clusters.wd1.column_1e22_cm2": prior}).data
    assert data.probes[0].absorption
    thin, thick = (responses(data, jnp.array([z]))[0] for z in (-3.0, 3.0))
    assert np.all(np.asarray(thick) < np.asarray(thin))


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ({"galaxy.field.outer.norm_z": 1.0}, "norm_x"),
        ({"cluster.wd1.distance_kpc": 2.6}, "clusters.wd1.distance_kpc"),
        ({"galaxy.field.outer.b_arm_muG": 1.0}, r"one element at a time.*b_arm_muG\[0\]"),
        ({"clusters.wd1.distance_kpc": {"dist": "uniform", "low": 3, "high": 4}}, "outside its pr"),
        ({"clusters.wd1.tilt": {"dist": "normal", "mean": 0, "sigma": 0.5}}, "anchored"),
        ({"instruments.nustar.ln_area": {"dist": "normal", "mean": 0, "sigma": 0.1}}, "no effect"),
    ],
)
def test_priors_that_are_refused(priors, message):
    with pytest.raises(ConfigurationError, match=message):
        assemble(models.world(), priors)


def test_stellar_nuisances_belong_to_the_anchored_signal(slab):
    tilt = {"clusters.wd1.tilt": {"dist": "normal", "mean": 0.0, "sigma": 0.5}}
    data = assemble(slab, tilt, mode="anchored").data
    soft, hard = (np.asarray(responses(data, jnp.array([z]))[0]) for z in (-1.0, 1.0))
    assert np.all(np.diff(hard / soft) > 0.0)
    assert hard[-1] > 1.5 * soft[-1]


def test_axion_paths_have_their_own_sections():
    for path, section in (("axion.u", "coupling"), ("axion.m_a_eV", "mass")):
        configuration = load_configuration().model_copy(update={"priors": {path: 1.0}})
        with pytest.raises(ConfigurationError, match=rf"\[{section}\]"):
            configured_bindings(configuration, models.world())
