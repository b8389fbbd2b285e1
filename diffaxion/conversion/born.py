"""Axion-photon conversion to first order in the coupling: the Born integral.

delta(s; E) = (m^2 - omega_pl^2(s))/(2E), Phi(s) = E int_0^s delta ds' (free of E), and for
axion -> photon, summed over the two polarisations i = l, b,

    p(E)/u = sum_i |A_i|^2,   A_i(E) = int_0^d ds (Delta_ag,i(s)/sqrt(u)) exp(i Phi(s)/E).

Photon -> axion for unpolarised light is half of it (Raffelt & Stodolsky 1988, PRD 37, 1237).

Both rules are products of the matrix exp(i Phi/E) with node weights free of E. For the trapezoid
this is plain. For the Filon rule (B and Phi linear in each cell) it follows from
theta = Delta Phi/E, psi = theta/2, e_k = exp(i Phi_k/E): a cell of length h contributes

    h [B_1 e_1 - B_0 e_0]/(i theta) + h (B_1 - B_0)(e_1 - e_0)/theta^2,

whose powers of E factor out; where |theta| is small the same cell is written as a corrected
trapezoid, h T(psi) (B_0 + B_1)(e_0 + e_1)/4 + h q(psi) (B_1 - B_0)(e_1 - e_0)/4, T = tan psi/psi,
q = (1 - psi cot psi)/psi^2, in powers of psi^2. So sine and cosine are the whole cost, and value
and derivatives share them.
"""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ..constants import DELTA_A_KPC, DELTA_AG_KPC, DELTA_PL_KPC, KPC_CM
from ..environments.galaxy.sightline import LinePath
from ..errors import ConfigurationError
from ..numerics import cumulative_trapezoid, trapezoid_weights
from .phase import sincos

Rule = Literal["filon", "trapezoid"]

# Cells with |Delta Phi| below this times the lowest energy are expanded in powers of psi^2; the
# first power left out, 2/15 psi^4, is then below 2e-9 of the cell.
_SMALL_THETA = 0.02
_TAN_SERIES = (1.0, 1.0 / 3.0)
_COT_SERIES = (1.0 / 3.0, 1.0 / 45.0)


def phase_rate(path: LinePath, m_a_eV: Float[Array, ""]) -> Float[Array, " n"]:
    """E delta(s) = (m^2 - omega_pl^2)/2 at the nodes [keV kpc^-1].

    Parameters
    ----------
    path : LinePath
        Medium at n nodes.
    m_a_eV : float array, shape ()
        Axion mass [eV].

    Returns
    -------
    float array, shape (n,)
        E delta [keV kpc^-1]; divide by the photon energy for the wave-number mismatch.

    References
    ----------
    Raffelt & Stodolsky 1988, PRD 37, 1237.
    """
    return DELTA_A_KPC * m_a_eV**2 - DELTA_PL_KPC * path.n_e_cm3


@jax.custom_jvp
def _phase_products(
    phi: Float[Array, " n"], weights: Float[Array, "c n"], inverse: Float[Array, " e"]
) -> tuple[Float[Array, "c e"], Float[Array, "c e"]]:
    """sum_n W_n cos(phi_n/E) and sum_n W_n sin(phi_n/E)."""
    sin, cos = sincos(inverse[:, None] * phi)
    return weights @ cos.T, weights @ sin.T


@_phase_products.defjvp
def _phase_products_jvp(primals, tangents):
    # Written as products with the same two matrices, so that the transposed rule is two thin
    # products as well, instead of element-wise work on (energy, node) arrays.
    phi, weights, inverse = primals
    d_phi, d_weights, d_inverse = tangents
    sin, cos = sincos(inverse[:, None] * phi)
    count = weights.shape[0]
    slope = weights * phi
    moving = jnp.concatenate([d_weights, weights * d_phi])
    d_cos, d_sin = moving @ cos.T, moving @ sin.T
    d_theta_cos = inverse * d_cos[count:] + d_inverse * (slope @ cos.T)
    d_theta_sin = inverse * d_sin[count:] + d_inverse * (slope @ sin.T)
    primal = (weights @ cos.T, weights @ sin.T)
    return primal, (d_cos[:count] - d_theta_sin, d_sin[:count] + d_theta_cos)


