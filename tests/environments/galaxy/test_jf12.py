"""JF12 against reference codes, its limits, and its crossings with sight lines."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffaxion.environments.galaxy.frame import SightLine
from diffaxion.environments.galaxy.jf12 import (
    JF12,
    PRINTED_FRACTIONS,
    jf12_lower_limits,
    jf12_prior_widths,
)
from diffaxion.environments.galaxy.spiral import arm_integral, arm_strength, fold
from diffaxion.errors import ConfigurationError
from tests.conftest import read_csv


@pytest.fixture(scope="module")
def sample():
    return eqx.filter_jit(eqx.filter_vmap(lambda f, x: f(x), in_axes=(None, 0)))


@pytest.fixture(scope="module")
def crossings():
    return eqx.filter_jit(lambda f, line: f.crossings_kpc(line))


@pytest.fixture(scope="module")
def reference(shared):
    table = read_csv(shared / "data/galaxy/field_samples_jf12_ptkn11.csv")
    position = jnp.stack([table[f"{c}_kpc"] for c in "xyz"], axis=1)
    return position, lambda key: np.stack([table[f"B{c}_{key}"] for c in "xyz"], axis=1)


def _positions(n, seed=0, scale=(17.0, 17.0, 6.0)):
    return jnp.asarray(np.random.default_rng(seed).uniform(-1, 1, (n, 3)) * np.array(scale))


@pytest.mark.parametrize(
    ("field", "key"), [(JF12.published(), "jf12_gammaALPs"), (JF12.crpropa(), "jf12_crpropa")]
)
def test_reference_samples(sample, reference, field, key):
    position, values = reference
    np.testing.assert_allclose(sample(field, position), values(key), rtol=0, atol=1e-8)


def test_value_at_the_sun():
    b = JF12.published()(jnp.array([-8.5, 0.0, 0.0]))
    np.testing.assert_allclose(b, [0.0620, 1.0275, 0.1852], atol=5e-5)


@pytest.mark.parametrize(
    ("variant", "rule", "b_8"),
    [
        ("jf12", "printed", 2.75513),
        ("jf12", "geometric", 2.75722),
        ("jf12", "value", 2.7),
        ("jf12b", "printed", 2.226),
        ("jf12c", "printed", 2.456),
    ],
)
def test_eighth_arm(variant, rule, b_8):
    arms = JF12.published(variant, arm_8=rule).arm_strengths_muG()
    np.testing.assert_allclose(arms[-1], b_8, atol=5e-4 if variant != "jf12" else 5e-6)


def test_printed_fractions_are_the_rounded_geometric_ones():
    exact = JF12.published().exact_fractions()
    np.testing.assert_allclose(exact, PRINTED_FRACTIONS, atol=1e-3)
    np.testing.assert_allclose(jnp.sum(exact), 1.0, rtol=1e-14)


@pytest.mark.parametrize("variant", ["jf12", "jf12b", "jf12c"])
def test_variants_against_gammaalps(sample, variant):
    import scipy.integrate as si

    if not hasattr(si, "simps"):
        si.simps = lambda y, x=None, dx=1.0, axis=-1: si.simpson(y, x=x, dx=dx, axis=axis)
    gmf = pytest.importorskip("gammaALPs.bfields.gmf", reason="gammaalps is not installed")
    peer = gmf.GMF(model=variant.replace("jf", "jansson"))
    position = _positions(60, seed=3)
    x, y, z = np.asarray(position).T
    r, phi = np.hypot(x, y), np.arctan2(y, x)
    inside = (r**2 + z**2 < 20.0**2) & (r > 1.5)
    r, phi, z = r[inside], phi[inside], z[inside]
    total = peer.Bdisk(r, phi, z)[0] + peer.Bhalo(r, z)[0] + peer.BX(r, z)[0]
    ours = sample(JF12.published(variant), position[inside])
    cartesian = np.stack(
        [
            total[0] * np.cos(phi) - total[1] * np.sin(phi),
            total[0] * np.sin(phi) + total[1] * np.cos(phi),
            total[2],
        ],
        axis=1,
    )
    np.testing.assert_allclose(ours, cartesian, rtol=0, atol=1e-12)


def test_x_field_is_divergence_free():
    field = JF12.published(norm_disk=0.0, norm_toroidal=0.0)
    divergence = jax.jit(jax.vmap(lambda x: jnp.trace(jax.jacfwd(field)(x))))
    assert np.max(np.abs(divergence(_positions(400)))) < 1e-8


@given(r=st.floats(0.0, 15.0), z=st.floats(0.01, 10.0), phi=st.floats(-np.pi, np.pi))
@settings(max_examples=15, deadline=None)
def test_x_field_symmetry(r, z, phi):
    """Axisymmetric; B_z is even in z and B_r odd; B points along its field line."""
    b_r, b_z = JF12.published().x_field(jnp.asarray(r), jnp.asarray(z))
    s_r, s_z = JF12.published().x_field(jnp.asarray(r), jnp.asarray(-z))
    assert (s_r, s_z) == (-b_r, b_z)
    field = JF12.published(norm_disk=0.0, norm_toroidal=0.0)
    b = field(jnp.array([r * np.cos(phi), r * np.sin(phi), z]))
    np.testing.assert_allclose(b[2], b_z, rtol=1e-12)
    np.testing.assert_allclose(jnp.hypot(b[0], b[1]), b_r, rtol=1e-12, atol=1e-15)


def _boundary_distance(field, position):
    """Distance from arm boundaries, edges and the cone of X, in kpc."""
    x, y, z = np.asarray(position).T
    r = np.hypot(x, y)
    u = jax.vmap(lambda a, b: field.winding(a, b)[0])(jnp.asarray(r), jnp.arctan2(y, x))
    u_arm = np.log(np.asarray(field.arm_radii_kpc))
    period = 2 * np.pi * np.tan(np.deg2rad(11.5))
    gaps = [np.min(np.abs(np.asarray(u)[:, None] - u_arm - k * period), axis=1) for k in (-1, 0)]
    cone = 4.8 + np.abs(z) / np.tan(np.deg2rad(49.0))
    edges = [np.abs(r - e) for e in (3.0, 5.0, 20.0)] + [np.abs(r - cone)]
    edges.append(np.abs(np.hypot(r, z) - 20.0))
    return np.minimum(np.minimum(*gaps) * r, np.min(edges, axis=0))


def test_smooth_field_tends_to_the_sharp_one(sample):
    sharp = JF12.published()
    position = _positions(300, seed=4)
    away = _boundary_distance(sharp, position) > 0.2
    assert away.sum() > 150
    exact = sample(sharp, position[away])
    # An arm edge of width w at 8 kpc has w r/8 kpc elsewhere: the tail is exp(-0.2/(20 w/8)).
    for width, bound in ((0.05, 0.3), (0.003, 1e-10)):
        smooth = sharp.smoothed(jnp.asarray(width))
        assert np.max(np.abs(sample(smooth, position[away]) - exact)) < bound
    arms = dataclasses.replace(sharp, arm_eps=jnp.asarray(3e-4))
    assert np.max(np.abs(sample(arms, position[away]) - exact)) < 1e-12


@pytest.mark.parametrize("eps", [None, 0.02])
def test_arm_integral_is_the_antiderivative_and_periodic(eps):
    field = JF12.published(arm_8="geometric")
    _, u_arm, period = field.winding(jnp.asarray(8.0), jnp.asarray(0.3))
    arms = field.arm_strengths_muG()
    eps = None if eps is None else jnp.asarray(eps)
    u = fold(jnp.linspace(1.0, 3.0, 41), u_arm, period)
    strength = jax.vmap(lambda v: arm_strength(v, u_arm, period, arms, eps))(u)
    slope = jax.vmap(jax.grad(lambda v: arm_integral(v, u_arm, period, arms, eps)))(u)
    np.testing.assert_allclose(slope, strength, atol=1e-12)
    ends = [arm_integral(e, u_arm, period, arms, eps) for e in (u_arm[-1] - period, u_arm[-1])]
    np.testing.assert_allclose(ends[0], ends[1], atol=1e-12)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            SightLine(0.164, -0.061, 8.3, 8.3),
            [1.20071, 2.00118, 3.20189, 3.30002, 5.30006],
        ),
        (SightLine(339.55, -0.40, 2.6, 8.3), [1.20310, 2.02397]),
    ],
    ids=["Quintuplet", "Westerlund 1"],
)
def test_crossings_of_the_targets(crossings, line, expected):
    """Arms and r = 3, 5 kpc; the cone of the X field is a further jump, of 2e-3 of B_X here."""
    found = np.unique(crossings(JF12.published(), line))
    found = found[found < line.distance_kpc]
    for s in expected:
        assert np.min(np.abs(found - s)) < 6e-6
    cone = np.asarray(JF12.published().cone_crossings_kpc(line))
    assert len(found) == len(expected) + np.sum(cone < line.distance_kpc)


@pytest.mark.parametrize(
    ("longitude", "latitude", "distance", "r_sun"),
    [
        (0.0, 0.0, 27.0, 8.2),
        (33.0, 0.0, 24.0, 8.5),
        (-35.9, 1.0, 24.0, 8.5),
        (52.0, -2.0, 20.0, 8.178),  # nearly tangent to an arm: the same boundary twice
        (-70.0, 5.0, 18.0, 8.0),
        (100.0, 3.0, 12.0, 8.5),
        (180.0, 0.0, 11.0, 8.5),
        (-20.45, -0.4, 15.0, 8.35),
    ],
)
def test_crossings_are_all_the_jumps(crossings, longitude, latitude, distance, r_sun):
    """Every change of arm or ring on a fine grid, and nothing else, is a crossing."""
    field = JF12.published()
    line = SightLine(longitude, latitude, distance, r_sun)
    s = np.linspace(1e-6, distance, 40_001)
    x, y, z = np.asarray(jax.vmap(line.position_kpc)(jnp.asarray(s))).T
    r, radius = np.hypot(x, y), np.sqrt(x * x + y * y + z * z)
    tan_i = np.tan(np.deg2rad(11.5))
    u_arm = np.log(np.asarray(field.arm_radii_kpc))
    u = np.log(r) - (np.arctan2(y, x) - np.pi) * tan_i
    folded = u_arm[-1] - np.mod(u_arm[-1] - u, 2 * np.pi * tan_i)
    region = np.searchsorted(u_arm, folded)
    region = np.where(r < 5.0, 10, region)
    region = np.where(r < 3.0, 11, region)
    region = np.where(radius > 20.0, 12, region)
    jumps = s[:-1][np.diff(region) != 0]
    found = np.asarray(crossings(field, line))
    cone = np.asarray(field.cone_crossings_kpc(line))
    found = found[(found < distance) & (np.min(np.abs(found[:, None] - cone), axis=1) > 1e-9)]
    found = np.sort(found[np.hypot(r, z)[np.searchsorted(s, found) - 1] <= 20.0])
    assert len(found) == len(jumps)
    np.testing.assert_allclose(found, jumps, atol=1.01 * distance / 40_000)


def test_cone_crossings_solve_their_equation():
    field = JF12.published()
    line = SightLine(8.0, 5.0, 15.0, 8.3)
    s = field.cone_crossings_kpc(line)
    assert np.all(s < 15.0)
    x, y, z = jax.vmap(line.position_kpc)(s).T
    np.testing.assert_allclose(
        jnp.hypot(x, y), 4.8 + jnp.abs(z) / np.tan(np.deg2rad(49.0)), rtol=1e-13
    )


def test_smooth_models_have_no_crossings():
    line = SightLine(0.164, -0.061, 8.3, 8.3)
    smooth = JF12.published().smoothed(jnp.asarray(0.1))
    assert smooth.crossings_kpc(line).shape == (0,)


def test_priors():
    priors = jf12_prior_widths()
    assert priors["b_x_muG"] == (4.6, 0.3)
    assert priors["b_arm_muG[5]"] == (-4.2, 0.5)
    assert "b_arm_muG[7]" not in priors
    assert jf12_prior_widths(free_arm_8=True)["b_arm_muG[7]"] == (2.7, 1.8)
    assert "pitch_deg" not in priors
    assert jf12_lower_limits() == {"r_s_kpc": 16.7}
    for path, (mean, sigma) in priors.items():
        name, _, index = path.partition("[")
        leaf = getattr(JF12.published(), name)
        assert sigma > 0.0
        assert float(leaf[int(index[:-1])] if index else leaf) == mean


def test_unknown_variant():
    with pytest.raises(ConfigurationError, match="jf12b"):
        JF12.published("jf12x")
