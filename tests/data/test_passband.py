"""Passbands of instruments read from text files."""

import numpy as np
import pytest

from diffaxion.data.passband import read_passband
from diffaxion.errors import DataError


@pytest.mark.parametrize(
    "text",
    [
        "nu_GHz,transmission\n90,0.5\n100,1\n110.5,0\n",
        "# band of a toy\n90 0.5  # edge\n\n100\t1\n110.5 0\n",
    ],
)
def test_both_forms_are_read(tmp_path, text):
    path = tmp_path / "band.txt"
    path.write_text(text)
    nu, transmission = read_passband(path)
    np.testing.assert_array_equal(nu, [90.0, 100.0, 110.5])
    np.testing.assert_array_equal(transmission, [0.5, 1.0, 0.0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["0 rows", "two or more"]),
        ("90,1\n", ["1 rows"]),
        ("90,1\n100,-0.1\n", ["line 2", "100,-0.1", ">= 0"]),
        ("0,1\n100,1\n", ["line 1", "> 0"]),
        ("90,1\n100,nan\n", ["line 2", "nan"]),
        ("90,1\n100,1,2\n", ["line 2"]),
        ("90,1\n100,x\n", ["line 2", "100,x"]),
        ("90,1\n90,1\n", ["line 2", "90 after 90", "increase"]),
        ("90,0\n100,0\n", ["0 everywhere"]),
    ],
)
def test_bad_files_are_refused(tmp_path, text, words):
    path = tmp_path / "band.txt"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_passband(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt: cannot be read"):
        read_passband(tmp_path / "none.txt")
