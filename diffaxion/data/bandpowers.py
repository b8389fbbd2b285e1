"""Binned cross-spectra of a screening map and galaxies, on disk: ``bandpowers.npz``.

The file holds plain arrays and nothing that needs pickle:

    ell_lo, ell_hi (b,)   first and last multipole of each bin
    cl_Tg_uK       (b,)   bandpowers, negative for screening [uK]
    cov_uK2        (b, b) their covariance [uK^2]
    window         (b, l) weights that turn C_l into a bandpower, without the beam; rows sum to 1
    window_ell     (l,)   consecutive multipoles of the windows
    fwhm_arcmin    ()     Gaussian beam that the bandpowers still carry; 0 if deconvolved
    nu_GHz         ()     frequency at which the map is normalised (353 for Goldstein et al.)

and, in files that hold no measurement, what they are instead:

    nature         ()     text, for instance "simulated noise, seed 5: not a measurement"

where the theory needs a factor besides the Gaussian beam, such as pixel windows,

    transfer       (l,)   that factor at the multipoles of the windows

and, if residual foregrounds are to be fitted along with the signal, all of

    residual_uK    (k, b) what each residual adds to the bandpowers per unit of its amplitude [uK]
    residual_names (k,)   their names, which end the paths of the amplitudes: ``residuals.NAME``
    residual_sigma (k,)   standard deviations of the amplitudes, whose prior is centred on 0
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from ..errors import DataError, nearest_names
from ..provenance import atomic_write

NORMALISATION_TOLERANCE = 0.01
"""Windows of masked skies leak a little beyond the last multipole; a wrong file misses by more."""

FWHM_RANGE_ARCMIN = (0.0, 120.0)
NU_RANGE_GHZ = (10.0, 1000.0)
CONDITION_MAX = 1e12
TRANSFER_MAX = 2.0


@dataclass(frozen=True)
class Bandpowers:
    """Measured (or simulated) bandpowers with their covariance and windows, checked.

    Attributes
    ----------
    ell_lo, ell_hi : array, shape (b,)
        First and last multipole of each bin.
    cl_Tg_uK : array, shape (b,)
        Bandpowers [uK], thermodynamic; screening makes them negative.
    cov_uK2 : array, shape (b, b)
        Covariance [uK^2].
    window : array, shape (b, l)
        Bandpower windows without the beam; rows sum to 1.
    window_ell : array, shape (l,)
        Consecutive multipoles of the windows.
    fwhm_arcmin : float
        Gaussian beam that multiplies the theory [arcmin]; 0 for none.
    nu_GHz : float
        Frequency of the map's normalisation [GHz].
    source : str
        File, for messages.
    nature : str
        What the numbers are if they are not measured; empty otherwise.
    transfer : array, shape (l,)
        Factor on the theory besides the beam, such as pixel windows; 1 by default.
    residual_uK : array, shape (k, b)
        Bandpowers of residual foregrounds per unit amplitude [uK]; no rows by default.
    residual_names : tuple of str
        Their names, k identifiers.
    residual_sigma : array, shape (k,)
        Standard deviations of the amplitudes.
    """

    ell_lo: np.ndarray
    ell_hi: np.ndarray
    cl_Tg_uK: np.ndarray
    cov_uK2: np.ndarray
    window: np.ndarray
    window_ell: np.ndarray
    fwhm_arcmin: float = 0.0
    nu_GHz: float = 353.0
    source: str = "bandpowers"
    nature: str = ""
    transfer: np.ndarray | float = 1.0
    residual_uK: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    residual_names: tuple[str, ...] = ()
    residual_sigma: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        for name in ARRAYS:
            object.__setattr__(self, name, _numbers(self.source, name, getattr(self, name)))
        for name in SCALARS:
            value = _numbers(self.source, name, getattr(self, name))
            if value.size != 1:
                raise _error(self.source, name, f"has shape {value.shape}, expected one number")
            object.__setattr__(self, name, float(value.reshape(())))
        _check_bins(self)
        _check_windows(self)
        _check_covariance(self)
        for name, (low, high) in (("fwhm_arcmin", FWHM_RANGE_ARCMIN), ("nu_GHz", NU_RANGE_GHZ)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise _error(self.source, name, f"= {value:g}, expected {low:g} to {high:g}")
        _check_transfer(self)
        _check_residuals(self)

    @property
    def n_bins(self) -> int:
        """Number of bandpowers."""
        return self.ell_lo.size


SCALARS = ("fwhm_arcmin", "nu_GHz")
ARRAYS = ("ell_lo", "ell_hi", "cl_Tg_uK", "cov_uK2", "window", "window_ell")
RESIDUALS = ("residual_uK", "residual_names", "residual_sigma")
_OPTIONAL = ("source", "nature", "transfer", *RESIDUALS)
KEYS = tuple(f.name for f in fields(Bandpowers) if f.name not in _OPTIONAL)


def _error(source: str, name: str, what: str) -> DataError:
    return DataError(f"{source}: {name} {what}")


def _numbers(source: str, name: str, given: object) -> np.ndarray:
    """A float64 array of finite numbers."""
    value = np.asarray(given)
    if value.dtype.kind not in "fiu":
        raise _error(source, name, f"has type {value.dtype}, expected real numbers")
    value = value.astype(float)
    bad = ~np.isfinite(value)
    if bad.any():
        where = np.argwhere(bad)[0].tolist()
        raise _error(
            source, name, f"holds {bad.sum()} values that are not finite, first at index {where}"
        )
    return value


def _check_bins(b: Bandpowers) -> None:
    lo, hi = b.ell_lo, b.ell_hi
    if lo.ndim != 1 or lo.size == 0:
        raise _error(b.source, "ell_lo", f"has shape {lo.shape}, expected (b,) with b >= 1")
    for name in ("ell_hi", "cl_Tg_uK"):
        value = getattr(b, name)
        if value.shape != lo.shape:
            raise _error(b.source, name, f"has shape {value.shape}, expected {lo.shape}")
    for name in ("ell_lo", "ell_hi"):
        value = getattr(b, name)
        if np.any(value != np.round(value)):
            raise _error(b.source, name, "must hold whole numbers (multipoles)")
    if np.any(lo < 2):
        k = int(np.argmax(lo < 2))
        raise _error(b.source, "ell_lo", f"= {lo[k]:g} in bin {k}, expected l >= 2")
    if np.any(hi < lo):
        k = int(np.argmax(hi < lo))
        raise _error(b.source, "ell_hi", f"= {hi[k]:g} in bin {k}, below ell_lo = {lo[k]:g}")
    bad = lo[1:] <= hi[:-1]
    if bad.any():
        k = int(np.argmax(bad))
        raise _error(
            b.source,
            "bins",
            f"{k} ({lo[k]:g}-{hi[k]:g}) and {k + 1} ({lo[k + 1]:g}-{hi[k + 1]:g}) overlap or are "
            "not in increasing order; expected disjoint bins",
        )


def _check_windows(b: Bandpowers) -> None:
    ell = b.window_ell
    if ell.ndim != 1 or ell.size == 0:
        raise _error(b.source, "window_ell", f"has shape {ell.shape}, expected (l,)")
    if np.any(ell != np.round(ell)) or np.any(np.diff(ell) != 1) or ell[0] < 0:
        raise _error(b.source, "window_ell", "must hold consecutive multipoles >= 0")
    if b.window.shape != (b.ell_lo.size, ell.size):
        expected = (b.ell_lo.size, ell.size)
        raise _error(b.source, "window", f"has shape {b.window.shape}, expected {expected} (b, l)")
    for k, (lo, hi) in enumerate(zip(b.ell_lo, b.ell_hi)):
        if lo < ell[0] or hi > ell[-1]:
            raise _error(
                b.source,
                "window_ell",
                f"spans {ell[0]:g}-{ell[-1]:g} and does not cover bin {k} ({lo:g}-{hi:g})",
            )
        total = b.window[k].sum()
        if abs(total - 1.0) > NORMALISATION_TOLERANCE:
            raise _error(b.source, "window", f"row {k} sums to {total:.6g}, expected 1")
        inside = b.window[k, (ell >= lo) & (ell <= hi)].sum()
        if inside < 0.5:
            raise _error(
                b.source,
                "window",
                f"row {k} does not cover its bin {lo:g}-{hi:g}: only {inside:.3g} of its weight "
                "lies inside",
            )


def _check_covariance(b: Bandpowers) -> None:
    c, n = b.cov_uK2, b.ell_lo.size
    if c.shape != (n, n):
        raise _error(b.source, "cov_uK2", f"has shape {c.shape}, expected {(n, n)}")
    spread = np.max(np.abs(c - c.T))
    if spread > 1e-10 * np.max(np.abs(c)):
        raise _error(b.source, "cov_uK2", f"is asymmetric: largest |C - C^T| is {spread:.3g} uK^2")
    eigen = np.linalg.eigvalsh(c)
    if eigen[0] <= 0.0 or eigen[-1] > CONDITION_MAX * eigen[0]:
        raise _error(
            b.source,
            "cov_uK2",
            f"is not usable: smallest eigenvalue {eigen[0]:.3g}, largest {eigen[-1]:.3g} uK^2; "
            f"expected a positive definite matrix with condition below {CONDITION_MAX:g}",
        )


def _check_transfer(b: Bandpowers) -> None:
    value = _numbers(b.source, "transfer", b.transfer)
    if value.shape not in ((), b.window_ell.shape):
        expected = f"{b.window_ell.shape}, one number per multipole of window_ell"
        raise _error(b.source, "transfer", f"has shape {value.shape}, expected {expected}")
    bad = (value <= 0.0) | (value > TRANSFER_MAX)
    if bad.any():
        raise _error(
            b.source,
            "transfer",
            f"= {value[bad].flat[0]:g}, expected more than 0 and at most {TRANSFER_MAX:g}",
        )
    object.__setattr__(b, "transfer", np.broadcast_to(value, b.window_ell.shape))


def _check_residuals(b: Bandpowers) -> None:
    names = tuple(str(n) for n in np.atleast_1d(np.asarray(b.residual_names)))
    object.__setattr__(b, "residual_names", names)
    k, n = len(names), b.ell_lo.size
    for name, shape in (("residual_uK", (k, n)), ("residual_sigma", (k,))):
        value = _numbers(b.source, name, getattr(b, name))
        value = value.reshape(shape) if value.size == k == 0 else value
        if value.shape != shape:
            raise _error(
                b.source, name, f"has shape {value.shape}, expected {shape} for {k} residual_names"
            )
        object.__setattr__(b, name, value)
    for row, name in enumerate(names):
        if not name.isidentifier() or name in names[:row]:
            raise _error(
                b.source,
                "residual_names",
                f"holds {name!r}, expected different names of letters, digits and underscores",
            )
        if not b.residual_sigma[row] > 0.0:
            value = b.residual_sigma[row]
            raise _error(b.source, "residual_sigma", f"of {name!r} is {value:g}, expected > 0")
        if not np.any(b.residual_uK[row]):
            raise _error(b.source, "residual_uK", f"of {name!r} is zero in every bin: remove it")


def write_bandpowers(path: str | Path, bandpowers: Bandpowers) -> Path:
    """Write ``bandpowers.npz``, completely or not at all.

    Parameters
    ----------
    path : str or Path
        Destination, ending in ``.npz``.
    bandpowers : Bandpowers
        Content, b bins and l multipoles [uK, uK^2, arcmin, GHz].

    Returns
    -------
    Path
        The destination.

    Raises
    ------
    DataError
        If the name does not end in ``.npz``.
    DiffaxionError
        If the system refuses to write.

    References
    ----------
    The NumPy .npz format (NumPy Enhancement Proposal 1).
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise DataError(f"{path}: bandpowers are written as NumPy archives; use the ending .npz")
    arrays = {name: np.asarray(getattr(bandpowers, name), float) for name in KEYS}
    if bandpowers.nature:
        arrays["nature"] = np.array(bandpowers.nature)
    if np.any(bandpowers.transfer != 1.0):
        arrays["transfer"] = np.asarray(bandpowers.transfer)
    if bandpowers.residual_names:
        arrays |= {name: np.asarray(getattr(bandpowers, name)) for name in RESIDUALS}

    def save(temporary: Path) -> None:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)

    return atomic_write(path, save)


