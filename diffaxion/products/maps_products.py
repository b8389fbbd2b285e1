"""Files of ``diffaxion maps``: bandpowers, spectra, maps, figures, summary and report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..analyses.maps_input import SkyInput
from ..analyses.maps_pipeline import FIDUCIAL, MapsResult, maps_summary
from ..data.bandpowers import write_bandpowers
from ..data.healpix_write import write_healpix_map
from ..observables.cmb.bandpowers import gaussian_beam
from ..provenance import atomic_write, write_json
from .maps_curves import (
    plot_auto_spectra,
    plot_cross_spectra,
    plot_needlets,
    plot_weights,
)
from .maps_response_figures import plot_responses
from .maps_sphere import plot_skies
from .plot_style import figure_bytes
from .report import Image, Note, Table, write_report

TEMPERATURE = r"$T$ [$\mu$K$_\mathrm{CMB}$ at 353 GHz]"
LABELS = {
    "tsz": "tSZ",
    "cib": "CIB",
    "cib-dbeta": r"$\mathrm{d}\beta$",
    "cib-dT": r"$\mathrm{d}T$",
    "cmb": "CMB",
}
# Sets that are drawn side by side.
_DRAWN = 5


def set_label(result: MapsResult, label: str) -> str:
    """What a set deprojects, for legends."""
    names = result.plan.sets[label].flat
    return " + ".join(LABELS.get(n, n) for n in names) if names else "nothing deprojected"


def plain_label(result: MapsResult, label: str) -> str:
    """What a set deprojects, for tables."""
    return ", ".join(result.plan.sets[label].flat) or "nothing"


def write_cleaned(
    folder: Path, result: MapsResult, record: Mapping[str, Any], *, figures: bool = True
) -> None:
    """Cleaned maps as HEALPix FITS, and what is known of every scale.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    result : MapsResult
        The run.
    record : mapping
        Provenance.
    figures : bool
        Whether to draw maps, needlets and weights.

    Returns
    -------
    None
        Writes ``cleaned_<set>.fits`` [uK_CMB], ``cleaned.json`` and figures.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    history = [f"seed {record['seed']}", f"configuration {record['config_sha256']}"]
    for label in _sets_before(folder / "cleaned.json", "scales") - set(result.cleaned):
        (folder / f"cleaned_{label}.fits").unlink(missing_ok=True)
    for label, sky in result.cleaned.items():
        comment = result.nature or "cleaned map of screening, uK at 353 GHz"
        write_healpix_map(
            folder / f"cleaned_{label}.fits",
            sky.values,
            "uK_CMB",
            column="SCREENING",
            comment=comment,
            history=[*history, f"deprojected: {plain_label(result, label)}"],
        )
    summary = maps_summary(result)
    kept = {k: summary[k] for k in ("nature", "channels", "peaks", "cib", "scales", "maps")}
    write_json(folder / "cleaned.json", kept | {"provenance": dict(record)})
    if figures:
        for name, draw in cleaning_figures(result).items():
            atomic_write(folder / name, figure_bytes(draw))


def _sets_before(path: Path, key: str) -> set[str]:
    """Sets of a run with other settings, whose products this one would leave beside its own."""
    try:
        return set(json.loads(path.read_text())[key])
    except (OSError, ValueError, KeyError):
        return set()


