"""The surrogate of the screening response: exact directions, errors, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.analyses.recast_probe import recast_probe
from diffaxion.analyses.recast_surrogate import build_surrogate, surrogate_error
from diffaxion.analyses.screening import screening_world
from diffaxion.analyses.screening_config import screening_section
from diffaxion.analyses.screening_nuisances import screening_priors
from diffaxion.errors import ConfigurationError
from diffaxion.parameters import Bindings
from tests.recast_models import MASS_EV, small, small_bindings, written_surrogate

SLOW = "cosmology.a_s"


@pytest.fixture(scope="module")
def setting():
    _, world, probe = small()
    return world, probe, small_bindings(world)


@pytest.fixture(scope="module")
def surrogate(setting):
    world, probe, bindings = setting
    return build_surrogate(probe, world, bindings, MASS_EV, points=8)


@pytest.fixture(scope="module")
def response(setting, surrogate):
    """Value and gradient of the surrogate's response in z and the mass, compiled once."""
    world, _, bindings = setting

    def value(z, m_a_eV):
        at = eqx.tree_at(lambda w: w.axion.m_a_eV, bindings.apply(world, z), m_a_eV)
        return surrogate.response(at)[0]

    return jax.jit(jax.value_and_grad(value, argnums=(0, 1)))


def test_parameters_are_sorted_by_their_effect(surrogate, setting):
    _, _, bindings = setting
    assert set(surrogate.covered) >= set(bindings.names)
    # The amplitudes of gas and field need no polynomial.
    assert surrogate.names == ("halos.gas.beta.amplitude", "halos.hod.alpha_s", SLOW)
    low, high = surrogate.effective_range_eV
    # Four standard deviations of half the shift: more than that of the amplitude alone.
    assert low < MASS_EV * np.exp(-0.6) < MASS_EV * np.exp(0.6) < high


def test_error_on_draws_of_the_priors(surrogate, setting):
    world, probe, bindings = setting
    z = np.random.default_rng(3).standard_normal((12, bindings.size))
    error = surrogate_error(surrogate, probe, world, bindings, z)
    assert error.shape == (12, 1)
    # Three polynomial parameters and smooth edges: 1e-4; the full set has a target of 1 %.
    assert np.sqrt(np.mean(error**2)) < 5e-4


def test_amplitudes_of_gas_and_field_are_exact(surrogate, setting):
    world, probe, bindings = setting
    z = np.zeros((5, bindings.size))
    z[0, 3] = 3.0
    z[1:, 0] = -2.0, -1.0, 1.0, 2.0
    error = surrogate_error(surrogate, probe, world, bindings, z)[:, 0]
    at_rest = surrogate_error(surrogate, probe, world, bindings, np.zeros((1, bindings.size)))
    # A stronger field does not change the error at all; more gas moves along the spline in mass.
    np.testing.assert_allclose(error[0], at_rest[0, 0], atol=1e-12)
    assert np.max(np.abs(error[1:])) < 1e-3


def test_value_and_gradient_are_finite_everywhere(response, setting):
    _, _, bindings = setting
    rng = np.random.default_rng(5)
    for m in (1e-15, 1.7248e-13, 2.0e-13, MASS_EV, 2.5e-12, 3e-12, 1e-7):
        for size in (0.0, 1.0, 8.0):
            z = jnp.asarray(size * rng.standard_normal(bindings.size))
            value, slopes = response(z, jnp.asarray(m))
            assert np.isfinite(value)
            assert all(np.all(np.isfinite(x)) for x in slopes)
            if not 1.7249e-13 < m < 2.584e-12:
                assert value == 0.0
                assert all(np.all(x == 0.0) for x in slopes)


def test_gradient_is_that_of_the_direct_model(response, setting):
    world, probe, bindings = setting
    cache = probe.prepare(world, (*bindings.names[:-1], "axion.m_a_eV"))

    @jax.jit
    def direct(z):
        at = eqx.tree_at(lambda w: w.axion.m_a_eV, bindings.apply(world, z), jnp.asarray(MASS_EV))
        return probe.response(at, cache)[0]

    z = jnp.zeros(bindings.size)
    value, slope = jax.value_and_grad(direct)(z)
    quick, quick_slope = response(z, jnp.asarray(MASS_EV))
    # The cache holds the cosmology, so that its slope is not in the direct one.
    np.testing.assert_allclose(quick_slope[0][:-1] / quick, slope[:-1] / value, atol=2e-3)
    np.testing.assert_allclose(quick_slope[0][3] / quick, 0.6, rtol=1e-12)


def test_mapped_over_draws(response, setting):
    _, _, bindings = setting
    z = jnp.asarray(np.random.default_rng(6).standard_normal((3, bindings.size)))
    many = jax.vmap(lambda x: response(x, jnp.asarray(MASS_EV))[0])(z)
    one = [response(x, jnp.asarray(MASS_EV))[0] for x in z]
    np.testing.assert_allclose(many, one, rtol=1e-12)


def test_effective_mass_solves_its_equation():
    surrogate, world = written_surrogate(), small()[1]

    @jax.jit
    def residual(slope, m_a_eV):
        at = eqx.tree_at(
            lambda w: (w.halos.gas.beta.amplitude, w.axion.m_a_eV), world, (slope, m_a_eV)
        )
        ln_mu, change = surrogate.effective_mass(at)
        return ln_mu + 0.5 * surrogate.shift(at, ln_mu)[0] - jnp.log(m_a_eV), change

    for m in (2.5e-13, 6e-13, 1.9e-12):
        for slope in (3.2, 3.83, 4.5):  # three standard deviations and a half
            left, change = residual(jnp.asarray(slope), jnp.asarray(m))
            assert abs(left) < 1e-9
            assert np.sign(change) == np.sign(3.83 - slope) or slope == 3.83


def test_refusals(surrogate, setting):
    world, probe, bindings = setting
    assert surrogate.prepare(world, (*bindings.names, "axion.m_a_eV", "galaxy.field")) == {}
    with pytest.raises(ConfigurationError, match="built without"):
        surrogate.prepare(world, ("halos.gas.gamma",))
    with pytest.raises(ConfigurationError, match="one column"):
        surrogate_error(surrogate, probe, world, bindings, np.zeros((2, 3)))
    with pytest.raises(ConfigurationError, match="finite numbers > 0"):
        build_surrogate(probe, world, bindings, -1.0)
    with pytest.raises(ConfigurationError, match="halos resonate between"):
        build_surrogate(probe, world, bindings, 1e-9)


@pytest.mark.slow
def test_target_at_full_size():
    section = screening_section()
    world = screening_world(section, MASS_EV)
    probe = recast_probe(section, world, "paper")
    bindings = Bindings(screening_priors(world))
    surrogate = build_surrogate(probe, world, bindings, MASS_EV)
    z = np.random.default_rng(11).standard_normal((40, bindings.size))
    error = surrogate_error(surrogate, probe, world, bindings, z)
    assert np.sqrt(np.mean(error**2)) < 0.01
    assert np.max(np.abs(error)) < 0.03
