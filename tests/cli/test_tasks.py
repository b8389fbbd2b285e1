"""``--task i/N`` and ``merge``: the limits do not depend on the number of tasks."""

import json

import numpy as np
import pytest

from diffaxion.cli import main
from diffaxion.products.limit_files import read_limits

MASSES = "1e-13,4e-13,1e-12,3e-10"
RESONANT = "2e-13,5e-13,1e-12,2e-12"


def numbers(path):
    """All columns of a limit file, by curve."""
    rows = {}
    for c in read_limits(path):
        columns = (c.m_a_eV, c.limit_raw, c.median, c.minus1, c.plus1, c.plus2, c.spread_low)
        rows[c.curve, c.method, c.prior] = (np.array(columns), list(c.status))
    return rows


def in_tasks(command, folder, count):
    """Folder with the merged results of so many tasks."""
    base = folder / "part"
    for i in range(1, count + 1):
        assert main([*command, "--task", f"{i}/{count}", "--out", str(base)]) == 0
    parts = [str(folder / f"part-task-{i}-of-{count}") for i in range(1, count + 1)]
    assert main(["merge", *parts, "--out", str(folder / "merged")]) == 0
    return folder / "merged"


def check(command, folder):
    """One run against two tasks."""
    assert main([*command, "--out", str(folder / "whole")]) == 0
    merged = in_tasks(command, folder, 2)
    whole, found = (numbers(f / "limits.csv") for f in (folder / "whole", merged))
    assert list(whole) == list(found)
    for key, (values, status) in whole.items():
        # Programs of another length may round otherwise in the last digits.
        np.testing.assert_allclose(found[key][0], values, rtol=1e-12, err_msg=str(key))
        assert found[key][1] == status
    hashes = {
        json.loads((f / "provenance.json").read_text())["config_sha256"]
        for f in (folder / "whole", merged)
    }
    assert len(hashes) == 1
    names = [{p.name for p in (f / "limits").iterdir()} for f in (folder / "whole", merged)]
    assert names[0] == names[1]
    return merged


@pytest.mark.slow
def test_xray_limits_do_not_depend_on_the_number_of_tasks(tmp_path):
    """One of the masses lies above 1e-10 eV, where edges of the field are smoothed."""
    (tmp_path / "one.toml").write_text("[model]\ntargets = ['wd1']\n[numerics]\nnodes = 300\n")
    command = ["limit", "xray", str(tmp_path / "one.toml"), "--masses", MASSES, "--quiet"]
    merged = check(command, tmp_path)
    # Numbers may differ in the last digit; the rows may not.
    tables = [
        [line.split(",")[:3] for line in (f / "significance.csv").read_text().splitlines()]
        for f in (tmp_path / "whole", merged)
    ]
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_screening_limits_do_not_depend_on_the_number_of_tasks(tmp_path):
    masses = "5e-13,1e-12"
    check(
        ["limit", "screening", "--configuration", "parity", "--masses", masses, "--quiet"],
        tmp_path,
    )


@pytest.mark.parametrize("command", ["xray", "screening"])
@pytest.mark.parametrize("task", ["0/4", "5/4", "two of four"])
def test_wrong_tasks(command, task, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["limit", command, "--task", task, "--out", str(out)]) == 2
    assert "expected i/N with 1 <= i <= N" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_more_tasks_than_masses(tmp_path, capsys):
    command = ["limit", "screening", "--masses", RESONANT, "--task", "1/9"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 2
    assert "only 4 items to share" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
