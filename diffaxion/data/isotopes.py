"""Names of isotopes as nuclear networks write them."""

from __future__ import annotations

import re

from ..errors import ConfigurationError

_PERIODIC = (
    "h he "
    "li be b c n o f ne "
    "na mg al si p s cl ar "
    "k ca sc ti v cr mn fe co ni cu zn ga ge as se br kr"
)
ATOMIC_NUMBER = {symbol: z for z, symbol in enumerate(_PERIODIC.split(), start=1)}
# Isotope meant by a bare element symbol: the one that stars are made of.
COMMON_ISOTOPE = {
    "h": 1,
    "he": 4,
    "c": 12,
    "n": 14,
    "o": 16,
    "ne": 20,
    "mg": 24,
    "si": 28,
    "s": 32,
    "fe": 56,
}
_ALIASES = {"prot": (1, 1), "neut": (0, 1)}


def parse_isotope(name: str) -> tuple[int, int]:
    """Atomic number and mass number of an isotope named as in a nuclear network.

    Parameters
    ----------
    name : str
        ``h1``, ``He4``, ``c12``, ``prot``, ``neut``, or a bare symbol (``C`` means C12).

    Returns
    -------
    tuple of int
        (Z, A).

    Raises
    ------
    ConfigurationError
        If the name is not an isotope.
    """
    key = name.strip().lower()
    if key in _ALIASES:
        return _ALIASES[key]
    match = re.fullmatch(r"([a-z]{1,2})(\d{0,3})", key)
    if match and match[1] in ATOMIC_NUMBER:
        z = ATOMIC_NUMBER[match[1]]
        a = int(match[2]) if match[2] else COMMON_ISOTOPE.get(match[1], 0)
        if max(z, 1) <= a <= 4 * z + 4:
            return z, a
    raise ConfigurationError(
        f"isotope {name!r}: expected <symbol><mass number> such as H1, He4, C12 or Fe56, "
        "or 'prot' or 'neut'"
    )


def is_isotope(name: str) -> bool:
    """Whether a column name is an isotope with an explicit mass number (or prot, neut)."""
    key = name.strip().lower()
    if key in _ALIASES:
        return True
    if not re.fullmatch(r"[a-z]{1,2}\d{1,3}", key):
        return False
    try:
        parse_isotope(key)
    except ConfigurationError:
        return False
    return True
