"""Limit curves of the X-ray search as files and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analyses.limit_curves import JOINT, MassScan
from ..analyses.star_clusters import HALF_WIDTH_KEV, FluxSpectrum
from ..constants import G_REF_GEV
from ..environments.stars.clusters import target_label
from ..provenance import atomic_write
from .limit_files import LimitCurve, write_limits, write_two_column
from .limit_plots import plot_limits
from .overlays import load_overlay, overlay_names, published_star_cluster_limits
from .plot_style import save_figure
from .spectrum_plots import SpectrumPanel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The published curve of the same search is drawn as such, not among the other experiments.
_SAME_SEARCH = "super_star_clusters"


def scan_curve(scan: MassScan, signal: str, default_signal: str, method: str = "pcl") -> LimitCurve:
    """A scan as a curve of ``limits.csv``, without nuisances.

    Parameters
    ----------
    scan : MassScan
        Limits of one target or joint, shape (k,) [eV, GeV^-1].
    signal, default_signal : str
        Mode of this scan, and the mode whose curves carry the plain name.
    method : str
        ``pcl``: power-constrained, which exists where the raw limit is negative and where the
        best fit lies at the edge of the domain of negative signals; ``q``: the raw limit, with
        status NEGATIVE_LIMIT or AT_BOUNDARY there.

    Returns
    -------
    LimitCurve
        The name of another mode is appended to that of the target.

    References
    ----------
    Cowan et al. 2011, arXiv:1105.3166.
    """
    coupling = scan.coupling
    status = np.array(scan.status)
    flagged = status == "FIELD_STRUCTURE"
    spread = [np.full(scan.m_a_eV.shape, np.nan)] * 2
    if method == "pcl":
        status = np.where(np.isin(status, ("NEGATIVE_LIMIT", "AT_BOUNDARY")), "OK", status)
        spread = [np.where(flagged, x, np.nan) for x in (scan.low_GeV, scan.high_GeV)]
    return LimitCurve(
        scan.name if signal == default_signal else f"{scan.name}-{signal}",
        method,
        "",
        scan.m_a_eV,
        np.asarray(coupling.pcl if method == "pcl" else coupling.g_95),
        status,
        *(
            np.asarray(x)
            for x in (coupling.median, coupling.minus1, coupling.plus1, coupling.plus2)
        ),
        *spread,
    )


def scan_curves(scans: Mapping[str, Sequence[MassScan]], signal: str) -> list[LimitCurve]:
    """Power-constrained and raw curves of all scans, those of one mode first.

    Parameters
    ----------
    scans : mapping of str to sequence of MassScan
        Scans by signal mode [eV, GeV^-1].
    signal : str
        Mode that comes first and carries plain names.

    Returns
    -------
    list of LimitCurve
        Method ``pcl`` of every scan, then method ``q``.

    References
    ----------
    Cowan et al. 2011, arXiv:1105.3166.
    """
    modes = sorted(scans, key=lambda m: m != signal)
    return [
        scan_curve(s, mode, signal, method)
        for method in ("pcl", "q")
        for mode in modes
        for s in scans[mode]
    ]


def significance_csv(scans: Mapping[str, Sequence[MassScan]]) -> str:
    """Best fits and significances of scans, one line per mode, target and mass.

    Parameters
    ----------
    scans : mapping of str to sequence of MassScan
        Scans by signal mode.

    Returns
    -------
    str
        Columns ``signal, curve, m_a_eV, a_hat, sigma, ts, z_local``; a in (g/1e-12 GeV^-1)^4.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    lines = ["signal,curve,m_a_eV,a_hat,sigma,ts,z_local"]
    for mode, curves in scans.items():
        for scan in curves:
            r = scan.strength
            columns = (np.asarray(x) for x in (scan.m_a_eV, r.a_hat, r.sigma, r.ts, r.z_local))
            lines += [
                ",".join([mode, scan.name, *(repr(float(x)) for x in row)])
                for row in zip(*columns, strict=True)
            ]
    return "\n".join(lines) + "\n"


