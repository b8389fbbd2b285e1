"""Cases of the PSF, the templates and the counts of diffaxion.observables.xray."""

import jax
import jax.numpy as jnp
import numpy as np

from diffaxion.conversion import Axion
from diffaxion.environments import galaxy as gal
from diffaxion.environments.stars import Cluster, StarField
from diffaxion.likelihoods import PackedPoisson, TemplatePoisson, joint_flux_points
from diffaxion.observables import xray as x
from diffaxion.observables.world import World

from . import Case

_X = "observables.xray."
_ONE = jnp.ones(())
_AT = jnp.array([3.0, 20.0, 45.0])
_UP = jnp.array([1.0, -14.0, 8.0])
_RADII = jnp.array([0.0, 10.0, 40.0, 200.0])
_VALUES = jnp.array([1.0, 0.6, 0.1, 0.002])
_IMAGE = jnp.asarray(np.random.default_rng(0).uniform(0.1, 1.0, (9, 9)))
_STEP = 12.0 / 3600.0
_CD = jnp.array([[-_STEP, 0.1 * _STEP], [0.1 * _STEP, _STEP]])
_PLANE = x.TangentPlane(*(jnp.asarray(v) for v in (250.0, -45.0, 1.2, 0.8, _CD)))
_STARS = StarField(jnp.array([250.0, 250.004]), jnp.array([-45.0, -44.998]), jnp.array([1.0, 2.0]))
_COLUMNS, _ROWS = jnp.array([0.0, 1.0, 2.0, 1.0]), jnp.array([0.0, 0.0, 1.0, 2.0])


def _formula(a, b, c, d, at, up):
    psf = x.TwoComponentPsf(a, b, c, d)
    return psf.density(at, up), psf.enclosed(at)


def _table(radii, values, at, up):
    psf = x.TabulatedPsf(radii, values)
    return psf.density(at, up), psf.enclosed(at)


def _picture(image, pixel, turn, at, up):
    return x.ImagePsf(image, pixel, turn).density(at, up)


def _stars(psf, stars, plane, offset):
    return x.star_image(psf, stars, plane, _COLUMNS, _ROWS, offset, 2)


def _made(exposure, background, samples):
    planes = jax.tree.map(lambda v: v[None], _PLANE)
    across = jnp.stack([_COLUMNS - 1.0, _ROWS - 1.0])
    return x.ImageTemplates(
        planes, _COLUMNS, _ROWS, exposure, background, across, ("one",), samples
    )


def _images(offset, tilt, exposure, background):
    images, pointings = _made(exposure, background, 2), {"one": x.Pointing(offset, tilt)}
    signal = images.signal_template(x.nustar_psf(), _STARS, pointings)
    return signal, images.background_template(pointings)


_BINS = x.fold_grid(np.array([10.0, 15.0]), np.array([15.0, 20.0]), 1)
_CURVE = x.PublishedShape(jnp.array([2.0, 1.0]), jnp.array([1e-4, 2e-4]), 2.9 * _ONE)
_LINE = x.ClusterSpectrum("here", "nustar", _BINS, jnp.linspace(0.0, 1.0, 6), _CURVE, None, 1)


@jax.jit
def _counts(psf, exposure_s, source):
    galaxy = gal.Galaxy(
        gal.UniformField(jnp.array([1.0, -2.0, 0.5])), gal.UniformDensity(0.04), 8.1
    )
    world = World(
        Axion(2e-11, 0.7), galaxy, {"here": source}, stars={"here": _STARS}, psf={"nustar": psf}
    )
    flat = jnp.ones((1, 2, 4))
    probe = x.ClusterCounts(_LINE, (_made(flat, flat, 1),), exposure_s[None])
    return probe.response(world), x.signal_rows(probe, world), x.background_rows(probe, world)


def _joint(counts, signal, shape, weights):
    return joint_flux_points(TemplatePoisson(counts, signal, shape), weights)[:5]


