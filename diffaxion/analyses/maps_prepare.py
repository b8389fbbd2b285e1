"""Preparation of frequency maps: monopole and dipole, inpainting, coefficients and beams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..sky.inpainting import InpaintingPlan, diffusive_inpaint, inpainting_plan
from ..sky.monopole import remove_monopole_dipole
from ..sky.needlets import PAPER_PEAKS, SCALED_PEAKS
from ..sky.pixel_window import pixel_window
from ..sky.transforms import Transforms, get_transforms
from .maps_config import MapsConfiguration
from .maps_input import MapsInput, SkyInput
from .maps_responses import channel_beams
from .maps_sections import ChannelsSection
from .maps_stages import read_arrays, stage_done, write_stage

Progress = Callable[[str, float], None]
_PAPER_NSIDE = 2048
# Small skies hold multipoles to this share of nside without loss by their pixels.
_SCIENCE_ELL = 2.0


@dataclass(frozen=True)
class Geometry:
    """Resolution, multipoles, needlets and bins, with all defaults filled in.

    Attributes
    ----------
    nside : int
        Of the cleaned map.
    lmax : int
        Largest multipole of the cleaning.
    peaks : tuple of int
        Needlet peaks.
    common_fwhm_arcmin : float
        Beam of the cleaned map [arcmin].
    bin_width, last_ell : int
        Bins of the measurement.
    measured_lmax : int
        Largest multipole of the measurement.
    """

    nside: int
    lmax: int
    peaks: tuple[int, ...]
    common_fwhm_arcmin: float
    bin_width: int
    last_ell: int
    measured_lmax: int


def default_peaks(nside: int, lmax: int) -> tuple[int, ...]:
    """Needlet peaks for a resolution, the last of them ``lmax + 1``.

    Parameters
    ----------
    nside : int
        Resolution.
    lmax : int
        Largest multipole.

    Returns
    -------
    tuple of int
        The 13 of the paper at nside 1024 and more, fewer for small maps, stretched to ``lmax``.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Table S1.
    """
    known = [n for n in SCALED_PEAKS if n <= max(nside, min(SCALED_PEAKS))]
    base = PAPER_PEAKS if nside > 2 * max(SCALED_PEAKS) else SCALED_PEAKS[max(known)]
    scaled = np.round(np.array(base) * (lmax + 1) / base[-1]).astype(int)
    return tuple(int(p) for p in np.unique(scaled))


def geometry(settings: MapsConfiguration, source: MapsInput) -> Geometry:
    """Fill in what the settings leave to the resolution, and check it.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings.
    source : MapsInput
        Maps; only their resolutions are looked at.

    Returns
    -------
    Geometry
        All numbers.

    Raises
    ------
    ConfigurationError
        If multipoles, peaks and bins do not fit together or to the resolution.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514.
    """
    cleaning, measurement = settings.cleaning, settings.measurement
    nside = cleaning.nside or max(source.nsides)
    simulated = source.sky.settings if isinstance(source, SkyInput) else None
    peaks = cleaning.peaks
    lmax = cleaning.lmax
    if lmax is None and peaks is not None:
        lmax = peaks[-1] - 1
    if lmax is None:
        lmax = simulated.top_multipole if simulated is not None else min(2 * nside, 4096)
    if lmax >= 3 * nside - 1:
        raise ConfigurationError(
            f"cleaning.lmax = {lmax} at nside {nside}: must be below 3 nside - 1 = {3 * nside - 1}"
        )
    if peaks is None:
        peaks = list(default_peaks(nside, lmax))
    if peaks[0] != 0 or peaks[-1] != lmax + 1 or np.any(np.diff(peaks) <= 0):
        raise ConfigurationError(
            f"cleaning.peaks = {peaks}: expected to increase from 0 to lmax + 1 = {lmax + 1}"
        )
    common = cleaning.common_fwhm_arcmin
    if common is None:
        common = simulated.common_fwhm_arcmin if simulated is not None else 10.0
    top = int(min(2000, _SCIENCE_ELL * nside))
    last = min(measurement.last_ell or top, lmax)
    width = measurement.bin_width or max(4, round(150 * min(1.0, 3.0 * nside / _PAPER_NSIDE)))
    used = (last + 1 - measurement.first_ell) // width - measurement.skip_bins
    if used < 1:
        raise ConfigurationError(
            f"measurement: no bin of {width} multipoles is left between first_ell = "
            f"{measurement.first_ell} and last_ell = {last} once skip_bins = "
            f"{measurement.skip_bins} are left out: narrower bins, or fewer of them skipped"
        )
    highest = min(measurement.lmax or last + 2 * width, lmax)
    if highest < last:
        raise ConfigurationError(
            f"measurement.lmax = {highest} is below measurement.last_ell = {last}"
        )
    return Geometry(nside, lmax, tuple(peaks), float(common), width, last, highest)


@dataclass(frozen=True)
class PreparedMaps:
    """Frequency maps in harmonic space, with their beams.

    Attributes
    ----------
    names : tuple of str
        Channels.
    alms : tuple of complex arrays
        Coefficients of each map to l_max, or to what its resolution holds [K_CMB].
    beams : array, shape (n, lmax + 1)
        Beam of each channel.
    windows : array, shape (n, lmax + 1), or None
        Pixel windows that the maps carry.
    report : dict
        By channel: what the reader found, monopole, dipole, filled pixels.
    nature : str
        What the maps are if they are no measurement.
    """

    names: tuple[str, ...]
    alms: tuple[np.ndarray, ...]
    beams: np.ndarray
    windows: np.ndarray | None
    report: dict[str, Any]
    nature: str

    @property
    def lmax(self) -> int:
        """Largest multipole."""
        return self.beams.shape[1] - 1

    def select(self, names: tuple[str, ...]) -> PreparedMaps:
        """The maps of these channels only."""
        rows = [self.names.index(n) for n in names]
        windows = None if self.windows is None else self.windows[rows]
        alms = tuple(self.alms[k] for k in rows)
        return replace(self, names=tuple(names), alms=alms, beams=self.beams[rows], windows=windows)


@dataclass
class Preparer:
    """Prepares one map after another; holes of equal masks are planned once.

    Attributes
    ----------
    settings : MapsConfiguration
        Settings.
    lmax : int
        Largest multipole.
    transforms : Transforms
        Back end.
    """

    settings: MapsConfiguration
    lmax: int
    transforms: Transforms
    _plans: dict[bytes, InpaintingPlan | None] = field(default_factory=dict)

    def coefficients(
        self, values: np.ndarray, valid: np.ndarray, outside: np.ndarray
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """a_lm of a map without monopole, dipole and holes, and what was done."""
        choices = self.settings.preparation
        report: dict[str, Any] = {}
        report["filled_fraction"] = float(np.mean(valid == 0.0))
        values = np.where(valid > 0.0, values, 0.0)
        if choices.remove_dipole:
            found = remove_monopole_dipole(values, outside * valid)
            values = np.where(valid > 0.0, found.values, 0.0)
            report["monopole_K"] = float(found.monopole)
            report["dipole_K"] = [float(x) for x in found.dipole]
        plan = self._plan(valid)
        if plan is not None:
            values = diffusive_inpaint(values, plan, choices.inpaint)  # type: ignore[arg-type]
        nside = int(np.sqrt(values.size // 12))
        top = min(self.lmax, 3 * nside - 1)
        alm = self.transforms.analysis(values, top, self.settings.cleaning.iterations)
        return alm, report

    def _plan(self, valid: np.ndarray) -> InpaintingPlan | None:
        key = np.packbits(valid > 0.0).tobytes()
        if key not in self._plans:
            whole = bool(np.all(valid > 0.0)) or self.settings.preparation.inpaint == "none"
            self._plans[key] = None if whole else inpainting_plan(valid)
        return self._plans[key]


def uses_pixel_windows(settings: MapsConfiguration) -> bool:
    """Whether maps and galaxies are means over pixels, to be accounted for."""
    if settings.simulation is not None:
        return settings.simulation.pixel_windows
    return settings.channels.pixel_windows


def prepare_maps(
    settings: MapsConfiguration,
    source: MapsInput,
    chosen: Geometry,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> PreparedMaps:
    """Read, check and fill all maps, and take them to harmonic space.

    Parameters
    ----------
    settings : MapsConfiguration
        Settings.
    source : MapsInput
        Maps.
    chosen : Geometry
        From :func:`geometry`.
    folder : Path, optional
        Where coefficients are kept for a later run with the same input and settings.
    progress : callable, optional
        Called with (step, fraction done).

    Returns
    -------
    PreparedMaps
        n channels [K_CMB].

    Raises
    ------
    DataError
        If a map is unusable.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514 (inpainting); McCarthy & Hill 2024, arXiv:2307.01043.
    """
    report = progress or (lambda step, done: None)
    names = source.names
    key = {
        "input": source.identity(),
        "preparation": settings.preparation.model_dump(),
        "cleaning": [chosen.nside, chosen.lmax, settings.cleaning.iterations],
        "seed": settings.seed,
    }
    beams, _ = channel_beams(channels_of(settings, source), chosen.lmax)
    windows = None
    if uses_pixel_windows(settings):
        windows = np.stack([_window(n, chosen.lmax) for n in source.nsides])
    if folder is not None and (done := stage_done(folder, key)):
        arrays = tuple(read_arrays(folder / f"alm_{n}.npz")["alm"] for n in names)
        return PreparedMaps(names, arrays, beams, windows, done["report"], source.nature)
    transforms = get_transforms(settings.numerics.backend, settings.numerics.threads)
    preparer = Preparer(settings, chosen.lmax, transforms)
    galactic = source.galaxies(chosen.nside).temperature_mask
    alms: list[np.ndarray] = []
    found: dict[str, Any] = {}
    for k, name in enumerate(names):
        report(f"prepare {name} GHz", k / len(names))
        channel = source.temperature(name)
        outside = _at_size(galactic, channel.values.size)
        alm, done_to = preparer.coefficients(channel.values, channel.valid, outside)
        alms.append(alm)
        found[name] = dict(channel.report) | done_to
    if folder is not None:
        files = {f"alm_{n}.npz": {"alm": a} for n, a in zip(names, alms)}
        write_stage(folder, key, files, {"report": found})
    return PreparedMaps(names, tuple(alms), beams, windows, found, source.nature)


def channels_of(settings: MapsConfiguration, source: MapsInput) -> ChannelsSection:
    """Channels, with the beams of a simulated sky where none are given."""
    channels = settings.channels
    if not isinstance(source, SkyInput):
        return channels
    sky = source.sky
    widths = {n: float(f) for n, f in zip(sky.names, sky.fwhm_arcmin)}
    return channels.model_copy(update={"fwhm_arcmin": widths | channels.fwhm_arcmin})


def _at_size(mask: np.ndarray, pixels: int) -> np.ndarray:
    if mask.size == pixels:
        return mask
    import healpy

    return np.floor(healpy.ud_grade(mask, int(np.sqrt(pixels // 12))) + 1e-9)


def _window(nside: int, lmax: int) -> np.ndarray:
    """Pixel window of a map; beyond what it holds the last value, where no beam is left."""
    top = min(lmax, 3 * nside - 1)
    return np.pad(pixel_window(nside, top), (0, lmax - top), mode="edge")
