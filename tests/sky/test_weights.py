"""Weights of the constrained ILC per pixel: direct solves, conditions, singular covariances."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.errors import ConfigurationError, ValidityError
from diffaxion.sky import Spectra, constrained_weights, mixing_matrix, planck_passbands
from diffaxion.sky.weights import (
    check_responses,
    pixel_weights,
    prepare_covariance,
    square_weights,
)

N, C, PIXELS = 5, 3, 40
# Eight decades between channels, as between 143 and 545 GHz.
SPREAD = np.logspace(0, 4, N)
UNITS = np.array([1e-6, 5.0, 1e-3])
BAND_SETS = {
    ("tsz",): ((2, 2, 2, 2), (0.43, 0.44, 0.47, 0.63)),
    ("tsz", "cib"): ((6, 6, 6, 8), (0.52, 0.52, 0.53, 0.63)),
    ("tsz", "cib", "cib-dbeta"): ((174, 207, 258, 449), (1.5, 1.7, 2.1, 3.2)),
    ("tsz", "cib", "cib-dT"): ((891, 1042, 1266, 2122), (1.3, 1.4, 1.7, 2.4)),
    ("tsz", "cib", "cib-dbeta", "cib-dT"): ((2.3e4, 3.0e4, 4.9e4), (6.6, 9.2, 17)),
    ("tsz", "cib", "cib-dbeta", "cmb"): ((611, 658, 806), (3.5, 5.5, 12)),
}


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(PIXELS, N, 3 * N)) * SPREAD[:, None]
    covariance = root @ root.transpose(0, 2, 1)
    return covariance, rng.normal(size=(N, C)) * UNITS


def pack(covariance):
    return np.stack([covariance[:, a, b] for a in range(N) for b in range(a + 1)])


def direct(covariance, responses):
    """Weights by general solves, pixel by pixel."""
    out = []
    for c in covariance:
        solved = np.linalg.solve(c, responses)
        out.append(solved @ np.linalg.solve(responses.T @ solved, np.eye(responses.shape[1])[0]))
    return np.array(out)


def miss(weights, responses):
    """Largest |A^T w - e_0| with columns scaled to 1."""
    size = np.abs(responses).max(axis=0)
    goal = np.eye(responses.shape[1])[0]
    return np.max(np.abs(weights @ responses - goal) / size * size[0])


def test_weights_are_those_of_a_direct_solve(problem):
    """1e-9: the condition of the covariance, 1e8 before scaling, limits the direct solve."""
    covariance, responses = problem
    expected = direct(covariance, responses)
    scale = np.abs(expected).max(axis=0)
    found = pixel_weights(prepare_covariance(pack(covariance), N), [responses])[0]
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-9)
    moved = jnp.moveaxis(jnp.asarray(covariance), 0, 2)
    in_jax = np.asarray(constrained_weights(moved, responses)).T
    np.testing.assert_allclose(in_jax / scale, expected / scale, atol=1e-9)
    assert miss(found, responses) < 1e-8
    assert miss(in_jax, responses) < 1e-8


def test_many_pixels_are_cut_into_blocks(problem):
    """More pixels than one block of JAX or NumPy, and not a multiple of it."""
    covariance, responses = problem
    many = np.tile(covariance, (251, 1, 1))
    found = pixel_weights(prepare_covariance(pack(many), N), [responses, responses[:, :1]])
    in_jax = np.asarray(constrained_weights(jnp.moveaxis(jnp.asarray(many), 0, 2), responses))
    scale = np.abs(found[0]).max(axis=0)
    np.testing.assert_allclose(in_jax.T / scale, found[0] / scale, atol=1e-9)
    np.testing.assert_allclose(found[0][-PIXELS:], found[0][:PIXELS], rtol=1e-6)
    assert miss(found[1], responses[:, :1]) < 1e-12


def test_derivatives_are_those_of_differences(problem):
    """1e-5 of central differences, on three channels, which compile quickly."""
    covariance, responses = problem
    moved = jnp.moveaxis(jnp.asarray(covariance[:4, :3, :3]), 0, 2)
    a = jnp.asarray(responses[:3, :2])
    step = a * jnp.asarray([[0.3, -0.2]])
    _, along = jax.jvp(lambda x: constrained_weights(moved, x), (a,), (step,))
    h = 1e-5
    up, down = (constrained_weights(moved, a + s * h * step) for s in (1, -1))
    scale = np.abs(along).max()
    np.testing.assert_allclose(along / scale, (up - down) / (2 * h) / scale, atol=1e-5)


def test_no_weight_beats_the_constrained_minimum(problem):
    """Any other weights with the same responses have more variance."""
    covariance, responses = problem
    w = pixel_weights(prepare_covariance(pack(covariance), N), [responses])[0]
    null = np.linalg.svd(responses.T / UNITS[:, None])[2][C:]
    least = np.einsum("pi,pij,pj->p", w, covariance, w)
    for direction in null:
        other = w + 1e-3 * np.abs(w).max() * direction
        assert np.all(np.einsum("pi,pij,pj->p", other, covariance, other) > least)


@pytest.fixture(scope="module")
def planck():
    """Responses of the eight Planck channels by component, in the numbers of section 4.4."""
    names = ("screening", "tsz", "cib", "cib-dbeta", "cib-dT", "cmb")
    bands = planck_passbands()
    table = dict(zip(names, np.asarray(mixing_matrix(names, bands, Spectra(t_cmb_K=2.726))).T))
    other = Spectra(t_cmb_K=2.726, cib_temperature_K=10.7, cib_beta=1.7)
    table["cib of ACT"] = np.asarray(mixing_matrix(("cib",), bands, other))[:, 0]
    return table


@pytest.mark.parametrize(("deprojected", "numbers"), BAND_SETS.items())
def test_conditions_and_norms_at_planck_channels(planck, deprojected, numbers):
    """Specification, section 4.4: printed digits, for 8, 7, 6 and 4 channels."""
    names = ("screening", *deprojected)
    matrix = np.stack([planck[n] for n in names], axis=1)
    for first, condition, norm in zip((0, 1, 2, 4), *numbers):
        a = matrix[first:]
        found = check_responses(a, names, "here")
        np.testing.assert_allclose(found, condition, rtol=0.02, atol=0.5)
        shortest = np.linalg.norm(np.linalg.pinv(a.T)[:, 0])
        np.testing.assert_allclose(shortest, norm, rtol=0.04)


def test_as_many_constraints_as_channels(planck):
    """Specification, section 4.4: 143, 217, 353, 545 GHz, 24 K, 1.2; printed digits."""
    a = np.stack([planck[n][4:] for n in ("screening", "tsz", "cib", "cib-dbeta")], axis=1)
    w = square_weights(a)
    np.testing.assert_allclose(w, [-1.243, 2.875, -0.697, 0.0215], atol=6e-4)
    np.testing.assert_allclose(w, np.linalg.solve(a.T, np.eye(4)[0]), rtol=1e-9)
    np.testing.assert_allclose(w @ planck["cmb"][4:], 0.957, atol=6e-4)
    # Of its amplitude in the 353 GHz band.
    other = planck["cib of ACT"]
    np.testing.assert_allclose(w @ other[4:] / other[6], -0.045, atol=6e-4)


def test_singular_covariance_is_refused(problem):
    covariance, responses = problem
    copy = covariance.copy()
    copy[:, 4] = copy[:, 3]
    copy[:, :, 4] = copy[:, :, 3]
    with pytest.raises(
        ValidityError, match=r"at needlet scale 2: smallest relative eigenvalue .*e-"
    ):
        prepare_covariance(pack(copy), N, where="needlet scale 2")
    factors = prepare_covariance(pack(copy), N, regularise=1e-6)
    assert miss(pixel_weights(factors, [responses])[0], responses) < 1e-8
    dead = covariance.copy()
    dead[:, 2] = dead[:, :, 2] = 0.0
    with pytest.raises(ValidityError, match="singular"):
        prepare_covariance(pack(dead), N)


def test_one_bad_pixel_is_repaired_and_counted(problem):
    """An indefinite pixel gets finite weights with the constraint; all others stay as they were."""
    covariance, responses = problem
    bad = covariance.copy()
    bad[7] -= 2.0 * np.diag(np.diag(bad[7]))
    factors = prepare_covariance(pack(bad), N)
    assert factors.indefinite == 1 / PIXELS
    found = pixel_weights(factors, [responses])[0]
    assert miss(found, responses) < 1e-8
    good = pixel_weights(prepare_covariance(pack(covariance), N), [responses])[0]
    others = np.arange(PIXELS) != 7
    np.testing.assert_allclose(found[others], good[others], rtol=1e-6)
    kept = prepare_covariance(pack(bad), N, repair=False)
    assert kept.indefinite == 1 / PIXELS
    expected = direct(bad[7:8], responses)
    found = pixel_weights(kept, [responses])[0][7:8]
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_pixels_that_do_not_count_take_the_mean(problem):
    covariance, responses = problem
    valid = np.arange(PIXELS) >= 3
    holes = covariance.copy()
    holes[:3] = 0.0
    found = pixel_weights(prepare_covariance(pack(holes), N, valid=valid), [responses])[0]
    mean = direct(covariance[3:].mean(axis=0)[None], responses)[0]
    np.testing.assert_allclose(found[:3], [mean] * 3, rtol=1e-7)


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        (np.eye(3)[:2], r"here: 3 constraints \(a, b, c\) on 2 channels"),
        (np.array([[1.0, 0, 1], [2, 0, 1], [3, 0, 2]]), "no channel in use there responds to 'b'"),
        (np.array([[1.0, 2, 1], [2, 4, 1], [3, 6, 2]]), "a, b, c are degenerate"),
        (np.full((3, 3), np.nan), "not finite"),
    ],
)
def test_unusable_responses(responses, message):
    with pytest.raises(ConfigurationError, match=message):
        check_responses(responses, ("a", "b", "c"), "here")
