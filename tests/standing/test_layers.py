"""A room imports only rooms that stand above it; the syntax trees are walked to enforce it."""

import ast
from pathlib import Path

import pytest

import diffaxion

PACKAGE = Path(diffaxion.__file__).parent
# The order of the house: each room may import those before it, and itself.
ROOMS = [
    "errors",
    "runtime",
    "constants",
    "provenance",
    "numerics",
    "data",
    "environments",
    "conversion",
    "observables",
    "sky",
    "parameters",
    "likelihoods",
    "inference",
    "analyses",
    "products",
    "cli",
]
# Rooms that only some of those below may use.
RESERVED = {"sky": {"analyses", "products", "cli"}}
# Names of the package itself that a room may import (`from . import __version__`).
PACKAGE_NAMES = {"__version__"}
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def imported_rooms(source: str, module: tuple[str, ...], is_package: bool) -> list[tuple[int, str]]:
    """Line and room of every import of the package in a module, also inside functions.

    ``module`` is the dotted name below ``diffaxion`` as a tuple.
    """
    found = []
    here = module if is_package else module[:-1]
    for node in ast.walk(ast.parse(source)):
        targets: list[tuple[str, ...]] = []
        if isinstance(node, ast.Import):
            targets = [tuple(n.name.split(".")) for n in node.names]
            targets = [t[1:] for t in targets if t[0] == "diffaxion"]
        elif isinstance(node, ast.ImportFrom):
            path = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                base = here[: len(here) - (node.level - 1)]
                path = base + path
            elif path[:1] == ("diffaxion",):
                path = path[1:]
            else:
                continue
            # `from .. import errors` names rooms, `from ..errors import X` names their contents.
            targets = [path] if path else [(n.name,) for n in node.names]
        else:
            continue
        for target in targets:
            if not target or target[0] in PACKAGE_NAMES:
                continue
            found.append((node.lineno, target[0]))
    return found


def _module(path: Path) -> tuple[tuple[str, ...], bool]:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return (parts[:-1], True) if parts[-1] == "__init__" else (parts, False)


def violations(room: str, imports: list[tuple[int, str]]) -> list[str]:
    """What is wrong with the imports of a room, one sentence each."""
    wrong = []
    for line, other in imports:
        if other not in ROOMS:
            wrong.append(f"line {line}: {other!r} is not a room")
        elif ROOMS.index(other) > ROOMS.index(room):
            wrong.append(f"line {line}: {room} imports {other}, which stands below it")
        elif other in RESERVED and room != other and room not in RESERVED[other]:
            wrong.append(f"line {line}: {other} is reserved for {sorted(RESERVED[other])}")
    return wrong


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_from_rooms_above(path):
    module, is_package = _module(path)
    assert module[0] in ROOMS, f"{module[0]} is not a room of the house"
    imports = imported_rooms(path.read_text(), module, is_package)
    assert violations(module[0], imports) == []


def test_only_the_named_modules_stand_at_the_top():
    files = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    folders = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    assert files == {"errors", "runtime", "constants", "provenance"}
    assert folders <= set(ROOMS) - files
    assert all(len(_module(p)[0]) <= 3 for p in FILES), "folders are at most three deep"


def test_constants_and_errors_import_nothing_of_the_package():
    for name in ("constants", "errors"):
        source = (PACKAGE / f"{name}.py").read_text()
        assert imported_rooms(source, (name,), False) == []


def test_environments_open_no_file_and_know_no_axion():
    for path in (PACKAGE / "environments").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "open", f"{path}: opens a file"


@pytest.mark.parametrize(
    ("source", "module", "expected"),
    [
        ("from ..errors import X", ("numerics", "a"), ["errors"]),
        ("from .. import errors, cli", ("numerics", "a"), ["errors", "cli"]),
        ("from ... import cli", ("environments", "galaxy", "a"), ["cli"]),
        ("from ..frame import X", ("environments", "galaxy", "a"), ["environments"]),
        ("from ...data.registry import X", ("environments", "galaxy", "a"), ["data"]),
        ("import diffaxion.cli as c", ("numerics", "a"), ["cli"]),
        ("from diffaxion.cli import main", ("numerics", "a"), ["cli"]),
        ("def f():\n    from ..products import x", ("numerics", "a"), ["products"]),
        ("from .a import b\nimport numpy", ("numerics", "b"), ["numerics"]),
        ("from . import __version__", ("provenance",), []),
    ],
)
def test_the_walker_resolves_imports(source, module, expected):
    assert [room for _, room in imported_rooms(source, module, False)] == expected


def test_a_wrong_direction_is_seen():
    assert violations("numerics", [(3, "inference")]) == [
        "line 3: numerics imports inference, which stands below it"
    ]
    assert violations("likelihoods", [(1, "sky")])[0].startswith("line 1: sky is reserved")
    assert violations("analyses", [(1, "sky"), (2, "inference")]) == []
    assert violations("products", [(1, "plotting")]) == ["line 1: 'plotting' is not a room"]
