"""The toy sky: simple spectra not fitted to data, an injected signal, and faults to be found.

Each fault is one that a robustness test has to catch: a wrong spectrum of the CIB that follows the
galaxies, a channel's calibration, the Galaxy in the galaxy counts, the integrated Sachs-Wolfe
effect at low l, and a sample at high redshift that is full of CIB.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..data.registry import load_table
from ..errors import ConfigurationError, unknown_name
from ..observables.cmb.bandpowers import spline_matrix
from .harmonic_ilc import cmb_spectrum
from .simulation_settings import LAST_ELL, SkySettings
from .sky_spectra import (
    CMB,
    GALAXIES,
    TSZ,
    CIBShell,
    SkySpectra,
    cib_shells,
    sky_spectra,
)

SKY_FAULTS = ("none", "cib", "calibration", "galactic", "isw", "green-like")
"""What may be wrong with a toy sky."""

TSZ_CORRELATION = 0.3
CALIBRATION_FAULT = 1.02
CALIBRATION_CHANNEL = "217"
DUST_CONTAMINATION = 0.05
GREEN_PER_DEG2 = 1846.0
# Dust of 27 K at redshift 2, and flatter than what the cleaning assumes.
STRANGE_CIB, STRANGE_CORRELATION = (9.0, 1.2), 0.9
# Power at 353 GHz of that shell in units of all the others, as bright as it takes for a few small
# skies to show it.
STRANGE_POWER = {"cib": 1.5, "green-like": 3.0}


def isw_correlation(lmax: int, amplitude: float = 0.25, pivot_ell: float = 20.0) -> np.ndarray:
    """Toy correlation of CMB and galaxies by the integrated Sachs-Wolfe effect.

    r_l = amplitude/(1 + (l/pivot)^2): 0.2 at l = 10 and 0.01 at l = 100, positive.

    Parameters
    ----------
    lmax : int
        Largest multipole.
    amplitude : float
        Limit of low l.
    pivot_ell : float
        Multipole of half the limit.

    Returns
    -------
    array, shape (lmax + 1,)
        Correlation coefficient.

    References
    ----------
    A toy of the size that Krolewski & Ferraro 2022, arXiv:2110.13959, discuss for unWISE.
    """
    return amplitude / (1.0 + (np.arange(lmax + 1) / pivot_ell) ** 2)


def toy_autos(lmax: int) -> dict[str, np.ndarray]:
    """Toy auto-spectra of galaxies, CMB, Compton y and CIB; not fitted to data, 0 below l = 2.

        C^gg = 1.6e-6 (l/300)^-1.1 + 1e-8 sr
        C^yy = 1e-12 (2 pi/(l(l+1))) 0.6 (l/1000)^0.9/(1 + (l/4000)^2)
        C^CIB(353 GHz) = (2 pi/(l(l+1))) 1.1e4 (l/2000)^0.8 uK^2

    Parameters
    ----------
    lmax : int
        Largest multipole, 2 to 5000, where the table of the CMB ends.

    Returns
    -------
    dict of str to array, shape (lmax + 1,)
        For :func:`sky_spectra`.

    Raises
    ------
    ConfigurationError
        If lmax is out of range.

    References
    ----------
    A toy; CMB of Planck 2018 VI, arXiv:1807.06209.
    """
    if not 2 <= lmax <= LAST_ELL:
        raise ConfigurationError(
            f"lmax = {lmax}: expected 2 to {LAST_ELL}, where the table of the CMB ends"
        )
    l = np.arange(2.0, lmax + 1.0)
    flat = 2.0 * math.pi / (l * (l + 1.0))
    spectra = {
        GALAXIES: 1.6e-6 * (l / 300.0) ** -1.1 + 1e-8,
        TSZ: 1e-12 * flat * 0.6 * (l / 1000.0) ** 0.9 / (1.0 + (l / 4000.0) ** 2),
        "cib": flat * 1.1e4 * (l / 2000.0) ** 0.8,
        CMB: np.asarray(cmb_spectrum(jnp.asarray(l))),
    }
    return {name: np.concatenate([np.zeros(2), cl]) for name, cl in spectra.items()}


def screening_template(lmax: int) -> tuple[np.ndarray, np.ndarray]:
    """Bundled screening spectra of m_a = 1e-12 eV at g = 1e-11 GeV^-1, unWISE Blue.

    Both are those of the halo model of configuration ``default``; they scale as A and A^2 with
    A = (g/1e-11 GeV^-1)^2.

    Parameters
    ----------
    lmax : int
        Largest multipole, 2 to 6000.

    Returns
    -------
    cross : array, shape (lmax + 1,)
        C_l^Tg at 353 GHz [uK], negative, 0 below l = 2.
    auto : array, shape (lmax + 1,)
        C_l^TT [uK^2].

    Raises
    ------
    ConfigurationError
        If lmax lies outside the table.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    table = load_table("sky_screening_template")
    nodes = np.asarray(table["ell"])
    if not 2 <= lmax <= nodes[-1]:
        raise ConfigurationError(
            f"lmax = {lmax}: the template of screening spans l = 2 to {nodes[-1]:g}; take spectra "
            "of the halo model"
        )
    matrix = spline_matrix(nodes, np.arange(2.0, lmax + 1.0))
    cross = -np.exp(matrix @ np.log(-np.asarray(table["cl_tg_uK"])))
    auto = np.exp(matrix @ np.log(np.asarray(table["cl_tt_uK2"])))
    return np.concatenate([np.zeros(2), cross]), np.concatenate([np.zeros(2), auto])


