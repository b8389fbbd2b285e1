"""Settings of a needlet ILC, and the deprojection sets that are asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigurationError, unknown_name
from .needlet_plan import VARIANTS, NeedletPlan
from .needlets import SCALED_PEAKS, cosine_needlets, gaussian_beam, taper
from .nilc_cache import array_digest
from .simulation_settings import COMMON_FWHM_ARCMIN, beam_factor
from .transforms import BACKENDS
from .weights import check_responses

Components = Sequence[str] | Sequence[Sequence[str]]
RULES = ("common", "per_choice")


@dataclass(frozen=True, eq=False)
class NeedletILC:
    """Settings of a needlet ILC.

    Attributes
    ----------
    nside : int
        Resolution of the output and the largest of needlet maps.
    lmax : int
        Largest multipole.
    common_fwhm_arcmin : float
        Gaussian beam of the output [arcmin].
    peaks : tuple of int
        Peaks of cosine needlets, 0 to lmax + 1; not used where filters are given.
    filters : float array, shape (J, lmax + 1), or None
        Any other needlets.
    bias : float
        Fractional ILC bias that sets how far the covariance is averaged.
    variant : str
        How it is averaged: exact, smooth, interpolated (default) or coarse.
    smoothing_rule : str
        ``common``: one smoothing for every deprojection set, by the rule without deprojection;
        ``per_choice``: by the number of deprojected components.
    iterations : int
        Iterations of the analysis of maps.
    taper_width : float
        Width w of a smooth end, 1 - [tanh(0.025 (l - lmax + w)) + 1]/2; 0 for none.
    channels : tuple of tuples of str, or None
        Channels at each scale in place of the rule from their beams.
    regularise : float
        Fraction of each channel's variance added to the diagonal of the covariance.
    backend : str
        Transforms: healpy or ducc0.
    threads : int
        Threads of ducc0.
    keep_weights : bool
        Whether the result carries its weights.
    memory_GiB : float or None
        Refuse to start if the estimate of the memory exceeds it.
    """

    nside: int
    lmax: int
    common_fwhm_arcmin: float
    peaks: tuple[int, ...] = ()
    filters: np.ndarray | None = None
    bias: float = 0.01
    variant: str = "interpolated"
    smoothing_rule: str = "common"
    iterations: int = 3
    taper_width: float = 0.0
    channels: tuple[tuple[str, ...], ...] | None = None
    regularise: float = 0.0
    backend: str = "healpy"
    threads: int = 1
    keep_weights: bool = True
    memory_GiB: float | None = None

    def __post_init__(self) -> None:
        for what, value, known in (
            ("variant of the smoothing", self.variant, VARIANTS),
            ("smoothing rule", self.smoothing_rule, RULES),
            ("transform back end", self.backend, BACKENDS),
        ):
            if value not in known:
                raise unknown_name(what, value, known)
        if not self.common_fwhm_arcmin > 0.0:
            raise ConfigurationError(
                f"common beam {self.common_fwhm_arcmin:g} arcmin: expected a number > 0"
            )
        if not 0 <= self.iterations <= 20:
            raise ConfigurationError(f"{self.iterations} iterations: expected 0 to 20")
        if not 0.0 <= self.regularise < 1.0:
            raise ConfigurationError(f"regularise {self.regularise:g}: expected 0 to 1")

    @classmethod
    def small(cls, nside: int, **options: Any) -> NeedletILC:
        """Settings for small skies whose beams, and the common one, are those of the toy sky."""
        if nside not in SCALED_PEAKS:
            raise ConfigurationError(f"nside {nside}: expected one of {sorted(SCALED_PEAKS)}")
        peaks = SCALED_PEAKS[nside]
        common = COMMON_FWHM_ARCMIN * beam_factor(nside)
        return cls(nside, peaks[-1] - 1, common, peaks, **options)

    def bank(self) -> np.ndarray:
        """Needlet filters, shape (J, lmax + 1)."""
        if self.filters is not None:
            return np.asarray(self.filters, float)
        return cosine_needlets(self.peaks, self.lmax)

    def output_beam(self) -> np.ndarray:
        """Common beam with the taper, shape (lmax + 1,)."""
        return gaussian_beam(self.common_fwhm_arcmin, self.lmax) * taper(
            self.lmax, self.taper_width
        )

    def identity(self) -> dict[str, Any]:
        """All settings that decide the numbers."""
        return {
            "nside": self.nside,
            "filters": array_digest(self.bank()),
            "output_beam": array_digest(self.output_beam()),
            "bias": self.bias,
            "variant": self.variant,
            "smoothing_rule": self.smoothing_rule,
            "iterations": self.iterations,
            "regularise": self.regularise,
            "backend": self.backend,
        }


@dataclass(frozen=True)
class Request:
    """One deprojection set: its components and responses at each scale."""

    name: str
    components: tuple[tuple[str, ...], ...]
    responses: tuple[np.ndarray, ...]
    conditions: tuple[float, ...]


def _per_scale(chosen: Components, scales: int, name: str) -> list[tuple[str, ...]]:
    if isinstance(chosen, str):
        chosen = (chosen,)
    if all(isinstance(c, str) for c in chosen):
        return [tuple(chosen)] * scales  # type: ignore[arg-type]
    if len(chosen) != scales or any(isinstance(c, str) for c in chosen):
        raise ConfigurationError(
            f"deprojection set {name!r}: expected names, or a list of names for each of the "
            f"{scales} needlet scales (found {len(chosen)})"
        )
    return [tuple(c) for c in chosen]


def make_requests(
    plan: NeedletPlan,
    responses: Mapping[str, np.ndarray],
    sets: Mapping[str, Components],
    keep: str,
) -> list[Request]:
    """Responses of every set at every scale, all of them checked."""
    table = {n: np.asarray(a, float) for n, a in responses.items()}
    for name, column in table.items():
        if column.shape != (len(plan.names),):
            raise ConfigurationError(
                f"response of {name!r} has shape {column.shape}: expected one number for each of "
                f"the {len(plan.names)} channels"
            )
    if not isinstance(sets, Mapping):
        raise ConfigurationError(
            f"deprojection sets {sets!r}: expected components by name of the set, such as "
            "{'tsz+cib': ('tsz', 'cib')}"
        )
    if not sets:
        raise ConfigurationError("no deprojection set: give at least one, such as {'none': ()}")
    out = []
    for name, chosen in sets.items():
        components, matrices, conditions = [], [], []
        for scale, others in enumerate(_per_scale(chosen, len(plan.used), name)):
            full = (keep, *others)
            for c in full:
                if c not in table:
                    raise unknown_name("component", c, table)
            if len(set(full)) != len(full):
                raise ConfigurationError(
                    f"deprojection set {name!r}, needlet scale {scale}: {', '.join(full)} names a "
                    "component twice (the first is the one that is kept)"
                )
            matrix = np.stack([table[c][plan.used[scale]] for c in full], axis=1)
            where = (
                f"deprojection set {name!r}, needlet scale {scale} (channels "
                f"{', '.join(plan.channels(scale))})"
            )
            conditions.append(check_responses(matrix, full, where))
            components.append(full)
            matrices.append(matrix)
        out.append(Request(name, tuple(components), tuple(matrices), tuple(conditions)))
    return out
