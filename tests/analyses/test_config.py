"""Configuration files: defaults, overrides, and what is refused."""

import tomllib

import pytest
from pydantic import ValidationError

from diffaxion.analyses import Configuration, load_configuration, parse_configuration
from diffaxion.analyses.config import check_choice, default_configuration_text
from diffaxion.errors import ConfigurationError
from diffaxion.parameters import Bindings
from tests import xray_models as models


def test_bundled_file_spells_out_the_defaults_of_the_schema():
    """What it states agrees with what is used when a key is left out; only priors are added."""
    bundled = load_configuration()
    assert bundled.model_copy(update={"priors": {}}) == Configuration()
    stated = tomllib.loads(default_configuration_text())
    assert set(stated) <= set(Configuration.model_fields)
    assert parse_configuration(stated) == bundled


def test_bundled_configurations_differ_in_their_likelihoods():
    """The halves have the priors of the joint configuration that concern them."""
    joint, xray, screening = (load_configuration(n) for n in ("joint", "xray", "screening"))
    assert (joint.likelihoods.xray, joint.likelihoods.cmb) == (True, "recast")
    assert (xray.likelihoods.xray, xray.likelihoods.cmb) == (True, "none")
    assert (screening.likelihoods.xray, screening.likelihoods.cmb) == (False, "recast")
    sky = {k: v for k, v in joint.priors.items() if k.split(".")[0] in ("halos", "cosmology")}
    assert len(sky) >= 16
    assert screening.priors == sky
    assert xray.priors.items() <= joint.priors.items()
    assert len(joint.priors) >= 25
    # The CMB alone constrains only inside the published curve.
    low, high = screening.mass.prior_eV
    assert (low, high) == (2.4e-13, 1.9e-12)
    assert low < screening.mass.fixed_eV < high
    assert screening.mass.posteriors == ["fixed", "sampled"]


def test_an_unknown_bundled_configuration_is_refused():
    with pytest.raises(ConfigurationError, match=r"'joined' is unknown.*'joint'"):
        default_configuration_text("joined")


def test_bundled_priors_are_those_of_the_specification():
    """Luminosities of the paper with 5 % of stellar structure, n_e and field norms, distance."""
    bindings = Bindings(load_configuration("xray").priors)
    bindings.check(models.world())
    rows = {row.path: row for row in bindings.explain()}
    assert len(rows) == 7
    widths = {
        "clusters.quintuplet.ln_luminosity": 0.209,
        "clusters.wd1.ln_luminosity": 0.137,
        "clusters.quintuplet.ln_density": 0.2,
        "clusters.wd1.ln_density": 0.2,
        "galaxy.field.outer.norm_x": 0.3045,
        "galaxy.field.outer.norm_disk": 0.3045,
    }
    for path, width in widths.items():
        assert rows[path].width == pytest.approx(width, rel=1e-3)
        assert rows[path].penalised
    assert rows["clusters.wd1.distance_kpc"].prior == "Uniform(2.2, 4.8)"
    assert not rows["clusters.wd1.distance_kpc"].penalised


def test_commented_priors_of_the_bundled_file_are_valid():
    """A user who removes the comment signs gets a configuration that works."""
    lines = default_configuration_text("xray").splitlines()
    further = [x.removeprefix("# ") for x in lines if x.startswith('# "galaxy.')]
    assert len(further) == 3
    priors = tomllib.loads("[priors]\n" + "\n".join(further))["priors"]
    Bindings(priors).check(models.world())


def test_a_file_overrides_single_keys(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'seed = 7\n[model]\nfield = "ptkn11"\n[mass]\nfixed_eV = 1e-12\n'
        '[priors]\n"clusters.wd1.distance_kpc" = { dist = "fixed", value = 3.0 }\n'
    )
    found = load_configuration(path)
    assert (found.seed, found.model.field, found.mass.fixed_eV) == (7, "ptkn11", 1e-12)
    assert found.model.targets == ["quintuplet", "wd1"]
    assert found.sampler == Configuration().sampler
    # Priors of the bundled file are not added to those of a user.
    assert list(found.priors) == ["clusters.wd1.distance_kpc"]


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Configuration().seed = 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"modle": {}}, ["unknown key 'modle'", "'model'"]),
        ({"mass": {"gird_points": 3}}, ["mass.gird_points", "'grid_points'"]),
        ({"sampler": {"draws": 0}}, ["sampler.draws = 0", "greater than or equal to 10"]),
        ({"sampler": {"target_accept": 1.0}}, ["sampler.target_accept = 1.0"]),
        (
            {"model": {"signal": "both"}},
            ["model.signal = 'both'", "'published', 'anchored' or 'ensemble'"],
        ),
        ({"mass": {"prior_eV": [1e-13]}}, ["mass.prior_eV.1"]),
        ({"coupling": {"u_max": -4.0}}, ["coupling.u_max = -4.0", "greater than 0"]),
        ({"seed": "one"}, ["seed = 'one'", "integer"]),
        ({"numerics": {"nodes": 2.5}}, ["numerics.nodes = 2.5", "integer"]),
    ],
)
def test_refusals_name_key_value_and_remedy(values, words):
    with pytest.raises(ConfigurationError) as error:
        parse_configuration(values, "mine.toml")
    for word in ("mine.toml", *words):
        assert word in str(error.value)


def test_check_choice_lists_the_nearest():
    assert check_choice("--signal", "anchored", ("published", "anchored")) == "anchored"
    with pytest.raises(ConfigurationError, match=r"'anchord' is unknown.*'anchored'"):
        check_choice("--signal", "anchord", ("published", "anchored"))
