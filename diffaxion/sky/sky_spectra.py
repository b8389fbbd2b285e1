"""Spectra of correlated Gaussian skies: galaxies, CMB, Compton y, CIB shells and screening.

At each multipole the fields have one covariance; a lower-triangular factor L of it, L L^T = C,
turns independent unit Gaussians into correlated a_lm. Fields whose correlation with each other
is not given are independent once the galaxies are known,

    r_ab = r_ag r_bg,

and screening is a multiple of the galaxies plus an independent part,

    a_T = (C^Tg/C^gg) a_g + sqrt(C^TT - (C^Tg)^2/C^gg) xi.

The covariance may be singular there: without the independent part screening follows the galaxies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import ArrayLike

from ..errors import ConfigurationError, ValidityError, unknown_name

GALAXIES, CMB, TSZ, SCREENING = "galaxies", "cmb", "tsz", "screening"
# A pivot of the correlation matrix below this is rounding; a negative one beyond it is an error.
_SINGULAR = 1e-10


@dataclass(frozen=True)
class CIBShell:
    """Part of the cosmic infrared background with one spectral energy distribution.

    Attributes
    ----------
    temperature_K, beta : float
        Modified black body.
    share : float
        Part of the power of the CIB at 353 GHz.
    correlation : float
        Correlation coefficient with the galaxies.

    References
    ----------
    Planck 2013 results XXX, arXiv:1309.0382.
    """

    temperature_K: float = 24.0
    beta: float = 1.2
    share: float = 1.0
    correlation: float = 0.0


def cib_shells(temperature_K: float = 24.0, beta: float = 1.75) -> tuple[CIBShell, ...]:
    """Two shells, of which the first follows the galaxies and has the named spectrum.

    The second, hotter by 6 K and flatter by 0.1, knows nothing of the galaxies, so that no single
    spectrum describes the sum, but one set of deprojections removes all that correlates.

    Parameters
    ----------
    temperature_K, beta : float
        Modified black body of the shell that correlates [K]; the cleaning should assume the same
        unless it is to be tested with a wrong one.

    Returns
    -------
    tuple of CIBShell
        70 % of the power, correlation 0.35; 30 %, correlation 0.

    References
    ----------
    A toy, not fitted to data.
    """
    return (
        CIBShell(temperature_K, beta, 0.7, 0.35),
        CIBShell(temperature_K + 6.0, beta - 0.1, 0.3, 0.0),
    )


@dataclass(frozen=True)
class SkySpectra:
    """Covariance of the fields of a Gaussian sky at each multipole.

    Attributes
    ----------
    names : tuple of str
        ``galaxies``, ``cmb``, ``tsz``, ``cib-1``, ..., ``screening``.
    covariance : array, shape (l, n, n)
        For l = 0, 1, ...; galaxies and Compton y without unit, CMB, CIB and screening in uK, the
        latter two at 353 GHz.
    shells : tuple of CIBShell
        Spectra of ``cib-1``, ``cib-2``, ...
    label : str
        Where the spectra come from.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """

    names: tuple[str, ...]
    covariance: np.ndarray
    shells: tuple[CIBShell, ...]
    label: str

    @property
    def lmax(self) -> int:
        """Largest multipole."""
        return self.covariance.shape[0] - 1

    def cross(self, a: str, b: str) -> np.ndarray:
        """C_l^ab for l = 0 to lmax, shape (l,), in the product of the units of both."""
        for name in (a, b):
            if name not in self.names:
                raise unknown_name("field of the sky", name, self.names)
        return self.covariance[:, self.names.index(a), self.names.index(b)]

    def factor(self) -> np.ndarray:
        """Lower-triangular L with L L^T = C at each l, shape (l, n, n); may be singular.

        Raises
        ------
        ValidityError
            If the covariance is not positive semi-definite; names multipole and field.
        """
        return _factor(self.covariance, self.names)


def _factor(covariance: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Cholesky factors of correlation matrices that may be singular, all multipoles at once."""
    scale = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    safe = np.where(scale > 0.0, scale, 1.0)
    left = covariance / safe[:, :, None] / safe[:, None, :]
    factor = np.zeros_like(left)
    for k, name in enumerate(names):
        pivot = left[:, k, k]
        zero = pivot < _SINGULAR
        column = np.where(zero[:, None], 0.0, left[:, :, k])
        column = column / np.sqrt(np.where(zero, 1.0, pivot))[:, None]
        # Where the pivot vanishes, what is left of the column has to vanish as well.
        orphan = np.where(zero[:, None], np.abs(left[:, :, k]), 0.0).max(axis=1)
        bad = (pivot < -_SINGULAR) | (orphan > math.sqrt(_SINGULAR))
        if bad.any():
            l = int(np.argmax(bad))
            raise ValidityError(
                f"covariance of the sky at l = {l}: not positive definite, {name} keeps "
                f"{pivot[l]:.3g} of its variance when {', '.join(names[:k]) or 'nothing'} are "
                "known (expected 0 to 1): smaller correlations, or more power"
            )
        # Rows above are known exactly: zero, but for rounding.
        column[:, :k] = 0.0
        factor[:, :, k] = column
        left = left - column[:, :, None] * column[:, None, :]
    return factor * scale[:, :, None]


