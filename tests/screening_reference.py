"""One spectrum of `parity`, slowly: SciPy and loops, formulas as in the specification.

Nothing of the package is called. From it come only the rounded constants, the tables of dN/dz and
of the quintics, and the nodes of the sigma integral, which are a choice of grid. Without quintics
the boson is a dark photon.
"""

import numpy as np
from scipy import integrate, interpolate, optimize, special

H, WB, WC, A_S, N_S, T_CMB, N_EFF = 0.6732, 0.0224, 0.1201, 2.100583e-9, 0.9661, 2.7255, 3.046
WM = WB + WC
MPC_CM = 3.0856775814913673e24


# --- background and linear power ------------------------------------------------------------------
def hubble(z):
    wr = 2.47282e-5 * (1.0 + N_EFF * (7.0 / 8.0) * (4.0 / 11.0) ** (4.0 / 3.0))
    rest = H**2 - WM - wr
    return 100.0 / 299792.458 * np.sqrt(WM * (1 + z) ** 3 + wr * (1 + z) ** 4 + rest)


def distance(z):
    return integrate.quad(lambda x: 1.0 / hubble(x), 0.0, z, epsabs=0.0, epsrel=1e-13)[0]


def growth(z):
    a = 1.0 / (1.0 + z)
    y = (1.0 - WM / H**2) / (WM / H**2) * a**3
    return a * np.sqrt(1.0 + y) * special.hyp2f1(5 / 6, 3 / 2, 11 / 6, -y)


def transfer(k):
    """Eisenstein & Hu 1998, with wiggles."""
    theta, fb = 2.726 / 2.7, WB / WM
    k_eq, z_eq = 7.46e-2 * WM / theta**2, 2.5e4 * WM / theta**4
    b1, b2 = 0.313 * WM**-0.419 * (1.0 + 0.607 * WM**0.674), 0.238 * WM**0.223
    z_d = 1291.0 * WM**0.251 / (1.0 + 0.659 * WM**0.828) * (1.0 + b1 * WB**b2)
    r_eq, r_d = (31.5 * WB * theta**-4 * 1000.0 / z for z in (z_eq, z_d))
    ratio = (np.sqrt(1.0 + r_d) + np.sqrt(r_d + r_eq)) / (1.0 + np.sqrt(r_eq))
    s = 2.0 / (3.0 * k_eq) * np.sqrt(6.0 / r_eq) * np.log(ratio)
    k_silk = 1.6 * WB**0.52 * WM**0.73 * (1.0 + (10.4 * WM) ** -0.95)
    a1 = (46.9 * WM) ** 0.67 * (1.0 + (32.1 * WM) ** -0.532)
    a2 = (12.0 * WM) ** 0.424 * (1.0 + (45.0 * WM) ** -0.582)
    alpha_c = a1**-fb * a2 ** -(fb**3)
    power = (1.0 - fb) ** ((0.395 * WM) ** -0.0266)
    beta_c = 1.0 / (1.0 + 0.944 / (1.0 + (458.0 * WM) ** -0.708) * (power - 1.0))
    q, ks = k / (13.41 * k_eq), k * s

    def t0(a, b):
        log = np.log(np.e + 1.8 * b * q)
        return log / (log + (14.2 / a + 386.0 / (1.0 + 69.9 * q**1.08)) * q * q)

    f = 1.0 / (1.0 + (ks / 5.4) ** 4)
    cold = f * t0(1.0, beta_c) + (1.0 - f) * t0(alpha_c, beta_c)
    y = (1.0 + z_eq) / (1.0 + z_d)
    x = np.sqrt(1.0 + y)
    g = y * (-6.0 * x + (2.0 + 3.0 * y) * np.log((x + 1.0) / (x - 1.0)))
    alpha_b = 2.07 * k_eq * s * (1.0 + r_d) ** -0.75 * g
    beta_b = 0.5 + fb + (3.0 - 2.0 * fb) * np.sqrt((17.2 * WM) ** 2 + 1.0)
    shifted = ks / (1.0 + (8.41 * WM**0.435 / ks) ** 3) ** (1.0 / 3.0)
    baryons = t0(1.0, 1.0) / (1.0 + (ks / 5.2) ** 2)
    baryons += alpha_b / (1.0 + (beta_b / ks) ** 3) * np.exp(-((k / k_silk) ** 1.4))
    return fb * baryons * np.sin(shifted) / shifted + (1.0 - fb) * cold


def linear_power(k, z):
    amplitude = 8.0 * np.pi**2 / 25.0 * A_S * 299792.458**4 / (1e4 * WM) ** 2
    return amplitude * k * (k / 0.05) ** (N_S - 1.0) * transfer(k) ** 2 * growth(z) ** 2


