"""The screening reproduction: its building blocks on a small grid, its tables in full (slow)."""

from dataclasses import replace

import equinox as eqx
import numpy as np
import pytest

from diffaxion.analyses import screening_reference as reference
from diffaxion.analyses import screening_rows as rows_of
from diffaxion.analyses import screening_section
from diffaxion.analyses.reproduce_screening import (
    cell_edges,
    gain_of_long_range,
    published_limit,
    recast_to,
    run_study,
    study_masses,
)
from diffaxion.analyses.screening_breakdown import STEPS, breakdown_rows, pick
from diffaxion.analyses.screening_profiles import field_curves, gas_curves, simulated_profiles
from diffaxion.analyses.screening_run import toy_covariance
from diffaxion.analyses.screening_study import (
    TABLE_ELL,
    _part_below,
    cumulative_shares,
    expected_limit,
    prepare_study,
    study_multipoles,
    study_windows,
    vary,
)
from diffaxion.analyses.screening_variants import VARIANTS
from diffaxion.data.registry import load_table

MASSES = np.array([3e-13, 1e-12])


def test_the_last_step_is_default():
    chosen = {}
    for _, change in STEPS:
        chosen |= change
    reached = screening_section("parity", **chosen).model_dump() | {"configuration": "default"}
    assert reached == screening_section("default").model_dump()


def test_multipoles_hold_those_of_the_tables():
    ell = study_multipoles()
    assert np.all(np.diff(np.log(ell)) > 0.05)
    assert set(TABLE_ELL) < set(ell)
    assert (ell[0], ell[-1]) == (10.0, 2500.0)


def test_masses_hold_those_of_the_tables():
    masses = study_masses(5)
    assert np.all(np.diff(masses) > 0)
    for wanted in (*reference.REFERENCE_MASSES_EV, *reference.VARIANT_MASSES_EV, 3e-13):
        assert wanted in masses
    assert np.isfinite(published_limit(masses)).all()


def test_published_limit_is_not_extrapolated():
    table = load_table("limits_planck_unwise")
    np.testing.assert_allclose(published_limit(table["m_a_eV"]), table["g_GeV"], rtol=1e-12)
    assert np.isnan(published_limit(np.array([1.7e-13, 2.6e-12]))).all()


def test_expected_limit_of_one_bandpower():
    """One bin of error s and a signal C per unit u: posterior exp(-(u C/s)^2/2), u = G^2."""
    windows = study_windows([300.0], [301.0])
    spectra = np.full((1, study_multipoles().size), -2e-9)
    found = expected_limit(spectra, [4e-17], windows)
    g = np.linspace(0.0, 8.0, 200_001)
    weight = np.exp(-0.5 * (g**2 * 2e-9) ** 2 / 4e-17)
    quantile = np.interp(0.95, np.cumsum(weight) / weight.sum(), g)
    assert found[0] == pytest.approx(quantile * 1e-12, rel=2e-4)
    assert np.isinf(expected_limit(0.0 * spectra, [4e-17], windows))[0]


def test_more_bins_can_only_help():
    ell = study_multipoles()
    spectra = -1e-9 * (ell / 300.0)[None] ** -1.2
    gain = gain_of_long_range(spectra, 1e-7 * (ell / 1000.0) ** -1, ell)
    assert all(0.5 < v[0] < 1.0 for v in gain.values())
    # dbeta makes the map noisy at high l: less is gained.
    assert gain["tsz-cib-dbeta"][0] > gain["tsz-cib"][0]


def test_recast_of_a_scaled_model():
    ell = study_multipoles()
    spectra = -1e-9 * np.ones((1, 1)) * (ell / 300.0) ** -1.2
    once, ratio, match = recast_to(spectra, MASSES[:1])
    twice, double, same = recast_to(2.0 * spectra, MASSES[:1])
    assert double[0] == pytest.approx(2.0 * ratio[0])
    assert twice[0] == pytest.approx(once[0] / np.sqrt(2.0))
    assert same[0] == pytest.approx(match[0])
    assert 0.9 < match[0] <= 1.0


def test_parts_of_cells():
    edges = np.array([0.0, 1.0, 3.0])
    np.testing.assert_allclose(
        _part_below(np.array([-1.0, 0.5, 2.0, 9.0]), edges), [[0, 0], [0.5, 0], [1, 0.5], [1, 1]]
    )


def test_pick_refuses_what_is_not_there():
    assert pick(np.array([1.0, 2.0]), np.array([2.0])).tolist() == [1]
    with pytest.raises(AssertionError):
        pick(np.array([1.0, 2.0]), np.array([2.1]))


@pytest.fixture(scope="module")
def small():
    section = screening_section("default", n_z=6, n_mass=16, mass_range_Msun=(3e10, 2e15))
    return prepare_study(section, np.array([100.0, 1000.0]))


def test_variants_in_numbers_share_the_cache_and_the_static_grid(small):
    for name in ("x_lo = 0.2", "floor 10^12 Msun", "shock-heating gas"):
        other = vary(small, **VARIANTS[name])
        assert other.cache is small.cache
        assert other.model.integration.n_low == small.model.integration.n_low
    assert float(vary(small, x_lo=0.2).model.cuts.x_lo) == 0.2
    # beta = 10 has a field larger by sqrt(10): exactly ten times the signal.
    beta = [vary(small, **VARIANTS[f"beta = {b}"]).curve(MASSES) for b in (100, 10)]
    np.testing.assert_allclose(beta[1], 10.0 * beta[0], rtol=1e-12)


