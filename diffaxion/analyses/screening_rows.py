"""Rows of the screening reproduction: our numbers beside independent ones, with tolerances."""

from __future__ import annotations

import numpy as np

from ..likelihoods.recast import SHAPE_MATCH_MIN
from . import screening_reference as reference
from .reproduce_screening import ScreeningStudy
from .reproduce_xray import Row
from .screening_breakdown import pick
from .screening_run import RECAST_DEPROJECTION, toy_covariance
from .screening_study import study_windows
from .screening_variants import reference_derivatives

# Below, the curve is so steep that the ratio depends on the exact mass.
_RATIO_RANGE_EV = (2.2275e-13, 2.3e-12)


def variant_rows(study: ScreeningStudy) -> list[Row]:
    """g95(variant)/g95(default) beside the reference.

    Parameters
    ----------
    study : ScreeningStudy
        Our numbers.

    Returns
    -------
    list of Row
        Ratios, dimensionless, shape ().

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Figs. S11 to S15 (variants).
    """
    rows = []
    for name, values in reference.VARIANT_LIMITS.items():
        ratio = study.expected_GeV[name] / study.expected_GeV["default"]
        for mass, value in zip(reference.VARIANT_MASSES_EV, values, strict=True):
            rows.append(Row(f"{name}, {mass:.3g} eV", float(ratio[study.at(mass)]), value, 0.02))
    return rows


def hod_rows(study: ScreeningStudy) -> list[Row]:
    """C_l ratios of the occupation, middle of the range over two masses.

    Parameters
    ----------
    study : ScreeningStudy
        Our numbers.

    Returns
    -------
    list of Row
        Ratios, dimensionless, shape (); tolerance 0.01, rounding included.

    References
    ----------
    Kusiak et al. 2022, arXiv:2203.12583 (K22).
    """
    rows = []
    for name, ranges in reference.HOD_RATIOS.items():
        ours = study.hod_ratios[name]
        for k, (l, (low, high)) in enumerate(zip(reference.HOD_ELL, ranges, strict=True)):
            ends = (
                (("smaller", low, ours[:, k].min()), ("larger", high, ours[:, k].max()))
                if low != high
                else (("mean", low, ours[:, k].mean()),)
            )
            rows += [
                Row(f"{name}: C ratio at l = {l:g}, {which}", float(x), value, 0.01, "absolute")
                for which, value, x in ends
            ]
    return rows


def spectrum_rows(study: ScreeningStudy) -> list[Row]:
    """One-halo shares, C^gg and C^TT beside the reference.

    Parameters
    ----------
    study : ScreeningStudy
        Our numbers.

    Returns
    -------
    list of Row
        Shares [percent], C_l [sr] and [uK^2], shape ().

    References
    ----------
    ``screening_reference``.
    """
    columns = pick(study.ell, np.asarray(reference.HOD_ELL))
    rows = []
    for l, j, (low, high) in zip(
        reference.HOD_ELL, columns, reference.ONE_HALO_PERCENT, strict=True
    ):
        rows.append(
            Row(
                f"one-halo share of C^Tg, 3.11e-13 eV, l = {l:g} [%]",
                100.0 * float(study.one_halo[j]),
                0.5 * (low + high),
                0.5 * (high - low) + 0.5,
                "absolute",
                f"reference {low:g} to {high:g} over masses",
            )
        )
    for l, j, values in zip(reference.HOD_ELL, columns, reference.GALAXY_SPECTRA, strict=True):
        for which, ours, value in zip(("1h", "2h"), study.gg, values, strict=True):
            rows.append(
                Row(f"C^gg {which}, parity with r = 1, l = {l:g} [sr]", float(ours[j]), value, 1e-4)
            )
    for l, values in reference.TEMPERATURE_SPECTRA.items():
        j = pick(study.ell, np.array([l]))[0]
        for which, ours, value in zip(("1h", "2h"), study.tt, values, strict=True):
            # u = 100 at g = 1e-11 GeV^-1.
            rows.append(
                Row(
                    f"C^TT {which}, default, 3e-13 eV, g = 1e-11, l = {l:g} [uK^2]",
                    1e4 * float(ours[j]),
                    value,
                    0.03,
                )
            )
    return rows


