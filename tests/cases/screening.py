"""Cases of the forward model of screening and of its sums, on grids of a few halos."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from diffaxion.conversion import ConversionCuts
from diffaxion.environments.halos import agn_gas
from diffaxion.observables import cmb
from tests.screening_models import small

from . import Case

_CMB = "observables.cmb."
_RNG = np.random.default_rng(7)


def _array(*shape, scale=1.0):
    return jnp.asarray(scale * _RNG.uniform(0.5, 1.5, shape))


def _spectrum(configuration, kind="Tg", **overrides):
    """u (or u^2) times C_l as a function of axion, gas, cuts and frequency."""

    def function(m_a_eV, u, gas, cuts, nu_GHz):
        with jax.ensure_compile_time_eval():
            setting = small(configuration, **overrides)
            cache = setting.cache
        own = dataclasses.replace(cuts, edges=setting.model.cuts.edges)
        model = dataclasses.replace(setting.model, cuts=own, nu_GHz=nu_GHz)
        world = eqx.tree_at(lambda w: (w.axion.m_a_eV, w.halos.gas), setting.world, (m_a_eV, gas))
        one, two = model.halo_terms(world, cache, kind)
        strength = u if kind == "Tg" else u * u
        return strength * one, strength * two

    return function


def _at(m_a_eV, u=1.0):
    # Wide tapers: their edges hold some of the few halos.
    cuts = ConversionCuts(width=0.3)
    return (jnp.array(m_a_eV), jnp.array(u), agn_gas(), cuts, jnp.array(353.0))


# Nothing resonates: too light, too heavy, absurd; and no coupling.
_NOTHING = (*(_at(m) for m in (1e-13, 1e-11, 1e-14, 1e-9)), _at(5e-13, 0.0))

_ELL = jnp.array([30.0, 300.0, 2000.0])
_THETA = _array(2, 3, 4, scale=1e-3)
_NONE = jnp.zeros((3, 4))


def _cross(theta, central, satellite, biased, u, q):
    return cmb.screening_galaxy_sums(_ELL, theta, central, satellite, biased, u, q)


def _auto(theta, depth, number, biased, q):
    return cmb.screening_auto_sums(_ELL, theta, depth, number, biased, q)


CASES = [
    Case(
        "screening_spectrum",
        _spectrum("default"),
        _at(5e-13),
        _NOTHING,
        (_CMB + "ScreeningSpectrum", _CMB + "HaloIntegration"),
    ),
    Case("screening_parity", _spectrum("parity"), _at(5e-13), _NOTHING, slow=True),
    Case("screening_auto", _spectrum("default", "TT"), _at(5e-13), _NOTHING, slow=True),
    Case(
        "screening_dark_photon",
        _spectrum("default", boson="dark-photon"),
        _at(5e-13),
        (_at(1e-14), _at(1e-9), _at(5e-13, 0.0)),
        slow=True,
    ),
    Case(
        "screening_galaxy_sums",
        _cross,
        (_THETA[0], _array(3, 4), _array(3, 4), _array(3, 4), _array(3, 3, 4), _array(3, 3)),
        ((_NONE, _NONE, _NONE, _NONE, _array(3, 3, 4), _array(3, 3)),),
        (_CMB + "screening_galaxy_sums",),
    ),
    Case(
        "screening_auto_sums",
        _auto,
        (_THETA, _array(2, 3, 4), _array(3, 4), _array(3, 4), _array(3, 3)),
        ((0.0 * _THETA, 0.0 * _THETA, _NONE, _NONE, jnp.zeros((3, 3))),),
        (_CMB + "screening_auto_sums",),
    ),
    Case(
        "galaxy_auto_sums",
        cmb.galaxy_auto_sums,
        (_array(3, 4), _array(3, 3, 4), _array(3, 4), _array(3, 3)),
        ((_NONE, _array(3, 3, 4), _NONE, jnp.zeros((3, 3))),),
        (_CMB + "galaxy_auto_sums",),
    ),
]
