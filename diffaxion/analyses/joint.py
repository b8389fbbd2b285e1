"""The main job: limit curves, posteriors of coupling, mass and nuisances, profile limits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from ..inference.checkpoint import Checkpoint, pytree_hash
from ..inference.limits import Q_95
from ..inference.profile import ProfileResult
from ..likelihoods.poisson import TemplatePoisson
from ..observables.world import World
from ..provenance import config_hash
from .analysis import Analysis, AnalysisData
from .config import Configuration
from .configured_images import (
    configured_observations,
    configured_spectra,
    with_configured_images,
)
from .impacts import ImpactRow, run_impacts
from .joint_model import Recipe, joint_recipe, joint_world
from .joint_posterior import PosteriorRun, Progress, run_posterior
from .limit_curves import MassScan, limit_curves
from .marginal import MarginalLimit, limits_of_masses, normal_points
from .moments import CouplingMoments, moments_at_masses
from .profile_nuisances import profile_over_nuisances, scan_points
from .recast_probe import RecastProbe, recast_probe
from .star_clusters import FluxSpectrum, build_probes

# Points of the nuisances' priors that serve the Bayesian limits of all masses.
_PRIOR_POINTS = 2048
_XRAY_MASS_EV = 3e-12


@dataclass(frozen=True)
class NuisanceCurve:
    """Limits with all nuisances at n masses, of one experiment or of all.

    Attributes
    ----------
    name : str
        ``joint``, ``xray`` or ``cmb``.
    m_a_eV : array, shape (n,)
        Masses [eV].
    order : int
        1 if strengths of the profile are u, 2 if they are a.
    profile : ProfileResult
        All nuisances profiled, fields with leading axis (n,).
    bayes : list of MarginalLimit
        Prior uniform in g, all nuisances marginalised, one per mass [GeV^-1]; none where counts
        in pixels take part.
    """

    name: str
    m_a_eV: np.ndarray
    order: int
    profile: ProfileResult
    bayes: list[MarginalLimit]


@dataclass(frozen=True)
class JointResult:
    """Everything that the products of the main job are made from.

    Attributes
    ----------
    configuration : Configuration
        Settings.
    recipe : Recipe
        World, models and data.
    scans : dict of str to list of MassScan
        X-ray limit curves without nuisances by signal mode; empty without that likelihood.
    curves : list of NuisanceCurve
        Limits with nuisances: joint, and of each experiment if there are several.
    runs : list of PosteriorRun
        Posteriors in the order configured.
    seconds : dict of str to float
        Wall time of each step [s].
    impacts : list of ImpactRow
        What each nuisance does to the limit, at one or more masses.
    variants : dict of str to list of NuisanceCurve
        Limits under other settings, by a short name such as ``anchor-paper``.
    images : tuple of str
        File and nature of each observation whose flux points are the X-ray data.
    """

    configuration: Configuration
    recipe: Recipe
    scans: dict[str, list[MassScan]]
    curves: list[NuisanceCurve]
    runs: list[PosteriorRun]
    seconds: dict[str, float] = field(default_factory=dict)
    impacts: list[ImpactRow] = field(default_factory=list)
    variants: dict[str, list[NuisanceCurve]] = field(default_factory=dict)
    images: tuple[str, ...] = ()

    @property
    def world(self) -> World:
        """Root tree at its fiducial point."""
        return self.recipe.world

    @property
    def converged(self) -> bool:
        """Whether all posteriors passed the gates."""
        return all(run.posterior.converged for run in self.runs)


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


def run_joint(
    configuration: Configuration,
    progress: Progress | None = None,
    folder: Path | None = None,
    *,
    resume: bool = False,
    force: bool = False,
) -> JointResult:
    """Limit curves, posteriors and profile limits of a configuration.

    Parameters
    ----------
    configuration : Configuration
        Settings.
    progress : callable, optional
        Called with (step, fraction done).
    folder : Path, optional
        Where blocks of draws are kept while the chains run; nowhere by default.
    resume : bool
        Continue the chains that the folder holds.
    force : bool
        Resume although settings or versions differ; the result records it.

    Returns
    -------
    JointResult
        What the products are made from; masses [eV], couplings [GeV^-1], shapes as stated there.

    Raises
    ------
    ConfigurationError
        On unknown names or paths.
    CheckpointError
        If what the folder holds is another run.
    RunInterrupted
        On SIGINT or SIGTERM, after the block of draws has been kept.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Goldstein et al. 2024, arXiv:2409.10514.
    """
    report = progress or (lambda step, done: None)
    seconds: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(step: str) -> None:
        nonlocal clock
        seconds[step], clock = time.perf_counter() - clock, time.perf_counter()

    report("models", 0.0)
    observations = configured_observations(configuration)
    configuration = with_configured_images(configuration, observations)
    world = joint_world(configuration)
    spectra = configured_spectra(configuration, observations)
    xray = bool(spectra)
    recipe = joint_recipe(configuration, world, spectra)
    lap("models")
    identity = {"configuration": config_hash(configuration.model_dump())}

    def keep(name: str, analysis: Analysis) -> Checkpoint | None:
        if folder is None:
            return None
        data = {"data": pytree_hash(analysis.data)}
        return Checkpoint(folder / name, identity | data, resume=resume, force=force)

    # Limits at fixed masses and the posteriors compile different programs: side by side they use
    # two cores.
    beside = _Beside(lambda: (limits_with_nuisances(recipe), anchored_variants(recipe)))
    scans = {}
    if xray:
        report("limit curves", 0.0)
        modes = (configuration.model.signal,) if observations else ("published", "anchored")
        scans = scan_signals(world, configuration, spectra, modes)
        lap("limit curves")
    runs = []
    for kind in configuration.mass.posteriors:
        runs.append(run_posterior(recipe, kind == "sampled", report, keep=keep))
        lap(f"posterior, mass {kind}")
    report("impacts", 0.0)
    # The mass of the posterior, and one at which only X rays act.
    where = sorted({configuration.mass.fixed_eV, _XRAY_MASS_EV})
    impacts = run_impacts(recipe, runs[0], where)
    lap("impacts")
    report("limits at fixed masses", 0.0)
    curves, variants = beside.result()
    lap("limits at fixed masses")
    named = tuple(f"{one.stack.source} ({one.stack.nature})" for one in observations)
    return JointResult(
        configuration, recipe, scans, curves, runs, seconds, impacts, variants, named
    )


class _Beside:
    """A calculation in a thread that does not outlive an interrupted process."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._future: Future[Any] = Future()

        def run() -> None:
            try:
                self._future.set_result(work())
            except BaseException as error:
                self._future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()

    def result(self) -> Any:
        return self._future.result()


