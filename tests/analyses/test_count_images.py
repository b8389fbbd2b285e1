"""Count images in analyses: from a stack to limits, with templates that move where they must."""

import importlib
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize
from scipy.special import xlogy

from diffaxion.analyses import Analysis, build_probe, coupling_moments
from diffaxion.analyses.count_images import build_counts, count_images, world_with_images
from diffaxion.analyses.count_limits import _at_edges, count_flux, count_limits
from diffaxion.analyses.count_points import strength_moments
from diffaxion.analyses.information import fisher_matrix
from diffaxion.environments.galaxy import uniform_fractions
from diffaxion.errors import ConfigurationError, DataError
from diffaxion.inference import strength_sigma
from diffaxion.inference.counts import counts_curve
from diffaxion.inference.limits import Q_95, LimitResult, LimitStatus
from diffaxion.inference.profile import ProfileResult
from diffaxion.likelihoods import TemplatePoisson
from diffaxion.observables.xray import Pointing
from tests import count_models as cm
from tests import xray_models as models

A, B = "obs80201050008_FPMA", "obs80201050008_FPMB"
OFFSET = f"pointings.{A}.offset_arcsec[0]"
TILT = f"pointings.{A}.background_tilt[0]"
WIDTH = "psf.nustar.king_arcsec"
NORMAL = {"dist": "normal", "mean": 0.0, "sigma": 1.0}
MOVING = {
    OFFSET: {**NORMAL, "sigma": 3.0},
    TILT: {**NORMAL, "sigma": 0.1},
    WIDTH: {"dist": "lognormal", "median": 29.01, "sigma_ln": 0.1},
    "clusters.wd1.ln_luminosity": {**NORMAL, "sigma": 0.2},
}
density = jax.jit(lambda data, z: data.loglike(z) + data.bindings.log_prior(z))
profile = jax.jit(TemplatePoisson.profile)
slope = jax.jit(jax.grad(lambda data, z: data.loglike(z) + data.bindings.log_prior(z), 1))


@pytest.fixture(scope="module")
def apart():
    """Two modules as two images."""
    return cm.built("exposure")


@pytest.fixture(scope="module")
def moving(apart):
    """Analysis in which offset, tilt, PSF and luminosity vary, the coupling does not."""
    world, probe, points = apart
    return Analysis(world, MOVING, [probe], [points])


def test_rows_are_images_times_bins(apart):
    world, probe, points = apart
    assert points.counts.shape == (6, 317)
    assert [i.names for i in probe.images] == [(A,), (B,)]
    stack = cm.stack()
    np.testing.assert_array_equal(points.counts[0], stack.counts[0, 0][stack.mask[0]])
    np.testing.assert_array_equal(points.counts[4], stack.counts[1, 1][stack.mask[1]])
    # The exposure at the centre, and less of it elsewhere: the sum is below the containment.
    np.testing.assert_allclose(probe.exposure_s[0], cm.SECONDS * np.array([1.0, 0.9, 0.8]))
    contained = world.psf["nustar"].enclosed(120.0)
    total = points.signal_template.sum(1)
    assert np.all((total < contained) & (total > 0.98 * contained))


@pytest.fixture(scope="module")
def response(apart):
    """Counts of both modules per unit a."""
    world, probe, _ = apart
    return models.response(probe, world)


def test_counts_of_a_response_are_rate_exposure_and_width(apart, response):
    world, probe, _ = apart
    rate = models.response(probe.spectrum, world)
    want = rate * 1e-4 * (cm.HIGH - cm.LOW) * probe.exposure_s
    np.testing.assert_allclose(response, want.ravel(), rtol=1e-13)


