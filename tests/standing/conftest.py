"""The standing suites compile hundreds of programs in one file, each used by one test."""

import pytest

from tests.conftest import drop_programs


@pytest.fixture(autouse=True)
def _few_memory_maps_between_cases():
    yield
    drop_programs()
