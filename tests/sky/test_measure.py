"""The measurement from maps to bandpowers: windows, transfer functions, comparisons, bad maps."""

import healpy
import numpy as np
import pytest

from diffaxion.data.bandpowers import read_bandpowers, write_bandpowers
from diffaxion.errors import ConfigurationError, DataError, DiffaxionWarning
from diffaxion.observables.cmb.bandpowers import gaussian_beam, windows_of
from diffaxion.sky import (
    MaskSpectra,
    apodise,
    compare_measurements,
    disc_mask,
    edge_bins,
    galactic_mask,
    linear_bins,
    measure_cross,
    pixel_window,
)

NSIDE, LMAX, FWHM = 32, 70, 120.0
ELL = np.arange(LMAX + 1.0)
BINS = edge_bins([10, 20, 30, 40, 50])
BEAM = np.asarray(gaussian_beam(ELL, FWHM))
GG = 1e-2 / (ELL + 10.0) + 1e-4
TG = -30.0 * GG
WINDOW = pixel_window(NSIDE, LMAX)


def random_alm(seed):
    rng = np.random.default_rng(seed)
    size = (LMAX + 1) * (LMAX + 2) // 2
    alm = rng.normal(size=(size, 2)) @ np.array([1.0, 1.0j]) * np.sqrt(0.5)
    alm[: LMAX + 1] = alm[: LMAX + 1].real * np.sqrt(2.0)
    return alm


def to_map(alm, *factors):
    for f in factors:
        alm = healpy.almxfl(alm, f)
    return healpy.alm2map(alm, NSIDE, lmax=LMAX)


@pytest.fixture(scope="module")
def sky():
    """Galaxies, a map fully correlated with them, noise; masks and their transforms."""
    no_dipole = np.where(ELL < 2, 0.0, 1.0)
    a, noise = random_alm(1), random_alm(2)
    g = to_map(a, np.sqrt(GG) * no_dipole, WINDOW)
    t = to_map(a, TG / np.sqrt(GG) * no_dipole, BEAM, WINDOW)
    n = to_map(noise, 0.3 * np.sqrt(GG) * no_dipole, BEAM)
    mask_t = apodise(galactic_mask(NSIDE, 15.0), 8.0)
    mask_g = apodise(1.0 - disc_mask(NSIDE, 200.0, -30.0, 40.0), 8.0)
    return t, n, g, mask_t, mask_g, MaskSpectra(95)


def measure(sky, bins=BINS, **options):
    t, n, g, mask_t, mask_g, spectra = sky
    options = {
        "fwhm_arcmin": FWHM,
        "transfer_T": WINDOW,
        "transfer_g": WINDOW,
        "lmax": LMAX,
        "mask_spectra": spectra,
    } | options
    return measure_cross(t + n, mask_t, g, mask_g, bins, **options)


@pytest.fixture(scope="module")
def measured(sky):
    return measure(sky)


def test_windows_and_file(measured, tmp_path):
    """Rows over l >= 2 sum to 1 with guards, and the file is read as what was measured."""
    np.testing.assert_allclose(measured.window[:, 2:].sum(axis=1), 1.0, atol=1e-12)
    data = measured.bandpowers(slice(1, None), nature="simulated: a test")
    np.testing.assert_array_equal(data.ell_lo, [20, 30, 40])
    path = write_bandpowers(tmp_path / "bandpowers.npz", data)
    back = read_bandpowers(path)
    assert back.fwhm_arcmin == FWHM
    assert back.nature == "simulated: a test"
    cl = -1.0 / (ELL + 5.0)
    theory = windows_of(back)
    first, last = (int(v) for v in np.asarray(theory.window_ell)[[0, -1]])
    found = theory.from_all(cl[first : last + 1])
    # Windows below 1e-6 of their largest weight are cut there.
    np.testing.assert_allclose(found, measured.predict(cl)[1:], rtol=1e-4)


def test_signal_is_recovered_within_its_errors(sky, measured):
    """One sky: chi^2 against the input below 15 of 4 (0.5 %); against nothing far above."""
    test = measured.null_test(prediction=measured.predict(TG))
    assert test.dof == 4
    assert test.chi2 < 15.0
    assert measured.null_test().pte < 1e-3
    assert np.all(measured.cl_Tg_uK < 0.0)
    assert measured.null_test(slice(2, None)).dof == 2
    assert np.all(measured.error_uK > 0.0)


def test_some_bandpowers_and_long_spectra(sky, measured):
    """A slice, numbers and truth values choose the same; spectra are cut, or refused by name."""
    numbers, flags = [1, 3], [False, True, False, True]
    for use in (numbers, flags, slice(1, None, 2)):
        found = measured.bandpowers(use, nature="simulated: a test")
        np.testing.assert_array_equal(found.ell_lo, [20, 40])
        np.testing.assert_array_equal(found.cov_uK2, measured.cov_uK2[1::2, 1::2])
        assert measured.null_test(use) == measured.null_test(slice(1, None, 2))
    long = np.concatenate([TG, [1e3, 1e3]])
    np.testing.assert_array_equal(measured.predict(long), measured.predict(TG))
    with pytest.raises(DataError, match=r"predict bandpowers from: shape \(60,\).* l = 0 to 70"):
        measured.predict(TG[:60])


