"""Power from user arrays: what the splines keep, what is refused, and files of it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from astropy.table import Table

from diffaxion.data import read_linear_power
from diffaxion.environments import cosmology as co
from diffaxion.errors import DataError, ValidityError

FIDUCIAL = co.planck_cosmology()
EH = co.linear_power("eisenstein-hu")
Z = np.linspace(0.0, 2.0, 9)
K = np.geomspace(1e-4, 50.0, 250)
evaluate = eqx.filter_jit(lambda power, c, k, z: power(c, k, z))
sigma = eqx.filter_jit(co.mass_sigma)


@pytest.fixture(scope="module")
def arrays():
    return Z, K, np.asarray(evaluate(EH, FIDUCIAL, jnp.asarray(K), jnp.asarray(Z)[:, None]))


@pytest.fixture(scope="module")
def tabulated(arrays):
    return co.TabulatedPower(*arrays)


def test_nodes_and_between(tabulated, arrays):
    z, k, p = arrays
    got = evaluate(tabulated, FIDUCIAL, jnp.asarray(k), jnp.asarray(z)[:, None])
    np.testing.assert_allclose(got, p, rtol=1e-12)
    k, z = jnp.geomspace(2e-4, 40.0, 97), jnp.asarray([0.1, 0.9, 1.93])[:, None]
    expected = evaluate(EH, FIDUCIAL, k, z)
    # 19 nodes per e-fold of k: the acoustic wiggles cost 3e-4.
    np.testing.assert_allclose(evaluate(tabulated, FIDUCIAL, k, z), expected, rtol=5e-4)


def test_sigma_and_slope(tabulated):
    """Not separable in code, yet the same as the separable power that filled the table."""
    mass, z = jnp.asarray([1e11, 1e13, 1e15]), jnp.asarray([0.25, 1.3])
    assert not tabulated.separable
    np.testing.assert_allclose(
        sigma(FIDUCIAL, tabulated, mass, z), sigma(FIDUCIAL, EH, mass, z), rtol=3e-4
    )
    slope = eqx.filter_jit(co.sigma_slope)
    np.testing.assert_allclose(
        slope(FIDUCIAL, tabulated, mass, z), slope(FIDUCIAL, EH, mass, z), rtol=2e-3
    )


def test_beyond_the_table(tabulated):
    """A power law in k, the edge in z, and no value that is not finite."""
    k = jnp.asarray([50.0, 100.0, 200.0])
    p = evaluate(tabulated, FIDUCIAL, k, jnp.asarray(0.5))
    assert float(p[2] * p[0] / p[1] ** 2) == pytest.approx(1.0, rel=1e-12)
    edge, far = (evaluate(tabulated, FIDUCIAL, k[:1], jnp.asarray(z)) for z in (2.0, 5.0))
    np.testing.assert_array_equal(edge, far)


def test_two_derivatives_join_at_a_node(tabulated):
    """Value, slope and curvature in ln k from both sides of a node."""

    def ln_p(x):
        return jnp.log(tabulated(FIDUCIAL, jnp.exp(x), jnp.asarray(0.6)))

    node = float(np.log(K[120]))
    sides = jnp.asarray([node - 1e-9, node + 1e-9])
    for order in (ln_p, jax.grad(ln_p), jax.grad(jax.grad(ln_p))):
        left, right = jax.jit(jax.vmap(order))(sides)
        assert float(left) == pytest.approx(float(right), rel=1e-6, abs=1e-6)


def test_check(tabulated):
    assert tabulated.check(np.array([1e-4, 50.0]), np.array([0.0, 2.0])) is None
    with pytest.raises(ValidityError, match=r"k_Mpc = 60.*0\.0001 to 50"):
        tabulated.check(np.array([1.0, 60.0]), 0.5)
    with pytest.raises(ValidityError, match=r"z = 2\.1"):
        tabulated.check(1.0, 2.1)
    with pytest.raises(ValidityError, match="z = nan"):
        tabulated.check(1.0, np.nan)


BAD = {
    "shape of P": (Z, K, np.ones((3, 250)), r"shape \(3, 250\), expected \(9, 250\)"),
    "two-dimensional": (Z[None], K, np.ones((9, 250)), "one dimension"),
    "few": (Z[:3], K, np.ones((3, 250)), "3 values of z: expected at least 4"),
    "unsorted": (Z[::-1], K, np.ones((9, 250)), "strictly increasing"),
    "zero k": (Z, np.r_[0.0, K[1:]], np.ones((9, 250)), "k_Mpc from 0 .* > 0"),
    "nan k": (Z, np.r_[K[:-1], np.nan], np.ones((9, 250)), "finite"),
    "negative P": (Z, K, -np.ones((9, 250)), "P = -1.0 at z = 0, k = 0.0001"),
    "infinite P": (Z, K, np.full((9, 250), np.inf), "P = inf"),
}


@pytest.mark.parametrize(("z", "k", "p", "message"), BAD.values(), ids=BAD)
def test_bad_arrays(z, k, p, message):
    with pytest.raises(DataError, match=message):
        co.TabulatedPower(z, k, p)


def rows(z, k, p):
    """Rows of the rectangle, shuffled."""
    out = np.column_stack([np.repeat(z, k.size), np.tile(k, z.size), p.ravel()])
    return np.random.default_rng(3).permutation(out)


@pytest.mark.parametrize("kind", ["npz", "ecsv", "txt"])
def test_files(tmp_path, arrays, kind):
    z, k, p = arrays
    path = tmp_path / f"power.{kind}"
    if kind == "npz":
        np.savez(path, z=z, k_Mpc=k, power_Mpc3=p)
    elif kind == "ecsv":
        Table(rows(z, k, p), names=["z", "k_Mpc", "power_Mpc3"]).write(path)
    else:
        np.savetxt(path, rows(z, k, p), fmt="%.17g", header="z k_Mpc power_Mpc3")
    got = read_linear_power(path)
    for value, expected in zip((got.z, got.k_Mpc, got.power_Mpc3), (z, k, p), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-15)


TEXT = {
    "two columns": ("0 1\n0 2\n", "2 columns, expected 3: z, k_Mpc, power_Mpc3"),
    "words": ("a b c\n", "cannot be read"),
    "hole": ("0 1 5\n0 2 5\n1 1 5\n", "z = 1, k = 2 /Mpc is missing"),
    "twice": ("0 1 5\n0 2 5\n0 2 5\n", "z = 0, k = 2 /Mpc appears more than once"),
    "negative": ("0 1 5\n0 2 -5\n", "P = -5.0 at z = 0, k = 2"),
    "nan": ("0 1 5\n0 2 nan\n", "P = nan"),
}


@pytest.mark.parametrize(("text", "message"), TEXT.values(), ids=TEXT)
def test_bad_text(tmp_path, text, message):
    path = tmp_path / "power.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as error:
        read_linear_power(path)
    assert str(path) in str(error.value)


def test_bad_archives(tmp_path):
    path = tmp_path / "power.npz"
    np.savez(path, z=Z, k=K)
    with pytest.raises(DataError, match=r"'k_Mpc' is missing \(found z, k\)"):
        read_linear_power(path)
    np.savez(path, z=Z, k_Mpc=K, power_Mpc3=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="allow_pickle"):
        read_linear_power(path)
    path.write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(DataError, match="cannot be read"):
        read_linear_power(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_linear_power(tmp_path / "absent.txt")
    Table({"z": [0.0], "k": [1.0]}).write(tmp_path / "power.ecsv")
    with pytest.raises(DataError, match="column 'k_Mpc' is missing"):
        read_linear_power(tmp_path / "power.ecsv")
