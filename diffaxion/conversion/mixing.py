"""Exact axion-photon mixing: the three-state chain along a sight line.

i dA/ds = H A for A = (A_l, A_b, a), H = [[D, 0, D_l], [0, D, D_b], [D_l, D_b, Delta_a]], with
D = Delta_pl (+ Delta_CMB, + QED birefringence) - i Gamma/2, Delta_a = -m^2/2E, D_i = g B_i/2
(Raffelt & Stodolsky 1988, PRD 37, 1237). The medium is constant in each cell, at the mean of its
two nodes; cells run from the source to the Earth.

Photon amplitudes are carried as A/sqrt(u), u = (g/1e-12 GeV^-1)^2, so that p = u f(u) with f
smooth at u = 0, where it is the Born probability. Without absorption a cell is undone by its
complex conjugate: the reverse pass walks back from the Earth and stores no states.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from ..constants import (
    DELTA_A_KPC,
    DELTA_AG_KPC,
    DELTA_CMB_KPC,
    DELTA_PL_KPC,
    DELTA_QED_KPC,
    KPC_CM,
)
from ..environments.galaxy.sightline import LinePath
from ..errors import ConfigurationError
from ..numerics import safe_divide, safe_sqrt
from .cell import cell_map, cell_map_slopes

Reverse = Literal["invert", "store"]
# Energies are padded to a multiple of this: an odd remainder costs as much as a full vector.
_LANES = 8


class _Cells(NamedTuple):
    """Cells from the source to the Earth: y (k, e), v (k, 2), damping and QED phase (k, e)."""

    y: Array
    v: Array
    damping: Array | None
    birefringence: Array | None


def _cells(path, energy_keV, m_a_eV, cross_section_cm2, qed, cmb) -> _Cells:
    def middle(x: Array) -> Array:
        return 0.5 * (x[1:] + x[:-1])[::-1]

    h = jnp.diff(path.s_kpc)[::-1]
    rate = 0.5 * h * (DELTA_A_KPC * m_a_eV**2 - DELTA_PL_KPC * middle(path.n_e_cm3))
    y = rate[:, None] / energy_keV
    b2 = middle(path.b_l_muG) ** 2 + middle(path.b_b_muG) ** 2
    v = (DELTA_AG_KPC * h * jnp.stack([middle(path.b_l_muG), middle(path.b_b_muG)])).T
    birefringence = None
    if qed:
        y = y + (0.5 * 3.5 * DELTA_QED_KPC * h * b2)[:, None] * energy_keV
        birefringence = (1.5 * DELTA_QED_KPC * h * b2)[:, None] * energy_keV
    if cmb:
        y = y + (0.5 * DELTA_CMB_KPC * h)[:, None] * energy_keV
    damping = None
    if cross_section_cm2 is not None:
        tau = KPC_CM * (h * middle(path.n_h_cm3))[:, None] * cross_section_cm2
        damping = jnp.exp(-0.5 * tau)
        y = y - 0.25j * tau
    return _Cells(y, v, damping, birefringence)


def _step(state, cell: _Cells, u: Array):
    """Propagate (A_l, A_b, a), each of shape (e,), through one cell."""
    left, right, axion = state
    vl, vb = cell.v[0], cell.v[1]
    v2 = vl * vl + vb * vb
    k, s, p = cell_map(cell.y, u * v2 + jnp.zeros_like(jnp.real(cell.y)))
    along = vl * left + vb * right
    kick = u * k * along + s * axion
    new_l, new_b, new_a = left + vl * kick, right + vb * kick, u * s * along + p * axion
    if cell.birefringence is not None:
        # The photon normal to B_T does not carry the extra QED phase of the parallel one.
        half = 0.5 * cell.birefringence
        extra = 2j * jnp.sin(half) * jnp.exp(1j * half)
        across = safe_divide(vl * right - vb * left, v2)
        new_l, new_b = new_l - vb * extra * across, new_b + vl * extra * across
    if cell.damping is not None:
        new_l, new_b, new_a = (x * cell.damping for x in (new_l, new_b, new_a))
    return new_l, new_b, new_a


def _start(y: Array):
    zero = jnp.zeros(y.shape[1], jnp.result_type(y, 1j))
    return zero, zero, zero + 1.0


def _scan(cells: _Cells, u: Array):
    """State at the Earth after starting as a pure axion at the source."""
    state, _ = jax.lax.scan(lambda x, c: (_step(x, c, u), None), _start(cells.y), cells)
    return state


def _strength(left: Array, right: Array) -> Array:
    return jnp.real(left) ** 2 + jnp.imag(left) ** 2 + jnp.real(right) ** 2 + jnp.imag(right) ** 2


@jax.custom_vjp
def _lossless(y: Array, v: Array, u: Array):
    """p of the chain without losses, with a reverse pass that undoes it cell by cell."""
    left, right, _ = _scan(_Cells(y, v, None, None), jnp.where(u > 0.0, u, 0.0))
    return u * _strength(left, right)


def _lossless_forward(y, v, u):
    end = _scan(_Cells(y, v, None, None), jnp.where(u > 0.0, u, 0.0))
    return u * _strength(*end[:2]), (y, v, u, end)


def _lossless_backward(saved, cotangent):
    """Reverse pass: (u A^, a) and the adjoint vector walk back through the same inverse cells.

    With f = p/u and dL = Re(conj(x) . dstate) the adjoint x obeys x -> U^dagger x, which for a
    lossless cell is the inverse map that also takes (u A^, a) one cell back. The derivative along
    u needs no term of its own: p depends on sqrt(u) v only, so dp/du = (v . df/dv)/2.
    """
    y, v, u, (end_l, end_b, end_a) = saved
    u_chain = jnp.where(u > 0.0, u, 0.0)

    def undo(carry, cell):
        left, right, axion = carry
        y_k, (vl, vb) = cell
        v2 = vl * vl + vb * vb
        (k, s, p), along_y, along_g = cell_map_slopes(y_k, u_chain * v2 + jnp.zeros_like(y_k))
        along = vl * left + vb * right
        kick = u_chain * (jnp.conj(k) * along + jnp.conj(s) * axion)
        left, right = left + vl * kick, right + vb * kick
        axion_before = jnp.conj(s) * along + jnp.conj(p) * axion
        # Before the cell for the state [0], after the cell for the adjoint [1].
        b_l, b_b, a = left[0], right[0], axion_before[0]
        x_l, x_b, x_a = (jnp.conj(x[1]) for x in carry)
        state, adjoint = vl * b_l + vb * b_b, jnp.conj(along[1])
        on_k, on_s, on_p = adjoint * state, adjoint * a + state * x_a, x_a * a
        y_bar = jnp.real(on_k * along_y[0] + on_s * along_y[1] + on_p * along_y[2])
        g_bar = u_chain * jnp.real(on_s * along_g[1] + on_p * along_g[2])
        # along_g[0] carries a factor g, so that its share is divided by v.v.
        g_bar = 2.0 * (g_bar + safe_divide(jnp.real(on_k * along_g[0]), v2))
        force, pull = k * state + s * a, k * adjoint + s * x_a
        vl_bar = jnp.real(x_l * force + pull * b_l) + vl * g_bar
        vb_bar = jnp.real(x_b * force + pull * b_b) + vb * g_bar
        return (left, right, axion_before), (y_bar, vl_bar, vb_bar)

    weight = 2.0 * cotangent
    start = (
        jnp.stack([u_chain * end_l, weight * end_l]),
        jnp.stack([u_chain * end_b, weight * end_b]),
        jnp.stack([end_a, jnp.zeros_like(end_a)]),
    )
    _, (y_bar, vl_bar, vb_bar) = jax.lax.scan(undo, start, (y, (v[:, 0], v[:, 1])), reverse=True)
    f_v = jnp.stack([jnp.sum(vl_bar, axis=1), jnp.sum(vb_bar, axis=1)], axis=1)
    return u * y_bar, u * f_v, 0.5 * jnp.sum(v * f_v)


_lossless.defvjp(_lossless_forward, _lossless_backward)


def exact_probability(
    path: LinePath,
    energy_keV: Float[Array, " e"],
    m_a_eV: Float[Array, ""],
    u: Float[Array, ""],
    cross_section_cm2: Float[Array, " e"] | None = None,
    qed: bool = False,
    cmb: bool = False,
    reverse: Reverse = "invert",
) -> Float[Array, " e"]:
    """Axion -> photon probability p = |A_l|^2 + |A_b|^2 of the exact chain.

    Parameters
    ----------
    path : LinePath
        Medium at n nodes, from the Earth outward; n - 1 cells.
    energy_keV : float array, shape (e,)
        Photon energies [keV].
    m_a_eV : float array, shape ()
        Axion mass [eV].
    u : float array, shape ()
        (g/1e-12 GeV^-1)^2 >= 0. Below zero, where the chain means nothing, p continues along
        its tangent at u = 0, the Born probability.
    cross_section_cm2 : float array, shape (e,), optional
        Photoelectric cross-section per hydrogen atom [cm^2]; giving it damps the photons by
        ``path.n_h_cm3``.
    qed, cmb : bool
        Vacuum birefringence and the photon dispersion by the microwave background; about 1e-11
        of the result at keV energies.
    reverse : {"invert", "store"}
        How reverse mode finds the states inside the chain: undo cell by cell, without stored
        states, or keep them all. ``invert`` applies without absorption and QED; with them, and
        in forward mode (``jvp``, ``jacfwd``), ``store`` is what works.

    Returns
    -------
    float array, shape (e,)
        Probability, dimensionless.

    Raises
    ------
    ConfigurationError
        If ``reverse`` is unknown.

    References
    ----------
    Raffelt & Stodolsky 1988, PRD 37, 1237; De Angelis, Galanti & Roncadelli 2011, PRD 84, 105030.
    """
    if reverse not in ("invert", "store"):
        raise ConfigurationError(f"reverse {reverse!r}: expected 'invert' or 'store'")
    u = jnp.asarray(u, float)
    count = energy_keV.shape[0]
    padding = (0, -count % _LANES)
    energy_keV = jnp.pad(energy_keV, padding, mode="edge")
    if cross_section_cm2 is not None:
        cross_section_cm2 = jnp.pad(cross_section_cm2, padding, mode="edge")
    cells = _cells(path, energy_keV, m_a_eV, cross_section_cm2, qed, cmb)
    if reverse == "invert" and cells.damping is None and cells.birefringence is None:
        return _lossless(cells.y, cells.v, u)[:count]
    left, right, _ = _scan(cells, jnp.where(u > 0.0, u, 0.0))
    return (u * _strength(left, right))[:count]


def transfer_matrix(
    path: LinePath,
    energy_keV: Float[Array, " e"],
    m_a_eV: Float[Array, ""],
    u: Float[Array, ""],
    cross_section_cm2: Float[Array, " e"] | None = None,
    qed: bool = False,
    cmb: bool = False,
) -> Complex[Array, "e 3 3"]:
    """Transfer matrix U with A(Earth) = U A(source), A = (A_l, A_b, a).

    Product of all cells as a tree of depth log2(n). On a processor core it costs two (1000 cells)
    to four times (4000) what :func:`exact_probability` does. The phase
    exp(-i int D_par ds) common to all states is left out. Photon -> axion of unpolarised light
    is (|U_al|^2 + |U_ab|^2)/2, half of axion -> photon without absorption.

    Parameters
    ----------
    path : LinePath
        Medium at n nodes, from the Earth outward.
    energy_keV : float array, shape (e,)
        Photon energies [keV].
    m_a_eV : float array, shape ()
        Axion mass [eV].
    u : float array, shape ()
        (g/1e-12 GeV^-1)^2 >= 0. The matrix contains sqrt(u), whose derivative at u = 0 is
        given as 0: fits use :func:`exact_probability`.
    cross_section_cm2 : float array, shape (e,), optional
        Photoelectric cross-section per hydrogen atom [cm^2].
    qed, cmb : bool
        Optional terms of the photon diagonal.

    Returns
    -------
    complex array, shape (e, 3, 3)
        Rows: state at the Earth; columns: state at the source.

    References
    ----------
    Raffelt & Stodolsky 1988, PRD 37, 1237.
    """
    u = jnp.where(jnp.asarray(u, float) > 0.0, u, 0.0)
    cells = _cells(path, energy_keV, m_a_eV, cross_section_cm2, qed, cmb)
    shape = cells.y.shape
    basis = jnp.eye(3, dtype=jnp.result_type(cells.y, 1j))

    def columns(cell: _Cells) -> Array:
        """Cell matrices, shape (3, 3, e), acting on (A/sqrt(u), a)."""

        def column(state):
            start = tuple(jnp.broadcast_to(x, (shape[1],)) for x in state)
            return jnp.stack(_step(start, cell, u))

        return jax.vmap(column, out_axes=1)(basis)

    product = jax.vmap(columns)(cells)
    while product.shape[0] > 1:
        count = product.shape[0]
        if count % 2:
            unit = jnp.broadcast_to(basis[None, :, :, None], (1, 3, 3, shape[1]))
            product = jnp.concatenate([product, unit])
        first, second = product[0::2], product[1::2]
        # Multiply-and-add over the inner index beats batched 3x3 products on processors.
        product = jnp.sum(second[:, :, :, None] * first[:, None], axis=2)
    root = safe_sqrt(u)
    out = product[0].transpose(2, 0, 1)
    # From (A/sqrt(u), a) back to (A, a); the lower row carries an explicit factor u.
    physical_column = out[:, :2, 2] * root
    physical_row = out[:, 2, :2] * safe_divide(jnp.ones_like(root), root)
    return out.at[:, :2, 2].set(physical_column).at[:, 2, :2].set(physical_row)
