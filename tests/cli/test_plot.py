"""``diffaxion plot``: which curves are drawn, and what is refused."""

import numpy as np
import pytest

from diffaxion.cli import main
from diffaxion.cli.plot import choose_curves, gather_curves
from diffaxion.errors import ConfigurationError, DataError
from diffaxion.products import LimitCurve, write_limits

MASSES = [1e-13, 1e-12, 1e-11]


def curve(name, method, scale=1.0, prior=""):
    g = scale * np.array([2e-12, 3e-12, 5e-12])
    return LimitCurve(name, method, prior, MASSES, g, median=g, minus1=0.7 * g, plus1=1.2 * g)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two folders: one of the main job, one of an X-ray scan."""
    folder = tmp_path_factory.mktemp("plot")
    parts = [
        curve(n, m, s)
        for n, s in (("joint", 1.0), ("xray", 1.5), ("cmb", 2.0))
        for m in ("profile-pcl", "bayes")
    ]
    for name, curves in (("one", parts), ("two", [curve("wd1", "pcl"), curve("joint", "pcl")])):
        (folder / name).mkdir()
        write_limits(folder / name / "limits.csv", curves)
    return folder


def test_default_curves(results):
    one, two = str(results / "one"), str(results / "two/limits.csv")
    assert [(c.curve, c.method) for c in gather_curves([one], [], 6)] == [
        (n, "profile-pcl") for n in ("joint", "xray", "cmb")
    ]
    both = gather_curves([one, two], [], 6)
    assert [c.curve for c in both] == ["one: joint", "two: joint"]


def test_chosen_curves():
    curves = [curve("joint", "pcl"), curve("joint", "bayes"), curve("cmb", "pcl")]
    names = [(c.curve, c.method) for c in choose_curves(curves, ["cmb", "joint:bayes"], False)]
    assert names == [("cmb", "pcl"), ("joint", "bayes")]
    assert len(choose_curves(curves, ["joint"], True)) == 2
    with pytest.raises(ConfigurationError, match="joint:bayes"):
        choose_curves(curves, ["joint:bays"], False)


def test_too_many_curves_are_refused(results):
    with pytest.raises(ConfigurationError, match="with --curve"):
        gather_curves([str(results / "one")], ["joint", "xray"], 3)
    (results / "empty.csv").write_text((results / "one/limits.csv").read_text().splitlines()[0])
    with pytest.raises(DataError, match="no limit curve"):
        gather_curves([str(results / "empty.csv")], [], 6)


def test_a_figure_is_written(results, capsys):
    out = results / "both.svg"
    arguments = ["plot", str(results / "one"), str(results / "two"), "--out", str(out)]
    arguments += ["--overlay", "cast, m82", "--title", "Two results"]
    assert main(arguments) == 0
    assert "one: joint (profile-pcl), two: joint (pcl)" in capsys.readouterr().out
    assert out.read_text().startswith("<?xml")
    before = out.read_bytes()
    assert main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0
    assert out.read_bytes() == before, "the same figure gives the same file"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "figure.gif"], "expected a name in .png, .pdf, .svg"),
        (["--out", "figure.png", "--overlay", "cats"], "cast"),
        (["--out", "figure.png", "--curve", "jiont"], "joint:profile-pcl"),
    ],
)
def test_bad_input(results, capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert main(["plot", str(results / "one"), *arguments]) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there(capsys, tmp_path):
    out = tmp_path / "a.png"
    assert main(["plot", str(tmp_path / "nothing.csv"), "--out", str(out)]) != 0
    assert "nothing.csv" in capsys.readouterr().err
    assert not out.exists()
