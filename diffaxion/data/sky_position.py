"""Positions on the sky as people write them, and the rotation to Galactic coordinates."""

from __future__ import annotations

import math
import re

from ..errors import DataError

# North Galactic pole and the longitude of the celestial pole, J2000 [deg]: ESA 1997, ESA
# SP-1200, volume 1, section 1.5.3.
POLE_RA_DEG, POLE_DEC_DEG, NODE_DEG = 192.85948, 27.12825, 122.93192

_SEXAGESIMAL = re.compile(
    r"^\s*(?P<sign>[+-]?)(?P<a>\d{1,3})\s*(?P<unit>[hd:°])\s*(?P<b>\d{1,2})\s*[m:'′]\s*"
    r"(?P<c>\d{1,2}(?:\.\d*)?)\s*(?:s|\"|″)?\s*$"
)


def parse_angle(value: float | str, what: str, hours: bool = False) -> float:
    """An angle in degrees, from a number or from text such as ``17h46m13.9s`` or ``-28d49m48s``.

    Parameters
    ----------
    value : float or str
        Degrees, or sexagesimal text with the separators h or d, m, s or colons.
    what : str
        Name of the quantity, for messages.
    hours : bool, optional
        Whether text with colons counts hours (right ascensions) instead of degrees.

    Returns
    -------
    float
        Angle [deg].

    Raises
    ------
    DataError
        If the text is no angle, or minutes or seconds reach 60.

    References
    ----------
    None: a notation.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise DataError(f"{what} = {value!r}: expected a finite number of degrees")
        return float(value)
    found = _SEXAGESIMAL.match(str(value))
    example = "17h46m13.9s" if hours else "-28d49m48s"
    if not found or float(found["b"]) >= 60.0 or float(found["c"]) >= 60.0:
        raise DataError(f"{what} = {value!r}: expected degrees or text such as {example!r}")
    if found["unit"] == "h" and not hours:
        raise DataError(f"{what} = {value!r}: is in hours; expected degrees, such as {example!r}")
    size = float(found["a"]) + float(found["b"]) / 60.0 + float(found["c"]) / 3600.0
    scale = 15.0 if hours and found["unit"] in "h:" else 1.0
    return (-1.0 if found["sign"] == "-" else 1.0) * scale * size


def galactic_coordinates(ra_deg: float, dec_deg: float) -> tuple[float, float]:
    """Galactic longitude and latitude of a J2000 position.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Right ascension and declination [deg].

    Returns
    -------
    tuple of float
        Longitude in [0, 360) and latitude [deg].

    References
    ----------
    ESA 1997, The Hipparcos and Tycho Catalogues, ESA SP-1200, volume 1, section 1.5.3.
    """
    dec, pole = math.radians(dec_deg), math.radians(POLE_DEC_DEG)
    hour = math.radians(ra_deg - POLE_RA_DEG)
    sine = math.sin(dec) * math.sin(pole) + math.cos(dec) * math.cos(pole) * math.cos(hour)
    east = math.cos(dec) * math.sin(hour)
    north = math.sin(dec) * math.cos(pole) - math.cos(dec) * math.sin(pole) * math.cos(hour)
    longitude = NODE_DEG - math.degrees(math.atan2(east, north))
    return longitude % 360.0, math.degrees(math.asin(max(-1.0, min(1.0, sine))))


def separation_arcmin(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Angle between two positions.

    Parameters
    ----------
    a, b : tuple of float
        (longitude or right ascension, latitude or declination) [deg].

    Returns
    -------
    float
        Separation [arcmin].

    References
    ----------
    Sinnott 1984, Sky & Telescope 68, 158 (haversine).
    """
    (la, ba), (lb, bb) = ([math.radians(x) for x in p] for p in (a, b))
    h = math.sin((bb - ba) / 2) ** 2 + math.cos(ba) * math.cos(bb) * math.sin((lb - la) / 2) ** 2
    return math.degrees(2.0 * math.asin(min(1.0, math.sqrt(h)))) * 60.0
