"""Configuration of the map pipeline: schema, preset, bundled files, messages."""

import tomllib

import numpy as np
import pytest

from diffaxion.analyses.maps_config import (
    MAPS_BUNDLED,
    deprojected_names,
    goldstein2024,
    load_maps_configuration,
    maps_configuration_text,
    parse_maps_configuration,
)
from diffaxion.analyses.maps_responses import (
    channel_beams,
    cleaning_spectra,
    pipeline_bands,
    responses_of,
)
from diffaxion.analyses.maps_sections import ChannelsSection
from diffaxion.analyses.maps_simulation import toml_text
from diffaxion.errors import ConfigurationError, DataError
from diffaxion.sky.needlets import PAPER_PEAKS, gaussian_beam

SKY = {"simulation": {}}


@pytest.mark.parametrize("name", MAPS_BUNDLED)
def test_bundled_configurations_are_valid(name):
    found = load_maps_configuration(name)
    assert (found.simulation is None) == (name == "planck")
    values = tomllib.loads(maps_configuration_text(name))
    assert parse_maps_configuration(values) == found


def test_preset_has_the_published_choices():
    found = load_maps_configuration("planck")
    assert tuple(found.cleaning.peaks) == PAPER_PEAKS
    assert found.cleaning.deprojected == ["tsz", "cib", "cib-dbeta"]
    assert (found.cleaning.common_fwhm_arcmin, found.cleaning.bias) == (10.0, 0.01)
    assert (found.measurement.bin_width, found.measurement.skip_bins) == (150, 2)
    # Eleven bins are left to l = 2000.
    assert (found.measurement.last_ell + 1 - 2) // 150 - 2 == 11
    for word in ("text", "inferred", "chosen"):
        assert word in goldstein2024.__doc__


def test_own_values_override_the_preset():
    found = parse_maps_configuration(
        SKY | {"preset": "goldstein2024", "cleaning": {"bias": 0.02, "cib": "act_dr6"}}
    )
    assert found.cleaning.bias == 0.02
    assert found.cleaning.common_fwhm_arcmin == 10.0
    assert (float(cleaning_spectra(found).cib_temperature_K)) == 10.7
    # Another l_max has needlets of its own, as for a first run at a lower resolution.
    assert found.cleaning.peaks[-1] == 4097
    small = SKY | {"preset": "goldstein2024", "cleaning": {"nside": 512, "lmax": 1000}}
    assert parse_maps_configuration(small).cleaning.peaks is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ["neither", "exactly one"]),
        (SKY | {"files": {"temperature": {"030": "a"}, "galaxies": "g"}}, ["both", "exactly one"]),
        ({"simulation": {"nsid": 64}}, ["simulation.nsid", "'nside'"]),
        (SKY | {"cleanin": {}}, ["cleanin", "'cleaning'"]),
        (SKY | {"cleaning": {"deprojected": ["tszz"]}}, ["'tszz'", "'tsz'"]),
        (SKY | {"cleaning": {"deprojected": ["screening"]}}, ["'screening'", "preserved"]),
        (SKY | {"cleaning": {"also": {"fiducial": []}}}, ["cleaning.also", "'fiducial'", "files"]),
        (SKY | {"cleaning": {"also": {"a/b": []}}}, ["cleaning.also", "'a/b'", "files"]),
        (
            SKY | {"residuals": {"alternatives": {"hot-cib": {"temperature_K": 30, "beta": 1.5}}}},
            ["residuals.alternatives", "'hot-cib'", "underscores"],
        ),
        (SKY | {"cleaning": {"cib": "own"}}, ["cib_temperature_K", "together"]),
        (SKY | {"cleaning": {"cib_beta": 1.3}}, ["cib_beta", "together"]),
        (SKY | {"cleaning": {"cib": "planck"}}, ["'planck'", "'planck2014'"]),
        (SKY | {"cleaning": {"bias": 1.5}}, ["cleaning.bias", "1.5", "less than 1"]),
        (SKY | {"channels": {"names": ["030", "030"]}}, ["stands there twice"]),
        (SKY | {"channels": {"fwhm_arcmin": {"31": 30.0}}}, ["'31'", "fwhm_arcmin"]),
        (SKY | {"measurement": {"first_ell": 300, "last_ell": 200}}, ["first_ell = 300", "200"]),
        (SKY | {"robustness": {"tests": ["mask"]}}, ["'mask'", "'masks'"]),
        (SKY | {"robustness": {"drop": [["33"]]}}, ["'33'", "robustness.drop"]),
        (SKY | {"robustness": {"sky_fractions": [0.01]}}, ["0.01", "0.05 to 1"]),
        (
            {"files": {"temperature": {"030": "a"}, "galaxies": "g"}},
            ["no map for channel '044'"],
        ),
        (
            {
                "files": {"temperature": {"030": "a"}, "galaxies": "g", "galaxies_kind": "counts"},
                "channels": {"names": ["030"]},
            },
            ["files.completeness is missing"],
        ),
        (
            SKY | {"residuals": {"alternatives": {"hot": {"temprature_K": 3.0, "beta": 1.0}}}},
            ["temprature_K", "'temperature_K'"],
        ),
    ],
)
def test_refusals(values, words):
    with pytest.raises(ConfigurationError) as caught:
        parse_maps_configuration(values, "my.toml")
    for word in ["my.toml", *words]:
        assert word in str(caught.value)


