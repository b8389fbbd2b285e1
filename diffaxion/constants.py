"""Physical constants and natural-unit factors: the only place that has them.

CODATA 2022 values (https://physics.nist.gov/constants); solar mass and radius from IAU 2015
Resolution B3 with the CODATA 2022 value of G; the kiloparsec from the IAU 2015 definition
648000/pi au. Conversions to natural units (hbar = c = k_B = 1, Heaviside-Lorentz) are derived
here from those values and tested against ``astropy.units``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

# --- CODATA 2022, SI and cgs -----------------------------------------------------------------
ALPHA_EM = 7.2973525643e-3
C_CM_S = 2.99792458e10
HBAR_EV_S = 6.582119569509066e-16
K_B_EV_K = 8.617333262145179e-5
K_B_ERG_K = 1.380649e-16
ERG_PER_KEV = 1.602176634e-9
ELEMENTARY_CHARGE_C = 1.602176634e-19
M_E_KEV = 510.99895069
M_U_G = 1.66053906892e-24
M_U_GEV = 0.93149410372
M_P_G = 1.67262192595e-24
G_CGS = 6.67430e-8
RADIATION_CONSTANT_CGS = 7.565733250280007e-15
EPSILON_0_SI = 8.8541878188e-12

# --- astronomy -------------------------------------------------------------------------------
M_SUN_G = 1.3271244e26 / G_CGS
R_SUN_CM = 6.957e10
# MESA's own units before release 10000 or so; profiles of old runs are written in them.
M_SUN_MESA_G = 1.9892e33
R_SUN_MESA_CM = 6.9598e10
KPC_CM = 3.0856775814913673e21
MPC_CM = 1e3 * KPC_CM
YEAR_S = 31557600.0
T_CMB_K = 2.7255

# --- natural units ---------------------------------------------------------------------------
KELVIN_TO_KEV = K_B_EV_K * 1e-3
HBAR_C_EV_CM = HBAR_EV_S * C_CM_S
HBAR_C_KEV_CM = HBAR_C_EV_CM * 1e-3
HBAR_KEV_S = HBAR_EV_S * 1e-3
KPC_EV_INV = KPC_CM / HBAR_C_EV_CM
# B^2/2 is the energy density (Heaviside-Lorentz): 1 G = sqrt(1e-8 T^2/mu_0 (hbar c)^3 / J).
GAUSS_EV2 = math.sqrt(
    1e-8 * EPSILON_0_SI * (C_CM_S * 1e-2) ** 2 / ELEMENTARY_CHARGE_C * (HBAR_C_EV_CM * 1e-2) ** 3
)
B_CRIT_G = (M_E_KEV * 1e3) ** 2 / math.sqrt(4.0 * math.pi * ALPHA_EM) / GAUSS_EV2
# 1 keV^4 as an emissivity [erg cm^-3 s^-1 keV^-1].
KEV4_EMISSIVITY_CGS = ERG_PER_KEV / (HBAR_KEV_S * HBAR_C_KEV_CM**3)
# omega_pl^2 of one electron per cm^3 [eV^2].
OMEGA_PL2_EV2_CM3 = 4.0 * math.pi * ALPHA_EM * HBAR_C_EV_CM**3 / (M_E_KEV * 1e3)

# --- conversion: the reference coupling and the mixing terms per kpc --------------------------
G_REF_GEV = 1e-12
# Delta_ag = g B/2 for g = 1e-12 GeV^-1 and B = 1 muG [kpc^-1].
DELTA_AG_KPC = 0.5 * (G_REF_GEV * 1e-9) * (1e-6 * GAUSS_EV2) * KPC_EV_INV
# |Delta_a| = m^2/(2E) for m = 1 eV and E = 1 keV [kpc^-1].
DELTA_A_KPC = 0.5 / 1e3 * KPC_EV_INV
# |Delta_pl| = omega_pl^2/(2E) for n_e = 1 cm^-3 and E = 1 keV [kpc^-1].
DELTA_PL_KPC = OMEGA_PL2_EV2_CM3 * DELTA_A_KPC
# D_QED = (alpha/45 pi)(B/B_crit)^2 E for B = 1 muG and E = 1 keV [kpc^-1].
DELTA_QED_KPC = ALPHA_EM / (45.0 * math.pi) * (1e-6 / B_CRIT_G) ** 2 * 1e3 * KPC_EV_INV
# chi_CMB = (44 alpha^2/135) rho_CMB/m_e^4, and Delta_CMB = chi E for E = 1 keV [kpc^-1].
CHI_CMB = (
    44.0
    * ALPHA_EM**2
    / 135.0
    * (math.pi**2 / 15.0)
    * (K_B_EV_K * T_CMB_K) ** 4
    / (M_E_KEV * 1e3) ** 4
)
DELTA_CMB_KPC = CHI_CMB * 1e3 * KPC_EV_INV

# --- halos: screening of the CMB ---------------------------------------------------------------
C_KM_S = C_CM_S * 1e-5
MPC_EV_INV = MPC_CM / HBAR_C_EV_CM
# G [m^3 kg^-1 s^-2] Msun^2 Mpc^-4 as a pressure [Pa].
G_MSUN2_MPC4_PA = 0.1 * G_CGS * M_SUN_G**2 / MPC_CM**4
# B [G] = this * sqrt(P [Pa]/beta): B^2/(2 mu_0) = P/beta, in SI, then tesla to gauss.
SQRT_2_MU0_GAUSS = 1e4 * math.sqrt(2.0 / (EPSILON_0_SI * (C_CM_S * 1e-2) ** 2))


class ScreeningConstants(NamedTuple):
    """Constants of the halo model and of resonant conversion, which come in two sets.

    Attributes
    ----------
    critical_density_h2_Msun_Mpc3 : float
        3 H^2/(8 pi G) for H = 100 km/s/Mpc [Msun Mpc^-3].
    proton_mass_Msun : float
        m_p [Msun].
    plasma_mass2_eV2_cm3 : float
        m_gamma^2 = 4 pi alpha n_e/m_e for n_e = 1 cm^-3 [eV^2].
    resonance_density_Mpc3_GeV2 : float
        n_res/m_a^2 [Mpc^-3 GeV^-2].
    plasma_gradient_GeV3_Mpc4 : float
        d m_gamma^2/dr for d n_e/dr = 1 Mpc^-4 [GeV^3].
    gauss_GeV2 : float
        1 G [GeV^2].
    hbar_eV_s : float
        hbar [eV s].
    """

    critical_density_h2_Msun_Mpc3: float
    proton_mass_Msun: float
    plasma_mass2_eV2_cm3: float
    resonance_density_Mpc3_GeV2: float
    plasma_gradient_GeV3_Mpc4: float
    gauss_GeV2: float
    hbar_eV_s: float


_PLASMA_MPC = OMEGA_PL2_EV2_CM3 / MPC_CM**3 * 1e-18  # m_gamma^2 at one electron per Mpc^3 [GeV^2]

ARCMIN_RAD = math.pi / 10800.0
"""One arcminute [rad]."""

K_PER_UK = 1e-6
"""One microkelvin [K]."""

# "exact" is derived from the CODATA values above; "public-code" are the rounded numbers of the
# public code axilotl/hmvec (arXiv:2409.10514), kept for comparison with its spectra only.
SCREENING_CONSTANTS = {
    "exact": ScreeningConstants(
        3.0 * (1e7 / MPC_CM) ** 2 / (8.0 * math.pi * G_CGS) * MPC_CM**3 / M_SUN_G,
        M_P_G / M_SUN_G,
        OMEGA_PL2_EV2_CM3,
        1.0 / _PLASMA_MPC,
        _PLASMA_MPC / (MPC_EV_INV * 1e9),
        GAUSS_EV2 * 1e-18,
        HBAR_EV_S,
    ),
    "public-code": ScreeningConstants(
        2.776419881e11,
        8.411856873e-58,
        1.376743653e-21,
        2.134020331e112,
        2.998820175e-151,
        1.95e-20,
        6.581219598e-16,
    ),
}
