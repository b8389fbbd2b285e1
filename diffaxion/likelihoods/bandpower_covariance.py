"""Gaussian covariance of the bandpowers of a screening map and galaxies, for forecasts.

For windows F and a sky fraction f,

    Cov_bb' = sum_l F_bl F_b'l [C_l^TT (C_l^gg + N^gg) + (C_l^Tg)^2] / ((2l+1) f),

with C^TT the total spectrum of the map. Plain bins, without the last term, give

    var_b = sum_l (2l+1) C_l^TT (C_l^gg + N^gg) / [sum_l (2l+1)]^2 / f.

The map's spectrum that travels with the package is a toy: an analytic Planck-like sky cleaned by a
constrained harmonic ILC. It is not the noise of any published analysis.
"""

from __future__ import annotations

import functools
import math
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..data.registry import load_table
from ..errors import ConfigurationError, DataError, ValidityError, unknown_name
from ..numerics import spline_curvature, spline_interpolate
from ..observables.cmb.bandpowers import BandpowerWindows

Deprojection = Literal["none", "tsz", "tsz-cib", "tsz-cib-dbeta"]
DEPROJECTIONS: tuple[Deprojection, ...] = ("none", "tsz", "tsz-cib", "tsz-cib-dbeta")

UNWISE_BLUE_PER_DEG2 = 3409.0
"""Surface density of the unWISE Blue galaxies [deg^-2] (Krolewski et al. 2020)."""

UNWISE_BLUE_SHOT_NOISE_SR = (math.pi / 180.0) ** 2 / UNWISE_BLUE_PER_DEG2
"""N^gg = 1/density [sr]."""

FORECAST_SKY_FRACTION = 0.5


def gaussian_covariance(
    windows: BandpowerWindows,
    cl_tt: Float[Array, " l"],
    cl_gg: Float[Array, " l"],
    f_sky: ArrayLike = FORECAST_SKY_FRACTION,
    *,
    shot_noise: ArrayLike = UNWISE_BLUE_SHOT_NOISE_SR,
    signal_tt: Float[Array, " l"] | None = None,
    signal_tg: Float[Array, " l"] | None = None,
) -> Float[Array, "b b"]:
    """Covariance of bandpowers of Gaussian fields (equation of this module).

    Parameters
    ----------
    windows : BandpowerWindows
        b bins over l multipoles; a beam in the windows is a beam in the bandpowers.
    cl_tt : float array, shape (l,)
        Total spectrum of the map without screening at ``windows.window_ell`` [uK^2].
    cl_gg : float array, shape (l,)
        Spectrum of the galaxies without shot noise [sr].
    f_sky : float array, shape ()
        Sky fraction.
    shot_noise : float array, shape ()
        N^gg [sr].
    signal_tt : float array, shape (l,), optional
        Spectrum of the screening itself, added to the map's [uK^2].
    signal_tg : float array, shape (l,), optional
        C^Tg of the signal, for the last term [uK].

    Returns
    -------
    float array, shape (b, b)
        Covariance [uK^2], diagonal for disjoint windows.

    References
    ----------
    Knox 1995 (astro-ph/9504054); Efstathiou 2004 (astro-ph/0307515), narrow-kernel limit.
    """
    map_tt = jnp.asarray(cl_tt) + (0.0 if signal_tt is None else signal_tt)
    product = map_tt * (jnp.asarray(cl_gg) + shot_noise)
    if signal_tg is not None:
        product = product + jnp.asarray(signal_tg) ** 2
    per_ell = product / ((2.0 * windows.window_ell + 1.0) * f_sky)
    return (windows.window * per_ell) @ windows.window.T


@functools.cache
def _noise_spline() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = load_table("toy_ilc_noise")
    x = np.log(table["ell"])
    names = [f"cl_{name.replace('-', '_')}" for name in DEPROJECTIONS]
    y = np.log(np.stack([table[name] for name in names], axis=1))
    return x, y, spline_curvature(x, y)


def toy_map_spectrum(
    ell: Float[Array, "..."], deprojection: Deprojection = "tsz-cib-dbeta"
) -> Float[Array, "..."]:
    """Total spectrum of a toy screening map at 353 GHz, beam deconvolved. Not a measurement.

    A cubic spline of ln C in ln l through the nodes of the bundled table.

    Parameters
    ----------
    ell : float array, shape (...)
        Multipoles, 2 to 2500; clamped outside.
    deprojection : str
        What the cleaning removes: none, tsz, tsz-cib or tsz-cib-dbeta; static.

    Returns
    -------
    float array, shape (...)
        C_l^TT [uK^2].

    Raises
    ------
    ConfigurationError
        If the deprojection is unknown.

    References
    ----------
    Toy model of the table ``toy_ilc_noise``; Goldstein et al. 2024 (arXiv:2409.10514), the method.
    """
    if deprojection not in DEPROJECTIONS:
        raise unknown_name("deprojection", deprojection, DEPROJECTIONS)
    x, y, curvature = _noise_spline()
    k = DEPROJECTIONS.index(deprojection)
    at = jnp.log(jnp.asarray(ell, float))
    return jnp.exp(
        spline_interpolate(at, jnp.asarray(x), jnp.asarray(y[:, k]), jnp.asarray(curvature[:, k]))
    )