def test_a_folder_of_the_name_does_not_hide_a_bundled_configuration(tmp_path, monkeypatch):
    """Maps are kept in a folder ``planck``, results in one called ``maps``."""
    monkeypatch.chdir(tmp_path)
    for name in ("maps", "planck"):
        (tmp_path / name).mkdir()
        assert load_maps_configuration(name) is not None


def test_files_start_at_the_folder_of_the_configuration(tmp_path):
    text = toml_text(
        {
            "files": {"folder": "maps", "temperature": {"030": "a.fits"}, "galaxies": "g.fits"},
            "channels": {"names": ["030"], "passbands": "bands", "beam_files": {"030": "b.txt"}},
        }
    )
    (tmp_path / "c.toml").write_text(text)
    found = load_maps_configuration(tmp_path / "c.toml")
    assert found.files.folder == str(tmp_path / "maps")
    assert found.channels.passbands == str(tmp_path / "bands")
    assert found.channels.beam_files["030"] == str(tmp_path / "b.txt")
    with pytest.raises(ConfigurationError, match=r"none.toml.*cannot be read"):
        load_maps_configuration(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[files\n")
    with pytest.raises(ConfigurationError, match=r"bad.toml.*not TOML"):
        load_maps_configuration(tmp_path / "bad.toml")


def test_toml_comes_back():
    values = {
        "a": 1,
        "b": 'two "quotes"',
        "c": {"d": [1.5, 2.5], "030": {"e": True}, "f": [["x"], ["y", "z"]]},
    }
    assert tomllib.loads(toml_text(values)) == values


def test_deprojected_names_by_scale():
    assert deprojected_names([["tsz", "cib"], ["tsz"], []]) == ["tsz", "cib"]
    assert deprojected_names(["tsz", "cib"]) == ["tsz", "cib"]


def test_beams_from_tables_and_gaussians(tmp_path):
    table = gaussian_beam(7.0, 60)
    rows = "".join(f"{l},{3.0 * b:.12g}\n" for l, b in enumerate(table))
    (tmp_path / "b.csv").write_text("ell,b_ell\n" + rows)
    channels = ChannelsSection(
        names=["143", "217"], beam_files={"143": str(tmp_path / "b.csv")}, fwhm_arcmin={"217": 9.0}
    )
    beams, widths = channel_beams(channels, 50)
    np.testing.assert_allclose(beams[0], table[:51], rtol=1e-9)
    np.testing.assert_allclose(beams[1], gaussian_beam(9.0, 50), rtol=1e-12)
    assert np.isnan(widths[0])
    assert widths[1] == 9.0
    bad = ChannelsSection(names=["143"], fwhm_arcmin={"143": -1.0})
    with pytest.raises(ConfigurationError, match=r"'143' = -1.*> 0"):
        channel_beams(bad, 50)


def test_passbands_by_name_and_from_a_folder(tmp_path):
    names = ["100", "143"]
    line = pipeline_bands(ChannelsSection(names=names, passbands="monochromatic"))
    np.testing.assert_array_equal(line.nu_GHz[:, 0], [100.0, 143.0])
    for name, nu in zip(names, (100.0, 143.0)):
        rows = "".join(f"{nu + d} 1.0\n" for d in (-0.01, 0.0, 0.01))
        (tmp_path / f"{name}.txt").write_text(rows)
    narrow = pipeline_bands(ChannelsSection(names=names, passbands=str(tmp_path)))
    spectra = cleaning_spectra(parse_maps_configuration(SKY))
    a, b = (responses_of(("tsz",), x, spectra, "screening") for x in (line, narrow))
    np.testing.assert_allclose(a["tsz"], b["tsz"], rtol=1e-4)
    # K per uK: maps in K give products in uK.
    assert 0.8e-6 < a["screening"][0] < 0.9e-6
    with pytest.raises(ConfigurationError, match=r"no file .*353.txt"):
        pipeline_bands(ChannelsSection(names=["353"], passbands=str(tmp_path)))
    (tmp_path / "353.txt").write_text("350 1\n340 1\n")
    with pytest.raises(DataError, match="increase"):
        pipeline_bands(ChannelsSection(names=["353"], passbands=str(tmp_path)))
    with pytest.raises(ConfigurationError, match="frequencies in GHz"):
        pipeline_bands(ChannelsSection(names=["K"], passbands="monochromatic"))
