"""The Cobaya likelihood against our own density."""

import importlib.util
import math
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from diffaxion.analyses import cobaya_info, cobaya_names, cobaya_params, cobaya_prior
from diffaxion.analyses.cobaya_likelihood import _configured_analysis
from diffaxion.errors import ConfigurationError
from diffaxion.parameters import Bindings, UniformRoot, parse_prior
from tests import toy_analysis as toy

PRIORS = [
    {"dist": "normal", "mean": 4.6, "sigma": 0.3},
    {"dist": "lognormal", "median": 2.0, "sigma_ln": 0.4},
    {"dist": "uniform", "low": 1.0, "high": 5.0},
    {"dist": "uniform_root", "low": 0.0, "high": 5.0},
    {"dist": "log_uniform", "low": 0.5, "high": 50.0},
    {"dist": "half_normal_above", "edge": 1.5, "sigma": 2.0},
]
absent = importlib.util.find_spec("cobaya") is None
needs_cobaya = pytest.mark.skipif(absent, reason="cobaya is not installed (extra `adapters`)")


@pytest.fixture(scope="module")
def model():
    """Cobaya's model of the toy analysis."""
    from cobaya.model import get_model

    return get_model(cobaya_info(toy.analysis()) | {"debug": False, "stop_at_error": True})


@pytest.mark.parametrize("spec", PRIORS, ids=lambda s: s["dist"])
def test_priors_are_the_same_densities(spec):
    """Cobaya gives these blocks to scipy.stats."""
    prior, block = parse_prior(spec), cobaya_prior(parse_prior(spec))
    if "min" in block:
        low, high = block["min"], block["max"]
        frozen = stats.uniform(low, high - low)
    else:
        frozen = getattr(stats, block.pop("dist"))(**block)
    x = np.array([1.7, 2.4, 4.1])
    np.testing.assert_allclose(frozen.logpdf(x), [prior.log_prob(v) for v in x], rtol=1e-10)


def test_a_prior_without_a_form_is_refused():
    with pytest.raises(ConfigurationError, match=r"axion.u: Cobaya has no.*UniformRoot"):
        cobaya_prior(UniformRoot(1.0, 5.0), "axion.u")


def test_names_steps_and_labels():
    bindings = Bindings(
        {
            "galaxy.field.outer.b_arm_muG[3]": PRIORS[0],
            "clusters.wd1.distance_kpc": PRIORS[2],
            "clusters.wd1.tilt": 1.0,
        }
    )
    assert cobaya_names(bindings) == {
        "galaxy.field.outer.b_arm_muG[3]": "galaxy_field_outer_b_arm_muG_3",
        "clusters.wd1.distance_kpc": "clusters_wd1_distance_kpc",
    }
    block = cobaya_params(bindings)
    assert list(block) == [*cobaya_names(bindings).values(), "g_GeV"]
    distance = block["clusters_wd1_distance_kpc"]
    assert distance["ref"] == pytest.approx(3.0)
    assert distance["proposal"] == pytest.approx(0.6827 * 2.0, rel=1e-4)
    assert distance["latex"] == r"\mathrm{wd1\ }d\mathrm{\ [}\mathrm{kpc}\mathrm{]}"
    with pytest.raises(ConfigurationError, match=r"'a\.b_c'.*'a_b_c' is taken"):
        cobaya_names(Bindings({"a_b.c": PRIORS[0], "a.b_c": PRIORS[0]}))


@needs_cobaya
def test_log_posterior_is_ours(model):
    """ln L, ln prior in the parameters' units, and the derived coupling."""
    data = toy.analysis().data
    assert list(model.parameterization.sampled_params()) == list(
        cobaya_names(data.bindings).values()
    )
    for x in ([3.0, 0.2, 1.1], [0.0, -0.4, 0.8], [40.0, 0.0, 1.0]):
        values = dict(zip(data.bindings.names, x, strict=True))
        z = data.bindings.standardise(values)
        found = model.logposterior(x, cached=False)
        np.testing.assert_allclose(found.loglikes[0], data.loglike(z), rtol=1e-9)
        priors = zip(data.bindings.free_priors, x, strict=True)
        expected = sum(float(p.log_prob(jnp.asarray(v))) for p, v in priors)
        np.testing.assert_allclose(found.logpriors[0], expected, rtol=1e-9)
        np.testing.assert_allclose(found.logpost, found.loglikes[0] + expected, rtol=1e-12)
        np.testing.assert_allclose(found.derived, [1e-12 * math.sqrt(x[0])], rtol=1e-12)


@needs_cobaya
def test_outside_the_prior(model):
    assert model.logposterior([-1.0, 0.0, 1.0]).logpost == -np.inf


@needs_cobaya
def test_a_file_for_cobaya_builds_the_analysis_itself(monkeypatch):
    """Plain YAML: the likelihood is found by its name and asks for the configured analysis."""
    from cobaya.model import get_model
    from cobaya.yaml import yaml_dump, yaml_load

    from diffaxion.analyses import cobaya_likelihood

    asked = []

    def configured(*options):
        asked.append(options)
        return toy.analysis()

    monkeypatch.setattr(cobaya_likelihood, "_configured_analysis", configured)
    text = yaml_dump(cobaya_info(toy.analysis(), "mine.toml", sampled=True))
    built = get_model(yaml_load(text))
    assert asked == [("mine.toml", "sampled")]
    x = dict(zip(toy.PRIORS, (3.0, 0.2, 1.1), strict=True))
    named = {cobaya_names(toy.analysis().data.bindings)[k]: v for k, v in x.items()}
    z = toy.analysis().data.bindings.standardise(x)
    np.testing.assert_allclose(built.loglikes(named)[0], toy.analysis().loglike(z), rtol=1e-9)


@pytest.mark.slow
def test_the_configured_analysis_is_that_of_the_posteriors(tmp_path):
    path = tmp_path / "one.toml"
    path.write_text(
        "[likelihoods]\ncmb = 'none'\n[model]\ntargets = ['wd1']\n[mass]\nfixed_eV = 3e-13\n"
        "[priors.'clusters.wd1.ln_luminosity']\ndist = 'normal'\nmean = 0.0\nsigma = 0.2\n"
    )
    sampled, fixed = (_configured_analysis(str(path), mass) for mass in ("sampled", "fixed"))
    nuisance = "clusters.wd1.ln_luminosity"
    assert sampled.names == (nuisance, "axion.u", "axion.m_a_eV")
    assert fixed.names == (nuisance, "axion.u")
    assert float(fixed.data.world.axion.m_a_eV) == 3e-13
    assert [p.target for p in fixed.data.probes] == ["wd1"]
    with pytest.raises(ConfigurationError, match=r"mass = 'sampeld'.*'sampled'"):
        _configured_analysis(str(path), "sampeld")


def test_without_cobaya_the_extra_is_named(monkeypatch):
    from diffaxion.analyses import cobaya_likelihood

    monkeypatch.setitem(sys.modules, "cobaya", None)
    monkeypatch.setitem(sys.modules, "cobaya.likelihood", None)
    cobaya_likelihood._likelihood_class.cache_clear()
    with pytest.raises(ConfigurationError, match=r"pip install 'diffaxion\[adapters\]'"):
        cobaya_likelihood.DiffaxionLikelihood  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'Likelihood'"):
        cobaya_likelihood.Likelihood  # noqa: B018
