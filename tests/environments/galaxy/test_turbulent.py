"""Turbulent and striated rms fields."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.environments.galaxy.turbulent import (
    StriatedField,
    TurbulentField,
    jf12_turbulence,
    jf12b_turbulence,
)


@pytest.fixture(scope="module")
def rms():
    @jax.jit
    def evaluate(model, positions):
        return jax.vmap(model.b_rms_muG)(positions)

    return evaluate


def halo(r, z, b_0=4.68):
    return b_0 * np.exp(-r / 10.97 - z**2 / (2 * 2.84**2))


def test_disk_inside_five_kiloparsecs(rms):
    at = jnp.array([[2.0, 0.0, 0.0], [0.0, -3.0, 0.5]])
    disk = 7.63 * np.exp(-(np.array([0.0, 0.5]) ** 2) / (2 * 0.61**2))
    expected = np.hypot(disk, halo(np.array([2.0, 3.0]), np.array([0.0, 0.5])))
    np.testing.assert_allclose(rms(jf12_turbulence(), at), expected, rtol=1e-13)


def test_arms_on_the_negative_x_axis(rms):
    """Between the boundaries of the table each arm has its own strength times 5/r."""
    r = np.array([5.05, 6.0, 7.0, 8.0, 9.0, 11.0, 12.0, 14.0])
    at = jnp.stack([-r, 0.0 * r, 0.0 * r], axis=-1)
    for model, b_arm, b_0 in (
        (jf12_turbulence(), (10.81, 6.96, 9.59, 6.96, 1.96, 16.34, 37.29, 10.35), 4.68),
        (jf12b_turbulence(), (3.12, 6.24) * 4, 7.332),
    ):
        expected = np.hypot(np.array(b_arm) * 5.0 / r, halo(r, 0.0, b_0))
        np.testing.assert_allclose(rms(model, at), expected, rtol=1e-13)
    # Beyond the last boundary the spiral continues with the first arm.
    beyond = rms(jf12_turbulence(), jnp.array([[-16.0, 0.0, 0.0]]))
    np.testing.assert_allclose(beyond, np.hypot(10.81 * 5.0 / 16.0, halo(16.0, 0.0)), rtol=1e-13)


def test_arms_follow_the_spiral(rms):
    """The strength is the same along r = r_1 exp(phi tan 11.5 deg), turn after turn."""
    angle = np.linspace(0.0, 2.0, 5)
    r = 10.5 * np.exp(angle * np.tan(np.deg2rad(11.5)))
    at = jnp.stack([-r * np.cos(angle), -r * np.sin(angle), 0.0 * r], axis=-1)
    disk = np.sqrt(np.asarray(rms(jf12_turbulence(), at)) ** 2 - halo(r, 0.0) ** 2)
    np.testing.assert_allclose(disk * r / 5.0, 16.34, rtol=1e-12)


def test_smooth_arms_approach_the_steps(rms):
    r = np.array([6.0, 7.7, 9.0, 12.0])
    at = jnp.stack([-r, 0.0 * r, 0.0 * r], axis=-1)
    smooth = rms(TurbulentField(arm_eps=jnp.asarray(2e-3)), at)
    np.testing.assert_allclose(smooth, rms(jf12_turbulence(), at), rtol=1e-6)


def test_cutoff_and_scale(rms):
    at = jnp.array([[0.0, 0.0, 20.01], [0.0, 0.0, 3.0]])
    plain = rms(jf12_turbulence(), at)
    assert plain[0] == 0.0
    assert plain[1] > 1.0
    np.testing.assert_allclose(rms(TurbulentField(scale=0.3), at), 0.3 * plain, rtol=1e-14)


def test_transverse_variance():
    at, b = jnp.array([-7.0, 1.0, 0.1]), jnp.array([1.0, -2.0])
    model = jf12_turbulence()
    rms2 = float(model.b_rms_muG(at)) ** 2
    assert float(model.transverse_variance_muG2(at, b)) == pytest.approx(2.0 / 3.0 * rms2)
    assert float(StriatedField().transverse_variance_muG2(at, b)) == pytest.approx(1.36 * 5.0)


def test_gradients_are_finite_on_the_axis_and_at_the_centre():
    @jax.jit
    def gradient(model, positions):
        one = jax.grad(lambda m, p: m.b_rms_muG(p), argnums=(0, 1))
        return jax.vmap(one, in_axes=(None, 0))(model, positions)

    at = jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 4.0], [0.0, 0.0, 25.0], [-5.0, 0.0, 0.0]])
    for leaf in jax.tree.leaves(gradient(jf12_turbulence(), at)):
        assert np.all(np.isfinite(leaf))
