"""Coupling by Gauss-Legendre matrices: against Wigner symbols, limits, derivatives, bins."""

from fractions import Fraction
from math import factorial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.errors import ConfigurationError, DataError
from diffaxion.sky import (
    Bins,
    apodise,
    binned_covariance,
    check_bins,
    couple_rows,
    couple_spectrum,
    coupled_covariance,
    coupling_kernel,
    coupling_matrix,
    decouple,
    edge_bins,
    galactic_mask,
    half_gauss_legendre,
    legendre_grid,
    linear_bins,
    mask_spectrum,
    pad_bins,
    point_source_mask,
)


def wigner_squared(a, b, c):
    """(a b c; 0 0 0)^2 by Racah's formula, exact."""
    total = a + b + c
    if total % 2 or c < abs(a - b) or c > a + b:
        return Fraction(0)
    half = total // 2
    top = factorial(half) ** 2
    bottom = 1
    value = Fraction(1, factorial(total + 1))
    for side in (a, b, c):
        value *= factorial(total - 2 * side)
        bottom *= factorial(half - side) ** 2
    return value * top / bottom


@pytest.mark.parametrize(("lmax", "lmask"), [(32, 64), (32, 32), (31, 20), (7, 95)])
def test_matrix_is_the_sum_over_wigner_symbols(lmax, lmask):
    """Even and odd limits; masks beyond 2 l_max do not couple. 1e-12: float64."""
    w = np.random.default_rng(lmask).normal(size=lmask + 1) / (1.0 + np.arange(lmask + 1.0))
    expected = np.zeros((lmax + 1, lmax + 1))
    for l in range(lmax + 1):
        for k in range(l, lmax + 1):
            s = sum(
                (2 * L + 1) / (4 * np.pi) * w[L] * float(wigner_squared(l, k, L))
                for L in range(k - l, min(l + k, lmask) + 1)
            )
            expected[l, k], expected[k, l] = s * (2 * k + 1), s * (2 * l + 1)
    found = coupling_matrix(legendre_grid(lmax, lmask), jnp.asarray(w))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.max(np.abs(expected)))


def test_whole_sky_couples_nothing():
    grid = legendre_grid(200, 300)
    w = jnp.zeros(301).at[0].set(4.0 * np.pi)
    np.testing.assert_allclose(coupling_matrix(grid, w), np.eye(201), atol=1e-12)


def test_nodes_are_those_of_numpy():
    """Weights to 1e-13: those of NumPy near the ends are good to that."""
    x, w = half_gauss_legendre(402)
    nodes, weights = np.polynomial.legendre.leggauss(402)
    np.testing.assert_allclose(x, nodes[::-1][:201], atol=2e-16)
    np.testing.assert_allclose(w, weights[::-1][:201], atol=1e-13)
    for n in (0, 5):
        with pytest.raises(ConfigurationError, match="even"):
            half_gauss_legendre(n)


def test_products_without_the_matrix():
    """Rows, spectra and covariances through x are those of the matrices: rounding only."""
    rng = np.random.default_rng(3)
    for lmax in (24, 25):
        grid = legendre_grid(lmax, 40)
        w = jnp.asarray(rng.normal(size=(2, 41)))
        m = np.asarray(coupling_matrix(grid, w[0]))
        rows = rng.normal(size=(4, lmax + 1))
        size = np.max(np.abs(m))
        np.testing.assert_allclose(couple_rows(grid, w[0], rows), rows @ m, atol=1e-12 * size)
        np.testing.assert_allclose(couple_spectrum(grid, w[0], rows), rows @ m.T, atol=1e-12 * size)
        spectra = jnp.asarray(rng.normal(size=(4, lmax + 1)))
        full = np.asarray(coupled_covariance(grid, spectra, w))
        found = binned_covariance(grid, rows, rows[:2], spectra, w)
        expected = rows @ full @ rows[:2].T
        np.testing.assert_allclose(found, expected, atol=1e-12 * np.max(np.abs(expected)))
        np.testing.assert_allclose(full, full.T, atol=1e-13 * np.max(np.abs(full)))


