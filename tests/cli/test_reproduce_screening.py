"""``diffaxion reproduce screening`` through the entry point."""

import json

import pytest

from diffaxion.analyses import reproduce_screening
from diffaxion.cli import main
from diffaxion.products import read_limits, screening_reproduction
from tests.screening_study import made_up_study


def test_command_writes_what_it_prints(tmp_path, monkeypatch, capsys):
    """With a made-up study and without figures: the command itself."""
    monkeypatch.setattr(reproduce_screening, "run_study", made_up_study)
    monkeypatch.setattr(screening_reproduction, "figures_of", lambda study: {})
    folder = tmp_path / "paper"
    assert main(["reproduce", "screening", "--out", str(folder)]) == 0
    out = capsys.readouterr().out
    assert (folder / "reproduction.md").read_text() in out
    assert f"results in {folder}" in out
    record = json.loads((folder / "reproduction.json").read_text())
    assert record["provenance"]["versions"]
    assert main(["reproduce", "screening", "--out", str(folder)]) == 2
    assert main(["reproduce", "screening", "--out", str(folder), "--overwrite", "--quiet"]) == 0
    assert "### " not in capsys.readouterr().out


@pytest.mark.slow
def test_whole_reproduction(tmp_path, capsys):
    folder = tmp_path / "paper"
    assert main(["reproduce", "screening", "--out", str(folder), "--quiet"]) == 0
    record = json.loads((folder / "reproduction.json").read_text())
    compared = [r for rows in record["tables"].values() for r in rows if r["agrees"] is not None]
    wrong = [r["quantity"] for r in compared if not r["agrees"]]
    assert len(compared) > 250
    assert wrong == ["g95(default)/g95(parity, r = 1), 2.2275e-13 eV", "R(default), 2.5e-13 eV"]
    assert len(list(folder.glob("*.png"))) == 11
    curves = {c.curve: c for c in read_limits(folder / "limits.csv")}
    assert curves["screening-published"].limit_raw.min() == pytest.approx(1.22e-12, rel=0.01)
    assert "toy sky" in (folder / "report.html").read_text()
