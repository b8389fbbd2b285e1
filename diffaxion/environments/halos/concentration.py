"""Fits of the mean concentration of halos in simulations, by definition of their mass.

A definition is ``vir`` (Bryan-Norman), ``200c`` (200 times critical) or ``200m`` (200 times
mean); mass and concentration belong to the same one.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Array, Float

from ...errors import unknown_name

Definition = Literal["vir", "200c", "200m"]
Relation = Literal["duffy08", "bhattacharya13"]

RELATIONS = ("duffy08", "bhattacharya13")
# Amplitude, power of mass and power of 1 + z.
_DUFFY08 = {
    "vir": (7.85, -0.081, -0.71),
    "200c": (5.71, -0.084, -0.47),
    "200m": (10.14, -0.081, -1.01),
}
# Amplitude, power of the growth factor and power of the peak height.
_BHATTACHARYA13 = {
    "vir": (7.7, 0.90, -0.29),
    "200c": (5.9, 0.54, -0.35),
    "200m": (9.0, 1.15, -0.29),
}
_PIVOT_MSUN_H = 2e12


def duffy08_concentration(
    mass_Msun: Float[Array, "..."],
    z: Float[Array, "..."],
    h: Float[Array, ""] | float,
    definition: Definition = "200c",
) -> Float[Array, "..."]:
    """Concentration c = A (h M/2e12 Msun)^B (1+z)^C of Duffy et al. 2008, all halos.

    Fitted for 1e11 to 1e15 Msun/h and z <= 2 in a WMAP5 cosmology, continued outside.

    Parameters
    ----------
    mass_Msun : float array, shape (...)
        Mass in this definition [Msun]; the pivot of the fit is in Msun/h.
    z : float array, shape (...)
        Redshift.
    h : float array, shape ()
        H0/(100 km/s/Mpc).
    definition : str
        ``vir``, ``200c`` or ``200m``.

    Returns
    -------
    float array, shape (...)
        Concentration R/r_s in the same definition.

    Raises
    ------
    ConfigurationError
        If the definition is unknown.

    References
    ----------
    Duffy et al. 2008, MNRAS 390, L64 (arXiv:0804.2486), Table 1, full sample, NFW.
    """
    if definition not in _DUFFY08:
        raise unknown_name("definition of halo mass", definition, _DUFFY08)
    amplitude, power, evolution = _DUFFY08[definition]
    return amplitude * (h * mass_Msun / _PIVOT_MSUN_H) ** power * (1.0 + z) ** evolution


def bhattacharya13_concentration(
    peak_height: Float[Array, "..."],
    growth: Float[Array, "..."],
    definition: Definition = "200c",
) -> Float[Array, "..."]:
    """Concentration c = A D^B nu^C of Bhattacharya et al. 2013, full sample.

    nu = delta_c/sigma(M, z) is taken at the mass of the same definition, with delta_c = 1.686
    here. Fitted for 2e12 to 2e15 Msun/h (2e14 above z = 0.5), z <= 2, in a WMAP7 cosmology.

    Parameters
    ----------
    peak_height : float array, shape (...)
        nu, dimensionless.
    growth : float array, shape (...)
        Growth factor D(z)/D(0).
    definition : str
        ``vir``, ``200c`` or ``200m``.

    Returns
    -------
    float array, shape (...)
        Concentration R/r_s in the same definition.

    Raises
    ------
    ConfigurationError
        If the definition is unknown.

    References
    ----------
    Bhattacharya et al. 2013, ApJ 766, 32 (arXiv:1112.5479), Table 2.
    """
    if definition not in _BHATTACHARYA13:
        raise unknown_name("definition of halo mass", definition, _BHATTACHARYA13)
    amplitude, power, slope = _BHATTACHARYA13[definition]
    return amplitude * growth**power * peak_height**slope
