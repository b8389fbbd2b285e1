"""The main job: limit curves, posterior of coupling, mass and nuisances, profile limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..constants import G_REF_GEV
from ..environments.galaxy.sightline import adaptive_fractions
from ..inference.limits import Q_95
from ..inference.profile import ProfileResult
from ..inference.sample import Posterior
from ..observables.world import World
from .analysis import MASS, STRENGTH, Analysis, strength_moments
from .checks import analysis_priors
from .config import Configuration
from .limit_curves import JOINT, MassScan, limit_curves
from .nuisances import (
    MarginalLimit,
    bayes_over_masses,
    marginal_limits,
    profile_over_nuisances,
    uniform_g_draws,
)
from .star_clusters import (
    FluxSpectrum,
    build_probe,
    build_probes,
    configured_world,
    published_spectrum,
)

Progress = Callable[[str, float], None]
# Draws whose one-dimensional posteriors enter the limits under other priors.
_MIXTURE_DRAWS = 2000


@dataclass(frozen=True)
class JointResult:
    """Everything that the products of the main job are made from.

    Attributes
    ----------
    configuration : Configuration
        Settings.
    world : World
        Root tree at its fiducial point.
    scans : dict of str to list of MassScan
        Limit curves by signal mode, ``published`` and ``anchored``.
    analysis : Analysis
        Priors and models of the posterior.
    posterior : Posterior
        Draws and diagnostics.
    marginal : list of MarginalLimit
        Bayesian limits under several priors [GeV^-1].
    headline : dict of str to array, shape (d,)
        Draws of the posterior with the headline prior, uniform in g: ``g_GeV`` and the bound
        paths; empty where the limit with that prior is refused.
    profile_masses_eV : array, shape (k,)
        Masses of the profile limits [eV].
    profile : ProfileResult
        Limits with all nuisances profiled, fields with leading axis (k,).
    bayes : list of MarginalLimit
        Limits uniform in g with all nuisances marginalised, at the same masses.
    seconds : dict of str to float
        Wall time of each step [s].
    compile_s : float
        Part of the posterior's time that went into set-up and compilation [s].
    """

    configuration: Configuration
    world: World
    scans: dict[str, list[MassScan]]
    analysis: Analysis
    posterior: Posterior
    marginal: list[MarginalLimit]
    headline: dict[str, np.ndarray]
    profile_masses_eV: np.ndarray
    profile: ProfileResult
    bayes: list[MarginalLimit]
    seconds: dict[str, float] = field(default_factory=dict)
    compile_s: float = float("nan")

    def g_GeV(self) -> np.ndarray:
        """Draws of the coupling [GeV^-1], shape (chains, draws)."""
        return np.sqrt(self.posterior.draws[STRENGTH]) * G_REF_GEV


def scan_signals(
    world: World,
    configuration: Configuration,
    spectra: list[FluxSpectrum] | None = None,
    signals: tuple[str, ...] = ("published", "anchored"),
    m_a_eV: np.ndarray | None = None,
) -> dict[str, list[MassScan]]:
    """Limit curves without nuisances for each signal mode.

    Parameters
    ----------
    world : World
        Root tree.
    configuration : Configuration
        Settings.
    spectra : list of FluxSpectrum, optional
        Data; the published spectra by default.
    signals : tuple of str
        Modes.
    m_a_eV : array, shape (k,), optional
        Masses [eV]; the configured grid by default.

    Returns
    -------
    dict of str to list of MassScan
        Curves of shape (k,) by mode.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    mass, numerics = configuration.mass, configuration.numerics
    grid = np.geomspace(*mass.grid_eV, mass.grid_points) if m_a_eV is None else m_a_eV
    threshold = configuration.coupling.q_threshold or Q_95
    scans = {}
    for signal in signals:
        probes, data = build_probes(world, configuration, signal, spectra)
        scans[signal] = limit_curves(
            world,
            probes,
            [s.points for s in data],
            grid,
            numerics.smoothing_kpc,
            numerics.field_structure_above_eV,
            threshold,
        )
    return scans


