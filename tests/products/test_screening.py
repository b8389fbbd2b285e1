"""What ``limit screening`` writes, from a toy spectrum: tables, figures, summary, files."""

import json

import numpy as np
import pytest

from diffaxion.analyses.screening_data import asimov_data, noise_data
from diffaxion.analyses.screening_limits import screening_limits
from diffaxion.analyses.screening_run import published_recast, recast_data, toy_covariance
from diffaxion.data import load_table, read_bandpowers
from diffaxion.errors import DataError
from diffaxion.observables.cmb.bandpowers import top_hat_windows
from diffaxion.products import read_limits
from diffaxion.products import screening as products
from diffaxion.products import screening_summary as words
from diffaxion.products.screening_plots import plot_bandpowers, point_values, spread_masses
from diffaxion.provenance import provenance_record

MASSES = np.array([2.2e-13, 3e-13, 6e-13, 1.2e-12, 2e-12])
OPTIONS = {"configuration": "default", "field": "tng-smooth"}


def spectra_of(windows, amplitude):
    """Spectra per unit u that fall as 1/l, one row per amplitude [1e-8 uK at l = 1000]."""
    return -1e-8 * np.outer(amplitude, 1000.0 / np.asarray(windows.node_ell))


@pytest.fixture(scope="module")
def windows():
    return top_hat_windows()


@pytest.fixture(scope="module")
def noise(windows):
    """Limits on simulated noise, the last mass without any conversion, and their spectra."""
    data = noise_data(toy_covariance(), 4, windows)
    spectra = spectra_of(windows, [1.0, 3.0, 2.0, 0.5, 0.0])
    return screening_limits(MASSES, spectra @ np.asarray(windows.matrix).T, data), spectra


@pytest.fixture(scope="module")
def recast(windows):
    """Limits of the fiducial model behind the published curve from that curve."""
    likelihood = published_recast()
    rows = np.asarray(likelihood.fiducial(MASSES))
    return screening_limits(MASSES, rows, recast_data(likelihood, windows))


@pytest.fixture(scope="module")
def written(noise, tmp_path_factory):
    folder = tmp_path_factory.mktemp("products")
    limits, spectra = noise
    summary = words.screening_summary(limits, OPTIONS, {"gas": "sh"})
    record = provenance_record(4, OPTIONS)
    products.write_screening_products(folder, limits, spectra, summary, record, ["2409.10514"])
    products.write_realisation(folder / "bandpowers.npz", limits)
    return folder, summary


def test_the_published_curve_between_and_beyond_its_points():
    curve = words.published_screening_limit()
    assert (curve.m_a_eV.size, curve.prior) == (156, "uniform_g")
    np.testing.assert_allclose(words.published_at(curve.m_a_eV), curve.limit_raw, rtol=1e-12)
    middle = np.sqrt(curve.m_a_eV[1:] * curve.m_a_eV[:-1])
    expected = np.sqrt(curve.limit_raw[1:] * curve.limit_raw[:-1])
    np.testing.assert_allclose(words.published_at(middle), expected, rtol=1e-10)
    assert np.isnan(words.published_at(np.array([1.7e-13, 2.6e-12]))).all()


def test_summary_holds_every_mass(noise):
    limits, _ = noise
    summary = words.screening_summary(limits, OPTIONS, {"gas": "sh"})
    assert [m["m_a_eV"] for m in summary["masses"]] == list(MASSES)
    for k, row in enumerate(summary["masses"][:4]):
        assert row["sigma_u"] == float(limits.sigma[k])
        assert row["u_hat"] == float(limits.u_hat[k])
        g = row["g95_GeV"]
        assert set(g) == {"uniform_g", "uniform_g2", "uniform_g4", "log10_g"}
        assert g["log10_g"] < g["uniform_g"] < g["uniform_g2"] < g["uniform_g4"]
        ratio = g["uniform_g"] / words.published_at(MASSES)[k]
        np.testing.assert_allclose(row["ratio_to_published"], ratio, rtol=1e-12)
        pcl = np.asarray(limits.coupling.pcl)
        assert row["profile_GeV"]["pcl"] == pcl[k]
    silent = summary["masses"][4]
    assert silent["status"] == "NO_SENSITIVITY"
    assert np.isnan(silent["g95_GeV"]["uniform_g"])
    assert (summary["overrides"], summary["configuration"]) == ({"gas": "sh"}, "default")
    assert summary["strongest"]["m_a_eV"] == 3e-13
    assert (summary["chi2"], summary["dof"], summary["pte"]) == (
        limits.chi2_null,
        11,
        limits.p_null,
    )
    assert summary["data"]["seed"] == 4


def test_lines_name_the_kind_of_data_and_the_ratio(noise, recast):
    limits, _ = noise
    summary = words.screening_summary(limits, OPTIONS, {})
    lines = words.screening_lines(summary)
    assert "not a measurement" in lines[0]
    assert sum("ratio" in x for x in lines) == 4
    assert "m_a = 2e-12 eV: no limit, NO_SENSITIVITY" in lines
    assert lines[-1].startswith("chi^2 without signal")
    # The recast has no chi^2, but assumptions.
    summary = words.screening_summary(recast, OPTIONS, {})
    text = words.screening_lines(summary)
    assert len([x for x in text if x.startswith("  (")]) == 6
    assert not any("chi^2" in x for x in text)
    for row in summary["masses"]:
        np.testing.assert_allclose([row["R"], row["ratio_to_published"]], 1.0, rtol=1e-5)


