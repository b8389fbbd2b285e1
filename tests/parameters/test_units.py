"""Units and labels from the names of leaves."""

import pytest

from diffaxion.parameters.units import latex_label, unit_of


@pytest.mark.parametrize(
    ("path", "unit", "label"),
    [
        ("galaxy.field.b_arm_muG[3]", "muG", r"field $b_\mathrm{arm}[3]$ [$\mu\mathrm{G}$]"),
        ("cosmology.n_s", "", "cosmology $n_s$"),
        ("cosmology.a_s", "", "cosmology $A_s$"),
        ("halos.hod.alpha_s", "", r"hod $\alpha_s$"),
        ("clusters.big_one.distance_kpc", "kpc", r"big one $d$ [$\mathrm{kpc}$]"),
        (
            "cosmology.h0_km_s_Mpc",
            "km/s/Mpc",
            r"cosmology $H_0$ [$\mathrm{km\,s^{-1}\,Mpc^{-1}}$]",
        ),
    ],
)
def test_unit_and_label(path, unit, label):
    """The index s of a name is no second, and symbols keep their indices."""
    assert unit_of(path) == unit
    assert latex_label(path) == label
