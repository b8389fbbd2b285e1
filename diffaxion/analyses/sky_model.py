"""Spectra of a simulated sky whose galaxies and screening are those of the halo model."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..errors import ConfigurationError
from ..observables.cmb.bandpowers import inference_multipoles, spline_matrix
from ..observables.cmb.screening import KINDS
from ..sky.sky_spectra import CMB, GALAXIES, TSZ, CIBShell, SkySpectra, cib_shells, sky_spectra
from ..sky.toy_sky import TSZ_CORRELATION, toy_autos
from .screening import screening_curve, screening_spectrum, screening_world
from .screening_config import ScreeningSection, screening_section


def halo_sky_spectra(
    lmax: int,
    m_a_eV: float,
    g_GeV: float,
    *,
    section: ScreeningSection | None = None,
    shells: tuple[CIBShell, ...] | None = None,
    correlations: Mapping[tuple[str, str], ArrayLike] | None = None,
) -> SkySpectra:
    """Sky with C^gg, C^Tg and C^TT of the halo model at a mass and a coupling.

    CMB, Compton y and CIB are those of :func:`toy_autos`: the halo model of this package predicts
    galaxies and screening only.

    Parameters
    ----------
    lmax : int
        Largest multipole, 2 to 5000.
    m_a_eV : float
        Mass of the boson [eV].
    g_GeV : float
        Coupling [GeV^-1], >= 0.
    section : ScreeningSection, optional
        Halo model; default configuration ``default``.
    shells : tuple of CIBShell, optional
        Parts of the CIB; default :func:`cib_shells`.
    correlations : dict, optional
        As in :func:`sky_spectra`; default 0.3 between galaxies and y, which is kept unless named.

    Returns
    -------
    SkySpectra
        The covariance.

    Raises
    ------
    ConfigurationError
        If the coupling is negative, lmax out of range, or no halo converts at this mass.
    ValidityError
        If correlations are impossible.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    if not g_GeV >= 0.0:
        raise ConfigurationError(f"g = {g_GeV} GeV^-1: expected a number >= 0")
    toy = toy_autos(lmax)
    gg, tg, tt = halo_spectra(lmax, m_a_eV, section)
    u = (g_GeV / 1e-12) ** 2
    autos = {name: toy[name] for name in (CMB, TSZ, "cib")} | {GALAXIES: gg}
    return sky_spectra(
        autos,
        {(GALAXIES, TSZ): TSZ_CORRELATION} | dict(correlations or {}),
        shells=cib_shells() if shells is None else shells,
        screening_cross=u * tg,
        screening_auto=u**2 * tt,
        label=f"halo model, m_a = {m_a_eV:g} eV, g = {g_GeV:g} GeV^-1",
    )


def halo_spectra(
    lmax: int, m_a_eV: float, section: ScreeningSection | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spectra of galaxies and screening at every multipole.

    Parameters
    ----------
    lmax : int
        Largest multipole, >= 2.
    m_a_eV : float
        Mass of the boson [eV].
    section : ScreeningSection, optional
        Halo model; default configuration ``default``.

    Returns
    -------
    gg, tg, tt : array, shape (lmax + 1,)
        C^gg [sr], C^Tg per u [uK], C^TT per u^2 [uK^2] with u = (g/1e-12 GeV^-1)^2; 0 below l = 2.

    Raises
    ------
    ConfigurationError
        If no halo converts at this mass.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    chosen = screening_section() if section is None else section
    nodes = inference_multipoles(2.0, max(lmax, 8))
    model, world = screening_spectrum(chosen, nodes), screening_world(chosen, m_a_eV)
    at = spline_matrix(nodes, np.arange(2.0, lmax + 1.0))
    found = {}
    for kind in KINDS:
        curve = np.asarray(screening_curve(model, world, None, jnp.array([m_a_eV]), kind))[0]
        if not np.all(np.abs(curve) > 0.0):
            raise ConfigurationError(
                f"m_a = {m_a_eV:g} eV: no halo converts photons at this mass, nothing to inject"
            )
        cl = np.sign(curve[0]) * np.exp(at @ np.log(np.abs(curve)))
        found[kind] = np.concatenate([np.zeros(2), cl])
    return found["gg"], found["Tg"], found["TT"]
