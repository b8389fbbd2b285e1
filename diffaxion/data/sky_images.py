"""Images on the sky: counts, exposure and expected background of one energy bin.

A full image has a million pixels and a region of interest some thousands: only the rows of the
box that is asked for are read.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, DiffaxionWarning, unknown_name
from .energy_bins import PI_CHANNELS, PI_STEP_KEV, PI_ZERO_KEV
from .fits_checks import check_counts, check_finite, exposure_in, identity, open_fits, text_in
from .sky_grid import SkyGrid, grid_from_header

KINDS = ("counts", "exposure", "background")
UNITS = {"s": ("s", "sec", "second", "seconds"), "cm2 s": ("cm2s", "scm2", "cm2sec")}
"""Units of exposures, without blanks and signs of powers and products."""

PIXEL_ARCSEC_MAX = 15.0
BAND_TOLERANCE_KEV = 0.2

Box = tuple[int, int, int, int]
"""First row, first column, rows, columns."""


@dataclass(frozen=True)
class SkyImage:
    """One image, or a box of it.

    Attributes
    ----------
    values : array, shape (ny, nx)
        Counts, expected counts, or exposure [s or cm^2 s].
    grid : SkyGrid
        Where its pixels are.
    full_grid : SkyGrid
        Grid of the whole image.
    kind : str
        ``counts``, ``exposure`` or ``background``.
    unit : str
        ``s`` or ``cm2 s`` of an exposure, ``""`` where its file does not say, ``count`` otherwise.
    exposure_s : float or None
        EXPOSURE of the header [s].
    band_keV : tuple of two floats or None
        Energies that the header names [keV].
    module, obs_id : str
        INSTRUME and OBS_ID, or empty.
    nature : str
        What the image is if it was not measured.
    source : str
        File, for messages.
    """

    values: np.ndarray
    grid: SkyGrid
    full_grid: SkyGrid
    kind: str
    unit: str
    exposure_s: float | None
    band_keV: tuple[float, float] | None = None
    module: str = ""
    obs_id: str = ""
    nature: str = ""
    source: str = "image"


def box_around(
    grid: SkyGrid, ra_deg: float, dec_deg: float, radius_arcmin: float, where: str
) -> Box:
    """Square box of pixels around a disc on the sky.

    Parameters
    ----------
    grid : SkyGrid
        Grid of the whole image.
    ra_deg, dec_deg : float
        Centre [deg].
    radius_arcmin : float
        Radius [arcmin].
    where : str
        File, for messages.

    Returns
    -------
    tuple of four int
        First row, first column, rows and columns; the middle pixel is the one nearest to the
        centre, and the size depends on the pixel and the radius alone.

    Raises
    ------
    DataError
        If the radius is not positive or the box leaves the image.

    References
    ----------
    None: bookkeeping.
    """
    if not (np.isfinite(radius_arcmin) and radius_arcmin > 0.0):
        raise DataError(f"{where}: radius = {radius_arcmin!r} arcmin, expected a number > 0")
    x, y = grid.pixel(ra_deg, dec_deg)
    half = int(np.ceil(radius_arcmin * 60.0 / grid.pixel_arcsec))
    ny, nx = grid.shape
    side = 2 * half + 1
    inside = np.isfinite(x) and np.isfinite(y)
    if inside:
        row, column = int(np.floor(y + 0.5)) - half, int(np.floor(x + 0.5)) - half
        inside = row >= 0 and column >= 0 and row + side <= ny and column + side <= nx
    if not inside:
        raise DataError(
            f"{where}: the disc of radius {radius_arcmin:g} arcmin around RA {ra_deg:.5f}, Dec "
            f"{dec_deg:.5f} deg lies outside of the image ({ny} x {nx} pixels of "
            f"{grid.pixel_arcsec:.3g} arcsec around RA {grid.ra_deg:.5f}, Dec {grid.dec_deg:.5f}; "
            f"its centre would be pixel x = {x:.0f}, y = {y:.0f}); check centre and radius"
        )
    return row, column, side, side


def read_sky_image(
    path: str | Path,
    kind: str = "counts",
    *,
    box: Box | Callable[[SkyGrid], Box] | None = None,
    rebin: int = 1,
    asimov: bool = False,
) -> SkyImage:
    """Read an image of counts, exposure or background (``_sk.img``, ``_ex.img``, also ``.gz``).

    Parameters
    ----------
    path : str or Path
        FITS file whose first two-dimensional HDU is the image.
    kind : str
        ``counts``, ``exposure`` or ``background``.
    box : tuple of four int, or callable, optional
        First row, first column, rows and columns to read, after rebinning; or a function that
        returns them for the grid of the (rebinned) image. All by default.
    rebin : int
        Side of the blocks of pixels to join: counts and background are summed, exposures averaged.
    asimov : bool
        Allow counts that are not whole numbers.

    Returns
    -------
    SkyImage
        Values of shape (ny, nx) in the box.

    Raises
    ------
    ConfigurationError
        If the kind is unknown.
    DataError
        If the file is missing or damaged, has no image or no RA---TAN/DEC--TAN coordinates; if in
        the box a value is not finite or negative, counts are not whole numbers, or an exposure or
        background is zero everywhere; if EXPOSURE of a counts image is missing or not positive;
        if the unit of an exposure is neither s nor cm^2 s.

    References
    ----------
    Calabretta & Greisen 2002, A&A 395, 1077.
    """
    if kind not in KINDS:
        raise unknown_name("kind of image", kind, KINDS)
    if not isinstance(rebin, int) or isinstance(rebin, bool) or rebin < 1:
        raise DataError(f"{path}: rebin = {rebin!r}, expected a whole number >= 1")
    with open_fits(path, f"{kind} image") as file:
        header, hdu = file.image()
        where = f"{path}, HDU {hdu.name or 'primary'}"
        shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))
        full = grid_from_header(header, shape, where).rebin(rebin)
        if min(full.shape) < 1:
            raise DataError(f"{where}: {shape} pixels cannot be joined {rebin} by {rebin}")
        if box is None:
            box = (0, 0, *full.shape)
        row, column, rows, columns = box(full) if callable(box) else box
        fine = tuple(slice(a * rebin, (a + n) * rebin) for a, n in ((row, rows), (column, columns)))
        if (
            min(row, column) < 0
            or min(rows, columns) < 1
            or (row + rows > full.shape[0] or column + columns > full.shape[1])
        ):
            raise DataError(
                f"{where}: rows {row} to {row + rows}, columns {column} to {column + columns} lie "
                f"outside of the image {full.shape}"
            )
        values, blank = file.pixels(hdu, fine)  # type: ignore[arg-type]
    if blank.any():
        raise DataError(f"{where}: {blank.sum()} pixels are undefined (BLANK) where data are used")
    _check_values(where, kind, values, asimov)
    values = values.reshape(rows, rebin, columns, rebin).sum(axis=(1, 3))
    unit = "count"
    if kind == "exposure":
        values = values / rebin**2
        unit = _unit(where, text_in(header, "BUNIT"))
    module, obs_id = identity(where, header, required=kind == "counts")
    has_exposure = kind == "counts" or "EXPOSURE" in header
    return SkyImage(
        values,
        full.cut(row, column, (rows, columns)),
        full,
        kind,
        unit,
        exposure_in(where, header) if has_exposure else None,
        _band(header),
        module,
        obs_id,
        text_in(header, "NATURE"),
        str(path),
    )


def _check_values(where: str, kind: str, values: np.ndarray, asimov: bool) -> None:
    if kind == "counts":
        check_counts(where, "the counts image", values, asimov)
        return
    check_finite(where, f"the {kind} image", values)
    if values.min() < 0.0:
        raise DataError(f"{where}: the {kind} image reaches {values.min():g}, expected values >= 0")
    if not values.max() > 0.0:
        raise DataError(f"{where}: the {kind} image is zero everywhere in the region")


def _unit(where: str, text: str) -> str:
    """Unit of an exposure, empty if the file does not say."""
    key = text.lower().translate(dict.fromkeys(map(ord, " *^.")))
    found = next((unit for unit, names in UNITS.items() if key in names), "")
    if key and not found:
        raise DataError(
            f"{where}: BUNIT = {text!r}; expected an exposure in 's' or 'cm2 s' (multiply by the "
            "mean effective area or by 1, and set BUNIT)"
        )
    return found


def _band(header: dict[str, Any]) -> tuple[float, float] | None:
    """Energies of an image: E_MIN and E_MAX, or the channels that xselect filtered on [keV]."""
    band = _pair(header, "E_MIN", "E_MAX")
    if band is None:
        cut = _pair(header, "PHALCUT", "PHAHCUT")
        # The whole range of channels means that no such filter was set.
        if cut is None or (cut[0] <= 0 and cut[1] >= PI_CHANNELS - 1):
            return None
        band = PI_ZERO_KEV + PI_STEP_KEV * cut[0], PI_ZERO_KEV + PI_STEP_KEV * (cut[1] + 1)
    return band


def _pair(header: dict[str, Any], first: str, second: str) -> tuple[float, float] | None:
    low, high = header.get(first), header.get(second)
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return None
    return (float(low), float(high)) if max(abs(low), abs(high)) < 1e6 else None


def check_band(image: SkyImage, low_keV: float, high_keV: float) -> None:
    """Refuse an image whose header names another energy band than the file list."""
    if image.band_keV is None:
        return
    low, high = image.band_keV
    if max(abs(low - low_keV), abs(high - high_keV)) > BAND_TOLERANCE_KEV:
        raise DataError(
            f"{image.source}: the header names {low:g}-{high:g} keV (E_MIN, E_MAX or PHALCUT, "
            f"PHAHCUT), but the file list has it in the bin {low_keV:g}-{high_keV:g} keV"
        )


def warn_coarse(grid: SkyGrid, where: str) -> None:
    """Warn of pixels in which the point-spread function is not resolved."""
    if grid.pixel_arcsec > PIXEL_ARCSEC_MAX:
        warnings.warn(
            f"{where}: pixels of {grid.pixel_arcsec:.3g} arcsec do not resolve NuSTAR's "
            f"point-spread function (18 arcsec FWHM); use {PIXEL_ARCSEC_MAX:g} arcsec or less",
            DiffaxionWarning,
            stacklevel=3,
        )
