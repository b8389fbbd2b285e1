"""Isotope names and the weights that follow from them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffaxion.data.isotopes import is_isotope, parse_isotope
from diffaxion.environments.stars import Composition, make_composition, parse_composition
from diffaxion.errors import ConfigurationError, DataError, DiffaxionWarning


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("h1", (1, 1)),
        ("He4", (2, 4)),
        ("c12", (6, 12)),
        ("Fe56", (26, 56)),
        ("prot", (1, 1)),
        ("neut", (0, 1)),
        ("O", (8, 16)),
        (" ne22 ", (10, 22)),
    ],
)
def test_isotopes(name, pair):
    assert parse_isotope(name) == pair


@pytest.mark.parametrize("name", ["xx12", "h", "q1", "", "v1", "12", "c3", "he4.0", "u238"])
def test_names_that_are_not_resolved_isotopes(name):
    assert not is_isotope(name)
    if name != "h":
        with pytest.raises(ConfigurationError, match="expected <symbol><mass number>"):
            parse_isotope(name)


@pytest.mark.parametrize(
    ("isotope", "weight"),
    [
        ("h1", 2),
        ("he4", 1.5),
        ("he3", 2),
        ("c12", 3.5),
        ("n14", 4),
        ("o16", 4.5),
        ("ne20", 5.5),
        ("mg24", 6.5),
        ("si28", 7.5),
        ("fe56", 12.5357142857),
        ("neut", 0),
    ],
)
def test_charge_weights(isotope, weight):
    assert float(make_composition({isotope: 1.0}).zeta) == pytest.approx(weight, rel=1e-10)


def test_solar_like_mixture():
    mix = parse_composition("H1=0.7:He4=0.28:C12=0.01")
    assert float(mix.zeta) == pytest.approx(1.4 + 0.42 + 0.035)
    assert float(mix.y_e) == pytest.approx(0.7 + 0.14 + 0.005 + 0.005)
    assert float(1 / mix.mu) == pytest.approx(1.4 + 0.21 + 0.01)
    filled = parse_composition("H1=0.7:He4=0.28:C12=0.01", remainder_zeta=4.0)
    assert float(filled.zeta - mix.zeta) == pytest.approx(0.04)


def test_zones_share_one_composition_object():
    zones = Composition(np.array([[0.7, 0.3], [0.0, 1.0]]), isotopes=("h1", "he4"))
    np.testing.assert_allclose(zones.zeta, [1.85, 1.5])
    np.testing.assert_allclose(zones.mu, [1 / 1.625, 4 / 3])


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3).filter(lambda x: sum(x) > 0.1))
def test_charge_weight_lies_between_those_of_the_isotopes(raw):
    total = sum(raw)
    fractions = dict(zip(("h1", "he4", "o16"), (x / total for x in raw), strict=True))
    assert 1.5 - 1e-9 <= float(make_composition(fractions).zeta) <= 4.5 + 1e-9


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("H1=0.8:He4=0.3", "sum to 1.1000"),
        ("H1=-0.1:He4=1.0", "negative"),
        ("H1=nan", "finite"),
    ],
)
def test_impossible_fractions(text, problem):
    with pytest.raises(DataError, match=problem):
        parse_composition(text)


@pytest.mark.parametrize("text", ["H1", "H1=", "H1=0.7,He4=0.3", "", "H1=0.5:h1=0.5", "Zz9=1"])
def test_malformed_text(text):
    with pytest.raises(ConfigurationError):
        parse_composition(text)


def test_missing_mass_is_announced():
    with pytest.warns(DiffaxionWarning, match="remainder_zeta"):
        parse_composition("H1=0.7:He4=0.2")
    parse_composition("H1=0.7:He4=0.2", remainder_zeta=0.0)
    with pytest.raises(DataError, match="no isotope"):
        make_composition({})
