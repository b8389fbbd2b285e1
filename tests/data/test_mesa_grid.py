"""Folders of stellar-evolution runs: what is found, what a star was born with, what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaxion.data import read_track, read_tracks
from diffaxion.data.mesa_format import read_header
from diffaxion.data.mesa_grid import _read_index
from diffaxion.errors import DataError
from tests.stellar_runs import evolution, mesa_file, write_run


def test_runs_are_found_and_sorted(tmp_path):
    write_run(tmp_path / "b", {"initial_mass": "80.0", "initial_z": "0.02"})
    write_run(tmp_path / "a", place="LOGS/history.data")
    (tmp_path / "notes").mkdir()
    seen = []
    tracks = read_tracks(tmp_path, progress=lambda done, of: seen.append((done, of)))
    assert [t.name for t in tracks] == ["a", "b"]
    assert [t.initial_mass_Msun for t in tracks] == [60.0, 80.0]
    assert [t.metallicity for t in tracks] == [0.035, 0.02]
    assert [t.rotation_km_s for t in tracks] == [200.0, 200.0]
    assert seen == [(1, 2), (2, 2)]
    assert read_tracks(tmp_path / "a")[0].history.age_yr.size == 40
    assert read_tracks(tmp_path / "b" / "history.data")[0].initial_mass_Msun == 80.0


def test_without_headers_the_first_row_tells_the_mass(tmp_path):
    columns = evolution()
    del columns["surf_avg_v_rot"]
    write_run(tmp_path, {"version_number": "1"}, columns)
    track = read_track(tmp_path)
    assert track.initial_mass_Msun == 60.0
    assert track.rotation_km_s is None
    assert track.metallicity is None


def test_an_index_overrides_headers(tmp_path):
    for name in ("one", "two"):
        write_run(tmp_path / name)
    text = "# grid\nrun,initial_mass_Msun,initial_rotation_km_s,metallicity\ntwo,61,0,\n"
    (tmp_path / "index.csv").write_text(text)
    (track,) = read_tracks(tmp_path)
    assert (track.name, track.initial_mass_Msun, track.rotation_km_s) == ("two", 61.0, 0.0)
    assert track.metallicity == 0.035
    other = tmp_path / "other.csv"
    other.write_text("run,metallicity\none/history.data,0.018\n")
    (track,) = read_tracks(tmp_path, other)
    assert (track.name, track.metallicity) == ("one/history.data", 0.018)


def test_mist_header(tmp_path):
    columns = evolution()
    lines = [
        "# MIST version number  = 1.2",
        "#  Yinit  Zinit  [Fe/H]  [a/Fe]  v/vcrit",
        "#  0.2703  1.42857E-02  0.00  0.00  0.40",
        "# initial_mass  N_pts  N_EEP  N_col  phase  type",
        "#  6.0000E+01  40  8  16  YES  high-mass",
        "# EEPs:  1  202  353",
        "# " + "  ".join(columns),
    ]
    rows = zip(*columns.values(), strict=True)
    lines += [" ".join(f"{x:.8E}" for x in row) for row in rows]
    (tmp_path / "0060000M.track.eep").write_text("\n".join(lines) + "\n")
    (track,) = read_tracks(tmp_path)
    assert track.initial_mass_Msun == 60.0
    assert track.metallicity == pytest.approx(0.0142857)
    assert track.history.header["v/vcrit"] == 0.4
    assert "type" not in track.history.header


def test_profiles_are_placed_by_model_number(tmp_path):
    write_run(tmp_path)
    zone = {"logR": np.zeros(2), "logT": np.zeros(2)}
    for k, model in ((1, 5), (2, 12), (3, 38)):
        mesa_file(tmp_path / f"profile{k}.data", {"model_number": model}, zone)
    found = read_track(tmp_path).profiles
    assert {row: p.name for row, p in found.items()} == {
        4: "profile1.data",
        11: "profile2.data",
        37: "profile3.data",
    }
    (tmp_path / "profiles.index").write_text("2 models\n20 1 1\n30 2 3\n")
    found = read_track(tmp_path).profiles
    assert {row: p.name for row, p in found.items()} == {19: "profile1.data", 29: "profile3.data"}
    assert read_header(tmp_path / "profile2.data") == {"model_number": 12.0}
    (tmp_path / "table.csv").write_text("a,b\n1,2\n3,4\n")
    assert read_header(tmp_path / "table.csv") == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("run,mass\na,1\n", ["'mass'", "initial_mass_Msun"]),
        ("initial_mass_Msun\n3\n", ["'run'"]),
        ("run,run\na,b\n", ["different columns"]),
        ("run\n", ["one line for each run"]),
        ("run,metallicity\na\n", ["line 2", "1 values, expected 2"]),
        ("run,metallicity\na,x\n", ["line 2", "'metallicity'", "'x'", "> 0"]),
        ("run,metallicity\na,0\n", ["line 2", "> 0"]),
        ("run,initial_rotation_km_s\na,-1\n", ["'initial_rotation_km_s'", ">= 0"]),
        ("run,initial_mass_Msun\na,inf\n", ["'initial_mass_Msun'"]),
        ("run\na\na\n", ["line 3", "named twice"]),
        ("run,metallicity\n,0.02\n", ["line 2", "is empty"]),
    ],
)
def test_bad_indices(tmp_path, text, words):
    write_run(tmp_path / "a")
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(DataError) as error:
        read_tracks(tmp_path)
    for word in ["index.csv", *words]:
        assert word in str(error.value)


@given(st.text(max_size=60))
@settings(max_examples=50, deadline=None)
def test_no_index_crashes(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(f"run,metallicity\n{text}".encode())
    try:
        rows = _read_index(path)
    except DataError:
        return
    assert all(run and row.get("metallicity", 1.0) > 0.0 for run, row in rows)


def test_folders_without_runs(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_tracks(tmp_path / "none")
    with pytest.raises(DataError, match=r"no stellar-evolution runs.*index\.csv"):
        read_tracks(tmp_path)
    (tmp_path / "index.csv").write_text("run\nlost\n")
    with pytest.raises(DataError, match=r"lost: no history\.data"):
        read_tracks(tmp_path)


def test_a_broken_run_is_named(tmp_path):
    write_run(tmp_path / "good")
    path = write_run(tmp_path / "bad")
    lines = path.read_text().splitlines()
    lines[9] = lines[9].replace("E", "x", 1)
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"bad/history\.data: line 10, column 'model_number'"):
        read_tracks(tmp_path)
    write_run(tmp_path / "bad", {"initial_mass": "-4", "x": "1"})
    with pytest.raises(DataError, match="initial_mass = -4"):
        read_tracks(tmp_path)


def test_profiles_that_cannot_be_placed(tmp_path):
    columns = evolution()
    zone = {"logR": np.zeros(2), "logT": np.zeros(2)}
    write_run(tmp_path)
    mesa_file(tmp_path / "profile1.data", {"num_zones": 2}, zone)
    with pytest.raises(DataError, match=r"profile1\.data: no model_number"):
        read_track(tmp_path)
    del columns["model_number"]
    write_run(tmp_path, None, columns)
    with pytest.raises(DataError, match="no model_number column"):
        read_track(tmp_path)
