"""Kept runs: the same bits after kill -9, refusal of other runs, damage, full disks, signals."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from diffaxion.errors import (
    CheckpointError,
    DiffaxionWarning,
    OutputExistsError,
    RunInterrupted,
)
from diffaxion.inference import Checkpoint, Sampler, pytree_hash, read_blocks
from diffaxion.inference import checkpoint as files

from . import checkpoint_child as child

TOTAL = child.SETTINGS["warmup"] + child.SETTINGS["draws"]


@pytest.fixture(scope="module")
def sampler():
    return Sampler(child.model, **child.SETTINGS)


@pytest.fixture(scope="module")
def whole(sampler):
    """The run that nothing disturbed."""
    return sampler.run(jax.random.key(child.KEY), child.arguments())


def continued(sampler, folder, resume=True, progress=None, **settings):
    identity = settings.pop("identity", {"model": "toy"})
    return sampler.run(
        jax.random.key(child.KEY),
        child.arguments(),
        progress=progress,
        checkpoint=Checkpoint(folder, identity, resume=resume, **settings),
    )


class Stop(Exception):
    """Ends a run after a block, as a crash would."""


def stop_at(iteration):
    def progress(done, total, info):
        if done >= iteration:
            raise Stop

    return progress


def stopped(sampler, folder, iteration):
    """A run that broke off after the block that reaches an iteration."""
    with pytest.raises(Stop):
        continued(sampler, folder, progress=stop_at(iteration))


@pytest.mark.parametrize("iteration", [5, 40, 70, TOTAL])
def test_a_broken_run_continues_with_the_same_bits(sampler, whole, tmp_path, iteration):
    """In the warm-up, at its end, in the draws, and when all are there."""
    stopped(sampler, tmp_path, iteration)
    seen = []
    run = continued(sampler, tmp_path, progress=lambda done, *_: seen.append(done))
    assert child.digest(run) == child.digest(whole)
    assert seen == list(range(iteration + 5, TOTAL + 1, 5))
    assert sampler.traces == 1


def test_slow_iterations_make_short_blocks_and_the_same_draws(sampler, whole, tmp_path):
    run = continued(sampler, tmp_path, seconds=1e-6)
    assert child.digest(run) == child.digest(whole)
    sizes = [len(block["energy"]) for block in read_blocks(tmp_path)]
    # The first block measures the pace.
    assert sizes == [5] + [1] * (TOTAL - 5)


class TestRefusals:
    def test_another_identity_names_the_field_and_force_is_recorded(self, sampler, tmp_path):
        stopped(sampler, tmp_path, 60)
        with pytest.raises(CheckpointError, match=r"identity\.model: 'toy' in the checkpoint, 'b'"):
            continued(sampler, tmp_path, identity={"model": "b"})
        run = continued(sampler, tmp_path, identity={"model": "b"}, force=True)
        assert run.settings["forced"] == ["identity.model: 'toy' in the checkpoint, 'b' now"]
        # A later run without force still knows.
        again = continued(sampler, tmp_path, identity={"model": "b"})
        assert again.settings["forced"] == run.settings["forced"]

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"target_accept": 0.8}, "target_accept: 0.9 in the checkpoint, 0.8 now"),
            ({"chains": 3}, "chains: 2 in the checkpoint, 3 now"),
        ],
    )
    def test_other_settings(self, sampler, tmp_path, change, field):
        stopped(sampler, tmp_path, 10)
        other = Sampler(child.model, **{**child.SETTINGS, **change})
        with pytest.raises(CheckpointError, match=field):
            continued(other, tmp_path)

    def test_other_seed_version_and_precision(self, sampler, tmp_path, monkeypatch):
        stopped(sampler, tmp_path, 10)
        with pytest.raises(CheckpointError, match=r"key: \[0, 5\] in the checkpoint, \[0, 6\] now"):
            sampler.run(
                jax.random.key(6),
                child.arguments(),
                checkpoint=Checkpoint(tmp_path, {"model": "toy"}, resume=True),
            )
        header = sampler._header

        def older(*arguments):
            found = header(*arguments)
            return {**found, "dtype": "float32", "versions": {**found["versions"], "jax": "0.1"}}

        monkeypatch.setattr(sampler, "_header", older)
        with pytest.raises(CheckpointError, match="dtype: 'float64'") as error:
            continued(sampler, tmp_path)
        assert "versions.jax" in str(error.value)

    def test_other_chains_not_even_by_force(self, sampler, tmp_path):
        stopped(sampler, tmp_path, 10)
        other = Sampler(child.model, **{**child.SETTINGS, "chains": 3})
        with pytest.raises(CheckpointError, match="also not by force"):
            continued(other, tmp_path, force=True)

    def test_results_are_not_overwritten(self, sampler, tmp_path):
        stopped(sampler, tmp_path, 10)
        with pytest.raises(OutputExistsError, match="already holds a checkpoint"):
            continued(sampler, tmp_path, resume=False)

    def test_pickles_are_not_opened(self, sampler, tmp_path):
        stopped(sampler, tmp_path, 20)
        for name in (files.STATE, files.PREVIOUS):
            np.savez(tmp_path / name, header=np.array([{}], object), allow_pickle=True)
        with pytest.raises(CheckpointError, match="no generation of the checkpoint is intact"):
            continued(sampler, tmp_path)

    def test_nonsense_seconds(self, tmp_path):
        with pytest.raises(CheckpointError, match="seconds must be positive"):
            Checkpoint(tmp_path, seconds=0.0)


class TestDamage:
    @pytest.mark.parametrize("name", [files.STATE, "block_00011.npz"])
    @pytest.mark.parametrize("how", ["truncated", "flipped", "empty"])
    def test_the_newest_file_costs_one_block(self, sampler, whole, tmp_path, name, how):
        stopped(sampler, tmp_path, 60)
        path = tmp_path / name
        content = bytearray(path.read_bytes())
        if how == "flipped":
            content[len(content) // 2] ^= 0xFF
        path.write_bytes(content[: {"truncated": 300, "empty": 0}.get(how)])
        seen = []
        with pytest.warns(DiffaxionWarning, match="newest checkpoint is damaged"):
            run = continued(sampler, tmp_path, progress=lambda done, *_: seen.append(done))
        assert child.digest(run) == child.digest(whole)
        assert seen[0] == 60

    def test_a_lost_first_block_starts_anew(self, sampler, whole, tmp_path):
        stopped(sampler, tmp_path, 5)
        (tmp_path / files.STATE).write_bytes(b"")
        with pytest.warns(DiffaxionWarning, match="starting anew"):
            run = continued(sampler, tmp_path)
        assert child.digest(run) == child.digest(whole)

    def test_an_old_block_cannot_be_replaced(self, sampler, tmp_path):
        stopped(sampler, tmp_path, 60)
        (tmp_path / "block_00002.npz").unlink()
        with pytest.raises(CheckpointError, match=r"block_00002\.npz"):
            continued(sampler, tmp_path)

    def test_between_two_renames_nothing_is_lost(self, sampler, whole, tmp_path):
        stopped(sampler, tmp_path, 60)
        os.replace(tmp_path / files.STATE, tmp_path / files.NEXT)
        seen = []
        run = continued(sampler, tmp_path, progress=lambda done, *_: seen.append(done))
        assert child.digest(run) == child.digest(whole)
        assert seen[0] == 65


def test_a_full_disk_keeps_the_files_and_gives_the_draws(sampler, whole, tmp_path, monkeypatch):
    written = []

    def full(path, content):
        if len(written) >= 33:
            raise OSError(28, "No space left on device")
        written.append(path)
        return real(path, content)

    real = files.atomic_write
    monkeypatch.setattr(files, "atomic_write", full)
    with pytest.raises(CheckpointError, match="No space left on device") as error:
        continued(sampler, tmp_path)
    monkeypatch.undo()
    # Sixteen blocks are on the disk with their state, the draws of the seventeenth in memory.
    partial = error.value.partial
    np.testing.assert_array_equal(partial.draws["u"], whole.draws["u"][:, :45])
    assert not partial.converged
    run = continued(sampler, tmp_path)
    assert child.digest(run) == child.digest(whole)


def test_a_folder_that_cannot_be_written(sampler, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="could not be written") as error:
        continued(sampler, tmp_path / "file" / "run")
    assert error.value.partial is None


def test_draws_of_a_run_so_far(sampler, whole, tmp_path):
    stopped(sampler, tmp_path, 70)
    draws = np.concatenate([block["site:u"] for block in read_blocks(tmp_path)])
    np.testing.assert_array_equal(draws[40:].T, whole.draws["u"][:, :30])
    with pytest.raises(CheckpointError, match="no intact block"):
        read_blocks(tmp_path / "none")


def test_hash_of_data():
    tree = {"a": np.arange(3.0), "b": (1, "x")}
    assert pytree_hash(tree) == pytree_hash({"a": np.arange(3.0), "b": (1, "x")})
    for other in (
        {"a": np.arange(3), "b": (1, "x")},
        {"a": np.arange(3.0)[None], "b": (1, "x")},
        {"a": np.arange(3.0), "b": (1, "y")},
        {"c": np.arange(3.0), "b": (1, "x")},
    ):
        assert pytree_hash(tree) != pytree_hash(other)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_after_a_block(sampler, whole, tmp_path, number, code):
    before = signal.getsignal(number)

    def progress(done, total, info):
        if done == 50:
            os.kill(os.getpid(), number)
            time.sleep(0.01)

    with pytest.raises(RunInterrupted, match="50 of 100 iterations are kept") as error:
        continued(sampler, tmp_path, progress=progress)
    assert error.value.exit_code == code
    assert signal.getsignal(number) is before
    assert child.digest(continued(sampler, tmp_path)) == child.digest(whole)


class Process:
    """The child, with its lines."""

    def __init__(self, folder, delay, cache):
        command = [sys.executable, "-m", "tests.inference.checkpoint_child"]
        self.process = subprocess.Popen(
            [*command, str(folder), str(delay), str(cache)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def wait_for(self, iteration):
        """Until a block reaches an iteration; False if the run ended before."""
        for line in self.process.stdout:
            word, value = line.split()
            if word == "block" and int(value) >= iteration:
                return True
        return False

    def end(self):
        """Exit status and the last line."""
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out.split(), err

    def kill(self):
        """As the system would."""
        self.process.kill()
        self.process.communicate()


def test_kill_in_warm_up_and_in_sampling(whole, tmp_path):
    rng = random.Random(1)
    for iteration in (5, 45):
        run = Process(tmp_path / "run", 0.05, tmp_path / "cache")
        assert run.wait_for(iteration)
        time.sleep(rng.uniform(0.0, 0.15))
        run.kill()
    last = Process(tmp_path / "run", 0.0, tmp_path / "cache")
    code, words, err = last.end()
    assert code == 0, err
    assert words[-1] == child.digest(whole)
    # It did not start again from the beginning.
    assert int(words[1]) >= 50


@pytest.mark.slow
def test_a_second_signal_ends_the_process_at_once(tmp_path):
    run = Process(tmp_path / "run", 30.0, tmp_path / "cache")
    assert run.wait_for(5)
    began = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert run.process.poll() is None
    run.process.send_signal(signal.SIGTERM)
    code, _, err = run.end()
    assert code == 143
    assert time.monotonic() - began < 10.0
    assert "again to stop at once" in err


# 20 trials of the goal take minutes; DIFFAXION_KILLS=20 asks for them.
KILLS = int(os.environ.get("DIFFAXION_KILLS", "6"))


@pytest.mark.slow
def test_kills_at_random_times(whole, tmp_path):
    rng = random.Random(2)
    kills = runs = 0
    run = Process(tmp_path / "0", 0.05, tmp_path / "cache")
    while kills < KILLS:
        # Blocks take about 0.06 s each: a kill leaves some of the twenty blocks to the next.
        if run.wait_for(5):
            time.sleep(rng.uniform(0.0, 0.4))
        if run.process.poll() is None:
            run.kill()
            kills += 1
        else:
            code, words, err = run.end()
            assert code == 0, err
            runs += 1
        run = Process(tmp_path / str(runs), 0.05, tmp_path / "cache")
    code, words, err = run.end()
    assert code == 0, err
    assert words[-1] == child.digest(whole)
    for done in range(runs):
        last = Process(tmp_path / str(done), 0.0, tmp_path / "cache")
        assert last.end()[1][-1] == child.digest(whole)
