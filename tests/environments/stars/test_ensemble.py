"""Ensembles from tracks: rows, weights, windows, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest

from diffaxion.constants import M_SUN_G, M_SUN_MESA_G
from diffaxion.data import read_track, read_tracks
from diffaxion.environments.stars import (
    PopulationModel,
    bundled_population,
    check_counts,
    ensemble_from_tracks,
    ensemble_of,
    population_from_history,
    track_shares,
)
from diffaxion.errors import ConfigurationError, DataError
from tests.stellar_runs import evolution, write_run

MODEL = PopulationModel()
WIDE = PopulationModel(age_min_Myr=0.0, age_max_Myr=50.0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for mass in (30.0, 60.0, 120.0):
        header = {"initial_mass": mass, "initial_z": "0.035"}
        write_run(folder / f"m{mass:03.0f}", header, evolution(mass=mass))
    return read_tracks(folder)


@pytest.fixture(scope="module")
def reference(shared):
    return read_tracks(shared / "data/ssc/mesa_history.csv")


def test_rows_of_the_reference_track(reference):
    """All steps inside the window, as nodes made from the same track by another route."""
    (track,) = reference
    found = ensemble_from_tracks(reference, MODEL, age_window=False, log_t_c_max=8.7)
    nodes = population_from_history(track.history)
    wolf_rayet = np.array(found.names)[np.asarray(found.code)] != "none"
    for name in ("mass_Msun", "t_c_keV", "fractions"):
        values = np.asarray(getattr(found, name))[wolf_rayet]
        np.testing.assert_allclose(values, getattr(nodes, name))
    # Differences of ages of Myr lose up to five digits.
    np.testing.assert_allclose(np.asarray(found.weight)[wolf_rayet], nodes.weight, rtol=1e-10)
    assert found.label == "one 84.7 Msun track"
    sizes = ensemble_from_tracks(reference, MODEL).sizes()
    assert set(sizes) == {"WNh", "WN"}
    everything = ensemble_from_tracks(reference, MODEL, age_window=False)
    assert sum(everything.sizes().values()) == 444
    assert int(np.sum(everything.outside_validity)) == 444 - 355


def test_weights(runs):
    shares = track_shares(WIDE, [30.0, 60.0, 120.0])
    found = ensemble_from_tracks(runs, WIDE)
    history = runs[0].history
    time = np.gradient(history.age_yr)
    for code, name in enumerate(found.names):
        here = np.asarray(found.code) == code
        assert np.asarray(found.weight)[here].sum() == pytest.approx(1.0), name
        by_track = np.bincount(np.asarray(found.track)[here], np.asarray(found.weight)[here])
        # All tracks have the same ages and surfaces, so only their shares differ.
        np.testing.assert_allclose(by_track, shares / shares.sum(), rtol=1e-9)
        one = here & (np.asarray(found.track) == 1)
        ratio = np.asarray(found.weight)[one] / time[np.asarray(found.step)[one]]
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    equal = ensemble_from_tracks(runs, WIDE, track_weight="equal", weight="step")
    for code in range(len(equal.names)):
        weight = np.asarray(equal.weight)[np.asarray(equal.code) == code]
        np.testing.assert_allclose(weight, 1.0 / weight.size)


def test_masses_are_in_the_unit_of_the_package(runs):
    found = ensemble_from_tracks(runs, WIDE)
    assert float(found.mass_Msun[0]) == pytest.approx(30.0 * M_SUN_MESA_G / M_SUN_G)


def test_window_and_temperature_cuts(runs):
    found = ensemble_from_tracks(runs, PopulationModel(age_min_Myr=3.0, age_max_Myr=3.4))
    assert 3.0 <= found.age_Myr.min() <= found.age_Myr.max() <= 3.4
    hot = ensemble_from_tracks(runs, WIDE, log_t_c_max=8.0)
    assert float(np.max(hot.t_c_keV)) <= 8.6174
    with pytest.raises(DataError, match=r"no step between 5 and 6 Myr.*4 Myr"):
        ensemble_from_tracks(runs, PopulationModel(age_min_Myr=5.0, age_max_Myr=6.0))


def test_tracks_of_another_metallicity_are_left_out(runs):
    poor = replace(runs[0], metallicity=0.014)
    found = ensemble_from_tracks([poor, *runs[1:]], WIDE)
    assert set(np.asarray(found.track).tolist()) == {1, 2}
    assert found.label == "2 tracks of 60-120 Msun"
    unknown = replace(poor, metallicity=None)
    assert 0 in np.asarray(ensemble_from_tracks([unknown, *runs[1:]], WIDE).track)
    with pytest.raises(DataError, match=r"within 25% of 0\.035; found 0\.014"):
        ensemble_from_tracks([poor], WIDE)


def test_further_isotopes_count_if_all_tracks_list_them(runs):
    def with_nitrogen(track):
        center = {**track.history.center, "n14": np.full(40, 0.01)}
        return replace(track, history=replace(track.history, center=center))

    found = ensemble_from_tracks([with_nitrogen(t) for t in runs], WIDE)
    assert found.isotopes == ("h1", "he4", "c12", "o16", "n14")
    # One per cent more nitrogen (zeta 4) in place of the remainder (5).
    plain = ensemble_from_tracks(runs, WIDE)
    difference = found.stars().composition.zeta - plain.stars().composition.zeta
    np.testing.assert_allclose(difference, -0.01, atol=1e-12)
    assert ensemble_from_tracks([with_nitrogen(runs[0]), *runs[1:]], WIDE).isotopes[-1] == "o16"


def test_red_supergiants_are_marked(tmp_path):
    columns = evolution()
    columns["log_Teff"] = np.where(np.arange(40) < 10, 3.6, columns["log_Teff"])
    write_run(tmp_path, None, columns)
    found = ensemble_from_tracks([read_track(tmp_path)], WIDE)
    assert found.sizes()["RSG"] == int(np.sum(found.cool)) == 10
    assert {found.names[k] for k in np.asarray(found.code)[np.asarray(found.cool)]} == {"RSG"}


def test_built_in_nodes():
    nodes = bundled_population()
    found = ensemble_of(nodes)
    assert found.sizes() == {"WNh": 14, "WN": 6, "WC": 4, "WO": 12}
    assert found.label == "one 85 Msun track"
    np.testing.assert_array_equal(found.weight, nodes.weight)


def test_counts_that_no_model_can_stand_for(reference):
    found = ensemble_from_tracks(reference, MODEL)
    check_counts({"WN": 14, "WC": 0}, found)
    with pytest.raises(ConfigurationError) as error:
        check_counts({"WC": 13, "WN": 1}, found)
    for word in ("13 WC stars", "one 84.7 Msun track", "WNh (119 steps)", "all ages"):
        assert word in str(error.value)
    with pytest.raises(ConfigurationError, match="no star"):
        check_counts({"WC": 0}, found)


def test_bad_requests(runs):
    with pytest.raises(ConfigurationError, match="time, step"):
        ensemble_from_tracks(runs, WIDE, weight="mass")
    with pytest.raises(ConfigurationError, match="population, equal"):
        ensemble_from_tracks(runs, WIDE, track_weight="time")
    with pytest.raises(DataError, match="none given"):
        ensemble_from_tracks([], WIDE)
    center = {k: v for k, v in runs[0].history.center.items() if k != "o16"}
    bare = replace(runs[0], history=replace(runs[0].history, center=center))
    with pytest.raises(DataError, match=r"no center_o16 column.*history_columns\.list"):
        ensemble_from_tracks([bare], WIDE)
    with pytest.raises(ConfigurationError, match="set of rules"):
        ensemble_from_tracks(runs, WIDE, rules="mine")