def test_transfer_functions_are_taken_out_multipole_by_multipole(sky):
    """The same sky without pixel windows and beams, full sky: equal bandpowers to the quadrature
    of the transforms, although windows vary across bins."""
    a = random_alm(1)
    flat = np.where(ELL < 2, 0.0, 1.0)
    ones = np.ones(12 * NSIDE**2)
    with_all = [to_map(a, 5.0 * flat, BEAM, WINDOW), to_map(a, flat, WINDOW)]
    options = {"lmax": LMAX, "smooth": False, "model": _white(25.0), "mask_spectra": sky[-1]}
    found = measure_cross(
        with_all[0],
        ones,
        with_all[1],
        ones,
        BINS,
        fwhm_arcmin=FWHM,
        transfer_T=WINDOW,
        transfer_g=WINDOW,
        remove_beam=True,
        **options,
    )
    assert found.fwhm_arcmin == 0.0
    power = 5.0 * healpy.alm2cl(a)
    # Weighted by the transfer function inside each bin, as F says.
    np.testing.assert_allclose(found.cl_Tg_uK, found.predict(power), rtol=2e-3)
    # Equal weights to 10 %: the beam falls by a fifth across the last bin.
    np.testing.assert_allclose(
        found.cl_Tg_uK, [power[a : b + 1].mean() for a, b in zip(BINS.lo, BINS.hi)], rtol=0.1
    )
    assert found.settings["beam_removed"] is True


def _white(level):
    ones = np.ones(LMAX + 1)
    return {("T", "T"): level * ones, ("T", "g"): 0.0 * ones, ("g", "g"): ones}


def test_guards_keep_outside_power_out(sky):
    """A signal below and above the bins only: with guards bandpowers and windows do not see it."""
    outside = np.where((ELL >= 10) & (ELL < 50), 0.0, 1.0) * np.where(ELL < 2, 0.0, 1.0)
    plain, guarded = measure(sky, guard=False), measure(sky)
    assert np.max(np.abs(guarded.window @ outside)) < 0.3 * np.max(np.abs(plain.window @ outside))
    assert plain.settings["guard_bins"] == 0
    assert guarded.settings["guard_bins"] > 0


def test_spectra_in_the_covariance(sky, measured):
    """Measured, smoothed and model spectra: the same to the scatter of one sky; what is used is
    kept in the record."""
    raw = measure(sky, smooth=False)
    assert raw.settings["spectra"] == "measured"
    assert measured.settings["spectra"] == "smoothed"
    signal = np.where(ELL < 2, 0.0, 1.0)
    model = {
        ("T", "T"): signal * (900.0 * GG * WINDOW**2 + 0.09 * GG) * BEAM**2,
        ("g", "T"): signal * TG * BEAM * WINDOW**2,
        ("g", "g"): signal * GG * WINDOW**2,
    }
    by_model = measure(sky, model=model)
    assert by_model.settings["spectra"] == "model"
    for one in (raw, measured):
        np.testing.assert_allclose(one.error_uK, by_model.error_uK, rtol=0.35)
    ratio = measured.spectra["g", "g"][10:50] / by_model.spectra["g", "g"][10:50]
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.1)
    with pytest.raises(ConfigurationError, match="T x g is missing"):
        measure(sky, model={("T", "T"): GG, ("g", "g"): GG})
    with pytest.raises(DataError, match=r"g x g: shape \(3,\)"):
        measure(sky, model=model | {("g", "g"): GG[:3]})


def test_covariance_sees_the_power_where_both_masks_are(sky, measured):
    """A map with twice the rms where the galaxies have no weight: the errors do not change."""
    t, n, g, mask_t, mask_g, spectra = sky
    assert np.mean(mask_t[mask_g == 0.0]) > 0.05
    loud = np.where(mask_g > 0.0, 1.0, 2.0)
    found = measure((loud * t, loud * n, g, mask_t, mask_g, spectra))
    np.testing.assert_allclose(found.error_uK, measured.error_uK, rtol=1e-6)


def test_units(sky):
    """A map in K gives the same; one whose unit is wrong by 1e6 warns, either way."""
    t, n, g, mask_t, mask_g, spectra = sky
    rest = (mask_t, g, mask_g, BINS)
    options = {"lmax": LMAX, "mask_spectra": spectra}
    micro = measure_cross(t + n, *rest, **options)
    kelvin = measure_cross(1e-6 * (t + n), *rest, unit="K", **options)
    np.testing.assert_allclose(kelvin.cl_Tg_uK, micro.cl_Tg_uK, rtol=1e-12)
    with pytest.warns(DiffaxionWarning, match="unit stated right"):
        measure_cross(1e-6 * (t + n), *rest, **options)
    with pytest.warns(DiffaxionWarning, match="unit stated right"):
        measure_cross(10.0 * (t + n), *rest, unit="K", **options)
    with pytest.raises(ConfigurationError, match="'mK'"):
        measure_cross(t, *rest, unit="mK", **options)


