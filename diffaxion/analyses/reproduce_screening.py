"""The numbers behind ``diffaxion reproduce screening``: Goldstein et al. 2024 beside ours.

Nothing of the measurement is public but the limit curve. Error bars and noise are those of the
bundled toy sky and are called so; forecasts are Asimov expectations, not data.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from ..data.registry import load_table
from ..likelihoods.bandpower_covariance import DEPROJECTIONS, forecast_covariance
from ..observables.cmb.bandpowers import default_bins
from . import screening_reference as reference
from .screening_breakdown import Breakdown, breakdown, breakdown_models, pick
from .screening_limits import recast_responses
from .screening_run import published_recast, toy_covariance
from .screening_study import (
    Prepared,
    cumulative_shares,
    expected_limit,
    study_windows,
    vary,
)
from .screening_variants import (
    hod_ratios,
    log_derivatives,
    variant_models,
)

REFERENCE_MASS_EV = 3e-13
# Temperature spectra reach beyond the galaxies, to this redshift.
Z_MAX_TEMPERATURE = 6.0
# Bins of the variant of Fig. S11 that reaches l = 2401.
_N_BINS_LONG = 14


@dataclass(frozen=True)
class ScreeningStudy:
    """Everything that tables and figures of the reproduction show.

    Attributes
    ----------
    m_a_eV : array, shape (k,)
        Masses [eV].
    ell : array, shape (l,)
        Multipoles.
    spectra : dict of str to array, shape (k, l)
        C_l^Tg per unit u [uK]: ``parity``, ``default`` and the variants of ``default``.
    breakdown : Breakdown
        From ``parity`` to ``default``.
    published_GeV : array, shape (k,)
        The published limit [GeV^-1].
    forecast_GeV : dict of str to array, shape (k,)
        Expected limits of ``parity`` by deprojection (toy noise) [GeV^-1].
    expected_GeV : dict of str to array, shape (k,)
        Expected limits by model, tSZ + CIB deprojected [GeV^-1].
    recast_GeV : dict of str to array, shape (k,)
        The published limit recast to each model [GeV^-1].
    recast_ratio, recast_match : dict of str to array, shape (k,)
        R of the recast and its diagnostic R/R_norm.
    long_gain : dict of str to array, shape (k,)
        g95(l < 2402)/g95(l < 1952) by deprojection.
    hod_ratios : dict of str to array, shape (2, 5)
        C_l over ``default`` at 3e-13 and 1e-12 eV.
    one_halo : array, shape (l,)
        Share of the one-halo term in ``default`` at 3.11e-13 eV.
    gg : tuple of arrays, shape (l,)
        One- and two-halo C_l^gg of ``parity`` with r = 1 [sr].
    tt : tuple of arrays, shape (l,)
        One- and two-halo C_l^TT of ``default`` at 3e-13 eV per u^2 [uK^2].
    tt_beta : array, shape (l,)
        C_l^TT with beta = 100 to ``Z_MAX_TEMPERATURE`` per u^2 [uK^2].
    mass_nodes_Msun, z_nodes : array
        Nodes of the integration.
    mass_edges_Msun, z_edges : array
        Upper edges of their cells: where the shares are computed.
    by_mass, by_redshift : dict of str to array, shape (edges, l)
        C_l(< M)/C_l and C_l(< z)/C_l for ``default`` and ``beta = 100``.
    derivatives : dict of str to array, shape (5, 3)
        Logarithmic derivatives of ``default`` at the masses of the reference.
    """

    m_a_eV: np.ndarray
    ell: np.ndarray
    spectra: dict[str, np.ndarray]
    breakdown: Breakdown
    published_GeV: np.ndarray
    forecast_GeV: dict[str, np.ndarray]
    expected_GeV: dict[str, np.ndarray]
    recast_GeV: dict[str, np.ndarray]
    recast_ratio: dict[str, np.ndarray]
    recast_match: dict[str, np.ndarray]
    long_gain: dict[str, np.ndarray]
    hod_ratios: dict[str, np.ndarray]
    one_halo: np.ndarray
    gg: tuple[np.ndarray, np.ndarray]
    tt: tuple[np.ndarray, np.ndarray]
    tt_beta: np.ndarray
    mass_nodes_Msun: np.ndarray
    z_nodes: np.ndarray
    mass_edges_Msun: np.ndarray
    z_edges: np.ndarray
    by_mass: dict[str, np.ndarray]
    by_redshift: dict[str, np.ndarray]
    derivatives: dict[str, np.ndarray]

    def at(self, m_a_eV: float) -> int:
        """Index of a mass [eV] of the study."""
        return int(pick(self.m_a_eV, np.array([m_a_eV]))[0])


def study_masses(count: int = 56) -> np.ndarray:
    """Masses of the curves, with those of every table among them.

    Parameters
    ----------
    count : int
        Number of masses of the even grid, to which the tables' are added.

    Returns
    -------
    array, shape (k,)
        Masses [eV] inside the published curve.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (range).
    """
    tables = (*reference.REFERENCE_MASSES_EV, *reference.VARIANT_MASSES_EV, REFERENCE_MASS_EV)
    return np.unique(np.concatenate([tables, np.geomspace(1.75e-13, 2.55e-12, count)]))


def published_limit(m_a_eV: np.ndarray) -> np.ndarray:
    """The published limit, ln g linear in ln m, not extrapolated.

    Parameters
    ----------
    m_a_eV : array, shape (k,)
        Masses [eV].

    Returns
    -------
    array, shape (k,)
        95 % limits [GeV^-1]; NaN outside the curve.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3.
    """
    table = load_table("limits_planck_unwise")
    x, y = np.log(table["m_a_eV"]), np.log(table["g_GeV"])
    return np.exp(np.interp(np.log(m_a_eV), x, y, left=np.nan, right=np.nan))


def forecasts(spectra: np.ndarray) -> dict[str, np.ndarray]:
    """Expected limits for the four deprojections of the toy sky.

    Parameters
    ----------
    spectra : array, shape (k, l)
        C_l^Tg per unit u at the study's multipoles [uK].

    Returns
    -------
    dict of str to array, shape (k,)
        g95 [GeV^-1] by deprojection.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (analysis); the noise is a toy.
    """
    windows = study_windows()
    return {
        name: expected_limit(spectra, np.diag(toy_covariance(name)), windows)
        for name in DEPROJECTIONS
    }


def gain_of_long_range(
    spectra: np.ndarray, galaxies: np.ndarray, ell: np.ndarray
) -> dict[str, np.ndarray]:
    """g95 with fourteen bins (l < 2402) over g95 with eleven (l < 1952).

    Parameters
    ----------
    spectra : array, shape (k, l)
        C_l^Tg per unit u [uK].
    galaxies : array, shape (l,)
        C_l^gg without shot noise [sr].
    ell : array, shape (l,)
        Multipoles of both.

    Returns
    -------
    dict of str to array, shape (k,)
        Ratios, dimensionless, by deprojection.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S11 (right).
    """
    low, _ = default_bins()
    edges = low[0] + 150.0 * np.arange(_N_BINS_LONG)
    windows = study_windows(edges, edges + 149.0)
    matrix = np.asarray(windows.matrix)
    found: dict[str, np.ndarray] = {}
    for name in DEPROJECTIONS:
        covariance = forecast_covariance(windows, ell, galaxies, deprojection=name)
        power = (spectra @ matrix.T) ** 2 / np.diag(np.asarray(covariance))
        found[name] = (power.sum(axis=1) / power[:, : low.size].sum(axis=1)) ** -0.25
    return found


def recast_to(spectra: np.ndarray, m_a_eV: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The published limit recast to a model, g95_published/sqrt(R).

    Parameters
    ----------
    spectra : array, shape (k, l)
        C_l^Tg of the model per unit u [uK].
    m_a_eV : array, shape (k,)
        Masses inside the published curve [eV].

    Returns
    -------
    limit : array, shape (k,)
        Recast 95 % limits [GeV^-1]; infinite where the model gives no signal.
    ratio, match : array, shape (k,)
        R and R/R_norm.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3.
    """
    bands = spectra @ np.asarray(study_windows().matrix).T
    _, found = recast_responses(published_recast(), jnp.asarray(m_a_eV), jnp.asarray(bands))
    ratio = np.asarray(found.ratio)
    with np.errstate(divide="ignore"):
        limit = published_limit(m_a_eV) / np.sqrt(np.maximum(ratio, 0.0))
    return limit, ratio, np.asarray(found.match)


