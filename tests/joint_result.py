"""A made-up result of the main job: draws with known answers instead of a run."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

from diffaxion.analyses import (
    CouplingMoments,
    JointResult,
    MarginalLimit,
    ModelError,
    NuisanceCurve,
    PosteriorRun,
    Recipe,
    axion_priors,
    marginal_limits,
    parse_configuration,
    savage_dickey,
    uniform_g_draws,
)
from diffaxion.analyses.impacts import ImpactRow
from diffaxion.analyses.limit_curves import MassScan
from diffaxion.analyses.recast_probe import RecastProbe
from diffaxion.analyses.screening_run import published_recast
from diffaxion.inference import ProfileResult, check_gates
from diffaxion.inference.limits import GaussianMoments, LimitStatus, moments_limit
from diffaxion.inference.posterior import Posterior
from diffaxion.parameters import Bindings
from diffaxion.parameters.units import unit_of
from tests import xray_models as models

SHAPE = (4, 500)
MASSES = np.geomspace(1e-13, 1e-11, 12)
GRID = np.geomspace(1e-13, 1e-9, 15)
SECOND_MASS = 3e-12


def priors():
    """Thirty nuisances with the paths and widths of the kind that the main job has."""

    def normal(mean, sigma):
        return {"dist": "normal", "mean": mean, "sigma": sigma}

    def norm(sigma):
        return {"dist": "log_normal", "median": 1.0, "sigma_ln": sigma}

    found = {
        "clusters.quintuplet.ln_luminosity": normal(0.0, 0.209),
        "clusters.wd1.ln_luminosity": normal(0.0, 0.137),
        "clusters.wd1.distance_kpc": {"dist": "uniform", "low": 2.2, "high": 4.8},
        "clusters.quintuplet.ln_density": normal(0.0, 0.2),
        "clusters.wd1.ln_density": normal(0.0, 0.2),
        "galaxy.field.outer.norm_x": norm(0.3),
        "galaxy.field.outer.norm_disk": norm(0.3),
        "galaxy.field.outer.b_x_muG": normal(4.6, 0.3),
        "galaxy.field.outer.theta_x0_deg": normal(49.0, 1.0),
    }
    arms = (0.1, 3.0, -0.9, -0.8, -2.0, -4.2, 0.0)
    found |= {f"galaxy.field.outer.b_arm_muG[{k}]": normal(b, 0.4) for k, b in enumerate(arms)}
    hod = {"alpha_s": 1.304, "sigma_logM": 0.687, "log10_m_min": 11.97, "log10_m_1": 12.87}
    found |= {f"halos.hod.{k}": normal(v, 0.05 * v) for k, v in hod.items()}
    found |= {"halos.hod.truncation": normal(1.087, 0.054)}
    found |= {"halos.gas.rho_0.amplitude": norm(0.3), "halos.gas.beta.amplitude": norm(0.05)}
    found |= {
        f"halos.field.{k}": normal(0.0, 0.3) for k in ("ln_amplitude", "ln_amplitude_massive")
    }
    cosmology = {"h0_km_s_Mpc": (67.4, 0.5), "omega_b": (0.0224, 1.5e-4), "n_s": (0.966, 0.004)}
    return found | {f"cosmology.{k}": normal(*v) for k, v in cosmology.items()}


def settings(likelihoods=None, posteriors=("fixed", "sampled"), targets=models.TARGETS):
    return parse_configuration(
        {
            "model": {"targets": list(targets)},
            "likelihoods": likelihoods or {},
            "mass": {"posteriors": list(posteriors)},
            "priors": priors(),
            "seed": 3,
        }
    )


def made_up_posterior(bindings, spread, rng):
    """Independent draws of the prior in z, chains apart by ``spread`` in the coupling."""
    draws = {}
    for name, prior in zip(bindings.names, bindings.free_priors, strict=True):
        z = rng.normal(size=SHAPE)
        if name == "axion.u":
            z = 0.3 * z - 2.4 + spread * np.arange(SHAPE[0])[:, None]
        draws[f"{name}_std"] = z
        draws[name] = np.asarray(prior.from_standard(jnp.asarray(z)))
    draws["clusters.wd1.column_1e22_cm2"] = np.full(SHAPE, 2.0)
    no, zero = np.zeros(SHAPE, bool), np.zeros(SHAPE)
    gates = check_gates(draws, no, no, fixed=frozenset(["clusters.wd1.column_1e22_cm2"]))
    run = {"chains": SHAPE[0], "draws": SHAPE[1]}
    return Posterior(draws, no, no, zero, zero, np.ones(SHAPE, int), gates, run)


def made_up_run(configuration, kind, spread, seed):
    sampled = kind == "sampled"
    bindings = Bindings(priors() | axion_priors(configuration, sampled))
    # The products ask an analysis for its parameters and models only.
    analysis = SimpleNamespace(
        names=bindings.names, data=SimpleNamespace(bindings=bindings, probes=())
    )
    posterior = made_up_posterior(bindings, spread, np.random.default_rng(seed))
    size = SHAPE[0] * SHAPE[1]
    scale = np.exp(0.2 * posterior.flat("halos.field.ln_amplitude_std"))
    score = np.full(size, 5e-4)
    moments = CouplingMoments(score, 4e-5 * scale, np.full(size, 1e-3), 1e-3 * scale)
    marginal = marginal_limits(moments, 1600.0)
    headline, confirmation = {}, None
    if posterior.converged:
        index, g = uniform_g_draws(moments, 1600.0, 3)
        headline = {"g_GeV": g}
        headline |= {n: posterior.flat(n)[index] for n in bindings.names if n != "axion.u"}
        confirmation = MarginalLimit("uniform_g", 1.01 * marginal[0].g_95_GeV, 1800.0, "", 3e-14)
    else:
        failed = "the chains did not pass the convergence gates"
        marginal = [MarginalLimit(m.prior, float("nan"), m.kish, failed) for m in marginal]
    return PosteriorRun(
        kind,
        None if sampled else configuration.mass.fixed_eV,
        analysis,
        posterior,
        marginal,
        headline,
        savage_dickey(moments, 1600.0),
        ModelError(("xray", "cmb"), (1e-3, 2e-3), (4e-3, 9e-3), -1.5e-3, 48),
        0.5,
        confirmation,
        ["resumed by force: versions.jax differed"] if sampled else [],
    )


def scan(name, width):
    """X-ray limits without nuisances: weaker beyond 1e-11 eV, field structure beyond 1e-10 eV."""
    information = width / (1.0 + (GRID / 2e-11) ** 2) ** 2
    strength = moments_limit(GaussianMoments(jnp.asarray(1e-3 * information), information))
    strength = strength.flag(LimitStatus.FIELD_STRUCTURE, GRID > 1e-10)
    coupling = strength.to_coupling()
    pcl = np.asarray(coupling.pcl)
    return MassScan(name, GRID, strength, coupling, 0.9 * pcl, 1.1 * pcl)


def nuisance_curve(name, order, information, scale=1.0):
    """Limits of given information; no Bayesian limit where there is hardly any."""
    information = jnp.asarray(information)
    limit = moments_limit(GaussianMoments(0.2 * jnp.sqrt(information), information))
    n = MASSES.size
    zero, none = jnp.zeros((n, 3)), jnp.zeros(n)
    profile = ProfileResult(
        limit, zero, zero, zero, zero, none, none, none, zero[:, 1:] > 1, none > 1
    )
    g = 1.05 * scale * np.asarray(limit.to_coupling(1e-12, order).median)
    open_end = "the posterior has not fallen off at the end of the prior"
    bayes = [
        MarginalLimit("uniform_g", float(x), 900.0)
        if np.isfinite(x) and x < 4e-11
        else MarginalLimit("uniform_g", float("nan"), 900.0, open_end)
        for x in g
    ]
    return NuisanceCurve(name, MASSES, order, profile, bayes)


def made_up_curves(likelihoods, scale=1.0):
    x = MASSES / 1e-12
    xray = 4e-3 / (1.0 + (x / 8.0) ** 2) ** 2
    # Screening loses its halos at both ends.
    inside = (MASSES > 2e-13) & (MASSES < 8e-12)
    cmb = np.where(inside, 0.4 * np.exp(-1.2 * np.log(x / 0.8) ** 2), 0.0)
    curves = []
    if likelihoods.xray and likelihoods.cmb != "none":
        curves.append(nuisance_curve("joint", 1, np.sqrt(xray) + cmb, scale))
    if likelihoods.xray:
        curves.append(nuisance_curve("xray", 2, xray, scale))
    if likelihoods.cmb != "none":
        curves.append(nuisance_curve("cmb", 1, cmb, scale))
    return curves


def made_up_impacts(configuration):
    """Impacts that span orders of magnitude; one of them below what counts."""
    rng = np.random.default_rng(1)
    rows = []
    for mass in (configuration.mass.fixed_eV, SECOND_MASS):
        for k, path in enumerate(priors()):
            slope = 0.2 * 0.8**k * rng.uniform(0.5, 1.0) * (-1.0) ** k
            if path == "cosmology.n_s":
                slope = 2e-5
            rows.append(ImpactRow(path, unit_of(path), slope, 0.98, 0.98 * abs(slope), mass))
    return rows


def make_result(likelihoods=None, posteriors=("fixed", "sampled"), spread=0.0, variants=True):
    """A result with the structures of a real one."""
    configuration = settings(likelihoods, posteriors)
    parts = configuration.likelihoods
    cmb = None
    if parts.cmb == "recast":
        cmb = RecastProbe(None, None, published_recast(), None, anchor=parts.anchor)
    recipe = Recipe(configuration, models.world(), [], cmb, None, None)
    scans = {}
    if parts.xray:
        widths = {"quintuplet": 3e-3, "wd1": 1.5e-3, "joint": 4.5e-3}
        scans = {
            mode: [scan(n, factor * w) for n, w in widths.items()]
            for mode, factor in (("published", 1.0), ("anchored", 0.7))
        }
    runs = [made_up_run(configuration, p, spread, k) for k, p in enumerate(posteriors)]
    other = made_up_curves(parts, 1.1)
    return JointResult(
        configuration,
        recipe,
        scans,
        made_up_curves(parts),
        runs,
        {"limit curves": 1.5, "posterior": 2.5},
        made_up_impacts(configuration),
        {"anchor-paper": other} if variants else {},
    )
