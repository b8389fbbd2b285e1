"""The eight UF23 models against reference samples, and their limits."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.environments.galaxy.uf23 import UF23, VARIANTS
from diffaxion.errors import ConfigurationError
from tests.conftest import read_csv


@pytest.fixture(scope="module")
def sample():
    return eqx.filter_jit(eqx.filter_vmap(lambda f, x: f(x), in_axes=(None, 0)))


@pytest.fixture(scope="module")
def reference(shared):
    table = read_csv(shared / "data/galaxy/field_samples_uf23.csv")
    position = jnp.stack([table[f"{c}_kpc"] for c in "xyz"], axis=1)
    return position, lambda v: np.stack([table[f"B{c}_uf23{v}_crpropa"] for c in "xyz"], axis=1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_reference_samples(sample, reference, variant):
    position, values = reference
    ours = sample(UF23.published(variant), position)
    np.testing.assert_allclose(ours, values(variant), rtol=0, atol=1e-8)


def test_published_check_value():
    b = UF23.published("base")(jnp.array([1.0, 3.0, 2.0]))
    np.testing.assert_allclose(b, [-1.7697, 0.85706, 0.66356], atol=5e-5)


def test_exact_scale_height_of_expx():
    np.testing.assert_allclose(UF23.published("expX").z_p_kpc, 2.36844521, atol=5e-9)


@pytest.mark.parametrize("variant", ["base", "expX", "twistX"])
def test_poloidal_field_is_divergence_free(variant):
    field = UF23.published(variant, b_disk_muG=jnp.zeros(3))
    if field.b_n_muG is not None:
        field = UF23.published(variant, b_disk_muG=jnp.zeros(3), b_n_muG=0.0, b_s_muG=0.0)
    rng = np.random.default_rng(6)
    position = jnp.asarray(rng.uniform(-1, 1, (300, 3)) * np.array([14.0, 14.0, 8.0]))
    divergence = jax.jit(jax.vmap(lambda x: jnp.trace(jax.jacfwd(field)(x))))
    assert np.max(np.abs(divergence(position))) < 1e-8


def test_infinite_straightening_radius_is_the_limit_of_a_finite_one():
    at = (jnp.asarray(3.0), jnp.asarray(1.5))
    limit = UF23.published("base")._poloidal(*at)
    finite = UF23.published("base", a_c_kpc=1e6)._poloidal(*at)
    np.testing.assert_allclose(finite, limit, rtol=1e-6)


def test_poloidal_form_has_no_cancellation_far_out():
    """In the plane q = 1 exactly, on both sides of r = a_c."""
    field = UF23.published("expX", r_p_kpc=1e9)
    for r in (1.0, 6.2, 25.0):
        _, b_z = field._poloidal(jnp.asarray(r), jnp.asarray(0.0))
        np.testing.assert_allclose(b_z, field.b_p_muG * np.exp(-r / 1e9), rtol=1e-13)


def test_gradient_at_the_plane_is_finite_for_small_exponents():
    field = UF23.published("nebCor")  # p = 1.34: |z|^(p-1) has an infinite slope at z = 0
    jacobian = jax.jacfwd(field)(jnp.array([3.0, 2.0, 0.0]))
    assert np.all(np.isfinite(jacobian))


def test_striation_parameter_is_not_part_of_the_regular_field():
    assert not hasattr(UF23.published("base"), "xi")


def test_unknown_variant():
    with pytest.raises(ConfigurationError, match="'expX'"):
        UF23.published("expx")
