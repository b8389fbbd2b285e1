"""From an image stack to a probe of an analysis: pixels, exposures and backgrounds of each image.

Counts are never resampled: each exposure has its own grid, and the template of summed exposures
is the sum of theirs on the same pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from ..data.image_stack import SUM_PIXELS_MAX, ImageStack
from ..data.sky_grid import SkyGrid
from ..environments.stars.star_field import StarField
from ..errors import DataError
from ..likelihoods.gaussian import GaussianPoints
from ..likelihoods.poisson import TemplatePoisson
from ..observables.world import World
from ..observables.xray.cluster_counts import ClusterCounts
from ..observables.xray.psf import PointSpread, nustar_psf, pixel_samples
from ..observables.xray.response import Instrument
from ..observables.xray.templates import ImageTemplates, Pointing, TangentPlane
from .star_clusters import INSTRUMENT, FluxSpectrum, build_probe

Grouping = Literal["exposure", "module", "observation", "all"]
# Largest departure from a square pixel.
_SQUARE = 1e-3


@dataclass(frozen=True)
class CountImages:
    """Images of one target that share an instrument, ready for a probe.

    Attributes
    ----------
    templates : tuple of ImageTemplates
        One per image: a single exposure or a sum of several.
    counts : tuple of array, shape (bins, p)
        Observed counts of each image.
    reference : array, shape (images, bins)
        Exposure at the reference, summed over the exposures of an image [s or cm^2 s].
    unit : str
        ``s`` or ``cm2 s``.
    low_keV, high_keV : array, shape (bins,)
        Bin edges [keV].
    names : tuple of tuple of str
        Names of the exposures of each image.
    source, nature : str
        File, and what the counts are if they are not measured.
    asimov : bool
        Whether counts are expectations.
    """

    templates: tuple[ImageTemplates, ...]
    counts: tuple[np.ndarray, ...]
    reference: np.ndarray
    unit: str
    low_keV: np.ndarray
    high_keV: np.ndarray
    names: tuple[tuple[str, ...], ...]
    source: str
    nature: str
    asimov: bool


def exposure_names(stack: ImageStack) -> tuple[str, ...]:
    """Names of the exposures of a stack, for paths: ``obs40010005001_FPMA``.

    Parameters
    ----------
    stack : ImageStack
        Images.

    Returns
    -------
    tuple of str
        One per exposure; numbered where observation and module occur twice.

    References
    ----------
    None: names.
    """
    names: list[str] = []
    for obs_id, module in zip(stack.obs_ids, stack.modules, strict=True):
        plain = "".join(c if c.isalnum() else "_" for c in f"obs{obs_id}_{module}")
        count = sum(n == plain or n.startswith(f"{plain}__") for n in names)
        names.append(f"{plain}__{count + 1}" if count else plain)
    return tuple(names)


def count_images(
    stack: ImageStack,
    ra_deg: float,
    dec_deg: float,
    by: Grouping = "all",
    exposures: Sequence[int] | None = None,
) -> CountImages:
    """Pixels of a stack that are used, summed over the exposures of each group.

    Parameters
    ----------
    stack : ImageStack
        Validated images, masks and grids.
    ra_deg, dec_deg : float
        Reference position, that of the target [deg].
    by : {"exposure", "module", "observation", "all"}
        What is summed: nothing, the exposures of a module, those of an observation, or all.
    exposures : sequence of int, optional
        Exposures to use, for example those of one module; all by default.

    Returns
    -------
    CountImages
        Templates and counts.

    Raises
    ------
    DataError
        If no exposure or pixel is left, pixels are not square or not on each other within a
        group, or an exposure is zero in a whole region.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, supplementary material.
    """
    used = range(stack.n_exposures) if exposures is None else exposures
    groups = [tuple(e for e in g if e in used) for g in stack.groups(by)]
    groups = [g for g in groups if g]
    if not groups:
        raise DataError(f"{stack.source}: no exposure is left; found {stack.n_exposures}")
    names = exposure_names(stack)
    parts = [_image(stack, g, names, ra_deg, dec_deg) for g in groups]
    return CountImages(
        tuple(p[0] for p in parts),
        tuple(p[1] for p in parts),
        np.stack([p[2] for p in parts]),
        stack.exposure_unit,
        np.asarray(stack.low_keV, float),
        np.asarray(stack.high_keV, float),
        tuple(p[0].names for p in parts),
        str(stack.source),
        str(stack.nature),
        bool(stack.asimov),
    )


def _image(
    stack: ImageStack, group: tuple[int, ...], names: tuple[str, ...], ra_deg: float, dec_deg: float
) -> tuple[ImageTemplates, np.ndarray, np.ndarray]:
    """Templates, counts and reference exposure of the sum of some exposures."""
    chosen = list(group)
    label = f"{stack.source}: {' + '.join(names[e] for e in chosen)}"
    rows, columns = np.nonzero(np.all(np.asarray(stack.mask)[chosen], axis=0))
    if rows.size == 0:
        raise DataError(f"{label}: ROI holds 0 pixels; check region, mask and alignment")
    grids = [stack.grids[e] for e in chosen]
    sizes = np.array([g.pixel_arcsec for g in grids])
    _check_pixels(grids, sizes, label)
    exposure = np.asarray(stack.exposure, float)[:, chosen][:, :, rows, columns]
    exposure = np.moveaxis(exposure, 1, 0)
    background = np.asarray(stack.background, float)[:, chosen][:, :, rows, columns]
    counts = np.asarray(stack.counts, float)[:, chosen][:, :, rows, columns].sum(axis=1)
    reference = np.stack(
        [
            _at_reference(e, grid, columns, rows, ra_deg, dec_deg)
            for e, grid in zip(exposure, grids, strict=True)
        ]
    )
    total = reference.sum(axis=0)
    if not np.all(total > 0.0):
        raise DataError(
            f"{label}: the exposure of bin {int(np.argmin(total))} is 0 in the whole region"
        )
    place = np.stack([columns, rows]).astype(float)
    middle = 0.5 * (place.min(axis=1) + place.max(axis=1))
    half = max(0.5 * float(np.max(np.ptp(place, axis=1))), 0.5)
    templates = ImageTemplates(
        _planes(grids),
        jnp.asarray(place[0]),
        jnp.asarray(place[1]),
        jnp.asarray(exposure / total[:, None]),
        jnp.asarray(np.moveaxis(background, 1, 0)),
        jnp.asarray((place - middle[:, None]) / half),
        tuple(names[e] for e in chosen),
        pixel_samples(float(sizes[0])),
    )
    return templates, counts, total


def _at_reference(
    exposure: np.ndarray,
    grid: SkyGrid,
    columns: np.ndarray,
    rows: np.ndarray,
    ra_deg: float,
    dec_deg: float,
) -> np.ndarray:
    """Exposure of each bin at the used pixel nearest to a position, or the highest if that is 0."""
    x, y = grid.pixel(ra_deg, dec_deg)
    nearest = int(np.argmin((columns - x) ** 2 + (rows - y) ** 2))
    found = exposure[:, nearest]
    return np.where(found > 0.0, found, exposure.max(axis=1))


def _check_pixels(grids: Sequence[SkyGrid], sizes: np.ndarray, label: str) -> None:
    for grid in grids:
        sides = 3600.0 * np.hypot(*np.asarray(grid.cd_deg, float))
        if abs(sides[0] / sides[1] - 1.0) > _SQUARE:
            raise DataError(
                f"{label}: pixels of {sides[0]:.4g} x {sides[1]:.4g} arcsec, expected squares"
            )
        apart = grids[0].distance_pixels(grid)
        if apart > SUM_PIXELS_MAX:
            raise DataError(
                f"{label}: pixels of exposures are {apart:.3g} pixels apart and cannot be summed "
                "(turned, of other sizes, or on other boxes): cut them to one region first, or "
                "keep them apart with by='exposure'"
            )


def _planes(grids: Sequence[SkyGrid]) -> TangentPlane:
    """Projections with a leading axis, one per exposure."""
    planes = [
        TangentPlane(*(jnp.asarray(v, float) for v in (g.ra_deg, g.dec_deg, g.x0, g.y0, g.cd_deg)))
        for g in grids
    ]
    return jax.tree.map(lambda *v: jnp.stack(v), *planes)


def world_with_images(
    world: World,
    target: str,
    images: CountImages,
    stars: StarField,
    psf: PointSpread | None = None,
    instrument: str = INSTRUMENT,
    pointings: Mapping[str, Pointing] | None = None,
) -> World:
    """The world with what count images depend on: stars, PSF and the pointing of each exposure.

    Parameters
    ----------
    world : World
        Root tree with the target and the instrument.
    target : str
        Key of the cluster.
    images : CountImages
        Images of the target.
    stars : StarField
        Its stars [deg].
    psf : PointSpread, optional
        PSF of the instrument; that of NuSTAR by default.
    instrument : str
        Key of the instrument.
    pointings : mapping of str to Pointing, optional
        Offsets [arcsec] and tilts by name of the exposure; zero by default.

    Returns
    -------
    World
        A copy.

    References
    ----------
    None: assembly.
    """
    names = [n for group in images.names for n in group]
    known = pointings or {}
    found = {n: known.get(n, world.pointings.get(n, Pointing())) for n in names}
    return replace(
        world,
        stars={**world.stars, target: stars},
        psf={**world.psf, instrument: psf or world.psf.get(instrument) or nustar_psf()},
        pointings={**world.pointings, **found},
    )


def build_counts(
    images: CountImages,
    world: World,
    target: str,
    fractions: jax.Array,
    *,
    signal: str = "anchored",
    curve: np.ndarray | None = None,
    energies_per_bin: int = 5,
    instrument: str = INSTRUMENT,
) -> tuple[ClusterCounts, TemplatePoisson]:
    """Forward model and likelihood of count images.

    Parameters
    ----------
    images : CountImages
        Images of the target.
    world : World
        Of :func:`world_with_images`.
    target : str
        Key of the cluster.
    fractions : float array, shape (k,)
        Base nodes of the sight line, in units of the distance.
    signal : str
        ``anchored``, or another mode of :func:`~diffaxion.analyses.build_probe`.
    curve : array, shape (bins,), optional
        Published signal per unit a [1e-4 counts s^-1 keV^-1], for the mode ``published``.
    energies_per_bin : int
        Energies at which p is evaluated in each bin.
    instrument : str
        Key of the instrument.

    Returns
    -------
    probe : ClusterCounts
        Forward model; rows are images times bins.
    points : TemplatePoisson
        Counts with the templates of the given world.

    Raises
    ------
    DataError
        If counts and templates do not fit (:func:`~diffaxion.likelihoods.validate_templates`).
    ValidityError
        If a bin leaves the effective area.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    low, high = images.low_keV, images.high_keV
    blank = np.zeros_like(low)
    spectrum = FluxSpectrum(
        target, low, high, GaussianPoints(blank, blank + 1.0), blank if curve is None else curve
    )
    line = build_probe(spectrum, world, signal, fractions, energies_per_bin)
    line = replace(line, instrument=instrument)
    seconds = images.reference
    if images.unit != "s":
        # Exposure times area: the time in which the mean area of the bin collects as much.
        seconds = seconds / mean_area_cm2(world.instruments[instrument], low, high)
    probe = ClusterCounts(line, images.templates, jnp.asarray(seconds))
    signal_map, background = (np.asarray(m) for m in probe.templates(world))
    widest = background.shape[1]
    counts = np.concatenate([np.pad(c, ((0, 0), (0, widest - c.shape[1]))) for c in images.counts])
    points = TemplatePoisson.from_maps(
        counts, signal_map, background, asimov=images.asimov, source=images.source
    )
    return probe, points


def mean_area_cm2(
    instrument: Instrument, low_keV: np.ndarray, high_keV: np.ndarray, steps: int = 40
) -> np.ndarray:
    """Mean effective area of each energy bin.

    Parameters
    ----------
    instrument : Instrument
        Area [cm^2].
    low_keV, high_keV : array, shape (bins,)
        Edges [keV].
    steps : int
        Energies per bin.

    Returns
    -------
    array, shape (bins,)
        Means [cm^2].

    References
    ----------
    None: the midpoint rule.
    """
    place = (np.arange(steps) + 0.5) / steps
    energy = low_keV[:, None] + (high_keV - low_keV)[:, None] * place
    area = jax.vmap(instrument.effective_area_cm2)(jnp.asarray(energy).ravel())
    return np.asarray(area).reshape(energy.shape).mean(axis=1)
