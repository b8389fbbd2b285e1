"""Descriptions of targets: numbers, positions, and files that a user broke."""

import math
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaxion.data import BUNDLED_CLUSTERS, cluster_text, load_cluster
from diffaxion.data.sky_position import galactic_coordinates, parse_angle, separation_arcmin
from diffaxion.errors import ConfigurationError, DataError


def test_every_bundled_file_is_listed_and_reads():
    folder = files("diffaxion.data") / "clusters"
    assert {p.name for p in folder.iterdir() if p.name.endswith(".toml")} == {
        f"{n}.toml" for n in BUNDLED_CLUSTERS
    }
    for name in BUNDLED_CLUSTERS:
        assert load_cluster(name).name == name


def test_published_numbers():
    """The table of clusters of the paper, and its conventions for the sight lines."""
    quintuplet, wd1 = load_cluster("quintuplet"), load_cluster("wd1")
    assert (quintuplet.stars.modelled, wd1.stars.modelled) == (71, 153)
    assert quintuplet.stars.counts == {"WC": 13, "WN": 1}
    assert wd1.stars.counts == {"WC": 8, "WN": 14}
    assert quintuplet.population.age_Myr == (3.0, 3.6)
    assert wd1.population.age_Myr == (4.5, 7.1)
    assert (quintuplet.luminosity.total_erg_s, wd1.luminosity.total_erg_s) == (2.1e35, None)
    assert quintuplet.galactic_deg() == (0.164, -0.061)
    assert wd1.galactic_deg() == (339.55, -0.40)
    assert load_cluster("arches").luminosity is None
    assert "stars.counts" in quintuplet.unverified()


@pytest.mark.parametrize(
    ("name", "galactic"),
    [
        ("quintuplet", (0.1604, -0.0591)),
        ("wd1", (339.549, -0.404)),
        ("arches", (0.121, 0.017)),
        ("betelgeuse", (199.79, -8.96)),
    ],
)
def test_positions_and_sight_lines_belong_together(name, galactic):
    facts = load_cluster(name)
    found = galactic_coordinates(facts.position.ra, facts.position.dec)
    # Half a unit of the last digit.
    np.testing.assert_allclose(found, galactic, atol=6e-4 if name != "betelgeuse" else 6e-3)
    assert separation_arcmin(found, facts.galactic_deg()) < 0.6


def test_the_magnetar_lies_where_the_mask_is_needed():
    """1.61 arcmin from the centre of Westerlund 1 (the paper has about 1.5)."""
    facts = load_cluster("wd1")
    (mask,) = facts.nustar.masks
    centre = (facts.position.ra, facts.position.dec)
    distance = separation_arcmin(centre, (mask.ra, mask.dec))
    assert distance == pytest.approx(1.61, abs=0.01)
    assert mask.radius_arcmin == 0.5
    reference = facts.nustar.reference
    assert (reference.ra, reference.dec) == (mask.ra, mask.dec)


@given(st.floats(0.0, 359.99), st.floats(-89.9, 89.9))
@settings(max_examples=30, deadline=None)
def test_rotation_agrees_with_astropy(ra, dec):
    from astropy.coordinates import SkyCoord

    there = SkyCoord(ra, dec, unit="deg", frame="fk5").galactic
    found = galactic_coordinates(ra, dec)
    # The published angles of the pole have five decimals: 0.04 arcsec.
    assert separation_arcmin(found, (there.l.deg, there.b.deg)) * 60.0 < 0.1


@given(st.integers(0, 23), st.integers(0, 59), st.floats(0.0, 59.99))
@settings(max_examples=50, deadline=None)
def test_sexagesimal_text(h, m, s):
    expected = 15.0 * (h + m / 60.0 + s / 3600.0)
    for text in (f"{h}h{m}m{s:.6f}s", f"{h}:{m}:{s:.6f}"):
        assert parse_angle(text, "ra", hours=True) == pytest.approx(expected, abs=1e-8)
    degrees = parse_angle(f"-{h}d{m}m{s:.6f}s", "dec")
    assert degrees == pytest.approx(-expected / 15.0, abs=1e-8)
    assert math.copysign(1.0, parse_angle("-0d0m30s", "dec")) == -1.0


