"""Commands through the entry point: contracts of their output, values, files, exit status."""

import json
import re

import numpy as np
import pytest

from diffaxion.analyses.config import default_configuration_text, load_configuration
from diffaxion.cli import main
from diffaxion.data import table_names
from diffaxion.products import read_limits
from tests import xray_models as models
from tests.conftest import read_csv

EVENTS = {"wnh": "WNh", "he_ignition": "He ignition", "wc": "WC"}
# Exact shells, total and 10-80 keV [erg/s].
EXACT = {
    "wnh": (4.1203e31, 2.3745e31),
    "he_ignition": (7.9034e32, 7.3796e32),
    "wc": (7.9988e33, 5.8642e33),
}


@pytest.fixture
def run(capsys):
    """Exit status and standard output of a command."""

    def call(*arguments):
        status = main([str(a) for a in arguments])
        return status, capsys.readouterr().out

    return call


@pytest.fixture
def predict(run):
    """The JSON object of a prediction."""

    def call(*arguments):
        status, out = run("predict", *arguments, "--json")
        assert status == 0
        assert len(out.splitlines()) == 1
        return json.loads(out)

    return call


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--target", "quintuplet", "--inner-bz", 3.2), (7.736e-5, 2.207e-4)),
        (("--target", "wd1"), (2.389e-6, 1.673e-6)),
        (
            ("--longitude", 0.164, "--latitude", -0.061, "--distance", 8.3, "--inner-bz", 3.2),
            (7.736e-5, 2.207e-4),
        ),
    ],
)
def test_conversion_at_low_mass(predict, arguments, expected):
    out = predict("conversion", *arguments, "--mass", 1e-13, "--energy", "10,80")
    assert out["energy_keV"] == [10.0, 80.0]
    np.testing.assert_allclose(out["probability"], expected, rtol=1e-3)


@pytest.mark.parametrize("target", models.TARGETS)
def test_conversion_against_the_reference_tables(shared, predict, target):
    """2 % from 10 to 80 keV up to 1e-10 eV, above which the tables are no reference."""
    table = read_csv(shared / "data/galaxy" / models.P_TABLE[target])
    masses = table.pop("m_a_eV")
    p = np.stack(list(table.values()), axis=1)
    energies = np.arange(10, 81, 10)
    for k in np.flatnonzero(masses <= 1.001e-10)[::6]:
        out = predict(
            "conversion",
            *("--target", target, "--inner-bz", 3.2, "--mass", repr(float(masses[k]))),
            *("--energy", ",".join(map(str, energies))),
        )
        np.testing.assert_allclose(out["probability"], p[k, energies - 10], rtol=0.02)


def test_conversion_says_what_it_used(predict):
    out = predict("conversion", "--target", "wd1", "--mass", 1e-13, "--energy", "10,80")
    assert out["engine"] == "born"
    assert (out["field"], out["density"], out["turbulence"]) == ("jf12", "ymw16", "none")
    assert (out["distance_kpc"], out["r_sun_kpc"]) == (2.6, 8.3)
    twice = predict(
        "conversion",
        *("--target", "wd1", "--mass", 1e-13, "--energy", "10,80", "--coupling", 2e-12),
    )
    np.testing.assert_allclose(twice["probability"], 4.0 * np.array(out["probability"]), rtol=1e-12)


@pytest.mark.parametrize(
    "event", ["wc", *(pytest.param(e, marks=pytest.mark.slow) for e in ("wnh", "he_ignition"))]
)
def test_luminosity_of_the_profiles(shared, predict, event):
    """Thin shells as tabulated to 1e-4 (mean energy 1e-3); exact shells 2.4-2.8 % lower."""
    rows = read_csv(shared / "data/ssc/mesa_event_luminosities.csv")
    k = list(rows["event"]).index(EVENTS[event])
    path = shared / f"data/ssc/mesa_profile_{event}.csv"
    thin = predict("luminosity", "--profile", path, "--shells", "thin")
    np.testing.assert_allclose(thin["total_erg_s"], rows["La_total"][k], rtol=1e-4)
    np.testing.assert_allclose(thin["band_erg_s"], rows["La_10_80"][k], rtol=1e-4)
    np.testing.assert_allclose(thin["mean_energy_keV"], rows["meanE_keV"][k], rtol=1e-3)
    exact = predict("luminosity", "--profile", path)
    found = (exact["total_erg_s"], exact["band_erg_s"])
    np.testing.assert_allclose(found, EXACT[event], rtol=1e-3)


# The rounding of the paper's threshold; at 1e-13 eV its limits are 4.223e-12 and 4.752e-12.
SETTINGS = """
[coupling]
q_threshold = 2.71
"""


