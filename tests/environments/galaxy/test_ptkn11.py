"""PTKN11 against reference samples and its symmetries."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaxion.environments.galaxy.ptkn11 import PTKN11
from diffaxion.errors import ConfigurationError
from tests.conftest import read_csv


@pytest.mark.parametrize("variant", ["ass", "bss"])
def test_reference_samples(shared, variant):
    table = read_csv(shared / "data/galaxy/field_samples_jf12_ptkn11.csv")
    position = jnp.stack([table[f"{c}_kpc"] for c in "xyz"], axis=1)
    values = np.stack([table[f"B{c}_ptkn11{variant}_crpropa"] for c in "xyz"], axis=1)
    ours = eqx.filter_jit(eqx.filter_vmap(PTKN11.published(variant)))(position)
    np.testing.assert_allclose(ours, values, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("variant", "expected"), [("ass", [0.1743, 2.0636, 0.0]), ("bss", [0.2091, 2.1314, 0.0])]
)
def test_value_at_the_sun(variant, expected):
    b = PTKN11.published(variant)(jnp.array([-8.5, 0.0, 0.0]))
    np.testing.assert_allclose(b, expected, atol=5e-5)


@pytest.mark.parametrize("variant", ["ass", "bss"])
def test_disk_is_divergence_free_beyond_r_c(variant):
    field = PTKN11.published(variant, b_n_muG=0.0, b_s_muG=0.0)
    rng = np.random.default_rng(5)
    position = rng.uniform(-1, 1, (300, 3)) * np.array([16.0, 16.0, 3.0])
    position = jnp.asarray(position[np.hypot(*position[:, :2].T) > 5.0])
    divergence = jax.jit(jax.vmap(lambda x: jnp.trace(jax.jacfwd(field)(x))))
    assert np.max(np.abs(divergence(position))) < 1e-8


@given(phi=st.floats(-3.1, 3.1), r=st.floats(0.5, 18.0), z=st.floats(0.01, 4.0))
@settings(max_examples=15, deadline=None)
def test_halo_is_antisymmetric_in_sense_and_even_in_shape(phi, r, z):
    """B_phi(z)/B_n = -B_phi(-z)/B_s, so that the southern halo depends on |z|."""
    field = PTKN11.published("ass", b_0_muG=0.0)
    up, down = (field(jnp.array([r * np.cos(phi), r * np.sin(phi), h])) for h in (z, -z))
    np.testing.assert_allclose(up / 4.0, -down / 2.0, rtol=1e-12, atol=1e-15)


def test_unknown_variant():
    with pytest.raises(ConfigurationError, match="'ass'"):
        PTKN11.published("axi")
