"""Forecasts: configurations, samples, scalings of CMB errors; a small survey, slow X-ray sums."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.analyses.forecast import forecast_names, load_forecast, parse_forecast, run_forecast
from diffaxion.analyses.forecast_cmb import (
    SurveyNoise,
    bandpower_variance,
    sample_distribution,
    sample_names,
    sigma_u,
    survey_windows,
)
from diffaxion.data import load_table
from diffaxion.errors import ConfigurationError
from diffaxion.inference import elasticities
from diffaxion.likelihoods.bandpower_covariance import spectrum_at
from diffaxion.products.forecast import (
    forecast_curves,
    forecast_summary,
    plot_forecast,
    plot_gradients,
    write_forecast,
)
from diffaxion.sky import Foregrounds, survey_channels, survey_names

SMALL = {"surveys": ["planck"], "n_z": 6, "n_mass": 12, "ell_max": 601}


def test_ready_configurations_are_valid():
    names = forecast_names()
    assert {"nustar-longer", "planck", "so", "so-lsst", "cmb-s4"} <= set(names)
    for name in names:
        found, settings = load_forecast(name)
        assert found == name
        assert settings.title
        if settings.cmb is not None:
            assert set(settings.cmb.surveys) <= set(survey_names())
            assert settings.cmb.galaxies in sample_names()
            sample = load_table("galaxy_samples")
            if settings.cmb.galaxies in sample["name"]:
                k = list(sample["name"]).index(settings.cmb.galaxies)
                assert settings.cmb.f_sky <= sample["f_sky"][k]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cmb": {"survey": ["planck"]}}, "surveys"),
        ({"xray": {}, "mases_eV": [1e-13, 1e-12]}, "masses_eV"),
        ({}, r"\[xray\] or \[cmb\]"),
        ({"cmb": {"f_sky": 1.5}}, "f_sky = 1.5"),
        ({"cmb": {}, "masses_eV": [1e-12, 1e-13]}, "low < high"),
    ],
)
def test_bad_configurations_are_refused(values, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_forecast(values, "test")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"cmb": {**SMALL, "surveys": ["plank"]}}, "planck"),
        ({"cmb": {**SMALL, "galaxies": "lsst-glod"}}, "lsst-gold"),
        ({"cmb": {**SMALL, "deproject": ["tzs"]}}, "tsz"),
        ({"xray": {"exposures_ks": {"arches": 100.0}}}, "no published spectrum"),
    ],
)
def test_unknown_names_are_refused_before_any_work(section, message):
    settings = parse_forecast(section, "test")
    with pytest.raises(ConfigurationError, match=message):
        run_forecast("test", settings)


def test_unknown_forecast_lists_the_nearest():
    with pytest.raises(ConfigurationError, match="so-lsst"):
        load_forecast("so-lst")


def test_samples():
    """dN/dz has integral 1; LSST year 10 has its mean redshift by quadrature; shot noise 1/n."""
    curve, shot, source = sample_distribution("lsst-gold")
    z = np.linspace(0.0, 5.0, 2001)
    assert np.trapezoid(np.asarray(curve(jnp.asarray(z))), z) == pytest.approx(1.0, abs=1e-5)
    shape = z**2 * np.exp(-((z / 0.28) ** 0.9))
    mean = np.trapezoid(z * np.asarray(curve(jnp.asarray(z))), z)
    assert mean == pytest.approx(np.trapezoid(z * shape, z) / np.trapezoid(shape, z), rel=1e-5)
    assert shot == pytest.approx((np.pi / 10800) ** 2 / 48.0)
    assert "1809.01669" in source
    assert sample_distribution("unwise-blue")[0] is None


@pytest.fixture(scope="module")
def errors():
    """Windows, noise, galaxies and the jitted limit in units of its reference."""
    windows = survey_windows(751)
    ell = windows.window_ell
    # A power law near the halo model's spectrum.
    gg = spectrum_at(ell, windows.node_ell, 1.6e-6 * (np.asarray(windows.node_ell) / 300.0) ** -1.1)
    noise = SurveyNoise(
        survey_channels("planck"), Foregrounds(), jnp.asarray(0.5), jnp.asarray(8.9e-8)
    )
    bands = jnp.array([-3e-8, -2e-8, -1e-8])

    @eqx.filter_jit
    def g(noise, factor):
        variance = bandpower_variance(noise, windows, gg, ("tsz",), jnp.log(factor))
        return jnp.sqrt(sigma_u(bands, variance))

    return windows, noise, g


def test_limit_scales_with_the_quarter_root_of_the_sky(errors):
    windows, noise, g = errors
    np.testing.assert_array_equal(windows.ell_lo, [302.0, 452.0, 602.0])
    one = jnp.ones(3)
    twice = eqx.tree_at(lambda n: n.f_sky, noise, jnp.asarray(1.0))
    assert float(g(twice, one) / g(noise, one)) == pytest.approx(2.0**-0.25, rel=1e-12)
    by, by_map = elasticities(g, noise, one)
    assert float(by.f_sky) == pytest.approx(-0.25, rel=1e-12)
    # The map's noise in all bins together, and shot noise less than all of the galaxies.
    assert float(by_map.sum()) == pytest.approx(0.25, rel=1e-12)
    assert 0.0 < float(by.shot_noise_sr) < 0.25
    h = 1e-4
    for k in (4, 5):
        white = noise.channels.white_uK_arcmin
        ends = [
            eqx.tree_at(lambda n: n.channels.white_uK_arcmin, noise, white.at[k].mul(np.exp(s)))
            for s in (h, -h)
        ]
        difference = (jnp.log(g(ends[0], one)) - jnp.log(g(ends[1], one))) / (2 * h)
        assert float(by.channels.white_uK_arcmin[k]) == pytest.approx(float(difference), rel=1e-5)


def test_no_signal_has_no_limit():
    variance = jnp.ones(2)
    assert float(sigma_u(jnp.zeros(2), variance)) == np.inf
    assert np.all(np.isfinite(jax.grad(lambda b: 1.0 / sigma_u(b, variance))(jnp.zeros(2))))


@pytest.mark.slow
def test_a_small_survey_from_channels_to_files(tmp_path):
    """Signal goes as B^2, so that all radii together give d ln g/d ln B = -1."""
    settings = parse_forecast({"cmb": SMALL, "reference_mass_eV": 5e-13}, "small")
    found = run_forecast("small", settings, np.array([4e-13, 5e-13, 8e-13]))
    (part,) = found.parts
    maps = {m.key: m for m in part.maps}
    radial = maps["field_halos"]
    width = np.gradient(np.log(radial.at))
    width[[0, -1]] *= 0.5
    assert float(np.sum(radial.value * width)) == pytest.approx(-1.0, rel=1e-6)
    assert float(maps["map_noise"].value.sum()) == pytest.approx(0.25, rel=1e-9)
    assert part.facts["dlng_dlnfsky"] == pytest.approx(-0.25, rel=1e-9)
    np.testing.assert_allclose(
        part.g95_bayes_GeV / part.g95_GeV, 1.2472808716548702 / 1.6448536**0.5
    )
    assert part.facts["g95_GeV"] == pytest.approx(part.g95_GeV[1], rel=1e-12)
    (tmp_path / "limits").mkdir()
    written = write_forecast(tmp_path, found, {"seed": None})
    names = {p.name for p in written}
    assert {"forecast.json", "limits.csv", "forecast.png", "gradients_cmb.png"} <= names
    assert all(p.stat().st_size > 100 for p in written)


@pytest.fixture
def made():
    """A forecast that needed no calculation."""
    from diffaxion.analyses.forecast import Forecast, ForecastPart, GradientMap

    mass = np.geomspace(1e-13, 1e-12, 4)
    g = np.array([np.inf, 2e-12, 1e-12, 3e-12])
    maps = (
        GradientMap("a", "channels", "", np.arange(2), np.array([0.1, -0.2]), ("x", "y")),
        GradientMap("b", "line", "r", RADII, -RADII, log_axis=True),
        GradientMap("c", "bins", "l", RADII, RADII),
    )
    part = ForecastPart(
        "cmb", "survey", mass, g, 0.97 * g, 2.0 * g, [], maps, {"reference_mass_eV": 5e-13}
    )
    return Forecast("made", parse_forecast({"cmb": {}}, "made"), (part,))


RADII = np.geomspace(0.1, 1.1, 5)


def test_curves_and_figures_of_a_forecast(made):
    curves = {(c.curve, c.method): c for c in forecast_curves(made)}
    assert set(curves) == {
        ("cmb", "expected"), ("cmb", "expected-bayes"), ("cmb-present", "expected"),
    }  # fmt: skip
    assert list(curves["cmb", "expected"].status) == ["NO_SENSITIVITY", "OK", "OK", "OK"]
    assert curves["cmb", "expected-bayes"].prior == "uniform g >= 0"
    figure = plot_forecast(made)
    assert "not a measurement" in figure.axes[0].get_title()
    axes = plot_gradients(made.parts[0]).axes
    assert [a.get_title() for a in axes[:3]] == ["channels", "line", "bins"]
    summary = forecast_summary(made)
    assert summary["parts"]["cmb"]["gradients"]["a"]["at"] == ["x", "y"]
    assert "not a measurement" in summary["nature"]


@pytest.mark.slow
def test_sums_of_the_xray_derivatives():
    """Exposures -1/8, backgrounds 1/8, fields -1/2 in all; ten times longer is 10^(-1/8)."""
    values = {"xray": {"exposures_ks": {"quintuplet": 390.0, "wd1": 1380.0}}}
    settings = parse_forecast(values | {"reference_mass_eV": 1e-12}, "xray")
    (part,) = run_forecast("xray", settings, np.array([1e-13, 1e-12])).parts
    np.testing.assert_allclose(part.g95_GeV / part.baseline_GeV, 10.0**-0.125, rtol=1e-9)
    maps = {m.key: m for m in part.maps}
    assert maps["exposure"].value.sum() == pytest.approx(-0.125, rel=1e-9)
    background = [m.value.sum() for k, m in maps.items() if k.startswith("background")]
    assert sum(background) == pytest.approx(0.125, rel=1e-9)
    field = [m.value.sum() * (m.at[1] - m.at[0]) for k, m in maps.items() if k.startswith("field")]
    # Maps sample the lines anew, limits take them from tables: 3e-6.
    assert sum(field) == pytest.approx(-0.5, rel=2e-5)
    assert part.facts["best_split_g95_GeV"] <= part.facts["g95_GeV"] * (1 + 1e-9)
    assert part.facts["g95_without_nuisances_GeV"] < part.facts["g95_GeV"]
