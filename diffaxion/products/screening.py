"""Products of ``diffaxion limit screening``: limit files, figures, summary and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analyses.screening_limits import ScreeningLimits
from ..constants import G_REF_GEV
from ..data.bandpowers import Bandpowers, write_bandpowers
from ..provenance import write_json
from .citations import format_citations
from .limit_files import LimitCurve, write_limits, write_two_column
from .limit_plots import plot_limits
from .overlays import load_overlay, overlay_names
from .plot_style import save_figure
from .report import Image, Note, Table, Verbatim, write_report
from .screening_curves import screening_curves
from .screening_plots import plot_bandpowers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The prior of the published limit: its curve is drawn, compared and named without addition.
MAIN_PRIOR = "uniform_g"
_SAME_SEARCH = "planck_unwise"
_MASS_TICKS_EV = (2e-13, 3e-13, 5e-13, 1e-12, 2e-12)


def published_screening_limit() -> LimitCurve:
    """The published Planck x unWISE limit, 156 masses from 1.7248e-13 to 2.5848e-12 eV.

    Returns
    -------
    LimitCurve
        95 % one-tailed, prior uniform in g [eV, GeV^-1]; without bands.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3.
    """
    table = load_overlay(_SAME_SEARCH)
    return LimitCurve("Planck x unWISE", "bayes", MAIN_PRIOR, table.m_a_eV, table.g_GeV)


def published_at(m_a_eV: np.ndarray) -> np.ndarray:
    """The published limit at masses: ln g linear in ln m, NaN outside the curve.

    Parameters
    ----------
    m_a_eV : array, shape (n,)
        Masses [eV].

    Returns
    -------
    array, shape (n,)
        Limits [GeV^-1].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3.
    """
    curve = published_screening_limit()
    at, known = np.log(m_a_eV), np.log(curve.m_a_eV)
    slack = 1e-9
    inside = (at >= known[0] - slack) & (at <= known[-1] + slack)
    return np.where(inside, np.exp(np.interp(at, known, np.log(curve.limit_raw))), np.nan)


def _finite(value: Any) -> float:
    number = float(value)
    return number if np.isfinite(number) else float("nan")


def screening_summary(
    limits: ScreeningLimits, options: Mapping[str, Any], explicit: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything a reader needs to know about the limits, mass by mass.

    Parameters
    ----------
    limits : ScreeningLimits
        Limits at n masses [eV, GeV^-1].
    options : mapping
        All choices of the model.
    explicit : mapping
        Those that were given on the command line.

    Returns
    -------
    dict
        ``data``, ``assumptions``, ``configuration``, ``overrides``, ``options``, ``chi2``,
        ``dof``, ``pte`` (null for the recast, which has no points), ``strongest`` and ``masses``:
        per mass u_hat, sigma, limits for every prior and from the profile, the published limit
        and the ratio to it; for the recast R and R/R_norm.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    published = published_at(limits.m_a_eV)
    main, coupling = limits.bayes[MAIN_PRIOR], limits.coupling
    rows = []
    for k, mass in enumerate(limits.m_a_eV):
        row: dict[str, Any] = {
            "m_a_eV": float(mass),
            "status": limits.status[k],
            "u_hat": _finite(limits.u_hat[k]),
            "sigma_u": _finite(limits.sigma[k]),
            "g95_GeV": {name: _finite(b.limit[k]) for name, b in limits.bayes.items()},
            "g95_expected_GeV": {name: _finite(b.median[k]) for name, b in limits.bayes.items()},
            "profile_GeV": {
                "q": _finite(coupling.g_95[k]),
                "pcl": _finite(coupling.pcl[k]),
                "expected": _finite(coupling.median[k]),
            },
            "published_GeV": _finite(published[k]),
            "ratio_to_published": _finite(main.limit[k] / published[k]),
        }
        if limits.recast is not None:
            row["R"] = _finite(limits.recast.ratio[k])
            row["R_over_R_norm"] = _finite(limits.recast.match[k])
        rows.append(row)
    data, points = limits.data, limits.recast is None
    best = int(np.argmin(main.limit))
    return {
        "data": {"kind": data.kind, "label": data.label, "seed": data.seed, "nu_GHz": data.nu_GHz},
        "assumptions": list(data.caveats),
        "configuration": options["configuration"],
        "overrides": dict(explicit),
        "options": dict(options),
        "priors": {name: b.prior for name, b in limits.bayes.items()},
        "g_unit": "GeV^-1",
        "u": "(g/1e-12 GeV^-1)^2",
        "chi2": limits.chi2_null if points else None,
        "dof": limits.dof if points else None,
        "pte": limits.p_null if points else None,
        "strongest": {"m_a_eV": rows[best]["m_a_eV"], "g95_GeV": rows[best]["g95_GeV"][MAIN_PRIOR]},
        "masses": rows,
    }


def screening_limit_figure(curves: Sequence[LimitCurve], title: str = "") -> Figure:
    """Our curve with its band over the published one and other experiments.

    Parameters
    ----------
    curves : sequence of LimitCurve
        Our curves [eV, GeV^-1], that of the main prior first.
    title : str
        Title; says what kind of data was used.

    Returns
    -------
    matplotlib Figure
        The figure.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3; overlays name their own.
    """
    others = [load_overlay(n) for n in overlay_names() if n != _SAME_SEARCH]
    published = published_screening_limit()
    everything = [published, *curves]
    masses = np.concatenate([c.m_a_eV for c in everything])
    numbers = np.concatenate([c.limit[np.isfinite(c.limit)] for c in everything])
    figure = plot_limits(
        curves,
        published=[published],
        overlays=others,
        mass_range_eV=(float(masses.min()), float(masses.max())),
        coupling_range_GeV=(0.3 * float(numbers.min()), 2.0 * float(numbers.max())),
        title=title,
    )
    # Little more than a decade of masses: powers of ten alone would leave one label.
    axes: Any = figure.axes[0]
    if masses.max() < 30.0 * masses.min():
        ticks = [t for t in _MASS_TICKS_EV if masses.min() <= t <= masses.max()]
        axes.set_xticks(ticks, [_tick_label(t) for t in ticks])
    return figure


def _tick_label(mass_eV: float) -> str:
    digit, exponent = f"{mass_eV:.0e}".split("e")
    return rf"${digit}\times10^{{{int(exponent)}}}$"


def write_screening_limit_files(
    folder: Path, limits: ScreeningLimits, comments: Sequence[str] = ()
) -> list[LimitCurve]:
    """``limits.csv`` and ``limits/<curve>_<method>.txt``.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    limits : ScreeningLimits
        Limits at n masses [eV, GeV^-1].
    comments : sequence of str
        Lines for the headers of the text files.

    Returns
    -------
    list of LimitCurve
        All curves. ``_bayes.txt`` is for the prior uniform in g; the text files of other priors
        have the prior in their name, as in ``_bayes-log10_g.txt``.

    References
    ----------
    O'Hare, AxionLimits, https://cajohare.github.io/AxionLimits/ (form of the text files).
    """
    curves = screening_curves(limits)
    write_limits(folder / "limits.csv", curves)
    header = [f"data: {limits.data.label}", *limits.data.caveats, *comments]
    for curve in curves:
        name = curve.prior.split(" ")[0]
        if curve.method == "bayes" and name != MAIN_PRIOR:
            curve = replace(curve, method=f"bayes-{name}")
        if curve.ok.any():
            write_two_column(folder / "limits", curve, header)
    return curves


def write_screening_products(
    folder: Path,
    limits: ScreeningLimits,
    spectra: np.ndarray,
    summary: Mapping[str, Any],
    record: Mapping[str, Any],
    references: Sequence[str],
) -> None:
    """All files of ``diffaxion limit screening`` but the bandpowers.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    limits : ScreeningLimits
        Limits at n masses [eV, GeV^-1].
    spectra : array, shape (n, l)
        C_l^Tg per unit u at the nodes of the data's windows [uK].
    summary : mapping
        Of :func:`screening_summary`.
    record : mapping
        Provenance.
    references : sequence of str
        What to cite.

    Returns
    -------
    None
        Writes ``limits.csv``, ``limits/``, ``limits.png``, ``bandpowers.png``, ``summary.json``,
        ``provenance.json`` and ``report.html``.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    comments = [f"configuration {summary['configuration']}, {record['config_sha256']}"]
    curves = write_screening_limit_files(folder, limits, comments)
    title = f"{limits.data.label}\nmodel {summary['configuration']}"
    drawn = [c for c in curves if c.prior in (MAIN_PRIOR, "") and c.method != "q"]
    figures: dict[str, tuple[Any, str]] = {
        "limits.png": (
            screening_limit_figure(drawn, title),
            "95 % limits; bands: expected without signal; dotted: published.",
        ),
        "bandpowers.png": (
            plot_bandpowers(limits, spectra, title=title),
            f"C_l^Tg at the limits of several masses; points: {limits.data.label}.",
        ),
    }
    for name, (figure, _) in figures.items():
        save_figure(figure, folder / name)
    write_json(folder / "summary.json", summary)
    write_json(folder / "provenance.json", record)
    sections: dict[str, Any] = {
        "Result": [
            Note(f"Data: {limits.data.label}."),
            summary_sentence(summary),
            Table(_COLUMNS, summary_table(summary), "Prior uniform in g unless stated."),
        ],
        "Figures": [Image(figure, text) for figure, text in figures.values()],
        "Data": _data_section(limits, summary),
        "Model": [
            f"Configuration {summary['configuration']}; given explicitly: "
            + (", ".join(f"{k} = {v}" for k, v in summary["overrides"].items()) or "nothing")
            + ".",
            {k: str(v) for k, v in summary["options"].items()},
        ],
        "References": [Verbatim(format_citations(references))],
    }
    write_report(folder / "report.html", "Screening of the CMB: limits", sections, record)


