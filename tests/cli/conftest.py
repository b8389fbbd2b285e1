"""Commands run in this process; their compilation cache goes to a folder of the test."""

import jax
import pytest


@pytest.fixture(scope="package", autouse=True)
def private_cache(tmp_path_factory):
    """Keep the user's compilation cache out of the tests, and the tests out of it."""
    names = (
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
    )
    before = {name: getattr(jax.config, name) for name in names}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
    for name, value in before.items():
        jax.config.update(name, value)
