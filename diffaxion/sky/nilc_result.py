"""The cleaned map of a needlet ILC with what is known about it, and its frozen weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from .local_covariance import degrade_binary
from .needlet_maps import (
    MapLike,
    ScaleWeights,
    Synthesiser,
    channel_alm,
    combine,
    needlet_alm,
    needlet_maps,
)
from .needlet_plan import NeedletPlan
from .transforms import Transforms, get_transforms

# More multipoles than any map has.
_NO_END = 1 << 20


@dataclass(frozen=True)
class ScaleReport:
    """What happened at one needlet scale.

    Attributes
    ----------
    scale, nside, grid : int
        Number of the scale, resolution of its maps and of its weights (0: the same everywhere).
    channels, components : tuple of str
        Channels in use; preserved component and the deprojected ones.
    fwhm_deg : float
        Smoothing of the covariance [deg]; 0 where none was needed.
    modes : float
        N_j = sum_l (2 l + 1) h_j^2.
    condition : float
        Condition number of the column-scaled responses.
    mean_weights : float array, shape (k,)
        Mean over valid pixels [unit of output per unit of input].
    second_moment : float array, shape (k, k)
        Mean of w w^T.
    responses : dict of str to float
        Mean response w^T a of every known component; 1 for the preserved and 0 for deprojected
        ones.
    response_rms : dict of str to float
        Its rms over pixels.
    noise_rms : float or None
        sqrt(mean of w^T N w) [unit of output], where the noise of the channels was given.
    indefinite : float
        Fraction of pixels whose covariance was not positive definite: next to much brighter sky,
        by the finite accuracy of transforms. The exact variant uses it as it is, the others add
        a share of the mean.
    """

    scale: int
    nside: int
    grid: int
    channels: tuple[str, ...]
    components: tuple[str, ...]
    fwhm_deg: float
    modes: float
    condition: float
    mean_weights: np.ndarray
    second_moment: np.ndarray
    responses: dict[str, float]
    response_rms: dict[str, float]
    noise_rms: float | None = None
    indefinite: float = 0.0

    @property
    def weight_norm(self) -> float:
        """Amplification of equal noise in all channels, sqrt(mean of w^T w)."""
        return float(np.sqrt(np.trace(self.second_moment)))

    def record(self) -> dict[str, Any]:
        """Plain values for a product."""
        return {
            "scale": self.scale,
            "channels": list(self.channels),
            "components": list(self.components),
            "fwhm_deg": self.fwhm_deg,
            "nside": self.nside,
            "weights_nside": self.grid,
            "modes": self.modes,
            "condition": self.condition,
            "mean_weights": self.mean_weights.tolist(),
            "weight_norm": self.weight_norm,
            "noise_rms": self.noise_rms,
            "indefinite": self.indefinite,
            "responses": self.responses,
            "response_rms": self.response_rms,
        }


def noise_power(plan: NeedletPlan, scale: int, ratios: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Variance of white noise in the needlet maps of all channels, shape (n,)."""
    h = plan.filters[scale]
    gain = np.where(h > 0.0, h * ratios, 0.0) ** 2
    return noise**2 * (gain @ (2.0 * np.arange(h.size) + 1.0)) / (4.0 * np.pi)


def scale_report(
    plan: NeedletPlan,
    scale: int,
    weights: ScaleWeights,
    components: tuple[str, ...],
    responses: Mapping[str, np.ndarray],
    condition: float,
    fwhm_deg: float,
    valid: np.ndarray | None,
    noise: np.ndarray | None,
    indefinite: float,
) -> ScaleReport:
    """Summary of the weights of one scale; ``valid`` marks pixels of their grid that count."""
    values = weights.values if valid is None or weights.grid == 0 else weights.values[valid]
    second = values.T @ values / len(values)
    mean = values.mean(axis=0)
    known = {n: np.asarray(a, float)[weights.channels] for n, a in responses.items()}
    rms = None
    if noise is not None:
        rms = float(np.sqrt(np.sum(np.diagonal(second) * noise[weights.channels])))
    return ScaleReport(
        scale,
        int(plan.nside[scale]),
        weights.grid,
        tuple(plan.channels(scale)),
        components,
        fwhm_deg,
        float(plan.modes[scale]),
        condition,
        mean,
        second,
        {n: float(mean @ a) for n, a in known.items()},
        {n: float(np.sqrt(max(a @ second @ a, 0.0))) for n, a in known.items()},
        rms,
        indefinite,
    )


@dataclass(frozen=True)
class Instrument:
    """What a set of channels looked like to the ILC: enough to use its weights again.

    Attributes
    ----------
    plan : NeedletPlan
        Scales and channels.
    ratios : float array, shape (n, lmax + 1)
        Output beam over beam of the channel.
    mask : float array, shape (npix,) or None
        Mask of the covariance.
    backend : str
        Transforms.
    threads, iterations : int
        Their options.
    exact : bool
        Whether transforms are those of the reference.
    """

    plan: NeedletPlan
    ratios: np.ndarray
    mask: np.ndarray | None
    backend: str = "healpy"
    threads: int = 1
    iterations: int = 3
    exact: bool = False

    @property
    def transforms(self) -> Transforms:
        """Back end of the transforms."""
        return get_transforms(self.backend, self.threads)

    def mask_at(self, scale: int) -> np.ndarray | None:
        """Mask at the resolution of a scale."""
        return None if self.mask is None else degrade_binary(self.mask, self.plan.nside[scale])