def cleaning_figures(result: MapsResult) -> dict[str, Any]:
    """Figures of the cleaning, by name of their file.

    Parameters
    ----------
    result : MapsResult
        The run.

    Returns
    -------
    dict of str to matplotlib Figure
        Maps, masks, needlets, weights and responses.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Figs. S1, S2.
    """
    nature = result.nature
    measurer = result.measurer
    first = result.cleaned[FIDUCIAL].result
    plan = first.instrument.plan
    shown = {FIDUCIAL: set_label(result, FIDUCIAL)}
    shown |= {n: set_label(result, n) for n in list(result.cleaned)[1:4]}
    skies = {
        text: (result.cleaned[name].values, measurer.temperature_mask)
        for name, text in shown.items()
    }
    weights = {
        text: [
            {n: 1e-6 * float(w) for n, w in zip(s.channels, s.mean_weights)}
            for s in result.cleaned[name].result.scales
        ]
        for name, text in shown.items()
    }
    masks = {
        "temperature": (measurer.temperature_mask, None),
        "galaxies": (measurer.galaxy_mask, None),
    }
    overdensity = {"galaxies": (measurer.galaxies, measurer.galaxy_mask)}
    channels = [plan.channels(j) for j in range(len(plan.used))]
    cleaner = result.plan.cleaner
    return {
        "maps.png": plot_skies(skies, label=TEMPERATURE, title=nature),
        "galaxies.png": plot_skies(overdensity, label="overdensity", title=nature),
        "masks.png": plot_skies(
            masks, label="weight", title=nature, signed=False, limits=[(0.0, 1.0)] * 2
        ),
        "needlets.png": plot_needlets(plan.filters, channels),
        "weights.png": plot_weights(weights, plan.names, title=nature),
        "responses.png": plot_responses(cleaner.bands, cleaner.spectra),
    }


def spectra_csv(result: MapsResult) -> str:
    """Bandpowers of all sets and bins as text.

    Parameters
    ----------
    result : MapsResult
        The run.

    Returns
    -------
    str
        Columns set, ell_lo, ell_hi, used, cl_Tg_uK and error_uK.

    References
    ----------
    None: a table.
    """
    lines = [f"# {result.nature}"] if result.nature else []
    lines.append("set,ell_lo,ell_hi,used,cl_Tg_uK,error_uK")
    used = np.zeros(result.measurer.bins.size, bool)
    used[result.measurer.use] = True
    for label, found in result.measured.items():
        rows = zip(found.bins.lo, found.bins.hi, used, found.cl_Tg_uK, found.error_uK)
        lines += [f"{label},{a},{b},{int(u)},{c:.8e},{e:.8e}" for a, b, u, c, e in rows]
    return "\n".join(lines) + "\n"


