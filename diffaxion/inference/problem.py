"""A likelihood with its nuisance parameters, in the form that the Newton solver wants.

Unknowns are x = (a, zeta_1..zeta_K, A_1..A_h): a strength, nuisances and, if there are any, a
tail of per-bin parameters (backgrounds) that couple to the rest but not to one another, so that
the Hessian is an arrow. The objective is

    F(x) = ln L(a, zeta, A; data) - 1/2 sum_gaussian ((zeta_k - c_k)/w_k)^2;

nuisances with a uniform prior are a box without penalty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, PyTree


class Expansion(NamedTuple):
    """Second-order expansion of ln L at one point.

    Attributes
    ----------
    value : float array, shape ()
        ln L; -inf or NaN outside its domain.
    gradient : float array, shape (1 + K + h,)
        First derivatives in (a, zeta, A).
    core : float array, shape (1 + K, 1 + K)
        Second derivatives in (a, zeta).
    cross : float array, shape (1 + K, h)
        Mixed second derivatives with the tail.
    diagonal : float array, shape (h,)
        Second derivatives in the tail, which has no others.
    """

    value: Array
    gradient: Array
    core: Array
    cross: Array
    diagonal: Array


class Problem(eqx.Module):
    """A likelihood with its nuisances, ready to be profiled.

    Attributes
    ----------
    loglike : callable
        (strength, nuisances, data) -> ln L, a scalar, smooth in everything: a plain function,
        so that it compiles once. Nuisances have shape (K + h,). Outside its domain it returns
        -inf or NaN.
    gaussian : bool array, shape (K + h,)
        Which nuisances carry the penalty; the others are flat inside their box.
    centre, width : float array, shape (K + h,)
        Centre and width of the penalty, 0 and 1 for a standardised nuisance.
    lower, upper : float array, shape (K + h,)
        Box of each nuisance; infinite for none.
    tail : int
        Number h of trailing nuisances that do not couple to one another.
    expand : callable, optional
        (strength, nuisances, data) -> Expansion of ``loglike``, if its derivatives are known in
        a cheaper form than automatic differentiation gives.
    """

    loglike: Callable[..., Array] = eqx.field(static=True)
    gaussian: Bool[Array, " k"]
    centre: Float[Array, " k"]
    width: Float[Array, " k"]
    lower: Float[Array, " k"]
    upper: Float[Array, " k"]
    tail: int = eqx.field(static=True)
    expand: Callable[..., Expansion] | None = eqx.field(static=True)

    def __init__(
        self,
        loglike: Callable[..., Array],
        gaussian: ArrayLike,
        *,
        lower: ArrayLike = -jnp.inf,
        upper: ArrayLike = jnp.inf,
        centre: ArrayLike = 0.0,
        width: ArrayLike = 1.0,
        tail: int = 0,
        expand: Callable[..., Expansion] | None = None,
    ) -> None:
        self.loglike = loglike
        self.gaussian = jnp.asarray(gaussian, bool)
        shape = self.gaussian.shape
        self.centre = jnp.broadcast_to(jnp.asarray(centre, float), shape)
        self.width = jnp.broadcast_to(jnp.asarray(width, float), shape)
        self.lower = jnp.broadcast_to(jnp.asarray(lower, float), shape)
        self.upper = jnp.broadcast_to(jnp.asarray(upper, float), shape)
        self.tail = tail
        self.expand = expand

    def start(self) -> Float[Array, " n"]:
        """Strength 0, penalised nuisances at their centre, flat ones in the middle of their box.

        Returns
        -------
        float array, shape (1 + K + h,)
            A starting point; one-sided boxes start at their finite end.
        """
        low, high = jnp.isfinite(self.lower), jnp.isfinite(self.upper)
        lower = jnp.where(low, self.lower, jnp.where(high, self.upper, 0.0))
        upper = jnp.where(high, self.upper, lower)
        inside = jnp.where(self.gaussian, self.centre, 0.5 * (lower + upper))
        return jnp.concatenate([jnp.zeros(1), jnp.clip(inside, self.lower, self.upper)])

    def objective(self, x: Float[Array, " n"], data: PyTree) -> Float[Array, ""]:
        """F(x) = ln L minus the penalty of the Gaussian nuisances.

        Parameters
        ----------
        x : float array, shape (1 + K + h,)
            Strength and nuisances.
        data : pytree
            Data and model handed to ``loglike``.

        Returns
        -------
        float array, shape ()
            Penalised ln L.
        """
        return self.loglike(x[0], x[1:], data) - self._penalty(x)

    def expansion(self, x: Float[Array, " n"], data: PyTree) -> Expansion:
        """F and its derivatives at x, penalty included.

        Parameters
        ----------
        x : float array, shape (1 + K + h,)
            Strength and nuisances.
        data : pytree
            Data and model handed to ``loglike``.

        Returns
        -------
        Expansion
            Of the penalised ln L.
        """
        if self.expand is None:

            def gradient(y: Array) -> tuple[Array, tuple[Array, Array]]:
                value, slope = jax.value_and_grad(self.objective)(y, data)
                return slope, (value, slope)

            hessian, (value, slope) = jax.jacfwd(gradient, has_aux=True)(x)
            n = x.shape[0] - self.tail
            diagonal = jnp.diagonal(hessian)[n:]
            return Expansion(value, slope, hessian[:n, :n], hessian[:n, n:], diagonal)
        raw = self.expand(x[0], x[1:], data)
        n = raw.core.shape[0]
        curve = jnp.concatenate([jnp.zeros(1), jnp.where(self.gaussian, self.width**-2, 0.0)])
        pull = jnp.concatenate([jnp.zeros(1), x[1:] - self.centre])
        return Expansion(
            raw.value - self._penalty(x),
            raw.gradient - curve * pull,
            raw.core - jnp.diag(curve[:n]),
            raw.cross,
            raw.diagonal - curve[n:],
        )

    def _penalty(self, x: Array) -> Array:
        pull = (x[1:] - self.centre) / self.width
        return 0.5 * jnp.sum(jnp.where(self.gaussian, pull**2, 0.0))
