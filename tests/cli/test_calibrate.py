"""``diffaxion calibrate``: refusals, products and merging; small runs of all four commands."""

import csv
import json

import h5py
import numpy as np
import pytest

from diffaxion.analyses.calibration import SbcResult
from diffaxion.analyses.config import load_configuration
from diffaxion.cli import main
from diffaxion.errors import DataError
from diffaxion.inference.calibration import rank_band
from diffaxion.products import merge_sbc, plot_ranks, write_calibration
from diffaxion.products.calibration import ranks_csv, sbc_summary
from diffaxion.provenance import config_hash, provenance_record

SMALL = """
[model]
targets = ["wd1"]
[likelihoods]
cmb = "none"
[numerics]
nodes = 300
energies_per_bin = 1
sampler_nodes = 24
sampler_energies_per_bin = 1
[priors]
"clusters.wd1.ln_luminosity" = { dist = "normal", mean = 0.0, sigma = 0.137 }
"clusters.wd1.ln_density" = { dist = "normal", mean = 0.0, sigma = 0.2 }
"galaxy.field.outer.norm_x" = { dist = "log_normal", median = 1.0, sigma_ln = 0.3 }
"""
NAMES = ("axion.u", "halos.field.ln_amplitude", "log_likelihood")


@pytest.fixture
def run(capsys):
    """Exit status, standard output and standard error of a command."""

    def call(*arguments):
        status = main([str(a) for a in arguments])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return call


def made_up(index, spread=100):
    """Ranks on 0..spread - 1 of some simulations."""
    rng = [np.random.default_rng([9, k]) for k in index]
    ranks = np.array([r.integers(0, spread, size=len(NAMES)) for r in rng])
    tarp = np.array([r.integers(0, spread) for r in rng])
    kish = np.array([1000.0 + r.uniform() for r in rng])
    return SbcResult(NAMES, 99, 12.0, 5e-13, 20000, np.array(index), ranks, tarp, kish)


def task_folder(folder, index, total=200, seed=0, **changes):
    result = made_up(index)
    record = provenance_record(seed, {"calibration": {"simulations": total, **changes}})
    write_calibration(folder, sbc_summary(result), record, tables={"ranks.csv": ranks_csv(result)})
    return folder


