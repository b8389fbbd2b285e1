"""Spectral classes: the reference track, both sets of rules, their thresholds, what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaxion.data import read_history
from diffaxion.environments.stars import (
    classify_history,
    classify_stars,
    classify_stars_geneva,
)
from diffaxion.errors import ConfigurationError, DataError
from tests.stellar_runs import write_run


@pytest.fixture(scope="module")
def track(shared):
    return read_history(shared / "data/ssc/mesa_history.csv")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return read_history(write_run(tmp_path_factory.mktemp("run")))


def test_reference_track(track):
    """T11, exactly: first rows, ages, steps and durations of the classes of the paper."""
    names = classify_history(track)
    steps = {c: int(np.sum(names == c)) for c in np.unique(names)}
    assert steps == {"none": 46, "WNh": 175, "WN": 47, "WC": 10, "WO": 166}
    starts = [int(np.argmax(names == c)) for c in ("WNh", "WN", "WC", "WO")]
    assert starts == [46, 221, 268, 278]
    np.testing.assert_allclose(
        track.age_yr[starts] / 1e6, [2.2800, 3.4046, 3.6318, 3.6911], atol=6e-5
    )
    time = np.gradient(track.age_yr) / 1e3
    spent = {c: time[names == c].sum() for c in steps}
    expected = {"none": 2256, "WNh": 1145, "WN": 225, "WC": 61, "WO": 157}
    for name, kyr in expected.items():
        assert spent[name] == pytest.approx(kyr, abs=1.0)
    # One track cannot make the population of Quintuplet.
    inside = (track.age_yr >= 3.0e6) & (track.age_yr <= 3.6e6)
    shares = {c: time[inside & (names == c)].sum() / time[inside].sum() for c in steps}
    assert shares["WNh"] == pytest.approx(0.68, abs=0.01)
    assert shares["WN"] == pytest.approx(0.32, abs=0.01)
    assert shares["WC"] == shares["WO"] == 0.0


def test_ranges_on_the_reference_track(track):
    names = classify_history(track)
    ranges = {
        "WNh": (55, 17, 7.63, 8.29),
        "WN": (16.8, 12.1, 8.29, 8.33),
        "WC": (11.9, 10.7, 8.33, 8.35),
    }
    for name, (first, last, cool, hot) in ranges.items():
        mass, log_t = track.mass_Msun[names == name], track.log_t_c[names == name]
        # Half a unit of the last digit given.
        np.testing.assert_allclose([mass[0], mass[-1]], [first, last], rtol=0.01)
        np.testing.assert_allclose([log_t.min(), log_t.max()], [cool, hot], atol=0.006)


def test_thresholds_are_arguments(track):
    # The profile called "WC" has C_s = 0.0194: still WN by its own surface.
    assert classify_history(track)[267] == "WN"
    assert classify_history(track, thresholds={"c_wc": 0.019})[267] == "WC"
    with pytest.raises(ConfigurationError, match="'c_wc'"):
        classify_history(track, thresholds={"c_wcc": 0.019})
    with pytest.raises(ConfigurationError, match=r"set of rules 'pepar'.*'paper'"):
        classify_history(track, "pepar")


def test_geneva_needs_nitrogen(track, run):
    with pytest.raises(DataError, match=r"no surface_n14 column.*the rules 'paper'"):
        classify_history(track, "geneva")
    with pytest.raises(DataError, match="no log_Teff"):
        classify_history(replace(run, log_teff=None), "geneva")
    bare = replace(run, surface={k: v for k, v in run.surface.items() if k != "h1"})
    with pytest.raises(DataError, match="surface_h1"):
        classify_history(bare)


def test_geneva_on_a_run(run):
    names = classify_history(run, "geneva")
    order = [n for k, n in enumerate(names) if k == 0 or names[k - 1] != n]
    # Nitrogen stays at 0.01 until carbon appears, so the change of class skips the transition.
    assert order == ["O", "WNL", "WNE", "WNC", "WC"]


# log T_eff, H, He, C, N, O
STARS = {
    "none": (3.9, 0.70, 0.28, 3e-3, 1e-3, 6e-3),
    "O": (4.6, 0.70, 0.28, 3e-3, 1e-3, 6e-3),
    "WNL": (4.6, 0.20, 0.78, 1e-4, 1e-2, 1e-4),
    "WNE": (5.0, 0.0, 0.98, 1e-4, 1e-2, 1e-4),
    "WNC": (5.0, 0.0, 0.95, 2e-2, 1e-2, 1e-3),
    "WC": (5.0, 0.0, 0.5, 0.4, 1e-4, 0.08),
    "WO": (5.2, 0.0, 0.15, 0.5, 1e-5, 0.35),
}


def test_geneva_examples():
    rows = np.array(list(STARS.values())).T
    assert classify_stars_geneva(*rows).tolist() == list(STARS)
    # (C + O)/He = (0.5/12 + 0.35/16)/(0.15/4) = 1.69 by number.
    assert classify_stars_geneva(*rows, co_he_wo=1.7).tolist()[-1] == "WC"
    assert classify_stars_geneva(*rows, wnc_high=1.9).tolist()[4] == "WC"
    # Between O and Wolf-Rayet stars the hydrogen decides; a cool star is neither.
    assert classify_stars_geneva(*rows, x_wr=0.1).tolist()[2] == "O"
    cool = rows.copy()
    cool[0] = 3.99
    assert set(classify_stars_geneva(*cool)) == {"none"}


fraction = st.floats(0.0, 1.0)


@given(st.lists(st.tuples(st.floats(3.4, 5.4), *[fraction] * 5), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_every_star_has_one_class(stars):
    rows = np.array(stars).T
    names = classify_stars_geneva(*rows)
    assert set(names) <= set(STARS)
    hydrogen = rows[1]
    assert np.all(hydrogen[np.isin(names, ["WNE", "WNC", "WC", "WO"])] <= 1e-5)
    assert np.all(hydrogen[names == "WNL"] < 0.3)
    paper = classify_stars(rows[1], rows[3], rows[5])
    assert np.all((paper == "none") == (hydrogen >= 0.40))
    assert np.all(rows[3][np.isin(paper, ["WC", "WO"])] > 0.02)
    # A star keeps its class when stars are listed in another order.
    assert np.array_equal(classify_stars_geneva(*rows[:, ::-1])[::-1], names)


def test_red_supergiants_are_cool_stars_without_a_class(run):
    cold = replace(run, log_teff=np.where(np.arange(40) < 12, 3.6, run.log_teff))
    names = classify_history(cold)
    assert names[0] == "RSG"
    assert (names == "RSG").sum() == (classify_history(run)[:12] == "none").sum()
    assert "RSG" not in classify_history(cold, log_teff_cool=-np.inf)


def test_isotopes_of_an_element_add_up(run):
    surface = {**run.surface, "c13": np.full(40, 0.019), "c12": np.full(40, 0.002)}
    # 0.002 of carbon-12 alone would make the bare star a WN.
    assert classify_history(replace(run, surface=surface))[30] in ("WC", "WO")