def limits_with_nuisances(recipe: Recipe, m_a_eV: np.ndarray | None = None) -> list[NuisanceCurve]:
    """Profile and Bayesian limits with all nuisances at fixed masses, joint and by experiment.

    Parameters
    ----------
    recipe : Recipe
        World, models and data; its configuration has the range of masses [eV].
    m_a_eV : array, shape (n,), optional
        Masses in that range [eV]; ``profile_points`` of them by default.

    Returns
    -------
    list of NuisanceCurve
        ``joint`` first; ``xray`` and ``cmb`` follow if both take part. A single experiment has
        its own name only.

    References
    ----------
    Cowan et al. 2011, arXiv:1007.1727.
    """
    configuration, data = recipe.configuration, recipe.plain.data.marginalised()
    mass = configuration.mass
    masses = np.geomspace(*mass.prior_eV, mass.profile_points) if m_a_eV is None else m_a_eV
    names = [n for n, order in (("xray", 2), ("cmb", 1)) if order in data.orders]
    if any(isinstance(p, TemplatePoisson) for p in data.points):
        return _profiles(configuration, data, names, masses)
    scan, prior = _all_moments(configuration, data, masses)
    curves = []
    if len(names) > 1:
        curves.append(_curve("joint", data, masses, scan, prior, configuration))
    for name in names:
        part = data.part(2 if name == "xray" else 1)
        assert part is not None
        rows = (_alone(name, scan), _alone(name, prior))
        curves.append(_curve(name, part, masses, *rows, configuration))
    return curves


