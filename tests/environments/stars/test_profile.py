"""Volumes of shells, and profiles from files."""

import numpy as np
import pytest

from diffaxion import constants as c
from diffaxion.data import read_profile
from diffaxion.data.mesa import MesaProfile
from diffaxion.environments.stars import profile_from_mesa, shell_volumes
from diffaxion.errors import ConfigurationError, DiffaxionWarning

HISTORY_ROWS = {"wnh": 45, "he_ignition": 175, "wc": 267}


def test_exact_shells_fill_the_sphere():
    radius = np.array([3.0, 2.0, 0.5])
    assert shell_volumes(radius).sum() == pytest.approx(4 / 3 * np.pi * 27)
    thin = shell_volumes(radius, "thin")
    np.testing.assert_allclose(thin, 4 * np.pi * np.array([9.0, 4 * 1.5, 0.125]))
    given = shell_volumes(radius, "thin", dr_cm=np.array([0.1, 0.1, 0.1]))
    np.testing.assert_allclose(given, 0.4 * np.pi * radius**2)
    mass = shell_volumes(radius, dm_g=np.array([2.0, 4.0, 6.0]), density_g_cm3=np.full(3, 2.0))
    np.testing.assert_allclose(mass, [1.0, 2.0, 3.0])
    with pytest.raises(ConfigurationError, match="exact, thin"):
        shell_volumes(radius, "thick")


@pytest.mark.filterwarnings("ignore::diffaxion.errors.DiffaxionWarning")
@pytest.mark.parametrize("event", HISTORY_ROWS)
def test_exact_shells_carry_the_mass_of_the_star(shared, event):
    from tests.conftest import read_csv

    mesa = read_profile(shared / f"data/ssc/mesa_profile_{event}.csv")
    history = read_csv(shared / "data/ssc/mesa_history.csv")
    star = profile_from_mesa(mesa)
    found = float(star.mass_Msun) * c.M_SUN_G / c.M_SUN_MESA_G
    assert found == pytest.approx(history["Mass_Solar"][HISTORY_ROWS[event]], rel=1e-4)
    thin = profile_from_mesa(mesa, "thin")
    assert 1.008 < float(thin.mass_Msun / star.mass_Msun) < 1.016


def test_missing_isotopes_are_announced(shared):
    mesa = read_profile(shared / "data/ssc/mesa_profile_wnh.csv")
    with pytest.warns(DiffaxionWarning, match="zone .* sum to 0.9722"):
        plain = profile_from_mesa(mesa)
    filled = profile_from_mesa(mesa, remainder_zeta=4.0)
    gain = float(filled.zeta[-1] - plain.zeta[-1])
    assert gain == pytest.approx(4 * (1 - 0.97221), rel=1e-2)


def test_lumped_metals_need_their_weight():
    ones = np.ones(20)
    mesa = MesaProfile(
        "p.data",
        np.linspace(2e10, 1e9, 20),
        1e7 * ones,
        ones,
        {"h1": 0.7 * ones, "he4": 0.28 * ones},
        lumped_metals=True,
    )
    with pytest.raises(ConfigurationError, match="add_abundances"):
        profile_from_mesa(mesa)
    star = profile_from_mesa(mesa, zeta_metals=4.0)
    np.testing.assert_allclose(star.zeta, 1.4 + 0.42 + 0.08)
