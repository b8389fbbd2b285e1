"""Bandpowers as a function of the responses: the whole pipeline again, and its differences."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from diffaxion.sky import (
    apply_weights,
    cross_functional,
    dust_response,
    get_transforms,
    ilc_stage,
    needlet_ilc,
)
from diffaxion.sky.transforms import alm_product, cross_spectrum

from .test_nilc import (
    BACKEND,
    DEPROJECTED,
    LMAX,
    NAMES,
    NSIDE,
    RESPONSES,
    SETTINGS,
    draw,
    make_sky,
)

FREQ = jnp.array([70.0, 100.0, 143.0, 217.0, 353.0, 545.0])
FIDUCIAL = jnp.array([24.0, 1.4])
# The last scale has as many constraints as channels, the third no derivative of the CIB.
CHANNELS = (NAMES, NAMES, NAMES, NAMES[2:])
COMPONENTS = (DEPROJECTED, DEPROJECTED, DEPROJECTED[:2], DEPROJECTED)
TOP = 40


@eqx.filter_jit
def matrix(theta):
    """Responses (n, c) with a CIB of theta = (T_d [K], beta), without passbands."""

    def cib(beta):
        return dust_response(FREQ, theta[0], beta)

    value, slope = jax.jvp(cib, (theta[1],), (jnp.ones(()),))
    fixed = [jnp.asarray(RESPONSES[n]) for n in ("screening", "tsz")]
    return jnp.stack([*fixed, value, slope], axis=1)


def responses(theta):
    """The same by name."""
    return dict(zip(("screening", *DEPROJECTED), np.asarray(matrix(theta)).T))


@pytest.fixture(scope="module")
def problem(request):
    """Sky, settings, and what makes bandpowers of a map: mask, galaxies, bins."""
    _, alms, beams = make_sky()
    transforms = get_transforms(BACKEND)
    settings = dataclasses.replace(SETTINGS, channels=CHANNELS, variant=request.param)
    mask = 0.5 + 0.5 * np.cos(np.arange(12 * NSIDE**2) / 1000.0) ** 2
    galaxies = transforms.analysis(mask * transforms.synthesis(draw(77), NSIDE), TOP, 3)
    bins = np.zeros((3, TOP + 1))
    for b, row in enumerate(bins):
        row[5 + 10 * b : 15 + 10 * b] = 0.1
    covariance_mask = (mask > 0.6).astype(float)
    return alms, beams, settings, mask, galaxies, bins, covariance_mask


@pytest.fixture(scope="module")
def stage(problem):
    alms, beams, settings, mask, galaxies, bins, covariance_mask = problem
    transforms = get_transforms(BACKEND)
    q = cross_functional(galaxies, mask, bins, transforms, LMAX)
    return ilc_stage(
        alms,
        beams,
        responses(FIDUCIAL),
        COMPONENTS,
        settings,
        q,
        names=NAMES,
        mask=covariance_mask,
    )


def pipeline(problem, theta):
    """Bandpowers by cleaning, masking, transforming and binning."""
    alms, beams, settings, mask, galaxies, bins, covariance_mask = problem
    transforms = get_transforms(BACKEND)
    found = needlet_ilc(
        alms,
        beams,
        responses(theta),
        {"set": COMPONENTS},
        settings,
        names=NAMES,
        mask=covariance_mask,
    )["set"]
    masked = transforms.analysis(mask * found.map(), TOP, 3)
    return found, bins @ cross_spectrum(masked, galaxies)


@pytest.mark.parametrize("problem", ["interpolated"], indirect=True)
def test_functional_of_a_cross_spectrum(problem):
    _, _, _, mask, galaxies, bins, _ = problem
    transforms = get_transforms(BACKEND)
    q = cross_functional(galaxies, mask, bins, transforms, LMAX)
    alm = draw(78)
    masked = transforms.analysis(mask * transforms.synthesis(alm, NSIDE), TOP, 3)
    np.testing.assert_allclose(alm_product(q, alm), bins @ cross_spectrum(masked, galaxies))


@pytest.mark.parametrize("problem", ["interpolated", "exact"], indirect=True)
def test_bandpowers_and_map_are_those_of_the_pipeline(problem, stage):
    """Also away from the fiducial responses, where only the weights change: 1e-9."""
    model, instrument, order = stage
    assert order == ("screening", *DEPROJECTED)
    for theta in (FIDUCIAL, jnp.array([20.0, 1.6])):
        found, expected = pipeline(problem, theta)
        bandpowers = model.bandpowers(matrix(theta))
        scale = np.abs(expected).max()
        np.testing.assert_allclose(bandpowers / scale, expected / scale, atol=1e-9)
        weights = model.scale_weights(model.weights(matrix(theta)))
        alm = apply_weights(instrument, [weights], problem[0])[0]
        np.testing.assert_allclose(alm, found.alm, atol=1e-9 * np.abs(found.alm).max())


@pytest.mark.parametrize("problem", ["interpolated"], indirect=True)
def test_jacobian_is_that_of_differences(problem, stage):
    """1e-5 of central differences of the whole pipeline, in temperature and slope of the CIB."""
    model, _, _ = stage
    found = np.asarray(jax.jit(jax.jacfwd(lambda t: model.bandpowers(matrix(t))))(FIDUCIAL))
    for k, h in enumerate((3e-3, 1e-4)):
        step = h * jnp.eye(2)[k]
        up, down = (pipeline(problem, FIDUCIAL + s * step)[1] for s in (1, -1))
        expected = (up - down) / (2.0 * h)
        np.testing.assert_allclose(found[:, k], expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("problem", ["interpolated"], indirect=True)
def test_derivative_of_the_map(problem, stage):
    """Derivatives of weights are combined with maps like weights: 1e-5 of differences."""
    model, instrument, _ = stage
    step = jnp.array([0.0, 1.0])
    _, along = jax.jvp(lambda t: model.weights(matrix(t)), (FIDUCIAL,), (step,))
    alm = apply_weights(instrument, [model.scale_weights(along)], problem[0])[0]
    h = 1e-4
    up, down = (pipeline(problem, FIDUCIAL + s * h * step)[0].alm for s in (1, -1))
    expected = (up - down) / (2.0 * h)
    np.testing.assert_allclose(alm, expected, atol=1e-5 * np.abs(expected).max())
