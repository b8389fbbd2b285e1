"""Spherical harmonic transforms of HEALPix maps by healpy or, where installed, ducc0.

A back end supplies two operations on a block of maps, synthesis S and its adjoint S^T; analysis is
built on them. With w = 4 pi/n_pix the quadrature w S^T is not the inverse of S, and iterations

    a_{k+1} = a_k + w S^T (map - S a_k),    a_0 = w S^T map

improve it. Coefficients a_lm of real maps are stored as by healpy: complex, m >= 0, all l of m = 0
first, m_max = l_max. The adjoint refers to the product sum over all m of both signs,
sum_l a_l0 b_l0 + 2 Re sum_{m>0} a_lm b*_lm.
"""

from __future__ import annotations

import abc
import importlib
import math

import numpy as np

from ..errors import ConfigurationError, DataError

BACKENDS = ("healpy", "ducc0")


def alm_size(lmax: int) -> int:
    """Number of coefficients up to ``lmax``."""
    return (lmax + 1) * (lmax + 2) // 2


def alm_lmax(alm: np.ndarray) -> int:
    """l_max of coefficients, from the length of their last axis; DataError if there is none."""
    size = alm.shape[-1]
    lmax = (math.isqrt(8 * size + 1) - 3) // 2
    if lmax < 0 or alm_size(lmax) != size:
        raise DataError(
            f"{size} harmonic coefficients: with m_max = l_max there are (l_max + 1)(l_max + 2)/2, "
            "the layout of healpy"
        )
    return lmax


def scale_alm(alm: np.ndarray, factor: np.ndarray, lmax: int | None = None) -> np.ndarray:
    """Coefficients times a function of l, cut at or padded with zeros to ``lmax``.

    ``factor`` may be shorter than the coefficients (then it is 0 beyond) or longer.
    """
    old = alm_lmax(alm)
    new = old if lmax is None else lmax
    top = min(old, new, factor.size - 1)
    out = np.zeros((*alm.shape[:-1], alm_size(new)), complex)
    source = target = 0
    for m in range(top + 1):
        count = top + 1 - m
        out[..., target : target + count] = (
            alm[..., source : source + count] * factor[m : m + count]
        )
        source += old + 1 - m
        target += new + 1 - m
    return out


def resize_alm(alm: np.ndarray, lmax: int) -> np.ndarray:
    """Coefficients cut at or padded with zeros to ``lmax``; the same array if nothing changes."""
    return alm if alm_lmax(alm) == lmax else scale_alm(alm, np.ones(lmax + 1), lmax)


def alm_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum over l and all m of a_lm b*_lm for the last axis [unit of a times unit of b]."""
    lmax = alm_lmax(a)
    zero = slice(0, lmax + 1)
    full = np.sum(a.real * b.real + a.imag * b.imag, axis=-1)
    return 2.0 * full - np.sum(a[..., zero].real * b[..., zero].real, axis=-1)


def cross_spectrum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C_l = sum_m a_lm b*_lm/(2 l + 1) of two sets of coefficients, shape (l_max + 1,)."""
    lmax = alm_lmax(a)
    product = a.real * b.real + a.imag * b.imag
    out = product[: lmax + 1].copy()
    start = lmax + 1
    for m in range(1, lmax + 1):
        count = lmax + 1 - m
        out[m:] += 2.0 * product[start : start + count]
        start += count
    return out / (2.0 * np.arange(lmax + 1) + 1.0)


