"""Fields by name, their inner options, smoothing and linear amplitudes."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.constants import DELTA_AG_KPC
from diffaxion.environments.galaxy.catalogue import (
    fiducial_inner_b_z_muG,
    field_names,
    inner_options,
    magnetic_field,
    with_smooth_edges,
)
from diffaxion.environments.galaxy.frame import SightLine
from diffaxion.environments.galaxy.inner import InnerRegion
from diffaxion.environments.galaxy.jf12 import JF12
from diffaxion.errors import ConfigurationError

INSIDE = jnp.array([-0.3, 0.2, -0.1])
OUTSIDE = jnp.array([-5.1, 2.2, 0.3])


def test_fiducial_inner_field():
    """Equation of section 5 by hand: 4.6 e^(-1/2.9) sin(atan(4.8 tan 49 deg))."""
    by_hand = 4.6 * np.exp(-1 / 2.9) * np.sin(np.arctan(4.8 * np.tan(np.deg2rad(49.0))))
    np.testing.assert_allclose(fiducial_inner_b_z_muG(), by_hand, rtol=1e-14)
    np.testing.assert_allclose(fiducial_inner_b_z_muG(), 3.20622, atol=5e-6)
    np.testing.assert_allclose(
        fiducial_inner_b_z_muG(JF12.published("jf12b")), by_hand * 1.8 / 4.6, rtol=1e-14
    )


def test_presets():
    np.testing.assert_allclose(magnetic_field()(INSIDE), [0, 0, 3.20622], atol=5e-6)
    np.testing.assert_array_equal(magnetic_field("ptkn11")(INSIDE), 0.0)
    assert not isinstance(magnetic_field("uf23-base"), InnerRegion)
    np.testing.assert_array_equal(
        magnetic_field("ptkn11")(OUTSIDE), magnetic_field("ptkn11-ass")(OUTSIDE)
    )


@pytest.mark.parametrize("name", field_names())
def test_inner_options_leave_the_outside_alone(name):
    outside = magnetic_field(name, inner="continue")(OUTSIDE)
    assert np.linalg.norm(outside) > 0.01
    for inner, expected in (("uniform", [0.0, 0.0, 2.5]), ("mask", [0.0, 0.0, 0.0])):
        b_z = 2.5 if inner == "uniform" else None
        field = magnetic_field(name, inner=inner, inner_b_z_muG=b_z)
        np.testing.assert_array_equal(field(INSIDE), expected)
        np.testing.assert_allclose(field(OUTSIDE), outside, rtol=1e-14)


def test_structures_of_the_centre():
    strong = magnetic_field("jf12", inner="strong")
    np.testing.assert_array_equal(strong(jnp.array([0.0, 0.3, 0.0])), [0, 0, 100.0])
    np.testing.assert_allclose(strong(jnp.array([0.0, 0.5, 0.0]))[2], 3.20622, atol=5e-6)
    cloud = magnetic_field("jf12", inner="intercloud", inner_b_z_muG=0.0)
    np.testing.assert_allclose(cloud(jnp.array([0.0, -8.105e-3, -6.738e-3]))[2], 11.76, atol=0.01)
    arc = magnetic_field("jf12", inner="radio_arc", r_sun_kpc=8.0)
    peak = arc.inner.parts[1].centre_kpc
    np.testing.assert_allclose(arc(peak)[2], 1e3 / 0.48 + fiducial_inner_b_z_muG(), rtol=1e-12)


@pytest.mark.parametrize("name", field_names())
def test_gradients_are_finite_everywhere(name):
    """With respect to every leaf, at the centre, on the axis, in the plane and at the Sun."""
    field = magnetic_field(name)

    def total(args):
        return jnp.sum(args[0](args[1]))

    for x in ([0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [-7.0, 1.0, 0.0], [-8.3, 0.0, 0.0]):
        grads = eqx.filter_grad(total)((field, jnp.array(x)))
        assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(grads)), x


def _leaf(tree, path):
    for part in path.replace("]", "").replace("[", ".").split("."):
        tree = tree[int(part)] if part.isdigit() else getattr(tree, part)
    return tree


@pytest.mark.parametrize("name", ["jf12", "jf12-solenoidal", "ptkn11", "uf23-base", "uf23-twistX"])
@pytest.mark.parametrize("position", [INSIDE, OUTSIDE], ids=["inside", "outside"])
def test_field_is_linear_in_its_amplitudes(name, position):
    """B(c) = sum_k c_k dB/dc_k for amplitudes c far from the published ones."""
    field = magnetic_field(name, inner="uniform")
    paths = field.linear_paths
    assert len(paths) >= 3
    where = lambda f: [_leaf(f, p) for p in paths]  # noqa: E731
    rng = np.random.default_rng(11)
    amplitudes = [jnp.asarray(rng.normal(size=x.shape) * 3.0) for x in where(field)]

    def value(c):
        return eqx.tree_at(where, field, c)(position)

    _, directional = jax.jvp(value, ([jnp.zeros_like(c) for c in amplitudes],), (amplitudes,))
    expected = value(amplitudes)
    np.testing.assert_allclose(directional, expected, rtol=1e-12, atol=1e-13)
    assert np.linalg.norm(expected) > 0.0


@pytest.mark.parametrize("name", ["jf12", "uf23-base", "ptkn11"])
def test_smooth_edges_remove_every_crossing(name):
    field = magnetic_field(name, inner="mask")
    line = SightLine(0.164, -0.061, 8.3, 8.3)
    assert jax.eval_shape(field.crossings_kpc, line).shape[0] > 0
    smooth = with_smooth_edges(field, 0.1)
    assert jax.eval_shape(smooth.crossings_kpc, line).shape == (0,)
    # Continuous on the line: no step between neighbouring nodes 0.4 pc apart.
    sample = eqx.filter_jit(eqx.filter_vmap(lambda f, x: f(x), in_axes=(None, 0)))
    s = jnp.linspace(6.9, 7.7, 2001)
    sharp_b, smooth_b = (
        np.asarray(sample(f, jax.vmap(line.position_kpc)(s))) for f in (field, smooth)
    )
    assert np.max(np.abs(np.diff(smooth_b, axis=0))) < 0.02
    assert np.max(np.abs(np.diff(sharp_b, axis=0))) > 0.04


def test_preset_crossings_of_the_quintuplet():
    line = SightLine(0.164, -0.061, 8.3, 8.3)
    found = np.unique(eqx.filter_jit(lambda f, x: f.crossings_kpc(x))(magnetic_field(), line))
    for s in (1.20071, 2.00118, 3.20189, 3.30002, 5.30006, 7.30028):
        assert np.min(np.abs(found - s)) < 6e-6


def test_conversion_in_vacuum():
    """n_e = 0, m = 0: p = |sum Delta_ag int B_T ds|^2 = 2.783e-4 for the Quintuplet."""
    line = SightLine(0.164, -0.061, 8.3, 8.3)
    field = magnetic_field("jf12", inner_b_z_muG=3.2)
    e_l, e_b = line.transverse_basis()

    @eqx.filter_jit
    def probability(f, x):
        cuts = f.crossings_kpc(x)
        s = jnp.sort(jnp.concatenate([jnp.linspace(1e-7, 8.3, 801), cuts - 1e-9, cuts + 1e-9]))
        b = jax.vmap(lambda t: f(x.position_kpc(t)))(jnp.clip(s, 1e-7, 8.3))
        amplitude = jnp.trapezoid(b @ jnp.stack([e_l, e_b], axis=1), s, axis=0)
        return jnp.sum((DELTA_AG_KPC * amplitude) ** 2)

    np.testing.assert_allclose(probability(field, line), 2.783e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"name": "jf21"}, "'jf12'"),
        ({"name": "uf23-basic"}, "'uf23-base'"),
        ({"inner": "masked"}, "'mask'"),
        ({"inner": "mask", "inner_b_z_muG": 3.0}, "inner_b_z_muG = 3.0"),
    ],
)
def test_bad_names(kwargs, message):
    with pytest.raises(ConfigurationError, match=message):
        magnetic_field(**kwargs)


def test_option_names():
    assert set(inner_options()) == {
        *("preset", "uniform", "mask", "continue", "strong", "intercloud", "radio_arc")
    }