def _packed(counts, signal, shape, s, a):
    p = PackedPoisson(counts, signal, shape, jnp.array([0, 0]), 1)
    return p.blocks(s, a), p.values(s, a), p.expected(s, a), p.null_backgrounds()


_T = jnp.array([[0.2, 0.5, 0.2, 0.05], [0.1, 0.6, 0.2, 0.05]])
_B = jnp.array([[4.0, 5.0, 5.5, 6.0], [2.0, 2.2, 2.4, 2.6]])
_C = jnp.array([[5.0, 9.0, 4.0, 6.0], [1.0, 5.0, 3.0, 2.0]])
_FOUR = tuple(jnp.asarray(v) for v in (0.15, 7.4, 29.0, 1.8))

CASES = [
    Case(
        "two_component_psf",
        _formula,
        (*_FOUR, _AT, _UP),
        ((*_FOUR, jnp.zeros(3), jnp.zeros(3)), (*_FOUR, 1e4 * _AT, _UP)),
        (_X + "TwoComponentPsf",),
    ),
    Case(
        "tabulated_psf",
        _table,
        (_RADII, _VALUES, _AT, _UP),
        ((_RADII, _VALUES, jnp.array([0.0, 200.0, 900.0]), jnp.zeros(3)),),
        (_X + "TabulatedPsf",),
    ),
    Case(
        "image_psf",
        _picture,
        (_IMAGE, jnp.asarray(12.0), jnp.asarray(20.0), _AT, _UP),
        ((_IMAGE, jnp.asarray(12.0), jnp.asarray(0.0), jnp.zeros(3), 1e3 * _UP),),
        (_X + "ImagePsf",),
    ),
    Case(
        "pixel_fractions",
        lambda psf, a, b, s: x.pixel_fractions(psf, a, b, s, 3),
        (x.nustar_psf(), _AT, _UP, jnp.asarray(12.0)),
        ((x.nustar_psf(), jnp.zeros(3), jnp.zeros(3), jnp.asarray(12.0)),),
        (_X + "pixel_fractions",),
    ),
    Case(
        "tangent_offsets",
        x.tangent_offsets,
        (jnp.array([250.0, 251.0]), jnp.array([-45.0, -44.0]), 250.2 * _ONE, -45.3 * _ONE),
        ((jnp.array([250.0, 340.0]), jnp.array([-45.0, 0.0]), 250.0 * _ONE, -45.0 * _ONE),),
        (_X + "tangent_offsets",),
        fd_rtol=1e-5,
    ),
    Case(
        "star_image",
        _stars,
        (x.nustar_psf(), _STARS, _PLANE, jnp.array([2.0, -1.0])),
        (),
        (_X + "star_image", _X + "TangentPlane", "environments.stars.StarField"),
        check_fd=False,  # positions move the image by 1e5 pixels per degree
    ),
    Case(
        "image_templates",
        _images,
        (jnp.array([2.0, -1.0]), jnp.array([0.1, -0.05]), jnp.ones((1, 2, 4)), _B[None] + 0.1),
        ((jnp.zeros(2), jnp.array([9.0, -9.0]), jnp.zeros((1, 2, 4)), _B[None]),),
        (_X + "ImageTemplates", _X + "Pointing"),
    ),
    Case(
        "cluster_counts",
        _counts,
        (x.nustar_psf(), jnp.array([2e4, 3e4]), Cluster("here", "Here", 30.0, -2.0, 3.0)),
        (),
        (_X + "ClusterCounts", _X + "signal_rows", _X + "background_rows"),
    ),
    Case(
        "packed_poisson",
        _packed,
        (_C, _T, _B, jnp.array([2.0]), jnp.array([0.9])),
        ((_C.at[0, 1:].set(0.0), _T, _B, jnp.array([0.0]), jnp.array([1e-9])),),
        ("likelihoods.PackedPoisson",),
    ),
    Case(
        "joint_flux_points",
        _joint,
        (_C, _T, _B, jnp.array([[1.5], [0.7]])),
        (),
        ("likelihoods.joint_flux_points",),
        slow=True,
    ),
]