def test_summed_modules_have_one_background_and_twice_the_signal(apart):
    _, probe, points = apart
    _, whole, together = cm.built("all")
    assert [i.names for i in whole.images] == [(A, B)]
    halves = points.counts.reshape(2, 3, -1)
    np.testing.assert_array_equal(together.counts, halves.sum(0))
    rates = jnp.array([1.0, 2.0, 3.0])
    each = probe.counts(rates).reshape(2, 3)
    np.testing.assert_allclose(whole.counts(rates), each.sum(0), rtol=1e-14)
    # Equal exposures: the mean of the templates.
    means = points.signal_template.reshape(2, 3, -1).mean(0)
    np.testing.assert_allclose(together.signal_template, means, rtol=1e-12)


def test_exposure_in_area_times_time_gives_the_same_counts(apart):
    """cm^2 s at the mean area of each bin are the seconds they stand for."""
    world, probe, _ = apart
    stack = cm.stack()
    area = np.array([210.9, 133.7, 79.9])[:, None, None, None]
    images = count_images(replace(stack, exposure=stack.exposure * area, exposure_unit="cm2 s"),
                          cm.RA, cm.DEC, "exposure")  # fmt: skip
    other, _ = build_counts(images, world, cm.TARGET, uniform_fractions(32), energies_per_bin=1)
    np.testing.assert_allclose(other.exposure_s, probe.exposure_s, rtol=1e-2)


def test_stacks_that_cannot_be_summed_are_refused():
    stack = cm.stack()
    apart = replace(stack, grids=(stack.grids[0], cm.grid((40.0, 0.0))))
    with pytest.raises(DataError, match=r"image stack: .*FPMA .* 3.3[0-9]* pixels apart"):
        count_images(apart, cm.RA, cm.DEC, "all")
    assert len(count_images(apart, cm.RA, cm.DEC, "exposure").templates) == 2
    flat = replace(stack.grids[0], cd_deg=stack.grids[0].cd_deg * np.array([[1.0], [1.1]]))
    with pytest.raises(DataError, match=r"pixels of 12 x 13.2 arcsec, expected squares"):
        count_images(replace(stack, grids=(flat, stack.grids[1])), cm.RA, cm.DEC, "exposure")
    with pytest.raises(DataError, match="no exposure is left; found 2"):
        count_images(stack, cm.RA, cm.DEC, exposures=[])


def test_what_does_not_move_is_cached(apart, moving):
    world, probe, points = apart
    kept = [n for n in moving.explain()[-1]["cached"][cm.TARGET] if "template" in n]
    assert kept == []
    still = Analysis(world, {"clusters.wd1.ln_luminosity": NORMAL}, [probe], [points])
    kept = [n for n in still.explain()[-1]["cached"][cm.TARGET] if "template" in n]
    assert kept == ["background_template", "signal_template"]
    # A fixed value acts from the start.
    wide = Analysis(world, {WIDTH: 40.0}, [probe], [points]).data.points[0]
    assert np.all(wide.signal_template.sum(1) < 0.97 * points.signal_template.sum(1))


def test_paths_that_move_nothing_are_refused(apart):
    world, probe, points = apart
    other = eqx.tree_at(lambda w: w.pointings, world, {**world.pointings, "else": Pointing()})
    path = "pointings.else.offset_arcsec[0]"
    with pytest.raises(ConfigurationError, match=r"'pointings.else.* moves no template"):
        Analysis(other, {path: NORMAL}, [probe], [points])
    with pytest.raises(ConfigurationError, match="unknown"):
        Analysis(world, {path: NORMAL}, [probe], [points])


@pytest.mark.slow
def test_the_density_is_that_of_moved_templates(apart, moving):
    """ln L against a likelihood built from scratch at the bound world."""
    world, probe, points = apart
    analysis = Analysis(
        world,
        {**MOVING, "axion.u": {"dist": "uniform", "low": 0.0, "high": 20.0}},
        [probe],
        [points],
    )
    z = jnp.array([0.7, -1.1, 0.4, -0.3, 0.2])
    bound = analysis.data.bindings.apply(analysis.data.world, z)
    assert float(bound.pointings[A].offset_arcsec[0]) == pytest.approx(2.1)
    fresh = TemplatePoisson(points.counts, *probe.templates(bound))
    signal = float(bound.axion.u) ** 2 * models.response(probe, bound)
    want = fresh.log_marginal(signal) + analysis.data.bindings.log_prior(z)
    np.testing.assert_allclose(density(analysis.data, z), want, rtol=1e-12)
    for k in range(z.size):
        step = 1e-5 * jnp.eye(z.size)[k]
        numeric = (density(analysis.data, z + step) - density(analysis.data, z - step)) / 2e-5
        np.testing.assert_allclose(slope(analysis.data, z)[k], numeric, rtol=1e-5, atol=1e-6)


