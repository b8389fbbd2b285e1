"""Components of the microwave sky: response of a channel to each, and simple power spectra.

A response says by how much a component changes the thermodynamic temperature at a frequency. With
x = h nu/(k T),

    CMB 1;   tSZ x coth(x/2) - 4;   screening (1 - e^-x)/(1 - e^-x_353);
    modified black body nu^(3 + beta)/(e^(h nu/k T_d) - 1) / (dB_nu/dT), 1 at 353 GHz;
    power law of brightness temperature (nu/nu_0)^s (e^x - 1)^2/(x^2 e^x), 1 at nu_0.

Power spectra are power laws, D_l = l(l+1) C_l/(2 pi) = A (l/1000)^s.
"""

from __future__ import annotations

import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..constants import HBAR_EV_S, K_B_EV_K, T_CMB_K
from ..environments.galaxy.base import parameter
from ..errors import unknown_name
from ..numerics import safe_divide
from ..observables.cmb.sed import REFERENCE_GHZ, dark_photon_sed, screening_sed

COMPONENTS = ("screening", "dark-photon", "cmb", "tsz", "cib", "cib-dbeta", "cib-dT")
"""Names of components that a cleaned map may keep or be free of."""

SYNCHROTRON_GHZ = 30.0
PIVOT_ELL = 1000.0
# h nu/k for nu = 1 GHz [K].
_KELVIN_PER_GHZ = 2.0 * math.pi * HBAR_EV_S * 1e9 / K_B_EV_K


def _x(nu_GHz: ArrayLike) -> Array:
    return _KELVIN_PER_GHZ * jnp.asarray(nu_GHz, float) / T_CMB_K


def tsz_response(nu_GHz: ArrayLike) -> Float[Array, "..."]:
    """Thermal Sunyaev-Zeldovich effect, x coth(x/2) - 4, without relativistic terms.

    Parameters
    ----------
    nu_GHz : float array, shape (...)
        Frequency [GHz].

    Returns
    -------
    float array, shape (...)
        Delta T/T per unit Compton y; -2 at nu = 0.

    References
    ----------
    Sunyaev & Zeldovich 1972; Carlstrom, Holder & Reese 2002, astro-ph/0208192, equation 3.
    """
    x = _x(nu_GHz)
    return 2.0 * safe_divide(0.5 * x, jnp.tanh(0.5 * x), 1.0) - 4.0


def dust_response(
    nu_GHz: ArrayLike, temperature_K: ArrayLike, beta: ArrayLike
) -> Float[Array, "..."]:
    """Modified black body in thermodynamic units, 1 at 353 GHz.

    Parameters
    ----------
    nu_GHz : float array, shape (...)
        Frequency [GHz], > 0.
    temperature_K : float array, shape ()
        Temperature of the dust [K].
    beta : float array, shape ()
        Emissivity index.

    Returns
    -------
    float array, shape (...)
        Delta T(nu)/Delta T(353 GHz).

    References
    ----------
    Planck 2013 results XXX, arXiv:1309.0382 (CIB); Planck 2018 results XI, arXiv:1801.04945 (dust).
    """

    def intensity(nu: Array) -> Array:
        return nu ** (3.0 + jnp.asarray(beta)) / jnp.expm1(_KELVIN_PER_GHZ * nu / temperature_K)

    def per_kelvin(nu: Array) -> Array:
        x = _x(nu)
        return x**4 * jnp.exp(-x) / jnp.expm1(-x) ** 2

    nu, pivot = jnp.asarray(nu_GHz, float), jnp.asarray(REFERENCE_GHZ)
    return intensity(nu) / intensity(pivot) * per_kelvin(pivot) / per_kelvin(nu)


def synchrotron_response(nu_GHz: ArrayLike, slope: ArrayLike) -> Float[Array, "..."]:
    """Power law of the brightness temperature in thermodynamic units, 1 at 30 GHz.

    Parameters
    ----------
    nu_GHz : float array, shape (...)
        Frequency [GHz], > 0.
    slope : float array, shape ()
        Index of the brightness temperature, about -3.

    Returns
    -------
    float array, shape (...)
        Delta T(nu)/Delta T(30 GHz).

    References
    ----------
    Planck 2015 results X, arXiv:1502.01588, Table 4.
    """

    def factor(nu: Array) -> Array:
        x = _x(nu)
        return jnp.expm1(x) ** 2 / (x**2 * jnp.exp(x))

    nu, pivot = jnp.asarray(nu_GHz, float), jnp.asarray(SYNCHROTRON_GHZ)
    return (nu / pivot) ** jnp.asarray(slope) * factor(nu) / factor(pivot)


