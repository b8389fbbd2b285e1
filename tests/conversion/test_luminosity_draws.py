"""Luminosities of clusters drawn from ensembles: spectra in bins, moments, modes, T12."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.conversion import (
    EnsembleSpectra,
    band_luminosity,
    bin_rule,
    class_spectra,
    draw_luminosities,
    ensemble_shape,
    ensemble_spectra,
    spectrum_modes,
    total_luminosity,
)
from diffaxion.data import read_tracks
from diffaxion.environments.stars import (
    PopulationModel,
    bundled_population,
    ensemble_from_tracks,
    ensemble_of,
)
from diffaxion.errors import ConfigurationError, ValidityError

QUINTUPLET = {"WC": 13, "WN": 1}


@pytest.fixture(scope="module")
def nodes():
    return ensemble_spectra(ensemble_of(bundled_population()))


# Both users pass 43 energies and share one program.
spectra_of = eqx.filter_jit(class_spectra)
CLASSES = ("WNh", "WN", "WC", "WO")


@pytest.fixture(scope="module")
def draws(nodes):
    """Four stars of a wide class: enough spread for every moment."""
    return draw_luminosities(nodes, {"WO": 4}, jax.random.key(7), 4000)


def test_bin_rule_is_exact_for_polynomials():
    energy, weights = bin_rule([10.0, 12.0, 30.0])
    assert energy.size == 7
    np.testing.assert_allclose([energy[0], energy[3], energy[-1]], [10.0, 12.0, 30.0])
    found = weights @ energy**5
    np.testing.assert_allclose(found, [(12.0**6 - 10.0**6) / 6, (30.0**6 - 12.0**6) / 6])
    for edges in ([10.0], [10.0, 10.0], [-1.0, 2.0], [3.0, 2.0]):
        with pytest.raises(ValidityError, match="increasing"):
            bin_rule(edges)


def test_bins_and_totals_against_zone_sums(nodes):
    stars = bundled_population().stars()
    totals = eqx.filter_jit(lambda s: (band_luminosity(s, 10.0, 80.0), total_luminosity(s)))
    for k in (0, 16, 35):
        band, total = totals(jax.tree.map(lambda x, k=k: x[k], stars))
        # A cold star falls by e^3 inside a bin of 5 keV.
        assert float(jnp.sum(nodes.bins_erg_s[k])) == pytest.approx(float(band), rel=2e-6)
        assert float(nodes.total_erg_s[k]) == pytest.approx(float(total), rel=1e-9)


def test_class_means_against_class_spectra(nodes):
    mean = spectra_of(bundled_population(), nodes.energy_keV, CLASSES)
    band = np.asarray(mean @ jnp.sum(nodes.bin_weights, axis=0))
    found = nodes.class_means()
    np.testing.assert_allclose([float(found[c][0]) for c in CLASSES], band, rtol=1e-9)


def test_step_weighting_against_time_weighting(shared):
    """T12: four valid pairs of ratios, in 10-80 keV and over all energies, to 5 %."""
    tracks = read_tracks(shared / "data/ssc/mesa_history.csv")
    means = {}
    for weight in ("time", "step"):
        ensemble = ensemble_from_tracks(
            tracks, PopulationModel(), weight=weight, age_window=False, log_t_c_max=8.7
        )
        means[weight] = ensemble_spectra(ensemble).class_means()
    expected = {"WNh": (7.6, 6.8), "WN": (0.97, 0.96), "WC": (1.00, 1.00), "WO": (1.8, 3.1)}
    for name, pair in expected.items():
        found = [float(s / t) for s, t in zip(means["step"][name], means["time"][name])]
        np.testing.assert_allclose(found, pair, rtol=0.05, err_msg=name)
    # 10-80 keV, time-weighted: the WC phase gives 5.9e33, less than the 8.5e33 erg/s that the
    # published luminosity of Quintuplet needs.
    assert float(means["time"]["WC"][0]) == pytest.approx(5.9e33, rel=0.01)


def test_moments_of_draws(nodes, draws):
    weights = np.asarray(nodes.class_weights("WO"))
    bins = np.asarray(nodes.bins_erg_s)
    one, mean = bins.sum(axis=1), weights @ bins
    variance = weights @ (one - weights @ one) ** 2
    band = np.asarray(draws.band_erg_s)
    # Four standard errors.
    assert band.mean() == pytest.approx(4 * weights @ one, abs=4 * np.sqrt(4 * variance / 4000))
    assert band.var() == pytest.approx(4 * variance, rel=0.25)
    error = np.sqrt(weights @ (bins - mean) ** 2 / 16_000)
    found = np.asarray(draws.mean_spectrum) @ np.asarray(nodes.bin_weights).T
    assert np.all(np.abs(found - 4 * mean) < 4 * 4 * error)
    low, middle, high = np.quantile(band, [0.16, 0.5, 0.84])
    np.testing.assert_allclose(draws.band_quantiles_erg_s, [low, middle, high], rtol=1e-12)
    assert float(draws.sigma_ln) == pytest.approx(0.5 * np.log(high / low))
    np.testing.assert_allclose(
        draws.ln_covariance, np.cov(np.log(np.asarray(draws.bins_erg_s)).T), rtol=1e-9
    )
    np.testing.assert_allclose(draws.by_class_erg_s[:, 0], band, rtol=1e-12)


def test_draws_are_reproducible_and_count_stars(nodes):
    key = jax.random.key(1)
    one = draw_luminosities(nodes, QUINTUPLET, key, 50)
    assert np.array_equal(one.band_erg_s, draw_luminosities(nodes, QUINTUPLET, key, 50).band_erg_s)
    other = draw_luminosities(nodes, QUINTUPLET, jax.random.key(2), 50)
    assert not np.array_equal(one.band_erg_s, other.band_erg_s)
    np.testing.assert_allclose(one.by_class_erg_s.sum(axis=1), one.band_erg_s, rtol=1e-12)
    # All WC stars lie between the faintest and the brightest node.
    band = np.asarray(nodes.bins_erg_s.sum(axis=1))[np.asarray(nodes.class_weights("WC")) > 0.0]
    wc = np.asarray(one.by_class_erg_s[:, one.names.index("WC")])
    assert 13 * band.min() <= wc.min() <= wc.max() <= 13 * band.max()
    # Twenty stars need another padding than thirteen.
    many = draw_luminosities(nodes, {"WC": 20}, key, 50)
    assert 20 * band.min() <= float(many.band_erg_s.min())
    assert float(many.band_erg_s.max()) <= 20 * band.max()


def test_share_of_flagged_stars(nodes):
    """Two kinds of stars, one flagged: shares and quantiles are known."""
    spectrum = jnp.ones((2, nodes.energy_keV.size)) * jnp.array([[1.0], [3.0]])
    two = EnsembleSpectra(
        nodes.low_keV,
        nodes.high_keV,
        nodes.energy_keV,
        nodes.bin_weights,
        spectrum,
        jnp.array([100.0, 300.0]),
        jnp.array([0.5, 0.5]),
        jnp.array([0, 0]),
        jnp.array([False, True]),
        ("WO",),
        "two stars",
    )
    found = draw_luminosities(two, {"WO": 1}, jax.random.key(0), 4000)
    hot = float(np.mean(np.asarray(found.band_erg_s) > 100.0))
    assert hot == pytest.approx(0.5, abs=0.032)
    assert float(found.flagged_share) == pytest.approx(3 * hot / (1 + 2 * hot))
    assert float(found.sigma_ln) == pytest.approx(0.5 * np.log(3.0))
    assert set(np.unique(np.asarray(found.total_erg_s))) == {100.0, 300.0}


def test_all_modes_reproduce_the_covariance(draws):
    modes, left = spectrum_modes(draws, 14, share=1.0)
    at_bins = np.asarray(draws.bins_erg_s)
    covariance = np.cov(np.log(at_bins).T)
    # The covariance of ln S on the nodes at the edges, without going through bins.
    nodes = np.cov(np.log(np.asarray(draws.spectrum)).T)
    np.testing.assert_allclose(modes.T @ modes, nodes, rtol=2e-3, atol=1e-6 * nodes.max())
    assert left == pytest.approx(0.0, abs=0.25 * float(draws.sigma_ln))
    few, _ = spectrum_modes(draws, 3)
    assert len(few) <= 3
    np.testing.assert_allclose(few, modes[: len(few)], rtol=1e-9, atol=1e-12)
    assert np.trace(covariance) > 0.0
    none, all_left = spectrum_modes(draws, 0)
    assert none.shape == (0, modes.shape[1])
    assert all_left == pytest.approx(float(draws.sigma_ln))
    with pytest.raises(ConfigurationError, match="modes = -1"):
        spectrum_modes(draws, -1)


def test_shape_of_an_ensemble(nodes, draws):
    modes, _ = spectrum_modes(draws)
    shape = ensemble_shape(draws, modes)
    assert shape.range_keV == (10.0, 80.0)
    x, w = np.polynomial.legendre.leggauss(43)
    energy = jnp.asarray(45.0 + 35.0 * x)
    run = eqx.filter_jit(lambda s, e, k: s(e, k))
    assert float(35.0 * w @ run(shape, energy, jnp.array(0.0))) == pytest.approx(1.0, abs=1e-6)
    # The tilt leaves the normalisation, and multiplies by (E/30 keV)^k apart from it.
    tilted = run(shape, energy, jnp.array(0.5))
    assert float(35.0 * w @ tilted) == pytest.approx(1.0, abs=1e-6)
    slope = tilted / run(shape, energy, jnp.array(0.0)) / (energy / 30.0) ** 0.5
    np.testing.assert_allclose(slope, slope[0], rtol=1e-12)
    # One standard normal moves ln S by its mode, here at the nodes.
    moved = eqx.tree_at(lambda s: s.z, shape, shape.z.at[0].set(1.0))
    at = jnp.asarray(draws.energy_keV)
    change = jnp.log(run(moved, at, jnp.array(0.0)) / run(shape, at, jnp.array(0.0)))
    np.testing.assert_allclose(change, modes[0], rtol=1e-9, atol=1e-12)
    # Between the nodes: against the exact mean spectrum of the class.
    exact = spectra_of(bundled_population(), energy, CLASSES)[3]
    found = run(shape, energy, jnp.array(0.0))
    ratio = np.asarray(found / exact)
    # 16000 stars: the mean spectrum is known to about 1 %.
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, atol=0.02)


def test_bad_requests(nodes):
    key = jax.random.key(0)
    with pytest.raises(ConfigurationError, match="'WC'"):
        draw_luminosities(nodes, {"WX": 2}, key)
    with pytest.raises(ConfigurationError, match="two draws"):
        draw_luminosities(nodes, {"WC": 2}, key, 1)
    with pytest.raises(ConfigurationError, match="expected stars"):
        draw_luminosities(nodes, {"WC": 0}, key)