def auto_spectrum(result: MapsResult, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Auto-spectrum of a cleaned map over the beam, at the centres of the bins.

    Parameters
    ----------
    result : MapsResult
        The run.
    label : str
        Set.

    Returns
    -------
    ell, cl : array, shape (b,)
        Centres and C_l^TT of the masked map over the mean of its squared mask [uK^2].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S3.
    """
    found = result.measured[label]
    ell = np.arange(found.lmax + 1.0)
    beam = np.asarray(gaussian_beam(ell, found.fwhm_arcmin))
    flat = found.spectra["T", "T"] / np.maximum(beam, 1e-12) ** 2
    means = [flat[lo : hi + 1].mean() for lo, hi in zip(found.bins.lo, found.bins.hi)]
    return found.bins.centres(), np.array(means)


def measurement_figures(result: MapsResult) -> dict[str, Any]:
    """Figures of the measurement, by name of their file.

    Parameters
    ----------
    result : MapsResult
        The run.

    Returns
    -------
    dict of str to matplotlib Figure
        Auto- and cross-spectra by set.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Figs. S3, S6.
    """
    labels = list(result.measured)[:_DRAWN]
    # From the fewest components to the most.
    labels.sort(key=lambda n: len(result.plan.sets[n].flat))
    series = {
        set_label(result, n): (result.measured[n].cl_Tg_uK, result.measured[n].error_uK)
        for n in labels
    }
    autos = {set_label(result, n): auto_spectrum(result, n) for n in labels}
    ell = next(iter(autos.values()))[0]
    expected = {}
    injected = result.injected()
    if injected is not None and np.any(injected):
        expected["injected"] = injected
    first = result.measured[FIDUCIAL]
    return {
        "auto_spectra.png": plot_auto_spectra(
            ell, {n: cl for n, (_, cl) in autos.items()}, title=result.nature
        ),
        "cross_spectra.png": plot_cross_spectra(
            first.bins.lo,
            first.bins.hi,
            {"": series},
            skipped=result.plan.settings.measurement.skip_bins,
            expected=expected,
            title=result.nature,
        ),
    }


def write_measurement(
    folder: Path, result: MapsResult, record: Mapping[str, Any]
) -> dict[str, Any]:
    """Bandpowers, spectra, figures, summary and report of a run.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    result : MapsResult
        The run.
    record : mapping
        Provenance.

    Returns
    -------
    dict
        The summary. Writes ``bandpowers.npz`` (the bins that are used, with residual templates),
        ``bandpowers_<set>.npz`` of further sets, ``bandpowers_all_bins.npz``, ``spectra.csv``,
        figures, ``summary.json``, ``provenance.json`` and ``report.html``.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    for label in _sets_before(folder / "summary.json", "sets") - set(result.measured):
        (folder / f"bandpowers_{label}.npz").unlink(missing_ok=True)
    write_bandpowers(folder / "bandpowers.npz", result.bandpowers())
    write_bandpowers(folder / "bandpowers_all_bins.npz", result.bandpowers(all_bins=True))
    for label in result.measured:
        if label != FIDUCIAL:
            write_bandpowers(folder / f"bandpowers_{label}.npz", result.bandpowers(label))
    atomic_write(folder / "spectra.csv", spectra_csv(result))
    summary = maps_summary(result)
    write_json(folder / "summary.json", summary)
    write_json(folder / "provenance.json", dict(record))
    figures = cleaning_figures(result) | measurement_figures(result)
    images = {name: figure_bytes(figure) for name, figure in figures.items()}
    for name, png in images.items():
        atomic_write(folder / name, png)
    what = "Simulated maps, not data." if isinstance(result.plan.source, SkyInput) else ""
    sections: dict[str, Any] = {
        "Result": [Note(result.nature or what or "Maps on disk."), null_table(result)],
        "Figures": [Image(png, name.removesuffix(".png")) for name, png in images.items()],
        "Scales": [scale_table(result)],
        "Run": [list(result.plan.lines())],
    }
    write_report(folder / "report.html", "From maps to bandpowers", sections, dict(record))
    return summary


def null_table(result: MapsResult) -> Table:
    """chi^2 of every set against no signal.

    Parameters
    ----------
    result : MapsResult
        The run.

    Returns
    -------
    Table
        Set, components, chi^2, bandpowers, probability.

    References
    ----------
    None: a table.
    """
    rows = []
    for label, found in result.measured.items():
        test = found.null_test(result.measurer.use)
        rows.append([label, plain_label(result, label), test.chi2, test.dof, test.pte])
    caption = "Bandpowers that are used, against no signal."
    return Table(("set", "deprojected", "chi^2", "bandpowers", "probability"), rows, caption)


def scale_table(result: MapsResult) -> Table:
    """What happened at each needlet scale of the fiducial set.

    Parameters
    ----------
    result : MapsResult
        The run.

    Returns
    -------
    Table
        Channels, smoothing [deg], condition number, norm of the weights, response to the CMB.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Table S1.
    """
    rows = []
    for s in result.cleaned[FIDUCIAL].result.scales:
        channels = ", ".join(n.lstrip("0") for n in s.channels)
        norm, cmb = 1e-6 * s.weight_norm, 1e-6 * s.responses["cmb"]
        rows.append([s.scale, channels, s.fwhm_deg, s.condition, norm, cmb])
    columns = (
        "scale",
        "channels [GHz]",
        "smoothing [deg]",
        "condition of responses",
        "norm of weights",
        "response to CMB",
    )
    return Table(columns, rows, "Needlet scales of the set that is used.")
