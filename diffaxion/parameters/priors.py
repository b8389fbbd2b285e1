"""Priors of scalar parameters, each as a smooth map from a standard normal variable.

Every parameter is sampled as z ~ N(0, 1) (non-centred), and its value is ``from_standard(z)``.
For a distribution with cumulative function F this is value = F^-1(Phi(z)). In profiles only
Gaussian-type priors are penalties (they stand for an auxiliary measurement of the parameter, or
of its logarithm); a uniform prior is a box without penalty.
"""

from __future__ import annotations

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Float

from ..errors import ConfigurationError
from ..numerics import safe_log, safe_sqrt

_HALF_LN_2PI = 0.5 * math.log(2.0 * math.pi)
# Probabilities are kept this far from 0 and 1, so that quantiles and their slopes stay finite.
_TINY = 1e-300
_EPS = 1.1102230246251565e-16

Scalar = Float[Array, ""]
ScalarLike = float | Array


def _number(value: Any) -> Array:
    """A float scalar; shapes and kinds are checked in ``__check_init__``."""
    if isinstance(value, (bool, str)) or value is None:
        raise ConfigurationError(f"prior parameter {value!r}: expected a number")
    return jnp.asarray(value, float)


def _quantile(p: Array) -> Array:
    """Phi^-1(p) with p kept inside (0, 1)."""
    return ndtri(jnp.clip(p, _TINY, 1.0 - _EPS))


class Prior(eqx.Module):
    """Interface of the priors of one scalar parameter."""

    @abc.abstractmethod
    def from_standard(self, z: Scalar) -> Scalar:
        """Value of the parameter at the standard normal variable z, shape () -> ()."""

    @abc.abstractmethod
    def to_standard(self, value: Scalar) -> Scalar:
        """Inverse of :meth:`from_standard`; finite also at the edges of the support."""

    @abc.abstractmethod
    def log_prob(self, value: Scalar) -> Scalar:
        """ln of the normalised density in the value; -inf outside the support."""

    @abc.abstractmethod
    def penalty(self, z: Scalar) -> Scalar:
        """Term of -ln L in a profile, at the standard normal variable z; 0 for a box."""

    @property
    @abc.abstractmethod
    def penalised(self) -> bool:
        """Whether the prior adds a penalty to a profile likelihood."""

    @abc.abstractmethod
    def describe(self) -> str:
        """One line for tables, such as ``Normal(4.6, 0.3)``."""

    @property
    def free(self) -> bool:
        """Whether the parameter varies; False only for :class:`Fixed`."""
        return True

    @property
    def width(self) -> Scalar:
        """Half of the central 68.3% interval of the value; sigma for a normal prior."""
        return 0.5 * (self.from_standard(jnp.array(1.0)) - self.from_standard(jnp.array(-1.0)))

    @property
    def centre(self) -> Scalar:
        """Value at z = 0: the median of the prior."""
        return self.from_standard(jnp.array(0.0))

    def _require(self, **conditions: tuple[bool | Array, str]) -> None:
        """Raise if a parameter is not a finite scalar or breaks its condition."""
        for name, (holds, wanted) in conditions.items():
            value = getattr(self, name)
            if value.shape != ():
                raise ConfigurationError(
                    f"{type(self).__name__}.{name} has shape {value.shape}: expected one number; "
                    "bind each element of a vector by its own path, such as 'b_arm_muG[3]'"
                )
            # Under jit or vmap there is no number to look at.
            if isinstance(value, jax.core.Tracer):
                continue
            if not (math.isfinite(value) and bool(holds)):
                raise ConfigurationError(
                    f"{type(self).__name__}.{name} = {float(value):g}: expected {wanted}"
                )


def _show(*values: Array) -> str:
    return ", ".join(f"{float(v):.6g}" for v in values)


class Normal(Prior):
    """Gaussian prior: value = mean + sigma z.

    Attributes
    ----------
    mean, sigma : float array, shape ()
        Centre and standard deviation, in the unit of the parameter; sigma > 0.
    """

    mean: Scalar
    sigma: Scalar

    def __init__(self, mean: ScalarLike, sigma: ScalarLike):
        self.mean = _number(mean)
        self.sigma = _number(sigma)

    def __check_init__(self) -> None:
        self._require(mean=(True, "a finite number"), sigma=(self.sigma > 0, "sigma > 0"))

    def from_standard(self, z: Scalar) -> Scalar:
        return self.mean + self.sigma * z

    def to_standard(self, value: Scalar) -> Scalar:
        return (value - self.mean) / self.sigma

    def log_prob(self, value: Scalar) -> Scalar:
        return -0.5 * self.to_standard(value) ** 2 - jnp.log(self.sigma) - _HALF_LN_2PI

    def penalty(self, z: Scalar) -> Scalar:
        return 0.5 * z**2

    @property
    def penalised(self) -> bool:
        return True

    def describe(self) -> str:
        return f"Normal({_show(self.mean, self.sigma)})"


