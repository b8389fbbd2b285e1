"""Dotted paths to the float leaves of a model."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.errors import ConfigurationError
from diffaxion.parameters import canonical_path, get_path, leaf_paths, path_exists, set_paths


class Field(eqx.Module):
    b_x_muG: jax.Array
    b_arm_muG: jax.Array
    variant: str = eqx.field(static=True)


class World(eqx.Module):
    field: Field
    clusters: dict
    nodes: tuple
    count: jax.Array


@pytest.fixture(scope="module")
def world():
    return World(
        Field(jnp.array(4.6), jnp.arange(8.0), "regular"),
        {"wd1": {"distance_kpc": jnp.array(2.6)}, "odd key": jnp.array(1.0)},
        (jnp.array(3.0), [jnp.ones((2, 3), dtype=jnp.float32)]),
        jnp.array(7),
    )


def test_lists_every_leaf_and_element_in_tree_order(world):
    expected = [
        "field.b_x_muG",
        "field.b_arm_muG",
        "clusters['odd key']",
        "clusters.wd1.distance_kpc",
        "nodes[0]",
        "nodes[1][0]",
    ]
    assert leaf_paths(world, elements=False) == expected
    full = leaf_paths(world)
    assert full[2:10] == [f"field.b_arm_muG[{i}]" for i in range(8)]
    assert "nodes[1][0][1,2]" in full
    assert len(full) == len(expected) + 8 + 6


def test_large_tables_are_addressable_but_not_listed():
    tree = {"table": jnp.arange(1000.0)}
    assert leaf_paths(tree) == ["table"]
    assert float(get_path(tree, "table[999]")) == 999.0


def test_every_listed_path_can_be_read_and_written(world):
    for path in leaf_paths(world):
        value = get_path(world, path)
        moved = set_paths(world, {path: value + 2.0})
        np.testing.assert_array_equal(get_path(moved, path), value + 2.0)
        assert get_path(moved, path).dtype == value.dtype


def test_setting_one_element_leaves_the_others_and_the_original(world):
    moved = set_paths(world, {"field.b_arm_muG[3]": -1.0, "field.b_arm_muG[5]": -2.0})
    np.testing.assert_array_equal(moved.field.b_arm_muG, [0, 1, 2, -1, 4, -2, 6, 7])
    np.testing.assert_array_equal(world.field.b_arm_muG, np.arange(8.0))
    assert moved.field.variant == "regular"


def test_dtype_of_the_leaf_is_kept(world):
    moved = set_paths(world, {"nodes[1][0][0,1]": np.float64(0.1)})
    assert moved.nodes[1][0].dtype == jnp.float32


def test_gradient_and_jit_through_set_paths(world):
    @jax.jit
    def energy(values):
        w = set_paths(world, values)
        return (
            w.field.b_x_muG**2 + jnp.sum(w.field.b_arm_muG**2) + w.clusters["wd1"]["distance_kpc"]
        )

    at = {"field.b_x_muG": 3.0, "field.b_arm_muG[2]": 5.0, "clusters.wd1.distance_kpc": 4.0}
    gradient = jax.grad(energy)(at)
    assert {k: float(v) for k, v in gradient.items()} == {
        "field.b_x_muG": 6.0,
        "field.b_arm_muG[2]": 10.0,
        "clusters.wd1.distance_kpc": 1.0,
    }


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("field.b_xmuG", ("unknown parameter path", "'field.b_x_muG'")),
        ("clusters.wd1.distance_pc", ("'clusters.wd1.distance_kpc'",)),
        ("field.b_arms_muG[3]", ("'field.b_arm_muG'",)),
        ("field", ("group", "field.b_x_muG, field.b_arm_muG")),
        ("field.b_arm_muG[8]", ("shape (8,)", "0..7")),
        ("field.b_arm_muG[1,2]", ("shape (8,)",)),
        ("field.b_x_muG[0]", ("scalar",)),
        ("field.variant", ("unknown",)),
        ("count", ("unknown",)),
    ],
)
def test_unknown_paths_name_the_nearest_leaves(world, path, words):
    assert not path_exists(world, path)
    for call in (lambda: get_path(world, path), lambda: set_paths(world, {path: 1.0})):
        with pytest.raises(ConfigurationError) as error:
            call()
        for word in words:
            assert word in str(error.value)


def test_wrong_shape_and_double_writing_are_refused(world):
    with pytest.raises(ConfigurationError, match=r"expected shape \(8,\).*b_arm_muG\[0\]"):
        set_paths(world, {"field.b_arm_muG": 1.0})
    with pytest.raises(ConfigurationError, match=r"expected shape \(\), got \(2,\)"):
        set_paths(world, {"field.b_x_muG": jnp.ones(2)})
    whole = {"field.b_arm_muG": jnp.ones(8)}
    for values in ({**whole, "field.b_arm_muG[1]": 0.0}, {"field.b_arm_muG[1]": 0.0, **whole}):
        with pytest.raises(ConfigurationError, match="set the same number"):
            set_paths(world, values)


def test_canonical_spelling():
    assert canonical_path(" a.b[ 03 ] ") == "a.b[3]"
    assert canonical_path("a[0][1, 2]") == "a[0][1,2]"
    assert canonical_path("a.b") == "a.b"
