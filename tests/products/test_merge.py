"""Limits of tasks and posteriors of seeds, merged; what does not fit is refused by name."""

import json
import shutil

import h5py
import numpy as np
import pytest

from diffaxion.cli import main
from diffaxion.errors import DataError
from diffaxion.inference import Posterior, Task, check_gates, share_of
from diffaxion.products.limit_files import LimitCurve, limits_csv, read_limits, write_limits
from diffaxion.products.merge import differing_keys, merge_limits, merge_posteriors
from diffaxion.products.posterior_files import write_posterior
from diffaxion.provenance import config_hash, write_json

MASSES = np.geomspace(1e-13, 1e-11, 7)
CONFIG = {"signal": "published", "masses_eV": list(MASSES), "mass": {"fixed_eV": 5e-13}}


def curves(masses):
    """Three curves; the last mass has no limit that may be quoted."""
    masses = np.asarray(masses)
    status = np.where(masses > 9e-12, "FIELD_STRUCTURE", "OK")
    g = 1e-11 * (masses / 1e-13) ** 0.25
    one = LimitCurve("joint", "pcl", "", masses, g, status, median=1.1 * g, spread_low=0.9 * g)
    two = LimitCurve("joint", "bayes", "uniform_g", masses, 2 * g)
    three = LimitCurve("joint", "bayes", "log10_g [-14, -10.5]", masses, 3 * g)
    return [one, two, three]


def significance(masses):
    rows = [f"published,{c},{m!r},0.1" for c in ("wd1", "joint") for m in map(float, masses)]
    return "\n".join(["signal,curve,m_a_eV,ts", *rows]) + "\n"


def write_task(folder, index, count, config=CONFIG, masses=None):
    """A folder as `limit --task` leaves it."""
    share = share_of(list(MASSES), Task(index, count)) if masses is None else masses
    folder.mkdir()
    write_limits(folder / "limits.csv", curves(share))
    (folder / "significance.csv").write_text(significance(share))
    record = {"seed": None, "config": config, "config_sha256": config_hash(config)}
    write_json(folder / "provenance.json", record | {"task": {"index": index, "count": count}})
    return folder


