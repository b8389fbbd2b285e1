"""Cases of populations at birth, ensembles of stars, and the luminosities drawn from them."""

import jax
import jax.numpy as jnp

from diffaxion import conversion as cv
from diffaxion.environments import stars as st

from . import Case

_MODEL = st.PopulationModel()
_W = jnp.array([0.2, 0.7])
_FRACTIONS = jnp.array([[0.0, 0.3, 0.5, 0.15], [0.0, 0.25, 0.5, 0.2], [0.0, 0.5, 0.4, 0.06]])
_CODE = jnp.array([1, 1, 0])
_KEY = jax.random.key(3)
_EDGES = (10.0, 30.0, 80.0)
_ENERGY, _WEIGHTS = (jnp.asarray(x) for x in cv.bin_rule(_EDGES))


def _births(model, w, key_free):
    del key_free
    drawn = model.sample(_KEY, 3)
    back = model.mass_cdf(model.initial_mass_Msun(w)), model.rotation_cdf(model.rotation_km_s(w))
    return model.initial_mass_Msun(w), model.rotation_km_s(w), back, drawn


def _ensemble(mass, t_c, fractions, weight):
    return st.StellarEnsemble(
        mass,
        t_c,
        fractions,
        weight,
        5.0,
        jnp.zeros(3),
        _CODE,
        jnp.zeros(3, int),
        jnp.arange(3),
        jnp.zeros(3, bool),
        ("h1", "he4", "c12", "o16"),
        ("WN", "WC"),
        "three models",
    )


def _draws(spectrum, total, weight):
    spectra = cv.EnsembleSpectra(
        jnp.array(_EDGES[:-1]),
        jnp.array(_EDGES[1:]),
        _ENERGY,
        _WEIGHTS,
        spectrum,
        total,
        weight,
        _CODE,
        jnp.array([False, True, False]),
        ("WN", "WC"),
        "three models",
    )
    found = cv.draw_luminosities(spectra, {"WC": 2, "WN": 1}, _KEY, 6)
    return (
        found.band_quantiles_erg_s,
        found.sigma_ln,
        found.mean_spectrum,
        found.ln_covariance,
        found.flagged_share,
        found.by_class_erg_s,
        found.total_quantiles_erg_s,
        spectra.class_means(),
    )


def _stars(*leaves):
    ensemble = _ensemble(*leaves)
    found = jax.vmap(lambda s: (s.rho_c_g_cm3, s.composition.zeta))(ensemble.stars())
    return found, 1.0 * ensemble.outside_validity


_SHAPE = cv.EnsembleShape(
    jnp.log(_ENERGY),
    -jnp.log(_ENERGY),
    jnp.sum(_WEIGHTS, axis=0),
    jnp.stack([0.1 + 0.0 * _ENERGY, 0.2 * jnp.log(_ENERGY / 30.0)]),
    jnp.array([0.5, -1.0]),
    jnp.zeros((3, _ENERGY.size)),
    "two modes",
)
_SPECTRUM = jnp.exp(-_ENERGY / jnp.array([[15.0], [20.0], [25.0]]))
_MASSES = (jnp.array([12.0, 11.0, 14.0]), jnp.array([18.0, 19.0, 17.0]), _FRACTIONS)

CASES = [
    Case(
        "population_model",
        _births,
        (_MODEL, _W, jnp.zeros(())),
        (
            (st.PopulationModel(imf_slope=1.0), jnp.array([0.0, 1.0]), jnp.zeros(())),
            (st.PopulationModel(rotation_mean_km_s=-2000.0), _W, jnp.zeros(())),
        ),
        ("environments.stars.PopulationModel", "environments.stars.StarSample"),
    ),
    Case(
        "stellar_ensemble",
        _stars,
        (*_MASSES, jnp.array([0.4, 0.6, 1.0])),
        ((jnp.zeros(3), jnp.zeros(3), _FRACTIONS, jnp.zeros(3)),),
        ("environments.stars.StellarEnsemble",),
    ),
    Case(
        "luminosity_draws",
        _draws,
        (_SPECTRUM, jnp.array([1.0, 2.0, 3.0]), jnp.array([0.4, 0.6, 1.0])),
        ((_SPECTRUM, jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, 1.0, 1.0])),),
        (
            "conversion.LuminosityDraws",
            "conversion.draw_luminosities",
            "conversion.EnsembleSpectra",
        ),
    ),
    Case(
        "ensemble_shape",
        lambda shape, e, k: shape(e, k),
        (_SHAPE, jnp.array([12.0, 45.0]), jnp.array(0.3)),
        ((_SHAPE, jnp.array([0.0, 500.0]), jnp.array(0.0)),),
        ("conversion.EnsembleShape",),
    ),
]
