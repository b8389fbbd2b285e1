"""Spectral classes along the reference track, and the nodes made from it."""

from dataclasses import replace

import numpy as np
import pytest

from diffaxion.data import read_history
from diffaxion.environments.stars import (
    bundled_population,
    classify_stars,
    population_from_history,
)
from diffaxion.errors import ConfigurationError, DataError


@pytest.fixture(scope="module")
def track(shared):
    return read_history(shared / "data/ssc/mesa_history.csv")


def test_classes_along_the_track(track):
    names = classify_stars(*(track.surface[i] for i in ("h1", "c12", "o16")))
    starts = {c: int(np.argmax(names == c)) for c in ("WNh", "WN", "WC", "WO")}
    assert starts == {"WNh": 46, "WN": 221, "WC": 268, "WO": 278}
    ages = [track.age_yr[k] / 1e6 for k in starts.values()]
    np.testing.assert_allclose(ages, [2.2800, 3.4046, 3.6318, 3.6911], atol=6e-5)
    steps = {c: int(np.sum(names == c)) for c in ("none", *starts)}
    assert steps == {"none": 46, "WNh": 175, "WN": 47, "WC": 10, "WO": 166}
    time = np.gradient(track.age_yr) / 1e3
    spent = [time[names == c].sum() for c in steps]
    np.testing.assert_allclose(spent, [2256, 1145, 225, 61, 157], atol=2.0)
    assert int(np.argmax(track.log_t_c > 8.7)) == 355
    assert track.age_yr[355] / 1e6 == pytest.approx(3.8404, abs=6e-5)
    assert int(np.argmax(track.columns["log_L3alpha"] > 1)) == 177


def test_thresholds_are_arguments(track):
    surface = [track.surface[i] for i in ("h1", "c12", "o16")]
    # The profile called "WC" has C_s = 0.0194: still WN by the default rule.
    assert classify_stars(*surface)[267] == "WN"
    assert classify_stars(*surface, c_wc=0.019)[267] == "WC"


def test_nodes_of_a_track(track):
    population = population_from_history(track)
    assert len(population.classes) == 309
    np.testing.assert_allclose(population.mixing(("WC", "WO")).sum(axis=1), 1.0)
    few = population.select(("WC", "WN"))
    assert len(few.classes) == 57
    assert set(few.classes) == {"WC", "WN"}
    window = population_from_history(track, age_window_yr=(3.0e6, 3.6e6))
    share = np.sum(np.array(window.classes) == "WC")
    assert share == 0
    assert set(window.classes) == {"WNh", "WN"}


def test_bad_requests(track):
    with pytest.raises(ConfigurationError, match="time, step"):
        population_from_history(track, weight="mass")
    with pytest.raises(DataError, match="Wolf-Rayet"):
        population_from_history(track, log_t_c_max=5.0)
    bare = replace(track, surface={})
    with pytest.raises(DataError, match="surface_h1"):
        population_from_history(bare)
    with pytest.raises(ConfigurationError, match="class of stars"):
        bundled_population().select(("WX",))


def test_bundled_ranges():
    population = bundled_population()
    name, mass = np.array(population.classes), np.asarray(population.mass_Msun)
    log_t = np.log10(np.asarray(population.t_c_keV) / 8.617333262e-8)
    ranges = {"WNh": (16.7, 55), "WN": (12.1, 16.8), "WC": (10.7, 11.9), "WO": (8.8, 10.7)}
    for c, (lo, hi) in ranges.items():
        assert np.all((mass[name == c] > lo - 0.05) & (mass[name == c] < hi + 0.05))
    assert log_t.min() > 7.62
    assert log_t.max() < 8.7
