"""Interfaces of the Galactic medium: regular magnetic field and electron density."""

from __future__ import annotations

import abc
from typing import Any, ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .frame import SightLine


def parameter(**kwargs: Any) -> Any:
    """Dataclass field that stores its value as a float64 array leaf."""
    return eqx.field(converter=lambda x: jnp.asarray(x, float), **kwargs)


def optional_parameter(**kwargs: Any) -> Any:
    """Like :func:`parameter`, absent (``None``) unless given."""
    kwargs.setdefault("default", None)
    return eqx.field(
        converter=lambda x: None if x is None else jnp.asarray(x, float), kw_only=True, **kwargs
    )


class MagneticField(eqx.Module):
    """Regular magnetic field of the Galaxy, for one position; ``vmap`` it over many.

    ``field(position_kpc)`` takes a galactocentric position, shape (3,) [kpc], and returns B,
    shape (3,) [muG].

    Attributes
    ----------
    references : tuple of str
        Papers of what the model contains.
    """

    references: eqx.AbstractClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        """B at a galactocentric position, shape (3,) [kpc] -> shape (3,) [muG]."""

    def crossings_kpc(self, sightline: SightLine) -> Float[Array, " k"]:
        """Distances s where B jumps along the sight line, shape (k,) [kpc].

        The number k is static; surfaces that the line does not meet are given as s = d, the
        distance of the source. Smooth models return shape (0,).
        """
        del sightline
        return jnp.zeros((0,))

    def smoothed(self, width_kpc: Float[Array, ""]) -> Self:
        """The same field with its jumps replaced by logistic steps of this width [kpc]."""
        del width_kpc
        return self

    @property
    def linear_paths(self) -> tuple[str, ...]:
        """Paths of the leaves in which B is jointly linear and homogeneous.

        With these leaves collected in c, B(c) = sum_k c_k dB/dc_k at fixed other leaves, so that
        the complex Born amplitude of each may be computed once.
        """
        return ()


class ElectronDensity(eqx.Module):
    """Free-electron density along a heliocentric direction.

    ``density(longitude_deg, latitude_deg, s_kpc)`` takes scalars [deg, deg, kpc] and returns
    n_e, shape () [cm^-3]. The Sun's galactocentric distance is the model's own.

    Attributes
    ----------
    references : tuple of str
        Papers of what the model contains.
    """

    references: eqx.AbstractClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def __call__(
        self,
        longitude_deg: Float[Array, ""],
        latitude_deg: Float[Array, ""],
        s_kpc: Float[Array, ""],
    ) -> Float[Array, ""]:
        """n_e [cm^-3] at heliocentric (l, b, s)."""


class UniformField(MagneticField):
    """The same field vector everywhere; for tests and slabs.

    Attributes
    ----------
    b_muG : float array, shape (3,)
        Field vector in galactocentric axes [muG].
    """

    references: ClassVar[tuple[str, ...]] = ()
    b_muG: Float[Array, "3"] = parameter()

    def __call__(self, position_kpc: Float[Array, "3"]) -> Float[Array, "3"]:
        del position_kpc
        return self.b_muG


class UniformDensity(ElectronDensity):
    """The same electron density everywhere; for tests and slabs.

    Attributes
    ----------
    n_e_cm3 : float array, shape ()
        Electron density [cm^-3].
    """

    references: ClassVar[tuple[str, ...]] = ()
    n_e_cm3: Float[Array, ""] = parameter()

    def __call__(
        self,
        longitude_deg: Float[Array, ""],
        latitude_deg: Float[Array, ""],
        s_kpc: Float[Array, ""],
    ) -> Float[Array, ""]:
        del longitude_deg, latitude_deg
        return self.n_e_cm3 + 0.0 * s_kpc
