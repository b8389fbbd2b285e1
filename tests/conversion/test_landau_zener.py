"""The crossing probability against units, numerical propagation and geometry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import constants as ac
from astropy import units as au
from scipy.integrate import quad
from scipy.optimize import brentq

from diffaxion.constants import MPC_EV_INV, SCREENING_CONSTANTS
from diffaxion.conversion import (
    axion_halo_probability,
    dark_photon_halo_probability,
    landau_zener,
    photon_energy_eV,
    resonance_log_density,
    saturated_conversion,
    transition_width_Mpc,
)
from diffaxion.conversion.landau_zener import (
    EPSILON_REF,
    NUMBER_OF_CROSSINGS,
    ORIENTATION_AVERAGE,
)
from diffaxion.errors import ConfigurationError

# Cells of the public code's grid at z = 0.507755: m [eV], x, s, B [muG], R200c [Mpc], P at
# g = 1e-11 GeV^-1 (printed digits).
PARITY_Z = 0.507755
PARITY = np.array(
    [
        [3.10995155e-13, 0.858129, -2.267772, 0.372156, 0.380320, 8.466576e-6],
        [1.181581733e-12, 0.162086, -0.985521, 2.003285, 0.380320, 7.386671e-6],
        [3.10995155e-13, 0.941913, -2.657027, 0.328838, 1.383451, 2.252673e-5],
        [1.181581733e-12, 0.268077, -1.591430, 1.843567, 1.383451, 2.330710e-5],
    ]
).T
U = 100.0  # u at g = 1e-11 GeV^-1


# --- prefactors --------------------------------------------------------------------------------
def test_parity_cells():
    m, x, s, b, r, expected = PARITY
    p = U * axion_halo_probability(m, b, x, s, r, PARITY_Z, 353.0, "public-code")
    # Six printed digits of B and seven of x, s and P.
    np.testing.assert_allclose(p, expected, rtol=3e-6)
    exact = U * axion_halo_probability(m, b, x, s, r, PARITY_Z, 353.0)
    np.testing.assert_allclose(exact / p, 1.00448, atol=2e-5)


def test_prefactor_with_astropy_units():
    """P = pi g^2 B^2 omega r/(m^2 |s|) for 1e-11 GeV^-1, 1 muG, 1 Mpc, 353 GHz, 3e-13 eV."""
    field = (1e-6 * au.G).to(au.T)
    # Energy density B^2/(2 mu_0) = B_HL^2/2.
    b2 = ((field**2 / ac.mu0).to(au.eV / au.m**3) * (ac.hbar * ac.c) ** 3).to_value(au.eV**4)
    omega = (2 * np.pi * ac.hbar * 353e9 / au.s).to_value(au.eV)
    radius = (1 * au.Mpc / (ac.hbar * ac.c)).to_value(1 / au.eV)
    g = 1e-11 * 1e-9
    expected = np.pi * g**2 * b2 * omega * radius / 3e-13**2
    assert expected == pytest.approx(3.04110162e-4, rel=1e-8)
    ours = U * axion_halo_probability(3e-13, 1.0, 1.0, -1.0, 1.0, 0.0, 353.0)
    assert float(ours) == pytest.approx(expected, rel=1e-8)
    # And every argument scales as written.
    other = U * axion_halo_probability(6e-13, 0.5, 0.4, -2.0, 0.3, 0.7, 143.0)
    scaled = 3.04110162e-4 * 0.25 * 1.7 * (143 / 353) * 0.12 / 4.0 / 2.0
    assert float(other) == pytest.approx(scaled, rel=1e-8)
    assert float(photon_energy_eV(353.0, 0.0)) == pytest.approx(omega, rel=1e-9)
    assert float(photon_energy_eV(353.0, 0.0, "public-code")) == pytest.approx(1.459691087e-3)


def test_dark_photon_with_astropy_units():
    omega = (2 * np.pi * ac.hbar * 143e9 / au.s).to_value(au.eV) * 1.5
    radius = (0.3 * au.Mpc / (ac.hbar * ac.c)).to_value(1 / au.eV)
    expected = np.pi * 1e-16 * 3e-13**2 / omega * radius / 2.2
    ours = dark_photon_halo_probability(3e-13, 0.6, -2.2, 0.5, 0.5, 143.0)
    assert float(ours) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("constants", ["exact", "public-code"])
def test_dark_photon_is_the_axion_with_the_other_mixing(constants):
    """g B/2 = epsilon m^2/(2 omega) makes the two probabilities equal."""
    m, x, s, _, r, _ = PARITY
    omega = photon_energy_eV(353.0, PARITY_Z, constants)
    gauss_eV2 = SCREENING_CONSTANTS[constants].gauss_GeV2 * 1e18
    b_muG = EPSILON_REF * m**2 / omega / 1e-21 / gauss_eV2 * 1e6
    axion = axion_halo_probability(m, b_muG, x, s, r, PARITY_Z, 353.0, constants)
    dark = dark_photon_halo_probability(m, x, s, r, PARITY_Z, 353.0, constants)
    np.testing.assert_allclose(axion, dark, rtol=1e-12)


def test_resonance_density():
    """n_res = m^2 m_e/(4 pi alpha); the plasma frequency of n_e is sqrt(n_e e^2/(eps0 m_e))."""
    n = 3e-4 / au.cm**3
    plasma = ac.hbar * np.sqrt(n * ac.e.si**2 / (ac.eps0 * ac.m_e))
    m = plasma.to_value(au.eV)
    assert float(resonance_log_density(m)) == pytest.approx(np.log(3e-4), abs=1e-8)
    rounded = resonance_log_density(np.sqrt(1.376743653e-21 * 3e-4), "public-code")
    assert float(rounded) == pytest.approx(np.log(3e-4), abs=1e-8)


def test_unknown_choices():
    with pytest.raises(ConfigurationError, match="exact"):
        landau_zener(1e-30, 1e-3, 1e-30, form="exakt")
    with pytest.raises(ConfigurationError, match="public-code"):
        resonance_log_density(1e-13, "public code")


def test_no_resonance_is_zero():
    flat = axion_halo_probability(3e-13, 1.0, 0.5, jnp.array([0.0, 0.04, -0.04]), 0.3, 0.5, 353.0)
    np.testing.assert_array_equal(flat, 0.0)
    assert float(axion_halo_probability(3e-13, 1.0, 0.5, 0.06, 0.3, 0.5, 353.0)) > 0.0
    slope = jax.grad(lambda m: axion_halo_probability(m, 1.0, 0.5, -2.0, 0.3, 0.5, 353.0))(3e-13)
    value = axion_halo_probability(3e-13, 1.0, 0.5, -2.0, 0.3, 0.5, 353.0)
    assert float(slope) == pytest.approx(-2.0 * float(value) / 3e-13, rel=1e-12)


# --- widths ------------------------------------------------------------------------------------
def test_width_of_one_cell():
    m, x, s, _, r, _ = PARITY[:, 0]
    omega = (2 * np.pi * ac.hbar * 353e9 / au.s).to(au.eV) * (1 + PARITY_Z)
    gradient = (m * au.eV) ** 2 * abs(s) / (x * r * au.Mpc)
    width = np.sqrt(4 * np.pi * omega / gradient * ac.hbar * ac.c).to_value(au.Mpc)
    ours = float(transition_width_Mpc(m, x, s, r, PARITY_Z, 353.0))
    assert ours == pytest.approx(width, rel=1e-8)
    # The phase of the crossing reaches pi/4 at half the width.
    rate = m**2 * abs(s) / (x * r) / (2 * omega.value) * MPC_EV_INV
    assert 0.5 * rate * (0.5 * ours) ** 2 == pytest.approx(np.pi / 4)


def agn_crossings(m_eV, z, mass, constants=SCREENING_CONSTANTS["exact"]):
    """x, s and R200c of halos with Battaglia (2016) AGN gas on a (z, M200c) mesh, by bisection."""
    z, mass = z[:, None], mass[None, :]
    rho_c = constants.critical_density_h2_Msun_Mpc3 * 0.6732**2
    rho_c = rho_c * (0.31443 * (1 + z) ** 3 + 0.68557)
    r200c = (3 * mass / (4 * np.pi * 200 * rho_c)) ** (1 / 3)
    m14 = mass / 1e14
    rho_0, alpha, beta = (
        a * m14**p * (1 + z) ** q
        for a, p, q in ((4000, 0.29, -0.66), (0.88, -0.03, 0.19), (3.83, 0.04, -0.025))
    )
    gamma, baryons = -0.2, 0.0224 / 0.1425
    n_0 = 0.88 / constants.proton_mass_Msun * baryons * rho_c * rho_0
    ratio = np.log(constants.resonance_density_Mpc3_GeV2 * (m_eV * 1e-9) ** 2 / n_0)
    lo, hi = np.full_like(ratio, -30.0), np.full_like(ratio, 30.0)
    for _ in range(80):
        u = 0.5 * (lo + hi)
        above = gamma * u - (beta + gamma) / alpha * np.logaddexp(0, alpha * u) > ratio
        lo, hi = np.where(above, u, lo), np.where(above, hi, u)
    s = gamma - (beta + gamma) / (1 + np.exp(-alpha * u))
    return 0.5 * np.exp(u), s, r200c


@pytest.mark.parametrize(
    ("m_eV", "low_pc", "high_pc"), [(3e-13, 200, 1500), (5e-13, 100, 930), (1e-12, 54, 400)]
)
def test_widths_of_halos(m_eV, low_pc, high_pc):
    """The published ranges (two digits, grid of the public code) and l_res << r_res."""
    z, mass = np.linspace(0.005, 1.9, 50), np.geomspace(1e11, 4e15, 67)
    x, s, r200c = agn_crossings(m_eV, z, mass)
    inside = (x > 0.1) & (x < 1.1)
    width = transition_width_Mpc(m_eV, x, s, r200c, z[:, None], 353.0)
    active = 1e6 * np.asarray(width)[inside]
    assert active.min() == pytest.approx(low_pc, rel=0.1)
    assert active.max() == pytest.approx(high_pc, rel=0.1)
    assert np.max((np.asarray(width) / (x * r200c))[inside]) < 0.008


# --- numerical propagation -----------------------------------------------------------------------
RATE, RAMP = 1.0, 30.0  # |d dE/dl| and half length of the ramp, in units of RATE^(-1/2)


def _rotation(mixing, gap):
    """Angle between the photon along B and the local eigenstate."""
    return 0.5 * np.arctan2(2 * mixing, gap)


@pytest.fixture(scope="module")
def propagate():
    """(mixing vector (n, 2), sign) -> transfer matrices of a ramp between local eigenstates.

    State (photon x, photon y, axion), i dU/dl = H U with the photons at RATE l/2 above and the
    axion as much below the mean; classical Runge-Kutta. Rotating to local eigenstates at the ends
    makes the finite ramp count in the third order of mixing/RAMP.
    """
    steps = 12000
    h = 2 * RAMP / steps

    @jax.jit
    def run(mixing, sign):
        n = mixing.shape[0]
        coupling = jnp.zeros((n, 3, 3), complex)
        coupling = coupling.at[:, :2, 2].set(mixing).at[:, 2, :2].set(mixing)
        level = jnp.diag(jnp.array([0.5, 0.5, -0.5]) * RATE) * sign

        def right(l, state):
            return -1j * ((coupling + level * l) @ state)

        def step(state, k):
            l = -RAMP + k * h
            a = right(l, state)
            b = right(l + h / 2, state + h / 2 * a)
            c = right(l + h / 2, state + h / 2 * b)
            d = right(l + h, state + h * c)
            return state + h / 6 * (a + 2 * b + 2 * c + d), None

        start = jnp.broadcast_to(jnp.eye(3, dtype=complex), (n, 3, 3))
        return jax.lax.scan(step, start, jnp.arange(steps))[0]

    def local(mixing, gap):
        size = np.linalg.norm(mixing, axis=1)
        # The eigenstate that continues the photon along B: the angle that is small at both ends.
        angle = _rotation(size, abs(gap)) * np.sign(gap)
        e = mixing / size[:, None]
        out = np.zeros((len(size), 3, 3))
        out[:, :2, 0] = e * np.cos(angle)[:, None]
        out[:, 2, 0] = np.sin(angle)
        out[:, :2, 1] = np.stack([-e[:, 1], e[:, 0]], axis=1)
        out[:, :2, 2] = -e * np.sin(angle)[:, None]
        out[:, 2, 2] = np.cos(angle)
        return out

    def transfer(mixing, sign):
        u = np.asarray(run(jnp.asarray(mixing), jnp.asarray(float(sign))))
        first, last = local(mixing, -sign * RATE * RAMP), local(mixing, sign * RATE * RAMP)
        return np.swapaxes(last, 1, 2) @ u @ first

    return transfer


def test_two_levels(propagate):
    """Parallel photon to axion, for exponents from 1e-4 to 3."""
    gamma = np.array([1e-4, 1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0])
    mixing = np.sqrt(gamma * RATE / (2 * np.pi))
    u = propagate(np.stack([mixing, 0 * mixing], axis=1), 1)
    numerical = np.abs(u[:, 2, 0]) ** 2
    # The integrator itself loses 4e-6 of the norm.
    assert np.max(np.abs(np.sum(np.abs(u) ** 2, axis=1) - 1)) < 1e-5
    # The same system in physical units: dE/dl = (d m^2/dl)/(2 omega), one length unit = 1e-4 Mpc.
    unit = 1e-4 * MPC_EV_INV
    omega = 1.5e-3
    dm2_dl = 2 * omega * RATE / unit / 1e-4
    p = landau_zener(mixing / unit, omega, -dm2_dl)
    np.testing.assert_allclose(p, numerical, rtol=5e-3)
    small = landau_zener(mixing / unit, omega, dm2_dl, form="small")
    np.testing.assert_allclose(small, gamma, rtol=1e-12)
    np.testing.assert_allclose(small[:2], numerical[:2], rtol=5e-3)
    # The perpendicular polarisation is left alone.
    assert np.max(np.abs(np.abs(u[:, 1, 1]) - 1)) < 1e-5


def test_three_states_and_two_crossings(propagate):
    """Unpolarised photons through two crossings with random phase between, and their mean."""
    exponent = np.array([0.01, 0.3, 1.0, 3.0])
    mu, weight = np.polynomial.legendre.leggauss(6)
    mu, weight = 0.5 * (mu + 1), 0.5 * weight
    gamma = (exponent[:, None] * (1 - mu**2)).ravel()
    size = np.sqrt(gamma * RATE / (2 * np.pi))
    direction = np.array([np.cos(0.7), np.sin(0.7)])
    mixing = size[:, None] * direction
    first, second = propagate(mixing, 1), propagate(mixing, -1)
    loss = np.zeros(gamma.size)
    phases = 2 * np.pi * np.arange(8) / 8
    for phase in phases:
        between = np.diag([1.0, 1.0, np.exp(1j * phase)])
        total = second @ between @ first
        # Mean of the two polarisations.
        loss += 0.5 * np.sum(np.abs(total[:, 2, :2]) ** 2, axis=1) / phases.size
    p = 1 - np.exp(-gamma)
    np.testing.assert_allclose(loss, p * (1 - p), rtol=5e-3)
    mean = loss.reshape(exponent.size, -1) @ weight
    np.testing.assert_allclose(saturated_conversion(exponent), mean, rtol=5e-3)


@pytest.mark.parametrize("p", [0.0, 1e-8, 1e-3, 0.7, 5.0, 30.0])
def test_saturated_quadrature(p):
    def integrand(mu):
        q = -np.expm1(-p * (1 - mu * mu))
        return q * (1 - q)

    expected = quad(integrand, 0, 1, epsabs=1e-14, epsrel=1e-12)[0]
    assert float(saturated_conversion(p)) == pytest.approx(expected, rel=1e-9, abs=1e-15)
    if p < 1e-3:
        linear = NUMBER_OF_CROSSINGS * ORIENTATION_AVERAGE * p
        assert float(saturated_conversion(p)) == pytest.approx(linear, rel=1e-7)
    derivative = jax.grad(saturated_conversion)(0.0)
    assert float(derivative) == pytest.approx(NUMBER_OF_CROSSINGS * ORIENTATION_AVERAGE)


# --- geometry ------------------------------------------------------------------------------------
def test_orientation_average():
    """<(B.e)^2>/B^2 for random directions of the field and polarisations e across the line."""
    rng = np.random.default_rng(3)
    n = 4_000_000
    mu, azimuth = rng.uniform(-1, 1, n), rng.uniform(0, 2 * np.pi, n)
    along = np.sqrt(1 - mu**2) * np.cos(azimuth - rng.uniform(0, np.pi, n))
    # Standard error 1.5e-4.
    assert np.mean(along**2) == pytest.approx(ORIENTATION_AVERAGE, abs=1e-3)
    # And without chance: 2/3 of B^2 is transverse, half of it along a given polarisation.
    mu, weight = np.polynomial.legendre.leggauss(4)
    assert 0.5 * np.sum(0.5 * weight * (1 - mu**2)) == pytest.approx(ORIENTATION_AVERAGE)


def test_limb_by_ray_tracing():
    """Lines of sight through a sphere: crossings found on the line, slopes by differences.

    The sum over crossings of |d m^2/dr|/|d m^2/dl|, averaged over the disc, is 2 I_0/(pi theta^2)
    = 4 in the flat sky: twice the crossings times twice the disc.
    """
    s, r_res = -2.3, 0.4

    def excess(l, b):
        return (np.hypot(l, b) / r_res) ** s - 1.0

    def crossings(b):
        half = 2.0 * r_res
        ends = ((-half, -1e-9), (1e-9, half))
        roots = [brentq(excess, *e, args=(b,), xtol=1e-14) for e in ends]
        step = 1e-6 * r_res
        slopes = [(excess(r + step, b) - excess(r - step, b)) / (2 * step) for r in roots]
        return np.array([abs(s) / r_res / abs(v) for v in slopes])

    for b in (0.0, 0.2, 0.36):
        factors = crossings(b)
        assert len(factors) == NUMBER_OF_CROSSINGS
        np.testing.assert_allclose(factors, 1 / np.sqrt(1 - (b / r_res) ** 2), rtol=1e-3)
    # b = r sin v removes the singular limb: d(b^2) = 2 r^2 sin v cos v dv.
    v, weight = np.polynomial.legendre.leggauss(16)
    v, weight = 0.25 * np.pi * (v + 1), 0.25 * np.pi * weight
    rays = np.array([crossings(r_res * np.sin(a)).sum() for a in v])
    assert np.sum(weight * rays * 2 * np.sin(v) * np.cos(v)) == pytest.approx(4.0, rel=1e-3)
