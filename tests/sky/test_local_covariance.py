"""Local covariance of needlet maps: against a dense kernel, with masks, on coarse grids."""

import healpy
import numpy as np
import pytest
from numpy.polynomial.legendre import legval

from diffaxion.sky import get_transforms, needlet_plan, top_hat_needlets
from diffaxion.sky.local_covariance import LocalSmoothing, degrade_binary
from diffaxion.sky.needlet_maps import ScaleWeights, combine

NSIDE, LMAX = 16, 40
PIXELS = 12 * NSIDE**2


@pytest.fixture(scope="module")
def plan():
    """Two bands; the smoothing has sigma = sqrt(2/(modes bias)), 0.71 and 0.40 rad."""
    filters = top_hat_needlets((0, 20, LMAX + 1), LMAX)
    return needlet_plan(filters, np.ones((3, LMAX + 1)), NSIDE, bias=0.02)


@pytest.fixture(scope="module")
def maps():
    return np.random.default_rng(1).normal(size=(3, PIXELS)) * np.array([[1.0], [10.0], [1e3]])


def kernel(local, grid):
    """Dense G from pixels of the maps to those of a grid, by Legendre polynomials."""
    ell = np.arange(local.band + 1)
    gain = np.exp(-0.5 * ell * (ell + 1) * local.sigma**2)
    fine = np.array(healpy.pix2vec(NSIDE, np.arange(PIXELS)))
    coarse = np.array(healpy.pix2vec(grid, np.arange(12 * grid**2)))
    series = (2 * ell + 1) / (4 * np.pi) * gain
    return legval(np.clip(coarse.T @ fine, -1.0, 1.0), series) * 4 * np.pi / PIXELS


def dense(matrix, deviations):
    rows = [matrix @ (deviations[a] * deviations[b]) for a in range(3) for b in range(a + 1)]
    return np.array(rows)


@pytest.mark.parametrize("variant", ["smooth", "interpolated", "coarse"])
def test_products_are_averaged_with_the_kernel(plan, maps, variant):
    """Rounding: one analysis and synthesis are a sum over pixels."""
    local = LocalSmoothing(plan, 0, variant, get_transforms())
    assert (local.grid, local.band) == ({"coarse": 8}.get(variant, 16), 8)
    expected = dense(kernel(local, local.grid), maps)
    scale = np.abs(expected).max(axis=1, keepdims=True)
    np.testing.assert_allclose(local.covariance(maps) / scale, expected / scale, atol=1e-12)


def test_kernel_is_a_gaussian(plan):
    """G of a point falls like exp(-theta^2/(2 sigma^2)), of a constant is the constant."""
    local = LocalSmoothing(plan, 1, "smooth", get_transforms())
    row = kernel(local, NSIDE)[100]
    vectors = np.array(healpy.pix2vec(NSIDE, np.arange(PIXELS)))
    theta = np.arccos(np.clip(vectors[:, 100] @ vectors, -1.0, 1.0))
    near = theta < 2.0 * local.sigma
    expected = row[100] * np.exp(-(theta[near] ** 2) / (2 * local.sigma**2))
    np.testing.assert_allclose(row[near], expected, atol=0.02 * row[100])
    np.testing.assert_allclose(row.sum(), 1.0, atol=3e-3)


def test_exact_variant_has_the_same_kernel(plan, maps):
    """On smooth products, which HEALPix resolves, iterations change 1e-3 at most."""
    transforms = get_transforms()
    alm = transforms.analysis(maps, 7, 3)
    smooth = transforms.synthesis(alm, NSIDE)
    found = [LocalSmoothing(plan, 0, v, transforms).covariance(smooth) for v in ("exact", "smooth")]
    scale = np.abs(found[0]).max(axis=1, keepdims=True)
    np.testing.assert_allclose(found[1] / scale, found[0] / scale, atol=1e-3)


