"""Magnetic fields of halos against the published profiles, and the rules of their edges."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy import constants as const
from astropy import units as u

from diffaxion.data import load_table
from diffaxion.environments.halos import (
    BattagliaPressure,
    ConstantBetaField,
    halo_field,
    thermal_pressure,
    tng_field,
)
from diffaxion.environments.halos.magnetic import (
    LOG10_MASS_CENTRES,
    LOG10_MASS_EDGES,
    REDSHIFTS,
    X_CENTRES,
)
from diffaxion.errors import ConfigurationError

from .media import halos, parity_cells

CENTRES = halos(REDSHIFTS, 10.0**LOG10_MASS_CENTRES)


@pytest.fixture(scope="module")
def strength():
    return eqx.filter_jit(lambda field, grid, x: field(grid, x))


@pytest.fixture(scope="module")
def mean(shared):
    with np.load(shared / "data" / "screening" / "tng_bfield_mean.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def at_centres():
    return np.broadcast_to(X_CENTRES[:, None, None], (11, 4, 8))


def test_bins_agree_with_the_tables():
    profiles = load_table("halo_field_tng_profiles")
    shape = (4, 8, 11)
    np.testing.assert_allclose(profiles["x_cen"].reshape(shape)[0, 0], X_CENTRES, rtol=5e-6)
    np.testing.assert_array_equal(profiles["z"].reshape(shape)[:, 0, 0], REDSHIFTS)
    for table, k in ((profiles, 11), (load_table("halo_field_tng_quintics"), 1)):
        edges = table["log10M200c_lo"].reshape(4, 8, k)[0, :, 0]
        np.testing.assert_array_equal(edges, LOG10_MASS_EDGES[:-1])


def test_quintics_reproduce_the_means(strength, mean):
    b = strength(tng_field("piecewise"), CENTRES, at_centres())
    residual = np.log10(np.moveaxis(np.asarray(b), 0, -1) * 1e-6 / mean["B_mean"])
    assert np.sqrt(np.mean(residual**2)) < 0.03
    assert np.max(np.abs(residual)) < 0.13


def test_bilinear_is_the_quintic_at_bin_centres(strength):
    one, two = (strength(tng_field(s), CENTRES, at_centres()) for s in ("piecewise", "smooth"))
    np.testing.assert_allclose(one, two, rtol=1e-12)


def test_printed_examples(strength):
    # The specification prints 0.266 at x = 0.513, where its own table of means has 0.296 and its
    # quintic 0.326: that value is left out.
    printed, points = np.array([2.90, 0.585, 0.157]), np.array([0, 4, 9])
    means = load_table("halo_field_tng_profiles")["B_mean_G"].reshape(4, 8, 11)[0, 4]
    np.testing.assert_allclose(means[points] * 1e6, printed, rtol=2e-3)
    b = strength(tng_field("piecewise"), halos([0.0], [2e13]), X_CENTRES[points, None, None])
    # The residual of the quintics is 0.024 dex rms.
    np.testing.assert_allclose(np.log10(b.ravel() / printed), 0.0, atol=0.03)


@pytest.mark.parametrize(
    ("x", "expected"),
    [([0.858129, 0.941913], [0.372156, 0.328838]), ([0.162086, 0.268077], [2.003285, 1.843567])],
)
def test_parity_cells(strength, x, expected):
    b = strength(halo_field("tng"), parity_cells(), jnp.array([x]))
    # x is printed to 1e-6 and B falls like x^-1.5 at most: 1e-5 at x = 0.16.
    np.testing.assert_allclose(b[0], expected, rtol=1.2e-5)


def test_rules_of_the_piecewise_edges(strength):
    field = tng_field("piecewise")
    # A tie goes to the lower redshift; the bins are closed below.
    z = halos([0.0, 0.25, 0.2501, 0.5, 0.75, 1.25, 1.3, 1.5, 3.0], [3e12])
    b = strength(field, z, jnp.full((9, 1), 0.5))[:, 0]
    first = [0, 0, 3, 3, 3, 5, 6, 6, 6]
    assert b[5] not in (b[4], b[6])
    np.testing.assert_array_equal(b, b[np.array(first)])
    mass = halos([0.0], [9.99e10, 1e11, 9.99e12, 1e13, 1.1e13, 9.9e14, 1e15, 1e16])
    b = strength(field, mass, jnp.full((1, 8), 0.5))[0]
    assert b[0] == 0.0
    assert b[1] > 0.0
    assert b[3] == b[4] != b[2]
    assert b[5] == b[6] == b[7]
    # The smooth field is held at the edges of the table instead.
    smooth = strength(tng_field("smooth"), mass, jnp.full((1, 8), 0.5))[0]
    assert smooth[0] == smooth[1] > 0.0
    assert smooth[6] == smooth[7]


def test_smooth_field_is_linear_between_centres(strength):
    pair = halos([0.5, 0.75, 1.0], [10**12.25, 10**12.35, 10**12.75])
    b = np.log(strength(tng_field("smooth"), pair, jnp.full((3, 3), 0.4)))
    np.testing.assert_allclose(b[1], 0.5 * (b[0] + b[2]), rtol=1e-12)
    np.testing.assert_allclose(b[:, 1], 0.8 * b[:, 0] + 0.2 * b[:, 2], rtol=1e-12)


@pytest.mark.parametrize("name", ["tng", "tng-smooth", "beta:100"])
def test_radii_are_clipped(strength, name):
    field = halo_field(name)
    b = strength(field, CENTRES, jnp.array([0.0, 1e-30, 0.05, 2.0, 1e30])[:, None, None])
    assert np.all(np.isfinite(b))
    np.testing.assert_array_equal(b[0], b[2])
    np.testing.assert_array_equal(b[1], b[2])
    np.testing.assert_array_equal(b[4], b[3])
    grad = eqx.filter_jit(eqx.filter_grad(lambda a: jnp.sum(a[0](a[1], a[2][:, None, None]))))(
        (field, CENTRES, jnp.array([0.0, 1e-30, 1e30]))
    )
    assert all(np.all(np.isfinite(g)) for g in jax.tree.leaves(grad))


@pytest.mark.parametrize("scheme", ["piecewise", "smooth"])
def test_amplitude_nuisances(strength, scheme):
    grid = halos([0.3], [1e12, 10**13.7, 10**13.9, 10**14.1, 10**14.3, 1e15])
    x = jnp.full((1, 6), 0.5)
    field = tng_field(scheme)
    plain = strength(field, grid, x)
    scaled = eqx.tree_at(lambda f: f.ln_amplitude, field, jnp.array(0.3))
    np.testing.assert_allclose(strength(scaled, grid, x), plain * np.exp(0.3), rtol=1e-13)
    scaled = eqx.tree_at(lambda f: f.ln_amplitude_massive, field, jnp.array(0.15))
    share = np.log(strength(scaled, grid, x) / plain)[0] / 0.15
    if scheme == "piecewise":
        np.testing.assert_allclose(share, [0, 0, 0, 1, 1, 1], atol=1e-13)
    else:
        np.testing.assert_allclose(share[[0, 1, 4, 5]], [0, 0, 1, 1], atol=1e-13)
        # t = 0.3 and 0.7 of the quintic step: 0.16308 and 0.83692.
        np.testing.assert_allclose(share[2:4], [0.16308, 0.83692], atol=1e-12)


def test_profile_offsets_have_the_covariance_of_the_means(mean):
    dex = np.asarray(tng_field().profile_dex)
    covariance = dex @ np.swapaxes(dex, -1, -2) * np.log(10.0) ** 2
    b = mean["B_mean"]
    expected = mean["B_cov_of_mean"] / (b[..., None] * b[..., None, :])
    # Two halos: rank one, inflated by 30% of B in quadrature.
    few = mean["n_halos"] <= 2
    assert few.sum() == 2
    expected[few] += 0.3**2 * np.eye(11)
    error = np.sqrt(np.einsum("abii->abi", expected))
    scaled = (covariance - expected) / (error[..., None] * error[..., None, :])
    assert np.max(np.abs(scaled)) < 2e-4  # five digits per entry
    assert np.max(np.abs(np.triu(dex, 1))) == 0.0


def test_whitened_offsets_map_to_the_quintic_by_least_squares(strength, mean):
    field = tng_field()
    draw = np.random.default_rng(3).normal(size=(4, 8, 11))
    moved = eqx.tree_at(lambda f: f.profile_z, field, jnp.asarray(draw))
    ratio = np.log10(
        strength(moved, CENTRES, at_centres()) / strength(field, CENTRES, at_centres())
    )
    shift = np.einsum("abij,abj->abi", np.asarray(field.profile_dex), draw)
    for i, j in ((0, 0), (1, 5), (2, 7)):
        fit = np.polyval(np.polyfit(np.log10(X_CENTRES), shift[i, j], 5), np.log10(X_CENTRES))
        np.testing.assert_allclose(ratio[:, i, j], fit, rtol=0, atol=1e-9)


def test_clumping_is_the_log_normal_mean_square(strength, mean):
    one, two = (strength(tng_field(clumping=c), CENTRES, at_centres()) for c in (False, True))
    ratio = np.moveaxis(np.asarray(two / one), 0, -1) ** 2
    expected = np.exp((np.log(10.0) * mean["sd_log10B"]) ** 2)
    # s^2 is smoothed by a quintic: 0.006 dex^2 rms, 0.031 at worst.
    deviation = np.log(ratio / expected) / np.log(10.0) ** 2
    assert np.sqrt(np.mean(deviation**2)) < 0.0065
    assert np.max(np.abs(deviation)) < 0.032
    beyond = strength(tng_field(clumping=True), CENTRES, jnp.full((1, 1), 0.05))
    assert np.all(np.isfinite(beyond))


def test_unknown_scheme_is_refused():
    with pytest.raises(ConfigurationError, match=r"'piecewize'.*'piecewise'"):
        tng_field("piecewize")


def test_pressure_and_beta_field_against_astropy(strength):
    grid, x = parity_cells(), np.array([[0.3, 0.8]])
    mass, z = np.asarray(grid.m200c_Msun), float(grid.z[0])
    rho = np.asarray(grid.critical_density) * u.Msun / u.Mpc**3
    radius = np.asarray(grid.r200c_Mpc) * u.Mpc
    p200 = 200 * const.G * (mass * u.Msun) * rho * (0.0224 / 0.1425) / (2 * radius)
    p0, xc, beta_y = (
        a * (mass / 1e14) ** p * (1 + z) ** q
        for a, p, q in ((18.1, 0.154, -0.758), (0.497, -0.00865, 0.731), (4.35, 0.0393, 0.415))
    )
    pressure = p200 * p0 * (x / xc) ** -0.3 * (1 + x / xc) ** -beta_y
    got = thermal_pressure(BattagliaPressure(), grid, jnp.asarray(x))
    # G and the solar mass of astropy against those of CODATA 2022: 5e-5.
    np.testing.assert_allclose(got, pressure.to_value(u.Pa), rtol=1e-4)
    b = np.sqrt(2 * const.mu0 * pressure / 100).to_value(u.uG)
    np.testing.assert_allclose(strength(halo_field("beta:100"), grid, x), b, rtol=5e-5)
    exact = got * u.Pa
    b = np.sqrt(2 * const.mu0 * exact / 10).to_value(u.uG)
    np.testing.assert_allclose(strength(halo_field("beta:10"), grid, x), b, rtol=1e-9)


def test_mass_cap(strength):
    grid, x = parity_cells(), jnp.array([[0.3, 0.3]])
    capped = ConstantBetaField(jnp.array(100.0), mass_cap_Msun=jnp.array(10**14.5))
    one, two = strength(halo_field("beta:100"), grid, x), strength(capped, grid, x)
    assert one[0, 0] == two[0, 0]
    # P_200 ~ M at fixed R200c, times P_0, x_c and beta of the capped mass.
    m = 10**14.5 / 4.922771e14
    assert 0.5 * np.log(m) * 1.4 < np.log(two[0, 1] / one[0, 1]) < 0.5 * np.log(m)


def test_field_from_a_file(tmp_path, strength):
    path = tmp_path / "field.csv"
    radii = np.geomspace(0.04, 2.5, 30)
    rows = [f"{z},{m},{x:.12g},{2.0 * x**-0.8 * (1 + z) * 10 ** (0.1 * (m - 13)):.12g}"
            for z in (0.0, 1.0) for m in (12.0, 15.0) for x in radii]  # fmt: skip
    path.write_text("z,log10_M200c,x,B_muG\n" + "\n".join(rows) + "\n")
    grid = halos([0.5], [1e13, 1e14])
    b = strength(halo_field(path), grid, jnp.array([[0.3, 1.5]]))
    expected = 2.0 * np.array([0.3, 1.5]) ** -0.8 * np.sqrt(2.0) * 10.0 ** np.array([0.0, 0.1])
    np.testing.assert_allclose(b[0], expected, rtol=1e-9)


def test_constant_field(strength):
    b = strength(halo_field("constant:0.7"), CENTRES, at_centres())
    np.testing.assert_array_equal(b, np.full((11, 4, 8), 0.7))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tgn", "'tgn'.*'tng'"),
        ("beta:0", "beta = 0, expected beta > 0"),
        ("beta:-3", "beta = -3"),
        ("beta:nan", "not finite"),
        ("beta:inf", "not finite"),
        ("beta:ten", "'ten' is not a number.*beta:100"),
        ("beta", "value is missing.*beta:100"),
        ("constant:-1", "B = -1 muG, expected B >= 0"),
        ("constant:", "not a number.*constant:1"),
        ("", "unknown halo field"),
    ],
)
def test_bad_field_specifications(spec, message):
    with pytest.raises(ConfigurationError, match=message):
        halo_field(spec)
