"""Bandpowers of a needlet ILC as a differentiable function of the responses.

Needlet maps and their covariance do not depend on the responses A; weights do, and everything
after them is linear. So the factored covariance of every pixel, and the derivative of each
bandpower with respect to each weight, are computed once in NumPy; what is left,

    d_b = sum over scales, pixels and channels of F_b w(A),    w = C^-1 A (A^T C^-1 A)^-1 e_0,

is a small function in JAX of whatever A depends on: temperatures, slopes, band centres.
With such bandpowers the data move with the parameters: they serve to study robustness and are not
to be used in a likelihood.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .needlet_maps import MapLike, ScaleWeights
from .nilc import prepare_run
from .nilc_result import Instrument, margin_of
from .nilc_run import Run
from .nilc_settings import Components, NeedletILC
from .transforms import Transforms, alm_lmax, map_nside, resize_alm, scale_alm
from .weights import PixelFactors, inverse_factors, solve_rows


class ILCStage(eqx.Module):
    """Weights and bandpowers of one deprojection set as functions of the responses.

    All scales stand one after the other on one axis of p pixels.

    Attributes
    ----------
    inverse : float array, shape (n, n, p)
        Inverse of the unit lower factor of the covariance; channels not in use decouple.
    pivots : float array, shape (n, p)
        Inverse pivots.
    root : float array, shape (J, n)
        Scale of the channels.
    used : float array, shape (J, n)
        1 for channels in use.
    constrained : float array, shape (J, c)
        1 for the components that a scale keeps or deprojects.
    scale : int array, shape (p,)
        Scale of a pixel.
    functional : float array, shape (b, n, p)
        Derivative of each bandpower with respect to each weight.
    """

    inverse: Float[Array, "n n p"]
    pivots: Float[Array, "n p"]
    root: Float[Array, "j n"]
    used: Float[Array, "j n"]
    constrained: Float[Array, "j c"]
    scale: Int[Array, " p"]
    functional: Float[Array, "b n p"]

    @eqx.filter_jit
    def weights(self, responses: Float[Array, "n c"]) -> Float[Array, "n p"]:
        """Weights in all pixels, shape (n, p) [unit of output per unit of input]."""
        root = self.root[:, :, None]
        rows = responses * self.used[:, :, None] * self.constrained[:, None, :] / root
        norm = jnp.sqrt(jnp.where(self.constrained > 0.0, jnp.sum(rows**2, axis=1), 1.0))
        columns = rows / norm[:, None, :]
        at = jnp.moveaxis(columns[self.scale], 0, 2)
        off = (1.0 - self.constrained)[self.scale].T
        w = solve_rows(self.inverse, self.pivots, at, off)
        return w / (norm[:, 0][self.scale] * self.root[self.scale].T)

    @eqx.filter_jit
    def bandpowers(self, responses: Float[Array, "n c"]) -> Float[Array, " b"]:
        """Bandpowers of the cleaned map, shape (b,) [unit of output times unit of the functional].

        ``responses`` has the kept component first and then all that are deprojected anywhere, in
        the order of the set.
        """
        return jnp.einsum("bnp,np->b", self.functional, self.weights(responses))

    def scale_weights(self, weights: Float[Array, "n p"]) -> tuple[ScaleWeights, ...]:
        """Weights, or their derivatives, in the form that maps are combined with."""
        values, at, used = np.asarray(weights).T, np.asarray(self.scale), np.asarray(self.used) > 0
        return tuple(
            ScaleWeights(np.flatnonzero(u), values[at == j][:, u]) for j, u in enumerate(used)
        )


def cross_functional(
    galaxy_alm: np.ndarray,
    mask: np.ndarray,
    matrix: np.ndarray,
    transforms: Transforms,
    lmax: int,
    iterations: int = 3,
) -> np.ndarray:
    """Coefficients q_b with d_b = <q_b, a> for the cross-spectrum of a masked map with galaxies.

    d_b = sum_l K_bl C_l, C_l the cross-spectrum of the coefficients of (mask times map of a) with
    those of the masked galaxies.

    Parameters
    ----------
    galaxy_alm : complex array, shape (nalm,)
        Coefficients of the masked galaxy map, to the l_max of ``matrix``.
    mask : float array, shape (npix,)
        Mask of the cleaned map, at the resolution at which it is masked.
    matrix : float array, shape (b, l)
        K, from coupled spectra to bandpowers.
    transforms : Transforms
        Back end.
    lmax : int
        Largest multipole of the cleaned map.
    iterations : int
        Iterations of the analysis of the masked map.

    Returns
    -------
    complex array, shape (b, nalm)
        For the product sum_l a_l0 b_l0 + 2 Re sum_{m > 0} a_lm b*_lm.

    References
    ----------
    Hivon et al. 2002, astro-ph/0105302 (coupled spectra).
    """
    top = alm_lmax(galaxy_alm)
    ell = np.arange(top + 1)
    nside = map_nside(mask.size, "mask")
    out = []
    for row in np.asarray(matrix, float):
        template = scale_alm(galaxy_alm, row[: top + 1] / (2.0 * ell + 1.0))
        back = transforms.adjoint_analysis(template, nside, iterations)
        out.append(transforms.adjoint_synthesis(mask * back, lmax))
    return np.stack(out)


def ilc_stage(
    maps: Sequence[MapLike],
    beams: np.ndarray,
    responses: Mapping[str, np.ndarray],
    components: Components,
    settings: NeedletILC,
    functionals: np.ndarray,
    *,
    keep: str = "screening",
    names: Sequence[str] | None = None,
    pixel_windows: np.ndarray | None = None,
    mask: np.ndarray | None = None,
) -> tuple[ILCStage, Instrument, tuple[str, ...]]:
    """Do all of a needlet ILC that does not depend on the responses.

    Memory grows with n^2 times the pixels of all grids of the covariance: take the variant
    ``interpolated`` or ``coarse`` and nside of at most 256.

    Parameters
    ----------
    maps, beams, responses, settings, keep, names, pixel_windows, mask
        As for :func:`needlet_ilc`; the responses are only checked.
    components : components
        The deprojection set: names, or a list of names for each scale.
    functionals : complex array, shape (b, nalm)
        Linear functionals of the cleaned map, see :func:`cross_functional`.

    Returns
    -------
    stage : ILCStage
        The function.
    instrument : Instrument
        To turn weights into maps, see :func:`apply_weights`.
    order : tuple of str
        Components in the order of the columns of the responses.

    Raises
    ------
    ConfigurationError, DataError, ValidityError
        As for :func:`needlet_ilc`.

    References
    ----------
    Remazeilles, Delabrouille & Cardoso 2011, arXiv:1006.5599, equation 13.
    """
    run = prepare_run(
        maps,
        beams,
        responses,
        {"set": components},
        settings,
        keep=keep,
        names=names,
        pixel_windows=pixel_windows,
        mask=mask,
    )
    chosen = run.requests[0].components
    order = tuple(dict.fromkeys(c for scale in chosen for c in scale))
    alms = run.analyse(maps, len(maps))
    inverse, pivots, functional, scale_of = [], [], [], []
    n = len(run.plan.names)
    root = np.ones((len(run.plan.used), n))
    for scale in range(len(run.plan.used)):
        channels = np.flatnonzero(run.plan.used[scale])
        factors, values = _scale_stage(run, scale, channels, alms, functionals)
        root[scale, channels] = factors.root
        low, over = inverse_factors(factors)
        pixels = low.shape[-1]
        full = np.zeros((n, n, pixels))
        full[np.arange(n), np.arange(n)] = 1.0
        full[np.ix_(channels, channels)] = low
        inverse.append(full)
        ones = np.ones((n, pixels))
        ones[channels] = over
        pivots.append(ones)
        padded = np.zeros((len(functionals), n, pixels))
        padded[:, channels] = values
        functional.append(padded)
        scale_of.append(np.full(pixels, scale))
    stage = ILCStage(
        jnp.asarray(np.concatenate(inverse, axis=-1)),
        jnp.asarray(np.concatenate(pivots, axis=-1)),
        jnp.asarray(root),
        jnp.asarray(run.plan.used, float),
        jnp.asarray([[float(c in s) for c in order] for s in chosen]),
        jnp.asarray(np.concatenate(scale_of)),
        jnp.asarray(np.concatenate(functional, axis=-1)),
    )
    return stage, run.instrument, order


def _scale_stage(
    run: Run, scale: int, channels: np.ndarray, alms: list[np.ndarray], functionals: np.ndarray
) -> tuple[PixelFactors, np.ndarray]:
    """Covariance of one scale, and derivatives (b, k, pixels) with respect to its weights."""
    plan, mask = run.plan, run.instrument.mask_at(scale)
    filtered, needlets = run.needlets(scale, channels, alms)
    constraints = run.requests[0].responses[scale].shape[1]
    if constraints == len(channels):
        # Any positive covariance gives the weights that the constraints alone determine.
        packed = np.concatenate([np.eye(i + 1)[i] for i in range(len(channels))])[:, None]
        factors, grid = PixelFactors(np.ones(len(channels)), packed, 0.0), 0
    else:
        factors, _ = run.covariance(scale, filtered, needlets, mask, run.rule(0, scale))
        grid = map_nside(factors.packed.shape[1])
    _, last = plan.band(scale)
    margin = margin_of([ScaleWeights(channels, np.ones((12 * grid**2 or 1, 1)))], mask)
    top = run.back.top(scale, margin)
    filtered_q = [scale_alm(q, plan.filters[scale, : last + 1], last) for q in functionals]
    nside = int(plan.nside[scale])
    out = []
    for q in filtered_q:
        template = run.transforms.adjoint_analysis(
            resize_alm(q, top), nside, run.settings.iterations
        )
        template = template if mask is None else template * mask
        out.append(_to_grid(template * needlets, nside, grid))
    return factors, np.stack(out)


def _to_grid(maps: np.ndarray, nside: int, grid: int) -> np.ndarray:
    """Adjoint of the interpolation of weights: maps (k, npix) to (k, pixels of the grid)."""
    import healpy

    if grid == 0:
        return maps.sum(axis=1, keepdims=True)
    if grid == nside:
        return maps
    theta, phi = healpy.pix2ang(nside, np.arange(maps.shape[1]))
    index, share = healpy.get_interp_weights(grid, theta, phi)
    return np.stack(
        [np.bincount(index.ravel(), (share * m).ravel(), minlength=12 * grid**2) for m in maps]
    )
