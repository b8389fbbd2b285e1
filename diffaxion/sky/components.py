"""Components of the microwave sky: response of a channel to each, and simple power spectra.

A response says by how much a component changes the thermodynamic temperature at a frequency. With
x = h nu/(k T),

    CMB, kSZ, ISW 1;   tSZ x coth(x/2) - 4;   screening (1 - e^-x)/(1 - e^-x_353);
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

from ..constants import M_E_KEV, T_CMB_K
from ..environments.galaxy.base import parameter
from ..errors import unknown_name
from ..numerics import safe_divide
from ..observables.cmb.sed import (
    REFERENCE_GHZ,
    black_body_x,
    cmb_slope,
    dark_photon_sed,
    screening_sed,
)

COMPONENTS = (
    "screening",
    "dark-photon",
    "cmb",
    "tsz",
    "cib",
    "cib-dbeta",
    "cib-dT",
    "dust",
    "synchrotron",
    "free-free",
    "radio",
)
"""Names of components that a cleaned map may keep or be free of, or that a sky may hold."""

SYNCHROTRON_GHZ = 30.0
PIVOT_ELL = 1000.0


def _relativistic(half_x: Array, theta: Array) -> Array:
    """First two terms in theta = k T_e/(m_e c^2) beyond x coth(x/2) - 4."""
    big_x = 2.0 * safe_divide(half_x, jnp.tanh(half_x), 1.0)
    # x/sinh(x/2) without overflow.
    s = 4.0 * safe_divide(half_x, -jnp.expm1(-2.0 * half_x), 0.5) * jnp.exp(-half_x)
    s2 = s**2
    first = -10.0 + big_x * (23.5 + big_x * (-8.4 + 0.7 * big_x)) + s2 * (-4.2 + 1.4 * big_x)
    second = -7.5 + big_x * (
        127.875 + big_x * (-173.6 + big_x * (65.8 + big_x * (-8.8 + 11.0 / 30.0 * big_x)))
    )
    second = second + s2 * (-86.8 + big_x * (131.6 + big_x * (-48.4 + 143.0 / 30.0 * big_x)))
    second = second + s2**2 * (-8.8 + 187.0 / 60.0 * big_x)
    return theta * (first + theta * second)


def tsz_response(
    nu_GHz: ArrayLike, t_cmb_K: ArrayLike = T_CMB_K, electron_temperature_keV: ArrayLike = 0.0
) -> Float[Array, "..."]:
    """Thermal Sunyaev-Zeldovich effect, x coth(x/2) - 4 and two relativistic terms.

    Parameters
    ----------
    nu_GHz : float array, shape (...)
        Frequency [GHz].
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].
    electron_temperature_keV : float array, shape ()
        k T_e [keV]; 0 leaves the non-relativistic effect. The expansion to second order is good
        up to about 10 keV at x < 10.

    Returns
    -------
    float array, shape (...)
        Delta T/T per unit Compton y; -2 at nu = 0.

    References
    ----------
    Sunyaev & Zeldovich 1972; Itoh, Kohyama & Nozawa 1998, astro-ph/9712289.
    """
    half = 0.5 * black_body_x(nu_GHz, t_cmb_K)
    theta = jnp.asarray(electron_temperature_keV, float) / M_E_KEV
    return 2.0 * safe_divide(half, jnp.tanh(half), 1.0) - 4.0 + _relativistic(half, theta)


def _black_body(nu_GHz: Array, temperature_K: ArrayLike, beta: ArrayLike) -> Array:
    """(nu/353 GHz)^(3 + beta)/(e^(h nu/k T) - 1), an intensity."""
    ratio = nu_GHz / REFERENCE_GHZ
    return ratio ** (3.0 + jnp.asarray(beta)) / jnp.expm1(black_body_x(nu_GHz, temperature_K))


def _thermodynamic(nu_GHz: Array, pivot_GHz: float, t_cmb_K: ArrayLike) -> Array:
    """Thermodynamic temperature per intensity, 1 at the pivot."""
    return cmb_slope(pivot_GHz, t_cmb_K) / cmb_slope(nu_GHz, t_cmb_K)


def dust_response(
    nu_GHz: ArrayLike, temperature_K: ArrayLike, beta: ArrayLike, t_cmb_K: ArrayLike = T_CMB_K
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
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].

    Returns
    -------
    float array, shape (...)
        Delta T(nu)/Delta T(353 GHz).

    References
    ----------
    Planck 2013 results XXX, arXiv:1309.0382 (CIB); Planck 2018 results XI, arXiv:1801.04945 (dust).
    """
    nu, pivot = jnp.asarray(nu_GHz, float), jnp.asarray(REFERENCE_GHZ)
    shape = _black_body(nu, temperature_K, beta) / _black_body(pivot, temperature_K, beta)
    return shape * _thermodynamic(nu, REFERENCE_GHZ, t_cmb_K)


def synchrotron_response(
    nu_GHz: ArrayLike, slope: ArrayLike, t_cmb_K: ArrayLike = T_CMB_K
) -> Float[Array, "..."]:
    """Power law of the brightness temperature in thermodynamic units, 1 at 30 GHz.

    Parameters
    ----------
    nu_GHz : float array, shape (...)
        Frequency [GHz], > 0.
    slope : float array, shape ()
        Index of the brightness temperature, about -3.
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].

    Returns
    -------
    float array, shape (...)
        Delta T(nu)/Delta T(30 GHz).

    References
    ----------
    Planck 2015 results X, arXiv:1502.01588, Table 4.
    """
    nu = jnp.asarray(nu_GHz, float)
    # The intensity goes as nu^2 times the brightness temperature.
    intensity = (nu / SYNCHROTRON_GHZ) ** (2.0 + jnp.asarray(slope))
    return intensity * _thermodynamic(nu, SYNCHROTRON_GHZ, t_cmb_K)