def spectrum_at(ell: ArrayLike, node_ell: ArrayLike, cl_nodes: ArrayLike) -> Float[Array, " l"]:
    """A positive spectrum at every multipole: cubic spline of ln C in ln l, not extrapolated.

    Parameters
    ----------
    ell : array, shape (l,)
        Where it is wanted.
    node_ell : array, shape (n,)
        Increasing multipoles where it is known, n >= 4.
    cl_nodes : array, shape (n,)
        Values there, > 0.

    Returns
    -------
    float array, shape (l,)
        Values, unit of ``cl_nodes``.

    Raises
    ------
    DataError
        If a value is not positive and finite, shapes differ, or ``ell`` lies outside the nodes.

    References
    ----------
    de Boor 1978, A Practical Guide to Splines, chapter IV.
    """
    wanted, nodes, values = (np.asarray(v, float) for v in (ell, node_ell, cl_nodes))
    if nodes.ndim != 1 or nodes.shape != values.shape or nodes.size < 4:
        raise DataError(
            f"spectrum: multipoles of shape {nodes.shape} and values of shape {values.shape}; "
            "expected two lists of at least 4"
        )
    if np.any(np.diff(nodes) <= 0) or not np.all(np.isfinite(values) & (values > 0)):
        raise DataError("spectrum: multipoles must increase and values be finite and > 0")
    if wanted.min() < nodes[0] or wanted.max() > nodes[-1]:
        raise DataError(
            f"spectrum is known for l = {nodes[0]:g} to {nodes[-1]:g}, wanted "
            f"{wanted.min():g} to {wanted.max():g}: compute it on a wider range"
        )
    x, y = np.log(nodes), np.log(values)
    curvature = jnp.asarray(spline_curvature(x, y))
    return jnp.exp(spline_interpolate(jnp.log(wanted), jnp.asarray(x), jnp.asarray(y), curvature))


def forecast_covariance(
    windows: BandpowerWindows,
    node_ell: ArrayLike,
    cl_gg_nodes: ArrayLike,
    *,
    deprojection: Deprojection = "tsz-cib-dbeta",
    f_sky: float = FORECAST_SKY_FRACTION,
    shot_noise: float = UNWISE_BLUE_SHOT_NOISE_SR,
) -> Float[Array, "b b"]:
    """Covariance without signal from the toy map spectrum and a galaxy spectrum at a few l.

    Parameters
    ----------
    windows : BandpowerWindows
        b bins.
    node_ell : array, shape (n,)
        Multipoles at which the galaxy spectrum is given, around those of the windows.
    cl_gg_nodes : array, shape (n,)
        Galaxy spectrum there, without shot noise [sr].
    deprojection : str
        Components removed from the map, see :func:`toy_map_spectrum`.
    f_sky : float
        Sky fraction, 0 < f_sky <= 1.
    shot_noise : float
        N^gg [sr].

    Returns
    -------
    float array, shape (b, b)
        Covariance [uK^2]; derived from a toy, to be labelled so.

    Raises
    ------
    ConfigurationError
        If f_sky or the shot noise is out of range, or the deprojection is unknown.
    ValidityError
        If the windows leave the range of the toy spectrum.
    DataError
        If the galaxy spectrum is unusable.

    References
    ----------
    Knox 1995 (astro-ph/9504054).
    """
    if not 0.0 < f_sky <= 1.0:
        raise ConfigurationError(f"f_sky = {f_sky:g}, expected 0 < f_sky <= 1")
    if not 0.0 <= shot_noise < math.inf:
        raise ConfigurationError(f"shot noise = {shot_noise:g} sr, expected a finite number >= 0")
    ell = np.asarray(windows.window_ell)
    low, high = np.exp(_noise_spline()[0][[0, -1]])
    if ell[0] < low - 0.5 or ell[-1] > high + 0.5:
        raise ValidityError(
            f"the toy map spectrum covers l = {low:.0f} to {high:.0f}, the windows {ell[0]:g} to "
            f"{ell[-1]:g}: choose bins inside"
        )
    cl_tt = toy_map_spectrum(windows.window_ell, deprojection)
    cl_gg = spectrum_at(ell, node_ell, cl_gg_nodes)
    return gaussian_covariance(windows, cl_tt, cl_gg, f_sky, shot_noise=shot_noise)
