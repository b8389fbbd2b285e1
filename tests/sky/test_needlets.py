"""Needlets and the plan of their scales: Table S1 of the paper, partition of unity, checks."""

import numpy as np
import pytest

from diffaxion.errors import ConfigurationError
from diffaxion.sky import (
    PAPER_PEAKS,
    SCALED_PEAKS,
    cosine_needlets,
    gaussian_beam,
    gaussian_needlets,
    memory_estimate,
    needlet_plan,
    top_hat_needlets,
)
from diffaxion.sky.needlets import check_filters, taper

LMAX = 4096
NAMES = ("030", "044", "070", "100", "143", "217", "353", "545")
FWHM = (32.29, 27.94, 13.08, 9.66, 7.22, 4.90, 4.92, 4.67)
# Goldstein et al. 2024, Table S1: lowest channel in use and FWHM [deg] as printed.
TABLE_S1 = (
    *(("030", "91.8"), ("030", "35.6"), ("030", "25.2"), ("030", "20.6"), ("030", "14.1")),
    *(("030", "10.3"), ("044", "8.26"), ("070", "6.31"), ("070", "6.11"), ("070", "4.74")),
    *(("070", "3.55"), ("143", "1.34"), ("143", "1.28")),
)
NSIDES = (128, 256, 512, 512, 1024, 1024, 1024, *(2048,) * 6)


@pytest.fixture(scope="module")
def paper():
    filters = cosine_needlets(PAPER_PEAKS, LMAX)
    return needlet_plan(filters, gaussian_beam(FWHM, LMAX), 2048, names=NAMES)


@pytest.mark.parametrize(
    "filters",
    [
        cosine_needlets(PAPER_PEAKS, LMAX),
        gaussian_needlets((600.0, 120.0, 30.0, 12.0), LMAX),
        top_hat_needlets((0, 50, 900, LMAX + 1), LMAX),
        *(cosine_needlets(p, p[-1] - 1) for p in SCALED_PEAKS.values()),
    ],
)
def test_squares_add_up_to_one(filters):
    np.testing.assert_allclose(np.sum(filters**2, axis=0), 1.0, atol=1e-14)
    assert np.all(filters >= 0.0)


def test_cosine_needlets_between_peaks():
    h = cosine_needlets((0, 10, 30), 29)
    np.testing.assert_allclose(h[1, 10], 1.0)
    np.testing.assert_allclose(h[0, 5], np.sqrt(0.5))
    np.testing.assert_allclose(h[1, 25], np.cos(0.5 * np.pi * 15 / 20))
    np.testing.assert_allclose(h[2, 25], np.cos(0.5 * np.pi * 5 / 20))


def test_table_s1_channels(paper):
    for scale, (first, _) in enumerate(TABLE_S1):
        assert paper.channels(scale) == list(NAMES[NAMES.index(first) :])
    assert tuple(paper.nside) == NSIDES


def test_table_s1_fwhm(paper):
    """One smoothing for all deprojections, bias 1 %: every printed digit."""
    for found, (_, printed) in zip(paper.fwhm_deg(), TABLE_S1, strict=True):
        digits = len(printed.split(".")[1])
        assert f"{found:.{digits}f}" == printed


def test_fwhm_with_deprojections(paper):
    """Specification, section 3.4."""
    found = paper.fwhm_deg(3)
    np.testing.assert_allclose([found[0], found[-1]], [69.4, 0.74], rtol=5e-3)
    # Four channels and four constraints: the numerator 0 becomes 1.
    np.testing.assert_allclose(paper.sigma(12, 3), np.sqrt(2.0 / (paper.modes[12] * 0.01)))


def test_channels_do_not_depend_on_the_order_of_beams(paper):
    order = np.array([5, 0, 7, 2, 1, 6, 3, 4])
    beams = gaussian_beam(np.array(FWHM)[order], LMAX)
    other = needlet_plan(paper.filters, beams, 2048, names=np.array(NAMES)[order])
    np.testing.assert_array_equal(other.used, paper.used[:, order])


def test_reference_plan(shared):
    z = np.load(shared / "data" / "sky" / "nilc_ref_nside64.npz", allow_pickle=False)
    filters = cosine_needlets(z["peaks"], int(z["lmax"]))
    plan = needlet_plan(filters, gaussian_beam(z["fwhm_arcmin"], int(z["lmax"])), 64)
    np.testing.assert_array_equal(plan.used, z["use_deproj3"])
    np.testing.assert_allclose(plan.fwhm_deg(3), z["FWHM_deg_deproj3"], rtol=1e-12)


