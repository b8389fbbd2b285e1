"""The density of an analysis in the forms that other samplers expect.

Gradient samplers take :func:`~diffaxion.analyses.logdensity` as it is. Nested samplers want a map
from the unit cube and a likelihood on it::

    cube = UnitCube(analysis.data)
    nautilus.Sampler(cube.prior_transform, cube.loglike_values, n_dim=cube.size)
    dynesty.NestedSampler(cube.loglike_values, cube.prior_transform, cube.size)

Cobaya is served by :func:`~diffaxion.analyses.cobaya_info`.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Array, ArrayLike, Float

from ..errors import ConfigurationError
from .analysis import AnalysisData

_ROWS = 32
# Coordinates are kept this far from 0 and 1, where the normal quantile is infinite.
_LOW, _HIGH = 1e-300, 1.0 - 2.0**-53


@eqx.filter_jit
def _loglike_rows(data: AnalysisData, z: Float[Array, "r k"]) -> Float[Array, " r"]:
    return jax.lax.map(data.loglike, z)


def prior_transform(data: AnalysisData, cube: ArrayLike) -> np.ndarray:
    """Standard normals of points of the unit cube, z = Phi^-1(x).

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data.
    cube : float array, shape (k,) or (n, k)
        Points with coordinates in [0, 1], in the order of ``data.bindings.names``; the edges
        stand for the last quantile that float64 resolves.

    Returns
    -------
    array, shape (k,) or (n, k)
        z, finite everywhere.

    Raises
    ------
    ConfigurationError
        If the points have another number of coordinates, or lie outside the cube.

    References
    ----------
    Skilling 2006, Bayesian Analysis 1, 833 (nested sampling on the unit cube).
    """
    x = np.asarray(cube, float)
    size = data.bindings.size
    if x.shape[-1:] != (size,):
        raise ConfigurationError(
            f"points of the unit cube have shape {x.shape}: expected ({size},) or (n, {size}), in "
            f"the order of {', '.join(data.bindings.names)}"
        )
    if not np.all((x >= 0.0) & (x <= 1.0)):
        raise ConfigurationError("points of the unit cube must have coordinates in [0, 1]")
    return np.asarray(ndtri(jnp.asarray(np.clip(x, _LOW, _HIGH))))


def loglike_rows(data: AnalysisData, z: ArrayLike) -> np.ndarray:
    """ln L at many points, by one compiled program whatever their number.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data.
    z : float array, shape (k,) or (n, k)
        Standard normals.

    Returns
    -------
    array, shape () or (n,)
        ln L, without any prior.

    References
    ----------
    None: a loop.
    """
    rows = np.atleast_2d(np.asarray(z, float))
    # Single points, or blocks of one shape: samplers ask for another number each time.
    size = 1 if len(rows) == 1 else _ROWS
    padded = np.concatenate([rows, np.repeat(rows[-1:], -len(rows) % size, axis=0)])
    blocks = (jnp.asarray(padded[k : k + size]) for k in range(0, len(padded), size))
    found = [np.asarray(_loglike_rows(data, block)) for block in blocks]
    result = np.concatenate(found)[: len(rows)] if found else np.zeros(0)
    return result[0] if np.ndim(z) == 1 else result


class UnitCube:
    """Prior transform and likelihoods on the unit cube, for nested samplers.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data.

    Attributes
    ----------
    names : tuple of str
        Paths, in the order of the coordinates.
    size : int
        Number k of coordinates.
    """

    def __init__(self, data: AnalysisData) -> None:
        self.data = data
        self.names = data.bindings.names
        self.size = data.bindings.size

    def prior_transform(self, cube: ArrayLike) -> np.ndarray:
        """Standard normals z of points x of the cube, shape (k,) or (n, k)."""
        return prior_transform(self.data, cube)

    def loglike(self, cube: ArrayLike) -> np.ndarray:
        """ln L at points x of the cube, shape (k,) -> () or (n, k) -> (n,)."""
        return loglike_rows(self.data, prior_transform(self.data, cube))

    def loglike_values(self, z: ArrayLike) -> np.ndarray:
        """ln L at what :meth:`prior_transform` returns, shape (k,) -> () or (n, k) -> (n,)."""
        return loglike_rows(self.data, z)

    def values(self, z: ArrayLike) -> dict[str, np.ndarray]:
        """Parameters in their units by path, shape (n,) each, at z of shape (n, k)."""
        rows = jnp.asarray(z, float)
        priors = zip(self.names, self.data.bindings.free_priors, strict=True)
        return {n: np.asarray(p.from_standard(rows[:, k])) for k, (n, p) in enumerate(priors)}
