"""Spherical harmonic transforms: single harmonics, adjoints, accuracy, both back ends."""

import importlib

import healpy
import numpy as np
import pytest
from scipy.special import sph_harm_y

from diffaxion.errors import ConfigurationError, DataError
from diffaxion.sky import get_transforms
from diffaxion.sky.transforms import (
    alm_lmax,
    alm_product,
    alm_size,
    cross_spectrum,
    map_nside,
    resize_alm,
    scale_alm,
)

BACKENDS = ("healpy", "ducc0")
NSIDE, LMAX = 16, 32


@pytest.fixture(params=BACKENDS)
def transforms(request):
    if request.param == "ducc0":
        pytest.importorskip("ducc0")
    return get_transforms(request.param)


def random_alm(seed, lmax=LMAX, count=()):
    rng = np.random.default_rng(seed)
    size = (*count, alm_size(lmax))
    alm = rng.normal(size=size) + 1j * rng.normal(size=size)
    alm[..., : lmax + 1].imag = 0.0
    return alm


def test_one_harmonic_is_that_of_scipy(transforms):
    """a_lm of l = 5, m = 3 is 2 Re(a Y_53): the definition, to rounding."""
    alm = np.zeros(alm_size(8), complex)
    index = 3 * (2 * 8 + 1 - 3) // 2 + 5
    alm[index] = 0.3 - 0.7j
    theta, phi = healpy.pix2ang(NSIDE, np.arange(12 * NSIDE**2))
    expected = 2.0 * np.real(alm[index] * sph_harm_y(5, 3, theta, phi))
    np.testing.assert_allclose(transforms.synthesis(alm, NSIDE), expected, atol=1e-13)


def test_adjoints(transforms):
    """<S a, m> = <a, S^T m>, and the same for the analysis with iterations."""
    alm, maps = random_alm(1), np.random.default_rng(2).normal(size=12 * NSIDE**2)
    left = np.sum(transforms.synthesis(alm, NSIDE) * maps)
    np.testing.assert_allclose(alm_product(alm, transforms.adjoint_synthesis(maps, LMAX)), left)
    left = alm_product(transforms.analysis(maps, LMAX, 2), alm)
    right = np.sum(maps * transforms.adjoint_analysis(alm, NSIDE, 2))
    np.testing.assert_allclose(left, right)


def test_analysis_undoes_synthesis_up_to_twice_nside(transforms):
    """1e-3 with 3 iterations: the accuracy of HEALPix quadrature there."""
    alm = random_alm(3)
    back = transforms.analysis(transforms.synthesis(alm, NSIDE), LMAX, 3)
    assert np.std(back - alm) < 1e-3 * np.std(alm)
    rough = transforms.analysis(transforms.synthesis(alm, NSIDE), LMAX, 0)
    assert np.std(rough - alm) > 1e-3 * np.std(alm)


def test_analysis_is_that_of_healpy(transforms):
    maps = np.random.default_rng(4).normal(size=(2, 12 * NSIDE**2))
    expected = healpy.map2alm(maps[1], lmax=LMAX, iter=3, pol=False)
    found = transforms.analysis(maps, LMAX, 3)
    np.testing.assert_allclose(found[1], expected, atol=1e-12)
    kept = transforms.analysis(maps, LMAX, 3, keep=10)
    np.testing.assert_allclose(kept, resize_alm(found, 10), atol=1e-13)


def test_back_ends_agree():
    """1e-10 of the rms."""
    pytest.importorskip("ducc0")
    alm = random_alm(5, count=(2,))
    one, two = (get_transforms(b).synthesis(alm, NSIDE) for b in BACKENDS)
    np.testing.assert_allclose(one, two, atol=1e-10 * one.std())
    assert one.shape == (2, 12 * NSIDE**2)


def test_coefficients_are_scaled_cut_and_padded():
    alm = random_alm(6)
    factor = 1.0 / (1.0 + np.arange(LMAX + 1))
    np.testing.assert_allclose(scale_alm(alm, factor), healpy.almxfl(alm, factor))
    longer = resize_alm(alm, LMAX + 7)
    assert alm_lmax(longer) == LMAX + 7
    np.testing.assert_array_equal(resize_alm(longer, LMAX), alm)
    short = scale_alm(alm, factor[:11], 20)
    np.testing.assert_allclose(short, resize_alm(healpy.almxfl(alm, factor * (factor > 0.09)), 20))


def test_cross_spectrum_is_that_of_healpy():
    a, b = random_alm(7), random_alm(8)
    np.testing.assert_allclose(cross_spectrum(a, b), healpy.alm2cl(a, b), rtol=1e-12, atol=1e-14)


def test_unusable_input(monkeypatch):
    with pytest.raises(ConfigurationError, match=r"back end 's2fft': expected one of healpy, duc"):
        get_transforms("s2fft")
    with pytest.raises(ConfigurationError, match="0 threads"):
        get_transforms("healpy", 0)
    with pytest.raises(DataError, match=r"100 pixels, expected 12 nside\^2"):
        map_nside(100)
    with pytest.raises(DataError, match="108 pixels"):
        map_nside(108)
    with pytest.raises(DataError, match="5 harmonic coefficients"):
        alm_lmax(np.zeros(5))

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigurationError, match=r"install diffaxion\[fast\]"):
        get_transforms("ducc0")
