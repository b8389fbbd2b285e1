"""Figures, tables and files of ``diffaxion reproduce maps``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..analyses.maps_pipeline import FIDUCIAL
from ..analyses.reproduce_maps import (
    MapsStudy,
    limit_rows,
    null_rows,
    scale_rows,
    sky_rows,
)
from ..data.bandpowers import write_bandpowers
from ..provenance import atomic_write, write_json
from .maps_curves import plot_auto_spectra, plot_cross_spectra, plot_needlets, plot_weights
from .maps_products import TEMPERATURE, auto_spectrum, set_label
from .maps_response_figures import plot_redshifts, plot_responses
from .maps_robustness_products import COLUMNS as ROBUSTNESS_COLUMNS
from .maps_robustness_products import (
    isw_record,
    markdown_rows,
    planted_record,
    plot_isw,
    plot_variations,
    robustness_rows,
)
from .maps_sphere import plot_skies
from .plot_style import figure_bytes
from .report import Image, Note, Table, write_report
from .reproduction import comparison_table, markdown_table, row_record

NOTE = (
    "Everything here that is a map or a bandpower is SIMULATED: the published maps and bandpowers "
    "are not available to this program."
)


def figures_of(study: MapsStudy) -> dict[str, tuple[Callable[[], Any], str]]:
    """Figures by name of their file, each with its caption.

    Parameters
    ----------
    study : MapsStudy
        The study.

    Returns
    -------
    dict of str to (callable, str)
        The callable draws the figure.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, figure of the same number.
    """
    result, nature = study.result, study.result.nature
    cleaner, measurer = result.plan.cleaner, result.measurer
    tests = {t.name: t for t in study.tests}
    mask = measurer.temperature_mask
    plan = result.cleaned[FIDUCIAL].result.instrument.plan
    pair = {set_label(result, n): (result.cleaned[n].values, mask) for n in ("nothing", FIDUCIAL)}
    overdensity = {"galaxies": (measurer.galaxies, measurer.galaxy_mask)}
    labels = sorted(result.measured, key=lambda n: len(result.plan.sets[n].flat))
    autos = {set_label(result, n): auto_spectrum(result, n) for n in labels}
    series = {
        set_label(result, n): (result.measured[n].cl_Tg_uK, result.measured[n].error_uK)
        for n in labels
    }
    first = result.measured[FIDUCIAL]
    skipped = result.plan.settings.measurement.skip_bins

    def variations(name: str) -> Callable[[], Any]:
        return lambda: plot_variations(tests[name], title=nature)

    def weights() -> Any:
        rows = {
            set_label(result, n): [
                {c: 1e-6 * float(w) for c, w in zip(s.channels, s.mean_weights)}
                for s in result.cleaned[n].result.scales
            ]
            for n in labels
        }
        return plot_weights(rows, plan.names, title=nature)

    def needlets() -> Any:
        return plot_needlets(plan.filters, [plan.channels(j) for j in range(len(plan.used))])

    def cross() -> Any:
        lo, hi = first.bins.lo, first.bins.hi
        return plot_cross_spectra(lo, hi, {"": series}, skipped=skipped, title=nature)

    def auto() -> Any:
        ell = next(iter(autos.values()))[0]
        return plot_auto_spectra(ell, {k: cl for k, (_, cl) in autos.items()}, title=nature)

    sky = "Simulated sky, no signal."
    return {
        "figureS1.png": (
            lambda: plot_responses(cleaner.bands, cleaner.spectra),
            "Fig. S1: responses. Lines: at one frequency; points: over the bundled passbands.",
        ),
        "figureS2.png": (
            lambda: plot_skies(pair, label=TEMPERATURE, title=nature),
            f"Fig. S2: screening map before and after deprojection. {sky}",
        ),
        "figureS3.png": (auto, f"As Fig. S3: auto-spectra of the cleaned maps. {sky}"),
        "figureS4.png": (
            lambda: plot_skies(overdensity, label="overdensity", title=nature),
            f"As Fig. S4: galaxies. {sky}",
        ),
        "figureS5.png": (
            plot_redshifts,
            "Fig. S5: redshifts of the Blue sample; of the others the mean redshift of the text.",
        ),
        "figureS6.png": (cross, f"Fig. S6: cross-spectra by deprojection. {sky}"),
        "figureS7.png": (
            variations("cib"),
            f"Fig. S7: cross-spectra for other spectra of the CIB. {sky}",
        ),
        "figureS7_moments.png": (
            variations("moments"),
            f"As Fig. S7: dT instead of dbeta, and both. {sky}",
        ),
        "figureS7_green_like.png": (
            lambda: plot_variations(
                next(t for t in study.sample.tests if t.name == "cib"),
                title=f"simulated, mean of {study.sample.skies} small skies: Green-like sample",
            ),
            "As Fig. S7, bottom: a simulated sample that must fail, and does.",
        ),
        "figureS8.png": (variations("masks"), f"Fig. S8: Galactic masks. {sky}"),
        "figureS9.png": (variations("frequencies"), f"Fig. S9: channels removed. {sky}"),
        "figureS10.png": (variations("beam"), f"Fig. S10: common beam. {sky}"),
        "isw.png": (
            lambda: plot_isw(study.isw),
            "Why the lowest bins go: shift of each bin by an injected ISW effect. Simulated.",
        ),
        "needlets.png": (needlets, "Needlets and channels of the simulated sky."),
        "weights.png": (weights, f"Mean weights. {sky}"),
    }


def write_maps_reproduction(folder: Path, study: MapsStudy, record: Mapping[str, Any]) -> str:
    """All files of ``diffaxion reproduce maps``.

    Parameters
    ----------
    folder : Path
        Folder of the results.
    study : MapsStudy
        The study [uK, GeV^-1].
    record : mapping
        Provenance.

    Returns
    -------
    str
        The tables in Markdown, as written to ``reproduction.md``.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    figures = {}
    for name, (draw, caption) in figures_of(study).items():
        png = figure_bytes(draw())
        atomic_write(folder / name, png)
        figures[name] = (png, caption)
    write_bandpowers(folder / "bandpowers.npz", study.result.bandpowers())
    tables = {
        "Needlet scales (Table S1)": scale_rows(),
        "Published null test": null_rows(),
        "Simulated sky": sky_rows(study),
        "Limits with the variances of the pipeline": limit_rows(study.limits),
    }
    suite = robustness_rows(study.tests)
    parts = [NOTE, *(f"### {n}\n\n{markdown_table(rows)}" for n, rows in tables.items())]
    parts.append(f"### Robustness\n\n{markdown_rows(ROBUSTNESS_COLUMNS, suite)}")
    parts += [f"- {text}" for text in (study.sample.sentence, study.isw.sentence)]
    text = "\n\n".join(parts) + "\n"
    atomic_write(folder / "reproduction.md", text)
    numbers = {n: [row_record(r) for r in rows] for n, rows in tables.items()}
    write_json(
        folder / "reproduction.json",
        {
            "paper": "arXiv:2409.10514",
            "nature": NOTE,
            "tables": numbers,
            "robustness": [list(r) for r in suite],
            "sample": planted_record(study.sample),
            "isw": isw_record(study.isw),
            "provenance": dict(record),
        },
    )
    sections: dict[str, Any] = {
        "What is compared": [Note(NOTE), study.sample.sentence, study.isw.sentence],
        "Figures": [Image(png, caption) for png, caption in figures.values()],
        **{n: [comparison_table(rows)] for n, rows in tables.items()},
        "Robustness": [Table(ROBUSTNESS_COLUMNS, suite, "Simulated sky.")],
    }
    write_report(folder / "report.html", "Goldstein et al. 2024: maps", sections, dict(record))
    return text
