"""Public docstrings have their sections, shapes, units and source; examples run."""

import doctest
import importlib
import inspect
import pkgutil
import re

import pytest

import diffaxion

from .public import public_objects

OBJECTS = public_objects()


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_sections(name):
    thing = OBJECTS[name]
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        pytest.skip("not a function or class")
    doc = inspect.getdoc(thing) or ""
    assert len(doc.split("\n")[0]) > 10, "no summary line"
    if inspect.isclass(thing):
        if issubclass(thing, Exception):
            return
        fields = getattr(thing, "__dataclass_fields__", {})
        assert not fields or "Attributes\n---" in doc or "Parameters\n---" in doc
        return
    takes = [p for p in inspect.signature(thing).parameters if p not in ("self", "cls")]
    assert not takes or "Parameters\n---" in doc, "no Parameters section"
    assert "Returns\n---" in doc, "no Returns section"
    assert "References\n---" in doc, "no References section"
    missing = [p for p in takes if not re.search(rf"\b{re.escape(p)}\b", doc)]
    assert not missing, f"undocumented parameters {missing}"


def _modules():
    for info in pkgutil.walk_packages(diffaxion.__path__, "diffaxion."):
        yield info.name


@pytest.mark.parametrize("name", sorted(_modules()))
def test_module_docstring_and_examples(name):
    module = importlib.import_module(name)
    assert module.__doc__, "no module docstring"
    result = doctest.testmod(module)
    assert result.failed == 0
