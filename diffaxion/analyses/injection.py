"""Injected signals: are they found again, with the limit above and pulls of unit width?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..constants import G_REF_GEV
from ..errors import ConfigurationError
from ..inference.toys import Estimate, PullSummary, ToyFit, coverage, pull_summary
from .analysis import Analysis
from .calibration_toys import (
    LEVEL,
    asimov_limits,
    centre_responses,
    fixed_toys,
    strength_of,
    tolerance,
)
from .coupling_fit import fit_coupling
from .moments import CouplingMoments
from .prior_bank import Report, at_mass, vectors_of

_QUANTILES = (0.16, 0.5, 0.84)


@dataclass(frozen=True)
class InjectionRow:
    """One injected coupling: in the observed data, and in simulated ones.

    Attributes
    ----------
    m_a_eV, u : float
        Mass [eV] and injected u = (g/1e-12 GeV^-1)^2.
    observed : ToyFit
        Fit of the observed data plus the expected signal, fields of shape (1,).
    coverage : Estimate
        Fraction of simulated data sets whose limit lies at or above the injected u.
    pulls : PullSummary
        Signed roots of the simulated data sets.
    u_hat, u_95 : array, shape (3,)
        16, 50 and 84 % quantiles of the recovered u and of its limit.
    ts : float
        Median test statistic for a signal.
    """

    m_a_eV: float
    u: float
    observed: ToyFit
    coverage: Estimate
    pulls: PullSummary
    u_hat: np.ndarray
    u_95: np.ndarray
    ts: float

    @property
    def g_GeV(self) -> float:
        """Injected coupling [GeV^-1]."""
        return float(np.sqrt(abs(self.u))) * G_REF_GEV

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for each gate that failed."""
        where, number = f"for g = {self.g_GeV:.3g} GeV^-1", self.coverage.number
        figures = (
            ("recovery", "coverage", self.coverage.value - LEVEL, np.sqrt(LEVEL * (1.0 - LEVEL))),
            ("pull_mean", "mean pull", self.pulls.mean.value, 1.0),
            ("pull_width", "width of the pulls - 1", self.pulls.width.value - 1.0, np.sqrt(0.5)),
        )
        found = []
        for goal, name, departure, spread in figures:
            most = tolerance(goal, float(spread) / np.sqrt(number))
            if abs(departure) > most:
                found.append(f"{name} {where} is off by {departure:+.4f}, more than {most:.4f}")
        return tuple(found)


def run_injection(
    analysis: Analysis,
    m_a_eV: float,
    *,
    g_GeV: Any = None,
    toys: int = 5000,
    seed: int = 0,
    report: Report | None = None,
) -> list[InjectionRow]:
    """Recovery of injected signals, nuisances at the centre of their priors.

    Parameters
    ----------
    analysis : Analysis
        World, priors and data; neither coupling nor mass may be bound.
    m_a_eV : float
        Mass [eV].
    g_GeV : array, shape (k,), optional
        Injected couplings [GeV^-1]; default zero and the expected limit.
    toys : int
        Simulated data sets for each.
    seed : int
        Seed.
    report : callable, optional
        Called with (step, fraction done).

    Returns
    -------
    list of InjectionRow
        One per coupling.

    Raises
    ------
    ConfigurationError
        If the number of toys is below 1, or coupling or mass are bound.

    References
    ----------
    Barndorff-Nielsen 1986, Biometrika 73, 307 (signed likelihood root).
    """
    if toys < 1:
        raise ConfigurationError(f"toys = {toys}: expected at least 1")
    data = at_mass(analysis.data, m_a_eV)
    vectors, centre = vectors_of(data), centre_responses(data)
    median = float(asimov_limits(data)[1])
    truths = [0.0, median]
    if g_GeV is not None:
        truths = [strength_of(g_GeV, k, median) for k in range(len(g_GeV))]
    rows = []
    for number, u in enumerate(truths):
        added = [
            p.data + (u * abs(u) ** (n - 1)) * r
            for n, p, r in zip(data.orders, data.points, centre, strict=True)
        ]
        one = CouplingMoments(*(jnp.reshape(x, 1) for x in vectors.moments(centre, added)))
        fit = fixed_toys(data, u, toys, seed=seed, number=number)
        rows.append(
            InjectionRow(
                m_a_eV=float(m_a_eV),
                u=u,
                observed=fit_coupling(one, u, median),
                coverage=coverage(fit),
                pulls=pull_summary(fit),
                u_hat=np.quantile(fit.a_hat, _QUANTILES),
                u_95=np.quantile(fit.a_95, _QUANTILES),
                ts=float(np.median(fit.ts)),
            )
        )
        if report is not None:
            report("injections", (number + 1) / len(truths))
    return rows
