"""Pixel window of HEALPix maps, from a bundled table of its one-variable limit."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from ..data.registry import load_table
from ..errors import ConfigurationError
from ..numerics import spline_curvature, spline_interpolate


def pixel_window(nside: int, lmax: int) -> np.ndarray:
    """Factor on the a_lm of a map that holds means over pixels.

    The window depends on sqrt(l(l+1))/nside alone: within 1.3e-5 of the tables that HEALPix
    distributes for nside 128 to 4096 and 3e-5 at nside 64, l <= 3 nside.

    Parameters
    ----------
    nside : int
        Resolution, a power of two.
    lmax : int
        Largest multipole, below 4 nside.

    Returns
    -------
    array, shape (lmax+1,)
        w_l, 1 at l = 0; square it for the auto-spectrum of a map.

    Raises
    ------
    ConfigurationError
        If nside is not a power of two or the table ends below ``lmax``.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513; the definition is in ``scripts/make_pixel_window.py``.
    """
    if nside < 1 or nside & (nside - 1):
        raise ConfigurationError(f"pixel window: nside = {nside}, expected a power of two")
    table = load_table("pixel_window")
    u, window = table["ell_over_nside"], table["window"]
    ell = np.arange(lmax + 1.0)
    wanted = np.sqrt(ell * (ell + 1.0)) / nside
    if lmax < 0 or wanted[-1] > u[-1]:
        raise ConfigurationError(
            f"pixel window: l_max = {lmax} at nside {nside}, expected 0 <= l < {u[-1]:g} nside"
        )
    curvature = spline_curvature(u, window)
    at, nodes, values, second = (jnp.asarray(v) for v in (wanted, u, window, curvature))
    return np.asarray(spline_interpolate(at, nodes, values, second))
