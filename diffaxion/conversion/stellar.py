"""Axion luminosity of a star: Primakoff emission summed over its zones.

All luminosities are per unit u = (g/1e-12 GeV^-1)^2 and exactly proportional to it.

Energy integrals use fixed Gauss-Legendre panels, in E/T_max for integrals over all energies and
in ln E for bands: 96 and 96 nodes, converged to 1e-9 on the stars of this package.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..constants import ERG_PER_KEV
from ..environments.stars.profile import StellarModel, StellarProfile
from .primakoff import primakoff_emissivity
from .primakoff_validity import primakoff_validity

# Panels in y = E/T: the integrand rises as y^4, bends at kappa/2T and falls as e^-y.
_PANELS = (0.0, 0.5, 2.0, 6.0, 14.0, 30.0, 60.0)
_NODES_PER_PANEL = 16
_BAND_PANELS = 6


def _panel_rule(edges: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    x, w = np.polynomial.legendre.leggauss(n)
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (x + 1.0)).ravel(), (half * w).ravel()


def thermal_nodes() -> tuple[np.ndarray, np.ndarray]:
    """Nodes y = E/T and weights for int_0^inf f(y) dy of a thermal spectrum.

    Returns
    -------
    tuple of array, shape (96,)
        Nodes and weights, dimensionless; the range ends at y = 60.
    """
    return _panel_rule(np.array(_PANELS), _NODES_PER_PANEL)


def band_nodes(
    lo_keV: Float[Array, ""] | float, hi_keV: Float[Array, ""] | float
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Nodes E and weights for int_lo^hi f(E) dE, Gauss-Legendre panels in ln E.

    Parameters
    ----------
    lo_keV, hi_keV : float array, shape ()
        Band [keV], 0 < lo < hi.

    Returns
    -------
    tuple of float array, shape (96,)
        Energies [keV] and weights [keV].
    """
    t, w = _panel_rule(np.linspace(0.0, 1.0, _BAND_PANELS + 1), _NODES_PER_PANEL)
    span = jnp.log(hi_keV / lo_keV)
    energy = lo_keV * jnp.exp(jnp.asarray(t) * span)
    return energy, jnp.asarray(w) * span * energy


def luminosity_spectrum(
    star: StellarModel, energy_keV: Float[Array, " n"], m_a_keV: Float[Array, ""] | None = None
) -> Float[Array, " n"]:
    """Axion spectrum of a star, dL/dE = sum_k (dL/dV/dE)_k V_k, per unit u.

    Parameters
    ----------
    star : StellarModel
        Profile, or a model that can be cut into zones.
    energy_keV : float array, shape (n,)
        Axion energies [keV].
    m_a_keV : float array, shape (), optional
        Axion mass [keV]; None means massless.

    Returns
    -------
    float array, shape (n,)
        dL/dE divided by u = (g/1e-12 GeV^-1)^2 [erg s^-1 keV^-1].

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356; Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    p = star.profile()

    def one(energy: Array) -> Array:
        e = primakoff_emissivity(energy, p.temperature_keV, p.density_g_cm3, p.zeta, m_a_keV)
        return jnp.sum(e * p.volume_cm3)

    return jax.vmap(one)(energy_keV)


def _all_energies(p: StellarProfile) -> tuple[Array, Array]:
    """Nodes and weights over all energies; the scale of the nodes carries no derivative."""
    y, w = thermal_nodes()
    hottest = jax.lax.stop_gradient(jnp.max(p.temperature_keV))
    scale = jnp.where(hottest > 0.0, hottest, 1.0)
    return scale * jnp.asarray(y), scale * jnp.asarray(w)


def total_luminosity(star: StellarModel) -> Float[Array, ""]:
    """Axion luminosity over all energies, L = int_0^inf dL/dE dE, per unit u.

    Parameters
    ----------
    star : StellarModel
        Profile or model.

    Returns
    -------
    float array, shape ()
        L/u [erg s^-1].

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356; Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    p = star.profile()
    energy, weight = _all_energies(p)
    return weight @ luminosity_spectrum(p, energy)


def band_luminosity(
    star: StellarModel,
    lo_keV: Float[Array, ""] | float = 10.0,
    hi_keV: Float[Array, ""] | float = 80.0,
) -> Float[Array, ""]:
    """Axion luminosity in a band of energy, int_lo^hi dL/dE dE, per unit u.

    Parameters
    ----------
    star : StellarModel
        Profile or model.
    lo_keV, hi_keV : float array, shape (), optional
        Band [keV], 0 < lo < hi.

    Returns
    -------
    float array, shape ()
        L/u [erg s^-1].

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356; Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    energy, weight = band_nodes(lo_keV, hi_keV)
    return weight @ luminosity_spectrum(star, energy)


def axion_rate(star: StellarModel) -> Float[Array, ""]:
    """Number of axions emitted per second, N = int dL/dE/E dE, per unit u.

    Parameters
    ----------
    star : StellarModel
        Profile or model.

    Returns
    -------
    float array, shape ()
        N/u [s^-1].

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356; Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    p = star.profile()
    energy, weight = _all_energies(p)
    return (weight / energy) @ luminosity_spectrum(p, energy) / ERG_PER_KEV


def mean_energy_keV(star: StellarModel) -> Float[Array, ""]:
    """Mean energy of the axions, L/N over all energies; 0 for a star that emits none.

    Parameters
    ----------
    star : StellarModel
        Profile or model.

    Returns
    -------
    float array, shape ()
        L/N [keV].

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356; Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    p = star.profile()
    energy, weight = _all_energies(p)
    spectrum = luminosity_spectrum(p, energy)
    number = (weight / energy) @ spectrum
    ok = number > 0.0
    return jnp.where(ok, weight @ spectrum / jnp.where(ok, number, 1.0), 0.0)


def zone_luminosity(star: StellarModel) -> Float[Array, " n"]:
    """Luminosity of each zone over all energies, L_k = V_k int (dL/dV/dE)_k dE, per unit u.

    Parameters
    ----------
    star : StellarModel
        Profile or model with n zones.

    Returns
    -------
    float array, shape (n,)
        L_k/u [erg s^-1], in the order of the zones.

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356; Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    p = star.profile()
    y, w = (jnp.asarray(x) for x in thermal_nodes())

    def one(t: Array, rho: Array, zeta: Array, volume: Array) -> Array:
        return volume * t * (w @ primakoff_emissivity(y * t, t, rho, zeta))

    return jax.vmap(one)(p.temperature_keV, p.density_g_cm3, p.zeta, p.volume_cm3)


def flagged_fractions(
    star: StellarModel, lowest_energy_keV: float = 10.0, m_a_keV: float = 0.0
) -> dict[str, float]:
    """Share of the luminosity that comes from zones outside the validity of the formula.

    Parameters
    ----------
    star : StellarModel
        Profile or model.
    lowest_energy_keV : float, optional
        Lowest energy of interest [keV].
    m_a_keV : float, optional
        Axion mass [keV].

    Returns
    -------
    dict of str to float
        Fraction in 0..1 for each flag of :class:`~diffaxion.conversion.PrimakoffFlags`.

    References
    ----------
    Raffelt 1988, Phys. Rev. D 37, 1356; Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    p = star.profile()
    luminosity = np.asarray(zone_luminosity(p))
    flags = primakoff_validity(
        p.temperature_keV, p.density_g_cm3, p.zeta, p.y_e, lowest_energy_keV, m_a_keV
    )
    total = luminosity.sum()
    return {
        name: float(luminosity[np.asarray(flag)].sum() / total) if total > 0.0 else 0.0
        for name, flag in vars(flags).items()
    }
