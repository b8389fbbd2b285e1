"""Images of NuSTAR through the command line: simulate, fit, flux points, limits, injection.

Most commands work on the bundled simulated observation, so that they share compiled programs.
"""

import json

import numpy as np
import pytest
from astropy.table import Table

from diffaxion.cli import main
from diffaxion.data import (
    bundled_observation,
    cluster_text,
    read_flux_points,
    read_image_stack,
)
from diffaxion.products import read_limits

TRUTH = 5.5**4
# Two masses everywhere, so that compiled programs are shared.
MASSES = "1e-13,1e-12"
FAST = """
[model]
targets = ["quintuplet"]
[numerics]
nodes = 100
energies_per_bin = 1
"""
SMALL = ("--pixel", 5, "--bins", "10,20,40,80", "--field", 5.6)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("xray")
    (folder / "fast.toml").write_text(FAST)
    return folder


@pytest.fixture
def run(work, monkeypatch, capsys):
    """Standard output of a command that succeeds, in the folder of this file."""

    def call(*arguments):
        monkeypatch.chdir(work)
        status = main([str(a) for a in arguments])
        shown = capsys.readouterr()
        assert status == 0, shown.err
        return shown.out

    return call


@pytest.fixture
def fitted(work, run):
    if not (work / "fit").exists():
        run("xray", "fit", "bundled", "--config", "fast.toml", "--out", "fit", "--mass", MASSES)
    return json.loads((work / "fit/summary.json").read_text())


def test_fit_of_the_bundled_observation(work, fitted):
    """The injected strength within 3 sigma, below its limit, at the true background."""
    point, _ = fitted["fits"]["quintuplet"]["masses"]
    assert abs(point["a_hat"] - TRUTH) < 3.0 * point["sigma_a"]
    assert point["g_95_GeV"] > 5.5e-12
    assert point["a_95"] == pytest.approx((point["g_95_GeV"] / 1e-12) ** 4)
    assert (point["status"], point["flags"]) == ("OK", [])
    assert point["z_local"] == pytest.approx(np.sqrt(point["ts"]))
    bins = fitted["fits"]["quintuplet"]["bins"]
    assert len(bins) == 7
    for row in bins:
        assert row["background_scale"] == pytest.approx(1.0, abs=0.1)
        # sum mu = sum c where A > 0: a bin's counts are background and signal.
        assert row["background"] + row["signal"] == pytest.approx(row["counts"], rel=2e-3)
    (data,) = fitted["data"].values()
    assert data["nature"].startswith("simulated")
    assert data["counts"] == sum(row["counts"] for row in bins)
    for name in ("images.png", "bins-quintuplet.png", "provenance.json", "diffaxion-run.json"):
        assert (work / "fit" / name).stat().st_size > 0


def test_flux_points_are_input_for_limits_and_for_astropy(work, run):
    out = run("xray", "flux", "bundled", "--config", "fast.toml", "--coupling", 0, "--out", "flux")
    assert len(out.splitlines()) == 8
    path = work / "flux/flux_points.ecsv"
    table = Table.read(path, format="ascii.ecsv")
    assert table.meta["nature"].startswith("simulated")
    assert str(table["energy_keV"].unit) == "keV"
    points = read_flux_points(path)
    np.testing.assert_array_equal(points.flux, table["flux"])
    np.testing.assert_array_equal(points.low_keV, np.arange(10.0, 80.0, 10.0))
    assert np.all((table["minus"] < points.error) & (points.error < table["plus"]))
    summary = json.loads((work / "flux/summary.json").read_text())
    assert summary["flux"] == table["flux"].tolist()
    run(
        "limit", "xray", "fast.toml", "--signal", "anchored", "--masses", MASSES,
        "--spectrum", f"quintuplet={path}", "--out", "gauss", "--quiet",
    )  # fmt: skip
    assert (work / "gauss/limits.csv").exists()


def test_limits_from_pixels(work, run, fitted):
    """The files of `limit xray`; the limit of the fit; flux points agree within 3 per cent."""
    arguments = ("limit", "xray", "fast.toml", "--data", "bundled", "--masses", MASSES)
    out = run(*arguments, "--out", "pix")
    assert "data: simulated: quintuplet" in out
    curves = {(c.curve, c.method): c for c in read_limits(work / "pix/limits.csv")}
    point, _ = fitted["fits"]["quintuplet"]["masses"]
    found = curves[("quintuplet", "pcl")]
    assert found.limit_raw[0] == pytest.approx(point["g_95_power_constrained_GeV"], rel=1e-6)
    assert found.median[0] == pytest.approx(point["g_95_expected_GeV"], rel=1e-6)
    assert "simulated" in (work / "pix/limits/quintuplet_pcl.txt").read_text()
    for name in ("limits.png", "significance.csv", "data.json", "provenance.json"):
        assert (work / "pix" / name).stat().st_size > 0
    if (work / "gauss").exists():
        gauss = {(c.curve, c.method): c for c in read_limits(work / "gauss/limits.csv")}
        ratio = gauss[("quintuplet", "pcl")].limit_raw[0] / found.limit_raw[0]
        assert ratio == pytest.approx(1.0, abs=0.03)


