"""Cases of the Galactic medium: electron density, random fields, absorption."""

import jax
import jax.numpy as jnp
import numpy as np

from diffaxion.conversion.absorption import (
    absorption_rate_per_kpc,
    photoelectric_cross_section_cm2,
    transmission,
    uniform_hydrogen_cm3,
)
from diffaxion.conversion.correlation import (
    ExponentialCorrelation,
    GaussianCorrelation,
    PowerLawCorrelation,
    RandomCells,
)
from diffaxion.conversion.turbulence import (
    phase_curvature,
    realise_field,
    turbulent_probability,
    unit_process,
)
from diffaxion.environments.galaxy.sampled import TabulatedDensity
from diffaxion.environments.galaxy.turbulent import (
    StriatedField,
    jf12_turbulence,
    jf12b_turbulence,
)
from diffaxion.environments.galaxy.ymw16 import YMW16, heliocentric_to_ymw16_pc
from diffaxion.environments.galaxy.ymw16_disk import SpiralArms

from . import Case

_GALAXY = "environments.galaxy."
_SUN = np.array([0.0, 8300.0, 6.0])


# Compiled, because the suites also run cases without jit, operation by operation.
@jax.jit
def _ymw16(model, l, b, s, shift_pc):
    """n_e at a position given along a sight line plus a shift [pc].

    ``at`` is ``combine(ymw16_components(...))``, so that all three are exercised in one program.
    """
    return model.at(heliocentric_to_ymw16_pc(l, b, s) + shift_pc)


@jax.jit
def _ymw16_nuisances(norm, norm_gc, n_arm_cm3, l, b, s):
    return YMW16(norm=norm, norm_gc=norm_gc, arms=SpiralArms(n_arm_cm3=n_arm_cm3))(l, b, s)


def _at(x, y, z):
    """Arguments that put the position exactly at a point of the YMW16 frame [pc]."""
    zero = jnp.asarray(0.0)
    return YMW16(), zero, zero, zero, jnp.asarray(np.array([x, y, z]) - _SUN)


def _ymw16_edges():
    """The Sun, the Galactic centre and axis, centres and axes of the local shells, the warp."""
    gum = np.asarray(heliocentric_to_ymw16_pc(264.0, -4.0, 0.45)) - np.array([0.0, 0.0, 6.0])
    loop = np.array([-10.156, 8106.206, 10.467])
    cap = loop + 80.0 * np.array([np.cos(np.deg2rad(40.0)), 0.0, np.sin(np.deg2rad(40.0))])
    points = [_SUN, (0, 0, 0), (0, 0, 1e3), (0, 8340, 0), gum, loop, cap, (0, 8400, 0)]
    return tuple(_at(*p) for p in points)


def _sample(model, l, b, s):
    return model(l, b, s)


@jax.jit
def _variance(model, position, b):
    return model.transverse_variance_muG2(position, b)


def _correlation(model, x, k):
    scaled = model.with_coherence(2.0 * model.coherence_kpc())
    return model.rho(x), model.spectrum_1d(k), scaled.spectrum_1d(k)


_S = jnp.linspace(0.0, 1.2, 7)
_V = jnp.linspace(4.0, 9.0, 7)
_N = jnp.linspace(0.05, 0.3, 7)
_E = jnp.array([11.3, 35.0])
_M = jnp.asarray(2e-11)
_K = PowerLawCorrelation()
_LATENT = jnp.asarray(np.random.default_rng(4).standard_normal((2, 6)))
_X = jnp.array([0.013, 0.21])
_XK = (jnp.array([0.013, 0.04]), jnp.array([4.0, 40.0]))
_TABLE = TabulatedDensity(jnp.array([0.1, 1.0, 3.0]), jnp.array([0.1, 0.2, 0.05]))
_HERE = jnp.array([-7.0, 1.0, 0.2])
_B = jnp.array([1.5, -0.7])
_ZERO3, _ZERO2 = jnp.zeros(3), jnp.zeros(2)
_ANGLES = (jnp.asarray(0.164), jnp.asarray(-0.061))

