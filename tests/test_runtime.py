"""Process-wide switches."""

import os
import subprocess
import sys

from diffaxion.runtime import enable_cache

_COMPILE = """
import sys
import jax
import diffaxion
from diffaxion.runtime import enable_cache
enable_cache(sys.argv[1])
jax.jit(lambda x: 2.0 * x)(1.0).block_until_ready()
"""


def test_cache_can_be_switched_off(monkeypatch, tmp_path):
    monkeypatch.setenv("DIFFAXION_CACHE", "0")
    assert enable_cache(tmp_path / "cache") is None
    assert not (tmp_path / "cache").exists()


def test_cache_stores_even_small_programs(tmp_path):
    folder = tmp_path / "cache"
    environment = {**os.environ, "DIFFAXION_CACHE": "1"}
    command = [sys.executable, "-c", _COMPILE, str(folder)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    assert any(folder.iterdir())
