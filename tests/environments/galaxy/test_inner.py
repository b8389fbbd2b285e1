"""Options for the inner kiloparsec as composed fields."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.environments.galaxy.base import UniformField
from diffaxion.environments.galaxy.frame import SightLine
from diffaxion.environments.galaxy.inner import (
    InnerRegion,
    NoField,
    PoloidalField,
    SumField,
    VerticalField,
)

B_OUT = jnp.array([1.0, -2.0, 0.5])
CENTRES = {
    "intercloud": PoloidalField.intercloud(),
    "radio_arc": PoloidalField.radio_arc(),
}


def test_sharp_sphere():
    field = InnerRegion(UniformField(B_OUT), VerticalField(3.0))
    np.testing.assert_array_equal(field(jnp.array([0.3, -0.5, 0.7])), [0.0, 0.0, 3.0])
    np.testing.assert_array_equal(field(jnp.array([0.6, -0.5, 0.7])), B_OUT)


def test_smooth_sphere_blends():
    field = InnerRegion(UniformField(B_OUT), NoField()).smoothed(jnp.asarray(0.05))
    np.testing.assert_allclose(field(jnp.array([0.0, 1.0, 0.0])), 0.5 * B_OUT, rtol=1e-14)
    np.testing.assert_allclose(
        field(jnp.array([0.0, 1.05, 0.0])), B_OUT / (1.0 + np.exp(-1.0)), rtol=1e-12
    )
    assert field.crossings_kpc(SightLine(0.0, 0.0, 9.0, 8.3)).shape == (0,)


def test_crossings_of_the_sphere():
    field = InnerRegion(UniformField(B_OUT), NoField())
    s = field.crossings_kpc(SightLine(0.164, -0.061, 10.0, 8.3))
    np.testing.assert_allclose(s, [7.30028, 9.29964], atol=6e-6)
    nested = InnerRegion(UniformField(B_OUT), InnerRegion(NoField(), NoField(), 0.4))
    s = nested.crossings_kpc(SightLine(0.0, 0.0, 10.0, 8.3))
    np.testing.assert_allclose(np.sort(s), [7.3, 7.9, 8.7, 9.3], rtol=1e-13)
    missed = field.crossings_kpc(SightLine(30.0, 0.0, 10.0, 8.3))
    np.testing.assert_array_equal(missed, [10.0, 10.0])


@pytest.mark.parametrize("name", CENTRES)
def test_poloidal_forms_are_divergence_free(name):
    field = CENTRES[name]
    rng = np.random.default_rng(7)
    position = field.centre_kpc + jnp.asarray(rng.normal(size=(200, 3))) * field.height_kpc
    jacobian = jax.jit(jax.vmap(jax.jacfwd(field)))(position)
    divergence = np.trace(np.asarray(jacobian), axis1=1, axis2=2)
    # The gradients themselves reach 1e6 muG/kpc: the bound is that of rounding.
    assert np.max(np.abs(divergence)) < max(1e-8, 1e-15 * np.max(np.abs(jacobian)))


def test_structures_follow_their_direction():
    """The centres keep their Galactic coordinates whatever the distance of the Sun."""
    for r_sun in (8.0, 8.5):
        x, y, z = PoloidalField.radio_arc(r_sun).centre_kpc + jnp.array([r_sun, 0.0, 0.0])
        np.testing.assert_allclose(np.rad2deg(np.arctan2(y, x)), 0.180, rtol=1e-12)
        np.testing.assert_allclose(np.rad2deg(np.arctan2(z, np.hypot(x, y))), 0.070, rtol=1e-12)
    np.testing.assert_allclose(
        PoloidalField.intercloud(8.5).centre_kpc, [0.0, -8.3e-3, -6.9e-3], rtol=1e-14
    )


def test_radio_arc_has_fallen_to_half_at_half_its_width():
    arc = PoloidalField.radio_arc()
    b = arc(arc.centre_kpc + jnp.array([0.5 * 9.89e-3, 0.0, 0.0]))
    np.testing.assert_allclose(b[2], 0.5e3 / 0.48, rtol=1e-12)


def test_vertical_half_height():
    """On the axis B_z = r_1^2 B_1 with r_1 = 1/(1 + ln 2) at half the height."""
    cloud = PoloidalField.intercloud()
    b = cloud(cloud.centre_kpc + jnp.array([0.0, 0.0, 0.035]))
    np.testing.assert_allclose(b[2], 10.0 / 0.85 / (1.0 + np.log(2.0)) ** 2, rtol=1e-12)


def test_sum():
    parts = (UniformField(B_OUT), VerticalField(2.0), NoField())
    np.testing.assert_allclose(SumField(parts)(jnp.ones(3)), B_OUT + jnp.array([0.0, 0.0, 2.0]))
    assert SumField(parts).linear_paths == ("parts[1].b_z_muG",)
