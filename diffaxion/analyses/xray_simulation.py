"""Simulated observations of a target: expected counts, Poisson noise, event lists, injection.

The expected counts of a pixel are those of the background of :mod:`.xray_background` and, for a
coupling a = (g/1e-12 GeV^-1)^4,

    S_ip = a rate_i dE_i sum_* f_* P(p - x_*) e_i(p),

with the rate of one module over the whole PSF, stars * of share f, the pixel-integrated PSF P and
the exposure e. Everything made here says that it is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..constants import G_REF_GEV
from ..data.cluster_files import ClusterDescription
from ..data.energy_bins import pi_channels
from ..data.events import EventList
from ..data.image_stack import ImageStack
from ..data.star_list import StarList
from ..environments.galaxy.sightline import uniform_fractions
from ..environments.stars.clusters import cluster
from ..environments.stars.star_field import StarField, central_stars, star_field
from ..errors import ConfigurationError, DataError
from ..likelihoods.gaussian import GaussianPoints
from ..observables.world import World
from ..observables.xray.cluster_spectrum import RATE_UNIT
from ..observables.xray.psf import PointSpread, nustar_psf
from .config import Configuration
from .joint_model import joint_world
from .limit_curves import response_curve
from .star_clusters import INSTRUMENT, FluxSpectrum, build_probe, check_shape
from .xray_background import star_shares
from .xray_places import ROI_ARCMIN, check_stars
from .xray_plan import SimulationPlan, expected_background


def axion_rates(
    world: World,
    target: str,
    low_keV: ArrayLike,
    high_keV: ArrayLike,
    m_a_eV: float,
    settings: Configuration,
    instrument: str = INSTRUMENT,
) -> np.ndarray:
    """Rate of one module over the whole PSF at g = 1e-12 GeV^-1.

    Parameters
    ----------
    world : World
        With the target.
    target : str
        Its key.
    low_keV, high_keV : array, shape (n,)
        Bins [keV].
    m_a_eV : float
        Mass [eV].
    settings : Configuration
        Mode of the signal and numerics.
    instrument : str
        Key of the instrument.

    Returns
    -------
    array, shape (n,)
        Rates [1e-4 counts s^-1 keV^-1], which scale as g^4.

    Raises
    ------
    ValidityError
        If a bin leaves the effective area.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    low, high = (np.asarray(x, float) for x in (low_keV, high_keV))
    blank = np.zeros_like(low)
    spectrum = FluxSpectrum(target, low, high, GaussianPoints(blank, blank + 1.0), blank)
    numerics = settings.numerics
    nodes = uniform_fractions(numerics.nodes)
    line = build_probe(spectrum, world, settings.model.signal, nodes, numerics.energies_per_bin)
    line = replace(line, instrument=instrument)
    # Nothing is cached: one mass, all in one program.
    return np.asarray(response_curve(line, world, {}, jnp.array([float(m_a_eV)]))[0])