def test_cuts_and_floor_only_remove_signal(small):
    base = small.curve(MASSES)
    assert np.all(base < 0.0)
    for name in ("x_lo = 0.2", "x_hi = 1.0", "floor 10^12 Msun"):
        assert np.all(vary(small, **VARIANTS[name]).curve(MASSES) >= base)


def test_shares_end_at_one_and_add_up(small):
    mass_edges, z_edges = cell_edges(small)
    by_mass, by_redshift = cumulative_shares(small, 3e-13, mass_edges, z_edges)
    for shares in (by_mass, by_redshift):
        assert np.all(np.diff(shares, axis=0) >= 0.0)
        np.testing.assert_allclose(shares[-1], 1.0, rtol=1e-12)
    # The same by removing redshifts from the rule, in another program.
    weight = small.model.integration.z_weight.at[2:].set(0.0)
    model = eqx.tree_at(lambda m: m.integration.z_weight, small.model, weight)
    part, whole = (np.sum(p.terms(3e-13), axis=0) for p in (replace(small, model=model), small))
    np.testing.assert_allclose(by_redshift[1], part / whole, rtol=1e-9)


def test_profiles_of_single_halos():
    profiles = simulated_profiles(0.5)
    assert [p.log10_mass[0] for p in profiles] == list(np.arange(11.0, 15.0, 0.5))
    curves = field_curves([10.0**13.25], 0.5, profiles[4].x)
    # The quintic follows the 11 points to 0.03 dex rms, and both schemes meet at the centre.
    residual = np.log10(curves["piecewise"][:, 0] / profiles[4].b_muG)
    assert np.sqrt(np.mean(residual**2)) < 0.03
    np.testing.assert_allclose(curves["smooth"], curves["piecewise"], rtol=1e-9)
    np.testing.assert_allclose(curves["beta = 10"], np.sqrt(10.0) * curves["beta = 100"])
    gas = gas_curves(1e13, 0.5, np.array([0.1, 1.0]))
    # Feedback pushes gas outwards.
    assert gas["AGN feedback"][0] < gas["shock heating"][0] < gas["NFW"][0]


@pytest.fixture(scope="module")
def study():
    return run_study()


@pytest.mark.slow
def test_default_over_parity(study):
    """T11: 0.3 % absolute, 0.5 % at 2.2275e-13 eV; the table's first ratio of limits does not
    follow from its own spectra (1.08 for 1.054)."""
    rows = breakdown_rows(study.breakdown)
    wrong = [r for r in rows if not r.agrees]
    assert [r.quantity for r in wrong] == ["g95(default)/g95(parity, r = 1), 2.2275e-13 eV"]
    assert wrong[0].ours == pytest.approx(1.054, abs=0.002)


@pytest.mark.slow
def test_steps_multiply_to_the_total(study):
    found = study.breakdown
    product = np.prod(1.0 + found.steps_percent[1:] / 100.0, axis=0)
    np.testing.assert_allclose(100.0 * (product - 1.0), found.total_percent, atol=1e-9)
    # The smooth field dominates; constants and edges are small above 3e-13 eV.
    assert np.all(np.abs(found.steps_percent[1, 1:]) < 1.5)
    assert np.all(np.abs(found.steps_percent[5, 1:]) < 0.2)
    assert np.all(found.steps_percent[4, 1:] < -4.0)


@pytest.mark.slow
def test_robustness_table(study):
    """T19: 2 %."""
    rows = rows_of.variant_rows(study)
    assert len(rows) == 72
    assert [r.quantity for r in rows if not r.agrees] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows", ["hod_rows", "spectrum_rows", "cumulative_rows", "forecast_rows", "derivative_rows"]
)
def test_other_tables(study, rows):
    found = getattr(rows_of, rows)(study)
    assert [r.quantity for r in found if np.isfinite(r.published) and not r.agrees] == []


@pytest.mark.slow
def test_recast_table(study):
    """0.01; at 2.5e-13 eV we find 0.903 for 0.89: parity is not smooth in mass there."""
    rows = rows_of.recast_rows(study)
    wrong = [r for r in rows if np.isfinite(r.published) and not r.agrees]
    assert [r.quantity for r in wrong] == ["R(default), 2.5e-13 eV"]
    assert wrong[0].ours == pytest.approx(wrong[0].published, abs=0.015)


@pytest.mark.slow
def test_published_reach_in_multipoles(study):
    """More multipoles gain 5-15 % with tSZ + CIB noise and 0.5-4 % with dbeta, where the limit is
    flat: the paper's remark fits the latter."""
    flat = (study.m_a_eV >= 2.2275e-13) & (study.m_a_eV <= 2e-12)
    gain = {name: 1.0 - v[flat] for name, v in study.long_gain.items()}
    assert gain["tsz-cib"].min() > 0.04
    assert gain["tsz-cib"].max() < 0.15
    assert gain["tsz-cib-dbeta"].min() > 0.005
    assert gain["tsz-cib-dbeta"].max() < 0.041


@pytest.mark.slow
def test_toy_variances_are_those_of_the_forecast(study):
    limits = expected_limit(
        study.spectra["parity"], np.diag(toy_covariance("tsz")), study_windows()
    )
    np.testing.assert_allclose(limits, study.forecast_GeV["tsz"])
