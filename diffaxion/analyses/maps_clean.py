"""Cleaning of the pipeline: sets of deprojected components, from one pass over the needlets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..sky.components import Spectra
from ..sky.needlet_plan import NeedletPlan, memory_estimate, needlet_plan
from ..sky.needlets import cosine_needlets
from ..sky.nilc import NeedletILC, needlet_ilc
from ..sky.nilc_result import CleanedMap
from ..sky.passbands import Passbands
from .maps_config import MapsConfiguration
from .maps_input import MapsInput
from .maps_prepare import Geometry, PreparedMaps, channels_of
from .maps_responses import (
    channel_beams,
    cleaning_spectra,
    pipeline_bands,
    responses_of,
    with_cib,
)

Progress = Callable[[str, float], None]
# Components whose response through the weights is reported.
KNOWN = ("cmb", "tsz", "cib", "cib-dbeta", "cib-dT", "dust", "synchrotron")


@dataclass(frozen=True)
class Deprojected:
    """Components that are deprojected.

    Attributes
    ----------
    names : tuple of str, or of tuples of str
        For all scales, or for each.
    cib : tuple of two floats, optional
        Temperature [K] and beta of the CIB in place of the settings.
    """

    names: tuple[str, ...] | tuple[tuple[str, ...], ...]
    cib: tuple[float, float] | None = None

    @property
    def flat(self) -> tuple[str, ...]:
        """All names, each once."""
        found: list[str] = []
        for item in self.names:
            found += [item] if isinstance(item, str) else item
        return tuple(dict.fromkeys(found))

    def keys(self) -> tuple[Any, ...]:
        """The same with names of the responses that belong to this CIB."""

        def one(item: Any) -> Any:
            if isinstance(item, str):
                return response_key(item, self.cib)
            return tuple(response_key(n, self.cib) for n in item)

        return tuple(one(item) for item in self.names)


def response_key(name: str, cib: tuple[float, float] | None) -> str:
    """Name of a response: that of the component, and of the CIB's spectrum if it is another one.

    Parameters
    ----------
    name : str
        Component.
    cib : tuple of two floats or None
        Temperature [K] and beta.

    Returns
    -------
    str
        Such as ``cib-dbeta@28,1.2``.

    References
    ----------
    None: a name.
    """
    if cib is None or not name.startswith("cib"):
        return name
    return f"{name}@{cib[0]:g},{cib[1]:g}"


@dataclass(frozen=True)
class CleanedSky:
    """A cleaned map of the pipeline.

    Attributes
    ----------
    label : str
        Name of its set.
    deprojected : Deprojected
        The set.
    result : CleanedMap
        Coefficients [uK], weights and what is known of every scale.
    """

    label: str
    deprojected: Deprojected
    result: CleanedMap

    @property
    def fwhm_arcmin(self) -> float:
        """Gaussian beam [arcmin]."""
        return self.result.fwhm_arcmin

    @cached_property
    def values(self) -> np.ndarray:
        """The map [uK], RING, shape (npix,)."""
        return self.result.map()


@dataclass
class Cleaner:
    """Cleans maps with the settings of a configuration.

    Attributes
    ----------
    settings : MapsConfiguration
        Settings.
    chosen : Geometry
        Resolution, multipoles, needlets and common beam.
    mask : array, shape (npix,), optional
        Pixels that enter the covariance.
    alternatives : tuple of (float, float)
        Spectra of the CIB whose response through the weights is wanted.
    """

    settings: MapsConfiguration
    chosen: Geometry
    mask: np.ndarray | None = None
    alternatives: tuple[tuple[float, float], ...] = ()
    _bands: Passbands | None = field(default=None)

    @property
    def bands(self) -> Passbands:
        """Passbands of all channels."""
        if self._bands is None:
            self._bands = pipeline_bands(self.settings.channels)
        return self._bands

    @property
    def spectra(self) -> Spectra:
        """Spectra that the cleaning assumes."""
        return cleaning_spectra(self.settings)

    @property
    def fiducial_set(self) -> Deprojected:
        """The set of the settings."""
        return make_set(self.settings.cleaning.deprojected)

    @property
    def all_sets(self) -> dict[str, Deprojected]:
        """The set of the settings, named ``fiducial``, and the further ones."""
        also = self.settings.cleaning.also
        return {"fiducial": self.fiducial_set} | {n: make_set(s) for n, s in also.items()}

    def responses(
        self, names: tuple[str, ...], sets: Mapping[str, Deprojected]
    ) -> dict[str, np.ndarray]:
        """Responses of some channels to all components that are deprojected or reported."""
        cleaning, bands = self.settings.cleaning, self.bands.select(names)
        wanted = [*KNOWN, *(n for s in sets.values() if s.cib is None for n in s.flat)]
        found = responses_of(wanted, bands, self.spectra, cleaning.preserve)
        pairs = {s.cib: s.flat for s in sets.values() if s.cib is not None}
        for cib in self.alternatives:
            pairs.setdefault(cib, ("cib",))
        for cib, components in pairs.items():
            assert cib is not None
            other = with_cib(cleaning, *cib)
            chosen = dict.fromkeys(("cib", *(n for n in components if n.startswith("cib"))))
            table = responses_of(tuple(chosen), bands, other, cleaning.preserve)
            found |= {response_key(n, cib): table[n] for n in chosen}
        return found

    def ilc(self) -> NeedletILC:
        """Settings of the needlet ILC."""
        cleaning, chosen, numerics = self.settings.cleaning, self.chosen, self.settings.numerics
        rows = cleaning.channels
        return NeedletILC(
            chosen.nside,
            chosen.lmax,
            chosen.common_fwhm_arcmin,
            chosen.peaks,
            bias=cleaning.bias,
            variant=cleaning.variant,
            smoothing_rule=cleaning.smoothing_rule,
            iterations=cleaning.iterations,
            taper_width=cleaning.taper_width,
            channels=None if rows is None else tuple(tuple(r) for r in rows),
            backend=numerics.backend,
            threads=numerics.threads,
            memory_GiB=cleaning.memory_GiB,
        )

    def plan_of(self, source: MapsInput) -> NeedletPlan:
        """Channels, resolution and smoothing of each scale."""
        beams, _ = channel_beams(channels_of(self.settings, source), self.chosen.lmax)
        return needlet_plan(
            cosine_needlets(self.chosen.peaks, self.chosen.lmax),
            beams,
            self.chosen.nside,
            bias=self.settings.cleaning.bias,
            channels=self.settings.cleaning.channels,
            names=source.names,
        )

    def without(self, names: list[str]) -> Cleaner:
        """The same where explicit lists of channels lack some; for maps without these channels."""
        rows = self.settings.cleaning.channels
        if rows is None:
            return self
        kept = [[n for n in row if n not in names] for row in rows]
        cleaning = self.settings.cleaning.model_copy(update={"channels": kept})
        return replace(self, settings=self.settings.model_copy(update={"cleaning": cleaning}))

    def memory_MiB(self, plan: NeedletPlan, sets: Mapping[str, Deprojected]) -> float:
        """Peak memory of a cleaning, estimated before it starts [MiB]."""
        counts = [
            len(s.names) if s.flat == s.names else [len(row) for row in s.names]
            for s in sets.values()
        ]
        cleaning = self.settings.cleaning
        found = memory_estimate(
            plan,
            cleaning.variant,
            counts,
            masked=self.mask is not None,
            rule=cleaning.smoothing_rule,
        )
        return float(found["peak_MiB"])

    def clean(
        self,
        prepared: PreparedMaps,
        sets: Mapping[str, Deprojected],
        *,
        folder: Path | None = None,
        progress: Progress | None = None,
        keep_weights: bool = True,
    ) -> dict[str, CleanedSky]:
        """Maps of all sets [uK], from one covariance.

        Parameters
        ----------
        prepared : PreparedMaps
            Channels.
        sets : mapping of str to Deprojected
            What is deprojected, by label.
        folder : Path, optional
            Where finished scales are kept, so that an interrupted run goes on from there.
        progress : callable, optional
            Called with (step, fraction done).
        keep_weights : bool
            Whether results carry their weights.

        Returns
        -------
        dict of str to CleanedSky
            By label.

        Raises
        ------
        ConfigurationError
            If a set is impossible; before any work.

        References
        ----------
        Goldstein et al. 2024, arXiv:2409.10514; McCarthy & Hill 2024, arXiv:2307.01043.
        """
        report = progress or (lambda step, done: None)
        names = prepared.names
        found = needlet_ilc(
            list(prepared.alms),
            prepared.beams,
            self.responses(names, sets),
            {label: s.keys() for label, s in sets.items()},
            replace(self.ilc(), keep_weights=keep_weights),
            keep=self.settings.cleaning.preserve,
            names=names,
            pixel_windows=prepared.windows,
            mask=self.mask,
            cache=folder,
            progress=lambda done, total, text: report(text, done / max(total, 1)),
        )
        return {label: CleanedSky(label, sets[label], m) for label, m in found.items()}


def make_set(chosen: list[str] | list[list[str]]) -> Deprojected:
    """A set as the configuration writes it.

    Parameters
    ----------
    chosen : list of str, or of lists of str
        Components for all scales, or for each.

    Returns
    -------
    Deprojected
        The set.

    References
    ----------
    None: configuration.
    """
    return Deprojected(
        tuple(c if isinstance(c, str) else tuple(c) for c in chosen)  # type: ignore[arg-type]
    )
