"""Cases of diffaxion.environments.stars and of axion production in stars."""

import jax.numpy as jnp

from diffaxion import conversion as cv
from diffaxion.environments import stars as st

from . import Case

ISOTOPES = ("h1", "he4", "c12", "o16")
_MIX = st.Composition(jnp.array([0.1, 0.5, 0.25, 0.1]), 5.0, ISOTOPES)
_STAR = st.EddingtonStar(15.0, 12.0, _MIX)
_DARK = st.EddingtonStar(0.0, 0.0, _MIX)
_POLYTROPE = st.CentralPolytrope(12.0, 150.0, _MIX)
_ZONES = st.StellarProfile(
    *jnp.array([[9.0, 6.0], [90.0, 30.0], [1.6, 1.5], [0.6, 0.5], [2e31, 9e32]])
)
_NO_ZONES = st.StellarProfile(*jnp.zeros((5, 2)))
_COOL = st.StellarProfile(
    *jnp.array([[9.0, 1e-4], [90.0, 0.0], [1.6, 1.5], [0.6, 0.5], [2e31, 0.0]])
)
_E = jnp.array([12.0, 45.0])
_POPULATION = st.StellarPopulation(
    jnp.array([12.0, 11.0, 14.0]),
    jnp.array([18.0, 19.0, 17.0]),
    jnp.array([[0.0, 0.3, 0.5, 0.15], [0.0, 0.25, 0.5, 0.2], [0.0, 0.5, 0.4, 0.06]]),
    jnp.array([0.4, 0.6, 1.0]),
    5.0,
    ("WC", "WC", "WN"),
    "three nodes",
)
_X = jnp.array([1e-3, 0.5, 40.0])
_POINT = tuple(jnp.asarray(x) for x in (12.0, 9.0, 90.0, 1.6))
_POINT_EDGES = tuple(
    tuple(jnp.asarray(x) for x in p)
    for p in (
        (12.0, 9.0, 0.0, 1.6),
        (12.0, 0.0, 90.0, 1.6),
        (12.0, 9.0, 90.0, 0.0),
        (0.0, 9.0, 90.0, 1.6),
        (12.0, 1e-3, 90.0, 1.6),
        (0.0, 0.0, 0.0, 0.0),
    )
)
_MASSIVE = (*_POINT, jnp.asarray(2.0), jnp.asarray(0.5))
_MASSIVE_EDGES = tuple(
    (*p, jnp.asarray(m), jnp.asarray(y))
    for p in _POINT_EDGES[:4]
    for m, y in ((0.0, 0.5), (12.0, 0.0))
)


def _c(*names):
    return tuple(f"conversion.{n}" for n in names)


def _s(*names):
    return tuple(f"environments.stars.{n}" for n in names)


