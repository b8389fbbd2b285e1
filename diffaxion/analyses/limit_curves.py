"""Limit curves over a mass grid, per target and joint, compiled once.

Below ``field_structure_above_eV`` the regular field is taken as published, with its jumps. Above,
those jumps (spiral arms, the edge at 1 kpc) would set the answer, not physics: there the edges
are smoothed with three widths, the middle one is quoted, the others give the spread, and the
status is FIELD_STRUCTURE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..environments.galaxy.catalogue import with_smooth_edges
from ..inference.limits import (
    Q_95,
    CouplingLimit,
    GaussianMoments,
    LimitResult,
    LimitStatus,
    combine,
    linear_moments,
    moments_limit,
)
from ..likelihoods.gaussian import GaussianPoints
from ..observables.world import World
from ..observables.xray.cluster_spectrum import Cache, ClusterSpectrum
from ..runtime import require_x64

JOINT = "joint"


@dataclass(frozen=True)
class MassScan:
    """Limits of one target or of the joint fit on a mass grid.

    Attributes
    ----------
    name : str
        Target, or ``joint``.
    m_a_eV : array, shape (n,)
        Masses [eV].
    strength : LimitResult
        In a = (g/1e-12 GeV^-1)^4, shape (n,).
    coupling : CouplingLimit
        The same as g [GeV^-1], shape (n,).
    low_GeV, high_GeV : array, shape (n,)
        Range of the power-constrained limit over the smoothing widths [GeV^-1]; equal to the
        limit where the field is not smoothed.
    """

    name: str
    m_a_eV: np.ndarray
    strength: LimitResult
    coupling: CouplingLimit
    low_GeV: np.ndarray
    high_GeV: np.ndarray

    @property
    def status(self) -> list[str]:
        """Names of the status codes, one per mass."""
        return [LimitStatus(int(s)).name for s in np.asarray(self.strength.status)]


@eqx.filter_jit
def response_curve(
    probe: ClusterSpectrum, world: World, cache: Cache, m_a_eV: Float[Array, " k"]
) -> Float[Array, "k n"]:
    """Responses of a probe at many masses, in one program.

    Parameters
    ----------
    probe : ClusterSpectrum
        Forward model.
    world : World
        Root tree; its mass is replaced.
    cache : dict
        Items of ``probe.prepare(world)``.
    m_a_eV : float array, shape (k,)
        Masses [eV].

    Returns
    -------
    float array, shape (k, n)
        Signal per unit a in each bin [1e-4 counts s^-1 keV^-1].

    References
    ----------
    Dessert, Foster & Safdi 2020, arXiv:2008.03305.
    """

    def one(mass: Float[Array, ""]) -> Float[Array, " n"]:
        return probe.response(eqx.tree_at(lambda w: w.axion.m_a_eV, world, mass), cache)

    return jax.lax.map(one, m_a_eV)


@eqx.filter_jit
def _smoothed(world: World, width_kpc: Float[Array, ""]) -> World:
    field = with_smooth_edges(world.galaxy.field, width_kpc)
    return eqx.tree_at(lambda w: w.galaxy.field, world, field)


def smoothed_worlds(world: World, smoothing_kpc: Sequence[float]) -> list[World]:
    """The world with the edges of its field smoothed, for each width.

    Parameters
    ----------
    world : World
        Root tree.
    smoothing_kpc : sequence of float
        Widths [kpc].

    Returns
    -------
    list of World
        One per width.

    References
    ----------
    None: see the head of this module.
    """
    return [_smoothed(world, jnp.asarray(w)) for w in smoothing_kpc]


def _moments(
    probe: ClusterSpectrum, points: GaussianPoints, world: World, masses: np.ndarray
) -> GaussianMoments:
    cache = probe.prepare(world)
    return linear_moments(response_curve(probe, world, cache, jnp.asarray(masses)), points)


def _concatenate(parts: Sequence[GaussianMoments]) -> GaussianMoments:
    return GaussianMoments(*(jnp.concatenate(x) for x in zip(*parts, strict=True)))


def limit_curves(
    world: World,
    probes: Sequence[ClusterSpectrum],
    points: Sequence[GaussianPoints],
    m_a_eV: np.ndarray,
    smoothing_kpc: Sequence[float] = (0.05, 0.1, 0.2),
    field_structure_above_eV: float = 1e-10,
    q_threshold: float = Q_95,
) -> list[MassScan]:
    """95 % power-constrained limits and expected bands of every target and of the joint fit.

    Parameters
    ----------
    world : World
        Root tree at its fiducial point.
    probes, points : sequences
        Forward models and their data.
    m_a_eV : array, shape (k,)
        Masses [eV].
    smoothing_kpc : three floats
        Widths of the field's edges above ``field_structure_above_eV`` [kpc].
    field_structure_above_eV : float
        Mass above which edges of the field model would set the answer [eV].
    q_threshold : float
        z^2 of the limit.

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
    require_x64()
    masses = np.asarray(m_a_eV, float)
    sharp = masses <= field_structure_above_eV
    order = np.argsort(np.concatenate([np.flatnonzero(sharp), np.flatnonzero(~sharp)]))
    worlds = smoothed_worlds(world, smoothing_kpc) if not sharp.all() else []

    # One entry per smoothing width, the middle one first: it is the curve that is quoted.
    per_width: list[list[GaussianMoments]] = [[] for _ in smoothing_kpc]
    for probe, data in zip(probes, points, strict=True):
        plain = [_moments(probe, data, world, masses[sharp])] if sharp.any() else []
        for k in range(len(smoothing_kpc)):
            smooth = [_moments(probe, data, worlds[k], masses[~sharp])] if worlds else []
            joined = _concatenate(plain + smooth)
            per_width[k].append(GaussianMoments(joined.score[order], joined.information[order]))

    names = [p.target for p in probes]
    if len(names) > 1:
        names.append(JOINT)
        for moments in per_width:
            moments.append(combine(*moments))
    middle = len(smoothing_kpc) // 2
    curves = []
    for i, name in enumerate(names):
        results = [moments_limit(m[i], q_threshold) for m in per_width]
        couplings = np.array([np.asarray(r.to_coupling().pcl) for r in results])
        quoted = results[middle].flag(LimitStatus.FIELD_STRUCTURE, ~sharp)
        curves.append(
            MassScan(
                name,
                masses,
                quoted,
                quoted.to_coupling(),
                couplings.min(axis=0),
                couplings.max(axis=0),
            )
        )
    return curves
