"""Cases of the sky: components, channels and the harmonic ILC on three channels."""

import jax.numpy as jnp

from diffaxion import sky

from . import Case

_FREQ = jnp.array([70.0, 143.0, 353.0])
_FWHM = jnp.array([13.0, 7.0, 5.0])
_WHITE = jnp.array([200.0, 33.0, 150.0])
_ELL = jnp.array([300.0, 1500.0])
_ONES, _RESPONSES = jnp.ones(2), jnp.array([[0.7, 1.0], [0.9, 2.0], [1.0, -1.0]])
_SPREAD = jnp.stack([jnp.eye(3) + 0.3, 2.0 * jnp.eye(3) + 0.1])


def _responses(nu, temperature, beta, slope):
    return (
        sky.tsz_response(nu),
        sky.dust_response(nu, temperature, beta),
        sky.synchrotron_response(nu, slope),
    )


def _noise(fwhm, white, knee):
    n = white.shape[0]
    channels = sky.Channels(
        _FREQ, fwhm, white, knee, jnp.full(n, 3.5), jnp.eye(n) + 0.2, jnp.full(n, 3e3)
    )
    return channels.noise(_ELL), channels.used(_ELL)


def _covariance(white, cib, cmb):
    channels = sky.white_channels(_FREQ, _FWHM, white)
    return sky.channel_covariance(channels, sky.Foregrounds(cib_uK2=cib), _ELL, cmb)


def _map(white, fwhm, beta):
    channels = sky.white_channels(_FREQ, fwhm, white)
    return sky.map_spectrum(channels, sky.Foregrounds(cib_beta=beta), _ELL, ("tsz",))


CASES = [
    Case(
        "sky_responses",
        _responses,
        (_FREQ, jnp.array(20.0), jnp.array(1.5), jnp.array(-3.0)),
        (),
        ("sky.tsz_response", "sky.dust_response", "sky.synchrotron_response"),
    ),
    Case(
        "cmb_spectrum",
        sky.cmb_spectrum,
        (jnp.array([12.5, 230.0, 2345.0]),),
        ((jnp.array([1.0, 2.0, 6000.0]),),),
        ("sky.cmb_spectrum",),
    ),
    Case(
        "channels",
        _noise,
        (_FWHM, _WHITE, jnp.array([500.0, 100.0, 2000.0])),
        # No 1/f noise, and a beam that is blind.
        ((_FWHM, _WHITE, jnp.zeros(3)), (100.0 * _FWHM, _WHITE, jnp.zeros(3))),
        ("sky.Channels", "sky.white_channels"),
    ),
    Case(
        "channel_covariance",
        _covariance,
        (_WHITE, jnp.array(700.0), _ONES),
        ((_WHITE, jnp.array(0.0), 0.0 * _ONES),),
        ("sky.channel_covariance", "sky.Foregrounds"),
    ),
    Case(
        "ilc_weights",
        sky.ilc_weights,
        (_SPREAD, _RESPONSES),
        (),
        ("sky.ilc_weights",),
    ),
    Case(
        "map_spectrum",
        _map,
        (_WHITE, _FWHM, jnp.array(1.7)),
        ((_WHITE, jnp.array([900.0, 7.0, 5.0]), jnp.array(1.7)),),
        ("sky.map_spectrum",),
        slow=True,
    ),
]
