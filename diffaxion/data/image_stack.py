"""Counts, exposure and background of several exposures, cut to one region of the sky.

One exposure is one observation with one focal-plane module. Counts are never resampled: each
exposure keeps its own pixels, and astrometric corrections move its grid. What must be summed (data
and templates alike) is summed pixel by pixel afterwards, with :meth:`ImageStack.rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError, unknown_name
from .image_stack_checks import GAP_WARNING, check_shapes, check_values, fill_defaults
from .sky_grid import SkyGrid
from .sky_images import box_around

GROUPINGS = ("exposure", "module", "observation", "all")
SUM_PIXELS_MAX = 1.5
"""Boxes around one position differ by a pixel in x and in y at most."""


@dataclass(frozen=True)
class ImageStack:
    """Images per energy bin and exposure on equal boxes of pixels, checked.

    Attributes
    ----------
    counts : array, shape (bins, exposures, ny, nx)
        Observed counts.
    exposure : array, shape (bins, exposures, ny, nx)
        Exposure [s] or [cm^2 s], with vignetting or without, as the files have it.
    background : array, shape (bins, exposures, ny, nx)
        Expected background counts.
    low_keV, high_keV : array, shape (bins,)
        Edges of the energy bins [keV].
    grids : tuple of SkyGrid
        Where the pixels of each exposure are, astrometric corrections included.
    exposure_s : array, shape (exposures,)
        EXPOSURE of each exposure [s].
    modules, obs_ids : tuple of str
        FPMA or FPMB, and the observation, of each exposure.
    mask : array of bool, shape (exposures, ny, nx)
        Pixels to use.
    shift_arcsec : array, shape (exposures, 2)
        Correction that the grids contain, east and north [arcsec].
    arf, rmf : tuple of Path or None
        Response files of each exposure.
    exposure_unit : str
        ``s`` or ``cm2 s``.
    source : str
        File, for messages.
    nature : str
        ``measured``, or what the counts are instead.
    asimov : bool
        Whether counts may be fractional (expected counts).
    """

    counts: np.ndarray
    exposure: np.ndarray
    background: np.ndarray
    low_keV: np.ndarray
    high_keV: np.ndarray
    grids: tuple[SkyGrid, ...]
    exposure_s: np.ndarray
    modules: tuple[str, ...] = ()
    obs_ids: tuple[str, ...] = ()
    # Filled in below where they are not given.
    mask: np.ndarray = None  # type: ignore[assignment]
    shift_arcsec: np.ndarray = None  # type: ignore[assignment]
    arf: tuple[Path | None, ...] = ()
    rmf: tuple[Path | None, ...] = ()
    exposure_unit: str = "s"
    source: str = "image stack"
    nature: str = "measured"
    asimov: bool = field(default=False)

    def __post_init__(self) -> None:
        fill_defaults(self)
        check_shapes(self)
        check_values(self)

    @property
    def n_bins(self) -> int:
        """Number of energy bins."""
        return self.low_keV.size

    @property
    def n_exposures(self) -> int:
        """Number of exposures (observation and module)."""
        return len(self.grids)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of each image."""
        return self.grids[0].shape

    def cut(self, ra_deg: float, dec_deg: float, radius_arcmin: float) -> ImageStack:
        """Keep a disc: the box around it, with the pixels outside masked.

        Parameters
        ----------
        ra_deg, dec_deg : float
            Centre [deg].
        radius_arcmin : float
            Radius; a pixel belongs to the disc if its centre does [arcmin].

        Returns
        -------
        ImageStack
            The region.

        Raises
        ------
        DataError
            If the disc leaves an image or no pixel is left.
        """
        boxes = [
            box_around(g, ra_deg, dec_deg, radius_arcmin, f"{self.source}, exposure {k}")
            for k, g in enumerate(self.grids)
        ]
        if len({box[2:] for box in boxes}) > 1:
            raise DataError(f"{self.source}: exposures have pixels of different size; rebin them")
        grids = tuple(g.cut(b[0], b[1], b[2:]) for g, b in zip(self.grids, boxes, strict=True))
        near = np.stack([_distance_arcmin(g, ra_deg, dec_deg) <= radius_arcmin for g in grids])

        def box(maps: np.ndarray) -> np.ndarray:
            parts = [maps[..., k, a : a + n, b : b + m] for k, (a, b, n, m) in enumerate(boxes)]
            return np.stack(parts, axis=-3)

        return replace(
            self,
            counts=box(self.counts),
            exposure=box(self.exposure),
            background=box(self.background),
            mask=box(self.mask) & near,
            grids=grids,
        )

    def exclude(self, ra_deg: float, dec_deg: float, radius_arcmin: float) -> ImageStack:
        """Mask a disc, for instance around another source.

        Parameters
        ----------
        ra_deg, dec_deg : float
            Centre [deg].
        radius_arcmin : float
            Radius [arcmin].

        Returns
        -------
        ImageStack
            The stack with fewer pixels.

        Raises
        ------
        DataError
            If the radius is not positive or no pixel is left.
        """
        if not (np.isfinite(radius_arcmin) and radius_arcmin > 0.0):
            raise DataError(f"{self.source}: exclusion radius = {radius_arcmin!r} arcmin")
        far = [_distance_arcmin(g, ra_deg, dec_deg) > radius_arcmin for g in self.grids]
        return replace(self, mask=self.mask & np.stack(far))

    def without_gaps(self, least: float = GAP_WARNING) -> ImageStack:
        """Mask pixels with little exposure: gaps between chips, edges of the detector.

        Parameters
        ----------
        least : float
            Smallest exposure, in units of the highest of the same exposure in its used pixels.

        Returns
        -------
        ImageStack
            The stack with fewer pixels.

        Raises
        ------
        DataError
            If the limit is not between 0 and 1 or no pixel is left.
        """
        if not 0.0 <= least <= 1.0:
            raise DataError(f"{self.source}: least exposure = {least!r}, expected 0 to 1")
        return replace(self, mask=self.mask & (self.relative_exposure() >= least))

    def relative_exposure(self) -> np.ndarray:
        """Exposure over its highest used value, the lowest of all bins.

        Returns
        -------
        array, shape (exposures, ny, nx)
            Between 0 and 1 in used pixels.
        """
        top = np.max(np.where(self.mask, self.exposure, 0.0), axis=(-2, -1), keepdims=True)
        return np.min(self.exposure / top, axis=0)

    def rebin(self, factor: int) -> ImageStack:
        """Join blocks of pixels: counts and background are summed, exposures averaged.

        Parameters
        ----------
        factor : int
            Pixels per side of a block; a block is used if all of its pixels are.

        Returns
        -------
        ImageStack
            The coarser stack.

        Raises
        ------
        DataError
            If the factor is not a whole number >= 1 or no pixel is left.
        """
        if not isinstance(factor, int) or isinstance(factor, bool) or factor < 1:
            raise DataError(f"{self.source}: rebin = {factor!r}, expected a whole number >= 1")
        ny, nx = (n // factor for n in self.shape)
        if min(ny, nx) < 1:
            raise DataError(f"{self.source}: {self.shape} pixels cannot be joined by {factor}")

        def blocks(maps: np.ndarray) -> np.ndarray:
            whole = maps[..., : ny * factor, : nx * factor]
            return whole.reshape(*maps.shape[:-2], ny, factor, nx, factor)

        return replace(
            self,
            counts=blocks(self.counts).sum(axis=(-3, -1)),
            exposure=blocks(self.exposure).mean(axis=(-3, -1)),
            background=blocks(self.background).sum(axis=(-3, -1)),
            mask=np.asarray(blocks(self.mask).all(axis=(-3, -1))),
            grids=tuple(g.rebin(factor) for g in self.grids),
        )

    def aligned(self, shift_arcsec: ArrayLike) -> ImageStack:
        """Correct the astrometry of each exposure; pixels stay, positions move.

        Parameters
        ----------
        shift_arcsec : array, shape (exposures, 2)
            Correction east and north: catalogue minus measured position [arcsec].

        Returns
        -------
        ImageStack
            The stack with moved grids. Do this before :meth:`cut`.

        Raises
        ------
        DataError
            If the shape is wrong or a value is not finite.
        """
        shift = np.asarray(shift_arcsec, float)
        if shift.shape != (self.n_exposures, 2) or not np.all(np.isfinite(shift)):
            raise DataError(
                f"{self.source}: shifts have shape {shift.shape}, expected finite numbers of "
                f"shape ({self.n_exposures}, 2) [arcsec]"
            )
        grids = tuple(g.shifted(*s) for g, s in zip(self.grids, shift, strict=True))
        return replace(self, grids=grids, shift_arcsec=self.shift_arcsec + shift)

    def with_counts(
        self, counts: ArrayLike, nature: str | None = None, asimov: bool | None = None
    ) -> ImageStack:
        """The same exposures with other counts (simulated, injected).

        Parameters
        ----------
        counts : array, shape (bins, exposures, ny, nx)
            New counts.
        nature : str, optional
            What they are; unchanged by default.
        asimov : bool, optional
            Whether they may be fractional; unchanged by default.

        Returns
        -------
        ImageStack
            The stack of the new counts.
        """
        return replace(
            self,
            counts=np.asarray(counts, float),
            nature=self.nature if nature is None else nature,
            asimov=self.asimov if asimov is None else asimov,
        )

    def groups(self, by: str = "all") -> tuple[tuple[int, ...], ...]:
        """Exposures that belong together.

        Parameters
        ----------
        by : str
            ``exposure`` (each alone), ``module``, ``observation`` or ``all``.

        Returns
        -------
        tuple of tuple of int
            Indices of the exposures of each group, in order of first appearance.

        Raises
        ------
        ConfigurationError
            If the choice is unknown.
        """
        if by not in GROUPINGS:
            raise unknown_name("grouping", by, GROUPINGS)
        n = range(self.n_exposures)
        labels: Sequence[Any] = {
            "exposure": n,
            "module": self.modules,
            "observation": self.obs_ids,
            "all": [0 for _ in n],
        }[by]
        return tuple(tuple(k for k in n if labels[k] == x) for x in dict.fromkeys(labels))

    def rows(self, maps: Any, by: str = "all") -> list[Any]:
        """Sum maps over the exposures of each group and keep the used pixels.

        Parameters
        ----------
        maps : array, shape (bins, exposures, ny, nx)
            Counts, background or expected signal of this stack; NumPy or JAX.
        by : str
            As :meth:`groups`.

        Returns
        -------
        list of array, shape (bins, pixels)
            One array per group; a pixel is used if it is in all exposures of the group.

        Raises
        ------
        DataError
            If a group's pixels do not lie on each other, or none is left.
        """
        found = []
        for group in self.groups(by):
            for k in group[1:]:
                if self.grids[group[0]].distance_pixels(self.grids[k]) > SUM_PIXELS_MAX:
                    raise DataError(
                        f"{self.source}: exposures {group[0]} and {k} cannot be summed pixel by "
                        "pixel (turned, or on other boxes): cut them to one region first, keep "
                        "them apart with by='exposure', or bin the events on one grid"
                    )
            used = np.flatnonzero(np.all(self.mask[list(group)], axis=0))
            if used.size == 0:
                raise DataError(f"{self.source}: ROI holds 0 pixels common to exposures {group}")
            total = maps[:, group[0]]
            for k in group[1:]:
                total = total + maps[:, k]
            found.append(total.reshape(total.shape[0], -1)[:, used])
        return found


def _distance_arcmin(grid: SkyGrid, ra_deg: float, dec_deg: float) -> np.ndarray:
    distance = np.hypot(*grid.centres_arcsec(ra_deg, dec_deg)) / 60.0
    return np.where(np.isfinite(distance), distance, np.inf)