@pytest.fixture(scope="module")
def limits(tmp_path_factory):
    """Folder of ``limit xray`` for both targets at four masses, one above 1e-10 eV."""
    folder = tmp_path_factory.mktemp("limit")
    (folder / "mine.toml").write_text(SETTINGS)
    masses = "1e-13,1e-12,1.668e-11,3e-10"
    arguments = [str(folder / "mine.toml"), "--masses", masses, "--out", str(folder / "out")]
    assert main(["limit", "xray", *arguments]) == 0
    return folder


def test_limit_files(limits):
    out = limits / "out"
    names = {p.name for p in out.iterdir()}
    assert {"limits.csv", "limits", "limits.png", "significance.csv", "provenance.json"} <= names
    header = (out / "limits.csv").read_text().splitlines()[0]
    assert header.startswith("curve,method,prior,m_a_eV,limit,median,minus1,plus1,plus2,status")
    curves = {(c.curve, c.method): c for c in read_limits(out / "limits.csv")}
    targets = (*models.TARGETS, "joint")
    assert set(curves) == {(t, m) for t in targets for m in ("pcl", "q")}
    for target in targets:
        curve = curves[target, "pcl"]
        assert list(curve.status) == ["OK", "OK", "OK", "FIELD_STRUCTURE"]
        assert np.isnan(curve.limit[3])
        assert curve.spread_low[3] <= curve.limit_raw[3] <= curve.spread_high[3]
        assert np.all(curve.limit_raw >= curve.minus1)
        # Only usable limits go into the two-column files.
        lines = (out / f"limits/{target}_pcl.txt").read_text().splitlines()
        numbers = np.array([x.split() for x in lines if not x.startswith("#")], float)
        np.testing.assert_allclose(numbers[:, 0], curve.m_a_eV[:3], rtol=1e-6)
        np.testing.assert_allclose(numbers[:, 1], curve.limit[:3], rtol=1e-6)
    # Westerlund 1 fluctuates low in the dip: constrained there, and the joint limit is stronger.
    assert curves["joint", "pcl"].limit[0] < curves["quintuplet", "pcl"].limit[0]
    np.testing.assert_allclose(curves["quintuplet", "pcl"].limit[0], 4.223e-12, rtol=1e-3)
    np.testing.assert_allclose(curves["wd1", "pcl"].median[0], 4.854e-12, rtol=1e-3)


def test_limit_significances_and_provenance(limits):
    rows = read_csv(limits / "out/significance.csv")
    assert list(rows) == ["signal", "curve", "m_a_eV", "a_hat", "sigma", "ts", "z_local"]
    pull = rows["a_hat"] / rows["sigma"]
    np.testing.assert_allclose(rows["z_local"], np.maximum(pull, 0.0), rtol=1e-9, atol=1e-12)
    first = {name: pull[np.flatnonzero(rows["curve"] == name)[0]] for name in set(rows["curve"])}
    np.testing.assert_allclose(first["quintuplet"], 0.301, atol=2e-3)
    np.testing.assert_allclose(first["wd1"], -0.135, atol=2e-3)
    np.testing.assert_allclose(first["joint"], 0.212, atol=2e-3)
    record = json.loads((limits / "out/provenance.json").read_text())
    assert record["config"]["coupling"]["q_threshold"] == 2.71
    assert record["versions"]["diffaxion"]
    assert (limits / "out/limits.png").read_bytes().startswith(b"\x89PNG")


def test_limit_results_are_not_overwritten(limits, run):
    before = (limits / "out/limits.csv").read_bytes()
    status, _ = run("limit", "xray", limits / "mine.toml", "--out", limits / "out")
    assert status == 2
    assert (limits / "out/limits.csv").read_bytes() == before


def test_limits_of_a_user_spectrum(limits, run):
    """The released points given as a file are the released points; half the errors halve sigma."""
    known = models.spectrum("wd1")
    config = limits / "wd1.toml"
    config.write_text('[model]\ntargets = ["wd1"]\n' + SETTINGS)
    found = {}
    for name, factor in (("same", 1.0), ("half", 0.5)):
        columns = (known.low_keV + 2.5, known.points.data, factor * known.points.scale)
        rows = [f"{e!r},2.5,{f!r},{s!r}" for e, f, s in zip(*(map(float, c) for c in columns))]
        path = limits / f"{name}.csv"
        path.write_text("\n".join(["energy_keV,half_width_keV,flux,error", *rows]) + "\n")
        status, out = run(
            *("limit", "xray", config, "--masses", "1e-13,1e-12", "--spectrum", f"wd1={path}"),
            *("--out", limits / name),
        )
        assert status == 0
        assert re.search(r"wd1 .*g < .*e-12 GeV\^-1", out)
        found[name] = read_limits(limits / name / "limits.csv")[0]
    reference = read_limits(limits / "out/limits.csv")
    (reference,) = (c for c in reference if (c.curve, c.method) == ("wd1", "pcl"))
    np.testing.assert_allclose(found["same"].limit, reference.limit[:2], rtol=1e-12)
    np.testing.assert_allclose(found["half"].median / found["same"].median, 0.5**0.25, rtol=1e-9)


