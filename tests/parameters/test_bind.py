"""Bindings: z to a model, ties, NumPyro sites and tables."""

import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.errors import ConfigurationError
from diffaxion.parameters import (
    Bindings,
    Fixed,
    LogNormal,
    Normal,
    Tie,
    Uniform,
    get_path,
    latex_label,
    unit_of,
)


class Galaxy(eqx.Module):
    b_x_muG: jax.Array
    b_arm_muG: jax.Array


class World(eqx.Module):
    galaxy: Galaxy
    clusters: dict


@pytest.fixture(scope="module")
def world():
    clusters = {n: {"distance_kpc": jnp.array(2.6), "ln_l": jnp.array(0.0)} for n in ("a", "b")}
    return World(Galaxy(jnp.array(4.6), jnp.arange(8.0)), clusters)


@pytest.fixture(scope="module")
def bindings():
    return Bindings(
        {
            "galaxy.b_x_muG": {"dist": "normal", "mean": 4.6, "sigma": 0.3},
            "galaxy.b_arm_muG[3]": 3.5,
            "galaxy.b_arm_muG[2]": Uniform(0.0, 4.0),
            "clusters.a.distance_kpc": LogNormal(2.6, 0.1),
        },
        ties={
            "clusters.b.ln_l": Tie("clusters.b.distance_kpc", scale=-2.0, offset=1.0),
            "clusters.b.distance_kpc": "clusters.a.distance_kpc",
        },
    )


def test_apply_sets_free_fixed_and_tied_values(world, bindings):
    assert bindings.names == (
        "galaxy.b_x_muG",
        "galaxy.b_arm_muG[2]",
        "clusters.a.distance_kpc",
    )
    assert bindings.penalised == (True, False, True)
    new = eqx.filter_jit(bindings.apply)(world, jnp.array([1.0, 0.0, 2.0]))
    distance = 2.6 * np.exp(0.2)
    assert float(new.galaxy.b_x_muG) == pytest.approx(4.9)
    np.testing.assert_allclose(new.galaxy.b_arm_muG, [0, 1, 2, 3.5, 4, 5, 6, 7])
    assert float(new.clusters["a"]["distance_kpc"]) == pytest.approx(distance)
    assert float(new.clusters["b"]["distance_kpc"]) == pytest.approx(distance)
    assert float(new.clusters["b"]["ln_l"]) == pytest.approx(1.0 - 2.0 * distance)


def test_gradient_flows_through_ties(world, bindings):
    def total(z):
        w = bindings.apply(world, z)
        return w.clusters["a"]["distance_kpc"] + w.clusters["b"]["distance_kpc"]

    gradient = jax.grad(total)(jnp.zeros(3))
    np.testing.assert_allclose(gradient, [0.0, 0.0, 2 * 2.6 * 0.1], rtol=1e-12)


def test_values_and_standardise_are_inverse(bindings):
    z = jnp.array([0.3, -1.2, 2.0])
    values = bindings.values(z)
    assert tuple(values) == bindings.names
    np.testing.assert_allclose(bindings.standardise(values), z, rtol=1e-9)
    np.testing.assert_allclose(bindings.standardise({}), 0.0)


def test_prior_of_z(bindings):
    z = jnp.array([0.3, -1.2, 2.0])
    expected = -0.5 * np.sum(np.asarray(z) ** 2) - 1.5 * np.log(2 * np.pi)
    assert float(bindings.log_prior(z)) == pytest.approx(expected)


def test_partial_values_keep_the_rest_of_the_model(world, bindings):
    new = bindings.apply_values(world, {"galaxy.b_x_muG": 5.0})
    assert float(new.galaxy.b_x_muG) == 5.0
    assert float(new.clusters["a"]["distance_kpc"]) == 2.6


def test_empty_bindings_return_the_model(world):
    none = Bindings({})
    assert none.size == 0
    new = none.apply(world, jnp.zeros(0))
    assert all(a is b for a, b in zip(jax.tree.leaves(new), jax.tree.leaves(world)))
    assert none.standardise({}).shape == (0,)


@pytest.mark.parametrize(
    ("priors", "ties", "words"),
    [
        ({"a.x": 1.0, " a.x": 2.0}, {}, "bound twice"),
        ({"a.x": 1.0}, {"a.x": "a.y"}, "bound and tied"),
        ({}, {"a.x": "a.y", "a.y": "a.x"}, "loop"),
        ({}, {"a.x": "a.x"}, "loop"),
        ({"a.x": {"dist": "norml"}}, {}, "did you mean 'normal'"),
    ],
)
def test_inconsistent_bindings_are_refused(priors, ties, words):
    with pytest.raises(ConfigurationError, match=words):
        Bindings(priors, ties)


