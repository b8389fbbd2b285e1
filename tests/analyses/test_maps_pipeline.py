"""The map pipeline on a small simulated sky: recovery, restart, files, residual templates."""

from dataclasses import replace
from pathlib import Path

import healpy
import numpy as np
import pytest

from diffaxion.analyses.maps_clean import Deprojected, make_set, response_key
from diffaxion.analyses.maps_config import load_maps_configuration
from diffaxion.analyses.maps_input import FileInput, SkyInput, maps_input, split_name
from diffaxion.analyses.maps_measure import make_measurer
from diffaxion.analyses.maps_pipeline import FIDUCIAL, maps_summary, plan_maps, run_maps
from diffaxion.analyses.maps_prepare import default_peaks, geometry, prepare_maps
from diffaxion.analyses.maps_residuals import CrossPower, cib_cross, residual_bandpowers
from diffaxion.analyses.maps_simulation import cib_cross_uK, simulated_sky, write_sky
from diffaxion.analyses.maps_stages import stage_done, write_stage
from diffaxion.analyses.screening_data import file_data
from diffaxion.data.bandpowers import read_bandpowers, write_bandpowers
from diffaxion.data.healpix_write import write_healpix_map
from diffaxion.errors import ConfigurationError, DataError
from diffaxion.sky.nilc_result import push_through
from diffaxion.sky.transforms import cross_spectrum
from tests import maps_models as models


class Stopped(BaseException):
    """An interruption, as by a signal."""


def stop_at(step):
    def report(text, done):
        if text == step:
            raise Stopped

    return report


def test_signal_is_recovered_and_foregrounds_are_not_there():
    """With tSZ, CIB and dbeta deprojected what was put in comes out; without, it does not."""
    result = models.result()
    use = result.measurer.use
    injected = result.injected()
    assert np.all(injected < 0.0)
    measured = result.measured[FIDUCIAL]
    assert measured.null_test(use, injected).pte > 0.01
    assert measured.null_test(use).pte < 1e-6
    assert result.measured["nothing"].null_test(use, injected).pte < 1e-4
    # The gain, fitted: the ILC bias is 1 per cent, the error of one sky larger.
    c = measured.cov_uK2[use, use]
    weight = np.linalg.solve(c, injected[use])
    gain = weight @ measured.cl_Tg_uK[use] / (weight @ injected[use])
    assert abs(gain - 1.0) < 4.0 * (weight @ injected[use]) ** -0.5


def test_summary_and_lines_say_what_it_is():
    result = models.result()
    summary = maps_summary(result)
    assert "simulated" in summary["nature"]
    assert summary["preserve"] == "screening"
    # What is put into a simulated sky is no signal of dark photons.
    dark = replace(result.plan, settings=models.settings(cleaning={"preserve": "dark-photon"}))
    assert replace(result, plan=dark).injected() is None
    assert summary["sets"][FIDUCIAL]["deprojected"] == ["tsz", "cib", "cib-dbeta"]
    assert summary["injected"]["test"]["dof"] == result.measurer.bins.size - 2
    assert set(summary["residuals"]["names"]) == {"cib_temperature", "cib_beta"}
    text = "\n".join(result.plan.lines())
    for word in ("memory", "scale 0", "simulated", "120 arcmin"):
        assert word in text
    assert "biased" not in text
    other = replace(result.plan, settings=models.settings(simulation={"cib_beta": 1.2}))
    assert "cib_beta = 1.2, but cleaning assumes 24 and 1.75" in other.lines()[-1]
    for scale in summary["scales"][FIDUCIAL]:
        assert scale["responses"]["screening"] == pytest.approx(1.0, abs=1e-9)
        assert abs(scale["responses"]["cib"]) < 1e-6 * abs(scale["responses"]["dust"]) + 1e-3


def test_bandpowers_are_read_by_limits(tmp_path):
    result = models.result()
    path = write_bandpowers(tmp_path / "bandpowers.npz", result.bandpowers())
    found = read_bandpowers(path)
    assert found.n_bins == result.measurer.bins.size - 2
    assert found.fwhm_arcmin == 120.0
    assert "simulated" in found.nature
    data = file_data(found)
    assert data.residuals.names == ("cib_temperature", "cib_beta")
    everything = result.bandpowers(all_bins=True)
    np.testing.assert_array_equal(everything.cl_Tg_uK[2:], found.cl_Tg_uK)
    assert result.bandpowers("nothing").residual_names == ()
    # Windows of the file times theory give what the measurement predicts.
    cl = result.plan.source.sky.spectra.cross("galaxies", "screening")
    theory = np.asarray(data.windows.from_all(cl[np.asarray(data.windows.window_ell, int)]))
    np.testing.assert_allclose(theory, result.injected()[2:], rtol=1e-9)


