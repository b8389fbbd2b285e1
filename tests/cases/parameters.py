"""Cases of diffaxion.parameters."""

import jax.numpy as jnp

from diffaxion import parameters as pm

from . import Case

_Z = jnp.array(0.7)
_FAR = ((jnp.array(0.0),), (jnp.array(-40.0),), (jnp.array(40.0),))
_BUILD = {
    "Normal": (pm.Normal, (4.6, 0.3)),
    "LogNormal": (pm.LogNormal, (2.6, 0.2)),
    "Uniform": (pm.Uniform, (2.2, 4.8)),
    "LogUniform": (pm.LogUniform, (3.0, 100.0)),
    "UniformRoot": (pm.UniformRoot, (1.0, 9.0)),
    "HalfNormalAbove": (pm.HalfNormalAbove, (0.5, 2.0)),
    "Fixed": (pm.Fixed, (3.2,)),
}
# Values at the edges of the support, where the inverse map must stay finite.
_EDGE = {"Uniform": (2.2, 4.8), "LogUniform": (3.0, 100.0), "UniformRoot": (1.0, 9.0)}
_EDGE["HalfNormalAbove"] = (0.5,)


def _round(prior, z):
    """Value, density and penalty at z, and z recovered from the value."""
    value = prior.from_standard(z)
    return value, prior.log_prob(value), prior.penalty(z), prior.to_standard(value)


def _model(z):
    world = {"field": {"b_muG": jnp.array([1.0, 2.0])}, "d_kpc": jnp.array(2.6), "f": jnp.ones(())}
    bindings = pm.Bindings(
        {"field.b_muG[1]": pm.Normal(2.0, 0.3), "d_kpc": pm.Uniform(2.2, 4.8)},
        {"f": pm.Tie("d_kpc", 2.0, 1.0)},
    )
    bound = bindings.apply(world, z)
    path = "field.b_muG"
    return (
        pm.set_paths(bound, {"f": pm.get_path(bound, "f") ** 2}),
        pm.get_path(bound, path),
        bindings.log_prior(z),
    )


CASES = [
    *[
        Case(
            f"prior_{name}",
            _round,
            (kind(*args), _Z),
            tuple((kind(*args), *edge) for edge in _FAR[:1]),
            (f"parameters.{name}",),
        )
        for name, (kind, args) in _BUILD.items()
    ],
    *[
        Case(
            f"from_standard_{name}",
            lambda prior, z: prior.from_standard(z),
            (kind(*args), _Z),
            tuple((kind(*args), *edge) for edge in _FAR),
        )
        for name, (kind, args) in _BUILD.items()
    ],
    *[
        Case(
            f"to_standard_{name}",
            lambda prior, value: prior.to_standard(value),
            (kind(*args), jnp.array(3.5)),
            tuple((kind(*args), jnp.array(e)) for e in _EDGE.get(name, ())),
        )
        for name, (kind, args) in _BUILD.items()
    ],
    Case(
        "bindings",
        _model,
        (jnp.array([0.4, -0.8]),),
        ((jnp.zeros(2),), (jnp.array([5.0, -40.0]),)),
        (
            "parameters.Bindings",
            "parameters.Tie",
            "parameters.get_path",
            "parameters.set_paths",
        ),
    ),
]
