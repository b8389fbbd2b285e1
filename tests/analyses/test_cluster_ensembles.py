"""Targets from ensembles of stars: profiles, forward models, priors, warnings, refusals."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.analyses.cluster_ensembles import (
    cluster_ensemble,
    ensemble_cluster,
    warn_if_far,
)
from diffaxion.analyses.config import ModelSection, parse_configuration
from diffaxion.analyses.ensemble_config import EnsembleSection
from diffaxion.analyses.star_clusters import build_probe, build_world, published_spectrum
from diffaxion.constants import KELVIN_TO_KEV, M_SUN_G, M_SUN_MESA_G
from diffaxion.conversion import band_luminosity, total_luminosity
from diffaxion.data import cluster_text, load_cluster
from diffaxion.environments.galaxy.sightline import uniform_fractions
from diffaxion.environments.stars import (
    Composition,
    EddingtonStar,
    luminosity_sigma_ln,
    population_of,
)
from diffaxion.errors import ConfigurationError, DataError, DiffaxionWarning, ValidityError
from tests.stellar_runs import evolution, polytrope_profile, write_run


@pytest.fixture(scope="module")
def quintuplet():
    return cluster_ensemble("quintuplet")


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A copy of Quintuplet with stars of classes that the made-up track passes through."""
    path = tmp_path_factory.mktemp("target") / "mine.toml"
    text = cluster_text("quintuplet").replace('name = "quintuplet"', 'name = "mine"')
    path.write_text(text.replace("{ WC = 13, WN = 1 }", "{ WC = 3, WN = 2 }"))
    return path


