"""Numbers of the statistics: released bands, significances, priors, posterior against grid."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.stats import chi2

from ..constants import G_REF_GEV
from ..data.registry import load_table
from ..inference.limits import Q_95, Q_95_ROUNDED
from .marginal import marginal_limits
from .moments import CouplingMoments, expected_strength
from .reproduce_xray import Row, flux_point_rows

# Copies of one point of the nuisances: limits by quadrature want many draws.
_COPIES = 500
_U_MAX, _NODES = 1600.0, 1500
# The paper prints a PTE of 0.61 for chi^2 = 9.2 and 11 bins.
_PTE_MIDDLE, _PTE_HALF = 0.605, 0.005
# Limits of the grid rest on 2048 points of the priors of nuisances, good to 1 % in g.
_GRID_ERROR = 0.01
_BINS = 6


def statistics_rows() -> list[Row]:
    """Numbers of the data releases that the statistics must reproduce.

    Returns
    -------
    list of Row
        Band ratios, significances and a PTE, dimensionless, shape ().

    References
    ----------
    Data release of arXiv:2008.03305; arXiv:2409.10514, text (chi^2 = 9.2, PTE 0.61).
    """
    table = load_table("nustar_published_limits")
    z = np.sqrt(Q_95_ROUNDED)
    rows = []
    for key, n in (("onedn", -1), ("oneup", 1), ("twoup", 2)):
        ratios = np.concatenate(
            [table[f"{key}_{c}"] / table[f"median_{c}"] for c in ("quint", "wd1", "arches")]
        )
        ratios = ratios[np.isfinite(ratios)]
        ours = float(((z + n) / z) ** 0.25)
        worst = float(ratios[np.argmax(np.abs(ratios - ours))])
        label = f"band {n:+d} sigma over median, worst of {ratios.size} released"
        rows.append(Row(label, ours, worst, 1e-3, "absolute"))
    found = {r.quantity: r for r in flux_point_rows()}
    for label, paper in (("Quintuplet", 0.30), ("Westerlund 1", 0.0)):
        ours = found[f"{label}: significance (clipped at 0)"].ours
        rows.append(Row(f"{label}: significance", ours, paper, 0.01, "absolute"))
    pte = float(chi2.sf(9.2, 11))
    note = "chi^2 = 9.2, 11 bins; the paper prints 0.61"
    rows.append(Row("PTE of the bandpowers", pte, _PTE_MIDDLE, _PTE_HALF, "absolute", note))
    return rows


def limits_by_prior(moments: CouplingMoments) -> dict[str, float]:
    """Bayesian limits under each prior at one point of the nuisances.

    Parameters
    ----------
    moments : CouplingMoments
        Scalars.

    Returns
    -------
    dict of str to float
        Limit on g/1e-12 GeV^-1 by the name of the prior.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (prior uniform in g).
    """
    # The range of the quadrature follows the limit, so that its nodes resolve it.
    scale = float(expected_strength(moments, 1))
    if not scale > 0.0:
        return {}
    copies = CouplingMoments(*(np.full(_COPIES, float(x)) for x in moments))
    rows = marginal_limits(copies, min(16.0 * scale, _U_MAX), prior_draws=True, nodes=_NODES)
    return {r.prior: r.g_95_GeV / G_REF_GEV for r in rows}


def prior_rows() -> list[Row]:
    """How the limit at zero signal depends on the prior of the coupling, for one probe.

    Returns
    -------
    list of Row
        CMB: g95 in units of sigma_u^(1/2); X rays: of sigma_a^(1/4), shape ().

    References
    ----------
    Closed forms: incomplete gamma functions at order 1/4 n of the likelihood exp(-g^n/2).
    """
    rows = []
    expected = {
        "CMB": ({"uniform_g": 1.247, "uniform_g2": 1.400}, 1.283),
        "X rays": ({"uniform_g": 1.045, "uniform_g2": 1.117, "uniform_g4": 1.183}, 1.132),
    }
    for name, moments in (
        ("CMB", CouplingMoments(np.zeros(()), np.zeros(()), np.zeros(()), np.ones(()))),
        ("X rays", CouplingMoments(np.zeros(()), np.ones(()), np.zeros(()), np.zeros(()))),
    ):
        ours = limits_by_prior(moments)
        priors, profile = expected[name]
        rows += [Row(f"{name}, prior {p}", ours[p], v, 1e-3, "absolute") for p, v in priors.items()]
        u = float(expected_strength(moments, 1, Q_95))
        rows.append(Row(f"{name}, q = z^2", float(np.sqrt(u)), profile, 1e-3, "absolute"))
    return rows


def grid_rows(
    m_a_eV: np.ndarray,
    g_GeV: np.ndarray,
    grid_eV: np.ndarray,
    limit_GeV: np.ndarray,
    bins: int = _BINS,
) -> list[Row]:
    """The posterior with the mass sampled against Bayesian limits at fixed masses.

    At every mass 95 % of the conditional posterior lies below the limit of that mass, whatever the
    weight of the mass: in each bin 95 % of the draws have t = g/g95(m) < 1.

    Parameters
    ----------
    m_a_eV, g_GeV : array, shape (d,)
        Draws of mass [eV] and coupling [GeV^-1], prior uniform in g >= 0.
    grid_eV, limit_GeV : array, shape (n,)
        Masses of the grid [eV] and limits with the same prior [GeV^-1]; NaN where there is none.
    bins : int
        Number of bins, of equal width in ln m.

    Returns
    -------
    list of Row
        Shares of t < 1 by bin and of all; three binomial errors are tolerated, and what 1 % in
        the limits of the grid makes of them.

    References
    ----------
    None: an identity of conditional probabilities.
    """
    good = np.isfinite(limit_GeV)
    x, at = np.log(grid_eV[good]), np.log(m_a_eV)
    inside = (at >= x[0]) & (at <= x[-1])
    at, g = at[inside], g_GeV[inside]
    t = g / np.exp(np.interp(at, x, np.log(limit_GeV[good])))
    near = 0.1
    density = float(np.mean(np.abs(t - 1.0) < near) / (2.0 * near))

    def row(name: str, chosen: np.ndarray) -> Row:
        error = 3.0 * np.sqrt(0.95 * 0.05 / chosen.size) + density * _GRID_ERROR
        share = float(np.mean(chosen < 1.0))
        return Row(name, share, 0.95, float(error), "absolute", f"{chosen.size} draws")

    rows = []
    edges = np.linspace(x[0], x[-1], bins + 1)
    for low, high in itertools.pairwise(edges):
        chosen = t[(at >= low) & (at < high)]
        if chosen.size:
            name = f"share below g95(m), {np.exp(low):.3g} to {np.exp(high):.3g} eV"
            rows.append(row(name, chosen))
    rows.append(row("share of all draws below the limit at their mass", t))
    return rows
