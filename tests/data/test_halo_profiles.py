"""Reader of halo profiles: what it accepts, and the message for each kind of bad file."""

import numpy as np
import pytest

from diffaxion.data import read_halo_profiles
from diffaxion.environments.halos import gas_profile
from diffaxion.errors import ConfigurationError, DataError

GOOD = "x,n_e_cm3\n" + "".join(f"{0.1 * k},{1e-3 / k**2}\n" for k in range(1, 7))


def write(tmp_path, text):
    path = tmp_path / "profile.csv"
    path.write_text(text)
    return path


def test_rows_in_any_order(tmp_path):
    lines = GOOD.splitlines()
    path = write(tmp_path, "# note\n" + "\n".join([lines[0], *lines[:0:-1]]) + "\n")
    found = read_halo_profiles(path, "electron density")
    np.testing.assert_allclose(found.x, 0.1 * np.arange(1, 7))
    np.testing.assert_allclose(np.exp(found.ln_value[0, 0]), 1e-3 / np.arange(1, 7) ** 2.0)


@pytest.mark.parametrize(("column", "base"), [("ln_n_e_cm3", np.e), ("log10_n_e_cm3", 10.0)])
def test_logarithms_and_grids(tmp_path, column, base):
    rows = [(z, m, x) for x in (0.1, 0.2, 0.5, 1.0) for m in (14, 12, 13) for z in (1, 0)]
    text = f"z,log10_M200c,x,{column}\n" + "".join(
        f"{z},{m},{x},{-z - 0.1 * m - x}\n" for z, m, x in rows
    )
    found = read_halo_profiles(write(tmp_path, text), "electron density")
    assert found.ln_value.shape == (2, 3, 4)
    np.testing.assert_array_equal(found.log10_m200c, [12, 13, 14])
    np.testing.assert_allclose(found.ln_value[1, 2, 3], -3.4 * np.log(base), rtol=1e-14)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no data rows"),
        ("x,n_e_cm3\n", "no data rows"),
        (GOOD.replace("n_e_cm3", "n_e"), "unknown column 'n_e'.*n_e_cm3"),
        (GOOD.replace("x,", "r,"), "unknown column 'r'"),
        (GOOD.replace("x,", "z,"), "column 'x' .* is missing"),
        (GOOD.replace("x,n_e_cm3", "x,z"), "exactly one of n_e_cm3"),
        (GOOD.replace("0.1,", "0.1,3,"), "line 2: 3 values, expected 2"),
        (GOOD.replace("0.001\n", "many\n"), "line 2: n_e_cm3 = 'many'"),
        (GOOD.replace("0.001\n", "-0.001\n"), "line 2: n_e_cm3 = -0.001: .* > 0"),
        (GOOD.replace("0.001\n", "nan\n"), "line 2: n_e_cm3 = nan: expected a finite"),
        (GOOD.replace("0.1,", "0,"), "line 2: x = 0: .* > 0"),
        (GOOD + "0.1,0.002\n", "2 rows for .*x = 0.1"),
        ("\n".join(GOOD.splitlines()[:4]), "3 different values of x.*at least 4"),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as info:
        read_halo_profiles(path, "electron density")
    assert "profile.csv" in str(info.value)


def test_a_gap_and_a_negative_redshift(tmp_path):
    rows = [(z, x) for z in (0, 1) for x in (0.1, 0.2, 0.5, 1.0)]
    text = "z,x,B_muG\n" + "".join(f"{z},{x},1\n" for z, x in rows[:-1])
    with pytest.raises(DataError, match=r"0 rows for z = 1.*x = 1: expected exactly one"):
        read_halo_profiles(write(tmp_path, text), "magnetic field")
    text = "z,x,B_muG\n" + "".join(f"{z - 1},{x},1\n" for z, x in rows)
    with pytest.raises(DataError, match=r"line 2: z = -1: .* >= 0"):
        read_halo_profiles(write(tmp_path, text), "magnetic field")


def test_missing_files_and_unknown_names(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.csv: cannot be read"):
        gas_profile(tmp_path / "nowhere.csv")
    (tmp_path / "binary.csv").write_bytes(b"\x00\xff\xfe")
    with pytest.raises(DataError, match="cannot be read"):
        gas_profile(tmp_path / "binary.csv")
    with pytest.raises(ConfigurationError, match=r"unknown gas profile.*'agm'.*agn"):
        gas_profile("agm")
