"""Cases of the recast as a probe, of the smooth published curve and of the surrogate."""

import equinox as eqx
import jax
import jax.numpy as jnp

from diffaxion.analyses.surrogate_probe import features
from tests.recast_models import small, written_surrogate

from . import Case

_CL = -1e-8 * jnp.linspace(3.0, 0.7, 11)


def _observe(bandpowers, m_a_eV, width):
    with jax.ensure_compile_time_eval():
        probe = small()[2]
    probe = eqx.tree_at(lambda p: p.taper_ln_m, probe, width)
    return probe.observe(bandpowers, m_a_eV), probe.taper(m_a_eV), probe.sigma(m_a_eV)


def _surrogate(m_a_eV, slope, amplitude, density):
    with jax.ensure_compile_time_eval():
        surrogate, world = written_surrogate(), small()[1]
    moved = eqx.tree_at(
        lambda w: (
            w.axion.m_a_eV,
            w.halos.gas.beta.amplitude,
            w.halos.field.ln_amplitude,
            w.halos.gas.rho_0.amplitude,
        ),
        world,
        (m_a_eV, slope, amplitude, density),
    )
    return surrogate.bandpowers(moved), surrogate.response(moved)


def _at(m_a_eV, slope=3.9, amplitude=0.1, density=4200.0):
    return tuple(map(jnp.array, (m_a_eV, slope, amplitude, density)))


_FAR = [jnp.array(m) for m in (1e-15, 1.7e-13, 2.6e-12, 1e-7)]

CASES = [
    Case(
        "recast_probe",
        _observe,
        (_CL, jnp.array(2.1e-13), jnp.array(0.3)),
        (*((_CL, m, jnp.array(0.3)) for m in _FAR), (0.0 * _CL, _FAR[1], jnp.array(0.3))),
    ),
    Case(
        "screening_surrogate",
        _surrogate,
        _at(5e-13),
        (
            *(_at(m) for m in (1e-15, 1.7e-13, 2.6e-12, 1e-7)),
            _at(5e-13, 2.0, -3.0, 40.0),
            _at(5e-13, 6.0, 3.0, 4e5),
        ),
    ),
    Case(
        "surrogate_features",
        lambda z: features(z, ((), (0,), (1, 1), (0, 0, 1))),
        (jnp.array([0.3, -1.2]),),
        ((jnp.zeros(2),),),
    ),
]
