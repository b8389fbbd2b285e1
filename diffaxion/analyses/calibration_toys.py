"""Coverage of limits and recovery of injected signals, by pseudo-experiments of an analysis.

Flux points, bandpowers and the recast are drawn from their Gaussian errors around a true coupling;
the limit is the last root of q = z^2, in closed form where the nuisances are fixed, by Newton
steps in all of them where they are profiled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..constants import G_REF_GEV
from ..errors import ConfigurationError
from ..inference.limits import Q_95
from ..inference.toys import (
    Estimate,
    PullSummary,
    ToyFit,
    band_quantiles,
    coverage,
    pull_summary,
)
from .analysis import Analysis, AnalysisData
from .coupling_fit import fit_coupling
from .moments import CouplingMoments
from .prior_bank import Report, Vectors, at_mass, expected_u, probe_responses, simulate, vectors_of
from .profile_nuisances import expected_strength, profile_over_nuisances

SIGMAS = (-1.0, 0.0, 1.0, 2.0)
LEVEL = 0.95
# Goals, each reached where three standard errors are smaller: absolute coverage of limits and of
# injected signals, mean and width of the pulls, median and +-1 sigma quantiles of g.
GOALS = {
    "coverage": 0.005,
    "recovery": 0.01,
    "pull_mean": 0.05,
    "pull_width": 0.03,
    "median": 0.015,
    "one_sigma": 0.02,
}
# Newton decrement and residual of ln L that moves no limit by 0.1 %; a curve is held to less.
_RESIDUAL = 1e-3
_TRUTHS = 1000  # distinct draws of the nuisances behind toys with drawn ones


@eqx.filter_jit
def _toy_moments(
    vectors: Vectors,
    keys: Array,
    u: Array,
    truths: tuple[Array, ...],
    centre: tuple[Array, ...],
) -> CouplingMoments:
    """Moments of simulated data sets with the responses that the limit assumes."""
    sets = simulate(vectors, keys, jnp.broadcast_to(u, keys.shape), truths)
    return jax.vmap(lambda d: vectors.moments(centre, d))(sets)


def tolerance(goal: str, error: float) -> float:
    """Largest departure that passes: the goal, or three standard errors if they are larger.

    Parameters
    ----------
    goal : str
        Key of ``GOALS``.
    error : float
        Standard error.

    Returns
    -------
    float
        In the unit of the error.

    References
    ----------
    None: a convention, stated with each result.
    """
    return max(GOALS[goal], 3.0 * error)


def asimov_limits(data: AnalysisData, q_threshold: float = Q_95) -> np.ndarray:
    """Limits on u expected without signal at N = -1, 0, 1, 2, from q_A(u) = (z + N)^2.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models, data; nuisances are at the centre of their priors.
    q_threshold : float
        z^2.

    Returns
    -------
    array, shape (4,)
        u = (g/1e-12 GeV^-1)^2.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727, section 4.3 (self-consistent bands).
    """
    moments = _centre_moments(data)
    levels = (np.sqrt(q_threshold) + np.array(SIGMAS)) ** 2
    return np.array([float(expected_strength(moments, 1, x)) for x in levels])


def centre_responses(data: AnalysisData) -> tuple[Array, ...]:
    """Response of each probe at the centre of all priors, shape (n,)."""
    return tuple(r[0] for r in probe_responses(data, jnp.zeros((1, data.bindings.size))))


def _centre_moments(data: AnalysisData) -> CouplingMoments:
    return vectors_of(data).moments(centre_responses(data), [p.data for p in data.points])


def _keys(seed: int, number: int, toys: int) -> Array:
    return jax.random.split(jax.random.fold_in(jax.random.key(seed), number), toys)


def _truths(data: AnalysisData, toys: int, seed: int, drawn: bool) -> tuple[Array, ...]:
    """Responses behind each toy: those of the centre, or of draws from the priors."""
    if not drawn:
        return tuple(jnp.broadcast_to(r, (toys, *r.shape)) for r in centre_responses(data))
    count = min(toys, _TRUTHS)
    z = np.random.default_rng([seed, 2]).normal(size=(count, data.bindings.size))
    rows = probe_responses(data, jnp.asarray(z))
    return tuple(r[np.arange(toys) % count] for r in rows)


@dataclass(frozen=True)
class CoverageRow:
    """Pseudo-experiments at one mass and coupling.

    Attributes
    ----------
    m_a_eV, u : float
        Mass [eV] and true u = (g/1e-12 GeV^-1)^2.
    nuisances : str
        ``fixed`` at their centre, ``drawn`` from their priors but fixed in the limit,
        ``profiled`` in the limit, or ``drawn, profiled``.
    coverage, constrained : Estimate
        Fraction of limits at or above the truth, raw and power-constrained.
    negative, unconverged : float
        Fractions of limits on u at or below zero, and of fits that failed.
    pulls : PullSummary or None
        Signed roots; None where nuisances are profiled.
    bands : Estimate or None
        Quantiles of the limit on u at N = -1, 0, 1, 2, without signal.
    asimov : array, shape (4,)
        The same from Asimov data with fixed nuisances.
    """

    m_a_eV: float
    u: float
    nuisances: str
    coverage: Estimate
    constrained: Estimate
    negative: float
    unconverged: float
    pulls: PullSummary | None
    bands: Estimate | None
    asimov: np.ndarray

    @property
    def g_GeV(self) -> float:
        """True coupling [GeV^-1]."""
        return float(np.sqrt(self.u)) * G_REF_GEV

    @property
    def judged(self) -> bool:
        """Limits at fixed nuisances need not cover where the truth has others."""
        return self.nuisances != "drawn"

    @property
    def band_ratios(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Quantiles of g over those of Asimov data at N = -1, 0, 1, with standard errors."""
        if self.bands is None:
            return None
        u, error = (np.asarray(x)[:3] for x in self.bands[:2])
        ratio = np.sqrt(np.maximum(u, 0.0) / self.asimov[:3])
        return ratio, 0.5 * ratio * error / np.where(u > 0.0, u, np.inf)

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for each gate that failed."""
        if not self.judged:
            return ()
        where = f"at {self.m_a_eV:.3g} eV and g = {self.g_GeV:.3g} GeV^-1"
        error = float(np.sqrt(LEVEL * (1.0 - LEVEL) / self.coverage.number))
        found = []
        if abs(self.coverage.value - LEVEL) > tolerance("coverage", error):
            found.append(
                f"coverage {self.coverage.value:.4f} {where} is off by more than "
                f"{tolerance('coverage', error):.4f}"
            )
        if self.constrained.value < self.coverage.value:
            found.append(f"the power constraint lowers the coverage {where}")
        ratios = self.band_ratios
        for k, goal in enumerate(("one_sigma", "median", "one_sigma") if ratios else ()):
            ratio, spread = (float(x[k]) for x in ratios or ())
            if abs(ratio - 1.0) > tolerance(goal, spread):
                found.append(
                    f"the {SIGMAS[k]:+g} sigma limit on g of toys is {ratio:.4f} times that of "
                    f"Asimov data {where}"
                )
        return tuple(found)


def fixed_toys(
    data: AnalysisData, u: float, toys: int, *, seed: int = 0, number: int = 0, drawn: bool = False
) -> ToyFit:
    """Pseudo-experiments with limits at fixed nuisances.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models and errors of the data.
    u : float
        True u = (g/1e-12 GeV^-1)^2.
    toys : int
        Number of data sets.
    seed, number : int
        Seed, and number of the stream.
    drawn : bool
        Whether the truth has nuisances drawn from their priors, instead of their centre.

    Returns
    -------
    ToyFit
        Strengths are u; fields of shape (toys,).

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    truths = _truths(data, toys, seed, drawn)
    keys = _keys(seed, number, toys)
    found = _toy_moments(
        vectors_of(data), keys, jnp.asarray(u, float), truths, centre_responses(data)
    )
    fields: list[Any] = [np.asarray(x) for x in found]
    moments = CouplingMoments(*fields)
    return fit_coupling(moments, u, expected_u(data))


