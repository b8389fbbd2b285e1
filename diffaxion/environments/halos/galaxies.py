"""Redshift distribution of a galaxy sample."""

from __future__ import annotations

from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data import load_table
from ...data.redshift_table import read_redshift_table
from ...errors import unknown_name
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
    return _distribution(z, dndz, spline_curvature(z, dndz))


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
    return _distribution(*read_redshift_table(path, normalise))


def redshift_distribution(name: str | Path) -> RedshiftDistribution:
    """A redshift distribution by name or from a file, as configurations give it.

    Parameters
    ----------
    name : str or Path
        ``unwise-blue``, or the path of a file for :func:`read_redshift_distribution`.

    Returns
    -------
    RedshiftDistribution
        Spline with leaves of shape (n,).

    Raises
    ------
    ConfigurationError
        If the name is neither known nor a file.
    DataError
        If the file is unusable.

    References
    ----------
    Krolewski et al. 2020, JCAP 05, 047 (arXiv:1909.07412).
    """
    if str(name) == "unwise-blue":
        return unwise_blue()
    path = Path(name)
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return read_redshift_distribution(path)
    raise unknown_name("redshift distribution (or file)", str(name), ("unwise-blue",))


def _distribution(z: np.ndarray, dndz: np.ndarray, curvature: np.ndarray) -> RedshiftDistribution:
    return RedshiftDistribution(jnp.asarray(z), jnp.asarray(dndz), jnp.asarray(curvature))
