"""Forward model of count images: axions of a cluster as counts in the pixels of each energy bin.

The signal of a row (an image and an energy bin) is a * response with a = (g/1e-12 GeV^-1)^4, in
counts over the whole point-spread function,

    response_i = t_i(reference) dE_i rate_i,

with the rate of :class:`~.cluster_spectrum.ClusterSpectrum`; templates share it among pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .cluster_spectrum import RATE_UNIT, Cache, ClusterSpectrum, related
from .templates import ImageTemplates

if TYPE_CHECKING:
    from ..world import World

_SIGNAL, _BACKGROUND = "signal_template", "background_template"


class ClusterCounts(eqx.Module):
    """Predicted counts of one cluster in the images of one instrument.

    The stars, the PSF and the pointings are those of the world: ``world.stars[target]``,
    ``world.psf[instrument]``, ``world.pointings``.

    Attributes
    ----------
    order : int
        The signal is u|u|^(order-1) * response.
    spectrum : ClusterSpectrum
        Rate per energy bin; its bins are those of the images.
    images : tuple of ImageTemplates
        One per image; each gives one row per energy bin.
    exposure_s : float array, shape (images, bins)
        Exposure of each image at its reference, summed over its exposures [s].
    """

    references: ClassVar[tuple[str, ...]] = ("Dessert:2020lil",)
    order: ClassVar[int] = 2
    spectrum: ClusterSpectrum
    images: tuple[ImageTemplates, ...]
    exposure_s: Float[Array, "images bins"]

    @property
    def target(self) -> str:
        """Key of the cluster in the world."""
        return self.spectrum.target

    def dependencies(self) -> dict[str, tuple[str, ...]]:
        """Cached items and the path prefixes that invalidate them."""
        names = [n for image in self.images for n in image.names]
        shifts = tuple(f"pointings.{n}.offset_arcsec" for n in names)
        tilts = tuple(f"pointings.{n}.background_tilt" for n in names)
        shape = (f"stars.{self.target}", f"psf.{self.spectrum.instrument}")
        return self.spectrum.dependencies() | {_SIGNAL: (*shape, *shifts), _BACKGROUND: tilts}

    def touched(self, free: tuple[str, ...]) -> set[str]:
        """Items that depend on one of the free paths."""
        return {
            name
            for name, prefixes in self.dependencies().items()
            if any(related(f, p) for f in free for p in prefixes)
        }

    def prepare(
        self, world: World, free: tuple[str, ...] = (), reach_kpc: float | None = None
    ) -> Cache:
        """Items that do not depend on the free paths, computed once.

        Parameters
        ----------
        world : World
            Root tree at its fiducial point.
        free : tuple of str
            Paths that will vary.
        reach_kpc : float, optional
            Largest distance that the cluster may take [kpc].

        Returns
        -------
        dict
            Those of the spectrum, and ``signal_template`` and ``background_template``.
        """
        cache = self.spectrum.prepare(world, free, reach_kpc)
        touched = self.touched(free)
        for name, make in ((_SIGNAL, signal_rows), (_BACKGROUND, background_rows)):
            if name not in touched:
                cache[name] = eqx.filter_jit(make)(self, world)
        return cache

    def templates(
        self, world: World, cache: Cache | None = None
    ) -> tuple[Float[Array, "rows p"], Float[Array, "rows p"]]:
        """T and B of all rows, padded with zeros to the widest image; T sums to the containment."""
        cache = cache or {}
        signal = cache[_SIGNAL] if _SIGNAL in cache else signal_rows(self, world)
        background = cache[_BACKGROUND] if _BACKGROUND in cache else background_rows(self, world)
        return signal, background

    def counts(self, rates: Float[Array, " bins"]) -> Float[Array, " rows"]:
        """Counts over the whole PSF in each row, of rates in the unit of the spectrum."""
        grid = self.spectrum.grid
        per_second = rates * RATE_UNIT * (grid.high_keV - grid.low_keV)
        return (self.exposure_s * per_second).ravel()

    def response(self, world: World, cache: Cache | None = None) -> Float[Array, " rows"]:
        """Counts over the whole PSF per unit a = (g/1e-12 GeV^-1)^4, shape (rows,)."""
        return self.counts(self.spectrum.response(world, cache))


def signal_rows(probe: ClusterCounts, world: World) -> Float[Array, "rows p"]:
    """Signal templates of all images of a probe, one row per image and energy bin.

    Parameters
    ----------
    probe : ClusterCounts
        Forward model.
    world : World
        With stars, PSF and pointings.

    Returns
    -------
    float array, shape (rows, p)
        Fractions of the signal, padded with zeros to the widest image.

    References
    ----------
    None: bookkeeping.
    """
    psf, stars = world.psf[probe.spectrum.instrument], world.stars[probe.target]
    found = [image.signal_template(psf, stars, world.pointings) for image in probe.images]
    return _together(found)


def background_rows(probe: ClusterCounts, world: World) -> Float[Array, "rows p"]:
    """Background templates of all images of a probe, one row per image and energy bin.

    Parameters
    ----------
    probe : ClusterCounts
        Forward model.
    world : World
        With pointings.

    Returns
    -------
    float array, shape (rows, p)
        Counts for A = 1, padded with zeros to the widest image.

    References
    ----------
    None: bookkeeping.
    """
    return _together([image.background_template(world.pointings) for image in probe.images])


def _together(maps: list[Array]) -> Array:
    widest = max(m.shape[1] for m in maps)
    return jnp.concatenate([jnp.pad(m, ((0, 0), (0, widest - m.shape[1]))) for m in maps])
