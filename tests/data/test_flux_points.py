"""Flux-point files: what is read and what is refused, with the message."""

import numpy as np
import pytest

from diffaxion.data.flux_points import read_flux_points
from diffaxion.errors import DataError

HEADER = "# rates\nenergy_keV,half_width_keV,flux,error\n"


def _write(tmp_path, text):
    path = tmp_path / "spectrum.csv"
    path.write_text(text)
    return path


def test_reads_bins_and_rates(tmp_path):
    got = read_flux_points(_write(tmp_path, HEADER + "12.5,2.5,0.1,1.0\n17.5,2.5,-0.2,0.7\n"))
    np.testing.assert_array_equal(got.low_keV, [10.0, 15.0])
    np.testing.assert_array_equal(got.high_keV, [15.0, 20.0])
    np.testing.assert_array_equal(got.flux, [0.1, -0.2])
    marked = tmp_path / "marked.csv"
    marked.write_text(HEADER[8:] + "12.5,2.5,0.1,1.0\n", encoding="utf-8-sig")
    assert read_flux_points(marked).flux == 0.1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("12.5,2.5,0.1,0.0\n", "error = 0.0: expected a finite number > 0"),
        ("12.5,2.5,0.1,-1\n", "error = -1.0"),
        ("12.5,2.5,0.1,nan\n", "line 3: error = nan"),
        ("12.5,2.5,inf,1\n", "flux = inf"),
        ("12.5,2.5,0.1\n", "line 3: 3 values, expected 4"),
        ("12.5,2.5,x,1\n", "line 3: not a number"),
        ("", "no data rows"),
    ],
)
def test_refuses(tmp_path, body, message):
    with pytest.raises(DataError, match=message.replace(".", r"\.")):
        read_flux_points(_write(tmp_path, HEADER + body))


def test_refuses_missing_column_and_file(tmp_path):
    path = _write(tmp_path, "energy_keV,half_width_keV,flux,err\n1,1,1,1\n")
    with pytest.raises(DataError, match="column 'error' is missing"):
        read_flux_points(path)
    with pytest.raises(DataError, match=r"absent\.csv: cannot be read"):
        read_flux_points(tmp_path / "absent.csv")