def read_bandpowers(path: str | Path) -> Bandpowers:
    """Read and check ``bandpowers.npz``.

    Parameters
    ----------
    path : str or Path
        File with the keys ell_lo, ell_hi, cl_Tg_uK, cov_uK2, window, window_ell, fwhm_arcmin
        and nu_GHz, and optionally nature, transfer, or all of residual_uK, residual_names and
        residual_sigma; further keys are ignored.

    Returns
    -------
    Bandpowers
        b bins and l multipoles [uK, uK^2, arcmin, GHz].

    Raises
    ------
    DataError
        If the file cannot be read, needs pickle, lacks a key, or a field is not what it must be.

    References
    ----------
    The NumPy .npz format (NumPy Enhancement Proposal 1).
    """
    found: dict[str, np.ndarray] = {}
    try:
        # Opened here, because np.load leaves the file open when the archive is damaged.
        with open(path, "rb") as handle:
            archive = np.load(handle, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: holds a single array, expected an .npz archive")
            for key in KEYS:
                if key not in archive.files:
                    raise DataError(
                        f"{path}: key {key!r} is missing ({nearest_names(key, archive.files)}); "
                        f"expected {', '.join(KEYS)}"
                    )
                found[key] = archive[key]
            nature = str(archive["nature"]) if "nature" in archive.files else ""
            present = [key for key in RESIDUALS if key in archive.files]
            if present and len(present) < len(RESIDUALS):
                missing = next(key for key in RESIDUALS if key not in present)
                raise DataError(
                    f"{path}: key {missing!r} is missing beside {present[0]!r}; residual "
                    f"foregrounds need all of {', '.join(RESIDUALS)}"
                )
            present += ["transfer"] if "transfer" in archive.files else []
            found |= {key: archive[key] for key in present}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path}: cannot be read as an .npz archive of plain numbers ({error})"
        ) from None
    return Bandpowers(**found, source=str(path), nature=nature)  # type: ignore[arg-type]
