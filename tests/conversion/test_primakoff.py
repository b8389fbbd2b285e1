"""Primakoff kernels against other algebra, quadrature, units and known numbers."""

import astropy.units as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import constants as const
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from diffaxion import constants as c
from diffaxion.conversion import (
    fermi_energy_keV,
    massive_angular_factor,
    plasma_frequency_keV,
    primakoff_emissivity,
    primakoff_form_factor,
    primakoff_rate,
    primakoff_validity,
    screening_scale_keV,
)

form_factor = jax.jit(primakoff_form_factor)
emissivity = jax.jit(primakoff_emissivity)
angular = jax.jit(massive_angular_factor)


def bracket_form(energy, temperature, xi):
    """Emissivity by its second algebraic form, without the unit factor [keV^4]."""
    x2 = (xi * temperature) ** 2
    bracket = (energy**2 + x2) * np.log1p(energy**2 / x2) - energy**2
    bose = np.expm1(energy / temperature)
    return (1e-18) ** 2 * xi**2 * temperature**3 * energy / (8 * np.pi**3 * bose) * bracket


def test_two_algebraic_forms_agree():
    energy = np.geomspace(3.0, 300.0, 60)
    temperature, density, zeta = 12.0, 300.0, 2.0
    kappa = float(screening_scale_keV(jnp.array(density), jnp.array(temperature), jnp.array(zeta)))
    assert 4 * energy[0] ** 2 / kappa**2 > 1
    expected = bracket_form(energy, temperature, kappa / (2 * temperature))
    found = emissivity(jnp.asarray(energy), temperature, density, zeta) / c.KEV4_EMISSIVITY_CGS
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_form_factor_limits_and_joint():
    x = np.geomspace(1e-4, 0.05, 40)
    wide = x.astype(np.longdouble)
    expected = (1 + 1 / wide) * np.log1p(wide) - 1
    np.testing.assert_allclose(form_factor(jnp.asarray(x)), expected.astype(float), rtol=3e-14)
    assert float(form_factor(jnp.array(0.0))) == 0.0
    tiny, huge = 1e-9, 1e15
    np.testing.assert_allclose(form_factor(jnp.array(tiny)), tiny / 2, rtol=1e-9)
    np.testing.assert_allclose(form_factor(jnp.array(huge)), np.log(huge) - 1, rtol=1e-13)
    slope = jax.vmap(jax.grad(primakoff_form_factor))(jnp.array([0.0, 0.0199, 0.0201]))
    exact = [0.5, 0.5 - 0.0199 / 3 + 0.0199**2 / 4, 0.5 - 0.0201 / 3 + 0.0201**2 / 4]
    np.testing.assert_allclose(slope, exact, rtol=1e-5)


def test_unit_factor_and_screening_scale():
    one = u.keV**4 / (const.hbar * (const.hbar * const.c) ** 3)
    expected = one.to_value(u.erg / u.cm**3 / u.s / u.keV)
    np.testing.assert_allclose(c.KEV4_EMISSIVITY_CGS, expected, rtol=1e-10)
    np.testing.assert_allclose(expected, 3.16800e32, rtol=1e-5)
    t = 1e8 * c.KELVIN_TO_KEV
    kappa = screening_scale_keV(jnp.array(100.0), jnp.array(t), jnp.array(1.5))
    np.testing.assert_allclose(kappa, 2.71770, rtol=2e-6)
    np.testing.assert_allclose(kappa**2 / (100 * 1.5 / 1e8), 4.923938e6, rtol=1e-6)
    n = 100 * u.g / u.cm**3 / const.u
    kappa2 = 4 * np.pi * const.alpha * n * 1.5 / (1e8 * u.K * const.k_B) * const.hbar * const.c
    energy = (np.sqrt(kappa2) * const.hbar * const.c).to_value(u.keV)
    np.testing.assert_allclose(kappa, energy, rtol=1e-8)


def test_emissivity_is_rate_times_photon_density():
    energy, temperature = 20.0, 10.0
    args = (jnp.array(energy), jnp.array(temperature), jnp.array(50.0), jnp.array(1.5))
    rate = float(primakoff_rate(*args)) / u.s
    photons = (energy * u.keV) ** 2 / (np.pi**2 * (const.hbar * const.c) ** 3)
    photons = photons / np.expm1(energy / temperature)
    expected = (energy * u.keV * rate * photons).to_value(u.erg / u.cm**3 / u.s / u.keV)
    np.testing.assert_allclose(primakoff_emissivity(*args), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("k", "q", "kappa2", "expected"),
    [(10.0, 9.0, 4.0, 9.303048963), (10.0, 10.0, 4.0, 11.502224345), (10, 3, 0.5, 0.778366689)],
)
def test_massive_angular_factor_values(k, q, kappa2, expected):
    found = float(angular(k, q, kappa2))
    assert found == pytest.approx(expected, rel=1e-9)

    def integrand(cos):
        d = k**2 + q**2 - 2 * k * q * cos
        return (1 - cos**2) / (d * (d + kappa2)) if d > 0 else 0.0

    value, _ = integrate.quad(integrand, -1, 1, epsabs=0, epsrel=1e-12, limit=400)
    assert found == pytest.approx(2 * np.pi * (k * q) ** 2 * value, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 50.0), st.floats(1e-3, 0.999), st.floats(1e-4, 1e3))
