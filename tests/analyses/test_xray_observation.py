"""Folders of data as observations of targets, and what fits of them give."""

import re
import shutil
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.analyses import (
    SimulationPlan,
    count_flux,
    expected_background,
    expected_signal,
    fit_counts,
    load_configuration,
    observation_settings,
    observation_world,
    read_observation,
    response_curve,
)
from diffaxion.analyses.count_images import mean_area_cm2
from diffaxion.analyses.xray_observation import Observation
from diffaxion.analyses.xray_simulation import axion_rates, check_signal, draw_counts, stars_of
from diffaxion.analyses.xray_world import check_observations
from diffaxion.data import (
    AncillaryResponse,
    bundled_observation,
    cluster_text,
    load_cluster,
    read_arf,
    read_rmf,
    read_star_list,
    write_arf,
    write_image_stack,
    write_observation,
    write_rmf,
)
from diffaxion.environments.stars import central_stars
from diffaxion.errors import ConfigurationError, DataError, DiffaxionWarning, ValidityError
from diffaxion.observables.xray import default_instrument, nustar_psf, response_records

MASS = 1e-13


@pytest.fixture(scope="module")
def settings():
    found = load_configuration("xray")
    numerics = found.numerics.model_copy(update={"nodes": 100, "energies_per_bin": 1})
    return found.model_copy(update={"numerics": numerics})


@pytest.fixture(scope="module")
def bundled():
    return read_observation(bundled_observation())


@pytest.fixture(scope="module")
def modelled(bundled, settings):
    own = observation_settings(settings, [bundled])
    return own, *observation_world(own, [bundled])


@pytest.fixture
def folder(tmp_path):
    """A copy of the bundled observation that may be changed."""
    return shutil.copytree(bundled_observation(), tmp_path / "data")


def change(folder, old, new):
    path = folder / "observation.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_bundled_observation(bundled):
    assert bundled.target == "quintuplet"
    assert bundled.region[2] == 2.0
    assert bundled.stars.ra_deg.shape == (14,)
    assert bundled.stack.n_bins == 7
    assert "not calibration" in bundled.psf_label
    assert bundled.response is None


@pytest.mark.slow
def test_the_injected_signal_is_found(modelled):
    """g = 5.5e-12 was injected with seed 1; the fit of all bins has its strength in 3 sigma."""
    _, world, images = modelled
    (fit,) = fit_counts(world, images, np.array([MASS, 3e-11]))
    strength = fit.scan.strength
    a_hat, sigma = float(strength.a_hat[0]), float(strength.sigma[0])
    assert abs(a_hat - 5.5**4) < 3.0 * sigma
    assert float(strength.a_95[0]) > a_hat
    # At the maximum, fitted counts are the observed ones in total, bin by bin if A > 0.
    np.testing.assert_allclose(fit.background[0] + fit.signal[0], fit.counts, rtol=2e-3)
    np.testing.assert_allclose(
        np.sum(fit.background + fit.signal, axis=1), fit.counts.sum(), rtol=1e-6
    )
    # The background of the list is the true one.
    np.testing.assert_allclose(fit.background_scale, 1.0, atol=0.1)
    assert fit.flags(0) == []
    assert fit.targets == ("quintuplet",) * 7


@pytest.mark.slow
def test_backgrounds_of_each_module(bundled, settings):
    """One row per module and bin; the same strength within a fraction of its error."""
    own = observation_settings(settings, [bundled])
    world, images = observation_world(own, [bundled], "module")
    (split,) = fit_counts(world, images, np.array([MASS]))
    assert split.counts.size == 14
    assert split.images[0] == "obs40010005001_FPMA"
    assert split.counts.sum() == bundled.stack.rows(bundled.stack.counts)[0].sum()
    whole = observation_world(own, [bundled])
    (fit,) = fit_counts(*whole, np.array([MASS]))
    shift = float(split.scan.strength.a_hat[0] - fit.scan.strength.a_hat[0])
    assert abs(shift) < 0.3 * float(fit.scan.strength.sigma[0])


