"""Star lists: what is read, and the messages of what is not."""

import numpy as np
import pytest

from diffaxion.data import read_star_list
from diffaxion.errors import DataError

GOOD = """# made up
name,ra_deg,dec_deg,class,weight
a,266.55,-28.83,WC9,2.5

b,266.56,-28.82,WN8,0
"""


def write(tmp_path, text):
    path = tmp_path / "stars.csv"
    path.write_text(text)
    return path


def test_columns_are_read_by_name(tmp_path):
    stars = read_star_list(write(tmp_path, GOOD))
    np.testing.assert_array_equal(stars.ra_deg, [266.55, 266.56])
    np.testing.assert_array_equal(stars.dec_deg, [-28.83, -28.82])
    np.testing.assert_array_equal(stars.weight, [2.5, 0.0])
    assert stars.classes == ("WC9", "WN8")
    assert stars.column == "weight"
    other = read_star_list(write(tmp_path, GOOD.replace("weight", "luminosity")))
    assert other.column == "luminosity"
    marked = tmp_path / "marked.csv"
    marked.write_text(GOOD[GOOD.index("name") :], encoding="utf-8-sig")  # as spreadsheets write
    assert read_star_list(marked).classes == ("WC9", "WN8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ra_deg", "ra", r"column 'ra_deg' is missing \(.*ra"),
        ("class", "type", "column 'class' is missing"),
        ("weight", "w", "exactly one of weight and luminosity"),
        ("name", "luminosity", "exactly one of weight and luminosity"),
        ("2.5", "many", "line 3: not a number"),
        ("2.5", "-1", "line 3: weight = -1, expected a finite number >= 0"),
        ("2.5", "nan", "line 3: weight = nan"),
        ("2.5", "0", "column 'weight' is 0 for all 2 stars"),
        ("-28.82", "-98.82", "line 5: dec_deg = -98.82"),
        ("266.56", "1266.56", "line 5: ra_deg = 1266.56"),
        (",WN8", "", "line 5: 4 values, expected 5"),
    ],
)
def test_bad_lists_are_refused(tmp_path, old, new, message):
    with pytest.raises(DataError, match=f"star list .*stars.csv.*{message}"):
        read_star_list(write(tmp_path, GOOD.replace(old, new)))


def test_files_without_stars_are_refused(tmp_path):
    with pytest.raises(DataError, match="no rows; expected a header"):
        read_star_list(write(tmp_path, "ra_deg,dec_deg,class,weight\n"))
    with pytest.raises(DataError, match="cannot be read"):
        read_star_list(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        read_star_list(tmp_path / "binary.csv")
