"""Bandpowers: windows, the node matrix against the sum over every multipole, beams."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from diffaxion.data.bandpowers import Bandpowers
from diffaxion.errors import ConfigurationError, DataError
from diffaxion.observables.cmb.bandpowers import (
    bandpower_windows,
    default_bins,
    gaussian_beam,
    inference_multipoles,
    spline_matrix,
    top_hat_weights,
    top_hat_windows,
    windows_of,
)
from tests.screening_toy import Reference


@pytest.fixture(scope="module")
def reference(shared):
    return Reference(shared)


def direct(cl_of, lo, hi):
    """(2l+1)-weighted means by a plain loop over every whole multipole."""
    means = []
    for a, z in zip(lo, hi):
        total = weight = 0.0
        for l in range(int(a), int(z) + 1):
            total = total + (2 * l + 1) * cl_of[l]
            weight += 2 * l + 1
        means.append(total / weight)
    return np.stack(means, axis=-1)


def test_default_bins():
    lo, hi = default_bins()
    assert lo[0] == 302
    assert hi[-1] == 1951
    assert np.all(hi - lo == 149)
    np.testing.assert_array_equal(lo[1:], hi[:-1] + 1)
    np.testing.assert_allclose(0.5 * (lo + hi)[[0, -1]], [376.5, 1876.5])


@pytest.mark.parametrize(("count", "worst"), [(9, 3e-3), (11, 1e-3), (24, 5e-5)])
def test_few_nodes_replace_every_multipole(reference, count, worst):
    """All 8 reference masses; the goal is 0.3 %, the default of 24 nodes is far inside."""
    lo, hi = default_bins()
    ell = np.arange(302, 1952)
    values = reference.at(ell)
    expected = direct({int(l): values[:, k] for k, l in enumerate(ell)}, lo, hi)
    windows = top_hat_windows(node_ell=inference_multipoles(302.0, 1951.0, count))
    found = windows.from_nodes(reference.at(windows.node_ell))
    np.testing.assert_allclose(found, expected, rtol=worst)
    np.testing.assert_allclose(windows.from_all(values), expected, rtol=1e-12)


def test_default_nodes():
    windows = top_hat_windows()
    assert windows.node_ell.shape == (24,)
    assert windows.matrix.shape == (11, 24)
    np.testing.assert_allclose(windows.matrix.sum(axis=1), 1.0, rtol=1e-12)
    wide = inference_multipoles(2.0, 2500.0)
    np.testing.assert_allclose(wide[[0, -1]], [2.0, 2500.0])
    assert wide.size == 59


def test_a_spectrum_that_changes_sign(reference):
    """The spline is in C, not in ln C."""
    windows = top_hat_windows()
    mixed = np.log(np.asarray(windows.window_ell) / 800.0) * 1e-3
    assert mixed.min() < 0 < mixed.max()
    found = windows.from_nodes(np.log(windows.node_ell / 800.0) * 1e-3)
    np.testing.assert_allclose(found, windows.from_all(mixed), atol=1e-15)


def test_spline_matrix_is_the_not_a_knot_spline():
    nodes = np.geomspace(10.0, 3000.0, 13)
    values = np.cos(np.log(nodes)) / nodes
    ell = np.arange(10.0, 3001.0, 7.0)
    expected = CubicSpline(np.log(nodes), values)(np.log(ell))
    np.testing.assert_allclose(spline_matrix(nodes, ell) @ values, expected, rtol=0, atol=1e-15)


def test_beam():
    """B = 0.466, 0.179, 0.047 at l = 1000, 1500, 2000 for 10 arcmin."""
    found = gaussian_beam(np.array([1000.0, 1500.0, 2000.0]), 10.0)
    np.testing.assert_allclose(found, [0.466, 0.179, 0.047], atol=6e-4)
    np.testing.assert_allclose(gaussian_beam(np.array([2.0, 2000.0]), 0.0), 1.0)


def test_the_beam_is_in_the_matrix(reference):
    plain, smeared = top_hat_windows(), top_hat_windows(fwhm_arcmin=10.0)
    ell = np.asarray(plain.window_ell)
    sharp = reference.at(ell)
    expected = plain.from_all(sharp * np.asarray(gaussian_beam(ell, 10.0)))
    found = smeared.from_nodes(reference.at(smeared.node_ell))
    np.testing.assert_allclose(found, expected, rtol=3e-3)
    assert np.all(np.abs(found) < np.abs(plain.from_all(sharp)))


def test_windows_of_a_file_reach_beyond_their_bin(reference):
    """A window with tails, starting at l = 0, as a pseudo-spectrum estimator makes them."""
    ell = np.arange(0.0, 2101.0)
    lo, hi = default_bins()
    centre = 0.5 * (lo + hi)[:, None]
    window = np.exp(-0.5 * ((ell - centre) / 60.0) ** 2)
    window /= window.sum(axis=1, keepdims=True)
    data = Bandpowers(lo, hi, np.zeros(11), np.eye(11), window, ell, 5.0, 353.0)
    windows = windows_of(data)
    assert 2.0 <= windows.window_ell[0] < 302.0
    beam = np.asarray(gaussian_beam(ell, 5.0))[10:]
    expected = reference.at(ell[10:]) @ (window[:, 10:] * beam).T
    found = windows.from_nodes(reference.at(windows.node_ell))
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_bandpowers_are_linear_and_differentiable():
    windows = top_hat_windows()
    jacobian = jax.jacrev(windows.from_nodes)(jnp.ones(24))
    np.testing.assert_allclose(jacobian, windows.matrix, rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: top_hat_windows([2.0]), "go together"),
        (lambda: top_hat_windows([30.0], [20.0]), "2 <= ell_lo <= ell_hi"),
        (lambda: top_hat_weights([1.0], [20.0]), "2 <= ell_lo"),
        (lambda: top_hat_weights([2.0, 3.0], [20.0]), r"\(2,\) and \(1,\)"),
        (lambda: inference_multipoles(100.0, 100.0), "lowest < highest"),
        (lambda: inference_multipoles(0.0, 100.0), "0 < lowest"),
        (lambda: inference_multipoles(2.0, 100.0, 3), "at least 4"),
        (lambda: spline_matrix([1.0, 2.0, 3.0], [2.0]), "at least 4"),
        (lambda: spline_matrix([1.0, 2.0, 2.0, 3.0], [2.0]), "increasing"),
        (lambda: spline_matrix([1.0, 2.0, 3.0, 4.0], [5.0]), "must not extrapolate"),
        (lambda: top_hat_windows(node_ell=np.geomspace(400, 2000, 24)), "302-1951"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ConfigurationError, match=words):
        call()


def test_a_window_without_weight_is_refused():
    with pytest.raises(DataError, match="no weight"):
        bandpower_windows(np.zeros((1, 5)), np.arange(5.0), [2.0], [4.0])