def test_mean_is_removed_with_the_same_kernel(plan, maps):
    """By multiplying harmonics, by pixels in the exact variant, and not where G has died."""
    transforms = get_transforms()
    alms = list(transforms.analysis(maps, 12, 3))
    resolved = transforms.synthesis(np.array(alms), NSIDE)
    for variant, most in (("smooth", 1e-3), ("exact", 1e-3)):
        local = LocalSmoothing(plan, 0, variant, transforms)
        found = local.remove_mean(resolved, alms, 0)
        expected = resolved - (kernel(local, NSIDE) @ resolved.T).T
        scale = resolved.std(axis=1, keepdims=True)
        np.testing.assert_allclose(found / scale, expected / scale, atol=most * 5)
    local = LocalSmoothing(plan, 0, "smooth", transforms)
    assert local.remove_mean(resolved, alms, local.band + 1) is resolved


def test_masked_pixels_do_not_matter(plan, maps):
    """Junk under the mask leaves the covariance as it is; a constant map has mean itself."""
    mask = (np.arange(PIXELS) % 12 > 1).astype(float)
    mask[: PIXELS // 2] = 0.0
    local = LocalSmoothing(plan, 1, "interpolated", get_transforms(), mask=mask)
    junk = np.where(mask > 0.0, maps, 1e5)
    one, two = (local.covariance(local.remove_mean(m, [], 0)) for m in (maps, junk))
    scale = np.abs(one[:, local.valid]).max(axis=1, keepdims=True)
    np.testing.assert_allclose(two / scale, one / scale, atol=1e-12)
    assert 0.5 < local.valid.mean() < 1.0
    matrix = kernel(local, NSIDE)
    deviations = []
    for m in maps:
        inside = matrix @ mask
        mean = np.where(inside > 1e-3, (matrix @ (mask * m)) / inside, 0.0)
        deviations.append(mask * (m - mean))
    coarse = kernel(local, local.grid)
    expected = dense(coarse, deviations)[:, local.valid] / (coarse @ mask)[local.valid]
    np.testing.assert_allclose(one[:, local.valid] / scale, expected / scale, atol=1e-11)
    flat = local.remove_mean(np.ones((1, PIXELS)), [], 0)
    inside = (matrix @ mask > 1e-3) & (mask > 0.0)
    np.testing.assert_allclose(flat[0][inside], 0.0, atol=1e-9)


def test_degraded_mask():
    mask = np.zeros(12 * 8**2)
    mask[:300] = 1.0
    np.testing.assert_array_equal(degrade_binary(mask, 8), mask)
    half = degrade_binary(mask, 4)
    assert set(np.unique(half)) == {0.0, 1.0}
    np.testing.assert_array_equal(half, healpy.ud_grade(mask, 4) >= 0.5)


def test_interpolated_weights_keep_constraints(maps):
    """Weights that add up to 1 on a coarse grid do so everywhere: 1e-13."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=(12 * 4**2, 3))
    values[:, 2] = 1.0 - values[:, 0] - values[:, 1]
    sets = [
        ScaleWeights(np.arange(3), values),
        ScaleWeights(np.arange(3), np.array([[1.0, 2.0, -2.0]])),
        ScaleWeights(np.arange(3), healpy.ud_grade(values.T, NSIDE).T),
    ]
    same = np.stack([maps[0]] * 3)
    found = combine(same, sets, None)
    np.testing.assert_allclose(found, same, atol=1e-13 * np.abs(values).max() * 10)
    mask = (np.arange(PIXELS) < 100).astype(float)
    np.testing.assert_array_equal(combine(same, sets, mask), found * mask)
    # Between pixels weights follow a linear function of the position.
    z = np.array(healpy.pix2vec(4, np.arange(12 * 4**2)))[2]
    linear = ScaleWeights(np.arange(1), z[:, None])
    fine = np.array(healpy.pix2vec(NSIDE, np.arange(PIXELS)))[2]
    found = combine(np.ones((1, PIXELS)), [linear], None)[0]
    assert np.max(np.abs(found - fine)[np.abs(fine) < 0.6]) < 1e-2