def test_massive_angular_factor_against_quadrature(k, ratio, kappa2):
    q = ratio * k
    x, w = np.polynomial.legendre.leggauss(200)
    # cos = 1 - 2 t^4 crowds the nodes where the momenta are parallel.
    t = 0.5 * (x + 1)
    cos, jacobian = 1 - 2 * t**4, 8 * t**3
    d = (k - q) ** 2 + 4 * k * q * t**4
    one_minus_c2 = 2 * t**4 * (1 + cos)
    value = 0.5 * np.sum(w * jacobian * one_minus_c2 / (d * (d + kappa2)))
    expected = 2 * np.pi * (k * q) ** 2 * value
    assert float(angular(k, q, kappa2)) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 1e8))
def test_equal_momenta_give_the_massless_factor(x):
    energy = 7.0
    found = float(angular(energy, energy, 4 * energy**2 / x))
    # The closed form cancels as 1/x where x is small.
    assert found == pytest.approx(np.pi * float(form_factor(x)), rel=1e-12 * max(1.0, 3.0 / x))


def test_plasma_mass_in_a_carbon_core():
    energy = jnp.array([3.0, 10.0, 20.0])
    core = (18.46, 648.08, 3.0474)
    ratio = primakoff_emissivity(energy, *core, y_e=jnp.array(0.5)) / primakoff_emissivity(
        energy, *core
    )
    np.testing.assert_allclose(ratio - 1, [-0.028, -0.002, -0.0005], rtol=0.15)
    assert float(primakoff_emissivity(0.4, *core, y_e=jnp.array(0.5))) == 0.0
    heavy = jnp.array(25.0)
    assert float(primakoff_emissivity(20.0, *core, m_a_keV=heavy)) == 0.0
    assert float(primakoff_emissivity(30.0, *core, m_a_keV=heavy)) > 0.0
    light = primakoff_emissivity(energy, *core, m_a_keV=jnp.array(1e-6))
    np.testing.assert_allclose(light, primakoff_emissivity(energy, *core), rtol=1e-10)


def test_massive_rate_excludes_the_photon_velocity():
    e, t, rho, zeta, y_e = 3.0, 18.46, 648.08, 3.0474, jnp.array(0.5)
    rate = float(primakoff_rate(e, t, rho, zeta, y_e=y_e))
    omega = float(plasma_frequency_keV(jnp.array(rho), y_e))
    k = np.sqrt(e**2 - omega**2)
    photons = e**2 * k / (np.pi**2 * np.expm1(e / t))
    expected = photons * rate * c.HBAR_KEV_S * c.KEV4_EMISSIVITY_CGS
    assert float(primakoff_emissivity(e, t, rho, zeta, y_e=y_e)) == pytest.approx(
        expected, rel=1e-12
    )


EDGES = [
    (10.0, 5.0, 0.0, 1.5),
    (10.0, 0.0, 1.0, 1.5),
    (10.0, 1e-3, 1.0, 1.5),
    (10.0, 1e-250, 1.0, 1.5),
    (10.0, 5.0, 1.0, 0.0),
    (0.0, 5.0, 1.0, 1.5),
    (0.0, 0.0, 0.0, 0.0),
]


@pytest.mark.parametrize("args", EDGES)
def test_edges_are_zero_with_finite_gradient(args):
    values = tuple(jnp.array(a) for a in args)
    assert float(emissivity(*values)) == 0.0
    grads = jax.grad(primakoff_emissivity, argnums=(0, 1, 2, 3))(*values)
    assert np.all(np.isfinite(grads))
    mass = (*values, jnp.array(0.0), jnp.array(0.5))
    assert float(primakoff_emissivity(*mass)) == 0.0
    assert np.all(np.isfinite(jax.grad(primakoff_emissivity, argnums=range(6))(*mass)))


def test_low_energy_limit_of_the_bose_factor():
    e, t, rho, zeta = 1e-4, 5.0, 10.0, 1.5
    kappa = float(screening_scale_keV(rho, t, zeta))
    factor = 1e-36 * t * kappa**2 / (32 * np.pi**3) * (2 * e**2 / kappa**2) * e**2 * t
    assert float(emissivity(e, t, rho, zeta)) / c.KEV4_EMISSIVITY_CGS == pytest.approx(
        factor, rel=2e-5
    )


def test_validity_flags_of_known_cores():
    # WNh and WC cores of the reference star, and the end of its track.
    t = jnp.array([3.66433, 18.46, 86.7])
    rho = jnp.array([2.0405, 648.08, 5.047e5])
    zeta = jnp.array([1.616, 3.047, 3.6])
    y_e = jnp.array([0.64, 0.5, 0.5])
    np.testing.assert_allclose(plasma_frequency_keV(rho, y_e)[:2], [0.0328765, 0.518717], rtol=5e-3)
    np.testing.assert_allclose((fermi_energy_keV(rho, y_e) / t)[:2], [0.0085, 0.067], rtol=0.03)
    flags = primakoff_validity(t, rho, zeta, y_e, lowest_energy_keV=1.0)
    np.testing.assert_array_equal(flags.plasma, [False, True, True])
    np.testing.assert_array_equal(flags.degenerate, [False, False, True])
    np.testing.assert_array_equal(flags.relativistic, [False, False, True])
    np.testing.assert_array_equal(flags.screening, [False, False, False])
    np.testing.assert_array_equal(flags.massive, [False, False, False])
    assert np.all(primakoff_validity(t, rho, zeta, y_e, 10.0, 300.0).massive)
    assert np.all(~np.asarray(primakoff_validity(t, rho, zeta, y_e, 50.0).plasma))
    assert bool(primakoff_validity(t[0], 1e-6, zeta[0], y_e[0]).screening)
