"""Figures and tables of the screening reproduction, drawn from a made-up study."""

import json

import numpy as np
import pytest

from diffaxion.analyses.screening_reference import VARIANT_LIMITS, VARIANT_MASSES_EV
from diffaxion.data.registry import load_table
from diffaxion.observables.cmb import screening_sed
from diffaxion.products import screening_halo_figures as halo_figures
from diffaxion.products import screening_reproduction
from diffaxion.products.screening_reproduction import (
    figures_of,
    limit_curves_of,
    write_screening_reproduction,
)
from diffaxion.products.screening_tables import (
    comparison_rows,
    disagreements,
    forecast_table,
    variant_table,
)
from tests.screening_study import made_up_study


@pytest.fixture(scope="module")
def study():
    return made_up_study()


@pytest.fixture(scope="module")
def figures(study):
    return {name: draw() for name, (draw, _) in figures_of(study).items()}


def _texts(figure):
    legends = [*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())]
    return [t.get_text() for legend in legends for t in legend.get_texts()] + [
        legend.get_title().get_text() for legend in legends
    ]


def test_every_figure_of_the_paper_that_can_be_made_is_there(figures):
    wanted = {"2", "3", "S1", "S3", "S11", "S12", "S13", "S14", "S15"}
    assert wanted == {n[6:-4] for n in figures if n.startswith("figure")}
    assert {"breakdown.png", "variants.png"} < set(figures)


def test_axes_have_labels_with_units(figures):
    for name, figure in figures.items():
        labels = [a.get_xlabel() for a in figure.axes] + [a.get_ylabel() for a in figure.axes]
        labels += [t.get_text() for t in (figure._supxlabel, figure._supylabel) if t is not None]
        assert sum(bool(t) for t in labels) >= 2, name
        if name in {"figure3.png", "figureS15.png"}:
            assert "GeV" in " ".join(labels)
            assert "eV]" in " ".join(labels)


@pytest.mark.parametrize(
    "name", ["figure2.png", "figure3.png", "figureS3.png", "figureS11.png", "figureS15.png"]
)
def test_what_is_not_measured_says_so(figures, name):
    assert any("toy" in text for text in _texts(figures[name]))


def test_legends_of_figures_do_not_cover_data(figures):
    for name in ("figure2.png", "figureS13.png"):
        figure = figures[name]
        figure.draw_without_rendering()
        for legend in figure.legends:
            box = legend.get_window_extent()
            for axes in figure.axes:
                assert not box.overlaps(axes.get_window_extent()), name


def test_limits_are_drawn_beside_the_published_curve(figures, study):
    axes = figures["figure3.png"].axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    table = load_table("limits_planck_unwise")
    np.testing.assert_array_equal(lines["published"].get_ydata(), table["g_GeV"])
    np.testing.assert_array_equal(lines["recast, default"].get_ydata(), study.recast_GeV["default"])
    names = [t.get_text() for t in axes.texts]
    assert {"CAST", "SN 1987A", "NuSTAR M82"} < set(names)
    heights = sorted(np.log(t.xyann[1]) for t in axes.texts)
    assert np.min(np.diff(heights)) > 0.1  # no two names on top of each other


def test_spectra_are_negative_and_at_the_published_coupling(figures, study):
    above, below = figures["figure2.png"].axes
    curves = [line for line in below.lines if "m_a" in str(line.get_label())]
    assert len(curves) == 4
    assert all(np.all(line.get_ydata() < 0.0) for line in curves)
    k = study.at(5e-13)
    u = (study.published_GeV[k] / 1e-12) ** 2
    shown = study.ell >= 100.0
    expected = 1e6 * u * study.ell[shown] * study.spectra["default"][k, shown]
    np.testing.assert_allclose(curves[2].get_ydata(), expected, rtol=1e-12)
    assert len(above.containers) == 2


def test_shapes_of_foregrounds():
    nu = np.array([30.0, 143.0, 217.5, 353.0])
    shapes = halo_figures.foreground_seds(nu)
    for values in shapes.values():
        assert values[-1] == pytest.approx(1.0)
    np.testing.assert_allclose(shapes["axion screening"], screening_sed(nu), rtol=1e-12)
    # tSZ: x coth(x/2) - 4 at x = 0.52825 (30 GHz) and 6.21586 (353 GHz), zero at 217.5 GHz.
    assert shapes["tSZ"][0] == pytest.approx(-1.95371 / 2.24026, rel=1e-3)
    assert abs(shapes["tSZ"][2]) < 2e-3
    assert shapes["dark-photon screening"][0] == pytest.approx(56.93, rel=1e-3)
    assert 0.0 < shapes["CIB"][0] < shapes["CIB"][1] < 0.1


def test_tables_repeat_the_numbers(study):
    table = variant_table(study)
    assert [row[0] for row in table.rows] == list(VARIANT_LIMITS)
    k = study.at(VARIANT_MASSES_EV[2])
    ratio = study.expected_GeV["NFW gas"][k] / study.expected_GeV["default"][k]
    assert table.rows[1][3] == f"{ratio:.3f}"
    rows = {row[0]: row[1:] for row in forecast_table(study).rows}
    assert rows["expected/published, tsz-cib"] == ["1.300"] * 8
    assert rows["recast to default/published"] == ["1.050"] * 8


def test_a_wrong_number_is_reported(study):
    rows = comparison_rows(study)["Logarithmic derivatives"]
    assert not any(r.agrees for r in rows if abs(r.published) > 0.1)
    assert "d ln C/d alpha_s" in disagreements(study)[0]


def test_limit_curves_have_distinct_names_and_say_toy(study):
    curves = limit_curves_of(study)
    names = [c.curve for c in curves]
    assert len(set(names)) == len(names)
    for curve in curves:
        assert "toy" in curve.curve or "published" in curve.curve or "recast" in curve.curve
    cut = next(c for c in curves if c.curve == "screening-recast-x-lo-0.2")
    assert set(cut.status) == {"OK", "NO_SENSITIVITY"}


def test_files(study, tmp_path, monkeypatch):
    two = {name: figures_of(study)[name] for name in ("figure3.png", "figureS1.png")}
    monkeypatch.setattr(screening_reproduction, "figures_of", lambda study: two)
    text = write_screening_reproduction(tmp_path, study, {"seed": None})
    for name in ("reproduction.md", "reproduction.json", "report.html", "limits.csv", *two):
        assert (tmp_path / name).stat().st_size > 1000
    assert (tmp_path / "reproduction.md").read_text() == text
    assert text.startswith("No bandpower")
    record = json.loads((tmp_path / "reproduction.json").read_text())
    assert set(record["summaries"]) == {
        "Steps from parity to default",
        "Robustness of the limit",
        "Expected and published limits",
    }
    entry = record["tables"]["Robustness: g95(variant)/g95(default)"][0]
    assert set(entry) == {"quantity", "ours", "reference", "tolerance", "agrees"}
    assert len(record["spectra"]["default"]) == 8
    assert "toy sky" in (tmp_path / "report.html").read_text()
