"""Readers of stellar-evolution files: what they accept, and what they say when they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffaxion import constants as c
from diffaxion.data import read_history, read_profile, read_profiles_index
from diffaxion.data.mesa import surviving_rows
from diffaxion.data.mesa_format import parse_number
from diffaxion.errors import DataError

N = 24


def mesa_log(path, names, rows, header=None):
    """Write a file in the layout of MESA's logs."""
    header = {"version_number": '"15140"', "star_mass": "20.0"} if header is None else header
    lines = [
        " ".join(str(k + 1) for k in range(len(header))),
        " ".join(header),
        " ".join(header.values()),
        "",
        " ".join(str(k + 1) for k in range(len(names))),
        " ".join(names),
    ]
    lines += [" ".join(row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def zones(**changes):
    """Columns of a plausible profile, as strings; keyword arguments replace columns."""
    r = np.linspace(1.0, 0.05, N)
    columns = {
        "logR": np.log10(r),
        "logT": 7.0 + 0.5 * (1 - r),
        "logRho": -1.0 + 3 * (1 - r),
        "h1": np.full(N, 0.4),
        "he4": np.full(N, 0.59),
        "c12": np.full(N, 0.01),
    } | changes
    columns = {k: v for k, v in columns.items() if v is not None}
    text = {k: [x if isinstance(x, str) else f"{x:.10E}" for x in v] for k, v in columns.items()}
    return list(text), [list(row) for row in zip(*text.values(), strict=True)]


def test_profile_in_logarithms(tmp_path):
    profile = read_profile(mesa_log(tmp_path / "profile1.data", *zones()))
    r = np.linspace(1.0, 0.05, N)
    np.testing.assert_allclose(profile.radius_cm, r * c.R_SUN_MESA_CM, rtol=1e-9)
    np.testing.assert_allclose(profile.temperature_K, 10 ** (7.0 + 0.5 * (1 - r)), rtol=1e-8)
    assert list(profile.mass_fractions) == ["h1", "he4", "c12"]
    assert profile.dm_g is None
    assert not profile.lumped_metals


def test_units_of_the_header_override(tmp_path):
    header = {"msun": "1.9884098706980504D+33", "rsun": "6.957E+10", "star_mass": "20.0"}
    dq = np.full(N, 1.0 / N)
    names, rows = zones(dq=dq)
    profile = read_profile(mesa_log(tmp_path / "p.data", names, rows, header))
    assert profile.radius_cm[0] == pytest.approx(6.957e10)
    np.testing.assert_allclose(profile.dm_g, 20 / N * 1.9884098706980504e33, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("dm", np.full(N, 1e33)),
        ("q", np.linspace(1.0, 1.0 / N, N)),
        ("mass", 20 * np.linspace(1.0, 1.0 / N, N)),
    ],
)
def test_cell_masses(tmp_path, name, column):
    profile = read_profile(mesa_log(tmp_path / "p.data", *zones(**{name: column})))
    expected = 1e33 if name == "dm" else 20 / N * c.M_SUN_MESA_G
    np.testing.assert_allclose(profile.dm_g, expected, rtol=1e-8)


def test_other_column_names(tmp_path):
    r = np.linspace(1.0, 0.05, N)
    dr = -np.diff(np.append(r, 0.0)) * c.R_SUN_MESA_CM
    changes = {"logR": None, "logT": None, "logRho": None}
    columns = zones(radius=r, temperature=1e7 * r, rho=1 / r, dr=dr, **changes)
    profile = read_profile(mesa_log(tmp_path / "p.data", *columns))
    np.testing.assert_allclose(profile.density_g_cm3, 1 / r, rtol=1e-9)
    np.testing.assert_allclose(profile.dr_cm, dr, rtol=1e-9)
    columns = zones(logR=None, radius_cm=r * 1e10)
    assert read_profile(mesa_log(tmp_path / "q.data", *columns)).radius_cm[0] == 1e10


def test_lumped_composition(tmp_path):
    third = {
        "x_mass_fraction_H": np.full(N, 0.7),
        "y_mass_fraction_He": np.full(N, 0.28),
        "z_mass_fraction_metals": np.full(N, 0.02),
    }
    profile = read_profile(
        mesa_log(tmp_path / "p.data", *zones(h1=None, he4=None, c12=None, **third))
    )
    assert profile.lumped_metals
    assert set(profile.mass_fractions) == {"h1", "he4"}


def test_reference_profiles_are_read(shared):
    profile = read_profile(shared / "data/ssc/mesa_profile_wc.csv")
    assert profile.radius_cm.shape == (689,)
    assert list(profile.mass_fractions) == ["h1", "he4", "c12", "o16", "ne20"]
    assert profile.mass_fractions["c12"][-1] == 0.490783593
    assert profile.temperature_K[-1] == 214219731.0


@pytest.mark.parametrize(
    ("token", "value"),
    [("1.0D-99", 1e-99), ("1.234-100", 1.234e-100), ("2.5d+03", 2500.0), ("-1.5+100", -1.5e100)],
)
def test_fortran_numbers(token, value):
    assert parse_number(token) == value


@given(st.floats(1e-290, 1e290))
def test_fortran_numbers_round_trip(value):
    mantissa, exponent = f"{value:.12e}".split("e")
    assert parse_number(f"{mantissa}D{exponent}") == float(f"{mantissa}e{exponent}")
    if len(exponent.lstrip("+-")) == 3:
        assert parse_number(f"{mantissa}{exponent}") == float(f"{mantissa}e{exponent}")


def with_value(columns, row, name, text):
    names, rows = columns
    rows[row][names.index(name)] = text
    return names, rows


BAD = {
    "temperature <= 0": (lambda: zones(logT=None, temperature=[-5.0] * N), "line 7.*temperature"),
    "density nan": (lambda: with_value(zones(), 4, "logRho", "NaN"), "line 11.*logRho"),
    "density zero": (
        lambda: with_value(zones(logRho=None, rho=[1.0] * N), 2, "rho", "0.0"),
        "line 9.*'rho'.*> 0",
    ),
    "radius rises": (lambda: with_value(zones(), 5, "logR", "0.5"), "line 12.*does not fall"),
    "no radius": (lambda: zones(logR=None), "no radius column; expected one of logR"),
    "no temperature": (lambda: zones(logT=None), "no temperature column"),
    "no density": (lambda: zones(logRho=None), "no density column"),
    "no composition": (lambda: zones(h1=None, he4=None, c12=None), "add_abundances"),
    "negative fraction": (lambda: with_value(zones(), 3, "c12", "-1e-3"), "line 10.*'c12'"),
    "sum above one": (lambda: with_value(zones(), 3, "h1", "0.5"), "line 10.*sum to 1.1000"),
    "negative dm": (lambda: with_value(zones(dm=[1.0] * N), 6, "dm", "-1.0"), "line 13.*'dm'"),
    "negative dr": (lambda: with_value(zones(dr=[1.0] * N), 6, "dr", "-1.0"), "line 13.*'dr'"),
    "word": (lambda: with_value(zones(), 1, "he4", "***"), "line 8, column 'he4'.*not a number"),
    "few zones": (lambda: (zones()[0], zones()[1][:7]), "7 zones, expected at least 20"),
    "short row": (
        lambda: (zones()[0], [*zones()[1][:-1], zones()[1][-1][:-2]]),
        "line 30: 4 values, expected 6 columns.*truncated",
    ),
    "no rows": (lambda: (zones()[0], []), "no data rows"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_profiles(tmp_path, case):
    make, message = BAD[case]
    path = mesa_log(tmp_path / "profile9.data", *make())
    with pytest.raises(DataError, match=message) as caught:
        read_profile(path)
    assert str(path) in str(caught.value)


def test_unreadable_files(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_profile(tmp_path / "absent.data")
    empty = tmp_path / "empty.data"
    empty.write_text("\n \n")
    with pytest.raises(DataError, match="is empty"):
        read_profile(empty)
    binary = tmp_path / "binary.data"
    binary.write_bytes(b"\x89\xff\x00\xfe" * 20)
    with pytest.raises(DataError, match="not a text file"):
        read_profile(binary)
    prose = tmp_path / "prose.data"
    prose.write_text("once upon a time\nthere was a star\n")
    with pytest.raises(DataError, match="neither a MESA log"):
        read_profile(prose)
    twice = tmp_path / "twice.csv"
    twice.write_text("radius_Rsun,radius_Rsun\n1,1\n")
    with pytest.raises(DataError, match="named twice"):
        read_profile(twice)
    names, rows = zones()
    path = mesa_log(tmp_path / "header.data", names, rows)
    lines = path.read_text().splitlines()
    lines[2] = "1 2 3 4"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="4 header values for 2"):
        read_profile(path)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.995])
def test_truncated_reference_profile(shared, tmp_path, share):
    text = (shared / "data/ssc/mesa_profile_wc.csv").read_text()
    for extra in range(0, 60, 7):
        path = tmp_path / "cut.csv"
        path.write_text(text[: int(share * len(text)) + extra])
        with pytest.raises(DataError, match=r"line \d+.*truncated|not a number"):
            read_profile(path)


def test_profiles_without_a_core(shared, tmp_path):
    lines = (shared / "data/ssc/mesa_profile_wc.csv").read_text().splitlines()
    path = tmp_path / "no_dr.csv"
    kept = [",".join(x.split(",")[:1] + x.split(",")[2:]) for x in lines[2:450]]
    path.write_text("\n".join(kept))
    with pytest.raises(DataError, match=r"of the mass.*truncated"):
        read_profile(path)
    header = {"num_zones": str(N + 3), "star_mass": "20.0"}
    with pytest.raises(DataError, match=f"announces {N + 3} zones, {N} follow"):
        read_profile(mesa_log(tmp_path / "p.data", *zones(), header))


def history_rows(numbers):
    names = ["model_number", "star_age", "star_mass", "log_cntr_T", "log_cntr_Rho", "center_h1"]
    rows = [
        [str(n), f"{1e5 * n:.6E}", "20.0", f"{7 + 0.01 * n:.6f}", "1.0", "0.5"] for n in numbers
    ]
    return names, rows


def test_restarts_overwrite(tmp_path):
    path = mesa_log(tmp_path / "history.data", *history_rows([1, 2, 3, 4, 5, 3, 4, 4, 5, 6]))
    history = read_history(path)
    np.testing.assert_array_equal(history.columns["model_number"], [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(history.age_yr, 1e5 * np.arange(1, 7))
    assert history.log_teff is None
    assert list(history.center) == ["h1"]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_surviving_rows_increase_and_match_overwriting(numbers):
    kept = np.array(numbers)[surviving_rows(np.array(numbers))]
    assert np.all(np.diff(kept) > 0)
    assert kept[-1] == numbers[-1]
    table = {}
    for n in numbers:
        table = {k: v for k, v in table.items() if k < n} | {n: n}
    assert kept.tolist() == sorted(table)


def test_reference_history(shared):
    history = read_history(shared / "data/ssc/mesa_history.csv")
    assert history.age_yr.shape == (444,)
    np.testing.assert_allclose(
        history.mass_Msun[[45, 175, 267]], [56.0756, 17.9030, 12.0647], atol=5e-5
    )
    assert set(history.surface) == set(history.center) == {"h1", "he4", "c12", "o16"}
    assert history.log_r[0] == pytest.approx(np.log10(13.4901048))


def test_mist_track(tmp_path):
    path = tmp_path / "00850M.track.eep"
    names = "star_age star_mass log_Teff log_center_T log_center_Rho center_he4 surface_c12"
    rows = [f"{1e6 + k:.8E} 85.0 4.7 7.6 0.2 0.3 0.001" for k in range(5)]
    path.write_text("# MIST version number = 1.2\n# 1 2 3\n#  " + names + "\n" + "\n".join(rows))
    history = read_history(path)
    assert history.mass_Msun.tolist() == [85.0] * 5
    assert list(history.surface) == ["c12"]
    np.testing.assert_allclose(history.log_teff, 4.7)


@pytest.mark.parametrize(
    ("row", "name", "text", "message"),
    [
        (2, "star_mass", "0.0", "line 9.*'star_mass'.*> 0"),
        (3, "star_age", "1.0", "line 10.*goes back"),
        (1, "log_cntr_T", "NaN", "line 8.*'log_cntr_T'"),
        (1, "center_h1", "1.2", "line 8.*sum to 1.2"),
    ],
)
def test_bad_histories(tmp_path, row, name, text, message):
    columns = with_value(history_rows(range(1, 6)), row, name, text)
    with pytest.raises(DataError, match=message):
        read_history(mesa_log(tmp_path / "history.data", *columns))


def test_history_without_centre(tmp_path):
    names, rows = history_rows(range(1, 6))
    names[3] = "log_T"
    with pytest.raises(DataError, match="no central temperature column"):
        read_history(mesa_log(tmp_path / "history.data", names, rows))


def test_profiles_index(tmp_path):
    path = tmp_path / "profiles.index"
    path.write_text("3 models.  lines hold model number, priority, profile number.\n")
    with pytest.raises(DataError, match="announces 3 profiles, 0 lines"):
        read_profiles_index(path)
    with path.open("a") as f:
        f.write("  1  2  1\n  50  1  2\n 50 1 3\n")
    assert read_profiles_index(path) == {1: 1, 50: 3}
    path.write_text("1 model\n 1 two 1\n")
    with pytest.raises(DataError, match="line 2"):
        read_profiles_index(path)
    path.write_text("models\n")
    with pytest.raises(DataError, match="line 1"):
        read_profiles_index(path)
