"""The Eddington standard model: an n = 3 polytrope in which gas carries a fixed share of pressure.

It predicts the density of a massive star from its mass, composition and central temperature,
without a fitted parameter. On the 85 Msun track with which it was compared, the axion
luminosity is within 10 % up to log10 T_c = 8.7; later cores, cooled by neutrinos, are denser and
are flagged. Its radius means nothing: it must not be applied to red supergiants.
"""

from __future__ import annotations

import functools
import math
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ...constants import G_CGS, K_B_ERG_K, KELVIN_TO_KEV, M_SUN_G, M_U_G, RADIATION_CONSTANT_CGS
from ...errors import ValidityError
from ...numerics import bracketed_root
from .composition import Composition
from .profile import StellarModel, StellarProfile, _leaf

LOG_T_C_MAX = 8.7
# Nodes of the radial quadrature: 32 are exact to 1e-12 for 0.05 <= E/T_c <= 20.
N_NODES = 32
_REFERENCES = (
    "Eddington 1926, The Internal Constitution of the Stars, chapter VI",
    "Chandrasekhar 1939, An Introduction to the Study of Stellar Structure, chapter VI",
)


@functools.lru_cache(maxsize=1)
def lane_emden_table() -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    """Solution of the Lane-Emden equation of index 3, computed once.

    theta'' + 2 theta'/s + theta^3 = 0, theta(0) = 1, theta'(0) = 0, by fourth-order Runge-Kutta
    with step 1e-3 from a series at the centre; every tenth step is kept.

    Returns
    -------
    tuple
        (s, theta, theta') as arrays, shape (n,), then the first zero s_1 and
        mu_1 = -s_1^2 theta'(s_1); all dimensionless.

    References
    ----------
    Chandrasekhar 1939, chapter IV.
    """

    def slope(s: float, t: float, v: float) -> tuple[float, float]:
        return v, -2.0 * v / s - t**3

    h, s = 1e-3, 1e-3
    # theta = 1 - s^2/6 + s^4/40 - ...
    t, v = 1.0 - s**2 / 6.0 + s**4 / 40.0, -s / 3.0 + s**3 / 10.0
    rows = [(0.0, 1.0, 0.0)]
    step = 1
    while s < 6.95:
        if step % 10 == 0:
            rows.append((s, t, v))
        a1, b1 = slope(s, t, v)
        a2, b2 = slope(s + h / 2, t + h / 2 * a1, v + h / 2 * b1)
        a3, b3 = slope(s + h / 2, t + h / 2 * a2, v + h / 2 * b2)
        a4, b4 = slope(s + h, t + h * a3, v + h * b3)
        t += h / 6.0 * (a1 + 2.0 * a2 + 2.0 * a3 + a4)
        v += h / 6.0 * (b1 + 2.0 * b2 + 2.0 * b3 + b4)
        step += 1
        s = step * h
    table = np.array(rows)
    nodes, theta, slope_ = table.T
    zero = float(nodes[np.argmin(np.abs(theta))])
    for _ in range(6):
        value, derivative = _hermite(np.array(zero), nodes, theta, slope_)
        zero -= float(value / derivative)
    _, derivative = _hermite(np.array(zero), nodes, theta, slope_)
    return nodes, theta, slope_, zero, -(zero**2) * float(derivative)