def test_multipoles_of_a_sharp_mask():
    """Bandpowers with masks cut at l_max: 0.3 % off for discs, converged at 1.5 l_max; an apodised
    mask without holes does with l_max."""
    rng = np.random.default_rng(0)
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, 60)))
    smooth = apodise(galactic_mask(64, 20.0), 8.0)
    sharp = galactic_mask(64, 20.0) * point_source_mask(
        64, rng.uniform(0, 360, 60), latitude, 120.0
    )
    lmax, bins, cl = 60, linear_bins(10, 60), 1.0 / (10.0 + np.arange(61.0)) ** 2

    def error(mask, lmask):
        w = mask_spectrum(mask, lmask=120, iterations=0)
        coupled = couple_spectrum(legendre_grid(lmax, 120), w, cl)
        full, cut = (decouple(w, bins, legendre_grid(lmax, k)) for k in (120, lmask))
        return np.max(np.abs(cut.bandpowers(coupled) / full.bandpowers(coupled) - 1.0))

    assert error(sharp, lmax) > 1e-3
    assert error(sharp, 90) < 1e-4
    assert error(smooth, lmax) < 5e-5


def test_derivative_by_the_weight_of_a_region():
    """A mask of two regions with weights t: W is quadratic in t; bandpower errors by t."""
    from diffaxion.sky.decoupling import bandpower_operators

    north = apodise(galactic_mask(32, 15.0), 8.0)
    half = np.arange(north.size) < north.size // 2
    parts = [np.where(half, north, 0.0), np.where(half, 0.0, north)]
    w = np.array([[mask_spectrum(a, b, 60, iterations=0) for b in parts] for a in parts])
    grid, bins = legendre_grid(40, 60), linear_bins(8, 40)
    mean, member = jnp.asarray(bins.mean_matrix(40)), jnp.asarray(bins.membership(40))
    cl = jnp.asarray(1.0 / (10.0 + np.arange(41.0)) ** 2)

    @jax.jit
    def bandpower(t):
        kernel = jnp.einsum("i,j,ijl->l", t, t, jnp.asarray(w))
        # The operators see the mask, the coupled spectrum another one: not the trivial F C.
        operators = bandpower_operators(grid, kernel, mean, member)
        return jnp.log((operators.matrix @ couple_spectrum(grid, jnp.asarray(w[0, 0]), cl))[1])

    t, h = jnp.array([0.9, 0.6]), 1e-5
    found = jax.jit(jax.grad(bandpower))(t)
    for k in range(2):
        step = jnp.zeros(2).at[k].set(h)
        difference = (bandpower(t + step) - bandpower(t - step)) / (2 * h)
        assert float(found[k]) == pytest.approx(float(difference), rel=1e-7)
    # W scales with t^2, and the bandpowers with its inverse.
    assert float(found @ t) == pytest.approx(-2.0, rel=1e-10)


def test_grids_are_kept_and_checked():
    assert legendre_grid(24, 40) is legendre_grid(24, 40)
    assert legendre_grid(10, 500).lmask == 20
    with pytest.raises(ConfigurationError, match="l_max = 0"):
        legendre_grid(0)
    with pytest.raises(ConfigurationError, match="mask = -3"):
        legendre_grid(5, -3)
    assert coupling_kernel(legendre_grid(10), jnp.ones(3)).dtype == jnp.float64


def test_grid_made_inside_jit_holds_numbers():
    """The cache must never keep a tracer."""
    w = jnp.ones(5)
    inside = jax.jit(lambda w: coupling_matrix(legendre_grid(13, 4), w))(w)
    np.testing.assert_allclose(coupling_matrix(legendre_grid(13, 4), w), inside, rtol=1e-12)