def test_expected_counts_are_those_of_the_forward_model(modelled, bundled):
    """Signal of the simulation (whole images) against template times response (probe)."""
    own, world, ((probe, points),) = modelled
    stack = bundled.stack
    rates = axion_rates(world, "quintuplet", stack.low_keV, stack.high_keV, MASS, own)
    counts = expected_signal(stack, rates, bundled.stars)
    direct = stack.rows(counts)[0]
    response = np.asarray(probe.counts(jnp.asarray(rates)))
    model = response[:, None] * np.asarray(points.signal_template)
    np.testing.assert_allclose(direct, model, rtol=1e-6)


def test_targets_come_from_the_list_or_the_caller(folder):
    change(folder, 'name = "quintuplet"', 'name = "mine"')
    with pytest.raises(ConfigurationError, match="'mine' is not bundled; give one of quintuplet"):
        read_observation(folder)
    with pytest.warns(DiffaxionWarning, match="is 5.14 arcmin from Arches"):
        assert read_observation(folder, cluster="arches").target == "arches"
    text = cluster_text("quintuplet").replace('name = "quintuplet"', 'name = "mine"')
    (folder / "mine.toml").write_text(text)
    change(folder, "[target]\n", '[target]\ncluster = "mine.toml"\n')
    found = read_observation(folder)
    assert (found.target, set(found.files)) == ("mine", {"cluster", "stars"})
    change(folder, "mine.toml", "none.toml")
    with pytest.raises(DataError, match=re.escape("cluster = 'none.toml': no such file")):
        read_observation(folder)


def test_a_stack_in_one_file_needs_a_target(bundled, tmp_path):
    path = write_image_stack(tmp_path / "stack.npz", bundled.stack)
    with pytest.raises(ConfigurationError, match="names no target"):
        read_observation(path)
    found = read_observation(path, cluster="quintuplet")
    np.testing.assert_array_equal(found.stack.counts, bundled.stack.counts)
    assert found.stars.ra_deg.shape == (1,)


def test_regions_and_masks():
    """The radius of the caller; the magnetar is masked where the list says nothing."""
    small = read_observation(bundled_observation(), radius_arcmin=1.5)
    assert small.region[2] == 1.5
    assert small.stack.mask.sum() < read_observation(bundled_observation()).stack.mask.sum()


@pytest.fixture(scope="module")
def magnetar(tmp_path_factory):
    """Westerlund 1 with a list that names the target alone, and bins that start too low."""
    folder = tmp_path_factory.mktemp("wd1")
    facts = load_cluster("wd1")
    plan = SimulationPlan(pixel_factor=5, bins_keV=(15, 20, 30))
    stack = draw_counts(expected_background(facts, plan), 1)
    write_observation(folder, stack, target=(facts.position.ra, facts.position.dec, 2.0))
    text = (folder / "observation.toml").read_text()
    start, end = text.index("[target]"), text.index("[[exposures]]")
    text = text[:start] + '[target]\nname = "wd1"\n' + text[end:]
    (folder / "observation.toml").write_text(text)
    return folder


def test_what_a_list_does_not_say_comes_from_the_description(magnetar):
    found, bare = (read_observation(magnetar, masked=m) for m in (True, False))
    assert found.region == (pytest.approx(251.7667, abs=1e-4), pytest.approx(-45.8514, abs=1e-4), 2)
    # A disc of 0.5 arcmin in pixels of 12.3 arcsec, in each of 6 exposures.
    area = (bare.stack.mask.sum() - found.stack.mask.sum()) * (5 * 2.458 / 60.0) ** 2 / 6
    assert area == pytest.approx(np.pi * 0.25, rel=0.1)


def test_ghost_rays_are_left_out(magnetar, tmp_path):
    folder = shutil.copytree(magnetar, tmp_path / "low")
    text = (folder / "observation.toml").read_text()
    (folder / "observation.toml").write_text(text.replace("[15.0, 20.0]", "[14.0, 20.0]"))
    for path in folder.glob("*15to20keV*"):
        from astropy.io import fits

        with fits.open(path, mode="update") as file:
            file[0].header["E_MIN"] = 14.0
    with pytest.warns(DiffaxionWarning, match="bins 14-20 keV are left out: Westerlund 1"):
        found = read_observation(folder)
    assert found.stack.low_keV.tolist() == [20.0]
    assert read_observation(folder, all_energies=True).stack.n_bins == 2


