"""The commands of diffaxion maps, end to end on a small simulated sky."""

import contextlib
import io
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from diffaxion.analyses.maps_simulation import toml_text
from diffaxion.cli import main
from diffaxion.data import read_bandpowers

CONFIG = {
    "seed": 3,
    "simulation": {"nside": 32, "strength": 200.0, "sources": 4},
    "cleaning": {"also": {"nothing": []}},
    "robustness": {"cib_temperatures_K": [20.0], "cib_betas": [1.55]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with a configuration, the simulated maps and the results of the whole way."""
    where = tmp_path_factory.mktemp("maps")
    (where / "sky.toml").write_text(toml_text(CONFIG))
    maps = str(where / "sky/maps.toml")
    for name, arguments in (
        ("sky", ["simulate", str(where / "sky.toml"), "--quiet"]),
        ("run", ["run", maps, "--json", "--quiet"]),
        ("clean", ["clean", maps, "--json"]),
        ("measure", ["measure", str(where / "clean"), "--quiet"]),
    ):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            assert main(["maps", *arguments, "--out", str(where / name)]) == 0, err.getvalue()
        (where / f"{name}.out").write_text(out.getvalue())
        (where / f"{name}.err").write_text(err.getvalue())
    return where


@pytest.fixture
def run(capsys):
    """Exit status, standard output and standard error of a command."""

    def call(*arguments):
        status = main([str(a) for a in arguments])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return call


def test_simulated_maps_come_with_their_configuration(folder):
    names = {p.name for p in (folder / "sky").iterdir()}
    assert {"maps.toml", "sky.npz", "galaxies.fits", "provenance.json"} <= names
    assert {f"frequency_{c}.fits" for c in ("030", "353", "545")} <= names
    assert {f"mask_{m}.fits" for m in ("temperature", "galaxies", "holes")} <= names
    text = (folder / "sky/maps.toml").read_text()
    assert text.startswith("# simulated")
    record = json.loads((folder / "sky/provenance.json").read_text())
    assert record["seed"] == 3


def test_files_of_the_whole_way(folder):
    names = {p.name for p in (folder / "run").iterdir()}
    assert names >= {
        "bandpowers.npz", "bandpowers_nothing.npz", "bandpowers_all_bins.npz", "spectra.csv",
        "summary.json", "provenance.json", "report.html", "cleaned.json", "configuration.json",
        "cleaned_fiducial.fits", "cleaned_nothing.fits", "maps.png", "masks.png", "needlets.png",
        "weights.png", "responses.png", "cross_spectra.png", "auto_spectra.png", "galaxies.png",
    }  # fmt: skip
    assert {"prepared", "scales"}.isdisjoint(names)
    found = read_bandpowers(folder / "run/bandpowers.npz")
    assert "simulated" in found.nature
    assert np.all(found.cl_Tg_uK < 0.0)
    summary = json.loads((folder / "run/summary.json").read_text())
    assert "simulated" in summary["nature"]
    assert summary["sets"]["fiducial"]["null"]["pte"] < 1e-3


def test_the_steps_give_the_same_as_the_whole_way(folder):
    whole = read_bandpowers(folder / "run/bandpowers.npz")
    steps = read_bandpowers(folder / "measure/bandpowers.npz")
    np.testing.assert_allclose(steps.cl_Tg_uK, whole.cl_Tg_uK, rtol=1e-10)
    np.testing.assert_allclose(steps.cov_uK2, whole.cov_uK2, rtol=1e-10)
    np.testing.assert_allclose(steps.residual_uK, whole.residual_uK, rtol=1e-10)


def test_limits_from_the_bandpowers(folder, run):
    """The file goes into limit screening; residual foregrounds are marginalised, and it says so."""
    status, out, _ = run(
        "limit", "screening", "--configuration", "parity", "--masses", "5e-13",
        "--data", folder / "run/bandpowers.npz", "--out", folder / "limit",
    )  # fmt: skip
    assert status == 0
    assert "Residual foregrounds marginalised exactly: cib_temperature" in out
    assert "not data" in out
    summary = json.loads((folder / "limit/summary.json").read_text())
    assert [r["name"] for r in summary["residuals"]] == ["cib_temperature", "cib_beta"]
    # A strength of 200 at 1e-12 eV is a strong signal at 5e-13 eV too.
    assert summary["masses"][0]["u_hat"] > 3.0 * summary["masses"][0]["sigma_u"]


def test_results_are_not_lost_or_mixed(folder, run):
    config = folder / "sky/maps.toml"
    status, _, err = run("maps", "run", config, "--out", folder / "run")
    assert status == 2
    assert "--overwrite" in err
    status, _, err = run("maps", "clean", config, "--out", folder / "run", "--resume")
    assert status == 2
    assert "maps-run" in err
    status, _, err = run("maps", "measure", folder / "sky", "--out", folder / "none")
    assert status == 2
    assert "cleaned.json is missing" in err
    assert not (folder / "none").exists()


def test_json_and_progress(folder):
    assert json.loads((folder / "clean.out").read_text())["sets"] == ["fiducial", "nothing"]
    progress = (folder / "clean.err").read_text()
    assert "memory: about" in progress
    assert "needlet scale 5" in progress
    assert (folder / "run.err").read_text() == ""
    found = json.loads((folder / "run.out").read_text())
    assert found["sets"]["fiducial"]["null"]["dof"] == 7
    assert found["folder"] == str(folder / "run")
    assert "limit screening --data" in (folder / "measure.out").read_text()


@pytest.mark.slow
def test_a_killed_run_is_resumed(folder):
    """SIGKILL in the middle of the cleaning; --resume gives the same bandpowers."""
    out = folder / "killed"
    program = "import sys; from diffaxion.cli import main; sys.exit(main(sys.argv[1:]))"
    command = ["maps", "run", str(folder / "sky/maps.toml"), "--out", str(out), "--quiet"]
    process = subprocess.Popen([sys.executable, "-c", program, *command])
    try:
        deadline = time.monotonic() + 300.0
        while not list(out.glob("scales/scale-01-*.npz")):
            assert time.monotonic() < deadline, "no scale was finished"
            assert process.poll() is None, "the run ended before it was killed"
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "bandpowers.npz").exists()
    kept = {p.name: p.stat().st_mtime_ns for p in out.glob("scales/*.npz") if p.name[0] != "."}
    # Products of a set that the settings no longer have would be taken for results of this run.
    left = [out / "bandpowers_old.npz", out / "cleaned_old.fits"]
    own = out / "bandpowers_mine.npz"
    for path in (*left, own):
        path.touch()
    (out / "summary.json").write_text('{"sets": {"fiducial": {}, "old": {}}}')
    (out / "cleaned.json").write_text('{"scales": {"fiducial": [], "old": []}}')
    arguments = ["maps", "run", str(folder / "sky/maps.toml"), "--out", str(out), "--keep"]
    assert main([*arguments, "--resume", "--quiet"]) == 0
    for name, made in kept.items():
        assert (out / "scales" / name).stat().st_mtime_ns == made
    assert not any(path.exists() for path in left)
    assert own.exists()
    whole = read_bandpowers(folder / "run/bandpowers.npz")
    again = read_bandpowers(out / "bandpowers.npz")
    np.testing.assert_allclose(again.cl_Tg_uK, whole.cl_Tg_uK, rtol=1e-10)


def test_robustness_of_one_sky(folder, run):
    """Table, numbers and figures; with a signal the null test is not judged."""
    out = folder / "robust"
    status, text, _ = run(
        "maps", "robustness", folder / "sky.toml", "--tests", "masks,cib,beam", "--out", out
    )
    assert status in (0, 1)
    names = {p.name for p in out.iterdir()}
    assert names >= {
        "robustness.md", "robustness.json", "report.html", "robustness_masks.png",
        "robustness_cib.png", "robustness_beam.png",
    }  # fmt: skip
    record = json.loads((out / "robustness.json").read_text())
    verdicts = {t["name"]: t["verdict"] for t in record["tests"]}
    assert set(verdicts) == {"null", "masks", "cib", "beam"}
    assert verdicts["null"] == "informs"
    assert (status == 1) == ("failed" in verdicts.values())
    assert text.count("| cib |") == 1
    assert record["planted"] == []


def test_init_writes_configurations(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("maps", "planck"):
        status, out, _ = run("init", f"{name}.toml", "--configuration", name)
        assert status == 0
        assert f"diffaxion maps run {name}.toml" in out
    status, _, err = run("maps", "run", "planck.toml", "--out", "x")
    assert status == 2
    assert "LFI_SkyMap_030_1024_R4.00_full.fits: no such file" in err
    assert not (tmp_path / "x").exists()


def test_help_has_an_example(run):
    for command in ("simulate", "clean", "measure", "run", "robustness"):
        status, out, _ = run("maps", command, "--help")
        assert status == 0
        assert f"Example: diffaxion maps {command}" in " ".join(out.split())