CASES = [
    Case(
        "primakoff_form_factor",
        cv.primakoff_form_factor,
        (_X,),
        ((jnp.zeros(3),), (jnp.array([1e30, 0.02, 1e-12]),)),
        _c("primakoff_form_factor"),
    ),
    Case(
        "screening_scale",
        cv.screening_scale_keV,
        _POINT[1:],
        tuple(p[1:] for p in _POINT_EDGES),
        _c("screening_scale_keV"),
    ),
    Case(
        "electron_scales",
        lambda rho, y_e: (cv.plasma_frequency_keV(rho, y_e), cv.fermi_energy_keV(rho, y_e)),
        (jnp.array(90.0), jnp.array(0.5)),
        ((jnp.array(0.0), jnp.array(0.5)), (jnp.array(1.0), jnp.array(0.0))),
        _c("plasma_frequency_keV", "fermi_energy_keV"),
    ),
    Case(
        "massive_angular_factor",
        cv.massive_angular_factor,
        (jnp.array([10.0, 5.0]), jnp.array([9.0, 0.4]), jnp.array([4.0, 30.0])),
        (
            (jnp.zeros(2), jnp.array([0.0, 3.0]), jnp.array([1.0, 2.0])),
            (jnp.array([3.0, 3.0]), jnp.array([3.0, 3.0]), jnp.array([0.0, 1e-9])),
        ),
        _c("massive_angular_factor"),
    ),
    Case(
        "primakoff_emissivity",
        cv.primakoff_emissivity,
        _POINT,
        _POINT_EDGES,
        _c("primakoff_emissivity"),
    ),
    Case(
        "primakoff_rate",
        cv.primakoff_rate,
        _POINT,
        _POINT_EDGES,
        _c("primakoff_rate"),
    ),
    Case(
        "primakoff_massive",
        lambda *a: (cv.primakoff_emissivity(*a), cv.primakoff_rate(*a)),
        _MASSIVE,
        _MASSIVE_EDGES,
    ),
    Case(
        "primakoff_validity",
        lambda *a: [1.0 * x for x in vars(cv.primakoff_validity(*a)).values()],
        (*_POINT[1:], jnp.asarray(0.5)),
        tuple((*p[1:], jnp.asarray(0.5)) for p in _POINT_EDGES),
        _c("primakoff_validity", "PrimakoffFlags"),
        check_fd=False,
    ),
    Case(
        "luminosity_spectrum",
        cv.luminosity_spectrum,
        (_ZONES, _E),
        ((_NO_ZONES, _E), (_COOL, jnp.array([0.0, 300.0]))),
        _c("luminosity_spectrum") + _s("StellarProfile"),
    ),
    Case(
        "stellar_totals",
        lambda p, lo, hi: jnp.stack(
            [
                cv.total_luminosity(p) / 1e30,
                cv.band_luminosity(p, lo, hi) / 1e30,
                cv.axion_rate(p) / 1e38,
                cv.mean_energy_keV(p),
                jnp.sum(cv.zone_luminosity(p)) / 1e30,
            ]
        ),
        (_ZONES, jnp.array(10.0), jnp.array(80.0)),
        ((_NO_ZONES, jnp.array(10.0), jnp.array(80.0)), (_COOL, jnp.array(1.0), jnp.array(5.0))),
        _c(
            "total_luminosity",
            "band_luminosity",
            "axion_rate",
            "mean_energy_keV",
            "zone_luminosity",
        ),
    ),
    Case(
        "universal_functions",
        lambda u, q: (cv.universal_shape(u, q), cv.universal_total(q)),
        (jnp.array([0.5, 3.0]), jnp.array([0.2, 0.4])),
        ((jnp.array([0.0, 900.0]), jnp.array([0.2, 0.4])), (jnp.ones(2), jnp.array([0.0, 0.1]))),
        _c("universal_shape", "universal_total"),
    ),
    Case(
        "eddington_axions",
        lambda s, e: (cv.eddington_spectrum(s, e), cv.eddington_luminosity(s)),
        (_STAR, _E),
        ((_DARK, _E),),
        _c("eddington_spectrum", "eddington_luminosity"),
    ),
    Case(
        "class_spectra",
        lambda p, e, s: cv.class_spectra(p, e, ("WN", "WC"), s),
        (_POPULATION, _E, jnp.array(1.1)),
        ((_POPULATION, jnp.array([0.0, 1e5]), jnp.array(1.0)),),
        _c("class_spectra", "node_spectra") + _s("StellarPopulation"),
        check_fd=False,  # "anchored_shape" differentiates the same chain
    ),
    Case(
        "anchored_shape",
        lambda m, *a: m(*a),
        (cv.AnchoredShape(_POPULATION), _E, jnp.array([13.0, 1.0]), jnp.array(0.1), jnp.array(0.4)),
        (
            (
                cv.AnchoredShape(_POPULATION),
                jnp.array([0.0, 1e5]),
                jnp.array([0.0, 1.0]),
                jnp.array(-8.0),
                jnp.array(0.0),
            ),
        ),
        _c("AnchoredShape"),
    ),
    Case(
        "composition",
        lambda c: (c.zeta, c.mu, c.y_e, c.remainder),
        (_MIX,),
        ((st.Composition(jnp.zeros(4), 0.0, ISOTOPES),),),
        _s("Composition"),
    ),
    Case(
        "gas_pressure_ratio",
        st.gas_pressure_ratio,
        (jnp.array(15.0), jnp.array(1.3)),
        ((jnp.array(0.0), jnp.array(1.3)), (jnp.array(1e4), jnp.array(1.3))),
        _s("gas_pressure_ratio"),
    ),
    Case(
        "polytropes",
        lambda a, b: (a.profile().density_g_cm3, a.profile().volume_cm3, b.profile().volume_cm3),
        (_STAR, _POLYTROPE),
        ((_DARK, _POLYTROPE),),
        _s("EddingtonStar", "CentralPolytrope"),
    ),
]
