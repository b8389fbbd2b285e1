"""Luminosities of stars: zone sums on reference profiles, and the universal spectrum."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaxion import constants as c
from diffaxion.conversion import (
    axion_rate,
    band_luminosity,
    eddington_luminosity,
    eddington_spectrum,
    flagged_fractions,
    luminosity_spectrum,
    mean_energy_keV,
    screening_scale_keV,
    total_luminosity,
    universal_shape,
    universal_total,
    zone_luminosity,
)
from diffaxion.data import read_profile
from diffaxion.environments.stars import (
    EddingtonStar,
    StellarProfile,
    make_composition,
    profile_from_mesa,
)
from diffaxion.errors import DiffaxionWarning
from tests.conftest import read_csv

EVENTS = ["wnh", "he_ignition", "wc"]
# Exact shells, 1 Rsun = 6.9598e10 cm, missing isotopes left out [erg/s].
EXACT = {
    "wnh": (4.1203e31, 2.3745e31),
    "he_ignition": (7.9034e32, 7.3796e32),
    "wc": (7.9988e33, 5.8642e33),
}
REMAINDER = {"wnh": 0.058, "he_ignition": 0.063, "wc": 0.007}

spectrum = jax.jit(luminosity_spectrum)
total = jax.jit(total_luminosity)
band = jax.jit(band_luminosity)
mean_energy = jax.jit(mean_energy_keV)
jit_universal_total = jax.jit(universal_total)


def profile(shared, event, shells="exact", remainder_zeta=None):
    radius = c.R_SUN_CM if shells == "thin" else None
    mesa = read_profile(shared / f"data/ssc/mesa_profile_{event}.csv", radius)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiffaxionWarning)
        return profile_from_mesa(mesa, shells, remainder_zeta)


def reference(shared, event):
    table = read_csv(shared / "data/ssc/mesa_event_luminosities.csv")
    row = EVENTS.index(event)
    return {k: v[row] for k, v in table.items()}


def star_of(row):
    """Eddington star from a row of the reference table, mass as tabulated."""
    x = {"h1": "Xc", "he4": "Yc", "c12": "Cc", "o16": "Oc", "ne20": "Nec"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiffaxionWarning)
        composition = make_composition({iso: row[k] for iso, k in x.items()})
    t_c = 10 ** row["logTc"] * c.KELVIN_TO_KEV
    return EddingtonStar(row["M_Msun"], t_c, composition)


@pytest.mark.parametrize("event", EVENTS)
def test_exact_shells(shared, event):
    star = profile(shared, event)
    assert float(total(star)) == pytest.approx(EXACT[event][0], rel=1e-4)
    assert float(band(star)) == pytest.approx(EXACT[event][1], rel=1e-4)


@pytest.mark.parametrize("event", EVENTS)
def test_nitrogen_in_the_remainder(shared, event):
    ratio = total(profile(shared, event, remainder_zeta=4.0)) / total(profile(shared, event))
    assert float(ratio) - 1 == pytest.approx(REMAINDER[event], abs=6e-4)


@pytest.mark.parametrize("event", EVENTS)
def test_thin_shells_reproduce_the_published_numbers(shared, event):
    star, row = profile(shared, event, "thin"), reference(shared, event)
    energy = np.geomspace(0.1, 1000.0, 4001)
    values = np.asarray(spectrum(star, jnp.asarray(energy)))
    assert np.trapezoid(values, energy) == pytest.approx(row["La_total"], rel=1e-5)
    lines = np.linspace(10.0, 80.0, 1401)
    in_band = np.trapezoid(np.interp(lines, energy, values), lines)
    assert in_band == pytest.approx(row["La_10_80"], rel=1e-4)
    # Our own quadrature gives the same integrals, and the tabulated moments.
    assert float(total(star)) == pytest.approx(row["La_total"], rel=1e-5)
    assert float(band(star)) == pytest.approx(row["La_10_80"], rel=1e-5)
    assert float(mean_energy(star)) == pytest.approx(row["meanE_keV"], rel=1e-5)
    number = float(axion_rate(star))
    assert float(total(star)) / number / c.ERG_PER_KEV == pytest.approx(row["meanE_keV"], rel=1e-5)
    assert energy[np.argmax(values)] == pytest.approx(row["peakE_dLdE_keV"], rel=3e-3)
    above = np.trapezoid(values[energy > 300], energy[energy > 300])
    assert above < 2.1e-5 * row["La_total"]


def rounded_luminosity(star_table, energy):
    """dL/dE with the rounded constants of the published release, in NumPy throughout."""
    k_b, hbarc_gev, m_u, gram_gev = 0.086e-6, 1.98e-14, 0.931, 5.61e23
    t = star_table["temperature_K"] * k_b
    weight = {"X_H": 2.0, "X_He": 1.5, "X_C": 3.5, "X_O": 4.5, "X_Ne": 5.5}
    zeta = sum(w * star_table[k] for k, w in weight.items())
    # Densities in GeV^4, then keV^4.
    rho = star_table["density_g_cm3"] * gram_gev * hbarc_gev**3
    kappa2 = 4 * np.pi / 137 / (t * 1e-6) * rho / m_u * zeta * 1e12
    volume = 4 * np.pi * (star_table["radius_Rsun"] * 6.957e10) ** 2 * star_table["dr_cm"]
    volume = volume / (hbarc_gev * 1e6) ** 3
    out = np.zeros_like(energy)
    for tk, k2, v in zip(t, kappa2, volume, strict=True):
        x = 4 * energy**2 / k2
        factor = np.where(x < 1e-4, x / 2 - x**2 / 6, (1 + 1 / x) * np.log1p(x) - 1)
        y = energy / tk
        bose = np.exp(-y) / -np.expm1(-y)
        out += v * 1e-36 * tk * k2 * energy**3 * factor * bose / (32 * np.pi**3)
    # keV of energy per keV of bandwidth and per (keV^-1 of time): times 1 keV [erg] / hbar.
    return out * 1.60218e-9 * 1.52e24 * 1e-6


@pytest.mark.parametrize("event", EVENTS)
def test_rounded_constants_reproduce_the_release(shared, event):
    table = read_csv(shared / f"data/ssc/mesa_profile_{event}.csv")
    energy = np.geomspace(0.1, 1000.0, 4001)
    found = np.trapezoid(rounded_luminosity(table, energy), energy)
    row = reference(shared, event)
    assert found == pytest.approx(row["La_total_rounded"], rel=1e-5)
    lines = np.linspace(10.0, 80.0, 1401)
    in_band = np.trapezoid(rounded_luminosity(table, lines), lines)
    assert in_band == pytest.approx(row["La_10_80_rounded"], rel=1e-5)


WORKED = {
    "wnh": (0.9204, 1.6163, 0.5150, 2.279, 0.1782, 3.9008e31, 2.2272e31),
    "he_ignition": (1.3483, 1.4751, 0.5948, 126.1, 0.2423, 8.4500e32, 7.8948e32),
    "wc": (1.7230, 3.0474, 0.5738, 691.6, 0.3770, 7.7970e33, 5.7518e33),
}


@pytest.mark.parametrize("event", EVENTS)
def test_eddington_model_of_the_reference_stars(shared, event):
    star = star_of(reference(shared, event))
    zeta = star.composition.zeta
    q = screening_scale_keV(star.rho_c_g_cm3, star.t_c_keV, zeta) / star.t_c_keV
    found = (
        star.composition.mu,
        zeta,
        star.beta,
        star.rho_c_g_cm3,
        q,
        total(star),
        band(star),
    )
    np.testing.assert_allclose(np.array(found, float), WORKED[event], rtol=1e-3)
    assert not bool(star.outside_validity)


@pytest.mark.parametrize("event", EVENTS)
def test_eddington_model_is_within_ten_percent_of_the_profile(shared, event):
    history_mass = {"wnh": 56.0756, "he_ignition": 17.9030, "wc": 12.0647}[event]
    row = reference(shared, event) | {"M_Msun": history_mass * c.M_SUN_MESA_G / c.M_SUN_G}
    star, exact = star_of(row), profile(shared, event)
    assert -0.10 < float(total(star) / total(exact)) - 1 < 0.10
    assert -0.10 < float(band(star) / band(exact)) - 1 < 0.10
    assert -0.03 < float(mean_energy(star) / mean_energy(exact)) - 1 < 0.02


def test_universal_functions_take_their_known_values():
    q = jnp.array([0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 1.0])
    known = [
        47.929432,
        42.690816,
        38.988471,
        36.129833,
        33.806111,
        31.852398,
        30.170133,
        27.385418,
        19.074717,
    ]
    np.testing.assert_allclose(universal_total(q), known, rtol=2e-8)
    u = jnp.array([1.0, 2.0, 4.0, 1.0, 4.0])
    q = jnp.array([0.3, 0.3, 0.3, 0.2, 0.5])
    known = [1.7207998, 0.45172838, 0.040363596, 2.0979141, 0.033528805]
    np.testing.assert_allclose(universal_shape(u, q) / u**3, known, rtol=3e-8)


def test_universal_spectrum_is_the_zone_sum(shared):
    star = star_of(reference(shared, "wc"))
    energy = jnp.array([0.0, 0.5, 5.0, 30.0, 150.0, 900.0])
    np.testing.assert_allclose(eddington_spectrum(star, energy), spectrum(star, energy), rtol=1e-12)
    np.testing.assert_allclose(eddington_luminosity(star), total(star), rtol=1e-11)
    # The prefactor in the units of the literature.
    u = energy / star.t_c_keV
    q = screening_scale_keV(star.rho_c_g_cm3, star.t_c_keV, star.composition.zeta) / star.t_c_keV
    expected = 1.334766e27 * star.mass_Msun / 10 * star.composition.zeta * star.t_c_keV**3
    np.testing.assert_allclose(
        spectrum(star, energy)[1:], (expected * universal_shape(u, q))[1:], rtol=1e-5
    )


def test_energy_quadrature_has_converged(shared):
    star = profile(shared, "wc")
    x, w = np.polynomial.legendre.leggauss(40)
    edges = np.concatenate([[0.0], np.geomspace(0.01, 1500.0, 40)])
    half = 0.5 * np.diff(edges)[:, None]
    energy, weight = (edges[:-1, None] + half * (x + 1)).ravel(), (half * w).ravel()
    fine = weight @ np.asarray(spectrum(star, jnp.asarray(energy)))
    assert float(total(star)) == pytest.approx(fine, rel=1e-9)
    assert float(jnp.sum(zone_luminosity(star))) == pytest.approx(fine, rel=1e-9)
    for lo, hi in ((10.0, 80.0), (0.1, 1000.0), (3.0, 6.0)):
        edges = np.geomspace(lo, hi, 60)
        half = 0.5 * np.diff(edges)[:, None]
        energy, weight = (edges[:-1, None] + half * (x + 1)).ravel(), (half * w).ravel()
        fine = weight @ np.asarray(spectrum(star, jnp.asarray(energy)))
        assert float(band(star, lo, hi)) == pytest.approx(fine, rel=1e-9)


def test_mean_energy_of_a_dark_star_is_zero():
    zero = jnp.zeros(3)
    star = StellarProfile(zero, zero, zero, zero, zero)
    assert float(mean_energy(star)) == 0.0
    assert float(total(star)) == 0.0
    assert set(flagged_fractions(star).values()) == {0.0}


def test_flags_follow_the_luminosity(shared):
    star = profile(shared, "wc")
    assert flagged_fractions(star)["plasma"] == 0.0
    soft = flagged_fractions(star, lowest_energy_keV=1.0)["plasma"]
    assert 0.5 < soft < 1.0
    row = reference(shared, "wc") | {"logTc": 8.9}
    hot = flagged_fractions(star_of(row))
    assert hot["relativistic"] > 0.3
    assert bool(star_of(row).outside_validity)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_order_of_zones_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    columns = rng.uniform(0.5, 20.0, (5, 12))
    star = StellarProfile(*columns)
    mixed = StellarProfile(*columns[:, rng.permutation(12)])
    energy = jnp.array([1.0, 10.0, 60.0])
    np.testing.assert_allclose(spectrum(star, energy), spectrum(mixed, energy), rtol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 10.0))
def test_luminosity_is_linear_in_volume(factor):
    columns = np.full((5, 12), 3.0)
    scaled = columns.copy()
    scaled[4] *= factor
    one, other = total(StellarProfile(*columns)), total(StellarProfile(*scaled))
    assert float(other) == pytest.approx(factor * float(one), rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.floats(5.0, 100.0), st.floats(3.0, 40.0))
def test_eddington_star_scales_as_mass_at_fixed_q(mass, t_c):
    """L/(M zeta T_c^4) depends on q alone, so the universal function predicts it."""
    composition = make_composition({"h1": 0.3, "he4": 0.7})
    star = EddingtonStar(mass, t_c, composition)
    kappa2 = 0.42431 * star.rho_c_g_cm3 * composition.zeta / star.t_c_keV
    k_of_q = jit_universal_total(jnp.sqrt(kappa2) / star.t_c_keV)
    expected = 5.834956e26 * mass / 10 * composition.zeta * t_c**4 * k_of_q
    assert float(total(star)) == pytest.approx(float(expected), rel=2e-5)
