"""Cases of the regular Galactic magnetic fields."""

import dataclasses

import jax.numpy as jnp

from diffaxion.environments.galaxy import catalogue, inner
from diffaxion.environments.galaxy.base import UniformDensity, UniformField
from diffaxion.environments.galaxy.frame import SightLine
from diffaxion.environments.galaxy.jf12 import JF12
from diffaxion.environments.galaxy.ptkn11 import PTKN11
from diffaxion.environments.galaxy.solenoidal import JF12Solenoidal
from diffaxion.environments.galaxy.uf23 import UF23

from . import Case

_G = "environments.galaxy."
_HERE = jnp.array([-4.2, 3.9, 0.7])
# The centre, the axis, the plane, the Sun on an arm boundary, and just beyond the last edge.
_EDGES = (
    [0.0, 0.0, 0.0],
    [0.0, 0.0, 1.5],
    [-6.0, 2.0, 0.0],
    [-8.3, 0.0, 0.0],
    [0.0, -1.0, 0.0],
    [12.0, 16.0, 0.0],
    [0.0, 0.0, -31.0],
)


def _at(field, position):
    return field(position)


def _field_case(name, field, *covers, slow=False, here=_HERE):
    return Case(
        name,
        _at,
        (field, here),
        tuple((field, jnp.array(edge)) for edge in _EDGES),
        tuple(_G + c for c in covers),
        slow=slow,
    )


def _crossings(field, sightline):
    return field.crossings_kpc(sightline)


_JF12 = JF12.published()
# Nothing here sits on a boundary, so that finite differences are defined: the Sun at 8.0 kpc.
_LINE = SightLine(12.0, -0.7, 17.0, 8.0)
_LINE_EDGES = (
    SightLine(0.0, 0.0, 8.3, 8.3),
    SightLine(0.0, 0.0, 20.0, 8.3),
    SightLine(180.0, 0.0, 8.0, 8.3),
    SightLine(0.164, 90.0, 8.0, 8.3),
    SightLine(-20.45, -0.4, 0.0, 8.5),
)

CASES = [
    _field_case(
        "jf12_preset",
        catalogue.magnetic_field("jf12"),
        *("JF12", "InnerRegion", "VerticalField", "magnetic_field"),
    ),
    _field_case(
        "jf12_smooth",
        catalogue.with_smooth_edges(catalogue.magnetic_field("jf12", "mask"), jnp.array(0.1)),
        *("NoField", "with_smooth_edges"),
        slow=True,
    ),
    _field_case("jf12_solenoidal", JF12Solenoidal.published(), "JF12Solenoidal"),
    _field_case(
        "jf12_solenoidal_smooth", JF12Solenoidal.published().smoothed(jnp.array(0.1)), slow=True
    ),
    _field_case("ptkn11_ass", PTKN11.published("ass"), "PTKN11"),
    _field_case("uf23_base", UF23.published("base"), slow=True),
    _field_case("uf23_expX", UF23.published("expX"), "UF23"),
    _field_case("uf23_twistX", UF23.published("twistX"), slow=True),
    _field_case("uf23_spur", UF23.published("spur"), slow=True, here=jnp.array([-8.0, -1.0, 0.2])),
    _field_case(
        "inner_structures",
        inner.SumField(
            (
                UniformField(jnp.array([0.1, -0.3, 0.2])),
                inner.PoloidalField.intercloud(),
                inner.PoloidalField.radio_arc(),
            )
        ),
        *("SumField", "PoloidalField", "UniformField", "MagneticField"),
        here=jnp.array([0.013, 0.021, 0.008]),
    ),
    Case(
        "uniform_density",
        lambda density, s: density(jnp.array(0.0), jnp.array(0.0), s),
        (UniformDensity(0.03), jnp.array(2.0)),
        covers=(_G + "UniformDensity", _G + "ElectronDensity"),
    ),
    Case(
        "jf12_crossings",
        _crossings,
        (dataclasses.replace(_JF12, max_arm_crossings=12), _LINE),
        tuple((dataclasses.replace(_JF12, max_arm_crossings=12), line) for line in _LINE_EDGES),
    ),
]
