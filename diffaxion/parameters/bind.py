"""Priors bound to the leaves of a model by dotted path, and the map from z to a model.

A set of bindings turns a vector z of standard normals into a model: the free parameter k gets
the value ``prior_k.from_standard(z_k)``, fixed parameters their value, and tied parameters
``offset + scale * value of the source``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..errors import ConfigurationError, unknown_name
from .parse import parse_prior
from .paths import canonical_path, get_path, set_paths
from .priors import Prior
from .units import latex_label, unit_of

World = TypeVar("World")


class Tie(eqx.Module):
    """A parameter that follows another one: value = offset + scale * value(source).

    Attributes
    ----------
    source : str
        Path of the parameter that is followed.
    scale, offset : float array, shape ()
        Coefficients; the offset is in the unit of the tied parameter.
    """

    source: str = eqx.field(static=True)
    scale: Float[Array, ""]
    offset: Float[Array, ""]

    def __init__(self, source: str, scale: float | Array = 1.0, offset: float | Array = 0.0):
        self.source = canonical_path(source)
        self.scale = jnp.asarray(scale, float)
        self.offset = jnp.asarray(offset, float)

    def describe(self) -> str:
        """One line for tables."""
        scale, offset = float(self.scale), float(self.offset)
        text = self.source if scale == 1.0 else f"{scale:.6g} * {self.source}"
        return f"= {text}" if offset == 0.0 else f"= {offset:.6g} + {text}"


@dataclass(frozen=True)
class Explained:
    """One row of :meth:`Bindings.explain`.

    Attributes
    ----------
    path, prior, unit, label : str
        Path, description of the prior or tie, unit in plain text, label in LaTeX.
    width : float
        Half of the central 68.3% of the prior, in that unit; NaN for a tie.
    penalised : bool
        Whether the prior adds a penalty to a profile.
    """

    path: str
    prior: str
    unit: str
    width: float
    label: str
    penalised: bool


def _ordered_ties(ties: Mapping[str, Tie]) -> tuple[str, ...]:
    """Tied paths, each after the tied path that it follows."""
    done: list[str] = []
    left = dict(ties)
    while left:
        ready = [path for path, tie in left.items() if tie.source not in left]
        if not ready:
            raise ConfigurationError(f"tied parameters form a loop: {', '.join(left)}")
        done += ready
        for path in ready:
            del left[path]
    return tuple(done)


class Bindings(eqx.Module):
    """Priors and ties of a model, by dotted path, in the order given.

    Attributes
    ----------
    paths : tuple of str
        Bound paths (static), free and fixed ones.
    priors : tuple of Prior
        Prior of each path.
    tied_paths : tuple of str
        Tied paths (static), each after its source.
    ties : tuple of Tie
        Tie of each tied path.
    """

    paths: tuple[str, ...] = eqx.field(static=True)
    priors: tuple[Prior, ...]
    tied_paths: tuple[str, ...] = eqx.field(static=True)
    ties: tuple[Tie, ...]

    def __init__(self, priors: Mapping[str, Any], ties: Mapping[str, Tie | str] | None = None):
        """Bind priors to paths.

        Parameters
        ----------
        priors : mapping of str to Prior, number or mapping
            Whatever :func:`parse_prior` accepts, by path.
        ties : mapping of str to Tie or str, optional
            Tied paths; a string is the path of the source.

        Raises
        ------
        ConfigurationError
            If a prior is not understood, a path is bound twice, or ties form a loop.
        """
        bound: dict[str, Prior] = {}
        for path, spec in priors.items():
            name = canonical_path(path)
            if name in bound:
                raise ConfigurationError(f"parameter path {name!r} is bound twice")
            bound[name] = parse_prior(spec, name)
        tied: dict[str, Tie] = {}
        for path, tie in (ties or {}).items():
            name = canonical_path(path)
            if name in bound or name in tied:
                raise ConfigurationError(
                    f"parameter path {name!r} is bound and tied, or tied twice"
                )
            tied[name] = Tie(tie) if isinstance(tie, str) else tie
        self.paths = tuple(bound)
        self.priors = tuple(bound.values())
        self.tied_paths = _ordered_ties(tied)
        self.ties = tuple(tied[path] for path in self.tied_paths)

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of the free parameters: the order of z."""
        return tuple(n for n, p in zip(self.paths, self.priors) if p.free)

    @property
    def free_priors(self) -> tuple[Prior, ...]:
        """Priors of the free parameters, in the order of z."""
        return tuple(p for p in self.priors if p.free)

    @property
    def size(self) -> int:
        """Number k of free parameters."""
        return len(self.names)

    @property
    def labels(self) -> dict[str, str]:
        """LaTeX label of every free parameter."""
        return {name: latex_label(name) for name in self.names}

    @property
    def penalised(self) -> tuple[bool, ...]:
        """Which free parameters carry a penalty in a profile, in the order of z."""
        return tuple(p.penalised for p in self.free_priors)

    def values(self, z: Float[Array, " k"]) -> dict[str, Float[Array, ""]]:
        """Values of the free parameters, by path, at standard normals z, shape (k,)."""
        z = jnp.asarray(z)
        if z.shape != (self.size,):
            raise ConfigurationError(
                f"z has shape {z.shape}: expected ({self.size},), one number for each of "
                f"{', '.join(self.names) or 'no parameters'}"
            )
        return {
            n: p.from_standard(z[k]) for k, (n, p) in enumerate(zip(self.names, self.free_priors))
        }

    def standardise(self, values: Mapping[str, Any]) -> Float[Array, " k"]:
        """Standard normals z, shape (k,), of the given values; z = 0 for those not given."""
        self._known(values)
        z = [
            p.to_standard(jnp.asarray(values[n], float)) if n in values else jnp.zeros(())
            for n, p in zip(self.names, self.free_priors)
        ]
        return jnp.stack(z) if z else jnp.zeros((0,))

    def log_prior(self, z: Float[Array, " k"]) -> Float[Array, ""]:
        """Normalised ln density of z, shape (k,): independent standard normals."""
        return -0.5 * jnp.sum(z**2 + jnp.log(2.0 * jnp.pi))

    def apply(self, world: World, z: Float[Array, " k"]) -> World:
        """Model with every bound and tied parameter set.

        Parameters
        ----------
        world : pytree
            Model whose leaves the paths name.
        z : float array, shape (k,)
            Standard normals, in the order of :attr:`names`.

        Returns
        -------
        pytree
            The model; differentiable in z and in the parameters of the priors.

        Raises
        ------
        ConfigurationError
            If z has another shape or a path is unknown.
        """
        return self.apply_values(world, self.values(z))

    def apply_values(self, world: World, values: Mapping[str, Any]) -> World:
        """Model with given values of free parameters, by path; ties and fixed values follow.

        Free parameters that are not given keep the value they have in ``world``.

        Raises
        ------
        ConfigurationError
            If a path is not a free parameter of these bindings, or unknown in the model.
        """
        self._known(values)
        fixed = {n: p.centre for n, p in zip(self.paths, self.priors) if not p.free}
        world = set_paths(world, {**fixed, **values})
        for path, tie in zip(self.tied_paths, self.ties):
            world = set_paths(world, {path: tie.offset + tie.scale * get_path(world, tie.source)})
        return world

    def _known(self, values: Mapping[str, Any]) -> None:
        for name in values:
            if name not in self.names:
                raise unknown_name("free parameter", name, self.names)

    def check(self, world: Any) -> None:
        """Raise unless every path is one number of the model inside its prior's support.

        Raises
        ------
        ConfigurationError
            If a path is unknown or names a vector, or a value of the model is outside.
        """
        for path, prior in zip(self.paths, self.priors):
            value = get_path(world, path)
            if value.shape != ():
                raise ConfigurationError(
                    f"parameter path {path!r} has shape {value.shape}: bind one element at a "
                    f"time, such as {path}[{','.join('0' * len(value.shape))}]"
                )
            if prior.free and not jnp.isfinite(prior.log_prob(value)):
                raise ConfigurationError(
                    f"{path} = {float(value):g} in the model is outside its prior "
                    f"{prior.describe()}: change the prior or the model"
                )
        self.apply(world, jnp.zeros(self.size))

    def numpyro_sites(self, world: World) -> World:
        """Sample every free parameter inside a NumPyro model and return the bound model.

        For each path a site ``<path>_std`` is sampled from N(0, 1), and the value is registered
        as the deterministic site ``<path>``, also for fixed and tied parameters.

        Parameters
        ----------
        world : pytree
            Model whose leaves the paths name.

        Returns
        -------
        pytree
            The model at the sampled values.
        """
        import numpyro
        import numpyro.distributions as dist

        values = {}
        for name, prior in zip(self.names, self.free_priors):
            z = numpyro.sample(f"{name}_std", dist.Normal(0.0, 1.0))
            values[name] = numpyro.deterministic(name, prior.from_standard(z))
        bound = self.apply_values(world, values)
        fixed = [n for n, p in zip(self.paths, self.priors) if not p.free]
        for name in (*fixed, *self.tied_paths):
            numpyro.deterministic(name, get_path(bound, name))
        return bound

    def explain(self) -> list[Explained]:
        """Rows with path, prior, unit, width (half the central 68.3%) and label of each entry."""
        rows = [
            Explained(n, p.describe(), unit_of(n), float(p.width), latex_label(n), p.penalised)
            for n, p in zip(self.paths, self.priors)
        ]
        rows += [
            Explained(n, t.describe(), unit_of(n), float("nan"), latex_label(n), False)
            for n, t in zip(self.tied_paths, self.ties)
        ]
        return rows
