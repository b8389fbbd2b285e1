"""Sky maps and masks from HEALPix FITS as distributed: unit, ordering, frame, missing data checked.

Maps of the sky come in K_CMB, mK or uK, or in MJy/sr, NESTED or RING, float32, with UNSEEN or NaN
in pixels without data and, in some releases, with the dipole of the Sun's motion left in. Here
every map becomes float64, RING, K_CMB. What was found is in ``report``; what cannot be known from
the header must be said by the caller.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, DiffaxionWarning
from .healpix_fits import (
    UNSEEN,
    HealpixColumn,
    checked_nside,
    frame_name,
    healpix_nside,
    invalid_pixels,
    read_healpix_column,
)
from .healpix_write import write_healpix_map

__all__ = [
    "UNSEEN",
    "HealpixMap",
    "healpix_nside",
    "read_healpix_map",
    "read_mask",
    "write_healpix_map",
]

_KELVIN = {"k": 1.0, "kelvin": 1.0, "mk": 1e-3, "uk": 1e-6, "muk": 1e-6, "µk": 1e-6, "μk": 1e-6}
_THERMODYNAMIC = ("_cmb", "cmb", "_thermo", ",thermodynamic", "_thermodynamic", "")
_NO_UNIT = ("1", "none", "dimensionless", "unitless", "counts", "overdensity")
_EXPECTED = "K_CMB, mK_CMB, uK_CMB, MJy/sr, or 1 for a map without a unit"

PLAUSIBLE_K = (1e-8, 10.0)
"""Spread of a map of the microwave sky [K_CMB]; outside, a factor of 1e6 is likely wrong."""

SOLAR_DIPOLE_K = 3.362e-3
SOLAR_DIPOLE_LON_LAT = (264.02, 48.25)
_DIPOLE_CUT_DEG = 30.0
_SAMPLE = 200_000
_ROUNDING = 1e-6  # of weights in float32


@dataclass(frozen=True)
class HealpixMap:
    """A map of the whole sky.

    Attributes
    ----------
    values : array, shape (npix,)
        Float64, RING; UNSEEN where ``valid`` is False.
    valid : bool array, shape (npix,)
        Whether a pixel holds data.
    nside : int
        Resolution.
    unit : str
        ``K_CMB``, or ``1`` for a map without a unit.
    coordinates : str
        ``galactic``, ``equatorial`` or ``ecliptic``.
    source : str
        File.
    report : dict
        What was found: ``unit_in_file``, ``ordering_in_file``, ``factor``, ``unseen_pixels``,
        ``unseen_fraction``, ``median``, ``spread``, ``monopole``, ``dipole`` (amplitude, longitude
        and latitude [deg]) and ``solar_dipole``, whether the Sun's motion seems to be left in.
    ordering : str
        Always ``RING``.
    """

    values: np.ndarray
    valid: np.ndarray
    nside: int
    unit: str
    coordinates: str
    source: str
    report: dict[str, Any] = field(default_factory=dict)
    ordering: str = "RING"


def _factor(unit: str, bands_factor: float | None, path: str | Path) -> tuple[str, float]:
    """Unit of the result and the number that the file's values are multiplied by."""
    text = unit.replace(" ", "").strip()
    low = text.lower()
    if low in _NO_UNIT:
        return "1", 1.0
    if text.startswith("MJy") and low[3:] in ("/sr", "sr-1", "sr^-1", ".sr-1", "sr**-1"):
        if bands_factor is None:
            raise DataError(
                f"{path}: the map is in MJy/sr; give bands_factor= [MJy/sr per K_CMB] of the "
                "channel, from unit_conversion_MJy_sr"
            )
        if not (math.isfinite(bands_factor) and bands_factor > 0.0):
            raise DataError(f"{path}: bands_factor = {bands_factor}; expected a number > 0")
        return "K_CMB", 1.0 / bands_factor
    for suffix in _THERMODYNAMIC:
        stem = low.removesuffix(suffix)
        if low.endswith(suffix) and stem in _KELVIN:
            return "K_CMB", _KELVIN[stem]
    raise DataError(
        f"{path}: unit {unit!r}; expected {_EXPECTED}. Antenna or Rayleigh-Jeans temperatures are "
        "to be converted first; a wrong or missing TUNIT is replaced by unit="
    )