def sigma(mass, z, k, rho_m):
    y = k * (3.0 * mass / (4.0 * np.pi * rho_m)) ** (1.0 / 3.0)
    window = 3.0 * (np.sin(y) - y * np.cos(y)) / y**3
    window = np.where(y < 0.01, 1.0 - y**2 / 10.0 + y**4 / 280.0, window)
    f = k**3 * linear_power(k, z) * window**2 / (2.0 * np.pi**2)
    ratio = 0.998361 - 0.000919 * z - 0.000129 * z**2 + 0.000029 * z**3
    return np.sqrt(ratio * integrate.simpson(f, x=np.log(k)))


# --- halos ----------------------------------------------------------------------------------------
def bias(nu):
    y = np.log10(200.0)
    e = np.exp(-((4.0 / y) ** 4))
    a = 0.44 * y - 0.88
    rise = 0.183 * nu**1.5 + (0.019 + 0.107 * y + 0.19 * e) * nu**2.4
    return 1.0 - (1.0 + 0.24 * y * e) * nu**a / (nu**a + 1.686**a) + rise


def multiplicity(nu, z):
    """f/alpha of Tinker et al. 2010 for Delta = 200."""
    beta, phi = 0.589 * (1 + z) ** 0.20, -0.729 * (1 + z) ** -0.08
    eta, gamma = -0.243 * (1 + z) ** 0.27, 0.864 * (1 + z) ** -0.01
    tail = nu ** (2.0 * eta) * np.exp(-gamma * nu**2 / 2.0)
    return (1.0 + (beta * nu) ** (-2.0 * phi)) * tail


def nfw_mass(c):
    return np.log(1.0 + c) - c / (1.0 + c)


class Halo:
    """Radii, masses and concentration of one halo, physical."""

    def __init__(self, mass, z, constants):
        self.z, self.chi = z, distance(z)
        self.rho_c = constants.critical_density_h2_Msun_Mpc3 * (hubble(z) * 2997.92458) ** 2
        u = WM * (1 + z) ** 3 / (hubble(z) * 2997.92458) ** 2 - 1.0
        virial = 18.0 * np.pi**2 + 82.0 * u - 39.0 * u * u
        c = 7.85 * (H * mass / 2e12) ** -0.081 * (1 + z) ** -0.71
        wanted = 200.0 / virial * nfw_mass(c) / c**3
        c2 = optimize.brentq(lambda x: nfw_mass(x) / x**3 - wanted, 0.1 * c, 2 * c, xtol=1e-15)
        self.m200c = mass * nfw_mass(c2) / nfw_mass(c)
        volume = 4.0 * np.pi / 3.0 * self.rho_c
        self.r200c = (self.m200c / (200.0 * volume)) ** (1 / 3)
        self.rvir = (mass / (virial * volume)) ** (1 / 3)
        self.c200c = 5.71 * (H * self.m200c / 2e12) ** -0.084 * (1 + z) ** -0.47

    def galaxies(self, ell):
        """N_c and N_s u_l of the HOD K22."""
        alpha_s, width, minimum, one, cut = (
            *(1.3039425, 0.68660116, 11.967819893, 12.873163893),
            1.0868995,
        )
        log_mass = np.log10(self.m200c)
        central = 0.5 * (1.0 + special.erf((log_mass - minimum) / width))
        satellite = central * 10.0 ** (alpha_s * (log_mass - one))
        x = cut * self.c200c
        q = (ell + 0.5) / self.chi * self.r200c / self.c200c * (1.0 + self.z)
        (si, ci), (si0, ci0) = special.sici((1.0 + x) * q), special.sici(q)
        u = np.cos(q) * (ci - ci0) + np.sin(q) * (si - si0) - np.sin(x * q) / ((1.0 + x) * q)
        return central, satellite, u / nfw_mass(x)

    def resonance(self, m_a_eV, constants):
        """x and s where the AGN profile of Battaglia 2016 has the resonant density."""

        def scaled(amplitude, mass, redshift):
            return amplitude * (self.m200c / 1e14) ** mass * (1 + self.z) ** redshift

        rho_0 = scaled(4000.0, 0.29, -0.66)
        alpha, beta, gamma = scaled(0.88, -0.03, 0.19), scaled(3.83, 0.04, -0.025), -0.2
        unit = 1.76 / (2.0 * constants.proton_mass_Msun) * WB / WM * self.rho_c * rho_0

        def excess(ln_x):
            x_h = 2.0 * np.exp(ln_x)
            shape = gamma * np.log(x_h) - (beta + gamma) / alpha * np.log1p(x_h**alpha)
            wanted = constants.resonance_density_Mpc3_GeV2 * (m_a_eV * 1e-9) ** 2
            return np.log(unit / wanted) + shape

        x = np.exp(optimize.brentq(excess, -40.0, 10.0, xtol=1e-15, rtol=1e-15))
        power = (2.0 * x) ** alpha
        return x, gamma - (beta + gamma) * power / (1.0 + power)

    def field_G(self, x, quintics):
        """Mean field of the nearest snapshot and mass bin."""
        if self.m200c < 1e11:
            return 0.0
        snapshot = int(np.argmin(np.abs(self.z - np.array([0.0, 0.5, 1.0, 1.5]))))
        bin_ = min(int(np.floor((np.log10(self.m200c) - 11.0) / 0.5)), 7)
        return 10.0 ** np.polynomial.polynomial.polyval(np.log10(x), quintics[snapshot, bin_])

    def depth(self, m_a_eV, constants, quintics):
        """(1/3) N_res P 2 pi theta^2 at g = 1e-12 GeV^-1 and 353 GHz, and theta."""
        x, s = self.resonance(m_a_eV, constants)
        theta = x * self.r200c * (1.0 + self.z) / self.chi
        omega = 2.0 * np.pi * constants.hbar_eV_s * 353e9 * (1.0 + self.z) * 1e-9
        density = constants.resonance_density_Mpc3_GeV2 * (m_a_eV * 1e-9) ** 2
        gradient = constants.plasma_gradient_GeV3_Mpc4 * density * abs(s) / (x * self.r200c)
        if quintics is None:
            p = np.pi * 1e-16 * (m_a_eV * 1e-9) ** 4 / (omega * gradient)
            inside = 1e-4 <= x <= 10.0 and x * self.r200c < self.rvir
            return (p * 2.0 * 2.0 * np.pi * theta**2, theta) if inside else (0.0, 0.0)
        if not (0.1 <= x <= 1.1 and x * self.r200c < self.rvir and self.m200c >= 1e11):
            return 0.0, 0.0
        b = self.field_G(x, quintics) * constants.gauss_GeV2
        p = np.pi * 1e-24 * b**2 * omega / gradient
        return p / 3.0 * 2.0 * 2.0 * np.pi * theta**2, theta


