"""A field along one direction as a table, affine in the parameters that vary.

Most parameters of a field model are amplitudes: B is affine in them. Then B(s) along a fixed
direction is B_0(s) + sum_k (c_k - c_k0) dB/dc_k(s), tabulated once, and a sampler that varies
the amplitudes and the distance never evaluates the field model again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...numerics import linear_interpolate
from .base import MagneticField
from .frame import SightLine
from .sightline import LinePath, node_positions

# Linear interpolation on this many nodes, plus two at each jump, moves p by less than 1e-4.
_NODES = 4001
# Largest departure from an affine law that counts as rounding [muG].
_AFFINE_MUG = 1e-9


class FieldTable(eqx.Module):
    """Transverse field along a direction, affine in coefficients c.

    Attributes
    ----------
    s_kpc : float array, shape (t,)
        Nodes, on both sides of every jump [kpc].
    crossings_kpc : float array, shape (k,)
        Distances of the jumps [kpc].
    b_muG : float array, shape (t, 2)
        (B_l, B_b) at c = centre [muG].
    slope_muG : float array, shape (t, 2, m)
        Derivatives with respect to the m coefficients [muG per unit of c].
    centre : float array, shape (m,)
        Coefficients of the tabulated field.
    n_e_cm3 : float array, shape (t,), or None
        Electron density at the nodes, where these serve as they are because the distance is
        fixed [cm^-3]; None where paths end at varying distances.
    """

    s_kpc: Float[Array, " t"]
    crossings_kpc: Float[Array, " k"]
    b_muG: Float[Array, "t 2"]
    slope_muG: Float[Array, "t 2 m"]
    centre: Float[Array, " m"]
    n_e_cm3: Float[Array, " t"] | None = None

    def sample(
        self,
        sightline: SightLine,
        coefficients: Float[Array, " m"],
        fractions: Float[Array, " n"],
        electrons: tuple[Float[Array, " e"], Float[Array, " e"]],
    ) -> LinePath:
        """Medium at the nodes of a sight line in the tabulated direction.

        Parameters
        ----------
        sightline : SightLine
            Same direction and Sun as the table; its distance may vary.
        coefficients : float array, shape (m,)
            c.
        fractions : float array, shape (n,)
            Base grid as fractions of the distance.
        electrons : pair of float arrays, shape (e,)
            Table (s [kpc], n_e [cm^-3]).

        Returns
        -------
        LinePath
            Field [muG] and density [cm^-3] at n + 2k nodes.
        """
        b = self.b_muG + self.slope_muG @ (coefficients - self.centre)
        if self.n_e_cm3 is not None:
            return LinePath(self.s_kpc, b[:, 0], b[:, 1], self.n_e_cm3)
        s = node_positions(sightline, _Jumps(self.crossings_kpc), fractions)
        b_l, b_b = linear_interpolate(s, self.s_kpc, b).T
        return LinePath(s, b_l, b_b, linear_interpolate(s, *electrons))


class _Jumps(MagneticField):
    """Stands for a field whose jumps are known."""

    references: ClassVar[tuple[str, ...]] = ()
    at_kpc: Float[Array, " k"]

    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        return jnp.zeros_like(position_kpc)

    def crossings_kpc(self, sightline: SightLine) -> Float[Array, " k"]:
        return jnp.minimum(self.at_kpc, sightline.distance_kpc)


@eqx.filter_jit
def _crossings(field_of: Callable, c: Array, line: SightLine) -> Array:
    return field_of(c).crossings_kpc(line)


@eqx.filter_jit
def _transverse(field_of: Callable, c: Array, line: SightLine, s: Array) -> Array:
    """(B_l, B_b) at distances s [muG], shape (t, 2)."""
    b = jax.vmap(lambda x: field_of(c)(line.position_kpc(x)))(s)
    return b @ jnp.stack(line.transverse_basis()).T


def tabulate_field(
    field_of: Callable[[Float[Array, " m"]], MagneticField],
    centre: Float[Array, " m"],
    sightline: SightLine,
    reach_kpc: float,
    fixed: tuple[Array, tuple[Array, Array]] | None = None,
) -> FieldTable | None:
    """Table of a field along a direction, or None where it is not affine in its coefficients.

    Parameters
    ----------
    field_of : callable
        Coefficients c, shape (m,), to the field; a pytree, so that targets share a program.
    centre : float array, shape (m,)
        Where the table is made.
    sightline : SightLine
        Direction and Sun.
    reach_kpc : float
        Largest distance needed [kpc].
    fixed : tuple, optional
        Base fractions of the nodes and the table (s [kpc], n_e [cm^-3]) of the electrons, where
        the distance is ``reach_kpc`` always: the table then holds just the nodes of the path.

    Returns
    -------
    FieldTable or None
        None if B, or the place of a jump, departs from an affine (constant) law when all
        coefficients move together.

    References
    ----------
    None: a table.
    """
    line = eqx.tree_at(lambda x: x.distance_kpc, sightline, jnp.asarray(reach_kpc, float))
    nodes = jnp.linspace(0.0, 1.0, _NODES) if fixed is None else fixed[0]
    every = _crossings(field_of, centre, line)
    # Crossings that the line does not meet are padded to its end: here they can be left out.
    at = every[np.asarray(every) < reach_kpc]
    s = node_positions(line, _Jumps(at), nodes)
    start = _transverse(field_of, centre, line, s)
    # A unit step in each coefficient gives the exact slope of an affine law; joint steps of
    # unequal sizes in both directions show whether it is one.
    size = jnp.where(centre == 0.0, 1.0, jnp.abs(centre))
    steps = jnp.diag(size)
    slope = jnp.zeros((*start.shape, centre.size))
    for k, d in enumerate(steps):
        there = _transverse(field_of, centre + d, line, s)
        slope = slope.at[..., k].set((there - start) / d[k])
    for sign in (1.0, -1.0):
        shift = sign * size * jnp.linspace(0.3, 0.7, centre.size)
        there = _transverse(field_of, centre + shift, line, s)
        departure = float(jnp.max(jnp.abs(there - start - slope @ shift)))
        moved = jnp.max(jnp.abs(_crossings(field_of, centre + shift, line) - every), initial=0.0)
        if not (departure < _AFFINE_MUG and float(moved) == 0.0):
            return None
    n_e = None if fixed is None else linear_interpolate(s, *fixed[1])
    return FieldTable(s, at, start, slope, centre, n_e)