def test_check_reports_paths_shapes_and_support(world):
    Bindings({"galaxy.b_x_muG": Uniform(4.0, 5.0)}).check(world)
    for priors, ties, words in [
        ({"galaxy.b_xmuG": 1.0}, {}, "did you mean 'galaxy.b_x_muG'"),
        ({"galaxy.b_arm_muG": Normal(1, 1)}, {}, r"shape \(8,\).*b_arm_muG\[0\]"),
        ({"galaxy.b_x_muG": Uniform(5.0, 6.0)}, {}, "outside its prior Uniform"),
        ({}, {"galaxy.b_x_muG": "galaxy.b_y_muG"}, "unknown parameter path"),
    ]:
        with pytest.raises(ConfigurationError, match=words):
            Bindings(priors, ties).check(world)


def test_wrong_z_and_names_are_refused(world, bindings):
    with pytest.raises(ConfigurationError, match=r"expected \(3,\)"):
        bindings.apply(world, jnp.zeros(2))
    with pytest.raises(ConfigurationError, match=r"did you mean .galaxy\.b_x_muG"):
        bindings.apply_values(world, {"galaxy.b_xx_muG": 1.0})


def test_numpyro_sites_carry_the_paths_and_the_prior(world, bindings):
    from numpyro.handlers import seed, substitute, trace

    def model():
        return bindings.numpyro_sites(world)

    stds = {f"{n}_std": jnp.array(v) for n, v in zip(bindings.names, (1.0, 0.0, 2.0))}
    sites = trace(substitute(seed(model, jax.random.key(0)), stds)).get_trace()
    sampled = [n for n, s in sites.items() if s["type"] == "sample"]
    assert sampled == [f"{n}_std" for n in bindings.names]
    expected = bindings.apply(world, jnp.array([1.0, 0.0, 2.0]))
    deterministic = {n: s["value"] for n, s in sites.items() if s["type"] == "deterministic"}
    assert set(deterministic) == {*bindings.paths, *bindings.tied_paths}
    for path, value in deterministic.items():
        np.testing.assert_allclose(value, get_path(expected, path), rtol=1e-12)
    total = sum(float(s["fn"].log_prob(s["value"])) for n, s in sites.items() if n in sampled)
    assert total == pytest.approx(float(bindings.log_prior(jnp.array([1.0, 0.0, 2.0]))))


def test_explain_lists_prior_unit_and_width(bindings):
    rows = {r.path: r for r in bindings.explain()}
    assert list(rows)[-2:] == ["clusters.b.distance_kpc", "clusters.b.ln_l"]
    row = rows["galaxy.b_x_muG"]
    assert (row.prior, row.unit, row.width) == ("Normal(4.6, 0.3)", "muG", pytest.approx(0.3))
    assert rows["galaxy.b_arm_muG[3]"].prior == "Fixed(3.5)"
    assert rows["clusters.b.distance_kpc"].prior == "= clusters.a.distance_kpc"
    assert rows["clusters.b.ln_l"].prior == "= 1 + -2 * clusters.b.distance_kpc"
    assert set(bindings.labels) == set(bindings.names)


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("galaxy.field.b_arm_muG[3]", "muG"),
        ("clusters.wd1.distance_kpc", "kpc"),
        ("density.n_e_cm3", "cm^-3"),
        ("star.rho_g_cm3", "g cm^-3"),
        ("clusters.quintuplet.l_10_80_erg_s", "erg/s"),
        ("axion.m_a_eV", "eV"),
        ("line.e_keV", "keV"),
        ("axion.u", ""),
        ("x.s", ""),
    ],
)
def test_units_come_from_the_names(path, unit):
    assert unit_of(path) == unit


def test_labels_are_latex_with_units():
    assert latex_label("clusters.wd1.distance_kpc") == r"wd1 $d$ [$\mathrm{kpc}$]"
    assert latex_label("galaxy.field.b_arm_muG[3]") == (
        r"field $b_\mathrm{arm}[3]$ [$\mu\mathrm{G}$]"
    )
    assert latex_label("axion.u").startswith("$u = ")
    assert latex_label("alone_nuisance") == "alone nuisance"


def test_numpyro_is_imported_only_when_a_model_is_sampled():
    code = "import sys, diffaxion.parameters; assert 'numpyro' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_fixed_prior_parameters_are_leaves_of_the_bindings():
    bound = Bindings({"a": Fixed(1.0), "b": Normal(0.0, 2.0)})
    assert len(jax.tree.leaves(bound)) == 3