def run_study(m_a_eV: np.ndarray | None = None) -> ScreeningStudy:
    """All calculations of the reproduction.

    Parameters
    ----------
    m_a_eV : array, shape (k,), optional
        Masses [eV]; default :func:`study_masses`.

    Returns
    -------
    ScreeningStudy
        Spectra, limits and shares.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    masses = study_masses() if m_a_eV is None else m_a_eV
    chain = breakdown_models()
    found, along = breakdown(chain, masses)
    parity_r1, default = chain[1], chain[-1]
    variants = variant_models(default)
    spectra = {"parity": along[0], "default": along[-1]}
    spectra |= {name: model.curve(masses) for name, model in variants.items()}
    del chain
    windows, variance = study_windows(), np.diag(toy_covariance())
    recasts = {
        name: recast_to(spectra[name], masses)
        for name in ("parity", "default", "x_lo = 0.05", "x_lo = 0.2", "x_hi = 1.0", "x_hi = 1.3")
    }
    galaxies = parity_r1.terms(REFERENCE_MASS_EV, "gg")
    one, two = default.terms(reference.REFERENCE_MASSES_EV[1])
    mass_edges, z_edges = cell_edges(default)
    cumulative = {
        name: cumulative_shares(model, REFERENCE_MASS_EV, mass_edges, z_edges)
        for name, model in (("default", default), ("beta = 100", variants["beta = 100"]))
    }
    return ScreeningStudy(
        m_a_eV=masses,
        ell=default.ell,
        spectra=spectra,
        breakdown=found,
        published_GeV=published_limit(masses),
        forecast_GeV=forecasts(spectra["parity"]),
        expected_GeV={k: expected_limit(v, variance, windows) for k, v in spectra.items()},
        recast_GeV={k: v[0] for k, v in recasts.items()},
        recast_ratio={k: v[1] for k, v in recasts.items()},
        recast_match={k: v[2] for k, v in recasts.items()},
        long_gain=gain_of_long_range(spectra["parity"], galaxies[0] + galaxies[1], default.ell),
        hod_ratios=hod_ratios(default, np.array([REFERENCE_MASS_EV, 1e-12])),
        one_halo=one / (one + two),
        gg=galaxies,
        tt=default.terms(REFERENCE_MASS_EV, "TT"),
        tt_beta=temperature_to_high_redshift(default),
        mass_nodes_Msun=np.asarray(default.model.integration.mass_Msun),
        z_nodes=np.asarray(default.model.integration.z),
        mass_edges_Msun=mass_edges,
        z_edges=z_edges,
        by_mass={k: v[0] for k, v in cumulative.items()},
        by_redshift={k: v[1] for k, v in cumulative.items()},
        derivatives=log_derivatives(),
    )


def cell_edges(model: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """Upper edges of the cells of a grid.

    Parameters
    ----------
    model : Prepared
        The model.

    Returns
    -------
    mass_Msun : array, shape (m,)
        Half-way between nodes in ln M [Msun]; the last is the end of the grid.
    z : array, shape (n,)
        Running sums of the weights; the last is the end of the grid.

    References
    ----------
    None: a grid.
    """
    mass = np.log(np.asarray(model.model.integration.mass_Msun))
    edges = np.append(0.5 * (mass[1:] + mass[:-1]), mass[-1])
    z = model.section.z_range[0] + np.cumsum(np.asarray(model.model.integration.z_weight))
    return np.exp(edges), z


def temperature_to_high_redshift(default: Prepared) -> np.ndarray:
    """C_l^TT per u^2 at 3e-13 eV with beta = 100 (no cap), 0.005 < z < 6.

    Simulated fields end at z = 1.5, hence the constant beta. The 48 nodes in z are good to 3 %.

    Parameters
    ----------
    default : Prepared
        ``default``.

    Returns
    -------
    array, shape (l,)
        C_l^TT [uK^2].

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S3.
    """
    # The base's field first: its prepared part has a compiled program already.
    far = vary(default, z_range=(0.005, Z_MAX_TEMPERATURE))
    model = vary(far, field="beta:100", field_mass_cap_Msun=1e30)
    one, two = model.terms(REFERENCE_MASS_EV, "TT")
    return one + two
