"""Figures: what is drawn, with which labels, and that equal figures give equal files."""

import importlib.util
import io

import numpy as np
import pytest

from diffaxion.errors import ConfigurationError, DataError
from diffaxion.products import (
    LimitCurve,
    SpectrumPanel,
    figure_bytes,
    load_overlay,
    overlay_names,
    plot_conversion,
    plot_corner,
    plot_limits,
    plot_nuisances,
    plot_spectra,
    published_spectrum_panels,
    published_star_cluster_limits,
    save_figure,
)
from diffaxion.products.limit_plots import _spread


def _lines(axes, colour):
    return [x for x in axes.lines if x.get_color() == colour]


@pytest.fixture(scope="module")
def flagged():
    curve = published_star_cluster_limits()["quintuplet"]
    status = np.where(curve.m_a_eV > 1.1e-10, "FIELD_STRUCTURE", "OK")
    status[3] = "NOT_BRACKETED"
    bands = (curve.median, curve.minus1, curve.plus1, curve.plus2)
    return LimitCurve("quintuplet", "pcl", "", curve.m_a_eV, curve.limit, status, *bands)


def test_limits_are_solid_dashed_or_missing_by_status(flagged):
    figure = plot_limits([flagged])
    (axes,) = figure.axes
    solid, dashed = _lines(axes, "#8b0000")
    assert solid.get_linestyle() == "-"
    assert dashed.get_linestyle() == "--"
    np.testing.assert_array_equal(np.isfinite(solid.get_ydata()), flagged.ok)
    drawn = np.isfinite(dashed.get_ydata())
    field = flagged.status == "FIELD_STRUCTURE"
    assert np.all(drawn[field])
    assert np.sum(drawn & ~field) == 1, "the dashes join the last good mass"
    texts = [t.get_text() for t in figure.legends[0].get_texts()]
    assert "set by field structure" in texts
    assert any("median expected" in t for t in texts)


def test_axes_have_units_and_both_scales_are_logarithmic(flagged):
    axes = plot_limits([flagged]).axes[0]
    assert "[eV]" in axes.get_xlabel()
    assert "GeV$^{-1}$" in axes.get_ylabel()
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_every_overlay_in_range_is_labelled_once(flagged):
    overlays = [load_overlay(n) for n in overlay_names()]
    axes = plot_limits([flagged], overlays=overlays).axes[0]
    shown = [t.get_text() for t in axes.texts]
    assert sorted(shown) == sorted(o.label for o in overlays)
    bottom, top = axes.get_ylim()
    for text in axes.texts:
        y = text.get_position()[1] if not hasattr(text, "xy") else text.xy[1]
        assert bottom < y < top


def test_labels_are_spread_without_changing_their_order():
    wanted = np.array([0.0, 0.01, -0.02, 5.0])
    placed = _spread(wanted, 1.0)
    assert np.all(np.diff(np.sort(placed)) >= 1.0 - 1e-6)
    assert list(np.argsort(placed)) == list(np.argsort(wanted))
    assert placed[3] == 5.0


def test_bands_are_those_of_the_named_curve(flagged):
    other = published_star_cluster_limits()["wd1"]
    figure = plot_limits([flagged, other], band="wd1")
    texts = [t.get_text() for t in figure.legends[0].get_texts()]
    assert any(t.startswith("wd1") and "expected" in t for t in texts)
    assert not any(t.startswith("quintuplet:") for t in texts)
    with pytest.raises(ConfigurationError, match="did you mean 'wd1'"):
        plot_limits([flagged, other], band="wd2")
    joint = published_star_cluster_limits()["joint"]
    with pytest.raises(DataError, match="no expected limits"):
        plot_limits([joint], band="joint")
    with pytest.raises(DataError, match="at least one curve"):
        plot_limits([])


