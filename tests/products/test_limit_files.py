"""Limit curves written, read back and overlaid."""

import csv

import numpy as np
import pytest

from diffaxion.errors import ConfigurationError, DataError
from diffaxion.inference.limits import LimitStatus
from diffaxion.products.limit_files import (
    COLUMNS,
    LimitCurve,
    read_limits,
    write_limits,
    write_two_column,
)
from diffaxion.products.overlays import (
    load_overlay,
    overlay_names,
    published_star_cluster_limits,
)


@pytest.fixture
def curves():
    mass = np.array([1e-13, 1e-12, 1e-10, 1e-9])
    one = LimitCurve(
        "joint",
        "pcl",
        "",
        mass,
        np.array([3.6e-12, 3.7e-12, 9.1e-12, np.nan]),
        np.array(["OK", "OK", "FIELD_STRUCTURE", "NO_SENSITIVITY"]),
        median=np.array([3.9e-12, 3.9e-12, 9e-12, np.inf]),
        minus1=mass * 0 + 3.1e-12,
        plus1=mass * 0 + 4.4e-12,
        plus2=mass * 0 + 4.8e-12,
    )
    two = LimitCurve("joint", "bayes", "uniform g in [0, 1e-10]", mass[:1], np.array([1 / 3e11]))
    return [one, two]


def test_contract_columns_come_first_and_limits_are_empty_unless_ok(tmp_path, curves):
    path = write_limits(tmp_path / "limits.csv", curves)
    with path.open(newline="") as handle:
        rows = list(csv.reader(handle))
    assert tuple(rows[0][:10]) == COLUMNS == (
        "curve", "method", "prior", "m_a_eV", "limit",
        "median", "minus1", "plus1", "plus2", "status",
    )  # fmt: skip
    assert rows[3][4] == ""
    assert rows[3][9:11] == ["FIELD_STRUCTURE", "9.1e-12"]
    assert rows[4][4:6] == ["", ""]
    assert rows[4][9:11] == ["NO_SENSITIVITY", ""]
    assert rows[5][2] == "uniform g in [0, 1e-10]"
    assert len(rows) == 6


def test_reading_back_is_exact(tmp_path, curves):
    back = read_limits(write_limits(tmp_path / "limits.csv", curves))
    assert [(c.curve, c.method, c.prior) for c in back] == [
        (c.curve, c.method, c.prior) for c in curves
    ]
    for one, two in zip(curves, back):
        np.testing.assert_array_equal(one.status, two.status)
        np.testing.assert_array_equal(one.limit, two.limit)
        np.testing.assert_array_equal(one.limit_raw, two.limit_raw)
        np.testing.assert_array_equal(one.m_a_eV, two.m_a_eV)
        np.testing.assert_array_equal(one.plus2, two.plus2)


def test_status_codes_and_names_are_the_same():
    mass = np.array([1.0, 2.0])
    by_code = LimitCurve("a", "pcl", "", mass, mass, np.array([0, int(LimitStatus.AT_BOUNDARY)]))
    by_member = LimitCurve("a", "pcl", "", mass, mass, [LimitStatus.OK, LimitStatus.AT_BOUNDARY])
    assert list(by_code.status) == ["OK", "AT_BOUNDARY"]
    assert list(by_member.status) == ["OK", "AT_BOUNDARY"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0, 1.0], [1.0, 1.0]), "must increase"),
        (([1.0, np.nan], [1.0, 1.0]), "finite"),
        (([1.0, 2.0], [1.0]), "limit_raw has shape"),
        (([1.0, 2.0], [1.0, np.nan]), "status OK at m_a = 2 eV"),
        (([1.0, 2.0], [1.0, -1.0]), "expected a finite number > 0"),
    ],
)
def test_impossible_curves_are_refused(arguments, words):
    with pytest.raises(DataError, match=words):
        LimitCurve("c", "pcl", "", *map(np.array, arguments))


def test_unknown_status_names_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean 'NOT_CONVERGED'"):
        LimitCurve("c", "pcl", "", np.array([1.0]), np.array([1.0]), np.array(["NOT_CONVERGD"]))


HEADER = ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "columns curve, method"),
        (f"{HEADER}\njoint,pcl,,x,1,,,,,OK\n", "line 2: m_a_eV = 'x'"),
        (f"{HEADER}\njoint,pcl,,1e-13,,,,,,OK\n", "exactly where the status is OK"),
        (f"{HEADER}\njoint,pcl,,1e-13,1,,,,,AT_BOUNDARY\n", "exactly where the status is OK"),
        (f"{HEADER}\njoint,pcl,,1e-13\n", "expected 10 cells"),
    ],
)
def test_damaged_files_are_refused_with_the_line(tmp_path, text, words):
    path = tmp_path / "limits.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words) as error:
        read_limits(path)
    assert str(path) in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="cannot read the limit file"):
        read_limits(tmp_path / "no.csv")


def test_two_columns_hold_only_what_may_be_quoted(tmp_path, curves):
    path = write_two_column(tmp_path / "limits", curves[0], ["configuration\nabc"])
    assert path.name == "joint_pcl.txt"
    text = path.read_text()
    assert "# left out: 1 masses with status FIELD_STRUCTURE" in text
    assert "# configuration abc" in text
    mass, limit = np.loadtxt(path, unpack=True)
    np.testing.assert_allclose(mass, [1e-13, 1e-12])
    np.testing.assert_allclose(limit, [3.6e-12, 3.7e-12])
    odd = write_two_column(tmp_path, LimitCurve("../a b", "p/q", "", np.ones(1), np.ones(1)))
    assert odd.parent == tmp_path


def test_overlays_carry_source_licence_and_increasing_masses():
    assert {"cast", "m82", "planck_unwise", "super_star_clusters"} <= set(overlay_names())
    assert len(overlay_names()) == 8
    for name in overlay_names():
        curve = load_overlay(name)
        assert curve.arxiv in curve.source
        assert "MIT" in curve.licence
        assert np.all(np.diff(curve.m_a_eV) > 0)
        assert np.all((curve.g_GeV > 1e-13) & (curve.g_GeV < 1e-9))
    with pytest.raises(ConfigurationError, match="did you mean 'cast'"):
        load_overlay("castt")


def test_tables_are_those_of_the_reference_folder(shared):
    """Every number of the published curves survives the re-encoding."""
    for stem, name in {
        "CAST_lowmass": "cast",
        "Chandra_M87": "chandra_m87",
        "M82": "m82",
        "Planck_unWISE": "planck_unwise",
        "Xray_SuperStarClusters": "super_star_clusters",
    }.items():
        mass, coupling = np.loadtxt(shared / "data" / "limits" / f"{stem}.txt", unpack=True)
        np.testing.assert_array_equal(load_overlay(name).m_a_eV, mass)
        np.testing.assert_array_equal(load_overlay(name).g_GeV, coupling)


def test_published_bands_follow_from_one_gaussian():
    """(onedn, oneup, twoup)/median = ((z-1)/z, (z+1)/z, (z+2)/z)^(1/4), z = 1.645."""
    z = 1.6448536
    for name in ("quintuplet", "wd1"):
        curve = published_star_cluster_limits()[name]
        for band, shift in ((curve.minus1, -1), (curve.plus1, 1), (curve.plus2, 2)):
            np.testing.assert_allclose(band / curve.median, ((z + shift) / z) ** 0.25, rtol=1e-3)
        assert np.all(curve.limit >= curve.minus1 * (1 - 1e-9))
    joint = published_star_cluster_limits()["joint"]
    assert joint.limit[0] == pytest.approx(3.5870279e-12)
