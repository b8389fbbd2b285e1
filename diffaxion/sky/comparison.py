"""Covariance of two measurements with each other, and the test of their difference.

Measurements of one sky with different maps, masks or samples share most of their noise: the
covariance of the difference is Cov(1) + Cov(2) - Cov(1, 2) - Cov(2, 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike

from ..errors import DataError
from .coupling import legendre_grid
from .covariance import Pair, narrow_kernel_covariance
from .covariance_estimates import check_covariance
from .cross_measurement import CrossMeasurement, NullTest, chosen, field_spectra, null_test
from .pseudo_cl import MaskSpectra


class Difference(NamedTuple):
    """Difference of two measurements.

    Attributes
    ----------
    values_uK : array, shape (b,)
        First minus second [uK].
    cov_uK2 : array, shape (b, b)
        Its covariance [uK^2].
    test : NullTest
        chi^2 against none.
    """

    values_uK: np.ndarray
    cov_uK2: np.ndarray
    test: NullTest


def cross_covariance(
    first: CrossMeasurement,
    second: CrossMeasurement,
    *,
    spectra: Mapping[Pair, ArrayLike] | None = None,
    smooth: bool = True,
    mask_spectra: MaskSpectra | None = None,
) -> np.ndarray:
    """Covariance of the bandpowers of two measurements.

    Parameters
    ----------
    first, second : CrossMeasurement
        b and c bandpowers from one sky, of one nside and l_max.
    spectra : dict from pairs of labels to array, shape (lmax+1,), optional
        Spectra over <m_x m_y> with the labels T1, g1, T2, g2; default the measured ones;
        :func:`~diffaxion.sky.cross_measurement.model_spectra` makes those of a model.
    smooth : bool
        Whether measured spectra are smoothed.
    mask_spectra : MaskSpectra, optional
        Transforms of masks shared with the measurements.

    Returns
    -------
    array, shape (b, c)
        Covariance [uK^2].

    Raises
    ------
    DataError
        If resolutions or multipole limits differ.

    References
    ----------
    Nicola et al. 2021, arXiv:2010.09717; equations in :mod:`diffaxion.sky.covariance`.
    """
    for key in ("nside", "lmax", "lmask"):
        if first.settings[key] != second.settings[key]:
            raise DataError(
                f"two measurements with {key} {first.settings[key]} and {second.settings[key]}: "
                "measure both with the same"
            )
    fields = {f"{name}{k}": m.fields[name] for k, m in ((1, first), (2, second)) for name in "Tg"}
    grid = legendre_grid(first.lmax, first.settings["lmask"])
    return narrow_kernel_covariance(
        ("T1", "g1"),
        ("T2", "g2"),
        (first.matrix, second.matrix),
        field_spectra(fields, smooth=smooth) if spectra is None else spectra,
        {name: f.mask for name, f in fields.items()},
        grid,
        MaskSpectra(grid.lmask) if mask_spectra is None else mask_spectra,
    )


def compare_measurements(
    first: CrossMeasurement,
    second: CrossMeasurement,
    use: slice | ArrayLike = slice(None),
    *,
    spectra: Mapping[Pair, ArrayLike] | None = None,
    smooth: bool = True,
    mask_spectra: MaskSpectra | None = None,
    regularise: float | None = None,
) -> Difference:
    """Difference of two measurements in the same bins, with its covariance and chi^2.

    Parameters
    ----------
    first, second : CrossMeasurement
        Measurements of one sky, with the same bins and the same beam in the bandpowers.
    use : slice, or int or bool array
        Bandpowers to use.
    spectra : dict from pairs of labels to array, shape (lmax+1,), optional
        Those of a model, as for :func:`cross_covariance`, if both were measured with it.
    smooth : bool
        Whether measured spectra are smoothed, as in both measurements.
    mask_spectra : MaskSpectra, optional
        Transforms of masks shared with the measurements.
    regularise : float, optional
        See :func:`~diffaxion.sky.covariance_estimates.check_covariance`; nearly equal
        measurements have a difference whose covariance is rounding.

    Returns
    -------
    Difference
        Values [uK], covariance [uK^2] and test.

    Raises
    ------
    DataError
        If bins or beams differ, covariances were made of other spectra, or that of the difference
        is not positive definite.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, robustness tests.
    """
    if not (
        np.array_equal(first.bins.lo, second.bins.lo)
        and np.array_equal(first.bins.hi, second.bins.hi)
    ):
        raise DataError("two measurements with different bins have no difference")
    if first.fwhm_arcmin != second.fwhm_arcmin:
        raise DataError(
            f"bandpowers with beams of {first.fwhm_arcmin:g} and {second.fwhm_arcmin:g} arcmin: "
            "measure both with remove_beam=True"
        )
    wanted = "model" if spectra is not None else "smoothed" if smooth else "measured"
    for m in (first, second):
        # Most of the noise cancels in the difference, if it is the same noise.
        if m.settings["spectra"] != wanted:
            raise DataError(
                f"covariance of the difference: {wanted} spectra asked for, a measurement has "
                f"{m.settings['spectra']} ones; use the same in all three (smooth=, spectra=)"
            )
    both = cross_covariance(
        first, second, spectra=spectra, smooth=smooth, mask_spectra=mask_spectra
    )
    at = chosen(use, first.bins.size)
    covariance = (first.cov_uK2 + second.cov_uK2 - both - both.T)[np.ix_(at, at)]
    covariance = check_covariance(
        covariance, regularise=regularise, name="covariance of the difference"
    )
    values = (first.cl_Tg_uK - second.cl_Tg_uK)[at]
    return Difference(values, covariance, null_test(values, covariance))
