"""Gaussian covariance against a direct double loop, and the toy map spectrum."""

import numpy as np
import pytest

from diffaxion.data.registry import load_table
from diffaxion.errors import ConfigurationError, DataError, ValidityError
from diffaxion.likelihoods.bandpower_covariance import (
    DEPROJECTIONS,
    UNWISE_BLUE_SHOT_NOISE_SR,
    forecast_covariance,
    gaussian_covariance,
    spectrum_at,
    toy_map_spectrum,
)
from diffaxion.observables.cmb.bandpowers import bandpower_windows, top_hat_windows
from tests.conftest import read_csv
from tests.screening_toy import GG, GG_ELL


def double_loop(window, ell, tt, gg, tg, f_sky):
    """sum over two multipoles of windows times the covariance of C_l, which is diagonal."""
    n = window.shape[0]
    out = np.zeros((n, n))
    for i, l in enumerate(ell):
        for j, k in enumerate(ell):
            if l == k:
                single = (tt[i] * gg[j] + tg[i] * tg[j]) / ((2 * l + 1) * f_sky)
                out += single * np.outer(window[:, i], window[:, j])
    return out


def test_against_a_double_loop():
    """Overlapping windows, so that the matrix is full; all terms present."""
    ell = np.arange(20.0, 90.0)
    centre = np.array([35.0, 50.0, 65.0])[:, None]
    window = np.exp(-0.5 * ((ell - centre) / 8.0) ** 2)
    window /= window.sum(axis=1, keepdims=True)
    windows = bandpower_windows(window, ell, centre[:, 0] - 7, centre[:, 0] + 7)
    at = np.asarray(windows.window_ell)
    tt, gg, tg, stt = 3.0 / at, 2e-7 / at**0.5, -1e-4 / at, 0.1 / at
    found = gaussian_covariance(windows, tt, gg, 0.4, shot_noise=5e-8, signal_tt=stt, signal_tg=tg)
    expected = double_loop(np.asarray(windows.window), at, tt + stt, gg + 5e-8, tg, 0.4)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[0, 1] > 0


def test_plain_bins_reduce_to_the_printed_form():
    windows = top_hat_windows()
    ell = np.asarray(windows.window_ell)
    found = np.asarray(forecast_covariance(windows, GG_ELL, GG, deprojection="tsz"))
    tt = np.asarray(toy_map_spectrum(ell, "tsz"))
    gg = np.asarray(spectrum_at(ell, GG_ELL, GG)) + 8.936e-8
    for b in range(11):
        inside = (ell >= 302 + 150 * b) & (ell <= 451 + 150 * b)
        modes = 2 * ell[inside] + 1
        variance = np.sum(modes * tt[inside] * gg[inside]) / modes.sum() ** 2 / 0.5
        assert found[b, b] == pytest.approx(variance, rel=3e-5)  # shot noise printed to 4 digits
    assert np.count_nonzero(found - np.diag(np.diagonal(found))) == 0


def test_shot_noise():
    assert pytest.approx(8.936e-8, rel=1e-4) == UNWISE_BLUE_SHOT_NOISE_SR


def test_thinned_table_reproduces_every_multipole(shared):
    full = read_csv(shared / "data" / "screening" / "toy_ilc_noise.csv")
    for name in DEPROJECTIONS:
        found = toy_map_spectrum(full["ell"], name)
        np.testing.assert_allclose(found, full[f"cl_{name.replace('-', '_')}"], rtol=3.1e-4)
    table = load_table("toy_ilc_noise")
    assert table.meta["description"].startswith("TOY")
    assert table.meta["nature"] == "derived"


WINDOWS = top_hat_windows()


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: toy_map_spectrum(np.ones(1), "cib"), ConfigurationError, "'cib'.*'tsz-cib'"),
        (lambda: forecast_covariance(WINDOWS, GG_ELL, GG, f_sky=0.0), ConfigurationError, "f_sky"),
        (lambda: forecast_covariance(WINDOWS, GG_ELL, GG, f_sky=1.5), ConfigurationError, "1.5"),
        (
            lambda: forecast_covariance(WINDOWS, GG_ELL, GG, shot_noise=-1.0),
            ConfigurationError,
            "shot noise = -1",
        ),
        (
            lambda: forecast_covariance(
                top_hat_windows(np.array([2400.0]), np.array([2600.0])), GG_ELL, GG
            ),
            ValidityError,
            "2 to 2500.*2400 to 2600",
        ),
        (lambda: forecast_covariance(WINDOWS, GG_ELL[1:], GG), DataError, r"\(4,\).*\(5,\)"),
        (lambda: forecast_covariance(WINDOWS, GG_ELL, -GG), DataError, "finite and > 0"),
        (lambda: forecast_covariance(WINDOWS, GG_ELL[::-1], GG), DataError, "increase"),
        (lambda: forecast_covariance(WINDOWS, GG_ELL * 4, GG), DataError, "wanted 302 to 1951"),
    ],
)
def test_refusals(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


def test_the_covariance_is_positive_for_every_deprojection():
    diagonals = [
        np.diagonal(forecast_covariance(WINDOWS, GG_ELL, GG, deprojection=d)) for d in DEPROJECTIONS
    ]
    assert np.all(np.diff(diagonals, axis=0) > 0), "deprojecting more must cost noise"
