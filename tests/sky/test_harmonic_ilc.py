"""Harmonic ILC: the toy spectra it must reproduce, limits known in closed form, derivatives."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.errors import ConfigurationError, ValidityError
from diffaxion.sky import (
    Foregrounds,
    channel_covariance,
    check_map,
    cmb_spectrum,
    ilc_weights,
    map_spectrum,
    survey_channels,
    survey_names,
    white_channels,
)
from tests.conftest import read_csv

# Channels in the header of the toy spectra.
FREQ = (30.0, 44.0, 70.0, 100.0, 143.0, 217.0, 353.0, 545.0)
WHITE = (195.1, 226.1, 199.1, 77.4, 33.0, 46.8, 153.6, 818.2)
FWHM = (32.408, 27.1, 13.315, 9.69, 7.3, 5.02, 4.94, 4.83)
SETS = {
    "cl_none": (),
    "cl_tsz": ("tsz",),
    "cl_tsz_cib": ("tsz", "cib"),
    "cl_tsz_cib_dbeta": ("tsz", "cib", "cib-dbeta"),
}
NONE = Foregrounds(tsz_uK2=0.0, cib_uK2=0.0, dust_uK2=0.0, synchrotron_uK2=0.0)


def toy_channels():
    """The toy's channels: cut at its two stated multipoles and where the beam is below 1e-3."""
    fwhm = np.array(FWHM) * np.pi / 10800.0
    beam = np.sqrt(np.log(1e6) * 8.0 * np.log(2.0)) / fwhm
    return white_channels(FREQ, FWHM, WHITE, np.minimum(beam, [700.0, 1000.0, *[1e9] * 6]))


@pytest.mark.parametrize(("column", "rtol"), [(c, 1e-3) for c in list(SETS)[:3]])
def test_toy_spectra(shared, column, rtol):
    """0.05 %: rounding of the toy's own numbers; every multipole from 2 to 2500."""
    table = read_csv(shared / "data" / "screening" / "toy_ilc_noise.csv")
    ell = jnp.asarray(table["ell"])
    found = map_spectrum(
        toy_channels(), Foregrounds(), ell, SETS[column], cl_cmb_uK2=table["cl_cmb"]
    )
    np.testing.assert_allclose(found, table[column], rtol=rtol)


def test_toy_spectrum_with_the_moment(shared):
    """The derivative of the CIB's spectrum is nearly degenerate with the rest: 0.7 %."""
    table = read_csv(shared / "data" / "screening" / "toy_ilc_noise.csv")
    ell = jnp.asarray(table["ell"])
    deproject = SETS["cl_tsz_cib_dbeta"]
    found = map_spectrum(toy_channels(), Foregrounds(), ell, deproject, cl_cmb_uK2=table["cl_cmb"])
    np.testing.assert_allclose(found, table["cl_tsz_cib_dbeta"], rtol=8e-3)


def test_cmb_table_against_the_toys(shared):
    """Two computations of slightly different cosmologies: 3 % at every multipole."""
    table = read_csv(shared / "data" / "screening" / "toy_ilc_noise.csv")
    np.testing.assert_allclose(cmb_spectrum(table["ell"]), table["cl_cmb"], rtol=0.03)


