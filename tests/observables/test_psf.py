"""Point-spread functions: published widths, normalisation, tables and images of a user."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize

from diffaxion.errors import DataError
from diffaxion.observables.xray import (
    TwoComponentPsf,
    image_psf,
    nustar_psf,
    pixel_fractions,
    pixel_samples,
    radial_psf,
)

# Encircled energy of the two components at these radii [arcsec], to the digits of its source.
RADII = np.array([9.0, 29.0, 60.0, 90.0, 104.4, 120.0, 180.0, 300.0])
ENCLOSED = np.array([0.1125, 0.4996, 0.7776, 0.8738, 0.8987, 0.9179, 0.9563, 0.9806])
fractions = jax.jit(pixel_fractions, static_argnums=4)


def ring(psf, low, high):
    """Integral of 2 pi r PSF, by Simpson's rule on 20001 radii."""
    r = np.linspace(low, high, 20001)
    return integrate.simpson(2.0 * np.pi * r * np.asarray(psf.density(r, 0.0)), x=r)


def disc(pixel, radius=120.0):
    """Pixel centres inside a radius around the middle of a pixel [arcsec]."""
    x = np.arange(-np.ceil(radius / pixel), np.ceil(radius / pixel) + 1) * pixel
    x, y = np.meshgrid(x, x)
    inside = np.hypot(x, y) <= radius + 1e-9
    return jnp.asarray(x[inside]), jnp.asarray(y[inside])


def test_encircled_energy_and_width():
    psf = nustar_psf()
    np.testing.assert_allclose(psf.enclosed(RADII), ENCLOSED, rtol=1e-3)

    def half(r):
        return float(psf.density(r, 0.0) / psf.density(0.0, 0.0)) - 0.5

    assert 2.0 * optimize.brentq(half, 1.0, 30.0) == pytest.approx(17.99, rel=1e-3)
    assert "not calibration" in psf.label


def test_encircled_energy_is_the_integral_of_the_density():
    psf = TwoComponentPsf(0.3, 5.0, 20.0, 2.4)
    for radius in (2.0, 40.0):
        np.testing.assert_allclose(psf.enclosed(radius), ring(psf, 0.0, radius), rtol=1e-9)
    # The wings fall as r^(2 - 2b): 1 at infinity.
    np.testing.assert_allclose(psf.enclosed(1e6), 1.0, rtol=1e-9)
    assert psf.enclosed(0.0) == 0.0


def test_a_king_profile_alone_would_be_too_wide():
    """The reason for the core: 50 % and 90 % radii with one King profile give FWHM 33"."""
    king = TwoComponentPsf(0.0, 7.37, 23.98, 1.769)
    np.testing.assert_allclose(king.enclosed(np.array([29.0, 104.4])), [0.5, 0.9], atol=2e-3)
    width = 2.0 * 23.98 * np.sqrt(2.0 ** (1.0 / 1.769) - 1.0)
    assert width == pytest.approx(33.2, abs=0.3)


@pytest.mark.parametrize(
    ("pixel", "masked"), [(12.0, (0.909, 0.903, 0.877)), (2.4588, (0.909, 0.903, 0.877))]
)
def test_containment_of_stars_off_the_centre(pixel, masked):
    """0.918, 0.911, 0.882 within 2'; less with a disc of 0.5' cut out 1.61' away."""
    psf, (x, y) = nustar_psf(), disc(pixel)
    kept = np.hypot(x, y - 1.61 * 60.0) > 30.0
    for distance, whole, part in zip((0.0, 30.0, 60.0), (0.918, 0.911, 0.882), masked):
        found = fractions(psf, x - distance, y, pixel, pixel_samples(pixel))
        np.testing.assert_allclose(found.sum(), whole, atol=2e-3)
        # At 12" the disc cuts whole pixels: 4 of 79 instead of 5.8 % of the region.
        np.testing.assert_allclose(found[kept].sum(), part, atol=2e-3 if pixel < 4.0 else 2.5e-3)


@pytest.mark.parametrize(
    ("pixel", "star", "loss", "error"),
    [
        # Of a star at the corner of four pixels, and in the middle of one.
        (12.0, (6.0, 6.0), 6e-3, 1e-3),
        (12.0, (0.0, 0.0), -2.4e-2, 2e-3),
        (2.4588, (30.0, 0.0), 0.0, 1e-4),
    ],
)
def test_sub_pixels_matter_for_coarse_pixels_only(pixel, star, loss, error):
    """What the value at the centre times the area misses of a region."""
    psf, (x, y) = nustar_psf(), disc(pixel)
    one, many = (float(fractions(psf, x - star[0], y - star[1], pixel, n).sum()) for n in (1, 5))
    assert 1.0 - one / many == pytest.approx(loss, abs=error)
    assert pixel_samples(pixel) == (5 if pixel > 4.0 else 1)


