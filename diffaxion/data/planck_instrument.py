"""Passbands and beams from FITS files of the Planck releases: instrument models and B_l files.

Names of HDUs and columns are those that users of the releases report; they are not verified here
against the files themselves, so every one of them can be given.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from ..constants import C_CM_S
from ..errors import DataError, nearest_names
from .beam_table import checked_beam
from .healpix_fits import opened_fits

BEAM_COLUMNS = ("TEMPERATURE", "T", "BL", "B_L", "BEAM", "INT_BEAM", "NOMINAL")
"""Columns that hold B_l, in order of preference."""

_PLAIN = str.maketrans("", "", " []{}()")
_GHZ = {
    "ghz": 1.0,
    "hz": 1e-9,
    "cm-1": C_CM_S * 1e-9,
    "cm^-1": C_CM_S * 1e-9,
    "1/cm": C_CM_S * 1e-9,
}


def _tables(hdus: Any) -> list[Any]:
    return [h for h in hdus if getattr(h, "columns", None) is not None]


def _named(tables: list[Any], names: tuple[str, ...], path: str | Path, what: str) -> Any:
    """The table whose EXTNAME is one of the names."""
    upper = {str(h.name).upper(): h for h in tables}
    for name in names:
        if name.upper() in upper:
            return upper[name.upper()]
    raise DataError(
        f"{path}: no HDU {' or '.join(names)} for {what}; {nearest_names(names[0], upper)}: give "
        "hdu="
    )


def read_rimo_passband(
    path: str | Path, channel: str, *, hdu: str | None = None, unit: str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Read the band-averaged transmission of a channel from a Planck instrument model.

    Parameters
    ----------
    path : str or Path
        ``HFI_RIMO_R3.00.fits`` or ``LFI_RIMO_R3.31.fits``, say.
    channel : str
        Such as ``143`` or ``030``.
    hdu : str, optional
        Name of the HDU; by default ``BANDPASS_F143`` or ``BANDPASS_143``.
    unit : str, optional
        Unit of the column WAVENUMBER, ``GHz`` (LFI) or ``cm-1`` (HFI); by default its TUNIT.

    Returns
    -------
    nu_GHz, transmission : array, shape (n,)
        Increasing frequencies > 0 [GHz] and transmission, any normalisation. The tables reach far
        below the band: give ``passbands_from_tables`` an explicit ``lowest_GHz`` with any exponent.

    Raises
    ------
    DataError
        If the file, the HDU or a column is missing, or the unit is not known.

    References
    ----------
    Planck Legacy Archive, Explanatory Supplement, The RIMO; Planck 2013 results IX,
    arXiv:1303.5070.
    """
    names = (hdu,) if hdu else (f"BANDPASS_F{channel}", f"BANDPASS_{channel}")
    with opened_fits(path) as hdus:
        table = _named(_tables(hdus), names, path, f"channel {channel}")
        columns = {n.upper(): n for n in table.columns.names}
        for need in ("WAVENUMBER", "TRANSMISSION"):
            if need not in columns:
                raise DataError(
                    f"{path}, HDU {table.name}: no column {need}; found {', '.join(columns)}"
                )
        x = np.asarray(table.data[columns["WAVENUMBER"]], dtype=np.float64).ravel()
        t = np.asarray(table.data[columns["TRANSMISSION"]], dtype=np.float64).ravel()
        stated = unit or table.columns[columns["WAVENUMBER"]].unit or ""
        where = f"{path}, HDU {table.name}"
    nu = x * _per_unit(str(stated), where)
    keep = np.isfinite(nu) & np.isfinite(t) & (nu > 0.0)
    nu, t = nu[keep], t[keep]
    order = np.argsort(nu, kind="stable")
    nu, t = nu[order], t[order]
    first = np.concatenate([[True], np.diff(nu) > 0.0]) if nu.size else np.zeros(0, bool)
    nu, t = nu[first], t[first]
    if nu.size < 2 or not np.any(t > 0.0):
        raise DataError(f"{where}: {nu.size} usable rows; expected a transmission")
    mean = float(np.trapezoid(nu * t, nu) / np.trapezoid(t, nu))
    with contextlib.suppress(ValueError):
        nominal = float(channel)
        if not 0.7 * nominal < mean < 1.4 * nominal:
            raise DataError(
                f"{where}: the band has its mean at {mean:.4g} GHz; expected about {nominal:g}: is "
                f"WAVENUMBER in {stated}? Give unit="
            )
    return nu, t


def _per_unit(text: str, where: str) -> float:
    key = text.replace("**", "^").translate(_PLAIN).lower()
    if key not in _GHZ:
        found = f"unit {text!r}" if text else "no unit"
        raise DataError(f"{where}: WAVENUMBER has {found}; expected GHz or cm-1: give unit=")
    return _GHZ[key]


def read_beam_fits(
    path: str | Path, lmax: int, *, hdu: str | None = None, column: str | None = None
) -> np.ndarray:
    """Read B_l from a FITS table: files of the HFI beams, or an HDU of the LFI instrument model.

    Parameters
    ----------
    path : str or Path
        ``Bl_T_R3.01_fullsky_143x143.fits`` or ``LFI_RIMO_R3.31.fits``, say.
    lmax : int
        Largest multipole.
    hdu : str, optional
        Name of the HDU, such as ``BEAMWF_030X030``; by default the only table of the file.
    column : str, optional
        Name of the column of B_l for temperature; by default one of ``BEAM_COLUMNS``.

    Returns
    -------
    array, shape (lmax + 1,)
        B_l over B_0; 0 beyond the end of the table, where a map cannot be used.

    Raises
    ------
    DataError
        If the file is unusable, it is not clear which table or column is meant, or the values are
        not those of a beam.

    References
    ----------
    Planck Legacy Archive, Explanatory Supplement, beam window functions; Planck 2015 results VII,
    arXiv:1502.01586.
    """
    with opened_fits(path) as hdus:
        tables = _tables(hdus)
        if hdu is not None:
            table = _named(tables, (hdu,), path, "the beam")
        elif len(tables) == 1:
            table = tables[0]
        else:
            found = ", ".join(str(h.name) for h in tables) or "none"
            raise DataError(f"{path}: {len(tables)} tables ({found}); expected one: give hdu=")
        columns = {n.upper(): n for n in table.columns.names}
        wanted = BEAM_COLUMNS if column is None else (column.upper(),)
        chosen = [columns[n] for n in wanted if n in columns]
        if not chosen:
            raise DataError(
                f"{path}, HDU {table.name}: columns {', '.join(columns)}; expected "
                f"{' or '.join(wanted)}: give column="
            )
        values = np.asarray(table.data[chosen[0]], dtype=np.float64).ravel()
    return checked_beam(values, lmax, path)
