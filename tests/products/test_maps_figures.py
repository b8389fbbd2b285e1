"""Figures of the map pipeline: the projection, what is drawn, and that they can be read in grey."""

import healpy
import numpy as np
import pytest

from diffaxion.analyses.maps_variations import RobustnessTest, Series, Variation
from diffaxion.products.maps_curves import plot_cross_spectra, plot_needlets, plot_weights
from diffaxion.products.maps_products import cleaning_figures, measurement_figures, spectra_csv
from diffaxion.products.maps_response_figures import plot_redshifts, plot_responses
from diffaxion.products.maps_robustness_products import (
    COLUMNS,
    markdown_rows,
    plot_variations,
    robustness_rows,
)
from diffaxion.products.maps_sphere import mollweide_pixels, plot_skies, symmetric_limit
from diffaxion.products.plot_style import figure_bytes
from diffaxion.sky.components import Spectra
from diffaxion.sky.needlets import cosine_needlets
from diffaxion.sky.passbands import planck_passbands
from tests import maps_models as models

NSIDE = 16


def test_mollweide_has_equal_areas_and_the_poles_in_place():
    """Each pixel covers the same area; the centre is longitude 0, longitudes grow to the left."""
    pixels = mollweide_pixels(NSIDE, 800)
    assert pixels.shape == (400, 800)
    inside = pixels >= 0
    assert np.mean(inside) == pytest.approx(np.pi / 4.0, rel=0.01)
    count = np.bincount(pixels[inside], minlength=12 * NSIDE**2)
    # 82 points per pixel: their number scatters by the jagged edges.
    assert count.min() > 0.5 * count.mean()
    assert np.std(count) < 0.1 * count.mean()
    lon, lat = healpy.pix2ang(NSIDE, pixels[200, [400, 200, 600]], lonlat=True)
    np.testing.assert_allclose(lat, 0.0, atol=4.0)
    assert min(lon[0], 360.0 - lon[0]) < 4.0
    np.testing.assert_allclose(lon[1:], [90.0, 270.0], atol=4.0)
    top = healpy.pix2ang(NSIDE, pixels[-1][pixels[-1] >= 0], lonlat=True)[1]
    assert np.all(top > 75.0)


def test_limits_of_colours():
    values = np.concatenate([np.linspace(-1.0, 1.0, 1000), [1e6]])
    assert 0.9 < symmetric_limit(values) < 1.1
    assert symmetric_limit(np.zeros(4)) == 1.0
    assert symmetric_limit(np.array([5.0, 100.0]), np.array([1.0, 0.0])) == 5.0


def texts(figure):
    """All text of a figure."""
    found = [t.get_text() for t in figure.texts]
    if figure._suptitle is not None:
        found.append(figure._suptitle.get_text())
    for axes in figure.axes:
        found += [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()]
    return " | ".join(found)


def is_png(figure):
    return figure_bytes(figure).startswith(b"\x89PNG")


def test_maps_name_unit_and_nature():
    values = np.arange(12.0 * NSIDE**2)
    mask = (values > 500.0).astype(float)
    figure = plot_skies(
        {"one": (values, mask), "two": (values, None), "three": (values, None)},
        label=r"$T$ [$\mu$K]", title="simulated: not data", shared=False,
    )  # fmt: skip
    assert "simulated: not data" in texts(figure)
    assert "[$\\mu$K]" in texts(figure)
    assert is_png(figure)


def test_curves_have_labels_and_units():
    filters = cosine_needlets((0, 10, 30, 61), 60)
    names = ("030", "143")
    needlets = plot_needlets(filters, [names, names, names[1:], names[1:]])
    assert "channels used [GHz]" in texts(needlets)
    scales = [dict.fromkeys(names, 1.0), {"143": 2.0}]
    weights = plot_weights({"a": scales, "b": scales, "c": scales}, names)
    assert "mean weight" in texts(weights)
    lo = np.array([2, 12, 22])
    series = {k: (np.ones(3), np.ones(3)) for k in "abcdefg"}
    panels = {"left": series, "right": dict(list(series.items())[:2])}
    cross = plot_cross_spectra(lo, lo + 9, panels, skipped=1, columns=2, title="t")
    assert r"\mu$K" in texts(cross)
    responses = plot_responses(planck_passbands(), Spectra())
    assert "GHz" in texts(responses)
    assert "redshift z" in texts(plot_redshifts())
    for figure in (needlets, weights, cross, responses):
        assert is_png(figure)


@pytest.mark.parametrize("count", [0, 2, 9])
def test_variations_are_drawn_with_their_verdict(count):
    lo = np.array([2, 12, 22])
    base = Series(lo, lo + 9, np.zeros(3), np.eye(3))
    rows = [
        Variation(f"v{k}", base, slice(1, None), np.full(2, 0.1 * k), 0.1 * np.eye(2))
        for k in range(count)
    ]
    test = RobustnessTest("cib", "CIB", base, rows, "difference", 0.01, slice(1, None))
    figure = plot_variations(test, title="simulated")
    assert "CIB: passed" in texts(figure)
    assert "difference / fiducial error" in texts(figure) or count == 0
    assert is_png(figure)
    table = robustness_rows([test])
    assert len(table) == count
    assert all(len(r) == len(COLUMNS) for r in table)
    assert markdown_rows(COLUMNS, table).count("\n") == count + 1


def test_figures_of_a_run():
    """Every picture of the pipeline, from a run at nside 32."""
    result = models.result()
    figures = cleaning_figures(result) | measurement_figures(result)
    assert set(figures) == {
        "maps.png", "galaxies.png", "masks.png", "needlets.png", "weights.png", "responses.png",
        "auto_spectra.png", "cross_spectra.png",
    }  # fmt: skip
    for name in ("maps.png", "cross_spectra.png", "auto_spectra.png", "weights.png"):
        assert "simulated" in texts(figures[name]), name
    rows = [x for x in spectra_csv(result).splitlines() if not x.startswith("#")]
    assert rows[0].startswith("set,ell_lo")
    assert len(rows) == 1 + 2 * result.measurer.bins.size
