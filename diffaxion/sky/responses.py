"""Responses of channels to the components of the sky: band integrals and mixing matrices.

For a spectrum s(nu) in thermodynamic units a map that is calibrated on the CMB shows

    a = int t (dB/dT) s dnu / int t (dB/dT) dnu,

which for an intensity m = s dB/dT is int t m dnu / int t (dB/dT) dnu. No nominal frequency is in
it. T_CMB, temperatures and indices of dust, nodes and weights of the bands are all free.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..constants import T_CMB_K
from ..observables.cmb.sed import cmb_slope, cmb_slope_unit_MJy_sr_K, weighted_average
from .components import Spectra
from .passbands import Passbands


def component_response(name: str, bands: Passbands, spectra: Spectra) -> Float[Array, " n"]:
    """Response of each channel to one component.

    Parameters
    ----------
    name : str
        One of ``COMPONENTS``; static.
    bands : Passbands
        n channels.
    spectra : Spectra
        Frequency dependence.

    Returns
    -------
    float array, shape (n,)
        Delta T in thermodynamic units: per unit y [K] for tsz; relative to a channel of exactly
        353 GHz for screening, dark-photon, cib and dust, with cib-dbeta and cib-dT the
        derivatives [per unit beta, K^-1] of the modified black body over its value at 353 GHz,
        which is not differentiated; relative to 30 GHz for synchrotron, free-free and radio.

    Raises
    ------
    ConfigurationError
        If the component is unknown.

    References
    ----------
    Planck 2013 results IX, arXiv:1303.5070, section 3; Chluba, Hill & Abitbol 2017,
    arXiv:1701.00274 (moments).
    """
    sed = spectra.response(name, bands.nu_GHz)
    return weighted_average(sed, bands.nu_GHz, bands.weight, spectra.t_cmb_K)


def mixing_matrix(names: Sequence[str], bands: Passbands, spectra: Spectra) -> Float[Array, "n c"]:
    """Responses to several components, side by side.

    Parameters
    ----------
    names : sequence of str
        c components; static.
    bands : Passbands
        n channels.
    spectra : Spectra
        Frequency dependence.

    Returns
    -------
    float array, shape (n, c)
        Columns as :func:`component_response` gives them.

    Raises
    ------
    ConfigurationError
        If a component is unknown.

    References
    ----------
    Remazeilles, Delabrouille & Cardoso 2011, arXiv:1006.5599.
    """
    return jnp.stack([component_response(n, bands, spectra) for n in names], axis=1)


def unit_conversion_MJy_sr(
    bands: Passbands, t_cmb_K: ArrayLike = T_CMB_K, reference_slope: ArrayLike = -1.0
) -> Float[Array, " n"]:
    """Intensity of the reference spectrum, at the nominal frequency, per kelvin of the CMB.

    int t (dB/dT) dnu / int t (nu/nu_nominal)^slope dnu.

    Parameters
    ----------
    bands : Passbands
        n channels.
    t_cmb_K : float array, shape ()
        Temperature of the CMB [K].
    reference_slope : float array, shape ()
        Index of the reference spectrum; -1 is that of IRAS, in which Planck maps are given.

    Returns
    -------
    float array, shape (n,)
        Multiply a map in K_CMB by it for one in MJy/sr [MJy sr^-1 K^-1].

    References
    ----------
    Planck 2013 results IX, arXiv:1303.5070, equation 8.
    """
    slope = jnp.sum(bands.weight * cmb_slope(bands.nu_GHz, t_cmb_K), axis=-1)
    ratio = bands.nu_GHz / bands.nominal_GHz[:, None]
    reference = jnp.sum(bands.weight * ratio ** jnp.asarray(reference_slope, float), axis=-1)
    return cmb_slope_unit_MJy_sr_K(t_cmb_K) * slope / reference