@pytest.mark.parametrize("command", ["sbc", "coverage", "inject", "ppc", "merge"])
def test_help_has_an_example(run, command):
    status, out, _ = run("calibrate", command, "--help")
    assert status == 0
    assert f"diffaxion calibrate {command}" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sbc", "xry"), "cannot be read"),
        (("sbc", "xray", "--draws", "96"), "divisors up to 20"),
        (("sbc", "xray", "--simulations", "40", "--task", "1/4"), "cannot be binned"),
        (("sbc", "xray", "--task", "3/2"), "expected i/N"),
        (("sbc", "xray", "--reach", "0"), "0 < reach"),
        (("sbc", "xray", "--bank", "7"), "expected 100 to"),
        (("sbc", "xray", "--mass", "heavy"), "expected numbers [eV]"),
        (("inject", "xray", "--mass", "1e-13,1e-12"), "expected one mass > 0"),
        (("inject", "xray", "--strength", "3"), "couplings between 0 and 1e-9"),
        (("coverage", "xray", "--masses", "3:1:2"), "0 < LO < HI"),
        (("ppc", "."), "holds no posterior.h5"),
        (("ppc", "none.h5"), "not a posterior of diffaxion"),
        (("ppc", "none.h5", "--mass", "1e-12"), "have their own mass"),
        (("merge", "nowhere"), "expected calibration.json"),
    ],
)
def test_bad_input(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run("calibrate", *arguments)
    assert status == 2
    assert message in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


def test_tasks_are_merged_to_what_one_run_gives(run, tmp_path):
    parts = [task_folder(tmp_path / f"part{k}", list(range(k, 200, 2))) for k in range(2)]
    status, out, _ = run("calibrate", "merge", *parts[::-1], "--out", tmp_path / "all", "--json")
    printed = json.loads(out)
    assert status == 0
    assert printed["simulations"] == 200
    whole = made_up(list(range(200)))
    assert (tmp_path / "all/ranks.csv").read_text() == ranks_csv(whole)
    written = json.loads((tmp_path / "all/calibration.json").read_text())
    assert written["parameters"]["axion.u"]["p"] == whole.tests()["axion.u"].p
    assert len(written["provenance"]["merged"]) == 2
    assert (tmp_path / "all/calibration.png").read_bytes()[:4] == b"\x89PNG"


def test_tasks_that_do_not_belong_together(tmp_path):
    first = task_folder(tmp_path / "a", list(range(0, 200, 2)))
    with pytest.raises(DataError, match="give the folder of every task, once"):
        merge_sbc([first])
    other = task_folder(tmp_path / "b", list(range(1, 200, 2)), reach=2.0)
    with pytest.raises(DataError, match=r"differ in config\.calibration\.reach"):
        merge_sbc([first, other])
    seed = task_folder(tmp_path / "c", list(range(1, 200, 2)), seed=4)
    with pytest.raises(DataError, match="differ in seed"):
        merge_sbc([first, seed])
    (first / "ranks.csv").write_text("simulation,effective_draws,tarp,axion.u\n0,1,nan,3\n")
    with pytest.raises(DataError, match=r"ranks\.csv"):
        merge_sbc([first])


def test_the_figure_shows_bars_inside_and_outside_the_band():
    """Uniform ranks mostly lie in the band of 99 %; ranks of one half leave it."""
    index = list(range(400))
    low, high = rank_band(400, 20)
    good = made_up(index).tests()["axion.u"].counts
    assert np.mean((good >= low) & (good <= high)) > 0.9
    bad = made_up(index, spread=50)
    assert not bad.passed
    assert np.all(bad.tests()["axion.u"].counts[10:] == 0)
    figure = plot_ranks(bad)
    panels = [axis for axis in figure.axes if axis.axison]
    assert len(panels) == len(NAMES) + 1
    assert "400 simulations" in figure.get_suptitle()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrate")
    (folder / "small.toml").write_text(SMALL)
    return folder


@pytest.mark.slow
def test_ranks_of_the_xray_model(run, small):
    """100 simulations of Westerlund 1 with three nuisances: the computed tolerances hold."""
    out = small / "sbc"
    command = ["calibrate", "sbc", small / "small.toml", "--simulations", 100, "--bank", 4000]
    status, _, _ = run(*command, "--reach", 2, "--quiet", "--out", out)
    assert status == 0
    found = json.loads((out / "calibration.json").read_text())
    names = ["axion.u", *load_configuration(small / "small.toml").priors, "log_likelihood"]
    assert list(found["parameters"]) == names
    assert found["smallest_p_bonferroni"] > 0.01
    assert found["tarp"]["deviation"] < found["tarp"]["tolerance"] < 0.17
    record = found["provenance"]
    assert record["config_sha256"] == config_hash(record["config"])
    with (out / "ranks.csv").open() as file:
        assert len(list(csv.reader(file))) == 101
    status, _, err = run(*command, "--out", out)
    assert status == 2
    assert "already holds results" in err


@pytest.mark.slow
def test_coverage_and_recovery_of_the_xray_model(run, small):
    config = small / "small.toml"
    status, out, _ = run(
        "calibrate",
        "coverage",
        config,
        "--toys",
        2000,
        "--masses",
        "2e-13,1e-11",
        "--strength",
        "0,4e-12",
        "--quiet",
        "--json",
        "--out",
        small / "coverage",
    )
    points = json.loads(out)["points"]
    assert status == 0
    assert [(p["m_a_eV"], p["g_GeV"]) for p in points] == [
        (2e-13, 0.0),
        (2e-13, 4e-12),
        (1e-11, 0.0),
        (1e-11, 4e-12),
    ]
    assert all(p["coverage_power_constrained"]["value"] >= p["coverage"]["value"] for p in points)
    status, out, _ = run(
        "calibrate",
        "inject",
        config,
        "--toys",
        1000,
        "--strength",
        "0,6e-12",
        "--quiet",
        "--json",
        "--out",
        small / "inject",
    )
    null, signal = (p["observed"]["u_hat"] for p in json.loads(out)["points"])
    assert status == 0
    # The spectrum of one cluster is linear in a = u|u|: the injected 6^4 comes back.
    assert signal * abs(signal) - null * abs(null) == pytest.approx(6.0**4, rel=1e-6)


@pytest.mark.slow
def test_replicas_of_a_stored_posterior(run, small):
    """Draws from the priors stand in for a run: the observed spectrum is not unusual."""
    settings = load_configuration(small / "small.toml")
    rng = np.random.default_rng(1)
    (small / "run").mkdir()
    with h5py.File(small / "run/posterior.h5", "w") as file:
        record = provenance_record(1, settings.model_dump(mode="json"))
        file.attrs["provenance"] = json.dumps(record)
        u = rng.uniform(0.0, 10.0, size=(2, 200))
        for name, values in (("axion.u", u), ("g_GeV", 1e-12 * np.sqrt(u))):
            file[f"parameters/{name}"] = values
        for name in settings.priors:
            file[f"standardised/{name}"] = rng.normal(size=(2, 200))
        for name in ("diverging", "saturated", "energy", "accept_prob", "num_steps"):
            file[f"sampler/{name}"] = np.zeros((2, 200))
    status, out, _ = run(
        "calibrate", "ppc", small / "run", "--quiet", "--json", "--out", small / "ppc"
    )
    found = json.loads(out)
    assert status == 0
    assert found["replicas"] == 400
    (probe,) = found["probes"]
    assert (probe["probe"], probe["points"]) == ("wd1", 13)
    # chi2 of the published points without signal is 9.28.
    assert probe["chi2_observed_mean"] == pytest.approx(9.28, abs=0.5)
    assert 0.3 < probe["p"] < 0.95
