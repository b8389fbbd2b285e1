"""Tables of radial profiles on a grid of redshift and mass.

Bilinear in (z, log10 M200c), held at the edges of the table; a cubic spline in ln x. Everything is
linear in the table's values.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ...numerics import safe_divide, safe_sqrt, spline_curvature
from ..galaxy.base import parameter
from .grid import HaloGrid


def linear_weights(x: Float[Array, "..."], nodes: Float[Array, " k"]) -> Float[Array, "... k"]:
    """Weights of linear interpolation between increasing nodes; the edge value outside.

    The weights are dense, so that the reverse pass is a product and not a scatter.
    """
    if nodes.shape[0] == 1:
        return jnp.ones((*jnp.shape(x), 1))
    x = jnp.clip(x, nodes[0], nodes[-1])[..., None]
    step = nodes[1:] - nodes[:-1]
    up = jnp.clip((x - nodes[:-1]) / step, 0.0, 1.0)  # fraction of each interval to the left of x
    one = jnp.ones_like(up[..., :1])
    return jnp.concatenate([one, up], -1) - jnp.concatenate([up, 0.0 * one], -1)


def mix_tables(
    z_weights: Float[Array, "n a"],
    mass_weights: Float[Array, "n m b"],
    table: Float[Array, "a b k"],
) -> Float[Array, "n m k"]:
    """Table rows mixed for every halo, redshift first."""
    return jnp.einsum("nmb,nbk->nmk", mass_weights, jnp.einsum("na,abk->nbk", z_weights, table))


class HaloSplines(NamedTuple):
    """Values and second derivatives in ln x at the nodes, for every halo: (n, m, k) each."""

    values: Float[Array, "n m k"]
    curvature: Float[Array, "n m k"]


class CubicPiece(NamedTuple):
    """The cubic of one interval of a spline, for points of shape (..., n, m)."""

    ln_x: Float[Array, "..."]
    width: Float[Array, "..."]
    values: tuple[Float[Array, "..."], Float[Array, "..."]]
    curvature: tuple[Float[Array, "..."], Float[Array, "..."]]

    def __call__(
        self, ln_x: Float[Array, "..."]
    ) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Value and slope d/d ln x."""
        (y0, y1), (c0, c1), h = self.values, self.curvature, self.width
        b = (ln_x - self.ln_x) / h
        a = 1.0 - b
        value = a * y0 + b * y1 + ((a**3 - a) * c0 + (b**3 - b) * c1) * h**2 / 6.0
        slope = (y1 - y0) / h + ((3.0 * b**2 - 1.0) * c1 - (3.0 * a**2 - 1.0) * c0) * h / 6.0
        return value, slope


class ProfileTable(eqx.Module):
    """ln of a positive profile at the nodes of (z, log10 M200c, ln x).

    Attributes
    ----------
    z : float array, shape (a,)
        Redshifts, increasing.
    log10_m200c : float array, shape (b,)
        log10 of M200c [Msun], increasing.
    ln_x : float array, shape (k,)
        ln of r/R200c, increasing, k >= 4.
    values : float array, shape (a, b, k)
        ln of the profile, in its unit.
    curvature_operator : float array, shape (k, k)
        Matrix that turns node values into the second derivatives of the spline.
    """

    z: Float[Array, " a"] = parameter()
    log10_m200c: Float[Array, " b"] = parameter()
    ln_x: Float[Array, " k"] = parameter()
    values: Float[Array, "a b k"] = parameter()
    curvature_operator: Float[Array, "k k"] = parameter()

    def weights(self, grid: HaloGrid) -> tuple[Float[Array, "n a"], Float[Array, "n m b"]]:
        """Weights of the table's rows for the halos of a grid."""
        return (
            linear_weights(grid.z, self.z),
            linear_weights(jnp.log10(grid.m200c_Msun), self.log10_m200c),
        )

    def splines(self, grid: HaloGrid) -> HaloSplines:
        """Spline of every halo of a grid."""
        values = mix_tables(*self.weights(grid), self.values)
        return HaloSplines(values, values @ self.curvature_operator.T)

    def monotone_edges(
        self, splines: HaloSplines
    ) -> tuple[Float[Array, "n m e"], Float[Array, "n m e"]]:
        """ln x and values at nodes and extrema: e = 3k - 2 edges of pieces that are all monotone.

        An interval of the cubic spline has up to two extrema; where it has none, edges coincide.
        """
        h = self.ln_x[1:] - self.ln_x[:-1]
        y0, y1 = splines.values[..., :-1], splines.values[..., 1:]
        c0, c1 = splines.curvature[..., :-1] * h**2, splines.curvature[..., 1:] * h**2
        # y = y0 + d1 t + d2 t^2 + d3 t^3 on 0 <= t <= 1
        d2, d3 = 0.5 * c0, (c1 - c0) / 6.0
        d1 = y1 - y0 - d2 - d3
        root = safe_sqrt(d2**2 - 3.0 * d3 * d1)
        q = -(d2 + jnp.where(d2 >= 0.0, root, -root))
        real = d2**2 > 3.0 * d3 * d1
        ends = [safe_divide(q, 3.0 * d3), safe_divide(d1, q)]
        one, two = (jnp.clip(jnp.where(real, t, 0.0), 0.0, 1.0) for t in ends)
        t = jnp.stack([jnp.zeros_like(one), jnp.minimum(one, two), jnp.maximum(one, two)], -1)
        y = y0[..., None] + t * (d1[..., None] + t * (d2[..., None] + t * d3[..., None]))
        ln_x = self.ln_x[:-1, None] + t * h[:, None]
        last = jnp.broadcast_to(self.ln_x[-1], (*y.shape[:2], 1))
        return (
            jnp.concatenate([ln_x.reshape(*y.shape[:2], -1), last], -1),
            jnp.concatenate([y.reshape(*y.shape[:2], -1), splines.values[..., -1:]], -1),
        )

    def piece(self, splines: HaloSplines, k: Int[Array, "... n m"]) -> CubicPiece:
        """The cubics of the k-th intervals, one per point."""
        n, m = splines.values.shape[:2]
        rows = jnp.arange(n)[:, None], jnp.arange(m)
        values, curvature = (
            (array[(*rows, k)], array[(*rows, k + 1)])
            for array in (splines.values, splines.curvature)
        )
        return CubicPiece(self.ln_x[k], self.ln_x[k + 1] - self.ln_x[k], values, curvature)

    def evaluate(
        self, splines: HaloSplines, ln_x: Float[Array, "... n m"]
    ) -> tuple[Float[Array, "... n m"], Float[Array, "... n m"]]:
        """Value and slope d/d ln x; beyond the table the edge value and slope zero."""
        inside = (ln_x >= self.ln_x[0]) & (ln_x <= self.ln_x[-1])
        ln_x = jnp.clip(ln_x, self.ln_x[0], self.ln_x[-1])
        k = jnp.clip(jnp.searchsorted(self.ln_x, ln_x, side="right") - 1, 0, self.ln_x.size - 2)
        value, slope = self.piece(splines, k)(ln_x)
        return value, jnp.where(inside, slope, 0.0)


def make_profile_table(
    z: np.ndarray, log10_m200c: np.ndarray, x: np.ndarray, ln_values: np.ndarray
) -> ProfileTable:
    """Table from plain arrays of shapes (a,), (b,), (k,) and (a, b, k); prepares the spline."""
    ln_x = np.log(x)
    curvature = spline_curvature(ln_x, np.eye(ln_x.size))
    return ProfileTable(*map(jnp.asarray, (z, log10_m200c, ln_x, ln_values, curvature)))
