"""Stars at birth: published moments, inverse functions, draws, and shares of tracks."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaxion.data import load_cluster
from diffaxion.environments.stars import PopulationModel, population_of, track_shares
from diffaxion.errors import ConfigurationError, ValidityError

MODEL = PopulationModel()


# Methods as functions of model and argument, one program for all models.
mass_at = eqx.filter_jit(lambda m, w: m.initial_mass_Msun(w))
speed_at = eqx.filter_jit(lambda m, w: m.rotation_km_s(w))
mass_below = eqx.filter_jit(lambda m, x: m.mass_cdf(x))
slower_than = eqx.filter_jit(lambda m, x: m.rotation_cdf(x))
sample = eqx.filter_jit(lambda m, key, n: m.sample(key, n))


def quantile_mean(function, model):
    """int_0^1 f(w) dw."""
    x, w = np.polynomial.legendre.leggauss(400)
    return float(0.5 * w @ np.asarray(function(model, jnp.asarray(0.5 * (x + 1.0)))))


def test_initial_masses():
    """Mean, median and share above 50 Msun of the power law between 15 and 200 Msun."""
    assert quantile_mean(mass_at, MODEL) == pytest.approx(36.371, abs=2e-3)
    assert float(mass_at(MODEL, jnp.array(0.5))) == pytest.approx(24.907, abs=6e-4)
    assert 1.0 - float(mass_below(MODEL, jnp.array(50.0))) == pytest.approx(0.1808, abs=6e-5)
    # The mean in closed form, from the power law itself.
    a, b = 15.0, 200.0
    mean = (1.3 / 0.3) * (a**-0.3 - b**-0.3) / (a**-1.3 - b**-1.3)
    assert quantile_mean(mass_at, MODEL) == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize(("mean", "expected"), [(150, 184.05), (100, 155.68), (50, 131.53)])
def test_rotation(mean, expected):
    model = PopulationModel(rotation_mean_km_s=mean)
    assert quantile_mean(speed_at, model) == pytest.approx(expected, abs=6e-3)
    ends = speed_at(model, jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(ends, [0.0, 500.0], atol=1e-9)


@given(
    w=st.floats(0.0, 1.0),
    slope=st.floats(-3.0, 5.0),
    low=st.floats(0.1, 50.0),
    ratio=st.floats(1.01, 100.0),
    mean=st.floats(-300.0, 800.0),
)
@settings(max_examples=60, deadline=None)
def test_distributions_invert(w, slope, low, ratio, mean):
    model = PopulationModel(slope, low, low * ratio, mean)
    mass, speed = mass_at(model, jnp.array(w)), speed_at(model, jnp.array(w))
    assert low * (1 - 1e-12) <= mass <= low * ratio * (1 + 1e-12)
    assert 0.0 <= speed <= 500.0
    # Steep laws pack all stars at one end, where a rounded mass stands for many quantiles.
    assert float(mass_below(model, mass)) == pytest.approx(w, abs=1e-9)
    assert float(slower_than(model, speed)) == pytest.approx(w, abs=1e-9)


def test_slope_one_is_continuous():
    w = jnp.linspace(0.0, 1.0, 11)
    at = [PopulationModel(imf_slope=1.0 + d) for d in (-2e-6, -5e-7, 0.0, 5e-7, 2e-6)]
    masses = np.stack([mass_at(m, w) for m in at])
    np.testing.assert_allclose(masses, masses[2] * np.ones((5, 1)), rtol=1e-5)
    np.testing.assert_allclose(masses[2], 15.0 * (200.0 / 15.0) ** np.asarray(w), rtol=1e-12)
    for model in at:
        np.testing.assert_allclose(mass_below(model, mass_at(model, w)), w, atol=1e-10)


def test_draws_follow_the_distributions():
    n = 20_000
    stars = sample(MODEL, jax.random.key(4), n)
    # Three standard errors of the means.
    assert float(jnp.mean(stars.initial_mass_Msun > 50.0)) == pytest.approx(0.1808, abs=0.0082)
    assert float(jnp.mean(stars.rotation_km_s)) == pytest.approx(184.05, abs=2.4)
    age = np.asarray(stars.age_Myr)
    assert 3.0 <= age.min() < 3.001
    assert 3.599 < age.max() <= 3.6
    assert age.mean() == pytest.approx(3.3, abs=0.004)
    assert np.all(np.asarray(stars.metallicity) == 0.035)
    again = sample(MODEL, jax.random.key(4), n)
    assert np.array_equal(stars.initial_mass_Msun, again.initial_mass_Msun)
    correlation = np.corrcoef(np.log(stars.initial_mass_Msun), stars.rotation_km_s)[0, 1]
    assert abs(correlation) < 0.03


def test_population_of_a_target():
    model = population_of(load_cluster("wd1"))
    assert (float(model.age_min_Myr), float(model.age_max_Myr)) == (4.5, 7.1)
    assert float(model.imf_slope) == 2.3
    assert float(model.rotation_sigma_km_s) == 140.0
    with pytest.raises(ConfigurationError, match=r"betelgeuse.*population"):
        population_of(load_cluster("betelgeuse"))


def test_shares_are_integrals_of_the_power_law():
    masses = np.array([20.0, 40.0, 60.0, 85.0, 120.0])
    shares = track_shares(MODEL, masses)
    edges = np.sqrt(masses[1:] * masses[:-1])
    expected = np.diff([0.0, *np.asarray(mass_below(MODEL, jnp.asarray(edges))), 1.0])
    # The shares are counted on 2000 stars.
    np.testing.assert_allclose(shares, expected, atol=6e-4)


def test_shares_of_a_grid_in_two_numbers():
    masses, speeds = (x.ravel() for x in np.meshgrid([20.0, 60.0, 120.0], [0.0, 200.0, 400.0]))
    shares = track_shares(MODEL, masses, speeds).reshape(3, 3)
    rotation = np.diff([0.0, *np.asarray(slower_than(MODEL, jnp.array([100.0, 300.0]))), 1.0])
    np.testing.assert_allclose(shares.sum(axis=1), rotation, atol=0.01)
    np.testing.assert_allclose(shares, np.outer(rotation, shares.sum(axis=0)), atol=0.01)
    twice = track_shares(MODEL, [*masses, masses[0]], [*speeds, speeds[0]])
    assert twice[0] == twice[-1] == pytest.approx(0.5 * shares[0, 0])
    assert twice.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mass_min_Msun": 300.0}, "mass_min_Msun < mass_max_Msun"),
        ({"mass_min_Msun": -1.0}, "mass_min_Msun > 0"),
        ({"rotation_sigma_km_s": 0.0}, "rotation_sigma_km_s > 0"),
        ({"rotation_max_km_s": 0.0}, "rotation_max_km_s > 0"),
        ({"age_min_Myr": 4.0}, "age_min_Myr < age_max_Myr"),
        ({"metallicity": np.nan}, "finite"),
    ],
)
def test_impossible_populations(change, words):
    with pytest.raises(ValidityError, match=words):
        PopulationModel(**change)


def test_impossible_tracks():
    for masses, speeds in (([-1.0, 2.0], None), ([1.0, np.nan], None), ([1.0], [np.inf])):
        with pytest.raises(ValidityError, match="track_shares"):
            track_shares(MODEL, masses, speeds)
