"""Needlet ILC with deprojections: maps of several channels to maps of one component.

Each channel becomes harmonic coefficients; at each needlet scale the channels that resolve it
become maps with a common beam, their covariance around every pixel gives the weights (one
covariance for all deprojection sets), and the weighted sums are filtered once more and added. The
work goes scale by scale and never holds more than one scale in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigurationError, DataError
from ..provenance import versions
from .local_covariance import LocalSmoothing
from .needlet_maps import (
    MapLike,
    ScaleWeights,
    Synthesiser,
    beam_ratios,
    channel_alm,
    channel_reach,
    combine,
    needlet_alm,
)
from .needlet_plan import NeedletPlan, memory_estimate, needlet_plan
from .nilc_cache import ScaleCache, array_digest
from .nilc_result import CleanedMap, Instrument, ScaleReport, margin_of, scale_report
from .nilc_settings import Components, NeedletILC, Request, make_requests
from .transforms import map_nside
from .weights import PixelFactors, pixel_weights, prepare_covariance, square_weights


def _checked_mask(mask: np.ndarray | None, nside: int) -> np.ndarray | None:
    if mask is None:
        return None
    found = np.asarray(mask, float)
    if found.ndim != 1 or map_nside(found.size, "mask") < nside:
        raise DataError(f"mask of shape {found.shape}: expected a map of nside >= {nside}")
    if not np.all((found >= 0.0) & (found <= 1.0)) or not found.any():
        raise DataError("mask: expected values from 0 to 1, not all of them 0")
    return found


def _noise_power(plan: NeedletPlan, scale: int, ratios: np.ndarray, noise: np.ndarray):
    """Variance of white noise in the needlet maps of all channels, shape (n,)."""
    h = plan.filters[scale]
    ell = np.arange(h.size)
    gain = np.where(h > 0.0, h * ratios, 0.0) ** 2
    return noise**2 * (gain @ (2.0 * ell + 1.0)) / (4.0 * np.pi)


def needlet_ilc(
    maps: Sequence[MapLike],
    beams: np.ndarray,
    responses: Mapping[str, np.ndarray],
    sets: Mapping[str, Components],
    settings: NeedletILC,
    *,
    keep: str = "screening",
    names: Sequence[str] | None = None,
    pixel_windows: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    noise: np.ndarray | None = None,
    cache: str | Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, CleanedMap]:
    """Maps of one component from maps of several channels, for several deprojection sets at once.

    Parameters
    ----------
    maps : sequence of n arrays
        Full-sky HEALPix maps in RING order, each of its own nside, without monopole and missing
        pixels; or harmonic coefficients (complex); or functions without arguments that return
        them, called one after the other [any unit, the same for all].
    beams : float array, shape (n, lmax + 1)
        Beams of the channels, 1 at l = 0; any order.
    responses : mapping of str to float arrays, shape (n,)
        Response of each channel to every known component [unit of input per unit of the
        component]; that of ``keep`` sets the unit of the output.
    sets : mapping of str to components
        Deprojected components by name of the set: names, or a list of names for each scale.
    settings : NeedletILC
        Needlets, resolution and options.
    keep : str
        Component with unit response.
    names : sequence of str, optional
        Names of the channels; default 0, 1, ...
    pixel_windows : float array, shape (n, lmax + 1), optional
        Windows that are divided out together with the beams; they do not affect which channel is
        used where.
    mask : float array, shape (npix,), optional
        0 to 1; pixels below 1/2 do not enter the covariance and get no weight.
    noise : float array, shape (n,), optional
        White noise of the channels, for the report [unit of input times radian].
    cache : str or Path, optional
        Folder for the results of each scale, named by a hash of all inputs and settings; a run
        that was interrupted continues from there.
    progress : callable, optional
        Called with the number of steps done, their total and a text.

    Returns
    -------
    dict of str to CleanedMap
        One map per set.

    Raises
    ------
    ConfigurationError
        If something asked for is impossible; before any work.
    DataError
        If a map or the mask is unusable.
    ValidityError
        If a covariance is singular.

    References
    ----------
    Delabrouille et al. 2009, arXiv:0807.0773; Remazeilles, Delabrouille & Cardoso 2011,
    arXiv:1006.5599; McCarthy & Hill 2024, arXiv:2307.01043.
    """
    run = prepare_run(
        maps,
        beams,
        responses,
        sets,
        settings,
        keep=keep,
        names=names,
        pixel_windows=pixel_windows,
        mask=mask,
        noise=noise,
        progress=progress,
    )
    return run.execute(maps, cache)


def prepare_run(
    maps: Sequence[MapLike],
    beams: np.ndarray,
    responses: Mapping[str, np.ndarray],
    sets: Mapping[str, Components],
    settings: NeedletILC,
    *,
    keep: str,
    names: Sequence[str] | None = None,
    pixel_windows: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    noise: np.ndarray | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Run:
    """Check all arguments of :func:`needlet_ilc`, and the memory, before any work."""
    if len(maps) != len(beams):
        raise ConfigurationError(f"{len(maps)} maps and {len(beams)} beams: expected one each")
    known = [channel_reach(m) for m in maps]
    reach = [settings.lmax if r is None else min(r, settings.lmax) for r in known]
    plan = needlet_plan(
        settings.bank(),
        beams,
        settings.nside,
        bias=settings.bias,
        channels=settings.channels,
        names=names,
        reach=reach,
    )
    requests = make_requests(plan, responses, sets, keep)
    mask = _checked_mask(mask, settings.nside)
    total_beams = np.asarray(beams, float)
    if pixel_windows is not None:
        windows = np.asarray(pixel_windows, float)
        if windows.shape != total_beams.shape or not np.all(windows > 0.0):
            raise ConfigurationError(
                f"pixel windows of shape {windows.shape}: expected positive numbers of shape "
                f"{total_beams.shape}"
            )
        total_beams = total_beams * windows
    _check_memory(plan, settings, requests, mask is not None)
    instrument = Instrument(
        plan,
        beam_ratios(total_beams, settings.output_beam()),
        mask,
        settings.backend,
        settings.threads,
        settings.iterations,
        settings.variant == "exact",
    )
    return Run(settings, instrument, requests, responses, noise, progress)


def _check_memory(
    plan: NeedletPlan, settings: NeedletILC, requests: list[Request], masked: bool
) -> dict[str, float]:
    counts = [max(len(c) - 1 for c in r.components) for r in requests]
    found = memory_estimate(plan, settings.variant, counts, masked=masked)
    if settings.memory_GiB is not None and found["peak_MiB"] > 1024.0 * settings.memory_GiB:
        raise ConfigurationError(
            f"the run would need about {found['peak_MiB'] / 1024.0:.1f} GiB, memory_GiB allows "
            f"{settings.memory_GiB:g}: choose the variant 'interpolated' or 'coarse', fewer "
            "deprojection sets, or a lower nside"
        )
    return found


@dataclass(frozen=True)
class _Part:
    """One set at one scale: filtered coefficients, weights, pixels that count, pixels repaired."""

    alm: np.ndarray
    weights: ScaleWeights
    valid: np.ndarray | None
    indefinite: float

    def arrays(self) -> dict[str, np.ndarray]:
        """What the disk keeps."""
        return {
            "alm": self.alm,
            "weights": self.weights.values,
            "valid": np.zeros(0, bool) if self.valid is None else self.valid,
            "indefinite": np.array(self.indefinite),
        }

    @classmethod
    def from_arrays(cls, channels: np.ndarray, found: dict[str, np.ndarray]) -> _Part:
        """The same from the disk."""
        valid = found["valid"] if found["valid"].size else None
        weights = ScaleWeights(channels, found["weights"])
        return cls(found["alm"], weights, valid, float(found["indefinite"]))


class Run:
    """One execution: the state that the scales share."""

    def __init__(self, settings, instrument, requests, responses, noise, progress) -> None:
        self.settings, self.instrument, self.plan = settings, instrument, instrument.plan
        self.requests, self.responses = requests, responses
        self.noise = None if noise is None else np.asarray(noise, float)
        self.transforms = instrument.transforms
        self.back = Synthesiser(
            self.plan, self.transforms, settings.iterations, settings.variant == "exact"
        )
        self.progress = progress or (lambda done, total, text: None)

    def execute(self, maps: Sequence[MapLike], cache: str | Path | None) -> dict[str, CleanedMap]:
        scales = len(self.plan.used)
        steps = len(maps) + scales
        alms = self.analyse(maps, steps)
        digests = [array_digest(a) for a in alms] if cache is not None else []
        store = ScaleCache(cache, self._identity(digests))
        total = self.back.empty(len(self.requests))
        reports: list[list[ScaleReport]] = [[] for _ in self.requests]
        weights: list[list[ScaleWeights]] = [[] for _ in self.requests]
        for scale in range(scales):
            self.progress(len(maps) + scale, steps, f"needlet scale {scale}")
            for k, part in enumerate(self._scale(scale, alms, store)):
                self.back.add(total[k], part.alm)
                reports[k].append(self._report(scale, k, part))
                if self.settings.keep_weights:
                    weights[k].append(part.weights)
        self.progress(steps, steps, "done")
        return {
            r.name: CleanedMap(
                r.name,
                total[k],
                self.settings.nside,
                self.settings.common_fwhm_arcmin,
                self.settings.output_beam(),
                tuple(reports[k]),
                tuple(weights[k]),
                self.instrument,
                self._record(r, reports[k]),
            )
            for k, r in enumerate(self.requests)
        }

    def analyse(self, maps: Sequence[MapLike], steps: int) -> list[np.ndarray]:
        """Coefficients of all channels, one map in memory at a time."""
        alms = []
        for i, (source, name) in enumerate(zip(maps, self.plan.names)):
            self.progress(i, steps, f"channel {name}")
            alms.append(
                channel_alm(source, name, self.plan.lmax, self.transforms, self.settings.iterations)
            )
        return alms

    def _identity(self, digests: list[str]) -> dict[str, Any]:
        mask = self.instrument.mask
        return {
            **self.settings.identity(),
            "maps": digests,
            "ratios": array_digest(self.instrument.ratios),
            "mask": None if mask is None else array_digest(mask),
        }

    def _detail(self, request: Request, scale: int) -> dict[str, Any]:
        return {
            "scale": scale,
            "used": self.plan.used[scale],
            "responses": array_digest(request.responses[scale]),
        }

    def _scale(self, scale: int, alms: list[np.ndarray], store: ScaleCache) -> list[_Part]:
        """Result of every set, from the disk or computed."""
        channels = np.flatnonzero(self.plan.used[scale])
        label = f"scale-{scale:02d}"
        details = [self._detail(r, scale) for r in self.requests]
        parts: dict[int, _Part] = {}
        for k, detail in enumerate(details):
            old = store.load(label, detail)
            if old is not None:
                parts[k] = _Part.from_arrays(channels, old)
        missing = [k for k in range(len(details)) if k not in parts]
        if missing:
            parts.update(zip(missing, self._compute(scale, channels, alms, missing)))
        for k in missing:
            store.save(label, details[k], parts[k].arrays())
        return [parts[k] for k in range(len(details))]

    def _compute(
        self, scale: int, channels: np.ndarray, alms: list[np.ndarray], wanted: list[int]
    ) -> list[_Part]:
        mask = self.instrument.mask_at(scale)
        filtered, needlets = self.needlets(scale, channels, alms)
        made: dict[int, tuple[ScaleWeights, np.ndarray | None, float]] = {}
        groups: dict[int, list[int]] = {}
        for k in wanted:
            matrix = self.requests[k].responses[scale]
            if matrix.shape[0] == matrix.shape[1]:
                made[k] = (ScaleWeights(channels, square_weights(matrix)[None]), None, 0.0)
            else:
                groups.setdefault(self.rule(k, scale), []).append(k)
        for count, members in groups.items():
            factors, valid = self.covariance(scale, filtered, needlets, mask, count)
            values = pixel_weights(factors, [self.requests[k].responses[scale] for k in members])
            for k, v in zip(members, values):
                made[k] = (ScaleWeights(channels, v), valid, factors.indefinite)
        sets = [made[k][0] for k in wanted]
        y = combine(needlets, sets, mask)
        parts = self.back.coefficients(y, scale, margin_of(sets))
        return [_Part(part, *made[k]) for part, k in zip(parts, wanted)]

    def needlets(
        self, scale: int, channels: np.ndarray, alms: list[np.ndarray]
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Coefficients and maps (k, npix) of the channels in use at a scale."""
        nside, ratios = int(self.plan.nside[scale]), self.instrument.ratios
        filtered = [needlet_alm(alms[i], self.plan, scale, ratios[i]) for i in channels]
        return filtered, np.stack([self.transforms.synthesis(a, nside) for a in filtered])

    def covariance(
        self,
        scale: int,
        filtered: list[np.ndarray],
        needlets: np.ndarray,
        mask: np.ndarray | None,
        count: int,
    ) -> tuple[PixelFactors, np.ndarray | None]:
        """Covariance around every pixel of a grid, and which of its pixels count."""
        settings = self.settings
        local = LocalSmoothing(
            self.plan, scale, settings.variant, self.transforms, count, settings.iterations, mask
        )
        first, _ = self.plan.band(scale)
        factors = prepare_covariance(
            local.covariance(local.remove_mean(needlets, filtered, first)),
            len(needlets),
            regularise=settings.regularise,
            valid=local.valid,
            repair=settings.variant != "exact",
            where=f"needlet scale {scale}",
        )
        return factors, local.valid

    def rule(self, k: int, scale: int) -> int:
        """Number of deprojections in the smoothing rule."""
        if self.settings.smoothing_rule == "common":
            return 0
        return len(self.requests[k].components[scale]) - 1

    def _report(self, scale: int, k: int, part: _Part) -> ScaleReport:
        request = self.requests[k]
        square = len(part.weights.channels) == len(request.components[scale])
        noise = None
        if self.noise is not None:
            noise = _noise_power(self.plan, scale, self.instrument.ratios, self.noise)
        return scale_report(
            self.plan,
            scale,
            part.weights,
            request.components[scale],
            self.responses,
            request.conditions[scale],
            0.0 if square else float(self.plan.fwhm_deg(self.rule(k, scale))[scale]),
            part.valid,
            noise,
            part.indefinite,
        )

    def _record(self, request: Request, reports: list[ScaleReport]) -> dict[str, Any]:
        return {
            "deprojection_set": request.name,
            "keep": request.components[0][0],
            "channels": list(self.plan.names),
            "lmax": self.plan.lmax,
            "common_fwhm_arcmin": self.settings.common_fwhm_arcmin,
            "peaks": list(self.settings.peaks),
            "taper_width": self.settings.taper_width,
            **self.settings.identity(),
            "responses": {n: np.asarray(a).tolist() for n, a in self.responses.items()},
            "mask": self.instrument.mask is not None,
            "versions": versions(),
            "scales": [r.record() for r in reports],
        }
