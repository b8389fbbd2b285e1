"""Spectral classes of evolved massive stars from what their surface is made of."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

import numpy as np

from ...data.isotopes import parse_isotope
from ...data.mesa import MesaHistory
from ...errors import DataError, unknown_name

RED_SUPERGIANT = "RSG"
# Cooler stars without a Wolf-Rayet surface are red supergiants: a core in an envelope.
LOG_TEFF_COOL = 3.7
_CHARGE = {"hydrogen": 1, "helium": 2, "carbon": 6, "nitrogen": 7, "oxygen": 8}
_MAIN_ISOTOPE = {
    "hydrogen": "h1",
    "helium": "he4",
    "carbon": "c12",
    "nitrogen": "n14",
    "oxygen": "o16",
}


def classify_stars(
    x_surface: np.ndarray,
    c_surface: np.ndarray,
    o_surface: np.ndarray,
    x_wnh: float = 0.40,
    x_wn: float = 0.05,
    c_wc: float = 0.02,
    o_wo: float = 0.02,
) -> np.ndarray:
    """Wolf-Rayet class from surface mass fractions; the last rule that holds names the star.

    WNh: X < 0.40; WN: X < 0.05; WC: X < 0.05 and C > 0.02; WO: in addition O > 0.02.

    Parameters
    ----------
    x_surface, c_surface, o_surface : array, shape (n,)
        Surface mass fractions of hydrogen, carbon and oxygen.
    x_wnh, x_wn, c_wc, o_wo : float, optional
        Thresholds.

    Returns
    -------
    array of str, shape (n,)
        ``WNh``, ``WN``, ``WC``, ``WO``, or ``none``.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, supplement and public release.
    """
    name = np.full(np.shape(x_surface), "none", dtype="<U4")
    bare = np.asarray(x_surface) < x_wn
    carbon = bare & (np.asarray(c_surface) > c_wc)
    name[np.asarray(x_surface) < x_wnh] = "WNh"
    name[bare] = "WN"
    name[carbon] = "WC"
    name[carbon & (np.asarray(o_surface) > o_wo)] = "WO"
    return name


def classify_stars_geneva(
    log_teff: np.ndarray,
    x_surface: np.ndarray,
    he_surface: np.ndarray,
    c_surface: np.ndarray,
    n_surface: np.ndarray,
    o_surface: np.ndarray,
    log_teff_wr: float = 4.0,
    log_teff_o: float = 4.5,
    x_wr: float = 0.3,
    x_wne: float = 1e-5,
    wnc_low: float = 0.1,
    wnc_high: float = 10.0,
    co_he_wo: float = 1.0,
) -> np.ndarray:
    """Class from effective temperature and surface mass fractions, after the Geneva grids.

    Wolf-Rayet stars have log T_eff > 4.0 and X < 0.3: WNL with X > 1e-5, else WNC with
    0.1 < C/N < 10 by mass, else WNE with C <= N, else WC with (C + O)/He <= 1 by number, else
    WO. Other stars with log T_eff > 4.5 are O stars. The transition class WNC goes before
    WNE and WC, in whose ranges it lies; a star belongs to one class.

    Parameters
    ----------
    log_teff : array, shape (n,)
        log10 of the effective temperature [K].
    x_surface, he_surface, c_surface, n_surface, o_surface : array, shape (n,)
        Surface mass fractions.
    log_teff_wr, log_teff_o, x_wr, x_wne, wnc_low, wnc_high, co_he_wo : float, optional
        Thresholds.

    Returns
    -------
    array of str, shape (n,)
        ``O``, ``WNL``, ``WNE``, ``WNC``, ``WC``, ``WO``, or ``none``.

    References
    ----------
    Georgy et al. 2012, A&A 542, A29 (thresholds from memory of the text; the precedence of WNC
    is a choice of this project).
    """
    log_teff, x = np.asarray(log_teff, float), np.asarray(x_surface, float)
    c, n, o = (np.asarray(v, float) for v in (c_surface, n_surface, o_surface))
    name = np.full(x.shape, "none", dtype="<U4")
    name[log_teff > log_teff_o] = "O"
    wolf_rayet = (log_teff > log_teff_wr) & (x < x_wr)
    bare = wolf_rayet & (x <= x_wne)
    # (C + O)/He by number; products instead of ratios, which may divide by zero.
    rich = c / 12.0 + o / 16.0 > co_he_wo * np.asarray(he_surface, float) / 4.0
    name[wolf_rayet] = "WNL"
    name[bare] = "WNE"
    name[bare & (c > n)] = "WC"
    name[bare & (c > n) & rich] = "WO"
    name[bare & (c > wnc_low * n) & (c < wnc_high * n)] = "WNC"
    return name


_FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "paper": classify_stars,
    "geneva": classify_stars_geneva,
}


def _surface(history: MesaHistory, element: str) -> np.ndarray:
    """Surface mass fraction of an element, all its isotopes, shape (n,)."""
    charge, main = _CHARGE[element], _MAIN_ISOTOPE[element]
    found = [v for k, v in history.surface.items() if parse_isotope(k)[0] == charge]
    if main not in history.surface:
        raise DataError(
            f"{history.source}: no surface_{main} column; it is needed to classify stars. Add "
            f"`surface {main}` to MESA's history_columns.list"
            + (", or choose the rules 'paper'" if element == "nitrogen" else "")
        )
    return np.sum(found, axis=0)


def classify_history(
    history: MesaHistory,
    rules: str = "paper",
    thresholds: Mapping[str, float] | None = None,
    log_teff_cool: float = LOG_TEFF_COOL,
) -> np.ndarray:
    """Spectral class of every time step of a track.

    Parameters
    ----------
    history : MesaHistory
        Track with surface mass fractions; the rules ``geneva`` need nitrogen and the effective
        temperature as well.
    rules : str, optional
        ``paper`` (:func:`classify_stars`) or ``geneva`` (:func:`classify_stars_geneva`).
    thresholds : mapping of str to float, optional
        Thresholds that differ from those of the rules, by argument name.
    log_teff_cool : float, optional
        Steps without a class below this log10 T_eff [K] are red supergiants, ``RSG``; -inf
        names none.

    Returns
    -------
    array of str, shape (n,)
        Names of classes, or ``none``.

    Raises
    ------
    ConfigurationError
        If rules or a threshold are unknown.
    DataError
        If a column is missing: H1, C12, O16, and for ``geneva`` He4, N14 and log T_eff.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Georgy et al. 2012, A&A 542, A29.
    """
    if rules not in _FUNCTIONS:
        raise unknown_name("set of rules", rules, _FUNCTIONS)
    chosen = dict(thresholds or {})
    function = _FUNCTIONS[rules]
    arguments = inspect.signature(function).parameters.values()
    known = [p.name for p in arguments if p.default is not p.empty]
    for name in chosen:
        if name not in known:
            raise unknown_name(f"threshold of the rules {rules!r}", name, known)
    if rules == "paper":
        surface = [_surface(history, e) for e in ("hydrogen", "carbon", "oxygen")]
        names = function(*surface, **chosen)
    else:
        surface = [_surface(history, e) for e in _CHARGE]
        if history.log_teff is None:
            raise DataError(
                f"{history.source}: no log_Teff column; it is needed by the rules 'geneva'"
            )
        names = function(history.log_teff, *surface, **chosen)
    if history.log_teff is not None:
        names[(names == "none") & (history.log_teff < log_teff_cool)] = RED_SUPERGIANT
    return names
