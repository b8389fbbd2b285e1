"""Fields tabulated along a direction: exact for amplitudes and their products, refused else."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from diffaxion.environments.galaxy import (
    SightLine,
    magnetic_field,
    node_positions,
    sample_path,
    tabulate_field,
    uniform_fractions,
)
from diffaxion.environments.galaxy.base import MagneticField
from diffaxion.parameters import get_path, set_paths

LINE = SightLine(339.549, -0.404, 2.6)
INNER = SightLine(0.16, -0.06, 8.3)


class Wave(MagneticField):
    """B_z = norm b_z cos(x/length) muG beyond a sharp edge at x = edge, 1 muG before it."""

    references: ClassVar[tuple[str, ...]] = ()
    norm: Float[Array, ""]
    b_z_muG: Float[Array, ""]
    length_kpc: Float[Array, ""]
    edge_kpc: Float[Array, ""]

    def __call__(self, position_kpc):
        x = position_kpc[0]
        beyond = self.norm * self.b_z_muG * jnp.cos(x / self.length_kpc)
        return jnp.array([0.0, 0.3, 1.0]) * jnp.where(x > self.edge_kpc, beyond, 1.0)

    def crossings_kpc(self, sightline):
        s = (self.edge_kpc + sightline.r_sun_kpc) / sightline.direction()[0]
        return jnp.minimum(s, sightline.distance_kpc)[None]


class FieldOf(eqx.Module):
    """A field as a function of the numbers at some paths."""

    field: MagneticField
    paths: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, c):
        return set_paths(self.field, {p: c[k] for k, p in enumerate(self.paths)})


ELECTRONS = (jnp.array([0.0, 5.0]), jnp.array([0.01, 0.06]))
WAVE = Wave(jnp.array(1.0), jnp.array(2.0), jnp.array(0.7), jnp.array(-6.5))


def table_of(field, paths, centre, line=LINE, reach=4.8, fixed=None):
    return tabulate_field(FieldOf(field, paths), jnp.asarray(centre), line, reach, fixed)


@pytest.mark.parametrize("distance", [1.5, 2.6, 4.8])
def test_table_follows_amplitude_and_distance(distance):
    """Linear in 4001 nodes: (step/length)^2/8 = 4e-7 of the field, exact next to the edge."""
    table = table_of(WAVE, ("b_z_muG",), [2.0])
    line = SightLine(LINE.longitude_deg, LINE.latitude_deg, distance)
    fractions = uniform_fractions(50)
    found = table.sample(line, jnp.array([-3.1]), fractions, ELECTRONS)
    moved = set_paths(WAVE, {"b_z_muG": -3.1})
    expected = sample_path(line, moved, None, fractions, ELECTRONS)
    np.testing.assert_allclose(found.s_kpc, expected.s_kpc, rtol=1e-14)
    np.testing.assert_allclose(found.b_l_muG, expected.b_l_muG, atol=3e-6)
    np.testing.assert_allclose(found.b_b_muG, expected.b_b_muG, atol=3e-6)
    np.testing.assert_allclose(found.n_e_cm3, 0.01 + 0.01 * found.s_kpc, rtol=1e-12)


def test_table_of_a_fixed_distance_is_exact():
    fractions = uniform_fractions(40)
    table = table_of(WAVE, ("b_z_muG",), [2.0], reach=2.6, fixed=(fractions, ELECTRONS))
    np.testing.assert_array_equal(table.s_kpc, node_positions(LINE, WAVE, fractions))
    found = table.sample(LINE, jnp.array([0.4]), fractions, ELECTRONS)
    expected = sample_path(LINE, set_paths(WAVE, {"b_z_muG": 0.4}), None, fractions, ELECTRONS)
    for one, two in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-15)


def test_a_crossing_beyond_the_reach_is_left_out():
    """The nodes of a path are the base grid and two for each jump on the way."""
    near, far = (table_of(WAVE, ("b_z_muG",), [2.0], reach=r) for r in (1.0, 4.8))
    assert (near.crossings_kpc.size, far.crossings_kpc.size) == (0, 1)
    np.testing.assert_allclose(far.crossings_kpc, WAVE.crossings_kpc(LINE), rtol=1e-14)


@pytest.mark.parametrize(
    ("paths", "centre"),
    [
        (("length_kpc",), [0.7]),
        (("edge_kpc",), [-6.5]),
        (("norm", "b_z_muG", "length_kpc"), [1.0, 2.0, 0.7]),
    ],
)
def test_what_is_not_multilinear_is_refused(paths, centre):
    """A scale length, the place of a jump, either beside amplitudes."""
    assert table_of(WAVE, paths, centre) is None


class Power(MagneticField):
    """B_z = a^3 b + c muG: straight in each coefficient where the other one is zero."""

    references: ClassVar[tuple[str, ...]] = ()
    a: Float[Array, ""]
    b: Float[Array, ""]
    c: Float[Array, ""]

    def __call__(self, position_kpc):
        return jnp.array([0.0, 0.3, 1.0]) * (self.a**3 * self.b + self.c)


def test_a_curve_that_shows_only_in_joint_steps_is_refused():
    """At a = 1, b = 0 the field is straight in a and in b, and even bilinear to first order."""
    field = Power(jnp.array(1.0), jnp.array(0.0), jnp.array(0.5))
    assert table_of(field, ("b", "c"), [0.0, 0.5]) is not None
    assert table_of(field, ("a", "b", "c"), [1.0, 0.0, 0.5]) is None


@pytest.mark.parametrize("fixed", [None, (uniform_fractions(40), ELECTRONS)])
def test_products_of_amplitudes(fixed):
    """The norm of a field and the strength of a part of it, far from where the table was made."""
    reach = 4.8 if fixed is None else LINE.distance_kpc
    table = table_of(WAVE, ("norm", "b_z_muG"), [1.0, 2.0], reach=reach, fixed=fixed)
    assert table.terms == ((0,), (1,), (0, 1))
    assert table.shapes_muG.shape[-1] == 1
    found = table.sample(LINE, jnp.array([1.7, -3.1]), uniform_fractions(40), ELECTRONS)
    moved = set_paths(WAVE, {"norm": 1.7, "b_z_muG": -3.1})
    expected = sample_path(LINE, moved, None, uniform_fractions(40), ELECTRONS)
    np.testing.assert_allclose(found.b_b_muG, expected.b_b_muG, atol=5e-6)


def test_a_jump_that_may_move_onto_the_line_is_refused():
    """It lies beyond the source, and only a smaller value brings it in front."""
    beyond = set_paths(WAVE, {"edge_kpc": -3.7})
    assert table_of(beyond, ("b_z_muG",), [2.0]).crossings_kpc.size == 0
    assert table_of(beyond, ("edge_kpc",), [-3.7]) is None


OUTER = (
    "norm_x",
    "norm_disk",
    "b_x_muG",
    "b_arm_muG[2]",
    "b_arm_muG[3]",
    "b_arm_muG[6]",
    "b_s_muG",
)


@pytest.mark.parametrize(("line", "reach"), [(LINE, 4.8), (INNER, 8.3)])
def test_amplitudes_of_jf12(line, reach):
    """Norms and strengths together: few products occur, and fewer shapes.

    No line meets the seventh arm, nor the eighth that closes the flux.
    """
    paths = (*(f"outer.{p}" for p in OUTER), "inner.b_z_muG")
    field = magnetic_field("jf12")
    centre = jnp.stack([get_path(field, p) for p in paths])
    table = table_of(field, paths, centre, line, reach)
    products = [t for t in table.terms if len(t) > 1]
    assert [t for t in table.terms if len(t) == 1] == [(k,) for k in range(8)]
    assert products == [(0, 2), (1, 3), (1, 4)]
    # Of the X field, the disk, the arms met and the southern halo; the inner field on one line.
    assert table.shapes_muG.shape[-1] == (5 if line is LINE else 6)
    moved = centre + jnp.asarray(np.random.default_rng(1).normal(size=8))
    source = SightLine(line.longitude_deg, line.latitude_deg, reach)
    there = FieldOf(field, paths)(moved)
    nodes = table.s_kpc[1:-1:100]
    expected = jax.vmap(lambda s: there(source.position_kpc(s)))(nodes)
    _, e_b = source.transverse_basis()
    found = table.b_muG + table.shapes_muG @ table.amplitudes(moved)
    np.testing.assert_allclose(found[1:-1:100, 1], expected @ e_b, atol=1e-12)


@pytest.mark.parametrize(
    ("paths", "centre"),
    [(("outer.r_x_kpc",), [2.9]), (("outer.norm_x", "outer.arm_radii_kpc[3]"), [1.0, 8.3])],
)
def test_shapes_of_jf12_are_refused(paths, centre):
    assert table_of(magnetic_field("jf12"), paths, centre) is None


def test_inner_field_is_affine_and_its_edge_is_not():
    field = magnetic_field("ptkn11", inner="strong")
    paths = ("inner.outer.b_z_muG", "inner.inner.b_z_muG")
    table = table_of(field, paths, [3.2, 100.0], INNER, 8.3)
    assert table is not None
    found = table_of(field, ("radius_kpc",), [1.0], INNER, 8.3)
    assert found is None
