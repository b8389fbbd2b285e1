"""Simulation-based calibration of an analysis: do its posteriors hold the truth as they claim?

Parameters are drawn from their priors, data of all probes are simulated, and the ranks of the
parameters among draws of the posterior of those data must be uniform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri

from ..errors import ConfigurationError
from ..inference.calibration import (
    P_MIN,
    PointCoverage,
    RankTest,
    point_coverage,
    rank_tests,
    sbc_ranks,
    tarp_ranks,
)
from .analysis import MASS, STRENGTH, Analysis
from .marginal import KISH_MIN
from .prior_bank import (
    BANK,
    Report,
    at_mass,
    bank_posterior,
    expected_u,
    probe_responses,
    simulate,
    vectors_of,
)

LOG_LIKE = "log_likelihood"
# End of the prior of the coupling, in units of the expected limit on u.
REACH = 3.0
# Fraction of data sets that may have fewer effective draws than limits under other priors need.
_FEW = 0.01


@dataclass(frozen=True)
class SbcResult:
    """Ranks of simulated truths in their posteriors.

    Attributes
    ----------
    names : tuple of str
        ``axion.u``, the bound paths, and ``log_likelihood``.
    draws : int
        Posterior draws of each simulation.
    u_max : float
        Simulated and analysed with u = (g/1e-12 GeV^-1)^2 uniform on [0, u_max].
    m_a_eV : float or None
        Fixed mass [eV]; None if it is among the names, or nothing depends on it.
    bank : int
        Draws of the nuisances.
    index : int array, shape (s,)
        Numbers of the simulations.
    ranks : int array, shape (s, p)
        Of each name.
    tarp : int array, shape (s,)
        Ranks of distances to random points, in standard normals of all parameters.
    kish : array, shape (s,)
        Effective number of draws of the bank.
    """

    names: tuple[str, ...]
    draws: int
    u_max: float
    m_a_eV: float | None
    bank: int
    index: np.ndarray
    ranks: np.ndarray
    tarp: np.ndarray
    kish: np.ndarray

    def tests(self) -> dict[str, RankTest]:
        """Test of uniformity of each name, after Bonferroni for all of them."""
        return dict(zip(self.names, rank_tests(self.ranks, self.draws), strict=True))

    def coverage(self) -> PointCoverage:
        """Coverage of regions around random points."""
        return point_coverage(self.tarp, self.draws)

    @property
    def few(self) -> float:
        """Fraction of simulations with fewer effective draws than a limit needs."""
        return float(np.mean(self.kish < KISH_MIN))

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for each gate that failed."""
        found = [
            f"ranks of {name} are not uniform: chi2 = {t.chi2:.3g}, p = {t.p_bonferroni:.2g}"
            for name, t in self.tests().items()
            if not t.p_bonferroni > P_MIN
        ]
        points = self.coverage()
        if not points.passed:
            found.append(
                f"coverage around random points is off by {points.deviation:.3g}, more than "
                f"{points.tolerance:.3g}"
            )
        if self.few > _FEW:
            found.append(
                f"{100 * self.few:.3g} % of the simulations have fewer than {KISH_MIN:.0f} "
                "effective draws: raise --bank or lower --reach"
            )
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether all gates are met."""
        return not self.reasons


def run_sbc(
    analysis: Analysis,
    simulations: Sequence[int],
    *,
    draws: int = 99,
    seed: int = 0,
    m_a_eV: float | None = None,
    u_max: float | None = None,
    reach: float = REACH,
    bank: int = BANK,
    report: Report | None = None,
) -> SbcResult:
    """Simulation-based calibration of coupling and nuisances (and of the mass, if it is bound).

    Simulation s depends on the seed and its number alone. The bank stands for the prior, so that
    with s simulations the scatter of all tests is larger by (1 + s/bank)^(1/2) than that of
    unlimited banks.

    Parameters
    ----------
    analysis : Analysis
        World, priors and models; ``axion.u`` must not be bound.
    simulations : sequence of int
        Their numbers.
    draws : int
        Posterior draws of each.
    seed : int
        Seed of truths, noise and bank.
    m_a_eV : float, optional
        Fixed mass [eV]; default that of the world, or sampled if it is bound.
    u_max : float, optional
        End of the prior of u; default ``reach`` times the expected limit on u.
    reach : float
        See ``u_max``.
    bank : int
        Draws of the nuisances, shared by all simulations.
    report : callable, optional
        Called with (step, fraction done).

    Returns
    -------
    SbcResult
        Ranks, and what was effective.

    Raises
    ------
    ConfigurationError
        If a number is out of range, or ``axion.u`` is bound.

    References
    ----------
    Talts et al. 2018, arXiv:1804.06788; Modrak et al. 2023, arXiv:2211.02383 (the likelihood as
    a test quantity); Lemos et al. 2023, arXiv:2302.03026.
    """
    for name, value in (("simulations", len(simulations)), ("draws", draws), ("bank", bank)):
        if value < 1:
            raise ConfigurationError(f"{name} must be at least 1, found {value}")
    tell = report or (lambda step, done: None)
    data, size = at_mass(analysis.data, m_a_eV), len(analysis.names)
    vectors, number = vectors_of(data), len(simulations)
    if u_max is None:
        tell("expected limit", 0.0)
        u_max = reach * expected_u(data)
    streams = [np.random.default_rng([seed, 1, s]) for s in simulations]
    truth_z = np.stack([rng.normal(size=size) for rng in streams])
    truth_u = u_max * np.array([rng.uniform() for rng in streams])
    points = np.stack([rng.normal(size=size + 1) for rng in streams])
    shelf = np.random.default_rng([seed, 0]).normal(size=(bank, size))
    tell("bank of responses", 0.0)
    rows = probe_responses(data, jnp.asarray(np.concatenate([shelf, truth_z])))
    shared, own = tuple(r[:bank] for r in rows), tuple(r[bank:] for r in rows)
    key = jax.random.key(seed)
    keys = jax.vmap(lambda s: jax.random.fold_in(key, s))(jnp.asarray(simulations))
    sets = simulate(vectors, keys, jnp.asarray(truth_u), own)
    known = eqx.filter_jit(jax.vmap(vectors.moments))(own, sets)
    truth_like = np.asarray(known.log_like(jnp.asarray(truth_u)))

    def normal(u: np.ndarray) -> np.ndarray:
        return ndtri(np.clip(u / u_max, 1e-12, 1.0 - 1e-12))

    found = []
    for s, rng in enumerate(streams):
        post = bank_posterior(vectors, shared, tuple(x[s] for x in sets), u_max, draws, rng)
        z = shelf[post.rows]
        columns = np.column_stack([post.u, z, post.log_like])
        truth = np.concatenate([[truth_u[s]], truth_z[s], [truth_like[s]]])
        near = np.column_stack([normal(post.u), z])
        rank = tarp_ranks(np.concatenate([[normal(truth_u[s])], truth_z[s]]), near, points[s])
        found.append((sbc_ranks(truth, columns), rank, post.kish))
        if (s + 1) % 50 == 0 or s + 1 == number:
            tell("posteriors", (s + 1) / number)
    ranks, tarp, kish = (np.array(x) for x in zip(*found, strict=True))
    fixed = None if MASS in analysis.names else float(data.world.axion.m_a_eV)
    names = (STRENGTH, *analysis.names, LOG_LIKE)
    return SbcResult(
        names, draws, float(u_max), fixed, bank, np.asarray(simulations), ranks, tarp, kish
    )
