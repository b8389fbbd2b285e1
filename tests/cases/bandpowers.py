"""Cases of bandpowers, their covariance, the recast likelihood and limits from them."""

import jax.numpy as jnp
import numpy as np

from diffaxion.analyses.screening_limits import bayes_limits, recast_responses
from diffaxion.likelihoods import gaussian_covariance, recast_likelihood, toy_map_spectrum
from diffaxion.observables.cmb.bandpowers import gaussian_beam, top_hat_windows

from . import Case

_WINDOWS = top_hat_windows(
    np.array([100.0, 120.0, 140.0]), np.array([119.0, 139.0, 159.0]), node_ell=[100, 115, 137, 159]
)
_ELL = np.asarray(_WINDOWS.window_ell)
_MASS = np.geomspace(2e-13, 2e-12, 5)
_CL_B = -np.outer(_MASS / 1e-12, [3e-8, 2e-8, 1e-8]) * (1.0 + 0.1 * np.arange(5.0)[:, None])
_RECAST = recast_likelihood(_MASS, _CL_B, np.array([4e-13, 2e-13, 1e-13]))
_MODEL = jnp.array([-1e-8, -9e-9, -6e-9])


def _bandpowers(nodes, cl):
    return _WINDOWS.from_nodes(nodes), _WINDOWS.from_all(cl)


def _covariance(tt, gg, f_sky, tg):
    return gaussian_covariance(_WINDOWS, tt, gg, f_sky, signal_tt=tg**2, signal_tg=tg)


def _recast(recast, cl_b, mass, u):
    signal = u * recast.response(cl_b, mass)
    return recast.log_prob(signal), recast.compare(cl_b, mass)


CASES = [
    Case(
        "bandpowers",
        _bandpowers,
        (jnp.array([-3.0, -2.0, -1.0, 0.5]), jnp.asarray(1.0 / _ELL)),
        ((jnp.zeros(4), jnp.zeros(_ELL.size)),),
        ("observables.cmb.BandpowerWindows",),
    ),
    Case(
        "gaussian_beam",
        gaussian_beam,
        (jnp.array([2.0, 1000.0, 2000.0]), jnp.array(10.0)),
        ((jnp.array([2.0, 1000.0, 4000.0]), jnp.array(0.0)),),
        ("observables.cmb.gaussian_beam",),
    ),
    Case(
        "gaussian_covariance",
        _covariance,
        (
            jnp.asarray(1e-2 / _ELL),
            jnp.asarray(1e-5 / _ELL),
            jnp.array(0.5),
            jnp.asarray(-1e-6 / _ELL),
        ),
        (
            (
                jnp.asarray(1e-2 / _ELL),
                jnp.zeros(_ELL.size),
                jnp.array(1.0),
                jnp.zeros(_ELL.size),
            ),
        ),
        ("likelihoods.gaussian_covariance",),
    ),
    Case(
        "toy_map_spectrum",
        lambda ell: toy_map_spectrum(ell, "tsz-cib"),
        (jnp.array([30.3, 811.7]),),
        ((jnp.array([1.0, 1e4]),),),
        ("likelihoods.toy_map_spectrum",),
    ),
    Case(
        "recast",
        _recast,
        (_RECAST, _MODEL, jnp.array(5.3e-13), jnp.array(0.7)),
        (
            (_RECAST, jnp.zeros(3), jnp.array(5.3e-13), jnp.array(0.0)),
            (_RECAST, _MODEL, jnp.array(1e-14), jnp.array(-3.0)),
            (_RECAST, -1e6 * _MODEL, jnp.array(1e-10), jnp.array(1e3)),
        ),
        ("likelihoods.RecastLikelihood", "likelihoods.RecastResponse"),
        slow=True,
    ),
    Case(
        "recast_responses",
        recast_responses,
        (_RECAST, jnp.array([3e-13, 9e-13]), jnp.stack([_MODEL, 2.0 * _MODEL])),
        slow=True,
    ),
    Case(
        "screening_bayes_limits",
        lambda u, s: bayes_limits(u, s, "uniform_g", (jnp.array(-14.0), jnp.array(-10.5))),
        (jnp.array([0.3, -1.0]), jnp.array([0.8, 0.5])),
        slow=True,
    ),
]
