"""Spectra of simulated skies: the toy's formulas, the factor, fields drawn from it, errors."""

import healpy
import numpy as np
import pytest
from scipy import stats

from diffaxion.errors import ConfigurationError, ValidityError
from diffaxion.sky.simulation import gaussian_fields
from diffaxion.sky.sky_spectra import CIBShell, cib_shells, sky_spectra
from diffaxion.sky.toy_sky import (
    SKY_FAULTS,
    isw_correlation,
    screening_template,
    toy_autos,
    toy_sky,
    toy_spectra,
)
from tests.conftest import read_csv

LMAX = 60
FLAT = np.ones(LMAX + 1)


@pytest.fixture(scope="module")
def spectra():
    return toy_spectra(LMAX, 10.0)


def test_toy_formulas_against_the_reference_sky(shared):
    """The spectra behind the reference sky, written by another code."""
    with np.load(shared / "data" / "sky" / "nilc_ref_nside64.npz", allow_pickle=False) as ref:
        autos = toy_autos(188)
        for name, key in (("galaxies", "th_cl_gg"), ("tsz", "th_cl_yy"), ("cib", "th_cl_cc")):
            np.testing.assert_allclose(autos[name][2:], ref[key][2:], rtol=1e-10)
        # Another Boltzmann run and cosmology: 3 %.
        np.testing.assert_allclose(autos["cmb"][2:], ref["th_clc"][2:], rtol=0.03)
    assert all(np.all(cl[:2] == 0.0) for cl in autos.values())


def test_template_of_screening_against_the_published_one(shared):
    """The published table has other conventions, 7 to 11 % higher; it stores the modulus."""
    table = read_csv(shared / "data" / "screening" / "cl_tg_reference.csv")
    ell = np.array([int(k.removeprefix("ell_")) for k in table if k.startswith("ell_")])
    rows = np.array([table[f"ell_{l}"] for l in ell])
    at = [np.exp(np.interp(np.log(1e-12), np.log(table["m_a_eV"]), np.log(r))) for r in rows]
    cross, auto = screening_template(4000)
    ratio = -cross[ell] / at
    assert np.all(cross[2:] < 0.0)
    # The table is coarse in mass, 10 % between its nodes.
    assert np.all((ratio > 0.8) & (ratio < 1.15))
    assert np.all(auto[2:] > 0.0)


def test_factor_squares_to_the_covariance(spectra):
    factor = spectra.factor()
    assert np.all(np.triu(factor[30], 1) == 0.0)
    scale = np.sqrt(np.diagonal(spectra.covariance, axis1=1, axis2=2))[2:]
    product = np.einsum("lij,lkj->lik", factor, factor)[2:]
    difference = (product - spectra.covariance[2:]) / scale[:, :, None] / scale[:, None, :]
    assert np.abs(difference).max() < 1e-13


def test_screening_follows_the_galaxies_with_the_physical_sign():
    """Without an independent part the correlation is -1 and the covariance singular."""
    whole = toy_spectra(LMAX, 10.0, independent_screening=False)
    tg, gg = whole.cross("screening", "galaxies")[2:], whole.cross("galaxies", "galaxies")[2:]
    tt = whole.cross("screening", "screening")[2:]
    assert np.all(tg < 0.0)
    np.testing.assert_allclose(tg / np.sqrt(tt * gg), -1.0, rtol=1e-12)
    fields = gaussian_fields(whole, LMAX, 1)
    slope = np.concatenate([[0.0, 0.0], tg / gg])
    expected = healpy.almxfl(fields["galaxies"], slope)
    np.testing.assert_allclose(fields["screening"], expected, rtol=1e-9, atol=1e-20)


def test_strength_scales_cross_and_auto():
    one, ten = toy_spectra(LMAX, 1.0), toy_spectra(LMAX, 10.0)
    a, b = ("screening", "galaxies"), ("screening", "screening")
    np.testing.assert_allclose(ten.cross(*a), 10.0 * one.cross(*a), rtol=1e-13)
    np.testing.assert_allclose(ten.cross(*b), 100.0 * one.cross(*b), rtol=1e-13)
    none = toy_spectra(LMAX, 0.0)
    assert np.all(none.cross(*b) == 0.0)
    assert np.all(gaussian_fields(none, LMAX, 1)["screening"] == 0.0)


def test_fields_are_independent_once_galaxies_are_known(spectra):
    """The inverse covariance has zeros between y and the CIB, all through g alone."""
    inverse = np.linalg.inv(spectra.covariance[20])
    scale = np.sqrt(np.diag(inverse))
    i, j = spectra.names.index("tsz"), spectra.names.index("cib-1")
    assert abs(inverse[i, j]) < 1e-12 * scale[i] * scale[j]
    r = spectra.cross("tsz", "galaxies") ** 2 / (
        spectra.cross("tsz", "tsz") * spectra.cross("galaxies", "galaxies") + 1e-300
    )
    np.testing.assert_allclose(r[2:], 0.09, rtol=1e-12)