@dataclass(frozen=True)
class CleanedMap:
    """Map of the preserved component, all else deprojected or averaged down.

    Attributes
    ----------
    name : str
        Name of the deprojection set.
    alm : complex array, shape (nalm,)
        Coefficients with the common beam [unit of the responses' column 0; uK where these are
        per uK].
    nside : int
        Resolution at which :meth:`map` is made by default.
    fwhm_arcmin : float
        Common Gaussian beam [arcmin].
    beam : float array, shape (lmax + 1,)
        The common beam with the taper, if any: all that the map carries.
    scales : tuple of ScaleReport
        What happened at each scale.
    weights : tuple of ScaleWeights
        Frozen weights; empty if they were not kept.
    instrument : Instrument
        Channels, to use the weights again.
    record : dict
        Configuration and versions.
    """

    name: str
    alm: np.ndarray
    nside: int
    fwhm_arcmin: float
    beam: np.ndarray
    scales: tuple[ScaleReport, ...]
    weights: tuple[ScaleWeights, ...]
    instrument: Instrument
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def lmax(self) -> int:
        """Largest multipole."""
        return self.instrument.plan.lmax

    def map(self, nside: int | None = None) -> np.ndarray:
        """The map in RING order, shape (12 nside^2,)."""
        return self.instrument.transforms.synthesis(self.alm, nside or self.nside)

    def responses(self, component: str) -> np.ndarray:
        """Mean response w^T a of a component at each scale, shape (J,)."""
        return np.array([s.responses[component] for s in self.scales])


def push_through(cleaned: CleanedMap | Sequence[CleanedMap], maps: Sequence[MapLike]) -> np.ndarray:
    """Other maps of the same channels through frozen weights.

    What a component, a noise realisation or another sky becomes in the cleaned map; the
    operation is linear, and with the maps that the weights were made from it returns the map.

    Parameters
    ----------
    cleaned : CleanedMap, or sequence of them
        Weights to use; several of one run share the work.
    maps : sequence of n arrays
        Maps, coefficients (complex) or functions that return them, in the order of the channels
        [unit of the input]; with the beams that the ILC was told.

    Returns
    -------
    complex array, shape (nalm,), or (sets, nalm) for a sequence
        Coefficients with the common beam [unit of the output].

    Raises
    ------
    ConfigurationError
        If the weights were not kept, or the number of maps is not that of the channels.
    DataError
        If a map is not usable.

    References
    ----------
    Remazeilles, Delabrouille & Cardoso 2011, arXiv:1006.5599.
    """
    group = [cleaned] if isinstance(cleaned, CleanedMap) else list(cleaned)
    if not all(c.weights for c in group):
        raise ConfigurationError(
            "the weights of this map were not kept: run the ILC with keep_weights=True"
        )
    total = apply_weights(group[0].instrument, [c.weights for c in group], maps)
    return total[0] if isinstance(cleaned, CleanedMap) else total


def apply_weights(
    instrument: Instrument,
    weights: Sequence[Sequence[ScaleWeights]],
    maps: Sequence[MapLike],
) -> np.ndarray:
    """Sum of channels with any weights, also with derivatives of weights.

    Parameters
    ----------
    instrument : Instrument
        Scales, channels and beams.
    weights : sequence of sequences of ScaleWeights
        Weights of every scale, for each output; the same channels in all of them.
    maps : sequence of n arrays
        As for :func:`push_through`.

    Returns
    -------
    complex array, shape (outputs, nalm)
        Coefficients with the common beam [unit of weights times unit of maps].

    Raises
    ------
    ConfigurationError
        If the number of maps is not that of the channels.
    DataError
        If a map is not usable.

    References
    ----------
    Remazeilles, Delabrouille & Cardoso 2011, arXiv:1006.5599.
    """
    plan = instrument.plan
    if len(maps) != len(plan.names):
        raise ConfigurationError(f"{len(maps)} maps for {len(plan.names)} channels")
    transforms = instrument.transforms
    back = Synthesiser(plan, transforms, instrument.iterations, instrument.exact)
    alms = [
        channel_alm(m, n, plan.lmax, transforms, instrument.iterations)
        for m, n in zip(maps, plan.names)
    ]
    total = back.empty(len(weights))
    for scale in range(len(plan.used)):
        sets = [w[scale] for w in weights]
        filtered = [
            needlet_alm(alms[i], plan, scale, instrument.ratios[i]) for i in sets[0].channels
        ]
        needlets = needlet_maps(filtered, int(plan.nside[scale]), transforms)
        mask = instrument.mask_at(scale)
        y = combine(needlets, sets, mask)
        back.add(total, back.coefficients(y, scale, margin_of(sets, mask)))
    return total


def margin_of(sets: Sequence[ScaleWeights], mask: np.ndarray | None) -> int:
    """Multipoles by which products with weights reach beyond a filter: those of their grid.

    The edges of a mask have no end.
    """
    return 2 * max(w.grid for w in sets) if mask is None else _NO_END
