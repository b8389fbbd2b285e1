"""Recipes: published and user spectra, worlds by name, forward models."""

import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.analyses.config import ModelSection, parse_configuration
from diffaxion.analyses.star_clusters import (
    build_galaxy,
    build_probes,
    build_world,
    published_spectrum,
    user_spectrum,
)
from diffaxion.environments.galaxy import YMW16, RandomField
from diffaxion.environments.stars import cluster
from diffaxion.errors import ConfigurationError, DataError
from tests import xray_models as models
from tests.conftest import read_csv


@pytest.mark.parametrize(("target", "masked"), [("quintuplet", [7.5]), ("wd1", [7.5, 12.5])])
def test_published_spectra_leave_masked_bins_out(shared, target, masked):
    table = read_csv(shared / "data/ssc/nustar_spectra.csv")
    keep = ~np.isin(table["energy_keV"], masked)
    spectrum = published_spectrum(target)
    np.testing.assert_allclose(spectrum.low_keV, table["energy_keV"][keep] - 2.5)
    np.testing.assert_allclose(spectrum.high_keV, table["energy_keV"][keep] + 2.5)
    np.testing.assert_array_equal(spectrum.points.data, table[f"{target}_flux"][keep])
    np.testing.assert_array_equal(spectrum.points.scale, table[f"{target}_error"][keep])
    strength = models.G_CURVE[target] ** 4
    np.testing.assert_allclose(spectrum.curve * strength, table[f"{target}_axion"][keep])


def test_targets_without_a_spectrum_are_refused():
    with pytest.raises(ConfigurationError, match="expected bands only"):
        published_spectrum("arches")
    with pytest.raises(ConfigurationError, match="'quintuplet'"):
        published_spectrum("quintuplets")


def spectrum_file(folder, low, flux=0.1, error=0.2):
    rows = [f"{e + 2.5},2.5,{flux},{error}" for e in low]
    path = folder / "points.csv"
    path.write_text("\n".join(["energy_keV,half_width_keV,flux,error", *rows]) + "\n")
    return str(path)


def test_user_spectrum_in_the_published_bins_keeps_the_curve(tmp_path):
    known = published_spectrum("wd1")
    found = user_spectrum("wd1", spectrum_file(tmp_path, known.low_keV), "published")
    np.testing.assert_array_equal(found.curve, known.curve)
    np.testing.assert_array_equal(found.points.data, np.full(13, 0.1))


def test_user_spectrum_in_other_bins_needs_the_anchored_signal(tmp_path):
    path = spectrum_file(tmp_path, [20.0, 30.0])
    with pytest.raises(DataError, match="not the 13 bins"):
        user_spectrum("wd1", path, "published")
    found = user_spectrum("wd1", path, "anchored")
    np.testing.assert_allclose(found.low_keV, [20.0, 30.0])
    configuration = parse_configuration({"model": {"targets": ["wd1"], "signal": "anchored"}})
    world = build_world(configuration.model)
    (probe,), (spectrum,) = build_probes(world, configuration, spectra=[found])
    assert (probe.mode, spectrum.target) == ("anchored", "wd1")
    # The same two bins as among the published ones.
    response = models.response(probe, world, probe.prepare(world))
    whole = models.response(
        models.probe("wd1", "anchored"), models.world(), models.cache("wd1", "anchored")
    )
    np.testing.assert_allclose(response, np.asarray(whole)[[1, 3]], rtol=1e-9)


def test_worlds_by_name():
    """Targets by name, ne2001 along their lines, R_sun of the field, turbulence."""
    world = build_world(ModelSection(targets=["wd1", "arches"], r_sun_kpc=8.5))
    assert set(world.clusters) == {"wd1", "arches"}
    assert float(world.galaxy.r_sun_kpc) == 8.5
    assert isinstance(world.galaxy.density, YMW16)
    assert world.galaxy.turbulence is None
    assert float(world.axion.a) == 1.0
    assert float(world.clusters["wd1"].distance_kpc) == float(cluster("wd1").distance_kpc) == 2.6
    galaxy = build_galaxy(ModelSection(density="ne2001", turbulence="jf12b"))
    assert set(galaxy.density) == set(models.TARGETS)
    assert isinstance(galaxy.turbulence, RandomField)


def test_ne2001_along_its_lines(shared):
    """The sampled densities are those of the reference files, to the thinning of the table."""
    galaxy = build_galaxy(ModelSection(density="ne2001"))
    for target in models.TARGETS:
        reference = read_csv(shared / f"data/galaxy/ne_los_{target}.csv")
        source = models.world().clusters[target]
        s = reference["s_pc"][50:500:50] / 1e3
        found = [
            galaxy.density_toward(target)(source.longitude_deg, source.latitude_deg, jnp.array(x))
            for x in s
        ]
        np.testing.assert_allclose(found, reference["ne_ne2001"][50:500:50], rtol=0.02)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"field": "jf14"}, "'jf12'"),
        ({"inner": "presets"}, "'preset'"),
        ({"density": "ymw"}, "'ymw16'"),
        ({"targets": ["westerlund"]}, "wd1"),
        ({"inner": "mask", "inner_b_z_muG": 3.0}, "no meaning"),
        ({"targets": ["arches"], "density": "ne2001"}, "arches"),
    ],
)
def test_unknown_names(section, words):
    with pytest.raises(ConfigurationError, match=words):
        build_world(ModelSection(**section))
