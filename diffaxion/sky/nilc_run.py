"""One run of a needlet ILC, scale by scale: maps, covariance, weights, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..provenance import versions
from .local_covariance import LocalSmoothing
from .needlet_maps import (
    MapLike,
    ScaleWeights,
    Synthesiser,
    channel_alm,
    combine,
    needlet_alm,
    needlet_maps,
)
from .nilc_cache import ScaleCache, array_digest
from .nilc_result import (
    CleanedMap,
    Instrument,
    ScaleReport,
    margin_of,
    noise_power,
    scale_report,
)
from .nilc_settings import NeedletILC, Request
from .weights import PixelFactors, pixel_weights, prepare_covariance, square_weights


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

    def __init__(
        self,
        settings: NeedletILC,
        instrument: Instrument,
        requests: list[Request],
        responses: Mapping[str, np.ndarray],
        memory_MiB: float,
        noise: np.ndarray | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> None:
        self.settings, self.instrument, self.plan = settings, instrument, instrument.plan
        self.requests, self.responses, self.memory_MiB = requests, responses, memory_MiB
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
            needed = int(self.plan.upper[self.plan.used[:, i]].max(initial=0))
            iterations = self.settings.iterations
            alm = channel_alm(source, name, self.plan.lmax, self.transforms, iterations, needed)
            alms.append(alm)
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
        made = self._weights(scale, channels, filtered, needlets, mask, wanted)
        sets = [made[k][0] for k in wanted]
        y = combine(needlets, sets, mask)
        del needlets, filtered
        parts = self.back.coefficients(y, scale, margin_of(sets, mask))
        return [_Part(part, *made[k]) for part, k in zip(parts, wanted)]

    def _weights(
        self,
        scale: int,
        channels: np.ndarray,
        filtered: list[np.ndarray],
        needlets: np.ndarray,
        mask: np.ndarray | None,
        wanted: list[int],
    ) -> dict[int, tuple[ScaleWeights, np.ndarray | None, float]]:
        """Weights by set, pixels that count, share of pixels that were not positive definite."""
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
        return made

    def needlets(
        self, scale: int, channels: np.ndarray, alms: list[np.ndarray]
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Coefficients and maps (k, npix) of the channels in use at a scale."""
        ratios = self.instrument.ratios
        filtered = [needlet_alm(alms[i], self.plan, scale, ratios[i]) for i in channels]
        return filtered, needlet_maps(filtered, int(self.plan.nside[scale]), self.transforms)

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
            noise = noise_power(self.plan, scale, self.instrument.ratios, self.noise)
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
            "memory_estimate_MiB": self.memory_MiB,
            "versions": versions(),
            "scales": [r.record() for r in reports],
        }