def test_moments_are_the_expansion_of_the_profile(apart, response):
    points = apart[2]
    found = strength_moments(response, points)

    @jax.jit
    @jax.grad
    def steepness(a, given):
        return jnp.sum(given.profile(a * response).value)

    np.testing.assert_allclose(found.score, steepness(0.0, points), rtol=1e-10)
    ideal = points.with_data(
        points.background_template
        * (points.counts.sum(1) / points.background_template.sum(1))[:, None]
    )
    bend = (steepness(1e-4, ideal) - steepness(-1e-4, ideal)) / 2e-4
    np.testing.assert_allclose(found.information, -bend, rtol=1e-6)


@pytest.fixture(scope="module")
def plain(apart, response):
    """Limits without nuisances at two masses, by the arrow solver."""
    points = apart[2]
    return counts_curve(points, jnp.stack([response, 0.5 * response])).limit


@pytest.mark.slow
def test_profile_over_moving_templates(apart, moving, plain):
    """Against a scan: at the limit, q = z^2 with the nuisances minimised by SciPy."""
    from scipy import optimize

    found = moving.profile([1e-13])
    assert found.limit.status.tolist() == [0]
    a_95 = float(found.limit.a_95[0])
    assert a_95 > float(plain.a_95[0])
    data = moving.data

    @jax.jit
    @jax.value_and_grad
    def cost(x):
        world, (response,) = data.responses(x[1:])
        return 0.5 * x[1:] @ x[1:] - data.points_in(world)[0].log_profile(x[0] * response)

    def least(fixed):
        start = np.zeros(1 + data.bindings.size)
        bounds = [(fixed, fixed) if fixed is not None else (-3.0, 20.0)]
        bounds += [(-5.0, 5.0)] * data.bindings.size
        start[0] = 0.5 if fixed is None else fixed
        fit = optimize.minimize(cost, start, jac=True, bounds=bounds, method="L-BFGS-B",
                                options={"ftol": 1e-14, "gtol": 1e-8})  # fmt: skip
        return fit.fun

    q = 2.0 * (least(a_95) - least(None))
    np.testing.assert_allclose(q, 2.7055434, atol=1e-5)


def test_counts_and_flux_points_share_one_strength(apart, plain, response):
    """A spectrum of the same cluster beside the images: curvatures add."""
    world, probe, points = apart
    spectrum = models.spectrum(cm.TARGET)
    line = build_probe(spectrum, world, "anchored", uniform_fractions(32), 1)
    both = Analysis(world, {}, [probe, line], [points, spectrum.points])
    found = both.profile(1e-13).limit
    gaussian = strength_moments(models.response(line, world), spectrum.points)

    def height(a):
        counts = jnp.sum(profile(points, a * response).value)
        return counts + gaussian.score * a - 0.5 * gaussian.information * a**2

    best, step = found.a_hat[0], 1e-3 * found.sigma[0]
    np.testing.assert_allclose(height(best + step), height(best - step), atol=1e-8)
    drop = height(best) - height(found.a_95[0])
    np.testing.assert_allclose(2.0 * drop, 2.7055434, rtol=1e-6)
    assert found.sigma[0] < plain.sigma[0]


def test_closed_forms_in_the_coupling_are_refused(moving):
    with pytest.raises(ConfigurationError, match="needs Gaussian points"):
        coupling_moments(moving.data, jnp.zeros((1, 4)))


