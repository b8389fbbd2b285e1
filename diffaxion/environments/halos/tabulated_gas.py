"""Electron density from a table: profiles that need not be monotone.

A value may then be met at several radii. They are bracketed on a fixed radial grid, into a static
number of masked slots, and polished by Newton's method.
"""

from __future__ import annotations

from itertools import product
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ...data.halo_profiles import HaloProfiles
from ..galaxy.base import parameter
from .gas import Crossings, GasProfile
from .grid import HaloGrid
from .profile_table import HaloSplines, ProfileTable, make_profile_table, mix_tables, refine

# Below this |d ln n_e/d ln r| the crossing is not linear, as the conversion formula requires.
MINIMUM_SLOPE = 0.05
PARTS = 4  # brackets per interval of the table
POLISH_STEPS = 8


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
    fine_ln_x : float array, shape (f,)
        Edges of the brackets in ln(r/R200c).
    fine_operator : float array, shape (f, k)
        Matrix from node values to values at those edges.
    """

    references: ClassVar[tuple[str, ...]] = ()
    table: ProfileTable
    slots: int = eqx.field(static=True)
    fine_ln_x: Float[Array, " f"] = parameter()
    fine_operator: Float[Array, "f k"] = parameter()
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
        index, found = self._brackets(grid, target)
        start = self._bisected_newton(splines, target, index)
        ln_x = jax.lax.stop_gradient(start)
        # Each step doubles the order to which the derivatives of the root are exact.
        for _ in range(2):
            value, slope = self.table.evaluate(splines, ln_x)
            steep = found & (jnp.abs(slope) > 0.5 * MINIMUM_SLOPE)
            step = jnp.where(steep, value - target, 0.0) / jnp.where(steep, slope, 1.0)
            ln_x = jnp.clip(ln_x - step, self.fine_ln_x[0], self.fine_ln_x[-1])
        _, slope = self.table.evaluate(splines, ln_x)
        flat = jnp.abs(slope) < MINIMUM_SLOPE
        valid = found & ~flat
        return Crossings(jnp.exp(ln_x), jnp.where(valid, slope, -1.0), valid, found & flat)

    def _brackets(
        self, grid: HaloGrid, target: Float[Array, ""]
    ) -> tuple[Int[Array, "r n m"], Bool[Array, "r n m"]]:
        """Index of the bracket of each slot, and whether there is one."""
        fine = self.table.values @ self.fine_operator.T
        high = mix_tables(*self.table.weights(grid), fine) >= target
        change = high[..., 1:] != high[..., :-1]
        number = jnp.cumsum(change, axis=-1)
        slot = jnp.arange(1, self.slots + 1)[:, None, None]
        index = jnp.argmax(number == slot[..., None], axis=-1)
        return index, number[..., -1] >= slot

    def _bisected_newton(
        self, splines: HaloSplines, target: Float[Array, ""], index: Int[Array, "r n m"]
    ) -> Float[Array, "r n m"]:
        """Root in each bracket; a Newton step that leaves it is replaced by a bisection."""
        splines, target, edges = jax.lax.stop_gradient((splines, target, self.fine_ln_x))
        lo, hi = edges[index], edges[index + 1]
        sign = jnp.where(self.table.evaluate(splines, lo)[0] >= target, 1.0, -1.0)

        def step(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            lo, hi, ln_x = state
            value, slope = self.table.evaluate(splines, ln_x)
            before = sign * (value - target) >= 0.0
            lo, hi = jnp.where(before, ln_x, lo), jnp.where(before, hi, ln_x)
            newton = ln_x - (value - target) / jnp.where(slope == 0.0, 1.0, slope)
            inside = (newton > lo) & (newton < hi)
            return lo, hi, jnp.where(inside, newton, 0.5 * (lo + hi))

        return jax.lax.fori_loop(0, POLISH_STEPS, step, (lo, hi, 0.5 * (lo + hi)))[2]


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
    fine, operator = refine(table, PARTS)
    slots = _monotone_pieces(profiles.ln_value, operator)
    return TabulatedGas(table, slots, jnp.asarray(fine), jnp.asarray(operator))


def _monotone_pieces(values: np.ndarray, operator: np.ndarray) -> int:
    """Largest number of monotone pieces of any profile that the bilinear mixing can make.

    Mixing two profiles can add extrema; sixteen mixtures per cell of the table are inspected.
    """
    a, b, _ = values.shape
    pieces = 1
    quarters = (0.0, 0.25, 0.5, 0.75)
    for i, j, s, t in product(range(a), range(b), quarters, quarters):
        up, right = min(i + 1, a - 1), min(j + 1, b - 1)
        mixed = (1 - s) * ((1 - t) * values[i, j] + t * values[i, right]) + s * (
            (1 - t) * values[up, j] + t * values[up, right]
        )
        rising = np.diff(operator @ mixed) > 0.0
        pieces = max(pieces, 1 + int(np.sum(rising[1:] != rising[:-1])))
    return pieces
