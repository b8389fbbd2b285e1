"""Atomic files, hashes, and folders of results that are never lost."""

import json
import os

import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.errors import ConfigurationError, DiffaxionError, OutputExistsError
from diffaxion.provenance import (
    MARKER,
    atomic_write,
    config_hash,
    jsonable,
    next_free_directory,
    prepare_output,
    provenance_record,
    versions,
    write_json,
)


def test_writes_text_bytes_and_functions(tmp_path):
    atomic_write(tmp_path / "a" / "t.txt", "µG\n")
    assert (tmp_path / "a" / "t.txt").read_text(encoding="utf-8") == "µG\n"
    atomic_write(tmp_path / "b.bin", b"\x00\xff")
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\xff"
    seen = []

    def writer(path):
        seen.append(path)
        path.write_text("plot")

    atomic_write(tmp_path / "c.png", writer)
    assert (tmp_path / "c.png").read_text() == "plot"
    assert seen[0].suffix == ".png"
    assert seen[0].parent == tmp_path
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b.bin", "c.png"]


def test_a_failed_writer_leaves_the_old_file_and_no_temporary_one(tmp_path):
    target = tmp_path / "limits.csv"
    target.write_text("old")

    def breaks(path):
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic_write(target, breaks)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["limits.csv"]


def test_system_errors_become_one_sentence(tmp_path):
    def full(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(DiffaxionError, match=r"cannot write .*x\.txt: No space left.*--out"):
        atomic_write(tmp_path / "x.txt", full)
    (tmp_path / "file").write_text("")
    with pytest.raises(DiffaxionError, match="cannot write"):
        atomic_write(tmp_path / "file" / "x.txt", "a")


def test_json_has_no_nan_and_understands_arrays(tmp_path):
    content = {"a": np.arange(3), "b": [float("nan"), jnp.array(2.0)], "c": tmp_path, 1: None}
    path = write_json(tmp_path / "s.json", content)
    assert json.loads(path.read_text()) == {
        "a": [0, 1, 2],
        "b": [None, 2.0],
        "c": str(tmp_path),
        "1": None,
    }
    with pytest.raises(ConfigurationError, match="cannot be written as JSON"):
        jsonable({"f": object()})


def test_hash_ignores_key_order_and_sees_values():
    one = config_hash({"a": 1.0, "b": {"c": [1, 2], "d": "x"}})
    assert one == config_hash({"b": {"d": "x", "c": (1, 2)}, "a": np.float64(1.0)})
    assert one != config_hash({"a": 1.0 + 1e-15, "b": {"c": [1, 2], "d": "x"}})
    assert len(one) == 64


def test_record_names_versions_and_devices():
    record = provenance_record(7, {"masses": np.array([1e-13])})
    assert record["seed"] == 7
    assert record["config"] == {"masses": [1e-13]}
    assert record["config_sha256"] == config_hash({"masses": [1e-13]})
    assert record["devices"]["x64"] is True
    assert {"python", "diffaxion", "jax", "numpyro"} <= set(versions())
    json.dumps(record)


def test_next_free_directory_follows_the_largest_number(tmp_path):
    base = tmp_path / "diffaxion-joint"
    assert next_free_directory(base) == tmp_path / "diffaxion-joint-001"
    for name in ("diffaxion-joint-001", "diffaxion-joint-007", "diffaxion-joint-1x", "other-009"):
        (tmp_path / name).mkdir()
    assert next_free_directory(base).name == "diffaxion-joint-008"
    (tmp_path / "diffaxion-joint-1234").mkdir()
    assert next_free_directory(base).name == "diffaxion-joint-1235"
    assert next_free_directory(tmp_path / "absent" / "x").name == "x-001"


def test_default_folder_is_numbered_and_resumed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="nothing to resume"):
        prepare_output(None, "joint", resume=True)
    first = prepare_output(None, "joint")
    second = prepare_output(None, "joint")
    assert (first.name, second.name) == ("diffaxion-joint-001", "diffaxion-joint-002")
    assert prepare_output(None, "joint", resume=True) == second
    assert json.loads((first / MARKER).read_text())["command"] == "joint"


def test_existing_results_are_refused_unless_an_option_is_given(tmp_path):
    out = prepare_output(tmp_path / "run", "limit")
    (out / "limits.csv").write_text("old")
    with pytest.raises(OutputExistsError, match=r"--overwrite .* --resume"):
        prepare_output(out, "limit")
    assert prepare_output(out, "limit", resume=True) == out
    assert (out / "limits.csv").read_text() == "old"
    with pytest.raises(OutputExistsError, match="results of `diffaxion limit`"):
        prepare_output(out, "joint", resume=True)
    with pytest.raises(ConfigurationError, match="exclude each other"):
        prepare_output(out, "limit", resume=True, overwrite=True)

    assert prepare_output(out, "limit", overwrite=True) == out
    assert [p.name for p in out.iterdir()] == [MARKER]
    assert (tmp_path / "run.previous" / "limits.csv").read_text() == "old"
    (out / "limits.csv").write_text("newer")
    prepare_output(out, "limit", overwrite=True)
    assert (tmp_path / "run.previous" / "limits.csv").read_text() == "newer"


def test_files_of_others_are_never_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    for options in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(OutputExistsError, match="did not write"):
            prepare_output(tmp_path, "joint", **options)
    assert (tmp_path / "thesis.tex").read_text() == "precious"
    with pytest.raises(ConfigurationError, match="is a file"):
        prepare_output(tmp_path / "thesis.tex", "joint")
    out = prepare_output(tmp_path / "run", "joint")
    (tmp_path / "run.previous").mkdir()
    (tmp_path / "run.previous" / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="not written by diffaxion"):
        prepare_output(out, "joint", overwrite=True)
    assert (tmp_path / "run.previous" / "notes.txt").read_text() == "mine"


def test_an_empty_folder_is_used_and_resume_starts_there(tmp_path):
    (tmp_path / "empty").mkdir()
    assert prepare_output(tmp_path / "empty", "joint") == tmp_path / "empty"
    fresh = prepare_output(tmp_path / "fresh", "joint", resume=True)
    assert (fresh / MARKER).is_file()


def test_read_only_folder(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DiffaxionError, match="cannot write"):
            atomic_write(tmp_path / "x.txt", "a")
    finally:
        tmp_path.chmod(0o700)
