"""``diffaxion forecast``: what is refused before any work, and the list of configurations."""

import json

import pytest

from diffaxion.cli import main


@pytest.fixture
def run(capsys):
    """Exit status, standard output and standard error of a command."""

    def call(*arguments):
        status = main([str(a) for a in arguments])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return call


def test_list(run):
    status, out, _ = run("forecast", "--list")
    assert status == 0
    assert "so-lsst" in out
    assert "LSST" in out
    status, out, _ = run("forecast", "--list", "--json")
    assert json.loads(out)["planck"].startswith("Planck")


def test_help_has_an_example(run):
    status, out, _ = run("forecast", "--help")
    assert status == 0
    assert "diffaxion forecast so-lsst" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("so-lst",), "so-lsst"),
        ((), "name a configuration"),
        (("planck", "--masses", "3:1:2"), "LO < HI"),
    ],
)
def test_bad_input(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    status, _, err = run("forecast", *arguments)
    assert status == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []
