"""Removal of the monopole and the dipole, which leak through masks and into the largest scales."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from ..errors import DataError
from .masks import invalid_pixels, mask_nside, usable_map

_CONDITION_MAX = 1e8


class WithoutDipole(NamedTuple):
    """A map without the monopole and the dipole that were fitted to it.

    Attributes
    ----------
    values : array, shape (npix,)
        Map, unit of the input; pixels without data are left as they were.
    monopole : float
        Monopole, unit of the map.
    dipole : array, shape (3,)
        Dipole: its amplitude times the unit vector of its direction, unit of the map.
    """

    values: np.ndarray
    monopole: float
    dipole: np.ndarray


def remove_monopole_dipole(values: ArrayLike, mask: ArrayLike) -> WithoutDipole:
    """Fit a constant and a dipole by weighted least squares and subtract them everywhere.

    Parameters
    ----------
    values : array, shape (npix,)
        Map, any unit.
    mask : array, shape (npix,)
        Weights of the fit, as a Galactic mask.

    Returns
    -------
    WithoutDipole
        Map, monopole and dipole.

    Raises
    ------
    DataError
        If map and mask do not fit, data are missing inside the mask, or the mask leaves so little
        sky that the two cannot be told apart.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513 (the task ``remove_dipole``).
    """
    import healpy

    pixels, weights = usable_map(values, mask)
    used = np.flatnonzero(weights)
    nside = mask_nside(weights)

    def basis(index: np.ndarray) -> np.ndarray:
        return np.stack([np.ones(index.size), *healpy.pix2vec(nside, index)])

    columns = basis(used)
    weighted = columns * weights[used]
    normal = weighted @ columns.T
    condition = np.linalg.cond(normal)
    if not condition < _CONDITION_MAX:
        raise DataError(
            f"monopole and dipole: {used.size} pixels of the mask do not determine them (condition "
            f"{condition:.3g}); use a larger mask"
        )
    fit = np.linalg.solve(normal, weighted @ pixels[used])
    out = np.array(values, float)
    good = np.flatnonzero(~invalid_pixels(out))
    out[good] -= fit @ basis(good)
    return WithoutDipole(out, float(fit[0]), fit[1:])