@pytest.mark.slow
def test_information_is_the_curvature_on_asimov_data(apart, moving):
    """In all parameters, against second derivatives of the profile likelihood of Asimov data."""
    world, probe, points = apart
    strength = 2.0
    signal = strength * models.response(probe, world)
    truth = points.expected(signal, jnp.ones(6))
    ideal = eqx.tree_at(lambda d: d.points, moving.data, (points.with_data(truth),))

    def height(x):
        bound, (response,) = ideal.responses(x[1:])
        return ideal.points_in(bound)[0].log_profile(x[0] * response) - 0.5 * x[1:] @ x[1:]

    at = jnp.array([strength, 0.0, 0.0, 0.0, 0.0])
    gradient = jax.jit(jax.grad(height))
    steps = 1e-4 * jnp.eye(5)
    hessian = jnp.stack([(gradient(at + s) - gradient(at - s)) / 2e-4 for s in steps])
    found = fisher_matrix(ideal, strength)
    np.testing.assert_allclose(found, -hessian, rtol=1e-4, atol=1e-5)
    assert strength_sigma(found) > found[0, 0] ** -0.5
    # At zero signal a factor on it leaves no trace.
    np.testing.assert_allclose(fisher_matrix(ideal, 0.0, priors=False)[4, 4], 0.0, atol=1e-12)


def test_flux_points_of_images_together(apart):
    """One rate for both modules: the maximum of both likelihoods, and where they have fallen."""
    _, probe, points = apart
    found = count_flux(probe, points)
    unit = np.asarray(probe.counts(jnp.ones(3))).reshape(2, 3)
    np.testing.assert_allclose(found.signal, unit * found.flux, rtol=1e-12)

    def height(rate):
        signal = (unit * rate).ravel()
        return profile(points, jnp.asarray(signal)).value.reshape(2, 3).sum(0)

    top = height(found.flux)
    for end in (found.flux + found.plus, found.flux - found.minus):
        np.testing.assert_allclose(top - height(end), 0.5, atol=1e-9)
    total = found.signal * np.asarray(points.signal_template.sum(1)).reshape(2, 3)
    total += found.expected_background
    np.testing.assert_allclose(total.sum(0), found.counts.sum(0), rtol=1e-6)


def test_limit_curves_of_images(apart, plain, monkeypatch):
    """The mass enters through the spectrum; many pixels are merged without a change."""
    world, probe, points = apart
    # The package exports a function of the same name as the module.
    module = importlib.import_module("diffaxion.analyses.count_limits")
    monkeypatch.setattr(module, "_MANY", 10)
    (scan,) = count_limits(world, [(probe, points)], np.array([1e-13, 3e-11]))
    assert scan.name == cm.TARGET
    assert scan.status == ["OK", "OK"]
    np.testing.assert_allclose(scan.strength.a_95[0], plain.a_95[0], rtol=1e-8)
    np.testing.assert_allclose(scan.strength.median[0], plain.median[0], rtol=1e-4)
    np.testing.assert_allclose(scan.coupling.pcl[0], 1e-12 * scan.strength.pcl[0] ** 0.25)
    # Where the mass sets the phase the signal is weaker.
    assert scan.coupling.g_95[1] > 1.5 * scan.coupling.g_95[0]


def test_pointings_of_a_world_are_kept():
    images = count_images(cm.stack(), cm.RA, cm.DEC, "exposure")
    known = {B: Pointing(offset_arcsec=[1.0, 2.0])}
    world = world_with_images(cm.slab(), cm.TARGET, images, cm.stars(), pointings=known)
    assert float(world.pointings[B].offset_arcsec[1]) == 2.0
    assert float(world.pointings[A].offset_arcsec[1]) == 0.0
    assert world.stars[cm.TARGET].label.startswith("synthetic")


