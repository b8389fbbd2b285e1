"""Files of the joint reproduction, from made-up moments and draws."""

import csv
import json

import h5py
import numpy as np
import pytest

from diffaxion.analyses.reproduce_xray import Row
from diffaxion.errors import DataError
from diffaxion.products import joint_reproduction as products
from diffaxion.products.limit_files import LimitCurve, write_limits
from tests.analyses.test_reproduce_joint import halves, made_up

TABLES = {
    "Halves": [Row("g [1e-12 GeV^-1]", 4.2, 3.8, 0.2, note="a, b"), Row("chi^2", 9.0, np.nan, 0.0)],
    "Statistics": [Row("PTE", 0.7, 0.605, 0.005, "absolute")],
}


def finished(folder, shift):
    """Folder of a run with the mass sampled."""
    m, g, grid, limit = made_up(shift)
    with h5py.File(folder / "posterior_mass.h5", "w") as file:
        file["uniform_g/axion.m_a_eV"], file["uniform_g/g_GeV"] = m, g
    status = np.full(grid.size, "OK")
    curves = [LimitCurve(n, "bayes", "uniform_g", grid, f * limit, status) for n, f in
              (("joint", 1.0), ("xray", 3.0))]  # fmt: skip
    write_limits(folder / "limits.csv", curves)
    return folder


def test_rows_of_a_run(tmp_path):
    """The first Bayesian curve is the joint one."""
    rows = products.run_rows(finished(tmp_path, 0.0))
    assert len(rows) == 7
    assert all(r.agrees for r in rows)


def test_a_run_whose_posterior_disagrees(tmp_path):
    assert sum(not r.agrees for r in products.run_rows(finished(tmp_path, 0.15))) >= 4


def test_a_folder_without_draws_of_the_headline_prior(tmp_path):
    with h5py.File(tmp_path / "posterior.h5", "w") as file:
        file["parameters/g_GeV"] = np.ones((2, 3))
    with pytest.raises(DataError, match=r"posterior\.h5.*uniform in g.*--from"):
        products.run_rows(tmp_path)


def test_files(tmp_path):
    z2 = 2.71
    both = halves([z2, z2, z2, z2], [0.0, z2, 1e4 * z2, 0.0])
    text = products.write_joint_reproduction(tmp_path, TABLES, both, {"seed": None})
    assert text == (tmp_path / "reproduction.md").read_text()
    assert "| PTE | 0.7 | 0.605 | +0.095 | 0.005 | no |  |" in text
    with (tmp_path / "reproduction.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["agrees"] for r in rows] == ["yes", "", "no"]
    assert [r["table"] for r in rows] == ["Halves", "Halves", "Statistics"]
    assert float(rows[0]["reference"]) == 3.8
    assert rows[0]["remark"] == "a, b"
    tables = json.loads((tmp_path / "reproduction.json").read_text())["tables"]
    assert tables["Statistics"][0]["agrees"] is False
    assert (tmp_path / "expected.png").read_bytes().startswith(b"\x89PNG")
    assert "mismatch" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_expected_curves_have_no_limit_without_information():
    curves = {c.curve: c for c in products.expected_curves(halves([2.71] * 3, [0.0, 1.0, 0.0]))}
    assert list(curves) == ["joint", "xray", "cmb"]
    assert list(curves["cmb"].status) == ["NO_SENSITIVITY", "OK", "NO_SENSITIVITY"]
    assert curves["joint"].ok.all()
    assert np.all(curves["joint"].limit <= curves["xray"].limit)
