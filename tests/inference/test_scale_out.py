"""Shares of tasks, executors, results that are kept."""

import importlib.util
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaxion.errors import CheckpointError, ConfigurationError
from diffaxion.inference import (
    ArrayFolder,
    Task,
    local_executor,
    parse_task,
    parsl_executor,
    run_tasks,
    share_of,
)

# Imported by workers: a result that says which process computed it, slow enough to need both.
WORK = """
import os
import time
import numpy as np

def slow_arrays(x):
    time.sleep(0.5)
    return {"square": np.array([x * x]), "process": np.array(os.getpid())}
"""


def arrays(x):
    """A result of two arrays."""
    return {"x": np.array(x), "square": np.array([x * x])}


@given(n=st.integers(1, 60), data=st.data())
@settings(max_examples=60, deadline=None)
def test_shares_are_disjoint_and_complete(n, data):
    count = data.draw(st.integers(1, n))
    shares = [share_of(range(n), Task(i, count)) for i in range(1, count + 1)]
    assert sorted(x for share in shares for x in share) == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert all(s == sorted(s) for s in shares)


def test_no_task_is_everything():
    assert share_of([3, 1, 2], None) == [3, 1, 2]
    assert parse_task(" 2/8") == Task(2, 8)
    assert Task(2, 8).suffix == "task-2-of-8"


@pytest.mark.parametrize(
    "text", ["", "2", "2/", "0/4", "5/4", "-1/4", "1/0", "a/b", "1/2/3", "1.5/2"]
)
def test_wrong_tasks(text):
    with pytest.raises(ConfigurationError, match=r"--task .*expected i/N"):
        parse_task(text)


def test_more_tasks_than_items():
    with pytest.raises(ConfigurationError, match=r"only 3 items.*at most 3"):
        share_of([1, 2, 3], Task(1, 4))


def test_a_failure_is_raised_and_the_rest_not_begun():
    begun = []

    def fails(x):
        begun.append(x)
        if x == 0:
            raise ValueError("no such mass")
        time.sleep(0.05)

    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="no such mass"):
        run_tasks(fails, range(40), pool)
    assert len(begun) < 40


def test_results_come_in_order_whatever_finishes_first():
    def late_first(x):
        time.sleep(0.05 * (3 - x))
        return 10 * x

    with ThreadPoolExecutor(3) as pool:
        assert run_tasks(late_first, range(3), pool) == [0, 10, 20]
    assert run_tasks(math.factorial, range(5)) == [1, 1, 2, 6, 24]


def test_existing_results_are_not_computed_again(tmp_path):
    store, seen, calls = ArrayFolder(tmp_path, "abc"), [], []

    def traced(x):
        calls.append(x)
        if x == 4:
            raise RuntimeError("stopped")
        return arrays(x)

    with pytest.raises(RuntimeError):
        run_tasks(traced, [2, 3, 4, 5], store=store)
    assert calls == [2, 3, 4]
    results = run_tasks(
        lambda x: calls.append(x) or arrays(x),
        [2, 3, 4, 5],
        store=store,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert calls == [2, 3, 4, 4, 5]
    assert seen == [(2, 4), (3, 4), (4, 4)]
    assert [int(r["square"][0]) for r in results] == [4, 9, 16, 25]


def test_a_cut_file_is_computed_again_and_a_foreign_one_refused(tmp_path):
    store = ArrayFolder(tmp_path, "abc")
    run_tasks(arrays, [1, 2], store=store)
    whole = store.path(1).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no archive"):
        store.path(1).write_bytes(damaged)
        assert store.load(1) is None
    assert int(run_tasks(arrays, [1, 2], store=store)[1]["x"]) == 2
    assert int(store.load(1)["x"]) == 2
    with pytest.raises(CheckpointError, match=r"task_000000\.npz was computed with another"):
        run_tasks(arrays, [1, 2], store=ArrayFolder(tmp_path, "other"))


def test_object_arrays_are_not_unpickled(tmp_path):
    """A file that would need pickle counts as damaged; nothing in it is executed."""
    store = ArrayFolder(tmp_path, "abc")
    np.savez(store.path(0), __run__=np.array("abc"), x=np.array([{}], object))
    assert store.load(0) is None


def test_unknown_executors():
    with pytest.raises(ConfigurationError, match="did you mean 'threads'"):
        local_executor("thread")
    with pytest.raises(ConfigurationError, match="workers = 0"):
        local_executor("threads", 0)
    with local_executor("threads") as pool:
        assert run_tasks(math.factorial, [3, 4], pool) == [6, 24]


@pytest.mark.slow
def test_processes():
    with local_executor("processes") as pool:
        assert run_tasks(math.factorial, [3, 4, 5], pool) == [6, 24, 120]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("parsl") is None, reason="parsl is not installed")
# The library forks its interchange, of which JAX warns whenever it is loaded.
@pytest.mark.filterwarnings(
    "default::ResourceWarning",
    "default::DeprecationWarning",
    "default:os.fork:RuntimeWarning",
    "default::pytest.PytestUnraisableExceptionWarning",
)
def test_two_local_workers_of_parsl(tmp_path, monkeypatch):
    """Tasks meet two different processes, neither of them ours, and agree with a loop."""
    (tmp_path / "work_of_two.py").write_text(WORK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    from work_of_two import slow_arrays

    store = ArrayFolder(tmp_path / "results", "abc")
    items = list(range(6))
    with parsl_executor(workers=2, folder=tmp_path / "logs") as pool:
        found = run_tasks(slow_arrays, items, pool, store=store)
    assert [int(r["square"][0]) for r in found] == [x * x for x in items]
    workers = {int(r["process"]) for r in found}
    assert len(workers) == 2
    assert os.getpid() not in workers
    assert run_tasks(None, items, store=store)[5]["square"] == 25


def test_without_parsl_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "parsl", None)
    with pytest.raises(ConfigurationError, match=r"diffaxion\[cluster\]"):
        parsl_executor()