def test_one_channel_gives_its_deconvolved_noise():
    ell = jnp.array([100.0, 1000.0, 2500.0])
    channels = white_channels([353.0], [5.0], [40.0])
    found = map_spectrum(channels, NONE, ell, cl_cmb_uK2=jnp.zeros(3))
    arcmin = np.pi / 10800.0
    expected = (40.0 * arcmin) ** 2 * np.exp(
        np.asarray(ell * (ell + 1)) * (5.0 * arcmin) ** 2 / (8 * np.log(2))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_two_channels_without_sky_are_averaged_by_inverse_variance():
    """At one frequency the weights are 1/w^2, the noise (sum 1/w^2)^-1."""
    ell = jnp.array([50.0, 900.0])
    channels = white_channels([353.0, 353.0], [4.0, 4.0], [30.0, 60.0])
    both = map_spectrum(channels, NONE, ell, cl_cmb_uK2=jnp.zeros(2))
    alone = map_spectrum(white_channels([353.0], [4.0], [30.0]), NONE, ell, cl_cmb_uK2=0.0 * ell)
    np.testing.assert_allclose(both, alone / (1.0 + 0.25), rtol=1e-12)


def test_deprojected_components_leave_no_trace():
    """A^T w = e_0, and brighter deprojected foregrounds change nothing."""
    ell = jnp.array([300.0, 1500.0])
    channels, names = toy_channels(), ("tsz", "cib")
    sky = Foregrounds(cib_decorrelation=0.0)
    bright = Foregrounds(cib_decorrelation=0.0, tsz_uK2=150.0, cib_uK2=7e4)
    few = [map_spectrum(channels, s, ell, names) for s in (sky, bright)]
    np.testing.assert_allclose(few[1], few[0], rtol=1e-8)
    columns = jnp.stack([sky.response(n, channels.freq_GHz) for n in ("screening", *names)], 1)
    c = channel_covariance(channels, sky, ell, cmb_spectrum(ell))
    w = ilc_weights(c, columns, channels.used(ell))
    assert np.all(np.asarray(w)[1, :2] == 0.0)
    expected = np.zeros((2, 3))
    expected[:, 0] = 1.0
    np.testing.assert_allclose(w @ columns, expected, atol=1e-9)


def test_a_dropped_channel_is_an_absent_one():
    """Rows of responses, covariance and weights go together."""
    ell = jnp.array([500.0])
    cut = white_channels(FREQ, FWHM, WHITE, [1e9] * 2 + [100.0] + [1e9] * 5)
    keep = [0, 1, 3, 4, 5, 6, 7]
    few = white_channels(*(np.array(v)[keep] for v in (FREQ, FWHM, WHITE)))
    a, b = (map_spectrum(c, Foregrounds(), ell, ("tsz",)) for c in (cut, few))
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_order_of_channels_does_not_matter():
    ell = jnp.array([500.0])
    order = np.array([3, 0, 7, 1, 5, 2, 4, 6])
    turned = white_channels(*(np.array(v)[order] for v in (FREQ, FWHM, WHITE)))
    plain = white_channels(FREQ, FWHM, WHITE)
    a, b = (map_spectrum(c, Foregrounds(), ell, ("tsz", "cib")) for c in (plain, turned))
    np.testing.assert_allclose(a, b, rtol=1e-10)


def test_derivatives_by_noise_and_spectra():
    """d ln N/d ln(noise) of the channels, and of the CIB's temperature, against differences."""
    ell = jnp.array([700.0])

    def log_noise(log_white, temperature):
        c = eqx.tree_at(
            lambda x: x.white_uK_arcmin, toy_channels(), jnp.asarray(WHITE) * jnp.exp(log_white)
        )
        sky = Foregrounds(cib_temperature_K=temperature)
        return jnp.log(map_spectrum(c, sky, ell, ("tsz", "cib"))[0])

    zero, t = jnp.zeros(8), jnp.asarray(10.7)
    log_noise = jax.jit(log_noise)
    by_noise, by_t = jax.jit(jax.grad(log_noise, argnums=(0, 1)))(zero, t)
    # The 30 and 44 GHz channels end at l = 700 and beyond; all noise matters, CMB and sky too.
    assert np.all(np.asarray(by_noise) >= 0.0)
    assert 0.0 < float(by_noise.sum()) < 2.0
    h = 1e-4
    for k in (3, 4):
        step = zero.at[k].set(h)
        difference = (log_noise(step, t) - log_noise(-step, t)) / (2 * h)
        assert float(by_noise[k]) == pytest.approx(float(difference), rel=1e-6)
    difference = (log_noise(zero, t + h) - log_noise(zero, t - h)) / (2 * h)
    assert float(by_t) == pytest.approx(float(difference), rel=1e-5)


def test_surveys_are_what_their_publications_say():
    assert survey_names() == ["cmb-s4-wide", "planck", "so-baseline", "so-goal"]
    so = survey_channels("so-baseline")
    # Table 1 of arXiv:1808.07445, f_sky = 0.4: 71, 36, 8.0, 10, 22, 54 uK arcmin.
    np.testing.assert_allclose(so.white_uK_arcmin, [71, 36, 8.0, 10, 22, 54], rtol=0.02)
    assert float(so.atmosphere[0, 1]) == 0.9
    assert float(so.atmosphere[0, 2]) == 0.0
    both = survey_channels("so-goal", "planck")
    assert both.freq_GHz.shape == (14,)
    np.testing.assert_array_equal(both.atmosphere[6:, 6:], np.eye(8))
    # 1/f noise equals white noise at the knee.
    one = both.noise(both.knee_ell[:1])
    blur = np.exp(
        float(both.knee_ell[0] * (both.knee_ell[0] + 1))
        * (7.4 * np.pi / 10800) ** 2
        / (8 * np.log(2))
    )
    white = (float(both.white_uK_arcmin[0]) * np.pi / 10800) ** 2
    assert float(one[0, 0, 0]) == pytest.approx(2.0 * white * blur, rel=1e-12)
    with pytest.raises(ConfigurationError, match="so-goal"):
        survey_channels("so-gaol")


def test_more_noise_is_never_better_and_more_channels_never_worse():
    ell = jnp.array([400.0, 1500.0])
    planck, both = survey_channels("planck"), survey_channels("so-goal", "planck")
    for names in ((), ("tsz", "cib")):
        alone = map_spectrum(planck, Foregrounds(), ell, names)
        assert np.all(np.asarray(map_spectrum(both, Foregrounds(), ell, names) < alone))
        noisy = survey_channels("planck", white_scale=2.0)
        assert np.all(np.asarray(map_spectrum(noisy, Foregrounds(), ell, names) > alone))


def test_bad_maps_are_refused():
    with pytest.raises(ConfigurationError, match="3 constraints"):
        map_spectrum(white_channels([90.0, 150.0], 2.0, 5.0), NONE, jnp.ones(1), ("tsz", "cib"))
    with pytest.raises(ConfigurationError, match="cib-dbeta"):
        map_spectrum(toy_channels(), NONE, jnp.array([100.0]), ("cib-dbetta",))
    cut = white_channels([90.0, 150.0], 2.0, 5.0, [100.0, 900.0])
    with pytest.raises(ValidityError, match="only 1 channels"):
        check_map(cut, [50.0, 400.0], ("tsz",))
    with pytest.raises(ValidityError, match="white noise"):
        check_map(white_channels([90.0, 150.0], 2.0, [5.0, 0.0]), [50.0])
    check_map(survey_channels("so-goal", "planck"), [302.0, 3000.0], ("tsz", "cib"))
