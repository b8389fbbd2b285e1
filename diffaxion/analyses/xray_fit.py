"""Fits of an axion signal to count images: strengths, backgrounds and counts of energy bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..observables.world import World
from .count_limits import Images, count_profiles
from .limit_curves import MassScan

# A background below this is held at zero by the fit.
_ZERO = 1e-9


@dataclass(frozen=True)
class CountFit:
    """Fits of one target, or of all, at n masses; a row is an energy bin of an image.

    Attributes
    ----------
    scan : MassScan
        Best strengths, errors, limits and significances, shape (n,).
    targets, images : tuple of str
        Target of each row, and the exposures that are summed in it.
    low_keV, high_keV : array, shape (rows,)
        Edges [keV].
    counts : array, shape (rows,)
        Observed counts in the region.
    background_scale : array, shape (n, rows)
        A at the best fit; 1 is the given background.
    background, signal : array, shape (n, rows)
        Fitted counts in the region.
    """

    scan: MassScan
    targets: tuple[str, ...]
    images: tuple[str, ...]
    low_keV: np.ndarray
    high_keV: np.ndarray
    counts: np.ndarray
    background_scale: np.ndarray
    background: np.ndarray
    signal: np.ndarray

    @property
    def name(self) -> str:
        """Target, or ``joint``."""
        return self.scan.name

    def flags(self, k: int) -> list[str]:
        """What is unusual about the fit at the k-th mass, in words."""
        found = []
        if self.scan.status[k] != "OK":
            found.append(self.scan.status[k])
        zero = np.flatnonzero(self.background_scale[k] <= _ZERO)
        found += [
            f"background at zero in {self.low_keV[b]:g}-{self.high_keV[b]:g} keV" for b in zero
        ]
        return found


def fit_counts(
    world: World, images: Sequence[Images], m_a_eV: np.ndarray, **choices: Any
) -> list[CountFit]:
    """Fit a signal at given masses to the images of every target, and of all together.

    Parameters
    ----------
    world : World
        Root tree at its fiducial point.
    images : sequence of (ClusterCounts, TemplatePoisson)
        Forward models and counts.
    m_a_eV : array, shape (n,)
        Masses [eV].
    **choices
        As :func:`~diffaxion.analyses.count_limits.count_profiles`.

    Returns
    -------
    list of CountFit
        One per target, then ``joint`` where there are several.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """
    masses = np.asarray(m_a_eV, float)
    above = {k: v for k, v in choices.items() if k == "field_structure_above_eV"}
    fits = []
    for profile in count_profiles(world, images, masses, **choices):
        parts = [images[k] for k in profile.members]
        best = np.asarray(profile.quoted.best)
        strength, scale = best[:, :1], best[:, 1:]
        signal_in, background_in, counts = (
            np.concatenate([np.asarray(getattr(p, name)).sum(axis=-1) for _, p in parts])
            for name in ("signal_template", "background_template", "counts")
        )
        grids = [(probe, probe.spectrum.grid, len(probe.images)) for probe, _ in parts]
        bins = [g.low_keV.shape[0] for _, g, _ in grids]
        names = [
            (probe.target, " + ".join(image.names))
            for (probe, _, _), n in zip(grids, bins, strict=True)
            for image in probe.images
            for _ in range(n)
        ]
        low, high = (
            np.concatenate([np.tile(np.asarray(getattr(g, edge)), n) for _, g, n in grids])
            for edge in ("low_keV", "high_keV")
        )
        fits.append(
            CountFit(
                profile.scan(masses, **above),
                tuple(t for t, _ in names),
                tuple(i for _, i in names),
                low,
                high,
                counts,
                scale,
                scale * background_in,
                strength * profile.responses * signal_in,
            )
        )
    return fits
