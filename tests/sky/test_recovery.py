"""The whole way from simulated maps to C_l^Tg: unbiased, with the errors it states.

A small version of ``benchmarks/sky_recovery.py``; the thresholds are those of its sample size.
"""

import healpy
import numpy as np
import pytest
from scipy import stats

from diffaxion.sky import (
    SKY_COMPONENTS,
    CIBShell,
    SkySettings,
    component_response,
    planck_passbands,
    simulate_sky,
    toy_sky,
    toy_spectra,
)
from diffaxion.sky.apodisation import apodise
from diffaxion.sky.bins import linear_bins
from diffaxion.sky.inpainting import diffusive_inpaint, inpainting_plan
from diffaxion.sky.masks import galactic_mask
from diffaxion.sky.measure import measure_cross
from diffaxion.sky.monopole import remove_monopole_dipole
from diffaxion.sky.needlets import gaussian_beam
from diffaxion.sky.nilc import NeedletILC, needlet_ilc
from diffaxion.sky.pseudo_cl import MaskSpectra

NSIDE, STRENGTH, SKIES, SEED = 64, 30.0, 12, 99
BANDS = planck_passbands()
SETS = {"all": ("tsz", "cib", "cib-dbeta"), "none": ()}
CIB = {"cib_temperature_K": 24.0, "cib_beta": 1.75}
BINS = linear_bins(14, 2 * NSIDE)


def mixing(settings):
    spectra = settings.spectra(**CIB)
    names = ("screening", *SETS["all"])
    found = {n: np.asarray(component_response(n, BANDS, spectra)) for n in names}
    return found | {"screening": 1e-6 * found["screening"]}


def clean(sky, sets=SETS, **options):
    plan = inpainting_plan(galactic_mask(NSIDE, 10.0) * sky.masks["holes"])
    maps = [remove_monopole_dipole(m, sky.masks["temperature"]).values for m in sky.maps_K]
    settings = NeedletILC.small(NSIDE, keep_weights=False, **options)
    filled = list(diffusive_inpaint(np.array(maps), plan))
    return needlet_ilc(filled, sky.beams(), mixing(sky.settings), sets, settings)


def measured(index, fault="none", strength=STRENGTH, masks=None):
    """Bandpowers minus those expected, covariance, and those expected, by deprojection set."""
    spectra, settings = toy_sky(
        NSIDE, strength, fault, components=SKY_COMPONENTS, sources=10, **CIB
    )
    sky = simulate_sky(spectra, BANDS, settings, seed=SEED, index=index)
    weights = [apodise(sky.masks[k], 4.0) for k in ("temperature", "galaxies")]
    shared, out = MaskSpectra(3 * NSIDE - 1), {}
    for name, cleaned in clean(sky).items():
        result = measure_cross(
            cleaned.map(),
            weights[0],
            sky.galaxies,
            weights[1],
            BINS,
            fwhm_arcmin=cleaned.fwhm_arcmin,
            lmax=sky.lmax,
            mask_spectra=shared,
        )
        expected = result.predict(spectra.cross("screening", "galaxies"))
        out[name] = (result.cl_Tg_uK - expected, result.cov_uK2, expected)
    return out


@pytest.fixture(scope="module")
def skies():
    return [measured(k) for k in range(SKIES)]


def stack(skies, name):
    return (np.array([s[name][k] for s in skies]) for k in range(3))


@pytest.mark.slow
def test_bandpowers_are_unbiased_with_the_stated_errors(skies):
    residual, covariance, expected = stack(skies, "all")
    mean, c = residual.mean(axis=0), covariance.mean(axis=0)
    chi2 = SKIES * mean @ np.linalg.solve(c, mean)
    assert 2e-3 < stats.chi2.sf(chi2, mean.size) < 1.0 - 2e-3
    ratio = np.sqrt(np.diag(c)) / residual.std(axis=0, ddof=1)
    # Nine standard deviations of twelve skies: 7 % on their mean, 21 % each.
    assert abs(ratio.mean() - 1.0) < 0.21
    assert np.all(np.abs(ratio - 1.0) < 4.0 * 0.21)
    # The strength: 30 times the template, about 1.6 standard deviations of its mean each sky.
    shape, inverse = expected / STRENGTH, np.linalg.inv(covariance)
    weight = np.einsum("ni,nij->nj", shape, inverse)
    error = np.einsum("nj,nj->n", weight, shape) ** -0.5
    found = np.einsum("nj,nj->n", weight, residual + expected) * error**2
    assert np.all(expected < 0.0)
    assert abs(found.mean() - STRENGTH) < 3.5 * error.mean() / np.sqrt(SKIES)
    assert found.mean() > 5.0 * error.mean() / np.sqrt(SKIES)


@pytest.mark.slow
def test_without_deprojection_the_bias_shows(skies):
    residual, covariance, _ = stack(skies, "none")
    mean, c = residual.mean(axis=0), covariance.mean(axis=0) / SKIES
    assert mean @ np.linalg.solve(c, mean) > 100.0
    assert np.all(mean[1:] > 0.0)


@pytest.mark.slow
def test_a_wrong_spectrum_of_the_cib_shows():
    """Half of the CIB in a shell that the deprojection does not know, four skies."""
    skies = [measured(k, "green-like", 0.0) for k in range(4)]
    residual, covariance, _ = stack(skies, "all")
    mean, c = residual.mean(axis=0), covariance.mean(axis=0) / len(skies)
    assert stats.chi2.sf(mean @ np.linalg.solve(c, mean), mean.size) < 1e-4


def test_a_sky_of_known_responses_is_recovered():
    """No noise, one CIB shell, tSZ and screening: what is put in comes out, by constraint alone."""
    settings = SkySettings(NSIDE, components=("tsz", "cib", "screening"))
    shells = (CIBShell(24.0, 1.75, 1.0, 0.35),)
    spectra = toy_spectra(settings.top_multipole, STRENGTH, shells=shells)
    sky = simulate_sky(spectra, BANDS, settings, seed=SEED)
    options = NeedletILC.small(NSIDE, keep_weights=False, regularise=1e-6)
    sets = {"two": ("tsz", "cib")}
    out = needlet_ilc(list(sky.maps_K), sky.beams(), mixing(settings), sets, options)["two"]
    l = np.arange(2, 100)
    beam = gaussian_beam(out.fwhm_arcmin, sky.lmax)
    truth = healpy.almxfl(sky.truth["screening"], beam)
    power = healpy.alm2cl(truth)[l]
    left = healpy.alm2cl(out.alm - truth)[l]
    # Quadrature of the pixels and of the needlets.
    assert np.all(left < 1e-5 * power)
