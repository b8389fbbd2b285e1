"""Units from the names of leaves, and labels for tables and figures.

Every physical leaf carries its unit as the end of its name (``b_x_muG``, ``distance_kpc``);
this module turns that suffix into text for tables and into LaTeX for axes.
"""

from __future__ import annotations

# Suffix of a leaf name: (unit in plain text, unit in LaTeX). Longer suffixes win.
UNIT_SUFFIXES: dict[str, tuple[str, str]] = {
    "muG": ("muG", r"\mu\mathrm{G}"),
    "G": ("G", r"\mathrm{G}"),
    "pc": ("pc", r"\mathrm{pc}"),
    "kpc": ("kpc", r"\mathrm{kpc}"),
    "Mpc": ("Mpc", r"\mathrm{Mpc}"),
    "cm": ("cm", r"\mathrm{cm}"),
    "cm2": ("cm^2", r"\mathrm{cm}^{2}"),
    "cm3": ("cm^-3", r"\mathrm{cm}^{-3}"),
    "g_cm3": ("g cm^-3", r"\mathrm{g\,cm}^{-3}"),
    "pc_cm3": ("pc cm^-3", r"\mathrm{pc\,cm}^{-3}"),
    "deg": ("deg", r"\mathrm{deg}"),
    "rad": ("rad", r"\mathrm{rad}"),
    "arcsec": ("arcsec", r"\mathrm{arcsec}"),
    "arcmin": ("arcmin", r"\mathrm{arcmin}"),
    "eV": ("eV", r"\mathrm{eV}"),
    "keV": ("keV", r"\mathrm{keV}"),
    "GeV": ("GeV^-1", r"\mathrm{GeV}^{-1}"),
    "K": ("K", r"\mathrm{K}"),
    "s": ("s", r"\mathrm{s}"),
    "ks": ("ks", r"\mathrm{ks}"),
    "yr": ("yr", r"\mathrm{yr}"),
    "Myr": ("Myr", r"\mathrm{Myr}"),
    "Msun": ("Msun", r"M_\odot"),
    "Rsun": ("Rsun", r"R_\odot"),
    "erg_s": ("erg/s", r"\mathrm{erg\,s}^{-1}"),
    "km_s": ("km/s", r"\mathrm{km\,s}^{-1}"),
    "km_s_Mpc": ("km/s/Mpc", r"\mathrm{km\,s^{-1}\,Mpc^{-1}}"),
}

# Symbols of the parameters that appear in figures most often, by path or by name of the leaf.
SYMBOLS: dict[str, str] = {
    "axion.u": r"u = (g_{a\gamma\gamma}/10^{-12}\,\mathrm{GeV}^{-1})^2",
    "axion.m_a_eV": r"m_a",
    "distance_kpc": r"d",
    "metallicity": r"Z",
    "h0_km_s_Mpc": r"H_0",
    "omega_b": r"\omega_b",
    "omega_c": r"\omega_c",
    "a_s": r"A_s",
    "n_s": r"n_s",
    "alpha_s": r"\alpha_s",
    "sigma_logM": r"\sigma_{\log M}",
    "log10_m_min": r"\log_{10} M_\mathrm{min}",
    "log10_m_1": r"\log_{10} M_1",
}
# Here the last letter is part of the name.
UNITLESS = ("a_s", "n_s", "alpha_s")


def _leaf_name(path: str) -> str:
    return path.rsplit(".", 1)[-1].split("[", 1)[0]


def _suffix(name: str) -> str | None:
    """The longest known unit suffix of a leaf name; a bare unit is not a name."""
    if name in UNITLESS:
        return None
    found = [s for s in UNIT_SUFFIXES if name.endswith(f"_{s}")]
    return max(found, key=len) if found else None


def unit_of(path: str) -> str:
    """Unit of a parameter from the suffix of its name; empty if dimensionless.

    Parameters
    ----------
    path : str
        Dotted path, such as ``galaxy.field.b_arm_muG[3]``.

    Returns
    -------
    str
        Unit in plain text, such as ``muG``.

    References
    ----------
    None: units stand in the names of the leaves.
    """
    suffix = _suffix(_leaf_name(path))
    return "" if suffix is None else UNIT_SUFFIXES[suffix][0]


def latex_label(path: str) -> str:
    """LaTeX label of a parameter, with its unit in brackets.

    Parameters
    ----------
    path : str
        Dotted path.

    Returns
    -------
    str
        For example ``r"wd1 $d$ [$\\mathrm{kpc}$]"``: the symbol if one is known, else the name
        of the leaf, preceded by the name of what it belongs to.

    References
    ----------
    None: units stand in the names of the leaves.
    """
    name = _leaf_name(path)
    suffix = _suffix(name)
    unit = "" if suffix is None else f" [${UNIT_SUFFIXES[suffix][1]}$]"
    if path in SYMBOLS:
        return f"${SYMBOLS[path]}${unit}"
    steps = path.split(".")
    owner = steps[-2].split("[")[0] + " " if len(steps) > 1 else ""
    index = path[path.rindex("[") :] if path.endswith("]") else ""
    if name in SYMBOLS:
        return f"{owner.replace('_', ' ')}${SYMBOLS[name]}${index}{unit}"
    bare = name if suffix is None else name[: -len(suffix) - 1]
    symbol, _, rest = bare.partition("_")
    if len(symbol) == 1 and rest:
        lower = rest.replace("_", r"\,")
        return f"{owner}".replace("_", " ") + rf"${symbol}_\mathrm{{{lower}}}{index}${unit}"
    return f"{owner}{bare}{index}".replace("_", " ") + unit
