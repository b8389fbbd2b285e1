"""``predict luminosity --cluster``, ``init --cluster`` and the targets listed by ``data``."""

import json

import pytest

from diffaxion.cli import main
from diffaxion.cli.predict_cluster import parse_thresholds
from diffaxion.data import cluster_text
from diffaxion.errors import ConfigurationError
from tests.stellar_runs import write_run

pytestmark = pytest.mark.filterwarnings("ignore:Quintuplet:diffaxion.errors.DiffaxionWarning")


def run(capsys, *arguments):
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def luminosity(capsys, *arguments):
    code, out, err = run(capsys, "predict", "luminosity", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_bundled_target(capsys):
    found = luminosity(capsys, "--cluster", "quintuplet")
    assert found["made_from"] == "one 85 Msun track"
    assert found["published_erg_s"] == 1.7e35
    assert found["band_16_erg_s"] < found["band_erg_s"] < found["band_84_erg_s"]
    twice = luminosity(capsys, "--cluster", "quintuplet", "--coupling", "2e-12")
    for key in ("band_erg_s", "total_erg_s", "published_erg_s"):
        assert twice[key] == pytest.approx(4 * found[key], rel=1e-12)
    assert twice["per_star_erg_s"]["WC"] == pytest.approx(4 * found["per_star_erg_s"]["WC"])
    assert twice["sigma_ln"] == found["sigma_ln"]
    other = luminosity(capsys, "--cluster", "quintuplet", "--seed", "2")
    assert other["band_erg_s"] == pytest.approx(found["band_erg_s"], rel=2e-3)
    assert other["band_erg_s"] != found["band_erg_s"]
    code, out, _ = run(capsys, "predict", "luminosity", "--cluster", "quintuplet")
    assert code == 0
    assert "one 85 Msun track" in out
    assert '"clusters.quintuplet.spectrum.z[0]" = { dist = "normal", mean = 0, sigma = 1 }' in out


def test_a_copied_target_and_own_tracks(capsys, tmp_path):
    path = tmp_path / "mine.toml"
    code, out, _ = run(capsys, "init", str(path), "--cluster", "quintuplet")
    assert code == 0
    assert "predict luminosity --cluster" in out
    assert path.read_text() == cluster_text("quintuplet")
    path.write_text(path.read_text().replace("{ WC = 13, WN = 1 }", "{ WN = 4 }"))
    write_run(tmp_path / "runs" / "one")
    tracks = ("--cluster", str(path), "--tracks", str(tmp_path / "runs"))
    found = luminosity(capsys, *tracks, "--weight", "step")
    assert found["made_from"] == "one 60 Msun track"
    assert (found["weight"], found["ages_Myr"]) == ("step", [3.0, 3.6])
    late = luminosity(capsys, *tracks, "--ages", "all", "--threshold", "x_wn=0.3")
    assert late["models"]["WN"] > found["models"]["WN"]
    code, _, err = run(capsys, "init", str(path), "--cluster", "wd1")
    assert (code, "exists already" in err) == (2, True)


def test_a_red_supergiant_needs_a_profile(capsys, shared):
    profile = str(shared / "data/ssc/mesa_profile_wc.csv")
    found = luminosity(capsys, "--cluster", "betelgeuse", "--profile", profile)
    alone = luminosity(capsys, "--profile", profile)
    assert found["band_erg_s"] == alone["band_erg_s"]
    assert (found["target"], found["distance_kpc"]) == ("betelgeuse", 0.168)
    assert found["unverified"] == ["sightline.distance_range_kpc"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cluster", "betelgeuse"], ["red supergiant", "--profile"]),
        (["--cluster", "quintuplets"], ["unknown target", "'quintuplet'"]),
        (["--cluster", "none.toml"], ["none.toml", "cannot be read"]),
        (["--cluster", "wd1", "--tracks", "none"], ["none", "does not exist"]),
        (["--cluster", "wd1", "--weight", "mass"], ["weight", "'time' or 'step'"]),
        (["--cluster", "wd1", "--draws", "1"], ["draws", "greater than or equal to 2"]),
        (["--cluster", "wd1", "--threshold", "x_wn"], ["'x_wn'", "NAME=NUMBER"]),
        (["--cluster", "wd1", "--profile", "p.data"], ["describes one star", "22"]),
        (["--cluster", "wd1", "--star", "30,4e7,H1=0.7"], ["neither --star nor --band"]),
        (["--cluster", "wd1", "--band", "3,10"], ["neither --star nor --band"]),
        (["--cluster", "wd1", "--coupling", "-1"], ["coupling", ">= 0"]),
        (["--tracks", "runs"], ["--cluster NAME|FILE"]),
    ],
)
def test_bad_requests(capsys, arguments, words):
    code, out, err = run(capsys, "predict", "luminosity", *arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    for word in words:
        assert word in err


def test_settings_that_need_tracks(capsys):
    for option in (["--weight", "step"], ["--rules", "geneva"], ["--structure", "profiles"]):
        code, _, err = run(capsys, "predict", "luminosity", "--cluster", "wd1", *option)
        assert code == 2
        assert "needs tracks" in err


def test_thresholds():
    assert parse_thresholds(["x_wn=0.05", "c_wc=1e-3"]) == {"x_wn": 0.05, "c_wc": 1e-3}
    for bad in (["x_wn=1", "x_wn=2"], ["x_wn=nan"], ["=2e"]):
        with pytest.raises(ConfigurationError, match="NAME=NUMBER"):
            parse_thresholds(bad)


def test_targets_are_listed(capsys):
    code, out, _ = run(capsys, "data", "--clusters")
    assert code == 0
    assert "wd1  [cluster; Westerlund 1, 2.6 kpc; 8 WC, 14 WN]" in out
    assert "unverified: sightline.distance_range_kpc, stars.counts" in out
    code, out, _ = run(capsys, "data", "--clusters", "--json")
    assert list(json.loads(out)) == ["quintuplet", "wd1", "arches", "betelgeuse"]
    assert json.loads(out)["arches"]["position"]["ra"] == pytest.approx(266.4604, abs=1e-4)
