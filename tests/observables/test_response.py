"""Effective area, fold and photon spectrum against independent routes."""

import astropy.units as au
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.errors import DataError, ValidityError
from diffaxion.observables.xray import response as r
from diffaxion.observables.xray.spectrum import photon_spectrum

LOW = np.arange(10.0, 80.0, 5.0)
GRID = r.fold_grid(LOW, LOW + 5.0, 3)


def test_bin_means_of_the_default_area():
    """T15: bin means of the full template table, 1 % (the thinning alone gives 0.4 %)."""
    expected = [296.6, 210.9, 153.4, 114.1, 95.3, 79.3, 65.5]
    expected += [54.0, 44.8, 37.5, 30.8, 24.2, 17.3, 10.5]
    w = r.fold_weights(r.default_instrument(), GRID, jnp.ones_like(GRID.fine_keV))
    np.testing.assert_allclose(jnp.einsum("ijq->i", w), expected, rtol=0.01)


def test_fold_of_polynomial_probability_is_exact():
    """A quadratic p through three nodes folds as on a grid of 20000 energies per bin."""
    instrument = r.default_instrument()
    w = r.fold_weights(instrument, GRID, GRID.fine_keV**-2)
    nodes, _ = r.bin_nodes_keV(GRID.low_keV, GRID.high_keV, 3)
    p = lambda e: 1.0 + 0.1 * e - 1e-3 * e**2  # noqa: E731
    got = jnp.einsum("ijq,jq->i", w, p(nodes))
    for k, low in enumerate(LOW):
        e = low + 5.0 * (np.arange(20000) + 0.5) / 20000
        area = np.interp(e, instrument.energy_keV, instrument.area_cm2)
        # The only error is the kink of the area at 10.4 keV inside a sub-interval.
        np.testing.assert_allclose(got[k], np.mean(area * p(e) / e**2), rtol=2e-4)


def test_gaussian_redistribution_conserves_counts_and_tends_to_diagonal():
    sharp = eqx.tree_at(
        lambda x: x.fwhm_keV,
        r.Instrument([3.0, 80.0], [100.0, 100.0], redistribution="gaussian"),
        jnp.array([1e-3, 1e-3]),
    )
    flat = jnp.ones_like(GRID.fine_keV)
    diagonal = r.fold_weights(r.Instrument([3.0, 80.0], [100.0, 100.0]), GRID, flat)
    np.testing.assert_allclose(r.fold_weights(sharp, GRID, flat), diagonal, atol=0.1)
    wide = r.Instrument([3.0, 80.0], [100.0, 100.0], redistribution="gaussian")
    moved = r.fold_weights(wide, GRID, flat).sum(axis=(1, 2))
    np.testing.assert_allclose(moved[1:-1], 100.0, rtol=2e-3)
    assert np.all(np.asarray(moved)[[0, -1]] < 99.0)


def test_halving_the_area_halves_the_counts():
    """ln_area multiplies counts: half the area, half the rate."""
    one = r.default_instrument()
    half = eqx.tree_at(lambda x: x.ln_area, one, jnp.log(0.5))
    flat = jnp.ones_like(GRID.fine_keV)
    np.testing.assert_allclose(
        r.fold_weights(half, GRID, flat), 0.5 * r.fold_weights(one, GRID, flat), rtol=1e-13
    )


def test_photon_spectrum_against_astropy():
    luminosity, energy, distance, p = 3e33, 25.0, 8.3, 2e-4
    expected = (
        (luminosity * p * au.erg / au.s / au.keV)
        / (energy * au.keV)
        / (4 * np.pi * (distance * au.kpc) ** 2)
    ).to(1 / au.cm**2 / au.s / au.keV)
    got = photon_spectrum(*map(jnp.asarray, (luminosity, energy, distance, p)))
    np.testing.assert_allclose(got, expected.value, rtol=1e-9)


def test_fold_gradient_with_respect_to_the_area():
    one = r.default_instrument()
    total = lambda i: jnp.sum(r.fold_weights(i, GRID, GRID.fine_keV**-2))  # noqa: E731
    grad = jax.grad(total)(one)
    np.testing.assert_allclose(grad.ln_area, total(one), rtol=1e-12)
    np.testing.assert_allclose(jnp.sum(grad.area_cm2 * one.area_cm2), total(one), rtol=1e-12)


@pytest.mark.parametrize(
    ("low", "high", "error", "message"),
    [
        ([10.0, 12.0], [13.0, 15.0], DataError, "overlap"),
        ([15.0, 10.0], [20.0, 15.0], DataError, "unsorted"),
        ([10.0], [10.0], DataError, "overlap or are unsorted"),
        ([np.nan], [20.0], DataError, "finite"),
        ([70.0], [85.0], ValidityError, "70-85 keV but the effective area is tabulated"),
    ],
)
def test_bad_bins(low, high, error, message):
    with pytest.raises(error, match=message):
        r.validate_bins(np.array(low), np.array(high), (3.0, 80.0))
