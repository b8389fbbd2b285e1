"""The exact chain against matrix exponentials, gammaALPs, the Born limit and its own inverse."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.constants import (
    DELTA_A_KPC,
    DELTA_AG_KPC,
    DELTA_CMB_KPC,
    DELTA_PL_KPC,
    DELTA_QED_KPC,
    KPC_CM,
)
from diffaxion.conversion.born import born_probability
from diffaxion.conversion.mixing import exact_probability, transfer_matrix
from diffaxion.environments.galaxy.sightline import LinePath
from diffaxion.errors import ConfigurationError

ENERGY = jnp.array([10.0, 23.0, 80.0])
MASS = jnp.array(8e-12)
SIGMA = jnp.array([4e-23, 1e-23, 1e-25])


def wavy(n, scale=1.0):
    s = np.linspace(0.0, 8.3, n)
    n_e = 0.02 + 0.3 * np.exp(-((s - 6.0) ** 2))
    return LinePath(s, scale * (0.3 + 2 * np.sin(s)), scale * 0.3 * np.cos(2 * s), n_e, 1 + 0 * s)


EXACT = eqx.filter_jit(exact_probability)
MATRIX = eqx.filter_jit(transfer_matrix)


def expm_chain(path, energy, m, u, sigma=0.0, qed=False, cmb=False):
    """Product of scipy matrix exponentials of the cells, up to a common phase."""
    from scipy.linalg import expm

    def mid(x):
        x = np.asarray(x)
        return 0.5 * (x[1:] + x[:-1])

    total = np.eye(3, dtype=complex)
    cells = zip(
        np.diff(np.asarray(path.s_kpc)), mid(path.b_l_muG), mid(path.b_b_muG),
        mid(path.n_e_cm3), mid(path.n_h_cm3), strict=True,
    )  # fmt: skip
    for h, b_l, b_b, n_e, n_h in cells:
        b = np.array([b_l, b_b])
        d = -DELTA_PL_KPC * n_e / energy - 0.5j * KPC_CM * n_h * sigma
        d += DELTA_CMB_KPC * energy if cmb else 0.0
        photon = d * np.eye(2, dtype=complex)
        if qed:
            parallel = np.outer(b, b)
            across = b @ b * np.eye(2) - parallel
            photon += DELTA_QED_KPC * energy * (3.5 * parallel + 2.0 * across)
        matrix = np.zeros((3, 3), complex)
        matrix[:2, :2] = photon
        matrix[:2, 2] = matrix[2, :2] = np.sqrt(u) * DELTA_AG_KPC * b
        matrix[2, 2] = -DELTA_A_KPC * m**2 / energy
        total = total @ expm(-1j * h * matrix)
    return total


@pytest.mark.parametrize(
    ("u", "sigma", "qed", "cmb", "scale"),
    [
        (1.0, None, False, False, 1.0),
        (4e4, None, False, False, 1.0),
        (4e4, SIGMA, False, False, 1.0),
        (4e4, SIGMA, True, True, 1e12),
    ],
)
def test_matrix_exponential(u, sigma, qed, cmb, scale):
    """1e-10 with absorption; QED and CMB are made visible by an energy 1e12 times larger."""
    path, energy = wavy(40), ENERGY * scale
    m = MASS * np.sqrt(scale)
    path = eqx.tree_at(lambda p: p.n_e_cm3, path, path.n_e_cm3 * scale)
    ours = EXACT(path, energy, m, jnp.array(u), sigma, qed, cmb)
    matrices = MATRIX(path, energy, m, jnp.array(u), sigma, qed, cmb)
    for k, e in enumerate(np.asarray(energy)):
        expected = expm_chain(path, e, float(m), u, 0.0 if sigma is None else sigma[k], qed, cmb)
        p = np.sum(np.abs(expected[:2, 2]) ** 2)
        np.testing.assert_allclose(ours[k], p, rtol=1e-10)
        np.testing.assert_allclose(np.abs(matrices[k]), np.abs(expected), rtol=0, atol=1e-11)
        turn = expected[2, 2] / matrices[k, 2, 2]
        np.testing.assert_allclose(turn * matrices[k], expected, rtol=0, atol=1e-11)


def test_unitarity():
    matrix = np.asarray(MATRIX(wavy(400), ENERGY, MASS, jnp.array(1e4)))
    product = matrix @ np.conj(np.swapaxes(matrix, 1, 2))
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-12)


def test_chain_and_tree_agree_and_photon_to_axion_is_half():
    path, u = wavy(401), jnp.array(1e4)
    matrix = np.asarray(MATRIX(path, ENERGY, MASS, u))
    p = np.asarray(EXACT(path, ENERGY, MASS, u))
    np.testing.assert_allclose(np.sum(np.abs(matrix[:, :2, 2]) ** 2, axis=1), p, rtol=1e-12)
    back = 0.5 * np.sum(np.abs(matrix[:, 2, :2]) ** 2, axis=1)
    np.testing.assert_allclose(back, 0.5 * p, rtol=1e-12)


def test_uniform_slab_with_strong_mixing():
    """p = (G/w)^2 sin^2(w d), w^2 = (delta/2)^2 + G^2, beyond the Born range."""
    s = np.linspace(0.0, 8.3, 31)
    path = LinePath(s, 1.3 + 0 * s, -2.1 + 0 * s, 0.03 + 0 * s)
    u = 1e5
    g = np.sqrt(u) * DELTA_AG_KPC * np.hypot(1.3, 2.1)
    delta = (DELTA_A_KPC * float(MASS) ** 2 - DELTA_PL_KPC * 0.03) / np.asarray(ENERGY)
    w = np.sqrt(0.25 * delta**2 + g**2)
    expected = (g / w * np.sin(w * 8.3)) ** 2
    assert expected.max() > 0.2
    np.testing.assert_allclose(EXACT(path, ENERGY, MASS, jnp.array(u)), expected, rtol=1e-11)


def test_landau_zener():
    """1 - exp(-p_res) through a linear crossing, between no and full conversion."""
    s = np.linspace(0.0, 10.0, 40001)
    m = np.sqrt(DELTA_PL_KPC * 16.0 * 5.0 / DELTA_A_KPC)
    path = LinePath(s, 2.0 + 0 * s, 0 * s, 16.0 * s)
    slope = DELTA_PL_KPC * 16.0 / 10.0
    u = 1.0 * slope / (2 * np.pi * (2.0 * DELTA_AG_KPC) ** 2)
    p = EXACT(path, ENERGY[:1], jnp.array(m), jnp.array(u))
    # The ends contribute interference of relative size 1/sqrt(pi 2156 rad).
    np.testing.assert_allclose(p, 1.0 - np.exp(-1.0), rtol=0.03)


def test_born_limit_and_slope_at_zero_coupling():
    path = wavy(4001)
    born = born_probability(path, ENERGY, MASS)
    p, slope = jax.jit(
        lambda u: jax.jvp(
            lambda x: exact_probability(path, ENERGY, MASS, x, reverse="store"), (u,), (1.0,)
        )
    )(jnp.array(0.0))
    np.testing.assert_array_equal(p, 0.0)
    # Midpoint cells against linear ones: 1e-4 with 4000 cells.
    np.testing.assert_allclose(slope, born, rtol=1e-4)
    np.testing.assert_allclose(EXACT(path, ENERGY, MASS, jnp.array(1.0)), born, rtol=1e-4)
    tiny = EXACT(path, ENERGY, MASS, jnp.array(1e-9)) / 1e-9
    np.testing.assert_allclose(tiny, slope, rtol=1e-9)
    np.testing.assert_allclose(EXACT(path, ENERGY, MASS, jnp.array(-2.0)), -2.0 * slope, rtol=1e-9)


def _weighted(path, energy, m, u, reverse):
    p = exact_probability(path, energy, m, u, reverse=reverse)
    return jnp.sum(jnp.array([1.0, -0.3, 2.0]) * p)


VALUE = jax.jit(lambda *args: _weighted(*args, "invert"))
INVERTED = jax.jit(jax.grad(lambda *args: _weighted(*args, "invert"), argnums=(0, 1, 2, 3)))
STORED = jax.jit(jax.grad(lambda *args: _weighted(*args, "store"), argnums=(0, 1, 2, 3)))


@pytest.mark.parametrize("u", [0.0, 2.0, 4e4])
def test_inverted_gradient_equals_stored_one(u):
    args = (wavy(60), ENERGY, MASS, jnp.array(u))
    pairs = zip(jax.tree.leaves(INVERTED(*args)), jax.tree.leaves(STORED(*args)), strict=True)
    for one, two in pairs:
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-11 * np.max(np.abs(two)))


@pytest.mark.parametrize("u", [2.0, 4e4])
def test_inverted_gradient_against_differences(u):
    args = (wavy(60), ENERGY, MASS, jnp.array(u))
    gradient = INVERTED(*args)
    rng = np.random.default_rng(3)
    step = jax.tree.map(lambda x: np.abs(x) * rng.uniform(-1, 1, np.shape(x)), args)

    def moved(t):
        return VALUE(*jax.tree.map(lambda x, d: x + t * d, args, step))

    h = 1e-5
    coarse = (moved(h) - moved(-h)) / (2 * h)
    fine = (moved(h / 2) - moved(-h / 2)) / h
    along = sum(
        jnp.sum(g * d)
        for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(step), strict=True)
    )
    np.testing.assert_allclose(along, (4 * fine - coarse) / 3, rtol=1e-6)


def test_rotation_of_the_basis():
    path, u = wavy(120), jnp.array(1e4)
    c, s = np.cos(1.1), np.sin(1.1)
    turned = LinePath(
        path.s_kpc,
        c * path.b_l_muG + s * path.b_b_muG,
        -s * path.b_l_muG + c * path.b_b_muG,
        path.n_e_cm3,
    )
    np.testing.assert_allclose(
        EXACT(turned, ENERGY, MASS, u), EXACT(path, ENERGY, MASS, u), rtol=1e-12
    )


def test_heavy_absorption_leaves_the_last_layer():
    """Photons of the far side are gone: more depth behind tau = 43 changes nothing."""
    sigma = jnp.full(3, 1e-21)
    s = np.linspace(0.0, 20.0, 2001)
    path = LinePath(s, 1 + 0 * s, 0 * s, 0.05 + 0 * s, 1 + 0 * s)
    near = jax.tree.map(lambda x: x[:1401], path)
    # At u = 1 the axion beam itself would lose 2e-5 on the extra 6 kpc.
    args = (ENERGY, MASS, jnp.array(1e-3), sigma)
    np.testing.assert_allclose(EXACT(path, *args), EXACT(near, *args), rtol=1e-6)


@pytest.mark.slow
def test_gammaalps_transfer_matrices():
    """Identical cells, source to Earth; gammaALPs always includes QED and CMB terms."""
    pytest.importorskip("gammaALPs", reason="gammaALPs is not installed")
    import scipy.integrate as si

    if not hasattr(si, "simps"):
        si.simps = lambda y, x=None, dx=1.0, axis=-1: si.simpson(y, x=x, dx=dx, axis=axis)
    from gammaALPs.base.transfer import GammaALPTransfer
    from gammaALPs.core import ALP

    path = wavy(301)

    def mid(x):
        x = np.asarray(x)
        return 0.5 * (x[1:] + x[:-1])[::-1]

    b_l, b_b = mid(path.b_l_muG), mid(path.b_b_muG)
    transfer = GammaALPTransfer(
        np.asarray(ENERGY) * 1e-6,
        np.hypot(b_l, b_b),
        np.arctan2(-b_b, b_l),
        mid(path.n_e_cm3),
        np.diff(np.asarray(path.s_kpc))[::-1],
        ALP(m=float(MASS) * 1e9, g=1.0),
    )
    expected = np.asarray(transfer.calc_transfer())
    p = np.sum(np.abs(expected[:, :2, 2]) ** 2, axis=1)
    ours = EXACT(path, ENERGY, MASS, jnp.array(100.0), None, True, True)
    np.testing.assert_allclose(ours, p, rtol=1e-8)


def test_unknown_reverse_pass_is_refused():
    with pytest.raises(ConfigurationError, match="tape"):
        exact_probability(wavy(3), ENERGY, MASS, jnp.array(1.0), reverse="tape")
