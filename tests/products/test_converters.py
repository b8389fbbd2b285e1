"""Posteriors handed to ArviZ and GetDist, and the HDF5 file."""

import json
import sys
import types

import numpy as np
import pytest

from diffaxion.errors import ConfigurationError
from diffaxion.inference import Posterior, check_gates
from diffaxion.products.converters import to_arviz, to_getdist
from diffaxion.products.posterior_files import write_posterior

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def posterior():
    u = RNG.exponential(size=(4, 500))
    draws = {
        "axion.u": u,
        "clusters.wd1.distance_kpc": 2.6 + 0.1 * RNG.normal(size=(4, 500)) + 0.05 * u,
        "zeta_std": RNG.normal(size=(4, 500)),
        "pair": RNG.normal(size=(4, 500, 2)),
        "fixed": np.ones((4, 500)),
    }
    flags = np.zeros((4, 500), bool)
    flags[1, 3] = True
    steps = RNG.integers(1, 16, (4, 500))
    verdict = check_gates(draws, flags, ~flags, fixed=frozenset({"fixed"}))
    return Posterior(
        draws=draws,
        diverging=flags,
        saturated=~flags,
        energy=RNG.normal(size=(4, 500)),
        accept_prob=np.full((4, 500), 0.9),
        num_steps=steps,
        convergence=verdict,
        settings={"chains": 4, "forced": ["dtype"]},
        adaptation={"step_size": np.full(4, 0.3), "inverse_mass_matrix": np.eye(2)},
    )


def test_arviz_holds_the_same_draws(posterior):
    pytest.importorskip("arviz", reason="ArviZ is not installed", exc_type=ImportError)
    found = to_arviz(posterior)
    np.testing.assert_array_equal(found.posterior["axion.u"].values, posterior.draws["axion.u"])
    assert found.posterior["pair"].dims[:2] == ("chain", "draw")
    stats = found.sample_stats
    np.testing.assert_array_equal(stats["diverging"].values, posterior.diverging)
    np.testing.assert_array_equal(stats["n_steps"].values, posterior.num_steps)
    np.testing.assert_array_equal(stats["reached_max_treedepth"].values, posterior.saturated)


def test_arviz_agrees_on_the_diagnostics(posterior):
    arviz = pytest.importorskip("arviz", reason="ArviZ is not installed", exc_type=ImportError)
    if not hasattr(arviz, "InferenceData"):
        pytest.skip("the summary functions of ArviZ 1.x have other names")
    data = to_arviz(posterior)
    # Not of the constant, at which ArviZ divides by 0.
    names = ["axion.u", "clusters.wd1.distance_kpc"]
    r_hat, ess = arviz.rhat(data, var_names=names), arviz.ess(data, var_names=names, method="bulk")
    for name in names:
        want = float(r_hat[name])
        np.testing.assert_allclose(posterior.convergence.r_hat[name], want, atol=1e-6)
        want = float(ess[name])
        np.testing.assert_allclose(posterior.convergence.ess_bulk[name], want, rtol=0.05)


def test_the_interface_of_arviz_1_takes_one_mapping_of_groups(posterior, monkeypatch):
    """Only how it is called; ArviZ 1.x itself needs Python 3.12."""
    stub = types.ModuleType("arviz")
    stub.__version__ = "1.2.0"
    stub.from_dict = lambda groups, /: groups
    monkeypatch.setitem(sys.modules, "arviz", stub)
    found = to_arviz(posterior)
    assert set(found) == {"posterior", "sample_stats"}
    assert found["posterior"]["axion.u"] is posterior.draws["axion.u"]


def test_a_missing_package_is_named(posterior, monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(ConfigurationError, match="needs the package 'arviz'"):
        to_arviz(posterior)


@pytest.fixture(scope="module")
def samples(posterior):
    pytest.importorskip("getdist", reason="GetDist is not installed", exc_type=ImportError)
    return to_getdist(posterior, ranges={"axion.u": (0.0, None)})


class TestGetDist:
    def test_moments_and_names(self, posterior, samples):
        names = [p.name for p in samples.paramNames.names]
        assert names == ["axion_u", "clusters_wd1_distance_kpc"]
        for name, path in zip(names, ("axion.u", "clusters.wd1.distance_kpc")):
            np.testing.assert_allclose(samples.mean(name), posterior.flat(path).mean(), rtol=1e-12)
        assert samples.numrows == 2000
        assert len(samples.chain_offsets) == 5

    def test_labels_are_formulas(self, samples):
        label = samples.paramNames.parWithName("clusters_wd1_distance_kpc").label
        assert "kpc" in label
        assert "$" not in label

    def test_the_edge_of_the_prior_is_known(self, samples):
        """With the bound the density is largest at the edge; without, it would fall to half."""
        density = samples.get1DDensity("axion_u")
        assert density.P[0] > 0.85
        assert samples.ranges.getLower("axion_u") == 0.0

    def test_chosen_sites(self, posterior, samples):
        chosen = to_getdist(posterior, ["zeta_std"], labels={"zeta_std": r"\zeta"})
        assert chosen.paramNames.parWithName("zeta_std").label == r"\zeta"
        with pytest.raises(ConfigurationError, match="not a scalar site"):
            to_getdist(posterior, ["pair"])
        with pytest.raises(ConfigurationError, match=r"did you mean 'axion\.u'"):
            to_getdist(posterior, ["axion.v"])


def test_the_file_holds_verdict_settings_and_adaptation(posterior, tmp_path):
    h5py = pytest.importorskip("h5py")
    headline = {"axion.u": posterior.flat("axion.u")}
    path = write_posterior(
        tmp_path / "p.h5", posterior, posterior.draws["axion.u"], headline, {"seed": 1}
    )
    with h5py.File(path) as file:
        assert not file.attrs["converged"]
        assert "tree depth" in " ".join(json.loads(file.attrs["reasons"]))
        assert json.loads(file.attrs["settings"])["forced"] == ["dtype"]
        np.testing.assert_array_equal(file["sampler/step_size"], np.full(4, 0.3))
        np.testing.assert_array_equal(file["parameters/axion.u"], posterior.draws["axion.u"])