@pytest.mark.slow
def test_posterior_by_nuts_against_quadrature(apart):
    """Coupling and tilt of the background: mean and 95 % quantile of u."""
    world, probe, points = apart
    priors = {TILT: MOVING[TILT], "axion.u": {"dist": "uniform", "low": 0.0, "high": 12.0}}
    analysis = Analysis(world, priors, [probe], [points])
    assert analysis.names == (TILT, "axion.u")
    posterior = analysis.sample(jax.random.key(0), chains=2, warmup=200, draws=600)
    share = (np.arange(300) + 0.5) / 300
    z_u, tilt = jax.scipy.special.ndtri(share), jnp.linspace(-4.0, 4.0, 33)
    grid = jnp.stack(jnp.meshgrid(tilt, z_u, indexing="ij"), axis=-1).reshape(-1, 2)
    heights = jax.lax.map(lambda z: analysis.data.loglike(z), grid, batch_size=64)
    weight = np.exp(np.asarray(heights).reshape(33, 300) - float(heights.max()))
    weight = (weight * np.exp(-0.5 * np.asarray(tilt)[:, None] ** 2)).sum(0)
    mass = np.cumsum(weight) / weight.sum()
    u = 12.0 * share
    draws = posterior.draws["axion.u"].ravel()
    assert not np.any(posterior.diverging)
    # About 300 effective draws: three standard errors.
    assert abs(draws.mean() - np.sum(u * weight) / weight.sum()) < 0.15 * draws.std()
    np.testing.assert_allclose(np.quantile(draws, 0.95), np.interp(0.95, mass, u), rtol=0.1)


def test_fits_at_the_edge_of_the_domain_against_scipy():
    """Sparse images: one without counts, whose profile bends at 0, and one held at mu = 0."""
    x = np.linspace(-2.0, 2.0, 30)
    t = np.exp(-0.5 * (x / 0.4) ** 2)
    t = np.tile(0.9 * t / t.sum(), (2, 1))
    b = np.array([[0.02], [0.1]]) * np.ones_like(t)
    r = np.array([3.0, 2.0])
    counts = np.stack([[np.zeros(30), np.abs(x) < 0.1], [np.abs(x) > 1.7, np.abs(x) > 1.6]])
    none = jnp.zeros(1)
    names = [f for f in LimitResult.__dataclass_fields__ if f != "status"]
    stopped = jnp.full(1, int(LimitStatus.AT_BOUNDARY))
    limit = LimitResult(**dict.fromkeys(names, none), status=stopped)
    point = jnp.zeros((1, 3))
    bare = ProfileResult(limit, *[point] * 4, *[none] * 5)

    def height(a, c):
        """The profile over both backgrounds, by bounded search."""
        total = 0.0
        for s, ck, tk, bk in zip(a * r, c, t, b, strict=True):
            edge = max(0.0, np.max(-s * tk / bk)) * (1.0 + 1e-14) + 1e-12
            ends = (edge, edge + ck.sum() / bk.sum() + 1e-9)

            def low(scale, s=s, ck=ck, tk=tk, bk=bk):
                mu = s * tk + scale * bk
                return float(np.sum(mu - xlogy(ck, mu)))

            found = optimize.minimize_scalar(
                low, bounds=ends, method="bounded", options={"xatol": 1e-12}
            )
            total -= min(found.fun, low(ends[0]))
        return total

    for c in counts.astype(float):
        found = _at_edges(bare, [TemplatePoisson(c, t, b)], jnp.asarray(r)[None])
        best, end = float(found.limit.a_hat[0]), float(found.limit.a_95[0])
        peak = height(best, c)
        assert all(height(best + d, c) <= peak + 1e-9 for d in (-0.1, -0.01, 0.01, 0.1))
        np.testing.assert_allclose(2.0 * (peak - height(end, c)), Q_95, atol=1e-6)
        ts = 2.0 * (peak - height(0.0, c)) if best > 0.0 else 0.0
        np.testing.assert_allclose(found.limit.ts[0], ts, atol=1e-6)
        held = found.limit.status[0] == int(LimitStatus.AT_BOUNDARY)
        assert held == (best < 0.0)
        np.testing.assert_allclose(found.best[0, 0], best)
