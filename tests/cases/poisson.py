"""Cases of diffaxion.likelihoods.poisson, poisson_points and diffaxion.inference.counts, toys."""

import jax.numpy as jnp
import numpy as np

from diffaxion import inference as inf
from diffaxion import likelihoods as like

from . import Case

_X = np.linspace(-1.0, 1.0, 5)
_SIGNAL = jnp.asarray(np.stack([np.exp(-3.0 * _X**2), np.exp(-2.0 * _X**2)]) / 3.0)
_SHAPE = jnp.asarray(np.stack([4.0 + _X, 2.0 - 0.5 * _X]))
_COUNTS = jnp.asarray([[3.0, 5.0, 0.0, 4.0, 6.0], [2.0, 1.0, 3.0, 0.0, 2.0]])
_EMPTY = _COUNTS.at[1, 1:4].set(0.0)
_RESPONSE = jnp.array([4.0, 2.5])
_MAPS = (_COUNTS, _SIGNAL, _SHAPE)


def _density(counts, signal, shape, s, a):
    p = like.TemplatePoisson(counts, signal, shape)
    return p.log_prob(s, a), p.blocks(s, a), p.expected(s, a)


def _profile(counts, signal, shape, s):
    p = like.TemplatePoisson(counts, signal, shape)
    best = p.profile(s)
    return best.value, best.background, p.log_marginal(s)


def _points(counts, signal, shape):
    return like.flux_points(like.TemplatePoisson(counts, signal, shape))[:5]


def _curve(counts, signal, shape, responses):
    p = like.TemplatePoisson(counts, signal, shape)
    return inf.counts_curve(p, responses).limit


def _fit(counts, signal, shape, response):
    p = like.TemplatePoisson(counts, signal, shape)
    ideal, _ = inf.expected_counts(inf.counts_start(p)[1:], (p, response))
    fit = inf.CountsToys(ideal, response, jnp.ones(2)).solve(counts, 0.3)
    # Fits of toys carry no derivative; the problem and the start do.
    return fit, inf.counts_problem(2).objective(inf.counts_start(p), (ideal, response))


_S, _A = jnp.array([2.0, -0.3]), jnp.array([0.9, 1.1])

CASES = [
    Case(
        "template_poisson",
        _density,
        (*_MAPS, _S, _A),
        ((_EMPTY, _SIGNAL, _SHAPE, jnp.array([0.0, 30.0]), jnp.array([1e-9, 0.0])),),
        ("likelihoods.TemplatePoisson", "likelihoods.PoissonBlocks"),
    ),
    Case(
        "template_poisson_profile",
        _profile,
        (*_MAPS, _S),
        (
            (_EMPTY, _SIGNAL, _SHAPE, jnp.array([-0.5, -9.0])),
            (jnp.zeros((2, 5)), _SIGNAL, _SHAPE, jnp.array([3.0, 0.0])),
            (*_MAPS, jnp.array([900.0, 0.0])),
        ),
        ("likelihoods.PoissonProfile",),
    ),
    Case(
        "poisson_flux_points",
        _points,
        _MAPS,
        (),
        ("likelihoods.flux_points", "likelihoods.FluxPoints"),
        slow=True,
    ),
    Case(
        "counts_curve",
        _curve,
        (*_MAPS, jnp.stack([_RESPONSE, 0.1 * _RESPONSE**2])),
        (),
        ("inference.counts_curve",),
        fd_step=1e-3,
        slow=True,
    ),
    Case(
        "counts_toys",
        _fit,
        (*_MAPS, _RESPONSE),
        (),
        (
            "inference.CountsToys",
            "inference.ToyFit",
            "inference.counts_problem",
            "inference.counts_start",
            "inference.expected_counts",
            "inference.fit_toy",
        ),
        check_fd=False,
        slow=True,
    ),
]