_COLUMNS = (
    "m_a [eV]",
    "g95 [1e-12 GeV^-1]",
    "expected",
    "profile (pcl)",
    "published",
    "ratio to published",
    "u_hat/sigma",
    "status",
)


def summary_table(summary: Mapping[str, Any], count: int = 8) -> list[list[Any]]:
    """Rows for a few masses of a summary, evenly over the grid.

    Parameters
    ----------
    summary : mapping
        Of :func:`screening_summary`.
    count : int
        Largest number of rows.

    Returns
    -------
    list of list
        Mass [eV], limit, expected, profile and published limit [1e-12 GeV^-1], ratio of the
        first to the last, u_hat/sigma, status.

    References
    ----------
    None: a table.
    """
    masses = summary["masses"]
    picked = np.unique(np.linspace(0, len(masses) - 1, min(count, len(masses))).round().astype(int))
    rows = []
    for m in (masses[k] for k in picked):
        g = (
            m["g95_GeV"][MAIN_PRIOR],
            m["g95_expected_GeV"][MAIN_PRIOR],
            m["profile_GeV"]["pcl"],
            m["published_GeV"],
        )
        pull = m["u_hat"] / m["sigma_u"] if np.isfinite(m["sigma_u"]) else float("nan")
        units = [x / G_REF_GEV for x in g]
        rows.append([m["m_a_eV"], *units, m["ratio_to_published"], pull, m["status"]])
    return rows


