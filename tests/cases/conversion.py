"""Cases of sight lines and axion-photon conversion."""

import jax.numpy as jnp
import numpy as np

from diffaxion.conversion import born, cell, engine, mixing, phase
from diffaxion.conversion.axion import Axion
from diffaxion.environments.galaxy import base, sightline
from diffaxion.environments.galaxy.frame import SightLine

from . import Case

_S = np.linspace(0.0, 3.0, 11) + 0.02 * np.sin(7.0 * np.arange(11))
_PATH = sightline.LinePath(
    _S, 1.0 + np.sin(_S), 0.5 * np.cos(2 * _S), 0.05 + 0.02 * _S, 1.0 + 0.1 * _S
)
_EMPTY = sightline.LinePath(_S, 0 * _S, 0 * _S, 0 * _S, 0 * _S)
_COLLAPSED = sightline.LinePath(0 * _S, 1.0 + 0 * _S, 0 * _S, 0.1 + 0 * _S)
_E = jnp.array([10.0, 37.0])
_M = jnp.array(2e-11)
_U = jnp.array(3e4)
_ZERO = jnp.array(0.0)
_SIGMA = jnp.array([3e-24, 1e-25])
_LINE = SightLine(30.0, -2.0, 3.0)
_FIELD = base.UniformField(jnp.array([1.0, -2.0, 0.5]))
_DENSITY = base.UniformDensity(0.04)
_F = jnp.array([0.0, 0.3, 0.5, 1.0])


def _chain(reverse):
    return lambda path, e, m, u: mixing.exact_probability(path, e, m, u, reverse=reverse)


_CHAIN_EDGES = (
    (_PATH, _E, _M, _ZERO),
    (_PATH, _E, _M, jnp.array(-1.0)),
    (_EMPTY, _E, _ZERO, _ZERO),
    (_EMPTY, _E, _ZERO, _U),
    (_COLLAPSED, _E, _M, _U),
)

CASES = [
    Case(
        "node_positions",
        sightline.node_positions,
        (_LINE, _FIELD, _F),
        (),
        ("environments.galaxy.node_positions", "environments.galaxy.uniform_fractions"),
    ),
    Case(
        "sample_path",
        sightline.sample_path,
        (_LINE, _FIELD, _DENSITY, _F),
        ((SightLine(0.0, 0.0, 0.0), _FIELD, _DENSITY, _F),),
        ("environments.galaxy.sample_path", "environments.galaxy.LinePath"),
    ),
    Case(
        "density_table",
        lambda line, density: sightline.density_table(line, density, 5),
        (_LINE, _DENSITY),
        (),
        ("environments.galaxy.density_table",),
    ),
    Case(
        "sincos",
        phase.sincos,
        (jnp.array([0.3, -2.0, 1e3]),),
        ((jnp.zeros(2),),),
        (),
    ),
    Case(
        "cell_map",
        cell.cell_map,
        (jnp.array([0.4, -1.3, 3.0, 1e-6]), jnp.array([0.2, 1e-9, 2.0, 1e-7])),
        ((jnp.zeros(2), jnp.zeros(2)), (jnp.array([1.0, -1e-200]), jnp.array([0.0, 1e-320]))),
        (),
    ),
    *[
        Case(
            f"born_probability_{rule}",
            lambda path, e, m, rule=rule: born.born_probability(path, e, m, rule),
            (_PATH, _E, _M),
            ((_EMPTY, _E, _ZERO), (_COLLAPSED, _E, _M)),
            ("conversion.born_probability",),
        )
        for rule in ("filon", "trapezoid")
    ],
    Case(
        "born_probability_absorbed",
        lambda path, e, m, sigma: born.born_probability(path, e, m, "filon", sigma),
        (_PATH, _E, _M, _SIGMA),
        ((_EMPTY, _E, _ZERO, jnp.zeros(2)),),
        ("conversion.born_probability",),
    ),
    Case(
        "born_amplitude",
        born.born_amplitude,
        (_PATH, _E, _M),
        ((_EMPTY, _E, _ZERO),),
        ("conversion.born_amplitude", "conversion.phase_rate"),
    ),
    Case(
        "exact_probability",
        _chain("store"),
        (_PATH, _E, _M, _U),
        _CHAIN_EDGES,
        ("conversion.exact_probability",),
    ),
    # The reverse pass that undoes the chain has no forward mode; test_mixing compares its
    # gradient with the one above and with differences.
    Case(
        "exact_probability_inverted",
        _chain("invert"),
        (_PATH, _E, _M, _U),
        _CHAIN_EDGES,
        ("conversion.exact_probability",),
        check_fd=False,
    ),
    Case(
        "exact_probability_absorbed",
        lambda path, e, m, u, sigma: mixing.exact_probability(
            path, e, m, u, sigma, qed=True, cmb=True
        ),
        (_PATH, _E, _M, _U, _SIGMA),
        ((_EMPTY, _E, _ZERO, _ZERO, jnp.zeros(2)), (_PATH, _E, _M, _ZERO, _SIGMA)),
        ("conversion.exact_probability",),
        slow=True,
    ),
    Case(
        "transfer_matrix",
        mixing.transfer_matrix,
        (_PATH, _E, _M, _U),
        ((_PATH, _E, _M, _ZERO), (_EMPTY, _E, _ZERO, _U)),
        ("conversion.transfer_matrix",),
        slow=True,
    ),
    Case(
        "conversion_probability",
        engine.conversion_probability,
        (_PATH, Axion(_M, _U), _E),
        ((_PATH, Axion(_ZERO, -_U), _E),),
        ("conversion.conversion_probability", "conversion.Axion"),
    ),
    Case(
        "probability_over_masses",
        lambda path, u, m, e: engine.probability_over_masses(path, u, m, e),
        (_PATH, _U, jnp.array([1e-12, 2e-11]), _E),
        (),
        ("conversion.probability_over_masses",),
    ),
    Case(
        "conversion_flags",
        engine.conversion_flags,
        (_PATH, Axion(_M, _U), _E),
        ((_EMPTY, Axion(_ZERO, _ZERO), _E),),
        ("conversion.conversion_flags", "conversion.ConversionFlags"),
    ),
]