CASES = [
    Case(
        "ymw16",
        _ymw16,
        (YMW16(), jnp.asarray(0.9), jnp.asarray(-0.4), jnp.asarray(6.5), jnp.zeros(3) + 1e-3),
        _ymw16_edges(),
        (_GALAXY + "YMW16", _GALAXY + "ymw16_components"),
        # Its sixty parameters compile slowly; finite differences are taken in the next case.
        check_fd=False,
    ),
    Case(
        "ymw16_nuisances",
        _ymw16_nuisances,
        (
            jnp.asarray(1.1),
            jnp.asarray(0.9),
            jnp.array([0.135, 0.129, 0.103, 0.116, 0.0057]),
            jnp.asarray(0.164),
            jnp.asarray(-0.061),
            jnp.asarray(8.1),
        ),
    ),
    Case(
        "tabulated_density",
        _sample,
        (_TABLE, *_ANGLES, jnp.asarray(1.7)),
        ((_TABLE, *_ANGLES, jnp.asarray(0.0)), (_TABLE, *_ANGLES, jnp.asarray(9.0))),
        (_GALAXY + "TabulatedDensity",),
    ),
    Case(
        "turbulent_field",
        _variance,
        (jf12b_turbulence(), _HERE, _B),
        ((jf12_turbulence(), _ZERO3, _ZERO2), (jf12_turbulence(), 8.0 * _HERE, _B)),
        tuple(_GALAXY + n for n in ("TurbulentField", "jf12_turbulence", "jf12b_turbulence")),
    ),
    Case(
        "striated_field",
        _variance,
        (StriatedField(), _HERE, _B),
        ((StriatedField(), _ZERO3, _ZERO2),),
        (_GALAXY + "StriatedField",),
    ),
    *[
        Case(
            f"correlation_{name}",
            _correlation,
            (model, *_XK),
            ((model, jnp.zeros(2), jnp.zeros(2)), (model, jnp.ones(2), jnp.full(2, 1e3))),
            (f"conversion.{type(model).__name__}",),
        )
        for name, model in (
            ("exponential", ExponentialCorrelation(0.05)),
            ("exponential_solenoidal", ExponentialCorrelation(0.05, True)),
            ("gaussian", GaussianCorrelation(0.05)),
            ("gaussian_solenoidal", GaussianCorrelation(0.05, True)),
            ("cells", RandomCells(0.05)),
        )
    ],
    Case(
        "correlation_power_law",
        lambda model, k: (model.spectrum_1d(k), model.coherence_kpc()),
        (_K, _XK[1]),
        ((_K, jnp.zeros(2)), (_K, jnp.full(2, 1e3))),
        ("conversion.PowerLawCorrelation",),
    ),
    Case(
        "turbulent_probability",
        jax.jit(turbulent_probability),
        (_S, _V, _N, _E, _M, _K),
        ((_S, 0.0 * _V, 0.0 * _N, _E, 0.0 * _M, _K),),
        ("conversion.turbulent_probability",),
    ),
    Case(
        "phase_curvature",
        phase_curvature,
        (_S, _N, _E[0], _K),
        ((_S, 0.0 * _N, _E[0], _K),),
        ("conversion.phase_curvature",),
    ),
    Case(
        "realise_field",
        jax.jit(realise_field),
        (_LATENT, _S, _V, _K),
        ((0.0 * _LATENT, _S, 0.0 * _V, _K), (_LATENT, 0.0 * _S, _V, _K)),
        ("conversion.realise_field",),
    ),
    Case(
        "unit_process",
        unit_process,
        (_LATENT[0], _S, ExponentialCorrelation(0.05)),
        (),
        ("conversion.unit_process",),
    ),
    Case(
        "photoelectric_cross_section",
        lambda energy: 1e24 * photoelectric_cross_section_cm2(energy),
        (_E,),
        ((jnp.array([0.0, 1e3]),),),
        ("conversion.photoelectric_cross_section_cm2",),
    ),
    Case(
        "absorption_rate",
        absorption_rate_per_kpc,
        (jnp.array([1.0, 3.0]), _E),
        ((jnp.zeros(2), _E),),
        ("conversion.absorption_rate_per_kpc",),
    ),
    Case(
        "transmission",
        lambda column, energy: transmission(1e22 * column, energy),
        (jnp.asarray(6.0), _E),
        ((jnp.asarray(0.0), _E),),
        ("conversion.transmission",),
    ),
    Case(
        "uniform_hydrogen",
        lambda column, s: uniform_hydrogen_cm3(1e22 * column, s),
        (jnp.asarray(6.0), _S),
        ((jnp.asarray(0.0), _S), (jnp.asarray(6.0), 0.0 * _S)),
        ("conversion.uniform_hydrogen_cm3",),
    ),
]