def star_of(columns, row):
    fractions = [columns[f"center_{i}"][row] for i in ("h1", "he4", "c12", "o16")]
    mass = columns["star_mass"][row] * M_SUN_MESA_G / M_SUN_G
    t_c = 10.0 ** columns["log_center_T"][row] * KELVIN_TO_KEV
    composition = Composition(jnp.array(fractions), 5.0, ("h1", "he4", "c12", "o16"))
    return EddingtonStar(mass, t_c, composition)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose profiles are polytropes with 1.2 and 1.5 times the volume they should have."""
    folder = tmp_path_factory.mktemp("run")
    columns = evolution()
    write_run(folder, None, columns)
    # Rows 30 and 33 are at 3.08 and 3.38 Myr; the third lies beyond the window.
    for k, (row, factor) in enumerate([(30, 1.2), (33, 1.5), (38, 9.0)], 1):
        star = star_of(columns, row)
        polytrope_profile(folder / f"profile{k}.data", star, row + 1, factor)
    return folder


def test_published_luminosities_are_out_of_reach_of_one_track(quintuplet):
    """13 WC and 1 WN stars of one 85 Msun track against 8.5e33 erg/s a star."""
    summary = quintuplet.summary()
    assert summary["made_from"] == "one 85 Msun track"
    assert summary["stars"] == {"WC": 13, "WN": 1}
    assert summary["per_star_erg_s"]["WC"] == pytest.approx(5.93e33, rel=2e-3)
    band = 13 * summary["per_star_erg_s"]["WC"] + summary["per_star_erg_s"]["WN"]
    assert summary["band_erg_s"] == pytest.approx(band, rel=2e-3)
    assert summary["band_16_erg_s"] < summary["band_erg_s"] < summary["band_84_erg_s"]
    assert summary["share_by_class"]["WC"] == pytest.approx(0.94, abs=0.01)
    assert (summary["flagged_share"], summary["outside_validity"]) == (0.0, False)
    offset = np.log(summary["band_erg_s"] / 1.7e35) / np.log(1.7 / 1.4)
    assert summary["published_offset_sigma"] == pytest.approx(offset)
    with pytest.warns(
        DiffaxionWarning, match=r"Quintuplet: L_10-80 = 8\.19e\+34.*3\.8 sigma below"
    ):
        warn_if_far(quintuplet)


def test_priors_of_an_ensemble(quintuplet):
    priors = quintuplet.priors()
    modes = quintuplet.shape.z.size
    assert list(priors) == [
        "clusters.quintuplet.ln_luminosity",
        *(f"clusters.quintuplet.spectrum.z[{k}]" for k in range(modes)),
    ]
    sigma = priors["clusters.quintuplet.ln_luminosity"]["sigma"]
    assert sigma == pytest.approx(np.hypot(0.05, quintuplet.unexplained_sigma_ln))
    # Without modes all of the spread is common to the spectrum.
    plain = cluster_ensemble("quintuplet", EnsembleSection(modes=0))
    sigma = plain.priors()["clusters.quintuplet.ln_luminosity"]["sigma"]
    assert sigma == pytest.approx(np.hypot(0.05, float(plain.draws.sigma_ln)))
    assert len(plain.priors()) == 1


@pytest.mark.parametrize(("name", "sigma"), [("quintuplet", 0.203), ("wd1", 0.127)])
def test_published_intervals_as_lognormal_widths(name, sigma):
    assert luminosity_sigma_ln(name) == pytest.approx(np.hypot(sigma, 0.05), abs=6e-4)
    light = load_cluster("quintuplet").luminosity
    high = light.total_erg_s + light.total_plus_erg_s
    low = light.total_erg_s - light.total_minus_erg_s
    assert 0.5 * np.log(high / low) == pytest.approx(0.249, abs=6e-4)


def test_needs_per_star():
    """70 % of Quintuplet over 14 stars, and Westerlund 1 over 22."""
    quintuplet, wd1 = (load_cluster(n) for n in ("quintuplet", "wd1"))
    stars = [sum(f.stars.counts.values()) for f in (quintuplet, wd1)]
    needed = [f.luminosity.band_10_80_erg_s / n for f, n in zip((quintuplet, wd1), stars)]
    np.testing.assert_allclose([0.7 * needed[0], needed[1]], [8.5e33, 4.1e34], rtol=0.01)


def test_ensemble_against_anchored_spectrum():
    """With the built-in nodes both modes are the same stars: draws against exact means."""
    fractions, spectrum = uniform_fractions(64), published_spectrum("wd1")
    section = ModelSection(targets=["wd1"], signal="ensemble", ensemble={"draws": 2000})
    with pytest.warns(DiffaxionWarning, match="Westerlund 1"):
        world = build_world(section)
    source = world.clusters["wd1"]
    anchored_world = eqx.tree_at(
        lambda w: w.clusters["wd1"].luminosity_10_80_erg_s,
        build_world(ModelSection(targets=["wd1"])),
        source.luminosity_10_80_erg_s,
    )
    # The response is linear in these weights; sight lines do not differ.
    weights = eqx.filter_jit(lambda p, w: p.weights(w))
    drawn = build_probe(spectrum, world, "ensemble", fractions, 1)
    assert drawn.mode == "ensemble"
    found = weights(drawn, world)
    anchored = build_probe(spectrum, anchored_world, "anchored", fractions, 1)
    # Class means of 2000 x 22 stars.
    np.testing.assert_allclose(found, weights(anchored, anchored_world), rtol=2e-3)
    # A mode moves the response as it moves the spectrum.
    moved = eqx.tree_at(lambda w: w.clusters["wd1"].spectrum.z, world, jnp.array([2.0]))
    signal = np.asarray(jnp.sum(found, axis=(1, 2)))
    ratio = np.asarray(jnp.sum(weights(drawn, moved), axis=(1, 2))) / signal
    modes = np.asarray(source.spectrum.modes[0])
    inside = np.exp(2.0 * np.array([modes.min(), modes.max()]))
    assert inside[0] - 1e-9 <= ratio.min() <= ratio.max() <= inside[1] + 1e-9
    assert np.ptp(ratio) > 0.01
    here = "clusters.wd1."
    for path in ("spectrum.z[0]", "tilt", "luminosity_10_80_erg_s"):
        assert not drawn.ignores(here + path)
        assert "weights" in drawn.touched((here + path,))
    assert drawn.ignores(here + "class_counts[0]")
    assert anchored.ignores(here + "spectrum.z[0]")
    assert not drawn.ignores(here + "distance_kpc")
    slope = eqx.filter_jit(eqx.filter_grad(lambda w, p: jnp.sum(p.weights(w))))(world, drawn)
    slope = float(slope.clusters["wd1"].spectrum.z[0])
    # d ln(signal)/dz is a mean of the mode.
    assert modes.min() <= slope / signal.sum() <= modes.max()
    with pytest.raises(ConfigurationError, match="before the world is built"):
        build_probe(spectrum, anchored_world, "ensemble", fractions, 1)
    low = eqx.tree_at(
        lambda s: (s.low_keV, s.high_keV),
        spectrum,
        (spectrum.low_keV - 6.0, spectrum.high_keV - 6.0),
    )
    with pytest.raises(ValidityError, match="10"):
        build_probe(low, world, "ensemble", fractions, 1)


def test_profiles_correct_the_eddington_model(run, target):
    section = EnsembleSection(tracks=str(run), structure="profiles", draws=20)
    seen = []
    found = cluster_ensemble(target, section, lambda *a: seen.append(a))
    plain = cluster_ensemble(target, EnsembleSection(tracks=str(run), draws=20))
    step = np.asarray(found.ensemble.step)
    ratio = np.asarray(found.spectra.spectrum / plain.spectra.spectrum)
    # At and between profiles: volumes were scaled by 1.2 and 1.5, ln of the ratio is linear.
    expected = np.exp(np.interp(step, [30, 33], np.log([1.2, 1.5])))
    inside = (step >= 30) & (step <= 33)
    assert inside.sum() == 4
    # 400 zones, and the outermost 0.1 % of the radius left out.
    np.testing.assert_allclose(ratio[inside], np.tile(expected[inside, None], 43), rtol=2e-3)
    total = np.asarray(found.spectra.total_erg_s / plain.spectra.total_erg_s)
    np.testing.assert_allclose(total[inside], expected[inside], rtol=2e-3)
    # Against the zone sum itself, at row 33.
    star = star_of(evolution(), 33)
    row = int(np.flatnonzero(step == 33)[0])
    assert float(found.spectra.total_erg_s[row]) == pytest.approx(
        1.5 * float(total_luminosity(star)), rel=2e-3
    )
    assert float(jnp.sum(found.spectra.bins_erg_s[row])) == pytest.approx(
        1.5 * float(band_luminosity(star)), rel=2e-3
    )
    assert ("tracks", 1, 1) in seen
    stages = {stage for stage, *_ in seen}
    assert stages == {"tracks", "profiles", "spectra"}
    assert max(done for stage, done, _ in seen if stage == "profiles") == len(
        [s for s in seen if s[0] == "profiles"]
    )


def test_a_run_without_profiles(tmp_path, target):
    write_run(tmp_path)
    section = EnsembleSection(tracks=str(tmp_path), structure="profiles")
    with pytest.raises(DataError, match=r"no profile\*\.data"):
        cluster_ensemble(target, section)


def test_red_supergiants_need_profiles(tmp_path, target):
    with pytest.raises(ConfigurationError, match=r"betelgeuse: is a red supergiant.*--profile"):
        cluster_ensemble("betelgeuse")
    columns = evolution()
    columns["log_Teff"] = np.full(40, 3.55)
    columns["surface_h1"] = np.full(40, 0.6)
    columns["surface_he4"] = np.full(40, 0.38)
    columns["surface_c12"] = columns["surface_o16"] = np.full(40, 1e-3)
    write_run(tmp_path, None, columns)
    polytrope_profile(tmp_path / "profile1.data", star_of(columns, 20), 21)
    cool = tmp_path / "cool.toml"
    cool.write_text(target.read_text().replace("{ WC = 3, WN = 2 }", "{ RSG = 1 }"))
    with pytest.raises(ConfigurationError, match=r"class RSG.*structure = 'profiles'"):
        cluster_ensemble(cool, EnsembleSection(tracks=str(tmp_path)))
    section = EnsembleSection(tracks=str(tmp_path), structure="profiles", ages="all", draws=20)
    giant = cluster_ensemble("betelgeuse", section)
    assert giant.summary()["stars"] == {"RSG": 1}
    assert giant.summary()["ages_Myr"] == "all"


def test_age_windows(run, target):
    found = cluster_ensemble(target, EnsembleSection(tracks=str(run), draws=20))
    window = population_of(load_cluster(target))
    age = np.asarray(found.ensemble.age_Myr)
    assert float(window.age_min_Myr) <= age.min() <= age.max() <= float(window.age_max_Myr)
    assert found.summary()["ages_Myr"] == [3.0, 3.6]
    everything = cluster_ensemble(target, EnsembleSection(tracks=str(run), ages="all", draws=20))
    assert everything.ensemble.age_Myr.size > age.size
    rules = EnsembleSection(tracks=str(run), rules="geneva", ages="all", draws=20)
    with pytest.raises(ConfigurationError, match=r"2 WN stars.*WNL"):
        cluster_ensemble(target, rules)


def test_spread_beyond_a_lognormal():
    """Thirteen WNh stars of the track: rare hot ones decide."""
    with pytest.warns(DiffaxionWarning, match="rare hot stars decide"):
        source = ensemble_cluster("arches", EnsembleSection())
    assert source.name == "arches"
    assert 1e32 < float(source.luminosity_10_80_erg_s) < 1e33


def test_files_of_targets_in_a_configuration(target):
    section = {"targets": ["mine"], "clusters": {"mine": str(target)}}
    world = build_world(ModelSection(**section))
    assert world.clusters["mine"].label == "Quintuplet"
    assert world.clusters["mine"].spectrum is None
    with pytest.raises(ConfigurationError, match=r"quintuplet = .*describes 'mine'"):
        build_world(ModelSection(targets=["quintuplet"], clusters={"quintuplet": str(target)}))
    with pytest.raises(
        ConfigurationError, match=r"'model\.ensemble\.trakcs': did you mean 'tracks'"
    ):
        parse_configuration({"model": {"ensemble": {"trakcs": "x"}}})
    with pytest.raises(ConfigurationError, match=r"model\.ensemble\.weight = 'mass'"):
        parse_configuration({"model": {"ensemble": {"weight": "mass"}}})