def test_unusable_observations(bundled, settings, folder):
    arches = replace(bundled, facts=load_cluster("arches"))
    with pytest.raises(ConfigurationError, match="no axion luminosity is known"):
        check_observations(observation_settings(settings, [arches]), [arches])
    own = observation_settings(settings, [bundled], "published")
    with pytest.raises(DataError, match="not the 14 bins of 5 keV"):
        check_observations(own, [bundled])
    other = replace(bundled, stars=central_stars(266.558, -28.83, "quintuplet"))
    with pytest.raises(ConfigurationError, match="observations name different stars"):
        observation_world(observation_settings(settings, [bundled]), [bundled, other])
    (folder / "same.toml").write_text(cluster_text("quintuplet"))
    copy = read_observation(folder, cluster=folder / "same.toml")
    with pytest.raises(ConfigurationError, match="is described by"):
        observation_settings(settings, [bundled, copy])
    (folder / "bare.toml").write_text(
        cluster_text("quintuplet").replace("{ WC = 13, WN = 1 }", "{ WNh = 14 }")
    )
    bare = read_observation(folder, cluster=folder / "bare.toml")
    with pytest.raises(ConfigurationError, match="counts no WC or WN star"):
        check_observations(observation_settings(settings, [bare]), [bare])
    with pytest.raises(ConfigurationError, match="counts no WC or WN star"):
        check_signal(bare.facts, 1e-12, MASS, "anchored")
    observation_world(observation_settings(settings, [bare]), [bare])  # enough for flux points
    high = replace(bundled.stack, high_keV=np.array([20.0, 30, 40, 50, 60, 70, 90]))
    beyond = replace(bundled, stack=high)
    with pytest.raises(ValidityError, match="effective area"):
        check_observations(observation_settings(settings, [beyond]), [beyond])


def test_stars_of_another_place(tmp_path):
    """Hours for degrees, the antipode (which projects onto the image), a neighbour's list."""
    path = tmp_path / "stars.csv"
    for ra, dec in ((17.77, -28.83), (266.558, 28.83), (86.558, 28.83)):
        path.write_text(f"ra_deg,dec_deg,class,weight\n{ra},{dec},WC,1\n")
        with pytest.raises(DataError, match="1 of 1 stars are more than 1 deg"):
            read_observation(bundled_observation(), stars=path)
        with pytest.raises(DataError, match="1 of 1 stars are more than 1 deg"):
            stars_of(load_cluster("quintuplet"), read_star_list(path))
    path.write_text("ra_deg,dec_deg,class,weight\n266.460,-28.824,WNh,3\n266.558,-28.83,WC,1\n")
    with pytest.warns(DiffaxionWarning, match="75% of the weight are more than 2 arcmin"):
        read_observation(bundled_observation(), stars=path)


def test_own_psf_and_stars_get_their_own_instrument(bundled, settings):
    narrow = replace(nustar_psf(), king_arcsec=jnp.asarray(20.0))
    own = observation_settings(settings, [bundled])
    world, ((first, _), (second, points)) = observation_world(
        own, [bundled, replace(bundled, psf=narrow)]
    )
    assert first.spectrum.instrument == "nustar"
    assert second.spectrum.instrument == "nustar_quintuplet"
    assert float(world.psf["nustar_quintuplet"].king_arcsec) == 20.0
    assert float(points.signal_template[0].sum()) > 0.93


def axion_response(world, images):
    """Counts per unit a, compiled."""
    probe, _ = images[0]
    return probe.counts(response_curve(probe.spectrum, world, {}, jnp.array([MASS]))[0])