def test_windows_are_one_in_their_bin_and_zero_in_others():
    """F U = 1 exactly, with any transfer function."""
    w = np.asarray(mask_spectrum(apodise(galactic_mask(32, 25.0), 8.0), lmask=60, iterations=1))
    grid, bins = legendre_grid(50, 60), edge_bins([2, 10, 20, 35], weighting="modes")
    found = decouple(w, bins, grid, np.exp(-((np.arange(51) / 30.0) ** 2)))
    np.testing.assert_allclose(found.window @ bins.membership(50), np.eye(3), atol=1e-13)
    flat = found.bandpowers(np.asarray(couple_spectrum(grid, w, np.ones(51))))
    assert flat.shape == (3,)
    assert found.condition < 10.0


def test_bins():
    bins = linear_bins(12, 256)
    assert bins.size == 21
    np.testing.assert_allclose(bins.centres(), 7.5 + 12.0 * np.arange(21))
    for weighting, power in (("equal", 0), ("modes", 1), ("l(l+1)", 2)):
        mean = linear_bins(3, 9, weighting=weighting).mean_matrix(10)
        ell = np.arange(2.0, 5.0)
        expected = {0: ell**0, 1: 2 * ell + 1, 2: ell * (ell + 1)}[power]
        np.testing.assert_allclose(mean[0, 2:5], expected / expected.sum())
        np.testing.assert_allclose(mean.sum(axis=1), 1.0)
    padded, kept = pad_bins(edge_bins([20, 40, 60]), 70)
    assert (padded.lo[0], padded.hi[-1]) == (2, 70)
    np.testing.assert_array_equal(padded.lo[kept], [20, 40])
    np.testing.assert_array_equal(padded.lo[1:], padded.hi[:-1] + 1)
    whole, kept = pad_bins(edge_bins([2, 40, 71]), 70)
    assert whole.size == 2
    assert kept == slice(0, 2)


def test_bad_bins_are_refused():
    for lo, hi, message in (
        ([10, 5], [12, 8], "increasing"),
        ([10, 15], [15, 20], "overlap"),
        ([10, 21], [9, 30], "bin 0 from 10 to 9 is empty"),
        ([1], [9], "starts at 1"),
        ([2.5], [9], "whole"),
        ([2, 3], [9], "same length"),
        ([], [], "at least one bin"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            Bins(lo, hi)
    with pytest.raises(ConfigurationError, match="weighting"):
        Bins([2], [9], "natural")
    with pytest.raises(ConfigurationError, match="ends beyond l_max = 20"):
        check_bins(linear_bins(10, 50), 20)
    with pytest.raises(ConfigurationError, match="3 nside - 1 = 95"):
        check_bins(linear_bins(10, 50), 96, 32)
    with pytest.raises(ConfigurationError, match="no bin of 0"):
        linear_bins(0, 50)
    with pytest.raises(ConfigurationError, match="at least two"):
        edge_bins([3])
    with pytest.raises(ConfigurationError, match="gaps"):
        pad_bins(Bins([5, 20], [9, 30]), 40)


def test_unusable_couplings_are_refused():
    grid, bins = legendre_grid(30, 40), linear_bins(5, 30)
    good = np.zeros(41)
    good[0] = 1.0
    with pytest.raises(DataError, match="L = 0 to 40"):
        decouple(good[:20], bins, grid)
    with pytest.raises(DataError, match="finite False"):
        decouple(np.where(np.arange(41) == 5, np.nan, good), bins, grid)
    with pytest.raises(DataError, match="smallest 0"):
        decouple(good, bins, grid, np.where(np.arange(31) == 12, 0.0, 1.0))
    with pytest.raises(ConfigurationError, match="widen the bins"):
        decouple(0.0 * good, bins, grid)
    found = decouple(good, bins, grid)
    with pytest.raises(DataError, match="use one l_max"):
        found.bandpowers(np.ones(30))
    with pytest.raises(DataError, match="not finite"):
        found.bandpowers(np.full(31, np.nan))
    # A disc of 3 degrees does not tell single multipoles apart.
    small = mask_spectrum(_disc(), lmask=90, iterations=0)
    with pytest.raises(ConfigurationError, match="too narrow"):
        decouple(small, linear_bins(1, 60), legendre_grid(60, 90))


def _disc():
    from diffaxion.sky import disc_mask

    return disc_mask(32, 40.0, 30.0, 3.0)