def spectra(m_a_eV, ell, z, mass, k, constants, quintics, dndz):
    """One- and two-halo terms of C_l^Tg [uK] at g = 1e-12 GeV^-1, shape (2, l), loop by loop."""
    rho_m = WM * constants.critical_density_h2_Msun_Mpc3
    kernel = interpolate.CubicSpline(*dndz)
    nu_cut = np.geomspace(1e-6, 1e2, 10000)
    x_353 = 2.0 * np.pi * 6.582119569509066e-16 * 353e9 / (8.617333262e-5 * T_CMB)
    temperature = T_CMB * 1e6 * (1.0 - np.exp(-x_353)) / x_353
    one, two = np.zeros((2, ell.size, z.size))
    for i, zi in enumerate(z):
        s = np.array([sigma(m, zi, k, rho_m) for m in mass])
        nu, ln_m, f = 1.686 / s, np.log(mass), -np.log(s)
        slope = np.gradient(f, ln_m)
        alpha = 1.0 / integrate.trapezoid(bias(nu_cut) * multiplicity(nu_cut, zi), nu_cut)
        n = rho_m * nu * alpha * multiplicity(nu, zi) * slope / mass**2
        halos = [Halo(m, zi, constants) for m in mass]
        hosted = [h.galaxies(0.0)[:2] for h in halos]
        nbar = integrate.simpson(n * np.sum(hosted, axis=1), x=mass)
        chi, rate = distance(zi), hubble(zi)
        galaxy = rate / chi**2 * kernel(zi) / nbar
        screened = [h.depth(m_a_eV, constants, quintics) for h in halos]
        for j, l in enumerate(ell):
            u_t, u_g = np.zeros((2, mass.size))
            for h, halo in enumerate(halos):
                depth, theta = screened[h]
                a = (l + 0.5) * theta
                u_t[h] = -temperature * depth * (np.sin(a) / a if a > 0.0 else 1.0)
                central, satellite, u_l = halo.galaxies(l)
                u_g[h] = galaxy * (central + satellite * u_l)
            volume = chi**2 / rate
            one[j, i] = volume * integrate.simpson(n * u_t * u_g, x=mass)
            sides = [integrate.simpson(n * bias(nu) * u, x=mass) for u in (u_t, u_g)]
            two[j, i] = volume * linear_power((l + 0.5) / chi, zi) * sides[0] * sides[1]
    return np.array([integrate.simpson(x, x=z, axis=1) for x in (one, two)])