def _unit(
    column: HealpixColumn, unit: str | None, bands_factor: float | None, path: str | Path
) -> tuple[str, float]:
    if unit is None:
        if not column.unit:
            raise DataError(
                f"{path}: column {column.facts['column']} has no TUNIT; expected {_EXPECTED}: give "
                "unit="
            )
        return _factor(column.unit, bands_factor, path)
    chosen = _factor(unit, bands_factor, path)
    if column.unit and chosen[0] != "1":
        try:
            stated = _factor(column.unit, bands_factor, path)
        except DataError:
            stated = chosen
        if stated != chosen:
            warnings.warn(
                f"{path}: TUNIT = {column.unit!r}, read as {unit!r} because unit= says so",
                DiffaxionWarning,
                stacklevel=4,
            )
    return chosen


def _frame(column: HealpixColumn, coordinates: str | None, path: str | Path) -> str:
    if coordinates is not None:
        chosen = frame_name(coordinates, path)
        if column.coordinates and column.coordinates != chosen:
            warnings.warn(
                f"{path}: COORDSYS says {column.coordinates}, read as {chosen} because "
                "coordinates= says so",
                DiffaxionWarning,
                stacklevel=4,
            )
        return chosen
    if not column.coordinates:
        raise DataError(
            f"{path}: no keyword COORDSYS; expected galactic, equatorial or ecliptic: give "
            "coordinates="
        )
    return column.coordinates


