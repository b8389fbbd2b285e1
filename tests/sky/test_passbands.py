"""Passbands: Gauss rules against the tables they condense, their options, unusable tables."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.data.passband import read_passband
from diffaxion.errors import ConfigurationError, DataError, ValidityError
from diffaxion.numerics import condensed_rule
from diffaxion.sky import (
    PLANCK_CHANNELS,
    Spectra,
    component_response,
    monochromatic,
    passbands_from_tables,
    planck_channels,
    planck_passbands,
    survey_channels,
    unit_conversion_MJy_sr,
)

NINE = (*PLANCK_CHANNELS, "857")


def planck_tables(shared, names=NINE):
    """The tables of transmission that the bundled rules condense."""
    folder = shared / "data" / "sky" / "passbands"
    return [
        read_passband(folder / f"{'LFI' if int(n) < 100 else 'HFI'}_BANDPASS_F{n}.txt")
        for n in names
    ]


def test_condensed_rule_integrates_polynomials():
    """Degree 2n - 1 exactly, with a few negative weights; the next one is not."""
    rng = np.random.default_rng(1)
    x, w = np.sort(rng.uniform(2.0, 9.0, 400)), rng.uniform(0.0, 1.0, 400)
    w[:5] = -0.01
    nodes, weights = condensed_rule(x, w, 6)
    assert np.all(np.diff(nodes) > 0)
    assert np.all(weights > 0)
    for k in range(12):
        assert weights @ nodes**k == pytest.approx(w @ x**k, rel=1e-11)
    assert abs(weights @ (nodes - 5.5) ** 12 / (w @ (x - 5.5) ** 12) - 1.0) > 1e-6


def test_condensed_rule_of_a_flat_measure_is_gauss_legendre():
    x = (np.arange(20000) + 0.5) / 10000.0 - 1.0
    nodes, weights = condensed_rule(x, np.full(x.size, 1e-4), 5)
    expected, w = np.polynomial.legendre.leggauss(5)
    np.testing.assert_allclose(nodes, expected, atol=1e-7)
    np.testing.assert_allclose(weights, w, rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "w", "n", "words"),
    [
        ([1.0, 2.0], [0.0, 0.0], 1, "sum 0"),
        ([1.0, 2.0], [1.0, np.nan], 1, "sum nan"),
        ([1.0, 2.0, 2.0], [1.0, 1.0, 1.0], 3, "3 nodes for 2 points"),
        ([1.0, 2.0, 3.0, 4.0], [1.0, -5.0, 5.0, 1.0], 3, "negative"),
    ],
)
def test_condensed_rule_refuses(x, w, n, words):
    with pytest.raises(ValidityError, match=words):
        condensed_rule(x, w, n)


def test_bundled_rules_are_made_from_the_tables(shared):
    """To the rounding of eigenvalues: the script and the table belong together."""
    made = passbands_from_tables(planck_tables(shared), NINE)
    bundled = planck_passbands(NINE)
    np.testing.assert_allclose(bundled.nu_GHz, made.nu_GHz, rtol=1e-10)
    np.testing.assert_allclose(bundled.weight, made.weight, rtol=1e-7)
    assert bundled.names == NINE
    np.testing.assert_array_equal(bundled.nominal_GHz, [float(n) for n in NINE])


def test_exponent_of_the_nodes_is_that_of_the_table(shared):
    """nu^-2 on 12 nodes against the rule made with it: 857 GHz, the widest, is the worst (3e-8)."""
    names = ("030", "100", "545", "857")
    exact = passbands_from_tables(planck_tables(shared, names), names, exponent=-2.0)
    quick = planck_passbands(names, lfi_exponent=-2.0, hfi_exponent=-2.0)
    mixed = planck_passbands(names, lfi_exponent=-2.0)
    plain = planck_passbands(names)
    s = Spectra()
    for name in ("screening", "tsz", "cib"):
        values = [np.asarray(component_response(name, b, s)) for b in (exact, quick, mixed, plain)]
        np.testing.assert_allclose(values[1], values[0], rtol=1e-7)
        np.testing.assert_allclose(values[2][0], values[0][0], rtol=1e-7)
        np.testing.assert_array_equal(values[2][1:], values[3][1:])
    change = [
        float(component_response(n, mixed, s)[0] / component_response(n, plain, s)[0]) - 1.0
        for n in ("screening", "cib")
    ]
    assert change == pytest.approx([-0.0101, -0.0159], abs=1e-4)


def test_exponent_changes_the_low_channels_as_stated():
    """s_ax by -1.0, -0.45, -0.65 per cent, CIB by 6, 7, 6 relative to 353 GHz."""
    names, s = ("030", "044", "070", "353"), Spectra()
    both = [planck_passbands(names, lfi_exponent=p, hfi_exponent=p) for p in (-2.0, 0.0)]
    screening = [np.asarray(component_response("screening", b, s)) for b in both]
    cib = [np.asarray(component_response("cib", b, s)) for b in both]
    np.testing.assert_allclose(
        (screening[0] / screening[1])[:3] - 1, [-0.010, -0.0045, -0.0065], atol=1e-4
    )
    ratio = (cib[0] / cib[0][3]) / (cib[1] / cib[1][3])
    np.testing.assert_allclose(ratio[:3] - 1, [0.06, 0.07, 0.06], atol=0.005)


def test_a_low_end_that_diverges_is_refused_and_can_be_cut():
    """A floor of 1e-6 from 0.1 GHz, as in the original tables, overwhelms t nu^-2."""
    nu = np.concatenate([np.arange(0.1, 400.0, 0.1), np.arange(400.0, 701.0, 1.0)])
    t = np.exp(-0.5 * ((nu - 545.0) / 40.0) ** 2) + 1e-6
    args = ([(nu, t)], ("545",))
    with pytest.raises(DataError, match=r"passband 545: .*nu\^-2.*lowest_GHz"):
        passbands_from_tables(*args, exponent=-2.0)
    clean = passbands_from_tables([(nu[1090:], t[1090:] - 1e-6)], ("545",), exponent=-2.0)
    expected = float(unit_conversion_MJy_sr(clean)[0])
    cut = passbands_from_tables(*args, exponent=-2.0, lowest_GHz={"545": 109.0})
    assert float(unit_conversion_MJy_sr(cut)[0]) == pytest.approx(expected, rel=1e-3)
    assert float(cut.nu_GHz.min()) > 109.0


def test_shift_moves_the_band_and_is_differentiable():
    """The slope with respect to a shift equals central differences."""
    bands = planck_passbands(("100", "217"))

    @eqx.filter_jit
    def tsz(delta):
        return component_response("tsz", bands.shift(delta), Spectra())

    zero, step = jnp.zeros(2), jnp.full(2, 1e-3)
    slope = jnp.diagonal(jax.jacfwd(tsz)(zero))
    numeric = (tsz(step) - tsz(-step)) / 2e-3
    np.testing.assert_allclose(slope, numeric, rtol=1e-7)
    np.testing.assert_allclose(
        bands.shift(jnp.array([1.0, -2.0])).nu_GHz - bands.nu_GHz,
        np.array([[1.0], [-2.0]]) * np.ones((1, 12)),
        atol=1e-12,
    )


def test_monochromatic_and_selection():
    bands = monochromatic([30.0, 217.0, 353.0])
    assert bands.names == ("030", "217", "353")
    few = bands.select(("353", "030"))
    assert few.names == ("353", "030")
    np.testing.assert_array_equal(few.nu_GHz, [[353.0], [30.0]])
    assert monochromatic(95.0, ("90c",)).names == ("90c",)
    with pytest.raises(ConfigurationError, match="unknown channel '300'"):
        bands.select(("300",))


def test_tables_of_unequal_length_keep_their_integrals():
    short = (np.array([90.0, 100.0, 110.0]), np.array([0.0, 1.0, 0.0]))
    long = (np.linspace(80.0, 120.0, 9), np.ones(9))
    both = passbands_from_tables([short, long], ("a", "b"), nodes=None, nominal_GHz=[100.0, 95.0])
    alone = passbands_from_tables([short], ("a",), nodes=None, nominal_GHz=100.0)
    assert both.nu_GHz.shape == (2, 9)
    a, b = (float(component_response("tsz", x, Spectra())[0]) for x in (both, alone))
    assert a == pytest.approx(b, rel=1e-14)


def test_planck_facts_agree_with_the_survey():
    """One source of beams: the table of surveys, whose HFI noise is close as well."""
    facts, survey = planck_channels(), survey_channels("planck")
    np.testing.assert_array_equal(facts.freq_GHz, survey.freq_GHz)
    np.testing.assert_array_equal(facts.fwhm_arcmin, survey.fwhm_arcmin)
    np.testing.assert_allclose(facts.white_uK_arcmin[3:], survey.white_uK_arcmin[3:], rtol=0.01)
    assert list(facts.nside) == [1024] * 3 + [2048] * 5
    turned = planck_channels(("545", "030"))
    assert list(turned.instrument) == ["HFI", "LFI"]


@pytest.mark.parametrize(
    ("nu", "t", "options", "words"),
    [
        ([100.0, 90.0], [1.0, 1.0], {}, "increase"),
        ([0.0, 90.0], [1.0, 1.0], {}, "above 0"),
        ([90.0, 100.0], [1.0, np.nan], {}, "finite"),
        ([90.0, 100.0], [0.0, 0.0], {}, "from 0 to 0"),
        ([90.0, 100.0], [1.0, -0.1], {}, "from -0.1 to 1"),
        ([90.0, 100.0], [1.0, 1.0, 1.0], {}, "equal length"),
        ([90.0, 100.0], [1.0, 1.0], {"lowest_GHz": 95.0}, "lowest_GHz = 95"),
    ],
)
def test_bad_tables_are_refused(nu, t, options, words):
    with pytest.raises(DataError, match=words) as caught:
        passbands_from_tables([(nu, t)], ("143",), nodes=None, **options)
    assert "passband 143" in str(caught.value)


def test_bad_names_are_refused():
    table = (np.array([90.0, 100.0]), np.ones(2))
    with pytest.raises(ConfigurationError, match="each once"):
        passbands_from_tables([table, table], ("100", "100"))
    with pytest.raises(ConfigurationError, match="nominal_GHz"):
        passbands_from_tables([table], ("W",), nodes=None)
    with pytest.raises(ConfigurationError, match=r"unknown Planck channel '144'.*'143'"):
        planck_passbands(("144",))
