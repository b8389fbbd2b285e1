"""Limits from counts with templates: the Poisson likelihood in the form of the Newton solver.

The strength a sets the signal of all bins, S_b = a r_b, and each bin has its own background A_b:
the tail of the solver, whose Hessian is an arrow. A curve of limits over masses is one call.
"""

from __future__ import annotations

from typing import Any, Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..likelihoods.poisson import TemplatePoisson
from ..likelihoods.poisson_packed import PackedPoisson
from ..numerics import safe_divide
from .limits import Q_95
from .problem import Expansion, Problem
from .profile import ProfileResult, profile_curve
from .toys import ToyFit, fit_toy

AnyPoisson = TemplatePoisson | PackedPoisson
CountsData = tuple[Any, Array]


def _counts_of(data: CountsData) -> tuple[AnyPoisson, Array]:
    """Likelihood and response; the former may come with the templates of Asimov data."""
    shared, response = data
    return shared[0] if isinstance(shared, tuple) else shared, response


def _loglike(strength: Array, backgrounds: Array, data: CountsData) -> Array:
    likelihood, response = _counts_of(data)
    return jnp.sum(likelihood.values(strength * response, backgrounds))


def _expand(strength: Array, backgrounds: Array, data: CountsData) -> Expansion:
    likelihood, r = _counts_of(data)
    b = likelihood.blocks(strength * r, backgrounds)
    return Expansion(
        value=jnp.sum(b.value),
        gradient=jnp.concatenate([jnp.sum(r * b.S)[None], b.A]),
        core=jnp.sum(r**2 * b.SS)[None, None],
        cross=(r * b.SA)[None],
        diagonal=b.AA,
    )


def expected_counts(backgrounds: Float[Array, " bins"], data: CountsData) -> CountsData:
    """Asimov data: the counts expected without signal at given backgrounds.

    Parameters
    ----------
    backgrounds : float array, shape (bins,)
        A, usually those fitted at zero strength.
    data : tuple of TemplatePoisson and float array, shape (bins,)
        Likelihood and response.

    Returns
    -------
    tuple
        The same with counts A B.

    References
    ----------
    Cowan et al. 2011 (arXiv:1007.1727), section 3.2.
    """
    likelihood, response = data
    none = jnp.zeros_like(backgrounds)
    return likelihood.with_data(likelihood.expected(none, backgrounds)), response


def counts_problem(bins: int) -> Problem:
    """A strength and one free background A >= 0 per bin, with analytic derivatives.

    Parameters
    ----------
    bins : int
        Number of bins of all targets together.

    Returns
    -------
    Problem
        For data (TemplatePoisson, response): S_b = strength * response_b. Its constant -ln c!
        is left out.

    References
    ----------
    Dessert, Foster, Safdi 2020 (arXiv:2008.03305), section III.
    """
    free = jnp.zeros(bins, bool)
    return Problem(_loglike, free, lower=0.0, tail=bins, expand=_expand)


def counts_start(likelihood: AnyPoisson) -> Float[Array, " n"]:
    """Strength 0 with A = sum c/sum B, the exact maximum at zero strength.

    Parameters
    ----------
    likelihood : TemplatePoisson or PackedPoisson
        Counts and templates.

    Returns
    -------
    float array, shape (1 + bins,)
        Start of all fits.

    References
    ----------
    L_A = 0 at S = 0.
    """
    total = likelihood.null_backgrounds()
    return jnp.concatenate([jnp.zeros_like(total[:1]), total])


@eqx.filter_jit
def counts_curve(
    likelihood: AnyPoisson,
    responses: Float[Array, "m bins"],
    *,
    q_threshold: ArrayLike = Q_95,
    bands: Literal["constant", "self_consistent"] = "constant",
    iterations: int = 30,
    batch_size: int | None = 1,
    expected: AnyPoisson | None = None,
) -> ProfileResult:
    """Profile limits on the strength at many masses, with bands and status.

    Parameters
    ----------
    likelihood : TemplatePoisson or PackedPoisson
        Counts and templates of all targets.
    responses : float array, shape (m, bins)
        Signal counts over the whole point-spread function for strength 1, at each mass; all
        targets at the same reference coupling.
    q_threshold : float array, shape ()
        z^2.
    bands : {"constant", "self_consistent"}
        Construction of the bands, static.
    iterations : int
        Newton steps of each fit, static.
    batch_size : int, optional
        Masses that run at once, static: 1 is best on a CPU, None (all) on a GPU.
    expected : same kind, optional
        Templates of the same bins for Asimov data, where pixels of the observed counts are
        merged as Asimov data do not allow; its counts are not used.

    Returns
    -------
    ProfileResult
        Every field with a leading axis (m,), strengths in units of the given responses.

    References
    ----------
    Dessert, Foster, Safdi 2020 (arXiv:2008.03305), section III; Cowan et al. 2011
    (arXiv:1007.1727).
    """
    r = jnp.asarray(responses, float)
    # The response falls by ten decades with mass: the same sum keeps the strength of order 1.
    total = jnp.sum(jnp.abs(r), axis=-1, keepdims=True)
    scale = safe_divide(jnp.max(total), total, 1.0)
    shared: Any = likelihood
    if expected is not None:
        # Both take turns in one compiled likelihood, and need one shape.
        widest = max(likelihood.size, expected.size)
        shared = (likelihood.padded(widest), expected.padded(widest))
    result = profile_curve(
        counts_problem(r.shape[1]),
        _expected_pair,
        shared,
        r * scale,
        start=counts_start(likelihood),
        q_threshold=q_threshold,
        bands=bands,
        iterations=iterations,
        neighbours=False,
        batch_size=batch_size,
    )
    return _in_units(result, scale[:, 0])