def _profiles(
    configuration: Configuration, data: AnalysisData, names: list[str], masses: np.ndarray
) -> list[NuisanceCurve]:
    """Profile limits only: counts in pixels have no closed form in the coupling."""
    parts = {name: data.part(2 if name == "xray" else 1) for name in names}
    chosen = {"joint": data, **parts} if len(names) > 1 else parts
    threshold = configuration.coupling.q_threshold or Q_95
    curves = []
    for name, part in chosen.items():
        assert part is not None
        profile = jax.block_until_ready(profile_over_nuisances(part, masses, threshold))
        curves.append(NuisanceCurve(name, masses, part.order, profile, []))
    return curves


def _alone(name: str, moments: CouplingMoments) -> CouplingMoments:
    """Moments of one experiment."""
    none = np.zeros_like(moments.score)
    if name == "xray":
        return moments._replace(score_u=none, information_u=none)
    return moments._replace(score=none, information=none)


def anchored_variants(recipe: Recipe) -> dict[str, list[NuisanceCurve]]:
    """Limits of the recast under the other anchor, from the same surrogate.

    Parameters
    ----------
    recipe : Recipe
        World, models and data.

    Returns
    -------
    dict of str to list of NuisanceCurve
        The curve ``cmb`` under ``anchor-paper`` or ``anchor-own``; empty without a recast.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    configuration, surrogate = recipe.configuration, recipe.surrogate
    if surrogate is None or not isinstance(recipe.cmb, RecastProbe):
        return {}
    own = configuration.likelihoods.anchor == "own"
    other: Literal["own", "paper"] = "paper" if own else "own"
    probe = recast_probe(configuration.screening, recipe.world, anchor=other)
    moved = replace(recipe, spectra=[], cmb=probe, surrogate=replace(surrogate, probe=probe))
    data = moved.plain.data
    masses = np.geomspace(*configuration.mass.prior_eV, configuration.mass.profile_points)
    moments = _all_moments(configuration, data, masses)
    return {f"anchor-{other}": [_curve("cmb", data, masses, *moments, configuration)]}


def _all_moments(
    configuration: Configuration, data: AnalysisData, masses: np.ndarray
) -> tuple[CouplingMoments, CouplingMoments]:
    """Moments at the scan of the profiles and at points of the priors, shape (masses, points)."""
    key = jax.random.fold_in(jax.random.key(configuration.seed), 2)
    scan = scan_points(data)
    z = np.concatenate([scan, normal_points(_PRIOR_POINTS, data.bindings.size, key)])
    found = moments_at_masses(data, np.tile(z, (masses.size, 1)), np.repeat(masses, len(z)))
    rows = [x.reshape(masses.size, len(z)) for x in found]
    parts = ([x[:, : len(scan)] for x in rows], [x[:, len(scan) :] for x in rows])
    return CouplingMoments(*parts[0]), CouplingMoments(*parts[1])


def _curve(
    name: str,
    data: AnalysisData,
    masses: np.ndarray,
    scan: CouplingMoments,
    prior: CouplingMoments,
    configuration: Configuration,
) -> NuisanceCurve:
    coupling = configuration.coupling
    profile = profile_over_nuisances(data, masses, coupling.q_threshold or Q_95, scan)
    bayes = limits_of_masses(prior, coupling.u_max, coupling.confidence)
    return NuisanceCurve(name, masses, data.order, jax.block_until_ready(profile), bayes)