def map_nside(pixels: int, what: str = "map") -> int:
    """nside of a map with so many pixels; DataError if there is none."""
    nside = math.isqrt(pixels // 12)
    if pixels < 12 or 12 * nside**2 != pixels or nside & (nside - 1):
        raise DataError(
            f"{what}: {pixels} pixels, expected 12 nside^2 with nside a power of two "
            "(a full-sky HEALPix map)"
        )
    return nside


class Transforms(abc.ABC):
    """Transforms between maps, RING order, and coefficients; single ones or blocks.

    Parameters
    ----------
    threads : int
        Threads of a transform; healpy takes its number from ``OMP_NUM_THREADS`` instead.
    """

    name = ""

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    @abc.abstractmethod
    def _synthesis(self, alm: np.ndarray, nside: int, lmax: int) -> np.ndarray:
        """Maps (k, npix) of coefficients (k, nalm)."""

    @abc.abstractmethod
    def _adjoint(self, maps: np.ndarray, nside: int, lmax: int) -> np.ndarray:
        """Coefficients (k, nalm): sum of Y*_lm(p) map(p) over pixels (k, npix)."""

    def synthesis(self, alm: np.ndarray, nside: int, lmax: int | None = None) -> np.ndarray:
        """Map of coefficients, of those up to ``lmax``: shape (..., nalm) to (..., npix)."""
        alm = np.asarray(alm, complex)
        if lmax is not None:
            alm = resize_alm(alm, min(lmax, alm_lmax(alm)))
        block = alm.reshape(-1, alm.shape[-1])
        maps = self._synthesis(block, nside, alm_lmax(alm))
        return maps.reshape(*alm.shape[:-1], maps.shape[-1])

    def adjoint_synthesis(self, maps: np.ndarray, lmax: int) -> np.ndarray:
        """Adjoint of synthesis, sum_p Y*_lm(p) map(p): shape (..., npix) to (..., nalm)."""
        maps = np.asarray(maps, float)
        nside = map_nside(maps.shape[-1])
        alm = self._adjoint(maps.reshape(-1, maps.shape[-1]), nside, lmax)
        return alm.reshape(*maps.shape[:-1], alm.shape[-1])

    def analysis(
        self, maps: np.ndarray, lmax: int, iterations: int = 3, keep: int | None = None
    ) -> np.ndarray:
        """Coefficients of maps, shape (..., npix) to (..., nalm).

        Of the result only l <= ``keep`` is computed if that is given; the iterations use all
        multipoles up to ``lmax``.
        """
        maps = np.asarray(maps, float)
        block = maps.reshape(-1, maps.shape[-1])
        nside = map_nside(maps.shape[-1])
        keep = lmax if keep is None else min(keep, lmax)
        weight = 4.0 * math.pi / maps.shape[-1]
        alm = weight * self._adjoint(block, nside, lmax if iterations else keep)
        for k in range(iterations):
            rest = block - self._synthesis(alm, nside, lmax)
            top = keep if k == iterations - 1 else lmax
            alm = resize_alm(alm, top) + weight * self._adjoint(rest, nside, top)
        return alm.reshape(*maps.shape[:-1], alm.shape[-1])

    def adjoint_analysis(self, alm: np.ndarray, nside: int, iterations: int = 3) -> np.ndarray:
        """Adjoint of analysis, shape (..., nalm) to (..., npix), for the product of the module."""
        alm = np.asarray(alm, complex)
        lmax, pixels = alm_lmax(alm), 12 * nside**2
        weight = 4.0 * math.pi / pixels
        term = alm.reshape(-1, alm.shape[-1])
        total = term
        # sum_k (1 - w S^T S)^k commutes with its own adjoint: it stands on the other side here.
        for _ in range(iterations):
            term = term - weight * self._adjoint(self._synthesis(term, nside, lmax), nside, lmax)
            total = total + term
        maps = weight * self._synthesis(total, nside, lmax)
        return maps.reshape(*alm.shape[:-1], pixels)


class HealpyTransforms(Transforms):
    """Transforms by healpy, the default."""

    name = "healpy"

    def _synthesis(self, alm: np.ndarray, nside: int, lmax: int) -> np.ndarray:
        import healpy

        return np.stack([healpy.alm2map(a, nside, lmax=lmax, pol=False) for a in alm])

    def _adjoint(self, maps: np.ndarray, nside: int, lmax: int) -> np.ndarray:
        import healpy

        scale = maps.shape[-1] / (4.0 * math.pi)
        return scale * np.stack([healpy.map2alm(m, lmax=lmax, iter=0, pol=False) for m in maps])


class DuccTransforms(Transforms):
    """Transforms by ducc0, from the optional extra ``fast``."""

    name = "ducc0"

    def __init__(self, threads: int = 1) -> None:
        super().__init__(threads)
        self._rings: dict[int, dict[str, np.ndarray]] = {}

    def _geometry(self, nside: int) -> dict[str, np.ndarray]:
        if nside not in self._rings:
            import ducc0

            self._rings[nside] = ducc0.healpix.Healpix_Base(nside, "RING").sht_info()
        return self._rings[nside]

    def _synthesis(self, alm: np.ndarray, nside: int, lmax: int) -> np.ndarray:
        import ducc0

        maps = np.empty((len(alm), 1, 12 * nside**2))
        block = np.ascontiguousarray(alm)[:, None, :]
        ducc0.sht.synthesis(
            alm=block, map=maps, lmax=lmax, spin=0, nthreads=self.threads, **self._geometry(nside)
        )
        return maps[:, 0]

    def _adjoint(self, maps: np.ndarray, nside: int, lmax: int) -> np.ndarray:
        import ducc0

        block = np.ascontiguousarray(maps)[:, None, :]
        alm = ducc0.sht.adjoint_synthesis(
            map=block, lmax=lmax, spin=0, nthreads=self.threads, **self._geometry(nside)
        )
        return alm[:, 0]


def get_transforms(name: str = "healpy", threads: int = 1) -> Transforms:
    """Back end of the spherical harmonic transforms.

    Both agree to 1e-10 of the rms; ducc0 is the faster one.

    Parameters
    ----------
    name : str
        ``healpy`` or ``ducc0``.
    threads : int
        Threads of a transform of ducc0; healpy follows ``OMP_NUM_THREADS``.

    Returns
    -------
    Transforms
        With ``analysis``, ``synthesis`` and their adjoints.

    Raises
    ------
    ConfigurationError
        If the name is unknown, ducc0 is not installed or ``threads`` is below 1.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513 (HEALPix); Reinecke & Seljebotn 2013, arXiv:1303.4945.
    """
    if name not in BACKENDS:
        raise ConfigurationError(
            f"transform back end {name!r}: expected one of {', '.join(BACKENDS)}"
        )
    if threads < 1:
        raise ConfigurationError(f"{threads} threads for transforms: expected at least 1")
    if name == "healpy":
        return HealpyTransforms(threads)
    try:
        importlib.import_module("ducc0")
    except ImportError as error:
        raise ConfigurationError(
            "the transform back end 'ducc0' is not installed: install diffaxion[fast], or choose "
            "'healpy'"
        ) from error
    return DuccTransforms(threads)
