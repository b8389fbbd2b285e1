"""Cases of what the rooms are put together into: galaxies, clusters, forward models of spectra."""

import jax
import jax.numpy as jnp
import numpy as np

from diffaxion import conversion as con
from diffaxion.environments import galaxy as gal
from diffaxion.environments.stars import Cluster
from diffaxion.observables import World, xray

from . import Case

_G = "environments.galaxy."
_X = "observables.xray."
_ANGLES = (jnp.array(30.0), jnp.array(-2.0))
# At 8.3 kpc the Sun is on a spiral-arm boundary, where finite differences are undefined.
_LINE = gal.SightLine(*_ANGLES, jnp.array(3.0), jnp.array(8.0))
_DENSITY = gal.UniformDensity(0.04)
_FIELD = gal.UniformField(jnp.array([1.0, -2.0, 0.5]))
_F = jnp.linspace(0.0, 1.0, 6)
_PATH = gal.sample_path(_LINE, _FIELD, _DENSITY, _F, n_h_cm3=jnp.full(6, 0.9))
_NO_FIELD = gal.sample_path(_LINE, gal.UniformField(jnp.zeros(3)), _DENSITY, _F)
_E = jnp.array([11.0, 37.0])
_M = jnp.array(2e-11)
_RANDOM = gal.jf12b_turbulence()
_TABLE = gal.tabulate_field(
    lambda c: gal.UniformField(jnp.stack([c[0], -2.0 * jnp.ones(()), c[1]])),
    jnp.array([1.0, 0.5]),
    _LINE,
    4.0,
)
assert _TABLE is not None
_ELECTRONS = (jnp.array([0.0, 4.0]), jnp.array([0.04, 0.05]))
_BINS = xray.fold_grid(np.array([10.0, 15.0]), np.array([15.0, 20.0]), 1)
_INSTRUMENT = xray.Instrument([3.0, 12.0, 80.0], [90.0, 300.0, 2.0])
_CLUSTER = Cluster("somewhere", "Somewhere", *_ANGLES, 3.0, 1e35, (3.0, 1.0), column_1e22_cm2=2.0)
_AXION = con.Axion(2e-11, 0.7)


def _published(curve, mean, world):
    shape = xray.PublishedShape(curve, mean, jnp.array(2.9))
    probe = xray.ClusterSpectrum("somewhere", "nustar", _BINS, _F, shape, None, 1)
    return probe.response(world)


@jax.jit
def _anchored(axion, galaxy, source):
    probe = xray.ClusterSpectrum(
        "somewhere", "nustar", _BINS, _F, None, con.AnchoredShape(), 1, absorption=True
    )
    world = World(axion, galaxy, {"somewhere": source}, {"nustar": _INSTRUMENT})
    return probe.response(world)


def _galaxy(model, longitude, latitude, distance):
    line = model.sightline(longitude, latitude, distance)
    here = line.position_kpc(0.5 * distance)
    return model.field(here), model.density_toward("anything")(longitude, latitude, distance)


@jax.jit
def _everything(path, line, energy, mass, random):
    return con.galactic_probability(path, line, energy, mass, random, absorption=True)


_GALAXY = gal.Galaxy(_FIELD, _DENSITY, 8.1)
_RATES = jnp.array([2.0, 1.0])
_MEAN = jnp.array([1e-4, 2e-4])
_EMPTY = gal.Galaxy(gal.UniformField(jnp.zeros(3)), _DENSITY)


def _world(galaxy, u):
    axion = con.Axion(2e-11, u)
    return World(axion, galaxy, {"somewhere": _CLUSTER}, {"nustar": _INSTRUMENT})


CASES = [
    Case(
        "sight_line",
        lambda line, s: (line.position_kpc(s), line.direction(), line.transverse_basis()),
        (_LINE, jnp.array(1.3)),
        ((gal.SightLine(0.0, 90.0, 0.0), jnp.array(0.0)),),
        (_G + "SightLine",),
    ),
    Case(
        "cylindrical",
        gal.cylindrical,
        (jnp.array([-4.0, 1.0, 0.3]),),
        ((jnp.zeros(3),), (jnp.array([0.0, 0.0, 2.0]),), (jnp.array([-8.3, 0.0, 0.0]),)),
        (_G + "cylindrical",),
    ),
    Case(
        "from_cylindrical",
        gal.from_cylindrical,
        (jnp.array(1.0), jnp.array(-0.4), jnp.array(0.2), jnp.array(2.1)),
        (tuple(jnp.zeros(()) for _ in range(4)),),
        (_G + "from_cylindrical",),
    ),
    Case(
        "galaxy",
        _galaxy,
        (_GALAXY, *_ANGLES, jnp.array(3.0)),
        ((_GALAXY, *_ANGLES, jnp.array(0.0)),),
        (_G + "Galaxy",),
    ),
    Case(
        "field_table",
        lambda table, line, c: table.sample(line, c, _F, _ELECTRONS),
        (_TABLE, _LINE, jnp.array([1.1, 0.2])),
        ((_TABLE, gal.SightLine(*_ANGLES, jnp.array(0.0)), jnp.zeros(2)),),
        (_G + "FieldTable",),
        check_fd=False,  # moves 4001 nodes of a table past those of the path: see the next case
    ),
    Case("field_table_coefficients", lambda c: _TABLE.sample(_LINE, c, _F, _ELECTRONS), (_F[1:3],)),
    Case(
        "random_field_probability",
        jax.jit(con.random_field_probability),
        (_RANDOM, _LINE, _PATH, _E, _M),
        ((_RANDOM, _LINE, _NO_FIELD, _E, jnp.array(0.0)),),
        ("conversion.random_field_probability",),
        check_fd=False,  # part of the next case
    ),
    Case(
        "galactic_probability",
        _everything,
        (_PATH, _LINE, _E, _M, _RANDOM),
        ((_NO_FIELD, _LINE, _E, jnp.array(0.0), _RANDOM),),
        ("conversion.galactic_probability",),
    ),
    Case(
        "cluster_spectrum_published",
        jax.jit(_published),
        (_RATES, _MEAN, _world(_GALAXY, 0.7)),
        ((0.0 * _RATES, _MEAN, _world(_EMPTY, 0.0)),),
        (_X + "ClusterSpectrum", _X + "PublishedShape", "observables.World"),
    ),
    Case(
        "cluster_spectrum_anchored",
        _anchored,
        (_AXION, _GALAXY, _CLUSTER),
        ((con.Axion(0.0, 0.0), _EMPTY, _CLUSTER),),
        (_X + "ClusterSpectrum", "environments.stars.Cluster"),
        slow=True,
    ),
]