@pytest.fixture
def responses(folder):
    """ARF of the template for module A, 10 per cent more for B; the RMF of perfect energies."""
    arf, rmf = response_records(default_instrument())
    write_arf(folder / "a.arf", arf)
    more = AncillaryResponse(arf.low_keV, arf.high_keV, 1.1 * arf.area_cm2, "FPMB")
    write_arf(folder / "b.arf", more)
    write_rmf(folder / "one.rmf", rmf)
    change(folder, 'module = "FPMA"', 'module = "FPMA"\narf = "a.arf"\nrmf = "one.rmf"')
    change(folder, 'module = "FPMB"', 'module = "FPMB"\narf = "b.arf"\nrmf = "one.rmf"')
    return folder


def test_responses_of_modules_are_averaged(responses, bundled, settings):
    """5 per cent more signal in the sum; each module keeps its own share."""
    found = read_observation(responses)
    stack = found.stack
    ratio = stack.exposure[:, 1] / stack.exposure[:, 0]
    np.testing.assert_allclose(ratio, 1.1, rtol=1e-6)
    low, high = stack.low_keV, stack.high_keV
    mean = mean_area_cm2(found.response.instrument, low, high)
    plain = mean_area_cm2(default_instrument(), low, high)
    np.testing.assert_allclose(mean / plain, 1.05, rtol=2e-3)
    assert found.response.instrument.redistribution == "ogip"
    check_observations(observation_settings(settings, [found]), [found])


@pytest.mark.slow
def test_averaged_responses_in_the_forward_model(responses, bundled, settings):
    """Through the matrices, 5 per cent more counts than with the bundled template."""
    found = read_observation(responses)
    own = observation_settings(settings, [found])
    world, ((probe, _),) = observation_world(own, [found])
    base = observation_world(observation_settings(settings, [bundled]), [bundled])
    ratio = axion_response(world, [(probe, None)]) / axion_response(*base)
    # The template is linear between its nodes, the files have rows of 40 eV.
    np.testing.assert_allclose(ratio, 1.05, rtol=5e-3)


def test_matrices_that_include_the_area(responses):
    """The same response as area and matrix apart; an area beside them is refused."""
    apart = read_observation(responses).response.instrument
    rmf, text = read_rmf(responses / "one.rmf"), (responses / "observation.toml").read_text()
    for name in "ab":
        area = read_arf(responses / f"{name}.arf").area_cm2
        full = replace(rmf, value=rmf.value * area[rmf.row], includes_area=True)
        write_rmf(responses / f"{name}.rmf", full)
        text = text.replace("one.rmf", f"{name}.rmf", 1)
    (responses / "observation.toml").write_text(text)
    with pytest.raises(DataError, match="already includes the effective area"):
        read_observation(responses)
    text = text.replace('arf = "a.arf"\n', "").replace('arf = "b.arf"\n', "")
    (responses / "observation.toml").write_text(text)
    found = read_observation(responses)
    whole = found.response.instrument
    np.testing.assert_allclose(whole.area_cm2, apart.area_cm2, rtol=1e-6)
    np.testing.assert_allclose(whole.matrix, apart.matrix, rtol=1e-6)
    ratio = found.stack.exposure[:, 1] / found.stack.exposure[:, 0]
    np.testing.assert_allclose(ratio, 1.1, rtol=1e-6)


def test_responses_of_some_exposures_only(responses):
    change(responses, 'arf = "b.arf"\n', "")
    with pytest.raises(DataError, match="name an ARF for all exposures"):
        read_observation(responses)


@pytest.mark.slow
def test_flux_points_of_noiseless_data(bundled, settings):
    """The rates that were put in come out, whatever the background."""
    rates = np.linspace(2.0, 0.5, 7)
    stack = bundled.stack
    counts = stack.background + expected_signal(stack, rates, bundled.stars)
    ideal = replace(bundled, stack=stack.with_counts(counts, "simulated", asimov=True))
    _, ((probe, points),) = observation_world(observation_settings(settings, [ideal]), [ideal])
    flux = count_flux(probe, points)
    np.testing.assert_allclose(flux.flux, rates, rtol=1e-5)
    assert np.all(flux.plus > flux.minus)


def test_an_observation_is_a_record(bundled):
    assert isinstance(bundled, Observation)
    assert re.match("simulated: quintuplet, g=5.5e-12/GeV", bundled.stack.nature)
