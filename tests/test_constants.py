"""Constants and natural-unit factors against astropy.units and scipy's CODATA set."""

import astropy.constants as ac
import astropy.units as au
import numpy as np
import pytest

from diffaxion import constants as c

HBAR_C = ac.hbar * ac.c


@pytest.mark.parametrize(
    ("value", "quantity", "unit", "rtol"),
    [
        (c.HBAR_C_EV_CM, HBAR_C, au.eV * au.cm, 1e-12),
        (c.KPC_CM, 1 * au.kpc, au.cm, 1e-12),
        (c.ARCMIN_RAD, 1 * au.arcmin, au.rad, 1e-15),
        (c.KPC_EV_INV, (1 * au.kpc / HBAR_C), 1 / au.eV, 1e-12),
        (c.KELVIN_TO_KEV, ac.k_B * (1 * au.K), au.keV, 1e-12),
        (c.M_E_KEV, ac.m_e * ac.c**2, au.keV, 1e-8),
        (c.M_U_GEV, ac.u * ac.c**2, au.GeV, 1e-8),
        (c.M_SUN_G, ac.GM_sun / ac.G, au.g, 1e-12),
        (c.R_SUN_CM, ac.R_sun, au.cm, 1e-12),
        (c.RADIATION_CONSTANT_CGS, 4 * ac.sigma_sb / ac.c, au.erg / au.cm**3 / au.K**4, 1e-9),
        (
            c.KEV4_EMISSIVITY_CGS,
            (1 * au.keV) ** 4 / (ac.hbar * HBAR_C**3),
            au.erg / au.cm**3 / au.s / au.keV,
            1e-10,
        ),
    ],
)
def test_against_astropy(value, quantity, unit, rtol):
    np.testing.assert_allclose(value, quantity.to(unit).value, rtol=rtol)


def test_fine_structure_constant():
    np.testing.assert_allclose(c.ALPHA_EM, ac.alpha.value, rtol=1e-9)


def test_gauss_is_heaviside_lorentz():
    """B^2/2 in natural units is the energy density B^2/(2 mu0)."""
    density = ((1 * au.G) ** 2 / (2 * ac.mu0)).to(au.J / au.m**3)
    natural = 0.5 * c.GAUSS_EV2**2 * au.eV**4 / HBAR_C**3
    np.testing.assert_allclose(natural.to(au.J / au.m**3).value, density.value, rtol=1e-9)


def test_plasma_frequency():
    """omega_pl^2 = n_e e^2/(eps0 m_e), converted to energy."""
    omega = np.sqrt((1 / au.cm**3) * ac.e.si**2 / (ac.eps0 * ac.m_e))
    energy = (ac.hbar * omega).to(au.eV).value
    np.testing.assert_allclose(c.OMEGA_PL2_EV2_CM3, energy**2, rtol=1e-8)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # Values of the same quantities worked out elsewhere with CODATA 2022, to their last digit.
        (c.DELTA_AG_KPC, 1.527403058e-3),
        (c.DELTA_A_KPC * 1e-22 / 10, 7.818691530e-1),
        (c.DELTA_PL_KPC / 10, 1.078074255e1),
        (c.DELTA_QED_KPC, 4.142870239e-15),
        (c.DELTA_CMB_KPC, 7.969267333e-14),
        (c.B_CRIT_G, 4.414005231e13),
        (c.CHI_CMB, 5.09629220e-43),
    ],
)
def test_mixing_terms(value, expected):
    np.testing.assert_allclose(value, expected, rtol=5e-10)
