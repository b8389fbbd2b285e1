"""Simulated observations of a target: expected counts, Poisson noise, event lists, injection.

The expected counts of a pixel are those of the background of :mod:`.xray_background` and, for a
coupling a = (g/1e-12 GeV^-1)^4,

    S_ip = a rate_i dE_i sum_* f_* P(p - x_*) e_i(p),

with the rate of one module over the whole PSF, stars * of share f, the pixel-integrated PSF P and
the exposure e. Exposures are uniform: no vignetting, no gaps between chips, no stray light, and
backgrounds known up to their normalisation. Everything made here says that it is simulated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..constants import G_REF_GEV
from ..conversion.axion import Axion
from ..data.cluster_files import ClusterDescription
from ..data.energy_bins import energy_bins, pi_channels
from ..data.events import EventList
from ..data.image_stack import ImageStack
from ..data.nustar_files import nustar_grid
from ..environments.galaxy.sightline import uniform_fractions
from ..environments.stars.star_field import StarField
from ..errors import ConfigurationError, DataError
from ..likelihoods.gaussian import GaussianPoints
from ..observables.world import World
from ..observables.xray.cluster_spectrum import RATE_UNIT
from ..observables.xray.psf import PointSpread, nustar_psf, pixel_samples
from ..observables.xray.templates import TangentPlane, star_image
from .config import Configuration
from .count_images import mean_area_cm2
from .star_clusters import INSTRUMENT, FluxSpectrum, build_probe
from .xray_background import TILT, background_shape, published_background

DEFAULT_EXPOSURE_KS = 50.0
_BIN_KEV, _TOP_KEV = 5.0, 80.0
# Pointings of observations of one target differ by some arcsec; pixels are never on each other.
_DITHER_ARCSEC = 10.0


@dataclass(frozen=True)
class SimulationPlan:
    """Choices of a simulated observation, without its target and signal.

    Attributes
    ----------
    exposure_ks : float or None
        Sum over observations and modules [ks]; that of the target by default, else 50.
    observations : tuple of str
        Their numbers; those of the target by default.
    modules : tuple of str
        ``A`` and ``B``, or one of them.
    bins_keV : array
        Edges, or pairs of edges [keV]; 5 keV up to 80 keV from the lowest energy by default.
    radius_arcmin : float or None
        Region of interest; that of the target by default [arcmin].
    half_arcmin : float or None
        Half the side of the images; 1.6 times the radius by default [arcmin].
    pixel_factor : int
        NuSTAR pixels (2.458 arcsec) per side of a pixel.
    tilt : tuple of two floats
        Gradient of the background, east and north [per arcmin].
    background_scale : float
        Factor on the background.
    events : bool
        Whether event lists are written in place of count images; needs ``pixel_factor`` 1.
    """

    exposure_ks: float | None = None
    observations: tuple[str, ...] = ()
    modules: tuple[str, ...] = ("A", "B")
    bins_keV: ArrayLike | None = None
    radius_arcmin: float | None = None
    half_arcmin: float | None = None
    pixel_factor: int = 1
    tilt: tuple[float, float] = TILT
    background_scale: float = 1.0
    events: bool = False


def check_plan(plan: SimulationPlan) -> None:
    """Refuse choices that mean nothing.

    Parameters
    ----------
    plan : SimulationPlan
        Choices.

    Returns
    -------
    None
        Nothing; usable choices pass.

    Raises
    ------
    ConfigurationError
        Naming the option, the value and what was expected.

    References
    ----------
    None: a validation.
    """
    for name, unit in (
        ("exposure_ks", "ks"),
        ("radius_arcmin", "arcmin"),
        ("half_arcmin", "arcmin"),
        ("background_scale", ""),
    ):
        value = getattr(plan, name)
        if value is not None and not (np.isfinite(value) and value > 0.0):
            raise ConfigurationError(f"{name} = {value:g} {unit}: expected a finite number > 0")
    if not np.all(np.isfinite(plan.tilt)) or np.hypot(*plan.tilt) > 0.4:
        raise ConfigurationError(
            f"tilt = {plan.tilt}: expected a gradient of at most 0.4 per arcmin, for instance "
            "0.15,0.10"
        )
    if plan.pixel_factor < 1 or plan.pixel_factor > 8:
        raise ConfigurationError(f"pixel factor = {plan.pixel_factor}: expected 1 to 8")
    if plan.events and plan.pixel_factor != 1:
        raise ConfigurationError(
            f"event lists have pixels of NuSTAR's own size; pixel factor = {plan.pixel_factor}, "
            "expected 1"
        )
    if not plan.modules or any(m not in ("A", "B") for m in plan.modules):
        raise ConfigurationError(f"modules = {plan.modules}: expected A, B or both")
    if any(not (x.isdigit() and len(x) == 11) for x in plan.observations):
        raise ConfigurationError(
            f"observations = {plan.observations}: expected numbers of 11 digits, such as "
            "40010005001"
        )


def expected_background(
    facts: ClusterDescription, plan: SimulationPlan | None = None, seed: int = 0
) -> ImageStack:
    """An observation without noise and signal: counts are the background itself.

    Parameters
    ----------
    facts : ClusterDescription
        Target.
    plan : SimulationPlan, optional
        Choices.
    seed : int
        Of the pointings, which differ by some arcsec between observations.

    Returns
    -------
    ImageStack
        Expected counts (``asimov``) of shape (bins, exposures, ny, nx).

    Raises
    ------
    ConfigurationError
        If a choice means nothing.
    DataError
        If the brightness of a bin is not known.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305 (errors that set the brightness).
    """
    plan = plan or SimulationPlan()
    check_plan(plan)
    seen = facts.nustar
    low_edge = seen.energy_min_keV if seen else 10.0
    chosen = plan.bins_keV
    if chosen is None:
        chosen = np.arange(low_edge, _TOP_KEV + 0.1, _BIN_KEV)
    low, high = energy_bins(chosen, "bins")
    total = plan.exposure_ks or (seen.exposure_ks if seen else 0.0) or DEFAULT_EXPOSURE_KS
    numbers = plan.observations or tuple(seen.observations if seen else ()) or ("90000000001",)
    modules = plan.modules
    n = len(numbers) * len(modules)
    seconds = 1e3 * total / n
    radius = plan.radius_arcmin or (seen.roi_radius_arcmin if seen else 2.0)
    half = plan.half_arcmin or 1.6 * radius
    ra, dec = facts.position.ra, facts.position.dec
    factor = plan.pixel_factor
    step = nustar_grid(ra, dec).pixel_arcsec * factor
    side = 2 * int(np.ceil(half * 60.0 / step)) + 1
    least = 60.0 * radius + 1.5 * _DITHER_ARCSEC + 2.0 * step
    if half * 60.0 < least:
        raise ConfigurationError(
            f"half the side of the images is {half:g} arcmin: expected at least "
            f"{least / 60.0:.2f} for a region of {radius:g} arcmin"
        )
    base = nustar_grid(ra, dec, side * factor).rebin(factor)
    rng = np.random.default_rng([seed, 0])
    aim = rng.uniform(-_DITHER_ARCSEC, _DITHER_ARCSEC, (len(numbers), 2))
    grids = tuple(base.shifted(*shift) for shift in aim for _ in modules)
    level = published_background(facts, plan.tilt)
    rate = plan.background_scale * level.in_bins(low, high)
    area = base.pixel_area_arcsec2 / 3600.0
    shapes = np.stack([background_shape(g, ra, dec, plan.tilt) for g in grids])
    background = rate[:, None, None, None] * (seconds * area) * shapes
    return ImageStack(
        background,
        np.full(background.shape, seconds),
        background,
        low,
        high,
        grids,
        np.full(n, seconds),
        tuple(f"FPM{m}" for _ in numbers for m in modules),
        tuple(x for x in numbers for _ in modules),
        source=f"simulation of {facts.label}",
        nature=f"simulated: {facts.name}, expected background; {level.origin}",
        asimov=True,
    )


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
    return np.asarray(line.response(replace(world, axion=Axion(float(m_a_eV), 1.0))))


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
    y, x = (jnp.asarray(v.ravel(), float) for v in np.indices(stack.shape))
    images = []
    for g in stack.grids:
        numbers = (g.ra_deg, g.dec_deg, g.x0, g.y0, g.cd_deg)
        plane = TangentPlane(*(jnp.asarray(v, float) for v in numbers))
        found = star_image(spread, stars, plane, x, y, jnp.zeros(2), pixel_samples(g.pixel_arcsec))
        found = np.broadcast_to(np.asarray(found), (stack.n_bins, x.size))
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
    drawn = np.random.default_rng([seed, 2]).poisson(added)
    nature = f"{stack.nature} + simulated signal{f', {label}' if label else ''}, seed {seed}"
    return stack.with_counts(stack.counts + drawn, nature=nature)


def signal_label(g_GeV: float, m_a_eV: float) -> str:
    """Coupling and mass as text, for headers [GeV^-1, eV]."""
    return f"g={g_GeV:.4g}/GeV, m_a={m_a_eV:.4g} eV" if g_GeV > 0.0 else "no signal"


def strength_of_coupling(g_GeV: float) -> float:
    """a = (g/1e-12 GeV^-1)^4 of a coupling [GeV^-1]."""
    return float((g_GeV / G_REF_GEV) ** 4)


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


def area_of(world: World, stack: ImageStack, instrument: str = INSTRUMENT) -> np.ndarray | None:
    """Mean effective areas of the bins of a stack whose exposures are in cm^2 s, else None."""
    if stack.exposure_unit == "s":
        return None
    return mean_area_cm2(world.instruments[instrument], stack.low_keV, stack.high_keV)
