"""Spectra of populations and the anchored shape of a cluster."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.conversion import AnchoredShape, class_spectra
from diffaxion.conversion.stellar import band_nodes, thermal_nodes
from diffaxion.data import read_history
from diffaxion.environments.stars import bundled_population, population_from_history
from diffaxion.environments.stars.population import CLASSES
from diffaxion.errors import ConfigurationError

QUINTUPLET = jnp.array([13.0, 1.0])
WESTERLUND_1 = jnp.array([8.0, 14.0])


@pytest.fixture(scope="module")
def shape():
    model = AnchoredShape()
    return model, jax.jit(lambda *args: model(*args))


@pytest.mark.parametrize("counts", [QUINTUPLET, WESTERLUND_1])
@pytest.mark.parametrize(("ln_t", "tilt"), [(0.0, 0.0), (-0.3, 0.0), (0.0, 1.5)])
def test_shape_is_normalised(shape, counts, ln_t, tilt):
    energy = jnp.linspace(10.0, 80.0, 281)
    values = np.asarray(shape[1](energy, counts, jnp.array(ln_t), jnp.array(tilt)))
    assert np.all(values > 0)
    # Trapezoid with 0.25 keV steps: its own error is below 1e-4.
    assert np.trapezoid(values, energy) == pytest.approx(1.0, abs=1e-4)


def test_halving_the_core_temperature_changes_the_shape(shape):
    energy = jnp.array([12.5, 37.5, 77.5])
    base = shape[1](energy, QUINTUPLET, jnp.array(0.0), jnp.array(0.0))
    cool = shape[1](energy, QUINTUPLET, jnp.log(jnp.array(0.5)), jnp.array(0.0))
    ratio = np.asarray(cool / base)
    assert ratio[0] > 1.5
    assert ratio[2] < 0.3


def test_shape_responds_smoothly_to_temperature(shape):
    energy = jnp.array([15.0, 60.0])

    def at(x):
        return shape[0](energy, QUINTUPLET, x, 0.0)

    slope = jax.jit(jax.jacfwd(at))(jnp.array(0.0))
    h = 1e-4
    numeric = (at(jnp.array(h)) - at(jnp.array(-h))) / (2 * h)
    np.testing.assert_allclose(slope, numeric, rtol=1e-6)
    assert slope[0] < 0 < slope[1]


def test_tilt_is_a_power_law(shape):
    energy = jnp.array([15.0, 30.0, 60.0])
    base = shape[1](energy, QUINTUPLET, jnp.array(0.0), jnp.array(0.0))
    tilted = shape[1](energy, QUINTUPLET, jnp.array(0.0), jnp.array(2.0))
    ratio = np.asarray(tilted / base)
    np.testing.assert_allclose(ratio / ratio[1], [0.25, 1.0, 4.0], rtol=1e-12)


def test_shape_follows_star_counts(shape):
    energy = jnp.array([15.0, 60.0])
    population = shape[0].population
    wc, wn = class_spectra(population, energy, ("WC", "WN"))
    mixed = 13 * wc + wn
    found = shape[1](energy, QUINTUPLET, jnp.array(0.0), jnp.array(0.0))
    assert float(found[0] / found[1]) == pytest.approx(float(mixed[0] / mixed[1]), rel=1e-12)
    with pytest.raises(ConfigurationError, match="class of stars"):
        class_spectra(population, energy, ("RSG",))


@pytest.fixture(scope="module")
def track(shared):
    return read_history(shared / "data/ssc/mesa_history.csv")


def class_luminosities(population):
    """(10-80 keV, total) of a mean star of each class [erg/s]; one compilation per population."""
    band, band_weight = band_nodes(10.0, 80.0)
    y, w = thermal_nodes()
    scale = jnp.max(population.t_c_keV)
    energy = jnp.concatenate([band, scale * y])
    spectra = class_spectra(population, energy, CLASSES)
    split = band.shape[0]
    return spectra[:, :split] @ band_weight, spectra[:, split:] @ (scale * w)


def test_bundled_nodes_stand_for_the_track(track):
    full = population_from_history(track)
    nodes = bundled_population()
    assert nodes.label == "one 85 Msun track"
    assert not np.any(nodes.outside_validity)
    energy = jnp.geomspace(10.0, 80.0, 8)
    spectra = jax.jit(lambda p: class_spectra(p, energy, CLASSES))
    ratio = spectra(nodes) / spectra(full)
    # The fast passage to helium ignition makes WNh the hardest to condense.
    np.testing.assert_allclose(ratio, 1.0, atol=5e-3)


def test_step_weighting_against_time_weighting(track):
    luminosities = jax.jit(class_luminosities)
    by_time = luminosities(population_from_history(track, weight="time"))
    by_step = luminosities(population_from_history(track, weight="step"))
    band, whole = (np.asarray(s / t) for s, t in zip(by_step, by_time, strict=True))
    np.testing.assert_allclose(band, [7.6, 0.97, 1.00, 1.8], rtol=0.05)
    np.testing.assert_allclose(whole, [6.8, 0.96, 1.00, 3.1], rtol=0.05)
    # A mean WC star of this track, 10-80 keV at g = 1e-12 GeV^-1.
    assert float(by_time[0][2]) == pytest.approx(5.9e33, rel=0.02)
