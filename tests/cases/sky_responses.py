"""Cases of the sky's responses: passbands, spectra of components, unit conversion."""

import jax.numpy as jnp

from diffaxion import sky

from . import Case

_NU = jnp.array([[90.0, 110.0], [300.0, 400.0]])
_WEIGHT = jnp.array([[0.4, 0.6], [0.7, 0.3]])
_NOMINAL = jnp.array([100.0, 353.0])
_ZERO = jnp.zeros(2)


def _passbands(nu, weight, delta, exponent):
    bands = sky.Passbands(nu, weight, _NOMINAL, ("100", "353"))
    moved = bands.shift(delta).with_exponent(exponent).select(("353", "100"))
    return moved.nu_GHz, moved.weight


def _responses(t_cmb, cib, dust, power_laws, kev, delta):
    bands = sky.Passbands(_NU, _WEIGHT, _NOMINAL, ("100", "353")).shift(delta)
    spectra = sky.Spectra(t_cmb, *cib, *dust, *power_laws, kev)
    single = sky.component_response("tsz", bands, spectra)
    return sky.mixing_matrix(sky.COMPONENTS, bands, spectra), single


def _units(nu, weight, t_cmb):
    return sky.unit_conversion_MJy_sr(sky.Passbands(nu, weight, _NOMINAL, ("a", "b")), t_cmb)


_SPECTRA = (
    jnp.array(2.7255),
    jnp.array([24.0, 1.2]),
    jnp.array([19.6, 1.6]),
    jnp.array([-3.1, -2.14, -0.5]),
)

CASES = [
    Case(
        "passbands",
        _passbands,
        (_NU, _WEIGHT, jnp.array([1.0, -2.0]), jnp.array([-2.0, 0.5])),
        ((_NU, 0.0 * _WEIGHT, _ZERO, _ZERO),),
        ("sky.Passbands",),
    ),
    Case(
        "component_responses",
        _responses,
        (*_SPECTRA, jnp.array(5.0), jnp.array([1.0, -2.0])),
        ((*_SPECTRA, jnp.array(0.0), _ZERO),),
        ("sky.component_response", "sky.mixing_matrix", "sky.Spectra"),
    ),
    Case(
        "unit_conversion",
        _units,
        (_NU, _WEIGHT, jnp.array(2.7255)),
        (),
        ("sky.unit_conversion_MJy_sr",),
    ),
]
