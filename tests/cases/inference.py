"""Cases of diffaxion.likelihoods.gaussian and diffaxion.inference."""

import jax.numpy as jnp
import numpy as np

from diffaxion import inference as inf
from diffaxion.likelihoods import GaussianPoints

from . import Case

_DATA = jnp.array([0.4, 0.1, -0.2, 0.3])
_ERROR = jnp.array([0.3, 0.2, 0.4, 0.5])
_RESPONSE = jnp.array([1.0, 0.7, 0.4, 0.2])
_TILT = jnp.array([-0.1, 0.1, 0.2, 0.3])
_CHOLESKY = jnp.asarray(np.tril(np.full((4, 4), 0.1)) + 0.3 * np.eye(4))


def _density(data, error, signal):
    points = GaussianPoints(data, error)
    return points.log_prob(signal), points.blocks(signal), points.expected(signal)


def _loglike(strength, zeta, data):
    points, response = data
    return points.log_prob(strength * response * jnp.exp(0.3 * zeta[0]) + 0.2 * zeta[1] * _TILT)


def _asimov(zeta, data):
    points, response = data
    return points.with_data(points.expected(0.2 * zeta[1] * _TILT)), response


def _problem(centre, width):
    return inf.Problem(_loglike, [True, True], centre=centre, width=width)


def _profile(data, error, response, width):
    problem = _problem(0.0, width)
    result = inf.profile_limit(problem, _asimov, (GaussianPoints(data, error), response))
    return result.limit, result.best, result.crossing


def _curve(data, error, responses):
    result = inf.profile_curve(
        _problem(0.0, 1.0),
        _asimov,
        GaussianPoints(data, error),
        responses,
        bands="self_consistent",
        batch_size=1,
    )
    return result.limit


def _fits(data, error, response, centre):
    problem = _problem(centre, 1.0)
    given = (GaussianPoints(data, error), response)
    top = inf.maximise(problem, problem.start(), given)
    begin = top.x.at[0].add(0.5)
    end = inf.cross(problem, begin, given, problem.objective(top.x, given), 1.3, origin=top.x[0])
    return top.x, end.x


def _impacts(data, response):
    return inf.impacts(_problem(0.0, 1.0), _asimov, (GaussianPoints(data, _ERROR), response))


def _fisher(theta, error, response):
    def signal(t):
        return t[0] * jnp.exp(0.3 * t[1]) * response + t[2] * _TILT

    points = GaussianPoints(_DATA, error)
    width = jnp.array([jnp.inf, 1.0, 1.0])
    information = inf.fisher_information(signal, theta, points, prior_width=width)
    return information, inf.strength_sigma(information)


def _grid(log_like):
    u = jnp.linspace(0.0, 8.0, 40)
    return inf.grid_bayes_limit(u, log_like, "uniform_g")


def _gaussian(prior, order):
    def limit(a_hat, sigma):
        return inf.gaussian_bayes_limit(a_hat, sigma, prior, order=order, log10_range=(-2.0, 1.0))

    return limit


def _moments(response):
    one = inf.linear_moments(response, GaussianPoints(_DATA, _ERROR))
    joint = inf.combine(one, inf.linear_moments(2.0 * response, GaussianPoints(_DATA, _CHOLESKY)))
    return joint, inf.moments_limit(joint)


def _bands(median, limit):
    constrained = inf.power_constrained(limit, inf.constant_bands(median)[0])
    return inf.constant_bands(median), constrained, inf.moments_from_limits(limit, median)


_SCALARS = (jnp.array(0.3), jnp.array(0.8))

CASES = [
    Case(
        "gaussian_points",
        _density,
        (_DATA, _ERROR, 0.5 * _RESPONSE),
        ((_DATA, _ERROR, jnp.zeros(4)), (_DATA, _ERROR, -1e6 * _RESPONSE)),
        ("likelihoods.GaussianPoints", "likelihoods.GaussianBlocks"),
    ),
    Case("gaussian_points_correlated", _density, (_DATA, _CHOLESKY, 0.5 * _RESPONSE)),
    Case(
        "linear_limit",
        lambda r, d, e: inf.linear_limit(r, d, e).to_coupling(),
        (_RESPONSE, _DATA, _ERROR),
        ((_RESPONSE, -_DATA, _ERROR), (_RESPONSE, jnp.zeros(4), _ERROR)),
        (
            "inference.linear_limit",
            "inference.LimitResult",
            "inference.CouplingLimit",
            "inference.coupling_from_strength",
        ),
    ),
    Case(
        "linear_moments",
        _moments,
        (_RESPONSE,),
        (),
        (
            "inference.linear_moments",
            "inference.combine",
            "inference.moments_limit",
            "inference.GaussianMoments",
        ),
    ),
    Case(
        "bands",
        _bands,
        (jnp.array([1.2, 0.3]), jnp.array([1.5, 0.1])),
        (),
        (
            "inference.constant_bands",
            "inference.power_constrained",
            "inference.moments_from_limits",
        ),
    ),
    Case(
        "rescale_response",
        lambda r, a, b: inf.rescale_response(r, a, b),
        (_RESPONSE, jnp.array(4e-12), jnp.array(5e-12)),
        ((jnp.zeros(4), jnp.array(4e-12), jnp.array(5e-12)),),
        ("inference.rescale_response",),
    ),
    *[
        Case(
            f"gaussian_bayes_limit_{prior}",
            _gaussian(prior, order),
            _SCALARS,
            ((jnp.array(-20.0), jnp.array(0.5)), (jnp.array(50.0), jnp.array(0.5))),
            ("inference.gaussian_bayes_limit", "inference.BayesLimit"),
            slow=prior != "uniform_g",
        )
        for prior, order in (("uniform_g", 2), ("uniform_g4", 1), ("log10_g", 2))
    ],
    Case(
        "grid_bayes_limit",
        _grid,
        (-0.5 * (jnp.linspace(0.0, 8.0, 40) - 0.7) ** 2,),
        (),
        ("inference.grid_bayes_limit",),
    ),
    Case(
        "newton",
        _fits,
        (_DATA, _ERROR, _RESPONSE, jnp.array([0.1, -0.2])),
        ((_DATA, _ERROR, 1e-3 * _RESPONSE, jnp.zeros(2)),),
        ("inference.maximise", "inference.cross", "inference.Problem", "inference.Solution"),
        fd_step=1e-3,
        slow=True,
    ),
    Case(
        "profile_limit",
        _profile,
        (_DATA, _ERROR, _RESPONSE, jnp.array([1.0, 1.2])),
        (
            (-_DATA, _ERROR, _RESPONSE, jnp.array([1.0, 1.2])),
            (jnp.zeros(4), _ERROR, _RESPONSE, jnp.array([1.0, 1.2])),
        ),
        ("inference.profile_limit", "inference.ProfileResult"),
        fd_step=1e-3,
        slow=True,
    ),
    Case(
        "profile_curve",
        _curve,
        (_DATA, _ERROR, jnp.stack([_RESPONSE, 0.1 * _RESPONSE**2])),
        (),
        ("inference.profile_curve",),
        fd_step=1e-3,
        slow=True,
    ),
    Case(
        "fisher",
        _fisher,
        (jnp.array([0.5, 0.1, -0.2]), _ERROR, _RESPONSE),
        ((jnp.zeros(3), _ERROR, _RESPONSE),),
        ("inference.fisher_information", "inference.strength_sigma"),
    ),
    Case(
        "impacts",
        _impacts,
        (_DATA, _RESPONSE),
        (),
        ("inference.impacts", "inference.Impacts"),
        fd_step=1e-3,
        slow=True,
    ),
]