def _spread(values: np.ndarray, valid: np.ndarray) -> tuple[float, float]:
    """Median and half the central 68 per cent of the pixels, from a sample spread over the sky."""
    sample = values[:: max(1, values.size // _SAMPLE) | 1]
    good = sample[valid[:: max(1, values.size // _SAMPLE) | 1]]
    if good.size == 0:
        return 0.0, 0.0
    low, middle, high = np.percentile(good, [16.0, 50.0, 84.0])
    return float(middle), float(0.5 * (high - low))


def _dipole(values: np.ndarray, galactic: bool) -> dict[str, Any]:
    """Monopole and dipole, fitted at |b| > 30 deg for Galactic maps, else on the whole sky."""
    import healpy

    cut = _DIPOLE_CUT_DEG if galactic else 0.0
    try:
        monopole, vector = healpy.fit_dipole(values, bad=UNSEEN, gal_cut=cut)
    except np.linalg.LinAlgError:
        return {}  # too little of the sky for four numbers
    x, y, z = (float(v) for v in vector)
    return {
        "monopole": float(monopole),
        "dipole": {
            "amplitude": math.hypot(x, y, z),
            "lon_deg": math.degrees(math.atan2(y, x)) % 360.0,
            "lat_deg": math.degrees(math.atan2(z, math.hypot(x, y))),
        },
        "dipole_fitted_beyond_latitude_deg": cut,
        "solar_dipole": galactic and _is_solar(np.array([x, y, z])),
    }


def _is_solar(vector: np.ndarray) -> bool:
    """Whether the component along the Sun's motion is about that of the Sun's motion."""
    import healpy

    along = float(vector @ healpy.ang2vec(*SOLAR_DIPOLE_LON_LAT, lonlat=True))
    return 0.5 * SOLAR_DIPOLE_K < along < 1.5 * SOLAR_DIPOLE_K


def read_healpix_map(
    path: str | Path,
    *,
    unit: str | None = None,
    ordering: str | None = None,
    field: int | str = 0,
    coordinates: str | None = None,
    bands_factor: float | None = None,
) -> HealpixMap:
    """Read a map of the sky: float64, RING, K_CMB.

    Parameters
    ----------
    path : str or Path
        HEALPix FITS, full or partial sky.
    unit : str, optional
        K_CMB, mK, uK, MJy/sr, or ``1`` for a map that keeps its values; by default TUNIT.
    ordering : str, optional
        RING or NESTED; by default that of the header.
    field : int or str
        Column by number, without the column PIXEL of partial maps, or by name.
    coordinates : str, optional
        Frame (galactic, equatorial, ecliptic or G, C, E); by default that of the header.
    bands_factor : float, optional
        MJy/sr per K_CMB of the channel; needed for maps in MJy/sr.

    Returns
    -------
    HealpixMap
        Nothing is removed or rotated; the report says what is in it.

    Raises
    ------
    DataError
        If the file is unusable, or ordering, unit or frame is neither in the header nor given.

    Warns
    -----
    DiffaxionWarning
        If an argument contradicts the header, or the spread of the map suggests that its unit is
        wrong by 1e6.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513; Planck 2018 results III, arXiv:1807.06207 (dipole of the
    Sun's motion).
    """
    column = read_healpix_column(path, field, ordering)
    found, factor = _unit(column, unit, bands_factor, path)
    frame = _frame(column, coordinates, path)
    values, valid = column.values, column.valid
    if not valid.any():
        raise DataError(f"{path}: column {column.facts['column']}: all pixels are UNSEEN or NaN")
    values[valid] *= factor
    median, spread = _spread(values, valid)
    bad = int(valid.size - np.count_nonzero(valid))
    report = dict(column.facts) | {
        "unit_in_file": column.unit,
        "factor": factor,
        "coordinates": frame,
        "unseen_pixels": bad,
        "unseen_fraction": bad / valid.size,
        "median": median,
        "spread": spread,
    }
    if valid.mean() > 0.1:
        report |= _dipole(values, frame == "galactic")
    if found == "K_CMB" and spread > 0.0 and not PLAUSIBLE_K[0] < spread < PLAUSIBLE_K[1]:
        read_as = unit if unit is not None else column.unit
        warnings.warn(
            f"{path}: read as {read_as!r} the map varies by {spread:.3g} K_CMB; expected "
            f"{PLAUSIBLE_K[0]:g} to {PLAUSIBLE_K[1]:g}: K and uK, a factor of 1e6, may be confused",
            DiffaxionWarning,
            stacklevel=2,
        )
    return HealpixMap(values, valid, column.nside, found, frame, str(path), report)


def read_mask(
    path: str | Path,
    *,
    field: int | str = 0,
    ordering: str | None = None,
    coordinates: str | None = None,
) -> np.ndarray:
    """Read a mask: weights from 0 to 1, RING, 0 in pixels without data.

    Parameters
    ----------
    path : str or Path
        HEALPix FITS, or a plain array ``.npy``, for which ordering and coordinates must be given.
    field : int or str
        Column by number or name, such as ``GAL070``.
    ordering : str, optional
        RING or NESTED; by default that of the header.
    coordinates : str, optional
        Frame, where the header lacks it or to accept one that is not Galactic.

    Returns
    -------
    array, shape (npix,)
        Weights, dimensionless, in the frame of the file.

    Raises
    ------
    DataError
        If the file is unusable, a value is outside [0, 1], nothing is left, or the mask is in
        another frame than the Galactic one and ``coordinates`` does not say that this is known.

    References
    ----------
    Gorski et al. 2005, astro-ph/0409513.
    """
    if str(path).endswith(".npy"):
        return _weights(_plain_mask(path, ordering, coordinates), path, "")
    column = read_healpix_column(path, field, ordering)
    frame = _frame(column, coordinates, path)
    if coordinates is None and frame != "galactic":
        raise DataError(
            f"{path}: the mask is in {frame} coordinates; expected galactic: read it with "
            f"coordinates={frame!r} and rotate it (rotate_mask)"
        )
    return _weights(column.values, path, f", column {column.facts['column']}")


def _plain_mask(path: str | Path, ordering: str | None, coordinates: str | None) -> np.ndarray:
    if ordering is None or coordinates is None:
        raise DataError(f"{path}: an array says nothing of itself; give ordering= and coordinates=")
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as an array ({error})") from None
    if values.dtype.kind not in "bfiu" or values.ndim != 1:
        raise DataError(f"{path}: {values.dtype} of shape {values.shape}; expected numbers (npix,)")
    checked_nside(values.size, path)
    values = values.astype(np.float64)
    if ordering.upper() in ("NEST", "NESTED"):
        import healpy

        return np.asarray(healpy.reorder(values, n2r=True))
    if ordering.upper() != "RING":
        raise DataError(f"{path}: ordering = {ordering!r}; expected RING or NESTED")
    return values


def without_rounding(weights: np.ndarray) -> np.ndarray:
    """Weights of a mask without what float32 adds beyond 0 and 1; the others as they are.

    Parameters
    ----------
    weights : array, shape (...)
        Weights.

    Returns
    -------
    array, shape (...)
        Weights; those within 1e-6 of [0, 1] are in it.

    References
    ----------
    None: rounding.
    """
    inside = np.clip(weights, 0.0, 1.0)
    return np.where(np.abs(weights - inside) <= _ROUNDING, inside, weights)


def _weights(values: np.ndarray, path: str | Path, what: str) -> np.ndarray:
    values = without_rounding(np.where(invalid_pixels(values), 0.0, values))
    bad = (values < 0.0) | (values > 1.0)
    if bad.any():
        raise DataError(
            f"mask {path}{what}: {np.count_nonzero(bad)} values outside [0, 1], from "
            f"{values.min():g} to {values.max():g}; expected weights (a map of counts or another "
            "column?)"
        )
    if not values.any():
        raise DataError(f"mask {path}{what}: f_sky = 0, no pixel is left")
    return values
