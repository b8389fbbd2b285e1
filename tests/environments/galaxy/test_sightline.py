"""Nodes along a sight line, what is sampled there, and gradients through jumps of the field."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.conversion.born import born_probability
from diffaxion.environments.galaxy.base import (
    ElectronDensity,
    MagneticField,
    UniformDensity,
    UniformField,
)
from diffaxion.environments.galaxy.frame import S_MIN_KPC, SightLine
from diffaxion.environments.galaxy.sightline import (
    SPLIT_KPC,
    LinePath,
    adaptive_fractions,
    density_table,
    node_positions,
    sample_path,
    uniform_fractions,
)
from diffaxion.errors import ValidityError


class StepField(MagneticField):
    """B_y jumps from 1 to -2 muG across the plane x = edge; a second plane may be out of reach."""

    references: ClassVar[tuple[str, ...]] = ()
    edges_kpc: jax.Array

    def __call__(self, position_kpc):
        b_y = jnp.where(position_kpc[0] < self.edges_kpc[0], 1.0, -2.0)
        return jnp.stack([jnp.zeros(()), b_y, jnp.zeros(())])

    def crossings_kpc(self, sightline):
        s = (self.edges_kpc + sightline.r_sun_kpc) / sightline.direction()[0]
        return jnp.where((s > 0.0) & (s < sightline.distance_kpc), s, sightline.distance_kpc)


class Bump(ElectronDensity):
    """A smooth ridge of electrons at s = 5 kpc."""

    references: ClassVar[tuple[str, ...]] = ()
    peak_cm3: jax.Array

    def __call__(self, longitude_deg, latitude_deg, s_kpc):
        return 0.02 + self.peak_cm3 * jnp.exp(-(((s_kpc - 5.0) / 0.4) ** 2))


LINE = SightLine(0.0, 0.0, 6.0)
FIELD = StepField(jnp.array([-6.0, 40.0]))


def test_nodes_are_the_base_grid_and_both_sides_of_every_crossing():
    s = np.asarray(node_positions(LINE, FIELD, uniform_fractions(11)))
    assert s.shape == (11 + 4,)
    assert s[0] == S_MIN_KPC
    assert s[-1] == 6.0
    assert np.all(np.diff(s) >= 0.0)
    at = np.searchsorted(s, 2.3)
    # Doubles near 2.3 kpc are spaced by 4e-16 kpc.
    np.testing.assert_allclose(s[at - 1 : at + 1] - 2.3, [-SPLIT_KPC, SPLIT_KPC], atol=1e-14)
    # The plane that the line does not reach is padded at the source.
    np.testing.assert_allclose(s[-3:], 6.0, atol=1.1 * SPLIT_KPC)


def test_smooth_fields_add_no_nodes():
    field = UniformField(jnp.ones(3))
    assert node_positions(LINE, field, uniform_fractions(5)).shape == (5,)


def test_components_are_those_along_longitude_and_latitude():
    line = SightLine(40.0, 25.0, 3.0)
    b = np.array([0.3, -1.7, 2.2])
    path = sample_path(line, UniformField(b), UniformDensity(0.07), uniform_fractions(4))
    l, lat = np.deg2rad([40.0, 25.0])
    e_l = np.array([-np.sin(l), np.cos(l), 0.0])
    e_b = np.array([-np.cos(l) * np.sin(lat), -np.sin(l) * np.sin(lat), np.cos(lat)])
    np.testing.assert_allclose(path.b_l_muG, b @ e_l, rtol=1e-13)
    np.testing.assert_allclose(path.b_b_muG, b @ e_b, rtol=1e-13)
    np.testing.assert_allclose(path.n_e_cm3, 0.07)
    np.testing.assert_array_equal(path.n_h_cm3, 0.0)


def test_density_may_come_from_values_or_from_a_table():
    fractions, density = uniform_fractions(41), Bump(jnp.array(0.3))
    direct = sample_path(LINE, FIELD, density, fractions)
    table = density_table(LINE, density)
    by_table = sample_path(LINE, FIELD, None, fractions, table)
    # Linear interpolation: h^2/8 max|n''| with h = 7.5e-4 kpc.
    np.testing.assert_allclose(by_table.n_e_cm3, direct.n_e_cm3, atol=3e-7)
    by_value = sample_path(LINE, FIELD, None, fractions, direct.n_e_cm3, 2.0 * direct.n_e_cm3)
    np.testing.assert_array_equal(by_value.n_e_cm3, direct.n_e_cm3)
    np.testing.assert_array_equal(by_value.n_h_cm3, 2.0 * direct.n_e_cm3)


def test_missing_or_misshapen_density_is_refused():
    with pytest.raises(ValidityError, match="needs an electron density"):
        sample_path(LINE, FIELD, None, uniform_fractions(5))
    with pytest.raises(ValidityError, match=r"\(5,\).*9 nodes"):
        sample_path(LINE, FIELD, None, uniform_fractions(5), jnp.ones(5))


@eqx.filter_jit
def column(edge, distance, n):
    """int B_l ds, and the amplitude-level observable p at two energies."""
    line = SightLine(0.0, 0.0, distance)
    path = sample_path(
        line, StepField(jnp.stack([edge, edge + 50.0])), UniformDensity(0.05), uniform_fractions(n)
    )
    b = 0.5 * (path.b_l_muG[1:] + path.b_l_muG[:-1])
    p = born_probability(path, jnp.array([10.0, 40.0]), jnp.array(5e-12))
    return jnp.concatenate([jnp.sum(b * jnp.diff(path.s_kpc))[None], p * 1e6])


def test_gradient_carries_the_boundary_terms():
    """d/d(edge) int B = B_- - B_+ = 3 and d/dd = B(d) = -2; on a fixed grid the first is 0."""
    args = (jnp.array(-6.03), jnp.array(6.0))
    by_edge, by_distance = jax.jacfwd(lambda e, d: column(e, d, 17), (0, 1))(*args)
    np.testing.assert_allclose(by_edge[0], 3.0, rtol=1e-12)
    np.testing.assert_allclose(by_distance[0], -2.0, rtol=1e-12)
    # p too, against differences; the jump moves across no base node here.
    for k, gradient in enumerate((by_edge, by_distance)):
        h = 1e-4
        step = [jnp.array(h) if i == k else jnp.array(0.0) for i in range(2)]
        up = column(args[0] + step[0], args[1] + step[1], 17)
        down = column(args[0] - step[0], args[1] - step[1], 17)
        np.testing.assert_allclose(gradient, (up - down) / (2 * h), rtol=1e-6)


def test_adaptive_grid_beats_the_uniform_one():
    """300 adaptive nodes err less than 600 equidistant ones."""
    density, field = Bump(jnp.array(3.0)), UniformField(jnp.array([0.0, 1.0, 0.5]))
    energy, m = jnp.array([10.0, 30.0]), jnp.array(2e-12)

    @jax.jit
    def p(fractions):
        return born_probability(sample_path(LINE, field, density, fractions), energy, m)

    fractions = adaptive_fractions(LINE, density, field, 300, float(m), 10.0)
    assert fractions.shape == (300,)
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert np.all(np.diff(fractions) > 0.0)
    # Nodes gather where the phase bends: more than twice the mean density on the ridge.
    assert np.sum(np.abs(np.asarray(fractions) * 6.0 - 5.0) < 0.5) > 100
    exact = p(uniform_fractions(20001))
    error = np.max(np.abs(p(fractions) / exact - 1.0))
    assert error < 1e-4
    assert error < np.max(np.abs(p(uniform_fractions(600)) / exact - 1.0))


def test_adaptive_grid_without_medium_is_uniform():
    fractions = adaptive_fractions(
        LINE, UniformDensity(0.0), UniformField(jnp.zeros(3)), 9, 0.0, 10.0
    )
    np.testing.assert_allclose(fractions, np.linspace(0, 1, 9), atol=1e-12)


def test_adaptive_grid_refuses_nonsense():
    with pytest.raises(ValidityError, match="phase_share = 2"):
        adaptive_fractions(LINE, Bump(jnp.array(1.0)), FIELD, 9, 0.0, 10.0, phase_share=2.0)


def test_no_retrace_when_values_change():
    traces = []

    @jax.jit
    def sampled(line, field):
        traces.append(1)
        return sample_path(line, field, UniformDensity(0.1), uniform_fractions(7))

    for edge in (-6.0, -3.0, 50.0):
        path = sampled(LINE, StepField(jnp.array([edge, 60.0])))
        assert isinstance(path, LinePath)
        assert np.all(np.isfinite(path.b_l_muG))
    assert len(traces) == 1
