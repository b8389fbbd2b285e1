"""The recipe for downloaded maps: its configuration fits the schema, its names are those listed."""

import re
import tomllib
from pathlib import Path

from diffaxion.analyses.maps_config import parse_maps_configuration
from diffaxion.data.planck_files import release_files

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "planck_maps.md").read_text()


def test_configuration_of_the_recipe():
    """As written in the document; files need not be there to check it."""
    block = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL).group(1)
    settings = parse_maps_configuration(tomllib.loads(block), "docs/planck_maps.md")
    release, galaxies = release_files("PR4"), release_files("unWISE")
    assert settings.files.temperature == {c: release.maps[c] for c in settings.channels.names}
    assert settings.files.galaxies == f"{galaxies.maps['blue']}:T"
    assert settings.files.temperature_masks == [release.masks["galactic 70%"]]
    assert release.masks["lensing"] in settings.files.galaxy_masks
    assert settings.cleaning.nside == 2048


def test_python_of_the_recipe_names_what_there_is():
    """Every import of its snippets."""
    import importlib

    found = re.findall(r"^from (\S+) import (.+)$", TEXT, re.MULTILINE)
    assert len(found) == 3
    for module, names in found:
        for name in names.split(", "):
            assert hasattr(importlib.import_module(module), name)
    assert "unverified" in TEXT
    assert hasattr(importlib.import_module("diffaxion.sky.masks"), "rotate_mask")