def summary_sentence(summary: Mapping[str, Any]) -> str:
    """The strongest limit in words.

    Parameters
    ----------
    summary : mapping
        Of :func:`screening_summary`.

    Returns
    -------
    str
        One sentence [GeV^-1, eV].

    References
    ----------
    None: a sentence.
    """
    best = summary["strongest"]
    if not np.isfinite(best["g95_GeV"]):
        return "No mass of the grid resonates in a halo: there is no limit."
    return (
        f"Strongest limit: g < {best['g95_GeV']:.4g} GeV^-1 at m_a = {best['m_a_eV']:.4g} eV "
        "(95 %, prior uniform in g)."
    )


def screening_lines(summary: Mapping[str, Any]) -> list[str]:
    """What the command prints: data, a few masses with the ratio to the published limit, caveats.

    Parameters
    ----------
    summary : mapping
        Of :func:`screening_summary`.

    Returns
    -------
    list of str
        Lines [eV, 1e-12 GeV^-1].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    lines = [f"data: {summary['data']['label']}; model: {summary['configuration']}"]
    for mass, limit, expected, profile, published, ratio, _, status in summary_table(summary):
        if not np.isfinite(limit):
            lines.append(f"m_a = {mass:.4g} eV: no limit, {status}")
            continue
        compared = f", published {published:.4g}e-12, ratio {ratio:.3f}"
        lines.append(
            f"m_a = {mass:.4g} eV: g < {limit:.4g}e-12 GeV^-1 (95 %, uniform in g), expected "
            f"{expected:.4g}e-12, profile {profile:.4g}e-12"
            + (compared if np.isfinite(published) else ", outside the published curve")
        )
    lines.append(summary_sentence(summary))
    if summary["chi2"] is not None:
        lines.append(
            f"chi^2 without signal {summary['chi2']:.4g} for {summary['dof']} bandpowers, "
            f"probability of more {summary['pte']:.3g}"
        )
    if summary["assumptions"]:
        lines.append("assumptions of the recast:")
        lines += [f"  {text}" for text in summary["assumptions"]]
    return lines


def write_realisation(path: Path, limits: ScreeningLimits) -> None:
    """Simulated bandpowers as a file that ``--data FILE`` reads.

    Parameters
    ----------
    path : Path
        Destination, ``bandpowers.npz``.
    limits : ScreeningLimits
        Limits made from them, with windows that carry no beam.

    Returns
    -------
    None
        The file is written completely or not at all [uK, uK^2].

    References
    ----------
    None: a file format, see :mod:`diffaxion.data.bandpowers`.
    """
    data = limits.data
    assert data.windows is not None
    factor = np.asarray(data.points.scale)
    windows = data.windows
    write_bandpowers(
        path,
        Bandpowers(
            np.asarray(windows.ell_lo),
            np.asarray(windows.ell_hi),
            np.asarray(data.points.data),
            factor @ factor.T,
            np.asarray(windows.window),
            np.asarray(windows.window_ell),
            nu_GHz=data.nu_GHz,
        ),
    )


def _data_section(limits: ScreeningLimits, summary: Mapping[str, Any]) -> list[Any]:
    data = limits.data
    if limits.recast is not None:
        return [
            Note("A recast is made from a published curve, not from data. Its assumptions are:"),
            list(data.caveats),
        ]
    return [
        f"Without a signal chi^2 = {summary['chi2']:.4g} for {summary['dof']} bandpowers, "
        f"probability of more {summary['pte']:.3g}."
    ]
