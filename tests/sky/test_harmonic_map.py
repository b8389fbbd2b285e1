"""Harmonic ILC on maps: constraints, recovery, agreement with the spectra-level ILC, checks."""

import numpy as np
import pytest

from diffaxion.errors import ConfigurationError, ValidityError
from diffaxion.sky import gaussian_beam, harmonic_clean
from diffaxion.sky.harmonic_map import _running_mean
from diffaxion.sky.transforms import cross_spectrum, scale_alm

from .test_nilc import DEPROJECTED, LMAX, RESPONSES, draw, make_sky

COMPONENTS = ("screening", *DEPROJECTED)
MATRIX = np.stack([RESPONSES[n] for n in COMPONENTS], axis=1)


@pytest.fixture(scope="module")
def sky():
    return make_sky()


def clean(alms, beams, matrix=MATRIX, **options):
    options = {"common_fwhm_arcmin": 240.0, "names": COMPONENTS[: matrix.shape[1]]} | options
    return harmonic_clean(alms, beams, matrix, **options)


def test_constraints_and_least_power(sky):
    """Unit response, none to the others; more power with more constraints, at every l."""
    _, alms, beams = sky
    one, w_one = clean(alms, beams, MATRIX[:, :1])
    three, w_three = clean(alms, beams)
    size = np.abs(MATRIX).max(axis=0)
    goal = np.tile(np.eye(4)[0], (LMAX + 1, 1))
    np.testing.assert_allclose(w_three @ MATRIX / size, goal / size, atol=1e-10)
    np.testing.assert_allclose(w_one @ MATRIX[:, 0], 1.0, atol=1e-12)
    assert np.all(cross_spectrum(one, one)[5:50] < cross_spectrum(three, three)[5:50])


def test_channels_end_with_their_beams(sky):
    _, alms, beams = sky
    short = beams.copy()
    short[0] = gaussian_beam(500.0, LMAX)
    _, weights = clean(alms, short)
    limit = np.argmin(np.abs(short[0] - 1e-3))
    assert np.all(weights[limit + 1 :, 0] == 0.0)
    assert np.all(weights[: limit + 1, 0] != 0.0)


def test_screening_is_recovered():
    """As many channels as constraints: nothing is left to fit, only noise of 1e-5 is added."""
    truth, _, beams = make_sky()
    chosen = [0, 2, 4, 5]
    alms = [
        scale_alm(sum(RESPONSES[n][i] * truth[n] for n in COMPONENTS), beams[i])
        + 1e-12 * draw(100 + i)
        for i in chosen
    ]
    found, weights = clean(alms, beams[chosen], MATRIX[chosen])
    expected = scale_alm(truth["screening"], gaussian_beam(240.0, LMAX))
    assert np.std(found - expected) < 1e-3 * np.std(expected)
    np.testing.assert_allclose(
        weights[[5, 40]], [np.linalg.solve(MATRIX[chosen].T, np.eye(4)[0])] * 2, rtol=1e-6
    )


def test_running_mean():
    """Against a loop; windows are cut at the ends."""
    rng = np.random.default_rng(1)
    spectrum = rng.normal(size=50)
    found = _running_mean(spectrum, 7)
    for ell in (0, 2, 25, 49):
        window = np.arange(max(ell - 3, 0), min(max(ell - 3, 0) + 7, 50))
        modes = 2 * window + 1
        np.testing.assert_allclose(found[ell], np.sum(modes * spectrum[window]) / modes.sum())


def test_unusable_input(sky):
    _, alms, beams = sky
    with pytest.raises(ConfigurationError, match="6 channels, beams of shape"):
        clean(alms, beams[:5])
    with pytest.raises(ConfigurationError, match="as the beams end at l = 50"):
        clean(alms, beams[:, :51])
    with pytest.raises(ConfigurationError, match=r"4 constraints .* on 2 channels"):
        clean(alms[:2], beams[:2], MATRIX[:2])
    with pytest.raises(ValidityError, match="singular around l = "):
        clean([*alms[:5], scale_alm(alms[4], beams[5] / beams[4])], beams)
    with pytest.raises(ValidityError, match="no power around l = 0"):
        clean([0.0 * alms[0], *alms[1:]], beams)