def _node_sums(from_left: Float[Array, "c k"], from_right: Float[Array, "c k"]) -> Array:
    """Node weights from cells: each cell gives to its left and to its right node."""
    return jnp.pad(from_left, ((0, 0), (0, 1))) + jnp.pad(from_right, ((0, 0), (1, 0)))


def _filon_products(
    phi: Float[Array, " n"], b: Float[Array, "2 n"], s: Float[Array, " n"], energy: Array
) -> tuple[Float[Array, "2 e"], Float[Array, "2 e"]]:
    """Real and imaginary part of int B exp(i phi/E) ds for B and phi linear in each cell."""
    h, change = jnp.diff(s), jnp.diff(phi)
    step, mean = jnp.diff(b), 0.5 * (b[:, 1:] + b[:, :-1])
    small = jnp.abs(change) < _SMALL_THETA * jax.lax.stop_gradient(jnp.min(energy))
    inverse_change = jnp.where(small, 0.0, 1.0 / jnp.where(small, 1.0, change))
    ratio = h * inverse_change
    ratio2 = ratio * inverse_change * step
    psi2 = jnp.where(small, 0.25 * change**2, 0.0)
    # (E/i) e^(i Phi/E) and E^2 e^(i Phi/E) of the closed form, then the corrected trapezoid.
    from_left, from_right = [-ratio * b[:, :-1], -ratio2], [ratio * b[:, 1:], ratio2]
    power = jnp.where(small, 0.5 * h, 0.0)
    for tan, cot in zip(_TAN_SERIES, _COT_SERIES, strict=True):
        even, odd = power * tan * mean, power * (0.5 * cot) * step
        from_left.append(even - odd)
        from_right.append(even + odd)
        power = power * psi2
    weights = _node_sums(jnp.concatenate(from_left), jnp.concatenate(from_right))
    inverse = 1.0 / energy
    cos, sin = _phase_products(phi, weights, inverse)
    cos, sin = cos.reshape(-1, 2, energy.size), sin.reshape(-1, 2, energy.size)
    real = energy * sin[0] + energy**2 * cos[1]
    imag = -energy * cos[0] + energy**2 * sin[1]
    scale = jnp.ones_like(energy)
    for c, s_k in zip(cos[2:], sin[2:], strict=True):
        real, imag = real + scale * c, imag + scale * s_k
        scale = scale * inverse**2
    return real, imag


def _filon_moments(theta: Complex[Array, "..."]) -> tuple[Array, Array]:
    """I_0 = int_0^1 e^(i theta t) dt and I_1 = int_0^1 t e^(i theta t) dt, for complex theta."""
    small = jnp.abs(theta) < 1e-2
    x = jnp.where(small, 1.0, theta)
    e = jnp.exp(1j * x)
    i0 = (e - 1.0) / (1j * x)
    i1 = (e * (1.0 - 1j * x) - 1.0) / x**2
    t = jnp.where(small, theta, 0.0)
    i0_series = 1.0 + t * (0.5j + t * (-1.0 / 6.0 + t * (-1j / 24.0 + t / 120.0)))
    i1_series = 0.5 + t * (1j / 3.0 + t * (-0.125 + t * (-1j / 30.0 + t / 144.0)))
    return jnp.where(small, i0_series, i0), jnp.where(small, i1_series, i1)


def _absorbed_amplitude(phi, b, path: LinePath, energy, cross_section_cm2, rule: Rule) -> Array:
    """Amplitude with the integrand damped by exp(-tau(s; E)/2), tau from the Earth to s."""
    column = KPC_CM * cumulative_trapezoid(path.n_h_cm3, path.s_kpc)
    exponent = phi / energy[:, None] + 0.5j * cross_section_cm2[:, None] * column
    wave = jnp.exp(1j * exponent)
    if rule == "trapezoid":
        return (trapezoid_weights(path.s_kpc) * b).astype(wave.dtype) @ wave.T
    i0, i1 = _filon_moments(jnp.diff(exponent, axis=1))
    h, step, left = jnp.diff(path.s_kpc), jnp.diff(b), wave[:, :-1]
    return (h * b[:, :-1]).astype(wave.dtype) @ (left * i0).T + (h * step).astype(wave.dtype) @ (
        left * i1
    ).T