def test_an_interrupted_run_goes_on(tmp_path):
    """Stopped in the middle of the scales: the rest gives the numbers of an undisturbed run."""
    plan = plan_maps(models.settings(), models.sky())
    with pytest.raises(Stopped):
        run_maps(plan, tmp_path, stop_at("needlet scale 3"), measure=False)
    kept = sorted(p.name for p in (tmp_path / "scales").iterdir())
    assert {n.split("-")[1] for n in kept} == {"00", "01", "02"}
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.npz")}
    again = run_maps(plan, tmp_path)
    for path, made in times.items():
        assert path.stat().st_mtime_ns == made, f"{path.name} was made again"
    whole = models.result()
    for label in whole.cleaned:
        np.testing.assert_allclose(
            again.cleaned[label].result.alm, whole.cleaned[label].result.alm, rtol=0, atol=1e-12
        )
    np.testing.assert_allclose(
        again.measured[FIDUCIAL].cl_Tg_uK, whole.measured[FIDUCIAL].cl_Tg_uK, rtol=1e-9
    )
    # Another spectrum of the CIB does not meet the weights of this one.
    other = models.settings(
        cleaning={"cib": "own", "cib_temperature_K": 20.0, "cib_beta": 1.5, "also": {}}
    )
    changed = run_maps(plan_maps(other, models.sky()), tmp_path)
    gap = changed.measured[FIDUCIAL].cl_Tg_uK - whole.measured[FIDUCIAL].cl_Tg_uK
    assert np.all(np.abs(gap) > 1e-4 * whole.measured[FIDUCIAL].error_uK)


def test_files_give_the_same_as_memory(tmp_path):
    """The sky on disk, with the configuration written beside it, and in memory."""
    path = write_sky(tmp_path, models.sky(), models.settings())
    settings = load_maps_configuration(path)
    found = run_maps(plan_maps(settings))
    whole = models.result()
    assert isinstance(found.plan.source, FileInput)
    assert found.nature == whole.nature
    for label in whole.measured:
        np.testing.assert_allclose(
            found.measured[label].cl_Tg_uK, whole.measured[label].cl_Tg_uK, rtol=1e-7
        )
        np.testing.assert_allclose(
            found.measured[label].cov_uK2, whole.measured[label].cov_uK2, rtol=1e-6
        )
    np.testing.assert_allclose(found.residuals.values_uK, whole.residuals.values_uK, rtol=1e-6)
    assert found.injected() is None