def cumulative_rows(study: ScreeningStudy) -> list[Row]:
    """Shares of C^Tg below a redshift and below a mass, at 3e-13 eV.

    Parameters
    ----------
    study : ScreeningStudy
        Our numbers.

    Returns
    -------
    list of Row
        Shares, dimensionless, shape ().

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. S14.
    """
    rows = []
    columns = pick(study.ell, np.asarray(reference.CUMULATIVE_ELL))
    axes = (
        ("z <", 1.0, study.z_nodes, study.z_edges, study.by_redshift, reference.CUMULATIVE_Z),
        (
            "log10(Mvir/Msun) <",
            np.log(10.0),
            np.log(study.mass_nodes_Msun),
            np.log(study.mass_edges_Msun),
            study.by_mass,
            {np.log(m): v for m, v in reference.CUMULATIVE_MASS_MSUN.items()},
        ),
    )
    for name, unit, nodes, edges, shares, table in axes:
        for edge, values in table.items():
            for l, j, value in zip(reference.CUMULATIVE_ELL, columns, values, strict=True):
                share = shares["default"][:, j]
                # The reference reads the sum over whole cells at the node of the last of them.
                running = float(np.interp(edge, nodes, share))
                exact = float(np.interp(edge, edges, share))
                label = f"{name} {edge / unit:.3g}, l = {l:g}"
                note = f"cells cut at the edge: {exact:.3f}"
                rows.append(Row(f"running sum to {label}", running, value, 0.01, "absolute", note))
    return rows


def recast_rows(study: ScreeningStudy) -> list[Row]:
    """R of the recast around ``parity``.

    Parameters
    ----------
    study : ScreeningStudy
        Our numbers.

    Returns
    -------
    list of Row
        R of ``parity`` at its worst mass and of ``default``, dimensionless, shape ().

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Fig. 3.
    """
    parity = study.recast_ratio["parity"]
    matrix, weight = (
        np.asarray(study_windows().matrix),
        1.0 / np.diag(toy_covariance(RECAST_DEPROJECTION)),
    )
    rows = []
    for mass, value in reference.RECAST_RATIO.items():
        k = study.at(mass)
        match = study.recast_match["default"][k]
        note = f"R/R_norm = {match:.3f}" if match < SHAPE_MATCH_MIN else ""
        ours, fiducial = (matrix @ study.spectra[n][k] for n in ("default", "parity"))
        ratio = float(np.sum(weight * ours * fiducial) / np.sum(weight * fiducial**2))
        rows.append(Row(f"R(default), {mass:.3g} eV", ratio, value, 0.01, "absolute", note))
    for low, where in ((_RATIO_RANGE_EV[0], "above"), (0.0, "and also below")):
        kept = np.flatnonzero(study.m_a_eV >= low)
        worst = kept[np.argmax(np.abs(parity[kept] - 1.0))]
        rows.append(
            Row(
                f"R(parity) {where} 2.23e-13 eV, worst, {study.m_a_eV[worst]:.3g} eV",
                float(parity[worst]),
                np.nan,
                0.0,
                note="1 at the masses of the table, not smooth between them",
            )
        )
    return rows


def forecast_rows(study: ScreeningStudy) -> list[Row]:
    """Lowest expected limits and their ratio to the published curve, by deprojection.

    Parameters
    ----------
    study : ScreeningStudy
        Our numbers.

    Returns
    -------
    list of Row
        g95 [1e-12 GeV^-1] and ratios, shape ().

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (curve); the noise is a toy.
    """
    rows = []
    inside = (study.m_a_eV >= _RATIO_RANGE_EV[0]) & (study.m_a_eV <= _RATIO_RANGE_EV[1])
    for name, (lowest, low, high) in reference.FORECAST.items():
        limit = study.forecast_GeV[name]
        ratio = (limit / study.published_GeV)[inside]
        label = (
            f"expected, {name} deprojected" if name != "none" else "expected, nothing deprojected"
        )
        rows += [
            Row(
                f"{label}: lowest g95 [1e-12 GeV^-1]",
                1e12 * float(limit.min()),
                1e12 * lowest,
                0.01,
            ),
            Row(
                f"{label}: smallest ratio to the published limit",
                float(ratio.min()),
                low,
                0.02,
            ),
            Row(
                f"{label}: largest ratio to the published limit",
                float(ratio.max()),
                high,
                0.02,
            ),
        ]
    return rows


def derivative_rows(study: ScreeningStudy) -> list[Row]:
    """d ln C/d theta by automatic differentiation beside independent finite differences.

    Parameters
    ----------
    study : ScreeningStudy
        Our numbers.

    Returns
    -------
    list of Row
        Derivatives, dimensionless, shape (); tolerance 1 % + 0.03.

    References
    ----------
    ``screening_reference``.
    """
    masses = list(reference.MASS_DERIVATIVES)
    rows = []
    for name, ours in study.derivatives.items():
        for mass, values in reference_derivatives(name).items():
            for j, (l, value) in enumerate(zip(reference.DERIVATIVE_ELL, values, strict=True)):
                rows.append(
                    Row(
                        f"d ln C/d {name}, {mass:.4g} eV, l = {l:g}",
                        float(ours[masses.index(mass), j]),
                        value,
                        0.03 + 0.01 * abs(value),
                        "absolute",
                    )
                )
    return rows
