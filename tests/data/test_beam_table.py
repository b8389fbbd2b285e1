"""Beams from text tables."""

import numpy as np
import pytest

from diffaxion.data.beam_table import read_beam_table
from diffaxion.errors import DataError


@pytest.mark.parametrize("text", ["l,B\n0,2\n1,1\n2,-0.1\n", "# a toy\n0 2\n1 1  # half\n2 -0.1\n"])
def test_both_forms_are_read(tmp_path, text):
    """Normalised at l = 0, not below 0, 0 beyond the end."""
    path = tmp_path / "beam.txt"
    path.write_text(text)
    np.testing.assert_array_equal(read_beam_table(path, 4), [1.0, 0.5, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(read_beam_table(path, 1), [1.0, 0.5])


def test_ecsv_is_read(tmp_path):
    from astropy.table import Table

    path = tmp_path / "beam.ecsv"
    Table({"l": [0, 1], "B_l": [1.0, 0.9]}).write(path, format="ascii.ecsv")
    np.testing.assert_array_equal(read_beam_table(path, 1), [1.0, 0.9])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no rows"),
        ("0 0\n1 1\n", "B_0 = 0"),
        ("0 1\n2 1\n", "line 2: '2 1'; expected l = 1"),
        ("0 1\n1 nan\n", "line 2"),
        ("0 1\n1 7\n", "B_l/B_0 = 7 at l = 1"),
        ("l B\nx y\n", "line 2"),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, words):
    path = tmp_path / "beam.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        read_beam_table(path, 3)
    assert str(path) in str(caught.value)