def _hermite(
    s: np.ndarray, nodes: np.ndarray, theta: np.ndarray, slope: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Quintic Hermite interpolation (theta, theta'), with theta'' taken from the equation."""
    with np.errstate(divide="ignore", invalid="ignore"):
        curve = np.where(nodes > 0.0, -2.0 * slope / nodes - theta**3, -1.0 / 3.0)
    k = np.clip(np.searchsorted(nodes, s, side="right") - 1, 0, nodes.size - 2)
    h = nodes[k + 1] - nodes[k]
    x = (s - nodes[k]) / h
    # Polynomial through value, slope and curvature at both ends, in Taylor form about the left.
    c0, c1, c2 = theta[k], h * slope[k], 0.5 * h**2 * curve[k]
    d0 = theta[k + 1] - c0 - c1 - c2
    d1 = h * slope[k + 1] - c1 - 2.0 * c2
    d2 = h**2 * curve[k + 1] - 2.0 * c2
    c3 = 10.0 * d0 - 4.0 * d1 + 0.5 * d2
    c4 = -15.0 * d0 + 7.0 * d1 - d2
    c5 = 6.0 * d0 - 3.0 * d1 + 0.5 * d2
    value = c0 + x * (c1 + x * (c2 + x * (c3 + x * (c4 + x * c5))))
    derivative = (c1 + x * (2 * c2 + x * (3 * c3 + x * (4 * c4 + x * 5 * c5)))) / h
    return value, derivative


def lane_emden(s: np.ndarray) -> np.ndarray:
    """theta(s) of the Lane-Emden equation of index 3, zero beyond the surface.

    Parameters
    ----------
    s : array, shape (...)
        Dimensionless radius r/l >= 0.

    Returns
    -------
    array, shape (...)
        theta = T/T_c = (rho/rho_c)^(1/3), dimensionless.

    References
    ----------
    Chandrasekhar 1939, An Introduction to the Study of Stellar Structure, chapter IV.
    """
    nodes, theta, slope, zero, _ = lane_emden_table()
    s = np.asarray(s, float)
    inside = np.clip(s, 0.0, zero)
    return np.where(s < zero, _hermite(inside, nodes, theta, slope)[0], 0.0)


@functools.lru_cache(maxsize=8)
def polytrope_nodes(n: int = N_NODES) -> tuple[np.ndarray, np.ndarray]:
    """(theta_i, w_i) with sum_i w_i f(theta_i) = int_0^s1 s^2 f(theta(s)) ds, Gauss-Legendre.

    Parameters
    ----------
    n : int, optional
        Number of nodes.

    Returns
    -------
    tuple of array, shape (n,)
        Temperatures in units of T_c, and weights that include s^2; dimensionless.
    """
    *_, zero, _ = lane_emden_table()
    x, w = np.polynomial.legendre.leggauss(n)
    s = 0.5 * zero * (x + 1.0)
    return lane_emden(s), 0.5 * zero * w * s**2


def gas_pressure_ratio(mass_Msun: Float[Array, ""], mu: Float[Array, ""]) -> Float[Array, ""]:
    """beta/(1 - beta) = P_gas/P_radiation of the Eddington model.

    (1 - beta)/beta^4 = (pi G)^3 (M/(4 pi mu_1))^2 (mu m_u/k_B)^4 a_r/3, solved in logit beta,
    where it is monotone, with a fixed number of bisections and the implicit derivative.

    Parameters
    ----------
    mass_Msun : float array, shape ()
        Stellar mass [IAU solar masses]; values <= 0 are treated as 1 Msun.
    mu : float array, shape ()
        Mean molecular weight, dimensionless.

    Returns
    -------
    float array, shape ()
        beta/(1 - beta) > 0, dimensionless.

    References
    ----------
    Eddington 1926, chapter VI; Chandrasekhar 1939, chapter VI.
    """
    *_, mu_1 = lane_emden_table()
    log_c = (
        3.0 * math.log(math.pi * G_CGS)
        + 2.0 * math.log(M_SUN_G / (4.0 * math.pi * mu_1))
        + 4.0 * math.log(M_U_G / K_B_ERG_K)
        + math.log(RADIATION_CONSTANT_CGS / 3.0)
    )
    ok = (mass_Msun > 0.0) & (mu > 0.0)
    m = jnp.where(ok, mass_Msun, 1.0)
    target = log_c + 2.0 * jnp.log(m) + 4.0 * jnp.log(jnp.where(ok, mu, 1.0))
    return jnp.exp(bracketed_root(_quartic, target, -80.0, 80.0))


def _quartic(logit: Array, target: Array) -> Array:
    """ln(1 - beta) - 4 ln beta - target, with beta = 1/(1 + e^-logit)."""
    return 4.0 * jnp.logaddexp(0.0, -logit) - jnp.logaddexp(0.0, logit) - target


class EddingtonStar(StellarModel):
    """Star of given mass, central temperature and composition; beta fixes its density.

    rho_c = (a_r mu m_u/3 k_B) beta/(1-beta) T_c^3, T = T_c theta, rho = rho_c theta^3,
    M = 4 pi l^3 rho_c mu_1. Composition is uniform; each field may carry leading axes when the
    class is used under ``vmap``.

    Attributes
    ----------
    mass_Msun : float array, shape ()
        Mass [IAU solar masses].
    t_c_keV : float array, shape ()
        Central temperature [keV].
    composition : Composition
        Mass fractions at the centre, shape (n,).

    References
    ----------
    Eddington 1926; Chandrasekhar 1939, chapter VI.
    """

    references: ClassVar[tuple[str, ...]] = _REFERENCES
    mass_Msun: Float[Array, ""] = eqx.field(converter=_leaf)
    t_c_keV: Float[Array, ""] = eqx.field(converter=_leaf)
    composition: Composition

    @property
    def beta(self) -> Float[Array, ""]:
        """P_gas/P, dimensionless."""
        ratio = gas_pressure_ratio(self.mass_Msun, self.composition.mu)
        return ratio / (1.0 + ratio)

    @property
    def rho_c_g_cm3(self) -> Float[Array, ""]:
        """Central density [g cm^-3]."""
        t_c = self.t_c_keV / KELVIN_TO_KEV
        mu = self.composition.mu
        factor = RADIATION_CONSTANT_CGS * M_U_G / (3.0 * K_B_ERG_K)
        return factor * mu * gas_pressure_ratio(self.mass_Msun, mu) * t_c**3

    @property
    def outside_validity(self) -> Bool[Array, ""]:
        """log10(T_c/K) > 8.7: neutrino-cooled core, the model's density is too low."""
        return self.t_c_keV > 10.0**LOG_T_C_MAX * KELVIN_TO_KEV

    def profile(self) -> StellarProfile:
        """The star as 32 Gauss-Legendre zones: integrals over it are exact to 1e-12."""
        *_, mu_1 = lane_emden_table()
        rho_c = self.rho_c_g_cm3
        # l^3 = M/(4 pi rho_c mu_1), so that the zones carry exactly the mass of the star.
        ok = rho_c > 0.0
        volume = self.mass_Msun * M_SUN_G / (mu_1 * jnp.where(ok, rho_c, 1.0))
        return _zones(self.t_c_keV, rho_c, jnp.where(ok, volume, 0.0), self.composition)


class CentralPolytrope(StellarModel):
    """n = 3 polytrope from central temperature, density and composition, for unknown masses.

    l = sqrt(4 P_c/(4 pi G))/rho_c with P_c = rho_c k_B T_c/(mu m_u) + a_r T_c^4/3; T = T_c theta,
    rho = rho_c theta^3. Axion luminosities were 3-11 % above those of the stellar models with
    which it was compared.

    Attributes
    ----------
    t_c_keV : float array, shape ()
        Central temperature [keV].
    rho_c_g_cm3 : float array, shape ()
        Central density [g cm^-3].
    composition : Composition
        Mass fractions at the centre, shape (n,).

    References
    ----------
    Chandrasekhar 1939, chapter IV.
    """

    references: ClassVar[tuple[str, ...]] = _REFERENCES[1:]
    t_c_keV: Float[Array, ""] = eqx.field(converter=_leaf)
    rho_c_g_cm3: Float[Array, ""] = eqx.field(converter=_leaf)
    composition: Composition

    @property
    def scale_length_cm(self) -> Float[Array, ""]:
        """l = sqrt(P_c/(pi G))/rho_c [cm]; rho_c must be positive."""
        t_c = self.t_c_keV / KELVIN_TO_KEV
        gas = self.rho_c_g_cm3 * K_B_ERG_K * t_c / (self.composition.mu * M_U_G)
        pressure = gas + RADIATION_CONSTANT_CGS * t_c**4 / 3.0
        return jnp.sqrt(pressure / (math.pi * G_CGS)) / self.rho_c_g_cm3

    @property
    def outside_validity(self) -> Bool[Array, ""]:
        """log10(T_c/K) > 8.7, beyond the range in which the model was compared."""
        return self.t_c_keV > 10.0**LOG_T_C_MAX * KELVIN_TO_KEV

    def profile(self) -> StellarProfile:
        """The star as 32 Gauss-Legendre zones."""
        volume = 4.0 * math.pi * self.scale_length_cm**3
        return _zones(self.t_c_keV, self.rho_c_g_cm3, volume, self.composition)


def _zones(t_c: Array, rho_c: Array, volume: Array, composition: Composition) -> StellarProfile:
    theta, weight = (jnp.asarray(x) for x in polytrope_nodes())
    uniform = jnp.ones_like(theta)
    return StellarProfile(
        temperature_keV=t_c * theta,
        density_g_cm3=rho_c * theta**3,
        zeta=composition.zeta * uniform,
        y_e=composition.y_e * uniform,
        volume_cm3=volume * weight,
    )


def check_star(mass_Msun: float, t_c_K: float) -> None:
    """Refuse a mass or central temperature that no star can have.

    Parameters
    ----------
    mass_Msun : float
        Mass [IAU solar masses].
    t_c_K : float
        Central temperature [K].

    Raises
    ------
    ValidityError
        If either is not a finite positive number.
    """
    for name, value, unit in (("mass", mass_Msun, "Msun"), ("central temperature", t_c_K, "K")):
        if not (0.0 < value < math.inf):
            raise ValidityError(
                f"{name} = {value!r} {unit}: expected a finite number > 0, for instance "
                "30 Msun and 4e7 K"
            )
