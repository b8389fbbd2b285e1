"""What happens at each needlet scale: channels, resolution, modes, and the smoothing width.

A channel is used at scale j if its beam is still above a level at the multipole where the filter
falls to that level. The covariance is averaged over a Gaussian of width sigma_j that holds enough
modes for the fractional ILC bias b,

    sigma_j^2 = 2 |n_deproj + 1 - n_f|/(N_j b),    N_j = sum_l (2 l + 1) h_j(l)^2.

Everything that can be wrong with a request is checked here, before any work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigurationError, nearest_names
from .needlets import check_filters

# Filter and beam level that decides which channel is used where.
LEVEL = 1e-3
# Beyond l = 5.5/sigma the smoothing kernel is below 3e-7, beyond 8.6/sigma below 1e-16.
BAND, FULL_BAND = 5.5, 8.6
VARIANTS = ("exact", "smooth", "interpolated", "coarse")
# Bytes of the products of maps that are transformed together.
BLOCK_BYTES = 16 * 1024**2
# Tables of the transforms, and blocks of pixels in the sums.
_LIBRARY_BYTES = 24 * 1024**2
_MIB = 1024**2


@dataclass(frozen=True)
class NeedletPlan:
    """Channels, resolution and modes of J scales for n channels.

    Attributes
    ----------
    filters : float array, shape (J, lmax + 1)
        h_j(l).
    used : bool array, shape (J, n)
        Channels in use.
    upper : int array, shape (J,)
        Multipole l_F where the filter has fallen to its level.
    nside : int array, shape (J,)
        Resolution of the needlet maps.
    modes : float array, shape (J,)
        N_j = sum_l (2 l + 1) h_j^2.
    bias : float
        Fractional ILC bias b.
    names : tuple of str
        Names of the channels.
    """

    filters: np.ndarray
    used: np.ndarray
    upper: np.ndarray
    nside: np.ndarray
    modes: np.ndarray
    bias: float
    names: tuple[str, ...]

    @property
    def lmax(self) -> int:
        """Largest multipole."""
        return self.filters.shape[1] - 1

    def band(self, scale: int) -> tuple[int, int]:
        """First and last multipole at which a filter is not zero."""
        inside = np.flatnonzero(self.filters[scale])
        return int(inside[0]), int(inside[-1])

    def channels(self, scale: int) -> list[str]:
        """Names of the channels in use at a scale."""
        return [n for n, u in zip(self.names, self.used[scale]) if u]

    def sigma(self, scale: int, deprojected: int = 0) -> float:
        """Width of the smoothing kernel [rad], at most pi."""
        excess = abs(deprojected + 1 - int(self.used[scale].sum())) or 1
        return min(math.sqrt(2.0 * excess / (self.modes[scale] * self.bias)), math.pi)

    def fwhm_deg(self, deprojected: int = 0) -> np.ndarray:
        """Full widths at half maximum of the smoothing kernels, shape (J,) [deg]."""
        sigma = [self.sigma(j, deprojected) for j in range(len(self.used))]
        return np.degrees(math.sqrt(8.0 * math.log(2.0)) * np.array(sigma))

    def grid(self, scale: int, variant: str, deprojected: int = 0) -> tuple[int, int]:
        """nside and band limit of the smoothed covariance in a variant."""
        nside, sigma = int(self.nside[scale]), self.sigma(scale, deprojected)
        if variant == "exact":
            return nside, min(math.ceil(FULL_BAND / sigma), 3 * nside - 1)
        band = min(max(8, math.ceil(BAND / sigma)), 3 * nside - 1)
        if variant == "smooth":
            return nside, band
        wanted = 2 * band if variant == "interpolated" else band
        return min(nside, power_of_two(wanted)), band


def power_of_two(least: int) -> int:
    """Smallest power of two that is not below a number."""
    return 1 << max(0, int(least) - 1).bit_length()


def beam_limit(beams: np.ndarray) -> np.ndarray:
    """Multipole where each beam (n, l) is closest to the level, the last one of several."""
    distance = np.where(beams > 0.0, np.abs(beams - LEVEL), np.inf)
    return beams.shape[1] - 1 - np.argmin(distance[:, ::-1], axis=1)


def _chosen(channels: Sequence[Sequence[str]], names: tuple[str, ...], scales: int) -> np.ndarray:
    """Explicit lists of channels as a table of shape (J, n)."""
    if len(channels) != scales:
        raise ConfigurationError(
            f"channels are listed for {len(channels)} scales, there are {scales}: one list each"
        )
    for scale, chosen in enumerate(channels):
        for name in chosen:
            if name not in names:
                raise ConfigurationError(
                    f"unknown channel {name!r} at needlet scale {scale}: "
                    f"{nearest_names(name, names)}"
                )
    return np.array([[n in chosen for n in names] for chosen in channels])


def needlet_plan(
    filters: np.ndarray,
    beams: np.ndarray,
    nside: int,
    *,
    bias: float = 0.01,
    channels: Sequence[Sequence[str]] | None = None,
    names: Sequence[str] | None = None,
    reach: Sequence[int] | None = None,
) -> NeedletPlan:
    """Channels, resolution and smoothing at each scale, after checking all that is asked for.

    The filter's upper multipole l_F is the one from its peak on where it is closest to 1e-3; a
    channel is used where l_F does not exceed the multipole at which its beam is closest to 1e-3.
    The last scale reaches to l_max. The needlet maps have the smallest nside above l_F.

    Parameters
    ----------
    filters : float array, shape (J, lmax + 1)
        Needlet filters, squares adding up to 1.
    beams : float array, shape (n, lmax + 1)
        Beams of the channels, without pixel windows, 1 at l = 0; any order.
    nside : int
        Resolution of the output and the largest of needlet maps.
    bias : float
        Fractional ILC bias b that sets the smoothing.
    channels : sequence of sequences of str, optional
        Names of the channels at each scale, in place of the rule.
    names : sequence of str, optional
        Names of the channels; default 0, 1, ...
    reach : sequence of int, optional
        Largest multipole that the map of each channel holds, which limits its use.

    Returns
    -------
    NeedletPlan
        The plan; smoothing widths by its method ``fwhm_deg``.

    Raises
    ------
    ConfigurationError
        If l_max is not below 3 nside - 1, the filters do not add up, a beam is unusable, a channel
        is unknown or used without a beam, or a scale has no channel.

    References
    ----------
    Goldstein et al. 2024, arXiv:2409.10514, Table S1; McCarthy & Hill 2024, arXiv:2307.01043.
    """
    response = np.asarray(beams, float)
    lmax = np.asarray(filters).shape[-1] - 1
    h = check_filters(filters, lmax)
    if nside < 1 or nside & (nside - 1):
        raise ConfigurationError(f"nside {nside}: expected a power of two")
    if lmax >= 3 * nside - 1:
        raise ConfigurationError(
            f"l_max {lmax} at nside {nside}: must be below 3 nside - 1 = {3 * nside - 1}; lower "
            "l_max or take maps of higher resolution"
        )
    if not 0.0 < bias < 1.0:
        raise ConfigurationError(f"ILC bias {bias:g}: expected a fraction between 0 and 1")
    if response.ndim != 2 or response.shape[1] != lmax + 1:
        raise ConfigurationError(
            f"beams of shape {response.shape}: expected (channels, l_max + 1 = {lmax + 1})"
        )
    labels = tuple(names) if names is not None else tuple(str(i) for i in range(len(response)))
    if len(labels) != len(response) or len(set(labels)) != len(labels):
        raise ConfigurationError(
            f"channel names {list(labels)}: expected {len(response)} different ones, one per beam"
        )
    for name, b in zip(labels, response):
        if not np.all(np.isfinite(b)) or b[0] <= 0.0:
            raise ConfigurationError(
                f"beam of channel {name!r}: expected finite numbers, positive at l = 0 "
                f"(found {b[0]:g})"
            )
    peak = np.argmax(h, axis=1)
    upper = np.array([p + int(np.argmin(np.abs(f[p:] - LEVEL))) for p, f in zip(peak, h)])
    upper[-1] = lmax
    if channels is None:
        limit = beam_limit(response)
        limit = limit if reach is None else np.minimum(limit, np.asarray(reach, int))
        used = upper[:, None] <= limit
    else:
        used = _chosen(channels, labels, len(h))
    plan = NeedletPlan(
        h,
        used,
        upper,
        np.array([min(nside, power_of_two(int(u) + 1)) for u in upper]),
        np.sum((2.0 * np.arange(lmax + 1) + 1.0) * h**2, axis=1),
        float(bias),
        labels,
    )
    _check_use(plan, response)
    return plan


def _check_use(plan: NeedletPlan, beams: np.ndarray) -> None:
    """Every scale needs a channel, every channel in use a beam that can be divided by."""
    for scale, used in enumerate(plan.used):
        first, last = plan.band(scale)
        if not used.any():
            raise ConfigurationError(
                f"no channel resolves needlet scale {scale} (l = {first} to {last}): lower l_max "
                "or list channels for each scale"
            )
        for i in np.flatnonzero(used):
            # The far wing of the last multipoles of a filter may lie where a beam has died.
            if beams[i, first : plan.upper[scale] + 1].min() <= 0.0:
                raise ConfigurationError(
                    f"channel {plan.names[i]!r} is listed at needlet scale {scale} (l = {first} "
                    f"to {last}), where its beam is 0: take it off the list of this scale"
                )


def memory_estimate(
    plan: NeedletPlan,
    variant: str,
    deprojected: Sequence[int | Sequence[int]] = (0,),
    *,
    masked: bool = False,
    rule: str = "common",
    keep_weights: bool = True,
) -> dict[str, Any]:
    """Peak memory of a run beyond that of its input maps, before anything is done [MiB].

    Parameters
    ----------
    plan : NeedletPlan
        Scales and channels.
    variant : str
        exact, smooth, interpolated or coarse.
    deprojected : sequence of int, or of sequences of J int
        Number of deprojected components of each set, or of each set at each scale.
    masked : bool
        Whether a mask enters the covariance.
    rule : str
        Smoothing rule, ``common`` or ``per_choice``.
    keep_weights : bool
        Whether weights are kept.

    Returns
    -------
    dict
        ``base_MiB`` (coefficients of all channels and sets), ``scale_MiB`` (list, per scale),
        ``kept_MiB`` (weights of all scales), ``peak_MiB``.

    References
    ----------
    Counted from the arrays that are alive together.
    """
    number, sets, scales = plan.used.shape[1], len(deprojected), len(plan.used)
    table = np.array([np.broadcast_to(d, scales) for d in deprojected])
    alm = 8.0 * (plan.lmax + 1) * (plan.lmax + 2)
    pixel = 8.0 * 12.0
    base = (number + sets) * alm + _LIBRARY_BYTES
    kept, totals = 0.0, []
    for j, used in enumerate(plan.used):
        n, nside = int(used.sum()), int(plan.nside[j])
        fine, pairs, first = pixel * nside**2, n * (n + 1) / 2, plan.band(j)[0]
        held, weights = n * fine, 0.0
        stages = [held + sets * fine, (sets + 4) * fine + 2.0 * alm]
        counts = [int(d) for d in table[:, j] if d + 1 < n]
        for count in sorted(set(counts)):
            grid, band = plan.grid(j, variant, count if rule == "per_choice" else 0)
            coarse = pixel * grid**2
            means = variant == "exact" or masked or first <= band
            block = max(fine, min(BLOCK_BYTES, pairs * fine))
            copies = 4.0 if variant == "exact" else 2.0
            members = counts.count(count) if rule == "per_choice" else len(counts)
            stages.append(held * (2 if means else 1) + pairs * coarse + copies * block)
            weights += members * n * coarse
            stages.append(held + pairs * coarse)
            if rule == "common":
                break
        totals.append((base + kept + weights + max(stages)) / _MIB)
        kept += weights if keep_weights else 0.0
    return {
        "base_MiB": base / _MIB,
        "scale_MiB": totals,
        "kept_MiB": kept / _MIB,
        "peak_MiB": max(totals),
    }
