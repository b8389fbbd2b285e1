"""Correlation models, the mean conversion in a random field, and its realisations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.constants import DELTA_AG_KPC, DELTA_PL_KPC
from diffaxion.conversion.correlation import (
    ExponentialCorrelation,
    GaussianCorrelation,
    PowerLawCorrelation,
    RandomCells,
)
from diffaxion.conversion.turbulence import (
    phase_curvature,
    realisation_caveats,
    realise_field,
    turbulent_probability,
    unit_process,
)
from diffaxion.environments.galaxy.frame import SightLine
from diffaxion.environments.galaxy.turbulent import jf12_turbulence
from diffaxion.environments.galaxy.ymw16 import YMW16

ELL = 0.05
MODELS = {
    "exponential": ExponentialCorrelation(ELL),
    "exponential solenoidal": ExponentialCorrelation(ELL, True),
    "gaussian": GaussianCorrelation(ELL),
    "gaussian solenoidal": GaussianCorrelation(ELL, True),
    "cells": RandomCells(ELL),
    "power law": PowerLawCorrelation(),
}
SOLENOIDAL = ("exponential solenoidal", "gaussian solenoidal", "power law")


@pytest.mark.parametrize("name", MODELS)
def test_spectrum_is_normalised(name):
    """int P_1D dk/(2 pi) = rho(0) = 1; the tail beyond k_max ~ 1/k_max is added."""
    model = MODELS[name]
    k_max = 4e4
    k = (jnp.arange(100_000) + 0.5) * (k_max / 100_000)
    total = float(jnp.sum(model.spectrum_1d(k)) * k_max / 100_000 / jnp.pi)
    # Mean of k^2 P over the last stretch (cells oscillate): the tail is that over k_max.
    tail = float(jnp.mean((k**2 * model.spectrum_1d(k))[-25_000:]) / k_max / jnp.pi)
    assert total + tail == pytest.approx(1.0, abs=1e-5)
    assert float(model.rho(jnp.asarray(0.0))) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_spectrum_is_the_transform_of_the_correlation(name):
    model = MODELS[name]
    x = jnp.linspace(0.0, 40 * ELL, 4001)
    k = jnp.array([0.0, 3.0, 20.0, 70.0])
    waves = jnp.cos(k[:, None] * x)
    expected = 2.0 * jnp.trapezoid(model.rho(x) * waves, x, axis=1)
    # Power law: the algebraic tail of rho beyond 2 kpc is left out.
    np.testing.assert_allclose(model.spectrum_1d(k), expected, rtol=2e-3, atol=2e-6)


@pytest.mark.parametrize("name", MODELS)
def test_coherence_length(name):
    model = MODELS[name]
    at_zero = float(model.spectrum_1d(jnp.asarray(0.0)))
    factor = 0.75 if name in SOLENOIDAL else 1.0
    assert at_zero == pytest.approx(factor * float(model.coherence_kpc()), rel=1e-12)
    other = model.with_coherence(jnp.asarray(0.2))
    assert float(other.coherence_kpc()) == pytest.approx(0.2, rel=1e-12)
    assert type(other) is type(model)


def test_kolmogorov_coherence_and_cutoff():
    model = PowerLawCorrelation()
    assert float(model.coherence_kpc()) * 1e3 == pytest.approx(59.96, abs=0.005)
    k_1 = 2 * np.pi / 0.008
    assert float(model.spectrum_1d(jnp.asarray(1.001 * k_1))) == 0.0
    assert float(model.spectrum_1d(jnp.asarray(0.99 * k_1))) > 0.0
    inertial = np.asarray(model.spectrum_1d(jnp.array([60.0, 120.0])))
    assert np.log2(inertial[0] / inertial[1]) == pytest.approx(5 / 3, abs=0.1)


def test_constant_medium_without_phase():
    """At delta = 0 a solenoidal field gives p = (g^2/8) B_rms^2 L_c d."""
    s, b_rms = jnp.linspace(0.0, 3.0, 5), 4.0
    model = PowerLawCorrelation()
    v_t = jnp.full(5, 2.0 / 3.0 * b_rms**2)
    p = turbulent_probability(s, v_t, jnp.zeros(5), jnp.asarray(10.0), jnp.asarray(0.0), model)
    expected = 0.5 * DELTA_AG_KPC**2 * b_rms**2 * float(model.coherence_kpc()) * 3.0
    assert float(p) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [((339.55, -0.40, 2.6), (6.94e-6, 6.94e-6)), ((0.164, -0.061, 8.3), (3.53e-5, 3.55e-5))],
)
def test_jf12_turbulence_toward_the_clusters(direction, expected):
    """Values given to three digits: half a unit of the last one is 0.15 per cent."""

    @jax.jit
    def probability(line, energy):
        s = jnp.linspace(1e-7, line.distance_kpc, 2001)
        turbulence, density = jf12_turbulence(), YMW16()
        v_t = jax.vmap(
            lambda x: turbulence.transverse_variance_muG2(line.position_kpc(x), jnp.zeros(2))
        )(s)
        n_e = jax.vmap(lambda x: density(line.longitude_deg, line.latitude_deg, x))(s)
        zero = jnp.asarray(0.0)
        return turbulent_probability(s, v_t, n_e, energy, zero, PowerLawCorrelation())

    p = probability(SightLine(*direction), jnp.array([10.0, 80.0]))
    np.testing.assert_allclose(p, expected, rtol=3e-3)


def test_phase_curvature_of_a_linear_density():
    """delta rises by DELTA_PL slope L_c/E over a coherence length."""
    s = jnp.linspace(0.0, 2.0, 400)
    model = RandomCells(jnp.asarray(0.1))
    found = phase_curvature(s, 0.3 * s, jnp.asarray(10.0), model)
    assert float(found) == pytest.approx(DELTA_PL_KPC / 10.0 * 0.3 * 0.1**2, rel=1e-10)


@pytest.fixture(scope="module")
def line():
    """A 2 kpc line with uneven nodes, variable V_T and n_e."""
    s = jnp.sort(jnp.concatenate([jnp.linspace(0.0, 2.0, 401), jnp.array([0.7, 0.7, 1.3])]))
    return s, 5.0 + 3.0 * jnp.sin(2.0 * s), 0.1 + 0.05 * jnp.cos(s)


@pytest.mark.parametrize("name", MODELS)
def test_covariance_of_realisations(line, name):
    """The linear map from latent to node has the covariance of the model on the node grid.

    Power above the last wave number (1000 rad/kpc) is left out: 1.3 per cent of the variance of
    an exponential.
    """
    s = line[0][::20]
    model, modes = MODELS[name], 480
    rows = jax.jit(jax.vmap(unit_process, in_axes=(0, None, None)))(jnp.eye(2 * modes), s, model)
    covariance = np.asarray(rows.T @ rows)
    expected = np.asarray(model.rho(s[:, None] - s[None, :]))
    np.testing.assert_allclose(covariance, expected, atol=0.025)
    if name.startswith("gaussian"):
        np.testing.assert_allclose(covariance, expected, atol=1e-9)
    if name == "power law":
        # Its correlation falls as x^-2, so that the image one period away is just visible.
        np.testing.assert_allclose(covariance, expected, atol=2e-3)


def test_coincident_nodes_get_the_same_field(line):
    s, v_t, _ = line
    latent = jax.random.normal(jax.random.key(1), (2, 300))
    b_l, b_b = jax.jit(realise_field)(latent, s, v_t, MODELS["power law"])
    same = np.flatnonzero(np.diff(np.asarray(s)) < 1e-12)
    assert same.size >= 2
    np.testing.assert_allclose(b_l[same], b_l[same + 1], rtol=1e-9)
    assert float(jnp.mean(b_l * b_b)) != 0.0


def _probabilities(key, s, v_t, n_e, energy, correlation, modes, draws):
    """Born probability of each of many realisations, by the trapezoid rule."""
    phase = jnp.concatenate([jnp.zeros(1), jnp.cumsum(0.5 * (n_e[1:] + n_e[:-1]) * jnp.diff(s))])
    theta = -DELTA_PL_KPC / energy[:, None] * phase
    step = jnp.diff(s, prepend=s[:1], append=s[-1:])
    weights = 0.5 * (step[1:] + step[:-1])

    def one(key):
        latent = jax.random.normal(key, (2, 2 * modes))
        b = jnp.stack(realise_field(latent, s, v_t, correlation)) * weights
        return jnp.sum((jnp.cos(theta) @ b.T) ** 2 + (jnp.sin(theta) @ b.T) ** 2, axis=1)

    return DELTA_AG_KPC**2 * jax.lax.map(one, jax.random.split(key, draws), batch_size=100)


@pytest.mark.parametrize("name", ["exponential", "power law"])
def test_monte_carlo_mean(line, name):
    """1500 realisations against the closed form: 5 per cent, two standard errors.

    The lines are 40 coherence lengths long; the ends change the mean by about one per cent.
    """
    s, v_t, n_e = line
    model, energy = MODELS[name], jnp.array([2.0, 10.0, 80.0])
    assert realisation_caveats(200, s, n_e, energy, jnp.asarray(0.0), model) == ()
    p = jax.jit(_probabilities, static_argnums=(6, 7))(
        jax.random.key(3), s, v_t, n_e, energy, model, 200, 1500
    )
    expected = turbulent_probability(s, v_t, n_e, energy, jnp.asarray(0.0), model)
    np.testing.assert_allclose(jnp.mean(p, axis=0), expected, rtol=0.05)
    # Two polarisations with negligible phase: exponential (std = mean); with a phase that winds
    # often, Gamma of shape 2 (std = mean/sqrt 2). At 2 keV it winds 1.8 times, at 80 keV not.
    spread = jnp.std(p, axis=0) / jnp.mean(p, axis=0)
    assert float(spread[2]) == pytest.approx(1.0, abs=0.1)
    assert 0.6 < float(spread[0]) < 0.85


def test_realisation_caveats(line):
    s, _, n_e = line
    model, zero = MODELS["exponential"], jnp.asarray(0.0)
    (few,) = realisation_caveats(5, s, 50.0 * n_e, jnp.array([10.0]), zero, model)
    assert "use at least" in few
    (coarse,) = realisation_caveats(600, s[::20], n_e, jnp.array([10.0]), zero, model)
    assert "do not resolve" in coarse


def test_gradients_through_realisations(line):
    """Finite with zero variance, zero density, zero latent, and with respect to every argument."""
    s, _, n_e = line
    s, n_e = s[::40], n_e[::40]

    @jax.jit
    def gradient(latent, s, v_t, n_e, model):
        def mean(latent, s, v_t, n_e, model):
            b_l, b_b = realise_field(latent, s, v_t, model)
            p = turbulent_probability(
                s, v_t, n_e, jnp.array([10.0, 40.0]), jnp.asarray(1e-11), model
            )
            return jnp.sum(p) * 1e6 + jnp.sum(b_l**2 + b_b)

        return jax.grad(mean, argnums=(0, 1, 2, 3, 4))(latent, s, v_t, n_e, model)

    latent = jax.random.normal(jax.random.key(0), (2, 40))
    for z, v, n in (
        (latent, jnp.ones_like(s), n_e),
        (0.0 * latent, jnp.zeros_like(s), jnp.zeros_like(s)),
    ):
        for leaf in jax.tree.leaves(gradient(z, s, v, n, PowerLawCorrelation())):
            assert np.all(np.isfinite(leaf))