class Spectra(eqx.Module):
    """What fixes the frequency dependence of every component; all of it differentiable.

    Attributes
    ----------
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].
    cib_temperature_K, cib_beta : float array, shape ()
        Modified black body of the CIB [K].
    dust_temperature_K, dust_beta : float array, shape ()
        Modified black body of Galactic dust [K].
    synchrotron_slope, free_free_slope : float array, shape ()
        Indices of the brightness temperature.
    radio_slope : float array, shape ()
        Index of the intensity of radio sources.
    electron_temperature_keV : float array, shape ()
        Temperature of the gas of the tSZ effect [keV]; 0 for the non-relativistic one.

    References
    ----------
    Fixsen 2009, arXiv:0911.1955 (CMB); Planck 2013 results XXX, arXiv:1309.0382 (CIB).
    """

    t_cmb_K: Float[Array, ""] = parameter(default=T_CMB_K)
    cib_temperature_K: Float[Array, ""] = parameter(default=24.0)
    cib_beta: Float[Array, ""] = parameter(default=1.2)
    dust_temperature_K: Float[Array, ""] = parameter(default=19.6)
    dust_beta: Float[Array, ""] = parameter(default=1.6)
    synchrotron_slope: Float[Array, ""] = parameter(default=-3.1)
    free_free_slope: Float[Array, ""] = parameter(default=-2.14)
    radio_slope: Float[Array, ""] = parameter(default=-0.5)
    electron_temperature_keV: Float[Array, ""] = parameter(default=0.0)

    def response(self, name: str, nu_GHz: ArrayLike) -> Float[Array, "..."]:
        """Response to one of :data:`COMPONENTS` at frequencies [GHz], in thermodynamic units.

        tSZ in K per unit y; synchrotron, free-free and radio 1 at 30 GHz; the others 1 at
        353 GHz. The CIB is m(nu)/m(353 GHz); its derivatives, per unit beta and per K, are those
        of m over the same constant, so that the one in T is not 0 at 353 GHz. Differentiating the
        constant too adds a multiple of the CIB, which drops out where the CIB is deprojected.
        """
        nu, t_cmb = jnp.asarray(nu_GHz, float), self.t_cmb_K
        if name == "screening":
            return screening_sed(nu, t_cmb)
        if name == "dark-photon":
            return dark_photon_sed(nu, t_cmb)
        if name == "cmb":
            return jnp.ones_like(nu)
        if name == "tsz":
            return t_cmb * tsz_response(nu, t_cmb, self.electron_temperature_keV)
        if name == "cib":
            return dust_response(nu, self.cib_temperature_K, self.cib_beta, t_cmb)
        if name in ("cib-dbeta", "cib-dT"):
            return self._cib_moment(nu, name == "cib-dT")
        if name == "dust":
            return dust_response(nu, self.dust_temperature_K, self.dust_beta, t_cmb)
        if name == "synchrotron":
            return synchrotron_response(nu, self.synchrotron_slope, t_cmb)
        if name == "free-free":
            return synchrotron_response(nu, self.free_free_slope, t_cmb)
        if name == "radio":
            return synchrotron_response(nu, self.radio_slope - 2.0, t_cmb)
        raise unknown_name("component", name, COMPONENTS)

    def _cib_moment(self, nu: Array, temperature: bool) -> Array:
        at = (self.cib_temperature_K, self.cib_beta)
        zero, one = jnp.zeros(()), jnp.ones(())
        tangent = (one, zero) if temperature else (zero, one)
        slope = jax.jvp(lambda t, b: _black_body(nu, t, b), at, tangent)[1]
        pivot = _black_body(jnp.asarray(REFERENCE_GHZ), *at)
        return slope / pivot * _thermodynamic(nu, REFERENCE_GHZ, self.t_cmb_K)


_PRESETS = {"planck2014": (24.0, 1.2), "act_dr6": (10.7, 1.7)}


def spectra_preset(name: str) -> Spectra:
    """Spectra with a published modified black body of the CIB.

    Parameters
    ----------
    name : str
        ``planck2014`` (24 K, 1.2) or ``act_dr6`` (10.7 K, 1.7).

    Returns
    -------
    Spectra
        The other numbers are the defaults.

    Raises
    ------
    ConfigurationError
        If the name is unknown.

    References
    ----------
    Planck 2013 results XXX, arXiv:1309.0382, Table 9; McCarthy & Hill 2024, arXiv:2307.01043;
    Atacama Cosmology Telescope DR6, arXiv:2307.01258 (the values from memory, verify).
    """
    if name not in _PRESETS:
        raise unknown_name("preset of spectra", name, _PRESETS)
    temperature, beta = jnp.asarray(_PRESETS[name])
    return Spectra(cib_temperature_K=temperature, cib_beta=beta)


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
        spectra = Spectra(
            cib_temperature_K=self.cib_temperature_K,
            cib_beta=self.cib_beta,
            dust_temperature_K=self.dust_temperature_K,
            dust_beta=self.dust_beta,
            synchrotron_slope=self.synchrotron_index,
        )
        return spectra.response(name, nu_GHz)
