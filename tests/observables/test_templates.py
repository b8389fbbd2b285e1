"""Templates of count images: projection, stars, exposures, offsets, sums over exposures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.environments.stars import central_stars, star_field
from diffaxion.errors import DataError
from diffaxion.observables.xray import (
    ImageTemplates,
    Pointing,
    TangentPlane,
    nustar_psf,
    star_image,
    tangent_offsets,
)

RA, DEC, PIXEL = 251.76667, -45.85136, 12.0
SIZE = 25
PSF = nustar_psf()
image = jax.jit(star_image, static_argnums=6)


def plane(ra=RA, dec=DEC, turn_deg=0.0, x0=12.0, y0=12.0, pixel=PIXEL):
    """Square pixels, north up and east to the left, turned counter-clockwise."""
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    cd = pixel / 3600.0 * np.array([[-c, s], [s, c]])
    return TangentPlane(*(jnp.asarray(v) for v in (ra, dec, x0, y0, cd)))


Y, X = (jnp.asarray(v.ravel().astype(float)) for v in np.indices((SIZE, SIZE)))


def templates(exposure, background=None, planes=None, names=("one",)):
    """Exposure of shape (k, bins, p) on the pixels of the square."""
    found = planes or [plane()] * len(names)
    stacked = jax.tree.map(lambda *v: jnp.stack(v), *found)
    across = jnp.stack([X - 12.0, Y - 12.0]) / 12.0
    flat = jnp.ones_like(exposure) if background is None else background
    return ImageTemplates(stacked, X, Y, exposure, flat, across, names)


@pytest.mark.parametrize("dec", [-45.85, 0.0, 89.95])
def test_projection_against_astropy(dec):
    """To 1e-9 pixels near the tangent point, 1e-8 degrees away from it, also near the pole."""
    wcs_module = pytest.importorskip("astropy.wcs")
    for turn in (0.0, 37.0):
        mine = plane(RA, dec, turn, 499.25, 510.5, 2.4588)
        w = wcs_module.WCS(naxis=2)
        w.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        w.wcs.crval = [RA, dec]
        w.wcs.crpix = [500.25, 511.5]
        w.wcs.cd = np.asarray(mine.cd_deg)
        rng = np.random.default_rng(0)
        ra, north = RA + rng.uniform(-2.0, 2.0, 20), rng.uniform(-1.5, 1.5, 20)
        north = np.where(dec + north > 90.0, -north, north)
        found = mine.pixel(ra, dec + north)
        want = w.wcs_world2pix(ra, dec + north, 0)
        np.testing.assert_allclose(found, want, rtol=1e-11, atol=1e-8)
    np.testing.assert_allclose(mine.pixel_arcsec, 2.4588, rtol=1e-14)


def test_offsets_are_on_the_tangent_plane():
    """One arcsecond in declination, and tan(theta) far from the tangent point."""
    east, north = tangent_offsets(RA, DEC + 1.0 / 3600.0, RA, DEC)
    np.testing.assert_allclose([east, north], [0.0, 1.0], atol=1e-7)
    _, far = tangent_offsets(RA, DEC + 30.0, RA, DEC)
    np.testing.assert_allclose(far, np.degrees(np.tan(np.radians(30.0))) * 3600.0, rtol=1e-12)
    # 90 degrees away there is no image: zero, not NaN.
    assert all(np.isfinite(tangent_offsets(RA + 90.0, 0.0, RA, 0.0)))


def test_a_star_is_brightest_in_its_pixel_and_sums_to_one():
    """The square reaches 150": all but the wings beyond are inside."""
    found = image(PSF, central_stars(RA, DEC), plane(), X, Y, jnp.zeros(2), 5)
    assert int(np.argmax(found)) == 12 * SIZE + 12
    assert PSF.enclosed(150.0) < found.sum() < PSF.enclosed(150.0 * np.sqrt(2.0))
    np.testing.assert_allclose(found.reshape(SIZE, SIZE), found.reshape(SIZE, SIZE)[::-1, ::-1])


@pytest.mark.parametrize("turn", [0.0, 90.0])
def test_offsets_move_the_image_east_and_north(turn):
    """East is to the left and north up, or east up and north to the right."""
    stars, here = central_stars(RA, DEC), plane(turn_deg=turn)
    still = image(PSF, stars, here, X, Y, jnp.zeros(2), 5).reshape(SIZE, SIZE)
    moved = image(PSF, stars, here, X, Y, jnp.array([PIXEL, 2 * PIXEL]), 5).reshape(SIZE, SIZE)
    dy, dx = (2, -1) if turn == 0.0 else (1, 2)
    shifted = np.roll(np.asarray(still), (dy, dx), axis=(0, 1))
    inner = slice(3, -3)
    np.testing.assert_allclose(moved[inner, inner], shifted[inner, inner], rtol=1e-9)


