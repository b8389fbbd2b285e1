"""Figures and files of count images."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from astropy.table import Table

from diffaxion.analyses import CountFlux, expected_signal, read_observation
from diffaxion.analyses.limit_curves import MassScan
from diffaxion.analyses.xray_fit import CountFit
from diffaxion.data import bundled_observation
from diffaxion.errors import DataError
from diffaxion.inference.limits import LimitResult, LimitStatus
from diffaxion.observables.xray import image_psf, nustar_psf
from diffaxion.products import (
    figure_bytes,
    flux_points_ecsv,
    image_view,
    plot_bin_counts,
    plot_count_images,
    plot_flux_points,
)
from diffaxion.products.xray import scan_curve
from diffaxion.products.xray_files import fit_summary
from diffaxion.products.xray_images import contained_arcsec


@pytest.fixture(scope="module")
def observation():
    return read_observation(bundled_observation())


@pytest.fixture(scope="module")
def signal(observation):
    return expected_signal(observation.stack, np.ones(7), observation.stars)


def flux(**changes):
    low = np.array([10.0, 20.0, 30.0])
    fields = {
        "low_keV": low,
        "high_keV": low + 10.0,
        "flux": np.array([1.0, -0.2, 0.1]),
        "plus": np.array([0.5, 0.4, 0.3]),
        "minus": np.array([0.4, 0.3, 0.2]),
        "sigma": np.array([0.45, np.inf, 0.25]),
        "signal": np.ones((2, 3)),
        "expected_background": np.full((2, 3), 10.0),
        "counts": np.full((2, 3), 11.0),
        "a_at_zero": np.array([False, False, True]),
        "at_boundary": np.array([False, True, False]),
    }
    return CountFlux(**(fields | changes))


def fit(statuses=(0, 1)):
    """Two masses, two images of two bins."""
    ones = np.ones(2)
    strength = LimitResult(
        *(ones * k for k in (100, 50, 180, 180, 80, 40, 120, 170, 4, 2)), statuses
    )
    strength = replace(strength, a_95=np.array([180.0, -5.0]), status=np.array(statuses))
    scan = MassScan("wd1", np.array([1e-13, 1e-11]), strength, strength.to_coupling(), ones, ones)
    rows = np.ones((2, 4))
    low, high = np.array([10.0, 20.0, 10.0, 20.0]), np.array([20.0, 40.0, 20.0, 40.0])
    scale = np.array([[1.0, 1.1, 0.0, 0.9], [1.0, 1.0, 1.0, 1.0]])
    return CountFit(
        scan, ("wd1",) * 4, ("a", "a", "b", "b"), low, high, 10.0 * rows[0], scale, 9.0 * rows, rows
    )


def test_ninety_per_cent_of_a_point():
    """1.74 arcmin is the published radius; numbers of the PSF itself; an image of it."""
    psf = nustar_psf()
    radius = contained_arcsec(psf)
    assert radius / 60.0 == pytest.approx(1.74, abs=0.02)
    assert float(psf.enclosed(radius)) == pytest.approx(0.9, abs=1e-3)
    y, x = np.indices((401, 401)) - 200.0
    image = image_psf(np.asarray(psf.density(2.5 * x, 2.5 * y)), 2.5)
    # The image ends at 500 arcsec, where 0.9915 of the light is inside.
    assert contained_arcsec(image, 0.9 / 0.9915) == pytest.approx(radius, rel=0.03)


def test_a_view_holds_the_counts(observation, signal):
    view = image_view(observation, signal, shown_arcsec=5.0)
    assert view.title == "Quintuplet (simulated), 10-80 keV"
    assert view.stars_arcmin.shape == (2, 14)
    # At the pixels of the data every count is shown, and background is fitted bin by bin.
    stack = observation.stack
    used = stack.mask.all(axis=0)
    assert np.array_equal(np.isfinite(view.excess), used)
    assert np.nansum(view.excess) == pytest.approx(0.0, abs=1e-6 * stack.counts.sum())
    assert np.nansum(view.template) < 1.0
    hard = image_view(observation, signal, (40.0, 80.0))
    assert hard.title.endswith("40-80 keV")
    assert hard.pixel_arcsec == pytest.approx(2.0 * view.pixel_arcsec)
    # The brightest pixel of the template is next to the middle of the stars.
    k = np.unravel_index(np.nanargmax(view.template), view.template.shape)
    assert np.hypot(view.east_arcmin[k], view.north_arcmin[k]) < 0.6
    with pytest.raises(DataError, match="no bin lies inside 1-5 keV"):
        image_view(observation, signal, (1.0, 5.0))


def test_the_image_is_drawn_with_its_parts(observation, signal):
    figure = plot_count_images([image_view(observation, signal)])
    axes = figure.axes[0]
    labels = axes.get_legend_handles_labels()[1]
    assert labels == ["90 % of a point source", "region of interest", "stars"]
    assert "simulated" in axes.get_title()
    assert axes.get_xlim()[0] > axes.get_xlim()[1]  # east to the left
    assert len(axes.child_axes) == 1
    assert "star list stars.csv" in [t.get_text() for t in axes.texts]
    assert figure_bytes(figure).startswith(b"\x89PNG")
    with pytest.raises(DataError):
        plot_count_images([])


def test_the_colours_can_be_read_in_grey():
    from matplotlib import colormaps

    from diffaxion.products.xray_images import _COLOURS

    rgb = colormaps[_COLOURS](np.linspace(0.0, 1.0, 64))[:, :3]
    assert np.all(np.diff(rgb @ [0.299, 0.587, 0.114]) > 0.0)


def test_flux_points_are_drawn_and_written():
    curve = ("axion", np.array([0.8, 0.4, 0.2]))
    figure = plot_flux_points(flux(), [curve], "target (simulated)")
    (axes,) = figure.axes
    assert axes.get_legend_handles_labels()[1] == [
        "axion",
        "fit of each bin",
        "at the edge of the domain",
    ]
    figure_bytes(figure)
    text = flux_points_ecsv(flux(), {"target": "it's", "nature": "simulated"})
    table = Table.read(text, format="ascii.ecsv")
    assert table["error"].tolist() == [0.45, 0.4, 0.25]
    assert table["counts"].tolist() == [22.0] * 3
    assert table["at_boundary"].tolist() == [0, 1, 0]
    assert table.meta["target"] == "its"


def test_fits_are_drawn_and_summarised():
    figure = plot_bin_counts(fit(), 0, "wd1 (simulated)")
    assert figure.axes[0].get_ylabel() == "counts per keV"
    figure_bytes(figure)
    # Bins of two targets that overlap, with a gap: steps join only what touches.
    ends = {"low_keV": np.array([10.0, 20.0, 15.0, 30.0]), "high_keV": [20.0, 30.0, 20.0, 35.0]}
    ends = {name: np.asarray(v) for name, v in ends.items()}
    steps = plot_bin_counts(replace(fit(), targets=("a", "a", "b", "b"), **ends)).axes[0].patches
    drawn = {tuple(s.get_data().edges.tolist()) for s in steps}
    assert drawn == {(10.0, 20.0, 30.0), (15.0, 20.0), (30.0, 35.0)}
    summary = fit_summary([fit()])["wd1"]
    first, second = summary["masses"]
    assert first["g_95_GeV"] == pytest.approx(1e-12 * 180.0**0.25)
    assert first["flags"] == ["background at zero in 10-20 keV"]
    assert (second["g_95_GeV"], second["status"]) == (None, "NEGATIVE_LIMIT")
    assert second["flags"] == ["NEGATIVE_LIMIT"]
    assert summary["bins_at_m_a_eV"] == 1e-13
    assert [b["image"] for b in summary["bins"]] == ["a", "a", "b", "b"]


def test_power_constrained_limits_exist_at_the_edge_of_the_domain():
    scan = fit().scan
    held = scan.strength.flag(LimitStatus.AT_BOUNDARY, jnp.array([True, False]))
    pcl, raw = (
        scan_curve(replace(scan, strength=held), "anchored", "anchored", method)
        for method in ("pcl", "q")
    )
    assert list(raw.status) == ["AT_BOUNDARY", "NEGATIVE_LIMIT"]
    assert list(pcl.status) == ["OK", "OK"]
    np.testing.assert_array_equal(pcl.limit, np.asarray(scan.coupling.pcl))