def build_analysis(
    world: World,
    configuration: Configuration,
    spectra: list[FluxSpectrum],
    with_axion: bool = True,
) -> Analysis:
    """Analysis of the posterior (``with_axion``) or of the profile over nuisances.

    Parameters
    ----------
    world : World
        Root tree.
    configuration : Configuration
        Settings; its priors bind paths of the world.
    spectra : list of FluxSpectrum
        Data [keV, 1e-4 counts s^-1 keV^-1].
    with_axion : bool
        Whether coupling and mass are sampled too.

    Returns
    -------
    Analysis
        Ready to sample or to profile.

    Raises
    ------
    ConfigurationError
        If a prior names an unknown path, or one of ``axion.u`` and ``axion.m_a_eV``, which have
        their own sections.

    References
    ----------
    None: assembly.
    """
    priors = analysis_priors(configuration, with_axion)
    numerics, mass = configuration.numerics, configuration.mass
    top = mass.prior_eV[1] if mass.fixed_eV is None else mass.fixed_eV
    probes = [
        build_probe(
            s,
            world,
            configuration.model.signal,
            sampler_fractions(world, s, numerics.sampler_nodes, top),
            numerics.sampler_energies_per_bin,
        )
        for s in spectra
    ]
    return Analysis(world, priors, probes, [s.points for s in spectra])


def sampler_fractions(
    world: World, spectrum: FluxSpectrum, nodes: int, m_a_eV: float
) -> Float[Array, " n"]:
    """Base nodes that follow the phase, so that a few of them serve a sampler.

    Parameters
    ----------
    world : World
        Root tree.
    spectrum : FluxSpectrum
        Its lowest energy has the fastest phase [keV].
    nodes : int
        Number n of nodes.
    m_a_eV : float
        Largest mass [eV].

    Returns
    -------
    float array, shape (n,)
        Fractions of the distance.

    References
    ----------
    None: a grid.
    """
    source = world.clusters[spectrum.target]
    line = world.galaxy.sightline(source.longitude_deg, source.latitude_deg, source.distance_kpc)
    density = world.galaxy.density_toward(spectrum.target)
    low = float(spectrum.low_keV[0])
    return adaptive_fractions(line, density, world.galaxy.field, nodes, m_a_eV, low)


