"""The cross-spectrum of a cleaned map and galaxies: bandpowers, windows, covariance, null test.

The theory of a bandpower is t_b = sum_l F_bl B_l C_l^Tg. F holds the masks, the pixel windows and
whatever else multiplies the maps multipole by multipole; its rows sum to 1, because the coupling
matrix is inverted together with them. The Gaussian beam B of the cleaned map stays in the
bandpowers, as the files of bandpowers have it, unless it is to be removed in the same way.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Literal

import numpy as np
from jax.typing import ArrayLike

from ..errors import ConfigurationError, DataError, DiffaxionWarning
from ..observables.cmb.bandpowers import gaussian_beam
from .bins import Bins, check_bins, pad_bins
from .coupling import legendre_grid
from .covariance import Pair, narrow_kernel_covariance
from .covariance_estimates import check_covariance
from .cross_measurement import (
    CrossMeasurement,
    MaskedField,
    field_spectra,
    model_spectra,
    to_lmax,
)
from .decoupling import decouple
from .masks import mask_nside, sky_fraction, usable_map
from .pseudo_cl import ITERATIONS, MaskSpectra
from .transforms import Transforms, cross_spectrum, get_transforms

MARGIN = 200
"""Multipoles beyond the last bin that the coupling matrix covers, where maps hold them."""

LEAST_MODES = 1.0
"""Independent modes of a bandpower, f_sky times the sum of 2 l + 1, below which errors mislead."""

_PLAUSIBLE_UK = (1e-3, 1e6)
_MICRO = 1e6


def measure_cross(
    map_T: ArrayLike,
    mask_T: ArrayLike,
    map_g: ArrayLike,
    mask_g: ArrayLike,
    bins: Bins,
    *,
    fwhm_arcmin: float = 0.0,
    remove_beam: bool = False,
    transfer_T: ArrayLike = 1.0,
    transfer_g: ArrayLike = 1.0,
    unit: Literal["uK", "K"] = "uK",
    model: Mapping[Pair, ArrayLike] | None = None,
    smooth: bool = True,
    guard: bool = True,
    lmax: int | None = None,
    lmask: int | None = None,
    extend_masks: bool = False,
    regularise: float | None = None,
    iterations: int = ITERATIONS,
    transforms: Transforms | None = None,
    mask_spectra: MaskSpectra | None = None,
) -> CrossMeasurement:
    """Bandpowers of a cleaned map and galaxies with windows and Gaussian covariance.

    Parameters
    ----------
    map_T, mask_T : array, shape (npix,)
        Cleaned map and its analysis mask, which must leave out pixels that were filled in.
    map_g, mask_g : array, shape (npix,)
        Overdensity and its mask.
    bins : Bins
        b bins, adjacent if guards are wanted.
    fwhm_arcmin : float
        Gaussian beam of the map [arcmin].
    remove_beam : bool
        Whether bandpowers are freed of the beam, to compare maps of different beams.
    transfer_T, transfer_g : array, shape (lmax+1,) or ()
        Other factors on the a_lm of each map, as the pixel window of galaxies binned from counts.
        Longer arrays are cut.
    unit : str
        Unit of the map, ``uK`` or ``K``.
    model : dict from pairs of labels to array, shape (lmax+1,), optional
        Total spectra of the maps for the covariance, ("T", "T") [uK^2], ("T", "g") [uK] and
        ("g", "g") [sr], with beams, windows and noise; default the measured ones.
    smooth : bool
        Whether measured spectra are smoothed before they enter the covariance.
    guard : bool
        Whether bins in front and behind take up what leaks from there.
    lmax : int, optional
        Largest multipole of the transforms; default 200 beyond the last bin, at most 3 nside - 1.
    lmask : int, optional
        Largest multipole of the masks; default that of ``mask_spectra``, else the smaller of
        2 ``lmax`` and 3 nside - 1.
    extend_masks : bool
        Whether pixels without data are masked instead of refused.
    regularise : float, optional
        See :func:`~diffaxion.sky.covariance_estimates.check_covariance`.
    iterations : int
        Corrections of the analysis of the maps.
    transforms : Transforms, optional
        From :func:`~diffaxion.sky.transforms.get_transforms`; default healpy.
    mask_spectra : MaskSpectra, optional
        Transforms of masks shared with other measurements.

    Returns
    -------
    CrossMeasurement
        Bandpowers [uK], windows and covariance [uK^2].

    Raises
    ------
    ConfigurationError
        If bins, multipoles or the unit are unusable.
    DataError
        If a map, a mask or the covariance is unusable.

    Warns
    -----
    DiffaxionWarning
        If the rms of the map suggests another unit, or a bandpower holds less than one mode.

    References
    ----------
    Hivon et al. 2002, astro-ph/0105302; Nicola et al. 2021, arXiv:2010.09717; Goldstein et al.
    2024, arXiv:2409.10514.
    """
    if unit not in ("uK", "K"):
        raise ConfigurationError(f"unit of the map {unit!r}: expected 'uK' or 'K'")
    backend = get_transforms() if transforms is None else transforms
    temperature, weight_T = usable_map(map_T, mask_T, extend=extend_masks, name="cleaned map")
    galaxies, weight_g = usable_map(map_g, mask_g, extend=extend_masks, name="galaxy map")
    nside = mask_nside(temperature)
    if mask_nside(galaxies) != nside:
        raise DataError(
            f"cleaned map has nside {nside}, galaxy map {mask_nside(galaxies)}: bring both to one"
        )
    overlap = float(np.mean(weight_T * weight_g))
    if overlap == 0.0:
        raise DataError("masks of map and galaxies do not overlap: f_sky = 0")
    if unit == "K":
        temperature = temperature * _MICRO
    _check_scale(temperature, weight_T)

    lmax = min(int(bins.hi[-1]) + MARGIN, 3 * nside - 1) if lmax is None else int(lmax)
    check_bins(bins, lmax, nside)
    if mask_spectra is None:
        lmask = min(2 * lmax, 3 * nside - 1) if lmask is None else int(lmask)
        mask_spectra = MaskSpectra(lmask, backend)
    grid = legendre_grid(lmax, mask_spectra.lmask if lmask is None else int(lmask))

    both = weight_T * weight_g
    _check_modes(bins, overlap**2 / float(np.mean(both**2)))

    def masked(values: np.ndarray, weight: np.ndarray) -> MaskedField:
        alm, shared = (
            backend.analysis(values * w, lmax, iterations=iterations) for w in (weight, both)
        )
        return MaskedField(alm, weight, shared, both)

    fields = {"T": masked(temperature, weight_T), "g": masked(galaxies, weight_g)}
    transfer = to_lmax(transfer_T, lmax, "transfer_T") * to_lmax(transfer_g, lmax, "transfer_g")
    if remove_beam:
        transfer = transfer * np.asarray(gaussian_beam(np.arange(lmax + 1.0), fwhm_arcmin))
    all_bins, kept = pad_bins(bins, lmax) if guard else (bins, slice(None))
    mask_cl = mask_spectra.spectrum((weight_T,), (weight_g,))
    operators = decouple(mask_cl, all_bins, grid, transfer)
    matrix = operators.matrix[kept]

    coupled = cross_spectrum(fields["T"].alm, fields["g"].alm)
    if model is None:
        spectra = field_spectra(fields, smooth=smooth)
    else:
        spectra = model_spectra(model, fields, grid, mask_spectra)
    covariance = narrow_kernel_covariance(
        ("T", "g"),
        ("T", "g"),
        (matrix, matrix),
        spectra,
        {name: f.mask for name, f in fields.items()},
        grid,
        mask_spectra,
    )
    covariance = check_covariance(covariance, regularise=regularise, name="covariance of C^Tg")
    return CrossMeasurement(
        bins=bins,
        cl_Tg_uK=operators.bandpowers(coupled)[kept],
        cov_uK2=covariance,
        window=operators.window[kept],
        fwhm_arcmin=0.0 if remove_beam else float(fwhm_arcmin),
        coupled=coupled,
        spectra=spectra,
        matrix=matrix,
        fields=fields,
        settings={
            "nside": nside,
            "lmax": lmax,
            "lmask": grid.lmask,
            "iterations": iterations,
            "transforms": backend.name,
            "sky_fraction_T": sky_fraction(weight_T),
            "sky_fraction_g": sky_fraction(weight_g),
            "sky_fraction_both": overlap,
            "condition_of_coupling": operators.condition,
            "condition_of_covariance": float(np.linalg.cond(covariance)),
            "spectra": "model" if model is not None else "smoothed" if smooth else "measured",
            "guard_bins": all_bins.size - bins.size,
            "fwhm_of_map_arcmin": float(fwhm_arcmin),
            "beam_removed": remove_beam,
            "regularise": regularise,
        },
    )


def _check_scale(temperature: np.ndarray, weight: np.ndarray) -> None:
    rms = float(np.sqrt(np.sum(weight * temperature**2) / np.sum(weight)))
    low, high = _PLAUSIBLE_UK
    if rms > 0.0 and not low <= rms <= high:
        warnings.warn(
            f"cleaned map: rms {rms:.3g} uK inside its mask, expected {low:g} to {high:g}; is its "
            "unit stated right? K and uK differ by 1e6",
            DiffaxionWarning,
            stacklevel=3,
        )


def _check_modes(bins: Bins, sky: float) -> None:
    modes = sky * ((bins.hi + 1.0) ** 2 - bins.lo**2)
    k = int(np.argmin(modes))
    if modes[k] < LEAST_MODES:
        warnings.warn(
            f"bandpower {k} (l = {bins.lo[k]} to {bins.hi[k]}) holds {modes[k]:.2g} modes on "
            f"{sky:.2g} of the sky, expected at least {LEAST_MODES:g}: it is not Gaussian and its "
            "error and chi^2 mislead; widen or drop the bin",
            DiffaxionWarning,
            stacklevel=3,
        )