def test_missing_pixels_must_be_covered(tmp_path):
    """UNSEEN outside of the masks that are filled in is refused with file and count."""
    sky = models.sky()
    broken = sky.maps_K[0].copy()
    valid = np.flatnonzero(sky.masks["holes"] > 0.0)[:7]
    broken[valid] = healpy.UNSEEN
    path = write_sky(tmp_path, sky, models.settings())
    write_healpix_map(tmp_path / "frequency_030.fits", broken, "K_CMB")
    settings = load_maps_configuration(path)
    # Before any work: the plan reads everything once.
    with pytest.raises(DataError, match=r"frequency_030.fits: 7 pixels.*UNSEEN.*files.fill"):
        plan_maps(settings)
    # Or they are filled in at all channels, and no pixel of theirs is measured.
    values = settings.files.model_copy(update={"fill_missing": True})
    filling = maps_input(settings.model_copy(update={"files": values}))
    found = filling.temperature("143")
    assert not found.valid[valid].any()
    assert found.valid.sum() == sky.masks["holes"].sum() - 7
    assert not filling.galaxies(sky.nside).temperature_mask[valid].any()
    assert filling.filled(sky.nside // 2).sum() < found.valid.sum() / 4
    Path(tmp_path / "frequency_044.fits").unlink()
    with pytest.raises(DataError, match=r"frequency_044.fits: no such file"):
        plan_maps(settings)


def test_dipole_and_holes_do_not_matter():
    """A dipole of 3 mK, and anything in the pixels that are filled in, change nothing."""
    sky = models.sky()
    rng = np.random.default_rng(0)
    vector = np.array(healpy.pix2vec(sky.nside, np.arange(sky.maps_K.shape[1])))
    holes = np.where(sky.masks["holes"] > 0.0, 0.0, rng.normal(size=sky.maps_K.shape[1]))
    moved = sky.maps_K + 1e-3 + 3.36e-3 * vector[0] + holes
    settings = models.settings()
    plain = SkyInput(sky)
    chosen = geometry(settings, plain)
    a = prepare_maps(settings, plain, chosen)
    b = prepare_maps(settings, SkyInput(replace(sky, maps_K=moved)), chosen)
    for x, y in zip(a.alms, b.alms):
        np.testing.assert_allclose(y, x, rtol=0, atol=1e-11)
    assert b.report["143"]["dipole_K"][0] == pytest.approx(3.36e-3, rel=0.05)
    assert a.report["143"]["filled_fraction"] > 0.0
    few = a.select(("143", "217"))
    assert few.names == ("143", "217")
    np.testing.assert_array_equal(few.alms[1], a.alms[5])


def test_pixel_windows_of_maps_and_galaxies_are_accounted_for():
    """Averaged over pixels, the same sky gives the same bandpowers to their errors."""
    values = {
        "pixel_windows": True,
        "components": ["screening", "noise"],
        "noise_factor": 1e-4,
        "counts": "none",
    }
    cleaning = {"deprojected": [], "also": {}}
    settings = models.settings(simulation=values, cleaning=cleaning, residuals={"enabled": False})
    result = run_maps(plan_maps(settings))
    without = models.settings(
        simulation=values | {"pixel_windows": False},
        cleaning=cleaning,
        residuals={"enabled": False},
    )
    plain = run_maps(plan_maps(without))
    a, b = result.measured[FIDUCIAL], plain.measured[FIDUCIAL]
    # Screening follows the galaxies closely: what is left is the quadrature of the pixels.
    np.testing.assert_allclose(a.cl_Tg_uK[2:], b.cl_Tg_uK[2:], rtol=0.02)
    assert result.prepared.windows is not None


def test_residual_templates_against_the_weights_themselves():
    """R_b from mean shares, and a CIB of another spectrum sent through the frozen weights."""
    result = models.result()
    sky, cleaner, measurer = result.plan.source.sky, result.plan.cleaner, result.measurer
    measured = result.measured[FIDUCIAL]
    galaxies = sky.truth["galaxies"]
    gg = cross_spectrum(galaxies, galaxies)
    clean = replace(
        measurer, galaxies=healpy.alm2map(galaxies, sky.nside, lmax=result.prepared.lmax)
    )

    # A CIB that is 1000 uK times the galaxies: no noise, no scatter.
    class Power(CrossPower):
        def at(self, ell):
            return 1e3 * gg[: ell.size]

    wanted = _alternatives(result)
    cross = Power(1.0, 0.0, 100.0, 0.0, "test")
    found = residual_bandpowers(
        result.cleaned[FIDUCIAL], measured, cleaner, measurer, cross, wanted
    )
    table = cleaner.responses(result.prepared.names, {})
    for row, choice in zip(found.values_uK, wanted.values()):
        response = table[response_key("cib", (choice.temperature_K, choice.beta))]
        alms = [
            healpy.almxfl(1e-3 * r * galaxies, b) for r, b in zip(response, result.prepared.beams)
        ]
        out = push_through(result.cleaned[FIDUCIAL].result, alms)
        values = healpy.alm2map(out, sky.nside, lmax=result.prepared.lmax)
        exact = clean.measure(values, measured.fwhm_arcmin).cl_Tg_uK
        # In units of the errors, with the CIB at its own strength.
        real = cib_cross_uK(sky) / (1e3 * gg[50] * 2.0**1.2)
        gap = np.abs(row - exact) * real / measured.error_uK
        assert np.all(
            gap[2:] < np.maximum(2e-3, 0.05 * np.abs(exact * real / measured.error_uK)[2:])
        )
        # At the fiducial spectrum nothing is left; here something is.
        assert np.abs(exact).max() > 0.0


def test_cross_spectrum_of_the_cib_is_measured_where_it_is_brightest():
    """Without the Galaxy: what was put in, from 545 GHz, wherever that stands in the list."""
    names = ["545", "030", "100", "143", "217", "353"]
    given = models.settings(
        simulation={"components": ["cmb", "tsz", "cib", "noise"], "sources": 0},
        channels={"names": names},
    )
    plan = plan_maps(given)
    prepared = prepare_maps(given, plan.source, plan.chosen)
    measurer = make_measurer(given, plan.chosen, plan.source.galaxies(models.NSIDE))
    found = cib_cross(prepared, replace(plan.cleaner, settings=given), measurer)
    assert found.origin == "545 GHz"
    real = cib_cross_uK(plan.source.sky)
    assert found.error_uK < 0.1 * real
    # A power law stands for a spectrum that is one to a few per cent.
    assert abs(found.amplitude_uK - real) < 4.0 * found.error_uK


def _alternatives(result):
    from diffaxion.analyses.maps_residuals import alternatives_of

    return alternatives_of(result.plan.settings, result.plan.cleaner)


def test_more_components_than_channels_is_refused_before_any_work():
    many = ["tsz", "cib", "cib-dbeta", "cib-dT", "cmb", "dust", "synchrotron", "free-free"]
    settings = models.settings(cleaning={"deprojected": many})
    with pytest.raises(ConfigurationError) as caught:
        plan_maps(settings, models.sky())
    for word in ("set fiducial", "needlet scale 0", "8 channels", "9 components", "free-free"):
        assert word in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"2 lists of components for 6 needlet scales"):
        plan_maps(models.settings(cleaning={"deprojected": [["tsz"], ["cib"]]}), models.sky())


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"cleaning": {"lmax": 95}}, ["lmax = 95", "3 nside - 1 = 95"]),
        ({"cleaning": {"peaks": [0, 30, 20, 93]}}, ["peaks", "increase"]),
        ({"cleaning": {"memory_GiB": 0.01}}, ["memory_GiB = 0.01", "would need"]),
        ({"cleaning": {"nside": 64}}, ["nside = 64", "own resolution"]),
        ({"measurement": {"bin_width": 40}}, ["no bin of 40", "skip_bins = 2"]),
        ({"measurement": {"lmax": 40, "last_ell": 60}}, ["measurement.lmax = 40", "60"]),
    ],
)
def test_geometry_is_checked(sections, words):
    with pytest.raises(ConfigurationError) as caught:
        run_maps(plan_maps(models.settings(**sections), models.sky()))
    for word in words:
        assert word in str(caught.value)


