"""``diffaxion joint`` from configuration to products: a tiny run, and the bundled one.

What the files must contain is tested on made-up draws in ``tests/products``.
"""

import json

import h5py
import numpy as np
import pytest

from diffaxion.cli import main
from diffaxion.products import read_limits

pytestmark = pytest.mark.slow

TINY = """
seed = 5
[model]
targets = ["wd1"]
[mass]
grid_points = 3
grid_eV = [1e-13, 1e-11]
profile_points = 2
[sampler]
chains = 2
warmup = 20
draws = 20
chunk = 20
[numerics]
nodes = 300
energies_per_bin = 1
sampler_nodes = 24
sampler_energies_per_bin = 1
[priors]
"clusters.wd1.ln_luminosity" = { dist = "normal", mean = 0.0, sigma = 0.137 }
"""


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
    assert all(row["g95_GeV"] is None and row["refused"] for row in summary["prior_table"])
    assert "DID NOT CONVERGE" in (folder / "report.html").read_text(encoding="utf-8")
    # Limits without nuisances, and at fixed masses, do not depend on the chains.
    curves = {(c.curve, c.method): c for c in read_limits(folder / "limits.csv")}
    np.testing.assert_allclose(curves["wd1", "pcl"].median[0], 4.854e-12, rtol=2e-3)
    assert list(curves["joint", "profile-pcl"].status) == ["OK", "OK"]
    assert all(np.isfinite(curves["joint", "bayes"].limit))
    # One nuisance of 13.7 % on the luminosity widens the limit on g by less than its 3.4 %.
    ratio = curves["joint", "profile-pcl"].limit[0] / curves["wd1", "pcl"].limit[0]
    assert 1.0 < ratio < 1.035


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


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    """The bundled configuration."""
    folder = tmp_path_factory.mktemp("bundled") / "out"
    status = main(["joint", "--out", str(folder), "--quiet"])
    return status, folder, json.loads((folder / "summary.json").read_text())


@pytest.mark.timeout(1800)
def test_bundled_run_converges(bundled):
    status, folder, summary = bundled
    assert status == 0
    assert summary["converged"] is True
    assert summary["reasons"] == []
    assert summary["divergence_fraction"] < 1e-3
    for row in summary["parameters"].values():
        assert row["r_hat"] < 1.01
        assert row["ess"] > 400.0
    assert "passed all convergence gates" in (folder / "report.html").read_text(encoding="utf-8")
    assert len(summary["limits"]) == 16
    assert all(limit["status"] == "OK" for limit in summary["limits"].values())


@pytest.mark.timeout(1800)
def test_bundled_limits_are_in_order(bundled):
    """Priors of the coupling from light to heavy tails; profile and Bayes within 20 %.

    Nuisances widen the limits beyond those at the fiducial point.
    """
    _, folder, summary = bundled
    rows = {row["prior"].split()[0]: row["g95_GeV"] for row in summary["prior_table"]}
    ordered = [rows[name] for name in ("log10_g", "uniform_g", "uniform_g2", "uniform_g4")]
    assert ordered == sorted(ordered)
    run = summary["g95_run_prior_uniform_g2"]
    assert abs(run["value_GeV"] - rows["uniform_g2"]) < 4.0 * run["monte_carlo_error_GeV"]
    for limit in summary["limits"].values():
        assert 0.8 < limit["g95_bayes"] / limit["g95_profile"] < 1.25
    curves = {(c.curve, c.method): c for c in read_limits(folder / "limits.csv")}
    plain = curves["joint", "pcl"]
    nuisances = curves["joint", "profile-pcl"]
    fixed = np.exp(np.interp(np.log(nuisances.m_a_eV), np.log(plain.m_a_eV), np.log(plain.limit)))
    assert np.all(nuisances.limit > fixed)
    with h5py.File(folder / "posterior.h5") as file:
        headline = np.quantile(file["uniform_g/g_GeV"][:], 0.95)
    np.testing.assert_allclose(headline, rows["uniform_g"], rtol=0.05)
