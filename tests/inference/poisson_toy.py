"""A Poisson likelihood of templates with a free background per bin: the reference data set."""

import jax
import jax.numpy as jnp
import numpy as np

from diffaxion.inference import Expansion, Problem


def load(shared):
    with np.load(shared / "data/stats/xray_toy_ref.npz", allow_pickle=False) as f:
        return {k: jnp.asarray(f[k]) for k in f.files}


def _mu(strength, background, data):
    counts, signal, shape, response = data
    mu = strength * response[:, None] * signal + background[:, None] * shape
    return counts, mu


def loglike(strength, background, data):
    counts, mu = _mu(strength, background, data)
    inside = jnp.all(mu > 0.0)
    safe = jnp.where(mu > 0.0, mu, 1.0)
    terms = jax.scipy.special.xlogy(counts, safe) - safe
    return jnp.where(inside, jnp.sum(terms), -jnp.inf)


def expand(strength, background, data):
    counts, signal, shape, response = data
    _, mu = _mu(strength, background, data)
    rs = response[:, None] * signal
    w = counts / mu
    return Expansion(
        value=loglike(strength, background, data),
        gradient=jnp.concatenate(
            [jnp.sum(rs * (w - 1.0))[None], jnp.sum(shape * (w - 1.0), axis=1)]
        ),
        core=-jnp.sum(w / mu * rs**2)[None, None],
        cross=-jnp.sum(w / mu * rs * shape, axis=1)[None],
        diagonal=-jnp.sum(w / mu * shape**2, axis=1),
    )


def asimov(background, data):
    _, signal, shape, response = data
    return background[:, None] * shape, signal, shape, response


def problem(bins, known_derivatives=True):
    return Problem(
        loglike,
        jnp.zeros(bins, bool),
        lower=0.0,
        tail=bins,
        expand=expand if known_derivatives else None,
    )


def start(data):
    counts, _, shape, _ = data
    return jnp.concatenate([jnp.zeros(1), counts.sum(1) / shape.sum(1)])
