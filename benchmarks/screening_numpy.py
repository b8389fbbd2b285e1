"""The ``parity`` screening spectrum in plain NumPy and SciPy, a referee for speed and values.

Written as one would without JAX: what does not depend on the axion's mass once (`setup`), then per
mass the roots, the field, the probability and one sum over (l, z, M) (`spectrum`). Roots
either by Newton's method on all cells at once or, as the public code does, by a bracketing search
in each cell (`bracketed_roots`, to be timed on a subset). Of the package it takes the rounded
constants and the tables of dN/dz and of the magnetic field only.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from scipy import integrate, interpolate, optimize, special

from diffaxion.constants import MPC_CM, MPC_EV_INV, SCREENING_CONSTANTS
from diffaxion.data import load_table

CODE = SCREENING_CONSTANTS["public-code"]
H, WB, WM, A_S, N_S = 0.6732, 0.0224, 0.1425, 2.100583e-9, 0.9661
ALPHA_S, SIGMA_LOGM, LOG_M_MIN, LOG_M_1, CUT = (
    1.3039425,
    0.68660116,
    11.967819893,
    12.873163893,
    1.0868995,
)
GAMMA, NU_GHZ, FACTOR_UK = -0.2, 353.0, -437599.232


def _eisenstein_hu(k):
    theta, fb = 2.726 / 2.7, WB / WM
    fc, k_eq, z_eq = 1 - fb, 7.46e-2 * WM / theta**2, 2.5e4 * WM / theta**4
    b1, b2 = 0.313 * WM**-0.419 * (1 + 0.607 * WM**0.674), 0.238 * WM**0.223
    z_d = 1291 * WM**0.251 / (1 + 0.659 * WM**0.828) * (1 + b1 * WB**b2)
    r_eq, r_d = 31.5e3 * WB * theta**-4 / z_eq, 31.5e3 * WB * theta**-4 / z_d
    s = np.log((np.sqrt(1 + r_d) + np.sqrt(r_d + r_eq)) / (1 + np.sqrt(r_eq)))
    s *= 2 / (3 * k_eq) * np.sqrt(6 / r_eq)
    silk = 1.6 * WB**0.52 * WM**0.73 * (1 + (10.4 * WM) ** -0.95)
    a1 = (46.9 * WM) ** 0.67 * (1 + (32.1 * WM) ** -0.532)
    a2 = (12 * WM) ** 0.424 * (1 + (45 * WM) ** -0.582)
    alpha = a1**-fb * a2 ** (-(fb**3))
    beta = 1 / (1 + 0.944 / (1 + (458 * WM) ** -0.708) * (fc ** ((0.395 * WM) ** -0.0266) - 1))
    q, ks = k / (13.41 * k_eq), k * s

    def t0(a, b):
        log = np.log(np.e + 1.8 * b * q)
        return log / (log + (14.2 / a + 386 / (1 + 69.9 * q**1.08)) * q**2)

    f = 1 / (1 + (ks / 5.4) ** 4)
    y = (1 + z_eq) / (1 + z_d)
    x = np.sqrt(1 + y)
    g = y * (-6 * x + (2 + 3 * y) * np.log((x + 1) / (x - 1)))
    alpha_b = 2.07 * k_eq * s * (1 + r_d) ** -0.75 * g
    beta_b = 0.5 + fb + (3 - 2 * fb) * np.sqrt((17.2 * WM) ** 2 + 1)
    shifted = s / (1 + (8.41 * WM**0.435 / ks) ** 3) ** (1 / 3)
    wiggles = alpha_b / (1 + (beta_b / ks) ** 3) * np.exp(-((k / silk) ** 1.4))
    baryons = (t0(1, 1) / (1 + (ks / 5.2) ** 2) + wiggles) * np.sinc(k * shifted / np.pi)
    transfer = fb * baryons + fc * (f * t0(1, beta) + (1 - f) * t0(alpha, beta))
    amplitude = 8 * np.pi**2 / 25 * A_S * 2997.92458**4 / WM**2
    return amplitude * k * (k / 0.05) ** (N_S - 1) * transfer**2


def _simpson(x):
    return integrate.simpson(np.eye(x.size), x=x)


def _nfw(c):
    return np.log1p(c) - c / (1 + c)


def _tinker10(nu, z):
    a = 1 + np.minimum(z, 3.0)
    beta, phi, eta, gamma = 0.589 * a**0.2, -0.729 * a**-0.08, -0.243 * a**0.27, 0.864 * a**-0.01
    return (1 + (beta * nu) ** (-2 * phi)) * nu ** (2 * eta) * np.exp(-gamma * nu**2 / 2)


def _bias(nu):
    y = np.log10(200.0)
    e = np.exp(-((4 / y) ** 4))
    drop = (1 + 0.24 * y * e) * nu ** (0.44 * y - 0.88)
    drop /= nu ** (0.44 * y - 0.88) + 1.686 ** (0.44 * y - 0.88)
    return 1 - drop + 0.183 * nu**1.5 + (0.019 + 0.107 * y + 0.19 * e) * nu**2.4


def setup(ell):
    """All that does not depend on the axion's mass."""
    z, mass = np.linspace(0.005, 1.9, 50)[:, None], np.geomspace(1e9, 5e15, 100)
    wr = 2.47282e-5 * (1 + 3.046 * 7 / 8 * (4 / 11) ** (4 / 3))

    def expansion(z):
        return WM * (1 + z) ** 3 + wr * (1 + z) ** 4 + H**2 - WM - wr

    unit = CODE.critical_density_h2_Msun_Mpc3
    hubble = np.sqrt(expansion(z)) / 2997.92458
    node, weight = np.polynomial.legendre.leggauss(64)
    chi = np.sum(weight / np.sqrt(expansion(z / 2 * (node + 1))), 1, keepdims=True)
    chi *= 2997.92458 * z / 2
    y = (H**2 / WM - 1) / (1 + z) ** 3
    growth = np.sqrt(1 + y) / (1 + z) * special.hyp2f1(5 / 6, 3 / 2, 11 / 6, -y)
    rho_c, rho_m = unit * expansion(z), unit * WM
    # variance, abundance, bias
    k = np.geomspace(1e-4, 2000.0, 4001)
    kr = np.cbrt(3 * mass / (4 * np.pi * rho_m))[:, None] * k
    top_hat = np.where(kr < 0.01, 1 - kr**2 / 10, 3 * (np.sin(kr) - kr * np.cos(kr)) / kr**3)
    variance = top_hat**2 @ (_simpson(np.log(k)) * k**3 * _eisenstein_hu(k)) / (2 * np.pi**2)
    sigma = np.sqrt(variance * np.polyval([0.000029, -0.000129, -0.000919, 0.998361], z)) * growth
    nu = 1.686 / sigma
    all_nu = np.geomspace(1e-6, 1e2, 10000)
    alpha = 1 / np.trapezoid(_bias(all_nu) * _tinker10(all_nu, z), all_nu, axis=1)
    slope = np.gradient(-np.log(sigma), np.log(mass), axis=1)
    number = rho_m / mass**2 * nu * alpha[:, None] * _tinker10(nu, z) * slope * _simpson(mass)
    biased = number * _bias(nu)
    # masses and radii
    u = WM * (1 + z) ** 3 / expansion(z) - 1
    virial = 18 * np.pi**2 + 82 * u - 39 * u**2
    c_vir = 7.85 * (H * mass / 2e12) ** -0.081 * (1 + z) ** -0.71
    wanted, ln_c = np.log(200 / virial * _nfw(c_vir)) - 3 * np.log(c_vir), np.log(c_vir)
    for _ in range(8):
        c = np.exp(ln_c)
        rate = (c / (1 + c)) ** 2 / _nfw(c) - 3
        ln_c = ln_c - (np.log(_nfw(c)) - 3 * ln_c - wanted) / rate
    m200 = mass * _nfw(np.exp(ln_c)) / _nfw(c_vir)
    r200 = np.cbrt(3 * m200 / (800 * np.pi * rho_c))
    r_vir = np.cbrt(3 * mass / (4 * np.pi * virial * rho_c))
    c200 = 5.71 * (H * m200 / 2e12) ** -0.084 * (1 + z) ** -0.47
    # galaxies
    log_mass = np.log10(m200)
    central = 0.5 * (1 + special.erf((log_mass - LOG_M_MIN) / SIGMA_LOGM))
    satellite = central * 10 ** (ALPHA_S * (log_mass - LOG_M_1))
    nbar = np.sum(number * (central + satellite), 1, keepdims=True)
    table = load_table("unwise_blue_dndz")
    dndz = interpolate.CubicSpline(table["z"], table["dndz"])(z)
    kernel = hubble / chi**2 * dndz / nbar
    heavy = mass >= 1e11
    q = (ell[:, None, None] + 0.5) / chi * (r200 / c200)[:, heavy] * (1 + z)
    cut = CUT * c200[:, heavy]
    (si_0, ci_0), (si_1, ci_1) = special.sici(q), special.sici(q * (1 + cut))
    profile = np.cos(q) * (ci_1 - ci_0) + np.sin(q) * (si_1 - si_0)
    profile = (profile - np.sin(q * cut) / (q * (1 + cut))) / _nfw(cut)
    total = central + satellite
    spread = np.sum((biased * satellite)[:, heavy] * profile, 2)
    biased_galaxies = spread + np.sum(biased * np.where(heavy, central, total), 1)
    volume = _simpson(z[:, 0]) * chi[:, 0] ** 2 / hubble[:, 0]
    power = _eisenstein_hu((ell[:, None] + 0.5) / chi[:, 0]) * growth[:, 0] ** 2
    # gas and field
    pivot = m200[:, heavy] / 1e14
    rho, alpha_g, beta = (
        a * pivot**am * (1 + z) ** az
        for a, am, az in ((4000, 0.29, -0.66), (0.88, -0.03, 0.19), (3.83, 0.04, -0.025))
    )
    electrons = 1.76 / (2 * CODE.proton_mass_Msun * MPC_CM**3) * WB / WM * rho_c * rho
    quintics = load_table("halo_field_tng_quintics")
    coefficients = np.stack([quintics[f"c{i}"] for i in range(6)], -1).reshape(4, 8, 6)
    i = np.sum(z > np.array([0.25, 0.75, 1.25]), 1)[:, None]
    j = np.clip(np.floor((log_mass[:, heavy] - 11) / 0.5).astype(int), 0, 7)
    return SimpleNamespace(
        ell=ell,
        z=z,
        chi=chi,
        r200=r200[:, heavy],
        x_vir=(r_vir / r200)[:, heavy],
        inside=m200[:, heavy] >= 1e11,
        alpha=alpha_g,
        steep=beta + GAMMA,
        ln_electrons=np.log(electrons),
        field=np.moveaxis(coefficients[i, j], -1, 0),
        central=central[:, heavy],
        satellite=satellite[:, heavy],
        profile=profile,
        number=number[:, heavy],
        biased=biased[:, heavy],
        line=(volume * kernel[:, 0])[:, None],
        two_halo=power * volume * kernel[:, 0] * biased_galaxies,
    )


