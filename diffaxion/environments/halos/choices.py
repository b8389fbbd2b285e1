"""Gas profiles and magnetic fields by name, as configurations and commands give them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp

from ...data.halo_profiles import read_halo_profiles
from ...errors import ConfigurationError, unknown_name
from .constant_fields import ConstantBetaField, ConstantField, tabulated_field
from .gas import GasProfile, NFWGas, agn_gas, shock_heated_gas
from .magnetic import HaloField, tng_field
from .tabulated_gas import tabulated_gas

GAS_NAMES = ("agn", "sh", "nfw")
FIELD_NAMES = ("tng", "tng-smooth", "beta:100", "constant:1")


def gas_profile(name: str | Path) -> GasProfile:
    """Gas profile by name or from a file.

    Parameters
    ----------
    name : str or Path
        "agn" (feedback, the fiducial one), "sh" (shock heating), "nfw" (follows dark matter), or
        the path of a CSV with columns x, n_e_cm3 (or its ln_ or log10_) [cm^-3] and optionally z
        and log10_M200c [Msun].

    Returns
    -------
    GasProfile
        Scalar leaves of shape (), or a table of shape (a, b, k).

    Raises
    ------
    ConfigurationError
        If the name is neither known nor a file.
    DataError
        If the file is unusable.

    References
    ----------
    Battaglia 2016, arXiv:1607.02442; Navarro, Frenk & White 1997, arXiv:astro-ph/9611107.
    """
    known: dict[str, Callable[[], GasProfile]] = {
        "agn": agn_gas,
        "sh": shock_heated_gas,
        "nfw": NFWGas,
    }
    if str(name) in known:
        return known[str(name)]()
    if _is_path(name):
        return tabulated_gas(read_halo_profiles(name, "electron density"))
    raise unknown_name("gas profile (or file)", str(name), GAS_NAMES)


def halo_field(spec: str | Path) -> HaloField:
    """Magnetic field of halos by name or from a file.

    Parameters
    ----------
    spec : str or Path
        "tng" (the paper's, piecewise), "tng-smooth" (bilinear), "beta:VALUE" (constant plasma
        beta), "constant:VALUE" (the same field everywhere [muG]), or the path of a CSV with
        columns x, B_muG (or log10_B_muG) [muG] and optionally z and log10_M200c [Msun].

    Returns
    -------
    HaloField
        Leaves of shapes (4, 8, 6) and so on for "tng", () for the others, (a, b, k) for a file.

    Raises
    ------
    ConfigurationError
        If the name is neither known nor a file, or its value is not a number in range.
    DataError
        If the file is unusable.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    name, colon, value = str(spec).partition(":")
    if str(spec) in ("tng", "tng-smooth"):
        return tng_field("piecewise" if spec == "tng" else "smooth")
    if name == "beta":
        beta = _number(str(spec), value, colon, "a plasma beta > 0, such as beta:100")
        if not beta > 0.0:
            raise ConfigurationError(f"field {spec!r}: beta = {beta:g}, expected beta > 0")
        return ConstantBetaField(jnp.asarray(beta))
    if name == "constant":
        b_muG = _number(str(spec), value, colon, "a field >= 0 [muG], such as constant:1")
        if b_muG < 0.0:
            raise ConfigurationError(f"field {spec!r}: B = {b_muG:g} muG, expected B >= 0")
        return ConstantField(jnp.asarray(b_muG))
    if _is_path(spec):
        return tabulated_field(read_halo_profiles(spec, "magnetic field"))
    raise unknown_name("halo field (or file)", str(spec), FIELD_NAMES)


def _is_path(name: str | Path) -> bool:
    """Whether a string looks like a path: it exists, or has a folder or a suffix."""
    path = Path(name)
    return path.is_file() or len(path.parts) > 1 or len(path.suffix) > 1


def _number(spec: str, text: str, colon: str, expected: str) -> float:
    """The finite number behind the colon."""
    try:
        value = float(text)
    except ValueError:
        given = f"{text!r} is not a number" if colon else "the value is missing"
        raise ConfigurationError(f"field {spec!r}: {given}, expected {expected}") from None
    if not math.isfinite(value):
        raise ConfigurationError(f"field {spec!r}: {value} is not finite, expected {expected}")
    return value