def test_fractions_of_pixels_against_quadrature():
    psf = nustar_psf()
    for x, y in ((0.0, 0.0), (30.0, -12.0)):
        step = (np.arange(400) + 0.5) / 400 * 12.0 - 6.0
        want = 144.0 * np.mean(psf.density(x + step[:, None], y + step))
        found = fractions(psf, jnp.array([x]), jnp.array([y]), 12.0, 5)[0]
        # 5 x 5 midpoints across the core of 7".
        np.testing.assert_allclose(found, want, rtol=1e-2)


def test_derivatives_in_all_parameters_are_finite_at_the_centre():
    def total(psf, x):
        return jnp.sum(pixel_fractions(psf, x, jnp.zeros(3), 2.46, 1))

    slopes = jax.jit(jax.grad(total, (0, 1)))(nustar_psf(), jnp.array([0.0, 2.46, 90.0]))
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(slopes))
    assert slopes[1][0] == 0.0  # the top of a cusp


def test_a_radial_table_reproduces_the_formula():
    psf, r = nustar_psf(), np.concatenate([np.linspace(0.0, 60.0, 241), np.geomspace(61, 600, 200)])
    values = psf.density(r, 0.0)
    table = radial_psf(r, 7.0 * np.asarray(values), enclosed=float(psf.enclosed(600.0)))
    np.testing.assert_allclose(table.density(r, 0.0), values, rtol=1e-4)
    np.testing.assert_allclose(table.enclosed(RADII), psf.enclosed(RADII), rtol=1e-3)
    assert table.density(601.0, 0.0) == 0.0
    for radius in (33.0, 700.0):
        np.testing.assert_allclose(
            table.enclosed(radius), ring(table, 0.0, min(radius, 600.0)), rtol=1e-5
        )


def test_an_image_reproduces_the_formula_and_turns():
    psf, n, pixel = nustar_psf(), 121, 2.5
    x = (np.arange(n) - 60) * pixel
    image = np.asarray(psf.density(x[None, :], x[:, None]))
    share = float(image.sum() * pixel**2)
    user = image_psf(3.0 * image, pixel, enclosed=share)
    at = np.array([0.0, 11.0, 40.0, 100.0])
    # Bilinear interpolation between pixels of 2.5" is 1 % off in the core.
    np.testing.assert_allclose(user.density(at, 5.0), psf.density(at, 5.0), rtol=1.5e-2)
    assert user.density(200.0, 0.0) == 0.0
    # A spot to the right of the source, turned by 90 degrees, lies above it.
    spot = np.zeros((5, 5))
    spot[2, 3] = 1.0
    turned = image_psf(spot, 1.0, rotation_deg=90.0)
    np.testing.assert_allclose(turned.density(0.0, 1.0), 1.0, rtol=1e-12)
    np.testing.assert_allclose(turned.density(1.0, 0.0), 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("radius", "values", "share", "message"),
    [
        ([0.0, 1.0], [1.0], 1.0, r"radii of shape \(2,\) and values of shape \(1,\)"),
        ([1.0, 2.0], [1.0, 0.5], 1.0, "increase from 0"),
        ([0.0, 2.0, 1.0], [1.0, 0.5, 0.2], 1.0, "increase from 0"),
        ([0.0, 1.0], [1.0, -0.5], 1.0, "lowest is -0.5"),
        ([0.0, 1.0], [0.0, 0.0], 1.0, "not all zero"),
        ([0.0, np.nan], [1.0, 0.5], 1.0, "finite"),
        ([0.0, 1.0], [1.0, 0.5], 1.5, "enclosed fraction 1.5"),
    ],
)
def test_bad_tables_are_refused(radius, values, share, message):
    with pytest.raises(DataError, match=f"mine.csv: .*{message}"):
        radial_psf(radius, values, share, source="mine.csv")


@pytest.mark.parametrize(
    ("image", "pixel", "message"),
    [
        (np.ones(9), 1.0, r"shape \(9,\)"),
        (np.ones((2, 5)), 1.0, r"shape \(2, 5\)"),
        (-np.ones((3, 3)), 1.0, "not all zero"),
        (np.full((3, 3), np.nan), 1.0, "finite"),
        (np.ones((3, 3)), 0.0, "pixel size 0 arcsec"),
    ],
)
def test_bad_images_are_refused(image, pixel, message):
    with pytest.raises(DataError, match=f"mine.fits: .*{message}"):
        image_psf(image, pixel, source="mine.fits")
