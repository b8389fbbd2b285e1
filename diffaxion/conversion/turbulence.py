"""Conversion in a random field: its mean in closed form, and explicit Gaussian realisations.

In Born approximation the mean over realisations is p_reg + mean(p_turb). One sky is one
realisation: p_turb alone is exponentially distributed when the phase is negligible, and Gamma
distributed with shape 2 when it winds many times; interference with the regular amplitude adds
variance. Realisations are functions of a standard-normal latent vector, so that they can be
sampled or marginalised along with everything else.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..constants import DELTA_A_KPC, DELTA_AG_KPC, DELTA_PL_KPC
from ..numerics import linear_interpolate, safe_sqrt, trapezoid_weights
from .correlation import Correlation

# The period of the synthesis exceeds the path by this many P_1D(0), so that the correlation of the
# two ends is negligible: 1e-3 for the power law, whose correlation falls slowest.
_PERIOD_MARGIN = 20.0


def _detuning(n_e_cm3: Array, energy_keV: Array, m_a_eV: Array) -> Array:
    """delta = (m^2 - omega_pl^2)/(2E), shape (..., n) for energies of shape (...) [rad/kpc]."""
    energy = jnp.expand_dims(jnp.asarray(energy_keV), -1)
    return (DELTA_A_KPC * m_a_eV**2 - DELTA_PL_KPC * n_e_cm3) / energy


def turbulent_probability(
    s_kpc: Float[Array, " n"],
    v_t_muG2: Float[Array, " n"],
    n_e_cm3: Float[Array, " n"],
    energy_keV: Float[Array, "..."],
    m_a_eV: Float[Array, ""],
    correlation: Correlation,
) -> Float[Array, "..."]:
    """Mean axion-to-photon probability of a random field, per unit u = (g/1e-12 GeV^-1)^2.

    mean(p_turb)(E) = (g^2/4) int ds V_T(s) P_1D(delta(s; E)), by the trapezoid rule.
    It holds in Born approximation where the coherence length is short against the path and the
    scales of V_T and n_e, and :func:`phase_curvature` is below 1.

    Parameters
    ----------
    s_kpc : float array, shape (n,)
        Nodes along the sight line, not decreasing [kpc].
    v_t_muG2 : float array, shape (n,)
        Variance of both transverse components together; (2/3) B_rms^2 if isotropic [muG^2].
    n_e_cm3 : float array, shape (n,)
        Electron densities [cm^-3].
    energy_keV : float array, shape (...)
        Photon energies [keV].
    m_a_eV : float array, shape ()
        Axion mass [eV].
    correlation : Correlation
        Correlation of a transverse component along the line.

    Returns
    -------
    float array, shape (...)
        Mean probability at u = 1, summed over photon polarisations.

    References
    ----------
    Carenza et al. 2021, PRD 104, 023003 (arXiv:2104.13935); Kartavtsev, Raffelt & Vogel 2017,
    JCAP 01, 024 (arXiv:1611.04526).
    """
    delta = _detuning(n_e_cm3, energy_keV, m_a_eV)
    weights = trapezoid_weights(s_kpc) * v_t_muG2
    return DELTA_AG_KPC**2 * jnp.sum(correlation.spectrum_1d(delta) * weights, axis=-1)


def phase_curvature(
    s_kpc: Float[Array, " n"],
    n_e_cm3: Float[Array, " n"],
    energy_keV: Float[Array, ""],
    correlation: Correlation,
) -> Float[Array, ""]:
    """max |delta(s + L_c) - delta(s)| L_c, which :func:`turbulent_probability` wants << 1.

    It is |d delta/ds| L_c^2 averaged over a coherence length; the mass drops out.

    Parameters
    ----------
    s_kpc, n_e_cm3 : float array, shape (n,)
        Nodes [kpc] and electron densities [cm^-3].
    energy_keV : float array, shape ()
        Photon energy [keV].
    correlation : Correlation
        Gives L_c.

    Returns
    -------
    float array, shape ()
        The largest value along the line [rad].

    References
    ----------
    Kartavtsev, Raffelt & Vogel 2017, JCAP 01, 024 (arXiv:1611.04526), section 2.
    """
    length = correlation.coherence_kpc()
    ahead = linear_interpolate(s_kpc + length, s_kpc, n_e_cm3)
    return DELTA_PL_KPC / energy_keV * length * jnp.max(jnp.abs(ahead - n_e_cm3))


def _mode_step(s_kpc: Array, correlation: Correlation) -> Array:
    """Spacing of the wave numbers of the synthesis [rad/kpc]."""
    margin = _PERIOD_MARGIN * correlation.spectrum_1d(jnp.zeros(()))
    return 2.0 * jnp.pi / (s_kpc[-1] - s_kpc[0] + margin)


def unit_process(
    latent: Float[Array, " 2*modes"], s_kpc: Float[Array, " n"], correlation: Correlation
) -> Float[Array, " n"]:
    """Stationary Gaussian process of unit variance with a given correlation, at any nodes.

    y(s) = sum_j sqrt(P_1D(k_j) dk/pi) [a_j cos(k_j s) + b_j sin(k_j s)], k_j = (j + 1/2) dk, with
    (a, b) the two halves of the latent vector. The correlation of y is the midpoint rule for the
    inverse transform of P_1D: exact but for images one period away, and for the power beyond the
    last wave number, which is left out and not put elsewhere. p_turb samples the spectrum at
    delta only, so that its mean stays right as long as the last wave number is above delta.

    Parameters
    ----------
    latent : float array, shape (2 modes,)
        Independent standard normal numbers.
    s_kpc : float array, shape (n,)
        Nodes, not decreasing; coincident nodes get the same value [kpc].
    correlation : Correlation
        Correlation along the line.

    Returns
    -------
    float array, shape (n,)
        The process.

    References
    ----------
    Shinozuka & Deodatis 1991, Appl. Mech. Rev. 44, 191.
    """
    modes = latent.shape[-1] // 2
    step = _mode_step(s_kpc, correlation)
    k = (jnp.arange(modes) + 0.5) * step
    amplitude = safe_sqrt(correlation.spectrum_1d(k) * step / jnp.pi)
    phase = (s_kpc - s_kpc[0])[:, None] * k
    return jnp.cos(phase) @ (amplitude * latent[:modes]) + jnp.sin(phase) @ (
        amplitude * latent[modes:]
    )


def realise_field(
    latent: Float[Array, "2 2*modes"],
    s_kpc: Float[Array, " n"],
    v_t_muG2: Float[Array, " n"],
    correlation: Correlation,
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """One realisation of an isotropic random field across the sight line.

    dB_i(s) = sqrt(V_T(s)/2) y_i(s) with independent processes y of :func:`unit_process`. A
    striated field is sqrt(beta) B_i,reg(s) y(s) with one process for both components.

    Parameters
    ----------
    latent : float array, shape (2, 2 modes)
        Independent standard normal numbers, a row for each component.
    s_kpc : float array, shape (n,)
        Nodes, not decreasing [kpc].
    v_t_muG2 : float array, shape (n,)
        Variance of both transverse components together [muG^2].
    correlation : Correlation
        Correlation along the line.

    Returns
    -------
    tuple of two float arrays, shape (n,)
        dB_l and dB_b [muG], differentiable in all arguments.

    References
    ----------
    Shinozuka & Deodatis 1991, Appl. Mech. Rev. 44, 191.
    """
    rms = safe_sqrt(0.5 * v_t_muG2)
    return (
        rms * unit_process(latent[0], s_kpc, correlation),
        rms * unit_process(latent[1], s_kpc, correlation),
    )


def realisation_caveats(
    modes: int,
    s_kpc: Float[Array, " n"],
    n_e_cm3: Float[Array, " n"],
    energy_keV: Float[Array, " e"],
    m_a_eV: Float[Array, ""],
    correlation: Correlation,
) -> tuple[str, ...]:
    """What is not resolved by realisations with this many modes on these nodes; not for ``jit``.

    The last wave number must exceed the largest |delta| (else the power that converts is
    missing), and no node spacing may exceed half its wavelength (else small scales alias into
    large ones).

    Parameters
    ----------
    modes : int
        Number of wave numbers: half the length of a latent row.
    s_kpc, n_e_cm3 : float array, shape (n,)
        Nodes [kpc] and electron densities [cm^-3].
    energy_keV : float array, shape (e,)
        Photon energies [keV].
    m_a_eV : float array, shape ()
        Axion mass [eV].
    correlation : Correlation
        Correlation along the line.

    Returns
    -------
    tuple of str
        One sentence for each caveat, with a remedy; empty when all is resolved.

    References
    ----------
    Nyquist criterion.
    """
    s = np.asarray(s_kpc)
    k_max = modes * float(_mode_step(jnp.asarray(s_kpc), correlation))
    delta = np.abs(np.asarray(_detuning(n_e_cm3, energy_keV, m_a_eV))).max()
    spacing = np.diff(s).max()
    caveats = []
    if k_max < delta:
        needed = int(np.ceil(modes * delta / k_max))
        caveats.append(
            f"{modes} modes reach k = {k_max:.3g} rad/kpc, below the largest phase rate "
            f"{delta:.3g} rad/kpc: use at least {needed} modes."
        )
    if spacing * k_max > np.pi:
        caveats.append(
            f"nodes up to {spacing:.3g} kpc apart do not resolve k = {k_max:.3g} rad/kpc: use "
            f"spacings below {np.pi / k_max:.3g} kpc or fewer modes."
        )
    return tuple(caveats)
