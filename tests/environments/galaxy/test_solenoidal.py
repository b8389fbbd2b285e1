"""The divergence-free variant of JF12."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.environments.galaxy.frame import SightLine
from diffaxion.environments.galaxy.jf12 import JF12
from diffaxion.environments.galaxy.solenoidal import JF12Solenoidal


@pytest.fixture(scope="module")
def sample():
    return eqx.filter_jit(eqx.filter_vmap(lambda f, x: f(x), in_axes=(None, 0)))


@pytest.fixture(scope="module")
def positions():
    rng = np.random.default_rng(2)
    return jnp.asarray(rng.uniform(-1, 1, (1500, 3)) * np.array([17.0, 17.0, 6.0]))


def test_agrees_with_jf12_outside_the_transitions(sample, positions):
    x, y, z = positions.T
    r = jnp.hypot(x, y)
    where = positions[(jnp.abs(z) > 0.5) & (r > 8.0) & (r < 17.0)]
    assert len(where) > 300
    exact = sample(JF12.published(arm_8="geometric"), where)
    np.testing.assert_allclose(sample(JF12Solenoidal.published(), where), exact, atol=1e-12)


@pytest.mark.parametrize("arm_eps", [None, 0.02])
def test_divergence(positions, arm_eps):
    field = JF12Solenoidal.published(arm_eps=arm_eps)
    divergence = jax.jit(jax.vmap(lambda x: jnp.trace(jax.jacfwd(field)(x))))
    assert np.max(np.abs(divergence(positions))) < 1e-8


def test_no_kink_at_the_plane_and_no_radial_flux_at_the_edges():
    field = JF12Solenoidal.published()
    up, down = (field.x_field(jnp.asarray(4.0), jnp.asarray(z)) for z in (1e-9, -1e-9))
    np.testing.assert_allclose(up[0], down[0], atol=1e-8)
    np.testing.assert_allclose(up[1], down[1], rtol=1e-12)
    jump = JF12.published().x_field(jnp.asarray(4.0), jnp.asarray(1e-9))[0]
    assert jump > 0.5
    for r in (5.0, 20.0):
        b_r, _ = field.disk(jnp.asarray(r), jnp.asarray(1.0), jnp.asarray(0.0))
        np.testing.assert_allclose(b_r, 0.0, atol=1e-14)


def test_x_field_is_continuous_at_z_s():
    field = JF12Solenoidal.published()
    for r in (0.0, 2.0, 7.0):
        below, above = (field.x_field(jnp.asarray(r), jnp.asarray(z)) for z in (0.5 - 1e-10, 0.5))
        np.testing.assert_allclose(below, above, atol=1e-9)


def test_azimuthal_field_at_five_kpc():
    """There p = 0, so that B_phi = -(r p)' H sin i with H(0) = 0 and dH/dphi = b."""
    field = JF12Solenoidal.published(b_ring_muG=0.0)

    def b_phi(phi):
        return field.disk(jnp.asarray(5.0), phi, jnp.asarray(0.0))[1]

    np.testing.assert_allclose(b_phi(jnp.asarray(0.0)), 0.0, atol=1e-14)
    u, u_arm, _ = field.winding(jnp.asarray(5.0), jnp.asarray(0.4))
    b = field.arm_strengths_muG()[int(jnp.sum(u > u_arm))]
    height = 1.0 - 1.0 / (1.0 + np.exp(2 * 0.4 / 0.27))
    expected = -_q_at_five() * b * np.sin(np.deg2rad(11.5)) * height
    np.testing.assert_allclose(jax.grad(b_phi)(jnp.asarray(0.4)), expected, rtol=1e-9)


def _q_at_five():
    """d(r p)/dr at r = 5 kpc by central differences of the published polynomial."""
    f = (5.0 / 8.0 - 2.0) / 9.0

    def rp(r):
        return r * (5.0 / 8.0) * (2.0 - r / 8.0 + f * (r - 8.0) ** 2)

    return (rp(5.0 + 1e-6) - rp(5.0 - 1e-6)) / 2e-6


def test_cone_crossings_solve_their_equation():
    field = JF12Solenoidal.published()
    line = SightLine(4.0, 2.0, 16.0, 8.3)
    s = eqx.filter_jit(lambda f, x: f.cone_crossings_kpc(x))(field, line)
    assert np.all(s < 16.0)
    x, y, z = jax.vmap(line.position_kpc)(s).T
    cot = 1.0 / np.tan(np.deg2rad(49.0))
    w = np.maximum(0.5 - z**2 / 0.5, 0.0)
    cone = 4.8 + (np.maximum(np.abs(z), 0.5) - 0.5 * w) * cot
    np.testing.assert_allclose(jnp.hypot(x, y), cone, rtol=1e-12)