@pytest.fixture
def tasks(tmp_path):
    return [write_task(tmp_path / f"t{i}", i, 3) for i in (1, 2, 3)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_tasks_make_the_whole(tasks, tmp_path, capsys, order):
    out = tmp_path / "all"
    assert main(["merge", *(str(tasks[k]) for k in order), "--out", str(out)]) == 0
    assert "3 curves of 7 masses from 3 tasks" in capsys.readouterr().out
    assert (out / "limits.csv").read_text() == limits_csv(curves(MASSES))
    assert (out / "significance.csv").read_text() == significance(MASSES)
    names = {p.name for p in (out / "limits").iterdir()}
    assert names == {"joint_pcl.txt", "joint_bayes.txt", "joint_bayes-log10-g.txt"}
    record = json.loads((out / "provenance.json").read_text())
    assert record["merged"] == [str(t) for t in tasks]
    assert record["config_sha256"] == config_hash(CONFIG)
    assert "task" not in record
    # A second time into the same folder is refused, as for every command.
    assert main(["merge", *map(str, tasks), "--out", str(out)]) == 2


def test_missing_and_double_tasks(tasks, tmp_path):
    with pytest.raises(DataError, match=r"tasks are missing: 2/3\. .*--task 2/3"):
        merge_limits([tasks[0], tasks[2]])
    copy = shutil.copytree(tasks[0], tmp_path / "copy")
    with pytest.raises(DataError, match=r"copy and .*t1 are both task 1/3"):
        merge_limits([*tasks, copy])
    other = write_task(tmp_path / "half", 1, 2)
    with pytest.raises(DataError, match=r"half is one of 2 tasks, .*t1 one of 3.*overlap"):
        merge_limits([*tasks[:2], other])


def test_other_configurations_are_refused_by_key(tasks, tmp_path):
    config = CONFIG | {"mass": {"fixed_eV": 1e-12}}
    other = write_task(tmp_path / "other", 3, 3, config)
    with pytest.raises(DataError, match=r"other/provenance\.json was made.*t1.*mass\.fixed_eV"):
        merge_limits([*tasks[:2], other])
    assert differing_keys({"a": 1, "b": {"c": 2}}, {"b": {"c": 3}, "d": 4}) == ["a", "b.c", "d"]


def test_files_that_are_not_of_their_task(tasks, tmp_path):
    write_limits(tasks[1] / "limits.csv", curves(MASSES[:2]))
    with pytest.raises(DataError, match=r"t2/limits\.csv: curve 'joint' has 2 masses.*task 2/3"):
        merge_limits(tasks)
    write_limits(tasks[1] / "limits.csv", curves(share_of(list(MASSES), Task(2, 3)))[:1])
    with pytest.raises(DataError, match=r"t2/limits\.csv: its curves are not those"):
        merge_limits(tasks)
    (tasks[0] / "provenance.json").write_text("{")
    with pytest.raises(DataError, match=r"t1/provenance\.json: expected the provenance"):
        merge_limits(tasks)


@pytest.mark.parametrize("case", ["file", "plain", "twice", "empty"])
def test_bad_arguments_of_the_command(tasks, tmp_path, capsys, case):
    """Status 2, one line that names the folder, nothing written."""
    plain = tmp_path / "plain"
    plain.mkdir()
    write_limits(plain / "limits.csv", curves(MASSES))
    write_json(plain / "provenance.json", {"config": CONFIG, "config_sha256": "x"})
    given, words = {
        "file": ([tasks[0] / "limits.csv"], "is not a folder"),
        "plain": ([plain], "plain/provenance.json: the run was not one of several tasks"),
        "twice": ([tasks[0], tasks[0]], "is given twice"),
        "empty": ([tmp_path], "provenance.json: expected the provenance"),
    }[case]
    assert main(["merge", *map(str, given), "--out", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def write_run(path, seed, shift=0.0, draws=600, config=CONFIG, headline=True):
    """posterior.h5 of two chains of one parameter."""
    path.parent.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(2, draws)) + shift
    sites = {"axion.u": 3.0 + z, "axion.u_std": z}
    no, one = np.zeros((2, draws), bool), np.ones((2, draws))
    verdict = check_gates(sites, no, no)
    posterior = Posterior(sites, no, no, one, one, one.astype(int), verdict)
    config = config | {"seed": seed}
    record = {"seed": seed, "config": config, "config_sha256": config_hash(config)}
    g = 1e-12 * np.sqrt(np.abs(3.0 + z))
    write_posterior(path, posterior, g, {"g_GeV": g.ravel()} if headline else {}, record)
    return path


def test_chains_of_two_seeds(tmp_path, capsys):
    files = [write_run(tmp_path / f"s{k}" / "posterior.h5", k) for k in (1, 2)]
    folders, out = [str(f.parent) for f in files], tmp_path / "all"
    assert main(["merge", *folders, "--out", str(out)]) == 0
    assert "posterior.h5: 4 chains of 600 draws" in capsys.readouterr().out
    with h5py.File(out / "posterior.h5") as merged, h5py.File(files[1]) as second:
        u = merged["parameters/axion.u"][:]
        assert u.shape == (4, 600)
        np.testing.assert_array_equal(u[2:], second["parameters/axion.u"][:])
        assert merged["uniform_g/g_GeV"].shape == (2400,)
        assert json.loads(merged.attrs["provenance"])["seeds"] == [1, 2]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["converged"]
    assert summary["parameters"]["axion.u"]["mean"] == pytest.approx(u.mean())
    assert summary["parameters"]["axion.u"]["ess"] > 1500
    g = merge_posteriors(files).headline["g_GeV"]
    assert summary["limits"]["joint"]["g95_bayes"] == pytest.approx(np.quantile(g, 0.95))


def test_chains_that_disagree_fail_the_gates_together(tmp_path, capsys):
    """Each run converged; together they did not: no limit, status 1."""
    for k in (1, 2):
        write_run(tmp_path / f"s{k}" / "posterior.h5", k, shift=3.0 * k)
    folders = [str(tmp_path / f"s{k}") for k in (1, 2)]
    assert main(["merge", *folders, "--out", str(tmp_path / "all")]) == 1
    assert "did not converge: R-hat of 'axion.u'" in capsys.readouterr().out
    summary = json.loads((tmp_path / "all" / "summary.json").read_text())
    assert summary["limits"]["joint"]["g95_bayes"] is None


def test_posteriors_that_do_not_fit(tmp_path):
    one, two = (write_run(tmp_path / f"s{k}" / "posterior.h5", k) for k in (1, 2))
    same = write_run(tmp_path / "same" / "posterior.h5", 1)
    with pytest.raises(DataError, match=r"same/posterior\.h5 and .*s1.* have the same seed 1"):
        merge_posteriors([one, two, same])
    other = write_run(tmp_path / "o" / "posterior.h5", 3, config=CONFIG | {"signal": "anchored"})
    with pytest.raises(DataError, match=r"o/posterior\.h5 was made.*differ in signal"):
        merge_posteriors([one, other])
    short = write_run(tmp_path / "short" / "posterior.h5", 4, draws=500)
    with pytest.raises(DataError, match=r"short/posterior\.h5: chains of 500 draws.*600"):
        merge_posteriors([one, short])
    cut = tmp_path / "cut.h5"
    cut.write_bytes(one.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"cut\.h5: not a posterior"):
        merge_posteriors([one, cut])


def test_external_links_are_refused(tmp_path):
    one, two = (write_run(tmp_path / f"s{k}" / "posterior.h5", k) for k in (1, 2))
    with h5py.File(two, "a") as file:
        del file["parameters/axion.u"]
        file["parameters/axion.u"] = h5py.ExternalLink(str(one), "/parameters/axion.u")
    with pytest.raises(DataError, match=r"axion\.u is a link to another file"):
        merge_posteriors([one, two])


def test_a_posterior_that_only_some_folders_have(tmp_path, capsys):
    write_run(tmp_path / "s1" / "posterior.h5", 1)
    (tmp_path / "s2").mkdir()
    assert main(["merge", str(tmp_path / "s1"), str(tmp_path / "s2")]) == 2
    assert "s2 has no posterior" in capsys.readouterr().err


def test_a_merged_file_reads_back(tasks):
    merged = merge_limits(tasks)
    assert [c.m_a_eV.size for c in merged.curves] == [7, 7, 7]
    assert merged.curves[0].status[-1] == "FIELD_STRUCTURE"
    found = read_limits(tasks[0] / "limits.csv")[0]
    np.testing.assert_array_equal(merged.curves[0].median[::3], found.median)
