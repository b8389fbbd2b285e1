"""Cases of diffaxion.environments.cosmology."""

import jax.numpy as jnp
import numpy as np

from diffaxion.environments import cosmology as co

from . import Case

_DEFAULT = co.planck_cosmology()
_PARITY = co.planck_cosmology("public-code", "hypergeometric")
_Z = jnp.array([0.3, 1.7])
_TODAY = jnp.array([0.0, 1100.0])
_K = jnp.array([3e-3, 0.07, 2.0])
_MASS = jnp.array([1e11, 3e13])
_K_NODES = np.geomspace(1e-3, 10.0, 12)
_TABLE = co.TabulatedPower(
    np.linspace(0.0, 2.0, 5),
    _K_NODES,
    1e4 * _K_NODES ** np.linspace(-0.5, -1.0, 5)[:, None],
)
_EH, _CAMB = co.EisensteinHuPower("camb-large-scale"), co.CorrectedPower.bundled()


def _case(name, function, *args, edges=(), covers=(), **kwargs):
    covers = tuple(f"environments.cosmology.{c}" for c in covers or (name,))
    return Case(name, function, args, edges, covers, **kwargs)


def _numbers(cosmology):
    return cosmology.matter_fraction_today, cosmology.baryon_fraction, cosmology.omega_r


def _today_and_factor(power, cosmology, k, z):
    return power(cosmology, k, z[:, None]), power.variance_factor(z)


CASES = [
    *[
        _case(f.__name__, f, _DEFAULT, _Z, edges=((_DEFAULT, _TODAY),))
        for f in (
            co.hubble,
            co.comoving_distance,
            co.critical_density,
            co.matter_density,
            co.matter_fraction,
            co.growth_factor,
        )
    ],
    _case(
        "growth_hypergeometric",
        co.growth_factor,
        _PARITY,
        _Z,
        edges=((_PARITY, _TODAY),),
        covers=("growth_factor",),
    ),
    _case("cosmology", _numbers, _PARITY, covers=("Cosmology", "planck_cosmology")),
    _case("sound_horizon", co.sound_horizon, _DEFAULT),
    _case(
        "transfer_function",
        co.transfer_function,
        _DEFAULT,
        _K,
        edges=((_DEFAULT, jnp.array([0.0, 1e-6, 1e4])),),
    ),
    _case(
        "eisenstein_hu_power",
        lambda c, k, z: _today_and_factor(_EH, c, k, z),
        _PARITY,
        _K,
        _Z,
        edges=((_PARITY, jnp.array([1e-6, 0.1, 1e4]), _TODAY),),
        covers=("EisensteinHuPower", "LinearPower", "linear_power"),
        slow=True,
    ),
    _case(
        "corrected_power",
        _today_and_factor,
        _CAMB,
        _DEFAULT,
        _K,
        _Z,
        edges=((_CAMB, _DEFAULT, jnp.array([1e-6, 0.1, 1e4]), _TODAY),),
        covers=("CorrectedPower", "linear_power"),
        slow=True,
    ),
    _case(
        "tabulated_power",
        _today_and_factor,
        _TABLE,
        _DEFAULT,
        _K,
        _Z,
        edges=((_TABLE, _DEFAULT, jnp.array([1e-6, 1e-3, 1e4]), _TODAY),),
        covers=("TabulatedPower",),
        slow=True,
    ),
    _case(
        "mass_sigma",
        lambda c, m, z: (
            co.mass_sigma(c, _EH, m, z),
            co.sigma_slope(c, _EH, m, z),
            co.sigma_slope(c, _EH, m, z, "differences"),
        ),
        _PARITY,
        _MASS,
        _Z,
        edges=((_PARITY, jnp.array([1.0, 1e18]), _TODAY[:1]),),
        covers=("mass_sigma", "sigma_slope", "sigma_window", "SigmaWindow"),
        slow=True,
    ),
    _case(
        "sigma_and_power",
        lambda c, m, z, k: co.sigma_and_power(c, _EH, co.sigma_window(m), z, k),
        _PARITY,
        _MASS,
        _Z,
        jnp.array([[0.01, 0.2], [1.0, 3.0], [20.0, 50.0]]),
    ),
    _case("sigma_8", lambda c: co.sigma_8(c, _EH), _PARITY),
]
