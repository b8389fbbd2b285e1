"""The robustness suite: algebra of its tests, verdicts, and skies that must pass and fail."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from diffaxion.analyses.maps_faults import (
    PLANTED,
    IswShift,
    PlantedFault,
    isw_shift,
    planted_settings,
    run_planted,
    stack_tests,
)
from diffaxion.analyses.maps_input import SkyInput
from diffaxion.analyses.maps_robustness import cib_sets, make_suite, run_robustness
from diffaxion.analyses.maps_variations import (
    RobustnessTest,
    Series,
    Variation,
    failed_tests,
    robustness_record,
)
from diffaxion.errors import ConfigurationError
from tests import maps_models as models

LO, HI = np.array([2, 12, 22]), np.array([11, 21, 31])
USE = slice(1, None)
COVARIANCE = np.array([[4.0, 0.5, 0.0], [0.5, 2.0, 0.3], [0.0, 0.3, 1.0]])


def variation(values, difference=None, scale=0.1, floor=0.0, label="other"):
    series = Series(LO, HI, np.asarray(values, float), COVARIANCE)
    if difference is None:
        return Variation(label, series, USE)
    return Variation(
        label, series, USE, np.asarray(difference, float), scale * np.eye(2), floor * np.ones(2)
    )


def suite_test(variations, judged="difference", name="beam", p_min=0.01):
    base = Series(LO, HI, np.array([9.0, 0.1, -0.2]), COVARIANCE)
    return RobustnessTest(name, "a test", base, list(variations), judged, p_min, USE)


def test_chi2_of_differences_and_nulls():
    v = variation([9.0, 1.0, -0.5], [0.3, -0.6], scale=0.1, floor=0.05)
    expected = (0.09 + 0.36) / 0.15
    assert v.difference.chi2 == pytest.approx(expected, rel=1e-12)
    assert v.pte == pytest.approx(stats.chi2.sf(expected, 2), rel=1e-9)
    d = np.array([1.0, -0.5])
    chi2 = d @ np.linalg.solve(COVARIANCE[1:, 1:], d)
    assert v.null.chi2 == pytest.approx(chi2, rel=1e-12)
    assert variation([1, 1, 1]).pte == 1.0


@pytest.mark.parametrize(
    ("judged", "differences", "verdict"),
    [
        ("difference", [[0.1, 0.1], [0.2, -0.1]], "passed"),
        ("difference", [[0.1, 0.1], [1.2, -0.9]], "failed"),
        ("null", [[1.2, -0.9]], "passed"),
        ("none", [[5.0, 5.0]], "informs"),
    ],
)
def test_verdicts(judged, differences, verdict):
    test = suite_test([variation([0, 0.1, 0.1], d) for d in differences], judged)
    assert test.verdict == verdict
    assert failed_tests([test]) == (["beam"] if verdict == "failed" else [])


def test_the_threshold_counts_the_variations():
    """One probability of 0.004 fails alone at 0.01, and passes among four."""
    size = np.sqrt(0.1 * stats.chi2.isf(0.004, 2))
    odd, plain = variation([0, 0, 0], [size, 0.0]), variation([0, 0, 0], [0.0, 0.0])
    assert not suite_test([odd]).passed
    assert suite_test([odd, plain, plain, plain]).passed


def test_stacked_skies_have_smaller_errors():
    one = suite_test([variation([1.0, 2.0, 3.0], [0.1, 0.3], floor=0.04), variation([1, 2, 3])])
    two = suite_test([variation([3.0, 0.0, 1.0], [0.3, -0.1], floor=0.02), variation([1, 0, 1])])
    (found,) = stack_tests([[one], [two]])
    first, second = found.variations
    np.testing.assert_allclose(first.series.cl_Tg_uK, [2.0, 1.0, 2.0])
    np.testing.assert_allclose(first.series.cov_uK2, 0.5 * COVARIANCE)
    np.testing.assert_allclose(first.difference_uK, [0.2, 0.1])
    np.testing.assert_allclose(first.difference_cov_uK2, 0.05 * np.eye(2))
    np.testing.assert_allclose(first.floor_uK2, [0.015, 0.015])
    assert second.difference is None
    np.testing.assert_allclose(found.fiducial.error_uK, one.fiducial.error_uK / np.sqrt(2.0))


def test_what_must_fail_and_does_not_is_reported():
    good, bad = suite_test([variation([0, 0, 0])]), suite_test([variation([0, 0, 0], [9.0, 9.0])])
    assert PlantedFault("none", "clean sky", 1, [good], False).passed
    assert not PlantedFault("cib", "a fault", 1, [good], True).passed
    caught = PlantedFault("cib", "a fault", 1, [good, bad], True)
    assert caught.passed
    assert caught.sentence == "a fault: the suite fails (beam), as it must"
    assert "though it must not" in PlantedFault("cib", "a fault", 1, [good], True).sentence


@pytest.fixture(scope="module")
def clean():
    """The suite on a small sky without signal."""
    settings = models.settings(
        simulation={"strength": 0.0},
        cleaning={"also": {}},
        robustness={"cib_temperatures_K": [20.0], "cib_betas": [1.55], "drop": [["030"]]},
    )
    from diffaxion.analyses.maps_simulation import simulated_sky

    suite = make_suite(settings, SkyInput(simulated_sky(settings)), null=True)
    names = ("deprojection", "frequencies", "beam", "masks", "cib", "moments", "low-l")
    return suite, run_robustness(suite, names)


def test_a_clean_sky_passes(clean):
    suite, tests = clean
    assert [t.name for t in tests] == [
        "null", "deprojection", "frequencies", "beam", "masks", "cib", "moments", "low-l",
    ]  # fmt: skip
    assert failed_tests(tests) == []
    by_name = {t.name: t for t in tests}
    # Without deprojection the foregrounds show, in the null test and in the difference.
    nothing = by_name["deprojection"].variations[0]
    assert nothing.null.pte < 1e-3
    assert nothing.pte < 1e-3
    assert by_name["deprojection"].verdict == "informs"
    # The fiducial mask is one of those of the test; a smaller sky has larger errors.
    masks = {v.label: v for v in by_name["masks"].variations}
    few, all_but = masks["40 % of the sky"], masks["80 % of the sky"]
    assert np.all(few.series.error_uK[USE] > all_but.series.error_uK[USE])
    low = by_name["low-l"].variations
    assert [v.null.dof for v in low] == [suite.measurer.bins.size, 2]
    labels = set(cib_sets(suite.cleaner))
    assert labels == {"20 K, beta 1.55"}
    files = suite.settings.model_copy(update={"simulation": None})
    data = replace(suite.cleaner, settings=files)
    assert "10.7 K, beta 1.7" in cib_sets(data)


def test_differences_are_smaller_than_errors(clean):
    """Variations share most of their noise: the covariance of the difference knows it."""
    suite, tests = clean
    use = suite.measurer.use
    shares = []
    for test in tests:
        for v in test.variations:
            if test.name in ("frequencies", "cib", "moments") and v.difference is not None:
                apart = v.series.error_uK[use] ** 2 + suite.fiducial.error_uK[use] ** 2
                shares.append(np.diag(v.difference_cov_uK2) / apart)
    assert np.max(shares) < 0.8
    assert np.median(shares) < 0.4


def test_record_has_both_vectors_difference_and_covariance(clean):
    record = robustness_record(clean[1][2])
    row = record["variations"][0]
    n = len(record["fiducial"]["cl_Tg_uK"]) - record["first_bin_used"]
    assert len(row["difference_uK"]) == n
    assert np.shape(row["difference_cov_uK2"]) == (n, n)
    assert row["difference"]["dof"] == n
    gap = np.asarray(row["cl_Tg_uK"]) - record["fiducial"]["cl_Tg_uK"]
    np.testing.assert_allclose(row["difference_uK"], gap[record["first_bin_used"] :], rtol=1e-12)


def test_the_suite_cleans_as_the_run_does():
    """With the mask of the settings; lists of channels lose those that a variation removes."""
    rows = [["030", "100", "217", "353", "545"]] * 6
    given = models.settings(cleaning={"mask": True, "channels": rows, "also": {}})
    source = SkyInput(models.sky())
    suite = make_suite(given, source, null=False)
    np.testing.assert_array_equal(suite.cleaner.mask, source.galaxies(32).temperature_mask)
    left = suite.cleaner.without(["030"])
    assert left.ilc().channels == (("100", "217", "353", "545"),) * 6
    np.testing.assert_array_equal(left.mask, suite.cleaner.mask)


def test_planted_skies_keep_channels_and_cleaning():
    given = models.settings(cleaning={"bias": 0.02, "peaks": [0, 10, 30, 93], "also": {}})
    found = planted_settings(given)
    assert found.simulation.nside == given.robustness.planted_nside
    assert found.simulation.strength == 0.0
    assert (found.cleaning.bias, found.cleaning.peaks) == (0.02, None)
    assert found.seed != given.seed
    with pytest.raises(ConfigurationError, match="'green'"):
        run_planted(given, "green", skies=1)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*PLANTED, "green-like"])
def test_planted_faults_are_caught(fault):
    """Four skies of nside 64 each: only the clean ones pass."""
    found = run_planted(models.settings(), fault)
    assert found.must_fail == (fault != "none")
    assert found.passed, found.sentence


@pytest.mark.slow
def test_isw_shifts_the_lowest_bins_most():
    found = isw_shift(models.settings(), skies=2)
    size = np.abs(found.shift_uK) / found.error_uK
    assert size[:2].max() > size[2:].max()
    assert size[:2].max() > 4.0 * size[-1]
    assert np.all(found.shift_uK[:4] > 0.0)
    text = IswShift(LO, HI, np.array([2.0, 1.0, 0.5]), np.ones(3), 4, 1).sentence
    assert "up to 2 of their errors" in text
    assert "the last by 0.5" in replace(found, shift_uK=0.5 * found.error_uK).sentence