def test_choices_and_shares_of_the_masses(work, run, fitted):
    masses = "1e-14,1e-13,2e-13,1e-12"
    arguments = ("limit", "xray", "fast.toml", "--data", "bundled", "--masses", masses)
    run(*arguments, "--task", "2/2", "--rebin", 2, "--out", "part", "--quiet")
    (coarse,) = json.loads((work / "part-task-2-of-2/data.json").read_text()).values()
    (whole,) = fitted["data"].values()
    assert 0.2 < coarse["pixels"] / whole["pixels"] < 0.3
    (curve,) = (
        c
        for c in read_limits(work / "part-task-2-of-2/limits.csv")
        if (c.curve, c.method) == ("quintuplet", "pcl")
    )
    assert curve.m_a_eV.tolist() in ([1e-13, 1e-12], [2e-13, 1e-12])


def test_injection_through_files_is_recovered(work, run, fitted):
    """c' = c + Poisson(S): the strength rises by the injected one within its Poisson error."""
    g = 9e-12
    printed = run(
        "xray", "simulate", "--into", "bundled", "--coupling", g, "--seed", 8,
        "--config", "fast.toml", "--out", "injected", "--json",
    )  # fmt: skip
    truth = json.loads((work / "injected/simulation.json").read_text())
    assert json.loads(printed) == truth
    assert "+ simulated signal, g=9e-12/GeV" in truth["nature"]
    before, after = (read_image_stack(p) for p in (bundled_observation(), work / "injected"))
    added = np.sum((after.counts - before.counts) * before.mask)
    assert added > 0.0
    run("xray", "fit", "injected", "--config", "fast.toml", "--mass", MASSES, "--out", "again")
    found = json.loads((work / "again/summary.json").read_text())
    old, new = (f["fits"]["quintuplet"]["masses"][0] for f in (fitted, found))
    rise = new["a_hat"] - old["a_hat"]
    # Noise of the added counts alone: a/sqrt(N), and 20 per cent more for counts at the edge.
    error = 9.0**4 / np.sqrt(added)
    assert abs(rise - 9.0**4) < 3.0 * 1.2 * error
    assert error < 0.1 * 9.0**4
    assert new["ts"] > 30.0


def test_simulations_repeat_and_say_what_they_are(work, run):
    arguments = ("xray", "simulate", "--cluster", "arches", *SMALL, "--spread", 15, "--seed", 4)
    for name in ("one", "two"):
        run(*arguments, "--out", name, "--quiet")
    names = sorted(p.name for p in (work / "one").glob("*.img"))
    assert len(names) == 2 * (1 + 3 + 3)
    for name in (*names, "stars.csv", "observation.toml"):
        assert (work / "one" / name).read_bytes() == (work / "two" / name).read_bytes()
    other = json.loads(run(*arguments[:-1], 5, "--out", "three", "--json", "--quiet"))
    assert other["nature"] == "simulated: arches, no signal, seed 5"
    assert other["counts"] != json.loads((work / "one/simulation.json").read_text())["counts"]
    stack = read_image_stack(work / "one")
    assert stack.nature == "simulated: arches, no signal, seed 4"
    # No signal of this target is known, and points need none.
    flux = json.loads(run("xray", "flux", "one", "--out", "points", "--json"))
    assert np.all(np.isfinite(flux["flux"]))
    assert (work / "points/flux_points.png").exists()
    assert stack.exposure_s.sum() == pytest.approx(50e3)


def test_a_cluster_of_ones_own_with_event_lists(work, run):
    """The description travels with the data; events are read back as images."""
    text = cluster_text("quintuplet")
    (work / "mine.toml").write_text(text.replace('name = "quintuplet"', 'name = "mine"', 1))
    run(
        "xray", "simulate", "--cluster", "mine.toml", "--events", "--bins", "10,40,80",
        "--field", 5.2, "--exposure", 10, "--modules", "A", "--out", "mine", "--quiet",
    )  # fmt: skip
    assert (work / "mine/cluster.toml").read_text() == (work / "mine.toml").read_text()
    assert len(list((work / "mine").glob("*_cl.evt"))) == 1
    truth = json.loads((work / "mine/simulation.json").read_text())
    stack = read_image_stack(work / "mine")
    assert 0.0 < stack.counts.sum() < sum(truth["counts"])
    assert stack.modules == ("FPMA",)


def test_help_has_an_example(capsys):
    for command in ("simulate", "fit", "flux"):
        assert main(["xray", command, "--help"]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert f"Example: diffaxion xray {command}" in shown


def test_results_are_not_overwritten(work, fitted, monkeypatch, capsys):
    monkeypatch.chdir(work)
    assert main(["xray", "fit", "bundled", "--config", "fast.toml", "--out", "fit"]) == 2
    assert "already holds results" in capsys.readouterr().err
    assert json.loads((work / "fit/summary.json").read_text()) == fitted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("simulate", "--seed", "-1"), "Invalid value for '--seed'"),
        (("simulate", "--modules", "AA"), "expected A, B or both"),
        (
            ("simulate", "--into", "bundled", "--coupling", "8e-12", "--exposure", "5", "--events"),
            "--exposure, --events: with --into the data are given",
        ),
        (("fit", "one", "./one"), "expected one or more different folders"),
    ],
)
def test_what_would_be_ignored_or_counted_twice_is_refused(
    work, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(work)
    assert main(["xray", *arguments, "--out", "refused"]) == 2
    assert message in capsys.readouterr().err
    assert not (work / "refused").exists()