def profiled_toys(
    data: AnalysisData,
    m_a_eV: float,
    u: float,
    toys: int,
    *,
    seed: int = 0,
    number: int = 0,
    drawn: bool = False,
    report: Report | None = None,
) -> ToyFit:
    """Pseudo-experiments with limits that profile all nuisances.

    Parameters
    ----------
    data : AnalysisData
        World, priors, models and errors; neither coupling nor mass may be bound.
    m_a_eV : float
        Mass [eV].
    u : float
        True u = (g/1e-12 GeV^-1)^2.
    toys : int
        Number of data sets.
    seed, number : int
        Seed, and number of the stream.
    drawn : bool
        Whether the truth has nuisances drawn from their priors, instead of their centre.
    report : callable, optional
        Called with (step, fraction done).

    Returns
    -------
    ToyFit
        Strengths are u; ``q_true`` is NaN.

    References
    ----------
    Rolke, Lopez & Conrad 2005, arXiv:physics/0403059.
    """
    tell = report or (lambda step, done: None)
    truths = _truths(at_mass(data, m_a_eV), toys, seed, drawn)
    strengths = jnp.full(toys, float(u))
    sets = simulate(vectors_of(data), _keys(seed, number, toys), strengths, truths)
    rows = []
    for k in range(toys):
        points = tuple(p.with_data(x[k]) for p, x in zip(data.points, sets, strict=True))
        toy = eqx.tree_at(lambda d: d.points, data, points)
        found = profile_over_nuisances(toy, np.array([m_a_eV]))
        limit = found.limit
        figures = (limit.a_hat, limit.sigma, limit.a_95, limit.ts, found.decrement, found.residual)
        rows.append([float(x[0]) for x in figures])
        tell("profiles", (k + 1) / toys)
    columns: list[Any] = list(np.array(rows).T)
    a_hat, sigma, a_95, ts, decrement, residual = columns
    fine = np.isfinite(a_95) & (decrement < _RESIDUAL) & (np.abs(residual) < _RESIDUAL)
    if data.order == 2:
        a_hat, a_95 = (np.sign(x) * np.sqrt(np.abs(x)) for x in (a_hat, a_95))
        sigma = np.full(toys, np.nan)
    nothing: Any = np.full(toys, np.nan)
    return ToyFit(strengths, a_hat, sigma, a_95, nothing, ts, fine)


