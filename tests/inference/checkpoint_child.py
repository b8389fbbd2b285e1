"""A small kept run in a process of its own: ``python checkpoint_child.py FOLDER DELAY CACHE``.

Prints ``block N`` after each block and ``draws SHA256`` at the end. A delay [s] after each block
gives the parent time to send signals.
"""

import hashlib
import sys
import time

import jax
import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from diffaxion.errors import DiffaxionError
from diffaxion.inference import Checkpoint, Sampler

KEY, ARGS = 5, (0.4,)
SETTINGS = {"chains": 2, "warmup": 40, "draws": 60, "chunk": 5, "dense_mass": True}


def model(centre):
    """Correlated normals with an edge."""
    u = numpyro.sample("u", dist.Uniform(0.0, 10.0))
    zeta = numpyro.sample("zeta", dist.Normal(0.0, 1.0))
    numpyro.factor("loglike", -0.5 * (u * jnp.exp(0.3 * zeta) - centre) ** 2)


def arguments():
    """Arguments of the model as arrays."""
    return tuple(jnp.asarray(x, float) for x in ARGS)


def digest(posterior):
    """SHA-256 of draws and energies."""
    found = hashlib.sha256()
    for x in (posterior.draws["u"], posterior.draws["zeta"], posterior.energy):
        found.update(x.tobytes())
    return found.hexdigest()


def run(folder, delay=0.0):
    """Start or continue the run in a folder."""

    def tick(done, total, info):
        print(f"block {done}", flush=True)
        time.sleep(delay)

    return Sampler(model, **SETTINGS).run(
        jax.random.key(KEY),
        arguments(),
        progress=tick,
        checkpoint=Checkpoint(folder, {"model": "toy"}, resume=True),
    )


if __name__ == "__main__":
    jax.config.update("jax_compilation_cache_dir", sys.argv[3])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    try:
        print("draws", digest(run(sys.argv[1], float(sys.argv[2]))), flush=True)
    except DiffaxionError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
