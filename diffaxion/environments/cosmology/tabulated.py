"""Linear matter power spectrum from the user's own arrays."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data.linear_power import validate_linear_power
from ...errors import DataError, ValidityError
from ...numerics import spline_curvature
from .background import Cosmology, parameter
from .power import LinearPower

# The not-a-knot splines need this many nodes in each direction.
_FEWEST = 4


class TabulatedPower(LinearPower):
    """P(k, z) through user arrays: ln P is a bicubic spline in ln k and z, twice differentiable.

    The cosmology does not act on it. Beyond the first and last k the spectrum goes on as the power
    law it has there, which the variance of small masses needs; beyond the first and last z the
    edge holds. :meth:`check` raises outside the table.

    Parameters
    ----------
    z : array, shape (n,)
        Increasing redshifts, at least four.
    k_Mpc : array, shape (k,)
        Increasing comoving wave numbers without h [1/Mpc], at least four.
    power_Mpc3 : array, shape (n, k)
        Positive power [Mpc^3].

    Attributes
    ----------
    z : float array, shape (n,)
        Redshifts of the table.
    ln_k : float array, shape (k,)
        ln k, k in [1/Mpc].
    table : float array, shape (4, n, k)
        ln P, d^2/d(ln k)^2, d^2/dz^2 and d^4/(d(ln k)^2 dz^2) of it.

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter XVII (tensor products).
    """

    references: ClassVar[tuple[str, ...]] = ()
    separable: ClassVar[bool] = False
    z: Float[Array, " n"] = parameter()
    ln_k: Float[Array, " k"] = parameter()
    table: Float[Array, "4 n k"] = parameter()

    def __init__(self, z: np.ndarray, k_Mpc: np.ndarray, power_Mpc3: np.ndarray) -> None:
        table = validate_linear_power(z, k_Mpc, power_Mpc3, "tabulated power")
        for name, nodes in (("z", table.z), ("k_Mpc", table.k_Mpc)):
            if nodes.size < _FEWEST:
                raise DataError(
                    f"tabulated power: {nodes.size} values of {name}: expected at least "
                    f"{_FEWEST}, which a cubic spline needs"
                )
        ln_k, ln_p = np.log(table.k_Mpc), np.log(table.power_Mpc3)
        in_k = spline_curvature(ln_k, ln_p.T).T
        self.z = jnp.asarray(table.z)
        self.ln_k = jnp.asarray(ln_k)
        self.table = jnp.asarray(
            np.stack([ln_p, in_k, *(spline_curvature(table.z, f) for f in (ln_p, in_k))])
        )

    def power(
        self, cosmology: Cosmology, k_Mpc: Float[Array, "..."], z: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """P [Mpc^3]; the cosmology is that of the table."""
        del cosmology
        ln_k, z = jnp.broadcast_arrays(jnp.log(k_Mpc), jnp.asarray(z, float))
        inside = jnp.clip(ln_k, self.ln_k[0], self.ln_k[-1])
        i, value, rate = _basis(inside, self.ln_k)
        j, weight, _ = _basis(jnp.clip(z, self.z[0], self.z[-1]), self.z)
        # Entries 0, 2 of the table are spline values and z curvatures of ln P; 1, 3 those of its
        # curvature in ln k.
        total, slope = jnp.zeros_like(ln_k), jnp.zeros_like(ln_k)
        for a in range(4):
            node = sum(
                weight[b] * self.table[2 * (b // 2) + a // 2, j + b % 2, i + a % 2]
                for b in range(4)
            )
            total, slope = total + value[a] * node, slope + rate[a] * node
        return jnp.exp(total + slope * (ln_k - inside))

    def check(self, k_Mpc: Float[Array, "..."], z: Float[Array, "..."]) -> None:
        """Make sure that the table covers wave numbers and redshifts; call it outside ``jit``.

        Parameters
        ----------
        k_Mpc : float array, shape (...)
            Comoving wave numbers [1/Mpc].
        z : float array, shape (...)
            Redshifts.

        Returns
        -------
        None

        Raises
        ------
        ValidityError
            If one of them lies outside the table.

        References
        ----------
        None; bookkeeping.
        """
        edges = np.exp(np.asarray(self.ln_k)[[0, -1]]), np.asarray(self.z)[[0, -1]]
        for name, wanted, (low, high) in zip(("k_Mpc", "z"), (k_Mpc, z), edges, strict=True):
            values = np.asarray(wanted, float)
            outside = ~((values >= low * (1.0 - 1e-12)) & (values <= high * (1.0 + 1e-12)))
            if np.any(outside):
                raise ValidityError(
                    f"tabulated power, {name} = {values[outside].flat[0]:g}: the table runs from "
                    f"{low:g} to {high:g}. Extend the table or restrict the range."
                )


def _basis(x: Array, nodes: Array) -> tuple[Array, list[Array], list[Array]]:
    """Cell of x, and the weights of a cubic spline and of its slope in that cell.

    They multiply the values at both ends of the cell, then the second derivatives there.
    """
    cell = jnp.clip(jnp.searchsorted(nodes, x, side="right") - 1, 0, nodes.shape[0] - 2)
    h = nodes[cell + 1] - nodes[cell]
    b = (x - nodes[cell]) / h
    a = 1.0 - b
    value = [a, b, (a**3 - a) * h**2 / 6.0, (b**3 - b) * h**2 / 6.0]
    rate = [-1.0 / h, 1.0 / h, (1.0 - 3.0 * a**2) * h / 6.0, (3.0 * b**2 - 1.0) * h / 6.0]
    return cell, value, rate
