"""Count images that a configuration names: what takes part, and how."""

import re

import numpy as np
import pytest

from diffaxion.analyses import limits_with_nuisances, parse_configuration
from diffaxion.analyses.configured_images import (
    check_flux_points,
    configured_observations,
    configured_spectra,
    image_recipe,
    with_configured_images,
)
from diffaxion.data import bundled_observation, cluster_text, read_flux_points
from diffaxion.errors import ConfigurationError
from diffaxion.products.joint_curves import nuisance_curves

FOLDER = str(bundled_observation())
TILT = "pointings.obs40010005001_FPMA.background_tilt[1]"


def configuration(priors=None, **model):
    values = {
        "model": {"signal": "anchored", **model},
        "likelihoods": {"xray": [FOLDER], "cmb": "none"},
        "numerics": {"nodes": 100, "energies_per_bin": 1, "sampler_nodes": 32},
        "priors": priors or {},
    }
    return parse_configuration(values)


def test_targets_are_those_of_the_images(tmp_path):
    settings = configuration()
    (one,) = configured_observations(settings)
    own = with_configured_images(settings, [one])
    assert own.model.targets == ["quintuplet"]
    path = tmp_path / "mine.toml"
    path.write_text(cluster_text("quintuplet").replace("distance_kpc = 8.3", "distance_kpc = 8.2"))
    described = configuration(clusters={"quintuplet": str(path)})
    (other,) = configured_observations(described)
    assert other.facts.sightline.distance_kpc == 8.2
    published = parse_configuration({})
    assert configured_observations(published) == []
    assert with_configured_images(published, []) is published
    assert [s.target for s in configured_spectra(published)] == ["quintuplet", "wd1"]


def test_refusals():
    for pair in (["a", "./a"], ["bundled", FOLDER]):
        data = configuration().likelihoods.model_copy(update={"xray": pair})
        twice = configuration().model_copy(update={"likelihoods": data})
        with pytest.raises(ConfigurationError, match="a folder is named twice"):
            configured_observations(twice)
    settings = configuration({TILT: {"dist": "normal", "mean": 0.0, "sigma": 0.05}})
    observations = configured_observations(settings)
    with pytest.raises(ConfigurationError, match=re.escape(TILT)):
        check_flux_points(with_configured_images(settings, observations), observations)
    plain = configuration()
    with pytest.raises(ConfigurationError, match="several folders of one target"):
        check_flux_points(plain, observations * 2)


@pytest.mark.slow
def test_posteriors_take_flux_points(tmp_path):
    """The points of `xray flux`, symmetric errors, no published curve."""
    from diffaxion.cli import main

    settings = configuration()
    observations = configured_observations(settings)
    (spectrum,) = configured_spectra(with_configured_images(settings, observations), observations)
    assert main(["xray", "flux", FOLDER, "--coupling", "0", "--out", str(tmp_path / "f")]) == 0
    points = read_flux_points(tmp_path / "f/flux_points.ecsv")
    np.testing.assert_allclose(np.asarray(spectrum.points.data), points.flux, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(spectrum.points.scale), points.error, rtol=1e-6)


@pytest.mark.slow
def test_profiles_take_pixels():
    """Nuisances of the templates widen the limit; there is no Bayesian curve beside it."""
    luminosity = {"clusters.quintuplet.ln_luminosity": {"dist": "normal", "mean": 0, "sigma": 0.2}}
    tilt = {TILT: {"dist": "normal", "mean": 0.0, "sigma": 0.2}}
    limits = []
    for priors in (luminosity, luminosity | tilt):
        settings = configuration(priors)
        observations = configured_observations(settings)
        own = with_configured_images(settings, observations)
        recipe = image_recipe(own, observations)
        (curve,) = limits_with_nuisances(recipe, np.array([1e-13, 1e-12]))
        assert curve.bayes == []
        limits.append(curve.profile.limit)
    assert np.all(np.asarray(limits[1].median) > np.asarray(limits[0].median))
    # 5.3e-12 without nuisances (`limit xray --data bundled`).
    assert 1e-12 * float(limits[0].median[0]) ** 0.25 == pytest.approx(5.5e-12, rel=0.05)
    result = type("Result", (), {"curves": [curve], "variants": {}})
    assert [c.method for c in nuisance_curves(result)] == ["profile-pcl"]