@pytest.mark.parametrize("name", ["joint", "xray", "screening"])
def test_init_writes_a_configuration_that_loads(tmp_path, run, name):
    path = tmp_path / "my.toml"
    status, out = run("init", path, "--configuration", name)
    assert status == 0
    assert "diffaxion joint" in out
    assert path.read_text() == default_configuration_text(name)
    assert load_configuration(path) == load_configuration(name)
    assert run("init", path)[0] == 2


def test_init_takes_the_joint_configuration_and_refuses_unknown_ones(tmp_path, run, capsys):
    assert run("init", tmp_path / "plain.toml")[0] == 0
    assert (tmp_path / "plain.toml").read_text() == default_configuration_text("joint")
    assert main(["init", str(tmp_path / "no.toml"), "--configuration", "xrays"]) == 2
    assert "'xrays' is unknown" in capsys.readouterr().err
    assert not (tmp_path / "no.toml").exists()


def test_data_lists_every_table_with_its_source(run):
    status, out = run("data")
    assert status == 0
    for name in table_names():
        assert re.search(rf"^{name}  \[\w.*; .*\]$", out, re.MULTILINE)
    assert out.count("    source: ") == len(table_names())
    listed = json.loads(run("data", "--json")[1])
    assert set(listed) == set(table_names())
    assert all({"source", "licence", "nature", "description"} <= set(t) for t in listed.values())


def test_cite_names_the_works_behind_each_configuration(tmp_path, run):
    """Both halves by default; only its own where a configuration has one."""
    stars, halos = ("Dessert", "Jansson", "Yao"), ("Goldstein", "Battaglia", "Tinker")
    _, plain = run("cite")
    for author in (*stars, *halos):
        assert author in plain
    for name, theirs, others in (("xray", stars, halos), ("screening", halos, stars)):
        _, plain = run("cite", name)
        assert all(author in plain for author in theirs)
        assert not any(author in plain for author in others)
    _, bibtex = run("cite", "--bibtex")
    entries = re.findall(r"^@\w+\{([^,]+),", bibtex, re.MULTILINE)
    assert len(entries) == len(set(entries)) >= 8


def test_limits_with_nuisances_outside_the_prior_of_the_mass(tmp_path, capsys):
    """The forward models are prepared for that range: refused before anything is computed."""
    out = tmp_path / "out"
    assert main(["limit", "joint", "--masses", "1e-12,3e-11", "--out", str(out)]) == 2
    assert "3e-11 eV is outside mass.prior_eV = [1e-13, 1e-11]" in capsys.readouterr().err
    assert not out.exists()


def test_reproduce_joint_wants_a_finished_run(tmp_path, capsys):
    command = ["reproduce", "joint", "--from", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "posterior_mass.h5" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_help_has_an_example_everywhere(run):
    for command in (
        ("predict", "luminosity"),
        ("predict", "conversion"),
        ("limit", "xray"),
        ("limit", "joint"),
        ("reproduce", "xray"),
        ("reproduce", "joint"),
        *(("joint",), ("init",), ("data",), ("cite",)),
    ):
        status, out = run(*command, "--help")
        assert status == 0
        assert f"Example: diffaxion {' '.join(command)}" in " ".join(out.split())


@pytest.mark.slow
def test_reproduce_prints_every_number_with_its_verdict(tmp_path, run):
    status, out = run("reproduce", "xray", "--out", tmp_path / "paper")
    assert status == 0
    names = {p.name for p in (tmp_path / "paper").iterdir()}
    figures = {"figure2.png", "figure3.png", "conversion.png"}
    assert figures | {"reproduction.md", "reproduction.json", "report.html", "limits.csv"} <= names
    assert (tmp_path / "paper/reproduction.md").read_text().strip() in out
    tables = json.loads((tmp_path / "paper/reproduction.json").read_text())["tables"]
    rows = {r["quantity"]: r for table in tables.values() for r in table}
    compared = [r for r in rows.values() if r["agrees"] is not None]
    assert len(compared) >= 20
    limit = rows["Quintuplet: 95 % limit [1e-12 GeV^-1]"]
    np.testing.assert_allclose(limit["ours"], 4.223, rtol=1e-3)
    np.testing.assert_allclose(limit["published"], 3.816, rtol=1e-3)
    assert "not understood" in out
    dip = rows["Westerlund 1: mass of the strongest expected limit [eV]"]
    np.testing.assert_allclose(dip["ours"], 2.783e-11, rtol=1e-3)
