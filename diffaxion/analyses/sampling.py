"""NUTS draws of an analysis: one vector of standard normals inside, dotted paths outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Array, Float

from ..inference.diagnostics import Convergence, check_gates
from ..inference.posterior import Posterior
from ..inference.sample import sample
from ..inference.warm_start import WarmStart
from ..parameters.paths import get_path
from .analysis import STRENGTH, AnalysisData
from .moments import expected_strength, moments_of

_VECTOR, _STANDARD = "x", "z"
# Where chains start: below the limit that is expected at their nuisances.
_START = -0.3


# Compiled on its own as well, because NumPyro runs a model eagerly when it sets it up.
@eqx.filter_jit
def _sheared(data: AnalysisData, x: Float[Array, " k"]) -> tuple[Array, Array]:
    """Standard normals z of the coordinates of the sampler, and ln L there.

    All but that of the coupling are the same. With U(zeta) the u whose limit is expected at the
    other parameters, z_u = x_u + Phi^-1(U/(U + u_max)): a shear, whose Jacobian is 1. In x_u the
    end of the posterior is where it is at every mass and for every strength of the signal.
    """
    names = data.bindings.names
    if STRENGTH not in names:
        return x, data.loglike(x)
    at = names.index(STRENGTH)
    top = data.bindings.free_priors[at].from_standard(jnp.asarray(8.0))
    world, responses = data.responses(x)
    expected = expected_strength(moments_of(data, responses), 1)
    z_u = x[at] + ndtri(expected / (expected + top))
    u = data.bindings.free_priors[at].from_standard(z_u)
    return x.at[at].set(z_u), data.log_prob(u, responses, data.points_in(world))


def _vector_model(data: AnalysisData) -> None:
    """The density of :func:`numpyro_model` with one site for all parameters.

    A site for each of thirty parameters makes the sampler's program, and the time that each of
    its steps takes, several times longer.
    """
    import numpyro
    import numpyro.distributions as dist

    x = numpyro.sample(_VECTOR, dist.Normal(0.0, 1.0).expand([data.bindings.size]).to_event(1))
    z, loglike = _sheared(data, x)
    numpyro.deterministic(_STANDARD, z)
    numpyro.factor("loglike", loglike + data.bindings.log_prior(z) - data.bindings.log_prior(x))


@eqx.filter_jit
def _values(data: AnalysisData, z: Float[Array, "c d k"]) -> dict[str, Float[Array, "c d"]]:
    """Values of all bound paths, free, fixed and tied, at draws of z."""
    names = (*data.bindings.paths, *data.bindings.tied_paths)

    def one(draw: Float[Array, " k"]) -> dict[str, Array]:
        world = data.bindings.apply(data.world, draw)
        return {n: get_path(world, n) for n in names}

    return jax.vmap(jax.vmap(one))(z)


def _by_path(data: AnalysisData, found: Posterior) -> Posterior:
    """The same draws by path instead of as a vector."""
    z = found.draws[_STANDARD]
    draws = {n: np.asarray(v) for n, v in _values(data, jnp.asarray(z)).items()}
    standard = {f"{n}_std": z[..., k] for k, n in enumerate(data.bindings.names)}
    # Ranks do not change under increasing maps: a parameter mixes as its standard normal does.
    judged = check_gates(standard, found.diverging, found.saturated, gates=found.gates)

    def named(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {n: table.get(f"{n}_std", np.asarray(np.nan)) for n in draws} | table

    convergence = Convergence(
        named(judged.r_hat),
        named(judged.ess_bulk),
        named(judged.ess_tail),
        judged.converged,
        tuple(r.replace("_std'", "'") for r in judged.reasons),
    )
    return replace(found, draws={**draws, **standard}, convergence=convergence)


def sample_density(
    data: AnalysisData, key: Array, initial: Mapping[str, Any] | None = None, **settings: Any
) -> Posterior:
    """Posterior draws by NUTS.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data.
    key : PRNG key
        Randomness.
    initial : mapping of str to float, optional
        Values of nuisances, by path, where the chains start; the medians of the priors by
        default. The coupling starts below its expected limit.
    **settings
        As in :func:`diffaxion.inference.sample.sample`.

    Returns
    -------
    Posterior
        Draws of every bound path, shape (chains, draws), and of the standard normal of each free
        one as ``<path>_std``.

    References
    ----------
    Hoffman & Gelman 2014, arXiv:1111.4246.
    """
    x = data.bindings.standardise(initial or {})
    if STRENGTH in data.bindings.names:
        x = x.at[data.bindings.names.index(STRENGTH)].set(_START)
    # The coordinates were made to have unit scale: the Laplace approximation, whose gradients
    # are half of what compiles before the first draw, would add little.
    start = WarmStart({_VECTOR: x}, jnp.eye(data.bindings.size))
    settings.setdefault("jitter", 0.3)
    found = sample(_vector_model, (data,), key, initial=start, **settings)
    return _by_path(data, found)
