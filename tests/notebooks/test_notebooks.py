"""The notebooks are jupytext scripts without outputs, and they run."""

import ast
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
SCRIPTS = sorted(FOLDER.glob("*.py"))
HEADER = ["# ---", "# jupyter:", "#   jupytext:", "#     text_representation:"]
CELLS = ("# %%", "# %% [markdown]")
SECONDS_PER_CELL = 120

by_name = pytest.mark.parametrize("path", SCRIPTS, ids=lambda p: p.stem)


def cells(text):
    """Kind and lines of each cell of a percent script, after its header."""
    found = []
    for line in text.splitlines():
        if line.startswith("# %%"):
            found.append((line, []))
        elif found:
            found[-1][1].append(line)
    return found


def test_the_ladder_is_complete():
    assert [p.stem[:2] for p in SCRIPTS] == [f"{k:02d}" for k in range(1, 9)]
    assert [p.name for p in FOLDER.iterdir() if p.suffix == ".ipynb"] == []
    readme = (FOLDER / "README.md").read_text()
    assert all(p.name in readme for p in SCRIPTS)


@by_name
def test_form(path):
    text = path.read_text()
    assert text.splitlines()[: len(HEADER)] == HEADER
    assert "format_name: percent" in text
    assert "name: python3" in text
    # A comment for Python; jupytext makes a magic of it, without which figures are not shown.
    assert "# %%\n# %matplotlib inline\n" in text
    ast.parse(text)
    parts = cells(text)
    assert {kind for kind, _ in parts} == set(CELLS), "only plain code and markdown cells"
    first = parts[0]
    assert first[0] == CELLS[1]
    assert first[1][0].startswith(f"# # {int(path.stem[:2])}. "), "a numbered title first"
    for kind, lines in parts:
        if kind == CELLS[1]:
            assert all(not x or x.startswith("#") for x in lines)
    assert sum(kind == CELLS[1] for kind, _ in parts) >= 5, "prose between the code"


@by_name
def test_only_public_names_are_used_and_nothing_is_written(path):
    text = path.read_text()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("diffaxion"):
            room = __import__(node.module, fromlist=["__all__"])
            public = getattr(room, "__all__", dir(room))
            assert [a.name for a in node.names if a.name not in public] == []
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_")
    # What is to be read again goes to a folder that is removed.
    if "tempfile.TemporaryDirectory()" in text:
        text = text.replace("write_bandpowers", "")
    for word in ("savefig", "save_figure", "open(", "write", "base64"):
        assert word not in text


@by_name
def test_plots_have_labels(path):
    code = "\n".join("\n".join(x) for kind, x in cells(path.read_text()) if kind == CELLS[0])
    blocks = code.split("plt.subplots(")[1:]
    assert blocks
    for block in blocks:
        drawing = block.split("plt.show()")[0]
        assert "set_xlabel" in drawing
        assert "set_ylabel" in drawing


@pytest.mark.slow
@by_name
def test_runs(path, tmp_path, monkeypatch):
    jupytext = pytest.importorskip("jupytext", reason="jupytext is not installed")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    # The kernel starts in an empty folder, which must stay empty.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = jupytext.read(path)
    client = nbclient.NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    figures = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(figures) == len(re.findall(r"^(plt\.show|plot_\w+)\(", path.read_text(), re.M))
    complaints = [o["text"] for o in outputs if o.get("name") == "stderr"]
    # tqdm, which NumPyro imports, asks for ipywidgets when it finds itself in a notebook.
    assert [x for x in complaints if "IProgress not found" not in x] == []
    assert list(tmp_path.iterdir()) == []
