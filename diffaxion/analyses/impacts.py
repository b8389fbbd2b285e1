"""Which nuisance parameters matter: the derivative of the limit times the posterior width.

At fixed nuisances the observed limit is a root of a polynomial (X rays S_2, I_2; CMB S_1, I_1),

    S_2 u^2 - I_2 u^4/2 + S_1 u - I_1 u^2/2 = max_(u >= 0) - z^2/2,

so that d ln g_95/d zeta_k needs the four moments at two points only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..inference.limits import Q_95
from ..parameters.units import unit_of
from .analysis import MASS, STRENGTH, AnalysisData
from .joint_model import Recipe
from .joint_posterior import PosteriorRun
from .moments import CouplingMoments, moments_at_masses
from .profile_nuisances import expected_strength

IMPACT_MIN = 1e-4
"""Impact below which a nuisance does not count as one that matters."""

_STEP = 0.05


class ImpactRow(NamedTuple):
    """What one nuisance does to the limit.

    Attributes
    ----------
    path, unit : str
        Parameter and its unit.
    d_ln_g : float
        d ln g_95/d zeta at the posterior mean, zeta its standard normal.
    width : float
        Posterior standard deviation of zeta; 1 where the data say nothing.
    impact : float
        |d_ln_g| width.
    m_a_eV : float
        Mass [eV].
    """

    path: str
    unit: str
    d_ln_g: float
    width: float
    impact: float
    m_a_eV: float


def limit_at_fixed_nuisances(moments: CouplingMoments, q_threshold: float = Q_95) -> np.ndarray:
    """Observed upper limit on u >= 0 where the nuisances are known.

    Parameters
    ----------
    moments : CouplingMoments
        Fields of shape (d,).
    q_threshold : float
        z^2.

    Returns
    -------
    array, shape (d,)
        Largest u with ln L(u) = max - z^2/2; infinite where the data have no information.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    rows = np.stack(np.broadcast_arrays(*(np.asarray(x, float) for x in moments[:4])), axis=-1)
    # In units of the expected limit all coefficients are of order one.
    scale = np.asarray(expected_strength(CouplingMoments(*rows.T), 1, q_threshold))
    found = np.full(len(rows), np.inf)
    for k, ((s_a, i_a, s_u, i_u), unit) in enumerate(zip(rows, scale)):
        if i_a + i_u <= 0.0:
            continue
        square = (s_a - 0.5 * i_u) * unit**2
        log_like = np.array([-0.5 * i_a * unit**4, 0.0, square, s_u * unit, 0.0])
        turning = _real(np.roots(np.polyder(log_like)))
        tops = np.append(turning[turning > 0.0], 0.0)
        log_like[-1] = 0.5 * q_threshold - np.polyval(log_like, tops).max()
        found[k] = unit * _real(np.roots(log_like)).max()
    return found


def _real(roots: np.ndarray) -> np.ndarray:
    return roots.real[abs(roots.imag) <= 1e-6 * (1.0 + abs(roots.real))]


def nuisance_impacts(
    data: AnalysisData,
    mean: np.ndarray,
    width: np.ndarray,
    m_a_eV: float,
    q_threshold: float = Q_95,
) -> list[ImpactRow]:
    """Derivative of ln g_95 with each nuisance, the others fixed, times its width.

    Parameters
    ----------
    data : AnalysisData
        World, priors and data; the mass must not be bound.
    mean, width : array, shape (k,)
        Posterior means and standard deviations of the standard normals, in the order of
        ``data.bindings.names``.
    m_a_eV : float
        The mass [eV].
    q_threshold : float
        z^2.

    Returns
    -------
    list of ImpactRow
        One per nuisance; coupling and mass are left out.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727; central differences of step 0.05.
    """
    names = data.bindings.names
    chosen = [k for k, n in enumerate(names) if n not in (STRENGTH, MASS)]
    steps = _STEP * np.eye(len(names))[chosen]
    points = np.asarray(mean, float) + np.concatenate([steps, -steps])
    moments = moments_at_masses(data, points, np.full(len(points), m_a_eV))
    up, down = np.split(np.log(limit_at_fixed_nuisances(moments, q_threshold)), 2)
    # g is the root of u; without sensitivity there is no limit, and nothing moves it.
    known = np.isfinite(up) & np.isfinite(down)
    slope = np.where(known, np.where(known, up, 0.0) - np.where(known, down, 0.0), 0.0)
    slope /= 4.0 * _STEP
    return [
        ImpactRow(
            names[k],
            unit_of(names[k]),
            float(d),
            float(width[k]),
            float(abs(d) * width[k]),
            float(m_a_eV),
        )
        for k, d in zip(chosen, slope)
    ]


def run_impacts(recipe: Recipe, run: PosteriorRun, m_a_eV: Sequence[float]) -> list[ImpactRow]:
    """Impacts of all nuisances at some masses, around the mean of a posterior.

    Parameters
    ----------
    recipe : Recipe
        World, models and data.
    run : PosteriorRun
        Gives means and widths of the nuisances.
    m_a_eV : sequence of float
        Masses [eV]; each half should constrain at one of them.

    Returns
    -------
    list of ImpactRow
        By mass, then in the order of the configuration.

    References
    ----------
    As :func:`nuisance_impacts`.
    """
    threshold = recipe.configuration.coupling.q_threshold or Q_95
    data, draws = recipe.plain.data, run.posterior.draws
    z = [draws[f"{n}_std"] for n in data.bindings.names]
    mean, width = (np.array([f(x) for x in z]) for f in (np.mean, np.std))
    rows: list[ImpactRow] = []
    for mass in m_a_eV:
        rows += nuisance_impacts(data, mean, width, float(mass), threshold)
    return rows
