"""Many data sets in one program, and the look for a second mode."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from diffaxion.errors import ConfigurationError
from diffaxion.inference import Checkpoint, Gates, Sampler, second_mode_check
from diffaxion.inference.lanes import split_arguments
from diffaxion.inference.modes import compare_modes

CENTRES = jnp.array([0.4, -1.0, 3.0])
LOOSE = Gates(r_hat=1.1, ess=50)


def model(data, width):
    """A normal with a normal prior; with two centres, two modes."""
    x = numpyro.sample("x", dist.Normal(0.0, 3.0))
    numpyro.sample("zeta", dist.Normal(0.0, 1.0))
    pulls = -0.5 * ((x - data["centre"]) / width) ** 2
    other = data["height"] - 0.5 * ((x + data["centre"]) / width) ** 2
    numpyro.factor("loglike", jnp.logaddexp(pulls, other))


def one(centre, height=-100.0):
    return {"centre": jnp.asarray(centre, float), "height": jnp.asarray(height, float)}


WIDTH = jnp.array(0.5)
STACKED = ({"centre": CENTRES, "height": jnp.full(3, -100.0)}, WIDTH)
KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def sampler():
    return Sampler(model, chains=4, warmup=150, draws=250, chunk=50, dense_mass=True)


@pytest.fixture(scope="module")
def many(sampler):
    before = sampler.traces
    runs = sampler.run_many(KEY, STACKED, ({"centre": 0, "height": 0}, None), gates=LOOSE)
    assert sampler.traces == before + 1
    return runs


@pytest.fixture(scope="module")
def single(sampler):
    return sampler.run(jax.random.fold_in(KEY, 2), (one(3.0), WIDTH), gates=LOOSE)


def test_every_lane_has_its_own_posterior(many):
    for k, centre in enumerate(CENTRES):
        run = many[k]
        assert run.converged, run.reasons
        assert run.settings["lane"] == k
        shrink = 9.0 / (9.0 + 0.25)
        x = run.flat("x")
        # 1000 draws with at least a third of them effective: 5 standard errors.
        sd = np.sqrt(shrink) * 0.5
        np.testing.assert_allclose(x.mean(), float(centre) * shrink, atol=5 * sd / np.sqrt(330))
        np.testing.assert_allclose(x.std(), sd, rtol=0.15)


def test_a_lane_is_the_single_run_of_its_key(many, single):
    """The first draws agree to rounding; later ones may part where a decision is a tie."""
    for name in ("x", "zeta"):
        np.testing.assert_allclose(
            many[2].draws[name][:, :20], single.draws[name][:, :20], rtol=0, atol=1e-9
        )
    np.testing.assert_array_equal(many[2].num_steps[:, :20], single.num_steps[:, :20])


def test_other_data_reuse_the_program(sampler, many):
    before = sampler.traces
    data = ({"centre": -CENTRES, "height": jnp.full(3, -100.0)}, WIDTH)
    runs = sampler.run_many(KEY, data, ({"centre": 0, "height": 0}, None), initial={"x": 0.5})
    assert sampler.traces == before
    assert runs[0].flat("x").mean() < 0.0 < runs[1].flat("x").mean()


def test_lanes_are_kept_and_continued(sampler, many, tmp_path):
    class Stop(Exception):
        pass

    def progress(done, total, info):
        if done >= 210:
            raise Stop

    def run(progress=None):
        return sampler.run_many(
            KEY,
            STACKED,
            ({"centre": 0, "height": 0}, None),
            progress=progress,
            checkpoint=Checkpoint(tmp_path, {}, resume=True),
        )

    with pytest.raises(Stop):
        run(progress)
    for kept, whole in zip(run(), many):
        np.testing.assert_array_equal(kept.draws["x"], whole.draws["x"])


def test_arguments_are_split():
    mapped, shared, size = split_arguments(({"a": np.ones((2, 3)), "b": "text"}, 4.0), (1, None))
    assert size == 3
    assert mapped[0]["a"].shape == (3, 2)
    assert shared == ({"a": None, "b": "text"}, 4.0)
    with pytest.raises(ConfigurationError, match="at least one array must be stacked"):
        split_arguments((np.ones(3),), (None,))
    with pytest.raises(ConfigurationError, match=r"lengths \[2, 3\]"):
        split_arguments((np.ones(3), np.ones(2)), (0, 0))


def test_one_start_for_each_lane(sampler, many):
    with pytest.raises(ConfigurationError, match="2 starts for 3 data sets"):
        sampler.run_many(KEY, STACKED, ({"centre": 0, "height": 0}, None), initial=[{}, {}])


class TestModes:
    def test_chains_from_the_prior_agree_on_one_mode(self, sampler, single):
        before = sampler.traces
        found = second_mode_check(sampler, jax.random.key(0), (one(3.0), WIDTH), single)
        assert found.agrees, found.reasons
        assert sampler.traces == before
        assert found.shifts["x"].shape == (4,)

    def test_an_equal_mode_is_found(self, sampler):
        """All chains of the run start at +4; some of the prior fall to -4."""
        args = (one(4.0, 0.0), WIDTH)
        run = sampler.run(jax.random.key(1), args, initial={"x": 3.9}, jitter=0.5, gates=LOOSE)
        assert run.converged, run.reasons
        found = second_mode_check(sampler, jax.random.key(2), args, run)
        assert not found.agrees
        assert "ended with 'x' off by -1" in found.reasons[0]
        other = found.shifts["x"] < -10
        assert other.any()
        # As deep as the mode of the run, within the fluctuations of 50 draws.
        assert np.all(np.abs(found.density[other]) < 1.5)

    def test_a_chain_that_never_arrived_is_said(self, single):
        stuck = {"x": np.full((2, 50), np.nan), "zeta": np.zeros((2, 50))}
        found = compare_modes(single, stuck, np.zeros((2, 50)))
        assert not found.agrees

    def test_it_needs_the_step_size(self, sampler, single):
        from dataclasses import replace

        with pytest.raises(ConfigurationError, match="step size"):
            second_mode_check(sampler, KEY, (one(3.0), WIDTH), replace(single, adaptation={}))
        with pytest.raises(ConfigurationError, match="at least 20"):
            second_mode_check(sampler, KEY, (one(3.0), WIDTH), single, iterations=5)


DEVICES = """
import sys, jax, jax.numpy as jnp, numpy as np
from diffaxion.errors import ConfigurationError
from diffaxion.inference.lanes import Placement
from tests.inference import test_many as t
devices = jax.devices()
assert len(devices) == 2, devices
settings = dict(chains=2, warmup=20, draws=30, chunk=25, dense_mass=True)
args, many, axes = (t.one(0.4), t.WIDTH), t.STACKED, ({"centre": 0, "height": 0}, None)
many = ({k: v[:2] for k, v in many[0].items()}, many[1])
alone = t.Sampler(t.model, **settings)
both = t.Sampler(t.model, **settings, devices=devices)
a, b = (s.run(t.KEY, args) for s in (alone, both))
print("chains", np.max(np.abs(a.draws["x"] - b.draws["x"])), both.traces)
state, _ = both.advance(both.start(t.KEY, args), args)
try:
    Placement(devices).place(state._replace(kernel=jnp.zeros(3)), None, ())
except ConfigurationError as error:
    print("refused", "3 chains cannot be spread evenly over 2 devices" in str(error))
print("devices", len(state.kernel.potential_energy.sharding.device_set))
if len(sys.argv) > 1:
    a, b = (s.run_many(t.KEY, many, axes)[1] for s in (alone, both))
    print("lanes", np.max(np.abs(a.draws["x"] - b.draws["x"])), both.traces)
"""


def on_two_devices(*arguments):
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    environment |= {"JAX_PLATFORMS": "cpu"}
    found = subprocess.run(
        [sys.executable, "-c", DEVICES, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return {words[0]: words[1:] for words in map(str.split, found.stdout.splitlines())}


def test_chains_on_two_devices_draw_the_same():
    found = on_two_devices()
    assert float(found["chains"][0]) < 1e-10
    assert found["chains"][1] == "1"
    assert found["devices"] == ["2"]
    assert found["refused"] == ["True"]


@pytest.mark.slow
def test_lanes_on_two_devices_draw_the_same():
    assert float(on_two_devices("lanes")["lanes"][0]) < 1e-10
