"""Limits and flux points from count images, without nuisances other than their backgrounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..inference.counts import counts_curve
from ..inference.limits import Q_95, LimitResult, LimitStatus, power_constrained
from ..inference.profile import ProfileResult
from ..likelihoods.poisson import TemplatePoisson
from ..likelihoods.poisson_merge import merge_empty, merge_similar
from ..likelihoods.poisson_packed import PackedPoisson, pack_pixels
from ..likelihoods.poisson_points import joint_flux_points
from ..observables.world import World
from ..observables.xray.cluster_counts import ClusterCounts
from ..runtime import require_x64
from .limit_curves import JOINT, MassScan, response_curve, smoothed_worlds

Images = tuple[ClusterCounts, TemplatePoisson]
# Pixels without counts are summed. Where there are more pixels than this in a row, expected limits
# are taken from groups of equal T/B, which moves the strength by some 1e-5.
_MANY = 400
# Numbers of merged pixels differ from data set to data set; rounded up, they share programs.
_ROUND, _BLOCKS = 128, 16


@dataclass(frozen=True)
class CountFlux:
    """Flux points of count images: rates with asymmetric errors per energy bin.

    Attributes
    ----------
    low_keV, high_keV : array, shape (bins,)
        Edges [keV].
    flux, plus, minus, sigma : array, shape (bins,)
        dF/dE = S/(exposure dE), the distances at which ln L has fallen by 1/2, and the curvature
        error [1e-4 counts s^-1 keV^-1], over the whole PSF.
    signal, expected_background : array, shape (images, bins)
        Fitted counts over the whole PSF, and fitted background counts in the region.
    counts : array, shape (images, bins)
        Observed counts in the region.
    a_at_zero, at_boundary : array of bool, shape (bins,)
        Whether a background is zero, or an empty pixel holds the fit at mu = 0.
    """

    low_keV: np.ndarray
    high_keV: np.ndarray
    flux: np.ndarray
    plus: np.ndarray
    minus: np.ndarray
    sigma: np.ndarray
    signal: np.ndarray
    expected_background: np.ndarray
    counts: np.ndarray
    a_at_zero: np.ndarray
    at_boundary: np.ndarray


def count_flux(probe: ClusterCounts, points: TemplatePoisson) -> CountFlux:
    """Flux points of all images of a probe together, each with its own background.

    Parameters
    ----------
    probe : ClusterCounts
        For bins and exposures.
    points : TemplatePoisson
        Counts and templates, rows (images, bins).

    Returns
    -------
    CountFlux
        One point per energy bin [1e-4 counts s^-1 keV^-1].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305, figure 2.
    """
    grid = probe.spectrum.grid
    # Counts of each image for a rate of one unit.
    weights = probe.counts(jnp.ones(grid.low_keV.shape[0])).reshape(probe.exposure_s.shape)
    found = joint_flux_points(_rounded(merge_empty(points)), weights)
    shape = weights.shape
    total = jnp.sum(points.background_template, axis=-1).reshape(shape)
    arrays = (
        grid.low_keV,
        grid.high_keV,
        found.signal,
        found.plus,
        found.minus,
        found.sigma,
        weights * found.signal,
        found.background * total,
        jnp.sum(points.counts, axis=-1).reshape(shape),
        found.a_at_zero,
        found.at_boundary,
    )
    return CountFlux(*(np.asarray(x) for x in arrays))


class CountProfile(NamedTuple):
    """Profile limits of one target or of all, with the fits behind them.

    Attributes
    ----------
    name : str
        Target, or ``joint``.
    members : tuple of int
        Which images take part.
    results : tuple of ProfileResult
        One per smoothing width of the field, the middle one to be quoted; masses first.
    responses : array, shape (k, rows)
        Counts over the whole PSF per unit a at that width.
    """

    name: str
    members: tuple[int, ...]
    results: tuple[ProfileResult, ...]
    responses: np.ndarray

    @property
    def quoted(self) -> ProfileResult:
        """The fits of the middle width."""
        return self.results[len(self.results) // 2]

    def scan(self, m_a_eV: np.ndarray, field_structure_above_eV: float = 1e-10) -> MassScan:
        """The curve of the middle width, and the range over all of them [eV]."""
        masses = np.asarray(m_a_eV, float)
        found = [r.limit for r in self.results]
        return _scan(self.name, masses, found, masses > field_structure_above_eV)


def count_profiles(
    world: World,
    images: Sequence[Images],
    m_a_eV: np.ndarray,
    *,
    bands: Literal["constant", "self_consistent"] = "constant",
    q_threshold: float = Q_95,
    smoothing_kpc: Sequence[float] = (0.05, 0.1, 0.2),
    field_structure_above_eV: float = 1e-10,
    joint: bool = True,
) -> list[CountProfile]:
    """Profile likelihoods of every target and of the joint fit, from counts.

    Parameters
    ----------
    world : World
        Root tree at its fiducial point.
    images : sequence of (ClusterCounts, TemplatePoisson)
        Forward models and counts; several of one target are fitted together.
    m_a_eV : array, shape (k,)
        Masses [eV].
    bands : {"constant", "self_consistent"}
        Construction of the bands.
    q_threshold : float
        z^2 of the limit.
    smoothing_kpc : three floats
        Widths of the field's edges above ``field_structure_above_eV`` [kpc].
    field_structure_above_eV : float
        Mass above which edges of the field model would set the answer [eV].
    joint : bool
        Whether several targets are fitted together as well.

    Returns
    -------
    list of CountProfile
        One per target in the order given, then ``joint`` where there are several; shape (k,).

    Raises
    ------
    ConfigurationError
        If JAX was switched to float32 after the import.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Cowan et al. 2011, arXiv:1007.1727 and
    arXiv:1105.3166 (power constraint).
    """
    require_x64()
    masses = np.asarray(m_a_eV, float)
    sharp = masses <= field_structure_above_eV
    worlds = [] if sharp.all() else smoothed_worlds(world, smoothing_kpc)
    widths = max(len(worlds), 1)
    per_probe = [_responses(p, world, worlds, masses, sharp) for p, _ in images]
    targets = list(dict.fromkeys(p.target for p, _ in images))
    groups = {t: [k for k, (p, _) in enumerate(images) if p.target == t] for t in targets}
    if joint and len(targets) > 1:
        groups[JOINT] = list(range(len(images)))
    profiles = []
    for name, members in groups.items():
        points = [images[k][1] for k in members]
        likelihood, expected = _together(points)
        rows = [jnp.concatenate([per_probe[k][w] for k in members], axis=1) for w in range(widths)]
        found = tuple(
            _at_edges(
                counts_curve(
                    likelihood, r, q_threshold=q_threshold, bands=bands, expected=expected
                ),
                points,
                r,
                q_threshold,
            )
            for r in rows
        )
        profiles.append(CountProfile(name, tuple(members), found, np.asarray(rows[widths // 2])))
    return profiles


def count_limits(
    world: World, images: Sequence[Images], m_a_eV: np.ndarray, **choices: Any
) -> list[MassScan]:
    """95 % limits and expected bands of every target and of the joint fit, from counts.

    Parameters
    ----------
    world : World
        Root tree at its fiducial point.
    images : sequence of (ClusterCounts, TemplatePoisson)
        Forward models and counts; several of one target are fitted together.
    m_a_eV : array, shape (k,)
        Masses [eV].
    **choices
        As :func:`count_profiles`.

    Returns
    -------
    list of MassScan
        One per target in the order given, then ``joint`` where there are several; shape (k,).

    Raises
    ------
    ConfigurationError
        If JAX was switched to float32 after the import.

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305; Cowan et al. 2011, arXiv:1007.1727 and
    arXiv:1105.3166 (power constraint).
    """
    above = {k: v for k, v in choices.items() if k == "field_structure_above_eV"}
    profiles = count_profiles(world, images, m_a_eV, **choices)
    return [p.scan(m_a_eV, **above) for p in profiles]


def _responses(
    probe: ClusterCounts,
    world: World,
    worlds: Sequence[World],
    masses: np.ndarray,
    sharp: np.ndarray,
) -> list[jax.Array]:
    """Responses at all masses, shape (k, rows), for each smoothing width (one if none)."""

    def curve(w: World, chosen: np.ndarray) -> np.ndarray:
        line = probe.spectrum
        rates = response_curve(line, w, line.prepare(w), jnp.asarray(masses[chosen]))
        return np.asarray(jax.vmap(probe.counts)(rates))

    found = np.zeros((masses.size, probe.exposure_s.size))
    if sharp.any():
        found[sharp] = curve(world, sharp)
    per_width = [found]
    if worlds:
        per_width = [found.copy() for _ in worlds]
        for one, w in zip(per_width, worlds, strict=True):
            one[~sharp] = curve(w, ~sharp)
    return [jnp.asarray(x) for x in per_width]


def _together(points: Sequence[TemplatePoisson]) -> tuple[PackedPoisson, PackedPoisson]:
    """All rows in one likelihood, and the templates of Asimov data."""
    full = TemplatePoisson.together([*map(merge_empty, points)])
    groups = [merge_similar(p) if p.size > _MANY else p for p in points]
    ideal = TemplatePoisson.together(groups)
    return pack_pixels(full, multiple=_BLOCKS), pack_pixels(ideal, multiple=_BLOCKS)


def _at_edges(
    result: ProfileResult,
    points: Sequence[TemplatePoisson],
    responses: jax.Array,
    q_threshold: float = Q_95,
) -> ProfileResult:
    """Fits that the edge of the domain stopped, replaced by those of the profile along the edge.

    In sparse images an empty pixel may hold the best fit at mu = 0, where Newton steps in strength
    and backgrounds come to rest too early. The profile over the backgrounds is concave up to the
    edge and along it: its maximum and its crossing are found by bisection. The status stays
    AT_BOUNDARY where the maximum lies at the edge.
    """
    stopped = np.flatnonzero(np.asarray(result.limit.status) == int(LimitStatus.AT_BOUNDARY))
    if stopped.size == 0:
        return result
    together = _rounded(TemplatePoisson.together([*map(merge_empty, points)]))
    limit, best, crossing = result.limit, np.array(result.best), np.array(result.crossing)
    names = ("a_hat", "sigma", "a_95", "ts", "status")
    values = {name: np.array(getattr(limit, name)) for name in names}
    for k in stopped:
        r = np.asarray(responses[k])
        seen = np.flatnonzero(r > 0.0)
        unit = 1.0 / r.sum()
        some = jax.tree.map(lambda x, rows=seen: x[rows], together)
        # Strengths in which all rows together have one count.
        shares, drop = jnp.asarray(unit * r[seen]), jnp.asarray(0.5 * q_threshold)
        a_hat, sigma, a_95, ts, held, *scales = (
            np.asarray(x) for x in _along_edge(some, shares, drop)
        )
        status = LimitStatus.OK if a_95 > 0.0 else LimitStatus.NEGATIVE_LIMIT
        status = LimitStatus.AT_BOUNDARY if held else status
        found = (unit * a_hat, unit * sigma, unit * a_95, ts, int(status))
        for name, value in zip(names, found, strict=True):
            values[name][k] = value
        best[k, 0], crossing[k, 0] = unit * a_hat, unit * a_95
        best[k, 1 + seen], crossing[k, 1 + seen] = scales
    moved = {name: jnp.asarray(v) for name, v in values.items()}
    moved["z_local"] = jnp.sqrt(moved["ts"])
    moved["pcl"] = power_constrained(moved["a_95"], limit.minus1)
    return replace(
        result,
        limit=replace(limit, **moved),
        best=jnp.asarray(best),
        crossing=jnp.asarray(crossing),
    )


@eqx.filter_jit
def _along_edge(rows: TemplatePoisson, shares: jax.Array, drop: jax.Array) -> tuple:
    """Maximum, error, crossing, test statistic, whether at the edge, and backgrounds of both."""
    found = joint_flux_points(rows, shares[:, None], drop)
    best = found.signal[0]
    end = best + found.plus[0]
    rise = rows.log_profile(shares * best) - rows.log_profile(0.0 * shares)
    ts = jnp.where(best > 0.0, jnp.maximum(2.0 * rise, 0.0), 0.0)
    scales = found.background[:, 0], rows.profile(shares * end).background
    return best, found.sigma[0], end, ts, found.at_boundary[0], *scales


def _rounded(points: TemplatePoisson) -> TemplatePoisson:
    return points.padded(-(-points.counts.shape[1] // _ROUND) * _ROUND)


def _scan(name: str, masses: np.ndarray, found: list[LimitResult], rough: np.ndarray) -> MassScan:
    """The curve of the middle width, and the range over all of them."""
    couplings = np.array([np.asarray(r.to_coupling().pcl) for r in found])
    quoted = found[len(found) // 2].flag(LimitStatus.FIELD_STRUCTURE, rough)
    return MassScan(
        name, masses, quoted, quoted.to_coupling(), couplings.min(axis=0), couplings.max(axis=0)
    )
