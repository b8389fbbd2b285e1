"""Response files folded with models: against the diagonal and Gaussian routes and direct sums."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.data import AncillaryResponse, Redistribution, read_arf, read_rmf
from diffaxion.data.nustar_files import write_arf, write_rmf
from diffaxion.errors import ConfigurationError, DataError, ValidityError
from diffaxion.observables.xray import response as r
from diffaxion.observables.xray.ogip_response import ogip_instrument, response_records

LOW = np.arange(10.0, 75.0, 5.0)
HIGH = LOW + 5.0
GRID = r.fold_grid(LOW, HIGH, 3)
SPECTRUM = GRID.fine_keV**-2.0
fold = jax.jit(r.fold_weights)


def gaussian():
    return r.Instrument([3.0, 80.0], [300.0, 20.0], redistribution="gaussian")


@pytest.mark.parametrize("kind", ["diagonal", "gaussian"])
def test_a_written_response_folds_as_its_instrument(kind, tmp_path):
    """The 40 eV matrix against the formula; the grid of the fold moves photons by half a row."""
    one = eqx.tree_at(lambda x: x.area_cm2, gaussian(), jnp.array([300.0, 20.0]))
    if kind == "diagonal":
        one = r.Instrument([3.0, 80.0], [300.0, 20.0])
    arf, rmf = response_records(one)
    write_arf(tmp_path / "x.arf", arf)
    write_rmf(tmp_path / "x.rmf", rmf)
    read = ogip_instrument(read_arf(tmp_path / "x.arf"), read_rmf(tmp_path / "x.rmf"), LOW, HIGH)
    # A row is 40 eV wide against a resolution of 170 eV and bins of 5 keV: 1e-4 of a bin
    # changes sides. The files hold 32-bit numbers.
    expected = np.asarray(fold(one, GRID, SPECTRUM))
    np.testing.assert_allclose(fold(read, GRID, SPECTRUM), expected, atol=2e-3 * expected.max())
    totals = np.asarray(fold(read, GRID, SPECTRUM)).sum(axis=(1, 2))
    np.testing.assert_allclose(totals, expected.sum(axis=(1, 2)), rtol=1e-3)


def test_the_fold_is_the_matrix_product():
    """counts_i = sum_rows ARF R_ri int_row f dE, summed by hand over rows inside the bins."""
    edges = np.arange(9.0, 26.0, 0.5)
    rng = np.random.default_rng(3)
    n = edges.size - 1
    full = rng.uniform(size=(n, n))
    full /= full.sum(axis=1, keepdims=True)
    row, channel = np.indices(full.shape).reshape(2, -1)
    rmf = Redistribution(edges[:-1], edges[1:], row, channel, full.ravel(), edges[:-1], edges[1:])
    arf = AncillaryResponse(edges[:-1], edges[1:], np.full(n, 200.0))
    low, high = np.array([10.0, 15.0]), np.array([15.0, 20.0])
    grid = r.fold_grid(low, high, 2)
    got = fold(ogip_instrument(arf, rmf, low, high), grid, jnp.ones_like(grid.fine_keV))
    inside = (edges[:-1] >= 10.0) & (edges[1:] <= 20.0)
    for i, (a, b) in enumerate(zip(low, high, strict=True)):
        arrive = full[:, (edges[:-1] >= a) & (edges[1:] <= b)].sum(axis=1)
        expected = np.sum(200.0 * arrive[inside] * 0.5) / (b - a)
        np.testing.assert_allclose(np.asarray(got)[i].sum(), expected, rtol=1e-12)


def test_gradients_reach_matrix_and_area():
    arf, rmf = response_records(gaussian())
    instrument = ogip_instrument(arf, rmf, LOW, HIGH)
    total = lambda i: jnp.sum(fold(i, GRID, SPECTRUM))  # noqa: E731
    gradient = eqx.filter_grad(total)(instrument)
    for leaf in (gradient.matrix, gradient.area_cm2, gradient.ln_area):
        assert np.all(np.isfinite(leaf))
        assert np.any(np.asarray(leaf) > 0.0)
    # The total is linear in the matrix and in the area (Euler's theorem).
    both = (
        jnp.sum(gradient.matrix * instrument.matrix),
        jnp.sum(gradient.area_cm2 * instrument.area_cm2),
    )
    np.testing.assert_allclose(both, float(total(instrument)), rtol=1e-10)


def test_a_matrix_that_includes_the_area():
    arf, rmf = response_records(gaussian())
    apart = ogip_instrument(arf, rmf, LOW, HIGH)
    value = rmf.value * arf.area_cm2[rmf.row]
    full = Redistribution(
        rmf.low_keV,
        rmf.high_keV,
        rmf.row,
        rmf.channel,
        value,
        rmf.channel_low_keV,
        rmf.channel_high_keV,
        includes_area=True,
    )
    joined = ogip_instrument(None, full, LOW, HIGH)
    np.testing.assert_allclose(
        fold(joined, GRID, SPECTRUM), fold(apart, GRID, SPECTRUM), rtol=1e-6, atol=1e-12
    )
    with pytest.raises(DataError, match="already includes the effective area"):
        ogip_instrument(arf, full, LOW, HIGH)


def test_refusals():
    arf, rmf = response_records(gaussian())
    with pytest.raises(DataError, match="an ARF is needed"):
        ogip_instrument(None, rmf, LOW, HIGH)
    with pytest.raises(ValidityError, match="drop the bins outside"):
        ogip_instrument(arf, rmf, np.array([75.0]), np.array([90.0]))
    with pytest.raises(DataError, match="overlaps"):
        ogip_instrument(arf, rmf, np.array([10.0, 12.0]), np.array([15.0, 20.0]))
    short = AncillaryResponse(arf.low_keV[1:], arf.high_keV[1:], arf.area_cm2[1:])
    with pytest.raises(DataError, match="expected the same ENERG_LO"):
        ogip_instrument(short, rmf, LOW, HIGH)
    instrument = ogip_instrument(arf, rmf, LOW[:3], HIGH[:3])
    with pytest.raises(DataError, match="summed over 3 bins"):
        r.fold_weights(instrument, GRID, SPECTRUM)
    with pytest.raises(ConfigurationError, match="made of response files"):
        response_records(instrument)
    with pytest.raises(ConfigurationError, match="unknown redistribution"):
        r.Instrument([3.0, 80.0], [1.0, 1.0], redistribution="gauss")
    with pytest.raises(DataError, match="needs the matrix"):
        r.Instrument([3.0, 80.0], [1.0, 1.0], redistribution="ogip")