def test_spectra_mask_the_bins_that_the_paper_does_not_use():
    panels = published_spectrum_panels()
    assert [int(p.used.sum()) for p in panels] == [14, 13]
    figure = plot_spectra(panels)
    assert len(figure.axes) == 2
    assert all(axes.get_xlabel() == "energy [keV]" for axes in figure.axes)
    assert "counts keV$^{-1}$ s$^{-1}$" in figure.axes[0].get_ylabel()
    # Off-scale points of masked bins are written as numbers: 9.8; -7.3 and -6.0.
    written = [[t.get_text() for t in axes.texts] for axes in figure.axes]
    assert written == [["9.8"], ["-7.3", "-6.0"]]
    with pytest.raises(DataError, match="at least one panel"):
        plot_spectra([])
    with pytest.raises(DataError, match="flux has shape"):
        SpectrumPanel(
            "x", np.ones(3), 1.0, np.ones(2), np.ones(3), np.ones(3), "", np.ones(3, bool)
        )


def test_conversion_has_one_panel_for_each_axis_that_is_given():
    energy, mass = np.linspace(10, 80, 5), np.geomspace(1e-13, 1e-9, 6)
    p = {"JF12": np.full(5, 1e-4)}
    q = {"JF12": np.geomspace(1e-4, 1e-11, 6), "UF23": np.geomspace(1e-5, 1e-12, 6)}
    assert len(plot_conversion(energy, p).axes) == 1
    figure = plot_conversion(energy, p, mass, q)
    assert [a.get_xlabel().split("[")[1] for a in figure.axes] == ["keV]", "eV]"]
    texts = [t.get_text() for t in figure.axes[1].get_legend().get_texts()]
    assert texts == ["JF12", "UF23", "set by field structure"]
    with pytest.raises(DataError, match="needs probabilities"):
        plot_conversion(energy)


@pytest.fixture(scope="module")
def draws():
    z = np.random.default_rng(3).normal(size=(3, 2, 400))
    return {"axion.u": np.abs(z[0]), "galaxy.b_x_muG": z[1], "d_kpc": z[2]}


@pytest.mark.parametrize("use_corner", [False, True])
def test_corner(draws, use_corner):
    if use_corner and importlib.util.find_spec("corner") is None:
        pytest.skip("corner is not installed")
    figure = plot_corner(draws, {"d_kpc": r"$d$ [kpc]"}, use_corner=use_corner)
    assert len(figure.axes) == (9 if use_corner else 6), "panels above the diagonal are empty"
    labels = {a.get_xlabel() for a in figure.axes}
    assert {"axion.u", "galaxy.b_x_muG", "$d$ [kpc]"} <= labels
    assert figure_bytes(figure).startswith(b"\x89PNG")


def test_corner_survives_a_constant_parameter(draws):
    figure = plot_corner({**draws, "fixed": np.ones((2, 400))}, use_corner=False)
    assert figure_bytes(figure).startswith(b"\x89PNG")


def test_nuisances_show_quantiles_of_the_draws(draws):
    figure = plot_nuisances(draws)
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == list(draws)
    medians = next(line for line in axes.lines if line.get_marker() == "o").get_xdata()
    np.testing.assert_allclose(medians, [np.median(v) for v in draws.values()])


def test_bad_draws_are_refused():
    for call in (plot_corner, plot_nuisances):
        with pytest.raises(DataError, match="no draws"):
            call({})
        with pytest.raises(DataError, match="different lengths"):
            call({"a": np.ones(3), "b": np.ones(4)})
        with pytest.raises(DataError, match="1 non-finite"):
            call({"a": np.array([1.0, np.nan])})


def test_files_are_reproducible_and_leave_the_global_style_alone(tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    one = save_figure(plot_spectra(published_spectrum_panels()), tmp_path / "a.png")
    two = save_figure(plot_spectra(published_spectrum_panels()), tmp_path / "b.png")
    assert one.read_bytes() == two.read_bytes()
    assert dict(matplotlib.rcParams) == before
    pdf = save_figure(plot_spectra(published_spectrum_panels()), tmp_path / "a.pdf")
    assert pdf.read_bytes().startswith(b"%PDF")
    assert matplotlib.image.imread(io.BytesIO(one.read_bytes())).shape[2] == 4
