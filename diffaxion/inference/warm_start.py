"""Normal approximations of a posterior from which chains start, by variational inference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..errors import ConfigurationError, ConvergenceError, unknown_name

GUIDES = ("normal", "laplace")


class WarmStart(NamedTuple):
    """Where chains start, with what covariance.

    Attributes
    ----------
    initial : dict of str to array
        Values of the sites, in their own units.
    covariance : float array, shape (n, n)
        Covariance in unconstrained space, sites in the order of their names; it scatters the
        starts and is the first inverse mass matrix.
    """

    initial: dict[str, Array]
    covariance: Array


def svi_warm_start(
    model: Callable[..., Any],
    args: tuple,
    key: Array,
    *,
    guide: str = "normal",
    initial: Mapping[str, Any] | None = None,
    steps: int = 2000,
    learning_rate: float = 0.02,
) -> WarmStart:
    """Start for :class:`~diffaxion.inference.Sampler` from variational inference.

    A multivariate normal q in unconstrained space maximises the bound
    E_q[ln p(data, x) - ln q(x)] ("normal"), or sits at the maximum of the density with the
    inverse of its second derivatives ("laplace"), by Adam with a cosine decay.

    Parameters
    ----------
    model : callable
        NumPyro model, ``model(*args)``.
    args : tuple
        Its arguments.
    key : PRNG key
        Randomness.
    guide : str
        "normal" or "laplace".
    initial : mapping of str to array, optional
        Where to begin; sites that are not named begin at the median of their prior.
    steps : int
        Steps of the optimiser.
    learning_rate : float
        Its first step, in unconstrained space.

    Returns
    -------
    WarmStart
        Point, and covariance of shape (n, n).

    Raises
    ------
    ConfigurationError
        If there is no such guide.
    ConvergenceError
        If the bound, or the covariance, is not finite.

    References
    ----------
    Kucukelbir et al. 2017 (arXiv:1603.00788); Kingma & Ba 2014 (arXiv:1412.6980).
    """
    import optax
    from numpyro.infer import SVI, Trace_ELBO
    from numpyro.infer.autoguide import AutoLaplaceApproximation, AutoMultivariateNormal
    from numpyro.infer.initialization import init_to_median, init_to_value
    from numpyro.optim import optax_to_numpyro

    if guide not in GUIDES:
        raise unknown_name("guide", guide, GUIDES)
    if steps < 1:
        raise ConfigurationError(f"steps must be at least 1, found {steps}")
    strategy = init_to_value(values=dict(initial)) if initial else init_to_median
    kind = AutoMultivariateNormal if guide == "normal" else AutoLaplaceApproximation
    approximation = kind(model, init_loc_fn=strategy)
    schedule = optax.cosine_decay_schedule(learning_rate, steps, alpha=0.01)
    loss = Trace_ELBO(num_particles=4 if guide == "normal" else 1)
    svi = SVI(model, approximation, optax_to_numpyro(optax.adam(schedule)), loss)
    result = svi.run(key, steps, *args, progress_bar=False)
    normal = approximation.get_posterior(result.params)
    covariance = np.asarray(normal.covariance_matrix)
    point = approximation.median(result.params)
    if not (np.all(np.isfinite(result.losses[-1])) and np.all(np.isfinite(covariance))):
        raise ConvergenceError(
            f"variational inference found no finite approximation in {steps} steps: start "
            "elsewhere, or lower the learning rate"
        )
    return WarmStart(jax.tree.map(jnp.asarray, point), jnp.asarray(covariance))
