"""Residual foregrounds of bandpowers: marginalised, profiled and sampled they say the same."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float
from scipy import optimize, stats

from diffaxion.analyses import Analysis, coupling_moments, moments_of
from diffaxion.analyses.config import Configuration
from diffaxion.analyses.configured import configured_bindings
from diffaxion.analyses.joint_model import joint_world
from diffaxion.analyses.marginal import limits_of_masses, marginal_limits
from diffaxion.analyses.moments import CouplingMoments
from diffaxion.analyses.profile_nuisances import profile_over_nuisances
from diffaxion.analyses.recast_probe import bandpower_probe
from diffaxion.analyses.screening_data import file_data
from diffaxion.analyses.screening_limits import screening_limits
from diffaxion.conversion import Axion
from diffaxion.data.bandpowers import Bandpowers, write_bandpowers
from diffaxion.errors import ConfigurationError
from diffaxion.likelihoods import GaussianPoints, ResidualTemplates
from diffaxion.observables.world import World
from tests.data.test_bandpowers import content
from tests.recast_models import small

RESPONSE = np.array([-1.0, -0.7, -0.4, -0.2])
TEMPLATES = np.array([[0.5, 0.9, 1.0, 0.8], [1.0, 0.2, -0.3, 0.1]])
SIGMA = np.array([1.5, 0.4])
COVARIANCE = 0.3 * np.eye(4) + 0.05
DATA = np.array([-0.3, 0.9, 1.4, 0.2])
NAMES = ("cib", "dust")
PRIORS = {
    "residuals.cib": {"dist": "normal", "mean": 0.0, "sigma": 1.5},
    "residuals.dust": {"dist": "normal", "mean": 0.0, "sigma": 0.4},
}


class Screen(eqx.Module):
    """Bandpowers with residuals, without any physics."""

    residuals: ResidualTemplates | None
    order: ClassVar[int] = 1

    def prepare(self, world, free):
        return {}

    def background(self, world) -> Float[Array, " n"]:
        return self.residuals.background(
            jnp.stack([world.residuals[n] for n in self.residuals.names])
        )

    def with_residuals(self, residuals):
        return Screen(residuals)

    def response(self, world, cache=None):
        return jnp.asarray(RESPONSE) + 0.0 * world.axion.m_a_eV


@pytest.fixture(scope="module")
def points():
    return GaussianPoints.from_covariance(DATA, COVARIANCE)


@pytest.fixture(scope="module")
def residuals():
    return ResidualTemplates(TEMPLATES, SIGMA, NAMES)


def analysis(points, residuals, priors=PRIORS):
    world = World(Axion(5e-13, 1.0), residuals={n: jnp.zeros(()) for n in NAMES})
    return Analysis(world, priors, [Screen(residuals)], [points])


def test_marginalised_covariance_is_the_integral_over_amplitudes(points, residuals):
    """Against a sum over a grid of both amplitudes, and C + sum sigma^2 c c^T."""
    out = residuals.marginalise(points)
    expected = COVARIANCE + TEMPLATES.T @ np.diag(SIGMA**2) @ TEMPLATES
    np.testing.assert_allclose(out.scale @ out.scale.T, expected, rtol=1e-12)
    nodes = np.linspace(-7.0, 7.0, 141)
    a, b = (s * g for s, g in zip(SIGMA, np.meshgrid(nodes, nodes, indexing="ij")))
    weight = stats.norm.pdf(a, scale=SIGMA[0]) * stats.norm.pdf(b, scale=SIGMA[1])
    cell = (SIGMA * 0.1).prod()
    for u in (-0.5, 0.0, 1.3):
        mean = u * RESPONSE + a[..., None] * TEMPLATES[0] + b[..., None] * TEMPLATES[1]
        density = stats.multivariate_normal(cov=COVARIANCE).pdf(DATA - mean)
        integral = np.log(np.sum(density * weight) * cell)
        np.testing.assert_allclose(out.log_prob(u * jnp.asarray(RESPONSE)), integral, rtol=1e-9)


def test_independent_points_get_a_matrix(residuals):
    out = residuals.marginalise(GaussianPoints(DATA, np.full(4, 0.5)))
    np.testing.assert_allclose(
        out.scale @ out.scale.T - TEMPLATES.T @ np.diag(SIGMA**2) @ TEMPLATES,
        0.25 * np.eye(4),
        atol=1e-14,
    )


def test_profile_over_amplitudes_is_the_marginal(points, residuals):
    """q of the profile, by a minimiser, equals that of the larger covariance."""
    out = residuals.marginalise(points)
    inverse = np.linalg.inv(COVARIANCE)

    def chi2(u):
        def of(a):
            r = DATA - u * RESPONSE - a @ TEMPLATES
            return r @ inverse @ r + np.sum((a / SIGMA) ** 2)

        return optimize.minimize(of, np.zeros(2), tol=1e-12).fun

    grid = np.array([-1.0, 0.0, 0.7, 2.0])
    profile = np.array([chi2(u) for u in grid])
    marginal = -2.0 * np.array([out.log_prob(u * jnp.asarray(RESPONSE)) for u in grid])
    np.testing.assert_allclose(profile - profile[0], marginal - marginal[0], rtol=0, atol=1e-8)
    mean, covariance = residuals.fit(points, 0.7 * jnp.asarray(RESPONSE))
    found = optimize.minimize(
        lambda a: (
            0.5
            * (
                (r := DATA - 0.7 * RESPONSE - a @ TEMPLATES) @ inverse @ r
                + np.sum((a / SIGMA) ** 2)
            )
        ),
        np.zeros(2),
        tol=1e-12,
    )
    np.testing.assert_allclose(mean, found.x, atol=1e-6)
    hessian = TEMPLATES @ inverse @ TEMPLATES.T + np.diag(SIGMA**-2)
    np.testing.assert_allclose(covariance, np.linalg.inv(hessian), rtol=1e-10)


@pytest.mark.slow
def test_sampled_amplitudes_give_the_marginal_posterior(points, residuals):
    """NUTS over coupling and amplitudes against closed forms of the marginal likelihood."""
    u = {"axion.u": {"dist": "uniform", "low": 0.0, "high": 8.0}}
    run = analysis(points, residuals, PRIORS | u)
    found = run.sample(
        jax.random.key(3), draws=3000, warmup=300, chains=2, progress=None, chunk=1000
    )
    draws = {n: np.asarray(v).ravel() for n, v in found.draws.items()}
    out = residuals.marginalise(points)
    grid = np.linspace(0.0, 8.0, 4001)
    log = np.array(jax.vmap(lambda x: out.log_prob(x * jnp.asarray(RESPONSE)))(grid))
    cdf = np.cumsum(np.exp(log - log.max()))
    cdf /= cdf[-1]
    # Six thousand draws of ten correlated steps: errors of a quantile of 0.02.
    for level in (0.25, 0.5, 0.9):
        np.testing.assert_allclose(
            np.interp(np.quantile(draws["axion.u"], level), grid, cdf), level, atol=0.04
        )
    weight = np.gradient(cdf)
    mean = np.stack([residuals.fit(points, x * jnp.asarray(RESPONSE))[0] for x in grid[::40]])
    expected = (mean * weight[::40, None]).sum(axis=0) / weight[::40].sum()
    for k, name in enumerate(NAMES):
        np.testing.assert_allclose(draws[f"residuals.{name}"].mean(), expected[k], atol=0.06)
    assert abs(expected[0]) > 0.3


def test_density_holds_the_residuals(points, residuals):
    run = analysis(points, residuals)
    z = jnp.array([0.6, -1.1])
    amplitudes = np.asarray(z) * SIGMA
    r = DATA - RESPONSE - amplitudes @ TEMPLATES
    expected = stats.multivariate_normal(cov=COVARIANCE).logpdf(r)
    np.testing.assert_allclose(run.loglike(z), expected, rtol=1e-12)
    found = coupling_moments(run.data, z[None])
    clean = DATA - amplitudes @ TEMPLATES
    inverse = np.linalg.inv(COVARIANCE)
    np.testing.assert_allclose(found.score_u[0], RESPONSE @ inverse @ clean, rtol=1e-10)
    null = 0.5 * (DATA @ inverse @ DATA - clean @ inverse @ clean)
    np.testing.assert_allclose(found.log_null[0], null, rtol=1e-10)
    none = run.marginalised()
    assert none.names == run.names
    np.testing.assert_allclose(none.loglike(z), none.loglike(0 * z), rtol=1e-14)


def test_limits_at_fixed_masses(points, residuals):
    """Profile by the Newton solver and prior draws, sampled against marginalised."""
    run = analysis(points, residuals)
    masses = np.array([5e-13])
    closed = residuals.marginalise(points)
    exact = moments_of(run.marginalised().data, (jnp.asarray(RESPONSE),))
    np.testing.assert_allclose(
        exact.information_u, np.sum(np.asarray(closed.whiten(jnp.asarray(RESPONSE))) ** 2)
    )
    profile = profile_over_nuisances(run.data, masses)
    sigma = exact.information_u**-0.5
    limit = exact.score_u * sigma**2 + np.sqrt(2.7055) * sigma
    np.testing.assert_allclose(profile.limit.a_95[0], limit, rtol=1e-5)
    z = jax.random.normal(jax.random.key(1), (40_000, 2))
    rows = coupling_moments(run.data, z)
    weighted = limits_of_masses(CouplingMoments(*(np.asarray(x)[None] for x in rows)), 100.0)[0]
    direct = marginal_limits(
        CouplingMoments(*(np.full(500, float(x)) for x in exact)), 100.0, priors=("uniform_g",)
    )[0]
    # The error of a limit from weighted draws is about its share of their number.
    assert 400.0 < weighted.kish < 30_000.0
    np.testing.assert_allclose(weighted.g_95_GeV, direct.g_95_GeV, rtol=0.02)


@pytest.mark.parametrize(
    ("prior", "gone"),
    [
        ({"dist": "normal", "mean": 0.5, "sigma": 0.2}, True),
        ({"dist": "uniform", "low": -1.0, "high": 1.0}, False),
        (0.3, False),
    ],
)
def test_only_normal_amplitudes_are_integrated_out(points, residuals, prior, gone):
    run = analysis(points, residuals, PRIORS | {"residuals.dust": prior})
    left = run.marginalised().data
    kept = left.probes[0].residuals
    if gone:
        assert kept is None
        shifted = DATA - 0.5 * TEMPLATES[1]
        np.testing.assert_allclose(left.points[0].data, shifted, rtol=1e-12)
        return
    assert kept.names == ("dust",)
    np.testing.assert_array_equal(kept.templates, TEMPLATES[1:])


def bandpowers(tmp_path, **changes):
    fields = content() | {
        "residual_uK": 1e-6 * np.array([[1.0, 0.5, 0.2], [0.0, 1.0, -1.0]]),
        "residual_names": ("cib_dT", "cib_dbeta"),
        "residual_sigma": np.array([1.0, 2.0]),
    }
    return write_bandpowers(tmp_path / "bandpowers.npz", Bandpowers(**(fields | changes)))


def test_limits_of_a_file_with_residuals(tmp_path):
    """The limit is that of the larger covariance, and weaker than without the residuals."""
    full = Bandpowers(**np_content(tmp_path))
    data = file_data(full)
    responses = -1e-6 * np.array([[1.0, 0.8, 0.6]])
    found = screening_limits([5e-13], responses, data)
    c = full.cov_uK2 + (full.residual_uK.T * full.residual_sigma**2) @ full.residual_uK
    inverse = np.linalg.inv(c)
    sigma = (responses[0] @ inverse @ responses[0]) ** -0.5
    np.testing.assert_allclose(found.sigma[0], sigma, rtol=1e-9)
    np.testing.assert_allclose(found.chi2_null, full.cl_Tg_uK @ inverse @ full.cl_Tg_uK, rtol=1e-9)
    plain = screening_limits([5e-13], responses, file_data(Bandpowers(**content())))
    assert found.sigma[0] > 1.2 * plain.sigma[0]


def np_content(tmp_path):
    with np.load(bandpowers(tmp_path), allow_pickle=False) as archive:
        return {k: archive[k] for k in archive.files}


def test_configuration_binds_the_amplitudes_of_a_file(tmp_path):
    path = bandpowers(tmp_path)
    settings = Configuration.model_validate({"likelihoods": {"xray": False, "cmb": f"file:{path}"}})
    world = joint_world(settings)
    assert set(world.residuals) == {"cib_dT", "cib_dbeta"}
    names = configured_bindings(settings, world).explain()
    assert {r.path: r.prior for r in names if r.path.startswith("residuals")} == {
        "residuals.cib_dT": "Normal(0, 1)",
        "residuals.cib_dbeta": "Normal(0, 2)",
    }
    own = settings.model_copy(update={"priors": {"residuals.cib_dT": 0.5}})
    assert float(joint_world(own).residuals["cib_dT"]) == 0.5
    wrong = settings.model_copy(update={"priors": {"residuals.cib_dt": 0.5}})
    with pytest.raises(ConfigurationError, match=r"residuals.cib_dt.*residuals.cib_dT"):
        joint_world(wrong)


def test_probe_of_a_file_has_its_residuals(tmp_path):
    """Templates times amplitudes of the world; nothing where the file has none."""
    section, world, _ = small()
    data = file_data(Bandpowers(**np_content(tmp_path)))
    probe = bandpower_probe(section, world, data)
    amplitudes = {"cib_dT": jnp.asarray(0.5), "cib_dbeta": jnp.asarray(-1.0)}
    world = eqx.tree_at(lambda w: w.residuals, world, amplitudes)
    np.testing.assert_allclose(probe.background(world), [5e-7, -0.75e-6, 1.1e-6], rtol=1e-12)
    assert probe.with_residuals(None).background(world) is None
