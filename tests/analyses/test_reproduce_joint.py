"""The joint inference beside its halves, and the numbers of the statistics."""

import numpy as np
import pytest

from diffaxion.analyses import CouplingMoments
from diffaxion.analyses import reproduce_joint as study
from diffaxion.analyses import reproduce_statistics as statistics


def test_statistics_agree():
    """Released bands, significances, PTE: stored numbers."""
    rows = {r.quantity: r for r in statistics.statistics_rows()}
    assert len(rows) == 6
    assert all(r.agrees for r in rows.values()), [r for r in rows.values() if not r.agrees]
    assert rows["Quintuplet: significance"].ours == pytest.approx(0.3008, abs=1e-4)
    assert rows["PTE of the bandpowers"].ours == pytest.approx(0.6034, abs=1e-4)


def test_prior_dependence_agrees():
    rows = statistics.prior_rows()
    assert len(rows) == 7
    assert all(r.agrees for r in rows), [r for r in rows if not r.agrees]


def test_limits_by_prior_scale_with_the_error():
    """Exact powers of the error, on grids of their own."""
    zero = np.zeros(())
    one = statistics.limits_by_prior(CouplingMoments(zero, zero, zero, np.array(1.0)))
    far = statistics.limits_by_prior(CouplingMoments(zero, zero, zero, np.array(1e-2)))
    assert far["uniform_g"] == pytest.approx(10.0**0.5 * one["uniform_g"], rel=1e-9)


def made_up(shift):
    """Draws whose 95 % quantile at mass m is (1 + shift) g95(m); half-normal in g^2."""
    rng = np.random.default_rng(3)
    grid = np.geomspace(1e-13, 1e-11, 30)
    limit = 2e-12 * (grid / 1e-12) ** 0.4
    # Heavier weight at light masses: the identity does not depend on it.
    m = 1e-13 * 100.0 ** rng.beta(1.0, 2.0, 8000)
    t = np.sqrt(np.abs(rng.normal(size=m.size)) / 1.959964)
    return m, (1.0 + shift) * t * 2e-12 * (m / 1e-12) ** 0.4, grid, limit


def test_draws_against_the_grid():
    rows = statistics.grid_rows(*made_up(0.0))
    assert len(rows) == 7
    assert all(r.agrees for r in rows)


def test_a_posterior_that_is_too_wide_is_seen():
    rows = statistics.grid_rows(*made_up(0.15))
    assert sum(not r.agrees for r in rows) >= 4


def test_masses_without_a_limit_are_left_out():
    m, g, grid, limit = made_up(0.0)
    limit[:10] = np.nan
    rows = statistics.grid_rows(m, g, grid, limit)
    assert rows[-1].note == f"{np.sum((m >= grid[10]) & (m <= grid[-1]))} draws"


def halves(information, information_u):
    """Halves made of numbers; their models are not called."""
    mass = np.geomspace(1e-13, 1e-11, len(information))
    none = np.zeros(len(information))
    moments = CouplingMoments(none, np.array(information), none, np.array(information_u))
    return study.Halves(None, None, None, mass, moments)


def test_expected_limits_of_halves_and_both():
    """X rays alone (z/I_2^1/2)^1/4, CMB alone (z/I_1^1/2)^1/2; equal halves gain 12.8 % in g."""
    z2 = 2.71
    found = study.expected_couplings(halves([z2, z2, z2], [0.0, z2, 1e4 * z2]))
    np.testing.assert_allclose(found["xray"], 1e-12, rtol=1e-12)
    np.testing.assert_allclose(found["cmb"][1:], [1e-12, 1e-13], rtol=1e-12)
    assert np.isinf(found["cmb"][0])
    gain = np.minimum(found["xray"], found["cmb"]) / found["joint"]
    np.testing.assert_allclose(gain, [1.0, 1.1278386, 1.0], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_half_and_both():
    """Every number that the command prints, from the direct models."""
    found = study.load_halves()
    rows = study.xray_rows(found) + study.cmb_rows(found) + study.together_rows(found)
    assert [r.quantity for r in rows if not r.agrees] == []
    by_name = {r.quantity: r.ours for r in rows}
    for name, value in (("Quintuplet", 4.223), ("Westerlund 1", 4.752), ("Joint", 4.065)):
        assert by_name[f"{name}: 95 % limit [1e-12 GeV^-1]"] == pytest.approx(value, rel=1e-3)
    assert int(np.sum(found.published_cmb)) > 80
    assert all(r.agrees for r in study.anchored_rows(found))
