"""Redshift distribution of a galaxy sample."""

from __future__ import annotations

from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...data import load_table
from ...data.redshift_table import read_redshift_table
from ...numerics import spline_curvature, spline_interpolate
from ..galaxy.base import parameter


class RedshiftDistribution(eqx.Module):
    """dN/dz with integral 1: a cubic spline through a table, 0 outside of it.

    The integral is over the whole table, not over the redshifts of a calculation.

    Attributes
    ----------
    z : float array, shape (n,)
        Increasing redshifts.
    dndz : float array, shape (n,)
        dN/dz.
    curvature : float array, shape (n,)
        Second derivatives of the spline at the nodes.

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter IV.
    """

    z: Float[Array, " n"] = parameter()
    dndz: Float[Array, " n"] = parameter()
    curvature: Float[Array, " n"] = parameter()

    def __call__(self, z: Float[Array, "..."]) -> Float[Array, "..."]:
        """dN/dz at redshifts z."""
        inside = (z >= self.z[0]) & (z <= self.z[-1])
        value = spline_interpolate(z, self.z, self.dndz, self.curvature)
        return jnp.where(inside, value, 0.0)


def unwise_blue() -> RedshiftDistribution:
    """The unWISE Blue sample, 0 < z < 4, mean redshift 0.64.

    Returns
    -------
    RedshiftDistribution
        Spline through 500 points, shape (500,), not-a-knot.

    References
    ----------
    Krolewski et al. 2020, JCAP 05, 047 (arXiv:1909.07412); Goldstein et al. 2024,
    arXiv:2409.10514.
    """
    table = load_table("unwise_blue_dndz")
    z, dndz = table["z"], table["dndz"]
    return RedshiftDistribution(z, dndz, spline_curvature(z, dndz))


def read_redshift_distribution(path: str | Path, normalise: bool = False) -> RedshiftDistribution:
    """A redshift distribution from a file with the columns z and dndz.

    Parameters
    ----------
    path : str or Path
        Text file, columns separated by commas or blanks, comments after ``#``.
    normalise : bool
        Divide by the integral, instead of refusing one that differs from 1 by more than 1%.

    Returns
    -------
    RedshiftDistribution
        Not-a-knot spline through the n rows, shape (n,).

    Raises
    ------
    DataError
        If the file or a value is unusable, or the integral is not 1.

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter IV.
    """
    return RedshiftDistribution(*read_redshift_table(path, normalise))