def expected_signal(
    stack: ImageStack,
    rates: ArrayLike,
    stars: StarField,
    psf: PointSpread | None = None,
    area_cm2: ArrayLike | None = None,
) -> np.ndarray:
    """Expected counts of given rates in all pixels of all exposures.

    Parameters
    ----------
    stack : ImageStack
        Exposures and grids.
    rates : array, shape (bins,)
        Rates of one module over the whole PSF [1e-4 counts s^-1 keV^-1].
    stars : StarField
        Stars [deg].
    psf : PointSpread, optional
        PSF; that of NuSTAR by default.
    area_cm2 : array, shape (bins,), optional
        Mean effective areas, for exposures in cm^2 s.

    Returns
    -------
    array, shape (bins, exposures, ny, nx)
        Counts.

    Raises
    ------
    DataError
        If exposures are in cm^2 s and no area is given.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    per_second = np.asarray(rates, float) * RATE_UNIT * (stack.high_keV - stack.low_keV)
    if stack.exposure_unit != "s":
        if area_cm2 is None:
            raise DataError(f"{stack.source}: exposures in cm^2 s need the mean effective area")
        per_second = per_second / np.asarray(area_cm2, float)
    spread = psf or nustar_psf()
    y, x = (v.ravel() for v in np.indices(stack.shape))
    images = []
    for grid in stack.grids:
        share = star_shares(grid, x, y, stars, spread)
        found = np.broadcast_to(share, (stack.n_bins, x.size))
        images.append(found.reshape(stack.n_bins, *stack.shape))
    return per_second[:, None, None, None] * stack.exposure * np.stack(images, axis=1)


def draw_counts(expected: ImageStack, seed: int, signal: ArrayLike | None = None) -> ImageStack:
    """Poisson counts of an expected background and, independently, of a signal.

    Parameters
    ----------
    expected : ImageStack
        Of :func:`expected_background`.
    seed : int
        Seed; the same background is drawn whatever the signal.
    signal : array, shape (bins, exposures, ny, nx), optional
        Expected counts of a signal.

    Returns
    -------
    ImageStack
        Whole counts.

    References
    ----------
    None: random numbers.
    """
    counts = np.random.default_rng([seed, 1]).poisson(expected.background)
    if signal is not None:
        counts = counts + np.random.default_rng([seed, 2]).poisson(np.asarray(signal, float))
    return expected.with_counts(counts, asimov=False)


def inject_signal(stack: ImageStack, signal: ArrayLike, seed: int, label: str = "") -> ImageStack:
    """Observed counts plus Poisson counts of a signal: c' = c + Poisson(S).

    Parameters
    ----------
    stack : ImageStack
        Observed or simulated counts.
    signal : array, shape (bins, exposures, ny, nx)
        Expected counts.
    seed : int
        Seed.
    label : str
        What is injected.

    Returns
    -------
    ImageStack
        The sum; its nature says that a signal was injected.

    Raises
    ------
    DataError
        If the signal has another shape, is negative or not finite.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, supplementary material.
    """
    added = np.asarray(signal, float)
    if added.shape != stack.counts.shape or not np.all(np.isfinite(added)) or np.any(added < 0.0):
        raise DataError(
            f"{stack.source}: a signal of shape {added.shape}, smallest {np.min(added):g}; "
            f"expected finite counts >= 0 of shape {stack.counts.shape}"
        )
    # Not the numbers of a signal that the counts may have been simulated with.
    drawn = np.random.default_rng([seed, 5]).poisson(added)
    nature = f"{stack.nature} + simulated signal{f', {label}' if label else ''}, seed {seed}"
    return stack.with_counts(stack.counts + drawn, nature=nature)


def counts_to_events(stack: ImageStack, seed: int) -> list[EventList]:
    """Event lists that have the counts of a stack: one event per count.

    Parameters
    ----------
    stack : ImageStack
        Whole counts on NuSTAR's own pixels.
    seed : int
        Of times and of channels within the bins.

    Returns
    -------
    list of EventList
        One per exposure, in order of time [s, pixel].

    Raises
    ------
    DataError
        If counts are not whole or a bin edge lies inside a channel.

    References
    ----------
    NuSTAR Data Analysis Software Guide, section on event files.
    """
    if np.any(stack.counts != np.round(stack.counts)):
        raise DataError(f"{stack.source}: event lists need whole counts")
    channels = pi_channels(stack.low_keV, stack.high_keV, stack.source)
    rng = np.random.default_rng([seed, 3])
    lists = []
    for k, grid in enumerate(stack.grids):
        counts = stack.counts[:, k].astype(int)
        b, y, x = (np.repeat(v, counts[counts > 0]) for v in np.nonzero(counts))
        pi = rng.integers(channels[b, 0], channels[b, 1])
        seconds = float(stack.exposure_s[k])
        time = rng.uniform(0.0, seconds, b.size)
        order = np.argsort(time)
        lists.append(
            EventList(
                time[order],
                pi[order],
                x[order].astype(float),
                y[order].astype(float),
                np.zeros(b.size, int),
                grid,
                np.array([[0.0, seconds]]),
                seconds,
                stack.modules[k],
                stack.obs_ids[k],
                nature=stack.nature,
            )
        )
    return lists


@dataclass(frozen=True)
class Simulation:
    """A simulated observation and the truth behind it.

    Attributes
    ----------
    facts : ClusterDescription
        Target.
    stack : ImageStack
        Counts, exposures and backgrounds.
    signal : array, shape (bins, exposures, ny, nx), or None
        Expected counts of the signal.
    rates : array, shape (bins,), or None
        Rates at g = 1e-12 GeV^-1 [1e-4 counts s^-1 keV^-1].
    stars : StarList or None
        Stars; None puts all at the centre.
    plan : SimulationPlan
        Choices.
    g_GeV, m_a_eV : float
        Coupling [GeV^-1] and mass [eV].
    seed : int
        Seed.
    """

    facts: ClusterDescription
    stack: ImageStack
    signal: np.ndarray | None
    rates: np.ndarray | None
    stars: StarList | None
    plan: SimulationPlan
    g_GeV: float
    m_a_eV: float
    seed: int


def stars_of(facts: ClusterDescription, stars: StarList | None) -> StarField:
    """Stars of a list, or all at the centre of the target [deg]."""
    if stars is None:
        return central_stars(facts.position.ra, facts.position.dec, facts.label)
    found = star_field(stars.ra_deg, stars.dec_deg, stars.weight, stars.source)
    seen = facts.nustar
    radius = seen.roi_radius_arcmin if seen else ROI_ARCMIN
    check_stars(found, facts.position.ra, facts.position.dec, radius)
    return found


def check_signal(facts: ClusterDescription, g_GeV: float, m_a_eV: float, mode: str) -> None:
    """Refuse couplings and masses that mean nothing, and a signal of unknown luminosity.

    Parameters
    ----------
    facts : ClusterDescription
        Target.
    g_GeV, m_a_eV : float
        Coupling [GeV^-1] and mass [eV].
    mode : str
        ``anchored`` needs a published luminosity.

    Returns
    -------
    None
        Nothing; usable numbers pass.

    Raises
    ------
    ConfigurationError
        Naming the value and what was expected.

    References
    ----------
    None: a validation.
    """
    if not 0.0 <= g_GeV < 1e-8:
        raise ConfigurationError(
            f"coupling = {g_GeV:g} GeV^-1: expected 0 <= g < 1e-8, for instance 5e-12"
        )
    if not (np.isfinite(m_a_eV) and m_a_eV > 0.0):
        raise ConfigurationError(f"mass = {m_a_eV:g} eV: expected a finite number > 0")
    if g_GeV > 0.0 and mode == "anchored" and facts.luminosity is None:
        raise ConfigurationError(
            f"target {facts.origin}: no axion luminosity is known; add a table [luminosity] to its "
            "description, or use --signal ensemble"
        )
    if g_GeV > 0.0:
        check_shape(cluster(facts.origin), mode)


def simulate_observation(
    facts: ClusterDescription,
    settings: Configuration,
    plan: SimulationPlan | None = None,
    *,
    g_GeV: float = 0.0,
    m_a_eV: float = 1e-13,
    seed: int = 1,
    stars: StarList | None = None,
    psf: PointSpread | None = None,
) -> Simulation:
    """Counts of an observation that never took place.

    Parameters
    ----------
    facts : ClusterDescription
        Target.
    settings : Configuration
        Field, density, numerics and mode of the signal.
    plan : SimulationPlan, optional
        Exposure, pixels, background.
    g_GeV : float
        Coupling; 0 for no signal [GeV^-1].
    m_a_eV : float
        Mass [eV].
    seed : int
        Seed; the background does not depend on the signal.
    stars : StarList, optional
        Stars; all at the centre by default.
    psf : PointSpread, optional
        PSF; that of NuSTAR by default.

    Returns
    -------
    Simulation
        Stack and truth.

    Raises
    ------
    ConfigurationError
        If a choice means nothing.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    plan = plan or SimulationPlan()
    mode = settings.model.signal
    check_signal(facts, g_GeV, m_a_eV, mode)
    expected = expected_background(facts, plan, seed)
    signal = rates = None
    if g_GeV > 0.0:
        model = settings.model.model_copy(
            update={"targets": [facts.name], "clusters": {facts.name: facts.origin}}
        )
        data = settings.likelihoods.model_copy(update={"xray": True, "cmb": "none"})
        own = settings.model_copy(update={"model": model, "likelihoods": data})
        low, high = expected.low_keV, expected.high_keV
        rates = axion_rates(joint_world(own), facts.name, low, high, m_a_eV, own)
        strength = (g_GeV / G_REF_GEV) ** 4
        signal = expected_signal(expected, strength * rates, stars_of(facts, stars), psf)
    found = draw_counts(expected, seed, signal)
    truth = f"g={g_GeV:.4g}/GeV, m_a={m_a_eV:.4g} eV" if g_GeV > 0.0 else "no signal"
    stack = replace(found, nature=f"simulated: {facts.name}, {truth}, seed {seed}")
    return Simulation(facts, stack, signal, rates, stars, plan, g_GeV, m_a_eV, seed)
