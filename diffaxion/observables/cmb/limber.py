"""Sums of the halo model over redshift and mass, arranged so that each costs a few passes.

The screening side of a halo is A f((l + 1/2) theta) with f(a) = sin(a)/a, the galaxy side is
N_c + N_s u_l. Everything that does not depend on l is gathered into weights on [z, M] cells first;
what remains is one tensor f on [l, z, M] and matrix products with it. The derivative is written by
hand in the same form, in both modes: no transcendental function is evaluated twice.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from ...numerics import sinc_and_slope

# Cells [l, z, M] per pass: two tensors of this size stay in the cache of one core.
_CELLS_PER_PASS = 250_000


def _over_halos(tensor: Array, weight: Array) -> Array:
    """sum over z and M -> (l,)."""
    return tensor.reshape(tensor.shape[0], -1) @ weight.reshape(-1)


def _over_mass(tensor: Array, weight: Array) -> Array:
    """sum over M -> (l, z)."""
    return jnp.sum(tensor * weight, axis=-1)


@jax.custom_jvp
def _cross(
    ell: Array, theta: Array, central: Array, satellite: Array, biased: Array, u: Array, q: Array
) -> tuple[Array, Array]:
    f, _ = sinc_and_slope((ell[:, None, None] + 0.5) * theta)
    one = _over_halos(f, central) + _over_halos(f * u, satellite)
    return one, jnp.sum(q * _over_mass(f, biased), axis=1)


@functools.partial(_cross.defjvp, symbolic_zeros=True)
def _cross_jvp(primals: tuple, tangents: tuple) -> tuple:
    ell, theta, central, satellite, biased, u, q = primals
    _, d_theta, d_central, d_satellite, d_biased, d_u, d_q = tangents
    l = ell + 0.5
    f, slope = sinc_and_slope(l[:, None, None] * theta)
    fu, on_mass = f * u, _over_mass(f, biased)
    one = _over_halos(f, central) + _over_halos(fu, satellite)
    two = jnp.sum(q * on_mass, axis=1)
    d_one, d_two = jnp.zeros_like(one), jnp.zeros_like(two)
    if not isinstance(d_central, SymbolicZero):
        d_one += _over_halos(f, d_central)
    if not isinstance(d_satellite, SymbolicZero):
        d_one += _over_halos(fu, d_satellite)
    if not isinstance(d_u, SymbolicZero):
        d_one += _over_halos(f * d_u, satellite)
    if not isinstance(d_biased, SymbolicZero):
        d_two += jnp.sum(q * _over_mass(f, d_biased), axis=1)
    if not isinstance(d_q, SymbolicZero):
        d_two += jnp.sum(d_q * on_mass, axis=1)
    if not isinstance(d_theta, SymbolicZero):
        d_one += l * _over_halos(slope, central * d_theta)
        d_one += l * _over_halos(slope * u, satellite * d_theta)
        d_two += l * jnp.sum(q * _over_mass(slope, biased * d_theta), axis=1)
    return (one, two), (d_one, d_two)


def screening_galaxy_sums(
    ell: Float[Array, " l"],
    theta: Float[Array, "z m"],
    central: Float[Array, "z m"],
    satellite: Float[Array, "z m"],
    biased: Float[Array, "z m"],
    u: Float[Array, "l z m"],
    q: Float[Array, "l z"],
) -> tuple[Float[Array, " l"], Float[Array, " l"]]:
    """One- and two-halo sums of screening with galaxies.

    one_l = sum_zM f((l + 1/2) theta) (central + satellite u_l),
    two_l = sum_z q_lz sum_M f((l + 1/2) theta) biased,      f(a) = sin(a)/a.

    Parameters
    ----------
    ell : float array, shape (l,)
        Multipoles; no derivative is taken in them.
    theta : float array, shape (z, m)
        Angular radius of the resonance [rad].
    central, satellite : float array, shape (z, m)
        Weights of N_c and N_s: quadrature, volume, abundance, screening and galaxy kernels.
    biased : float array, shape (z, m)
        Weights of the two-halo term: screening amplitude, abundance and bias.
    u : float array, shape (l, z, m)
        Fourier profile of satellites, 1 at small l.
    q : float array, shape (l, z)
        Linear power times the galaxy side of the two-halo term, with quadrature and volume.

    Returns
    -------
    one, two : float array, shape (l,)
        The sums, in the unit of the weights.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (halo model of the screening cross-spectrum).
    """
    passes = -(-u.size // _CELLS_PER_PASS)
    if passes == 1:
        return _cross(ell, theta, central, satellite, biased, u, q)
    block = -(-ell.shape[0] // passes)
    pad = passes * block - ell.shape[0]

    def blocks(x: Array) -> Array:
        padded = jnp.pad(x, ((0, pad),) + ((0, 0),) * (x.ndim - 1), mode="edge")
        return padded.reshape((passes, block, *x.shape[1:]))

    @jax.checkpoint
    def one_block(part: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        return _cross(part[0], theta, central, satellite, biased, part[1], part[2])

    one, two = jax.lax.map(one_block, (blocks(ell), blocks(u), blocks(q)))
    return one.reshape(-1)[: ell.shape[0]], two.reshape(-1)[: ell.shape[0]]


def screening_auto_sums(
    ell: Float[Array, " l"],
    theta: Float[Array, "r z m"],
    depth: Float[Array, "r z m"],
    number: Float[Array, "z m"],
    biased: Float[Array, "z m"],
    q: Float[Array, "l z"],
) -> tuple[Float[Array, " l"], Float[Array, " l"]]:
    """One- and two-halo sums of screening with itself.

    With T_l = sum_r depth_r f((l + 1/2) theta_r), f(a) = sin(a)/a, over the resonances of a halo,

    one_l = sum_zM number T_l^2,   two_l = sum_z q_lz (sum_M biased T_l)^2.

    Parameters
    ----------
    ell : float array, shape (l,)
        Multipoles.
    theta : float array, shape (r, z, m)
        Angular radii of the resonances [rad].
    depth : float array, shape (r, z, m)
        Screening amplitudes.
    number : float array, shape (z, m)
        Abundance with quadrature and volume.
    biased : float array, shape (z, m)
        Abundance times bias, with the quadrature in mass.
    q : float array, shape (l, z)
        Linear power with quadrature and volume.

    Returns
    -------
    one, two : float array, shape (l,)
        The sums.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """

    def one(l: Array, weight: Array) -> tuple[Array, Array]:
        f, _ = sinc_and_slope((l + 0.5) * theta)
        halo = jnp.sum(depth * f, axis=0)
        return jnp.sum(halo**2 * number), jnp.sum(weight * jnp.sum(halo * biased, axis=-1) ** 2)

    return jax.lax.map(lambda x: one(*x), (ell, q))


def galaxy_auto_sums(
    satellite: Float[Array, "z m"],
    u: Float[Array, "l z m"],
    weight: Float[Array, "z m"],
    q: Float[Array, "l z"],
) -> tuple[Float[Array, " l"], Float[Array, " l"]]:
    """One- and two-halo sums of galaxies with themselves.

    one_l = sum_zM weight (2 N_s u + N_s^2 u^2),   two_l = sum_z q_lz, with the square of the
    galaxy side already in q. Pairs of centrals do not exist; shot noise is not included.

    Parameters
    ----------
    satellite : float array, shape (z, m)
        N_s, which is proportional to N_c in this model.
    u : float array, shape (l, z, m)
        Fourier profile of satellites.
    weight : float array, shape (z, m)
        Quadrature, volume, abundance and the square of the galaxy kernel.
    q : float array, shape (l, z)
        Linear power, quadrature, volume and the square of the biased galaxy side.

    Returns
    -------
    one, two : float array, shape (l,)
        The sums.

    References
    ----------
    Kusiak et al. 2022, arXiv:2203.12583 (one-halo term of the HOD).
    """
    su = satellite * u
    return jnp.sum(weight * (2.0 * su + su**2), axis=(1, 2)), jnp.sum(q, axis=1)