def limit_figure(curves: Sequence[LimitCurve], title: str = "") -> Figure:
    """Our curves over the published ones and other experiments.

    Parameters
    ----------
    curves : sequence of LimitCurve
        Our curves [eV, GeV^-1]; the one named ``joint`` first, with its band.
    title : str
        Title.

    Returns
    -------
    matplotlib Figure
        The figure.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, Fig. 3; overlays name their own.
    """
    ordered = sorted(curves, key=lambda c: c.curve != JOINT)
    published = [c for name, c in published_star_cluster_limits().items() if name == JOINT]
    others = [load_overlay(n) for n in overlay_names() if n != _SAME_SEARCH]
    return plot_limits(ordered, published=published or (), overlays=others, title=title)


def spectrum_panel(spectrum: FluxSpectrum, signal: np.ndarray, label: str) -> SpectrumPanel:
    """Panel of the analysed bins with a predicted signal.

    Parameters
    ----------
    spectrum : FluxSpectrum
        Data, shape (n,) [keV, 1e-4 counts s^-1 keV^-1].
    signal : array, shape (n,)
        Prediction, same unit.
    label : str
        Text of the legend.

    Returns
    -------
    SpectrumPanel
        The panel.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, Fig. 2.
    """
    data, error = np.asarray(spectrum.points.data), np.asarray(spectrum.points.scale)
    centre = 0.5 * (spectrum.low_keV + spectrum.high_keV)
    return SpectrumPanel(
        target_label(spectrum.target),
        centre,
        HALF_WIDTH_KEV,
        data,
        error,
        signal,
        label,
        np.ones(centre.size, bool),
    )


def write_limit_files(
    folder: Path, curves: Sequence[LimitCurve], comments: Sequence[str] = ()
) -> None:
    """``limits.csv`` and ``limits/<curve>_<method>.txt``.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    curves : sequence of LimitCurve
        Curves [eV, GeV^-1], shape (k,) each.
    comments : sequence of str
        Lines for the headers of the text files.

    Returns
    -------
    None
        Files are written completely or not at all.

    References
    ----------
    O'Hare, AxionLimits, https://cajohare.github.io/AxionLimits/ (form of the text files).
    """
    write_limits(folder / "limits.csv", curves)
    for curve in curves:
        if curve.ok.any():
            write_two_column(folder / "limits", curve, comments)


def write_scan_products(
    folder: Path,
    scans: Mapping[str, Sequence[MassScan]],
    signal: str,
    comments: Sequence[str] = (),
    title: str = "",
) -> list[LimitCurve]:
    """Files and figure of ``diffaxion limit xray``.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    scans : mapping of str to sequence of MassScan
        Scans by signal mode [eV, GeV^-1].
    signal : str
        Mode whose curves are drawn and carry plain names.
    comments : sequence of str
        Lines for the headers of the text files.
    title : str
        Title of the figure.

    Returns
    -------
    list of LimitCurve
        All curves, those of ``signal`` first.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    curves = scan_curves(scans, signal)
    write_limit_files(folder, curves, comments)
    atomic_write(folder / "significance.csv", significance_csv(scans))
    drawn = [scan_curve(s, signal, signal) for s in scans[signal]]
    if all(scan.m_a_eV.size > 1 for scan in scans[signal]):
        save_figure(limit_figure(drawn, title), folder / "limits.png")
    return curves


def limit_table(scans: Mapping[str, Sequence[MassScan]], m_a_eV: float) -> list[list[Any]]:
    """Rows of limits at the mass of the grid nearest to one, for reports.

    Parameters
    ----------
    scans : mapping of str to sequence of MassScan
        Scans by signal mode.
    m_a_eV : float
        Mass [eV].

    Returns
    -------
    list of list
        Mode, target, limit and median [1e-12 GeV^-1], a_hat/sigma, status.

    References
    ----------
    None: a table.
    """
    rows = []
    for mode, curves in scans.items():
        for scan in curves:
            k = int(np.argmin(np.abs(np.log(scan.m_a_eV / m_a_eV))))
            limit, median = (
                float(np.asarray(x)[k]) / G_REF_GEV
                for x in (scan.coupling.pcl, scan.coupling.median)
            )
            pull = float(scan.strength.a_hat[k] / scan.strength.sigma[k])
            rows.append([mode, scan.name, limit, median, pull, scan.status[k]])
    return rows
