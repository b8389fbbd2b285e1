"""Posterior of coupling, nuisances and, if wanted, mass, with the limits that follow from it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from ..constants import G_REF_GEV
from ..inference.checkpoint import Checkpoint
from ..inference.diagnostics import quantile_with_error
from ..inference.posterior import Posterior
from .analysis import MASS, STRENGTH, Analysis
from .configured import axion_priors
from .evidence import SavageDickey, savage_dickey
from .joint_model import Recipe
from .marginal import MarginalLimit, marginal_limits, mixture_limit, uniform_g_draws
from .moments import moments_at_masses

Progress = Callable[[str, float], None]
Keep = Callable[[str, Analysis], Checkpoint | None]
# Draws whose one-dimensional posteriors enter the limits under other priors, and those at which
# surrogates are compared with the direct models.
_MIXTURE_DRAWS = 2000
_DIRECT_DRAWS = 48


@dataclass(frozen=True)
class ModelError:
    """What surrogates and coarse grids cost, on draws of the posterior.

    Attributes
    ----------
    names : tuple of str
        Probes.
    rms, worst : tuple of float
        Fractional error of the square root of the information of each order, over draws.
    shift : float
        Change of ln g_95 (prior uniform in g) against the direct models.
    draws : int
        Number of draws.
    """

    names: tuple[str, ...]
    rms: tuple[float, ...]
    worst: tuple[float, ...]
    shift: float
    draws: int


@dataclass(frozen=True)
class PosteriorRun:
    """One posterior with everything that is quoted from it.

    Attributes
    ----------
    name : str
        ``fixed`` or ``sampled``, what the mass was.
    m_a_eV : float or None
        Fixed mass [eV].
    analysis : Analysis
        Priors and models.
    posterior : Posterior
        Draws and diagnostics.
    marginal : list of MarginalLimit
        Limits under several priors [GeV^-1].
    headline : dict of str to array, shape (d,)
        Equally weighted draws with the headline prior, uniform in g: ``g_GeV`` and the bound
        paths; empty where the limit with that prior is refused.
    evidence : SavageDickey
        For no signal.
    errors : ModelError or None
        Comparison with the direct models.
    compile_s : float
        Set-up and compilation [s].
    confirmation : MarginalLimit or None
        Limit of a run whose prior is uniform in g itself.
    """

    name: str
    m_a_eV: float | None
    analysis: Analysis
    posterior: Posterior
    marginal: list[MarginalLimit]
    headline: dict[str, np.ndarray]
    evidence: SavageDickey
    errors: ModelError | None = None
    compile_s: float = float("nan")
    confirmation: MarginalLimit | None = None
    notes: list[str] = field(default_factory=list)

    def g_GeV(self) -> np.ndarray:
        """Draws of the coupling [GeV^-1], shape (chains, draws)."""
        return np.sqrt(self.posterior.draws[STRENGTH]) * G_REF_GEV


def run_posterior(
    recipe: Recipe,
    sampled: bool,
    report: Progress,
    start: dict[str, float] | None = None,
    keep: Keep | None = None,
) -> PosteriorRun:
    """NUTS, gates, limits under four priors and evidence, at the fixed mass or with it sampled.

    Parameters
    ----------
    recipe : Recipe
        World, models and data.
    sampled : bool
        Whether the mass is sampled, log-uniform, or fixed [eV].
    report : callable
        Called with (step, fraction done).
    start : dict of str to float, optional
        Values of nuisances by path where the chains start, usually the profile maximum; by
        default the centres of their priors.
    keep : callable, optional
        (name, analysis) -> Checkpoint, where blocks of draws are kept, or None.

    Returns
    -------
    PosteriorRun
        Draws of shape (chains, draws) and what follows from them.

    References
    ----------
    Hoffman & Gelman 2014, arXiv:1111.4246.
    """
    configuration, settings = recipe.configuration, recipe.configuration.sampler
    mass = None if sampled else configuration.mass.fixed_eV
    analysis = recipe.analysis(axion_priors(configuration, sampled), m_a_eV=mass)
    name = "sampled" if sampled else "fixed"
    checkpoint = keep(name, analysis) if keep else None
    posterior, compile_s = _sample(analysis, recipe, sampled, report, start or {}, checkpoint)
    u_max, level = configuration.coupling.u_max, configuration.coupling.confidence
    z = posterior_draws(analysis, posterior)
    step = max(1, len(z) // _MIXTURE_DRAWS)
    nuisances, masses = _split(analysis, z, mass)
    moments = moments_at_masses(recipe.plain.data, nuisances[::step], masses[::step])
    marginal = marginal_limits(moments, u_max, level)
    headline: dict[str, np.ndarray] = {}
    if not posterior.converged:
        failed = "the chains did not pass the convergence gates"
        marginal = [MarginalLimit(m.prior, float("nan"), m.kish, failed) for m in marginal]
    elif not marginal[0].reason:
        index, g = uniform_g_draws(moments, u_max, configuration.seed)
        headline = {"g_GeV": g}
        headline |= {n: posterior.flat(n)[::step][index] for n in analysis.names if n != STRENGTH}
    evidence = savage_dickey(moments, u_max)
    errors = model_error(recipe, nuisances, masses)
    confirmation = _confirm(recipe, sampled, report, start or {}) if settings.confirm else None
    return PosteriorRun(
        name,
        mass,
        analysis,
        posterior,
        marginal,
        headline,
        evidence,
        errors,
        compile_s,
        confirmation,
    )


def _split(
    analysis: Analysis, z: np.ndarray, m_a_eV: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Nuisances and masses [eV] of draws, shape (d, k) and (d,)."""
    names = analysis.names
    columns = [k for k, n in enumerate(names) if n not in (STRENGTH, MASS)]
    if m_a_eV is not None:
        return z[:, columns], np.full(len(z), m_a_eV)
    prior = analysis.data.bindings.free_priors[names.index(MASS)]
    values = jax.vmap(prior.from_standard)(jnp.asarray(z[:, names.index(MASS)]))
    return z[:, columns], np.asarray(values)


