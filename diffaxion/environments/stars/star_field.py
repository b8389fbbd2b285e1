"""Where the stars of a cluster are on the sky, and what share of its photons each gives."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ...errors import DataError


class StarField(eqx.Module):
    """Positions of the stars of one cluster, and their weights.

    Attributes
    ----------
    ra_deg, dec_deg : float array, shape (n,)
        Positions [deg].
    weights : float array, shape (n,) or (bins, n)
        Relative numbers of photons, the same in all energy bins or one row per bin; only ratios
        count.
    label : str, static
        Where the positions are from; products repeat it.
    """

    ra_deg: Float[Array, " n"]
    dec_deg: Float[Array, " n"]
    weights: Float[Array, "... n"]
    label: str = eqx.field(static=True, default="user star list")

    def shares(self) -> Float[Array, "... n"]:
        """Share of each star in the photons of a bin, shape of the weights."""
        return self.weights / jnp.sum(self.weights, axis=-1, keepdims=True)


def star_field(
    ra_deg: ArrayLike, dec_deg: ArrayLike, weights: ArrayLike, label: str = "user star list"
) -> StarField:
    """Stars at given places, checked.

    Parameters
    ----------
    ra_deg, dec_deg : array, shape (n,)
        Positions [deg].
    weights : array, shape (n,) or (bins, n)
        Relative numbers of photons.
    label : str
        Where the positions are from.

    Returns
    -------
    StarField
        Leaves of shape (n,) [deg].

    Raises
    ------
    DataError
        If there is no star, shapes differ, a position is not finite or not on the sky, a weight
        is negative or not finite, or a bin has no weight.

    References
    ----------
    None: a validation.
    """
    ra, dec, w = (np.asarray(x, float) for x in (ra_deg, dec_deg, weights))
    if ra.ndim != 1 or ra.size == 0 or dec.shape != ra.shape or w.shape[-1:] != ra.shape:
        raise DataError(
            f"{label}: positions of shape {ra.shape} and {dec.shape}, weights of shape {w.shape}; "
            "expected the same number n >= 1 of each"
        )
    if not np.all(np.isfinite([ra, dec])) or np.any(abs(dec) > 90.0):
        raise DataError(f"{label}: positions must be finite, with -90 <= dec <= 90 [deg]")
    if not np.all(np.isfinite(w)) or np.any(w < 0.0) or not np.all(np.any(w > 0.0, axis=-1)):
        raise DataError(f"{label}: weights must be finite and >= 0, some of each bin > 0")
    return StarField(jnp.asarray(ra), jnp.asarray(dec), jnp.asarray(w), label)


def central_stars(ra_deg: float, dec_deg: float, name: str = "cluster") -> StarField:
    """The default where no catalogue is given: all stars at the centre of their cluster.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Centre of the cluster [deg].
    name : str
        Its name, for the label.

    Returns
    -------
    StarField
        One place that stands for all stars, labelled synthetic.

    Raises
    ------
    DataError
        If the position is not on the sky.

    References
    ----------
    None: an assumption.
    """
    label = f"synthetic: all stars at the centre of {name}"
    return star_field(np.array([ra_deg]), np.array([dec_deg]), np.ones(1), label)
