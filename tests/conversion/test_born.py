"""The Born integral against analytic results, dense quadrature and itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.constants import DELTA_A_KPC, DELTA_AG_KPC, DELTA_PL_KPC, KPC_CM
from diffaxion.conversion.born import (
    born_amplitude,
    born_probability,
)
from diffaxion.environments.galaxy.sightline import LinePath
from diffaxion.errors import ConfigurationError

ENERGY = jnp.array([10.0, 23.0, 80.0])


def slab(n, d=8.3, b=(1.3, -2.1), n_e=0.03, n_h=0.0):
    s = np.linspace(0.0, d, n)
    one = np.ones(n)
    return LinePath(s, b[0] * one, b[1] * one, n_e * one, n_h * one)


def wavy(n, d=8.3):
    s = np.linspace(0.0, d, n)
    n_e = 0.02 + 0.3 * np.exp(-((s - 6.0) ** 2)) + 0.05 * np.exp(-(((s - 3.0) / 0.3) ** 2))
    return LinePath(s, 0.3 + 2 * np.sin(s), 0.3 * np.cos(2 * s), n_e)


FILON = jax.jit(born_probability)
AMPLITUDE = jax.jit(born_amplitude)
TRAPEZOID = jax.jit(lambda p, e, m: born_probability(p, e, m, "trapezoid"))


@pytest.mark.parametrize(("rule", "n"), [(FILON, 2), (FILON, 2001), (TRAPEZOID, 40001)])
@pytest.mark.parametrize("m", [0.0, 7e-12, 3e-11])
def test_uniform_slab(rule, n, m):
    """p = (g B d/2)^2 sinc^2(delta d/2); the Filon rule is exact with a single cell."""
    d, b, n_e = 8.3, np.hypot(1.3, 2.1), 0.03
    delta = (DELTA_A_KPC * m**2 - DELTA_PL_KPC * n_e) / np.asarray(ENERGY)
    expected = (DELTA_AG_KPC * b * d) ** 2 * np.sinc(delta * d / (2 * np.pi)) ** 2
    # The trapezoid's own error is (delta h)^2/6 = 3e-7 at most.
    np.testing.assert_allclose(rule(slab(n), ENERGY, jnp.array(m)), expected, rtol=1e-6)


def test_linear_density_through_a_resonance():
    """p_res = 2 pi Delta_ag^2/|d delta/ds|; the ends add 1/sqrt(pi phase) < 3 % for 2000 rad."""
    d, n = 10.0, 20001
    s = np.linspace(0.0, d, n)
    n_e = 16.0 * s
    m = np.sqrt(DELTA_PL_KPC * 16.0 * 5.0 / DELTA_A_KPC)
    path = LinePath(s, 2.0 * np.ones(n), 0 * s, n_e)
    slope = DELTA_PL_KPC * 16.0 / np.asarray(ENERGY)[:1]
    assert 0.5 * slope[0] * 25.0 > 2000.0
    expected = 2 * np.pi * (DELTA_AG_KPC * 2.0) ** 2 / slope
    np.testing.assert_allclose(FILON(path, ENERGY[:1], jnp.array(m)), expected, rtol=0.03)


@pytest.mark.parametrize("m", [0.0, 1e-12, 1e-11, 1e-10, 1e-9])
@pytest.mark.parametrize("n", [12, 400])
def test_fast_filon_equals_cell_by_cell_filon(m, n):
    """The matrix form against the textbook moments of each cell (the absorbed path, tau = 0)."""
    path = wavy(n)
    slow = born_probability(path, ENERGY, jnp.array(m), "filon", jnp.zeros(3))
    # 2e-9 of each cell is the truncation of the small-phase series.
    np.testing.assert_allclose(FILON(path, ENERGY, jnp.array(m)), slow, rtol=1e-8)


def test_filon_needs_fewer_nodes():
    """At m = 3e-10 eV 301 nodes hold phases of 19 rad per cell; Filon is right, trapezoid not."""
    m = jnp.array(3e-10)
    fine = FILON(wavy(40001), ENERGY, m)
    np.testing.assert_allclose(FILON(wavy(301), ENERGY, m), fine, rtol=0.02)
    assert np.max(np.abs(TRAPEZOID(wavy(301), ENERGY, m) / fine - 1.0)) > 1.0


def test_rules_converge_to_the_same_integral():
    m = jnp.array(1e-11)
    np.testing.assert_allclose(
        TRAPEZOID(wavy(20001), ENERGY, m), FILON(wavy(20001), ENERGY, m), rtol=1e-5
    )


@pytest.mark.parametrize("rule", ["filon", "trapezoid"])
def test_absorbing_slab(rule):
    """|int exp((i delta - kappa) s) ds|^2 with kappa = n_H sigma/2, photons crossing 0..s."""
    d, n_e, n_h = 8.3, 0.03, 0.7
    sigma = np.array([4e-23, 1e-23, 1e-25])
    delta = -DELTA_PL_KPC * n_e / np.asarray(ENERGY)
    rate = 1j * delta - 0.5 * KPC_CM * n_h * sigma
    assert np.max(-rate.real) * d > 0.1
    expected = (DELTA_AG_KPC * np.hypot(1.3, 2.1)) ** 2 * np.abs(np.expm1(rate * d) / rate) ** 2
    p = born_probability(slab(2001, n_h=n_h), ENERGY, jnp.array(0.0), rule, jnp.asarray(sigma))
    np.testing.assert_allclose(p, expected, rtol=1e-6)


def test_absorption_depends_on_where_the_photons_are_made():
    """A thick screen at the Earth damps p by exp(-tau); the same screen at the source does not."""
    s = np.linspace(0.0, 5.0, 501)
    b = np.where((s > 2.0) & (s < 3.0), 1.0, 0.0)
    sigma = jnp.full(1, 1e-22)
    e, m = ENERGY[:1], jnp.array(0.0)
    free = FILON(LinePath(s, b, 0 * s, 0 * s), e, m)
    for n_h, factor in ((np.where(s < 1.0, 6.0, 0.0), None), (np.where(s > 4.0, 6.0, 0.0), 1.0)):
        tau = 1e-22 * KPC_CM * np.trapezoid(n_h, s)
        damped = born_probability(LinePath(s, b, 0 * s, 0 * s, n_h), e, m, "filon", sigma)
        np.testing.assert_allclose(damped / free, factor or np.exp(-tau), rtol=1e-9)


def test_amplitudes_add_and_rotation_of_the_basis():
    path, m = wavy(200), jnp.array(5e-12)
    amplitude = AMPLITUDE(path, ENERGY, m)
    c, s = np.cos(0.7), np.sin(0.7)
    turned = LinePath(
        path.s_kpc,
        c * path.b_l_muG + s * path.b_b_muG,
        -s * path.b_l_muG + c * path.b_b_muG,
        path.n_e_cm3,
    )
    np.testing.assert_allclose(
        AMPLITUDE(turned, ENERGY, m)[0], c * amplitude[0] + s * amplitude[1], rtol=1e-12
    )
    np.testing.assert_allclose(
        FILON(turned, ENERGY, m), np.sum(np.abs(amplitude) ** 2, axis=0), rtol=1e-12
    )


def test_direction_of_integration_does_not_matter():
    path, m = wavy(300), jnp.array(5e-12)
    back = LinePath(
        path.s_kpc[-1] - path.s_kpc[::-1],
        path.b_l_muG[::-1],
        path.b_b_muG[::-1],
        path.n_e_cm3[::-1],
    )
    np.testing.assert_allclose(FILON(back, ENERGY, m), FILON(path, ENERGY, m), rtol=1e-9)


def test_gradient_of_the_slab_is_the_analytic_one():
    """dp/dd and dp/dm of (g B d/2)^2 sinc^2(delta d/2), the end point moving with d."""

    def numeric(d, m):
        s = jnp.linspace(0.0, 1.0, 50) * d
        one = jnp.ones(50)
        return born_probability(LinePath(s, one, 0 * one, 0.03 * one), ENERGY, m)

    def analytic(d, m):
        half = 0.5 * d * (DELTA_A_KPC * m**2 - DELTA_PL_KPC * 0.03) / ENERGY
        return (DELTA_AG_KPC * d * jnp.sin(half) / half) ** 2

    at = (jnp.array(8.3), jnp.array(8e-12))
    for ours, theirs in zip(
        jax.jit(jax.jacrev(numeric, (0, 1)))(*at),
        jax.jit(jax.jacfwd(analytic, (0, 1)))(*at),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7)


def test_unknown_rule_is_refused():
    with pytest.raises(ConfigurationError, match="simpson"):
        born_probability(slab(3), ENERGY, jnp.array(0.0), "simpson")