def _power_law(ell: Array, amplitude_uK2: Array, slope: Array) -> Array:
    return amplitude_uK2 * (ell / PIVOT_ELL) ** slope * 2.0 * math.pi / (ell * (ell + 1.0))


class Foregrounds(eqx.Module):
    """Simple extragalactic and Galactic emission: power laws in l, fixed spectra in frequency.

    A stated toy, not a fit: amplitudes D_l at l = 1000 of the tSZ effect (per (Delta T/T)^2 of
    y, times T^2), of the CIB and of dust at 353 GHz, of synchrotron at 30 GHz. The CIB has a part
    that is independent in each channel, ``cib_decorrelation`` of its amplitude.

    Attributes
    ----------
    tsz_uK2, cib_uK2, dust_uK2, synchrotron_uK2 : float array, shape ()
        D_l at l = 1000 [uK^2].
    tsz_slope, cib_slope, dust_slope, synchrotron_slope : float array, shape ()
        Exponents of l.
    cib_temperature_K, cib_beta, dust_temperature_K, dust_beta : float array, shape ()
        Modified black bodies.
    cib_decorrelation : float array, shape ()
        Amplitude of the independent part.
    synchrotron_index : float array, shape ()
        Index of the brightness temperature.

    References
    ----------
    Orders of magnitude of Planck 2015 results XXII, arXiv:1502.01596 (tSZ), and Planck 2013
    results XXX, arXiv:1309.0382 (CIB); the values are those behind the table ``toy_ilc_noise``.
    """

    references: ClassVar[tuple[str, ...]] = ()
    tsz_uK2: Float[Array, ""] = parameter(default=1.5)
    tsz_slope: Float[Array, ""] = parameter(default=0.6)
    cib_uK2: Float[Array, ""] = parameter(default=700.0)
    cib_slope: Float[Array, ""] = parameter(default=0.8)
    cib_temperature_K: Float[Array, ""] = parameter(default=10.7)
    cib_beta: Float[Array, ""] = parameter(default=1.7)
    cib_decorrelation: Float[Array, ""] = parameter(default=0.05)
    dust_uK2: Float[Array, ""] = parameter(default=6000.0)
    dust_slope: Float[Array, ""] = parameter(default=-0.5)
    dust_temperature_K: Float[Array, ""] = parameter(default=19.6)
    dust_beta: Float[Array, ""] = parameter(default=1.53)
    synchrotron_uK2: Float[Array, ""] = parameter(default=100.0)
    synchrotron_slope: Float[Array, ""] = parameter(default=-0.7)
    synchrotron_index: Float[Array, ""] = parameter(default=-3.0)

    def covariance(self, nu_GHz: Float[Array, " n"], ell: Float[Array, " l"]) -> Array:
        """Spectra between channels without the CMB, shape (l, n, n) [uK^2]."""
        nu, l = jnp.asarray(nu_GHz, float), jnp.asarray(ell, float)
        cib = dust_response(nu, self.cib_temperature_K, self.cib_beta)
        parts = (
            (self.tsz_uK2, self.tsz_slope, tsz_response(nu)),
            (self.cib_uK2, self.cib_slope, cib),
            (
                self.dust_uK2,
                self.dust_slope,
                dust_response(nu, self.dust_temperature_K, self.dust_beta),
            ),
            (
                self.synchrotron_uK2,
                self.synchrotron_slope,
                synchrotron_response(nu, self.synchrotron_index),
            ),
        )
        total = jnp.zeros((l.shape[0], nu.shape[0], nu.shape[0]))
        for amplitude, slope, response in parts:
            cl = _power_law(l, amplitude, slope)
            total = total + cl[:, None, None] * response[:, None] * response[None, :]
        own = _power_law(l, self.cib_uK2, self.cib_slope) * self.cib_decorrelation**2
        return total + own[:, None, None] * jnp.diag(cib**2)

    def response(self, name: str, nu_GHz: Float[Array, " n"]) -> Float[Array, " n"]:
        """Response of each channel to one of :data:`COMPONENTS`, any normalisation."""
        nu = jnp.asarray(nu_GHz, float)

        def cib(temperature: Array, beta: Array) -> Array:
            return dust_response(nu, temperature, beta)

        at = (self.cib_temperature_K, self.cib_beta)
        zero, one = jnp.zeros(()), jnp.ones(())
        if name == "screening":
            return screening_sed(nu)
        if name == "dark-photon":
            return dark_photon_sed(nu)
        if name == "cmb":
            return jnp.ones_like(nu)
        if name == "tsz":
            return tsz_response(nu)
        if name == "cib":
            return cib(*at)
        if name == "cib-dbeta":
            return jax.jvp(cib, at, (zero, one))[1]
        if name == "cib-dT":
            return jax.jvp(cib, at, (one, zero))[1]
        raise unknown_name("component", name, COMPONENTS)
