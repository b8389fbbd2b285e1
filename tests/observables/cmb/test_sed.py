"""Spectral shapes of screening against reference values and astropy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import constants as ac
from astropy import units as au

from diffaxion.observables.cmb import (
    dark_photon_sed,
    passband_average,
    screening_sed,
    temperature_factor_uK,
)

NU = np.array([30.0, 44.0, 70.0, 100.0, 143.0, 217.0, 353.0, 545.0])
AXION = [0.41119, 0.54027, 0.70989, 0.82976, 0.92122, 0.98005, 1.0, 1.00193]
DARK_PHOTON = [56.93, 34.77, 18.05, 10.34, 5.614, 2.593, 1.0, 0.4203]


def test_temperature_factor():
    """Minus Delta T per optical depth: tau B/(dB/dT), with B and dB/dT by astropy."""
    assert float(temperature_factor_uK()) == pytest.approx(437599.232, rel=1e-9)
    x = (ac.h * 353 * au.GHz / (ac.k_B * 2.7255 * au.K)).to_value("")
    assert x == pytest.approx(6.215860594, rel=1e-9)
    x = (ac.h * NU * au.GHz / (ac.k_B * 2.7255 * au.K)).to_value("")
    radiance, step = 1 / np.expm1(x), 1e-6
    by_temperature = (1 / np.expm1(x / (1 + step)) - 1 / np.expm1(x / (1 - step))) / (2 * step)
    expected = 2.7255e6 * radiance / by_temperature
    np.testing.assert_allclose(temperature_factor_uK(NU), expected, rtol=1e-8)
    assert float(temperature_factor_uK(0.0)) == pytest.approx(2.7255e6)
    # A leaf: hotter sky, larger factor.
    assert float(jax.grad(lambda t: temperature_factor_uK(353.0, t))(2.7255)) > 0


def test_shapes():
    np.testing.assert_allclose(screening_sed(NU), AXION, atol=1e-5)
    # Four digits are printed: half a unit of the last is up to 1.9e-4 of the value.
    printed = [float(f"{v:.4g}") for v in dark_photon_sed(NU)]
    np.testing.assert_allclose(printed, DARK_PHOTON, rtol=1e-12)
    # They are the factor times tau ~ nu and tau ~ 1/nu.
    factor = np.asarray(temperature_factor_uK(NU)) / float(temperature_factor_uK())
    np.testing.assert_allclose(screening_sed(NU), factor * NU / 353, rtol=1e-12)
    np.testing.assert_allclose(dark_photon_sed(NU), factor * 353 / NU, rtol=1e-12)


def test_passband():
    nu = jnp.linspace(120.0, 170.0, 401)
    narrow = jnp.exp(-0.5 * ((nu - 143.0) / 0.5) ** 2)
    broad = jnp.where(jnp.abs(nu - 145.0) < 20.0, 1.0, 0.0)
    sed = screening_sed(nu)
    assert float(passband_average(sed, nu, narrow)) == pytest.approx(0.92122, abs=2e-5)
    # The CMB itself has response 1 in any band, and the normalisation drops out.
    assert float(passband_average(jnp.ones_like(nu), nu, broad)) == pytest.approx(1.0, rel=1e-12)
    average = float(passband_average(sed, nu, broad))
    assert float(passband_average(sed, nu, 7.0 * broad)) == pytest.approx(average, rel=1e-12)
    assert float(screening_sed(125.0)) < average < float(screening_sed(165.0))


def test_passband_by_powers():
    """Power received from screening over power from a CMB fluctuation, both as radiances."""
    nu = np.linspace(80.0, 250.0, 2001)
    band = np.exp(-0.5 * ((nu - 160.0) / 25.0) ** 2)
    x = (ac.h * nu * au.GHz / (ac.k_B * 2.7255 * au.K)).to_value("")
    radiance = nu**3 / np.expm1(x)
    by_temperature = nu**3 * x * np.exp(x) / np.expm1(x) ** 2 / 2.7255
    lost = np.trapezoid(band * (nu / 353.0) * radiance, nu)
    expected = lost / np.trapezoid(band * by_temperature, nu) * 1e6
    ours = passband_average(screening_sed(nu), jnp.asarray(nu), jnp.asarray(band))
    assert float(ours * temperature_factor_uK()) == pytest.approx(expected, rel=1e-10)
    assert float(passband_average(screening_sed(nu), jnp.asarray(nu), jnp.zeros(2001))) == 0.0