def test_explicit_channels_and_maps_of_low_resolution():
    filters = top_hat_needlets((0, 30, 61), 60)
    beams = gaussian_beam((60.0, 50.0), 60)
    lists = (("a", "b"), ("b",))
    plan = needlet_plan(filters, beams, 32, channels=lists, names=("a", "b"))
    assert plan.used.tolist() == [[True, True], [False, True]]
    # A map of nside 16 ends at l = 47, before the last scale.
    plan = needlet_plan(filters, beams, 32, reach=(60, 47))
    assert plan.used.tolist() == [[True, True], [True, False]]


def test_full_planck_fits_into_24_GiB(paper):
    """The fiducial set takes a quarter of it; five sets at once fit, with their weights."""
    assert memory_estimate(paper, "interpolated", (3,))["peak_MiB"] < 6 * 1024
    assert memory_estimate(paper, "interpolated", (0, 1, 1, 2, 3))["peak_MiB"] < 24 * 1024
    assert memory_estimate(paper, "coarse", (0, 1, 1, 2, 3))["peak_MiB"] < 12 * 1024
    # Scales 11 and 12 need no covariance with four constraints, but one without.
    few, many = (memory_estimate(paper, "interpolated", (n,))["scale_MiB"][12] for n in (3, 0))
    assert many > few + 3000.0
    exact = memory_estimate(paper, "exact", (3,), keep_weights=False)["peak_MiB"]
    assert exact > 2.0 * memory_estimate(paper, "interpolated", (3,))["peak_MiB"]


def test_taper():
    """Half at the stated distance from the end; nothing for width 0."""
    np.testing.assert_allclose(taper(1000, 200.0)[800], 0.5)
    np.testing.assert_array_equal(taper(10, 0.0), 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cosine_needlets((0, 50, 40, 101), 100), "expected at least two, increasing"),
        (lambda: cosine_needlets((0, 50, 100), 100), r"last l_max \+ 1 = 101"),
        (lambda: cosine_needlets((2, 50, 101), 100), "first must be 0"),
        (lambda: gaussian_needlets((10.0, 20.0), 100), "positive numbers that decrease"),
        (lambda: top_hat_needlets((0, 100), 100), r"l_max \+ 1 = 101"),
        (lambda: check_filters(0.9 * np.ones((1, 11)), 10), "add up to 0.81 at l = 0"),
        (lambda: check_filters(np.ones((1, 10)), 10), r"expected \(scales, l_max \+ 1 = 11\)"),
    ],
)
def test_unusable_filters(call, message):
    with pytest.raises(ConfigurationError, match=message):
        call()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nside": 16}, r"l_max 60 at nside 16: must be below 3 nside - 1 = 47"),
        ({"nside": 48}, "expected a power of two"),
        ({"bias": 0.0}, "ILC bias 0"),
        ({"names": ("a",)}, "expected 2 different ones"),
        ({"names": ("a", "a")}, "expected 2 different ones"),
        ({"channels": (("a",),)}, "1 scales, there are 2"),
        ({"channels": (("a",), ("c",))}, "unknown channel 'c' at needlet scale 1"),
        ({"channels": (("a",), ())}, "no channel resolves needlet scale 1"),
        ({"beams": np.ones((2, 50))}, r"expected \(channels, l_max \+ 1 = 61\)"),
        ({"beams": np.full((2, 61), np.nan)}, "beam of channel 'a': expected finite"),
    ],
)
def test_unusable_plans(change, message):
    options = {"beams": gaussian_beam((60.0, 50.0), 60), "nside": 32, "names": ("a", "b")}
    options |= change
    beams, nside = options.pop("beams"), options.pop("nside")
    with pytest.raises(ConfigurationError, match=message):
        needlet_plan(top_hat_needlets((0, 30, 61), 60), beams, nside, **options)


def test_beams_that_end_above_the_level():
    """A perfect beam is used everywhere, a table that breaks off up to its end."""
    beams = np.ones((2, 61))
    beams[1, 45:] = 0.0
    plan = needlet_plan(top_hat_needlets((0, 30, 61), 60), beams, 32)
    assert plan.used.tolist() == [[True, True], [True, False]]


def test_a_listed_channel_needs_a_beam():
    beams = gaussian_beam((60.0, 50.0), 60)
    beams[0, 40:] = 0.0
    with pytest.raises(ConfigurationError, match="'a' is listed at needlet scale 1"):
        needlet_plan(
            top_hat_needlets((0, 30, 61), 60), beams, 32, channels=(("a",),) * 2, names=("a", "b")
        )