def test_a_bandpower_without_modes_warns():
    """A disc of 0.3 per cent of the sky and pairs of multipoles: chi^2 is 2.5 per bandpower."""
    rng = np.random.default_rng(0)
    maps, ones = rng.normal(size=(2, 12 * NSIDE**2)), np.ones(12 * NSIDE**2)
    disc = disc_mask(NSIDE, 0.0, 60.0, 6.0)
    message = r"bandpower 0 \(l = 2 to 3\) holds 0\.033 modes on 0\.0028 of the sky"
    with pytest.warns(DiffaxionWarning, match=message):
        measure_cross(maps[0], disc, maps[1], ones, linear_bins(2, 20), lmax=LMAX)
    measure_cross(maps[0], disc, maps[1], ones, edge_bins([30, 40, 50]), lmax=LMAX)


def test_difference_of_two_measurements(sky, measured):
    """More noise in one: the covariance of the difference is that of the noise, which the sum of
    both covariances exceeds many times. The same map twice has no difference."""
    t, n, *rest, spectra = sky
    noise = to_map(random_alm(5), 3.0 * np.sqrt(GG) * np.where(ELL < 2, 0.0, 1.0), BEAM)
    other = measure((t + noise, n, *rest, spectra))
    found = compare_measurements(measured, other, mask_spectra=spectra)
    assert found.test.dof == 4
    assert found.test.chi2 < 20.0
    only = measure((noise, 0.0 * n, *rest, spectra))
    np.testing.assert_allclose(np.diag(found.cov_uK2), np.diag(only.cov_uK2), rtol=0.35)
    np.testing.assert_allclose(found.values_uK, -only.cl_Tg_uK, atol=1e-10)
    for use in ([1, 3], [False, True, False, True]):
        some = compare_measurements(measured, other, use, mask_spectra=spectra)
        np.testing.assert_array_equal(some.cov_uK2, found.cov_uK2[1::2, 1::2])
    both = np.diag(measured.cov_uK2 + other.cov_uK2)
    assert np.all(np.diag(found.cov_uK2) < 0.1 * both)
    with pytest.raises(DataError, match="covariance of the difference"):
        compare_measurements(measured, measured, mask_spectra=spectra)
    with pytest.raises(DataError, match="different bins"):
        compare_measurements(measured, measure(sky, linear_bins(10, 50)))
    with pytest.raises(DataError, match="remove_beam"):
        compare_measurements(measured, measure(sky, remove_beam=True))
    with pytest.raises(DataError, match=r"smoothed spectra asked for, .* has measured ones"):
        compare_measurements(measured, measure(sky, smooth=False))
    with pytest.raises(DataError, match=r"model spectra asked for, .* has smoothed ones"):
        compare_measurements(measured, measured, spectra={})
    with pytest.raises(DataError, match="lmax 70 and 60"):
        compare_measurements(measured, measure(sky, lmax=60))


def test_bad_maps_are_refused(sky):
    t, n, g, mask_t, mask_g, spectra = sky
    options = {"lmax": LMAX, "mask_spectra": spectra}
    broken = t + n
    broken[np.flatnonzero(mask_t)[::50]] = healpy.UNSEEN
    with pytest.raises(DataError, match=r"cleaned map: 1\d\d pixels"):
        measure_cross(broken, mask_t, g, mask_g, BINS, **options)
    extended = measure_cross(broken, mask_t, g, mask_g, BINS, lmax=LMAX, extend_masks=True)
    assert extended.settings["sky_fraction_T"] < np.mean(mask_t)
    assert np.all(np.isfinite(extended.cl_Tg_uK))
    spoiled = g.copy()
    spoiled[np.argmax(mask_g)] = np.nan
    with pytest.raises(DataError, match="galaxy map: 1 pixels"):
        measure_cross(t, mask_t, spoiled, mask_g, BINS, **options)
    with pytest.raises(DataError, match="nside 32, galaxy map 16"):
        measure_cross(t, mask_t, healpy.ud_grade(g, 16), np.ones(3072), BINS, **options)
    north = np.arange(t.size) < 3000
    with pytest.raises(DataError, match="do not overlap"):
        measure_cross(t, north, g, ~north, BINS, **options)
    with pytest.raises(ConfigurationError, match="3 nside - 1 = 95"):
        measure_cross(t, mask_t, g, mask_g, BINS, lmax=100)
    with pytest.raises(ConfigurationError, match="ends beyond l_max = 45"):
        measure_cross(t, mask_t, g, mask_g, BINS, lmax=45)
    with pytest.raises(DataError, match=r"transfer_g: shape \(5,\)"):
        measure_cross(t, mask_t, g, mask_g, BINS, transfer_g=np.ones(5), **options)
    with pytest.raises(DataError, match="zero inside its mask"):
        measure_cross(0.0 * t, mask_t, g, mask_g, BINS, **options)
