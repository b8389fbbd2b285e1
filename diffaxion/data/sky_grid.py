"""Pixel grids on the sky: the tangent-plane (TAN) world coordinates of X-ray images.

Pixels are counted from zero and their centres are whole numbers: FITS pixel p is x = p - 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError
from .fits_checks import number_in, text_in

ARCSEC = 3600.0
FRAMES = ("FK5", "ICRS")


def tangent_offsets_arcsec(
    ra_deg: ArrayLike, dec_deg: ArrayLike, ra0_deg: float, dec0_deg: float
) -> np.ndarray:
    """Offsets of positions from a tangent point, on its tangent plane.

    east = cos(dec) sin(ra - ra0)/c, north = [cos(dec0) sin(dec) - sin(dec0) cos(dec)
    cos(ra - ra0)]/c, with c the cosine of the distance from the tangent point.

    Parameters
    ----------
    ra_deg, dec_deg : array, any common shape
        Positions [deg].
    ra0_deg, dec0_deg : float
        Tangent point [deg].

    Returns
    -------
    array, shape (2, ...)
        East and north [arcsec]; NaN for positions 90 degrees away and more.

    References
    ----------
    Calabretta & Greisen 2002, A&A 395, 1077, section 5.1.3.
    """
    ra, dec = np.radians(np.asarray(ra_deg, float)), np.radians(np.asarray(dec_deg, float))
    step = ra - np.radians(ra0_deg)
    s0, c0 = np.sin(np.radians(dec0_deg)), np.cos(np.radians(dec0_deg))
    cosine = s0 * np.sin(dec) + c0 * np.cos(dec) * np.cos(step)
    cosine = np.where(cosine > 0.0, cosine, np.nan)
    east = np.cos(dec) * np.sin(step) / cosine
    north = (c0 * np.sin(dec) - s0 * np.cos(dec) * np.cos(step)) / cosine
    return np.degrees(np.stack([east, north])) * ARCSEC


def _positions_deg(offsets_arcsec: np.ndarray, ra0_deg: float, dec0_deg: float) -> np.ndarray:
    """Inverse of :func:`tangent_offsets_arcsec`: right ascension and declination [deg]."""
    east, north = np.radians(np.asarray(offsets_arcsec, float) / ARCSEC)
    s0, c0 = np.sin(np.radians(dec0_deg)), np.cos(np.radians(dec0_deg))
    across = c0 - north * s0
    ra = ra0_deg + np.degrees(np.arctan2(east, across))
    dec = np.degrees(np.arctan2(s0 + north * c0, np.hypot(east, across)))
    return np.stack([np.mod(ra, 360.0), dec])


@dataclass(frozen=True)
class SkyGrid:
    """Grid of square pixels on the tangent plane of a point of the sky.

    Attributes
    ----------
    ra_deg, dec_deg : float
        Tangent point (CRVAL) [deg].
    x0, y0 : float
        Zero-based pixel coordinates of the tangent point (CRPIX - 1).
    cd_deg : array, shape (2, 2)
        East and north per pixel in x and y (the CD matrix) [deg].
    shape : tuple of two int
        Rows and columns (ny, nx).
    frame : str
        ``FK5`` (J2000) or ``ICRS``.
    """

    ra_deg: float
    dec_deg: float
    x0: float
    y0: float
    cd_deg: np.ndarray
    shape: tuple[int, int]
    frame: str = "FK5"

    @property
    def pixel_arcsec(self) -> float:
        """Side of a pixel [arcsec]: root of its area."""
        return float(np.sqrt(self.pixel_area_arcsec2))

    @property
    def pixel_area_arcsec2(self) -> float:
        """Area of a pixel at the tangent point [arcsec^2]."""
        return float(abs(np.linalg.det(self.cd_deg)) * ARCSEC**2)

    def pixel(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> np.ndarray:
        """Zero-based pixel coordinates of positions.

        Parameters
        ----------
        ra_deg, dec_deg : array, any common shape
            Positions [deg].

        Returns
        -------
        array, shape (2, ...)
            x and y [pixel]; NaN for positions 90 degrees away and more.
        """
        offsets = tangent_offsets_arcsec(ra_deg, dec_deg, self.ra_deg, self.dec_deg) / ARCSEC
        x, y = np.einsum("ij,j...->i...", np.linalg.inv(self.cd_deg), offsets)
        return np.stack([x + self.x0, y + self.y0])

    def world(self, x: ArrayLike, y: ArrayLike) -> np.ndarray:
        """Positions of zero-based pixel coordinates.

        Parameters
        ----------
        x, y : array, any common shape
            Pixel coordinates [pixel].

        Returns
        -------
        array, shape (2, ...)
            Right ascension and declination [deg].
        """
        steps = np.stack([np.asarray(x, float) - self.x0, np.asarray(y, float) - self.y0])
        offsets = np.einsum("ij,j...->i...", self.cd_deg, steps)
        return _positions_deg(offsets * ARCSEC, self.ra_deg, self.dec_deg)

    def centres_arcsec(self, ra_deg: float, dec_deg: float) -> np.ndarray:
        """Where pixel centres are, seen from a position.

        Parameters
        ----------
        ra_deg, dec_deg : float
            The position [deg].

        Returns
        -------
        array, shape (2, ny, nx)
            East and north on the tangent plane of the position [arcsec].
        """
        y, x = np.indices(self.shape)
        ra, dec = self.world(x, y)
        return tangent_offsets_arcsec(ra, dec, ra_deg, dec_deg)

    def cut(self, y: int, x: int, shape: tuple[int, int]) -> SkyGrid:
        """The grid of a box of pixels.

        Parameters
        ----------
        y, x : int
            First row and column of the box.
        shape : tuple of two int
            Rows and columns of the box.

        Returns
        -------
        SkyGrid
            Grid of the box.
        """
        return replace(self, x0=self.x0 - x, y0=self.y0 - y, shape=shape)

    def rebin(self, factor: int) -> SkyGrid:
        """The grid of blocks of pixels; incomplete blocks at the far edges are dropped.

        Parameters
        ----------
        factor : int
            Pixels per side of a block.

        Returns
        -------
        SkyGrid
            Coarser grid.
        """
        return replace(
            self,
            x0=(self.x0 + 0.5) / factor - 0.5,
            y0=(self.y0 + 0.5) / factor - 0.5,
            cd_deg=self.cd_deg * factor,
            shape=(self.shape[0] // factor, self.shape[1] // factor),
        )

    def shifted(self, east_arcsec: float, north_arcsec: float) -> SkyGrid:
        """The grid moved on the sky: an astrometric correction.

        Parameters
        ----------
        east_arcsec, north_arcsec : float
            Shift of every position [arcsec].

        Returns
        -------
        SkyGrid
            Grid with another tangent point and the same pixels.
        """
        offset = np.array([east_arcsec, north_arcsec], float)
        ra, dec = _positions_deg(offset, self.ra_deg, self.dec_deg)
        return replace(self, ra_deg=float(ra), dec_deg=float(dec))

    def distance_pixels(self, other: SkyGrid) -> float:
        """How far the same pixels of two grids are apart, at most.

        Parameters
        ----------
        other : SkyGrid
            Grid to compare with.

        Returns
        -------
        float
            Largest distance over the corners and the centre [pixel]; infinite for other shapes.
        """
        if self.shape != other.shape:
            return float("inf")
        ny, nx = self.shape
        x = np.array([0.0, nx - 1.0, 0.0, nx - 1.0, 0.5 * nx])
        y = np.array([0.0, 0.0, ny - 1.0, ny - 1.0, 0.5 * ny])
        moved = other.pixel(*self.world(x, y)) - np.stack([x, y])
        distance = float(np.max(np.hypot(*moved)))
        return distance if np.isfinite(distance) else float("inf")

    def header(self) -> dict[str, Any]:
        """The FITS keywords of this grid.

        Returns
        -------
        dict
            CTYPE, CUNIT, CRVAL, CRPIX, CD or CDELT, and RADESYS (RADECSYS in older files).
        """
        cards: dict[str, Any] = {
            "CTYPE1": "RA---TAN",
            "CTYPE2": "DEC--TAN",
            "CUNIT1": "deg",
            "CUNIT2": "deg",
            "CRVAL1": self.ra_deg,
            "CRVAL2": self.dec_deg,
            "CRPIX1": self.x0 + 1.0,
            "CRPIX2": self.y0 + 1.0,
        }
        (a, b), (c, d) = np.asarray(self.cd_deg, float).tolist()
        if b == 0.0 and c == 0.0:
            cards |= {"CDELT1": a, "CDELT2": d}
        else:
            cards |= {"CD1_1": a, "CD1_2": b, "CD2_1": c, "CD2_2": d}
        return cards | {"RADESYS": self.frame, "EQUINOX": 2000.0}


def grid_from_header(header: Mapping[str, Any], shape: tuple[int, int], where: str) -> SkyGrid:
    """Read the world coordinates of an image.

    Parameters
    ----------
    header : mapping
        FITS keywords.
    shape : tuple of two int
        Rows and columns of the image.
    where : str
        File and HDU, for messages.

    Returns
    -------
    SkyGrid
        The grid [deg, pixel].

    Raises
    ------
    DataError
        If a keyword is missing or not a number, the projection is not RA---TAN/DEC--TAN without
        distortion, the frame is neither FK5 nor ICRS, or a pixel has no area.

    References
    ----------
    Calabretta & Greisen 2002, A&A 395, 1077; Greisen & Calabretta 2002, A&A 395, 1061.
    """
    for axis, wanted in ((1, "RA---TAN"), (2, "DEC--TAN")):
        found = text_in(header, f"CTYPE{axis}")
        if found != wanted:
            raise DataError(
                f"{where}: CTYPE{axis} = {found!r}, expected {wanted!r}: an image on the sky in "
                "tangential projection, with right ascension along x"
            )
        unit = text_in(header, f"CUNIT{axis}") or "deg"
        if unit.lower() not in ("deg", "degree", "degrees"):
            raise DataError(f"{where}: CUNIT{axis} = {unit!r}, expected 'deg'")
    frame = (text_in(header, "RADESYS") or text_in(header, "RADECSYS") or "FK5").upper()
    if frame not in FRAMES or number_in(where, header, "EQUINOX", 2000.0) != 2000.0:
        raise DataError(
            f"{where}: RADESYS = {frame!r}, EQUINOX = {header.get('EQUINOX')!r}; expected FK5 "
            "(J2000) or ICRS"
        )
    if number_in(where, header, "LONPOLE", 180.0) != 180.0 or "A_ORDER" in header:
        raise DataError(f"{where}: LONPOLE other than 180 or a distortion (SIP) is not supported")
    cd = _matrix(header, where)
    if not abs(np.linalg.det(cd)) > 1e-16:  # a pixel of 0.04 arcsec
        raise DataError(
            f"{where}: CDELT/CD give pixels without area ({cd.tolist()} deg), expected "
            "pixels of some arcsec"
        )
    ra, dec, x, y = (number_in(where, header, k) for k in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2"))
    if not -90.0 <= dec <= 90.0 or not -360.0 <= ra <= 360.0 or max(abs(x), abs(y)) > 1e7:
        raise DataError(
            f"{where}: CRVAL = ({ra:g}, {dec:g}) deg, CRPIX = ({x:g}, {y:g}); expected a position "
            "on the sky near the image"
        )
    return SkyGrid(ra % 360.0, dec, x - 1.0, y - 1.0, cd, shape, frame)


def _matrix(header: Mapping[str, Any], where: str) -> np.ndarray:
    """CD matrix [deg per pixel] from CD, or CDELT with PC or CROTA2."""
    pairs = [(i, j) for i in (1, 2) for j in (1, 2)]
    if any(f"CD{i}_{j}" in header for i, j in pairs):
        cd = np.array([number_in(where, header, f"CD{i}_{j}", 0.0) for i, j in pairs])
        cd = cd.reshape(2, 2)
    else:
        step = np.array([number_in(where, header, f"CDELT{i}") for i in (1, 2)])
        if any(f"PC{i}_{j}" in header for i, j in pairs):
            turn = np.array(
                [number_in(where, header, f"PC{i}_{j}", float(i == j)) for i, j in pairs]
            )
            turn = turn.reshape(2, 2)
            cd = step[:, None] * turn
        else:
            angle = np.radians(number_in(where, header, "CROTA2", 0.0))
            c, s = np.cos(angle), np.sin(angle)
            cd = np.array([[step[0] * c, -step[1] * s], [step[0] * s, step[1] * c]])
    if not np.all(np.abs(cd) < 1.0):
        raise DataError(
            f"{where}: pixels of {np.max(np.abs(cd)):g} deg, expected some arcsec; is the unit deg?"
        )
    return cd
