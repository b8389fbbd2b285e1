"""The record of a measured cross-spectrum: bandpowers, windows, covariance, and the null test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from ..data.bandpowers import Bandpowers
from ..errors import ConfigurationError, DataError
from ..observables.cmb.bandpowers import gaussian_beam
from .bins import ELL_FIRST, Bins
from .coupling import LegendreGrid, couple_spectrum
from .covariance import Pair
from .covariance_estimates import check_covariance
from .pseudo_cl import MaskSpectra
from .smoothing import smooth_spectra
from .transforms import cross_spectrum


class NullTest(NamedTuple):
    """chi^2 of bandpowers (or a difference of them) against a prediction.

    Attributes
    ----------
    chi2 : float
        d^T C^-1 d.
    dof : int
        Number of bandpowers.
    pte : float
        Probability of a larger chi^2.
    """

    chi2: float
    dof: int
    pte: float


def null_test(residual: ArrayLike, covariance: ArrayLike) -> NullTest:
    """chi^2 of a residual with its probability.

    Parameters
    ----------
    residual : array, shape (b,)
        Bandpowers minus their prediction, any unit.
    covariance : array, shape (b, b)
        Covariance, that unit squared.

    Returns
    -------
    NullTest
        chi^2, number of bandpowers, probability to exceed.

    Raises
    ------
    DataError
        If a bandpower is not finite, sizes differ or the covariance is unusable.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514: chi^2 = 9.2 of 11, 0.61.
    """
    d, c = np.asarray(residual, float), check_covariance(covariance)
    if d.shape != c.shape[:1]:
        raise DataError(f"bandpowers of shape {d.shape}, covariance of shape {c.shape}")
    if not np.all(np.isfinite(d)):
        raise DataError(f"bandpowers: {np.sum(~np.isfinite(d))} of {d.size} are not finite")
    chi2 = float(d @ np.linalg.solve(c, d))
    return NullTest(chi2, d.size, float(jax.scipy.special.gammaincc(0.5 * d.size, 0.5 * chi2)))


@dataclass(frozen=True)
class MaskedField:
    """One masked map of a measurement, as later covariances need it.

    Attributes
    ----------
    alm : complex array, shape ((lmax+1)(lmax+2)/2,)
        Coefficients of map times mask.
    mask : array, shape (npix,)
        Weights.
    both_alm : complex array, shape ((lmax+1)(lmax+2)/2,)
        Coefficients of the map times both masks of its measurement.
    both : array, shape (npix,)
        Product of both masks.
    """

    alm: np.ndarray
    mask: np.ndarray
    both_alm: np.ndarray
    both: np.ndarray


def field_spectra(
    fields: Mapping[str, MaskedField], *, smooth: bool = True
) -> dict[Pair, np.ndarray]:
    """All coupled spectra of labelled fields over the mean of the weights, for covariances.

    Each map is weighted by both masks of its measurement. The power of a cleaned map is not the
    same everywhere, more of it is left near the Galactic plane, and only where both masks have
    weight does it scatter the cross-spectrum: its mean under the masks m_a m_b and m_c m_d is what
    stands in front of Xi[m_a m_c, m_b m_d].

    Parameters
    ----------
    fields : dict from labels to MaskedField
        Masked maps of one l_max.
    smooth : bool
        Whether they are smoothed.

    Returns
    -------
    dict from pairs of labels to array, shape (lmax+1,)
        c^xy_l; zero where two masks do not overlap.

    Raises
    ------
    DataError
        If a spectrum cannot be smoothed.

    References
    ----------
    Nicola et al. 2021, arXiv:2010.09717.
    """
    names = list(fields)
    found = {}
    for i, a in enumerate(names):
        for b in names[i:]:
            overlap = np.mean(fields[a].both * fields[b].both)
            coupled = cross_spectrum(fields[a].both_alm, fields[b].both_alm)
            found[a, b] = coupled / overlap if overlap > 0.0 else np.zeros_like(coupled)
    return smooth_spectra(found) if smooth else found


def to_lmax(values: ArrayLike, lmax: int, name: str) -> np.ndarray:
    """A function of l as an array to ``lmax``: constants are spread, longer arrays cut."""
    found = np.asarray(values, float)
    if found.ndim == 0:
        return np.full(lmax + 1, float(found))
    if found.ndim != 1 or found.size <= lmax:
        raise DataError(f"{name}: shape {found.shape}, expected values at l = 0 to {lmax} at least")
    return found[: lmax + 1]


def chosen(use: slice | ArrayLike, size: int) -> np.ndarray:
    """Numbers of the bandpowers in a slice, a list of numbers, or where an array is True."""
    return np.atleast_1d(np.arange(size)[use if isinstance(use, slice) else np.asarray(use)])


def model_spectra(
    model: Mapping[Pair, ArrayLike],
    fields: Mapping[str, MaskedField],
    grid: LegendreGrid,
    mask_spectra: MaskSpectra,
) -> dict[Pair, np.ndarray]:
    """Spectra of a model as they appear under masks, M C/<m_x m_y>, for covariances.

    Parameters
    ----------
    model : dict from pairs of labels to array, shape (lmax+1,)
        Total spectra of the maps, with beams, windows and noise; each pair in either order.
    fields : dict from labels to MaskedField
        Fields with masks; their maps are not used.
    grid : LegendreGrid
        From :func:`~diffaxion.sky.coupling.legendre_grid`.
    mask_spectra : MaskSpectra
        Transforms of masks, at least to ``grid.lmask``.

    Returns
    -------
    dict from pairs of labels to array, shape (lmax+1,)
        c^xy_l of all pairs; zero where two masks do not overlap.

    Raises
    ------
    ConfigurationError
        If a pair is missing.
    DataError
        If a spectrum is too short.

    References
    ----------
    Nicola et al. 2021, arXiv:2010.09717.
    """
    names = list(fields)
    found = {}
    for i, a in enumerate(names):
        for b in names[i:]:
            given = model.get((a, b), model.get((b, a)))
            if given is None:
                raise ConfigurationError(f"model spectra: {a} x {b} is missing")
            cl = jnp.asarray(to_lmax(given, grid.lmax, f"model spectrum {a} x {b}"))
            first, second = fields[a].mask, fields[b].mask
            mask_cl = mask_spectra.spectrum((first,), (second,))[: grid.lmask + 1]
            coupled = np.asarray(couple_spectrum(grid, jnp.asarray(mask_cl), cl))
            overlap = np.mean(first * second)
            found[a, b] = coupled / overlap if overlap > 0.0 else np.zeros_like(coupled)
    return found


@dataclass(frozen=True)
class CrossMeasurement:
    """Bandpowers of a map and galaxies with all that tells what they are.

    Attributes
    ----------
    bins : Bins
        b bins.
    cl_Tg_uK : array, shape (b,)
        Bandpowers [uK].
    cov_uK2 : array, shape (b, b)
        Gaussian covariance [uK^2].
    window : array, shape (b, lmax+1)
        F from l = 0, without the beam; over l >= 2 rows sum to 1.
    fwhm_arcmin : float
        Gaussian beam that the bandpowers carry [arcmin].
    coupled : array, shape (lmax+1,)
        Coupled cross-spectrum [uK].
    spectra : dict from pairs of labels to array, shape (lmax+1,)
        Spectra inside the covariance: coupled ones over the mean of both masks [uK^2, uK, sr].
    matrix : array, shape (b, lmax+1)
        K, from the coupled spectrum to bandpowers.
    fields : dict from labels to MaskedField
        ``T`` and ``g``.
    settings : dict
        Multipole limits, sky fractions, condition number, smoothing or model, options.
    """

    bins: Bins
    cl_Tg_uK: np.ndarray
    cov_uK2: np.ndarray
    window: np.ndarray
    fwhm_arcmin: float
    coupled: np.ndarray = field(repr=False)
    spectra: dict[Pair, np.ndarray] = field(repr=False)
    matrix: np.ndarray = field(repr=False)
    fields: dict[str, MaskedField] = field(repr=False)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def lmax(self) -> int:
        """Largest multipole of the windows."""
        return self.window.shape[1] - 1

    @property
    def error_uK(self) -> np.ndarray:
        """Standard deviations of the bandpowers, shape (b,) [uK]."""
        return np.sqrt(np.diag(self.cov_uK2))

    def predict(self, cl: ArrayLike) -> np.ndarray:
        """Means of the bandpowers for a spectrum without beam, sum_l F_bl B_l C_l.

        Parameters
        ----------
        cl : array, shape (lmax+1,)
            C_l^Tg from l = 0 [uK]; longer arrays are cut.

        Returns
        -------
        array, shape (b,)
            Bandpowers [uK].

        Raises
        ------
        DataError
            If the spectrum ends below l_max.

        References
        ----------
        Equation of this module.
        """
        beam = np.asarray(gaussian_beam(np.arange(self.lmax + 1.0), self.fwhm_arcmin))
        return self.window @ (beam * to_lmax(cl, self.lmax, "spectrum to predict bandpowers from"))

    def null_test(
        self, use: slice | ArrayLike = slice(None), prediction: ArrayLike = 0.0
    ) -> NullTest:
        """chi^2 of the bandpowers in ``use`` against a prediction, by default none.

        Parameters
        ----------
        use : slice, or int or bool array
            Bandpowers to use, as ``slice(2, None)`` without the lowest two.
        prediction : array, shape (b,) or ()
            Bandpowers expected [uK].

        Returns
        -------
        NullTest
            chi^2, number of bandpowers, probability to exceed.

        References
        ----------
        Goldstein et al. 2024, arXiv:2409.10514.
        """
        at = chosen(use, self.bins.size)
        return null_test((self.cl_Tg_uK - prediction)[at], self.cov_uK2[np.ix_(at, at)])

    def bandpowers(
        self, use: slice | ArrayLike = slice(None), *, nu_GHz: float = 353.0, nature: str = ""
    ) -> Bandpowers:
        """The content of ``bandpowers.npz``.

        Parameters
        ----------
        use : slice, or int or bool array
            Bandpowers to keep.
        nu_GHz : float
            Frequency at which the map is normalised [GHz].
        nature : str
            What the numbers are if they are not measured, as "simulated ...".

        Returns
        -------
        Bandpowers
            Checked bandpowers; windows from l = 2.

        References
        ----------
        :mod:`diffaxion.data.bandpowers`.
        """
        at = chosen(use, self.bins.size)
        return Bandpowers(
            self.bins.lo[at],
            self.bins.hi[at],
            self.cl_Tg_uK[at],
            self.cov_uK2[np.ix_(at, at)],
            self.window[at, ELL_FIRST:],
            np.arange(ELL_FIRST, self.lmax + 1.0),
            self.fwhm_arcmin,
            nu_GHz,
            nature=nature,
        )
