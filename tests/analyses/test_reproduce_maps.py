"""Numbers behind ``reproduce maps``, and the command on a small simulated sky."""

import itertools
import json
import re

import numpy as np
import pytest
from scipy import stats

from diffaxion.analyses.reproduce_maps import (
    null_rows,
    pipeline_covariance,
    scale_rows,
    study_settings,
)
from diffaxion.analyses.screening_run import toy_covariance
from diffaxion.cli import main
from diffaxion.data import load_table
from diffaxion.observables.cmb.bandpowers import default_bins


def test_table_s1_is_reproduced_to_its_printed_digits():
    rows = scale_rows()
    assert len(rows) == 26
    assert [r.quantity for r in rows if not r.agrees] == []


def test_published_null_test():
    (row,) = null_rows()
    assert row.agrees
    assert row.ours == pytest.approx(stats.chi2.sf(9.2, 11), rel=1e-9)


def test_variances_of_the_pipeline_are_those_of_the_default_bins():
    table = load_table("pipeline_bandpower_variance")
    lo, hi = default_bins()
    np.testing.assert_array_equal(table["ell_lo"], lo)
    np.testing.assert_array_equal(table["ell_hi"], hi)
    assert "simulated" in table.meta["nature"]
    sets = [np.diag(pipeline_covariance(n)) for n in ("none", "tsz", "tsz-cib", "tsz-cib-dbeta")]
    # Each deprojection costs variance, and the analytic toy is of the same size.
    for less, more in itertools.pairwise(sets):
        assert np.all(less < more)
    ratio = sets[-1] / np.diag(toy_covariance("tsz-cib-dbeta"))
    assert np.all((ratio > 0.3) & (ratio < 4.0))


def test_the_study_is_a_sky_without_signal():
    settings = study_settings(64, 7)
    assert (settings.simulation.strength, settings.seed) == (0.0, 7)
    assert set(settings.cleaning.also) == {"nothing", "tsz", "tsz-cib"}


@pytest.mark.slow
def test_the_command_writes_figures_and_tables(tmp_path, capsys):
    out = tmp_path / "maps"
    command = ["reproduce", "maps", "--nside", "32", "--skies", "1", "--out", str(out)]
    assert main(command) == 0
    names = {p.name for p in out.iterdir()}
    figures = {f"figureS{k}.png" for k in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)}
    assert figures | {"reproduction.md", "reproduction.json", "report.html"} <= names
    text = capsys.readouterr().out
    assert "SIMULATED" in text
    assert "Green-like" in text
    record = json.loads((out / "reproduction.json").read_text())
    scales = record["tables"]["Needlet scales (Table S1)"]
    assert all(row["agrees"] for row in scales)
    assert len(record["tables"]["Limits with the variances of the pipeline"]) == 6
    # The variances move the limit of the recast by less than 1 %, expected ones by less than 10 %.
    changes = re.findall(r", (recast|expected), m_a.* with toy variances: (\S+) %", text)
    assert [kind for kind, _ in changes] == ["recast", "expected"] * 3
    for kind, percent in changes:
        assert 0.0 < abs(float(percent)) < {"recast": 1.0, "expected": 10.0}[kind]