def toy_spectra(
    lmax: int,
    strength: float = 0.0,
    *,
    shells: tuple[CIBShell, ...] | None = None,
    correlations: Mapping[tuple[str, str], ArrayLike] | None = None,
    independent_screening: bool = True,
    cib_power: float = 1.0,
) -> SkySpectra:
    """The toy sky: simple spectra, y correlated 0.3 with the galaxies, two CIB shells.

    Parameters
    ----------
    lmax : int
        Largest multipole, 2 to 5000.
    strength : float
        A = (g/1e-11 GeV^-1)^2 of the injected screening at m_a = 1e-12 eV, >= 0.
    shells : tuple of CIBShell, optional
        Parts of the CIB; default :func:`cib_shells`.
    correlations : dict, optional
        As in :func:`sky_spectra`; default 0.3 between galaxies and y, which is kept unless named.
    independent_screening : bool
        Whether screening has the part that does not follow the galaxies.
    cib_power : float
        Factor on the power of the CIB.

    Returns
    -------
    SkySpectra
        The covariance.

    Raises
    ------
    ConfigurationError
        If the strength is negative, or lmax out of range.
    ValidityError
        If correlations are impossible.

    References
    ----------
    A toy, not fitted to data.
    """
    if not (math.isfinite(strength) and strength >= 0.0):
        raise ConfigurationError(f"strength = {strength}: expected a finite number >= 0")
    cross, auto = screening_template(lmax)
    autos = toy_autos(lmax)
    autos["cib"] = cib_power * autos["cib"]
    return sky_spectra(
        autos,
        {(GALAXIES, TSZ): TSZ_CORRELATION} | dict(correlations or {}),
        shells=cib_shells() if shells is None else shells,
        screening_cross=strength * cross,
        screening_auto=strength**2 * auto if independent_screening else None,
        label=f"toy, A = {strength:g}",
    )


def _strange_shells(temperature_K: float, beta: float, share: float) -> tuple[CIBShell, ...]:
    """The usual shells and a cold one of a higher redshift that follows the galaxies closely."""
    usual = [
        dataclasses.replace(shell, share=(1.0 - share) * shell.share)
        for shell in cib_shells(temperature_K, beta)
    ]
    return (*usual, CIBShell(*STRANGE_CIB, share, STRANGE_CORRELATION))


def toy_sky(
    nside: int = 64,
    strength: float = 0.0,
    fault: str = "none",
    *,
    cib_temperature_K: float = 24.0,
    cib_beta: float = 1.75,
    **settings: Any,
) -> tuple[SkySpectra, SkySettings]:
    """Spectra and settings of a toy sky with at most one fault.

    Parameters
    ----------
    nside : int
        Resolution.
    strength : float
        A = (g/1e-11 GeV^-1)^2 of the injected screening at m_a = 1e-12 eV, >= 0.
    fault : str
        ``none``; ``cib``, a further shell of 9 K and 1.2, correlated 0.9 with the galaxies and
        1.5 times as strong at 353 GHz as the others; ``calibration``, 217 GHz too bright by 2 %;
        ``galactic``, galaxy counts that follow the dust by 5 % and a temperature mask of 10 deg;
        ``isw``, see :func:`isw_correlation`; ``green-like``, that shell 3 times as strong as the
        others, and a sparse sample.
    cib_temperature_K, cib_beta : float
        Spectrum of the CIB shell that follows the galaxies, which the cleaning should assume [K].
    **settings
        Further choices of :class:`SkySettings`.

    Returns
    -------
    spectra : SkySpectra
        Gaussian fields.
    settings : SkySettings
        The other choices.

    Raises
    ------
    ConfigurationError
        If the fault is unknown or a choice out of range.

    References
    ----------
    A toy; the faults after the robustness tests of Goldstein et al. 2024, arXiv:2409.10514.
    """
    if fault not in SKY_FAULTS:
        raise unknown_name("fault of a toy sky", fault, SKY_FAULTS)
    shells = cib_shells(cib_temperature_K, cib_beta)
    correlations: dict[tuple[str, str], ArrayLike] = {}
    chosen: dict[str, Any] = {"nside": nside}
    brighter = 1.0 + STRANGE_POWER.get(fault, 0.0)
    if fault in STRANGE_POWER:
        shells = _strange_shells(cib_temperature_K, cib_beta, 1.0 - 1.0 / brighter)
    if fault == "green-like":
        chosen["galaxies_per_deg2"] = GREEN_PER_DEG2
    if fault == "calibration":
        chosen["calibration"] = {CALIBRATION_CHANNEL: CALIBRATION_FAULT}
    if fault == "galactic":
        chosen |= {"dust_contamination": DUST_CONTAMINATION, "galactic_cut_deg": 10.0}
        chosen["galaxy_cut_deg"] = 10.0
    made = SkySettings(**(chosen | settings))
    lmax = made.top_multipole
    if fault == "isw":
        correlations[GALAXIES, CMB] = isw_correlation(lmax)
    spectra = toy_spectra(
        lmax, strength, shells=shells, correlations=correlations, cib_power=brighter
    )
    label = f"toy{'' if fault == 'none' else f' with fault {fault}'}, A = {strength:g}"
    return dataclasses.replace(spectra, label=label), made