def write(tmp_path, old, new):
    text = cluster_text("quintuplet")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new))
    return path


def test_a_copy_can_be_edited(tmp_path):
    path = write(tmp_path, "longitude_deg = 0.164\nlatitude_deg = -0.061\n", "")
    facts = load_cluster(path)
    assert facts.origin == str(path)
    path.write_text(path.read_text(), encoding="utf-8-sig")  # as some editors save
    assert load_cluster(path) == facts
    np.testing.assert_allclose(facts.galactic_deg(), (0.1604, -0.0591), atol=1e-4)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("distance_kpc = 8.3", "distnace_kpc = 8.3", ["distnace_kpc", "'distance_kpc'"]),
        ("distance_kpc = 8.3", "distance_kpc = -8.3", ["sightline.distance_kpc = -8.3"]),
        ("distance_kpc = 8.3", "distance_kpc = 9.3", ["9.3", "outside distance_range_kpc"]),
        ("distance_kpc = 8.3\n", "distance_kpc = 8300.0\n", ["8300", "less than or equal to 1000"]),
        ("total_erg_s = 2.1e35", "total_erg_s = inf", ["luminosity.total_erg_s", "finite number"]),
        ("mean_km_s = 150.0", "mean_km_s = nan", ["rotation_mean_km_s", "finite number"]),
        ('ra = "17h46m13.9s"', "ra = 17.77", ["0.164", "92.6 deg from the position"]),
        ("latitude_deg = -0.061\n", "", ["both longitude_deg and latitude_deg"]),
        ('ra = "17h46m13.9s"', 'ra = "17h66m13.9s"', ["17h66m13.9s", "expected degrees"]),
        ('dec = "-28d49m48s"', 'dec = "-98d49m48s"', ["expected -90..90"]),
        ('dec = "-28d49m48s"', 'dec = "-28h49m48s"', ["is in hours"]),
        ('kind = "cluster"', 'kind = "clutser"', ["kind = 'clutser'", "red-supergiant"]),
        ('name = "quintuplet"', 'name = "my cluster"', ["name = 'my cluster'"]),
        ("modelled = 71", "modelled = 7", ["add up to 14", "7 modelled"]),
        ("WC = 13", "WC = -13", ["stars.counts.WC = -13"]),
        ("age_Myr = [3.0, 3.6]", "age_Myr = [3.6, 3.0]", ["population.age_Myr", "increasing"]),
        ("_minus_erg_s = 0.3e35", "_minus_erg_s = 3e35", ["reaches zero"]),
        ('unverified = ["counts"]', 'unverified = ["count"]', ["'count'", "not a key"]),
        ('modules = ["A", "B"]', 'modules = ["C"]', ["nustar.modules"]),
        ('label = "Quintuplet"\n', "", ["'label' is missing", "diffaxion init"]),
        ("[position]", "[positoin]", ["'positoin'", "'position'"]),
        ("[nustar.reference]", "[nustar.refernce]", ["nustar.refernce", "'reference'"]),
        ('label = "Quintuplet"', 'label = "Quintuplet', ["not TOML"]),
        ('label = "Quintuplet"', 'label = "Q"\norigin = "x"', ["unknown key 'origin'"]),
    ],
)
def test_broken_files(tmp_path, old, new, words):
    path = write(tmp_path, old, new)
    with pytest.raises(DataError) as error:
        load_cluster(path)
    for word in ["mine.toml", *words]:
        assert word in str(error.value)


def test_names_and_files_that_are_not_there(tmp_path):
    with pytest.raises(ConfigurationError, match="'quintuplet'"):
        load_cluster("quintuplets")
    with pytest.raises(DataError, match="cannot be read"):
        load_cluster(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        load_cluster(tmp_path / "binary.toml")