class LogNormal(Prior):
    """Log-normal prior: value = median exp(sigma_ln z).

    The penalty in a profile is z^2/2: an auxiliary measurement of ln(value), without Jacobian.

    Attributes
    ----------
    median : float array, shape ()
        Median, in the unit of the parameter; > 0.
    sigma_ln : float array, shape ()
        Standard deviation of ln(value); > 0.
    """

    median: Scalar
    sigma_ln: Scalar

    def __init__(self, median: ScalarLike, sigma_ln: ScalarLike):
        self.median = _number(median)
        self.sigma_ln = _number(sigma_ln)

    def __check_init__(self) -> None:
        self._require(
            median=(self.median > 0, "median > 0"), sigma_ln=(self.sigma_ln > 0, "sigma_ln > 0")
        )

    def from_standard(self, z: Scalar) -> Scalar:
        return self.median * jnp.exp(self.sigma_ln * z)

    def to_standard(self, value: Scalar) -> Scalar:
        return (safe_log(value) - jnp.log(self.median)) / self.sigma_ln

    def log_prob(self, value: Scalar) -> Scalar:
        inside = value > 0.0
        density = (
            -0.5 * self.to_standard(value) ** 2
            - safe_log(value)
            - jnp.log(self.sigma_ln)
            - _HALF_LN_2PI
        )
        return jnp.where(inside, density, -jnp.inf)

    def penalty(self, z: Scalar) -> Scalar:
        return 0.5 * z**2

    @property
    def penalised(self) -> bool:
        return True

    def describe(self) -> str:
        return f"LogNormal({_show(self.median, self.sigma_ln)})"


class Uniform(Prior):
    """Uniform prior: value = low + (high - low) Phi(z), a box without penalty in profiles.

    Attributes
    ----------
    low, high : float array, shape ()
        Edges, in the unit of the parameter; low < high.
    """

    low: Scalar
    high: Scalar

    def __init__(self, low: ScalarLike, high: ScalarLike):
        self.low = _number(low)
        self.high = _number(high)

    def __check_init__(self) -> None:
        self._require(low=(True, "a finite number"), high=(self.high > self.low, "high > low"))

    def from_standard(self, z: Scalar) -> Scalar:
        return self.low + (self.high - self.low) * ndtr(z)

    def to_standard(self, value: Scalar) -> Scalar:
        return _quantile((value - self.low) / (self.high - self.low))

    def log_prob(self, value: Scalar) -> Scalar:
        inside = (value >= self.low) & (value <= self.high)
        return jnp.where(inside, -jnp.log(self.high - self.low), -jnp.inf)

    def penalty(self, z: Scalar) -> Scalar:
        return jnp.zeros_like(z)

    @property
    def penalised(self) -> bool:
        return False

    def describe(self) -> str:
        return f"Uniform({_show(self.low, self.high)})"


class UniformRoot(Prior):
    """Uniform in the square root: value = (r_0 + (r_1 - r_0) Phi(z))^2, r = value^(1/2).

    Bound to u = (g/1e-12 GeV^-1)^2 it is a prior uniform in the coupling g.

    Attributes
    ----------
    low, high : float array, shape ()
        Edges, in the unit of the parameter; 0 <= low < high.
    """

    low: Scalar
    high: Scalar

    def __init__(self, low: ScalarLike, high: ScalarLike):
        self.low = _number(low)
        self.high = _number(high)

    def __check_init__(self) -> None:
        self._require(low=(self.low >= 0, "low >= 0"), high=(self.high > self.low, "high > low"))

    @property
    def _roots(self) -> tuple[Scalar, Scalar]:
        return safe_sqrt(self.low), safe_sqrt(self.high)

    def from_standard(self, z: Scalar) -> Scalar:
        start, end = self._roots
        return (start + (end - start) * ndtr(z)) ** 2

    def to_standard(self, value: Scalar) -> Scalar:
        start, end = self._roots
        return _quantile((safe_sqrt(value) - start) / (end - start))

    def log_prob(self, value: Scalar) -> Scalar:
        start, end = self._roots
        inside = (value >= self.low) & (value <= self.high)
        density = -math.log(2.0) - 0.5 * safe_log(value) - jnp.log(end - start)
        return jnp.where(inside, density, -jnp.inf)

    def penalty(self, z: Scalar) -> Scalar:
        return jnp.zeros_like(z)

    @property
    def penalised(self) -> bool:
        return False

    def describe(self) -> str:
        return f"UniformRoot({_show(self.low, self.high)})"