def test_files(noise, written):
    folder, summary = written
    limits, _ = noise
    curves = {(c.method, c.prior.split(" ")[0]): c for c in read_limits(folder / "limits.csv")}
    main = curves["bayes", "uniform_g"]
    np.testing.assert_allclose(main.limit[:4], limits.bayes["uniform_g"].limit[:4], rtol=1e-12)
    assert list(main.status) == ["OK"] * 4 + ["NO_SENSITIVITY"]
    assert main.curve == "screening-noise-4"
    text = (folder / "limits/screening-noise-4_bayes.txt").read_text()
    assert "prior uniform_g\n" in text
    assert "# data: simulated noise, seed 4: not a measurement" in text
    assert "left out: 1 masses with status NO_SENSITIVITY" in text
    other = (folder / "limits/screening-noise-4_bayes-log10-g.txt").read_text()
    assert "prior log10_g in [-14, -10.5]" in other
    assert other.splitlines()[-1] != text.splitlines()[-1]
    # The file is the summary, with what JSON lacks as null.
    again = json.loads((folder / "summary.json").read_text())
    assert again["masses"][:4] == summary["masses"][:4]
    assert again["masses"][4]["sigma_u"] is None
    report = (folder / "report.html").read_text()
    assert "simulated noise, seed 4: not a measurement" in report
    assert "given explicitly: gas = sh" in report
    assert "Constraints on axions from patchy screening" in report
    assert json.loads((folder / "provenance.json").read_text())["seed"] == 4


def test_realisation_is_readable(noise, written):
    limits, _ = noise
    found = read_bandpowers(written[0] / "bandpowers.npz")
    np.testing.assert_array_equal(found.cl_Tg_uK, np.asarray(limits.data.points.data))
    np.testing.assert_allclose(found.cov_uK2, toy_covariance(), rtol=1e-12)
    np.testing.assert_allclose(found.window.sum(axis=1), 1.0, rtol=1e-12)
    assert (found.ell_lo[0], found.ell_hi[-1]) == (302.0, 1951.0)


def test_limit_figure_shows_ours_over_the_published(noise):
    limits, _ = noise
    curves = products.screening_curves(limits)
    figure = products.screening_limit_figure([curves[0]], "a title")
    axes = figure.axes[0]
    labels = axes.get_legend_handles_labels()[1]
    assert "Planck x unWISE, published" in labels
    assert any("median expected" in x for x in labels)
    shown = " ".join(t.get_text() for t in axes.texts)
    assert "CAST" in shown
    assert "unWISE" not in shown
    low, high = axes.get_ylim()
    assert low < 1.2e-12 < 6.63e-11 < high
    ticks = [t.get_text() for t in axes.get_xticklabels()]
    assert r"$3\times10^{-13}$" in ticks


def test_limit_figure_without_any_limit_shows_the_published(windows):
    data = asimov_data(toy_covariance(), windows)
    limits = screening_limits(MASSES, np.zeros((5, 11)), data)
    figure = products.screening_limit_figure(products.screening_curves(limits)[:1])
    assert figure.axes[0].get_xlim()[1] > 2.5e-12
    summary = words.screening_summary(limits, OPTIONS, {})
    assert "there is no limit" in words.summary_sentence(summary)
    assert spread_masses(limits) == []
    plot_bandpowers(limits, np.zeros((5, np.asarray(windows.node_ell).size)))


def test_bandpower_figure_draws_points_and_spectra(noise):
    limits, spectra = noise
    figure = plot_bandpowers(limits, spectra, title="a title")
    axes = figure.axes[0]
    handles, labels = axes.get_legend_handles_labels()
    assert "simulated noise, not a measurement" in labels
    picked = spread_masses(limits)
    assert set(picked) <= {0, 1, 2, 3}
    assert len([x for x in labels if "m_a" in x]) == len(picked)
    lines = {h.get_label(): h for h in handles if hasattr(h, "get_ydata")}
    for k in picked:
        label = next(x for x in lines if f"m_a={MASSES[k] / 1e-13:.3g}\\times" in x)
        g = limits.bayes["uniform_g"].limit[k] / 1e-12
        ell = np.asarray(limits.data.windows.node_ell)
        np.testing.assert_allclose(
            lines[label].get_ydata(), 1e6 * ell * g**2 * spectra[k], rtol=1e-12
        )
    # Distinct without colour.
    assert len({lines[x].get_linestyle() + str(lines[x]._unscaled_dash_pattern) for x in lines}) > 1
    with pytest.raises(DataError, match=r"\(masses, nodes\)"):
        plot_bandpowers(limits, spectra[:, :-1])


def test_errors_of_the_points(noise, recast):
    limits, _ = noise
    value, error = point_values(limits)
    np.testing.assert_array_equal(value, np.asarray(limits.data.points.data))
    np.testing.assert_allclose(error**2, np.diag(toy_covariance()), rtol=1e-12)
    value, error = point_values(recast)
    np.testing.assert_array_equal(value, 0.0)
    table = load_table("toy_bandpower_variance")
    np.testing.assert_allclose(error**2, table["var_tsz_cib_dbeta"], rtol=1e-12)