def run_joint(configuration: Configuration, progress: Progress | None = None) -> JointResult:
    """Limit curves, posterior and profile limits of a configuration.

    Parameters
    ----------
    configuration : Configuration
        Settings.
    progress : callable, optional
        Called with (step, fraction done).

    Returns
    -------
    JointResult
        What the products are made from; masses [eV], couplings [GeV^-1], shapes as stated there.

    Raises
    ------
    ConfigurationError
        On unknown names or paths.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    report = progress or (lambda step, done: None)
    seconds: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(step: str) -> None:
        nonlocal clock
        seconds[step], clock = time.perf_counter() - clock, time.perf_counter()

    report("limit curves", 0.0)
    world = configured_world(configuration)
    spectra = [published_spectrum(t) for t in configuration.model.targets]
    scans = scan_signals(world, configuration, spectra)
    lap("limit curves")

    # Limits at fixed masses and the posterior compile different programs: side by side they use
    # two cores.
    mass = configuration.mass
    masses = (
        np.geomspace(*mass.prior_eV, mass.profile_points)
        if mass.fixed_eV is None
        else np.array([mass.fixed_eV])
    )
    with ThreadPoolExecutor(max_workers=1) as pool:
        beside = pool.submit(limits_with_nuisances, world, configuration, spectra, masses)
        report("posterior", 0.0)
        analysis = build_analysis(world, configuration, spectra)
        scan = next(
            s for s in scans[configuration.model.signal] if s.name in (JOINT, spectra[0].target)
        )
        posterior, compile_s = sample_posterior(analysis, configuration, scan, report)
        lap("posterior")

        report("limits under other priors", 0.0)
        names = analysis.names
        z = np.stack([posterior.flat(f"{n}_std") for n in names], axis=-1)
        step = max(1, len(z) // _MIXTURE_DRAWS)
        thin = jnp.asarray(z[::step])
        score, information = (np.asarray(x) for x in strength_moments(analysis.data, thin))
        coupling = configuration.coupling
        marginal = marginal_limits(score, information, coupling.u_max, coupling.confidence)
        if not posterior.converged:
            failed = "the chains did not pass the convergence gates"
            marginal = [MarginalLimit(m.prior, float("nan"), m.kish, failed) for m in marginal]
        headline = {}
        if not marginal[0].reason:
            index, g = uniform_g_draws(score, information, coupling.u_max, configuration.seed)
            headline = {"g_GeV": g}
            headline |= {n: posterior.flat(n)[::step][index] for n in names if n != STRENGTH}
        lap("limits under other priors")
        report("limits at fixed masses", 0.0)
        profile, bayes = beside.result()
        lap("limits at fixed masses")
    return JointResult(
        configuration,
        world,
        scans,
        analysis,
        posterior,
        marginal,
        headline,
        masses,
        profile,
        bayes,
        seconds,
        compile_s,
    )


def limits_with_nuisances(
    world: World, configuration: Configuration, spectra: list[FluxSpectrum], m_a_eV: np.ndarray
) -> tuple[ProfileResult, list[MarginalLimit]]:
    """Profile and Bayesian limits with all nuisances at fixed masses.

    Parameters
    ----------
    world : World
        Root tree.
    configuration : Configuration
        Settings.
    spectra : list of FluxSpectrum
        Data [keV, 1e-4 counts s^-1 keV^-1].
    m_a_eV : array, shape (k,)
        Masses [eV].

    Returns
    -------
    profile : ProfileResult
        Fields with leading axis (k,).
    bayes : list of MarginalLimit
        Prior uniform in g, one per mass [GeV^-1].

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    analysis = build_analysis(world, configuration, spectra, with_axion=False)
    coupling = configuration.coupling
    profile = profile_over_nuisances(analysis, m_a_eV, coupling.q_threshold or Q_95)
    key = jax.random.fold_in(jax.random.key(configuration.seed), 1)
    bayes = bayes_over_masses(analysis, m_a_eV, key, coupling.u_max, coupling.confidence)
    return jax.block_until_ready(profile), bayes


def sample_posterior(
    analysis: Analysis, configuration: Configuration, scan: MassScan, report: Progress
) -> tuple[Posterior, float]:
    """NUTS from a start at a third of the expected limit, where the likelihood is flat.

    Parameters
    ----------
    analysis : Analysis
        Priors and models.
    configuration : Configuration
        Sampler settings and seed.
    scan : MassScan
        Limits without nuisances, shape (k,), which set the start.
    report : callable
        Called with (step, fraction done).

    Returns
    -------
    posterior : Posterior
        Draws by dotted path, shape (chains, draws).
    compile_s : float
        Time before the second chunk less that of a later one: set-up and compilation [s].

    References
    ----------
    Hoffman & Gelman 2014, arXiv:1111.4246.
    """
    settings = configuration.sampler
    expected = jnp.sqrt(scan.strength.median[0])
    start = {STRENGTH: jnp.minimum(expected / 3.0, 0.5 * configuration.coupling.u_max)}
    if MASS in analysis.names:
        start[MASS] = jnp.sqrt(jnp.prod(jnp.asarray(configuration.mass.prior_eV)))
    z = analysis.data.bindings.standardise(start)
    ticks = [time.perf_counter()]

    def tick(done: int, total: int, info: dict[str, float]) -> None:
        ticks.append(time.perf_counter())
        report("posterior", done / total)

    posterior = analysis.sample(
        jax.random.key(configuration.seed),
        initial={f"{n}_std": z[k] for k, n in enumerate(analysis.names)},
        progress=tick,
        chains=settings.chains,
        warmup=settings.warmup,
        draws=settings.draws,
        chunk=settings.chunk,
        target_accept=settings.target_accept,
        max_tree_depth=settings.max_tree_depth,
        dense_mass=settings.dense_mass,
    )
    chunks = np.diff(ticks)
    return posterior, float(max(chunks[0] - np.median(chunks), 0.0))
