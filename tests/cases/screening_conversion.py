"""Cases of resonant conversion in halos and of its angular and spectral kernels."""

import functools

import jax.numpy as jnp

from diffaxion import conversion as cv
from diffaxion.observables import cmb

from . import Case

_M = jnp.array([3.1e-13, 1.2e-12])
_B = jnp.array([0.37, 2.0])
_X = jnp.array([0.86, 0.16])
_S = jnp.array([-2.27, -0.99])
_R, _Z, _NU = jnp.array(0.38), jnp.array(0.5), jnp.array(353.0)
_NONE = jnp.zeros(2)
_RADIAL = (_X, _S, _R, _Z, _NU)
# No crossing: at the centre, with a flat profile, without a halo; and no mass.
_RADIAL_EDGES = ((_NONE, _S, _R, _Z, _NU), (_X, _NONE, _R, _Z, _NU), (_X, _S, _NONE, _Z, _NU))
_ELL = jnp.array([10.0, 300.0, 4000.0])[:, None]
_THETA = jnp.array([2e-6, 3e-3, 0.12])
_GHZ = jnp.array([30.0, 143.0, 353.0, 545.0])


def _hard(x, x_virial, mass):
    return cv.conversion_window(x, x_virial, mass, cv.ConversionCuts(edges="hard"))


def _dark(x, x_virial, mass):
    cuts = cv.ConversionCuts(x_lo=0.0, x_hi=jnp.inf, floor_Msun=0.0)
    return cv.conversion_window(x, x_virial, mass, cuts)


def _case(name, function, args, edges=(), covers=None, **more):
    covers = (f"conversion.{name}",) if covers is None else covers
    return Case(name, function, args, edges, covers, **more)


_WINDOW = (
    jnp.array([0.099, 0.1015, 0.5, 1.09, 1.3]),
    jnp.array([1.3, 1.3, 1.08, 1.08, 1.3]),
    jnp.array([1e13, 1.01e11, 0.99e11, 1e14, 1e15]),
)
_WINDOW_EDGES = (
    (jnp.zeros(5), *_WINDOW[1:]),
    (-jnp.ones(5), *_WINDOW[1:]),
    (_WINDOW[0], _WINDOW[1], jnp.zeros(5)),
    (_WINDOW[1], _WINDOW[1], _WINDOW[2]),
)

CASES = [
    *[
        _case(
            name if form == "exact" else f"{name}_{form}",
            functools.partial(cv.landau_zener, form=form),
            (jnp.array([1e-31, 3e-30]), jnp.array(1.5e-3), jnp.array([2e-33, -1e-32])),
            (
                (jnp.zeros(2), jnp.array(1.5e-3), jnp.array([1e-26, 0.0])),
                (jnp.ones(2) * 1e-26, jnp.array(1.5e-3), jnp.array([1e-25, 0.0])),
            ),
            ("conversion.landau_zener",),
        )
        for name, form in (("landau_zener", "exact"), ("landau_zener", "small"))
    ],
    _case(
        "resonance_log_density",
        cv.resonance_log_density,
        (_M,),
        ((_NONE,),),
    ),
    _case("photon_energy_eV", cv.photon_energy_eV, (_NU, _Z), ((jnp.array(0.0), _Z),)),
    _case(
        "axion_halo_probability",
        cv.axion_halo_probability,
        (_M, _B, *_RADIAL),
        ((_M, _NONE, *_RADIAL), (_NONE, _B, *_RADIAL), *((_M, _B, *e) for e in _RADIAL_EDGES)),
    ),
    _case(
        "dark_photon_halo_probability",
        cv.dark_photon_halo_probability,
        (_M, *_RADIAL),
        (
            (_NONE, *_RADIAL),
            *((_M, *e) for e in _RADIAL_EDGES),
            (_M, *_RADIAL[:-1], jnp.array(0.0)),
        ),
    ),
    _case(
        "transition_width_Mpc",
        cv.transition_width_Mpc,
        (_M, *_RADIAL),
        ((_NONE, *_RADIAL), *((_M, *e) for e in _RADIAL_EDGES)),
    ),
    # g -> 0 is P = u * probability -> 0; and a crossing that is adiabatic.
    _case(
        "saturated_conversion",
        cv.saturated_conversion,
        (jnp.array([1e-5, 0.3, 2.0]),),
        ((jnp.array([0.0, 1e-300, 1e4]),),),
    ),
    _case(
        "smooth_step",
        cv.smooth_step,
        (jnp.array([-0.3, 0.0, 0.2, 0.6]),),
        ((jnp.array([-0.5, 0.5, -jnp.inf, jnp.inf]),),),
    ),
    _case(
        "conversion_window",
        cv.conversion_window,
        (*_WINDOW, cv.ConversionCuts()),
        tuple((*e, cv.ConversionCuts()) for e in _WINDOW_EDGES),
        ("conversion.conversion_window", "conversion.ConversionCuts"),
    ),
    _case("conversion_window_hard", _hard, _WINDOW, _WINDOW_EDGES, ()),
    _case("conversion_window_no_floor", _dark, _WINDOW, _WINDOW_EDGES, ()),
    *[
        _case(
            f.__name__,
            f,
            (_ELL, _THETA),
            ((_ELL, jnp.zeros(3)), (jnp.zeros((3, 1)), _THETA)),
            (f"observables.cmb.{f.__name__}",),
        )
        for f in (cmb.limb_kernel, cmb.limb_kernel_curved)
    ],
    *[
        _case(
            f.__name__,
            f,
            (_GHZ, jnp.array(2.7255)),
            ((jnp.array([0.0, 1e-9, 1e5]), jnp.array(2.7255)),),
            (f"observables.cmb.{f.__name__}",),
        )
        for f in (cmb.temperature_factor_uK, cmb.screening_sed, cmb.dark_photon_sed)
    ],
    _case(
        "passband_average",
        cmb.passband_average,
        (jnp.array([0.4, 0.9, 1.0, 1.1]), _GHZ, jnp.array([0.2, 1.0, 0.7, 0.1])),
        ((jnp.ones(4), _GHZ, jnp.zeros(4)), (jnp.ones(4), jnp.zeros(4), jnp.ones(4))),
        ("observables.cmb.passband_average",),
    ),
]
