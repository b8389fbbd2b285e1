"""YMW16 against the reference values of its authors' code, component by component."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.environments.galaxy.ymw16 import (
    YMW16,
    combine,
    heliocentric_to_ymw16_pc,
    ymw16_components,
)
from tests.conftest import read_csv

TARGETS = {"quintuplet": (0.164, -0.061), "wd1": (339.55, -0.40)}
COMPONENTS = ("thick", "thin", "spiral", "gc", "gum", "local_bubble", "loopI")


@pytest.fixture(scope="module")
def on_points():
    @jax.jit
    def evaluate(model, xyz):
        def one(p):
            components, inside = ymw16_components(model, p)
            return model.at(p), components, combine(model, components, inside)

        return jax.vmap(one)(xyz)

    return evaluate


@pytest.fixture(scope="module")
def on_line():
    @jax.jit
    def evaluate(model, l, b, s):
        return jax.vmap(lambda x: model(l, b, x))(s)

    return evaluate


@pytest.fixture(scope="module")
def samples(shared):
    table = read_csv(shared / "data/galaxy/ne_samples.csv")
    xyz = np.stack([table["x_pc"], table["y_pc"], table["z_pc"]], axis=-1)
    return jnp.asarray(xyz), table


def assert_density(ours, reference):
    """1e-6 relative where the density is above 1e-10, and nothing where there is nothing."""
    ours = np.asarray(ours)
    big = (reference > 1e-10) | (ours > 1e-10)
    assert big.any()
    np.testing.assert_allclose(ours[big], reference[big], rtol=1e-6)


def test_total_density(on_points, samples):
    xyz, table = samples
    assert_density(on_points(YMW16(), xyz)[0], table["ne_ymw16_pygedm"])


@pytest.mark.parametrize(("index", "name"), list(enumerate(COMPONENTS)))
def test_components(on_points, samples, index, name):
    xyz, table = samples
    assert_density(on_points(YMW16(), xyz)[1][:, index], table[f"ymw_{name}"])


@pytest.mark.parametrize("target", TARGETS)
def test_sight_lines(on_line, shared, target):
    table = read_csv(shared / f"data/galaxy/ne_los_{target}.csv")
    n_e = on_line(YMW16(), *map(jnp.asarray, TARGETS[target]), jnp.asarray(table["s_pc"] / 1e3))
    assert_density(n_e, table["ne_ymw16"])


def test_dispersion_measure_toward_quintuplet(on_line):
    s = jnp.linspace(1e-7, 8.3, 1500)
    n_e = on_line(YMW16(), jnp.asarray(0.164), jnp.asarray(-0.061), s)
    assert float(jnp.trapezoid(n_e, s * 1e3)) == pytest.approx(1933.0, abs=1.0)


def test_norms_scale_the_whole_and_the_centre(on_points):
    # In the Galactic-centre disk, in the arms, and in the Gum Nebula's shell.
    xyz = jnp.array([[60.0, 20.0, -7.0], [3900.0, -3500.0, 0.0], [-447.0, 8347.0, 145.0]])
    plain, components, _ = on_points(YMW16(), xyz)
    np.testing.assert_allclose(on_points(YMW16(norm=1.2), xyz)[0], 1.2 * plain, rtol=1e-14)
    shifted = on_points(YMW16(norm_gc=1.5), xyz)[0] - plain
    np.testing.assert_allclose(shifted, 0.5 * components[:, 3] * (components[:, 4] < 0.1))
    assert shifted[0] > 1.0


def test_heliocentric_frame():
    sun = heliocentric_to_ymw16_pc(jnp.asarray(123.0), jnp.asarray(4.0), jnp.asarray(0.0))
    np.testing.assert_allclose(sun, [0.0, 8300.0, 6.0])
    east = heliocentric_to_ymw16_pc(jnp.asarray(90.0), jnp.asarray(0.0), jnp.asarray(2.0))
    np.testing.assert_allclose(east, [2000.0, 8300.0, 6.0], atol=1e-9)
    centre = heliocentric_to_ymw16_pc(jnp.asarray(0.0), jnp.asarray(0.0), jnp.asarray(8.3))
    np.testing.assert_allclose(centre, [0.0, 0.0, 6.0], atol=1e-9)


def test_nothing_beyond_thirty_kiloparsecs(on_points):
    xyz = jnp.array([[0.0, 0.0, 30001.0], [29999.0, 0.0, 0.0], [30001.0, 0.0, 0.0]])
    total, components, _ = on_points(YMW16(), xyz)
    assert components[1, 0] > 0.0
    np.testing.assert_allclose(total[jnp.array([0, 2])], 0.0)


@pytest.mark.slow
def test_every_parameter_is_a_float64_leaf_that_matters():
    """Along seven sight lines together, the density depends on every parameter.

    Parameters of edges only act through where-conditions, and have no derivative.
    """
    edges = {"r_warp_pc", "z_max_pc", "theta_local_end_rad", "r_bump_pc"}
    model = YMW16()
    leaves = jax.tree_util.tree_flatten_with_path(model)[0]
    assert all(leaf.dtype == jnp.float64 for _, leaf in leaves)
    directions = jnp.array(
        [
            [0.164, -0.061],
            [264.0, -4.0],
            [278.2, 5.0],
            [195.4, 0.0],
            [75.0, 1.0],
            [350.0, 10.0],
            [14.8, 15.5],
        ]
    )
    s = jnp.geomspace(0.01, 12.0, 200)

    @jax.jit
    def sensitivity(model):
        def total(m):
            lines = jax.vmap(lambda d: jax.vmap(lambda x: m(d[0], d[1], x))(s), in_axes=(0,))(
                directions
            )
            return jnp.sum(lines * jnp.linspace(1.0, 2.0, s.size))

        return jax.grad(total)(model)

    for path, leaf in jax.tree_util.tree_flatten_with_path(sensitivity(model))[0]:
        name = jax.tree_util.keystr(path)
        if not any(name.endswith(e) for e in edges):
            assert np.all(np.asarray(leaf) != 0.0), f"{name} has no effect"


def test_new_values_do_not_retrace():
    traces = []

    @eqx.filter_jit
    def density(model, s):
        traces.append(1)
        return model(jnp.asarray(10.0), jnp.asarray(1.0), s)

    density(YMW16(), jnp.asarray(1.0))
    density(YMW16(norm=1.3), jnp.asarray(2.0))
    assert len(traces) == 1