def test_spectra_of_drawn_fields(spectra):
    """All 21 spectra of 30 skies against their input, chi2 with the exact variance of each."""
    skies = 30
    drawn = [gaussian_fields(spectra, LMAX, 7, k) for k in range(skies)]
    l = np.arange(LMAX + 1)[2:]
    tails = []
    for i, a in enumerate(spectra.names):
        for b in spectra.names[: i + 1]:
            found = np.mean([healpy.alm2cl(d[a], d[b]) for d in drawn], axis=0)[2:]
            ab, aa, bb = (spectra.cross(*p)[2:] for p in ((a, b), (a, a), (b, b)))
            variance = (ab**2 + aa * bb) / ((2 * l + 1) * skies)
            chi2 = np.sum((found - ab) ** 2 / variance)
            tails.append(stats.chi2.sf(chi2, l.size))
    # The smallest of 42 tails; over 20 seeds all of them together are uniform (KS 0.5).
    assert 5e-5 < min(tails) < max(tails) < 1.0 - 5e-5


def test_isw_correlates_cmb_and_galaxies_at_low_l():
    r = isw_correlation(LMAX)
    sky = toy_spectra(LMAX, correlations={("galaxies", "cmb"): r})
    found = sky.cross("cmb", "galaxies")[2:] / np.sqrt(
        sky.cross("cmb", "cmb")[2:] * sky.cross("galaxies", "galaxies")[2:]
    )
    np.testing.assert_allclose(found, r[2:], rtol=1e-12)
    assert found[8] == pytest.approx(0.2, rel=1e-12)  # l = 10
    assert np.all(np.diff(found) < 0.0)


def test_impossible_correlations_are_refused_with_multipole_and_field():
    with pytest.raises(ValidityError, match=r"l = 2: not positive definite, cib-1 keeps -0\.44"):
        toy_spectra(LMAX, shells=(CIBShell(24.0, 1.2, 1.0, 1.2),))
    bad = FLAT * 0.1
    bad[37] = 0.999
    with pytest.raises(ValidityError, match="l = 37"):
        toy_spectra(
            LMAX,
            shells=(CIBShell(24.0, 1.2, 1.0, 0.9),),
            correlations={("tsz", "cib-1"): bad},
        )


def test_more_screening_by_galaxies_than_there_is_is_refused():
    with pytest.raises(ValidityError, match="correlation above 1"):
        sky_spectra({"galaxies": FLAT}, screening_cross=-2.0 * FLAT, screening_auto=3.9 * FLAT)
    sky_spectra({"galaxies": FLAT}, screening_cross=-2.0 * FLAT, screening_auto=4.0 * FLAT)


@pytest.mark.parametrize(
    ("autos", "options", "match"),
    [
        ({"cmb": FLAT}, {}, "galaxies are missing"),
        ({"galaxies": FLAT, "cmb": FLAT[1:]}, {}, r"cmb of shape \(60,\)"),
        ({"galaxies": FLAT, "cmbb": FLAT}, {}, "did you mean 'cmb'"),
        ({"galaxies": FLAT, "cib": FLAT}, {}, "go together"),
        ({"galaxies": FLAT, "cib": FLAT}, {"shells": (CIBShell(share=0.5),)}, "hold 0.5"),
        ({"galaxies": -FLAT}, {}, ">= 0 at every l"),
        ({"galaxies": FLAT}, {"correlations": {("galaxies", "tsz"): 0.1}}, "tsz"),
    ],
)
def test_unusable_spectra(autos, options, match):
    with pytest.raises((ConfigurationError, ValidityError), match=match):
        sky_spectra(autos, **options)


def test_unusable_toys():
    with pytest.raises(ConfigurationError, match="strength = -1"):
        toy_spectra(LMAX, -1.0)
    with pytest.raises(ConfigurationError, match="lmax = 1"):
        toy_spectra(1)
    with pytest.raises(ConfigurationError, match="2 to 5000, where the table of the CMB ends"):
        toy_spectra(5001)
    with pytest.raises(ConfigurationError, match="6000"):
        screening_template(6001)
    with pytest.raises(ConfigurationError, match="green-like"):
        toy_sky(64, fault="greenlike")


def test_faults_are_what_they_say():
    clean, settings = toy_sky(32)
    assert clean.shells == cib_shells(24.0, 1.75)
    found = {fault: toy_sky(32, fault=fault) for fault in SKY_FAULTS}
    total = sum(clean.cross(n, n) for n in ("cib-1", "cib-2"))
    for fault in ("cib", "green-like"):
        spectra, _ = found[fault]
        strange = spectra.shells[2]
        assert (strange.temperature_K, strange.beta) == (9.0, 1.2)
        r = spectra.cross("cib-3", "galaxies")[50] / np.sqrt(
            spectra.cross("cib-3", "cib-3")[50] * spectra.cross("galaxies", "galaxies")[50]
        )
        assert r == pytest.approx(0.9, rel=1e-12)
        # The usual shells are what they were.
        assert sum(spectra.cross(f"cib-{k}", f"cib-{k}") for k in (1, 2))[50] == pytest.approx(
            total[50], rel=1e-12
        )
        assert fault in spectra.label
    assert found["green-like"][1].galaxies_per_deg2 < settings.galaxies_per_deg2
    assert found["calibration"][1].calibration == {"217": 1.02}
    assert found["galactic"][1].dust_contamination > 0.0
    assert np.all(found["isw"][0].cross("cmb", "galaxies")[2:] > 0.0)
    np.testing.assert_array_equal(clean.cross("cmb", "galaxies"), 0.0)