def _expected_pair(backgrounds: Array, data: CountsData) -> CountsData:
    shared, response = data
    if not isinstance(shared, tuple):
        return expected_counts(backgrounds, data)
    ideal, _ = expected_counts(backgrounds, (shared[1], response))
    return (ideal, shared[1]), response


def _in_units(result: ProfileResult, scale: Array) -> ProfileResult:
    """The result with strengths multiplied by ``scale``."""
    limit = result.limit
    names = ("a_hat", "sigma", "a_95", "pcl", "median", "minus1", "plus1", "plus2")

    def strengths(r: ProfileResult) -> list[Array]:
        return [getattr(r.limit, n) for n in names]

    def points(r: ProfileResult) -> list[Array]:
        return [r.best, r.null, r.crossing, r.asimov]

    scaled = [getattr(limit, n) * scale for n in names]
    result = eqx.tree_at(strengths, result, scaled)
    moved = [x.at[:, 0].multiply(scale) for x in points(result)]
    return eqx.tree_at(points, result, moved)


class CountsToys(eqx.Module):
    """Pseudo-experiments of counts: the pair of callables that ``pseudo_experiments`` takes.

    Attributes
    ----------
    likelihood : TemplatePoisson
        Templates, and the observed counts.
    response : float array, shape (bins,)
        Signal counts for strength 1; rescale it so that interesting strengths are of order 1.
    backgrounds : float array, shape (bins,)
        True A of simulated counts.
    into_observed : bool
        Add a simulated signal to the observed counts instead of simulating everything, static.
    iterations : int
        Newton steps of each search, static.
    tolerance : float
        Largest Newton decrement and residual of ln L of a good fit, static.

    References
    ----------
    Dessert, Foster, Safdi 2020 (arXiv:2008.03305), supplementary material (injected signals).
    """

    likelihood: TemplatePoisson
    response: Float[Array, " bins"]
    backgrounds: Float[Array, " bins"]
    into_observed: bool = eqx.field(static=True, default=False)
    iterations: int = eqx.field(static=True, default=30)
    tolerance: float = eqx.field(static=True, default=1e-8)

    def simulate(self, key: Any, strength: Any) -> Any:
        """Counts of one experiment.

        Parameters
        ----------
        key : numpy Generator or PRNG key
            Randomness; decides whether NumPy or JAX draws.
        strength : float array, shape ()
            True strength a >= 0.

        Returns
        -------
        float array, shape (bins, pixels)
            Simulated counts.
        """
        model = self.likelihood
        none = jnp.zeros_like(self.backgrounds)
        true = none if self.into_observed else self.backgrounds
        if not isinstance(key, np.random.Generator):
            drawn = model.sample(key, strength * self.response, true)
        else:
            s = float(strength) * np.asarray(self.response)[:, None]
            mu = s * np.asarray(model.signal_template)
            mu += np.asarray(true)[:, None] * np.asarray(model.background_template)
            drawn = key.poisson(mu)
        return drawn + model.counts if self.into_observed else drawn

    def solve(self, counts: Float[Array, "bins pixels"], strength: ArrayLike) -> ToyFit:
        """Fits of one experiment.

        Parameters
        ----------
        counts : float array, shape (bins, pixels)
            From :meth:`simulate`.
        strength : float array, shape ()
            True strength.

        Returns
        -------
        ToyFit
            Maximum, limit and test statistics.
        """
        one = self.likelihood.with_data(counts)
        return fit_toy(
            counts_problem(self.response.shape[0]),
            counts_start(one),
            (one, self.response),
            strength,
            iterations=self.iterations,
            tolerance=self.tolerance,
        )