def newton_roots(s, ln_resonance):
    """ln(2x) of every cell at once."""
    depth = ln_resonance - s.ln_electrons
    u = np.maximum(-depth / (s.steep - GAMMA), 0.0)
    for _ in range(10):
        e = s.alpha * u
        value = GAMMA * u - s.steep / s.alpha * np.logaddexp(0.0, e) - depth
        u = u - value / (GAMMA - s.steep * special.expit(e))
    return u


def bracketed_roots(s, ln_resonance, every):
    """The same by a bracketing search in every n-th cell; their number and the roots."""
    cells = zip(
        s.alpha.flat[::every], s.steep.flat[::every], s.ln_electrons.flat[::every], strict=True
    )

    def root(a, b, n):
        def function(u):
            return n + GAMMA * u - b / a * np.logaddexp(0.0, a * u) - ln_resonance

        return optimize.brentq(function, -150.0, 50.0)

    return np.array([root(*cell) for cell in cells])


def ln_resonance_density(m_a_eV):
    """ln n_res [cm^-3]."""
    return np.log(CODE.resonance_density_Mpc3_GeV2 * (m_a_eV * 1e-9) ** 2 / MPC_CM**3)


def spectrum(s, m_a_eV):
    """C_l^Tg per u [uK]."""
    u = newton_roots(s, ln_resonance_density(m_a_eV))
    x = 0.5 * np.exp(np.clip(u, -30.0, 30.0))
    slope = GAMMA - s.steep * special.expit(s.alpha * u)
    b_gauss = 10.0 ** np.polyval(s.field[::-1], np.log10(np.clip(x, 0.05, 2.0)))
    omega = 2e9 * np.pi * CODE.hbar_eV_s * NU_GHZ * (1 + s.z)
    gradient = CODE.plasma_gradient_GeV3_Mpc4 * CODE.resonance_density_Mpc3_GeV2 * 1e9 * MPC_EV_INV
    gradient *= m_a_eV**2 * np.abs(slope) / (x * s.r200)
    mixing = 0.5 * 1e-12 * b_gauss * CODE.gauss_GeV2 * 1e9
    p = 4 * np.pi * MPC_EV_INV * mixing**2 * omega / gradient
    keep = (x >= 0.1) & (x <= 1.1) & s.inside
    window = np.where(keep, np.heaviside(s.x_vir - x, 0.5), 0.0)
    theta = np.where(window > 0, x * s.r200 * (1 + s.z) / s.chi, 1e-9)
    depth = FACTOR_UK * 2 / 3 * p * window * 2 * np.pi * theta**2
    a = (s.ell[:, None, None] + 0.5) * theta
    f = np.sin(a) / a
    flat = f.reshape(s.ell.size, -1)
    one = depth * s.number * s.line
    total = flat @ (one * s.central).ravel()
    total += (f * s.profile).reshape(s.ell.size, -1) @ (one * s.satellite).ravel()
    return total + np.sum(s.two_halo * np.einsum("lzm,zm->lz", f, depth * s.biased), 1)
