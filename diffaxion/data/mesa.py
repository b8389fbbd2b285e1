"""Stellar-evolution output: radial profiles and histories, as validated plain arrays.

Readable are MESA's ``profileN.data`` and ``history.data`` (MESA documentation, "Output"), MIST
tracks ``.track.eep`` (as histories), and comma-separated tables with the columns
``radius_Rsun, dr_cm, density_g_cm3, temperature_K, X_H, ...`` or ``Age_yr, Mass_Solar, ...``.
Radii and masses are converted with the ``rsun`` and ``msun`` of the header; files without them
are taken to be in the older MESA units 1 Rsun = 6.9598e10 cm, 1 Msun = 1.9892e33 g.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..constants import M_SUN_MESA_G, R_SUN_MESA_CM
from ..errors import DataError
from .isotopes import COMMON_ISOTOPE, is_isotope
from .mesa_format import TextTable, read_table

MIN_ZONES = 20
# An innermost zone that holds more of the mass than this is the edge of a missing core.
_CORE_SHARE = 0.2
_SUM_MAX = 1.01
_NEGATIVE = -1e-8

_LUMPED = {
    "x_mass_fraction_H": "h1",
    "y_mass_fraction_He": "he4",
}
_LUMPED_METALS = "z_mass_fraction_metals"


@dataclass(frozen=True)
class MesaProfile:
    """Cells of one stellar model, from the surface to the centre.

    Attributes
    ----------
    source : str
        Path of the file.
    radius_cm : array, shape (n,)
        Outer faces of the cells, decreasing [cm].
    temperature_K, density_g_cm3 : array, shape (n,)
        Temperature [K] and density [g cm^-3] of the cells.
    mass_fractions : dict of str to array, shape (n,)
        Mass fractions by isotope name (lower case, ``he4``).
    dm_g, dr_cm : array, shape (n,), or None
        Masses [g] and thicknesses [cm] of the cells, where the file gives them.
    lumped_metals : bool
        Whether the file has hydrogen, helium and metals instead of isotopes.
    rsun_cm, msun_g : float
        Units in which the file was read [cm, g].
    """

    source: str
    radius_cm: np.ndarray
    temperature_K: np.ndarray
    density_g_cm3: np.ndarray
    mass_fractions: dict[str, np.ndarray]
    dm_g: np.ndarray | None = None
    dr_cm: np.ndarray | None = None
    lumped_metals: bool = False
    rsun_cm: float = R_SUN_MESA_CM
    msun_g: float = M_SUN_MESA_G


@dataclass(frozen=True)
class MesaHistory:
    """One star through time, one row per step.

    Attributes
    ----------
    source : str
        Path of the file.
    age_yr, mass_Msun : array, shape (n,)
        Age [yr] and mass [solar masses of the file, ``msun_g``].
    log_t_c, log_rho_c : array, shape (n,)
        log10 of central temperature [K] and density [g cm^-3].
    log_teff, log_l, log_r : array, shape (n,), or None
        log10 of effective temperature [K], luminosity and radius [solar].
    center, surface : dict of str to array, shape (n,)
        Central and surface mass fractions by isotope name.
    v_rot_km_s : array, shape (n,), or None
        Surface rotation [km s^-1].
    columns : dict of str to array, shape (n,)
        All columns under their names in the file.
    msun_g : float
        Unit of mass [g].
    header : dict of str to float
        Numbers of the header under their names in the file.
    """

    source: str
    age_yr: np.ndarray
    mass_Msun: np.ndarray
    log_t_c: np.ndarray
    log_rho_c: np.ndarray
    log_teff: np.ndarray | None
    log_l: np.ndarray | None
    log_r: np.ndarray | None
    center: dict[str, np.ndarray]
    surface: dict[str, np.ndarray]
    v_rot_km_s: np.ndarray | None
    columns: dict[str, np.ndarray] = field(repr=False, default_factory=dict)
    msun_g: float = M_SUN_MESA_G
    header: dict[str, float] = field(repr=False, default_factory=dict)


def _isotope_columns(table: TextTable, prefix: str = "", csv_prefix: str = "X_") -> dict[str, str]:
    """Column name by isotope name, for columns <prefix>he4 or <csv_prefix>He."""
    found: dict[str, str] = {}
    for name in table.names:
        rest = name[len(prefix) :]
        plain = name[len(csv_prefix) :]
        if name.startswith(prefix) and is_isotope(rest):
            found[rest.lower()] = name
        elif name.startswith(csv_prefix) and plain.lower() in COMMON_ISOTOPE:
            found[f"{plain.lower()}{COMMON_ISOTOPE[plain.lower()]}"] = name
        elif name.startswith(csv_prefix) and is_isotope(plain):
            found[plain.lower()] = name
    return found


def _checked_fractions(table: TextTable, columns: dict[str, str]) -> dict[str, np.ndarray]:
    total = np.zeros(len(table.lines))
    for name in columns.values():
        value = table.column(name)
        ok = np.isfinite(value) & (value >= _NEGATIVE)
        table.require(ok, name, "mass fraction {value}; expected a number in 0..1")
        total = total + value
    if columns:
        worst = int(np.argmax(total))
        if total[worst] > _SUM_MAX:
            raise table.error(
                worst,
                f"{next(iter(columns.values()))} + ...",
                f"mass fractions sum to {total[worst]:.4f}; expected at most {_SUM_MAX}",
            )
    return {iso: np.maximum(table.column(name), 0.0) for iso, name in columns.items()}


def _quantity(table: TextTable, what: str, options: tuple[tuple[str, float, bool], ...]) -> tuple:
    """(name, values in cgs) of the first option present; options are (name, unit, is log10)."""
    name = table.first_of(*(o[0] for o in options))
    if name is None:
        expected = ", ".join(o[0] for o in options)
        shown = ", ".join(table.names[:12])
        raise DataError(
            f"{table.source}: no {what} column; expected one of {expected}; found {shown} ..."
        )
    _, unit, is_log = next(o for o in options if o[0] == name)
    raw = table.column(name)
    value = unit * 10.0 ** np.clip(raw, -300, 300) if is_log else unit * raw
    table.require(
        np.isfinite(raw) & (value > 0.0), name, f"{what} {{value}}; expected a finite number > 0"
    )
    return name, value


def _cell_masses(table: TextTable, msun_g: float) -> np.ndarray | None:
    """Masses of the cells [g] from dm, dq, q or mass, or None."""
    name = table.first_of("dm", "dq", "q", "mass")
    star = table.header.get("star_mass")
    if name in ("dq", "q") and star is None:
        name = table.first_of("mass")
    if name is None:
        return None
    value = table.column(name)
    if name == "dm":
        dm = value
    elif name == "dq":
        dm = value * float(star or 0.0) * msun_g
    else:
        scale = msun_g if name == "mass" else float(star or 0.0) * msun_g
        dm = (value - np.append(value[1:], 0.0)) * scale
        if not np.all(dm > 0.0):
            return None  # thin surface cells are lost in the digits printed; use the radii
    table.require(
        np.isfinite(dm) & (dm > 0.0), str(name), "gives a cell mass that is not positive ({value})"
    )
    return dm


def _check_complete(
    table: TextTable, radius: np.ndarray, density: np.ndarray, dr: np.ndarray | None
) -> None:
    """Refuse a profile that stops before the centre: its core would count as one cold zone."""
    announced = table.header.get("num_zones")
    found = len(table.lines)
    volume = radius**3 - np.append(radius[1:], 0.0) ** 3
    share = float(density[-1] * volume[-1] / np.sum(density * volume))
    problem = ""
    if announced is not None and int(announced) != found:
        problem = f"the header announces {int(announced)} zones, {found} follow"
    elif dr is not None and radius[-1] - dr[-1] > 0.01 * radius[-1]:
        problem = f"the last zone ends {radius[-1] - dr[-1]:.3g} cm above the centre"
    elif share > _CORE_SHARE:
        problem = f"the last zone holds {share:.0%} of the mass"
    if problem:
        raise DataError(
            f"{table.source}: line {table.lines[-1]}: {problem}; expected zones down to the "
            "centre, the file may be truncated"
        )


def read_profile(path: str | Path, rsun_cm: float | None = None) -> MesaProfile:
    """Read a radial profile.

    Parameters
    ----------
    path : str or Path
        MESA ``profileN.data``, or a comma-separated table with ``radius_Rsun``,
        ``density_g_cm3``, ``temperature_K``, mass fractions ``X_H``, ``X_He``, ... and
        optionally ``dr_cm``.
    rsun_cm : float, optional
        Length of the solar radius in files that do not state it [cm]; default 6.9598e10.

    Returns
    -------
    MesaProfile
        Arrays of shape (n,), surface to centre.

    Raises
    ------
    DataError
        If the file is unreadable or malformed; if radius, temperature, density or composition
        is missing, not positive or not finite; if the radius is not monotone or does not reach
        the centre; if mass fractions are below -1e-8 or sum to more than 1.01; or if there are
        fewer than 20 zones.

    References
    ----------
    MESA documentation, "Output" (docs.mesastar.org); Choi et al. 2016, ApJ 823, 102 (MIST).
    """
    table = read_table(path)
    if len(table.lines) < MIN_ZONES:
        raise DataError(
            f"{table.source}: {len(table.lines)} zones, expected at least {MIN_ZONES}; "
            "the file may be truncated"
        )
    rsun = table.header.get("rsun", R_SUN_MESA_CM if rsun_cm is None else rsun_cm)
    msun = table.header.get("msun", M_SUN_MESA_G)
    radius_name, radius = _quantity(
        table,
        "radius",
        (
            ("logR", rsun, True),
            ("radius", rsun, False),
            ("logR_cm", 1.0, True),
            ("radius_cm", 1.0, False),
            ("radius_Rsun", rsun, False),
        ),
    )
    _, temperature = _quantity(
        table,
        "temperature",
        (("logT", 1.0, True), ("temperature", 1.0, False), ("temperature_K", 1.0, False)),
    )
    _, density = _quantity(
        table,
        "density",
        (
            ("logRho", 1.0, True),
            ("rho", 1.0, False),
            ("density", 1.0, False),
            ("density_g_cm3", 1.0, False),
        ),
    )
    falling = np.append(True, np.diff(radius) < 0.0)
    table.require(
        falling,
        radius_name,
        "radius {value} does not fall; expected zones from the surface to the centre",
    )
    isotopes = _isotope_columns(table)
    lumped = not isotopes and all(n in table for n in (*_LUMPED, _LUMPED_METALS))
    if lumped:
        isotopes = {iso: name for name, iso in _LUMPED.items()}
    if not isotopes:
        raise DataError(
            f"{table.source}: no composition columns; expected isotopes such as h1, he4, c12 "
            "(add `add_abundances` to MESA's profile_columns.list) or X_H, X_He, X_C, ..."
        )
    dr_name = table.first_of("dr", "dr_cm")
    dr = None
    if dr_name is not None:
        dr = table.column(dr_name)
        table.require(np.isfinite(dr) & (dr > 0.0), dr_name, "thickness {value}; expected > 0")
    _check_complete(table, radius, density, dr)
    return MesaProfile(
        source=table.source,
        radius_cm=radius,
        temperature_K=temperature,
        density_g_cm3=density,
        mass_fractions=_checked_fractions(table, isotopes),
        dm_g=_cell_masses(table, msun),
        dr_cm=dr,
        lumped_metals=lumped,
        rsun_cm=rsun,
        msun_g=msun,
    )


def surviving_rows(model_number: np.ndarray) -> np.ndarray:
    """Rows of a history that later restarts have not overwritten.

    MESA appends after a restart and leaves the old rows in place: a row is obsolete when any
    later row has the same or a smaller model number.

    Parameters
    ----------
    model_number : array, shape (n,)
        Model numbers in the order of the file.

    Returns
    -------
    bool array, shape (n,)
        True for rows to keep; their model numbers increase.
    """
    number = np.asarray(model_number, float)
    later = np.append(np.minimum.accumulate(number[::-1])[::-1][1:], np.inf)
    return number < later


def read_history(path: str | Path) -> MesaHistory:
    """Read an evolutionary track.

    Parameters
    ----------
    path : str or Path
        MESA ``history.data``, MIST ``.track.eep``, or a comma-separated table with ``Age_yr``,
        ``Mass_Solar``, ``log_Tcore``, ``log_Rhocore``, ``Center_H``, ..., ``Surface_H``, ...

    Returns
    -------
    MesaHistory
        Arrays of shape (n,), in order of age; rows made obsolete by restarts are dropped.

    Raises
    ------
    DataError
        If the file is unreadable or malformed; if age, mass, central temperature or density is
        missing or not finite; if mass or age is not positive, ages decrease, or mass fractions
        are below -1e-8 or sum to more than 1.01.

    References
    ----------
    MESA documentation, "Output" (docs.mesastar.org); Choi et al. 2016, ApJ 823, 102 (MIST).
    """
    full = read_table(path)
    keep = np.ones(len(full.lines), bool)
    if "model_number" in full:
        keep = surviving_rows(full.column("model_number"))
    table = TextTable(full.source, full.header, full.names, full.values[keep], full.lines[keep])

    def pick(what: str, *names: str, required: bool = True) -> np.ndarray | None:
        name = table.first_of(*names)
        if name is None:
            if not required:
                return None
            raise DataError(
                f"{table.source}: no {what} column; expected one of {', '.join(names)}; "
                f"found {', '.join(table.names[:12])} ..."
            )
        value = table.column(name)
        table.require(np.isfinite(value), name, f"{what} {{value}} is not finite")
        return value

    age_name = table.first_of("star_age", "Age_yr") or "star_age"
    mass_name = table.first_of("star_mass", "Mass_Solar") or "star_mass"
    age = pick("age", age_name, "Age_yr")
    mass = pick("mass", mass_name, "Mass_Solar")
    log_t_c = pick("central temperature", "log_center_T", "log_cntr_T", "log_Tcore")
    log_rho_c = pick("central density", "log_center_Rho", "log_cntr_Rho", "log_Rhocore")
    assert age is not None
    assert mass is not None
    assert log_t_c is not None
    assert log_rho_c is not None
    table.require(mass > 0.0, mass_name, "mass {value}; expected > 0")
    table.require(np.append(True, np.diff(age) >= 0.0), age_name, "age {value} goes back")
    log_r = pick("radius", "log_R", required=False)
    radius = pick("radius", "Radius_Solar", required=False)
    if log_r is None and radius is not None:
        table.require(radius > 0.0, "Radius_Solar", "radius {value}; expected > 0")
        log_r = np.log10(radius)
    return MesaHistory(
        source=table.source,
        age_yr=age,
        mass_Msun=mass,
        log_t_c=log_t_c,
        log_rho_c=log_rho_c,
        log_teff=pick("effective temperature", "log_Teff", required=False),
        log_l=pick("luminosity", "log_L", "log_L_Solar", required=False),
        log_r=log_r,
        center=_checked_fractions(table, _isotope_columns(table, "center_", "Center_")),
        surface=_checked_fractions(table, _isotope_columns(table, "surface_", "Surface_")),
        v_rot_km_s=pick("rotation", "surf_avg_v_rot", required=False),
        columns={n: table.column(n) for n in table.names},
        msun_g=table.header.get("msun", M_SUN_MESA_G),
        header=dict(table.header),
    )