def coverage_row(
    fit: ToyFit, m_a_eV: float, u: float, nuisances: str, asimov: Float[np.ndarray, "4"]
) -> CoverageRow:
    """Coverage, bands and pulls of pseudo-experiments.

    Parameters
    ----------
    fit : ToyFit
        Strengths are u.
    m_a_eV, u : float
        Mass [eV] and true u.
    nuisances : str
        As in :class:`CoverageRow`.
    asimov : array, shape (4,)
        From :func:`asimov_limits`.

    Returns
    -------
    CoverageRow
        The summary.

    References
    ----------
    None: averages.
    """
    return CoverageRow(
        m_a_eV=m_a_eV,
        u=u,
        nuisances=nuisances,
        coverage=coverage(fit),
        constrained=coverage(fit, least=float(asimov[0])),
        negative=float(np.mean(fit.a_95[fit.good] <= 0.0)),
        unconverged=float(np.mean(~fit.good)),
        pulls=None if np.isnan(fit.q_true).any() else pull_summary(fit),
        bands=band_quantiles(fit, SIGMAS) if u == 0.0 and nuisances == "fixed" else None,
        asimov=asimov,
    )


def run_coverage(
    analysis: Analysis,
    m_a_eV: Any,
    *,
    g_GeV: Any = None,
    toys: int = 20000,
    seed: int = 0,
    drawn: bool = False,
    profiled: int = 0,
    report: Report | None = None,
) -> list[CoverageRow]:
    """Coverage of upper limits at several masses and couplings.

    Parameters
    ----------
    analysis : Analysis
        World, priors and models; neither coupling nor mass may be bound.
    m_a_eV : array, shape (n,)
        Masses [eV].
    g_GeV : array, shape (k,), optional
        True couplings [GeV^-1]; default those with u = 0, 0.5, 1 and 2 expected limits on u.
    toys : int
        Data sets per mass and coupling, with nuisances fixed in the limit.
    seed : int
        Seed.
    drawn : bool
        Whether the truths have nuisances drawn from their priors.
    profiled : int
        Further data sets whose limits profile all nuisances.
    report : callable, optional
        Called with (step, fraction done).

    Returns
    -------
    list of CoverageRow
        One per mass and coupling, those with profiled nuisances last.

    Raises
    ------
    ConfigurationError
        If a number is out of range, or coupling or mass are bound.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727 and arXiv:1105.3166.
    """
    if toys < 1 or profiled < 0:
        raise ConfigurationError(
            f"toys = {toys}, profiled = {profiled}: expected toys >= 1 and profiled >= 0"
        )
    tell = report or (lambda step, done: None)
    truth = "drawn" if drawn else "fixed"
    jobs = [(m, k) for m in map(float, m_a_eV) for k in range(_strength_count(g_GeV))]
    rows: list[CoverageRow] = []
    late: list[CoverageRow] = []
    for number, (mass, k) in enumerate(jobs):
        data = at_mass(analysis.data, mass)
        asimov = asimov_limits(data)
        u = strength_of(g_GeV, k, float(asimov[1]))
        fit = fixed_toys(data, u, toys, seed=seed, number=number, drawn=drawn)
        rows.append(coverage_row(fit, mass, u, truth, asimov))
        tell("toys", (number + 1) / len(jobs))
        if profiled:
            stream = len(jobs) + number
            options: dict[str, Any] = {"number": stream, "drawn": drawn, "report": report}
            fit = profiled_toys(analysis.data, mass, u, profiled, seed=seed, **options)
            name = "drawn, profiled" if drawn else "profiled"
            late.append(coverage_row(fit, mass, u, name, asimov))
    return [*rows, *late]


_MULTIPLES = (0.0, 0.5, 1.0, 2.0)


def _strength_count(g_GeV: Any) -> int:
    return len(_MULTIPLES) if g_GeV is None else len(g_GeV)


def strength_of(g_GeV: Any, k: int, median: float) -> float:
    """k-th true u; couplings below zero mean a negative u."""
    if g_GeV is None:
        return _MULTIPLES[k] * median
    g = float(g_GeV[k]) / G_REF_GEV
    return g * abs(g)
