"""Cases of expected limits from information, and of exposures."""

import jax.numpy as jnp

from diffaxion import inference as inf
from diffaxion.likelihoods import GaussianPoints

from . import Case

_R = jnp.array([1.0, 0.7, 0.4])
_E = jnp.array([0.3, 0.2, 0.4])
_D = jnp.array([[0.3, 0.1], [0.2, -0.1], [0.1, 0.2]])
_W = jnp.ones(2)


def _counts(theta, shape):
    return inf.counts_information(lambda t, b: t[0] * _R + t[1] * b, theta, shape)


def _response(nuisances):
    return _R * (1.0 + 0.3 * nuisances[0])


def _fixed_point(error, width):
    def sigma(a, args):
        points = GaussianPoints(jnp.zeros(3), args[0])
        return inf.signal_sigma(a, _response, jnp.zeros(1), points, prior_width=args[1])

    found = inf.strength_at_limit(sigma, (error, width))
    # The inverse, which is 0 where there is no limit.
    return 1.0 / found.strength, 1.0 / found.sigma, found.sigma_at_zero


def _linear(response, slopes, error, width):
    signal = inf.LinearSignal(response, slopes, error, jnp.array([2.0, 2.0, 1.0]))
    return 1.0 / inf.linear_limit_u(signal, width), inf.linear_q(signal, jnp.array(0.4), width)


def _elasticities(error):
    return inf.elasticities(lambda e: jnp.sum((_R / e) ** 2) ** -0.125, error)


def _loglike(strength, zeta, data):
    points, response = data
    return points.log_prob(strength * response * (1.0 + 0.3 * zeta[0]))


def _scan(error):
    points = GaussianPoints(0.1 * _R, error)
    problem = inf.Problem(_loglike, [True])

    def asimov(zeta, data):
        return data[0].with_data(jnp.zeros(3)), data[1]

    return inf.asimov_scan(problem, asimov, (points, _R), jnp.array([0.3, 0.6]))


CASES = [
    Case(
        "counts_information",
        _counts,
        (jnp.array([0.4, 1.0]), _R),
        ((jnp.zeros(2), _R),),
        ("inference.counts_information",),
    ),
    Case(
        "strength_at_limit",
        _fixed_point,
        (_E, jnp.array([0.8])),
        # No finite limit: the nuisance could hide any signal.
        ((_E, jnp.array([9.0])),),
        ("inference.strength_at_limit", "inference.signal_sigma", "inference.ExpectedStrength"),
    ),
    Case(
        "linear_limit_u",
        _linear,
        (_R, _D, _E, _W),
        ((0.0 * _R, 0.0 * _D, _E, _W), (_R, 0.0 * _D, _E, 0.0 * _W)),
        ("inference.linear_limit_u", "inference.linear_q", "inference.LinearSignal"),
    ),
    Case("elasticities", _elasticities, (_E,), (), ("inference.elasticities",)),
    Case(
        "exposed_errors",
        inf.exposed_errors,
        (_E, jnp.array(3.0), jnp.array(2.0)),
        (),
        ("inference.exposed_errors",),
    ),
    Case("asimov_scan", _scan, (_E,), (), ("inference.asimov_scan",), slow=True),
]