def test_default_peaks_follow_the_resolution():
    assert default_peaks(64, 188) == (0, 20, 45, 80, 120, 189)
    assert default_peaks(2048, 4096)[-2:] == (2200, 4097)
    assert len(default_peaks(1024, 2600)) == 13
    assert default_peaks(32, 92)[-1] == 93


def test_stages_know_what_they_were_made_from(tmp_path):
    write_stage(tmp_path, {"a": 1}, {"x.npz": {"v": np.ones(2)}}, {"said": "so"})
    assert stage_done(tmp_path, {"a": 1}) == {"said": "so"}
    assert stage_done(tmp_path, {"a": 2}) is None
    (tmp_path / "x.npz").unlink()
    assert stage_done(tmp_path, {"a": 1}) is None
    assert stage_done(tmp_path / "none", {}) is None


def test_names_of_files_and_columns():
    assert split_name("a.fits") == ("a.fits", 0)
    assert split_name("a.fits:GAL070") == ("a.fits", "GAL070")
    assert split_name("a.fits:3") == ("a.fits", 3)
    assert split_name("C:/maps/a.fits") == ("C:/maps/a.fits", 0)


def test_sets_by_scale_and_by_spectrum():
    found = make_set([["tsz", "cib"], ["tsz"]])
    assert found.flat == ("tsz", "cib")
    assert found.keys() == (("tsz", "cib"), ("tsz",))
    other = Deprojected(("tsz", "cib", "cib-dbeta"), (28.0, 1.2))
    assert other.keys() == ("tsz", "cib@28,1.2", "cib-dbeta@28,1.2")


def test_the_seed_decides_the_sky():
    settings = models.settings(simulation={"components": ["cmb", "noise"], "sources": 0})
    a, b, c = (simulated_sky(settings, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(a.maps_K, b.maps_K)
    assert np.abs(a.maps_K - c.maps_K).max() > 1e-5
    assert maps_input(settings, a).nature == a.nature
