"""Harmonic constrained ILC: the noise of a map cleaned of foregrounds, from spectra alone.

With C the covariance of the channels at one multipole (beam deconvolved) and A the responses, the
one to keep first and then those to deproject,

    w = C^-1 A (A^T C^-1 A)^-1 e_0,    A^T w = e_0,    N_l = w^T C w.

N_l holds the noise, the residual foregrounds and the residual CMB: all that is not the signal.
Channels are scaled to unit variance first, so that those whose beam has died out drop out by
themselves, and everything is a smooth function of spectra, responses and noise.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ..data.registry import load_table
from ..errors import ConfigurationError, ValidityError
from ..numerics import spline_curvature, spline_interpolate
from .channels import Channels
from .components import Foregrounds


@functools.cache
def _cmb_spline() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = load_table("cmb_lensed_tt")
    x, y = np.log(table["ell"]), np.log(table["cl_tt"])
    return x, y, spline_curvature(x, y)


def cmb_spectrum(ell: Float[Array, "..."]) -> Float[Array, "..."]:
    """Lensed CMB temperature spectrum of Planck 2018, from the bundled table.

    Parameters
    ----------
    ell : float array, shape (...)
        Multipoles, 2 to 5000; clamped outside.

    Returns
    -------
    float array, shape (...)
        C_l^TT [uK^2].

    References
    ----------
    Lewis, Challinor & Lasenby 2000, astro-ph/9911177 (CAMB); Planck 2018 VI, arXiv:1807.06209.
    """
    x, y, curvature = (jnp.asarray(v) for v in _cmb_spline())
    return jnp.exp(spline_interpolate(jnp.log(jnp.asarray(ell, float)), x, y, curvature))


@eqx.filter_jit
def channel_covariance(
    channels: Channels,
    foregrounds: Foregrounds,
    ell: Float[Array, " l"],
    cl_cmb_uK2: Float[Array, " l"],
) -> Float[Array, "l n n"]:
    """Covariance between channels: CMB, foregrounds and deconvolved noise.

    Parameters
    ----------
    channels : Channels
        n channels.
    foregrounds : Foregrounds
        Emission other than the CMB.
    ell : float array, shape (l,)
        Multipoles, >= 2.
    cl_cmb_uK2 : float array, shape (l,)
        CMB there [uK^2].

    Returns
    -------
    float array, shape (l, n, n)
        Covariance [uK^2, thermodynamic].

    References
    ----------
    Remazeilles, Delabrouille & Cardoso 2011, arXiv:1006.5599.
    """
    sky = foregrounds.covariance(channels.freq_GHz, ell)
    return sky + jnp.asarray(cl_cmb_uK2)[:, None, None] + channels.noise(ell)


@eqx.filter_jit
def ilc_weights(
    covariance: Float[Array, "l n n"],
    responses: Float[Array, "n c"],
    used: Float[Array, "l n"] | None = None,
) -> Float[Array, "l n"]:
    """Weights of least variance with unit response to the first column and none to the others.

    Parameters
    ----------
    covariance : float array, shape (l, n, n)
        Covariance of the channels, positive definite [uK^2].
    responses : float array, shape (n, c)
        Column 0 is kept, the others are deprojected; their normalisation drops out, except that
        of column 0, which sets the unit of the map.
    used : float array, shape (l, n), optional
        1 for channels in use, 0 for others, whose weight is 0.

    Returns
    -------
    float array, shape (l, n)
        Weights, sum_i w_i responses_i = (1, 0, ...).

    References
    ----------
    Remazeilles, Delabrouille & Cardoso 2011, arXiv:1006.5599, equation 13.
    """
    size = jnp.max(jnp.abs(responses), axis=0)
    columns = responses / size
    mask = jnp.ones(covariance.shape[:2]) if used is None else jnp.asarray(used, float)

    def one(c: Array, m: Array) -> Array:
        root = jnp.sqrt(jnp.diagonal(c))
        scaled = c / root[:, None] / root[None, :] * m[:, None] * m[None, :]
        factor = jnp.linalg.cholesky(scaled + jnp.diag(1.0 - m))
        a = columns * (m / root)[:, None]
        # Columns keep their own scale: a deprojected component may be bright where C is.
        norm = jnp.sqrt(jnp.sum(a**2, axis=0))
        a = a / norm
        solved = cho_solve((factor, True), a)
        gram = jnp.linalg.cholesky(a.T @ solved)
        target = jnp.zeros(a.shape[1]).at[0].set(1.0 / (size[0] * norm[0]))
        return solved @ cho_solve((gram, True), target) * m / root

    return jax.vmap(one)(covariance, mask)


@eqx.filter_jit
def map_spectrum(
    channels: Channels,
    foregrounds: Foregrounds,
    ell: Float[Array, " l"],
    deproject: Sequence[str] = (),
    *,
    keep: str = "screening",
    cl_cmb_uK2: ArrayLike | None = None,
) -> Float[Array, " l"]:
    """Spectrum of a cleaned map without signal, N_l = w^T C w.

    Differentiable in everything that channels and foregrounds hold.

    Parameters
    ----------
    channels : Channels
        n channels.
    foregrounds : Foregrounds
        Emission other than the CMB.
    ell : float array, shape (l,)
        Multipoles, 2 to 5000.
    deproject : sequence of str
        Components without response in the map: cmb, tsz, cib, cib-dbeta, cib-dT; static.
    keep : str
        Component with unit response: screening or dark-photon, normalised at 353 GHz; static.
    cl_cmb_uK2 : float array, shape (l,), optional
        CMB [uK^2]; default :func:`cmb_spectrum`.

    Returns
    -------
    float array, shape (l,)
        C_l^TT of the map, beam deconvolved [uK^2].

    Raises
    ------
    ConfigurationError
        If a component is unknown or there are more of them than channels.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514; Remazeilles et al. 2011, arXiv:1006.5599.
    """
    names = (keep, *deproject)
    if len(names) > channels.freq_GHz.shape[0]:
        raise ConfigurationError(
            f"{len(names)} constraints ({', '.join(names)}) on {channels.freq_GHz.shape[0]} "
            "channels: an ILC cannot satisfy more than it has channels"
        )
    cmb = cmb_spectrum(ell) if cl_cmb_uK2 is None else jnp.asarray(cl_cmb_uK2)
    covariance = channel_covariance(channels, foregrounds, ell, cmb)
    responses = jnp.stack([foregrounds.response(n, channels.freq_GHz) for n in names], axis=1)
    weights = ilc_weights(covariance, responses, channels.used(ell))
    return jnp.einsum("li,lij,lj->l", weights, covariance, weights)


def check_map(
    channels: Channels, ell: ArrayLike, deproject: Sequence[str] = (), condition: float = 1e13
) -> None:
    """Refuse channels from which a map cannot be made at some multipole.

    Parameters
    ----------
    channels : Channels
        n channels.
    ell : array, shape (l,)
        Multipoles.
    deproject : sequence of str
        Components without response in the map.
    condition : float
        Largest condition number of the covariance in units of the channels' variances.

    Returns
    -------
    None
        Silence is consent.

    Raises
    ------
    ValidityError
        If fewer channels are in use somewhere than there are constraints, the noise of a channel
        is not positive, or the covariance is singular.

    References
    ----------
    None: a check of input.
    """
    at = np.atleast_1d(np.asarray(ell, float))
    used = np.asarray(channels.used(jnp.asarray(at)))
    short = used.sum(axis=1) < 1 + len(deproject)
    if np.any(short):
        raise ValidityError(
            f"at l = {at[short][0]:g} only {int(used[short][0].sum())} channels are in use, "
            f"{1 + len(deproject)} constraints need at least as many: fewer deprojections, or a "
            "lower ell_max"
        )
    white = np.asarray(channels.white_uK_arcmin)
    if not np.all(np.isfinite(white) & (white > 0)):
        raise ValidityError(f"white noise {white.min():g} uK arcmin: expected finite numbers > 0")
    ends = jnp.asarray(at[[0, -1]])
    found = np.asarray(channel_covariance(channels, Foregrounds(), ends, cmb_spectrum(ends)))
    for l, c in zip(at[[0, -1]], found, strict=True):
        root = np.sqrt(np.diagonal(c))
        eigen = np.linalg.eigvalsh(c / np.outer(root, root))
        if eigen[0] * condition < eigen[-1]:
            raise ValidityError(
                f"channels at l = {l:g} are degenerate: smallest eigenvalue of their correlation "
                f"{eigen[0]:.2g}; the noise is too small for these frequencies"
            )
