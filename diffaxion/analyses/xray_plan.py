"""What a simulated observation is like: exposures, pixels, background, stars; no noise yet.

Exposures are uniform: no vignetting, no gaps between chips, no stray light, and a background whose
shape is known. Stars are synthetic unless a list is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.cluster_files import ClusterDescription
from ..data.energy_bins import energy_bins
from ..data.image_stack import ImageStack
from ..data.nustar_files import NUSTAR_PIXEL_DEG, nustar_grid
from ..data.star_list import StarList
from ..errors import ConfigurationError
from .xray_background import (
    TILT,
    background_shape,
    check_background_bins,
    published_background,
)

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
    bins_keV: Sequence[float] | np.ndarray | None = None
    radius_arcmin: float | None = None
    half_arcmin: float | None = None
    pixel_factor: int = 1
    tilt: tuple[float, float] = TILT
    background_scale: float = 1.0
    events: bool = False


def check_plan(facts: ClusterDescription, plan: SimulationPlan) -> None:
    """Refuse choices that mean nothing, before anything is computed.

    Parameters
    ----------
    facts : ClusterDescription
        Target.
    plan : SimulationPlan
        Choices.

    Returns
    -------
    None
        Nothing; usable choices pass.

    Raises
    ------
    ConfigurationError
        Naming the choice, the value and what was expected.
    DataError
        If bins are unusable or their background is not known.

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
    repeated = len(set(plan.modules)) != len(plan.modules)
    if not plan.modules or repeated or any(m not in ("A", "B") for m in plan.modules):
        raise ConfigurationError(f"modules = {plan.modules}: expected A, B or both")
    if any(not (x.isdigit() and len(x) == 11) for x in plan.observations):
        raise ConfigurationError(
            f"observations = {plan.observations}: expected numbers of 11 digits, such as "
            "40010005001"
        )
    low, high = planned_bins(facts, plan)
    check_background_bins(facts, low, high)
    radius, half = _sizes(facts, plan)
    step = NUSTAR_PIXEL_DEG * 60.0 * plan.pixel_factor
    least = radius + 1.5 * _DITHER_ARCSEC / 60.0 + 2.0 * step
    if not least <= half <= 15.0:
        raise ConfigurationError(
            f"half the side of the images is {half:g} arcmin: expected {least:.2f} to 15 for a "
            f"region of {radius:g} arcmin"
        )


def planned_bins(facts: ClusterDescription, plan: SimulationPlan) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the bins of a simulation [keV], each of shape (n,)."""
    chosen = plan.bins_keV
    if chosen is None:
        lowest = facts.nustar.energy_min_keV if facts.nustar else 10.0
        chosen = np.arange(lowest, _TOP_KEV + 0.1, _BIN_KEV)
    return energy_bins(np.asarray(chosen, float), "bins")


def _sizes(facts: ClusterDescription, plan: SimulationPlan) -> tuple[float, float]:
    """Radius of the region, and half the side of the images [arcmin]."""
    radius = plan.radius_arcmin or (facts.nustar.roi_radius_arcmin if facts.nustar else 2.0)
    return radius, plan.half_arcmin or 1.6 * radius


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
    check_plan(facts, plan)
    seen = facts.nustar
    low, high = planned_bins(facts, plan)
    _, half = _sizes(facts, plan)
    total = plan.exposure_ks or (seen.exposure_ks if seen else 0.0) or DEFAULT_EXPOSURE_KS
    numbers = plan.observations or tuple(seen.observations if seen else ()) or ("90000000001",)
    modules = plan.modules
    n = len(numbers) * len(modules)
    seconds = 1e3 * total / n
    ra, dec = facts.position.ra, facts.position.dec
    factor = plan.pixel_factor
    step = NUSTAR_PIXEL_DEG * 60.0 * factor
    side = 2 * int(np.ceil(half / step)) + 1
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


def synthetic_stars(facts: ClusterDescription, spread_arcsec: float, seed: int) -> StarList:
    """Stars of a target at random places around its centre, of equal weight.

    Parameters
    ----------
    facts : ClusterDescription
        Target; its numbers of stars by class.
    spread_arcsec : float
        Standard deviation of the places, east and north [arcsec].
    seed : int
        Seed.

    Returns
    -------
    StarList
        One row per star that is counted, or one of class ``star``.

    Raises
    ------
    ConfigurationError
        If the spread is not a number > 0.

    References
    ----------
    None: synthetic positions.
    """
    if not (np.isfinite(spread_arcsec) and spread_arcsec > 0.0):
        raise ConfigurationError(f"spread = {spread_arcsec:g} arcsec: expected a number > 0")
    classes = [name for name, k in facts.stars.counts.items() for _ in range(k)] or ["star"]
    rng = np.random.default_rng([seed, 4])
    east, north = rng.normal(0.0, spread_arcsec / 3600.0, (2, len(classes)))
    dec = facts.position.dec + north
    ra = facts.position.ra + east / np.cos(np.radians(dec))
    source = f"synthetic: Gaussian of {spread_arcsec:g} arcsec, seed {seed}"
    return StarList(ra, dec, tuple(classes), np.ones(len(classes)), "weight", source)