class LogUniform(Prior):
    """Uniform in ln(value): value = low (high/low)^Phi(z), a box without penalty in profiles.

    Attributes
    ----------
    low, high : float array, shape ()
        Edges, in the unit of the parameter; 0 < low < high.
    """

    low: Scalar
    high: Scalar

    def __init__(self, low: ScalarLike, high: ScalarLike):
        self.low = _number(low)
        self.high = _number(high)

    def __check_init__(self) -> None:
        self._require(low=(self.low > 0, "low > 0"), high=(self.high > self.low, "high > low"))

    def from_standard(self, z: Scalar) -> Scalar:
        return self.low * jnp.exp(jnp.log(self.high / self.low) * ndtr(z))

    def to_standard(self, value: Scalar) -> Scalar:
        return _quantile((safe_log(value) - jnp.log(self.low)) / jnp.log(self.high / self.low))

    def log_prob(self, value: Scalar) -> Scalar:
        inside = (value >= self.low) & (value <= self.high)
        density = -safe_log(value) - jnp.log(jnp.log(self.high / self.low))
        return jnp.where(inside, density, -jnp.inf)

    def penalty(self, z: Scalar) -> Scalar:
        return jnp.zeros_like(z)

    @property
    def penalised(self) -> bool:
        return False

    def describe(self) -> str:
        return f"LogUniform({_show(self.low, self.high)})"


class HalfNormalAbove(Prior):
    """One-sided Gaussian above an edge: value = edge + sigma x, x = |N(0, 1)|.

    The map x(z) = Phi^-1(1 - Phi(-z)/2) is smooth and increasing. The penalty in a profile is
    x^2/2, which is zero at the edge (z -> -infinity), not at z = 0.

    Attributes
    ----------
    edge, sigma : float array, shape ()
        Lower edge and width, in the unit of the parameter; sigma > 0.
    """

    edge: Scalar
    sigma: Scalar

    def __init__(self, edge: ScalarLike, sigma: ScalarLike):
        self.edge = _number(edge)
        self.sigma = _number(sigma)

    def __check_init__(self) -> None:
        self._require(edge=(True, "a finite number"), sigma=(self.sigma > 0, "sigma > 0"))

    @staticmethod
    def _excess(z: Scalar) -> Scalar:
        return -_quantile(0.5 * ndtr(-z))

    def from_standard(self, z: Scalar) -> Scalar:
        return self.edge + self.sigma * self._excess(z)

    def to_standard(self, value: Scalar) -> Scalar:
        excess = jnp.maximum((value - self.edge) / self.sigma, 0.0)
        return -_quantile(2.0 * ndtr(-excess))

    def log_prob(self, value: Scalar) -> Scalar:
        excess = (value - self.edge) / self.sigma
        density = -0.5 * excess**2 - jnp.log(0.5 * self.sigma) - _HALF_LN_2PI
        return jnp.where(excess >= 0.0, density, -jnp.inf)

    def penalty(self, z: Scalar) -> Scalar:
        return 0.5 * self._excess(z) ** 2

    @property
    def penalised(self) -> bool:
        return True

    def describe(self) -> str:
        return f"HalfNormalAbove({_show(self.edge, self.sigma)})"


class Fixed(Prior):
    """A parameter held at one value; it takes no part in sampling.

    Attributes
    ----------
    value : float array, shape ()
        The value, in the unit of the parameter.
    """

    value: Scalar

    def __init__(self, value: ScalarLike):
        self.value = _number(value)

    def __check_init__(self) -> None:
        self._require(value=(True, "a finite number"))

    def from_standard(self, z: Scalar) -> Scalar:
        return self.value + 0.0 * z

    def to_standard(self, value: Scalar) -> Scalar:
        return 0.0 * value

    def log_prob(self, value: Scalar) -> Scalar:
        return 0.0 * value

    def penalty(self, z: Scalar) -> Scalar:
        return jnp.zeros_like(z)

    @property
    def penalised(self) -> bool:
        return False

    @property
    def free(self) -> bool:
        return False

    def describe(self) -> str:
        return f"Fixed({_show(self.value)})"
