"""Electron density from a table: profiles that need not be monotone.

A value may then be met at several radii. The nodes and extrema of each halo's cubic spline bracket
them, a static number of masked slots holds them, and Newton's method polishes them.
"""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...data.halo_profiles import HaloProfiles
from ..galaxy.base import parameter
from .gas import MIN_SLOPE, Crossings, GasProfile
from .grid import HaloGrid
from .profile_table import CubicPiece, HaloSplines, ProfileTable, linear_weights, make_profile_table

POLISH_STEPS = 12
ROUNDING = 1e-13
"""Changes of ln n_e below this part of its size are rounding."""


class TabulatedGas(GasProfile):
    """Electron density interpolated in a table.

    ln n_e is bilinear in (z, log10 M200c), held at the edges of the table, and a not-a-knot cubic
    spline in ln x; beyond its radii nothing is extrapolated: no crossing is reported there, and
    ``log_density`` returns the edge value with s = 0. Crossings with |s| < 0.05 are excluded
    and marked as tangential. If a density is met more often than there are slots, the innermost
    radii are kept; :func:`tabulated_gas` provides as many slots as its profiles can need.

    Attributes
    ----------
    table : ProfileTable
        ln n_e [cm^-3], shape (a, b, k) at nodes of z, log10 M200c [Msun] and ln(r/R200c).
    ln_amplitude : float array, shape ()
        Logarithm of a factor on n_e.
    slots : int
        Number of crossings that are looked for.
    """

    references: ClassVar[tuple[str, ...]] = ()
    table: ProfileTable
    slots: int = eqx.field(static=True)
    ln_amplitude: Float[Array, ""] = parameter(default=0.0)

    def log_density(
        self, grid: HaloGrid, x: Float[Array, "..."]
    ) -> tuple[Float[Array, "... n m"], Float[Array, "... n m"]]:
        """ln n_e [cm^-3] and d ln n_e/d ln r at x."""
        x = jnp.broadcast_to(x, jnp.broadcast_shapes(jnp.shape(x), grid.m200c_Msun.shape))
        ln_x = jnp.log(jnp.maximum(x, 1e-30))
        value, slope = self.table.evaluate(self.table.splines(grid), ln_x)
        return value + self.ln_amplitude, slope

    def crossings(self, grid: HaloGrid, log_density: Float[Array, ""]) -> Crossings:
        """All radii at which n_e takes the value, from the inside, in ``slots`` slots."""
        target = log_density - self.ln_amplitude
        splines = self.table.splines(grid)
        ends, interval, found = _brackets(
            *jax.lax.stop_gradient((self.table, splines, target)), self.slots
        )
        cubic = self.table.piece(splines, interval)
        ln_x = _bisected_newton(*jax.lax.stop_gradient((cubic, target, ends)))
        # Each step doubles the order to which the derivatives of the root are exact.
        for _ in range(2):
            value, slope = cubic(ln_x)
            steep = found & (jnp.abs(slope) > 0.5 * MIN_SLOPE)
            step = jnp.where(steep, value - target, 0.0) / jnp.where(steep, slope, 1.0)
            ln_x = ln_x - step
        _, slope = cubic(ln_x)
        flat = jnp.abs(slope) < MIN_SLOPE
        valid = found & ~flat
        return Crossings(jnp.exp(ln_x), jnp.where(valid, slope, -1.0), valid, found & flat)


def _brackets(
    table: ProfileTable, splines: HaloSplines, target: Float[Array, ""], slots: int
) -> tuple[tuple[Array, Array], Int[Array, "r n m"], Bool[Array, "r n m"]]:
    """For each slot the ends of its bracket in ln x, its interval, and whether there is one."""
    ln_x, values = table.monotone_edges(splines)
    high = values >= target
    number = jnp.cumsum(high[..., 1:] != high[..., :-1], axis=-1)
    slot = jnp.arange(1, slots + 1)[:, None, None]
    index = jnp.argmax(number == slot[..., None], axis=-1)
    rows = jnp.arange(ln_x.shape[0])[:, None], jnp.arange(ln_x.shape[1])
    ends = ln_x[(*rows, index)], ln_x[(*rows, index + 1)]
    return ends, index // 3, number[..., -1] >= slot


def _bisected_newton(
    cubic: CubicPiece, target: Float[Array, ""], ends: tuple[Array, Array]
) -> Float[Array, "r n m"]:
    """Root in each bracket; a Newton step that leaves it is replaced by a bisection."""
    sign = jnp.where(cubic(ends[0])[0] >= target, 1.0, -1.0)

    def step(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        lo, hi, ln_x = state
        value, slope = cubic(ln_x)
        before = sign * (value - target) >= 0.0
        lo, hi = jnp.where(before, ln_x, lo), jnp.where(before, hi, ln_x)
        newton = ln_x - (value - target) / jnp.where(slope == 0.0, 1.0, slope)
        inside = (newton > lo) & (newton < hi)
        return lo, hi, jnp.where(inside, newton, 0.5 * (lo + hi))

    start = (*ends, 0.5 * (ends[0] + ends[1]))
    return jax.lax.fori_loop(0, POLISH_STEPS, step, start)[2]


def tabulated_gas(profiles: HaloProfiles) -> TabulatedGas:
    """Gas from the arrays of a file, with as many slots as its profiles have monotone pieces.

    Parameters
    ----------
    profiles : HaloProfiles
        ln n_e [cm^-3], shape (a, b, k), and its nodes; see
        :func:`diffaxion.data.read_halo_profiles`.

    Returns
    -------
    TabulatedGas
        Table of shape (a, b, k) [cm^-3], with its static number of slots.

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter IV.
    """
    table = make_profile_table(profiles.z, profiles.log10_m200c, profiles.x, profiles.ln_value)
    return TabulatedGas(table, _monotone_pieces(table))


def _monotone_pieces(table: ProfileTable) -> int:
    """Largest number of monotone pieces of any profile that the bilinear mixing can make.

    Mixing two profiles can add extrema; sixteen mixtures per cell of the table are inspected.
    """

    def quarters(nodes: int) -> Float[Array, "q k"]:
        return linear_weights(jnp.arange(4 * nodes - 3) / 4.0, jnp.arange(nodes) * 1.0)

    @jax.jit
    def edges_of_mixtures(table: ProfileTable) -> Float[Array, "p q e"]:
        a, b, _ = table.values.shape
        values = jnp.einsum("pa,qb,abk->pqk", quarters(a), quarters(b), table.values)
        splines = HaloSplines(values, values @ table.curvature_operator.T)
        return table.monotone_edges(splines)[1]

    edges = np.asarray(edges_of_mixtures(table))
    pieces = 1
    for row in edges.reshape(-1, edges.shape[-1]):
        change = np.diff(row)
        # Rounding of the spline is no extremum.
        rising = change[np.abs(change) > ROUNDING * np.max(np.abs(row))] > 0.0
        pieces = max(pieces, 1 + int(np.sum(rising[1:] != rising[:-1])))
    return pieces
