"""``diffaxion joint`` from configuration to products: a tiny run, and the bundled one.

What the files must contain is tested on made-up draws in ``tests/products``.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from diffaxion.cli import main
from diffaxion.data.bandpowers import Bandpowers, write_bandpowers
from diffaxion.products import read_limits
from tests.cli.test_tasks import check

pytestmark = pytest.mark.slow

TINY = """
seed = 5
[model]
targets = ["wd1"]
[likelihoods]
cmb = "none"
[mass]
posteriors = ["sampled"]
grid_points = 3
grid_eV = [1e-13, 1e-11]
profile_points = 2
[sampler]
chains = 2
warmup = 20
draws_sampled = 20
chunk = 20
[numerics]
nodes = 300
energies_per_bin = 1
sampler_nodes = 24
sampler_energies_per_bin = 1
[priors]
"clusters.wd1.ln_luminosity" = { dist = "normal", mean = 0.0, sigma = 0.137 }
"""
# CMB alone, one mass, hardly any halos: what remains is how bandpowers with residuals are used.
BANDPOWERS = """
seed = 5
[likelihoods]
xray = false
cmb = "bandpowers.npz"
[screening]
configuration = "parity"
n_z = 5
n_mass = 12
[mass]
posteriors = ["fixed"]
fixed_eV = 1e-12
prior_eV = [1e-12, 1.1e-12]
profile_points = 2
[sampler]
chains = 2
warmup = 40
draws = 40
chunk = 40
"""
# Enough blocks that a kill after the first one leaves some to the next process.
LONG = TINY.replace("draws_sampled = 20", "draws_sampled = 4000")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny.toml").write_text(TINY)
    return folder


@pytest.fixture(scope="module")
def first(tiny):
    """Exit status and folder of the tiny run."""
    return main(["joint", str(tiny / "tiny.toml"), "--out", str(tiny / "one")]), tiny / "one"


def draws(folder):
    with h5py.File(folder / "posterior.h5") as file:
        return {name: data[:] for name, data in file["parameters"].items()}


def test_a_run_without_convergence_writes_everything_and_fails(first):
    """Twenty draws pass no gate: status 1, products there, no Bayesian limit quoted."""
    status, folder = first
    assert status == 1
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["converged"] is False
    assert any("ESS" in reason for reason in summary["reasons"])
    assert all(row["g95_GeV"] is None for row in summary["prior_table"] if "refused" in row)
    assert "DID NOT CONVERGE" in (folder / "report.html").read_text(encoding="utf-8")
    # Limits without nuisances, and at fixed masses, do not depend on the chains.
    curves = {(c.curve, c.method): c for c in read_limits(folder / "limits.csv")}
    np.testing.assert_allclose(curves["wd1", "pcl"].median[0], 4.854e-12, rtol=2e-3)
    assert list(curves["xray", "profile-pcl"].status) == ["OK", "OK"]
    assert all(np.isfinite(curves["xray", "bayes"].limit))
    # One nuisance of 13.7 % on the luminosity widens the limit on g by less than its 3.4 %.
    ratio = curves["xray", "profile-pcl"].limit[0] / curves["wd1", "pcl"].limit[0]
    assert 1.0 < ratio < 1.035


def residual_bandpowers(path):
    """Three times a residual that alternates from bin to bin, no signal and no scatter."""
    lo = np.array([302.0, 452.0, 602.0, 752.0])
    ell = np.arange(2.0, 1001.0)
    window = ((ell >= lo[:, None]) & (ell < lo[:, None] + 150.0)) / 150.0
    residuals = 1e-6 * np.array([[1.0, -1.0, 1.0, -1.0], [0.1, 0.1, 0.1, 0.1]])
    made = Bandpowers(
        lo, lo + 149.0, 3.0 * residuals[0], np.diag([4e-14, 3e-14, 2e-14, 2e-14]), window, ell,
        fwhm_arcmin=10.0, nature="made up", residual_uK=residuals,
        residual_names=("striped", "flat"), residual_sigma=np.array([3.0, 1.0]),
    )  # fmt: skip
    return write_bandpowers(path, made)


def test_residual_foregrounds_of_bandpowers_are_parameters(tmp_path, monkeypatch):
    """They are found in the posterior, and profiled away in limits that they would spoil."""
    monkeypatch.chdir(tmp_path)
    residual_bandpowers("bandpowers.npz")
    (tmp_path / "cmb.toml").write_text(BANDPOWERS)
    assert main(["joint", "cmb.toml", "--out", "out", "--quiet"]) in (0, 1)
    found = draws(tmp_path / "out")
    names = {"axion.u", "axion.m_a_eV", "residuals.striped", "residuals.flat"}
    assert set(found) == names | {"g_GeV"}
    # The prior draws it from 3 by a thousandth; the data hold it to 0.1.
    assert found["residuals.striped"].mean() == pytest.approx(3.0, abs=0.1)
    assert 0.03 < found["residuals.striped"].std() < 0.2
    assert abs(found["residuals.flat"].mean()) < 1.0
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert set(summary["parameters"]) == names - {"axion.m_a_eV"}
    curve = {c.method: c for c in read_limits(tmp_path / "out/limits.csv")}["profile-pcl"]
    assert list(curve.status) == ["OK", "OK"]
    # No signal and no scatter but for the residual: the limit is the one expected.
    np.testing.assert_allclose(curve.limit, curve.median, rtol=0.02)


def test_the_seed_decides_the_draws(first, tiny, capsys):
    again = main(["joint", str(tiny / "tiny.toml"), "--out", str(tiny / "two"), "--quiet"])
    other = ["--out", str(tiny / "three"), "--seed", "6", "--quiet"]
    assert (again, main(["joint", str(tiny / "tiny.toml"), *other])) == (1, 1)
    assert capsys.readouterr().err == ""
    one, two, three = (draws(tiny / name) for name in ("one", "two", "three"))
    assert set(one) == {"axion.u", "axion.m_a_eV", "clusters.wd1.ln_luminosity", "g_GeV"}
    for name, values in one.items():
        assert values.shape == (2, 20)
        np.testing.assert_array_equal(values, two[name])
        assert not np.array_equal(values, three[name])
    assert json.loads((tiny / "three/summary.json").read_text())["seed"] == 6


def test_results_are_not_overwritten_unless_asked(first, tiny):
    before = (tiny / "one/posterior.h5").read_bytes()
    assert main(["joint", str(tiny / "tiny.toml"), "--out", str(tiny / "one")]) == 2
    assert (tiny / "one/posterior.h5").read_bytes() == before


@pytest.mark.timeout(600)
def test_a_killed_run_continues_with_the_same_draws(tiny):
    """kill -9 between two blocks of draws; ``--resume`` gives what an unbroken run gives."""
    config = tiny / "long.toml"
    config.write_text(LONG)
    assert main(["joint", str(config), "--out", str(tiny / "whole"), "--quiet"]) in (0, 1)
    out = tiny / "broken"
    command = [sys.executable, "-c", "from diffaxion.cli import entry; entry()", "joint"]
    process = subprocess.Popen(
        [*command, str(config), "--out", str(out), "--quiet"], env=os.environ.copy()
    )
    end = time.monotonic() + 300.0
    while not list(out.rglob("block_*.npz")):
        assert process.poll() is None, "the run ended before it was killed"
        assert time.monotonic() < end, "no block of draws within five minutes"
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -9
    assert not (out / "posterior.h5").exists()
    assert main(["joint", str(config), "--out", str(out), "--resume", "--quiet"]) in (0, 1)
    whole, resumed = draws(tiny / "whole"), draws(out)
    assert set(whole) == set(resumed)
    for name, values in whole.items():
        np.testing.assert_array_equal(resumed[name], values, err_msg=name)


def test_limits_with_nuisances_do_not_depend_on_the_number_of_tasks(tiny, tmp_path):
    masses = "1e-13,1e-12,3e-12"
    check(["limit", "joint", str(tiny / "tiny.toml"), "--masses", masses, "--quiet"], tmp_path)
    curves = {(c.curve, c.method): c for c in read_limits(tmp_path / "whole/limits.csv")}
    assert set(curves) == {("xray", "profile-pcl"), ("xray", "bayes")}


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """The bundled configuration: a finished run of it where one is at hand, else a new one."""
    done = os.environ.get("DIFFAXION_JOINT_RESULT")
    folder = Path(done) if done else tmp_path_factory.mktemp("bundled") / "out"
    status = 0 if done else main(["joint", "--out", str(folder), "--quiet"])
    summaries = [json.loads((folder / f"summary{x}.json").read_text()) for x in ("", "_mass")]
    return status, folder, summaries


@pytest.mark.timeout(1800)
def test_bundled_run_converges(bundled):
    status, folder, summaries = bundled
    assert status == 0
    for summary in summaries:
        assert summary["converged"] is True
        assert summary["reasons"] == []
        assert summary["divergence_fraction"] < 1e-3
        for name, row in summary["parameters"].items():
            assert row["r_hat"] < 1.01, name
            assert row["ess"] > 1000.0, name
        # Surrogate and coarse grids move the limit by less than 1 %.
        assert abs(summary["model_error"]["shift_ln_g95"]) < 0.01
        assert summary["evidence"]["error"] < 0.1
    free = [n for n in summaries[0]["parameters"] if not n.startswith("axion.") and n != "g_GeV"]
    assert len(free) >= 25
    assert "passed all convergence gates" in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.timeout(1800)
def test_nuisances_of_the_bundled_run_matter(bundled):
    """At least 25 of them, each with its impact on the limit."""
    impacts = bundled[2][0]["impacts"]
    assert len({row["path"] for row in impacts if row["impact"] > 1e-4}) >= 25
    assert all(row["counts"] == (row["impact"] >= 1e-4) for row in impacts)


@pytest.mark.timeout(1800)
def test_bundled_limits_are_complete_and_in_order(bundled):
    """Per experiment and joint at 60 masses; priors of the coupling from light to heavy tails."""
    _, folder, summaries = bundled
    summary = summaries[0]
    rows = {row["prior"].split()[0]: row["g95_GeV"] for row in summary["prior_table"]}
    ordered = [rows[name] for name in ("log10_g", "uniform_g", "uniform_g2", "uniform_g4")]
    assert ordered == sorted(ordered)
    limits = summary["limits"]
    assert {name.split("@")[0] for name in limits} == {"joint", "xray", "cmb"}
    assert sum(name.startswith("joint@") for name in limits) in (60, 61)
    own = limits["joint@5e-13eV"]
    assert own["status"] == "OK"
    assert own["m_a_eV"] == 5e-13
    assert own["prior"] == "uniform_g"
    assert own["g95_bayes"] == pytest.approx(rows["uniform_g"], rel=1e-9)
    assert 0.75 < own["g95_bayes"] / own["g95_profile"] < 1.3
    for name, entry in limits.items():
        keys = {"m_a_eV", "g95_bayes", "prior", "g95_profile", "status", "configuration"}
        assert keys <= set(entry), name
    # Both together are never weaker than the stronger half by more than Monte Carlo noise.
    curves = {(c.curve, c.method): c for c in read_limits(folder / "limits.csv")}
    halves = [curves[n, "profile-pcl"].median for n in ("xray", "cmb")]
    better = np.nanmin(halves, axis=0)
    assert np.all(curves["joint", "profile-pcl"].median < better * 1.001)


@pytest.mark.timeout(1800)
def test_bundled_posterior_agrees_with_fixed_masses(bundled):
    from diffaxion.products.joint_reproduction import run_rows

    rows = run_rows(bundled[1])
    assert len(rows) >= 6
    assert [r.quantity for r in rows if not r.agrees] == []
