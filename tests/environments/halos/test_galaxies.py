"""Redshift distributions: the bundled one and those of the user."""

import equinox as eqx
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from diffaxion.environments.halos import (
    read_redshift_distribution,
    redshift_distribution,
    unwise_blue,
)
from diffaxion.errors import ConfigurationError, DataError
from tests.conftest import read_csv

Z = np.linspace(0.0, 2.0, 21)
evaluate = eqx.filter_jit(lambda distribution, z: distribution(z))
SHAPE = 0.75 * Z * (2.0 - Z)


def _file(tmp_path, z=Z, dndz=SHAPE, header="z,dndz", separator=","):
    rows = [separator.join(f"{v:.10g}" for v in pair) for pair in zip(z, dndz, strict=True)]
    path = tmp_path / "dndz.csv"
    path.write_text("\n".join(["# sample", *([header] if header else []), *rows]) + "\n")
    return path


def test_the_bundled_table_is_the_spline_of_the_published_points(shared):
    source = read_csv(shared / "data/screening/dndz_unwise_blue.csv")
    spline = CubicSpline(source["z"], source["dndz"])
    z = np.linspace(0.0, 4.0, 4001)
    found = evaluate(unwise_blue(), z)
    np.testing.assert_allclose(found, spline(z), rtol=0, atol=1e-6 * source["dndz"].max())
    np.testing.assert_allclose(found, spline(z), rtol=0, atol=1e-10)


def test_moments_of_the_bundled_table():
    z = np.linspace(0.0, 4.0, 4001)
    dndz = np.asarray(evaluate(redshift_distribution("unwise-blue"), z))
    assert np.trapezoid(dndz, z) == pytest.approx(1.0, abs=1e-4)
    assert np.trapezoid(z * dndz, z) == pytest.approx(0.644, abs=5e-4)
    outside = evaluate(unwise_blue(), np.array([-0.1, 4.1, 4.5]))
    assert np.all(np.asarray(outside) == 0.0)


@pytest.mark.parametrize(
    ("header", "separator"), [("z,dndz", ","), ("", " "), ("z dndz", "\t"), ("", ",")]
)
def test_files_of_the_user(tmp_path, header, separator):
    path = _file(tmp_path, header=header, separator=separator)
    found = evaluate(redshift_distribution(str(path)), np.array([0.33, 1.77, 2.5]))
    np.testing.assert_allclose(found, [0.75 * 0.33 * 1.67, 0.75 * 1.77 * 0.23, 0.0], atol=1e-9)


def test_columns_may_be_named_in_any_order(tmp_path):
    path = tmp_path / "dndz.csv"
    rows = [f"{b:.10g},0,{a:.10g}" for a, b in zip(Z, SHAPE, strict=True)]
    path.write_text("\n".join(["dndz,error,z", *rows]))
    assert evaluate(read_redshift_distribution(path), np.ones(1))[0] == pytest.approx(
        0.75, rel=1e-9
    )


def test_normalisation(tmp_path):
    path = _file(tmp_path, dndz=1.02 * SHAPE)
    with pytest.raises(DataError, match=r"1\.02.*Divide the column by it, or pass normalise=True"):
        read_redshift_distribution(path)
    assert evaluate(read_redshift_distribution(path, normalise=True), np.ones(1))[
        0
    ] == pytest.approx(0.75, rel=1e-6)
    # Within 1% the table is taken as it is.
    path = _file(tmp_path, dndz=1.005 * SHAPE)
    assert evaluate(read_redshift_distribution(path), np.ones(1))[0] == pytest.approx(
        1.005 * 0.75, rel=1e-9
    )


def _with(array, k, value):
    out = array.copy()
    out[k] = value
    return out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dndz": _with(SHAPE, 4, -0.1)}, "line 7: dndz = -0.1; expected a finite number >= 0"),
        ({"dndz": _with(SHAPE, 4, np.nan)}, "line 7: dndz = nan"),
        ({"z": _with(Z, 3, np.inf)}, "line 6: z = inf"),
        ({"z": Z[::-1]}, "line 4: z = 1.9 does not exceed 2 before it; sort"),
        ({"z": _with(Z, 5, Z[4])}, "line 8: z = 0.4 does not exceed 0.4"),
        ({"z": Z[:3], "dndz": SHAPE[:3]}, "3 rows; a cubic spline needs 4"),
        ({"header": "redshift,n"}, "columns are redshift, n; expected z and dndz"),
        ({"dndz": 0.0 * SHAPE}, "integral of dndz is 0; expected 1"),
    ],
)
def test_bad_files(tmp_path, changes, words):
    with pytest.raises(DataError) as caught:
        read_redshift_distribution(_file(tmp_path, **changes), normalise="0.0" in str(changes))
    assert words in str(caught.value)


def test_files_that_are_not_tables(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        redshift_distribution(tmp_path / "absent.csv")
    path = tmp_path / "dndz.csv"
    path.write_text("z,dndz\n0,0\n1,x\n2,0.1\n3,0\n")
    with pytest.raises(DataError, match="line 3: not two numbers in '1 x'"):
        read_redshift_distribution(path)
    with pytest.raises(ConfigurationError, match="did you mean 'unwise-blue'"):
        redshift_distribution("unwise-blu")