def _confirm(
    recipe: Recipe, sampled: bool, report: Progress, start: dict[str, float]
) -> MarginalLimit:
    """Limit of a run whose prior is uniform in g itself, without any weights."""
    configuration = recipe.configuration
    mass = None if sampled else configuration.mass.fixed_eV
    priors = axion_priors(configuration, sampled)
    priors[STRENGTH] = {**priors[STRENGTH], "dist": "uniform_root"}
    analysis = recipe.analysis(priors, m_a_eV=mass)
    posterior, _ = _sample(analysis, recipe, sampled, report, start, None)
    if not posterior.converged:
        return MarginalLimit("uniform_g", float("nan"), 0.0, "; ".join(posterior.reasons))
    found = quantile_with_error(
        np.sqrt(posterior.draws[STRENGTH]), configuration.coupling.confidence
    )
    limit, error = found.value * G_REF_GEV, found.error * G_REF_GEV
    return MarginalLimit("uniform_g", limit, found.ess, "", error)


def posterior_draws(analysis: Analysis, posterior: Posterior) -> np.ndarray:
    """Standard normals of all free parameters, chains joined.

    Parameters
    ----------
    analysis : Analysis
        Whose names give the order.
    posterior : Posterior
        Draws.

    Returns
    -------
    array, shape (draws, k)
        z, dimensionless.

    References
    ----------
    None: a rearrangement.
    """
    return np.stack([posterior.flat(f"{n}_std") for n in analysis.names], axis=-1)


def _sample(
    analysis: Analysis,
    recipe: Recipe,
    sampled: bool,
    report: Progress,
    start: dict[str, float],
    checkpoint: Checkpoint | None,
) -> tuple[Posterior, float]:
    """Draws, and the time before the second chunk less that of a later one."""
    configuration, settings = recipe.configuration, recipe.configuration.sampler
    values = {k: v for k, v in start.items() if k in analysis.names}
    if sampled:
        values[MASS] = float(np.sqrt(np.prod(configuration.mass.prior_eV)))
    ticks = [time.perf_counter()]
    step = f"posterior, mass {'sampled' if sampled else 'fixed'}"

    def tick(done: int, total: int, info: dict[str, float]) -> None:
        ticks.append(time.perf_counter())
        report(step, done / total)

    report(step, 0.0)
    posterior = analysis.sample(
        jax.random.fold_in(jax.random.key(configuration.seed), int(sampled)),
        initial=values,
        progress=tick,
        checkpoint=checkpoint,
        chains=settings.chains,
        warmup=settings.warmup,
        draws=settings.draws_sampled if sampled else settings.draws,
        chunk=settings.chunk,
        target_accept=settings.target_accept,
        max_tree_depth=settings.max_tree_depth,
        dense_mass=settings.dense_mass,
    )
    chunks = np.diff(ticks)
    return posterior, float(max(chunks[0] - np.median(chunks), 0.0)) if chunks.size else 0.0


def model_error(recipe: Recipe, z: np.ndarray, m_a_eV: np.ndarray) -> ModelError:
    """Surrogates and coarse grids against the direct models, on draws of a posterior.

    Parameters
    ----------
    recipe : Recipe
        World, models and data.
    z : array, shape (d, k)
        Draws of the nuisances.
    m_a_eV : array, shape (d,)
        Masses that go with them [eV].

    Returns
    -------
    ModelError
        Fractional errors of the responses' norms, and the shift of the limit.

    References
    ----------
    None: a comparison.
    """
    coupling = recipe.configuration.coupling
    step = max(1, len(z) // _DIRECT_DRAWS)
    few = slice(None, step * _DIRECT_DRAWS, step)
    ours, full = (
        moments_at_masses(a.data, z[few], m_a_eV[few]) for a in (recipe.plain, recipe.direct)
    )
    rms, worst, names = [], [], []
    for name, field_name in (("xray", "information"), ("cmb", "information_u")):
        x, y = (np.sqrt(getattr(m, field_name)) for m in (ours, full))
        if not y.any():
            continue
        # Where a signal is far below the largest one its error means nothing.
        counts = y > 1e-3 * y.max()
        error = x[counts] / y[counts] - 1.0
        names.append(name)
        rms.append(float(np.sqrt(np.mean(error**2))))
        worst.append(float(np.max(np.abs(error))))
    pair = [mixture_limit(m, coupling.u_max, coupling.confidence) for m in (ours, full)]
    shift = float(np.log(pair[0] / pair[1]))
    return ModelError(tuple(names), tuple(rms), tuple(worst), shift, len(z[few]))