def sky_spectra(
    autos: Mapping[str, ArrayLike],
    correlations: Mapping[tuple[str, str], ArrayLike] | None = None,
    *,
    shells: tuple[CIBShell, ...] = (),
    screening_cross: ArrayLike | None = None,
    screening_auto: ArrayLike | None = None,
    label: str = "given spectra",
) -> SkySpectra:
    """Covariance of a sky from auto-spectra and correlation coefficients.

    Parameters
    ----------
    autos : dict of str to array, shape (l,)
        C_l for l = 0, 1, ... of ``galaxies``, ``cmb`` [uK^2], ``tsz`` and ``cib`` [uK^2 at 353
        GHz, shared among the shells]; all but the galaxies may be missing.
    correlations : dict of (str, str) to array, shape () or (l,), optional
        Coefficients; of pairs that are not named r_ab = r_ag r_bg, with r_ag of a CIB shell from
        the shell and 0 otherwise.
    shells : tuple of CIBShell
        Parts of the CIB.
    screening_cross : array, shape (l,), optional
        C_l^Tg of the screening at 353 GHz [uK], negative; none for no screening.
    screening_auto : array, shape (l,), optional
        C_l^TT of the screening [uK^2]; default (C^Tg)^2/C^gg, full correlation.
    label : str
        Where the spectra come from.

    Returns
    -------
    SkySpectra
        Fields in the order galaxies, CMB, y, CIB shells, screening.

    Raises
    ------
    ConfigurationError
        If spectra are missing or differ in length, or a field is unknown.
    ValidityError
        If a spectrum is negative or not finite, or the covariance not positive definite.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    fields = _fields(autos, shells)
    names, size = tuple(fields), fields[GALAXIES].size
    with_galaxies = {f"cib-{k + 1}": s.correlation for k, s in enumerate(shells)}
    given = {pair: np.asarray(r, float) for pair, r in (correlations or {}).items()}
    for pair in given:
        for name in pair:
            if name not in names:
                raise unknown_name("field of the sky", name, names)

    def coefficient(a: str, b: str) -> np.ndarray:
        for pair in ((a, b), (b, a)):
            if pair in given:
                return np.broadcast_to(given[pair], size)
        if GALAXIES in (a, b):
            other = b if a == GALAXIES else a
            return np.full(size, with_galaxies.get(other, 0.0))
        return coefficient(GALAXIES, a) * coefficient(GALAXIES, b)

    n = len(names)
    covariance = np.zeros((size, n, n))
    for i, a in enumerate(names):
        for j, b in enumerate(names[: i + 1]):
            r = np.ones(size) if i == j else coefficient(a, b)
            covariance[:, i, j] = covariance[:, j, i] = r * np.sqrt(fields[a] * fields[b])
    if screening_cross is not None:
        covariance = _with_screening(covariance, screening_cross, screening_auto)
        names = (*names, SCREENING)
    _factor(covariance, names)
    return SkySpectra(names, covariance, tuple(shells), label)


def _fields(autos: Mapping[str, ArrayLike], shells: tuple[CIBShell, ...]) -> dict[str, np.ndarray]:
    """Checked auto-spectra by field, the CIB split among its shells."""
    known = (GALAXIES, CMB, TSZ, "cib")
    for name in autos:
        if name not in known:
            raise unknown_name("spectrum", name, known)
    if GALAXIES not in autos:
        raise ConfigurationError("spectra of a sky: galaxies are missing, all else refers to them")
    arrays = {
        name: np.atleast_1d(np.asarray(autos[name], float)) for name in known if name in autos
    }
    for name, cl in arrays.items():
        if cl.shape != arrays[GALAXIES].shape or cl.ndim != 1:
            raise ConfigurationError(
                f"spectrum of {name} of shape {cl.shape}, expected that of the galaxies, "
                f"{arrays[GALAXIES].shape}: one number for each l = 0, 1, ..."
            )
        if not np.all(np.isfinite(cl) & (cl >= 0.0)):
            raise ValidityError(f"spectrum of {name}: expected finite numbers >= 0 at every l")
    if bool(shells) != ("cib" in arrays):
        raise ConfigurationError("a spectrum of the CIB and its shells go together")
    if shells and not math.isclose(sum(s.share for s in shells), 1.0, rel_tol=1e-6):
        raise ConfigurationError(
            f"CIB shells hold {sum(s.share for s in shells):g} of the power, expected 1"
        )
    total = arrays.pop("cib", np.zeros(0))
    return arrays | {f"cib-{k + 1}": s.share * total for k, s in enumerate(shells)}


def _with_screening(covariance: np.ndarray, cross: ArrayLike, auto: ArrayLike | None) -> np.ndarray:
    """The covariance with one more field, a multiple of the first plus an independent part."""
    size, n, _ = covariance.shape
    tg = np.broadcast_to(np.asarray(cross, float), size)
    gg = covariance[:, 0, 0]
    slope = tg / np.where(gg > 0.0, gg, 1.0)
    out = np.zeros((size, n + 1, n + 1))
    out[:, :n, :n] = covariance
    out[:, n, :n] = out[:, :n, n] = slope[:, None] * covariance[:, 0, :]
    followed = slope**2 * gg
    out[:, n, n] = followed if auto is None else np.asarray(auto, float)
    short = out[:, n, n] < followed * (1.0 - _SINGULAR)
    if short.any():
        l = int(np.argmax(short))
        raise ValidityError(
            f"screening at l = {l}: C^TT = {out[l, n, n]:.4g} uK^2 is below (C^Tg)^2/C^gg = "
            f"{followed[l]:.4g} uK^2, a correlation above 1: give spectra of one model"
        )
    return out