def born_amplitude(
    path: LinePath,
    energy_keV: Float[Array, " e"],
    m_a_eV: Float[Array, ""],
    rule: Rule = "filon",
    cross_section_cm2: Float[Array, " e"] | None = None,
) -> Complex[Array, "2 e"]:
    """Complex amplitude A_i(E)/sqrt(u) of axion -> photon, i = (l, b).

    A_i = int_0^d ds Delta_ag,i exp(i Phi(s)/E - tau(s; E)/2), tau(s) = sigma(E) int_0^s n_H ds'.
    It is linear in the field, so amplitudes of field components add.

    Parameters
    ----------
    path : LinePath
        Medium at n nodes, from the Earth outward.
    energy_keV : float array, shape (e,)
        Photon energies [keV].
    m_a_eV : float array, shape ()
        Axion mass [eV].
    rule : {"filon", "trapezoid"}
        Quadrature. ``filon`` takes B and Phi linear in each cell and needs no small phase per
        cell; ``trapezoid`` needs |delta| h <~ 1. The Filon weights are tuned to the lowest
        energy and lose digits when the energies span more than a factor of about 100.
    cross_section_cm2 : float array, shape (e,), optional
        Photoelectric cross-section per hydrogen atom [cm^2]; absorption by ``path.n_h_cm3``
        is switched on by giving it.

    Returns
    -------
    complex array, shape (2, e)
        Amplitudes per sqrt(u), u = (g/1e-12 GeV^-1)^2.

    Raises
    ------
    ConfigurationError
        If the rule is unknown.

    References
    ----------
    Raffelt & Stodolsky 1988, PRD 37, 1237; Dessert, Foster & Safdi 2020, PRL 125, 261102, eq. 2.
    """
    if rule not in ("filon", "trapezoid"):
        raise ConfigurationError(f"rule {rule!r}: expected 'filon' or 'trapezoid'")
    phi = cumulative_trapezoid(phase_rate(path, m_a_eV), path.s_kpc)
    b = DELTA_AG_KPC * jnp.stack([path.b_l_muG, path.b_b_muG])
    if cross_section_cm2 is not None:
        return _absorbed_amplitude(phi, b, path, energy_keV, cross_section_cm2, rule)
    if rule == "filon":
        real, imag = _filon_products(phi, b, path.s_kpc, energy_keV)
    else:
        real, imag = _phase_products(phi, trapezoid_weights(path.s_kpc) * b, 1.0 / energy_keV)
    return jax.lax.complex(real, imag)


def born_probability(
    path: LinePath,
    energy_keV: Float[Array, " e"],
    m_a_eV: Float[Array, ""],
    rule: Rule = "filon",
    cross_section_cm2: Float[Array, " e"] | None = None,
) -> Float[Array, " e"]:
    """Axion -> photon probability per unit u, summed over polarisations: sum_i |A_i|^2.

    Proportional to g^2 without limit: multiply by u = (g/1e-12 GeV^-1)^2. The relative error of
    the Born approximation is about p/3. Parameters as for :func:`born_amplitude`.

    Parameters
    ----------
    path : LinePath
        Medium at n nodes, from the Earth outward.
    energy_keV : float array, shape (e,)
        Photon energies [keV].
    m_a_eV : float array, shape ()
        Axion mass [eV].
    rule : {"filon", "trapezoid"}
        Quadrature.
    cross_section_cm2 : float array, shape (e,), optional
        Photoelectric cross-section per hydrogen atom [cm^2].

    Returns
    -------
    float array, shape (e,)
        p/u, dimensionless.

    Raises
    ------
    ConfigurationError
        If the rule is unknown.

    References
    ----------
    Raffelt & Stodolsky 1988, PRD 37, 1237; Dessert, Foster & Safdi 2020, PRL 125, 261102, eq. 2.
    """
    amplitude = born_amplitude(path, energy_keV, m_a_eV, rule, cross_section_cm2)
    return jnp.sum(jnp.real(amplitude) ** 2 + jnp.imag(amplitude) ** 2, axis=0)