def test_stars_add_with_their_shares():
    ra, dec = np.array([RA, RA + 0.01]), np.array([DEC, DEC + 0.005])
    each = [image(PSF, star_field([a], [d], [1.0]), plane(), X, Y, jnp.zeros(2), 5)
            for a, d in zip(ra, dec)]  # fmt: skip
    both = image(PSF, star_field(ra, dec, [6.0, 2.0]), plane(), X, Y, jnp.zeros(2), 5)
    np.testing.assert_allclose(both, 0.75 * each[0] + 0.25 * each[1], rtol=1e-12)
    rows = image(PSF, star_field(ra, dec, [[6.0, 2.0], [0.0, 1.0]]), plane(), X, Y, jnp.zeros(2), 5)
    np.testing.assert_allclose(rows, np.stack([both, each[1]]), rtol=1e-12)


def test_derivatives_against_differences():
    """In PSF, offset, and weights of the stars."""
    stars = star_field([RA, RA + 0.01], [DEC, DEC + 0.005], [1.0, 2.0])
    ramp = jnp.linspace(0.5, 1.5, X.size)

    @jax.jit
    def total(psf, offset, weights):
        moved = type(stars)(stars.ra_deg, stars.dec_deg, weights)
        return jnp.sum(ramp * star_image(psf, moved, plane(), X, Y, offset, 3) ** 2)

    args = (PSF, jnp.array([3.0, -2.0]), stars.weights)
    slope = jax.grad(total, (0, 1, 2))(*args)
    leaves, tree = jax.tree.flatten(args)
    flat = jax.tree.leaves(slope)
    for k, leaf in enumerate(leaves):
        for index in np.ndindex(leaf.shape):
            h = 1e-5 * max(abs(float(leaf[index])), 1.0)
            ends = []
            for sign in (1, -1):
                moved = [*leaves[:k], leaf.at[index].add(sign * h), *leaves[k + 1 :]]
                ends.append(float(total(*jax.tree.unflatten(tree, moved))))
            numeric = (ends[0] - ends[1]) / (2 * h)
            np.testing.assert_allclose(flat[k][index], numeric, rtol=2e-6, atol=1e-14)


def test_exposure_shapes_the_template_and_containment_follows():
    """A gap in one bin: its pixels vanish, and the sum falls by their fractions."""
    bright = image(PSF, central_stars(RA, DEC), plane(), X, Y, jnp.zeros(2), 5)
    gap = np.asarray(X) < 9.0
    exposure = jnp.asarray(np.stack([np.ones(X.size), np.where(gap, 0.0, 0.5)])[None])
    found = templates(exposure).signal_template(PSF, central_stars(RA, DEC), {})
    np.testing.assert_allclose(found[0], bright, rtol=1e-12)
    np.testing.assert_allclose(found[1].sum(), 0.5 * bright[~gap].sum(), rtol=1e-12)
    assert np.all(found[1][gap] == 0.0)


def test_a_sum_of_exposures_is_the_sum_of_their_templates():
    """Grids that differ by a shift, offsets that undo it in one of them."""
    names, stars = ("first", "second"), central_stars(RA, DEC)
    planes = [plane(), plane(x0=13.5, y0=12.0)]
    share = jnp.asarray(np.stack([np.full((1, X.size), 0.25), np.full((1, X.size), 0.75)]))
    stack = templates(share, planes=planes, names=names)
    alone = [image(PSF, stars, p, X, Y, jnp.zeros(2), 5) for p in planes]
    found = stack.signal_template(PSF, stars, {})
    np.testing.assert_allclose(found[0], 0.25 * alone[0] + 0.75 * alone[1], rtol=1e-12)
    # East is to the left: 1.5 pixels east brings the second back onto the first.
    pointings = {"second": Pointing(offset_arcsec=[1.5 * PIXEL, 0.0])}
    aligned = stack.signal_template(PSF, stars, pointings)
    np.testing.assert_allclose(aligned[0], alone[0], rtol=1e-9)


def test_backgrounds_add_and_tilt():
    flat = jnp.full((2, 1, X.size), 3.0)
    stack = templates(jnp.ones((2, 1, X.size)), flat, [plane()] * 2, ("first", "second"))
    np.testing.assert_allclose(stack.background_template({}), 6.0, rtol=1e-15)
    tilted = stack.background_template({"first": Pointing(background_tilt=[0.05, -0.1])})[0]
    want = 3.0 + 3.0 * (1.0 + 0.05 * (X - 12.0) / 12.0 - 0.1 * (Y - 12.0) / 12.0)
    np.testing.assert_allclose(tilted, want, rtol=1e-12)
    # A tilt that would make counts negative does not.
    steep = stack.background_template({"first": Pointing(background_tilt=[5.0, 0.0])})[0]
    assert np.min(steep) == 3.0


def test_star_fields_are_checked():
    label = central_stars(RA, DEC, "wd1").label
    assert label.startswith("synthetic")
    assert "wd1" in label
    for positions, weights, message in (
        (([], []), [], "same number n >= 1"),
        (([RA], [DEC, DEC]), [1.0], "same number"),
        (([RA], [95.0]), [1.0], "-90 <= dec <= 90"),
        (([RA], [DEC]), [-1.0], "finite and >= 0"),
        (([RA], [DEC]), [[1.0], [0.0]], "some of each bin > 0"),
    ):
        with pytest.raises(DataError, match=f"stars.csv: .*{message}"):
            star_field(*positions, weights, label="stars.csv")
